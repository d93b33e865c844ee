/* What the test programs share: checks, time, threads, and connected clients.
 *
 * A program is a list of RUN(promise), each a function whose name says what is promised. The first check
 * that fails says where, and ends the program. Its arguments are the URLs of the servers that
 * tests/c_programs.rs has started for it. */
#ifndef CHECK_H
#define CHECK_H

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef WITHOUT_LIBRARY
#include "sio.h"
#endif

#define UNUSED __attribute__((unused))

/* ---- checks ---- */

#define CHECK(condition) \
    do { if (!(condition)) failed(__FILE__, __LINE__, #condition, "is false"); } while (0)

#define CHECK_INT(expected, actual) check_int(__FILE__, __LINE__, #actual, (expected), (actual))
#define CHECK_TEXT(expected, actual) check_text(__FILE__, __LINE__, #actual, (expected), (actual))

/* That a part stands in a text. */
#define CHECK_HAS(part, text) check_has(__FILE__, __LINE__, #text, (part), (text))

/* That a call returned this status; if not, the client's failure is told. */
#define CHECK_STATUS(expected, client, call) \
    check_status(__FILE__, __LINE__, #call, (expected), (call), (client))
#define CHECK_OK(client, call) CHECK_STATUS(SIO_OK, client, call)

/* That a statement took from so many to so many milliseconds. */
#define CHECK_TIME(least, most, statement) \
    do { \
        long long begun_ = now_ms(); \
        statement; \
        check_time(__FILE__, __LINE__, #statement, (least), (most), now_ms() - begun_); \
    } while (0)

#define RUN(promise) run(#promise, promise)

static void UNUSED failed(const char *file, int line, const char *what, const char *how)
{
    printf("%s:%d: %s: %s\n", file, line, what, how);
    fflush(stdout);
    _exit(1);
}

static void UNUSED check_int(const char *file, int line, const char *what, long long expected,
                             long long actual)
{
    char how[100];
    if (expected == actual) return;
    snprintf(how, sizeof how, "is %lld, not %lld", actual, expected);
    failed(file, line, what, how);
}

static void UNUSED check_text(const char *file, int line, const char *what, const char *expected,
                              const char *actual)
{
    char how[4500];
    if (actual != NULL && strcmp(expected, actual) == 0) return;
    snprintf(how, sizeof how, "is\n  %s\nnot\n  %s", actual == NULL ? "NULL" : actual, expected);
    failed(file, line, what, how);
}

static void UNUSED check_has(const char *file, int line, const char *what, const char *part,
                             const char *text)
{
    char how[4500];
    if (text != NULL && strstr(text, part) != NULL) return;
    snprintf(how, sizeof how, "has no \"%s\":\n  %s", part, text == NULL ? "NULL" : text);
    failed(file, line, what, how);
}

/* ---- time ---- */

/* Whether this runs under valgrind, where all is slower and only one thread runs at a time. */
static int UNUSED is_slow(void)
{
    return getenv("SIO_TEST_SLOW") != NULL;
}

static int UNUSED few_or_many(int few, int many)
{
    return is_slow() ? few : many;
}

static long long UNUSED now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

static void UNUSED sleep_ms(int ms)
{
    struct timespec time;
    time.tv_sec = ms / 1000;
    time.tv_nsec = ms % 1000 * 1000000L;
    while (nanosleep(&time, &time) != 0) {
    }
}

static void UNUSED check_time(const char *file, int line, const char *what, long long least,
                              long long most, long long took)
{
    char how[100];
    if (is_slow()) most = most * 20 + 1000;
    if (took >= least && took <= most) return;
    snprintf(how, sizeof how, "took %lld ms, not %lld to %lld", took, least, most);
    failed(file, line, what, how);
}

static void UNUSED run(const char *name, void (*promise)(void))
{
    long long begun = now_ms();
    promise();
    printf("  %s: %lld ms\n", name, now_ms() - begun);
    fflush(stdout);
}

/* ---- threads ---- */

static pthread_t UNUSED start(void *(*body)(void *), void *argument)
{
    pthread_t thread;
    CHECK_INT(0, pthread_create(&thread, NULL, body, argument));
    return thread;
}

/* The number by which the system knows this thread. */
static int UNUSED thread_number(void)
{
    return (int)syscall(SYS_gettid);
}

/* Waits until a thread sleeps, in the call that it has said to be about to make. A program has no such
 * means, and needs none: it never frees a client while it does not know where its threads are. */
static void UNUSED until_asleep(const volatile int *number)
{
    int asleep = 0, tries;
    for (tries = 0; asleep < 3; tries++) {
        char path[60], stat[200] = "";
        FILE *file;
        CHECK(tries < 10000);
        sleep_ms(few_or_many(100, 2));
        if (*number == 0) continue;
        snprintf(path, sizeof path, "/proc/self/task/%d/stat", *number);
        file = fopen(path, "r");
        /* It has ended. */
        if (file == NULL) return;
        CHECK(fgets(stat, sizeof stat, file) != NULL);
        fclose(file);
        /* The state follows the name in brackets. */
        asleep = strncmp(strrchr(stat, ')'), ") S", 3) == 0 ? asleep + 1 : 0;
    }
}

static void UNUSED finish(pthread_t thread)
{
    CHECK_INT(0, pthread_join(thread, NULL));
}

/* ---- what the process has of the system ---- */

/* Entries of a folder of /proc: descriptors, or threads. */
static int UNUSED entries(const char *folder)
{
    DIR *dir = opendir(folder);
    int count = 0;
    CHECK(dir != NULL);
    while (readdir(dir) != NULL) count++;
    closedir(dir);
    return count;
}

static int UNUSED descriptors(void)
{
    return entries("/proc/self/fd");
}

static int UNUSED threads(void)
{
    return entries("/proc/self/task");
}

/* A thread that was waited for can be seen in /proc a moment longer. */
static void UNUSED settles(int threads_before, int descriptors_before)
{
    int tries;
    for (tries = 0; tries < 2000; tries++) {
        if (threads() == threads_before && descriptors() == descriptors_before) break;
        sleep_ms(1);
    }
    CHECK_INT(threads_before, threads());
    CHECK_INT(descriptors_before, descriptors());
}

/* A server that takes connections and says nothing. */
static int UNUSED silent_server(char *url, size_t size)
{
    struct sockaddr_in address;
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK_INT(0, bind(fd, (struct sockaddr *)&address, sizeof address));
    CHECK_INT(0, listen(fd, 16));
    CHECK_INT(0, getsockname(fd, (struct sockaddr *)&address, &len));
    snprintf(url, size, "http://127.0.0.1:%d", ntohs(address.sin_port));
    return fd;
}

/* ---- clients and servers ---- */

static int argument_count;
static char **arguments;

static void UNUSED begin(int argc, char **argv)
{
    argument_count = argc;
    arguments = argv;
}

/* The argument with that number, from 1. */
static const char UNUSED *argument(int number)
{
    CHECK(argument_count > number);
    return arguments[number];
}

/* Programs that load the library themselves do without the rest. */
#ifndef WITHOUT_LIBRARY

static const char UNUSED *error_text(const sio_client *client)
{
    static __thread char text[2000];
    sio_client_error(client, text, sizeof text);
    return text;
}

static void UNUSED check_status(const char *file, int line, const char *what, int expected,
                                int actual, const sio_client *client)
{
    char how[4500];
    if (expected == actual) return;
    snprintf(how, sizeof how, "is %s, not %s; the last failure: %s", sio_status_name(actual),
             sio_status_name(expected), error_text(client));
    failed(file, line, what, how);
}

/* The server whose protocol tests/servers/README.md tells. */
static const char UNUSED *server(void)
{
    return argument(1);
}

/* For servers that speak websocket alone, as the scripted ones do, and what is to be seen there. */
static sio_client UNUSED *websocket_client(void)
{
    sio_client *client = sio_client_new();
    CHECK(client != NULL);
    CHECK_INT(SIO_OK, sio_client_set(client, SIO_OPT_TRANSPORTS, "websocket"));
    return client;
}

static sio_client UNUSED *connected(void)
{
    sio_client *client = sio_client_new();
    CHECK(client != NULL);
    CHECK_OK(client, sio_client_connect(client, server(), 10000));
    return client;
}

/* Takes the next event; it must have this name. */
static sio_message UNUSED *next_event(sio_client *client, const char *name)
{
    sio_message *message;
    CHECK_OK(client, sio_client_receive(client, 10000, &message));
    CHECK_TEXT(name, sio_message_event(message, NULL));
    return message;
}

static void UNUSED expect_event(sio_client *client, const char *name, const char *args)
{
    sio_message *message = next_event(client, name);
    CHECK_TEXT(args, sio_message_args(message, NULL));
    sio_message_free(message);
}

/* Every connection begins with this event of the test servers. */
static void UNUSED take_welcome(sio_client *client)
{
    sio_message_free(next_event(client, "welcome"));
}

/* A number among the client's counters; -1 for null. */
static long long UNUSED stat_of(const sio_client *client, const char *pointer)
{
    char stats[4000];
    const char *value;
    size_t length = sio_client_stats(client, stats, sizeof stats);
    CHECK(length < sizeof stats);
    switch (sio_json_find(stats, pointer, &value, NULL)) {
    case SIO_JSON_NUMBER: return strtoll(value, NULL, 10);
    case SIO_JSON_NULL: return -1;
    default: failed(__FILE__, __LINE__, pointer, stats); return 0;
    }
}

/* A member of the last failure's JSON, as text. */
static const char UNUSED *error_member(const sio_client *client, const char *pointer)
{
    static __thread char member[500];
    char json[4000];
    const char *value;
    size_t len;
    sio_client_error_json(client, json, sizeof json);
    if (sio_json_find(json, pointer, &value, &len) == SIO_JSON_NONE) return "nothing";
    snprintf(member, sizeof member, "%.*s", (int)len, value);
    return member;
}

/* ---- calls that wait without limit, each on a thread of its own ---- */

struct waiting {
    sio_client *client;
    /* For wait_in_connect. */
    const char *url;
    int (*wait)(sio_client *client, const char *url);
    int status;
    volatile int thread, is_over;
};

static void UNUSED *waiter(void *argument)
{
    struct waiting *waiting = argument;
    waiting->thread = thread_number();
    waiting->status = waiting->wait(waiting->client, waiting->url);
    waiting->is_over = 1;
    return NULL;
}

static int UNUSED wait_in_connect(sio_client *client, const char *url)
{
    return sio_client_connect(client, url, SIO_FOREVER);
}

static int UNUSED wait_in_receive(sio_client *client, const char *url)
{
    sio_message *message;
    int status = sio_client_receive(client, SIO_FOREVER, &message);
    (void)url;
    CHECK(message == NULL);
    return status;
}

static int UNUSED wait_in_call(sio_client *client, const char *url)
{
    sio_message *reply;
    int status = sio_client_call(client, "no_ack", NULL, NULL, 0, SIO_FOREVER, &reply);
    (void)url;
    CHECK(reply == NULL);
    return status;
}

static int UNUSED wait_in_emit(sio_client *client, const char *url)
{
    (void)url;
    return sio_client_emit(client, "echo", NULL, NULL, 0, SIO_FOREVER);
}

static int UNUSED wait_in_flush(sio_client *client, const char *url)
{
    (void)url;
    return sio_client_flush(client, SIO_FOREVER);
}

static int UNUSED wait_in_disconnect(sio_client *client, const char *url)
{
    (void)url;
    return sio_client_disconnect(client, SIO_FOREVER);
}

static void UNUSED begin_waiting(struct waiting *waiting, pthread_t *thread)
{
    waiting->thread = waiting->is_over = 0;
    *thread = start(waiter, waiting);
}

#endif /* WITHOUT_LIBRARY */

#endif /* CHECK_H */

/* What the test programs share: checks, time, threads, and connected clients.
 *
 * A program is a list of RUN(promise), each a function whose name says what is promised. The first check
 * that fails says where, and ends the program. Its arguments are the URLs of the servers that
 * tests/c_programs.rs has started for it. */
#ifndef CHECK_H
#define CHECK_H

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sio.h"

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
    fprintf(stderr, "%s:%d: %s: %s\n", file, line, what, how);
    fflush(stderr);
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
    char how[2000];
    if (actual != NULL && strcmp(expected, actual) == 0) return;
    snprintf(how, sizeof how, "is\n  %s\nnot\n  %s", actual == NULL ? "NULL" : actual, expected);
    failed(file, line, what, how);
}

static void UNUSED check_has(const char *file, int line, const char *what, const char *part,
                             const char *text)
{
    char how[2000];
    if (text != NULL && strstr(text, part) != NULL) return;
    snprintf(how, sizeof how, "has no \"%s\":\n  %s", part, text == NULL ? "NULL" : text);
    failed(file, line, what, how);
}

static const char UNUSED *error_text(const sio_client *client)
{
    static __thread char text[2000];
    sio_client_error(client, text, sizeof text);
    return text;
}

static void UNUSED check_status(const char *file, int line, const char *what, int expected,
                                int actual, const sio_client *client)
{
    char how[2200];
    if (expected == actual) return;
    snprintf(how, sizeof how, "is %s, not %s; the last failure: %s", sio_status_name(actual),
             sio_status_name(expected), error_text(client));
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

static void UNUSED finish(pthread_t thread)
{
    CHECK_INT(0, pthread_join(thread, NULL));
}

/* ---- clients and servers ---- */

static int argument_count;
static char **arguments;

static void UNUSED begin(int argc, char **argv)
{
    argument_count = argc;
    arguments = argv;
}

/* The server whose protocol tests/servers/README.md tells. */
static const char UNUSED *server(void)
{
    CHECK(argument_count > 1);
    return arguments[1];
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

#endif

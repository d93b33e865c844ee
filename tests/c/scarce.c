/* What a client does when the system refuses a thread or a descriptor: it says so, and works once it is given
 * what it needs. This program's own pthread_create() and socket() stand in front of the C library's, for the
 * library too, so that a test can refuse each; descriptors of any kind are refused by their limit. */
#include "check.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <sys/resource.h>

/* ---- refusing ---- */

/* So many are granted before the next is refused; below 0 all are. */
static int threads_granted = -1, sockets_granted = -1;

/* Whether one is granted. Threads come here at once. */
static int grant(int *left)
{
    int now = __atomic_load_n(left, __ATOMIC_SEQ_CST);
    while (now > 0 && !__atomic_compare_exchange_n(left, &now, now - 1, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
    }
    return now != 0;
}

static void set_granted(int *left, int count)
{
    __atomic_store_n(left, count, __ATOMIC_SEQ_CST);
}

/* A pointer to data becomes one to a function by way of memory, as POSIX shows it. */
#define NEXT(pointer, name) *(void **)&pointer = dlsym(RTLD_NEXT, name)

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*body)(void *), void *argument)
{
    int (*next)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    NEXT(next, "pthread_create");
    return grant(&threads_granted) ? next(thread, attributes, body, argument) : EAGAIN;
}

int socket(int domain, int type, int protocol)
{
    int (*next)(int, int, int);
    NEXT(next, "socket");
    if (grant(&sockets_granted)) return next(domain, type, protocol);
    errno = ENOBUFS;
    return -1;
}

/* The first number that the system would give to a descriptor. */
static int next_descriptor(void)
{
    int fd = dup(0);
    CHECK(fd >= 0);
    close(fd);
    return fd;
}

static struct rlimit usual;

/* Numbers from `limit` on are no longer given to descriptors; below 0 all are again. */
static void limit_descriptors(int limit)
{
    struct rlimit now = usual;
    if (limit >= 0) now.rlim_cur = (rlim_t)limit;
    CHECK_INT(0, setrlimit(RLIMIT_NOFILE, &now));
}

/* ---- what is the same everywhere ---- */

static const char *const transports[] = {"polling", "websocket", "polling,websocket"};
enum { TRANSPORTS = 3 };

/* By its name, so that a thread looks it up. */
static const char *by_name(const char *scheme)
{
    static char url[200];
    snprintf(url, sizeof url, "%s://localhost%s", scheme, strrchr(server(), ':'));
    return url;
}

static sio_client *client_by(const char *transport)
{
    sio_client *client = sio_client_new();
    CHECK(client != NULL);
    CHECK_OK(client, sio_client_set(client, SIO_OPT_TRANSPORTS, transport));
    CHECK_OK(client, sio_client_set_int(client, SIO_OPT_RECONNECT_MIN_MS, 10));
    CHECK_OK(client, sio_client_set_int(client, SIO_OPT_RECONNECT_MAX_MS, 20));
    return client;
}

/* The last failure was the system's, in this phase if there is one, and by this error. */
static void check_refusal(const sio_client *client, const char *phase, int os_error)
{
    char number[20];
    snprintf(number, sizeof number, "%d", os_error);
    CHECK_TEXT("\"SIO_E_SYSTEM\"", error_member(client, "/name"));
    CHECK_TEXT(number, error_member(client, "/os_error"));
    if (phase != NULL) CHECK_TEXT(phase, error_member(client, "/phase"));
    CHECK(strlen(error_text(client)) > 0);
}

/* The client connects, is of use, and takes its leave. */
static void works(sio_client *client, const char *url)
{
    CHECK_OK(client, sio_client_connect(client, url, 10000));
    take_welcome(client);
    CHECK_OK(client, sio_client_call(client, "add", "[2,3]", NULL, 0, 10000, NULL));
    CHECK_OK(client, sio_client_disconnect(client, 10000));
}

/* ---- threads ---- */

static void without_a_thread_connect_says_so_and_leaves_nothing(void)
{
    int i, tasks = threads(), fds = descriptors();

    for (i = 0; i < TRANSPORTS; i++) {
        sio_client *client = client_by(transports[i]);
        int tries;
        for (tries = 0; tries < 3; tries++) {
            set_granted(&threads_granted, 0);
            CHECK_TIME(0, 100, CHECK_STATUS(SIO_E_SYSTEM, client, sio_client_connect(client, server(), 5000)));
            set_granted(&threads_granted, -1);
            check_refusal(client, NULL, EAGAIN);
            CHECK_INT(SIO_STATE_DISCONNECTED, sio_client_state(client));
            CHECK_INT(tasks, threads());
        }
        works(client, server());
        sio_client_free(client);
        settles(tasks, fds);
    }
}

/* The first who waits needs the client's thread, which alone hears an interrupt. */
static void without_a_thread_receive_says_so(void)
{
    int tasks = threads(), fds = descriptors();
    sio_client *client = sio_client_new();
    sio_message *message;

    set_granted(&threads_granted, 0);
    CHECK_STATUS(SIO_E_SYSTEM, client, sio_client_receive(client, 1000, &message));
    CHECK(message == NULL);
    check_refusal(client, NULL, EAGAIN);
    /* What need not wait needs none. */
    CHECK_STATUS(SIO_E_TIMEOUT, client, sio_client_receive(client, 0, &message));
    CHECK_STATUS(SIO_E_DISCONNECTED, client, sio_client_emit(client, "e", NULL, NULL, 0, 1000));
    CHECK_OK(client, sio_client_disconnect(client, 1000));
    set_granted(&threads_granted, -1);
    CHECK_TIME(50, 100, CHECK_STATUS(SIO_E_TIMEOUT, client, sio_client_receive(client, 50, &message)));
    works(client, server());
    sio_client_free(client);
    settles(tasks, fds);
}

static void without_a_thread_for_the_lookup_connect_says_so(void)
{
    int i, tasks = threads(), fds = descriptors();

    for (i = 0; i < TRANSPORTS; i++) {
        sio_client *client = client_by(transports[i]);
        set_granted(&threads_granted, 1);
        CHECK_STATUS(SIO_E_SYSTEM, client, sio_client_connect(client, by_name("http"), 5000));
        set_granted(&threads_granted, -1);
        check_refusal(client, "\"resolve\"", EAGAIN);
        CHECK_INT(SIO_STATE_DISCONNECTED, sio_client_state(client));
        works(client, by_name("http"));
        sio_client_free(client);
        settles(tasks, fds);
    }
}

static void without_a_thread_for_reading_certificates_connect_says_so(void)
{
    int tasks = threads(), fds = descriptors();
    sio_client *client = client_by("polling,websocket");

    set_granted(&threads_granted, 1);
    CHECK_STATUS(SIO_E_SYSTEM, client, sio_client_connect(client, by_name("https"), 5000));
    set_granted(&threads_granted, -1);
    check_refusal(client, "\"tls\"", EAGAIN);
    /* With one it learns that no TLS is spoken there. */
    CHECK_STATUS(SIO_E_TLS, client, sio_client_connect(client, by_name("https"), 5000));
    works(client, by_name("http"));
    sio_client_free(client);
    settles(tasks, fds);
}

static int prepared;

static int on_prepare(void *user, sio_client *client)
{
    (void)user;
    (void)client;
    prepared++;
    return 0;
}

static void without_a_thread_for_the_programs_function_connect_says_so(void)
{
    int i, tasks = threads(), fds = descriptors();

    for (i = 0; i < TRANSPORTS; i++) {
        sio_client *client = client_by(transports[i]);
        prepared = 0;
        CHECK_OK(client, sio_client_set_prepare(client, on_prepare, NULL));
        set_granted(&threads_granted, 1);
        CHECK_STATUS(SIO_E_SYSTEM, client, sio_client_connect(client, server(), 5000));
        set_granted(&threads_granted, -1);
        check_refusal(client, "\"prepare\"", EAGAIN);
        CHECK_INT(0, prepared);
        works(client, server());
        CHECK_INT(1, prepared);
        sio_client_free(client);
        settles(tasks, fds);
    }
}

/* ---- reconnection ---- */

static void connect_for_a_loss(sio_client *client, const char *url)
{
    CHECK_OK(client, sio_client_set_int(client, SIO_OPT_REPORT_STATE, 1));
    CHECK_OK(client, sio_client_connect(client, url, 10000));
    CHECK_OK(client, sio_client_call(client, "add", "[2,3]", NULL, 0, 10000, NULL));
}

/* A few attempts fail, and the client goes on trying. */
static void until_attempts(const sio_client *client, int count)
{
    int tries;
    for (tries = 0; tries < 20000 && stat_of(client, "/attempts") < count; tries++) sleep_ms(1);
    CHECK(stat_of(client, "/attempts") >= count);
    CHECK_INT(SIO_STATE_RECONNECTING, sio_client_state(client));
}

static void until_connected(sio_client *client)
{
    int tries;
    for (tries = 0; tries < 20000 && sio_client_state(client) != SIO_STATE_CONNECTED; tries++) sleep_ms(1);
    CHECK_INT(SIO_STATE_CONNECTED, sio_client_state(client));
    CHECK_INT(2, stat_of(client, "/connects"));
    CHECK_OK(client, sio_client_call(client, "add", "[2,3]", NULL, 0, 10000, NULL));
}

static void a_refusal_at_a_reconnection_is_a_failed_attempt(void)
{
    int i, what, tasks = threads(), fds = descriptors();

    for (i = 0; i < TRANSPORTS; i++) {
        for (what = 0; what < 3; what++) {
            int *left = what == 2 ? &sockets_granted : &threads_granted;
            sio_client *client = client_by(transports[i]);
            prepared = 0;
            /* The thread that is refused is that of a lookup, or of the program's function. */
            connect_for_a_loss(client, what == 0 ? by_name("http") : server());
            if (what == 1) CHECK_OK(client, sio_client_set_prepare(client, on_prepare, NULL));
            /* An upgrade would be refused instead, and the session go on. */
            while (i == 2 && strcmp(sio_client_transport(client), "websocket") != 0) sleep_ms(1);
            set_granted(left, 0);
            CHECK_OK(client, sio_client_emit(client, "drop", NULL, NULL, 0, 5000));
            until_attempts(client, 4);
            CHECK_INT(0, prepared);
            set_granted(left, -1);
            until_connected(client);
            CHECK_OK(client, sio_client_disconnect(client, 10000));
            sio_client_free(client);
            settles(tasks, fds);
        }
    }
}

static void attempts_that_the_system_refuses_are_used_up_and_the_last_refusal_is_told(void)
{
    int tasks = threads(), fds = descriptors();
    sio_client *client = client_by("websocket");
    sio_message *message;
    int status;

    CHECK_OK(client, sio_client_set_int(client, SIO_OPT_RECONNECT_ATTEMPTS, 3));
    connect_for_a_loss(client, server());
    set_granted(&sockets_granted, 0);
    CHECK_OK(client, sio_client_emit(client, "drop", NULL, NULL, 0, 5000));
    while ((status = sio_client_receive(client, 20000, &message)) == SIO_OK) sio_message_free(message);
    set_granted(&sockets_granted, -1);
    CHECK_INT(SIO_E_DISCONNECTED, status);
    CHECK_INT(ENOBUFS, atoi(error_member(client, "/os_error")));
    CHECK_TEXT("3", error_member(client, "/attempt"));
    CHECK_OK(client, sio_client_set_int(client, SIO_OPT_REPORT_STATE, 0));
    works(client, server());
    sio_client_free(client);
    settles(tasks, fds);
}

/* ---- sockets and other descriptors ---- */

static void without_a_socket_connect_says_so(void)
{
    int i, tasks = threads(), fds = descriptors();

    for (i = 0; i < TRANSPORTS; i++) {
        sio_client *client = client_by(transports[i]);
        set_granted(&sockets_granted, 0);
        CHECK_STATUS(SIO_E_SYSTEM, client, sio_client_connect(client, server(), 5000));
        set_granted(&sockets_granted, -1);
        check_refusal(client, "\"connect\"", ENOBUFS);
        works(client, server());
        sio_client_free(client);
        settles(tasks, fds);
    }
}

/* By polling there are two: one for polls, one for what is sent meanwhile. */
static void without_a_second_socket_polling_says_so(void)
{
    int tasks = threads(), fds = descriptors();
    sio_client *client = client_by("polling");

    set_granted(&sockets_granted, 1);
    CHECK_STATUS(SIO_E_SYSTEM, client, sio_client_connect(client, server(), 5000));
    set_granted(&sockets_granted, -1);
    check_refusal(client, NULL, ENOBUFS);
    works(client, server());
    sio_client_free(client);
    settles(tasks, fds);
}

static void without_a_socket_for_the_upgrade_the_session_goes_on_by_polling(void)
{
    int tasks = threads(), fds = descriptors();
    sio_client *client = client_by("polling,websocket");
    int tries;

    set_granted(&sockets_granted, 2);
    CHECK_OK(client, sio_client_connect(client, server(), 10000));
    take_welcome(client);
    /* The server's answers keep coming, whenever the upgrade is refused. */
    for (tries = 0; tries < few_or_many(20, 200); tries++) {
        CHECK_OK(client, sio_client_call(client, "add", "[2,3]", NULL, 0, 10000, NULL));
        CHECK_TEXT("polling", sio_client_transport(client));
    }
    set_granted(&sockets_granted, -1);
    CHECK_INT(1, stat_of(client, "/connects"));
    CHECK_OK(client, sio_client_disconnect(client, 10000));
    sio_client_free(client);
    settles(tasks, fds);
}

/* With one more each time, until there are enough: whichever is refused, it is said, nothing is left behind, and
 * the same client works with all it wants. */
static void whichever_descriptor_is_refused_connect_says_so(void)
{
    int i, tasks = threads(), fds = descriptors();

    for (i = 0; i < TRANSPORTS; i++) {
        int more, status = SIO_E_SYSTEM;
        for (more = 0; status != SIO_OK; more++) {
            sio_client *client = client_by(transports[i]);
            CHECK(more < 40);
            limit_descriptors(next_descriptor() + more);
            status = sio_client_connect(client, server(), 10000);
            if (status == SIO_OK)
                CHECK_OK(client, sio_client_call(client, "add", "[2,3]", NULL, 0, 10000, NULL));
            limit_descriptors(-1);
            if (status == SIO_OK) {
                CHECK_OK(client, sio_client_disconnect(client, 10000));
            } else {
                CHECK_STATUS(SIO_E_SYSTEM, client, status);
                check_refusal(client, NULL, EMFILE);
                CHECK_INT(SIO_STATE_DISCONNECTED, sio_client_state(client));
            }
            works(client, server());
            sio_client_free(client);
            settles(tasks, fds);
        }
        /* The thread's own, its pipe, and at least one socket. */
        CHECK(more > 4);
    }
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    CHECK_INT(0, getrlimit(RLIMIT_NOFILE, &usual));
    RUN(without_a_thread_connect_says_so_and_leaves_nothing);
    RUN(without_a_thread_receive_says_so);
    RUN(without_a_thread_for_the_lookup_connect_says_so);
    RUN(without_a_thread_for_reading_certificates_connect_says_so);
    RUN(without_a_thread_for_the_programs_function_connect_says_so);
    RUN(without_a_socket_connect_says_so);
    RUN(without_a_second_socket_polling_says_so);
    RUN(without_a_socket_for_the_upgrade_the_session_goes_on_by_polling);
    RUN(whichever_descriptor_is_refused_connect_says_so);
    RUN(a_refusal_at_a_reconnection_is_a_failed_attempt);
    RUN(attempts_that_the_system_refuses_are_used_up_and_the_last_refusal_is_told);
    return 0;
}

/* Looking up a name that the system never answers. This program's own getaddrinfo() stands in front of the
 * C library's, for the library too, so that a test says when a lookup ends and with what. */
#include "check.h"

#include <netdb.h>
#include <poll.h>

/* ---- the lookup ---- */

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

/* How many lookups hang, how many more may end, and whether those that end find 127.0.0.1, or nothing. */
static int hanging, may_end, finds;

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **result)
{
    struct { struct addrinfo info; struct sockaddr_in address; } *answer;
    int found;

    (void)service;
    (void)hints;
    CHECK_TEXT("hangs.invalid", node);
    pthread_mutex_lock(&mutex);
    hanging++;
    pthread_cond_broadcast(&changed);
    while (may_end == 0) pthread_cond_wait(&changed, &mutex);
    may_end--;
    hanging--;
    found = finds;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
    if (!found) return EAI_NONAME;

    answer = calloc(1, sizeof *answer);
    CHECK(answer != NULL);
    answer->address.sin_family = AF_INET;
    answer->address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    answer->info.ai_family = AF_INET;
    answer->info.ai_socktype = SOCK_STREAM;
    answer->info.ai_addrlen = sizeof answer->address;
    answer->info.ai_addr = (struct sockaddr *)&answer->address;
    *result = &answer->info;
    return 0;
}

void freeaddrinfo(struct addrinfo *result)
{
    free(result);
}

static void until_hanging(int count)
{
    struct timespec deadline;
    int outcome = 0;

    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += 30;
    pthread_mutex_lock(&mutex);
    while (hanging != count && outcome == 0) outcome = pthread_cond_timedwait(&changed, &mutex, &deadline);
    CHECK_INT(count, hanging);
    pthread_mutex_unlock(&mutex);
}

/* Lets so many lookups end. */
static void let_end(int count, int find)
{
    pthread_mutex_lock(&mutex);
    may_end += count;
    finds = find;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&mutex);
}

/* ---- the promises ---- */

#define NAME "http://hangs.invalid:1"

static const char *const transports[] = {"polling", "websocket", "polling,websocket"};
enum { TRANSPORTS = 3 };

static sio_client *client_by(const char *transport)
{
    sio_client *client = sio_client_new();
    CHECK(client != NULL);
    CHECK_OK(client, sio_client_set(client, SIO_OPT_TRANSPORTS, transport));
    return client;
}

/* A client and a thread that is within its connect, where the name is being looked up. */
static void begin_lookup_at(struct waiting *connecting, pthread_t *thread, const char *transport, int number,
                            const char *url)
{
    memset(connecting, 0, sizeof *connecting);
    connecting->client = client_by(transport);
    connecting->url = url;
    connecting->wait = wait_in_connect;
    begin_waiting(connecting, thread);
    until_hanging(number);
}

static void begin_lookup(struct waiting *connecting, pthread_t *thread, const char *transport, int number)
{
    begin_lookup_at(connecting, thread, transport, number, NAME);
}

static void free_does_not_wait_for_it_and_leaves_nothing_of_the_client_behind(void)
{
    int i, tasks = threads(), fds = descriptors();

    for (i = 0; i < TRANSPORTS; i++) {
        struct waiting connecting;
        pthread_t thread;

        begin_lookup(&connecting, &thread, transports[i], 1);
        CHECK(descriptors() > fds);
        CHECK_TIME(0, 100, sio_client_free(connecting.client));
        finish(thread);
        CHECK_INT(SIO_E_DISCONNECTED, connecting.status);
        /* The one thread that is left is the lookup's, and what it owns is memory of its own: valgrind
         * would tell if it touched the client's as it ends. */
        settles(tasks + 1, fds);
        let_end(1, 0);
        until_hanging(0);
        settles(tasks, fds);
    }
}

static void many_clients_are_freed_one_after_the_other(void)
{
    enum { COUNT = 20 };
    struct waiting connecting[COUNT];
    pthread_t thread[COUNT];
    int i, tasks = threads(), fds = descriptors();

    for (i = 0; i < COUNT; i++) begin_lookup(&connecting[i], &thread[i], transports[i % TRANSPORTS], i + 1);
    for (i = 0; i < COUNT; i++) {
        CHECK_TIME(0, 100, sio_client_free(connecting[i].client));
        finish(thread[i]);
        CHECK_INT(SIO_E_DISCONNECTED, connecting[i].status);
    }
    settles(tasks + COUNT, fds);
    let_end(COUNT, 0);
    until_hanging(0);
    settles(tasks, fds);
}

/* Other threads wait for the client in every way there is meanwhile. */
static void free_ends_every_wait_though_the_lookup_goes_on(void)
{
    int (*const waits[])(sio_client *, const char *) = {
        wait_in_connect, wait_in_receive, wait_in_call, wait_in_emit, wait_in_flush,
    };
    enum { COUNT = 5 };
    struct waiting waiting[COUNT];
    pthread_t thread[COUNT];
    int i, tasks = threads(), fds = descriptors();

    begin_lookup(&waiting[0], &thread[0], "polling,websocket", 1);
    for (i = 1; i < COUNT; i++) {
        memset(&waiting[i], 0, sizeof waiting[i]);
        waiting[i].client = waiting[0].client;
        waiting[i].wait = waits[i];
        begin_waiting(&waiting[i], &thread[i]);
        until_asleep(&waiting[i].thread);
    }
    CHECK_TIME(0, 100, sio_client_free(waiting[0].client));
    for (i = 0; i < COUNT; i++) {
        finish(thread[i]);
        CHECK_INT(SIO_E_DISCONNECTED, waiting[i].status);
    }
    settles(tasks + 1, fds);
    let_end(1, 0);
    until_hanging(0);
    settles(tasks, fds);
}

static void a_client_that_reconnects_is_freed_too(void)
{
    int i, tasks = threads(), fds = descriptors();

    for (i = 0; i < TRANSPORTS; i++) {
        sio_client *client = client_by(transports[i]);
        CHECK_OK(client, sio_client_set_int(client, SIO_OPT_RECONNECT_MIN_MS, 10));
        CHECK_OK(client, sio_client_connect(client, server(), 10000));
        take_welcome(client);
        CHECK_OK(client, sio_client_set(client, SIO_OPT_URL, NAME));
        CHECK_OK(client, sio_client_emit(client, "drop", NULL, NULL, 0, 5000));
        until_hanging(1);
        CHECK_INT(SIO_STATE_RECONNECTING, sio_client_state(client));
        CHECK_TIME(0, 100, sio_client_free(client));
        settles(tasks + 1, fds);
        let_end(1, 0);
        until_hanging(0);
        settles(tasks, fds);
    }
}

static void disconnect_interrupt_and_the_timeout_do_not_wait_for_it(void)
{
    struct waiting connecting;
    pthread_t thread;
    sio_client *client;
    int tasks = threads(), fds = descriptors();

    begin_lookup(&connecting, &thread, "polling,websocket", 1);
    CHECK_TIME(0, 100, CHECK_OK(connecting.client, sio_client_disconnect(connecting.client, 5000)));
    finish(thread);
    CHECK_INT(SIO_E_DISCONNECTED, connecting.status);
    sio_client_free(connecting.client);

    begin_lookup(&connecting, &thread, "polling,websocket", 2);
    until_asleep(&connecting.thread);
    CHECK_TIME(0, 100, { sio_client_interrupt(connecting.client); finish(thread); });
    CHECK_INT(SIO_E_INTERRUPTED, connecting.status);
    client = connecting.client;

    /* The client goes on, whatever becomes of lookups that it has given up. */
    CHECK_TIME(200, 300, CHECK_STATUS(SIO_E_TIMEOUT, client, sio_client_connect(client, NAME, 200)));
    CHECK_TEXT("\"resolve\"", error_member(client, "/phase"));
    CHECK_HAS("hangs.invalid", error_text(client));
    until_hanging(3);
    CHECK_OK(client, sio_client_set_int(client, SIO_OPT_ATTEMPT_TIMEOUT_MS, 200));
    CHECK_TIME(200, 300, CHECK_STATUS(SIO_E_TIMEOUT, client, sio_client_connect(client, NAME, 5000)));
    until_hanging(4);
    CHECK_OK(client, sio_client_set(client, SIO_OPT_ATTEMPT_TIMEOUT_MS, NULL));
    CHECK_OK(client, sio_client_connect(client, server(), 10000));
    take_welcome(client);
    CHECK_OK(client, sio_client_call(client, "add", "[2,3]", NULL, 0, 10000, NULL));
    CHECK_OK(client, sio_client_disconnect(client, 5000));
    sio_client_free(client);
    settles(tasks + 4, fds);
    let_end(4, 0);
    until_hanging(0);
    settles(tasks, fds);
}

/* A lookup that ends at last with an address ends for nobody: nobody connects there. */
static void what_a_lookup_finds_too_late_is_for_nobody(void)
{
    char address[100], url[100];
    int listener = silent_server(address, sizeof address);
    int tasks = threads(), fds = descriptors();
    struct waiting connecting;
    struct pollfd called;
    pthread_t thread;

    snprintf(url, sizeof url, "http://hangs.invalid%s", strrchr(address, ':'));
    /* In time it is for the client. */
    begin_lookup_at(&connecting, &thread, "websocket", 1, url);
    let_end(1, 1);
    called.fd = listener;
    called.events = POLLIN;
    CHECK_INT(1, poll(&called, 1, 10000));
    close(accept(listener, NULL, NULL));
    finish(thread);
    CHECK(connecting.status != SIO_OK);
    sio_client_free(connecting.client);
    settles(tasks, fds);

    begin_lookup_at(&connecting, &thread, "websocket", 1, url);
    sio_client_free(connecting.client);
    finish(thread);
    let_end(1, 1);
    until_hanging(0);
    /* When its thread has ended nobody is left who could connect. */
    settles(tasks, fds);
    CHECK_INT(0, poll(&called, 1, 0));
    close(listener);
}

static void at_exit_nothing_hangs(void)
{
    /* The thread of the second one goes on with it to the end. */
    static struct waiting connecting;
    pthread_t thread;

    begin_lookup(&connecting, &thread, "polling,websocket", 1);
    sio_client_free(connecting.client);
    finish(thread);
    /* One is given up, and a client with another is not even freed. */
    begin_lookup(&connecting, &thread, "polling,websocket", 2);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    RUN(free_does_not_wait_for_it_and_leaves_nothing_of_the_client_behind);
    RUN(many_clients_are_freed_one_after_the_other);
    RUN(free_ends_every_wait_though_the_lookup_goes_on);
    RUN(a_client_that_reconnects_is_freed_too);
    RUN(disconnect_interrupt_and_the_timeout_do_not_wait_for_it);
    RUN(what_a_lookup_finds_too_late_is_for_nobody);
    RUN(at_exit_nothing_hangs);
    return 0;
}

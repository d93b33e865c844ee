/* sio_client_interrupt() from a signal handler that a timer calls thousands of times, while threads are blocked
 * in every function that waits. Each interrupt ends all of them; nobody hangs, and what was started goes on. */
#include "nonblocking.h"

#include <signal.h>
#include <sys/time.h>

enum { CLIENTS = 4, LEAVES = 25 };

/* The first is connected to a server that says nothing, the second to one that does not read, and the third
 * connects to one that does not answer. The fourth leaves a server that says nothing, again and again. */
static sio_client *clients[CLIENTS];
static char silent_url[60];

/* Written by the handler. */
static volatile sig_atomic_t handled, errno_lost;
static volatile int is_over;

/* Whether the fourth is to be interrupted: a connect of its would never come through. */
static volatile sig_atomic_t is_leaving;

static void handler(int number)
{
    int i;
    errno = 4000 + number;
    for (i = 0; i < CLIENTS; i++)
        if (clients[i] != NULL && (i != 3 || is_leaving)) sio_client_interrupt(clients[i]);
    if (errno != 4000 + number) errno_lost = 1;
    /* The thread that is interrupted here finds its own errno again. */
    errno = 0;
    handled = handled + 1;
}

static void ring_every(long microseconds)
{
    struct itimerval timer;
    struct sigaction action;

    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    CHECK_INT(0, sigaction(SIGALRM, &action, NULL));
    timer.it_interval.tv_sec = timer.it_value.tv_sec = 0;
    timer.it_interval.tv_usec = timer.it_value.tv_usec = microseconds;
    CHECK_INT(0, setitimer(ITIMER_REAL, &timer, NULL));
}

/* ---- a thread that is always in the same call ---- */

struct blocked {
    const char *name;
    int client;
    int (*wait)(sio_client *client, const char *url);
    pthread_t thread;
    volatile int interrupted;
};

/* So large that a server that does not read soon leaves no room for it. */
static char large[900001];

static int wait_in_large_emit(sio_client *client, const char *url)
{
    (void)url;
    return sio_client_emit(client, "e", large, NULL, 0, SIO_FOREVER);
}

static void *block_again_and_again(void *argument)
{
    struct blocked *blocked = argument;
    while (!is_over) {
        int status = blocked->wait(clients[blocked->client], silent_url);
        if (status != SIO_E_INTERRUPTED) failed(__FILE__, __LINE__, blocked->name, sio_status_name(status));
        blocked->interrupted++;
    }
    return NULL;
}

/* The server never answers the ping that takes leave, so each disconnect waits; only an interrupt can end it as one. */
static void *leave_again_and_again(void *count)
{
    int *interrupted = count;
    while (*interrupted < LEAVES) {
        int status;
        is_leaving = 0;
        /* The interrupt that was on its way when the last disconnect ended may be left over. */
        do status = sio_client_connect(clients[3], argument(2), 20000); while (status == SIO_E_INTERRUPTED);
        CHECK_OK(clients[3], status);
        is_leaving = 1;
        status = sio_client_disconnect(clients[3], SIO_FOREVER);
        CHECK_INT(SIO_E_INTERRUPTED, status);
        CHECK_INT(SIO_STATE_DISCONNECTED, sio_client_state(clients[3]));
        ++*interrupted;
    }
    is_leaving = 0;
    return NULL;
}

/* Only one thread can connect a client. */
static struct blocked blocked[] = {
    {"receive", 0, wait_in_receive, 0, 0}, {"receive", 0, wait_in_receive, 0, 0},
    {"call", 0, wait_in_call, 0, 0}, {"call", 0, wait_in_call, 0, 0},
    {"result", 0, wait_in_result, 0, 0}, {"result", 0, wait_in_result, 0, 0},
    {"emit", 1, wait_in_large_emit, 0, 0}, {"emit", 1, wait_in_large_emit, 0, 0},
    {"flush", 1, wait_in_flush, 0, 0}, {"flush", 1, wait_in_flush, 0, 0},
    {"receive", 1, wait_in_receive, 0, 0}, {"connect", 2, wait_in_connect, 0, 0},
    {"result, not connected", 2, wait_in_result, 0, 0},
};

static void every_call_ends_by_each_of_thousands_of_interrupts(void)
{
    enum { COUNT = sizeof blocked / sizeof *blocked };
    int most = few_or_many(300, 10000), fd = silent_server(silent_url, sizeof silent_url), i, status;
    long long end = now_ms() + few_or_many(200000, 50000);
    sio_message *message;
    int left = 0;
    pthread_t leaver;
    sigset_t alarm;

    clients[0] = silent_client(argument(2));
    CHECK_OK(clients[0], call_start(clients[0], "no_ack", NULL, SIO_FOREVER, 1));
    clients[1] = websocket_client();
    CHECK_OK(clients[1], sio_client_set_int(clients[1], SIO_OPT_SEND_LIMIT, 1));
    CHECK_OK(clients[1], sio_client_connect(clients[1], argument(3), 20000));
    memset(large, 'x', sizeof large - 1);
    memcpy(large, "[\"", 2);
    strcpy(large + sizeof large - 3, "\"]");
    do status = sio_client_emit(clients[1], "e", large, NULL, 0, 100); while (status == SIO_OK);
    CHECK_INT(SIO_E_TIMEOUT, status);
    clients[2] = websocket_client();
    clients[3] = websocket_client();

    for (i = 0; i < COUNT; i++) blocked[i].thread = start(block_again_and_again, &blocked[i]);
    leaver = start(leave_again_and_again, &left);
    /* The handler is to run in the threads that are in calls, not in this one. */
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    CHECK_INT(0, pthread_sigmask(SIG_BLOCK, &alarm, NULL));
    ring_every(few_or_many(20000, 300));
    while (handled < most) {
        CHECK(now_ms() < end);
        sleep_ms(1);
    }
    finish(leaver);
    is_over = 1;
    for (i = 0; i < COUNT; i++) finish(blocked[i].thread);
    ring_every(0);
    CHECK(!errno_lost);
    for (i = 0; i < COUNT; i++) {
        printf("    %s: %d times\n", blocked[i].name, blocked[i].interrupted);
        CHECK(blocked[i].interrupted > 0);
    }

    printf("    disconnect: %d times\n", left);
    CHECK_INT(LEAVES, left);

    /* What was started is under way still, and only a cancel ends it. */
    CHECK_INT(SIO_STATE_CONNECTED, sio_client_state(clients[0]));
    CHECK_INT(1, stat_of(clients[0], "/calls_waiting"));
    CHECK_OK(clients[0], sio_client_cancel(clients[0], 1));
    /* The last interrupt may be left over. */
    sio_client_receive(clients[0], 1, &message);
    EXPECT_RESULT(clients[0], 1, SIO_E_INTERRUPTED);
    CHECK_INT(0, pthread_sigmask(SIG_UNBLOCK, &alarm, NULL));
    for (i = 0; i < CLIENTS; i++) {
        sio_client *client = clients[i];
        clients[i] = NULL;
        sio_client_free(client);
    }
    close(fd);
}

/* Signals come at any point of all that a program does with a client, and it sees interrupts alone. */
static void a_whole_life_goes_on_under_signals(void)
{
    int round, interrupted = 0, results = 0;

    handled = 0;
    clients[0] = sio_client_new();
    CHECK(clients[0] != NULL);
    /* Rare enough for a connect to come through. */
    ring_every(few_or_many(300000, 7000));
    for (round = 0; round < few_or_many(3, 100) || interrupted == 0; round++) {
        sio_client *client = clients[0];
        sio_message *message;
        uint64_t tag;
        int status, i;

        CHECK(round < 1000);
        while ((status = sio_client_connect(client, server(), 20000)) == SIO_E_INTERRUPTED) interrupted++;
        CHECK_OK(client, status);
        for (i = 0; i < 10; i++) {
            CHECK_OK(client, call_start(client, "echo_ack", "[1]", 20000, (uint64_t)i));
            while ((status = sio_client_emit(client, "echo", "[2]", NULL, 0, 20000)) == SIO_E_INTERRUPTED) interrupted++;
            CHECK_OK(client, status);
            /* The first is the server's welcome. */
            while ((status = sio_client_receive(client, 20000, &message)) == SIO_E_INTERRUPTED) interrupted++;
            CHECK_OK(client, status);
            sio_message_free(message);
            while ((status = sio_client_result(client, 20000, &tag, &results, &message)) == SIO_E_INTERRUPTED) interrupted++;
            CHECK_OK(client, status);
            CHECK_OK(client, results);
            CHECK_INT(i, (long long)tag);
            CHECK_TEXT("[1]", sio_message_args(message, NULL));
            sio_message_free(message);
        }
        status = sio_client_disconnect(client, 20000);
        if (status == SIO_E_INTERRUPTED) interrupted++;
        else CHECK_OK(client, status);
        CHECK_INT(SIO_STATE_DISCONNECTED, sio_client_state(client));
    }
    ring_every(0);
    CHECK(handled > 0 && !errno_lost);
    sio_client_free(clients[0]);
    clients[0] = NULL;
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    RUN(every_call_ends_by_each_of_thousands_of_interrupts);
    RUN(a_whole_life_goes_on_under_signals);
    return 0;
}

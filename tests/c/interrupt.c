/* sio_client_interrupt(), from other threads and from signal handlers. The second server says nothing after
 * the namespace's acknowledgement and never closes. */
#include "check.h"

#include <signal.h>
#include <sys/time.h>

/* Interrupts three threads that wait in the same function; none of them fails otherwise. */
static void interrupt_three(sio_client *client, const char *url,
                            int (*wait)(sio_client *, const char *), int count)
{
    struct waiting waiting[3];
    pthread_t threads[3];
    int i;

    for (i = 0; i < count; i++) {
        waiting[i].client = client;
        waiting[i].url = url;
        waiting[i].wait = wait;
        begin_waiting(&waiting[i], &threads[i]);
    }
    for (i = 0; i < count; i++) until_asleep(&waiting[i].thread);
    for (i = 0; i < count; i++) CHECK(!waiting[i].is_over);
    sio_client_interrupt(client);
    CHECK_TIME(0, 150, for (i = 0; i < count; i++) finish(threads[i]));
    for (i = 0; i < count; i++) CHECK_INT(SIO_E_INTERRUPTED, waiting[i].status);
}

static void every_call_that_is_blocked_returns_interrupted(void)
{
    char url[60];
    int fd = silent_server(url, sizeof url);
    sio_client *client = websocket_client();
    struct waiting connecting = {NULL, NULL, wait_in_connect, 0, 0, 0};
    pthread_t connector;

    interrupt_three(client, NULL, wait_in_receive, 3);
    interrupt_three(client, url, wait_in_connect, 1);
    CHECK_INT(SIO_STATE_DISCONNECTED, sio_client_state(client));

    /* While another connects, emit, call and flush wait too. */
    connecting.client = client;
    connecting.url = url;
    begin_waiting(&connecting, &connector);
    while (sio_client_state(client) != SIO_STATE_CONNECTING) sleep_ms(1);
    interrupt_three(client, NULL, wait_in_flush, 1);
    finish(connector);
    CHECK_INT(SIO_E_INTERRUPTED, connecting.status);
    CHECK_INT(SIO_STATE_DISCONNECTED, sio_client_state(client));
    close(fd);

    CHECK_OK(client, sio_client_connect(client, argument(2), 10000));
    interrupt_three(client, NULL, wait_in_call, 3);
    interrupt_three(client, NULL, wait_in_receive, 3);
    CHECK_INT(SIO_STATE_CONNECTED, sio_client_state(client));
    interrupt_three(client, NULL, wait_in_disconnect, 3);
    CHECK_HAS("interrupted", error_text(client));
    CHECK_INT(SIO_STATE_DISCONNECTED, sio_client_state(client));
    sio_client_free(client);
}

static void an_interrupt_leaves_the_text_of_the_last_failure(void)
{
    sio_client *client = connected();
    sio_message *message;

    take_welcome(client);
    CHECK_STATUS(SIO_E_UNSUPPORTED, client, sio_client_set(client, "marker", "1"));
    sio_client_interrupt(client);
    CHECK_STATUS(SIO_E_INTERRUPTED, client, sio_client_receive(client, 5000, &message));
    CHECK(message == NULL);
    sio_client_interrupt(client);
    CHECK_STATUS(SIO_E_INTERRUPTED, client, sio_client_call(client, "no_ack", NULL, NULL, 0, 5000, &message));
    CHECK(message == NULL);
    CHECK_HAS("marker", error_text(client));
    sio_client_free(client);
}

static void of_many_interrupts_in_advance_one_counts(void)
{
    sio_client *client = connected();
    sio_message *message;
    int i;

    take_welcome(client);
    for (i = 0; i < 100; i++) sio_client_interrupt(client);
    CHECK_STATUS(SIO_E_INTERRUPTED, client, sio_client_receive(client, 5000, &message));
    CHECK_TIME(50, 200, CHECK_STATUS(SIO_E_TIMEOUT, client, sio_client_receive(client, 50, &message)));
    sio_client_free(client);
}

static void a_call_that_need_not_wait_does_not_use_it_up(void)
{
    sio_client *client = connected();
    sio_message *message;

    take_welcome(client);
    CHECK_OK(client, sio_client_emit(client, "echo", "[1]", NULL, 0, 1000));
    while (stat_of(client, "/receive_queued") == 0) sleep_ms(1);
    sio_client_interrupt(client);
    sleep_ms(few_or_many(200, 20));
    CHECK_OK(client, sio_client_emit(client, "no_ack", NULL, NULL, 0, 1000));
    expect_event(client, "echo", "[1]");
    CHECK_STATUS(SIO_E_TIMEOUT, client, sio_client_receive(client, 0, &message));
    CHECK_INT(SIO_STATE_CONNECTED, sio_client_state(client));
    CHECK_STATUS(SIO_E_INTERRUPTED, client, sio_client_receive(client, 5000, &message));
    sio_client_free(client);
}

static void an_interrupted_connect_leaves_no_connection(void)
{
    sio_client *client = sio_client_new();
    sio_client_interrupt(client);
    CHECK_STATUS(SIO_E_INTERRUPTED, client, sio_client_connect(client, server(), 5000));
    CHECK_INT(SIO_STATE_DISCONNECTED, sio_client_state(client));
    CHECK_OK(client, sio_client_connect(client, server(), 5000));
    sio_client_free(client);
}

static void an_interrupted_emit_was_not_queued(void)
{
    sio_client *client = websocket_client();
    size_t size = 900000;
    char *args = malloc(size + 10);
    long long sent;
    struct waiting waiting = {NULL, NULL, wait_in_emit, 0, 0, 0};
    pthread_t thread;
    int status;

    /* The second server reads, but slower than this is sent; sooner or later there is no room. */
    memset(args, 'x', size);
    memcpy(args, "[\"", 2);
    strcpy(args + size, "\"]");
    CHECK_OK(client, sio_client_set_int(client, SIO_OPT_SEND_LIMIT, 1));
    CHECK_OK(client, sio_client_connect(client, argument(3), 10000));
    do status = sio_client_emit(client, "e", args, NULL, 0, 50); while (status == SIO_OK);
    CHECK_INT(SIO_E_TIMEOUT, status);
    sent = stat_of(client, "/packets_sent");
    waiting.client = client;
    begin_waiting(&waiting, &thread);
    until_asleep(&waiting.thread);
    sio_client_interrupt(client);
    finish(thread);
    CHECK_INT(SIO_E_INTERRUPTED, waiting.status);
    CHECK_INT(sent, stat_of(client, "/packets_sent"));
    sio_client_free(client);
    free(args);
}

static sio_client *interrupted;
static volatile int handled, kept_errno;

static void handler(int number)
{
    (void)number;
    errno = 4321;
    sio_client_interrupt(interrupted);
    kept_errno = errno == 4321;
    handled++;
}

static void handle(int number)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    CHECK_INT(0, sigaction(number, &action, NULL));
}

static void ring_every(long microseconds)
{
    struct itimerval timer;
    timer.it_interval.tv_sec = timer.it_value.tv_sec = 0;
    timer.it_interval.tv_usec = timer.it_value.tv_usec = microseconds;
    CHECK_INT(0, setitimer(ITIMER_REAL, &timer, NULL));
}

static void a_signal_handler_ends_the_wait_of_its_own_thread(void)
{
    sio_message *message;

    handle(SIGALRM);
    interrupted = sio_client_new();
    ring_every(100000);
    CHECK_TIME(0, 400, CHECK_STATUS(SIO_E_INTERRUPTED, interrupted,
                                    sio_client_receive(interrupted, SIO_FOREVER, &message)));
    CHECK(handled > 0 && kept_errno);
    ring_every(0);
    /* One that came after the wait would be for the next. */
    sio_client_receive(interrupted, 1, &message);
    CHECK_OK(interrupted, sio_client_connect(interrupted, server(), 10000));
    take_welcome(interrupted);
    handled = 0;
    ring_every(100000);
    CHECK_TIME(0, 400, CHECK_STATUS(SIO_E_INTERRUPTED, interrupted,
                                    sio_client_call(interrupted, "no_ack", NULL, NULL, 0,
                                                    SIO_FOREVER, NULL)));
    ring_every(0);
    CHECK(handled > 0 && kept_errno);
    sio_client_free(interrupted);
}

/* Signals arrive anywhere in the library, locks and memory included. */
static void a_storm_of_signals_does_no_harm(void)
{
    long long end;
    int good = 0, ended = 0;

    interrupted = connected();
    take_welcome(interrupted);
    handled = 0;
    ring_every(few_or_many(5000, 200));
    end = now_ms() + few_or_many(3000, 1000);
    while (now_ms() < end) {
        sio_message *reply = NULL;
        int status = sio_client_call(interrupted, "echo_ack", "[\"a\"]", NULL, 0, 5000, &reply);
        CHECK(status == SIO_OK || status == SIO_E_INTERRUPTED);
        if (status == SIO_OK) CHECK_TEXT("[\"a\"]", sio_message_args(reply, NULL));
        *(status == SIO_OK ? &good : &ended) += 1;
        sio_message_free(reply);
    }
    ring_every(0);
    CHECK(good > 0 && ended > 0 && handled > 0 && kept_errno);
    CHECK_INT(SIO_STATE_CONNECTED, sio_client_state(interrupted));
    sio_client_free(interrupted);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    RUN(every_call_that_is_blocked_returns_interrupted);
    RUN(an_interrupt_leaves_the_text_of_the_last_failure);
    RUN(of_many_interrupts_in_advance_one_counts);
    RUN(a_call_that_need_not_wait_does_not_use_it_up);
    RUN(an_interrupted_connect_leaves_no_connection);
    RUN(an_interrupted_emit_was_not_queued);
    RUN(a_signal_handler_ends_the_wait_of_its_own_thread);
    RUN(a_storm_of_signals_does_no_harm);
    return 0;
}

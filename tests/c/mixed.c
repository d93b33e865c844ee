/* Started operations beside all else: in every state, in callbacks, and from several threads. */
#include "nonblocking.h"
#include "relay.h"

/* ---- in every state ---- */

static void expect_nothing(sio_client *client)
{
    uint64_t tag;
    int status;
    sio_message *reply = (sio_message *)client;

    CHECK_STATUS(SIO_E_TIMEOUT, client, sio_client_result(client, 0, &tag, &status, &reply));
    CHECK(reply == NULL);
    CHECK_TIME(50, 150, EXPECT_NO_RESULT(client));
}

static void result_may_be_asked_for_in_every_state(void)
{
    char url[60];
    int fd = silent_server(url, sizeof url), status;
    sio_client *client = websocket_client();
    struct relay relay;
    uint64_t tag;

    expect_nothing(client);
    CHECK_OK(client, sio_client_connect_start(client, url, SIO_FOREVER, 1));
    expect_nothing(client);
    CHECK_OK(client, sio_client_cancel(client, 1));
    EXPECT_RESULT(client, 1, SIO_E_INTERRUPTED);
    expect_nothing(client);
    close(fd);

    relay_start(&relay, argument(2));
    CHECK_OK(client, sio_client_connect(client, relay.url, 20000));
    expect_nothing(client);
    relay_away(&relay, 1);
    relay_cut(&relay);
    until_state(client, SIO_STATE_RECONNECTING);
    expect_nothing(client);
    relay_away(&relay, 0);
    until_state(client, SIO_STATE_CONNECTED);
    CHECK_OK(client, sio_client_disconnect_start(client, 500, 2));
    CHECK_INT(SIO_STATE_CLOSING, sio_client_state(client));
    CHECK_STATUS(SIO_E_TIMEOUT, client, sio_client_result(client, 0, &tag, &status, NULL));
    EXPECT_RESULT(client, 2, SIO_E_TIMEOUT);
    expect_nothing(client);
    CHECK_INT(SIO_E_INVALID, sio_client_result(client, 0, NULL, &status, NULL));
    CHECK_INT(SIO_E_INVALID, sio_client_result(client, 0, &tag, NULL, NULL));
    CHECK_INT(SIO_E_INVALID, sio_client_result(client, -2, &tag, &status, NULL));
    CHECK_INT(SIO_E_INVALID, sio_client_result(NULL, 0, &tag, &status, NULL));
    sio_client_free(client);
    relay_end(&relay);
}

static void results_wait_across_connections(void)
{
    sio_client *client = quiet_client(server());

    CHECK_OK(client, call_start(client, "echo_ack", "[1]", 20000, 1));
    round_trip(client);
    CHECK_OK(client, sio_client_disconnect(client, 20000));
    CHECK_OK(client, sio_client_connect(client, NULL, 20000));
    CHECK_OK(client, call_start(client, "echo_ack", "[2]", 20000, 2));
    round_trip(client);
    EXPECT_ANSWER(client, 1, "[1]");
    EXPECT_ANSWER(client, 2, "[2]");
    sio_client_free(client);
}

static void a_waiting_result_ends_with_the_first_that_comes_an_interrupt_or_the_client(void)
{
    int round;

    for (round = 0; round < 3; round++) {
        sio_client *client = quiet_client(server());
        struct waiting waiting = {NULL, NULL, wait_in_result, 0, 0, 0};
        pthread_t thread;

        waiting.client = client;
        begin_waiting(&waiting, &thread);
        until_asleep(&waiting.thread);
        /* The end of the connection is none of its business. */
        if (round == 0) CHECK_OK(client, call_start(client, "echo_ack", NULL, 20000, 1));
        if (round == 1) sio_client_interrupt(client);
        if (round == 2) {
            CHECK_OK(client, sio_client_disconnect(client, 20000));
            until_asleep(&waiting.thread);
            CHECK(!waiting.is_over);
            sio_client_free(client);
        }
        finish(thread);
        CHECK_INT(round == 0 ? SIO_OK : round == 1 ? SIO_E_INTERRUPTED : SIO_E_DISCONNECTED, waiting.status);
        if (round < 2) sio_client_free(client);
    }
}

static void connect_and_disconnect_can_be_started_in_every_state(void)
{
    char url[60];
    int fd = silent_server(url, sizeof url);
    sio_client *client = websocket_client();
    struct relay relay;

    /* Not connected. */
    CHECK_OK(client, sio_client_disconnect_start(client, 1000, 1));
    EXPECT_RESULT(client, 1, SIO_OK);
    CHECK_OK(client, sio_client_connect_start(client, url, SIO_FOREVER, 2));
    /* Connecting. */
    CHECK_INT(SIO_STATE_CONNECTING, sio_client_state(client));
    CHECK_INT(SIO_E_STATE, sio_client_connect_start(client, url, SIO_FOREVER, 3));
    CHECK_INT(SIO_E_STATE, sio_client_connect(client, url, 1000));
    CHECK_OK(client, sio_client_disconnect_start(client, SIO_FOREVER, 4));
    EXPECT_TWO_RESULTS(client, 2, SIO_E_DISCONNECTED, 4, SIO_OK);
    CHECK_INT(SIO_STATE_DISCONNECTED, sio_client_state(client));
    close(fd);

    /* Connected. */
    relay_start(&relay, argument(2));
    CHECK_OK(client, sio_client_connect_start(client, relay.url, 20000, 5));
    EXPECT_RESULT(client, 5, SIO_OK);
    CHECK_INT(SIO_E_STATE, sio_client_connect_start(client, url, SIO_FOREVER, 6));
    /* Reconnecting. */
    relay_away(&relay, 1);
    relay_cut(&relay);
    until_state(client, SIO_STATE_RECONNECTING);
    CHECK_INT(SIO_E_STATE, sio_client_connect_start(client, url, SIO_FOREVER, 7));
    CHECK_OK(client, sio_client_disconnect_start(client, SIO_FOREVER, 8));
    EXPECT_RESULT(client, 8, SIO_OK);
    CHECK_INT(SIO_STATE_DISCONNECTED, sio_client_state(client));
    /* Closing: this server does not answer. */
    relay_away(&relay, 0);
    CHECK_OK(client, sio_client_connect_start(client, NULL, 20000, 9));
    EXPECT_RESULT(client, 9, SIO_OK);
    CHECK_OK(client, sio_client_disconnect_start(client, 700, 10));
    CHECK_INT(SIO_STATE_CLOSING, sio_client_state(client));
    CHECK_INT(SIO_E_STATE, sio_client_connect_start(client, url, SIO_FOREVER, 11));
    CHECK_INT(SIO_E_DISCONNECTED, emit_start(client, "e", NULL, 1000, 12));
    CHECK_INT(SIO_E_DISCONNECTED, call_start(client, "e", NULL, 1000, 12));
    CHECK_OK(client, sio_client_disconnect_start(client, 300, 13));
    EXPECT_TWO_RESULTS(client, 13, SIO_E_TIMEOUT, 10, SIO_E_TIMEOUT);
    EXPECT_NO_RESULT(client);
    sio_client_free(client);
    relay_end(&relay);
}

/* ---- in callbacks ---- */

static volatile int calls;

/* What starts an operation never waits, so that it may be called anywhere. */
static void start_everything(sio_client *client, int connecting)
{
    uint64_t tag;
    int status;

    if (calls++ > 0) return;
    CHECK_INT(SIO_E_STATE, sio_client_connect_start(client, NULL, 1000, 1));
    CHECK_OK(client, emit_start(client, "echo", "[1]", 20000, 2));
    CHECK_OK(client, call_start(client, "echo_ack", "[1]", 20000, 3));
    CHECK_OK(client, sio_client_flush_start(client, 20000, 4));
    CHECK_OK(client, call_start(client, "no_ack", NULL, SIO_FOREVER, 5));
    CHECK_INT(SIO_E_INVALID, emit_start(client, "e", "[", 1000, 6));
    if (connecting) CHECK_INT(SIO_E_STATE, sio_client_result(client, 1000, &tag, &status, NULL));
    CHECK_OK(client, sio_client_cancel(client, 5));
    CHECK_OK(client, sio_client_result(client, 1000, &tag, &status, NULL));
}

static int in_prepare(void *user, sio_client *client)
{
    CHECK(user == NULL);
    start_everything(client, 1);
    return 0;
}

static sio_client *logging;

static void in_log(void *user, int level, const char *line)
{
    CHECK(user == NULL && level >= SIO_LOG_ERROR && line != NULL);
    if (sio_client_state(logging) == SIO_STATE_CONNECTED) start_everything(logging, 0);
}

static void expect_started(sio_client *client)
{
    int seen[5] = {0}, i;

    CHECK(calls > 0);
    for (i = 0; i < 3; i++) {
        uint64_t tag = 0;
        int status = 1;
        CHECK_OK(client, sio_client_result(client, 20000, &tag, &status, NULL));
        CHECK(tag >= 2 && tag <= 5);
        if (tag < 5) CHECK_OK(client, status);
        CHECK(tag == 5 || !seen[tag]++);
    }
    EXPECT_NO_RESULT(client);
}

static void operations_can_be_started_in_callbacks(void)
{
    sio_client *client = websocket_client();

    calls = 0;
    CHECK_OK(client, sio_client_set_prepare(client, in_prepare, NULL));
    CHECK_OK(client, sio_client_connect(client, server(), 20000));
    expect_started(client);
    sio_client_free(client);

    calls = 0;
    logging = websocket_client();
    CHECK_OK(logging, sio_client_set_log(logging, SIO_LOG_DEBUG, in_log, NULL));
    CHECK_OK(logging, sio_client_connect(logging, server(), 20000));
    CHECK_OK(logging, emit(logging, "echo", "[1]"));
    round_trip(logging);
    CHECK_OK(logging, sio_client_set_log(logging, 0, NULL, NULL));
    expect_started(logging);
    sio_client_free(logging);
}

/* ---- from several threads ---- */

enum { THREADS = 4 };

static sio_client *shared;
static int per_thread;
static volatile int answered;
static unsigned char *seen;

static void *blocking_caller(void *argument)
{
    int me = (int)(long)argument, i;
    for (i = 0; i < per_thread; i++) {
        char args[40], expected[40];
        sio_message *reply;
        snprintf(args, sizeof args, "[%d,%d]", me * 1000000, i);
        snprintf(expected, sizeof expected, "[%d]", me * 1000000 + i);
        CHECK_OK(shared, sio_client_call(shared, "add", args, NULL, 0, 60000, &reply));
        CHECK_TEXT(expected, sio_message_args(reply, NULL));
        sio_message_free(reply);
    }
    return NULL;
}

static void *starting_caller(void *argument)
{
    int me = (int)(long)argument, i;
    for (i = 0; i < per_thread; i++) {
        char args[40];
        int number = me * per_thread + i;
        snprintf(args, sizeof args, "[%d,0]", number);
        if (i % 4 == 3) CHECK_OK(shared, emit_start(shared, "echo", args, 60000, (uint64_t)number));
        else CHECK_OK(shared, call_start(shared, "add", args, 60000, (uint64_t)number));
    }
    return NULL;
}

static void *taker(void *unused)
{
    while (answered < THREADS * per_thread) {
        uint64_t tag;
        int status, answer;
        sio_message *reply;
        char expected[40];

        answer = sio_client_result(shared, 20, &tag, &status, &reply);
        if (answer == SIO_E_TIMEOUT) continue;
        CHECK_OK(shared, answer);
        CHECK_OK(shared, status);
        CHECK(tag < (uint64_t)(THREADS * per_thread));
        CHECK_INT(0, __sync_fetch_and_add(&seen[tag], 1));
        if (tag % (uint64_t)per_thread % 4 == 3) CHECK(reply == NULL);
        else {
            snprintf(expected, sizeof expected, "[%d]", (int)tag);
            CHECK_TEXT(expected, sio_message_args(reply, NULL));
        }
        sio_message_free(reply);
        __sync_fetch_and_add(&answered, 1);
    }
    return unused;
}

static void *event_taker(void *unused)
{
    int i;
    for (i = 0; i < THREADS * (per_thread / 4); i++) sio_message_free(next_event(shared, "echo"));
    return unused;
}

static void blocking_and_started_ones_share_a_client(void)
{
    pthread_t callers[THREADS], starters[THREADS], takers[2], events;
    int i;

    per_thread = few_or_many(40, 1000);
    seen = calloc((size_t)(THREADS * per_thread), 1);
    shared = quiet_client(server());
    for (i = 0; i < THREADS; i++) callers[i] = start(blocking_caller, (void *)(long)i);
    for (i = 0; i < THREADS; i++) starters[i] = start(starting_caller, (void *)(long)i);
    for (i = 0; i < 2; i++) takers[i] = start(taker, NULL);
    events = start(event_taker, NULL);
    for (i = 0; i < THREADS; i++) finish(callers[i]);
    for (i = 0; i < THREADS; i++) finish(starters[i]);
    for (i = 0; i < 2; i++) finish(takers[i]);
    finish(events);
    EXPECT_NO_RESULT(shared);
    CHECK_INT(0, stat_of(shared, "/calls_waiting"));
    sio_client_free(shared);
    free(seen);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    RUN(result_may_be_asked_for_in_every_state);
    RUN(results_wait_across_connections);
    RUN(a_waiting_result_ends_with_the_first_that_comes_an_interrupt_or_the_client);
    RUN(connect_and_disconnect_can_be_started_in_every_state);
    RUN(operations_can_be_started_in_callbacks);
    RUN(blocking_and_started_ones_share_a_client);
    return 0;
}

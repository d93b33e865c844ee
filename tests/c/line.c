/* Started emits and calls that wait, for room or for the connection: their order, and what bounds them. */
#include "nonblocking.h"
#include "relay.h"

enum { LIMIT = 100000 };

static struct relay relay;

/* An argument list that begins with a number and is so long. */
static const char *padded(int number, size_t length)
{
    static __thread char args[LIMIT];
    size_t begun = (size_t)snprintf(args, sizeof args, "[%d,\"", number);
    CHECK(begun + 3 < length && length < sizeof args);
    memset(args + begun, 'x', length - begun - 2);
    strcpy(args + length - 2, "\"]");
    return args;
}

/* Connected, with room for so many bytes. */
static sio_client *limited_client(const char *url, int limit)
{
    sio_client *client = websocket_client();
    CHECK_OK(client, sio_client_set_int(client, SIO_OPT_SEND_LIMIT, limit));
    CHECK_OK(client, sio_client_connect(client, url, 20000));
    take_welcome(client);
    return client;
}

/* The same, and what it sends is held back, so that there is no room. */
static sio_client *held_client(int limit)
{
    sio_client *client;
    int status, refused = 0;

    relay_start(&relay, server());
    client = limited_client(relay.url, limit);
    relay_hold(&relay, 1);
    /* Once may be for want of processor time. */
    while (refused < 5) {
        status = sio_client_emit(client, "no_ack", padded(0, 90000), NULL, 0, 50);
        if (status != SIO_OK) CHECK_STATUS(SIO_E_TIMEOUT, client, status);
        refused = status == SIO_OK ? 0 : refused + 1;
    }
    return client;
}

static void release_and_end(sio_client *client)
{
    sio_client_free(client);
    relay_end(&relay);
}

static void check_tally(sio_client *client, const char *expected)
{
    char sid[80], args[100];
    sio_message *reply;

    sio_client_sid(client, sid, sizeof sid);
    snprintf(args, sizeof args, "[\"%s\"]", sid);
    CHECK_OK(client, sio_client_call(client, "tally", args, NULL, 0, 60000, &reply));
    CHECK_HAS(expected, sio_message_args(reply, NULL));
    sio_message_free(reply);
}

/* ---- order ---- */

static void what_waits_for_the_connection_goes_out_in_order(void)
{
    sio_client *client = websocket_client();
    int i, emits = 0, calls = 0;

    CHECK_OK(client, sio_client_connect_start(client, server(), 20000, 10000));
    for (i = 0; i < 300; i++) {
        char args[20];
        snprintf(args, sizeof args, "[%d]", i);
        if (i % 10 == 9) CHECK_OK(client, call_start(client, "count", args, SIO_FOREVER, (uint64_t)i));
        else CHECK_OK(client, emit_start(client, "count", args, SIO_FOREVER, (uint64_t)i));
    }
    /* Emits have their results in order, and so have calls, since the server answers in order. */
    for (i = 0; i < 301; i++) {
        uint64_t tag = 0;
        int status = 1;
        CHECK_OK(client, sio_client_result(client, 20000, &tag, &status, NULL));
        CHECK_OK(client, status);
        if (tag == 10000) continue;
        if (tag % 10 == 9) CHECK_INT(calls++ * 10 + 9, (long long)tag);
        else CHECK_INT(emits / 9 * 10 + emits % 9, (long long)tag), emits++;
    }
    CHECK(emits == 270 && calls == 30);
    check_tally(client, "\"count\":300,\"in_order\":true");
    sio_client_free(client);
}

static void what_waits_for_room_goes_out_in_order(void)
{
    sio_client *client = held_client(LIMIT);
    int i;

    for (i = 0; i < 25; i++) CHECK_OK(client, emit_start(client, "count", padded(i, 3000), SIO_FOREVER, (uint64_t)i));
    /* A few may have found room. */
    for (i = 0; i < 25; i++) {
        uint64_t tag = 0;
        int status = 1;
        if (sio_client_result(client, 50, &tag, &status, NULL) != SIO_OK) break;
        CHECK_OK(client, status);
        CHECK_INT(i, (long long)tag);
    }
    CHECK(i < 10);
    EXPECT_NO_RESULT(client);
    relay_hold(&relay, 0);
    for (; i < 25; i++) EXPECT_RESULT(client, (uint64_t)i, SIO_OK);
    check_tally(client, "\"count\":25,\"in_order\":true");
    release_and_end(client);
}

static int emit_number_20(sio_client *client, const char *unused)
{
    (void)unused;
    return sio_client_emit(client, "count", padded(20, 3000), NULL, 0, SIO_FOREVER);
}

static void a_blocking_emit_waits_in_the_same_line(void)
{
    sio_client *client = held_client(LIMIT);
    struct waiting waiting = {NULL, NULL, emit_number_20, 0, 0, 0};
    pthread_t thread;
    int i;

    for (i = 0; i < 20; i++) CHECK_OK(client, emit_start(client, "count", padded(i, 3000), SIO_FOREVER, (uint64_t)i));
    waiting.client = client;
    begin_waiting(&waiting, &thread);
    until_asleep(&waiting.thread);
    for (i = 21; i < 25; i++) CHECK_OK(client, emit_start(client, "count", padded(i, 3000), SIO_FOREVER, (uint64_t)i));
    CHECK(!waiting.is_over);
    relay_hold(&relay, 0);
    finish(thread);
    CHECK_INT(SIO_OK, waiting.status);
    for (i = 0; i < 25; i++)
        if (i != 20) EXPECT_RESULT(client, (uint64_t)i, SIO_OK);
    check_tally(client, "\"count\":25,\"in_order\":true");
    release_and_end(client);
}

static void a_flush_waits_for_what_stands_in_line_before_it(void)
{
    sio_client *client = held_client(LIMIT);
    struct waiting waiting = {NULL, NULL, wait_in_flush, 0, 0, 0};
    pthread_t thread;
    int i;

    /* Larger than what is left, so that all of them wait. */
    for (i = 0; i < 3; i++) CHECK_OK(client, emit_start(client, "count", padded(i, 15000), SIO_FOREVER, (uint64_t)i));
    CHECK_OK(client, sio_client_flush_start(client, SIO_FOREVER, 3));
    waiting.client = client;
    begin_waiting(&waiting, &thread);
    until_asleep(&waiting.thread);
    EXPECT_NO_RESULT(client);
    CHECK(!waiting.is_over);
    relay_hold(&relay, 0);
    for (i = 0; i < 4; i++) EXPECT_RESULT(client, (uint64_t)i, SIO_OK);
    finish(thread);
    CHECK_INT(SIO_OK, waiting.status);
    CHECK_INT(0, stat_of(client, "/send_queued"));
    check_tally(client, "\"count\":3,\"in_order\":true");
    release_and_end(client);
}

/* ---- bounds ---- */

static void the_line_holds_as_many_bytes_as_the_send_limit(void)
{
    sio_client *client = held_client(LIMIT);
    int started = 0, status, waiting, taken, i;
    uint64_t tag;

    while ((status = emit_start(client, "no_ack", padded(1, 5000), SIO_FOREVER, (uint64_t)started)) == SIO_OK) {
        started++;
        CHECK(started < 100);
    }
    CHECK_STATUS(SIO_E_FULL, client, status);
    CHECK_STATUS(SIO_E_FULL, client, call_start(client, "echo_ack", NULL, SIO_FOREVER, 1000));
    for (taken = 0; sio_client_result(client, 50, &tag, &status, NULL) == SIO_OK; taken++) CHECK_INT(SIO_OK, status);
    /* Each counts with its bytes and some more. */
    waiting = started - taken;
    CHECK(waiting >= LIMIT / 5500 && waiting <= LIMIT / 5000 + 1);

    /* When one leaves there is room for the next. */
    CHECK_OK(client, sio_client_cancel(client, (uint64_t)(taken + 3)));
    EXPECT_RESULT(client, (uint64_t)(taken + 3), SIO_E_INTERRUPTED);
    CHECK_OK(client, emit_start(client, "no_ack", padded(1, 5000), SIO_FOREVER, (uint64_t)started));
    CHECK_INT(SIO_E_FULL, emit_start(client, "no_ack", padded(1, 5000), SIO_FOREVER, 1000));

    relay_hold(&relay, 0);
    for (i = taken; i <= started; i++)
        if (i != taken + 3) EXPECT_RESULT(client, (uint64_t)i, SIO_OK);
    EXPECT_NO_RESULT(client);
    release_and_end(client);
}

static void one_that_is_larger_than_the_limit_can_wait_alone(void)
{
    sio_client *client = held_client(1000);

    CHECK_OK(client, emit_start(client, "count", padded(0, 9000), SIO_FOREVER, 1));
    CHECK_INT(SIO_E_FULL, emit_start(client, "count", padded(1, 9000), SIO_FOREVER, 2));
    relay_hold(&relay, 0);
    EXPECT_RESULT(client, 1, SIO_OK);
    check_tally(client, "\"count\":1,\"in_order\":true");
    release_and_end(client);
}

static void each_in_the_line_has_its_own_deadline(void)
{
    sio_client *client = held_client(LIMIT);

    CHECK_OK(client, emit_start(client, "no_ack", padded(0, 20000), SIO_FOREVER, 1));
    CHECK_TIME(290, 450, {
        CHECK_OK(client, emit_start(client, "no_ack", padded(0, 20000), 300, 2));
        CHECK_OK(client, call_start(client, "no_ack", padded(0, 20000), 100, 3));
        CHECK_OK(client, emit_start(client, "no_ack", padded(0, 20000), 200, 4));
        EXPECT_RESULT(client, 3, SIO_E_TIMEOUT);
        EXPECT_RESULT(client, 4, SIO_E_TIMEOUT);
        EXPECT_RESULT(client, 2, SIO_E_TIMEOUT);
    });
    EXPECT_NO_RESULT(client);
    CHECK_OK(client, sio_client_disconnect_start(client, 0, 5));
    EXPECT_TWO_RESULTS(client, 1, SIO_E_DISCONNECTED, 5, SIO_E_TIMEOUT);
    release_and_end(client);
}

static void one_that_was_cancelled_is_not_sent(void)
{
    sio_client *client = held_client(LIMIT);
    int i;

    /* Larger than what is left, so that all of them wait. */
    for (i = 0; i < 5; i++) CHECK_OK(client, emit_start(client, "echo", padded(i, 15000), SIO_FOREVER, (uint64_t)i));
    CHECK_OK(client, sio_client_cancel(client, 2));
    EXPECT_RESULT(client, 2, SIO_E_INTERRUPTED);
    relay_hold(&relay, 0);
    for (i = 0; i < 5; i++)
        if (i != 2) EXPECT_RESULT(client, (uint64_t)i, SIO_OK);
    for (i = 0; i < 5; i++)
        if (i != 2) expect_event(client, "echo", padded(i, 15000));
    round_trip(client);
    CHECK_INT(0, stat_of(client, "/receive_queued"));
    release_and_end(client);
}

/* ---- while the connection is made again ---- */

static sio_client *reconnecting(const char *offline)
{
    sio_client *client;

    relay_start(&relay, server());
    client = websocket_client();
    CHECK_OK(client, sio_client_set(client, SIO_OPT_OFFLINE, offline));
    CHECK_OK(client, sio_client_set_int(client, SIO_OPT_RECONNECT_MIN_MS, 10));
    CHECK_OK(client, sio_client_set_int(client, SIO_OPT_RECONNECT_MAX_MS, 50));
    CHECK_OK(client, sio_client_connect(client, relay.url, 20000));
    take_welcome(client);
    relay_away(&relay, 1);
    relay_cut(&relay);
    until_state(client, SIO_STATE_RECONNECTING);
    return client;
}

static void by_wait_it_goes_out_when_the_connection_is_there_again(void)
{
    sio_client *client = reconnecting("wait");
    int i;

    for (i = 0; i < 5; i++) CHECK_OK(client, emit_start(client, "count", padded(i, 100), 20000, (uint64_t)i));
    CHECK_OK(client, call_start(client, "count", "[5]", 20000, 5));
    EXPECT_NO_RESULT(client);
    relay_away(&relay, 0);
    for (i = 0; i < 5; i++) EXPECT_RESULT(client, (uint64_t)i, SIO_OK);
    EXPECT_ANSWER(client, 5, "[6]");
    take_welcome(client);
    check_tally(client, "\"count\":6,\"in_order\":true");
    release_and_end(client);
}

static void by_buffer_it_is_queued_at_once(void)
{
    sio_client *client = reconnecting("buffer");
    int i;

    for (i = 0; i < 5; i++) {
        CHECK_OK(client, emit_start(client, "count", padded(i, 100), 20000, (uint64_t)i));
        EXPECT_RESULT(client, (uint64_t)i, SIO_OK);
    }
    CHECK_OK(client, call_start(client, "count", "[5]", 20000, 5));
    EXPECT_NO_RESULT(client);
    relay_away(&relay, 0);
    EXPECT_ANSWER(client, 5, "[6]");
    release_and_end(client);
}

static void by_fail_it_is_refused_at_once(void)
{
    sio_client *client = reconnecting("fail");

    CHECK_STATUS(SIO_E_DISCONNECTED, client, emit_start(client, "count", "[0]", 20000, 1));
    CHECK_STATUS(SIO_E_DISCONNECTED, client, call_start(client, "count", "[0]", 20000, 2));
    EXPECT_NO_RESULT(client);
    release_and_end(client);
}

/* ---- many, from several threads ---- */

enum { THREADS = 4 };

static sio_client *client_of_all;
static int per_thread, started_ones;
static volatile int is_over, taken_ones;

static void *sender(void *argument)
{
    int me = (int)(long)argument, i, status;
    for (i = 0; i < per_thread; i++) {
        char args[60];
        snprintf(args, sizeof args, "[%d,%d,0]", me, i);
        switch (i % 4) {
        case 0:
            CHECK_OK(client_of_all, emit(client_of_all, "check", args));
            break;
        case 1:
            CHECK_OK(client_of_all, sio_client_call(client_of_all, "check", args, NULL, 0, 60000, NULL));
            break;
        default:
            do {
                status = i % 4 == 2 ? emit_start(client_of_all, "check", args, 60000, 1)
                                    : call_start(client_of_all, "check", args, 60000, 1);
                if (status == SIO_E_FULL) sleep_ms(1);
            } while (status == SIO_E_FULL);
            CHECK_OK(client_of_all, status);
            __sync_fetch_and_add(&started_ones, 1);
        }
    }
    return NULL;
}

static void *taker(void *unused)
{
    while (!is_over) {
        uint64_t tag;
        int status, answer = sio_client_result(client_of_all, 20, &tag, &status, NULL);
        if (answer == SIO_E_TIMEOUT) continue;
        CHECK_OK(client_of_all, answer);
        CHECK_OK(client_of_all, status);
        taken_ones++;
    }
    return unused;
}

static void each_thread_keeps_its_order_whatever_it_mixes(void)
{
    pthread_t senders[THREADS], taking;
    char expected[80];
    long long end;
    int i;

    per_thread = few_or_many(100, 2000);
    client_of_all = limited_client(server(), 1000);
    taking = start(taker, NULL);
    for (i = 0; i < THREADS; i++) senders[i] = start(sender, (void *)(long)i);
    for (i = 0; i < THREADS; i++) finish(senders[i]);
    for (end = now_ms() + 20000; taken_ones < started_ones && now_ms() < end;) sleep_ms(1);
    is_over = 1;
    finish(taking);
    CHECK_INT(started_ones, taken_ones);
    snprintf(expected, sizeof expected, "\"checked\":%d,\"bad\":0,\"misplaced\":0", THREADS * per_thread);
    check_tally(client_of_all, expected);
    sio_client_free(client_of_all);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    RUN(what_waits_for_the_connection_goes_out_in_order);
    RUN(what_waits_for_room_goes_out_in_order);
    RUN(a_blocking_emit_waits_in_the_same_line);
    RUN(a_flush_waits_for_what_stands_in_line_before_it);
    RUN(the_line_holds_as_many_bytes_as_the_send_limit);
    RUN(one_that_is_larger_than_the_limit_can_wait_alone);
    RUN(each_in_the_line_has_its_own_deadline);
    RUN(one_that_was_cancelled_is_not_sent);
    RUN(by_wait_it_goes_out_when_the_connection_is_there_again);
    RUN(by_buffer_it_is_queued_at_once);
    RUN(by_fail_it_is_refused_at_once);
    RUN(each_thread_keeps_its_order_whatever_it_mixes);
    return 0;
}

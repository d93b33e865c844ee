/* The functions named _start and sio_client_result(): what is started yields exactly one result, however it
 * ends. tests/c/line.c has what waits for room, tests/c/mixed.c what is done in callbacks and by several threads. */
#include "nonblocking.h"
#include "relay.h"

/* ---- each kind, and how it can end ---- */

static void each_yields_one_result_under_its_tag(void)
{
    sio_client *client = websocket_client();
    uint64_t most = (uint64_t)-1;

    CHECK_OK(client, sio_client_connect_start(client, server(), 20000, 0));
    EXPECT_RESULT(client, 0, SIO_OK);
    CHECK_INT(SIO_STATE_CONNECTED, sio_client_state(client));
    CHECK_OK(client, emit_start(client, "echo", "[1]", 20000, 7));
    EXPECT_RESULT(client, 7, SIO_OK);
    CHECK_OK(client, call_start(client, "add", "[1,2]", 20000, most));
    EXPECT_ANSWER(client, most, "[3]");
    CHECK_OK(client, sio_client_flush_start(client, 20000, 3));
    EXPECT_RESULT(client, 3, SIO_OK);
    take_welcome(client);
    expect_event(client, "echo", "[1]");
    CHECK_OK(client, sio_client_disconnect_start(client, 20000, 4));
    EXPECT_RESULT(client, 4, SIO_OK);
    CHECK_INT(SIO_STATE_DISCONNECTED, sio_client_state(client));
    EXPECT_NO_RESULT(client);
    sio_client_free(client);
}

static void an_answer_has_its_bytes(void)
{
    sio_client *client = quiet_client(server());
    sio_buffer buffers[2] = {{"first", 5}, {NULL, 0}};
    sio_message *reply;
    size_t len;

    CHECK_OK(client, sio_client_call_start(client, "echo_ack", "[" SIO_PLACEHOLDER(0) "," SIO_PLACEHOLDER(1) "]",
                                           buffers, 2, 20000, 1));
    CHECK_OK(client, sio_client_emit_start(client, "echo", "[" SIO_PLACEHOLDER(0) "]", buffers, 1, 20000, 2));
    EXPECT_RESULT(client, 2, SIO_OK);
    reply = take_result_at(__FILE__, __LINE__, client, 1, SIO_OK);
    CHECK_INT(2, (long long)sio_message_buffer_count(reply));
    CHECK(memcmp(sio_message_buffer(reply, 0, &len), "first", 5) == 0 && len == 5);
    /* An answer outlives its client. */
    sio_client_free(client);
    CHECK(sio_message_buffer(reply, 1, &len) != NULL && len == 0);
    sio_message_free(reply);
}

static void an_answer_that_is_not_asked_for_is_freed(void)
{
    sio_client *client = quiet_client(server());
    uint64_t tag;
    int status;

    CHECK_OK(client, call_start(client, "echo_ack", "[\"long enough to be seen as a leak\"]", 20000, 1));
    CHECK_OK(client, sio_client_result(client, 20000, &tag, &status, NULL));
    CHECK(tag == 1 && status == SIO_OK);
    sio_client_free(client);
}

static void each_ends_at_its_timeout(void)
{
    char url[60];
    int fd = silent_server(url, sizeof url);
    sio_client *client = websocket_client();

    CHECK_TIME(90, 250, {
        CHECK_OK(client, sio_client_connect_start(client, url, 100, 1));
        EXPECT_RESULT(client, 1, SIO_E_TIMEOUT);
    });
    CHECK_INT(SIO_STATE_DISCONNECTED, sio_client_state(client));
    CHECK_OK(client, sio_client_connect_start(client, url, SIO_FOREVER, 2));
    CHECK_TIME(190, 400, {
        CHECK_OK(client, emit_start(client, "e", NULL, 100, 3));
        CHECK_OK(client, sio_client_flush_start(client, 150, 5));
        CHECK_OK(client, call_start(client, "e", NULL, 200, 4));
        EXPECT_RESULT(client, 3, SIO_E_TIMEOUT);
        EXPECT_RESULT(client, 5, SIO_E_TIMEOUT);
        EXPECT_RESULT(client, 4, SIO_E_TIMEOUT);
    });
    CHECK_OK(client, sio_client_disconnect_start(client, 1000, 6));
    EXPECT_TWO_RESULTS(client, 2, SIO_E_DISCONNECTED, 6, SIO_OK);
    close(fd);

    CHECK_OK(client, sio_client_connect(client, argument(2), 20000));
    CHECK_TIME(90, 250, {
        CHECK_OK(client, call_start(client, "e", NULL, 100, 1));
        EXPECT_RESULT(client, 1, SIO_E_TIMEOUT);
    });
    /* This server answers no ping, so that nobody knows whether it has taken all. */
    CHECK_TIME(90, 250, {
        CHECK_OK(client, sio_client_disconnect_start(client, 100, 2));
        EXPECT_RESULT(client, 2, SIO_E_TIMEOUT);
    });
    CHECK_INT(SIO_STATE_DISCONNECTED, sio_client_state(client));
    sio_client_free(client);
}

/* What takes no time is no fault of the arguments, so it is a result too. */
static void a_timeout_of_0_is_over_at_once(void)
{
    sio_client *client = websocket_client();

    CHECK_OK(client, sio_client_connect_start(client, server(), 0, 1));
    EXPECT_RESULT(client, 1, SIO_E_TIMEOUT);
    CHECK_OK(client, sio_client_connect(client, server(), 20000));
    CHECK_OK(client, call_start(client, "echo_ack", NULL, 0, 2));
    EXPECT_RESULT(client, 2, SIO_E_TIMEOUT);
    /* There is room. */
    CHECK_OK(client, emit_start(client, "echo", NULL, 0, 3));
    EXPECT_RESULT(client, 3, SIO_OK);
    sio_client_free(client);
}

static void each_can_be_cancelled(void)
{
    char url[60];
    int fd = silent_server(url, sizeof url);
    sio_client *client = websocket_client();

    CHECK_INT(SIO_E_INVALID, sio_client_cancel(client, 1));
    CHECK_HAS("tag", error_text(client));
    CHECK_OK(client, sio_client_connect_start(client, url, SIO_FOREVER, 1));
    CHECK_OK(client, emit_start(client, "e", NULL, SIO_FOREVER, 2));
    CHECK_OK(client, call_start(client, "e", NULL, SIO_FOREVER, 3));
    CHECK_OK(client, sio_client_flush_start(client, SIO_FOREVER, 4));
    EXPECT_NO_RESULT(client);
    CHECK_OK(client, sio_client_cancel(client, 3));
    EXPECT_RESULT(client, 3, SIO_E_INTERRUPTED);
    CHECK_OK(client, sio_client_cancel(client, 2));
    EXPECT_RESULT(client, 2, SIO_E_INTERRUPTED);
    CHECK_OK(client, sio_client_cancel(client, 4));
    EXPECT_RESULT(client, 4, SIO_E_INTERRUPTED);
    CHECK_INT(SIO_STATE_CONNECTING, sio_client_state(client));
    CHECK_OK(client, sio_client_cancel(client, 1));
    EXPECT_RESULT(client, 1, SIO_E_INTERRUPTED);
    CHECK_INT(SIO_STATE_DISCONNECTED, sio_client_state(client));
    close(fd);

    CHECK_OK(client, sio_client_connect(client, argument(2), 20000));
    CHECK_OK(client, sio_client_disconnect_start(client, SIO_FOREVER, 5));
    CHECK_INT(SIO_STATE_CLOSING, sio_client_state(client));
    CHECK_OK(client, sio_client_cancel(client, 5));
    EXPECT_RESULT(client, 5, SIO_E_INTERRUPTED);
    CHECK_INT(SIO_STATE_DISCONNECTED, sio_client_state(client));
    EXPECT_NO_RESULT(client);
    CHECK_INT(SIO_E_INVALID, sio_client_cancel(client, 5));
    CHECK_INT(SIO_E_INVALID, sio_client_cancel(NULL, 5));
    sio_client_free(client);
}

static void one_that_is_over_cannot_be_cancelled(void)
{
    sio_client *client = quiet_client(server());

    CHECK_OK(client, call_start(client, "echo_ack", NULL, 20000, 1));
    CHECK_READABLE(client);
    CHECK_INT(SIO_E_INVALID, sio_client_cancel(client, 1));
    EXPECT_ANSWER(client, 1, "[]");
    sio_client_free(client);
}

static void of_several_with_one_tag_the_oldest_is_cancelled(void)
{
    sio_client *client = quiet_client(server());

    CHECK_OK(client, call_start(client, "no_ack", NULL, SIO_FOREVER, 9));
    CHECK_OK(client, call_start(client, "slow_ack", "[500,\"x\"]", 20000, 9));
    CHECK_OK(client, call_start(client, "no_ack", NULL, SIO_FOREVER, 8));
    CHECK_OK(client, sio_client_cancel(client, 9));
    EXPECT_RESULT(client, 9, SIO_E_INTERRUPTED);
    sio_message_free(take_result_at(__FILE__, __LINE__, client, 9, SIO_OK));
    CHECK_INT(SIO_E_INVALID, sio_client_cancel(client, 9));
    CHECK_OK(client, sio_client_cancel(client, 8));
    EXPECT_RESULT(client, 8, SIO_E_INTERRUPTED);
    sio_client_free(client);
}

static void a_disconnect_ends_all_others(void)
{
    sio_client *client = quiet_client(server());

    CHECK_OK(client, call_start(client, "no_ack", NULL, SIO_FOREVER, 1));
    CHECK_OK(client, call_start(client, "no_ack", NULL, SIO_FOREVER, 2));
    CHECK_OK(client, sio_client_disconnect(client, 20000));
    EXPECT_RESULT(client, 1, SIO_E_DISCONNECTED);
    EXPECT_RESULT(client, 2, SIO_E_DISCONNECTED);
    EXPECT_NO_RESULT(client);
    sio_client_free(client);
}

static void a_loss_ends_calls_and_says_whether_they_were_sent(void)
{
    struct relay relay;
    sio_client *client;

    relay_start(&relay, server());
    client = quiet_client(relay.url);
    CHECK_OK(client, call_start(client, "no_ack", NULL, SIO_FOREVER, 1));
    round_trip(client);
    relay_away(&relay, 1);
    relay_cut(&relay);
    CHECK_TIME(0, 200, EXPECT_RESULT(client, 1, SIO_E_DISCONNECTED));
    CHECK_TEXT("true", error_member(client, "/sent"));
    /* One that waits for the connection ends with it, if that ends for good. */
    CHECK_OK(client, call_start(client, "no_ack", NULL, SIO_FOREVER, 2));
    CHECK_OK(client, emit_start(client, "e", NULL, SIO_FOREVER, 3));
    EXPECT_NO_RESULT(client);
    CHECK_OK(client, sio_client_disconnect(client, 0));
    EXPECT_RESULT(client, 2, SIO_E_DISCONNECTED);
    EXPECT_RESULT(client, 3, SIO_E_DISCONNECTED);
    sio_client_free(client);
    relay_end(&relay);
}

static void a_failure_is_told_when_it_is_taken(void)
{
    sio_client *client = websocket_client();

    CHECK_OK(client, sio_client_set(client, SIO_OPT_NAMESPACE, "/refuse"));
    CHECK_OK(client, sio_client_connect_start(client, server(), 20000, 1));
    CHECK_READABLE(client);
    CHECK_INT(SIO_E_UNSUPPORTED, sio_client_set(client, "marker", "1"));
    EXPECT_RESULT(client, 1, SIO_E_REFUSED);
    CHECK_HAS("not welcome", error_text(client));
    CHECK_TEXT("{\"code\":403}", error_member(client, "/data"));
    CHECK_TEXT("\"SIO_E_REFUSED\"", error_member(client, "/name"));
    CHECK_OK(client, sio_client_connect_start(client, nobody(), 20000, 2));
    CHECK_READABLE(client);
    CHECK_HAS("not welcome", error_text(client));
    EXPECT_RESULT(client, 2, SIO_E_UNREACHABLE);
    CHECK_TEXT("\"connect\"", error_member(client, "/phase"));
    sio_client_free(client);
}

static void freeing_the_client_drops_all(void)
{
    int tasks = threads(), fds = descriptors(), i;
    sio_client *client = quiet_client(server());

    for (i = 0; i < 50; i++) {
        CHECK_OK(client, call_start(client, "echo_ack", "[\"dropped\"]", 20000, 1));
        CHECK_OK(client, call_start(client, "no_ack", "[\"dropped\"]", SIO_FOREVER, 2));
    }
    CHECK_READABLE(client);
    CHECK_TIME(0, 100, sio_client_free(client));

    client = websocket_client();
    CHECK_OK(client, sio_client_connect_start(client, server(), 20000, 1));
    CHECK_OK(client, emit_start(client, "e", "[\"dropped\"]", SIO_FOREVER, 2));
    CHECK_TIME(0, 100, sio_client_free(client));
    settles(tasks, fds);
}

static void what_is_known_at_once_yields_no_result(void)
{
    sio_client *client = sio_client_new();
    char *large = malloc(1200001);

    memset(large, ' ', 1200000);
    memcpy(large, "[1", 2);
    strcpy(large + 1199999, "]");
    CHECK_INT(SIO_E_DISCONNECTED, emit_start(client, "e", NULL, 1000, 1));
    CHECK_INT(SIO_E_DISCONNECTED, call_start(client, "e", NULL, 1000, 1));
    CHECK_INT(SIO_E_DISCONNECTED, sio_client_flush_start(client, 1000, 1));
    CHECK_INT(SIO_E_INVALID, sio_client_connect_start(client, "nonsense", 1000, 1));
    CHECK_INT(SIO_E_INVALID, sio_client_connect_start(client, NULL, 1000, 1));
    CHECK_INT(SIO_E_INVALID, sio_client_connect_start(client, server(), -2, 1));
    CHECK_OK(client, sio_client_connect(client, server(), 20000));
    CHECK_INT(SIO_E_INVALID, emit_start(client, "e", "[", 1000, 1));
    CHECK_HAS("args", error_text(client));
    CHECK_INT(SIO_E_INVALID, emit_start(client, NULL, NULL, 1000, 1));
    CHECK_INT(SIO_E_INVALID, call_start(client, "connect", NULL, 1000, 1));
    CHECK_INT(SIO_E_INVALID, call_start(client, "e", "{}", 1000, 1));
    CHECK_INT(SIO_E_INVALID, call_start(client, "e", NULL, -2, 1));
    CHECK_INT(SIO_E_INVALID, emit_start(client, "e", NULL, -2, 1));
    CHECK_INT(SIO_E_INVALID, sio_client_flush_start(client, -2, 1));
    CHECK_INT(SIO_E_INVALID, sio_client_disconnect_start(client, -2, 1));
    CHECK_INT(SIO_E_TOO_LARGE, emit_start(client, "e", large, 1000, 1));
    CHECK_INT(SIO_E_TOO_LARGE, call_start(client, "e", large, 1000, 1));
    CHECK_INT(SIO_E_STATE, sio_client_connect_start(client, server(), 1000, 1));
    CHECK_INT(SIO_E_INVALID, emit_start(NULL, "e", NULL, 1000, 1));
    CHECK_INT(SIO_E_INVALID, call_start(NULL, "e", NULL, 1000, 1));
    CHECK_INT(SIO_E_INVALID, sio_client_connect_start(NULL, server(), 1000, 1));
    CHECK_INT(SIO_E_INVALID, sio_client_flush_start(NULL, 1000, 1));
    CHECK_INT(SIO_E_INVALID, sio_client_disconnect_start(NULL, 1000, 1));
    CHECK_OK(client, sio_client_disconnect(client, 20000));
    CHECK_INT(SIO_E_DISCONNECTED, emit_start(client, "e", NULL, 1000, 1));
    CHECK_INT(SIO_E_DISCONNECTED, call_start(client, "e", NULL, 1000, 1));
    EXPECT_NO_RESULT(client);
    CHECK_INT(SIO_E_INVALID, sio_client_cancel(client, 1));
    sio_client_free(client);
    free(large);
}

/* ---- many ---- */

/* Two thirds of them are answered later, by 1 s and by 2 s. The server hears of all at once. */
static void a_thousand_calls_are_answered_in_the_servers_order(void)
{
    struct relay relay;
    sio_client *client;
    int i, late;

    relay_start(&relay, server());
    client = quiet_client(relay.url);
    relay_hold(&relay, 1);
    for (i = 0; i < 1000; i++) {
        char args[40];
        snprintf(args, sizeof args, "[%d,%d]", i % 3 * 1000, i);
        CHECK_OK(client, call_start(client, "slow_ack", args, 60000, (uint64_t)i));
    }
    CHECK_INT(1000, stat_of(client, "/calls_waiting"));
    relay_hold(&relay, 0);
    for (late = 0; late < 3; late++)
        for (i = late; i < 1000; i += 3)
            sio_message_free(take_result_at(__FILE__, __LINE__, client, (uint64_t)i, SIO_OK));
    EXPECT_NO_RESULT(client);
    CHECK_INT(0, stat_of(client, "/calls_waiting"));
    sio_client_free(client);
    relay_end(&relay);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    RUN(each_yields_one_result_under_its_tag);
    RUN(an_answer_has_its_bytes);
    RUN(an_answer_that_is_not_asked_for_is_freed);
    RUN(each_ends_at_its_timeout);
    RUN(a_timeout_of_0_is_over_at_once);
    RUN(each_can_be_cancelled);
    RUN(one_that_is_over_cannot_be_cancelled);
    RUN(of_several_with_one_tag_the_oldest_is_cancelled);
    RUN(a_disconnect_ends_all_others);
    RUN(a_loss_ends_calls_and_says_whether_they_were_sent);
    RUN(a_failure_is_told_when_it_is_taken);
    RUN(freeing_the_client_drops_all);
    RUN(what_is_known_at_once_yields_no_result);
    RUN(a_thousand_calls_are_answered_in_the_servers_order);
    return 0;
}

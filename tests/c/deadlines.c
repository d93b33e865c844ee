/* Timeouts: 0, milliseconds, and none; with margins that a busy machine keeps. The second server is silent
 * after the namespace's acknowledgement; the third does not read then, either. */
#include "check.h"

static void a_timeout_of_0_waits_for_nothing(void)
{
    char url[60];
    int fd = silent_server(url, sizeof url);
    sio_client *client = websocket_client();
    sio_message *message;
    long long sent;

    CHECK_TIME(0, 80, {
        CHECK_STATUS(SIO_E_TIMEOUT, client, sio_client_receive(client, 0, &message));
        CHECK_STATUS(SIO_E_TIMEOUT, client, sio_client_connect(client, url, 0));
        CHECK_STATUS(SIO_E_DISCONNECTED, client, sio_client_emit(client, "e", NULL, NULL, 0, 0));
        CHECK_STATUS(SIO_E_DISCONNECTED, client, sio_client_call(client, "e", NULL, NULL, 0, 0, NULL));
        CHECK_STATUS(SIO_E_DISCONNECTED, client, sio_client_flush(client, 0));
        CHECK_OK(client, sio_client_disconnect(client, 0));
    });
    CHECK_INT(0, stat_of(client, "/attempts"));
    CHECK_OK(client, sio_client_connect(client, argument(2), 10000));
    sent = stat_of(client, "/packets_sent");
    CHECK_TIME(0, 80, {
        CHECK_STATUS(SIO_E_TIMEOUT, client, sio_client_receive(client, 0, &message));
        CHECK(message == NULL);
        CHECK_STATUS(SIO_E_TIMEOUT, client, sio_client_call(client, "e", NULL, NULL, 0, 0, &message));
        CHECK(message == NULL);
        CHECK_INT(sent, stat_of(client, "/packets_sent"));
        CHECK_OK(client, sio_client_emit(client, "e", NULL, NULL, 0, 0));
        CHECK_STATUS(SIO_E_TIMEOUT, client, sio_client_disconnect(client, 0));
    });
    CHECK_INT(SIO_STATE_DISCONNECTED, sio_client_state(client));
    sio_client_free(client);
    close(fd);
}

static void a_timeout_leaves_the_text_of_the_last_failure(void)
{
    sio_client *client = websocket_client();
    sio_message *message;

    CHECK_OK(client, sio_client_connect(client, argument(2), 10000));
    CHECK_STATUS(SIO_E_UNSUPPORTED, client, sio_client_set(client, "marker", "1"));
    CHECK_STATUS(SIO_E_TIMEOUT, client, sio_client_receive(client, 1, &message));
    CHECK_STATUS(SIO_E_TIMEOUT, client, sio_client_call(client, "e", NULL, NULL, 0, 1, &message));
    CHECK_HAS("marker", error_text(client));
    sio_client_free(client);
}

static void waits_end_at_their_timeout(void)
{
    sio_client *client = websocket_client();
    sio_message *message;

    CHECK_TIME(100, 250, CHECK_STATUS(SIO_E_TIMEOUT, client, sio_client_receive(client, 100, &message)));
    CHECK_OK(client, sio_client_connect(client, argument(2), 10000));
    CHECK_TIME(100, 250, CHECK_STATUS(SIO_E_TIMEOUT, client, sio_client_receive(client, 100, &message)));
    CHECK_TIME(100, 250, CHECK_STATUS(SIO_E_TIMEOUT, client,
                                      sio_client_call(client, "e", NULL, NULL, 0, 100, &message)));
    CHECK_TIME(100, 250, CHECK_STATUS(SIO_E_TIMEOUT, client, sio_client_disconnect(client, 100)));
    CHECK_HAS("confirmed", error_text(client));
    CHECK_INT(SIO_STATE_DISCONNECTED, sio_client_state(client));
    sio_client_free(client);
}

static void a_connect_that_ran_out_of_time_says_which_step_was_under_way(void)
{
    char url[60];
    int fd = silent_server(url, sizeof url);
    sio_client *client = websocket_client();

    CHECK_TIME(150, 300, CHECK_STATUS(SIO_E_TIMEOUT, client, sio_client_connect(client, url, 150)));
    CHECK_HAS("WebSocket handshake", error_text(client));
    CHECK_TEXT("\"handshake\"", error_member(client, "/phase"));
    CHECK_TEXT("-1", error_member(client, "/status"));
    CHECK_INT(SIO_STATE_DISCONNECTED, sio_client_state(client));
    CHECK_OK(client, sio_client_connect(client, server(), 10000));
    sio_client_free(client);
    close(fd);
}

static void while_there_is_no_room_emit_and_flush_wait_to_their_timeout(void)
{
    sio_client *client = websocket_client();
    size_t size = 900000;
    char *args = malloc(size + 10);
    int status, i;

    memset(args, 'x', size);
    memcpy(args, "[\"", 2);
    strcpy(args + size, "\"]");
    CHECK_OK(client, sio_client_set_int(client, SIO_OPT_SEND_LIMIT, 1));
    CHECK_OK(client, sio_client_connect(client, argument(3), 10000));
    for (i = 0; i < 1000; i++) {
        status = sio_client_emit(client, "e", args, NULL, 0, 100);
        if (status != SIO_OK) break;
    }
    CHECK_INT(SIO_E_TIMEOUT, status);
    CHECK_TIME(0, 80, CHECK_STATUS(SIO_E_TIMEOUT, client, sio_client_emit(client, "e", NULL, NULL, 0, 0)));
    CHECK_TIME(100, 250, CHECK_STATUS(SIO_E_TIMEOUT, client,
                                      sio_client_emit(client, "e", NULL, NULL, 0, 100)));
    CHECK_TIME(100, 250, CHECK_STATUS(SIO_E_TIMEOUT, client, sio_client_flush(client, 100)));
    CHECK_TIME(0, 80, CHECK_STATUS(SIO_E_TIMEOUT, client, sio_client_flush(client, 0)));
    CHECK_TIME(100, 250, CHECK_STATUS(SIO_E_TIMEOUT, client,
                                      sio_client_call(client, "e", NULL, NULL, 0, 100, NULL)));
    CHECK_TIME(0, 80, CHECK_STATUS(SIO_E_TIMEOUT, client, sio_client_disconnect(client, 0)));
    free(args);
    sio_client_free(client);
}

static void without_a_limit_calls_wait_for_what_comes(void)
{
    sio_client *client = sio_client_new();
    sio_message *message;

    CHECK_OK(client, sio_client_connect(client, server(), SIO_FOREVER));
    CHECK_OK(client, sio_client_receive(client, SIO_FOREVER, &message));
    sio_message_free(message);
    CHECK_TIME(200, 400, CHECK_OK(client, sio_client_call(client, "slow_ack", "[200]", NULL, 0,
                                                           SIO_FOREVER, &message)));
    CHECK_TEXT("[200]", sio_message_args(message, NULL));
    sio_message_free(message);
    CHECK_OK(client, sio_client_emit(client, "echo", "[1]", NULL, 0, SIO_FOREVER));
    CHECK_OK(client, sio_client_flush(client, SIO_FOREVER));
    CHECK_OK(client, sio_client_receive(client, SIO_FOREVER, &message));
    CHECK_TEXT("[1]", sio_message_args(message, NULL));
    sio_message_free(message);
    CHECK_OK(client, sio_client_disconnect(client, SIO_FOREVER));
    CHECK_STATUS(SIO_E_DISCONNECTED, client, sio_client_receive(client, SIO_FOREVER, &message));
    sio_client_free(client);
}

static void the_largest_timeout_is_one(void)
{
    sio_client *client = sio_client_new();
    sio_message *message;
    CHECK_OK(client, sio_client_connect(client, server(), 2147483647));
    CHECK_OK(client, sio_client_receive(client, 2147483647, &message));
    sio_message_free(message);
    CHECK_OK(client, sio_client_disconnect(client, 2147483647));
    sio_client_free(client);
}

static void a_bad_timeout_waits_for_nothing(void)
{
    sio_client *client = connected();
    sio_message *message;

    take_welcome(client);
    CHECK_TIME(0, 80, {
        CHECK_STATUS(SIO_E_INVALID, client, sio_client_receive(client, -2, &message));
        CHECK_STATUS(SIO_E_INVALID, client, sio_client_call(client, "no_ack", NULL, NULL, 0, -2, NULL));
        CHECK_STATUS(SIO_E_INVALID, client, sio_client_flush(client, -2));
        CHECK_STATUS(SIO_E_INVALID, client, sio_client_disconnect(client, -2));
    });
    CHECK_INT(SIO_STATE_CONNECTED, sio_client_state(client));
    sio_client_free(client);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    RUN(a_timeout_of_0_waits_for_nothing);
    RUN(a_timeout_leaves_the_text_of_the_last_failure);
    RUN(waits_end_at_their_timeout);
    RUN(a_connect_that_ran_out_of_time_says_which_step_was_under_way);
    RUN(while_there_is_no_room_emit_and_flush_wait_to_their_timeout);
    RUN(without_a_limit_calls_wait_for_what_comes);
    RUN(the_largest_timeout_is_one);
    RUN(a_bad_timeout_waits_for_nothing);
    return 0;
}

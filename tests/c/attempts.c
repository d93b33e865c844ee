/* The option "report_attempts": before every connection attempt a message comes, and the attempt waits until
 * that is freed or answered. */
#include "nonblocking.h"
#include "relay.h"

/* ---- a server that refuses every attempt, and remembers the token that each brought ---- */

enum { TOKENS = 64 };

static struct {
    pthread_t thread;
    char url[60], tokens[TOKENS][20];
    int listener;
    volatile int count;
} refusing;

static void *refuse(void *unused)
{
    int client;
    while ((client = accept(refusing.listener, NULL, NULL)) >= 0) {
        static const char answer[] = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n"
                                     "Connection: close\r\n\r\n";
        char head[4096] = "", *token;
        size_t len = 0;
        ssize_t n;

        while (strstr(head, "\r\n\r\n") == NULL && (n = read(client, head + len, sizeof head - 1 - len)) > 0)
            head[len += (size_t)n] = 0;
        token = strcasestr(head, "\r\nX-Token: ");
        CHECK(refusing.count < TOKENS);
        if (token == NULL || sscanf(token + 11, "%19s", refusing.tokens[refusing.count]) != 1)
            strcpy(refusing.tokens[refusing.count], "none");
        refusing.count++;
        CHECK_INT(sizeof answer - 1, write(client, answer, sizeof answer - 1));
        /* Until the client has closed: a close with unread input would take the answer back. */
        shutdown(client, SHUT_WR);
        while (read(client, head, sizeof head) > 0) {
        }
        close(client);
    }
    return unused;
}

static void begin_refusing(void)
{
    memset(&refusing, 0, sizeof refusing);
    refusing.listener = silent_server(refusing.url, sizeof refusing.url);
    refusing.thread = start(refuse, NULL);
}

static void end_refusing(void)
{
    shutdown(refusing.listener, SHUT_RDWR);
    finish(refusing.thread);
    close(refusing.listener);
}

/* ---- clients ---- */

static sio_client *reporting(void)
{
    sio_client *client = websocket_client();
    CHECK_OK(client, sio_client_set_int(client, SIO_OPT_REPORT_ATTEMPTS, 1));
    CHECK_OK(client, sio_client_set_int(client, SIO_OPT_RECONNECT_MIN_MS, 10));
    CHECK_OK(client, sio_client_set_int(client, SIO_OPT_RECONNECT_MAX_MS, 20));
    return client;
}

/* Takes the next message, which must announce the attempt with this number. */
static sio_message *next_attempt(sio_client *client, int number)
{
    sio_message *message;
    const void *value;

    CHECK_OK(client, sio_client_receive(client, 20000, &message));
    CHECK_INT(SIO_MESSAGE_ATTEMPT, sio_message_kind(message));
    CHECK_INT(0, (long long)sio_message_buffer_count(message));
    CHECK_INT(SIO_JSON_NUMBER, sio_message_find(message, "/0/attempt", &value, NULL));
    CHECK_INT(number, atoi(value));
    return message;
}

/* Gives the attempt that is due a token that no other has. */
static void renew(sio_client *client, int number)
{
    char text[60];
    snprintf(text, sizeof text, "token-%d", number);
    CHECK_OK(client, sio_client_set_header(client, "X-Token", text));
    snprintf(text, sizeof text, "{\"token\":\"number %d\"}", number);
    CHECK_OK(client, sio_client_set(client, SIO_OPT_AUTH, text));
}

static void expect_token(sio_client *client, int number)
{
    sio_message *reply;
    char text[60];

    CHECK_OK(client, sio_client_call(client, "handshake", NULL, NULL, 0, 20000, &reply));
    snprintf(text, sizeof text, "\"token-%d\"", number);
    CHECK_HAS(text, sio_message_args(reply, NULL));
    snprintf(text, sizeof text, "{\"token\":\"number %d\"}", number);
    CHECK_HAS(text, sio_message_args(reply, NULL));
    sio_message_free(reply);
}

/* ---- promises ---- */

static void the_first_attempt_waits_until_the_message_is_freed(void)
{
    sio_client *client = reporting();
    sio_message *message;

    begin_refusing();
    CHECK_OK(client, sio_client_connect_start(client, refusing.url, 20000, 1));
    CHECK_READABLE(client);
    message = next_attempt(client, 1);
    EXPECT_NO_RESULT(client);
    CHECK_INT(SIO_STATE_CONNECTING, sio_client_state(client));
    CHECK_INT(0, refusing.count);
    sio_message_free(message);
    EXPECT_RESULT(client, 1, SIO_E_UNREACHABLE);
    CHECK_INT(1, refusing.count);
    CHECK_STATUS(SIO_E_DISCONNECTED, client, sio_client_receive(client, 0, &message));
    end_refusing();
    sio_client_free(client);
}

static void or_until_it_is_answered(void)
{
    sio_client *client = reporting();
    sio_message *message;

    CHECK_OK(client, sio_client_connect_start(client, server(), 20000, 1));
    message = next_attempt(client, 1);
    CHECK_INT(1, sio_message_wants_ack(message));
    renew(client, 1);
    CHECK_INT(SIO_OK, sio_message_ack(message, NULL, NULL, 0));
    CHECK_INT(0, sio_message_wants_ack(message));
    CHECK_INT(SIO_E_STATE, sio_message_ack(message, NULL, NULL, 0));
    EXPECT_RESULT(client, 1, SIO_OK);
    CHECK_TEXT("[{\"attempt\":1}]", sio_message_args(message, NULL));
    sio_message_free(message);
    take_welcome(client);
    expect_token(client, 1);
    CHECK_INT(1, stat_of(client, "/attempts"));
    sio_client_free(client);
}

static void without_the_option_no_message_comes(void)
{
    sio_client *client = reporting();

    CHECK_OK(client, sio_client_set_int(client, SIO_OPT_REPORT_ATTEMPTS, 0));
    CHECK_OK(client, sio_client_connect(client, server(), 20000));
    take_welcome(client);
    CHECK_OK(client, emit(client, "drop", NULL));
    take_welcome(client);
    sio_client_free(client);
}

static void every_reconnection_can_carry_a_new_token(void)
{
    sio_client *client = reporting();
    int round;

    CHECK_OK(client, sio_client_connect_start(client, server(), 20000, 1));
    for (round = 1; round <= 5; round++) {
        sio_message *message = next_attempt(client, 1);
        EXPECT_NO_RESULT(client);
        CHECK_INT(round == 1 ? SIO_STATE_CONNECTING : SIO_STATE_RECONNECTING, sio_client_state(client));
        renew(client, round);
        sio_message_free(message);
        if (round == 1) EXPECT_RESULT(client, 1, SIO_OK);
        take_welcome(client);
        expect_token(client, round);
        CHECK_OK(client, emit(client, "drop", NULL));
    }
    sio_client_free(client);
}

static void with_retry_connect_every_attempt_carries_a_new_token(void)
{
    sio_client *client = reporting();
    sio_message *message;
    int i;

    begin_refusing();
    CHECK_OK(client, sio_client_set_int(client, SIO_OPT_RETRY_CONNECT, 1));
    CHECK_OK(client, sio_client_set_int(client, SIO_OPT_RECONNECT_ATTEMPTS, 9));
    CHECK_OK(client, sio_client_connect_start(client, refusing.url, 60000, 1));
    for (i = 1; i <= 10; i++) {
        message = next_attempt(client, i);
        CHECK_INT(i - 1, refusing.count);
        renew(client, i);
        sio_message_free(message);
    }
    EXPECT_RESULT(client, 1, SIO_E_UNREACHABLE);
    CHECK_STATUS(SIO_E_DISCONNECTED, client, sio_client_receive(client, 0, &message));
    CHECK_INT(10, refusing.count);
    for (i = 1; i <= 10; i++) {
        char expected[20];
        snprintf(expected, sizeof expected, "token-%d", i);
        CHECK_TEXT(expected, refusing.tokens[i - 1]);
    }
    CHECK_INT(10, stat_of(client, "/attempts"));
    end_refusing();
    sio_client_free(client);
}

static void unfreed_the_attempt_fails_when_its_time_is_over(void)
{
    sio_client *client = reporting();
    sio_message *message, *next;

    begin_refusing();
    CHECK_OK(client, sio_client_set_int(client, SIO_OPT_ATTEMPT_TIMEOUT_MS, 150));
    CHECK_TIME(140, 300, {
        CHECK_OK(client, sio_client_connect_start(client, refusing.url, 20000, 1));
        EXPECT_RESULT(client, 1, SIO_E_TIMEOUT);
    });
    CHECK_TEXT("\"prepare\"", error_member(client, "/phase"));
    /* Also if it was never taken, and within connect's own time. */
    CHECK_TIME(90, 250, {
        CHECK_OK(client, sio_client_connect_start(client, refusing.url, 100, 2));
        message = next_attempt(client, 1);
        EXPECT_RESULT(client, 2, SIO_E_TIMEOUT);
    });
    /* Neither does anything then, to this attempt or to another one. */
    CHECK_INT(0, sio_message_wants_ack(message));
    CHECK_INT(SIO_E_DISCONNECTED, sio_message_ack(message, NULL, NULL, 0));
    CHECK_OK(client, sio_client_set_int(client, SIO_OPT_ATTEMPT_TIMEOUT_MS, 20000));
    CHECK_OK(client, sio_client_connect_start(client, refusing.url, 20000, 3));
    next = next_attempt(client, 1);
    CHECK_INT(SIO_E_DISCONNECTED, sio_message_ack(message, NULL, NULL, 0));
    sio_message_free(message);
    EXPECT_NO_RESULT(client);
    CHECK_INT(0, refusing.count);
    sio_message_free(next);
    EXPECT_RESULT(client, 3, SIO_E_UNREACHABLE);
    CHECK_INT(1, refusing.count);
    end_refusing();
    sio_client_free(client);
}

static void the_next_attempt_has_a_message_of_its_own(void)
{
    sio_client *client = reporting();
    sio_message *messages[3];
    int i;

    CHECK_OK(client, sio_client_set_int(client, SIO_OPT_RETRY_CONNECT, 1));
    CHECK_OK(client, sio_client_set_int(client, SIO_OPT_ATTEMPT_TIMEOUT_MS, few_or_many(3000, 150)));
    CHECK_OK(client, sio_client_connect_start(client, server(), 60000, 1));
    for (i = 0; i < 3; i++) messages[i] = next_attempt(client, i + 1);
    CHECK_INT(SIO_E_DISCONNECTED, sio_message_ack(messages[0], NULL, NULL, 0));
    sio_message_free(messages[1]);
    sio_message_free(messages[2]);
    EXPECT_RESULT(client, 1, SIO_OK);
    sio_message_free(messages[0]);
    take_welcome(client);
    CHECK_INT(SIO_STATE_CONNECTED, sio_client_state(client));
    sio_client_free(client);
}

static void what_ends_the_connection_does_not_wait_for_the_message(void)
{
    int round;

    for (round = 0; round < 4; round++) {
        sio_client *client = reporting();
        sio_message *message;

        CHECK_OK(client, sio_client_connect_start(client, server(), SIO_FOREVER, 1));
        message = next_attempt(client, 1);
        switch (round) {
        case 0:
            CHECK_TIME(0, 150, CHECK_OK(client, sio_client_disconnect(client, 5000)));
            EXPECT_RESULT(client, 1, SIO_E_DISCONNECTED);
            break;
        case 1:
            CHECK_OK(client, sio_client_cancel(client, 1));
            CHECK_TIME(0, 150, EXPECT_RESULT(client, 1, SIO_E_INTERRUPTED));
            break;
        case 2:
            CHECK_OK(client, sio_client_disconnect_start(client, 5000, 2));
            CHECK_TIME(0, 150, EXPECT_TWO_RESULTS(client, 1, SIO_E_DISCONNECTED, 2, SIO_OK));
            break;
        default:
            CHECK_TIME(0, 100, sio_client_free(client));
            client = NULL;
        }
        if (client != NULL) CHECK_INT(SIO_STATE_DISCONNECTED, sio_client_state(client));
        CHECK_INT(SIO_E_DISCONNECTED, sio_message_ack(message, NULL, NULL, 0));
        if (round % 2 == 0) sio_client_free(client);
        CHECK_TEXT("[{\"attempt\":1}]", sio_message_args(message, NULL));
        sio_message_free(message);
        if (round % 2 != 0) sio_client_free(client);
    }
}

static void never_taken_it_is_dropped_with_its_client(void)
{
    sio_client *client = reporting();

    CHECK_OK(client, sio_client_connect_start(client, server(), SIO_FOREVER, 1));
    CHECK_READABLE(client);
    CHECK_TIME(0, 100, sio_client_free(client));
}

static void a_blocking_connect_waits_for_another_thread_that_frees_it(void)
{
    sio_client *client = reporting();
    struct waiting waiting = {NULL, NULL, wait_in_connect, 0, 0, 0};
    sio_message *message;
    pthread_t thread;

    waiting.client = client;
    waiting.url = server();
    begin_waiting(&waiting, &thread);
    message = next_attempt(client, 1);
    until_asleep(&waiting.thread);
    CHECK(!waiting.is_over);
    renew(client, 1);
    sio_message_free(message);
    finish(thread);
    CHECK_INT(SIO_OK, waiting.status);
    take_welcome(client);
    expect_token(client, 1);
    sio_client_free(client);
}

static void expect_kind(sio_client *client, int kind)
{
    sio_message *message;
    CHECK_OK(client, sio_client_receive(client, 20000, &message));
    CHECK_INT(kind, sio_message_kind(message));
    sio_message_free(message);
}

static void it_stands_in_order_among_the_messages_about_the_state(void)
{
    sio_client *client = reporting();

    CHECK_OK(client, sio_client_set_int(client, SIO_OPT_REPORT_STATE, 1));
    CHECK_OK(client, sio_client_connect_start(client, server(), 20000, 1));
    expect_kind(client, SIO_MESSAGE_ATTEMPT);
    expect_kind(client, SIO_MESSAGE_CONNECTED);
    take_welcome(client);
    CHECK_OK(client, emit(client, "drop", NULL));
    expect_kind(client, SIO_MESSAGE_DISCONNECTED);
    expect_kind(client, SIO_MESSAGE_ATTEMPT);
    expect_kind(client, SIO_MESSAGE_CONNECTED);
    take_welcome(client);
    EXPECT_RESULT(client, 1, SIO_OK);
    sio_client_free(client);
}

static volatile int prepared;

static int on_prepare(void *user, sio_client *client)
{
    CHECK(user == NULL && client != NULL);
    prepared++;
    return 0;
}

static void the_function_for_attempts_is_called_as_well(void)
{
    sio_client *client = reporting();

    prepared = 0;
    CHECK_OK(client, sio_client_set_prepare(client, on_prepare, NULL));
    CHECK_OK(client, sio_client_connect_start(client, server(), 20000, 1));
    sio_message_free(next_attempt(client, 1));
    EXPECT_RESULT(client, 1, SIO_OK);
    CHECK_INT(1, prepared);
    sio_client_free(client);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    RUN(the_first_attempt_waits_until_the_message_is_freed);
    RUN(or_until_it_is_answered);
    RUN(without_the_option_no_message_comes);
    RUN(every_reconnection_can_carry_a_new_token);
    RUN(with_retry_connect_every_attempt_carries_a_new_token);
    RUN(unfreed_the_attempt_fails_when_its_time_is_over);
    RUN(the_next_attempt_has_a_message_of_its_own);
    RUN(what_ends_the_connection_does_not_wait_for_the_message);
    RUN(never_taken_it_is_dropped_with_its_client);
    RUN(a_blocking_connect_waits_for_another_thread_that_frees_it);
    RUN(it_stands_in_order_among_the_messages_about_the_state);
    RUN(the_function_for_attempts_is_called_as_well);
    return 0;
}

/* Messages: what can be got from one, and answers. The second server follows the script in
 * tests/c_programs.rs, which says what comes from it. */
#include "check.h"

/* Checks name and arguments with their lengths, and that both end in NUL. */
static void check_message(sio_message *message, const char *name, size_t name_len, const char *args)
{
    size_t len = 77;
    CHECK(memcmp(sio_message_event(message, &len), name, name_len + 1) == 0);
    CHECK_INT(name_len, len);
    CHECK(sio_message_event(message, NULL) == sio_message_event(message, &len));
    CHECK_TEXT(args, sio_message_args(message, &len));
    CHECK_INT(strlen(args), len);
    CHECK(sio_message_args(message, NULL) == sio_message_args(message, &len));
}

static sio_message *receive(sio_client *client)
{
    sio_message *message;
    CHECK_OK(client, sio_client_receive(client, 10000, &message));
    CHECK(message != NULL);
    return message;
}

static void check_bytes(sio_message *message, size_t index, const char *bytes, size_t size)
{
    size_t len = 77;
    const void *data = sio_message_buffer(message, index, &len);
    CHECK(data != NULL);
    CHECK_INT(size, len);
    CHECK(memcmp(data, bytes, size) == 0);
    CHECK(sio_message_buffer(message, index, NULL) == data);
}

static void an_event_has_its_name_and_its_arguments(void)
{
    sio_client *client = connected();
    sio_message *message;

    take_welcome(client);
    CHECK_OK(client, sio_client_emit(client, "caf\xc3\xa9 \"x\"", "[1,\"two\",{\"three\":[3]}]",
                                     NULL, 0, 1000));
    message = receive(client);
    CHECK_INT(SIO_MESSAGE_EVENT, sio_message_kind(message));
    check_message(message, "caf\xc3\xa9 \"x\"", 9, "[1,\"two\",{\"three\":[3]}]");
    CHECK_INT(0, sio_message_buffer_count(message));
    CHECK_INT(0, sio_message_wants_ack(message));
    sio_message_free(message);
    CHECK_OK(client, sio_client_emit(client, "", NULL, NULL, 0, 1000));
    message = receive(client);
    check_message(message, "", 0, "[]");
    sio_message_free(message);
    sio_client_free(client);
}

static void a_reply_has_no_name(void)
{
    sio_client *client = connected();
    sio_message *reply;

    CHECK_OK(client, sio_client_call(client, "echo_ack", "[\"a\",2]", NULL, 0, 5000, &reply));
    CHECK_INT(SIO_MESSAGE_REPLY, sio_message_kind(reply));
    check_message(reply, "", 0, "[\"a\",2]");
    CHECK_INT(0, sio_message_wants_ack(reply));
    sio_message_free(reply);
    CHECK_OK(client, sio_client_call(client, "echo_ack", NULL, NULL, 0, 5000, &reply));
    check_message(reply, "", 0, "[]");
    sio_message_free(reply);
    CHECK_OK(client, sio_client_call(client, "echo_ack", "[1]", NULL, 0, 5000, NULL));
    sio_client_free(client);
}

static void find_finds_values_and_bytes(void)
{
    static const char args[] = "[{\"file\":" SIO_PLACEHOLDER(1) ",\"n\":1},"
                               SIO_PLACEHOLDER(0) ",{\"s\":\"t\"}]";
    const sio_buffer buffers[] = {{"\0\1\2", 3}, {"", 0}};
    sio_client *client = connected();
    sio_message *reply;
    const void *value;
    size_t len, i;

    CHECK_OK(client, sio_client_call(client, "echo_ack", args, buffers, 2, 5000, &reply));
    CHECK_INT(2, sio_message_buffer_count(reply));
    CHECK_INT(SIO_JSON_NUMBER, sio_message_find(reply, "/0/n", &value, &len));
    CHECK_INT('1', *(const char *)value);
    CHECK_INT(1, len);
    CHECK_INT(SIO_JSON_STRING, sio_message_find(reply, "/2/s", &value, &len));
    CHECK(len == 3 && memcmp(value, "\"t\"", 3) == 0);
    CHECK_INT(SIO_JSON_ARRAY, sio_message_find(reply, "", &value, NULL));
    CHECK(value == sio_message_args(reply, NULL));
    CHECK_INT(SIO_JSON_NONE, sio_message_find(reply, "/3", &value, &len));
    CHECK(value == NULL && len == 0);

    CHECK_INT(SIO_JSON_BUFFER, sio_message_find(reply, "/1", &value, &len));
    CHECK(len == 3 && memcmp(value, "\0\1\2", 3) == 0);
    CHECK_INT(SIO_JSON_BUFFER, sio_message_find(reply, "/0/file", &value, &len));
    CHECK(value != NULL);
    CHECK_INT(0, len);
    CHECK_INT(SIO_JSON_BUFFER, sio_message_find(reply, "/1", NULL, NULL));
    for (i = 0; i < 2; i++) {
        CHECK(sio_message_buffer(reply, i, &len) != NULL);
        CHECK(len == 0 || len == 3);
    }
    CHECK(sio_message_buffer(reply, 2, &len) == NULL);
    sio_message_free(reply);
    sio_client_free(client);
}

static void large_messages_are_whole(void)
{
    const size_t sizes[] = {1000, 16383, 16384, 16400, 32767, 32768, 70000, 400000};
    sio_client *client = connected();
    sio_message *reply;
    size_t i, j, len;

    for (i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t size = sizes[i];
        char *text = malloc(size + 200), *bytes = malloc(size);
        sio_buffer buffers[2];
        const void *value;

        for (j = 0; j < size; j++) bytes[j] = (char)(j * 31);
        buffers[0].data = buffers[1].data = bytes;
        buffers[0].len = size;
        buffers[1].len = size / 2;
        memset(text, 'x', size);
        memcpy(text, "[\"", 2);
        strcpy(text + size, "\"]");
        CHECK_OK(client, sio_client_call(client, "echo_ack", text, NULL, 0, 20000, &reply));
        check_message(reply, "", 0, text);
        sio_message_free(reply);
        strcpy(text + size, "\"," SIO_PLACEHOLDER(0) "," SIO_PLACEHOLDER(1) "]");
        CHECK_OK(client, sio_client_call(client, "echo_ack", text, buffers, 2, 20000, &reply));
        check_message(reply, "", 0, text);
        check_bytes(reply, 0, bytes, size);
        check_bytes(reply, 1, bytes, size / 2);
        CHECK_INT(SIO_JSON_BUFFER, sio_message_find(reply, "/2", &value, &len));
        CHECK(value == sio_message_buffer(reply, 1, NULL));
        sio_message_free(reply);
        free(text);
        free(bytes);
    }
    sio_client_free(client);
}

/* More buffers than are handed on without a list on the heap, and no more than the server takes. */
static void many_buffers_keep_their_order(void)
{
    sio_client *client = connected();
    sio_buffer buffers[10];
    char args[1000] = "[", bytes[10][3];
    sio_message *reply;
    int i;

    for (i = 0; i < 10; i++) {
        sprintf(args + strlen(args), "%s{\"_placeholder\":true,\"num\":%d}", i == 0 ? "" : ",", i);
        memset(bytes[i], i, 3);
        buffers[i].data = bytes[i];
        buffers[i].len = (size_t)(i % 4);
    }
    strcat(args, "]");
    CHECK_OK(client, sio_client_call(client, "echo_ack", args, buffers, 10, 5000, &reply));
    CHECK_INT(10, sio_message_buffer_count(reply));
    for (i = 0; i < 10; i++) check_bytes(reply, (size_t)i, bytes[i], (size_t)(i % 4));
    sio_message_free(reply);
    sio_client_free(client);
}

static void what_the_server_wrote_is_what_comes(void)
{
    static const struct { const char *name; size_t name_len; const char *args; } expected[] = {
        {"raw", 3, "[ 1.0 , 1e2,\"\\u00e9\\/\" ]"},
        {"none", 4, "[]"},
        {"", 0, "[null]"},
        {"a\0b", 3, "[1]"},
        {"a\"b", 3, "[]"},
        {"7", 1, "[\"x\"]"},
        {"-1.5e3", 6, "[]"},
        {"\xef\xbf\xbd", 3, "[\"\\ud800\"]"},
        {"disconnect", 10, "[1]"},
        {"plain", 5, "[{\"_placeholder\":true,\"num\":0}]"},
    };
    sio_client *client = websocket_client();
    sio_message *message;
    const void *value;
    size_t i, len;

    CHECK_OK(client, sio_client_set_int(client, "reconnection", 0));
    CHECK_OK(client, sio_client_connect(client, argument(2), 10000));
    for (i = 0; i < sizeof expected / sizeof *expected; i++) {
        message = receive(client);
        check_message(message, expected[i].name, expected[i].name_len, expected[i].args);
        CHECK_INT(0, sio_message_buffer_count(message));
        if (strcmp(expected[i].name, "plain") == 0)
            CHECK_INT(SIO_JSON_OBJECT, sio_message_find(message, "/0", &value, &len));
        sio_message_free(message);
    }

    /* Buffers: one named twice, one never. */
    message = receive(client);
    check_message(message, "bytes", 5,
                  "[{\"num\":1,\"_placeholder\":true}, {\"\\u005fplaceholder\":true,\"num\":1}]");
    CHECK_INT(2, sio_message_buffer_count(message));
    check_bytes(message, 0, "first", 5);
    check_bytes(message, 1, "", 0);
    CHECK_INT(SIO_JSON_BUFFER, sio_message_find(message, "/0", &value, &len));
    CHECK_INT(SIO_JSON_BUFFER, sio_message_find(message, "/1", &value, &len));
    CHECK_INT(0, len);
    sio_message_free(message);

    /* Id 0 is one like any other. Answers go out byte for byte. */
    message = receive(client);
    CHECK_INT(1, sio_message_wants_ack(message));
    CHECK_OK(client, sio_message_ack(message, " [ 1.0,\"\\u00e9\" ] ", NULL, 0));
    sio_message_free(message);
    message = receive(client);
    CHECK_INT(1, sio_message_wants_ack(message));
    sio_message_free(message);
    message = receive(client);
    CHECK_OK(client, sio_message_ack(message, "[" SIO_PLACEHOLDER(0) "]", &(sio_buffer){"\0z", 2}, 1));
    sio_message_free(message);
    /* The script ends when it has had all answers. */
    CHECK_STATUS(SIO_E_DISCONNECTED, client, sio_client_receive(client, 10000, &message));
    CHECK(message == NULL);
    sio_client_free(client);
}

static sio_message *asked(sio_client *client, const char *args, const sio_buffer *buffers, size_t count)
{
    CHECK_OK(client, sio_client_emit(client, "ask", args, buffers, count, 1000));
    return next_event(client, "question");
}

static void a_question_can_be_answered_once_and_later(void)
{
    const sio_buffer bytes = {"\x89PNG", 4};
    sio_client *client = connected();
    sio_message *first, *second, *answer;

    take_welcome(client);
    first = asked(client, "[1]", NULL, 0);
    second = asked(client, "[" SIO_PLACEHOLDER(0) "]", &bytes, 1);
    CHECK_INT(1, sio_message_buffer_count(second));
    CHECK_INT(1, sio_message_wants_ack(first));
    CHECK_INT(1, sio_message_wants_ack(second));
    CHECK_OK(client, sio_message_ack(second, "[\"photo\"," SIO_PLACEHOLDER(0) "]", &bytes, 1));
    answer = next_event(client, "answer");
    check_bytes(answer, 0, "\x89PNG", 4);
    sio_message_free(answer);
    CHECK_OK(client, sio_message_ack(first, NULL, NULL, 0));
    expect_event(client, "answer", "[]");
    CHECK_INT(0, sio_message_wants_ack(first));
    CHECK_STATUS(SIO_E_STATE, client, sio_message_ack(first, NULL, NULL, 0));
    sio_message_free(first);
    sio_message_free(second);
    sio_client_free(client);
}

static void a_question_freed_unanswered_is_answered_with_no_arguments(void)
{
    sio_client *client = connected();
    take_welcome(client);
    sio_message_free(asked(client, "[1]", NULL, 0));
    expect_event(client, "answer", "[]");
    sio_client_free(client);
}

static void with_ack_unanswered_0_a_question_freed_is_not_answered(void)
{
    sio_client *client = sio_client_new();
    CHECK_OK(client, sio_client_set_int(client, SIO_OPT_ACK_UNANSWERED, 0));
    CHECK_OK(client, sio_client_connect(client, server(), 10000));
    take_welcome(client);
    sio_message_free(asked(client, "[1]", NULL, 0));
    CHECK_OK(client, sio_client_emit(client, "echo", "[\"first\"]", NULL, 0, 1000));
    expect_event(client, "echo", "[\"first\"]");
    sio_client_free(client);
}

static void an_answer_that_failed_can_be_given_again(void)
{
    sio_client *client = connected();
    size_t size = 1000000;
    char *args = malloc(size + 10);
    sio_message *question;

    take_welcome(client);
    question = asked(client, "[1]", NULL, 0);
    memset(args, 'x', size);
    memcpy(args, "[\"", 2);
    strcpy(args + size, "\"]");
    CHECK_STATUS(SIO_E_TOO_LARGE, client, sio_message_ack(question, args, NULL, 0));
    CHECK_INT(1, sio_message_wants_ack(question));
    CHECK_OK(client, sio_message_ack(question, "[2]", NULL, 0));
    expect_event(client, "answer", "[2]");
    sio_message_free(question);
    free(args);
    sio_client_free(client);
}

static void a_question_of_an_old_connection_wants_no_answer(void)
{
    sio_client *client = connected();
    sio_message *question;

    take_welcome(client);
    question = asked(client, "[1]", NULL, 0);
    CHECK_OK(client, sio_client_disconnect(client, 5000));
    CHECK_INT(0, sio_message_wants_ack(question));
    CHECK_STATUS(SIO_E_DISCONNECTED, client, sio_message_ack(question, NULL, NULL, 0));
    CHECK_HAS("connection", error_text(client));
    CHECK_OK(client, sio_client_connect(client, NULL, 10000));
    CHECK_INT(0, sio_message_wants_ack(question));
    CHECK_STATUS(SIO_E_DISCONNECTED, client, sio_message_ack(question, NULL, NULL, 0));
    sio_message_free(question);
    sio_client_free(client);
}

static sio_message *shared_message;

static void *reader(void *unused)
{
    int i;
    for (i = 0; i < 2000; i++) {
        const void *value;
        size_t len;
        CHECK_TEXT("echo", sio_message_event(shared_message, NULL));
        CHECK_INT(SIO_JSON_BUFFER, sio_message_find(shared_message, "/1", &value, &len));
        CHECK(len == 3 && memcmp(value, "abc", 3) == 0);
        CHECK_INT(0, sio_message_wants_ack(shared_message));
    }
    return unused;
}

static void any_number_of_threads_may_read_a_message(void)
{
    const sio_buffer bytes = {"abc", 3};
    sio_client *client = connected();
    pthread_t threads[4];
    int i;

    take_welcome(client);
    CHECK_OK(client, sio_client_emit(client, "echo", "[1," SIO_PLACEHOLDER(0) "]", &bytes, 1, 1000));
    shared_message = next_event(client, "echo");
    for (i = 0; i < 4; i++) threads[i] = start(reader, NULL);
    for (i = 0; i < 4; i++) finish(threads[i]);
    sio_message_free(shared_message);
    sio_client_free(client);
}

static sio_message *question_for_all;

static void *answerer(void *answered)
{
    if (sio_message_ack(question_for_all, NULL, NULL, 0) == SIO_OK)
        __sync_fetch_and_add((int *)answered, 1);
    return NULL;
}

static void of_many_threads_that_answer_one_does(void)
{
    sio_client *client = connected();
    int round, i;

    take_welcome(client);
    for (round = 0; round < 20; round++) {
        pthread_t threads[4];
        int answered = 0;
        question_for_all = asked(client, "[1]", NULL, 0);
        for (i = 0; i < 4; i++) threads[i] = start(answerer, &answered);
        for (i = 0; i < 4; i++) finish(threads[i]);
        CHECK_INT(1, answered);
        sio_message_free(question_for_all);
        expect_event(client, "answer", "[]");
    }
    sio_client_free(client);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    RUN(an_event_has_its_name_and_its_arguments);
    RUN(a_reply_has_no_name);
    RUN(find_finds_values_and_bytes);
    RUN(large_messages_are_whole);
    RUN(many_buffers_keep_their_order);
    RUN(what_the_server_wrote_is_what_comes);
    RUN(a_question_can_be_answered_once_and_later);
    RUN(a_question_freed_unanswered_is_answered_with_no_arguments);
    RUN(with_ack_unanswered_0_a_question_freed_is_not_answered);
    RUN(an_answer_that_failed_can_be_given_again);
    RUN(a_question_of_an_old_connection_wants_no_answer);
    RUN(any_number_of_threads_may_read_a_message);
    RUN(of_many_threads_that_answer_one_does);
    return 0;
}

/* Every function with every kind of bad argument: the status, a text that names the argument, nothing
 * sent, and a connection that goes on. */
#include "check.h"

#include <limits.h>
#include <stdint.h>

static sio_client *client;

/* So that a text can only be that of the call under test. */
static void spoil_error_text(void)
{
    CHECK_INT(SIO_E_UNSUPPORTED, sio_client_set(client, "spoilt", "x"));
}

#define REFUSED_AS(status, part, call) \
    do { \
        spoil_error_text(); \
        CHECK_STATUS(status, client, call); \
        CHECK_HAS(part, error_text(client)); \
        CHECK_TEXT(sio_status_name(status), unquoted(error_member(client, "/name"))); \
    } while (0)
#define REFUSED(part, call) REFUSED_AS(SIO_E_INVALID, part, call)

static const char *unquoted(const char *json)
{
    static char text[500];
    sio_json_unquote(json, text, sizeof text);
    return text;
}

static const char not_utf8[] = "ab\xff";
static const char half_a_character[] = "\xf0\x9f\x98";
static const char surrogate[] = "\xed\xa0\x80";

static void a_null_client_is_never_a_crash(void)
{
    sio_message *message = (sio_message *)&client;
    char buf[8] = "zzzz";

    sio_client_free(NULL);
    CHECK_INT(SIO_E_INVALID, sio_client_set(NULL, "url", "x"));
    CHECK_INT(SIO_E_INVALID, sio_client_set_int(NULL, "send_limit", 1));
    CHECK_INT(SIO_E_INVALID, sio_client_set_header(NULL, "A", "b"));
    CHECK_INT(SIO_E_INVALID, sio_client_set_prepare(NULL, NULL, NULL));
    CHECK_INT(SIO_E_INVALID, sio_client_set_log(NULL, 1, NULL, NULL));
    CHECK_INT(SIO_E_INVALID, sio_client_connect(NULL, server(), 0));
    CHECK_INT(SIO_E_INVALID, sio_client_flush(NULL, 0));
    CHECK_INT(SIO_E_INVALID, sio_client_disconnect(NULL, 0));
    CHECK_INT(SIO_E_INVALID, sio_client_emit(NULL, "e", NULL, NULL, 0, 0));
    CHECK_INT(SIO_E_INVALID, sio_client_call(NULL, "e", NULL, NULL, 0, 0, &message));
    CHECK(message == NULL);
    message = (sio_message *)&client;
    CHECK_INT(SIO_E_INVALID, sio_client_receive(NULL, 0, &message));
    CHECK(message == NULL);
    sio_client_interrupt(NULL);
    CHECK_INT(SIO_E_INVALID, sio_client_state(NULL));
    CHECK_TEXT("", sio_client_transport(NULL));
    CHECK_INT(0, sio_client_get(NULL, "url", buf, sizeof buf));
    CHECK_TEXT("", buf);
    buf[0] = 'z';
    CHECK_INT(0, sio_client_sid(NULL, buf, sizeof buf));
    CHECK_TEXT("", buf);
    buf[0] = 'z';
    CHECK_INT(0, sio_client_error(NULL, buf, sizeof buf));
    CHECK_TEXT("", buf);
    buf[0] = 'z';
    CHECK_INT(0, sio_client_error_json(NULL, buf, sizeof buf));
    CHECK_TEXT("", buf);
    buf[0] = 'z';
    CHECK_INT(0, sio_client_stats(NULL, buf, sizeof buf));
    CHECK_TEXT("", buf);
    CHECK_INT(0, sio_client_sid(NULL, NULL, 0));
}

static void a_null_message_is_never_a_crash(void)
{
    const void *value = &value;
    size_t len = 7;

    sio_message_free(NULL);
    CHECK_INT(SIO_E_INVALID, sio_message_kind(NULL));
    CHECK_TEXT("", sio_message_event(NULL, &len));
    CHECK_INT(0, len);
    CHECK_TEXT("", sio_message_event(NULL, NULL));
    len = 7;
    CHECK_TEXT("", sio_message_args(NULL, &len));
    CHECK_INT(0, len);
    len = 7;
    CHECK_INT(SIO_JSON_NONE, sio_message_find(NULL, "", &value, &len));
    CHECK(value == NULL);
    CHECK_INT(0, len);
    CHECK_INT(SIO_JSON_NONE, sio_message_find(NULL, NULL, NULL, NULL));
    CHECK_INT(0, sio_message_buffer_count(NULL));
    len = 7;
    CHECK(sio_message_buffer(NULL, 0, &len) == NULL);
    CHECK_INT(0, len);
    CHECK(sio_message_buffer(NULL, 0, NULL) == NULL);
    CHECK_INT(0, sio_message_wants_ack(NULL));
    CHECK_INT(SIO_E_INVALID, sio_message_ack(NULL, NULL, NULL, 0));
}

static void a_status_nobody_knows_has_a_name_and_a_text(void)
{
    const int statuses[] = {1, -15, -1000, INT_MAX, INT_MIN};
    size_t i;
    for (i = 0; i < sizeof statuses / sizeof *statuses; i++) {
        CHECK_TEXT("unknown", sio_status_name(statuses[i]));
        CHECK(sio_status_text(statuses[i])[0] != 0);
    }
    CHECK_TEXT("SIO_OK", sio_status_name(SIO_OK));
    CHECK_TEXT("SIO_E_FULL", sio_status_name(SIO_E_FULL));
    CHECK_TEXT("the time allowed ran out", sio_status_text(SIO_E_TIMEOUT));
}

static void a_bad_timeout_is_refused_before_all_else(void)
{
    const int timeouts[] = {-2, -1000, INT_MIN};
    sio_message *message;
    char part[60];
    size_t i;

    for (i = 0; i < sizeof timeouts / sizeof *timeouts; i++) {
        int bad = timeouts[i];
        snprintf(part, sizeof part, "argument `timeout_ms` is %d", bad);
        REFUSED(part, sio_client_connect(client, not_utf8, bad));
        REFUSED(part, sio_client_flush(client, bad));
        REFUSED(part, sio_client_disconnect(client, bad));
        REFUSED(part, sio_client_emit(client, NULL, not_utf8, NULL, 1, bad));
        message = (sio_message *)&client;
        REFUSED(part, sio_client_call(client, NULL, not_utf8, NULL, 1, bad, &message));
        CHECK(message == NULL);
        REFUSED(part, sio_client_receive(client, bad, NULL));
    }
    CHECK_INT(SIO_STATE_CONNECTED, sio_client_state(client));
}

static void options_are_checked(void)
{
    const char *flags[] = {"retry_connect", "reconnection", "retry_refused", "enforce_max_payload",
                           "ack_unanswered", "tls_verify", "cookies", "report_state"};
    const char *files[] = {"tls_ca_file", "tls_cert_file", "tls_key_file"};
    const char *numbers[] = {"attempt_timeout_ms", "request_timeout_ms", "send_limit", "receive_limit",
                             "max_message_bytes", "max_attachments", "reconnect_attempts",
                             "reconnect_min_ms", "reconnect_max_ms", "reconnect_jitter"};
    const char *no_numbers[] = {"", "-1", "+1", " 1", "1 ", "01", "1e3", "0x10", "1.0",
                                "9999999999999999999"};
    char part[60];
    size_t i, j;

    REFUSED("argument `option` is NULL", sio_client_set(client, NULL, "x"));
    REFUSED("argument `option` is not UTF-8 at byte 2", sio_client_set(client, not_utf8, "x"));
    REFUSED("argument `value` is not UTF-8 at byte 2", sio_client_set(client, "auth", not_utf8));
    REFUSED("argument `value` is not UTF-8 at byte 0", sio_client_set(client, "auth", surrogate));
    REFUSED("argument `option` is NULL", sio_client_set_int(client, NULL, 1));
    REFUSED("argument `option` is not UTF-8", sio_client_set_int(client, not_utf8, 1));
    REFUSED_AS(SIO_E_UNSUPPORTED, "\"nonsense\"", sio_client_set(client, "nonsense", "1"));
    REFUSED_AS(SIO_E_UNSUPPORTED, "\"nonsense\"", sio_client_set(client, "nonsense", NULL));
    REFUSED_AS(SIO_E_UNSUPPORTED, "\"nonsense\"", sio_client_set_int(client, "nonsense", 1));
    REFUSED_AS(SIO_E_UNSUPPORTED, "\"proxy\"", sio_client_set(client, "proxy", "http://localhost:1"));
    REFUSED("\"report_attempts\"", sio_client_set(client, "report_attempts", "yes"));
    CHECK_OK(client, sio_client_set_int(client, "report_attempts", 0));
    for (i = 0; i < sizeof flags / sizeof *flags; i++) {
        snprintf(part, sizeof part, "option \"%s\"", flags[i]);
        REFUSED(part, sio_client_set(client, flags[i], "yes"));
        REFUSED(part, sio_client_set(client, flags[i], ""));
        REFUSED(part, sio_client_set_int(client, flags[i], 2));
        REFUSED(part, sio_client_set_int(client, flags[i], -1));
        CHECK_OK(client, sio_client_set_int(client, flags[i], 0));
        CHECK_OK(client, sio_client_set(client, flags[i], "1"));
        CHECK_OK(client, sio_client_set(client, flags[i], NULL));
    }
    for (i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(part, sizeof part, "option \"%s\"", files[i]);
        REFUSED(part, sio_client_set(client, files[i], ""));
        CHECK_OK(client, sio_client_set(client, files[i], "/no/such/file"));
        CHECK_OK(client, sio_client_set(client, files[i], NULL));
    }
    for (i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        snprintf(part, sizeof part, "option \"%s\"", numbers[i]);
        for (j = 0; j < sizeof no_numbers / sizeof *no_numbers; j++)
            REFUSED(part, sio_client_set(client, numbers[i], no_numbers[j]));
        REFUSED(part, sio_client_set_int(client, numbers[i], -1));
        REFUSED(part, sio_client_set_int(client, numbers[i], INT64_MAX));
        REFUSED(part, sio_client_set_int(client, numbers[i], INT64_MIN));
    }
    REFUSED("option \"namespace\"", sio_client_set(client, "namespace", "admin"));
    REFUSED("option \"namespace\"", sio_client_set(client, "namespace", "/a,b"));
    REFUSED("option \"namespace\"", sio_client_set(client, "namespace", "/a\nb"));
    REFUSED("option \"path\"", sio_client_set(client, "path", "/a?b"));
    REFUSED("option \"path\"", sio_client_set(client, "path", "/a#b"));
    REFUSED("at byte 5", sio_client_set(client, "auth", "{\"a\":}"));
    REFUSED("option \"auth\"", sio_client_set(client, "auth", ""));
    REFUSED("option \"offline\"", sio_client_set(client, "offline", "Wait"));
    REFUSED("\"drop_oldest\"", sio_client_set(client, "receive_overflow", "drop"));
    REFUSED("option \"transports\"", sio_client_set(client, "transports", ""));
    REFUSED("option \"transports\"", sio_client_set(client, "transports", "websocket, polling"));
    REFUSED("option \"transports\"", sio_client_set(client, "transports", "polling,polling"));
    REFUSED("option \"reconnect_jitter\"", sio_client_set_int(client, "reconnect_jitter", 101));
}

static void what_was_refused_has_changed_nothing(void)
{
    char buf[100];
    CHECK_INT(5, sio_client_get(client, "attempt_timeout_ms", buf, sizeof buf));
    CHECK_TEXT("20000", buf);
    CHECK_INT(1, sio_client_get(client, "namespace", buf, sizeof buf));
    CHECK_TEXT("/", buf);
    CHECK_INT(0, sio_client_get(client, "auth", buf, sizeof buf));
    CHECK_INT(17, sio_client_get(client, "transports", buf, sizeof buf));
    CHECK_TEXT("polling,websocket", buf);
    CHECK_INT(0, sio_client_get(client, "nonsense", buf, sizeof buf));
    CHECK_TEXT("", buf);
    strcpy(buf, "zzz");
    CHECK_INT(0, sio_client_get(client, NULL, buf, sizeof buf));
    CHECK_TEXT("", buf);
    CHECK_INT(0, sio_client_get(client, not_utf8, buf, sizeof buf));
}

static void headers_are_checked(void)
{
    REFUSED("argument `name` is not UTF-8", sio_client_set_header(client, not_utf8, "x"));
    REFUSED("argument `value` is not UTF-8", sio_client_set_header(client, "X-A", not_utf8));
    REFUSED("X-A", sio_client_set_header(client, "X-A", "a\r\nX-B: c"));
    REFUSED("header", sio_client_set_header(client, "X\nA", "a"));
    REFUSED("header", sio_client_set_header(client, "", "a"));
    REFUSED("header", sio_client_set_header(client, "X A", "a"));
    REFUSED("Host", sio_client_set_header(client, "Host", "a"));
    REFUSED("sec-websocket-key", sio_client_set_header(client, "sec-websocket-key", "a"));
    CHECK_OK(client, sio_client_set_header(client, "X-None", NULL));
    CHECK_OK(client, sio_client_set_header(client, NULL, "ignored"));
}

static void ignore(void *user, int level, const char *line)
{
    (void)user;
    (void)level;
    (void)line;
}

static void log_levels_are_checked(void)
{
    const int levels[] = {0, 5, -1, INT_MAX, INT_MIN};
    size_t i;
    for (i = 0; i < sizeof levels / sizeof *levels; i++) {
        REFUSED("argument `level` is", sio_client_set_log(client, levels[i], ignore, NULL));
        CHECK_OK(client, sio_client_set_log(client, levels[i], NULL, NULL));
    }
}

static void urls_are_checked(void)
{
    const char *bad[] = {"", "localhost:5000", "ftp://localhost", "http://", "http:///", "http://:80",
                         "http://localhost:0", "http://localhost:65536", "http://localhost:x",
                         "http://localhost/chat", "http://localhost#x", "http://local host",
                         "http://local\nhost", "http://[::1", "http://a\tb"};
    sio_client *kept = client;
    size_t i;

    REFUSED("argument `url` is not UTF-8", sio_client_connect(client, not_utf8, 1000));
    REFUSED_AS(SIO_E_STATE, "connected already", sio_client_connect(client, server(), 1000));
    REFUSED_AS(SIO_E_STATE, "connected already", sio_client_connect(client, NULL, 1000));
    REFUSED_AS(SIO_E_STATE, "connected already", sio_client_connect(client, server(), 0));
    client = sio_client_new();
    REFUSED("there is no URL", sio_client_connect(client, NULL, 1000));
    REFUSED("there is no URL", sio_client_connect(client, NULL, 0));
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        REFUSED("option \"url\"", sio_client_connect(client, bad[i], 1000));
        REFUSED("option \"url\"", sio_client_connect(client, bad[i], 0));
        REFUSED("option \"url\"", sio_client_set(client, "url", bad[i]));
    }
    REFUSED("`namespace`", sio_client_connect(client, "http://localhost/chat", 1000));
    REFUSED_AS(SIO_E_TIMEOUT, "nothing was tried", sio_client_connect(client, "https://localhost", 0));
    REFUSED_AS(SIO_E_TIMEOUT, "nothing was tried", sio_client_connect(client, "wss://localhost", 0));
    CHECK_OK(client, sio_client_set_int(client, "receive_limit", 0));
    REFUSED("\"receive_limit\"", sio_client_connect(client, server(), 1000));
    CHECK_INT(SIO_STATE_DISCONNECTED, sio_client_state(client));
    sio_client_free(client);
    client = kept;
}

static void events_and_arguments_are_checked(void)
{
    static const char *const reserved[] = {"connect", "connect_error", "disconnect", "disconnecting",
                                           "newListener", "removeListener"};
    static const struct { const char *args, *part; } bad[] = {
        {"", "at byte 0"},          {"{}", "array"},           {"1", "array"},
        {"[", "at byte 1"},         {"[1", "at byte 2"},       {"[1,]", "at byte 3"},
        {"[1] 2", "at byte 4"},     {"[NaN]", "NaN"},          {"[Infinity]", "at byte 1"},
        {"[01]", "at byte 2"},      {"['a']", "at byte 1"},    {"[\"a\nb\"]", "at byte 3"},
        {"[\"\\x\"]", "at byte"},   {"[{\"a\" 1}]", "at byte"}, {"[tru]", "at byte"},
        {"[1e]", "at byte"},        {"[\"a]", "at byte 4"},
    };
    sio_message *reply;
    size_t i;

    REFUSED("argument `event` is NULL", sio_client_emit(client, NULL, "[]", NULL, 0, 0));
    REFUSED("argument `event` is NULL", sio_client_call(client, NULL, "[]", NULL, 0, 1000, &reply));
    REFUSED("argument `event` is not UTF-8 at byte 2", sio_client_emit(client, not_utf8, NULL, NULL, 0, 0));
    REFUSED("argument `event` is not UTF-8 at byte 0",
            sio_client_call(client, half_a_character, NULL, NULL, 0, 1000, NULL));
    REFUSED("argument `args` is not UTF-8 at byte 2", sio_client_emit(client, "e", not_utf8, NULL, 0, 0));
    REFUSED("argument `args` is not UTF-8 at byte 2",
            sio_client_call(client, "e", not_utf8, NULL, 0, 1000, &reply));
    for (i = 0; i < sizeof reserved / sizeof *reserved; i++) {
        REFUSED(reserved[i], sio_client_emit(client, reserved[i], NULL, NULL, 0, 0));
        REFUSED("reserved", sio_client_call(client, reserved[i], NULL, NULL, 0, 1000, &reply));
    }
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        REFUSED(bad[i].part, sio_client_emit(client, "e", bad[i].args, NULL, 0, 0));
        REFUSED("args", sio_client_emit(client, "e", bad[i].args, NULL, 0, 0));
        reply = (sio_message *)&client;
        REFUSED(bad[i].part, sio_client_call(client, "e", bad[i].args, NULL, 0, 1000, &reply));
        CHECK(reply == NULL);
    }
}

static void buffers_are_checked(void)
{
    static const char one[] = "[" SIO_PLACEHOLDER(0) "]";
    static const char *const bad[] = {
        NULL,
        "[]",
        "[1,2]",
        "[" SIO_PLACEHOLDER(1) "]",
        "[" SIO_PLACEHOLDER(0) "," SIO_PLACEHOLDER(0) "]",
        "[" SIO_PLACEHOLDER(0) "," SIO_PLACEHOLDER(1) "]",
        "[{\"_placeholder\":true}]",
        "[{\"_placeholder\":true,\"num\":\"0\"}]",
        "[{\"_placeholder\":true,\"num\":-1}]",
        "[{\"_placeholder\":true,\"num\":0.0}]",
        "[{\"_placeholder\":1,\"num\":0}]",
        "[",
    };
    sio_buffer good = {"abc", 3}, nothing = {NULL, 0}, no_data = {NULL, 5}, endless = {"abc", SIZE_MAX};
    sio_buffer ten[10];
    sio_message *reply;
    size_t i;

    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        REFUSED("args", sio_client_emit(client, "e", bad[i], &good, 1, 0));
        REFUSED("args", sio_client_call(client, "e", bad[i], &good, 1, 1000, &reply));
    }
    REFUSED("argument `buffers` is NULL, but `count` is 1", sio_client_emit(client, "e", one, NULL, 1, 0));
    REFUSED("argument `buffers` is NULL", sio_client_call(client, "e", one, NULL, 1, 1000, &reply));
    REFUSED("argument `buffers[0]`", sio_client_emit(client, "e", one, &no_data, 1, 0));
    REFUSED("argument `buffers[0]`", sio_client_emit(client, "e", one, &endless, 1, 0));
    REFUSED("argument `count`", sio_client_emit(client, "e", one, &good, SIZE_MAX, 0));
    for (i = 0; i < 10; i++) ten[i] = i == 9 ? no_data : nothing;
    REFUSED("argument `buffers[9]`", sio_client_emit(client, "e", one, ten, 10, 0));
    REFUSED("args", sio_client_emit(client, "e", one, ten, 9, 0));
}

static void what_is_too_large_is_refused(void)
{
    size_t size = 1000000;
    char *args = malloc(size + 10);
    sio_buffer buffer;
    sio_message *reply;

    memset(args, 'x', size + 5);
    memcpy(args, "[\"", 2);
    strcpy(args + size, "\"]");
    buffer.data = args;
    buffer.len = size;
    REFUSED_AS(SIO_E_TOO_LARGE, "1000000", sio_client_emit(client, "e", args, NULL, 0, 1000));
    REFUSED_AS(SIO_E_TOO_LARGE, "1000000", sio_client_call(client, "e", args, NULL, 0, 1000, &reply));
    REFUSED_AS(SIO_E_TOO_LARGE, "1000000",
               sio_client_emit(client, "e", "[" SIO_PLACEHOLDER(0) "]", &buffer, 1, 1000));
    free(args);
}

static void outputs_that_have_to_be_there_are_checked(void)
{
    REFUSED("argument `message` is NULL", sio_client_receive(client, 0, NULL));
}

static void functions_of_a_message_are_checked(void)
{
    sio_message *question, *reply;
    sio_buffer no_data = {NULL, 5}, good = {"abc", 3};
    const void *value = &value;
    size_t len = 7;

    CHECK_OK(client, sio_client_emit(client, "ask", "[1]", NULL, 0, 1000));
    question = next_event(client, "question");
    CHECK_INT(1, sio_message_wants_ack(question));
    CHECK_INT(SIO_JSON_NONE, sio_message_find(question, NULL, &value, &len));
    CHECK(value == NULL);
    CHECK_INT(0, len);
    CHECK_INT(SIO_JSON_NONE, sio_message_find(question, not_utf8, NULL, NULL));
    CHECK_INT(SIO_JSON_NONE, sio_message_find(question, "0", NULL, NULL));
    CHECK_INT(SIO_JSON_NONE, sio_message_find(question, "/1", NULL, NULL));
    len = 7;
    CHECK(sio_message_buffer(question, 0, &len) == NULL);
    CHECK_INT(0, len);
    CHECK(sio_message_buffer(question, SIZE_MAX, NULL) == NULL);
    REFUSED("argument `args` is not UTF-8 at byte 2", sio_message_ack(question, not_utf8, NULL, 0));
    REFUSED("at byte 3", sio_message_ack(question, "[1,]", NULL, 0));
    REFUSED("array", sio_message_ack(question, "{}", NULL, 0));
    REFUSED("argument `buffers` is NULL", sio_message_ack(question, "[]", NULL, 1));
    REFUSED("argument `buffers[0]`", sio_message_ack(question, "[" SIO_PLACEHOLDER(0) "]", &no_data, 1));
    REFUSED("args", sio_message_ack(question, "[]", &good, 1));
    CHECK_INT(1, sio_message_wants_ack(question));
    CHECK_OK(client, sio_message_ack(question, "[\"yes\"]", NULL, 0));
    CHECK_INT(0, sio_message_wants_ack(question));
    REFUSED_AS(SIO_E_STATE, "has had its answer", sio_message_ack(question, "[\"no\"]", NULL, 0));
    sio_message_free(question);
    expect_event(client, "answer", "[\"yes\"]");

    CHECK_OK(client, sio_client_call(client, "add", "[2, 3]", NULL, 0, 5000, &reply));
    REFUSED_AS(SIO_E_STATE, "no answer", sio_message_ack(reply, "[]", NULL, 0));
    sio_message_free(reply);
}

static void text_is_copied_like_snprintf_does(void)
{
    char buf[200], whole[200];
    size_t length;

    spoil_error_text();
    length = sio_client_error(client, whole, sizeof whole);
    CHECK_INT(length, strlen(whole));
    CHECK_INT(length, sio_client_error(client, NULL, 0));
    CHECK_INT(length, sio_client_error(client, NULL, 50));
    memset(buf, 'z', sizeof buf);
    CHECK_INT(length, sio_client_error(client, buf, 10));
    CHECK_INT(9, strlen(buf));
    CHECK(strncmp(buf, whole, 9) == 0);
    CHECK_INT('z', buf[10]);
    CHECK_INT(length, sio_client_error(client, buf, length + 1));
    CHECK_TEXT(whole, buf);
    CHECK_INT(length, sio_client_error(client, buf, 1));
    CHECK_TEXT("", buf);
    CHECK_INT(sio_client_sid(client, NULL, 0), sio_client_sid(client, buf, sizeof buf));
    CHECK(sio_client_stats(client, buf, 20) > 100);
    CHECK_INT(19, strlen(buf));
    CHECK(sio_client_error_json(client, buf, 20) > 30);
    CHECK_INT(19, strlen(buf));
    CHECK_OK(client, sio_client_set(client, "auth", "\"caf\xc3\xa9\""));
    CHECK_INT(7, sio_client_get(client, "auth", buf, 6));
    CHECK_TEXT("\"caf", buf);
    CHECK_INT(7, sio_client_get(client, "auth", buf, 7));
    CHECK_TEXT("\"caf\xc3\xa9", buf);
}

/* What runs between the two has sent nothing, and the connection has not noticed it. */
static long long packets, bytes;

static void remember_what_was_sent(void)
{
    packets = stat_of(client, "/packets_sent");
    bytes = stat_of(client, "/bytes_sent");
}

static void nothing_was_sent(void)
{
    sio_message *reply;
    CHECK_INT(packets, stat_of(client, "/packets_sent"));
    CHECK_INT(bytes, stat_of(client, "/bytes_sent"));
    CHECK_OK(client, sio_client_call(client, "add", "[2, 3]", NULL, 0, 5000, &reply));
    CHECK_TEXT("[5]", sio_message_args(reply, NULL));
    sio_message_free(reply);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    /* By one transport: an upgrade in the background would send bytes of its own. */
    client = websocket_client();
    CHECK_OK(client, sio_client_connect(client, server(), 10000));
    CHECK_OK(client, sio_client_set(client, "transports", NULL));
    take_welcome(client);
    RUN(remember_what_was_sent);
    RUN(a_null_client_is_never_a_crash);
    RUN(a_null_message_is_never_a_crash);
    RUN(a_status_nobody_knows_has_a_name_and_a_text);
    RUN(a_bad_timeout_is_refused_before_all_else);
    RUN(options_are_checked);
    RUN(what_was_refused_has_changed_nothing);
    RUN(headers_are_checked);
    RUN(log_levels_are_checked);
    RUN(urls_are_checked);
    RUN(events_and_arguments_are_checked);
    RUN(buffers_are_checked);
    RUN(what_is_too_large_is_refused);
    RUN(outputs_that_have_to_be_there_are_checked);
    RUN(nothing_was_sent);
    RUN(functions_of_a_message_are_checked);
    RUN(text_is_copied_like_snprintf_does);
    CHECK_OK(client, sio_client_disconnect(client, 5000));
    sio_client_free(client);
    return 0;
}

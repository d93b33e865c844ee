/* The log: what SIO_LOG brings to stderr, levels, and that no secret is in it. */
#include "check.h"

#include <fcntl.h>

/* What is written to stderr while this runs. */
static const char *logged_by(void (*session)(void), const char *setting)
{
    static char text[100000];
    char path[] = "/tmp/sio-log-XXXXXX";
    int file = mkstemp(path), before = dup(2);
    ssize_t count;

    CHECK(file >= 0 && before >= 0);
    unlink(path);
    if (setting == NULL) unsetenv("SIO_LOG");
    else setenv("SIO_LOG", setting, 1);
    CHECK(dup2(file, 2) == 2);
    session();
    CHECK(dup2(before, 2) == 2);
    unsetenv("SIO_LOG");
    CHECK_INT(0, lseek(file, 0, SEEK_SET));
    count = read(file, text, sizeof text - 1);
    CHECK(count >= 0);
    text[count] = 0;
    close(file);
    close(before);
    return text;
}

static void a_session(void)
{
    sio_client *client = connected();
    sio_message *reply;
    CHECK_OK(client, sio_client_call(client, "add", "[2,3]", NULL, 0, 5000, &reply));
    sio_message_free(reply);
    CHECK_OK(client, sio_client_disconnect(client, 5000));
    sio_client_free(client);
}

static void a_failure(void)
{
    sio_client *client = sio_client_new();
    CHECK_STATUS(SIO_E_UNREACHABLE, client, sio_client_connect(client, "http://127.0.0.1:1", 5000));
    sio_client_free(client);
}

/* Every line begins with level and client, and ends. */
static void check_lines(const char *text)
{
    while (*text != 0) {
        const char *end = strchr(text, '\n');
        CHECK(end != NULL);
        CHECK(strncmp(text, "sio[", 4) == 0);
        CHECK(strstr(text, "client ") < end);
        text = end + 1;
    }
}

static void without_sio_log_nothing_is_written(void)
{
    CHECK_TEXT("", logged_by(a_session, NULL));
    CHECK_TEXT("", logged_by(a_session, ""));
    CHECK_TEXT("", logged_by(a_failure, NULL));
}

static void sio_log_brings_lines_of_the_level_and_more_severe(void)
{
    const char *text;

    CHECK_TEXT("", logged_by(a_session, "error"));
    text = logged_by(a_session, "info");
    check_lines(text);
    CHECK_HAS("sio[info]", text);
    CHECK_HAS("connecting to http://127.0.0.1", text);
    CHECK_HAS("connected", text);
    CHECK(strstr(text, "sio[debug]") == NULL);
    check_lines(logged_by(a_session, "debug"));
    text = logged_by(a_failure, "warn");
    check_lines(text);
    CHECK_HAS("sio[warn]", text);
    CHECK(strstr(text, "sio[info]") == NULL);
}

static void a_level_that_does_not_exist_is_complained_about(void)
{
    const char *text = logged_by(a_session, "loud");
    check_lines(text);
    CHECK_HAS("loud", text);
    CHECK_HAS("debug", text);
}

static int to_function;
static char function_text[100000];

static void on_line(void *user, int level, const char *line)
{
    CHECK(user == function_text);
    CHECK(level >= SIO_LOG_ERROR && level <= SIO_LOG_DEBUG);
    to_function++;
    CHECK(strlen(function_text) + strlen(line) + 2 < sizeof function_text);
    strcat(strcat(function_text, line), "\n");
}

static void a_session_with_a_function(void)
{
    sio_client *client = sio_client_new();
    CHECK_OK(client, sio_client_set_log(client, SIO_LOG_DEBUG, on_line, function_text));
    CHECK_OK(client, sio_client_connect(client, server(), 10000));
    CHECK_OK(client, sio_client_disconnect(client, 5000));
    CHECK_OK(client, sio_client_set_log(client, 0, NULL, NULL));
    CHECK_OK(client, sio_client_connect(client, server(), 10000));
    sio_client_free(client);
}

static void function_and_sio_log_do_not_get_in_each_others_way(void)
{
    const char *text;
    int lines;

    CHECK_TEXT("", logged_by(a_session_with_a_function, NULL));
    CHECK(to_function > 0);
    CHECK_HAS("connecting", function_text);
    lines = to_function;
    text = logged_by(a_session_with_a_function, "info");
    check_lines(text);
    CHECK_HAS("connecting", strstr(text, "connecting") + 1);
    CHECK(to_function > lines);
}

/* Everything that can be secret. */
static void a_secret_session(void)
{
    static char url[200];
    const char *secrets[][2] = {{"Authorization", "Bearer SECRET1"}, {"Cookie", "session=SECRET2"},
                                {"X-Api-Key", "SECRET3"}};
    sio_client *client = sio_client_new();
    sio_message *message;
    size_t i;

    function_text[0] = 0;
    CHECK_OK(client, sio_client_set_log(client, SIO_LOG_DEBUG, on_line, function_text));
    for (i = 0; i < 3; i++) CHECK_OK(client, sio_client_set_header(client, secrets[i][0], secrets[i][1]));
    CHECK_OK(client, sio_client_set(client, SIO_OPT_AUTH, "{\"token\":\"SECRET4\"}"));
    snprintf(url, sizeof url, "http://me:SECRET5@%s/?key=SECRET6", server() + strlen("http://"));
    CHECK_OK(client, sio_client_set(client, SIO_OPT_NAMESPACE, "/admin"));
    CHECK_OK(client, sio_client_connect(client, url, 10000));
    take_welcome(client);
    CHECK_OK(client, sio_client_call(client, "handshake", NULL, NULL, 0, 5000, &message));
    CHECK_HAS("SECRET1", sio_message_args(message, NULL));
    CHECK_HAS("SECRET2", sio_message_args(message, NULL));
    CHECK_HAS("SECRET4", sio_message_args(message, NULL));
    CHECK_HAS("SECRET6", sio_message_args(message, NULL));
    sio_message_free(message);
    CHECK_OK(client, sio_client_disconnect(client, 5000));
    /* The texts of failures end up in logs. To this server a query is a part of the namespace's name. */
    CHECK_OK(client, sio_client_set(client, SIO_OPT_NAMESPACE, "/admin?pin=SECRET7"));
    CHECK_STATUS(SIO_E_REFUSED, client, sio_client_connect(client, url, 10000));
    CHECK(strstr(error_text(client), "SECRET") == NULL);
    CHECK_STATUS(SIO_E_INVALID, client, sio_client_connect(client, "http://me:SECRET5@/?key=SECRET6", 10000));
    CHECK(strstr(error_text(client), "SECRET") == NULL);
    CHECK_STATUS(SIO_E_INVALID, client, sio_client_set(client, SIO_OPT_AUTH, "{SECRET4}"));
    CHECK(strstr(error_text(client), "SECRET") == NULL);
    CHECK_STATUS(SIO_E_INVALID, client, sio_client_set_header(client, "Cookie", "SECRET2\n"));
    CHECK(strstr(error_text(client), "SECRET") == NULL);
    sio_client_free(client);
}

static void no_auth_data_cookie_or_credential_is_in_the_log(void)
{
    const char *text = logged_by(a_secret_session, "debug");
    check_lines(text);
    CHECK_HAS("connecting", text);
    if (strstr(text, "SECRET") != NULL) failed(__FILE__, __LINE__, "a secret is in", text);
    if (strstr(function_text, "SECRET") != NULL) failed(__FILE__, __LINE__, "a secret is in", function_text);
    CHECK(function_text[0] != 0);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    RUN(without_sio_log_nothing_is_written);
    RUN(sio_log_brings_lines_of_the_level_and_more_severe);
    RUN(a_level_that_does_not_exist_is_complained_about);
    RUN(function_and_sio_log_do_not_get_in_each_others_way);
    RUN(no_auth_data_cookie_or_credential_is_in_the_log);
    return 0;
}

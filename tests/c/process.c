/* What a client takes of its process and leaves alone: descriptors, signals; and what it warns of and counts. */
#include "check.h"

#include <fcntl.h>
#include <signal.h>

/* Sockets and other descriptors that there are, up to the number that is tried. */
enum { MOST = 256 };

static void note_descriptors(char *there)
{
    int fd;
    for (fd = 0; fd < MOST; fd++) there[fd] = fcntl(fd, F_GETFD) != -1;
}

/* How many new descriptors there are; all must be close-on-exec. */
static int check_new(const char *before)
{
    int fd, count = 0;
    for (fd = 0; fd < MOST; fd++) {
        int flags = fcntl(fd, F_GETFD);
        if (before[fd] || flags == -1) continue;
        CHECK_INT(FD_CLOEXEC, flags & FD_CLOEXEC);
        count++;
    }
    return count;
}

static void all_descriptors_are_close_on_exec(void)
{
    const char *transports[] = {"polling", "websocket", "polling,websocket"};
    char before[MOST];
    size_t i;

    for (i = 0; i < 3; i++) {
        sio_client *client = sio_client_new();
        note_descriptors(before);
        CHECK_OK(client, sio_client_set(client, SIO_OPT_TRANSPORTS, transports[i]));
        CHECK_OK(client, sio_client_connect(client, server(), 10000));
        take_welcome(client);
        CHECK_OK(client, sio_client_call(client, "echo_ack", "[1]", NULL, 0, 5000, NULL));
        CHECK(check_new(before) > 0);
        sio_client_free(client);
    }
}

static volatile int pipes_broken;

static void on_pipe(int number)
{
    (void)number;
    pipes_broken++;
}

/* The client's socket is the one descriptor that is a connection and was not there before. */
static int new_socket(const char *before)
{
    struct sockaddr_in peer;
    int fd;
    for (fd = 0; fd < MOST; fd++) {
        socklen_t len = sizeof peer;
        if (!before[fd] && getpeername(fd, (struct sockaddr *)&peer, &len) == 0) return fd;
    }
    return -1;
}

static void a_socket_that_cannot_be_written_to_raises_no_signal(void)
{
    const char *transports[] = {"polling", "websocket"};
    size_t i;

    signal(SIGPIPE, on_pipe);
    for (i = 0; i < 2; i++) {
        char before[MOST];
        sio_client *client = sio_client_new();
        int fd, status = SIO_OK, tries;
        note_descriptors(before);
        CHECK_OK(client, sio_client_set(client, SIO_OPT_TRANSPORTS, transports[i]));
        CHECK_OK(client, sio_client_set_int(client, SIO_OPT_RECONNECTION, 0));
        CHECK_OK(client, sio_client_connect(client, server(), 10000));
        take_welcome(client);
        fd = new_socket(before);
        CHECK(fd >= 0);
        /* From now on the system answers EPIPE. */
        CHECK_INT(0, shutdown(fd, SHUT_WR));
        for (tries = 0; status == SIO_OK && tries < 200; tries++) {
            status = sio_client_emit(client, "echo", "[1]", NULL, 0, 5000);
            sleep_ms(1);
        }
        /* By polling another connection may carry them. */
        if (i == 1) CHECK_INT(SIO_E_DISCONNECTED, status);
        sio_client_free(client);
    }
    CHECK_INT(0, pipes_broken);
    signal(SIGPIPE, SIG_DFL);
}

static void no_signal_handler_is_set(void)
{
    struct sigaction before[NSIG], after;
    int number;
    sio_client *client;

    memset(before, 0, sizeof before);
    for (number = 1; number < NSIG; number++) (void)sigaction(number, NULL, &before[number]);
    client = connected();
    CHECK_OK(client, sio_client_call(client, "echo_ack", NULL, NULL, 0, 5000, NULL));
    for (number = 1; number < NSIG; number++) {
        if (sigaction(number, NULL, &after) != 0) continue;
        CHECK(before[number].sa_handler == after.sa_handler);
    }
    sio_client_free(client);
}

static char warnings[10000];

static void on_warning(void *user, int level, const char *line)
{
    (void)user;
    if (level != SIO_LOG_WARN) return;
    CHECK(strlen(warnings) + strlen(line) + 2 < sizeof warnings);
    strcat(strcat(warnings, line), "\n");
}

static void auth_that_is_no_object_is_warned_of(void)
{
    sio_client *client = sio_client_new();

    warnings[0] = 0;
    CHECK_OK(client, sio_client_set_log(client, SIO_LOG_WARN, on_warning, NULL));
    CHECK_OK(client, sio_client_set(client, SIO_OPT_AUTH, "[\"a token\"]"));
    /* What becomes of it is the server's affair. */
    (void)sio_client_connect(client, server(), 5000);
    CHECK_HAS("\"auth\" is no JSON object", warnings);
    CHECK(strstr(warnings, "a token") == NULL);
    sio_client_free(client);
}

static void certificates_that_are_not_verified_are_warned_of_at_each_attempt(void)
{
    sio_client *client = sio_client_new();
    const char *words = "certificate is not verified", *second;
    char url[200];

    warnings[0] = 0;
    CHECK_OK(client, sio_client_set_log(client, SIO_LOG_WARN, on_warning, NULL));
    CHECK_OK(client, sio_client_set_int(client, SIO_OPT_TLS_VERIFY, 0));
    CHECK_OK(client, sio_client_connect(client, server(), 10000));
    CHECK(strstr(warnings, words) == NULL);
    CHECK_OK(client, sio_client_disconnect(client, 5000));
    /* There is no TLS, which is found out after the warning. */
    snprintf(url, sizeof url, "https%s", server() + strlen("http"));
    CHECK_STATUS(SIO_E_TLS, client, sio_client_connect(client, url, 10000));
    CHECK_HAS(words, warnings);
    CHECK_STATUS(SIO_E_TLS, client, sio_client_connect(client, url, 10000));
    second = strstr(warnings, words) + 1;
    CHECK_HAS(words, second);
    sio_client_free(client);
}

static void check_members(const sio_client *client)
{
    const char *numbers[] = {
        "/packets_sent", "/packets_received", "/bytes_sent", "/bytes_received", "/send_queued",
        "/send_queued_bytes", "/send_queued_bytes_max", "/receive_queued", "/receive_queued_bytes",
        "/receive_queued_bytes_max", "/calls_waiting", "/dropped_sent", "/dropped_received",
        "/late_acks", "/foreign_packets", "/connects", "/attempts", "/connected_ms", "/rtt_ms",
        "/next_attempt_ms", "/last_received_ms",
    };
    const char *texts[] = {"/state", "/transport", "/sid", "/engine_sid"};
    char stats[4000];
    size_t i;

    CHECK(sio_client_stats(client, stats, sizeof stats) < sizeof stats);
    for (i = 0; i < sizeof texts / sizeof *texts; i++)
        CHECK_INT(SIO_JSON_STRING, sio_json_find(stats, texts[i], NULL, NULL));
    /* Fails for what is neither a number nor null. */
    for (i = 0; i < sizeof numbers / sizeof *numbers; i++) (void)stat_of(client, numbers[i]);
}

static void the_counters_are_those_that_are_promised(void)
{
    sio_client *client = sio_client_new();

    check_members(client);
    CHECK_INT(0, stat_of(client, "/attempts"));
    CHECK_INT(-1, stat_of(client, "/connected_ms"));
    CHECK_OK(client, sio_client_connect(client, server(), 10000));
    take_welcome(client);
    CHECK_OK(client, sio_client_call(client, "echo_ack", "[1]", NULL, 0, 5000, NULL));
    check_members(client);
    CHECK_INT(1, stat_of(client, "/attempts"));
    CHECK_INT(1, stat_of(client, "/connects"));
    CHECK_INT(1, stat_of(client, "/packets_sent"));
    CHECK(stat_of(client, "/packets_received") >= 2);
    CHECK(stat_of(client, "/bytes_sent") > 0);
    CHECK(stat_of(client, "/bytes_received") > 0);
    CHECK(stat_of(client, "/rtt_ms") >= 0);
    CHECK(stat_of(client, "/connected_ms") >= 0);
    CHECK_INT(-1, stat_of(client, "/next_attempt_ms"));
    CHECK_OK(client, sio_client_disconnect(client, 5000));
    check_members(client);
    CHECK_INT(1, stat_of(client, "/connects"));
    sio_client_free(client);
}

static void while_the_next_attempt_is_waited_for_its_time_is_told(void)
{
    char url[200];
    int listener = silent_server(url, sizeof url);
    struct waiting connecting;
    pthread_t thread;
    sio_client *client = sio_client_new();
    long long next = -1;
    int tries;

    /* Nobody listens there any more, so that each attempt fails at once. */
    close(listener);
    CHECK_OK(client, sio_client_set_int(client, SIO_OPT_RETRY_CONNECT, 1));
    CHECK_OK(client, sio_client_set_int(client, SIO_OPT_RECONNECT_MIN_MS, 5000));
    CHECK_OK(client, sio_client_set_int(client, SIO_OPT_RECONNECT_JITTER, 0));
    memset(&connecting, 0, sizeof connecting);
    connecting.client = client;
    connecting.url = url;
    connecting.wait = wait_in_connect;
    begin_waiting(&connecting, &thread);
    for (tries = 0; next < 0 && tries < 5000; tries++) {
        sleep_ms(1);
        next = stat_of(client, "/next_attempt_ms");
    }
    CHECK(next > 0 && next <= 5000);
    CHECK_INT(SIO_STATE_CONNECTING, sio_client_state(client));
    CHECK_INT(1, stat_of(client, "/attempts"));
    CHECK_OK(client, sio_client_disconnect(client, 5000));
    finish(thread);
    CHECK_INT(SIO_E_DISCONNECTED, connecting.status);
    CHECK_INT(-1, stat_of(client, "/next_attempt_ms"));
    sio_client_free(client);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    RUN(all_descriptors_are_close_on_exec);
    RUN(a_socket_that_cannot_be_written_to_raises_no_signal);
    RUN(no_signal_handler_is_set);
    RUN(auth_that_is_no_object_is_warned_of);
    RUN(certificates_that_are_not_verified_are_warned_of_at_each_attempt);
    RUN(the_counters_are_those_that_are_promised);
    RUN(while_the_next_attempt_is_waited_for_its_time_is_told);
    return 0;
}

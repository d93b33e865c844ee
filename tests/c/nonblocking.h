/* What the programs about the non-blocking functions share: the descriptor, and results. */
#ifndef NONBLOCKING_H
#define NONBLOCKING_H

#include "check.h"

#include <poll.h>

/* Whether the client's descriptor is readable, now or within so many milliseconds. */
static int UNUSED readable(sio_client *client, int timeout_ms)
{
    struct pollfd entry;
    int count;

    entry.fd = sio_client_fd(client);
    entry.events = POLLIN;
    CHECK(entry.fd >= 0);
    do count = poll(&entry, 1, timeout_ms); while (count < 0 && errno == EINTR);
    CHECK(count >= 0);
    if (count > 0) CHECK_INT(POLLIN, entry.revents);
    return count;
}

#define CHECK_READABLE(client) CHECK_INT(1, readable(client, 20000))

/* That it is not readable, and does not become so by what has happened before. */
#define CHECK_QUIET(client) CHECK_INT(0, readable(client, 50))

/* Takes the next result, which must be this one. */
static sio_message UNUSED *take_result_at(const char *file, int line, sio_client *client, uint64_t tag,
                                          int status)
{
    uint64_t its_tag = 0;
    int its_status = 1;
    sio_message *reply;

    check_status(file, line, "sio_client_result", SIO_OK,
                 sio_client_result(client, 20000, &its_tag, &its_status, &reply), client);
    check_int(file, line, "the result's tag", (long long)tag, (long long)its_tag);
    check_status(file, line, "the result's status", status, its_status, client);
    return reply;
}

/* Takes the next result, which must be this one, and have no answer. */
static void UNUSED result_at(const char *file, int line, sio_client *client, uint64_t tag, int status)
{
    if (take_result_at(file, line, client, tag, status) != NULL)
        failed(file, line, "the result's reply", "is not NULL");
}

/* Takes the next result, which must be this answer. */
static void UNUSED answer_at(const char *file, int line, sio_client *client, uint64_t tag, const char *args)
{
    sio_message *reply = take_result_at(file, line, client, tag, SIO_OK);
    if (reply == NULL) failed(file, line, "the result's reply", "is NULL");
    check_int(file, line, "the reply's kind", SIO_MESSAGE_REPLY, sio_message_kind(reply));
    check_text(file, line, "the reply's arguments", args, sio_message_args(reply, NULL));
    sio_message_free(reply);
}

/* Takes two results, in whichever order they come. */
static void UNUSED two_results_at(const char *file, int line, sio_client *client, uint64_t tag, int status,
                                  uint64_t other_tag, int other_status)
{
    uint64_t its_tag = 0;
    int its_status = 1;

    check_status(file, line, "sio_client_result", SIO_OK,
                 sio_client_result(client, 20000, &its_tag, &its_status, NULL), client);
    if (its_tag == other_tag) {
        check_status(file, line, "the result's status", other_status, its_status, client);
        result_at(file, line, client, tag, status);
    } else {
        check_int(file, line, "the result's tag", (long long)tag, (long long)its_tag);
        check_status(file, line, "the result's status", status, its_status, client);
        result_at(file, line, client, other_tag, other_status);
    }
}

#define EXPECT_TWO_RESULTS(client, tag, status, other_tag, other_status) \
    two_results_at(__FILE__, __LINE__, client, tag, status, other_tag, other_status)
#define EXPECT_RESULT(client, tag, status) result_at(__FILE__, __LINE__, client, tag, status)
#define EXPECT_ANSWER(client, tag, args) answer_at(__FILE__, __LINE__, client, tag, args)

/* That no result is there, and none comes by what has happened before. */
#define EXPECT_NO_RESULT(client) no_result_at(__FILE__, __LINE__, client)

static void UNUSED no_result_at(const char *file, int line, sio_client *client)
{
    uint64_t tag = 0;
    int status = 1;
    sio_message *reply;
    int answer = sio_client_result(client, 50, &tag, &status, &reply);

    if (answer == SIO_OK) {
        char how[200];
        snprintf(how, sizeof how, "came, tag %llu, %s", (unsigned long long)tag, sio_status_name(status));
        failed(file, line, "a result", how);
    }
    check_status(file, line, "sio_client_result", SIO_E_TIMEOUT, answer, client);
    if (reply != NULL) failed(file, line, "the reply", "is not NULL");
}

/* Waits for a counter among the client's statistics. */
static void UNUSED until_stat(const sio_client *client, const char *pointer, long long value)
{
    long long end = now_ms() + 20000;
    while (stat_of(client, pointer) != value) {
        if (now_ms() > end) CHECK_INT(value, stat_of(client, pointer));
        sleep_ms(1);
    }
}

static void UNUSED until_state(const sio_client *client, int state)
{
    long long end = now_ms() + 20000;
    while (sio_client_state(client) != state) {
        if (now_ms() > end) CHECK_INT(state, sio_client_state(client));
        sleep_ms(1);
    }
}

/* Connected by websocket alone to a server that says nothing. */
static sio_client UNUSED *silent_client(const char *url)
{
    sio_client *client = websocket_client();
    CHECK_OK(client, sio_client_set_int(client, SIO_OPT_RECONNECT_MIN_MS, 10));
    CHECK_OK(client, sio_client_set_int(client, SIO_OPT_RECONNECT_MAX_MS, 50));
    CHECK_OK(client, sio_client_connect(client, url, 20000));
    return client;
}

/* The same to a server of the test protocol; there is nothing to take. */
static sio_client UNUSED *quiet_client(const char *url)
{
    sio_client *client = silent_client(url);
    take_welcome(client);
    return client;
}

/* A port at which nobody listens, as a URL. */
static const char UNUSED *nobody(void)
{
    static char url[60];
    close(silent_server(url, sizeof url));
    return url;
}

static int UNUSED emit(sio_client *client, const char *event, const char *args)
{
    return sio_client_emit(client, event, args, NULL, 0, 20000);
}

static int UNUSED call_start(sio_client *client, const char *event, const char *args, int timeout_ms,
                             uint64_t tag)
{
    return sio_client_call_start(client, event, args, NULL, 0, timeout_ms, tag);
}

static int UNUSED emit_start(sio_client *client, const char *event, const char *args, int timeout_ms,
                             uint64_t tag)
{
    return sio_client_emit_start(client, event, args, NULL, 0, timeout_ms, tag);
}

/* For struct waiting, as those in check.h. */
static int UNUSED wait_in_result(sio_client *client, const char *url)
{
    uint64_t tag;
    int status;
    (void)url;
    return sio_client_result(client, SIO_FOREVER, &tag, &status, NULL);
}

/* An answer from the server, so that what it sent before has come. */
static void UNUSED round_trip(sio_client *client)
{
    CHECK_OK(client, sio_client_call(client, "echo_ack", NULL, NULL, 0, 20000, NULL));
}

#endif /* NONBLOCKING_H */

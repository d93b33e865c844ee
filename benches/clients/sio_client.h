// What every cell of the library's program does with a client: make it, connect it, receive, leave.

#ifndef BENCH_SIO_CLIENT_H
#define BENCH_SIO_CLIENT_H

#include <sio.h>

#include "common.h"

// What was waited for in vain for so long does not come.
static const double PATIENCE_US = 60e6;

static inline void check(sio_client *client, int status)
{
    char text[512];
    if (status == SIO_OK) return;
    sio_client_error(client, text, sizeof text);
    fprintf(stderr, "%s: %s\n", sio_status_name(status), text);
    exit(1);
}

static inline void set(sio_client *client, const char *option, const char *value)
{
    check(client, sio_client_set(client, option, value));
}

static inline void pause_us(long us)
{
    struct timespec time = {.tv_nsec = us * 1000};
    nanosleep(&time, NULL);
}

static inline sio_client *made(const struct options *wanted)
{
    sio_client *client = sio_client_new();
    require(client != NULL, "out of memory");
    int upgrades = is(wanted->transport, "upgrade");
    set(client, SIO_OPT_TRANSPORTS, upgrades ? "polling,websocket" : wanted->transport);
    if (wanted->ca != NULL) set(client, SIO_OPT_TLS_CA_FILE, wanted->ca);
    if (!wanted->verify) set(client, SIO_OPT_TLS_VERIFY, "0");
    if (wanted->thread != NULL) set(client, "thread", wanted->thread);
    return client;
}

// By transport=upgrade it is connected when the websocket is in use.
static inline void connect_now(sio_client *client, const struct options *wanted)
{
    const char *transport = is(wanted->transport, "polling") ? "polling" : "websocket";
    double until = microseconds(CLOCK_MONOTONIC) + PATIENCE_US;
    check(client, sio_client_connect(client, wanted->url, 30000));
    while (!is(sio_client_transport(client), transport)) {
        require(microseconds(CLOCK_MONOTONIC) < until, "the upgrade did not come");
        pause_us(20);
    }
}

static inline sio_client *connected(const struct options *wanted)
{
    sio_client *client = made(wanted);
    connect_now(client, wanted);
    return client;
}

static inline void leave(sio_client *client)
{
    check(client, sio_client_disconnect(client, 30000));
    sio_client_free(client);
}

static inline void ask_for_flood(sio_client *client, long count, long bytes, const char *kind)
{
    char args[96];
    snprintf(args, sizeof args, "[%ld,%ld,\"%s\"]", count, bytes, kind);
    check(client, sio_client_emit(client, "flood", args, NULL, 0, 30000));
}

// Takes so many events and looks at what a program would look at.
static inline void receive(sio_client *client, const struct options *wanted, long count)
{
    int is_binary = is(wanted->kind, "binary");
    for (long i = 0; i < count; i++) {
        sio_message *message;
        size_t length;
        check(client, sio_client_receive(client, 30000, &message));
        const char *args = sio_message_args(message, &length);
        require(args[0] == '[' && length > 2, "an event has no arguments");
        if (is_binary) {
            const unsigned char *bytes = sio_message_buffer(message, 0, &length);
            require(bytes != NULL && length == (size_t)wanted->bytes, "an event lacks its buffer");
        }
        sio_message_free(message);
    }
}

static inline void receive_flood(sio_client *client, const struct options *wanted, long count)
{
    ask_for_flood(client, count, wanted->bytes, wanted->kind);
    receive(client, wanted, count);
}

// A number of the client's statistics.
static inline long statistic(sio_client *client, const char *pointer)
{
    char text[2048];
    const char *value;
    require(sio_client_stats(client, text, sizeof text) < sizeof text, "the statistics are long");
    require(sio_json_find(text, pointer, &value, NULL) == SIO_JSON_NUMBER, "a statistic is missing");
    return strtol(value, NULL, 10);
}

#endif

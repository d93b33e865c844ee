// SPDX-License-Identifier: MIT OR Apache-2.0
//
// reconnect - lives through restarts of its server, and shows what becomes of the connection.
//
//     make server                      # in another terminal, at the top of the tree
//     ./bin/reconnect http://localhost:5000
//
// End the server, and start it again; it may also be started after this program. Ctrl-C ends it.
//
// A lost connection is made again by itself. With the option "report_state" the program is told, by
// messages that come in order with the events: what came before a message of this kind came by the
// earlier connection. A server knows nothing of a client that it meets again, so what it has to know
// is told to it each time that the connection is there.

#define _POSIX_C_SOURCE 200809L

#include <sio.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static sio_client *client;

static void on_signal(int number)
{
    (void)number;
    sio_client_interrupt(client);
}

// The member of the message's one argument as text: what it is in JSON, a string without its quotes.
static const char *member(const sio_message *message, const char *pointer, char *text, size_t size)
{
    const void *value;
    size_t len;
    int type = sio_message_find(message, pointer, &value, &len);
    *text = '\0';
    if (type == SIO_JSON_STRING)
        sio_json_unquote(value, text, size);
    else if (type != SIO_JSON_NONE)
        snprintf(text, size, "%.*s", (int)len, (const char *)value);
    return text;
}

// The connection is there, for the first time or again.
static int connected(const sio_message *message)
{
    char sid[64], attempts[24];
    printf("connected as %s, at attempt %s\n", member(message, "/0/sid", sid, sizeof sid),
           member(message, "/0/attempts", attempts, sizeof attempts));
    int status = sio_client_emit(client, "hello", "[\"once more\"]", NULL, 0, 5000);
    // If it is lost again already, the next message says so, and then comes another of these.
    return status == SIO_E_INTERRUPTED ? status : SIO_OK;
}

// The connection is lost: it is made again, or this is the end.
static void disconnected(const sio_message *message)
{
    char reason[64], text[512], next[24];
    printf("disconnected, %s: %s\n", member(message, "/0/reason", reason, sizeof reason),
           member(message, "/0/text", text, sizeof text));
    if (sio_message_find(message, "/0/final", NULL, NULL) == SIO_JSON_TRUE)
        printf("that is final\n");
    else
        printf("trying again in %s ms\n", member(message, "/0/next_ms", next, sizeof next));
}

// What is to happen when the connection is lost. These are the options that one thinks about; the
// table in sio.h has them all.
static int set_options(void)
{
    int status = sio_client_set_int(client, SIO_OPT_REPORT_STATE, 1);
    // Also the first connect goes on until the server is there.
    if (status == SIO_OK)
        status = sio_client_set_int(client, SIO_OPT_RETRY_CONNECT, 1);
    // The first delay, and the longest, to which each one that fails doubles it; give or take a
    // half, so that a thousand clients do not come back all at once.
    if (status == SIO_OK)
        status = sio_client_set_int(client, SIO_OPT_RECONNECT_MIN_MS, 200);
    if (status == SIO_OK)
        status = sio_client_set_int(client, SIO_OPT_RECONNECT_MAX_MS, 2000);
    if (status == SIO_OK)
        status = sio_client_set_int(client, SIO_OPT_RECONNECT_JITTER, 50);
    return status;
}

int main(int argc, char **argv)
{
    const char *url = argc > 1 ? argv[1] : "http://localhost:5000";
    client = sio_client_new();

    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESETHAND;
    sigaction(SIGINT, &action, NULL);

    int status = set_options();
    if (status == SIO_OK) {
        printf("connecting to %s; Ctrl-C ends it\n", url);
        fflush(stdout);
        status = sio_client_connect(client, url, SIO_FOREVER);
    }
    while (status == SIO_OK) {
        sio_message *message;
        status = sio_client_receive(client, SIO_FOREVER, &message);
        if (status != SIO_OK)
            break;
        switch (sio_message_kind(message)) {
        case SIO_MESSAGE_CONNECTED:
            status = connected(message);
            break;
        case SIO_MESSAGE_DISCONNECTED:
            disconnected(message);
            break;
        case SIO_MESSAGE_EVENT:
            printf("%s %s\n", sio_message_event(message, NULL), sio_message_args(message, NULL));
            break;
        default: // A later version of the library may have other kinds.
            break;
        }
        fflush(stdout);
        sio_message_free(message);
    }
    if (status == SIO_E_INTERRUPTED) {
        printf("interrupted; taking leave\n");
        status = sio_client_disconnect(client, 5000);
    }
    if (status != SIO_OK) {
        char text[512];
        sio_client_error(client, text, sizeof text);
        fprintf(stderr, "reconnect: %s: %s\n", sio_status_text(status), text);
    }
    sio_client_free(client);
    return status == SIO_OK ? 0 : 1;
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//
// interrupt - shows what arrives until Ctrl-C, and then takes leave as it should.
//
//     make server                      # in another terminal, at the top of the tree
//     ./bin/interrupt http://localhost:5000
//
// A receive without a limit would wait for ever. sio_client_interrupt() ends it, and it is the one
// function of a client that a signal handler may call. A second Ctrl-C ends the program in any case.

#define _POSIX_C_SOURCE 200809L

#include <sio.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static sio_client *client;

static void on_signal(int number)
{
    (void)number;
    // The call that is blocked now returns, or the next one that would block: no signal is missed
    // between two calls. So no flag is needed.
    sio_client_interrupt(client);
}

static void complain(int status)
{
    char text[512];
    sio_client_error(client, text, sizeof text);
    fprintf(stderr, "interrupt: %s: %s\n", sio_status_text(status), text);
}

int main(int argc, char **argv)
{
    const char *url = argc > 1 ? argv[1] : "http://localhost:5000";
    client = sio_client_new();

    // The library sets no signal handler, and its threads let the program's threads have the signals.
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    action.sa_flags = SA_RESETHAND;
    sigaction(SIGINT, &action, NULL);

    int status = sio_client_connect(client, url, SIO_FOREVER);
    if (status == SIO_OK) {
        printf("connected; showing what arrives until Ctrl-C\n");
        fflush(stdout);
    }
    while (status == SIO_OK) {
        sio_message *message;
        status = sio_client_receive(client, SIO_FOREVER, &message);
        if (status == SIO_OK) {
            printf("%s %s\n", sio_message_event(message, NULL), sio_message_args(message, NULL));
            fflush(stdout);
        }
        sio_message_free(message); // NULL is allowed.
    }
    if (status == SIO_E_INTERRUPTED) {
        // An interrupted connect has left no connection, and to leave none is no failure.
        printf("interrupted; taking leave\n");
        status = sio_client_disconnect(client, 5000);
    }
    if (status != SIO_OK)
        complain(status);
    sio_client_free(client);
    return status == SIO_OK ? 0 : 1;
}

// SPDX-License-Identifier: MIT OR Apache-2.0
//
// options - what a connection takes besides its URL: headers, auth data, a namespace, TLS, and a
// ticket that is renewed for every attempt.
//
//     make server                      # in another terminal, at the top of the tree
//     ./bin/options http://localhost:5000
//     ./bin/options https://example.org ca.pem
//
// The demo server's namespace "/members" lets in who brings a ticket, and takes each ticket once. So
// it does not do to set the ticket before the first connect: the next attempt needs another. Its
// event "who" is acknowledged with what the server knows of the client.
//
// With a second argument the certificates in that file are trusted, in place of the system's.

#define _POSIX_C_SOURCE 200809L

#include <sio.h>
#include <stdio.h>
#include <unistd.h>

// Before every attempt: gets a new ticket and makes it the auth data. A real program would ask some
// server for it, and may take its time over that: this is a thread of the library's, and nothing but
// the attempt waits for it. Anything but 0 gives the attempt up.
static int get_ticket(void *user, sio_client *client)
{
    int *count = user;
    char auth[64];
    snprintf(auth, sizeof auth, "{\"ticket\":\"%ld-%d\"}", (long)getpid(), ++*count);
    printf("attempt %d: the auth data is %s\n", *count, auth);
    return sio_client_set(client, SIO_OPT_AUTH, auth);
}

// Options are set before they are needed, and each is checked at once.
static int set_options(sio_client *client, const char *ca_file)
{
    int status = sio_client_set(client, SIO_OPT_NAMESPACE, "/members");
    if (status == SIO_OK)
        status = sio_client_set_header(client, "X-Client", "the options example");
    if (status == SIO_OK)
        status = sio_client_set_int(client, SIO_OPT_ATTEMPT_TIMEOUT_MS, 3000);
    // The file is read when an attempt needs it, which is only for https and wss.
    if (status == SIO_OK)
        status = sio_client_set(client, SIO_OPT_TLS_CA_FILE, ca_file);
    return status;
}

static int ask_who(sio_client *client)
{
    sio_message *reply;
    int status = sio_client_call(client, "who", NULL, NULL, 0, 5000, &reply);
    if (status == SIO_OK)
        printf("connected; the server knows %s\n", sio_message_args(reply, NULL));
    sio_message_free(reply);
    return status;
}

int main(int argc, char **argv)
{
    const char *url = argc > 1 ? argv[1] : "http://localhost:5000";
    const char *ca_file = argc > 2 ? argv[2] : NULL; // NULL is the default: the system's.
    int count = 0;
    sio_client *client = sio_client_new();

    int status = set_options(client, ca_file);
    if (status == SIO_OK)
        status = sio_client_set_prepare(client, get_ticket, &count);

    for (int round = 1; status == SIO_OK && round <= 2; round++) {
        // The second connect finds all options as they are, the URL included. A connection that is
        // lost would be made again by itself in the same way, with a new ticket.
        status = sio_client_connect(client, round == 1 ? url : NULL, 5000);
        if (status == SIO_OK)
            status = ask_who(client);
        if (status == SIO_OK)
            status = sio_client_disconnect(client, 5000);
    }
    if (status != SIO_OK) {
        char text[512];
        sio_client_error(client, text, sizeof text);
        fprintf(stderr, "options: %s: %s\n", sio_status_text(status), text);
    }
    // Waits for get_ticket() if that is running, so that `count` is no longer used.
    sio_client_free(client);
    return status == SIO_OK ? 0 : 1;
}

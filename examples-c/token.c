// SPDX-License-Identifier: MIT OR Apache-2.0
//
// token - renews its token before every connection attempt, without a callback.
//
//     make server                      # in another terminal, at the top of the tree
//     ./bin/token http://localhost:5000
//
// End the server and start it again: each attempt to reconnect brings another token. The demo
// server's namespace "/members" lets in who brings a ticket, and each ticket once; its event "who" is
// acknowledged with what it knows of the client. With a second argument the program ends when it has
// been connected so many times.
//
// sio_client_set_prepare() does the same by a function that the library calls. This is the form for
// programs that cannot have one, such as those in LuaJIT (examples-ffi/lua): with the option
// "report_attempts" a message comes when an attempt is due, and the attempt waits until it is freed.
// So that it can be taken, nothing may wait for the connection meanwhile: connect is started, and
// what is sent while there is no connection fails at once.

#define _POSIX_C_SOURCE 200809L

#include <sio.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static sio_client *client;

// A real program would ask some server for it, and may take its time over that.
static int renew_token(void)
{
    static int number;
    char auth[64], header[64];
    snprintf(auth, sizeof auth, "{\"ticket\":\"%ld-%d\"}", (long)getpid(), ++number);
    snprintf(header, sizeof header, "token %d", number);
    printf("an attempt is due; it brings token %d\n", number);
    int status = sio_client_set(client, SIO_OPT_AUTH, auth);
    if (status == SIO_OK)
        status = sio_client_set_header(client, "X-Client", header);
    return status;
}

static int ask_who(void)
{
    sio_message *reply;
    int status = sio_client_call(client, "who", NULL, NULL, 0, 5000, &reply);
    if (status == SIO_OK)
        printf("connected; the server knows %s\n", sio_message_args(reply, NULL));
    sio_message_free(reply);
    // If the connection is lost again already, another attempt follows.
    return status == SIO_E_DISCONNECTED ? SIO_OK : status;
}

static int set_options(void)
{
    int status = sio_client_set(client, SIO_OPT_NAMESPACE, "/members");
    if (status == SIO_OK)
        status = sio_client_set_int(client, SIO_OPT_REPORT_ATTEMPTS, 1);
    if (status == SIO_OK)
        status = sio_client_set_int(client, SIO_OPT_REPORT_STATE, 1);
    if (status == SIO_OK)
        status = sio_client_set(client, SIO_OPT_OFFLINE, "fail");
    // Also the first connect goes on until the server is there.
    if (status == SIO_OK)
        status = sio_client_set_int(client, SIO_OPT_RETRY_CONNECT, 1);
    if (status == SIO_OK)
        status = sio_client_set_int(client, SIO_OPT_RECONNECT_MIN_MS, 200);
    if (status == SIO_OK)
        status = sio_client_set_int(client, SIO_OPT_RECONNECT_MAX_MS, 1000);
    return status;
}

int main(int argc, char **argv)
{
    const char *url = argc > 1 ? argv[1] : "http://localhost:5000";
    int rounds = argc > 2 ? atoi(argv[2]) : 0, connected = 0;
    client = sio_client_new();

    int status = set_options();
    if (status == SIO_OK)
        status = sio_client_connect_start(client, url, SIO_FOREVER, 0);
    while (status == SIO_OK && (rounds == 0 || connected < rounds)) {
        sio_message *message;
        fflush(stdout);
        status = sio_client_receive(client, SIO_FOREVER, &message);
        if (status != SIO_OK)
            break;
        switch (sio_message_kind(message)) {
        case SIO_MESSAGE_ATTEMPT:
            status = renew_token();
            break;
        case SIO_MESSAGE_CONNECTED:
            connected++;
            status = ask_who();
            break;
        case SIO_MESSAGE_DISCONNECTED:
            printf("disconnected\n");
            break;
        default: // Events, and what a later version of the library may have.
            break;
        }
        // If it was about an attempt, that begins now.
        sio_message_free(message);
    }
    if (status == SIO_OK)
        status = sio_client_disconnect(client, 5000);
    if (status != SIO_OK) {
        char text[512];
        sio_client_error(client, text, sizeof text);
        fprintf(stderr, "token: %s: %s\n", sio_status_text(status), text);
    }
    sio_client_free(client);
    return status == SIO_OK ? 0 : 1;
}

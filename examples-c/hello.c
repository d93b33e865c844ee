// SPDX-License-Identifier: MIT OR Apache-2.0
//
// hello - the shortest useful program: connect, emit an event, receive one, leave.
//
//     make server                      # in another terminal, at the top of the tree
//     ./bin/hello http://localhost:5000
//
// Any Socket.IO server will do that sends an event of its own accord, or as an answer to the event
// "hello" with one text; the demo server answers with the event "greeting".

#include <sio.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    const char *url = argc > 1 ? argv[1] : "http://localhost:5000";
    sio_client *client = sio_client_new();
    sio_message *message = NULL;

    int status = sio_client_connect(client, url, 5000);
    if (status == SIO_OK)
        status = sio_client_emit(client, "hello", "[\"world\"]", NULL, 0, 5000);
    if (status == SIO_OK)
        status = sio_client_receive(client, 5000, &message);
    if (status == SIO_OK) {
        printf("%s %s\n", sio_message_event(message, NULL), sio_message_args(message, NULL));
        status = sio_client_disconnect(client, 5000);
    }
    if (status != SIO_OK) {
        char text[512];
        sio_client_error(client, text, sizeof text);
        fprintf(stderr, "hello: %s: %s\n", sio_status_text(status), text);
    }
    sio_message_free(message);
    sio_client_free(client);
    return status == SIO_OK ? 0 : 1;
}

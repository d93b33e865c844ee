// SPDX-License-Identifier: MIT OR Apache-2.0
//
// ack - answers questions: events for which the server waits for an acknowledgement.
//
//     make server                      # in another terminal, at the top of the tree
//     ./bin/ack http://localhost:5000
//
// The demo server, asked by the event "ask", sends the event "question" with two numbers, waits for
// their product as the acknowledgement, and says by the event "verdict" whether it was right.

#include <sio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Reads the number at `pointer` in the message's arguments.
static int number(const sio_message *message, const char *pointer, double *result)
{
    const void *value;
    if (sio_message_find(message, pointer, &value, NULL) != SIO_JSON_NUMBER)
        return 0;
    *result = strtod(value, NULL); // A number can be read where it stands.
    return 1;
}

// Answers with the product of the two arguments. Any thread may answer, and at any later time; here
// it is done at once.
static int answer(sio_message *message)
{
    double a, b;
    if (!number(message, "/0", &a) || !number(message, "/1", &b)) {
        printf("no two numbers in %s: not answered\n", sio_message_args(message, NULL));
        return SIO_OK; // Freed unanswered, it is answered with no arguments.
    }
    char args[64];
    snprintf(args, sizeof args, "[%.17g]", a * b);
    printf("asked for the product of %g and %g, answering %s\n", a, b, args);
    return sio_message_ack(message, args, NULL, 0);
}

int main(int argc, char **argv)
{
    const char *url = argc > 1 ? argv[1] : "http://localhost:5000";
    sio_client *client = sio_client_new();

    int status = sio_client_connect(client, url, 5000);
    if (status == SIO_OK)
        status = sio_client_emit(client, "ask", NULL, NULL, 0, 5000);

    int done = 0;
    while (status == SIO_OK && !done) {
        sio_message *message;
        status = sio_client_receive(client, 5000, &message);
        if (status != SIO_OK)
            break;
        if (sio_message_wants_ack(message)) {
            status = answer(message);
        } else {
            const char *event = sio_message_event(message, NULL);
            printf("%s %s\n", event, sio_message_args(message, NULL));
            done = strcmp(event, "verdict") == 0;
        }
        sio_message_free(message);
    }
    if (status == SIO_OK)
        status = sio_client_disconnect(client, 5000);
    if (status != SIO_OK) {
        char text[512];
        sio_client_error(client, text, sizeof text);
        fprintf(stderr, "ack: %s: %s\n", sio_status_text(status), text);
    }
    sio_client_free(client);
    return status == SIO_OK ? 0 : 1;
}

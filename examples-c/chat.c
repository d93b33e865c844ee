// SPDX-License-Identifier: MIT OR Apache-2.0
//
// chat - two threads share a client: one sends the lines that are typed, the other shows what comes.
//
//     make server                                # at the top of the tree
//     ./bin/chat http://localhost:5000 red       # in a second terminal, under the name "red"
//     ./bin/chat http://localhost:5000 blue      # in a third
//
// End it with Ctrl-D. The demo server hands the event "message", an object with the members "name"
// and "text", to everybody else. No JSON library is needed: sio_json_quote() writes text into
// arguments, sio_message_find() and sio_json_unquote() read it from them.

#define _POSIX_C_SOURCE 200809L

#include <pthread.h>
#include <sio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static sio_client *client;
static const char *my_name;

// Set once the typing thread has decided to leave, so that main() can tell that from a loss.
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int leaving;
static int typed_status;

static void complain(const char *what, int status)
{
    char text[512];
    sio_client_error(client, text, sizeof text);
    fprintf(stderr, "chat: %s: %s%s%s\n", what, sio_status_text(status), *text ? ": " : "", text);
}

// The text as a JSON string, to be freed. NULL if it is not UTF-8.
static char *quoted(const char *text)
{
    size_t len = sio_json_quote(text, NULL, 0);
    char *json = len == SIZE_MAX ? NULL : malloc(len + 1);
    if (json != NULL)
        sio_json_quote(text, json, len + 1);
    return json;
}

// The text at `pointer` in the message's arguments, to be freed. NULL if no string is there.
static char *text_at(const sio_message *message, const char *pointer)
{
    const void *value;
    if (sio_message_find(message, pointer, &value, NULL) != SIO_JSON_STRING)
        return NULL;
    size_t len = sio_json_unquote(value, NULL, 0);
    char *text = len == SIZE_MAX ? NULL : malloc(len + 1);
    if (text != NULL) {
        sio_json_unquote(value, text, len + 1);
        // What a stranger wrote must not command the terminal.
        for (char *c = text; *c != '\0'; c++)
            if ((unsigned char)*c < ' ' || *c == 127)
                *c = ' ';
    }
    return text;
}

static int say(const char *line)
{
    char *name = quoted(my_name), *text = quoted(line);
    int status = SIO_OK;
    if (name == NULL || text == NULL) {
        fprintf(stderr, "chat: that is not UTF-8 text, and was not sent\n");
    } else {
        static const char form[] = "[{\"name\":%s,\"text\":%s}]";
        size_t size = sizeof form + strlen(name) + strlen(text);
        char *args = malloc(size);
        if (args != NULL) {
            snprintf(args, size, form, name, text);
            status = sio_client_emit(client, "message", args, NULL, 0, 5000);
        }
        free(args);
    }
    free(name);
    free(text);
    return status;
}

// The typing thread: sends each line. At the end of the input, or when a line cannot be sent, it
// disconnects, and that ends the receiving loop in main().
static void *type(void *unused)
{
    (void)unused;
    char *line = NULL;
    size_t size = 0;
    ssize_t len;
    int status = SIO_OK;
    while (status == SIO_OK && (len = getline(&line, &size, stdin)) > 0) {
        if (line[len - 1] == '\n')
            line[len - 1] = '\0';
        if (*line != '\0')
            status = say(line);
    }
    free(line);
    pthread_mutex_lock(&lock);
    leaving = 1;
    pthread_mutex_unlock(&lock);
    if (status != SIO_OK) {
        complain("the line was not sent", status);
        sio_client_disconnect(client, 0);
    } else if ((status = sio_client_disconnect(client, 5000)) != SIO_OK) {
        complain("the last lines may not have arrived", status);
    }
    typed_status = status;
    return NULL;
}

static void show(const sio_message *message)
{
    if (strcmp(sio_message_event(message, NULL), "message") != 0)
        return;
    char *name = text_at(message, "/0/name"), *text = text_at(message, "/0/text");
    if (name != NULL && text != NULL) {
        printf("%s: %s\n", name, text);
        fflush(stdout);
    }
    free(name);
    free(text);
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: chat URL NAME\n");
        return 2;
    }
    my_name = argv[2];
    client = sio_client_new();
    // A lost connection ends the chat. reconnect.c shows how a program lives on instead.
    int status = sio_client_set_int(client, SIO_OPT_RECONNECTION, 0);
    if (status == SIO_OK)
        status = sio_client_connect(client, argv[1], 5000);
    if (status != SIO_OK) {
        complain(argv[1], status);
        sio_client_free(client);
        return 1;
    }
    printf("connected; type a line to send it, Ctrl-D to leave\n");
    fflush(stdout);

    pthread_t typing;
    if (pthread_create(&typing, NULL, type, NULL) != 0) {
        fprintf(stderr, "chat: no thread can be made\n");
        sio_client_free(client);
        return 1;
    }
    sio_message *message;
    while ((status = sio_client_receive(client, SIO_FOREVER, &message)) == SIO_OK) {
        show(message);
        sio_message_free(message);
    }
    pthread_mutex_lock(&lock);
    int lost = !leaving;
    pthread_mutex_unlock(&lock);
    if (lost) {
        complain("the connection is lost", status);
        // The typing thread may be inside a call, so the client is not freed here.
        exit(1);
    }
    pthread_join(typing, NULL);
    sio_client_free(client);
    return typed_status == SIO_OK ? 0 : 1;
}

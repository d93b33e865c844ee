// SPDX-License-Identifier: MIT OR Apache-2.0
//
// binary - sends a file, or receives one.
//
//     make server                                               # at the top of the tree
//     ./bin/binary http://localhost:5000 receive copy.png       # in a second terminal
//     ./bin/binary http://localhost:5000 send photo.png         # in a third
//
// The demo server hands the event "file", a name and the bytes, to everybody else who is connected,
// and acknowledges it with their count. A file is one message, so it is held in memory whole and must
// be smaller than the server's limit for a message.

#include <sio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// Says what went wrong, and why the library thinks so.
static int complain(const sio_client *client, const char *what, int status)
{
    char text[512];
    sio_client_error(client, text, sizeof text);
    fprintf(stderr, "binary: %s: %s%s%s\n", what, sio_status_text(status), *text ? ": " : "", text);
    return 0;
}

// Reads all of a file. The caller frees what is returned; NULL if it cannot be read.
static char *read_all(FILE *file, size_t *len)
{
    size_t size = 65536;
    char *bytes = malloc(size);
    *len = 0;
    while (bytes != NULL) {
        *len += fread(bytes + *len, 1, size - *len, file);
        if (*len < size)
            break;
        size *= 2;
        char *more = realloc(bytes, size);
        if (more == NULL)
            free(bytes);
        bytes = more;
    }
    if (bytes != NULL && ferror(file)) {
        free(bytes);
        bytes = NULL;
    }
    return bytes;
}

// Makes the arguments: the name as a JSON string, then the place where buffer 0 belongs.
static char *file_args(const char *name)
{
    static const char before[] = "[", after[] = ", " SIO_PLACEHOLDER(0) "]";
    size_t quoted = sio_json_quote(name, NULL, 0);
    if (quoted == SIZE_MAX)
        return NULL; // The name is not UTF-8.
    char *args = malloc(quoted + sizeof before + sizeof after);
    if (args != NULL) {
        strcpy(args, before);
        sio_json_quote(name, args + strlen(args), quoted + 1);
        strcat(args, after);
    }
    return args;
}

static int send_file(sio_client *client, const char *path, FILE *file)
{
    const char *slash = strrchr(path, '/');
    size_t len;
    char *bytes = read_all(file, &len);
    char *args = file_args(slash == NULL ? path : slash + 1);
    int sent = 0;
    if (bytes == NULL || args == NULL) {
        fprintf(stderr, "binary: %s cannot be read, or its name is not UTF-8\n", path);
    } else {
        sio_buffer buffer = {bytes, len};
        sio_message *reply;
        int status = sio_client_call(client, "file", args, &buffer, 1, 60000, &reply);
        sent = status == SIO_OK || complain(client, path, status);
        if (sent)
            printf("sent %lu bytes; the server answers %s\n", (unsigned long)len,
                   sio_message_args(reply, NULL));
        sio_message_free(reply);
    }
    free(args);
    free(bytes);
    return sent;
}

// Writes the bytes of the event "file", if that is what came. The sender's name for it is shown but
// never used as a path: it is a stranger's word.
static int write_file(const sio_message *message, FILE *file, int *written)
{
    const void *name, *bytes;
    size_t name_len, len;
    if (strcmp(sio_message_event(message, NULL), "file") != 0 ||
        sio_message_find(message, "/0", &name, &name_len) != SIO_JSON_STRING ||
        sio_message_find(message, "/1", &bytes, &len) != SIO_JSON_BUFFER)
        return 0;
    *written = fwrite(bytes, 1, len, file) == len && fflush(file) == 0;
    if (*written)
        printf("received %.*s, %lu bytes\n", (int)name_len, (const char *)name, (unsigned long)len);
    else
        perror("binary");
    return 1;
}

static int receive_file(sio_client *client, FILE *file)
{
    int written = 0, found = 0;
    printf("waiting for a file\n");
    fflush(stdout);
    while (!found) {
        sio_message *message;
        int status = sio_client_receive(client, SIO_FOREVER, &message);
        if (status != SIO_OK)
            return complain(client, "no file came", status);
        found = write_file(message, file, &written);
        sio_message_free(message);
    }
    return written;
}

int main(int argc, char **argv)
{
    int sending = argc == 4 && strcmp(argv[2], "send") == 0;
    if (!sending && (argc != 4 || strcmp(argv[2], "receive") != 0)) {
        fprintf(stderr, "usage: binary URL send FILE | binary URL receive FILE\n");
        return 2;
    }
    FILE *file = fopen(argv[3], sending ? "rb" : "wb");
    if (file == NULL) {
        perror(argv[3]);
        return 1;
    }
    sio_client *client = sio_client_new();
    int status = sio_client_connect(client, argv[1], 5000);
    int done = status == SIO_OK || complain(client, argv[1], status);
    if (done)
        done = sending ? send_file(client, argv[3], file) : receive_file(client, file);
    if (done && (status = sio_client_disconnect(client, 5000)) != SIO_OK)
        done = complain(client, "disconnect", status);
    sio_client_free(client);
    fclose(file);
    return done ? 0 : 1;
}

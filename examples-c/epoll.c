// SPDX-License-Identifier: MIT OR Apache-2.0
//
// epoll - two clients and the terminal in one event loop, with one thread and no callbacks.
//
//     make server                      # in another terminal, at the top of the tree
//     ./bin/epoll http://localhost:5000
//
// What is typed is sent by the first client and arrives at the second one. End it with Ctrl-D; or end
// the server and start it again, and see what the clients say. Standard input has to be a terminal or
// a pipe, since epoll takes no file.
//
// sio_client_fd() gives a descriptor that is readable while something can be taken: by
// sio_client_receive(), an event or a message about the state; by sio_client_result(), the outcome of
// something started. With a timeout of 0 neither waits, and functions named _start never do.

#include <errno.h>
#include <sio.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

// What was started, as the tags of the results say it.
enum { CONNECT, LINE, LEAVE };

struct peer {
    const char *name;
    sio_client *client;
    int connected, leaving, left;
};

static struct peer sender = {.name = "sender"}, viewer = {.name = "viewer"};
static int loop, lines_under_way, input_ended, failed;

static void complain(const struct peer *peer, const char *what, int status)
{
    char text[512];
    sio_client_error(peer->client, text, sizeof text);
    fprintf(stderr, "epoll: %s: %s: %s: %s\n", peer->name, what, sio_status_text(status), text);
    failed = 1;
}

// ---- input ----

static int watch(int fd, void *whose)
{
    struct epoll_event event = {.events = EPOLLIN, .data = {.ptr = whose}};
    return epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event);
}

static void stop_input(void)
{
    if (!input_ended)
        epoll_ctl(loop, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
    input_ended = 1;
}

static void send_line(const char *line)
{
    char text[6 * 1024 + 3], args[sizeof text + 32];
    if (sio_json_quote(line, text, sizeof text) == SIZE_MAX) {
        fprintf(stderr, "epoll: that is not UTF-8 text, and was not sent\n");
        return;
    }
    snprintf(args, sizeof args, "[{\"name\":\"epoll\",\"text\":%s}]", text);
    // If there is no room, or the connection is being made again, this waits in line for a minute.
    int status = sio_client_emit_start(sender.client, "message", args, NULL, 0, 60000, LINE);
    if (status == SIO_OK)
        lines_under_way++;
    else
        complain(&sender, "a line was not sent", status);
}

// One read, which does not wait: there is something to read.
static void read_input(void)
{
    static char line[1024];
    static size_t len;
    ssize_t count = read(STDIN_FILENO, line + len, sizeof line - 1 - len);
    if (count > 0)
        len += (size_t)count;
    else
        stop_input();
    // At its end, and when a line is longer than there is room, what there is is sent.
    char *rest = line, *end;
    line[len] = '\0';
    while ((end = strchr(rest, '\n')) != NULL || (*rest != '\0' && (input_ended || len == sizeof line - 1))) {
        if (end != NULL)
            *end = '\0';
        if (*rest != '\0')
            send_line(rest);
        rest = end != NULL ? end + 1 : line + len;
    }
    len -= (size_t)(rest - line);
    memmove(line, rest, len);
}

// ---- what a client brings ----

static void show_text(const struct peer *peer, const char *before, const sio_message *message, const char *pointer)
{
    const void *value;
    char text[1024];
    if (sio_message_find(message, pointer, &value, NULL) != SIO_JSON_STRING)
        return;
    sio_json_unquote(value, text, sizeof text);
    // What a stranger wrote must not command the terminal.
    for (char *c = text; *c != '\0'; c++)
        if ((unsigned char)*c < ' ' || *c == 127)
            *c = ' ';
    printf("%s: %s%s\n", peer->name, before, text);
}

static void show(const struct peer *peer, const sio_message *message)
{
    switch (sio_message_kind(message)) {
    case SIO_MESSAGE_CONNECTED:
        printf("%s: connected\n", peer->name);
        break;
    case SIO_MESSAGE_DISCONNECTED:
        show_text(peer, "disconnected, ", message, "/0/reason");
        break;
    case SIO_MESSAGE_EVENT:
        if (strcmp(sio_message_event(message, NULL), "message") == 0)
            show_text(peer, "", message, "/0/text");
        break;
    default: // A later version of the library may have other kinds.
        break;
    }
}

static void take_leave(struct peer *peer)
{
    peer->leaving = 1;
    int status = sio_client_disconnect_start(peer->client, 5000, LEAVE);
    if (status != SIO_OK) {
        complain(peer, "cannot leave", status);
        peer->left = 1;
    }
}

static void finish(struct peer *peer, uint64_t tag, int status)
{
    switch (tag) {
    case CONNECT:
        peer->connected = status == SIO_OK;
        if (status != SIO_OK)
            complain(peer, "cannot connect", status);
        if (sender.connected && viewer.connected) {
            // Only now, so that no line is typed that nobody sees.
            printf("type a line to send it, Ctrl-D to leave\n");
            if (watch(STDIN_FILENO, NULL) != 0) {
                fprintf(stderr, "epoll: standard input: %s\n", strerror(errno));
                input_ended = failed = 1;
            }
        }
        break;
    case LINE:
        lines_under_way--;
        if (status != SIO_OK)
            complain(peer, "a line was not sent", status);
        break;
    case LEAVE:
        peer->left = 1;
        if (status != SIO_OK)
            complain(peer, "the last lines may not have arrived", status);
        break;
    }
}

// Takes all that is there. If something were left the descriptor would just be readable again.
static void drain(struct peer *peer)
{
    sio_message *message;
    uint64_t tag;
    int status;
    while ((status = sio_client_receive(peer->client, 0, &message)) == SIO_OK) {
        show(peer, message);
        sio_message_free(message);
    }
    if (status == SIO_E_DISCONNECTED && peer->connected) {
        peer->connected = 0;
        if (!peer->leaving)
            complain(peer, "the connection has ended", status);
    }
    while (sio_client_result(peer->client, 0, &tag, &status, NULL) == SIO_OK)
        finish(peer, tag, status);
}

// ---- the loop ----

static int begin(struct peer *peer, const char *url)
{
    peer->client = sio_client_new();
    int fd = sio_client_fd(peer->client);
    int status = fd < 0 ? fd : sio_client_set_int(peer->client, SIO_OPT_REPORT_STATE, 1);
    if (status == SIO_OK)
        status = sio_client_set_int(peer->client, SIO_OPT_RECONNECT_MIN_MS, 200);
    if (status == SIO_OK)
        status = sio_client_connect_start(peer->client, url, 5000, CONNECT);
    if (status != SIO_OK)
        complain(peer, url, status);
    else if (watch(fd, peer) != 0)
        status = SIO_E_SYSTEM;
    return status;
}

int main(int argc, char **argv)
{
    const char *url = argc > 1 ? argv[1] : "http://localhost:5000";
    loop = epoll_create1(EPOLL_CLOEXEC);
    int status = begin(&sender, url);
    if (status == SIO_OK)
        status = begin(&viewer, url);

    while (status == SIO_OK && !viewer.left) {
        struct epoll_event events[3];
        fflush(stdout);
        int count = epoll_wait(loop, events, 3, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr != NULL)
                drain(events[i].data.ptr);
            else
                read_input();
        }
        if (failed)
            stop_input();
        // The sender leaves when its lines are with the library, which sends them before it does, and
        // the viewer after it.
        if (input_ended && (failed || lines_under_way == 0) && !sender.leaving)
            take_leave(&sender);
        if (sender.left && !viewer.leaving)
            take_leave(&viewer);
    }
    sio_client_free(sender.client);
    sio_client_free(viewer.client);
    close(loop);
    return status != SIO_OK || failed;
}

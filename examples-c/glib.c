// SPDX-License-Identifier: MIT OR Apache-2.0
//
// glib - a client in GLib's main loop, the one of GTK and GNOME programs.
//
//     make server                      # in another terminal, at the top of the tree
//     ./bin/glib http://localhost:5000
//
// Asks the server for a sum every half second, and shows what comes. Ctrl-C ends it. In a program
// with windows nothing here would hold up drawing: no call waits.

#include <glib-unix.h>
#include <sio.h>

// What was started, as the tags of the results say it.
enum { CONNECT, ADD, LEAVE };

struct app {
    GMainLoop *loop;
    sio_client *client;
    int number, status;
};

static void complain(const struct app *app, const char *what, int status)
{
    char text[512];
    sio_client_error(app->client, text, sizeof text);
    g_printerr("glib: %s: %s: %s\n", what, sio_status_text(status), text);
}

static void quit(struct app *app, int status)
{
    app->status = status;
    g_main_loop_quit(app->loop);
}

static gboolean on_timer(gpointer data)
{
    struct app *app = data;
    char args[32];
    g_snprintf(args, sizeof args, "[%d, 1]", app->number++);
    int status = sio_client_call_start(app->client, "add", args, NULL, 0, 5000, ADD);
    // Not connected, or leaving: it asks again when it is connected.
    return status == SIO_OK ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

static gboolean on_signal(gpointer data)
{
    struct app *app = data;
    int status = sio_client_disconnect_start(app->client, 5000, LEAVE);
    if (status != SIO_OK)
        quit(app, status);
    // A second Ctrl-C ends the program in any case.
    return G_SOURCE_REMOVE;
}

static void finish(struct app *app, uint64_t tag, int status, const sio_message *reply)
{
    if (tag == CONNECT && status == SIO_OK) {
        g_print("connected\n");
        g_timeout_add(500, on_timer, app);
    } else if (tag == ADD && status == SIO_OK) {
        g_print("the sum is %s\n", sio_message_args(reply, NULL));
    } else if (tag == ADD) {
        complain(app, "no answer", status);
    } else {
        if (status != SIO_OK)
            complain(app, tag == CONNECT ? "cannot connect" : "cannot leave", status);
        quit(app, status);
    }
}

static gboolean on_readable(gint fd, GIOCondition condition, gpointer data)
{
    struct app *app = data;
    sio_message *message;
    uint64_t tag;
    int status;
    (void)fd, (void)condition;
    while (sio_client_receive(app->client, 0, &message) == SIO_OK) {
        g_print("%s %s\n", sio_message_event(message, NULL), sio_message_args(message, NULL));
        sio_message_free(message);
    }
    while (sio_client_result(app->client, 0, &tag, &status, &message) == SIO_OK) {
        finish(app, tag, status, message);
        sio_message_free(message);
    }
    return G_SOURCE_CONTINUE;
}

int main(int argc, char **argv)
{
    const char *url = argc > 1 ? argv[1] : "http://localhost:5000";
    struct app app = {g_main_loop_new(NULL, FALSE), sio_client_new(), 0, SIO_OK};

    int status = sio_client_fd(app.client);
    if (status >= 0) {
        g_unix_fd_add(status, G_IO_IN, on_readable, &app);
        g_unix_signal_add(SIGINT, on_signal, &app);
        status = sio_client_connect_start(app.client, url, 5000, CONNECT);
    }
    if (status == SIO_OK) {
        g_main_loop_run(app.loop);
        status = app.status;
    } else {
        complain(&app, url, status);
    }
    // The loop does not run any more, so nobody polls the descriptor of the client that is freed.
    sio_client_free(app.client);
    g_main_loop_unref(app.loop);
    return status == SIO_OK ? 0 : 1;
}

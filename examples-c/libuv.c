// SPDX-License-Identifier: MIT OR Apache-2.0
//
// libuv - a client in libuv's loop: calls whose answers come as they come, beside events.
//
//     make server                      # in another terminal, at the top of the tree
//     ./bin/libuv http://localhost:5000
//     ./bin/libuv --wakeup http://localhost:5000
//
// The loop is told by the client's descriptor that something can be taken. With --wakeup it is told by
// a function instead, as on Windows, where there is no such descriptor: that function may run on a
// thread of the library, and does nothing but wake the loop.

#define _POSIX_C_SOURCE 200809L // for <uv.h>

#include <sio.h>
#include <stdio.h>
#include <string.h>
#include <uv.h>

// What was started, as the tags of the results say it. Calls have the numbers from CALL on.
enum { CONNECT, LEAVE, CALL };
enum { CALLS = 5 };

static sio_client *client;
static uv_poll_t poll_handle;
static uv_async_t async_handle;
static int answered, greeted, leaving, exit_status = 1;

static void complain(const char *what, int status)
{
    char text[512];
    sio_client_error(client, text, sizeof text);
    fprintf(stderr, "libuv: %s: %s: %s\n", what, sio_status_text(status), text);
}

// Frees the client and closes the handles, after which the loop has nothing left to wait for.
static void end(void)
{
    // The descriptor belongs to the client, so nobody may poll it when it is freed.
    if (uv_is_active((uv_handle_t *)&poll_handle))
        uv_poll_stop(&poll_handle);
    // When this has returned the function is no longer running, and its handle can be closed.
    sio_client_free(client);
    client = NULL;
    if (poll_handle.type == UV_POLL)
        uv_close((uv_handle_t *)&poll_handle, NULL);
    if (async_handle.type == UV_ASYNC)
        uv_close((uv_handle_t *)&async_handle, NULL);
}

// All calls at once: none waits for the answer to another.
static int ask(void)
{
    int status = sio_client_emit(client, "hello", "[\"libuv\"]", NULL, 0, 0);
    for (int i = 0; status == SIO_OK && i < CALLS; i++) {
        char args[32];
        snprintf(args, sizeof args, "[%d, %d]", i, i);
        status = sio_client_call_start(client, "add", args, NULL, 0, 5000, CALL + (uint64_t)i);
    }
    return status;
}

static void finish(uint64_t tag, int status, const sio_message *reply)
{
    const char *what = tag == CONNECT ? "cannot connect" : tag == LEAVE ? "cannot leave" : "no answer";
    if (status == SIO_OK && tag == CONNECT) {
        printf("connected\n");
        status = ask();
    } else if (status == SIO_OK && tag == LEAVE) {
        printf("left\n");
        exit_status = 0;
    } else if (status == SIO_OK) {
        printf("call %d is answered: %s\n", (int)(tag - CALL), sio_message_args(reply, NULL));
        answered++;
    }
    if (status != SIO_OK) {
        complain(what, status);
        leaving = 1;
    }
    if (tag == LEAVE || status != SIO_OK)
        end();
}

// Takes all that is there, from both queues: with --wakeup nothing is told twice.
static void drain(void)
{
    sio_message *message;
    uint64_t tag;
    int status;
    while (sio_client_receive(client, 0, &message) == SIO_OK) {
        printf("%s %s\n", sio_message_event(message, NULL), sio_message_args(message, NULL));
        greeted |= strcmp(sio_message_event(message, NULL), "greeting") == 0;
        sio_message_free(message);
    }
    while (client != NULL && sio_client_result(client, 0, &tag, &status, &message) == SIO_OK) {
        finish(tag, status, message);
        sio_message_free(message);
    }
    if (client != NULL && !leaving && answered == CALLS && greeted) {
        leaving = 1;
        status = sio_client_disconnect_start(client, 5000, LEAVE);
        if (status != SIO_OK) {
            complain("cannot leave", status);
            end();
        }
    }
    fflush(stdout);
}

static void on_poll(uv_poll_t *handle, int status, int events)
{
    (void)handle, (void)status, (void)events;
    drain();
}

// On the loop's thread. Several calls of uv_async_send() can be one of this.
static void on_async(uv_async_t *handle)
{
    (void)handle;
    if (client != NULL)
        drain();
}

// On whichever thread; uv_async_send() may be called from all of them.
static void on_wakeup(void *user)
{
    uv_async_send(user);
}

int main(int argc, char **argv)
{
    int by_wakeup = argc > 1 && strcmp(argv[1], "--wakeup") == 0;
    const char *url = argc > 1 + by_wakeup ? argv[1 + by_wakeup] : "http://localhost:5000";
    uv_loop_t *loop = uv_default_loop();
    client = sio_client_new();

    int status;
    if (by_wakeup) {
        uv_async_init(loop, &async_handle, on_async);
        status = sio_client_set_wakeup(client, on_wakeup, &async_handle);
    } else {
        int fd = status = sio_client_fd(client);
        if (fd >= 0) {
            uv_poll_init(loop, &poll_handle, fd);
            status = uv_poll_start(&poll_handle, UV_READABLE, on_poll) == 0 ? SIO_OK : SIO_E_SYSTEM;
        }
    }
    if (status == SIO_OK)
        status = sio_client_connect_start(client, url, 5000, CONNECT);
    if (status != SIO_OK) {
        complain(url, status);
        end();
    }
    uv_run(loop, UV_RUN_DEFAULT);
    uv_loop_close(loop);
    return exit_status;
}

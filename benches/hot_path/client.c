// Measures the hot path of the library against the canned server: processor time of this process
// for each event received, each event emitted, and the time of a call.
//
//     client PORT [EVENTS [DENSE]]
//
// The events have 64 bytes as Socket.IO text: a number and a text, or with DENSE 1 many short tokens.
//
// Prints one line: receive_us emit_us call_p50_us call_p99_us.

#define _POSIX_C_SOURCE 200809L
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <sio.h>

static double seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void check(sio_client *client, int status)
{
    char text[512];
    if (status == SIO_OK) return;
    sio_client_error(client, text, sizeof text);
    fprintf(stderr, "%s: %s\n", sio_status_name(status), text);
    exit(1);
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

enum { CALLS = 5000 };

int main(int argc, char **argv)
{
    static double times[CALLS];
    char text[64];
    long events = argc > 2 ? atol(argv[2]) : 1000000;
    int dense = argc > 3 && atoi(argv[3]);
    const char *args = dense ? "[{\"id\":12345,\"ok\":true,\"text\":\"xxxxx\",\"list\":[1,2,3]}]"
                             : "[{\"id\":12345,\"text\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxx\"}]";
    sio_client *client = sio_client_new();

    if (argc < 2) {
        fprintf(stderr, "usage: %s PORT [EVENTS [DENSE]]\n", argv[0]);
        return 2;
    }
    // The canned server floods by websocket only.
    check(client, sio_client_set(client, SIO_OPT_TRANSPORTS, "websocket"));
    snprintf(text, sizeof text, "http://127.0.0.1:%s", argv[1]);
    check(client, sio_client_connect(client, text, 5000));

    snprintf(text, sizeof text, "[%ld, 66, %d]", events, dense);
    check(client, sio_client_emit(client, "flood", text, NULL, 0, 5000));
    double begun = seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (long i = 0; i < events; i++) {
        sio_message *message;
        check(client, sio_client_receive(client, SIO_FOREVER, &message));
        if (sio_message_args(message, NULL)[0] != '[') return 1;
        sio_message_free(message);
    }
    double receive = (seconds(CLOCK_PROCESS_CPUTIME_ID) - begun) / (double)events * 1e6;

    begun = seconds(CLOCK_PROCESS_CPUTIME_ID);
    for (long i = 0; i < events; i++) {
        check(client, sio_client_emit(client, "tick", args, NULL, 0, SIO_FOREVER));
    }
    check(client, sio_client_flush(client, SIO_FOREVER));
    double emit = (seconds(CLOCK_PROCESS_CPUTIME_ID) - begun) / (double)events * 1e6;

    check(client, sio_client_call(client, "done", NULL, NULL, 0, SIO_FOREVER, NULL));
    for (int i = 0; i < CALLS; i++) {
        double start = seconds(CLOCK_MONOTONIC);
        check(client, sio_client_call(client, "add", "[2, 3]", NULL, 0, 5000, NULL));
        times[i] = (seconds(CLOCK_MONOTONIC) - start) * 1e6;
    }
    qsort(times, CALLS, sizeof *times, compare);
    printf("%.4f %.4f %.1f %.1f\n", receive, emit, times[CALLS / 2], times[CALLS * 99 / 100]);
    check(client, sio_client_disconnect(client, 5000));
    sio_client_free(client);
    return 0;
}

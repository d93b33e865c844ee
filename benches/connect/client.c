// Times the library: a connect by polling, a connect by websocket, a call by polling.
//
//     client PORT
//
// Prints one line, the p50 of each in microseconds.

#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <sio.h>

enum { WARM_CONNECTS = 20, CONNECTS = 200, WARM_CALLS = 500, CALLS = 2000 };

static char url[64];

static double microseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec * 1e-3;
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

static double median(double *times, size_t count)
{
    qsort(times, count, sizeof *times, compare);
    return times[count / 2];
}

static sio_client *connected(const char *transport)
{
    sio_client *client = sio_client_new();
    check(client, sio_client_set(client, SIO_OPT_TRANSPORTS, transport));
    check(client, sio_client_connect(client, url, 5000));
    return client;
}

static void leave(sio_client *client)
{
    check(client, sio_client_disconnect(client, 5000));
    sio_client_free(client);
}

static double connects(const char *transport)
{
    static double times[CONNECTS];
    for (int i = -WARM_CONNECTS; i < CONNECTS; i++) {
        double start = microseconds();
        sio_client *client = connected(transport);
        if (i >= 0) times[i] = microseconds() - start;
        leave(client);
    }
    return median(times, CONNECTS);
}

static double calls(const char *transport)
{
    static double times[CALLS];
    sio_client *client = connected(transport);
    for (int i = -WARM_CALLS; i < CALLS; i++) {
        double start = microseconds();
        check(client, sio_client_call(client, "add", "[2, 3]", NULL, 0, 5000, NULL));
        if (i >= 0) times[i] = microseconds() - start;
    }
    leave(client);
    return median(times, CALLS);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        fprintf(stderr, "usage: %s PORT\n", argv[0]);
        return 2;
    }
    snprintf(url, sizeof url, "http://127.0.0.1:%s", argv[1]);
    double polling = connects("polling"), websocket = connects("websocket");
    printf("%.1f %.1f %.1f\n", polling, websocket, calls("polling"));
    return 0;
}

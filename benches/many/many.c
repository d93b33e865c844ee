// Connects many clients in one process and one epoll loop, lets them rest, and measures what they cost.
//
//     many PORT [CLIENTS [SECONDS [TRANSPORTS]]]
//
// Prints what one client costs while it is connected and idle: resident memory, threads, descriptors,
// and the processor time of all of them over the rest.

#define _GNU_SOURCE
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>

#include <sio.h>

static double seconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static long entries(const char *folder)
{
    long count = -2;
    DIR *dir = opendir(folder);
    while (dir != NULL && readdir(dir) != NULL) count++;
    if (dir != NULL) closedir(dir);
    return count;
}

static long resident_kib(void)
{
    char line[256];
    long kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "VmRSS: %ld", &kib) == 1) break;
    if (file != NULL) fclose(file);
    return kib;
}

static void fail(sio_client *client, const char *what)
{
    char text[512];
    sio_client_error(client, text, sizeof text);
    fprintf(stderr, "%s: %s\n", what, text);
    exit(1);
}

// Takes results and events of one client; 1 if a connect came to its end.
static int take(sio_client *client)
{
    int connected = 0, status;
    uint64_t tag;
    sio_message *message;
    while (sio_client_result(client, 0, &tag, &status, NULL) == SIO_OK) {
        if (status != SIO_OK) fail(client, "connect");
        connected = 1;
    }
    while (sio_client_receive(client, 0, &message) == SIO_OK) sio_message_free(message);
    return connected;
}

int main(int argc, char **argv)
{
    long count = argc > 2 ? atol(argv[2]) : 1000;
    long rest = argc > 3 ? atol(argv[3]) : 10;
    const char *transports = argc > 4 ? argv[4] : "websocket";
    struct epoll_event events[64], event = {.events = EPOLLIN};
    sio_client **clients = calloc((size_t)count, sizeof *clients);
    int loop = epoll_create1(EPOLL_CLOEXEC);
    struct rlimit limit;
    char url[64];

    if (argc < 2 || clients == NULL || loop < 0) {
        fprintf(stderr, "usage: %s PORT [CLIENTS [SECONDS [TRANSPORTS]]]\n", argv[0]);
        return 2;
    }
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
    snprintf(url, sizeof url, "http://127.0.0.1:%s", argv[1]);

    long memory = resident_kib(), threads = entries("/proc/self/task");
    long descriptors = entries("/proc/self/fd");
    double begin = seconds(CLOCK_MONOTONIC);
    long started = 0, connected = 0;
    while (connected < count) {
        // A server accepts so many at once as its backlog holds.
        while (started < count && started - connected < 50) {
            sio_client *client = clients[started] = sio_client_new();
            int fd = sio_client_fd(client);
            event.data.u64 = (uint64_t)started;
            if (fd < 0 || epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event) != 0) fail(client, "descriptor");
            sio_client_set(client, SIO_OPT_TRANSPORTS, transports);
            if (sio_client_connect_start(client, url, 30000, 1) != SIO_OK) fail(client, "connect_start");
            started++;
        }
        int ready = epoll_wait(loop, events, 64, 30000);
        if (ready <= 0) {
            fprintf(stderr, "nothing happened for 30 s, with %ld connected\n", connected);
            return 1;
        }
        for (int i = 0; i < ready; i++) connected += take(clients[events[i].data.u64]);
    }
    double connecting = seconds(CLOCK_MONOTONIC) - begin;

    // What is on its way, welcomes and upgrades, is awaited before the rest begins.
    while (epoll_wait(loop, events, 1, 1000) > 0) take(clients[events[0].data.u64]);
    double processor = seconds(CLOCK_PROCESS_CPUTIME_ID);
    double end = seconds(CLOCK_MONOTONIC) + (double)rest;
    while (seconds(CLOCK_MONOTONIC) < end) {
        int ready = epoll_wait(loop, events, 64, (int)((end - seconds(CLOCK_MONOTONIC)) * 1000) + 1);
        for (int i = 0; i < ready; i++) take(clients[events[i].data.u64]);
    }
    processor = seconds(CLOCK_PROCESS_CPUTIME_ID) - processor;

    printf("%ld clients by %s, connected in %.2f s: each %.1f KiB, %.2f threads, %.1f descriptors; "
           "at rest all together %.3f %% of a processor\n",
           count, transports, connecting, (double)(resident_kib() - memory) / (double)count,
           (double)(entries("/proc/self/task") - threads) / (double)count,
           (double)(entries("/proc/self/fd") - descriptors) / (double)count,
           processor / (double)rest * 100);

    begin = seconds(CLOCK_MONOTONIC);
    for (long i = 0; i < count; i++) sio_client_free(clients[i]);
    printf("freed in %.2f s\n", seconds(CLOCK_MONOTONIC) - begin);
    free(clients);
    return 0;
}

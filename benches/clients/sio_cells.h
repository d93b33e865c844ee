// The cells that are about clients rather than messages: threads asleep, queues, connecting, many
// clients, memory.

#ifndef BENCH_SIO_CELLS_H
#define BENCH_SIO_CELLS_H

#include <pthread.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sio_client.h"

struct sleepers {
    sio_client *client;
    long count;
    pthread_t *threads;
    long *tids;
};

struct sleeper {
    struct sleepers *all;
    long index;
};

static inline void *sleep_in_receive(void *data)
{
    struct sleeper *self = data;
    sio_client *client = self->all->client;
    sio_message *message;
    __atomic_store_n(&self->all->tids[self->index], (long)syscall(SYS_gettid), __ATOMIC_RELEASE);
    int status = sio_client_receive(client, SIO_FOREVER, &message);
    require(status == SIO_E_DISCONNECTED, "a receive ended before the connection");
    free(self);
    return NULL;
}

// Whether a thread of this process waits for something.
static inline int is_asleep(long tid)
{
    char path[64], line[512] = "";
    snprintf(path, sizeof path, "/proc/self/task/%ld/stat", tid);
    FILE *file = fopen(path, "r");
    if (file == NULL) return 0;
    const char *name_end = fgets(line, sizeof line, file) == NULL ? NULL : strrchr(line, ')');
    fclose(file);
    return name_end != NULL && strncmp(name_end, ") S", 3) == 0;
}

// Returns when so many threads wait in receive.
static inline struct sleepers *put_to_sleep(sio_client *client, long count)
{
    struct sleepers *all = allocated(sizeof *all);
    double until = microseconds(CLOCK_MONOTONIC) + PATIENCE_US;
    all->client = client;
    all->count = count;
    all->threads = allocated((size_t)count * sizeof *all->threads);
    all->tids = calloc((size_t)count + 1, sizeof *all->tids);
    require(all->tids != NULL, "out of memory");
    for (long i = 0; i < count; i++) {
        struct sleeper *one = allocated(sizeof *one);
        one->all = all;
        one->index = i;
        require(pthread_create(&all->threads[i], NULL, sleep_in_receive, one) == 0, "no thread");
    }
    for (long i = 0; i < count; i++) {
        while (__atomic_load_n(&all->tids[i], __ATOMIC_ACQUIRE) == 0 || !is_asleep(all->tids[i])) {
            require(microseconds(CLOCK_MONOTONIC) < until, "a thread does not go to sleep");
            pause_us(100);
        }
    }
    return all;
}

static inline void leave_with_sleepers(sio_client *client, struct sleepers *all)
{
    check(client, sio_client_disconnect(client, 30000));
    for (long i = 0; i < all->count; i++) pthread_join(all->threads[i], NULL);
    sio_client_free(client);
    free(all->threads);
    free(all->tids);
    free(all);
}

static inline void drain_cell(const struct options *wanted)
{
    sio_client *client = made(wanted);
    double until = microseconds(CLOCK_MONOTONIC) + PATIENCE_US;
    set(client, SIO_OPT_RECEIVE_LIMIT, "17179869184");
    connect_now(client, wanted);
    long before = status_of_process("VmRSS:");
    ask_for_flood(client, wanted->count, wanted->bytes, wanted->kind);
    while (statistic(client, "/receive_queued") < wanted->count) {
        require(microseconds(CLOCK_MONOTONIC) < until, "the flood did not come");
        pause_us(1000);
    }
    double grown = (double)(status_of_process("VmRSS:") - before) * 1024;
    long queued = statistic(client, "/receive_queued_bytes");

    struct span start = begin();
    receive(client, wanted, wanted->count);
    report_span(wanted->count, passed(start));
    report("queued_bytes", (double)queued);
    report("rss_per_event", grown / (double)wanted->count);
    report("peak_kib", (double)status_of_process("VmHWM:"));
    leave(client);
}

static inline void connect_cell(const struct options *wanted)
{
    double *times = allocated((size_t)wanted->count * sizeof *times);
    struct span all = {0};
    require(wanted->count >= 1, "count= is at least 1");
    for (long i = -wanted->count / 10; i < wanted->count; i++) {
        struct span start = begin();
        sio_client *client = connected(wanted);
        struct span took = passed(start);
        leave(client);
        if (i < 0) continue;
        times[i] = took.wall;
        all.wall += took.wall;
        all.cpu += took.cpu;
    }
    report_span(wanted->count, all);
    report_times(times, wanted->count);
    free(times);
}

// Takes results and events of one client; 1 if its connect has ended.
static inline int take(sio_client *client)
{
    int ended = 0, status;
    uint64_t tag;
    sio_message *message;
    while (sio_client_result(client, 0, &tag, &status, NULL) == SIO_OK) {
        check(client, status);
        ended = 1;
    }
    while (sio_client_receive(client, 0, &message) == SIO_OK) sio_message_free(message);
    return ended;
}

// Waits for something of the clients once, at most so long. How many connects have ended.
static inline long turn(int loop, sio_client **clients, double us)
{
    struct epoll_event events[64];
    long ended = 0;
    int ready = epoll_wait(loop, events, 64, us > 0 ? (int)(us / 1000) + 1 : 0);
    for (int i = 0; i < ready; i++) ended += take(clients[events[i].data.u64]);
    return ended;
}

static inline void idle_cell(const struct options *wanted)
{
    sio_client **clients = allocated((size_t)wanted->clients * sizeof *clients);
    int loop = epoll_create1(EPOLL_CLOEXEC);
    long started = 0, ended = 0;
    struct rlimit limit;
    require(loop >= 0 && getrlimit(RLIMIT_NOFILE, &limit) == 0, "no descriptor");
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);

    long before = status_of_process("VmRSS:");
    double until = microseconds(CLOCK_MONOTONIC) + PATIENCE_US;
    while (ended < wanted->clients) {
        // A server accepts so many at once as its backlog holds.
        for (; started < wanted->clients && started - ended < 50; started++) {
            sio_client *client = clients[started] = made(wanted);
            struct epoll_event event = {.events = EPOLLIN, .data.u64 = (uint64_t)started};
            int fd = sio_client_fd(client);
            require(fd >= 0 && epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event) == 0, "no descriptor");
            check(client, sio_client_connect_start(client, wanted->url, 30000, 1));
        }
        ended += turn(loop, clients, 1e6);
        require(microseconds(CLOCK_MONOTONIC) < until, "not all clients connected");
    }
    const char *transport = is(wanted->transport, "polling") ? "polling" : "websocket";
    for (long i = 0; i < wanted->clients; i++) {
        while (!is(sio_client_transport(clients[i]), transport)) {
            require(microseconds(CLOCK_MONOTONIC) < until, "an upgrade did not come");
            turn(loop, clients, 1e3);
        }
    }
    struct span start = begin();
    while (passed(start).wall < (double)wanted->seconds * 1e6)
        turn(loop, clients, (double)wanted->seconds * 1e6 - passed(start).wall);
    struct span rest = passed(start);
    report_span(wanted->clients, rest);
    report("kib_each", (double)(status_of_process("VmRSS:") - before) / (double)wanted->clients);
    report("rss_kib", (double)status_of_process("VmRSS:"));
    report("threads", (double)status_of_process("Threads:"));
    for (long i = 0; i < wanted->clients; i++) {
        require(sio_client_state(clients[i]) == SIO_STATE_CONNECTED, "a client lost its connection");
        sio_client_free(clients[i]);
    }
    free(clients);
}

enum { LIMIT = 8 * 1024 * 1024, LARGE = 64 * 1024, ALL = 1024 * 1024 * 1024 / LARGE };

// A gibibyte that is never received: until the queue is full and has stayed as it is for a while.
static inline void flood_unread(sio_client *client, const struct options *wanted)
{
    double until = microseconds(CLOCK_MONOTONIC) + PATIENCE_US, since = 0;
    long queued = 0;
    ask_for_flood(client, ALL, LARGE, wanted->kind);
    while (queued < LIMIT || microseconds(CLOCK_MONOTONIC) - since < 500e3) {
        long now = statistic(client, "/receive_queued_bytes");
        if (now != queued) since = microseconds(CLOCK_MONOTONIC);
        queued = now;
        require(microseconds(CLOCK_MONOTONIC) < until, "the queue does not fill");
        pause_us(1000);
    }
    report("queued_bytes", (double)queued);
}

static inline void memory_cell(const struct options *wanted)
{
    char limit[32], *text = event_text(wanted->kind, LARGE), *args = strchr(text, ',');
    unsigned char *bytes = noise(LARGE);
    sio_buffer buffer = {.data = bytes, .len = LARGE};
    sio_client *client = made(wanted);
    require(wanted->way != NULL && (is(wanted->way, "emit") || is(wanted->way, "flood")),
            "way= is emit or flood");
    snprintf(limit, sizeof limit, "%d", LIMIT);
    set(client, SIO_OPT_SEND_LIMIT, limit);
    set(client, SIO_OPT_RECEIVE_LIMIT, limit);
    connect_now(client, wanted);
    *args = '[';
    long before = status_of_process("VmRSS:");
    if (is(wanted->way, "flood")) {
        flood_unread(client, wanted);
    } else {
        size_t buffers = is(wanted->kind, "binary") ? 1 : 0;
        for (long i = 0; i < ALL; i++)
            check(client, sio_client_emit(client, "tick", args, &buffer, buffers, SIO_FOREVER));
        check(client, sio_client_flush(client, SIO_FOREVER));
    }
    report("count", ALL);
    report("peak_kib", (double)(status_of_process("VmHWM:") - before));
    sio_client_free(client);
    free(bytes);
    free(text);
}

#endif

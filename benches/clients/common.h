// What the C programs of the benchmark have in common: their arguments, clocks and memory figures,
// the payloads, and the line of JSON in which they report.

#ifndef BENCH_COMMON_H
#define BENCH_COMMON_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

// The arguments key=value, with what holds if they are left out.
struct options {
    const char *url, *transport, *kind, *ca, *thread, *way, *lib;
    long bytes, count, open, threads, clients, seconds, verify;
};

static inline void fail(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(1);
}

static inline void require(int holds, const char *what)
{
    if (!holds) fail(what);
}

static inline void *allocated(size_t size)
{
    void *memory = malloc(size > 0 ? size : 1);
    require(memory != NULL, "out of memory");
    return memory;
}

static inline struct options options(int argc, char **argv, int first)
{
    struct options found = {.transport = "websocket", .kind = "text", .bytes = 64, .count = 1000,
                            .open = 1, .clients = 1, .seconds = 1, .verify = 1};
    struct {
        const char *key;
        const char **text;
        long *number;
    } known[] = {
        {"url", &found.url, NULL},         {"transport", &found.transport, NULL},
        {"kind", &found.kind, NULL},       {"ca", &found.ca, NULL},
        {"thread", &found.thread, NULL},   {"way", &found.way, NULL},
        {"lib", &found.lib, NULL},         {"bytes", NULL, &found.bytes},
        {"count", NULL, &found.count},     {"open", NULL, &found.open},
        {"threads", NULL, &found.threads}, {"clients", NULL, &found.clients},
        {"seconds", NULL, &found.seconds}, {"verify", NULL, &found.verify},
    };
    for (int i = first; i < argc; i++) {
        const char *equals = strchr(argv[i], '=');
        size_t length = equals == NULL ? 0 : (size_t)(equals - argv[i]);
        size_t at = 0, end = sizeof known / sizeof *known;
        while (at < end && !(strlen(known[at].key) == length && memcmp(known[at].key, argv[i], length) == 0))
            at++;
        if (length == 0 || at == end) {
            fprintf(stderr, "not known: %s\n", argv[i]);
            exit(2);
        }
        if (known[at].text != NULL) {
            *known[at].text = equals + 1;
            continue;
        }
        char *rest;
        *known[at].number = strtol(equals + 1, &rest, 10);
        if (rest == equals + 1 || *rest != '\0' || *known[at].number < 0) {
            fprintf(stderr, "no number: %s\n", argv[i]);
            exit(2);
        }
    }
    require(found.url != NULL, "url= is missing");
    return found;
}

static inline int is(const char *text, const char *other)
{
    return strcmp(text, other) == 0;
}

static inline double microseconds(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec * 1e-3;
}

// Processor and wall time since `begin`.
struct span {
    double cpu, wall;
};

static inline struct span begin(void)
{
    struct span span = {.cpu = microseconds(CLOCK_PROCESS_CPUTIME_ID),
                        .wall = microseconds(CLOCK_MONOTONIC)};
    return span;
}

static inline struct span passed(struct span since)
{
    struct span now = begin();
    now.cpu -= since.cpu;
    now.wall -= since.wall;
    return now;
}

// A figure of /proc/self/status, "VmRSS:" or "VmHWM:" in KiB, or "Threads:".
static inline long status_of_process(const char *name)
{
    char line[256];
    long value = -1;
    FILE *file = fopen("/proc/self/status", "r");
    require(file != NULL, "/proc/self/status cannot be read");
    while (value < 0 && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, name, strlen(name)) == 0) value = strtol(line + strlen(name), NULL, 10);
    fclose(file);
    require(value >= 0, "/proc/self/status lacks a figure");
    return value;
}

// The event "tick" as JSON text of so many bytes, the name included: dense with short tokens for
// "text", with one long text for "string"; for "binary" a placeholder, whatever the size.
static inline char *event_text(const char *kind, long bytes)
{
    const char *head = "[\"tick\",", *record = "{\"id\":12345,\"ok\":true,\"at\":[1.5,-2,30],\"name\":\"ab";
    const char *tail = "\"}";
    long count = 1, padding;
    if (is(kind, "binary")) {
        const char *text = "[\"tick\",{\"_placeholder\":true,\"num\":0}]";
        return strcpy(allocated(strlen(text) + 1), text);
    }
    if (is(kind, "string")) {
        record = "{\"id\":12345,\"text\":\"";
    } else {
        require(is(kind, "text"), "kind= is text, string or binary");
        // A record is followed by a comma, or the last by the bracket that ends the text.
        long each = (long)(strlen(record) + strlen(tail)) + 1;
        count = (bytes - (long)strlen(head)) / each;
        if (count < 1) count = 1;
    }
    padding = bytes - (long)strlen(head) - count * (long)(strlen(record) + strlen(tail) + 1);
    if (padding < 0) padding = 0;

    char *text = allocated((size_t)(bytes + 256)), *at = text;
    at += sprintf(at, "%s", head);
    for (long i = 1; i < count; i++) at += sprintf(at, "%s%s,", record, tail);
    at += sprintf(at, "%s", record);
    memset(at, 'x', (size_t)padding);
    sprintf(at + padding, "%s]", tail);
    return text;
}

// Bytes in which nothing repeats.
static inline unsigned char *noise(long bytes)
{
    unsigned char *data = allocated((size_t)bytes);
    uint64_t state = UINT64_C(0x9e3779b97f4a7c15);
    for (long i = 0; i < bytes; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        data[i] = (unsigned char)(state >> 32);
    }
    return data;
}

static inline int compare_times(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

// The report: members one by one, then its end.
static inline void report(const char *name, double value)
{
    static int begun;
    int digits = value == (double)(long long)value ? 0 : 3;
    printf("%s\"%s\":%.*f", begun++ ? "," : "{", name, digits, value);
}

static inline void report_span(long count, struct span span)
{
    report("count", (double)count);
    report("cpu_us", span.cpu);
    report("wall_us", span.wall);
}

// Sorts the times.
static inline void report_times(double *times, long count)
{
    qsort(times, (size_t)count, sizeof *times, compare_times);
    report("p50_us", times[count / 2]);
    report("p99_us", times[count * 99 / 100]);
}

static inline void report_end(void)
{
    printf("}\n");
    require(fflush(stdout) == 0, "stdout cannot be written");
}

#endif

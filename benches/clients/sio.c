// The library in the benchmark, one cell after its name:
//
//     sio CELL url=URL key=value ...
//
// Prints one line of JSON.

#define _GNU_SOURCE
#include <sio.h>

#include "sio_cells.h"
#include "sio_client.h"

static void recv_cell(const struct options *wanted)
{
    sio_client *client = connected(wanted);
    receive_flood(client, wanted, wanted->count / 10);
    struct span start = begin();
    receive_flood(client, wanted, wanted->count);
    report_span(wanted->count, passed(start));
    leave(client);
}

// Emits so many events and asks whether all have come.
static void emit_all(sio_client *client, const struct options *wanted, long count, const char *args,
                     const sio_buffer *buffer)
{
    sio_message *reply;
    size_t buffers = is(wanted->kind, "binary") ? 1 : 0;
    for (long i = 0; i < count; i++)
        check(client, sio_client_emit(client, "tick", args, buffer, buffers, SIO_FOREVER));
    check(client, sio_client_call(client, "done", NULL, NULL, 0, SIO_FOREVER, &reply));
    long counted = strtol(sio_message_args(reply, NULL) + 1, NULL, 10);
    sio_message_free(reply);
    if (counted != count) {
        fprintf(stderr, "%ld of %ld events came\n", counted, count);
        exit(1);
    }
}

static void emit_cell(const struct options *wanted)
{
    // The arguments are the event's text without its name.
    char *text = event_text(wanted->kind, wanted->bytes), *args = strchr(text, ',');
    unsigned char *bytes = noise(wanted->bytes);
    sio_buffer buffer = {.data = bytes, .len = (size_t)wanted->bytes};
    sio_client *client = connected(wanted);
    *args = '[';
    emit_all(client, wanted, wanted->count / 10, args, &buffer);
    struct span start = begin();
    emit_all(client, wanted, wanted->count, args, &buffer);
    report_span(wanted->count, passed(start));
    leave(client);
    free(bytes);
    free(text);
}

static void call_one_by_one(sio_client *client, long count, double *times)
{
    sio_message *reply;
    for (long i = 0; i < count; i++) {
        double start = microseconds(CLOCK_MONOTONIC);
        check(client, sio_client_call(client, "add", "[2,3]", NULL, 0, 30000, &reply));
        times[i] = microseconds(CLOCK_MONOTONIC) - start;
        require(sio_message_args(reply, NULL)[0] == '[', "an answer is no array");
        sio_message_free(reply);
    }
}

// Keeps so many calls under way; a call's tag is its number.
static void call_many(sio_client *client, long count, long open, double *times)
{
    long started = 0;
    for (long done = 0; done < count; done++) {
        uint64_t tag;
        int status;
        sio_message *reply;
        for (; started < count && started - done < open; started++) {
            times[started] = microseconds(CLOCK_MONOTONIC);
            uint64_t number = (uint64_t)started;
            check(client, sio_client_call_start(client, "add", "[2,3]", NULL, 0, 30000, number));
        }
        check(client, sio_client_result(client, SIO_FOREVER, &tag, &status, &reply));
        check(client, status);
        times[tag] = microseconds(CLOCK_MONOTONIC) - times[tag];
        require(sio_message_args(reply, NULL)[0] == '[', "an answer is no array");
        sio_message_free(reply);
    }
}

static void call_all(sio_client *client, long count, long open, double *times)
{
    if (open == 1)
        call_one_by_one(client, count, times);
    else
        call_many(client, count, open, times);
}

static void measure_calls(sio_client *client, const struct options *wanted)
{
    double *times = allocated((size_t)wanted->count * sizeof *times);
    require(wanted->open >= 1 && wanted->count >= 1, "open= and count= are at least 1");
    call_all(client, wanted->count / 10, wanted->open, times);
    struct span start = begin();
    call_all(client, wanted->count, wanted->open, times);
    report_span(wanted->count, passed(start));
    report_times(times, wanted->count);
    free(times);
}

static void call_cell(const struct options *wanted)
{
    sio_client *client = connected(wanted);
    measure_calls(client, wanted);
    leave(client);
}

static void sleepers_cell(const struct options *wanted)
{
    sio_client *client = connected(wanted);
    struct sleepers *asleep = put_to_sleep(client, wanted->threads);
    measure_calls(client, wanted);
    leave_with_sleepers(client, asleep);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(const struct options *wanted);
    } cells[] = {
        {"recv", recv_cell},     {"emit", emit_cell},       {"call", call_cell}, {"sleepers", sleepers_cell},
        {"drain", drain_cell},   {"connect", connect_cell}, {"idle", idle_cell}, {"memory", memory_cell},
    };
    const char *name = argc > 1 ? argv[1] : "";
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
        if (!is(cells[i].name, name)) continue;
        struct options wanted = options(argc, argv, 2);
        cells[i].run(&wanted);
        report_end();
        return 0;
    }
    fprintf(stderr, "usage: %s CELL url=URL key=value ...\n", argv[0]);
    return 2;
}

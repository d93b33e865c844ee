// What a message costs: the library that ships, run on a machine in memory (machine.c), does each of
// the things below some number of times, and what that took is counted: allocations, readings of the
// clock, system calls; under callgrind also instructions. Prints a line for each cell:
//
//     NAME MESSAGES COUNT=NUMBER...
//
// To show that it would be seen, an allocation and a system call more are made for each message of
// the first cell with --plant, and with --plant-call one system call of a kind that is not counted.

#include <malloc.h>
#include <sio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <valgrind/callgrind.h>

#include "machine.h"
#include "peer.h"

enum kind { TEXT, BINARY };

static sio_client *client;
static int plant;
// How many calls have been made: the number of the next.
static unsigned long calls;

static void must(int status, const char *what) {
    if (status == SIO_OK) return;
    char text[256];
    sio_client_error(client, text, sizeof text);
    die("%s: %s: %s", what, sio_status_name(status), text);
}

// --- What goes over the wire ---------------------------------------------------------------------

struct bytes {
    unsigned char *at;
    size_t len, room;
};

static void add(struct bytes *bytes, const void *more, size_t len) {
    while (bytes->len + len > bytes->room) {
        bytes->room = bytes->room ? bytes->room * 2 : 4096;
        bytes->at = realloc(bytes->at, bytes->room);
        if (!bytes->at) die("no memory");
    }
    memcpy(bytes->at + bytes->len, more, len);
    bytes->len += len;
}

static void add_frame(struct bytes *bytes, int opcode, const void *payload, size_t len) {
    unsigned char head[10] = {(unsigned char)(0x80 | opcode)};
    size_t head_len = 2;
    if (len < 126) {
        head[1] = (unsigned char)len;
    } else {
        head_len = len < 65536 ? 4 : 10;
        head[1] = len < 65536 ? 126 : 127;
        for (size_t i = 2; i < head_len; i++) {
            head[i] = (unsigned char)(len >> 8 * (head_len - 1 - i));
        }
    }
    add(bytes, head, head_len);
    add(bytes, payload, len);
}

// A JSON array of so many bytes, of records with many short parts; the last is a text that fills up.
static char *dense(size_t bytes) {
    char *text = malloc(bytes + 1), record[128];
    size_t len = 0;
    text[len++] = '[';
    for (unsigned i = 0;; i++) {
        int record_len =
            snprintf(record, sizeof record, "{\"id\":%u,\"ok\":%s,\"at\":[1.5,-2,%u],\"name\":\"ab\"},",
                     12345 + i, i % 2 ? "true" : "false", i % 100);
        // Room for the last: "" and the bracket.
        if (len + (size_t)record_len + 3 > bytes) break;
        memcpy(text + len, record, (size_t)record_len);
        len += (size_t)record_len;
    }
    text[len++] = '"';
    while (len < bytes - 2) text[len++] = 'x';
    memcpy(text + len, "\"]", 3);
    return text;
}

static const char placeholder[] = "[" SIO_PLACEHOLDER(0) "]";

// The content of an event: its arguments, and the buffer that belongs to them.
struct content {
    enum kind kind;
    const char *args;
    size_t args_len;
    unsigned char *buffer;
    size_t buffer_len;
    // The Engine.IO packet of an event "tick" with them.
    char *packet;
    size_t packet_len;
};

// The text of a packet, the name included, or the buffer has so many bytes.
static struct content content(enum kind kind, size_t bytes) {
    struct content content = {.kind = kind, .args = placeholder};
    const char *head = "451-[\"tick\",";
    if (kind == TEXT) {
        head = "42[\"tick\",";
        content.args = dense(bytes - strlen("\"tick\","));
    } else {
        content.buffer_len = bytes;
        content.buffer = malloc(bytes);
        for (size_t i = 0; i < bytes; i++) content.buffer[i] = (unsigned char)(i * 2654435761u >> 13);
    }
    content.args_len = strlen(content.args);
    content.packet = malloc(strlen(head) + content.args_len);
    strcpy(content.packet, head);
    strcat(content.packet, content.args + 1);
    content.packet_len = strlen(content.packet);
    return content;
}

static void add_event(struct bytes *bytes, const struct content *content) {
    add_frame(bytes, 1, content->packet, content->packet_len);
    if (content->kind == BINARY) add_frame(bytes, 2, content->buffer, content->buffer_len);
}

// The answers to the calls that come next, and where each begins.
static size_t *add_answers(struct bytes *bytes, size_t count) {
    size_t *starts = malloc((count + 1) * sizeof *starts);
    for (size_t i = 0; i <= count; i++) {
        char packet[64];
        starts[i] = bytes->len;
        if (i == count) break;
        snprintf(packet, sizeof packet, "43%lu[%lu]", calls + i, (calls + i) * 3);
        add_frame(bytes, 1, packet, strlen(packet));
    }
    return starts;
}

// What was sent must be `count` such events and nothing else.
static void check_sent(const struct content *content, size_t count) {
    size_t at = 0, parts = content->kind == BINARY ? 2 : 1;
    for (size_t i = 0; i < count * parts; i++) {
        const void *expected = i % parts ? (const void *)content->buffer : content->packet;
        size_t len = i % parts ? content->buffer_len : content->packet_len;
        struct bytes frame = {0};
        add_frame(&frame, i % parts ? 2 : 1, expected, len);
        size_t head = frame.len - len;
        frame.at[1] |= 0x80;
        if (at + frame.len + 4 > sent_len || memcmp(sent + at, frame.at, head)) {
            die("frame %zu of what was sent is not that of the event", i);
        }
        const unsigned char *mask = sent + at + head;
        for (size_t j = 0; j < len; j++) {
            if ((mask[4 + j] ^ mask[j % 4]) != frame.at[head + j]) die("frame %zu is wrong", i);
        }
        at += frame.len + 4;
        free(frame.at);
    }
    if (at != sent_len) die("%zu bytes too many were sent", sent_len - at);
    machine_forget_sent();
}

// --- What is measured ----------------------------------------------------------------------------

static void begin(void) {
    CALLGRIND_ZERO_STATS;
    machine_measures(1);
}

static void end(const char *name, size_t messages) {
    machine_measures(0);
    CALLGRIND_DUMP_STATS_AT(name);
    printf("%s %zu", name, messages);
    for (int i = 0; i < COUNTS; i++) {
        if (counts[i]) printf(" %s=%ld", count_names[i], counts[i]);
    }
    printf("\n");
}

static void take(const struct content *content, int whole) {
    sio_message *message;
    size_t len, buffer_len = 0;
    const void *buffer = NULL;
    must(sio_client_receive(client, whole ? SIO_FOREVER : 0, &message), "receive");
    const char *args = sio_message_args(message, &len);
    if (content->kind == BINARY) buffer = sio_message_buffer(message, 0, &buffer_len);
    if (len != content->args_len || buffer_len != content->buffer_len) die("what came is wrong");
    // Once for each cell: comparing is none of the library's costs.
    if (whole && (memcmp(args, content->args, len) ||
                  (buffer_len && memcmp(buffer, content->buffer, buffer_len)))) {
        die("what came is not what was sent");
    }
    sio_message_free(message);
}

// Events that arrive in one go, and are taken when all are there.
static void receive(const char *name, struct content content, size_t count) {
    struct bytes bytes = {0};
    for (size_t i = 0; i < count; i++) add_event(&bytes, &content);
    for (int round = 0; round < 3; round++) {
        machine_passes_time(1000);
        machine_brings(bytes.at, bytes.len);
        if (round == 2) begin();
        machine_runs_driver();
        for (size_t i = 0; i < count; i++) take(&content, round == 0);
    }
    end(name, count);
}

// Events that arrive one by one, each awaited by a thread that sleeps.
static void awaited(const char *name, struct content content, size_t count) {
    struct bytes bytes = {0};
    add_event(&bytes, &content);
    for (size_t i = 0; i < count * 3; i++) {
        if (i == count * 2) begin();
        machine_passes_time(1000);
        machine_brings(bytes.at, bytes.len);
        sio_message *message;
        must(sio_client_receive(client, SIO_FOREVER, &message), "receive");
        sio_message_free(message);
    }
    end(name, count);
}

// When the library's thread has the processor while events are emitted. On a real machine it is
// something between the first two.
enum pace {
    // When all have been.
    IN_ONE_GO,
    // After each, at once.
    ONE_BY_ONE,
    // After each, and then nothing happens for a while.
    WITH_PAUSES
};

static void emit(const char *name, struct content content, size_t count, enum pace pace) {
    sio_buffer buffer = {content.buffer, content.buffer_len};
    size_t buffers = content.kind == BINARY ? 1 : 0;
    for (int round = 0; round < 3; round++) {
        machine_passes_time(1000);
        if (round == 2) begin();
        for (size_t i = 0; i < count; i++) {
            must(sio_client_emit(client, "tick", content.args, &buffer, buffers, 0), "emit");
            if (pace != IN_ONE_GO) machine_runs_driver();
            if (pace == WITH_PAUSES) machine_passes_time(1000);
            if (plant == 1 && round == 2) {
                free(*(void *volatile *)&(void *){malloc(1)});
                (void)!read(-1, NULL, 0);
            }
        }
        machine_runs_driver();
        if (round < 2) check_sent(&content, count);
    }
    end(name, count);
    check_sent(&content, count);
}

// Calls one after another. The answer is there when the caller first offers the processor.
static void call(const char *name, size_t count) {
    for (int round = 0; round < 3; round++) {
        struct bytes bytes = {0};
        size_t *starts = add_answers(&bytes, count);
        machine_answers(bytes.at, starts, count);
        if (round == 2) begin();
        for (size_t i = 0; i < count; i++) {
            sio_message *reply;
            machine_passes_time(1000);
            must(sio_client_call(client, "add", "[2,3]", NULL, 0, 5000, &reply), "call");
            if (strtoul(sio_message_args(reply, NULL) + 1, NULL, 10) != (calls + i) * 3) {
                die("the answer is that of another call");
            }
            sio_message_free(reply);
        }
        if (round == 2) end(name, count);
        calls += count;
        machine_answers(NULL, NULL, 0);
        machine_forget_sent();
        free(starts);
        free(bytes.at);
    }
}

// Calls started in one go, and answered in one go.
static void reply(const char *name, size_t count) {
    for (int round = 0; round < 3; round++) {
        struct bytes bytes = {0};
        free(add_answers(&bytes, count));
        machine_passes_time(1000);
        if (round == 2) begin();
        for (size_t i = 0; i < count; i++) {
            must(sio_client_call_start(client, "add", "[2,3]", NULL, 0, 5000, i), "call_start");
        }
        machine_runs_driver();
        machine_brings(bytes.at, bytes.len);
        machine_runs_driver();
        for (size_t i = 0; i < count; i++) {
            uint64_t tag;
            int status;
            sio_message *reply;
            must(sio_client_result(client, 0, &tag, &status, &reply), "result");
            must(status, "a call");
            if (tag != i || strtoul(sio_message_args(reply, NULL) + 1, NULL, 10) != (calls + i) * 3) {
                die("the answer is that of another call");
            }
            sio_message_free(reply);
        }
        if (round == 2) end(name, count);
        calls += count;
        machine_forget_sent();
        free(bytes.at);
    }
}

int main(int argc, char **argv) {
    // What hangs is a failure too.
    alarm(120);
    // One heap for all threads, which never gives room back: what the allocator does is the same in
    // each run, and it asks the system nothing.
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    // Before any call is forbidden: stdio asks what stdout is when it makes itself a buffer.
    static char lines[4096];
    setvbuf(stdout, lines, _IOLBF, sizeof lines);
    plant = argc < 2 ? 0 : !strcmp(argv[1], "--plant") ? 1 : !strcmp(argv[1], "--plant-call") ? 2 : 3;
    if (plant == 3) die("usage: gate [--plant | --plant-call]");
    char url[64];
    snprintf(url, sizeof url, "http://127.0.0.1:%d", peer_listen());
    client = sio_client_new();
    must(sio_client_set(client, SIO_OPT_TRANSPORTS, "websocket"), "set");
    must(sio_client_connect(client, url, 30000), "connect");
    peer_done();
    machine_start();
    // Valgrind makes calls of its own.
    if (!RUNNING_ON_VALGRIND) machine_forbids_other_calls();
    if (plant == 2) getppid();

    emit("emit-text-64B", content(TEXT, 64), 1000, IN_ONE_GO);
    if (plant) _exit(0);
    emit("emit-text-1KiB", content(TEXT, 1024), 200, IN_ONE_GO);
    emit("emit-dense-64KiB", content(TEXT, 65536), 8, IN_ONE_GO);
    emit("emit-binary-1KiB", content(BINARY, 1024), 200, IN_ONE_GO);
    receive("receive-text-64B", content(TEXT, 64), 1000);
    receive("receive-text-1KiB", content(TEXT, 1024), 200);
    receive("receive-dense-64KiB", content(TEXT, 65536), 8);
    receive("receive-binary-1KiB", content(BINARY, 1024), 200);
    reply("reply-matched", 500);
    call("call", 100);
    emit("emit-one-by-one", content(TEXT, 64), 100, ONE_BY_ONE);
    emit("emit-with-pauses", content(TEXT, 64), 100, WITH_PAUSES);
    awaited("receive-asleep", content(TEXT, 64), 100);
    // What connects goes on while the process ends: closing is none of the calls that are allowed.
    _exit(0);
}

// The limit: the least that any Socket.IO client must do, over a plain socket and without a library.
//
//     limit count|copy CELL url=URL key=value ...
//
// CELL is recv, emit or call. `count` cuts and counts what comes in; `copy` also makes a block of
// memory for every payload, copies or decodes it, and frees it. Prints one line of JSON.

#define _POSIX_C_SOURCE 200809L
#include "limit_polling.h"
#include "limit_websocket.h"

// A connection by either transport.
struct session {
    struct websocket *websocket;
    struct polling *polling;
    int copies;
};

static void put_text(struct session *session, const char *text)
{
    if (session->websocket != NULL)
        ws_put_text(session->websocket, text);
    else
        http_put_text(session->polling, text);
}

static void flush(struct session *session)
{
    if (session->websocket != NULL)
        ws_flush(session->websocket);
    else
        http_flush(session->polling);
}

static void receive_flood(struct session *session, const struct options *wanted, long count)
{
    char text[96];
    snprintf(text, sizeof text, "42[\"flood\",%ld,%ld,\"%s\"]", count, wanted->bytes, wanted->kind);
    put_text(session, text);
    flush(session);
    if (session->websocket != NULL)
        ws_receive(session->websocket, count, session->copies);
    else
        http_receive(session->polling, count, session->copies);
}

static void recv_cell(struct session *session, const struct options *wanted)
{
    receive_flood(session, wanted, wanted->count / 10);
    struct span start = begin();
    receive_flood(session, wanted, wanted->count);
    report_span(wanted->count, passed(start));
}

// Asks whether so many events have come.
static void ask_done(struct session *session, long count)
{
    const unsigned char *answer;
    size_t length;
    put_text(session, "420[\"done\"]");
    flush(session);
    if (session->websocket != NULL) {
        answer = ws_packet(session->websocket, &length);
    } else {
        http_ask(session->polling);
        answer = http_packet(session->polling, &length);
    }
    require(length > 5 && memcmp(answer, "430[", 4) == 0, "no answer came");
    long counted = 0;
    for (size_t i = 4; i < length && answer[i] != ']'; i++) counted = counted * 10 + answer[i] - '0';
    if (counted != count) {
        fprintf(stderr, "%ld of %ld events came\n", counted, count);
        exit(1);
    }
}

static void emit_all(struct session *session, const struct options *wanted, long count,
                     const unsigned char *text, const unsigned char *bytes)
{
    size_t length = strlen((const char *)text);
    for (long i = 0; i < count; i++) {
        if (session->websocket != NULL) {
            ws_put(session->websocket, TEXT, text, length);
            if (bytes != NULL) ws_put(session->websocket, BINARY, bytes, (size_t)wanted->bytes);
        } else {
            http_put(session->polling, text, length);
            if (bytes != NULL) http_put_bytes(session->polling, bytes, (size_t)wanted->bytes);
        }
    }
    ask_done(session, count);
}

static void emit_cell(struct session *session, const struct options *wanted)
{
    int is_binary = is(wanted->kind, "binary");
    char *event = event_text(wanted->kind, wanted->bytes);
    char *text = allocated(strlen(event) + 8);
    unsigned char *bytes = is_binary ? noise(wanted->bytes) : NULL;
    sprintf(text, "%s%s", is_binary ? "451-" : "42", event);
    emit_all(session, wanted, wanted->count / 10, (unsigned char *)text, bytes);
    struct span start = begin();
    emit_all(session, wanted, wanted->count, (unsigned char *)text, bytes);
    report_span(wanted->count, passed(start));
    free(bytes);
    free(text);
    free(event);
}

// Takes an answer; its call's time is over.
static void answered(const unsigned char *packet, size_t length, long count, double *times)
{
    require(length >= 3 && packet[0] == '4' && packet[1] == '3', "what came is no answer");
    long id = answered_id(packet, length);
    require(id < count, "an answer has an unknown id");
    times[id] = microseconds(CLOCK_MONOTONIC) - times[id];
}

static void put_call(struct session *session, long id, double *times)
{
    char text[64];
    sprintf(text, "42%ld[\"add\",[2,3]]", id);
    times[id] = microseconds(CLOCK_MONOTONIC);
    put_text(session, text);
}

// By websocket: one write for all calls that can begin, one read for all answers that are there.
static void call_by_websocket(struct session *session, long count, long open, double *times)
{
    struct input *in = &session->websocket->in;
    long started = 0, done = 0;
    while (done < count) {
        for (; started < count && started - done < open; started++) put_call(session, started, times);
        flush(session);
        do {
            size_t length;
            const unsigned char *packet = ws_packet(session->websocket, &length);
            answered(packet, length, count, times);
            done++;
        } while (in->start < in->end);
    }
}

// By polling: a poll is always under way, and its answers make room for the next post.
static void call_by_polling(struct session *session, long count, long open, double *times)
{
    struct polling *polling = session->polling;
    long started = 0, done = 0;
    while (done < count) {
        int posts = started < count && started - done < open;
        http_ask(polling);
        for (; started < count && started - done < open; started++) put_call(session, started, times);
        if (posts) http_post(polling);
        do {
            size_t length;
            const unsigned char *packet = http_packet(polling, &length);
            answered(packet, length, count, times);
            done++;
        } while (polling->left > 0);
        if (posts) http_posted(polling);
    }
}

static void call_all(struct session *session, long count, long open, double *times)
{
    if (session->websocket != NULL)
        call_by_websocket(session, count, open, times);
    else
        call_by_polling(session, count, open, times);
}

static void call_cell(struct session *session, const struct options *wanted)
{
    double *times = allocated((size_t)wanted->count * sizeof *times);
    require(wanted->open >= 1 && wanted->count >= 1, "open= and count= are at least 1");
    call_all(session, wanted->count / 10, wanted->open, times);
    struct span start = begin();
    call_all(session, wanted->count, wanted->open, times);
    report_span(wanted->count, passed(start));
    report_times(times, wanted->count);
    free(times);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*run)(struct session *session, const struct options *wanted);
    } cells[] = {{"recv", recv_cell}, {"emit", emit_cell}, {"call", call_cell}};
    const char *variant = argc > 2 ? argv[1] : "", *name = argc > 2 ? argv[2] : "";
    for (size_t i = 0; i < sizeof cells / sizeof *cells; i++) {
        if (!is(cells[i].name, name) || !(is(variant, "count") || is(variant, "copy"))) continue;
        struct options wanted = options(argc, argv, 3);
        struct session session = {.copies = is(variant, "copy")};
        if (is(wanted.transport, "polling"))
            session.polling = http_connected(wanted.url);
        else
            session.websocket = ws_connected(wanted.url);
        cells[i].run(&session, &wanted);
        report_end();
        if (session.polling != NULL) http_free(session.polling);
        if (session.websocket != NULL) ws_free(session.websocket);
        return 0;
    }
    fprintf(stderr, "usage: %s count|copy recv|emit|call url=URL key=value ...\n", argv[0]);
    return 2;
}

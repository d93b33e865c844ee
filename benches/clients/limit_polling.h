// The limit by HTTP long-polling, over one kept connection for polls and one for posts: packets cut from
// the bodies of polls, posts with many packets each, base64 for byte buffers.

#ifndef BENCH_LIMIT_POLLING_H
#define BENCH_LIMIT_POLLING_H

#include "limit_socket.h"

// A post is dearer than a write, so it takes more; beyond this it does not become cheaper.
enum { SEPARATOR = 0x1e, HEAD = 256, BODY = 512 * 1024 };

struct polling {
    struct input polls, posts;
    char poll[HEAD], post[HEAD];
    // A post's body, behind room for its head.
    unsigned char *out;
    size_t size, filled;
    // The packet that was cut last, and what of the body is left behind it.
    size_t left;
};

static inline const uint32_t *base64_values(void)
{
    static uint32_t values[256];
    const char *letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if (values['B'] == 0)
        for (uint32_t i = 0; i < 64; i++) values[(unsigned char)letters[i]] = i;
    return values;
}

// Two letters for each twelve bits.
static inline const char (*base64_pairs(void))[2]
{
    static char pairs[4096][2];
    const char *letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    if (pairs[0][0] == 0) {
        for (int i = 0; i < 4096; i++) {
            pairs[i][0] = letters[i >> 6];
            pairs[i][1] = letters[i & 63];
        }
    }
    return (const char(*)[2])pairs;
}

static inline size_t base64_encode(unsigned char *to, const unsigned char *from, size_t length)
{
    const char(*pairs)[2] = base64_pairs();
    unsigned char *at = to;
    for (; length >= 3; length -= 3, from += 3, at += 4) {
        unsigned bits = (unsigned)from[0] << 16 | (unsigned)from[1] << 8 | from[2];
        memcpy(at, pairs[bits >> 12], 2);
        memcpy(at + 2, pairs[bits & 4095], 2);
    }
    if (length > 0) {
        unsigned bits = (unsigned)from[0] << 16 | (length > 1 ? (unsigned)from[1] << 8 : 0);
        memcpy(at, pairs[bits >> 12], 2);
        memcpy(at + 2, pairs[bits & 4095], 2);
        at[3] = '=';
        if (length == 1) at[2] = '=';
        at += 4;
    }
    return (size_t)(at - to);
}

static inline size_t base64_decode(unsigned char *to, const unsigned char *from, size_t length)
{
    const uint32_t *values = base64_values();
    size_t done = 0;
    for (size_t i = 0; i + 4 <= length; i += 4, done += 3) {
        uint32_t bits = values[from[i]] << 18 | values[from[i + 1]] << 12;
        bits |= values[from[i + 2]] << 6 | values[from[i + 3]];
        to[done] = (unsigned char)(bits >> 16);
        to[done + 1] = (unsigned char)(bits >> 8);
        to[done + 2] = (unsigned char)bits;
    }
    if (length > 0 && from[length - 1] == '=') done -= from[length - 2] == '=' ? 2 : 1;
    return done;
}

static inline void http_ask(struct polling *session)
{
    write_all(session->polls.fd, (unsigned char *)session->poll, strlen(session->poll));
    session->left = 0;
}

// Posts what was put, without waiting for the response.
static inline void http_post(struct polling *session)
{
    char head[HEAD + 32];
    int length = snprintf(head, sizeof head, "%s%zu\r\n\r\n", session->post, session->filled);
    require(length > 0 && length < HEAD, "the head of a post is long");
    unsigned char *request = session->out + HEAD - length;
    memcpy(request, head, (size_t)length);
    write_all(session->posts.fd, request, (size_t)length + session->filled);
    session->filled = 0;
}

static inline void http_posted(struct polling *session)
{
    size_t length = read_head(&session->posts);
    while (session->posts.end - session->posts.start < length) read_more(&session->posts);
    session->posts.start += length;
}

static inline void http_flush(struct polling *session)
{
    if (session->filled == 0) return;
    http_post(session);
    http_posted(session);
}

// Room for a packet at the end of the body, which is posted before it is too large.
static inline unsigned char *http_room(struct polling *session, size_t length)
{
    if (session->filled + 1 + length > BODY) http_flush(session);
    if (HEAD + session->filled + 1 + length > session->size) {
        session->size = HEAD + session->filled + 1 + length;
        session->out = realloc(session->out, session->size);
        require(session->out != NULL, "out of memory");
    }
    if (session->filled > 0) session->out[HEAD + session->filled++] = SEPARATOR;
    return session->out + HEAD + session->filled;
}

static inline void http_put(struct polling *session, const unsigned char *packet, size_t length)
{
    memcpy(http_room(session, length), packet, length);
    session->filled += length;
}

static inline void http_put_bytes(struct polling *session, const unsigned char *bytes, size_t length)
{
    unsigned char *room = http_room(session, 1 + (length + 2) / 3 * 4);
    room[0] = 'b';
    session->filled += 1 + base64_encode(room + 1, bytes, length);
}

// The next packet of a poll's body, of the next poll's if that is used up. It stands where it was read
// until the next one is cut.
static inline const unsigned char *http_packet(struct polling *session, size_t *length)
{
    struct input *in = &session->polls;
    size_t seen = 0;
    if (session->left == 0) session->left = read_head(in);
    for (;;) {
        const unsigned char *packet = in->bytes + in->start, *end;
        size_t there = in->end - in->start < session->left ? in->end - in->start : session->left;
        end = there > seen ? memchr(packet + seen, SEPARATOR, there - seen) : NULL;
        if (end != NULL || there == session->left) {
            *length = end != NULL ? (size_t)(end - packet) : there;
            in->start += *length + (end != NULL);
            session->left -= *length + (end != NULL);
            return packet;
        }
        seen = there;
        read_more(in);
    }
}

// Receives so many events: cuts all packets, and with `copies` copies or decodes every one.
static inline void http_receive(struct polling *session, long count, int copies)
{
    while (count > 0) {
        size_t length;
        if (session->left == 0) http_ask(session);
        const unsigned char *packet = http_packet(session, &length);
        int is_binary = length > 0 && packet[0] == 'b';
        // An event with an attachment is complete with that.
        count -= is_binary || (length >= 2 && packet[0] == '4' && packet[1] == '2');
        if (!copies) continue;
        unsigned char *block = allocated(length);
        if (is_binary)
            length = base64_decode(block, packet + 1, length - 1);
        else
            memcpy(block, packet, length);
        hand_out(block, length);
    }
}

static inline void http_put_text(struct polling *session, const char *text)
{
    http_put(session, (const unsigned char *)text, strlen(text));
}

static inline struct polling *http_connected(const char *url)
{
    struct polling *session = allocated(sizeof *session);
    char target[64] = "/socket.io/?EIO=4&transport=polling";
    const char *form = "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%ld\r\n%s";
    size_t length;
    session->polls = input_of(connected_socket(url));
    session->posts = input_of(connected_socket(url));
    session->size = HEAD + BODY;
    session->out = allocated(session->size);
    session->filled = 0;

    snprintf(session->poll, sizeof session->poll, form, "GET", target, port_of(url), "\r\n");
    http_ask(session);
    const unsigned char *open = http_packet(session, &length);
    long sid;
    require(sscanf((const char *)open, "0{\"sid\":\"%ld\"", &sid) == 1, "the server opens no session");
    snprintf(target + strlen(target), sizeof target - strlen(target), "&sid=%ld", sid);
    snprintf(session->poll, sizeof session->poll, form, "GET", target, port_of(url), "\r\n");
    snprintf(session->post, sizeof session->post, form, "POST", target, port_of(url),
             "Content-Type: text/plain;charset=UTF-8\r\nContent-Length: ");
    http_put_text(session, "40");
    http_flush(session);
    http_ask(session);
    require(memcmp(http_packet(session, &length), "40", 2) == 0, "the server does not connect the namespace");
    return session;
}

static inline void http_free(struct polling *session)
{
    close(session->polls.fd);
    close(session->posts.fd);
    free(session->polls.bytes);
    free(session->posts.bytes);
    free(session->out);
    free(session);
}

#endif

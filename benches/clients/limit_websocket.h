// The limit by websocket: the handshake, frames cut from what comes in, frames masked into what goes out.
// No run takes as long as the server's ping interval, so that no ping needs an answer.

#ifndef BENCH_LIMIT_WEBSOCKET_H
#define BENCH_LIMIT_WEBSOCKET_H

#include "limit_socket.h"

enum { TEXT = 0x81, BINARY = 0x82, KEYS = 4096 };

struct websocket {
    struct input in;
    unsigned char *out;
    size_t filled;
    // Masking keys that nobody can foresee, many from the system at a time.
    int random;
    unsigned char keys[KEYS];
    size_t key;
};

static inline void ws_flush(struct websocket *socket)
{
    write_all(socket->in.fd, socket->out, socket->filled);
    socket->filled = 0;
}

static inline const unsigned char *ws_key(struct websocket *socket)
{
    if (socket->key == KEYS) {
        require(read(socket->random, socket->keys, KEYS) == KEYS, "no random bytes");
        socket->key = 0;
    }
    socket->key += 4;
    return socket->keys + socket->key - 4;
}

// Copies masked, eight bytes at a time; a piece that is not the last is a multiple of eight.
static inline void ws_mask(unsigned char *to, const unsigned char *from, size_t length,
                           const unsigned char *key)
{
    uint64_t eight, mask;
    size_t i = 0;
    memcpy(&mask, key, 4);
    memcpy((unsigned char *)&mask + 4, key, 4);
    for (; i + 8 <= length; i += 8) {
        memcpy(&eight, from + i, 8);
        eight ^= mask;
        memcpy(to + i, &eight, 8);
    }
    for (; i < length; i++) to[i] = from[i] ^ key[i & 3];
}

// Adds a frame to what goes out, which is written whenever a block is full.
static inline void ws_put(struct websocket *socket, unsigned char first, const unsigned char *payload,
                          size_t length)
{
    const unsigned char *key = ws_key(socket);
    if (socket->filled + 14 + (length < BLOCK / 2 ? length : 8) > BLOCK) ws_flush(socket);
    unsigned char *head = socket->out + socket->filled;
    *head++ = first;
    if (length < 126) {
        *head++ = (unsigned char)(0x80 | length);
    } else if (length < 65536) {
        *head++ = 0x80 | 126;
        *head++ = (unsigned char)(length >> 8);
        *head++ = (unsigned char)length;
    } else {
        *head++ = 0x80 | 127;
        for (int shift = 56; shift >= 0; shift -= 8) *head++ = (unsigned char)((uint64_t)length >> shift);
    }
    memcpy(head, key, 4);
    socket->filled = (size_t)(head + 4 - socket->out);
    for (;;) {
        size_t room = (BLOCK - socket->filled) & ~(size_t)7, piece = length <= room ? length : room;
        ws_mask(socket->out + socket->filled, payload, piece, key);
        socket->filled += piece;
        payload += piece;
        length -= piece;
        if (length == 0) return;
        ws_flush(socket);
    }
}

// Cuts the next frame's head, reading as needed: its payload begins at `start`.
static inline unsigned char ws_head(struct input *in, size_t *length)
{
    for (;;) {
        const unsigned char *head = in->bytes + in->start;
        size_t there = in->end - in->start, size = 2;
        if (there >= 2) {
            if (head[1] == 126) size = 4;
            if (head[1] == 127) size = 10;
        }
        if (there < size) {
            read_more(in);
            continue;
        }
        *length = head[1];
        if (size > 2) *length = 0;
        for (size_t i = 2; i < size; i++) *length = *length << 8 | head[i];
        in->start += size;
        return head[0];
    }
}

// Takes a payload of which a part is yet to come; the memory never holds more than one block of it.
static inline void ws_take_long(struct input *in, size_t length, int copies)
{
    unsigned char *block = copies ? allocated(length) : NULL;
    size_t done = 0;
    for (;;) {
        size_t there = in->end - in->start, piece = there < length - done ? there : length - done;
        if (copies) memcpy(block + done, in->bytes + in->start, piece);
        in->start += piece;
        done += piece;
        if (done == length) break;
        read_more(in);
    }
    if (copies) hand_out(block, length);
}

// Receives so many events: cuts all frames, and with `copies` copies every payload.
static inline void ws_receive(struct websocket *socket, long count, int copies)
{
    struct input *in = &socket->in;
    while (count > 0) {
        size_t length;
        unsigned char first = ws_head(in, &length);
        while (in->end - in->start < length && in->end - in->start < 2) read_more(in);
        const unsigned char *payload = in->bytes + in->start;
        // An event with an attachment is complete with that.
        int is_event = first == BINARY || (length >= 2 && payload[0] == '4' && payload[1] == '2');
        if (in->end - in->start >= length) {
            if (copies) hand_out(memcpy(allocated(length), payload, length), length);
            in->start += length;
        } else {
            ws_take_long(in, length, copies);
        }
        count -= is_event;
    }
}

// The next packet that is no attachment; it stands where it was read until the next read.
static inline const unsigned char *ws_packet(struct websocket *socket, size_t *length)
{
    struct input *in = &socket->in;
    unsigned char first;
    do {
        first = ws_head(in, length);
        while (in->end - in->start < *length) read_more(in);
        in->start += *length;
    } while (first != TEXT);
    return in->bytes + in->start - *length;
}

static inline void ws_put_text(struct websocket *socket, const char *text)
{
    ws_put(socket, TEXT, (const unsigned char *)text, strlen(text));
}

static inline struct websocket *ws_connected(const char *url)
{
    struct websocket *socket = allocated(sizeof *socket);
    char request[512];
    size_t length;
    int fd = connected_socket(url);
    socket->in = input_of(fd);
    socket->out = allocated(BLOCK);
    socket->filled = 0;
    socket->random = open("/dev/urandom", O_RDONLY);
    socket->key = KEYS;
    snprintf(request, sizeof request,
             "GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1:%ld\r\n"
             "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
             "Sec-WebSocket-Key: AAECAwQFBgcICQoLDA0ODw==\r\n\r\n",
             port_of(url));
    write_all(fd, (unsigned char *)request, strlen(request));
    read_head(&socket->in);
    require(ws_packet(socket, &length)[0] == '0', "the server opens no session");
    ws_put_text(socket, "40");
    ws_flush(socket);
    require(memcmp(ws_packet(socket, &length), "40", 2) == 0, "the server does not connect the namespace");
    return socket;
}

static inline void ws_free(struct websocket *socket)
{
    close(socket->in.fd);
    close(socket->random);
    free(socket->in.bytes);
    free(socket->out);
    free(socket);
}

#endif

// The handshake of WebSocket, Engine.IO and Socket.IO, over a real socket. Whatever follows on the
// connection is the machine's.

#include "peer.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "machine.h"

static int listener;
static pthread_t thread;

static uint32_t rotated(uint32_t word, int by) { return word << by | word >> (32 - by); }

// SHA-1 of a text shorter than two blocks.
static void sha1(const char *text, unsigned char digest[20]) {
    unsigned char blocks[128] = {0};
    size_t len = strlen(text);
    size_t count = len + 9 > 64 ? 2 : 1;
    memcpy(blocks, text, len);
    blocks[len] = 0x80;
    blocks[count * 64 - 2] = (unsigned char)(len * 8 >> 8);
    blocks[count * 64 - 1] = (unsigned char)(len * 8);
    uint32_t state[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    for (size_t block = 0; block < count; block++) {
        uint32_t w[80], s[5];
        for (int i = 0; i < 16; i++) {
            const unsigned char *four = blocks + block * 64 + i * 4;
            w[i] = (uint32_t)four[0] << 24 | four[1] << 16 | four[2] << 8 | four[3];
        }
        for (int i = 16; i < 80; i++) w[i] = rotated(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
        memcpy(s, state, sizeof s);
        for (int i = 0; i < 80; i++) {
            uint32_t mixed = i < 20   ? ((s[1] & s[2]) | (~s[1] & s[3])) + 0x5a827999
                             : i < 40 ? (s[1] ^ s[2] ^ s[3]) + 0x6ed9eba1
                             : i < 60 ? ((s[1] & s[2]) | (s[1] & s[3]) | (s[2] & s[3])) + 0x8f1bbcdc
                                      : (s[1] ^ s[2] ^ s[3]) + 0xca62c1d6;
            mixed += rotated(s[0], 5) + s[4] + w[i];
            s[4] = s[3], s[3] = s[2], s[2] = rotated(s[1], 30), s[1] = s[0], s[0] = mixed;
        }
        for (int i = 0; i < 5; i++) state[i] += s[i];
    }
    for (int i = 0; i < 20; i++) digest[i] = (unsigned char)(state[i / 4] >> (24 - i % 4 * 8));
}

static void base64_of_digest(const unsigned char digest[20], char text[29]) {
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (int i = 0; i < 28; i++) {
        unsigned at = i * 6 / 8, bit = i * 6 % 8;
        unsigned two = (at < 20 ? digest[at] << 8 : 0) | (at + 1 < 20 ? digest[at + 1] : 0);
        text[i] = letters[two >> (10 - bit) & 63];
    }
    text[27] = '=';
    text[28] = 0;
}

static void say(int fd, const char *bytes, size_t len) {
    if (send(fd, bytes, len, MSG_NOSIGNAL) != (ssize_t)len) die("the handshake cannot be sent");
}

// A frame with a text, which has a length of one byte.
static size_t frame(char *at, const char *text) {
    size_t len = strlen(text);
    if (len > 125) die("a text of the handshake is too long");
    at[0] = (char)0x81;
    at[1] = (char)len;
    memcpy(at + 2, text, len);
    return len + 2;
}

static void *serve(void *unused) {
    (void)unused;
    int fd = accept(listener, NULL, NULL);
    char request[4096] = "";
    size_t len = 0;
    while (!strstr(request, "\r\n\r\n")) {
        ssize_t count = recv(fd, request + len, sizeof request - 1 - len, 0);
        if (count <= 0) die("the request ended early: %s", request);
        len += (size_t)count;
        request[len] = 0;
    }
    char key[25];
    const char *header = strstr(request, "Sec-WebSocket-Key: ");
    if (!header || sscanf(header, "Sec-WebSocket-Key: %24s", key) != 1) die("no key in %s", request);
    char joined[64], answer[512], accepted[29];
    unsigned char digest[20];
    snprintf(joined, sizeof joined, "%s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    sha1(joined, digest);
    base64_of_digest(digest, accepted);
    snprintf(answer, sizeof answer,
             "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Accept: %s\r\n\r\n",
             accepted);
    len = strlen(answer);
    // A heartbeat of a day: none comes while something is measured. In one piece with the answer, so
    // that one read takes both.
    len += frame(answer + len, "0{\"sid\":\"gate\",\"upgrades\":[],\"pingInterval\":86400000,"
                               "\"pingTimeout\":86400000}");
    say(fd, answer, len);
    // The request for the namespace.
    if (recv(fd, request, sizeof request, 0) <= 0) die("the namespace was not asked for");
    say(fd, answer, frame(answer, "40{\"sid\":\"gate\"}"));
    return NULL;
}

int peer_listen(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (void *)&address, sizeof address) || listen(listener, 1) ||
        getsockname(listener, (void *)&address, &len) || pthread_create(&thread, NULL, serve, NULL)) {
        die("cannot listen on 127.0.0.1");
    }
    return ntohs(address.sin_port);
}

void peer_done(void) { pthread_join(thread, NULL); }

// A plain socket for the limit, and what both transports need of it.

#ifndef BENCH_LIMIT_SOCKET_H
#define BENCH_LIMIT_SOCKET_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common.h"

// So much is read and written at once. Larger blocks leave the processor's nearer cache.
enum { BLOCK = 64 * 1024 };

// What comes in: `bytes[start..end]` was read and is not taken yet.
struct input {
    int fd;
    unsigned char *bytes;
    size_t size, start, end;
};

static inline long port_of(const char *url)
{
    long port = 0;
    require(sscanf(url, "http://127.0.0.1:%ld", &port) == 1, "url= is http://127.0.0.1:PORT");
    return port;
}

static inline int connected_socket(const char *url)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port_of(url))};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    require(fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) == 0, "no connection");
    require(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) == 0, "no TCP_NODELAY");
    return fd;
}

static inline void write_all(int fd, const unsigned char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t count = write(fd, bytes, length);
        require(count > 0, "the connection was lost amid a write");
        bytes += count;
        length -= (size_t)count;
    }
}

static inline struct input input_of(int fd)
{
    struct input in = {.fd = fd, .bytes = allocated(BLOCK), .size = BLOCK};
    return in;
}

// Reads once, after what is left. If all the memory is in use by what is left, it becomes larger.
static inline void read_more(struct input *in)
{
    if (in->start > 0) {
        memmove(in->bytes, in->bytes + in->start, in->end - in->start);
        in->end -= in->start;
        in->start = 0;
    }
    if (in->end == in->size) {
        in->size *= 2;
        in->bytes = realloc(in->bytes, in->size);
        require(in->bytes != NULL, "out of memory");
    }
    ssize_t count = read(in->fd, in->bytes + in->end, in->size - in->end);
    require(count > 0, "the connection was lost amid a read");
    in->end += (size_t)count;
}

// Reads an HTTP head and takes it. The length of the body that follows.
static inline size_t read_head(struct input *in)
{
    size_t seen = 0;
    for (;;) {
        unsigned char *head = in->bytes + in->start, *line;
        size_t length = in->end - in->start;
        while (seen < length && (line = memchr(head + seen, '\n', length - seen)) != NULL) {
            seen = (size_t)(line - head) + 1;
            if (seen < 12 || memcmp(line - 3, "\r\n\r\n", 4) != 0) continue;
            *line = '\0';
            require(memcmp(head, "HTTP/1.1 200", 12) == 0 || memcmp(head, "HTTP/1.1 101", 12) == 0,
                    "the server refused a request");
            const char *field = strstr((char *)head, "Content-Length: ");
            in->start += seen;
            return field == NULL ? 0 : (size_t)strtoul(field + 16, NULL, 10);
        }
        read_more(in);
    }
}

// The id that stands behind an answer's type.
static inline long answered_id(const unsigned char *packet, size_t length)
{
    long id = 0;
    for (size_t i = 2; i < length && packet[i] >= '0' && packet[i] <= '9'; i++)
        id = id * 10 + packet[i] - '0';
    return id;
}

// What a program is given of a payload by the copying limit; looked at, so that it is made.
static inline void hand_out(unsigned char *block, size_t length)
{
    if (length > 0) (void)*(volatile unsigned char *)(block + length - 1);
    free(block);
}

#endif

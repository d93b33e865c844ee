// From the start of a process to a connected client, the loading of the library included: a program as
// small as one in a language that loads it would be. Whoever starts it takes the time until its line.
//
//     start start url=URL [transport=websocket|polling|upgrade] [ca=FILE] [lib=FILE]
//
// The library is that file, else the one that SIO_LIBRARY in the environment names, else libsio.so.0.

#define _POSIX_C_SOURCE 200809L
#include <dlfcn.h>

#include <sio.h>

#include "common.h"

// What a function is found by; its type is that of the header.
static void *found(void *library, const char *name)
{
    void *function = dlsym(library, name);
    if (function == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
    return function;
}

// C has no conversion from data to functions; POSIX has the bytes agree.
#define FIND(function) \
    do { \
        void *address = found(library, "sio_client_" #function); \
        memcpy(&function, &address, sizeof function); \
    } while (0)

int main(int argc, char **argv)
{
    sio_client *(*new)(void);
    int (*set)(sio_client *, const char *, const char *);
    int (*connect)(sio_client *, const char *, int);
    int (*disconnect)(sio_client *, int);
    const char *(*transport)(const sio_client *);
    size_t (*error)(const sio_client *, char *, size_t);
    void (*free)(sio_client *);
    char text[512];

    if (argc < 2 || !is(argv[1], "start")) {
        fprintf(stderr, "usage: %s start url=URL key=value ...\n", argv[0]);
        return 2;
    }
    struct span start = begin();
    struct options wanted = options(argc, argv, 2);
    const char *file = wanted.lib != NULL ? wanted.lib : getenv("SIO_LIBRARY");
    void *library = dlopen(file != NULL ? file : "libsio.so.0", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        return 1;
    }
    FIND(new);
    FIND(set);
    FIND(connect);
    FIND(disconnect);
    FIND(transport);
    FIND(error);
    FIND(free);

    sio_client *client = new();
    const char *expected = is(wanted.transport, "polling") ? "polling" : "websocket";
    int status = set(client, SIO_OPT_TRANSPORTS,
                     is(wanted.transport, "upgrade") ? "polling,websocket" : wanted.transport);
    if (status == SIO_OK && wanted.ca != NULL) status = set(client, SIO_OPT_TLS_CA_FILE, wanted.ca);
    if (status == SIO_OK && !wanted.verify) status = set(client, SIO_OPT_TLS_VERIFY, "0");
    if (status == SIO_OK) status = connect(client, wanted.url, 30000);
    if (status != SIO_OK) {
        error(client, text, sizeof text);
        fprintf(stderr, "%s\n", text);
        return 1;
    }
    while (!is(transport(client), expected)) {
        struct timespec time = {.tv_nsec = 20000};
        require(passed(start).wall < 60e6, "the upgrade did not come");
        nanosleep(&time, NULL);
    }
    report_span(1, passed(start));
    report_end();
    disconnect(client, 5000);
    free(client);
    return 0;
}

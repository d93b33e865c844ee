/* A program that loads the library while it runs, and lets go of it, again and again. Its second argument is
 * the library's path. */
#define WITHOUT_LIBRARY
#include "check.h"

#include <dlfcn.h>

typedef struct sio_client sio_client;
typedef struct sio_message sio_message;

/* A function of the library by its name and type. A pointer to data becomes one to a function by way of
 * memory, as POSIX shows it. */
#define LOAD(type, name, parameters) \
    type (*name) parameters; \
    *(void **)&name = dlsym(library, #name); \
    CHECK(name != NULL)

static void a_session(void)
{
    void *library = dlopen(argument(2), RTLD_NOW | RTLD_LOCAL);
    sio_client *client;
    sio_message *reply;

    if (library == NULL) failed(__FILE__, __LINE__, "dlopen", dlerror());
    {
        LOAD(sio_client *, sio_client_new, (void));
        LOAD(int, sio_client_connect, (sio_client *, const char *, int));
        LOAD(int, sio_client_call, (sio_client *, const char *, const char *, const void *, size_t, int,
                                    sio_message **));
        LOAD(const char *, sio_message_args, (const sio_message *, size_t *));
        LOAD(void, sio_message_free, (sio_message *));
        LOAD(int, sio_client_disconnect, (sio_client *, int));
        LOAD(void, sio_client_free, (sio_client *));

        client = sio_client_new();
        CHECK_INT(0, sio_client_connect(client, argument(1), 10000));
        CHECK_INT(0, sio_client_call(client, "add", "[2,3]", NULL, 0, 10000, &reply));
        CHECK_TEXT("[5]", sio_message_args(reply, NULL));
        sio_message_free(reply);
        CHECK_INT(0, sio_client_disconnect(client, 10000));
        sio_client_free(client);
    }
    CHECK_INT(0, dlclose(library));
}

static void the_library_can_be_loaded_used_and_let_go_of_100_times(void)
{
    int i, fds, tasks = threads();

    a_session();
    fds = descriptors();
    for (i = 1; i < 100; i++) a_session();
    settles(tasks, fds);
}

static void *in_a_thread(void *unused)
{
    int i;
    for (i = 0; i < 10; i++) a_session();
    return unused;
}

/* Threads end, with what the library keeps for each, after the library was let go of. */
static void threads_may_end_after_it(void)
{
    int i, j, fds = descriptors(), tasks = threads();
    for (i = 0; i < 5; i++) {
        pthread_t threads_of_ours[4];
        for (j = 0; j < 4; j++) threads_of_ours[j] = start(in_a_thread, NULL);
        for (j = 0; j < 4; j++) finish(threads_of_ours[j]);
    }
    settles(tasks, fds);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    RUN(the_library_can_be_loaded_used_and_let_go_of_100_times);
    RUN(threads_may_end_after_it);
    return 0;
}

/* Sixteen threads on one client: some emit, some call, some answer, some receive, some ask for its state,
 * and one interrupts them all the time. Nothing is lost, doubled or mixed up. */
#include "check.h"

enum { EMITTERS = 4, CALLERS = 4, RECEIVERS = 4, WATCHERS = 3 };

static sio_client *client;
static int per_emitter;
static volatile int is_over;
static unsigned char *seen[EMITTERS];
static int echoes, answers, questions, interruptions, interrupted_calls;

static void check_ok_or_interrupted(int status)
{
    if (status == SIO_E_INTERRUPTED) __sync_fetch_and_add(&interruptions, 1);
    else CHECK_STATUS(SIO_OK, client, status);
}

/* Emits echoes that carry a number in their text and the same in bytes. */
static void *emitter(void *argument)
{
    int me = (int)(long)argument, i;
    for (i = 0; i < per_emitter; i++) {
        char args[100], bytes[40];
        sio_buffer buffer;
        int status, binary = i % 3 == 0;

        snprintf(args, sizeof args, binary ? "[%d,%d," SIO_PLACEHOLDER(0) "]" : "[%d,%d]", me, i);
        snprintf(bytes, sizeof bytes, "%d %d", me, i);
        buffer.data = bytes;
        buffer.len = strlen(bytes);
        do {
            status = sio_client_emit(client, i % 10 == 0 ? "ask" : "echo", args, &buffer,
                                     (size_t)binary, SIO_FOREVER);
            check_ok_or_interrupted(status);
        } while (status != SIO_OK);
        if (i % 50 == 0) check_ok_or_interrupted(sio_client_flush(client, SIO_FOREVER));
    }
    return NULL;
}

static void *caller(void *argument)
{
    int me = (int)(long)argument, i;
    for (i = 0; i < per_emitter; i++) {
        char args[60], expected[60];
        sio_message *reply;
        int status;

        snprintf(args, sizeof args, "[%d,%d]", me * 1000000, i);
        snprintf(expected, sizeof expected, "[%d]", me * 1000000 + i);
        status = sio_client_call(client, "add", args, NULL, 0, SIO_FOREVER, &reply);
        check_ok_or_interrupted(status);
        if (status == SIO_OK) {
            CHECK_TEXT(expected, sio_message_args(reply, NULL));
        } else {
            CHECK(reply == NULL);
            __sync_fetch_and_add(&interrupted_calls, 1);
        }
        sio_message_free(reply);
    }
    return NULL;
}

static int number_at(sio_message *message, const char *pointer)
{
    const void *value;
    CHECK_INT(SIO_JSON_NUMBER, sio_message_find(message, pointer, &value, NULL));
    return atoi(value);
}

static void take(sio_message *message)
{
    const char *name = sio_message_event(message, NULL);
    int thread, i;

    if (strcmp(name, "answer") == 0) {
        CHECK_TEXT("[\"yes\"]", sio_message_args(message, NULL));
        __sync_fetch_and_add(&answers, 1);
        return;
    }
    thread = number_at(message, "/0");
    i = number_at(message, "/1");
    CHECK(thread >= 0 && thread < EMITTERS && i >= 0 && i < per_emitter);
    CHECK_INT(0, __sync_fetch_and_add(&seen[thread][i], 1));
    if (i % 3 == 0) {
        char bytes[40];
        const void *value;
        size_t len;
        snprintf(bytes, sizeof bytes, "%d %d", thread, i);
        CHECK_INT(SIO_JSON_BUFFER, sio_message_find(message, "/2", &value, &len));
        CHECK(len == strlen(bytes) && memcmp(value, bytes, len) == 0);
    }
    if (i % 10 == 0) {
        CHECK_TEXT("question", name);
        CHECK_OK(client, sio_message_ack(message, "[\"yes\"]", NULL, 0));
        __sync_fetch_and_add(&questions, 1);
    } else {
        CHECK_TEXT("echo", name);
        __sync_fetch_and_add(&echoes, 1);
    }
}

static void *receiver(void *unused)
{
    while (!is_over) {
        sio_message *message;
        int status = sio_client_receive(client, 100, &message);
        if (status == SIO_E_TIMEOUT) continue;
        check_ok_or_interrupted(status);
        if (status == SIO_OK) take(message);
        sio_message_free(message);
    }
    return unused;
}

static void *interrupter(void *unused)
{
    while (!is_over) {
        sio_client_interrupt(client);
        sleep_ms(1);
    }
    return unused;
}

static void *watcher(void *unused)
{
    char buf[3000];
    while (!is_over) {
        CHECK_INT(SIO_STATE_CONNECTED, sio_client_state(client));
        CHECK(sio_client_transport(client)[0] != 0);
        CHECK(sio_client_sid(client, buf, sizeof buf) > 0);
        CHECK(sio_client_stats(client, buf, sizeof buf) > 0);
        CHECK_OK(client, sio_client_set(client, SIO_OPT_AUTH, "{\"token\":1}"));
        CHECK(sio_client_get(client, SIO_OPT_AUTH, buf, sizeof buf) > 0);
        CHECK_INT(SIO_E_INVALID, sio_client_emit(client, "e", "[", NULL, 0, 0));
        CHECK_HAS("args", error_text(client));
        sleep_ms(1);
    }
    return unused;
}

static void sixteen_threads_share_a_client(void)
{
    pthread_t emitters[EMITTERS], callers[CALLERS], receivers[RECEIVERS], watchers[WATCHERS], interrupts;
    int i, j, expected_questions, limit;

    per_emitter = few_or_many(60, 1500);
    expected_questions = EMITTERS * ((per_emitter + 9) / 10);
    client = connected();
    take_welcome(client);
    for (i = 0; i < EMITTERS; i++) seen[i] = calloc((size_t)per_emitter, 1);
    interrupts = start(interrupter, NULL);
    for (i = 0; i < RECEIVERS; i++) receivers[i] = start(receiver, NULL);
    for (i = 0; i < WATCHERS; i++) watchers[i] = start(watcher, NULL);
    for (i = 0; i < EMITTERS; i++) emitters[i] = start(emitter, (void *)(long)i);
    for (i = 0; i < CALLERS; i++) callers[i] = start(caller, (void *)(long)i);
    for (i = 0; i < EMITTERS; i++) finish(emitters[i]);
    for (i = 0; i < CALLERS; i++) finish(callers[i]);
    for (limit = 0; limit < 3000; limit++) {
        if (echoes + questions == EMITTERS * per_emitter && answers == expected_questions) break;
        sleep_ms(10);
    }
    is_over = 1;
    for (i = 0; i < RECEIVERS; i++) finish(receivers[i]);
    for (i = 0; i < WATCHERS; i++) finish(watchers[i]);
    finish(interrupts);
    for (i = 0; i < EMITTERS; i++)
        for (j = 0; j < per_emitter; j++) CHECK_INT(1, seen[i][j]);
    CHECK_INT(expected_questions, answers);
    CHECK_INT(expected_questions, questions);
    CHECK(interruptions > 0);
    /* A call that was interrupted after it had gone out was answered late. */
    CHECK(stat_of(client, "/late_acks") <= interrupted_calls);
    CHECK_INT(0, stat_of(client, "/calls_waiting"));
    CHECK_OK(client, sio_client_set_log(client, 0, NULL, NULL));
    for (i = 0; i < EMITTERS; i++) free(seen[i]);
    while (sio_client_disconnect(client, 5000) == SIO_E_INTERRUPTED) {
    }
    sio_client_free(client);
}

/* Each thread has a client of its own. */
static void *own_client(void *unused)
{
    int round, i;
    for (round = 0; round < 3; round++) {
        sio_client *own = connected();
        take_welcome(own);
        for (i = 0; i < few_or_many(5, 50); i++) {
            sio_message *reply;
            char args[40];
            snprintf(args, sizeof args, "[%d,\"x\"]", i);
            CHECK_OK(own, sio_client_emit(own, "echo", args, NULL, 0, 5000));
            CHECK_OK(own, sio_client_call(own, "echo_ack", args, NULL, 0, 20000, &reply));
            CHECK_TEXT(args, sio_message_args(reply, NULL));
            sio_message_free(reply);
            expect_event(own, "echo", args);
        }
        CHECK_OK(own, sio_client_disconnect(own, 20000));
        sio_client_free(own);
    }
    return unused;
}

static void sixteen_clients_do_not_disturb_each_other(void)
{
    pthread_t threads_of_ours[16];
    int i;
    for (i = 0; i < 16; i++) threads_of_ours[i] = start(own_client, NULL);
    for (i = 0; i < 16; i++) finish(threads_of_ours[i]);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    RUN(sixteen_threads_share_a_client);
    RUN(sixteen_clients_do_not_disturb_each_other);
    return 0;
}

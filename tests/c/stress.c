/* Sixteen threads do on one client whatever comes to their mind, until one disconnects or the client is freed:
 *
 *     stress URL [ROUNDS [SEED]]
 *
 * URL is a server that speaks the test protocol. What each thread does follows from the seed, which is
 * printed; when it does so is the system's choice. Each round checks that calls return what they may return,
 * that every started operation yields one result, and that nothing is left of the client. */
#include "nonblocking.h"

#include <signal.h>

enum { THREADS = 16, TAGS = 32 };

/* What the round does, apart from the threads. */
struct round {
    sio_client *client;
    /* Set at the random moment; a thread that sees it begins no further call. */
    volatile int is_over;
    int started, results, wakeups;
    sio_message *kept[THREADS];
};

struct actor {
    struct round *round;
    uint64_t random;
    int number;
    /* For a thread that is to be in a call when the client is freed. */
    volatile int thread, returned;
    int last_status;
};

static uint64_t seed;
static volatile int round_number;
static long long totals[2];

/* ---- chance ---- */

static uint64_t mix(uint64_t value)
{
    value += 0x9e3779b97f4a7c15u;
    value = (value ^ value >> 30) * 0xbf58476d1ce4e5b9u;
    value = (value ^ value >> 27) * 0x94d049bb133111ebu;
    return value ^ value >> 31;
}

/* From 0 to below `end`. */
static int chance(uint64_t *random, int end)
{
    *random = mix(*random);
    return (int)(*random % (uint64_t)end);
}

/* ---- what may come back ---- */

static void check_among(const char *what, int status, const char *names)
{
    const char *name = sio_status_name(status);
    if (strstr(names, name) != NULL) return;
    printf("seed %llu, round %d: ", (unsigned long long)seed, round_number);
    failed(__FILE__, __LINE__, what, name);
}

static void take_results(struct round *round, int timeout_ms)
{
    uint64_t tag;
    int status, answer;
    sio_message *reply;

    while ((answer = sio_client_result(round->client, timeout_ms, &tag, &status, &reply)) == SIO_OK) {
        /* FULL if its time ended while nothing was read, for the answers of ours that wait to go out. */
        check_among("a result", status,
                    "SIO_OK SIO_E_TIMEOUT SIO_E_INTERRUPTED SIO_E_DISCONNECTED SIO_E_FULL");
        CHECK(tag < TAGS);
        if (status != SIO_OK) CHECK(reply == NULL);
        sio_message_free(reply);
        __sync_fetch_and_add(&round->results, 1);
        timeout_ms = 0;
    }
    check_among("result", answer, "SIO_E_TIMEOUT SIO_E_INTERRUPTED SIO_E_DISCONNECTED");
}

static void started(struct round *round, const char *what, int status)
{
    if (status == SIO_OK) __sync_fetch_and_add(&round->started, 1);
    else check_among(what, status, "SIO_E_DISCONNECTED SIO_E_FULL");
}

static void take_message(struct round *round, struct actor *me, int timeout_ms)
{
    sio_message *message;
    int status = sio_client_receive(round->client, timeout_ms, &message), keep;

    check_among("receive", status, "SIO_OK SIO_E_TIMEOUT SIO_E_INTERRUPTED SIO_E_DISCONNECTED");
    CHECK((status == SIO_OK) == (message != NULL));
    if (message == NULL) return;
    CHECK(sio_message_args(message, NULL)[0] == '[');
    if (sio_message_wants_ack(message) && chance(&me->random, 4) > 0)
        check_among("ack", sio_message_ack(message, "[\"yes\"]", NULL, 0), "SIO_OK SIO_E_DISCONNECTED SIO_E_STATE");
    keep = chance(&me->random, 20) == 0 && round->kept[me->number] == NULL;
    /* An attempt would wait for it. */
    if (keep && sio_message_kind(message) != SIO_MESSAGE_ATTEMPT) round->kept[me->number] = message;
    else sio_message_free(message);
}

/* ---- what a thread does ---- */

static void act(struct actor *me)
{
    struct round *round = me->round;
    sio_client *client = round->client;
    int timeout_ms = chance(&me->random, 4) * chance(&me->random, 8);
    uint64_t tag = (uint64_t)chance(&me->random, TAGS);
    const char *sending = "SIO_OK SIO_E_TIMEOUT SIO_E_INTERRUPTED SIO_E_DISCONNECTED";
    const char *events[] = {"echo", "ask", "no_ack", "echo"};
    const char *event = events[chance(&me->random, 4)];
    sio_buffer buffer = {"bytes", 5};
    int binary = chance(&me->random, 3) == 0;
    const char *args = binary ? "[1," SIO_PLACEHOLDER(0) "]" : "[1,\"text\"]";
    size_t count = (size_t)binary;
    char text[3000];
    sio_message *reply;
    int status;

    switch (chance(&me->random, 16)) {
    case 0: case 1:
        take_message(round, me, timeout_ms);
        break;
    case 2: case 3:
        check_among("emit", sio_client_emit(client, event, args, &buffer, count, timeout_ms), sending);
        break;
    case 4: case 5:
        status = sio_client_call(client, chance(&me->random, 4) > 0 ? "echo_ack" : "no_ack", args, &buffer,
                                 count, timeout_ms, &reply);
        check_among("call", status, "SIO_OK SIO_E_TIMEOUT SIO_E_INTERRUPTED SIO_E_DISCONNECTED SIO_E_FULL");
        CHECK((status == SIO_OK) == (reply != NULL));
        sio_message_free(reply);
        break;
    case 6:
        check_among("flush", sio_client_flush(client, timeout_ms), sending);
        break;
    case 7: case 8:
        started(round, "call_start", sio_client_call_start(client, chance(&me->random, 4) > 0 ? "echo_ack" : "no_ack",
                                                           args, &buffer, count, timeout_ms * 10, tag));
        break;
    case 9:
        started(round, "emit_start", sio_client_emit_start(client, event, args, &buffer, count, timeout_ms, tag));
        break;
    case 10:
        started(round, "flush_start", sio_client_flush_start(client, timeout_ms, tag));
        break;
    case 11:
        check_among("cancel", sio_client_cancel(client, tag), "SIO_OK SIO_E_INVALID");
        break;
    case 12: case 13:
        take_results(round, timeout_ms);
        break;
    case 14:
        sio_client_interrupt(client);
        break;
    default:
        CHECK(sio_client_state(client) <= SIO_STATE_CLOSING);
        CHECK(sio_client_stats(client, text, sizeof text) < sizeof text);
        CHECK(sio_client_error_json(client, text, sizeof text) < sizeof text);
        sio_client_sid(client, text, sizeof text);
        CHECK(sio_client_fd(client) >= 0);
        CHECK_INT(SIO_OK, sio_client_set(client, SIO_OPT_AUTH, "{\"name\":\"stress\"}"));
        if (chance(&me->random, 50) == 0) sio_client_emit(client, "drop", NULL, NULL, 0, 0);
    }
}

static void *actor(void *argument)
{
    struct actor *me = argument;
    while (!me->round->is_over) act(me);
    return NULL;
}

static void *blocked(void *argument)
{
    struct actor *me = argument;
    sio_client *client = me->round->client;
    uint64_t tag;
    int status;
    sio_message *message = NULL;

    me->thread = thread_number();
    do {
        switch (me->number % 3) {
        case 0: me->last_status = sio_client_receive(client, SIO_FOREVER, &message); break;
        case 1: me->last_status = sio_client_result(client, SIO_FOREVER, &tag, &status, &message); break;
        default: me->last_status = sio_client_call(client, "no_ack", NULL, NULL, 0, SIO_FOREVER, &message);
        }
        sio_message_free(message);
    } while (me->last_status == SIO_OK || me->last_status == SIO_E_INTERRUPTED);
    me->returned = 1;
    return NULL;
}

static void on_wakeup(void *user)
{
    struct round *round = user;
    __sync_fetch_and_add(&round->wakeups, 1);
}

/* ---- a round ---- */

/* Connected, or in the middle of connecting. */
static void begin_round(struct round *round, uint64_t *random)
{
    const char *transports[] = {"websocket", "polling", "polling,websocket"};
    const char *offline[] = {"wait", "buffer", "fail"};
    sio_client *client = sio_client_new();

    memset(round, 0, sizeof *round);
    round->client = client;
    CHECK(client != NULL);
    CHECK_INT(SIO_OK, sio_client_set(client, SIO_OPT_TRANSPORTS, transports[chance(random, 3)]));
    CHECK_INT(SIO_OK, sio_client_set(client, SIO_OPT_OFFLINE, offline[chance(random, 3)]));
    CHECK_INT(SIO_OK, sio_client_set_int(client, SIO_OPT_RECONNECT_MIN_MS, 1));
    CHECK_INT(SIO_OK, sio_client_set_int(client, SIO_OPT_SEND_LIMIT, chance(random, 2) == 0 ? 300 : 1000000));
    CHECK_INT(SIO_OK, sio_client_set_int(client, SIO_OPT_REPORT_STATE, chance(random, 2)));
    if (chance(random, 2) == 0) CHECK_INT(SIO_OK, sio_client_set_wakeup(client, on_wakeup, round));
    if (chance(random, 2) == 0) CHECK_OK(client, sio_client_connect(client, server(), 60000));
    else {
        /* The threads receive, and so let the attempt begin. */
        CHECK_INT(SIO_OK, sio_client_set_int(client, SIO_OPT_REPORT_ATTEMPTS, chance(random, 2)));
        CHECK_OK(client, sio_client_connect_start(client, server(), 60000, 0));
        round->started++;
    }
}

/* One way to the final end, after which all that was started has its result. */
static void disconnect_and_count(struct round *round, uint64_t *random)
{
    sio_client *client = round->client;
    int timeout_ms = chance(random, 3) * 20, status;

    if (chance(random, 2) == 0) {
        status = sio_client_disconnect(client, timeout_ms);
        check_among("disconnect", status, "SIO_OK SIO_E_TIMEOUT SIO_E_INTERRUPTED SIO_E_DISCONNECTED");
    } else {
        CHECK_OK(client, sio_client_disconnect_start(client, timeout_ms, 1));
        round->started++;
        while (sio_client_state(client) != SIO_STATE_DISCONNECTED) take_results(round, 20);
    }
    round->is_over = 1;
}

static void check_end(struct round *round)
{
    sio_client *client = round->client;
    sio_message *message;
    int status, tries;

    /* What the end of the connection ended may have its results a moment later. */
    for (tries = 0; tries < 20 && round->results < round->started; tries++) take_results(round, 100);
    CHECK_INT(round->started, round->results);
    CHECK_INT(SIO_STATE_DISCONNECTED, sio_client_state(client));
    CHECK_INT(0, stat_of(client, "/calls_waiting"));
    while ((status = sio_client_receive(client, 0, &message)) == SIO_OK) sio_message_free(message);
    CHECK_INT(SIO_E_DISCONNECTED, status);
    CHECK_INT(0, readable(client, 0));
    CHECK_INT(SIO_E_DISCONNECTED, sio_client_emit(client, "e", NULL, NULL, 0, 0));
}

/* Freed while threads are in calls, operations under way, and results not taken. */
static void free_under_calls(struct round *round, struct actor *actors)
{
    pthread_t threads_of_ours[4];
    int i;

    for (i = 0; i < 4; i++) {
        actors[i].thread = actors[i].returned = 0;
        threads_of_ours[i] = start(blocked, &actors[i]);
    }
    for (i = 0; i < 4; i++) until_asleep(&actors[i].thread);
    for (i = 0; i < 4; i++) CHECK(!actors[i].returned || actors[i].last_status == SIO_E_DISCONNECTED);
    sio_client_free(round->client);
    for (i = 0; i < 4; i++) {
        finish(threads_of_ours[i]);
        check_among("a call under way", actors[i].last_status, "SIO_E_DISCONNECTED");
    }
}

static void one_round(int number)
{
    struct round round;
    struct actor actors[THREADS];
    pthread_t threads_of_ours[THREADS];
    uint64_t random = mix(seed ^ mix((uint64_t)number));
    int end, i, j;

    round_number = number;
    alarm(is_slow() ? 120 : 30);
    begin_round(&round, &random);
    end = chance(&random, 10);
    memset(actors, 0, sizeof actors);
    for (i = 0; i < THREADS; i++) {
        actors[i].round = &round;
        actors[i].number = i;
        actors[i].random = mix(random + (uint64_t)i);
        threads_of_ours[i] = start(actor, &actors[i]);
    }
    sleep_ms(chance(&random, is_slow() ? 200 : 20));
    if (end > 2) disconnect_and_count(&round, &random);
    round.is_over = 1;
    for (i = 0; i < THREADS; i++) finish(threads_of_ours[i]);
    if (end > 2) check_end(&round);
    totals[0] += round.started;
    totals[1] += round.wakeups;
    if (end == 0) free_under_calls(&round, actors);
    else sio_client_free(round.client);
    /* A message outlives its client. */
    for (j = 0; j < THREADS; j++) {
        if (round.kept[j] != NULL) CHECK(sio_message_args(round.kept[j], NULL)[0] == '[');
        sio_message_free(round.kept[j]);
    }
}

static void on_alarm(int signal_number)
{
    char line[100];
    int len = snprintf(line, sizeof line, "seed %llu, round %d: hangs\n", (unsigned long long)seed, round_number);
    (void)signal_number;
    if (write(STDOUT_FILENO, line, (size_t)len) != len) _exit(3);
    _exit(2);
}

int main(int argc, char **argv)
{
    int rounds, tasks, fds, i;
    struct timespec now;

    begin(argc, argv);
    clock_gettime(CLOCK_REALTIME, &now);
    rounds = argc > 2 ? atoi(argv[2]) : few_or_many(8, 150);
    seed = mix((uint64_t)now.tv_nsec ^ (uint64_t)now.tv_sec << 30) % 1000000000;
    if (argc > 3) seed = strtoull(argv[3], NULL, 10);
    printf("  %d rounds, seed %llu\n", rounds, (unsigned long long)seed);
    fflush(stdout);
    signal(SIGALRM, on_alarm);
    one_round(0);
    tasks = threads();
    fds = descriptors();
    for (i = 1; i < rounds; i++) {
        one_round(i);
        settles(tasks, fds);
        if (i % 1000 == 0) {
            printf("  round %d\n", i);
            fflush(stdout);
        }
    }
    alarm(0);
    printf("  %lld operations started, %lld wake-ups\n", totals[0], totals[1]);
    CHECK(totals[0] > 0 && totals[1] > 0);
    return 0;
}

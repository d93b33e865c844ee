/* Clients from their making to their end: freeing in every state, while others wait, inside callbacks. */
#include "check.h"

static void free_quickly(sio_client *client)
{
    CHECK_TIME(0, 100, sio_client_free(client));
}

static void the_library_has_the_version_of_the_header(void)
{
    CHECK_TEXT(SIO_VERSION, sio_version());
    CHECK_INT(SIO_VERSION_NUMBER, sio_version_number());
}

static void a_new_client_has_no_thread_and_no_descriptor(void)
{
    int fds = descriptors(), tasks = threads();
    sio_client *client = sio_client_new();
    CHECK_INT(SIO_STATE_DISCONNECTED, sio_client_state(client));
    CHECK_INT(fds, descriptors());
    CHECK_INT(tasks, threads());
    CHECK_TEXT("", error_text(client));
    CHECK_TEXT("0", error_member(client, "/status"));
    CHECK_TEXT("", sio_client_transport(client));
    CHECK_INT(0, sio_client_sid(client, NULL, 0));
    free_quickly(client);
    settles(tasks, fds);
}

static void a_client_can_be_freed_when_connected(void)
{
    sio_client *client = connected();
    CHECK_INT(SIO_STATE_CONNECTED, sio_client_state(client));
    CHECK(sio_client_transport(client)[0] != 0);
    CHECK(sio_client_sid(client, NULL, 0) > 0);
    CHECK_OK(client, sio_client_emit(client, "echo", "[1]", NULL, 0, 1000));
    free_quickly(client);
}

static void a_client_can_be_freed_when_disconnected(void)
{
    sio_client *client = connected();
    CHECK_OK(client, sio_client_disconnect(client, 5000));
    CHECK_INT(SIO_STATE_DISCONNECTED, sio_client_state(client));
    CHECK_TEXT("", sio_client_transport(client));
    CHECK_INT(0, sio_client_sid(client, NULL, 0));
    free_quickly(client);
}

static void a_client_can_be_freed_after_a_connect_that_failed(void)
{
    char url[60];
    int fd = silent_server(url, sizeof url);
    sio_client *client = sio_client_new();

    CHECK_STATUS(SIO_E_TIMEOUT, client, sio_client_connect(client, url, 50));
    CHECK_INT(SIO_STATE_DISCONNECTED, sio_client_state(client));
    free_quickly(client);
    client = sio_client_new();
    close(fd);
    CHECK_STATUS(SIO_E_UNREACHABLE, client, sio_client_connect(client, url, 5000));
    free_quickly(client);
}

/* ---- freeing while others wait ---- */

/* Frees the client while three threads wait in this function. */
static void free_while_in(sio_client *client, const char *url, int (*wait)(sio_client *, const char *),
                          int count)
{
    struct waiting waiting[3];
    pthread_t waiters[3];
    int i;

    for (i = 0; i < count; i++) {
        waiting[i].client = client;
        waiting[i].url = url;
        waiting[i].wait = wait;
        begin_waiting(&waiting[i], &waiters[i]);
    }
    for (i = 0; i < count; i++) until_asleep(&waiting[i].thread);
    for (i = 0; i < count; i++) CHECK(!waiting[i].is_over);
    free_quickly(client);
    /* They have left before it returned; only the thread may not have got to saying so. */
    for (i = 0; i < count; i++) {
        finish(waiters[i]);
        CHECK_INT(SIO_E_DISCONNECTED, waiting[i].status);
    }
}

static void receive_returns_disconnected_when_the_client_is_freed(void)
{
    sio_client *client = connected();
    take_welcome(client);
    free_while_in(client, NULL, wait_in_receive, 3);
    free_while_in(sio_client_new(), NULL, wait_in_receive, 3);
}

static void call_returns_disconnected_when_the_client_is_freed(void)
{
    free_while_in(connected(), NULL, wait_in_call, 3);
}

static void connect_emit_and_flush_return_disconnected_when_the_client_is_freed(void)
{
    char url[60];
    int fd = silent_server(url, sizeof url), i;
    int (*const waits[])(sio_client *, const char *) = {wait_in_emit, wait_in_flush,
                                                        wait_in_receive, wait_in_call};

    free_while_in(sio_client_new(), url, wait_in_connect, 1);
    for (i = 0; i < 4; i++) {
        sio_client *client = sio_client_new();
        struct waiting connecting = {NULL, NULL, wait_in_connect, 0, 0, 0};
        pthread_t connector;
        connecting.client = client;
        connecting.url = url;
        connector = start(waiter, &connecting);
        while (sio_client_state(client) != SIO_STATE_CONNECTING) sleep_ms(1);
        free_while_in(client, NULL, waits[i], 3);
        finish(connector);
        CHECK_INT(SIO_E_DISCONNECTED, connecting.status);
    }
    close(fd);
}

/* The server of the script takes events, but neither answers the ping nor closes. */
static void disconnect_returns_disconnected_when_the_client_is_freed(void)
{
    sio_client *client = websocket_client();
    CHECK_OK(client, sio_client_connect(client, argument(2), 10000));
    free_while_in(client, NULL, wait_in_disconnect, 3);
}

static void calls_that_are_just_returning_are_waited_for(void)
{
    int round, rounds = few_or_many(5, 100);
    for (round = 0; round < rounds; round++) {
        sio_client *client = sio_client_new();
        struct waiting waiting = {NULL, NULL, wait_in_receive, 0, 0, 0};
        pthread_t receiver;
        waiting.client = client;
        receiver = start(waiter, &waiting);
        until_asleep(&waiting.thread);
        sio_client_interrupt(client);
        sio_client_free(client);
        finish(receiver);
        CHECK(waiting.status == SIO_E_INTERRUPTED || waiting.status == SIO_E_DISCONNECTED);
    }
}

/* ---- messages and clients ---- */

static void messages_outlive_their_client(void)
{
    const sio_buffer bytes = {"abc", 3};
    sio_client *client = connected();
    sio_message *event, *reply, *question;
    size_t len;

    take_welcome(client);
    CHECK_OK(client, sio_client_emit(client, "echo", "[" SIO_PLACEHOLDER(0) "]", &bytes, 1, 1000));
    event = next_event(client, "echo");
    CHECK_OK(client, sio_client_call(client, "add", "[2,3]", NULL, 0, 5000, &reply));
    CHECK_OK(client, sio_client_emit(client, "ask", "[7]", NULL, 0, 1000));
    question = next_event(client, "question");
    sio_client_free(client);
    CHECK_TEXT("echo", sio_message_event(event, NULL));
    CHECK(memcmp(sio_message_buffer(event, 0, &len), "abc", 3) == 0);
    CHECK_TEXT("[5]", sio_message_args(reply, NULL));
    CHECK_TEXT("[7]", sio_message_args(question, NULL));
    CHECK_INT(0, sio_message_wants_ack(question));
    CHECK_INT(SIO_E_DISCONNECTED, sio_message_ack(question, "[1]", NULL, 0));
    CHECK_INT(SIO_E_INVALID, sio_message_ack(question, "nonsense", NULL, 0));
    sio_message_free(event);
    sio_message_free(reply);
    sio_message_free(question);
}

static void events_never_taken_are_freed_with_the_client(void)
{
    sio_client *client = connected();
    sio_message *reply;
    CHECK_OK(client, sio_client_emit(client, "flood", "[500,100,true]", NULL, 0, 1000));
    CHECK_OK(client, sio_client_call(client, "slow_ack", "[300]", NULL, 0, 20000, &reply));
    sio_message_free(reply);
    CHECK(stat_of(client, "/receive_queued") > 100);
    free_quickly(client);
}

static void nothing_is_left_after_many_lives(void)
{
    int fds, tasks, i;

    sio_client_free(connected());
    fds = descriptors();
    tasks = threads();
    for (i = 0; i < few_or_many(10, 100); i++) {
        sio_client *client = connected();
        if (i % 2 == 0) CHECK_OK(client, sio_client_disconnect(client, 5000));
        sio_client_free(client);
    }
    settles(tasks, fds);
}

static void a_client_can_connect_again_and_again(void)
{
    sio_client *client = sio_client_new();
    int i;
    CHECK_OK(client, sio_client_set(client, SIO_OPT_URL, server()));
    for (i = 0; i < 10; i++) {
        CHECK_OK(client, sio_client_connect(client, NULL, 10000));
        take_welcome(client);
        CHECK_OK(client, sio_client_disconnect(client, 5000));
    }
    sio_client_free(client);
}

/* ---- the log function ---- */

static volatile int lines, is_inside, most_inside;

static void count_line(void *user, int level, const char *line)
{
    CHECK(user == (void *)&lines);
    CHECK(level >= SIO_LOG_ERROR && level <= SIO_LOG_DEBUG);
    CHECK(line != NULL && line[0] != 0 && strchr(line, '\n') == NULL);
    if (++is_inside > most_inside) most_inside = is_inside;
    lines++;
    is_inside--;
}

static void the_log_function_gets_lines_until_it_is_removed(void)
{
    sio_client *client = sio_client_new();
    int before;

    lines = 0;
    CHECK_OK(client, sio_client_set_log(client, SIO_LOG_DEBUG, count_line, (void *)&lines));
    CHECK_OK(client, sio_client_connect(client, server(), 10000));
    CHECK(lines > 0);
    CHECK_OK(client, sio_client_set_log(client, SIO_LOG_DEBUG, NULL, NULL));
    before = lines;
    CHECK_OK(client, sio_client_disconnect(client, 5000));
    CHECK_INT(before, lines);
    CHECK_INT(1, most_inside);
    sio_client_free(client);
}

static void levels_are_kept_to(void)
{
    sio_client *client = sio_client_new();
    lines = 0;
    CHECK_OK(client, sio_client_set_log(client, SIO_LOG_ERROR, count_line, (void *)&lines));
    CHECK_OK(client, sio_client_connect(client, server(), 10000));
    CHECK_OK(client, sio_client_disconnect(client, 5000));
    CHECK_INT(0, lines);
    sio_client_free(client);
}

static volatile int entered, hold;

static void hold_line(void *user, int level, const char *line)
{
    (void)user;
    (void)level;
    (void)line;
    entered = 1;
    while (hold) sleep_ms(1);
    sleep_ms(20);
    entered = 2;
}

static void when_set_log_returns_the_function_is_no_longer_running(void)
{
    sio_client *client = sio_client_new();
    struct waiting waiting = {NULL, NULL, wait_in_connect, 0, 0, 0};
    pthread_t connector;

    entered = 0;
    hold = 1;
    CHECK_OK(client, sio_client_set_log(client, SIO_LOG_INFO, hold_line, NULL));
    waiting.client = client;
    waiting.url = server();
    connector = start(waiter, &waiting);
    while (!entered) sleep_ms(1);
    hold = 0;
    CHECK_OK(client, sio_client_set_log(client, SIO_LOG_INFO, NULL, NULL));
    CHECK_INT(2, entered);
    entered = 3;
    finish(connector);
    CHECK_INT(SIO_OK, waiting.status);
    CHECK_OK(client, sio_client_disconnect(client, 5000));
    CHECK_INT(3, entered);
    sio_client_free(client);
}

static void when_free_returns_the_function_is_no_longer_running(void)
{
    sio_client *client = sio_client_new();
    struct waiting waiting = {NULL, NULL, wait_in_connect, 0, 0, 0};
    pthread_t connector;

    entered = 0;
    hold = 1;
    CHECK_OK(client, sio_client_set_log(client, SIO_LOG_INFO, hold_line, NULL));
    waiting.client = client;
    waiting.url = server();
    connector = start(waiter, &waiting);
    while (!entered) sleep_ms(1);
    hold = 0;
    sio_client_free(client);
    CHECK_INT(2, entered);
    entered = 3;
    finish(connector);
    CHECK(waiting.status == SIO_E_DISCONNECTED || waiting.status == SIO_OK);
    CHECK_INT(3, entered);
}

static int tried;

static void try_everything(void *user, int level, const char *line)
{
    sio_client *client = *(sio_client **)user;
    sio_message *message;
    int state;

    (void)level;
    (void)line;
    if (tried) return;
    tried = 1;
    state = sio_client_state(client);
    CHECK_INT(SIO_E_TIMEOUT, sio_client_receive(client, 0, &message));
    CHECK_INT(SIO_E_STATE, sio_client_receive(client, 1000, &message));
    CHECK_HAS("callback", error_text(client));
    if (state == SIO_STATE_CONNECTING) {
        CHECK_INT(SIO_E_TIMEOUT, sio_client_emit(client, "e", NULL, NULL, 0, 0));
        CHECK_INT(SIO_E_STATE, sio_client_emit(client, "e", NULL, NULL, 0, SIO_FOREVER));
        CHECK_INT(SIO_E_STATE, sio_client_call(client, "e", NULL, NULL, 0, 1000, NULL));
        CHECK_INT(SIO_E_STATE, sio_client_flush(client, 1000));
        CHECK_INT(SIO_E_STATE, sio_client_connect(client, server(), 1000));
    }
    CHECK_INT(SIO_OK, sio_client_set(client, SIO_OPT_OFFLINE, "wait"));
    CHECK_INT(SIO_OK, sio_client_set_log(client, SIO_LOG_INFO, try_everything, user));
}

static void inside_a_callback_what_would_wait_is_a_wrong_state(void)
{
    sio_client *client = sio_client_new();
    tried = 0;
    CHECK_OK(client, sio_client_set_log(client, SIO_LOG_INFO, try_everything, &client));
    CHECK_OK(client, sio_client_connect(client, server(), 10000));
    CHECK_INT(1, tried);
    CHECK_OK(client, sio_client_disconnect(client, 5000));
    sio_client_free(client);
}

struct suicide {
    sio_client *client;
    const char *at;
    volatile int count;
};

static void free_inside(void *user, int level, const char *line)
{
    struct suicide *suicide = user;
    (void)level;
    CHECK_INT(0, suicide->count);
    if (strstr(line, suicide->at) == NULL) return;
    suicide->count = 1;
    sio_client_free(suicide->client);
    sleep_ms(20);
}

/* The function runs on the thread that connects, inside its call. */
static void free_inside_a_callback_on_a_calling_thread(void)
{
    struct suicide suicide = {NULL, "connecting", 0};
    int tasks = threads(), fds = descriptors();

    suicide.client = sio_client_new();
    CHECK_INT(SIO_OK, sio_client_set_log(suicide.client, SIO_LOG_INFO, free_inside, &suicide));
    CHECK_INT(SIO_E_DISCONNECTED, sio_client_connect(suicide.client, server(), 10000));
    CHECK_INT(1, suicide.count);
    settles(tasks, fds);
}

/* The function runs on the client's own thread, while another waits. */
static void free_inside_a_callback_on_the_clients_thread(void)
{
    struct suicide suicide = {NULL, "connected, session", 0};
    int tasks = threads(), fds = descriptors(), i;

    suicide.client = sio_client_new();
    CHECK_INT(SIO_OK, sio_client_set_log(suicide.client, SIO_LOG_INFO, free_inside, &suicide));
    i = sio_client_connect(suicide.client, server(), 10000);
    CHECK(i == SIO_OK || i == SIO_E_DISCONNECTED);
    settles(tasks, fds);
    CHECK_INT(1, suicide.count);
}

static void free_other(void *user, int level, const char *line)
{
    sio_client **other = user;
    (void)level;
    (void)line;
    if (*other != NULL) CHECK_TIME(0, 100, sio_client_free(*other));
    *other = NULL;
}

static void another_client_can_be_freed_inside_a_callback(void)
{
    sio_client *other = connected(), *client = sio_client_new();
    CHECK_OK(client, sio_client_set_log(client, SIO_LOG_INFO, free_other, &other));
    CHECK_OK(client, sio_client_connect(client, server(), 10000));
    CHECK(other == NULL);
    sio_client_free(client);
}

/* Each frees the client in whose callback the other is. */
static sio_client *pair[2];
static volatile int pair_inside[2];

static void free_the_other_one(void *user, int level, const char *line)
{
    int me = (int)(long)user;
    (void)level;
    (void)line;
    if (pair_inside[me]) return;
    pair_inside[me] = 1;
    while (!pair_inside[1 - me]) sleep_ms(1);
    sio_client_free(pair[1 - me]);
}

static void two_callbacks_that_free_each_others_clients_do_not_hang(void)
{
    struct waiting waiting[2];
    pthread_t connectors[2];
    int tasks = threads(), fds = descriptors(), i;

    for (i = 0; i < 2; i++) {
        pair_inside[i] = 0;
        pair[i] = sio_client_new();
        CHECK_INT(SIO_OK, sio_client_set_log(pair[i], SIO_LOG_INFO, free_the_other_one, (void *)(long)i));
    }
    for (i = 0; i < 2; i++) {
        waiting[i].client = pair[i];
        waiting[i].url = server();
        waiting[i].wait = wait_in_connect;
        connectors[i] = start(waiter, &waiting[i]);
    }
    for (i = 0; i < 2; i++) {
        finish(connectors[i]);
        CHECK(waiting[i].status == SIO_E_DISCONNECTED || waiting[i].status == SIO_OK);
    }
    settles(tasks, fds);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    RUN(the_library_has_the_version_of_the_header);
    RUN(a_new_client_has_no_thread_and_no_descriptor);
    RUN(a_client_can_be_freed_when_connected);
    RUN(a_client_can_be_freed_when_disconnected);
    RUN(a_client_can_be_freed_after_a_connect_that_failed);
    RUN(receive_returns_disconnected_when_the_client_is_freed);
    RUN(call_returns_disconnected_when_the_client_is_freed);
    RUN(connect_emit_and_flush_return_disconnected_when_the_client_is_freed);
    RUN(disconnect_returns_disconnected_when_the_client_is_freed);
    RUN(calls_that_are_just_returning_are_waited_for);
    RUN(messages_outlive_their_client);
    RUN(events_never_taken_are_freed_with_the_client);
    RUN(nothing_is_left_after_many_lives);
    RUN(a_client_can_connect_again_and_again);
    RUN(the_log_function_gets_lines_until_it_is_removed);
    RUN(levels_are_kept_to);
    RUN(when_set_log_returns_the_function_is_no_longer_running);
    RUN(when_free_returns_the_function_is_no_longer_running);
    RUN(inside_a_callback_what_would_wait_is_a_wrong_state);
    RUN(free_inside_a_callback_on_a_calling_thread);
    RUN(free_inside_a_callback_on_the_clients_thread);
    RUN(another_client_can_be_freed_inside_a_callback);
    RUN(two_callbacks_that_free_each_others_clients_do_not_hang);
    return 0;
}

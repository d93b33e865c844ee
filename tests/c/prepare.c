/* sio_client_set_prepare(): the function that goes before every attempt, who waits for it and who does not. */
#include "check.h"

#include <sys/wait.h>

/* What the function did and is to do. */
static struct prepare {
    sio_client *client;
    volatile int calls, inside, most_inside, thread, answer, hold;
    /* What it does while it runs. */
    void (*action)(sio_client *client);
} prepare;

static int on_prepare(void *user, sio_client *client)
{
    CHECK(user == &prepare);
    CHECK(client == prepare.client);
    if (++prepare.inside > prepare.most_inside) prepare.most_inside = prepare.inside;
    prepare.thread = thread_number();
    prepare.calls++;
    if (prepare.action != NULL) prepare.action(client);
    while (prepare.hold) sleep_ms(1);
    prepare.inside--;
    return prepare.answer;
}

/* A client with the function. */
static sio_client *prepared(void (*action)(sio_client *client))
{
    memset(&prepare, 0, sizeof prepare);
    prepare.action = action;
    prepare.client = sio_client_new();
    CHECK_OK(prepare.client, sio_client_set_prepare(prepare.client, on_prepare, &prepare));
    return prepare.client;
}

static void until_inside(void)
{
    while (!prepare.inside) sleep_ms(1);
}

static void begin_connect(sio_client *client, struct waiting *waiting, pthread_t *thread)
{
    memset(waiting, 0, sizeof *waiting);
    waiting->client = client;
    waiting->url = server();
    waiting->wait = wait_in_connect;
    begin_waiting(waiting, thread);
}

static void it_runs_before_the_attempt_on_a_thread_of_the_library(void)
{
    sio_client *client = prepared(NULL);

    CHECK_INT(0, prepare.calls);
    CHECK_OK(client, sio_client_connect(client, server(), 10000));
    CHECK_INT(1, prepare.calls);
    CHECK_INT(0, prepare.inside);
    CHECK(prepare.thread != thread_number());
    CHECK_OK(client, sio_client_disconnect(client, 5000));
    CHECK_INT(1, prepare.calls);
    sio_client_free(client);
}

/* The URL that connect was given leads to nobody. */
static void renew(sio_client *client)
{
    char token[60];
    snprintf(token, sizeof token, "{\"token\":\"number %d\"}", prepare.calls);
    CHECK_INT(SIO_OK, sio_client_set(client, SIO_OPT_URL, server()));
    CHECK_INT(SIO_OK, sio_client_set(client, SIO_OPT_AUTH, token));
    snprintf(token, sizeof token, "token %d", prepare.calls);
    CHECK_INT(SIO_OK, sio_client_set_header(client, "X-Token", token));
}

static void expect_token(sio_client *client, const char *auth, const char *header)
{
    sio_message *reply;

    CHECK_OK(client, sio_client_call(client, "handshake", NULL, NULL, 0, 5000, &reply));
    CHECK_HAS(auth, sio_message_args(reply, NULL));
    CHECK_HAS(header, sio_message_args(reply, NULL));
    sio_message_free(reply);
}

static void what_it_sets_counts_for_the_attempt(void)
{
    sio_client *client = prepared(renew);

    CHECK_OK(client, sio_client_connect(client, "http://127.0.0.1:1", 10000));
    expect_token(client, "number 1", "token 1");
    CHECK_OK(client, sio_client_disconnect(client, 5000));
    CHECK_OK(client, sio_client_connect(client, NULL, 10000));
    expect_token(client, "number 2", "token 2");
    sio_client_free(client);
}

static void a_reconnection_asks_it_again(void)
{
    sio_client *client = prepared(renew);

    CHECK_OK(client, sio_client_set_int(client, SIO_OPT_RECONNECT_MIN_MS, 10));
    CHECK_OK(client, sio_client_connect(client, server(), 10000));
    take_welcome(client);
    CHECK_OK(client, sio_client_emit(client, "drop", NULL, NULL, 0, 5000));
    take_welcome(client);
    CHECK_INT(2, prepare.calls);
    expect_token(client, "number 2", "token 2");
    CHECK_INT(1, prepare.most_inside);
    sio_client_free(client);
}

static void anything_but_0_is_a_failed_attempt(void)
{
    sio_client *client = prepared(NULL);
    int answers[] = {1, -1, SIO_E_TIMEOUT, 1000}, i;

    for (i = 0; i < 4; i++) {
        prepare.answer = answers[i];
        CHECK_STATUS(SIO_E_UNREACHABLE, client, sio_client_connect(client, server(), 10000));
        CHECK_TEXT("\"prepare\"", error_member(client, "/phase"));
        CHECK_HAS("prepare", error_text(client));
        CHECK_INT(SIO_STATE_DISCONNECTED, sio_client_state(client));
        CHECK_INT(i + 1, prepare.calls);
    }
    prepare.answer = 0;
    CHECK_OK(client, sio_client_connect(client, server(), 10000));
    sio_client_free(client);
}

static void a_failed_one_is_tried_again_if_connect_retries(void)
{
    sio_client *client = prepared(NULL);

    prepare.answer = 1;
    CHECK_OK(client, sio_client_set_int(client, SIO_OPT_RETRY_CONNECT, 1));
    CHECK_OK(client, sio_client_set_int(client, SIO_OPT_RECONNECT_MIN_MS, 10));
    CHECK_OK(client, sio_client_set_int(client, SIO_OPT_RECONNECT_ATTEMPTS, 2));
    CHECK_STATUS(SIO_E_UNREACHABLE, client, sio_client_connect(client, server(), 10000));
    CHECK_INT(3, prepare.calls);
    CHECK_INT(1, prepare.most_inside);
    sio_client_free(client);
}

static void removed_it_is_not_called(void)
{
    sio_client *client = prepared(NULL);

    CHECK_OK(client, sio_client_set_prepare(client, NULL, &prepare));
    CHECK_OK(client, sio_client_connect(client, server(), 10000));
    CHECK_INT(0, prepare.calls);
    sio_client_free(client);
}

/* ---- who does not wait for it ---- */

static void connect_does_not_wait_for_it_beyond_its_timeout(void)
{
    sio_client *client = prepared(NULL);
    struct waiting waiting;
    pthread_t connector;

    prepare.hold = 1;
    CHECK_TIME(90, 250, CHECK_STATUS(SIO_E_TIMEOUT, client, sio_client_connect(client, server(), 100)));
    CHECK_INT(1, prepare.inside);
    CHECK_TEXT("\"prepare\"", error_member(client, "/phase"));
    CHECK_INT(SIO_STATE_DISCONNECTED, sio_client_state(client));

    /* The next attempt waits until it has returned, and then asks again. */
    begin_connect(client, &waiting, &connector);
    sleep_ms(100);
    CHECK(!waiting.is_over);
    CHECK_INT(1, prepare.calls);
    prepare.hold = 0;
    finish(connector);
    CHECK_INT(SIO_OK, waiting.status);
    CHECK_INT(2, prepare.calls);
    CHECK_INT(1, prepare.most_inside);
    sio_client_free(client);
}

static void attempts_given_up_while_it_runs_never_call_it(void)
{
    sio_client *client = prepared(NULL);
    int i, tasks;

    prepare.hold = 1;
    CHECK_STATUS(SIO_E_TIMEOUT, client, sio_client_connect(client, server(), 20));
    tasks = threads();
    for (i = 0; i < 20; i++) CHECK_STATUS(SIO_E_TIMEOUT, client, sio_client_connect(client, server(), 20));
    /* At most one attempt has a thread that waits for its turn. */
    sleep_ms(50);
    CHECK(threads() <= tasks + 1);
    prepare.hold = 0;
    CHECK_OK(client, sio_client_connect(client, server(), 10000));
    CHECK_INT(2, prepare.calls);
    CHECK_INT(1, prepare.most_inside);
    sio_client_free(client);
}

static void interrupt_and_disconnect_do_not_wait_for_it(void)
{
    sio_client *client = prepared(NULL);
    struct waiting waiting;
    pthread_t connector;

    prepare.hold = 1;
    begin_connect(client, &waiting, &connector);
    until_inside();
    CHECK_INT(SIO_STATE_CONNECTING, sio_client_state(client));
    until_asleep(&waiting.thread);
    sio_client_interrupt(client);
    CHECK_TIME(0, 150, finish(connector));
    CHECK_INT(SIO_E_INTERRUPTED, waiting.status);
    CHECK_INT(1, prepare.inside);
    prepare.hold = 0;
    while (prepare.inside) sleep_ms(1);

    prepare.hold = 1;
    begin_connect(client, &waiting, &connector);
    until_inside();
    CHECK_TIME(0, 150, CHECK_OK(client, sio_client_disconnect(client, 5000)));
    CHECK_TIME(0, 150, finish(connector));
    CHECK_INT(SIO_E_DISCONNECTED, waiting.status);
    CHECK_INT(1, prepare.inside);
    prepare.hold = 0;
    sio_client_free(client);
    CHECK_INT(0, prepare.inside);
}

/* ---- who waits for it ---- */

static void *release_soon(void *unused)
{
    sleep_ms(100);
    prepare.hold = 0;
    return unused;
}

static void when_set_prepare_returns_the_function_is_no_longer_running(void)
{
    sio_client *client = prepared(NULL);
    struct waiting waiting;
    pthread_t connector, releaser;

    prepare.hold = 1;
    begin_connect(client, &waiting, &connector);
    until_inside();
    releaser = start(release_soon, NULL);
    CHECK_TIME(50, 250, CHECK_OK(client, sio_client_set_prepare(client, NULL, NULL)));
    CHECK_INT(0, prepare.inside);
    finish(connector);
    finish(releaser);
    CHECK_INT(SIO_OK, waiting.status);
    CHECK_OK(client, sio_client_disconnect(client, 5000));
    CHECK_OK(client, sio_client_connect(client, server(), 10000));
    CHECK_INT(1, prepare.calls);
    sio_client_free(client);
}

static void when_free_returns_the_function_is_no_longer_running(void)
{
    sio_client *client = prepared(renew);
    struct waiting waiting;
    pthread_t connector, releaser;
    int tasks = threads(), fds = descriptors();

    prepare.hold = 1;
    begin_connect(client, &waiting, &connector);
    until_inside();
    releaser = start(release_soon, NULL);
    CHECK_TIME(50, 250, sio_client_free(client));
    CHECK_INT(0, prepare.inside);
    CHECK_INT(1, prepare.calls);
    finish(connector);
    finish(releaser);
    CHECK_INT(SIO_E_DISCONNECTED, waiting.status);
    settles(tasks, fds);
}

/* While the client is being freed it is used as much as before. */
static void use_for_long(sio_client *client)
{
    int i;
    for (i = 0; i < 50; i++) {
        renew(client);
        sio_client_interrupt(client);
        CHECK(sio_client_emit(client, "e", NULL, NULL, 0, 0) < 0);
        sleep_ms(2);
    }
}

static void it_can_use_the_client_until_it_returns(void)
{
    sio_client *client = prepared(use_for_long);
    struct waiting waiting;
    pthread_t connector;

    begin_connect(client, &waiting, &connector);
    until_inside();
    sio_client_free(client);
    CHECK_INT(0, prepare.inside);
    finish(connector);
    /* Its own interrupt may have come before the end. */
    CHECK(waiting.status == SIO_E_DISCONNECTED || waiting.status == SIO_E_INTERRUPTED);
}

/* ---- inside it ---- */

static void try_everything(sio_client *client)
{
    sio_message *message;

    CHECK_INT(SIO_STATE_CONNECTING, sio_client_state(client));
    CHECK_INT(SIO_E_TIMEOUT, sio_client_receive(client, 0, &message));
    CHECK_INT(SIO_E_STATE, sio_client_receive(client, 1000, &message));
    CHECK_HAS("callback", error_text(client));
    CHECK_INT(SIO_E_TIMEOUT, sio_client_emit(client, "e", NULL, NULL, 0, 0));
    CHECK_INT(SIO_E_STATE, sio_client_emit(client, "e", NULL, NULL, 0, SIO_FOREVER));
    CHECK_INT(SIO_E_STATE, sio_client_call(client, "e", NULL, NULL, 0, 1000, NULL));
    CHECK_INT(SIO_E_STATE, sio_client_flush(client, 1000));
    CHECK_INT(SIO_E_STATE, sio_client_connect(client, NULL, 1000));
    CHECK_INT(SIO_OK, sio_client_set_prepare(client, on_prepare, &prepare));
}

static void what_would_wait_is_a_wrong_state_inside_it(void)
{
    sio_client *client = prepared(try_everything);

    CHECK_OK(client, sio_client_connect(client, server(), 10000));
    CHECK_INT(1, prepare.calls);
    sio_client_free(client);
}

static void disconnect_now(sio_client *client)
{
    CHECK_INT(SIO_OK, sio_client_disconnect(client, 1000));
}

static void it_can_end_the_attempt_by_a_disconnect(void)
{
    sio_client *client = prepared(disconnect_now);

    CHECK_STATUS(SIO_E_DISCONNECTED, client, sio_client_connect(client, server(), 10000));
    CHECK_INT(SIO_STATE_DISCONNECTED, sio_client_state(client));
    sio_client_free(client);
}

static void remove_itself(sio_client *client)
{
    CHECK_INT(SIO_OK, sio_client_set_prepare(client, NULL, NULL));
}

static void it_can_remove_itself(void)
{
    sio_client *client = prepared(remove_itself);

    CHECK_OK(client, sio_client_connect(client, server(), 10000));
    CHECK_OK(client, sio_client_disconnect(client, 5000));
    CHECK_OK(client, sio_client_connect(client, NULL, 10000));
    CHECK_INT(1, prepare.calls);
    sio_client_free(client);
}

static void free_slowly(sio_client *client)
{
    CHECK_TIME(0, 100, sio_client_free(client));
    sleep_ms(50);
}

static void freeing_the_client_inside_it_takes_effect_when_it_returns(void)
{
    int tasks = threads(), fds = descriptors();
    sio_client *client = prepared(free_slowly);

    CHECK_INT(SIO_E_DISCONNECTED, sio_client_connect(client, server(), 10000));
    while (prepare.inside) sleep_ms(1);
    settles(tasks, fds);
    CHECK_INT(1, prepare.calls);
}

static sio_client *other;

static void free_other(sio_client *client)
{
    (void)client;
    CHECK_TIME(0, 100, sio_client_free(other));
}

static void another_client_can_be_freed_inside_it(void)
{
    sio_client *client = prepared(free_other);

    other = connected();
    CHECK_OK(client, sio_client_connect(client, server(), 10000));
    sio_client_free(client);
}

/* Each frees the client whose function the other is in. */
static sio_client *pair[2];
static volatile int pair_inside[2];

static int free_the_other_one(void *user, sio_client *client)
{
    int me = (int)(long)user;
    CHECK(client == pair[me]);
    pair_inside[me] = 1;
    while (!pair_inside[1 - me]) sleep_ms(1);
    sio_client_free(pair[1 - me]);
    return 0;
}

static void two_that_free_each_others_clients_do_not_hang(void)
{
    struct waiting waiting[2];
    pthread_t connectors[2];
    int tasks = threads(), fds = descriptors(), i;

    for (i = 0; i < 2; i++) {
        pair_inside[i] = 0;
        pair[i] = sio_client_new();
        CHECK_INT(SIO_OK, sio_client_set_prepare(pair[i], free_the_other_one, (void *)(long)i));
    }
    for (i = 0; i < 2; i++) begin_connect(pair[i], &waiting[i], &connectors[i]);
    for (i = 0; i < 2; i++) {
        finish(connectors[i]);
        CHECK_INT(SIO_E_DISCONNECTED, waiting[i].status);
    }
    settles(tasks, fds);
}

/* A log function of one client, inside which the function of another is to be set. */
static volatile int tried;

static void set_other(void *user, int level, const char *line)
{
    (void)user;
    (void)level;
    (void)line;
    if (tried) return;
    tried = 1;
    CHECK_INT(SIO_E_STATE, sio_client_set_prepare(prepare.client, NULL, NULL));
    CHECK_HAS("callback", error_text(prepare.client));
}

static void inside_another_callback_it_cannot_be_replaced_while_it_runs(void)
{
    sio_client *client = prepared(NULL), *logging = sio_client_new();
    struct waiting waiting;
    pthread_t connector;

    prepare.hold = 1;
    tried = 0;
    begin_connect(client, &waiting, &connector);
    until_inside();
    CHECK_OK(logging, sio_client_set_log(logging, SIO_LOG_INFO, set_other, NULL));
    CHECK_OK(logging, sio_client_connect(logging, server(), 10000));
    CHECK_INT(1, tried);
    CHECK_INT(1, prepare.inside);
    prepare.hold = 0;
    finish(connector);
    CHECK_INT(SIO_OK, waiting.status);
    sio_client_free(logging);
    sio_client_free(client);
}

/* ---- after fork ---- */

static void a_child_never_waits_for_it(void)
{
    sio_client *client = prepared(NULL);
    struct waiting waiting;
    pthread_t connector;
    pid_t child;
    int status = 0;

    prepare.hold = 1;
    begin_connect(client, &waiting, &connector);
    until_inside();
    fflush(stdout);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        alarm(is_slow() ? 120 : 20);
        CHECK_INT(SIO_E_STATE, sio_client_set_prepare(client, NULL, NULL));
        CHECK_TIME(0, 100, sio_client_free(client));
        /* What the parent's threads hold belongs to nobody here, so no end with a look for leaks. */
        execl("/bin/true", "true", (char *)NULL);
        _exit(98);
    }
    CHECK_INT(child, waitpid(child, &status, 0));
    if (WIFSIGNALED(status)) failed(__FILE__, __LINE__, "the child", "hung, or crashed");
    CHECK_INT(0, WEXITSTATUS(status));
    CHECK_INT(1, prepare.inside);
    prepare.hold = 0;
    finish(connector);
    CHECK_INT(SIO_OK, waiting.status);
    sio_client_free(client);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    RUN(it_runs_before_the_attempt_on_a_thread_of_the_library);
    RUN(what_it_sets_counts_for_the_attempt);
    RUN(a_reconnection_asks_it_again);
    RUN(anything_but_0_is_a_failed_attempt);
    RUN(a_failed_one_is_tried_again_if_connect_retries);
    RUN(removed_it_is_not_called);
    RUN(connect_does_not_wait_for_it_beyond_its_timeout);
    RUN(attempts_given_up_while_it_runs_never_call_it);
    RUN(interrupt_and_disconnect_do_not_wait_for_it);
    RUN(when_set_prepare_returns_the_function_is_no_longer_running);
    RUN(when_free_returns_the_function_is_no_longer_running);
    RUN(it_can_use_the_client_until_it_returns);
    RUN(what_would_wait_is_a_wrong_state_inside_it);
    RUN(it_can_end_the_attempt_by_a_disconnect);
    RUN(it_can_remove_itself);
    RUN(freeing_the_client_inside_it_takes_effect_when_it_returns);
    RUN(another_client_can_be_freed_inside_it);
    RUN(two_that_free_each_others_clients_do_not_hang);
    RUN(inside_another_callback_it_cannot_be_replaced_while_it_runs);
    RUN(a_child_never_waits_for_it);
    return 0;
}

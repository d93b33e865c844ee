/* sio_client_set_wakeup(): called once when one of the two queues is no longer empty or the connection has
 * ended, and not again before both have been emptied. The fourth server is the fastest. */
#include "nonblocking.h"
#include "relay.h"

#include <semaphore.h>

static struct wakeup {
    volatile int calls, inside, hold, thread;
    sem_t called;
    void (*action)(sio_client *client);
    sio_client *client;
} wakeup;

static void on_wakeup(void *user)
{
    CHECK(user == &wakeup);
    __sync_fetch_and_add(&wakeup.inside, 1);
    wakeup.thread = thread_number();
    __sync_fetch_and_add(&wakeup.calls, 1);
    if (wakeup.action != NULL) wakeup.action(wakeup.client);
    sem_post(&wakeup.called);
    while (wakeup.hold) sleep_ms(1);
    __sync_fetch_and_sub(&wakeup.inside, 1);
}

static void forget(void)
{
    memset(&wakeup, 0, sizeof wakeup);
    CHECK_INT(0, sem_init(&wakeup.called, 0, 0));
}

/* Nothing is to be taken from the client, and what is next to come calls the function. */
static sio_client *waking(sio_client *client)
{
    forget();
    wakeup.client = client;
    CHECK_OK(client, sio_client_set_wakeup(client, on_wakeup, &wakeup));
    CHECK_INT(0, wakeup.calls);
    return client;
}

static sio_client *woken(const char *url)
{
    return waking(quiet_client(url));
}

static void until_called(void)
{
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 30;
    while (sem_timedwait(&wakeup.called, &end) != 0) CHECK_INT(EINTR, errno);
}

/* That so many calls have been made, and no further one follows from what has happened. */
#define EXPECT_CALLS(calls) expect_calls(__LINE__, calls)

static void expect_calls(int line, int calls)
{
    sleep_ms(50);
    check_int(__FILE__, line, "wakeup.calls", calls, wakeup.calls);
}

static int receive_all(sio_client *client)
{
    int count = 0, status;
    sio_message *message;

    for (; (status = sio_client_receive(client, 0, &message)) == SIO_OK; count++) sio_message_free(message);
    CHECK(status == SIO_E_TIMEOUT || status == SIO_E_DISCONNECTED);
    return count;
}

static int result_all(sio_client *client)
{
    int count = 0, status, answer;
    uint64_t tag;

    for (; (answer = sio_client_result(client, 0, &tag, &status, NULL)) == SIO_OK; count++) {
    }
    CHECK_INT(SIO_E_TIMEOUT, answer);
    return count;
}

/* ---- when it is called ---- */

static void it_is_called_when_an_event_comes_and_not_again_before_both_were_emptied(void)
{
    sio_client *client = woken(server());

    CHECK_OK(client, emit(client, "echo", "[1]"));
    until_called();
    CHECK_OK(client, emit(client, "echo", "[2]"));
    CHECK_OK(client, call_start(client, "echo_ack", "[3]", 10000, 1));
    round_trip(client);
    EXPECT_CALLS(1);
    expect_event(client, "echo", "[1]");
    expect_event(client, "echo", "[2]");
    /* Nobody has been told that it is empty. */
    CHECK_OK(client, emit(client, "echo", "[4]"));
    round_trip(client);
    EXPECT_CALLS(1);
    CHECK_INT(1, receive_all(client));
    EXPECT_CALLS(1);
    CHECK_OK(client, emit(client, "echo", "[5]"));
    round_trip(client);
    /* Of the results nobody has been told. */
    EXPECT_CALLS(1);
    CHECK_INT(1, receive_all(client));
    CHECK_INT(1, result_all(client));
    EXPECT_CALLS(1);
    CHECK_OK(client, emit(client, "echo", "[6]"));
    until_called();
    EXPECT_CALLS(2);
    sio_client_free(client);
}

static void it_is_called_when_a_result_comes(void)
{
    sio_client *client = woken(server());
    int round;

    for (round = 1; round <= 3; round++) {
        CHECK_OK(client, call_start(client, "echo_ack", "[1]", 10000, 1));
        CHECK_OK(client, call_start(client, "no_ack", NULL, 100, 2));
        until_called();
        round_trip(client);
        until_stat(client, "/calls_waiting", 0);
        EXPECT_CALLS(round);
        EXPECT_ANSWER(client, 1, "[1]");
        EXPECT_RESULT(client, 2, SIO_E_TIMEOUT);
        /* In whichever order the two are emptied. */
        if (round == 2) CHECK_INT(0, receive_all(client));
        CHECK_INT(0, result_all(client));
        if (round != 2) CHECK_INT(0, receive_all(client));
    }
    sio_client_free(client);
}

/* A program that empties one queue after the other must not sleep on what came meanwhile to the first. */
static void what_came_to_one_while_the_other_was_emptied_is_told(void)
{
    sio_client *client = woken(server());
    int order;

    for (order = 0; order < 2; order++) {
        int calls = wakeup.calls;
        CHECK_OK(client, emit(client, "echo", "[1]"));
        until_called();
        if (order == 0) {
            CHECK_INT(1, receive_all(client));
            CHECK_OK(client, emit(client, "echo", "[2]"));
            round_trip(client);
            CHECK_INT(0, result_all(client));
        } else {
            CHECK_INT(0, result_all(client));
            CHECK_OK(client, call_start(client, "echo_ack", "[2]", 10000, 1));
            round_trip(client);
            CHECK_INT(1, receive_all(client));
        }
        until_called();
        EXPECT_CALLS(calls + 2);
        CHECK_INT(order == 0, receive_all(client));
        CHECK_INT(order == 1, result_all(client));
        CHECK_INT(0, receive_all(client));
    }
    sio_client_free(client);
}

static void it_is_called_at_the_final_end(void)
{
    sio_client *client = woken(server());
    sio_message *message;

    CHECK_OK(client, emit(client, "kick", NULL));
    until_called();
    EXPECT_CALLS(1);
    CHECK_STATUS(SIO_E_DISCONNECTED, client, sio_client_receive(client, 0, &message));
    CHECK_INT(0, result_all(client));
    CHECK_STATUS(SIO_E_DISCONNECTED, client, sio_client_receive(client, 0, &message));
    EXPECT_CALLS(1);
    /* Again after another connection, and after a connect that failed. */
    CHECK_OK(client, sio_client_connect(client, server(), 10000));
    until_called();
    CHECK_INT(1, receive_all(client));
    CHECK_INT(0, result_all(client));
    CHECK_OK(client, sio_client_disconnect(client, 10000));
    until_called();
    CHECK_INT(0, receive_all(client) + result_all(client));
    CHECK_STATUS(SIO_E_UNREACHABLE, client, sio_client_connect(client, nobody(), 10000));
    until_called();
    EXPECT_CALLS(4);
    sio_client_free(client);
}

static void it_is_not_called_for_anything_else(void)
{
    struct relay relay;
    sio_client *client;

    relay_start(&relay, argument(2));
    client = waking(silent_client(relay.url));
    CHECK_OK(client, emit(client, "e", NULL));
    CHECK_OK(client, sio_client_flush(client, 10000));
    sio_client_interrupt(client);
    relay_cut(&relay);
    until_stat(client, "/connects", 2);
    EXPECT_CALLS(0);
    sio_client_free(client);
    EXPECT_CALLS(0);
    relay_end(&relay);
}

static void set_while_something_is_ready_it_is_called(void)
{
    sio_client *client = quiet_client(server());

    forget();
    wakeup.client = client;
    CHECK_OK(client, emit(client, "echo", "[1]"));
    round_trip(client);
    CHECK_OK(client, sio_client_set_wakeup(client, on_wakeup, &wakeup));
    until_called();
    /* Set anew it is called anew. */
    CHECK_OK(client, sio_client_set_wakeup(client, on_wakeup, &wakeup));
    until_called();
    CHECK_INT(1, receive_all(client));
    CHECK_INT(0, result_all(client));
    CHECK_OK(client, sio_client_set_wakeup(client, on_wakeup, &wakeup));
    EXPECT_CALLS(2);
    CHECK_OK(client, call_start(client, "no_ack", NULL, 1, 1));
    until_called();
    CHECK_OK(client, sio_client_set_wakeup(client, on_wakeup, &wakeup));
    until_called();
    CHECK_OK(client, sio_client_disconnect(client, 10000));
    CHECK_INT(1, result_all(client));
    CHECK_OK(client, sio_client_set_wakeup(client, on_wakeup, &wakeup));
    until_called();
    sio_client_free(client);
    CHECK_INT(SIO_E_INVALID, sio_client_set_wakeup(NULL, on_wakeup, NULL));
}

static void none_of_many_is_lost(void)
{
    int count = few_or_many(5000, 200000), received = 0, rounds = 0;
    sio_client *client = woken(argument(4));
    char args[60];

    snprintf(args, sizeof args, "[%d,1,false]", count);
    CHECK_OK(client, emit(client, "flood", args));
    while (received < count + 1) {
        until_called();
        rounds++;
        received += receive_all(client);
        result_all(client);
        /* What came since is told by another call. */
        CHECK(wakeup.calls <= rounds + 1);
    }
    CHECK_INT(count + 1, received);
    CHECK(wakeup.calls <= rounds + 1);
    sio_client_free(client);
}

/* ---- removing it ---- */

static void *release_soon(void *unused)
{
    sleep_ms(100);
    wakeup.hold = 0;
    return unused;
}

static void removing_it_waits_while_it_runs(void)
{
    sio_client *client = woken(server());
    pthread_t releaser;

    wakeup.hold = 1;
    CHECK_OK(client, emit(client, "echo", "[1]"));
    until_called();
    CHECK_INT(1, wakeup.inside);
    CHECK(wakeup.thread != thread_number());
    releaser = start(release_soon, NULL);
    CHECK_TIME(50, 250, CHECK_OK(client, sio_client_set_wakeup(client, NULL, NULL)));
    CHECK_INT(0, wakeup.inside);
    finish(releaser);
    receive_all(client);
    result_all(client);
    CHECK_OK(client, emit(client, "echo", "[2]"));
    round_trip(client);
    EXPECT_CALLS(1);
    sio_client_free(client);
}

static void freeing_the_client_waits_while_it_runs(void)
{
    int tasks = threads(), fds = descriptors();
    sio_client *client = woken(server());
    pthread_t releaser;

    wakeup.hold = 1;
    CHECK_OK(client, emit(client, "echo", "[1]"));
    until_called();
    releaser = start(release_soon, NULL);
    CHECK_TIME(50, 250, sio_client_free(client));
    CHECK_INT(0, wakeup.inside);
    finish(releaser);
    settles(tasks, fds);
    EXPECT_CALLS(1);
}

static void remove_it(sio_client *client)
{
    CHECK_TIME(0, 100, CHECK_OK(client, sio_client_set_wakeup(client, NULL, NULL)));
}

static void inside_it_can_remove_itself(void)
{
    sio_client *client = woken(server());

    wakeup.action = remove_it;
    CHECK_OK(client, emit(client, "echo", "[1]"));
    until_called();
    CHECK_INT(1, receive_all(client));
    result_all(client);
    CHECK_OK(client, emit(client, "echo", "[2]"));
    round_trip(client);
    EXPECT_CALLS(1);
    sio_client_free(client);
}

static void free_it(sio_client *client)
{
    sio_client_free(client);
}

static void inside_it_the_client_can_be_freed(void)
{
    int tasks = threads(), fds = descriptors();
    sio_client *client = woken(server());

    wakeup.action = free_it;
    CHECK_INT(SIO_OK, emit(client, "echo", "[1]"));
    until_called();
    settles(tasks, fds);
    EXPECT_CALLS(1);
}

/* ---- inside it ---- */

static void use_everything(sio_client *client)
{
    char text[500];
    uint64_t tag;
    int status;
    sio_message *message;

    /* Another event is not there, and no result. */
    CHECK_OK(client, sio_client_receive(client, SIO_FOREVER, &message));
    sio_message_free(message);
    CHECK_INT(SIO_E_TIMEOUT, sio_client_receive(client, 0, &message));
    CHECK_INT(SIO_E_TIMEOUT, sio_client_result(client, 0, &tag, &status, NULL));
    CHECK_INT(SIO_E_STATE, sio_client_receive(client, 1000, &message));
    CHECK_HAS("callback", error_text(client));
    CHECK_INT(SIO_E_STATE, sio_client_result(client, SIO_FOREVER, &tag, &status, NULL));
    CHECK_HAS("callback", error_text(client));
    CHECK_INT(SIO_E_STATE, sio_client_call(client, "echo_ack", NULL, NULL, 0, 1000, NULL));
    CHECK_INT(SIO_E_STATE, sio_client_connect(client, NULL, 1000));
    CHECK_INT(SIO_E_STATE, sio_client_disconnect(client, 1000));
    CHECK_INT(SIO_STATE_CONNECTED, sio_client_state(client));
    /* There is room, so that it need not wait. */
    CHECK_OK(client, sio_client_emit(client, "no_ack", NULL, NULL, 0, 1000));
    CHECK_OK(client, sio_client_set(client, SIO_OPT_AUTH, "{}"));
    CHECK(sio_client_get(client, SIO_OPT_AUTH, text, sizeof text) == 2);
    CHECK_OK(client, sio_client_set_header(client, "X-Token", "1"));
    CHECK_OK(client, sio_client_set_prepare(client, NULL, NULL));
    CHECK_OK(client, sio_client_set_log(client, 0, NULL, NULL));
    CHECK(sio_client_stats(client, text, sizeof text) > 0);
    CHECK(sio_client_sid(client, text, sizeof text) > 0);
    CHECK_TEXT("websocket", sio_client_transport(client));
    CHECK(sio_client_fd(client) >= 0);
    sio_client_interrupt(client);
    CHECK_INT(SIO_E_STATE, sio_client_connect_start(client, NULL, 1000, 1));
    CHECK_OK(client, emit_start(client, "no_ack", NULL, 10000, 2));
    CHECK_OK(client, call_start(client, "echo_ack", "[3]", 10000, 3));
    CHECK_OK(client, call_start(client, "no_ack", NULL, 10000, 4));
    CHECK_OK(client, sio_client_cancel(client, 4));
    CHECK_OK(client, sio_client_flush_start(client, 10000, 5));
    wakeup.action = NULL;
}

/* What started inside it ended as it should. */
static void expect_what_was_started(sio_client *client)
{
    int seen[6] = {0}, i;

    for (i = 0; i < 4; i++) {
        uint64_t tag = 0;
        int status = 1;
        sio_message *reply;
        CHECK_OK(client, sio_client_result(client, 20000, &tag, &status, &reply));
        CHECK(tag >= 2 && tag <= 5 && !seen[tag]);
        seen[tag] = 1;
        CHECK_INT(tag == 4 ? SIO_E_INTERRUPTED : SIO_OK, status);
        CHECK((reply != NULL) == (tag == 3));
        sio_message_free(reply);
    }
    EXPECT_NO_RESULT(client);
}

static void inside_it_every_function_may_be_called(void)
{
    sio_client *client = woken(server());
    sio_message *message;

    wakeup.action = use_everything;
    CHECK_OK(client, emit(client, "echo", "[1]"));
    until_called();
    /* The interrupt is for the next call that would wait. */
    CHECK_STATUS(SIO_E_INTERRUPTED, client, sio_client_receive(client, 10000, &message));
    expect_what_was_started(client);
    sio_client_free(client);

    /* The same inside the call that caused it: here the one that sets it, on the program's own thread. */
    forget();
    wakeup.client = client = quiet_client(server());
    wakeup.action = use_everything;
    CHECK_OK(client, emit(client, "echo", "[1]"));
    round_trip(client);
    CHECK_OK(client, sio_client_set_wakeup(client, on_wakeup, &wakeup));
    until_called();
    CHECK_STATUS(SIO_E_INTERRUPTED, client, sio_client_receive(client, 10000, &message));
    expect_what_was_started(client);
    sio_client_free(client);
}

static void while_it_runs_others_use_the_client(void)
{
    sio_client *client = woken(server());
    char text[3000];

    wakeup.hold = 1;
    CHECK_OK(client, emit(client, "echo", "[1]"));
    until_called();
    CHECK_INT(1, wakeup.inside);
    CHECK_INT(SIO_STATE_CONNECTED, sio_client_state(client));
    CHECK(sio_client_stats(client, text, sizeof text) > 0);
    CHECK_OK(client, sio_client_set(client, SIO_OPT_AUTH, "{}"));
    CHECK_OK(client, emit(client, "no_ack", NULL));
    CHECK_OK(client, call_start(client, "no_ack", NULL, SIO_FOREVER, 1));
    CHECK_OK(client, sio_client_cancel(client, 1));
    expect_event(client, "echo", "[1]");
    EXPECT_RESULT(client, 1, SIO_E_INTERRUPTED);
    CHECK_INT(1, wakeup.inside);
    wakeup.hold = 0;
    round_trip(client);
    sio_client_free(client);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    RUN(it_is_called_when_an_event_comes_and_not_again_before_both_were_emptied);
    RUN(it_is_called_when_a_result_comes);
    RUN(what_came_to_one_while_the_other_was_emptied_is_told);
    RUN(it_is_called_at_the_final_end);
    RUN(it_is_not_called_for_anything_else);
    RUN(set_while_something_is_ready_it_is_called);
    RUN(none_of_many_is_lost);
    RUN(removing_it_waits_while_it_runs);
    RUN(freeing_the_client_waits_while_it_runs);
    RUN(inside_it_can_remove_itself);
    RUN(inside_it_the_client_can_be_freed);
    RUN(inside_it_every_function_may_be_called);
    RUN(while_it_runs_others_use_the_client);
    return 0;
}

/* sio_client_fd(): readable while an event, a state message or a result can be taken, and from the final end
 * until a receive has said so; quiet otherwise. The second server says nothing after the namespace's
 * acknowledgement; the fourth is the fastest. */
#include "nonblocking.h"
#include "relay.h"

#include <fcntl.h>
#include <sys/epoll.h>

/* ---- the descriptor itself ---- */

static void *ask_for_it(void *client)
{
    return (void *)(long)sio_client_fd(client);
}

static void it_keeps_its_number_whoever_asks_and_whatever_happens(void)
{
    int fds = descriptors(), fd, i;
    sio_client *client = sio_client_new();
    pthread_t threads_of_ours[8];

    for (i = 0; i < 8; i++) threads_of_ours[i] = start(ask_for_it, client);
    for (fd = -1, i = 0; i < 8; i++) {
        void *asked;
        CHECK_INT(0, pthread_join(threads_of_ours[i], &asked));
        CHECK((int)(long)asked >= 0);
        if (i == 0) fd = (int)(long)asked;
        CHECK_INT(fd, (int)(long)asked);
    }
    CHECK_STATUS(SIO_E_UNREACHABLE, client, sio_client_connect(client, nobody(), 10000));
    CHECK_INT(fd, sio_client_fd(client));
    for (i = 0; i < 2; i++) {
        CHECK_OK(client, sio_client_connect(client, server(), 10000));
        CHECK_INT(fd, sio_client_fd(client));
        CHECK_OK(client, sio_client_disconnect(client, 10000));
        CHECK_INT(fd, sio_client_fd(client));
    }
    sio_client_free(client);
    settles(threads(), fds);
    CHECK_INT(-1, fcntl(fd, F_GETFD));
}

static void it_is_close_on_exec(void)
{
    sio_client *client = sio_client_new();
    int flags = fcntl(sio_client_fd(client), F_GETFD);

    CHECK(flags >= 0 && (flags & FD_CLOEXEC) != 0);
    sio_client_free(client);
}

static void it_can_be_asked_for_at_any_time(void)
{
    sio_client *client = connected();

    /* What is ready already makes it readable from the beginning. */
    until_stat(client, "/receive_queued", 1);
    CHECK_READABLE(client);
    take_welcome(client);
    CHECK_QUIET(client);
    sio_client_free(client);
    CHECK_INT(SIO_E_INVALID, sio_client_fd(NULL));
}

/* ---- one thread ---- */

static void it_is_quiet_before_the_first_connect(void)
{
    sio_client *client = sio_client_new();
    sio_message *message;

    CHECK_QUIET(client);
    CHECK_STATUS(SIO_E_TIMEOUT, client, sio_client_receive(client, 0, &message));
    CHECK_STATUS(SIO_E_DISCONNECTED, client, emit(client, "e", NULL));
    CHECK_QUIET(client);
    sio_client_free(client);
}

static void an_event_makes_it_readable_until_it_is_taken(void)
{
    sio_client *client = quiet_client(server());

    CHECK_QUIET(client);
    CHECK_OK(client, emit(client, "echo", "[1]"));
    CHECK_OK(client, emit(client, "echo", "[2]"));
    CHECK_READABLE(client);
    /* Looking does not change it. */
    CHECK_READABLE(client);
    expect_event(client, "echo", "[1]");
    CHECK_READABLE(client);
    expect_event(client, "echo", "[2]");
    CHECK_QUIET(client);
    sio_client_free(client);
}

static void a_result_makes_it_readable_until_it_is_taken(void)
{
    sio_client *client = quiet_client(server());
    sio_message *message;

    CHECK_OK(client, call_start(client, "echo_ack", "[1]", 10000, 1));
    CHECK_OK(client, call_start(client, "echo_ack", "[2]", 10000, 2));
    CHECK_READABLE(client);
    CHECK_STATUS(SIO_E_TIMEOUT, client, sio_client_receive(client, 0, &message));
    CHECK_READABLE(client);
    EXPECT_ANSWER(client, 1, "[1]");
    CHECK_READABLE(client);
    EXPECT_ANSWER(client, 2, "[2]");
    CHECK_QUIET(client);
    /* A failure is a result like any other. */
    CHECK_OK(client, call_start(client, "no_ack", NULL, 60, 3));
    CHECK_QUIET(client);
    CHECK_READABLE(client);
    EXPECT_RESULT(client, 3, SIO_E_TIMEOUT);
    CHECK_QUIET(client);
    sio_client_free(client);
}

static void an_event_and_a_result_count_each(void)
{
    sio_client *client = quiet_client(server());
    int round;

    for (round = 0; round < 2; round++) {
        CHECK_OK(client, emit(client, "echo", "[1]"));
        CHECK_OK(client, call_start(client, "echo_ack", "[1]", 10000, 1));
        round_trip(client);
        CHECK_READABLE(client);
        if (round == 0) expect_event(client, "echo", "[1]");
        else EXPECT_ANSWER(client, 1, "[1]");
        CHECK_READABLE(client);
        if (round == 1) expect_event(client, "echo", "[1]");
        else EXPECT_ANSWER(client, 1, "[1]");
        CHECK_QUIET(client);
    }
    sio_client_free(client);
}

static void a_state_message_makes_it_readable_until_it_is_taken(void)
{
    sio_client *client = websocket_client();
    sio_message *message;

    CHECK_OK(client, sio_client_set_int(client, SIO_OPT_REPORT_STATE, 1));
    CHECK_OK(client, sio_client_connect(client, argument(2), 10000));
    CHECK_READABLE(client);
    CHECK_OK(client, sio_client_receive(client, 0, &message));
    CHECK_INT(SIO_MESSAGE_CONNECTED, sio_message_kind(message));
    sio_message_free(message);
    CHECK_QUIET(client);
    sio_client_free(client);
}

static void nothing_else_makes_it_readable(void)
{
    struct relay relay;
    sio_client *client;
    sio_message *reply;

    /* The connection, emits, flush, options, interrupts; the loss and a reconnection. */
    relay_start(&relay, argument(2));
    client = silent_client(relay.url);
    CHECK_QUIET(client);
    CHECK_OK(client, emit(client, "e", "[1]"));
    CHECK_OK(client, sio_client_flush(client, 10000));
    CHECK_OK(client, sio_client_set(client, SIO_OPT_AUTH, "{}"));
    sio_client_interrupt(client);
    CHECK_STATUS(SIO_E_INTERRUPTED, client, sio_client_call(client, "e", NULL, NULL, 0, 10000, NULL));
    relay_cut(&relay);
    until_stat(client, "/connects", 2);
    until_state(client, SIO_STATE_CONNECTED);
    CHECK_QUIET(client);
    sio_client_free(client);
    relay_end(&relay);

    /* The answer to a call that waited for it; what is under way; the upgrade. */
    client = connected();
    take_welcome(client);
    CHECK_OK(client, sio_client_call(client, "echo_ack", "[1]", NULL, 0, 10000, &reply));
    sio_message_free(reply);
    CHECK_OK(client, call_start(client, "no_ack", NULL, SIO_FOREVER, 1));
    while (strcmp(sio_client_transport(client), "websocket") != 0) sleep_ms(1);
    CHECK_QUIET(client);
    sio_client_free(client);
}

/* How a connection can end for good. */

static void by_disconnect(sio_client *client)
{
    CHECK_OK(client, sio_client_disconnect(client, 10000));
}

static void by_a_kick(sio_client *client)
{
    CHECK_OK(client, emit(client, "kick", NULL));
    until_state(client, SIO_STATE_DISCONNECTED);
}

static void by_a_loss(sio_client *client)
{
    CHECK_OK(client, emit(client, "drop", NULL));
    until_state(client, SIO_STATE_DISCONNECTED);
}

static void at_the_end_until_a_receive_has_said_so(sio_client *client)
{
    sio_message *message;
    int i;

    CHECK_READABLE(client);
    CHECK_READABLE(client);
    for (i = 0; i < 2; i++) {
        CHECK_STATUS(SIO_E_DISCONNECTED, client, sio_client_receive(client, 0, &message));
        CHECK(message == NULL);
        CHECK_QUIET(client);
    }
}

static void it_is_readable_from_the_end_until_a_receive_has_said_so(void)
{
    void (*ends[])(sio_client *) = {by_disconnect, by_a_kick, by_a_loss};
    int i;

    for (i = 0; i < 3; i++) {
        sio_client *client = quiet_client(server());
        CHECK_OK(client, sio_client_set_int(client, SIO_OPT_RECONNECTION, 0));
        CHECK_OK(client, sio_client_disconnect(client, 10000));
        at_the_end_until_a_receive_has_said_so(client);
        CHECK_OK(client, sio_client_connect(client, NULL, 10000));
        take_welcome(client);
        CHECK_QUIET(client);
        ends[i](client);
        at_the_end_until_a_receive_has_said_so(client);
        sio_client_free(client);
    }
}

static void what_came_before_the_end_is_taken_before_it(void)
{
    sio_client *client = quiet_client(server());
    sio_message *message;

    CHECK_OK(client, emit(client, "echo", "[1]"));
    CHECK_OK(client, call_start(client, "no_ack", NULL, SIO_FOREVER, 1));
    round_trip(client);
    by_disconnect(client);
    CHECK_READABLE(client);
    expect_event(client, "echo", "[1]");
    CHECK_READABLE(client);
    CHECK_STATUS(SIO_E_DISCONNECTED, client, sio_client_receive(client, 0, &message));
    /* Results are not part of the connection. */
    CHECK_READABLE(client);
    EXPECT_RESULT(client, 1, SIO_E_DISCONNECTED);
    CHECK_QUIET(client);
    sio_client_free(client);
}

static void a_connect_that_failed_is_an_end_too(void)
{
    char url[60];
    int fd = silent_server(url, sizeof url);
    sio_client *client = sio_client_new();

    CHECK_STATUS(SIO_E_UNREACHABLE, client, sio_client_connect(client, nobody(), 10000));
    at_the_end_until_a_receive_has_said_so(client);
    CHECK_STATUS(SIO_E_TIMEOUT, client, sio_client_connect(client, url, 100));
    at_the_end_until_a_receive_has_said_so(client);
    CHECK_OK(client, sio_client_connect_start(client, nobody(), 10000, 1));
    EXPECT_RESULT(client, 1, SIO_E_UNREACHABLE);
    at_the_end_until_a_receive_has_said_so(client);
    CHECK_OK(client, sio_client_connect_start(client, url, SIO_FOREVER, 2));
    CHECK_QUIET(client);
    CHECK_OK(client, sio_client_cancel(client, 2));
    EXPECT_RESULT(client, 2, SIO_E_INTERRUPTED);
    at_the_end_until_a_receive_has_said_so(client);
    sio_client_free(client);
    close(fd);
}

static void the_next_connect_takes_the_end_back_and_leaves_results(void)
{
    sio_client *client = quiet_client(server());

    CHECK_OK(client, emit(client, "echo", "[1]"));
    CHECK_OK(client, call_start(client, "echo_ack", "[2]", 10000, 1));
    round_trip(client);
    by_disconnect(client);
    CHECK_OK(client, sio_client_connect(client, argument(2), 10000));
    /* The event was dropped, the end is none; the result is there. */
    CHECK_READABLE(client);
    EXPECT_ANSWER(client, 1, "[2]");
    CHECK_QUIET(client);
    sio_client_free(client);
}

/* So many events wait, and so many results; some are taken: at each moment it is readable if any is left. */
static void it_is_readable_if_and_only_if_something_waits(void)
{
    sio_client *client = quiet_client(server());
    unsigned int random = 12345;
    int events = 0, results = 0, step;

    for (step = 0; step < few_or_many(150, 3000); step++) {
        uint64_t tag;
        int status;
        sio_message *message;

        switch (random = random * 1664525 + 1013904223, random >> 29) {
        case 0:
            CHECK_OK(client, emit(client, "echo", NULL));
            round_trip(client);
            events++;
            break;
        case 1:
            CHECK_OK(client, call_start(client, "echo_ack", NULL, 20000, 1));
            round_trip(client);
            results++;
            break;
        case 2: case 3: case 4:
            CHECK_INT(events > 0 ? SIO_OK : SIO_E_TIMEOUT, sio_client_receive(client, 0, &message));
            sio_message_free(message);
            if (events > 0) events--;
            break;
        default:
            CHECK_INT(results > 0 ? SIO_OK : SIO_E_TIMEOUT,
                      sio_client_result(client, 0, &tag, &status, NULL));
            if (results > 0) results--;
        }
        /* It may become so a moment after the queue is filled, but never be so beside empty queues. */
        CHECK_INT(events + results > 0, readable(client, events + results > 0 ? 20000 : 0));
    }
    sio_client_free(client);
}

/* What a call has told is what the descriptor says when it returns, whoever has caused it. */
static void when_a_call_returns_the_descriptor_agrees(void)
{
    const char *url = nobody();
    sio_client *client = websocket_client();
    int round;

    for (round = 0; round < few_or_many(20, 300); round++) {
        sio_message *message;

        CHECK_OK(client, sio_client_connect_start(client, url, 20000, 1));
        EXPECT_RESULT(client, 1, SIO_E_UNREACHABLE);
        CHECK_INT(1, readable(client, 0));
        CHECK_STATUS(SIO_E_DISCONNECTED, client, sio_client_receive(client, 0, &message));
        CHECK_INT(0, readable(client, 0));
        CHECK_STATUS(SIO_E_UNREACHABLE, client, sio_client_connect(client, url, 20000));
        CHECK_INT(1, readable(client, 0));
    }
    CHECK_OK(client, sio_client_connect(client, argument(2), 20000));
    CHECK_INT(0, readable(client, 0));
    CHECK_STATUS(SIO_E_TIMEOUT, client, sio_client_disconnect(client, 0));
    CHECK_INT(1, readable(client, 0));
    sio_client_free(client);
}

/* ---- several threads ---- */

static volatile int taken, is_over;

static void *poll_and_take(void *argument)
{
    sio_client *client = argument;
    while (!is_over) {
        uint64_t tag;
        int status;
        sio_message *message;

        if (!readable(client, 20)) continue;
        while (sio_client_receive(client, 0, &message) == SIO_OK) {
            sio_message_free(message);
            __sync_fetch_and_add(&taken, 1);
        }
        while (sio_client_result(client, 0, &tag, &status, NULL) == SIO_OK) {
            CHECK_INT(SIO_OK, status);
            __sync_fetch_and_add(&taken, 1);
        }
    }
    return NULL;
}

static void several_threads_lose_nothing_and_leave_it_quiet(void)
{
    int round, count = few_or_many(50, 2000);

    for (round = 0; round < few_or_many(2, 10); round++) {
        sio_client *client = quiet_client(argument(4));
        long long end = now_ms() + 50000;
        pthread_t takers[4];
        int i;

        taken = is_over = 0;
        for (i = 0; i < 4; i++) takers[i] = start(poll_and_take, client);
        for (i = 0; i < count; i++) {
            CHECK_OK(client, emit(client, "echo", "[1]"));
            CHECK_OK(client, call_start(client, "echo_ack", "[2]", 30000, (uint64_t)i));
        }
        while (taken < 2 * count && now_ms() < end) sleep_ms(1);
        CHECK_INT(2 * count, taken);
        is_over = 1;
        for (i = 0; i < 4; i++) finish(takers[i]);
        CHECK_QUIET(client);
        CHECK_OK(client, emit(client, "echo", "[1]"));
        CHECK_READABLE(client);
        sio_client_free(client);
    }
}

/* ---- many ---- */

static void many_events_pass_an_epoll_loop_without_a_lost_or_needless_wake_up(void)
{
    int count = few_or_many(20000, 1000000), received = 0, wakes = 0, needless = 0, done = 0;
    sio_client *client = quiet_client(argument(4));
    int epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event;
    char args[60];

    memset(&event, 0, sizeof event);
    event.events = EPOLLIN;
    CHECK_INT(0, epoll_ctl(epoll, EPOLL_CTL_ADD, sio_client_fd(client), &event));
    snprintf(args, sizeof args, "[%d,1,false]", count);
    CHECK_OK(client, emit(client, "flood", args));
    while (!done) {
        int before = received, status;
        sio_message *message;

        /* One that was lost would be waited for here. */
        CHECK_INT(1, epoll_wait(epoll, &event, 1, 20000));
        wakes++;
        while ((status = sio_client_receive(client, 0, &message)) == SIO_OK) {
            done = strcmp(sio_message_event(message, NULL), "flood_done") == 0;
            received++;
            sio_message_free(message);
        }
        CHECK_STATUS(SIO_E_TIMEOUT, client, status);
        if (received == before) needless++;
    }
    CHECK_INT(count + 1, received);
    CHECK_INT(0, needless);
    CHECK(wakes <= received);
    CHECK_INT(0, epoll_wait(epoll, &event, 1, 50));
    close(epoll);
    sio_client_free(client);
}

/* An answer starts the next call, so that each wake-up is for one thing. */
static void many_calls_one_after_another_need_a_wake_up_each(void)
{
    int count = few_or_many(500, 20000), i;
    sio_client *client = quiet_client(argument(4));
    uint64_t tag;
    int status;

    for (i = 0; i < count; i++) {
        CHECK_OK(client, call_start(client, "echo_ack", NULL, 20000, (uint64_t)i));
        CHECK_READABLE(client);
        CHECK_OK(client, sio_client_result(client, 0, &tag, &status, NULL));
        CHECK_OK(client, status);
        CHECK_INT(i, (long long)tag);
        CHECK_INT(0, readable(client, 0));
    }
    sio_client_free(client);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    RUN(it_keeps_its_number_whoever_asks_and_whatever_happens);
    RUN(it_is_close_on_exec);
    RUN(it_can_be_asked_for_at_any_time);
    RUN(it_is_quiet_before_the_first_connect);
    RUN(an_event_makes_it_readable_until_it_is_taken);
    RUN(a_result_makes_it_readable_until_it_is_taken);
    RUN(an_event_and_a_result_count_each);
    RUN(a_state_message_makes_it_readable_until_it_is_taken);
    RUN(nothing_else_makes_it_readable);
    RUN(it_is_readable_from_the_end_until_a_receive_has_said_so);
    RUN(what_came_before_the_end_is_taken_before_it);
    RUN(a_connect_that_failed_is_an_end_too);
    RUN(the_next_connect_takes_the_end_back_and_leaves_results);
    RUN(it_is_readable_if_and_only_if_something_waits);
    RUN(when_a_call_returns_the_descriptor_agrees);
    RUN(several_threads_lose_nothing_and_leave_it_quiet);
    RUN(many_events_pass_an_epoll_loop_without_a_lost_or_needless_wake_up);
    RUN(many_calls_one_after_another_need_a_wake_up_each);
    return 0;
}

/* A client after fork(): what the child can do with it, and that the parent is undisturbed. */
#include "check.h"

#include <sys/wait.h>
#include <valgrind/valgrind.h>

/* Ends a child that is content. What the parent's threads hold belongs to nobody here, so valgrind must
 * not look for leaks; other errors count. */
static void content(void)
{
    if (VALGRIND_COUNT_ERRORS > 0) _exit(99);
    execl("/bin/true", "true", (char *)NULL);
    _exit(98);
}

/* Runs checks in a child, which must end well within the time. */
static void in_child(void (*checks)(void))
{
    int status = 0;
    pid_t child;

    fflush(stdout);
    child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        alarm(is_slow() ? 120 : 20);
        checks();
        content();
    }
    CHECK_INT(child, waitpid(child, &status, 0));
    if (WIFSIGNALED(status)) failed(__FILE__, __LINE__, "the child", "hung, or crashed");
    CHECK_INT(0, WEXITSTATUS(status));
}

static sio_client *client;
static sio_message *question, *event;
static int before;

static void calls_are_a_wrong_state(void)
{
    sio_message *message = (sio_message *)&client;
    char buf[200];

    CHECK_INT(SIO_E_STATE, sio_client_set(client, SIO_OPT_AUTH, "{}"));
    CHECK_INT(SIO_E_STATE, sio_client_set_int(client, SIO_OPT_SEND_LIMIT, 5));
    CHECK_INT(SIO_E_STATE, sio_client_set_header(client, "A", "b"));
    CHECK_INT(SIO_E_STATE, sio_client_set_prepare(client, NULL, NULL));
    CHECK_INT(SIO_E_STATE, sio_client_set_log(client, 1, NULL, NULL));
    CHECK_INT(SIO_E_STATE, sio_client_connect(client, server(), 5000));
    CHECK_INT(SIO_E_STATE, sio_client_connect(client, NULL, 0));
    CHECK_INT(SIO_E_STATE, sio_client_flush(client, 5000));
    CHECK_INT(SIO_E_STATE, sio_client_disconnect(client, 5000));
    CHECK_INT(SIO_E_STATE, sio_client_disconnect(client, 0));
    CHECK_INT(SIO_E_STATE, sio_client_emit(client, "e", NULL, NULL, 0, 5000));
    CHECK_INT(SIO_E_STATE, sio_client_call(client, "add", "[1,2]", NULL, 0, 5000, &message));
    CHECK(message == NULL);
    message = (sio_message *)&client;
    CHECK_INT(SIO_E_STATE, sio_client_receive(client, 5000, &message));
    CHECK(message == NULL);
    CHECK_INT(SIO_E_STATE, sio_client_receive(client, 0, &message));
    CHECK_HAS("fork", error_text(client));
    CHECK_TEXT("-5", error_member(client, "/status"));
    sio_client_interrupt(client);
    CHECK_INT(SIO_STATE_DISCONNECTED, sio_client_state(client));
    CHECK_TEXT("", sio_client_transport(client));
    CHECK_INT(0, sio_client_sid(client, buf, sizeof buf));
    CHECK_INT(0, sio_client_get(client, SIO_OPT_URL, buf, sizeof buf));
    CHECK(sio_client_stats(client, buf, sizeof buf) > 0);

    CHECK_TEXT("question", sio_message_event(question, NULL));
    CHECK_TEXT("[1]", sio_message_args(question, NULL));
    CHECK_INT(0, sio_message_wants_ack(question));
    CHECK_INT(SIO_E_STATE, sio_message_ack(question, "[2]", NULL, 0));
    CHECK_TEXT("[7]", sio_message_args(event, NULL));
}

static void freeing_releases_descriptors_and_sends_nothing(void)
{
    CHECK(descriptors() > before);
    sio_message_free(question);
    sio_message_free(event);
    sio_client_free(client);
    CHECK_INT(before, descriptors());
}

static void after_calls_that_were_refused_it_can_be_freed(void)
{
    calls_are_a_wrong_state();
    freeing_releases_descriptors_and_sends_nothing();
}

static void the_child_makes_clients_of_its_own(void)
{
    sio_client *own = connected();
    sio_message *reply;

    take_welcome(own);
    CHECK_OK(own, sio_client_call(own, "add", "[20,3]", NULL, 0, 5000, &reply));
    CHECK_TEXT("[23]", sio_message_args(reply, NULL));
    sio_message_free(reply);
    CHECK_OK(own, sio_client_disconnect(own, 5000));
    sio_client_free(client);
    sio_client_free(own);
    CHECK_INT(before, descriptors());
}

static void grandchild(void)
{
    CHECK_INT(SIO_E_STATE, sio_client_flush(client, 0));
    sio_client_free(client);
}

static void a_grandchild_is_a_child_too(void)
{
    in_child(grandchild);
    calls_are_a_wrong_state();
    sio_client_free(client);
}

static void freeing_after_closing_everything_closes_nothing_else(void)
{
    int fd, open_now;
    for (fd = 3; fd < 1024; fd++) close(fd);
    for (fd = 0; fd < 30; fd++) CHECK(dup(1) >= 0);
    open_now = descriptors();
    sio_client_free(client);
    CHECK_INT(open_now, descriptors());
}

static void the_parent_is_undisturbed(void)
{
    sio_message *reply;
    CHECK_INT(SIO_STATE_CONNECTED, sio_client_state(client));
    CHECK_OK(client, sio_client_call(client, "add", "[2,3]", NULL, 0, 5000, &reply));
    CHECK_TEXT("[5]", sio_message_args(reply, NULL));
    sio_message_free(reply);
}

/* An event waits untaken; what a child frees is not taken from the parent. */
static void in_the_child(void)
{
    void (*const all[])(void) = {
        calls_are_a_wrong_state,
        freeing_releases_descriptors_and_sends_nothing,
        after_calls_that_were_refused_it_can_be_freed,
        the_child_makes_clients_of_its_own,
        a_grandchild_is_a_child_too,
        freeing_after_closing_everything_closes_nothing_else,
    };
    size_t i;

    before = descriptors();
    client = connected();
    take_welcome(client);
    CHECK_OK(client, sio_client_emit(client, "ask", "[1]", NULL, 0, 1000));
    question = next_event(client, "question");
    CHECK_OK(client, sio_client_emit(client, "echo", "[7]", NULL, 0, 1000));
    event = next_event(client, "echo");
    CHECK_OK(client, sio_client_emit(client, "echo", "[8]", NULL, 0, 1000));
    while (stat_of(client, "/receive_queued") == 0) sleep_ms(1);
    for (i = 0; i < sizeof all / sizeof *all; i++) {
        in_child(all[i]);
        the_parent_is_undisturbed();
    }
    expect_event(client, "echo", "[8]");
    CHECK_INT(1, sio_message_wants_ack(question));
    CHECK_OK(client, sio_message_ack(question, "[\"here\"]", NULL, 0));
    expect_event(client, "answer", "[\"here\"]");
    sio_message_free(question);
    sio_message_free(event);
    CHECK_OK(client, sio_client_disconnect(client, 5000));
    sio_client_free(client);
    CHECK_INT(before, descriptors());
}

static void freed_in_child(void)
{
    sio_client_free(client);
}

static void a_client_that_never_connected_can_be_freed_in_the_child(void)
{
    client = sio_client_new();
    in_child(freed_in_child);
    CHECK_OK(client, sio_client_connect(client, server(), 10000));
    in_child(freed_in_child);
    CHECK_OK(client, sio_client_disconnect(client, 5000));
    in_child(freed_in_child);
    sio_client_free(client);
}

static void free_the_messages(void)
{
    CHECK_INT(SIO_E_STATE, sio_message_ack(question, NULL, NULL, 0));
    sio_message_free(question);
}

static void messages_of_a_client_that_the_parent_has_freed_can_be_freed(void)
{
    client = connected();
    take_welcome(client);
    CHECK_OK(client, sio_client_emit(client, "ask", "[1]", NULL, 0, 1000));
    question = next_event(client, "question");
    sio_client_free(client);
    in_child(free_the_messages);
    sio_message_free(question);
}

/* Threads of the parent hold locks, and are inside calls, at the moment of the fork. */
static volatile int is_over;

static void *emitter(void *unused)
{
    while (!is_over) {
        int status = sio_client_emit(client, "no_ack", "[1]", NULL, 0, 5000);
        CHECK(status == SIO_OK);
        sio_client_stats(client, NULL, 0);
    }
    return unused;
}

static void nothing_to_free(void)
{
}

static void used_in_child(void)
{
    CHECK_INT(SIO_E_STATE, sio_client_emit(client, "e", NULL, NULL, 0, 5000));
    sio_client_free(client);
}

static void a_fork_amid_calls_of_other_threads_hangs_nobody(void)
{
    struct waiting receiving = {NULL, NULL, wait_in_receive, 0, 0, 0};
    pthread_t emitters[2], receiver;
    int i;

    is_over = 0;
    client = connected();
    take_welcome(client);
    receiving.client = client;
    begin_waiting(&receiving, &receiver);
    until_asleep(&receiving.thread);
    for (i = 0; i < 2; i++) emitters[i] = start(emitter, NULL);
    for (i = 0; i < few_or_many(4, 60); i++) in_child(i % 3 == 0 ? nothing_to_free : used_in_child);
    is_over = 1;
    for (i = 0; i < 2; i++) finish(emitters[i]);
    the_parent_is_undisturbed();
    sio_client_free(client);
    finish(receiver);
    CHECK_INT(SIO_E_DISCONNECTED, receiving.status);
}

int main(int argc, char **argv)
{
    begin(argc, argv);
    RUN(in_the_child);
    RUN(a_client_that_never_connected_can_be_freed_in_the_child);
    RUN(messages_of_a_client_that_the_parent_has_freed_can_be_freed);
    RUN(a_fork_amid_calls_of_other_threads_hangs_nobody);
    return 0;
}

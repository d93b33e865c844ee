// SPDX-License-Identifier: MIT OR Apache-2.0
//
// demo - what `make demo` runs: each thing a client does, timed, and checked before it counts. First by
// polling alone; then as by default, upgraded to websocket; then through a restart of the server.
//
//     make server                      # in another terminal, at the top of the tree
//     ./bin/demo http://localhost:5000
//
// It needs the demo server, because it checks what that server answers. Its exit status is 0 only if
// every step was seen to work.

#define _POSIX_C_SOURCE 200809L

#include <sched.h>
#include <sio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STEPS 14
#define PICTURE_BYTES 262144
// The server is away for 1.5 s when it restarts. Then the client has to be back within its largest
// delay between two attempts, and the time that one attempt may take on a busy machine.
#define RECONNECT_MIN_MS 300
#define RECONNECT_MAX_MS 1000
#define AWAY_MS 1500
#define ATTEMPT_MS 1500

static sio_client *client;
static int colours;
static int step;
static double started;
static double connected; // When connect returned.
static char sid[64];

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

static const char *colour(const char *code)
{
    return colours ? code : "";
}

static void rest(int ms)
{
    struct timespec time = {ms / 1000, ms % 1000 * 1000000L};
    nanosleep(&time, NULL);
}

// Begins a step: what comes until passed() is timed. The server says its part of the one before first.
static void begin(void)
{
    rest(50);
    step++;
    started = now_ms();
}

static void passed(const char *name, const char *what)
{
    printf("client | %s%2d/%d %-10s%s %8.3f ms  %s  %sok%s\n", colour("\033[1m"), step, STEPS,
           name, colour("\033[0m"), now_ms() - started, what, colour("\033[32m"),
           colour("\033[0m"));
}

// Ends the program: `status` is what a function returned, or SIO_OK if it was something else that
// was not as it should be.
static void failed(const char *name, int status, const char *what)
{
    char text[512] = "";
    if (status != SIO_OK)
        sio_client_error(client, text, sizeof text);
    printf("client | %2d/%d %-10s %sFAILED%s: %s", step, STEPS, name, colour("\033[1;31m"),
           colour("\033[0m"), what);
    if (status != SIO_OK)
        printf(": %s: %s: %s", sio_status_name(status), sio_status_text(status), text);
    printf("\n");
    sio_client_free(client);
    exit(1);
}

static void set(const char *option, const char *value)
{
    int status = sio_client_set(client, option, value);
    if (status != SIO_OK)
        failed("options", status, option);
}

static void set_int(const char *option, int value)
{
    int status = sio_client_set_int(client, option, value);
    if (status != SIO_OK)
        failed("options", status, option);
}

// Receives the next message and checks what it is: an event of that name, or a change of state.
static sio_message *receive(const char *name, int kind, const char *event)
{
    sio_message *message;
    int status = sio_client_receive(client, 5000, &message);
    if (status != SIO_OK)
        failed(name, status, "receive");
    if (sio_message_kind(message) != kind || strcmp(sio_message_event(message, NULL), event) != 0)
        failed(name, SIO_OK, "another message came");
    return message;
}

// Copies the string at `pointer` in the arguments.
static void text_at(const char *name, const sio_message *message, const char *pointer, char *text,
                    size_t size)
{
    const void *value;
    if (sio_message_find(message, pointer, &value, NULL) != SIO_JSON_STRING ||
        sio_json_unquote(value, text, size) >= size)
        failed(name, SIO_OK, "a text is missing in the message");
}

static long number_at(const char *name, const sio_message *message, const char *pointer)
{
    const void *value;
    if (sio_message_find(message, pointer, &value, NULL) != SIO_JSON_NUMBER)
        failed(name, SIO_OK, "a number is missing in the message");
    return strtol(value, NULL, 10);
}

static void show_line(const char *name, const char *what)
{
    printf("client |       %s%-12s%s%7.0f ms  %s\n", colour("\033[33m"), name, colour("\033[0m"),
           now_ms() - started, what);
}

// Attempts that fail are no change of state; the log tells of them. It comes from another thread.
static void show_log(void *user, int level, const char *line)
{
    (void)user, (void)level;
    show_line("log", line);
}

// Changes of state come between the events, in their order. The connection that this one tells of must
// be the one that the client has.
static void show_connected(const char *name, sio_message *message)
{
    char told[64], what[160];
    text_at(name, message, "/0/sid", told, sizeof told);
    if (sio_client_sid(client, sid, sizeof sid) == 0 || strcmp(sid, told) != 0 ||
        sio_client_state(client) != SIO_STATE_CONNECTED)
        failed(name, SIO_OK, "the session is another one");
    snprintf(what, sizeof what, "session %s, at attempt %ld", sid,
             number_at(name, message, "/0/attempts"));
    show_line("connected", what);
    sio_message_free(message);
}

// Whether it was for good.
static int show_disconnected(const char *name, sio_message *message)
{
    const void *next;
    char reason[64], what[160];
    text_at(name, message, "/0/reason", reason, sizeof reason);
    int final = sio_message_find(message, "/0/final", NULL, NULL) == SIO_JSON_TRUE;
    if (final)
        snprintf(what, sizeof what, "%s, for good", reason);
    else if (sio_message_find(message, "/0/next_ms", &next, NULL) == SIO_JSON_NUMBER)
        snprintf(what, sizeof what, "%s, next attempt in %ld ms", reason, strtol(next, NULL, 10));
    else
        failed(name, SIO_OK, "it is not told what comes next");
    show_line("disconnected", what);
    sio_message_free(message);
    return final;
}

static void connect_to(const char *name, const char *url)
{
    begin();
    int status = sio_client_connect(client, url, 5000);
    connected = now_ms();
    if (status != SIO_OK)
        failed(name, status, url);
    const char *transport = sio_client_transport(client);
    show_connected(name, receive(name, SIO_MESSAGE_CONNECTED, ""));
    char what[160];
    snprintf(what, sizeof what, "connected, by %s", transport);
    passed(name, what);
}

// The server must agree.
static void check_transport(const char *name, const char *expected)
{
    sio_message *reply;
    if (strcmp(sio_client_transport(client), expected) != 0)
        failed(name, SIO_OK, sio_client_transport(client));
    int status = sio_client_call(client, "transport", NULL, NULL, 0, 5000, &reply);
    if (status != SIO_OK)
        failed(name, status, "transport");
    char told[32];
    text_at(name, reply, "/0", told, sizeof told);
    if (strcmp(told, expected) != 0)
        failed(name, SIO_OK, told);
    sio_message_free(reply);
}

// The client upgrades in the background, from the moment when it is connected.
static void upgrade(void)
{
    step++;
    started = connected;
    char before[64], what[160];
    strcpy(before, sid);
    while (strcmp(sio_client_transport(client), "websocket") != 0) {
        if (now_ms() - started > 5000)
            failed("upgrade", SIO_OK, "still by polling");
        sched_yield();
    }
    sio_client_sid(client, sid, sizeof sid);
    if (strcmp(before, sid) != 0)
        failed("upgrade", SIO_OK, "the session is another one");
    check_transport("upgrade", "websocket");
    snprintf(what, sizeof what, "from polling to websocket, in the same session");
    passed("upgrade", what);
}

static const char me[] = "a \"C\" program \xF0\x9F\x9A\x80";

static void emit_hello(const char *name, const char *who)
{
    char quoted[96], args[112];
    if (sio_json_quote(who, quoted, sizeof quoted) >= sizeof quoted)
        failed(name, SIO_OK, "the name has no room");
    snprintf(args, sizeof args, "[%s]", quoted);
    int status = sio_client_emit(client, "hello", args, NULL, 0, 5000);
    if (status != SIO_OK)
        failed(name, status, "hello");
}

// The greeting repeats the name that was emitted: both arrived whole, quotes and emoji included.
static void receive_greeting(const char *name, const char *who)
{
    sio_message *message = receive(name, SIO_MESSAGE_EVENT, "greeting");
    char text[128], expected[128];
    text_at(name, message, "/0", text, sizeof text);
    snprintf(expected, sizeof expected, "Hello, %s!", who);
    if (strcmp(text, expected) != 0)
        failed(name, SIO_OK, text);
    sio_message_free(message);
}

static void emit(void)
{
    char what[160];
    begin();
    emit_hello("emit", me);
    snprintf(what, sizeof what, "hello from %s", me);
    passed("emit", what);
    // At once, so that its time is the way there and back.
    step++;
    receive_greeting("receive", me);
    snprintf(what, sizeof what, "greeting for %s", me);
    passed("receive", what);
}

static void call(void)
{
    begin();
    sio_message *reply;
    int status = sio_client_call(client, "add", "[2, 3]", NULL, 0, 5000, &reply);
    if (status != SIO_OK)
        failed("call", status, "add");
    if (strcmp(sio_message_args(reply, NULL), "[5]") != 0)
        failed("call", SIO_OK, sio_message_args(reply, NULL));
    char what[80];
    snprintf(what, sizeof what, "by %s, add [2, 3] is answered [5]", sio_client_transport(client));
    passed("call", what);
    sio_message_free(reply);
}

// Sends bytes and checks that they come back in reverse order.
static void binary(void)
{
    static unsigned char sent[PICTURE_BYTES];
    for (size_t i = 0; i < sizeof sent; i++)
        sent[i] = (unsigned char)(i * 31 + i / 256);
    begin();
    sio_buffer buffer = {sent, sizeof sent};
    sio_message *reply;
    int status = sio_client_call(client, "reverse", "[" SIO_PLACEHOLDER(0) "]", &buffer, 1, 10000,
                                 &reply);
    if (status != SIO_OK)
        failed("binary", status, "reverse");
    size_t len;
    const unsigned char *back = sio_message_buffer(reply, 0, &len);
    int same = sio_message_buffer_count(reply) == 1 && len == sizeof sent;
    for (size_t i = 0; same && i < len; i++)
        same = back[i] == sent[len - 1 - i];
    if (!same)
        failed("binary", SIO_OK, "other bytes came back");
    char what[80];
    snprintf(what, sizeof what, "by %s, %lu bytes there, and back in reverse",
             sio_client_transport(client), (unsigned long)len);
    passed("binary", what);
    sio_message_free(reply);
}

// Asks to be asked, answers, and is told that the answer arrived.
static void answer(void)
{
    begin();
    int status = sio_client_emit(client, "ask", NULL, NULL, 0, 5000);
    if (status != SIO_OK)
        failed("answer", status, "ask");
    sio_message *question = receive("answer", SIO_MESSAGE_EVENT, "question");
    if (!sio_message_wants_ack(question))
        failed("answer", SIO_OK, "that is no question");
    long left = number_at("answer", question, "/0"), right = number_at("answer", question, "/1");
    char args[32], text[32], what[80];
    snprintf(args, sizeof args, "[%ld]", left * right);
    status = sio_message_ack(question, args, NULL, 0);
    if (status != SIO_OK)
        failed("answer", status, args);
    sio_message_free(question);
    sio_message *verdict = receive("answer", SIO_MESSAGE_EVENT, "verdict");
    text_at("answer", verdict, "/0", text, sizeof text);
    if (strcmp(text, "right") != 0)
        failed("answer", SIO_OK, text);
    sio_message_free(verdict);
    snprintf(what, sizeof what, "asked for %ld * %ld, answered %s", left, right, args);
    passed("answer", what);
}

static const char away[] = "who emitted while nobody was there";

// Has the server restart, which cuts the connection, and lives through it: what is emitted meanwhile
// is kept, and the client comes back by itself.
static void restart(void)
{
    begin();
    char before[64], what[160];
    strcpy(before, sid);
    sio_client_set_log(client, SIO_LOG_WARN, show_log, NULL);
    int status = sio_client_emit(client, "restart", NULL, NULL, 0, 5000);
    if (status != SIO_OK)
        failed("restart", status, "emit");
    if (show_disconnected("restart", receive("restart", SIO_MESSAGE_DISCONNECTED, "")))
        failed("restart", SIO_OK, "the client gave up");
    if (sio_client_state(client) != SIO_STATE_RECONNECTING)
        failed("restart", SIO_OK, "the client does not reconnect");
    emit_hello("restart", away);
    for (;;) {
        sio_message *message;
        status = sio_client_receive(client, 10000, &message);
        if (status != SIO_OK)
            failed("restart", status, "receive");
        int kind = sio_message_kind(message);
        if (kind == SIO_MESSAGE_CONNECTED) {
            show_connected("restart", message);
            break;
        }
        if (kind != SIO_MESSAGE_DISCONNECTED)
            failed("restart", SIO_OK, "an event came before the connection");
        if (show_disconnected("restart", message))
            failed("restart", SIO_OK, "the client gave up");
    }
    sio_client_set_log(client, SIO_LOG_WARN, NULL, NULL);
    if (strcmp(before, sid) == 0)
        failed("restart", SIO_OK, "it is the old session");
    double took = now_ms() - started;
    if (took > AWAY_MS + RECONNECT_MAX_MS + ATTEMPT_MS)
        failed("restart", SIO_OK, "that took longer than its delays");
    snprintf(what, sizeof what, "the client is back, in a new session");
    passed("restart", what);

    step++;
    started = now_ms();
    receive_greeting("buffered", away);
    passed("buffered", "what was emitted meanwhile has arrived");
}

// SIO_OK from disconnect means that the server has taken everything; afterwards nothing comes.
static void disconnect(void)
{
    begin();
    int status = sio_client_disconnect(client, 5000);
    if (status != SIO_OK)
        failed("disconnect", status, "the server may not have everything");
    if (!show_disconnected("disconnect", receive("disconnect", SIO_MESSAGE_DISCONNECTED, "")))
        failed("disconnect", SIO_OK, "it is not for good");
    sio_message *message;
    if (sio_client_receive(client, 0, &message) != SIO_E_DISCONNECTED ||
        sio_client_state(client) != SIO_STATE_DISCONNECTED)
        failed("disconnect", SIO_OK, "the client is still connected");
    passed("disconnect", "the server has everything");
}

int main(int argc, char **argv)
{
    const char *url = argc > 1 ? argv[1] : "http://localhost:5000";
    colours = isatty(STDOUT_FILENO) && getenv("NO_COLOR") == NULL;
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("client | a C program with libsio %s, against %s\n", sio_version(), url);
    client = sio_client_new();
    if (client == NULL)
        return 1;
    set_int(SIO_OPT_REPORT_STATE, 1);
    set_int(SIO_OPT_RECONNECT_MIN_MS, RECONNECT_MIN_MS);
    set_int(SIO_OPT_RECONNECT_MAX_MS, RECONNECT_MAX_MS);
    set(SIO_OPT_OFFLINE, "buffer");

    set(SIO_OPT_TRANSPORTS, "polling");
    connect_to("polling", url);
    check_transport("polling", "polling");
    call();
    binary();
    disconnect();

    set(SIO_OPT_TRANSPORTS, NULL);
    connect_to("connect", url);
    upgrade();
    emit();
    call();
    binary();
    answer();

    restart();
    disconnect();
    rest(50);
    sio_client_free(client);
    printf("client | %sall %d steps were seen to work%s\n", colour("\033[1;32m"), STEPS,
           colour("\033[0m"));
    return 0;
}

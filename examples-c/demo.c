// SPDX-License-Identifier: MIT OR Apache-2.0
//
// demo - what `make demo` runs: each thing a client does, timed, and checked before it counts.
//
//     make server                      # in another terminal, at the top of the tree
//     ./bin/demo http://localhost:5000
//
// It needs the demo server, because it checks what that server answers. Its exit status is 0 only if
// every step was seen to work.

#define _POSIX_C_SOURCE 200809L

#include <sio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STEPS 7
#define PICTURE_BYTES 262144

static sio_client *client;
static int colours;
static int step;
static double started;

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

// Lets the server say its part before the client's next line.
static void rest(void)
{
    struct timespec time = {0, 50 * 1000 * 1000};
    nanosleep(&time, NULL);
}

// Begins a step: what comes until passed() is timed.
static void begin(void)
{
    step++;
    started = now_ms();
}

static void passed(const char *name, const char *what)
{
    printf("client | %s%d/%d %-10s%s %8.3f ms  %s  %sok%s\n", colour("\033[1m"), step, STEPS, name,
           colour("\033[0m"), now_ms() - started, what, colour("\033[32m"), colour("\033[0m"));
}

// Ends the program: `status` is what a function returned, or SIO_OK if it was something else that
// was not as it should be.
static void failed(const char *name, int status, const char *what)
{
    char text[512] = "";
    if (status != SIO_OK)
        sio_client_error(client, text, sizeof text);
    printf("client | %d/%d %-10s %sFAILED%s: %s", step, STEPS, name, colour("\033[1;31m"),
           colour("\033[0m"), what);
    if (status != SIO_OK)
        printf(": %s: %s: %s", sio_status_name(status), sio_status_text(status), text);
    printf("\n");
    sio_client_free(client);
    exit(1);
}

// Receives the next event and checks its name.
static sio_message *receive(const char *name, const char *event)
{
    sio_message *message;
    int status = sio_client_receive(client, 5000, &message);
    if (status != SIO_OK)
        failed(name, status, "receive");
    if (strcmp(sio_message_event(message, NULL), event) != 0)
        failed(name, SIO_OK, "another event came");
    return message;
}

// Copies the string at `pointer` in the arguments.
static void text_at(const char *name, const sio_message *message, const char *pointer, char *text,
                    size_t size)
{
    const void *value;
    if (sio_message_find(message, pointer, &value, NULL) != SIO_JSON_STRING ||
        sio_json_unquote(value, text, size) >= size)
        failed(name, SIO_OK, "the event has no text");
}

static void connect_to(const char *url)
{
    begin();
    int status = sio_client_connect(client, url, 5000);
    if (status != SIO_OK)
        failed("connect", status, url);
    char sid[64], what[160];
    if (sio_client_sid(client, sid, sizeof sid) == 0 ||
        sio_client_state(client) != SIO_STATE_CONNECTED)
        failed("connect", SIO_OK, "no session");
    snprintf(what, sizeof what, "by %s, session %s", sio_client_transport(client), sid);
    passed("connect", what);
}

static const char me[] = "a \"C\" program \xF0\x9F\x9A\x80";

static void emit(void)
{
    begin();
    char name[64], args[80];
    if (sio_json_quote(me, name, sizeof name) >= sizeof name)
        failed("emit", SIO_OK, "the name has no room");
    snprintf(args, sizeof args, "[%s]", name);
    int status = sio_client_emit(client, "hello", args, NULL, 0, 5000);
    if (status != SIO_OK)
        failed("emit", status, "hello");
    char what[160];
    snprintf(what, sizeof what, "hello %s", args);
    passed("emit", what);
}

// The greeting repeats the name that was emitted: both arrived whole, quotes and emoji included.
static void receive_event(void)
{
    begin();
    sio_message *message = receive("receive", "greeting");
    char text[128], expected[128], what[200];
    text_at("receive", message, "/0", text, sizeof text);
    snprintf(expected, sizeof expected, "Hello, %s!", me);
    if (strcmp(text, expected) != 0)
        failed("receive", SIO_OK, text);
    snprintf(what, sizeof what, "greeting %s", sio_message_args(message, NULL));
    passed("receive", what);
    sio_message_free(message);
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
    passed("call", "add [2, 3] is answered [5]");
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
    snprintf(what, sizeof what, "%lu bytes there, and back in reverse", (unsigned long)len);
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
    sio_message *question = receive("answer", "question");
    const void *a, *b;
    if (!sio_message_wants_ack(question) ||
        sio_message_find(question, "/0", &a, NULL) != SIO_JSON_NUMBER ||
        sio_message_find(question, "/1", &b, NULL) != SIO_JSON_NUMBER)
        failed("answer", SIO_OK, "that is no question");
    long left = strtol(a, NULL, 10), right = strtol(b, NULL, 10);
    char args[32], text[32], what[80];
    snprintf(args, sizeof args, "[%ld]", left * right);
    status = sio_message_ack(question, args, NULL, 0);
    if (status != SIO_OK)
        failed("answer", status, args);
    sio_message_free(question);
    sio_message *verdict = receive("answer", "verdict");
    text_at("answer", verdict, "/0", text, sizeof text);
    if (strcmp(text, "right") != 0)
        failed("answer", SIO_OK, text);
    sio_message_free(verdict);
    snprintf(what, sizeof what, "asked for %ld * %ld, answered %s", left, right, args);
    passed("answer", what);
}

// SIO_OK from disconnect means that the server has taken everything; afterwards nothing comes.
static void disconnect(void)
{
    begin();
    int status = sio_client_disconnect(client, 5000);
    if (status != SIO_OK)
        failed("disconnect", status, "the server may not have everything");
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
    connect_to(url);
    rest();
    emit();
    receive_event(); // At once, so that its time is the way there and back.
    rest();
    call();
    rest();
    binary();
    rest();
    answer();
    rest();
    disconnect();
    rest();
    sio_client_free(client);
    printf("client | %sall %d steps were seen to work%s\n", colour("\033[1;32m"), STEPS,
           colour("\033[0m"));
    return 0;
}

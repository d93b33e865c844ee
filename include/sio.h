// SPDX-License-Identifier: MIT OR Apache-2.0
//
// sio.h - a Socket.IO client for C, and for every language that can call C.
//
//     sio_client *client = sio_client_new();
//     sio_message *reply;
//     if (sio_client_connect(client, "http://localhost:5000", 5000) == SIO_OK &&
//         sio_client_call(client, "add", "[2, 3]", NULL, 0, 5000, &reply) == SIO_OK) {
//         puts(sio_message_args(reply, NULL));                     // [5]
//         sio_message_free(reply);
//     }
//     sio_client_free(client);
//
// Six rules hold for every function.
//
// Names      A function whose name starts with sio_client_ or sio_message_ acts
//            on the object that is its first argument. Inputs follow, then the
//            timeout, then outputs.
// Status     A function that can fail returns an int: SIO_OK, or a negative
//            sio_status. sio_client_error() tells more about the last failure.
//            Arguments are checked before anything else. A NULL object is never
//            a crash: SIO_E_INVALID, or where a function returns no status, empty
//            text, length 0, NULL data, SIO_JSON_NONE.
// Waiting    A function waits only if it has an argument `timeout_ms`: at most
//            so many milliseconds, 0 for not at all, SIO_FOREVER for no limit;
//            any other negative value is SIO_E_INVALID. The timeout covers all
//            that the function does. No other function waits for the network.
// Text       All text is UTF-8 and ends in NUL. Data is JSON text, in which
//            SIO_PLACEHOLDER(n) stands where the n-th byte buffer belongs.
// Memory     What is passed in is copied before the call returns. Two things
//            are given out and must be freed: a client and a message. A pointer
//            got from a message lives as long as the message, and a message may
//            outlive its client. Output pointers are set to NULL first.
// Threads    Any function may be called from any thread at any time; no call on
//            an object may begin after freeing it has. One thread can receive
//            while others emit, and any can interrupt.
//
// Three callbacks exist (prepare, log, wakeup). None is needed for anything, and
// none carries data. They run on a thread of the library, or inside the call
// that caused them, and never while a lock is held: any function may be called
// inside, but one that would have to wait returns SIO_E_STATE there.
//
// A client belongs to the process that made it. After fork() its calls return
// SIO_E_STATE in the child, and freeing it or its messages there releases memory
// and descriptors and sends nothing. The child may make new clients.
//
// With SIO_LOG=error, warn, info or debug in the environment every client writes
// its log to stderr, for programs that cannot take a callback.


#ifndef SIO_H
#define SIO_H

#include <stddef.h>
#include <stdint.h>

#define SIO_VERSION_MAJOR 0
#define SIO_VERSION_MINOR 1
#define SIO_VERSION_PATCH 0
#define SIO_VERSION "0.1.0"

/// 0xMMmmpp, the version of this header. sio_version_number() gives the library's.
#define SIO_VERSION_NUMBER \
    (SIO_VERSION_MAJOR << 16 | SIO_VERSION_MINOR << 8 | SIO_VERSION_PATCH)

/// Define SIO_STATIC on Windows when linking the static library.
#if defined(_WIN32) && !defined(SIO_STATIC)
#define SIO_API __declspec(dllimport)
#else
#define SIO_API
#endif

/// As `timeout_ms`: wait without limit.
#define SIO_FOREVER (-1)

/// Stands in JSON text where byte buffer n (a literal number) belongs:
/// "[\"photo.png\", " SIO_PLACEHOLDER(0) "]". Languages without macros write it
/// out: {"_placeholder":true,"num":0}.
#define SIO_PLACEHOLDER(n) SIO_PLACEHOLDER_(n)
#define SIO_PLACEHOLDER_(n) "{\"_placeholder\":true,\"num\":" #n "}"

// Options for sio_client_set() and sio_client_set_int(). What the table marks as
// "not yet" is SIO_E_UNSUPPORTED in this version, never silently ignored.
//
//     option                              value             default
#define SIO_OPT_URL                 "url"                 // URL      what connect was given
#define SIO_OPT_NAMESPACE           "namespace"           // text     "/"
#define SIO_OPT_PATH                "path"                // text     "socket.io"
#define SIO_OPT_AUTH                "auth"                // JSON     none; by the protocol an object
#define SIO_OPT_TRANSPORTS          "transports"          // list     "polling,websocket", or one alone, or the other way round
#define SIO_OPT_ATTEMPT_TIMEOUT_MS  "attempt_timeout_ms"  // ms       20000, one attempt, from name lookup to namespace; 1 to 86400000
#define SIO_OPT_REQUEST_TIMEOUT_MS  "request_timeout_ms"  // ms       5000, each HTTP request but the long poll; 1 to 86400000
#define SIO_OPT_RETRY_CONNECT       "retry_connect"       // 0 or 1   0, the first failure ends connect
#define SIO_OPT_RECONNECTION        "reconnection"        // 0 or 1   1
#define SIO_OPT_RECONNECT_ATTEMPTS  "reconnect_attempts"  // count    0, no limit; 0 to 1000000000
#define SIO_OPT_RECONNECT_MIN_MS    "reconnect_min_ms"    // ms       1000; 1 to 86400000
#define SIO_OPT_RECONNECT_MAX_MS    "reconnect_max_ms"    // ms       5000; 1 to 86400000
#define SIO_OPT_RECONNECT_JITTER    "reconnect_jitter"    // percent  50; 0 to 100
#define SIO_OPT_RETRY_REFUSED       "retry_refused"       // 0 or 1   0, a refused reconnection is final
#define SIO_OPT_OFFLINE             "offline"             // word     "wait", or "buffer" or "fail"
#define SIO_OPT_SEND_LIMIT          "send_limit"          // bytes    67108864; 1 to 1099511627776
#define SIO_OPT_RECEIVE_LIMIT       "receive_limit"       // bytes    67108864; 0 to 1099511627776
#define SIO_OPT_RECEIVE_OVERFLOW    "receive_overflow"    // word     "pause", or "drop_oldest" or "drop_newest"
#define SIO_OPT_MAX_MESSAGE_BYTES   "max_message_bytes"   // bytes    104857600, one packet with its attachments; 1 to 4294967295
#define SIO_OPT_MAX_ATTACHMENTS     "max_attachments"     // count    1024; 1 to 1048576
#define SIO_OPT_ENFORCE_MAX_PAYLOAD "enforce_max_payload" // 0 or 1   1; 0: by websocket ignore the server's limit
#define SIO_OPT_ACK_UNANSWERED      "ack_unanswered"      // 0 or 1   1, an event freed unanswered is answered with []
#define SIO_OPT_TLS_VERIFY          "tls_verify"          // 0 or 1   1; 0: any certificate is taken
#define SIO_OPT_TLS_CA_FILE         "tls_ca_file"         // path     the system's; PEM, in its place
#define SIO_OPT_TLS_CERT_FILE       "tls_cert_file"       // path     none; PEM, the client's certificate
#define SIO_OPT_TLS_KEY_FILE        "tls_key_file"        // path     none; PEM, the key to that
#define SIO_OPT_PROXY               "proxy"               // URL      not yet: SIO_E_UNSUPPORTED
#define SIO_OPT_COOKIES             "cookies"             // 0 or 1   1, keep what the server sets
#define SIO_OPT_REPORT_STATE        "report_state"        // 0 or 1   0
#define SIO_OPT_REPORT_ATTEMPTS     "report_attempts"     // 0 or 1   0

// Levels for sio_client_set_log().
#define SIO_LOG_ERROR 1
#define SIO_LOG_WARN 2
#define SIO_LOG_INFO 3
#define SIO_LOG_DEBUG 4


/// What a function that returns `int` answers. Zero is success; every other
/// value is negative. A value never changes its meaning; new ones may be added,
/// so treat a value you do not know as a failure.
///
/// TIMEOUT and INTERRUPTED of emit, call, flush, receive and result are outcomes
/// rather than faults: they leave the text of sio_client_error() as it was. Every
/// other failure sets it.
typedef enum {
    /// Success.
    SIO_OK = 0,
    /// The time allowed ran out; with a timeout of 0: not ready yet.
    SIO_E_TIMEOUT = -1,
    /// sio_client_interrupt() ended the wait.
    SIO_E_INTERRUPTED = -2,
    /// The connection that this needed is not there, or was lost before the
    /// answer came. From sio_client_receive() it is for good; after any other
    /// call ask sio_client_state(). The text says why the connection ended.
    SIO_E_DISCONNECTED = -3,
    /// An argument is NULL, not UTF-8, not JSON, or out of range; the text names
    /// it, and for text the byte, counted from 0.
    SIO_E_INVALID = -4,
    /// Not allowed now: connecting twice, answering twice, waiting inside a
    /// callback, use after fork().
    SIO_E_STATE = -5,
    /// The server could not be reached: name lookup, TCP, or an HTTP status
    /// other than success. Also a prepare function that did not return 0.
    SIO_E_UNREACHABLE = -6,
    /// The TLS handshake failed, or the server's certificate is not trusted.
    SIO_E_TLS = -7,
    /// The server refused the namespace; sio_client_error_json() has what it sent.
    SIO_E_REFUSED = -8,
    /// The server broke the Engine.IO or Socket.IO protocol.
    SIO_E_PROTOCOL = -9,
    /// A message is larger than the server's limit, or than the
    /// "max_message_bytes" option.
    SIO_E_TOO_LARGE = -10,
    /// The operating system refused a thread, a descriptor or a socket.
    SIO_E_SYSTEM = -11,
    /// Not available: no such option in this version of the library, something
    /// that the option asks for and this version lacks, or no such thing on this
    /// platform.
    SIO_E_UNSUPPORTED = -12,
    /// A defect in the library; the client is disconnected. Please report it.
    SIO_E_INTERNAL = -13,
    /// The receive queue is full and reading is paused, so the answer could not
    /// arrive in time: receive what is waiting. See the "receive_overflow" option.
    SIO_E_FULL = -14,
} sio_status;

/// What sio_client_state() answers.
typedef enum {
    /// Never connected, disconnected for good, or gave up reconnecting.
    SIO_STATE_DISCONNECTED = 0,
    /// The first connection is being made.
    SIO_STATE_CONNECTING = 1,
    /// Connected: events flow.
    SIO_STATE_CONNECTED = 2,
    /// The connection was lost and is being made again.
    SIO_STATE_RECONNECTING = 3,
    /// A disconnect is sending what was emitted and taking leave.
    SIO_STATE_CLOSING = 4,
} sio_state;

/// What sio_message_kind() answers.
typedef enum {
    /// An event that the server sent.
    SIO_MESSAGE_EVENT = 0,
    /// The server's answer to a call.
    SIO_MESSAGE_REPLY = 1,
    /// The namespace is connected, for the first time or again. Its one argument
    /// is an object: "sid"; "recovered", which is false; "attempts", how many it
    /// took. Only with the option "report_state".
    SIO_MESSAGE_CONNECTED = 2,
    /// The connection ended, or the reconnection that followed was given up. Its
    /// one argument is an object: "reason", one of "io server disconnect",
    /// "io client disconnect", "ping timeout", "transport close",
    /// "transport error", "parse error"; "final", true if no reconnection follows;
    /// "text", what happened, in English; "next_ms", the time until the next
    /// attempt, null if "final". Only with the option "report_state".
    SIO_MESSAGE_DISCONNECTED = 3,
    /// A connection attempt is due and starts when this message is answered or
    /// freed: set options and headers before. Its one argument is an object:
    /// "attempt", counted from 1 for each connect and each connection that was
    /// lost. The time that this takes counts for the attempt; one whose time is
    /// over is over, and its message does nothing any more. The form of
    /// sio_client_set_prepare() for programs that cannot take a callback, and before
    /// that function if both are used. Only with the option "report_attempts".
    SIO_MESSAGE_ATTEMPT = 4,
} sio_message_type;

/// What a JSON value is. SIO_JSON_NONE: nothing is there, or the text is no JSON.
typedef enum {
    SIO_JSON_NONE = 0,
    SIO_JSON_NULL = 1,
    SIO_JSON_FALSE = 2,
    SIO_JSON_TRUE = 3,
    SIO_JSON_NUMBER = 4,
    SIO_JSON_STRING = 5,
    SIO_JSON_ARRAY = 6,
    SIO_JSON_OBJECT = 7,
    /// A byte buffer; only sio_message_find() answers this.
    SIO_JSON_BUFFER = 8,
} sio_json_type;

/// A client: one connection to one namespace of one server.
typedef struct sio_client sio_client;

/// An event from the server, the answer to a call, or what became of the
/// connection. Every pointer got from it is valid until sio_message_free(); any
/// number of threads may read it.
typedef struct sio_message sio_message;

/// Called before a connection attempt. Returns 0 to go on.
typedef int (*sio_prepare_fn)(void *user, sio_client *client);

/// Receives one line of the log. `line` is valid during the call only.
typedef void (*sio_log_fn)(void *user, int level, const char *line);

/// Called when something is ready to be taken from the client.
typedef void (*sio_wakeup_fn)(void *user);

/// Bytes that the caller owns. `data` may be NULL if `len` is 0.
typedef struct {
    const void *data;
    size_t len;
} sio_buffer;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/// The library's version, "1.2.3". Never NULL, never freed.
SIO_API const char *sio_version(void);

/// The library's version as a number, made like SIO_VERSION_NUMBER. A program
/// that compares the two learns whether the library it runs with is older than
/// the header it was built with.
SIO_API uint32_t sio_version_number(void);

/// The name of a status, such as "SIO_E_TIMEOUT", or "unknown". Never NULL, never
/// freed.
SIO_API const char *sio_status_name(int status);

/// A short English text for a status, such as "the time allowed ran out".
/// Never NULL, never freed. sio_client_error() tells more about one failure.
SIO_API const char *sio_status_text(int status);

/// A new client with every option at its default, or NULL if memory ran out.
/// Makes no connection and starts no thread. Free it with sio_client_free().
SIO_API sio_client *sio_client_new(void);

/// Frees a client: closes its connection without waiting for the server, sends
/// nothing more, and ends its threads. Calls that other threads have under way
/// return SIO_E_DISCONNECTED before this returns; none may begin after. Results
/// not yet taken are dropped; messages stay valid. Takes at most 100 ms, and the
/// time of a callback that is running; inside a callback it takes effect when
/// those of this client have returned. NULL is allowed.
SIO_API void sio_client_free(sio_client *client);

/// Sets an option from text. The table of options at the top of this file gives
/// each one's name, form and default. The text is copied; NULL restores the
/// default. A connection attempt reads all options and headers once, as it
/// begins, so a value counts from the next attempt on, an automatic reconnection
/// included: a token can be renewed while connected.
///
/// A file that is named is not read here but by each attempt that needs it.
/// SIO_E_UNSUPPORTED: this version has no such option, or lacks what the value
/// asks for. SIO_E_INVALID: the value does not fit the option.
SIO_API
int sio_client_set(sio_client *client,
                   const char *option,
                   const char *value);

/// Sets a numeric or on/off option; the same as sio_client_set() with the
/// number written in decimal.
SIO_API
int sio_client_set_int(sio_client *client,
                       const char *option,
                       int64_t value);

/// Copies an option's value as text; empty if it has none or does not exist.
/// Writes and returns like sio_client_sid().
SIO_API
size_t sio_client_get(const sio_client *client,
                      const char *option,
                      char *buf,
                      size_t size);

/// Sets an HTTP header for every request of the connection attempts that follow,
/// in place of an earlier one of that name; letter case does not matter. A NULL
/// value removes it, a NULL name removes all.
SIO_API
int sio_client_set_header(sio_client *client,
                          const char *name,
                          const char *value);

/// Calls a function before every connection attempt, the first one and each
/// reconnection, so that it can renew the URL, a header or the auth data with
/// sio_client_set() and sio_client_set_header(). Anything but 0 from it is a
/// failed attempt: SIO_E_UNREACHABLE, phase "prepare". NULL removes it.
///
/// It runs on a thread of the library, never twice at once for one client, and
/// may take its time: connect, disconnect and interrupt do not wait for it, and
/// what it sets after its connect has timed out counts for the next attempt,
/// which waits for it to return. Its time counts for the attempt, see
/// "attempt_timeout_ms". `user` and `client` are passed to it, and `user` has to
/// stay valid until it is removed.
///
/// Only sio_client_free() and this function wait for it to return: when this
/// call returns, the previous function is no longer running and will not be
/// called again; inside that function itself this holds from its return on.
/// SIO_E_STATE: the previous function is running on another thread, and this is
/// called inside a callback, where it cannot be waited for.
SIO_API
int sio_client_set_prepare(sio_client *client,
                           sio_prepare_fn function,
                           void *user);

/// Sends the client's log to a function: lines of `level` and more severe, see
/// SIO_LOG_ERROR and its neighbours. A NULL function turns the log off; `level`
/// does not matter then. The function is called once at a time and should return
/// soon. When this call returns, the previous function is no longer running and
/// will not be called again; inside that function itself this holds from its
/// return on. Auth data, cookies and credentials are never in the log.
///
/// SIO_E_STATE: the previous function is running on another thread, and this is
/// called inside a callback, where it cannot be waited for.
SIO_API
int sio_client_set_log(sio_client *client,
                       int level,
                       sio_log_fn function,
                       void *user);

/// Connects: Engine.IO handshake, then the namespace; the upgrade from polling to
/// websocket follows in the background. `url` is "http://host:port", "https://...",
/// "ws://..." or "wss://..."; ws means http and wss https. A query string in it
/// goes to the server with every request, "user:password@" before the host becomes
/// an Authorization header. It is set as the option "url"; NULL uses what that
/// option has.
///
/// The transports are those of the option "transports". The second of them is
/// tried when the server answered and would not have the first, not when it
/// cannot be reached. The first failure of all ends connect, unless
/// "retry_connect" is set. Later a connection that is lost is made again, as the
/// options "reconnection" and "reconnect_..." say.
///
/// Events left over from an earlier connection are dropped. Returns SIO_OK once
/// the namespace is connected. On any other status no connection is left behind
/// and another connect may be tried. A timeout's text says which step was under
/// way. SIO_E_STATE: the client is connected, connecting or reconnecting already.
SIO_API
int sio_client_connect(sio_client *client,
                       const char *url,
                       int timeout_ms);

/// Waits until everything emitted so far has been handed to the operating
/// system, in order, started emits that still wait included. It does not tell
/// whether the server has it. SIO_E_DISCONNECTED: a part of it was lost with a
/// connection.
SIO_API int sio_client_flush(sio_client *client, int timeout_ms);

/// Sends what was emitted, leaves the namespace, closes the connection. SIO_OK
/// means that the server has taken everything: it answered a ping, or the last
/// request, that followed it. SIO_E_TIMEOUT means that this is not known, always
/// with a timeout of 0 and something just sent; the connection is closed in any
/// case. Events that arrived before can still be received.
///
/// Final from any state, a reconnection under way included: all waiting calls
/// return. Disconnecting a client that is not connected is SIO_OK.
SIO_API int sio_client_disconnect(sio_client *client, int timeout_ms);

/// Emits an event. Returns once the event is queued for sending; it does not
/// tell whether the server received it, which sio_client_call() does.
///
/// `event` may be empty; the names connect, connect_error, disconnect,
/// disconnecting, newListener and removeListener are reserved: SIO_E_INVALID.
/// `args` is a JSON array with the event's arguments, or NULL for none. Binary
/// arguments stand in it as SIO_PLACEHOLDER(0), SIO_PLACEHOLDER(1), ... and
/// their bytes in `buffers`, in that order; each buffer is used exactly once.
/// With a count of 0 nothing is a placeholder. Numbers and text reach the server
/// byte for byte. Everything is copied before the call returns.
///
/// Waits, at most `timeout_ms`, while the send queue is full or the client is
/// connecting or reconnecting; the "offline" option can have it queued or refused
/// instead. With any status but SIO_OK nothing is sent. An event over the limit
/// that the server announced is SIO_E_TOO_LARGE.
SIO_API
int sio_client_emit(sio_client *client,
                    const char *event,
                    const char *args,
                    const sio_buffer *buffers,
                    size_t count,
                    int timeout_ms);

/// Emits an event and waits for the server's acknowledgement. On SIO_OK `*reply`
/// is a message to free with sio_message_free(); otherwise it is NULL. `reply`
/// may be NULL. After SIO_E_TIMEOUT the server may have acted on the event all
/// the same: its late answer is dropped. A call is never sent twice: if the
/// connection is lost while it waits, it ends with SIO_E_DISCONNECTED, and
/// "sent" in sio_client_error_json() tells whether it had gone out. With a
/// timeout of 0 nothing is sent.
SIO_API
int sio_client_call(sio_client *client,
                    const char *event,
                    const char *args,
                    const sio_buffer *buffers,
                    size_t count,
                    int timeout_ms,
                    sio_message **reply);

/// Takes the oldest event that the server sent. On SIO_OK `*message` is a
/// message to free with sio_message_free(); otherwise it is NULL. What arrived
/// before a disconnection is handed out before SIO_E_DISCONNECTED is returned.
/// While the client reconnects the call waits on, and so it does before the first
/// connect: a receiving thread may be started early. With "report_state" what
/// becomes of the connection comes in between, see sio_message_kind().
SIO_API
int sio_client_receive(sio_client *client,
                       int timeout_ms,
                       sio_message **message);

/// Ends the waits of other threads: every call blocked on this client now
/// returns SIO_E_INTERRUPTED; started operations go on. If none is blocked, the
/// next call that would block returns it instead, once, however often this was
/// called; a call that need not wait does not use it up. An interrupted connect
/// or disconnect leaves no connection, an interrupted emit was not queued. May be
/// called from a signal handler; keeps errno.
SIO_API void sio_client_interrupt(sio_client *client);

/// The client's state, a `sio_state`; SIO_E_INVALID for NULL. It may change before
/// the caller sees it.
SIO_API int sio_client_state(const sio_client *client);

/// The transport in use: "polling", "websocket", or "" when not connected.
/// Never NULL, never freed.
SIO_API const char *sio_client_transport(const sio_client *client);

/// Copies the session id that the server gave to this connection; it changes
/// with every reconnection. Empty when not connected. Writes at most `size`
/// bytes, the NUL included, cut at a character, and returns the length of the
/// whole text, like snprintf(); `buf` may be NULL if `size` is 0.
SIO_API size_t sio_client_sid(const sio_client *client, char *buf, size_t size);

/// Copies the text of the client's last failure: what was wrong, in English,
/// for a log or a person. Empty if nothing failed yet. When several threads use
/// the client the text may be of another thread's failure; the status that a
/// call returned is always its own. Writes and returns like sio_client_sid().
SIO_API size_t sio_client_error(const sio_client *client, char *buf, size_t size);

/// Copies the same failure as a JSON object: "status", "name" and "text" always,
/// and where they are known "phase" (one of "prepare", "resolve", "connect",
/// "tls", "http", "handshake", "upgrade", "namespace", "session"), "attempt",
/// "sent", "http_status", "http_body" (its first 1024 characters), "close_code",
/// "os_error", and what the server said when it refused: "message" and "data".
/// Writes and returns like sio_client_sid().
SIO_API
size_t sio_client_error_json(const sio_client *client,
                             char *buf,
                             size_t size);

/// Copies a snapshot of the client's counters as a JSON object. Times are in
/// milliseconds, sizes in bytes, counts since the client was made: "state",
/// "transport", "sid", "engine_sid", "connected_ms", "rtt_ms" (of the last call),
/// "packets_sent", "packets_received", "bytes_sent", "bytes_received",
/// "send_queued", "send_queued_bytes", "send_queued_bytes_max", "receive_queued",
/// "receive_queued_bytes", "receive_queued_bytes_max", "calls_waiting",
/// "dropped_sent", "dropped_received", "late_acks", "foreign_packets", "connects",
/// "attempts", "next_attempt_ms", "last_received_ms". What is not known is null.
/// Members may be added. Writes and returns like sio_client_sid().
SIO_API size_t sio_client_stats(const sio_client *client, char *buf, size_t size);

/// What the message is, a `sio_message_type`; SIO_E_INVALID for NULL.
SIO_API int sio_message_kind(const sio_message *message);

/// The event's name, ended by NUL; empty for what is no event. If `len` is not
/// NULL the length goes there, for the rare name that contains a NUL. A server
/// may use a number as a name; its digits are given.
SIO_API const char *sio_message_event(const sio_message *message, size_t *len);

/// The arguments as a JSON array, ended by NUL: "[]" if there are none. Where
/// an argument, or a part of one, is binary, {"_placeholder":true,"num":N}
/// stands in its place and sio_message_buffer() gives its bytes; in a message
/// without buffers such an object is plain data. Otherwise the text is as the
/// server wrote it. If `len` is not NULL the length goes there.
SIO_API const char *sio_message_args(const sio_message *message, size_t *len);

/// Finds a value in the arguments as sio_json_find() does; a byte buffer is
/// SIO_JSON_BUFFER, and `*value` and `*len` are its bytes.
SIO_API
int sio_message_find(const sio_message *message,
                     const char *pointer,
                     const void **value,
                     size_t *len);

/// How many buffers came with the message.
SIO_API size_t sio_message_buffer_count(const sio_message *message);

/// The bytes of buffer number `index`, their count in `*len`. NULL if there is
/// no such buffer; not NULL for one that is empty. `len` may be NULL.
SIO_API
const void *sio_message_buffer(const sio_message *message,
                               size_t index,
                               size_t *len);

/// 1 if the server waits for an answer to this event that has not been given and
/// its connection still stands, else 0.
SIO_API int sio_message_wants_ack(const sio_message *message);

/// Answers an event for which sio_message_wants_ack() is true. `args` and
/// `buffers` are as for sio_client_emit(). Never waits and is never refused for
/// room. An event that is freed unanswered is answered with no arguments, unless
/// the option "ack_unanswered" is 0. SIO_E_STATE if the event wants no answer or
/// has had one; SIO_E_DISCONNECTED if its connection is gone. The text of a
/// failure is with the client that the message came from.
SIO_API
int sio_message_ack(sio_message *message,
                    const char *args,
                    const sio_buffer *buffers,
                    size_t count);

/// Frees a message, which no other thread may be using then. NULL is allowed.
SIO_API void sio_message_free(sio_message *message);

/// Finds a value by its JSON Pointer (RFC 6901): "" is all of `json`, "/0" the
/// first element of an array, "/1/user/name" a member further in. Returns a
/// `sio_json_type`. `*value` points into `json`, `*len` counts its bytes; either
/// may be NULL. A number can be read where it stands: strtod(value, NULL).
///
/// `json` begins with one value; what follows it is not read, so that a value
/// found can be searched in turn. SIO_JSON_NONE also if what was read on the way
/// is no JSON. Of members with the same name the first is found.
SIO_API
int sio_json_find(const char *json,
                  const char *pointer,
                  const char **value,
                  size_t *len);

/// Steps through an array or an object. `*cursor` starts at its first byte, as
/// sio_json_find() gives it, and is moved on. Returns the type of the next value,
/// SIO_JSON_NONE at the end. `*key` is the member's name as a JSON string, NULL
/// in an array. The outputs may be NULL.
SIO_API
int sio_json_next(const char **cursor,
                  const char **key,
                  size_t *key_len,
                  const char **value,
                  size_t *len);

/// Copies `text` as a JSON string, quotes included, so that it can stand in the
/// arguments of an event. SIZE_MAX if it is NULL or not UTF-8. Writes and returns
/// like sio_client_sid(), but of a string that does not fit nothing is written but
/// a NUL.
SIO_API size_t sio_json_quote(const char *text, char *buf, size_t size);

/// Copies the text of the JSON string that starts at `value`, its escapes
/// resolved, a lone surrogate as U+FFFD. SIZE_MAX if it is none. Writes and returns
/// like sio_client_sid(); a text that contains a NUL is longer than strlen() says.
SIO_API size_t sio_json_unquote(const char *value, char *buf, size_t size);

/// A descriptor for poll(), epoll, kqueue, libuv's uv_poll_t or asyncio's
/// add_reader(). It is readable while an event, a state message or a result can
/// be taken, and from the final end of the connection until a receive has
/// returned SIO_E_DISCONNECTED. Only poll it: never read, write or close it. It
/// is close-on-exec, belongs to the client, and keeps its number as long as the
/// client lives. It is made when it is first asked for. A negative status on
/// failure, such as SIO_E_SYSTEM if the process has no descriptor left;
/// SIO_E_UNSUPPORTED on Windows, where sio_client_set_wakeup() serves instead.
SIO_API int sio_client_fd(sio_client *client);

/// For loops that cannot poll a descriptor: calls a function when either of the
/// two queues, events and results, is no longer empty, and at the final end.
/// Take from both until they say SIO_E_TIMEOUT or SIO_E_DISCONNECTED; there is
/// no second call before, and a queue that is empty anyway need not be asked. Let
/// it only wake the loop (uv_async_send(), PostMessage(), a semaphore): it runs on
/// the thread that moves the client's data, or inside a call of the program's. It
/// is called once at a time, and may be called inside this function if something
/// is ready already. `user` is passed to it, and has to stay valid until it is
/// removed. NULL removes it, and when that returns it is no longer running; inside
/// the function itself this holds from its return on.
///
/// SIO_E_STATE: the previous function is running on another thread, and this is
/// called inside a callback, where it cannot be waited for.
SIO_API
int sio_client_set_wakeup(sio_client *client,
                          sio_wakeup_fn function,
                          void *user);

/// Starts what sio_client_connect() does and returns at once. The outcome comes
/// from sio_client_result() under the caller's `tag`; tags need not differ. What
/// is known at once (SIO_E_INVALID, STATE, TOO_LARGE, DISCONNECTED, FULL, SYSTEM)
/// is returned and yields no result; after SIO_OK exactly one follows, unless the
/// client is freed. This holds for every function named _start. The client is
/// connecting when this returns.
SIO_API
int sio_client_connect_start(sio_client *client,
                             const char *url,
                             int timeout_ms,
                             uint64_t tag);

/// Starts what sio_client_emit() does and returns at once, for a program that
/// wants to know when there was room. Started emits and calls keep their order,
/// and stand in one line with threads that wait to emit. When those that wait,
/// for room or for the connection, hold as many bytes as "send_limit", the next
/// returns SIO_E_FULL.
SIO_API
int sio_client_emit_start(sio_client *client,
                          const char *event,
                          const char *args,
                          const sio_buffer *buffers,
                          size_t count,
                          int timeout_ms,
                          uint64_t tag);

/// Starts what sio_client_call() does and returns at once. Any number of calls
/// may be under way; their answers come in the order in which the server gives
/// them.
SIO_API
int sio_client_call_start(sio_client *client,
                          const char *event,
                          const char *args,
                          const sio_buffer *buffers,
                          size_t count,
                          int timeout_ms,
                          uint64_t tag);

/// Starts what sio_client_flush() does and returns at once.
SIO_API
int sio_client_flush_start(sio_client *client,
                           int timeout_ms,
                           uint64_t tag);

/// Starts what sio_client_disconnect() does and returns at once. A client that
/// was connected is closing when this returns. What was queued is still sent; what
/// was started and stands in line yet ends with SIO_E_DISCONNECTED.
SIO_API
int sio_client_disconnect_start(sio_client *client,
                                int timeout_ms,
                                uint64_t tag);

/// Ends a started operation. Its result still comes, with SIO_E_INTERRUPTED,
/// or with its true outcome if that was faster. Of several with one tag the
/// oldest is ended. A connect leaves no connection then, a disconnect closes it at
/// once, an emit that still waited is not sent, and the answer of a call is
/// dropped. SIO_E_INVALID if nothing is under way with that tag.
SIO_API int sio_client_cancel(sio_client *client, uint64_t tag);

/// Takes the oldest result of the operations that were started: `*tag` says
/// which, `*status` how it ended, and `*reply` is the answer of a call that
/// ended with SIO_OK, to free with sio_message_free(), otherwise NULL. Taking a
/// failure makes its text the one that sio_client_error() gives. `reply` may be
/// NULL. Returns SIO_OK if a result was taken, SIO_E_TIMEOUT if none came: a
/// client that is not connected can still have results to give.
SIO_API
int sio_client_result(sio_client *client,
                      int timeout_ms,
                      uint64_t *tag,
                      int *status,
                      sio_message **reply);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* SIO_H */

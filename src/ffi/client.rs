//! The functions of a client.
//!
//! Owns the state's constants of C. The functions keep the order of the header.

use std::ffi::{c_char, c_int};
use std::ptr;

use super::arguments::{Buf, Buffers, OutMessage, Text};
use super::callbacks::{LogReceiver, PrepareCaller, User, sio_log_fn, sio_prepare_fn};
use super::handle::{ClientPtr, ClientRef, sio_client};
use super::support::{Fault, fence, fence_value, invalid, timeout};
use crate::client::Client;
use crate::error::{Failure, Status};
use crate::log::{Level, Sink};
use crate::prepare::Function;
use crate::session::State;

/// What sio_client_state() answers.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum sio_state {
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
}

/// A new client with every option at its default, or NULL if memory ran out.
/// Makes no connection and starts no thread. Free it with sio_client_free().
#[unsafe(no_mangle)]
pub extern "C" fn sio_client_new() -> *mut sio_client {
    fence_value((), (), ptr::null_mut(), |(), ()| sio_client::new(Client::new()))
}

/// Frees a client: closes its connection without waiting for the server, sends
/// nothing more, and ends its threads. Calls that other threads have under way
/// return SIO_E_DISCONNECTED before this returns; none may begin after. Results
/// not yet taken are dropped; messages stay valid. Takes at most 100 ms, and the
/// time of a callback that is running; inside a callback it takes effect when
/// those of this client have returned. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn sio_client_free(client: ClientPtr) {
    fence_value((), (), (), |(), ()| client.free())
}

/// Sets an option from text. The table of options at the top of this file gives
/// each one's name, form and default. The text is copied; NULL restores the
/// default. A connection attempt reads all options and headers once, as it
/// begins, so a value counts from the next attempt on, an automatic reconnection
/// included: a token can be renewed while connected.
///
/// A file that is named is not read here but by each attempt that needs it.
/// SIO_E_UNSUPPORTED: this version has no such option, or lacks what the value
/// asks for. SIO_E_INVALID: the value does not fit the option.
#[unsafe(no_mangle)]
pub extern "C" fn sio_client_set(client: ClientPtr, option: Text, value: Text) -> c_int {
    fence(client, (), |client, ()| {
        Ok(client.set(option.required("option")?, value.optional("value")?)?)
    })
}

/// Sets a numeric or on/off option; the same as sio_client_set() with the
/// number written in decimal.
#[unsafe(no_mangle)]
pub extern "C" fn sio_client_set_int(client: ClientPtr, option: Text, value: i64) -> c_int {
    fence(client, (), |client, ()| Ok(client.set_int(option.required("option")?, value)?))
}

/// Copies an option's value as text; empty if it has none or does not exist.
/// Writes and returns like sio_client_sid().
#[unsafe(no_mangle)]
pub extern "C" fn sio_client_get(client: ClientRef, option: Text, buf: Buf, size: usize) -> usize {
    fence_value(client, buf.of(size), 0, |client, room| match option.unchecked() {
        Some(option) => room.write(&client.option(option)),
        None => 0,
    })
}

/// Sets an HTTP header for every request of the connection attempts that follow,
/// in place of an earlier one of that name; letter case does not matter. A NULL
/// value removes it, a NULL name removes all.
#[unsafe(no_mangle)]
pub extern "C" fn sio_client_set_header(client: ClientPtr, name: Text, value: Text) -> c_int {
    fence(client, (), |client, ()| {
        Ok(client.set_header(name.optional("name")?, value.optional("value")?)?)
    })
}

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
#[unsafe(no_mangle)]
pub extern "C" fn sio_client_set_prepare(
    client: ClientPtr,
    function: sio_prepare_fn,
    user: User,
) -> c_int {
    fence(
        client,
        (),
        |inside, ()| Ok(inside.set_prepare(prepare_function(function, user, client))?),
    )
}

/// Sends the client's log to a function: lines of `level` and more severe, see
/// SIO_LOG_ERROR and its neighbours. A NULL function turns the log off; `level`
/// does not matter then. The function is called once at a time and should return
/// soon. When this call returns, the previous function is no longer running and
/// will not be called again; inside that function itself this holds from its
/// return on. Auth data, cookies and credentials are never in the log.
///
/// SIO_E_STATE: the previous function is running on another thread, and this is
/// called inside a callback, where it cannot be waited for.
#[unsafe(no_mangle)]
pub extern "C" fn sio_client_set_log(
    client: ClientPtr,
    level: c_int,
    function: sio_log_fn,
    user: User,
) -> c_int {
    fence(client, (), |client, ()| Ok(client.set_log(log_sink(level, function, user)?)?))
}

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
#[unsafe(no_mangle)]
pub extern "C" fn sio_client_connect(client: ClientPtr, url: Text, timeout_ms: c_int) -> c_int {
    fence(client, (), |client, ()| {
        let timeout = timeout(timeout_ms)?;
        Ok(client.connect(url.optional("url")?, timeout)?)
    })
}

/// Waits until everything emitted so far has been handed to the operating
/// system, in order, started emits that still wait included. It does not tell
/// whether the server has it. SIO_E_DISCONNECTED: a part of it was lost with a
/// connection.
#[unsafe(no_mangle)]
pub extern "C" fn sio_client_flush(client: ClientPtr, timeout_ms: c_int) -> c_int {
    fence(client, (), |client, ()| Ok(client.flush(timeout(timeout_ms)?)?))
}

/// Sends what was emitted, leaves the namespace, closes the connection. SIO_OK
/// means that the server has taken everything: it answered a ping, or the last
/// request, that followed it. SIO_E_TIMEOUT means that this is not known, always
/// with a timeout of 0 and something just sent; the connection is closed in any
/// case. Events that arrived before can still be received.
///
/// Final from any state, a reconnection under way included: all waiting calls
/// return. Disconnecting a client that is not connected is SIO_OK.
#[unsafe(no_mangle)]
pub extern "C" fn sio_client_disconnect(client: ClientPtr, timeout_ms: c_int) -> c_int {
    fence(client, (), |client, ()| Ok(client.disconnect(timeout(timeout_ms)?)?))
}

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
#[unsafe(no_mangle)]
pub extern "C" fn sio_client_emit(
    client: ClientPtr,
    event: Text,
    args: Text,
    buffers: Buffers,
    count: usize,
    timeout_ms: c_int,
) -> c_int {
    fence(client, (), |client, ()| {
        let timeout = timeout(timeout_ms)?;
        let (event, args) = (event.required("event")?, args.optional("args")?);
        buffers.with(count, |buffers| Ok(client.emit(event, args, buffers, timeout)?))
    })
}

/// Emits an event and waits for the server's acknowledgement. On SIO_OK `*reply`
/// is a message to free with sio_message_free(); otherwise it is NULL. `reply`
/// may be NULL. After SIO_E_TIMEOUT the server may have acted on the event all
/// the same: its late answer is dropped. A call is never sent twice: if the
/// connection is lost while it waits, it ends with SIO_E_DISCONNECTED, and
/// "sent" in sio_client_error_json() tells whether it had gone out. With a
/// timeout of 0 nothing is sent.
#[unsafe(no_mangle)]
pub extern "C" fn sio_client_call(
    client: ClientPtr,
    event: Text,
    args: Text,
    buffers: Buffers,
    count: usize,
    timeout_ms: c_int,
    reply: OutMessage,
) -> c_int {
    fence(client, reply, |client, reply| {
        let timeout = timeout(timeout_ms)?;
        let (event, args) = (event.required("event")?, args.optional("args")?);
        buffers.with(count, |buffers| {
            reply.give(client.call(event, args, buffers, timeout)?);
            Ok(())
        })
    })
}

/// Takes the oldest event that the server sent. On SIO_OK `*message` is a
/// message to free with sio_message_free(); otherwise it is NULL. What arrived
/// before a disconnection is handed out before SIO_E_DISCONNECTED is returned.
/// While the client reconnects the call waits on, and so it does before the first
/// connect: a receiving thread may be started early. With "report_state" what
/// becomes of the connection comes in between, see sio_message_kind().
#[unsafe(no_mangle)]
pub extern "C" fn sio_client_receive(
    client: ClientPtr,
    timeout_ms: c_int,
    message: OutMessage,
) -> c_int {
    fence(client, message, |client, message| {
        let timeout = timeout(timeout_ms)?;
        message.required("message")?;
        message.give(client.receive(timeout)?);
        Ok(())
    })
}

/// Ends the waits of other threads: every call blocked on this client now
/// returns SIO_E_INTERRUPTED; started operations go on. If none is blocked, the
/// next call that would block returns it instead, once, however often this was
/// called; a call that need not wait does not use it up. An interrupted connect
/// or disconnect leaves no connection, an interrupted emit was not queued. May be
/// called from a signal handler; keeps errno.
#[unsafe(no_mangle)]
pub extern "C" fn sio_client_interrupt(client: ClientPtr) {
    fence_value(client, (), (), |client, ()| client.interrupt())
}

/// The client's state, a `sio_state`; SIO_E_INVALID for NULL. It may change before
/// the caller sees it.
#[unsafe(no_mangle)]
pub extern "C" fn sio_client_state(client: ClientRef) -> c_int {
    fence_value(client, (), Status::Invalid as c_int, |client, ()| state(client.state()) as c_int)
}

/// The transport in use: "polling", "websocket", or "" when not connected.
/// Never NULL, never freed.
#[unsafe(no_mangle)]
pub extern "C" fn sio_client_transport(client: ClientRef) -> *const c_char {
    fence_value(client, (), c"".as_ptr(), |client, ()| match client.transport() {
        "polling" => c"polling".as_ptr(),
        "websocket" => c"websocket".as_ptr(),
        _ => c"".as_ptr(),
    })
}

/// Copies the session id that the server gave to this connection; it changes
/// with every reconnection. Empty when not connected. Writes at most `size`
/// bytes, the NUL included, cut at a character, and returns the length of the
/// whole text, like snprintf(); `buf` may be NULL if `size` is 0.
#[unsafe(no_mangle)]
pub extern "C" fn sio_client_sid(client: ClientRef, buf: Buf, size: usize) -> usize {
    fence_value(client, buf.of(size), 0, |client, room| room.write(&client.sid()))
}

/// Copies the text of the client's last failure: what was wrong, in English,
/// for a log or a person. Empty if nothing failed yet. When several threads use
/// the client the text may be of another thread's failure; the status that a
/// call returned is always its own. Writes and returns like sio_client_sid().
#[unsafe(no_mangle)]
pub extern "C" fn sio_client_error(client: ClientRef, buf: Buf, size: usize) -> usize {
    fence_value(client, buf.of(size), 0, |client, room| room.write(&client.error()))
}

/// Copies the same failure as a JSON object: "status", "name" and "text" always,
/// and where they are known "phase" (one of "prepare", "resolve", "connect",
/// "tls", "http", "handshake", "upgrade", "namespace", "session"), "attempt",
/// "sent", "http_status", "http_body" (its first 1024 characters), "close_code",
/// "os_error", and what the server said when it refused: "message" and "data".
/// Writes and returns like sio_client_sid().
#[unsafe(no_mangle)]
pub extern "C" fn sio_client_error_json(client: ClientRef, buf: Buf, size: usize) -> usize {
    fence_value(client, buf.of(size), 0, |client, room| room.write(&client.error_json()))
}

/// Copies a snapshot of the client's counters as a JSON object. Times are in
/// milliseconds, sizes in bytes, counts since the client was made: "state",
/// "transport", "sid", "engine_sid", "connected_ms", "rtt_ms" (of the last call),
/// "packets_sent", "packets_received", "bytes_sent", "bytes_received",
/// "send_queued", "send_queued_bytes", "send_queued_bytes_max", "receive_queued",
/// "receive_queued_bytes", "receive_queued_bytes_max", "calls_waiting",
/// "dropped_sent", "dropped_received", "late_acks", "foreign_packets", "connects",
/// "attempts", "next_attempt_ms", "last_received_ms". What is not known is null.
/// Members may be added. Writes and returns like sio_client_sid().
#[unsafe(no_mangle)]
pub extern "C" fn sio_client_stats(client: ClientRef, buf: Buf, size: usize) -> usize {
    fence_value(client, buf.of(size), 0, |client, room| room.write(&client.stats()))
}

fn prepare_function(function: sio_prepare_fn, user: User, client: ClientPtr) -> Option<Function> {
    PrepareCaller::new(function, user, client).map(PrepareCaller::into_function)
}

fn log_sink(
    level: c_int,
    function: sio_log_fn,
    user: User,
) -> Result<Option<(Level, Sink)>, Fault> {
    let Some(receiver) = LogReceiver::new(function, user) else { return Ok(None) };
    match Level::from_number(level) {
        Some(level) => Ok(Some((level, receiver.into_sink()))),
        None => Err(wrong_level(level).into()),
    }
}

fn wrong_level(level: c_int) -> Failure {
    invalid("level", &format!("is {level}; it must be SIO_LOG_ERROR (1) to SIO_LOG_DEBUG (4)"))
}

fn state(state: State) -> sio_state {
    match state {
        State::New | State::Closed => sio_state::SIO_STATE_DISCONNECTED,
        State::Connecting => sio_state::SIO_STATE_CONNECTING,
        State::Connected => sio_state::SIO_STATE_CONNECTED,
        State::Reconnecting => sio_state::SIO_STATE_RECONNECTING,
        State::Closing => sio_state::SIO_STATE_CLOSING,
    }
}

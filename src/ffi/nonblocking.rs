//! The functions for programs with an event loop: descriptor, wakeup, operations that are started.
//!
//! Owns nothing: it lays the Rust API out as C wants it. The functions keep the order of the header.

use std::ffi::c_int;

use super::arguments::{Buffers, OutMessage, OutStatus, OutTag, Text};
use super::callbacks::{User, WakeupCaller, sio_wakeup_fn};
use super::handle::ClientPtr;
use super::status::OK;
use super::support::{fence, timeout};

/// A descriptor for poll(), epoll, kqueue, libuv's uv_poll_t or asyncio's
/// add_reader(). It is readable while an event, a state message or a result can
/// be taken, and from the final end of the connection until a receive has
/// returned SIO_E_DISCONNECTED. Only poll it: never read, write or close it. It
/// is close-on-exec, belongs to the client, and keeps its number as long as the
/// client lives. It is made when it is first asked for. A negative status on
/// failure, such as SIO_E_SYSTEM if the process has no descriptor left;
/// SIO_E_UNSUPPORTED on Windows, where sio_client_set_wakeup() serves instead.
#[unsafe(no_mangle)]
pub extern "C" fn sio_client_fd(client: ClientPtr) -> c_int {
    fence(client, (), |client, ()| Ok(client.descriptor()?))
}

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
#[unsafe(no_mangle)]
pub extern "C" fn sio_client_set_wakeup(
    client: ClientPtr,
    function: sio_wakeup_fn,
    user: User,
) -> c_int {
    fence(client, (), |client, ()| {
        let function = WakeupCaller::new(function, user).map(WakeupCaller::into_function);
        Ok(client.set_wakeup(function)?)
    })
}

/// Starts what sio_client_connect() does and returns at once. The outcome comes
/// from sio_client_result() under the caller's `tag`; tags need not differ. What
/// is known at once (SIO_E_INVALID, STATE, TOO_LARGE, DISCONNECTED, FULL, SYSTEM)
/// is returned and yields no result; after SIO_OK exactly one follows, unless the
/// client is freed. This holds for every function named _start. The client is
/// connecting when this returns.
#[unsafe(no_mangle)]
pub extern "C" fn sio_client_connect_start(
    client: ClientPtr,
    url: Text,
    timeout_ms: c_int,
    tag: u64,
) -> c_int {
    fence(client, (), |client, ()| {
        let timeout = timeout(timeout_ms)?;
        Ok(client.connect_start(url.optional("url")?, timeout, tag)?)
    })
}

/// Starts what sio_client_emit() does and returns at once, for a program that
/// wants to know when there was room. Started emits and calls keep their order,
/// and stand in one line with threads that wait to emit. When those that wait,
/// for room or for the connection, hold as many bytes as "send_limit", the next
/// returns SIO_E_FULL.
#[unsafe(no_mangle)]
pub extern "C" fn sio_client_emit_start(
    client: ClientPtr,
    event: Text,
    args: Text,
    buffers: Buffers,
    count: usize,
    timeout_ms: c_int,
    tag: u64,
) -> c_int {
    fence(client, (), |client, ()| {
        let timeout = timeout(timeout_ms)?;
        let (event, args) = (event.required("event")?, args.optional("args")?);
        buffers.with(count, |buffers| Ok(client.emit_start(event, args, buffers, timeout, tag)?))
    })
}

/// Starts what sio_client_call() does and returns at once. Any number of calls
/// may be under way; their answers come in the order in which the server gives
/// them.
#[unsafe(no_mangle)]
pub extern "C" fn sio_client_call_start(
    client: ClientPtr,
    event: Text,
    args: Text,
    buffers: Buffers,
    count: usize,
    timeout_ms: c_int,
    tag: u64,
) -> c_int {
    fence(client, (), |client, ()| {
        let timeout = timeout(timeout_ms)?;
        let (event, args) = (event.required("event")?, args.optional("args")?);
        buffers.with(count, |buffers| Ok(client.call_start(event, args, buffers, timeout, tag)?))
    })
}

/// Starts what sio_client_flush() does and returns at once.
#[unsafe(no_mangle)]
pub extern "C" fn sio_client_flush_start(client: ClientPtr, timeout_ms: c_int, tag: u64) -> c_int {
    fence(client, (), |client, ()| Ok(client.flush_start(timeout(timeout_ms)?, tag)?))
}

/// Starts what sio_client_disconnect() does and returns at once. A client that
/// was connected is closing when this returns. What was queued is still sent; what
/// was started and stands in line yet ends with SIO_E_DISCONNECTED.
#[unsafe(no_mangle)]
pub extern "C" fn sio_client_disconnect_start(
    client: ClientPtr,
    timeout_ms: c_int,
    tag: u64,
) -> c_int {
    fence(client, (), |client, ()| Ok(client.disconnect_start(timeout(timeout_ms)?, tag)?))
}

/// Ends a started operation. Its result still comes, with SIO_E_INTERRUPTED,
/// or with its true outcome if that was faster. Of several with one tag the
/// oldest is ended. A connect leaves no connection then, a disconnect closes it at
/// once, an emit that still waited is not sent, and the answer of a call is
/// dropped. SIO_E_INVALID if nothing is under way with that tag.
#[unsafe(no_mangle)]
pub extern "C" fn sio_client_cancel(client: ClientPtr, tag: u64) -> c_int {
    fence(client, (), |client, ()| Ok(client.cancel(tag)?))
}

/// Takes the oldest result of the operations that were started: `*tag` says
/// which, `*status` how it ended, and `*reply` is the answer of a call that
/// ended with SIO_OK, to free with sio_message_free(), otherwise NULL. Taking a
/// failure makes its text the one that sio_client_error() gives. `reply` may be
/// NULL. Returns SIO_OK if a result was taken, SIO_E_TIMEOUT if none came: a
/// client that is not connected can still have results to give.
#[unsafe(no_mangle)]
pub extern "C" fn sio_client_result(
    client: ClientPtr,
    timeout_ms: c_int,
    tag: OutTag,
    status: OutStatus,
    reply: OutMessage,
) -> c_int {
    fence(client, (tag.and(status), reply), |client, (ended, reply)| {
        let timeout = timeout(timeout_ms)?;
        ended.required()?;
        let result = client.result(timeout)?;
        match result.outcome {
            Ok(answer) => {
                ended.set(result.tag, OK as c_int);
                if let Some(answer) = answer {
                    reply.give(answer);
                }
            }
            Err(status) => ended.set(result.tag, status as c_int),
        }
        Ok(())
    })
}

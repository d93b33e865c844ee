//! The functions of a message.
//!
//! Owns the memory behind `sio_message *` and the constants of C for kinds of messages. The
//! functions keep the order of the header.

use std::ffi::{c_char, c_int, c_void};
use std::ptr;

use super::arguments::{Buffers, OutBytes, OutLen, Text};
use super::support::{Object, Reporter, fence, fence_value};
use crate::error::{Failure, Status};
use crate::json::Kind;
use crate::message::Message;

/// What sio_message_kind() answers.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum sio_message_type {
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
}

/// An event from the server, the answer to a call, or what became of the
/// connection. Every pointer got from it is valid until sio_message_free(); any
/// number of threads may read it.
pub struct sio_message {
    // The pointer is that of a box of a Message, and is taken for nothing else.
    _opaque: [u8; 0],
}

impl sio_message {
    pub(super) fn new(message: Box<Message>) -> *mut sio_message {
        Box::into_raw(message).cast()
    }
}

/// What the message is, a `sio_message_type`; SIO_E_INVALID for NULL.
#[unsafe(no_mangle)]
pub extern "C" fn sio_message_kind(message: MessageRef) -> c_int {
    fence_value(message, (), Status::Invalid as c_int, |message, ()| message.kind() as c_int)
}

/// The event's name, ended by NUL; empty for what is no event. If `len` is not
/// NULL the length goes there, for the rare name that contains a NUL. A server
/// may use a number as a name; its digits are given.
#[unsafe(no_mangle)]
pub extern "C" fn sio_message_event(message: MessageRef, len: OutLen) -> *const c_char {
    fence_value(message, len, c"".as_ptr(), |message, len| {
        let name = message.event_bytes();
        len.set(name.len());
        // The block has a NUL behind it.
        name.as_ptr().cast()
    })
}

/// The arguments as a JSON array, ended by NUL: "[]" if there are none. Where
/// an argument, or a part of one, is binary, {"_placeholder":true,"num":N}
/// stands in its place and sio_message_buffer() gives its bytes; in a message
/// without buffers such an object is plain data. Otherwise the text is as the
/// server wrote it. If `len` is not NULL the length goes there.
#[unsafe(no_mangle)]
pub extern "C" fn sio_message_args(message: MessageRef, len: OutLen) -> *const c_char {
    fence_value(message, len, c"".as_ptr(), |message, len| {
        let args = message.args_bytes();
        len.set(args.len());
        // The block has a NUL behind them.
        args.as_ptr().cast()
    })
}

/// Finds a value in the arguments as sio_json_find() does; a byte buffer is
/// SIO_JSON_BUFFER, and `*value` and `*len` are its bytes.
#[unsafe(no_mangle)]
pub extern "C" fn sio_message_find(
    message: MessageRef,
    pointer: Text,
    value: OutBytes,
    len: OutLen,
) -> c_int {
    fence_value(message, (value, len), Kind::None as c_int, |message, (value, len)| {
        match pointer.unchecked().and_then(|pointer| message.find(pointer)) {
            Some((kind, found)) => {
                value.set(found);
                len.set(found.len());
                kind as c_int
            }
            None => Kind::None as c_int,
        }
    })
}

/// How many buffers came with the message.
#[unsafe(no_mangle)]
pub extern "C" fn sio_message_buffer_count(message: MessageRef) -> usize {
    fence_value(message, (), 0, |message, ()| message.buffer_count())
}

/// The bytes of buffer number `index`, their count in `*len`. NULL if there is
/// no such buffer; not NULL for one that is empty. `len` may be NULL.
#[unsafe(no_mangle)]
pub extern "C" fn sio_message_buffer(
    message: MessageRef,
    index: usize,
    len: OutLen,
) -> *const c_void {
    fence_value(message, len, ptr::null(), |message, len| match message.buffer(index) {
        Some(bytes) => {
            len.set(bytes.len());
            bytes.as_ptr().cast()
        }
        None => ptr::null(),
    })
}

/// 1 if the server waits for an answer to this event that has not been given and
/// its connection still stands, else 0.
#[unsafe(no_mangle)]
pub extern "C" fn sio_message_wants_ack(message: MessageRef) -> c_int {
    fence_value(message, (), 0, |message, ()| message.wants_ack().into())
}

/// Answers an event for which sio_message_wants_ack() is true. `args` and
/// `buffers` are as for sio_client_emit(). Never waits and is never refused for
/// room. An event that is freed unanswered is answered with no arguments, unless
/// the option "ack_unanswered" is 0. SIO_E_STATE if the event wants no answer or
/// has had one; SIO_E_DISCONNECTED if its connection is gone. The text of a
/// failure is with the client that the message came from.
#[unsafe(no_mangle)]
pub extern "C" fn sio_message_ack(
    message: MessagePtr,
    args: Text,
    buffers: Buffers,
    count: usize,
) -> c_int {
    fence(message, (), |message, ()| {
        let args = args.optional("args")?;
        buffers.with(count, |buffers| Ok(message.ack(args, buffers)?))
    })
}

/// Frees a message, which no other thread may be using then. NULL is allowed.
#[unsafe(no_mangle)]
pub extern "C" fn sio_message_free(message: MessagePtr) {
    fence_value((), (), (), |(), ()| message.free())
}

/// A message as an argument. What C gives is NULL, or a message that is not freed.
#[repr(transparent)]
pub struct MessagePtr(*mut sio_message);

/// The same for functions that change nothing.
#[repr(transparent)]
pub struct MessageRef(*const sio_message);

impl MessagePtr {
    fn free(self) {
        if !self.0.is_null() {
            // SAFETY: a pointer that is not NULL is one that `sio_message::new` gave, and C frees
            // it once, when nobody uses it.
            drop(unsafe { Box::from_raw(self.0.cast::<Message>()) });
        }
    }
}

impl Object for MessagePtr {
    type Inside = Message;
    type Entered<'a> = &'a Message;

    fn enter(&self) -> Option<&Message> {
        // SAFETY: a pointer that is not NULL is one that `sio_message::new` gave, and C frees it
        // when no function uses it.
        unsafe { self.0.cast::<Message>().as_ref() }
    }
}

impl Object for MessageRef {
    type Inside = Message;
    type Entered<'a> = &'a Message;

    fn enter(&self) -> Option<&Message> {
        // SAFETY: as above.
        unsafe { self.0.cast::<Message>().as_ref() }
    }
}

impl Reporter for Message {
    fn note(&self, failure: Failure) -> Status {
        self.fail(failure)
    }

    fn panicked(&self) {
        Message::panicked(self);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::MessageKind;

    #[test]
    fn the_kinds_of_c_are_those_of_the_crate() {
        use sio_message_type::*;
        assert_eq!(SIO_MESSAGE_EVENT as c_int, MessageKind::Event as c_int);
        assert_eq!(SIO_MESSAGE_REPLY as c_int, MessageKind::Reply as c_int);
        assert_eq!(SIO_MESSAGE_CONNECTED as c_int, MessageKind::Connected as c_int);
        assert_eq!(SIO_MESSAGE_DISCONNECTED as c_int, MessageKind::Disconnected as c_int);
    }
}

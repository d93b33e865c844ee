//! The functions for JSON text.
//!
//! Owns the constants of C for kinds of values. The functions keep the order of the header. Text
//! is often a pointer into a longer one, so it is never measured to its end for an answer that
//! stands near its beginning.

use std::ffi::c_int;

use super::arguments::{Buf, Cursor, OutLen, OutText, Text};
use super::support::fence_value;
use crate::json::{self, Kind};

/// What a JSON value is. SIO_JSON_NONE: nothing is there, or the text is no JSON.
#[allow(missing_docs)] // The names say it.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum sio_json_type {
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
}

/// Finds a value by its JSON Pointer (RFC 6901): "" is all of `json`, "/0" the
/// first element of an array, "/1/user/name" a member further in. Returns a
/// `sio_json_type`. `*value` points into `json`, `*len` counts its bytes; either
/// may be NULL. A number can be read where it stands: strtod(value, NULL).
///
/// `json` begins with one value; what follows it is not read, so that a value
/// found can be searched in turn. SIO_JSON_NONE also if what was read on the way
/// is no JSON. Of members with the same name the first is found.
#[unsafe(no_mangle)]
pub extern "C" fn sio_json_find(json: Text, pointer: Text, value: OutText, len: OutLen) -> c_int {
    fence_value((), (value, len), Kind::None as c_int, |(), (value, len)| {
        match find(&json, &pointer) {
            Some((kind, found)) => {
                value.set(found);
                len.set(found.len());
                kind as c_int
            }
            None => Kind::None as c_int,
        }
    })
}

/// Steps through an array or an object. `*cursor` starts at its first byte, as
/// sio_json_find() gives it, and is moved on. Returns the type of the next value,
/// SIO_JSON_NONE at the end. `*key` is the member's name as a JSON string, NULL
/// in an array. The outputs may be NULL.
#[unsafe(no_mangle)]
pub extern "C" fn sio_json_next(
    cursor: Cursor,
    key: OutText,
    key_len: OutLen,
    value: OutText,
    len: OutLen,
) -> c_int {
    fence_value((), (key, key_len, value, len), Kind::None as c_int, |(), outputs| {
        let (key, key_len, value, len) = outputs;
        let text = cursor.text();
        let Some(step) = text.ask(json::next_prefix, json::next).flatten() else {
            return Kind::None as c_int;
        };
        if let Some(name) = step.key {
            key.set(name);
            key_len.set(name.len());
        }
        value.set(step.value);
        len.set(step.value.len());
        cursor.advance(step.rest);
        step.kind as c_int
    })
}

/// Copies `text` as a JSON string, quotes included, so that it can stand in the
/// arguments of an event. SIZE_MAX if it is NULL or not UTF-8. Writes and returns
/// like sio_client_sid(), but of a string that does not fit nothing is written but
/// a NUL.
#[unsafe(no_mangle)]
pub extern "C" fn sio_json_quote(text: Text, buf: Buf, size: usize) -> usize {
    fence_value((), buf.of(size), usize::MAX, |(), room| match text.unchecked() {
        Some(text) => {
            let mut quoted = String::new();
            json::quote(text, &mut quoted);
            room.write_whole(&quoted)
        }
        None => usize::MAX,
    })
}

/// Copies the text of the JSON string that starts at `value`, its escapes
/// resolved, a lone surrogate as U+FFFD. SIZE_MAX if it is none. Writes and returns
/// like sio_client_sid(); a text that contains a NUL is longer than strlen() says.
#[unsafe(no_mangle)]
pub extern "C" fn sio_json_unquote(value: Text, buf: Buf, size: usize) -> usize {
    fence_value((), buf.of(size), usize::MAX, |(), room| {
        match value.ask(json::unquote_prefix, json::unquote).flatten() {
            Some(text) => room.write(&text),
            None => usize::MAX,
        }
    })
}

fn find<'a>(json: &'a Text, pointer: &Text) -> Option<(Kind, &'a [u8])> {
    let pointer = pointer.unchecked()?;
    json.ask(|part| json::find_prefix(part, pointer), |all| json::find(all, pointer)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kinds_of_c_are_those_of_the_crate() {
        use sio_json_type::*;
        for (of_c, kind) in [
            (SIO_JSON_NONE, Kind::None),
            (SIO_JSON_NULL, Kind::Null),
            (SIO_JSON_FALSE, Kind::False),
            (SIO_JSON_TRUE, Kind::True),
            (SIO_JSON_NUMBER, Kind::Number),
            (SIO_JSON_STRING, Kind::String),
            (SIO_JSON_ARRAY, Kind::Array),
            (SIO_JSON_OBJECT, Kind::Object),
            (SIO_JSON_BUFFER, Kind::Buffer),
        ] {
            assert_eq!(of_c as c_int, kind as c_int);
        }
    }
}

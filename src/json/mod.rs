//! JSON text (RFC 8259) looked at where it stands: checked, searched, stepped through, quoted.
//!
//! Owns what a JSON value is, where it ends, and how its strings are escaped. Refuses to know
//! what the text is for, and never builds a tree: every function is one pass over bytes, without
//! recursion, in time linear in what it reads and with at most one bit of memory for each level
//! of nesting.
//!
//! None of the functions validates UTF-8. They cut only at ASCII bytes, so that what was valid
//! UTF-8 before is valid UTF-8 after.

#![forbid(unsafe_code)]

mod pointer;
mod string;
mod walk;

#[cfg(test)]
mod tests;

use std::fmt;

pub use pointer::{Step, find, find_prefix, next, next_prefix, placeholder_number};
pub use string::{quote, unquote, unquote_prefix};

pub(crate) use string::{equals, scan, unescape};
pub(crate) use walk::{Watch, elements, number, plain_integer, skip_space, value};

/// What a JSON value is. The numbers are those of `sio_json_type` in `sio.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum Kind {
    /// Nothing is there, or the text is no JSON.
    None = 0,
    /// `null`
    Null = 1,
    /// `false`
    False = 2,
    /// `true`
    True = 3,
    /// A number.
    Number = 4,
    /// A string.
    String = 5,
    /// An array.
    Array = 6,
    /// An object.
    Object = 7,
    /// A byte buffer of a message. Nothing in this module answers this: here a placeholder is an
    /// object like any other.
    Buffer = 8,
}

/// Why a text is not the JSON that was wanted, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JsonError {
    /// The byte, counted from 0, at which the text goes wrong; the length of the text exactly if
    /// it ended too early.
    pub offset: usize,
    /// What is wrong there, such as "expected a value".
    pub what: &'static str,
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.what, self.offset)
    }
}

impl std::error::Error for JsonError {}

/// The answer is not in the part of the text that was given; a longer part may have it.
///
/// A program that points into a long text would have its length counted anew for each question.
/// With the functions that end in `_prefix` the caller may offer a short part first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Short;

/// Where an array stands in a text, without the white space around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Array {
    /// The offset of `[`.
    pub start: usize,
    /// The offset just behind `]`.
    pub end: usize,
    /// Whether the array has no elements.
    pub empty: bool,
}

/// Checks that `text` is one JSON value, with nothing but white space around it.
pub fn check(text: &[u8]) -> Result<(), JsonError> {
    let (_, end) = value(text, skip_space(text, 0), &mut ())?;
    only_space_follows(text, end)
}

/// Checks that `text` is one JSON array, with nothing but white space around it.
pub fn check_array(text: &[u8]) -> Result<Array, JsonError> {
    let start = skip_space(text, 0);
    match value(text, start, &mut ())? {
        (Kind::Array, end) => {
            only_space_follows(text, end)?;
            // A `]` behind the first white space inside is the array's own, or the array holds
            // something.
            let empty = skip_space(text, start + 1) == end - 1;
            Ok(Array { start, end, empty })
        }
        _ => Err(JsonError { offset: start, what: "expected an array" }),
    }
}

/// Checks that only white space follows `end`.
#[inline]
pub(crate) fn only_space_follows(text: &[u8], end: usize) -> Result<(), JsonError> {
    if end == text.len() {
        return Ok(());
    }
    match skip_space(text, end) {
        rest if rest == text.len() => Ok(()),
        rest => Err(JsonError { offset: rest, what: "unexpected text after the JSON value" }),
    }
}

//! Text and bytes to packets, and packets to text and bytes.
//!
//! Owns how the packets of Engine.IO 4 ([`engine`]) and of Socket.IO 5 ([`socket`]) are written,
//! and what the placeholders of binary packets mean ([`placeholder`]). Refuses to know state:
//! whether a packet may come now, and what follows from it, is for the session to say.

#![forbid(unsafe_code)]

mod block;
pub mod engine;
pub mod placeholder;
pub mod socket;
mod write;

use std::borrow::Cow;
use std::fmt;

/// Why a text is no packet, for the reader of a log: what is wrong, and at which byte.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// What is wrong and where.
    pub what: Cow<'static, str>,
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for ParseError {}

/// An error apart from the way that packets take which are in order.
#[cold]
#[inline(never)]
fn refuse(what: impl Into<Cow<'static, str>>) -> ParseError {
    ParseError { what: what.into() }
}

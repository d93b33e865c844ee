//! The packets of Socket.IO protocol 5 that come ("Packet encoding" in the protocol document).
//!
//! Owns the text of a packet: type, count of attachments, namespace, id, and which JSON each type
//! may carry. Refuses to know whether a packet may come now, and keeps no text: a packet is
//! offsets into the text that it was read from.

#![forbid(unsafe_code)]

use std::ops::Range;

pub use super::block::BlockLayout;
pub use super::write::{OutKind, Outgoing, write_connect, write_disconnect};
use super::{ParseError, placeholder, refuse};
use crate::json::{self, JsonError, Watch};

/// The type of a packet. The numbers are those of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// The namespace is connected.
    Connect = 0,
    /// The namespace is disconnected.
    Disconnect = 1,
    /// An event.
    Event = 2,
    /// The answer to an event.
    Ack = 3,
    /// The namespace is refused.
    ConnectError = 4,
    /// An event with attachments.
    BinaryEvent = 5,
    /// The answer to an event, with attachments.
    BinaryAck = 6,
}

/// A packet that was read. All offsets are bytes of the text that was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packet {
    /// The type.
    pub kind: Kind,
    /// How many attachments follow. 0 for types that have none.
    pub attachments: usize,
    /// The namespace without its `?query`; empty for the main one, however it was written.
    pub namespace: Range<usize>,
    /// The number under which an event is answered.
    pub id: Option<u64>,
    /// The JSON text without white space around it; empty if the packet carries none.
    pub data: Range<usize>,
    /// The name of an event.
    pub name: Name,
    /// Of an event: the comma behind the name; `None` if nothing comes after the name.
    pub args: Option<usize>,
}

/// The first element of an event's array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Name {
    /// The packet is no event.
    None,
    /// A string without escapes: what stands between its quotes.
    Plain(Range<usize>),
    /// A string with escapes, with its quotes.
    Escaped(Range<usize>),
    /// A number, as it is written.
    Number(Range<usize>),
}

/// Reads a packet: the text of an Engine.IO message behind its type digit.
///
/// Everything is checked, the JSON too; in a binary packet also that every placeholder names an
/// attachment that is announced.
#[inline]
pub fn parse(text: &str) -> Result<Packet, ParseError> {
    parse_from(text, 0)
}

/// Reads the packet that begins at byte `start` of `text`, which must be UTF-8 and is not checked
/// for that again, and the byte the start of a character. The offsets in the packet are those of the whole text, the byte that an error
/// names is counted from `start`.
#[inline]
pub fn parse_from(text: &(impl AsRef<[u8]> + ?Sized), start: usize) -> Result<Packet, ParseError> {
    let bytes = text.as_ref();
    let mut at = start + 1;
    let kind = match bytes.get(start) {
        Some(b'0') => Kind::Connect,
        Some(b'1') => Kind::Disconnect,
        Some(b'2') => Kind::Event,
        Some(b'3') => Kind::Ack,
        Some(b'4') => Kind::ConnectError,
        Some(b'5') => Kind::BinaryEvent,
        Some(b'6') => Kind::BinaryAck,
        _ => return Err(unknown_type(bytes, start)),
    };
    let mut packet = Packet {
        kind,
        attachments: 0,
        namespace: at..at,
        id: None,
        data: at..at,
        name: Name::None,
        args: None,
    };
    if matches!(kind, Kind::BinaryEvent | Kind::BinaryAck) {
        (packet.attachments, at) = attachments(bytes, at, start)?;
    }
    if bytes.get(at) == Some(&b'/') {
        (packet.namespace, at) = namespace(bytes, at);
    }
    // A DISCONNECT is never answered, and may carry any JSON, a number too.
    if kind != Kind::Disconnect && bytes.get(at).is_some_and(u8::is_ascii_digit) {
        (packet.id, at) = id(bytes, at, start)?;
    }
    let read = match kind {
        Kind::Event => event(bytes, at, &mut packet, &mut ()),
        Kind::BinaryEvent => {
            let mut watch = placeholder::incoming(packet.attachments);
            event(bytes, at, &mut packet, &mut watch)
        }
        _ => other(bytes, at, &mut packet),
    };
    match read {
        Ok(()) => Ok(packet),
        Err(error) => Err(bad_payload(kind, error, start)),
    }
}

#[cold]
#[inline(never)]
fn unknown_type(text: &[u8], start: usize) -> ParseError {
    let rest = String::from_utf8_lossy(text.get(start..).unwrap_or_default());
    match rest.chars().next() {
        Some(char) => refuse(format!("unknown Socket.IO packet type at byte 0: {char:?}")),
        None => refuse("a Socket.IO packet is empty"),
    }
}

/// Folds an error in the JSON into one of the packet.
#[cold]
#[inline(never)]
fn bad_payload(kind: Kind, error: JsonError, start: usize) -> ParseError {
    let name = match kind {
        Kind::Connect => "CONNECT",
        Kind::Disconnect => "DISCONNECT",
        Kind::Event => "EVENT",
        Kind::Ack => "ACK",
        Kind::ConnectError => "CONNECT_ERROR",
        Kind::BinaryEvent => "BINARY_EVENT",
        Kind::BinaryAck => "BINARY_ACK",
    };
    let error = JsonError { offset: error.offset - start, ..error };
    refuse(format!("malformed Socket.IO packet {name}: {error}"))
}

/// Reads "12-" and returns the number and the offset behind the hyphen.
fn attachments(bytes: &[u8], at: usize, start: usize) -> Result<(usize, usize), ParseError> {
    let (number, end) = digits(bytes, at);
    match number.and_then(|number| usize::try_from(number).ok()) {
        Some(number) if end > at && bytes.get(end) == Some(&b'-') => Ok((number, end + 1)),
        Some(_) => Err(refuse(format!(
            "malformed Socket.IO packet: expected the count of attachments and '-' at byte {}",
            at - start
        ))),
        None => Err(refuse(format!(
            "malformed Socket.IO packet: the count of attachments is too large at byte {}",
            at - start
        ))),
    }
}

/// Reads the namespace, which a comma or the end of the text ends.
fn namespace(bytes: &[u8], at: usize) -> (Range<usize>, usize) {
    let rest = &bytes[at..];
    let len = rest.iter().position(|byte| *byte == b',').unwrap_or(rest.len());
    let name_len = rest[..len].iter().position(|byte| *byte == b'?').unwrap_or(len);
    let name = if name_len == 1 { at..at } else { at..at + name_len };
    (name, (at + len + 1).min(bytes.len()))
}

fn id(bytes: &[u8], at: usize, start: usize) -> Result<(Option<u64>, usize), ParseError> {
    match digits(bytes, at) {
        (None, _) => Err(refuse(format!(
            "malformed Socket.IO packet: the id is too large at byte {}",
            at - start
        ))),
        read => Ok(read),
    }
}

/// The number that stands at `at` and the offset behind it. `None` if it does not fit; without
/// digits it is 0.
fn digits(bytes: &[u8], mut at: usize) -> (Option<u64>, usize) {
    let mut number = Some(0u64);
    while let Some(byte @ b'0'..=b'9') = bytes.get(at) {
        number =
            number.and_then(|number| number.checked_mul(10)?.checked_add(u64::from(byte - b'0')));
        at += 1;
    }
    (number, at)
}

/// Reads the array of an event: its first element is told apart while the whole is checked.
#[inline(always)]
fn event<W: Watch>(
    bytes: &[u8],
    at: usize,
    packet: &mut Packet,
    watch: &mut W,
) -> Result<(), JsonError> {
    let start = json::skip_space(bytes, at);
    if bytes.get(start) != Some(&b'[') {
        return Err(not_wanted(bytes, start, "expected an array"));
    }
    let first = json::skip_space(bytes, start + 1);
    let behind = match bytes.get(first) {
        Some(b'"') => {
            let name = json::scan(bytes, first + 1)?;
            packet.name = if name.escaped {
                Name::Escaped(first..name.end)
            } else {
                Name::Plain(first + 1..name.end - 1)
            };
            name.end
        }
        Some(b'-' | b'0'..=b'9') => {
            let end = json::number(bytes, first)?;
            packet.name = Name::Number(first..end);
            end
        }
        Some(b']') => return Err(JsonError { offset: first, what: "an event without a name" }),
        _ => {
            let what = "an event's name is neither string nor number";
            return Err(not_wanted(bytes, first, what));
        }
    };
    let behind = json::skip_space(bytes, behind);
    let end = match bytes.get(behind) {
        Some(b',') => {
            packet.args = Some(behind);
            json::elements(bytes, behind + 1, watch)?
        }
        Some(b']') => behind + 1,
        Some(_) => return Err(JsonError { offset: behind, what: "expected ',' or ']'" }),
        None => return Err(JsonError { offset: behind, what: "the text ends inside an array" }),
    };
    packet.data = start..end;
    json::only_space_follows(bytes, end)
}

/// Reads what the types other than events carry.
fn other(bytes: &[u8], at: usize, packet: &mut Packet) -> Result<(), JsonError> {
    let start = json::skip_space(bytes, at);
    let is_ack = matches!(packet.kind, Kind::Ack | Kind::BinaryAck);
    if is_ack && packet.id.is_none() {
        let what = "expected the id of the event that is answered";
        return Err(JsonError { offset: at, what });
    }
    if start == bytes.len() && !is_ack {
        packet.data = start..start;
        return Ok(());
    }
    let (kind, end) = match packet.kind {
        Kind::BinaryAck => {
            json::value(bytes, start, &mut placeholder::incoming(packet.attachments))?
        }
        _ => json::value(bytes, start, &mut ())?,
    };
    let wanted = match packet.kind {
        Kind::Connect if kind != json::Kind::Object => Some("expected an object"),
        Kind::ConnectError if !matches!(kind, json::Kind::Object | json::Kind::String) => {
            Some("expected an object or a string")
        }
        Kind::Ack | Kind::BinaryAck if kind != json::Kind::Array => Some("expected an array"),
        _ => None,
    };
    if let Some(what) = wanted {
        return Err(JsonError { offset: start, what });
    }
    packet.data = start..end;
    json::only_space_follows(bytes, end)
}

/// The error where another value was expected: what is wrong with the JSON there goes first.
#[cold]
#[inline(never)]
fn not_wanted(bytes: &[u8], at: usize, what: &'static str) -> JsonError {
    json::value(bytes, at, &mut ()).err().unwrap_or(JsonError { offset: at, what })
}

#[cfg(test)]
#[path = "socket_tests.rs"]
mod tests;

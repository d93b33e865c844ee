//! The packets of Engine.IO protocol 4, of which each is one WebSocket text message.
//!
//! Owns the type digit and the handshake's JSON. Refuses to know Socket.IO, and how several
//! packets share one HTTP body.

#![forbid(unsafe_code)]

use std::time::Duration;

use super::{ParseError, refuse};
use crate::json::{self, Kind};

/// One packet that came as text, with what it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// Type 0: the handshake's JSON, for [`parse_handshake`].
    Open(&'a str),
    /// Type 1.
    Close,
    /// Type 2.
    Ping(&'a str),
    /// Type 3.
    Pong(&'a str),
    /// Type 4: a Socket.IO packet.
    Message(&'a str),
    /// Type 5.
    Upgrade,
    /// Type 6.
    Noop,
}

/// What the server says of itself as it opens a session ("Handshake" in the protocol document).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// The session's identifier, never empty.
    pub sid: String,
    /// How often the server pings; from one millisecond to one day.
    pub ping_interval: Duration,
    /// How long after that a ping may be late; from one millisecond to one day.
    pub ping_timeout: Duration,
    /// What each packet must be smaller than, in bytes as encoded; never 0.
    pub max_payload: Option<u64>,
    /// The transports to which the session may be moved.
    pub upgrades: Vec<String>,
}

/// Reads the type digit.
#[inline]
pub fn parse(text: &str) -> Result<Packet<'_>, ParseError> {
    // What nearly all packets look like, so that they are not searched for the signs of
    // an older protocol.
    if let [b'4', _, third, ..] = text.as_bytes()
        && !third.is_ascii_digit()
        && *third != b':'
    {
        return Ok(Packet::Message(&text[1..]));
    }
    parse_any(text)
}

/// Reads the JSON of an OPEN packet.
///
/// `sid` must be a string that is not empty; `pingInterval` and `pingTimeout` must be numbers
/// above 0. `maxPayload` and `upgrades` are as if they were missing if they are of no use.
pub fn parse_handshake(json: &str) -> Result<Handshake, ParseError> {
    let bytes = json.as_bytes();
    if let Err(error) = json::check(bytes) {
        return Err(refuse(format!("the Engine.IO handshake is not JSON: {error}")));
    }
    let sid = match json::find(bytes, "/sid") {
        Some((Kind::String, value)) => json::unquote(value).unwrap_or_default(),
        _ => String::new(),
    };
    if sid.is_empty() {
        return Err(refuse("the Engine.IO handshake has no sid"));
    }
    Ok(Handshake {
        sid,
        ping_interval: period(bytes, "pingInterval")?,
        ping_timeout: period(bytes, "pingTimeout")?,
        max_payload: limit(bytes),
        upgrades: upgrades(bytes),
    })
}

fn parse_any(text: &str) -> Result<Packet<'_>, ParseError> {
    let Some(first) = text.chars().next() else {
        return Err(refuse("an Engine.IO packet is empty"));
    };
    if is_engine_io_3(text) {
        return Err(refuse(
            "an Engine.IO 3 server: it sends a handshake with its length before it; \
             this client speaks Engine.IO 4, that is Socket.IO 3 and later",
        ));
    }
    let payload = &text[first.len_utf8()..];
    match first {
        '0' => Ok(Packet::Open(payload)),
        '1' => Ok(Packet::Close),
        '2' => Ok(Packet::Ping(payload)),
        '3' => Ok(Packet::Pong(payload)),
        '4' => Ok(Packet::Message(payload)),
        '5' => Ok(Packet::Upgrade),
        '6' => Ok(Packet::Noop),
        _ => Err(refuse(format!("unknown Engine.IO packet type at byte 0: {first:?}"))),
    }
}

/// Whether `text` begins like the first payload of an Engine.IO 3 server, "96:0{": the length,
/// then the OPEN packet. No text of Engine.IO 4 with a meaning does.
fn is_engine_io_3(text: &str) -> bool {
    let behind_length = text.trim_start_matches(|char: char| char.is_ascii_digit());
    behind_length.len() < text.len() && behind_length.starts_with(":0{")
}

fn period(handshake: &[u8], name: &str) -> Result<Duration, ParseError> {
    const DAY_IN_MS: f64 = 86_400_000.0;
    match number(handshake, name) {
        // Less than a millisecond is more than a timer can do.
        Some(ms) if ms > 0.0 => Ok(Duration::from_secs_f64(ms.clamp(1.0, DAY_IN_MS) / 1000.0)),
        Some(_) => Err(refuse(format!("the {name} of the Engine.IO handshake is not above 0"))),
        None => Err(refuse(format!("the Engine.IO handshake has no number {name}"))),
    }
}

fn limit(handshake: &[u8]) -> Option<u64> {
    // A size is below a limit with a fraction exactly if it is below the next whole number.
    // Numbers too large for the type become its largest.
    number(handshake, "maxPayload").map(|limit| limit.ceil() as u64).filter(|limit| *limit > 0)
}

fn number(handshake: &[u8], name: &str) -> Option<f64> {
    match json::find(handshake, &format!("/{name}")) {
        Some((Kind::Number, value)) => std::str::from_utf8(value).ok()?.parse().ok(),
        _ => None,
    }
}

fn upgrades(handshake: &[u8]) -> Vec<String> {
    let mut upgrades = Vec::new();
    if let Some((Kind::Array, mut cursor)) = json::find(handshake, "/upgrades") {
        while let Some(step) = json::next(cursor) {
            upgrades.extend(json::unquote(step.value));
            cursor = &cursor[step.rest..];
        }
    }
    upgrades
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;

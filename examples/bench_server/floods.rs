//! Floods: events encoded once for each kind, size and transport, many in a block, so that sending
//! them is nothing but writing.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::frames;

/// What a client asked for, or what is left of it.
#[derive(Clone, Copy)]
pub struct Flood {
    pub count: usize,
    pub bytes: usize,
    pub kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// JSON of many short tokens.
    Text,
    /// JSON of one long text.
    String,
    /// One byte buffer.
    Binary,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Frames one after another.
    Websocket,
    /// Packets and what stands between them; the last is followed by a separator too.
    Polling,
}

/// As many events as are sent at once.
pub struct Burst {
    pub bytes: Vec<u8>,
    pub count: usize,
    /// The bytes of one event.
    pub each: usize,
}

/// What stands between the packets of a body.
pub const SEPARATOR: u8 = 0x1e;

/// The size of a burst.
const WRITE: usize = 256 * 1024;
const BODY: usize = 1024 * 1024;

/// Events of that kind and size; of few that are asked for no more are encoded.
pub fn burst(flood: Flood, encoding: Encoding) -> Arc<Burst> {
    type Key = (Kind, usize, Encoding);
    static KNOWN: LazyLock<Mutex<HashMap<Key, Arc<Burst>>>> = LazyLock::new(Mutex::default);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let key = (flood.kind, flood.bytes, encoding);
    Arc::clone(known.entry(key).or_insert_with(|| Arc::new(encode(flood, encoding))))
}

fn encode(flood: Flood, encoding: Encoding) -> Burst {
    let mut one = Vec::new();
    let (text, binary) = event(flood.kind, flood.bytes);
    match encoding {
        Encoding::Websocket => {
            frames::put(&mut one, frames::TEXT, &text);
            if let Some(bytes) = binary {
                frames::put(&mut one, frames::BINARY, &bytes);
            }
        }
        Encoding::Polling => {
            one.extend_from_slice(&text);
            one.push(SEPARATOR);
            if let Some(bytes) = binary {
                one.push(b'b');
                one.extend_from_slice(BASE64_STANDARD.encode(bytes).as_bytes());
                one.push(SEPARATOR);
            }
        }
    }
    let limit = if encoding == Encoding::Websocket { WRITE } else { BODY };
    let count = (limit / one.len()).max(1);
    Burst { bytes: one.repeat(count), count, each: one.len() }
}

/// The packet of an event, and its attachment. A text's JSON, the event's name included, or a
/// buffer, has so many bytes; a text has no fewer than one record needs.
fn event(kind: Kind, bytes: usize) -> (Vec<u8>, Option<Vec<u8>>) {
    const HEAD: &str = r#"["tick","#;
    match kind {
        Kind::Binary => {
            let text = r#"451-["tick",{"_placeholder":true,"num":0}]"#;
            (text.into(), Some(noise(bytes)))
        }
        Kind::String => {
            let (head, tail) = (r#"42["tick",{"id":12345,"text":""#, r#""}]"#);
            let padding = (bytes + 2).saturating_sub(head.len() + tail.len());
            (format!("{head}{}{tail}", "x".repeat(padding)).into_bytes(), None)
        }
        Kind::Text => {
            // A record is followed by a comma, or the last by the bracket that ends the text.
            let record = |name: &str| {
                format!(r#"{{"id":12345,"ok":true,"at":[1.5,-2,30],"name":"{name}"}}"#)
            };
            let each = record("ab").len() + 1;
            let count = (bytes.saturating_sub(HEAD.len()) / each).max(1);
            let padding = bytes.saturating_sub(HEAD.len() + count * each);
            let mut text = format!("42{HEAD}");
            for _ in 1..count {
                text += &record("ab");
                text.push(',');
            }
            text += &record(&format!("ab{}", "x".repeat(padding)));
            text.push(']');
            (text.into_bytes(), None)
        }
    }
}

/// Bytes in which nothing repeats.
fn noise(count: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..count).map(|_| next()).collect()
}

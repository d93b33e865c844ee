//! What `flood` and `mixed` have to carry.
//!
//! Owns: the formulas of the test protocol. Refuses to receive anything.

// The long tests use a part of this.
#![allow(dead_code)]
#![forbid(unsafe_code)]

use sio::json::Kind;
use sio::message::Message;

/// The largest content of `mixed`, unless one is asked for.
pub const LARGEST: usize = 2000;

/// The size of the content of number `i`.
pub fn size(i: usize, largest: usize) -> usize {
    i * 7919 % (largest + 1)
}

/// Says what is wrong with number `i` of `mixed`.
pub fn check_mixed(i: usize, largest: usize, message: &Message) -> Result<(), String> {
    let number = message.find("/0").ok_or("it has no number")?;
    if number != (Kind::Number, i.to_string().as_bytes()) {
        return Err(format!("number {i} has the number {:?}", String::from_utf8_lossy(number.1)));
    }
    let content = match i % 3 {
        0 => is_text(message, "/1", i, size(i, largest)),
        1 => is_bytes(message, "/1", i, 0, size(i, largest)),
        _ => is_bytes(message, "/1/parts/0", i, 0, size(i, largest))
            .and_then(|()| is_bytes(message, "/1/parts/1/deep", i, 1, size(i + 1, largest)))
            .and_then(|()| is_text(message, "/1/text", i, 5)),
    };
    let buffers = [0, 1, 2][i % 3];
    if message.buffer_count() != buffers {
        return Err(format!("number {i} has {} buffers", message.buffer_count()));
    }
    content.map_err(|what| format!("number {i}: {what}"))
}

/// Says what is wrong with number `i` of `flood`.
pub fn check_flood(i: usize, bytes: usize, binary: bool, message: &Message) -> Result<(), String> {
    let number = message.find("/0").ok_or("it has no number")?;
    if number != (Kind::Number, i.to_string().as_bytes()) {
        return Err(format!("number {i} has the number {:?}", String::from_utf8_lossy(number.1)));
    }
    let content = match binary {
        true => is_bytes(message, "/1", i, 0, bytes),
        false => is_text(message, "/1", i, bytes),
    };
    content.map_err(|what| format!("number {i}: {what}"))
}

fn is_bytes(
    message: &Message,
    pointer: &str,
    i: usize,
    k: usize,
    len: usize,
) -> Result<(), String> {
    let Some((Kind::Buffer, bytes)) = message.find(pointer) else {
        return Err(format!("there is no buffer at {pointer}: {:.200}", message.args()));
    };
    if bytes.len() != len {
        return Err(format!("{} bytes instead of {len} at {pointer}", bytes.len()));
    }
    let start = 31 * i + 17 * k;
    match bytes.iter().enumerate().position(|(j, &byte)| byte != (start + j) as u8) {
        None => Ok(()),
        Some(at) => Err(format!("byte {at} of {pointer} is wrong")),
    }
}

fn is_text(message: &Message, pointer: &str, i: usize, len: usize) -> Result<(), String> {
    let text = match message.find(pointer) {
        Some((Kind::String, [b'"', text @ .., b'"'])) => text,
        _ => return Err(format!("there is no text at {pointer}: {:.200}", message.args())),
    };
    if text.len() != len {
        return Err(format!("{} letters instead of {len} at {pointer}", text.len()));
    }
    let start = 31 * i;
    let letter = |j: usize| b'a' + ((start + j) % 26) as u8;
    match text.iter().enumerate().position(|(j, &byte)| byte != letter(j)) {
        None => Ok(()),
        Some(at) => Err(format!("letter {at} of {pointer} is wrong")),
    }
}

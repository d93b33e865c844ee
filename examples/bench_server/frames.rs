//! Websocket frames: cut from what comes in, of which only the beginnings are looked at, and put into
//! what goes out.

use std::io::{Read, Result};
use std::ops::Range;

use crate::wire::Wire;

pub const TEXT: u8 = 0x81;
pub const BINARY: u8 = 0x82;
pub const CLOSE: u8 = 0x88;
pub const PING: u8 = 0x89;
pub const PONG: u8 = 0x8a;

/// So much is read at once: what stays in the processor's nearer cache.
const READ: usize = 64 * 1024;

/// So much of a payload is looked at: all of a control frame.
const LOOK: usize = 128;

/// The frames of one connection, one after another.
pub struct Frames {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// What is left to come of a frame whose beginning was given out.
    skip: usize,
}

/// A frame that was cut; the beginning of its payload stands where it was read until the next read.
pub struct Frame {
    pub first: u8,
    look: Range<usize>,
}

impl Frames {
    pub fn new() -> Frames {
        Frames { buffer: vec![0; READ], start: 0, end: 0, skip: 0 }
    }

    /// Reads once. Whether the connection goes on.
    pub fn read(&mut self, wire: &mut Wire) -> Result<bool> {
        self.buffer.copy_within(self.start..self.end, 0);
        self.end -= self.start;
        self.start = 0;
        let count = wire.read(&mut self.buffer[self.end..])?;
        self.end += count;
        let skipped = self.skip.min(self.end);
        self.skip -= skipped;
        self.start = skipped;
        Ok(count > 0)
    }

    /// The next frame of what was read, unmasked as far as it is looked at.
    pub fn cut(&mut self) -> Option<Frame> {
        let bytes = &mut self.buffer[self.start..self.end];
        let (mut at, length) = match bytes.get(1)? & 0x7f {
            126 => (4, u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?) as usize),
            127 => (10, u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?) as usize),
            length => (2, length as usize),
        };
        let key: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
        at += 4;
        let first = bytes[0];
        let looked = length.min(LOOK);
        unmask(bytes.get_mut(at..at + looked)?, key);
        let frame = Frame { first, look: self.start + at..self.start + at + looked };
        self.start += at + length;
        if self.start > self.end {
            self.skip = self.start - self.end;
            self.start = self.end;
        }
        Some(frame)
    }

    /// The beginning of a frame's payload.
    pub fn look(&self, frame: &Frame) -> &[u8] {
        &self.buffer[frame.look.clone()]
    }
}

fn unmask(bytes: &mut [u8], key: [u8; 4]) {
    let [a, b, c, d] = key;
    let mask = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (eights, rest) = bytes.as_chunks_mut::<8>();
    for eight in eights {
        *eight = (u64::from_ne_bytes(*eight) ^ mask).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip([a, b, c, d, a, b, c]) {
        *byte ^= key;
    }
}

/// Adds a frame, unmasked as a server's are.
pub fn put(out: &mut Vec<u8>, first: u8, body: &[u8]) {
    out.push(first);
    match body.len() {
        length @ 0..126 => out.push(length as u8),
        length @ 126..65536 => {
            out.push(126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            out.push(127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(body);
}

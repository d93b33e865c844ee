//! Engine.IO packets in HTTP bodies ("HTTP long-polling" in the Engine.IO protocol document).
//!
//! Owns how packets are joined and cut: the separator between them, base64 for binary, and what a
//! body may hold. Refuses to know HTTP, what a packet means, and where the bytes come from.

#![forbid(unsafe_code)]

mod binary;

use std::fmt;
use std::mem;
use std::ops::Range;

use super::frame::{Frame, Payload};
use binary::Decoding;

/// Turns the body of a poll into packets, while it comes in.
///
/// The bytes go in by [`feed()`](Self::feed), then [`next()`](Self::next) is called until it gives
/// `None`; after the last of them [`end()`](Self::end) says that the body is complete. Small
/// packets are cut, and decoded, where they lie. One of which 16 KiB have come, in the form that
/// it travels in, goes into the block that is handed out, decoded as it comes.
///
/// A packet ends with its separator or with the body; so a body that is empty, or whose last byte
/// is a separator, has an empty packet, which is an error. After an error nothing more comes out.
#[derive(Debug)]
pub struct BodyDecoder {
    /// What was fed. What is not cut yet begins at `start`, and up to `scanned` has no separator.
    buffer: Vec<u8>,
    start: usize,
    scanned: usize,
    /// A large packet under way, which goes before what is in the buffer.
    large: Option<Large>,
    /// Where small binary packets are decoded, from where they go back into the buffer.
    scratch: Vec<u8>,
    max_message: usize,
    /// How many packets were cut.
    packets: u64,
    stage: Stage,
}

/// What may still come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// More of the body.
    Body,
    /// No more of the body, but its last packet has not been cut yet.
    Ended,
    /// Nothing: the last packet was cut, or a rule was broken.
    Over,
}

/// A packet in a block of its own.
#[derive(Debug)]
struct Large {
    kind: Kind,
    /// What it carries, without the sign of base64.
    block: Vec<u8>,
    /// Its separator has come.
    whole: bool,
    fault: Option<Fault>,
}

#[derive(Debug)]
enum Kind {
    Text,
    Binary(Decoding),
}

/// Which rule of the protocol, or which limit, a packet in the body of a poll broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BodyError {
    /// The number of the packet in its body, from 1.
    pub packet: u64,
    /// What is wrong.
    pub fault: Fault,
}

/// What is wrong with one packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It has no byte.
    Empty,
    /// A text that is not UTF-8 at this byte.
    Utf8(usize),
    /// A binary packet that is not base64 at this byte; one for the `b` before it.
    Base64(usize),
    /// It is larger than the limit: how large as far as is known, and the limit.
    TooLarge {
        /// The bytes that have come of it, without a text's type or decoded.
        size: usize,
        /// The limit in bytes.
        limit: usize,
    },
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let packet = self.packet;
        match self.fault {
            Fault::Empty => write!(f, "packet {packet} in the body of a poll is empty"),
            Fault::Utf8(at) => {
                write!(f, "packet {packet} in the body of a poll is not UTF-8 at byte {at}")
            }
            Fault::Base64(at) => write!(
                f,
                "packet {packet} in the body of a poll is binary, but not base64 at byte {at}"
            ),
            Fault::TooLarge { size, limit } => write!(
                f,
                "packet {packet} in the body of a poll has {size} bytes or more, \
                 but max_message_bytes is {limit}"
            ),
        }
    }
}

impl std::error::Error for BodyError {}

impl BodyDecoder {
    /// A decoder for one body, which refuses packets of more than `max_message` bytes: of a text
    /// without its first byte, the Engine.IO type, of binary when decoded.
    pub fn new(max_message: usize) -> Self {
        BodyDecoder {
            buffer: Vec::new(),
            start: 0,
            scanned: 0,
            large: None,
            scratch: Vec::new(),
            max_message,
            packets: 0,
            stage: Stage::Body,
        }
    }

    /// Takes in the next bytes of the body. Ranges given before are void.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        if self.stage != Stage::Body {
            return;
        }
        self.drop_cut();
        if let Some(large) = self.large.as_mut().filter(|large| !large.whole) {
            let Some(at) = find_separator(bytes) else {
                return large.append(bytes, self.max_message);
            };
            large.append(&bytes[..at], self.max_message);
            large.whole = true;
            bytes = &bytes[at + 1..];
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// The body is complete.
    pub fn end(&mut self) {
        if self.stage == Stage::Body {
            self.stage = Stage::Ended;
        }
    }

    /// The buffer to which the ranges in frames belong.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.buffer
    }

    /// Cuts the next packet, if it has come as a whole.
    ///
    /// # Errors
    ///
    /// The server broke a rule or exceeds the limit; the body cannot be read on.
    #[inline]
    #[expect(clippy::should_implement_trait, reason = "what it gives refers to the buffer")]
    pub fn next(&mut self) -> Result<Option<Frame>, BodyError> {
        self.cut().map_err(|fault| {
            self.stage = Stage::Over;
            self.large = None;
            BodyError { packet: self.packets + 1, fault }
        })
    }

    #[inline]
    fn cut(&mut self) -> Result<Option<Frame>, Fault> {
        if self.stage == Stage::Over {
            return Ok(None);
        }
        if self.large.is_some() {
            return self.cut_large();
        }
        let end = match find_separator(&self.buffer[self.scanned..]) {
            Some(at) => self.scanned + at,
            None if self.stage == Stage::Ended => {
                self.stage = Stage::Over;
                self.buffer.len()
            }
            None => {
                self.scanned = self.buffer.len();
                return self.begin_large().map(|()| None);
            }
        };
        let packet = self.start..end;
        (self.start, self.scanned) = (end + 1, end + 1);
        let frame = self.cut_small(packet)?;
        self.packets += 1;
        Ok(Some(frame))
    }

    /// Cuts a packet that lies in the buffer as a whole.
    #[inline]
    fn cut_small(&mut self, packet: Range<usize>) -> Result<Frame, Fault> {
        let bytes = &self.buffer[packet.clone()];
        if bytes.len() >= LARGE {
            return Large::begin(bytes, self.max_message).finish(self.max_message);
        }
        match bytes {
            [] => Err(Fault::Empty),
            [BINARY, encoded @ ..] => {
                self.scratch.clear();
                let mut decoding = Decoding::default();
                decoding
                    .decode(encoded, &mut self.scratch)
                    .and_then(|()| decoding.finish(&mut self.scratch))
                    .map_err(base64_fault)?;
                check_size(self.scratch.len(), self.max_message)?;
                let place = packet.start..packet.start + self.scratch.len();
                self.buffer[place.clone()].copy_from_slice(&self.scratch);
                Ok(Frame::Binary(Payload::Here(place)))
            }
            text => {
                check_size(text.len() - 1, self.max_message)?;
                check_utf8(text)?;
                Ok(Frame::Text(Payload::Here(packet)))
            }
        }
    }

    /// Gives what has come of a packet a block of its own, if it is large.
    fn begin_large(&mut self) -> Result<(), Fault> {
        let bytes = &self.buffer[self.start..];
        if bytes.len() < LARGE {
            return Ok(());
        }
        let large = Large::begin(bytes, self.max_message);
        self.start = self.buffer.len();
        if let Some(fault) = large.fault {
            return Err(fault);
        }
        self.large = Some(large);
        Ok(())
    }

    fn cut_large(&mut self) -> Result<Option<Frame>, Fault> {
        let Some(large) = self.large.take() else { return Ok(None) };
        if let Some(fault) = large.fault {
            return Err(fault);
        }
        if !large.whole {
            if self.stage == Stage::Body {
                self.large = Some(large);
                return Ok(None);
            }
            // It ends with the body.
            self.stage = Stage::Over;
        }
        let frame = large.finish(self.max_message)?;
        self.packets += 1;
        Ok(Some(frame))
    }

    /// Drops what was cut. What was not is less than a large packet once `next` has said so, and
    /// is moved to the front.
    fn drop_cut(&mut self) {
        // Behind the last packet there is no separator, though it was counted.
        let cut = self.start.min(self.buffer.len());
        self.buffer.drain(..cut);
        self.scanned = self.scanned.saturating_sub(cut).min(self.buffer.len());
        self.start = 0;
    }
}

impl Large {
    /// A packet of which these bytes have come.
    fn begin(bytes: &[u8], max_message: usize) -> Self {
        let (kind, bytes) = match bytes {
            [BINARY, encoded @ ..] => (Kind::Binary(Decoding::default()), encoded),
            text => (Kind::Text, text),
        };
        let mut large = Large { kind, block: Vec::new(), whole: false, fault: None };
        large.append(bytes, max_message);
        large
    }

    /// Takes in the next bytes of the packet.
    fn append(&mut self, bytes: &[u8], max_message: usize) {
        if self.fault.is_some() {
            return;
        }
        let outcome = match &mut self.kind {
            Kind::Text => {
                self.block.extend_from_slice(bytes);
                check_size(self.block.len() - 1, max_message)
            }
            Kind::Binary(decoding) => decoding
                .decode(bytes, &mut self.block)
                .map_err(base64_fault)
                .and_then(|()| check_size(self.block.len(), max_message)),
        };
        if let Err(fault) = outcome {
            self.fault = Some(fault);
            self.block = Vec::new();
        }
    }

    fn finish(mut self, max_message: usize) -> Result<Frame, Fault> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let payload = match &mut self.kind {
            Kind::Text => {
                check_utf8(&self.block)?;
                Frame::Text
            }
            Kind::Binary(decoding) => {
                decoding.finish(&mut self.block).map_err(base64_fault)?;
                check_size(self.block.len(), max_message)?;
                Frame::Binary
            }
        };
        // The block may live long. What it grew too large by goes back, and a text needs one byte.
        if self.block.capacity() - self.block.len() > self.block.len() / 4 {
            self.block.shrink_to(self.block.len() + 1);
        }
        self.block.reserve_exact(1);
        Ok(payload(Payload::Own(mem::take(&mut self.block))))
    }
}

/// The body of one POST: packets that go out together.
///
/// It takes at most 16 packets, which is what python servers accept, and fewer bytes than the
/// server's `maxPayload`; and several packets only as far as they have 16 KiB together, since
/// python's AsyncServer on aiohttp reads no more of a body than has come by then, and drops the rest.
#[derive(Debug)]
pub struct Post {
    body: Vec<u8>,
    packets: usize,
    /// So many bytes the body may have.
    room: usize,
}

impl Post {
    /// An empty body for a server with this `maxPayload`.
    pub fn new(limit: Option<u64>) -> Self {
        let below = limit.map_or(u64::MAX, |limit| limit.saturating_sub(1));
        let room = usize::try_from(below).unwrap_or(usize::MAX).min(LARGEST_BODY);
        Post { body: Vec::new(), packets: 0, room }
    }

    /// Whether it has no packet.
    pub fn is_empty(&self) -> bool {
        self.packets == 0
    }

    /// How many packets it has.
    pub fn packets(&self) -> usize {
        self.packets
    }

    /// Whether one more packet of this length fits. One that is larger than any body may be is
    /// taken alone.
    pub fn has_room(&self, encoded_len: usize) -> bool {
        let with_it = self.body.len().saturating_add(1).saturating_add(encoded_len);
        self.is_empty() || (self.packets < MOST_PACKETS && with_it <= self.room)
    }

    /// Appends a text packet.
    pub fn push_text(&mut self, engine_type: u8, text: &[u8]) {
        self.begin_packet(Post::text_len(text.len()));
        self.body.push(engine_type);
        self.body.extend_from_slice(text);
    }

    /// Appends a binary packet.
    pub fn push_binary(&mut self, bytes: &[u8]) {
        self.begin_packet(Post::binary_len(bytes.len()));
        self.body.push(BINARY);
        binary::encode(bytes, &mut self.body);
    }

    /// The body.
    pub fn into_body(self) -> Vec<u8> {
        self.body
    }

    /// How long a text packet is, its type included.
    pub fn text_len(text: usize) -> usize {
        text.saturating_add(1)
    }

    /// How long a binary packet is: its sign and base64 with padding.
    pub fn binary_len(bytes: usize) -> usize {
        bytes.div_ceil(3).saturating_mul(4).saturating_add(1)
    }

    fn begin_packet(&mut self, len: usize) {
        self.body.reserve(len + 1);
        if !self.is_empty() {
            self.body.push(SEPARATOR);
        }
        self.packets += 1;
    }
}

/// For a place behind the sign.
fn base64_fault(at: usize) -> Fault {
    Fault::Base64(at + 1)
}

#[inline]
fn check_size(size: usize, limit: usize) -> Result<(), Fault> {
    if size > limit { Err(Fault::TooLarge { size, limit }) } else { Ok(()) }
}

#[inline]
fn check_utf8(text: &[u8]) -> Result<(), Fault> {
    if text.is_ascii() {
        return Ok(());
    }
    match std::str::from_utf8(text) {
        Ok(_) => Ok(()),
        Err(error) => Err(Fault::Utf8(error.valid_up_to())),
    }
}

/// Where the first separator is. Whole chunks are looked at together, which the compiler turns
/// into a few wide instructions.
#[inline]
fn find_separator(bytes: &[u8]) -> Option<usize> {
    let mut chunks = bytes.chunks_exact(CHUNK);
    let mut at = 0;
    for chunk in &mut chunks {
        if chunk.iter().fold(false, |found, byte| found | (*byte == SEPARATOR)) {
            break;
        }
        at += CHUNK;
    }
    bytes[at..].iter().position(|byte| *byte == SEPARATOR).map(|found| at + found)
}

/// What stands between two packets.
const SEPARATOR: u8 = 0x1e;
/// The sign of a binary packet, in the place of a type.
const BINARY: u8 = b'b';
/// Packets of which so many bytes have come get a block of their own.
const LARGE: usize = 16 * 1024;
const CHUNK: usize = 32;
/// python servers refuse a body of more packets.
const MOST_PACKETS: usize = 16;
const LARGEST_BODY: usize = 16 * 1024;

#[cfg(test)]
mod tests;

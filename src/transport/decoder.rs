//! Cuts WebSocket messages from a stream of bytes (RFC 6455, section 5).
//!
//! Owns the buffer that is read into, the rules of frames, and the joining of fragments.
//! Refuses to know what a message means, and where the bytes come from.
//!
//! The headers are parsed here and not by tungstenite's `FrameHeader::parse`, which takes longer
//! for a header than this decoder for a whole frame, checks nothing but the kind of frame, and
//! that only once all of a header has come.

#![forbid(unsafe_code)]

use super::frame::{Frame, FrameError, Payload};
use std::mem;

/// Turns the bytes of a server into messages and control frames.
///
/// The bytes come in by [`space()`](Self::space) and [`advance()`](Self::advance), then
/// [`next()`](Self::next) is called until it gives `None`. Small frames are cut where they lie.
/// The payload of a frame of 16 KiB or more goes into the block that is handed out: `space()` is
/// then a part of that block, which grows as bytes come, never by what the server announces.
///
/// After a close frame or an error nothing more comes out, and what is read is thrown away.
#[derive(Debug)]
pub struct Decoder {
    /// All of it is initialized, so that it can be read into again and again.
    buffer: Vec<u8>,
    /// What was read and not cut yet is `buffer[start..end]`.
    start: usize,
    end: usize,
    max_message: usize,
    stage: Stage,
    /// Whether messages have come that are worth larger reads.
    has_large: bool,
}

/// A large frame under way.
#[derive(Debug)]
struct Body {
    gathered: Gathered,
    missing: usize,
    last: bool,
}

/// What the next bytes belong to.
#[derive(Debug)]
enum Stage {
    /// A frame that begins a message, or a control frame.
    Between,
    /// A frame that goes on with this message, or a control frame.
    Fragments(Gathered),
    /// The payload of a large frame: so many bytes of it are missing, and with the last one the
    /// message is complete or not.
    Body(Box<Body>),
    /// Nothing: the server closed, or broke a rule.
    Over,
}

/// A message that does not lie in the buffer as a whole.
#[derive(Debug)]
struct Gathered {
    kind: Kind,
    /// The payload so far, and behind it zeros to read into.
    block: Vec<u8>,
    have: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Text,
    Binary,
}

/// The header of a frame whose own rules are kept.
struct Header {
    last: bool,
    opcode: u8,
    /// Of the header itself.
    len: usize,
    payload: u64,
}

impl Decoder {
    /// A decoder that refuses messages of more than `max_message` bytes; of a text its first byte,
    /// the Engine.IO type, does not count.
    pub fn new(max_message: usize) -> Self {
        let buffer = vec![0; FIRST_BUFFER];
        Decoder { buffer, start: 0, end: 0, max_message, stage: Stage::Between, has_large: false }
    }

    /// The memory to read into, never empty. Ranges given before are void.
    pub fn space(&mut self) -> &mut [u8] {
        if !self.reads_body() {
            self.make_room();
        }
        match &mut self.stage {
            Stage::Body(body) if body.missing > 0 => body.gathered.space(body.missing),
            _ => &mut self.buffer[self.end..],
        }
    }

    /// So many bytes were read into [`space()`](Self::space).
    pub fn advance(&mut self, n: usize) {
        match &mut self.stage {
            Stage::Body(body) if body.missing > 0 => {
                let n = n.min(body.missing);
                body.gathered.have += n;
                body.missing -= n;
            }
            Stage::Over => {}
            _ => self.end = (self.end + n).min(self.buffer.len()),
        }
    }

    /// Takes in bytes that were read elsewhere: those behind the head of the handshake.
    pub fn extend(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let space = self.space();
            let n = space.len().min(bytes.len());
            space[..n].copy_from_slice(&bytes[..n]);
            self.advance(n);
            bytes = &bytes[n..];
        }
    }

    /// For a connection that is quiet: gives back what only a busy one needs. Ranges given before
    /// are void.
    pub fn rest(&mut self) {
        if self.start == self.end && self.buffer.len() > FIRST_BUFFER {
            self.buffer = vec![0; FIRST_BUFFER];
            (self.start, self.end) = (0, 0);
            self.has_large = false;
        }
    }

    /// The buffer to which the ranges in frames belong.
    #[inline]
    pub fn bytes(&self) -> &[u8] {
        &self.buffer
    }

    /// Cuts the next frame, if it has come as a whole.
    ///
    /// # Errors
    ///
    /// The server broke a rule or exceeds the limit; the stream cannot be read on.
    #[inline]
    #[expect(clippy::should_implement_trait, reason = "what it gives refers to the buffer")]
    pub fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        let result = self.cut();
        if matches!(result, Err(_) | Ok(Some(Frame::Close(..)))) {
            self.stage = Stage::Over;
        }
        result
    }

    fn cut(&mut self) -> Result<Option<Frame>, FrameError> {
        loop {
            match &mut self.stage {
                Stage::Between | Stage::Fragments(_) => {}
                Stage::Body(body) if body.missing > 0 => return Ok(None),
                Stage::Body(_) => {
                    if let Some(frame) = self.end_body()? {
                        return Ok(Some(frame));
                    }
                    continue;
                }
                Stage::Over => return Ok(None),
            }
            let rest = &self.buffer[self.start..self.end];
            let Some(header) = Header::parse(rest)? else { return Ok(None) };
            if header.is_control() {
                return self.control(header);
            }
            let size = self.check_order_and_size(&header)?;
            if header.payload >= LARGE as u64 {
                self.begin_body(header, size);
                continue;
            }
            let total = header.len + header.payload as usize;
            if rest.len() < total {
                return Ok(None);
            }
            let payload = self.start + header.len..self.start + total;
            self.start += total;
            if header.last && matches!(self.stage, Stage::Between) {
                let kind = Kind::of(header.opcode);
                if kind == Kind::Text {
                    check_utf8(&self.buffer[payload.clone()])?;
                }
                return Ok(Some(kind.frame(Payload::Here(payload))));
            }
            let mut gathered = self.take_gathered(header.opcode);
            gathered.append(&self.buffer[payload]);
            if header.last {
                return gathered.finish().map(Some);
            }
            self.stage = Stage::Fragments(gathered);
        }
    }

    /// Whether a data frame may come now; and the size of the message with it.
    #[inline]
    fn check_order_and_size(&self, header: &Header) -> Result<u64, FrameError> {
        let (have, kind) = match (&self.stage, header.opcode) {
            (Stage::Fragments(gathered), CONTINUATION) => (gathered.have, gathered.kind),
            (Stage::Fragments(_), _) => return Err(FrameError::NotContinued),
            (_, CONTINUATION) => return Err(FrameError::NothingToContinue),
            (_, opcode) => (0, Kind::of(opcode)),
        };
        let size = header.payload + have as u64;
        // In a text the Engine.IO type is no part of the packet.
        let packet = size.saturating_sub(u64::from(kind == Kind::Text));
        if packet > self.max_message as u64 {
            return Err(FrameError::TooLarge { size: packet, limit: self.max_message });
        }
        Ok(size)
    }

    /// The message that a data frame belongs to: the one under way, or a new one.
    fn take_gathered(&mut self, opcode: u8) -> Gathered {
        match mem::replace(&mut self.stage, Stage::Between) {
            Stage::Fragments(gathered) => gathered,
            _ => Gathered { kind: Kind::of(opcode), block: Vec::new(), have: 0 },
        }
    }

    fn begin_body(&mut self, header: Header, size: u64) {
        let mut gathered = self.take_gathered(header.opcode);
        // The size was checked against the limit, which is a usize.
        let payload = header.payload as usize;
        self.has_large = true;
        let start = self.start + header.len;
        let end = self.end.min(start + payload);
        gathered.reserve(end - start, size as usize);
        gathered.append(&self.buffer[start..end]);
        self.start = end;
        let missing = payload - (end - start);
        self.stage = Stage::Body(Box::new(Body { gathered, missing, last: header.last }));
    }

    /// The large frame has come as a whole.
    fn end_body(&mut self) -> Result<Option<Frame>, FrameError> {
        match mem::replace(&mut self.stage, Stage::Between) {
            Stage::Body(body) if body.last => body.gathered.finish().map(Some),
            Stage::Body(body) => {
                self.stage = Stage::Fragments(body.gathered);
                Ok(None)
            }
            other => {
                self.stage = other;
                Ok(None)
            }
        }
    }

    fn control(&mut self, header: Header) -> Result<Option<Frame>, FrameError> {
        let total = header.len + header.payload as usize;
        if self.end - self.start < total {
            return Ok(None);
        }
        let payload = self.start + header.len..self.start + total;
        self.start += total;
        match header.opcode {
            PING => Ok(Some(Frame::Ping(payload))),
            PONG => Ok(Some(Frame::Pong(payload))),
            _ => parse_close(&self.buffer[payload]).map(Some),
        }
    }

    fn reads_body(&self) -> bool {
        matches!(&self.stage, Stage::Body(body) if body.missing > 0)
    }

    /// Moves what is not cut yet to the front, and grows the buffer if the last read filled it.
    ///
    /// What is not cut yet is less than one small frame, and stays at the front until that
    /// frame is cut: no byte is moved twice.
    fn make_room(&mut self) {
        if let Stage::Over = self.stage {
            (self.start, self.end) = (0, 0);
        }
        let filled = self.end == self.buffer.len();
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let full = self.end == self.buffer.len();
        let largest = if self.has_large { LARGEST_BUFFER } else { SMALL_FRAMES_BUFFER };
        let len = self.buffer.len();
        if full || (filled && len < largest) {
            let grown = if len < largest { (len * 4).min(largest) } else { len * 2 };
            self.buffer.resize(grown, 0);
        }
    }
}

impl Header {
    /// The header at the start of these bytes, if it has come as a whole.
    #[inline]
    fn parse(bytes: &[u8]) -> Result<Option<Self>, FrameError> {
        let [first, second, rest @ ..] = bytes else { return Ok(None) };
        if first & 0x70 != 0 {
            // The start of "HTTP/1.1", which is no valid frame either way.
            let is_http = (*first, *second) == (b'H', b'T');
            return Err(if is_http { FrameError::Http } else { FrameError::ReservedBits });
        }
        if second & 0x80 != 0 {
            return Err(FrameError::Masked);
        }
        let (last, opcode) = (first & 0x80 != 0, first & 0x0f);
        if !matches!(opcode, CONTINUATION | TEXT | BINARY | CLOSE | PING | PONG) {
            return Err(FrameError::UnknownOpCode(opcode));
        }
        if opcode >= CLOSE {
            if !last {
                return Err(FrameError::FragmentedControl);
            }
            if *second > 125 {
                return Err(FrameError::LongControl);
            }
        }
        let (len, payload) = match second {
            126 => {
                let Some(bytes) = rest.first_chunk() else { return Ok(None) };
                (4, u64::from(u16::from_be_bytes(*bytes)))
            }
            127 => {
                let Some(bytes) = rest.first_chunk() else { return Ok(None) };
                (10, u64::from_be_bytes(*bytes))
            }
            short => (2, u64::from(*short)),
        };
        match len {
            4 if payload < 126 => Err(FrameError::LongLength),
            10 if payload <= 0xffff => Err(FrameError::LongLength),
            10 if payload >> 63 != 0 => Err(FrameError::NegativeLength),
            _ => Ok(Some(Header { last, opcode, len, payload })),
        }
    }

    #[inline]
    fn is_control(&self) -> bool {
        self.opcode >= CLOSE
    }
}

impl Gathered {
    /// Makes room for `coming` bytes that are there, and for some of those that make the
    /// message `size` bytes long.
    fn reserve(&mut self, coming: usize, size: usize) {
        let have = self.have + coming;
        // One byte more, which the block of a text needs in the end.
        let wanted = size.min(have + AHEAD.max(have)) + 1;
        self.block.reserve_exact(wanted.saturating_sub(self.block.len()));
    }

    /// Appends bytes from the buffer. Nothing stands behind the payload then.
    fn append(&mut self, bytes: &[u8]) {
        debug_assert_eq!(self.have, self.block.len());
        self.block.extend_from_slice(bytes);
        self.have = self.block.len();
    }

    /// The memory for the next bytes of a large frame, `missing` of which are to come.
    fn space(&mut self, missing: usize) -> &mut [u8] {
        if self.have == self.block.len() {
            let size = self.have + missing;
            self.reserve(0, size);
            self.block.resize(size.min(self.block.capacity() - 1), 0);
        }
        &mut self.block[self.have..]
    }

    fn finish(mut self) -> Result<Frame, FrameError> {
        debug_assert_eq!(self.have, self.block.len());
        if self.kind == Kind::Text {
            check_utf8(&self.block)?;
            self.block.reserve_exact(1);
        }
        Ok(self.kind.frame(Payload::Own(self.block)))
    }
}

impl Kind {
    #[inline]
    fn of(opcode: u8) -> Self {
        if opcode == TEXT { Kind::Text } else { Kind::Binary }
    }

    #[inline]
    fn frame(self, payload: Payload) -> Frame {
        match self {
            Kind::Text => Frame::Text(payload),
            Kind::Binary => Frame::Binary(payload),
        }
    }
}

#[inline]
fn check_utf8(text: &[u8]) -> Result<(), FrameError> {
    if text.is_ascii() {
        return Ok(());
    }
    match std::str::from_utf8(text) {
        Ok(_) => Ok(()),
        Err(error) => Err(FrameError::Utf8(error.valid_up_to())),
    }
}

fn parse_close(payload: &[u8]) -> Result<Frame, FrameError> {
    match payload {
        [] => Ok(Frame::Close(None, String::new())),
        [_] => Err(FrameError::HalfCloseCode),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            // 1004 to 1006 and 1015 have a meaning only where no frame is sent, and the others
            // that are not listed here are not given out (RFC 6455, section 7.4, and IANA).
            if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
                return Err(FrameError::BadCloseCode(code));
            }
            match std::str::from_utf8(reason) {
                Ok(reason) => Ok(Frame::Close(Some(code), reason.to_owned())),
                Err(_) => Err(FrameError::CloseReasonUtf8),
            }
        }
    }
}

/// Frames with a payload of so many bytes and more get a block of their own.
const LARGE: usize = 16 * 1024;
/// So much memory is made for a large frame beyond what has come of it, or as much as has come.
const AHEAD: usize = 1024 * 1024;
/// Enough for a connection that is idle, of which a program may have thousands; one that is busy has
/// the largest after four reads.
const FIRST_BUFFER: usize = 512;
/// More at once, and what is cut from it has left the processor's nearer caches when it is taken.
const SMALL_FRAMES_BUFFER: usize = 64 * 1024;
/// Of larger frames each would take a read of its own and one for the header of the next.
const LARGEST_BUFFER: usize = 256 * 1024;

const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;

#[cfg(test)]
#[path = "decoder_tests.rs"]
mod tests;

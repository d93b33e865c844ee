//! What a WebSocket frame is (RFC 6455, section 5), and how one is written.
//!
//! Owns the kinds of frames, the rules that a frame can break, and the writing of frames.
//! Refuses to know what a payload means, and the socket. Reading is in [`super::decoder`].

#![forbid(unsafe_code)]

use std::fmt;
use std::ops::Range;

pub use super::decoder::Decoder;
use super::mask;
pub use super::mask::MaskKeys;

/// A message or a control frame that the server sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    /// A text message. Its UTF-8 was checked.
    Text(Payload),
    /// A binary message.
    Binary(Payload),
    /// A ping, to be answered with a pong of the same payload.
    Ping(Range<usize>),
    /// The answer to a ping.
    Pong(Range<usize>),
    /// The server closes: its code, if it gave one, and its reason, which may be empty.
    Close(Option<u16>, String),
}

/// Where the payload of a message is.
#[derive(Debug, PartialEq, Eq)]
pub enum Payload {
    /// In [`Decoder::bytes()`], until the decoder takes in more.
    Here(Range<usize>),
    /// In a block of its own: the payload was large, or came in fragments. The block of a text
    /// has room for one more byte.
    Own(Vec<u8>),
}

/// The kinds of frames that a client writes, with the numbers of the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum OpCode {
    /// A whole text message.
    Text = 0x1,
    /// A whole binary message.
    Binary = 0x2,
    /// The end of the connection; at most 125 bytes.
    Close = 0x8,
    /// A ping; at most 125 bytes.
    Ping = 0x9,
    /// A pong; at most 125 bytes.
    Pong = 0xA,
}

/// Which rule of the protocol, or which limit, a frame of the server broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// A reserved bit is set, though no extension was agreed upon.
    ReservedBits,
    /// Not a frame, but an HTTP answer, as Node servers send when they change their mind after
    /// the handshake.
    Http,
    /// The frame is masked, which only a client's may be.
    Masked,
    /// The kind of frame is one that the protocol does not define.
    UnknownOpCode(u8),
    /// A ping, pong or close frame is not its last fragment.
    FragmentedControl,
    /// A ping, pong or close frame announces more than 125 bytes.
    LongControl,
    /// The length is written with more bytes than it needs.
    LongLength,
    /// The topmost bit of a length of 64 bits is set.
    NegativeLength,
    /// A continuation, but nothing was begun.
    NothingToContinue,
    /// A new message, but the one before it is not complete.
    NotContinued,
    /// The message is larger than the limit: how large as far as is known, and the limit.
    TooLarge {
        /// The bytes of the fragments so far, with those that the last one announces.
        size: u64,
        /// The limit in bytes.
        limit: usize,
    },
    /// A text message is not UTF-8 at this byte.
    Utf8(usize),
    /// A close frame has a payload of one byte, half a code.
    HalfCloseCode,
    /// A close frame has a code that must not be sent.
    BadCloseCode(u16),
    /// The reason in a close frame is not UTF-8.
    CloseReasonUtf8,
}

impl FrameError {
    /// The code with which a client closes for this error (RFC 6455, section 7.4.1).
    pub fn close_code(&self) -> u16 {
        match self {
            FrameError::Utf8(_) | FrameError::CloseReasonUtf8 => 1007,
            FrameError::TooLarge { .. } => 1009,
            _ => 1002,
        }
    }
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FrameError::ReservedBits => {
                f.write_str("a WebSocket frame with a reserved bit set, though no extension is on")
            }
            FrameError::Http => f.write_str(
                "an HTTP answer instead of a WebSocket frame: the server refuses after all",
            ),
            FrameError::Masked => f.write_str("a masked WebSocket frame from the server"),
            FrameError::UnknownOpCode(code) => {
                write!(f, "a WebSocket frame of the unknown kind {code}")
            }
            FrameError::FragmentedControl => f.write_str("a WebSocket control frame in fragments"),
            FrameError::LongControl => {
                f.write_str("a WebSocket control frame of more than 125 bytes")
            }
            FrameError::LongLength => {
                f.write_str("a WebSocket frame whose length takes more bytes than it needs")
            }
            FrameError::NegativeLength => {
                f.write_str("a WebSocket frame whose length has its topmost bit set")
            }
            FrameError::NothingToContinue => {
                f.write_str("a WebSocket continuation frame, but no message was begun")
            }
            FrameError::NotContinued => {
                f.write_str("a new WebSocket message amid the fragments of another")
            }
            FrameError::TooLarge { size, limit } => write!(
                f,
                "a WebSocket message of {size} bytes or more, but max_message_bytes is {limit}"
            ),
            FrameError::Utf8(at) => {
                write!(f, "a WebSocket text message that is not UTF-8 at byte {at}")
            }
            FrameError::HalfCloseCode => {
                f.write_str("a WebSocket close frame with a payload of one byte")
            }
            FrameError::BadCloseCode(code) => {
                write!(f, "a WebSocket close frame with the code {code}, which must not be sent")
            }
            FrameError::CloseReasonUtf8 => {
                f.write_str("a WebSocket close frame whose reason is not UTF-8")
            }
        }
    }
}

impl std::error::Error for FrameError {}

/// Appends one whole frame; `fill` appends the payload, exactly `len` bytes, which are masked
/// where they lie.
#[inline]
pub fn write_frame(
    out: &mut Vec<u8>,
    opcode: OpCode,
    len: usize,
    key: [u8; 4],
    fill: impl FnOnce(&mut Vec<u8>),
) {
    write_header(out, opcode, len, key);
    let start = out.len();
    fill(out);
    debug_assert_eq!(out.len() - start, len, "the payload is as long as announced");
    mask::apply(key, &mut out[start..]);
}

/// Appends one whole frame with a payload that lies ready.
#[inline]
pub fn write_slice(out: &mut Vec<u8>, opcode: OpCode, payload: &[u8], key: [u8; 4]) {
    write_header(out, opcode, payload.len(), key);
    // Piece by piece, so that a large one is masked while it is in the processor's first cache. Every
    // piece but the last is a multiple of the key's length.
    for piece in payload.chunks(PIECE) {
        let start = out.len();
        out.extend_from_slice(piece);
        mask::apply(key, &mut out[start..]);
    }
}

/// So much of a payload is copied and masked at a time.
const PIECE: usize = 4096;

/// Takes the payload back out of the first frame of `frames`, which [`write_frame`] has written;
/// and what stands behind it. None if that is not a whole frame.
pub fn take_back(frames: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let [_, second, rest @ ..] = frames else { return None };
    let (len, rest) = match second & 0x7f {
        126 => {
            let (len, rest) = rest.split_first_chunk()?;
            (usize::from(u16::from_be_bytes(*len)), rest)
        }
        127 => {
            let (len, rest) = rest.split_first_chunk()?;
            (usize::try_from(u64::from_be_bytes(*len)).ok()?, rest)
        }
        short => (usize::from(short), rest),
    };
    let (key, rest) = rest.split_first_chunk()?;
    let (payload, behind) = rest.split_at_checked(len)?;
    let mut payload = payload.to_vec();
    mask::apply(*key, &mut payload);
    Some((payload, behind))
}

/// How many bytes a frame takes whose payload has `len` bytes.
#[inline]
pub fn frame_len(len: usize) -> usize {
    let length = match len {
        0..=125 => 0,
        126..=0xffff => 2,
        _ => 8,
    };
    2 + length + 4 + len
}

/// Appends the header of an unfragmented, masked frame, and makes room for its payload.
#[inline]
fn write_header(out: &mut Vec<u8>, opcode: OpCode, len: usize, key: [u8; 4]) {
    debug_assert!(
        len <= 125 || matches!(opcode, OpCode::Text | OpCode::Binary),
        "a control frame has at most 125 bytes"
    );
    let first = 0x80 | opcode as u8;
    out.reserve(frame_len(len));
    // Nearly all frames have one of the first two forms, whose headers are written in one piece.
    match len {
        0..=125 => {
            let [a, b, c, d] = key;
            out.extend_from_slice(&[first, 0x80 | len as u8, a, b, c, d]);
        }
        126..=0xffff => {
            let ([high, low], [a, b, c, d]) = ((len as u16).to_be_bytes(), key);
            out.extend_from_slice(&[first, 0x80 | 126, high, low, a, b, c, d]);
        }
        _ => {
            out.extend_from_slice(&[first, 0x80 | 127]);
            out.extend_from_slice(&(len as u64).to_be_bytes());
            out.extend_from_slice(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What RFC 6455 says a client's frame looks like, written the plain way.
    fn reference(opcode: u8, payload: &[u8], key: [u8; 4]) -> Vec<u8> {
        let mut frame = vec![0x80 | opcode];
        match payload.len() {
            len @ 0..=125 => frame.push(0x80 | len as u8),
            len @ 126..=65535 => {
                frame.push(0x80 | 126);
                frame.extend((len as u16).to_be_bytes());
            }
            len => {
                frame.push(0x80 | 127);
                frame.extend((len as u64).to_be_bytes());
            }
        }
        frame.extend(key);
        frame.extend(payload.iter().enumerate().map(|(index, byte)| byte ^ key[index % 4]));
        frame
    }

    #[test]
    fn a_written_frame_is_the_one_of_the_protocol_for_every_form_of_length() {
        let key = [0xa1, 0x00, 0x5c, 0xff];
        for len in (0..300).chain([65_534, 65_535, 65_536, 65_537, 100_003]) {
            let payload: Vec<u8> = (0..len).map(|n| (n * 31 + 7) as u8).collect();
            let mut out = b"before".to_vec();
            write_frame(&mut out, OpCode::Binary, len, key, |out| out.extend(&payload));
            assert_eq!(&out[..6], b"before");
            assert!(out[6..] == reference(2, &payload, key), "{len} bytes");
            assert_eq!(out.len() - 6, frame_len(len));
            let mut sliced = Vec::new();
            write_slice(&mut sliced, OpCode::Text, &payload, key);
            assert!(sliced == reference(1, &payload, key), "{len} bytes");
        }
    }

    #[test]
    fn a_payload_is_taken_back_out_of_its_frame() {
        for len in (0..300).chain([65_535, 65_536, 100_003]) {
            let payload: Vec<u8> = (0..len).map(|n| (n * 31 + 7) as u8).collect();
            let mut out = Vec::new();
            write_slice(&mut out, OpCode::Binary, &payload, [9, 8, 7, 6]);
            assert_eq!(take_back(&out[..out.len() - 1]), None);
            out.extend_from_slice(b"behind");
            let (taken, behind) = take_back(&out).unwrap();
            assert!(taken == payload, "{len} bytes");
            assert_eq!(behind, b"behind");
        }
        assert_eq!(take_back(b""), None);
    }

    #[test]
    fn control_frames_have_their_numbers() {
        for (opcode, number) in [(OpCode::Close, 8), (OpCode::Ping, 9), (OpCode::Pong, 10)] {
            let mut out = Vec::new();
            write_slice(&mut out, opcode, b"hello", [1, 2, 3, 4]);
            assert_eq!(out, reference(number, b"hello", [1, 2, 3, 4]));
        }
    }

    #[test]
    fn writing_makes_room_for_the_whole_frame_at_once() {
        let mut out = Vec::new();
        write_frame(&mut out, OpCode::Text, 1000, [1; 4], |out| {
            assert!(out.capacity() - out.len() >= 1000);
            out.resize(out.len() + 1000, b'x');
        });
    }

    #[test]
    fn each_error_closes_with_the_code_that_the_protocol_names() {
        assert_eq!(FrameError::Utf8(0).close_code(), 1007);
        assert_eq!(FrameError::CloseReasonUtf8.close_code(), 1007);
        assert_eq!(FrameError::TooLarge { size: 2, limit: 1 }.close_code(), 1009);
        assert_eq!(FrameError::Masked.close_code(), 1002);
        let text = FrameError::TooLarge { size: 2, limit: 1 }.to_string();
        assert!(text.contains("max_message_bytes"), "{text}");
    }
}

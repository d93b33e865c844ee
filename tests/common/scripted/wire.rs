//! WebSocket frames and HTTP requests as bytes, right and wrong ones alike.
//!
//! Owns: the layout. Refuses to know who sends what when.

#![forbid(unsafe_code)]

use std::time::Instant;

/// Opcodes of frames.
pub mod opcode {
    pub const CONTINUATION: u8 = 0;
    pub const TEXT: u8 = 1;
    pub const BINARY: u8 = 2;
    pub const CLOSE: u8 = 8;
    pub const PING: u8 = 9;
    pub const PONG: u8 = 10;
}

/// A frame to send: a right one from the constructors, made wrong by the methods.
#[derive(Clone, Debug)]
pub struct Frame {
    fin: bool,
    rsv: u8,
    opcode: u8,
    mask: Option<[u8; 4]>,
    announced: Option<u64>,
    payload: Vec<u8>,
}

impl Frame {
    pub fn new(opcode: u8, payload: impl Into<Vec<u8>>) -> Frame {
        let payload = payload.into();
        Frame { fin: true, rsv: 0, opcode, mask: None, announced: None, payload }
    }

    pub fn text(text: impl Into<String>) -> Frame {
        Frame::new(opcode::TEXT, text.into())
    }

    pub fn binary(bytes: impl Into<Vec<u8>>) -> Frame {
        Frame::new(opcode::BINARY, bytes)
    }

    pub fn ping(bytes: impl Into<Vec<u8>>) -> Frame {
        Frame::new(opcode::PING, bytes)
    }

    pub fn pong(bytes: impl Into<Vec<u8>>) -> Frame {
        Frame::new(opcode::PONG, bytes)
    }

    pub fn close(code: u16, reason: &str) -> Frame {
        Frame::new(opcode::CLOSE, [&code.to_be_bytes(), reason.as_bytes()].concat())
    }

    /// A part of a message to which more is to come.
    pub fn not_final(mut self) -> Frame {
        self.fin = false;
        self
    }

    /// Sets reserved bits: 4, 2 and 1 for RSV1, RSV2 and RSV3.
    pub fn rsv(mut self, bits: u8) -> Frame {
        self.rsv = bits;
        self
    }

    /// Masks the payload, as only a client may.
    pub fn masked(mut self, key: [u8; 4]) -> Frame {
        self.mask = Some(key);
        self
    }

    /// Announces another length than that of the payload.
    pub fn announcing(mut self, length: u64) -> Frame {
        self.announced = Some(length);
        self
    }

    /// The frame in bytes.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.payload.len() + 14);
        bytes.push(u8::from(self.fin) << 7 | self.rsv << 4 | self.opcode);
        let length = self.announced.unwrap_or(self.payload.len() as u64);
        let mask_bit = u8::from(self.mask.is_some()) << 7;
        match length {
            0..126 => bytes.push(mask_bit | length as u8),
            126..65536 => {
                bytes.push(mask_bit | 126);
                bytes.extend((length as u16).to_be_bytes());
            }
            _ => {
                bytes.push(mask_bit | 127);
                bytes.extend(length.to_be_bytes());
            }
        }
        bytes.extend(self.mask.iter().flatten());
        bytes.extend(&self.payload);
        if let Some(key) = self.mask {
            let start = bytes.len() - self.payload.len();
            unmask(&mut bytes[start..], key);
        }
        bytes
    }
}

/// Cuts a message into as many fragments as there are parts.
pub fn fragments(opcode: u8, parts: &[&[u8]]) -> Vec<Frame> {
    let last = parts.len().saturating_sub(1);
    let frame = |(i, part): (usize, &&[u8])| {
        let frame = Frame::new(if i == 0 { opcode } else { opcode::CONTINUATION }, *part);
        if i == last { frame } else { frame.not_final() }
    };
    parts.iter().enumerate().map(frame).collect()
}

/// A frame that came from the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    pub fin: bool,
    pub rsv: u8,
    pub opcode: u8,
    /// The masking key; a client that sends none breaks the protocol.
    pub key: Option<[u8; 4]>,
    /// Without the mask.
    pub payload: Vec<u8>,
    /// When its last byte was there.
    pub at: Instant,
}

impl Received {
    /// The text of a text frame, with what is not UTF-8 replaced.
    pub fn text(&self) -> Option<String> {
        let is_text = self.opcode == opcode::TEXT;
        is_text.then(|| String::from_utf8_lossy(&self.payload).into_owned())
    }

    /// The bytes of a binary frame.
    pub fn binary(&self) -> Option<&[u8]> {
        (self.opcode == opcode::BINARY).then_some(&self.payload)
    }

    /// The code of a close frame; 1005 if it has none.
    pub fn close_code(&self) -> Option<u16> {
        let code = |bytes: &[u8; 2]| u16::from_be_bytes(*bytes);
        (self.opcode == opcode::CLOSE).then(|| self.payload.first_chunk().map_or(1005, code))
    }

    /// Whether it is a text, binary or continuation frame.
    pub fn is_data(&self) -> bool {
        self.opcode < opcode::CLOSE
    }
}

/// Takes the first frame out of the buffer, if it is there as a whole.
pub fn take_frame(buffer: &mut Vec<u8>) -> Option<Received> {
    let [first, second, ..] = buffer[..] else { return None };
    let (length, header) = match second & 127 {
        126 => (u64::from(u16::from_be_bytes(*buffer.get(2..)?.first_chunk()?)), 4),
        127 => (u64::from_be_bytes(*buffer.get(2..)?.first_chunk()?), 10),
        length => (u64::from(length), 2),
    };
    let masked = second & 128 != 0;
    let key: Option<[u8; 4]> =
        if masked { Some(*buffer.get(header..)?.first_chunk()?) } else { None };
    let start = header + if masked { 4 } else { 0 };
    let end = start + usize::try_from(length).ok()?;
    if buffer.len() < end {
        return None;
    }
    let mut payload = buffer[start..end].to_vec();
    buffer.drain(..end);
    unmask(&mut payload, key.unwrap_or_default());
    let (fin, rsv, opcode) = (first & 128 != 0, first >> 4 & 7, first & 15);
    Some(Received { fin, rsv, opcode, key, payload, at: Instant::now() })
}

/// Whether a whole frame is there.
pub fn has_frame(buffer: &[u8]) -> bool {
    take_frame(&mut buffer.to_vec()).is_some()
}

fn unmask(payload: &mut [u8], key: [u8; 4]) {
    for (byte, key) in payload.iter_mut().zip(key.iter().cycle()) {
        *byte ^= key;
    }
}

/// The head of a request.
#[derive(Clone, Debug)]
pub struct Request {
    /// The request line, such as `GET /socket.io/?EIO=4 HTTP/1.1`.
    pub line: String,
    /// In order, names as they were written.
    pub headers: Vec<(String, String)>,
    /// When its last byte was there.
    pub at: Instant,
}

impl Request {
    /// Path and query.
    pub fn target(&self) -> &str {
        self.line.split(' ').nth(1).unwrap_or_default()
    }

    /// The first value of a header; its name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.header_values(name).first().copied()
    }

    /// All values of a header, in order.
    pub fn header_values(&self, name: &str) -> Vec<&str> {
        let named = self.headers.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str()).collect()
    }
}

/// Takes the head of a request out of the buffer, if it is there as a whole.
pub fn take_request(buffer: &mut Vec<u8>) -> Option<Request> {
    let end = buffer.windows(4).position(|four| four == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
    buffer.drain(..end + 4);
    let mut lines = head.split("\r\n");
    let line = lines.next().unwrap_or_default().to_owned();
    let header = |line: &str| {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        (name.to_owned(), value.trim().to_owned())
    };
    Some(Request { line, headers: lines.map(header).collect(), at: Instant::now() })
}

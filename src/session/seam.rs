//! What goes into the session and what comes out of it.
//!
//! Owns the types at the border: whoever has read them has read what the session does. Refuses to
//! know how any of it comes about.

#![forbid(unsafe_code)]

use std::time::Duration;

use crate::error::{Failure, Phase};
use crate::packet::engine;
use crate::packet::socket::{BlockLayout, Packet};

/// What one connect is to do. Read once, as it begins.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The namespace as it is sent, a `?query` included; empty for "/".
    pub namespace: String,
    /// JSON text that goes with the request for the namespace.
    pub auth: Option<String>,
    /// The limit of one attempt, from the name lookup to the namespace.
    pub attempt_timeout: Duration,
    /// The limit of the WebSocket handshake, counted from the moment that TCP is connected.
    pub request_timeout: Duration,
    /// The most bytes of one packet together with its attachments.
    pub max_message_bytes: usize,
    /// The most attachments of one packet.
    pub max_attachments: usize,
    /// Whether the limit that the server announces binds what is sent.
    pub enforce_max_payload: bool,
    /// The URL for the texts of failures, without credentials.
    pub target: String,
}

impl Default for Settings {
    /// What the options are if nobody sets them.
    fn default() -> Self {
        Settings {
            namespace: String::new(),
            auth: None,
            attempt_timeout: Duration::from_secs(20),
            request_timeout: Duration::from_secs(5),
            max_message_bytes: 100 << 20,
            max_attachments: 1024,
            enforce_max_payload: true,
            target: String::new(),
        }
    }
}

/// Where the client is in its life, as the program sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Never connected.
    New,
    /// The first connection is being made.
    Connecting,
    /// The namespace is connected: events flow.
    Connected,
    /// Our disconnect is sending what is left and taking leave.
    Closing,
    /// The connection ended for good, or never came about.
    Closed,
}

/// Why a connection ended that had been established.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The server left the namespace.
    ServerDisconnect,
    /// The program left.
    ClientDisconnect,
    /// The server was silent for longer than its heartbeat allows.
    PingTimeout,
    /// The connection was closed in an orderly way.
    TransportClose,
    /// The connection broke.
    TransportError,
    /// The server sent what the protocol does not allow.
    ParseError,
}

impl Reason {
    /// The words that every Socket.IO client uses for it.
    pub fn name(self) -> &'static str {
        match self {
            Reason::ServerDisconnect => "io server disconnect",
            Reason::ClientDisconnect => "io client disconnect",
            Reason::PingTimeout => "ping timeout",
            Reason::TransportClose => "transport close",
            Reason::TransportError => "transport error",
            Reason::ParseError => "parse error",
        }
    }
}

/// How our leaving ended for what had been emitted before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// The server answered the ping that followed the last packet: it has everything.
    Confirmed,
    /// The time ran out before that answer came.
    Unknown,
    /// The connection ended before that answer came.
    Lost,
}

/// Numbers that only grow, counted since the client was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Connection attempts begun.
    pub attempts: u64,
    /// Namespaces established.
    pub connects: u64,
    /// Socket.IO packets received, those for other namespaces included, attachments not.
    pub packets_received: u64,
    /// Acknowledgements for which no call waited: late, unknown or sent twice.
    pub late_acks: u64,
    /// Packets for namespaces that are not ours.
    pub foreign_packets: u64,
}

/// What happened on the link that the last [`Action::Dial`] asked for, or to what waits for it.
/// What an earlier link reports must not be handed in any more.
#[derive(Debug)]
pub enum Input<'a> {
    /// The dial reached this step: the name lookup, TCP, or the WebSocket handshake.
    Phase(Phase),
    /// The WebSocket is open.
    Open,
    /// The link did not come about.
    Failed(Failure),
    /// An Engine.IO packet; a message goes as [`Input::Packet`] instead.
    Engine(engine::Packet<'a>),
    /// A Socket.IO packet.
    Packet {
        /// Its parts, as ranges into `text`.
        packet: &'a Packet,
        /// The text that it was parsed from.
        text: Text<'a>,
    },
    /// A binary message: an attachment.
    Binary(Attachment<'a>),
    /// A WebSocket ping with its payload.
    WebSocketPing(&'a [u8]),
    /// A WebSocket pong with its payload.
    WebSocketPong(&'a [u8]),
    /// The server's WebSocket close frame: its code and its reason.
    WebSocketClose(Option<u16>, String),
    /// A frame or a packet that cannot be read; the text says why.
    Malformed(String),
    /// The server shut down its sending side.
    Eof,
    /// Reading or writing failed.
    Lost {
        /// What the system said.
        text: String,
        /// Its number for that.
        os_error: Option<i32>,
    },
    /// Everything that waited to be sent, what [`transmit`](super::Session::transmit) gave
    /// included, is with the operating system.
    Drained,
}

/// The text of a Socket.IO packet: borrowed from the decoder, or a block of its own if it is large.
#[derive(Debug)]
pub enum Text<'a> {
    /// A small one, valid until the decoder reads on. The bytes are valid UTF-8.
    Here(&'a [u8]),
    /// A large one. The bytes are valid UTF-8.
    Own(Vec<u8>),
}

impl Text<'_> {
    /// The bytes of the text.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Text::Here(text) => text,
            Text::Own(text) => text,
        }
    }
}

/// The bytes of an attachment: borrowed from the decoder, or a block of their own if it is large.
#[derive(Debug)]
pub enum Attachment<'a> {
    /// A small one, valid until the decoder reads on.
    Here(&'a [u8]),
    /// A large one.
    Own(Vec<u8>),
}

impl Attachment<'_> {
    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Attachment::Here(bytes) => bytes,
            Attachment::Own(bytes) => bytes,
        }
    }
}

/// What an input brought for the program.
#[derive(Debug)]
pub enum Event<'a, C> {
    /// Nothing.
    Nothing,
    /// An event. Until the state is Connected it is to be held back.
    Message {
        /// The number under which the server wants an answer.
        id: Option<u64>,
        /// The event.
        parcel: Parcel<'a>,
    },
    /// The answer to a call, which no longer waits.
    Reply {
        /// What [`begin_call`](super::Session::begin_call) was given.
        call: C,
        /// The answer.
        parcel: Parcel<'a>,
    },
}

/// The content of an event or of an answer.
#[derive(Debug)]
pub enum Parcel<'a> {
    /// A packet without attachments, not yet made into a block.
    Plain {
        /// Its parts, as ranges into `text`.
        packet: &'a Packet,
        /// The text that it was parsed from.
        text: Text<'a>,
    },
    /// A packet with all its attachments. Both vectors are the session's, which uses them again:
    /// a large `block` may be taken away whole, a small one is better copied.
    Assembled {
        /// Name, NUL, arguments, NUL; then the small attachments, each at a multiple of 16 bytes
        /// from the start.
        block: &'a mut Vec<u8>,
        /// Where name and arguments are in it.
        layout: BlockLayout,
        /// The attachments in their order.
        parts: &'a mut Vec<Part>,
    },
}

/// Where one attachment of an assembled packet is.
#[derive(Debug, PartialEq, Eq)]
pub enum Part {
    /// In the block.
    Within {
        /// The offset of its first byte from the start of the block.
        start: usize,
        /// How many bytes it has.
        len: usize,
    },
    /// In a block of its own.
    Own(Vec<u8>),
}

impl Part {
    /// Bytes that it has outside the block.
    pub fn outside(&self) -> usize {
        match self {
            Part::Within { .. } => 0,
            Part::Own(bytes) => bytes.len(),
        }
    }
}

/// A packet of the session's own that is to be framed and sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Transmit {
    /// An Engine.IO PONG with this payload.
    EnginePong(String),
    /// A WebSocket pong with this payload.
    WebSocketPong(Vec<u8>),
    /// The request for the namespace: Socket.IO text, without the Engine.IO type.
    Connect(Vec<u8>),
    /// A WebSocket ping with this payload.
    WebSocketPing(Vec<u8>),
    /// The leaving of the namespace: Socket.IO text, without the Engine.IO type.
    Disconnect(Vec<u8>),
    /// A WebSocket close frame with this code. Nothing follows it.
    WebSocketClose(u16),
}

/// What the driver is to do with the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Make a link to the server.
    Dial,
    /// Shut down the sending side and read on.
    ShutdownWrite,
    /// Part from the link in the background: send nothing more that waits, but a close frame if
    /// no frame is half sent; shut down the sending side, read to the end, close.
    Farewell {
        /// The code of the close frame.
        code: u16,
    },
    /// Close the link, or end the dial, now.
    Hangup,
}

/// Whether an event, a call or an answer may be sent now.
#[derive(Clone, Debug)]
pub enum Admission {
    /// It may.
    Ready,
    /// Not yet: the namespace is not connected.
    Wait,
    /// It may not, and this is why.
    Refused(Failure),
}

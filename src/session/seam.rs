//! What goes into the session and what comes out of it.
//!
//! Owns the types at the border: whoever has read them has read what the session does. Refuses to
//! know how any of it comes about.

#![forbid(unsafe_code)]

use std::time::Duration;

use crate::error::{Failure, Phase};
use crate::packet::engine;
use crate::packet::socket::{BlockLayout, Packet};
use crate::transport::Transport;

/// What an attempt is to do. The first one has it from connect, or from [`Input::Prepared`] if the
/// program's function goes first; each later one from [`Input::Prepared`].
#[derive(Clone, Debug)]
pub struct Settings {
    /// The namespace as it is sent, a `?query` included; empty for "/".
    pub namespace: String,
    /// JSON text that goes with the request for the namespace.
    pub auth: Option<String>,
    /// The transports in the order in which they are tried; not empty. WebSocket behind polling
    /// means that a session by polling is moved to it.
    pub transports: Vec<Transport>,
    /// The limit of one attempt, from the program's function to the namespace.
    pub attempt_timeout: Duration,
    /// The limit of each HTTP request but a poll, and of the WebSocket handshake, counted from the
    /// moment that the connection is there.
    pub request_timeout: Duration,
    /// The most bytes of one packet together with its attachments.
    pub max_message_bytes: usize,
    /// The most attachments of one packet.
    pub max_attachments: usize,
    /// Whether the limit that the server announces binds what is sent by WebSocket. By polling
    /// it always does.
    pub enforce_max_payload: bool,
    /// What follows a loss, and how long attempts wait.
    pub reconnection: Reconnection,
    /// Whether a first connection that fails is tried again too.
    pub retry_connect: bool,
    /// Whether an attempt is followed by another although the server refused the namespace.
    pub retry_refused: bool,
    /// The URL for the texts of failures, without credentials.
    pub target: String,
}

impl Default for Settings {
    /// What the options are if nobody sets them.
    fn default() -> Self {
        Settings {
            namespace: String::new(),
            auth: None,
            transports: vec![Transport::Polling, Transport::WebSocket],
            attempt_timeout: Duration::from_secs(20),
            request_timeout: Duration::from_secs(5),
            max_message_bytes: 100 << 20,
            max_attachments: 1024,
            enforce_max_payload: true,
            reconnection: Reconnection::default(),
            retry_connect: false,
            retry_refused: false,
            target: String::new(),
        }
    }
}

/// Whether a connection that was lost is made again, and the delays before each attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reconnection {
    /// Whether a loss is followed by attempts.
    pub enabled: bool,
    /// How many attempts may fail in a row; 0 for no limit. With `retry_connect` so many follow the
    /// first one.
    pub attempts: u64,
    /// The first delay; each further one is twice as long.
    pub min: Duration,
    /// The longest delay, also if `min` is more.
    pub max: Duration,
    /// By how many percent, 0 to 100, a delay may be shorter or longer.
    pub jitter: u32,
}

impl Default for Reconnection {
    /// What the options are if nobody sets them.
    fn default() -> Self {
        Reconnection {
            enabled: true,
            attempts: 0,
            min: Duration::from_secs(1),
            max: Duration::from_secs(5),
            jitter: 50,
        }
    }
}

/// Where the client is in its life, as the program sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Never connected.
    New,
    /// The first connection is being made, or the next attempt at it is waited for.
    Connecting,
    /// The namespace is connected: events flow.
    Connected,
    /// The connection was lost; it is being made again, or the next attempt is waited for.
    Reconnecting,
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
/// What an earlier link reports must not be handed in any more, nor what comes of an
/// [`Action::Prepare`] or [`Action::Probe`] that another action, or an end, has overtaken.
#[derive(Debug)]
pub enum Input<'a> {
    /// What comes of an [`Action::Prepare`]: what the options say now, or why there is no attempt.
    Prepared(Result<Box<Settings>, Failure>),
    /// The dial reached this step: the name lookup, TCP, TLS, the HTTP request of the handshake
    /// (polling), or the WebSocket handshake. It may go back, when a redirect dials anew.
    Phase(Phase),
    /// The WebSocket is open.
    Open,
    /// The link did not come about; or a request of a polling session that was there failed.
    Failed(Failure),
    /// The answer to a poll, or to the request of the handshake, has ended, and all its packets
    /// were handed in before.
    Polled {
        /// Whether they were NOOPs and nothing else.
        only_noop: bool,
    },
    /// The POST that [`post_begun`](super::Session::post_begun) told of was answered with success.
    Posted,
    /// The WebSocket of the probe is open.
    ProbeOpen,
    /// An Engine.IO packet came on the WebSocket of the probe.
    Probe(engine::Packet<'a>),
    /// The WebSocket of the probe did not open, closed, or brought what is no Engine.IO packet.
    ProbeFailed(String),
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
    /// The leaving of the namespace: Socket.IO text, without the Engine.IO type. By polling in a
    /// POST of its own.
    Disconnect(Vec<u8>),
    /// A WebSocket close frame with this code. Nothing follows it.
    WebSocketClose(u16),
    /// An Engine.IO CLOSE, by polling only, in a POST of its own. Nothing follows it.
    EngineClose,
    /// An Engine.IO UPGRADE: the first packet on the WebSocket behind [`Action::Switch`].
    Upgrade,
}

/// What the driver is to do with the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Have the program's function called, if there is one, read the options anew, and answer
    /// with [`Input::Prepared`]. Before the first attempt it comes only if connect was told so,
    /// before each later one always.
    Prepare,
    /// Make a link to the server. What is left of an earlier one is dropped. By polling it is the
    /// request of the handshake.
    Dial(Transport),
    /// Polling: begin the next poll. There is none under way.
    Poll,
    /// Polling: open a WebSocket to the same session beside it.
    Probe,
    /// Send a PING "probe" on the WebSocket of the probe.
    ProbePing,
    /// Drop the WebSocket of the probe; the session stays with polling.
    ProbeDrop,
    /// Hear the probe no more. Its WebSocket ends with the link, and not before.
    ProbeForget,
    /// The WebSocket of the probe is the link from now on. Neither poll nor POST is under way.
    Switch,
    /// Shut down the sending side and read on.
    ShutdownWrite,
    /// Part from the link in the background: send nothing more that waits, but a close frame if
    /// no frame is half sent; shut down the sending side, read to the end, close. By polling: drop
    /// both requests and a probe, and make one attempt to hand a CLOSE to a connection that was
    /// kept.
    Farewell {
        /// The code of the close frame.
        code: u16,
    },
    /// Close the link and a probe, or end the dial, now.
    Hangup,
}

/// A change for the program and for the log. Each is told once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// The namespace is connected.
    Connected {
        /// How many attempts it took since the last connection, or since connect.
        attempts: u64,
    },
    /// A link or an attempt ended.
    Ended {
        /// Why.
        failure: Failure,
        /// The same in one of the words of [`Reason::name`], if the namespace had been connected
        /// since connect, else `None`.
        reason: Option<Reason>,
        /// The delay until the next attempt; `None` if this is final.
        next: Option<Duration>,
        /// Whether the namespace was connected until now, so that this is the loss of a connection
        /// and not of an attempt.
        connected: bool,
    },
    /// The session has moved from polling to WebSocket.
    Upgraded,
    /// It has not, and goes on by polling; the text says why.
    ProbeFailed(String),
}

/// Whether an event, a call or an answer may be sent now.
#[derive(Clone, Debug)]
pub enum Admission {
    /// It may.
    Ready,
    /// Not yet: the namespace is not connected, or not yet again.
    Wait,
    /// It may not, and this is why.
    Refused(Failure),
}

//! The two roads of Engine.IO packets: WebSocket frames and HTTP bodies, cut from bytes and laid
//! into bytes.
//!
//! Owns the framing of RFC 6455 with its opening handshake, and the bodies of HTTP long-polling,
//! all as codecs over memory. Refuses
//! to know what is inside a message (Engine.IO, Socket.IO), and where the bytes come from or go:
//! there is no socket here, no clock, and no lock.

#![forbid(unsafe_code)]

pub mod decoder;
pub mod frame;
pub mod mask;
pub mod polling;
pub mod refusal;
pub mod websocket;

/// How packets travel ("Transports" in the Engine.IO protocol document).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// HTTP long-polling.
    Polling,
    /// WebSocket.
    WebSocket,
}

impl Transport {
    /// The word of the protocol for it.
    pub fn name(self) -> &'static str {
        match self {
            Transport::Polling => "polling",
            Transport::WebSocket => "websocket",
        }
    }
}

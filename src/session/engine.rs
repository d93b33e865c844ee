//! The Engine.IO side of a session: handshake, heartbeat, limits, and the WebSocket's own control
//! frames.
//!
//! Owns what the server's handshake said and the clock of its silence. Refuses to know Socket.IO:
//! that the request for the namespace follows the handshake is all it hands on.

#![forbid(unsafe_code)]

use std::time::Duration;

use super::reassembly::PROTOCOL_ERROR;
use super::seam::{Action, Reason, Transmit};
use super::texts::{self, Loss};
use super::time::Moment;
use super::{Session, Stage, Step};
use crate::error::{Failure, Status};
use crate::packet::engine::{self, Packet};
use crate::packet::socket;
use crate::transport::Transport;

/// What the handshake said, and when the server was last heard.
#[derive(Debug, Default)]
pub(super) struct Engine {
    /// The server's id for the Engine.IO session.
    pub(super) sid: String,
    /// What each packet must be smaller than.
    pub(super) max_payload: Option<u64>,
    /// So long the server may say nothing; `None` before the handshake.
    pub(super) silence: Option<Duration>,
    /// Whether the session can be moved to WebSocket.
    pub(super) can_upgrade: bool,
    /// When a byte last came.
    heard: Moment,
}

impl Engine {
    /// A byte came.
    #[inline]
    pub(super) fn touch(&mut self, now: Moment) {
        self.heard = now;
    }

    /// Nothing was read for so long, up to now, because reading was paused.
    pub(super) fn shift(&mut self, pause: Duration, now: Moment) {
        self.heard = (self.heard + pause).min(now);
    }

    /// When the connection counts as dead.
    pub(super) fn deadline(&self) -> Option<Moment> {
        self.silence.map(|silence| self.heard + silence)
    }
}

impl<C> Session<C> {
    /// An Engine.IO packet other than a message.
    pub(super) fn engine_packet(&mut self, packet: Packet<'_>, now: Moment) {
        match packet {
            Packet::Open(json) => self.engine_open(json, now),
            Packet::Close => self.engine_close(now),
            Packet::Ping(payload) => {
                self.reassembly.untouch();
                let payload = if payload.len() <= ECHO_LIMIT { payload } else { "" };
                self.queue_pong(Transmit::EnginePong(payload.into()));
            }
            // A PONG was not asked for, and an UPGRADE means nothing to the reference client.
            Packet::Pong(_) | Packet::Noop | Packet::Upgrade => self.reassembly.untouch(),
            Packet::Message(_) => {
                debug_assert!(false, "messages are handed in as Input::Packet");
            }
        }
    }

    /// A WebSocket ping.
    pub(super) fn websocket_ping(&mut self, payload: &[u8]) {
        self.reassembly.untouch();
        if self.carrier != Some(Transport::WebSocket) {
            return;
        }
        self.queue_pong(Transmit::WebSocketPong(payload.into()));
    }

    /// The server's close frame.
    pub(super) fn websocket_close(&mut self, code: Option<u16>, words: &str, now: Moment) {
        let what = texts::websocket_closed(code, words);
        // The answer repeats the code, unless it is one that no frame may carry.
        let sendable = code.filter(|code| !matches!(code, ..1000 | 1004..=1006 | 1015..3000));
        let parting = Action::Farewell { code: sendable.unwrap_or(NORMAL) };
        let mut loss = Loss::new(Reason::TransportClose, what, parting);
        loss.details.close_code = code;
        self.closed_by_server(loss, now);
    }

    /// What the server sent does not keep to the protocol.
    pub(super) fn malformed(&mut self, what: impl Into<String>, code: u16, now: Moment) {
        self.lose(Loss::new(Reason::ParseError, what, Action::Farewell { code }), now);
    }

    /// Nothing came for as long as the heartbeat allows.
    pub(super) fn heartbeat_expired(&mut self, now: Moment) {
        let silence = self.engine.silence.unwrap_or_default();
        let what = format!(
            "nothing came from the server for {} ms (its pingInterval and pingTimeout)",
            silence.as_millis()
        );
        self.lose(Loss::new(Reason::PingTimeout, what, Action::Hangup), now);
    }

    fn engine_close(&mut self, now: Moment) {
        let what = "the server closed the Engine.IO session";
        let parting = Action::Farewell { code: NORMAL };
        self.closed_by_server(Loss::new(Reason::TransportClose, what, parting), now);
    }

    /// An orderly close. It is the answer to ours if that is under way, and the end of the
    /// stream, or the answer to our POST, follows.
    fn closed_by_server(&mut self, loss: Loss, now: Moment) {
        if self.has_parted() {
            self.polling.stop();
        } else {
            self.lose(loss, now);
        }
    }

    fn engine_open(&mut self, json: &str, now: Moment) {
        match (&self.stage, self.carrier) {
            (Stage::Attempt(attempt), _) if attempt.step == Step::Greeting => {}
            (Stage::Attempt(attempt), Some(Transport::Polling)) if !attempt.step.is_open() => {}
            (Stage::Attempt(attempt), _) if attempt.step != Step::Namespace => return,
            (Stage::Attempt(_) | Stage::Connected | Stage::Leaving(_), _) => {
                return self.malformed("a second Engine.IO handshake", PROTOCOL_ERROR, now);
            }
            (Stage::New | Stage::Waiting { .. } | Stage::Closed, _) => return,
        }
        let handshake = match engine::parse_handshake(json) {
            Ok(handshake) => handshake,
            Err(error) => return self.malformed(error.to_string(), PROTOCOL_ERROR, now),
        };
        self.engine = Engine {
            sid: handshake.sid,
            max_payload: handshake.max_payload,
            silence: Some(handshake.ping_interval.saturating_add(handshake.ping_timeout)),
            can_upgrade: handshake.upgrades.iter().any(|name| name == Transport::WebSocket.name()),
            heard: now,
        };
        let mut request = Vec::new();
        socket::write_connect(self.namespace(), self.settings.auth.as_deref(), &mut request);
        self.queue.push_back(Transmit::Connect(request));
        self.greeted();
    }

    /// Queues the answer to a ping in the place of an earlier one of its kind, so that a server
    /// that pings without end makes us hold one answer and no more.
    fn queue_pong(&mut self, pong: Transmit) {
        if self.has_parted() {
            // Nothing follows our close frame.
            return;
        }
        let kind = std::mem::discriminant(&pong);
        match self.queue.iter_mut().find(|queued| std::mem::discriminant(*queued) == kind) {
            Some(queued) => *queued = pong,
            None => self.queue.push_back(pong),
        }
    }

    /// Whether an event, a call or an answer is small enough for the server: each of its Engine.IO
    /// packets as encoded, the text with its type byte and each buffer, must be smaller than the
    /// `maxPayload` that the server announced. `text_len` counts the Socket.IO text without that
    /// byte. By polling a buffer is base64 with a type byte, and the limit always binds.
    pub fn check_size(
        &self,
        text_len: usize,
        buffers: &mut dyn Iterator<Item = usize>,
    ) -> Result<(), Failure> {
        let posts = self.carrier == Some(Transport::Polling);
        let binds = posts || self.settings.enforce_max_payload;
        let Some(limit) = self.engine.max_payload.filter(|_| binds) else {
            return Ok(());
        };
        let fits = |len: usize| u64::try_from(len).is_ok_and(|len| len < limit);
        let with_type = text_len.saturating_add(1);
        if !fits(with_type) {
            return Err(self.too_large("the text of the packet", with_type, limit));
        }
        for (index, len) in buffers.enumerate() {
            let len = if posts { base64_len(len) } else { len };
            if !fits(len) {
                return Err(self.too_large(&format!("buffer {index}"), len, limit));
            }
        }
        Ok(())
    }

    fn too_large(&self, what: &str, len: usize, limit: u64) -> Failure {
        Failure::new(
            Status::TooLarge,
            format!(
                "{what} has {len} bytes, and the server at {} announced that it takes only what \
                 is smaller than {limit} (maxPayload): send less at once, or raise the server's \
                 maxHttpBufferSize; nothing was sent",
                self.settings.target
            ),
        )
    }
}

/// How many bytes a buffer has by polling: its type byte and base64 with padding.
fn base64_len(len: usize) -> usize {
    len.div_ceil(3).saturating_mul(4).saturating_add(1)
}

/// The close code of an orderly end.
pub(super) const NORMAL: u16 = 1000;

/// A ping's payload is sent back up to this length. The protocol knows none but "probe", and an
/// answer that is too large would have the server close the connection.
const ECHO_LIMIT: usize = 125;

//! Taking leave so that nothing is lost that was emitted before.
//!
//! Owns the stages of leaving. Some servers drop events that they read together with a DISCONNECT
//! or a close, so by WebSocket first a ping goes out behind the last event, and only its pong, or a
//! second of silence, lets the rest follow; by polling each goes in a POST of its own, after
//! the one before it was answered. Refuses to know what waits to be sent: it is told when nothing
//! does any more.

#![forbid(unsafe_code)]

use std::time::Duration;

use super::engine::NORMAL;
use super::seam::{Action, Left, Reason, Transmit};
use super::time::Moment;
use super::{Session, Stage, texts};
use crate::error::{Failure, Status};
use crate::packet::socket;
use crate::transport::Transport;

/// The stages of leaving in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leaving {
    /// What was emitted is being sent.
    Flushing,
    /// The ping is being sent.
    Pinging,
    /// The ping is out; its pong is awaited as long as the server is not silent, and not after
    /// `latest`.
    Pinged { ends: Moment, latest: Moment },
    /// By polling, instead of both: the POST with DISCONNECT is under way, with the limit of every
    /// POST.
    Disconnecting,
    /// DISCONNECT and the close frame wait to be framed; by polling the Engine.IO CLOSE.
    Parting { ends: Moment },
    /// They are being sent.
    Parted { ends: Moment },
    /// Our side is shut down; the server's is read to its end.
    Shut { ends: Moment },
}

impl Leaving {
    /// When this stage ends by itself. The first have no end of their own, for sending takes
    /// the time that it takes: the program's deadline and the heartbeat bound them.
    pub(super) fn deadline(self) -> Option<Moment> {
        match self {
            Leaving::Flushing | Leaving::Pinging | Leaving::Disconnecting => None,
            Leaving::Pinged { ends, .. }
            | Leaving::Parting { ends }
            | Leaving::Parted { ends }
            | Leaving::Shut { ends } => Some(ends),
        }
    }

    /// Whether the outcome is known, so that a loss is nothing but the end that was awaited.
    pub(super) fn is_settled(self) -> bool {
        matches!(self, Leaving::Parting { .. } | Leaving::Parted { .. } | Leaving::Shut { .. })
    }

    /// Whether DISCONNECT is on its way or comes next, so that the server's is an answer to it.
    pub(super) fn has_parted(self) -> bool {
        self.is_settled() || self == Leaving::Disconnecting
    }

    /// Whether our sending side is shut down.
    pub(super) fn has_shut_down(self) -> bool {
        matches!(self, Leaving::Shut { .. })
    }
}

impl<C> Session<C> {
    /// Our disconnect. Connected, it begins to take leave; reading that was paused goes on.
    /// Connecting or reconnecting, it ends the attempt, or the wait for it, at once. In other
    /// states nothing happens.
    pub fn leave(&mut self, now: Moment) {
        match &self.stage {
            Stage::Connected => {
                self.resume(now);
                self.stage = Stage::Leaving(Leaving::Flushing);
                self.give_up_open_probe(now);
            }
            Stage::Attempt(_) | Stage::Waiting { .. } => {
                let failure = Failure::new(
                    Status::Disconnected,
                    format!(
                        "{} {} was ended by the program, which disconnected while {}",
                        self.doing(),
                        self.settings.target,
                        self.under_way()
                    ),
                );
                self.give_up(failure, now);
            }
            Stage::New | Stage::Leaving(_) | Stage::Closed => {}
        }
    }

    /// The ping that follows the last packet, once.
    pub(super) fn leaving_ping(&mut self) -> Option<Transmit> {
        match self.stage {
            Stage::Leaving(Leaving::Flushing) => {
                Some(Transmit::WebSocketPing(self.leaving_payload()))
            }
            _ => None,
        }
    }

    /// By polling: the DISCONNECT that follows the last POST, once, and not while the session is
    /// being moved to WebSocket.
    pub(super) fn leaving_disconnect(&mut self) -> Option<Transmit> {
        let Stage::Leaving(stage @ Leaving::Flushing) = &mut self.stage else { return None };
        if self.upgrade.is_answered() {
            return None;
        }
        *stage = Leaving::Disconnecting;
        let mut disconnect = Vec::new();
        socket::write_disconnect(self.namespace(), &mut disconnect);
        Some(Transmit::Disconnect(disconnect))
    }

    /// Something is about to be sent.
    pub(super) fn leaving_transmits(&mut self, what: &Transmit) {
        let Stage::Leaving(stage) = &mut self.stage else { return };
        match (what, *stage) {
            (Transmit::WebSocketPing(_), Leaving::Flushing) => *stage = Leaving::Pinging,
            (Transmit::WebSocketClose(_) | Transmit::EngineClose, Leaving::Parting { ends }) => {
                *stage = Leaving::Parted { ends };
            }
            _ => {}
        }
    }

    /// All that was to be sent is with the operating system.
    pub(super) fn leaving_drained(&mut self, now: Moment) {
        let Stage::Leaving(stage) = &mut self.stage else { return };
        if self.carrier != Some(Transport::WebSocket) {
            return;
        }
        match stage {
            Leaving::Pinging => {
                *stage = Leaving::Pinged { ends: now + PATIENCE, latest: now + LONGEST };
            }
            Leaving::Parted { .. } => {
                *stage = Leaving::Shut { ends: now + PATIENCE };
                self.actions.push_back(Action::ShutdownWrite);
            }
            Leaving::Flushing
            | Leaving::Disconnecting
            | Leaving::Pinged { .. }
            | Leaving::Parting { .. }
            | Leaving::Shut { .. } => {}
        }
    }

    /// By polling: a POST was answered.
    pub(super) fn leaving_posted(&mut self, now: Moment) {
        match self.stage {
            Stage::Leaving(Leaving::Disconnecting) => self.part(Left::Confirmed, now),
            Stage::Leaving(Leaving::Parted { .. }) => self.leave_by(Action::Hangup),
            _ => {}
        }
    }

    /// By polling: the POST that was under way is late, and it is the one with DISCONNECT.
    pub(super) fn leaving_unanswered(&mut self) {
        self.left.get_or_insert(Left::Unknown);
        self.leave_by(Action::Farewell { code: NORMAL });
    }

    /// Bytes came while the pong is awaited: the server lives and has only not got to our ping yet.
    #[cold]
    pub(super) fn leaving_touch(&mut self, now: Moment) {
        if let Stage::Leaving(Leaving::Pinged { ends, latest }) = &mut self.stage {
            *ends = (now + PATIENCE).min(*latest);
        }
    }

    /// A WebSocket pong: the server has everything if it is the one to our ping.
    pub(super) fn leaving_pong(&mut self, payload: &[u8], now: Moment) {
        let Stage::Leaving(Leaving::Pinging | Leaving::Pinged { .. }) = self.stage else { return };
        if payload == self.leaving_payload() {
            self.part(Left::Confirmed, now);
        }
    }

    /// The time of a stage is over.
    pub(super) fn leaving_ran_out(&mut self, now: Moment) {
        let Stage::Leaving(stage) = &self.stage else { return };
        match stage {
            Leaving::Flushing | Leaving::Pinging | Leaving::Disconnecting => {}
            Leaving::Pinged { .. } => self.part(Left::Unknown, now),
            Leaving::Parted { .. } if self.carrier == Some(Transport::Polling) => {
                self.leave_by(Action::Hangup);
            }
            Leaving::Parting { .. } | Leaving::Parted { .. } => {
                self.leaving_done(Action::Farewell { code: NORMAL });
            }
            // A server that has not confirmed yet may still be reading what was sent: a close with
            // unread input would reset the connection and lose it.
            Leaving::Shut { .. } => self.leave_by(match self.left {
                Some(Left::Confirmed) => Action::Hangup,
                _ => Action::Farewell { code: NORMAL },
            }),
        }
    }

    /// Leaving is over, and its outcome was known before.
    pub(super) fn leaving_done(&mut self, parting: Action) {
        match &self.stage {
            Stage::Leaving(stage) if stage.has_shut_down() => self.leave_by(Action::Hangup),
            _ => self.leave_by(parting),
        }
    }

    fn leave_by(&mut self, parting: Action) {
        let failure = texts::left(&self.settings.target, self.left);
        self.close(failure, Reason::ClientDisconnect, parting);
    }

    /// Whether we leave and have come to the last packets.
    pub(super) fn has_parted(&self) -> bool {
        matches!(self.stage, Stage::Leaving(stage) if stage.has_parted())
    }

    fn part(&mut self, left: Left, now: Moment) {
        self.left.get_or_insert(left);
        if self.carrier == Some(Transport::Polling) {
            self.queue.push_back(Transmit::EngineClose);
        } else {
            let mut disconnect = Vec::new();
            socket::write_disconnect(self.namespace(), &mut disconnect);
            self.queue.push_back(Transmit::Disconnect(disconnect));
            self.queue.push_back(Transmit::WebSocketClose(NORMAL));
        }
        self.stage = Stage::Leaving(Leaving::Parting { ends: now + PATIENCE });
    }

    /// Tells our ping's pong from one that the server sends of its own accord.
    fn leaving_payload(&self) -> Vec<u8> {
        format!("sio {}", self.counters.connects).into_bytes()
    }
}

/// How long a pong is awaited of a server that goes on sending: a program that disconnects without a
/// limit is to come to an end.
const LONGEST: Duration = Duration::from_secs(30);

/// So long a server has for the pong, for taking our last packets, and for closing its side.
const PATIENCE: Duration = Duration::from_secs(1);

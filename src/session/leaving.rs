//! Taking leave so that nothing is lost that was emitted before.
//!
//! Owns the stages of leaving. Some servers drop events that they read together with a DISCONNECT
//! or a close, so first a ping goes out behind the last event, and only its pong, or a second of
//! silence, lets the rest follow. Refuses to know what waits to be sent: it is told when
//! nothing does any more.

#![forbid(unsafe_code)]

use std::time::Duration;

use super::engine::NORMAL;
use super::seam::{Action, Left, Reason, Transmit};
use super::time::Moment;
use super::{Session, Stage, texts};
use crate::error::{Failure, Status};
use crate::packet::socket;

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
    /// DISCONNECT and the close frame wait to be framed.
    Parting { ends: Moment },
    /// They are being sent.
    Parted { ends: Moment },
    /// Our side is shut down; the server's is read to its end.
    Shut { ends: Moment },
}

impl Leaving {
    /// When this stage ends by itself. The first two have no end of their own, for sending takes
    /// the time that it takes: the program's deadline and the heartbeat bound them.
    pub(super) fn deadline(self) -> Option<Moment> {
        match self {
            Leaving::Flushing | Leaving::Pinging => None,
            Leaving::Pinged { ends, .. }
            | Leaving::Parting { ends }
            | Leaving::Parted { ends }
            | Leaving::Shut { ends } => Some(ends),
        }
    }

    /// Whether the outcome is known, so that a loss is nothing but the end that was awaited.
    pub(super) fn has_parted(self) -> bool {
        matches!(self, Leaving::Parting { .. } | Leaving::Parted { .. } | Leaving::Shut { .. })
    }

    /// Whether our sending side is shut down.
    pub(super) fn has_shut_down(self) -> bool {
        matches!(self, Leaving::Shut { .. })
    }
}

impl<C> Session<C> {
    /// Our disconnect. Connected, it begins to take leave; reading that was paused goes on.
    /// Connecting, it ends the attempt at once. In other states nothing happens.
    pub fn leave(&mut self, now: Moment) {
        match &self.stage {
            Stage::Connected => {
                self.resume(now);
                self.stage = Stage::Leaving(Leaving::Flushing);
            }
            Stage::Attempt { .. } => {
                let failure = Failure::new(
                    Status::Disconnected,
                    format!(
                        "connecting to {} was ended by the program, which disconnected while {}",
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

    /// Something is about to be sent.
    pub(super) fn leaving_transmits(&mut self, what: &Transmit) {
        let Stage::Leaving(stage) = &mut self.stage else { return };
        match (what, *stage) {
            (Transmit::WebSocketPing(_), Leaving::Flushing) => *stage = Leaving::Pinging,
            (Transmit::WebSocketClose(_), Leaving::Parting { ends }) => {
                *stage = Leaving::Parted { ends };
            }
            _ => {}
        }
    }

    /// All that was to be sent is with the operating system.
    pub(super) fn leaving_drained(&mut self, now: Moment) {
        let Stage::Leaving(stage) = &mut self.stage else { return };
        match stage {
            Leaving::Pinging => {
                *stage = Leaving::Pinged { ends: now + PATIENCE, latest: now + LONGEST };
            }
            Leaving::Parted { .. } => {
                *stage = Leaving::Shut { ends: now + PATIENCE };
                self.actions.push_back(Action::ShutdownWrite);
            }
            Leaving::Flushing
            | Leaving::Pinged { .. }
            | Leaving::Parting { .. }
            | Leaving::Shut { .. } => {}
        }
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
            Leaving::Flushing | Leaving::Pinging => {}
            Leaving::Pinged { .. } => self.part(Left::Unknown, now),
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
        let mut disconnect = Vec::new();
        socket::write_disconnect(self.namespace(), &mut disconnect);
        self.queue.push_back(Transmit::Disconnect(disconnect));
        self.queue.push_back(Transmit::WebSocketClose(NORMAL));
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

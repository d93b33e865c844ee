//! Moving a session from polling to WebSocket.
//!
//! Owns the order that loses and doubles nothing: a probe beside the polls, then the last poll comes
//! back, then the last POST is answered, and only then everything goes by WebSocket. Refuses to
//! know how packets travel: it says when.

#![forbid(unsafe_code)]

use std::time::Duration;

use super::Session;
use super::polling::Polling;
use super::seam::{Action, Report, Transmit};
use super::time::Moment;
use crate::packet::engine::Packet;
use crate::transport::Transport;

/// How far the probe of the session by polling is.
#[derive(Debug, Default)]
pub(super) enum Upgrade {
    /// There is none.
    #[default]
    None,
    /// Its WebSocket is being opened.
    Opening { ends: Moment },
    /// It is open, and the PING "probe" is on it.
    Probing { ends: Moment },
    /// The server has answered. No poll begins any more; the one under way is awaited, and POSTs
    /// go on.
    Draining,
    /// The poll is back. No POST begins any more; the one under way is awaited.
    Closing,
    /// It failed then; the session goes on by polling.
    Failed { at: Moment },
}

impl Upgrade {
    /// When the server's answer to the probe is late.
    pub(super) fn deadline(&self) -> Option<Moment> {
        match self {
            Upgrade::Opening { ends } | Upgrade::Probing { ends } => Some(*ends),
            Upgrade::None | Upgrade::Draining | Upgrade::Closing | Upgrade::Failed { .. } => None,
        }
    }

    /// Whether the server has answered the probe, so that the session is about to be moved.
    pub(super) fn is_answered(&self) -> bool {
        matches!(self, Upgrade::Draining | Upgrade::Closing)
    }

    /// Whether the server has not answered yet.
    fn is_open(&self) -> bool {
        matches!(self, Upgrade::Opening { .. } | Upgrade::Probing { .. })
    }
}

impl<C> Session<C> {
    /// The namespace is connected, by the transport with this place in the list: the probe begins
    /// if there is something to move to. After falling back from WebSocket nothing is left of the
    /// list.
    pub(super) fn start_probe(&mut self, index: usize, now: Moment) {
        let rest = self.settings.transports.get(index + 1..).unwrap_or_default();
        if self.carrier == Some(Transport::Polling)
            && self.engine.can_upgrade
            && rest.contains(&Transport::WebSocket)
            && !self.unprobed
        {
            let ends = now + self.settings.request_timeout.min(LONGEST);
            self.upgrade = Upgrade::Opening { ends };
            self.actions.push_back(Action::Probe);
        }
    }

    /// The WebSocket of the probe is open.
    pub(super) fn probe_opened(&mut self, _now: Moment) {
        if let Upgrade::Opening { ends } = self.upgrade {
            self.upgrade = Upgrade::Probing { ends };
            self.actions.push_back(Action::ProbePing);
        }
    }

    /// Something came on it.
    pub(super) fn probe_packet(&mut self, packet: Packet<'_>, now: Moment) {
        match (&self.upgrade, packet) {
            (Upgrade::Probing { .. }, Packet::Pong("probe")) => {
                self.upgrade = Upgrade::Draining;
                if self.polling.is_poll_back() {
                    self.poll_is_back();
                }
            }
            (_, packet) => {
                let what = match packet {
                    Packet::Open(_) => "an OPEN",
                    Packet::Close => "a CLOSE",
                    Packet::Ping(_) => "a PING",
                    Packet::Pong(_) => "another PONG",
                    Packet::Message(_) => "a message",
                    Packet::Upgrade => "an UPGRADE",
                    Packet::Noop => "a NOOP",
                };
                let why = format!("the server sent {what} where PONG \"probe\" belongs");
                self.probe_failed(why, now);
            }
        }
    }

    /// It did not open, or closed, or brought what means nothing there.
    pub(super) fn probe_failed(&mut self, why: String, now: Moment) {
        if !self.upgrade.is_open() && !self.upgrade.is_answered() {
            return;
        }
        self.upgrade = Upgrade::Failed { at: now };
        self.actions.push_back(Action::ProbeDrop);
        self.reports.push_back(Report::ProbeFailed(why));
        self.start_poll(now);
    }

    /// The server did not answer the probe in time.
    pub(super) fn probe_ran_out(&mut self, now: Moment) {
        let doing = match self.upgrade {
            Upgrade::Opening { .. } => "the WebSocket did not open",
            _ => "the server did not answer the probe",
        };
        let limit = self.settings.request_timeout.min(LONGEST);
        self.probe_failed(format!("{doing} within {} ms", limit.as_millis()), now);
    }

    /// We leave: a probe that was not answered yet is given up. Its socket ends with the link, and
    /// not before: there are servers that end the whole session with it, and what is emitted is
    /// still on its way.
    pub(super) fn give_up_open_probe(&mut self, now: Moment) {
        if self.upgrade.is_open() {
            self.upgrade = Upgrade::None;
            self.actions.push_back(Action::ProbeForget);
            self.start_poll(now);
        }
    }

    /// The last poll of a session that is being moved is back.
    pub(super) fn poll_is_back(&mut self) {
        self.upgrade = Upgrade::Closing;
        self.polling.hold();
        self.switch_if_quiet();
    }

    /// Moves the session if neither poll nor POST is under way.
    pub(super) fn switch_if_quiet(&mut self) {
        if !matches!(self.upgrade, Upgrade::Closing) || self.is_posting() {
            return;
        }
        self.upgrade = Upgrade::None;
        self.polling = Polling::default();
        self.carrier = Some(Transport::WebSocket);
        self.queue.push_front(Transmit::Upgrade);
        self.actions.push_back(Action::Switch);
        self.reports.push_back(Report::Upgraded);
    }

    /// The link ends. If it may have been for the probe, the next sessions go without, until one of
    /// them has lasted 5 s. `decided` says that the server ended it by a word or an answer, and not
    /// just the connection.
    pub(super) fn note_end_by_probe(&mut self, decided: bool, now: Moment) {
        let by_probe = match self.upgrade {
            Upgrade::Failed { at } => now.saturating_sub(at) <= SUSPICIOUS,
            Upgrade::Opening { .. } | Upgrade::Probing { .. } => decided,
            Upgrade::None | Upgrade::Draining | Upgrade::Closing => false,
        };
        // A server that was only killed amid an upgrade is probed again, once a session without a
        // probe has lasted.
        self.unprobed = by_probe || (self.unprobed && !self.rounds.has_lasted(now));
    }
}

/// The longest that a probe may take up to the server's answer.
const LONGEST: Duration = Duration::from_secs(5);

/// A session that ends so soon after a failed probe has ended because of it.
const SUSPICIOUS: Duration = Duration::from_secs(1);

//! An attempt to connect: the program's function, the link, the handshake, the namespace, by one
//! transport after the other.
//!
//! Owns the steps of an attempt, its limits, and the way from one transport to the next. Refuses to
//! know how a link is made, and what follows when all have failed: it is told how far the one has
//! come, and hands on the other.

#![forbid(unsafe_code)]

use std::time::Duration;

use super::engine::{Engine, NORMAL};
use super::polling::Polling;
use super::seam::{Action, Reason, Settings};
use super::texts::Loss;
use super::time::Moment;
use super::upgrade::Upgrade;
use super::{Session, Stage, Timer, socket, texts};
use crate::error::{Failure, Phase, Status};
use crate::transport::Transport;

/// An attempt that is under way.
#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) step: Step,
    begun: Moment,
    /// When `attempt_timeout` is over.
    ends: Moment,
    /// The place of its transport in the list.
    pub(super) index: usize,
    /// How the first transport failed, once another is tried.
    first: Option<(Transport, Failure)>,
}

/// The steps of an attempt in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The program's function runs, and the options are read.
    Prepare,
    /// The server's name is looked up.
    Resolve,
    /// TCP connects.
    Connect,
    /// TLS shakes hands.
    Tls,
    /// Polling: the request of the handshake, until its own limit.
    Request { ends: Moment },
    /// The WebSocket handshake, until its own limit.
    WebSocket { ends: Moment },
    /// The WebSocket is open; the Engine.IO handshake is awaited.
    Greeting,
    /// The namespace was asked for.
    Namespace,
}

impl Step {
    /// Whether the WebSocket is open, or the session by polling is there.
    pub(super) fn is_open(self) -> bool {
        matches!(self, Step::Greeting | Step::Namespace)
    }
}

impl Attempt {
    /// The limit that is over next.
    pub(super) fn due(&self) -> (Moment, Timer) {
        match self.step {
            Step::Request { ends } | Step::WebSocket { ends } if ends < self.ends => {
                (ends, Timer::Request)
            }
            _ => (self.ends, Timer::Attempt),
        }
    }

    /// How the first transport failed, for the text of what followed.
    pub(super) fn first(&self) -> Option<(Transport, &Failure)> {
        self.first.as_ref().map(|(transport, failure)| (*transport, failure))
    }
}

impl<C> Session<C> {
    /// Begins an attempt, with the program's function or with the link.
    pub(super) fn begin_attempt(&mut self, prepare: bool, now: Moment) {
        self.counters.attempts += 1;
        self.rounds.begun += 1;
        self.stage = Stage::Attempt(Attempt {
            step: Step::Prepare,
            begun: now,
            ends: now + self.settings.attempt_timeout,
            index: 0,
            first: None,
        });
        match prepare {
            true => self.actions.push_back(Action::Prepare),
            false => self.dial(),
        }
    }

    /// The program's function has run, and the options were read.
    pub(super) fn prepared(&mut self, outcome: Result<Box<Settings>, Failure>, now: Moment) {
        let Stage::Attempt(attempt @ Attempt { step: Step::Prepare, .. }) = &mut self.stage else {
            return;
        };
        match outcome {
            Ok(settings) => {
                attempt.ends = attempt.begun + settings.attempt_timeout;
                self.take_settings(*settings);
                self.dial();
            }
            Err(failure) => {
                self.attempt_failed(failure.in_phase(Phase::Prepare), Action::Hangup, now);
            }
        }
    }

    /// From now on these are in force.
    pub(super) fn take_settings(&mut self, settings: Settings) {
        debug_assert!(!settings.transports.is_empty(), "no transport to connect by");
        self.own = socket::without_query(&settings.namespace).into();
        self.settings = settings;
    }

    /// Makes the link of the attempt anew, by its transport.
    fn dial(&mut self) {
        let Stage::Attempt(attempt) = &mut self.stage else { return };
        let transport = self.settings.transports.get(attempt.index);
        let transport = transport.copied().unwrap_or(Transport::Polling);
        attempt.step = Step::Resolve;
        self.forget_link();
        self.carrier = Some(transport);
        if transport == Transport::Polling {
            self.polling = Polling::greeting();
        }
        self.actions.push_back(Action::Dial(transport));
    }

    /// Whatever there was of an earlier link is void.
    pub(super) fn forget_link(&mut self) {
        self.carrier = None;
        self.sid.clear();
        self.engine = Engine::default();
        self.polling = Polling::default();
        self.upgrade = Upgrade::default();
        self.reassembly.reset();
        self.queue.clear();
        self.actions.retain(|action| matches!(action, Action::Farewell { .. } | Action::Hangup));
    }

    /// The link is being made, and has come so far.
    pub(super) fn dial_reached(&mut self, phase: Phase, now: Moment) {
        let ends = now + self.settings.request_timeout;
        let Stage::Attempt(attempt) = &mut self.stage else { return };
        if attempt.step.is_open() {
            return;
        }
        attempt.step = match (phase, self.carrier, attempt.step) {
            (Phase::Resolve, ..) => Step::Resolve,
            (Phase::Connect, ..) => Step::Connect,
            (Phase::Tls, ..) => Step::Tls,
            // Told twice, a step does not begin anew.
            (_, _, step @ (Step::Request { .. } | Step::WebSocket { .. })) => step,
            (Phase::Http | Phase::Handshake, Some(Transport::Polling), _) => Step::Request { ends },
            (Phase::Http | Phase::Handshake, ..) => Step::WebSocket { ends },
            (_, _, step) => step,
        };
    }

    /// The WebSocket is open.
    pub(super) fn link_opened(&mut self) {
        if self.carrier == Some(Transport::WebSocket)
            && let Stage::Attempt(attempt) = &mut self.stage
            && !attempt.step.is_open()
        {
            attempt.step = Step::Greeting;
        }
    }

    /// The Engine.IO handshake is there.
    pub(super) fn greeted(&mut self) {
        let Stage::Attempt(attempt) = &mut self.stage else { return };
        if let Step::Request { ends } = attempt.step {
            self.polling.limit_handshake(ends);
        }
        attempt.step = Step::Namespace;
    }

    /// The link did not come about, or a request of a session by polling failed.
    pub(super) fn request_failed(&mut self, failure: Failure, now: Moment) {
        let Some(phase) = self.phase() else { return };
        if let Stage::Attempt(_) = self.stage {
            return self.attempt_failed(failure.in_phase(phase), Action::Hangup, now);
        }
        let mut loss = Loss::new(Reason::TransportError, failure.text, Action::Hangup);
        loss.details = *failure.details;
        self.lose(loss, now);
    }

    /// A limit of the attempt is over; `option` is its name in quotes.
    pub(super) fn attempt_ran_out(&mut self, option: &str, limit: Duration, now: Moment) {
        let Stage::Attempt(attempt) = &self.stage else { return };
        let parting = match attempt.step.is_open() {
            true => Action::Farewell { code: NORMAL },
            false => Action::Hangup,
        };
        let failure = self.ran_out(option, limit);
        self.attempt_failed(failure, parting, now);
    }

    /// The attempt failed by the transport that it was at. The next of the list is tried if the
    /// server may take that one.
    pub(super) fn attempt_failed(&mut self, failure: Failure, parting: Action, now: Moment) {
        let Stage::Attempt(attempt) = &mut self.stage else { return };
        let carrier = self.carrier;
        let step = attempt.step;
        let more = attempt.index + 1 < self.settings.transports.len() && now < attempt.ends;
        if more
            && let Some(carrier) = carrier.filter(|carrier| is_rejected(*carrier, step, &failure))
        {
            attempt.index += 1;
            attempt.first.get_or_insert((carrier, failure));
            return self.dial();
        }
        let failure = match (attempt.first.take(), carrier) {
            // The time of the whole attempt, or what an open link brought, says more.
            (Some((transport, first)), _) if step.is_open() || now >= attempt.ends => {
                texts::with_first(failure, transport, &first)
            }
            (Some((_, first)), Some(carrier)) => texts::with_second(first, carrier, &failure),
            (_, _) => failure,
        };
        let reason = Self::reason_of_attempt(&failure);
        self.end(failure, reason, parting, now);
    }
}

/// Whether the server answered and would not have the transport: what another one can mend.
fn is_rejected(carrier: Transport, step: Step, failure: &Failure) -> bool {
    match (carrier, step) {
        (Transport::Polling, _) => failure.details.http_status.is_some(),
        (Transport::WebSocket, Step::WebSocket { .. }) => !matches!(
            failure.status,
            Status::Tls | Status::Invalid | Status::Unsupported | Status::System | Status::Internal
        ),
        (Transport::WebSocket, _) => false,
    }
}

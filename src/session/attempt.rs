//! The attempt to connect, until its link is open.
//!
//! Owns the steps of an attempt and its two limits. Refuses to know how a link is made: it is told
//! how far that has come.

#![forbid(unsafe_code)]

use std::time::Duration;

use super::engine::NORMAL;
use super::seam::{Action, Reason};
use super::texts::Loss;
use super::time::Moment;
use super::{Session, Stage};
use crate::error::{Failure, Phase};

/// The steps of an attempt in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The server's name is looked up.
    Resolve,
    /// TCP connects.
    Connect,
    /// The WebSocket handshake, until its own limit.
    WebSocket { ends: Moment },
    /// The WebSocket is open; the Engine.IO handshake is awaited.
    Greeting,
    /// The namespace was asked for.
    Namespace,
}

impl Step {
    /// Whether the WebSocket is open.
    pub(super) fn is_open(self) -> bool {
        matches!(self, Step::Greeting | Step::Namespace)
    }
}

impl<C> Session<C> {
    /// The link is being made, and has come so far.
    pub(super) fn dial_reached(&mut self, phase: Phase, now: Moment) {
        let request_timeout = self.settings.request_timeout;
        let Stage::Attempt { step, .. } = &mut self.stage else { return };
        match (phase, *step) {
            (_, Step::WebSocket { .. } | Step::Greeting | Step::Namespace) => {}
            (Phase::Resolve, _) => *step = Step::Resolve,
            (Phase::Connect, _) => *step = Step::Connect,
            (Phase::Http | Phase::Handshake, _) => {
                *step = Step::WebSocket { ends: now + request_timeout };
            }
            (_, _) => {}
        }
    }

    /// The WebSocket is open.
    pub(super) fn link_opened(&mut self) {
        if let Stage::Attempt { step, .. } = &mut self.stage
            && !step.is_open()
        {
            *step = Step::Greeting;
        }
    }

    /// The link did not come about.
    pub(super) fn dial_failed(&mut self, failure: Failure) {
        let Some(phase) = self.phase() else { return };
        if let Stage::Attempt { .. } = self.stage {
            let failure = failure.in_phase(phase);
            return self.close(failure, Reason::TransportError, Action::Hangup);
        }
        let mut loss = Loss::new(Reason::TransportError, failure.text, Action::Hangup);
        loss.details = *failure.details;
        self.lose(loss);
    }

    /// A limit of the attempt is over; `option` is its name in quotes.
    pub(super) fn attempt_ran_out(&mut self, option: &str, limit: Duration) {
        let Stage::Attempt { step, .. } = self.stage else { return };
        let failure = self.timeout(option, limit);
        let parting = match step.is_open() {
            true => Action::Farewell { code: NORMAL },
            false => Action::Hangup,
        };
        self.close(failure, Reason::ClientDisconnect, parting);
    }

    pub(super) fn set_step(&mut self, next: Step) {
        if let Stage::Attempt { step, .. } = &mut self.stage {
            *step = next;
        }
    }
}

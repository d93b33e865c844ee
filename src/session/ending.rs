//! How a connection ends, whatever its stage.
//!
//! Owns the way out of it: what the program learns, what becomes of the link, and whether the next
//! stage is a wait or the end for good. Refuses to know which packet or timer brought it about, and
//! how long the wait is.

#![forbid(unsafe_code)]

use std::time::Duration;

use super::engine::NORMAL;
use super::reconnect::Next;
use super::seam::{Action, Admission, Left, Reason, Report};
use super::texts::{self, Loss};
use super::time::Moment;
use super::{Session, Stage};
use crate::error::{Failure, Phase, Status};

impl<C> Session<C> {
    /// Ends everything at once, because the program says so: its time is over, it was interrupted,
    /// or it frees the client. `failure` becomes what [`Session::ended`] tells.
    pub fn give_up(&mut self, failure: Failure, _now: Moment) {
        let Some(phase) = self.phase() else { return };
        let parting = match &self.stage {
            Stage::Attempt(attempt) if !attempt.step.is_open() => Action::Hangup,
            Stage::Leaving(stage) if stage.has_shut_down() => Action::Hangup,
            _ => Action::Farewell { code: NORMAL },
        };
        if let Stage::Leaving(_) = self.stage {
            self.left.get_or_insert(Left::Unknown);
        }
        self.close(failure.in_phase(phase), Reason::ClientDisconnect, parting);
    }

    /// Whether an event, a call or an answer may be sent now.
    pub fn admit(&self) -> Admission {
        match self.stage {
            Stage::Connected => Admission::Ready,
            Stage::Attempt(_) | Stage::Waiting { .. } => Admission::Wait,
            Stage::New | Stage::Leaving(_) | Stage::Closed => Admission::Refused(self.refusal()),
        }
    }

    /// The link, or what came over it, makes it impossible to go on.
    pub(super) fn lose(&mut self, loss: Loss, now: Moment) {
        match &self.stage {
            Stage::New | Stage::Waiting { .. } | Stage::Closed => {}
            Stage::Leaving(stage) if stage.is_settled() => self.leaving_done(loss.parting),
            Stage::Connected | Stage::Leaving(_) => self.lose_connection(loss, now),
            Stage::Attempt(attempt) => {
                let (step, namespace) = (attempt.step, self.shown_namespace());
                let failure = texts::attempt_lost(&loss, step, &self.settings.target, namespace);
                self.attempt_failed(failure, loss.parting, now);
            }
        }
    }

    /// A connection, or an attempt at one, has come to nothing. This is the one place where it is
    /// decided what that leads to.
    pub(super) fn end(
        &mut self,
        mut failure: Failure,
        reason: Reason,
        parting: Action,
        now: Moment,
    ) {
        match self.next(&failure, now) {
            Next::Attempt(delay) => {
                let until = now + delay;
                self.leave_stage(failure, reason, parting, Some(delay));
                self.stage = Stage::Waiting { until };
            }
            Next::Nothing(words) => {
                failure.text.push_str(words);
                self.close(failure, reason, parting);
            }
        }
    }

    /// Enters Closed. The one way there.
    pub(super) fn close(&mut self, failure: Failure, reason: Reason, parting: Action) {
        self.leave_stage(failure, reason, parting, None);
        self.stage = Stage::Closed;
    }

    /// The phase for a failure that happens now; `None` if there is no connection to fail.
    pub(super) fn phase(&self) -> Option<Phase> {
        match &self.stage {
            Stage::New | Stage::Closed => None,
            Stage::Attempt(attempt) => Some(texts::phase(attempt.step)),
            Stage::Connected | Stage::Leaving(_) => Some(Phase::Session),
            // What is waited for is to mend the last failure.
            Stage::Waiting { .. } => {
                let failed = self.ended.as_ref().and_then(|failure| failure.details.phase);
                Some(failed.unwrap_or(Phase::Connect))
            }
        }
    }

    fn lose_connection(&mut self, loss: Loss, now: Moment) {
        let target = &self.settings.target;
        let failure = match self.stage {
            Stage::Leaving(_) => {
                self.left.get_or_insert(Left::Lost);
                texts::lost_while_leaving(&loss, target)
            }
            _ => texts::lost(&loss, target),
        };
        let decided = loss.reason == Reason::TransportClose || loss.details.http_status.is_some();
        self.note_end_by_probe(decided, now);
        self.end(failure, loss.reason, loss.parting, now);
    }

    /// What leaving a stage with a connection, or on the way to one, means for all that belongs to
    /// the link, and what is told of it.
    fn leave_stage(
        &mut self,
        mut failure: Failure,
        reason: Reason,
        parting: Action,
        next: Option<Duration>,
    ) {
        let connected = matches!(self.stage, Stage::Connected | Stage::Leaving(_));
        if let Stage::Attempt(_) = self.stage {
            failure.details.attempt.get_or_insert(self.attempt_number());
        }
        self.reason = self.rounds.established.then_some(reason);
        self.ended = Some(failure.clone());
        self.reports.push_back(Report::Ended { failure, reason: self.reason, next, connected });
        self.paused = None;
        self.forget_link();
        if std::mem::take(&mut self.dialed) {
            self.actions.push_back(parting);
        }
    }

    /// Why nothing may be sent in this state.
    fn refusal(&self) -> Failure {
        match (&self.stage, &self.ended) {
            (Stage::Leaving(_), _) => Failure::new(Status::Disconnected, texts::LEAVING),
            (Stage::Closed, Some(ended)) => texts::ended_before(ended),
            _ => Failure::new(Status::Disconnected, texts::NEVER_CONNECTED),
        }
    }
}

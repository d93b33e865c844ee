//! How a connection ends, whatever its stage.
//!
//! Owns the way to Closed: that a loss is final, what the program learns of it, and what becomes of
//! the link. Refuses to know which packet or timer brought it about.

#![forbid(unsafe_code)]

use super::engine::{Engine, NORMAL};
use super::seam::{Action, Admission, Left, Reason};
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
            Stage::Attempt { step, .. } if !step.is_open() => Action::Hangup,
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
            Stage::Attempt { .. } => Admission::Wait,
            Stage::New | Stage::Leaving(_) | Stage::Closed => Admission::Refused(self.refusal()),
        }
    }

    /// The link, or what came over it, makes it impossible to go on. This is the one place where
    /// it is decided what a loss leads to.
    pub(super) fn lose(&mut self, loss: Loss) {
        let failure = match &self.stage {
            Stage::New | Stage::Closed => return,
            Stage::Leaving(stage) if stage.has_parted() => {
                return self.leaving_done(loss.parting);
            }
            Stage::Leaving(_) => {
                self.left.get_or_insert(Left::Lost);
                texts::lost_while_leaving(&loss, &self.settings.target)
            }
            Stage::Connected => texts::lost(&loss, &self.settings.target),
            Stage::Attempt { step, .. } => {
                texts::attempt_lost(&loss, *step, &self.settings.target, self.shown_namespace())
            }
        };
        self.close(failure, loss.reason, loss.parting);
    }

    /// Enters Closed. The one way there.
    pub(super) fn close(&mut self, mut failure: Failure, reason: Reason, parting: Action) {
        self.reason = match self.stage {
            Stage::Attempt { .. } => {
                failure.details.attempt.get_or_insert(1);
                None
            }
            _ => Some(reason),
        };
        self.stage = Stage::Closed;
        self.ended = Some(failure);
        self.paused = None;
        self.engine = Engine::default();
        self.reassembly.reset();
        self.queue.clear();
        let dialed = !self.actions.contains(&Action::Dial);
        self.actions.retain(|action| !matches!(action, Action::Dial | Action::ShutdownWrite));
        if dialed {
            self.actions.push_back(parting);
        }
    }

    /// The phase for a failure that happens now; `None` if there is no connection to fail.
    pub(super) fn phase(&self) -> Option<Phase> {
        match &self.stage {
            Stage::New | Stage::Closed => None,
            Stage::Attempt { step, .. } => Some(texts::phase(*step)),
            Stage::Connected | Stage::Leaving(_) => Some(Phase::Session),
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

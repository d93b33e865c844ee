//! What connect, disconnect and flush are while they go on: how each is tried, and what it leaves
//! when it ends before its time.
//!
//! Owns what an operation remembers between two tries, and the texts of its end. Refuses to know who
//! tries: a thread that sleeps in between, or the driver for an operation that was started.

#![forbid(unsafe_code)]

use super::Core;
use crate::error::{Failure, Phase, Status};
use crate::monitor::Effects;
use crate::options::Offline;
use crate::session::{Left, Moment, State};
use crate::sleepers::{Place, Timeout};

/// What a try gives: nothing while the operation has to wait on.
pub type Tried = Option<Result<(), Box<Failure>>>;

/// Waiting for a connection that was begun.
#[derive(Clone, Copy, Debug)]
pub struct Connecting {
    /// Its number.
    pub connection: u64,
}

impl Connecting {
    /// Whether the connection is there, or has come to nothing.
    pub fn attempt(&self, core: &Core) -> Tried {
        if core.connection() != self.connection {
            let text = "the connection was ended, and another begun, by other threads";
            return Some(Err(Box::new(Failure::new(Status::Disconnected, text))));
        }
        match core.state() {
            State::Connecting => None,
            // What has happened since is for the next call to find out.
            _ if core.was_established(self.connection) => Some(Ok(())),
            _ => Some(Err(Box::new(core.connect_end()))),
        }
    }

    /// Leaves no connection behind, and says how the connect ended: by its timeout, or else by an
    /// interrupt.
    pub fn abandon(
        &self,
        core: &mut Core,
        timeout: Option<Timeout>,
        now: Moment,
        fx: &mut Effects<'_>,
    ) -> Failure {
        let mine = core.connection() == self.connection;
        let refusal = core.take_refusal().filter(|_| mine);
        let failure = match timeout {
            Some(Timeout::Limit(limit)) if refusal.is_some() => {
                let timeout = core.session.timeout("its timeout", limit);
                let refusal = refusal.unwrap_or_else(interrupted_connect);
                let text = format!("{}; {}", timeout.text, refusal.text);
                Failure { text, ..refusal }
            }
            // It failed in this very moment, and that says more.
            Some(_) if mine && core.state() == State::Closed => core.connect_end(),
            Some(Timeout::Limit(limit)) => core.session.timeout("its timeout", limit),
            _ => interrupted_connect(),
        };
        if mine && core.state() != State::Closed {
            core.give_up(failure.clone(), now, fx);
        }
        failure
    }
}

/// Leaving the server.
#[derive(Clone, Copy, Debug)]
pub struct Leaving {
    /// The connection that is being left, once that has begun.
    left: Option<u64>,
    /// Nothing is waited for.
    at_once: bool,
}

impl Leaving {
    /// Not begun yet. With `at_once` the connection is closed without waiting for the server.
    pub fn new(at_once: bool) -> Self {
        Leaving { left: None, at_once }
    }

    /// Begins to leave, or looks whether that is over.
    pub fn attempt(&mut self, core: &mut Core, now: Moment, fx: &mut Effects<'_>) -> Tried {
        match core.state() {
            State::Connecting if self.left.is_none() => {
                core.leave(now, fx);
                return Some(Ok(()));
            }
            State::Reconnecting if self.left.is_none() => {
                let given_up = core.outbox.len();
                core.leave(now, fx);
                return Some(match given_up {
                    0 => Ok(()),
                    _ => Err(Box::new(given_up_unsent(given_up))),
                });
            }
            State::Connected if self.left.is_none() => {
                self.left = Some(core.connection());
                core.leave(now, fx);
                if self.at_once {
                    core.give_up(unconfirmed(), now, fx);
                    return Some(Err(Box::new(unconfirmed())));
                }
                return None;
            }
            State::Closing if self.left.is_none_or(|left| left == core.connection()) => {
                self.left = Some(core.connection());
                return None;
            }
            _ => (),
        }
        // The end of one that has been replaced by another connection is known to nobody.
        let mine = self.left.is_some_and(|left| left == core.connection());
        Some(match core.session.left().filter(|_| mine) {
            None | Some(Left::Confirmed) => Ok(()),
            Some(Left::Unknown) => Err(Box::new(unconfirmed())),
            Some(Left::Lost) => Err(Box::new(core.end())),
        })
    }

    /// One that may wait no longer closes the connection at once: its time is over, or else it was
    /// interrupted.
    pub fn cut_short(
        &self,
        core: &mut Core,
        timed_out: bool,
        now: Moment,
        fx: &mut Effects<'_>,
    ) -> Result<(), Failure> {
        let failure = if timed_out { unconfirmed() } else { interrupted_disconnect() };
        if Some(core.connection()) == self.left && core.state() == State::Closing {
            core.give_up(failure.clone(), now, fx);
        }
        // The answer may have come, and only the server's close be missing.
        match core.session.left() {
            Some(Left::Confirmed) => Ok(()),
            _ => Err(failure),
        }
    }
}

/// Waiting for what was emitted to be handed to the system.
#[derive(Clone, Copy, Debug, Default)]
pub struct Flushing {
    /// How often packets had been lost when it began, and the last operation that stood in line.
    begun: Option<(u64, u64)>,
    /// The last packet that it is about, once none of these stands in line any more.
    target: Option<u64>,
}

impl Flushing {
    /// Whether all has gone. The place is told what it waits for.
    pub fn attempt(&mut self, core: &mut Core, place: &Place) -> Tried {
        let (losses, in_line) =
            *self.begun.get_or_insert_with(|| (core.outbox.losses(), core.last_in_line()));
        if self.target.is_none() && core.first_in_line().is_none_or(|first| first > in_line) {
            self.target = Some(core.outbox.last_sequence());
        }
        place.await_packet(self.target.unwrap_or(u64::MAX));
        let kept = core.in_force.offline == Offline::Buffer;
        match core.state() {
            State::Connecting => return None,
            State::Connected => (),
            // What is kept for the next connection has not been lost yet.
            State::Reconnecting if kept && core.outbox.losses() == losses => return None,
            State::Reconnecting => (),
            State::New | State::Closing | State::Closed => {
                core.outbox.take_loss();
                return Some(Err(Box::new(core.end())));
            }
        }
        // Of several who flush, each that began before a loss is told of it.
        if core.outbox.take_loss() || core.outbox.losses() != losses {
            let text = "packets that were emitted before were lost with a connection";
            return Some(Err(Box::new(Failure::new(Status::Disconnected, text))));
        }
        self.target.filter(|target| core.outbox.is_flushed(*target)).map(|_| Ok(()))
    }
}

impl Core {
    /// Whether a connection may be begun.
    pub fn check_idle(&self) -> Result<(), Failure> {
        let text = match self.state() {
            State::New | State::Closed => return Ok(()),
            State::Connecting => "the client is connecting already",
            State::Connected => "the client is connected already; disconnect it first",
            State::Reconnecting => {
                "the client is reconnecting already; disconnect it first to connect anew"
            }
            State::Closing => "the client is still disconnecting; wait for disconnect to return",
        };
        Err(Failure::new(Status::State, text))
    }
}

/// Why a connect ended that was interrupted.
pub fn interrupted_connect() -> Failure {
    Failure::new(Status::Interrupted, "connect was interrupted, and leaves no connection")
}

/// Why a connect without any time came to nothing.
pub fn no_time_to_connect() -> Failure {
    Failure::new(Status::Timeout, "connect was given a timeout of 0, so nothing was tried")
}

fn interrupted_disconnect() -> Failure {
    let text = "disconnect was interrupted, and the connection closed, before the server had \
                confirmed that it got everything";
    Failure::new(Status::Interrupted, text)
}

fn given_up_unsent(packets: usize) -> Failure {
    let text = format!(
        "disconnected while reconnecting: {packets} emitted packets that waited for the connection \
         were given up"
    );
    Failure::new(Status::Timeout, text).in_phase(Phase::Session)
}

fn unconfirmed() -> Failure {
    let text = "disconnected, but the time ran out before the server had confirmed that it got \
                everything";
    Failure::new(Status::Timeout, text).in_phase(Phase::Session)
}

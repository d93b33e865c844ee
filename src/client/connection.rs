//! Connecting and disconnecting.
//!
//! Owns who may begin a connection, and what a connect leaves behind that does not come about.
//! Refuses to know how a connection is made: it asks the session to, and waits.

#![forbid(unsafe_code)]

use super::{Client, in_callback};
use crate::core::Core;
use crate::driver;
use crate::error::{Failure, Phase, Status};
use crate::monitor::Stop;
use crate::session::{Left, State};
use crate::sleepers::{Queue, Timeout};

impl Client {
    /// Connects, to the option "url" if none is given.
    pub fn connect(&self, url: Option<&str>, timeout: Timeout) -> Result<(), Status> {
        self.enter()?;
        if let Some(url) = url {
            self.noted(|core| {
                // A URL that is wrong is wrong in every state.
                let mut options = core.options.clone();
                options.set("url", Some(url))?;
                idle(core)?;
                core.options = options;
                Ok(())
            })?;
        }
        let prepare = self.shared.prepare.is_set();
        // What the program's function may still set is looked at when it has returned.
        let may_begin = |core: &Core| {
            idle(core)?;
            if prepare { Ok(()) } else { core.checked_url().map(drop) }
        };
        if timeout.is_zero() {
            self.noted(|core| may_begin(core))?;
            let text = "connect was given a timeout of 0, so nothing was tried";
            return Err(self.fail(Failure::new(Status::Timeout, text)));
        }
        if crate::callback::inside() {
            return Err(self.fail(in_callback("connect")));
        }
        self.shared.start_driver().map_err(|denied| self.denied(denied))?;
        let begun = self.shared.with(|core, effects| {
            if core.is_freed() {
                return Err(core.fail(core.end()));
            }
            may_begin(core).map_err(|failure| core.fail(failure))?;
            if self.shared.take_interrupt(core, effects) {
                return Err(core.fail(interrupted_connect()));
            }
            let begun = core.connect(prepare, driver::now(), effects);
            begun.map_err(|failure| core.fail(failure))?;
            Ok(core.connection())
        });
        let connection = begun.map_err(|denied| self.denied(denied))??;
        let waited = self.shared.wait(Queue::Link, timeout, |core, _, _| {
            if core.connection() != connection {
                let text = "the connection was ended, and another begun, by other threads";
                return Some(Err(Failure::new(Status::Disconnected, text)));
            }
            match core.state() {
                State::Connecting => None,
                // What has happened since is for the next call to find out.
                _ if core.was_established(connection) => Some(Ok(())),
                _ => Some(Err(core.connect_end())),
            }
        });
        match waited {
            Ok(outcome) => outcome.map_err(|failure| self.fail(failure)),
            Err(Stop::TimedOut) => Err(self.abandon(connection, Some(timeout))),
            Err(Stop::Interrupted) => Err(self.abandon(connection, None)),
            Err(stop) => Err(self.stopped(stop, "connect")),
        }
    }

    /// Sends what was emitted, leaves the namespace, closes the connection.
    pub fn disconnect(&self, timeout: Timeout) -> Result<(), Status> {
        if crate::callback::inside() && !timeout.is_zero() {
            let waits = |core: &mut Core| matches!(core.state(), State::Connected | State::Closing);
            if self.shared.with(|core, _| waits(core)).map_err(|denied| self.denied(denied))? {
                return Err(self.fail(in_callback("disconnect")));
            }
        }
        let mut left = None;
        let waited = self.shared.wait(Queue::Link, timeout, |core, effects, _| {
            match core.state() {
                State::Connecting => {
                    core.leave(driver::now(), effects);
                    return Some(Ok(()));
                }
                State::Reconnecting => {
                    let given_up = core.outbox.len();
                    core.leave(driver::now(), effects);
                    return Some(if given_up == 0 {
                        Ok(())
                    } else {
                        Err(given_up_unsent(given_up))
                    });
                }
                State::Connected if left.is_none() => {
                    left = Some(core.connection());
                    core.leave(driver::now(), effects);
                    if timeout.is_zero() {
                        core.give_up(unconfirmed(), driver::now(), effects);
                        return Some(Err(unconfirmed()));
                    }
                    return None;
                }
                State::Closing if left.is_none_or(|left| left == core.connection()) => {
                    left = Some(core.connection());
                    return None;
                }
                _ => (),
            }
            // The end of one that has been replaced by another connection is known to nobody.
            let mine = left.is_some_and(|left| left == core.connection());
            Some(match core.session.left().filter(|_| mine) {
                None | Some(Left::Confirmed) => Ok(()),
                Some(Left::Unknown) => Err(unconfirmed()),
                Some(Left::Lost) => Err(core.end()),
            })
        });
        match waited {
            Ok(outcome) => outcome.map_err(|failure| self.fail(failure)),
            Err(Stop::TimedOut) => self.cut_short(left, unconfirmed()),
            Err(Stop::Interrupted) => {
                let text = "disconnect was interrupted, and the connection closed, before the \
                            server had confirmed that it got everything";
                self.cut_short(left, Failure::new(Status::Interrupted, text))
            }
            Err(stop) => Err(self.stopped(stop, "disconnect")),
        }
    }

    /// A disconnect that may wait no longer closes the connection at once.
    fn cut_short(&self, left: Option<u64>, failure: Failure) -> Result<(), Status> {
        let ended = self.shared.with(|core, effects| {
            if Some(core.connection()) == left && core.state() == State::Closing {
                core.give_up(failure.clone(), driver::now(), effects);
            }
            // The answer may have come, and only the server's close be missing.
            match core.session.left() {
                Some(Left::Confirmed) => Ok(()),
                _ => Err(core.fail(failure)),
            }
        });
        ended.map_err(|denied| self.denied(denied))?
    }

    /// A connect that ran out of time, or was interrupted, leaves no connection behind.
    fn abandon(&self, connection: u64, timeout: Option<Timeout>) -> Status {
        let ended = self.shared.with(|core, effects| {
            let mine = core.connection() == connection;
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
                core.give_up(failure.clone(), driver::now(), effects);
            }
            core.fail(failure)
        });
        ended.unwrap_or_else(|denied| self.denied(denied))
    }
}

fn interrupted_connect() -> Failure {
    Failure::new(Status::Interrupted, "connect was interrupted, and leaves no connection")
}

/// Whether a connection may be begun.
fn idle(core: &Core) -> Result<(), Failure> {
    let text = match core.state() {
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

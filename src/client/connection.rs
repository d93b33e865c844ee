//! Connecting and disconnecting.
//!
//! Owns what a connect reads from the options and what it leaves behind when it does not come
//! about. Refuses to know how a connection is made: it asks the session to, and waits.

#![forbid(unsafe_code)]

use super::{Client, in_callback};
use crate::core::{Core, DialPlan};
use crate::driver;
use crate::error::{Failure, Phase, Status};
use crate::log::Level;
use crate::monitor::Stop;
use crate::session::{Left, Settings, State};
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
        if timeout.is_zero() {
            self.noted(|core| prepare(core).map(drop))?;
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
            match prepare(core) {
                Err(failure) => Err(core.fail(failure)),
                Ok(_) if self.shared.take_interrupt(core, effects) => {
                    Err(core.fail(interrupted_connect()))
                }
                Ok((settings, plan)) => {
                    if !core.options.auth_is_object() {
                        effects.log(Level::Warn, || {
                            "the option \"auth\" is no JSON object: python servers take it, Node \
                             servers close the connection without a word"
                                .into()
                        });
                    }
                    core.connect(settings, plan, driver::now(), effects);
                    Ok(core.attempt())
                }
            }
        });
        let attempt = begun.map_err(|denied| self.denied(denied))??;
        let waited = self.shared.wait(Queue::Link, timeout, |core, _, _| {
            if core.attempt() != attempt {
                let text = "the connection was ended, and another begun, by other threads";
                return Some(Err(Failure::new(Status::Disconnected, text)));
            }
            match core.state() {
                State::Connecting => None,
                // What has happened since is for the next call to find out.
                _ if core.was_established(attempt) => Some(Ok(())),
                _ => Some(Err(core.connect_end())),
            }
        });
        match waited {
            Ok(outcome) => outcome.map_err(|failure| self.fail(failure)),
            Err(Stop::TimedOut) => Err(self.abandon(attempt, Some(timeout))),
            Err(Stop::Interrupted) => Err(self.abandon(attempt, None)),
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
        let mut attempt = None;
        let waited = self.shared.wait(Queue::Link, timeout, |core, effects, _| {
            match core.state() {
                State::Connecting => {
                    core.leave(driver::now(), effects);
                    return Some(Ok(()));
                }
                State::Connected if attempt.is_none() => {
                    attempt = Some(core.attempt());
                    core.leave(driver::now(), effects);
                    if timeout.is_zero() {
                        core.give_up(unconfirmed(), driver::now(), effects);
                        return Some(Err(unconfirmed()));
                    }
                    return None;
                }
                State::Closing if attempt.is_none_or(|attempt| attempt == core.attempt()) => {
                    attempt = Some(core.attempt());
                    return None;
                }
                _ => (),
            }
            // The end of one that has been replaced by another connection is known to nobody.
            let mine = attempt.is_some_and(|attempt| attempt == core.attempt());
            Some(match core.session.left().filter(|_| mine) {
                None | Some(Left::Confirmed) => Ok(()),
                Some(Left::Unknown) => Err(unconfirmed()),
                Some(Left::Lost) => Err(core.end()),
            })
        });
        match waited {
            Ok(outcome) => outcome.map_err(|failure| self.fail(failure)),
            Err(Stop::TimedOut) => self.cut_short(attempt, unconfirmed()),
            Err(Stop::Interrupted) => {
                let text = "disconnect was interrupted, and the connection closed, before the \
                            server had confirmed that it got everything";
                self.cut_short(attempt, Failure::new(Status::Interrupted, text))
            }
            Err(stop) => Err(self.stopped(stop, "disconnect")),
        }
    }

    /// A disconnect that may wait no longer closes the connection at once.
    fn cut_short(&self, attempt: Option<u64>, failure: Failure) -> Result<(), Status> {
        let ended = self.shared.with(|core, effects| {
            if Some(core.attempt()) == attempt && core.state() == State::Closing {
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
    fn abandon(&self, attempt: u64, timeout: Option<Timeout>) -> Status {
        let ended = self.shared.with(|core, effects| {
            let mine = core.attempt() == attempt;
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

/// What an attempt reads from the options, once, as it begins.
fn prepare(core: &mut Core) -> Result<(Settings, DialPlan), Failure> {
    idle(core)?;
    let options = &core.options;
    options.check()?;
    let Some(url) = &options.url else {
        let text = "there is no URL: give one to connect, or set the option \"url\"";
        return Err(Failure::new(Status::Invalid, text));
    };
    let url = url.meaning.clone();
    let target = url.request_target(&options.path.meaning, "websocket");
    let settings = Settings {
        namespace: options.namespace.clone(),
        auth: options.auth.clone(),
        attempt_timeout: options.attempt_timeout,
        request_timeout: options.request_timeout,
        max_message_bytes: options.max_message_bytes,
        max_attachments: options.max_attachments,
        enforce_max_payload: options.enforce_max_payload,
        target: url.origin(),
    };
    let max_message = options.max_message_bytes;
    let headers = options.headers.clone();
    Ok((settings, DialPlan { url, target, headers, max_message }))
}

/// Whether a connection may be begun.
fn idle(core: &Core) -> Result<(), Failure> {
    let text = match core.state() {
        State::New | State::Closed => return Ok(()),
        State::Connecting => "the client is connecting already",
        State::Connected => "the client is connected already; disconnect it first",
        State::Closing => "the client is still disconnecting; wait for disconnect to return",
    };
    Err(Failure::new(Status::State, text))
}

fn unconfirmed() -> Failure {
    let text = "disconnected, but the time ran out before the server had confirmed that it got \
                everything";
    Failure::new(Status::Timeout, text).in_phase(Phase::Session)
}

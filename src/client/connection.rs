//! Connecting and disconnecting.
//!
//! Owns who may begin a connection. Refuses to know how a connection is made: it asks the session
//! to, and waits.

#![forbid(unsafe_code)]

use super::{Client, in_callback};
use crate::core::Core;
use crate::core::operation::{Connecting, Leaving, interrupted_connect, no_time_to_connect};
use crate::driver;
use crate::error::{Failure, Status};
use crate::monitor::{Effects, Stop};
use crate::session::State;
use crate::sleepers::{Queue, Timeout};

impl Client {
    /// Connects, to the option "url" if none is given.
    pub fn connect(&self, url: Option<&str>, timeout: Timeout) -> Result<(), Status> {
        self.check_connect(url)?;
        if timeout.is_zero() {
            return Err(self.fail(no_time_to_connect()));
        }
        if crate::callback::inside() {
            return Err(self.fail(in_callback("connect")));
        }
        let unless_interrupted = |core: &mut Core, fx: &mut Effects<'_>| match self
            .shared
            .take_interrupt(false, core, fx)
        {
            true => Err(interrupted_connect()),
            false => Ok(()),
        };
        let connecting =
            self.begin_connect(unless_interrupted, |_, connecting, _| Ok(connecting))?;
        match self.shared.wait(Queue::Link, timeout, |core, _, _| connecting.attempt(core)) {
            Ok(outcome) => outcome.map_err(|failure| self.fail(*failure)),
            Err(Stop::TimedOut) => Err(self.abandon(connecting, Some(timeout))),
            Err(Stop::Interrupted) => Err(self.abandon(connecting, None)),
            Err(stop) => Err(self.stopped(stop, "connect")),
        }
    }

    /// Whether a connection to this URL, or to the option "url", may be begun; sets that option.
    pub(super) fn check_connect(&self, url: Option<&str>) -> Result<(), Status> {
        self.enter()?;
        let ready = self.may_begin();
        self.noted(|core| {
            if let Some(url) = url {
                // A URL that is wrong is wrong in every state.
                let mut options = core.options.clone();
                options.set("url", Some(url))?;
                core.check_idle()?;
                core.options = options;
            }
            ready(core)
        })
    }

    /// Begins a connection, unless `first` finds a reason not to, and goes on with `then` before
    /// anybody else can see it.
    pub(super) fn begin_connect<R>(
        &self,
        first: impl FnOnce(&mut Core, &mut Effects<'_>) -> Result<(), Failure>,
        then: impl FnOnce(&mut Core, Connecting, &mut Effects<'_>) -> Result<R, Failure>,
    ) -> Result<R, Status> {
        self.shared.start_driver().map_err(|denied| self.denied(denied))?;
        let ready = self.may_begin();
        let prepare = self.shared.prepare.is_set();
        self.entered(|core, effects| {
            if core.is_freed() {
                return Err(core.end());
            }
            ready(core)?;
            if !self.shared.is_running() {
                return Err(self.shared.driver_failure());
            }
            first(core, effects)?;
            core.connect(prepare, driver::now(), effects)?;
            let connecting = Connecting { connection: core.connection() };
            then(core, connecting, effects)
        })
    }

    /// What has to hold for a connection to be begun.
    fn may_begin(&self) -> impl Fn(&Core) -> Result<(), Failure> + use<> {
        let prepare = self.shared.prepare.is_set();
        move |core| {
            core.check_idle()?;
            // What the program may still set before the attempt is looked at then.
            if prepare || core.options.report_attempts {
                Ok(())
            } else {
                core.checked_url().map(drop)
            }
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
        let mut leaving = Leaving::new(timeout.is_zero());
        let waited = self.shared.wait(Queue::Link, timeout, |core, effects, _| {
            leaving.attempt(core, driver::now(), effects)
        });
        let timed_out = match waited {
            Ok(outcome) => return outcome.map_err(|failure| self.fail(*failure)),
            Err(Stop::TimedOut) => true,
            Err(Stop::Interrupted) => false,
            Err(stop) => return Err(self.stopped(stop, "disconnect")),
        };
        let ended = self.shared.with(|core, effects| {
            let cut = leaving.cut_short(core, timed_out, driver::now(), effects);
            cut.map_err(|failure| core.fail(failure))
        });
        ended.map_err(|denied| self.denied(denied))?
    }

    /// A connect that ran out of time, or was interrupted, leaves no connection behind.
    fn abandon(&self, connecting: Connecting, timeout: Option<Timeout>) -> Status {
        let ended = self.shared.with(|core, effects| {
            let failure = connecting.abandon(core, timeout, driver::now(), effects);
            core.fail(failure)
        });
        ended.unwrap_or_else(|denied| self.denied(denied))
    }
}

//! What a program with an event loop uses: operations that are started, and their results.
//!
//! Owns what is checked before an operation is started. Refuses to wait, but for a result.

#![forbid(unsafe_code)]

use super::Client;
use crate::core::Core;
use crate::core::operation::no_time_to_connect;
use crate::core::started::Start;
use crate::driver;
use crate::error::{Failure, Status};
use crate::message::Message;
use crate::monitor::Effects;
use crate::sleepers::{Queue, Timeout};

/// How a started operation ended.
pub struct Ended {
    /// What the program called it.
    pub tag: u64,
    /// The answer of a call that has one, or why there is none.
    pub outcome: Result<Option<Box<Message>>, Status>,
}

impl Client {
    /// Starts what [`connect`](Client::connect) does.
    pub fn connect_start(
        &self,
        url: Option<&str>,
        timeout: Timeout,
        tag: u64,
    ) -> Result<(), Status> {
        self.check_connect(url)?;
        if timeout.is_zero() {
            return self.start(timeout, tag, |core, start, fx| {
                core.end_at_once(start, no_time_to_connect(), fx);
                Ok(())
            });
        }
        self.begin_connect(
            |_, _| Ok(()),
            |core, connecting, fx| core.start_connect(connecting, started(timeout, tag), fx),
        )
    }

    /// Starts what [`emit`](Client::emit) does.
    pub fn emit_start(
        &self,
        event: &str,
        args: Option<&str>,
        buffers: &[&[u8]],
        timeout: Timeout,
        tag: u64,
    ) -> Result<(), Status> {
        let checked = self.check(event, args, buffers)?;
        self.start(timeout, tag, |core, start, fx| core.start_send(&checked, false, start, fx))
    }

    /// Starts what [`call`](Client::call) does.
    pub fn call_start(
        &self,
        event: &str,
        args: Option<&str>,
        buffers: &[&[u8]],
        timeout: Timeout,
        tag: u64,
    ) -> Result<(), Status> {
        let checked = self.check(event, args, buffers)?;
        self.start(timeout, tag, |core, start, fx| core.start_send(&checked, true, start, fx))
    }

    /// Starts what [`flush`](Client::flush) does.
    pub fn flush_start(&self, timeout: Timeout, tag: u64) -> Result<(), Status> {
        self.start(timeout, tag, Core::start_flush)
    }

    /// Starts what [`disconnect`](Client::disconnect) does.
    pub fn disconnect_start(&self, timeout: Timeout, tag: u64) -> Result<(), Status> {
        self.start(timeout, tag, Core::start_disconnect)
    }

    /// Ends the oldest operation with this tag before it is done.
    pub fn cancel(&self, tag: u64) -> Result<(), Status> {
        self.entered(|core, fx| match core.cancel_started(tag, driver::now(), fx) {
            true => Ok(()),
            false => {
                let text =
                    format!("nothing to cancel: no started operation with tag {tag} goes on");
                Err(Failure::new(Status::Invalid, text))
            }
        })
    }

    /// Takes the oldest result.
    pub fn result(&self, timeout: Timeout) -> Result<Ended, Status> {
        let waited =
            self.shared.wait(Queue::Result, timeout, |core, fx, _| core.take_result(fx).map(Ok));
        let (tag, outcome) = self.finish("result", waited)?;
        Ok(Ended { tag, outcome: outcome.map(|reply| reply.map(|reply| self.handed(reply))) })
    }

    fn start(
        &self,
        timeout: Timeout,
        tag: u64,
        begin: impl FnOnce(&mut Core, Start, &mut Effects<'_>) -> Result<(), Failure>,
    ) -> Result<(), Status> {
        self.entered(|core, fx| begin(core, started(timeout, tag), fx))
    }
}

fn started(timeout: Timeout, tag: u64) -> Start {
    Start { tag, timeout, now: driver::now() }
}

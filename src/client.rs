//! The client as a Rust program sees it: what each function of the C interface does.
//!
//! Owns the order of things in a call: check the arguments, enter the monitor, wait, note the
//! failure. Refuses to know sockets and packets.

#![forbid(unsafe_code)]

mod connection;
mod started;
mod stats;

use std::os::fd::RawFd;
use std::sync::Arc;

use crate::core::operation::Flushing;
use crate::core::{Call, Core, MaySend};
use crate::driver;
use crate::error::{Failure, Status};
use crate::log::{Level, Log, Sink};
use crate::message::Message;
use crate::monitor::{Denied, Effects, Shared, Stop};
use crate::outgoing::Checked;
use crate::prepare;
use crate::ready;
use crate::session::State;
use crate::sleepers::{Place, Queue, Timeout};
use crate::transport::Transport;

/// One connection to one namespace of one server. Every method may be called from any thread.
pub struct Client {
    shared: Arc<Shared>,
}

impl Client {
    /// A client with every option at its default. Makes no connection and starts no thread.
    pub fn new() -> Self {
        let shared = Shared::new(Core::new(rand::random()), Log::from_environment());
        Client { shared }
    }

    /// Sets an option; `None` restores its default.
    pub fn set(&self, name: &str, value: Option<&str>) -> Result<(), Status> {
        self.noted(|core| core.options.set(name, value))
    }

    /// Sets a numeric or on/off option.
    pub fn set_int(&self, name: &str, value: i64) -> Result<(), Status> {
        self.noted(|core| core.options.set_int(name, value))
    }

    /// An option's value as text; empty if it has none.
    pub fn option(&self, name: &str) -> String {
        self.shared.with(|core, _| core.options.value(name)).unwrap_or_default()
    }

    /// Sets a header of every request of the attempts that follow. No value removes it, no name
    /// removes all.
    pub fn set_header(&self, name: Option<&str>, value: Option<&str>) -> Result<(), Status> {
        self.noted(|core| core.options.set_header(name, value))
    }

    /// Sets the function that is called before every attempt; `None` removes it. What it sets on
    /// the client counts for that attempt. Anything but 0 from it is a failed attempt.
    pub fn set_prepare(&self, function: Option<prepare::Function>) -> Result<(), Status> {
        // Not by entering: the function can also be removed after a defect.
        if !self.is_ours() {
            return Err(self.denied(Denied::Forked));
        }
        self.shared.prepare.set(function).map_err(|failure| self.fail(failure))
    }

    /// Sends lines of this level and more severe to a function.
    pub fn set_log(&self, sink: Option<(Level, Sink)>) -> Result<(), Status> {
        // Not by entering: the log can also be silenced after a defect.
        if !self.is_ours() {
            return Err(self.denied(Denied::Forked));
        }
        self.shared.log.set(sink).map_err(|failure| self.fail(failure))
    }

    /// Sets the function that is called when there is something to take; `None` removes it.
    pub fn set_wakeup(&self, function: Option<ready::Function>) -> Result<(), Status> {
        // Not by entering: the function can also be removed after a defect.
        if !self.is_ours() {
            return Err(self.denied(Denied::Forked));
        }
        let setting = self.shared.ready.set(function).map_err(|failure| self.fail(failure))?;
        // It is called now if something can be taken already. Another thread may have set another
        // one meanwhile, which counts then. A client that a defect has made unusable says so with
        // the next call.
        let _ = self.shared.with(|core, _| core.readiness.wake(setting));
        Ok(())
    }

    /// A descriptor that is readable while there is something to take.
    pub fn descriptor(&self) -> Result<RawFd, Status> {
        self.enter()?;
        let descriptor = self.shared.ready.descriptor().map_err(|error| {
            let code = error.raw_os_error().unwrap_or(0);
            let text = format!("cannot make the descriptor for event loops: {error}");
            let mut failure = Failure::new(Status::System, text);
            failure.details.os_error = Some(code);
            self.fail(failure)
        })?;
        self.shared.with(|core, _| core.readiness.watch()).map_err(|denied| self.denied(denied))?;
        Ok(descriptor)
    }

    /// Waits until everything emitted so far has been handed to the system.
    pub fn flush(&self, timeout: Timeout) -> Result<(), Status> {
        let mut flushing = Flushing::default();
        let place = Place::new();
        let waiting = Some(Arc::clone(&place));
        self.finish(
            "flush",
            self.shared.wait_at(waiting, Queue::Flush, timeout, |core, _, _| {
                flushing.attempt(core, &place)
            }),
        )
    }

    /// Emits an event. Returns once it is queued for sending.
    pub fn emit(
        &self,
        event: &str,
        args: Option<&str>,
        buffers: &[&[u8]],
        timeout: Timeout,
    ) -> Result<(), Status> {
        let checked = self.check(event, args, buffers)?;
        let sending = checked.sending();
        let waited = self.shared.wait(Queue::Room, timeout, |core, effects, next| {
            match core.may_send(&sending, next) {
                MaySend::Yes { connected } => {
                    core.emit(&sending, connected, driver::now, effects);
                    Some(Ok(()))
                }
                MaySend::NotYet => None,
                MaySend::Refused(failure) => Some(Err(Box::new(failure))),
            }
        });
        self.finish("emit", waited)
    }

    /// Emits an event and waits for the server's acknowledgement.
    pub fn call(
        &self,
        event: &str,
        args: Option<&str>,
        buffers: &[&[u8]],
        timeout: Timeout,
    ) -> Result<Box<Message>, Status> {
        let checked = self.check(event, args, buffers)?;
        let deadline = timeout.deadline();
        let call = Call::waited_for(driver::now());
        let mut tried = false;
        let sent = self.shared.wait(Queue::Room, timeout, |core, effects, next| {
            let sending = core.as_call_if(true, checked.sending());
            let slept = std::mem::replace(&mut tried, true);
            match core.may_send(&sending, next) {
                // It would only be sent to time out at once.
                MaySend::Yes { .. } if timeout.is_zero() => None,
                MaySend::Yes { .. } if crate::callback::inside() => {
                    Some(Err(Box::new(in_callback("call"))))
                }
                MaySend::Yes { .. } if self.shared.take_interrupt(slept, core, effects) => {
                    Some(Err(Box::new(Failure::outcome(Status::Interrupted))))
                }
                MaySend::Yes { connected } => {
                    core.call(&sending, connected, &call, driver::now, effects);
                    Some(Ok(()))
                }
                MaySend::NotYet => None,
                MaySend::Refused(failure) => Some(Err(Box::new(failure.unsent(true)))),
            }
        });
        if sent == Err(Stop::TimedOut) && !timeout.is_zero() {
            // Often neither side reads because the other does not: then there is no room either.
            let status = self.shared.with(|core, _| core.note(core.late_call()));
            return Err(status.unwrap_or_else(|denied| self.denied(denied)));
        }
        self.finish("call", sent)?;
        call.place.sleep_after_a_moment(deadline);
        if let Some(outcome) = call.take_outcome() {
            let _ = self.shared.with(|core, _| core.sleepers.leave(Queue::Call, &call.place));
            let reply = outcome.map_err(|failure| self.fail(failure))?;
            return Ok(self.handed(reply));
        }
        let ended = self.shared.with(|core, effects| {
            core.sleepers.leave(Queue::Call, &call.place);
            let freed = core.is_freed();
            if let Some(outcome) = call.take_outcome() {
                return outcome.map_err(|failure| core.fail(failure));
            }
            core.cancel_call(&call, effects);
            Err(if freed {
                core.fail(core.end())
            } else if call.place.is_interrupted() {
                Status::Interrupted
            } else {
                core.note(core.late_call())
            })
        });
        let reply = ended.map_err(|denied| self.denied(denied))??;
        Ok(self.handed(reply))
    }

    /// Takes the oldest event that the server sent.
    pub fn receive(&self, timeout: Timeout) -> Result<Box<Message>, Status> {
        let waited = self.shared.wait(Queue::Receive, timeout, |core, effects, _| {
            match core.take(effects) {
                Some(taken) => Some(Ok(taken)),
                None if core.is_over() => Some(Err(Box::new(core.take_end()))),
                None => None,
            }
        });
        Ok(self.handed(self.finish("receive", waited)?))
    }

    /// Ends the waits of other threads, or the next one. May be called from a signal handler.
    pub fn interrupt(&self) {
        self.shared.interrupt();
    }

    /// The state.
    pub fn state(&self) -> State {
        self.shared.with(|core, _| core.state()).unwrap_or(State::Closed)
    }

    /// The transport in use: "polling", "websocket", or "" when not connected.
    pub fn transport(&self) -> &'static str {
        let name = |core: &mut Core| core.session.transport().map_or("", Transport::name);
        self.shared.with(|core, _| name(core)).unwrap_or_default()
    }

    /// The session id of the namespace; empty when not connected.
    pub fn sid(&self) -> String {
        self.shared.with(|core, _| core.session.sid().to_owned()).unwrap_or_default()
    }

    /// The text of the last failure.
    pub fn error(&self) -> String {
        let text = |core: &mut Core| core.failure().map(|failure| failure.text.clone());
        match self.shared.with(|core, _| text(core)) {
            Ok(text) => text.unwrap_or_default(),
            Err(denied) => denied.failure().text,
        }
    }

    /// The last failure as a JSON object; without one, status 0.
    pub fn error_json(&self) -> String {
        let json = |core: &mut Core| core.failure().map(Failure::to_json);
        match self.shared.with(|core, _| json(core)) {
            Ok(json) => {
                json.unwrap_or_else(|| r#"{"status":0,"name":"SIO_OK","text":""}"#.to_owned())
            }
            Err(denied) => denied.failure().to_json(),
        }
    }

    /// A snapshot of the counters, as a JSON object.
    pub fn stats(&self) -> String {
        self.shared.with(|core, _| stats::json(core, driver::now())).unwrap_or_else(|_| "{}".into())
    }

    /// Notes a failure that was found before the client was entered, such as a NULL argument.
    pub fn fail(&self, failure: Failure) -> Status {
        let status = failure.status;
        match self.shared.with(|core, _| core.fail(failure)) {
            Ok(status) => status,
            Err(Denied::Forked) => Denied::Forked.failure().status,
            Err(_) => status,
        }
    }

    /// Ends everything; calls that wait return. What is called later finds no connection.
    pub fn close(&self) {
        self.shared.close();
    }

    /// The part of [`close`](Client::close) that waits for nobody; that one has to follow.
    pub fn begin_close(&self) {
        self.shared.begin_close();
    }

    /// Whether this process made the client.
    pub fn is_ours(&self) -> bool {
        self.shared.is_ours()
    }

    /// Whether a function that the program gave this client runs on this thread now.
    pub fn is_calling_here(&self) -> bool {
        self.shared.log.is_running_here()
            || self.shared.prepare.is_running_here()
            || self.shared.ready.is_running_here()
    }

    /// Tells everybody that a defect was met in one of this client's calls.
    pub fn panicked(&self) {
        let _ = self.shared.with(|core, effects| core.defect(effects));
        self.shared.wake_everybody();
    }

    /// A message on its way to the program.
    #[inline]
    fn handed(&self, mut message: Box<Message>) -> Box<Message> {
        message.hand_to(&self.shared);
        message
    }

    fn check<'a>(
        &self,
        event: &str,
        args: Option<&'a str>,
        buffers: &'a [&'a [u8]],
    ) -> Result<Checked<'a>, Status> {
        Checked::event(event, args, buffers).map_err(|failure| self.fail(failure))
    }

    fn enter(&self) -> Result<(), Status> {
        self.shared.with(|_, _| ()).map_err(|denied| self.denied(denied))
    }

    /// Does what may fail, and notes the failure.
    fn noted(&self, action: impl FnOnce(&mut Core) -> Result<(), Failure>) -> Result<(), Status> {
        self.entered(|core, _| action(core))
    }

    /// The same where it has effects.
    fn entered<R>(
        &self,
        action: impl FnOnce(&mut Core, &mut Effects<'_>) -> Result<R, Failure>,
    ) -> Result<R, Status> {
        let outcome =
            self.shared.with(|core, fx| action(core, fx).map_err(|failure| core.fail(failure)));
        outcome.map_err(|denied| self.denied(denied))?
    }

    fn finish<T>(
        &self,
        what: &str,
        waited: Result<Result<T, Box<Failure>>, Stop>,
    ) -> Result<T, Status> {
        match waited {
            Ok(Ok(result)) => Ok(result),
            // Outcomes rather than faults leave the last failure as it was.
            Ok(Err(failure)) if failure.is_outcome() => Err(failure.status),
            Ok(Err(failure)) => Err(self.fail(*failure)),
            Err(stop) => Err(self.stopped(stop, what)),
        }
    }

    fn stopped(&self, stop: Stop, what: &str) -> Status {
        match stop {
            Stop::TimedOut => Status::Timeout,
            Stop::Interrupted => Status::Interrupted,
            Stop::InCallback => self.fail(in_callback(what)),
            Stop::Freed => Status::Disconnected,
            Stop::Denied(denied) => self.denied(denied),
        }
    }

    fn denied(&self, denied: Denied) -> Status {
        let failure = denied.failure();
        let status = failure.status;
        if matches!(denied, Denied::System(_)) {
            let _ = self.shared.with(|core, _| core.fail(failure));
        }
        status
    }
}

impl Default for Client {
    fn default() -> Self {
        Client::new()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.close();
        if self.is_ours() {
            self.shared.close_doorbell();
            self.shared.ready.close();
        }
    }
}

fn in_callback(what: &str) -> Failure {
    let text = format!("{what} would have to wait, which is not allowed inside a callback");
    Failure::new(Status::State, text)
}

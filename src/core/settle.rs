//! What a change of state means for everybody who waits.
//!
//! Owns who is woken, what is dropped and counted, how waiting calls end, and the messages by which
//! a program follows the state. Refuses to change the state: the session does.

#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::Duration;

use super::{Call, Core};
use crate::error::{Failure, Status};
use crate::log::Level;
use crate::message::{MessageKind, state};
use crate::monitor::Effects;
use crate::options::Offline;
use crate::outbox::Keep;
use crate::session::{Admission, Moment, Reason, Report, State};
use crate::sleepers::Queue;

impl Core {
    /// Announces a change of state to everybody whom it concerns.
    #[inline]
    pub(super) fn settle(&mut self, now: Moment, fx: &mut Effects<'_>) {
        if self.session.has_report() || self.session.state() != self.seen {
            self.settle_all(now, fx);
        }
    }

    #[cold]
    pub(super) fn settle_all(&mut self, now: Moment, fx: &mut Effects<'_>) {
        while let Some(report) = self.session.report() {
            match report {
                Report::Connected { attempts } => self.connected(attempts, now, fx),
                Report::Ended { failure, reason, next, connected } => {
                    self.ended(&failure, reason, next, connected, fx);
                }
                Report::Upgraded => fx.log(Level::Info, || "upgraded to websocket".into()),
                Report::ProbeFailed(why) => {
                    fx.log(Level::Warn, || format!("the upgrade to websocket failed: {why}"));
                }
            }
        }
        let before = std::mem::replace(&mut self.seen, self.session.state());
        if self.seen == State::Closing && before != State::Closing {
            fx.log(Level::Info, || "disconnecting".into());
            let text = "the call was given up: the program disconnected before its answer came";
            let failure = Failure::new(Status::Disconnected, text);
            let unsent = self.outbox.cancel_calls();
            self.end_calls(failure, &unsent, &[], fx);
        }
        self.sleepers.wake_all(Queue::Receive, &mut fx.wakes);
        self.wake_line(fx);
        self.sleepers.wake_all(Queue::Link, &mut fx.wakes);
        self.sleepers.wake_all(Queue::Flush, &mut fx.wakes);
        // What was started for this ends now, before the events of the new connection are told of.
        self.run_started(now, fx);
    }

    /// Who waits to send may not have to any more. Of what was started as much as fits is in line, so
    /// that is not tried while all of it waits for the connection.
    pub(super) fn wake_line(&mut self, fx: &mut Effects<'_>) {
        let waits = matches!(self.session.admit(), Admission::Wait);
        match self.in_force.offline {
            Offline::Wait if waits => self.sleepers.wake_threads(Queue::Room, &mut fx.wakes),
            _ => self.sleepers.wake_all(Queue::Room, &mut fx.wakes),
        }
    }

    fn connected(&mut self, attempts: u64, now: Moment, fx: &mut Effects<'_>) {
        self.tally.connected_at = Some(now);
        self.established = self.connection;
        let sid = self.session.sid();
        fx.log(Level::Info, || format!("connected, session id {sid}"));
        if self.in_force.report_state {
            self.inbox.push_state(MessageKind::Connected, &state::connected(sid, attempts));
        }
        self.inbox.release();
        self.at_rest = true;
        // Packets that waited for this connection go out now.
        fx.kick |= self.outbox.has_waiting();
    }

    /// A link, or an attempt at one, has ended.
    fn ended(
        &mut self,
        failure: &Failure,
        reason: Option<Reason>,
        next: Option<Duration>,
        connected: bool,
        fx: &mut Effects<'_>,
    ) {
        let link = self.wire.take().map_or(0, |(_, link)| link);
        self.forget_attempt();
        self.forget_links();
        self.paused = false;
        self.tally.connected_at = None;
        self.tally.dropped_received += self.inbox.drop_held();
        self.ended_clean = self.outbox.is_between_frames();
        let keep = match (next, self.in_force.offline) {
            (Some(_), Offline::Buffer) => Keep::Untouched,
            _ => Keep::Nothing,
        };
        let lost = self.outbox.lose(link, keep);
        self.tally.dropped_sent += lost.packets;
        let text = format!("the call ended without its answer: {}", failure.text);
        let of_calls = Failure { status: Status::Disconnected, text, ..failure.clone() };
        self.end_calls(of_calls, &lost.unsent_calls, &lost.kept_calls, fx);
        if let Some(reason) = reason
            && self.in_force.report_state
            && (connected || next.is_none())
        {
            let args = state::disconnected(reason, &failure.text, next);
            self.inbox.push_state(MessageKind::Disconnected, &args);
        }
        let level = match (reason, next) {
            (Some(Reason::ClientDisconnect), None) => Level::Info,
            _ => Level::Warn,
        };
        fx.log(level, || {
            let mut line = failure.text.clone();
            if lost.packets > 0 {
                let packets = lost.packets;
                line.push_str(&format!("; {packets} packets that waited to be sent were dropped"));
            }
            if let Some(delay) = next {
                line.push_str(&format!("; the next attempt is due in {} ms", delay.as_millis()));
            }
            line
        });
    }

    /// Why there is no connection, as a call that needs one reports it.
    pub fn end(&self) -> Failure {
        Failure { status: Status::Disconnected, ..self.connect_end() }
    }

    /// Why the last connect came to nothing, or its connection ended.
    pub fn connect_end(&self) -> Failure {
        match self.session.ended() {
            Some(failure) => failure.clone(),
            None => Failure::new(Status::Disconnected, "the client is not connected"),
        }
    }

    /// Ends all calls that wait but those that are kept; `unsent` are those of which nothing has
    /// gone out. Both are in order.
    fn end_calls(&mut self, failure: Failure, unsent: &[u64], kept: &[u64], fx: &mut Effects<'_>) {
        let calls: Vec<(u64, Arc<Call>)> = self.session.take_calls_but(kept).collect();
        for (id, call) in calls {
            let mut failure = failure.clone();
            failure.details.sent = Some(unsent.binary_search(&id).is_err());
            self.end_call(&call, Err(failure), fx);
        }
    }
}

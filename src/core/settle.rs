//! What a change of state means for everybody who waits.
//!
//! Owns who is woken, what is dropped and counted, and how waiting calls end. Refuses to change the
//! state: the session does.

#![forbid(unsafe_code)]

use std::sync::Arc;

use super::{Call, Core};
use crate::error::{Failure, Status};
use crate::log::Level;
use crate::monitor::Effects;
use crate::session::{Moment, Reason, State};
use crate::sleepers::Queue;

impl Core {
    /// Announces a change of state to everybody whom it concerns.
    #[inline]
    pub(super) fn settle(&mut self, now: Moment, fx: &mut Effects<'_>) {
        let state = self.session.state();
        if state != self.seen {
            self.settle_in(state, now, fx);
        }
    }

    #[cold]
    pub(super) fn settle_in(&mut self, state: State, now: Moment, fx: &mut Effects<'_>) {
        self.seen = state;
        match state {
            State::New | State::Connecting => (),
            State::Connected => {
                self.tally.connected_at = Some(now);
                self.established = self.attempt;
                self.inbox.release();
                let sid = self.session.sid();
                fx.log(Level::Info, || format!("connected, session id {sid}"));
            }
            State::Closing => {
                fx.log(Level::Info, || "disconnecting".into());
                let text = "the call was given up: the program disconnected before its answer came";
                let failure = Failure::new(Status::Disconnected, text);
                let unsent = self.outbox.cancel_calls();
                self.end_calls(failure, &unsent, fx);
            }
            State::Closed => self.settle_closed(fx),
        }
        self.sleepers.wake_all(Queue::Receive, &mut fx.wakes);
        self.sleepers.wake_all(Queue::Room, &mut fx.wakes);
        self.sleepers.wake_all(Queue::Link, &mut fx.wakes);
        self.sleepers.wake_all(Queue::Flush, &mut fx.wakes);
    }

    pub(super) fn settle_closed(&mut self, fx: &mut Effects<'_>) {
        let link = self.wire.take().map_or(0, |(_, link)| link);
        self.dial = None;
        self.paused = false;
        self.tally.connected_at = None;
        self.tally.dropped_received += self.inbox.drop_held();
        self.ended_clean = self.outbox.is_between_frames();
        let lost = self.outbox.lose_all(link);
        self.tally.dropped_sent += lost.packets;
        let mut failure = self.end();
        failure.text = format!("the call ended without its answer: {}", failure.text);
        self.end_calls(failure, &lost.unsent_calls, fx);
        let end = self.end();
        let level = match self.session.reason() {
            Some(Reason::ClientDisconnect) => Level::Info,
            _ => Level::Warn,
        };
        fx.log(level, || match lost.packets {
            0 => end.text,
            lost => format!("{}; {lost} packets that waited to be sent were dropped", end.text),
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

    /// Ends all calls that wait; `unsent` are those, in order, of which nothing has gone out.
    pub(super) fn end_calls(&mut self, failure: Failure, unsent: &[u64], fx: &mut Effects<'_>) {
        let calls: Vec<(u64, Arc<Call>)> = self.session.take_calls().collect();
        for (id, call) in calls {
            let mut failure = failure.clone();
            failure.details.sent = Some(unsent.binary_search(&id).is_err());
            call.end(Err(failure));
            self.sleepers.wake(&call.place, &mut fx.wakes);
        }
    }
}

//! Arriving: inputs go to the session, and what they bring goes to the inbox or to a call.
//!
//! Owns when reading has to pause. Refuses to know what an input means.

#![forbid(unsafe_code)]

use std::time::Duration;

use super::{Core, Role};
use crate::error::Failure;
use crate::inbox::{AnswerTo, Block, Pushed};
use crate::log::Level;
use crate::message::Message;
use crate::monitor::Effects;
use crate::net::stream::Stream;
use crate::ready::{Due, Takeable};
use crate::session::{Event, Input, Moment, State};
use crate::sleepers::Queue;

/// After a silence of this length a read that brings little, such as a heartbeat, is the time to give
/// back what only a busy connection needs: no timer is wanted for that.
const QUIET: Duration = Duration::from_millis(500);
const LITTLE: usize = 1024;

/// Taking so many events takes longer than a wake; and their bytes are still at hand if they are small.
const WORTH_A_WAKE: usize = 256;

impl Core {
    /// Bytes came from the socket of a link.
    pub fn received(&mut self, role: Role, count: usize, now: Moment) {
        if count > 0 {
            self.tally.bytes_received += count as u64;
            if count <= LITTLE {
                let last = self.tally.received_at.unwrap_or_default().max(self.last_write);
                self.at_rest |= now.saturating_sub(last) >= QUIET;
            }
            self.tally.received_at = Some(now);
            // What a probe brings is nothing that the session waits for.
            if role == Role::Main {
                self.session.touch(now);
            }
        }
    }

    /// Hands in an input of one link, unless the session has parted from that since.
    pub fn input_of(&mut self, link: u64, input: Input<'_>, now: Moment, fx: &mut Effects<'_>) {
        let role = self.role(link);
        match &input {
            _ if role == Role::Past => return,
            Input::Phase(phase) => fx.log(Level::Debug, || format!("step: {}", phase.name())),
            Input::Open => fx.log(Level::Debug, || "a WebSocket is open".into()),
            _ => (),
        }
        match role {
            Role::Probe => self.probe_input(input, now, fx),
            _ => self.input(input, now, fx),
        }
        self.announce(fx);
    }

    /// What comes by the WebSocket that the session may move to.
    pub fn probe_input(&mut self, input: Input<'_>, now: Moment, fx: &mut Effects<'_>) {
        let failed = |what: String| Input::ProbeFailed(what);
        let input = match input {
            Input::Open => Input::ProbeOpen,
            Input::Engine(packet) => Input::Probe(packet),
            // The steps of its dial are of no consequence, and its pings are those of a link that
            // nothing goes by yet.
            Input::Phase(_) | Input::WebSocketPing(_) | Input::WebSocketPong(_) => return,
            Input::Failed(failure) => failed(failure.text),
            Input::Eof => failed("the server closed the connection".into()),
            Input::Lost { text, .. } => failed(format!("the connection broke: {text}")),
            Input::Malformed(what) => failed(format!("the server sent {what}")),
            Input::WebSocketClose(code, words) => failed(match code {
                Some(code) => format!("the server closed the WebSocket with code {code} {words}"),
                None => "the server closed the WebSocket".into(),
            }),
            _ => failed("the server sent a message before the upgrade".into()),
        };
        self.input(input, now, fx);
    }

    /// The server has answered a POST with success.
    pub fn posted(&mut self, link: u64, now: Moment, fx: &mut Effects<'_>) {
        if self.role(link) == Role::Main {
            self.tally.received_at = Some(now);
            self.input(Input::Posted, now, fx);
        }
    }

    /// Hands one input to the session and what comes of it to where it belongs.
    #[inline]
    pub fn input(&mut self, input: Input<'_>, now: Moment, fx: &mut Effects<'_>) {
        let hold = self.seen != State::Connected && self.seen != State::Closing;
        let epoch = self.session.epoch() + u64::from(hold);
        match self.session.handle(input, now) {
            Event::Nothing => (),
            Event::Message { id, parcel } => {
                let answer = id.map(|id| AnswerTo { id, epoch });
                let must_fit = self.seen == State::Closing;
                match self.inbox.push(parcel, answer, hold, must_fit) {
                    Pushed::Dropped => {
                        self.tally.dropped_received += 1;
                        fx.log(Level::Debug, || "an event was dropped: no room for it".into());
                    }
                    Pushed::Queued { dropped } => {
                        self.tally.dropped_received += dropped;
                        self.unannounced += usize::from(!hold);
                    }
                }
            }
            Event::Reply { call, parcel } => {
                self.tally.rtt = Some(now.saturating_sub(call.begun));
                let reply = Message::reply(Block::from_parcel(parcel));
                self.end_call(&call, Ok(reply), fx);
            }
        }
        self.settle(now, fx);
    }

    /// Wakes receivers for what has arrived; once for each batch.
    pub fn announce(&mut self, fx: &mut Effects<'_>) {
        let arrived = std::mem::take(&mut self.unannounced);
        self.sleepers.wake_some(Queue::Receive, arrived, &mut fx.wakes);
    }

    /// Whether receivers are to be woken even if more follows at once: somebody has to make room, or
    /// so much is there that a wake is little beside it, or a function of the program's that runs now may
    /// wait for them.
    pub fn must_announce(&self, fx: &Effects<'_>) -> bool {
        self.unannounced >= WORTH_A_WAKE
            || self.must_pause()
            || self.inbox.cost() >= self.in_force.receive_limit / 2
            || self.readiness.is_asked_for()
            || fx.has_lines()
    }

    /// Takes the oldest event.
    #[inline]
    pub fn take(&mut self, fx: &mut Effects<'_>) -> Option<Box<Message>> {
        let Some(taken) = self.inbox.pop() else {
            self.readiness.no_events(!self.inbox.has_no_results());
            return None;
        };
        self.took(fx);
        Some(taken)
    }

    /// The program has taken something: there may be room to read on.
    #[inline]
    pub(super) fn took(&mut self, fx: &mut Effects<'_>) {
        if self.paused && !self.must_pause() {
            fx.kick = true;
        }
    }

    /// The end of the connection, for a receive that finds nothing else; from then on an event loop
    /// is not told of it any more.
    pub fn take_end(&mut self) -> Failure {
        self.end_told = true;
        self.end()
    }

    /// Brings what an event loop knows up to date; to be asked last before the lock is opened.
    #[inline]
    pub fn what_is_ready(&mut self) -> Due {
        match self.readiness.is_asked_for() {
            true => self.readiness.update(self.takeable()),
            false => Due::default(),
        }
    }

    fn takeable(&self) -> Takeable {
        Takeable { events: self.has_events(), results: !self.inbox.has_no_results() }
    }

    /// Whether a receive would not have to wait.
    pub(super) fn has_events(&self) -> bool {
        !self.inbox.is_empty() || (self.seen == State::Closed && !self.end_told)
    }

    /// The WebSocket of this link is open, and the session goes by it.
    pub fn opened(&mut self, wire: Stream, link: u64) {
        // An attempt that was given up in this very moment keeps no socket.
        if self.role(link) == Role::Main {
            self.wire = Some((wire, link));
        }
    }

    /// Whether the program has to take something before more may be read.
    pub fn must_pause(&self) -> bool {
        self.seen == State::Connected
            && (self.inbox.is_full() || self.outbox.answers_cost() > self.in_force.send_limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_after_a_silence_is_the_time_to_give_back() {
        let mut core = Core::new([7; 32]);
        let at = |ms: u64| Moment::from_nanos(1_000_000_000_000 + ms * 1_000_000);
        let mut rests = |count, ms| {
            core.received(Role::Main, count, at(ms));
            std::mem::take(&mut core.at_rest)
        };
        rests(10_000, 0);
        assert!(!rests(1, 499));
        assert!(rests(1, 999));
        assert!(!rests(LITTLE + 1, 2000));
        assert!(!rests(0, 3000));
        assert!(rests(LITTLE, 3001));
    }

    #[test]
    fn a_client_that_sends_is_not_quiet() {
        let mut core = Core::new([7; 32]);
        let at = |ms: u64| Moment::from_nanos(1_000_000_000_000 + ms * 1_000_000);
        core.received(Role::Main, 1, at(0));
        core.last_write = at(900);
        core.at_rest = false;
        core.received(Role::Main, 1, at(1000));
        assert!(!core.at_rest);
    }
}

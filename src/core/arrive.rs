//! Arriving: inputs go to the session, and what they bring goes to the inbox or to a call.
//!
//! Owns when reading has to pause. Refuses to know what an input means.

#![forbid(unsafe_code)]

use super::Core;
use crate::inbox::{AnswerTo, Block, Pushed};
use crate::log::Level;
use crate::message::Message;
use crate::monitor::Effects;
use crate::net::wire::Wire;
use crate::session::{Event, Input, Moment, State};
use crate::sleepers::Queue;

impl Core {
    /// Bytes came from the socket.
    pub fn received(&mut self, count: usize, now: Moment) {
        if count > 0 {
            self.tally.bytes_received += count as u64;
            self.tally.received_at = Some(now);
            self.session.touch(now);
        }
    }

    /// Hands in an input of one attempt, unless another has begun since.
    pub fn input_of(&mut self, attempt: u64, input: Input<'_>, now: Moment, fx: &mut Effects<'_>) {
        if attempt == self.attempt {
            match &input {
                Input::Phase(phase) => fx.log(Level::Debug, || format!("step: {}", phase.name())),
                Input::Open => fx.log(Level::Debug, || "the WebSocket is open".into()),
                _ => (),
            }
            self.input(input, now, fx);
            self.announce(fx);
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
                call.end(Ok(Message::reply(Block::from_parcel(parcel))));
                self.sleepers.wake(&call.place, &mut fx.wakes);
            }
        }
        self.settle(now, fx);
    }

    /// Wakes receivers for what has arrived; once for each batch.
    pub fn announce(&mut self, fx: &mut Effects<'_>) {
        let arrived = std::mem::take(&mut self.unannounced);
        self.sleepers.wake_some(Queue::Receive, arrived, &mut fx.wakes);
    }

    /// Takes the oldest event.
    #[inline]
    pub fn take(&mut self, fx: &mut Effects<'_>) -> Option<Box<Message>> {
        let taken = self.inbox.pop()?;
        if self.paused && !self.must_pause() {
            fx.kick = true;
        }
        Some(taken)
    }

    /// The WebSocket of this link is open.
    pub fn opened(&mut self, wire: Wire, link: u64) {
        // An attempt that was given up in this very moment keeps no socket.
        if self.seen == State::Connecting {
            self.wire = Some((wire, link));
        }
    }

    /// Whether the program has to take something before more may be read.
    pub fn must_pause(&self) -> bool {
        self.seen == State::Connected
            && (self.inbox.is_full() || self.outbox.answers_cost() > self.in_force.send_limit)
    }
}

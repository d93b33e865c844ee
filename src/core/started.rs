//! Operations that were started: each goes on without a thread of the program's, and ends with one
//! result.
//!
//! Owns when each of them is tried and ends; [`book`] owns which there are. Refuses to know how an operation is tried: [`operation`](super::operation)
//! and [`send`](super::send) do, as they do for a thread that waits. Here it is the driver who tries
//! again, when the place of an operation has been woken, so that started operations and waiting
//! threads stand in the same queues and overtake nobody.

#![forbid(unsafe_code)]

mod book;

use std::sync::Arc;

use super::operation::{Connecting, Flushing, Leaving, Tried};
use super::{Call, Core, MaySend};
use crate::error::{Failure, Status};
use crate::inbox::Finished;
use crate::message::Message;
use crate::monitor::Effects;
use crate::outbox;
use crate::outgoing::Checked;
use crate::session::Moment;
use crate::sleepers::{Place, Queue};

use book::{Cut, Operation, Work};
pub use book::{Start, Started};

impl Core {
    /// Goes on to wait for a connection that was begun.
    pub fn start_connect(
        &mut self,
        connecting: Connecting,
        start: Start,
        fx: &mut Effects<'_>,
    ) -> Result<(), Failure> {
        self.start(Work::Connect(connecting), start, fx)
    }

    /// An operation ends with this failure, without having begun.
    pub fn end_at_once(&mut self, start: Start, failure: Failure, fx: &mut Effects<'_>) {
        self.finish(start.tag, Err(failure), fx);
    }

    /// Begins to leave.
    pub fn start_disconnect(&mut self, start: Start, fx: &mut Effects<'_>) -> Result<(), Failure> {
        self.start(Work::Disconnect(Leaving::new(start.timeout.is_zero())), start, fx)
    }

    /// Begins to flush.
    pub fn start_flush(&mut self, start: Start, fx: &mut Effects<'_>) -> Result<(), Failure> {
        self.start(Work::Flush(Flushing::default()), start, fx)
    }

    /// Sends an event, or has it wait in line; with `call` its answer is the result.
    pub fn start_send(
        &mut self,
        checked: &Checked<'_>,
        call: bool,
        start: Start,
        fx: &mut Effects<'_>,
    ) -> Result<(), Failure> {
        if self.is_freed() {
            return Err(self.end());
        }
        let sending = self.as_call_if(call, checked.sending());
        let next = self.sleepers.is_next(Queue::Room, None);
        match self.may_send(&sending, next) {
            MaySend::Refused(failure) => return Err(failure.unsent(call)),
            // A call would only be sent to time out at once.
            MaySend::Yes { .. } if call && start.timeout.is_zero() => {
                self.finish(start.tag, Err(Failure::outcome(Status::Timeout)), fx);
            }
            MaySend::Yes { connected } if call => {
                let answer = Call::started(self.started.last + 1, start.now);
                let place = Arc::clone(&answer.place);
                self.keep(Operation { start, place, work: Work::Answer(Arc::clone(&answer)) }, fx);
                self.call(&sending, connected, &answer, || start.now, fx);
            }
            MaySend::Yes { connected } => {
                self.emit(&sending, connected, || start.now, fx);
                self.finish(start.tag, Ok(None), fx);
            }
            MaySend::NotYet if start.timeout.is_zero() => {
                self.finish(start.tag, Err(Failure::outcome(Status::Timeout)), fx)
            }
            MaySend::NotYet => {
                let (held, limit) = (self.started.line_cost, self.in_force.send_limit);
                if held >= limit {
                    return Err(line_is_full(held, limit));
                }
                let text_len = sending.outgoing.len(self.session.namespace());
                let cost =
                    outbox::cost(text_len, sending.buffers.iter().map(|buffer| buffer.len()));
                let packet = Box::new(checked.keep());
                let work = Work::Send { packet, cost, call };
                self.keep(Operation { start, place: Place::for_started(), work }, fx);
            }
        }
        Ok(())
    }

    /// Ends the oldest operation with this tag; false if there is none.
    pub fn cancel_started(&mut self, tag: u64, now: Moment, fx: &mut Effects<'_>) -> bool {
        let oldest = self.started.tags.range((tag, 0)..=(tag, u64::MAX)).next();
        let Some((_, number)) = oldest.copied() else { return false };
        self.cut(number, Cut::Cancelled, now, fx);
        true
    }

    /// Tries again what has been woken, and ends what has run out of time.
    pub fn run_started(&mut self, now: Moment, fx: &mut Effects<'_>) {
        if self.started.going.is_empty() {
            return;
        }
        let mut index = 0;
        while let Some(number) = self.started.line.get(index).copied() {
            match self.retry_sending(number, now, fx) {
                Retried::NotWoken => break,
                Retried::Waits => index += 1,
                Retried::Left => (),
            }
        }
        if self.sleepers.take_watcher_woken() {
            let watching = self.started.watching.iter().copied();
            let woken = |number: &u64| {
                self.started.going.get(number).is_some_and(|going| going.place.is_woken())
            };
            for number in watching.filter(woken).collect::<Vec<_>>() {
                self.retry(number, now, fx);
            }
        }
        while let Some((deadline, number)) = self.started.deadlines.first().copied()
            && deadline <= now
        {
            self.cut(number, Cut::TimedOut, now, fx);
        }
    }

    /// Takes the oldest result. What it says becomes the last failure, unless it is an outcome
    /// rather than a fault.
    pub fn take_result(&mut self, fx: &mut Effects<'_>) -> Option<(u64, Taken)> {
        let Some(Finished { tag, outcome }) = self.inbox.pop_result() else {
            self.readiness.no_results(self.has_events());
            return None;
        };
        self.took(fx);
        Some((tag, outcome.map_err(|failure| self.note(*failure))))
    }

    /// The operation whose packet has waited longest for room, and the one that came last.
    pub(super) fn first_in_line(&self) -> Option<u64> {
        self.started.line.front().copied()
    }

    pub(super) fn last_in_line(&self) -> u64 {
        self.started.line.back().copied().unwrap_or_default()
    }

    /// The client is going: nothing of it goes on, and no result comes.
    pub(super) fn forget_started(&mut self) {
        self.started = Started::default();
        self.sleepers.forget_started();
        self.inbox.clear_results();
    }

    /// Tries an operation, and keeps it if it has to wait. What can be told at once is returned and
    /// yields no result.
    fn start(&mut self, work: Work, start: Start, fx: &mut Effects<'_>) -> Result<(), Failure> {
        if self.is_freed() {
            return Err(self.end());
        }
        let mut operation = Operation { start, place: Place::for_started(), work };
        match self.attempt(&mut operation, start.now, fx) {
            Some(Err(failure)) if failure.status == Status::Disconnected => return Err(*failure),
            Some(outcome) => self.finish(start.tag, nothing_or(outcome), fx),
            None if start.timeout.is_zero() => {
                let outcome = self.cut_work(&operation, Cut::TimedOut, start.now, fx);
                self.finish(start.tag, outcome, fx);
            }
            None => self.keep(operation, fx),
        }
        Ok(())
    }

    fn keep(&mut self, operation: Operation, fx: &mut Effects<'_>) {
        if !matches!(operation.work, Work::Answer(_)) {
            self.sleepers.enter(operation.work.queue(), &operation.place);
        }
        // The driver has to hear of a deadline before the one that it waits for.
        if let Some(deadline) = operation.start.deadline() {
            fx.kick |= self.started.alarm.is_none_or(|alarm| deadline < alarm);
        }
        self.started.add(operation);
    }

    /// Tries again what waits for the connection's state, or for a flush.
    fn retry(&mut self, number: u64, now: Moment, fx: &mut Effects<'_>) {
        let Some(operation) = self.started.going.get(&number) else { return };
        if !operation.place.is_woken() {
            return;
        }
        let Some(mut operation) = self.started.going.remove(&number) else { return };
        let outcome = self.attempt(&mut operation, now, fx);
        let (queue, place) = (operation.work.queue(), Arc::clone(&operation.place));
        self.started.going.insert(number, operation);
        match outcome {
            None => self.sleepers.enter(queue, &place),
            Some(outcome) => self.end_started(number, nothing_or(outcome), fx),
        }
    }

    fn attempt(&mut self, operation: &mut Operation, now: Moment, fx: &mut Effects<'_>) -> Tried {
        match &mut operation.work {
            Work::Connect(connecting) => connecting.attempt(self),
            Work::Disconnect(leaving) => leaving.attempt(self, now, fx),
            Work::Flush(flushing) => flushing.attempt(self, &operation.place),
            // Packets in line are tried in their order, and an answer comes by itself.
            Work::Send { .. } | Work::Answer(_) => None,
        }
    }

    /// Tries again to send a packet that waits in line.
    fn retry_sending(&mut self, number: u64, now: Moment, fx: &mut Effects<'_>) -> Retried {
        let woken = |going: &Operation| going.place.is_woken();
        if !self.started.going.get(&number).is_some_and(woken) {
            return Retried::NotWoken;
        }
        let Some(mut operation) = self.started.going.remove(&number) else {
            return Retried::NotWoken;
        };
        // Nothing else stands in line.
        let Work::Send { packet, call, .. } = &operation.work else { return Retried::Left };
        let next = self.sleepers.is_next(Queue::Room, Some(&operation.place));
        let sent = packet.with_sending(|sending| {
            let sending = self.as_call_if(*call, sending);
            match self.may_send(&sending, next) {
                MaySend::Refused(failure) => Some(Err(failure.unsent(*call))),
                MaySend::NotYet => None,
                MaySend::Yes { connected } if *call => {
                    let answer = Call::started(number, now);
                    self.call(&sending, connected, &answer, || now, fx);
                    Some(Ok(Some(answer)))
                }
                MaySend::Yes { connected } => {
                    self.emit(&sending, connected, || now, fx);
                    Some(Ok(None))
                }
            }
        });
        let outcome = match sent {
            None => {
                self.sleepers.enter(Queue::Room, &operation.place);
                self.started.going.insert(number, operation);
                return Retried::Waits;
            }
            Some(Ok(Some(answer))) => {
                self.started.leave_line(number, &operation.work);
                self.sleepers.leave(Queue::Room, &operation.place);
                self.sleepers.wake_all(Queue::Flush, &mut fx.wakes);
                operation.place = Arc::clone(&answer.place);
                operation.work = Work::Answer(answer);
                self.started.going.insert(number, operation);
                self.pass_on(Queue::Room, fx);
                return Retried::Left;
            }
            Some(Ok(None)) => Ok(None),
            Some(Err(failure)) => Err(failure),
        };
        self.started.going.insert(number, operation);
        self.end_started(number, outcome, fx);
        Retried::Left
    }

    /// Ends an operation before it is done.
    fn cut(&mut self, number: u64, cut: Cut, now: Moment, fx: &mut Effects<'_>) {
        let Some(operation) = self.started.remove(number) else { return };
        let outcome = self.cut_work(&operation, cut, now, fx);
        self.leave_queue(&operation, fx);
        self.finish(operation.start.tag, outcome, fx);
    }

    fn cut_work(
        &mut self,
        operation: &Operation,
        cut: Cut,
        now: Moment,
        fx: &mut Effects<'_>,
    ) -> Outcome {
        let timed_out = cut == Cut::TimedOut;
        match &operation.work {
            Work::Connect(connecting) => {
                let timeout = timed_out.then_some(operation.start.timeout);
                Err(connecting.abandon(self, timeout, now, fx))
            }
            Work::Disconnect(leaving) => leaving.cut_short(self, timed_out, now, fx).map(|()| None),
            Work::Answer(call) => {
                self.cancel_call(call, fx);
                Err(if timed_out {
                    self.late_call()
                } else {
                    Failure::outcome(Status::Interrupted)
                })
            }
            // Often neither side reads because the other does not: then there is no room either.
            Work::Send { call: true, .. } if timed_out => Err(self.late_call()),
            Work::Flush(_) | Work::Send { .. } if timed_out => {
                Err(Failure::outcome(Status::Timeout))
            }
            Work::Flush(_) | Work::Send { .. } => Err(Failure::outcome(Status::Interrupted)),
        }
    }

    /// The operation with this number is done, or has come to nothing.
    pub(super) fn end_started(&mut self, number: u64, outcome: Outcome, fx: &mut Effects<'_>) {
        let Some(operation) = self.started.remove(number) else { return };
        self.leave_queue(&operation, fx);
        self.finish(operation.start.tag, outcome, fx);
    }

    /// One that is over makes way for who waits behind it.
    fn leave_queue(&mut self, operation: &Operation, fx: &mut Effects<'_>) {
        let queue = operation.work.queue();
        self.sleepers.leave(queue, &operation.place);
        self.pass_on(queue, fx);
        if queue == Queue::Room {
            self.sleepers.wake_all(Queue::Flush, &mut fx.wakes);
        }
    }

    /// The one result of an operation.
    fn finish(&mut self, tag: u64, outcome: Outcome, fx: &mut Effects<'_>) {
        self.inbox.push_result(Finished { tag, outcome: outcome.map_err(Box::new) });
        self.sleepers.wake_one(Queue::Result, &mut fx.wakes);
    }
}

/// How an operation ended, as the program learns it.
pub type Taken = Result<Option<Box<Message>>, Status>;

/// How an operation ended.
type Outcome = Result<Option<Box<Message>>, Failure>;

/// What came of trying a packet in line again.
enum Retried {
    NotWoken,
    Waits,
    Left,
}

fn nothing_or(outcome: Result<(), Box<Failure>>) -> Outcome {
    match outcome {
        Ok(()) => Ok(None),
        Err(failure) => Err(*failure),
    }
}

fn line_is_full(held: usize, limit: usize) -> Failure {
    let text = format!(
        "not started: the emits and calls that wait to be sent hold {held} bytes already, and \
         \"send_limit\" is {limit}; take results, and start the next when there is room"
    );
    Failure::new(Status::Full, text)
}

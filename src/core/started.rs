//! Operations that were started: each goes on without a thread of the program's, and ends with one
//! result.
//!
//! Owns what goes on, in the order in which it was started, the line of packets that wait for room,
//! and when each has to end. Refuses to know how an operation is tried: [`operation`](super::operation)
//! and [`send`](super::send) do, as they do for a thread that waits. Here it is the driver who tries
//! again, when the place of an operation has been woken, so that started operations and waiting
//! threads stand in the same queues and overtake nobody.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::operation::{Connecting, Flushing, Leaving, Tried};
use super::{Call, Core, MaySend, Sending};
use crate::error::{Failure, Status};
use crate::inbox::Finished;
use crate::message::Message;
use crate::monitor::Effects;
use crate::outbox;
use crate::outgoing::{Checked, Kept};
use crate::packet::socket::Outgoing;
use crate::session::Moment;
use crate::sleepers::{Place, Queue, Timeout};

/// Who started an operation, and how long it may take.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// What the program calls it.
    pub tag: u64,
    /// Its limit.
    pub timeout: Timeout,
    /// When it was started.
    pub now: Moment,
}

impl Start {
    fn deadline(self) -> Option<Moment> {
        match self.timeout {
            Timeout::Limit(limit) => Some(self.now + limit),
            Timeout::Forever => None,
        }
    }
}

/// Why an operation ends before it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cut {
    TimedOut,
    Cancelled,
}

/// What an operation does.
enum Work {
    Connect(Connecting),
    Disconnect(Leaving),
    Flush(Flushing),
    /// A packet that waits in line; with `call` its answer is waited for then.
    Send {
        packet: Box<Kept>,
        cost: usize,
        call: bool,
    },
    /// The answer to a packet that has been queued.
    Answer(Arc<Call>),
}

impl Work {
    fn queue(&self) -> Queue {
        match self {
            Work::Connect(_) | Work::Disconnect(_) => Queue::Link,
            Work::Flush(_) => Queue::Flush,
            Work::Send { .. } => Queue::Room,
            Work::Answer(_) => Queue::Call,
        }
    }
}

struct Operation {
    start: Start,
    place: Arc<Place>,
    work: Work,
}

/// All that goes on, each under a number that counts up.
#[derive(Default)]
pub struct Started {
    last: u64,
    going: BTreeMap<u64, Operation>,
    tags: BTreeSet<(u64, u64)>,
    deadlines: BTreeSet<(Moment, u64)>,
    /// Those that wait for the connection's state, or for a flush.
    watching: BTreeSet<u64>,
    /// Those whose packets wait in line, and what these count.
    line: VecDeque<u64>,
    line_cost: usize,
    /// When the driver looks again, as far as it has been told.
    alarm: Option<Moment>,
}

impl Started {
    /// When the driver has to look again. Each turn of it asks.
    ///
    /// An alarm that is set stays, also if what it was set for is over: the next operation has, as
    /// a rule, a later deadline, and the driver need not be told of it.
    pub fn alarm(&mut self, now: Moment) -> Option<Moment> {
        let first = self.deadlines.first().map(|(deadline, _)| *deadline);
        let stays = self.alarm.filter(|alarm| *alarm > now);
        self.alarm = stays.into_iter().chain(first).min();
        self.alarm
    }

    fn add(&mut self, operation: Operation) -> u64 {
        self.last += 1;
        let number = self.last;
        match &operation.work {
            Work::Connect(_) | Work::Disconnect(_) | Work::Flush(_) => {
                self.watching.insert(number);
            }
            Work::Send { cost, .. } => {
                self.line.push_back(number);
                self.line_cost += cost;
            }
            Work::Answer(_) => (),
        }
        self.tags.insert((operation.start.tag, number));
        if let Some(deadline) = operation.start.deadline() {
            self.deadlines.insert((deadline, number));
        }
        self.going.insert(number, operation);
        number
    }

    fn remove(&mut self, number: u64) -> Option<Operation> {
        let operation = self.going.remove(&number)?;
        self.tags.remove(&(operation.start.tag, number));
        if let Some(deadline) = operation.start.deadline() {
            self.deadlines.remove(&(deadline, number));
        }
        self.leave_line(number, &operation.work);
        Some(operation)
    }

    fn leave_line(&mut self, number: u64, work: &Work) {
        match work {
            Work::Connect(_) | Work::Disconnect(_) | Work::Flush(_) => {
                self.watching.remove(&number);
            }
            Work::Send { cost, .. } => {
                self.line_cost -= cost;
                if let Ok(index) = self.line.binary_search(&number) {
                    self.line.remove(index);
                }
            }
            Work::Answer(_) => (),
        }
    }
}

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
        let sending = self.numbered(checked.sending(), call);
        let next = self.sleepers.is_next(Queue::Room, None);
        match self.may_send(&sending, next) {
            MaySend::Refused(failure) => return Err(failure.unsent(call)),
            // A call would only be sent to time out at once.
            MaySend::Yes { .. } if call && start.timeout.is_zero() => {
                self.finish(start.tag, Err(late()), fx);
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
            MaySend::NotYet if start.timeout.is_zero() => self.finish(start.tag, Err(late()), fx),
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

    /// The call with this number has its answer, or will have none.
    pub(super) fn answered(
        &mut self,
        number: u64,
        outcome: Result<Box<Message>, Failure>,
        fx: &mut Effects<'_>,
    ) {
        if let Some(operation) = self.started.remove(number) {
            self.finish(operation.start.tag, outcome.map(Some), fx);
        }
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
            let sending = self.numbered(sending, *call);
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

    /// The same with the number of the next call, if it is one.
    fn numbered<'a>(&self, sending: Sending<'a>, call: bool) -> Sending<'a> {
        let id = call.then(|| self.session.next_call());
        Sending { outgoing: Outgoing { id, ..sending.outgoing }, buffers: sending.buffers }
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
                Err(if timed_out { self.late_call() } else { interrupted() })
            }
            // Often neither side reads because the other does not: then there is no room either.
            Work::Send { call: true, .. } if timed_out => Err(self.late_call()),
            Work::Flush(_) | Work::Send { .. } if timed_out => Err(late()),
            Work::Flush(_) | Work::Send { .. } => Err(interrupted()),
        }
    }

    fn end_started(&mut self, number: u64, outcome: Outcome, fx: &mut Effects<'_>) {
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

/// How an operation ended. A failure without a text is an outcome rather than a fault.
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

fn late() -> Failure {
    Failure::new(Status::Timeout, "")
}

fn interrupted() -> Failure {
    Failure::new(Status::Interrupted, "")
}

fn line_is_full(held: usize, limit: usize) -> Failure {
    let text = format!(
        "not started: the emits and calls that wait to be sent hold {held} bytes already, and \
         \"send_limit\" is {limit}; take results, and start the next when there is room"
    );
    Failure::new(Status::Full, text)
}

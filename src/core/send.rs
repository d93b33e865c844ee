//! Sending: whether a packet may go now, and its way into the outbox.
//!
//! Owns calls that wait for their answers. Refuses to know how bytes get to the socket.

#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::Core;
use crate::error::{Failure, Status};
use crate::inbox::AnswerTo;
use crate::message::Message;
use crate::monitor::{CallerWrite, Effects};
use crate::options::Offline;
use crate::outbox::{self, Role};
use crate::packet::socket::Outgoing;
use crate::session::{Admission, Moment, State};
use crate::sleepers::{Place, Queue};

/// Silence after which a caller may write by itself: long enough that a burst does not do it for
/// each of its packets, short enough that a call after a pause does.
const QUIET: Duration = Duration::from_micros(20);

/// So much takes longer to write than to tell the driver of; and if it were the driver's, what comes
/// behind it would have to be copied to where it waits.
const LARGE: usize = 64 * 1024;

/// So many more bytes in the queue, and whoever emits yields.
const YIELD_EVERY: usize = 256 * 1024;

/// A call that waits for its answer.
pub struct Call {
    /// Where its thread sleeps.
    pub place: Arc<Place>,
    outcome: Mutex<Option<Result<Box<Message>, Failure>>>,
    /// Its acknowledgement id, once it is queued.
    id: AtomicU64,
    /// The number of the started operation that it belongs to; 0 if a thread waits for it.
    started: u64,
    pub(super) begun: Moment,
}

impl Call {
    /// A call for which the thread that calls waits.
    pub fn waited_for(begun: Moment) -> Arc<Call> {
        Call::new(Place::new(), 0, begun)
    }

    /// A call whose answer goes to the started operation with this number.
    pub(super) fn started(number: u64, begun: Moment) -> Arc<Call> {
        Call::new(Place::for_started(), number, begun)
    }

    fn new(place: Arc<Place>, started: u64, begun: Moment) -> Arc<Call> {
        Arc::new(Call { place, outcome: Mutex::new(None), id: AtomicU64::new(0), started, begun })
    }

    /// What it ended with, once.
    pub fn take_outcome(&self) -> Option<Result<Box<Message>, Failure>> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn end(&self, outcome: Result<Box<Message>, Failure>) {
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
    }
}

/// What a program wants to send, checked.
pub struct Sending<'a> {
    /// The text.
    pub outgoing: Outgoing<'a>,
    /// The byte buffers.
    pub buffers: &'a [&'a [u8]],
}

/// Whether a packet can be sent now.
pub enum MaySend {
    /// It can; not `connected` if it has to wait for the connection that is being made.
    Yes {
        /// Whether the namespace is connected.
        connected: bool,
    },
    /// There is no room, somebody else is before it, or no connection yet.
    NotYet,
    /// It cannot be sent.
    Refused(Failure),
}

impl Core {
    /// Whether a packet can be sent now. `next` tells that nobody else waits before it.
    pub fn may_send(&self, sending: &Sending<'_>, next: bool) -> MaySend {
        let connected = match self.session.admit() {
            Admission::Ready => true,
            Admission::Wait => match self.in_force.offline {
                Offline::Wait => return MaySend::NotYet,
                Offline::Buffer => false,
                Offline::Fail => return MaySend::Refused(self.offline()),
            },
            Admission::Refused(failure) => return MaySend::Refused(failure),
        };
        let text_len = sending.outgoing.len(self.session.namespace());
        let lens = || sending.buffers.iter().map(|buffer| buffer.len());
        if let Err(failure) = self.session.check_size(text_len, &mut lens()) {
            return MaySend::Refused(failure);
        }
        let cost = outbox::cost(text_len, lens());
        if next && self.outbox.has_room(cost, self.in_force.send_limit) {
            MaySend::Yes { connected }
        } else {
            MaySend::NotYet
        }
    }

    /// A packet with the number of the next call, if it is a call.
    pub fn as_call_if<'a>(&self, call: bool, sending: Sending<'a>) -> Sending<'a> {
        let id = call.then(|| self.session.next_call());
        Sending { outgoing: Outgoing { id, ..sending.outgoing }, buffers: sending.buffers }
    }

    /// The refusal of a packet that is not to wait for the connection.
    fn offline(&self) -> Failure {
        let doing = match self.seen {
            State::Reconnecting => "reconnecting",
            _ => "still connecting",
        };
        let mut text =
            format!("not sent: the client is {doing}, and the option \"offline\" is \"fail\"");
        if let Some(ended) = self.session.ended() {
            text.push_str(&format!("; {}", ended.text));
        }
        Failure::new(Status::Disconnected, text)
    }

    /// Sends an event that may be sent.
    pub fn emit(
        &mut self,
        sending: &Sending<'_>,
        connected: bool,
        now: impl Fn() -> Moment,
        fx: &mut Effects<'_>,
    ) {
        self.push(sending, Role::Event, connected);
        self.start_writing(now, fx);
        if connected {
            self.yield_at_times(fx);
        }
    }

    /// A program that emits faster than is written lets the driver run now and then. Where both share
    /// a processor the queue then stays short, and what is in it is written while it is in the
    /// processor's cache; elsewhere it costs next to nothing.
    #[inline]
    fn yield_at_times(&mut self, fx: &mut Effects<'_>) {
        let queued = self.outbox.cost();
        if queued < self.yielded_at {
            self.yielded_at = queued;
        } else if queued - self.yielded_at >= YIELD_EVERY {
            self.yielded_at = queued;
            fx.yields = true;
        }
    }

    /// Sends an event that may be sent, numbered as the next call, for whose answer `call` waits.
    pub fn call(
        &mut self,
        sending: &Sending<'_>,
        connected: bool,
        call: &Arc<Call>,
        now: impl Fn() -> Moment,
        fx: &mut Effects<'_>,
    ) {
        let id = self.session.begin_call(Arc::clone(call));
        debug_assert_eq!(sending.outgoing.id, Some(id), "the call was measured with its number");
        call.id.store(id, Ordering::Relaxed);
        self.push(sending, Role::Call(id), connected);
        if call.started == 0 {
            self.sleepers.enter(Queue::Call, &call.place);
        }
        self.start_writing(now, fx);
    }

    /// Sends an answer; never refused for room.
    pub fn answer(
        &mut self,
        sending: &Sending<'_>,
        to: AnswerTo,
        now: impl Fn() -> Moment,
        fx: &mut Effects<'_>,
    ) -> Result<(), Failure> {
        if !self.can_answer(to) {
            let text = "not answered: the connection that the event came by is gone";
            return Err(Failure::new(Status::Disconnected, text));
        }
        let text_len = sending.outgoing.len(self.session.namespace());
        let mut lens = sending.buffers.iter().map(|buffer| buffer.len());
        self.session.check_size(text_len, &mut lens)?;
        self.push(sending, Role::Answer, true);
        self.start_writing(now, fx);
        if self.seen == State::Connected && self.must_pause() && !self.paused {
            fx.kick = true;
        }
        Ok(())
    }

    /// Whether an answer to this event can still reach the server.
    pub fn can_answer(&self, to: AnswerTo) -> bool {
        to.epoch == self.session.epoch() && self.seen == State::Connected
    }

    /// A call has its answer, or will have none.
    pub(super) fn end_call(
        &mut self,
        call: &Arc<Call>,
        outcome: Result<Box<Message>, Failure>,
        fx: &mut Effects<'_>,
    ) {
        match call.started {
            0 => {
                call.end(outcome);
                self.sleepers.wake(&call.place, &mut fx.wakes);
            }
            number => self.end_started(number, outcome.map(Some), fx),
        }
    }

    /// Gives up a call that ended without its answer; false if the answer was faster.
    pub fn cancel_call(&mut self, call: &Arc<Call>, fx: &mut Effects<'_>) -> bool {
        let id = call.id.load(Ordering::Relaxed);
        if self.session.cancel_call(id).is_none() {
            return false;
        }
        if self.outbox.cancel_call(id) {
            self.made_room(fx);
        }
        true
    }

    pub(super) fn push(&mut self, sending: &Sending<'_>, role: Role, connected: bool) {
        self.tally.packets_sent += 1;
        let namespace = self.session.namespace();
        self.outbox.push(&sending.outgoing, namespace, sending.buffers, role, connected);
    }

    /// Somebody has to write what was framed: this caller if the connection is quiet or nothing
    /// else could happen before the answer to its call, the driver otherwise.
    pub(super) fn start_writing(&mut self, now: impl Fn() -> Moment, fx: &mut Effects<'_>) {
        let Some((wire, link)) = &self.wire else {
            // By polling it waits for the next POST, which the driver makes.
            fx.kick |= self.session.may_post();
            return;
        };
        if self.outbox.is_being_written() {
            return;
        }
        let alone = self.session.calls_waiting() == 1 && self.outbox.len() == 1;
        let large = self.outbox.framed_len() >= LARGE;
        if (alone || large || now().saturating_sub(self.last_write) >= QUIET)
            && let Some(bytes) = self.outbox.take_as_caller()
        {
            fx.write = Some(CallerWrite { wire: wire.clone(), bytes, link: *link });
            return;
        }
        fx.kick |= self.outbox.leave_to_driver() || self.outbox.has_waiting();
    }
}

//! What the lock of a client guards, and how its parts work together.
//!
//! Owns the session, the queues on both sides, the sleepers and the last failure, and carries
//! what one part decides to the others. Refuses to decide anything that the protocol decides, and
//! touches nothing but memory: what has to happen outside goes into [`Effects`].

#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::error::{Failure, Status};
use crate::inbox::{AnswerTo, Block, Inbox, Pushed};
use crate::log::Level;
use crate::message::Message;
use crate::monitor::{CallerWrite, Effects};
use crate::net::wire::Wire;
use crate::options::{Offline, Options};
use crate::outbox::{self, Outbox, Role};
use crate::packet::socket::Outgoing;
use crate::session::{Action, Admission, Event, Input, Moment, Session, Settings, State, Transmit};
use crate::sleepers::{Place, Queue, Sleepers};
use crate::transport::frame::OpCode;
use crate::url::Url;

/// Silence after which a caller may write by itself: long enough that a burst does not do it for
/// each of its packets, short enough that a call after a pause does.
const QUIET: Duration = Duration::from_micros(20);

/// A call that waits for its answer.
pub struct Call {
    /// Where its thread sleeps.
    pub place: Arc<Place>,
    outcome: Mutex<Option<Result<Box<Message>, Failure>>>,
    /// Its acknowledgement id, once it is queued.
    id: AtomicU64,
    begun: Moment,
}

impl Call {
    /// What it ended with, once.
    pub fn take_outcome(&self) -> Option<Result<Box<Message>, Failure>> {
        self.outcome.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn end(&self, outcome: Result<Box<Message>, Failure>) {
        *self.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
    }
}

/// Numbers of one client that the session does not keep.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    /// Packets of the program's accepted for sending.
    pub packets_sent: u64,
    /// Bytes handed to the system.
    pub bytes_sent: u64,
    /// Bytes that the system gave.
    pub bytes_received: u64,
    /// Packets that were lost with a connection or refused as too large when they were due.
    pub dropped_sent: u64,
    /// Events that were dropped unread.
    pub dropped_received: u64,
    /// The round trip of the last call.
    pub rtt: Option<Duration>,
    /// When the namespace was connected.
    pub connected_at: Option<Moment>,
    /// When bytes came last.
    pub received_at: Option<Moment>,
}

/// Where a connection attempt goes, and with what.
#[derive(Clone, Debug)]
pub struct DialPlan {
    /// The server.
    pub url: Url,
    /// Path and query of the request.
    pub target: String,
    /// The program's headers.
    pub headers: Vec<(String, String)>,
    /// The largest WebSocket message that is taken.
    pub max_message: usize,
}

/// What the driver is to do next.
#[derive(Debug, Default)]
pub struct Plan {
    /// What the session asks for, in order.
    pub actions: Vec<Action>,
    /// Whether to read from the socket.
    pub read: bool,
    /// When to ask again at the latest.
    pub deadline: Option<Moment>,
    /// The client is being freed.
    pub stop: bool,
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

/// The state of one client.
pub struct Core {
    /// The protocol.
    pub session: Session<Arc<Call>>,
    /// What has arrived.
    pub inbox: Inbox,
    /// What is to go out.
    pub outbox: Outbox,
    /// Who waits.
    pub sleepers: Sleepers,
    /// What the next connection attempt reads.
    pub options: Options,
    /// What the current attempt has read.
    pub in_force: Options,
    /// Numbers for the program.
    pub tally: Tally,
    failure: Option<Failure>,
    /// The number of the current attempt; what belongs to an earlier one is not heard.
    attempt: u64,
    dial: Option<DialPlan>,
    /// The socket, while the WebSocket is open; the driver's count of links names it.
    wire: Option<(Wire, u64)>,
    /// The state that has been announced.
    seen: State,
    paused: bool,
    freed: bool,
    /// Events that have arrived and for which nobody has been woken.
    unannounced: usize,
    last_write: Moment,
}

impl Core {
    /// A client that is not connected, with masking keys from `seed`.
    pub fn new(seed: [u8; 32]) -> Self {
        let options = Options::default();
        let in_force = options.clone();
        Core {
            session: Session::new(),
            inbox: Inbox::new(in_force.receive_limit, in_force.receive_overflow),
            outbox: Outbox::new(seed),
            sleepers: Sleepers::default(),
            options,
            in_force,
            tally: Tally::default(),
            failure: None,
            attempt: 0,
            dial: None,
            wire: None,
            seen: State::New,
            paused: false,
            freed: false,
            unannounced: 0,
            last_write: Moment::default(),
        }
    }

    /// Whether the client is being freed.
    pub fn is_freed(&self) -> bool {
        self.freed
    }

    /// Whether reading is paused because the program does not take what came.
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// Notes a failure as the last one.
    pub fn fail(&mut self, failure: Failure) -> Status {
        let status = failure.status;
        self.failure = Some(failure);
        status
    }

    /// The last failure.
    pub fn failure(&self) -> Option<&Failure> {
        self.failure.as_ref()
    }

    /// Begins a connection attempt with the options as they are.
    pub fn connect(
        &mut self,
        settings: Settings,
        plan: DialPlan,
        now: Moment,
        fx: &mut Effects<'_>,
    ) {
        self.tally.dropped_received += self.inbox.clear();
        self.in_force = self.options.clone();
        self.inbox.configure(self.in_force.receive_limit, self.in_force.receive_overflow);
        fx.log(Level::Info, || format!("connecting to {}", settings.target));
        self.dial = Some(plan);
        self.attempt += 1;
        self.session.connect(settings, now);
        self.settle(now, fx);
        fx.kick = true;
    }

    /// Begins to leave.
    pub fn leave(&mut self, now: Moment, fx: &mut Effects<'_>) {
        self.session.leave(now);
        self.settle(now, fx);
        fx.kick = true;
    }

    /// Ends whatever is under way, for this reason.
    pub fn give_up(&mut self, failure: Failure, now: Moment, fx: &mut Effects<'_>) {
        self.session.give_up(failure, now);
        self.settle(now, fx);
        fx.kick = true;
    }

    /// Ends everything for good.
    pub fn free(&mut self, fx: &mut Effects<'_>) {
        let failure = Failure::new(Status::Disconnected, "the client is being freed");
        self.freed = true;
        let now = self.last_write;
        self.give_up(failure, now, fx);
        self.inbox.clear();
        self.sleepers.wake_everybody(&mut fx.wakes);
    }

    /// A defect was met on the client's thread.
    pub fn defect(&mut self, fx: &mut Effects<'_>) {
        let failure = Failure::new(
            Status::Internal,
            "a defect in the library ended the connection; please report it",
        );
        let now = self.last_write;
        fx.log(Level::Error, || failure.text.clone());
        self.give_up(failure.clone(), now, fx);
        self.fail(failure);
    }

    /// In a child process: gives back what takes room.
    pub fn forget_all(&mut self) {
        self.freed = true;
        self.inbox.clear();
        self.outbox.lose_all();
    }

    /// Whether a packet can be sent now. `next` tells that nobody else waits before it.
    pub fn may_send(&self, sending: &Sending<'_>, next: bool) -> MaySend {
        let connected = match self.session.admit() {
            Admission::Ready => true,
            Admission::Wait => match self.in_force.offline {
                Offline::Wait => return MaySend::NotYet,
                Offline::Buffer => false,
                Offline::Fail => {
                    let text = "not sent: the client is still connecting, and the option \
                                \"offline\" is \"fail\"";
                    return MaySend::Refused(Failure::new(Status::Disconnected, text));
                }
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
    }

    /// Sends an event that may be sent, for whose answer `call` waits.
    pub fn call(
        &mut self,
        sending: &Sending<'_>,
        connected: bool,
        call: &Arc<Call>,
        now: impl Fn() -> Moment,
        fx: &mut Effects<'_>,
    ) {
        let id = self.session.begin_call(Arc::clone(call));
        call.id.store(id, Ordering::Relaxed);
        let outgoing = Outgoing { id: Some(id), ..sending.outgoing };
        let sending = Sending { outgoing, buffers: sending.buffers };
        self.push(&sending, Role::Call(id), connected);
        self.sleepers.enter(Queue::Call, &call.place);
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

    /// A new call, whose thread is the one that calls.
    pub fn new_call(place: Arc<Place>, begun: Moment) -> Arc<Call> {
        Arc::new(Call { place, outcome: Mutex::new(None), id: AtomicU64::new(0), begun })
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

    /// Takes the oldest event.
    #[inline]
    pub fn take(&mut self, fx: &mut Effects<'_>) -> Option<Box<Message>> {
        let taken = self.inbox.pop()?;
        if self.paused && !self.must_pause() {
            fx.kick = true;
        }
        Some(taken)
    }

    /// Whether no event will come any more.
    pub fn is_over(&self) -> bool {
        self.freed || (self.seen == State::Closed && self.inbox.is_empty())
    }

    /// The state, as of the last change that was announced.
    pub fn state(&self) -> State {
        self.seen
    }

    /// Whoever leaves a queue passes on the wake that the next in it might need.
    pub fn pass_on(&mut self, queue: Queue, fx: &mut Effects<'_>) {
        let work_is_left = match queue {
            Queue::Receive => !self.inbox.is_empty(),
            Queue::Room => true,
            Queue::Link | Queue::Flush | Queue::Call => false,
        };
        if work_is_left {
            self.sleepers.wake_one(queue, &mut fx.wakes);
        }
    }

    /// The number of the current connection attempt.
    pub fn attempt(&self) -> u64 {
        self.attempt
    }

    /// Gives the driver what it is to dial, and the attempt's number.
    pub fn take_dial(&mut self) -> Option<(u64, DialPlan)> {
        Some((self.attempt, self.dial.take()?))
    }

    /// Bytes came from the socket.
    pub fn received(&mut self, count: usize, now: Moment) {
        if count > 0 {
            self.tally.bytes_received += count as u64;
            self.tally.received_at = Some(now);
            self.session.touch(now);
        }
    }

    /// The driver is about to write on.
    pub fn begin_write(&mut self) {
        self.outbox.begin_write();
    }

    /// Hands in an input of one attempt, unless another has begun since.
    pub fn input_of(&mut self, attempt: u64, input: Input<'_>, now: Moment, fx: &mut Effects<'_>) {
        if attempt == self.attempt {
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
                    Pushed::Dropped => self.tally.dropped_received += 1,
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

    /// The WebSocket of this link is open.
    pub fn opened(&mut self, wire: Wire, link: u64) {
        self.wire = Some((wire, link));
    }

    /// The next turn of the driver: what is due is done, what waits is framed.
    pub fn turn(&mut self, now: Moment, fx: &mut Effects<'_>) -> Plan {
        if self.session.deadline().is_some_and(|deadline| deadline <= now) {
            self.session.expire(now);
            self.settle(now, fx);
        }
        self.pump(now, fx);
        let pause = self.must_pause();
        if pause != self.paused {
            self.paused = pause;
            if pause {
                self.session.pause(now);
                fx.log(Level::Debug, || "reading is paused: the receive queue is full".into());
            } else {
                self.session.resume(now);
            }
        }
        let mut plan = Plan { read: !pause, stop: self.freed, ..Plan::default() };
        while let Some(action) = self.session.action() {
            plan.actions.push(action);
        }
        plan.deadline = self.session.deadline();
        plan
    }

    /// Takes what is framed for the driver to write.
    pub fn take_frames(&mut self, empty: &mut Vec<u8>) -> bool {
        self.outbox.take_as_driver(empty)
    }

    /// The driver has handed bytes to the system.
    pub fn driver_wrote(&mut self, count: usize, done: bool, now: Moment, fx: &mut Effects<'_>) {
        self.tally.bytes_sent += count as u64;
        self.last_write = now;
        self.outbox.driver_wrote(count, done);
        self.made_room(fx);
    }

    /// A caller has handed bytes to the system, on the link with this number.
    pub fn caller_wrote(
        &mut self,
        link: u64,
        bytes: Vec<u8>,
        count: usize,
        now: Moment,
        fx: &mut Effects<'_>,
    ) {
        self.tally.bytes_sent += count as u64;
        if self.wire.as_ref().is_none_or(|(_, current)| *current != link) {
            return;
        }
        self.last_write = now;
        fx.kick |= self.outbox.caller_wrote(bytes, count);
        // Leaving is a chain of writes, each waiting for the one before it to be done.
        fx.kick |= self.seen == State::Closing;
        self.made_room(fx);
    }

    fn push(&mut self, sending: &Sending<'_>, role: Role, connected: bool) {
        self.tally.packets_sent += 1;
        let namespace = self.session.namespace();
        self.outbox.push(&sending.outgoing, namespace, sending.buffers, role, connected);
    }

    /// Somebody has to write what was framed: this caller if the connection is quiet or nothing
    /// else could happen before the answer to its call, the driver otherwise.
    fn start_writing(&mut self, now: impl Fn() -> Moment, fx: &mut Effects<'_>) {
        let Some((wire, link)) = &self.wire else { return };
        if self.outbox.is_being_written() {
            return;
        }
        let alone = self.session.calls_waiting() == 1 && self.outbox.len() == 1;
        if alone || now().saturating_sub(self.last_write) >= QUIET {
            if let Some(bytes) = self.outbox.take_as_caller() {
                fx.write = Some(CallerWrite { wire: wire.clone(), bytes, link: *link });
                return;
            }
        }
        fx.kick |= self.outbox.leave_to_driver();
    }

    /// Frames what waits: first what the session itself has to say, then the program's packets.
    fn pump(&mut self, now: Moment, fx: &mut Effects<'_>) {
        if self.wire.is_none() {
            return;
        }
        loop {
            while self.outbox.can_frame() {
                let idle = !self.outbox.has_waiting();
                let Some(transmit) = self.session.transmit(idle) else { break };
                self.frame(transmit);
            }
            let flowing = matches!(self.seen, State::Connected | State::Closing);
            while flowing && self.outbox.can_frame() && self.outbox.has_waiting() {
                self.frame_waiting(fx);
            }
            let leaving = self.seen == State::Closing;
            if !leaving || self.outbox.has_waiting() || !self.outbox.is_written() {
                return;
            }
            self.input(Input::Drained, now, fx);
            let Some(transmit) = self.session.transmit(true) else { return };
            self.frame(transmit);
        }
    }

    fn frame(&mut self, transmit: Transmit) {
        match transmit {
            Transmit::EnginePong(data) => self.outbox.frame_text(b'3', data.as_bytes()),
            Transmit::Connect(text) | Transmit::Disconnect(text) => {
                self.outbox.frame_text(b'4', &text)
            }
            Transmit::WebSocketPing(data) => self.outbox.frame_control(OpCode::Ping, &data),
            Transmit::WebSocketPong(data) => self.outbox.frame_control(OpCode::Pong, &data),
            Transmit::WebSocketClose(code) => {
                self.outbox.frame_control(OpCode::Close, &code.to_be_bytes())
            }
        }
    }

    /// Frames the oldest packet that waits, unless the server that is now connected would not
    /// take one of its size.
    fn frame_waiting(&mut self, fx: &mut Effects<'_>) {
        let Some(packet) = self.outbox.waiting() else { return };
        let mut lens = packet.buffers.iter().map(Vec::len);
        let Err(failure) = self.session.check_size(packet.text.len(), &mut lens) else {
            return self.outbox.frame_waiting();
        };
        self.tally.dropped_sent += 1;
        fx.log(Level::Warn, || format!("a queued packet was dropped: {}", failure.text));
        if let Some(outbox::Packet { role: Role::Call(id), .. }) = self.outbox.drop_waiting() {
            if let Some(call) = self.session.cancel_call(id) {
                call.end(Err(failure));
                self.sleepers.wake(&call.place, &mut fx.wakes);
            }
        }
    }

    /// Whether the program has to take something before more may be read.
    pub fn must_pause(&self) -> bool {
        self.seen == State::Connected
            && (self.inbox.is_full() || self.outbox.answers_cost() > self.in_force.send_limit)
    }

    fn made_room(&mut self, fx: &mut Effects<'_>) {
        self.sleepers.wake_one(Queue::Room, &mut fx.wakes);
        let (outbox, wakes) = (&self.outbox, &mut fx.wakes);
        self.sleepers.wake_flushed(|sequence| outbox.is_flushed(sequence), wakes);
        if self.paused && !self.must_pause() {
            fx.kick = true;
        }
    }

    /// Announces a change of state to everybody whom it concerns.
    #[inline]
    fn settle(&mut self, now: Moment, fx: &mut Effects<'_>) {
        let state = self.session.state();
        if state != self.seen {
            self.settle_in(state, now, fx);
        }
    }

    #[cold]
    fn settle_in(&mut self, state: State, now: Moment, fx: &mut Effects<'_>) {
        self.seen = state;
        match state {
            State::New | State::Connecting => (),
            State::Connected => {
                self.tally.connected_at = Some(now);
                self.inbox.release();
                let sid = self.session.sid();
                fx.log(Level::Info, || format!("connected, session id {sid}"));
            }
            State::Closing => {
                fx.log(Level::Info, || "disconnecting".into());
                let text = "the call was given up: the program disconnected before its answer came";
                let failure = Failure::new(Status::Disconnected, text);
                for id in self.end_calls(failure, None, fx) {
                    self.outbox.cancel_call(id);
                }
            }
            State::Closed => self.settle_closed(fx),
        }
        self.sleepers.wake_all(Queue::Receive, &mut fx.wakes);
        self.sleepers.wake_all(Queue::Room, &mut fx.wakes);
        self.sleepers.wake_all(Queue::Link, &mut fx.wakes);
        self.sleepers.wake_all(Queue::Flush, &mut fx.wakes);
    }

    fn settle_closed(&mut self, fx: &mut Effects<'_>) {
        self.wire = None;
        self.dial = None;
        self.paused = false;
        self.tally.connected_at = None;
        self.tally.dropped_received += self.inbox.drop_held();
        let lost = self.outbox.lose_all();
        self.tally.dropped_sent += lost.packets;
        let mut failure = self.end();
        failure.text = format!("the call ended without its answer: {}", failure.text);
        self.end_calls(failure, Some(&lost.unsent_calls), fx);
        let end = self.end();
        let level = match self.session.reason() {
            Some(crate::session::Reason::ClientDisconnect) => Level::Info,
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

    fn end_calls(
        &mut self,
        failure: Failure,
        unsent: Option<&[u64]>,
        fx: &mut Effects<'_>,
    ) -> Vec<u64> {
        let calls: Vec<(u64, Arc<Call>)> = self.session.take_calls().collect();
        let mut ids = Vec::with_capacity(calls.len());
        for (id, call) in calls {
            let mut failure = failure.clone();
            let sent = match unsent {
                Some(unsent) => !unsent.contains(&id),
                None => self.outbox.is_sent(id),
            };
            failure.details.sent = Some(sent);
            call.end(Err(failure));
            self.sleepers.wake(&call.place, &mut fx.wakes);
            ids.push(id);
        }
        ids
    }
}

//! What the lock of a client guards, and how its parts work together.
//!
//! Owns the session, the queues on both sides, the sleepers and the last failure, and carries
//! what one part decides to the others. Refuses to decide anything that the protocol decides, and
//! touches nothing but memory: what has to happen outside goes into [`Effects`].

#![forbid(unsafe_code)]

mod arrive;
mod send;
mod settle;
mod write;

use std::sync::Arc;
use std::time::Duration;

use crate::error::{Failure, Status};
use crate::inbox::Inbox;
use crate::log::Level;
use crate::monitor::Effects;
use crate::net::wire::Wire;
use crate::options::Options;
use crate::outbox::Outbox;
use crate::session::{Action, Input, Moment, Session, Settings, State};
use crate::sleepers::{Queue, Sleepers};
use crate::url::Url;

pub use send::{Call, MaySend, Sending};

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
    /// Where an [`Action::Dial`] goes, and the attempt's number.
    pub dial: Option<(u64, DialPlan)>,
    /// Whether an [`Action::Farewell`] finds the stream between two frames.
    pub clean: bool,
    /// Whether to read from the socket.
    pub read: bool,
    /// When to ask again at the latest.
    pub deadline: Option<Moment>,
    /// The client is being freed.
    pub stop: bool,
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
    /// The attempt whose namespace was connected last.
    established: u64,
    /// The server has refused the current attempt, and its words are still being read.
    refusal: Option<Failure>,
    /// The socket, while the WebSocket is open; the driver's count of links names it.
    wire: Option<(Wire, u64)>,
    /// The state that has been announced.
    seen: State,
    paused: bool,
    freed: bool,
    /// Whether the last connection ended between two frames.
    ended_clean: bool,
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
            established: 0,
            refusal: None,
            wire: None,
            seen: State::New,
            paused: false,
            freed: false,
            ended_clean: true,
            unannounced: 0,
            last_write: Moment::default(),
        }
    }

    /// Whether the client is being freed.
    pub fn is_freed(&self) -> bool {
        self.freed
    }

    /// What a call returns whose time ended: FULL if its answer could not be read.
    pub fn late_call(&mut self) -> Status {
        if !self.paused {
            return Status::Timeout;
        }
        let text = match self.inbox.is_full() {
            true => {
                "the answer could not arrive in time: the receive queue is full and reading is \
                 paused; receive what is waiting"
            }
            false => {
                "the answer could not arrive in time: more answers of ours wait to be sent than \
                 \"send_limit\" allows, and nothing is read until the server takes them"
            }
        };
        self.fail(Failure::new(Status::Full, text))
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
        self.refusal = None;
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
        self.outbox.lose_all(0);
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

    /// Whether the namespace of this attempt, or of a later one, was connected, be it for a moment.
    pub fn was_established(&self, attempt: u64) -> bool {
        self.established >= attempt
    }

    /// The server has refused an attempt; more of its words may follow.
    pub fn note_refusal(&mut self, attempt: u64, refusal: Failure) {
        if attempt == self.attempt {
            self.refusal = Some(refusal);
        }
    }

    /// The failure of the attempt that goes on, if its time runs out while the server's refusal is
    /// still being read.
    pub fn take_refusal(&mut self) -> Option<Failure> {
        let refusal = self.refusal.take().filter(|_| self.seen == State::Connecting)?;
        let text = format!("the time ran out within the server's answer: {}", refusal.text);
        Some(Failure { status: Status::Timeout, text, ..refusal })
    }

    /// The number of the current connection attempt.
    pub fn attempt(&self) -> u64 {
        self.attempt
    }

    /// The next turn of the driver: what is due is done, what waits is framed.
    pub fn turn(&mut self, now: Moment, fx: &mut Effects<'_>) -> Plan {
        if self.session.deadline().is_some_and(|deadline| deadline <= now) {
            match self.take_refusal() {
                Some(refusal) => self.input(Input::Failed(refusal), now, fx),
                None => self.session.expire(now),
            }
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
        let clean = self.ended_clean;
        let mut plan = Plan { read: !pause, clean, stop: self.freed, ..Plan::default() };
        while let Some(action) = self.session.action() {
            // An action and what it needs leave together: by the next turn both may be others.
            if action == Action::Dial {
                plan.dial = self.dial.take().map(|dial| (self.attempt, dial));
            }
            plan.actions.push(action);
        }
        plan.deadline = self.session.deadline();
        plan
    }
}

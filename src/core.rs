//! What the lock of a client guards, and how its parts work together.
//!
//! Owns the session, the queues on both sides, the sleepers and the last failure, and carries
//! what one part decides to the others. Refuses to decide anything that the protocol decides, and
//! touches nothing but memory: what has to happen outside goes into [`Effects`].

#![forbid(unsafe_code)]

mod arrive;
mod attempt;
pub mod operation;
mod send;
mod settle;
pub mod started;
mod turn;
mod write;

use std::sync::Arc;
use std::time::Duration;

use crate::error::{Failure, Status};
use crate::inbox::Inbox;
use crate::log::Level;
use crate::monitor::Effects;
use crate::net::cookies::Jar;
use crate::net::stream::Stream;
use crate::options::Options;
use crate::outbox::{Keep, Outbox};
use crate::ready::Readiness;
use crate::session::{Moment, Session, State};
use crate::sleepers::{Queue, Sleepers};

pub use send::{Call, MaySend, Sending};
use started::Started;
pub use turn::{LinkPlan, Order, Plan};

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

/// The program's word that an attempt may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    /// No attempt waits for it.
    NotAsked,
    /// The one with this ticket does.
    Awaited(u64),
    /// The one with this ticket has it, and the driver has not seen that yet.
    Given(u64),
}

/// Whose a link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The session goes by it.
    Main,
    /// The session may move to it.
    Probe,
    /// The session has parted from it.
    Past,
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
    /// What an event loop knows.
    pub readiness: Readiness,
    /// What goes on without a thread that waits for it.
    started: Started,
    /// What the next connection attempt reads.
    pub options: Options,
    /// What the current attempt has read.
    pub in_force: Options,
    /// Numbers for the program.
    pub tally: Tally,
    failure: Option<Failure>,
    /// How often the program has begun to connect; what waits for an earlier one is told.
    connection: u64,
    /// The connection whose namespace was connected last.
    established: u64,
    /// What the attempt that goes on has read from the options.
    plan: Option<Arc<LinkPlan>>,
    /// The cookies that servers have set.
    jar: Jar,
    /// The last number given to a link; those of the one in use and of the probe, 0 for none.
    links: u64,
    /// What made the last request's target differ from the one before it.
    last_target: u64,
    main: u64,
    probe: u64,
    /// The last ticket given to the program's function, the one whose outcome is awaited, and
    /// whether the function is being called, perhaps still for an earlier one.
    tickets: u64,
    wanted: Option<u64>,
    preparing: bool,
    word: Word,
    /// The server has refused the current attempt, and its words are still being read.
    refusal: Option<Failure>,
    /// The socket, while the WebSocket is open, and the number of its link.
    wire: Option<(Stream, u64)>,
    /// The state that has been announced.
    seen: State,
    paused: bool,
    freed: bool,
    /// A receive has said that the last connection has ended.
    end_told: bool,
    /// Whether the last connection ended between two frames.
    ended_clean: bool,
    /// Events that have arrived and for which nobody has been woken.
    unannounced: usize,
    last_write: Moment,
    /// The connection is quiet, or has just been made, and the driver has not been told.
    at_rest: bool,
    /// Bytes in the outbox when a program that emits last yielded, or fewer since.
    yielded_at: usize,
}

impl Core {
    /// A client that is not connected; masking keys and the delays of reconnections come from `seed`.
    pub fn new(seed: [u8; 32]) -> Self {
        let options = Options::default();
        let in_force = options.clone();
        Core {
            session: Session::new(seed.last_chunk().map_or(0, |last| u64::from_le_bytes(*last))),
            inbox: Inbox::new(in_force.receive_limit, in_force.receive_overflow),
            outbox: Outbox::new(seed),
            sleepers: Sleepers::default(),
            readiness: Readiness::default(),
            started: Started::default(),
            options,
            in_force,
            tally: Tally::default(),
            failure: None,
            connection: 0,
            established: 0,
            plan: None,
            jar: Jar::new(),
            links: 0,
            last_target: 0,
            main: 0,
            probe: 0,
            tickets: 0,
            wanted: None,
            preparing: false,
            word: Word::NotAsked,
            refusal: None,
            wire: None,
            seen: State::New,
            paused: false,
            freed: false,
            end_told: false,
            ended_clean: true,
            unannounced: 0,
            last_write: Moment::default(),
            at_rest: false,
            yielded_at: 0,
        }
    }

    /// Whether the client is being freed.
    pub fn is_freed(&self) -> bool {
        self.freed
    }

    /// What a call ends with whose time is over: FULL if its answer could not be read, otherwise
    /// TIMEOUT.
    pub fn late_call(&self) -> Failure {
        if !self.paused {
            return Failure::outcome(Status::Timeout);
        }
        let text = match self.inbox.is_full() {
            true => {
                "the answer could not arrive in time: the receive queue is full and reading is \
                 paused; receive what is waiting, and take results"
            }
            false => {
                "the answer could not arrive in time: more answers of ours wait to be sent than \
                 \"send_limit\" allows, and nothing is read until the server takes them"
            }
        };
        Failure::new(Status::Full, text)
    }

    /// Notes a failure as the last one, unless it is an outcome rather than a fault.
    pub fn note(&mut self, failure: Failure) -> Status {
        match failure.is_outcome() {
            true => failure.status,
            false => self.fail(failure),
        }
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
        self.forget_started();
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
        self.forget_started();
        self.outbox.lose(0, Keep::Nothing);
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
            Queue::Room => return self.sleepers.wake_front(queue, &mut fx.wakes),
            Queue::Result => !self.inbox.has_no_results(),
            Queue::Link | Queue::Flush | Queue::Call => false,
        };
        if work_is_left {
            self.sleepers.wake_one(queue, &mut fx.wakes);
        }
    }

    /// Whether the namespace of this connection, or of a later one, was connected, be it for a moment.
    pub fn was_established(&self, connection: u64) -> bool {
        self.established >= connection
    }

    /// The server has refused the link that is being made; more of its words may follow.
    pub fn note_refusal(&mut self, link: u64, refusal: Failure) {
        if self.role(link) == Role::Main {
            self.refusal = Some(refusal);
        }
    }

    /// The failure of the attempt that goes on, if its time runs out while the server's refusal is
    /// still being read.
    pub fn take_refusal(&mut self) -> Option<Failure> {
        let attempting = matches!(self.seen, State::Connecting | State::Reconnecting);
        let refusal = self.refusal.take().filter(|_| attempting)?;
        let text = format!("the time ran out within the server's answer: {}", refusal.text);
        Some(Failure { status: Status::Timeout, text, ..refusal })
    }

    /// The number of the connection that the program began last.
    pub fn connection(&self) -> u64 {
        self.connection
    }

    /// Whose this link is now.
    #[inline]
    pub fn role(&self, link: u64) -> Role {
        match link {
            _ if link == self.main => Role::Main,
            _ if link == self.probe => Role::Probe,
            _ => Role::Past,
        }
    }
}

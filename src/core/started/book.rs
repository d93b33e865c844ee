//! Which started operations go on.
//!
//! Owns each of them under a number, in the order in which they were started, the line of packets that
//! wait for room, and when each has to end. Refuses to know how an operation is tried.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::core::Call;
use crate::core::operation::{Connecting, Flushing, Leaving};
use crate::outgoing::Kept;
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
    pub(super) fn deadline(self) -> Option<Moment> {
        match self.timeout {
            Timeout::Limit(limit) => Some(self.now + limit),
            Timeout::Forever => None,
        }
    }
}

/// Why an operation ends before it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    TimedOut,
    Cancelled,
}

/// What an operation does.
pub(super) enum Work {
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
    pub(super) fn queue(&self) -> Queue {
        match self {
            Work::Connect(_) | Work::Disconnect(_) => Queue::Link,
            Work::Flush(_) => Queue::Flush,
            Work::Send { .. } => Queue::Room,
            Work::Answer(_) => Queue::Call,
        }
    }
}

pub(super) struct Operation {
    pub(super) start: Start,
    pub(super) place: Arc<Place>,
    pub(super) work: Work,
}

/// All that goes on, each under a number that counts up.
#[derive(Default)]
pub struct Started {
    pub(super) last: u64,
    pub(super) going: BTreeMap<u64, Operation>,
    pub(super) tags: BTreeSet<(u64, u64)>,
    pub(super) deadlines: BTreeSet<(Moment, u64)>,
    /// Those that wait for the connection's state, or for a flush.
    pub(super) watching: BTreeSet<u64>,
    /// Those whose packets wait in line, and what these count.
    pub(super) line: VecDeque<u64>,
    pub(super) line_cost: usize,
    /// When the driver looks again, as far as it has been told.
    pub(super) alarm: Option<Moment>,
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

    /// Gives back what a quiet connection does not need.
    pub(in crate::core) fn rest(&mut self) {
        if self.going.is_empty() {
            // Emptied maps keep a node.
            *self = Started { last: self.last, alarm: self.alarm, ..Started::default() };
        }
    }

    pub(super) fn add(&mut self, operation: Operation) {
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
    }

    pub(super) fn remove(&mut self, number: u64) -> Option<Operation> {
        let operation = self.going.remove(&number)?;
        self.tags.remove(&(operation.start.tag, number));
        if let Some(deadline) = operation.start.deadline() {
            self.deadlines.remove(&(deadline, number));
        }
        self.leave_line(number, &operation.work);
        if matches!(operation.work, Work::Connect(_)) {
            // A program may do the rest with functions that wait.
            self.rest();
        }
        Some(operation)
    }

    pub(super) fn leave_line(&mut self, number: u64, work: &Work) {
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

//! How started operations ended, until the program takes it.
//!
//! Owns the line of results and what each of them counts. Refuses to know which operations there
//! are.

#![forbid(unsafe_code)]

use std::collections::VecDeque;

use super::{Inbox, OVERHEAD};
use crate::error::Failure;
use crate::message::Message;

/// How one started operation ended.
pub struct Finished {
    /// What the program called it.
    pub tag: u64,
    /// The answer of a call that has one, or why there is none.
    pub outcome: Result<Option<Box<Message>>, Box<Failure>>,
}

impl Finished {
    fn cost(&self) -> usize {
        let bytes = match &self.outcome {
            Ok(None) => 0,
            Ok(Some(reply)) => reply.len(),
            Err(failure) => failure.text.len(),
        };
        bytes + OVERHEAD
    }
}

/// The line of results.
#[derive(Default)]
pub(super) struct Results {
    waiting: VecDeque<Finished>,
    cost: usize,
}

impl Results {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn cost(&self) -> usize {
        self.cost
    }
}

impl Inbox {
    /// Takes in a result. It counts like what has arrived, and is always taken.
    pub fn push_result(&mut self, finished: Finished) {
        let cost = finished.cost();
        self.results.waiting.push_back(finished);
        self.results.cost += cost;
        self.cost += cost;
        self.cost_max = self.cost_max.max(self.cost);
        self.fill();
    }

    /// Takes the oldest result.
    pub fn pop_result(&mut self) -> Option<Finished> {
        let finished = self.results.waiting.pop_front()?;
        let cost = finished.cost();
        self.results.cost -= cost;
        self.cost -= cost;
        if self.results.is_empty() && self.results.waiting.capacity() > super::ENTRIES_KEPT {
            self.results.waiting = VecDeque::new();
        }
        self.drain();
        Some(finished)
    }

    /// Whether no result can be taken.
    pub fn has_no_results(&self) -> bool {
        self.results.is_empty()
    }

    /// Drops all results.
    pub fn clear_results(&mut self) {
        self.cost -= self.results.cost;
        self.results = Results::default();
    }
}

//! A door that one thread at a time may be inside, and whose emptying others can await.
//!
//! Owns who is inside and the wait for the end of a visit. Refuses to know what is done inside:
//! a callback of the program, as a rule. Nobody waits to get in: who finds the door taken leaves
//! the work to the one inside. Only who removes a callback waits, for the one visit during which
//! it may still be running and for no later one, so that it does not wait for its successor.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::sync::{Condvar, Mutex, MutexGuard, PoisonError, thread_local};

/// See the module's text.
#[derive(Debug, Default)]
pub struct Gate {
    state: Mutex<State>,
    left: Condvar,
}

impl Gate {
    /// An empty room.
    pub fn new() -> Self {
        Gate::default()
    }

    /// Goes in, unless some thread, be it this one, is inside.
    pub fn try_enter(&self) -> Option<Pass<'_>> {
        let mut state = self.lock();
        if state.occupant.is_some() {
            return None;
        }
        let thread = this_thread();
        state.occupant = Some(thread);
        state.visits += 1;
        Some(Pass { gate: self, visit: Visit { number: state.visits, thread } })
    }

    /// The visit that goes on now, if any.
    pub fn visit(&self) -> Option<Visit> {
        let state = self.lock();
        state.occupant.map(|thread| Visit { number: state.visits, thread })
    }

    /// Waits until that visit is over; later ones do not matter. A thread that waits for its own
    /// visit would wait for ever: it gets `false` at once instead.
    pub fn wait_for_end(&self, visit: Visit) -> bool {
        if visit.is_mine() {
            return false;
        }
        let mut state = self.lock();
        while state.occupant.is_some() && state.visits == visit.number {
            state = self.left.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        true
    }

    /// Whether this thread is the one inside.
    pub fn is_mine(&self) -> bool {
        self.visit().is_some_and(|visit| visit.is_mine())
    }

    /// Waits until the visit that goes on now is over, unless it is this thread's.
    pub fn wait_for_visitor(&self) {
        if let Some(visit) = self.visit() {
            self.wait_for_end(visit);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under this lock, so a poisoned one still holds the truth.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The stay of one thread inside; it ends when this is dropped.
#[derive(Debug)]
#[must_use = "the visit ends with the pass"]
pub struct Pass<'a> {
    gate: &'a Gate,
    visit: Visit,
}

impl Pass<'_> {
    /// Which visit this is, for those who may have to wait for its end.
    pub fn visit(&self) -> Visit {
        self.visit
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        self.gate.lock().occupant = None;
        self.gate.left.notify_all();
    }
}

/// One visit: which it is, and whose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visit {
    number: u64,
    thread: u64,
}

impl Visit {
    /// Whether this thread is the one inside.
    pub fn is_mine(&self) -> bool {
        self.thread == this_thread()
    }
}

#[derive(Debug, Default)]
struct State {
    occupant: Option<u64>,
    visits: u64,
}

/// A number for this thread that no other has had. The handle that std keeps for a thread would
/// do, but threads of the program may ask while their thread-local data is being destroyed.
fn this_thread() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    thread_local! {
        static NUMBER: Cell<u64> = const { Cell::new(0) };
    }
    if NUMBER.get() == 0 {
        NUMBER.set(LAST.fetch_add(1, Ordering::Relaxed) + 1);
    }
    NUMBER.get()
}

#[cfg(test)]
mod tests;

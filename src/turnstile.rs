//! How many calls are inside an object, and the wait of the one that frees it.
//!
//! Owns the count and the one place where that thread sleeps until the last call has left.
//! Refuses to know what the calls do, and how they are made to leave.
//!
//! The count stands in the object whose memory goes away once it is zero, so taking one's leave
//! from the count has to be the last thing that a call does with the object. The sleeper is
//! therefore rung just before, by the call that knows to be the last, and waits out the moment in
//! between.

#![forbid(unsafe_code)]

use crate::sync::OnceLock;
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sync::thread::{self, Thread};

/// See the module's text.
#[derive(Debug, Default)]
pub struct Turnstile {
    /// How many calls are inside, times [`CALL`], and [`CLOSING`] once somebody waits for them.
    state: AtomicUsize,
    sleeper: OnceLock<Thread>,
    /// The last call has rung and is about to leave.
    rung: AtomicBool,
}

const CLOSING: usize = 1;
const CALL: usize = 2;

impl Turnstile {
    /// Nobody is inside.
    pub fn new() -> Self {
        Turnstile::default()
    }

    /// Counts one call until the guard is dropped. Takes no lock and makes nothing, and so does
    /// the guard, so that a signal handler may pass.
    #[inline]
    pub fn enter(&self) -> Inside<'_> {
        self.state.fetch_add(CALL, Ordering::Relaxed);
        Inside { turnstile: self }
    }

    /// Waits until no call is inside. To be called once, and when no further call can begin.
    pub fn wait_until_empty(&self) {
        self.sleeper.get_or_init(thread::current);
        let mut state = self.state.fetch_or(CLOSING, Ordering::AcqRel) | CLOSING;
        while state != CLOSING {
            if self.rung.load(Ordering::Acquire) {
                // It has but a few instructions to go.
                thread::yield_now();
            } else {
                thread::park();
            }
            state = self.state.load(Ordering::Acquire);
        }
    }

    #[inline]
    fn leave(&self) {
        // Who sees that somebody waits has to see the sleeper too.
        let mut state = self.state.load(Ordering::Acquire);
        loop {
            if state == CALL | CLOSING {
                // Nobody enters any more, so this is the last one.
                self.ring();
                self.state.fetch_sub(CALL, Ordering::Release);
                return;
            }
            let left = state - CALL;
            match self.state.compare_exchange_weak(state, left, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => return,
                Err(now) => state = now,
            }
        }
    }

    #[cold]
    fn ring(&self) {
        self.rung.store(true, Ordering::Release);
        if let Some(sleeper) = self.sleeper.get() {
            sleeper.unpark();
        }
    }
}

/// One call that is inside.
#[derive(Debug)]
#[must_use = "the call has left when this is dropped"]
pub struct Inside<'a> {
    turnstile: &'a Turnstile,
}

impl Drop for Inside<'_> {
    #[inline]
    fn drop(&mut self) {
        self.turnstile.leave();
    }
}

#[cfg(test)]
mod tests;

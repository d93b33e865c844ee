//! Whether this thread is inside a callback of the program, and what must not be waited for there.
//!
//! Owns one mark per thread. Refuses to know which callback it is, and of which client: a wait
//! inside any of them could be for a thread that itself waits for this one, so functions that
//! would wait ask [`inside`], or [`to_await`], and answer `SIO_E_STATE`.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::marker::PhantomData;

use crate::error::{Failure, Status};
use crate::gate::Visit;
use crate::sync::thread_local;

/// Marks this thread as inside a callback until the guard is dropped. Guards may nest.
#[must_use = "the mark is gone with the guard"]
pub fn enter() -> Guard {
    DEPTH.set(DEPTH.get() + 1);
    Guard { same_thread: PhantomData }
}

/// Whether a callback of the program runs on this thread now.
pub fn inside() -> bool {
    DEPTH.get() > 0
}

/// The end of which visit whoever replaces a function of the program's has to await: that of another
/// thread that is inside it. `name` is what the function is called.
///
/// [`Status::State`]: this thread is inside some callback, and must not wait for another.
pub fn to_await(name: &str, running: Option<Visit>) -> Result<Option<Visit>, Failure> {
    let running = running.filter(|visit| !visit.is_mine());
    if running.is_some() && inside() {
        let text = format!(
            "the {name} function is running on another thread, and inside a callback it cannot be \
             waited for; set it outside"
        );
        return Err(Failure::new(Status::State, text));
    }
    Ok(running)
}

/// The mark of a callback that runs on this thread; made by [`enter`].
#[derive(Debug)]
pub struct Guard {
    /// The mark belongs to the thread that set it, so the guard must not leave it.
    same_thread: PhantomData<*const ()>,
}

impl Drop for Guard {
    fn drop(&mut self) {
        let Guard { same_thread: PhantomData } = self;
        DEPTH.set(DEPTH.get() - 1);
    }
}

thread_local! {
    // Constant and without a destructor, so that it can be asked at any time, also while a
    // foreign thread is being torn down.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

#[cfg(test)]
mod tests;

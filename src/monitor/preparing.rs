//! The threads that call the program's function before an attempt.
//!
//! Owns their beginning and what follows a call. Refuses to know what the function is, which `prepare`
//! does, and when an attempt is due.

#![forbid(unsafe_code)]

use std::sync::{Arc, PoisonError};

use super::{Denied, Shared, guarded};
use crate::driver;
use crate::error::Phase;
use crate::sys;

impl Shared {
    /// Has the program's function called for the attempt with this ticket, on a thread of its own.
    /// One of an earlier time has done so, and may still be ending.
    pub fn start_prepare(self: &Arc<Self>, ticket: u64) {
        let this = Arc::clone(self);
        let started = sys::spawn_quiet("sio-prepare", move || {
            let mut next = Some(ticket);
            while let Some(ticket) = next.take() {
                let mut returned = false;
                guarded(&this, || {
                    this.run_prepare(ticket);
                    returned = true;
                });
                if !returned {
                    next = this.with(|core, _| core.prepare_failed()).unwrap_or_default();
                }
            }
        });
        match started {
            Ok(thread) => {
                let mut threads = self.preparing.lock().unwrap_or_else(PoisonError::into_inner);
                threads.retain(|thread| !thread.is_finished());
                threads.push(thread);
            }
            Err(error) => {
                let code = error.raw_os_error().unwrap_or(0);
                let failure = Denied::System(code).failure().in_phase(Phase::Prepare);
                let now = driver::now();
                let _ = self.with(|core, fx| core.prepared(ticket, Err(failure), now, fx));
            }
        }
    }

    fn run_prepare(&self, first: u64) {
        let mut ticket = first;
        loop {
            let outcome = self.prepare.run();
            let now = driver::now();
            let next = self.with(|core, fx| core.prepared(ticket, Ok(outcome), now, fx));
            match next {
                Ok(Some(next)) => ticket = next,
                _ => return,
            }
        }
    }
}

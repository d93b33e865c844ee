//! What a change under the lock calls for, done once the lock is open.
//!
//! Owns the order in which it is done: who sleeps is woken first, and the program's own functions are
//! called last. Refuses to know why any of it is called for.

#![forbid(unsafe_code)]

use std::sync::Arc;

use super::Shared;
use crate::log::{Level, Log};
use crate::net::stream::Stream;
use crate::ready::Due;
use crate::session::Moment;
use crate::sleepers::Place;
use crate::sys;

/// What is to be done once the lock is open.
#[must_use = "what was changed under the lock calls for these"]
pub struct Effects<'a> {
    /// Places whose threads are to be rung.
    pub wakes: Vec<Arc<Place>>,
    /// The driver has something to do.
    pub kick: bool,
    /// The caller writes to the socket by itself.
    pub write: Option<CallerWrite>,
    /// Much is queued for the driver, which may be waiting for this processor.
    pub yields: bool,
    /// What a program with an event loop is to be told.
    pub ready: Due,
    lines: Vec<(Level, String)>,
    log: &'a Log,
}

/// Framed bytes that the caller hands to the system itself.
pub struct CallerWrite {
    /// The socket.
    pub wire: Stream,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The connection that they belong to.
    pub link: u64,
}

impl<'a> Effects<'a> {
    /// None yet.
    pub fn new(log: &'a Log) -> Self {
        Effects {
            wakes: Vec::new(),
            kick: false,
            write: None,
            yields: false,
            ready: Due::default(),
            lines: Vec::new(),
            log,
        }
    }

    /// Logs a line after unlocking. The text is made only if somebody listens.
    pub fn log(&mut self, level: Level, line: impl FnOnce() -> String) {
        if self.log.enabled(level) {
            self.lines.push((level, line()));
        }
    }

    /// Whether something will be logged, which the program's function may be called for.
    pub fn has_lines(&self) -> bool {
        !self.lines.is_empty()
    }

    /// Does it all. Nothing may be locked.
    #[inline]
    pub fn run(self, shared: &Shared) {
        let quiet = self.wakes.is_empty() && self.lines.is_empty() && self.write.is_none();
        let quiet = quiet && !self.yields;
        if !quiet || self.kick || self.ready != Due::default() {
            self.run_all(shared);
        } else {
            // There is nothing to drop either, which the compiler cannot know.
            std::mem::forget(self);
        }
    }

    #[inline(never)]
    fn run_all(self, shared: &Shared) {
        // Before anybody is woken who could look at it.
        if self.ready.level {
            shared.ready.show();
        }
        let mut kick = self.kick;
        for place in self.wakes {
            kick |= place.is_started();
            place.ring();
        }
        if kick {
            shared.ring_driver();
        }
        if let Some(write) = self.write {
            write.run(shared);
        }
        if self.yields {
            std::thread::yield_now();
        }
        for (level, line) in self.lines {
            shared.log.write(level, line);
        }
        // Last, because the program's function may do anything.
        if let Some(setting) = self.ready.wakeup {
            shared.ready.call(setting);
        }
    }
}

impl CallerWrite {
    fn run(self, shared: &Shared) {
        let CallerWrite { wire, bytes, link } = self;
        // A socket that fails is the driver's to find out: it reads the same socket.
        let count = wire.try_write(&bytes).unwrap_or(0);
        let now = Moment::from_nanos(sys::boot_nanos());
        // A defect that poisoned the lock has told everybody already.
        let _ = shared.with(|core, effects| core.caller_wrote(link, bytes, count, now, effects));
    }
}

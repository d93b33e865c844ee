//! Telling a program with an event loop that there is something to take.
//!
//! Owns the two triggers, a descriptor and a function, and what each of them has been told. Refuses
//! to know what there is to take, and why. The two sides of it: [`Readiness`] stands under the
//! client's lock and knows what should be told; [`Ready`] stands outside and tells it, since no
//! system call and no function of the program's may run under the lock.
//!
//! The descriptor is a level: it is readable exactly while something can be taken. Whoever changes
//! that brings the descriptor up to date after unlocking, and so does whoever finds that another has
//! not done so yet: no call returns before the descriptor agrees with what the call has seen. Several
//! may be about that at once; the last one finds the level as it is now, so no order of theirs
//! leaves the descriptor wrong.
//!
//! The function is an edge: it is called once, and again only when the program has been told, by a
//! receive and by a result, that there is nothing more. A queue that is empty anyway need not be asked,
//! so that a program that starts nothing need not ask for results.

#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, RawFd};

use crate::callback;
use crate::error::Failure;
use crate::gate::Gate;
use crate::sync::atomic::{AtomicU64, Ordering};
use crate::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use crate::sys::Signal;

/// The program's function.
pub type Function = Box<dyn Fn() + Send + Sync>;

/// What the program can take now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Takeable {
    /// An event, a state message, or the word that the connection has ended for good.
    pub events: bool,
    /// A result.
    pub results: bool,
}

/// What has to be done after unlocking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Due {
    /// The level has changed.
    pub level: bool,
    /// The function of this setting is to be called.
    pub wakeup: Option<u64>,
}

/// That the program has set the function, or has removed it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Setting {
    /// How many there have been.
    number: u64,
    /// There is a function.
    waking: bool,
}

/// What the program knows; guarded by the client's lock.
#[derive(Debug, Default)]
pub struct Readiness {
    /// Somebody has asked for the descriptor.
    watched: bool,
    /// The last that is known here.
    setting: Setting,
    /// Since the function was called last, the program has been told that there is nothing to take.
    events_drained: bool,
    results_drained: bool,
    level: Arc<Level>,
}

/// How often the level has changed, as each side knows it. An odd number means that something can be
/// taken. Whoever finds the two different has to see to it that they agree before its call returns;
/// a level alone would not tell that another thread is just about to show an older one.
#[derive(Debug, Default)]
struct Level {
    /// As it is. Changed under the client's lock.
    wanted: AtomicU64,
    /// As the descriptor shows it. Changed under the descriptor's.
    shown: AtomicU64,
}

fn is_ready(version: u64) -> bool {
    version % 2 == 1
}

impl Readiness {
    /// For the trigger that tells what this decides.
    pub fn of(ready: &Ready) -> Self {
        Readiness { level: Arc::clone(&ready.level), ..Readiness::default() }
    }

    /// Whether anybody has to be told anything.
    #[inline]
    pub fn is_asked_for(&self) -> bool {
        self.watched || self.setting.waking
    }

    /// The descriptor is asked for.
    pub fn watch(&mut self) {
        self.watched = true;
    }

    /// There is a function now, or none. A new one has been told nothing yet. Of several threads that
    /// set it the last may come here first.
    pub fn wake(&mut self, setting: Setting) {
        if setting.number > self.setting.number {
            self.setting = setting;
            self.events_drained = true;
            self.results_drained = true;
        }
    }

    /// A receive found nothing; this is what the other queue has.
    #[inline]
    pub fn no_events(&mut self, results: bool) {
        self.events_drained = true;
        self.results_drained |= !results;
    }

    /// Taking a result found none; this is what the other queue has.
    #[inline]
    pub fn no_results(&mut self, events: bool) {
        self.results_drained = true;
        self.events_drained |= !events;
    }

    /// Compares what can be taken with what the program knows.
    pub fn update(&mut self, now: Takeable) -> Due {
        let mut due = Due::default();
        let level = now.events || now.results;
        if self.watched {
            let mut version = self.level.wanted.load(Ordering::Relaxed);
            if is_ready(version) != level {
                version += 1;
                self.level.wanted.store(version, Ordering::Release);
            }
            due.level = self.level.shown.load(Ordering::Acquire) != version;
        }
        // What came to a queue after it had been emptied, while the other was being emptied, is told
        // when that is done.
        if self.setting.waking && level && self.events_drained && self.results_drained {
            self.events_drained = false;
            self.results_drained = false;
            due.wakeup = Some(self.setting.number);
        }
        due
    }
}

/// The triggers.
#[derive(Default)]
pub struct Ready {
    level: Arc<Level>,
    descriptor: OnceLock<Signal>,
    /// Orders those who make, raise, clear and close the descriptor.
    showing: Mutex<()>,
    waker: Mutex<Waker>,
    /// The function of this setting is to be called, 0 for none; the thread inside the gate sees to it.
    due: AtomicU64,
    /// Inside is the thread that calls the function, for the length of one call.
    gate: Gate,
}

#[derive(Default)]
struct Waker {
    function: Option<Arc<Function>>,
    /// How often it has been set or removed.
    settings: u64,
    /// The client is being freed: nothing is called any more.
    closed: bool,
}

impl Waker {
    fn function_of(&self, setting: u64) -> Option<Arc<Function>> {
        self.function.clone().filter(|_| self.settings == setting)
    }
}

impl Ready {
    /// The number of the descriptor, which is made when it is first asked for.
    pub fn descriptor(&self) -> io::Result<RawFd> {
        let _showing = self.lock_showing();
        if self.descriptor.get().is_none() {
            // Nobody else sets it meanwhile.
            let _ = self.descriptor.set(Signal::new()?);
        }
        Ok(self.descriptor.get().map_or(-1, AsRawFd::as_raw_fd))
    }

    /// Brings the descriptor up to date.
    pub fn show(&self) {
        let _showing = self.lock_showing();
        let wanted = self.level.wanted.load(Ordering::Acquire);
        let shown = self.level.shown.load(Ordering::Relaxed);
        if let Some(signal) = self.descriptor.get() {
            match (is_ready(shown), is_ready(wanted)) {
                (false, true) => signal.raise(),
                (true, false) => signal.clear(),
                _ => (),
            }
        }
        // Not before it is so: who sees this number may return.
        self.level.shown.store(wanted, Ordering::Release);
    }

    /// A defect has made the client unusable: whoever looks is told that there is something, and
    /// hears of it when it takes that.
    pub fn show_defect(&self) {
        // Nobody else changes it any more.
        let version = self.level.wanted.load(Ordering::Acquire);
        self.level.wanted.store(version | 1, Ordering::Release);
        self.show();
        let setting = self.lock_waker().settings;
        self.call(setting);
    }

    /// Sets the function in place of an earlier one; `None` removes it. What this gives is for
    /// [`Readiness::wake`].
    ///
    /// When this returns the earlier function is no longer running and will not be called again.
    /// Called from inside that function it takes effect when the function returns.
    ///
    /// [`Status::State`](crate::error::Status::State): the earlier function is running on another thread, and this one, being
    /// inside some callback, must not wait for it. Nothing has changed then.
    pub fn set(&self, function: Option<Function>) -> Result<Setting, Failure> {
        let (running, earlier, setting) = {
            let mut waker = self.lock_waker();
            let running = callback::to_await("wakeup", self.gate.visit())?;
            let function = function.filter(|_| !waker.closed).map(Arc::new);
            waker.settings += 1;
            let setting = Setting { number: waker.settings, waking: function.is_some() };
            (running, std::mem::replace(&mut waker.function, function), setting)
        };
        // What a function owns may do anything as it goes, so it goes without the lock.
        drop(earlier);
        if let Some(visit) = running {
            self.gate.wait_for_end(visit);
        }
        Ok(setting)
    }

    /// Removes the function for good, without waiting for it.
    pub fn remove(&self) {
        let earlier = {
            let mut waker = self.lock_waker();
            waker.closed = true;
            waker.function.take()
        };
        drop(earlier);
    }

    /// Waits until the function is not running, unless that is on this thread.
    pub fn wait_until_idle(&self) {
        self.gate.wait_for_visitor();
    }

    /// Whether the function runs on this thread now.
    pub fn is_running_here(&self) -> bool {
        self.gate.is_mine()
    }

    /// Calls the function of this setting; nothing may be locked. If another thread is calling it, that
    /// one calls it once more. One that has been set since is not called for what was due to its
    /// predecessor: it is told by itself.
    pub fn call(&self, setting: u64) {
        self.due.fetch_max(setting, Ordering::SeqCst);
        // What came while this thread was inside, and whose thread left because of that, is seen
        // when it looks again after leaving.
        while self.due.load(Ordering::SeqCst) != 0 {
            let Some(_pass) = self.gate.try_enter() else { return };
            let due = self.due.swap(0, Ordering::SeqCst);
            let function = self.lock_waker().function_of(due);
            if let Some(function) = function {
                let inside = callback::enter();
                function();
                drop(inside);
            }
        }
    }

    /// Closes the descriptor with the client; messages may live on.
    pub fn close(&self) {
        let _showing = self.lock_showing();
        self.abandon();
    }

    /// In a child process: closes the descriptor, which is the parent's as well, and touches it no
    /// more. Takes no lock, since a thread that exists only in the parent may hold it for ever.
    pub fn abandon(&self) {
        if let Some(signal) = self.descriptor.get() {
            signal.abandon();
        }
    }

    fn lock_showing(&self) -> MutexGuard<'_, ()> {
        // What could panic under this lock leaves nothing half done.
        self.showing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_waker(&self) -> MutexGuard<'_, Waker> {
        self.waker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ready").field("level", &self.level).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;

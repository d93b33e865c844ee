//! The lock, what is done after unlocking, and waiting.
//!
//! Owns the one mutex of a client, and the rule that nothing but memory is touched under it:
//! whatever a change of state calls for (waking, telling the driver, writing to the socket, the
//! log) is collected as [`Effects`] and run after unlocking. Refuses to know the protocol: what
//! the lock guards is [`Core`], which asks the session.

#![forbid(unsafe_code)]

mod effects;
mod preparing;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread::JoinHandle;

use crate::core::Core;
use crate::driver;
use crate::error::{Failure, Status};
use crate::log::Log;
use crate::prepare::Preparer;
use crate::ready::{Readiness, Ready};
use crate::sleepers::{Place, Queue, Timeout};
use crate::sys::{self, Signal};

pub use effects::{CallerWrite, Effects};

/// One client, as its callers, its messages and its driver share it.
pub struct Shared {
    core: Mutex<Core>,
    /// Where the client's lines go.
    pub log: Log,
    /// The program's function that goes before each attempt.
    pub prepare: Preparer,
    /// What tells a program with an event loop that there is something to take.
    pub ready: Ready,
    /// The thread that calls it, and those that have done so and are ending.
    preparing: Mutex<Vec<JoinHandle<()>>>,
    /// The fork generation in which the client was made.
    generation: u64,
    /// An interrupt that nobody has taken yet.
    interrupt: AtomicBool,
    /// The doorbell of the driver, there from the moment that anybody may wait.
    signal: OnceLock<Signal>,
    /// The driver's thread runs.
    running: AtomicBool,
    /// Why it ended by itself; 0 if nobody has to be told.
    driver_error: AtomicI32,
    /// The doorbell may be rung. Its descriptors go when the client does; the rest of this may be
    /// kept by messages.
    open: Mutex<bool>,
    /// Somebody has rung for a turn that the driver has not taken yet.
    rung: AtomicBool,
    driver: Mutex<Option<JoinHandle<()>>>,
    /// The descriptor of the open socket, for a child process that frees the client; -1 for none.
    socket: AtomicI32,
}

/// Why a wait ended without what was waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The time ran out.
    TimedOut,
    /// An interrupt came.
    Interrupted,
    /// It would have waited inside a callback.
    InCallback,
    /// The client is being freed.
    Freed,
    /// The client cannot be entered, or the system refused what a wait needs.
    Denied(Denied),
}

/// Why a client cannot be entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denied {
    /// This is a child process of the one that made the client.
    Forked,
    /// A defect of the library left the client in an unknown state.
    Poisoned,
    /// The system refused a thread or a descriptor, with this error number.
    System(i32),
}

impl Denied {
    /// What a call returns for it, and why.
    pub fn failure(self) -> Failure {
        match self {
            Denied::Forked => Failure::new(
                Status::State,
                "this client was made before fork() and belongs to the parent process; \
                 make a new one in the child",
            ),
            Denied::Poisoned => Failure::new(
                Status::Internal,
                "a defect in the library was met earlier and this client is unusable; \
                 free it and report the defect",
            ),
            Denied::System(code) => {
                let mut failure = Failure::new(
                    Status::System,
                    format!(
                        "cannot start the client's thread: {}",
                        std::io::Error::from_raw_os_error(code)
                    ),
                );
                failure.details.os_error = Some(code);
                failure
            }
        }
    }
}

impl Shared {
    /// A client that is not connected and has no thread.
    pub fn new(mut core: Core, log: Log) -> Arc<Self> {
        let ready = Ready::default();
        core.readiness = Readiness::of(&ready);
        // Without the handler a child is not told apart; there is nobody to report that to.
        let _ = sys::register_fork_handler();
        Arc::new(Shared {
            core: Mutex::new(core),
            log,
            prepare: Preparer::new(),
            ready,
            preparing: Mutex::new(Vec::new()),
            generation: sys::generation(),
            interrupt: AtomicBool::new(false),
            signal: OnceLock::new(),
            running: AtomicBool::new(false),
            driver_error: AtomicI32::new(0),
            open: Mutex::new(true),
            rung: AtomicBool::new(false),
            driver: Mutex::new(None),
            socket: AtomicI32::new(-1),
        })
    }

    /// Enters the monitor, and runs the effects after leaving it.
    pub fn with<R>(
        &self,
        action: impl FnOnce(&mut Core, &mut Effects<'_>) -> R,
    ) -> Result<R, Denied> {
        let mut core = self.enter()?;
        let mut effects = Effects::new(&self.log);
        let result = action(&mut core, &mut effects);
        self.leave(core, effects);
        Ok(result)
    }

    /// Tries `attempt` until it gives a result, sleeping between the tries in `queue`.
    ///
    /// `attempt` is told whether it is its turn: whether nobody waits in the queue before it.
    pub fn wait<R>(
        self: &Arc<Self>,
        queue: Queue,
        timeout: Timeout,
        attempt: impl FnMut(&mut Core, &mut Effects<'_>, bool) -> Option<R>,
    ) -> Result<R, Stop> {
        self.wait_at(None, queue, timeout, attempt)
    }

    /// The same at a place that the caller has made, so as to write on it what it waits for.
    pub fn wait_at<R>(
        self: &Arc<Self>,
        mut place: Option<Arc<Place>>,
        queue: Queue,
        timeout: Timeout,
        mut attempt: impl FnMut(&mut Core, &mut Effects<'_>, bool) -> Option<R>,
    ) -> Result<R, Stop> {
        // Most calls need not wait, and reading the clock is a good part of what they cost.
        let mut deadline = None;
        loop {
            let mut core = self.enter().map_err(Stop::Denied)?;
            let mut effects = Effects::new(&self.log);
            let next = core.sleepers.is_next(queue, place.as_ref());
            let interrupted = place.as_ref().is_some_and(|place| place.is_interrupted());
            let outcome = if interrupted {
                Some(Err(Stop::Interrupted))
            } else if core.is_freed() {
                Some(Err(Stop::Freed))
            } else if let Some(result) = attempt(&mut core, &mut effects, next) {
                Some(Ok(result))
            } else if place.as_ref().is_some_and(|place| place.is_at_its_last_try()) {
                Some(Err(Stop::Interrupted))
            } else if timeout.is_zero()
                || deadline.get_or_insert_with(|| timeout.deadline()).has_passed()
            {
                Some(Err(Stop::TimedOut))
            } else if crate::callback::inside() {
                Some(Err(Stop::InCallback))
            } else if let Some(denied) = self.take_driver_error() {
                Some(Err(Stop::Denied(denied)))
            } else if !self.running.load(Ordering::Acquire) {
                // The first who waits needs the driver, which alone hears an interrupt.
                self.leave(core, effects);
                if let Err(denied) = self.start_driver() {
                    if let Some(place) = &place {
                        let _ = self.with(|core, effects| {
                            core.sleepers.leave(queue, place);
                            core.pass_on(queue, effects);
                        });
                    }
                    return Err(Stop::Denied(denied));
                }
                continue;
            } else if self.take_interrupt(place.is_some(), &mut core, &mut effects) {
                Some(Err(Stop::Interrupted))
            } else {
                None
            };
            if let Some(outcome) = outcome {
                if let Some(place) = &place {
                    core.sleepers.leave(queue, place);
                }
                core.pass_on(queue, &mut effects);
                self.leave(core, effects);
                return outcome;
            }
            let place = place.get_or_insert_with(Place::new);
            core.sleepers.enter(queue, place);
            self.leave(core, effects);
            place.sleep(*deadline.get_or_insert_with(|| timeout.deadline()));
        }
    }

    /// Takes an interrupt that came while nobody was blocked; one that was meant for sleepers
    /// whom the driver has not told yet is passed on to them. With `slept` this thread is one of
    /// those, and has been woken for nothing meanwhile.
    pub fn take_interrupt(&self, slept: bool, core: &mut Core, effects: &mut Effects<'_>) -> bool {
        self.interrupt.swap(false, Ordering::SeqCst)
            && (!core.sleepers.interrupt_everybody(&mut effects.wakes) || slept)
    }

    /// Interrupts; callable from a signal handler, since it takes no lock.
    pub fn interrupt(&self) {
        if self.generation != sys::generation() {
            return;
        }
        self.interrupt.swap(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        if let Some(signal) = self.signal.get() {
            signal.raise();
        }
    }

    /// Hands an interrupt to those who sleep; if nobody does it stays for the next who would.
    pub fn deliver_interrupt(&self) -> Result<(), Denied> {
        if !self.interrupt.load(Ordering::SeqCst) {
            return Ok(());
        }
        self.with(|core, effects| {
            // Somebody may have taken it since it was looked at.
            if self.interrupt.swap(false, Ordering::SeqCst)
                && !core.sleepers.interrupt_everybody(&mut effects.wakes)
            {
                self.interrupt.swap(true, Ordering::SeqCst);
            }
        })
    }

    /// Has the driver take a turn. However many ask for it before it comes, it is rung for once.
    fn ring_driver(&self) {
        if let Some(signal) = self.signal.get() {
            let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            if *open && !self.rung.swap(true, Ordering::AcqRel) {
                signal.raise();
            }
        }
    }

    /// Closes the doorbell's descriptors. The client's last user: no driver runs, and no interrupt
    /// comes any more; but messages live on, and one may be about to ring.
    pub fn close_doorbell(&self) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        *open = false;
        if let Some(signal) = self.signal.get() {
            signal.abandon();
        }
    }

    /// The driver has ended by itself; the next who waits starts another. With an error of the
    /// system's, which one who waits is told.
    pub fn driver_ended(&self, os_error: i32) {
        self.driver_error.store(os_error, Ordering::Release);
        self.running.store(false, Ordering::Release);
        // Nobody else tries what was started, and what was begun since ends as well.
        let _ = self.with(|core, effects| {
            let now = driver::now();
            if core.check_idle().is_err() {
                core.give_up(Denied::System(os_error).failure(), now, effects);
            }
            core.run_started(now, effects);
        });
        self.wake_everybody();
    }

    /// Whether the client's thread runs. To be asked under the lock: whatever is begun there is
    /// then seen by it, or ended with it.
    pub fn is_running(&self) -> bool {
        self.running.load(Ordering::Acquire)
    }

    /// Why it does not run any more.
    pub fn driver_failure(&self) -> Failure {
        self.take_driver_error().unwrap_or(Denied::System(0)).failure()
    }

    fn take_driver_error(&self) -> Option<Denied> {
        match self.driver_error.swap(0, Ordering::AcqRel) {
            0 => None,
            code => Some(Denied::System(code)),
        }
    }

    /// The driver has heard the doorbell and takes a turn next.
    pub fn answer_doorbell(&self) {
        if let Some(signal) = self.signal.get() {
            signal.clear();
        }
        self.rung.store(false, Ordering::Release);
    }

    /// The doorbell of the driver; none before the driver was started.
    pub fn signal(&self) -> Option<&Signal> {
        self.signal.get()
    }

    /// Notes the descriptor of the socket that was opened.
    pub fn keep_socket(&self, socket: i32) {
        self.socket.store(socket, Ordering::Release);
    }

    /// The socket is closed, or about to be.
    pub fn forget_socket(&self) {
        self.socket.store(-1, Ordering::Release);
    }

    /// Starts the client's thread, unless it runs already.
    pub fn start_driver(self: &Arc<Self>) -> Result<(), Denied> {
        let refused = |error: std::io::Error| Denied::System(error.raw_os_error().unwrap_or(0));
        let mut thread = self.driver.lock().unwrap_or_else(PoisonError::into_inner);
        if self.running.load(Ordering::Acquire) {
            return Ok(());
        }
        let this = Arc::clone(self);
        let runtime = driver::runtime().map_err(refused)?;
        if self.signal.get().is_none() {
            // The mutex of the driver is held, so nobody else sets it.
            let _ = self.signal.set(Signal::new().map_err(refused)?);
        }
        // Whoever interrupts sets the flag and then looks for the signal; whoever waits does the
        // reverse. Fences on both sides keep the two from missing each other.
        fence(Ordering::SeqCst);
        // Before it runs, since it may end at once and say so.
        self.running.store(true, Ordering::Release);
        match sys::spawn_quiet("sio", move || driver::main(this, runtime)) {
            Ok(started) => {
                *thread = Some(started);
                Ok(())
            }
            Err(error) => {
                self.running.store(false, Ordering::Release);
                Err(refused(error))
            }
        }
    }

    /// Ends everything: all who wait return, the driver's thread has ended when this returns.
    pub fn close(self: &Arc<Self>) {
        if self.generation != sys::generation() {
            return self.close_in_child();
        }
        self.begin_close();
        // They may still use the client.
        self.prepare.wait_until_idle();
        self.ready.wait_until_idle();
        let thread = self.driver.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // Its own panic was caught and reported; there is nothing else to learn from it.
            let _ = thread.join();
        }
        let mut preparing = self.preparing.lock().unwrap_or_else(PoisonError::into_inner);
        let preparing = std::mem::take(&mut *preparing);
        if !self.prepare.is_running_here() {
            preparing.into_iter().for_each(|thread| _ = thread.join());
        }
    }

    /// Has all who wait return, and the driver end, without waiting for that.
    pub fn begin_close(&self) {
        self.prepare.remove();
        self.ready.remove();
        let _ = self.with(|core, effects| core.free(effects));
        self.wake_everybody();
    }

    /// Wakes everybody, whatever state a panic has left the client in, so that nobody sleeps on.
    pub fn wake_everybody(&self) {
        let mut wakes = Vec::new();
        let poisoned = {
            let core = self.core.lock();
            let poisoned = core.is_err();
            let mut core = core.unwrap_or_else(PoisonError::into_inner);
            core.sleepers.wake_everybody(&mut wakes);
            poisoned
        };
        if poisoned {
            self.ready.show_defect();
        }
        wakes.iter().for_each(|place| place.ring());
        if let Some(signal) = self.signal.get() {
            signal.raise();
        }
    }

    /// Whether this process made the client.
    pub fn is_ours(&self) -> bool {
        self.generation == sys::generation()
    }

    /// In a child process: gives back memory and descriptors and touches nothing that the parent
    /// uses. The lock may be held for ever by a thread that exists only in the parent.
    fn close_in_child(self: &Arc<Self>) {
        // What owns descriptors that are closed here by number must never close them again.
        std::mem::forget(Arc::clone(self));
        if let Some(signal) = self.signal.get() {
            let socket = self.socket.load(Ordering::Acquire);
            let open = socket >= 0;
            sys::close_inherited(signal, if open { std::slice::from_ref(&socket) } else { &[] });
        }
        self.ready.abandon();
        if let Ok(mut core) = self.core.try_lock() {
            core.forget_all();
        }
    }

    /// Opens the lock, and does what the change under it calls for.
    #[inline]
    fn leave(&self, mut core: MutexGuard<'_, Core>, mut effects: Effects<'_>) {
        effects.ready = core.what_is_ready();
        drop(core);
        effects.run(self);
    }

    fn enter(&self) -> Result<MutexGuard<'_, Core>, Denied> {
        if self.generation != sys::generation() {
            return Err(Denied::Forked);
        }
        self.core.lock().map_err(|_| Denied::Poisoned)
    }
}

/// Runs the driver's work so that a defect ends the client and not the process.
pub fn guarded(shared: &Shared, work: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(work)).is_err() {
        let _ = shared.with(|core, effects| core.defect(effects));
        shared.wake_everybody();
    }
}

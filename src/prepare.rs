//! The program's function that goes before a connection attempt.
//!
//! Owns the function, who runs it, and who waits for that. Refuses to know what it does and what
//! follows from its answer.
//!
//! It may take its time, so it runs on a thread of its own and nobody but those who remove it wait
//! for it: an attempt that is given up meanwhile leaves it running. A run of the next attempt comes
//! after it, never beside it.

#![forbid(unsafe_code)]

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::callback;
use crate::error::Failure;
use crate::gate::{Gate, Pass};

/// The program's function: 0 to go on, anything else is a failed attempt.
pub type Function = Box<dyn Fn() -> i32 + Send + Sync>;

/// The same as it is kept: a run goes on with it also if it is replaced meanwhile.
type Shared = Arc<dyn Fn() -> i32 + Send + Sync>;

/// See the module's text.
#[derive(Default)]
pub struct Preparer {
    function: Mutex<Option<Shared>>,
    /// Inside is the thread that calls the function, for the length of one call.
    gate: Gate,
}

impl Preparer {
    /// Without a function.
    pub fn new() -> Self {
        Preparer::default()
    }

    /// Whether there is a function.
    pub fn is_set(&self) -> bool {
        self.lock().is_some()
    }

    /// Sets the function in place of an earlier one; `None` removes it.
    ///
    /// When this returns the earlier function is no longer running and will not be called again.
    /// Called from inside that function it takes effect when the function returns.
    ///
    /// [`Status::State`](crate::error::Status::State): the earlier function is running on another thread, and this one, being
    /// inside some callback, must not wait for it. Nothing has changed then.
    pub fn set(&self, function: Option<Function>) -> Result<(), Failure> {
        let (running, earlier) = {
            let mut kept = self.lock();
            let running = callback::to_await("prepare", self.gate.visit())?;
            (running, std::mem::replace(&mut *kept, function.map(Arc::from)))
        };
        // What a function owns may do anything as it goes, so it goes without the lock.
        drop(earlier);
        if let Some(visit) = running {
            self.gate.wait_for_end(visit);
        }
        Ok(())
    }

    /// Removes the function without waiting for one that is running.
    pub fn remove(&self) {
        // It goes without the lock, as above.
        let earlier = self.lock().take();
        drop(earlier);
    }

    /// Calls the function and gives its answer; `None` if there is none. One that is still running
    /// is waited for first, so this is for a thread that has nothing else to do.
    pub fn run(&self) -> Option<i32> {
        // Their order is that of their going, by a panic too: a function that was replaced
        // meanwhile is gone before those who wait for its end are told.
        let (_pass, function) = self.begin()?;
        let _inside = callback::enter();
        Some(function())
    }

    fn begin(&self) -> Option<(Pass<'_>, Shared)> {
        loop {
            let kept = self.lock();
            let function = kept.as_ref()?;
            // While the lock is held, so that who replaces the function sees who runs it.
            if let Some(pass) = self.gate.try_enter() {
                return Some((pass, Arc::clone(function)));
            }
            drop(kept);
            self.wait_until_idle();
        }
    }

    /// Whether the function runs on this thread now.
    pub fn is_running_here(&self) -> bool {
        self.gate.is_mine()
    }

    /// Waits until the function that is running has returned; not from inside it.
    pub fn wait_until_idle(&self) {
        self.gate.wait_for_visitor();
    }

    fn lock(&self) -> MutexGuard<'_, Option<Shared>> {
        // Nothing under this lock panics half-way through a change.
        self.function.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Preparer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Preparer").field("is_set", &self.is_set()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Status;
    use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
    use std::sync::mpsc::{self, Receiver, Sender};
    use std::thread;
    use std::time::Duration;

    fn answering(preparer: &Preparer, answer: i32) {
        preparer.set(Some(Box::new(move || answer))).unwrap();
    }

    /// A function that says when it has been entered, and returns when it is told to.
    fn slow() -> (Function, Receiver<()>, Sender<i32>) {
        let (entered, is_entered) = mpsc::channel();
        let (finish, finished) = mpsc::channel();
        let finished = Mutex::new(finished);
        let function = move || {
            let _ = entered.send(());
            finished.lock().unwrap().recv().unwrap_or(-1)
        };
        (Box::new(function), is_entered, finish)
    }

    fn shortly() {
        thread::sleep(Duration::from_millis(30));
    }

    #[test]
    fn the_answer_is_the_functions_and_it_runs_inside_a_callback() {
        let preparer = Arc::new(Preparer::new());
        assert!(!preparer.is_set());
        assert_eq!(preparer.run(), None);
        let inner = Arc::downgrade(&preparer);
        let function = move || {
            let preparer = inner.upgrade().unwrap();
            assert!(callback::inside() && preparer.is_running_here() && preparer.is_set());
            thread::scope(|s| {
                s.spawn(|| assert!(!preparer.is_running_here()));
            });
            7
        };
        preparer.set(Some(Box::new(function))).unwrap();
        assert!(preparer.is_set());
        assert_eq!(preparer.run(), Some(7));
        assert!(!callback::inside() && !preparer.is_running_here());
        answering(&preparer, 0);
        assert_eq!(preparer.run(), Some(0));
        preparer.set(None).unwrap();
        assert_eq!(preparer.run(), None);
    }

    #[test]
    fn set_from_inside_takes_effect_when_the_function_returns() {
        let preparer = Arc::new(Preparer::new());
        let inner = Arc::downgrade(&preparer);
        let function = move || {
            let preparer = inner.upgrade().unwrap();
            answering(&preparer, 2);
            preparer.wait_until_idle();
            1
        };
        preparer.set(Some(Box::new(function))).unwrap();
        assert_eq!(preparer.run(), Some(1));
        assert_eq!(preparer.run(), Some(2));
    }

    #[test]
    fn when_set_returns_the_earlier_function_is_over_and_gone() {
        let preparer = &Preparer::new();
        let (function, is_entered, finish) = slow();
        preparer.set(Some(function)).unwrap();
        let over = &AtomicBool::new(false);
        thread::scope(|s| {
            let run = s.spawn(|| preparer.run());
            is_entered.recv().unwrap();
            {
                // Inside a callback of another kind it cannot be waited for, and nothing changes.
                let _inside = callback::enter();
                assert_eq!(preparer.set(None).unwrap_err().status, Status::State);
                assert!(preparer.is_set());
            }
            let setter = s.spawn(move || {
                answering(preparer, 5);
                assert!(over.load(Ordering::SeqCst));
                // The channel's other end went with the function.
                assert_eq!(is_entered.try_recv(), Err(mpsc::TryRecvError::Disconnected));
            });
            shortly();
            assert!(!setter.is_finished());
            over.store(true, Ordering::SeqCst);
            finish.send(3).unwrap();
            assert_eq!(run.join().unwrap(), Some(3));
            setter.join().unwrap();
        });
        assert_eq!(preparer.run(), Some(5));
    }

    #[test]
    fn it_never_runs_twice_at_once_and_the_next_run_waits_for_its_turn() {
        let preparer = &Preparer::new();
        let (function, is_entered, finish) = slow();
        preparer.set(Some(function)).unwrap();
        thread::scope(|s| {
            let first = s.spawn(|| preparer.run());
            is_entered.recv().unwrap();
            let second = s.spawn(|| preparer.run());
            shortly();
            assert!(is_entered.try_recv().is_err());
            finish.send(1).unwrap();
            assert_eq!(first.join().unwrap(), Some(1));
            is_entered.recv().unwrap();
            finish.send(2).unwrap();
            assert_eq!(second.join().unwrap(), Some(2));
        });
    }

    #[test]
    fn remove_waits_for_nobody_and_no_run_follows() {
        let preparer = &Preparer::new();
        let (function, is_entered, finish) = slow();
        preparer.set(Some(function)).unwrap();
        thread::scope(|s| {
            let first = s.spawn(|| preparer.run());
            is_entered.recv().unwrap();
            let second = s.spawn(|| preparer.run());
            shortly();
            preparer.remove();
            assert!(!preparer.is_set() && !first.is_finished());
            let idle = s.spawn(|| preparer.wait_until_idle());
            shortly();
            assert!(!idle.is_finished());
            finish.send(9).unwrap();
            assert_eq!(first.join().unwrap(), Some(9));
            assert_eq!(second.join().unwrap(), None);
            idle.join().unwrap();
        });
        preparer.wait_until_idle();
    }

    #[test]
    fn a_function_that_panics_lets_the_next_run_in() {
        let preparer = &Preparer::new();
        preparer.set(Some(Box::new(|| panic!("a defect of the program's")))).unwrap();
        thread::scope(|s| assert!(s.spawn(|| preparer.run()).join().is_err()));
        answering(preparer, 4);
        assert_eq!(preparer.run(), Some(4));
        assert!(!callback::inside());
    }

    #[test]
    fn many_threads_run_and_set_without_meeting_inside() {
        let preparer = &Preparer::new();
        let inside = Arc::new(AtomicI32::new(0));
        thread::scope(|s| {
            for n in 0..4 {
                let inside = Arc::clone(&inside);
                s.spawn(move || {
                    for round in 0..500 {
                        if (round + n) % 3 == 0 {
                            let inside = Arc::clone(&inside);
                            let function = move || {
                                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                                thread::yield_now();
                                inside.fetch_sub(1, Ordering::SeqCst)
                            };
                            preparer.set(Some(Box::new(function))).unwrap();
                        } else {
                            assert!(matches!(preparer.run(), None | Some(1)));
                        }
                    }
                });
            }
        });
    }
}

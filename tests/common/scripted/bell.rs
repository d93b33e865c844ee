//! Waiting for something that another thread brings about, without looking again and again.

#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Rung after each change, by whoever made it, when it holds no lock.
#[derive(Default)]
pub struct Bell {
    rung: Mutex<u64>,
    changed: Condvar,
}

impl Bell {
    pub fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.changed.notify_all();
    }

    /// Waits until `look` finds what it looks for; without end if there is no deadline.
    pub fn wait<T>(
        &self,
        deadline: Option<Instant>,
        mut look: impl FnMut() -> Option<T>,
    ) -> Option<T> {
        loop {
            let heard = *self.rung.lock().unwrap_or_else(PoisonError::into_inner);
            // Without the lock, so that `look` may take others, and ring.
            if let Some(found) = look() {
                return Some(found);
            }
            let mut rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
            while *rung == heard {
                rung = match deadline.map(|at| at.checked_duration_since(Instant::now())) {
                    None => self.changed.wait(rung).unwrap_or_else(PoisonError::into_inner),
                    Some(None) => return None,
                    Some(Some(left)) => {
                        let waited = self.changed.wait_timeout(rung, left);
                        waited.unwrap_or_else(PoisonError::into_inner).0
                    }
                };
            }
        }
    }

    /// `wait` for at most that time.
    pub fn wait_for<T>(&self, within: Duration, look: impl FnMut() -> Option<T>) -> Option<T> {
        self.wait(Some(Instant::now() + within), look)
    }
}

/// What holds an answer back until the test opens it. Clones are the same gate.
#[derive(Clone, Default)]
pub struct Gate(Arc<GateInner>);

#[derive(Default)]
struct GateInner {
    open: AtomicBool,
    bells: Mutex<Vec<Arc<Bell>>>,
}

impl Gate {
    pub fn new() -> Gate {
        Gate::default()
    }

    /// Lets all through, those who come later too.
    pub fn open(&self) {
        self.0.open.store(true, Ordering::SeqCst);
        let bells = self.0.bells.lock().unwrap_or_else(PoisonError::into_inner).clone();
        bells.iter().for_each(|bell| bell.ring());
    }

    pub fn is_open(&self) -> bool {
        self.0.open.load(Ordering::SeqCst)
    }

    /// From now on this bell is rung when it opens.
    pub(super) fn tell(&self, bell: &Arc<Bell>) {
        self.0.bells.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::clone(bell));
    }
}

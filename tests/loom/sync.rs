//! What `src/sync.rs` gives out, for the models.
//!
//! The parking of loom is not used: there a thread that waits for a lock goes on if it is unparked, and
//! a token is lost if the thread has to wait for a lock before it parks. Here each thread has a bell,
//! which keeps what has been rung, and can wake a thread for nothing, as the real one may.

pub use loom::sync::atomic;
pub use loom::sync::{Condvar, Mutex, MutexGuard};
// That counting owners works is not in question here, and would multiply the orders.
pub use std::sync::{Arc, PoisonError};

use std::cell::Cell;
use std::time::Duration;

use atomic::{AtomicBool, AtomicU64, Ordering};

pub mod thread {
    //! Parking.

    pub use loom::thread::yield_now;

    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use loom::sync::Notify;

    loom::thread_local! {
        static HERE: Thread = Thread::new();
    }

    loom::lazy_static! {
        // A lock of std's, since that a thread has a bell orders nothing.
        static ref ALL: Mutex<Vec<Thread>> = Mutex::default();
    }

    #[derive(Clone, Debug)]
    pub struct Thread {
        bell: Arc<Notify>,
    }

    impl Thread {
        fn new() -> Self {
            let thread = Thread { bell: Arc::new(Notify::new()) };
            ALL.lock().unwrap().push(thread.clone());
            thread
        }

        pub fn unpark(&self) {
            self.bell.notify();
        }
    }

    pub fn current() -> Thread {
        HERE.with(Clone::clone)
    }

    pub fn park() {
        current().bell.wait();
    }

    /// When time passes, everybody is unparked.
    pub fn park_timeout(_: Duration) {
        park();
    }

    pub(super) fn unpark_all() {
        let all = ALL.lock().unwrap().clone();
        all.iter().for_each(Thread::unpark);
    }
}

/// What is set once, and read by others through the mark that it has been.
#[derive(Debug)]
pub struct OnceLock<T> {
    set: AtomicBool,
    value: std::sync::OnceLock<T>,
}

impl<T> OnceLock<T> {
    pub fn get(&self) -> Option<&T> {
        match self.set.load(Ordering::Acquire) {
            true => self.value.get(),
            false => None,
        }
    }

    pub fn set(&self, value: T) -> Result<(), T> {
        self.value.set(value)?;
        self.set.swap(true, Ordering::AcqRel);
        Ok(())
    }

    pub fn get_or_init(&self, make: impl FnOnce() -> T) -> &T {
        let value = self.value.get_or_init(make);
        self.set.swap(true, Ordering::AcqRel);
        value
    }
}

impl<T> Default for OnceLock<T> {
    fn default() -> Self {
        OnceLock { set: AtomicBool::new(false), value: std::sync::OnceLock::new() }
    }
}

/// A moment of a clock that stands still until a model moves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(u64);

loom::lazy_static! {
    static ref CLOCK: AtomicU64 = AtomicU64::new(0);
}

impl Instant {
    pub fn now() -> Self {
        // Nobody sees an earlier time than was seen before; but a clock orders nothing else.
        Instant(CLOCK.fetch_add(0, Ordering::Relaxed))
    }

    /// Every call of a model begins as the model does, whenever it comes to look at the clock.
    pub fn checked_add(self, duration: Duration) -> Option<Self> {
        Some(Instant(duration.as_millis() as u64))
    }

    pub fn saturating_duration_since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// For the moment for which a thread stays awake: it is over at once.
    pub fn elapsed(&self) -> Duration {
        Duration::MAX
    }
}

/// Lets so many milliseconds pass.
pub fn pass_time(millis: u64) {
    CLOCK.fetch_add(millis, Ordering::Relaxed);
    thread::unpark_all();
}

/// All threads of a model are one thread to std, so what each has of its own comes from loom.
macro_rules! local {
    ($(#[$attribute:meta])*
     static $name:ident: $cell:ident<$type:ty> = const { $new:expr };) => {
        static $name: $crate::sync::Local<$type> = {
            loom::thread_local! {
                static CELL: $cell<$type> = $new;
            }
            $crate::sync::Local(&CELL)
        };
    };
}

pub(crate) use local as thread_local;

pub struct Local<T: 'static>(pub &'static loom::thread::LocalKey<Cell<T>>);

impl<T: Copy> Local<T> {
    pub fn get(&'static self) -> T {
        self.0.with(Cell::get)
    }

    pub fn set(&'static self, value: T) {
        self.0.with(|cell| cell.set(value));
    }
}

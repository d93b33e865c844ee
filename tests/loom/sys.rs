//! The signal of `src/sys.rs`: a pipe that is readable or not, and a poll of it.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use loom::sync::Condvar;

/// Which pipe a descriptor is. The models of one process run at the same time.
static PIPES: LazyLock<Mutex<HashMap<RawFd, Arc<Pipe>>>> = LazyLock::new(Mutex::default);

pub struct Signal {
    number: RawFd,
    pipe: Arc<Pipe>,
}

/// The kernel's side of it: a call of the system's sees what the last one did.
#[derive(Default)]
pub struct Pipe {
    readable: loom::sync::Mutex<bool>,
    raised: Condvar,
}

impl Signal {
    pub fn new() -> io::Result<Self> {
        static LAST: AtomicI32 = AtomicI32::new(0);
        let number = LAST.fetch_add(1, Ordering::Relaxed) + 1;
        let pipe = Arc::new(Pipe::default());
        pipes().insert(number, Arc::clone(&pipe));
        Ok(Signal { number, pipe })
    }

    pub fn raise(&self) {
        *self.pipe.readable.lock().unwrap() = true;
        self.pipe.raised.notify_all();
    }

    pub fn clear(&self) {
        *self.pipe.readable.lock().unwrap() = false;
    }

    pub fn abandon(&self) -> bool {
        true
    }

    pub fn pipe(&self) -> Arc<Pipe> {
        Arc::clone(&self.pipe)
    }
}

impl AsRawFd for Signal {
    fn as_raw_fd(&self) -> RawFd {
        self.number
    }
}

impl Drop for Signal {
    fn drop(&mut self) {
        pipes().remove(&self.number);
    }
}

impl Pipe {
    /// The pipe that has this descriptor.
    pub fn of(descriptor: RawFd) -> Arc<Pipe> {
        Arc::clone(&pipes()[&descriptor])
    }

    /// A poll that does not wait.
    pub fn is_readable(&self) -> bool {
        *self.readable.lock().unwrap()
    }

    /// A poll without limit.
    pub fn wait_until_readable(&self) {
        let mut readable = self.readable.lock().unwrap();
        while !*readable {
            readable = self.raised.wait(readable).unwrap();
        }
    }
}

fn pipes() -> std::sync::MutexGuard<'static, HashMap<RawFd, Arc<Pipe>>> {
    PIPES.lock().unwrap_or_else(PoisonError::into_inner)
}

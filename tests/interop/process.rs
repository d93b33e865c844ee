//! What the tests know of processes and threads beyond the standard library: stopping a server, and
//! whether a thread sleeps.
//!
//! Owns: the signals, and the threads that are blocked on purpose.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use crate::common::Server;
use crate::harness::eventually;

/// Has a server do nothing at all, until it goes on.
pub fn stop(server: &Server) {
    signal(server, libc::SIGSTOP);
    let stat = format!("/proc/{}/stat", server.pid());
    eventually("the server stops", || (state_of(&stat) == Some('T')).then_some(()));
}

/// Has a stopped server go on.
pub fn go_on(server: &Server) {
    signal(server, libc::SIGCONT);
}

fn signal(server: &Server, signal: libc::c_int) {
    let pid = libc::pid_t::try_from(server.pid()).expect("a process id");
    // SAFETY: the process is our child and has not been waited for, so the number is still its.
    let result = unsafe { libc::kill(pid, signal) };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
}

/// A thread that is blocked in a call.
pub struct Blocked<'s, T> {
    what: &'static str,
    thread: ScopedJoinHandle<'s, (T, Instant)>,
}

/// Makes a call in a thread of its own, and returns when that thread sleeps in it.
pub fn block<'s, T: Send + 's>(
    scope: &'s Scope<'s, '_>,
    what: &'static str,
    call: impl FnOnce() -> T + Send + 's,
) -> Blocked<'s, T> {
    let (sender, receiver) = mpsc::channel();
    let thread = scope.spawn(move || {
        let _ = sender.send(std::fs::read_link("/proc/thread-self"));
        let result = call();
        (result, Instant::now())
    });
    let task = receiver.recv().expect("the thread runs").expect("it has an entry in /proc");
    let stat = format!("/proc/{}/stat", task.display());
    let mut looks = 0;
    // A thread may also sleep for a moment because another has the lock that it needs.
    eventually("the call blocks", || {
        looks = if state_of(&stat) == Some('S') { looks + 1 } else { 0 };
        (looks == 5 || thread.is_finished()).then_some(())
    });
    assert!(!thread.is_finished(), "{what} did not block");
    Blocked { what, thread }
}

impl<T> Blocked<'_, T> {
    /// What the call returned, and when.
    pub fn end(self) -> (T, Instant) {
        match self.thread.join() {
            Ok(end) => end,
            Err(_) => panic!("{} panicked", self.what),
        }
    }

    /// What was blocked.
    pub fn what(&self) -> &'static str {
        self.what
    }
}

fn state_of(stat: &str) -> Option<char> {
    let stat = std::fs::read_to_string(stat).ok()?;
    // The name before it, in parentheses, may contain anything.
    stat[stat.rfind(')')? + 1..].trim_start().chars().next()
}

/// How late the machine wakes threads up, while it is watched: a thread that does nothing but sleep
/// has to be punctual.
pub struct Lateness {
    worst: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
}

impl Lateness {
    /// Begins to watch.
    pub fn watch() -> Lateness {
        let (worst, over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let watched = Lateness { worst: Arc::clone(&worst), over: Arc::clone(&over) };
        std::thread::spawn(move || {
            const NAP: Duration = Duration::from_millis(1);
            while !over.load(Ordering::Relaxed) {
                let begin = Instant::now();
                std::thread::sleep(NAP);
                let late = begin.elapsed().saturating_sub(NAP);
                worst.fetch_max(late.as_micros() as u64, Ordering::Relaxed);
            }
        });
        watched
    }

    /// The worst so far.
    pub fn worst(&self) -> Duration {
        Duration::from_micros(self.worst.load(Ordering::Relaxed))
    }
}

impl Drop for Lateness {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

//! The log of one client: lines of text with a level, for a person.
//!
//! Owns the program's log function, the lines that wait for it, and what `SIO_LOG` in the
//! environment asks for. Refuses to know what the lines are about; who writes one keeps secrets
//! out of it and holds no lock.
//!
//! The function is called once at a time. A line that comes while it runs, from another thread or
//! from inside it, waits in a bounded queue for the thread that is inside, so nobody waits to log.

#![forbid(unsafe_code)]

use std::borrow::Cow;
use std::collections::VecDeque;
use std::env;
use std::fmt;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::callback;
use crate::error::Failure;
use crate::gate::{Gate, Visit};
use crate::sys;

/// How severe a line is. The numbers are those of `SIO_LOG_ERROR` and its neighbours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Level {
    /// Something failed that the program asked for.
    Error = 1,
    /// Something is likely to be wrong.
    Warn = 2,
    /// A step in the life of the connection.
    Info = 3,
    /// The steps of an attempt, pauses of reading, what is dropped.
    Debug = 4,
}

impl Level {
    /// Every level, the most severe first.
    pub const ALL: [Level; 4] = [Level::Error, Level::Warn, Level::Info, Level::Debug];

    /// The word that `SIO_LOG` takes.
    pub fn name(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warn => "warn",
            Level::Info => "info",
            Level::Debug => "debug",
        }
    }

    /// The level with that number in the C interface.
    pub fn from_number(number: i32) -> Option<Level> {
        Level::ALL.into_iter().find(|&level| level as i32 == number)
    }

    /// The level with that name.
    pub fn from_name(name: &str) -> Option<Level> {
        Level::ALL.into_iter().find(|level| level.name() == name)
    }
}

/// What receives the lines: the level and one line of text without control characters.
pub type Sink = Box<dyn Fn(Level, &str) + Send>;

/// See the module's text.
pub struct Log {
    /// Tells this client's lines on stderr from those of others.
    client: u64,
    /// The least severe level that anyone wants; 0 for none.
    threshold: AtomicU8,
    /// What stderr gets, from `SIO_LOG`.
    stderr: Option<Level>,
    state: Mutex<State>,
    /// Inside is the thread that calls the program's function, for the length of one call.
    gate: Gate,
}

impl Log {
    /// The log of a new client; reads `SIO_LOG`.
    pub fn from_environment() -> Self {
        Log::for_setting(env::var_os("SIO_LOG").map(|value| value.to_string_lossy().into_owned()))
    }

    /// Whether anyone wants lines of that level: asked before a line is put together.
    #[inline]
    pub fn enabled(&self, level: Level) -> bool {
        level as u8 <= self.threshold.load(Ordering::Relaxed)
    }

    /// The least severe level that anyone wants; to be compared with `Some(level)`.
    #[inline]
    pub fn level(&self) -> Option<Level> {
        Level::from_number(self.threshold.load(Ordering::Relaxed).into())
    }

    /// Hands on one line. The caller holds no lock, because the program's function may run now.
    pub fn write(&self, level: Level, line: String) {
        if !self.enabled(level) {
            return;
        }
        let line = match without_controls(&line) {
            Cow::Borrowed(_) => line,
            Cow::Owned(clean) => clean,
        };
        if Some(level) <= self.stderr {
            sys::write_stderr(stderr_line(self.client, level, &line).as_bytes());
        }
        if self.lock().enqueue(level, line) {
            self.deliver();
        }
    }

    /// Gives lines of `level` and more severe to `sink` from now on, in place of an earlier one.
    /// With `None` the program gets no more; what `SIO_LOG` asked for goes on.
    ///
    /// When this returns the earlier function is no longer running and will not be called again.
    /// Called from inside that function it takes effect when the function returns.
    ///
    /// [`Status::State`](crate::error::Status::State): the earlier function is running on another thread, and this one, being
    /// inside some callback, must not wait for it. Nothing has changed then.
    pub fn set(&self, sink: Option<(Level, Sink)>) -> Result<(), Failure> {
        let (running, earlier) = {
            let mut state = self.lock();
            let running = callback::to_await("log", state.running)?;
            let level = sink.as_ref().map(|(level, _)| *level);
            self.threshold.store(level.max(self.stderr).map_or(0, |l| l as u8), Ordering::Relaxed);
            if level.is_none() {
                state.waiting.clear();
                state.lost = 0;
            }
            state.revision += 1;
            state.level = level;
            (running, std::mem::replace(&mut state.sink, sink.map(|(_, sink)| sink)))
        };
        // What a sink owns may log as it goes, so it goes without the lock.
        drop(earlier);
        if let Some(visit) = running {
            self.gate.wait_for_end(visit);
        }
        Ok(())
    }

    /// Whether the program's function runs on this thread now.
    pub fn is_running_here(&self) -> bool {
        self.lock().running.is_some_and(|visit| visit.is_mine())
    }

    fn for_setting(setting: Option<String>) -> Self {
        static CLIENTS: AtomicU64 = AtomicU64::new(0);

        let client = CLIENTS.fetch_add(1, Ordering::Relaxed) + 1;
        let setting = setting.unwrap_or_default();
        let stderr = Level::from_name(&setting);
        if stderr.is_none() && !setting.is_empty() {
            let complaint = format!(
                "SIO_LOG is \"{}\"; it can be error, warn, info or debug",
                without_controls(&setting)
            );
            sys::write_stderr(stderr_line(client, Level::Warn, &complaint).as_bytes());
        }
        Log {
            client,
            threshold: AtomicU8::new(stderr.map_or(0, |level| level as u8)),
            stderr,
            state: Mutex::default(),
            gate: Gate::new(),
        }
    }

    /// Calls the program's function for each line that waits, unless some thread is about that.
    fn deliver(&self) {
        // A line that came while this thread was inside, and whose writer left because of that,
        // is seen when it looks again after leaving.
        while self.has_lines() {
            let Some(pass) = self.gate.try_enter() else { return };
            let begun = self.lock().begin(pass.visit());
            if let Some((revision, sink, level, line)) = begun {
                // If the function panics, as only one written in Rust can, it is not called again.
                let inside = callback::enter();
                sink(level, &line);
                drop(inside);
                let replaced = self.lock().end(revision, sink);
                // Without the lock, like every end of a sink.
                drop(replaced);
            }
        }
    }

    fn has_lines(&self) -> bool {
        let state = self.lock();
        !state.waiting.is_empty() || state.lost > 0
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing under this lock panics half-way through a change.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Log").field("client", &self.client).finish_non_exhaustive()
    }
}

#[derive(Default)]
struct State {
    /// The program's function; taken out by the thread that calls it, during the call.
    sink: Option<Sink>,
    /// What the function wants; `None` if there is none.
    level: Option<Level>,
    /// Counts the functions that were set, so that a call's end knows if its own was replaced.
    revision: u64,
    /// The visit in which the function is being called.
    running: Option<Visit>,
    waiting: VecDeque<(Level, String)>,
    /// Lines that found the queue full.
    lost: u64,
}

impl State {
    /// Whether the line waits now.
    fn enqueue(&mut self, level: Level, line: String) -> bool {
        if Some(level) > self.level {
            return false;
        }
        if self.waiting.len() >= MOST_WAITING {
            self.lost += 1;
            return false;
        }
        self.waiting.push_back((level, line));
        true
    }

    fn begin(&mut self, visit: Visit) -> Option<(u64, Sink, Level, String)> {
        let (level, line) = match self.waiting.pop_front() {
            Some(line) => line,
            None if self.lost > 0 => {
                let lost = std::mem::take(&mut self.lost);
                (Level::Warn, format!("{lost} lines of the log were lost: its function is slow"))
            }
            None => return None,
        };
        // A line may have waited for a function that wanted more than its successor does.
        if Some(level) > self.level {
            return None;
        }
        let sink = self.sink.take()?;
        self.running = Some(visit);
        Some((self.revision, sink, level, line))
    }

    /// Gives back a function that was replaced meanwhile.
    fn end(&mut self, revision: u64, sink: Sink) -> Option<Sink> {
        self.running = None;
        if revision != self.revision {
            return Some(sink);
        }
        self.sink = Some(sink);
        None
    }
}

/// How many lines wait for the function at most.
const MOST_WAITING: usize = 1000;

fn stderr_line(client: u64, level: Level, line: &str) -> String {
    format!("sio[{}] client {client}: {line}\n", level.name())
}

/// Text from the network must not forge lines, move the cursor, or end a C string early.
fn without_controls(line: &str) -> Cow<'_, str> {
    if !line.chars().any(char::is_control) {
        return Cow::Borrowed(line);
    }
    let mut clean = String::with_capacity(line.len() + 16);
    for c in line.chars() {
        if c.is_control() {
            clean.extend(c.escape_default());
        } else {
            clean.push(c);
        }
    }
    Cow::Owned(clean)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Status;
    use std::sync::{Arc, mpsc};
    use std::thread;
    use std::time::Duration;

    fn quiet() -> Arc<Log> {
        Arc::new(Log::for_setting(None))
    }

    fn collector() -> (Sink, mpsc::Receiver<(Level, String)>) {
        let (sender, lines) = mpsc::channel();
        let sink = Box::new(move |level, line: &str| drop(sender.send((level, line.to_owned()))));
        (sink, lines)
    }

    #[test]
    fn lines_of_the_level_and_more_severe_come() {
        let log = quiet();
        assert!(!log.enabled(Level::Error));
        log.write(Level::Error, "to nobody".into());
        let (sink, lines) = collector();
        log.set(Some((Level::Warn, sink))).unwrap();
        assert!(log.enabled(Level::Warn) && !log.enabled(Level::Info));
        for level in Level::ALL {
            log.write(level, level.name().into());
        }
        log.set(None).unwrap();
        assert!(!log.enabled(Level::Error));
        log.write(Level::Error, "to nobody".into());
        let all: Vec<_> = lines.iter().collect();
        assert_eq!(all, [(Level::Error, "error".into()), (Level::Warn, "warn".into())]);
    }

    #[test]
    fn a_line_is_one_line() {
        let log = quiet();
        let (sink, lines) = collector();
        log.set(Some((Level::Info, sink))).unwrap();
        log.write(Level::Info, "a\nb\0c\u{1b}[2J \u{fc}\u{85}".into());
        assert_eq!(lines.recv().unwrap().1, "a\\nb\\u{0}c\\u{1b}[2J \u{fc}\\u{85}");
    }

    #[test]
    fn a_line_from_inside_the_function_comes_after_it_returns() {
        let log = quiet();
        let (sender, lines) = mpsc::channel();
        let inner = Arc::downgrade(&log);
        let sink: Sink = Box::new(move |level, line| {
            assert!(callback::inside());
            if line == "outer" {
                inner.upgrade().unwrap().write(level, "first".into());
                inner.upgrade().unwrap().write(level, "second".into());
            }
            sender.send(line.to_owned()).unwrap();
        });
        log.set(Some((Level::Info, sink))).unwrap();
        log.write(Level::Info, "outer".into());
        log.set(None).unwrap();
        assert_eq!(lines.iter().collect::<Vec<_>>(), ["outer", "first", "second"]);
        assert!(!callback::inside());
    }

    #[test]
    fn set_from_inside_the_function_takes_effect_when_it_returns() {
        let log = quiet();
        let (next, lines) = collector();
        let inner = Arc::downgrade(&log);
        let next = Mutex::new(Some(next));
        let sink: Sink = Box::new(move |_, _| {
            let log = inner.upgrade().unwrap();
            let next = next.lock().unwrap().take().unwrap();
            log.set(Some((Level::Debug, next))).unwrap();
            log.write(Level::Debug, "to the next".into());
        });
        log.set(Some((Level::Info, sink))).unwrap();
        log.write(Level::Info, "to the first".into());
        assert_eq!(lines.recv().unwrap(), (Level::Debug, "to the next".into()));
    }

    #[test]
    fn when_set_returns_the_earlier_function_is_over() {
        let log = quiet();
        let (entered, is_entered) = mpsc::channel();
        let (sender, lines) = mpsc::channel();
        let sink: Sink = Box::new(move |_, line| {
            entered.send(()).unwrap();
            thread::sleep(Duration::from_millis(50));
            sender.send(line.to_owned()).unwrap();
        });
        log.set(Some((Level::Info, sink))).unwrap();
        let writer = thread::spawn({
            let log = Arc::clone(&log);
            move || log.write(Level::Info, "slow".into())
        });
        is_entered.recv().unwrap();
        log.write(Level::Info, "queued".into());
        {
            // Inside a callback of another kind it cannot be waited for.
            let _inside = callback::enter();
            assert_eq!(log.set(None).unwrap_err().status, Status::State);
        }
        let (next, next_lines) = collector();
        log.set(Some((Level::Info, next))).unwrap();
        assert_eq!(lines.try_recv().unwrap(), "slow");
        assert_eq!(lines.try_recv(), Err(mpsc::TryRecvError::Disconnected));
        writer.join().unwrap();
        assert_eq!(next_lines.try_recv().unwrap().1, "queued");
    }

    #[test]
    fn the_setter_does_not_wait_for_the_next_function() {
        let log = quiet();
        let (entered, is_entered) = mpsc::channel();
        let sink: Sink = Box::new(move |_, _| {
            entered.send(()).unwrap();
            thread::sleep(Duration::from_millis(20));
        });
        log.set(Some((Level::Info, sink))).unwrap();
        let writer = thread::spawn({
            let log = Arc::clone(&log);
            move || log.write(Level::Info, "slow".into())
        });
        is_entered.recv().unwrap();
        log.write(Level::Info, "queued".into());
        // The next function needs what the setter holds.
        let held = Arc::new(Mutex::new(()));
        let guard = held.lock().unwrap();
        let next: Sink = Box::new({
            let held = Arc::clone(&held);
            move |_, _| drop(held.lock().unwrap())
        });
        log.set(Some((Level::Info, next))).unwrap();
        drop(guard);
        writer.join().unwrap();
    }

    #[test]
    fn the_queue_is_bounded_and_says_so() {
        let log = quiet();
        let (sender, lines) = mpsc::channel();
        let inner = Arc::downgrade(&log);
        let sink: Sink = Box::new(move |level, line| {
            if line == "flood" {
                let log = inner.upgrade().unwrap();
                (0..MOST_WAITING + 5).for_each(|n| log.write(level, n.to_string()));
            }
            sender.send(line.to_owned()).unwrap();
        });
        log.set(Some((Level::Info, sink))).unwrap();
        log.write(Level::Info, "flood".into());
        log.set(None).unwrap();
        let all: Vec<_> = lines.iter().collect();
        assert_eq!(all.len(), 1 + MOST_WAITING + 1);
        assert!(all.last().unwrap().starts_with("5 lines"));
    }

    #[test]
    fn many_threads_lose_no_line_and_keep_their_order() {
        let log = quiet();
        let busy = Arc::new(Mutex::new(()));
        let (sender, lines) = mpsc::channel();
        let sink: Sink = Box::new(move |_, line| {
            let _alone = busy.try_lock().expect("called once at a time");
            sender.send(line.to_owned()).unwrap();
        });
        log.set(Some((Level::Info, sink))).unwrap();
        thread::scope(|s| {
            for thread in 0..4 {
                let log = &log;
                s.spawn(move || {
                    for n in 0..200 {
                        log.write(Level::Info, format!("{thread} {n}"));
                    }
                });
            }
        });
        log.set(None).unwrap();
        let mut next = [0; 4];
        for line in lines {
            let (thread, n) = line.split_once(' ').unwrap();
            let thread: usize = thread.parse().unwrap();
            assert_eq!(n.parse::<usize>().unwrap(), next[thread]);
            next[thread] += 1;
        }
        assert_eq!(next, [200; 4]);
    }

    #[test]
    fn the_environment_names_a_level() {
        assert!(Log::for_setting(Some("debug".into())).enabled(Level::Debug));
        assert!(!Log::for_setting(Some("error".into())).enabled(Level::Warn));
        assert!(!Log::for_setting(Some(String::new())).enabled(Level::Error));
        assert!(!Log::for_setting(Some("loud".into())).enabled(Level::Error));
        assert_eq!(stderr_line(3, Level::Warn, "x"), "sio[warn] client 3: x\n");
    }
}

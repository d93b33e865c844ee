//! A client that lives through what happens to its server, and tells it.
//!
//! Owns: the thread that receives all that comes to it, and the one that keeps it busy. What was sent
//! is checked as it comes back: whole, in order, nothing twice.

#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;
use sio::client::Client;
use sio::error::Status;
use sio::message::{Message, MessageKind};
use sio::sleepers::Timeout;

use crate::common::Carriage;
use crate::harness::{LONG, PATIENCE, carried, client_with, first, good};

/// See the module's text.
pub struct Life {
    pub carriage: Carriage,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared {
    client: Client,
    noted: Mutex<Noted>,
    changed: Condvar,
    over: AtomicBool,
}

/// What has happened to the client.
#[derive(Debug, Default)]
pub struct Noted {
    /// How often it was connected.
    pub connects: usize,
    pub connected_at: Option<Instant>,
    /// The attempts that the last connection took.
    pub attempts: u64,
    pub is_connected: bool,
    /// How the last connection was lost.
    pub loss: Option<Loss>,
    /// How all of it ended, if it did.
    pub end: Option<Loss>,
    /// Echoes of what was emitted.
    pub echoes: u64,
    last_echo: Option<u64>,
    /// What was not as it should be, the first of it.
    pub wrong: Option<String>,
}

/// What a message about the end of a connection says.
#[derive(Clone, Debug)]
pub struct Loss {
    pub at: Instant,
    pub reason: String,
    pub text: String,
}

impl Life {
    /// Connects a client, which reconnects and tells its states. If it is `busy` it emits all the time.
    pub fn start(carriage: Carriage, url: &str, options: &[(&str, &str)], busy: bool) -> Life {
        let lives = [("report_state", "1"), ("reconnection", "1")];
        let options = [&lives, options].concat();
        let client = carried(carriage, || client_with(&options));
        good(&client, client.connect(Some(url), LONG));
        let noted = Mutex::new(Noted::default());
        let (changed, over) = (Condvar::new(), AtomicBool::new(false));
        let shared = Arc::new(Shared { client, noted, changed, over });
        let run = |work: fn(&Shared)| {
            let shared = Arc::clone(&shared);
            thread::spawn(move || work(&shared))
        };
        let mut threads = vec![run(Shared::receive)];
        if busy {
            threads.push(run(Shared::emit));
        }
        Life { carriage, shared, threads }
    }

    pub fn client(&self) -> &Client {
        &self.shared.client
    }

    /// What has happened until now, by the function.
    pub fn noted<T>(&self, look: impl FnOnce(&Noted) -> T) -> T {
        look(&self.shared.lock())
    }

    /// Waits until the function finds something in what has happened.
    pub fn until<T>(
        &self,
        what: &str,
        mut look: impl FnMut(&Noted) -> Option<T>,
    ) -> Result<T, String> {
        let deadline = Instant::now() + PATIENCE;
        let mut noted = self.shared.lock();
        loop {
            if let Some(found) = look(&noted) {
                return Ok(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(format!("not within {PATIENCE:?}: {what}; {noted:?}"));
            }
            let waited = self.shared.changed.wait_timeout(noted, left);
            noted = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Disconnects, and tells what was wrong, if anything.
    pub fn end(mut self) -> Option<String> {
        self.shared.over.store(true, Ordering::Relaxed);
        let left = self.client().disconnect(LONG);
        self.join();
        let wrong = self.noted(|noted| noted.wrong.clone());
        wrong.or(left.err().map(|status| format!("at the end {}", status.name())))
    }

    fn join(&mut self) {
        for thread in self.threads.drain(..) {
            // What it had to say it said.
            let _ = thread.join();
        }
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        self.client().close();
        self.join();
    }
}

impl Shared {
    fn receive(&self) {
        loop {
            match self.client.receive(Timeout::Forever) {
                Ok(message) => self.note(&message),
                Err(Status::Disconnected) => break,
                Err(status) => {
                    self.wrong(|| format!("receive: {}", status.name()));
                    break;
                }
            }
        }
        self.changed.notify_all();
    }

    fn note(&self, message: &Message) {
        let mut noted = self.lock();
        match message.kind() {
            MessageKind::Connected => {
                let about = first(message);
                noted.connects += 1;
                noted.attempts = about["attempts"].as_u64().unwrap_or(0);
                noted.connected_at = Some(Instant::now());
                noted.is_connected = true;
            }
            MessageKind::Disconnected => {
                let about = first(message);
                let text = |member: &Value| member.as_str().unwrap_or_default().to_owned();
                let (reason, text) = (text(&about["reason"]), text(&about["text"]));
                let loss = Loss { at: Instant::now(), reason, text };
                if std::mem::replace(&mut noted.is_connected, false) {
                    noted.loss = Some(loss.clone());
                }
                if about["final"] == true {
                    noted.end = Some(loss);
                }
            }
            MessageKind::Event if message.name() == "echo" => {
                let number = first(message).as_u64().unwrap_or(u64::MAX);
                let whole = message.args() == echo_args(number);
                if !whole || noted.last_echo.is_some_and(|last| last >= number) {
                    let (last, args) = (noted.last_echo, message.args());
                    noted.say(|| format!("echo {args:.100} after {last:?}"));
                }
                noted.last_echo = Some(number);
                noted.echoes += 1;
                // Nobody waits for one of these.
                return;
            }
            MessageKind::Event if message.name() == "welcome" => {}
            _ => noted.say(|| format!("{} {:.100}", message.name(), message.args())),
        }
        self.changed.notify_all();
    }

    fn emit(&self) {
        for number in 0.. {
            if self.over.load(Ordering::Relaxed) {
                return;
            }
            if let Err(status) = self.client.emit("echo", Some(&echo_args(number)), &[], LONG) {
                if !self.over.load(Ordering::Relaxed) {
                    self.wrong(|| format!("emit: {}: {}", status.name(), self.client.error()));
                }
                return;
            }
            if number % 4 == 3 {
                thread::sleep(Duration::from_millis(5));
            }
        }
    }

    fn wrong(&self, what: impl FnOnce() -> String) {
        self.lock().say(what);
    }

    fn lock(&self) -> MutexGuard<'_, Noted> {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Noted {
    fn say(&mut self, what: impl FnOnce() -> String) {
        self.wrong.get_or_insert_with(what);
    }
}

fn echo_args(number: u64) -> String {
    let letter = (b'a' + (number % 26) as u8) as char;
    let text: String = std::iter::repeat_n(letter, (number % 200) as usize).collect();
    format!("[{number},\"{text}\"]")
}

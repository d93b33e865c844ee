//! Conversations by HTTP long-polling: an answer to each event that wants it.

use std::collections::HashMap;
use std::io::Write;
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What stands between the packets of a body.
const SEPARATOR: u8 = 0x1e;

/// A poll that brings nothing for so long brings a ping.
const PING: Duration = Duration::from_secs(20);

/// All that there are, by the sid's number.
#[derive(Default)]
pub struct Sessions {
    open: Mutex<HashMap<u64, Arc<Session>>>,
    last: AtomicU64,
}

#[derive(Default)]
struct Session {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The body of the next poll's answer.
    waiting: Vec<u8>,
    events: u64,
}

/// The length of a request's body.
pub fn content_length(head: &str) -> usize {
    let value = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse().ok())?
    });
    value.unwrap_or(0)
}

impl Sessions {
    /// Answers one request. A GET of a session waits until there is something for it.
    pub fn answer(&self, head: &str, body: &[u8], stream: &mut TcpStream) -> std::io::Result<()> {
        let target = head.split(' ').nth(1).unwrap_or_default();
        let Some((_, sid)) = target.split_once("sid=") else {
            return respond(stream, "200 OK", &self.open());
        };
        let digits = sid.split('&').next().unwrap_or_default();
        let session = digits.parse().ok().and_then(|sid| locked(&self.open).get(&sid).cloned());
        let Some(session) = session else {
            return respond(
                stream,
                "400 Bad Request",
                br#"{"code":1,"message":"Session ID unknown"}"#,
            );
        };
        if head.starts_with("GET") {
            return respond(stream, "200 OK", &session.poll());
        }
        let is_over = session.take(body);
        if is_over && let Ok(sid) = digits.parse::<u64>() {
            locked(&self.open).remove(&sid);
        }
        respond(stream, "200 OK", b"ok")
    }

    fn open(&self) -> Vec<u8> {
        let sid = self.last.fetch_add(1, Ordering::Relaxed);
        locked(&self.open).insert(sid, Arc::default());
        let open = r#""upgrades":[],"pingInterval":20000,"pingTimeout":20000,"maxPayload":1000000"#;
        format!("0{{\"sid\":\"{sid}\",{open}}}").into_bytes()
    }
}

impl Session {
    fn poll(&self) -> Vec<u8> {
        let idle = |state: &mut State| state.waiting.is_empty();
        let waited = self.changed.wait_timeout_while(locked(&self.state), PING, idle);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner).0;
        match std::mem::take(&mut state.waiting) {
            nothing if nothing.is_empty() => b"2".to_vec(),
            waiting => waiting,
        }
    }

    /// Takes in what came by a POST. Whether it was the last of the session.
    fn take(&self, body: &[u8]) -> bool {
        let mut is_over = false;
        let mut state = locked(&self.state);
        for packet in body.split(|&byte| byte == SEPARATOR) {
            match packet {
                [b'4', b'0', ..] => state.push(br#"40{"sid":"bench"}"#),
                [b'4', b'2', event @ ..] => {
                    state.events += 1;
                    let digits = event.iter().take_while(|byte| byte.is_ascii_digit()).count();
                    if digits > 0 {
                        let id = String::from_utf8_lossy(&event[..digits]);
                        let answer = format!("43{id}[{}]", state.events);
                        state.push(answer.as_bytes());
                    }
                }
                b"1" => {
                    is_over = true;
                    state.push(b"6");
                }
                _ => {}
            }
        }
        if !state.waiting.is_empty() {
            self.changed.notify_all();
        }
        is_over
    }
}

impl State {
    fn push(&mut self, packet: &[u8]) {
        if !self.waiting.is_empty() {
            self.waiting.push(SEPARATOR);
        }
        self.waiting.extend_from_slice(packet);
    }
}

fn respond(stream: &mut TcpStream, status: &str, body: &[u8]) -> std::io::Result<()> {
    let length = body.len();
    let kind = "Content-Type: text/plain; charset=UTF-8";
    let mut answer = format!("HTTP/1.1 {status}\r\n{kind}\r\nContent-Length: {length}\r\n\r\n");
    answer.push_str(&String::from_utf8_lossy(body));
    stream.write_all(answer.as_bytes())
}

/// A lock whose holder panicked still guards what can be used.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

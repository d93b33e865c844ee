//! Conversations by HTTP long-polling, and their sessions, which a websocket may take over.

use std::collections::{HashMap, VecDeque};
use std::io::{BufRead, Result, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::Port;
use crate::floods::{self, Encoding, Flood, SEPARATOR};
use crate::http::{self, Request};
use crate::talk::{Reply, Talk};
use crate::wire::Wire;

/// All that there are, by the sid's number.
#[derive(Default)]
pub struct Sessions {
    open: Mutex<HashMap<u64, Arc<Session>>>,
    last: AtomicU64,
}

pub struct Session {
    sid: u64,
    ping: Duration,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    left: Left,
    phase: Phase,
    pinged: Instant,
}

#[derive(PartialEq, Eq)]
enum Phase {
    Polling,
    /// The client has probed a websocket: polls are answered at once, so that it can leave.
    Upgrading,
    /// A websocket has it, or its client has closed it.
    Over,
}

/// What polls have not taken yet.
#[derive(Default)]
pub struct Left {
    pub talk: Talk,
    /// Packets and the separators between them.
    waiting: Vec<u8>,
    pub floods: VecDeque<Flood>,
}

impl Sessions {
    pub fn new_sid(&self) -> u64 {
        self.last.fetch_add(1, Ordering::Relaxed)
    }

    pub fn find(&self, sid: &str) -> Option<Arc<Session>> {
        locked(&self.open).get(&sid.parse().ok()?).cloned()
    }

    pub fn remove(&self, session: &Session) {
        locked(&self.open).remove(&session.sid);
    }
}

impl Port {
    /// Answers one request. A GET of a session waits until there is something for it.
    pub fn answer(&self, request: &Request, wire: &mut Wire) -> Result<()> {
        let Some(sid) = http::sid(&request.head) else {
            let sid = self.sessions.new_sid();
            let session = Arc::new(Session::new(sid, self.ping));
            locked(&self.sessions.open).insert(sid, session);
            return respond(wire, "200 OK", &self.open_packet(sid));
        };
        let Some(session) = self.sessions.find(sid) else {
            let text = br#"{"code":1,"message":"Session ID unknown"}"#;
            return respond(wire, "400 Bad Request", text);
        };
        if request.is_get() {
            return session.poll(wire);
        }
        if session.take(request.body) {
            self.sessions.remove(&session);
        }
        respond(wire, "200 OK", b"ok")
    }
}

impl Session {
    fn new(sid: u64, ping: Duration) -> Session {
        let state = State { left: Left::default(), phase: Phase::Polling, pinged: Instant::now() };
        Session { sid, ping, state: Mutex::new(state), changed: Condvar::new() }
    }

    fn poll(&self, wire: &mut Wire) -> Result<()> {
        let mut state = self.something();
        if !state.left.waiting.is_empty() {
            let waiting = std::mem::take(&mut state.left.waiting);
            drop(state);
            return respond(wire, "200 OK", &waiting);
        }
        let Some(flood) = state.left.floods.front_mut() else {
            if state.phase != Phase::Polling {
                return respond(wire, "200 OK", b"6");
            }
            state.pinged = Instant::now();
            return respond(wire, "200 OK", b"2");
        };
        let burst = floods::burst(*flood, Encoding::Polling);
        let now = flood.count.min(burst.count);
        flood.count -= now;
        if flood.count == 0 {
            state.left.floods.pop_front();
        }
        drop(state);
        // Without the separator after the last packet.
        let body = &burst.bytes[..now * burst.each - 1];
        wire.write_all(&http::response_head("200 OK", body.len()))?;
        wire.write_all(body)
    }

    /// Waits until there is something for a poll, at the latest a ping.
    fn something(&self) -> MutexGuard<'_, State> {
        let mut state = locked(&self.state);
        while state.left.waiting.is_empty()
            && state.left.floods.is_empty()
            && state.phase == Phase::Polling
        {
            let passed = state.pinged.elapsed();
            if passed >= self.ping {
                break;
            }
            let waited = self.changed.wait_timeout(state, self.ping - passed);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        state
    }

    /// Takes in what came by a POST. Whether it was the last of the session.
    fn take(&self, mut body: &[u8]) -> bool {
        let mut guard = locked(&self.state);
        let state = &mut *guard;
        while !body.is_empty() {
            let packet = body;
            // Of the rest of a packet only its end is looked for.
            let length = body.skip_until(SEPARATOR).unwrap_or(packet.len());
            let packet = packet[..length].strip_suffix(&[SEPARATOR]).unwrap_or(&packet[..length]);
            if packet == b"1" {
                state.phase = Phase::Over;
            }
            let left = &mut state.left;
            match left.talk.take(packet) {
                Reply::Nothing => {}
                Reply::Packet(answer) => {
                    if !left.waiting.is_empty() {
                        left.waiting.push(SEPARATOR);
                    }
                    left.waiting.extend_from_slice(answer);
                }
                Reply::Flood(flood) if flood.count > 0 => left.floods.push_back(flood),
                Reply::Flood(_) => {}
            }
        }
        self.changed.notify_all();
        state.phase == Phase::Over
    }

    pub fn begin_upgrade(&self) {
        self.enter(Phase::Upgrading);
    }

    /// The upgrade came to nothing.
    pub fn stay(&self) {
        self.enter(Phase::Polling);
    }

    /// The websocket has the session from here on.
    pub fn leave(&self) -> Left {
        self.enter(Phase::Over);
        std::mem::take(&mut locked(&self.state).left)
    }

    fn enter(&self, phase: Phase) {
        let mut state = locked(&self.state);
        if state.phase != Phase::Over {
            state.phase = phase;
        }
        self.changed.notify_all();
    }
}

impl Left {
    pub fn packets(&self) -> impl Iterator<Item = &[u8]> {
        self.waiting.split(|&byte| byte == SEPARATOR).filter(|packet| !packet.is_empty())
    }
}

fn respond(wire: &mut Wire, status: &str, body: &[u8]) -> Result<()> {
    let mut answer = http::response_head(status, body.len());
    answer.extend_from_slice(body);
    wire.write_all(&answer)
}

/// A lock whose holder panicked still guards what can be used.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

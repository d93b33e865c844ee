//! The server's end of one connection: what a step of a script can do.
//!
//! Owns: the socket, what came from the client, and the record of it. A step that cannot do what it
//! says returns an error, which ends the script.

#![forbid(unsafe_code)]

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tungstenite::handshake::derive_accept_key;

use super::socket;
use super::wire::{Frame, Received, Request, has_frame, opcode, take_frame, take_request};

/// What a step says when it could not be done.
pub type StepResult = Result<(), String>;

/// The handshake that `Peer::open` sends.
pub const OPEN: &str = concat!(
    r#"{"sid":"engine-sid","upgrades":[],"pingInterval":25000,"#,
    r#""pingTimeout":20000,"maxPayload":1000000}"#
);

/// All that happened on one connection.
#[derive(Clone, Debug, Default)]
pub struct Record {
    pub request: Option<Request>,
    pub frames: Vec<Received>,
    /// Bytes that came and were no whole frame or request when the connection ended.
    pub rest: Vec<u8>,
    pub end: Option<End>,
    /// What the script was doing or did last.
    pub step: String,
    /// Whether the script came to its end, and why not.
    pub outcome: Option<StepResult>,
}

/// How the client ended the connection, as the socket saw it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// It shut down its side in order.
    Eof(Instant),
    /// It reset the connection.
    Reset(Instant),
}

impl Record {
    /// The texts of all text frames.
    pub fn texts(&self) -> Vec<String> {
        self.frames.iter().filter_map(Received::text).collect()
    }

    /// The code of the client's close frame.
    pub fn close_code(&self) -> Option<u16> {
        self.frames.iter().find_map(Received::close_code)
    }
}

/// What the connection's threads and the test share.
#[derive(Default)]
pub struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    ignores_pings: AtomicBool,
    ignores_close: AtomicBool,
}

#[derive(Default)]
struct State {
    record: Record,
    told: usize,
    phase: Phase,
}

/// How much longer the test needs the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    #[default]
    Running,
    /// It waits for the scripts to end.
    WindingUp,
    /// No longer.
    Stopped,
}

impl Shared {
    pub fn record(&self) -> Record {
        self.lock().record.clone()
    }

    pub fn tell(&self) {
        self.change(|state| state.told += 1);
    }

    /// Ends steps that last as long as the test.
    pub fn wind_up(&self) {
        self.change(|state| state.phase = Phase::WindingUp);
    }

    /// Ends all steps that wait.
    pub fn stop(&self) {
        self.change(|state| state.phase = Phase::Stopped);
    }

    pub fn note(&self, note: impl FnOnce(&mut Record)) {
        self.change(|state| note(&mut state.record));
    }

    /// Waits until `done` finds what it looks for, or the time is over.
    pub fn wait_for<T>(
        &self,
        within: Duration,
        mut done: impl FnMut(&mut Record) -> Option<T>,
    ) -> Option<T> {
        self.wait(Some(within), |state| done(&mut state.record))
    }

    fn wait<T>(
        &self,
        within: Option<Duration>,
        mut done: impl FnMut(&mut State) -> Option<T>,
    ) -> Option<T> {
        let deadline = within.map(|within| Instant::now() + within);
        let mut state = self.lock();
        loop {
            if let Some(found) = done(&mut state) {
                return Some(found);
            }
            state = match deadline.map(|deadline| deadline.checked_duration_since(Instant::now())) {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(None) => return None,
                Some(Some(left)) => {
                    let waited = self.changed.wait_timeout(state, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn stopped(&self) -> bool {
        self.phase == Phase::Stopped
    }
}

/// The server's end of a connection.
pub struct Peer {
    stream: Arc<TcpStream>,
    writing: Arc<Mutex<()>>,
    shared: Arc<Shared>,
    reading: Reading,
    /// How many of the recorded frames the script has looked at.
    seen: usize,
}

enum Reading {
    /// A step reads when it wants something.
    InSteps(Reader),
    /// A thread reads all the time.
    Aside(JoinHandle<()>),
    Over,
}

impl Peer {
    pub fn new(stream: Arc<TcpStream>, shared: Arc<Shared>) -> Peer {
        let writing = Arc::new(Mutex::new(()));
        let reader = Reader {
            stream: stream.clone(),
            writing: writing.clone(),
            shared: shared.clone(),
            buffer: Vec::new(),
        };
        Peer { stream, writing, shared, reading: Reading::InSteps(reader), seen: 0 }
    }

    /// One whose request was read already, and what came behind it.
    pub fn behind(
        stream: Arc<TcpStream>,
        shared: Arc<Shared>,
        request: Option<Request>,
        rest: Vec<u8>,
    ) -> Peer {
        let mut peer = Peer::new(stream, shared);
        peer.shared.note(|record| record.request = request);
        if let Reading::InSteps(reader) = &mut peer.reading {
            reader.buffer = rest;
        }
        peer
    }

    /// What another thread needs to send on this connection too.
    pub fn sender(&self) -> Sender {
        Sender { stream: self.stream.clone(), writing: self.writing.clone() }
    }

    // ---- HTTP ----

    /// Reads the head of the client's request.
    pub fn read_request(&mut self) -> StepResult {
        let Reading::InSteps(reader) = &mut self.reading else {
            return Err("a request is read before anything is read aside".to_owned());
        };
        loop {
            if let Some(request) = take_request(&mut reader.buffer) {
                self.shared.note(|record| record.request = Some(request));
                return Ok(());
            }
            if !reader.fill() {
                return Err("the client ended before its request was complete".to_owned());
            }
        }
    }

    /// The head of a right answer to the request that was read.
    pub fn switching_protocols(&self) -> Result<String, String> {
        let request = self.shared.record().request;
        let request = request.ok_or("no request was read")?;
        let key = request.header("Sec-WebSocket-Key").ok_or("the request has no key")?;
        let accept = derive_accept_key(key.as_bytes());
        Ok(format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        ))
    }

    // ---- sending ----

    pub fn raw(&mut self, bytes: &[u8]) -> StepResult {
        write(&self.stream, &self.writing, bytes)
    }

    pub fn frame(&mut self, frame: &Frame) -> StepResult {
        self.raw(&frame.encode())
    }

    pub fn text(&mut self, text: &str) -> StepResult {
        self.frame(&Frame::text(text))
    }

    // ---- reading ----

    /// The next frame that the script has not looked at; `None` when the client has ended.
    pub fn next_frame(&mut self) -> Option<Received> {
        let seen = self.seen;
        let unseen = |record: &Record| record.frames.get(seen).cloned();
        let frame = loop {
            if let Some(frame) = unseen(&self.shared.record()) {
                break Some(frame);
            }
            match &mut self.reading {
                Reading::InSteps(reader) => {
                    if !reader.read_frames() {
                        break unseen(&self.shared.record());
                    }
                }
                Reading::Aside(_) => {
                    break self.shared.wait(None, |state| {
                        let over = state.stopped() || state.record.end.is_some();
                        match unseen(&state.record) {
                            Some(frame) => Some(Some(frame)),
                            None => over.then_some(None),
                        }
                    })?;
                }
                Reading::Over => break None,
            }
        };
        self.seen += usize::from(frame.is_some());
        frame
    }

    /// The next frame that carries data.
    pub fn next_data(&mut self) -> Result<Received, String> {
        loop {
            match self.next_frame() {
                Some(frame) if frame.is_data() => return Ok(frame),
                Some(frame) if frame.opcode == opcode::CLOSE => {
                    return Err(format!("the client closed with {:?}", frame.close_code()));
                }
                Some(_) => {}
                None => return Err("the client ended the connection".to_owned()),
            }
        }
    }

    /// From now on a thread reads and records all that comes.
    pub fn read_aside(&mut self) {
        let reading = std::mem::replace(&mut self.reading, Reading::Over);
        self.reading = match reading {
            Reading::InSteps(mut reader) => {
                Reading::Aside(std::thread::spawn(move || while reader.read_frames() {}))
            }
            other => other,
        };
    }

    /// Reads and records until the client ends the connection.
    pub fn until_closed(&mut self) {
        while self.next_frame().is_some() {}
    }

    /// Reads until the client ends the connection, and takes nothing for a frame.
    pub fn ignore_until_closed(&mut self) {
        if let Reading::InSteps(reader) = &mut self.reading {
            while reader.fill() {}
        }
    }

    // ---- manners ----

    /// Whether a PING is answered by a PONG when it is read; it is at first.
    pub fn answer_pings(&mut self, answer: bool) {
        self.shared.ignores_pings.store(!answer, Ordering::Relaxed);
    }

    /// Whether a close frame is answered by one when it is read; it is at first.
    pub fn answer_close(&mut self, answer: bool) {
        self.shared.ignores_close.store(!answer, Ordering::Relaxed);
    }

    // ---- time ----

    /// Does nothing for that time; reads nothing either.
    pub fn pause(&mut self, duration: Duration) -> StepResult {
        let stopped = self.shared.wait(Some(duration), |state| state.stopped().then_some(()));
        if stopped.is_some() { Err("the test is over".to_owned()) } else { Ok(()) }
    }

    /// Does nothing until the test says so; reads nothing either.
    pub fn until_told(&mut self) -> StepResult {
        let told = self.shared.wait(None, |state| match state.told {
            0 => state.stopped().then_some(false),
            _ => {
                state.told -= 1;
                Some(true)
            }
        });
        if told == Some(true) { Ok(()) } else { Err("the test is over".to_owned()) }
    }

    /// Does nothing as long as the test goes on; reads nothing either.
    pub fn stall(&mut self) {
        self.shared.wait(None, |state| (state.phase > Phase::Running).then_some(()));
    }

    // ---- ends ----

    /// Ends our side; the client's is still read.
    pub fn shutdown_write(&mut self) -> StepResult {
        self.stream.shutdown(Shutdown::Write).map_err(|error| error.to_string())
    }

    /// Makes the end of the connection, which follows the last step, a reset.
    pub fn reset(&mut self) -> StepResult {
        socket::reset_at_close(&self.stream).map_err(|error| error.to_string())
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        if let Reading::Aside(thread) = std::mem::replace(&mut self.reading, Reading::Over) {
            // The thread wakes up and lets go of the socket, so that ours is the last hold on it.
            let _ = self.stream.shutdown(Shutdown::Read);
            let _ = thread.join();
        }
    }
}

/// Sends whole frames beside the steps of a script.
#[derive(Clone)]
pub struct Sender {
    stream: Arc<TcpStream>,
    writing: Arc<Mutex<()>>,
}

impl Sender {
    pub fn frame(&self, frame: &Frame) -> StepResult {
        write(&self.stream, &self.writing, &frame.encode())
    }

    /// Ends the connection in both directions.
    pub fn end(&self) {
        // It fails only if the client was faster.
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

/// What reads from the client, records it and has manners.
struct Reader {
    stream: Arc<TcpStream>,
    writing: Arc<Mutex<()>>,
    shared: Arc<Shared>,
    buffer: Vec<u8>,
}

impl Reader {
    /// Reads once and records the frames that are complete. False when the client has ended.
    fn read_frames(&mut self) -> bool {
        // What came behind the request may be whole frames.
        let more = !self.buffer.is_empty() && has_frame(&self.buffer) || self.fill();
        while let Some(frame) = take_frame(&mut self.buffer) {
            let answer = self.answer(&frame);
            self.shared.note(|record| record.frames.push(frame));
            if let Some(answer) = answer {
                // The client may have gone.
                let _ = write(&self.stream, &self.writing, &answer.encode());
            }
        }
        if !more {
            let rest = std::mem::take(&mut self.buffer);
            self.shared.note(|record| record.rest = rest);
        }
        more
    }

    fn answer(&self, frame: &Received) -> Option<Frame> {
        let (ignored, answer) = match frame.opcode {
            opcode::PING => (&self.shared.ignores_pings, opcode::PONG),
            opcode::CLOSE => (&self.shared.ignores_close, opcode::CLOSE),
            _ => return None,
        };
        (!ignored.load(Ordering::Relaxed)).then(|| Frame::new(answer, frame.payload.clone()))
    }

    fn fill(&mut self) -> bool {
        let mut chunk = [0; 65536];
        let end = loop {
            match (&*self.stream).read(&mut chunk) {
                Ok(0) => break End::Eof(Instant::now()),
                Ok(n) => {
                    self.buffer.extend_from_slice(&chunk[..n]);
                    return true;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break End::Reset(Instant::now()),
            }
        };
        self.shared.note(|record| {
            record.end.get_or_insert(end);
        });
        false
    }
}

fn write(mut stream: &TcpStream, writing: &Mutex<()>, bytes: &[u8]) -> StepResult {
    let _whole = writing.lock().unwrap_or_else(PoisonError::into_inner);
    stream.write_all(bytes).map_err(|error| format!("the client takes no more: {error}"))
}

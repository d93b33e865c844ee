//! The sessions of a scripted Engine.IO server: what came in each, and what waits to be sent.
//!
//! Owns: packets and their two encodings. Refuses to know requests and sockets.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::super::answer::Answer;
use super::super::bell::Bell;
use super::super::wire::{Frame, Received, opcode};

/// An Engine.IO packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Packet {
    /// With the digit of its type in front.
    Text(String),
    /// A message of bytes.
    Binary(Vec<u8>),
}

impl Packet {
    pub fn text(&self) -> Option<&str> {
        match self {
            Packet::Text(text) => Some(text),
            Packet::Binary(_) => None,
        }
    }

    pub(super) fn frame(&self) -> Frame {
        match self {
            Packet::Text(text) => Frame::text(text.as_str()),
            Packet::Binary(bytes) => Frame::binary(bytes.as_slice()),
        }
    }

    pub(super) fn from_frame(frame: &Received) -> Option<Packet> {
        match frame.opcode {
            opcode::TEXT => frame.text().map(Packet::Text),
            opcode::BINARY => Some(Packet::Binary(frame.payload.clone())),
            _ => None,
        }
    }

    fn encoded(&self) -> String {
        match self {
            Packet::Text(text) => text.clone(),
            Packet::Binary(bytes) => format!("b{}", STANDARD.encode(bytes)),
        }
    }

    fn decoded(text: &str) -> Result<Packet, String> {
        match text.strip_prefix('b') {
            Some(base64) => {
                let bytes = STANDARD.decode(base64);
                bytes.map(Packet::Binary).map_err(|error| format!("no base64: {error}"))
            }
            None if text.is_empty() => Err("an empty packet".to_owned()),
            None => Ok(Packet::Text(text.to_owned())),
        }
    }
}

/// A packet that came from the client.
#[derive(Clone, Debug)]
pub struct Came {
    pub packet: Packet,
    /// The number of the session, from 0.
    pub session: usize,
    /// The number of the request by which it came; `None` by websocket.
    pub request: Option<usize>,
    pub at: Instant,
}

pub(super) struct Sessions {
    bell: Arc<Bell>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    sessions: Vec<Session>,
    came: Vec<Came>,
    /// What the next polls, and the next POSTs, are answered instead of what is usual.
    polls: VecDeque<Answer>,
    posts: VecDeque<Answer>,
}

struct Session {
    sid: String,
    outgoing: VecDeque<Packet>,
    by_websocket: bool,
    upgrading: bool,
    over: bool,
}

impl Sessions {
    pub(super) fn new(bell: Arc<Bell>) -> Sessions {
        Sessions { bell, state: Mutex::default() }
    }

    pub(super) fn bell(&self) -> &Arc<Bell> {
        &self.bell
    }

    /// A new session; its number.
    pub(super) fn begin(&self, transport: &str) -> usize {
        let mut number = 0;
        self.change(|state| {
            number = state.sessions.len();
            state.sessions.push(Session {
                sid: format!("engine-{number}"),
                outgoing: VecDeque::new(),
                by_websocket: transport == "websocket",
                upgrading: false,
                over: false,
            });
        });
        number
    }

    /// The number of the session, if it is still known.
    pub(super) fn find(&self, sid: &str) -> Option<usize> {
        let known = |session: &Session| session.sid == sid && !session.over;
        self.state().sessions.iter().position(known)
    }

    pub(super) fn count(&self) -> usize {
        self.state().sessions.len()
    }

    pub(super) fn came(&self) -> Vec<Came> {
        self.state().came.clone()
    }

    pub(super) fn is_over(&self, number: usize) -> bool {
        self.state().sessions[number].over
    }

    pub(super) fn end(&self, number: usize) {
        self.change(|state| state.sessions[number].over = true);
    }

    pub(super) fn forget(&self) {
        self.change(|state| state.sessions.iter_mut().for_each(|session| session.over = true));
    }

    pub(super) fn set_upgrading(&self, number: usize, upgrading: bool) {
        self.change(|state| state.sessions[number].upgrading = upgrading);
    }

    pub(super) fn carried_by_websocket(&self, number: usize) {
        self.change(|state| {
            let session = &mut state.sessions[number];
            session.by_websocket = true;
            // The last packet by polling has been taken in before.
            state.came.push(Came {
                packet: Packet::Text("5".to_owned()),
                session: number,
                request: None,
                at: Instant::now(),
            });
        });
    }

    // ---- to the client ----

    /// Sends in the newest session.
    pub(super) fn send(&self, packets: impl IntoIterator<Item = Packet>) {
        let newest = self.count().checked_sub(1).expect("there is a session");
        self.send_to(newest, packets);
    }

    pub(super) fn send_to(&self, number: usize, packets: impl IntoIterator<Item = Packet>) {
        self.change(|state| state.sessions[number].outgoing.extend(packets));
    }

    pub(super) fn answer_poll(&self, answer: Answer) {
        self.change(|state| state.polls.push_back(answer));
    }

    pub(super) fn answer_post(&self, answer: Answer) {
        self.change(|state| state.posts.push_back(answer));
    }

    /// What a poll is answered; `None`: it has to wait.
    pub(super) fn take_poll(&self, number: usize) -> Option<Answer> {
        let special = self.state().polls.pop_front();
        special.or_else(|| self.take_body(number).map(Answer::ok))
    }

    /// What a POST is answered if not as usual.
    pub(super) fn take_post(&self) -> Option<Answer> {
        self.state().posts.pop_front()
    }

    /// What a poll brings; `None`: it has to wait.
    fn take_body(&self, number: usize) -> Option<String> {
        let mut state = self.state();
        let session = &mut state.sessions[number];
        if session.upgrading || session.by_websocket {
            return Some("6".to_owned());
        }
        if session.over && session.outgoing.is_empty() {
            return Some("1".to_owned());
        }
        let packets: Vec<String> = session.outgoing.drain(..).map(|one| one.encoded()).collect();
        (!packets.is_empty()).then(|| packets.join("\x1e"))
    }

    /// What the websocket has to send next; `None`: the session is over.
    pub(super) fn next_packets(&self, number: usize) -> Option<Vec<Packet>> {
        self.bell.wait(None, || {
            let mut state = self.state();
            let session = &mut state.sessions[number];
            let packets: Vec<Packet> = session.outgoing.drain(..).collect();
            match packets.is_empty() {
                false => Some(Some(packets)),
                true if session.over => Some(None),
                true => None,
            }
        })?
    }

    // ---- from the client ----

    /// Notes the packets of a POST.
    pub(super) fn take_in_body(
        &self,
        number: usize,
        request: usize,
        body: &[u8],
    ) -> Result<Vec<Packet>, String> {
        let text = std::str::from_utf8(body).map_err(|error| error.to_string())?;
        let packets: Result<Vec<Packet>, String> =
            text.split('\x1e').map(Packet::decoded).collect();
        let packets = packets?;
        let at = Instant::now();
        self.change(|state| {
            let came = packets.iter().map(|packet| Came {
                packet: packet.clone(),
                session: number,
                request: Some(request),
                at,
            });
            state.came.extend(came);
        });
        Ok(packets)
    }

    /// Notes the packet of a frame.
    pub(super) fn take_in_frame(&self, number: usize, packet: Packet, at: Instant) {
        self.change(|state| {
            state.came.push(Came { packet, session: number, request: None, at });
        });
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.bell.ring();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

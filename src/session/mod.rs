//! The whole protocol, as (state, input, now) -> outputs.
//!
//! Owns what one client's connection is and does: the attempt, the Engine.IO handshake and its
//! heartbeat, the namespace, acknowledgements, attachments, taking leave, and every timer of
//! these. Refuses to know clocks, randomness, threads, sockets, and where events and outgoing
//! packets wait: it is told what happened and when, and answers what follows from it.
//!
//! ```text
//!         connect            CONNECT           leave
//!   New ──────────▶ Connecting ────▶ Connected ────▶ Closing
//!                    │      ▲            │              │
//!                    │      │ connect    │              │
//!                    ▼      │            ▼              ▼
//!                  Closed ◀─┴───── every other end, a loss too
//! ```
//!
//! Inputs go into [`Session::handle`]; an event or an answer comes back from it, everything else
//! is asked for afterwards: [`Session::transmit`] what to send, [`Session::action`] what to do with
//! the link, [`Session::deadline`] when to call [`Session::expire`], [`Session::state`].

#![forbid(unsafe_code)]

mod acks;
mod attempt;
mod ending;
mod engine;
mod leaving;
mod reassembly;
mod seam;
mod socket;
#[cfg(test)]
mod tests;
mod texts;
mod time;

use std::collections::VecDeque;

pub use seam::{
    Action, Admission, Attachment, Counters, Event, Input, Left, Parcel, Part, Reason, Settings,
    State, Text, Transmit,
};
pub use time::Moment;

use crate::error::Failure;
use acks::Acks;
use attempt::Step;
use engine::Engine;
use leaving::Leaving;
use reassembly::{PROTOCOL_ERROR, Reassembly};
use texts::Loss;

/// One client's connection. `C` is what the monitor keeps for each call that waits.
#[derive(Debug)]
pub struct Session<C> {
    stage: Stage,
    settings: Settings,
    /// Our namespace as packets name it: without a query, empty for "/".
    own: String,
    /// The id that the namespace has given us.
    sid: String,
    /// Since when reading is paused, if it is.
    paused: Option<Moment>,
    engine: Engine,
    reassembly: Reassembly,
    acks: Acks<C>,
    queue: VecDeque<Transmit>,
    actions: VecDeque<Action>,
    ended: Option<Failure>,
    reason: Option<Reason>,
    left: Option<Left>,
    /// Numbers for the program's statistics.
    pub counters: Counters,
}

/// Where the session is. What a stage alone needs lives in it.
#[derive(Debug)]
enum Stage {
    New,
    Attempt {
        step: Step,
        /// When `attempt_timeout` is over.
        ends: Moment,
    },
    Connected,
    Leaving(Leaving),
    Closed,
}

/// The timers, of which [`Session::deadline`] tells the next one.
#[derive(Clone, Copy, Debug)]
enum Timer {
    Attempt,
    Request,
    Heartbeat,
    Attachments,
    Leaving,
}

impl<C> Session<C> {
    /// A session that was never connected.
    pub fn new() -> Self {
        Session {
            stage: Stage::New,
            settings: Settings::default(),
            own: String::new(),
            sid: String::new(),
            paused: None,
            engine: Engine::default(),
            reassembly: Reassembly::new(),
            acks: Acks::new(),
            queue: VecDeque::new(),
            actions: VecDeque::new(),
            ended: None,
            reason: None,
            left: None,
            counters: Counters::default(),
        }
    }

    /// Begins to connect; an [`Action::Dial`] follows. Reading counts as not paused. The state must
    /// be New or Closed, otherwise nothing happens.
    pub fn connect(&mut self, settings: Settings, now: Moment) {
        if !matches!(self.stage, Stage::New | Stage::Closed) {
            debug_assert!(false, "connect in the state {:?}", self.state());
            return;
        }
        self.own = socket::without_query(&settings.namespace).into();
        self.sid.clear();
        self.paused = None;
        self.engine = Engine::default();
        self.reassembly.reset();
        self.queue.clear();
        self.ended = None;
        self.reason = None;
        self.left = None;
        self.counters.attempts += 1;
        self.stage = Stage::Attempt { step: Step::Resolve, ends: now + settings.attempt_timeout };
        self.settings = settings;
        self.actions.push_back(Action::Dial);
    }

    /// The state as the program sees it.
    pub fn state(&self) -> State {
        match self.stage {
            Stage::New => State::New,
            Stage::Attempt { .. } => State::Connecting,
            Stage::Connected => State::Connected,
            Stage::Leaving(_) => State::Closing,
            Stage::Closed => State::Closed,
        }
    }

    /// How many namespaces were established. An answer to an event belongs to the number that was
    /// this when the event came.
    pub fn epoch(&self) -> u64 {
        self.counters.connects
    }

    /// The id that the server gave to this connection of the namespace; empty unless the state is
    /// Connected or Closing.
    pub fn sid(&self) -> &str {
        match self.stage {
            Stage::Connected | Stage::Leaving(_) => &self.sid,
            _ => "",
        }
    }

    /// The id of the Engine.IO session; empty if there is none.
    pub fn engine_sid(&self) -> &str {
        &self.engine.sid
    }

    /// The namespace as it is written into packets: "/" or with a leading "/", with its query.
    pub fn namespace(&self) -> &str {
        match self.settings.namespace.as_str() {
            "" => "/",
            namespace => namespace,
        }
    }

    /// The namespace as texts name it: what follows "?" can be a token.
    pub(crate) fn shown_namespace(&self) -> &str {
        if self.own.is_empty() { "/" } else { &self.own }
    }

    /// Why the last connection, or the last attempt at one, ended, until the next connect.
    pub fn ended(&self) -> Option<&Failure> {
        self.ended.as_ref()
    }

    /// The same in one of the words of [`Reason::name`], if the namespace had been connected.
    pub fn reason(&self) -> Option<Reason> {
        self.reason
    }

    /// How leaving ended for what had been emitted before; `None` if the program did not leave, or
    /// if that is not known yet.
    pub fn left(&self) -> Option<Left> {
        self.left
    }

    /// Takes in what happened. In the states New and Closed nothing has an effect.
    #[inline]
    pub fn handle<'a>(&'a mut self, input: Input<'a>, now: Moment) -> Event<'a, C> {
        match input {
            Input::Packet { packet, text } => self.socket_packet(packet, text, now),
            Input::Binary(attachment) => self.attachment(attachment, now),
            other => {
                self.happened(other, now);
                Event::Nothing
            }
        }
    }

    /// Bytes came. To be called once for each read, before what they hold is handed in.
    #[inline]
    pub fn touch(&mut self, now: Moment) {
        self.engine.touch(now);
        self.reassembly.touch(now);
        if let Stage::Leaving(_) = self.stage {
            self.leaving_touch(now);
        }
    }

    /// Reading is paused from now on: no silence of the server counts until [`Session::resume`].
    /// While we leave input is always read, and this does nothing.
    pub fn pause(&mut self, now: Moment) {
        if !matches!(self.stage, Stage::Leaving(_)) {
            self.paused.get_or_insert(now);
        }
    }

    /// Reading goes on.
    pub fn resume(&mut self, now: Moment) {
        if let Some(since) = self.paused.take() {
            let pause = now.saturating_sub(since);
            self.engine.shift(pause, now);
            self.reassembly.shift(pause, now);
        }
    }

    /// When [`Session::expire`] is to be called next, unless something moves it before.
    pub fn deadline(&self) -> Option<Moment> {
        self.due().map(|(at, _)| at)
    }

    /// Does what is due; nothing if it is called too early.
    pub fn expire(&mut self, now: Moment) {
        while let Some((at, timer)) = self.due() {
            if at > now {
                return;
            }
            match timer {
                Timer::Attempt => {
                    let limit = self.settings.attempt_timeout;
                    self.attempt_ran_out("\"attempt_timeout_ms\"", limit);
                }
                Timer::Request => {
                    let limit = self.settings.request_timeout;
                    self.attempt_ran_out("\"request_timeout_ms\"", limit);
                }
                Timer::Heartbeat => self.heartbeat_expired(),
                Timer::Attachments => {
                    let what = format!(
                        "nothing came for 30 s of a packet's attachments: {}",
                        self.reassembly.progress()
                    );
                    self.malformed(what, PROTOCOL_ERROR);
                }
                Timer::Leaving => self.leaving_ran_out(now),
            }
        }
    }

    /// The next packet of the session's own to be framed and sent, before any of the program's.
    /// `idle` says that none of the program's waits to be framed: leaving begins only then.
    pub fn transmit(&mut self, idle: bool) -> Option<Transmit> {
        let next = match self.queue.pop_front() {
            None if idle => self.leaving_ping()?,
            next => next?,
        };
        self.leaving_transmits(&next);
        Some(next)
    }

    /// What is to be done with the link next.
    pub fn action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// Notes a call that goes out now and gives it its number.
    pub fn begin_call(&mut self, call: C) -> u64 {
        self.acks.begin(call)
    }

    /// The number that the next call gets, which is a part of its size.
    pub fn next_call(&self) -> u64 {
        self.acks.next()
    }

    /// Takes back a call that no longer waits; `None` if it was answered already. Its answer, if it
    /// still comes, is counted and dropped.
    pub fn cancel_call(&mut self, id: u64) -> Option<C> {
        self.acks.take(id)
    }

    /// Takes back all calls that wait, in the order in which they began: at every end, and when
    /// the program leaves.
    pub fn take_calls(&mut self) -> impl Iterator<Item = (u64, C)> + use<C> {
        self.acks.drain()
    }

    /// How many calls wait.
    pub fn calls_waiting(&self) -> usize {
        self.acks.waiting()
    }

    // Kept out of `handle`, which runs for each event.
    #[inline(never)]
    fn happened(&mut self, input: Input<'_>, now: Moment) {
        if matches!(self.stage, Stage::New | Stage::Closed) {
            return;
        }
        match input {
            Input::Phase(phase) => self.dial_reached(phase, now),
            Input::Open => self.link_opened(),
            Input::Failed(failure) => self.dial_failed(failure),
            Input::Engine(packet) => self.engine_packet(packet, now),
            Input::WebSocketPing(payload) => self.websocket_ping(payload),
            Input::WebSocketPong(payload) => {
                self.reassembly.untouch();
                self.leaving_pong(payload, now);
            }
            Input::WebSocketClose(code, words) => self.websocket_close(code, &words),
            Input::Malformed(what) => self.malformed(what, PROTOCOL_ERROR),
            Input::Eof => self.lose(Loss::new(
                Reason::TransportClose,
                "the server closed the connection",
                Action::Hangup,
            )),
            Input::Lost { text, os_error } => {
                let what = format!("the connection broke: {text}");
                let mut loss = Loss::new(Reason::TransportError, what, Action::Hangup);
                loss.details.os_error = os_error;
                self.lose(loss);
            }
            Input::Drained => self.leaving_drained(now),
            // Both are taken care of where inputs come in.
            Input::Packet { .. } | Input::Binary(_) => {}
        }
    }

    fn due(&self) -> Option<(Moment, Timer)> {
        let own = match &self.stage {
            Stage::New | Stage::Closed => return None,
            Stage::Attempt { step: Step::WebSocket { ends: request }, ends } if request < ends => {
                Some((*request, Timer::Request))
            }
            Stage::Attempt { ends, .. } => Some((*ends, Timer::Attempt)),
            Stage::Connected => None,
            Stage::Leaving(stage) => stage.deadline().map(|at| (at, Timer::Leaving)),
        };
        if self.paused.is_some() {
            return own;
        }
        let heartbeat = self.engine.deadline().map(|at| (at, Timer::Heartbeat));
        let attachments = self.reassembly.deadline().map(|at| (at, Timer::Attachments));
        own.into_iter().chain(heartbeat).chain(attachments).min_by_key(|(at, _)| *at)
    }
}

impl<C> Default for Session<C> {
    fn default() -> Self {
        Session::new()
    }
}

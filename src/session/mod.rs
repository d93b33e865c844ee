//! The whole protocol, as (state, input, now) -> outputs.
//!
//! Owns what one client's connection is and does: the attempts and what follows each, the Engine.IO
//! handshake and its heartbeat, the polls and the way from them to a WebSocket, the namespace,
//! acknowledgements, attachments, taking leave, and every timer of these. Refuses to know clocks,
//! randomness, threads, sockets, and where events and outgoing packets wait: it is told what
//! happened and when, and answers what follows from it.
//!
//! ```text
//!         connect            CONNECT           leave
//!   New ──────────▶ Connecting ────▶ Connected ────▶ Closing
//!                    │      ▲         │    ▲            │
//!                    │      │    loss │    │ CONNECT    │
//!                    │      │         ▼    │            │
//!                    │      │       Reconnecting        │
//!                    │      │ connect   │               │
//!                    ▼      │           ▼               ▼
//!                  Closed ◀─┴─────── every other end, for good
//! ```
//!
//! An attempt goes by `Prepare, Dial` to the transports of the list in turn; between attempts the
//! session waits, and there is no link then. A session by polling is moved to WebSocket while
//! events flow:
//!
//! ```text
//!   Probe ──▶ 2probe ──▶ 3probe ──▶ last poll back ──▶ last POST answered ──▶ Switch, 5
//!     └──────────┴───────────┴─────── fails: ProbeDrop, polls and POSTs go on
//! ```
//!
//! Inputs go into [`Session::handle`]; an event or an answer comes back from it, everything else
//! is asked for afterwards: [`Session::transmit`] what to send, [`Session::action`] what to do with
//! the link, [`Session::report`] what to tell, [`Session::deadline`] when to call
//! [`Session::expire`], [`Session::state`].

#![forbid(unsafe_code)]

mod acks;
mod attempt;
mod ending;
mod engine;
mod leaving;
mod polling;
mod reassembly;
mod reconnect;
mod seam;
mod socket;
#[cfg(test)]
mod tests;
mod texts;
mod time;
mod upgrade;

use std::collections::VecDeque;

pub use seam::{
    Action, Admission, Attachment, Counters, Event, Input, Left, Parcel, Part, Reason,
    Reconnection, Report, Settings, State, Text, Transmit,
};
pub use time::Moment;

use crate::error::Failure;
use crate::transport::Transport;
use acks::Acks;
use attempt::{Attempt, Step};
use engine::Engine;
use leaving::Leaving;
use polling::Polling;
use reassembly::{PROTOCOL_ERROR, Reassembly};
use reconnect::Rounds;
use texts::Loss;
use upgrade::Upgrade;

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
    /// How the link that is there, or is being made, carries packets; `None` without one.
    carrier: Option<Transport>,
    /// Whether a dial was taken by the driver, which then has a link to part from.
    dialed: bool,
    engine: Engine,
    polling: Polling,
    upgrade: Upgrade,
    /// Whether sessions are not probed, because one ended by its probe.
    unprobed: bool,
    rounds: Rounds,
    reassembly: Reassembly,
    acks: Acks<C>,
    queue: VecDeque<Transmit>,
    actions: VecDeque<Action>,
    reports: VecDeque<Report>,
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
    Attempt(Attempt),
    Connected,
    Leaving(Leaving),
    /// The next attempt begins then.
    Waiting {
        until: Moment,
    },
    Closed,
}

/// The timers, of which [`Session::deadline`] tells the next one.
#[derive(Clone, Copy, Debug)]
enum Timer {
    Wait,
    Attempt,
    Request,
    Post,
    Pace,
    Probe,
    Leaving,
    Heartbeat,
    Poll,
    Attachments,
}

impl<C> Session<C> {
    /// A session that was never connected. `seed` makes its delays differ from those of others.
    pub fn new(seed: u64) -> Self {
        Session {
            stage: Stage::New,
            settings: Settings::default(),
            own: String::new(),
            sid: String::new(),
            paused: None,
            carrier: None,
            dialed: false,
            engine: Engine::default(),
            polling: Polling::default(),
            upgrade: Upgrade::default(),
            unprobed: false,
            rounds: Rounds::new(seed),
            reassembly: Reassembly::new(),
            acks: Acks::new(),
            queue: VecDeque::new(),
            actions: VecDeque::new(),
            reports: VecDeque::new(),
            ended: None,
            reason: None,
            left: None,
            counters: Counters::default(),
        }
    }

    /// Begins to connect. An [`Action::Dial`] follows; if the program's function goes first
    /// (`prepare`), an [`Action::Prepare`], and the dial after its outcome. Reading counts as not
    /// paused. The state must be New or Closed, otherwise nothing happens.
    pub fn connect(&mut self, settings: Settings, prepare: bool, now: Moment) {
        if !matches!(self.stage, Stage::New | Stage::Closed) {
            debug_assert!(false, "connect in the state {:?}", self.state());
            return;
        }
        self.paused = None;
        self.ended = None;
        self.reason = None;
        self.left = None;
        self.unprobed = false;
        self.rounds.begin();
        self.take_settings(settings);
        self.begin_attempt(prepare, now);
    }

    /// The state as the program sees it.
    pub fn state(&self) -> State {
        match self.stage {
            Stage::New => State::New,
            Stage::Attempt(_) | Stage::Waiting { .. } if self.rounds.established => {
                State::Reconnecting
            }
            Stage::Attempt(_) | Stage::Waiting { .. } => State::Connecting,
            Stage::Connected => State::Connected,
            Stage::Leaving(_) => State::Closing,
            Stage::Closed => State::Closed,
        }
    }

    /// For a connection that is quiet: gives back what only a busy one needs.
    pub fn rest(&mut self) {
        self.reassembly.rest();
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

    /// What the server announced that each packet, and by polling each POST, must be smaller than.
    pub fn max_payload(&self) -> Option<u64> {
        self.engine.max_payload
    }

    /// How packets travel, in the states Connected and Closing.
    pub fn transport(&self) -> Option<Transport> {
        match self.stage {
            Stage::Connected | Stage::Leaving(_) => self.carrier,
            _ => None,
        }
    }

    /// How they travel on the link that is there or is being made; `None` if there is none.
    pub fn carrier(&self) -> Option<Transport> {
        self.carrier
    }

    /// When the next attempt begins, while it is waited for.
    pub fn next_attempt(&self) -> Option<Moment> {
        match self.stage {
            Stage::Waiting { until } => Some(until),
            _ => None,
        }
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

    /// Why the last connection, or the last attempt at one, ended: in the state Closed, and while
    /// another attempt is made or waited for.
    pub fn ended(&self) -> Option<&Failure> {
        self.ended.as_ref()
    }

    /// The same in one of the words of [`Reason::name`], if the namespace had been connected since
    /// connect.
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

    /// Bytes came, but of the answer to a POST. To be called once for each read, before what they
    /// hold is handed in.
    #[inline]
    pub fn touch(&mut self, now: Moment) {
        self.engine.touch(now);
        self.polling.touch(now);
        self.reassembly.touch(now);
        if let Stage::Leaving(_) = self.stage {
            self.leaving_touch(now);
        }
    }

    /// Reading is paused from now on: no silence of the server counts until [`Session::resume`].
    /// While we leave input is always read, and this does nothing. The answer to a POST is read all
    /// the same, and has its limit.
    pub fn pause(&mut self, now: Moment) {
        if self.carrier.is_some() && !matches!(self.stage, Stage::Leaving(_)) {
            self.paused.get_or_insert(now);
        }
    }

    /// Reading goes on.
    pub fn resume(&mut self, now: Moment) {
        if let Some(since) = self.paused.take() {
            let pause = now.saturating_sub(since);
            self.engine.shift(pause, now);
            self.polling.shift(pause, now);
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
                Timer::Wait => self.begin_attempt(true, now),
                Timer::Attempt => {
                    let limit = self.settings.attempt_timeout;
                    self.attempt_ran_out("\"attempt_timeout_ms\"", limit, now);
                }
                Timer::Request => self.request_ran_out(now),
                Timer::Post => self.post_ran_out(now),
                Timer::Pace => self.start_poll(now),
                Timer::Probe => self.probe_ran_out(now),
                Timer::Leaving => self.leaving_ran_out(now),
                Timer::Heartbeat => self.heartbeat_expired(now),
                Timer::Poll => self.poll_ran_out(now),
                Timer::Attachments => {
                    let what = format!(
                        "nothing came for 30 s of a packet's attachments: {}",
                        self.reassembly.progress()
                    );
                    self.malformed(what, PROTOCOL_ERROR, now);
                }
            }
        }
    }

    /// The next packet of the session's own to be framed and sent, before any of the program's.
    /// `idle` says that none of the program's waits to be framed: leaving begins only then.
    ///
    /// By polling it goes into a POST, and there is one only while [`Session::may_post`]. `idle`
    /// says there too that no POST holds anything of the program's that is not yet answered. After
    /// a `Disconnect` or an `EngineClose` the POST is full; none of them comes while there is
    /// something in it, until [`Session::post_begun`].
    pub fn transmit(&mut self, idle: bool) -> Option<Transmit> {
        if self.carrier == Some(Transport::Polling) {
            return self.transmit_by_post(idle);
        }
        let next = match self.queue.pop_front() {
            None if idle => self.leaving_ping()?,
            next => next?,
        };
        self.leaving_transmits(&next);
        Some(next)
    }

    /// What is to be done with the link next.
    pub fn action(&mut self) -> Option<Action> {
        let action = self.actions.pop_front()?;
        self.dialed |= matches!(action, Action::Dial(_));
        Some(action)
    }

    /// Whether there is a change to be told.
    #[inline]
    pub fn has_report(&self) -> bool {
        !self.reports.is_empty()
    }

    /// The next change to be told.
    pub fn report(&mut self) -> Option<Report> {
        self.reports.pop_front()
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

    /// Takes back all calls that wait, in the order in which they began: at every final end, and
    /// when the program leaves.
    pub fn take_calls(&mut self) -> impl Iterator<Item = (u64, C)> + use<C> {
        self.acks.drain()
    }

    /// The same, without those that go on to wait: `kept` are their numbers, ascending. At a loss
    /// these are the calls of which nothing had gone out and which stay queued.
    pub fn take_calls_but(&mut self, kept: &[u64]) -> impl Iterator<Item = (u64, C)> + use<C> {
        self.acks.drain_but(kept)
    }

    /// How many calls wait.
    pub fn calls_waiting(&self) -> usize {
        self.acks.waiting()
    }

    // Kept out of `handle`, which runs for each event.
    #[inline(never)]
    fn happened(&mut self, input: Input<'_>, now: Moment) {
        if let Input::Prepared(outcome) = input {
            return self.prepared(outcome, now);
        }
        if self.carrier.is_none() {
            return;
        }
        match input {
            Input::Phase(phase) => self.dial_reached(phase, now),
            Input::Open => self.link_opened(),
            Input::Failed(failure) => self.request_failed(failure, now),
            Input::Polled { only_noop } => self.polled(only_noop, now),
            Input::Posted => self.posted(now),
            Input::ProbeOpen => self.probe_opened(now),
            Input::Probe(packet) => self.probe_packet(packet, now),
            Input::ProbeFailed(why) => self.probe_failed(why, now),
            Input::Engine(packet) => self.engine_packet(packet, now),
            Input::WebSocketPing(payload) => self.websocket_ping(payload),
            Input::WebSocketPong(payload) => {
                self.reassembly.untouch();
                self.leaving_pong(payload, now);
            }
            Input::WebSocketClose(code, words) => self.websocket_close(code, &words, now),
            Input::Malformed(what) => self.malformed(what, PROTOCOL_ERROR, now),
            Input::Eof => {
                let what = "the server closed the connection";
                self.lose(Loss::new(Reason::TransportClose, what, Action::Hangup), now);
            }
            Input::Lost { text, os_error } => {
                let what = format!("the connection broke: {text}");
                let mut loss = Loss::new(Reason::TransportError, what, Action::Hangup);
                loss.details.os_error = os_error;
                self.lose(loss, now);
            }
            Input::Drained => self.leaving_drained(now),
            // These are taken care of above and where inputs come in.
            Input::Prepared(_) | Input::Packet { .. } | Input::Binary(_) => {}
        }
    }

    fn due(&self) -> Option<(Moment, Timer)> {
        let stage = match &self.stage {
            Stage::New | Stage::Closed => return None,
            Stage::Waiting { until } => return Some((*until, Timer::Wait)),
            Stage::Attempt(attempt) => Some(attempt.due()),
            Stage::Connected => None,
            Stage::Leaving(stage) => stage.deadline().map(|at| (at, Timer::Leaving)),
        };
        let probe = self.upgrade.deadline().map(|at| (at, Timer::Probe));
        let own = stage.into_iter().chain(self.polling.due()).chain(probe);
        let silence = self.paused.is_none().then(|| {
            let heartbeat = self.engine.deadline().map(|at| (at, Timer::Heartbeat));
            let poll = self.polling.silent_since().zip(self.engine.silence);
            let poll = poll.map(|(since, silence)| (since + silence, Timer::Poll));
            heartbeat
                .into_iter()
                .chain(poll)
                .chain(self.reassembly.deadline().map(|at| (at, Timer::Attachments)))
        });
        own.chain(silence.into_iter().flatten()).min_by_key(|(at, _)| *at)
    }
}

//! A driver, a core and a server that do whatever they are told, and judge the session by it.

use std::collections::HashMap;

use super::*;

/// One thing that happens to a session.
#[derive(Clone, Debug)]
pub(super) enum Step {
    Connect(usize, bool),
    Prepared(usize),
    NotPrepared(Status),
    Phase(usize),
    Open,
    Text(String),
    OwnText(String),
    Binary(usize, bool),
    Ping(usize),
    OwnPong,
    Close(Option<u16>),
    Malformed,
    Eof,
    Lost,
    Failed(Option<u16>),
    Polled(bool),
    Posted,
    PostBegun,
    ProbeOpen,
    Probe(usize),
    ProbeFailed,
    Drained,
    Transmit(bool),
    Call,
    Cancel(usize),
    Leave,
    GiveUp,
    Pause,
    Resume,
    Touch,
    Pass(u64),
}

/// The rig, what it must remember to judge, and the driver's part.
pub(super) struct Judge {
    rig: Rig,
    state: State,
    /// Every call that was begun, and how often it ended.
    pub(super) calls: HashMap<u32, u32>,
    ids: Vec<u64>,
    /// The link that was asked for and not yet parted from.
    link: Option<Transport>,
    shut: bool,
    polling: bool,
    posting: bool,
    /// Something of the session's is in the POST that has not begun.
    filling: bool,
    probe: bool,
}

impl Judge {
    pub(super) fn new() -> Self {
        Judge {
            rig: Rig::new(),
            state: State::New,
            calls: HashMap::new(),
            ids: Vec::new(),
            link: None,
            shut: false,
            polling: false,
            posting: false,
            filling: false,
            probe: false,
        }
    }

    pub(super) fn apply(&mut self, step: Step) {
        let got = match step {
            Step::Phase(index) => self.rig.input(Input::Phase(PHASES[index])),
            Step::Open => self.rig.input(Input::Open),
            Step::Text(text) => self.rig.text(&text),
            Step::OwnText(text) => match text.starts_with('4') && socket::parse(&text[1..]).is_ok()
            {
                true => self.rig.own_text(&text),
                false => self.rig.text(&text),
            },
            Step::Binary(len, true) => self.rig.own_binary(&vec![1; len]),
            Step::Binary(len, false) => self.rig.binary(&vec![2; len]),
            Step::Ping(len) => self.rig.input(Input::WebSocketPing(&vec![3; len])),
            Step::OwnPong => {
                let payload = format!("sio {}", self.rig.session.epoch());
                self.rig.input(Input::WebSocketPong(payload.as_bytes()))
            }
            Step::Close(code) => self.rig.input(Input::WebSocketClose(code, String::new())),
            Step::Malformed => self.rig.input(Input::Malformed("malformed".into())),
            Step::Eof => self.rig.input(Input::Eof),
            Step::Lost => self.rig.input(Input::Lost { text: "lost".into(), os_error: Some(1) }),
            Step::Drained => self.rig.input(Input::Drained),
            other => {
                self.do_other(other);
                Got::Nothing
            }
        };
        match got {
            Got::Nothing => {}
            Got::Message { .. } => {
                assert!(self.link.is_some());
                assert!(!matches!(self.state, State::New | State::Closed));
            }
            Got::Reply { call, .. } => self.end_call(call),
        }
        self.judge();
    }

    fn do_other(&mut self, step: Step) {
        let rig = &mut self.rig;
        match step {
            Step::Connect(kind, prepare) => {
                if matches!(self.state, State::New | State::Closed) {
                    rig.session.connect(settings_of(kind), prepare, rig.now);
                }
            }
            Step::Prepared(kind) => {
                rig.input(Input::Prepared(Ok(Box::new(settings_of(kind)))));
            }
            Step::NotPrepared(status) => {
                rig.input(Input::Prepared(Err(Failure::new(status, "not prepared"))));
            }
            Step::Failed(status) => {
                let mut failure = Failure::new(Status::Unreachable, "unreachable");
                failure.details.http_status = status;
                rig.input(Input::Failed(failure));
            }
            Step::Polled(only_noop) => {
                self.polling = false;
                rig.input(Input::Polled { only_noop });
            }
            Step::Posted => {
                self.posting = false;
                rig.input(Input::Posted);
            }
            Step::PostBegun => {
                if rig.session.may_post() {
                    (self.posting, self.filling) = (true, false);
                    rig.session.post_begun(rig.now);
                }
            }
            Step::ProbeOpen => _ = rig.input(Input::ProbeOpen),
            Step::Probe(index) => rig.probe(PROBES[index]),
            Step::ProbeFailed => _ = rig.input(Input::ProbeFailed("failed".into())),
            Step::Transmit(idle) => self.transmit(idle),
            Step::Call => {
                if matches!(self.state, State::Connected | State::Reconnecting) {
                    let call = self.calls.len() as u32;
                    let id = rig.session.begin_call(call);
                    assert!(self.ids.last().is_none_or(|last| *last < id));
                    self.ids.push(id);
                    self.calls.insert(call, 0);
                }
            }
            Step::Cancel(index) => {
                if let Some(id) = self.ids.get(index)
                    && let Some(call) = rig.session.cancel_call(*id)
                {
                    self.end_call(call);
                }
            }
            Step::Leave => rig.session.leave(rig.now),
            Step::GiveUp => {
                rig.session.give_up(Failure::new(Status::Interrupted, "given up"), rig.now);
            }
            Step::Pause => rig.session.pause(rig.now),
            Step::Resume => rig.session.resume(rig.now),
            Step::Touch => rig.session.touch(rig.now),
            Step::Pass(time) => rig.pass(ms(time)),
            _ => unreachable!(),
        }
    }

    fn transmit(&mut self, idle: bool) {
        let may_post = self.rig.session.may_post();
        let idle = idle && !self.posting;
        let Some(next) = self.rig.session.transmit(idle) else { return };
        assert!(self.link.is_some());
        if self.link == Some(WEBSOCKET) {
            assert!(!matches!(next, Transmit::EngineClose));
            return;
        }
        assert!(may_post);
        match next {
            Transmit::Disconnect(_) | Transmit::EngineClose => {
                assert!(!self.filling);
                assert_eq!(self.rig.session.transmit(idle), None);
                // Core begins such a POST at once.
                self.do_other(Step::PostBegun);
                assert!(self.posting);
            }
            Transmit::EnginePong(_) | Transmit::Connect(_) => self.filling = true,
            other => panic!("{other:?} in a POST"),
        }
    }

    fn end_call(&mut self, call: u32) {
        *self.calls.get_mut(&call).unwrap() += 1;
    }

    fn end_calls(&mut self, kept: &[u64]) {
        let calls: Vec<(u64, u32)> = self.rig.session.take_calls_but(kept).collect();
        for (_, call) in calls {
            self.end_call(call);
        }
    }

    fn judge(&mut self) {
        let state = self.rig.session.state();
        self.judge_edge(state);
        self.judge_actions();
        let mut last = None;
        for report in self.rig.reports() {
            if let Report::Ended { next, connected, reason, .. } = &report {
                assert!(!connected || reason.is_some());
                let kept: Vec<u64> = match next {
                    Some(_) => self.ids.iter().copied().filter(|id| id % 2 > 0).collect(),
                    None => Vec::new(),
                };
                if *connected || next.is_none() {
                    self.end_calls(&kept);
                }
                assert!(next.is_some() || state == State::Closed || self.state == State::Closed);
            }
            last = Some(report);
        }
        if state != self.state {
            match (state, &last) {
                (State::Closed, Some(Report::Ended { next: None, .. }))
                | (State::Reconnecting, Some(Report::Ended { next: Some(_), .. }))
                | (State::New | State::Connecting | State::Closing | State::Connected, _) => {}
                other => panic!("{other:?}"),
            }
        }
        if state == State::Closing {
            self.end_calls(&[]);
        }
        self.state = state;
        self.judge_view();
    }

    fn judge_actions(&mut self) {
        for action in self.rig.actions() {
            match action {
                Action::Prepare => assert_eq!(self.link, None),
                Action::Dial(transport) => {
                    self.link = Some(transport);
                    self.polling = transport == POLLING;
                    (self.shut, self.posting, self.filling, self.probe) = Default::default();
                }
                Action::Poll => {
                    assert!(self.link == Some(POLLING) && !self.polling);
                    self.polling = true;
                }
                Action::Probe => {
                    assert!(self.link == Some(POLLING) && !self.probe);
                    self.probe = true;
                }
                Action::ProbePing => assert!(self.probe),
                Action::ProbeDrop | Action::ProbeForget => assert!(std::mem::take(&mut self.probe)),
                Action::Switch => {
                    assert!(!self.polling && !self.posting);
                    assert!(std::mem::take(&mut self.probe));
                    self.link = Some(WEBSOCKET);
                    assert_eq!(self.rig.session.transmit(false), Some(Transmit::Upgrade));
                }
                Action::ShutdownWrite => {
                    assert!(self.link == Some(WEBSOCKET) && !self.shut);
                    self.shut = true;
                }
                Action::Farewell { .. } | Action::Hangup => {
                    assert!(self.link.is_some());
                    self.link = None;
                    self.probe = false;
                }
            }
        }
    }

    /// What can be seen of the session agrees with itself.
    fn judge_view(&self) {
        let (session, state) = (&self.rig.session, self.state);
        assert_eq!(session.carrier(), self.link);
        let connected = matches!(state, State::Connected | State::Closing);
        assert_eq!(session.transport(), self.link.filter(|_| connected));
        assert_eq!(session.sid().is_empty(), !connected);
        assert_eq!(matches!(session.admit(), Admission::Ready), state == State::Connected);
        match state {
            State::Closed | State::Reconnecting => assert!(session.ended().is_some()),
            State::New | State::Connected | State::Closing => assert_eq!(session.ended(), None),
            State::Connecting => {}
        }
        if matches!(state, State::New | State::Closed) {
            assert_eq!(session.deadline(), None);
            assert_eq!(self.link, None);
        }
        if let Some(until) = session.next_attempt() {
            assert!(matches!(state, State::Connecting | State::Reconnecting));
            assert_eq!((self.link, session.deadline()), (None, Some(until)));
        }
        assert!(!session.may_post() || (self.link == Some(POLLING) && !session.is_posting()));
        if self.link == Some(POLLING) {
            assert_eq!(session.is_posting(), self.posting);
        } else {
            assert!(!session.is_posting());
        }
        if !matches!(state, State::Connected | State::Reconnecting) {
            assert_eq!(session.calls_waiting(), 0);
        }
    }

    fn judge_edge(&self, state: State) {
        use State::{Closed, Closing, Connected, Connecting, New, Reconnecting};
        let allowed = match self.state {
            New => [New, Connecting].contains(&state),
            Connecting => [Connecting, Connected, Closed].contains(&state),
            Connected => [Connected, Closing, Closed, Reconnecting].contains(&state),
            Reconnecting => [Reconnecting, Connected, Closed].contains(&state),
            Closing => [Closing, Closed].contains(&state),
            Closed => [Closed, Connecting].contains(&state),
        };
        assert!(allowed, "{:?} -> {state:?}", self.state);
    }
}

/// Settings of all kinds; the first of each `NAMES` is for the main namespace.
fn settings_of(kind: usize) -> Settings {
    let lists: [&[Transport]; 4] =
        [&[WEBSOCKET], &[POLLING, WEBSOCKET], &[WEBSOCKET, POLLING], &[POLLING]];
    let (name, list, again) = (kind % NAMES, kind / NAMES % 4, kind / NAMES / 4);
    let enabled = again & 1 > 0;
    let attempts = if again & 2 > 0 { 0 } else { 2 };
    Settings {
        namespace: ["", "/a", "/a?q"][name].to_owned(),
        transports: lists[list].to_vec(),
        max_attachments: 100,
        max_message_bytes: 100,
        reconnection: Reconnection { enabled, attempts, ..Reconnection::default() },
        retry_connect: again & 2 > 0,
        retry_refused: again & 1 > 0,
        ..settings()
    }
}

pub(super) const NAMES: usize = 3;

pub(super) const KINDS: usize = NAMES * 4 * 4;

pub(super) const PROBES: [&str; 5] = ["3probe", "3probe", "3", "6", "42[\"a\"]"];

pub(super) const PHASES: [Phase; 7] = [
    Phase::Resolve,
    Phase::Connect,
    Phase::Tls,
    Phase::Http,
    Phase::Handshake,
    Phase::Namespace,
    Phase::Session,
];

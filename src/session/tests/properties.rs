//! Whatever comes in whatever order: no panic, only the allowed edges between states, every call
//! ends exactly once, and every action makes sense for the link there is.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

/// One thing that happens to a session.
#[derive(Clone, Debug)]
enum Step {
    Connect(usize),
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
    Failed,
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

const TEXTS: [&str; 34] = [
    OPEN,
    r#"0{"sid":"a","pingInterval":1000,"pingTimeout":1,"maxPayload":10}"#,
    "0{}",
    "1",
    "2",
    "2probe",
    "3",
    "5",
    "6",
    "9",
    "",
    "40{\"sid\":\"s\"}",
    "40{\"sid\":\"s\"}",
    "40",
    "40/a,{\"sid\":\"s\"}",
    "41",
    "41/a,{\"message\":\"m\"}",
    "42[\"e\",1]",
    "42[\"e\",1]",
    "421[\"e\"]",
    "42/a,[\"e\"]",
    "42[",
    "430[1]",
    "431[]",
    "43/a,2[]",
    "44",
    "44{\"message\":\"m\",\"data\":1}",
    "44/a,\"t\"",
    "450-[\"b\"]",
    "451-[\"b\",{\"_placeholder\":true,\"num\":0}]",
    "452-[\"b\"]",
    "452-/a,3[\"b\"]",
    "461-0[]",
    "459999-[\"b\"]",
];

const PHASES: [Phase; 6] = [
    Phase::Resolve,
    Phase::Connect,
    Phase::Http,
    Phase::Handshake,
    Phase::Namespace,
    Phase::Session,
];

fn step() -> impl Strategy<Value = Step> {
    let text = prop_oneof![
        8 => (0..TEXTS.len()).prop_map(|index| TEXTS[index].to_owned()),
        1 => (0..30u64).prop_map(|id| format!("43{id}[]")),
        1 => "[0-9]{0,3}[-/a,\\[\\]\"{}0-9]{0,8}",
    ];
    prop_oneof![
        4 => (0..3usize).prop_map(Step::Connect),
        2 => (0..PHASES.len()).prop_map(Step::Phase),
        3 => Just(Step::Open),
        20 => text.clone().prop_map(Step::Text),
        2 => text.prop_map(Step::OwnText),
        5 => (0..40usize, any::<bool>()).prop_map(|(len, own)| Step::Binary(len, own)),
        1 => (0..10usize).prop_map(Step::Ping),
        2 => Just(Step::OwnPong),
        1 => proptest::option::of(1000..1012u16).prop_map(Step::Close),
        1 => Just(Step::Malformed),
        1 => Just(Step::Eof),
        1 => Just(Step::Lost),
        1 => Just(Step::Failed),
        4 => Just(Step::Drained),
        6 => any::<bool>().prop_map(Step::Transmit),
        4 => Just(Step::Call),
        2 => (0..40usize).prop_map(Step::Cancel),
        2 => Just(Step::Leave),
        1 => Just(Step::GiveUp),
        1 => Just(Step::Pause),
        1 => Just(Step::Resume),
        2 => Just(Step::Touch),
        4 => prop_oneof![0..50u64, 900..1_100u64, 4_000..60_000u64].prop_map(Step::Pass),
    ]
}

/// A conversation that gets somewhere: the usual beginning, then anything.
fn conversation() -> impl Strategy<Value = Vec<Step>> {
    let beginning = [
        Step::Connect(0),
        Step::Phase(3),
        Step::Open,
        Step::Text(OPEN.into()),
        Step::Transmit(true),
        Step::Text("40{\"sid\":\"s\"}".into()),
        Step::Call,
        Step::Leave,
    ];
    (0..=beginning.len(), proptest::collection::vec(step(), 0..80)).prop_map(
        move |(known, mut anything)| {
            let mut steps = beginning[..known].to_vec();
            steps.append(&mut anything);
            steps
        },
    )
}

/// The rig, and what it must remember to judge.
struct Judge {
    rig: Rig,
    state: State,
    /// Every call that was begun, and how often it ended.
    calls: HashMap<u32, u32>,
    ids: Vec<u64>,
    /// Whether a dial was asked for and no end of its link yet.
    link: bool,
    shut: bool,
}

impl Judge {
    fn new() -> Self {
        Judge {
            rig: Rig::new(),
            state: State::New,
            calls: HashMap::new(),
            ids: Vec::new(),
            link: false,
            shut: false,
        }
    }

    fn apply(&mut self, step: Step) {
        let rig = &mut self.rig;
        let got = match step {
            Step::Connect(kind) => {
                if !matches!(self.state, State::New | State::Closed) {
                    return;
                }
                let namespace = ["", "/a", "/a?q"][kind].to_owned();
                let limits = Settings {
                    namespace,
                    max_attachments: 100,
                    max_message_bytes: 100,
                    ..settings()
                };
                rig.session.connect(limits, rig.now);
                Got::Nothing
            }
            Step::Phase(index) => rig.input(Input::Phase(PHASES[index])),
            Step::Open => rig.input(Input::Open),
            Step::Text(text) => rig.text(&text),
            Step::OwnText(text) => match text.starts_with('4') && socket::parse(&text[1..]).is_ok()
            {
                true => rig.own_text(&text),
                false => rig.text(&text),
            },
            Step::Binary(len, true) => rig.own_binary(&vec![1; len]),
            Step::Binary(len, false) => rig.binary(&vec![2; len]),
            Step::Ping(len) => rig.input(Input::WebSocketPing(&vec![3; len])),
            Step::OwnPong => {
                let payload = format!("sio {}", rig.session.epoch());
                rig.input(Input::WebSocketPong(payload.as_bytes()))
            }
            Step::Close(code) => rig.input(Input::WebSocketClose(code, String::new())),
            Step::Malformed => rig.input(Input::Malformed("malformed".into())),
            Step::Eof => rig.input(Input::Eof),
            Step::Lost => rig.input(Input::Lost { text: "lost".into(), os_error: Some(1) }),
            Step::Failed => {
                rig.input(Input::Failed(Failure::new(Status::Unreachable, "unreachable")))
            }
            Step::Drained => rig.input(Input::Drained),
            Step::Transmit(idle) => {
                rig.session.transmit(idle);
                Got::Nothing
            }
            Step::Call => {
                if self.state == State::Connected {
                    let call = self.calls.len() as u32;
                    let id = rig.session.begin_call(call);
                    assert!(self.ids.last().is_none_or(|last| *last < id));
                    self.ids.push(id);
                    self.calls.insert(call, 0);
                }
                Got::Nothing
            }
            Step::Cancel(index) => {
                if let Some(id) = self.ids.get(index)
                    && let Some(call) = rig.session.cancel_call(*id)
                {
                    self.end_call(call);
                }
                Got::Nothing
            }
            Step::Leave => {
                rig.session.leave(rig.now);
                Got::Nothing
            }
            Step::GiveUp => {
                rig.session.give_up(Failure::new(Status::Interrupted, "given up"), rig.now);
                Got::Nothing
            }
            Step::Pause => {
                rig.session.pause(rig.now);
                Got::Nothing
            }
            Step::Resume => {
                rig.session.resume(rig.now);
                Got::Nothing
            }
            Step::Touch => {
                rig.session.touch(rig.now);
                Got::Nothing
            }
            Step::Pass(time) => {
                rig.pass(ms(time));
                Got::Nothing
            }
        };
        match got {
            Got::Nothing => {}
            Got::Message { .. } => {
                assert!(!matches!(self.state, State::New | State::Closed));
            }
            Got::Reply { call, .. } => self.end_call(call),
        }
        self.judge();
    }

    fn end_call(&mut self, call: u32) {
        *self.calls.get_mut(&call).unwrap() += 1;
    }

    fn judge(&mut self) {
        let state = self.rig.session.state();
        self.judge_edge(state);
        for action in self.rig.actions() {
            match action {
                Action::Dial => {
                    assert!(!self.link);
                    (self.link, self.shut) = (true, false);
                }
                Action::ShutdownWrite => {
                    assert!(self.link && !self.shut);
                    self.shut = true;
                }
                Action::Farewell { .. } | Action::Hangup => {
                    assert!(self.link);
                    self.link = false;
                }
            }
        }
        let at_rest = matches!(state, State::New | State::Closed);
        assert_eq!(self.link, !at_rest);
        assert_eq!(self.rig.session.ended().is_some(), state == State::Closed);
        let admitted = matches!(self.rig.session.admit(), Admission::Ready);
        assert_eq!(admitted, state == State::Connected);
        assert_eq!(
            self.rig.session.sid().is_empty(),
            !matches!(state, State::Connected | State::Closing)
        );
        if at_rest {
            assert_eq!(self.rig.session.deadline(), None);
        }
        if state != self.state && matches!(state, State::Closing | State::Closed) {
            let calls: Vec<(u64, u32)> = self.rig.session.take_calls().collect();
            for (_, call) in calls {
                self.end_call(call);
            }
        }
        if state != State::Connected {
            assert_eq!(self.rig.session.calls_waiting(), 0);
        }
        self.state = state;
    }

    fn judge_edge(&self, state: State) {
        use State::{Closed, Closing, Connected, Connecting, New};
        let allowed = match self.state {
            New => [New, Connecting].contains(&state),
            Connecting => [Connecting, Connected, Closed].contains(&state),
            Connected => [Connected, Closing, Closed].contains(&state),
            Closing => [Closing, Closed].contains(&state),
            Closed => [Closed, Connecting].contains(&state),
        };
        assert!(allowed, "{:?} -> {state:?}", self.state);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(3_000) })]

    #[test]
    fn any_sequence_of_inputs_keeps_every_rule(steps in conversation()) {
        let mut judge = Judge::new();
        for step in steps {
            judge.apply(step);
        }
        judge.apply(Step::GiveUp);
        prop_assert!(judge.calls.values().all(|ended| *ended == 1));
    }
}

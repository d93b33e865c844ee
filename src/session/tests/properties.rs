//! Whatever comes in whatever order: no panic, only the allowed edges between states, every call
//! ends exactly once, and every action makes sense for the link there is.

use proptest::prelude::*;

use super::judge::{Judge, KINDS, NAMES, PHASES, PROBES, Step};
use super::*;

const TEXTS: [&str; 36] = [
    OPEN,
    OPEN_UPGRADE,
    OPEN_UPGRADE,
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

fn step() -> impl Strategy<Value = Step> {
    let text = prop_oneof![
        8 => (0..TEXTS.len()).prop_map(|index| TEXTS[index].to_owned()),
        1 => (0..30u64).prop_map(|id| format!("43{id}[]")),
        1 => "[0-9]{0,3}[-/a,\\[\\]\"{}0-9]{0,8}",
    ];
    prop_oneof![
        4 => (0..KINDS, any::<bool>()).prop_map(|(kind, first)| Step::Connect(kind, first)),
        8 => (0..KINDS).prop_map(Step::Prepared),
        1 => prop_oneof![Just(Status::Invalid), Just(Status::Unreachable)]
            .prop_map(Step::NotPrepared),
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
        2 => proptest::option::of(400..404u16).prop_map(Step::Failed),
        8 => any::<bool>().prop_map(Step::Polled),
        8 => Just(Step::Posted),
        6 => Just(Step::PostBegun),
        3 => Just(Step::ProbeOpen),
        4 => (0..PROBES.len()).prop_map(Step::Probe),
        1 => Just(Step::ProbeFailed),
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

/// A conversation that gets somewhere: a usual beginning, then anything.
fn conversation() -> impl Strategy<Value = Vec<Step>> {
    let websocket = |kind| {
        vec![
            Step::Connect(kind, false),
            Step::Phase(4),
            Step::Open,
            Step::Text(OPEN.into()),
            Step::Transmit(true),
            Step::Text("40{\"sid\":\"s\"}".into()),
            Step::Call,
            Step::Leave,
        ]
    };
    let polling = |kind| {
        vec![
            Step::Connect(kind, true),
            Step::Prepared(kind),
            Step::Phase(3),
            Step::Text(OPEN_UPGRADE.into()),
            Step::Transmit(true),
            Step::PostBegun,
            Step::Polled(false),
            Step::Text("40{\"sid\":\"s\"}".into()),
            Step::Polled(false),
            Step::ProbeOpen,
            Step::Probe(0),
            Step::Posted,
            Step::Call,
            Step::Polled(true),
            Step::Transmit(true),
        ]
    };
    let again = |kind| {
        vec![
            Step::Connect(kind, false),
            Step::Open,
            Step::Text(OPEN.into()),
            Step::Text("40{\"sid\":\"s\"}".into()),
            Step::Call,
            Step::Eof,
            Step::Pass(5_000),
            Step::Prepared(kind),
            Step::Call,
            Step::Failed(None),
            Step::Pass(5_000),
            Step::Prepared(kind),
            Step::Phase(4),
            Step::Open,
            Step::Text(OPEN_UPGRADE.into()),
            Step::Text("40{\"sid\":\"t\"}".into()),
        ]
    };
    let beginning = prop_oneof![
        (0..KINDS).prop_map(move |kind| websocket(kind / NAMES * NAMES)),
        (0..KINDS).prop_map(move |kind| polling(kind / NAMES * NAMES)),
        (0..KINDS).prop_map(move |kind| again(kind / NAMES * NAMES)),
    ];
    (beginning, any::<proptest::sample::Index>(), proptest::collection::vec(step(), 0..80))
        .prop_map(|(mut steps, known, mut anything)| {
            steps.truncate(known.index(steps.len() + 1));
            steps.append(&mut anything);
            steps
        })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(6_000) })]

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

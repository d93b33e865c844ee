//! The program's function before an attempt, and the options that an attempt reads.

use super::*;

fn preparing(settings: Settings) -> Rig {
    let mut rig = Rig::new();
    rig.session.connect(settings, true, rig.now);
    assert_eq!(rig.actions(), [Action::Prepare]);
    assert_eq!(rig.session.state(), State::Connecting);
    assert_eq!(rig.session.carrier(), None);
    rig
}

fn prepared(rig: &mut Rig, settings: Settings) {
    rig.input(Input::Prepared(Ok(Box::new(settings))));
}

#[test]
fn the_function_goes_first_and_what_it_sets_counts() {
    let mut rig = preparing(settings());
    // There is no link yet that anything could come by.
    rig.text(OPEN);
    rig.input(Input::Eof);
    rig.input(Input::Open);
    rig.input(Input::Phase(Phase::Connect));
    assert_eq!(rig.actions(), []);
    assert!(!rig.session.may_post());
    rig.pass(ms(3_000));
    let namespace = String::from("/late?token=1");
    prepared(&mut rig, Settings { namespace, auth: Some("{}".into()), ..both() });
    assert_eq!(rig.actions(), [Action::Dial(POLLING)]);
    assert_eq!(rig.session.namespace(), "/late?token=1");
    rig.input(Input::Phase(Phase::Http));
    rig.text(OPEN);
    assert_eq!(rig.post(), [Transmit::Connect(b"0/late?token=1,{}".to_vec())]);
    rig.text("40/late,{\"sid\":\"x\"}");
    assert_eq!(rig.session.state(), State::Connected);
    assert_eq!(rig.text("42/late,[\"a\"]"), event("a", "[]"));
    assert_eq!(rig.session.counters.attempts, 1);
}

#[test]
fn the_function_is_within_the_limit_of_the_attempt() {
    let mut rig = preparing(settings());
    rig.pass(ms(19_999));
    assert_eq!(rig.session.state(), State::Connecting);
    rig.pass(ms(1));
    assert_eq!(rig.actions(), []);
    let failure = rig.session.ended().unwrap();
    assert_eq!((failure.status, failure.details.phase), (Status::Timeout, Some(Phase::Prepare)));
    says(failure, &["attempt_timeout_ms", "the program's prepare function"]);
    // Its outcome comes too late.
    prepared(&mut rig, settings());
    assert_eq!(rig.session.state(), State::Closed);

    // A new limit counts from the beginning of the attempt.
    let mut rig = preparing(settings());
    let begun = rig.now;
    rig.pass(ms(5_000));
    prepared(&mut rig, Settings { attempt_timeout: ms(7_000), ..settings() });
    assert_eq!(rig.session.deadline(), Some(begun + ms(7_000)));
    let mut rig = preparing(settings());
    rig.pass(ms(5_000));
    prepared(&mut rig, Settings { attempt_timeout: ms(4_000), ..settings() });
    rig.actions();
    rig.pass(ms(0));
    rig.ended(Status::Timeout, None, Action::Hangup);
}

#[test]
fn a_function_that_fails_is_a_failed_attempt() {
    let mut rig = preparing(settings());
    let no = Failure::new(Status::Unreachable, format!("prepare for {TARGET} returned 7"));
    rig.input(Input::Prepared(Err(no.clone())));
    let failure = rig.session.ended().unwrap();
    assert_eq!((failure.status, &failure.text), (no.status, &no.text));
    assert_eq!(failure.details.phase, Some(Phase::Prepare));
    assert_eq!(rig.session.state(), State::Closed);
    assert_eq!(rig.actions(), []);
}

#[test]
fn leaving_and_giving_up_do_not_wait_for_the_function() {
    let mut rig = preparing(settings());
    rig.session.leave(rig.now);
    assert_eq!(rig.session.state(), State::Closed);
    says(rig.session.ended().unwrap(), &["disconnected while waiting for the program's prepare"]);
    let mut rig = preparing(settings());
    rig.session.give_up(Failure::new(Status::Interrupted, "now"), rig.now);
    assert_eq!(rig.session.state(), State::Closed);
    assert_eq!(rig.session.ended().unwrap().details.phase, Some(Phase::Prepare));
    prepared(&mut rig, settings());
    assert_eq!(rig.actions(), []);
    // One that was not taken is forgotten.
    rig.session.connect(settings(), true, rig.now);
    rig.session.leave(rig.now);
    assert_eq!(rig.actions(), []);
}

#[test]
fn an_outcome_nobody_asked_for_changes_nothing() {
    for mut rig in [Rig::new(), Rig::dialing(settings()), Rig::connected(), Rig::polling()] {
        let state = rig.session.state();
        prepared(&mut rig, Settings { namespace: "/other".into(), ..settings() });
        rig.input(Input::Prepared(Err(Failure::new(Status::Invalid, "x"))));
        assert_eq!((rig.session.state(), rig.session.namespace()), (state, "/"));
        assert_eq!(rig.actions(), []);
    }
}

#[test]
fn every_later_attempt_reads_the_options_anew() {
    let mut rig = Rig::connected_with(Settings { reconnection: always(), ..settings() });
    for round in 0..3 {
        rig.input(Input::Eof);
        let (_, delay) = rig.waits(State::Reconnecting, Some(Action::Hangup));
        rig.pass(delay);
        assert_eq!(rig.actions(), [Action::Prepare]);
        let namespace = format!("/{round}");
        prepared(&mut rig, Settings { namespace, reconnection: always(), ..settings() });
        assert_eq!(rig.actions(), [Action::Dial(WEBSOCKET)]);
        rig.input(Input::Open);
        rig.text(OPEN);
        assert_eq!(rig.sent(), [Transmit::Connect(format!("0/{round},").into_bytes())]);
        rig.text(&format!("40/{round},{{\"sid\":\"again\"}}"));
        assert_eq!(rig.session.state(), State::Connected);
    }
}

fn always() -> Reconnection {
    Reconnection::default()
}

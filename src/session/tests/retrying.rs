//! A first connection that is tried again.

use super::*;

fn patient() -> Settings {
    let reconnection = Reconnection { enabled: false, jitter: 0, ..Reconnection::default() };
    Settings { retry_connect: true, reconnection, ..settings() }
}

fn fail(rig: &mut Rig) {
    rig.input(Input::Failed(
        Failure::new(Status::Unreachable, format!("{TARGET}: refused")).in_phase(Phase::Connect),
    ));
}

fn attempt(rig: &mut Rig, settings: Settings) {
    let until = rig.session.next_attempt().unwrap();
    rig.pass(until.saturating_sub(rig.now));
    assert_eq!(rig.actions(), [Action::Prepare]);
    rig.input(Input::Prepared(Ok(Box::new(settings))));
    assert_eq!(rig.actions().len(), 1);
}

#[test]
fn the_first_failure_ends_a_connect_that_is_not_patient() {
    let mut rig = Rig::dialing(Settings { retry_connect: false, ..patient() });
    fail(&mut rig);
    let failure = rig.ended(Status::Unreachable, None, Action::Hangup);
    let report = Report::Ended { failure, reason: None, next: None, connected: false };
    assert_eq!(rig.reports(), [report]);
}

#[test]
fn a_patient_connect_goes_on_with_the_delays_of_a_reconnection() {
    let mut rig = Rig::dialing(patient());
    for (number, expected) in (1..).zip([1_000, 2_000, 4_000, 5_000, 5_000]) {
        fail(&mut rig);
        assert_eq!(rig.session.reason(), None);
        let (failure, delay) = rig.waits(State::Connecting, Some(Action::Hangup));
        assert_eq!((failure.details.attempt, delay), (Some(number), ms(expected)));
        let failure = rig.session.timeout("its timeout", ms(9));
        let words = format!("before attempt {}; attempt {number} had failed: ", number + 1);
        says(&failure, &["connecting to", &words]);
        assert_eq!(failure.status, Status::Timeout);
        attempt(&mut rig, patient());
        assert_eq!(rig.session.state(), State::Connecting);
    }
    rig.input(Input::Open);
    rig.text(OPEN);
    rig.text("40{\"sid\":\"x\"}");
    assert_eq!(rig.reports(), [Report::Connected { attempts: 6 }]);
    assert_eq!(rig.session.ended(), None);
    // That it is lost later is another matter.
    rig.input(Input::Eof);
    assert_eq!(rig.session.state(), State::Closed);
    assert_eq!(rig.session.reason(), Some(Reason::TransportClose));
}

#[test]
fn so_many_further_attempts_follow_the_first() {
    let mut limited = patient();
    limited.reconnection.attempts = 2;
    let mut rig = Rig::dialing(limited.clone());
    for _ in 0..2 {
        fail(&mut rig);
        rig.waits(State::Connecting, Some(Action::Hangup));
        attempt(&mut rig, limited.clone());
    }
    fail(&mut rig);
    let failure = rig.ended(Status::Unreachable, None, Action::Hangup);
    says(&failure, &["refused; that was the last attempt that \"reconnect_attempts\" allows"]);
    assert_eq!(failure.details.attempt, Some(3));
    // The next connect begins anew.
    rig.session.connect(limited, false, rig.now);
    rig.actions();
    rig.reports();
    fail(&mut rig);
    let (failure, delay) = rig.waits(State::Connecting, Some(Action::Hangup));
    assert_eq!((failure.details.attempt, delay), (Some(1), ms(1_000)));
}

#[test]
fn what_is_wrong_or_refused_is_not_tried_again() {
    for status in [Status::Invalid, Status::Unsupported] {
        let mut rig = Rig::dialing(patient());
        rig.input(Input::Failed(Failure::new(status, TARGET)));
        rig.ended(status, None, Action::Hangup);
    }
    for retry_refused in [false, true] {
        let mut rig = Rig::asking(Settings { retry_refused, ..patient() });
        rig.text("44\"no\"");
        let farewell = Action::Farewell { code: 1000 };
        if retry_refused {
            rig.waits(State::Connecting, Some(farewell));
        } else {
            rig.ended(Status::Refused, None, farewell);
        }
    }
}

#[test]
fn disconnecting_and_giving_up_end_the_wait() {
    let mut rig = Rig::dialing(patient());
    fail(&mut rig);
    rig.waits(State::Connecting, Some(Action::Hangup));
    rig.session.leave(rig.now);
    assert_eq!((rig.session.state(), rig.session.reason()), (State::Closed, None));
    says(rig.session.ended().unwrap(), &["disconnected while waiting before attempt 2"]);
    assert_eq!(rig.actions(), []);

    let mut rig = Rig::dialing(patient());
    fail(&mut rig);
    rig.waits(State::Connecting, Some(Action::Hangup));
    let timeout = rig.session.timeout("its timeout", ms(100));
    rig.session.give_up(timeout, rig.now);
    let failure = rig.session.ended().unwrap();
    assert_eq!(rig.session.state(), State::Closed);
    assert_eq!((failure.status, failure.details.phase), (Status::Timeout, Some(Phase::Connect)));
    says(failure, &["attempt 1 had failed: ", "refused"]);
}

#[test]
fn calls_are_kept_or_taken_over_a_loss() {
    let mut settings = patient();
    settings.reconnection.enabled = true;
    let mut rig = Rig::connected_with(settings);
    let ids: Vec<u64> = (0..6).map(|call| rig.session.begin_call(call)).collect();
    rig.text(&format!("43{}[]", ids[2]));
    rig.input(Input::Eof);
    let kept = [ids[1], ids[2], ids[4], 99];
    let ended: Vec<_> = rig.session.take_calls_but(&kept).collect();
    assert_eq!(ended, [(ids[0], 0), (ids[3], 3), (ids[5], 5)]);
    assert_eq!(rig.session.calls_waiting(), 2);
    assert_eq!(rig.session.next_call(), 6);
    let later = rig.session.begin_call(6);
    assert_eq!(rig.session.cancel_call(ids[1]), Some(1));
    assert_eq!(rig.session.take_calls_but(&[later]).collect::<Vec<_>>(), [(ids[4], 4)]);
    assert_eq!(rig.session.take_calls().collect::<Vec<_>>(), [(later, 6)]);
    assert_eq!(rig.session.next_call(), 7);
}

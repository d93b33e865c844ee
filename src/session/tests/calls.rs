//! Calls and their acknowledgements, and what may be sent.

use super::*;

#[test]
fn an_acknowledgement_ends_its_call() {
    let mut rig = Rig::connected();
    let first = rig.session.begin_call(10);
    let second = rig.session.begin_call(11);
    assert_eq!((first, second), (0, 1));
    assert_eq!(rig.session.calls_waiting(), 2);
    assert_eq!(rig.text("431[\"b\", 2]"), reply(11, "[\"b\", 2]", &[]));
    assert_eq!(rig.own_text("430[]"), reply(10, "[]", &[]));
    assert_eq!(rig.session.calls_waiting(), 0);
    assert_eq!(rig.session.counters.late_acks, 0);
}

#[test]
fn a_binary_acknowledgement_ends_its_call_when_it_is_whole() {
    let mut rig = Rig::connected();
    let id = rig.session.begin_call(1);
    let args = r#"[{"_placeholder":true,"num":0}]"#;
    assert_eq!(rig.text(&format!("462-{id}{args}")), Got::Nothing);
    assert_eq!(rig.binary(b"x"), Got::Nothing);
    assert_eq!(rig.session.calls_waiting(), 1);
    assert_eq!(rig.own_binary(b"y"), reply(1, args, &[b"x", b"y"]));
}

#[test]
fn late_unknown_and_duplicate_acknowledgements_are_counted_and_dropped() {
    let mut rig = Rig::connected();
    let id = rig.session.begin_call(1);
    rig.text(&format!("43{id}[]"));
    assert_eq!(rig.text(&format!("43{id}[]")), Got::Nothing);
    assert_eq!(rig.text("4399[]"), Got::Nothing);
    assert_eq!(rig.text(&format!("43{}[]", u64::MAX)), Got::Nothing);
    let late = rig.session.begin_call(2);
    assert_eq!(rig.session.cancel_call(late), Some(2));
    assert_eq!(rig.session.cancel_call(late), None);
    assert_eq!(rig.text(&format!("43{late}[]")), Got::Nothing);
    assert_eq!(rig.text(&format!("461-{late}[]")), Got::Nothing);
    assert_eq!(rig.binary(b"x"), Got::Nothing);
    assert_eq!(rig.session.counters.late_acks, 5);
    assert_eq!(rig.session.state(), State::Connected);
}

#[test]
fn a_call_cancelled_amid_its_binary_answer_is_not_answered() {
    let mut rig = Rig::connected();
    let id = rig.session.begin_call(1);
    rig.text(&format!("461-{id}[]"));
    assert_eq!(rig.session.cancel_call(id), Some(1));
    assert_eq!(rig.binary(b"x"), Got::Nothing);
    assert_eq!(rig.session.counters.late_acks, 1);
    assert_eq!(rig.text("42[\"a\"]"), event("a", "[]"));
}

#[test]
fn acknowledgements_for_other_namespaces_answer_nothing() {
    let mut rig = Rig::connected();
    let id = rig.session.begin_call(1);
    assert_eq!(rig.text(&format!("43/b,{id}[]")), Got::Nothing);
    assert_eq!(rig.session.calls_waiting(), 1);
    assert_eq!(rig.session.counters.late_acks, 0);
}

#[test]
fn numbers_of_calls_are_not_used_again_in_a_later_connection() {
    let mut rig = Rig::connected();
    let old = rig.session.begin_call(1);
    let answered = rig.session.begin_call(2);
    rig.text(&format!("43{answered}[]"));
    rig.input(Input::Eof);
    assert_eq!(rig.session.take_calls().collect::<Vec<_>>(), [(old, 1)]);
    assert_eq!(rig.session.calls_waiting(), 0);
    rig.actions();
    rig.session.connect(settings(), false, rig.now);
    rig.input(Input::Open);
    rig.text(OPEN);
    rig.text("40{\"sid\":\"second\"}");
    assert_eq!(rig.session.sid(), "second");
    assert_eq!(rig.session.epoch(), 2);
    let new = rig.session.begin_call(3);
    assert_eq!(new, 2);
    assert_eq!(rig.text(&format!("43{old}[]")), Got::Nothing);
    assert_eq!(rig.session.counters.late_acks, 1);
    assert_eq!(rig.text(&format!("43{new}[1]")), reply(3, "[1]", &[]));
}

#[test]
fn packets_must_be_smaller_than_the_servers_limit() {
    let rig = Rig::connected();
    let check =
        |text, buffers: &[usize]| rig.session.check_size(text, &mut buffers.iter().copied());
    assert_eq!(check(999_998, &[999_999, 0, 999_999]), Ok(()));
    let failure = check(999_999, &[]).unwrap_err();
    assert_eq!(failure.status, Status::TooLarge);
    says(&failure, &["the text of the packet has 1000000 bytes", "smaller than 1000000", TARGET]);
    let failure = check(5, &[1, 1_000_000]).unwrap_err();
    assert_eq!(failure.status, Status::TooLarge);
    says(&failure, &["buffer 1 has 1000000 bytes", "maxPayload"]);
    assert!(check(usize::MAX, &[]).is_err());
}

#[test]
fn the_servers_limit_can_be_ignored_and_is_forgotten_at_the_end() {
    let rig = Rig::connected_with(Settings { enforce_max_payload: false, ..settings() });
    let huge = [usize::MAX];
    assert_eq!(rig.session.check_size(usize::MAX, &mut huge.into_iter()), Ok(()));
    let mut rig = Rig::connected();
    rig.input(Input::Eof);
    assert_eq!(rig.session.check_size(usize::MAX, &mut huge.into_iter()), Ok(()));
}

#[test]
fn what_may_be_sent_follows_the_state() {
    let mut rig = Rig::connected();
    assert!(matches!(rig.session.admit(), Admission::Ready));
    rig.session.leave(rig.now);
    let Admission::Refused(failure) = rig.session.admit() else { panic!("admitted") };
    assert_eq!(failure.status, Status::Disconnected);
    says(&failure, &["is disconnecting"]);

    let mut rig = Rig::asking(settings());
    assert!(matches!(rig.session.admit(), Admission::Wait));
    rig.text("44{\"message\":\"no\",\"data\":7}");
    let Admission::Refused(failure) = rig.session.admit() else { panic!("admitted") };
    assert_eq!(failure.status, Status::Disconnected);
    says(&failure, &["not connected: ", "refused the namespace", "no"]);
    assert_eq!(failure.details.data.as_deref(), Some("7"));
}

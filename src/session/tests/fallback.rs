//! From one transport of the list to the next, within one attempt.

use super::*;

fn reversed() -> Settings {
    Settings { transports: vec![WEBSOCKET, POLLING], ..settings() }
}

fn rejected(status: u16) -> Failure {
    let text = format!("{TARGET} answered {status}");
    let mut failure = Failure::new(Status::Unreachable, text).in_phase(Phase::Http);
    failure.details.http_status = Some(status);
    failure
}

#[track_caller]
fn falls_back(rig: &mut Rig, to: Transport) {
    assert_eq!(rig.actions(), [Action::Dial(to)]);
    assert_eq!(rig.session.state(), State::Connecting);
    assert_eq!(rig.session.carrier(), Some(to));
    assert_eq!(rig.sent(), []);
    assert_eq!(rig.reports(), []);
    assert_eq!(rig.session.engine_sid(), "");
    assert_eq!(rig.session.counters.attempts, 1);
}

#[test]
fn a_server_that_rejects_polling_is_asked_by_websocket() {
    let mut rig = Rig::requesting(both());
    rig.input(Input::Failed(rejected(400)));
    falls_back(&mut rig, WEBSOCKET);
    rig.input(Input::Phase(Phase::Handshake));
    rig.input(Input::Open);
    rig.text(OPEN_UPGRADE);
    rig.sent();
    rig.text("40{\"sid\":\"x\"}");
    assert_eq!(rig.session.transport(), Some(WEBSOCKET));
    assert_eq!(rig.actions(), []);
    assert_eq!(rig.reports(), [Report::Connected { attempts: 1 }]);
}

#[test]
fn a_server_that_knows_its_own_session_no_more_is_asked_by_websocket() {
    // Two servers behind one address, and no sticky session.
    let mut rig = Rig::posting(both(), OPEN_UPGRADE);
    rig.input(Input::Failed(rejected(400)));
    falls_back(&mut rig, WEBSOCKET);
    assert!(!rig.session.may_post() && !rig.session.is_posting());
}

#[test]
fn a_websocket_that_does_not_open_is_followed_by_polling_without_probe() {
    let failures: [fn(&mut Rig); 6] = [
        |rig| _ = rig.input(Input::Failed(rejected(403))),
        |rig| _ = rig.input(Input::Failed(Failure::new(Status::Protocol, "no HTTP"))),
        |rig| _ = rig.input(Input::Failed(Failure::new(Status::Unreachable, "closed"))),
        |rig| _ = rig.input(Input::Eof),
        |rig| _ = rig.input(Input::Lost { text: "reset".into(), os_error: Some(104) }),
        |rig| rig.pass(ms(5_000)),
    ];
    for fail in failures {
        let mut rig = Rig::dialing(reversed());
        rig.input(Input::Phase(Phase::Handshake));
        fail(&mut rig);
        falls_back(&mut rig, POLLING);
        rig.input(Input::Phase(Phase::Http));
        rig.text(OPEN_UPGRADE);
        rig.post();
        rig.polled();
        rig.input(Input::Posted);
        rig.body(&["40{\"sid\":\"x\"}"]);
        assert_eq!(rig.session.transport(), Some(POLLING));
        assert_eq!(rig.actions(), [Action::Poll, Action::Poll]);
    }
}

#[test]
fn a_server_that_cannot_be_reached_is_not_asked_twice() {
    for (settings, phase) in [(both(), Phase::Http), (reversed(), Phase::Connect)] {
        let mut rig = Rig::dialing(settings);
        rig.input(Input::Phase(phase));
        rig.input(Input::Failed(Failure::new(Status::Unreachable, format!("{TARGET} refused"))));
        rig.ended(Status::Unreachable, None, Action::Hangup);
    }
    for status in [Status::Tls, Status::Invalid, Status::Unsupported, Status::System] {
        let mut rig = Rig::dialing(reversed());
        rig.input(Input::Phase(Phase::Handshake));
        rig.input(Input::Failed(Failure::new(status, TARGET)));
        rig.ended(status, None, Action::Hangup);
    }
    // What listens there does not answer, or is no Socket.IO server.
    let mut rig = Rig::requesting(both());
    rig.pass(ms(5_000));
    rig.ended(Status::Timeout, None, Action::Hangup);
    let mut rig = Rig::requesting(both());
    rig.text("<html>");
    rig.ended(Status::Protocol, None, Action::Farewell { code: 1002 });
    // A WebSocket that did open.
    let mut rig = Rig::greeting(reversed());
    rig.input(Input::Eof);
    rig.ended(Status::Disconnected, None, Action::Hangup);
    // One alone.
    for transport in [POLLING, WEBSOCKET] {
        let mut rig = Rig::dialing(Settings { transports: vec![transport], ..settings() });
        rig.input(Input::Phase(Phase::Handshake));
        rig.input(Input::Failed(rejected(404)));
        let failure = rig.ended(Status::Unreachable, None, Action::Hangup);
        assert_eq!(failure.text, rejected(404).text);
    }
}

#[test]
fn if_both_fail_the_first_is_told_with_the_words_of_the_second() {
    let mut rig = Rig::requesting(both());
    rig.input(Input::Failed(rejected(404)));
    falls_back(&mut rig, WEBSOCKET);
    rig.input(Input::Phase(Phase::Handshake));
    rig.input(Input::Failed(rejected(403)));
    let failure = rig.ended(Status::Unreachable, None, Action::Hangup);
    assert_eq!(failure.text, format!("{TARGET} answered 404; by websocket: {TARGET} answered 403"));
    assert_eq!(failure.details.http_status, Some(404));
    assert_eq!(failure.details.attempt, Some(1));

    let mut rig = Rig::dialing(reversed());
    rig.input(Input::Phase(Phase::Handshake));
    rig.pass(ms(5_000));
    falls_back(&mut rig, POLLING);
    rig.input(Input::Phase(Phase::Http));
    rig.input(Input::Failed(rejected(404)));
    let failure = rig.ended(Status::Timeout, None, Action::Hangup);
    says(&failure, &["the WebSocket handshake", "; by polling: ", "answered 404"]);
    assert_eq!(failure.details.http_status, None);
}

#[test]
fn what_a_second_transport_that_opened_brings_is_told_first() {
    let mut rig = Rig::requesting(both());
    rig.input(Input::Failed(rejected(404)));
    rig.input(Input::Phase(Phase::Handshake));
    rig.input(Input::Open);
    rig.text(OPEN);
    rig.text("44\"no\"");
    rig.actions();
    let failure = rig.session.ended().unwrap();
    assert_eq!(failure.status, Status::Refused);
    says(failure, &["refused the namespace \"/\": no; by polling, before that: ", "answered 404"]);
    assert_eq!(failure.details.message.as_deref(), Some("\"no\""));
    assert_eq!(failure.details.http_status, None);
}

#[test]
fn the_time_of_the_attempt_goes_on_through_both() {
    let mut rig = Rig::requesting(both());
    rig.pass(ms(4_000));
    rig.input(Input::Failed(rejected(404)));
    falls_back(&mut rig, WEBSOCKET);
    assert_eq!(rig.session.deadline(), Some(rig.now + ms(16_000)));
    let failure = rig.session.timeout("its timeout", ms(1_000));
    says(&failure, &["its timeout (1000 ms)", "looking up", "; by polling, before that: "]);
    rig.pass(ms(16_000));
    let failure = rig.ended(Status::Timeout, None, Action::Hangup);
    says(&failure, &["attempt_timeout_ms", "; by polling, before that: ", "answered 404"]);
}

#[test]
fn nothing_is_begun_when_the_time_of_the_attempt_is_over() {
    let mut rig = Rig::requesting(Settings { request_timeout: ms(60_000), ..both() });
    let late = Failure { status: Status::Timeout, ..rejected(404) };
    rig.now = rig.now + ms(20_000);
    rig.input(Input::Failed(late));
    rig.ended(Status::Timeout, None, Action::Hangup);
}

#[test]
fn a_link_that_was_dropped_for_the_next_is_parted_from_with_it() {
    let mut rig = Rig::requesting(both());
    rig.input(Input::Failed(rejected(404)));
    // The dial was not taken, but the link before it is still there.
    rig.session.leave(rig.now);
    rig.ended(Status::Disconnected, None, Action::Hangup);
}

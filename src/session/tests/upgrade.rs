//! The way from polling to WebSocket, undisturbed, and each way in which it fails.

use super::*;

#[track_caller]
fn fails(rig: &mut Rig, why: &str) {
    let [Report::Connected { .. }, Report::ProbeFailed(text)] = &rig.reports()[..] else {
        panic!("no failure of the probe was reported");
    };
    assert!(text.contains(why), "{text}");
    assert_eq!(rig.session.state(), State::Connected);
    assert_eq!(rig.session.transport(), Some(POLLING));
    assert!(rig.session.may_post());
}

/// The websocket of the probe is open and the PING is on it.
fn pinged() -> Rig {
    let mut rig = Rig::probing();
    rig.input(Input::ProbeOpen);
    assert_eq!(rig.actions(), [Action::ProbePing]);
    rig
}

/// The server has answered the probe; the poll is still out.
fn draining() -> Rig {
    let mut rig = pinged();
    rig.probe("3probe");
    assert_eq!(rig.actions(), []);
    rig
}

#[test]
fn a_session_moves_when_poll_and_post_are_back() {
    let mut rig = pinged();
    rig.session.post_begun(rig.now);
    rig.probe("3probe");
    // POSTs go on until the poll is back.
    rig.input(Input::Posted);
    assert!(rig.session.may_post());
    rig.session.post_begun(rig.now);
    rig.body(&["42[\"a\"]", "6"]);
    assert_eq!(rig.actions(), []);
    assert_eq!(rig.session.transport(), Some(POLLING));
    assert!(!rig.session.may_post());
    rig.input(Input::Posted);
    assert_eq!(rig.actions(), [Action::Switch]);
    assert_eq!(rig.session.transport(), Some(WEBSOCKET));
    assert!(!rig.session.may_post());
    assert_eq!(rig.sent(), [Transmit::Upgrade]);
    assert_eq!(rig.reports(), [Report::Connected { attempts: 1 }, Report::Upgraded]);
    assert_eq!(rig.session.sid(), "socket-sid");
    // All the rest is as on any websocket.
    assert_eq!(rig.text("42[\"b\"]"), event("b", "[]"));
    rig.text("2");
    rig.input(Input::WebSocketPing(b"p"));
    let pongs = [Transmit::EnginePong(String::new()), Transmit::WebSocketPong(b"p".to_vec())];
    assert_eq!(rig.sent(), pongs);
    // What can no longer come changes nothing.
    rig.polled();
    rig.input(Input::Posted);
    rig.input(Input::ProbeOpen);
    rig.probe("3probe");
    rig.input(Input::ProbeFailed("x".into()));
    assert_eq!((rig.actions(), rig.reports()), (vec![], vec![]));
    rig.pass(ms(SILENCE_MS));
    rig.ended(Status::Disconnected, Some(Reason::PingTimeout), Action::Hangup);
}

#[test]
fn what_waits_at_the_switch_goes_behind_the_upgrade() {
    let mut rig = draining();
    rig.session.post_begun(rig.now);
    rig.body(&["2", "6"]);
    assert_eq!(rig.session.transmit(true), None);
    rig.input(Input::Posted);
    assert_eq!(rig.actions(), [Action::Switch]);
    assert_eq!(rig.sent(), [Transmit::Upgrade, Transmit::EnginePong(String::new())]);
}

#[test]
fn a_packet_whose_attachments_come_survives_the_switch() {
    let mut rig = draining();
    let placeholder = r#"{"_placeholder":true,"num":0}"#;
    rig.body(&[&format!("451-[\"b\",{placeholder}]"), "6"]);
    assert_eq!(rig.actions(), [Action::Switch]);
    let args = format!("[{placeholder}]");
    assert_eq!(rig.binary(b"x"), binary_event("b", &args, &[b"x"]));
}

#[test]
fn a_server_that_offers_nothing_is_not_probed() {
    for (transports, open) in [
        (vec![POLLING, WEBSOCKET], OPEN),
        (vec![POLLING, WEBSOCKET], r#"0{"sid":"a","pingInterval":1000,"pingTimeout":1000}"#),
        (
            vec![POLLING, WEBSOCKET],
            r#"0{"sid":"a","pingInterval":1000,"pingTimeout":1000,"upgrades":["webtransport"]}"#,
        ),
        (vec![POLLING], OPEN_UPGRADE),
    ] {
        let mut rig = Rig::polling_with(Settings { transports, ..settings() }, open);
        assert_eq!(rig.actions(), [Action::Poll]);
    }
}

#[test]
fn the_probe_begins_with_the_namespace_and_not_before() {
    let mut rig = Rig::posting(both(), OPEN_UPGRADE);
    rig.input(Input::Posted);
    rig.body(&["42[\"early\"]"]);
    assert_eq!(rig.actions(), [Action::Poll]);
    rig.text("40{\"sid\":\"x\"}");
    assert_eq!(rig.actions(), [Action::Probe]);
    rig.text("44\"no\"");
    rig.ended(
        Status::Disconnected,
        Some(Reason::ServerDisconnect),
        Action::Farewell { code: 1000 },
    );
}

#[test]
fn a_probe_has_five_seconds_or_the_limit_of_a_request() {
    for (request, limit) in [(60_000, 5_000), (700, 700)] {
        for open in [false, true] {
            let settings = Settings { request_timeout: ms(request), ..both() };
            let mut rig = Rig::probing_with(settings);
            rig.pass(ms(limit - 100));
            if open {
                rig.input(Input::ProbeOpen);
                rig.actions();
            }
            rig.pass(ms(99));
            assert_eq!(rig.actions(), []);
            rig.pass(ms(1));
            assert_eq!(rig.actions(), [Action::ProbeDrop]);
            let words =
                if open { "did not answer the probe" } else { "the WebSocket did not open" };
            fails(&mut rig, &format!("{words} within {limit} ms"));
        }
    }
    // Once answered, it has the time that poll and POST have.
    let mut rig = draining();
    rig.pass(ms(SILENCE_MS - 1));
    assert_eq!(rig.actions(), []);
    assert_eq!(rig.session.state(), State::Connected);
}

#[test]
fn a_failure_before_the_switch_goes_on_by_polling() {
    // Before the answer the poll is out, and goes on.
    for mut rig in [Rig::probing(), pinged(), draining()] {
        rig.input(Input::ProbeFailed("closed with code 1006".into()));
        assert_eq!(rig.actions(), [Action::ProbeDrop]);
        fails(&mut rig, "closed with code 1006");
        rig.polled();
        assert_eq!(rig.actions(), [Action::Poll]);
        // It is not tried again in this session.
        rig.pass(ms(40_000));
        assert_eq!(rig.actions(), []);
    }
    // With the poll back and the POST awaited, a poll begins.
    let mut rig = draining();
    rig.session.post_begun(rig.now);
    rig.polled();
    assert!(!rig.session.may_post());
    rig.input(Input::ProbeFailed("closed".into()));
    assert_eq!(rig.actions(), [Action::ProbeDrop, Action::Poll]);
    rig.input(Input::Posted);
    fails(&mut rig, "closed");
    assert_eq!(rig.actions(), []);
}

#[test]
fn anything_but_the_pong_ends_the_probe() {
    for (text, words) in [
        ("3", "another PONG"),
        ("3probes", "another PONG"),
        ("2probe", "a PING"),
        ("6", "a NOOP"),
        ("5", "an UPGRADE"),
        ("1", "a CLOSE"),
        ("0{}", "an OPEN"),
        ("42[\"secret\"]", "the server sent a message where PONG \"probe\" belongs"),
    ] {
        let mut rig = pinged();
        rig.probe(text);
        assert_eq!(rig.actions(), [Action::ProbeDrop]);
        fails(&mut rig, words);
        // A PONG twice is one too many.
        let mut rig = draining();
        rig.probe(text);
        assert_eq!(rig.actions(), [Action::ProbeDrop]);
    }
    let mut rig = draining();
    rig.probe("3probe");
    assert_eq!(rig.actions(), [Action::ProbeDrop]);
    // Or one that comes before the PING.
    let mut rig = Rig::probing();
    rig.probe("3probe");
    assert_eq!(rig.actions(), [Action::ProbeDrop]);
}

#[test]
fn polls_that_bring_nothing_are_paced_while_a_probe_is_under_way() {
    for open in [false, true] {
        let mut rig = if open { pinged() } else { Rig::probing() };
        for _ in 0..5 {
            rig.body(&["6", "6"]);
            assert_eq!(rig.actions(), []);
            assert_eq!(rig.session.deadline(), Some(rig.now + ms(100)));
            rig.pass(ms(99));
            assert_eq!(rig.actions(), []);
            rig.pass(ms(1));
            assert_eq!(rig.actions(), [Action::Poll]);
        }
        // One that brought something is followed at once.
        rig.body(&["6", "42[\"a\"]"]);
        assert_eq!(rig.actions(), [Action::Poll]);
        // The end of the probe ends the wait.
        rig.body(&["6"]);
        rig.input(Input::ProbeFailed("x".into()));
        assert_eq!(rig.actions(), [Action::ProbeDrop, Action::Poll]);
        rig.body(&["6"]);
        assert_eq!(rig.actions(), [Action::Poll]);
    }
}

#[test]
fn a_poll_that_is_being_paced_counts_as_back() {
    let mut rig = pinged();
    rig.body(&["6"]);
    rig.probe("3probe");
    assert_eq!(rig.actions(), [Action::Switch]);
    assert_eq!(rig.session.deadline(), Some(rig.now + ms(SILENCE_MS)));

    let mut rig = pinged();
    rig.session.post_begun(rig.now);
    rig.body(&["6"]);
    rig.probe("3probe");
    assert!(!rig.session.may_post());
    rig.pass(ms(1_000));
    assert_eq!(rig.actions(), []);
    rig.input(Input::Posted);
    assert_eq!(rig.actions(), [Action::Switch]);
}

#[test]
fn the_answer_of_the_handshake_is_awaited_like_a_poll() {
    let mut rig = Rig::requesting(both());
    rig.text(OPEN_UPGRADE);
    rig.text("40{\"sid\":\"x\"}");
    rig.input(Input::ProbeOpen);
    rig.probe("3probe");
    assert_eq!(rig.actions(), [Action::Probe, Action::ProbePing]);
    rig.polled();
    assert_eq!(rig.actions(), [Action::Switch]);
}

#[test]
fn a_post_that_is_not_answered_ends_the_session_also_then() {
    let mut rig = draining();
    rig.session.post_begun(rig.now);
    rig.polled();
    rig.pass(ms(5_000));
    let failure = rig.ended(Status::Disconnected, Some(Reason::TransportError), Action::Hangup);
    says(&failure, &["a POST was not answered"]);
}

#[test]
fn leaving_gives_up_a_probe_that_was_not_answered_and_keeps_its_socket() {
    for mut rig in [Rig::probing(), pinged()] {
        rig.session.leave(rig.now);
        assert_eq!(rig.actions(), [Action::ProbeForget]);
        rig.probe("3probe");
        rig.pass(ms(100));
        assert_eq!(rig.post(), [Transmit::Disconnect(b"1".to_vec())]);
        assert_eq!(rig.session.state(), State::Closing);
    }
    // The poll that was held back goes on.
    let mut rig = pinged();
    rig.body(&["6"]);
    rig.session.leave(rig.now);
    assert_eq!(rig.actions(), [Action::ProbeForget, Action::Poll]);
}

#[test]
fn leaving_waits_for_an_upgrade_that_was_answered_and_goes_on_by_websocket() {
    let mut rig = draining();
    rig.session.leave(rig.now);
    assert_eq!(rig.actions(), []);
    // POSTs go on, DISCONNECT is for the websocket.
    assert!(rig.session.may_post());
    assert_eq!(rig.post(), []);
    rig.session.post_begun(rig.now);
    rig.body(&["6"]);
    rig.input(Input::Posted);
    assert_eq!(rig.actions(), [Action::Switch]);
    assert_eq!(rig.session.transport(), Some(WEBSOCKET));
    assert_eq!(rig.sent(), [Transmit::Upgrade, Transmit::WebSocketPing(b"sio 1".to_vec())]);
    rig.input(Input::Drained);
    rig.input(Input::WebSocketPong(b"sio 1"));
    let last = [Transmit::Disconnect(b"1".to_vec()), Transmit::WebSocketClose(1000)];
    assert_eq!(rig.sent(), last);
    rig.input(Input::Drained);
    assert_eq!(rig.actions(), [Action::ShutdownWrite]);
    rig.input(Input::Eof);
    assert_eq!(rig.session.left(), Some(Left::Confirmed));
    rig.ended(Status::Disconnected, Some(Reason::ClientDisconnect), Action::Hangup);
}

#[test]
fn leaving_goes_on_by_polling_if_the_upgrade_fails() {
    let mut rig = draining();
    rig.session.leave(rig.now);
    rig.input(Input::ProbeFailed("x".into()));
    assert_eq!(rig.actions(), [Action::ProbeDrop]);
    assert_eq!(rig.post(), [Transmit::Disconnect(b"1".to_vec())]);
    rig.input(Input::Posted);
    assert_eq!(rig.post(), [Transmit::EngineClose]);
    rig.input(Input::Posted);
    assert_eq!(rig.session.left(), Some(Left::Confirmed));
}

#[test]
fn nothing_of_a_probe_outlives_its_session() {
    for mut rig in [Rig::probing(), pinged(), draining()] {
        rig.input(Input::Lost { text: "reset".into(), os_error: None });
        rig.ended(Status::Disconnected, Some(Reason::TransportError), Action::Hangup);
        rig.input(Input::ProbeOpen);
        rig.probe("3probe");
        rig.input(Input::ProbeFailed("x".into()));
        rig.polled();
        rig.pass(ms(10_000));
        assert_eq!(rig.actions(), []);
    }
    // A probe that was not begun is forgotten.
    let mut rig = Rig::polling_with(both(), OPEN_UPGRADE);
    rig.input(Input::Eof);
    rig.ended(Status::Disconnected, Some(Reason::TransportClose), Action::Hangup);
}

/// Connects again after a loss, and tells whether a probe began.
fn probes_again(rig: &mut Rig) -> bool {
    assert_eq!(rig.session.state(), State::Reconnecting);
    let until = rig.session.next_attempt().unwrap();
    rig.pass(until.saturating_sub(rig.now));
    rig.actions();
    rig.input(Input::Prepared(Ok(Box::new(lasting()))));
    rig.text(OPEN_UPGRADE);
    rig.post();
    rig.polled();
    rig.input(Input::Posted);
    rig.body(&["40{\"sid\":\"x\"}"]);
    assert_eq!(rig.session.transport(), Some(POLLING));
    rig.actions().contains(&Action::Probe)
}

fn lasting() -> Settings {
    Settings { reconnection: Reconnection::default(), ..both() }
}

#[test]
fn a_session_that_ends_over_its_probe_is_made_again_without() {
    let unknown = || {
        let mut failure = Failure::new(Status::Unreachable, "400 Session ID unknown");
        failure.details.http_status = Some(400);
        Input::Failed(failure)
    };
    // Within a second of the failure, however it ends.
    for input in [unknown(), Input::Eof, Input::Engine(engine::Packet::Close)] {
        let mut rig = Rig::probing_with(lasting());
        rig.input(Input::ProbeFailed("closed".into()));
        rig.pass(ms(1_000));
        rig.input(input);
        assert!(!probes_again(&mut rig));
        // And so are later ones, until one of them has lasted,
        rig.pass(ms(4_999));
        rig.input(Input::Eof);
        assert!(!probes_again(&mut rig));
        rig.pass(ms(5_000));
        rig.input(Input::Eof);
        assert!(probes_again(&mut rig));
        // or until the next connect.
        rig.input(Input::ProbeFailed("closed".into()));
        rig.input(Input::Eof);
        assert!(!probes_again(&mut rig));
        rig.session.give_up(Failure::new(Status::Interrupted, "now"), rig.now);
        rig.actions();
        rig.session.connect(lasting(), false, rig.now);
        rig.text(OPEN_UPGRADE);
        rig.text("40{\"sid\":\"x\"}");
        assert!(rig.actions().contains(&Action::Probe));
    }
    // The server says so on the session before the websocket shows it.
    for input in [unknown(), Input::Engine(engine::Packet::Close)] {
        let mut rig = Rig::probing_with(lasting());
        rig.input(input);
        assert!(!probes_again(&mut rig));
    }
}

#[test]
fn a_session_that_ends_for_another_reason_is_made_again_with_a_probe() {
    let mut rig = Rig::probing_with(lasting());
    rig.input(Input::ProbeFailed("closed".into()));
    rig.pass(ms(1_001));
    rig.input(Input::Eof);
    assert!(probes_again(&mut rig));
    // The network went away while a probe was under way.
    let mut rig = Rig::probing_with(lasting());
    rig.input(Input::Lost { text: "reset".into(), os_error: None });
    assert!(probes_again(&mut rig));
    // After the probe was answered the end has nothing to do with it.
    let mut rig = Rig::probing_with(lasting());
    rig.input(Input::ProbeOpen);
    rig.probe("3probe");
    rig.text("1");
    assert!(probes_again(&mut rig));
}

//! A session by polling: its handshake, one poll after the other, one POST after the other.

use super::*;

fn pong() -> Transmit {
    Transmit::EnginePong(String::new())
}

#[test]
fn a_session_by_polling_is_made_step_by_step() {
    let mut rig = Rig::dialing(Settings { namespace: "/admin".into(), ..both() });
    assert!(!rig.session.may_post());
    for phase in [Phase::Resolve, Phase::Connect, Phase::Tls, Phase::Http] {
        rig.input(Input::Phase(phase));
        assert_eq!(rig.sent(), []);
        assert_eq!(rig.session.timeout("x", ms(1)).details.phase, Some(phase));
    }
    assert_eq!(rig.session.deadline(), Some(rig.now + ms(5_000)));
    assert!(!rig.session.may_post());
    // That a connection is open says nothing yet.
    rig.input(Input::Open);
    rig.text(OPEN);
    assert_eq!(rig.session.engine_sid(), "engine-sid");
    assert_eq!(rig.session.transport(), None);
    assert!(rig.session.may_post() && !rig.session.is_posting());
    assert_eq!(rig.session.transmit(false), Some(Transmit::Connect(b"0/admin,".to_vec())));
    assert_eq!(rig.session.transmit(true), None);
    rig.session.post_begun(rig.now);
    assert!(!rig.session.may_post() && rig.session.is_posting());
    // The first poll follows the end of the answer that brought the handshake.
    assert_eq!(rig.actions(), []);
    rig.polled();
    assert_eq!(rig.actions(), [Action::Poll]);
    rig.text("40/admin,{\"sid\":\"mine\"}");
    assert_eq!(rig.session.state(), State::Connected);
    assert_eq!(rig.session.transport(), Some(POLLING));
    assert_eq!(rig.session.sid(), "mine");
    assert_eq!(rig.actions(), []);
    rig.polled();
    assert_eq!(rig.actions(), [Action::Poll]);
    assert!(rig.session.is_posting());
    rig.input(Input::Posted);
    assert!(rig.session.may_post() && !rig.session.is_posting());
    assert_eq!(rig.reports(), [Report::Connected { attempts: 1 }]);
}

#[test]
fn packets_may_follow_the_handshake_in_its_answer() {
    let mut rig = Rig::requesting(both());
    rig.text(OPEN);
    rig.text("40{\"sid\":\"x\"}");
    assert_eq!(rig.text("42[\"a\",1]"), event("a", "[1]"));
    assert_eq!(rig.session.state(), State::Connected);
    assert_eq!(rig.actions(), []);
    rig.polled();
    assert_eq!(rig.actions(), [Action::Poll]);
}

#[test]
fn a_poll_follows_each_and_there_is_never_a_second() {
    let mut rig = Rig::polling();
    for round in 0..100 {
        assert_eq!(rig.text(&format!("42[\"a\",{round}]")), event("a", &format!("[{round}]")));
        assert_eq!(rig.actions(), []);
        rig.polled();
        assert_eq!(rig.actions(), [Action::Poll]);
        assert_eq!(rig.session.deadline(), Some(rig.now + ms(SILENCE_MS)));
    }
    // Without a probe a NOOP is an answer like any other.
    rig.body(&["6"]);
    assert_eq!(rig.actions(), [Action::Poll]);
}

#[test]
fn attachments_may_be_spread_over_polls() {
    let mut rig = Rig::polling();
    let placeholder = r#"{"_placeholder":true,"num":0}"#;
    rig.body(&[&format!("452-[\"b\",{placeholder}]")]);
    assert_eq!(rig.binary(b"one"), Got::Nothing);
    rig.polled();
    let args = format!("[{placeholder}]");
    assert_eq!(rig.binary(b"two"), binary_event("b", &args, &[b"one", b"two"]));
}

#[test]
fn pings_are_answered_in_the_next_post() {
    let mut rig = Rig::polling();
    rig.body(&["2", "42[\"a\"]", "2probe"]);
    assert_eq!(rig.post(), [Transmit::EnginePong("probe".into())]);
    rig.body(&["2"]);
    // One POST at a time: the answer waits.
    assert!(!rig.session.may_post());
    assert_eq!(rig.session.transmit(true), None);
    rig.input(Input::Posted);
    assert_eq!(rig.post(), [pong()]);
    rig.input(Input::Posted);
    assert_eq!(rig.post(), []);
}

#[test]
fn the_servers_control_frames_have_no_place_in_a_post() {
    let mut rig = Rig::polling();
    rig.input(Input::WebSocketPing(b"x"));
    rig.input(Input::WebSocketPong(b"x"));
    assert_eq!(rig.post(), []);
    assert_eq!(rig.session.state(), State::Connected);
}

#[test]
fn a_silent_server_is_dead_by_polling_too() {
    let mut rig = Rig::polling();
    rig.pass(ms(SILENCE_MS - 1));
    rig.session.touch(rig.now);
    rig.pass(ms(SILENCE_MS - 1));
    assert_eq!(rig.session.state(), State::Connected);
    rig.pass(ms(1));
    let failure = rig.ended(Status::Disconnected, Some(Reason::PingTimeout), Action::Hangup);
    says(&failure, &["nothing came from the server for 45000 ms"]);
}

#[test]
fn the_answer_to_a_post_is_a_sign_of_life_but_no_answer_to_the_poll() {
    let mut rig = Rig::polling();
    rig.pass(ms(SILENCE_MS - 1));
    rig.session.post_begun(rig.now);
    rig.input(Input::Posted);
    // The poll began as long ago as that, and its connection may be the one that is dead.
    rig.pass(ms(1));
    let failure = rig.ended(Status::Disconnected, Some(Reason::PingTimeout), Action::Hangup);
    says(&failure, &["a poll brought nothing for 45000 ms"]);

    // Each poll has its own time, and each byte of its answer begins it anew.
    let mut rig = Rig::polling();
    for _ in 0..5 {
        rig.pass(ms(SILENCE_MS - 1));
        rig.session.touch(rig.now);
        rig.pass(ms(SILENCE_MS - 1));
        rig.body(&["6"]);
    }
    assert_eq!(rig.session.state(), State::Connected);
    // Nothing counts while nothing is read.
    rig.session.pause(rig.now);
    for _ in 0..5 {
        rig.pass(ms(SILENCE_MS));
        rig.session.post_begun(rig.now);
        rig.input(Input::Posted);
    }
    rig.session.resume(rig.now);
    assert_eq!(rig.session.deadline(), Some(rig.now + ms(SILENCE_MS)));
}

#[test]
fn the_answer_to_a_post_keeps_no_attachment_alive() {
    let mut rig = Rig::polling();
    rig.body(&["451-[\"b\",{\"_placeholder\":true,\"num\":0}]"]);
    for _ in 0..3 {
        rig.pass(ms(9_999));
        rig.session.post_begun(rig.now);
        rig.input(Input::Posted);
    }
    assert_eq!(rig.session.state(), State::Connected);
    rig.pass(ms(3));
    rig.ended_by_parse_error("nothing came for 30 s of a packet's attachments: 0 of 1");
}

#[test]
fn while_reading_is_paused_no_silence_counts_but_a_post_has_its_limit() {
    let mut rig = Rig::polling();
    rig.session.pause(rig.now);
    assert_eq!(rig.session.deadline(), None);
    rig.pass(ms(100_000));
    rig.session.post_begun(rig.now);
    assert_eq!(rig.session.deadline(), Some(rig.now + ms(5_000)));
    rig.input(Input::Posted);
    rig.session.resume(rig.now);
    rig.pass(ms(SILENCE_MS - 1));
    assert_eq!(rig.session.state(), State::Connected);
}

#[test]
fn a_post_that_is_not_answered_in_time_is_a_loss() {
    let mut rig = Rig::polling();
    rig.pass(ms(1_000));
    rig.session.post_begun(rig.now);
    rig.pass(ms(4_999));
    assert_eq!(rig.session.state(), State::Connected);
    // What comes by the poll does not prolong it.
    rig.body(&["42[\"a\"]"]);
    rig.actions();
    rig.pass(ms(1));
    let failure = rig.ended(Status::Disconnected, Some(Reason::TransportError), Action::Hangup);
    says(&failure, &["a POST was not answered", "\"request_timeout_ms\" (5000 ms)"]);
}

#[test]
fn a_request_that_fails_is_a_loss_with_its_details() {
    for posting in [false, true] {
        let mut rig = Rig::polling();
        if posting {
            rig.session.post_begun(rig.now);
        }
        let mut below = Failure::new(Status::Unreachable, "the server answered 400 Bad Request")
            .in_phase(Phase::Http);
        below.details.http_status = Some(400);
        below.details.message = Some("\"Session ID unknown\"".into());
        rig.input(Input::Failed(below));
        let failure = rig.ended(Status::Disconnected, Some(Reason::TransportError), Action::Hangup);
        says(&failure, &["the connection to", "ended: the server answered 400"]);
        assert_eq!(failure.details.http_status, Some(400));
        assert_eq!(failure.details.message.as_deref(), Some("\"Session ID unknown\""));
    }
}

#[test]
fn the_ends_of_a_connection_by_polling() {
    let farewell = Action::Farewell { code: 1000 };
    let mut rig = Rig::polling();
    rig.text("1");
    let failure = rig.ended(Status::Disconnected, Some(Reason::TransportClose), farewell);
    says(&failure, &["the server closed the Engine.IO session"]);

    let mut rig = Rig::polling();
    rig.text("41");
    rig.ended(Status::Disconnected, Some(Reason::ServerDisconnect), farewell);

    let mut rig = Rig::polling();
    rig.session.give_up(Failure::new(Status::Interrupted, TARGET), rig.now);
    rig.ended(Status::Interrupted, Some(Reason::ClientDisconnect), farewell);

    for text in ["", "7", "42", "42[", "40{\"sid\":\"x\"}", OPEN, "43[]", "42[\"a\",NaN]"] {
        let mut rig = Rig::polling();
        rig.text(text);
        rig.ended_by_parse_error("");
        // The rest of that answer is not heard any more.
        assert_eq!(rig.text("42[\"a\"]"), Got::Nothing);
        rig.polled();
        assert_eq!(rig.actions(), []);
    }
    let mut rig = Rig::polling();
    rig.binary(b"x");
    rig.ended_by_parse_error("a binary message that no packet announced");
    let mut rig = Rig::polling();
    rig.input(Input::Malformed("bad base64 at byte 7".into()));
    rig.ended_by_parse_error("bad base64 at byte 7");
}

#[test]
fn an_answer_without_a_handshake_is_a_protocol_failure() {
    let broken = Action::Farewell { code: 1002 };
    for texts in [&[][..], &["6"], &["3"]] {
        let mut rig = Rig::requesting(both());
        rig.body(texts);
        let failure = rig.ended(Status::Protocol, None, broken);
        says(&failure, &["before the Engine.IO handshake", "without an Engine.IO handshake"]);
        assert_eq!(failure.details.phase, Some(Phase::Handshake));
    }
    for (text, words) in [
        ("0{}", "sid"),
        ("42[\"a\"]", "a Socket.IO packet before the Engine.IO handshake"),
        ("<html>", "type"),
        ("", "empty"),
        ("96:0{\"sid\":\"a\"}2:40", "an Engine.IO 3 server"),
    ] {
        let mut rig = Rig::requesting(both());
        rig.text(text);
        let failure = rig.ended(Status::Protocol, None, broken);
        says(&failure, &["connecting to", words]);
        assert_eq!(failure.details.phase, Some(Phase::Handshake));
    }
    for text in [OPEN, "40", "42[", "43[1]"] {
        let mut rig = Rig::posting(both(), OPEN);
        rig.text(text);
        let failure = rig.ended(Status::Protocol, None, broken);
        says(&failure, &["before the request for the namespace \"/\" was answered"]);
        assert_eq!(failure.details.phase, Some(Phase::Namespace));
    }
}

#[test]
fn a_refusal_comes_by_polling_too() {
    let mut rig = Rig::posting(both(), OPEN);
    rig.text("44{\"message\":\"no\",\"data\":1}");
    let failure = rig.ended(Status::Refused, None, Action::Farewell { code: 1000 });
    says(&failure, &["refused the namespace \"/\": no"]);
    assert_eq!(failure.details.data.as_deref(), Some("1"));
}

#[test]
fn each_request_of_the_attempt_has_the_limit() {
    // The request of the handshake, before a byte came.
    let mut rig = Rig::requesting(both());
    rig.pass(ms(5_000));
    let failure = rig.ended(Status::Timeout, None, Action::Hangup);
    says(&failure, &["request_timeout_ms", "the answer to the first HTTP request"]);
    assert_eq!(failure.details.phase, Some(Phase::Http));

    // Its answer has begun and does not end.
    let farewell = Action::Farewell { code: 1000 };
    let mut rig = Rig::requesting(both());
    rig.pass(ms(4_000));
    rig.text(OPEN);
    rig.post();
    rig.input(Input::Posted);
    rig.pass(ms(1_000));
    let failure = rig.ended(Status::Timeout, None, farewell);
    says(&failure, &["request_timeout_ms", "the end of the HTTP answer that brought"]);

    // The POST for the namespace.
    let mut rig = Rig::posting(both(), OPEN);
    rig.pass(ms(5_000));
    let failure = rig.ended(Status::Timeout, None, farewell);
    says(&failure, &["request_timeout_ms", "the POST with the request for the namespace"]);
    assert_eq!(failure.details.phase, Some(Phase::Namespace));

    // The answer of the namespace has the limit of the attempt.
    let mut rig = Rig::posting(both(), OPEN);
    rig.input(Input::Posted);
    rig.pass(ms(20_000));
    let failure = rig.ended(Status::Timeout, None, farewell);
    says(&failure, &["attempt_timeout_ms", "middleware may not have finished"]);

    // A handshake that connects the namespace and whose answer never ends.
    let mut rig = Rig::requesting(both());
    rig.text(OPEN);
    rig.text("40{\"sid\":\"x\"}");
    rig.pass(ms(5_000));
    let failure = rig.ended(Status::Disconnected, Some(Reason::TransportError), Action::Hangup);
    says(&failure, &["the request of the handshake was not answered within"]);
}

#[test]
fn a_redirect_begins_the_steps_anew() {
    let mut rig = Rig::requesting(both());
    rig.pass(ms(4_000));
    // Told twice, a step does not begin anew.
    rig.input(Input::Phase(Phase::Http));
    assert_eq!(rig.session.deadline(), Some(rig.now + ms(1_000)));
    for phase in [Phase::Resolve, Phase::Connect, Phase::Tls] {
        rig.input(Input::Phase(phase));
        assert_eq!(rig.session.deadline(), Some(rig.now + ms(16_000)));
        assert_eq!(rig.session.timeout("x", ms(1)).details.phase, Some(phase));
    }
    rig.input(Input::Phase(Phase::Http));
    assert_eq!(rig.session.deadline(), Some(rig.now + ms(5_000)));
    rig.text(OPEN);
    // Later requests dial too, and that is no step back.
    rig.input(Input::Phase(Phase::Resolve));
    assert_eq!(rig.session.timeout("x", ms(1)).details.phase, Some(Phase::Namespace));
}

#[test]
fn by_polling_the_servers_limit_counts_base64_and_always_binds() {
    for enforce_max_payload in [true, false] {
        let rig = Rig::polling_with(Settings { enforce_max_payload, ..both() }, OPEN);
        let check =
            |text, buffers: &[usize]| rig.session.check_size(text, &mut buffers.iter().copied());
        // 1 + 4 * 249,999 = 999,997; the next length is 1,000,001.
        assert_eq!(check(999_998, &[749_997, 0]), Ok(()));
        let failure = check(5, &[0, 749_998]).unwrap_err();
        assert_eq!(failure.status, Status::TooLarge);
        says(&failure, &["buffer 1 has 1000001 bytes", "smaller than 1000000", TARGET]);
        assert!(check(999_999, &[]).is_err());
        assert!(check(1, &[usize::MAX]).is_err());
    }
}

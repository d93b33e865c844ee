//! From New to Connected, and every way in which that fails.

use super::*;

const FAREWELL: Action = Action::Farewell { code: 1000 };
const BROKEN: Action = Action::Farewell { code: 1002 };

/// One rig at each step of an attempt, with the words and the phase of that step.
fn steps() -> Vec<(Rig, &'static str, Phase, bool)> {
    let at_phase = |phase| {
        let mut rig = Rig::dialing(settings());
        rig.input(Input::Phase(phase));
        rig
    };
    vec![
        (Rig::dialing(settings()), "looking up the server's name", Phase::Resolve, false),
        (at_phase(Phase::Resolve), "looking up the server's name", Phase::Resolve, false),
        (at_phase(Phase::Connect), "waiting for the TCP connection", Phase::Connect, false),
        (at_phase(Phase::Handshake), "the WebSocket handshake", Phase::Handshake, false),
        (Rig::greeting(settings()), "the Engine.IO handshake", Phase::Handshake, true),
        (Rig::asking(settings()), "the namespace \"/\"", Phase::Namespace, true),
    ]
}

#[test]
fn a_session_starts_new_and_wants_nothing() {
    let mut rig = Rig::new();
    assert_eq!(rig.session.state(), State::New);
    assert_eq!(rig.session.deadline(), None);
    assert_eq!(rig.actions(), []);
    assert_eq!(rig.sent(), []);
    assert_eq!(rig.session.ended(), None);
    assert_eq!((rig.session.sid(), rig.session.engine_sid()), ("", ""));
    assert_eq!(rig.session.namespace(), "/");
    assert!(matches!(rig.session.admit(), Admission::Refused(failure)
        if failure.status == Status::Disconnected && failure.text.contains("connect first")));
    rig.session.leave(rig.now);
    rig.session.give_up(Failure::new(Status::Interrupted, "now"), rig.now);
    assert_eq!(rig.text(OPEN), Got::Nothing);
    assert_eq!(rig.session.state(), State::New);
    assert_eq!(rig.actions(), []);
}

#[test]
fn a_connection_is_made_step_by_step() {
    let settings =
        Settings { namespace: "/admin".into(), auth: Some("{\"token\":1}".into()), ..settings() };
    let mut rig = Rig::dialing(settings);
    assert_eq!(rig.session.state(), State::Connecting);
    assert!(matches!(rig.session.admit(), Admission::Wait));
    for phase in [Phase::Resolve, Phase::Connect, Phase::Handshake] {
        rig.input(Input::Phase(phase));
        assert_eq!(rig.sent(), []);
    }
    rig.input(Input::Open);
    assert_eq!(rig.sent(), []);
    rig.text(OPEN);
    assert_eq!(rig.session.engine_sid(), "engine-sid");
    assert_eq!(rig.session.sid(), "");
    assert_eq!(rig.sent(), [Transmit::Connect(b"0/admin,{\"token\":1}".to_vec())]);
    assert!(matches!(rig.session.admit(), Admission::Wait));
    assert_eq!(rig.text("40/admin,{\"sid\":\"s\\u0031\",\"pid\":\"p\"}"), Got::Nothing);
    assert_eq!(rig.session.state(), State::Connected);
    assert!(matches!(rig.session.admit(), Admission::Ready));
    assert_eq!(rig.session.sid(), "s1");
    assert_eq!(rig.session.epoch(), 1);
    assert_eq!(rig.session.namespace(), "/admin");
    let counters = rig.session.counters;
    assert_eq!((counters.attempts, counters.connects), (1, 1));
    assert_eq!(rig.actions(), []);
}

#[test]
fn the_main_namespace_is_asked_for_without_a_name() {
    for namespace in ["", "/"] {
        let mut rig = Rig::greeting(Settings { namespace: namespace.into(), ..settings() });
        rig.text(OPEN);
        assert_eq!(rig.sent(), [Transmit::Connect(b"0".to_vec())]);
        rig.text("40{\"sid\":\"x\"}");
        assert_eq!(rig.session.state(), State::Connected);
    }
}

#[test]
fn the_attempt_timeout_ends_each_step_and_names_it() {
    for (mut rig, words, phase, open) in steps() {
        let action = if open { FAREWELL } else { Action::Hangup };
        // The WebSocket handshake has an earlier limit of its own.
        let (option, limit) = match words {
            "the WebSocket handshake" => ("\"request_timeout_ms\" (5000 ms)", ms(5_000)),
            _ => ("\"attempt_timeout_ms\" (20000 ms)", ms(20_000)),
        };
        run_out(&mut rig, limit);
        let failure = rig.ended(Status::Timeout, None, action);
        says(&failure, &["connecting to", option, words]);
        assert_eq!(failure.details.phase, Some(phase));
        assert_eq!(failure.details.attempt, Some(1));
    }
}

/// Runs the timers to the last nanosecond before the limit, and then to it.
fn run_out(rig: &mut Rig, limit: Duration) {
    assert_eq!(rig.session.deadline(), Some(rig.now + limit));
    rig.pass(limit - Duration::from_nanos(1));
    assert_eq!(rig.session.state(), State::Connecting);
    rig.pass(Duration::from_nanos(1));
}

#[test]
fn no_step_starts_the_attempt_timeout_anew() {
    let mut rig = Rig::dialing(settings());
    let end = rig.now + ms(20_000);
    rig.pass(ms(4_000));
    rig.input(Input::Phase(Phase::Connect));
    rig.pass(ms(4_000));
    rig.input(Input::Phase(Phase::Handshake));
    rig.pass(ms(4_000));
    // Told twice, the step does not begin anew either.
    rig.input(Input::Phase(Phase::Handshake));
    assert_eq!(rig.session.deadline(), Some(rig.now + ms(1_000)));
    rig.input(Input::Open);
    assert_eq!(rig.session.deadline(), Some(end));
    rig.pass(ms(4_000));
    rig.text(OPEN);
    rig.text("2");
    assert_eq!(rig.session.deadline(), Some(end));
    rig.pass(ms(4_000));
    assert_eq!(rig.session.state(), State::Closed);
    assert_eq!(rig.now, end);
    assert!(rig.session.ended().unwrap().text.contains("request for the namespace"));
}

#[test]
fn the_shorter_of_both_limits_ends_the_websocket_handshake() {
    for (attempt, request, option) in
        [(3_000, 5_000, "attempt_timeout_ms"), (20_000, 700, "request_timeout_ms")]
    {
        let limits =
            Settings { attempt_timeout: ms(attempt), request_timeout: ms(request), ..settings() };
        let mut rig = Rig::dialing(limits);
        rig.input(Input::Phase(Phase::Handshake));
        assert_eq!(rig.session.deadline(), Some(rig.now + ms(attempt.min(request))));
        rig.pass(ms(attempt.min(request)));
        let failure = rig.ended(Status::Timeout, None, Action::Hangup);
        says(&failure, &[option, "WebSocket handshake"]);
    }
}

#[test]
fn limits_over_a_day_and_without_end_are_taken() {
    let limits = Settings {
        attempt_timeout: Duration::MAX,
        request_timeout: Duration::from_secs(3 * 86_400),
        ..settings()
    };
    let mut rig = Rig::dialing(limits);
    rig.pass(Duration::from_secs(2 * 86_400));
    rig.input(Input::Phase(Phase::Handshake));
    rig.pass(Duration::from_secs(3 * 86_400 - 1));
    assert_eq!(rig.session.state(), State::Connecting);
    rig.pass(Duration::from_secs(1));
    assert_eq!(rig.session.state(), State::Closed);
}

#[test]
fn the_monitors_own_timeout_names_the_step_too() {
    for (rig, words, phase, _) in steps() {
        let failure = rig.session.timeout("the timeout of connect", ms(1_000));
        assert_eq!(failure.status, Status::Timeout);
        assert_eq!(failure.details.phase, Some(phase));
        says(&failure, &[TARGET, "the timeout of connect (1000 ms)", words]);
    }
}

#[test]
fn a_failure_below_is_passed_on_as_it_is() {
    let mut rig = Rig::dialing(settings());
    rig.input(Input::Phase(Phase::Connect));
    let mut below = Failure::new(Status::Unreachable, format!("{TARGET}: connection refused"));
    below.details.os_error = Some(111);
    rig.input(Input::Failed(below.clone()));
    let failure = rig.ended(Status::Unreachable, None, Action::Hangup);
    assert_eq!(failure.text, below.text);
    assert_eq!(failure.details.os_error, Some(111));
    assert_eq!(failure.details.phase, Some(Phase::Connect));

    let mut rig = Rig::dialing(settings());
    rig.input(Input::Phase(Phase::Handshake));
    let mut below =
        Failure::new(Status::Unreachable, format!("{TARGET}: 404")).in_phase(Phase::Http);
    below.details.http_status = Some(404);
    rig.input(Input::Failed(below));
    let failure = rig.ended(Status::Unreachable, None, Action::Hangup);
    assert_eq!(failure.details.phase, Some(Phase::Http));
    assert_eq!(failure.details.http_status, Some(404));
}

#[test]
fn a_link_that_ends_while_connecting_fails_by_its_step() {
    for cause in 0..4 {
        for (mut rig, _, phase, open) in steps() {
            let (input, words, action) = match cause {
                0 => (Input::Eof, "the server closed the connection", Action::Hangup),
                1 => {
                    let text = "Connection reset by peer".into();
                    let words = "the connection broke: Connection reset by peer";
                    (Input::Lost { text, os_error: Some(104) }, words, Action::Hangup)
                }
                2 => {
                    let words = "closed the WebSocket with code 1008, saying: not you";
                    let input = Input::WebSocketClose(Some(1008), "not you".into());
                    (input, words, Action::Farewell { code: 1008 })
                }
                _ => {
                    let words = "closed the Engine.IO session";
                    (Input::Engine(engine::Packet::Close), words, FAREWELL)
                }
            };
            rig.input(input);
            let status = if open { Status::Disconnected } else { Status::Unreachable };
            let failure = rig.ended(status, None, action);
            says(&failure, &["connecting to", "failed", words]);
            assert_eq!(failure.details.phase, Some(phase));
            assert_eq!(failure.details.os_error, (cause == 1).then_some(104));
            assert_eq!(failure.details.close_code, (cause == 2).then_some(1008));
        }
    }
}

#[test]
fn a_close_instead_of_the_namespaces_answer_points_to_auth() {
    let mut rig = Rig::asking(settings());
    rig.input(Input::Eof);
    let failure = rig.ended(Status::Disconnected, None, Action::Hangup);
    says(&failure, &["before the request for the namespace \"/\" was answered", "\"auth\""]);
}

#[test]
fn a_bad_engine_handshake_is_a_protocol_failure() {
    for (open, words) in [
        ("0", "not JSON"),
        ("0{", "not JSON"),
        ("0[]", "sid"),
        (r#"0{"pingInterval":1,"pingTimeout":1}"#, "sid"),
        (r#"0{"sid":"","pingInterval":1,"pingTimeout":1}"#, "sid"),
        (r#"0{"sid":7,"pingInterval":1,"pingTimeout":1}"#, "sid"),
        (r#"0{"sid":"a","pingTimeout":1}"#, "pingInterval"),
        (r#"0{"sid":"a","pingInterval":0,"pingTimeout":1}"#, "pingInterval"),
        (r#"0{"sid":"a","pingInterval":1,"pingTimeout":-1}"#, "pingTimeout"),
        (r#"0{"sid":"a","pingInterval":1,"pingTimeout":"1"}"#, "pingTimeout"),
        ("96:0{\"sid\":\"a\"}2:40", "an Engine.IO 3 server"),
        ("7", "type"),
        ("", "empty"),
        ("hello", "type"),
    ] {
        let mut rig = Rig::greeting(settings());
        rig.text(open);
        let failure = rig.ended(Status::Protocol, None, BROKEN);
        says(&failure, &["broke the protocol before the Engine.IO handshake", words]);
        assert_eq!(failure.details.phase, Some(Phase::Handshake));
    }
}

#[test]
fn a_handshake_without_limits_has_none() {
    let mut rig = Rig::greeting(settings());
    rig.text(r#"0{"sid":"a","pingInterval":100.5,"pingTimeout":0.5,"maxPayload":-1,"upgrades":7}"#);
    rig.text(r#"40{"sid":"x"}"#);
    assert_eq!(rig.session.state(), State::Connected);
    let huge = usize::MAX;
    assert_eq!(rig.session.check_size(huge, &mut [huge].into_iter()), Ok(()));
}

#[test]
fn nothing_but_the_handshake_may_come_first() {
    for text in ["40{\"sid\":\"a\"}", "42[\"a\"]", "41"] {
        let mut rig = Rig::greeting(settings());
        assert_eq!(rig.text(text), Got::Nothing);
        let failure = rig.ended(Status::Protocol, None, BROKEN);
        says(&failure, &["a Socket.IO packet before the Engine.IO handshake"]);
    }
    let mut rig = Rig::greeting(settings());
    rig.binary(b"x");
    let failure = rig.ended(Status::Protocol, None, BROKEN);
    says(&failure, &["a binary message that no packet announced"]);
    // What means nothing does no harm.
    let mut rig = Rig::greeting(settings());
    rig.text("6");
    rig.text("3");
    rig.text(OPEN);
    assert!(matches!(rig.sent()[..], [Transmit::Connect(_)]));
}

#[test]
fn a_connect_without_sid_tells_of_an_old_server() {
    for text in ["40", "40{}", "40{\"sid\":\"\"}", "40{\"sid\":1}"] {
        let mut rig = Rig::asking(settings());
        rig.text(text);
        let failure = rig.ended(Status::Protocol, None, BROKEN);
        says(&failure, &["a Socket.IO 2 server"]);
        assert_eq!(failure.details.phase, Some(Phase::Namespace));
    }
}

#[test]
fn malformed_packets_before_the_answer_are_protocol_failures() {
    for text in ["49", "42", "42[]", "42[null]", "42[\"a\",NaN]", "40[]", "8", "43[1]"] {
        let mut rig = Rig::asking(settings());
        rig.text(text);
        let failure = rig.ended(Status::Protocol, None, BROKEN);
        says(&failure, &["broke the protocol before the request for the namespace \"/\""]);
    }
}

#[test]
fn a_second_open_ends_the_attempt() {
    let mut rig = Rig::asking(settings());
    rig.text(OPEN);
    let failure = rig.ended(Status::Protocol, None, BROKEN);
    says(&failure, &["a second Engine.IO handshake"]);
}

#[test]
fn the_heartbeat_runs_before_the_namespace_is_connected() {
    let mut rig = Rig::greeting(Settings { attempt_timeout: ms(100_000), ..settings() });
    rig.text(OPEN);
    rig.sent();
    rig.text("2");
    assert_eq!(rig.sent(), [Transmit::EnginePong(String::new())]);
    rig.pass(ms(SILENCE_MS));
    let failure = rig.ended(Status::Disconnected, None, Action::Hangup);
    says(&failure, &["connecting to", "nothing came from the server for 45000 ms"]);
}

#[test]
fn a_dial_that_was_never_begun_is_just_forgotten() {
    let mut rig = Rig::new();
    rig.session.connect(settings(), false, rig.now);
    rig.session.leave(rig.now);
    assert_eq!(rig.session.state(), State::Closed);
    assert_eq!(rig.actions(), []);
    rig.session.connect(settings(), false, rig.now);
    assert_eq!(rig.actions(), [Action::Dial(WEBSOCKET)]);
}

//! After a loss: the waits, the attempts, and what ends them for good.

use super::*;

const FAREWELL: Action = Action::Farewell { code: 1000 };

/// Something that ends a connection.
type Cause = fn(&mut Rig);

fn lasting() -> Settings {
    with(|_| {})
}

/// Settings that reconnect, with exact delays unless `change` says otherwise.
fn with(change: impl FnOnce(&mut Settings)) -> Settings {
    let reconnection = Reconnection { jitter: 0, ..Reconnection::default() };
    let mut settings = Settings { reconnection, ..settings() };
    change(&mut settings);
    settings
}

fn refused() -> Failure {
    Failure::new(Status::Unreachable, format!("{TARGET}: connection refused"))
        .in_phase(Phase::Connect)
}

/// Lets the wait pass and dials with these settings.
fn attempt(rig: &mut Rig, settings: Settings) {
    let until = rig.session.next_attempt().unwrap();
    rig.pass(until.saturating_sub(rig.now));
    assert_eq!(rig.actions(), [Action::Prepare]);
    assert_eq!(rig.session.next_attempt(), None);
    let first = settings.transports[0];
    rig.input(Input::Prepared(Ok(Box::new(settings))));
    assert_eq!(rig.actions(), [Action::Dial(first)]);
}

fn connect(rig: &mut Rig) {
    rig.input(Input::Open);
    rig.text(OPEN);
    rig.sent();
    let own = prefix(rig.session.namespace());
    rig.text(&format!("40{own}{{\"sid\":\"again\"}}"));
    assert_eq!(rig.session.state(), State::Connected);
}

fn fail(rig: &mut Rig) {
    rig.input(Input::Failed(refused()));
}

#[test]
fn a_lost_connection_is_made_again() {
    let mut rig = Rig::connected_with(lasting());
    assert_eq!(rig.reports(), [Report::Connected { attempts: 1 }]);
    let id = rig.session.begin_call(1);
    rig.input(Input::Eof);
    let reason = Some(Reason::TransportClose);
    let failure = rig.session.ended().unwrap().clone();
    let next = Some(ms(1_000));
    let report = Report::Ended { failure, reason, next, connected: true };
    assert_eq!(rig.reports(), [report]);
    assert_eq!(rig.session.reason(), reason);
    assert_eq!(rig.session.state(), State::Reconnecting);
    assert_eq!(rig.session.next_attempt(), Some(rig.now + ms(1_000)));
    assert_eq!(rig.session.deadline(), rig.session.next_attempt());
    assert_eq!((rig.session.sid(), rig.session.engine_sid(), rig.session.epoch()), ("", "", 1));
    assert_eq!(rig.actions(), [Action::Hangup]);
    // The calls are the monitor's to take.
    assert_eq!(rig.session.calls_waiting(), 1);
    assert_eq!(rig.session.take_calls_but(&[id]).count(), 0);
    // Of the link that is gone nothing is heard.
    assert_eq!(rig.text("42[\"a\"]"), Got::Nothing);
    assert_eq!(rig.binary(b"x"), Got::Nothing);
    rig.input(Input::Eof);
    assert_eq!((rig.actions(), rig.reports()), (vec![], vec![]));
    attempt(&mut rig, lasting());
    assert_eq!(rig.session.state(), State::Reconnecting);
    assert!(matches!(rig.session.admit(), Admission::Wait));
    connect(&mut rig);
    assert_eq!(rig.reports(), [Report::Connected { attempts: 1 }]);
    assert_eq!((rig.session.ended(), rig.session.reason()), (None, None));
    assert_eq!((rig.session.sid(), rig.session.epoch()), ("again", 2));
    let counters = rig.session.counters;
    assert_eq!((counters.attempts, counters.connects), (2, 2));
    assert_eq!(rig.text(&format!("43{id}[]")), reply(1, "[]", &[]));
}

#[test]
fn everything_but_the_servers_disconnect_and_ours_is_made_again() {
    let causes: [(Cause, Reason, Action); 8] = [
        (|rig| _ = rig.input(Input::Eof), Reason::TransportClose, Action::Hangup),
        (|rig| _ = rig.text("1"), Reason::TransportClose, FAREWELL),
        (
            |rig| _ = rig.input(Input::WebSocketClose(Some(1011), "bye".into())),
            Reason::TransportClose,
            Action::Farewell { code: 1011 },
        ),
        (
            |rig| _ = rig.input(Input::Lost { text: "reset".into(), os_error: Some(104) }),
            Reason::TransportError,
            Action::Hangup,
        ),
        (|rig| rig.pass(ms(SILENCE_MS)), Reason::PingTimeout, Action::Hangup),
        (|rig| _ = rig.text("42["), Reason::ParseError, Action::Farewell { code: 1002 }),
        (
            |rig| {
                rig.text("451-[\"a\"]");
                rig.pass(ms(29_999));
                rig.text("2");
                rig.pass(ms(1));
            },
            Reason::ParseError,
            Action::Farewell { code: 1002 },
        ),
        (|rig| _ = rig.input(Input::Malformed("m".into())), Reason::ParseError, {
            Action::Farewell { code: 1002 }
        }),
    ];
    for (cause, reason, action) in causes {
        let mut rig = Rig::connected_with(lasting());
        cause(&mut rig);
        assert_eq!(rig.session.reason(), Some(reason));
        rig.waits(State::Reconnecting, Some(action));
        // The next one starts with a fresh decoder.
        attempt(&mut rig, lasting());
        connect(&mut rig);
        assert_eq!(rig.text("42[\"a\"]"), event("a", "[]"));

        let mut rig = Rig::connected();
        cause(&mut rig);
        rig.ended(Status::Disconnected, Some(reason), action);
    }
    for text in ["41", "41\"bye\"", "44\"no\""] {
        let mut rig = Rig::connected_with(lasting());
        rig.reports();
        rig.text(text);
        let reason = Some(Reason::ServerDisconnect);
        let failure = rig.ended(Status::Disconnected, reason, FAREWELL);
        let report = Report::Ended { failure, reason, next: None, connected: true };
        assert_eq!(rig.reports(), [report]);
    }
}

#[test]
fn losses_by_polling_are_made_again_too() {
    let settings = || Settings { reconnection: Reconnection::default(), ..both() };
    let causes: [(Cause, Reason); 5] = [
        (|rig| _ = rig.input(Input::Failed(refused())), Reason::TransportError),
        (|rig| _ = rig.text("1"), Reason::TransportClose),
        (|rig| _ = rig.text("9"), Reason::ParseError),
        (|rig| rig.pass(ms(SILENCE_MS)), Reason::PingTimeout),
        (
            |rig| {
                rig.session.post_begun(rig.now);
                rig.pass(ms(5_000));
            },
            Reason::TransportError,
        ),
    ];
    for (cause, reason) in causes {
        let mut rig = Rig::polling_with(settings(), OPEN);
        rig.actions();
        cause(&mut rig);
        assert_eq!(rig.session.reason(), Some(reason));
        assert_eq!(rig.session.state(), State::Reconnecting);
        assert!(!rig.session.may_post() && !rig.session.is_posting());
        rig.actions();
        attempt(&mut rig, settings());
        rig.input(Input::Phase(Phase::Http));
        rig.text(OPEN);
        assert!(matches!(rig.post()[..], [Transmit::Connect(_)]));
        rig.polled();
        rig.input(Input::Posted);
        rig.body(&["40{\"sid\":\"x\"}"]);
        assert_eq!(rig.session.transport(), Some(POLLING));
    }
}

#[test]
fn delays_double_up_to_the_longest_and_attempts_are_counted() {
    let mut rig = Rig::connected_with(lasting());
    rig.reports();
    rig.input(Input::Eof);
    let (failure, mut delay) = rig.waits(State::Reconnecting, Some(Action::Hangup));
    assert_eq!(failure.details.attempt, None);
    for (number, expected) in (1..).zip([1_000, 2_000, 4_000, 5_000, 5_000, 5_000]) {
        assert_eq!(delay, ms(expected));
        says(&rig.session.timeout("x", ms(1)), &[&format!("waiting before attempt {number}")]);
        attempt(&mut rig, lasting());
        fail(&mut rig);
        let reason = rig.session.reason();
        assert_eq!(reason, Some(Reason::TransportError));
        let failure;
        (failure, delay) = rig.waits(State::Reconnecting, Some(Action::Hangup));
        assert_eq!(failure.details.attempt, Some(number));
        assert_eq!(failure.text, refused().text);
    }
    attempt(&mut rig, lasting());
    connect(&mut rig);
    assert_eq!(rig.reports(), [Report::Connected { attempts: 7 }]);
    // Counted anew, but not the delays: the connection was too short.
    rig.pass(ms(4_999));
    rig.input(Input::Eof);
    let (_, delay) = rig.waits(State::Reconnecting, Some(Action::Hangup));
    assert_eq!(delay, ms(5_000));
    attempt(&mut rig, lasting());
    connect(&mut rig);
    assert_eq!(rig.reports(), [Report::Connected { attempts: 1 }]);
    rig.pass(ms(5_000));
    rig.input(Input::Eof);
    let (_, delay) = rig.waits(State::Reconnecting, Some(Action::Hangup));
    assert_eq!(delay, ms(1_000));
}

#[test]
fn delays_lie_in_their_range_and_use_all_of_it() {
    for jitter in [0, 1, 50, 100, 200] {
        for (min, max) in [(1_000, 5_000), (100, 300), (5_000, 1_000), (10, 10), (0, 0)] {
            let limits = Reconnection { min: ms(min), max: ms(max), jitter, ..Default::default() };
            let settings = with(|settings| settings.reconnection = limits);
            for round in 0..4 {
                let share = f64::from(jitter.min(100)) / 100.0;
                let whole = (min << round).min(max) as f64;
                let shortest = (whole * (1.0 - share)).max(1.0);
                let longest = (whole * (1.0 + share)).min(max as f64).max(1.0);
                let (mut least, mut most) = (f64::MAX, 0.0f64);
                for seed in 0..200 {
                    let mut rig = Rig::seeded(seed);
                    rig.connect_to(settings.clone());
                    rig.input(Input::Eof);
                    rig.actions();
                    for _ in 0..round {
                        attempt(&mut rig, settings.clone());
                        fail(&mut rig);
                        rig.actions();
                    }
                    let until = rig.session.next_attempt().unwrap();
                    let delay = until.saturating_sub(rig.now).as_secs_f64() * 1e3;
                    (least, most) = (least.min(delay), most.max(delay));
                }
                assert!(least >= shortest - 1e-6, "{least} {shortest}");
                assert!(most <= longest + 1e-6, "{most} {longest}");
                let room = longest - shortest;
                assert!(least <= shortest + room / 10.0 && most >= longest - room / 10.0);
            }
        }
    }
}

#[test]
fn the_longest_delay_of_all_overflows_nothing() {
    for (min, max) in [(Duration::MAX, Duration::MAX), (Duration::from_secs(1), Duration::MAX)] {
        let limits = Reconnection { min, max, jitter: 100, ..Default::default() };
        let settings = with(|settings| settings.reconnection = limits);
        let mut rig = Rig::new();
        rig.connect_to(settings.clone());
        rig.input(Input::Eof);
        // No clock gets to the end of time.
        while let Some(until) = rig.session.next_attempt()
            && until.as_nanos() < u64::MAX
        {
            rig.actions();
            attempt(&mut rig, settings.clone());
            fail(&mut rig);
        }
        assert_eq!(rig.session.next_attempt(), Some(Moment::from_nanos(u64::MAX)));
    }
}

#[test]
fn attempts_that_may_fail_are_used_up() {
    let settings = || with(|settings| settings.reconnection.attempts = 2);
    let mut rig = Rig::connected_with(settings());
    for _ in 0..3 {
        rig.input(Input::Eof);
        rig.waits(State::Reconnecting, Some(Action::Hangup));
        attempt(&mut rig, settings());
        fail(&mut rig);
        rig.waits(State::Reconnecting, Some(Action::Hangup));
        attempt(&mut rig, settings());
        // Each connection has its own.
        connect(&mut rig);
    }
    rig.input(Input::Eof);
    rig.actions();
    attempt(&mut rig, settings());
    fail(&mut rig);
    rig.waits(State::Reconnecting, Some(Action::Hangup));
    attempt(&mut rig, settings());
    rig.input(Input::Open);
    rig.text("9");
    let reason = Some(Reason::TransportError);
    let failure = rig.ended(Status::Protocol, reason, Action::Farewell { code: 1002 });
    says(&failure, &["broke the protocol", "; that was the last attempt"]);
    assert_eq!(failure.details.attempt, Some(2));
    let report = Report::Ended { failure, reason, next: None, connected: false };
    assert_eq!(rig.reports(), [report]);
    let Admission::Refused(failure) = rig.session.admit() else { panic!("admitted") };
    assert_eq!(failure.status, Status::Disconnected);
    says(&failure, &["not connected: "]);
}

#[test]
fn a_refusal_is_final_unless_it_is_to_be_retried() {
    for retry_refused in [false, true] {
        let settings = || with(|settings| settings.retry_refused = retry_refused);
        let mut rig = Rig::connected_with(settings());
        rig.input(Input::Eof);
        rig.waits(State::Reconnecting, Some(Action::Hangup));
        attempt(&mut rig, settings());
        rig.input(Input::Open);
        rig.text(OPEN);
        rig.sent();
        rig.text("44{\"message\":\"expired\"}");
        let reason = Some(Reason::ServerDisconnect);
        assert_eq!(rig.session.reason(), reason);
        if retry_refused {
            let (failure, _) = rig.waits(State::Reconnecting, Some(FAREWELL));
            assert_eq!(failure.status, Status::Refused);
        } else {
            let failure = rig.ended(Status::Refused, reason, FAREWELL);
            says(&failure, &["refused the namespace \"/\": expired", "retry_refused"]);
            assert_eq!(failure.details.message.as_deref(), Some("\"expired\""));
        }
    }
}

#[test]
fn what_no_further_attempt_can_mend_is_final() {
    for status in [Status::Invalid, Status::Unsupported] {
        let mut rig = Rig::connected_with(lasting());
        rig.input(Input::Eof);
        rig.waits(State::Reconnecting, Some(Action::Hangup));
        rig.pass(ms(1_000));
        assert_eq!(rig.actions(), [Action::Prepare]);
        rig.input(Input::Prepared(Err(Failure::new(status, "no such namespace"))));
        assert_eq!(rig.session.state(), State::Closed);
        assert_eq!(rig.session.ended().unwrap().status, status);
        assert_eq!(rig.session.reason(), Some(Reason::TransportError));
        assert_eq!(rig.actions(), []);
    }
    for status in [Status::Tls, Status::System, Status::Protocol, Status::Unreachable] {
        let mut rig = Rig::connected_with(lasting());
        rig.input(Input::Eof);
        rig.waits(State::Reconnecting, Some(Action::Hangup));
        attempt(&mut rig, lasting());
        rig.input(Input::Failed(Failure::new(status, TARGET)));
        rig.waits(State::Reconnecting, Some(Action::Hangup));
    }
}

#[test]
fn a_prepare_that_fails_is_a_failed_attempt_and_another_follows() {
    let mut rig = Rig::connected_with(lasting());
    rig.input(Input::Eof);
    rig.waits(State::Reconnecting, Some(Action::Hangup));
    rig.pass(ms(1_000));
    rig.actions();
    let no = Failure::new(Status::Unreachable, format!("prepare for {TARGET} returned 1"));
    rig.input(Input::Prepared(Err(no)));
    let (failure, delay) = rig.waits(State::Reconnecting, None);
    assert_eq!((failure.details.phase, delay), (Some(Phase::Prepare), ms(2_000)));
}

#[test]
fn an_attempt_has_its_limit_and_another_follows() {
    let mut rig = Rig::connected_with(lasting());
    rig.input(Input::Eof);
    rig.waits(State::Reconnecting, Some(Action::Hangup));
    attempt(&mut rig, lasting());
    rig.input(Input::Open);
    rig.pass(ms(20_000));
    let (failure, _) = rig.waits(State::Reconnecting, Some(FAREWELL));
    assert_eq!(failure.status, Status::Timeout);
    says(&failure, &["reconnecting to", "attempt_timeout_ms"]);
}

#[test]
fn reconnection_that_is_turned_off_meanwhile_ends_with_the_attempt() {
    let mut rig = Rig::connected_with(lasting());
    rig.input(Input::Eof);
    rig.waits(State::Reconnecting, Some(Action::Hangup));
    attempt(&mut rig, settings());
    fail(&mut rig);
    rig.ended(Status::Unreachable, Some(Reason::TransportError), Action::Hangup);
}

#[test]
fn leaving_ends_a_reconnection_at_once() {
    let mut waiting = Rig::connected_with(lasting());
    waiting.input(Input::Eof);
    waiting.waits(State::Reconnecting, Some(Action::Hangup));
    let mut preparing = Rig::connected_with(lasting());
    preparing.input(Input::Eof);
    preparing.pass(ms(1_000));
    assert_eq!(preparing.actions(), [Action::Hangup, Action::Prepare]);
    preparing.reports();
    for mut rig in [waiting, preparing] {
        rig.session.leave(rig.now);
        assert_eq!(rig.session.state(), State::Closed);
        assert_eq!(rig.actions(), []);
        let failure = rig.session.ended().unwrap().clone();
        says(&failure, &["reconnecting to", "ended by the program, which disconnected while"]);
        assert_eq!(failure.status, Status::Disconnected);
        let reason = Some(Reason::ClientDisconnect);
        let report = Report::Ended { failure, reason, next: None, connected: false };
        assert_eq!(rig.reports(), [report]);
        assert_eq!((rig.session.left(), rig.session.deadline()), (None, None));
    }
    let mut rig = Rig::connected_with(lasting());
    rig.input(Input::Eof);
    rig.actions();
    attempt(&mut rig, lasting());
    rig.session.leave(rig.now);
    rig.ended(Status::Disconnected, Some(Reason::ClientDisconnect), Action::Hangup);
}

#[test]
fn giving_up_ends_a_wait_at_once() {
    let mut rig = Rig::connected_with(lasting());
    rig.input(Input::Lost { text: "reset".into(), os_error: None });
    rig.waits(State::Reconnecting, Some(Action::Hangup));
    rig.session.give_up(Failure::new(Status::Internal, "defect"), rig.now);
    assert_eq!(rig.session.state(), State::Closed);
    assert_eq!(rig.session.reason(), Some(Reason::ClientDisconnect));
    let failure = rig.session.ended().unwrap();
    assert_eq!((failure.status, failure.details.phase), (Status::Internal, Some(Phase::Session)));
    assert_eq!((rig.actions(), rig.session.deadline()), (vec![], None));
}

#[test]
fn a_timeout_tells_what_went_before() {
    let mut rig = Rig::connected_with(lasting());
    rig.input(Input::Eof);
    let failure = rig.session.timeout("its timeout", ms(5));
    says(&failure, &["reconnecting to", "its timeout (5 ms)", "waiting before attempt 1"]);
    says(&failure, &["the connection before had ended: the connection to", "server closed"]);
    assert_eq!(failure.details.phase, Some(Phase::Session));
    rig.waits(State::Reconnecting, Some(Action::Hangup));
    attempt(&mut rig, lasting());
    fail(&mut rig);
    let failure = rig.session.timeout("its timeout", ms(5));
    says(&failure, &["waiting before attempt 2; attempt 1 had failed: ", "connection refused"]);
    rig.waits(State::Reconnecting, Some(Action::Hangup));
    attempt(&mut rig, lasting());
    let failure = rig.session.timeout("its timeout", ms(5));
    says(&failure, &["looking up the server's name", "; attempt 1 had failed: "]);
}

#[test]
fn a_pause_ends_with_its_connection() {
    let mut rig = Rig::connected_with(lasting());
    rig.session.pause(rig.now);
    rig.input(Input::Eof);
    rig.waits(State::Reconnecting, Some(Action::Hangup));
    attempt(&mut rig, lasting());
    connect(&mut rig);
    assert_eq!(rig.session.deadline(), Some(rig.now + ms(SILENCE_MS)));
}

#[test]
fn a_wait_that_is_late_is_over() {
    // The machine slept through it.
    let mut rig = Rig::connected_with(lasting());
    rig.input(Input::Eof);
    rig.actions();
    rig.now = rig.now + ms(100_000);
    rig.session.expire(rig.now);
    assert_eq!(rig.actions(), [Action::Prepare]);
    assert_eq!(rig.session.deadline(), Some(rig.now + ms(20_000)));
}

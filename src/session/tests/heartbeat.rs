//! Pings, pongs, and the silence after which a connection counts as dead.

use super::*;

fn rig_with(interval: &str, timeout: &str) -> Rig {
    let endless = Settings { attempt_timeout: Duration::MAX, ..settings() };
    let mut rig = Rig::greeting(endless);
    rig.text(&format!(r#"0{{"sid":"a","pingInterval":{interval},"pingTimeout":{timeout}}}"#));
    rig.text("40{\"sid\":\"x\"}");
    rig.sent();
    assert_eq!(rig.session.state(), State::Connected);
    rig
}

#[track_caller]
fn dies_after(rig: &mut Rig, silence: Duration) {
    assert_eq!(rig.session.deadline(), Some(rig.now + silence));
    rig.pass(silence - Duration::from_nanos(1));
    assert_eq!(rig.session.state(), State::Connected);
    rig.pass(Duration::from_nanos(1));
    let reason = Some(Reason::PingTimeout);
    let failure = rig.ended(Status::Disconnected, reason, Action::Hangup);
    says(&failure, &["nothing came from the server for", "pingInterval and pingTimeout"]);
    assert_eq!(failure.details.phase, Some(Phase::Session));
}

#[test]
fn a_silent_server_is_dead_to_the_millisecond() {
    dies_after(&mut Rig::connected(), ms(SILENCE_MS));
    dies_after(&mut rig_with("100", "50"), ms(150));
}

#[test]
fn fractions_of_milliseconds_and_values_over_a_day_are_taken() {
    dies_after(&mut rig_with("100.5", "50.25"), Duration::from_micros(150_750));
    let day = Duration::from_secs(86_400);
    dies_after(&mut rig_with("1e12", "50"), day + ms(50));
    dies_after(&mut rig_with("1e300", "86400001"), 2 * day);
}

#[test]
fn any_byte_shows_that_the_server_lives() {
    let mut rig = Rig::connected();
    for _ in 0..10 {
        rig.pass(ms(SILENCE_MS - 1));
        // A read that does not complete a frame.
        rig.session.touch(rig.now);
        assert_eq!(rig.session.state(), State::Connected);
    }
    dies_after(&mut rig, ms(SILENCE_MS));
}

#[test]
fn pings_are_answered_with_their_payload() {
    let mut rig = Rig::connected();
    rig.text("2");
    assert_eq!(rig.sent(), [Transmit::EnginePong(String::new())]);
    rig.text("2probe");
    assert_eq!(rig.sent(), [Transmit::EnginePong("probe".into())]);
    rig.text(&format!("2{}", "x".repeat(126)));
    assert_eq!(rig.sent(), [Transmit::EnginePong(String::new())]);
    rig.input(Input::WebSocketPing(b"\xff\x00"));
    assert_eq!(rig.sent(), [Transmit::WebSocketPong(b"\xff\x00".to_vec())]);
}

#[test]
fn a_pong_that_waits_is_replaced_by_the_next() {
    let mut rig = Rig::connected();
    for round in 0..1_000 {
        rig.text(&format!("2{round}"));
        rig.input(Input::WebSocketPing(format!("{round}").as_bytes()));
    }
    let pongs = [Transmit::EnginePong("999".into()), Transmit::WebSocketPong(b"999".to_vec())];
    assert_eq!(rig.sent(), pongs);
}

#[test]
fn a_pong_does_not_replace_or_overtake_the_request_for_the_namespace() {
    let mut rig = Rig::greeting(settings());
    rig.text(OPEN);
    rig.text("2");
    rig.text("2again");
    let expected = [Transmit::Connect(b"0".to_vec()), Transmit::EnginePong("again".into())];
    assert_eq!(rig.sent(), expected);
}

#[test]
fn while_reading_is_paused_the_clock_stands_still() {
    let mut rig = Rig::connected();
    rig.pass(ms(40_000));
    rig.session.pause(rig.now);
    assert_eq!(rig.session.deadline(), None);
    rig.session.expire(rig.now + ms(1_000_000));
    rig.pass(ms(70_000));
    // Told again, it does not begin anew.
    rig.session.pause(rig.now);
    rig.pass(ms(30_000));
    rig.session.resume(rig.now);
    assert_eq!(rig.session.state(), State::Connected);
    rig.session.resume(rig.now);
    dies_after(&mut rig, ms(5_000));
}

#[test]
fn a_byte_that_comes_at_the_start_of_a_pause_counts_once() {
    let mut rig = Rig::connected();
    rig.session.pause(rig.now);
    rig.pass(ms(10_000));
    rig.session.touch(rig.now);
    rig.pass(ms(10_000));
    rig.session.resume(rig.now);
    // The pause does not move the clock into the future.
    dies_after(&mut rig, ms(SILENCE_MS));
}

#[test]
fn a_pause_ends_with_its_connection() {
    let mut rig = Rig::connected();
    rig.session.pause(rig.now);
    rig.input(Input::Eof);
    rig.actions();
    rig.pass(ms(100_000));
    rig.session.connect(settings(), false, rig.now);
    rig.input(Input::Open);
    rig.text(OPEN);
    rig.text("40{\"sid\":\"x\"}");
    rig.session.resume(rig.now);
    rig.actions();
    dies_after(&mut rig, ms(SILENCE_MS));
}

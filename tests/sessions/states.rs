//! The column RECONNECTING of the table of states, row by row, and CONNECTING while it is retried.

#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::Instant;

use sio::client::Client;
use sio::error::Status;
use sio::session::State;

use crate::clients::*;
use crate::common::scripted::{Engine, Plan, ReservedPort};
use crate::support::*;

/// A client whose server is down, and that will not try again soon.
fn down(options: &[(&str, &str)]) -> (Arc<Client>, Engine) {
    let mut engine = Engine::start(Plan::polling_only());
    let client = reconnecting(&[&[("transports", "polling")], options].concat());
    join(&client, &engine);
    engine.wait_for_poll();
    engine.send("42[\"queued\",1]");
    engine.send("42[\"queued\",2]");
    wait_until("events are queued", || stat(&client, "receive_queued") == 2);
    engine.down();
    wait_for_state(&client, State::Reconnecting);
    (client, engine)
}

const LATER: &[(&str, &str)] = &[("reconnect_min_ms", "60000"), ("reconnect_max_ms", "60000")];

fn later(more: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    [LATER, more].concat()
}

#[test]
fn connect_is_refused() {
    let (client, _engine) = down(LATER);
    assert_eq!(client.connect(None, PATIENT), Err(Status::State));
    assert_says(&client, "connect");
    assert_eq!(client.connect(Some("http://127.0.0.1:1"), AT_ONCE), Err(Status::State));
    assert_eq!(client.state(), State::Reconnecting);
}

#[test]
fn sid_and_transport_are_empty() {
    let (client, _engine) = down(LATER);
    assert_eq!((client.sid(), client.transport()), (String::new(), ""));
}

#[test]
fn receive_hands_out_what_is_queued_and_then_waits() {
    let (client, mut engine) = down(&[]);
    assert_event(&client, "queued", "[1]");
    assert_event(&client, "queued", "[2]");
    assert_eq!(receive_fails(&client, AT_ONCE), Status::Timeout);
    assert_eq!(receive_fails(&client, limit(100)), Status::Timeout);
    let receiving =
        start(&client, |client| client.receive(PATIENT).map(|message| message.name().to_owned()));
    std::thread::sleep(ms(200));
    engine.up();
    wait_for_state(&client, State::Connected);
    engine.send("42[\"new\"]");
    assert_eq!(receiving.back(), Ok("new".to_owned()));
}

#[test]
fn emit_waits_to_its_deadline() {
    let _quiet = quiet();
    let (client, _engine) = down(LATER);
    assert_eq!(client.emit("a", None, &[], AT_ONCE), Err(Status::Timeout));
    let since = Instant::now();
    assert_eq!(client.emit("a", None, &[], limit(200)), Err(Status::Timeout));
    assert_elapsed(since, ms(200), ms(250));
    assert_eq!(stat(&client, "send_queued"), 0, "with any other status nothing is sent");
}

#[test]
fn emit_waits_for_the_connection_and_keeps_its_order() {
    let (client, mut engine) = down(&[]);
    let emitting: Vec<_> = ["1", "2", "3"]
        .map(|name| block(&client, move |client| client.emit(name, None, &[], PATIENT)))
        .into();
    engine.up();
    for emitting in emitting {
        assert_eq!(emitting.back(), Ok(()));
    }
    engine.wait_for_text("42[\"3\"]");
    assert_eq!(engine.texts(), ["40", "40", "42[\"1\"]", "42[\"2\"]", "42[\"3\"]"]);
}

#[test]
fn emit_fails_at_once_if_it_should() {
    let (client, mut engine) = down(&[("offline", "fail")]);
    within(WAKE, || {
        assert_eq!(client.emit("a", None, &[], PATIENT), Err(Status::Disconnected));
        assert_eq!(call_fails(&client, "a", PATIENT), Status::Disconnected);
    });
    assert_eq!(client.state(), State::Reconnecting);
    engine.up();
    wait_for_state(&client, State::Connected);
    emit(&client, "b", "[]");
    engine.wait_for_text("42[\"b\"]");
    assert_eq!(engine.texts(), ["40", "40", "42[\"b\"]"]);
}

#[test]
fn emit_is_buffered_if_it_should_be() {
    let (client, mut engine) = down(&[("offline", "buffer")]);
    within(WAKE, || {
        for i in 0..40 {
            emit(&client, "e", &format!("[{i}]"));
        }
        let args = r#"[{"_placeholder":true,"num":0}]"#;
        assert_eq!(client.emit("b", Some(args), &[b"bytes"], AT_ONCE), Ok(()));
    });
    assert_eq!(stat(&client, "send_queued"), 41);
    engine.up();
    wait_for_state(&client, State::Connected);
    emit(&client, "behind", "[]");
    engine.wait_for_text("42[\"behind\"]");
    let texts = engine.texts();
    for i in 0..40 {
        assert_eq!(texts[2 + i], format!("42[\"e\",{i}]"));
    }
    assert_eq!(texts[42], r#"451-["b",{"_placeholder":true,"num":0}]"#);
    assert_eq!(texts[43], "42[\"behind\"]");
}

#[test]
fn the_buffer_is_bounded() {
    let _quiet = quiet();
    let (client, _engine) = down(&later(&[("offline", "buffer"), ("send_limit", "100000")]));
    let args = format!("[\"{}\"]", "x".repeat(9_000));
    let count = (0..).take_while(|_| client.emit("e", Some(&args), &[], AT_ONCE).is_ok()).count();
    assert_eq!(count, 10);
    let since = Instant::now();
    assert_eq!(client.emit("e", Some(&args), &[], limit(150)), Err(Status::Timeout));
    assert_elapsed(since, ms(150), ms(200));
}

#[test]
fn call_follows_emit_and_has_one_deadline_for_all() {
    let _quiet = quiet();
    for offline in ["wait", "buffer"] {
        let (client, mut engine) = down(&[("offline", offline)]);
        let since = Instant::now();
        let calling = start(&client, |client| call_fails(client, "c", limit(900)));
        std::thread::sleep(ms(250));
        engine.up();
        engine.wait_for_text("420[\"c\"]");
        // Nobody answers; the time ran from the beginning.
        assert_eq!(calling.back(), Status::Timeout);
        assert_elapsed(since, ms(900), ms(950));
    }
}

#[test]
fn a_call_whose_time_ends_before_the_connection_is_there_is_never_sent() {
    for offline in ["wait", "buffer"] {
        let (client, mut engine) = down(&[("offline", offline)]);
        assert_eq!(call_fails(&client, "late", limit(100)), Status::Timeout);
        let interrupted = block(&client, |client| call_fails(client, "interrupted", PATIENT));
        client.interrupt();
        assert_eq!(interrupted.back(), Status::Interrupted);
        assert_eq!(stat(&client, "send_queued"), 0);
        engine.up();
        wait_for_state(&client, State::Connected);
        emit(&client, "on", "[]");
        engine.wait_for_text("42[\"on\"]");
        assert_eq!(engine.texts(), ["40", "40", "42[\"on\"]"]);
    }
}

#[test]
fn flush_waits_while_something_is_buffered() {
    let (client, mut engine) = down(&[("offline", "buffer")]);
    emit(&client, "a", "[]");
    assert_eq!(client.flush(limit(100)), Err(Status::Timeout));
    let flushing = block(&client, |client| client.flush(PATIENT));
    engine.up();
    assert_eq!(flushing.back(), Ok(()));
    engine.wait_for_text("42[\"a\"]");
}

#[test]
fn flush_is_as_when_connected_if_nothing_is_buffered() {
    for offline in ["wait", "fail"] {
        let (client, _engine) = down(&later(&[("offline", offline)]));
        // Everything had been handed over before the loss.
        assert_eq!(within(WAKE, || client.flush(PATIENT)), Ok(()), "{}", client.error());
    }
}

#[test]
fn disconnect_is_final_and_at_once() {
    for offline in ["wait", "buffer", "fail"] {
        let (client, mut engine) = down(&[("offline", offline)]);
        let receiving = {
            assert_event(&client, "queued", "[1]");
            assert_event(&client, "queued", "[2]");
            block(&client, |client| client.receive(PATIENT).map(drop))
        };
        assert_eq!(within(END, || client.disconnect(PATIENT)), Ok(()), "{offline}");
        assert_eq!(receiving.back(), Err(Status::Disconnected));
        assert_eq!(client.state(), State::Closed);
        engine.up();
        assert_silent(&engine, ms(600));
        assert_eq!(client.emit("a", None, &[], PATIENT), Err(Status::Disconnected));
        assert_eq!(client.disconnect(PATIENT), Ok(()));
        join(&client, &engine);
    }
}

#[test]
fn disconnect_says_so_if_buffered_emits_are_given_up() {
    let (client, _engine) = down(&later(&[("offline", "buffer")]));
    for _ in 0..3 {
        emit(&client, "e", "[]");
    }
    let calling = block(&client, |client| (call_fails(client, "c", PATIENT), failure(client)));
    let dropped = stat(&client, "dropped_sent");
    assert_eq!(within(END, || client.disconnect(PATIENT)), Err(Status::Timeout));
    assert_eq!(client.state(), State::Closed);
    let (status, failure) = calling.back();
    assert_eq!(status, Status::Disconnected);
    assert!(failure["sent"] != true, "{failure}");
    assert_eq!(stat(&client, "dropped_sent") - dropped, 4);
    assert_eq!(stat(&client, "send_queued"), 0);
}

#[test]
fn interrupt_ends_waits_and_reconnection_goes_on() {
    let (client, mut engine) = down(&[]);
    let waits = [
        block(&client, |client| client.emit("a", None, &[], PATIENT)),
        block(&client, |client| client.call("c", None, &[], PATIENT).map(drop)),
    ];
    let since = Instant::now();
    client.interrupt();
    for wait in waits {
        assert_eq!(wait.back_within(since, WAKE), Err(Status::Interrupted));
    }
    assert_eq!(client.state(), State::Reconnecting);
    engine.up();
    wait_for_state(&client, State::Connected);
    emit(&client, "on", "[]");
    engine.wait_for_text("42[\"on\"]");
    assert_eq!(engine.texts(), ["40", "40", "42[\"on\"]"]);
}

#[test]
fn calls_end_at_once_when_the_connection_drops() {
    let _quiet = quiet();
    for transports in ["polling", "websocket", "polling,websocket"] {
        let engine = Engine::usual();
        let client = reconnecting(&[("transports", transports)]);
        join(&client, &engine);
        if transports.ends_with("g,websocket") {
            wait_until("websocket", || client.transport() == "websocket");
        }
        let calling = start(&client, |client| (call_fails(client, "c", PATIENT), failure(client)));
        engine.wait_for_text("420[\"c\"]");
        // Its POST has been answered.
        std::thread::sleep(ms(50));
        let since = Instant::now();
        engine.http().cut();
        let (status, failure) = calling.back_within(since, WAKE * 2);
        assert_eq!(status, Status::Disconnected);
        assert_eq!(failure["sent"], true, "{failure}");
        wait_for_state(&client, State::Connected);
        std::thread::sleep(ms(100));
        let times = engine.texts().iter().filter(|text| text.ends_with("[\"c\"]")).count();
        assert_eq!(times, 1, "a call is never sent twice");
    }
}

#[test]
fn state_is_reconnecting_while_an_attempt_is_under_way() {
    let namespace = crate::common::scripted::Gate::new();
    namespace.open();
    let silent = crate::common::scripted::Gate::new();
    let is_silent = silent.clone();
    let plan = Plan::polling_only()
        .hook(move |_| is_silent.is_open().then(crate::common::scripted::Answer::silence));
    let engine = Engine::start(plan);
    let client = reconnecting(&[("transports", "polling")]);
    join(&client, &engine);
    engine.wait_for_poll();
    let before = engine.http().exchanges().len();
    silent.open();
    engine.http().cut();
    engine.http().wait_for("an attempt", |all| (all.len() > before).then_some(()));
    assert_eq!(client.state(), State::Reconnecting);
    assert_eq!(client.emit("a", None, &[], AT_ONCE), Err(Status::Timeout));
    assert_eq!(client.connect(None, PATIENT), Err(Status::State));
    assert_eq!(within(END, || client.disconnect(PATIENT)), Ok(()));
    engine.http().wait_for_ends();
    assert_silent(&engine, ms(300));
}

#[test]
fn the_first_connect_has_its_own_state_while_it_is_retried() {
    let port = ReservedPort::any().expect("a port");
    let client = reconnecting(&[("retry_connect", "1")]);
    let url = port.url();
    let connecting = start(&client, move |client| client.connect(Some(&url), PATIENT));
    wait_until("a retry", || stat(&client, "attempts") >= 2);
    assert_eq!(client.state(), State::Connecting);
    assert_eq!(client.emit("a", None, &[], AT_ONCE), Err(Status::Timeout));
    assert_eq!(within(END, || client.disconnect(PATIENT)), Ok(()));
    assert_eq!(connecting.back(), Err(Status::Disconnected));
    assert_eq!(client.state(), State::Closed);
}

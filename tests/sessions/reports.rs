//! Messages of state: in order among the events, with what they say.

#![forbid(unsafe_code)]

use serde_json::{Value, json};
use sio::client::Client;
use sio::error::Status;
use sio::message::MessageKind;
use sio::session::State;

use crate::clients::*;
use crate::common::scripted::{Answer, Engine, Plan};
use crate::support::*;

/// The next message: its kind, its name, and its first argument.
#[track_caller]
fn next(client: &Client) -> (MessageKind, String, Value) {
    let message = client.receive(PATIENT).unwrap_or_else(|_| panic!("{}", client.error()));
    let args: Value = serde_json::from_str(message.args()).expect("JSON");
    assert_eq!(message.buffer(0), None);
    (message.kind(), message.name().to_owned(), args[0].clone())
}

#[track_caller]
fn assert_connected(client: &Client, sid: &str, attempts: u64) {
    let (kind, name, args) = next(client);
    assert_eq!((kind, name.as_str()), (MessageKind::Connected, ""));
    assert_eq!(args, json!({"sid": sid, "recovered": false, "attempts": attempts}));
}

#[track_caller]
fn assert_disconnected(client: &Client, reason: &str, last: bool) -> Value {
    let (kind, name, args) = next(client);
    assert_eq!((kind, name.as_str()), (MessageKind::Disconnected, ""), "{args}");
    assert_eq!(args["reason"], reason, "{args}");
    assert_eq!(args["final"], last, "{args}");
    assert!(!args["text"].as_str().unwrap_or_default().is_empty(), "{args}");
    if last {
        assert!(args["next_ms"].is_null(), "{args}");
    } else {
        let next = args["next_ms"].as_f64().expect("when the next attempt is");
        assert!((0.0..=210.0).contains(&next), "{args}");
    }
    args
}

const REPORTING: (&str, &str) = ("report_state", "1");

#[test]
fn connections_and_their_ends_are_reported_in_order_with_the_events() {
    for transports in ["polling", "websocket", "polling,websocket"] {
        let engine = Engine::usual();
        let client = reconnecting(&[REPORTING, ("transports", transports)]);
        join(&client, &engine);
        for round in 0..3 {
            engine.send(&format!("42[\"e\",{round}]"));
            wait_until("it is queued", || stat(&client, "receive_queued") == 2 + 3 * round);
            engine.http().cut();
            wait_until("another session", || engine.sessions() as u64 == round + 2);
            wait_for_state(&client, State::Connected);
        }
        assert_eq!(client.disconnect(PATIENT), Ok(()), "{}", client.error());
        for round in 0..3 {
            assert_connected(&client, &format!("socket-{round}"), 1);
            let (kind, name, number) = next(&client);
            assert_eq!((kind, name.as_str(), number), (MessageKind::Event, "e", json!(round)));
            let (kind, _, args) = next(&client);
            assert_eq!(kind, MessageKind::Disconnected);
            let reason = args["reason"].as_str().unwrap().to_owned();
            assert!(["transport close", "transport error"].contains(&reason.as_str()), "{args}");
            assert_eq!(args["final"], false);
        }
        assert_connected(&client, "socket-3", 1);
        assert_disconnected(&client, "io client disconnect", true);
        assert_eq!(receive_fails(&client, PATIENT), Status::Disconnected);
    }
}

#[test]
fn reasons_are_the_words_of_every_client() {
    type End = fn(&Engine);
    let ends: [(&str, End, &str, bool); 6] = [
        ("41", |engine| engine.send("41"), "io server disconnect", true),
        ("CLOSE", |engine| engine.send("1"), "transport close", false),
        ("nonsense", |engine| engine.send("nonsense"), "parse error", false),
        ("bad poll", |engine| engine.answer_poll(Answer::ok("")), "parse error", false),
        ("400", |engine| engine.answer_poll(Answer::error(1, "x")), "transport error", false),
        ("silence", |_| {}, "ping timeout", false),
    ];
    for (what, end, reason, last) in ends {
        let engine = Engine::start(beating(300, 200));
        let client = reconnecting(&[REPORTING, ("transports", "polling")]);
        join(&client, &engine);
        assert_connected(&client, "socket-0", 1);
        engine.wait_for_poll();
        end(&engine);
        assert_disconnected(&client, reason, last);
        if !last {
            assert_connected(&client, "socket-1", 1);
        }
        assert_eq!(client.state() == State::Closed, last, "{what}");
    }
}

#[test]
fn attempts_are_counted_and_the_last_end_is_final() {
    let mut engine = Engine::start(Plan::polling_only());
    let client = reconnecting(&[REPORTING, ("transports", "polling"), ("reconnect_attempts", "5")]);
    join(&client, &engine);
    assert_connected(&client, "socket-0", 1);
    let tried = stat(&client, "attempts");
    engine.down();
    wait_until("two attempts", || stat(&client, "attempts") >= tried + 2);
    engine.up();
    let (kind, _, args) = next(&client);
    assert_eq!((kind, &args["final"]), (MessageKind::Disconnected, &json!(false)));
    let (kind, _, args) = next(&client);
    assert_eq!(kind, MessageKind::Connected);
    // The one that was under way may have found the server.
    let took = stat(&client, "attempts") - tried;
    assert!(took >= 2 && args["attempts"] == took, "{args}, and it took {took}");
    engine.down();
    let (kind, _, args) = next(&client);
    assert_eq!((kind, &args["final"]), (MessageKind::Disconnected, &json!(false)));
    let args = assert_disconnected(&client, "transport error", true);
    assert!(args["text"].as_str().unwrap().contains("127.0.0.1"), "{args}");
    assert_eq!(receive_fails(&client, PATIENT), Status::Disconnected);
}

#[test]
fn a_refused_reconnection_is_reported_as_final() {
    let engine = Engine::start(
        Plan::default()
            .refusing(|session| (session > 0).then(|| r#"44{"message":"expired"}"#.to_owned())),
    );
    let client = reconnecting(&[REPORTING, ("transports", "polling")]);
    join(&client, &engine);
    assert_connected(&client, "socket-0", 1);
    engine.wait_for_poll();
    engine.http().cut();
    let (kind, _, args) = next(&client);
    assert_eq!((kind, &args["final"]), (MessageKind::Disconnected, &json!(false)));
    let args = assert_disconnected(&client, "io server disconnect", true);
    assert!(args["text"].as_str().unwrap().contains("expired"), "{args}");
    assert_eq!(receive_fails(&client, PATIENT), Status::Disconnected);
    assert_says(&client, "expired");
}

#[test]
fn nothing_is_reported_unless_it_is_asked_for() {
    let engine = Engine::usual();
    let client = reconnecting(&[]);
    join(&client, &engine);
    // Between two requests nothing is lost with a connection; the session has to be gone too.
    engine.forget();
    engine.http().cut();
    wait_until("another session", || engine.sessions() == 2);
    wait_for_state(&client, State::Connected);
    engine.send("42[\"only\"]");
    assert_event(&client, "only", "[]");
    assert_eq!(receive_fails(&client, AT_ONCE), Status::Timeout);
}

#[test]
fn a_failed_connect_reports_nothing() {
    let engine = Engine::start(Plan::default().refusing(|_| Some("44".to_owned())));
    let client = reconnecting(&[REPORTING, ("transports", "polling")]);
    assert_eq!(client.connect(Some(&engine.url()), PATIENT), Err(Status::Refused));
    assert_eq!(receive_fails(&client, PATIENT), Status::Disconnected);
}

#[test]
fn reports_are_taken_however_full_the_queue_is() {
    for overflow in ["drop_newest", "drop_oldest"] {
        let engine = Engine::usual();
        let client = reconnecting(&[
            REPORTING,
            ("transports", "websocket"),
            ("receive_overflow", overflow),
            ("receive_limit", "2000"),
        ]);
        join(&client, &engine);
        for i in 0..50 {
            engine.send(&format!("42[\"e\",{i},\"{}\"]", "x".repeat(100)));
        }
        wait_until("it is full", || stat(&client, "dropped_received") > 20);
        engine.http().cut();
        wait_until("another session", || engine.sessions() == 2);
        wait_for_state(&client, State::Connected);
        let mut kinds = Vec::new();
        while let Ok(message) = client.receive(AT_ONCE) {
            kinds.push(message.kind());
        }
        kinds.retain(|kind| *kind != MessageKind::Event);
        assert_eq!(
            kinds,
            [MessageKind::Connected, MessageKind::Disconnected, MessageKind::Connected]
        );
    }
}

//! The end of a polling or upgraded connection wakes everybody, with the right status, whatever they
//! wait for.

#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::Instant;

use sio::client::Client;
use sio::error::Status;
use sio::session::State;

use crate::clients::*;
use crate::common::scripted::{Answer, Came, Engine, Gate, Plan};
use crate::support::*;

type Waiting = Vec<(&'static str, Running<Result<(), Status>>)>;

/// A client whose POST is not answered and whose queue is full, and calls that wait on it.
fn stuck(options: &[(&str, &str)]) -> (Arc<Client>, Engine, Waiting) {
    let (client, engine) =
        polled_with(&[&[("send_limit", "500000")], options].concat(), Plan::polling_only());
    engine.wait_for_poll();
    engine.answer_post(Answer::ok("ok").when(&Gate::new()));
    emit(&client, "touched", "[]");
    engine.wait_for_text("42[\"touched\"]");
    let args = format!("[\"{}\"]", "x".repeat(20_000));
    while client.emit("fill", Some(&args), &[], AT_ONCE).is_ok() {}
    let emit = move |client: &Client| client.emit("waits", Some(&args), &[], PATIENT);
    let waiting: Waiting = vec![
        ("receive", block(&client, |client| client.receive(PATIENT).map(drop))),
        ("call", block(&client, |client| client.call("c", None, &[], PATIENT).map(drop))),
        ("flush", block(&client, |client| client.flush(PATIENT))),
        ("emit", block(&client, emit.clone())),
        ("emit too", block(&client, emit)),
    ];
    (client, engine, waiting)
}

type End = fn(&Client, &Engine);

const ENDS: [(&str, End); 7] = [
    ("CLOSE", |_, engine| engine.send("1")),
    ("DISCONNECT", |_, engine| engine.send("41")),
    ("parse error", |_, engine| engine.send("nonsense")),
    ("cut", |_, engine| engine.http().cut()),
    ("400", |_, engine| engine.answer_poll(Answer::error(1, "Session ID unknown"))),
    ("bad body", |_, engine| engine.answer_poll(Answer::ok("b!!!"))),
    ("close", |client, _| client.close()),
];

#[test]
fn the_final_end_ends_every_wait() {
    let _loud = loud();
    for (what, end) in ENDS {
        let (client, engine, waiting) = stuck(&[]);
        let since = Instant::now();
        end(&client, &engine);
        for (call, running) in waiting {
            let outcome = running.back_within(since, END);
            assert_eq!(outcome, Err(Status::Disconnected), "{what}: {call}");
        }
        assert_eq!(client.state(), State::Closed, "{what}");
        assert_eq!(stat(&client, "send_queued_bytes"), 0);
        assert_eq!(stat(&client, "calls_waiting"), 0);
        if what != "close" {
            assert_polls(&client);
        }
    }
}

#[test]
fn an_interrupt_ends_every_wait_and_the_connection_stays() {
    let _loud = loud();
    let (client, _engine, waiting) = stuck(&[]);
    let queued = stat(&client, "send_queued");
    let since = Instant::now();
    client.interrupt();
    for (call, running) in waiting {
        assert_eq!(running.back_within(since, WAKE), Err(Status::Interrupted), "{call}");
    }
    assert_eq!(client.state(), State::Connected);
    assert!(stat(&client, "send_queued") <= queued, "an interrupted emit was queued");
}

#[test]
fn a_loss_that_is_not_final_ends_what_it_must() {
    let _loud = loud();
    for offline in ["wait", "fail"] {
        let options = [
            ("reconnection", "1"),
            ("reconnect_min_ms", "60000"),
            ("reconnect_max_ms", "60000"),
            ("offline", offline),
        ];
        let (client, engine, waiting) = stuck(&options);
        let since = Instant::now();
        engine.http().cut();
        let mut still = Vec::new();
        for (call, running) in waiting {
            match call {
                "call" | "flush" => {
                    assert_eq!(
                        running.back_within(since, END),
                        Err(Status::Disconnected),
                        "{call}"
                    );
                }
                "receive" => still.push((call, running)),
                _ if offline == "fail" => {
                    assert_eq!(
                        running.back_within(since, END),
                        Err(Status::Disconnected),
                        "{call}"
                    );
                }
                _ => still.push((call, running)),
            }
        }
        assert_eq!(client.state(), State::Reconnecting);
        std::thread::sleep(ms(100));
        // These wait on, and end with the client.
        let since = Instant::now();
        assert_eq!(client.disconnect(PATIENT), Ok(()));
        for (call, running) in still {
            assert_eq!(running.back_within(since, END), Err(Status::Disconnected), "{call}");
        }
    }
}

#[test]
fn with_a_buffer_everybody_waits_on_for_the_next_session() {
    let _loud = loud();
    let options = [
        ("reconnection", "1"),
        ("reconnect_min_ms", "300"),
        ("reconnect_max_ms", "300"),
        ("offline", "buffer"),
    ];
    let (client, engine, waiting) = stuck(&options);
    engine.http().cut();
    wait_for_state(&client, State::Reconnecting);
    std::thread::sleep(ms(100));
    wait_for_state(&client, State::Connected);
    engine.wait_for_text("420[\"c\"]");
    engine.send("430[]");
    engine.send("42[\"event\"]");
    for (call, running) in waiting {
        assert_eq!(running.back(), Ok(()), "{call}");
    }
    // Those that waited for room are queued, and on their way.
    let emits =
        |one: &&Came| one.packet.text().is_some_and(|text| text.starts_with("42[\"waits\""));
    engine.wait_for("both emits", |all| (all.iter().filter(emits).count() == 2).then_some(()));
    let texts = engine.texts();
    let touched = texts.iter().filter(|text| *text == "42[\"touched\"]").count();
    assert_eq!(touched, 1);
    let fill = texts.iter().filter(|text| text.starts_with("42[\"fill\"")).count();
    assert!(fill >= 20, "{fill}");
    let calls = texts.iter().position(|text| text == "420[\"c\"]").expect("the call");
    let first = texts.iter().position(|text| text.starts_with("42[\"waits\"")).expect("an emit");
    assert!(calls < first, "the call was queued before there was no room");
}

#[test]
fn waits_on_an_upgraded_connection_end_with_it() {
    let _quiet = quiet();
    let ends: [(&str, End); 4] = [
        ("CLOSE", |_, engine| engine.send("1")),
        ("DISCONNECT", |_, engine| engine.send("41")),
        ("parse error", |_, engine| engine.send("nonsense")),
        ("cut", |_, engine| engine.http().cut()),
    ];
    for (what, end) in ends {
        let (client, engine) = upgraded(Plan::default());
        let waits = [
            block(&client, |client| client.receive(PATIENT).map(drop)),
            block(&client, |client| client.call("c", None, &[], PATIENT).map(drop)),
        ];
        let since = Instant::now();
        end(&client, &engine);
        for wait in waits {
            assert_eq!(wait.back_within(since, END), Err(Status::Disconnected), "{what}");
        }
        assert_eq!(client.state(), State::Closed);
    }
}

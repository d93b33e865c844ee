//! Servers that die and come back: the client finds them again, and what was emitted is with them at
//! most once and in order.

#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::json;
use sio::client::Client;
use sio::error::Status;
use sio::message::MessageKind;
use sio::session::State;

use crate::common::{Kind, Options, Server};
use crate::harness::{
    LONG, call, client_with, emit, eventually, failed, failure, first, good, join, ms, next,
    round_trip, server, stat,
};
use crate::process;

with_each_server!(
    a_server_killed_and_restarted_under_load_is_found_again,
    a_server_that_ends_the_engine_or_the_connection_is_reconnected_to,
    a_disconnect_by_the_server_is_final,
    a_reconnection_that_is_refused_is_final_and_told,
    a_server_that_comes_up_late_is_found,
    a_server_that_stands_still_is_left_and_found_again,
);

/// Options of a client that reconnects fast.
fn fast(more: &[(&'static str, &'static str)]) -> Vec<(&'static str, &'static str)> {
    let fast = [
        ("reconnection", "1"),
        ("reconnect_min_ms", "50"),
        ("reconnect_max_ms", "100"),
        ("reconnect_jitter", "0"),
    ];
    [&fast, more].concat()
}

fn a_server_killed_and_restarted_under_load_is_found_again(kind: Kind) {
    const RESTARTS: u64 = 3;
    let mut server = Server::of(kind);
    let client = client_with(&fast(&[("offline", "buffer"), ("report_state", "1")]));
    good(&client, client.connect(Some(&server.url()), LONG));
    let (stop, emitted) = (AtomicBool::new(false), AtomicU64::new(0));
    let (mut last, mut echoes, mut connected) = (None, 0_u64, 0);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::SeqCst) {
                let i = emitted.load(Ordering::SeqCst);
                emit(&client, "echo", &format!("[{i}]"));
                emitted.store(i + 1, Ordering::SeqCst);
                thread::sleep(Duration::from_micros(500));
            }
            // What follows all of them.
            emit(&client, "echo", "[\"last\"]");
        });
        scope.spawn(|| {
            for round in 1..=RESTARTS {
                thread::sleep(Duration::from_millis(200));
                server.kill();
                eventually("the loss", || (client.state() == State::Reconnecting).then_some(()));
                server.restart();
                eventually("the reconnection", || {
                    (stat(&client, "connects") == round + 1).then_some(())
                });
            }
            thread::sleep(Duration::from_millis(200));
            stop.store(true, Ordering::SeqCst);
        });
        loop {
            let message = good(&client, client.receive(LONG));
            match (message.kind(), message.name()) {
                (MessageKind::Connected, _) => connected += 1,
                (MessageKind::Event, "echo") if message.args() == "[\"last\"]" => break,
                (MessageKind::Event, "echo") => {
                    let number = first(&message).as_u64().unwrap();
                    assert!(last < Some(number), "{last:?} before {number}");
                    (last, echoes) = (Some(number), echoes + 1);
                }
                _ => {}
            }
        }
    });
    assert_eq!(connected, RESTARTS + 1);
    assert_eq!(stat(&client, "connects"), RESTARTS + 1);
    // All of the last session came back, and of the others what was not on its way.
    let emitted = emitted.into_inner();
    assert_eq!(last, Some(emitted - 1));
    assert!(echoes > emitted / 2, "{echoes} of {emitted}");
    good(&client, client.disconnect(LONG));
}

fn a_server_that_ends_the_engine_or_the_connection_is_reconnected_to(kind: Kind) {
    let client = client_with(&fast(&[]));
    join(&client, &server(kind).url());
    let mut sids = vec![client.sid()];
    for (round, end) in ["kick_hard", "drop", "kick_hard", "drop"].into_iter().enumerate() {
        emit(&client, end, "[]");
        eventually("the reconnection", || {
            (stat(&client, "connects") == round as u64 + 2).then_some(())
        });
        next(&client, "welcome");
        let sid = client.sid();
        assert!(!sids.contains(&sid), "{sids:?} and again {sid}");
        sids.push(sid);
        round_trip(&client);
    }
    good(&client, client.disconnect(LONG));
}

fn a_disconnect_by_the_server_is_final(kind: Kind) {
    let client = client_with(&fast(&[]));
    join(&client, &server(kind).url());
    emit(&client, "kick", "[]");
    assert_eq!(failed(client.receive(LONG)), Status::Disconnected);
    assert_eq!(client.state(), State::Closed);
    thread::sleep(Duration::from_millis(300));
    assert_eq!((client.state(), stat(&client, "connects")), (State::Closed, 1));
}

fn a_reconnection_that_is_refused_is_final_and_told(kind: Kind) {
    let options = [("namespace", "/auth"), ("auth", r#"{"token":"secret"}"#)];
    let client = client_with(&fast(&options));
    join(&client, &server(kind).url());
    good(&client, client.set("auth", Some(r#"{"token":"expired"}"#)));
    round_trip(&client);
    assert_eq!(client.state(), State::Connected, "it counts from the next attempt on");
    emit(&client, "drop", "[]");
    assert_eq!(failed(client.receive(LONG)), Status::Disconnected);
    assert_eq!(client.state(), State::Closed);
    assert!(client.error().contains("bad token"), "{}", client.error());
    assert_eq!(failure(&client)["message"], "bad token");
    let attempts = stat(&client, "attempts");
    thread::sleep(Duration::from_millis(300));
    assert_eq!(stat(&client, "attempts"), attempts);

    good(&client, client.set("auth", Some(r#"{"token":"secret"}"#)));
    join(&client, &server(kind).url());
    good(&client, client.set("retry_refused", Some("1")));
    good(&client, client.set("auth", Some(r#"{"token":"expired"}"#)));
    emit(&client, "drop", "[]");
    let attempts = stat(&client, "attempts");
    eventually("refusals are retried", || (stat(&client, "attempts") > attempts + 2).then_some(()));
    assert_eq!(client.state(), State::Reconnecting);
    good(&client, client.set("auth", Some(r#"{"token":"secret"}"#)));
    eventually("the right token opens", || (client.state() == State::Connected).then_some(()));
    next(&client, "welcome");
    round_trip(&client);
}

fn a_server_that_comes_up_late_is_found(kind: Kind) {
    let mut server = Server::of(kind);
    server.kill();
    let client = client_with(&fast(&[("retry_connect", "1"), ("offline", "buffer")]));
    let url = server.url();
    thread::scope(|scope| {
        let connecting = scope.spawn(|| client.connect(Some(&url), LONG));
        eventually("it tries again", || (stat(&client, "attempts") >= 3).then_some(()));
        emit(&client, "echo", "[\"early\"]");
        server.restart();
        good(&client, connecting.join().unwrap());
    });
    next(&client, "welcome");
    assert_eq!(next(&client, "echo").args(), "[\"early\"]");
}

fn a_server_that_stands_still_is_left_and_found_again(kind: Kind) {
    let options = Options {
        ping_interval: Some(Duration::from_secs(1)),
        ping_timeout: Some(Duration::from_millis(500)),
        ..Options::default()
    };
    let server = Server::start(kind, options);
    let client = client_with(&fast(&[("report_state", "1"), ("attempt_timeout_ms", "1000")]));
    good(&client, client.connect(Some(&server.url()), LONG));
    round_trip(&client);
    process::stop(&server);
    eventually("the loss", || (client.state() == State::Reconnecting).then_some(()));
    process::go_on(&server);
    eventually("the reconnection", || (client.state() == State::Connected).then_some(()));
    assert_eq!(call(&client, "add", "[2,3]").args(), "[5]");
    let reason = reason_of_the_end(&client);
    assert_eq!(reason, json!("ping timeout"));
}

fn reason_of_the_end(client: &Client) -> serde_json::Value {
    loop {
        let message = good(client, client.receive(ms(5000)));
        if message.kind() == MessageKind::Disconnected {
            return first(&message)["reason"].clone();
        }
    }
}

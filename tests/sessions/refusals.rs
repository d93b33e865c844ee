//! A namespace that is refused when the connection is made again: what ends, and what is told.

#![forbid(unsafe_code)]

use std::sync::Arc;

use serde_json::{Value, json};
use sio::client::Client;
use sio::error::Status;
use sio::session::State;

use crate::clients::*;
use crate::common::scripted::{Engine, Plan};
use crate::support::*;

/// All forms of a refusal, with the message and the data that a server gives by each.
fn forms() -> [(&'static str, &'static str, Value); 5] {
    [
        (
            r#"44{"message":"the token has expired","data":{"code":7,"more":[null]}}"#,
            "the token has expired",
            json!({"code": 7, "more": [null]}),
        ),
        (r#"44{"message":"no data"}"#, "no data", Value::Null),
        (r#"44"in plain text""#, "in plain text", Value::Null),
        ("44", "", Value::Null),
        // Before the acknowledgement a DISCONNECT is a refusal too.
        (r#"41{"message":"closed"}"#, "closed", Value::Null),
    ]
}

/// A server that lets in the first session, and each for which `good` says so.
fn refusing(packet: &'static str, good: impl Fn(usize) -> bool + Send + Sync + 'static) -> Engine {
    Engine::start(Plan::default().refusing(move |n| (n > 0 && !good(n)).then(|| packet.to_owned())))
}

#[track_caller]
fn settled(client: &Client, engine: &Engine) {
    match client.option("transports").as_str() {
        "polling" => engine.wait_for_poll(),
        _ => wait_until("websocket", || client.transport() == "websocket"),
    }
}

fn lose(engine: &Engine) {
    engine.forget();
    engine.http().cut();
}

#[test]
fn it_ends_every_wait_for_good_with_the_servers_words_in_every_form() {
    for transports in ["polling", "websocket", "polling,websocket"] {
        for (packet, message, data) in forms() {
            let what = format!("{transports}: {packet}");
            let engine = refusing(packet, |_| false);
            let client = reconnecting(&[("transports", transports)]);
            join(&client, &engine);
            settled(&client, &engine);
            let receiving = block(&client, |client| client.receive(PATIENT).map(drop));
            lose(&engine);
            wait_until("it is no longer connected", || client.state() != State::Connected);
            // These wait for the connection that is being made, unless that is over already.
            let waiting: [(&str, Running<Result<(), Status>>); 3] = [
                ("emit", start(&client, |client| client.emit("e", None, &[], PATIENT))),
                ("call", start(&client, |client| client.call("c", None, &[], PATIENT).map(drop))),
                ("receive", receiving),
            ];
            for (call, running) in waiting {
                assert_eq!(running.back(), Err(Status::Disconnected), "{what}: {call}");
            }
            assert_eq!(client.state(), State::Closed, "{what}");
            assert_eq!((client.sid(), client.transport()), (String::new(), ""), "{what}");
            assert_eq!(receive_fails(&client, AT_ONCE), Status::Disconnected, "{what}");

            let failure = failure(&client);
            assert_eq!(failure["name"], "SIO_E_DISCONNECTED", "{failure}");
            assert_eq!(failure["phase"], "namespace", "{failure}");
            assert_eq!(failure["attempt"], 1, "{failure}");
            assert_eq!(failure["message"], message, "{failure}");
            assert_eq!(failure["data"], data, "{failure}");
            assert_says(&client, message);
            assert_eq!(stat(&client, "attempts"), 2, "{what}");
            assert_silent(&engine, ms(250));
            assert_eq!(engine.sessions(), 2, "{what}");
        }
    }
}

#[test]
fn a_client_that_was_refused_connects_again() {
    for transports in ["polling", "websocket"] {
        let engine = refusing("44{\"message\":\"not now\"}", |n| n == 2);
        let client = reconnecting(&[("transports", transports)]);
        join(&client, &engine);
        settled(&client, &engine);
        lose(&engine);
        wait_for_state(&client, State::Closed);
        join(&client, &engine);
        emit(&client, "back", "[]");
        engine.wait_for_text("42[\"back\"]");
        assert_eq!(client.disconnect(PATIENT), Ok(()), "{}", client.error());
    }
}

#[test]
fn what_was_buffered_for_a_connection_that_is_refused_is_counted_and_its_calls_end() {
    for transports in ["polling", "websocket"] {
        let mut engine = refusing("44{\"message\":\"not now\"}", |_| false);
        let client = reconnecting(&[("transports", transports), ("offline", "buffer")]);
        join(&client, &engine);
        settled(&client, &engine);
        engine.down();
        wait_for_state(&client, State::Reconnecting);
        emit(&client, "kept", "[]");
        let calling = start(&client, |client| call_fails(client, "c", PATIENT));
        wait_until("the call waits", || stat(&client, "calls_waiting") == 1);
        engine.up();
        assert_eq!(calling.back(), Status::Disconnected);
        assert_eq!(client.state(), State::Closed);
        assert_eq!(failure(&client)["message"], "not now");
        assert_eq!(stat(&client, "dropped_sent"), 2);
        assert_eq!((stat(&client, "send_queued"), stat(&client, "calls_waiting")), (0, 0));
        assert!(engine.texts().iter().all(|text| !text.starts_with("42")), "{:?}", engine.texts());
    }
}

#[test]
fn with_retry_refused_it_goes_on_by_each_transport_until_it_is_let_in() {
    for transports in ["polling", "websocket", "polling,websocket"] {
        for (packet, ..) in forms() {
            let engine = refusing(packet, |n| n == 3);
            let client: Arc<Client> = reconnecting(&[
                ("transports", transports),
                ("retry_refused", "1"),
                ("reconnect_min_ms", "20"),
                ("reconnect_max_ms", "20"),
                ("report_state", "1"),
            ]);
            join(&client, &engine);
            settled(&client, &engine);
            let waiting = start(&client, |client| {
                let mut told = Vec::new();
                while told.len() < 3 {
                    told.push(client.receive(PATIENT).map(|message| message.args().to_owned()));
                }
                told
            });
            lose(&engine);
            wait_until("the fourth", || engine.sessions() == 4);
            wait_for_state(&client, State::Connected);
            assert_eq!(client.sid(), "socket-3", "{transports}: {packet}");
            let told: Vec<String> =
                waiting.back().into_iter().map(|one| one.expect("a message")).collect();
            assert!(told[0].contains("socket-0"), "{told:?}");
            assert!(told[1].contains("\"final\":false"), "{told:?}");
            assert!(told[2].contains("socket-3") && told[2].contains("\"attempts\":3"), "{told:?}");
            emit(&client, "in", "[]");
            engine.wait_for_text("42[\"in\"]");
        }
    }
}

#[test]
fn refusals_use_up_the_attempts_and_the_last_one_is_told() {
    let engine = refusing("44{\"message\":\"never\",\"data\":1}", |_| false);
    let client = reconnecting(&[
        ("transports", "polling"),
        ("retry_refused", "1"),
        ("reconnect_attempts", "3"),
        ("reconnect_min_ms", "20"),
        ("reconnect_max_ms", "20"),
    ]);
    join(&client, &engine);
    settled(&client, &engine);
    let receiving = block(&client, |client| client.receive(PATIENT).map(drop));
    lose(&engine);
    assert_eq!(receiving.back(), Err(Status::Disconnected));
    assert_eq!(client.state(), State::Closed);
    let failure = failure(&client);
    assert_eq!(failure["message"], "never", "{failure}");
    assert_eq!(failure["data"], 1, "{failure}");
    assert_eq!(failure["attempt"], 3, "{failure}");
    assert_eq!(engine.sessions(), 4);
    assert_silent(&engine, ms(250));
}

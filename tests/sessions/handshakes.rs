//! The Engine.IO handshake and the namespace by polling: what is wrong in them, what is odd and
//! taken, and how refusals are told.

#![forbid(unsafe_code)]

use serde_json::{Value, json};
use sio::error::Status;
use sio::session::State;

use crate::clients::*;
use crate::common::scripted::{Engine, Plan};
use crate::support::*;

/// Connecting to a server with this handshake breaks the protocol.
#[track_caller]
fn breaks(open: &str, phase: &str, says: &str) {
    let open = open.to_owned();
    let engine =
        Engine::start(Plan::default().open(move |_| open.clone()).whatever_the_client_does());
    let client = polling(&[]);
    let outcome = client.connect(Some(&engine.url()), PATIENT);
    assert_eq!(outcome, Err(Status::Protocol), "{}", client.error());
    assert_says(&client, says);
    assert_eq!(failure(&client)["phase"], phase);
    assert_eq!(client.state(), State::Closed);
    engine.http().wait_for_ends();
    assert_polls(&client);
}

#[test]
fn wrong_handshakes() {
    let heart = r#""pingInterval":25000,"pingTimeout":20000"#;
    for sid in ["", r#""sid":"","#, r#""sid":7,"#, r#""sid":null,"#] {
        breaks(&format!("{{{sid}{heart}}}"), "handshake", "sid");
    }
    for value in ["0", "-1", "\"25000\"", "null", "true"] {
        let json = format!(r#"{{"sid":"engine-0","pingInterval":{value},"pingTimeout":20000}}"#);
        breaks(&json, "handshake", "pingInterval");
        let json = format!(r#"{{"sid":"engine-0","pingInterval":25000,"pingTimeout":{value}}}"#);
        breaks(&json, "handshake", "pingTimeout");
    }
    for json in ["", "{", "[]", "null", "{} {}"] {
        breaks(json, "handshake", "handshake");
    }
}

#[test]
fn odd_handshakes_that_are_taken() {
    let odd = [
        r#"{"sid":"engine-0","upgrades":[],"pingInterval":25000.5,"pingTimeout":20000.25}"#,
        r#"{"sid":"engine-0","pingInterval":1e300,"pingTimeout":86400001}"#,
        r#"{"sid":"engine-0","upgrades":null,"pingInterval":25000,"pingTimeout":20000}"#,
        r#"{"sid":"engine-0","pingInterval":25000,"pingTimeout":20000,"maxPayload":-5}"#,
        r#"{"sid":"engine-0","pingInterval":25000,"pingTimeout":20000,"maxPayload":"1"}"#,
        " { \"pingTimeout\" : 1000 , \"new\":{\"sid\":1}, \"pingInterval\":9000,\"sid\":\"engine-0\"}\n",
    ];
    for open in odd {
        let (client, engine) = polled(Plan::default().open(move |_| open.to_owned()));
        emit(&client, "a", "[]");
        engine.wait_for_text("42[\"a\"]");
    }
}

/// Connects to a server that says this instead of letting the client in.
fn told(packet: &str) -> (Status, Value) {
    let packet = packet.to_owned();
    let engine = Engine::start(Plan::default().refusing(move |_| Some(packet.clone())));
    let client = polling(&[]);
    let status = client.connect(Some(&engine.url()), PATIENT).unwrap_err();
    assert_eq!(client.state(), State::Closed);
    assert_eq!(receive_fails(&client, AT_ONCE), Status::Disconnected);
    let failure = failure(&client);
    (status, failure)
}

#[test]
fn refusals_in_all_their_forms() {
    let forms = [
        (r#"44{"message":"no","data":{"code":403}}"#, "no", json!({"code": 403})),
        (r#"44{"message":"no"}"#, "no", Value::Null),
        (r#"44"Unable to connect""#, "Unable to connect", Value::Null),
        ("44", "", Value::Null),
    ];
    for (packet, message, data) in forms {
        let engine = {
            let packet = packet.to_owned();
            Engine::start(Plan::default().refusing(move |_| Some(packet.clone())))
        };
        let client = polling(&[]);
        assert_eq!(client.connect(Some(&engine.url()), PATIENT), Err(Status::Refused), "{packet}");
        let failure = failure(&client);
        assert_eq!(failure["message"], message, "{packet}: {failure}");
        assert_eq!(failure["data"], data, "{packet}: {failure}");
        assert_eq!(failure["phase"], "namespace");
        assert_says(&client, message);
    }
    // A DISCONNECT before the acknowledgement is one too, with or without a payload.
    for packet in ["41", r#"41{"message":"away"}"#] {
        let (status, failure) = told(packet);
        assert_eq!(status, Status::Refused, "{packet}: {failure}");
    }
}

#[test]
fn older_protocols_are_named() {
    let (status, failure) = told("40");
    assert_eq!(status, Status::Protocol);
    assert!(failure["text"].as_str().unwrap().contains("Socket.IO 2"), "{failure}");
}

#[test]
fn what_breaks_the_protocol_before_the_acknowledgement_fails_connect() {
    for packet in ["nonsense", "b!!!", "40{", "0{}", "42[", "43[]\x1e"] {
        let (status, failure) = told(packet);
        assert_eq!(status, Status::Protocol, "{packet:?}: {failure}");
    }
    // The end of the engine without a word on the namespace.
    let (status, failure) = told("1");
    assert!(status != Status::Timeout && status != Status::Internal, "{status:?}: {failure}");
}

#[test]
fn namespaces_have_their_own_connect_and_events() {
    let engine = Engine::usual();
    let client = polling(&[("namespace", "/chat?token=1"), ("auth", r#"{"a":1}"#)]);
    join(&client, &engine);
    emit(&client, "a", "[]");
    engine.wait_for_text("42/chat?token=1,[\"a\"]");
    assert_eq!(engine.texts()[0], r#"40/chat?token=1,{"a":1}"#);
    engine.send_all(&["42[\"not ours\"]", "42/other,[\"nor this\"]", "42/chat,[\"ours\"]"]);
    assert_event(&client, "ours", "[]");
    assert_eq!(stat(&client, "foreign_packets"), 2);
    assert_eq!(client.disconnect(PATIENT), Ok(()), "{}", client.error());
    let texts = engine.texts();
    assert!(texts.iter().any(|text| text.starts_with("41/chat")), "{texts:?}");
}

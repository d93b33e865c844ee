//! The namespace: how it is granted, refused and taken away, and what comes before it.

#![forbid(unsafe_code)]

use serde_json::Value;
use sio::error::Status;
use sio::session::State;

use crate::common::scripted::{Frame, Script, Scripted};
use crate::support::*;

/// Up to the request for the namespace.
fn asked() -> Script {
    Script::new().websocket().open().expect_text("40")
}

/// Connecting is refused with this packet; what is said and what else is told of it.
#[track_caller]
fn refused(packet: &str) -> (String, Value, Value) {
    let server = Scripted::start(asked().text(packet).until_closed());
    let client = client();
    let outcome = client.connect(Some(&server.url()), PATIENT);
    assert_eq!(outcome, Err(Status::Refused), "{packet}: {}", client.error());
    assert_eq!(client.state(), State::Closed);
    let failure = failure(&client);
    assert_eq!(failure["phase"], "namespace", "{packet}");
    assert_eq!(server.finish().close_code(), Some(1000), "{packet}");
    assert_usable(&client);
    let text = failure["text"].as_str().unwrap().to_owned();
    (text, failure["message"].clone(), failure["data"].clone())
}

#[test]
fn a_refusal_with_message_and_data() {
    let packet = r#"44{"message":"not \u00fcber 18","data":{"code":7,"list":[1,null]}}"#;
    let (text, message, data) = refused(packet);
    assert!(text.contains("not \u{fc}ber 18"), "{text}");
    assert_eq!(message, "not \u{fc}ber 18");
    assert_eq!(data, serde_json::json!({"code": 7, "list": [1, null]}));
}

#[test]
fn a_refusal_with_a_text_or_with_nothing() {
    let (text, message, _) = refused(r#"44"go away""#);
    assert!(text.contains("go away"), "{text}");
    assert_eq!(message, "go away");
    let (_, message, _) = refused("44");
    assert_eq!(message, "");
    let (_, message, _) = refused("44{}");
    assert_eq!(message, "");
    let (text, message, data) = refused(r#"44 {"data":[1], "message" :"a"} "#);
    assert!(text.contains(": a"), "{text}");
    assert_eq!((message, data), ("a".into(), serde_json::json!([1])));
    let (_, message, _) = refused(r#"44/,{"message":"explicit"}"#);
    assert_eq!(message, "explicit");
}

#[test]
fn a_refusal_as_long_as_a_book_makes_a_short_text() {
    let (text, message, _) = refused(&format!(r#"44{{"message":"{}"}}"#, "a\\n".repeat(50_000)));
    assert!(text.len() < 1000 && !text.contains('\n'), "{text}");
    assert_eq!(message.as_str().unwrap().len(), 100_000);
}

#[test]
fn a_disconnect_before_the_acknowledgement_is_a_refusal() {
    let (_, message, _) = refused("41");
    assert_eq!(message, "");
    let (text, message, _) = refused(r#"41{"message":"kicked"}"#);
    assert!(text.contains("kicked"), "{text}");
    assert_eq!(message, "kicked");
    let (text, ..) = refused(r#"41"kicked""#);
    assert!(text.contains("kicked"), "{text}");
}

#[test]
fn a_refusal_ends_what_waits_for_the_connection() {
    let _quiet = quiet();
    let server = Scripted::start(asked().until_told().text(r#"44"no""#).until_closed());
    let client = client();
    let url = server.url();
    let connecting = start(&client, move |client| client.connect(Some(&url), PATIENT));
    wait_until("connecting", || client.state() == State::Connecting);
    let emitting = block(&client, |client| client.emit("a", None, &[], PATIENT));
    let calling = block(&client, |client| call_fails(client, "a", PATIENT));
    let flushing = block(&client, |client| client.flush(PATIENT));
    let receiving = block(&client, |client| receive_fails(client, PATIENT));
    let since = std::time::Instant::now();
    server.tell();
    assert_eq!(connecting.back_within(since, WAKE), Err(Status::Refused));
    assert_eq!(emitting.back_within(since, WAKE), Err(Status::Disconnected));
    assert_eq!(calling.back_within(since, WAKE), Status::Disconnected);
    assert_eq!(flushing.back_within(since, WAKE), Err(Status::Disconnected));
    assert_eq!(receiving.back_within(since, WAKE), Status::Disconnected);
    let record = server.finish();
    assert_eq!(record.texts(), ["40"]);
}

#[test]
fn a_connect_without_a_sid_is_an_older_server() {
    for packet in ["40", "40{}", r#"40{"sid":""}"#, r#"40{"sid":7}"#, r#"40/,{"id":"a"}"#] {
        let server = Scripted::start(asked().text(packet).until_closed());
        let client = client();
        assert_eq!(client.connect(Some(&server.url()), PATIENT), Err(Status::Protocol));
        assert_says(&client, "Socket.IO 2 server");
        assert_eq!(failure(&client)["phase"], "namespace");
        assert_eq!(server.finish().close_code(), Some(1002));
        assert_usable(&client);
    }
}

#[test]
fn malformed_packets_before_the_acknowledgement() {
    let packets = [
        ("42[", "JSON"),
        ("40[1]", "CONNECT"),
        ("44[1]", "CONNECT_ERROR"),
        ("4", "empty"),
        ("49", "packet type"),
        ("x", "packet type"),
        (r#"42["a",NaN]"#, "NaN is not JSON"),
        (r#"0{"sid":"b"}"#, "second Engine.IO handshake"),
    ];
    for (packet, says) in packets {
        let server = Scripted::start(asked().text(packet).until_closed());
        let client = client();
        assert_eq!(client.connect(Some(&server.url()), PATIENT), Err(Status::Protocol));
        // What is no JSON is told by what was expected instead.
        if says != "JSON" {
            assert_says(&client, says);
        }
        assert_says(&client, "broke the protocol");
        assert_eq!(failure(&client)["phase"], "namespace", "{packet}");
        server.finish();
        assert_usable(&client);
    }
}

#[test]
fn a_second_connect_for_the_namespace() {
    let (client, server) = prompted(
        ready().text(r#"42["a"]"#).text(r#"40{"sid":"another"}"#).text(r#"42["b"]"#).until_closed(),
    );
    assert_event(&client, "a", "[]");
    assert_ended(&client, "a second CONNECT");
    assert_eq!(client.sid(), "");
    assert_eq!(server.finish().close_code(), Some(1002));
    assert_usable(&client);
}

#[test]
fn a_disconnect_after_the_acknowledgement_is_final_and_says_the_servers_words() {
    let payloads = [
        ("41", ""),
        ("41/,", ""),
        (r#"41{"message":"kicked out","data":1}"#, "kicked out"),
        (r#"41"kicked out""#, "kicked out"),
        ("41[1,2]", "[1,2]"),
        ("417", "7"),
        (r#"44{"message":"kicked out"}"#, "kicked out"),
    ];
    for (packet, says) in payloads {
        let (client, server) = connected(
            Script::new().connected().text(r#"42["a"]"#).until_told().text(packet).until_closed(),
        );
        let calling = start(&client, |client| call_fails(client, "c", PATIENT));
        wait_until("the call waits", || stat(&client, "calls_waiting") == 1);
        wait_until("it is sent", || stat(&client, "send_queued") == 0);
        server.tell();
        assert_eq!(calling.back(), Status::Disconnected, "{packet}");
        assert_eq!(client.state(), State::Closed);
        assert_event(&client, "a", "[]");
        assert_ended(&client, "disconnected the namespace");
        assert_says(&client, says);
        assert_eq!(server.finish().close_code(), Some(1000), "{packet}");
        assert_usable(&client);
    }
}

/// How a server goes on, to its end.
type Ending = fn(Script) -> Script;

#[test]
fn a_connection_that_ends_as_soon_as_it_is_made_was_one() {
    // A server that will not have somebody often says so in an event, and then disconnects.
    let ends: [(Ending, &str); 3] = [
        (|script| script.text("41"), "disconnected the namespace"),
        (|script| script.text("nonsense"), "broke the protocol"),
        (|script| script, "closed"),
    ];
    for _ in 0..10 {
        for (end, says) in ends {
            let script = asked().frames([
                Frame::text(r#"40{"sid":"b"}"#),
                Frame::text(r#"42["banned","for life"]"#),
            ]);
            let server = Scripted::start(end(script));
            let client = client();
            connect(&client, &server);
            assert_event(&client, "banned", r#"["for life"]"#);
            assert_ended(&client, says);
        }
    }
}

#[test]
fn the_ends_that_the_engine_brings_are_told_apart() {
    let ends: [(Ending, &str, Option<u16>); 5] = [
        (|script| script.text("1"), "closed the Engine.IO session", None),
        (|script| script.frame(Frame::close(1001, "deploy")), "deploy", Some(1001)),
        (|script| script.frame(Frame::close(4999, "")), "4999", Some(4999)),
        (|script| script.frame(Frame::new(8, "")), "closed the WebSocket", None),
        (|script| script.shutdown_write(), "closed the connection", None),
    ];
    for (end, says, code) in ends {
        let (client, server) = prompted(end(ready().text(r#"42["a"]"#)).until_closed());
        assert_event(&client, "a", "[]");
        assert_ended(&client, says);
        let failure = failure(&client);
        assert_eq!(failure["close_code"].as_u64(), code.map(u64::from), "{says}");
        assert_eq!(failure["phase"], "session");
        server.finish();
        assert_usable(&client);
    }
}

#[test]
fn a_namespace_with_a_query_is_asked_for_with_it_and_known_without_it() {
    let server = Scripted::start(
        Script::new()
            .websocket()
            .open()
            .expect_text(r#"40/admin?token=a%2Cb,{"key":"v"}"#)
            .text(r#"42/admin,["early"]"#)
            .text(r#"40/admin,{"sid":"s"}"#)
            .text(r#"42/admin,["plain"]"#)
            .text(r#"42/admin?token=a%2Cb,["whole"]"#)
            .text(r#"42["main"]"#)
            .text(r#"42/adminis,["longer"]"#)
            .text(r#"42/admi,["shorter"]"#)
            .text(r#"42/admin,5["last"]"#)
            .until_closed(),
    );
    let options = [("namespace", "/admin?token=a%2Cb"), ("auth", r#"{"key":"v"}"#)];
    let client = client_with(&options);
    connect(&client, &server);
    for name in ["early", "plain", "whole", "last"] {
        assert_event(&client, name, "[]");
    }
    assert_eq!(stat(&client, "foreign_packets"), 3);
    assert_eq!(client.disconnect(PATIENT), Ok(()));
    let texts = server.finish().texts();
    assert!(texts[1].starts_with("43/admin"), "{texts:?}");
    assert!(texts[2].starts_with("41/admin"), "{texts:?}");
}

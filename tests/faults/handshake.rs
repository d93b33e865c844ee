//! The Engine.IO handshake: what is wrong in it, what is odd and taken, and older protocols.

#![forbid(unsafe_code)]

use sio::error::Status;
use sio::session::State;

use crate::common::scripted::{Frame, Script, Scripted, fragments, opcode};
use crate::support::*;

/// Connecting fails because the server broke the protocol.
#[track_caller]
fn breaks(script: Script, phase: &str, says: &str) {
    let server = Scripted::start(script.until_closed());
    let client = client();
    let outcome = client.connect(Some(&server.url()), PATIENT);
    assert_eq!(outcome, Err(Status::Protocol), "{}", client.error());
    assert_says(&client, says);
    assert_eq!(failure(&client)["phase"], phase);
    assert_eq!(client.state(), State::Closed);
    assert_eq!(server.finish().close_code(), Some(1002), "{}", client.error());
    assert_usable(&client);
}

/// A handshake is taken; what was emitted then arrives.
#[track_caller]
fn is_taken(script: Script) {
    let server = Scripted::start(
        script.namespace().expect_text(r#"42["a"]"#).text(r#"42["b"]"#).until_closed(),
    );
    let client = client();
    connect(&client, &server);
    assert_eq!(client.emit("a", None, &[], PATIENT), Ok(()), "{}", client.error());
    assert_event(&client, "b", "[]");
    assert_eq!(client.disconnect(PATIENT), Ok(()));
    server.finish();
}

#[test]
fn a_handshake_without_a_sid() {
    let sids = ["", r#""sid":"","#, r#""sid":7,"#, r#""sid":null,"#, r#""sid":["a"],"#];
    for sid in sids {
        let json = format!(r#"{{{sid}"upgrades":[],"pingInterval":1000,"pingTimeout":1000}}"#);
        breaks(Script::new().websocket().open_with(&json), "handshake", "sid");
    }
}

#[test]
fn a_handshake_with_a_wrong_heartbeat() {
    let wrong = ["0", "-1", "-0.0", r#""25000""#, "null", "true", "[1]", "1e-999999", ""];
    for value in wrong {
        for name in ["pingInterval", "pingTimeout"] {
            let member = if value.is_empty() { "x".into() } else { name.to_string() };
            let value = if value.is_empty() { "1" } else { value };
            let other = if name == "pingInterval" { "pingTimeout" } else { "pingInterval" };
            let json = format!(r#"{{"sid":"a","{member}":{value},"{other}":1000}}"#);
            breaks(Script::new().websocket().open_with(&json), "handshake", name);
        }
    }
}

#[test]
fn a_handshake_that_is_no_json_object() {
    let texts = ["", "{", "[]", "null", "\"sid\"", r#"{"sid":"a","pingInterval":NaN}"#, "{} {}"];
    for json in texts {
        breaks(Script::new().websocket().open_with(json), "handshake", "Engine.IO handshake");
    }
}

#[test]
fn the_odd_handshakes_that_are_taken() {
    let odd = [
        r#"{"sid":"a","upgrades":[],"pingInterval":25000.5,"pingTimeout":20000.25}"#,
        r#"{"sid":"a","upgrades":[],"pingInterval":0.5,"pingTimeout":2e4}"#,
        r#"{"sid":"a","upgrades":[],"pingInterval":1e300,"pingTimeout":86400001}"#,
        r#"{"sid":"a","pingInterval":25000,"pingTimeout":20000}"#,
        r#"{"sid":"a","upgrades":null,"pingInterval":25000,"pingTimeout":20000}"#,
        r#"{"sid":"a","upgrades":{"a":1},"pingInterval":25000,"pingTimeout":20000}"#,
        r#"{"sid":"a","upgrades":[1,"polling"],"pingInterval":25000,"pingTimeout":20000}"#,
        r#"{"sid":"a","pingInterval":25000,"pingTimeout":20000,"maxPayload":0}"#,
        r#"{"sid":"a","pingInterval":25000,"pingTimeout":20000,"maxPayload":-5}"#,
        r#"{"sid":"a","pingInterval":25000,"pingTimeout":20000,"maxPayload":"1"}"#,
        r#"{"sid":"a","pingInterval":25000,"pingTimeout":20000,"maxPayload":null}"#,
        r#"{"sid":"a","pingInterval":25000,"pingTimeout":20000,"maxPayload":1e99}"#,
        r#"{"sid":"a","pingInterval":25000,"pingTimeout":20000,"maxPayload":100.5}"#,
        " { \"pingTimeout\" : 1000 , \"new\":{\"sid\":1}, \"pingInterval\":1000,\"sid\":\"a\"}\n",
    ];
    for json in odd {
        is_taken(Script::new().websocket().open_with(json));
    }
}

#[test]
fn the_sid_is_what_its_escapes_say() {
    let json = r#"{"sid":"\u0041\ud83d\ude00/\"","pingInterval":25000,"pingTimeout":20000}"#;
    let server = Scripted::start(
        Script::new()
            .websocket()
            .open_with(json)
            .expect_text("40")
            .text("40{\"sid\":\"\\u00e9\\n\"}")
            .until_closed(),
    );
    let client = client();
    connect(&client, &server);
    assert_eq!(client.sid(), "\u{e9}\n");
    let stats: serde_json::Value = serde_json::from_str(&client.stats()).unwrap();
    assert_eq!(stats["engine_sid"], "A\u{1f600}/\"");
    assert_eq!(client.disconnect(PATIENT), Ok(()));
    assert_eq!(client.sid(), "");
}

#[test]
fn an_engine_io_3_server() {
    let polled = r#"96:0{"sid":"a","upgrades":[],"pingInterval":25000,"pingTimeout":5000}2:40"#;
    breaks(Script::new().websocket().text(polled), "handshake", "Engine.IO 3");
    let open = r#"{"sid":"a","upgrades":[],"pingInterval":25000,"pingTimeout":5000}"#;
    let server = Script::new().websocket().open_with(open).text("40");
    breaks(server, "namespace", "Socket.IO 2 server");
}

#[test]
fn a_second_handshake() {
    let open = crate::common::scripted::OPEN;
    breaks(Script::new().websocket().open().open(), "namespace", "second Engine.IO handshake");
    let (client, server) = prompted(ready().text(r#"42["a"]"#).open_with(open).until_closed());
    assert_event(&client, "a", "[]");
    assert_ended(&client, "second Engine.IO handshake");
    assert_eq!(server.finish().close_code(), Some(1002));
    assert_usable(&client);
}

#[test]
fn packets_before_the_handshake() {
    let packets = [r#"40{"sid":"b"}"#, r#"42["a"]"#, "41", r#"44{"message":"no"}"#, "430[]"];
    for packet in packets {
        breaks(Script::new().websocket().text(packet), "handshake", "before the Engine.IO");
    }
    breaks(Script::new().websocket().binary("a"), "handshake", "binary");
    breaks(Script::new().websocket().text(""), "handshake", "empty");
    breaks(Script::new().websocket().text("Hello!"), "handshake", "packet type");
}

#[test]
fn heartbeats_before_the_handshake_disturb_nothing() {
    is_taken(
        Script::new()
            .websocket()
            .frame(Frame::ping("a"))
            .frame(Frame::pong("b"))
            .text("6")
            .text("3")
            .open(),
    );
}

#[test]
fn a_handshake_in_fragments() {
    let open = format!("0{}", crate::common::scripted::OPEN);
    let (a, b) = open.as_bytes().split_at(9);
    is_taken(Script::new().websocket().frames(fragments(opcode::TEXT, &[a, b])));
    is_taken(Script::new().websocket().frames(fragments(opcode::TEXT, &[a, b, b""])));
    let first = fragments(opcode::TEXT, &[a, b]).remove(0);
    let last = Frame::new(opcode::CONTINUATION, b);
    is_taken(Script::new().websocket().frames([first, Frame::ping("amid"), last]));
}

#[test]
fn a_handshake_behind_the_head_or_byte_by_byte() {
    let open = Frame::text(format!("0{}", crate::common::scripted::OPEN)).encode();
    is_taken(Script::new().request().switch_and(open.clone()));
    is_taken(Script::new().websocket().drip(open, 1, std::time::Duration::ZERO));
    let byte_by_byte = Script::new().request().then("answer byte by byte", |peer| {
        let head = peer.switching_protocols()?;
        head.bytes().try_for_each(|byte| peer.raw(&[byte]))
    });
    is_taken(byte_by_byte.open());
}

#[test]
fn a_handshake_with_much_in_it() {
    let more = "x".repeat(20_000);
    let json = format!(r#"{{"sid":"a","pingInterval":9000,"pingTimeout":9000,"more":"{more}"}}"#);
    is_taken(Script::new().websocket().open_with(&json));
}

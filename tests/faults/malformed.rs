//! Packets that break the protocol after connect. Each ends the connection; what came before is
//! handed out, what comes behind is not, whoever waits is told why, and the client can connect
//! again.

#![forbid(unsafe_code)]

use std::time::Instant;

use sio::error::Status;
use sio::session::State;

use crate::common::scripted::{Frame, Script, opcode};
use crate::support::*;

/// Frames that break the protocol, and what the text says of them.
type Case = (Vec<Frame>, &'static str);

fn texts(cases: &[(&str, &'static str)]) -> Vec<Case> {
    cases.iter().map(|(text, says)| (vec![Frame::text(*text)], *says)).collect()
}

/// Every case by two ways: the break amid other events, and while a call waits.
pub(crate) fn each_ends_the_connection(cases: &[Case]) {
    let _quiet = quiet();
    for (frames, says) in cases {
        amid_events(frames, says);
        while_a_call_waits(frames, says);
    }
}

fn amid_events(frames: &[Frame], says: &str) {
    let mut all = vec![Frame::text(r#"42["before",1]"#), Frame::text(r#"42["before",2]"#)];
    all.extend_from_slice(frames);
    all.push(Frame::text(r#"42["behind"]"#));
    let (client, server) = prompted(ready().frames(all).until_closed());
    let shown = format!("{frames:.200?}");
    assert_event(&client, "before", "[1]");
    assert_event(&client, "before", "[2]");
    assert_eq!(receive_fails(&client, PATIENT), Status::Disconnected, "{shown}");
    let text = client.error();
    assert!(text.contains("broke the protocol") && text.contains(says), "{shown}: {text}");
    assert_eq!(failure(&client)["phase"], "session");
    assert_eq!(client.state(), State::Closed);
    assert_eq!(client.emit("e", None, &[], PATIENT), Err(Status::Disconnected));
    assert!(client.error().contains(says), "{shown}: {}", client.error());
    let code = server.finish().close_code();
    assert!(matches!(code, Some(1002 | 1007 | 1009)), "{shown}: closed with {code:?}");
    assert_usable(&client);
}

fn while_a_call_waits(frames: &[Frame], says: &str) {
    let script = Script::new().connected().expect_text(r#"420["c"]"#).until_told();
    let (client, server) = connected(script.frames(frames.to_vec()).until_closed());
    let calling = start(&client, |client| (call_fails(client, "c", PATIENT), failure(client)));
    wait_until("the call is sent", || !server.record().texts().is_empty());
    let since = Instant::now();
    server.tell();
    let (status, failure) = calling.back_within(since, WAKE);
    assert_eq!(status, Status::Disconnected);
    assert_eq!(receive_fails(&client, AT_ONCE), Status::Disconnected);
    assert_eq!(failure["sent"], true, "{failure}");
    let text = failure["text"].as_str().unwrap();
    assert!(text.contains(says), "{frames:.200?}: {text}");
}

#[test]
fn packets_of_no_known_type() {
    each_ends_the_connection(&texts(&[
        ("", "an Engine.IO packet is empty"),
        ("4", "a Socket.IO packet is empty"),
        ("7", "unknown Engine.IO packet type"),
        ("b4AAA=", "unknown Engine.IO packet type"),
        ("\u{e9}", "unknown Engine.IO packet type"),
        (" 42[\"a\"]", "unknown Engine.IO packet type"),
        ("47[\"a\"]", "unknown Socket.IO packet type"),
        ("4\u{1f600}", "unknown Socket.IO packet type"),
        ("4/a,", "unknown Socket.IO packet type"),
        ("4[\"a\"]", "unknown Socket.IO packet type"),
    ]));
}

#[test]
fn events_that_are_not_json() {
    each_ends_the_connection(&texts(&[
        ("42", "EVENT"),
        ("42[", "EVENT"),
        ("42[\"a\"", "EVENT"),
        ("42[\"a", "EVENT"),
        ("42[\"a\",]", "EVENT"),
        ("42[\"a\",1,,2]", "EVENT"),
        ("42[\"a\" 1]", "EVENT"),
        ("42[\"a\"]]", "EVENT"),
        ("42[\"a\"]42[\"b\"]", "EVENT"),
        ("42[\"a\",{\"b\"}]", "EVENT"),
        ("42[\"a\",{b:1}]", "EVENT"),
        ("42[\"a\",{\"b\":1,}]", "EVENT"),
        ("42[\"a\",[1}]", "EVENT"),
        ("42[\"a\",01]", "EVENT"),
        ("42[\"a\",+1]", "EVENT"),
        ("42[\"a\",.5]", "EVENT"),
        ("42[\"a\",1.]", "EVENT"),
        ("42[\"a\",0x10]", "EVENT"),
        ("42[\"a\",1e]", "EVENT"),
        ("42[\"a\",tru]", "EVENT"),
        ("42[\"a\",TRUE]", "EVENT"),
        ("42['a']", "EVENT"),
        ("42[\"a\",\"\\x41\"]", "EVENT"),
        ("42[\"a\",\"\\u12\"]", "EVENT"),
        ("42[\"a\",\"\n\"]", "EVENT"),
        ("42[\"a\0b\"]", "EVENT"),
        ("42[\"a\"]\0", "EVENT"),
        ("42\u{feff}[\"a\"]", "EVENT"),
        ("42[\"a\",/*c*/1]", "EVENT"),
    ]));
}

#[test]
fn what_other_languages_write_for_json_is_named() {
    each_ends_the_connection(&texts(&[
        ("42[\"a\",NaN]", "NaN is not JSON"),
        ("42[\"a\",{\"b\":[NaN]}]", "NaN is not JSON"),
        ("42[NaN]", "NaN is not JSON"),
        ("430[NaN]", "NaN is not JSON"),
        ("42[\"a\",Infinity]", "Infinity is not JSON"),
        ("42[\"a\",-Infinity]", "-Infinity is not JSON"),
        ("42[\"a\",None]", "None is not JSON"),
        ("42[\"a\",undefined]", "undefined is not JSON"),
    ]));
}

#[test]
fn events_whose_json_is_of_the_wrong_kind() {
    each_ends_the_connection(&texts(&[
        ("42[]", "an event without a name"),
        ("42 [ ] ", "an event without a name"),
        ("42[null]", "neither string nor number"),
        ("42[true,\"a\"]", "neither string nor number"),
        ("42[[\"a\"]]", "neither string nor number"),
        ("42[{\"a\":1}]", "neither string nor number"),
        ("42{\"a\":1}", "expected an array"),
        ("42\"a\"", "expected an array"),
        ("42null", "expected an array"),
        ("427", "EVENT"),
        ("42/admin", "EVENT"),
    ]));
}

#[test]
fn ids_and_answers_that_are_wrong() {
    each_ends_the_connection(&texts(&[
        ("4218446744073709551616[\"a\"]", "the id is too large"),
        ("4399999999999999999999999999[]", "the id is too large"),
        ("42-1[\"a\"]", "EVENT"),
        ("421.5[\"a\"]", "EVENT"),
        ("421e3[\"a\"]", "EVENT"),
        ("43[1]", "expected the id"),
        ("43", "expected the id"),
        ("430", "ACK"),
        ("430{\"a\":1}", "expected an array"),
        ("430\"a\"", "expected an array"),
        ("430null", "expected an array"),
        ("430[1", "ACK"),
        ("430[1]]", "ACK"),
        ("43/other,[1]", "expected the id"),
    ]));
}

#[test]
fn other_packets_with_wrong_payloads() {
    each_ends_the_connection(&texts(&[
        ("40[1]", "CONNECT"),
        ("40{\"sid\":}", "CONNECT"),
        ("40{\"sid\":\"x\"}", "a second CONNECT"),
        ("40", "a second CONNECT"),
        ("44[1]", "CONNECT_ERROR"),
        ("44null", "CONNECT_ERROR"),
        ("44{", "CONNECT_ERROR"),
        ("41{", "DISCONNECT"),
        ("41nope", "DISCONNECT"),
        ("0{\"sid\":\"b\"}", "a second Engine.IO handshake"),
        ("0", "a second Engine.IO handshake"),
        // Of another namespace, but nothing can be told of what cannot be read.
        ("42/other,[", "EVENT"),
        ("42/other,[null]", "neither string nor number"),
    ]));
}

#[test]
fn binary_packets_with_a_wrong_count() {
    each_ends_the_connection(&texts(&[
        ("45[\"a\"]", "count of attachments"),
        ("45-[\"a\"]", "count of attachments"),
        ("451[\"a\"]", "count of attachments"),
        ("45/other,1-[\"a\"]", "count of attachments"),
        ("45x-[\"a\"]", "count of attachments"),
        ("45-1-[\"a\"]", "count of attachments"),
        ("45 1-[\"a\"]", "count of attachments"),
        ("4599999999999999999999999-[\"a\"]", "count of attachments"),
        ("46[1]", "count of attachments"),
        ("451025-[\"a\"]", "\"max_attachments\" is 1024"),
        ("4518446744073709551615-[\"a\"]", "\"max_attachments\" is 1024"),
        ("451-[]", "an event without a name"),
        ("451-", "BINARY_EVENT"),
        ("461-[1]", "expected the id"),
        ("461-0{}", "expected an array"),
    ]));
}

#[test]
fn placeholders_that_name_no_attachment() {
    let wrong = [
        r#"{"_placeholder":true}"#,
        r#"{"_placeholder":true,"num":1}"#,
        r#"{"_placeholder":true,"num":-1}"#,
        r#"{"_placeholder":true,"num":0.0}"#,
        r#"{"_placeholder":true,"num":0e0}"#,
        r#"{"_placeholder":true,"num":"0"}"#,
        r#"{"_placeholder":true,"num":null}"#,
        r#"{"_placeholder":true,"num":[0]}"#,
        r#"{"_placeholder":true,"num":99999999999999999999}"#,
        r#"{"num":0,"\u005fplaceholder":true,"num":1}"#,
        r#"{"deep":[[{"_placeholder":true,"num":2}]]}"#,
    ];
    let cases: Vec<Case> = wrong
        .iter()
        .map(|wrong| (vec![Frame::text(format!(r#"451-["a",{wrong}]"#))], "placeholder"))
        .chain([
            (vec![Frame::text(r#"450-["a",{"_placeholder":true,"num":0}]"#)], "placeholder"),
            (vec![Frame::text(r#"461-0[{"_placeholder":true,"num":1}]"#)], "placeholder"),
            (vec![Frame::text(r#"451-/o,["a",{"_placeholder":true,"num":1}]"#)], "placeholder"),
        ])
        .collect();
    each_ends_the_connection(&cases);
}

#[test]
fn attachments_out_of_place() {
    let header = || Frame::text(r#"452-["a",{"_placeholder":true,"num":0}]"#);
    let amid = "in the middle of another one, of which";
    let cases: Vec<Case> = vec![
        (vec![Frame::binary("x")], "a binary message that no packet announced"),
        (vec![Frame::binary("")], "a binary message that no packet announced"),
        (
            vec![header(), Frame::binary("1"), Frame::binary("2"), Frame::binary("3")],
            "a binary message that no packet announced",
        ),
        (vec![header(), Frame::text(r#"42["b"]"#)], amid),
        (vec![header(), Frame::binary("1"), Frame::text(r#"430[]"#)], amid),
        (vec![header(), Frame::binary("1"), header()], "1 of 2 attachments had come"),
        (vec![header(), Frame::text("41")], amid),
        (vec![header(), Frame::text(r#"42/other,["b"]"#)], amid),
        (vec![header(), Frame::text("4")], "a Socket.IO packet is empty"),
        (vec![Frame::text(r#"452-/other,["a"]"#), Frame::text(r#"42["b"]"#)], amid),
        (vec![Frame::text(r#"450-["z"]"#), Frame::binary("x")], "that no packet announced"),
    ];
    for (frames, says) in cases {
        // The packet with no attachments is complete, so it is an event that was before.
        if frames.len() == 2 && says == "that no packet announced" {
            let (client, _server) = prompted(ready().frames(frames).until_closed());
            assert_event(&client, "z", "[]");
            assert_ended(&client, says);
        } else if says.starts_with("a binary message") && frames.len() == 4 {
            let (client, _server) = prompted(ready().frames(frames).until_closed());
            let event = client.receive(PATIENT).unwrap_or_else(|status| panic!("{status:?}"));
            assert_eq!((event.name(), event.buffer_count()), ("a", 2));
            assert_ended(&client, says);
        } else {
            each_ends_the_connection(&[(frames, says)]);
        }
    }
}

#[test]
fn text_that_is_not_utf8() {
    let invalid: [&[u8]; 6] = [
        b"42[\"a\xff\"]",
        b"42[\"\xc3\"]",
        b"42[\"\xed\xa0\x80\"]",
        b"42[\"\xf8\x88\x80\x80\x80\"]",
        b"42[\"\xc0\x80\"]",
        b"42[\"a\"]\xe2\x82",
    ];
    let cases: Vec<Case> = invalid
        .iter()
        .map(|bytes| (vec![Frame::new(opcode::TEXT, *bytes)], "not UTF-8 at byte"))
        .collect();
    each_ends_the_connection(&cases);
}

#[test]
fn large_packets_are_checked_like_small_ones() {
    let padding = "x".repeat(40_000);
    let cases: Vec<Case> = vec![
        (vec![Frame::text(format!("42[\"{padding}\",NaN]"))], "NaN is not JSON"),
        (vec![Frame::text(format!("42[null,\"{padding}\"]"))], "neither string nor number"),
        (vec![Frame::text(format!("47[\"{padding}\"]"))], "unknown Socket.IO packet type"),
        (vec![Frame::text(format!("x{padding}"))], "unknown Engine.IO packet type"),
        (vec![Frame::text(format!("40{{\"sid\":\"{padding}\"}}"))], "a second CONNECT"),
        (
            vec![Frame::text(format!(r#"451-["{padding}",{{"_placeholder":true,"num":1}}]"#))],
            "placeholder",
        ),
        (
            vec![Frame::text(format!("451-[\"{padding}\"]")), Frame::text("42[\"b\"]")],
            "in the middle",
        ),
        (vec![Frame::binary(padding.clone())], "that no packet announced"),
        (
            vec![Frame::new(opcode::TEXT, [padding.as_bytes(), b"\xff"].concat())],
            "not UTF-8 at byte 40000",
        ),
    ];
    each_ends_the_connection(&cases);
}

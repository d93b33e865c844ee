//! What polls may bring: bodies in every form of HTTP, and bodies that are broken in every way.

#![forbid(unsafe_code)]

use serde_json::json;
use sio::error::Status;
use sio::session::State;

use crate::clients::*;
use crate::common::scripted::{Answer, Engine, Gate, Plan, open};
use crate::support::*;

const EVENTS: &str = "42[\"a\",1]\x1e42[\"b\",\"\u{e9}\"]\x1e42[\"c\"]";

#[track_caller]
fn assert_events(client: &sio::client::Client) {
    assert_event(client, "a", "[1]");
    assert_event(client, "b", "[\"\u{e9}\"]");
    assert_event(client, "c", "[]");
}

// ---- good in every form ----

#[test]
fn bodies_of_every_form_are_read() {
    let answers: Vec<(&str, Box<dyn Fn() -> Answer>)> = vec![
        ("length", Box::new(|| Answer::ok(EVENTS))),
        ("chunked", Box::new(|| Answer::head("200 OK").chunked(EVENTS, 5))),
        ("bytes in chunks", Box::new(|| Answer::head("200 OK").chunked(EVENTS, 1))),
        ("one chunk", Box::new(|| Answer::head("200 OK").chunked(EVENTS, 1000))),
        ("byte by byte", Box::new(|| Answer::ok(EVENTS).dripped(1, ms(0)))),
        (
            "chunked byte by byte",
            Box::new(|| Answer::head("200 OK").chunked(EVENTS, 3).dripped(1, ms(0))),
        ),
        ("until the end", Box::new(|| Answer::head("200 OK").until_close(EVENTS))),
        ("HTTP/1.0", Box::new(|| Answer::head("200 OK").http_1_0().until_close(EVENTS))),
        ("gzip", Box::new(|| Answer::head("200 OK").gzip(EVENTS))),
        ("deflate", Box::new(|| Answer::head("200 OK").deflate(EVENTS))),
        ("gzip byte by byte", Box::new(|| Answer::head("200 OK").gzip(EVENTS).dripped(1, ms(0)))),
        (
            "interim answers",
            Box::new(|| {
                let interim =
                    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n";
                let mut answer = interim.as_bytes().to_vec();
                let length = EVENTS.len();
                answer
                    .extend(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").bytes());
                answer.extend(EVENTS.bytes());
                Answer::raw(answer)
            }),
        ),
        ("201", Box::new(|| Answer::status("201 Created", EVENTS))),
        (
            "octets",
            Box::new(|| {
                Answer::head("200 OK").header("Content-Type: application/octet-stream").body(EVENTS)
            }),
        ),
    ];
    for (what, answer) in answers {
        let (client, engine) = polled(Plan::polling_only());
        engine.answer_poll(answer());
        assert_events(&client);
        // It goes on behind it.
        engine.send("42[\"on\"]");
        assert_event(&client, "on", "[]");
        assert_eq!(client.state(), State::Connected, "{what}");
        emit(&client, "e", "[]");
        engine.wait_for_text("42[\"e\"]");
    }
}

#[test]
fn packets_are_handed_out_as_soon_as_they_are_there() {
    let gate = Gate::new();
    let (client, engine) = polled(Plan::polling_only());
    let head = "HTTP/1.1 200 OK\r\nContent-Length: ".len();
    let answer = Answer::ok(EVENTS);
    let _ = head;
    // The head has some ninety bytes, and behind the first packet's separator nothing comes.
    let bytes = EVENTS.find('\x1e').expect("there are several") + 1;
    let whole = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{EVENTS}", EVENTS.len());
    let cut = whole.len() - EVENTS.len() + bytes;
    drop(answer);
    engine.answer_poll(Answer::raw(whole).held_from(cut, &gate));
    assert_event(&client, "a", "[1]");
    assert_eq!(receive_fails(&client, limit(50)), Status::Timeout);
    gate.open();
    assert_event(&client, "b", "[\"\u{e9}\"]");
    assert_event(&client, "c", "[]");
}

#[test]
fn answers_to_posts_may_have_any_body() {
    let answers: [fn() -> Answer; 6] = [
        || Answer::ok(""),
        || Answer::ok("OK"),
        || Answer::ok("x".repeat(100_000)),
        || Answer::head("200 OK").chunked("ok", 1),
        || Answer::head("204 No Content").body(""),
        || Answer::head("200 OK").gzip("ok"),
    ];
    for answer in answers {
        let (client, engine) = polled(Plan::polling_only());
        engine.answer_post(answer());
        emit(&client, "a", "[]");
        emit(&client, "b", "[]");
        engine.wait_for_text("42[\"b\"]");
        assert_eq!(client.state(), State::Connected);
    }
}

#[test]
fn the_handshake_may_bring_more_packets() {
    let plan = Plan::default().open(|n| {
        let handshake = open(n, &[], 25_000, 20_000, None);
        format!("{handshake}\x1e6\x1e2\x1e42[\"early\"]")
    });
    let (client, engine) = polled(plan);
    assert_event(&client, "early", "[]");
    engine.wait_for("the pong", |all| {
        all.iter().any(|one| one.packet.text() == Some("3")).then_some(())
    });
}

#[test]
fn events_before_the_acknowledgement_are_handed_out_after_it() {
    let gate = Gate::new();
    let engine = Engine::start(Plan::polling_only().namespace(&gate));
    let client = polling(&[]);
    let url = engine.url();
    let connecting = start(&client, move |client| client.connect(Some(&url), PATIENT));
    engine.wait_for_text("40");
    engine.send_all(&["42[\"early\",1]", "42[\"early\",2]"]);
    assert_eq!(receive_fails(&client, limit(100)), Status::Timeout);
    gate.open();
    assert_eq!(connecting.back(), Ok(()));
    assert_event(&client, "early", "[1]");
    assert_event(&client, "early", "[2]");
}

// ---- broken ----

#[test]
fn malformed_bodies_end_the_connection_and_lose_nothing_before_them() {
    let broken: &[(&[u8], &str)] = &[
        (b"", "empty"),
        (b"\x1e", "empty"),
        (b"\x1e42[\"b\"]", "empty"),
        (b"42[\"a\"]\x1e", "empty"),
        (b"42[\"a\"]\x1e\x1e42[\"b\"]", "empty"),
        (b"x", "packet type"),
        (b"42[\"a\"]\x1eHello!", "packet type"),
        (b"7", "packet type"),
        (b"b!!!!", "base64"),
        (b"bA", "base64"),
        (b"bAA=A", "base64"),
        (b"bA===", "base64"),
        (b"bAQI=AQI=", "base64"),
        (b"42[\"a\"]\x1e42[\"\xff\"]", "UTF-8"),
        (b"42[\"a\"]\x1e42[\"\xc3", "UTF-8"),
        (b"42[\"a\"]\x1e42[", "byte"),
        (b"42[NaN]", "NaN"),
        (b"42", ""),
        (b"42[]", ""),
        (b"42{}", ""),
        (b"42[true]", ""),
        (b"4", ""),
        (b"47", ""),
        (b"43[]", ""),
        (b"451-[\"a\",{\"_placeholder\":true,\"num\":1}]\x1ebAA==", ""),
        (b"451-[\"a\",{\"_placeholder\":true,\"num\":0}]\x1e42[\"b\"]", ""),
        (b"42[\"a\"]\x1ebAA==", "binary"),
        (b"40{\"sid\":\"again\"}", ""),
        (b"0{\"sid\":\"again\",\"pingInterval\":1,\"pingTimeout\":1}", ""),
        (b"96:0{\"sid\":\"a\"}", ""),
        (b"<html><body>Welcome</body></html>", ""),
    ];
    for (body, says) in broken {
        let shown = body.escape_ascii();
        let (client, engine) = polled(Plan::polling_only());
        let calling = start(&client, |client| client.call("c", None, &[], PATIENT).map(drop));
        engine.wait_for_text("420[\"c\"]");
        engine.send("42[\"first\"]");
        assert_event(&client, "first", "[]");
        engine.answer_poll(Answer::ok(*body));
        if body.starts_with(b"42[\"a\"]") {
            assert_event(&client, "a", "[]");
        }
        match client.receive(PATIENT) {
            Ok(event) => panic!("{shown}: an event {:?} {}", event.name(), event.args()),
            Err(status) => assert_eq!(status, Status::Disconnected, "{shown}"),
        }
        assert_says(&client, says);
        assert_eq!(client.state(), State::Closed, "{shown}");
        assert_eq!(calling.back(), Err(Status::Disconnected), "{shown}");
        assert_polls(&client);
    }
}

#[test]
fn after_a_malformed_body_the_connection_is_made_again() {
    let engine = Engine::start(Plan::polling_only());
    let client = reconnecting(&[("transports", "polling")]);
    join(&client, &engine);
    engine.answer_poll(Answer::ok(
        "42[\"a\"]\x1e451-[\"half\",{\"_placeholder\":true,\"num\":0}]\x1e!",
    ));
    assert_event(&client, "a", "[]");
    wait_until("another session", || engine.sessions() == 2);
    wait_for_state(&client, State::Connected);
    // With a decoder that knows nothing of the half of a packet.
    engine.send("42[\"whole\"]");
    assert_event(&client, "whole", "[]");
}

#[test]
fn truncated_bodies_end_the_connection() {
    let answers: Vec<(&str, Answer)> = vec![
        ("length", Answer::ok(EVENTS).cut_short(3)),
        ("length, nothing", Answer::ok(EVENTS).cut_short(EVENTS.len())),
        ("half a head", Answer::ok(EVENTS).cut(20)),
        ("nothing", Answer::none()),
        ("reset", Answer::ok(EVENTS).cut_short(3).then_reset()),
        ("chunk", Answer::head("200 OK").chunked(EVENTS, 5).cut_short(8)),
        ("last chunk", Answer::head("200 OK").chunked(EVENTS, 5).cut_short(5)),
        ("gzip", Answer::head("200 OK").gzip(EVENTS).cut_short(4)),
        ("chunk size", Answer::raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n")),
        (
            "too long",
            Answer::head("200 OK").body_of_length(usize::MAX >> 1, "42[\"a\",1]").then_close(),
        ),
    ];
    for (what, answer) in answers {
        let (client, engine) = polled(Plan::polling_only());
        engine.answer_poll(answer);
        // Events whose packets were whole may come; what was cut must not.
        let mut events = Vec::new();
        let status = loop {
            match client.receive(PATIENT) {
                Ok(event) => events.push(event.name().to_owned()),
                Err(status) => break status,
            }
        };
        assert_eq!(status, Status::Disconnected, "{what}");
        assert!(["a", "b", "c"].iter().zip(&events).all(|(a, b)| a == b), "{what}: {events:?}");
        assert!(events.len() < 3 || what.contains("chunk"), "{what}: {events:?}");
        assert_eq!(client.state(), State::Closed);
        // No poll was tried again: what its first answer carried would be lost.
        assert_eq!(engine.polls().iter().filter(|one| one.answered.is_none()).count(), 0, "{what}");
        assert_polls(&client);
    }
}

#[test]
fn http_errors_of_a_session_end_it_and_tell_what_the_server_said() {
    for by_post in [false, true] {
        let (client, engine) = polled(Plan::polling_only());
        engine.wait_for_poll();
        let answer = Answer::error(1, "Session ID unknown");
        if by_post {
            engine.answer_post(answer);
            emit(&client, "a", "[]");
        } else {
            engine.answer_poll(answer);
        }
        assert_eq!(receive_fails(&client, PATIENT), Status::Disconnected);
        assert_eq!(client.state(), State::Closed);
        let failure = failure(&client);
        assert_eq!(failure["http_status"], 400, "{failure}");
        assert_eq!(failure["message"], "Session ID unknown", "{failure}");
        let body = failure["http_body"].as_str().expect("a body");
        assert!(body.contains("\"code\":1"), "{body}");
        assert_says(&client, "Session ID unknown");
    }
}

#[test]
fn a_server_that_restarts_is_told_from_its_error() {
    let (client, engine) = polled(Plan::polling_only());
    engine.wait_for_poll();
    engine.http().cut();
    assert_eq!(receive_fails(&client, PATIENT), Status::Disconnected);
    assert_ne!(failure(&client)["text"], json!(""));
}

#[test]
fn compressed_bodies_are_limited_by_what_they_unpack_to() {
    let _loud = loud();
    let options = [("max_message_bytes", "1000000")];
    let (client, engine) = polled_with(&options, Plan::polling_only());
    let memory = Memory::begin();
    // A hundred thousand bytes that become a hundred million.
    let bomb = format!("42[\"a\",\"{}\"]", "x".repeat(100_000_000));
    let answer = Answer::head("200 OK").gzip(bomb);
    let before = memory.growth();
    engine.answer_poll(answer);
    assert_lost(&client, "1000000");
    let growth = memory.growth() - before;
    assert!(growth < 30_000_000, "{growth} bytes for a bomb");
}

#[test]
fn an_encoding_that_nobody_asked_for_is_an_error() {
    let (client, engine) = polled(Plan::polling_only());
    engine.answer_poll(Answer::head("200 OK").header("Content-Encoding: br").body("\x0b\x02"));
    assert_lost(&client, "br");
    assert!(engine.http().exchanges().iter().all(|one| {
        one.request.header("Accept-Encoding").is_none_or(|value| value == "identity")
    }));
}

#[test]
fn a_packet_over_max_message_bytes_ends_the_connection_before_it_is_there() {
    let _loud = loud();
    let options = [("max_message_bytes", "100000")];
    let bodies: [fn() -> Answer; 2] = [
        || Answer::ok(format!("42[\"a\",\"{}\"]", "x".repeat(50_000_000))),
        || {
            let text = r#"451-["a",{"_placeholder":true,"num":0}]"#;
            Answer::ok(format!("{text}\x1eb{}", "AAAA".repeat(10_000_000)))
        },
    ];
    for body in bodies {
        let (client, engine) = polled_with(&options, Plan::polling_only());
        let answer = body();
        let memory = Memory::begin();
        engine.answer_poll(answer);
        assert_lost(&client, "100000");
        let growth = memory.growth();
        assert!(growth < 30_000_000, "{growth} bytes");
        assert_polls(&client);
    }
}

#[test]
fn a_body_of_many_packets_may_be_larger_than_one_message() {
    let _loud = loud();
    let (client, engine) = polled_with(&[("max_message_bytes", "10000")], Plan::polling_only());
    let packets: Vec<String> =
        (0..100).map(|i| format!("42[\"e\",{i},\"{}\"]", "x".repeat(9_000))).collect();
    engine.answer_poll(Answer::ok(packets.join("\x1e")));
    for i in 0..100 {
        assert_event(&client, "e", &format!("[{i},\"{}\"]", "x".repeat(9_000)));
    }
}

#[test]
fn a_head_without_end_is_refused() {
    let (client, engine) = polled(Plan::polling_only());
    engine.answer_poll(Answer::raw(
        ["HTTP/1.1 200 OK\r\n".to_owned(), "X-More: and more\r\n".repeat(10_000)].concat(),
    ));
    assert_lost(&client, "64 KiB");
}

#[test]
fn what_is_not_http_is_told() {
    for garbage in ["garbage\r\n\r\n", "HTTP/9.9 abc\r\n\r\n", "\0\x01\x02\r\n\r\n"] {
        let (client, engine) = polled(Plan::polling_only());
        engine.answer_poll(Answer::raw(garbage).then_close());
        assert_eq!(receive_fails(&client, PATIENT), Status::Disconnected);
        assert!(!client.error().is_empty());
        assert_polls(&client);
    }
}

#[test]
fn packets_of_other_namespaces_are_consumed_with_their_attachments_and_counted() {
    let (client, engine) = polled(Plan::polling_only());
    engine.answer_poll(Answer::ok(
        "42/other,[\"e\"]\x1e451-/other,[\"b\",{\"_placeholder\":true,\"num\":0}]",
    ));
    engine.answer_poll(Answer::ok("bAA==\x1e41/other,\x1e42[\"ours\"]"));
    assert_event(&client, "ours", "[]");
    assert_eq!(stat(&client, "foreign_packets"), 3);
    assert_eq!(client.disconnect(PATIENT), Ok(()), "{}", client.error());
}

//! The list of transports: when the next one is tried, and what is told if none will do.

#![forbid(unsafe_code)]

use std::time::Instant;

use sio::error::Status;
use sio::session::State;

use crate::clients::*;
use crate::common::scripted::{Answer, Blackhole, Engine, HttpServer, Plan, ReservedPort, Script};
use crate::support::*;

fn refusing_polling(answer: fn() -> Answer) -> Plan {
    Plan::default()
        .hook(move |request| (request.query("transport") == Some("polling")).then(answer))
}

fn refusing_websocket(answer: fn() -> Answer) -> Plan {
    Plan::default()
        .hook(move |request| (request.query("transport") == Some("websocket")).then(answer))
}

#[test]
fn an_http_error_by_polling_leads_to_websocket() {
    let answers: [fn() -> Answer; 5] = [
        || Answer::error(0, "Transport unknown"),
        || Answer::status("404 Not Found", "nothing here"),
        || Answer::status("403 Forbidden", ""),
        || Answer::status("500 Internal Server Error", "oops"),
        || Answer::status("503 Service Unavailable", "later"),
    ];
    for answer in answers {
        let engine = Engine::start(refusing_polling(answer));
        let client = upgrading(&[]);
        join(&client, &engine);
        assert_eq!(client.transport(), "websocket");
        emit(&client, "a", "[]");
        engine.wait_for_text("42[\"a\"]");
        let lines: Vec<bool> =
            engine.http().exchanges().iter().map(|one| one.request.is_upgrade()).collect();
        assert_eq!(lines, [false, true]);
        assert_eq!(stat(&client, "attempts"), 1, "it is one attempt");
    }
}

#[test]
fn a_websocket_that_does_not_open_leads_to_polling_and_is_not_probed() {
    let answers: [(&str, fn() -> Answer); 7] = [
        ("400", || Answer::error(0, "Transport unknown")),
        ("403", || Answer::status("403 Forbidden", "")),
        ("200", || Answer::ok("hello")),
        ("closed", Answer::none),
        ("garbage", || Answer::raw("garbage\r\n\r\n").then_close()),
        ("wrong key", || Answer::script(Script::new().switch_with_wrong_key().until_closed())),
        ("silent", Answer::silence),
    ];
    for (what, answer) in answers {
        let engine = Engine::start(refusing_websocket(answer));
        let options = [("transports", "websocket,polling"), ("request_timeout_ms", "500")];
        let client = upgrading(&options);
        let since = Instant::now();
        join(&client, &engine);
        assert_eq!(client.transport(), "polling", "{what}");
        assert!(since.elapsed() < ms(1500), "{what}: {:?}", since.elapsed());
        emit(&client, "a", "[]");
        engine.wait_for_text("42[\"a\"]");
        std::thread::sleep(ms(200));
        let upgrades =
            engine.http().exchanges().iter().filter(|one| one.request.is_upgrade()).count();
        assert_eq!(upgrades, 1, "{what}: after falling back no upgrade is probed");
        assert_eq!(client.state(), State::Connected);
    }
}

#[test]
fn a_server_that_cannot_be_reached_is_not_tried_by_the_other_transport() {
    let port = ReservedPort::any().expect("a port");
    for transports in ["polling,websocket", "websocket,polling"] {
        let client = upgrading(&[("transports", transports)]);
        let outcome = client.connect(Some(&port.url()), PATIENT);
        assert_eq!(outcome, Err(Status::Unreachable));
        let failure = failure(&client);
        assert_eq!(failure["phase"], "connect", "{failure}");
        assert!(!failure["text"].as_str().unwrap().contains("by "), "{failure}");
    }
    let blackhole = Blackhole::start();
    for transports in ["polling,websocket", "websocket,polling"] {
        let client = upgrading(&[("transports", transports), ("attempt_timeout_ms", "500")]);
        let since = Instant::now();
        assert_eq!(client.connect(Some(&blackhole.url()), PATIENT), Err(Status::Timeout));
        assert_elapsed(since, ms(500), ms(600));
        assert_eq!(failure(&client)["phase"], "connect");
    }
}

#[test]
fn a_poll_that_is_not_answered_is_a_timeout_and_no_refusal() {
    let server = HttpServer::start(|_| Answer::silence());
    let client = upgrading(&[("request_timeout_ms", "300")]);
    let since = Instant::now();
    assert_eq!(client.connect(Some(&server.url()), PATIENT), Err(Status::Timeout));
    assert_elapsed(since, ms(300), ms(400));
    assert_eq!(failure(&client)["phase"], "http");
    assert_says(&client, "request_timeout_ms");
    assert_eq!(server.exchanges().len(), 1);
}

#[test]
fn if_none_will_do_the_first_is_told_and_the_other_added() {
    let plan = Plan::default().hook(|request| match request.query("transport") {
        Some("polling") => Some(Answer::error(5, "Unsupported protocol version")),
        _ => Some(Answer::status("403 Forbidden", "not by websocket")),
    });
    let engine = Engine::start(plan);
    for (transports, status, message, other) in [
        ("polling,websocket", 400, "Unsupported protocol version", "403"),
        ("websocket,polling", 403, "", "400"),
    ] {
        let client = upgrading(&[("transports", transports)]);
        let outcome = client.connect(Some(&engine.url()), PATIENT);
        assert_eq!(outcome, Err(Status::Unreachable));
        let failure = failure(&client);
        assert_eq!(failure["http_status"], status, "{failure}");
        assert_eq!(failure["message"].as_str().unwrap_or_default(), message);
        assert_says(&client, &status.to_string());
        assert_says(&client, other);
        assert_says(&client, if transports.starts_with('p') { "websocket" } else { "polling" });
        assert_eq!(client.state(), State::Closed);
    }
}

#[test]
fn one_transport_alone_has_no_other() {
    let engine = Engine::start(refusing_polling(|| Answer::error(0, "Transport unknown")));
    let client = polling(&[]);
    assert_eq!(client.connect(Some(&engine.url()), PATIENT), Err(Status::Unreachable));
    assert_eq!(engine.http().exchanges().len(), 1);
    assert_eq!(failure(&client)["message"], "Transport unknown");
    assert_eq!(failure(&client)["phase"], "http");

    let engine = Engine::start(refusing_websocket(|| Answer::error(0, "Transport unknown")));
    let client = upgrading(&[("transports", "websocket")]);
    assert_eq!(client.connect(Some(&engine.url()), PATIENT), Err(Status::Unreachable));
    assert_eq!(engine.http().exchanges().len(), 1);
}

#[test]
fn a_handshake_that_breaks_the_protocol_is_not_tried_again() {
    for body in ["hello", "0{}", "96:0{\"sid\":\"a\"}2:40", "", "40{\"sid\":\"a\"}"] {
        let server = HttpServer::start(move |_| Answer::ok(body));
        let client = upgrading(&[]);
        let outcome = client.connect(Some(&server.url()), PATIENT);
        assert_eq!(outcome, Err(Status::Protocol), "{body}: {}", client.error());
        assert_eq!(server.exchanges().len(), 1, "{body}: {}", server.summary());
        assert_eq!(client.state(), State::Closed);
        if body.starts_with("96") {
            assert_says(&client, "Engine.IO 3");
        }
    }
}

#[test]
fn each_attempt_begins_with_the_first_of_the_list() {
    let engine = Engine::start(refusing_polling(|| Answer::error(0, "Transport unknown")));
    let client = reconnecting(&[]);
    join(&client, &engine);
    engine.http().cut();
    wait_until("another session", || engine.sessions() == 2);
    wait_for_state(&client, State::Connected);
    let lines: Vec<bool> =
        engine.http().exchanges().iter().map(|one| one.request.is_upgrade()).collect();
    assert_eq!(lines, [false, true, false, true]);
}

#[test]
fn a_refused_namespace_is_no_reason_to_try_the_other_transport() {
    let plan = Plan::default().reply(|packet| match packet {
        "40/refused," => vec![r#"44/refused,{"message":"no"}"#.to_owned()],
        _ => Vec::new(),
    });
    let engine = Engine::start(plan.namespace(&Default::default()));
    let client = upgrading(&[("namespace", "/refused")]);
    assert_eq!(client.connect(Some(&engine.url()), PATIENT), Err(Status::Refused));
    assert_eq!(engine.sessions(), 1);
    assert_eq!(failure(&client)["message"], "no");
    assert_eq!(failure(&client)["phase"], "namespace");
}

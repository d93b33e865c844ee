//! A POST and a poll that end at the same time, and refusals by polling whose words do not end.

#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicBool, Ordering};

use sio::error::Status;
use sio::log::Level;
use sio::session::State;

use crate::common::scripted::{Answer, Gate, HttpRequest, HttpServer, Script, open};
use crate::support::*;

fn is_handshake(request: &HttpRequest) -> bool {
    request.query("sid").is_none()
}

fn handshake() -> Answer {
    Answer::ok(format!("0{}", open(0, &[], 25_000, 20_000, None)))
}

#[test]
fn what_the_poll_brought_counts_before_a_post_that_failed_because_of_it() {
    // The server ends the namespace by the poll, and does not know the session any more when the
    // POST comes. The client is busy meanwhile and finds both answers at once.
    let (first, then) = (Gate::new(), Gate::new());
    let (begin, go_on) = (first.clone(), then.clone());
    let connected = AtomicBool::new(false);
    let server = HttpServer::start(move |request| match request.method.as_str() {
        _ if is_handshake(request) => handshake(),
        "POST" if request.text().contains("late") => {
            Answer::error(1, "Session ID unknown").when(&go_on)
        }
        "POST" => Answer::ok("ok"),
        _ if !connected.swap(true, Ordering::SeqCst) => Answer::ok(r#"40{"sid":"s"}"#),
        _ => {
            let (event, end) = ("42[\"dropped\"]\u{1e}", "42[\"too\"]\u{1e}41");
            let len = event.len() + end.len();
            let whole = format!("HTTP/1.1 200 OK\r\nContent-Length: {len}\r\n\r\n{event}{end}");
            let behind = whole.len() - end.len();
            Answer::raw(whole).held_from(behind, &go_on).when(&begin)
        }
    });
    let client = client_with(&[
        ("transports", "polling"),
        ("reconnection", "1"),
        ("receive_limit", "0"),
        ("receive_overflow", "drop_newest"),
    ]);
    // An event that is dropped leaves a line in the log, which keeps the client's thread busy.
    let (busy, free) = (Gate::new(), Gate::new());
    let (is_busy, is_free) = (busy.clone(), free.clone());
    let log = move |_: Level, line: &str| {
        if line.contains("an event was dropped") {
            is_busy.open();
            wait_until("both answers are there", || is_free.is_open());
        }
    };
    client.set_log(Some((Level::Debug, Box::new(log)))).unwrap();
    assert_eq!(client.connect(Some(&server.url()), PATIENT), Ok(()), "{}", client.error());
    assert_eq!(client.emit("late", None, &[], PATIENT), Ok(()));
    server.wait_for("the POST", |all| {
        all.iter().find(|one| one.request.text().contains("late")).map(|_| ())
    });
    first.open();
    wait_until("the client is busy", || busy.is_open());
    then.open();
    std::thread::sleep(ms(100));
    free.open();
    assert_ended(&client, "disconnected the namespace");
    assert_eq!(client.state(), State::Closed);
    assert_eq!(stat(&client, "dropped_received"), 2);
}

#[test]
fn a_refusal_whose_words_do_not_end_is_told_when_the_time_is_over() {
    let server = HttpServer::start(|_| {
        Answer::head("503 Service Unavailable").body_of_length(100, "not now").then_silence()
    });
    let client = client_with(&[("transports", "polling"), ("request_timeout_ms", "200")]);
    assert_eq!(client.connect(Some(&server.url()), PATIENT), Err(Status::Timeout));
    let told = failure(&client);
    assert_eq!(told["http_status"], 503, "{told}");
    assert_eq!(told["http_body"], "not now", "{told}");
    assert_eq!(told["phase"], "http", "{told}");
    // The same within the time of connect.
    assert_eq!(client.connect(Some(&server.url()), limit(100)), Err(Status::Timeout));
    assert_eq!(failure(&client)["http_status"], 503);
    assert_says(&client, "its timeout");
}

#[test]
fn a_server_that_refused_polling_is_asked_for_websocket_even_if_its_words_do_not_end() {
    let server = HttpServer::start(|request| {
        if request.is_upgrade() {
            return Answer::script(Script::new().switch().open().namespace().until_closed());
        }
        Answer::head("404 Not Found").body_of_length(100, "no").then_silence()
    });
    let client = client_with(&[("transports", "polling,websocket"), ("request_timeout_ms", "200")]);
    assert_eq!(client.connect(Some(&server.url()), PATIENT), Ok(()), "{}", client.error());
    assert_eq!(client.transport(), "websocket");
}

//! The first connect: one attempt, or several, and within its own time.

#![forbid(unsafe_code)]

use std::time::Instant;

use sio::error::Status;
use sio::session::State;

use crate::clients::*;
use crate::common::scripted::{Answer, Engine, Gate, HttpServer, Plan, ReservedPort};
use crate::support::*;

#[test]
fn without_retry_connect_the_first_failure_ends_it() {
    let port = ReservedPort::any().expect("a port");
    let client = reconnecting(&[]);
    let outcome = within(ms(500), || client.connect(Some(&port.url()), PATIENT));
    assert_eq!(outcome, Err(Status::Unreachable));
    assert_eq!(stat(&client, "attempts"), 1);
    assert_eq!(client.state(), State::Closed);
}

#[test]
fn with_it_a_server_that_comes_up_is_found() {
    let mut engine = Engine::usual();
    engine.down();
    let client = reconnecting(&[("retry_connect", "1")]);
    let url = engine.url();
    let connecting = start(&client, move |client| client.connect(Some(&url), PATIENT));
    wait_until("two attempts", || stat(&client, "attempts") >= 2);
    assert_eq!(client.state(), State::Connecting);
    engine.up();
    assert_eq!(connecting.back(), Ok(()), "{}", client.error());
    assert_eq!(stat(&client, "connects"), 1);
    emit(&client, "a", "[]");
    engine.wait_for_text("42[\"a\"]");
}

#[test]
fn it_also_works_without_reconnection() {
    let mut engine = Engine::usual();
    engine.down();
    let client = reconnecting(&[("retry_connect", "1"), ("reconnection", "0")]);
    let url = engine.url();
    let connecting = start(&client, move |client| client.connect(Some(&url), PATIENT));
    wait_until("two attempts", || stat(&client, "attempts") >= 2);
    engine.up();
    assert_eq!(connecting.back(), Ok(()));
    // Between two requests nothing is lost with a connection; the session has to be gone too.
    engine.forget();
    engine.http().cut();
    assert_eq!(receive_fails(&client, PATIENT), Status::Disconnected);
    assert_eq!(client.state(), State::Closed);
}

#[test]
fn retries_end_at_the_timeout_and_its_text_says_how_the_last_failed() {
    let _quiet = quiet();
    let port = ReservedPort::any().expect("a port");
    let client = reconnecting(&[("retry_connect", "1")]);
    let since = Instant::now();
    assert_eq!(client.connect(Some(&port.url()), limit(700)), Err(Status::Timeout));
    assert_elapsed(since, ms(700), ms(750));
    assert_says(&client, "refused");
    assert!(stat(&client, "attempts") >= 3);
    assert_eq!(client.state(), State::Closed);
    std::thread::sleep(ms(300));
    let attempts = stat(&client, "attempts");
    std::thread::sleep(ms(300));
    assert_eq!(stat(&client, "attempts"), attempts, "it is over");
}

#[test]
fn as_many_further_attempts_as_reconnect_attempts_says() {
    let port = ReservedPort::any().expect("a port");
    let client = reconnecting(&[("retry_connect", "1"), ("reconnect_attempts", "3")]);
    assert_eq!(client.connect(Some(&port.url()), PATIENT), Err(Status::Unreachable));
    assert_eq!(stat(&client, "attempts"), 4);
    assert_eq!(failure(&client)["attempt"], 4);
}

#[test]
fn delays_are_those_of_a_reconnection() {
    let _quiet = quiet();
    let server = HttpServer::start(|_| Answer::status("503 Service Unavailable", ""));
    let client = reconnecting(&[
        ("transports", "polling"),
        ("retry_connect", "1"),
        ("reconnect_min_ms", "100"),
        ("reconnect_max_ms", "300"),
        ("reconnect_attempts", "3"),
    ]);
    assert_eq!(client.connect(Some(&server.url()), PATIENT), Err(Status::Unreachable));
    assert_eq!(failure(&client)["http_status"], 503);
    let times: Vec<Instant> = server.exchanges().iter().map(|one| one.request.at()).collect();
    for (gap, millis) in gaps(&times).iter().zip([100, 200, 300]) {
        // A request that came late itself makes the next gap shorter.
        assert_between(*gap, ms(millis - 40), ms(millis + 60));
    }
}

#[test]
fn a_refusal_is_not_retried_unless_it_should_be() {
    let refusing = |sessions: usize| {
        Plan::default().refusing(move |session| {
            (session < sessions).then(|| r#"44{"message":"not yet"}"#.to_owned())
        })
    };
    let engine = Engine::start(refusing(2));
    let client = reconnecting(&[("retry_connect", "1"), ("transports", "polling")]);
    assert_eq!(client.connect(Some(&engine.url()), PATIENT), Err(Status::Refused));
    assert_eq!(engine.sessions(), 1);
    assert_eq!(failure(&client)["message"], "not yet");

    let engine = Engine::start(refusing(2));
    let options = [("retry_connect", "1"), ("retry_refused", "1"), ("transports", "polling")];
    let client = reconnecting(&options);
    join(&client, &engine);
    assert_eq!(engine.sessions(), 3);
    assert_eq!(client.sid(), "socket-2");
}

#[test]
fn broken_protocol_and_timeouts_are_retried() {
    let good = Gate::new();
    let is_good = good.clone();
    let plan = Plan::polling_only().hook(move |request| match request.number {
        _ if is_good.is_open() => None,
        0 => Some(Answer::ok("hello")),
        1 => Some(Answer::none()),
        _ => {
            is_good.open();
            Some(Answer::silence())
        }
    });
    let engine = Engine::start(plan);
    let options =
        [("retry_connect", "1"), ("transports", "polling"), ("request_timeout_ms", "200")];
    let client = reconnecting(&options);
    join(&client, &engine);
    assert_eq!(stat(&client, "attempts"), 4);
}

#[test]
fn what_is_wrong_with_the_options_is_not_retried() {
    let client = reconnecting(&[("retry_connect", "1")]);
    for url in ["ftp://127.0.0.1", "http://127.0.0.1/path", ""] {
        let outcome = within(WAKE, || client.connect(Some(url), PATIENT));
        assert_eq!(outcome, Err(Status::Invalid), "{url}");
    }
    assert_eq!(stat(&client, "attempts"), 0);
}

#[test]
fn a_timeout_of_zero_tries_nothing() {
    let engine = Engine::usual();
    let client = reconnecting(&[("retry_connect", "1")]);
    assert_eq!(client.connect(Some(&engine.url()), AT_ONCE), Err(Status::Timeout));
    assert_eq!(engine.http().connections(), 0);
    assert_eq!(client.state(), State::New);
}

#[test]
fn the_deadline_covers_all_steps_however_the_server_dawdles() {
    let _quiet = quiet();
    // Each step takes its time, and none of them too long for itself.
    let plan = Plan::polling_only().hook(|request| match request.number {
        0 => Some(
            Answer::ok(format!("0{}", crate::common::scripted::open(0, &[], 25_000, 20_000, None)))
                .after(ms(300)),
        ),
        1 | 2 if request.method == "POST" => Some(Answer::ok("ok").after(ms(300))),
        _ => Some(Answer::ok("6").after(ms(100))),
    });
    let engine = Engine::start(plan);
    let client = polling(&[]);
    let since = Instant::now();
    assert_eq!(client.connect(Some(&engine.url()), limit(800)), Err(Status::Timeout));
    assert_elapsed(since, ms(800), ms(850));
    assert_eq!(failure(&client)["phase"], "namespace");
    engine.http().wait_for_ends();
    assert_silent(&engine, ms(300));
}

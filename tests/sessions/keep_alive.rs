//! Connections of a polling session: kept while they can be, never trusted, and no request is ever
//! repeated on another one.

#![forbid(unsafe_code)]

use std::collections::HashSet;

use sio::error::Status;
use sio::session::State;

use crate::clients::*;
use crate::common::scripted::{Answer, Engine, Gate, Plan};
use crate::support::*;

#[test]
fn connections_are_kept_and_there_are_two_at_most() {
    let (client, engine) = polled(Plan::polling_only());
    for i in 0..50 {
        emit(&client, "e", &format!("[{i}]"));
        engine.wait_for_text(&format!("42[\"e\",{i}]"));
        engine.send(&format!("42[\"s\",{i}]"));
        assert_event(&client, "s", &format!("[{i}]"));
    }
    assert!(engine.http().connections() <= 2, "{}", engine.http().summary());
}

#[test]
fn a_kept_connection_that_the_server_closed_loses_nothing() {
    for round in 0..20 {
        let (client, engine) = polled(Plan::polling_only());
        // What the server closes while a request is on its way is lost, and nobody's fault.
        engine.wait_for_poll();
        for i in 0..10 {
            emit(&client, "e", &format!("[{i}]"));
            engine.wait_for_text(&format!("42[\"e\",{i}]"));
            // The answer is on its way or there; the close comes at any moment in between.
            std::thread::sleep(std::time::Duration::from_micros(round * 50));
            engine.http().close_idle();
            // A busy system may be late with the news; what is still on its way nobody can know.
            std::thread::sleep(ms(10));
        }
        let texts = engine.texts();
        let expected: Vec<String> = (0..10).map(|i| format!("42[\"e\",{i}]")).collect();
        assert_eq!(texts[1..], expected);
        assert_eq!(client.state(), State::Connected, "{}", client.error());
    }
}

#[test]
fn a_request_whose_connection_dies_is_not_repeated() {
    // The server has read it, and closes without an answer: it may have acted on it.
    let (client, engine) = polled(Plan::polling_only());
    engine.answer_post(Answer::none());
    emit(&client, "a", "[]");
    assert_eq!(receive_fails(&client, PATIENT), Status::Disconnected);
    assert_eq!(engine.texts(), ["40", "42[\"a\"]"]);
    assert_polls(&client);

    let engine = Engine::start(Plan::polling_only());
    let client = reconnecting(&[("transports", "polling"), ("offline", "buffer")]);
    join(&client, &engine);
    engine.answer_post(Answer::none());
    emit(&client, "once", "[]");
    wait_until("another session", || engine.sessions() == 2);
    wait_for_state(&client, State::Connected);
    emit(&client, "behind", "[]");
    engine.wait_for_text("42[\"behind\"]");
    let times = engine.texts().iter().filter(|text| *text == "42[\"once\"]").count();
    assert_eq!(times, 1, "at most once, whatever the option \"offline\"");
}

#[test]
fn a_server_that_closes_after_each_answer_is_met_on_new_connections() {
    let closing: [fn(&str) -> Answer; 3] = [
        |body| Answer::head("200 OK").header("Connection: close").body(body).then_close(),
        |body| Answer::head("200 OK").http_1_0().body(body).then_close(),
        |body| Answer::head("200 OK").until_close(body),
    ];
    for answer in closing {
        let (client, engine) = polled(Plan::polling_only());
        for i in 0..5 {
            engine.answer_post(answer("ok"));
            emit(&client, "e", &format!("[{i}]"));
            engine.answer_poll(answer(&format!("42[\"s\",{i}]")));
            assert_event(&client, "s", &format!("[{i}]"));
            engine.wait_for_text(&format!("42[\"e\",{i}]"));
        }
        assert_eq!(client.state(), State::Connected);
        let all = engine.http().exchanges();
        let used: HashSet<usize> = all.iter().map(|one| one.request.connection).collect();
        assert!(used.len() >= 10, "{} connections", used.len());
    }
}

#[test]
fn a_connection_is_not_used_beyond_the_time_that_the_server_keeps_it() {
    let (client, engine) = polled(Plan::polling_only());
    let keeping = |time: u32| {
        Answer::head("200 OK").header(&format!("Keep-Alive: timeout={time}")).body("ok")
    };
    // Two seconds less one for what is on the way.
    engine.answer_post(keeping(2));
    emit(&client, "a", "[]");
    engine.wait_for_text("42[\"a\"]");
    std::thread::sleep(ms(1400));
    emit(&client, "b", "[]");
    engine.wait_for_text("42[\"b\"]");
    let posts = engine.posts();
    let [a, b] =
        [&posts[posts.len() - 2], &posts[posts.len() - 1]].map(|one| one.request.connection);
    assert_ne!(a, b, "the server may be closing it");
}

#[test]
fn an_answer_that_nobody_asked_for_makes_a_connection_useless() {
    let (client, engine) = polled(Plan::polling_only());
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    engine.answer_post(Answer::raw([answer, answer].concat()));
    emit(&client, "a", "[]");
    engine.wait_for_text("42[\"a\"]");
    std::thread::sleep(ms(50));
    emit(&client, "b", "[]");
    engine.wait_for_text("42[\"b\"]");
    assert_eq!(client.state(), State::Connected, "{}", client.error());
    let posts = engine.posts();
    assert_ne!(posts[1].request.connection, posts[2].request.connection);
}

#[test]
fn a_poll_that_is_answered_early_is_followed_by_the_next_at_once() {
    let _quiet = quiet();
    let (client, engine) = polled(Plan::polling_only());
    // Without an upgrade under way NOOPs are nothing to wait for.
    for _ in 0..20 {
        engine.wait_for_poll();
        engine.answer_poll(Answer::ok("6"));
    }
    engine.wait_for_poll();
    engine.send("42[\"a\"]");
    assert_event(&client, "a", "[]");
}

#[test]
fn a_slow_answer_to_a_post_holds_back_only_posts() {
    let (client, engine) = polled(Plan::polling_only());
    let gate = Gate::new();
    engine.answer_post(Answer::ok("ok").held_from(10, &gate));
    for i in 0..40 {
        emit(&client, "e", &format!("[{i}]"));
    }
    engine.wait_for_text("42[\"e\",0]");
    engine.send("42[\"s\"]");
    assert_event(&client, "s", "[]");
    gate.open();
    engine.wait_for_text("42[\"e\",39]");
    // What waited went together.
    assert!(engine.posts().len() <= 6, "{}", engine.http().summary());
}

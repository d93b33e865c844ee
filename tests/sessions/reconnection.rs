//! Reconnection: what leads to it, its delays, and what ends it.

#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::Instant;

use sio::client::Client;
use sio::error::Status;
use sio::session::State;

use crate::clients::*;
use crate::common::scripted::{Answer, Came, Engine, Frame, Gate, Plan, ReservedPort};
use crate::support::*;

/// Connects, and lets the session end in that way.
fn lost(options: &[(&str, &str)], end: impl FnOnce(&Engine)) -> (Arc<Client>, Engine) {
    let engine = Engine::start(beating(1000, 500));
    let client = reconnecting(options);
    join(&client, &engine);
    if options.contains(&("transports", "polling")) {
        engine.wait_for_poll();
    } else {
        wait_until("websocket", || client.transport() == "websocket");
    }
    end(&engine);
    (client, engine)
}

/// The times at which the CONNECTs of sessions came.
fn connects(engine: &Engine) -> Vec<Instant> {
    let connects = |came: &&Came| came.packet.text().is_some_and(|text| text.starts_with("40"));
    engine.came().iter().filter(connects).map(|came| came.at).collect()
}

#[test]
fn every_loss_but_a_disconnect_is_followed_by_a_reconnection() {
    type End = fn(&Engine);
    let polling: [(&str, End); 6] = [
        ("CLOSE", |engine| engine.send("1")),
        ("cut", |engine| engine.http().cut()),
        ("forgotten", |engine| engine.answer_poll(Answer::error(1, "Session ID unknown"))),
        ("parse error", |engine| engine.send("nonsense")),
        ("500", |engine| engine.answer_poll(Answer::status("500 Internal Server Error", ""))),
        ("silence", |engine| engine.answer_poll(Answer::silence())),
    ];
    let websocket: [(&str, End); 5] = [
        ("CLOSE", |engine| engine.send("1")),
        ("cut", |engine| engine.http().cut()),
        ("parse error", |engine| engine.send("nonsense")),
        ("forgotten", |engine| engine.forget()),
        ("silence", |_| {}),
    ];
    let all = polling.map(|end| ("polling", end)).into_iter();
    for (transport, (what, end)) in all.chain(websocket.map(|end| ("websocket", end))) {
        let (client, engine) = lost(&[("transports", transport)], end);
        wait_until(&format!("{transport}, {what}: another session"), || engine.sessions() == 2);
        wait_for_state(&client, State::Connected);
        assert_eq!(client.sid(), "socket-1", "{transport}, {what}");
        emit(&client, "on", "[]");
        engine.wait_for_text("42[\"on\"]");
        assert_eq!(stat(&client, "connects"), 2);
        assert_eq!(client.disconnect(PATIENT), Ok(()), "{what}: {}", client.error());
        assert_eq!(engine.sessions(), 2);
    }
}

#[test]
fn a_websocket_close_with_any_code_is_followed_by_a_reconnection() {
    for code in [1000, 1001, 1005, 1006, 1009, 1011, 3000, 4999] {
        let frame = if code == 1005 { Frame::new(8, "") } else { Frame::close(code, "bye") };
        let server = crate::common::scripted::Scripted::start_with(
            Default::default(),
            [
                crate::common::scripted::Script::new().connected().frame(frame).until_closed(),
                crate::common::scripted::Script::new().connected().text("42[\"a\"]").until_closed(),
            ],
        );
        let client = reconnecting(&[("transports", "websocket")]);
        assert_eq!(client.connect(Some(&server.url()), PATIENT), Ok(()), "{}", client.error());
        assert_event(&client, "a", "[]");
        assert_eq!(client.disconnect(PATIENT), Ok(()));
    }
}

#[test]
fn the_servers_disconnect_is_final() {
    for packet in ["41", r#"41{"message":"closing time"}"#, "44{\"message\":\"no more\"}"] {
        for transports in ["polling", "websocket"] {
            let (client, engine) =
                lost(&[("transports", transports)], |engine| engine.send(packet));
            assert_eq!(receive_fails(&client, PATIENT), Status::Disconnected);
            assert_eq!(client.state(), State::Closed);
            assert_silent(&engine, ms(500));
            assert_eq!(engine.sessions(), 1);
        }
    }
}

#[test]
fn without_reconnection_a_loss_is_final() {
    let options = [("reconnection", "0"), ("transports", "polling")];
    let (client, engine) = lost(&options, |engine| engine.http().cut());
    assert_eq!(receive_fails(&client, PATIENT), Status::Disconnected);
    assert_eq!(client.state(), State::Closed);
    assert_silent(&engine, ms(500));
}

#[test]
fn delays_double_up_to_their_limit() {
    let _quiet = quiet();
    let options = [("reconnect_min_ms", "100"), ("reconnect_max_ms", "500")];
    let times = refused_attempts(&options, 6);
    let expected = [100, 200, 400, 500, 500];
    for (gap, millis) in gaps(&times).iter().zip(expected) {
        assert_between(*gap, ms(millis), ms(millis + 60));
    }
}

#[test]
fn delays_are_spread_by_the_jitter() {
    let _quiet = quiet();
    let options =
        [("reconnect_min_ms", "200"), ("reconnect_max_ms", "200"), ("reconnect_jitter", "50")];
    let times = refused_attempts(&options, 9);
    let gaps = gaps(&times);
    for gap in &gaps {
        // Never over the limit.
        assert_between(*gap, ms(100), ms(260));
    }
    let (least, most) = (gaps.iter().min().unwrap(), gaps.iter().max().unwrap());
    assert!(*most - *least > ms(10), "{gaps:?} are no random times");
}

#[test]
fn without_jitter_and_with_a_minimum_over_the_maximum_the_maximum_counts() {
    let _quiet = quiet();
    let options = [("reconnect_min_ms", "5000"), ("reconnect_max_ms", "150")];
    for gap in gaps(&refused_attempts(&options, 4)) {
        assert_between(gap, ms(150), ms(210));
    }
}

#[test]
fn the_first_delay_is_waited_for_too() {
    let _quiet = quiet();
    let options = [("reconnect_min_ms", "400"), ("reconnect_max_ms", "400")];
    let (client, engine) = lost(&options, |engine| engine.http().cut());
    let since = Instant::now();
    wait_for_state(&client, State::Reconnecting);
    let stats: serde_json::Value = serde_json::from_str(&client.stats()).unwrap();
    let next = stats["next_attempt_ms"].as_f64().expect("it is known when the next one is");
    assert!(next > 200.0 && next <= 400.0, "{next}");
    assert_eq!(stats["state"], "reconnecting");
    wait_until("another session", || engine.sessions() == 2);
    assert_elapsed(since, ms(350), ms(480));
}

/// The moments at which attempts came to a server that ends each of them with an error.
fn refused_attempts(options: &[(&str, &str)], count: usize) -> Vec<Instant> {
    let broken = Gate::new();
    let is_broken = broken.clone();
    let plan = Plan::polling_only().hook(move |_| {
        is_broken.is_open().then(|| Answer::status("503 Service Unavailable", "later"))
    });
    let engine = Engine::start(plan);
    let client = reconnecting(&[options, &[("transports", "polling")]].concat());
    join(&client, &engine);
    engine.wait_for_poll();
    broken.open();
    let lost = Instant::now();
    let before = engine.http().exchanges().len();
    engine.http().cut();
    let mut times = vec![lost];
    times.extend(engine.http().wait_for("the attempts", |all| {
        let times: Vec<Instant> = all[before..].iter().map(|one| one.request.at()).collect();
        (times.len() >= count).then_some(times)
    }));
    assert_eq!(client.state(), State::Reconnecting);
    times.truncate(count);
    times
}

#[test]
fn after_a_short_connection_the_delays_go_on_where_they_were() {
    let _quiet = quiet();
    let options =
        [("reconnect_min_ms", "100"), ("reconnect_max_ms", "2000"), ("transports", "polling")];
    let (client, engine) = lost(&options, |engine| engine.http().cut());
    let mut delays = Vec::new();
    for sessions in 2..=4 {
        let since = Instant::now();
        wait_until("the next session", || engine.sessions() == sessions);
        delays.push(since.elapsed());
        wait_for_state(&client, State::Connected);
        engine.wait_for_poll();
        engine.forget();
        engine.http().cut();
    }
    for (delay, millis) in delays.iter().zip([100, 200, 400]) {
        assert_between(*delay, ms(millis - 30), ms(millis + 80));
    }
}

#[test]
fn after_a_connection_of_five_seconds_the_delays_begin_anew() {
    let _quiet = quiet();
    let options =
        [("reconnect_min_ms", "100"), ("reconnect_max_ms", "5000"), ("transports", "polling")];
    let engine = Engine::usual();
    let client = reconnecting(&options);
    join(&client, &engine);
    for _ in 0..3 {
        let sessions = engine.sessions();
        engine.forget();
        engine.http().cut();
        wait_until("the next session", || engine.sessions() > sessions);
        wait_for_state(&client, State::Connected);
    }
    std::thread::sleep(ms(5_200));
    let since = Instant::now();
    engine.forget();
    engine.http().cut();
    wait_until("the last session", || engine.sessions() == 5);
    assert_between(since.elapsed(), ms(80), ms(220));
}

#[test]
fn attempts_can_be_used_up() {
    let _quiet = quiet();
    for attempts in [1, 3] {
        let mut engine = Engine::start(Plan::polling_only());
        let count = attempts.to_string();
        let client = reconnecting(&[("reconnect_attempts", &count), ("transports", "polling")]);
        join(&client, &engine);
        let calling = block(&client, |client| client.receive(PATIENT).map(drop));
        let tried = stat(&client, "attempts");
        engine.down();
        wait_for_state(&client, State::Closed);
        assert_eq!(calling.back(), Err(Status::Disconnected));
        assert_eq!(stat(&client, "attempts") - tried, attempts);
        let failure = failure(&client);
        assert_eq!(failure["phase"], "connect", "{failure}");
        assert_eq!(failure["attempt"], attempts, "{failure}");
        engine.up();
        assert_silent(&engine, ms(500));
        // A connect begins a new count.
        join(&client, &engine);
        assert_eq!(client.disconnect(PATIENT), Ok(()));
    }
}

#[test]
fn the_count_of_attempts_begins_anew_with_each_connection() {
    let mut engine = Engine::start(Plan::polling_only());
    let client = reconnecting(&[("reconnect_attempts", "4"), ("transports", "polling")]);
    join(&client, &engine);
    for round in 1..=3 {
        let tried = stat(&client, "attempts");
        engine.down();
        wait_until("two attempts", || stat(&client, "attempts") >= tried + 2);
        engine.up();
        wait_until("another session", || engine.sessions() == round + 1);
        wait_for_state(&client, State::Connected);
    }
}

#[test]
fn a_refused_reconnection_is_final_and_tells_why() {
    for transports in ["polling", "websocket", "polling,websocket"] {
        let (client, engine) = refused_at_the_second(&[("transports", transports)], 1000);
        let receiving = block(&client, |client| client.receive(PATIENT).map(drop));
        engine.forget();
        engine.http().cut();
        assert_eq!(receiving.back(), Err(Status::Disconnected));
        assert_eq!(client.state(), State::Closed);
        assert_says(&client, "the token has expired");
        let failure = failure(&client);
        assert_eq!(failure["message"], "the token has expired", "{failure}");
        assert_eq!(failure["data"], serde_json::json!({"code": 7}), "{failure}");
        assert_silent(&engine, ms(500));
        assert_eq!(client.emit("a", None, &[], PATIENT), Err(Status::Disconnected));
        assert_says(&client, "the token has expired");
    }
}

#[test]
fn with_retry_refused_it_is_tried_again() {
    let options = [("transports", "polling"), ("retry_refused", "1")];
    let (client, engine) = refused_at_the_second(&options, 4);
    engine.forget();
    engine.http().cut();
    wait_until("the fourth", || engine.sessions() == 4);
    wait_for_state(&client, State::Connected);
    assert_eq!(client.sid(), "socket-3");
    let times = connects(&engine);
    assert_eq!(times.len(), 4);
    for gap in &gaps(&times)[1..] {
        assert!(*gap >= ms(90), "{gap:?}: refusals are retried after the delay");
    }
}

/// A server that lets in the first session, and refuses those after it but for the `good`th.
fn refused_at_the_second(options: &[(&str, &str)], good: usize) -> (Arc<Client>, Engine) {
    let namespace = Gate::new();
    namespace.open();
    let engine = Engine::start(Plan::default().refusing(move |session| {
        let refusal = r#"44{"message":"the token has expired","data":{"code":7}}"#;
        (session > 0 && session + 1 != good).then(|| refusal.to_owned())
    }));
    let client = reconnecting(options);
    join(&client, &engine);
    if client.option("transports").contains("polling,") {
        wait_until("websocket", || client.transport() == "websocket");
    }
    (client, engine)
}

#[test]
fn a_server_that_is_down_for_a_while_is_found_again() {
    let mut engine = Engine::usual();
    let client = reconnecting(&[]);
    join(&client, &engine);
    for round in 1..=3 {
        engine.down();
        wait_for_state(&client, State::Reconnecting);
        assert_eq!((client.sid(), client.transport()), (String::new(), ""));
        std::thread::sleep(ms(300));
        assert_eq!(client.state(), State::Reconnecting);
        engine.up();
        wait_until("another session", || engine.sessions() == round + 1);
        wait_for_state(&client, State::Connected);
    }
}

#[test]
fn the_url_option_is_read_anew_for_each_attempt() {
    let (first, second) = (Engine::usual(), Engine::usual());
    let client = reconnecting(&[]);
    join(&client, &first);
    assert_eq!(client.set("url", Some(&second.url())), Ok(()));
    first.forget();
    first.http().cut();
    wait_until("the other server", || second.sessions() == 1);
    wait_for_state(&client, State::Connected);
    assert_eq!(first.sessions(), 1);
}

#[test]
fn an_option_that_became_wrong_ends_reconnection() {
    let engine = Engine::usual();
    let client = reconnecting(&[("transports", "polling")]);
    join(&client, &engine);
    assert_eq!(client.set("receive_limit", Some("0")), Ok(()));
    engine.forget();
    engine.http().cut();
    wait_for_state(&client, State::Closed);
    assert_eq!(receive_fails(&client, PATIENT), Status::Disconnected);
    assert_says(&client, "receive_limit");
    assert_silent(&engine, ms(300));
}

#[test]
fn attempts_end_at_attempt_timeout() {
    let _quiet = quiet();
    let silent = Gate::new();
    let is_silent = silent.clone();
    let plan = Plan::polling_only().hook(move |_| is_silent.is_open().then(Answer::silence));
    let engine = Engine::start(plan);
    let options = [
        ("transports", "polling"),
        ("attempt_timeout_ms", "200"),
        ("reconnect_min_ms", "100"),
        ("reconnect_max_ms", "100"),
    ];
    let client = reconnecting(&options);
    join(&client, &engine);
    engine.wait_for_poll();
    silent.open();
    let before = engine.http().exchanges().len();
    engine.http().cut();
    let times = engine.http().wait_for("attempts", |all| {
        let times: Vec<Instant> = all[before..].iter().map(|one| one.request.at()).collect();
        (times.len() == 4).then_some(times)
    });
    for gap in gaps(&times) {
        assert_between(gap, ms(250), ms(380));
    }
    assert_eq!(client.state(), State::Reconnecting);
}

#[test]
fn nothing_is_left_of_the_old_session() {
    let engine = Engine::start(Plan::default());
    let client = reconnecting(&[("transports", "polling")]);
    join(&client, &engine);
    engine.send("427[\"question\"]");
    let question = client.receive(PATIENT).unwrap_or_else(|status| panic!("{status:?}"));
    let calling = start(&client, |client| call_fails(client, "c", PATIENT));
    engine.wait_for_text("420[\"c\"]");
    engine.send("451-[\"half\",{\"_placeholder\":true,\"num\":0}]");
    std::thread::sleep(ms(50));
    engine.forget();
    engine.http().cut();
    assert_eq!(calling.back(), Status::Disconnected);
    wait_until("another session", || engine.sessions() == 2);
    wait_for_state(&client, State::Connected);
    // Answers of an old session, and to calls of an old session.
    assert!(!question.wants_ack());
    assert_eq!(question.ack(None, &[]), Err(Status::Disconnected));
    drop(question);
    engine.send("430[1]");
    engine.send("42[\"whole\"]");
    assert_event(&client, "whole", "[]");
    assert_eq!(stat(&client, "late_acks"), 1);
    // Numbers of calls go on.
    assert_eq!(call_fails(&client, "d", limit(50)), Status::Timeout);
    engine.wait_for_text("421[\"d\"]");
    assert!(engine.texts().iter().all(|text| !text.starts_with("437")));
}

#[test]
fn a_port_that_nobody_listens_at_uses_no_processor_while_it_is_tried() {
    let _quiet = quiet();
    let mut engine = Engine::usual();
    let client = reconnecting(&[("reconnect_min_ms", "300"), ("reconnect_max_ms", "300")]);
    join(&client, &engine);
    engine.down();
    wait_for_state(&client, State::Reconnecting);
    let port = ReservedPort::any().expect("a port");
    assert_eq!(client.set("url", Some(&port.url())), Ok(()));
    let tried = stat(&client, "attempts");
    std::thread::sleep(ms(1000));
    let more = stat(&client, "attempts") - tried;
    assert!((2..=4).contains(&more), "{more} attempts in a second");
}

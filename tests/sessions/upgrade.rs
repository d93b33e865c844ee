//! The upgrade from polling to websocket while events flow both ways.

#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use sio::error::Status;
use sio::session::State;

use crate::clients::*;
use crate::common::scripted::{Answer, Engine, Exchange, Gate, Packet, Plan, open};
use crate::support::*;

#[test]
fn connect_does_not_wait_for_the_upgrade_and_the_upgrade_for_the_namespace() {
    let namespace = Gate::new();
    let probe = Gate::new();
    let engine = Engine::start(Plan::default().namespace(&namespace).probe(&probe));
    let client = upgrading(&[]);
    let url = engine.url();
    let connecting = start(&client, move |client| client.connect(Some(&url), PATIENT));
    engine.wait_for_text("40");
    std::thread::sleep(ms(150));
    let upgrades =
        || engine.http().exchanges().iter().filter(|one| one.request.is_upgrade()).count();
    assert_eq!(upgrades(), 0, "a server that ends the session over a probe must not fail connect");
    namespace.open();
    assert_eq!(connecting.back(), Ok(()));
    assert_eq!(client.transport(), "polling");
    engine
        .http()
        .wait_for("a probe", |all| all.iter().any(|one| one.request.is_upgrade()).then_some(()));
    assert_eq!(client.transport(), "polling");
    probe.open();
    wait_for_websocket(&client, &engine);
    assert_eq!(client.sid(), "socket-0");
    assert_eq!(upgrades(), 1);
}

#[test]
fn the_probe_is_a_request_with_the_sid_and_the_packets_come_in_order() {
    let (client, engine) = upgraded(Plan::default());
    let exchanges = engine.http().exchanges();
    let probe = exchanges.iter().find(|one| one.request.is_upgrade()).expect("a probe");
    let target = probe.request.target();
    assert!(target.starts_with("/socket.io/?EIO=4&transport=websocket"), "{target}");
    assert_eq!(probe.request.query("sid"), Some("engine-0"));
    emit(&client, "a", "[]");
    engine.wait_for_text("42[\"a\"]");
    let websockets = engine.websockets();
    assert_eq!(websockets.len(), 1);
    assert_eq!(websockets[0].texts(), ["2probe", "5", "42[\"a\"]"]);
    // The poll that the upgrade ended was the last request.
    assert!(engine.polls().iter().all(|one| one.answered.is_some()));
    wait_until("connections of polls are closed", || engine.http().open_connections() == 1);
}

#[test]
fn numbered_events_both_ways_across_the_upgrade() {
    let _loud = loud();
    const COUNT: usize = 2000;
    for round in 0..5 {
        let probe = Gate::new();
        let engine = Engine::start(Plan::default().probe(&probe));
        let client = upgrading(&[]);
        join(&client, &engine);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for i in 0..COUNT {
                    if i % 5 == 4 {
                        let args = format!("[{i},{{\"_placeholder\":true,\"num\":0}}]");
                        let outcome = client.emit("c", Some(&args), &[&[i as u8; 9]], PATIENT);
                        assert_eq!(outcome, Ok(()), "{}", client.error());
                    } else {
                        emit(&client, "c", &format!("[{i}]"));
                    }
                    if i == COUNT / 4 * (round % 4) {
                        probe.open();
                    }
                    if i % 50 == 0 {
                        std::thread::sleep(ms(1));
                    }
                }
                probe.open();
            });
            scope.spawn(|| {
                for i in 0..COUNT {
                    if i % 7 == 6 {
                        let text = format!(r#"451-["s",{i},{{"_placeholder":true,"num":0}}]"#);
                        engine.send_packets([Packet::Text(text), Packet::Binary(vec![i as u8; 5])]);
                    } else {
                        engine.send(&format!("42[\"s\",{i}]"));
                    }
                    if i % 50 == 0 {
                        std::thread::sleep(ms(1));
                    }
                }
            });
            for i in 0..COUNT {
                let message =
                    client.receive(PATIENT).unwrap_or_else(|_| panic!("{}", client.error()));
                let number = format!("[{i}");
                assert!(message.args().starts_with(&number), "{} is not {i}", message.args());
            }
        });
        wait_for_websocket(&client, &engine);
        assert_eq!(client.flush(PATIENT), Ok(()));
        let events =
            |packet: &Packet| packet.text().filter(|text| text.starts_with("4")).map(str::to_owned);
        let texts = engine.wait_for("all arrive", |all| {
            let texts: Vec<String> = all.iter().filter_map(|one| events(&one.packet)).collect();
            (texts.len() == COUNT + 1).then_some(texts)
        });
        for (i, text) in texts[1..].iter().enumerate() {
            let start = if i % 5 == 4 { "451-[\"c\"" } else { "42[\"c\"" };
            assert!(text.starts_with(&format!("{start},{i}")), "{text} is not {i}");
        }
        assert_eq!(stat(&client, "dropped_sent"), 0);
    }
}

#[test]
fn the_post_in_flight_is_awaited_and_none_begun_after_the_poll_is_back() {
    let (post, probe) = (Gate::new(), Gate::new());
    let engine = Engine::start(Plan::default().probe(&probe));
    let client = upgrading(&[]);
    join(&client, &engine);
    engine.answer_post(Answer::ok("ok").when(&post));
    emit(&client, "a", "[]");
    engine.wait_for_text("42[\"a\"]");
    probe.open();
    // The poll comes back by a NOOP. What is emitted meanwhile waits for the websocket.
    std::thread::sleep(ms(100));
    for i in 0..5 {
        emit(&client, "b", &format!("[{i}]"));
    }
    std::thread::sleep(ms(100));
    assert_eq!(engine.texts(), ["40", "42[\"a\"]"]);
    assert_eq!(client.transport(), "polling");
    post.open();
    wait_for_websocket(&client, &engine);
    engine.wait_for_text("42[\"b\",4]");
    let expected = [
        "40",
        "42[\"a\"]",
        "5",
        "42[\"b\",0]",
        "42[\"b\",1]",
        "42[\"b\",2]",
        "42[\"b\",3]",
        "42[\"b\",4]",
    ];
    assert_eq!(engine.texts(), expected);
    assert_eq!(engine.posts().len(), 2);
}

#[test]
fn posts_go_on_until_the_poll_is_back() {
    // This server holds the poll that it should end, so that the upgrade waits.
    let (held, opened) = (Gate::new(), Gate::new());
    // From which request on; one that has come already may not have been looked at yet.
    let from = Arc::new(AtomicUsize::new(usize::MAX));
    let (holding, first) = (held.clone(), Arc::clone(&from));
    let plan = Plan::default().opening(&opened).hook(move |request| {
        let is_poll = request.method == "GET"
            && !request.is_upgrade()
            && request.query("sid").is_some()
            && request.number >= first.load(Ordering::SeqCst);
        is_poll.then(|| Answer::ok("6").when(&holding))
    });
    let engine = Engine::start(plan);
    let client = upgrading(&[]);
    join(&client, &engine);
    engine.wait_for_poll();
    from.store(engine.http().exchanges().len(), Ordering::SeqCst);
    let polls = engine.polls().len();
    engine.send("42[\"next poll\"]");
    assert_event(&client, "next poll", "[]");
    wait_until("the next poll", || engine.polls().len() > polls);
    opened.open();
    std::thread::sleep(ms(100));
    for i in 0..3 {
        emit(&client, "posted", &format!("[{i}]"));
        engine.wait_for_text(&format!("42[\"posted\",{i}]"));
    }
    assert_eq!(client.transport(), "polling");
    held.open();
    wait_for_websocket(&client, &engine);
    let by_post = engine.came().iter().filter(|one| one.request.is_some()).count();
    assert_eq!(by_post, 4);
}

#[test]
fn polls_that_bring_nothing_are_paced_while_the_probe_runs() {
    let _quiet = quiet();
    let probe = Gate::new();
    let engine = Engine::start(Plan::default().probe(&probe));
    let client = upgrading(&[]);
    join(&client, &engine);
    engine.wait_for("the upgrade to begin", |_| {
        let begun = |one: &Exchange| one.request.is_upgrade();
        engine.http().exchanges().iter().any(begun).then_some(())
    });
    let before = engine.polls().len();
    let since = Instant::now();
    std::thread::sleep(ms(1000));
    let polls = engine.polls();
    let after = polls.len() - before;
    assert!((5..=12).contains(&after), "{after} polls in a second");
    let times: Vec<Instant> = polls[before..].iter().map(|one| one.request.at()).collect();
    for gap in gaps(&times) {
        assert!(gap >= ms(90), "{gap:?} between polls");
    }
    assert_elapsed(since, ms(1000), ms(1200));
    // What there is to say gets through all the same, and in order.
    emit(&client, "a", "[]");
    engine.wait_for_text("42[\"a\"]");
    let opened = Instant::now();
    probe.open();
    wait_for_websocket(&client, &engine);
    assert!(opened.elapsed() < ms(500), "the next poll does not wait for its time");
}

#[test]
fn a_poll_that_brings_events_is_followed_at_once() {
    let _quiet = quiet();
    let probe = Gate::new();
    // Servers that hold polls as usual while the probe runs, and let what they have go by them.
    let script = {
        let probe = probe.clone();
        move || {
            let probe = probe.clone();
            crate::common::scripted::Script::new().switch().expect_text("2probe").then(
                "wait",
                move |peer| {
                    while !probe.is_open() {
                        peer.pause(ms(10))?;
                    }
                    Ok(())
                },
            )
        }
    };
    let engine = Engine::start(Plan::default().upgrade(script));
    let client = upgrading(&[]);
    join(&client, &engine);
    engine.wait_for_poll();
    let since = Instant::now();
    for i in 0..50 {
        engine.send(&format!("42[\"e\",{i}]"));
        assert_event(&client, "e", &format!("[{i}]"));
    }
    assert!(since.elapsed() < ms(1000), "{:?} for 50 events", since.elapsed());
    probe.open();
}

#[test]
fn a_server_that_announces_no_upgrade_is_not_probed() {
    let announcements: [fn() -> String; 4] = [
        || open(0, &[], 25_000, 20_000, None),
        || open(0, &["webtransport", "flashsocket"], 25_000, 20_000, None),
        || r#"{"sid":"engine-0","pingInterval":25000,"pingTimeout":20000}"#.into(),
        || {
            r#"{"sid":"engine-0","upgrades":"websocket","pingInterval":25000,"pingTimeout":20000}"#
                .into()
        },
    ];
    for announcement in announcements {
        let engine = Engine::start(Plan::default().open(move |_| announcement()));
        let client = upgrading(&[]);
        join(&client, &engine);
        emit(&client, "a", "[]");
        engine.wait_for_text("42[\"a\"]");
        std::thread::sleep(ms(200));
        assert!(engine.http().exchanges().iter().all(|one| !one.request.is_upgrade()));
        assert_eq!(client.transport(), "polling");
    }
}

#[test]
fn polling_alone_and_websocket_alone_are_not_upgraded() {
    let (client, engine) = polled(Plan::default());
    std::thread::sleep(ms(200));
    assert!(engine.http().exchanges().iter().all(|one| !one.request.is_upgrade()));
    assert_eq!(client.transport(), "polling");

    let engine = Engine::usual();
    let client = fresh(&[("transports", "websocket"), ("reconnection", "0")]);
    join(&client, &engine);
    assert_eq!(client.transport(), "websocket");
    emit(&client, "a", "[]");
    engine.wait_for_text("42[\"a\"]");
    assert_eq!(engine.http().exchanges().len(), 1);
    assert_eq!(engine.websockets()[0].texts(), ["40", "42[\"a\"]"]);
}

#[test]
fn websocket_first_connects_by_websocket() {
    let engine = Engine::usual();
    let client = fresh(&[("transports", "websocket,polling"), ("reconnection", "0")]);
    join(&client, &engine);
    assert_eq!(client.transport(), "websocket");
    assert_eq!(engine.http().exchanges().len(), 1);
}

#[test]
fn the_heartbeat_goes_on_by_websocket() {
    let (client, engine) = upgraded(beating(700, 500));
    for _ in 0..4 {
        std::thread::sleep(ms(400));
        engine.send("2");
    }
    engine.wait_for("pongs", |all| {
        (all.iter().filter(|one| one.packet.text() == Some("3")).count() == 4).then_some(())
    });
    assert_eq!(client.state(), State::Connected);
    let since = Instant::now();
    assert_eq!(receive_fails(&client, PATIENT), Status::Disconnected);
    assert_elapsed(since, ms(900), ms(1_350));
    assert_says(&client, "1200 ms");
}

#[test]
fn a_ping_before_the_upgrade_may_be_answered_after_it() {
    let (post, probe) = (Gate::new(), Gate::new());
    let engine = Engine::start(Plan::default().probe(&probe));
    let client = upgrading(&[]);
    join(&client, &engine);
    engine.answer_post(Answer::ok("ok").when(&post));
    emit(&client, "a", "[]");
    engine.wait_for_text("42[\"a\"]");
    // Polls that bring nothing are paced, so that the next one may be a while away.
    let asked = Gate::new();
    let taken = asked.clone();
    engine.answer_poll(Answer::later(move || {
        taken.open();
        Some(Answer::ok("2"))
    }));
    wait_until("a poll takes the ping", || asked.is_open());
    std::thread::sleep(ms(50));
    probe.open();
    std::thread::sleep(ms(50));
    post.open();
    wait_for_websocket(&client, &engine);
    engine.wait_for("the pong", |all| {
        all.iter().any(|one| one.packet.text() == Some("3")).then_some(())
    });
}

#[test]
fn calls_and_answers_cross_the_upgrade() {
    let opening = Gate::new();
    let engine = Engine::start(Plan::default().opening(&opening));
    let client = upgrading(&[]);
    join(&client, &engine);
    let calling = start(&client, |client| {
        client.call("c", None, &[], PATIENT).map(|message| message.args().to_owned())
    });
    engine.wait_for_text("420[\"c\"]");
    engine.send("427[\"question\"]");
    let question = client.receive(PATIENT).unwrap_or_else(|status| panic!("{status:?}"));
    opening.open();
    wait_for_websocket(&client, &engine);
    // Asked by polling, answered by websocket, both ways.
    engine.send("430[\"answer\"]");
    assert_eq!(calling.back(), Ok("[\"answer\"]".to_owned()));
    assert!(question.wants_ack());
    assert_eq!(question.ack(Some("[1]"), &[]), Ok(()));
    engine.wait_for_text("437[1]");
}

#[test]
fn what_is_paused_does_not_stop_the_upgrade_for_ever() {
    let engine = Engine::start(Plan::default());
    let client = upgrading(&[("receive_limit", "1000")]);
    let url = engine.url();
    assert_eq!(client.connect(Some(&url), PATIENT), Ok(()));
    let events: Vec<String> =
        (0..100).map(|i| format!("42[\"e\",{i},\"{}\"]", "x".repeat(500))).collect();
    let events: Vec<&str> = events.iter().map(String::as_str).collect();
    engine.send_all(&events);
    wait_until("it is paused", || stat(&client, "receive_queued") >= 1);
    std::thread::sleep(ms(100));
    for i in 0..100 {
        assert_event(&client, "e", &format!("[{i},\"{}\"]", "x".repeat(500)));
    }
    wait_for_websocket(&client, &engine);
}

#[test]
fn upgrades_of_many_sessions_are_fast() {
    let _loud = loud();
    let engine = Engine::usual();
    let since = Instant::now();
    for _ in 0..20 {
        let client = upgrading(&[]);
        join(&client, &engine);
        wait_until("the upgrade", || client.transport() == "websocket");
        assert_eq!(client.disconnect(PATIENT), Ok(()), "{}", client.error());
    }
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
}

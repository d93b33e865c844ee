//! Probes that fail: polling goes on as if nothing had been, with nothing lost.

#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use sio::error::Status;
use sio::session::State;

use crate::clients::*;
use crate::common::scripted::{Answer, Engine, Frame, Gate, Plan, Script};
use crate::support::*;

/// A server whose websockets of upgrades follow this script.
fn probed_by(script: impl Fn() -> Script + Send + Sync + 'static) -> Plan {
    Plan::default().upgrade(script)
}

/// Polling goes on for that session, both ways.
#[track_caller]
fn assert_goes_on(client: &sio::client::Client, engine: &Engine) {
    for i in 0..3 {
        emit(client, "on", &format!("[{i}]"));
        engine.wait_for_text(&format!("42[\"on\",{i}]"));
        engine.send(&format!("42[\"and on\",{i}]"));
        assert_event(client, "and on", &format!("[{i}]"));
    }
    assert_eq!(client.state(), State::Connected, "{}", client.error());
    assert_eq!(client.transport(), "polling");
    assert_eq!(engine.sessions(), 1);
}

#[test]
fn a_probe_that_fails_in_any_way_leaves_polling_as_it_was() {
    type Steps = fn() -> Script;
    let failures: [(&str, Steps); 16] = [
        ("refused", || Script::new().respond("403 Forbidden", &[], "no").until_closed()),
        ("400", || {
            let body = r#"{"code":3,"message":"Bad request"}"#;
            Script::new().respond("400 Bad Request", &["Connection: close"], body)
        }),
        ("200", || Script::new().respond("200 OK", &[], "hello").until_closed()),
        ("closed", || Script::new()),
        ("reset", || Script::new().reset()),
        ("garbage", || Script::new().raw("garbage\r\n\r\n")),
        ("wrong key", || Script::new().switch_with_wrong_key().until_closed()),
        ("closed when open", || Script::new().switch()),
        ("close frame", || Script::new().switch().frame(Frame::close(1000, "")).until_closed()),
        ("closed at 2probe", || Script::new().switch().expect_text("2probe")),
        ("reset at 2probe", || Script::new().switch().expect_text("2probe").reset()),
        ("another pong", || Script::new().switch().expect_text("2probe").text("3").until_closed()),
        ("NOOP", || Script::new().switch().expect_text("2probe").text("6").until_closed()),
        ("message", || {
            Script::new().switch().expect_text("2probe").text("42[\"stray\"]").until_closed()
        }),
        ("binary", || Script::new().switch().expect_text("2probe").binary("3probe").until_closed()),
        ("masked", || {
            let frame = Frame::text("3probe").masked([1, 2, 3, 4]);
            Script::new().switch().expect_text("2probe").frame(frame).until_closed()
        }),
    ];
    for (what, script) in failures {
        let engine = Engine::start(probed_by(script));
        let client = upgrading(&[]);
        join(&client, &engine);
        engine
            .http()
            .wait_for(what, |all| all.iter().any(|one| one.request.is_upgrade()).then_some(()));
        assert_goes_on(&client, &engine);
        // It is not probed again in that session, and its socket is closed.
        std::thread::sleep(ms(100));
        assert_eq!(engine.websockets().len(), 1, "{what}");
        let record = engine.http().wait_for_script(0, |record| record.outcome.is_some());
        assert_eq!(record.outcome, Some(Ok(())), "{what}");
        assert_goes_on_again(&client, &engine, what);
    }
}

#[track_caller]
fn assert_goes_on_again(client: &sio::client::Client, engine: &Engine, what: &str) {
    emit(client, "still", "[]");
    engine.wait_for_text("42[\"still\"]");
    assert_eq!(client.disconnect(PATIENT), Ok(()), "{what}: {}", client.error());
    let texts = engine.texts();
    assert_eq!(texts[texts.len() - 2..], ["41", "1"], "{what}");
}

#[test]
fn a_silent_probe_ends_at_its_limit_and_polls_are_paced_meanwhile() {
    let _quiet = quiet();
    type Steps = fn() -> Script;
    let silences: [(&str, Steps); 3] = [
        ("no answer", || Script::new().until_closed_quietly()),
        ("open", || Script::new().switch().until_closed()),
        ("2probe", || Script::new().switch().expect_text("2probe").until_closed()),
    ];
    for (what, script) in silences {
        let engine = Engine::start(probed_by(script));
        let client = upgrading(&[("request_timeout_ms", "400")]);
        join(&client, &engine);
        let begun = engine.http().wait_for(what, |all| {
            let upgrade = all.iter().find(|one| one.request.is_upgrade());
            upgrade.map(|one| one.request.at())
        });
        // What goes on meanwhile goes by polling.
        emit(&client, "a", "[]");
        engine.wait_for_text("42[\"a\"]");
        let end = engine.http().wait_for_script(0, |record| record.end.is_some()).end;
        let ended = match end {
            Some(
                crate::common::scripted::End::Eof(at) | crate::common::scripted::End::Reset(at),
            ) => at,
            None => unreachable!("it was waited for"),
        };
        assert_time(begun, ended, ms(350), ms(500));
        assert_goes_on(&client, &engine);
    }
}

#[test]
fn a_probe_has_five_seconds_at_most() {
    let _quiet = quiet();
    let engine = Engine::start(probed_by(|| Script::new().switch().until_closed()));
    let client = upgrading(&[("request_timeout_ms", "60000")]);
    join(&client, &engine);
    let begun = engine.http().wait_for("a probe", |all| {
        all.iter().find(|one| one.request.is_upgrade()).map(|one| one.request.at())
    });
    engine.http().wait_for_script(0, |record| record.end.is_some());
    assert_elapsed(begun, ms(4_900), ms(5_200));
    assert_goes_on(&client, &engine);
}

#[test]
fn a_probe_that_dies_after_3probe_resumes_polling_while_the_poll_is_out() {
    // The poll that should be ended is held: the socket goes before the upgrade is complete.
    let told = Gate::new();
    let script = {
        let told = told.clone();
        move || {
            let told = told.clone();
            Script::new().switch().expect_text("2probe").text("3probe").then("wait", move |peer| {
                while !told.is_open() {
                    peer.pause(ms(5))?;
                }
                Ok(())
            })
        }
    };
    let engine = Engine::start(probed_by(script));
    let client = upgrading(&[]);
    join(&client, &engine);
    engine.http().wait_for_script(0, |record| record.texts().len() == 1);
    std::thread::sleep(ms(50));
    told.open();
    engine.http().wait_for_script(0, |record| record.outcome.is_some());
    assert_goes_on(&client, &engine);
    assert!(!engine.texts().contains(&"5".to_owned()));
}

#[test]
fn a_probe_that_dies_after_the_poll_is_back_resumes_polling() {
    let (told, post) = (Gate::new(), Gate::new());
    let script = {
        let told = told.clone();
        move || {
            let told = told.clone();
            Script::new().switch().expect_text("2probe").text("3probe").then("wait", move |peer| {
                while !told.is_open() {
                    peer.pause(ms(5))?;
                }
                Ok(())
            })
        }
    };
    let engine = Engine::start(probed_by(script));
    let client = upgrading(&[]);
    join(&client, &engine);
    engine.answer_post(Answer::ok("ok").when(&post));
    emit(&client, "a", "[]");
    engine.wait_for_text("42[\"a\"]");
    engine.http().wait_for_script(0, |record| record.texts().len() == 1);
    engine.answer_poll(Answer::ok("6"));
    std::thread::sleep(ms(50));
    emit(&client, "waits", "[]");
    std::thread::sleep(ms(50));
    assert_eq!(engine.texts().len(), 2);
    told.open();
    engine.http().wait_for_script(0, |record| record.outcome.is_some());
    post.open();
    engine.wait_for_text("42[\"waits\"]");
    assert_goes_on(&client, &engine);
}

#[test]
fn a_session_that_ends_over_a_failed_probe_is_made_again_without_probing() {
    // As some servers do it: the probe fails, and with it the session.
    let probes = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&probes);
    let plan = Plan::default().hook(move |request| {
        request.is_upgrade().then(|| {
            counting.fetch_add(1, Ordering::SeqCst);
            Answer::error(3, "Bad request")
        })
    });
    let engine = Engine::start(plan);
    let client = reconnecting(&[]);
    join(&client, &engine);
    wait_until("a probe", || probes.load(Ordering::SeqCst) == 1);
    engine.forget();
    engine.http().cut();
    wait_until("another session", || engine.sessions() == 2);
    wait_for_state(&client, State::Connected);
    emit(&client, "a", "[]");
    engine.wait_for_text("42[\"a\"]");
    std::thread::sleep(ms(300));
    assert_eq!(probes.load(Ordering::SeqCst), 1);
    assert_eq!((client.transport(), engine.sessions()), ("polling", 2));
    // And so are later ones, until the program connects anew.
    engine.forget();
    engine.http().cut();
    wait_until("a third session", || engine.sessions() == 3);
    wait_for_state(&client, State::Connected);
    std::thread::sleep(ms(200));
    assert_eq!(probes.load(Ordering::SeqCst), 1);
    assert_eq!(client.disconnect(PATIENT), Ok(()));
    join(&client, &engine);
    wait_until("a probe", || probes.load(Ordering::SeqCst) == 2);
}

#[test]
fn a_session_that_ends_long_after_a_failed_probe_is_probed_again() {
    let probes = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&probes);
    let plan = Plan::default().hook(move |request| {
        (request.is_upgrade() && counting.fetch_add(1, Ordering::SeqCst) == 0)
            .then(|| Answer::error(3, "Bad request"))
    });
    let engine = Engine::start(plan);
    let client = reconnecting(&[]);
    join(&client, &engine);
    wait_until("a probe", || probes.load(Ordering::SeqCst) == 1);
    std::thread::sleep(ms(1300));
    engine.forget();
    engine.http().cut();
    wait_until("the upgrade", || client.transport() == "websocket");
    assert_eq!(probes.load(Ordering::SeqCst), 2);
}

#[test]
fn a_loss_while_the_probe_runs_ends_both() {
    let engine = Engine::start(probed_by(|| Script::new().switch().until_closed()));
    let client = upgrading(&[]);
    join(&client, &engine);
    engine.http().wait_for_script(0, |record| record.texts() == ["2probe"]);
    engine.answer_poll(Answer::error(1, "Session ID unknown"));
    let since = Instant::now();
    // A poll that brings nothing is followed after a while by the next.
    assert_eq!(receive_fails(&client, PATIENT), Status::Disconnected);
    assert!(since.elapsed() < ms(500));
    engine.http().wait_for_script(0, |record| record.end.is_some());
    assert_polls(&client);
}

#[test]
fn the_end_of_the_websocket_after_the_upgrade_is_a_loss() {
    let (client, engine) = upgraded(Plan::default());
    engine.http().cut();
    assert_eq!(receive_fails(&client, PATIENT), Status::Disconnected);
    assert_eq!(client.state(), State::Closed);
    assert_eq!(engine.sessions(), 1, "polling does not resume");
}

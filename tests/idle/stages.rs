//! While a client waits for a request, a probe, a switch or the program, its threads sleep.

#![forbid(unsafe_code)]

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use sio::client::Client;
use sio::session::State;

use crate::clients::*;
use crate::common::scripted::{Answer, Engine, Gate, Plan, Script};
use crate::support::*;

const TIME: Duration = ms(1_000);

/// How often threads of clients of this process were put on a processor, and for how long.
fn turns() -> (u64, Duration) {
    let (mut turns, mut time) = (0, Duration::ZERO);
    for task in fs::read_dir("/proc/self/task").expect("there is /proc").flatten() {
        let read = |name| fs::read_to_string(task.path().join(name)).unwrap_or_default();
        if read("comm").trim() == "sio" {
            let figures = read("schedstat");
            let mut figures = figures.split_whitespace().map(|figure| figure.parse().unwrap_or(0));
            time += Duration::from_nanos(figures.next().unwrap_or(0));
            turns += figures.nth(1).unwrap_or(0);
        }
    }
    (turns, time)
}

#[track_caller]
fn assert_asleep(what: &str) {
    // What has just happened is over by then.
    std::thread::sleep(ms(100));
    let (before, spent) = turns();
    std::thread::sleep(TIME);
    let (after, total) = turns();
    let (turns, time) = (after - before, total - spent);
    println!("{what}: {turns} turns, {time:?}");
    assert!(turns < 30, "{what}: {turns} turns in {TIME:?}, {time:?}");
}

fn answered_probe() -> Script {
    Script::new().switch().expect_text("2probe").text("3probe").until_closed()
}

fn upgrading_to(plan: Plan) -> (Arc<Client>, Engine) {
    let (client, engine) = (reconnecting(&[("request_timeout_ms", "60000")]), Engine::start(plan));
    join(&client, &engine);
    engine
        .http()
        .wait_for("a probe", |all| all.iter().any(|one| one.request.is_upgrade()).then_some(()));
    (client, engine)
}

#[test]
fn nothing_spins_in_any_stage() {
    let _loud = loud();
    {
        let (_client, engine) = polled(Plan::polling_only());
        engine.wait_for_poll();
        assert_asleep("a poll waits");
        engine.http().close_idle();
        assert_asleep("a poll waits, and the server has closed the other connection");
    }
    {
        let (client, engine) =
            polled_with(&[("request_timeout_ms", "60000")], Plan::polling_only());
        engine.answer_post(Answer::silence());
        emit(&client, "a", "[]");
        engine.wait_for_text("42[\"a\"]");
        for _ in 0..100 {
            emit(&client, "b", "[]");
        }
        assert_asleep("a POST waits");
        let leaving = start(&client, |client| client.disconnect(limit(10_000)));
        wait_for_state(&client, State::Closing);
        assert_asleep("leaving, a POST waits");
        client.close();
        let _ = leaving.back();
    }
    {
        let (client, engine) =
            polled_with(&[("request_timeout_ms", "60000")], Plan::polling_only());
        engine.wait_for_poll();
        engine.answer_post(Answer::silence());
        let leaving = start(&client, |client| client.disconnect(limit(10_000)));
        engine.wait_for_text("41");
        assert_asleep("leaving, the POST with DISCONNECT waits");
        client.close();
        let _ = leaving.back();
    }
    {
        let options = [("receive_limit", "1000")];
        let (client, engine) = polled_with(&options, Plan::polling_only());
        engine.wait_for_poll();
        let events: Vec<_> = (0..2_000).map(|i| format!("42[\"e\",{i}]")).collect();
        engine.send_all(&events.iter().map(String::as_str).collect::<Vec<_>>());
        wait_until("it is full", || stat(&client, "receive_queued_bytes") >= 1_000);
        assert_asleep("paused, with more in the poll");
        emit(&client, "a", "[]");
        engine.wait_for_text("42[\"a\"]");
        assert_asleep("paused, and a POST was answered");
        let first = client.receive(PATIENT).expect("an event");
        assert_eq!(first.args(), "[0]");
        for i in 1..2_000 {
            assert_event(&client, "e", &format!("[{i}]"));
        }
    }
    {
        let (client, _engine) = upgrading_to(
            Plan::default().hook(|request| request.is_upgrade().then(Answer::silence)),
        );
        assert_asleep("a probe does not open");
        drop(client);
    }
    {
        let (client, engine) =
            upgrading_to(Plan::default().upgrade(|| Script::new().switch().until_closed()));
        engine.http().wait_for_script(0, |record| record.texts() == ["2probe"]);
        assert_asleep("a probe is not answered");
        engine.answer_post(Answer::silence());
        let leaving = start(&client, |client| client.disconnect(limit(10_000)));
        engine.wait_for_text("41");
        assert_asleep("leaving, with a probe that is not answered");
        engine.http().cut();
        let _ = leaving.back();
    }
    {
        let (client, engine) = upgrading_to(
            Plan::default()
                .upgrade(|| Script::new().switch().expect_text("2probe").until_told().reset()),
        );
        engine.http().wait_for_script(0, |record| record.texts() == ["2probe"]);
        engine.answer_post(Answer::silence());
        let leaving = start(&client, |client| client.disconnect(limit(10_000)));
        engine.wait_for_text("41");
        engine.http().tell(0);
        assert_asleep("leaving, and the probe was reset");
        client.close();
        let _ = leaving.back();
    }
    {
        let (client, engine) = upgrading_to(Plan::default().upgrade(answered_probe));
        engine.http().wait_for_script(0, |record| record.texts() == ["2probe"]);
        assert_asleep("a probe is answered, and the poll does not come back");
        engine.answer_post(Answer::silence());
        emit(&client, "a", "[]");
        engine.wait_for_text("42[\"a\"]");
        engine.answer_poll(Answer::ok("6"));
        assert_asleep("the poll is back, and the POST is not");
        emit(&client, "b", "[]");
        assert_asleep("the same, and something waits");
        let leaving = start(&client, |client| client.disconnect(limit(10_000)));
        wait_for_state(&client, State::Closing);
        assert_asleep("leaving, while the POST is awaited");
        client.close();
        let _ = leaving.back();
    }
    {
        let (client, _engine) = (fresh(&[]), ());
        let gate = Gate::new();
        let running = gate.clone();
        let function = move || {
            wait_until("the end of the test", || running.is_open());
            1
        };
        assert_eq!(client.set_prepare(Some(Box::new(function))), Ok(()));
        let connecting =
            start(&client, |client| client.connect(Some("http://127.0.0.1:1"), limit(9_000)));
        wait_for_state(&client, State::Connecting);
        assert_asleep("the program's function runs");
        gate.open();
        assert!(connecting.back().is_err());
    }
    {
        let engine = Engine::start(
            Plan::default()
                .hook(|_| Some(Answer::head("503 No").body_of_length(100, "part").then_silence())),
        );
        let client = fresh(&[("request_timeout_ms", "60000")]);
        let url = engine.url();
        let connecting = start(&client, move |client| client.connect(Some(&url), limit(3_000)));
        engine.http().wait_for("a request", |all| (!all.is_empty()).then_some(()));
        assert_asleep("a refusal does not end");
        assert!(connecting.back().is_err());
    }
}

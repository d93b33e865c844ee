//! Leaving by polling: everything, then DISCONNECT, then CLOSE, each in a POST of its own.

#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use sio::error::Status;
use sio::session::State;

use crate::clients::*;
use crate::common::scripted::{Answer, Engine, Gate, Plan, Script};
use crate::support::*;

fn bodies(engine: &Engine) -> Vec<String> {
    engine.posts().iter().map(|one| one.request.text()).collect()
}

#[test]
fn disconnect_and_close_go_in_posts_of_their_own_after_everything() {
    for count in [0_usize, 1, 5, 50, 1000] {
        let (client, engine) = polled(Plan::polling_only());
        for i in 0..count {
            emit(&client, "e", &format!("[{i}]"));
        }
        assert_eq!(client.disconnect(PATIENT), Ok(()), "{}", client.error());
        assert_eq!(client.state(), State::Closed);
        let bodies = bodies(&engine);
        assert_eq!(bodies[bodies.len() - 2..], ["41", "1"]);
        let mut expected = vec!["40".to_owned()];
        expected.extend((0..count).map(|i| format!("42[\"e\",{i}]")));
        expected.extend(["41".to_owned(), "1".to_owned()]);
        assert_eq!(engine.texts(), expected);
        assert_eq!(stat(&client, "dropped_sent"), 0);
        // 63 POSTs for a thousand, and a few more at the beginning.
        assert!(bodies.len() <= 3 + count.div_ceil(16) + 20, "{} POSTs", bodies.len());
        engine.http().wait_for_ends();
    }
}

#[test]
fn each_waits_for_the_answer_to_the_one_before() {
    let _quiet = quiet();
    let (client, engine) = polled(Plan::polling_only());
    engine.wait_for_poll();
    let gates = [Gate::new(), Gate::new(), Gate::new()];
    for gate in &gates {
        engine.answer_post(Answer::ok("ok").when(gate));
    }
    emit(&client, "a", "[]");
    let leaving = start(&client, |client| client.disconnect(PATIENT));
    for (i, body) in ["42[\"a\"]", "41", "1"].iter().enumerate() {
        engine.http().wait_for(body, |all| {
            let posts = all.iter().filter(|one| one.request.method == "POST").count();
            (posts == i + 2).then_some(())
        });
        std::thread::sleep(ms(50));
        assert_eq!(bodies(&engine)[i + 1..], [*body]);
        assert_eq!(client.state(), State::Closing);
        assert_eq!((client.sid().as_str(), client.transport()), ("socket-0", "polling"));
        gates[i].open();
    }
    assert_eq!(leaving.back(), Ok(()), "{}", client.error());
}

#[test]
fn answers_and_what_arrives_meanwhile_are_not_lost() {
    let (client, engine) = polled(Plan::polling_only());
    engine.send("427[\"question\"]");
    let question = client.receive(PATIENT).unwrap_or_else(|status| panic!("{status:?}"));
    let gate = Gate::new();
    engine.wait_for_poll();
    engine.answer_post(Answer::ok("ok").when(&gate));
    emit(&client, "a", "[]");
    engine.wait_for_text("42[\"a\"]");
    assert_eq!(question.ack(Some("[1]"), &[]), Ok(()));
    let leaving = start(&client, |client| client.disconnect(PATIENT));
    wait_for_state(&client, State::Closing);
    for i in 0..5 {
        engine.send(&format!("42[\"late\",{i}]"));
    }
    wait_until("they come", || stat(&client, "receive_queued") == 5);
    gate.open();
    assert_eq!(leaving.back(), Ok(()), "{}", client.error());
    for i in 0..5 {
        assert_event(&client, "late", &format!("[{i}]"));
    }
    assert_eq!(receive_fails(&client, PATIENT), Status::Disconnected);
    assert_eq!(engine.texts(), ["40", "42[\"a\"]", "437[1]", "41", "1"]);
}

#[test]
fn what_arrives_is_read_also_while_reading_is_paused_and_counted_if_there_is_no_room() {
    let (client, engine) = polled_with(&[("receive_limit", "1")], Plan::polling_only());
    let events: Vec<String> = (0..100).map(|i| format!("42[\"e\",{i}]")).collect();
    engine.answer_poll(Answer::ok(events.join("\x1e")));
    wait_until("it is paused", || stat(&client, "receive_queued") == 1);
    emit(&client, "a", "[]");
    assert_eq!(client.disconnect(PATIENT), Ok(()), "{}", client.error());
    assert_event(&client, "e", "[0]");
    assert_eq!(receive_fails(&client, AT_ONCE), Status::Disconnected);
    assert_eq!(stat(&client, "dropped_received"), 99);
    assert_eq!(engine.texts(), ["40", "42[\"a\"]", "41", "1"]);
}

#[test]
fn a_disconnect_that_is_not_answered_is_not_confirmed() {
    let _quiet = quiet();
    for fate in ["silence", "none", "400"] {
        let (client, engine) = polled_with(&[("request_timeout_ms", "300")], Plan::polling_only());
        engine.wait_for_poll();
        engine.answer_post(match fate {
            "silence" => Answer::silence(),
            "none" => Answer::none(),
            _ => Answer::error(1, "Session ID unknown"),
        });
        let since = Instant::now();
        let outcome = client.disconnect(PATIENT);
        assert!(
            matches!(outcome, Err(Status::Timeout | Status::Disconnected)),
            "{fate}: {outcome:?}"
        );
        assert!(since.elapsed() < ms(1600), "{fate}: {:?}", since.elapsed());
        assert_eq!(client.state(), State::Closed);
        engine.http().wait_for_ends();
        assert_polls(&client);
    }
}

#[test]
fn the_close_need_not_be_answered() {
    let _quiet = quiet();
    for fate in ["silence", "none", "400"] {
        let (client, engine) = polled(Plan::polling_only());
        engine.wait_for_poll();
        engine.answer_post(Answer::ok("ok"));
        engine.answer_post(match fate {
            "silence" => Answer::silence(),
            "none" => Answer::none(),
            _ => Answer::error(1, "Session ID unknown"),
        });
        let since = Instant::now();
        assert_eq!(client.disconnect(PATIENT), Ok(()), "{fate}: {}", client.error());
        assert!(since.elapsed() < ms(1200), "{fate}: {:?}", since.elapsed());
        assert_eq!(bodies(&engine)[1..], ["41", "1"]);
    }
}

#[test]
fn disconnect_is_back_at_its_limit() {
    let _quiet = quiet();
    let (client, engine) = polled(Plan::polling_only());
    engine.answer_post(Answer::silence());
    emit(&client, "a", "[]");
    engine.wait_for_text("42[\"a\"]");
    emit(&client, "b", "[]");
    let since = Instant::now();
    assert_eq!(client.disconnect(limit(300)), Err(Status::Timeout));
    assert_elapsed(since, ms(300), ms(350));
    assert_eq!(client.state(), State::Closed);
    assert_says(&client, "confirm");
    assert_eq!(stat(&client, "dropped_sent"), 1, "what had not been handed over is counted");
    engine.http().wait_for_ends();
}

#[test]
fn disconnect_without_time_is_back_at_once_and_final() {
    let _quiet = quiet();
    for _ in 0..20 {
        let (client, engine) = polled(Plan::polling_only());
        emit(&client, "a", "[]");
        assert_eq!(within(WAKE, || client.disconnect(AT_ONCE)), Err(Status::Timeout));
        assert_eq!(client.state(), State::Closed);
        assert_eq!(receive_fails(&client, AT_ONCE), Status::Disconnected);
        engine.http().wait_for_ends();
    }
}

#[test]
fn a_probe_without_an_answer_does_not_hold_leaving_up() {
    let _quiet = quiet();
    let silent = [
        Plan::default().upgrade(|| Script::new().switch().until_closed()),
        Plan::default().hook(|request| request.is_upgrade().then(Answer::silence)),
    ];
    for plan in silent {
        let engine = Engine::start(plan);
        let client = upgrading(&[]);
        join(&client, &engine);
        engine.http().wait_for("a probe", |all| {
            all.iter().any(|one| one.request.is_upgrade()).then_some(())
        });
        emit(&client, "a", "[]");
        let outcome = within(ms(700), || client.disconnect(PATIENT));
        assert_eq!(outcome, Ok(()), "{}", client.error());
        assert_eq!(engine.texts(), ["40", "42[\"a\"]", "41", "1"]);
        engine.http().wait_for_ends();
    }
}

#[test]
fn an_answered_probe_is_awaited_and_leaving_goes_on_by_websocket() {
    let post = Gate::new();
    let engine = Engine::usual();
    let client = upgrading(&[]);
    join(&client, &engine);
    engine.answer_post(Answer::ok("ok").when(&post));
    emit(&client, "a", "[]");
    engine.http().wait_for_script(0, |record| record.texts() == ["2probe"]);
    std::thread::sleep(ms(100));
    // If the POST came too late the upgrade was faster, and this is leaving by websocket.
    emit(&client, "b", "[]");
    let leaving = start(&client, |client| client.disconnect(PATIENT));
    std::thread::sleep(ms(50));
    post.open();
    assert_eq!(leaving.back(), Ok(()), "{}", client.error());
    let texts = engine.texts();
    assert_eq!(texts, ["40", "42[\"a\"]", "5", "42[\"b\"]", "41"]);
}

#[test]
fn several_threads_disconnect_together() {
    let _quiet = quiet();
    for _ in 0..10 {
        let (client, engine) = polled(Plan::polling_only());
        emit(&client, "a", "[]");
        let leaving: Vec<_> =
            (0..6).map(|_| start(&client, |client| client.disconnect(PATIENT))).collect();
        for leaving in leaving {
            assert_eq!(leaving.back(), Ok(()));
        }
        assert_eq!(engine.texts(), ["40", "42[\"a\"]", "41", "1"]);
    }
}

#[test]
fn a_server_that_ends_the_session_while_we_leave_is_told() {
    let _quiet = quiet();
    type End = fn(&Engine);
    let ends: [(&str, End); 4] = [
        ("CLOSE", |engine| engine.send("1")),
        ("DISCONNECT", |engine| engine.send("41")),
        ("cut", |engine| engine.http().cut()),
        ("nonsense", |engine| engine.send("nonsense")),
    ];
    for (what, end) in ends {
        let engine = Engine::start(Plan::polling_only());
        let client = reconnecting(&[("transports", "polling")]);
        join(&client, &engine);
        engine.wait_for_poll();
        engine.answer_post(Answer::silence());
        emit(&client, "a", "[]");
        engine.wait_for_text("42[\"a\"]");
        let leaving = start(&client, |client| client.disconnect(PATIENT));
        wait_for_state(&client, State::Closing);
        let since = Instant::now();
        end(&engine);
        assert_eq!(leaving.back_within(since, END), Err(Status::Disconnected), "{what}");
        assert_eq!(client.state(), State::Closed);
        // Leaving is final, whatever reconnection says.
        assert_silent(&engine, ms(400));
    }
}

#[test]
fn leaving_takes_the_time_that_sending_takes() {
    let (client, engine) = polled(Plan::polling_only());
    engine.wait_for_poll();
    for _ in 0..20 {
        engine.answer_post(Answer::ok("ok").after(ms(60)));
    }
    for i in 0..300 {
        emit(&client, "e", &format!("[{i}]"));
    }
    let since = Instant::now();
    assert_eq!(client.disconnect(PATIENT), Ok(()), "{}", client.error());
    assert!(since.elapsed() > ms(1000), "{:?}", since.elapsed());
    assert!(since.elapsed() < Duration::from_secs(5));
    assert_eq!(engine.texts().len(), 303);
}

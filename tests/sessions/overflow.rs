//! By polling: what happens when the program does not take what comes. Paused, the client asks for
//! nothing more; otherwise it drops and counts.

#![forbid(unsafe_code)]

use std::sync::Arc;

use sio::client::Client;
use sio::error::Status;
use sio::session::State;

use crate::clients::*;
use crate::common::scripted::{Answer, Engine, Plan};
use crate::support::*;

/// What one queued event counts beside its bytes.
const OVERHEAD: usize = 128;

/// So many events come in one poll, of which one is enough to pause.
const COUNT: usize = 200;

fn event(i: usize) -> String {
    format!("42[\"e\",{i},\"{}\"]", "x".repeat(1000))
}

#[track_caller]
fn assert_events(client: &Client, numbers: std::ops::Range<usize>) {
    for i in numbers {
        assert_event(client, "e", &format!("[{i},\"{}\"]", "x".repeat(1000)));
    }
}

/// A client by polling that has paused within the body of a poll.
#[track_caller]
fn paused(options: &[(&str, &str)], plan: Plan) -> (Arc<Client>, Engine) {
    let (client, engine) = polled_with(&[&[("receive_limit", "1000")], options].concat(), plan);
    engine.wait_for_poll();
    let packets: Vec<String> = (0..COUNT).map(event).collect();
    engine.answer_poll(Answer::ok(packets.join("\x1e")));
    wait_until("it is paused", || stat(&client, "receive_queued") >= 1);
    (client, engine)
}

#[test]
fn a_call_whose_time_ends_while_reading_is_paused_says_full() {
    let _quiet = quiet();
    let (client, engine) = paused(&[], Plan::polling_only());
    let calling = start(&client, |client| {
        let since = std::time::Instant::now();
        let status = call_fails(client, "c", limit(300));
        assert_elapsed(since, ms(300), ms(350));
        (status, client.error())
    });
    // It goes out all the same, and its answer waits at the server.
    engine.wait_for_text("420[\"c\"]");
    engine.send("430[\"answer\"]");
    let (status, text) = calling.back();
    assert_eq!(status, Status::Full);
    assert!(text.contains("receive what is waiting"), "{text}");
    assert_eq!(client.state(), State::Connected);
    assert_events(&client, 0..COUNT);
    wait_until("the answer comes too late", || stat(&client, "late_acks") == 1);

    // With room again calls are answered, and time that ends is again just that.
    let calling = start(&client, |client| client.call("d", None, &[], PATIENT).map(drop));
    engine.wait_for_text("421[\"d\"]");
    engine.send("431[]");
    assert_eq!(calling.back(), Ok(()));
    assert_eq!(call_fails(&client, "f", limit(50)), Status::Timeout);
    assert_eq!(stat(&client, "dropped_received"), 0);
}

#[test]
fn a_call_is_answered_when_another_thread_makes_room() {
    let (client, engine) = paused(&[], Plan::polling_only());
    let calling = block(&client, |client| client.call("c", None, &[], PATIENT).map(drop));
    engine.wait_for_text("420[\"c\"]");
    engine.send("430[]");
    assert_events(&client, 0..COUNT);
    assert_eq!(calling.back(), Ok(()));
}

#[test]
fn while_paused_everything_but_receiving_works() {
    let (client, engine) = paused(&[], Plan::polling_only());
    for i in 0..100 {
        emit(&client, "out", &format!("[{i}]"));
    }
    assert_eq!(client.flush(PATIENT), Ok(()), "{}", client.error());
    engine.wait_for_text("42[\"out\",99]");
    let polls = engine.polls().len();
    assert!(engine.polls().iter().all(|one| one.answered.is_some()), "no poll waits for more");
    assert_events(&client, 0..COUNT);
    wait_until("it polls again", || engine.polls().len() > polls);
    assert_eq!(client.disconnect(PATIENT), Ok(()), "{}", client.error());
}

/// The server gets no answer to its pings, since nobody asks for them, and gives the session up. Our
/// own clock stands still meanwhile.
#[test]
fn a_pause_longer_than_the_servers_patience_ends_in_a_reconnection() {
    let options = [
        ("reconnection", "1"),
        ("reconnect_min_ms", "50"),
        ("reconnect_jitter", "0"),
        ("report_state", "1"),
    ];
    let (client, engine) =
        polled_with(&[&[("receive_limit", "1000")][..], &options[..]].concat(), beating(200, 100));
    let connected = client.receive(PATIENT).unwrap_or_else(|status| panic!("{status:?}"));
    assert!(connected.args().contains("socket-0"), "{}", connected.args());
    engine.wait_for_poll();
    let packets: Vec<String> = (0..COUNT).map(event).collect();
    engine.answer_poll(Answer::ok(packets.join("\x1e")));
    wait_until("it is paused", || stat(&client, "receive_queued") >= 1);
    // The time is what is tested: longer than both together.
    std::thread::sleep(ms(800));
    assert_eq!((client.state(), engine.sessions()), (State::Connected, 1));
    engine.forget();

    // All that had arrived is received, then what became of it, and then what comes by the next.
    assert_events(&client, 0..COUNT);
    let lost = client.receive(PATIENT).unwrap_or_else(|status| panic!("{status:?}"));
    assert!(lost.args().contains("\"final\":false"), "{}", lost.args());
    wait_for_state(&client, State::Connected);
    assert_eq!((client.sid().as_str(), engine.sessions()), ("socket-1", 2));
    let again = client.receive(PATIENT).unwrap_or_else(|status| panic!("{status:?}"));
    assert!(again.args().contains("socket-1"), "{}", again.args());
    let calling = start(&client, |client| client.call("c", None, &[], PATIENT).map(drop));
    engine.wait_for_text("420[\"c\"]");
    engine.send_all(&["430[]", "42[\"still\"]"]);
    assert_eq!(calling.back(), Ok(()));
    assert_event(&client, "still", "[]");
    assert_eq!(stat(&client, "dropped_received"), 0);
    assert_eq!(client.disconnect(PATIENT), Ok(()), "{}", client.error());
}

/// The same, but found by a POST while the program still takes nothing.
#[test]
fn a_session_that_the_server_gave_up_in_a_pause_is_noticed_by_what_is_sent() {
    let options = [("reconnection", "1"), ("reconnect_min_ms", "50"), ("reconnect_jitter", "0")];
    let (client, engine) = paused(&options, Plan::polling_only());
    engine.forget();
    emit(&client, "lost", "[]");
    wait_until("another session", || engine.sessions() == 2);
    wait_for_state(&client, State::Connected);
    // What is in the queue stays there, and does not keep the next session from working.
    assert_events(&client, 0..1);
    let mut next = client.receive(PATIENT).unwrap_or_else(|status| panic!("{status:?}"));
    engine.send("42[\"new\"]");
    for i in 1.. {
        if next.name() == "new" {
            break;
        }
        assert!(next.args().starts_with(&format!("[{i},")), "{i}: {:.50}", next.args());
        next = client.receive(PATIENT).unwrap_or_else(|status| panic!("{status:?}"));
    }
    emit(&client, "found", "[]");
    engine.wait_for_text("42[\"found\"]");
}

/// Events of one size, so that exactly ten fit: full is reached with the tenth.
fn ten() -> String {
    (9 * (OVERHEAD + "e".len() + "[10]".len() + 2) + 1).to_string()
}

#[test]
fn drop_newest_keeps_the_oldest_and_drop_oldest_the_newest_and_both_count() {
    for in_one_poll in [true, false] {
        for (policy, kept) in [("drop_newest", 10..20), ("drop_oldest", 90..100)] {
            let options = [("receive_limit", ten()), ("receive_overflow", policy.to_owned())];
            let options = options.each_ref().map(|(name, value)| (*name, value.as_str()));
            let (client, engine) = polled_with(&options, Plan::polling_only());
            let events: Vec<String> = (10..100).map(|i| format!(r#"42["e",{i}]"#)).collect();
            let pieces = events.chunks(if in_one_poll { events.len() } else { 7 });
            for piece in pieces {
                engine.send_all(&piece.iter().map(String::as_str).collect::<Vec<_>>());
                engine.wait_for_poll();
            }
            // An answer is taken although the queue is full, and shows that all has come.
            let calling = start(&client, |client| client.call("c", None, &[], PATIENT).map(drop));
            engine.wait_for_text("420[\"c\"]");
            engine.send("430[]");
            assert_eq!(calling.back(), Ok(()), "{policy}");
            assert_eq!(stat(&client, "receive_queued"), 10, "{policy}");
            assert_eq!(stat(&client, "dropped_received"), 80, "{policy}");
            for i in kept {
                assert_event(&client, "e", &format!("[{i}]"));
            }
            assert_eq!(receive_fails(&client, AT_ONCE), Status::Timeout);
            // With room again events come again.
            engine.send("42[\"more\"]");
            assert_event(&client, "more", "[]");
            assert_eq!(stat(&client, "dropped_received"), 80, "{policy}");
        }
    }
}

#[test]
fn what_is_dropped_is_not_answered() {
    for (policy, answer) in [("drop_newest", "430[]"), ("drop_oldest", "434[]")] {
        let options = [("receive_limit", "1"), ("receive_overflow", policy)];
        let (client, engine) = polled_with(&options, Plan::polling_only());
        let questions: Vec<String> = (0..5).map(|id| format!(r#"42{id}["q"]"#)).collect();
        engine.send_all(&questions.iter().map(String::as_str).collect::<Vec<_>>());
        wait_until("all have come", || stat(&client, "dropped_received") == 4);
        assert_event(&client, "q", "[]");
        assert_eq!(client.disconnect(PATIENT), Ok(()), "{}", client.error());
        assert_eq!(engine.texts(), ["40", answer, "41", "1"], "{policy}");
    }
}

#[test]
fn a_program_that_only_sends_keeps_no_events() {
    let options = [("receive_limit", "0"), ("receive_overflow", "drop_newest")];
    let (client, engine) = polled_with(&options, answering());
    let events: Vec<String> = (0..100).map(|i| format!(r#"42["e",{i}]"#)).collect();
    engine.send_all(&events.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(call(&client, "c", "[1]"), "[1]");
    wait_until("all are dropped", || stat(&client, "dropped_received") == 100);
    assert_eq!(receive_fails(&client, AT_ONCE), Status::Timeout);
    assert_eq!(stat(&client, "receive_queued_bytes_max"), 0);
    assert_eq!(client.disconnect(PATIENT), Ok(()), "{}", client.error());
}

//! What becomes of what had been emitted when the connection was lost: at most once, nothing lost
//! silently, and with `offline=buffer` what is untouched goes first in the next session.

#![forbid(unsafe_code)]

use std::sync::Arc;

use sio::client::Client;
use sio::error::Status;
use sio::session::State;

use crate::clients::*;
use crate::common::scripted::{Answer, Engine, Gate, Packet, Plan};
use crate::support::*;

/// A polling client with one POST under way, `touched`, and behind it three events, one of them
/// binary, and two calls that wait for their turn.
fn waiting(options: &[(&str, &str)]) -> (Arc<Client>, Engine, Vec<Running<(Status, bool)>>) {
    let engine = Engine::start(answering());
    let client = reconnecting(&[&[("transports", "polling")], options].concat());
    join(&client, &engine);
    engine.wait_for_poll();
    engine.answer_post(Answer::ok("ok").when(&Gate::new()));
    emit(&client, "touched", "[]");
    engine.wait_for_text("42[\"touched\"]");
    emit(&client, "first", "[]");
    let args = r#"[{"_placeholder":true,"num":0}]"#;
    assert_eq!(client.emit("binary", Some(args), &[b"\x00bytes\xff"], PATIENT), Ok(()));
    emit(&client, "third", "[]");
    let calls = ["fourth", "fifth"].map(|name| {
        let calling =
            start(&client, move |client| match client.call(name, Some("[1]"), &[], PATIENT) {
                Ok(_) => (Status::Full, true),
                Err(status) => (status, failure(client)["sent"] == true),
            });
        let count = if name == "fourth" { 1 } else { 2 };
        wait_until("the call waits", || stat(&client, "calls_waiting") == count);
        calling
    });
    // What has been handed to the system as a whole is not queued any more.
    assert_eq!(stat(&client, "send_queued"), 5);
    (client, engine, calls.into())
}

const KEPT: [&str; 5] = [
    "42[\"first\"]",
    r#"451-["binary",{"_placeholder":true,"num":0}]"#,
    "42[\"third\"]",
    "420[\"fourth\",1]",
    "421[\"fifth\",1]",
];

#[test]
fn buffered_what_is_untouched_goes_first_in_the_next_session_calls_included() {
    let _quiet = quiet();
    for transports in ["polling", "websocket", "polling,websocket"] {
        let (client, engine, calls) = waiting(&[("offline", "buffer")]);
        // The next session may have another encoding.
        assert_eq!(client.set("transports", Some(transports)), Ok(()));
        let dropped = stat(&client, "dropped_sent");
        engine.http().cut();
        wait_for_state(&client, State::Reconnecting);
        emit(&client, "sixth", "[]");
        wait_for_state(&client, State::Connected);
        emit(&client, "seventh", "[]");
        engine.wait_for_text("42[\"seventh\"]");
        for call in calls {
            assert_eq!(call.back(), (Status::Full, true), "the answer comes in the next session");
        }
        let texts: Vec<String> = engine.texts().into_iter().filter(|text| text != "5").collect();
        assert_eq!(texts[..2], ["40", "42[\"touched\"]"]);
        assert_eq!(texts[2], "40");
        assert_eq!(texts[3..8], KEPT, "{transports}");
        assert_eq!(texts[8..], ["42[\"sixth\"]", "42[\"seventh\"]"]);
        let came = engine.came();
        let binary: Vec<_> =
            came.iter().filter(|one| matches!(one.packet, Packet::Binary(_))).collect();
        assert_eq!(binary.len(), 1);
        assert_eq!(binary[0].packet, Packet::Binary(b"\x00bytes\xff".to_vec()));
        // The one that had been handed over is not sent again, and nothing else is missing.
        assert_eq!(stat(&client, "dropped_sent"), dropped);
        assert_eq!(client.flush(PATIENT), Ok(()));
    }
}

#[test]
fn otherwise_what_was_queued_is_dropped_and_counted_and_its_calls_end() {
    let _quiet = quiet();
    for offline in ["wait", "fail"] {
        let (client, engine, calls) = waiting(&[("offline", offline)]);
        let dropped = stat(&client, "dropped_sent");
        engine.http().cut();
        for call in calls {
            assert_eq!(call.back(), (Status::Disconnected, false), "{offline}");
        }
        assert_eq!(stat(&client, "dropped_sent") - dropped, 5);
        assert_eq!(stat(&client, "send_queued"), 0);
        assert_eq!(stat(&client, "send_queued_bytes"), 0);
        wait_for_state(&client, State::Connected);
        emit(&client, "new", "[]");
        engine.wait_for_text("42[\"new\"]");
        assert_eq!(engine.texts(), ["40", "42[\"touched\"]", "40", "42[\"new\"]"]);
        // Flush tells of it once.
        assert_eq!(client.flush(PATIENT), Err(Status::Disconnected));
        assert_eq!(client.flush(PATIENT), Ok(()));
    }
}

#[test]
fn buffered_at_the_final_end_it_is_given_up() {
    let (client, engine, calls) = waiting(&[("offline", "buffer")]);
    let dropped = stat(&client, "dropped_sent");
    engine.send("41");
    for call in calls {
        assert_eq!(call.back().0, Status::Disconnected);
    }
    assert_eq!(client.state(), State::Closed);
    assert_eq!(stat(&client, "dropped_sent") - dropped, 5);
    assert_eq!(stat(&client, "send_queued"), 0);
    join(&client, &engine);
    emit(&client, "new", "[]");
    engine.wait_for_text("42[\"new\"]");
    // Between them there may be a last word.
    let texts: Vec<String> = engine.texts().into_iter().filter(|text| text != "1").collect();
    assert_eq!(texts, ["40", "42[\"touched\"]", "40", "42[\"new\"]"]);
}

#[test]
fn a_buffered_call_that_ends_is_taken_out_of_the_queue() {
    let engine = Engine::start(answering());
    let client = reconnecting(&[
        ("transports", "polling"),
        ("offline", "buffer"),
        ("reconnect_min_ms", "600"),
        ("reconnect_max_ms", "600"),
    ]);
    join(&client, &engine);
    engine.wait_for_poll();
    engine.answer_post(Answer::ok("ok").when(&Gate::new()));
    emit(&client, "touched", "[]");
    engine.wait_for_text("42[\"touched\"]");
    let calling = start(&client, |client| call_fails(client, "late", limit(300)));
    wait_until("the call waits", || stat(&client, "calls_waiting") == 1);
    emit(&client, "kept", "[]");
    engine.http().cut();
    assert_eq!(calling.back(), Status::Timeout);
    wait_for_state(&client, State::Connected);
    engine.wait_for_text("42[\"kept\"]");
    assert_eq!(engine.texts(), ["40", "42[\"touched\"]", "40", "42[\"kept\"]"]);
}

#[test]
fn answers_never_stay() {
    let engine = Engine::usual();
    let client = reconnecting(&[("transports", "polling"), ("offline", "buffer")]);
    join(&client, &engine);
    engine.send("427[\"q\"]");
    let question = client.receive(PATIENT).unwrap_or_else(|status| panic!("{status:?}"));
    engine.wait_for_poll();
    engine.answer_post(Answer::ok("ok").when(&Gate::new()));
    emit(&client, "touched", "[]");
    engine.wait_for_text("42[\"touched\"]");
    assert_eq!(question.ack(Some("[1]"), &[]), Ok(()));
    emit(&client, "kept", "[]");
    engine.http().cut();
    wait_for_state(&client, State::Reconnecting);
    wait_for_state(&client, State::Connected);
    engine.wait_for_text("42[\"kept\"]");
    assert!(!engine.texts().contains(&"437[1]".to_owned()));
    assert_eq!(stat(&client, "dropped_sent"), 1);
}

#[test]
fn what_is_kept_is_checked_against_the_limits_of_the_next_session() {
    let engine = Engine::start(Plan::default().open(|n| {
        let limit = if n == 0 { 1_000_000 } else { 300 };
        crate::common::scripted::open(n, &[], 25_000, 20_000, Some(limit))
    }));
    let client = reconnecting(&[("transports", "polling"), ("offline", "buffer")]);
    join(&client, &engine);
    engine.wait_for_poll();
    engine.answer_post(Answer::ok("ok").when(&Gate::new()));
    emit(&client, "touched", "[]");
    engine.wait_for_text("42[\"touched\"]");
    let large = format!("[\"{}\"]", "x".repeat(500));
    emit(&client, "small", "[1]");
    emit(&client, "large", &large);
    let calling =
        start(&client, move |client| client.call("c", Some(&large), &[], PATIENT).map(drop));
    wait_until("the call waits", || stat(&client, "calls_waiting") == 1);
    emit(&client, "small", "[2]");
    engine.http().cut();
    assert_eq!(calling.back(), Err(Status::TooLarge));
    wait_for_state(&client, State::Connected);
    engine.wait_for_text("42[\"small\",2]");
    let texts = engine.texts();
    assert_eq!(texts[2..], ["40", "42[\"small\",1]", "42[\"small\",2]"]);
    assert_eq!(stat(&client, "dropped_sent"), 2);
}

#[test]
fn nothing_is_doubled_or_reordered_when_the_connection_breaks_again_and_again() {
    let _loud = loud();
    for transports in ["polling", "websocket", "polling,websocket"] {
        let engine = Engine::usual();
        let client = reconnecting(&[
            ("transports", transports),
            ("offline", "buffer"),
            ("reconnect_min_ms", "1"),
            ("reconnect_max_ms", "1"),
        ]);
        join(&client, &engine);
        let count = 20_000;
        let mut accepted = 0;
        std::thread::scope(|scope| {
            let breaking = scope.spawn(|| {
                for i in 0..20 {
                    std::thread::sleep(ms(15 + i % 5));
                    engine.http().cut();
                }
            });
            for i in 0..count {
                emit(&client, "e", &format!("[{i}]"));
                accepted += 1;
                if i % 20 == 0 {
                    std::thread::sleep(std::time::Duration::from_micros(300));
                }
            }
            breaking.join().expect("the breaks");
        });
        // What is handed over just when the connection breaks is lost; the last break is over.
        std::thread::sleep(ms(200));
        wait_for_state(&client, State::Connected);
        emit(&client, "last", "[]");
        wait_until("all has left", || stat(&client, "send_queued") == 0);
        wait_until("it arrives", || engine.texts().contains(&"42[\"last\"]".to_owned()));
        let mut numbers: Vec<(usize, u64)> = Vec::new();
        for came in engine.came() {
            if let Some(rest) = came.packet.text().and_then(|t| t.strip_prefix("42[\"e\",")) {
                let number = rest.trim_end_matches(']').parse().expect("a number");
                numbers.push((came.session, number));
            }
        }
        // The server may still be reading of one session when the next has begun.
        numbers.sort_by_key(|(session, _)| *session);
        let numbers: Vec<u64> = numbers.into_iter().map(|(_, number)| number).collect();
        assert!(
            numbers.windows(2).all(|two| two[0] < two[1]),
            "{transports}: doubled or reordered"
        );
        // What did not arrive had been handed to the system: by polling that is one POST at a time.
        let missing = accepted - numbers.len() as u64;
        let connects = stat(&client, "connects");
        assert!(connects > 5, "{transports}: it did not break");
        if transports == "polling" {
            let dropped = stat(&client, "dropped_sent");
            assert!(missing <= 16 * connects + dropped, "{missing} are missing");
        }
    }
}

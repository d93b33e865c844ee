//! Sending by polling while a POST is under way: room, sizes, and what is taken back.

#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::Instant;

use sio::client::Client;
use sio::error::Status;

use crate::clients::*;
use crate::common::scripted::{Answer, Engine, Gate, Packet, Plan, open};
use crate::support::*;

/// A client whose POST with `touched` is answered when the gate is opened.
#[track_caller]
fn posting(options: &[(&str, &str)], plan: Plan) -> (Arc<Client>, Engine, Gate) {
    let (client, engine) = polled_with(options, plan);
    let gate = Gate::new();
    engine.wait_for_poll();
    engine.answer_post(Answer::ok("ok").when(&gate));
    emit(&client, "touched", "[]");
    engine.wait_for_text("42[\"touched\"]");
    (client, engine, gate)
}

/// A plan whose server takes packets and bodies below this size.
fn taking(limit: u64) -> Plan {
    Plan::default().open(move |n| open(n, &[], 25_000, 20_000, Some(limit)))
}

#[test]
fn emit_waits_for_room_to_its_deadline_and_who_came_first_is_served_first() {
    let _quiet = quiet();
    let (client, engine, gate) = posting(&[("send_limit", "10000")], Plan::polling_only());
    let args = |i: usize| format!("[{i},\"{}\"]", "x".repeat(1000));
    let mut count = 0;
    while client.emit("e", Some(&args(count)), &[], AT_ONCE).is_ok() {
        count += 1;
    }
    assert!((5..10).contains(&count), "{count} had room");
    let since = Instant::now();
    assert_eq!(client.emit("e", Some(&args(99)), &[], limit(200)), Err(Status::Timeout));
    assert_elapsed(since, ms(200), ms(250));
    let waiting: Vec<_> = (count..count + 5)
        .map(|i| block(&client, move |client| client.emit("e", Some(&args(i)), &[], PATIENT)))
        .collect();
    assert_eq!(client.emit("e", Some("[]"), &[], AT_ONCE), Err(Status::Timeout), "not before them");
    gate.open();
    for emitting in waiting {
        assert_eq!(emitting.back(), Ok(()));
    }
    emit(&client, "last", "[]");
    engine.wait_for_text("42[\"last\"]");
    let texts = engine.texts();
    assert_eq!(texts.len(), 2 + count + 5 + 1, "{texts:?}");
    for (i, text) in texts[2..texts.len() - 1].iter().enumerate() {
        assert!(text.starts_with(&format!("42[\"e\",{i},")), "{text:.40} is not {i}");
    }
    assert_eq!(stat(&client, "dropped_sent"), 0);
}

#[test]
fn a_call_that_ends_while_it_waits_for_its_turn_is_never_sent() {
    let (client, engine, gate) = posting(&[], Plan::polling_only());
    let args = r#"[{"_placeholder":true,"num":0}]"#;
    let calling = |client: &Client| client.call("c", Some(args), &[b"x"], PATIENT).map(drop);
    let interrupted = block(&client, calling);
    emit(&client, "kept", "[]");
    client.interrupt();
    assert_eq!(interrupted.back(), Err(Status::Interrupted));
    assert_eq!(call_fails(&client, "late", limit(50)), Status::Timeout);
    assert_eq!((stat(&client, "calls_waiting"), stat(&client, "send_queued")), (0, 1));
    gate.open();
    emit(&client, "last", "[]");
    engine.wait_for_text("42[\"last\"]");
    assert_eq!(engine.texts(), ["40", "42[\"touched\"]", "42[\"kept\"]", "42[\"last\"]"]);
    assert_eq!(engine.came().len(), 4, "nor is its buffer");
}

/// By polling the limit is that of the body, in bytes as they go out.
#[test]
fn what_counts_is_utf8_and_what_is_too_large_was_not_sent() {
    let (client, engine) = polled_with(&[], taking(1000));
    let text = |letters: usize| format!("[\"{}\"]", "é".repeat(letters));
    // Two bytes for each letter, and those around them.
    let frame = r#"42["e",""]"#.len();
    let most = (999 - frame) / 2;
    assert_eq!(client.emit("e", Some(&text(most)), &[], PATIENT), Ok(()));
    assert_eq!(client.emit("e", Some(&text(most + 1)), &[], PATIENT), Err(Status::TooLarge));
    // An escape is as long as it is written.
    let escaped = |letters: usize| format!("[\"{}\"]", "\\u00e9".repeat(letters));
    let fits = (999 - frame) / 6;
    assert_eq!(client.emit("e", Some(&escaped(fits)), &[], PATIENT), Ok(()));
    assert_eq!(client.emit("e", Some(&escaped(fits + 1)), &[], PATIENT), Err(Status::TooLarge));
    let outcome = client.call("c", Some(&text(500)), &[], PATIENT).map(drop);
    assert_eq!(outcome, Err(Status::TooLarge));
    emit(&client, "last", "[]");
    engine.wait_for_text("42[\"last\"]");
    assert_eq!(engine.texts().len(), 4, "{:?}", engine.texts());
    assert!(engine.posts().iter().all(|one| one.request.body.len() < 1000));
}

#[test]
fn an_answer_that_is_too_large_as_base64_can_be_followed_by_one_that_is_not() {
    let (client, engine) = polled_with(&[], taking(1000));
    engine.send("427[\"q\"]");
    let question = client.receive(PATIENT).unwrap_or_else(|status| panic!("{status:?}"));
    let args = r#"[{"_placeholder":true,"num":0}]"#;
    assert_eq!(question.ack(Some(args), &[&[1; 748]]), Err(Status::TooLarge));
    assert!(question.wants_ack());
    assert_eq!(question.ack(Some(args), &[&[1; 747]]), Ok(()));
    engine.wait_for("the answer", |all| (all.len() == 3).then_some(()));
    let came = engine.came();
    assert_eq!(came[1].packet, Packet::Text(format!("461-7{args}")));
    assert_eq!(came[2].packet, Packet::Binary(vec![1; 747]));
}

//! What is emitted and called while the client reconnects, and what waited before, goes by the
//! transport and to the namespace of the session that follows, whichever they are.

#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sio::client::Client;
use sio::error::Status;
use sio::session::State;

use crate::clients::*;
use crate::common::scripted::{
    Answer, Came, Engine, Gate, Listen, Packet, Plan, Script, Scripted, open,
};
use crate::support::*;

const PLACEHOLDER: &str = r#"{"_placeholder":true,"num":0}"#;

/// From which transport to which. The last of them lets a session begin by polling that kept what
/// is sent now, and move on while that is under way.
const CHANGES: [(&str, &str); 5] = [
    ("polling", "websocket"),
    ("websocket", "polling"),
    ("polling,websocket", "polling"),
    ("polling", "polling,websocket"),
    ("websocket", "polling,websocket"),
];

type Call = Running<Result<String, Status>>;

/// A call with a buffer if there is one, as many of which wait then.
#[track_caller]
fn calling(client: &Arc<Client>, name: &'static str, i: usize, bytes: Option<Vec<u8>>) -> Call {
    let before = stat(client, "calls_waiting");
    let call = start(client, move |client| {
        let (args, buffers) = arguments(i, &bytes);
        let reply = client.call(name, Some(&args), &buffers, PATIENT);
        reply.map(|reply| reply.args().to_owned())
    });
    wait_until("the call waits", || stat(client, "calls_waiting") == before + 1);
    call
}

#[track_caller]
fn emitting(client: &Client, name: &str, i: usize, bytes: Option<Vec<u8>>) {
    let (args, buffers) = arguments(i, &bytes);
    let outcome = client.emit(name, Some(&args), &buffers, PATIENT);
    assert_eq!(outcome, Ok(()), "{name} {i}: {}", client.error());
}

fn arguments(i: usize, bytes: &Option<Vec<u8>>) -> (String, Vec<&[u8]>) {
    match bytes {
        Some(bytes) => (format!("[{i},{PLACEHOLDER}]"), vec![bytes]),
        None => (format!("[{i}]"), Vec::new()),
    }
}

/// Bytes of all values, of another length for each number.
fn noise(i: usize) -> Vec<u8> {
    (0..i * 37).map(|at| (at * 31 + i) as u8).collect()
}

/// Emits and calls in turns, with and without binary; gives the calls, and the packets that a server
/// has to see in the namespace, which is "" or ends in a comma.
fn everything(client: &Arc<Client>, first_id: usize, space: &str) -> (Vec<Call>, Vec<Packet>) {
    let (mut calls, mut packets) = (Vec::new(), Vec::new());
    for i in 0..24 {
        let id = first_id + calls.len();
        let bytes = noise(i);
        let text = match i % 4 {
            0 => {
                emitting(client, "e", i, None);
                format!(r#"42{space}["e",{i}]"#)
            }
            1 => {
                emitting(client, "eb", i, Some(bytes.clone()));
                format!(r#"451-{space}["eb",{i},{PLACEHOLDER}]"#)
            }
            2 => {
                calls.push(calling(client, "c", i, None));
                format!(r#"42{space}{id}["c",{i}]"#)
            }
            _ => {
                calls.push(calling(client, "cb", i, Some(bytes.clone())));
                format!(r#"451-{space}{id}["cb",{i},{PLACEHOLDER}]"#)
            }
        };
        packets.push(Packet::Text(text));
        if i % 2 == 1 {
            packets.push(Packet::Binary(bytes));
        }
    }
    (calls, packets)
}

/// What came in that session but for the handshake of the upgrade and heartbeats.
fn came_in(all: &[Came], session: usize) -> Vec<Packet> {
    let is_news = |packet: &Packet| !matches!(packet.text(), Some("3" | "5"));
    let came = all.iter().filter(|one| one.session == session && is_news(&one.packet));
    came.map(|one| one.packet.clone()).collect()
}

fn texts(packets: &[Packet]) -> Vec<&str> {
    packets.iter().map(|packet| packet.text().unwrap_or("bytes")).collect()
}

/// Waits until so many packets have come in that session, the CONNECT among them.
#[track_caller]
fn wait_for_count(engine: &Engine, session: usize, count: usize) -> Vec<Packet> {
    engine.wait_for("all that was kept", |all| {
        Some(came_in(all, session)).filter(|came| came.len() >= count)
    })
}

#[track_caller]
fn settle_in(client: &Client, engine: &Engine, transports: &str) {
    match transports {
        "polling" => engine.wait_for_poll(),
        _ => wait_until("websocket", || client.transport() == "websocket"),
    }
}

#[test]
fn what_is_emitted_and_called_while_reconnecting_is_encoded_for_the_transport_that_follows() {
    for (before, after) in CHANGES {
        let mut engine = Engine::usual();
        let client = reconnecting(&[("transports", before), ("offline", "buffer")]);
        join(&client, &engine);
        settle_in(&client, &engine, before);
        emit(&client, "old", "[]");
        engine.wait_for_text("42[\"old\"]");
        assert_eq!(client.set("transports", Some(after)), Ok(()));
        engine.down();
        wait_for_state(&client, State::Reconnecting);
        let (calls, mut expected) = everything(&client, 0, "");
        assert_eq!(stat(&client, "send_queued"), 24);
        engine.up();
        wait_for_state(&client, State::Connected);
        emit(&client, "new", "[]");
        expected.insert(0, Packet::Text("40".into()));
        expected.push(Packet::Text("42[\"new\"]".into()));

        let came = wait_for_count(&engine, 1, expected.len());
        let what = format!("{before} -> {after}: {:?}", texts(&came));
        assert!(came == expected, "{what} instead of {:?}", texts(&expected));
        assert_eq!(came_in(&engine.came(), 0).len(), 2, "nothing twice");
        let by_post =
            engine.came().iter().filter(|one| one.session == 1 && one.request.is_some()).count();
        match after {
            "polling" => assert_eq!(by_post, expected.len()),
            "websocket" => assert_eq!(by_post, 0),
            _ => settle_in(&client, &engine, after),
        }
        for (id, call) in calls.into_iter().enumerate() {
            engine.send(&format!("43{id}[\"answer\",{id}]"));
            assert_eq!(call.back(), Ok(format!("[\"answer\",{id}]")), "{before} -> {after}");
        }
        assert_eq!(stat(&client, "dropped_sent"), 0);
        assert_eq!(stat(&client, "send_queued_bytes"), 0);
        assert_eq!(client.flush(PATIENT), Ok(()));
        assert_eq!(client.disconnect(PATIENT), Ok(()), "{}", client.error());
    }
}

/// By websocket something waits only if the server does not read. What has been handed to the system
/// by then is lost or not, and never sent again; the rest goes by polling.
#[test]
fn what_waited_behind_a_websocket_that_nobody_reads_goes_by_polling() {
    let _loud = loud();
    const COUNT: usize = 200;
    let bytes = |i: usize| vec![i as u8; 100_000];
    let script = Script::new().connected().until_told().read(3);
    let listen = Listen { receive_buffer: Some(4096), ..Listen::default() };
    let old = Scripted::start_with(listen, [script]);
    let engine = Engine::usual();
    let client = reconnecting(&[("transports", "websocket"), ("offline", "buffer")]);
    connect(&client, &old);
    assert_eq!(client.set("transports", Some("polling")), Ok(()));
    assert_eq!(client.set("url", Some(&engine.url())), Ok(()));
    for i in 0..COUNT {
        emitting(&client, "b", i, Some(bytes(i)));
    }
    // The system's buffers are full when nothing more is taken out of the queue.
    assert_eq!(client.flush(limit(500)), Err(Status::Timeout));
    let queued = stat(&client, "send_queued") as usize;
    assert!(queued > COUNT / 2, "{queued} of {COUNT} wait");
    old.tell();
    wait_for_state(&client, State::Connected);
    emit(&client, "new", "[]");
    engine.wait_for_text("42[\"new\"]");

    let came = came_in(&engine.came(), 0);
    assert_eq!(came[0], Packet::Text("40".into()));
    let first = COUNT - (came.len() - 2) / 2;
    let dropped = stat(&client, "dropped_sent") as usize;
    // The one that the system had taken a part of, at most, waited no more.
    assert!(dropped <= 1, "{dropped} were dropped");
    assert_eq!(COUNT - first + dropped, queued, "what waited is kept but for one");
    let mut expected = vec![Packet::Text("40".into())];
    for i in first..COUNT {
        expected.push(Packet::Text(format!(r#"451-["b",{i},{PLACEHOLDER}]"#)));
        expected.push(Packet::Binary(bytes(i)));
    }
    expected.push(Packet::Text("42[\"new\"]".into()));
    assert!(came == expected, "the rest of {COUNT} from {first} on, in order and once");
    let outcome = if dropped == 0 { Ok(()) } else { Err(Status::Disconnected) };
    assert_eq!(client.flush(PATIENT), outcome);
}

/// From which namespace to which, as the option says.
const MOVES: [(&str, &str); 4] = [
    ("/", "/other"),
    ("/first", "/other?key=1"),
    ("/first", "/"),
    ("/first?key=1", "/first?key=2"),
];

#[test]
fn what_is_kept_goes_to_the_namespace_that_is_set_meanwhile() {
    for (before, after) in CHANGES {
        for (from, to) in MOVES {
            moves(before, after, from, to, |client, to| {
                assert_eq!(client.set("namespace", Some(to)), Ok(()));
            });
        }
    }
}

#[test]
fn what_is_kept_goes_to_the_namespace_that_the_programs_function_sets() {
    for (before, after) in CHANGES {
        for (from, to) in MOVES {
            moves(before, after, from, to, |client, to| {
                let (weak, to, runs) = (Arc::downgrade(client), to.to_owned(), AtomicUsize::new(0));
                let function = move || {
                    runs.fetch_add(1, Ordering::SeqCst);
                    let client = weak.upgrade().expect("it is called while the client lives");
                    i32::from(client.set("namespace", Some(&to)).is_err())
                };
                assert_eq!(client.set_prepare(Some(Box::new(function))), Ok(()));
            });
        }
    }
}

/// Something waits behind a POST, or not, when the session is lost, and more follows; the next one is
/// by another transport and in another namespace, as `change` sees to.
fn moves(before: &str, after: &str, from: &str, to: &str, change: impl Fn(&Arc<Client>, &str)) {
    let what = format!("{before} -> {after}, {from} -> {to}");
    // What is sent goes by the whole name; the server knows it without its query.
    let space = &if to == "/" { String::new() } else { format!("{to},") };
    let known = if to == "/" { "" } else { &format!("{},", to.split('?').next().unwrap_or(to)) };
    let mut engine = Engine::usual();
    let client =
        reconnecting(&[("transports", before), ("namespace", from), ("offline", "buffer")]);
    join(&client, &engine);
    settle_in(&client, &engine, before);
    let mut expected = Vec::new();
    let mut calls = Vec::new();
    if before == "polling" {
        engine.answer_post(Answer::ok("ok").when(&Gate::new()));
        emit(&client, "touched", "[]");
        let is_it =
            |one: &Came| one.packet.text().is_some_and(|text| text.ends_with("[\"touched\"]"));
        engine.wait_for("the POST", |all| all.iter().any(is_it).then_some(()));
        emitting(&client, "waited", 1, Some(noise(1)));
        expected.push(Packet::Text(format!(r#"451-{space}["waited",1,{PLACEHOLDER}]"#)));
        expected.push(Packet::Binary(noise(1)));
        calls.push(calling(&client, "called", 2, None));
        expected.push(Packet::Text(format!(r#"42{space}0["called",2]"#)));
    }
    assert_eq!(client.set("transports", Some(after)), Ok(()));
    let old = came_in(&engine.came(), 0);
    engine.down();
    wait_for_state(&client, State::Reconnecting);
    let (more, packets) = everything(&client, calls.len(), space);
    calls.extend(more);
    expected.extend(packets);
    change(&client, to);
    engine.up();
    wait_for_state(&client, State::Connected);

    let came = wait_for_count(&engine, 1, 1 + expected.len());
    assert_eq!(came[0], Packet::Text(format!("40{space}")), "{what}");
    assert!(came[1..] == expected, "{what}: {:?} instead of {:?}", texts(&came), texts(&expected));
    assert_eq!(came_in(&engine.came(), 0), old, "{what}: nothing more came by the old one");
    for (id, call) in calls.into_iter().enumerate() {
        engine.send(&format!("43{known}{id}[{id}]"));
        assert_eq!(call.back(), Ok(format!("[{id}]")), "{what}");
    }
    assert_eq!(stat(&client, "foreign_packets"), 0, "{what}");
    assert_eq!(stat(&client, "send_queued_bytes"), 0, "{what}");
}

/// The same buffers fit or not by how they are encoded: by polling as base64 with a letter in front.
#[test]
fn what_is_too_large_for_the_next_server_as_it_is_encoded_there_is_dropped_and_its_call_says_so() {
    const LIMIT: usize = 1000;
    let kept_by = |transports: &str, enforced: bool| match (transports, enforced) {
        ("polling", _) => (747, 999),
        (_, true) => (999, 999),
        (_, false) => (usize::MAX, usize::MAX),
    };
    for enforce in ["1", "0"] {
        for (before, after) in [("websocket", "polling"), ("polling", "websocket")] {
            let limit = |n| if n == 0 { 1_000_000 } else { LIMIT as u64 };
            let mut engine = Engine::start(
                Plan::default().open(move |n| open(n, &[], 25_000, 20_000, Some(limit(n)))),
            );
            let client = reconnecting(&[
                ("transports", before),
                ("offline", "buffer"),
                ("enforce_max_payload", enforce),
            ]);
            join(&client, &engine);
            assert_eq!(client.set("transports", Some(after)), Ok(()));
            engine.down();
            wait_for_state(&client, State::Reconnecting);

            let (most_bytes, most_text) = kept_by(after, enforce == "1");
            let (mut expected, mut dropped) = (vec![Packet::Text("40".into())], 0);
            let mut calls = Vec::new();
            for (i, size) in [10, 747, 748, 999, 1000, 11].into_iter().enumerate() {
                let fits = size <= most_bytes;
                let bytes = vec![i as u8; size];
                emitting(&client, "b", i, Some(bytes.clone()));
                // One of two buffers is enough, also if it is the second.
                let args = format!(r#"[{PLACEHOLDER},{{"_placeholder":true,"num":1}}]"#);
                let outcome = client.emit("two", Some(&args), &[b"x", &bytes], PATIENT);
                assert_eq!(outcome, Ok(()), "{}", client.error());
                calls.push((fits, calling(&client, "c", i, Some(bytes.clone()))));
                if fits {
                    let two = &args[1..];
                    expected.push(Packet::Text(format!(r#"451-["b",{i},{PLACEHOLDER}]"#)));
                    expected.push(Packet::Binary(bytes.clone()));
                    expected.push(Packet::Text(format!(r#"452-["two",{two}"#)));
                    expected.push(Packet::Binary(b"x".to_vec()));
                    expected.push(Packet::Binary(bytes.clone()));
                    expected.push(Packet::Text(format!(r#"451-{i}["c",{i},{PLACEHOLDER}]"#)));
                    expected.push(Packet::Binary(bytes));
                } else {
                    dropped += 3;
                }
            }
            for len in [999, 1000] {
                let text = format!(r#"42["t","{}"]"#, "x".repeat(len - r#"42["t",""]"#.len()));
                emit(&client, "t", &format!("[{}", &text[r#"42["t","#.len()..]));
                match len <= most_text {
                    true => expected.push(Packet::Text(text)),
                    false => dropped += 1,
                }
            }
            assert_eq!(stat(&client, "dropped_sent"), 0, "that is known when it is sent");
            engine.up();
            wait_for_state(&client, State::Connected);
            emit(&client, "new", "[]");
            expected.push(Packet::Text("42[\"new\"]".into()));

            let what = format!("{before} -> {after}, enforce_max_payload {enforce}");
            let came = wait_for_count(&engine, 1, expected.len());
            assert!(came == expected, "{what}: {:?}", engine.texts());
            for (i, (fits, call)) in calls.into_iter().enumerate() {
                if fits {
                    engine.send(&format!("43{i}[{i}]"));
                    assert_eq!(call.back(), Ok(format!("[{i}]")), "{what}");
                } else {
                    assert_eq!(call.back(), Err(Status::TooLarge), "{what}");
                }
            }
            assert_eq!(stat(&client, "dropped_sent"), dropped, "{what}");
            assert_eq!(stat(&client, "send_queued_bytes"), 0, "{what}");
            let lost = if dropped == 0 { Ok(()) } else { Err(Status::Disconnected) };
            assert_eq!(client.flush(PATIENT), lost, "{what}");
        }
    }
}

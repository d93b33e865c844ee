//! What happens when the program does not take what comes: pause, and the two ways of dropping.

#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use sio::error::Status;
use sio::session::State;

use crate::common::scripted::{Frame, Script, Scripted};
use crate::support::*;

/// What one queued event counts beside its bytes.
const OVERHEAD: u64 = 128;

/// Counts what a server could send.
#[derive(Clone, Default)]
struct Sent(Arc<AtomicU64>);

impl Sent {
    fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Events of 100 kB, numbered and counted.
    fn events(&self) -> impl Fn(u64) -> Frame + Send + 'static {
        let sent = self.clone();
        move |i| {
            sent.0.store(i, Ordering::Relaxed);
            Frame::text(format!(r#"42["e",{i},"{}"]"#, "x".repeat(100_000)))
        }
    }

    /// Waits until the server can send no more.
    fn wait_for_a_halt(&self) -> u64 {
        let mut seen = (self.count(), Instant::now());
        let deadline = Instant::now() + PATIENCE;
        while seen.1.elapsed() < ms(300) || seen.0 == 0 {
            assert!(Instant::now() < deadline, "the server is never stopped");
            std::thread::sleep(ms(10));
            if self.count() != seen.0 {
                seen = (self.count(), Instant::now());
            }
        }
        seen.0
    }
}

#[test]
fn a_pause_is_felt_by_the_server_and_loses_nothing() {
    let _loud = loud();
    let (sent, count) = (Sent::default(), 1_500);
    let script = Script::new().connected().read_aside().flood(count, sent.events());
    let script = script.text(r#"42["last"]"#).until_closed();
    let memory = Memory::begin();
    let (client, _server) = connected_with(&[("receive_limit", "1000000")], script);
    let halted = sent.wait_for_a_halt();
    assert!(halted < count - 100, "the server sent {halted} of {count} events");
    assert!(stat(&client, "receive_queued_bytes") < 1_200_000);
    assert!(memory.growth() < 16 << 20, "{}", memory.growth());
    for i in 0..count {
        let event = client.receive(PATIENT).unwrap_or_else(|status| panic!("{status:?}"));
        assert!(event.args().starts_with(&format!("[{i},")), "{i}: {:.50}", event.args());
    }
    assert_event(&client, "last", "[]");
    assert_eq!(stat(&client, "dropped_received"), 0);
    assert!(stat(&client, "receive_queued_bytes_max") < 1_200_000);
    assert_eq!(client.disconnect(PATIENT), Ok(()));
}

#[test]
fn one_event_may_exceed_the_limit() {
    let events = (0..20).map(|i| Frame::text(format!(r#"42["e",{i}]"#)));
    let script = Script::new().connected().frames(events).until_closed();
    let (client, _server) = connected_with(&[("receive_limit", "1")], script);
    wait_until("one waits", || stat(&client, "receive_queued") == 1);
    std::thread::sleep(ms(50));
    assert_eq!(stat(&client, "receive_queued"), 1);
    for i in 0..20 {
        assert_event(&client, "e", &format!("[{i}]"));
    }
}

#[test]
fn a_limit_that_would_stop_everything_for_ever_is_refused() {
    let server = Scripted::start(Script::new().connected().until_closed());
    let client = client_with(&[("receive_limit", "0")]);
    assert_eq!(client.connect(Some(&server.url()), PATIENT), Err(Status::Invalid));
    assert_says(&client, "receive_limit");
}

#[test]
fn while_paused_the_heartbeat_stands_still_and_goes_on_afterwards() {
    let _loud = loud();
    let (sent, count) = (Sent::default(), 1_200);
    let open = r#"{"sid":"a","upgrades":[],"pingInterval":100,"pingTimeout":100}"#;
    let script = Script::new().websocket().open_with(open).namespace().read_aside();
    let script = script.flood(count, sent.events()).until_closed();
    let (client, server) = connected_with(&[("receive_limit", "300000")], script);
    sent.wait_for_a_halt();
    std::thread::sleep(ms(600));
    assert_eq!(client.state(), State::Connected);
    for i in 0..count {
        let event = client.receive(PATIENT).unwrap_or_else(|s| panic!("{s:?} {}", client.error()));
        assert!(event.args().starts_with(&format!("[{i},")));
    }
    // Now that all is read, the server's silence counts.
    let since = Instant::now();
    assert_ended(&client, "200 ms");
    assert_elapsed(since, ms(0), ms(300));
    wait_for_end(&server);
    assert_usable(&client);
}

#[test]
fn an_end_behind_a_pause_is_told_after_what_came_before_it() {
    let events = (0..50).map(|i| Frame::text(format!(r#"42["e",{i}]"#)));
    let ends: [fn(Script) -> Script; 3] = [
        |script| script,
        |script| script.text("41").until_closed(),
        |script| script.text(r#"42[NaN]"#).until_closed(),
    ];
    for end in ends {
        let script = end(ready().frames(events.clone()));
        let (client, _server) = prompted_with(&[("receive_limit", "1")], script);
        std::thread::sleep(ms(50));
        for i in 0..50 {
            assert_event(&client, "e", &format!("[{i}]"));
        }
        assert_eq!(receive_fails(&client, PATIENT), Status::Disconnected);
        assert_usable(&client);
    }
}

#[test]
fn a_call_whose_time_ends_while_reading_is_paused_says_full() {
    let (client, server) = connected_with(
        &[("receive_limit", "1")],
        Script::new()
            .connected()
            .text(r#"42["e",1]"#)
            .text(r#"42["e",2]"#)
            .expect_text(r#"420["c"]"#)
            .text(r#"430["answer"]"#)
            .expect_text(r#"421["c"]"#)
            .text(r#"431["answer"]"#)
            .until_closed(),
    );
    wait_until("one waits", || stat(&client, "receive_queued") == 1);
    std::thread::sleep(ms(50));
    assert_eq!(call_fails(&client, "c", limit(150)), Status::Full);
    assert_says(&client, "receive what is waiting");
    assert_event(&client, "e", "[1]");
    assert_event(&client, "e", "[2]");
    wait_until("the answer is too late", || stat(&client, "late_acks") == 1);
    assert!(client.call("c", None, &[], PATIENT).is_ok());
    assert_eq!(client.disconnect(PATIENT), Ok(()));
    server.finish();
}

#[test]
fn a_call_is_answered_when_another_thread_makes_room() {
    let (client, _server) = connected_with(
        &[("receive_limit", "1")],
        Script::new()
            .connected()
            .text(r#"42["e",1]"#)
            .text(r#"42["e",2]"#)
            .expect_text(r#"420["c"]"#)
            .text(r#"430["answer"]"#)
            .until_closed(),
    );
    let calling = block(&client, |client| client.call("c", None, &[], PATIENT).map(drop));
    assert_event(&client, "e", "[1]");
    assert_event(&client, "e", "[2]");
    assert_eq!(calling.back(), Ok(()));
}

#[test]
fn drop_newest_keeps_the_oldest_and_drop_oldest_the_newest() {
    let size = OVERHEAD + r#"e"#.len() as u64 + "[10]".len() as u64 + 2;
    // Full is reached with the tenth.
    let limit = (9 * size + 1).to_string();
    for (overflow, kept) in [("drop_newest", 10..20), ("drop_oldest", 90..100)] {
        let options = [("receive_limit", limit.as_str()), ("receive_overflow", overflow)];
        let script = Script::new().connected();
        let script = script.frames((10..100).map(|i| Frame::text(format!(r#"42["e",{i}]"#))));
        let script = script.expect_text("420[\"c\"]").text("430[]").until_closed();
        let (client, _server) = connected_with(&options, script);
        // The answer is taken although the queue is full, and shows that all has come.
        assert!(client.call("c", None, &[], PATIENT).is_ok());
        assert_eq!(stat(&client, "receive_queued"), 10, "{overflow}");
        assert_eq!(stat(&client, "dropped_received"), 80, "{overflow}");
        for i in kept {
            assert_event(&client, "e", &format!("[{i}]"));
        }
        assert_eq!(receive_fails(&client, AT_ONCE), Status::Timeout);
    }
}

#[test]
fn what_is_dropped_is_not_answered() {
    for (overflow, answered) in [("drop_newest", "430[]"), ("drop_oldest", "434[]")] {
        let options = [("receive_limit", "1"), ("receive_overflow", overflow)];
        let script = Script::new().connected();
        let script = script.frames((0..5).map(|id| Frame::text(format!(r#"42{id}["q"]"#))));
        let script = script.expect_text("420[\"c\"]").text("430[]").until_closed();
        let (client, server) = connected_with(&options, script);
        assert!(client.call("c", None, &[], PATIENT).is_ok());
        assert_event(&client, "q", "[]");
        assert_eq!(client.disconnect(PATIENT), Ok(()));
        assert_eq!(server.finish().texts(), ["40", "420[\"c\"]", answered, "41"]);
        assert_eq!(stat(&client, "dropped_received"), 4);
    }
}

#[test]
fn a_program_that_only_sends_keeps_no_events() {
    let options = [("receive_limit", "0"), ("receive_overflow", "drop_newest")];
    let script = Script::new()
        .connected()
        .frames((0..100).map(|i| Frame::text(format!(r#"42["e",{i}]"#))))
        .text(r#"451-["b"]"#)
        .binary("x")
        .expect_text("420[\"c\"]")
        .text("461-0[]")
        .binary("y")
        .until_closed();
    let (client, _server) = connected_with(&options, script);
    let reply = client.call("c", None, &[], PATIENT).unwrap_or_else(|status| panic!("{status:?}"));
    assert_eq!(reply.buffer(0), Some(&b"y"[..]));
    assert_eq!(stat(&client, "dropped_received"), 101);
    assert_eq!(receive_fails(&client, AT_ONCE), Status::Timeout);
    assert_eq!(client.disconnect(PATIENT), Ok(()));
}

#[test]
fn dropping_never_stops_the_server() {
    let _loud = loud();
    for overflow in ["drop_newest", "drop_oldest"] {
        let (sent, count) = (Sent::default(), 1_000);
        let script = Script::new().connected().read_aside().flood(count, sent.events());
        let script = script.text("2").then("wait for the pong", |peer| {
            while peer.next_data()?.text().as_deref() != Some("3") {}
            Ok(())
        });
        let options = [("receive_limit", "1000000"), ("receive_overflow", overflow)];
        let memory = Memory::begin();
        let (client, server) = connected_with(&options, script.until_closed());
        server.wait_for(PATIENCE, |record| record.texts().contains(&"3".to_owned()));
        assert_eq!(stat(&client, "dropped_received") + stat(&client, "receive_queued"), count);
        assert!(memory.growth() < 16 << 20, "{}", memory.growth());
        assert_eq!(client.disconnect(PATIENT), Ok(()));
    }
}

#[test]
fn while_answers_pile_up_no_input_is_read() {
    let _loud = loud();
    // Each event is answered with 100 kB, which the server does not read.
    let answer = format!("[\"{}\"]", "x".repeat(100_000));
    let (sent, count) = (Sent::default(), 3_000);
    let counter = sent.clone();
    let server = Scripted::start_with(
        crate::common::scripted::Listen { receive_buffer: Some(4096), ..Default::default() },
        [Script::new()
            .connected()
            .then("ask", move |peer| {
                for i in 0..count {
                    peer.text(&format!(r#"42{i}["q","{}"]"#, "y".repeat(50_000)))?;
                    counter.0.store(i + 1, Ordering::Relaxed);
                    if i == 0 {
                        peer.pause(Duration::from_millis(1))?;
                    }
                }
                Ok(())
            })
            .until_closed()],
    );
    let client = client_with(&[("send_limit", "1000000")]);
    connect(&client, &server);
    let memory = Memory::begin();
    let mut answered = 0;
    while let Ok(event) = client.receive(limit(500)) {
        assert_eq!(event.ack(Some(&answer), &[]), Ok(()), "an answer is never refused for room");
        answered += 1;
    }
    // What was in the queue already can still be answered.
    assert!(answered < 300, "{answered} answers wait");
    assert!(sent.count() < count, "the server could send all");
    assert!(memory.growth() < 64 << 20, "{} MiB for {answered}", memory.growth() >> 20);
    assert_eq!(client.state(), State::Connected);
    assert_eq!(call_fails(&client, "c", limit(50)), Status::Full);
}

#[test]
fn when_the_answers_have_gone_input_is_read_again() {
    let _loud = loud();
    let answer = format!("[\"{}\"]", "x".repeat(100_000));
    let server = Scripted::start_with(
        crate::common::scripted::Listen { receive_buffer: Some(4096), ..Default::default() },
        [Script::new()
            .connected()
            .frames((0..100).map(|id| Frame::text(format!(r#"42{id}["q"]"#))))
            .until_told()
            .text(r#"42["more"]"#)
            .until_told()
            .read_aside()
            .until_told()],
    );
    let client = client_with(&[("send_limit", "1000000")]);
    connect(&client, &server);
    let mut answered = 0;
    while let Ok(event) = client.receive(limit(300)) {
        assert_eq!(event.ack(Some(&answer), &[]), Ok(()));
        answered += 1;
    }
    assert_eq!(answered, 100);
    server.tell();
    assert_eq!(receive_fails(&client, limit(200)), Status::Timeout);
    let receiving =
        block(&client, |client| client.receive(PATIENT).map(|event| event.name().to_owned()));
    server.tell();
    assert_eq!(receiving.back(), Ok("more".to_owned()));
    let all = |record: &crate::common::scripted::Record| record.frames.len() > 100;
    let texts = server.wait_for(PATIENCE, all).texts();
    let ids = texts[1..=100].iter().map(|text| text.split('[').next().unwrap().to_owned());
    assert!(ids.eq((0..100).map(|id| format!("43{id}"))));
}

//! Floods: what a server sends without end, while we cannot answer or the program does nothing.

#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use sio::client::Client;
use sio::error::Status;
use sio::session::State;

use crate::common::scripted::{Frame, Listen, Script, Scripted, opcode};
use crate::support::*;

const MIB: usize = 1 << 20;

/// A server that takes little unread.
fn narrow(script: Script) -> Scripted {
    let listen = Listen { receive_buffer: Some(4096), ..Listen::default() };
    Scripted::start_with(listen, [script])
}

/// Pings that are answered while the server reads nothing: one answer of each kind waits, beside
/// what is on its way to the socket.
fn pings_that_nobody_reads(ping: fn(u64) -> Frame, is_last: fn(&[u8], u64) -> bool, code: u8) {
    let _loud = loud();
    let count = 200_000;
    let server = narrow(
        Script::new()
            .connected()
            .flood(count, ping)
            .text(r#"42["flooded"]"#)
            .until_told()
            .read_aside()
            .until_told(),
    );
    let client = client();
    let memory = Memory::begin();
    connect(&client, &server);
    assert_event(&client, "flooded", "[]");
    assert!(memory.growth() < 24 * MIB, "{} MiB", memory.growth() / MIB);
    server.tell();
    let record = server.wait_for(PATIENCE, |record| {
        let last = record.frames.iter().rev().find(|frame| frame.opcode == code);
        last.is_some_and(|frame| is_last(&frame.payload, count - 1))
    });
    let pongs = record.frames.iter().filter(|frame| frame.opcode == code).count();
    assert!(pongs < count as usize / 2, "{pongs} pongs were kept for {count} pings");
    assert_eq!(client.state(), State::Connected);
    server.tell();
}

#[test]
fn engine_io_pings_that_nobody_reads() {
    let ping = |i: u64| Frame::text(format!("2{i:0100}"));
    let is_last = |payload: &[u8], i: u64| payload == format!("3{i:0100}").as_bytes();
    pings_that_nobody_reads(ping, is_last, opcode::TEXT);
}

#[test]
fn websocket_pings_that_nobody_reads() {
    let ping = |i: u64| Frame::ping(format!("{i:0100}"));
    let is_last = |payload: &[u8], i: u64| payload == format!("{i:0100}").as_bytes();
    pings_that_nobody_reads(ping, is_last, opcode::PONG);
}

/// Frames without end that are no events, while the program waits.
fn of_no_use(frame: fn(u64) -> Frame) {
    let _loud = loud();
    let script = Script::new().connected().read_aside().flood(300_000, frame);
    let (client, _server) = connected(script.text(r#"42["flooded"]"#).until_closed());
    let memory = Memory::begin();
    assert_event(&client, "flooded", "[]");
    assert!(memory.growth() < 16 * MIB, "{} MiB", memory.growth() / MIB);
    assert_eq!(client.disconnect(PATIENT), Ok(()));
}

#[test]
fn noops_and_pongs_and_foreign_packets_and_late_answers() {
    of_no_use(|i| match i % 6 {
        0 => Frame::text("6"),
        1 => Frame::text("3"),
        2 => Frame::pong("unasked"),
        3 => Frame::text(r#"42/other,["x",1]"#),
        4 => Frame::text(format!("43{i}[]")),
        _ => Frame::text("5"),
    });
}

#[test]
fn fragments_and_attachments_without_content() {
    let _loud = loud();
    let empty = |_| Frame::new(opcode::CONTINUATION, "").not_final();
    let script = Script::new().connected().frame(Frame::text("").not_final());
    let script = script.flood(300_000, empty).frame(Frame::new(0, r#"42["a"]"#));
    let script = script.text("451048576-[\"b\"]").flood(1_048_576, |_| Frame::binary(""));
    let script = script.text(r#"42["flooded"]"#).until_closed();
    let memory = Memory::begin();
    let (client, _server) = connected_with(&[("max_attachments", "1048576")], script);
    assert_event(&client, "a", "[]");
    let message = client.receive(PATIENT).unwrap_or_else(|status| panic!("{status:?}"));
    assert_eq!(message.buffer_count(), 1_048_576);
    assert_event(&client, "flooded", "[]");
    assert!(memory.growth() < 128 * MIB, "{} MiB", memory.growth() / MIB);
}

/// While the server floods, each of these returns as if it did not.
fn while_flooded(action: fn(&Arc<Client>)) {
    let _loud = loud();
    let frame = |_| Frame::text(format!(r#"42["flood","{}"]"#, "x".repeat(10_000)));
    let script = Script::new().connected().read_aside().flood_until_closed(frame).until_closed();
    let (client, server) = connected_with(&[("receive_limit", "1000000")], script);
    wait_until("the queue is full", || stat(&client, "receive_queued_bytes") >= 1_000_000);
    action(&client);
    wait_for_end(&server);
}

#[test]
fn a_flood_does_not_keep_from_emitting_calling_and_leaving() {
    while_flooded(|client| {
        within(WAKE, || assert_eq!(client.emit("a", None, &[], PATIENT), Ok(())));
        within(WAKE, || assert_eq!(client.flush(PATIENT), Ok(())));
        assert_eq!(call_fails(client, "c", limit(100)), Status::Full);
        assert_eq!(client.disconnect(PATIENT), Ok(()), "{}", client.error());
    });
}

#[test]
fn a_flood_does_not_keep_from_freeing() {
    while_flooded(|client| {
        let receiving = start(client, |client| while client.receive(PATIENT).is_ok() {});
        std::thread::sleep(ms(50));
        let since = Instant::now();
        within(END, || client.close());
        receiving.back_within(since, END);
    });
}

#[test]
fn a_flood_while_connecting_is_bounded_too() {
    let _loud = loud();
    let sent = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&sent);
    let server = Scripted::start(
        Script::new()
            .websocket()
            .open()
            .expect_text("40")
            .flood(5_000, move |i| {
                counter.store(i + 1, Ordering::Relaxed);
                Frame::text(format!(r#"42["flood",{i},"{}"]"#, "x".repeat(10_000)))
            })
            .text(r#"40{"sid":"b"}"#)
            .text(r#"42["last"]"#)
            .until_closed(),
    );
    let client = client_with(&[("receive_limit", "1000000")]);
    let memory = Memory::begin();
    connect(&client, &server);
    assert_eq!(sent.load(Ordering::Relaxed), 5_000);
    assert!(memory.growth() < 16 * MIB, "{} MiB", memory.growth() / MIB);
    // What came first is kept as far as there is room, the rest is counted.
    let mut kept = 0;
    loop {
        let event = client.receive(PATIENT).unwrap_or_else(|status| panic!("{status:?}"));
        if event.name() == "last" {
            break;
        }
        assert!(event.args().starts_with(&format!("[{kept},")));
        kept += 1;
    }
    assert!((90..110).contains(&kept), "{kept} events in a megabyte");
    assert_eq!(stat(&client, "dropped_received"), 5_000 - kept);
}

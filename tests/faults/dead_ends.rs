//! Connections that end while they are being made.

#![forbid(unsafe_code)]

use sio::error::Status;

use crate::common::scripted::{Frame, Script, Scripted};
use crate::support::*;

/// How far an attempt comes, what connect says if it ends there in order, and in which phase.
type Stage = (&'static str, fn() -> Script, Status, &'static str);

fn stages() -> [Stage; 6] {
    fn greeting() -> Vec<u8> {
        Frame::text(r#"0{"sid":"a","upgrades":[],"pingInterval":25000,"pingTimeout":20000}"#)
            .encode()
    }
    [
        ("at the request", || Script::new().request(), Status::Protocol, "handshake"),
        (
            "within the head",
            || Script::new().request().raw("HTTP/1.1 101 Switching Pro"),
            Status::Protocol,
            "handshake",
        ),
        ("behind the head", || Script::new().websocket(), Status::Disconnected, "handshake"),
        (
            "within the frame of OPEN",
            || Script::new().websocket().raw(&greeting()[..20]),
            Status::Disconnected,
            "handshake",
        ),
        (
            "at CONNECT",
            || Script::new().websocket().open().expect_text("40"),
            Status::Disconnected,
            "namespace",
        ),
        (
            "within the frame of the acknowledgement",
            || {
                let frame = Frame::text(r#"40{"sid":"b"}"#).encode();
                Script::new().websocket().open().expect_text("40").raw(&frame[..7])
            },
            Status::Disconnected,
            "namespace",
        ),
    ]
}

#[test]
fn the_end_of_the_stream_at_each_stage() {
    let _quiet = quiet();
    for (at, script, status, phase) in stages() {
        for script in [script(), script().shutdown_write().until_closed()] {
            let server = Scripted::start(script);
            let client = client();
            let outcome = within(ms(500), || client.connect(Some(&server.url()), PATIENT));
            assert_eq!(outcome, Err(status), "{at}: {}", client.error());
            assert_eq!(failure(&client)["phase"], phase, "{at}");
            assert_says(&client, "closed");
            assert_usable(&client);
        }
    }
}

#[test]
fn a_reset_at_each_stage() {
    let _quiet = quiet();
    for (at, script, status, phase) in stages() {
        // Before the WebSocket is open nothing was broken but the network.
        let status = if status == Status::Protocol { Status::Unreachable } else { status };
        let server = Scripted::start(script().reset());
        let client = client();
        let outcome = within(ms(500), || client.connect(Some(&server.url()), PATIENT));
        assert_eq!(outcome, Err(status), "{at}: {}", client.error());
        let failure = failure(&client);
        assert_eq!(failure["phase"], phase, "{at}");
        assert_eq!(failure["os_error"], libc::ECONNRESET, "{at}");
        assert_usable(&client);
    }
}

#[test]
fn a_close_frame_at_each_stage() {
    let stages = [
        (Script::new().websocket(), "handshake"),
        (Script::new().websocket().open(), "namespace"),
        (Script::new().websocket().open().expect_text("40"), "namespace"),
    ];
    for (script, phase) in stages {
        let server = Scripted::start(script.frame(Frame::close(1008, "not you")).until_closed());
        let client = client();
        let outcome = client.connect(Some(&server.url()), PATIENT);
        assert_eq!(outcome, Err(Status::Disconnected));
        let failure = failure(&client);
        assert_eq!((&failure["phase"], &failure["close_code"]), (&phase.into(), &1008.into()));
        assert_says(&client, "not you");
        assert_usable(&client);
        assert_eq!(server.finish().close_code(), Some(1008));
    }
}

#[test]
fn an_engine_io_close_before_the_namespace() {
    for script in [Script::new().websocket(), Script::new().websocket().open()] {
        let server = Scripted::start(script.text("1").until_closed());
        let client = client();
        assert_eq!(client.connect(Some(&server.url()), PATIENT), Err(Status::Disconnected));
        assert_says(&client, "closed the Engine.IO session");
        assert_usable(&client);
        server.finish();
    }
}

#[test]
fn a_server_that_falls_silent_after_its_handshake_is_dead_after_its_own_heartbeat() {
    let _quiet = quiet();
    let open = r#"{"sid":"a","upgrades":[],"pingInterval":150,"pingTimeout":150}"#;
    let server = Scripted::start(Script::new().websocket().open_with(open).until_closed());
    let client = client();
    let begun = std::time::Instant::now();
    assert_eq!(client.connect(Some(&server.url()), PATIENT), Err(Status::Disconnected));
    assert_elapsed(begun, ms(300), ms(300) + WAKE);
    assert_eq!(failure(&client)["phase"], "namespace");
    assert_says(&client, "300 ms");
    assert_usable(&client);
}

#[test]
fn a_receive_that_waits_for_a_connect_ends_with_it() {
    let _quiet = quiet();
    let server = Scripted::start(Script::new().websocket().until_told());
    let client = client();
    let receiving = block(&client, |client| receive_fails(client, PATIENT));
    let url = server.url();
    let connecting = block(&client, move |client| client.connect(Some(&url), PATIENT));
    let since = std::time::Instant::now();
    server.tell();
    assert_eq!(receiving.back_within(since, WAKE), Status::Disconnected);
    assert_eq!(connecting.back_within(since, WAKE), Err(Status::Disconnected));
    assert_usable(&client);
}

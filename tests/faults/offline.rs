//! Sending while the connection is being made: the option "offline" and its three words.

#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::Instant;

use sio::client::Client;
use sio::error::Status;
use sio::session::State;

use crate::common::scripted::{Script, Scripted};
use crate::support::*;

/// A client that is connecting to a server which acknowledges the namespace when it is told to.
fn connecting(options: &[(&str, &str)]) -> (Arc<Client>, Scripted, Running<Result<(), Status>>) {
    connecting_to(options, Script::new().websocket().open().until_told().namespace().until_closed())
}

fn connecting_to(
    options: &[(&str, &str)],
    script: Script,
) -> (Arc<Client>, Scripted, Running<Result<(), Status>>) {
    let (client, server) = (client_with(options), Scripted::start(script));
    let url = server.url();
    let connecting = block(&client, move |client| client.connect(Some(&url), PATIENT));
    assert_eq!(client.state(), State::Connecting);
    (client, server, connecting)
}

const BUFFER: &[(&str, &str)] = &[("offline", "buffer")];

#[test]
fn before_the_first_connect_nothing_can_be_sent() {
    for word in ["wait", "buffer", "fail"] {
        let client = client_with(&[("offline", word)]);
        within(WAKE, || {
            assert_eq!(client.emit("a", None, &[], PATIENT), Err(Status::Disconnected));
            assert_says(&client, "connect first");
            assert_eq!(call_fails(&client, "a", PATIENT), Status::Disconnected);
            assert_eq!(client.flush(PATIENT), Err(Status::Disconnected));
            assert_eq!(client.disconnect(PATIENT), Ok(()));
            assert_eq!(receive_fails(&client, AT_ONCE), Status::Timeout);
        });
    }
}

#[test]
fn wait_waits_for_the_connection_and_keeps_the_order() {
    let (client, server, connecting) = connecting(&[]);
    assert_eq!(client.emit("none", None, &[], AT_ONCE), Err(Status::Timeout));
    let since = Instant::now();
    assert_eq!(client.emit("none", None, &[], limit(150)), Err(Status::Timeout));
    assert_elapsed(since, ms(150), ms(200));
    assert_eq!(call_fails(&client, "none", limit(50)), Status::Timeout);
    let emitting: Vec<_> = ["1", "2", "3"]
        .map(|name| block(&client, move |client| client.emit(name, None, &[], PATIENT)))
        .into();
    let calling = block(&client, |client| call_fails(client, "4", PATIENT));
    let flushing = block(&client, |client| client.flush(PATIENT));
    assert_eq!(server.record().texts(), [""; 0]);
    server.tell();
    assert_eq!(connecting.back(), Ok(()));
    for emitting in emitting {
        assert_eq!(emitting.back(), Ok(()));
    }
    assert_eq!(flushing.back(), Ok(()));
    wait_until("the call waits", || stat(&client, "calls_waiting") == 1);
    assert_eq!(client.disconnect(PATIENT), Ok(()));
    assert_eq!(calling.back(), Status::Disconnected);
    let texts = server.finish().texts();
    assert_eq!(texts, ["40", "42[\"1\"]", "42[\"2\"]", "42[\"3\"]", "420[\"4\"]", "41"]);
}

#[test]
fn fail_fails_at_once() {
    let (client, server, connecting) = connecting(&[("offline", "fail")]);
    within(WAKE, || {
        assert_eq!(client.emit("a", None, &[], PATIENT), Err(Status::Disconnected));
        assert_says(&client, "still connecting");
        assert_eq!(call_fails(&client, "a", PATIENT), Status::Disconnected);
    });
    server.tell();
    assert_eq!(connecting.back(), Ok(()));
    assert_eq!(client.emit("b", None, &[], PATIENT), Ok(()));
    assert_eq!(client.disconnect(PATIENT), Ok(()));
    assert_eq!(server.finish().texts(), ["40", "42[\"b\"]", "41"]);
}

#[test]
fn buffer_sends_nothing_before_the_acknowledgement_and_then_in_order() {
    let (client, server, connecting) = connecting(BUFFER);
    let mut expected = vec!["40".to_owned()];
    for i in 0..20 {
        assert_eq!(client.emit("e", Some(&format!("[{i}]")), &[], AT_ONCE), Ok(()));
        expected.push(format!("42[\"e\",{i}]"));
    }
    let args = r#"[{"_placeholder":true,"num":0}]"#;
    assert_eq!(client.emit("b", Some(args), &[b"bytes"], AT_ONCE), Ok(()));
    expected.push(r#"451-["b",{"_placeholder":true,"num":0}]"#.to_owned());
    let calling = block(&client, |client| call_fails(client, "c", PATIENT));
    expected.push("420[\"c\"]".to_owned());
    let flushing = block(&client, |client| client.flush(PATIENT));
    assert_eq!(client.flush(AT_ONCE), Err(Status::Timeout));
    assert_eq!(stat(&client, "send_queued"), 22);
    std::thread::sleep(ms(50));
    assert_eq!(server.record().frames, []);
    server.tell();
    assert_eq!(connecting.back(), Ok(()));
    assert_eq!(client.emit("behind", None, &[], PATIENT), Ok(()));
    expected.push("42[\"behind\"]".to_owned());
    assert_eq!(flushing.back(), Ok(()));
    assert_eq!(client.disconnect(PATIENT), Ok(()));
    assert_eq!(calling.back(), Status::Disconnected);
    expected.push("41".to_owned());
    let record = server.finish();
    assert_eq!(record.texts(), expected);
    assert_eq!(record.frames.iter().find_map(|frame| frame.binary()), Some(&b"bytes"[..]));
}

#[test]
fn only_connect_goes_out_before_the_acknowledgement() {
    // The server has read what came by the time that it acknowledges.
    let script = Script::new().websocket().open().read_aside().until_told();
    let script = script.text(r#"40{"sid":"s"}"#).until_closed();
    let (client, server, connecting) = connecting_to(BUFFER, script);
    for _ in 0..10 {
        assert_eq!(client.emit("e", None, &[], AT_ONCE), Ok(()));
        std::thread::sleep(ms(5));
    }
    std::thread::sleep(ms(50));
    assert_eq!(server.record().texts(), ["40"]);
    server.tell();
    assert_eq!(connecting.back(), Ok(()));
    assert_eq!(client.disconnect(PATIENT), Ok(()));
    assert_eq!(server.finish().texts().len(), 12);
}

#[test]
fn a_buffered_call_whose_time_ends_is_never_sent() {
    let (client, server, connecting) = connecting(BUFFER);
    assert_eq!(client.emit("a", None, &[], AT_ONCE), Ok(()));
    assert_eq!(call_fails(&client, "c", limit(50)), Status::Timeout);
    let interrupted = block(&client, |client| call_fails(client, "d", PATIENT));
    assert_eq!(client.emit("b", None, &[], AT_ONCE), Ok(()));
    // The connect is interrupted with it, so it is not the one of this test.
    assert_eq!(stat(&client, "send_queued"), 3);
    server.tell();
    assert_eq!(connecting.back(), Ok(()));
    assert_eq!(client.flush(PATIENT), Ok(()));
    client.interrupt();
    assert_eq!(interrupted.back(), Status::Interrupted);
    assert_eq!(client.disconnect(PATIENT), Ok(()));
    assert_eq!(server.finish().texts(), ["40", "42[\"a\"]", "421[\"d\"]", "42[\"b\"]", "41"]);
}

#[test]
fn the_buffer_is_bounded() {
    let options = [("offline", "buffer"), ("send_limit", "100000")];
    let (client, server, connecting) = connecting(&options);
    let args = format!("[\"{}\"]", "x".repeat(9_000));
    let count = (0..).take_while(|_| client.emit("e", Some(&args), &[], AT_ONCE).is_ok()).count();
    assert_eq!(count, 10);
    let emitting = block(&client, move |client| client.emit("f", Some(&args), &[], PATIENT));
    server.tell();
    assert_eq!(connecting.back(), Ok(()));
    assert_eq!(emitting.back(), Ok(()));
    assert_eq!(client.disconnect(PATIENT), Ok(()));
    assert_eq!(server.finish().texts().len(), 1 + 11 + 1);
}

#[test]
fn what_was_buffered_for_a_connection_that_fails_is_counted_and_its_calls_end() {
    let script = Script::new().websocket().open().expect_text("40").until_told().text("44");
    let (client, server, connecting) = connecting_to(BUFFER, script.until_closed());
    for _ in 0..3 {
        assert_eq!(client.emit("e", None, &[], AT_ONCE), Ok(()));
    }
    let calling = block(&client, |client| (call_fails(client, "c", PATIENT), failure(client)));
    let flushing = block(&client, |client| client.flush(PATIENT));
    server.tell();
    assert_eq!(connecting.back(), Err(Status::Refused));
    let (status, failure) = calling.back();
    assert_eq!(status, Status::Disconnected);
    // The failure of the client may already be that of the connect.
    assert!(failure["sent"] == false || failure["name"] == "SIO_E_REFUSED", "{failure}");
    assert_eq!(flushing.back(), Err(Status::Disconnected));
    assert_eq!(stat(&client, "dropped_sent"), 4);
    assert_eq!(stat(&client, "send_queued"), 0);
    assert_eq!(server.finish().texts(), ["40"]);
    assert_usable(&client);
}

#[test]
fn what_was_buffered_is_given_up_when_the_program_disconnects() {
    let (client, _server, connecting) = connecting(BUFFER);
    assert_eq!(client.emit("e", None, &[], AT_ONCE), Ok(()));
    assert_eq!(client.disconnect(PATIENT), Ok(()));
    assert_eq!(connecting.back(), Err(Status::Disconnected));
    assert_eq!(stat(&client, "dropped_sent"), 1);
    assert_usable(&client);
}

#[test]
fn what_was_buffered_and_turns_out_too_large_is_dropped_and_counted() {
    let open = r#"{"sid":"a","pingInterval":25000,"pingTimeout":20000,"maxPayload":100}"#;
    let script = Script::new().websocket().until_told().open_with(open).namespace();
    let (client, server, connecting) = connecting_to(BUFFER, script.until_closed());
    let large = format!("[\"{}\"]", "x".repeat(200));
    assert_eq!(client.emit("1", None, &[], AT_ONCE), Ok(()));
    assert_eq!(client.emit("large", Some(&large), &[], AT_ONCE), Ok(()));
    let calling =
        block(&client, move |client| client.call("large", Some(&large), &[], PATIENT).map(drop));
    assert_eq!(client.emit("2", None, &[], AT_ONCE), Ok(()));
    server.tell();
    assert_eq!(connecting.back(), Ok(()));
    assert_eq!(calling.back(), Err(Status::TooLarge));
    assert_says(&client, "maxPayload");
    assert_eq!(client.disconnect(PATIENT), Ok(()));
    assert_eq!(stat(&client, "dropped_sent"), 2);
    assert_eq!(server.finish().texts(), ["40", "42[\"1\"]", "42[\"2\"]", "41"]);
}

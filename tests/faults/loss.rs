//! What becomes of what was to be sent when the connection is lost.

#![forbid(unsafe_code)]

use std::time::Instant;

use sio::error::Status;

use crate::common::scripted::{Listen, Script, Scripted};
use crate::sending::fill;
use crate::support::*;

#[test]
fn a_call_that_had_gone_out_says_sent() {
    let ends: [fn(Script) -> Script; 4] = [
        |script| script,
        |script| script.reset(),
        |script| script.text("41").until_closed(),
        |script| script.text("1").until_closed(),
    ];
    for end in ends {
        let script = Script::new().connected().expect_text("420[\"c\"]");
        let (client, _server) = connected(end(script));
        assert_eq!(call_fails(&client, "c", PATIENT), Status::Disconnected);
        let failure = failure(&client);
        assert_eq!(failure["sent"], true, "{failure}");
        assert_eq!(failure["phase"], "session");
        assert_usable(&client);
    }
}

/// A server that reads nothing and resets the connection when it is told to.
fn deaf_then_reset() -> Scripted {
    let listen = Listen { receive_buffer: Some(4096), ..Listen::default() };
    Scripted::start_with(listen, [Script::new().connected().until_told().reset()])
}

#[test]
fn calls_that_had_not_gone_out_say_so_and_all_that_was_lost_is_counted() {
    let _loud = loud();
    for limit in ["500000", "8000000"] {
        let (client, server) = (client_with(&[("send_limit", limit)]), deaf_then_reset());
        connect(&client, &server);
        fill(&client);
        // There is room for small packets still; with the larger limit it is not framed yet.
        let calls: Vec<_> = (0..3)
            .map(|_| {
                start(&client, |client| {
                    // The failure of the client may be another call's: all of these are alike.
                    (call_fails(client, "c", PATIENT), failure(client))
                })
            })
            .collect();
        wait_until("the calls wait", || stat(&client, "calls_waiting") == 3);
        let (queued, dropped) = (stat(&client, "send_queued"), stat(&client, "dropped_sent"));
        assert!(queued > 3);
        let since = Instant::now();
        server.tell();
        for call in calls {
            let (status, failure) = call.back_within(since, WAKE);
            assert_eq!((status, &failure["sent"]), (Status::Disconnected, &false.into()));
        }
        assert_eq!(stat(&client, "dropped_sent") - dropped, queued);
        assert_eq!(stat(&client, "send_queued"), 0);
        assert_eq!(stat(&client, "send_queued_bytes"), 0);
        assert_usable(&client);
    }
}

#[test]
fn flush_tells_of_a_loss_once() {
    let _loud = loud();
    for asks_before_the_next_connect in [true, false] {
        let (client, server) = (client_with(&[("send_limit", "500000")]), deaf_then_reset());
        connect(&client, &server);
        fill(&client);
        let flushing = block(&client, |client| client.flush(PATIENT));
        let since = Instant::now();
        server.tell();
        assert_eq!(flushing.back_within(since, WAKE), Err(Status::Disconnected));
        if asks_before_the_next_connect {
            assert_eq!(client.flush(PATIENT), Err(Status::Disconnected));
        }
        let next = Scripted::start(Script::new().connected().until_closed());
        connect(&client, &next);
        assert_eq!(client.flush(PATIENT), Ok(()), "it was told already");
        assert_eq!(client.disconnect(PATIENT), Ok(()));
    }
}

#[test]
fn flush_tells_of_a_loss_that_nobody_was_told_of() {
    let _loud = loud();
    let (client, server) = (client_with(&[("send_limit", "500000")]), deaf_then_reset());
    connect(&client, &server);
    fill(&client);
    server.tell();
    assert_eq!(receive_fails(&client, PATIENT), Status::Disconnected);
    let next = Scripted::start(Script::new().connected().until_closed());
    connect(&client, &next);
    assert_eq!(client.flush(PATIENT), Err(Status::Disconnected));
    assert_says(&client, "lost");
    assert_eq!(client.flush(PATIENT), Ok(()));
    assert_eq!(client.disconnect(PATIENT), Ok(()));
}

#[test]
fn without_a_loss_flush_has_nothing_to_tell() {
    let (client, server) = connected(Script::new().connected().read(1).until_told().text("41"));
    assert_eq!(client.emit("a", None, &[], PATIENT), Ok(()));
    assert_eq!(client.flush(PATIENT), Ok(()));
    server.tell();
    assert_eq!(receive_fails(&client, PATIENT), Status::Disconnected);
    let next = Scripted::start(Script::new().connected().until_closed());
    connect(&client, &next);
    assert_eq!(client.flush(PATIENT), Ok(()));
    assert_eq!(client.disconnect(PATIENT), Ok(()));
}

#[test]
fn what_has_gone_out_is_not_told_to_be_lost_however_fast_the_server_is() {
    let _loud = loud();
    let script = || Script::new().connected().read(1).text("41");
    let server = Scripted::start_with(Listen::default(), (0..1000).map(|_| script()));
    let client = client();
    for _ in 0..1000 {
        connect(&client, &server);
        assert_eq!(client.emit("a", None, &[], PATIENT), Ok(()));
        assert_eq!(receive_fails(&client, PATIENT), Status::Disconnected);
    }
    assert_eq!(stat(&client, "dropped_sent"), 0);
}

#[test]
fn nothing_of_a_lost_connection_is_sent_by_the_next() {
    let _loud = loud();
    let (client, server) = (client_with(&[("send_limit", "3000000")]), deaf_then_reset());
    connect(&client, &server);
    fill(&client);
    server.tell();
    assert_eq!(receive_fails(&client, PATIENT), Status::Disconnected);
    let next = Scripted::start(Script::new().connected().expect_text("42[\"new\"]").until_closed());
    connect(&client, &next);
    assert_eq!(client.emit("new", None, &[], PATIENT), Ok(()));
    assert_eq!(client.disconnect(PATIENT), Ok(()));
    assert_eq!(next.finish().texts(), ["40", "42[\"new\"]", "41"]);
}

#[test]
fn giving_up_amid_a_write_leaves_nothing_behind() {
    let _loud = loud();
    let client = client_with(&[("send_limit", "1000000000"), ("enforce_max_payload", "0")]);
    for round in 0..60 {
        let server = Scripted::start(Script::new().connected().read_aside().until_told());
        connect(&client, &server);
        let args = format!("[\"{}\"]", "x".repeat(1_000_000));
        for _ in 0..8 {
            assert_eq!(client.emit("e", Some(&args), &[], PATIENT), Ok(()));
        }
        std::thread::sleep(std::time::Duration::from_micros(round * 70));
        // Whether that was all of it is not the matter here.
        let _ = client.disconnect(AT_ONCE);
        assert_eq!(stat(&client, "send_queued_bytes"), 0);
    }
    assert_usable(&client);
}

#[test]
fn after_the_end_everything_says_why() {
    let (client, _server) = prompted(ready().text(r#"41{"message":"closing time"}"#));
    assert_ended(&client, "closing time");
    assert_eq!(client.emit("a", None, &[], PATIENT), Err(Status::Disconnected));
    assert_says(&client, "closing time");
    assert_eq!(client.emit("a", None, &[], AT_ONCE), Err(Status::Disconnected));
    assert_eq!(call_fails(&client, "a", PATIENT), Status::Disconnected);
    assert_says(&client, "closing time");
    assert_eq!(call_fails(&client, "a", AT_ONCE), Status::Disconnected);
    assert_eq!(client.flush(PATIENT), Err(Status::Disconnected));
    assert_says(&client, "closing time");
    assert_eq!(client.disconnect(PATIENT), Ok(()));
    assert_eq!((client.sid(), client.transport()), (String::new(), ""));
    assert_eq!(receive_fails(&client, AT_ONCE), Status::Disconnected);
    assert_usable(&client);
}

#[test]
fn unread_events_are_dropped_when_the_next_connect_begins() {
    let script = ready().text(r#"42["old",1]"#).text(r#"42["old",2]"#);
    let (client, server) = prompted(script.text(r#"42["old",3]"#).text("41").until_closed());
    server.finish();
    wait_until("it has ended", || client.state() == sio::session::State::Closed);
    assert_event(&client, "old", "[1]");
    assert_eq!(stat(&client, "receive_queued"), 2);
    assert_usable(&client);
    assert_eq!(stat(&client, "dropped_received"), 2);
}

#[test]
fn a_peer_that_resets_after_its_last_events_loses_none_of_them() {
    // A reset throws away what is still on the way to the server, not what has come from it.
    for _ in 0..20 {
        let events = (0..100).map(|i| {
            crate::common::scripted::Frame::text(format!(r#"42["e",{i},"{}"]"#, "x".repeat(1000)))
        });
        let script = Script::new().connected().frames(events).until_told();
        let (client, server) = connected(script.reset());
        wait_until("all have come", || stat(&client, "receive_queued") == 100);
        server.tell();
        for i in 0..100 {
            assert_event(&client, "e", &format!(r#"[{i},"{}"]"#, "x".repeat(1000)));
        }
        assert_eq!(receive_fails(&client, PATIENT), Status::Disconnected);
    }
}

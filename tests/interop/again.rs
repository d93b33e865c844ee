//! One client after the other connection: connecting again by hand.

#![forbid(unsafe_code)]

use sio::error::Status;
use sio::session::State;

use crate::common::Kind;
use crate::harness::{
    LONG, call, connect, emit, eventually, failed, good, join, ms, named, new_client, next,
    round_trip, server, stat, tally,
};
use crate::relay::Relay;

with_each_server!(
    a_client_connects_again_after_any_end,
    unread_events_of_an_earlier_connection_are_dropped,
    unread_events_survive_until_then,
);

// What the client sent is read out of frames.
mod frames {
    use super::numbers_of_calls_are_never_used_twice;

    with_each_server!(websocket: numbers_of_calls_are_never_used_twice);
}

fn a_client_connects_again_after_any_end(kind: Kind) {
    let client = connect(kind);
    let mut sids = vec![client.sid()];
    for end in ["disconnect", "kick", "kick_hard", "drop", "disconnect"] {
        let name = named(&client, end);
        if end == "disconnect" {
            good(&client, client.disconnect(LONG));
        } else {
            emit(&client, end, "[]");
        }
        assert_eq!(failed(client.receive(LONG)), Status::Disconnected, "{end}");
        assert!(!client.error().is_empty());
        assert_eq!(client.state(), State::Closed);
        join(&client, &server(kind).url());
        let sid = client.sid();
        assert!(!sids.contains(&sid), "{sids:?} and again {sid}");
        sids.push(sid);
        round_trip(&client);
        eventually("the server notices", || {
            (tally(&client, &name)["connected"] == false).then_some(())
        });
    }
    assert_eq!(stat(&client, "connects"), 6);
}

fn unread_events_of_an_earlier_connection_are_dropped(kind: Kind) {
    let client = connect(kind);
    for i in 0..5 {
        emit(&client, "echo", &format!("[{i}]"));
    }
    round_trip(&client);
    eventually("the echoes come", || (stat(&client, "receive_queued") == 5).then_some(()));
    good(&client, client.disconnect(LONG));
    join(&client, &server(kind).url());
    assert_eq!(stat(&client, "dropped_received"), 5);
    assert_eq!(failed(client.receive(ms(0))), Status::Timeout);
}

fn unread_events_survive_until_then(kind: Kind) {
    let client = connect(kind);
    for i in 0..5 {
        emit(&client, "echo", &format!("[{i}]"));
    }
    round_trip(&client);
    good(&client, client.disconnect(LONG));
    // A connect that is refused as wrong has not begun.
    assert_eq!(failed(client.connect(Some("ftp://127.0.0.1"), LONG)), Status::Invalid);
    for i in 0..5 {
        assert_eq!(next(&client, "echo").args(), format!("[{i}]"));
    }
    assert_eq!(failed(client.receive(LONG)), Status::Disconnected);
}

fn numbers_of_calls_are_never_used_twice(kind: Kind) {
    let client = new_client();
    let mut numbers = Vec::new();
    for _ in 0..3 {
        let relay = Relay::start(server(kind));
        join(&client, &relay.url());
        for _ in 0..3 {
            call(&client, "add", "[1,1]");
        }
        assert_eq!(failed(client.call("no_ack", None, &[], ms(1))), Status::Timeout);
        round_trip(&client);
        numbers.extend(relay.carried_texts().iter().filter_map(|text| number_of_call(text)));
        good(&client, client.disconnect(LONG));
    }
    assert_eq!(numbers, (0..15).collect::<Vec<u64>>());
}

/// The acknowledgement id of a call: 42 7 ["event"].
fn number_of_call(packet: &str) -> Option<u64> {
    packet.strip_prefix("42")?.split('[').next()?.parse().ok()
}

//! The connection ends while calls are blocked: each returns at once, and says so.

#![forbid(unsafe_code)]

use std::thread;
use std::time::{Duration, Instant};

use sio::client::Client;
use sio::error::Status;
use sio::session::State;
use sio::sleepers::Timeout;

use crate::common::{Kind, Server};
use crate::harness::{
    LONG, client_with, connect, connect_to, emit, eventually, failed, good, join, json, ms, next,
    round_trip, server, stat,
};
use crate::process::{self, Blocked, Lateness, block};
use crate::relay::Relay;

with_each_server!(alone:
    whoever_is_blocked_returns_when_the_servers_process_ends,
    whoever_is_blocked_returns_when_a_stopped_servers_process_ends,
    whoever_is_blocked_returns_when_the_program_disconnects,
    what_arrived_before_the_end_is_received_before_it_is_told,
);

// A frame is put in between the client's.
mod frames {
    use super::*;

    with_each_server!(alone websocket:
        whoever_is_blocked_returns_when_the_server_ends_the_namespace,
        whoever_is_blocked_returns_when_the_server_ends_the_engine,
        whoever_is_blocked_returns_when_the_connection_drops,
        whoever_is_blocked_returns_when_the_client_is_closed,
        a_call_that_is_lost_tells_whether_it_was_sent,
    );
}

fn whoever_is_blocked_returns_when_the_server_ends_the_namespace(kind: Kind) {
    ends_by(kind, "kick");
}

fn whoever_is_blocked_returns_when_the_server_ends_the_engine(kind: Kind) {
    ends_by(kind, "kick_hard");
}

fn whoever_is_blocked_returns_when_the_connection_drops(kind: Kind) {
    ends_by(kind, "drop");
}

/// The relay lets nothing of what the client sends through, so that it is jammed, puts in the event
/// that has the server end the connection, and sees when it does.
fn ends_by(kind: Kind, event: &str) {
    let relay = Relay::start(server(kind));
    let client = connect_to(&relay.url(), &[("send_limit", "10000000")]);
    round_trip(&client);
    relay.hold();
    jam(&client);
    let late = Lateness::watch();
    thread::scope(|scope| {
        let blocked = all_blocked(scope, &client);
        relay.put_in(event);
        assert_ended(&client, blocked, relay.server_acted(), &late);
    });
}

fn whoever_is_blocked_returns_when_the_servers_process_ends(kind: Kind) {
    let mut server = Server::of(kind);
    let client = connect_to(&server.url(), &[]);
    round_trip(&client);
    let late = Lateness::watch();
    thread::scope(|scope| {
        let blocked = [
            block(scope, "receive", || client.receive(LONG).err()),
            block(scope, "call", || client.call("no_ack", None, &[], LONG).err()),
        ];
        server.kill();
        // Its descriptors were closed before it could be waited for.
        assert_ended(&client, blocked, Instant::now(), &late);
    });
}

fn whoever_is_blocked_returns_when_a_stopped_servers_process_ends(kind: Kind) {
    let mut server = Server::of(kind);
    let client = connect_to(&server.url(), &[("send_limit", "10000000")]);
    round_trip(&client);
    process::stop(&server);
    jam(&client);
    let late = Lateness::watch();
    thread::scope(|scope| {
        let blocked = all_blocked(scope, &client);
        server.kill();
        assert_ended(&client, blocked, Instant::now(), &late);
    });
}

fn whoever_is_blocked_returns_when_the_program_disconnects(kind: Kind) {
    let client = connect(kind);
    let late = Lateness::watch();
    thread::scope(|scope| {
        let blocked = [
            block(scope, "receive", || client.receive(LONG).err()),
            block(scope, "call", || client.call("no_ack", None, &[], LONG).err()),
        ];
        good(&client, client.disconnect(LONG));
        assert_ended(&client, blocked, Instant::now(), &late);
    });
}

fn whoever_is_blocked_returns_when_the_client_is_closed(kind: Kind) {
    let relay = Relay::start(server(kind));
    let client = connect_to(&relay.url(), &[("send_limit", "10000000")]);
    round_trip(&client);
    relay.hold();
    jam(&client);
    let late = Lateness::watch();
    thread::scope(|scope| {
        let blocked = all_blocked(scope, &client);
        let begin = Instant::now();
        client.close();
        assert_ended(&client, blocked, begin, &late);
        let took = begin.elapsed();
        assert!(took <= Duration::from_millis(100) + late.worst(), "{took:?}");
    });
}

fn what_arrived_before_the_end_is_received_before_it_is_told(kind: Kind) {
    let client = connect(kind);
    for i in 0..100 {
        emit(&client, "echo", &format!("[{i}]"));
    }
    // What came in one POST a python server does at the same time.
    eventually("the echoes come", || (stat(&client, "receive_queued") == 100).then_some(()));
    emit(&client, "kick", "[]");
    // The end is seen without receiving anything.
    eventually("the end comes", || (client.state() == State::Closed).then_some(()));
    for i in 0..100 {
        assert_eq!(next(&client, "echo").args(), format!("[{i}]"));
    }
    assert_eq!(failed(client.receive(LONG)), Status::Disconnected);
    assert_eq!(failed(client.receive(ms(0))), Status::Disconnected);
    assert_eq!(failed(client.emit("echo", None, &[], LONG)), Status::Disconnected);
    assert_eq!(failed(client.call("echo", None, &[], LONG)), Status::Disconnected);
    assert_eq!(failed(client.flush(LONG)), Status::Disconnected);
    good(&client, client.disconnect(LONG));
    assert_eq!((client.sid(), client.transport()), (String::new(), ""));
}

fn a_call_that_is_lost_tells_whether_it_was_sent(kind: Kind) {
    let relay = Relay::start(server(kind));
    let client = client_with(&[("send_limit", "10000000")]);
    join(&client, &relay.url());
    thread::scope(|scope| {
        let sent = block(scope, "call", || lost_call(&client));
        round_trip(&client);
        relay.hold();
        relay.put_in("drop");
        assert_eq!(sent.end().0, (Status::Disconnected, true));
    });

    let relay = Relay::start(server(kind));
    join(&client, &relay.url());
    relay.hold();
    jam(&client);
    thread::scope(|scope| {
        let unsent = block(scope, "call", || lost_call(&client));
        relay.put_in("drop");
        assert_eq!(unsent.end().0, (Status::Disconnected, false));
    });
}

fn lost_call(client: &Client) -> (Status, bool) {
    let status = failed(client.call("no_ack", None, &[], LONG));
    (status, json(&client.error_json())["sent"].as_bool().unwrap())
}

/// Emits until there is no room any more: neither in the client nor in the system. A little room
/// stays in the client's queue, so that a call still enters it.
pub fn jam(client: &Client) {
    let text = format!("[\"{}\"]", "x".repeat(900_000));
    while client.emit("count", Some(&text), &[], ms(100)) != Err(Status::Timeout) {}
    assert_eq!(client.state(), State::Connected, "{}", client.error());
    assert!(stat(client, "send_queued_bytes") > 8_000_000);
}

fn all_blocked<'s>(
    scope: &'s thread::Scope<'s, '_>,
    client: &'s Client,
) -> [Blocked<'s, Option<Status>>; 4] {
    let large = format!("[\"{}\"]", "x".repeat(900_000));
    [
        block(scope, "receive", || client.receive(LONG).err()),
        block(scope, "call", || client.call("no_ack", None, &[], LONG).err()),
        block(scope, "flush", || client.flush(Timeout::Forever).err()),
        block(scope, "emit", move || client.emit("count", Some(&large), &[], LONG).err()),
    ]
}

/// All were back within 50 ms of the end, with the right status.
#[track_caller]
fn assert_ended<const N: usize>(
    client: &Client,
    blocked: [Blocked<'_, Option<Status>>; N],
    ended: Instant,
    late: &Lateness,
) {
    for blocked in blocked {
        let what = blocked.what();
        let (status, at) = blocked.end();
        let after = at.saturating_duration_since(ended);
        let limit = Duration::from_millis(50) + late.worst();
        assert_eq!(status, Some(Status::Disconnected), "{what}: {}", client.error());
        assert!(after <= limit, "{what} returned after {after:?}, allowed {limit:?}");
    }
    assert_eq!(client.state(), State::Closed);
}

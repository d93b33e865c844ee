//! The heartbeat: an idle connection stays, and a dead one is noticed in time.

#![forbid(unsafe_code)]

use std::thread;
use std::time::{Duration, Instant};

use sio::client::Client;
use sio::error::Status;
use sio::session::State;
use sio::sleepers::Timeout;

use crate::common::{Kind, Options, Server};
use crate::content::check_flood;
use crate::ends::jam;
use crate::harness::{
    LONG, connect_to, emit, failed, good, last_tally, named, round_trip, tally, with_all_servers,
};
use crate::process::{self, Lateness, block};
use crate::turns;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn an_idle_connection_stays() {
    let _turn = turns::among_others();
    with_all_servers(|kind| {
        let server = pinging(kind);
        let client = connect_to(&server.url(), &[]);
        let name = named(&client, "idle");
        // The server would end it after two seconds without an answer to a ping.
        assert_eq!(failed(client.receive(Timeout::Limit(SECOND * 9 / 2))), Status::Timeout);
        assert_eq!(client.state(), State::Connected);
        assert_eq!(tally(&client, &name)["connected"], true);
        good(&client, client.disconnect(LONG));
    });
}

/// A server that is stopped closes nothing and answers nothing. Its last ping was at most one
/// interval ago; interval and timeout after it the connection counts as dead.
#[test]
fn a_server_that_stands_still_is_noticed_in_time() {
    let _turn = turns::alone();
    with_all_servers(|kind| {
        let server = pinging(kind);
        let client = connect_to(&server.url(), &[("send_limit", "10000000")]);
        round_trip(&client);
        process::stop(&server);
        let begin = Instant::now();
        jam(&client);
        let late = Lateness::watch();
        thread::scope(|scope| {
            let blocked = [
                block(scope, "receive", || client.receive(LONG).err()),
                block(scope, "call", || client.call("no_ack", None, &[], LONG).err()),
                block(scope, "flush", || client.flush(LONG).err()),
                block(scope, "emit", || emit_a_lot(&client).err()),
            ];
            for blocked in blocked {
                let what = blocked.what();
                let (status, at) = blocked.end();
                let after = at - begin;
                assert_eq!(status, Some(Status::Disconnected), "{kind:?} {what}");
                assert!(after >= SECOND * 9 / 10, "{kind:?} {what}: {after:?}");
                // Twelve of them are busy at once.
                let limit = 2 * SECOND + Duration::from_millis(200) + late.worst();
                assert!(after <= limit, "{kind:?} {what}: {after:?}, allowed {limit:?}");
            }
        });
        assert_eq!(client.state(), State::Closed);
        process::go_on(&server);
    });
}

/// While reading is paused the server gets no answers to its pings, and at last ends the connection.
/// What had arrived before is received before that is told.
#[test]
fn a_pause_longer_than_the_servers_patience_ends_the_connection() {
    let _turn = turns::among_others();
    with_all_servers(|kind| {
        // Socketioxide waits for its socket to take what it has to send, for ever.
        if kind == Kind::Oxide {
            return;
        }
        let server = pinging(kind);
        let watch = connect_to(&server.url(), &[]);
        let client = connect_to(&server.url(), &[("receive_limit", "100000")]);
        let name = named(&client, "paused");
        emit(&client, "flood_forever", "[1000,true]");
        last_tally(&watch, &name);
        let end = (0..).find_map(|i| match client.receive(LONG) {
            Ok(message) => {
                assert_eq!(message.name(), "flood");
                check_flood(i, 1000, true, &message).unwrap();
                None
            }
            Err(status) => Some((status, i)),
        });
        let (status, received) = end.unwrap();
        assert_eq!(status, Status::Disconnected);
        assert!(received > 80, "{kind:?}: {received}");
        assert_eq!(client.state(), State::Closed);
    });
}

fn emit_a_lot(client: &Client) -> Result<(), Status> {
    let text = format!("[\"{}\"]", "x".repeat(900_000));
    loop {
        client.emit("count", Some(&text), &[], LONG)?;
    }
}

fn pinging(kind: Kind) -> Server {
    let (interval, timeout) = (Some(SECOND), Some(SECOND));
    Server::start(
        kind,
        Options { ping_interval: interval, ping_timeout: timeout, ..Options::default() },
    )
}

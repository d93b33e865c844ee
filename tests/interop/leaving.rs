//! Leaving: what was emitted is with the server, in order, and it is told good-bye.

#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use sio::client::Client;
use sio::error::Status;
use sio::session::State;

use crate::common::{Kind, Server};
use crate::harness::{
    LONG, connect, connect_to, emit, eventually, failed, good, join, last_tally, ms, named, next,
    placeholder, round_trip, server, stat,
};
use crate::process;

with_each_server!(alone:
    all_that_was_emitted_arrives_before_the_end,
    all_that_was_emitted_arrives_under_a_flood,
    all_that_was_emitted_arrives_while_reading_is_paused,
    answers_arrive_before_the_end_too,
    large_buffers_arrive_before_the_end_too,
    what_other_threads_emit_meanwhile_arrives_or_is_refused,
    disconnecting_twice_at_once_is_one_disconnect,
    with_no_time_it_is_not_known_whether_all_arrived,
    a_server_that_is_slow_to_confirm_gets_everything_too,
    a_server_that_stands_still_is_left_at_the_deadline,
);

// By polling a server need not notice that nobody polls any more.
mod frames {
    use super::a_client_that_is_freed_just_goes;

    with_each_server!(alone websocket: a_client_that_is_freed_just_goes);
}

const RUNS: usize = 3;

fn all_that_was_emitted_arrives_before_the_end(kind: Kind) {
    let watch = connect(kind);
    for count in [1, 5, 50, 1000] {
        for _ in 0..RUNS {
            let client = connect(kind);
            let name = named(&client, "leaves");
            emits_and_leaves(&client, count);
            assert_all_arrived(&watch, &name, count);
        }
    }
}

fn all_that_was_emitted_arrives_under_a_flood(kind: Kind) {
    under_a_flood(kind, &[("receive_overflow", "drop_newest"), ("receive_limit", "1000000")]);
}

fn all_that_was_emitted_arrives_while_reading_is_paused(kind: Kind) {
    under_a_flood(kind, &[("receive_limit", "100000")]);
}

fn under_a_flood(kind: Kind, options: &[(&str, &str)]) {
    let watch = connect(kind);
    for count in [1, 5, 50, 1000] {
        for _ in 0..RUNS {
            let client = connect_to(&server(kind).url(), options);
            let name = named(&client, "leaves a flood");
            emit(&client, "flood_forever", "[10000,false]");
            next(&client, "flood");
            emits_and_leaves(&client, count);
            assert_all_arrived(&watch, &name, count);
        }
    }
}

fn answers_arrive_before_the_end_too(kind: Kind) {
    // The server echoes what it is answered, to a client that has gone; it counts that as an event of
    // nobody. So an answer is seen to arrive only while the client is there, and here the order of
    // answers and emits is: all were sent before the ping that leaving waits for.
    let watch = connect(kind);
    let client = connect(kind);
    let name = named(&client, "answers");
    emit(&client, "ask", "[]");
    let question = next(&client, "question");
    emit(&client, "count", "[0]");
    good(&client, question.ack(Some("[1]"), &[]));
    emit(&client, "count", "[1]");
    good(&client, client.disconnect(LONG));
    assert_all_arrived(&watch, &name, 2);
}

fn large_buffers_arrive_before_the_end_too(kind: Kind) {
    let watch = connect(kind);
    let client = connect(kind);
    let name = named(&client, "large");
    let bytes = crate::harness::noise(1, 1 << 20);
    let crc = crate::harness::crc32(&bytes);
    for i in 0..10 {
        let args = format!("[0,{i},{crc},{}]", placeholder(0));
        good(&client, client.emit("check", Some(&args), &[&bytes], LONG));
    }
    good(&client, client.disconnect(LONG));
    let tally = last_tally(&watch, &name);
    assert_eq!(tally["checked"], 10);
    assert_eq!((&tally["bad"], &tally["misplaced"]), (&0.into(), &0.into()));
    assert_eq!(tally["reason"], "client namespace disconnect");
}

fn what_other_threads_emit_meanwhile_arrives_or_is_refused(kind: Kind) {
    const EACH: u64 = 300;
    let watch = connect(kind);
    for run in 0..RUNS {
        let client = connect(kind);
        let name = named(&client, "meanwhile");
        let bytes = crate::harness::noise(1, 1 << (run * 6));
        let crc = crate::harness::crc32(&bytes);
        let accepted: u64 = std::thread::scope(|scope| {
            let emitting = [0, 1, 2, 3].map(|number| {
                let (client, bytes) = (&client, &bytes);
                scope.spawn(move || {
                    for i in 0..EACH {
                        let args = format!("[{number},{i},{crc},{}]", placeholder(0));
                        match client.emit("check", Some(&args), &[bytes], LONG) {
                            Ok(()) => (),
                            Err(Status::Disconnected) => return i,
                            Err(status) => panic!("{}: {}", status.name(), client.error()),
                        }
                    }
                    EACH
                })
            });
            eventually("a few are emitted", || (stat(&client, "packets_sent") > 100).then_some(()));
            good(&client, client.disconnect(LONG));
            emitting.map(|thread| thread.join().unwrap()).into_iter().sum()
        });
        let seen = eventually("all that was accepted arrives", || {
            Some(last_tally(&watch, &name)).filter(|tally| tally["checked"] == accepted)
        });
        assert_eq!((&seen["bad"], &seen["misplaced"]), (&0.into(), &0.into()), "{seen}");
        assert_eq!(stat(&client, "dropped_sent"), 0);
    }
}

fn disconnecting_twice_at_once_is_one_disconnect(kind: Kind) {
    let watch = connect(kind);
    let client = connect(kind);
    let name = named(&client, "leaves twice");
    for i in 0..100 {
        emit(&client, "count", &format!("[{i}]"));
    }
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| good(&client, client.disconnect(LONG)));
        }
    });
    assert_all_arrived(&watch, &name, 100);
}

fn with_no_time_it_is_not_known_whether_all_arrived(kind: Kind) {
    let client = connect(kind);
    let args = format!("[\"{}\"]", "x".repeat(10_000));
    for run in 0..30 {
        // What is being written at that moment concerns the next connection as little as the rest.
        for _ in 0..run {
            emit(&client, "echo", &args);
        }
        emit(&client, "count", "[0]");
        assert_eq!(failed(client.disconnect(ms(0))), Status::Timeout, "run {run}");
        assert_eq!(client.state(), State::Closed);
        join(&client, &server(kind).url());
        round_trip(&client);
    }
    good(&client, client.disconnect(LONG));
}

/// Stopped for a while, though not for the second of silence that ends the wait for its pong.
fn a_server_that_is_slow_to_confirm_gets_everything_too(kind: Kind) {
    let server = Server::of(kind);
    let watch = connect_to(&server.url(), &[]);
    let client = connect_to(&server.url(), &[]);
    let name = named(&client, "slow");
    process::stop(&server);
    for i in 0..1000 {
        emit(&client, "count", &format!("[{i}]"));
    }
    std::thread::scope(|scope| {
        let disconnect = process::block(scope, "disconnect", || client.disconnect(LONG));
        std::thread::sleep(Duration::from_millis(400));
        process::go_on(&server);
        good(&client, disconnect.end().0);
    });
    assert_all_arrived(&watch, &name, 1000);
}

fn a_server_that_stands_still_is_left_at_the_deadline(kind: Kind) {
    let server = Server::of(kind);
    let client = connect_to(&server.url(), &[]);
    round_trip(&client);
    process::stop(&server);
    emit(&client, "count", "[0]");
    let begin = Instant::now();
    assert_eq!(failed(client.disconnect(ms(200))), Status::Timeout);
    let took = begin.elapsed();
    assert!(took >= Duration::from_millis(200) && took < Duration::from_millis(500), "{took:?}");
    assert_eq!(client.state(), State::Closed);
    process::go_on(&server);
}

fn a_client_that_is_freed_just_goes(kind: Kind) {
    let watch = connect(kind);
    let client = connect(kind);
    let name = named(&client, "freed");
    let begin = Instant::now();
    drop(client);
    let took = begin.elapsed();
    assert!(took < Duration::from_millis(100), "{took:?}");
    let reason = last_tally(&watch, &name)["reason"].clone();
    assert!(reason == "transport close" || reason == "transport error", "{reason}");
}

#[track_caller]
fn emits_and_leaves(client: &Client, count: usize) {
    for i in 0..count {
        emit(client, "count", &format!("[{i}]"));
    }
    good(client, client.disconnect(LONG));
    assert_eq!(client.state(), State::Closed);
    assert_eq!(failed(client.emit("count", Some("[-1]"), &[], LONG)), Status::Disconnected);
}

#[track_caller]
fn assert_all_arrived(watch: &Client, name: &str, count: usize) {
    // A server may note the end before it has handled all that came before.
    let tally = eventually(&format!("{count} events arrive"), || {
        Some(last_tally(watch, name)).filter(|tally| tally["count"] == count)
    });
    assert_eq!(tally["in_order"], true, "{tally}");
    assert_eq!(tally["reason"], "client namespace disconnect", "{tally}");
}

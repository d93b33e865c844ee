//! The queues on both sides: what happens when one of them is full.

#![forbid(unsafe_code)]

use std::thread;
use std::time::{Duration, Instant};

use sio::client::Client;
use sio::error::Status;

use crate::common::{Kind, Server};
use crate::content::{LARGEST, check_flood, check_mixed};
use crate::harness::{
    LONG, call, connect_to, crc32, emit, eventually, failed, good, ms, named, new_client, next,
    noise, placeholder, round_trip, server, stat, tally,
};
use crate::process::{self, block};

with_each_server!(
    a_slow_reader_loses_nothing_and_memory_stays_bounded,
    a_call_that_cannot_be_answered_says_full,
    drop_newest_keeps_the_oldest,
    drop_oldest_keeps_the_newest,
    a_client_that_only_sends_keeps_no_events,
    emit_waits_for_room_and_keeps_the_order,
    many_threads_wait_for_little_room,
    flush_waits_until_the_system_has_everything,
    an_event_larger_than_send_limit_is_taken_when_the_queue_is_empty,
);

fn a_slow_reader_loses_nothing_and_memory_stays_bounded(kind: Kind) {
    const LIMIT: u64 = 64 * 1024;
    let client = connect_to(&server(kind).url(), &[("receive_limit", "65536")]);
    let count = 3_000;
    emit(&client, "mixed", &format!("[{count}]"));
    let queued = || stat(&client, "receive_queued_bytes");
    let mut i = 0;
    while i < count {
        // It takes nothing before the queue is full, and so never reads in time.
        let is_all = || i as u64 + stat(&client, "receive_queued") > count as u64;
        eventually("the queue is full", || (queued() >= LIMIT || is_all()).then_some(()));
        // Reading goes on when half of it is free.
        loop {
            check_mixed(i, LARGEST, &next(&client, "mixed")).unwrap();
            i += 1;
            if i == count || queued() <= LIMIT / 2 {
                break;
            }
        }
    }
    next(&client, "mixed_done");
    // One event may exceed the limit.
    let most = stat(&client, "receive_queued_bytes_max");
    assert!(most < LIMIT + 3 * LARGEST as u64, "{most}");
    assert_eq!(stat(&client, "dropped_received"), 0);
}

fn a_call_that_cannot_be_answered_says_full(kind: Kind) {
    let client = connect_to(&server(kind).url(), &[("receive_limit", "10000")]);
    let count = 5_000;
    emit(&client, "flood", &format!("[{count},1000,false]"));
    eventually("the queue is full", || {
        (stat(&client, "receive_queued_bytes") >= 10_000).then_some(())
    });
    assert_eq!(failed(client.call("add", Some("[1,1]"), &[], ms(50))), Status::Full);
    assert!(client.error().contains("receive"), "{}", client.error());
    for i in 0..count {
        check_flood(i, 1000, false, &next(&client, "flood")).unwrap();
    }
    next(&client, "flood_done");
    assert_eq!(call(&client, "add", "[1,1]").args(), "[2]");
    assert_eq!(stat(&client, "late_acks"), 1);
}

fn drop_newest_keeps_the_oldest(kind: Kind) {
    let (client, kept, count) = flooded(kind, "drop_newest");
    for i in 0..kept {
        check_flood(i, 1000, false, &next(&client, "flood")).unwrap();
    }
    assert_eq!(failed(client.receive(ms(0))), Status::Timeout);
    // With room again events come again.
    emit(&client, "echo", "[1]");
    assert_eq!(next(&client, "echo").args(), "[1]");
    assert!(kept < count);
}

fn drop_oldest_keeps_the_newest(kind: Kind) {
    let (client, kept, count) = flooded(kind, "drop_oldest");
    // The last of all is `flood_done`.
    for i in count - (kept - 1)..count {
        check_flood(i, 1000, false, &next(&client, "flood")).unwrap();
    }
    assert_eq!(next(&client, "flood_done").args(), format!("[{count}]"));
    assert_eq!(failed(client.receive(ms(0))), Status::Timeout);
}

/// A client whose queue has overflown: how many events it holds, and how many there were without
/// the last, `flood_done`.
fn flooded(kind: Kind, policy: &str) -> (Client, usize, usize) {
    let options = [("receive_limit", "100000"), ("receive_overflow", policy)];
    let client = connect_to(&server(kind).url(), &options);
    let count = 1_000;
    emit(&client, "flood", &format!("[{count},1000,false]"));
    let kept = eventually("all has arrived", || {
        let (kept, dropped) = (stat(&client, "receive_queued"), stat(&client, "dropped_received"));
        (kept + dropped == count as u64 + 1).then_some(kept as usize)
    });
    // Each counts its bytes and 128 more.
    assert!((80..100).contains(&kept), "{kept}");
    let most = stat(&client, "receive_queued_bytes_max");
    assert!(most < 102_000, "{most}");
    // Answers are always taken.
    assert_eq!(call(&client, "add", "[1,1]").args(), "[2]");
    (client, kept, count)
}

fn a_client_that_only_sends_keeps_no_events(kind: Kind) {
    let client = new_client();
    good(&client, client.set("receive_limit", Some("0")));
    good(&client, client.set("receive_overflow", Some("drop_newest")));
    good(&client, client.connect(Some(&server(kind).url()), LONG));
    for _ in 0..10 {
        emit(&client, "echo", "[1]");
    }
    // The echoes come in order, before the answer.
    assert_eq!(call(&client, "add", "[1,1]").args(), "[2]");
    assert_eq!(failed(client.receive(ms(0))), Status::Timeout);
    eventually("all are dropped", || (stat(&client, "dropped_received") == 11).then_some(()));
    assert_eq!(stat(&client, "receive_queued_bytes_max"), 0);
}

fn emit_waits_for_room_and_keeps_the_order(kind: Kind) {
    const LIMIT: u64 = 1_000_000;
    let server = Server::of(kind);
    let client = connect_to(&server.url(), &[("send_limit", "1000000")]);
    let name = named(&client, "full");
    process::stop(&server);
    let args = |i: usize| format!("[{i},\"{}\"]", "x".repeat(10_000));
    let mut count = 0;
    let begin = loop {
        let begin = Instant::now();
        match client.emit("count", Some(&args(count)), &[], ms(100)) {
            Ok(()) => count += 1,
            Err(status) => {
                assert_eq!(status, Status::Timeout, "{}", client.error());
                break begin;
            }
        }
    };
    let waited = begin.elapsed();
    assert!(waited >= Duration::from_millis(100), "{waited:?}");
    assert_eq!(failed(client.emit("count", Some(&args(count)), &[], ms(0))), Status::Timeout);
    assert_eq!(failed(client.flush(ms(20))), Status::Timeout);
    let queued = stat(&client, "send_queued_bytes");
    assert!(queued <= LIMIT && queued > LIMIT - 11_000, "{queued}");

    // Who waits is served when there is room, and in between nobody else is.
    thread::scope(|scope| {
        let waiting = block(scope, "emit", || {
            for i in count..count + 100 {
                good(&client, client.emit("count", Some(&args(i)), &[], LONG));
            }
        });
        process::go_on(&server);
        waiting.end();
    });
    good(&client, client.flush(LONG));
    let seen = eventually("all arrives", || {
        Some(tally(&client, &name)).filter(|tally| tally["count"] == count + 100)
    });
    assert_eq!(seen["in_order"], true, "{seen}");
    assert!(stat(&client, "send_queued_bytes_max") <= LIMIT);
    assert_eq!(stat(&client, "dropped_sent"), 0);
}

fn many_threads_wait_for_little_room(kind: Kind) {
    const EACH: usize = 100;
    const THREADS: usize = 8;
    let client = connect_to(&server(kind).url(), &[("send_limit", "3000")]);
    let name = named(&client, "little room");
    thread::scope(|scope| {
        for number in 0..THREADS {
            let client = &client;
            scope.spawn(move || {
                let bytes = noise(number as u64, 200 + 300 * number);
                let crc = crc32(&bytes);
                for i in 0..EACH {
                    let args = format!("[{number},{i},{crc},{}]", placeholder(0));
                    good(client, client.emit("check", Some(&args), &[&bytes], LONG));
                    if i % 10 == 0 {
                        call(client, "add", "[1,1]");
                    }
                }
            });
        }
    });
    let seen = eventually("all arrives", || {
        Some(tally(&client, &name)).filter(|tally| tally["checked"] == EACH * THREADS)
    });
    assert_eq!((&seen["bad"], &seen["misplaced"]), (&0.into(), &0.into()), "{seen}");
    assert!(stat(&client, "send_queued_bytes_max") <= 3000);
}

fn flush_waits_until_the_system_has_everything(kind: Kind) {
    let server = Server::of(kind);
    let client = connect_to(&server.url(), &[]);
    round_trip(&client);
    process::stop(&server);
    let args = format!("[\"{}\"]", "x".repeat(900_000));
    for _ in 0..20 {
        good(&client, client.emit("count", Some(&args), &[], LONG));
    }
    assert_eq!(failed(client.flush(ms(50))), Status::Timeout);
    thread::scope(|scope| {
        let flush = block(scope, "flush", || client.flush(LONG));
        process::go_on(&server);
        good(&client, flush.end().0);
    });
    assert_eq!(stat(&client, "send_queued"), 0);
    good(&client, client.flush(ms(0)));
}

fn an_event_larger_than_send_limit_is_taken_when_the_queue_is_empty(kind: Kind) {
    let client = connect_to(&server(kind).url(), &[("send_limit", "1000")]);
    let args = format!("[\"{}\"]", "x".repeat(100_000));
    for _ in 0..20 {
        emit(&client, "echo", &args);
        emit(&client, "echo", "[1]");
    }
    for _ in 0..20 {
        assert!(next(&client, "echo").args() == args);
        assert_eq!(next(&client, "echo").args(), "[1]");
    }
}

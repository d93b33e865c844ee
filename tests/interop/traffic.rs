//! Much of everything at once: nothing is lost, doubled, mixed up or changed.

#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use sio::client::Client;

use crate::common::Kind;
use crate::content::{LARGEST, check_flood, check_mixed};
use crate::harness::{
    LONG, connect, connect_to, crc32, emit, eventually, good, named, next, noise, placeholder,
    server, stat, tally,
};

with_each_server!(
    binary_of_many_threads_arrives_whole_and_in_order,
    mixed_text_and_binary_arrives_whole_and_in_order,
    large_mixed_content_arrives_whole,
    both_directions_at_once,
    several_receivers_share_the_events,
);

const THREADS: usize = 8;

fn binary_of_many_threads_arrives_whole_and_in_order(kind: Kind) {
    const EACH: usize = 625;
    let client = connect(kind);
    let name = named(&client, "threads");
    thread::scope(|scope| {
        for number in 0..THREADS {
            let client = &client;
            scope.spawn(move || emit_checked(client, number, EACH));
        }
    });
    good(&client, client.flush(LONG));
    let seen = eventually("all packets arrive", || {
        Some(tally(&client, &name)).filter(|tally| tally["checked"] == THREADS * EACH)
    });
    assert_eq!((&seen["bad"], &seen["misplaced"]), (&0.into(), &0.into()), "{seen}");
}

fn mixed_text_and_binary_arrives_whole_and_in_order(kind: Kind) {
    receive_mixed(&connect(kind), 20_000, LARGEST);
}

fn large_mixed_content_arrives_whole(kind: Kind) {
    receive_mixed(&connect(kind), 300, 200_000);
}

fn both_directions_at_once(kind: Kind) {
    let client = connect_to(&server(kind).url(), &[("receive_limit", "100000")]);
    let name = named(&client, "both");
    let floods = 2_000;
    emit(&client, "flood", &format!("[{floods},1000,true]"));
    let calls = AtomicU64::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            for i in 0..floods {
                let message = next(&client, "flood");
                check_flood(i, 1000, true, &message).unwrap();
            }
            next(&client, "flood_done");
        });
        for number in 0..2 {
            let client = &client;
            scope.spawn(move || emit_checked(client, number, 300));
        }
        scope.spawn(|| {
            for i in 0..100 {
                let reply = good(&client, client.call("add", Some(&format!("[{i},1]")), &[], LONG));
                assert_eq!(reply.args(), format!("[{}]", i + 1));
                calls.fetch_add(1, Ordering::Relaxed);
            }
        });
    });
    let seen = eventually("all packets arrive", || {
        Some(tally(&client, &name)).filter(|tally| tally["checked"] == 600)
    });
    assert_eq!((&seen["bad"], &seen["misplaced"]), (&0.into(), &0.into()), "{seen}");
    assert_eq!(calls.into_inner(), 100);
    assert_eq!(stat(&client, "dropped_received"), 0);
}

fn several_receivers_share_the_events(kind: Kind) {
    let client = connect(kind);
    let count = 2_000;
    emit(&client, "flood", &format!("[{count},10,false]"));
    let seen = std::sync::Mutex::new(vec![0; count]);
    let left = AtomicU64::new(count as u64);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut last = None;
                // Whoever takes a ticket takes an event.
                let ticket = || {
                    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                        left.checked_sub(1)
                    })
                };
                while ticket().is_ok() {
                    let message = next(&client, "flood");
                    let number: usize = std::str::from_utf8(message.find("/0").unwrap().1)
                        .unwrap()
                        .parse()
                        .unwrap();
                    assert!(last < Some(number), "{last:?} before {number}");
                    last = Some(number);
                    check_flood(number, 10, false, &message).unwrap();
                    seen.lock().unwrap()[number] += 1;
                }
            });
        }
    });
    assert!(seen.into_inner().unwrap().iter().all(|&times| times == 1));
    next(&client, "flood_done");
}

fn receive_mixed(client: &Client, count: usize, largest: usize) {
    emit(client, "mixed", &format!("[{count},{largest}]"));
    for i in 0..count {
        let message = next(client, "mixed");
        check_mixed(i, largest, &message).unwrap();
    }
    assert_eq!(next(client, "mixed_done").args(), format!("[{count}]"));
}

/// Emits events of zero to two buffers of up to 3000 bytes, in the name of one thread.
#[track_caller]
fn emit_checked(client: &Client, number: usize, count: usize) {
    for i in 0..count {
        let bytes = noise((number << 32 | i) as u64, (i * 7919 + number * 31) % 3000);
        let (first, second) = bytes.split_at(bytes.len() / (1 + i % 3));
        let crc = crc32(&bytes);
        let (args, buffers): (String, &[&[u8]]) = match second.is_empty() {
            true => (format!("[{number},{i},{crc},{}]", placeholder(0)), &[first]),
            false => (
                format!("[{number},{i},{crc},[{},{{\"a\":{}}}]]", placeholder(0), placeholder(1)),
                &[first, second],
            ),
        };
        good(client, client.emit("check", Some(&args), buffers, LONG));
    }
}

//! A million events, text and binary mixed: all received whole and in order, memory flat; by a reader
//! that is quick, and by one that is slow and has the server wait.

#![forbid(unsafe_code)]

use std::thread;
use std::time::{Duration, Instant};

use crate::common::Kind;
use crate::content::{LARGEST, check_mixed};
use crate::harness::{connect_to, emit, good, next, server, stat};
use crate::{Table, own};

const EVENTS: usize = 1_000_000;

/// Events after which the memory in use is what it takes to go on.
const WARM: usize = EVENTS / 10;

/// So much more may be in use later, in KiB.
const FLAT: u64 = 2 * 1024;

pub fn run(table: &mut Table) {
    for kind in [Kind::Oxide, Kind::Node] {
        receive(table, kind, "a quick reader", 8 << 20, Duration::ZERO);
        receive(table, kind, "a slow reader", 1 << 20, Duration::from_millis(4));
    }
}

fn receive(table: &mut Table, kind: Kind, reader: &str, limit: usize, pause: Duration) {
    let what = format!("mixed {kind:?}, {reader}");
    let begin = Instant::now();
    let client = connect_to(&server(kind).url(), &[("receive_limit", &limit.to_string())]);
    emit(&client, "mixed", &format!("[{EVENTS}]"));
    let (mut warm, mut most) = (0, 0);
    let mut wrong = None;
    for i in 0..EVENTS {
        let message = next(&client, "mixed");
        wrong = wrong.or(check_mixed(i, LARGEST, &message).err());
        if i % 200 == 0 && !pause.is_zero() {
            thread::sleep(pause);
        }
        if i == WARM {
            warm = own::resident();
        }
        if i > WARM && i % 1000 == 0 {
            most = most.max(own::resident());
        }
        if i % (EVENTS / 5) == 0 {
            let (resident, after) = (own::resident(), begin.elapsed());
            println!("     {what}: {i} received after {after:.0?}, {resident} KiB in use");
        }
    }
    let done = next(&client, "mixed_done");
    good(&client, client.disconnect(crate::harness::LONG));
    let queued = stat(&client, "receive_queued_bytes_max");
    let rate = EVENTS as f64 / begin.elapsed().as_secs_f64();
    let complete = wrong.is_none() && done.args() == format!("[{EVENTS}]");
    // The queue was at its limit, or it was no slow reader.
    let slow = pause.is_zero() || queued >= limit as u64;
    let bounded = queued < limit as u64 + 10_000;
    // The queue of a quick reader is empty or full as it happens.
    let queue = if pause.is_zero() { limit as u64 / 1024 } else { 0 };
    let flat = most <= warm + FLAT + queue;
    let wrong = wrong.map(|what| format!("; {what}")).unwrap_or_default();
    let result = format!(
        "{EVENTS} events, {rate:.0} a second, {warm} KiB in use after a tenth, then at most {most}, \
         queue at most {} KiB{wrong}",
        queued / 1024
    );
    table.row(what, result, complete && slow && bounded && flat);
}

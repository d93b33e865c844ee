//! A million events, text and binary mixed: all received whole and in order, memory flat, on both
//! transports; by a reader that is quick, and by one that is slow and has the server wait.

#![forbid(unsafe_code)]

use std::thread;
use std::time::{Duration, Instant};

use crate::common::{Carriage, Kind};
use crate::content::{LARGEST, check_mixed};
use crate::harness::{LONG, emit, good, next, server, stat};
use crate::own;
use crate::table::{Progress, Table};
use crate::ways::{Way, server_name};

/// So much more may be in use later, in KiB.
const FLAT: u64 = 2 * 1024;

pub fn run(table: &mut Table) {
    for kind in table.kinds().into_iter().filter(|kind| !kind.is_python()) {
        for way in [Carriage::WebSocket, Carriage::Polling].map(Way::Settled) {
            receive(table, kind, way, Reader { limit: 8 << 20, pause: Duration::ZERO });
            let pause = Duration::from_millis(4);
            receive(table, kind, way, Reader { limit: 1 << 20, pause });
        }
    }
}

struct Reader {
    limit: usize,
    /// After every 200 events.
    pause: Duration,
}

fn receive(table: &mut Table, kind: Kind, way: Way, Reader { limit, pause }: Reader) {
    let reader = if pause.is_zero() { "a quick reader" } else { "a slow reader" };
    let what = format!("mixed {}, {}, {reader}", server_name(kind), way.name());
    // By polling each few hundred events are a request.
    let events = if way == Way::Settled(Carriage::Polling) { 200_000 } else { 1_000_000 };
    // Events after which the memory in use is what it takes to go on.
    let warm_after = events / 10;
    let begin = Instant::now();
    let mut progress = Progress::new(&what, events);
    let client = way.connect(&server(kind).url(), &[("receive_limit", &limit.to_string())]);
    emit(&client, "mixed", &format!("[{events}]"));
    let (mut warm, mut most) = (0, 0);
    let mut wrong = None;
    for i in 0..events {
        let message = next(&client, "mixed");
        wrong = wrong.or(check_mixed(i, LARGEST, &message).err());
        if i % 200 == 0 && !pause.is_zero() {
            thread::sleep(pause);
        }
        if i == warm_after {
            warm = own::resident();
        }
        if i > warm_after && i % 1000 == 0 {
            most = most.max(own::resident());
            progress.tell(i, || format!("{} KiB in use", own::resident()));
        }
    }
    let done = next(&client, "mixed_done");
    good(&client, client.disconnect(LONG));
    let queued = stat(&client, "receive_queued_bytes_max");
    let rate = events as f64 / begin.elapsed().as_secs_f64();
    let complete = wrong.is_none() && done.args() == format!("[{events}]");
    // The queue was at its limit, or it was no slow reader.
    let slow = pause.is_zero() || queued >= limit as u64;
    let bounded = queued < limit as u64 + 10_000;
    // The queue of a quick reader is empty or full as it happens.
    let queue = if pause.is_zero() { limit as u64 / 1024 } else { 0 };
    let flat = most <= warm + FLAT + queue;
    let wrong = wrong.map(|what| format!("; {what}")).unwrap_or_default();
    let saw = format!(
        "{events} events, {rate:.0} a second, {warm} KiB in use after a tenth, then at most {most}, \
         queue at most {} KiB{wrong}",
        queued / 1024
    );
    let must =
        format!("all whole and in order, {} KiB more, limit {} KiB", FLAT + queue, limit / 1024);
    table.row(what, saw, must, complete && slow && bounded && flat);
}

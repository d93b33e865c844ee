//! Eight threads emit binary of random sizes: all arrives whole, each thread's in order.

#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use std::{cell::RefCell, thread};

use crate::common::Kind;
use crate::harness::{LONG, crc32, good, named, noise, placeholder, server, stat, tally};
use crate::table::{Progress, Table};
use crate::ways::{Way, server_name};

const THREADS: usize = 8;

pub fn run(table: &mut Table) {
    for kind in table.kinds() {
        for way in Way::ALL {
            threads(table, kind, way);
        }
    }
}

fn threads(table: &mut Table, kind: Kind, way: Way) {
    // Python's servers take some five thousand a second.
    let each = if kind.is_python() { 12_500 } else { 100_000 };
    // A POST takes 16 packets.
    let each = if way.carriage() == crate::common::Carriage::Polling { each / 10 } else { each };
    let total = each * THREADS;
    let what = format!("threads {}, {}", server_name(kind), way.name());
    let begin = Instant::now();
    let client = way.connect(&server(kind).url(), &[]);
    let name = named(&client, "threads");
    let telling = std::sync::Mutex::new(Progress::new(&what, total));
    let sent = AtomicUsize::new(0);
    thread::scope(|scope| {
        for number in 0..THREADS {
            let (client, sent, telling) = (&client, &sent, &telling);
            scope.spawn(move || {
                for i in 0..each {
                    emit(client, number, i);
                    let sent = sent.fetch_add(1, Ordering::Relaxed) + 1;
                    if sent % 1000 == 0
                        && let Ok(mut progress) = telling.lock()
                    {
                        progress.tell(sent, || "emitted".to_owned());
                    }
                }
            });
        }
    });
    let mut progress = (0, Instant::now());
    // It goes on as long as the server does.
    let seen = loop {
        good(&client, client.flush(LONG).or(Ok(())));
        let seen = tally(&client, &name);
        let checked = seen["checked"].as_u64().unwrap_or(0) as usize;
        if checked == total || progress.1.elapsed() > Duration::from_secs(20) {
            break seen;
        }
        if checked > progress.0 {
            progress = (checked, Instant::now());
        }
    };
    let is_good = seen["checked"] == total && seen["bad"] == 0 && seen["misplaced"] == 0;
    let rate = total as f64 / begin.elapsed().as_secs_f64();
    let saw = format!(
        "{} of {total} packets, {} MB, {} not whole, {} out of order, {rate:.0} a second, queue at most {} MB",
        seen["checked"],
        seen["bytes"].as_u64().unwrap_or(0) / 1_000_000,
        seen["bad"],
        seen["misplaced"],
        stat(&client, "send_queued_bytes_max") / 1_000_000,
    );
    table.row(what, saw, "all, whole, each thread's in order", is_good);
}

fn emit(client: &sio::client::Client, number: usize, i: usize) {
    thread_local! {
        static NOISE: RefCell<Vec<u8>> = RefCell::new(noise(1, 8000));
    }
    NOISE.with_borrow(|noise| {
        let random = (number * 1_000_003 + i).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
        let bytes = &noise[random % 5000..][..random % 3000];
        let (first, second) = bytes.split_at(bytes.len() / (1 + i % 3));
        let crc = crc32(bytes);
        let (zero, one) = (placeholder(0), placeholder(1));
        let args = format!("[{number},{i},{crc},{zero},{{\"a\":[{one}]}}]");
        good(client, client.emit("check", Some(&args), &[first, second], LONG));
    });
}

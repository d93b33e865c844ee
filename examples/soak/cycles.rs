//! A thousand times connect, disconnect, free: descriptors, threads and memory are as before.

#![forbid(unsafe_code)]

use std::time::Instant;

use crate::common::Kind;
use crate::harness::{LONG, good, round_trip, server};
use crate::own::Used;
use crate::table::{Progress, Table};
use crate::ways::{Way, server_name};

const CYCLES: usize = 1000;

/// Cycles after which everything that is made once has been made.
const WARM: usize = 50;

/// So much more memory may be in use after them, in KiB.
const FLAT: u64 = 512;

pub fn run(table: &mut Table) {
    for kind in table.kinds() {
        for way in Way::ALL {
            cycles(table, kind, way, true);
        }
        // Freed while it is connected, without a word to the server.
        cycles(table, kind, Way::Settled(crate::common::Carriage::Polling), false);
        cycles(table, kind, Way::Amid, false);
    }
}

fn cycles(table: &mut Table, kind: Kind, way: Way, leaves: bool) {
    let count = table.runs(CYCLES);
    let how = if leaves { "" } else { ", free alone" };
    let what = format!("cycles {}, {}{how}", server_name(kind), way.name());
    let url = server(kind).url();
    let mut progress = Progress::new(&what, count);
    (0..WARM).for_each(|_| cycle(&url, way, leaves));
    let before = Used::now();
    let begin = Instant::now();
    for i in 0..count {
        cycle(&url, way, leaves);
        progress.tell(i + 1, || Used::now().told());
    }
    let each = begin.elapsed() / count as u32;
    let after = Used::now();
    let saw = format!("{before} before; {after} after {count}; {each:.1?} each");
    let must = format!("as before, {FLAT} KiB more at most");
    table.row(what, saw, must, after.is_within(before, 0, FLAT));
}

fn cycle(url: &str, way: Way, leaves: bool) {
    let client = way.connect(url, &[]);
    if way != Way::Amid {
        round_trip(&client);
    }
    if leaves {
        good(&client, client.disconnect(LONG));
    }
}

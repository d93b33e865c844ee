//! A thousand times connect, disconnect, free: descriptors, threads and memory are as before.

#![forbid(unsafe_code)]

use std::time::Instant;

use sio::client::Client;

use crate::common::Kind;
use crate::harness::{LONG, good, round_trip, server};
use crate::{Table, own};

const CYCLES: usize = 1000;

/// Cycles after which everything that is made once has been made.
const WARM: usize = 50;

/// So much more memory may be in use after them, in KiB.
const FLAT: u64 = 512;

pub fn run(table: &mut Table) {
    for kind in Kind::all() {
        let url = server(kind).url();
        cycle(&url, WARM);
        let before = (own::descriptors(), own::threads(), own::resident());
        let begin = Instant::now();
        for _ in 0..5 {
            cycle(&url, CYCLES / 5);
            println!("     {kind:?}: {} KiB in use", own::resident());
        }
        let each = begin.elapsed() / CYCLES as u32;
        let after = (own::descriptors(), own::threads(), own::resident());
        let is_good = before.0 == after.0 && before.1 == after.1 && after.2 <= before.2 + FLAT;
        let result = format!(
            "descriptors {} before, {} after; threads {}, {}; KiB in use {}, {}; {each:.1?} each",
            before.0, after.0, before.1, after.1, before.2, after.2
        );
        table.row(format!("{CYCLES} cycles {kind:?}"), result, is_good);
    }
}

fn cycle(url: &str, times: usize) {
    for _ in 0..times {
        let client = Client::new();
        good(&client, client.connect(Some(url), LONG));
        round_trip(&client);
        good(&client, client.disconnect(LONG));
    }
}

//! Emits and then disconnect: all are received, in order, and the server is told good-bye.

#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use serde_json::Value;
use sio::client::Client;
use sio::error::Status;

use crate::Table;
use crate::common::Kind;
use crate::harness::{LONG, connect, connect_to, emit, eventually, next, server, tally, unique};

const RUNS: usize = 100;

pub fn run(table: &mut Table) {
    for kind in Kind::all() {
        let watch = connect(kind);
        for flooded in [false, true] {
            for count in [1, 5, 50, 1000] {
                let what = if flooded { "under a flood" } else { "plain" };
                let what = format!("leave {kind:?}, {what}, {count} emits");
                let mut sum = Sum::default();
                for run in 0..RUNS {
                    if run == RUNS / 2 {
                        println!("     {what}: half");
                    }
                    sum.add(leave(&watch, kind, flooded, count), count);
                }
                table.row(what, sum.told(), sum.is_good());
            }
        }
    }
}

#[derive(Default)]
struct Sum {
    complete: usize,
    confirmed: usize,
    slowest: Duration,
    first_miss: Option<String>,
}

impl Sum {
    fn add(&mut self, left: Left, count: usize) {
        let Left { status, took, tally } = left;
        let complete = tally["count"] == count
            && tally["in_order"] == true
            && tally["reason"] == "client namespace disconnect";
        self.complete += usize::from(complete);
        self.confirmed += usize::from(status.is_none());
        self.slowest = self.slowest.max(took);
        if !complete || status.is_some() {
            self.first_miss.get_or_insert(format!("{status:?} after {took:?}, {tally}"));
        }
    }

    fn is_good(&self) -> bool {
        self.complete == RUNS && self.confirmed == RUNS
    }

    fn told(&self) -> String {
        let Sum { complete, confirmed, slowest, first_miss } = self;
        let miss = first_miss.as_ref().map(|miss| format!("; {miss}")).unwrap_or_default();
        format!(
            "{complete} of {RUNS} all received, {confirmed} confirmed, slowest {slowest:.1?}{miss}"
        )
    }
}

struct Left {
    status: Option<Status>,
    took: Duration,
    tally: Value,
}

fn leave(watch: &Client, kind: Kind, flooded: bool, count: usize) -> Left {
    let name = unique("leaves");
    let auth = format!("{{\"name\":\"{name}\"}}");
    let overflow = if flooded { "drop_newest" } else { "pause" };
    let options =
        [("auth", auth.as_str()), ("receive_overflow", overflow), ("receive_limit", "1000000")];
    let client = connect_to(&server(kind).url(), &options);
    if flooded {
        emit(&client, "flood_forever", "[10000,false]");
        next(&client, "flood");
    }
    for i in 0..count {
        emit(&client, "count", &format!("[{i}]"));
    }
    let begin = Instant::now();
    let status = client.disconnect(LONG).err();
    let took = begin.elapsed();
    drop(client);
    let mut waited = 0;
    // A server may note the end before it has handled all that came before.
    let tally = eventually("the server notices the end", || {
        let tally = tally(watch, &name);
        waited += usize::from(tally["connected"] == false);
        let over = tally["connected"] == false && (tally["count"] == count || waited > 1000);
        over.then_some(tally)
    });
    Left { status, took, tally }
}

//! Emits and then disconnect: all are received, in order, and the server is told good-bye.

#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use serde_json::Value;
use sio::client::Client;
use sio::error::Status;

use crate::common::{Carriage, Kind};
use crate::harness::{LONG, connect, emit, eventually, next, server, tally, unique};
use crate::table::{Progress, Table, spread};
use crate::ways::{Way, server_name};

const RUNS: usize = 100;

pub fn run(table: &mut Table) {
    for kind in table.kinds() {
        let watch = connect(kind);
        for way in Way::ALL {
            for count in [1, 5, 50, 1000] {
                leaves(table, &watch, kind, way, false, count);
            }
        }
        for way in [Carriage::Polling, Carriage::WebSocket].map(Way::Settled) {
            for count in [1, 5, 50, 1000] {
                leaves(table, &watch, kind, way, true, count);
            }
        }
    }
}

fn leaves(table: &mut Table, watch: &Client, kind: Kind, way: Way, flooded: bool, count: usize) {
    let flood = if flooded { ", under a flood" } else { "" };
    let what = format!("leave {}, {}{flood}, {count} emits", server_name(kind), way.name());
    let runs = table.runs(RUNS);
    let mut progress = Progress::new(&what, runs);
    let mut sum = Sum::default();
    for run in 0..runs {
        sum.add(leave(watch, kind, way, flooded, count), count);
        progress.at(run + 1);
    }
    let good = sum.complete == runs && sum.confirmed == runs;
    table.row(what, sum.told(), format!("{runs} all received, {runs} confirmed"), good);
}

#[derive(Default)]
struct Sum {
    complete: usize,
    confirmed: usize,
    times: Vec<Duration>,
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
        self.times.push(took);
        if !complete || status.is_some() {
            self.first_miss.get_or_insert(format!("{status:?} after {took:?}, {tally}"));
        }
    }

    fn told(mut self) -> String {
        let miss = self.first_miss.map(|miss| format!("; {miss}")).unwrap_or_default();
        let (complete, confirmed) = (self.complete, self.confirmed);
        let times = spread(&mut self.times);
        format!("{complete} all received, {confirmed} confirmed, {times}{miss}")
    }
}

struct Left {
    status: Option<Status>,
    took: Duration,
    tally: Value,
}

fn leave(watch: &Client, kind: Kind, way: Way, flooded: bool, count: usize) -> Left {
    let name = unique("leaves");
    let auth = format!("{{\"name\":\"{name}\"}}");
    let overflow = if flooded { "drop_newest" } else { "pause" };
    let options =
        [("auth", auth.as_str()), ("receive_overflow", overflow), ("receive_limit", "1000000")];
    let client = way.connect(&server(kind).url(), &options);
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

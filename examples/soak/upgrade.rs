//! Two thousand numbered events in both directions across the upgrade: none lost, doubled, out of order.

#![forbid(unsafe_code)]

use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use sio::client::Client;
use sio::error::Status;

use crate::common::{Carriage, Kind};
use crate::content::check_flood;
use crate::harness::{
    LONG, PATIENCE, carried, client_with, crc32, emit, good, json, ms, next, placeholder, server,
    tally, unique,
};
use crate::table::{Progress, Table, spread};
use crate::watch::{Mode, Watch};
use crate::ways::{any_below, server_name};

const RUNS: usize = 100;
const EVENTS: usize = 2000;

/// So much later than it would the upgrade comes in some of the runs, so that it meets the traffic where
/// it is thick.
const LATEST: Duration = Duration::from_millis(40);

/// Bytes of each.
const SIZE: usize = 24;

pub fn run(table: &mut Table) {
    for kind in table.kinds() {
        for binary in [false, true] {
            crossings(table, kind, binary);
        }
    }
}

fn crossings(table: &mut Table, kind: Kind, binary: bool) {
    let content = if binary { "binary" } else { "text" };
    let what = format!("upgrade {}, {EVENTS} each way, {content}", server_name(kind));
    let runs = table.runs(RUNS);
    let mut progress = Progress::new(&what, runs);
    let (mut complete, mut crossed) = (0, 0);
    let (mut left, mut come) = (0, 0);
    let mut times = Vec::new();
    let mut wrong = None;
    for run in 0..runs {
        match crossing(kind, binary) {
            Ok(crossing) => {
                complete += 1;
                crossed += usize::from(crossing.is_amid());
                left += crossing.left;
                come += crossing.come;
                times.push(crossing.took);
            }
            Err(text) => {
                println!("     {what}, number {}: {text}", run + 1);
                wrong.get_or_insert(text);
            }
        }
        progress.at(run + 1);
    }
    let is_well = wrong.is_none();
    let told = wrong.map(|text| format!("; {text}")).unwrap_or_default();
    let (left, come) = (left / complete.max(1), come / complete.max(1));
    let saw = format!(
        "{complete} complete; in {crossed} the upgrade came amid both directions, on average after \
         {left} had left and {come} had come; upgraded after {}{told}",
        spread(&mut times)
    );
    let some = runs.div_ceil(4);
    let must = format!("{runs} complete, the upgrade amid the traffic in {some} or more");
    table.row(what, saw, must, is_well && complete == runs && crossed >= some);
}

struct Crossing {
    /// Events that had left, and had been received, a moment before the upgrade was over.
    left: usize,
    come: usize,
    took: Duration,
}

impl Crossing {
    fn is_amid(&self) -> bool {
        (1..EVENTS).contains(&self.left) && (1..EVENTS).contains(&self.come)
    }
}

fn crossing(kind: Kind, binary: bool) -> Result<Crossing, String> {
    let name = unique("crosses");
    let auth = format!("{{\"name\":\"{name}\"}}");
    let late = LATEST.mul_f64(any_below(100) as f64 / 100.0);
    let watch = Watch::start(server(kind).port(), Mode::LateWebSocket(late));
    let url = if late > LATEST / 4 { watch.url() } else { server(kind).url() };
    let client = carried(Carriage::Upgrade, || client_with(&[("auth", auth.as_str())]));
    good(&client, client.connect(Some(&url), LONG));
    let begin = Instant::now();
    emit(&client, "flood", &format!("[{EVENTS},{SIZE},{binary}]"));
    let (received, crossing) = thread::scope(|scope| {
        let watched = scope.spawn(|| watched(&client, begin));
        let receiver = scope.spawn(|| received(&client, binary));
        (0..EVENTS).for_each(|i| send(&client, i, binary));
        (receiver.join(), watched.join())
    });
    received.map_err(|_| "receiving broke off".to_owned())??;
    let crossing = crossing.map_err(|_| "looking at it broke off".to_owned())??;
    let tally = complete_tally(&client, &name, binary);
    let sound = match binary {
        true => tally["checked"] == EVENTS && tally["bad"] == 0 && tally["misplaced"] == 0,
        false => tally["count"] == EVENTS && tally["in_order"] == true,
    };
    if !sound || tally["connections"] != 1 {
        return Err(format!("the server has {tally}"));
    }
    match client.receive(ms(0)) {
        Err(Status::Timeout) => {}
        Err(status) => return Err(format!("in the end {}: {}", status.name(), client.error())),
        Ok(message) => return Err(format!("one more came: {:.100}", message.args())),
    }
    good(&client, client.disconnect(LONG));
    Ok(crossing)
}

/// Waits for the upgrade and tells how much had gone and come a moment before.
fn watched(client: &Client, begin: Instant) -> Result<Crossing, String> {
    let mut before = (0, 0);
    loop {
        let stats = json(&client.stats());
        let count = |name: &str| stats[name].as_u64().unwrap_or(0);
        match stats["transport"].as_str() {
            Some("polling") if begin.elapsed() < PATIENCE => {
                let left = count("packets_sent").saturating_sub(count("send_queued"));
                before = (left, count("packets_received"));
            }
            Some("websocket") => break,
            _ => return Err(format!("not upgraded after {:?}: {stats}", begin.elapsed())),
        }
        thread::sleep(Duration::from_micros(50));
    }
    // Of the packets, `flood` and CONNECT are no such events, nor are `welcome` and its CONNECT.
    let events = |packets: u64| packets.saturating_sub(2) as usize;
    Ok(Crossing { left: events(before.0), come: events(before.1), took: begin.elapsed() })
}

fn received(client: &Client, binary: bool) -> Result<(), String> {
    next(client, "welcome");
    for i in 0..EVENTS {
        let message = client.receive(LONG);
        let message = message
            .map_err(|status| format!("event {i}: {}: {}", status.name(), client.error()))?;
        if message.name() != "flood" {
            return Err(format!("{} instead of event {i}", message.name()));
        }
        check_flood(i, SIZE, binary, &message)?;
    }
    next(client, "flood_done");
    Ok(())
}

fn send(client: &Client, i: usize, binary: bool) {
    if binary {
        let bytes: Vec<u8> = (i..i + SIZE).map(|byte| byte as u8).collect();
        let args = format!("[0,{i},{},{}]", crc32(&bytes), placeholder(0));
        good(client, client.emit("check", Some(&args), &[&bytes], LONG));
    } else {
        emit(client, "count", &format!("[{i}]"));
    }
}

/// What the server has when it has all, or nothing more comes for a while.
fn complete_tally(client: &Client, name: &str, binary: bool) -> Value {
    let mut progress = (0, Instant::now());
    loop {
        let tally = tally(client, name);
        let count = tally[if binary { "checked" } else { "count" }].as_u64().unwrap_or(0) as usize;
        if count >= EVENTS || progress.1.elapsed() > Duration::from_secs(3) {
            return tally;
        }
        if count > progress.0 {
            progress = (count, Instant::now());
        }
    }
}

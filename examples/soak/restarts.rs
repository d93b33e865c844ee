//! A server killed and restarted two hundred times under load: its clients are back each time within
//! their backoff, what follows is complete, and nothing grows.

#![forbid(unsafe_code)]

use std::thread;
use std::time::{Duration, Instant};

use sio::client::Client;

use crate::common::{Carriage, Kind, Server};
use crate::harness::{LONG, eventually, first, json, unique};
use crate::life::Life;
use crate::own::Used;
use crate::table::{Progress, Table, spread};
use crate::ways::{CARRIAGES, any_below, carriage_name, is_upgraded_within, server_name};

const RUNS: usize = 200;

/// The delays between attempts, in milliseconds: the largest is what a client that lives through one
/// restart after the other has.
const DELAYS: [(&str, &str); 2] = [("reconnect_min_ms", "50"), ("reconnect_max_ms", "500")];

/// So long after the server listens a client may be away: the largest delay, and an attempt with a
/// server that has just been started on a busy machine.
const BACK: Duration = Duration::from_millis(500 + 1000);

/// Events that have to be complete after each restart.
const EVENTS: usize = 20;

/// So much more memory may be in use in the end, in KiB.
const FLAT: u64 = 1024;

pub fn run(table: &mut Table) {
    for kind in table.kinds() {
        restarts(table, kind);
    }
}

fn restarts(table: &mut Table, kind: Kind) {
    let what = format!("restarts {}", server_name(kind));
    let runs = table.runs(RUNS);
    let mut progress = Progress::new(&what, runs);
    let mut server = Server::of(kind);
    let lives = CARRIAGES.map(|carriage| Life::start(carriage, &server.url(), &DELAYS, true));
    let mut times: [Vec<Duration>; 3] = Default::default();
    let mut upgrades = Upgrades { probes: true, due: 0, seen: 0 };
    // A kill amid the very first upgrade would leave a session that does not probe.
    upgrades.look(&lives, 0);
    let mut complete = 0;
    let mut wrong = None;
    let (mut early, mut late) = (Used::default(), Used::default());
    for run in 0..runs {
        let came = restart(&mut server, &lives);
        upgrades.look(&lives, run);
        let came = came.and_then(|back| lives.iter().try_for_each(complete_after).map(|()| back));
        match came {
            Ok(back) => {
                complete += 1;
                times.iter_mut().zip(back).for_each(|(times, back)| times.push(back));
            }
            Err(text) => {
                println!("     {what}, number {}: {text}", run + 1);
                wrong.get_or_insert(text);
            }
        }
        // What is made once was made in the first of them.
        match run {
            _ if run < runs / 10 => {}
            _ if run < runs / 5 => early = early.most(Used::now()),
            _ => late = late.most(Used::now()),
        }
        progress.tell(run + 1, || Used::now().told());
    }
    let echoes: u64 = lives.iter().map(|life| life.noted(|noted| noted.echoes)).sum();
    for life in lives {
        let carriage = carriage_name(life.carriage);
        let at_the_end = life.end().map(|text| format!("{carriage}: {text}"));
        wrong = wrong.or(at_the_end);
    }
    for (carriage, times) in CARRIAGES.iter().zip(&mut times) {
        let saw = format!("{} times back, {}", times.len(), spread(times));
        let must = format!("{runs} times back, {BACK:.1?} at most");
        let good = times.len() == runs && times.last().is_some_and(|slowest| *slowest <= BACK);
        table.row(format!("{what}, {}", carriage_name(*carriage)), saw, must, good);
    }
    let is_well = wrong.is_none();
    let wrong = wrong.map(|text| format!("; {text}")).unwrap_or_default();
    let saw = format!("{complete} times {EVENTS} events of each, {echoes} echoes{wrong}");
    let must = format!("{runs} times complete, echoes whole and in order");
    table.row(format!("{what}, events"), saw, must, complete == runs && is_well);
    let saw = format!("{} of {}", upgrades.seen, upgrades.due);
    let must = format!("{} of as many", upgrades.due);
    table.row(format!("{what}, upgrades"), saw, must, upgrades.seen == upgrades.due);
    let saw = format!("{early} at most in the first fifth; {late} later");
    let must = format!("as before, 2 and {FLAT} KiB more at most");
    // Of fewer runs nothing can be told.
    let good = late.is_within(early, 2, FLAT) || runs < 20;
    table.row(format!("{what}, resources"), saw, must, good);
}

/// Kills the server, starts it again, and tells how long each client was away after that.
fn restart(server: &mut Server, lives: &[Life; 3]) -> Result<[Duration; 3], String> {
    let connects = lives.each_ref().map(|life| life.noted(|noted| noted.connects));
    server.kill();
    thread::sleep(Duration::from_millis(any_below(300)));
    server.restart();
    let up = Instant::now();
    let mut back = [Duration::ZERO; 3];
    for (i, life) in lives.iter().enumerate() {
        let at = life.until("the client is back", |noted| {
            noted.connected_at.filter(|_| noted.is_connected && noted.connects > connects[i])
        });
        let at = at.map_err(|text| format!("{}: {text}", carriage_name(life.carriage)))?;
        back[i] = at.saturating_duration_since(up);
    }
    Ok(back)
}

/// Whether the client that upgrades does so again after a restart.
struct Upgrades {
    /// Whether the session that is there probes.
    probes: bool,
    due: usize,
    seen: usize,
}

impl Upgrades {
    /// So long it may take, on a busy machine.
    const LONGEST: Duration = Duration::from_secs(3);

    /// A session that was lost amid the upgrade is made again without a probe, until one has lasted.
    const LASTING: Duration = Duration::from_millis(5500);

    /// Looks, and has the kill of every tenth run come amid the upgrade.
    fn look(&mut self, lives: &[Life; 3], run: usize) {
        let Some(life) = lives.iter().find(|life| life.carriage == Carriage::Upgrade) else {
            return;
        };
        let is_upgraded = || life.client().transport() == "websocket";
        if !self.probes {
            thread::sleep(Self::LASTING);
        } else if run % 10 != 5 {
            self.due += 1;
            self.seen += usize::from(is_upgraded_within(life.client(), Self::LONGEST));
            thread::sleep(Duration::from_millis(any_below(30)));
        }
        self.probes = is_upgraded() || !self.probes;
    }
}

/// Whether what is emitted now is complete at the server.
pub fn complete_after(life: &Life) -> Result<(), String> {
    let client = life.client();
    let name = unique("later");
    let told = |status: sio::error::Status| {
        format!("{}: {}: {}", carriage_name(life.carriage), status.name(), client.error())
    };
    call(client, "name", &format!("[\"{name}\"]")).map_err(told)?;
    for i in 0..EVENTS {
        client.emit("count", Some(&format!("[{i}]")), &[], LONG).map_err(told)?;
    }
    let last = call(client, "count", &format!("[{EVENTS}]")).map_err(told)?;
    let tally = eventually("the server's tally", || {
        let tally = client.call("tally", Some(&format!("[\"{name}\"]")), &[], LONG);
        Some(tally.map(|reply| first(&reply)))
    });
    let tally = tally.map_err(told)?;
    let good = tally["count"] == EVENTS + 1 && tally["in_order"] == true;
    if good && json(&last)[0] == EVENTS + 1 {
        Ok(())
    } else {
        Err(format!("{}: {tally}", carriage_name(life.carriage)))
    }
}

fn call(client: &Client, event: &str, args: &str) -> Result<String, sio::error::Status> {
    client.call(event, Some(args), &[], LONG).map(|reply| reply.args().to_owned())
}

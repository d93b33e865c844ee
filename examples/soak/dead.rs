//! A server that stops doing anything (SIGSTOP) is found to be dead within its ping interval and timeout,
//! and when it goes on its clients are back.

#![forbid(unsafe_code)]

use std::thread;
use std::time::{Duration, Instant};

use crate::common::{Carriage, Kind, Options, Server};
use crate::harness::PATIENCE;
use crate::life::Life;
use crate::process::{go_on, stop};
use crate::restarts::complete_after;
use crate::table::{Progress, Table, spread};
use crate::ways::{CARRIAGES, any_below, carriage_name, is_upgraded_within, server_name};

const RUNS: usize = 10;

/// The server's ping interval, and its ping timeout.
const SECOND: Duration = Duration::from_secs(1);

/// Both, and what it may take beyond.
const FOUND: Duration = Duration::from_millis(2 * 1000 + 500);

pub fn run(table: &mut Table) {
    for kind in table.kinds() {
        for busy in [false, true] {
            dead(table, kind, busy);
        }
    }
}

fn dead(table: &mut Table, kind: Kind, busy: bool) {
    let load = if busy { ", busy" } else { "" };
    let what = format!("dead {}{load}", server_name(kind));
    let runs = table.runs(RUNS);
    let mut progress = Progress::new(&what, runs);
    let second = Some(SECOND);
    let options = Options { ping_interval: second, ping_timeout: second, ..Options::default() };
    let server = Server::start(kind, options);
    // An attempt with the server that is stopped waits in vain, and is then followed by another.
    let options =
        [("reconnect_min_ms", "100"), ("reconnect_max_ms", "200"), ("attempt_timeout_ms", "1000")];
    let lives = CARRIAGES.map(|carriage| Life::start(carriage, &server.url(), &options, busy));
    let mut times: [Vec<Duration>; 3] = Default::default();
    let mut wrong = None;
    for run in 0..runs {
        match once(&server, &lives) {
            Ok(found) => times.iter_mut().zip(found).for_each(|(times, time)| times.push(time)),
            Err(text) => {
                println!("     {what}, number {}: {text}", run + 1);
                wrong.get_or_insert(text);
            }
        }
        progress.at(run + 1);
    }
    for life in lives {
        let carriage = carriage_name(life.carriage);
        let at_the_end = life.end().map(|text| format!("{carriage}: {text}"));
        wrong = wrong.or(at_the_end);
    }
    let is_well = wrong.is_none();
    for (carriage, times) in CARRIAGES.iter().zip(&mut times) {
        let told = wrong.take().map(|text| format!("; {text}")).unwrap_or_default();
        let saw = format!("{} times found, {}{told}", times.len(), spread(times));
        let must = format!("{runs} times, within {SECOND:?} + {SECOND:?} + 0.5s");
        let good = times.len() == runs && times.last().is_some_and(|slowest| *slowest <= FOUND);
        table.row(format!("{what}, {}", carriage_name(*carriage)), saw, must, good && is_well);
    }
}

fn once(server: &Server, lives: &[Life; 3]) -> Result<[Duration; 3], String> {
    for life in lives {
        let upgrades = life.carriage == Carriage::Upgrade;
        if upgrades && !is_upgraded_within(life.client(), PATIENCE) {
            return Err(format!("not upgraded within {PATIENCE:?}"));
        }
    }
    thread::sleep(Duration::from_millis(any_below(1000)));
    let connects = lives.each_ref().map(|life| life.noted(|noted| noted.connects));
    stop(server);
    let stopped = Instant::now();
    let found = found(lives, stopped);
    go_on(server);
    let times = found?;
    for (i, life) in lives.iter().enumerate() {
        let back = |noted: &crate::life::Noted| {
            (noted.is_connected && noted.connects > connects[i]).then_some(())
        };
        let told = |text| format!("{}: {text}", carriage_name(life.carriage));
        life.until("the client is back", back).map_err(told)?;
        complete_after(life)?;
    }
    Ok(times)
}

fn found(lives: &[Life; 3], stopped: Instant) -> Result<[Duration; 3], String> {
    let mut times = [Duration::ZERO; 3];
    for (i, life) in lives.iter().enumerate() {
        let lost = |noted: &crate::life::Noted| {
            noted.loss.clone().filter(|loss| !noted.is_connected && loss.at > stopped)
        };
        let told = |text| format!("{}: {text}", carriage_name(life.carriage));
        let loss = life.until("the dead server is found", lost).map_err(told)?;
        if loss.reason != "ping timeout" {
            return Err(told(format!("{loss:?}")));
        }
        times[i] = loss.at - stopped;
    }
    Ok(times)
}

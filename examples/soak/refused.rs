//! A reconnection that the server refuses stops at once, and tells why.

#![forbid(unsafe_code)]

use std::thread;
use std::time::{Duration, Instant};

use sio::error::Status;
use sio::session::State;

use crate::common::{Kind, Server};
use crate::harness::{failure, good, ms};
use crate::life::Life;
use crate::table::{Progress, Table, spread};
use crate::watch::{Mode, Watch};
use crate::ways::{CARRIAGES, carriage_name, server_name};

const RUNS: usize = 10;

/// See `restarts`.
const BACK: Duration = Duration::from_millis(200 + 1000);

/// So long after it no connection may come: several times the largest delay.
const QUIET: Duration = Duration::from_secs(2);

pub fn run(table: &mut Table) {
    for kind in table.kinds() {
        let what = format!("refused {}", server_name(kind));
        let runs = table.runs(RUNS);
        let mut progress = Progress::new(&what, runs);
        let mut times = Vec::new();
        let mut wrong = None;
        for run in 0..runs {
            match refused(kind) {
                Ok(all) => times.extend(all),
                Err(text) => {
                    println!("     {what}, number {}: {text}", run + 1);
                    wrong.get_or_insert(text);
                }
            }
            progress.at(run + 1);
        }
        let told = wrong.as_ref().map(|text| format!("; {text}")).unwrap_or_default();
        let saw = format!("{} ended, {}{told}", times.len(), spread(&mut times));
        let must = format!(
            "{} ended within {BACK:.1?}, the server's words told, no attempt in {QUIET:?}",
            runs * CARRIAGES.len()
        );
        let in_time = times.last().is_some_and(|slowest| *slowest <= BACK);
        table.row(what, saw, must, wrong.is_none() && in_time);
    }
}

fn refused(kind: Kind) -> Result<Vec<Duration>, String> {
    let options = [
        ("namespace", "/auth"),
        ("auth", r#"{"token":"secret"}"#),
        ("reconnect_min_ms", "100"),
        ("reconnect_max_ms", "200"),
    ];
    let mut server = Server::of(kind);
    let lives = CARRIAGES.map(|carriage| {
        let watch = Watch::start(server.port(), Mode::Pass);
        let life = Life::start(carriage, &watch.url(), &options, false);
        let client = life.client();
        good(client, client.set("auth", Some(r#"{"token":"other"}"#)));
        (watch, life)
    });
    server.kill();
    server.restart();
    let up = Instant::now();
    let mut times = Vec::new();
    for (_, life) in &lives {
        let end = life.until("the end", |noted| noted.end.clone())?;
        times.push(end.at.saturating_duration_since(up));
        let client = life.client();
        let ended = failed_with(client.receive(ms(0)), Status::Disconnected);
        let details = failure(client);
        let told = end.text.contains("bad token") && client.error().contains("bad token");
        let message = details["message"] == "bad token";
        if !ended || !told || !message || client.state() != State::Closed {
            let carriage = carriage_name(life.carriage);
            return Err(format!("{carriage}: {end:?}, {details}, {:?}", client.state()));
        }
    }
    let over = Instant::now();
    thread::sleep(QUIET);
    for (watch, life) in &lives {
        let (later, open) = (watch.made_after(over), watch.open());
        if later > 0 || open > 0 {
            let carriage = carriage_name(life.carriage);
            return Err(format!("{carriage}: {later} connections later, {open} still open"));
        }
    }
    Ok(times)
}

fn failed_with<T>(result: Result<T, Status>, expected: Status) -> bool {
    result.is_err_and(|status| status == expected)
}

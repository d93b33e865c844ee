//! After disconnect and after free the server sees no connection any more, in whatever state the client
//! was, and both are quick.

#![forbid(unsafe_code)]

use std::thread;
use std::time::{Duration, Instant};

use sio::client::Client;
use sio::session::State;
use sio::sleepers::Timeout;

use crate::common::{Carriage, Kind};
use crate::harness::{LONG, carried, client_with, eventually, good, ms, server, stat};
use crate::table::Table;
use crate::watch::{Mode, Watch};
use crate::ways::{CARRIAGES, Way, carriage_name, server_name};

/// So long no connection may come.
const QUIET: Duration = Duration::from_secs(10);

/// So long a free, or a disconnect that need not wait, may take.
const QUICK: Duration = Duration::from_millis(100);

/// A connection that was made before the end may be seen so much later.
const SEEN: Duration = Duration::from_millis(50);

/// Where the client is when the end comes.
#[derive(Clone, Copy, Debug)]
enum Stage {
    /// Of a client by polling this is amid a long poll.
    Connected(Way),
    /// The attempt is not answered.
    Connecting(Carriage),
    /// The attempt is refused and followed by others.
    Retrying(Carriage),
    /// It waits for the next attempt.
    Reconnecting(Carriage),
    /// The attempt of a reconnection is not answered.
    Attempting(Carriage),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Free,
    DisconnectNow,
    Disconnect,
}

pub fn run(table: &mut Table) {
    for kind in table.kinds() {
        let mut stages = Way::ALL.map(Stage::Connected).to_vec();
        for make in [Stage::Connecting, Stage::Retrying, Stage::Reconnecting, Stage::Attempting] {
            stages.extend(CARRIAGES.map(make));
        }
        let url_of = server(kind);
        println!("     silence {}: {} stages, {QUIET:?}", server_name(kind), stages.len() * 3);
        thread::scope(|scope| {
            let mut seen = Vec::new();
            for stage in stages {
                for end in [End::Free, End::DisconnectNow, End::Disconnect] {
                    let port = url_of.port();
                    seen.push((stage, end, scope.spawn(move || silence(port, stage, end))));
                    // The figures are those of one client at a time.
                    thread::sleep(Duration::from_millis(150));
                }
            }
            for (stage, end, thread) in seen {
                let Ok(Seen { took, later, open }) = thread.join() else {
                    table.row(told(kind, stage, end), "broke off", "no failure", false);
                    continue;
                };
                let limit = limit(stage, end);
                let saw = format!("{took:.1?}, {later} connections later, {open} still open");
                let must = format!("{limit:?} at most, 0, 0");
                let good = took <= limit && later == 0 && open == 0;
                table.row(told(kind, stage, end), saw, must, good);
            }
        });
    }
}

fn told(kind: Kind, stage: Stage, end: End) -> String {
    let stage = match stage {
        Stage::Connected(way) => format!("connected {}", way.name()),
        Stage::Connecting(carriage) => format!("connecting {}", carriage_name(carriage)),
        Stage::Retrying(carriage) => format!("connecting again {}", carriage_name(carriage)),
        Stage::Reconnecting(carriage) => format!("reconnecting {}", carriage_name(carriage)),
        Stage::Attempting(carriage) => format!("amid a reconnection {}", carriage_name(carriage)),
    };
    let end = match end {
        End::Free => "free",
        End::DisconnectNow => "disconnect(0)",
        End::Disconnect => "disconnect",
    };
    format!("silence {}, {stage}, {end}", server_name(kind))
}

/// Only leaving a server that answers takes longer.
fn limit(stage: Stage, end: End) -> Duration {
    match (stage, end) {
        (Stage::Connected(_), End::Disconnect) => Duration::from_secs(1),
        _ => QUICK,
    }
}

struct Seen {
    took: Duration,
    later: usize,
    open: usize,
}

fn silence(port: u16, stage: Stage, end: End) -> Seen {
    let first = match stage {
        Stage::Connecting(_) => Mode::Hold,
        Stage::Retrying(_) => Mode::Close,
        _ => Mode::Pass,
    };
    let watch = Watch::start(port, first);
    let (client, took) = match stage {
        Stage::Connected(way) => {
            let client = way.connect(&watch.url(), &with("reconnection"));
            if way != Way::Amid {
                // The long poll is on its way.
                thread::sleep(Duration::from_millis(50));
            }
            let took = ended(&client, end);
            (client, took)
        }
        Stage::Connecting(carriage) => {
            let client = carried(carriage, || client_with(&[]));
            let took = amid_connect(&client, &watch, end, || watch.open() > 0);
            (client, took)
        }
        Stage::Retrying(carriage) => {
            let client = carried(carriage, || client_with(&with("retry_connect")));
            let took = amid_connect(&client, &watch, end, || stat(&client, "attempts") > 1);
            (client, took)
        }
        Stage::Reconnecting(carriage) | Stage::Attempting(carriage) => {
            let way = Way::Settled(carriage);
            let client = way.connect(&watch.url(), &with("reconnection"));
            // The long poll is on its way: one that begins after the cut would be held for its time.
            thread::sleep(Duration::from_millis(50));
            let holds = matches!(stage, Stage::Attempting(_));
            watch.cut(if holds { Mode::Hold } else { Mode::Close });
            eventually("it reconnects", || (client.state() == State::Reconnecting).then_some(()));
            let cut = Instant::now();
            eventually("the attempt begins", || {
                (!holds || watch.made_after(cut) > 0).then_some(())
            });
            let took = ended(&client, end);
            (client, took)
        }
    };
    let over = Instant::now();
    thread::sleep(QUIET);
    let (later, open) = (watch.made_after(over + SEEN), watch.open());
    drop(client);
    Seen { took, later, open }
}

/// The option turned on, with delays so short that many attempts would fall into the time that is
/// looked at.
fn with(option: &'static str) -> [(&'static str, &'static str); 3] {
    [(option, "1"), ("reconnect_min_ms", "200"), ("reconnect_max_ms", "500")]
}

/// Ends the client while another thread connects it.
fn amid_connect(client: &Client, watch: &Watch, end: End, is_amid: impl Fn() -> bool) -> Duration {
    thread::scope(|scope| {
        let url = watch.url();
        let connect = scope.spawn(move || client.connect(Some(&url), Timeout::Forever));
        eventually("it connects", || is_amid().then_some(()));
        let took = ended(client, end);
        let begin = Instant::now();
        assert!(connect.join().expect("no panic").is_err(), "it is connected");
        took + begin.elapsed()
    })
}

fn ended(client: &Client, end: End) -> Duration {
    let begin = Instant::now();
    match end {
        End::Free => client.close(),
        // Whether the server has taken everything is not known then.
        End::DisconnectNow => _ = client.disconnect(ms(0)),
        End::Disconnect => good(client, client.disconnect(LONG)),
    }
    begin.elapsed()
}

//! How a client is carried in a run, and the names of all that.

#![forbid(unsafe_code)]

use std::thread;
use std::time::{Duration, Instant};

use sio::client::Client;

use crate::common::{Carriage, Kind};
use crate::harness::{carried, connect_to, eventually};

/// Every carriage.
pub const CARRIAGES: [Carriage; 3] = [Carriage::Polling, Carriage::WebSocket, Carriage::Upgrade];

/// In what state a client is when the thing that is looked at happens to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Carried as it will stay. After an upgrade this is by websocket.
    Settled(Carriage),
    /// Connected by polling a moment ago, so that the upgrade is under way.
    Amid,
}

impl Way {
    /// Every way.
    pub const ALL: [Way; 4] = [
        Way::Settled(Carriage::Polling),
        Way::Settled(Carriage::WebSocket),
        Way::Settled(Carriage::Upgrade),
        Way::Amid,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Way::Settled(Carriage::Polling) => "by polling",
            Way::Settled(Carriage::WebSocket) => "by websocket",
            Way::Settled(Carriage::Upgrade) => "upgraded",
            Way::Amid => "amid the upgrade",
        }
    }

    pub fn carriage(self) -> Carriage {
        match self {
            Way::Settled(carriage) => carriage,
            Way::Amid => Carriage::Upgrade,
        }
    }

    /// A connected client, its `welcome` taken.
    pub fn connect(self, url: &str, options: &[(&str, &str)]) -> Client {
        let client = carried(self.carriage(), || connect_to(url, options));
        if self == Way::Settled(Carriage::Upgrade) {
            upgraded(&client);
        }
        client
    }
}

/// Waits until the client is carried by websocket.
pub fn upgraded(client: &Client) {
    eventually("the upgrade", || (client.transport() == "websocket").then_some(()));
}

/// Whether it is within that time.
pub fn is_upgraded_within(client: &Client, time: Duration) -> bool {
    let begin = Instant::now();
    while client.transport() != "websocket" {
        if begin.elapsed() > time {
            return false;
        }
        thread::sleep(Duration::from_millis(1));
    }
    true
}

pub fn carriage_name(carriage: Carriage) -> &'static str {
    Way::Settled(carriage).name()
}

pub fn server_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Oxide => "oxide",
        Kind::Node => "node",
        Kind::PythonAsyncio => "asyncio",
        Kind::PythonThreaded => "threaded",
    }
}

/// Any number below this one.
pub fn any_below(limit: u64) -> u64 {
    rand::random::<u64>() % limit
}

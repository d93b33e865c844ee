//! A million events through epoll: each wake-up comes, and finds something.

#![forbid(unsafe_code)]

use std::time::Instant;

use crate::common::{Carriage, Kind};
use crate::epoll;
use crate::harness::server;
use crate::table::Table;
use crate::ways::Way;

pub fn run(table: &mut Table) {
    for way in [Carriage::WebSocket, Carriage::Polling].map(Way::Settled) {
        let events = if way == Way::Settled(Carriage::Polling) { 200_000 } else { 1_000_000 };
        let begin = Instant::now();
        let client = way.connect(&server(Kind::Oxide).url(), &[]);
        // A wake-up that is lost or finds nothing ends this with a panic, and so the part.
        let wakes = epoll::flood(&client, events);
        let rate = events as f64 / begin.elapsed().as_secs_f64();
        let saw = format!("{events} events in order, {wakes} wake-ups, {rate:.0} a second");
        let must = "each comes and finds something, never more than events";
        table.row(format!("wakes, {}", way.name()), saw, must, wakes as usize <= events + 1);
    }
}

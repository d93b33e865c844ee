//! Clients that wait use no processor time.

#![forbid(unsafe_code)]

use std::thread;
use std::time::Duration;

use sio::client::Client;
use sio::error::Status;
use sio::sleepers::Timeout;

use crate::common::{Kind, Options, Server};
use crate::harness::{
    LONG, client_with, connect, connect_to, emit, eventually, failed, good, server, stat,
};
use crate::{Table, own};

const TIME: Duration = Duration::from_secs(10);

pub fn run(table: &mut Table) {
    let kind = Kind::Oxide;
    let connected = connect(kind);
    measure(table, "connected", &connected, Status::Timeout);
    drop(connected);

    let second = Some(Duration::from_secs(1));
    let options = Options { ping_interval: second, ping_timeout: second, ..Options::default() };
    let pinging = Server::start(kind, options);
    let connected = connect_to(&pinging.url(), &[]);
    measure(table, "connected, a ping each second", &connected, Status::Timeout);
    drop(connected);

    measure(table, "never connected", &client_with(&[]), Status::Timeout);

    let paused = connect_to(&server(kind).url(), &[("receive_limit", "100000")]);
    emit(&paused, "flood_forever", "[10000,false]");
    eventually("reading is paused", || {
        (stat(&paused, "receive_queued_bytes") >= 100_000).then_some(())
    });
    // It waits for the answer to a call, for to receive would end the pause.
    thread::scope(|scope| {
        let call = || failed(paused.call("no_ack", None, &[], Timeout::Limit(TIME * 2)));
        let call = scope.spawn(call);
        measured(table, "paused, in call", || thread::sleep(TIME));
        good(&paused, paused.disconnect(LONG));
        let _ = call.join();
    });
}

fn measure(table: &mut Table, what: &str, client: &Client, expected: Status) {
    measured(table, &format!("{what}, in receive"), || {
        let status = failed(client.receive(Timeout::Limit(TIME)));
        assert_eq!(status, expected, "{}", client.error());
    });
}

fn measured(table: &mut Table, what: &str, wait: impl FnOnce()) {
    println!("     {what}: {TIME:?}");
    let before = own::processor();
    wait();
    let used = own::processor().saturating_sub(before);
    let share = used.as_secs_f64() / TIME.as_secs_f64() * 100.0;
    let result = format!("{used:.1?} in {TIME:?}, {share:.4} %");
    table.row(format!("idle, {what}"), result, share < 0.1);
}

//! Clients that wait use no processor time, in whatever state they are.

#![forbid(unsafe_code)]

use std::thread;
use std::time::Duration;

use sio::client::Client;
use sio::error::Status;
use sio::session::State;
use sio::sleepers::Timeout;

use crate::common::{Carriage, Kind, Options, Server};
use crate::harness::{LONG, carried, client_with, emit, eventually, failed, good, server, stat};
use crate::own;
use crate::table::Table;
use crate::watch::{Mode, Watch};
use crate::ways::{CARRIAGES, Way, carriage_name};

const TIME: Duration = Duration::from_secs(10);

/// In percent of one processor.
const MOST: f64 = 0.1;

pub fn run(table: &mut Table) {
    let kind = table.kinds()[0];
    let second = Some(Duration::from_secs(1));
    let options = Options { ping_interval: second, ping_timeout: second, ..Options::default() };
    let pinging = Server::start(kind, options);
    for carriage in CARRIAGES {
        let name = carriage_name(carriage);
        let client = Way::Settled(carriage).connect(&server(kind).url(), &[]);
        receiving(table, &format!("connected {name}"), &client);
        let client = Way::Settled(carriage).connect(&pinging.url(), &[]);
        receiving(table, &format!("connected {name}, a ping each second"), &client);
    }
    for carriage in [Carriage::Polling, Carriage::WebSocket] {
        paused(table, kind, carriage);
        reconnecting(table, kind, carriage, Mode::Close, "closed at once");
        reconnecting(table, kind, carriage, Mode::Hold, "not answered");
        connecting(table, carriage);
    }
    nobody_there(table, kind);
    let client = client_with(&[]);
    receiving(table, "never connected", &client);
    let client = Way::Settled(Carriage::Upgrade).connect(&server(kind).url(), &[]);
    good(&client, client.disconnect(LONG));
    measured(table, "disconnected", || thread::sleep(TIME));
}

fn paused(table: &mut Table, kind: Kind, carriage: Carriage) {
    let options = [("receive_limit", "100000")];
    let client = Way::Settled(carriage).connect(&server(kind).url(), &options);
    emit(&client, "flood_forever", "[10000,false]");
    eventually("reading is paused", || {
        (stat(&client, "receive_queued_bytes") >= 100_000).then_some(())
    });
    // It waits for the answer to a call, for to receive would end the pause.
    thread::scope(|scope| {
        let call = || failed(client.call("no_ack", None, &[], Timeout::Limit(TIME * 2)));
        let call = scope.spawn(call);
        let what = format!("paused {}, in call", carriage_name(carriage));
        measured(table, &what, || thread::sleep(TIME));
        good(&client, client.disconnect(LONG));
        let _ = call.join();
    });
}

/// With the delays that are the default.
fn reconnecting(table: &mut Table, kind: Kind, carriage: Carriage, mode: Mode, how: &str) {
    let watch = Watch::start(server(kind).port(), Mode::Pass);
    let client = Way::Settled(carriage).connect(&watch.url(), &[("reconnection", "1")]);
    watch.cut(mode);
    eventually("it reconnects", || (client.state() == State::Reconnecting).then_some(()));
    receiving(table, &format!("reconnecting {}, {how}", carriage_name(carriage)), &client);
}

fn connecting(table: &mut Table, carriage: Carriage) {
    let watch = Watch::start(0, Mode::Hold);
    let client = carried(carriage, || client_with(&[("request_timeout_ms", "60000")]));
    thread::scope(|scope| {
        scope.spawn(|| client.connect(Some(&watch.url()), Timeout::Limit(TIME * 2)));
        eventually("it connects", || (watch.open() > 0).then_some(()));
        let what = format!("connecting {}, not answered", carriage_name(carriage));
        measured(table, &what, || thread::sleep(TIME));
        client.close();
    });
}

fn nobody_there(table: &mut Table, kind: Kind) {
    let mut gone = Server::of(kind);
    gone.kill();
    let client = client_with(&[("retry_connect", "1")]);
    thread::scope(|scope| {
        scope.spawn(|| client.connect(Some(&gone.url()), Timeout::Limit(TIME * 2)));
        eventually("it connects", || (client.state() == State::Connecting).then_some(()));
        measured(table, "connecting again and again, nobody there", || thread::sleep(TIME));
        client.close();
    });
}

fn receiving(table: &mut Table, what: &str, client: &Client) {
    measured(table, &format!("{what}, in receive"), || {
        let status = failed(client.receive(Timeout::Limit(TIME)));
        assert_eq!(status, Status::Timeout, "{}", client.error());
    });
}

fn measured(table: &mut Table, what: &str, wait: impl FnOnce()) {
    println!("     {what}: {TIME:?}");
    let before = own::processor();
    wait();
    let used = own::processor().saturating_sub(before);
    let share = used.as_secs_f64() / TIME.as_secs_f64() * 100.0;
    let saw = format!("{used:.1?} in {TIME:?}, {share:.4} %");
    table.row(format!("idle, {what}"), saw, format!("below {MOST} %"), share < MOST);
}

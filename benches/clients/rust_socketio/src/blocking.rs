//! The cells on the crate's blocking client, whose callbacks run on a thread of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rust_socketio::client::Client;
use rust_socketio::{ClientBuilder, Event, Payload};
use serde_json::json;

use crate::measure::{Figures, Measure, idled, members, percentiles, status};
use crate::order::{LONGEST, Order, answer, expect_counted, fail};

pub fn run(order: &Order) -> Figures {
    match order.cell.as_str() {
        "recv" => recv(order),
        "emit" => emit(order),
        "call" => call(order),
        "connect" => connect(order),
        "start" => {
            std::mem::forget(connected(order, builder(order)));
            members(json!({"count": 1}))
        }
        "idle" => idle(order),
        cell => fail(2, &format!("rust_socketio has no {cell}")),
    }
}

fn builder(order: &Order) -> ClientBuilder {
    let builder = ClientBuilder::new(order.url.as_str())
        .transport_type(order.transport.clone())
        .reconnect(false)
        .on(Event::Error, |payload, _| fail(1, &format!("an error: {payload:?}")));
    match &order.tls {
        Some(tls) => builder.tls_config(tls.clone()),
        None => builder,
    }
}

/// Connects; `connect` alone does not wait for the server's answer.
fn connected(order: &Order, builder: ClientBuilder) -> Client {
    let (opened, open) = mpsc::channel();
    let client = builder
        .on(Event::Connect, move |_, _| opened.send(()).unwrap_or_default())
        .connect()
        .unwrap_or_else(|error| fail(1, &format!("connect to {}: {error}", order.url)));
    waited(&open, || "not connected".into());
    client
}

fn recv(order: &Order) -> Figures {
    let (done, all) = mpsc::channel();
    let seen = Arc::new(AtomicUsize::new(0));
    let (warm, total) = (order.warm(), order.warm() + order.count);
    let touch = order.toucher();
    let count = Arc::clone(&seen);
    let on_tick = move |payload: Payload, _| {
        touch(&payload);
        let seen = count.fetch_add(1, Ordering::Relaxed) + 1;
        if seen == warm || seen == total {
            let _ = done.send(());
        }
    };
    let client = connected(order, builder(order).on("tick", on_tick));
    let flood = |events: usize| {
        sent(client.emit("flood", order.flood(events)));
        waited(&all, || format!("{} of {total} events came", seen.load(Ordering::Relaxed)));
    };
    flood(warm);
    let measure = Measure::start();
    flood(order.count);
    measure.stop(order.count)
}

fn emit(order: &Order) -> Figures {
    let client = connected(order, builder(order));
    let payload = order.payload();
    let emits = |events: usize| {
        for _ in 0..events {
            sent(client.emit("tick", payload.clone()));
        }
        let (done, answered) = mpsc::channel();
        let on_answer = move |payload, _| done.send(answer(&payload)).unwrap_or_default();
        sent(client.emit_with_ack("done", Payload::Text(Vec::new()), LONGEST, on_answer));
        expect_counted(waited(&answered, || "no answer".into()), events);
    };
    emits(order.warm());
    let measure = Measure::start();
    emits(order.count);
    measure.stop(order.count)
}

fn call(order: &Order) -> Figures {
    let client = connected(order, builder(order));
    let calls = |count: usize| {
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let start = Instant::now();
            let (done, answered) = mpsc::channel();
            let args = Payload::Text(vec![json!(2), json!(3)]);
            let on_answer = move |_: Payload, _| done.send(()).unwrap_or_default();
            sent(client.emit_with_ack("add", args, LONGEST, on_answer));
            waited(&answered, || "no answer".into());
            times.push(start.elapsed());
        }
        times
    };
    calls(order.warm());
    let measure = Measure::start();
    let times = calls(order.count);
    percentiles(measure.stop(order.count), times)
}

/// The clients stay connected: the thread of one that has disconnected runs on in a busy loop.
fn connect(order: &Order) -> Figures {
    let mut times = Vec::with_capacity(order.count);
    let mut clients = Vec::new();
    for at in 0..order.warm() + order.count {
        let start = Instant::now();
        clients.push(connected(order, builder(order)));
        if at >= order.warm() {
            times.push(start.elapsed());
        }
    }
    std::mem::forget(clients);
    percentiles(members(json!({"count": order.count})), times)
}

fn idle(order: &Order) -> Figures {
    let before = status("VmRSS");
    let clients: Vec<_> = (0..order.clients).map(|_| connected(order, builder(order))).collect();
    let measure = Measure::start();
    sleep(Duration::from_secs(order.seconds));
    let figures = idled(measure.stop(clients.len()), before);
    std::mem::forget(clients);
    figures
}

fn sent(result: Result<(), rust_socketio::Error>) {
    if let Err(error) = result {
        fail(1, &format!("emit: {error}"));
    }
}

/// What a callback tells the main thread.
fn waited<T>(receiver: &Receiver<T>, what: impl FnOnce() -> String) -> T {
    match receiver.recv_timeout(LONGEST) {
        Ok(told) => told,
        Err(RecvTimeoutError::Timeout) => fail(1, &format!("{} in {LONGEST:?}", what())),
        Err(RecvTimeoutError::Disconnected) => fail(1, "the client dropped its callback"),
    }
}

//! The cells on the crate's asynchronous client.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::{BoxFuture, FutureExt, ready};
use rust_socketio::asynchronous::{Client, ClientBuilder};
use rust_socketio::{Event, Payload};
use serde_json::json;
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::time::{sleep, timeout};

use crate::measure::{Figures, Measure, idled, members, percentiles, status};
use crate::order::{LONGEST, Order, answer, expect_counted, fail};

pub fn run(order: &Order) -> Figures {
    // Each on the runtime on which it is faster.
    let mut runtime = match order.cell.as_str() {
        "recv" => tokio::runtime::Builder::new_multi_thread(),
        _ => tokio::runtime::Builder::new_current_thread(),
    };
    runtime.enable_all().build().expect("a runtime").block_on(async {
        match order.cell.as_str() {
            "recv" => recv(order).await,
            "emit" => emit(order).await,
            "call" => call(order).await,
            "connect" => connect(order).await,
            "start" => {
                std::mem::forget(connected(order, builder(order)).await);
                members(json!({"count": 1}))
            }
            "idle" => idle(order).await,
            cell => fail(2, &format!("rust_socketio has no {cell}")),
        }
    })
}

fn builder(order: &Order) -> ClientBuilder {
    // To have disconnected is an error too.
    let is_over = order.cell == "connect";
    let builder = ClientBuilder::new(order.url.as_str())
        .transport_type(order.transport.clone())
        .reconnect(false)
        .on(Event::Error, move |payload: Payload, _: Client| -> BoxFuture<'static, ()> {
            if !is_over {
                fail(1, &format!("an error: {payload:?}"));
            }
            ready(()).boxed()
        });
    match &order.tls {
        Some(tls) => builder.tls_config(tls.clone()),
        None => builder,
    }
}

/// Connects; `connect` alone does not wait for the server's answer.
async fn connected(order: &Order, builder: ClientBuilder) -> Client {
    let (opened, mut open) = mpsc::unbounded_channel();
    let on_connect = move |_: Payload, _: Client| {
        let _ = opened.send(());
        ready(()).boxed()
    };
    let client = builder
        .on(Event::Connect, on_connect)
        .connect()
        .await
        .unwrap_or_else(|error| fail(1, &format!("connect to {}: {error}", order.url)));
    waited(&mut open, || "not connected".into()).await;
    client
}

async fn recv(order: &Order) -> Figures {
    let (done, mut all) = mpsc::unbounded_channel();
    let seen = Arc::new(AtomicUsize::new(0));
    let (warm, total) = (order.warm(), order.warm() + order.count);
    let touch = order.toucher();
    let count = Arc::clone(&seen);
    let on_tick = move |payload: Payload, _: Client| {
        touch(&payload);
        let seen = count.fetch_add(1, Ordering::Relaxed) + 1;
        if seen == warm || seen == total {
            let _ = done.send(());
        }
        ready(()).boxed()
    };
    let client = connected(order, builder(order).on("tick", on_tick)).await;
    let mut flood = async |events: usize| {
        sent(client.emit("flood", order.flood(events)).await);
        waited(&mut all, || format!("{} of {total} events came", seen.load(Ordering::Relaxed)))
            .await;
    };
    flood(warm).await;
    let measure = Measure::start();
    flood(order.count).await;
    measure.stop(order.count)
}

async fn emit(order: &Order) -> Figures {
    let client = connected(order, builder(order)).await;
    let payload = order.payload();
    let emits = async |events: usize| {
        for _ in 0..events {
            sent(client.emit("tick", payload.clone()).await);
        }
        let (done, mut answered) = mpsc::unbounded_channel();
        let on_answer = move |payload: Payload, _: Client| {
            let _ = done.send(answer(&payload));
            ready(()).boxed()
        };
        let none = Payload::Text(Vec::new());
        sent(client.emit_with_ack("done", none, LONGEST, on_answer).await);
        expect_counted(waited(&mut answered, || "no answer".into()).await, events);
    };
    emits(order.warm()).await;
    let measure = Measure::start();
    emits(order.count).await;
    measure.stop(order.count)
}

async fn call(order: &Order) -> Figures {
    let client = connected(order, builder(order)).await;
    let calls = async |count: usize| {
        let mut times = Vec::with_capacity(count);
        for _ in 0..count {
            let start = Instant::now();
            let (done, mut answered) = mpsc::unbounded_channel();
            let args = Payload::Text(vec![json!(2), json!(3)]);
            let on_answer = move |_: Payload, _: Client| {
                let _ = done.send(());
                ready(()).boxed()
            };
            sent(client.emit_with_ack("add", args, LONGEST, on_answer).await);
            waited(&mut answered, || "no answer".into()).await;
            times.push(start.elapsed());
        }
        times
    };
    calls(order.warm()).await;
    let measure = Measure::start();
    let times = calls(order.count).await;
    percentiles(measure.stop(order.count), times)
}

async fn connect(order: &Order) -> Figures {
    let mut times = Vec::with_capacity(order.count);
    for at in 0..order.warm() + order.count {
        let start = Instant::now();
        let client = connected(order, builder(order)).await;
        if at >= order.warm() {
            times.push(start.elapsed());
        }
        sent(client.disconnect().await);
    }
    percentiles(members(json!({"count": order.count})), times)
}

async fn idle(order: &Order) -> Figures {
    let before = status("VmRSS");
    let mut clients = Vec::new();
    for _ in 0..order.clients {
        clients.push(connected(order, builder(order)).await);
    }
    let measure = Measure::start();
    sleep(Duration::from_secs(order.seconds)).await;
    idled(measure.stop(clients.len()), before)
}

fn sent(result: Result<(), rust_socketio::Error>) {
    if let Err(error) = result {
        fail(1, &format!("emit: {error}"));
    }
}

/// What a callback tells the main task.
async fn waited<T>(receiver: &mut UnboundedReceiver<T>, what: impl FnOnce() -> String) -> T {
    match timeout(LONGEST, receiver.recv()).await {
        Ok(Some(told)) => told,
        Ok(None) => fail(1, "the client dropped its callback"),
        Err(_) => fail(1, &format!("{} in {LONGEST:?}", what())),
    }
}

//! Clients of these tests, and what they are asked in a word.

#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use sio::client::Client;
use sio::error::Status;
use sio::session::State;

use crate::common::scripted::{Engine, Plan, open};
use crate::support::*;

/// A client with these options, and otherwise as it comes.
pub(crate) fn fresh(options: &[(&str, &str)]) -> Arc<Client> {
    let client = Arc::new(Client::new());
    for (name, value) in options {
        assert_eq!(client.set(name, Some(value)), Ok(()), "{name}: {}", client.error());
    }
    client
}

/// By polling alone, and a loss is final; the options may say otherwise.
pub(crate) fn polling(options: &[(&str, &str)]) -> Arc<Client> {
    fresh(&[&[("transports", "polling"), ("reconnection", "0")], options].concat())
}

/// By polling and then websocket, and a loss is final; the options may say otherwise.
pub(crate) fn upgrading(options: &[(&str, &str)]) -> Arc<Client> {
    fresh(&[&[("reconnection", "0")], options].concat())
}

/// One that reconnects fast and punctually, by polling and then websocket.
pub(crate) fn reconnecting(options: &[(&str, &str)]) -> Arc<Client> {
    let fast =
        [("reconnect_min_ms", "100"), ("reconnect_max_ms", "200"), ("reconnect_jitter", "0")];
    fresh(&[&fast, options].concat())
}

/// Connects, which has to succeed.
#[track_caller]
pub(crate) fn join(client: &Client, engine: &Engine) {
    let outcome = client.connect(Some(&engine.url()), PATIENT);
    assert_eq!(outcome, Ok(()), "{}", client.error());
}

/// A client that is connected by polling alone.
#[track_caller]
pub(crate) fn polled(plan: Plan) -> (Arc<Client>, Engine) {
    polled_with(&[], plan)
}

#[track_caller]
pub(crate) fn polled_with(options: &[(&str, &str)], plan: Plan) -> (Arc<Client>, Engine) {
    let (client, engine) = (polling(options), Engine::start(plan));
    join(&client, &engine);
    (client, engine)
}

/// A client that has been upgraded.
#[track_caller]
pub(crate) fn upgraded(plan: Plan) -> (Arc<Client>, Engine) {
    upgraded_with(&[], plan)
}

#[track_caller]
pub(crate) fn upgraded_with(options: &[(&str, &str)], plan: Plan) -> (Arc<Client>, Engine) {
    let (client, engine) = (upgrading(options), Engine::start(plan));
    join(&client, &engine);
    wait_for_websocket(&client, &engine);
    (client, engine)
}

#[track_caller]
pub(crate) fn wait_for_websocket(client: &Client, engine: &Engine) {
    wait_until("the upgrade", || client.transport() == "websocket");
    engine.wait_for_upgrade();
}

/// A plan whose server pings so often, and waits so long for the answer.
pub(crate) fn beating(interval: u64, timeout: u64) -> Plan {
    Plan::default().open(move |n| open(n, &["websocket"], interval, timeout, Some(1_000_000)))
}

/// A plan whose server answers calls with their arguments.
pub(crate) fn answering() -> Plan {
    Plan::default().reply(|packet| answer_of(packet).into_iter().collect())
}

/// `432["a"]` for `422["x","a"]`, whatever the name.
pub(crate) fn answer_of(packet: &str) -> Option<String> {
    let rest = packet.strip_prefix("42")?;
    let digits = rest.find('[')?;
    let (id, event) = rest.split_at(digits);
    let mut event: Vec<Value> = serde_json::from_str(event).ok()?;
    event.remove(0);
    (!id.is_empty()).then(|| format!("43{id}{}", Value::from(event)))
}

/// Emits without buffers, which has to succeed.
#[track_caller]
pub(crate) fn emit(client: &Client, event: &str, args: &str) {
    let outcome = client.emit(event, Some(args), &[], PATIENT);
    assert_eq!(outcome, Ok(()), "{}", client.error());
}

/// Calls without buffers, and gives the arguments of the answer.
#[track_caller]
pub(crate) fn call(client: &Client, event: &str, args: &str) -> String {
    match client.call(event, Some(args), &[], PATIENT) {
        Ok(message) => message.args().to_owned(),
        Err(status) => panic!("{status:?}: {}", client.error()),
    }
}

#[track_caller]
pub(crate) fn wait_for_state(client: &Client, state: State) {
    wait_until(&format!("{state:?}"), || client.state() == state);
}

/// The connection has ended for good by an error in what the server sent, and the text says so.
#[track_caller]
pub(crate) fn assert_lost(client: &Client, says: &str) {
    assert_eq!(receive_fails(client, PATIENT), Status::Disconnected);
    assert_says(client, says);
    assert_eq!(client.state(), State::Closed);
    assert_eq!((client.sid(), client.transport()), (String::new(), ""));
}

/// Whatever happened, the client can poll another server.
#[track_caller]
pub(crate) fn assert_polls(client: &Client) {
    let plan = Plan::polling_only().reply(|packet| match packet {
        r#"42["still"]"# => vec![r#"42["there"]"#.to_owned()],
        _ => Vec::new(),
    });
    let engine = Engine::start(plan);
    // The limits of the test are those of what it has seen, on however busy a machine.
    for option in ["namespace", "request_timeout_ms", "attempt_timeout_ms"] {
        client.set(option, None).expect("an option can be reset");
    }
    join(client, &engine);
    emit(client, "still", "[]");
    assert_event(client, "there", "[]");
    assert_eq!(client.disconnect(PATIENT), Ok(()), "{}", client.error());
    assert_eq!(engine.texts(), ["40", r#"42["still"]"#, "41", "1"]);
}

/// Nothing reaches the server any more for that time.
#[track_caller]
pub(crate) fn assert_silent(engine: &Engine, time: Duration) {
    let http = engine.http();
    // A last word on a connection that was there may still be on its way.
    std::thread::sleep(ms(50));
    let before = (http.connections(), http.exchanges().len(), engine.came().len());
    std::thread::sleep(time);
    let after = (http.connections(), http.exchanges().len(), engine.came().len());
    assert_eq!(after, before, "{}", http.summary());
}

/// The time between neighbours.
pub(crate) fn gaps(moments: &[Instant]) -> Vec<Duration> {
    moments.windows(2).map(|two| two[1].saturating_duration_since(two[0])).collect()
}

/// The time lies between the two. It may be longer by what the machine was measurably late with.
#[track_caller]
pub(crate) fn assert_between(time: Duration, least: Duration, most: Duration) {
    let late = match time > most {
        true => 2 * machine_was_late(Instant::now() - PATIENCE),
        false => Duration::ZERO,
    };
    assert!(
        time >= least && time <= most + late,
        "{time:?} is not within {least:?} and {most:?}; the machine was late by {late:?}"
    );
}

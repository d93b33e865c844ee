//! The option "offline" and the program's function: what counts before an attempt, and from it on.

#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Instant;

use sio::client::Client;
use sio::error::Status;
use sio::session::State;

use crate::common::scripted::{Blackhole, Gate, Script, Scripted};
use crate::support::*;

/// Has a function called before each attempt, with the client.
fn prepare(client: &Arc<Client>, function: impl Fn(&Client) -> i32 + Send + Sync + 'static) {
    let weak: Weak<Client> = Arc::downgrade(client);
    let function = move || weak.upgrade().map_or(1, |client| function(&client));
    assert_eq!(client.set_prepare(Some(Box::new(function))), Ok(()));
}

#[test]
fn while_the_function_runs_before_connect_its_options_count() {
    let server = Scripted::start(Script::new().connected().until_closed());
    let client = client_with(&[("offline", "buffer")]);
    let gate = Gate::new();
    let running = gate.clone();
    prepare(&client, move |_| {
        wait_until("the test is done", || running.is_open());
        0
    });
    let url = server.url();
    let connecting = block(&client, move |client| client.connect(Some(&url), PATIENT));
    assert_eq!(client.state(), State::Connecting);
    assert_eq!(client.emit("early", None, &[], AT_ONCE), Ok(()));
    assert_eq!(stat(&client, "send_queued"), 1);
    gate.open();
    assert_eq!(connecting.back(), Ok(()), "{}", client.error());
    assert_eq!(client.disconnect(PATIENT), Ok(()));
    assert_eq!(server.finish().texts(), ["40", "42[\"early\"]", "41"]);
}

#[test]
fn who_waits_for_the_connection_learns_that_it_is_not_to_be_waited_for() {
    let server = Scripted::start(Script::new().connected().until_told().reset());
    let client = client_with(&[
        ("reconnection", "1"),
        ("reconnect_min_ms", "300"),
        ("reconnect_max_ms", "300"),
        ("reconnect_jitter", "0"),
    ]);
    connect(&client, &server);
    // What the attempt is made at takes its time.
    let nowhere = Blackhole::start();
    let url = nowhere.url();
    let goes_on = Arc::new(AtomicBool::new(false));
    let over = Arc::clone(&goes_on);
    prepare(&client, move |client| {
        client.set("offline", Some("fail")).unwrap();
        client.set("url", Some(&url)).unwrap();
        over.store(true, Ordering::SeqCst);
        0
    });
    server.tell();
    wait_until("the loss", || client.state() == State::Reconnecting);
    let emitting = block(&client, |client| client.emit("a", None, &[], PATIENT));
    wait_until("the attempt", || goes_on.load(Ordering::SeqCst));
    let since = Instant::now();
    assert_eq!(emitting.back_within(since, ms(200)), Err(Status::Disconnected));
    assert_says(&client, "\"offline\" is \"fail\"");
    assert_eq!(client.set_prepare(None), Ok(()));
    assert_eq!(client.disconnect(PATIENT), Ok(()));
}

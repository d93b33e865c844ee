//! A panic on the client's thread, as a defect of the library's would be one: it ends that client's
//! connection, wakes everybody, and goes no further.

#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sio::client::Client;
use sio::error::Status;
use sio::log::{Level, Sink};
use sio::session::State;

use crate::clients::*;
use crate::common::scripted::{Answer, Engine, Gate};
use crate::support::*;

/// Has the client's thread panic, once, when it is next told that an event had no room.
fn panicking(client: &Client) -> Arc<AtomicBool> {
    let armed = Arc::new(AtomicBool::new(false));
    let is_armed = Arc::clone(&armed);
    let sink: Sink = Box::new(move |_, line| {
        if line.contains("no room") && is_armed.swap(false, Ordering::SeqCst) {
            panic!("on purpose");
        }
    });
    assert_eq!(client.set_log(Some((Level::Debug, sink))), Ok(()));
    armed
}

#[test]
fn a_panic_on_the_clients_thread_ends_that_client_alone_and_wakes_everybody() {
    for transports in ["polling", "websocket"] {
        let engine = Engine::start(answering());
        // No event has room, and so receives wait.
        let client = reconnecting(&[
            ("transports", transports),
            ("receive_limit", "0"),
            ("receive_overflow", "drop_newest"),
        ]);
        let other = fresh(&[("transports", transports)]);
        let armed = panicking(&client);
        join(&other, &engine);
        join(&client, &engine);
        let mut waiting = vec![
            ("receive", block(&client, |client| client.receive(PATIENT).map(drop))),
            ("receive too", block(&client, |client| client.receive(PATIENT).map(drop))),
        ];
        if transports == "polling" {
            engine.wait_for_poll();
            engine.answer_post(Answer::ok("ok").when(&Gate::new()));
            emit(&client, "touched", "[]");
            engine.wait_for_text("42[\"touched\"]");
            let call = |client: &Client| client.call("c", None, &[], PATIENT).map(drop);
            waiting.push(("call", block(&client, call)));
            waiting.push(("flush", block(&client, |client| client.flush(PATIENT))));
        }
        armed.store(true, Ordering::SeqCst);
        engine.send("42[\"e\"]");
        // What the panic says about itself takes its time before anybody can be told.
        for (what, call) in waiting {
            let status = call.back();
            let expected = [Err(Status::Internal), Err(Status::Disconnected)];
            assert!(expected.contains(&status), "{transports}: {what}: {status:?}");
        }
        assert!(!armed.load(Ordering::SeqCst), "the thread has panicked");
        // It is over for good: a defect is no reason to try again.
        assert_eq!(client.state(), State::Closed, "{transports}");
        assert_says(&client, "a defect in the library");
        assert_eq!(client.emit("e", None, &[], PATIENT), Err(Status::Disconnected));
        assert_eq!(receive_fails(&client, PATIENT), Status::Disconnected);
        assert_eq!(engine.sessions(), 2);

        // Nobody else notices, and the lock was not held.
        assert_eq!(call(&other, "c", "[1]"), "[1]");
        assert_eq!(client.connect(Some(&engine.url()), PATIENT), Ok(()), "{}", client.error());
        assert_eq!(call(&client, "c", "[2]"), "[2]");
        assert_eq!(client.disconnect(PATIENT), Ok(()), "{}", client.error());
        client.close();
    }
}

//! A long line of started operations: what it costs, and that it keeps its order over a loss.

#![forbid(unsafe_code)]

use std::sync::Arc;

use sio::client::Client;
use sio::error::Status;
use sio::session::State;

use crate::clients::*;
use crate::common::scripted::{Engine, Plan};
use crate::support::*;

/// So many operations that one step of each for each other would take seconds.
const MANY: u64 = 20_000;

/// A client whose server is gone, with emits in line for the next connection.
fn lined_up(count: u64) -> (Arc<Client>, Engine) {
    let mut engine = Engine::start(Plan::default());
    let client = reconnecting(&[("transports", "websocket")]);
    join(&client, &engine);
    engine.down();
    wait_for_state(&client, State::Reconnecting);
    for tag in 0..count {
        assert_eq!(client.emit_start("e", Some(&format!("[{tag}]")), &[], PATIENT, tag), Ok(()));
    }
    (client, engine)
}

/// Takes so many results, and asserts that these are all.
fn results(client: &Client, count: u64) -> Vec<(u64, Status)> {
    let taken = (0..count).map(|_| {
        let ended = client.result(PATIENT).unwrap();
        (ended.tag, ended.outcome.err().unwrap_or(Status::Full))
    });
    let taken = taken.collect();
    assert!(matches!(client.result(AT_ONCE), Err(Status::Timeout)));
    taken
}

#[test]
fn a_long_line_ends_at_once_when_the_program_disconnects() {
    let _loud = loud();
    let (client, _engine) = lined_up(MANY);
    let taken = within(ms(1000), || {
        assert_eq!(client.disconnect_start(PATIENT, MANY), Ok(()));
        results(&client, MANY + 1)
    });
    let (last, emits) = taken.split_last().unwrap();
    // Nothing that was queued is given up, so that it is a success, and the last of all.
    assert_eq!(*last, (MANY, Status::Full));
    assert!(emits.iter().map(|(tag, _)| *tag).eq(0..MANY));
    assert!(emits.iter().all(|(_, status)| *status == Status::Disconnected));
}

#[test]
fn a_client_with_a_long_line_is_freed_at_once() {
    let _loud = loud();
    let (client, _engine) = lined_up(MANY);
    within(ms(100), || client.close());
    assert!(matches!(client.result(PATIENT), Err(Status::Disconnected)));
}

#[test]
fn a_line_goes_out_in_its_order_when_the_connection_is_there_again() {
    let _quiet = quiet();
    let count = 2000;
    let (client, mut engine) = lined_up(count);
    engine.up();
    let taken = results(&client, count);
    assert!(taken.into_iter().eq((0..count).map(|tag| (tag, Status::Full))));
    engine.wait_for_text(&format!("42[\"e\",{}]", count - 1));
    let texts: Vec<_> = engine.texts().into_iter().filter(|text| text.starts_with("42")).collect();
    assert!(texts.into_iter().eq((0..count).map(|i| format!("42[\"e\",{i}]"))));
}

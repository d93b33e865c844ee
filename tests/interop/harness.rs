//! What the tests say in a word: a server, a connected client, the next event, a number of the
//! statistics.
//!
//! Owns: the servers that tests share, one of each kind for the whole process, and the texts of
//! failures. Refuses to know what is tested.

// The long tests use a part of this.
#![allow(dead_code)]
#![forbid(unsafe_code)]

use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use sio::client::Client;
use sio::error::Status;
use sio::message::Message;
use sio::sleepers::Timeout;

use crate::common::{Carriage, Kind, Options, Server};

/// What takes longer than this has failed; nothing is expected to take a tenth of it.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// The same as the timeout of a call.
pub const LONG: Timeout = Timeout::Limit(PATIENCE);

/// The `maxPayload` of the servers that tests share.
pub const MAX_PAYLOAD: usize = 20_000_000;

/// A timeout.
pub fn ms(millis: u64) -> Timeout {
    Timeout::Limit(Duration::from_millis(millis))
}

/// The server of that kind that tests share. Whoever stops or ends a server starts one of its own.
pub fn server(kind: Kind) -> &'static Server {
    static SERVERS: [OnceLock<Server>; 4] = [const { OnceLock::new() }; 4];
    let options = || Options { max_payload: Some(MAX_PAYLOAD), ..Options::default() };
    SERVERS[kind as usize].get_or_init(|| Server::start(kind, options()))
}

/// A client connected to the shared server, its `welcome` taken.
#[track_caller]
pub fn connect(kind: Kind) -> Client {
    connect_to(&server(kind).url(), &[])
}

/// A client connected with these options, its `welcome` taken.
#[track_caller]
pub fn connect_to(url: &str, options: &[(&str, &str)]) -> Client {
    let client = client_with(options);
    join(&client, url);
    client
}

thread_local! {
    /// Set by the macro that makes the tests, and by whoever starts threads that make clients.
    static CARRIAGE: Cell<Carriage> = const { Cell::new(Carriage::WebSocket) };
}

/// How clients of the test that runs on this thread are carried.
pub fn carriage() -> Carriage {
    CARRIAGE.get()
}

/// Does something with clients that are carried in that way.
pub fn carried<T>(carriage: Carriage, action: impl FnOnce() -> T) -> T {
    let before = CARRIAGE.replace(carriage);
    let result = action();
    CARRIAGE.set(before);
    result
}

/// A client that is carried as the test says, and for which a lost connection is final.
#[track_caller]
pub fn new_client() -> Client {
    client_with(&[])
}

/// The same with options, which may say otherwise.
#[track_caller]
pub fn client_with(options: &[(&str, &str)]) -> Client {
    let client = Client::new();
    let plain = [("transports", carriage().transports()), ("reconnection", "0")];
    for (name, value) in plain.iter().chain(options) {
        good(&client, client.set(name, Some(value)));
    }
    client
}

/// Connects and takes the `welcome`.
#[track_caller]
pub fn join(client: &Client, url: &str) {
    good(client, client.connect(Some(url), LONG));
    next(client, "welcome");
}

/// The result of something that has to succeed.
#[track_caller]
pub fn good<T>(client: &Client, result: Result<T, Status>) -> T {
    match result {
        Ok(value) => value,
        Err(status) => panic!("{}: {}", status.name(), client.error()),
    }
}

/// The status of something that has to fail.
#[track_caller]
pub fn failed<T>(result: Result<T, Status>) -> Status {
    result.err().expect("it succeeded, and should not have")
}

/// Emits without buffers.
#[track_caller]
pub fn emit(client: &Client, event: &str, args: &str) {
    good(client, client.emit(event, Some(args), &[], LONG));
}

/// Calls without buffers.
#[track_caller]
pub fn call(client: &Client, event: &str, args: &str) -> Box<Message> {
    good(client, client.call(event, Some(args), &[], LONG))
}

/// Takes the next event, which must have this name.
#[track_caller]
pub fn next(client: &Client, name: &str) -> Box<Message> {
    let message = good(client, client.receive(LONG));
    assert_eq!(message.name(), name, "with {:.200}", message.args());
    message
}

/// Everything that is sent to the server before this is with it when this returns, and everything
/// that it sent in answer has arrived here.
#[track_caller]
pub fn round_trip(client: &Client) {
    call(client, "echo_ack", "[]");
}

/// The value of a JSON text.
#[track_caller]
pub fn json(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(value) => value,
        Err(error) => panic!("no JSON ({error}): {text:.200}"),
    }
}

/// The first argument of a message without buffers.
#[track_caller]
pub fn first(message: &Message) -> Value {
    json(message.args())[0].take()
}

/// The last failure, with its details.
#[track_caller]
pub fn failure(client: &Client) -> Value {
    json(&client.error_json())
}

/// A number of the statistics.
#[track_caller]
pub fn stat(client: &Client, name: &str) -> u64 {
    let stats = json(&client.stats());
    stats[name].as_u64().unwrap_or_else(|| panic!("{name} in {stats}"))
}

/// Looks again and again until there is something to be seen.
///
/// For what cannot be waited for otherwise: numbers of the statistics, and what a server remembers
/// of another connection.
#[track_caller]
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        thread::sleep(Duration::from_millis(1));
    }
}

/// A name that no other connection has.
pub fn unique(what: &str) -> String {
    static LAST: AtomicU64 = AtomicU64::new(0);
    format!("{what} {}", LAST.fetch_add(1, Ordering::Relaxed))
}

/// Gives the connection a name for its tally, a new one.
#[track_caller]
pub fn named(client: &Client, what: &str) -> String {
    let name = unique(what);
    call(client, "name", &Value::from(vec![name.as_str()]).to_string());
    name
}

/// What the server remembers of a connection.
#[track_caller]
pub fn tally(client: &Client, name: &str) -> Value {
    first(&call(client, "tally", &Value::from(vec![name]).to_string()))
}

/// The same once the server has noticed the connection's end.
#[track_caller]
pub fn last_tally(client: &Client, name: &str) -> Value {
    eventually("the server notices the end of a connection", || {
        Some(tally(client, name)).filter(|tally| tally["connected"] == false)
    })
}

/// Does the same with each server and each way to be carried at the same time, for what mostly
/// waits.
pub fn with_all_servers(test: impl Fn(Kind) + Sync) {
    const CARRIAGES: [Carriage; 3] = [Carriage::Polling, Carriage::WebSocket, Carriage::Upgrade];
    let failed: Vec<(Kind, Carriage)> = thread::scope(|scope| {
        let all = Kind::all().into_iter().flat_map(|kind| CARRIAGES.map(|by| (kind, by)));
        let threads: Vec<_> = all
            .map(|(kind, by)| {
                let test = &test;
                ((kind, by), scope.spawn(move || carried(by, || test(kind))))
            })
            .collect();
        let failed =
            threads.into_iter().filter_map(|(what, thread)| thread.join().err().map(|_| what));
        failed.collect()
    });
    assert!(failed.is_empty(), "failed, as told above: {failed:?}");
}

/// Bytes that are no pattern of any width, but the same for the same seed.
pub fn noise(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend(state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// The CRC-32 of zlib.
pub fn crc32(bytes: &[u8]) -> u32 {
    static TABLE: OnceLock<[u32; 256]> = OnceLock::new();
    let table = TABLE.get_or_init(|| {
        std::array::from_fn(|byte| {
            (0..8).fold(byte as u32, |crc, _| (crc >> 1) ^ (0xEDB8_8320 & (crc & 1).wrapping_neg()))
        })
    });
    let step = |crc: u32, &byte: &u8| (crc >> 8) ^ table[(crc as u8 ^ byte) as usize];
    !bytes.iter().fold(!0, step)
}

/// `{"_placeholder":true,"num":N}`.
pub fn placeholder(number: usize) -> String {
    format!(r#"{{"_placeholder":true,"num":{number}}}"#)
}

//! Limits on single messages: the server's `maxPayload`, and the client's own on what it takes.

#![forbid(unsafe_code)]

use sio::client::Client;
use sio::error::Status;
use sio::session::State;

use crate::common::{Carriage, Kind, Options, Server};
use crate::harness::{
    LONG, call, carriage, connect_to, emit, eventually, failed, good, json, next, noise,
    placeholder, round_trip, server,
};

with_each_server!(
    the_servers_limit_is_kept_to_the_byte,
    a_message_over_max_message_bytes_ends_the_connection,
    a_packet_of_many_parts_over_max_message_bytes_ends_the_connection,
    more_than_max_attachments_end_the_connection,
);

// By polling the limit is that of POST bodies, which no server takes larger.
mod frames {
    use super::without_enforce_max_payload_the_server_decides;

    with_each_server!(websocket: without_enforce_max_payload_the_server_decides);
}

const LIMIT: usize = 10_000;

/// As encoded, type bytes included, a packet must be smaller than the limit.
fn the_servers_limit_is_kept_to_the_byte(kind: Kind) {
    let server = limited(kind);
    let client = connect_to(&server.url(), &[]);
    if carriage() == Carriage::Upgrade {
        eventually("the upgrade", || (client.transport() == "websocket").then_some(()));
    }

    // 42["echo","..."]
    let args = |len: usize| format!("[\"{}\"]", "x".repeat(len - r#"42["echo",""]"#.len()));
    good(&client, client.emit("echo", Some(&args(LIMIT - 1)), &[], LONG));
    assert!(next(&client, "echo").args() == args(LIMIT - 1));
    for len in [LIMIT, LIMIT + 1, 10 * LIMIT] {
        let emitted = client.emit("echo", Some(&args(len)), &[], LONG);
        assert_eq!(failed(emitted), Status::TooLarge, "{len} bytes");
        assert!(client.error().contains("10000"), "{}", client.error());
    }

    // What counts are bytes, not letters.
    let accents = format!("[\"{}\"]", "é".repeat(LIMIT / 2));
    assert_eq!(failed(client.emit("echo", Some(&accents), &[], LONG)), Status::TooLarge);

    // The first number of a call has one digit: 420["echo_ack","..."]
    let args = |len: usize| format!("[\"{}\"]", "x".repeat(len - r#"420["echo_ack",""]"#.len()));
    let called = client.call("echo_ack", Some(&args(LIMIT)), &[], LONG);
    assert_eq!(failed(called), Status::TooLarge);
    assert!(call(&client, "echo_ack", &args(LIMIT - 1)).args() == args(LIMIT - 1));

    // Each buffer counts for itself.
    let args = format!("[{},{}]", placeholder(0), placeholder(1));
    let largest = match carriage() {
        // A letter and base64, four letters for three bytes: 1 + 4 * 2499 = 9997, and 10001.
        Carriage::Polling => 3 * 2499,
        Carriage::WebSocket | Carriage::Upgrade => LIMIT - 1,
    };
    let (fits, too_large) = (noise(1, largest), noise(2, largest + 1));
    let reply = good(&client, client.call("echo_ack", Some(&args), &[&fits, &fits], LONG));
    assert!(reply.buffer(1) == Some(&fits[..]));
    let called = client.call("echo_ack", Some(&args), &[&fits, &too_large], LONG);
    assert_eq!(failed(called), Status::TooLarge);

    // The first number of a question has one digit as well: 431["..."]
    emit(&client, "ask", "[]");
    let question = next(&client, "question");
    let args = |len: usize| format!("[\"{}\"]", "x".repeat(len - r#"431[""]"#.len()));
    assert_eq!(failed(question.ack(Some(&args(LIMIT)), &[])), Status::TooLarge);
    let attached = format!("[{}]", placeholder(0));
    assert_eq!(failed(question.ack(Some(&attached), &[&too_large])), Status::TooLarge);
    good(&client, question.ack(Some(&args(LIMIT - 1)), &[]));
    // The event with which the server tells of it has a longer head than the answer had.
    assert!(next(&client, "answer").args() == args(LIMIT - 1));
    round_trip(&client);
}

fn without_enforce_max_payload_the_server_decides(kind: Kind) {
    let server = limited(kind);
    let client = connect_to(&server.url(), &[("enforce_max_payload", "0")]);
    round_trip(&client);
    let args = format!("[\"{}\"]", "x".repeat(3 * LIMIT));
    good(&client, client.emit("echo", Some(&args), &[], LONG));
    assert_eq!(failed(client.receive(LONG)), Status::Disconnected);
    assert_eq!(client.state(), State::Closed);
}

fn a_message_over_max_message_bytes_ends_the_connection(kind: Kind) {
    for (args, buffer) in [
        (format!("[\"{}\"]", "x".repeat(12_000)), None),
        (format!("[{}]", placeholder(0)), Some(noise(1, 12_000))),
    ] {
        let client = small_client(kind);
        emit(&client, "echo", &format!("[\"{}\"]", "x".repeat(9_000)));
        next(&client, "echo");
        let buffers: Vec<&[u8]> = buffer.iter().map(Vec::as_slice).collect();
        good(&client, client.emit("echo", Some(&args), &buffers, LONG));
        assert_ended(&client, "10000");
    }
}

fn a_packet_of_many_parts_over_max_message_bytes_ends_the_connection(kind: Kind) {
    let client = small_client(kind);
    let args = format!("[{},{},{}]", placeholder(0), placeholder(1), placeholder(2));
    let part = noise(1, 3_000);
    good(&client, client.emit("echo", Some(&args), &[&part, &part, &part], LONG));
    assert!(next(&client, "echo").buffer(2) == Some(&part[..]));
    let part = noise(1, 4_000);
    good(&client, client.emit("echo", Some(&args), &[&part, &part, &part], LONG));
    assert_ended(&client, "10000");
}

fn more_than_max_attachments_end_the_connection(kind: Kind) {
    let client = connect_to(&server(kind).url(), &[("max_attachments", "3")]);
    let args = |count: usize| {
        let names: Vec<String> = (0..count).map(placeholder).collect();
        format!("[{}]", names.join(","))
    };
    let byte: &[u8] = b"x";
    let reply = good(&client, client.call("echo_ack", Some(&args(3)), &[byte; 3], LONG));
    assert_eq!(json(reply.args()).as_array().unwrap().len(), 3);
    good(&client, client.emit("echo", Some(&args(4)), &[byte; 4], LONG));
    assert_ended(&client, "3");
}

fn limited(kind: Kind) -> Server {
    Server::start(kind, Options { max_payload: Some(LIMIT), ..Options::default() })
}

fn small_client(kind: Kind) -> Client {
    connect_to(&server(kind).url(), &[("max_message_bytes", "10000")])
}

/// The connection has ended for good, and the text names the limit; nothing was delivered.
#[track_caller]
fn assert_ended(client: &Client, limit: &str) {
    assert_eq!(failed(client.receive(LONG)), Status::Disconnected);
    assert!(client.error().contains(limit), "{}", client.error());
    assert_eq!(client.state(), State::Closed);
    // A fresh connection knows nothing of it.
    good(client, client.connect(None, LONG));
    next(client, "welcome");
    emit(client, "echo", "[1]");
    assert_eq!(next(client, "echo").args(), "[1]");
}

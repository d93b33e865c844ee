//! Binary in events, calls and answers: any size, any number, anywhere in the arguments.

#![forbid(unsafe_code)]

use serde_json::Value;
use sio::client::Client;
use sio::error::Status;
use sio::json::Kind as Json;
use sio::message::Message;

use crate::common::Kind;
use crate::harness::{LONG, connect, crc32, emit, failed, good, json, next, noise, placeholder};

with_each_server!(
    a_buffer_of_any_size_comes_back,
    a_call_carries_buffers_both_ways,
    several_buffers_keep_their_places,
    nested_buffers_come_back,
    hundreds_of_buffers_come_back,
    buffers_of_all_sizes_in_one_event,
    buffers_may_be_named_in_any_order,
    a_placeholder_without_buffers_is_plain_data,
    buffers_that_are_not_named_once_are_refused,
    text_and_binary_keep_their_order,
);

/// The sizes at which something may change: frames of another form, blocks of their own.
const SIZES: [usize; 14] = [
    0,
    1,
    2,
    125,
    126,
    4096,
    16 * 1024 - 1,
    16 * 1024,
    16 * 1024 + 1,
    65_535,
    65_536,
    65_537,
    300_000,
    1 << 20,
];

fn a_buffer_of_any_size_comes_back(kind: Kind) {
    let client = connect(kind);
    for size in SIZES {
        let bytes = noise(size as u64, size);
        let args = format!("[{}]", placeholder(0));
        good(&client, client.emit("echo", Some(&args), &[&bytes], LONG));
        let message = next(&client, "echo");
        assert_eq!(message.buffer_count(), 1);
        assert!(message.buffer(0) == Some(&bytes[..]), "{size} bytes");
        assert!(message.find("/0") == Some((Json::Buffer, &bytes[..])), "{size} bytes");
        assert!(message.buffer(1).is_none());
        assert_eq!(json(message.args()), json(&args));
    }
}

fn a_call_carries_buffers_both_ways(kind: Kind) {
    let client = connect(kind);
    for size in SIZES {
        let bytes = noise(size as u64, size);
        let args = format!("[\"before\",{},\"after\"]", placeholder(0));
        let reply = good(&client, client.call("echo_ack", Some(&args), &[&bytes], LONG));
        assert_same(&reply, &args, &[&bytes]);
    }
    // An event that nobody knows comes back twice: as an event and as the answer.
    let args = format!("[{}]", placeholder(0));
    let reply = good(&client, client.call("anything", Some(&args), &[b"once"], LONG));
    assert_same(&reply, &args, &[b"once"]);
    assert_same(&next(&client, "anything"), &args, &[b"once"]);
}

fn several_buffers_keep_their_places(kind: Kind) {
    let args = format!("[{},1,{},null,{}]", placeholder(0), placeholder(1), placeholder(2));
    let same: &[u8] = b"the same";
    comes_back(&connect(kind), &args, &[same, b"", same]);
}

fn nested_buffers_come_back(kind: Kind) {
    let args = format!(
        r#"[{{"a":{},"b":[{},{{"c":{{"d":[[{}]]}}}}],"e":{{}}}},[[[{}]]],"end"]"#,
        placeholder(0),
        placeholder(1),
        placeholder(2),
        placeholder(3),
    );
    let large = noise(7, 20_000);
    comes_back(&connect(kind), &args, &[b"first", &large, b"", b"\x00\xff"]);
}

fn hundreds_of_buffers_come_back(kind: Kind) {
    let client = connect(kind);
    for count in [2, 10, 11, 128, 600, 1000] {
        many_come_back(&client, count.min(most(kind)), |i| i % 5);
    }
}

fn buffers_of_all_sizes_in_one_event(kind: Kind) {
    let client = connect(kind);
    many_come_back(&client, SIZES.len().min(most(kind)), |i| SIZES[SIZES.len() - 1 - i]);
    many_come_back(&client, 40.min(most(kind)), |i| i * 1021);
}

fn buffers_may_be_named_in_any_order(kind: Kind) {
    let client = connect(kind);
    let args = r#"[{ "num" : 1 , "_placeholder" : true },{"_placeholder":true,"num":0}]"#;
    good(&client, client.emit("echo", Some(args), &[b"zero", b"one"], LONG));
    let message = next(&client, "echo");
    assert_eq!(message.find("/0"), Some((Json::Buffer, &b"one"[..])));
    assert_eq!(message.find("/1"), Some((Json::Buffer, &b"zero"[..])));
}

fn a_placeholder_without_buffers_is_plain_data(kind: Kind) {
    let client = connect(kind);
    let args = format!("[{}]", placeholder(0));
    emit(&client, "echo", &args);
    let message = next(&client, "echo");
    assert_eq!(json(message.args()), json(&args));
    assert_eq!(message.find("/0").unwrap().0, Json::Object);
}

fn buffers_that_are_not_named_once_are_refused(kind: Kind) {
    let client = connect(kind);
    let (zero, one) = (placeholder(0), placeholder(1));
    for args in [
        "[]".to_owned(),
        format!("[{zero}]"),
        format!("[{zero},{zero}]"),
        format!("[{zero},{one},{one}]"),
        format!("[{zero},{}]", placeholder(2)),
        format!(r#"[{zero},{{"_placeholder":true,"num":1.0}}]"#),
        format!(r#"[{zero},{{"_placeholder":true}}]"#),
    ] {
        let status = failed(client.emit("echo", Some(&args), &[b"a", b"b"], LONG));
        assert_eq!(status, Status::Invalid, "{args}");
    }
    // Nothing was sent, and all is well.
    emit(&client, "echo", "[1]");
    assert_eq!(next(&client, "echo").args(), "[1]");
}

fn text_and_binary_keep_their_order(kind: Kind) {
    let client = connect(kind);
    let args = |i: usize| match i % 4 {
        0 => format!("[{i}]"),
        _ => format!("[{i},{}]", placeholder(0)),
    };
    let bytes = |i: usize| noise(i as u64, [0, 3, 500, 40_000][i % 4]);
    for i in 0..200 {
        let bytes = bytes(i);
        let buffers: &[&[u8]] = if i % 4 == 0 { &[] } else { &[&bytes] };
        good(&client, client.emit("echo", Some(&args(i)), buffers, LONG));
    }
    for i in 0..200 {
        let message = next(&client, "echo");
        assert_eq!(json(message.args()), json(&args(i)));
        assert!(i % 4 == 0 || message.buffer(0) == Some(&bytes(i)[..]), "event {i}");
    }
}

/// How many buffers a server takes in one event: the parser of npm socket.io no more than ten.
fn most(kind: Kind) -> usize {
    if kind == Kind::Node { 10 } else { 1000 }
}

fn many_come_back(client: &Client, count: usize, size: impl Fn(usize) -> usize) {
    let buffers: Vec<Vec<u8>> = (0..count).map(|i| noise(i as u64, size(i))).collect();
    let buffers: Vec<&[u8]> = buffers.iter().map(Vec::as_slice).collect();
    let names: Vec<String> = (0..count).map(placeholder).collect();
    comes_back(client, &format!("[{count},[{}]]", names.join(",")), &buffers);
}

fn comes_back(client: &Client, args: &str, buffers: &[&[u8]]) {
    good(client, client.emit("echo", Some(args), buffers, LONG));
    assert_same(&next(client, "echo"), args, buffers);
    let reply = good(client, client.call("echo_ack", Some(args), buffers, LONG));
    assert_same(&reply, args, buffers);
}

/// The arguments are the same, and the same bytes stand at the same places, whatever number a
/// server has given to each.
#[track_caller]
pub fn assert_same(message: &Message, args: &str, buffers: &[&[u8]]) {
    assert_eq!(message.buffer_count(), buffers.len(), "in {:.200}", message.args());
    let received = filled(json(message.args()), &|i| message.buffer(i));
    let sent = filled(json(args), &|i| buffers.get(i).copied());
    assert!(received == sent, "{received:.500} instead of {sent:.500}");
}

/// The value with a digest of the bytes in place of each placeholder.
fn filled<'a>(value: Value, buffer: &impl Fn(usize) -> Option<&'a [u8]>) -> Value {
    match value {
        Value::Object(members) if members.contains_key("_placeholder") => {
            let bytes = buffer(members["num"].as_u64().unwrap() as usize).unwrap();
            format!("{} bytes {:08x}", bytes.len(), crc32(bytes)).into()
        }
        Value::Object(members) => {
            let fill = |(name, value)| (name, filled(value, buffer));
            Value::Object(members.into_iter().map(fill).collect())
        }
        Value::Array(values) => {
            values.into_iter().map(|value| filled(value, buffer)).collect::<Vec<_>>().into()
        }
        plain => plain,
    }
}

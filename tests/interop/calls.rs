//! Calls: the answer, whoever gives it when, and what becomes of one that comes too late.

#![forbid(unsafe_code)]

use std::thread;
use std::time::{Duration, Instant};

use sio::client::Client;
use sio::error::Status;
use sio::message::MessageKind;

use crate::common::Kind;
use crate::harness::{
    LONG, call, connect, eventually, failed, good, json, ms, named, noise, placeholder, round_trip,
    stat, tally,
};

with_each_server!(
    a_call_brings_the_servers_answer,
    an_answer_may_carry_nothing,
    a_call_without_an_answer_times_out,
    a_late_answer_is_counted_and_dropped,
    a_call_with_no_time_sends_nothing,
    answers_out_of_order_find_their_calls,
    many_threads_call_at_once,
    a_megabyte_of_dense_json_comes_back,
    wrong_arguments_send_nothing,
);

fn a_call_brings_the_servers_answer(kind: Kind) {
    let client = connect(kind);
    let reply = call(&client, "add", "[2, 3]");
    assert_eq!(reply.args(), "[5]");
    assert_eq!(reply.kind(), MessageKind::Reply);
    assert_eq!(reply.name(), "");
    assert!(!reply.wants_ack());
    assert_eq!(failed(reply.ack(None, &[])), Status::State);
    assert_eq!(call(&client, "add", "[0.5,0.25]").args(), "[0.75]");
    let args = r#"[null,{"a":[1,"é"]},[],"text"]"#;
    assert_eq!(json(call(&client, "echo_ack", args).args()), json(args));
}

fn an_answer_may_carry_nothing(kind: Kind) {
    let client = connect(kind);
    assert_eq!(call(&client, "echo_ack", "[]").args(), "[]");
    assert_eq!(good(&client, client.call("echo_ack", None, &[], LONG)).args(), "[]");
}

fn a_call_without_an_answer_times_out(kind: Kind) {
    let client = connect(kind);
    let begin = Instant::now();
    assert_eq!(failed(client.call("no_ack", None, &[], ms(100))), Status::Timeout);
    let took = begin.elapsed();
    assert!(took >= Duration::from_millis(100), "{took:?}");
    assert!(took < Duration::from_millis(1000), "{took:?}");
    assert_eq!(client.error(), "", "an outcome rather than a fault");
    assert_eq!(stat(&client, "calls_waiting"), 0);
    assert_eq!(call(&client, "add", "[1,1]").args(), "[2]");
}

fn a_late_answer_is_counted_and_dropped(kind: Kind) {
    let client = connect(kind);
    for _ in 0..3 {
        assert_eq!(failed(client.call("slow_ack", Some("[700]"), &[], ms(300))), Status::Timeout);
    }
    eventually("the late answers come", || (stat(&client, "late_acks") == 3).then_some(()));
    assert_eq!(call(&client, "add", "[1,1]").args(), "[2]");
    assert_eq!(failed(client.receive(ms(0))), Status::Timeout);
    assert_eq!(stat(&client, "calls_waiting"), 0);
}

fn a_call_with_no_time_sends_nothing(kind: Kind) {
    let client = connect(kind);
    let name = named(&client, "no time");
    let before = tally(&client, &name)["events"].as_u64().unwrap();
    assert_eq!(failed(client.call("add", Some("[1,1]"), &[], ms(0))), Status::Timeout);
    assert_eq!(tally(&client, &name)["events"], before + 1, "the tally itself is the one");
    assert_eq!(stat(&client, "late_acks"), 0);
}

fn answers_out_of_order_find_their_calls(kind: Kind) {
    let client = connect(kind);
    thread::scope(|scope| {
        for i in (0..24).rev() {
            let client = &client;
            scope.spawn(move || {
                let args = format!("[{}]", 10 + i * 10);
                assert_eq!(call(client, "slow_ack", &args).args(), args);
            });
        }
    });
    assert_eq!(stat(&client, "late_acks"), 0);
    assert_eq!(stat(&client, "calls_waiting"), 0);
}

fn many_threads_call_at_once(kind: Kind) {
    let client = connect(kind);
    thread::scope(|scope| {
        for caller in 0..8 {
            let client = &client;
            scope.spawn(move || {
                for i in 0..100 {
                    asks_for_its_own(client, caller, i);
                }
            });
        }
    });
}

fn asks_for_its_own(client: &Client, caller: usize, i: usize) {
    let bytes = noise((caller * 1000 + i) as u64, i * 37);
    if i.is_multiple_of(2) {
        let args = format!("[{caller},{i}]");
        assert_eq!(call(client, "echo_ack", &args).args(), args);
    } else {
        let args = format!("[{caller},{i},{}]", placeholder(0));
        let reply = good(client, client.call("echo_ack", Some(&args), &[&bytes], LONG));
        assert_eq!(json(reply.args()), json(&args));
        assert!(reply.buffer(0) == Some(&bytes[..]), "{caller} {i}");
    }
}

fn a_megabyte_of_dense_json_comes_back(kind: Kind) {
    let client = connect(kind);
    let mut args = String::from("[[0");
    for i in 1.. {
        args.push_str(&match i % 4 {
            0 => format!(",{i}"),
            1 => format!(",[\"{i}\",null]"),
            2 => format!(",{{\"a{i}\":true}}"),
            _ => ",[[],{},\"\"]".to_owned(),
        });
        if args.len() > 1 << 20 {
            break;
        }
    }
    args.push_str("]]");
    let reply = call(&client, "echo_ack", &args);
    assert!(reply.args() == args, "{:.100} ...", reply.args());
}

fn wrong_arguments_send_nothing(kind: Kind) {
    let client = connect(kind);
    let name = named(&client, "wrong");
    let before = tally(&client, &name)["events"].as_u64().unwrap();
    for args in
        ["", "1", "{}", "\"a\"", "[1", "[1,]", "[1]]", "[NaN]", "[01]", "[\"\u{1}\"]", "[\"\\x\"]"]
    {
        let status = failed(client.call("echo_ack", Some(args), &[], LONG));
        assert_eq!(status, Status::Invalid, "{args}");
        assert!(client.error().contains("byte"), "{args}: {}", client.error());
        assert_eq!(failed(client.emit("echo", Some(args), &[], LONG)), Status::Invalid, "{args}");
    }
    assert_eq!(tally(&client, &name)["events"], before + 1, "the tally itself is the one");
    round_trip(&client);
}

//! Events for which the server wants an answer.
//!
//! `ask` has the server emit `question` and wait; what it is answered it emits as `answer`.

#![forbid(unsafe_code)]

use std::thread;

use sio::client::Client;
use sio::error::Status;
use sio::message::Message;

use crate::binary::assert_same;
use crate::common::Kind;
use crate::harness::{
    LONG, connect, connect_to, emit, failed, good, json, ms, next, noise, placeholder, round_trip,
    server,
};

with_each_server!(
    an_event_is_answered_at_once,
    an_event_is_answered_later_and_in_any_order,
    an_event_is_answered_by_another_thread,
    an_answer_may_carry_buffers,
    an_event_with_buffers_is_answered,
    an_event_freed_unanswered_is_answered_with_nothing,
    without_ack_unanswered_it_is_not_answered,
    an_event_is_answered_once,
    an_answer_that_is_wrong_can_be_corrected,
    an_answer_to_a_connection_that_is_gone_is_refused,
    a_message_may_outlive_its_client,
    many_threads_answer_many_questions,
);

fn an_event_is_answered_at_once(kind: Kind) {
    let client = connect(kind);
    let question = ask(&client, r#"[1,"two"]"#);
    assert_eq!(json(question.args()), json(r#"[1,"two"]"#));
    assert!(question.wants_ack());
    good(&client, question.ack(Some(r#"["yes", {"n":[2]}]"#), &[]));
    assert!(!question.wants_ack());
    assert_eq!(json(next(&client, "answer").args()), json(r#"["yes",{"n":[2]}]"#));
    good(&client, ask(&client, "[]").ack(None, &[]));
    assert_eq!(next(&client, "answer").args(), "[]");
}

fn an_event_is_answered_later_and_in_any_order(kind: Kind) {
    let client = connect(kind);
    let questions: Vec<_> = (0..10).map(|i| ask(&client, &format!("[{i}]"))).collect();
    emit(&client, "echo", "[1]");
    next(&client, "echo");
    round_trip(&client);
    for question in questions.iter().rev() {
        good(&client, question.ack(Some(question.args()), &[]));
    }
    for i in (0..10).rev() {
        assert_eq!(next(&client, "answer").args(), format!("[{i}]"));
    }
}

fn an_event_is_answered_by_another_thread(kind: Kind) {
    let client = connect(kind);
    let question = ask(&client, "[]");
    thread::spawn(move || question.ack(Some("[\"there\"]"), &[])).join().unwrap().unwrap();
    assert_eq!(next(&client, "answer").args(), "[\"there\"]");
    // The client may be waiting for something else meanwhile.
    let question = ask(&client, "[]");
    thread::scope(|scope| {
        let receiver = scope.spawn(|| next(&client, "answer"));
        good(&client, question.ack(Some("[1]"), &[]));
        assert_eq!(receiver.join().unwrap().args(), "[1]");
    });
}

fn an_answer_may_carry_buffers(kind: Kind) {
    let client = connect(kind);
    for size in [0, 1, 100, 16 * 1024, 300_000] {
        let bytes = noise(1, size);
        let args = format!(r#"[{},{{"more":[{}]}}]"#, placeholder(0), placeholder(1));
        good(&client, ask(&client, "[]").ack(Some(&args), &[&bytes, b"second"]));
        assert_same(&next(&client, "answer"), &args, &[&bytes, b"second"]);
    }
}

fn an_event_with_buffers_is_answered(kind: Kind) {
    let client = connect(kind);
    let args = format!("[{},5]", placeholder(0));
    let bytes = noise(2, 20_000);
    good(&client, client.emit("ask", Some(&args), &[&bytes], LONG));
    let question = next(&client, "question");
    assert!(question.wants_ack());
    assert_same(&question, &args, &[&bytes]);
    good(&client, question.ack(Some("[6]"), &[]));
    assert_eq!(next(&client, "answer").args(), "[6]");
}

fn an_event_freed_unanswered_is_answered_with_nothing(kind: Kind) {
    let client = connect(kind);
    drop(ask(&client, "[1]"));
    assert_eq!(next(&client, "answer").args(), "[]");
}

fn without_ack_unanswered_it_is_not_answered(kind: Kind) {
    let client = connect_to(&server(kind).url(), &[("ack_unanswered", "0")]);
    drop(ask(&client, "[1]"));
    good(&client, ask(&client, "[2]").ack(Some("[2]"), &[]));
    assert_eq!(next(&client, "answer").args(), "[2]");
    round_trip(&client);
    assert_eq!(failed(client.receive(ms(0))), Status::Timeout);
}

fn an_event_is_answered_once(kind: Kind) {
    let client = connect(kind);
    let question = ask(&client, "[]");
    good(&client, question.ack(Some("[1]"), &[]));
    assert_eq!(failed(question.ack(Some("[2]"), &[])), Status::State);
    drop(question);
    assert_eq!(next(&client, "answer").args(), "[1]");
    round_trip(&client);
    assert_eq!(failed(client.receive(ms(0))), Status::Timeout);

    emit(&client, "echo", "[1]");
    assert_eq!(failed(next(&client, "echo").ack(Some("[1]"), &[])), Status::State);
}

fn an_answer_that_is_wrong_can_be_corrected(kind: Kind) {
    let client = connect(kind);
    let question = ask(&client, "[]");
    assert_eq!(failed(question.ack(Some("{}"), &[])), Status::Invalid);
    assert_eq!(failed(question.ack(Some("[1]"), &[b"x"])), Status::Invalid);
    assert!(question.wants_ack());
    good(&client, question.ack(Some("[1]"), &[]));
    assert_eq!(next(&client, "answer").args(), "[1]");
}

fn an_answer_to_a_connection_that_is_gone_is_refused(kind: Kind) {
    let client = connect(kind);
    let question = ask(&client, "[]");
    good(&client, client.disconnect(LONG));
    assert!(!question.wants_ack());
    assert_eq!(failed(question.ack(Some("[1]"), &[])), Status::Disconnected);

    // Nor does it go out by the next one, where its number may mean something else.
    good(&client, client.connect(None, LONG));
    next(&client, "welcome");
    assert!(!question.wants_ack());
    assert_eq!(failed(question.ack(Some("[1]"), &[])), Status::Disconnected);
    let other = ask(&client, "[]");
    drop(question);
    good(&client, other.ack(Some("[2]"), &[]));
    assert_eq!(next(&client, "answer").args(), "[2]");
}

fn a_message_may_outlive_its_client(kind: Kind) {
    let client = connect(kind);
    let question = ask(&client, "[\"kept\"]");
    let args = format!("[{}]", placeholder(0));
    let reply = good(&client, client.call("echo_ack", Some(&args), &[b"kept"], LONG));
    drop(client);
    assert_eq!(question.args(), "[\"kept\"]");
    assert_eq!(reply.buffer(0), Some(&b"kept"[..]));
    assert!(!question.wants_ack());
    assert_eq!(failed(question.ack(None, &[])), Status::Disconnected);
}

fn many_threads_answer_many_questions(kind: Kind) {
    let client = connect(kind);
    const COUNT: usize = 200;
    for i in 0..COUNT {
        emit(&client, "ask", &format!("[{i}]"));
    }
    // Questions and answers come to whoever receives; each question is answered with its number.
    let answers = std::sync::Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while answers.lock().unwrap().len() < COUNT {
                    let message = match client.receive(ms(20)) {
                        Ok(message) => message,
                        Err(Status::Timeout) => continue,
                        Err(status) => panic!("{}: {}", status.name(), client.error()),
                    };
                    match message.name() {
                        "question" => good(&client, message.ack(Some(message.args()), &[])),
                        "answer" => answers.lock().unwrap().push(message.args().to_owned()),
                        other => panic!("{other}"),
                    }
                }
            });
        }
    });
    let mut answers = answers.into_inner().unwrap();
    answers.sort();
    let mut expected: Vec<String> = (0..COUNT).map(|i| format!("[{i}]")).collect();
    expected.sort();
    assert_eq!(answers, expected);
}

#[track_caller]
fn ask(client: &Client, args: &str) -> Box<Message> {
    emit(client, "ask", args);
    next(client, "question")
}

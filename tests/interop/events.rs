//! Events there and back: whatever JSON they carry, whatever they are called.

#![forbid(unsafe_code)]

use sio::error::Status;
use sio::json::Kind as Json;
use sio::message::MessageKind;

use crate::common::Kind;
use crate::harness::{LONG, call, connect, emit, failed, good, json, ms, next};

with_each_server!(
    every_kind_of_json_comes_back,
    an_event_may_carry_nothing,
    white_space_around_values_is_allowed,
    text_of_every_kind_comes_back,
    numbers_arrive_as_they_were_written,
    an_event_may_be_called_anything,
    reserved_names_are_refused,
    a_long_text_comes_back_whole,
    deep_nesting_comes_back,
    events_and_calls_keep_their_order,
    no_event_is_no_failure,
);

fn every_kind_of_json_comes_back(kind: Kind) {
    let client = connect(kind);
    let args = r#"[null,true,false,0,-1,1.5,"text","",[],{},[1,[2,[3,[]]]],{"a":{"b":[1,{"c":null}]},"":0}]"#;
    emit(&client, "echo", args);
    let message = next(&client, "echo");
    assert_eq!(message.kind(), MessageKind::Event);
    assert_eq!(json(message.args()), json(args));
    assert!(!message.wants_ack());
    assert_eq!(message.buffer_count(), 0);
    let kinds = [
        Json::Null,
        Json::True,
        Json::False,
        Json::Number,
        Json::Number,
        Json::Number,
        Json::String,
        Json::String,
        Json::Array,
        Json::Object,
        Json::Array,
        Json::Object,
    ];
    for (i, kind) in kinds.into_iter().enumerate() {
        assert_eq!(message.find(&format!("/{i}")).unwrap().0, kind, "argument {i}");
    }
    assert_eq!(message.find("/11/a/b/1/c"), Some((Json::Null, &b"null"[..])));
    assert!(message.find("/12").is_none());
}

fn an_event_may_carry_nothing(kind: Kind) {
    let client = connect(kind);
    for args in [None, Some("[]"), Some(" [ ] ")] {
        good(&client, client.emit("echo", args, &[], LONG));
        assert_eq!(next(&client, "echo").args(), "[]");
    }
}

fn white_space_around_values_is_allowed(kind: Kind) {
    let client = connect(kind);
    emit(&client, "echo", " [ 1 ,\r\n\t{ \"a\" : [ ] } ] \n");
    assert_eq!(json(next(&client, "echo").args()), json(r#"[1,{"a":[]}]"#));
}

fn text_of_every_kind_comes_back(kind: Kind) {
    let client = connect(kind);
    for text in [
        r#""Grüße, 日本, עברית, 😀👩‍👩‍👧""#,
        r#""\u0000\u0001\u001f\u007f\"\\\/\b\f\n\r\t""#,
        r#""\ud83d\ude00 é \u00e9 \u2028 \u2029""#,
        "\"\u{2028}\u{2029}\u{feff}\u{7f}\u{fffd}\u{10ffff}\"",
        r#""4\"2[\\\"echo\\\"]""#,
        r#"{"é":"😀","\u0000":"\n","":""}"#,
    ] {
        let args = format!("[{text}]");
        emit(&client, "echo", &args);
        assert_eq!(json(next(&client, "echo").args()), json(&args), "{text}");
    }
}

fn numbers_arrive_as_they_were_written(kind: Kind) {
    let client = connect(kind);
    // What a server writes for each is its own; here it is told what it makes of the same text.
    let python = kind.is_python();
    let node = kind == Kind::Node;
    let cases = [
        ("0", "0"),
        ("-1", "-1"),
        ("9007199254740991", "9007199254740991"),
        ("0.1", "0.1"),
        ("-2.5", "-2.5"),
        ("1.0", if node { "1" } else { "1.0" }),
        ("1e3", if node { "1000" } else { "1000.0" }),
        (
            "1E-7",
            match kind {
                Kind::PythonAsyncio | Kind::PythonThreaded => "1e-07",
                _ => "1e-7",
            },
        ),
        (
            "18446744073709551615",
            if node { "18446744073709552000" } else { "18446744073709551615" },
        ),
    ];
    for (sent, received) in cases {
        emit(&client, "echo", &format!("[{sent}]"));
        assert_eq!(next(&client, "echo").args(), format!("[{received}]"), "of {sent}");
    }
    if python {
        let long = "[123456789012345678901234567890123456789012345678901234567890]";
        emit(&client, "echo", long);
        assert_eq!(next(&client, "echo").args(), long);
    }
}

fn an_event_may_be_called_anything(kind: Kind) {
    let client = connect(kind);
    let mut names = vec![
        "".to_owned(),
        " ".to_owned(),
        "0".to_owned(),
        "42".to_owned(),
        "with, commas [and] {brackets}".to_owned(),
        "Größe 日本 😀".to_owned(),
        "error".to_owned(),
        "message".to_owned(),
        "__proto__".to_owned(),
        "constructor".to_owned(),
        "Connect".to_owned(),
        "disconnected".to_owned(),
        "x".repeat(100_000),
    ];
    // Socketioxide ends the connection at an event name with an escape in it.
    if kind != Kind::Oxide {
        let escaped = ["a \"quoted\" \\ name", "line\nbreak\ttab", "nul\0inside", "\u{1}\u{1f}"];
        names.extend(escaped.map(str::to_owned));
    }
    // python-socketio keeps these for itself.
    if !kind.is_python() {
        names.extend(["*", "__disconnect_final"].map(str::to_owned));
    }
    for name in &names {
        // Without a handler for it the server emits the same again, then acknowledges it.
        let reply = good(&client, client.call(name, Some("[1]"), &[], LONG));
        assert_eq!(reply.args(), "[1]", "{name:.40}");
        let event = next(&client, name);
        assert_eq!(event.event_bytes(), name.as_bytes());
        assert_eq!(event.args(), "[1]");
    }
}

fn reserved_names_are_refused(kind: Kind) {
    let client = connect(kind);
    let reserved = [
        "connect",
        "connect_error",
        "disconnect",
        "disconnecting",
        "newListener",
        "removeListener",
    ];
    for name in reserved {
        assert_eq!(failed(client.emit(name, None, &[], LONG)), Status::Invalid, "{name}");
        assert!(client.error().contains(name), "{}", client.error());
        assert_eq!(failed(client.call(name, None, &[], LONG)), Status::Invalid, "{name}");
    }
    emit(&client, "echo", "[1]");
    assert_eq!(next(&client, "echo").args(), "[1]");
}

fn a_long_text_comes_back_whole(kind: Kind) {
    let client = connect(kind);
    // Around the sizes at which frames change their form and their way through the client.
    for len in [0, 100, 125, 126, 16 * 1024, 65_535, 65_536, 1 << 20] {
        for spare in 0..3 {
            let text = "x".repeat((len + spare as usize).saturating_sub(14));
            let args = format!("[\"{text}\"]");
            emit(&client, "echo", &args);
            assert!(next(&client, "echo").args() == args, "{} letters", text.len());
        }
    }
    let text = "Zoë 日本 😀 \\\" \\n ".repeat(50_000);
    let args = format!("[\"{text}\"]");
    emit(&client, "echo", &args);
    assert!(json(next(&client, "echo").args()) == json(&args));
}

fn deep_nesting_comes_back(kind: Kind) {
    let client = connect(kind);
    // Socketioxide reads 127 levels, python some 900; the client has no limit.
    let depth = if kind == Kind::Oxide { 100 } else { 400 };
    let args = format!("[{}1{}]", "[".repeat(depth), "]".repeat(depth));
    emit(&client, "echo", &args);
    assert_eq!(next(&client, "echo").args(), args);
}

fn events_and_calls_keep_their_order(kind: Kind) {
    let client = connect(kind);
    for i in 0..200 {
        emit(&client, "first", &format!("[{i}]"));
        good(&client, client.emit("second", Some(&format!("[{i}]")), &[], LONG));
        call(&client, "third", &format!("[{i}]"));
    }
    for i in 0..200 {
        for name in ["first", "second", "third"] {
            assert_eq!(next(&client, name).args(), format!("[{i}]"));
        }
    }
}

fn no_event_is_no_failure(kind: Kind) {
    let client = connect(kind);
    assert_eq!(failed(client.receive(ms(0))), Status::Timeout);
    assert_eq!(failed(client.receive(ms(30))), Status::Timeout);
    assert_eq!(client.error(), "");
}

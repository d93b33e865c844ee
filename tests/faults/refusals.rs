//! Servers that refuse, or are no Socket.IO servers at all: what connect says of each.

#![forbid(unsafe_code)]

use std::net::TcpListener;

use serde_json::{Value, json};
use sio::error::Status;
use sio::session::State;

use crate::common::scripted::{Script, Scripted};
use crate::support::*;

/// Connects in vain, quickly, to a server with this script.
#[track_caller]
fn refused(script: Script) -> (Status, Value) {
    let server = Scripted::start(script);
    let client = client();
    let status = within(ms(1000), || client.connect(Some(&server.url()), PATIENT)).unwrap_err();
    assert_eq!(client.state(), State::Closed);
    let failure = failure(&client);
    assert_eq!(failure["status"], status as i32);
    assert_eq!(failure["attempt"], 1);
    assert_eq!(receive_fails(&client, AT_ONCE), Status::Disconnected);
    assert_usable(&client);
    (status, failure)
}

#[track_caller]
fn assert_text(failure: &Value, says: &str) {
    let text = failure["text"].as_str().expect("there is a text");
    assert!(text.contains(says), "{says:?} is not in {text:?}");
}

#[test]
fn a_port_where_nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    drop(listener);
    let client = client();
    let status = client.connect(Some(&format!("http://{address}")), PATIENT).unwrap_err();
    assert_eq!(status, Status::Unreachable);
    let failure = failure(&client);
    assert_eq!(failure["phase"], "connect");
    assert_eq!(failure["os_error"], libc::ECONNREFUSED);
    assert_text(&failure, &address.to_string());
    assert_usable(&client);
}

#[test]
fn http_errors_with_the_body_of_an_engine_io_server() {
    for (status, number) in [("400 Bad Request", 400), ("404 Not Found", 404)] {
        let body = r#"{"code":1,"message":"Session ID unknown"}"#;
        let headers = ["Content-Type: application/json"];
        let script = Script::new().request().respond(status, &headers, body).until_closed();
        let (status, failure) = refused(script);
        assert_eq!(status, Status::Unreachable);
        assert_eq!(failure["http_status"], number);
        assert_eq!(failure["http_body"], body);
        assert_eq!(failure["message"], "Session ID unknown");
        assert_eq!(failure["phase"], "http");
        assert_text(&failure, "Session ID unknown");
        assert_text(&failure, &number.to_string());
    }
}

#[test]
fn http_answers_of_other_servers() {
    let page = "<html>Welcome</html>";
    let answers = [
        ("200 OK", page, 200),
        ("204 No Content", "", 204),
        ("302 Found", "", 302),
        ("401 Unauthorized", "Who are you?", 401),
        ("500 Internal Server Error", "{\"code\":[", 500),
        ("503 Service Unavailable", "later", 503),
    ];
    for (line, body, number) in answers {
        let script = Script::new().request().respond(line, &["Location: /here"], body);
        let (status, failure) = refused(script.until_closed());
        assert_eq!(status, Status::Unreachable, "{line}");
        assert_eq!(failure["http_status"], number);
        assert_eq!(failure["http_body"].as_str().unwrap_or_default(), body, "{line}");
        assert_text(&failure, line);
    }
}

#[test]
fn bodies_that_end_with_the_connection_or_come_in_chunks() {
    let until_end = "HTTP/1.0 404 Not Found\r\n\r\nnothing here";
    let chunked = "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n\
                   8\r\nnothing \r\n4;x=y\r\nhere\r\n0\r\n\r\n";
    for answer in [until_end, chunked] {
        let (status, failure) = refused(Script::new().request().raw(answer));
        assert_eq!(status, Status::Unreachable);
        assert_eq!(failure["http_status"], 404);
        assert_eq!(failure["http_body"], "nothing here");
    }
}

#[test]
fn of_a_long_body_the_first_1024_characters_are_told() {
    let body = "\u{e9}\u{1f600}".repeat(20_000);
    let script = Script::new().request().respond("400 Bad Request", &[], &body).until_closed();
    let (_, failure) = refused(script);
    let told = failure["http_body"].as_str().expect("there is a body");
    assert_eq!(told, body.chars().take(1024).collect::<String>());
    assert!(failure["text"].as_str().unwrap().len() < 2000);
}

#[test]
fn a_body_without_end_is_not_read_to_it() {
    let endless = Script::new().request().raw("HTTP/1.1 400 Bad Request\r\n\r\n").then(
        "send without end",
        |peer| {
            while peer.raw(&[b'x'; 65536]).is_ok() {}
            Ok(())
        },
    );
    let (status, failure) = refused(endless);
    assert_eq!(status, Status::Unreachable);
    assert_eq!(failure["http_body"], "x".repeat(1024));
}

#[test]
fn what_is_not_http_is_told_at_once() {
    let greetings: [&[u8]; 4] = [
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"220 mail.example.org ESMTP\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46",
        b"\0\xff\xfe",
    ];
    for greeting in greetings {
        let (status, failure) = refused(Script::new().raw(greeting).request().until_closed());
        assert_eq!(status, Status::Protocol, "{}", greeting.escape_ascii());
        assert_eq!(failure["phase"], "handshake");
    }
}

#[test]
fn answers_that_do_not_agree_to_the_websocket() {
    let wrong_key = Script::new().request().switch_with_wrong_key().until_closed();
    let (status, failure) = refused(wrong_key);
    assert_eq!((status, &failure["phase"]), (Status::Protocol, &json!("handshake")));
    assert_text(&failure, "Sec-WebSocket-Accept");

    let without: [(&str, &str); 4] = [
        ("Upgrade: websocket\r\n", "Upgrade"),
        ("Connection: Upgrade\r\n", "Connection"),
        ("Sec-WebSocket-Accept", "Sec-WebSocket-Accept"),
        ("HTTP/1.1", "HTTP/1.0"),
    ];
    for (part, says) in without {
        let script = Script::new().request().then("answer without a part", move |peer| {
            let head = peer.switching_protocols()?;
            let spoiled = if part == "HTTP/1.1" { "HTTP/1.0" } else { "X-Else: 1\r\n" };
            let spoiled = if part.starts_with("Sec") { "X-Else" } else { spoiled };
            peer.raw(head.replace(part, spoiled).as_bytes())
        });
        let (status, failure) = refused(script.until_closed());
        assert_eq!(status, Status::Protocol, "without {part}");
        assert_text(&failure, says);
    }
}

#[test]
fn a_head_without_end_is_refused() {
    let endless = Script::new().request().raw("HTTP/1.1 101 Switching Protocols\r\n").then(
        "send headers without end",
        |peer| {
            while peer.raw(&b"X-More: and more and more\r\n".repeat(100)).is_ok() {}
            Ok(())
        },
    );
    let (status, failure) = refused(endless);
    assert_eq!(status, Status::Protocol);
    assert_text(&failure, "64 KiB");
}

//! The servers of the tests are tested themselves, with a client that has nothing to do with ours.

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use common::scripted::{Blackhole, End, Frame, Listen, Script, Scripted, fragments, opcode};
use common::{Kind, Options, Server};
use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

// ---- a client ----

/// A Socket.IO client, just good enough for these tests.
struct Client {
    websocket: WebSocket<TcpStream>,
    next_id: u64,
}

impl Client {
    fn websocket(
        port: u16,
        path: &str,
    ) -> Result<WebSocket<TcpStream>, Box<dyn std::error::Error>> {
        let stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        let url = format!("ws://127.0.0.1:{port}{path}?EIO=4&transport=websocket&from=harness");
        Ok(tungstenite::client(url, stream)?.0)
    }

    fn connect(port: u16, path: &str, connect: &str) -> Client {
        let mut websocket = Client::websocket(port, path).expect("a websocket");
        let open = websocket.read().expect("an OPEN").into_text().expect("text");
        assert!(open.starts_with("0{"), "{open}");
        websocket.send(Message::text(connect)).expect("sent");
        Client { websocket, next_id: 0 }
    }

    /// The next packet with its buffers; answers pings.
    fn packet(&mut self) -> (String, Vec<Vec<u8>>) {
        loop {
            let text = match self.websocket.read().expect("a message") {
                Message::Text(text) => text.to_string(),
                Message::Pong(_) => continue,
                other => panic!("not expected: {other:?}"),
            };
            if text == "2" {
                self.websocket.send(Message::text("3")).expect("sent");
                continue;
            }
            let binary = text.strip_prefix("45").or_else(|| text.strip_prefix("46"));
            let count = binary.and_then(|rest| rest.split_once('-')).map_or("0", |(n, _)| n);
            let buffers = (0..count.parse().expect("a count")).map(|_| {
                let message = self.websocket.read().expect("an attachment");
                message.into_data().to_vec()
            });
            let buffers = buffers.collect();
            return (text, buffers);
        }
    }

    /// Reads up to the first packet that begins so, and returns what follows.
    fn until(&mut self, start: &str) -> (String, Vec<Vec<u8>>) {
        loop {
            let (text, buffers) = self.packet();
            if let Some(rest) = text.strip_prefix(start) {
                return (rest.to_owned(), buffers);
            }
        }
    }

    fn emit(&mut self, event: &Value) {
        self.websocket.write(Message::text(format!("42{event}"))).expect("sent");
    }

    fn call(&mut self, event: &Value) -> Value {
        let id = self.next_id;
        self.next_id += 1;
        self.websocket.send(Message::text(format!("42{id}{event}"))).expect("sent");
        let (answer, _) = self.until(&format!("43{id}"));
        serde_json::from_str(&answer).expect("an array")
    }

    /// Leaves so that the server has handled all that was sent before.
    fn leave(mut self) {
        self.websocket.send(Message::Ping("leaving".into())).expect("sent");
        while !matches!(self.websocket.read().expect("a PONG"), Message::Pong(_)) {}
        self.websocket.send(Message::text("41")).expect("sent");
        self.websocket.close(None).expect("sent");
        while self.websocket.read().is_ok() {}
    }
}

// ---- real servers ----

fn speaks_the_test_protocol(kind: Kind) {
    let server = Server::of(kind);
    let mut client = Client::connect(server.port(), "/socket.io/", r#"40{"name":"first"}"#);
    client.until("42[\"welcome\",{\"sid\":");

    assert_eq!(client.call(&json!(["add", 2, 3])), json!([5]));
    let handshake = client.call(&json!(["handshake"]));
    assert_eq!(handshake[0]["query"]["from"], "harness");
    assert_eq!(handshake[0]["auth"]["name"], "first");

    let packet = r#"451-["echo",{"_placeholder":true,"num":0},"ü"]"#;
    client.websocket.send(Message::text(packet)).expect("sent");
    client.websocket.send(Message::binary(vec![0, 1, 255])).expect("sent");
    let (echo, buffers) = client.until("451-");
    let echo: Value = serde_json::from_str(&echo).expect("an array");
    assert_eq!(echo, json!(["echo", {"_placeholder": true, "num": 0}, "ü"]));
    assert_eq!(buffers, [[0, 1, 255]]);

    client.emit(&json!(["mixed", 300, 500]));
    client.websocket.flush().expect("sent");
    for i in 0..300_u64 {
        let (text, buffers) = client.until("4");
        let size = i * 7919 % 501;
        assert_eq!(buffers.len() as u64, i % 3, "{text}");
        if let Some(buffer) = buffers.first() {
            let content: Vec<u8> = (0..size).map(|j| (i * 31 + j) as u8).collect();
            assert_eq!(*buffer, content, "buffer of {i}");
        }
    }
    client.until(r#"42["mixed_done""#);
    server.quiet_about(client);
}

/// What is sent before leaving is counted, also while the server sends as fast as it can.
fn counts_what_was_sent_before_leaving(kind: Kind) {
    let server = Server::of(kind);
    for (name, flooded) in [("quiet", false), ("flooded", true)] {
        let mut client = Client::connect(server.port(), "/socket.io/", "40");
        client.call(&json!(["name", name]));
        if flooded {
            client.emit(&json!(["flood_forever", 10_000]));
        }
        (0..1000).for_each(|i| client.emit(&json!(["count", i])));
        client.leave();
        let tally = ended(&server, name);
        assert_eq!(tally["count"], 1000, "{tally}");
        assert_eq!(tally["in_order"], true, "{tally}");
        assert_eq!(tally["reason"], "client namespace disconnect", "{tally}");
    }
}

fn obeys_its_options(kind: Kind) {
    let options = Options {
        ping_interval: Some(Duration::from_secs(1)),
        ping_timeout: Some(Duration::from_millis(500)),
        max_payload: Some(5000),
        path: Some("/elsewhere/".to_owned()),
        ..Options::default()
    };
    let server = Server::start(kind, options);
    let mut websocket = Client::websocket(server.port(), "/elsewhere/").expect("a websocket");
    let open = websocket.read().expect("an OPEN").into_text().expect("text");
    let open: Value = serde_json::from_str(&open[1..]).expect("JSON");
    assert_eq!(open["pingInterval"].as_f64(), Some(1000.0));
    assert_eq!(open["pingTimeout"].as_f64(), Some(500.0));
    assert_eq!(open["maxPayload"], 5000);
    assert_eq!(websocket.read().expect("a ping").into_text().expect("text").as_str(), "2");
    assert!(Client::websocket(server.port(), "/socket.io/").is_err());
}

impl Server {
    /// The server remembers the client, and that it left.
    fn quiet_about(&self, client: Client) {
        client.leave();
        assert_eq!(ended(self, "first")["reason"], "client namespace disconnect");
    }
}

/// The tally of a connection, once the server has seen its end.
fn ended(server: &Server, name: &str) -> Value {
    let mut other = Client::connect(server.port(), "/socket.io/", "40");
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let tally = other.call(&json!(["tally", name]))[0].take();
        if tally["connected"] == false {
            return tally;
        }
        assert!(Instant::now() < deadline, "{tally}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

macro_rules! for_each_server {
    ($($kind:ident $name:ident),*) => { $(
        mod $name {
            use super::*;

            #[test]
            fn speaks_the_test_protocol() {
                super::speaks_the_test_protocol(Kind::$kind);
            }

            #[test]
            fn counts_what_was_sent_before_leaving() {
                super::counts_what_was_sent_before_leaving(Kind::$kind);
            }

            #[test]
            fn obeys_its_options() {
                super::obeys_its_options(Kind::$kind);
            }
        }
    )* };
}

for_each_server!(
    Node node,
    PythonAsyncio python_asyncio,
    PythonThreaded python_threaded,
    Oxide oxide
);

// ---- the scripted server ----

fn plain(server: &Scripted) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", server.port())).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
    stream
}

#[test]
fn a_script_is_followed_and_recorded() {
    let script = Script::new()
        .connected()
        .text(r#"42["hello"]"#)
        .expect_start("42[")
        .expect_binary([7, 8])
        .until_closed();
    let server = Scripted::start(script);
    let mut client = Client::connect(server.port(), "/socket.io/", "40{}");
    client.until(r#"40{"sid":"socket-sid"}"#);
    client.until(r#"42["hello"]"#);
    client.emit(&json!(["yes"]));
    client.websocket.send(Message::binary(vec![7, 8])).expect("sent");
    client.leave();

    let record = server.finish();
    let request = record.request.expect("a request");
    assert_eq!(request.target(), "/socket.io/?EIO=4&transport=websocket&from=harness");
    assert_eq!(request.header("upgrade"), Some("websocket"));
    let opcodes: Vec<u8> = record.frames.iter().map(|frame| frame.opcode).collect();
    assert_eq!(opcodes, [1, 1, 2, opcode::PING, 1, opcode::CLOSE]);
    assert!(record.frames.iter().all(|frame| frame.fin && frame.key.is_some()));
    assert!(matches!(record.end, Some(End::Eof(_))), "{:?}", record.end);
}

#[test]
fn a_failed_step_is_named() {
    let server = Scripted::start(Script::new().connected().expect_text("42[1]"));
    let mut client = Client::connect(server.port(), "/socket.io/", "40");
    client.emit(&json!([2]));
    client.websocket.flush().expect("sent");
    let panic = catch_unwind(AssertUnwindSafe(|| server.finish())).expect_err("it failed");
    let text = panic.downcast_ref::<String>().expect("a text");
    assert!(text.contains(r#"expect "42[1]": the client sent 42[2]"#), "{text}");
}

#[test]
fn http_answers_can_be_wrong() {
    let refused = Script::new().request().respond("403 Forbidden", &["X-Why: so"], "go away");
    let server = Scripted::start(refused);
    let error = Client::websocket(server.port(), "/").expect_err("refused").to_string();
    assert!(error.contains("403"), "{error}");
    server.finish();

    let server = Scripted::start(Script::new().request().switch_with_wrong_key().until_closed());
    assert!(Client::websocket(server.port(), "/").is_err());
    server.finish();

    let server = Scripted::start(Script::new().request().raw("garbage"));
    let mut stream = plain(&server);
    stream.write_all(b"GET / HTTP/1.1\r\n\r\n").expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an end");
    assert_eq!(answer, "garbage");
}

#[test]
fn bytes_past_the_head_come_in_the_same_write() {
    let server =
        Scripted::start(Script::new().request().switch_and(Frame::text("0{}").encode()).stall());
    let mut websocket = Client::websocket(server.port(), "/").expect("a websocket");
    assert_eq!(websocket.read().expect("an OPEN"), Message::text("0{}"));
    server.finish();
}

#[test]
fn frames_of_all_lengths_and_in_pieces_arrive() {
    let lengths = [0, 1, 125, 126, 65535, 65536, 200_000];
    let mut script = Script::new().websocket();
    for length in lengths {
        script = script.binary(vec![1; length]);
    }
    let pieces = fragments(opcode::TEXT, &[b"one ", b"", b"three"]);
    let dripped = Frame::text("slowly").encode();
    let script = script.frames(pieces).drip(dripped, 3, Duration::from_millis(5)).until_closed();
    let server = Scripted::start(script);
    let mut websocket = Client::websocket(server.port(), "/").expect("a websocket");
    for length in lengths {
        let message = Message::binary(vec![1; length]);
        assert_eq!(websocket.read().expect("a frame"), message, "{length}");
        websocket.send(message).expect("sent");
    }
    assert_eq!(websocket.read().expect("text"), Message::text("one three"));
    assert_eq!(websocket.read().expect("text"), Message::text("slowly"));
    drop(websocket);
    let record = server.finish();
    let received: Vec<usize> = record.frames.iter().map(|frame| frame.payload.len()).collect();
    assert_eq!(received, lengths);
}

#[test]
fn bad_frames_are_refused_by_a_client() {
    let bad = [
        Frame::text("x").masked([1, 2, 3, 4]),
        Frame::text("x").rsv(4),
        Frame::new(3, "x"),
        Frame::ping("x").not_final(),
        Frame::new(opcode::CONTINUATION, "x"),
        Frame::text("x").announcing(u64::MAX),
    ];
    for frame in bad {
        let shown = format!("{frame:?}");
        let server = Scripted::start(Script::new().websocket().frame(frame).until_closed());
        let mut websocket = Client::websocket(server.port(), "/").expect("a websocket");
        assert!(websocket.read().is_err(), "{shown}");
    }
}

#[test]
fn pings_are_answered_unless_the_script_says_otherwise() {
    let script = Script::new().websocket().read(1).ignoring_pings().text("now").until_closed();
    let server = Scripted::start(script);
    let mut websocket = Client::websocket(server.port(), "/").expect("a websocket");
    websocket.send(Message::Ping("a".into())).expect("sent");
    websocket.send(Message::text("x")).expect("sent");
    assert_eq!(websocket.read().expect("a PONG"), Message::Pong("a".into()));
    assert_eq!(websocket.read().expect("text"), Message::text("now"));
    websocket.send(Message::Ping("b".into())).expect("sent");
    websocket.get_ref().set_read_timeout(Some(Duration::from_millis(100))).expect("a timeout");
    assert!(websocket.read().is_err());
}

#[test]
fn a_reset_is_a_reset() {
    for script in [Script::new().websocket(), Script::new().websocket().read_aside()] {
        let server = Scripted::start(script.reset());
        let mut websocket = Client::websocket(server.port(), "/").expect("a websocket");
        let error = websocket.read().expect_err("a reset");
        let tungstenite::Error::Io(error) = error else { panic!("{error}") };
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        server.finish();
    }
}

#[test]
fn a_reset_of_the_client_is_recorded() {
    let script = Script::new().websocket().until_told().text("unread").until_closed();
    let server = Scripted::start(script);
    let websocket = Client::websocket(server.port(), "/").expect("a websocket");
    server.tell();
    std::thread::sleep(Duration::from_millis(100));
    // It has not read what came, so that the system resets the connection.
    drop(websocket);
    assert!(matches!(server.finish().end, Some(End::Reset(_))));
}

#[test]
fn who_never_reads_takes_little() {
    let listen = Listen { receive_buffer: Some(4096), ..Listen::default() };
    let server = Scripted::start_with(listen, [Script::new().websocket().stall()]);
    let mut websocket = Client::websocket(server.port(), "/").expect("a websocket");
    let stream = websocket.get_mut();
    stream.set_nonblocking(true).expect("non-blocking");
    let mut sent = 0;
    let error = loop {
        match stream.write(&[0; 65536]) {
            Ok(n) => sent += n,
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    assert!(sent < 8_000_000, "{sent}");
    assert!(server.finish().frames.is_empty());
}

#[test]
fn a_test_can_hold_a_script_back() {
    let script = Script::new().websocket().until_told().text("told").until_closed();
    let server = Scripted::start(script);
    let mut websocket = Client::websocket(server.port(), "/").expect("a websocket");
    websocket.get_ref().set_read_timeout(Some(Duration::from_millis(50))).expect("a timeout");
    assert!(websocket.read().is_err());
    server.tell();
    websocket.get_ref().set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
    assert_eq!(websocket.read().expect("text"), Message::text("told"));
    websocket.send(Message::text("seen")).expect("sent");
    let record = server.wait_for(Duration::from_secs(5), |record| record.frames.len() == 1);
    assert_eq!(record.texts(), ["seen"]);
}

#[test]
fn a_flood_goes_on_while_the_client_is_read_aside() {
    let script = Script::new()
        .websocket()
        .read_aside()
        .flood(20_000, |i| Frame::text(format!("{i}")))
        .expect_text("enough")
        .flood_until_closed(|_| Frame::binary(vec![0; 10_000]));
    let server = Scripted::start(script);
    let mut websocket = Client::websocket(server.port(), "/").expect("a websocket");
    websocket.send(Message::text("enough")).expect("sent");
    for i in 0..20_000 {
        assert_eq!(websocket.read().expect("text"), Message::text(format!("{i}")));
    }
    for _ in 0..100 {
        assert_eq!(websocket.read().expect("bytes").len(), 10_000);
    }
    drop(websocket);
    server.finish();
}

#[test]
fn connections_follow_their_own_scripts_at_the_same_time() {
    let scripts = ["first", "second"].map(|name| Script::new().websocket().text(name).stall());
    let server = Scripted::start_with(Listen::default(), scripts);
    let mut first = Client::websocket(server.port(), "/").expect("a websocket");
    let mut second = Client::websocket(server.port(), "/").expect("a websocket");
    assert_eq!(second.read().expect("text"), Message::text("second"));
    assert_eq!(first.read().expect("text"), Message::text("first"));
    assert_eq!(server.finish_all().len(), 2);
}

#[test]
fn a_server_silent_at_any_stage_ends_when_it_is_dropped() {
    let stages = [
        Script::new().stall(),
        Script::new().request().stall(),
        Script::new().request().until_told(),
        Script::new().websocket().until_closed(),
        Script::new().websocket().open().pause(Duration::from_secs(60)),
        Script::new().websocket().flood_until_closed(|_| Frame::text("x")),
        Script::new().websocket().read_aside().expect_text("never"),
    ];
    for script in stages {
        let server = Scripted::start(script);
        let mut stream = plain(&server);
        let key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
        write!(stream, "GET / HTTP/1.1\r\n{key}\r\n\r\n").expect("sent");
        std::thread::sleep(Duration::from_millis(30));
        let start = Instant::now();
        drop(server);
        assert!(start.elapsed() < Duration::from_secs(1));
    }
    drop(Scripted::start(Script::new().request()));
}

#[test]
fn a_blackhole_neither_accepts_nor_refuses() {
    let hole = Blackhole::start();
    let address = hole.url()["http://".len()..].parse().expect("an address");
    let error = TcpStream::connect_timeout(&address, Duration::from_millis(300));
    assert_eq!(error.expect_err("no connection").kind(), ErrorKind::TimedOut);
}

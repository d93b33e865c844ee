//! The test servers by polling and with the upgrade, and the scripted HTTP servers, tested themselves
//! with a client that has nothing to do with ours.

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use common::scripted::{Answer, Engine, Gate, HttpServer, Packet, Plan, Script};
use common::tls::{Certificate, Silent, TlsFront};
use common::{Kind, Options, Server};
use serde_json::{Value, json};
use tungstenite::{Message, WebSocket};

// ---- a client ----

/// An answer of HTTP.
#[derive(Debug)]
struct Reply {
    status: u16,
    head: String,
    body: String,
}

impl Reply {
    fn cookie(&self) -> Option<&str> {
        let mut lines = self.head.lines();
        let line = lines.find(|line| line.to_ascii_lowercase().starts_with("set-cookie:"))?;
        line["set-cookie:".len()..].split(';').next().map(str::trim)
    }
}

/// A request on a connection of its own.
fn request(port: u16, method: &str, target: &str, headers: &str, body: &str) -> Reply {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a timeout");
    let length = body.len();
    write!(
        stream,
        "{method} {target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\
         Content-Type: text/plain;charset=UTF-8\r\nContent-Length: {length}\r\n{headers}\r\n{body}"
    )
    .expect("sent");
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all);
    let text = String::from_utf8_lossy(&all).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    let body = if chunked { dechunked(body) } else { body.to_owned() };
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Reply { status, head: head.to_owned(), body }
}

fn dechunked(mut rest: &str) -> String {
    let mut body = String::new();
    while let Some((length, more)) = rest.split_once("\r\n") {
        let length = usize::from_str_radix(length, 16).expect("a length");
        body.push_str(&more[..length]);
        rest = more[length..].trim_start_matches("\r\n");
    }
    body
}

/// A Socket.IO session by polling, just good enough for these tests.
struct Session {
    port: u16,
    target: String,
    cookie: String,
    open: Value,
    next_id: u64,
    /// What came and was not looked at.
    packets: Vec<String>,
}

impl Session {
    fn open(port: u16) -> Session {
        let target = "/socket.io/?EIO=4&transport=polling".to_owned();
        let reply = request(port, "GET", &target, "", "");
        assert_eq!(reply.status, 200, "{reply:?}");
        let open: Value = serde_json::from_str(&reply.body[1..]).expect("a handshake");
        let sid = open["sid"].as_str().expect("a sid");
        let target = format!("{target}&sid={sid}");
        let cookie = reply.cookie().map(|cookie| format!("Cookie: {cookie}\r\n"));
        let cookie = cookie.unwrap_or_default();
        Session { port, target, cookie, open, next_id: 0, packets: Vec::new() }
    }

    fn connected(port: u16) -> Session {
        let mut session = Session::open(port);
        session.post("40");
        session.until("40{");
        session
    }

    fn post(&self, body: &str) {
        let reply = request(self.port, "POST", &self.target, &self.cookie, body);
        assert_eq!(reply.status, 200, "{body}: {reply:?}");
    }

    /// The rest of the first packet that begins so.
    fn until(&mut self, start: &str) -> String {
        loop {
            while !self.packets.is_empty() {
                let packet = self.packets.remove(0);
                if packet == "2" {
                    self.post("3");
                } else if let Some(rest) = packet.strip_prefix(start) {
                    return rest.to_owned();
                }
            }
            self.poll();
        }
    }

    fn poll(&mut self) {
        let reply = request(self.port, "GET", &self.target, &self.cookie, "");
        assert_eq!(reply.status, 200, "{reply:?}");
        self.packets.extend(reply.body.split('\x1e').map(str::to_owned));
    }

    fn call(&mut self, event: &Value) -> Value {
        let id = self.next_id;
        self.next_id += 1;
        self.post(&format!("42{id}{event}"));
        let answer = self.until(&format!("43{id}"));
        serde_json::from_str(&answer).expect("an array")
    }

    /// A websocket of this session.
    fn websocket(&self) -> WebSocket<TcpStream> {
        let stream = TcpStream::connect(("127.0.0.1", self.port)).expect("a connection");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
        let target = self.target.replace("transport=polling", "transport=websocket");
        let uri = format!("ws://127.0.0.1:{}{target}", self.port);
        let mut builder = tungstenite::ClientRequestBuilder::new(uri.parse().expect("a URI"));
        if let Some(cookie) = self.cookie.strip_prefix("Cookie: ") {
            builder = builder.with_header("Cookie", cookie.trim());
        }
        tungstenite::client(builder, stream).expect("a websocket").0
    }
}

fn text_of(websocket: &mut WebSocket<TcpStream>, wanted: &str) -> String {
    loop {
        match websocket.read().expect("a message") {
            Message::Text(text) if text.as_str().starts_with(wanted) => return text.to_string(),
            Message::Text(text) if text.as_str() == "2" => {
                websocket.send(Message::text("3")).expect("sent");
            }
            _ => {}
        }
    }
}

// ---- real servers ----

fn speaks_by_polling(kind: Kind) {
    let server = Server::of(kind);
    let mut session = Session::connected(server.port());
    assert_eq!(session.open["upgrades"], json!(["websocket"]));
    assert_eq!(session.call(&json!(["transport"])), json!(["polling"]));
    assert_eq!(session.call(&json!(["add", 2, 3])), json!([5]));
    session.post("42[\"count\",0]\x1e42[\"count\",1]\x1e42[\"count\",2]");
    assert_eq!(session.call(&json!(["count", 3])), json!([4]));
    session.post("451-[\"echo\",{\"_placeholder\":true,\"num\":0}]\x1ebAAH/");
    session.until("451-[\"echo\"");
    assert_eq!(session.until("b"), "AAH/");
    session.call(&json!(["name", "polls"]));
    // The answer may be what is dropped.
    request(server.port(), "POST", &session.target, "", "42[\"drop\"]");
    let mut other = Session::connected(server.port());
    let deadline = Instant::now() + Duration::from_secs(10);
    while other.call(&json!(["tally", "polls"]))[0]["connected"] != false {
        assert!(Instant::now() < deadline, "the end of a session is not noticed");
    }
    assert_eq!(other.call(&json!(["tally", "polls"]))[0]["transport"], "polling");
}

fn floods_by_polling(kind: Kind) {
    let server = Server::of(kind);
    let mut session = Session::connected(server.port());
    session.post("42[\"flood\",3000,100]");
    for i in 0..3000 {
        session.until(&format!("42[\"flood\",{i},"));
    }
    session.until("42[\"flood_done\"");
}

fn upgrades(kind: Kind) {
    let server = Server::of(kind);
    let mut session = Session::connected(server.port());
    let mut websocket = session.websocket();
    websocket.send(Message::text("2probe")).expect("sent");
    assert_eq!(text_of(&mut websocket, "3"), "3probe");
    session.poll();
    websocket.send(Message::text("5")).expect("sent");
    websocket.send(Message::text("420[\"transport\"]")).expect("sent");
    assert_eq!(text_of(&mut websocket, "430"), "430[\"websocket\"]");
    websocket.send(Message::text("42[\"drop\"]")).expect("sent");
    while websocket.read().is_ok() {}
}

fn obeys_its_options(kind: Kind) {
    let of = |transports| Options { transports: Some(transports), ..Options::default() };
    let target = |transport: &str| format!("/socket.io/?EIO=4&transport={transport}");
    let server = Server::start(kind, of("polling"));
    // All of them announce the upgrade that they refuse.
    Session::connected(server.port());
    let key = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
               Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let reply = request(server.port(), "GET", &target("websocket"), key, "");
    assert!(matches!(reply.status, 400 | 0), "{reply:?}");

    let server = Server::start(kind, of("websocket"));
    assert_eq!(request(server.port(), "GET", &target("polling"), "", "").status, 400);

    if kind != Kind::Oxide {
        let options = Options { no_upgrades: true, ..Options::default() };
        let server = Server::start(kind, options);
        assert_eq!(Session::open(server.port()).open["upgrades"], json!([]));
    }
}

fn wants_its_cookie(kind: Kind) {
    let options = Options { cookie: Some("sticky".to_owned()), ..Options::default() };
    let server = Server::start(kind, options);
    let mut session = Session::connected(server.port());
    assert!(session.cookie.contains("sticky="), "{}", session.cookie);
    assert_eq!(session.call(&json!(["add", 2, 3])), json!([5]));
    let mut websocket = session.websocket();
    websocket.send(Message::text("2probe")).expect("sent");
    assert_eq!(text_of(&mut websocket, "3"), "3probe");
    let reply = request(server.port(), "GET", &session.target, "", "");
    assert_eq!(reply.status, 400, "{reply:?}");
}

fn comes_back_at_the_same_port(kind: Kind) {
    let mut server = Server::of(kind);
    let url = server.url();
    for _ in 0..2 {
        Session::connected(server.port());
        server.kill();
        let refused = TcpStream::connect(("127.0.0.1", server.port()));
        assert!(refused.is_err(), "somebody else has the port");
        server.restart();
        assert_eq!(server.url(), url);
    }
    assert_eq!(Session::connected(server.port()).call(&json!(["add", 1, 1])), json!([2]));
}

macro_rules! for_each_server {
    ($($kind:ident $name:ident)*: $tests:tt) => {
        $( mod $name { for_each_server!(@tests $kind $tests); } )*
    };
    (@tests $kind:ident [$($test:ident)*]) => {
        $(
            #[test]
            fn $test() {
                super::$test(super::Kind::$kind);
            }
        )*
    };
}

for_each_server!(Node node PythonAsyncio python_asyncio PythonThreaded python_threaded Oxide oxide:
    [speaks_by_polling floods_by_polling upgrades obeys_its_options wants_its_cookie
     comes_back_at_the_same_port]);

// ---- scripted servers ----

#[test]
fn answers_come_as_they_are_told() {
    let gate = Gate::new();
    let held = gate.clone();
    let server = HttpServer::start(move |request| match request.target() {
        "/ok" => Answer::ok("fine"),
        "/chunked" => Answer::head("200 OK").chunked("in pieces", 2),
        "/late" => Answer::ok("late").after(Duration::from_millis(50)),
        "/held" => Answer::ok("held").when(&held),
        "/half" => Answer::ok("this is cut").cut_short(4),
        "/cut" => Answer::ok("nothing of it").cut(20),
        "/none" => Answer::none(),
        "/gzip" => Answer::head("200 OK").gzip("packed"),
        _ => Answer::error(3, "Bad request"),
    });
    let get = |target| request(server.port(), "GET", target, "", "");
    assert_eq!(get("/ok").body, "fine");
    assert_eq!(get("/chunked").body, "in pieces");
    assert_eq!(get("/late").body, "late");
    let since = Instant::now();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            server.wait_for("it waits", |all| (all.len() == 4).then_some(()));
            std::thread::sleep(Duration::from_millis(30));
            gate.open();
        });
        assert_eq!(get("/held").body, "held");
    });
    assert!(since.elapsed() >= Duration::from_millis(30));
    assert_eq!(get("/half").body, "this is");
    assert_eq!(get("/cut").status, 200);
    assert_eq!(get("/none").status, 0);
    assert!(get("/gzip").head.contains("Content-Encoding: gzip"));
    assert_eq!(get("/else").body, r#"{"code":3,"message":"Bad request"}"#);
    server.wait_for_ends();
    assert_eq!(server.connections(), 9);
}

#[test]
fn bodies_of_requests_are_read_in_both_forms() {
    let server = HttpServer::start(|request| Answer::ok(request.text()));
    assert_eq!(request(server.port(), "POST", "/", "", "with a length").body, "with a length");
    let chunked = "Transfer-Encoding: chunked\r\n";
    let reply = request(server.port(), "POST", "/", chunked, "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    assert_eq!(reply.body, "abcde");
}

#[test]
fn connections_are_kept_and_can_be_closed() {
    let server = HttpServer::start(|_| Answer::ok("~"));
    let mut stream = TcpStream::connect(("127.0.0.1", server.port())).expect("a connection");
    for _ in 0..3 {
        stream.write_all(b"GET /a HTTP/1.1\r\n\r\n").expect("sent");
        let mut byte = [0];
        while byte[0] != b'~' {
            stream.read_exact(&mut byte).expect("an answer");
        }
    }
    assert_eq!((server.exchanges().len(), server.connections()), (3, 1));
    // The server may still be about to note that its last answer is out.
    stream.set_read_timeout(Some(Duration::from_millis(50))).expect("a limit");
    let since = Instant::now();
    loop {
        server.close_idle();
        match stream.read(&mut [0]) {
            Ok(count) => break assert_eq!(count, 0),
            Err(_) => assert!(since.elapsed() < Duration::from_secs(10), "it is not closed"),
        }
    }
}

#[test]
fn a_scripted_engine_polls_and_upgrades() {
    let engine = Engine::start(Plan::default().reply(|packet| {
        packet.strip_prefix("42").map(|rest| format!("42{rest}")).into_iter().collect()
    }));
    let port = engine.http().port();
    let mut session = Session::connected(port);
    session.post("42[\"a\"]\x1ebAQI=");
    assert_eq!(session.until("42"), "[\"a\"]");
    engine.send_packets([Packet::Text("42[\"b\"]".into()), Packet::Binary(vec![1, 2])]);
    session.until("42[\"b\"]");
    assert_eq!(session.until("b"), "AQI=");
    assert_eq!(engine.came()[2].packet, Packet::Binary(vec![1, 2]));

    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| request(port, "GET", &session.target, "", "").body);
        engine.wait_for_poll();
        let mut websocket = session.websocket();
        websocket.send(Message::text("2probe")).expect("sent");
        assert_eq!(text_of(&mut websocket, "3"), "3probe");
        assert_eq!(waiting.join().expect("an answer"), "6");
        websocket.send(Message::text("5")).expect("sent");
        engine.wait_for_upgrade();
        websocket.send(Message::text("42[\"c\"]")).expect("sent");
        assert_eq!(text_of(&mut websocket, "42"), "42[\"c\"]");
        engine.send("42[\"d\"]");
        assert_eq!(text_of(&mut websocket, "42"), "42[\"d\"]");
        websocket.close(None).expect("sent");
        while websocket.read().is_ok() {}
    });
    assert_eq!(engine.texts(), ["40", "42[\"a\"]", "5", "42[\"c\"]"]);
    assert_eq!(engine.rudeness(), None);
}

#[test]
fn a_scripted_engine_notices_bad_manners() {
    let engine = Engine::start(Plan::default().whatever_the_client_does());
    let session = Session::connected(engine.http().port());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| request(session.port, "GET", &session.target, "", ""));
        }
        let two = |all: &[_]| (all.len() == 5).then_some(());
        engine.http().wait_for("two polls wait", two);
        let rudeness = engine.rudeness().expect("two polls are one too many");
        assert!(rudeness.contains("at the same time"), "{rudeness}");
        engine.forget();
    });
    let session = Session::connected(engine.http().port());
    session.post(&["42[\"x\"]"; 17].join("\x1e"));
    drop(engine);
}

#[test]
fn a_scripted_engine_can_be_down_and_forget() {
    let mut engine = Engine::usual();
    let port = engine.http().port();
    let session = Session::connected(port);
    engine.down();
    assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    engine.up();
    let reply = request(port, "GET", &session.target, "", "");
    assert_eq!(reply.body, r#"{"code":1,"message":"Session ID unknown"}"#);
    let refusing = Engine::start(
        Plan::default()
            .upgrade(|| Script::new().respond("403 Forbidden", &[], "no").until_closed()),
    );
    let session = Session::connected(refusing.http().port());
    let target = session.target.replace("polling", "websocket");
    let upgrade = "Upgrade: websocket\r\n";
    assert_eq!(request(refusing.http().port(), "GET", &target, upgrade, "").status, 403);
}

// ---- TLS ----

/// A GET over TLS; what came back, or why nothing did.
fn get_over_tls(front: &TlsFront, name: &'static str) -> Result<String, String> {
    let mut roots = rustls::RootCertStore::empty();
    let pem = std::fs::read(front.ca_file()).expect("the CA file");
    let mut pem = rustls::pki_types::pem::PemObject::pem_slice_iter(&pem);
    roots.add(pem.next().expect("a certificate").expect("PEM")).expect("a root");
    let provider = rustls::crypto::ring::default_provider().into();
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = rustls::pki_types::ServerName::try_from(name).expect("a name");
    let tls = rustls::ClientConnection::new(config.into(), name).expect("a connection");
    let tcp = TcpStream::connect(("127.0.0.1", front.port())).expect("a connection");
    tcp.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    let mut stream = rustls::StreamOwned::new(tls, tcp);
    let text = |error: std::io::Error| error.to_string();
    stream.write_all(b"GET /x HTTP/1.1\r\nHost: h\r\n\r\n").map_err(text)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(text)?;
    Ok(answer)
}

#[test]
fn a_front_shows_certificates_of_all_kinds() {
    let server = HttpServer::start(|_| Answer::ok("y".repeat(1_000_000)).then_close());
    let outcomes = [
        (Certificate::Good, "localhost", ""),
        (Certificate::Good, "127.0.0.1", ""),
        (Certificate::Tls12, "localhost", ""),
        (Certificate::NameOnly, "127.0.0.1", "NotValidForName"),
        (Certificate::Expired, "localhost", "expired"),
        (Certificate::NotYetValid, "localhost", "not valid yet"),
        (Certificate::WrongName, "localhost", "not valid for name"),
        (Certificate::SelfSigned, "localhost", ""),
        (Certificate::DemandsClient, "localhost", "CertificateRequired"),
    ];
    for (certificate, name, error) in outcomes {
        let front = TlsFront::start(server.port(), certificate);
        let outcome = get_over_tls(&front, name);
        let good = error.is_empty() && certificate != Certificate::SelfSigned;
        assert_eq!(outcome.is_ok(), good, "{certificate:?}: {outcome:.200?}");
        let seen =
            front.wait_for(|seen| seen.iter().any(|one| one.complete || one.error.is_some()));
        assert_eq!(seen[0].complete, good, "{certificate:?}: {seen:?}");
        if good {
            assert_eq!(
                outcome.expect("an answer").split_once("\r\n\r\n").unwrap().1.len(),
                1_000_000
            );
            assert_eq!(seen[0].name.as_deref(), (name == "localhost").then_some(name));
        }
    }
}

#[test]
fn a_front_can_be_silent() {
    for silent in [Silent::AfterAccept, Silent::AfterHello] {
        let front = TlsFront::silent(silent);
        let mut stream = TcpStream::connect(("127.0.0.1", front.port())).expect("a connection");
        stream.write_all(b"hello").expect("sent");
        stream.set_read_timeout(Some(Duration::from_millis(100))).expect("a timeout");
        assert!(stream.read(&mut [0]).is_err(), "{silent:?}");
    }
}

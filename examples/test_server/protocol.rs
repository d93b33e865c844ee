//! The events of the test protocol.
//!
//! Owns: what each event does. A handler's work is done before its first await, so that the order of
//! events is the order of their effects; what it sends goes through the connection's `Sender`.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use socketioxide::extract::{AckSender, SocketRef};
use socketioxide::handler::ConnectHandler;
use socketioxide::socket::DisconnectReason;
use socketioxide::{SendError, SocketError, SocketIo, TransportType};
use tokio::sync::mpsc;

use crate::connection::Connection;
use crate::content::{bytes_of, mixed_args, text_of};
use crate::json::{Args, Auth, Call, Json};
use crate::records::{Record, Records, locked};
use crate::service::{Session, Sessions};

pub(crate) fn install(io: &SocketIo) {
    let records = Records::default();
    let connect = async move |socket: SocketRef, auth: Auth| connected(&records, socket, auth.0);
    io.ns("/", connect.clone());
    io.ns("/admin", connect.clone());
    io.ns(
        "/auth",
        connect.clone().with(async |auth: Auth| {
            let token = auth.0.member("token").and_then(Json::as_text);
            if token == Some("secret") { Ok(()) } else { Err(Refusal("bad token")) }
        }),
    );
    io.ns("/refuse", connect.with(async || Err(Refusal("not welcome"))));
}

/// Why a namespace does not let the client in.
#[derive(Debug)]
struct Refusal(&'static str);

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

fn connected(records: &Records, socket: SocketRef, auth: Json) {
    let record = records.add(socket.id.as_str(), socket.ns());
    locked(&record).carried_by(transport_of(&socket));
    if let Some(name) = auth.member("name").and_then(Json::as_text) {
        records.give_name(&record, name);
    }
    let (queue, sendings) = mpsc::unbounded_channel();
    let queue = Queue(queue);
    let sender = Sender::new(socket.clone());
    tokio::spawn(sender.send_all(sendings));

    let (ended, last) = (record.clone(), queue.clone());
    socket.on_disconnect(async move |socket: SocketRef, reason: DisconnectReason| {
        locked(&ended).carried_by(transport_of(&socket));
        locked(&ended).ended(reason);
        // The socket's handlers keep the queue, and the sender keeps the socket, for ever otherwise.
        last.push(Sending::End);
    });
    queue.emit("welcome", vec![object([("sid", Json::from(socket.id.as_str()))])]);
    let client = Client { records: records.clone(), record, auth, queue };
    socket.on_fallback(async move |socket: SocketRef, call: Call| client.respond(socket, call));
}

/// What the handlers of one connection share.
#[derive(Clone)]
struct Client {
    records: Records,
    record: Arc<Mutex<Record>>,
    auth: Json,
    queue: Queue,
}

impl Client {
    fn respond(&self, socket: SocketRef, call: Call) {
        let Call { name, args, ack } = call;
        let number = |i: usize| args.get(i).and_then(Json::as_u64).unwrap_or(0);
        let queue = &self.queue;
        locked(&self.record).event();
        locked(&self.record).carried_by(transport_of(&socket));
        match name.as_str() {
            "name" => {
                let text = args.first().and_then(Json::as_text).unwrap_or_default();
                self.records.give_name(&self.record, text);
                queue.ack(ack, args);
            }
            "echo" => queue.emit("echo", args),
            "add" => queue.ack(ack, vec![sum(&args)]),
            "echo_ack" => queue.ack(ack, args),
            "no_ack" => {}
            "slow_ack" => {
                let (queue, after) = (queue.clone(), Duration::from_millis(number(0)));
                tokio::spawn(async move {
                    tokio::time::sleep(after).await;
                    queue.ack(ack, args);
                });
            }
            "ask" => queue.push(Sending::Question(args, queue.clone())),
            "count" => {
                let seq = args.first().and_then(Json::as_u64);
                let count = locked(&self.record).count(seq);
                queue.ack(ack, vec![Json::from(count)]);
            }
            "check" => {
                let content = args.get(3..).unwrap_or_default();
                let checked = locked(&self.record).check(number(0), number(1), number(2), content);
                queue.ack(ack, vec![Json::from(checked)]);
            }
            "tally" => {
                let key = args.first().and_then(Json::as_text).unwrap_or_default();
                queue.ack(ack, vec![self.records.tally(key)]);
            }
            "status" => {
                let open = Json::from(self.records.connections());
                queue.ack(ack, vec![object([("connections", open)])]);
            }
            "flood" => flood_of(socket, Some(number(0)), number(1), args.get(2)),
            "flood_forever" => flood_of(socket, None, number(0), args.get(1)),
            "mixed" => {
                let largest = args.get(1).and_then(Json::as_u64).unwrap_or(2000) as usize;
                let args_of = move |i| mixed_args(i, largest);
                tokio::spawn(flood(socket, "mixed", Some(number(0)), args_of));
            }
            "kick" => queue.push(Sending::Disconnect),
            "kick_hard" | "drop" => cut(socket),
            "transport" => queue.ack(ack, vec![Json::from(transport_of(&socket))]),
            "handshake" => queue.ack(ack, vec![self.handshake(&socket)]),
            _ => {
                queue.emit(&name, args.clone());
                queue.ack(ack, args);
            }
        }
    }

    fn handshake(&self, socket: &SocketRef) -> Json {
        let parts = socket.req_parts();
        let mut headers: Vec<(String, Json)> = Vec::new();
        for (name, value) in &parts.headers {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            match headers.iter_mut().find(|(known, _)| known == name.as_str()) {
                Some((_, Json::Text(known))) => *known = format!("{known}, {value}"),
                _ => headers.push((name.as_str().to_owned(), Json::Text(value))),
            }
        }
        let query = parts.uri.query().unwrap_or_default().split('&').map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(key), Json::Text(decoded(value)))
        });
        object([
            ("headers", Json::Object(headers)),
            ("query", Json::Object(query.collect())),
            ("auth", self.auth.clone()),
            ("url", Json::from(parts.uri.to_string().as_str())),
        ])
    }
}

/// What waits to be sent to one client, in order.
enum Sending {
    Event(String, Vec<Json>),
    Ack(AckSender, Vec<Json>),
    Question(Vec<Json>, Queue),
    Disconnect,
    End,
}

#[derive(Clone)]
struct Queue(mpsc::UnboundedSender<Sending>);

impl Queue {
    fn emit(&self, name: &str, args: Vec<Json>) {
        self.push(Sending::Event(name.to_owned(), args));
    }

    fn ack(&self, ack: Option<AckSender>, args: Vec<Json>) {
        // What is not sent must not count as sent.
        if let Some(ack) = ack {
            self.push(Sending::Ack(ack, args));
        }
    }

    fn push(&self, sending: Sending) {
        // It fails only when the connection has ended, and then nobody waits for it.
        let _ = self.0.send(sending);
    }
}

/// Sends to one client, no faster than its socket takes it. What the crate's channel is too full for
/// would otherwise be lost.
struct Sender {
    socket: SocketRef,
    connection: Arc<Connection>,
    session: Arc<Session>,
    since_drained: u32,
    /// How many polls had been answered when the last burst began.
    polls: u64,
}

impl Sender {
    /// So many packets are sent before the socket is looked at again.
    const BURST: u32 = 64;

    fn new(socket: SocketRef) -> Self {
        let (connection, session) = (connection_of(&socket), session_of(&socket));
        let polls = session.polls();
        Sender { socket, connection, session, since_drained: 0, polls }
    }

    async fn send_all(mut self, mut sendings: mpsc::UnboundedReceiver<Sending>) {
        while let Some(sending) = sendings.recv().await {
            match sending {
                Sending::Event(name, args) => self.emit(&name, Args(args)).await,
                Sending::Ack(ack, args) => {
                    self.pace().await;
                    let _ = ack.send(&Args(args));
                }
                Sending::Question(args, queue) => self.ask(Args(args), queue).await,
                Sending::Disconnect => {
                    let _ = self.socket.clone().disconnect();
                }
                Sending::End => return,
            }
        }
    }

    async fn emit(&mut self, name: &str, args: Args) {
        self.pace().await;
        while let Err(SendError::Socket(SocketError::InternalChannelFull)) =
            self.socket.emit(name, &args)
        {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    async fn ask(&mut self, args: Args, queue: Queue) {
        self.pace().await;
        if let Ok(answer) = self.socket.emit_with_ack::<_, Args>("question", &args) {
            tokio::spawn(async move {
                if let Ok(Args(answer)) = answer.await {
                    queue.emit("answer", answer);
                }
            });
        }
    }

    async fn pace(&mut self) {
        self.since_drained += 1;
        if self.since_drained < Self::BURST {
            return;
        }
        self.since_drained = 0;
        let polled = || transport_of(&self.socket) == "polling" && self.socket.connected();
        while polled() && self.session.polls() == self.polls {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        self.polls = self.session.polls();
        self.connection.drained(|| self.socket.connected()).await;
    }
}

fn flood_of(socket: SocketRef, n: Option<u64>, bytes: u64, binary: Option<&Json>) {
    let (bytes, binary) = (bytes as usize, binary == Some(&Json::Bool(true)));
    let args_of = move |i| {
        let content = if binary {
            Json::Binary(bytes_of(i, 0, bytes))
        } else {
            Json::Text(text_of(i, bytes))
        };
        vec![Json::from(i), content]
    };
    tokio::spawn(flood(socket, "flood", n, args_of));
}

async fn flood(socket: SocketRef, name: &str, n: Option<u64>, args_of: impl Fn(u64) -> Vec<Json>) {
    let mut sender = Sender::new(socket);
    for i in 0..n.unwrap_or(u64::MAX) {
        if !sender.socket.connected() {
            return;
        }
        sender.emit(name, Args(args_of(i))).await;
    }
    sender.emit(&format!("{name}_done"), Args(n.map(Json::from).into_iter().collect())).await;
}

/// Ends the connection without a word.
fn cut(socket: SocketRef) {
    connection_of(&socket).cut();
    session_of(&socket).cut();
    if transport_of(&socket) == "polling" {
        // Nothing else tells the session that the connection of its poll is gone.
        let _ = socket.disconnect();
    }
}

fn transport_of(socket: &SocketRef) -> &'static str {
    match socket.transport_type() {
        TransportType::Polling => "polling",
        TransportType::Websocket => "websocket",
    }
}

fn session_of(socket: &SocketRef) -> Arc<Session> {
    let sessions = socket.req_parts().extensions.get::<Sessions>();
    sessions.expect("every request is handed all sessions").session(socket.id.as_str())
}

fn connection_of(socket: &SocketRef) -> Arc<Connection> {
    let connection = socket.req_parts().extensions.get::<Arc<Connection>>();
    connection.expect("every request is handed its connection").clone()
}

fn sum(args: &[Json]) -> Json {
    if let Some(whole) = args.iter().map(Json::as_u64).sum::<Option<u64>>() {
        return Json::from(whole);
    }
    let sum = args.iter().filter_map(Json::as_f64).sum();
    serde_json::Number::from_f64(sum).map_or(Json::Null, Json::Number)
}

fn object<const N: usize>(members: [(&str, Json); N]) -> Json {
    Json::Object(members.map(|(key, value)| (key.to_owned(), value)).into())
}

/// A part of a query, without its percent signs.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let escaped = match tail {
            [high, low, ..] if *first == b'%' => {
                let digits = [*high, *low];
                std::str::from_utf8(&digits).ok().and_then(|hex| u8::from_str_radix(hex, 16).ok())
            }
            _ => None,
        };
        bytes.push(escaped.unwrap_or(if *first == b'+' { b' ' } else { *first }));
        rest = if escaped.is_some() { &tail[2..] } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

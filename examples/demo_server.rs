//! The server that `make demo` and the programs under `examples-c` talk with: a small Socket.IO
//! server on socketioxide, served by hyper on one thread.
//!
//! It takes polling, websocket and the upgrade, listens on 127.0.0.1, says `LISTENING port` on
//! stdout, and tells on stderr what it does.
//!
//! | event from a client | what the server does |
//! | --- | --- |
//! | `hello`, a name | emits `greeting`, a text with the name |
//! | `add`, two whole numbers | acknowledges with their sum |
//! | `reverse`, bytes | acknowledges with the bytes in reverse order |
//! | `ask` | emits `question`, two numbers, waits for their product, and emits `verdict` |
//! | `message`, any value | emits `message` with the value to everybody else |
//! | `file`, a name and bytes | emits `file` with both to everybody else, acknowledges with their count |
//! | `transport` | acknowledges with the transport that carries the session |
//! | `restart` | starts anew after a while: every connection is cut, and all is forgotten |
//!
//! The namespace `/members` lets in who brings the auth data `{"ticket": ...}`, and each ticket once. The
//! one event there is `who`, acknowledged with the ticket and with the header `X-Client`.

#![forbid(unsafe_code)]

use std::collections::HashSet;
use std::fmt::{self, Display};
use std::io::{IsTerminal, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use socketioxide::extract::{AckSender, Data, Event, SocketRef, TryData};
use socketioxide::handler::ConnectHandler;
use socketioxide::socket::DisconnectReason;
use socketioxide::{SocketIo, TransportType};
use tokio::net::TcpListener;

/// No message may be larger.
const MAX_PAYLOAD: usize = 100_000_000;

/// For so long nobody listens when the server restarts.
const AWAY: Duration = Duration::from_millis(1500);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::from_args()?;
    if options.until_eof {
        exit_with_stdin();
    }
    std::thread::sleep(options.after);
    // On one thread the handlers run in the order in which their events came.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(options))
}

async fn serve(options: Options) -> Result<(), Box<dyn std::error::Error>> {
    let (service, io) = SocketIo::builder()
        .max_payload(MAX_PAYLOAD as u64)
        .ws_max_message_size(MAX_PAYLOAD)
        .ws_max_frame_size(MAX_PAYLOAD)
        .ack_timeout(Duration::from_secs(10))
        .build_svc();
    let listener = TcpListener::bind(("127.0.0.1", options.port)).await?;
    let port = listener.local_addr()?.port();
    let restarts = Options { port, after: AWAY, ..options };
    io.ns("/", async move |socket: SocketRef| connected(&socket, restarts));
    let used = Arc::<Mutex<HashSet<String>>>::default();
    io.ns(
        "/members",
        member.with(async move |TryData(auth): TryData<Value>| admit(&used, auth.ok())),
    );

    // Who started it may have stopped to read after the first time.
    let _ = writeln!(std::io::stdout(), "LISTENING {port}");
    if !options.after.is_zero() {
        say("is back, and knows of no session");
    }
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let service = service.clone();
        tokio::spawn(async move {
            // How a connection ends is told by `left`.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades()
                .await;
        });
    }
}

fn connected(socket: &SocketRef, restarts: Options) {
    say(format_args!("session {} connects by {}", socket.id, transport_of(socket)));
    socket.on("hello", hello);
    socket.on("add", add);
    socket.on("reverse", reverse);
    socket.on("ask", ask);
    socket.on("message", message);
    socket.on("file", file);
    socket.on("transport", transport);
    socket.on("restart", async move || restart(restarts));
    socket.on_fallback(async |Event(event): Event| say(format_args!("nobody handles {event:?}")));
    socket.on_disconnect(left);
}

async fn hello(socket: SocketRef, Data((name,)): Data<(String,)>) {
    let by = transport_of(&socket);
    say(format_args!("hello comes from {name} by {by}, greeting goes back"));
    sent(socket.emit("greeting", &(format!("Hello, {name}!"),)));
}

async fn add(Data((a, b)): Data<(i64, i64)>, ack: AckSender) {
    let sum = a.saturating_add(b);
    say(format_args!("add {a} and {b}: {sum}"));
    sent(ack.send(&(sum,)));
}

async fn reverse(Data((bytes,)): Data<(Bytes,)>, ack: AckSender) {
    say(format_args!("reverse {} bytes", bytes.len()));
    let reversed: Bytes = bytes.iter().rev().copied().collect();
    sent(ack.send(&(reversed,)));
}

async fn ask(socket: SocketRef) {
    let (a, b) = (6, 7);
    say(format_args!("question: what is {a} times {b}?"));
    let verdict = match socket.emit_with_ack::<_, (i64,)>("question", &(a, b)) {
        Ok(answer) => match answer.await {
            Ok((product,)) => {
                let verdict = if product == a * b { "right" } else { "wrong" };
                say(format_args!("the answer is {product}, which is {verdict}"));
                verdict
            }
            Err(error) => {
                say(format_args!("no answer that could be used: {error}"));
                "no answer"
            }
        },
        Err(error) => return say(format_args!("not sent: {error}")),
    };
    sent(socket.emit("verdict", &(verdict,)));
}

async fn message(socket: SocketRef, Data((value,)): Data<(Value,)>) {
    say(format_args!("message {value}"));
    sent(socket.broadcast().emit("message", &(value,)).await);
}

async fn file(io: SocketIo, socket: SocketRef, Data(file): Data<(String, Bytes)>, ack: AckSender) {
    let others = io.sockets().len() - 1;
    say(format_args!("file {:?}, {} bytes, goes to {others} others", file.0, file.1.len()));
    sent(socket.broadcast().emit("file", &file).await);
    sent(ack.send(&(others,)));
}

async fn transport(socket: SocketRef, ack: AckSender) {
    let name = transport_of(&socket);
    say(format_args!("session {} is carried by {name}", socket.id));
    sent(ack.send(&(name,)));
}

fn transport_of(socket: &SocketRef) -> &'static str {
    match socket.transport_type() {
        TransportType::Polling => "polling",
        TransportType::Websocket => "websocket",
    }
}

/// Runs this program anew in its process. That closes all descriptors but stdin, stdout and stderr.
fn restart(options: Options) {
    let away = options.after.as_secs_f64();
    say(format_args!("restarts: all connections are cut, and for {away} s nobody listens"));
    let program = std::env::current_exe().expect("the program that runs");
    let error = Command::new(program).args(options.args()).exec();
    say(format_args!("does not restart: {error}"));
}

/// Whether the ticket in the auth data opens the namespace: each does once.
fn admit(used: &Mutex<HashSet<String>>, auth: Option<Value>) -> Result<(), Refusal> {
    let Some(ticket) = auth.as_ref().and_then(ticket) else {
        return Err(Refusal("members bring a ticket"));
    };
    match used.lock().unwrap_or_else(PoisonError::into_inner).insert(ticket.to_owned()) {
        true => Ok(()),
        false => Err(Refusal("this ticket was used before")),
    }
}

fn ticket(auth: &Value) -> Option<&str> {
    auth.get("ticket").and_then(Value::as_str)
}

/// Why a namespace does not let a client in.
#[derive(Debug)]
struct Refusal(&'static str);

impl Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

async fn member(socket: SocketRef, Data(auth): Data<Value>) {
    say(format_args!("session {} is let in by its ticket", socket.id));
    socket.on("who", async move |socket: SocketRef, ack: AckSender| {
        let client = socket.req_parts().headers.get("x-client");
        let client = client.map(|value| String::from_utf8_lossy(value.as_bytes()));
        sent(ack.send(&(json!({"client": client, "ticket": ticket(&auth)}),)));
    });
    socket.on_disconnect(left);
}

async fn left(socket: SocketRef, reason: DisconnectReason) {
    say(format_args!("session {} has left: {reason}", socket.id));
}

/// What cannot be sent is told, and is the only thing to do about it.
fn sent<E: Display>(result: Result<(), E>) {
    if let Err(error) = result {
        say(format_args!("not sent: {error}"));
    }
}

fn say(what: impl Display) {
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let (dim, plain) = if colours { ("\x1b[36m", "\x1b[0m") } else { ("", "") };
    let line = format!("{dim}server |   {what}{plain}\n");
    // One write a line, so that it does not mix with a client's on the same terminal. Where nobody
    // reads it there is nobody to tell.
    let _ = std::io::stderr().write_all(line.as_bytes());
}

#[derive(Clone, Copy)]
struct Options {
    /// 0: any that is free.
    port: u16,
    /// Whether the end of stdin ends the process.
    until_eof: bool,
    /// So long it does not listen yet.
    after: Duration,
}

impl Options {
    fn from_args() -> Result<Self, String> {
        let mut options = Options { port: 0, until_eof: false, after: Duration::ZERO };
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            let mut number = || args.next().ok_or_else(|| format!("{arg} needs a number"));
            let wrong = |_| format!("the number for {arg} is none, or too large");
            match arg.as_str() {
                "--until-eof" => options.until_eof = true,
                "--port" => options.port = number()?.parse().map_err(wrong)?,
                "--after-ms" => {
                    options.after = Duration::from_millis(number()?.parse().map_err(wrong)?);
                }
                _ => {
                    let known = "--port N, --until-eof or --after-ms N";
                    return Err(format!("unknown option {arg}: use {known}"));
                }
            }
        }
        Ok(options)
    }

    /// What `from_args` makes these of.
    fn args(&self) -> Vec<String> {
        let after = self.after.as_millis().to_string();
        let mut args =
            vec!["--port".to_owned(), self.port.to_string(), "--after-ms".to_owned(), after];
        if self.until_eof {
            args.push("--until-eof".to_owned());
        }
        args
    }
}

/// Ends the process when whoever started it lets go of stdin.
fn exit_with_stdin() {
    std::thread::spawn(|| {
        let mut input = [0; 4096];
        while let Ok(1..) = std::io::stdin().read(&mut input) {}
        std::process::exit(0);
    });
}

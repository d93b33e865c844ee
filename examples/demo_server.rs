//! The server that `make demo` and the programs under `examples-c` talk with: a small Socket.IO
//! server on socketioxide, served by hyper on one thread.
//!
//! It listens on 127.0.0.1, says `LISTENING port` on stdout, and tells on stderr what it does.
//!
//! | event from a client | what the server does |
//! | --- | --- |
//! | `hello`, a name | emits `greeting`, a text with the name |
//! | `add`, two whole numbers | acknowledges with their sum |
//! | `reverse`, bytes | acknowledges with the bytes in reverse order |
//! | `ask` | emits `question`, two numbers, waits for their product, and emits `verdict` |
//! | `message`, any value | emits `message` with the value to everybody else |
//! | `file`, a name and bytes | emits `file` with both to everybody else, acknowledges with their count |

#![forbid(unsafe_code)]

use std::fmt::Display;
use std::io::{IsTerminal, Read, Write};
use std::time::Duration;

use hyper::body::Bytes;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, Data, Event, SocketRef};
use socketioxide::socket::DisconnectReason;
use tokio::net::TcpListener;

/// No message may be larger.
const MAX_PAYLOAD: usize = 100_000_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::from_args()?;
    if options.until_eof {
        exit_with_stdin();
    }
    // On one thread the handlers run in the order in which their events came.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(options.port))
}

async fn serve(port: u16) -> Result<(), Box<dyn std::error::Error>> {
    let (service, io) = SocketIo::builder()
        .max_payload(MAX_PAYLOAD as u64)
        .ws_max_message_size(MAX_PAYLOAD)
        .ws_max_frame_size(MAX_PAYLOAD)
        .ack_timeout(Duration::from_secs(10))
        .build_svc();
    io.ns("/", connected);

    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("LISTENING {}", listener.local_addr()?.port());
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

async fn connected(socket: SocketRef) {
    say(format_args!("session {} connects", socket.id));
    socket.on("hello", hello);
    socket.on("add", add);
    socket.on("reverse", reverse);
    socket.on("ask", ask);
    socket.on("message", message);
    socket.on("file", file);
    socket.on_fallback(async |Event(event): Event| say(format_args!("nobody handles {event:?}")));
    socket.on_disconnect(left);
}

async fn hello(socket: SocketRef, Data((name,)): Data<(String,)>) {
    say(format_args!("hello comes from {name}, greeting goes back"));
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

struct Options {
    /// 0: any that is free.
    port: u16,
    /// Whether the end of stdin ends the process.
    until_eof: bool,
}

impl Options {
    fn from_args() -> Result<Self, String> {
        let mut options = Options { port: 0, until_eof: false };
        let mut args = std::env::args().skip(1);
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--until-eof" => options.until_eof = true,
                "--port" => {
                    let port = args.next().and_then(|value| value.parse().ok());
                    options.port = port.ok_or("--port needs a number below 65536")?;
                }
                _ => return Err(format!("unknown option {arg}: use --port N or --until-eof")),
            }
        }
        Ok(options)
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

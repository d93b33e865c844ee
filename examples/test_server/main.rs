//! The test protocol (`tests/servers/README.md`) on socketioxide, served by hyper on one thread.
//!
//! Owns: the process (options, the listening socket, its end). `protocol` owns the events, `service`
//! what goes before each HTTP request, `connection` what a flood must know of the socket below, `json`
//! arguments with binary in them.

#![forbid(unsafe_code)]

mod connection;
mod content;
mod json;
mod protocol;
mod records;
mod service;

use std::io::Read;
use std::net::TcpListener;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use socketioxide::{ParserConfig, SocketIo, TransportType};

use connection::Watched;
use service::{Door, Sessions};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = Options::from_args()?;
    // One thread runs the handlers' tasks in the order in which they were spawned, which is the
    // order of the events; with several that order would be lost.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(options))
}

async fn serve(options: Options) -> Result<(), Box<dyn std::error::Error>> {
    let builder = match options.transports {
        Transports::Both => SocketIo::builder(),
        Transports::Only(only) => SocketIo::builder().transports([only]),
    };
    let (service, io) = builder
        .req_path(options.path)
        .ping_interval(options.ping_interval)
        .ping_timeout(options.ping_timeout)
        .max_payload(options.max_payload as u64)
        .ws_max_message_size(options.max_payload)
        .ws_max_frame_size(options.max_payload)
        // A heartbeat that finds this channel full ends the connection.
        .max_buffer_size(4096)
        .ack_timeout(Duration::from_secs(3600))
        .with_parser(ParserConfig::common().max_incoming_binary_buf_size(usize::MAX))
        .build_svc();
    protocol::install(&io);
    let sessions = Sessions::default();

    let listener = TcpListener::bind(("127.0.0.1", options.port))?;
    listener.set_nonblocking(true)?;
    let port = listener.local_addr()?.port();
    let listener = tokio::net::TcpListener::from_std(listener)?;
    exit_with_stdin();
    println!("LISTENING {port}");

    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let (stream, connection) = Watched::new(stream)?;
        let (sessions, cookie) = (sessions.clone(), options.cookie.clone());
        let service = Door { inner: service.clone(), connection, sessions, cookie };
        tokio::spawn(async move {
            // Whatever ends a connection is seen by its protocol; nothing is left to do here.
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .with_upgrades()
                .await;
        });
    }
}

struct Options {
    ping_interval: Duration,
    ping_timeout: Duration,
    max_payload: usize,
    path: String,
    transports: Transports,
    port: u16,
    cookie: Option<String>,
}

enum Transports {
    Both,
    Only(TransportType),
}

impl Options {
    fn from_args() -> Result<Self, String> {
        let mut options = Options {
            ping_interval: Duration::from_millis(25_000),
            ping_timeout: Duration::from_millis(20_000),
            max_payload: 1_000_000,
            path: "/socket.io".to_owned(),
            transports: Transports::Both,
            port: 0,
            cookie: None,
        };
        let mut args = std::env::args().skip(1);
        while let Some(name) = args.next() {
            let value = args.next().ok_or_else(|| format!("{name} needs a value"))?;
            let number = || value.parse::<u64>().map_err(|_| format!("{name} {value}: no number"));
            match name.as_str() {
                "--ping-interval" => options.ping_interval = Duration::from_millis(number()?),
                "--ping-timeout" => options.ping_timeout = Duration::from_millis(number()?),
                "--max-payload" => options.max_payload = number()? as usize,
                "--transports" => options.transports = transports(&value)?,
                "--port" => options.port = number()? as u16,
                "--cookie" => options.cookie = Some(value),
                "--path" => options.path = value.trim_end_matches('/').to_owned(),
                _ => return Err(format!("unknown option {name}")),
            }
        }
        Ok(options)
    }
}

fn transports(list: &str) -> Result<Transports, String> {
    match list {
        "polling,websocket" => Ok(Transports::Both),
        "polling" => Ok(Transports::Only(TransportType::Polling)),
        "websocket" => Ok(Transports::Only(TransportType::Websocket)),
        _ => Err(format!("--transports {list}: unknown")),
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

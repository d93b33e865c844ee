//! A canned server for measuring clients: it does the least that a Socket.IO server can, so that the
//! client's share of the processor, and of the time, is what is seen.
//!
//! ```text
//! bench_server [--ca FILE]
//! ```
//!
//! It listens on four ports of 127.0.0.1, tells them in one line, `LISTENING plain=PORT upgrade=PORT
//! heartbeat=PORT tls=PORT`, and ends when its standard input does. All serve websocket and polling
//! under any path. `upgrade` announces the upgrade to websocket and carries it out, `heartbeat` sends
//! a ping each second, `tls` speaks TLS with a certificate whose CA is written to FILE.
//!
//! The event `flood` [count, bytes, kind] is answered with so many events `tick`, from bursts that
//! are encoded beforehand; `done` is answered with the number of events counted since the last one;
//! every other event is counted, and answered with the count if it wants an answer.

// The modules' items are for this program alone.
#![allow(unreachable_pub)]

mod floods;
mod frames;
mod http;
mod polling;
mod talk;
mod tls;
mod websocket;
mod wire;

use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rustls::ServerConfig;

use http::Requests;
use polling::Sessions;
use wire::Wire;

/// What one port does.
pub struct Port {
    upgrades: bool,
    /// The time between two pings.
    ping: Duration,
    tls: Option<Arc<ServerConfig>>,
    sessions: Sessions,
}

const PLAIN: Duration = Duration::from_secs(25);
const HEARTBEAT: Duration = Duration::from_secs(1);

fn main() {
    let (authority, config) = tls::make();
    if let Some(file) = ca_file() {
        std::fs::write(file, authority).expect("the file for the CA can be written");
    }
    let ports = [
        ("plain", Port::new(false, PLAIN, None)),
        ("upgrade", Port::new(true, PLAIN, None)),
        ("heartbeat", Port::new(false, HEARTBEAT, None)),
        ("tls", Port::new(false, PLAIN, Some(config))),
    ];
    let listening = ports.map(|(name, port)| format!("{name}={}", listen(port)));
    println!("LISTENING {}", listening.join(" "));
    let mut line = String::new();
    while std::io::stdin().read_line(&mut line).is_ok_and(|count| count > 0) {}
}

fn ca_file() -> Option<PathBuf> {
    let mut arguments = std::env::args_os().skip(1);
    match (arguments.next(), arguments.next(), arguments.next()) {
        (None, ..) => None,
        (Some(option), Some(file), None) if option == "--ca" => Some(file.into()),
        _ => {
            eprintln!("usage: bench_server [--ca FILE]");
            std::process::exit(2);
        }
    }
}

/// Serves a port from now on. Its number.
fn listen(port: Port) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let number = listener.local_addr().expect("a bound socket").port();
    let desk = Arc::new(Desk { listener, port, waiting: AtomicUsize::new(0) });
    (0..MOST_WAITING).for_each(|_| accept(&desk));
    number
}

/// Where the threads of a port wait for connections. There are always some that wait, because a
/// thread that had to be made for a connection would be most of what a connect takes.
struct Desk {
    listener: TcpListener,
    port: Port,
    waiting: AtomicUsize,
}

const LEAST_WAITING: usize = 8;
const MOST_WAITING: usize = 16;

/// Starts a thread that serves one connection after another.
fn accept(desk: &Arc<Desk>) {
    let desk = Arc::clone(desk);
    desk.waiting.fetch_add(1, Ordering::Relaxed);
    std::thread::spawn(move || {
        loop {
            let accepted = desk.listener.accept();
            if desk.waiting.fetch_sub(1, Ordering::Relaxed) <= LEAST_WAITING {
                accept(&desk);
            }
            match accepted {
                // A connection may end in any way: its client is gone, or says what it misses.
                Ok((stream, _)) => drop(serve(stream, &desk.port)),
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    eprintln!("no connection can be accepted: {error}");
                    std::process::exit(1);
                }
            }
            if desk.waiting.fetch_add(1, Ordering::Relaxed) >= MOST_WAITING {
                desk.waiting.fetch_sub(1, Ordering::Relaxed);
                return;
            }
        }
    });
}

/// One connection: requests by polling, one after another, until one for a websocket comes.
fn serve(stream: TcpStream, port: &Port) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut wire = Wire::new(stream, port.tls.as_ref())?;
    let mut requests = Requests::default();
    while let Some(request) = requests.next(&mut wire)? {
        if request.is_websocket() {
            let head = request.head.into_owned();
            return websocket::serve(&head, wire, port);
        }
        port.answer(&request, &mut wire)?;
    }
    Ok(())
}

impl Port {
    fn new(upgrades: bool, ping: Duration, tls: Option<Arc<ServerConfig>>) -> Port {
        Port { upgrades, ping, tls, sessions: Sessions::default() }
    }

    /// The packet that opens a session.
    fn open_packet(&self, sid: u64) -> Vec<u8> {
        let upgrades = if self.upgrades { r#""websocket""# } else { "" };
        let ping = self.ping.as_millis();
        format!(
            "0{{\"sid\":\"{sid}\",\"upgrades\":[{upgrades}],\"pingInterval\":{ping},\
             \"pingTimeout\":20000,\"maxPayload\":100000000}}"
        )
        .into_bytes()
    }
}

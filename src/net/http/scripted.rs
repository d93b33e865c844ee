//! A server that runs a script on each of its connections, and exchanges with it, for the tests of
//! this module.

use super::{Exchange, Http, Progress};
use crate::error::Failure;
use crate::net::cookies::Jar;
use crate::net::dial::Place;
use crate::net::server::Server;
use crate::url;
use std::future::poll_fn;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

pub(super) const TARGET: &str = "/socket.io/?EIO=4&transport=polling&a=b|c\"d";
pub(super) const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

pub(super) fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let limited = async { tokio::time::timeout(Duration::from_secs(20), work).await };
    runtime.block_on(limited).expect("the exchange hangs")
}

pub(super) async fn next(exchange: &mut Exchange, http: &mut Http) -> Progress {
    poll_fn(|cx| exchange.poll(cx, http)).await
}

/// What an exchange came to: its steps in short, and its body or how it failed.
pub(super) async fn finish(
    mut exchange: Exchange,
    http: &mut Http,
) -> (String, Result<Vec<u8>, Failure>) {
    let (mut steps, mut body) = (Vec::new(), Vec::new());
    loop {
        match next(&mut exchange, http).await {
            Progress::Phase(phase) => steps.push(phase.name()),
            Progress::Touched => steps.push("touched"),
            Progress::Sent => steps.push("sent"),
            Progress::Data => {
                assert!(!exchange.data().is_empty());
                body.append(exchange.data());
            }
            Progress::Done => return (steps.join(" "), Ok(body)),
            Progress::Failed(failure) => return (steps.join(" "), Err(failure)),
        }
    }
}

pub(super) async fn get(http: &mut Http) -> Result<Vec<u8>, Failure> {
    finish(http.get(TARGET.to_owned()), http).await.1
}

pub(super) async fn post(http: &mut Http, body: &[u8]) -> Result<Vec<u8>, Failure> {
    finish(http.post(TARGET.to_owned(), body.to_vec()), http).await.1
}

/// Lets the runtime see what has arrived.
pub(super) async fn a_moment() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

/// A request as the server saw it, and on which of its connections.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) connection: usize,
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

/// A server whose every connection is a thread that runs the script.
pub(super) struct Scripted {
    pub(super) port: u16,
    pub(super) connections: Arc<AtomicUsize>,
    pub(super) seen: Arc<Mutex<Vec<Seen>>>,
}

/// One connection of it.
pub(super) struct Peer {
    pub(super) tcp: TcpStream,
    pub(super) number: usize,
    pub(super) seen: Arc<Mutex<Vec<Seen>>>,
}

pub(super) fn scripted(script: impl Fn(&mut Peer) + Send + Sync + 'static) -> Scripted {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (connections, seen) = (Arc::new(AtomicUsize::new(0)), Arc::default());
    let server = Scripted { port, connections: connections.clone(), seen: Arc::clone(&seen) };
    let script = Arc::new(script);
    thread::spawn(move || {
        for tcp in listener.incoming() {
            let tcp = tcp.unwrap();
            tcp.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            let number = connections.fetch_add(1, Ordering::SeqCst);
            let (script, seen) = (script.clone(), seen.clone());
            thread::spawn(move || script(&mut Peer { tcp, number, seen }));
        }
    });
    server
}

/// A server that gives the same answer to each request, on as many connections as there are.
pub(super) fn always(answer: &str) -> Scripted {
    let answer = answer.to_owned();
    scripted(move |peer| {
        while peer.request().is_some() {
            peer.say(&answer);
        }
    })
}

impl Scripted {
    pub(super) fn http(&self) -> Http {
        self.http_at("http://127.0.0.1", &[])
    }

    pub(super) fn http_at(&self, url: &str, headers: &[(&str, &str)]) -> Http {
        let url = url::parse(&format!("{url}:{}", self.port)).unwrap();
        let place = Place { host: url.host.clone(), port: url.port, tls: None };
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let headers = headers.iter().map(own).collect();
        Http::new(Arc::new(Server { url, place, headers, jar: Some(Jar::new()) }))
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

impl Peer {
    /// Reads one request; None at the end.
    pub(super) fn request(&mut self) -> Option<Seen> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            match self.tcp.read(&mut byte) {
                Ok(1) => head.push(byte[0]),
                _ => return None,
            }
        }
        let head = String::from_utf8(head).unwrap();
        let length = head
            .split("Content-Length: ")
            .nth(1)
            .map_or(0, |rest| rest.split("\r\n").next().unwrap().parse().unwrap());
        let mut body = vec![0; length];
        self.tcp.read_exact(&mut body).ok()?;
        let seen = Seen { connection: self.number, head, body };
        self.seen.lock().unwrap().push(seen.clone());
        Some(seen)
    }

    pub(super) fn say(&mut self, answer: &str) {
        // The client may have gone.
        let _ = self.tcp.write_all(answer.as_bytes());
    }
}

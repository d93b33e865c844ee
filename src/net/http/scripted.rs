//! A server that runs a script on each of its connections, for the tests of this module.

use super::Http;
use crate::net::cookies::Jar;
use crate::net::dial::Place;
use crate::net::server::Server;
use crate::url;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

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

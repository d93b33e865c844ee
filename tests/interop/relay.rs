//! A relay between the client and a server, for what neither of them can be made to do.
//!
//! Owns: one connection through it, what it has carried, when the server did something, and holding
//! back what the client sends. What is put in is for the server to act on while the client is jammed.

#![forbid(unsafe_code)]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use crate::common::Server;
use crate::common::scripted::Frame;
use crate::harness::PATIENCE;

/// See the module's text.
pub struct Relay {
    port: u16,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    held: bool,
    to_server: Option<TcpStream>,
    /// All that the client has sent and the server was given.
    carried: Vec<u8>,
    /// Something was put in, and since then the server has not done anything.
    waiting: bool,
    acted: Option<Instant>,
}

impl Relay {
    /// A relay for one connection to this server.
    pub fn start(server: &Server) -> Relay {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared::default());
        let (to, relay) = (server.port(), Relay { port, shared: Arc::clone(&shared) });
        thread::spawn(move || {
            let (client, _) = listener.accept().expect("a connection");
            let server = TcpStream::connect(("127.0.0.1", to)).expect("the server");
            // Failing to ask for promptness only makes it slower.
            let _ = client.set_nodelay(true);
            let _ = server.set_nodelay(true);
            let other = |stream: &TcpStream| stream.try_clone().expect("a descriptor");
            let (from_client, to_client) = (other(&client), client);
            let (from_server, to_server) = (other(&server), server);
            shared.lock().to_server = Some(to_server);
            let upstream = Arc::clone(&shared);
            thread::spawn(move || upstream.carry_up(from_client));
            shared.carry_down(from_server, to_client);
        });
        relay
    }

    /// Where the client has to connect to.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Nothing of what the client sends gets to the server any more.
    pub fn hold(&self) {
        self.shared.lock().held = true;
    }

    /// Has the server receive an event without arguments from the client, as it seems. The client
    /// must not have been sending when it was held.
    pub fn put_in(&self, event: &str) {
        let frame = Frame::text(format!("42[\"{event}\"]")).masked([1, 2, 3, 4]).encode();
        let mut state = self.shared.lock();
        assert!(state.held, "it would be mixed with what the client sends");
        state.waiting = true;
        let stream = state.to_server.as_mut().expect("the client is connected");
        stream.write_all(&frame).expect("the server takes it");
    }

    /// When the server reacted to what was put in, by sending something or by ending.
    pub fn server_acted(&self) -> Instant {
        let state = self.shared.lock();
        let idle = |state: &mut State| state.acted.is_none();
        let waited = self.shared.changed.wait_timeout_while(state, PATIENCE, idle);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.acted.expect("the server reacts")
    }

    /// The text messages that the server was given by the client, frames of less than 126 bytes.
    pub fn carried_texts(&self) -> Vec<String> {
        let carried = self.shared.lock().carried.clone();
        let head = carried.windows(4).position(|four| four == b"\r\n\r\n").expect("a handshake");
        let mut rest = &carried[head + 4..];
        let mut texts = Vec::new();
        while let [first, second, a, b, c, d, more @ ..] = rest {
            assert!((128..254).contains(second), "a masked frame of less than 126 bytes");
            let (payload, behind) = more.split_at(usize::from(second - 128));
            let key = [a, b, c, d].into_iter().cycle();
            if *first == 0x81 {
                let text = payload.iter().zip(key).map(|(byte, key)| byte ^ key).collect();
                texts.push(String::from_utf8(text).expect("UTF-8"));
            }
            rest = behind;
        }
        texts
    }
}

impl Shared {
    fn carry_up(&self, mut from_client: TcpStream) {
        let mut chunk = vec![0; 65536];
        while let Ok(count @ 1..) = from_client.read(&mut chunk) {
            let held = self.changed.wait_while(self.lock(), |state| state.held);
            let mut state = held.unwrap_or_else(PoisonError::into_inner);
            state.carried.extend_from_slice(&chunk[..count]);
            let Some(to_server) = &mut state.to_server else { return };
            if to_server.write_all(&chunk[..count]).is_err() {
                return;
            }
        }
        if let Some(to_server) = &self.lock().to_server {
            // It fails if the server has gone, and then there is nothing to say to it.
            let _ = to_server.shutdown(Shutdown::Write);
        }
    }

    fn carry_down(&self, mut from_server: TcpStream, mut to_client: TcpStream) {
        let mut chunk = vec![0; 65536];
        loop {
            let count = from_server.read(&mut chunk).unwrap_or(0);
            {
                let mut state = self.lock();
                if state.waiting {
                    state.waiting = false;
                    state.acted = Some(Instant::now());
                    self.changed.notify_all();
                }
            }
            if count == 0 || to_client.write_all(&chunk[..count]).is_err() {
                let _ = to_client.shutdown(Shutdown::Both);
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.held = false;
        if let Some(to_server) = &state.to_server {
            let _ = to_server.shutdown(Shutdown::Both);
        }
        self.shared.changed.notify_all();
    }
}

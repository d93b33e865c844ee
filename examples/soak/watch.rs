//! A relay in front of a server that counts the connections which clients make.
//!
//! Owns: when each was made, which are open, and what becomes of them: passed on, held without a word,
//! or closed at once.

#![forbid(unsafe_code)]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// What becomes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It gets to the server.
    Pass,
    /// Nobody answers on it.
    Hold,
    /// It is closed at once.
    Close,
    /// It gets to the server, a WebSocket so much later.
    LateWebSocket(Duration),
}

/// See the module's text.
pub struct Watch {
    port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    server: u16,
    state: Mutex<State>,
    open: AtomicUsize,
    over: AtomicBool,
}

struct State {
    mode: Mode,
    made: Vec<Instant>,
    /// Both ends of those that are open, and of some that were.
    streams: Vec<TcpStream>,
}

impl Watch {
    /// A relay to this port at 127.0.0.1.
    pub fn start(server: u16, mode: Mode) -> Watch {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let state = Mutex::new(State { mode, made: Vec::new(), streams: Vec::new() });
        let (open, over) = (AtomicUsize::new(0), AtomicBool::new(false));
        let shared = Arc::new(Shared { server, state, open, over });
        let accepts = Arc::clone(&shared);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                if accepts.over.load(Ordering::Relaxed) {
                    return;
                }
                accepts.accept(client);
            }
        });
        Watch { port, shared }
    }

    /// Where clients have to connect to.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// How many connections were made after that moment.
    pub fn made_after(&self, moment: Instant) -> usize {
        self.shared.lock().made.iter().filter(|made| **made > moment).count()
    }

    /// How many connections the client has not closed yet.
    pub fn open(&self) -> usize {
        self.shared.open.load(Ordering::Relaxed)
    }

    /// What becomes of connections that are made from now on; those that are there are cut.
    pub fn cut(&self, mode: Mode) {
        let mut state = self.shared.lock();
        state.mode = mode;
        for stream in state.streams.drain(..) {
            // It fails if it has ended by itself.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        self.cut(Mode::Close);
        // The listener looks whether it is over when somebody comes.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

impl Shared {
    fn accept(self: &Arc<Self>, client: TcpStream) {
        let mode = {
            let mut state = self.lock();
            state.made.push(Instant::now());
            state.mode
        };
        match mode {
            Mode::Close => {}
            Mode::Hold => self.relay(client, None, Duration::ZERO),
            Mode::Pass | Mode::LateWebSocket(_) => {
                let late = if let Mode::LateWebSocket(late) = mode { late } else { Duration::ZERO };
                // A server that is not there closes too.
                if let Ok(server) = TcpStream::connect(("127.0.0.1", self.server)) {
                    self.relay(client, Some(server), late);
                }
            }
        }
    }

    fn relay(self: &Arc<Self>, client: TcpStream, server: Option<TcpStream>, late: Duration) {
        let other = |stream: &TcpStream| stream.try_clone().expect("a descriptor");
        {
            let mut state = self.lock();
            state.streams.push(other(&client));
            state.streams.extend(server.as_ref().map(other));
        }
        self.open.fetch_add(1, Ordering::Relaxed);
        let shared = Arc::clone(self);
        let (from_client, to_server) = (other(&client), server.as_ref().map(other));
        thread::spawn(move || {
            carry(from_client, to_server, late);
            shared.open.fetch_sub(1, Ordering::Relaxed);
        });
        if let Some(server) = server {
            thread::spawn(move || carry(server, Some(client), Duration::ZERO));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Carries one direction to its end; the request for a WebSocket so much later.
fn carry(mut from: TcpStream, mut to: Option<TcpStream>, late: Duration) {
    // Failing to ask for promptness only makes it slower.
    let _ = from.set_nodelay(true);
    let mut chunk = vec![0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut chunk) {
        if !late.is_zero() && contains(&chunk[..count], b"transport=websocket") {
            thread::sleep(late);
        }
        // Who does not take it any more will say so by closing.
        if to.as_mut().is_some_and(|to| to.write_all(&chunk[..count]).is_err()) {
            to = None;
        }
    }
    if let Some(to) = to {
        let _ = to.shutdown(Shutdown::Write);
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

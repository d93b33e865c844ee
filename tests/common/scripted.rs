//! A server that follows a script: what no real server does on demand.
//!
//! A script is a list of steps for one connection, each said before or after another as it happens:
//!
//! ```ignore
//! let server = Scripted::start(
//!     Script::new()
//!         .connected()                        // handshake, OPEN, CONNECT: all as it should be
//!         .text(r#"42["hello",1]"#)
//!         .expect_text(r#"42["answer",2]"#)
//!         .frame(Frame::text("4").rsv(4))     // what a client must not take
//!         .until_closed(),
//! );
//! // ... a client of server.url() ...
//! let record = server.finish();
//! assert_eq!(record.close_code(), Some(1002));
//! ```
//!
//! After its last step a connection is closed at once; a script that leaves this to the client ends
//! with `until_closed`. PINGs and close frames are answered when they are read, unless the script
//! says otherwise. Whatever came is in the `Record`.
//!
//! `Scripted` is for websockets; `HttpServer` says what is answered to each HTTP request, and `Engine`
//! speaks Engine.IO over it, by polling and with the upgrade, as well or as badly as a test wants.
//!
//! Owns: the listening socket and the threads. `script` owns the words of a script, `peer` what a step
//! does, `wire` the bytes. Nothing here polls: a server that waits takes no processor time from what is measured.

mod answer;
mod bell;
mod engine;
mod http;
mod peer;
mod script;
mod socket;
mod wire;

use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

pub use answer::{Answer, Head};
pub use bell::{Bell, Gate};
pub use engine::{Came, Engine, Packet, Plan, open};
pub use http::{Exchange, HttpRequest, HttpServer};
pub use peer::{End, OPEN, Peer, Record, StepResult};
pub use script::Script;
pub use socket::{Blackhole, ReservedPort};
pub use wire::{Frame, Received, Request, fragments, opcode};

use peer::Shared;

/// How long `Scripted::finish` lets the scripts take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where and how a scripted server listens.
#[derive(Clone, Copy)]
pub struct Listen {
    /// The address, port included; 127.0.0.1 and a free port by default.
    pub address: SocketAddr,
    /// The receive buffer of each connection, in bytes, if not the system's.
    pub receive_buffer: Option<usize>,
}

impl Default for Listen {
    fn default() -> Self {
        Listen { address: SocketAddr::from(([127, 0, 0, 1], 0)), receive_buffer: None }
    }
}

/// A scripted server that runs, until it is finished or dropped.
pub struct Scripted {
    address: SocketAddr,
    connections: Vec<Arc<Connection>>,
    stopped: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

struct Connection {
    shared: Arc<Shared>,
    /// While it lives; the thread of the connection keeps it.
    stream: Mutex<Weak<TcpStream>>,
}

impl Scripted {
    /// Listens for one connection, which follows the script.
    pub fn start(script: Script) -> Scripted {
        Scripted::start_with(Listen::default(), [script])
    }

    /// Listens for as many connections as there are scripts. They may be open at the same time.
    ///
    /// # Panics
    ///
    /// If the address cannot be had.
    pub fn start_with(listen: Listen, scripts: impl IntoIterator<Item = Script>) -> Scripted {
        let listener = TcpListener::bind(listen.address).expect("the address is free");
        if let Some(bytes) = listen.receive_buffer {
            socket::set_receive_buffer(&listener, bytes).expect("a receive buffer can be set");
        }
        let address = listener.local_addr().expect("a bound socket has an address");
        let scripts: Vec<Script> = scripts.into_iter().collect();
        let connections: Vec<Arc<Connection>> = scripts
            .iter()
            .map(|_| Connection { shared: Arc::default(), stream: Mutex::new(Weak::new()) })
            .map(Arc::new)
            .collect();
        let stopped = Arc::new(AtomicBool::new(false));
        let work: Vec<_> = scripts.into_iter().zip(connections.clone()).collect();
        let stopping = stopped.clone();
        let acceptor = std::thread::spawn(move || accept(&listener, work, &stopping));
        Scripted { address, connections, stopped, acceptor: Some(acceptor) }
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The address for a client.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lets the first connection go on that waits in `until_told`.
    pub fn tell(&self) {
        self.connections[0].shared.tell();
    }

    /// What has happened so far on the first connection.
    pub fn record(&self) -> Record {
        self.connections[0].shared.record()
    }

    /// Waits until `done` says so of the first connection's record.
    ///
    /// # Panics
    ///
    /// If it did not come to that within the time.
    pub fn wait_for(&self, within: Duration, mut done: impl FnMut(&Record) -> bool) -> Record {
        let shared = &self.connections[0].shared;
        let found = shared.wait_for(within, |record| done(record).then(|| record.clone()));
        found.unwrap_or_else(|| panic!("not within {within:?}: {}", summary(&shared.record())))
    }

    /// Waits for the end of the only script.
    ///
    /// # Panics
    ///
    /// If a step failed, or the script does not end within 30 s.
    pub fn finish(self) -> Record {
        self.finish_all().remove(0)
    }

    /// Waits for the ends of all scripts; one that stalls ends now.
    ///
    /// # Panics
    ///
    /// As `finish`.
    pub fn finish_all(mut self) -> Vec<Record> {
        for connection in &self.connections {
            connection.shared.wind_up();
        }
        let mut records = Vec::new();
        for (i, connection) in self.connections.iter().enumerate() {
            let shared = &connection.shared;
            let outcome = shared.wait_for(PATIENCE, |record| record.outcome.clone());
            let record = shared.record();
            match outcome {
                Some(Ok(())) => records.push(record),
                Some(Err(error)) => {
                    panic!("connection {i}, {}: {error}\n{}", record.step, summary(&record))
                }
                None => panic!("connection {i} did not end: {}", summary(&record)),
            }
        }
        self.stop();
        records
    }

    fn stop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        for connection in &self.connections {
            connection.shared.stop();
            let stream = connection.stream.lock().unwrap_or_else(PoisonError::into_inner).upgrade();
            if let Some(stream) = stream {
                // Wakes a thread that reads or writes.
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
        if let Some(acceptor) = self.acceptor.take() {
            // Wakes it if it still accepts.
            let _ = TcpStream::connect(self.address);
            let _ = acceptor.join();
        }
    }
}

impl Drop for Scripted {
    fn drop(&mut self) {
        self.stop();
    }
}

fn accept(listener: &TcpListener, work: Vec<(Script, Arc<Connection>)>, stopped: &AtomicBool) {
    let mut threads = Vec::new();
    for (script, connection) in work {
        let stream = listener.accept().map(|(stream, _)| Arc::new(stream));
        let Ok(stream) = stream else { break };
        *connection.stream.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&stream);
        // After this point `stop` either finds the stream or is seen here.
        if stopped.load(Ordering::SeqCst) {
            break;
        }
        threads.push(std::thread::spawn(move || follow(script, stream, &connection.shared)));
    }
    for thread in threads {
        // A panic in a step has been recorded nowhere: the script just has no outcome.
        let _ = thread.join();
    }
}

fn follow(script: Script, stream: Arc<TcpStream>, shared: &Arc<Shared>) {
    // Without it small writes wait for acknowledgements; it fails if the client has gone.
    let _ = stream.set_nodelay(true);
    follow_with(script, Peer::new(stream, shared.clone()), shared);
}

/// Follows the script to its end, or to the first step that fails.
fn follow_with(script: Script, mut peer: Peer, shared: &Arc<Shared>) {
    let mut outcome = Ok(());
    for (i, step) in script.into_steps().enumerate() {
        shared.note(|record| record.step = format!("step {i}, {}", step.what));
        outcome = (step.action)(&mut peer);
        if outcome.is_err() {
            break;
        }
    }
    // The connection ends before the test is told that the script has.
    drop(peer);
    shared.note(|record| record.outcome = Some(outcome));
}

fn summary(record: &Record) -> String {
    let frames: Vec<String> = record
        .frames
        .iter()
        .take(20)
        .map(|frame| frame.text().unwrap_or_else(|| format!("{:.80}", format!("{frame:?}"))))
        .collect();
    let (n, end) = (record.frames.len(), &record.end);
    format!("{}; {n} frames, the first {frames:?}; the end {end:?}", record.step)
}

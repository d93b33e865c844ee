//! TLS in front of any server: a relay in the test process that speaks TLS with the client and
//! plain TCP with the server behind it, with a certificate that is good, or bad in one way.
//!
//! ```ignore
//! let front = TlsFront::start(server.port(), Certificate::Good);
//! client.set("tls_ca_file", Some(front.ca_file()));
//! client.connect(Some(&front.url()), LONG);
//! assert_eq!(front.seen()[0].name, None);     // the SNI, which an address has not
//! ```
//!
//! Owns: the listening socket, its threads, and what each connection was seen to do. `certificates`
//! owns the certificates and their files, `pump` how bytes are carried.

mod certificates;
mod pump;

use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection};

pub use certificates::Certificate;
use certificates::Files;

/// When a front says nothing more, though the TCP connection is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Silent {
    /// From the beginning: what the client sends is not even read.
    AfterAccept,
    /// When the client's first message has been read.
    AfterHello,
}

/// What was seen of one connection.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The name that the client asked for (SNI).
    pub name: Option<String>,
    /// The handshake came to its end.
    pub complete: bool,
    /// The client showed a certificate.
    pub client_certificate: bool,
    /// The protocol that the client asked for (ALPN).
    pub protocol: Option<String>,
    /// Why the connection failed, in rustls's words: mostly the client's alert.
    pub error: Option<String>,
    /// The client said that it would send no more (close_notify).
    pub said_goodbye: bool,
}

/// A relay that runs, until it is dropped.
pub struct TlsFront {
    port: u16,
    files: Files,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    stopped: AtomicBool,
    seen: Mutex<Vec<Seen>>,
    streams: Mutex<Vec<TcpStream>>,
}

impl TlsFront {
    /// In front of the server that listens at 127.0.0.1 at that port.
    pub fn start(server: u16, certificate: Certificate) -> TlsFront {
        TlsFront::start_with(server, certificate, None)
    }

    /// One that accepts connections and falls silent.
    pub fn silent(silent: Silent) -> TlsFront {
        TlsFront::start_with(0, Certificate::Good, Some(silent))
    }

    fn start_with(server: u16, certificate: Certificate, silent: Option<Silent>) -> TlsFront {
        let (files, config) = certificates::make(certificate);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let shared = Arc::new(Shared::default());
        let (accepting, config) = (Arc::clone(&shared), Arc::new(config));
        let acceptor =
            std::thread::spawn(move || accept(&listener, &accepting, &config, server, silent));
        TlsFront { port, files, shared, acceptor: Some(acceptor) }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// By its address.
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// By its name.
    pub fn named_url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }

    /// A file with the certificate of whoever signed the server's.
    pub fn ca_file(&self) -> &str {
        path(&self.files.ca)
    }

    /// Files with a certificate and its key, by which `Certificate::DemandsClient` knows its friends.
    pub fn client_files(&self) -> (&str, &str) {
        (path(&self.files.client), path(&self.files.client_key))
    }

    /// The same with a certificate of somebody whom it does not know.
    pub fn stranger_files(&self) -> (&str, &str) {
        (path(&self.files.stranger), path(&self.files.stranger_key))
    }

    /// What was seen of each connection so far, in the order in which they came.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.seen().clone()
    }

    /// The same once `done` says so.
    ///
    /// # Panics
    ///
    /// If it does not come to that within 10 s.
    pub fn wait_for(&self, mut done: impl FnMut(&[Seen]) -> bool) -> Vec<Seen> {
        for _ in 0..5000 {
            let seen = self.seen();
            if done(&seen) {
                return seen;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        panic!("not within 10 s: {:?}", self.seen());
    }

    /// Ends all connections at once, without a word.
    pub fn cut(&self) {
        for stream in self.shared.streams().drain(..) {
            // It fails only if the other side was faster.
            let _ = stream.shutdown(Shutdown::Both);
        }
    }
}

fn path(path: &Path) -> &str {
    path.to_str().expect("the folder for temporary files has a name in UTF-8")
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        // Wakes it if it still accepts.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
        self.cut();
    }
}

impl Shared {
    fn seen(&self) -> MutexGuard<'_, Vec<Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn streams(&self) -> MutexGuard<'_, Vec<TcpStream>> {
        self.streams.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, number: usize, note: impl FnOnce(&mut Seen)) {
        note(&mut self.seen()[number]);
    }
}

fn accept(
    listener: &TcpListener,
    shared: &Arc<Shared>,
    config: &Arc<ServerConfig>,
    server: u16,
    silent: Option<Silent>,
) {
    while let Ok((client, _)) = listener.accept() {
        if shared.stopped.load(Ordering::SeqCst) {
            return;
        }
        // Failing to ask for promptness only makes it slower.
        let _ = client.set_nodelay(true);
        let number = {
            let mut seen = shared.seen();
            seen.push(Seen::default());
            seen.len() - 1
        };
        if let Ok(stream) = client.try_clone() {
            shared.streams().push(stream);
        }
        let (shared, config) = (Arc::clone(shared), Arc::clone(config));
        std::thread::spawn(move || {
            if let Some(silent) = silent {
                return pump::fall_silent(&client, silent);
            }
            let tls = ServerConnection::new(config).expect("the configuration is good");
            let end = pump::carry(client, tls, server, |note| shared.note(number, note));
            shared.note(number, |seen| seen.error = end.err());
        });
    }
}

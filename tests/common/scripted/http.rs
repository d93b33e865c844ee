//! A scripted HTTP/1.1 server: a function says what is answered to each request.
//!
//! ```ignore
//! let server = HttpServer::start(|request| match request.method.as_str() {
//!     "GET" => Answer::ok("6").after(ms(50)),
//!     _ => Answer::error(3, "Bad request"),
//! });
//! // ... a client of server.url() ...
//! assert_eq!(server.exchanges().len(), 2);
//! ```
//!
//! Each request is recorded with its time and connection, and when it was answered, so that a test can
//! tell that one came before the other was answered. A request is read also while an earlier one of
//! its connection waits for its answer.
//!
//! Owns: the port, the connections and the record. `answer` owns the bytes of answers, `script` and
//! `peer` what becomes of a websocket, `engine` the Engine.IO protocol on top of this.

#![forbid(unsafe_code)]

mod request;

use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::answer::{Answer, AnswerEnd, Step};
use super::bell::Bell;
use super::peer::{Peer, Record, Shared as PeerShared};
use super::script::Script;
use super::socket::{self, ReservedPort};
use request::take_whole;

pub use request::{Exchange, HttpRequest};

/// Says what is answered.
pub type Handler = dyn Fn(&HttpRequest) -> Answer + Send + Sync;

/// A server that runs, until it is dropped.
pub struct HttpServer {
    port: ReservedPort,
    inner: Arc<Inner>,
    acceptor: Option<JoinHandle<()>>,
}

struct Inner {
    handler: Box<Handler>,
    bell: Arc<Bell>,
    state: Mutex<State>,
    /// The listener is to be closed.
    down: AtomicBool,
}

#[derive(Default)]
struct State {
    exchanges: Vec<Exchange>,
    connections: Vec<Connection>,
    /// All that has come on connections in order, for what is not HTTP.
    scripts: Vec<Arc<PeerShared>>,
}

struct Connection {
    /// While it lives; the thread of the connection keeps it.
    stream: Weak<TcpStream>,
    /// Requests that were read and not yet answered.
    unanswered: usize,
    ended: Option<Instant>,
    script: Option<Arc<PeerShared>>,
}

impl HttpServer {
    pub fn start(handler: impl Fn(&HttpRequest) -> Answer + Send + Sync + 'static) -> HttpServer {
        HttpServer::start_with(Arc::default(), Box::new(handler))
    }

    /// With a bell that is rung by others too.
    pub fn start_with(bell: Arc<Bell>, handler: Box<Handler>) -> HttpServer {
        let port = ReservedPort::any().expect("a port");
        let inner = Inner { handler, bell, state: Mutex::default(), down: AtomicBool::new(true) };
        let mut server = HttpServer { port, inner: Arc::new(inner), acceptor: None };
        server.up();
        server
    }

    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// The address for a client.
    pub fn url(&self) -> String {
        self.port.url()
    }

    /// All requests so far, in the order in which they came.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.inner.state().exchanges.clone()
    }

    /// How many connections came so far.
    pub fn connections(&self) -> usize {
        self.inner.state().connections.len()
    }

    /// How many of them the client has not ended.
    pub fn open_connections(&self) -> usize {
        self.inner.state().connections.iter().filter(|one| one.ended.is_none()).count()
    }

    /// Waits until `look` finds what it looks for among the requests.
    ///
    /// # Panics
    ///
    /// If it does not within 10 s.
    #[track_caller]
    pub fn wait_for<T>(&self, what: &str, mut look: impl FnMut(&[Exchange]) -> Option<T>) -> T {
        let found = self.inner.bell.wait_for(PATIENCE, || look(&self.inner.state().exchanges));
        found.unwrap_or_else(|| panic!("not within {PATIENCE:?}: {what}; {}", self.summary()))
    }

    /// What has happened so far on the connections that followed scripts, in their order.
    pub fn scripts(&self) -> Vec<Record> {
        self.inner.state().scripts.iter().map(|shared| shared.record()).collect()
    }

    /// Waits until `done` says so of the record of that script.
    ///
    /// # Panics
    ///
    /// If it does not within 10 s.
    #[track_caller]
    pub fn wait_for_script(&self, i: usize, mut done: impl FnMut(&Record) -> bool) -> Record {
        let begun = || self.inner.state().scripts.get(i).cloned();
        let shared = self.inner.bell.wait_for(PATIENCE, begun).expect("the script begins");
        let found = shared.wait_for(PATIENCE, |record| done(record).then(|| record.clone()));
        found.unwrap_or_else(|| panic!("not within {PATIENCE:?}: {:?}", shared.record()))
    }

    /// Lets that script go on that waits in `until_told`.
    pub fn tell(&self, i: usize) {
        self.inner.state().scripts[i].tell();
    }

    /// Waits until the client has ended all connections.
    ///
    /// # Panics
    ///
    /// If it does not within 10 s.
    #[track_caller]
    pub fn wait_for_ends(&self) {
        let look = || (self.open_connections() == 0).then_some(());
        let found = self.inner.bell.wait_for(PATIENCE, look);
        found.unwrap_or_else(|| panic!("connections stay: {}", self.summary()));
    }

    /// Ends all connections at once, without a word.
    pub fn cut(&self) {
        self.shut(|_| true);
    }

    /// Ends the connections on which no request waits, as servers do when they were idle for long.
    pub fn close_idle(&self) {
        self.shut(|connection| connection.unanswered == 0 && connection.script.is_none());
    }

    fn shut(&self, which: impl Fn(&Connection) -> bool) {
        let state = self.inner.state();
        for connection in state.connections.iter().filter(|one| which(one)) {
            if let Some(stream) = connection.stream.upgrade() {
                // It fails only if the client was faster.
                let _ = stream.shutdown(Shutdown::Both);
            }
            if let Some(script) = &connection.script {
                script.stop();
            }
        }
    }

    /// Listens no more and ends all connections; whoever connects is refused.
    pub fn down(&mut self) {
        self.inner.down.store(true, Ordering::SeqCst);
        if let Some(acceptor) = self.acceptor.take() {
            // Wakes it.
            let _ = TcpStream::connect(("127.0.0.1", self.port()));
            let _ = acceptor.join();
        }
        self.cut();
        self.inner.bell.ring();
    }

    /// Listens again, at the same port.
    pub fn up(&mut self) {
        if self.acceptor.is_none() {
            let listener = self.port.listen().expect("the port is reserved");
            self.inner.down.store(false, Ordering::SeqCst);
            let inner = Arc::clone(&self.inner);
            self.acceptor = Some(std::thread::spawn(move || accept(&listener, &inner)));
        }
    }

    /// What has come so far, for texts of failures.
    pub fn summary(&self) -> String {
        let state = self.inner.state();
        let line = |one: &Exchange| {
            let fate = match (one.answered, one.left) {
                (Some(_), _) => "answered",
                (None, Some(_)) => "left",
                (None, None) => "open",
            };
            let body = one.request.text();
            format!("  {} {body:.200?} ({fate})", one.request.head.line)
        };
        let start = state.exchanges.len().saturating_sub(30);
        let lines: Vec<String> = state.exchanges[start..].iter().map(line).collect();
        let (all, connections) = (state.exchanges.len(), state.connections.len());
        format!("{all} requests on {connections} connections, the last:\n{}", lines.join("\n"))
    }
}

impl Drop for HttpServer {
    fn drop(&mut self) {
        self.down();
    }
}

/// How long a test waits for what has to come.
const PATIENCE: Duration = Duration::from_secs(10);

impl Inner {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state());
        self.bell.ring();
    }
}

fn accept(listener: &TcpListener, inner: &Arc<Inner>) {
    while let Ok((stream, _)) = listener.accept() {
        if inner.down.load(Ordering::SeqCst) {
            return;
        }
        // Without it small writes wait for acknowledgements; it fails if the client has gone.
        let _ = stream.set_nodelay(true);
        let stream = Arc::new(stream);
        let mut number = 0;
        inner.change(|state| {
            number = state.connections.len();
            let stream = Arc::downgrade(&stream);
            state.connections.push(Connection { stream, unanswered: 0, ended: None, script: None });
        });
        let inner = Arc::clone(inner);
        std::thread::spawn(move || serve(&inner, number, stream));
    }
}

/// What the thread that reads hands to the one that answers.
#[derive(Default)]
struct Intake {
    requests: VecDeque<usize>,
    /// What came behind a request for a websocket.
    rest: Vec<u8>,
    ended: bool,
}

fn serve(inner: &Arc<Inner>, number: usize, stream: Arc<TcpStream>) {
    let intake = Arc::new(Mutex::new(Intake::default()));
    let start_reading = |buffer| {
        let (inner, stream, intake) = (Arc::clone(inner), Arc::clone(&stream), Arc::clone(&intake));
        std::thread::spawn(move || read(&inner, number, &stream, &intake, buffer))
    };
    let mut reading = start_reading(Vec::new());
    let mut end = AnswerEnd::Keep;
    while let AnswerEnd::Keep = end {
        let next = inner.bell.wait(None, || {
            let mut intake = lock(&intake);
            let next = intake.requests.pop_front();
            // What it has sent is answered also if it has ended its side.
            (next.is_some() || intake.ended).then_some(next)
        });
        let Some(Some(i)) = next else { break };
        let request = inner.state().exchanges[i].request.clone();
        let answer = (inner.handler)(&request);
        if request.is_upgrade() && !matches!(answer.end, AnswerEnd::Script(_)) {
            // No websocket comes of it, and the connection goes on as before.
            let _ = reading.join();
            let rest = std::mem::take(&mut lock(&intake).rest);
            reading = start_reading(rest);
        }
        end = give(inner, i, &stream, answer, &intake);
        let is_last =
            request.header("Connection").is_some_and(|one| one.eq_ignore_ascii_case("close"));
        if let (AnswerEnd::Keep, true) = (&end, is_last) {
            end = AnswerEnd::Close;
        }
    }
    match end {
        AnswerEnd::Script(script) => {
            // The reader has stopped at the request for a websocket.
            let _ = reading.join();
            let rest = std::mem::take(&mut lock(&intake).rest);
            follow_script(inner, number, stream, rest, script);
        }
        other => {
            if let AnswerEnd::Silence = other {
                inner.bell.wait(None, || lock(&intake).ended.then_some(()));
            }
            let how = if let AnswerEnd::Reset = other {
                // It fails only if the client was faster.
                let _ = socket::reset_at_close(&stream);
                Shutdown::Read
            } else {
                Shutdown::Both
            };
            // Wakes the reader, so that its hold on the socket goes first.
            let _ = stream.shutdown(how);
            let _ = reading.join();
        }
    }
    inner.change(|state| {
        state.connections[number].ended.get_or_insert_with(Instant::now);
    });
}

fn follow_script(
    inner: &Inner,
    number: usize,
    stream: Arc<TcpStream>,
    rest: Vec<u8>,
    script: Script,
) {
    let shared = Arc::new(PeerShared::default());
    let mut request = None;
    inner.change(|state| {
        let came = state.exchanges.iter().rev().map(|one| &one.request);
        request = came.into_iter().find(|one| one.connection == number).map(|one| one.head.clone());
        state.connections[number].script = Some(Arc::clone(&shared));
        state.scripts.push(Arc::clone(&shared));
    });
    // The last hold on the socket: it is closed before the script is told to be over.
    let peer = Peer::behind(stream, Arc::clone(&shared), request, rest);
    super::follow_with(script, peer, &shared);
    // Whoever waits for the script hears the bell only.
    inner.bell.ring();
}

/// Reads requests until the client ends, or asks for a websocket.
fn read(
    inner: &Inner,
    number: usize,
    stream: &TcpStream,
    intake: &Mutex<Intake>,
    mut buffer: Vec<u8>,
) {
    loop {
        while let Some(request) = take_whole(&mut buffer, number) {
            let is_upgrade = request.is_upgrade();
            let mut exchange = Exchange { request, answered: None, left: None };
            let mut i = 0;
            {
                let mut state = inner.state();
                i += state.exchanges.len();
                exchange.request.number = i;
                state.exchanges.push(exchange);
                state.connections[number].unanswered += 1;
            }
            {
                let mut intake = lock(intake);
                intake.requests.push_back(i);
                if is_upgrade {
                    intake.rest = std::mem::take(&mut buffer);
                }
            }
            inner.bell.ring();
            if is_upgrade {
                return;
            }
        }
        let mut chunk = [0; 65536];
        let mut stream = stream;
        match stream.read(&mut chunk) {
            Ok(count @ 1..) => buffer.extend_from_slice(&chunk[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => break,
        }
    }
    lock(intake).ended = true;
    inner.change(|state| {
        let now = Instant::now();
        state.connections[number].ended.get_or_insert(now);
        let unanswered =
            |one: &&mut Exchange| one.request.connection == number && one.answered.is_none();
        for exchange in state.exchanges.iter_mut().filter(unanswered) {
            exchange.left = Some(now);
        }
    });
}

/// Carries out an answer, and says what becomes of the connection.
fn give(
    inner: &Inner,
    i: usize,
    stream: &TcpStream,
    answer: Answer,
    intake: &Mutex<Intake>,
) -> AnswerEnd {
    let Answer { steps, mut end } = answer;
    let mut steps = VecDeque::from(steps);
    let gone = || lock(intake).ended.then_some(None);
    while let Some(step) = steps.pop_front() {
        let going_on = match step {
            Step::Bytes(bytes) => {
                let is_last = !steps.iter().any(|step| !matches!(step, Step::Pause(_)));
                if is_last && !matches!(end, AnswerEnd::Silence | AnswerEnd::Script(_)) {
                    inner.state().exchanges[i].answered = Some(Instant::now());
                }
                (&*stream).write_all(&bytes).is_ok().then_some(())
            }
            Step::Pause(pause) => match inner.bell.wait_for(pause, &gone) {
                Some(_) => None,
                None => Some(()),
            },
            Step::Wait(gate) => {
                gate.tell(&inner.bell);
                let opened =
                    inner.bell.wait(None, || gate.is_open().then_some(Some(())).or(gone()));
                opened.flatten()
            }
            Step::Later(mut find) => {
                let found = inner.bell.wait(None, || find().map(Some).or(gone().map(|_| None)));
                found.flatten().map(|found| {
                    found.steps.into_iter().rev().for_each(|step| steps.push_front(step));
                    if !matches!(found.end, AnswerEnd::Keep) {
                        end = found.end;
                    }
                })
            }
        };
        if going_on.is_none() {
            return AnswerEnd::Close;
        }
    }
    inner.change(|state| {
        let number = state.exchanges[i].request.connection;
        state.connections[number].unanswered -= 1;
    });
    end
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

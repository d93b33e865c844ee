//! What the tests of faults share: clients, their failures, and calls that block on other threads.

#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Once, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, mpsc};
use std::time::{Duration, Instant};

use serde_json::Value;
use sio::client::Client;
use sio::error::Status;
use sio::message::Message;
use sio::sleepers::Timeout;

use crate::common::scripted::{Record, Script, Scripted};

/// So long may take what no promise is made about.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Within this whoever waits is back after the state has changed.
pub(crate) const WAKE: Duration = Duration::from_millis(50);

/// Within this disconnect and free are back when there is nothing to wait for.
pub(crate) const END: Duration = Duration::from_millis(100);

static MACHINE: RwLock<()> = RwLock::new(());

/// Held by a test that measures times: no `loud` one runs beside it.
pub(crate) fn quiet() -> RwLockReadGuard<'static, ()> {
    watch_the_machine();
    MACHINE.read().unwrap_or_else(PoisonError::into_inner)
}

/// Held by a test that keeps the machine busy, or that measures the memory of the process.
pub(crate) fn loud() -> RwLockWriteGuard<'static, ()> {
    watch_the_machine();
    MACHINE.write().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) const fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// The timeout of a call, in milliseconds.
pub(crate) const fn limit(millis: u64) -> Timeout {
    Timeout::Limit(ms(millis))
}

/// A timeout that is not the matter of the test.
pub(crate) const PATIENT: Timeout = Timeout::Limit(PATIENCE);

pub(crate) const AT_ONCE: Timeout = limit(0);

/// A client that uses websocket alone and for which a lost connection is final: what most of these
/// tests are about is best seen that way.
pub(crate) fn client() -> Arc<Client> {
    client_with(&[])
}

/// The same with options, which may say otherwise.
pub(crate) fn client_with(options: &[(&str, &str)]) -> Arc<Client> {
    let client = Arc::new(Client::new());
    let plain = [("transports", "websocket"), ("reconnection", "0")];
    for (name, value) in plain.iter().chain(options) {
        assert_eq!(client.set(name, Some(value)), Ok(()), "{name}: {}", client.error());
    }
    client
}

/// Connects, which has to succeed.
pub(crate) fn connect(client: &Client, server: &Scripted) {
    let outcome = client.connect(Some(&server.url()), PATIENT);
    assert_eq!(outcome, Ok(()), "{}", client.error());
}

/// A client that is connected to a server with this script.
pub(crate) fn connected(script: Script) -> (Arc<Client>, Scripted) {
    connected_with(&[], script)
}

pub(crate) fn connected_with(options: &[(&str, &str)], script: Script) -> (Arc<Client>, Scripted) {
    let (client, server) = (client_with(options), Scripted::start(script));
    connect(&client, &server);
    (client, server)
}

/// What goes before the steps of a server that `prompted` connects to.
pub(crate) fn ready() -> Script {
    Script::new().connected().until_told()
}

/// A client that was connected before the server did what follows `ready`. What ends a connection
/// together with its beginning is the matter of a test of its own.
pub(crate) fn prompted(script: Script) -> (Arc<Client>, Scripted) {
    prompted_with(&[], script)
}

pub(crate) fn prompted_with(options: &[(&str, &str)], script: Script) -> (Arc<Client>, Scripted) {
    let (client, server) = connected_with(options, script);
    server.tell();
    (client, server)
}

/// The last failure.
pub(crate) fn failure(client: &Client) -> Value {
    serde_json::from_str(&client.error_json()).expect("error_json is JSON")
}

/// One of the counters.
pub(crate) fn stat(client: &Client, name: &str) -> u64 {
    let stats: Value = serde_json::from_str(&client.stats()).expect("stats are JSON");
    stats[name].as_u64().unwrap_or_else(|| panic!("no number {name} in {stats}"))
}

/// The next event has this name and, as JSON, these arguments.
#[track_caller]
pub(crate) fn assert_event(client: &Client, name: &str, args: &str) {
    match client.receive(PATIENT) {
        Ok(message) => assert_message(&message, name, args),
        Err(status) => panic!("instead of {name:?}: {status:?}, {}", client.error()),
    }
}

#[track_caller]
pub(crate) fn assert_message(message: &Message, name: &str, args: &str) {
    assert_eq!(message.name(), name, "with {:.300}", message.args());
    let args: Value = serde_json::from_str(args).expect("the test's arguments are JSON");
    let came: Value = serde_json::from_str(message.args()).expect("arguments are JSON");
    assert_eq!(came, args, "of {name:?}");
}

/// What a receive ends with if it is no event.
#[track_caller]
pub(crate) fn receive_fails(client: &Client, timeout: Timeout) -> Status {
    match client.receive(timeout) {
        Ok(message) => panic!("an event {:?} {:.300}", message.name(), message.args()),
        Err(status) => status,
    }
}

/// What a call ends with if it is no answer.
#[track_caller]
pub(crate) fn call_fails(client: &Client, name: &str, timeout: Timeout) -> Status {
    match client.call(name, None, &[], timeout) {
        Ok(message) => panic!("an answer {:.300}", message.args()),
        Err(status) => status,
    }
}

/// The queue is empty, the connection is gone for good, and the failure says why.
#[track_caller]
pub(crate) fn assert_ended(client: &Client, says: &str) {
    assert_eq!(receive_fails(client, PATIENT), Status::Disconnected);
    assert_says(client, says);
}

/// The text of the last failure contains this.
#[track_caller]
pub(crate) fn assert_says(client: &Client, says: &str) {
    let text = client.error();
    assert!(text.contains(says), "{says:?} is not in {text:?}");
}

/// The client can connect again and exchange something.
#[track_caller]
pub(crate) fn assert_usable(client: &Client) {
    client.set("namespace", None).expect("the namespace can be reset");
    let server = Scripted::start(
        Script::new()
            .connected()
            .expect_text(r#"42["still"]"#)
            .text(r#"42["there"]"#)
            .until_closed(),
    );
    connect(client, &server);
    assert_eq!(client.emit("still", None, &[], PATIENT), Ok(()), "{}", client.error());
    assert_event(client, "there", "[]");
    assert_eq!(client.disconnect(PATIENT), Ok(()), "{}", client.error());
    assert_eq!(server.finish().close_code(), Some(1000));
}

/// A call that runs on a thread of its own.
pub(crate) struct Running<T> {
    /// The thread's folder in /proc.
    thread: PathBuf,
    outcome: mpsc::Receiver<(T, Instant)>,
}

/// Starts something that may block.
pub(crate) fn start<T: Send + 'static>(
    client: &Arc<Client>,
    call: impl FnOnce(&Client) -> T + Send + 'static,
) -> Running<T> {
    let (sender, outcome) = mpsc::channel();
    let (name, named) = mpsc::channel();
    let client = Arc::clone(client);
    std::thread::spawn(move || {
        let thread = std::fs::read_link("/proc/thread-self").expect("there is /proc");
        name.send(Path::new("/proc").join(thread)).expect("the test waits for it");
        let result = call(&client);
        let at = Instant::now();
        // So that the test's own hold on the client is the last one.
        drop(client);
        // A test that has failed does not listen.
        let _ = sender.send((result, at));
    });
    Running { thread: named.recv().expect("the thread begins"), outcome }
}

/// The same, when it has come to block.
#[track_caller]
pub(crate) fn block<T: Send + 'static>(
    client: &Arc<Client>,
    call: impl FnOnce(&Client) -> T + Send + 'static,
) -> Running<T> {
    let running = start(client, call);
    let mut asleep = 0;
    // Whoever sleeps at several moments in a row does not merely wait for a lock.
    while asleep < 4 {
        assert!(!running.is_back_within(ms(5)), "it did not block");
        asleep = if running.is_asleep() { asleep + 1 } else { 0 };
    }
    running
}

impl<T> Running<T> {
    /// The result, whenever it comes.
    #[track_caller]
    pub(crate) fn back(self) -> T {
        self.outcome.recv_timeout(PATIENCE).expect("the call does not come back").0
    }

    /// The result, which must be there so long after `since` at the latest.
    #[track_caller]
    pub(crate) fn back_within(self, since: Instant, within: Duration) -> T {
        let (result, at) =
            self.outcome.recv_timeout(PATIENCE).expect("the call does not come back");
        assert_time(since, at, Duration::ZERO, within);
        result
    }

    /// Waits so long, and says whether the call has returned. Its result is lost then.
    pub(crate) fn is_back_within(&self, within: Duration) -> bool {
        self.outcome.recv_timeout(within).is_ok()
    }

    fn is_asleep(&self) -> bool {
        // The state is the first field behind the name, which stands in parentheses.
        let stat = std::fs::read_to_string(self.thread.join("stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, fields)| fields.starts_with('S'))
    }
}

/// Does it, which must not take longer.
#[track_caller]
pub(crate) fn within<T>(at_most: Duration, action: impl FnOnce() -> T) -> T {
    watch_the_machine();
    let since = Instant::now();
    let result = action();
    assert_elapsed(since, Duration::ZERO, at_most);
    result
}

/// So much time has passed since then.
#[track_caller]
pub(crate) fn assert_elapsed(since: Instant, at_least: Duration, at_most: Duration) {
    assert_time(since, Instant::now(), at_least, at_most);
}

/// Between the two moments there is that much time. Promises hold as far as the machine gives
/// threads their turn: what it is late with is allowed beyond them.
#[track_caller]
pub(crate) fn assert_time(from: Instant, to: Instant, at_least: Duration, at_most: Duration) {
    let took = to.saturating_duration_since(from);
    assert!(took >= at_least, "it took {took:?}, which is less than {at_least:?}");
    if took > at_most {
        // What one thread was late is as much for the next that it wakes.
        let late = machine_was_late(from) * 2;
        assert!(
            took <= at_most + late,
            "it took {took:?}, and {at_most:?} is promised; the machine was late by {late:?}"
        );
    }
}

/// Moments at which a thread that slept was woken late, and how late.
static LATE: Mutex<Vec<(Instant, Duration)>> = Mutex::new(Vec::new());

const TICK: Duration = ms(3);

fn watch_the_machine() {
    static WATCH: Once = Once::new();
    WATCH.call_once(|| {
        // One for each processor, more or less.
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            std::thread::spawn(|| {
                loop {
                    let since = Instant::now();
                    std::thread::sleep(TICK);
                    let late = since.elapsed().saturating_sub(TICK);
                    if late > ms(1) {
                        let mut all = LATE.lock().unwrap_or_else(PoisonError::into_inner);
                        all.push((Instant::now(), late));
                    }
                }
            });
        }
    });
}

/// By how much in all the machine has been late since then.
pub(crate) fn machine_was_late(since: Instant) -> Duration {
    // One that is going on is noted when it is over.
    std::thread::sleep(TICK * 2);
    let all = LATE.lock().unwrap_or_else(PoisonError::into_inner);
    all.iter().filter(|(at, _)| *at >= since).map(|(_, late)| *late).sum()
}

/// Waits for a condition.
#[track_caller]
pub(crate) fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        std::thread::sleep(ms(2));
    }
}

/// Waits until the server has seen the end of the connection.
#[track_caller]
pub(crate) fn wait_for_end(server: &Scripted) -> Record {
    server.wait_for(PATIENCE, |record| record.end.is_some())
}

/// The most memory that the process has had resident since `begin`.
pub(crate) struct Memory {
    before: usize,
}

impl Memory {
    /// To be called by a `loud` test.
    pub(crate) fn begin() -> Memory {
        // Sets the peak to what is resident now (Linux, proc_pid_clear_refs(5)).
        std::fs::write("/proc/self/clear_refs", "5").expect("the peak can be reset");
        Memory { before: status("VmRSS:") }
    }

    /// By how many bytes the peak exceeds what was resident at first.
    pub(crate) fn growth(&self) -> usize {
        status("VmHWM:").saturating_sub(self.before)
    }
}

/// One of the sizes in bytes that the system tells of this process.
pub(crate) fn status(name: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("there is /proc");
    let line = status.lines().find(|line| line.starts_with(name)).expect("the size is there");
    let kib = line.split_whitespace().nth(1).and_then(|kib| kib.parse::<usize>().ok());
    kib.expect("the size is a number") * 1024
}

//! The descriptor, and results: that what poll() says agrees with what can be taken, whatever several
//! threads do, and that each started operation has one result.

use std::collections::HashMap;
use std::os::fd::RawFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Barrier, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use sio::client::Client;
use sio::error::Status;
use sio::session::State;
use sio::sleepers::Timeout;

use crate::common::{Carriage, Kind};
use crate::epoll::{flood, is_readable};
use crate::harness::*;
use crate::turns;

const THREADS: usize = 3;
const ROUNDS: usize = 40;

/// A small generator of numbers, the same for the same seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % limit
    }
}

/// What became of a started operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    GoesOn,
    /// It was refused as it was to be started, and yields nothing.
    Refused,
    Ended,
}

/// The program: one client, which its threads use as they like.
struct Program {
    client: Client,
    descriptor: RawFd,
    url: String,
    last: AtomicU64,
    fates: Mutex<HashMap<u64, Fate>>,
    seed: u64,
}

impl Program {
    fn new(seed: u64) -> Self {
        let client = new_client();
        let descriptor = client.descriptor().expect("a descriptor");
        let url = server(Kind::Oxide).url();
        let (last, fates) = (AtomicU64::new(0), Mutex::default());
        Program { client, descriptor, url, last, fates, seed }
    }

    fn fates(&self) -> MutexGuard<'_, HashMap<u64, Fate>> {
        self.fates.lock().expect("no thread has failed")
    }

    fn going(&self) -> usize {
        self.fates().values().filter(|fate| **fate == Fate::GoesOn).count()
    }

    fn step(&self, random: &mut Random) {
        match random.below(20) {
            0..3 => self.start(|tag| self.client.connect_start(Some(&self.url), LONG, tag)),
            3 => {
                let limit = ms(random.below(4));
                self.start(|tag| self.client.connect_start(Some(&self.url), limit, tag));
            }
            4..7 => self.call("echo_ack", LONG),
            // Nobody answers these.
            7 => self.call("no_ack", ms(random.below(30))),
            8..10 => {
                self.start(|tag| self.client.emit_start("echo", Some("[1]"), &[], LONG, tag));
            }
            10 => self.start(|tag| self.client.flush_start(LONG, tag)),
            11 => self.start(|tag| self.client.disconnect_start(ms(random.below(60)), tag)),
            12..14 => {
                let tag = random.below(self.last.load(Ordering::Relaxed) + 1);
                let cancelled = self.client.cancel(tag);
                assert!(matches!(cancelled, Ok(()) | Err(Status::Invalid)), "{cancelled:?}");
            }
            14..17 => _ = self.receive(),
            _ => _ = self.result(ms(0)),
        }
    }

    fn call(&self, event: &str, limit: Timeout) {
        self.start(|tag| self.client.call_start(event, Some("[1]"), &[], limit, tag));
    }

    fn start(&self, start: impl FnOnce(u64) -> Result<(), Status>) {
        let tag = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        // Another thread may have its result before this one knows that it was started.
        self.fates().insert(tag, Fate::GoesOn);
        if let Err(status) = start(tag) {
            assert!(matches!(status, Status::State | Status::Disconnected), "{}", status.name());
            let before = self.fates().insert(tag, Fate::Refused);
            assert_eq!(before, Some(Fate::GoesOn), "refused, and a result, seed {}", self.seed);
        }
    }

    fn result(&self, limit: Timeout) -> bool {
        match self.client.result(limit) {
            Ok(ended) => {
                let before = self.fates().insert(ended.tag, Fate::Ended);
                let (tag, seed) = (ended.tag, self.seed);
                assert_eq!(before, Some(Fate::GoesOn), "the result of {tag}, seed {seed}");
                true
            }
            Err(status) => {
                assert_eq!(status, Status::Timeout);
                false
            }
        }
    }

    fn receive(&self) -> Result<(), Status> {
        let received = self.client.receive(ms(0)).map(drop);
        assert!(
            matches!(received, Ok(()) | Err(Status::Timeout | Status::Disconnected)),
            "{received:?}"
        );
        received
    }

    /// All threads but this one are quiet. Comes to rest, and compares.
    fn check(&self) {
        // Each has its result but, perhaps, the last, and for that the descriptor becomes readable.
        while self.going() > 1 {
            assert!(self.result(LONG), "a result is missing, seed {}", self.seed);
        }
        if self.going() == 1 {
            assert!(is_readable(self.descriptor, PATIENCE), "seed {}", self.seed);
            // It may be readable because of an event.
            assert!(self.result(LONG), "the last result is missing, seed {}", self.seed);
        }
        // What the server has sent is here when this is answered.
        if self.client.state() == State::Connected {
            round_trip(&self.client);
        }
        loop {
            let readable = is_readable(self.descriptor, Duration::ZERO);
            let found = self.receive();
            match found {
                Ok(()) => assert!(readable, "an event is not shown, seed {}", self.seed),
                Err(Status::Disconnected) if readable => (),
                Err(_) => {
                    assert!(!readable, "woken for nothing, seed {}", self.seed);
                    assert!(!self.result(ms(0)), "a second result, seed {}", self.seed);
                    break;
                }
            }
        }
    }

    /// The end is shown until it has been told, and a result until it has been taken.
    fn check_end_and_result(&self) {
        if self.client.state() != State::Connected {
            good(&self.client, self.client.connect(Some(&self.url), LONG));
        }
        self.call("echo_ack", LONG);
        while self.going() > 0 {
            assert!(is_readable(self.descriptor, PATIENCE));
            self.result(ms(0));
            // What is left may be the welcome.
            while self.receive().is_ok() {}
        }
        good(&self.client, self.client.disconnect(LONG));
        while is_readable(self.descriptor, Duration::ZERO) {
            if self.receive() == Err(Status::Disconnected) {
                assert!(!is_readable(self.descriptor, Duration::ZERO));
                return;
            }
        }
        panic!("the end was not shown, seed {}", self.seed);
    }
}

fn whatever_threads_do(carriage: Carriage, seed: u64) {
    let _turn = turns::among_others();
    let program = carried(carriage, || Program::new(seed));
    let barrier = Barrier::new(THREADS);
    thread::scope(|scope| {
        for number in 0..THREADS {
            let (program, barrier) = (&program, &barrier);
            scope.spawn(move || {
                let mut random = Random(seed.wrapping_add(number as u64));
                for round in 0..ROUNDS {
                    for _ in 0..random.below(15) {
                        program.step(&mut random);
                    }
                    if barrier.wait().is_leader() {
                        program.check();
                        if round % 8 == 7 {
                            program.check_end_and_result();
                        }
                    }
                    barrier.wait();
                }
            });
        }
    });
    let fates = program.fates();
    assert!(fates.values().all(|fate| *fate != Fate::GoesOn), "seed {seed}");
}

/// Another at each run, and told by a test that fails.
fn seed() -> u64 {
    let seed = u64::from_le_bytes(*rand::random::<[u8; 16]>().first_chunk().expect("eight"));
    println!("seed {seed}");
    seed
}

#[test]
fn whatever_threads_do_poll_agrees_by_polling() {
    whatever_threads_do(Carriage::Polling, seed());
}

#[test]
fn whatever_threads_do_poll_agrees_by_websocket() {
    whatever_threads_do(Carriage::WebSocket, seed());
}

#[test]
fn whatever_threads_do_poll_agrees_with_the_upgrade() {
    whatever_threads_do(Carriage::Upgrade, seed());
}

#[test]
fn each_wake_up_of_an_event_loop_comes_and_finds_something() {
    let _turn = turns::among_others();
    for carriage in [Carriage::WebSocket, Carriage::Polling] {
        carried(carriage, || {
            let events = if carriage == Carriage::Polling { 20_000 } else { 100_000 };
            let client = connect(Kind::Oxide);
            let wakes = flood(&client, events);
            assert!(wakes as usize <= events + 1);
        });
    }
}

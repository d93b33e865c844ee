//! The two triggers on a real client without a network: what its lock guards is changed as the driver
//! and the program would, from one thread by random steps, and from several at once.

use super::*;
use crate::core::{Core, Order};
use crate::driver;
use crate::error::Status;
use crate::inbox::Finished;
use crate::log::Log;
use crate::monitor::{Shared, Stop};
use crate::packet::socket;
use crate::session::{Parcel, State, Text};
use crate::sleepers::{Queue, Timeout};
use crate::sys;
use proptest::collection::vec;
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::os::fd::AsFd;
use std::sync::atomic::AtomicBool;
use std::sync::{Barrier, Condvar};
use std::thread;
use std::time::{Duration, Instant};

const NOT_AT_ALL: Timeout = Timeout::Limit(Duration::ZERO);

/// A client, and what the tests know of it by themselves.
struct Desk {
    shared: Arc<Shared>,
    /// A receive has told the end of the last connection. Changed under the client's lock alone.
    told: AtomicBool,
}

/// What a receive that does not wait found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Something,
    Nothing,
    End,
}

impl Desk {
    fn new() -> Self {
        let shared = Shared::new(Core::new([7; 32]), Log::from_environment());
        let url = shared.with(|core, _| core.options.set("url", Some("http://127.0.0.1:1")));
        assert_eq!(url, Ok(Ok(())));
        Desk { shared, told: AtomicBool::new(false) }
    }

    fn push_event(&self) {
        let text = "2[\"event\",1]";
        let packet = socket::parse(text).unwrap();
        let parcel = Parcel::Plain { packet: &packet, text: Text::Here(text.as_bytes()) };
        let pushed = self.shared.with(|core, _| core.inbox.push(parcel, None, false, false));
        assert!(pushed.is_ok());
    }

    fn push_result(&self) {
        let finished = Finished { tag: 1, outcome: Ok(None) };
        self.shared.with(|core, _| core.inbox.push_result(finished)).unwrap();
    }

    /// Begins a connection, unless there is one.
    fn connect(&self) {
        let begun = self.shared.with(|core, fx| {
            if core.check_idle().is_ok() {
                self.told.store(false, Ordering::Relaxed);
                core.connect(false, driver::now(), fx)?;
                // There is no driver to do it.
                while core.turn(false, driver::now(), fx).orders.iter().any(is_dial) {}
            }
            Ok::<(), Failure>(())
        });
        assert_eq!(begun, Ok(Ok(())));
    }

    /// Ends a connection for good, if there is one.
    fn end(&self) {
        let ended = self.shared.with(|core, fx| {
            if core.check_idle().is_err() {
                let failure = Failure::new(Status::Disconnected, "ended by the test");
                core.give_up(failure, driver::now(), fx);
            }
        });
        assert_eq!(ended, Ok(()));
    }

    /// As `Client::receive` does.
    fn receive(&self) -> Found {
        let found = self.shared.wait(Queue::Receive, NOT_AT_ALL, |core, fx, _| {
            if core.take(fx).is_some() {
                return Some(Found::Something);
            }
            core.is_over().then(|| {
                core.take_end();
                self.told.store(true, Ordering::Relaxed);
                Found::End
            })
        });
        match found {
            Ok(found) => found,
            Err(stop) => {
                assert_eq!(stop, Stop::TimedOut);
                Found::Nothing
            }
        }
    }

    /// As `Client::result` does.
    fn result(&self) -> Found {
        match self.shared.wait(Queue::Result, NOT_AT_ALL, |core, fx, _| core.take_result(fx)) {
            Ok(_) => Found::Something,
            Err(stop) => {
                assert_eq!(stop, Stop::TimedOut);
                Found::Nothing
            }
        }
    }

    /// As `Client::set_wakeup` does.
    fn set(&self, function: Option<Function>) {
        let setting = self.shared.ready.set(function).unwrap();
        self.shared.with(|core, _| core.readiness.wake(setting)).unwrap();
    }

    /// As `Client::descriptor` does.
    fn watch(&self) {
        self.shared.ready.descriptor().unwrap();
        self.shared.with(|core, _| core.readiness.watch()).unwrap();
    }

    /// What poll() says of the descriptor.
    fn is_readable(&self) -> bool {
        let _showing = self.shared.ready.lock_showing();
        let descriptor = self.shared.ready.descriptor.get();
        descriptor.is_some_and(|signal| sys::is_readable(signal.as_fd()))
    }

    /// What can be taken, by what the tests know.
    fn takeable(&self) -> Takeable {
        let takeable = self.shared.with(|core, _| {
            let end = core.state() == State::Closed && !self.told.load(Ordering::Relaxed);
            let (events, results) = (!core.inbox.is_empty(), !core.inbox.has_no_results());
            Takeable { events: events || end, results }
        });
        takeable.unwrap()
    }

    /// The descriptor agrees with what can be taken; with `taking` that is tried.
    #[track_caller]
    fn check(&self, taking: bool, seed: u64) {
        let takeable = self.takeable();
        let readable = self.is_readable();
        assert_eq!(readable, takeable.events || takeable.results, "{takeable:?}, seed {seed}");
        if !taking {
            return;
        }
        let told = self.told.load(Ordering::Relaxed);
        let mut found = false;
        while self.result() == Found::Something {
            found = true;
        }
        let last = loop {
            match self.receive() {
                Found::Something => found = true,
                last => break last,
            }
        };
        assert_eq!(readable, found || (last == Found::End && !told), "seed {seed}");
        assert!(!self.is_readable(), "seed {seed}");
    }
}

fn is_dial(order: &Order) -> bool {
    matches!(order, Order::Dial { .. })
}

/// Different at each run, and told by a test that fails.
fn seed() -> u64 {
    let seed = rand::random();
    println!("seed {seed}");
    seed
}

#[test]
fn before_the_first_connect_the_descriptor_is_quiet() {
    let desk = Desk::new();
    desk.watch();
    assert!(!desk.is_readable());
    assert_eq!(desk.receive(), Found::Nothing);
    assert!(!desk.is_readable());
}

#[test]
fn from_the_end_until_a_receive_has_told_it_the_descriptor_is_readable() {
    let desk = Desk::new();
    desk.watch();
    for _ in 0..3 {
        desk.connect();
        assert!(!desk.is_readable());
        desk.push_event();
        desk.end();
        assert!(desk.is_readable());
        assert_eq!(desk.receive(), Found::Something);
        assert!(desk.is_readable());
        assert_eq!(desk.receive(), Found::End);
        assert!(!desk.is_readable());
        assert_eq!(desk.receive(), Found::End);
    }
}

#[test]
fn however_many_threads_change_what_can_be_taken_the_descriptor_is_right() {
    const THREADS: usize = 4;
    const ROUNDS: usize = 300;
    let seed = seed();
    let desk = Desk::new();
    let barrier = Barrier::new(THREADS);
    thread::scope(|scope| {
        for number in 0..THREADS {
            let (desk, barrier) = (&desk, &barrier);
            scope.spawn(move || {
                let mut random = StdRng::seed_from_u64(seed.wrapping_add(number as u64));
                for round in 0..ROUNDS {
                    for _ in 0..random.random_range(0..12) {
                        match random.random_range(0..20) {
                            0..5 => desk.push_event(),
                            5..8 => desk.push_result(),
                            8..13 => _ = desk.receive(),
                            13..16 => _ = desk.result(),
                            16 => desk.end(),
                            17 => desk.connect(),
                            // It may be asked for early or late, and again.
                            _ => desk.watch(),
                        }
                    }
                    // Whoever comes last finds all the others quiet, and they stay so.
                    if barrier.wait().is_leader() {
                        desk.watch();
                        desk.check(round % 3 == 0, seed);
                    }
                    barrier.wait();
                }
            });
        }
    });
}

#[test]
fn a_program_with_one_thread_polls_no_descriptor_for_nothing() {
    const EVENTS: usize = 20_000;
    let desk = Desk::new();
    desk.watch();
    let produced = AtomicU64::new(0);
    let mut taken = 0;
    thread::scope(|scope| {
        scope.spawn(|| {
            for i in 0..EVENTS {
                if i % 5 == 0 {
                    desk.push_result()
                } else {
                    desk.push_event()
                }
                produced.fetch_add(1, Ordering::Relaxed);
                if i % 7 == 0 {
                    thread::yield_now();
                }
            }
        });
        let deadline = Instant::now() + Duration::from_secs(60);
        while taken < EVENTS {
            let produced = produced.load(Ordering::Relaxed);
            assert!(Instant::now() < deadline, "{taken} of {produced} taken");
            if !desk.is_readable() {
                thread::yield_now();
                continue;
            }
            let before = taken;
            while desk.result() == Found::Something {
                taken += 1;
            }
            while desk.receive() == Found::Something {
                taken += 1;
            }
            assert!(taken > before, "readable, and nothing there");
        }
    });
    assert!(!desk.is_readable());
}

#[test]
fn a_program_that_takes_all_when_it_is_called_misses_nothing() {
    const EACH: usize = 5_000;
    const THREADS: usize = 3;
    let desk = Arc::new(Desk::new());
    let bell = Arc::new((Mutex::new(0_u64), Condvar::new()));
    desk.set(Some({
        let bell = Arc::clone(&bell);
        Box::new(move || {
            *bell.0.lock().unwrap() += 1;
            bell.1.notify_one();
        })
    }));
    thread::scope(|scope| {
        for number in 0..THREADS {
            let desk = &desk;
            scope.spawn(move || {
                for i in 0..EACH {
                    if (i + number) % 3 == 0 {
                        desk.push_result()
                    } else {
                        desk.push_event()
                    }
                    if i % 11 == 0 {
                        thread::yield_now();
                    }
                }
            });
        }
        let mut taken = 0;
        while taken < EACH * THREADS {
            let calls = bell.0.lock().unwrap();
            let limit = Duration::from_secs(60);
            let (mut calls, waited) =
                bell.1.wait_timeout_while(calls, limit, |calls| *calls == 0).unwrap();
            assert!(!waited.timed_out(), "no call, and {taken} taken");
            *calls = 0;
            drop(calls);
            while desk.result() == Found::Something {
                taken += 1;
            }
            while desk.receive() == Found::Something {
                taken += 1;
            }
        }
    });
    assert_eq!((desk.receive(), desk.result()), (Found::Nothing, Found::Nothing));
}

#[derive(Clone, Copy, Debug)]
enum Step {
    PushEvent,
    PushResult,
    Receive,
    Result,
    End,
    Connect,
    Watch,
    Set,
    Remove,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => Just(Step::PushEvent),
        4 => Just(Step::PushResult),
        8 => Just(Step::Receive),
        6 => Just(Step::Result),
        2 => Just(Step::End),
        2 => Just(Step::Connect),
        1 => Just(Step::Watch),
        2 => Just(Step::Set),
        1 => Just(Step::Remove),
    ]
}

/// What the program has seen, by which it is told whether a call is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Set,
    Removed,
    Call,
    /// A receive found nothing, and whether there were results then.
    NoEvents {
        results: bool,
    },
    NoResults {
        events: bool,
    },
}

/// A call is due if there is something, and the program has a function that has been told nothing yet,
/// or has been told since the last call that both queues are empty; one that is need not be asked.
fn is_due(seen: &[Seen], now: Takeable) -> bool {
    let since =
        seen.iter().rposition(|seen| matches!(seen, Seen::Set | Seen::Removed | Seen::Call));
    let Some(since) = since else { return false };
    let told = |what: fn(&Seen) -> bool| seen[since..].iter().any(what);
    let something = now.events || now.results;
    match seen[since] {
        Seen::Set => something,
        Seen::Call => {
            something
                && told(|seen| {
                    matches!(seen, Seen::NoEvents { .. } | Seen::NoResults { events: false })
                })
                && told(|seen| {
                    matches!(seen, Seen::NoResults { .. } | Seen::NoEvents { results: false })
                })
        }
        _ => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_function_is_called_at_each_edge_and_the_descriptor_shows_the_level(
        steps in vec(step(), 1..80),
    ) {
        let desk = Desk::new();
        let calls = Arc::new(AtomicU64::new(0));
        let (mut seen, mut watched) = (Vec::new(), false);
        for step in steps {
            let before = calls.load(Ordering::Relaxed);
            let Takeable { events, results } = desk.takeable();
            match step {
                Step::PushEvent => desk.push_event(),
                Step::PushResult => desk.push_result(),
                Step::Receive => {
                    if desk.receive() != Found::Something {
                        seen.push(Seen::NoEvents { results });
                    }
                }
                Step::Result => {
                    if desk.result() == Found::Nothing {
                        seen.push(Seen::NoResults { events });
                    }
                }
                Step::End => desk.end(),
                Step::Connect => desk.connect(),
                Step::Watch => {
                    desk.watch();
                    watched = true;
                }
                Step::Set => {
                    let calls = Arc::clone(&calls);
                    desk.set(Some(Box::new(move || _ = calls.fetch_add(1, Ordering::Relaxed))));
                    seen.push(Seen::Set);
                }
                Step::Remove => {
                    desk.set(None);
                    seen.push(Seen::Removed);
                }
            }
            let takeable = desk.takeable();
            let due = is_due(&seen, takeable);
            let made = calls.load(Ordering::Relaxed) - before;
            prop_assert_eq!(made, u64::from(due), "{:?} and {:?} after {:?}", takeable, step, seen);
            if due {
                seen.push(Seen::Call);
            }
            let level = takeable.events || takeable.results;
            prop_assert_eq!(desk.is_readable(), watched && level, "{:?}", step);
        }
    }
}

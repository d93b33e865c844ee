//! The program's function before each attempt: what it may set, how it may fail, and that nobody
//! waits for it but those who must.

#![forbid(unsafe_code)]

use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread::ThreadId;
use std::time::Instant;

use sio::client::Client;
use sio::error::Status;
use sio::session::State;

use crate::clients::*;
use crate::common::scripted::{Engine, Gate, Plan};
use crate::support::*;

/// Sets a function that is given the client.
fn prepare(client: &Arc<Client>, function: impl Fn(&Client) -> i32 + Send + Sync + 'static) {
    // The client owns the function, and must not be kept alive by it.
    let weak: Weak<Client> = Arc::downgrade(client);
    let function = move || weak.upgrade().map_or(1, |client| function(&client));
    assert_eq!(client.set_prepare(Some(Box::new(function))), Ok(()), "{}", client.error());
}

#[test]
fn it_runs_once_before_each_attempt_on_a_thread_of_the_library() {
    let engine = Engine::usual();
    let client = reconnecting(&[("transports", "polling")]);
    let threads: Arc<Mutex<Vec<ThreadId>>> = Arc::default();
    let noting = Arc::clone(&threads);
    prepare(&client, move |_| {
        noting.lock().unwrap().push(std::thread::current().id());
        0
    });
    join(&client, &engine);
    for round in 1..=3 {
        assert_eq!(threads.lock().unwrap().len(), round);
        engine.wait_for_poll();
        engine.http().cut();
        wait_until("another session", || engine.sessions() == round + 1);
        wait_for_state(&client, State::Connected);
    }
    let threads = threads.lock().unwrap();
    assert_eq!(threads.len(), 4);
    assert!(threads.iter().all(|id| *id != std::thread::current().id()));
    drop(threads);
    assert_eq!(client.disconnect(PATIENT), Ok(()));
}

#[test]
fn what_it_sets_counts_for_that_attempt() {
    let (first, second) = (Engine::usual(), Engine::usual());
    let client = reconnecting(&[("transports", "polling")]);
    let urls = [first.url(), second.url()];
    let count = AtomicUsize::new(0);
    prepare(&client, move |client| {
        let n = count.fetch_add(1, Ordering::SeqCst);
        assert_eq!(client.set("url", Some(&urls[n % 2])), Ok(()));
        assert_eq!(client.set_header(Some("X-Token"), Some(&format!("token {n}"))), Ok(()));
        assert_eq!(client.set("auth", Some(&format!("{{\"n\":{n}}}"))), Ok(()));
        0
    });
    // Also the URL of the first connect.
    assert_eq!(client.connect(None, PATIENT), Ok(()), "{}", client.error());
    for round in 0..4 {
        let (engine, other) = if round % 2 == 0 { (&first, &second) } else { (&second, &first) };
        let sessions = other.sessions();
        engine.wait_for_poll();
        let texts = engine.texts();
        assert_eq!(texts.last().map(String::as_str), Some(format!("40{{\"n\":{round}}}").as_str()));
        let last = engine.http().exchanges().pop().expect("there are requests");
        assert_eq!(last.request.header("X-Token"), Some(format!("token {round}").as_str()));
        engine.forget();
        engine.http().cut();
        wait_until("the other server", || other.sessions() == sessions + 1);
        wait_for_state(&client, State::Connected);
    }
}

#[test]
fn its_no_is_a_failed_attempt() {
    let engine = Engine::usual();
    let client = reconnecting(&[]);
    prepare(&client, |_| -7);
    assert_eq!(client.connect(Some(&engine.url()), PATIENT), Err(Status::Unreachable));
    let failure = failure(&client);
    assert_eq!(failure["phase"], "prepare", "{failure}");
    assert!(failure["text"].as_str().unwrap().contains("-7"), "{failure}");
    assert_eq!(client.state(), State::Closed);
    assert_eq!(engine.http().connections(), 0);
}

#[test]
fn it_may_fail_a_few_times() {
    let engine = Engine::usual();
    let client = reconnecting(&[("retry_connect", "1"), ("transports", "polling")]);
    let answer = Arc::new(AtomicI32::new(2));
    let counting = Arc::clone(&answer);
    prepare(&client, move |_| counting.fetch_sub(1, Ordering::SeqCst).max(0));
    join(&client, &engine);
    assert_eq!(stat(&client, "attempts"), 3);
    engine.wait_for_poll();
    answer.store(3, Ordering::SeqCst);
    let tried = stat(&client, "attempts");
    engine.forget();
    engine.http().cut();
    wait_until("another session", || engine.sessions() == 2);
    wait_for_state(&client, State::Connected);
    assert_eq!(stat(&client, "attempts") - tried, 4);
}

#[test]
fn a_panic_in_it_is_a_failed_attempt_or_a_defect_but_never_the_end_of_the_program() {
    let engine = Engine::usual();
    let client = reconnecting(&[]);
    prepare(&client, |_| panic!("on purpose"));
    let status = client.connect(Some(&engine.url()), PATIENT).unwrap_err();
    assert!(matches!(status, Status::Unreachable | Status::Internal), "{status:?}");
    assert_eq!(engine.http().connections(), 0);
}

/// A client whose function is running until the gate is open, called by a connect.
fn preparing(
    options: &[(&str, &str)],
) -> (Arc<Client>, Engine, Gate, Arc<AtomicUsize>, Running<Result<(), Status>>) {
    let engine = Engine::start(Plan::polling_only());
    let client = reconnecting(&[&[("transports", "polling")], options].concat());
    let (gate, runs) = (Gate::new(), Arc::new(AtomicUsize::new(0)));
    let (waiting, counting) = (gate.clone(), Arc::clone(&runs));
    prepare(&client, move |_| {
        counting.fetch_add(1, Ordering::SeqCst);
        while !waiting.is_open() {
            std::thread::sleep(ms(2));
        }
        0
    });
    let url = engine.url();
    let connecting = start(&client, move |client| client.connect(Some(&url), PATIENT));
    wait_until("it runs", || runs.load(Ordering::SeqCst) == 1);
    (client, engine, gate, runs, connecting)
}

#[test]
fn it_may_take_its_time_and_its_connect_waits() {
    let (client, engine, gate, _, connecting) = preparing(&[]);
    assert_eq!(client.state(), State::Connecting);
    assert!(!connecting.is_back_within(ms(300)));
    assert_eq!(engine.http().connections(), 0);
    gate.open();
    wait_for_state(&client, State::Connected);
}

#[test]
fn connect_ends_at_its_time_all_the_same_and_what_is_set_late_counts_for_the_next() {
    let _quiet = quiet();
    let engine = Engine::start(Plan::polling_only());
    let client = reconnecting(&[("transports", "polling")]);
    let (gate, runs) = (Gate::new(), Arc::new(AtomicUsize::new(0)));
    let (waiting, counting) = (gate.clone(), Arc::clone(&runs));
    prepare(&client, move |client| {
        let n = counting.fetch_add(1, Ordering::SeqCst);
        while n == 0 && !waiting.is_open() {
            std::thread::sleep(ms(2));
        }
        let _ = client.set_header(Some("X-Run"), Some(&n.to_string()));
        0
    });
    let url = engine.url();
    let since = Instant::now();
    assert_eq!(client.connect(Some(&url), limit(200)), Err(Status::Timeout));
    assert_elapsed(since, ms(200), ms(250));
    assert_eq!(failure(&client)["phase"], "prepare");
    assert_eq!(client.state(), State::Closed);
    // The next one waits for its turn: never twice at once.
    let next = start(&client, move |client| client.connect(Some(&url), PATIENT));
    std::thread::sleep(ms(100));
    assert_eq!(runs.load(Ordering::SeqCst), 1);
    gate.open();
    assert_eq!(next.back(), Ok(()));
    assert_eq!(runs.load(Ordering::SeqCst), 2);
    assert_eq!(engine.sessions(), 1, "the first attempt had been given up");
    assert!(engine.http().exchanges().iter().all(|one| one.request.header("X-Run") == Some("1")));
}

#[test]
fn attempt_timeout_counts_from_its_beginning() {
    let _quiet = quiet();
    let (client, engine, gate, _, connecting) = preparing(&[("attempt_timeout_ms", "300")]);
    let since = Instant::now();
    assert_eq!(connecting.back(), Err(Status::Timeout));
    assert_elapsed(since, ms(200), ms(400));
    assert_eq!(failure(&client)["phase"], "prepare");
    gate.open();
    assert_silent(&engine, ms(200));
}

#[test]
fn disconnect_and_interrupt_do_not_wait_for_it() {
    let _quiet = quiet();
    type End = fn(&Client);
    let ends: [(End, Status); 2] = [
        (|client| assert_eq!(client.disconnect(PATIENT), Ok(())), Status::Disconnected),
        (|client| client.interrupt(), Status::Interrupted),
    ];
    for (end, status) in ends {
        let (client, engine, gate, runs, connecting) = preparing(&[]);
        let since = Instant::now();
        within(END, || end(&client));
        assert_eq!(connecting.back_within(since, END), Err(status));
        assert_eq!(client.state(), State::Closed);
        gate.open();
        assert_silent(&engine, ms(300));
        assert_eq!(runs.load(Ordering::SeqCst), 1);
    }
}

#[test]
fn disconnect_while_a_reconnection_is_prepared_is_final() {
    let _quiet = quiet();
    let engine = Engine::start(Plan::polling_only());
    let client = reconnecting(&[("transports", "polling")]);
    let (gate, slow, runs) =
        (Gate::new(), Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let (waiting, is_slow, counting) = (gate.clone(), Arc::clone(&slow), Arc::clone(&runs));
    prepare(&client, move |_| {
        counting.fetch_add(1, Ordering::SeqCst);
        while is_slow.load(Ordering::SeqCst) && !waiting.is_open() {
            std::thread::sleep(ms(2));
        }
        0
    });
    join(&client, &engine);
    slow.store(true, Ordering::SeqCst);
    engine.wait_for_poll();
    engine.http().cut();
    wait_until("it runs again", || runs.load(Ordering::SeqCst) == 2);
    assert_eq!(client.state(), State::Reconnecting);
    assert_eq!(within(END, || client.disconnect(PATIENT)), Ok(()));
    assert_eq!(client.state(), State::Closed);
    gate.open();
    assert_silent(&engine, ms(400));
    assert_eq!(runs.load(Ordering::SeqCst), 2);
}

#[test]
fn close_waits_for_it_to_return() {
    let _quiet = quiet();
    let (client, engine, gate, runs, connecting) = preparing(&[]);
    let closing = start(&client, |client| client.close());
    // The calls of others end at once.
    assert_eq!(connecting.back(), Err(Status::Disconnected));
    assert!(!closing.is_back_within(ms(150)));
    gate.open();
    std::thread::sleep(ms(50));
    assert!(client.connect(None, PATIENT).is_err());
    assert_silent(&engine, ms(200));
    assert_eq!(runs.load(Ordering::SeqCst), 1);
}

#[test]
fn removing_it_waits_for_it_to_return() {
    let _quiet = quiet();
    let (client, _engine, gate, runs, connecting) = preparing(&[]);
    let removing = start(&client, |client| client.set_prepare(None));
    std::thread::sleep(ms(100));
    gate.open();
    assert_eq!(removing.back(), Ok(()));
    assert_eq!(connecting.back(), Ok(()), "{}", client.error());
    assert_eq!(runs.load(Ordering::SeqCst), 1);
}

#[test]
fn inside_it_what_would_wait_is_refused_and_the_rest_works() {
    let engine = Engine::usual();
    let client = reconnecting(&[("transports", "polling")]);
    let seen: Arc<Mutex<Vec<Status>>> = Arc::default();
    let noting = Arc::clone(&seen);
    prepare(&client, move |client| {
        let mut seen = noting.lock().unwrap();
        seen.push(client.connect(None, PATIENT).unwrap_err());
        seen.push(client.emit("a", None, &[], PATIENT).unwrap_err());
        seen.push(call_fails(client, "c", PATIENT));
        seen.push(receive_fails(client, PATIENT));
        seen.push(receive_fails(client, AT_ONCE));
        assert_eq!(client.state(), State::Connecting);
        assert_eq!(client.sid(), "");
        client.stats();
        0
    });
    join(&client, &engine);
    let seen = seen.lock().unwrap();
    assert_eq!(
        *seen,
        [Status::State, Status::State, Status::State, Status::State, Status::Timeout]
    );
}

#[test]
fn disconnecting_inside_it_ends_the_attempt() {
    let engine = Engine::usual();
    let client = reconnecting(&[]);
    prepare(&client, |client| {
        assert_eq!(client.disconnect(AT_ONCE), Ok(()));
        0
    });
    assert_eq!(client.connect(Some(&engine.url()), PATIENT), Err(Status::Disconnected));
    assert_silent(&engine, ms(200));
    assert_eq!(engine.http().connections(), 0);
}

#[test]
fn one_that_panicked_is_called_again() {
    let engine = Engine::start(Plan::polling_only());
    let client = polling(&[]);
    for _ in 0..3 {
        prepare(&client, |_| panic!("on purpose"));
        let outcome = within(ms(1_000), || client.connect(Some(&engine.url()), PATIENT));
        assert_eq!(outcome, Err(Status::Internal), "{}", client.error());
    }
    let runs = Arc::new(AtomicUsize::new(0));
    let counting = Arc::clone(&runs);
    prepare(&client, move |_| {
        counting.fetch_add(1, Ordering::SeqCst);
        0
    });
    assert_eq!(client.connect(Some(&engine.url()), limit(2_000)), Ok(()), "{}", client.error());
    assert_eq!(runs.load(Ordering::SeqCst), 1);
}

//! Every call that waits: ended by an interrupt, by free, by the end of the connection, by its time.

#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use sio::client::Client;
use sio::error::Status;
use sio::session::State;
use sio::sleepers::Timeout;

use crate::common::scripted::{Frame, Listen, Script, Scripted};
use crate::sending::fill;
use crate::support::*;

/// Calls that wait, each with its name.
type Waiting = Vec<(&'static str, Running<Result<(), Status>>)>;

/// Blocks in every function for which this client has to wait.
fn block_all(client: &Arc<Client>) -> Waiting {
    let large = format!("[\"{}\"]", "x".repeat(20_000));
    let emit = move |client: &Client| client.emit("waits", Some(&large), &[], PATIENT);
    vec![
        ("receive", block(client, |client| client.receive(PATIENT).map(drop))),
        ("receive too", block(client, |client| client.receive(Timeout::Forever).map(drop))),
        ("call", block(client, |client| client.call("waits", None, &[], PATIENT).map(drop))),
        ("flush", block(client, |client| client.flush(PATIENT))),
        ("emit", block(client, emit.clone())),
        ("emit too", block(client, emit)),
    ]
}

/// A client on whose connection everything waits: the server reads nothing until it is told, and
/// then does this.
fn stuck(end: impl FnOnce(Script) -> Script) -> (Arc<Client>, Scripted, Waiting) {
    let listen = Listen { receive_buffer: Some(4096), ..Listen::default() };
    let script = end(Script::new().connected().until_told());
    let server = Scripted::start_with(listen, [script]);
    let client = client_with(&[("send_limit", "500000")]);
    connect(&client, &server);
    fill(&client);
    let waiting = block_all(&client);
    (client, server, waiting)
}

/// A client that is connecting, and on which everything waits.
fn connecting() -> (Arc<Client>, Scripted, Waiting) {
    let server = Scripted::start(Script::new().websocket().open().until_closed());
    let client = client();
    let url = server.url();
    let connecting = block(&client, move |client| client.connect(Some(&url), PATIENT));
    let mut waiting = block_all(&client);
    waiting.push(("connect", connecting));
    (client, server, waiting)
}

#[track_caller]
fn assert_all(waiting: Waiting, since: Instant, status: Status) {
    for (what, running) in waiting {
        let within = if status == Status::Disconnected { END } else { WAKE };
        assert_eq!(running.back_within(since, within), Err(status), "{what}");
    }
}

/// How a server goes on, to its end.
type Ending = fn(Script) -> Script;

/// What ends a wait.
type Cause = fn(&Client, &Scripted);

/// What one of many threads does.
type Call = Box<dyn Fn(&Client) + Send>;

#[test]
fn interrupt_ends_every_wait() {
    let _loud = loud();
    let (client, _server, waiting) = stuck(|script| script.until_closed());
    let queued = stat(&client, "send_queued");
    let error = client.error();
    let since = Instant::now();
    client.interrupt();
    assert_all(waiting, since, Status::Interrupted);
    assert_eq!(client.state(), State::Connected);
    assert_eq!(stat(&client, "calls_waiting"), 0);
    assert!(stat(&client, "send_queued") <= queued, "an interrupted emit was queued");
    assert_eq!(client.error(), error, "an interrupt is no failure");

    let (client, _server, waiting) = connecting();
    let since = Instant::now();
    client.interrupt();
    // Those who are interrupted last may see that the connect has been given up.
    for (what, running) in waiting {
        let outcome = running.back_within(since, WAKE);
        assert_eq!(outcome, Err(Status::Interrupted), "{what}");
    }
    assert_eq!(client.state(), State::Closed);
    assert_usable(&client);
}

#[test]
fn close_ends_every_wait() {
    let _loud = loud();
    for (client, server, waiting) in [stuck(|script| script.until_closed()), connecting()] {
        let since = Instant::now();
        within(END, || client.close());
        assert_all(waiting, since, Status::Disconnected);
        within(WAKE, || {
            assert_eq!(client.receive(PATIENT).map(drop), Err(Status::Disconnected));
            assert_eq!(client.emit("a", None, &[], PATIENT), Err(Status::Disconnected));
            assert!(client.connect(Some("http://127.0.0.1:9"), PATIENT).is_err());
        });
        server.tell();
        wait_for_end(&server);
    }
}

#[test]
fn the_end_of_the_connection_ends_every_wait() {
    let _loud = loud();
    let ends: [(&str, Ending); 8] = [
        ("end", |script| script),
        ("shutdown", |script| script.shutdown_write().stall()),
        ("reset", |script| script.reset()),
        ("DISCONNECT", |script| script.text("41").stall()),
        ("CLOSE", |script| script.text("1").stall()),
        ("close frame", |script| script.frame(Frame::close(1000, "")).stall()),
        ("parse error", |script| script.text("x").stall()),
        ("framing error", |script| script.frame(Frame::text("2").rsv(1)).stall()),
    ];
    for (what, end) in ends {
        let (client, server, waiting) = stuck(end);
        let since = Instant::now();
        server.tell();
        for (call, running) in waiting {
            let outcome = running.back_within(since, WAKE);
            assert_eq!(outcome, Err(Status::Disconnected), "{what}: {call}");
        }
        assert_eq!(client.state(), State::Closed);
        assert_usable(&client);
    }
}

#[test]
fn a_silent_server_ends_every_wait_when_its_heartbeat_is_over() {
    let _loud = loud();
    let listen = Listen { receive_buffer: Some(4096), ..Listen::default() };
    let open = r#"{"sid":"a","pingInterval":1500,"pingTimeout":500,"maxPayload":1000000}"#;
    let script = Script::new().websocket().open_with(open).namespace().text("2");
    let server = Scripted::start_with(listen, [script.stall()]);
    let client = client_with(&[("send_limit", "500000")]);
    connect(&client, &server);
    let since = Instant::now();
    fill(&client);
    let waiting = block_all(&client);
    for (call, running) in waiting {
        let outcome = running.back_within(since, ms(2000) + WAKE);
        assert_eq!(outcome, Err(Status::Disconnected), "{call}");
    }
    assert_elapsed(since, ms(1900), PATIENCE);
    assert_says(&client, "2000 ms");
    assert_usable(&client);
}

#[test]
fn a_disconnect_that_waits_is_ended_by_all_of_these() {
    let _quiet = quiet();
    let ends: [(&str, Cause, Status); 3] = [
        ("interrupt", |client, _| client.interrupt(), Status::Interrupted),
        ("close", |client, _| client.close(), Status::Disconnected),
        ("end", |_, server| server.tell(), Status::Disconnected),
    ];
    for (what, end, status) in ends {
        let script = Script::new().connected().ignoring_pings().until_told();
        let (client, server) = connected(script);
        let leaving = block(&client, |client| client.disconnect(PATIENT));
        let since = Instant::now();
        end(&client, &server);
        assert_eq!(leaving.back_within(since, END), Err(status), "{what}");
        // It goes on by itself.
        wait_until("it has ended", || client.state() == State::Closed);
    }
}

#[test]
fn an_interrupt_of_nobody_ends_the_next_wait_and_only_that() {
    let _loud = loud();
    let script = Script::new().connected().until_told().text(r#"42["e"]"#).until_closed();
    let (client, server) = connected(script);
    for _ in 0..3 {
        client.interrupt();
    }
    // These need not wait, and leave it.
    assert_eq!(client.emit("a", None, &[], PATIENT), Ok(()));
    assert_eq!(receive_fails(&client, AT_ONCE), Status::Timeout);
    assert_eq!(call_fails(&client, "c", AT_ONCE), Status::Timeout);
    wait_until("it is sent", || stat(&client, "send_queued") == 0);
    assert_eq!(client.flush(PATIENT), Ok(()));
    within(WAKE, || assert_eq!(receive_fails(&client, PATIENT), Status::Interrupted));
    assert_eq!(receive_fails(&client, limit(50)), Status::Timeout);

    client.interrupt();
    within(WAKE, || assert_eq!(call_fails(&client, "c", PATIENT), Status::Interrupted));
    assert_eq!(stat(&client, "packets_sent"), 1, "an interrupted call is not sent");
    assert_eq!(call_fails(&client, "c", limit(50)), Status::Timeout);

    client.interrupt();
    server.tell();
    wait_until("an event is there", || stat(&client, "receive_queued") == 1);
    assert_event(&client, "e", "[]");
    within(WAKE, || assert_eq!(receive_fails(&client, PATIENT), Status::Interrupted));
    assert_eq!(client.disconnect(PATIENT), Ok(()));

    client.interrupt();
    assert_eq!(client.disconnect(PATIENT), Ok(()));
    assert_eq!(client.emit("a", None, &[], PATIENT), Err(Status::Disconnected));
    let next = Scripted::start(Script::new().connected().until_closed());
    let outcome = within(WAKE, || client.connect(Some(&next.url()), PATIENT));
    assert_eq!(outcome, Err(Status::Interrupted));
    assert_eq!(client.connect(Some(&next.url()), PATIENT), Ok(()), "{}", client.error());
    client.interrupt();
    within(WAKE, || assert_eq!(client.disconnect(PATIENT), Err(Status::Interrupted)));
    wait_until("it has ended", || client.state() == State::Closed);
}

#[test]
fn an_interrupt_before_anything_else() {
    let client = client();
    client.interrupt();
    within(WAKE, || assert_eq!(receive_fails(&client, PATIENT), Status::Interrupted));
    assert_eq!(receive_fails(&client, limit(50)), Status::Timeout);
    assert_usable(&client);
}

#[test]
fn times_are_kept() {
    let _quiet = quiet();
    let (client, _server) = connected(Script::new().connected().until_closed());
    for millis in [0, 1, 200] {
        let waits: [&dyn Fn() -> Status; 2] = [&|| receive_fails(&client, limit(millis)), &|| {
            call_fails(&client, "c", limit(millis))
        }];
        for wait in waits {
            let since = Instant::now();
            assert_eq!(wait(), Status::Timeout);
            assert_elapsed(since, ms(millis), ms(millis) + WAKE);
        }
    }
    let longest = Timeout::Limit(std::time::Duration::MAX);
    let receiving = block(&client, move |client| client.receive(longest).map(drop));
    client.interrupt();
    assert_eq!(receiving.back(), Err(Status::Interrupted));
}

#[test]
fn a_deadline_is_not_put_off_by_traffic() {
    let _quiet = quiet();
    let script = Script::new().connected().read_aside().then("send on", |peer| {
        for i in 0.. {
            if peer.text("2").is_err() || peer.text(&format!(r#"42["e",{i}]"#)).is_err() {
                break;
            }
            peer.pause(ms(5))?;
        }
        Ok(())
    });
    let (client, _server) = connected(script);
    let receiving = start(&client, |client| while client.receive(PATIENT).is_ok() {});
    let since = Instant::now();
    assert_eq!(call_fails(&client, "c", limit(300)), Status::Timeout);
    assert_elapsed(since, ms(300), ms(350));
    assert_eq!(client.disconnect(PATIENT), Ok(()), "{}", client.error());
    receiving.back();
}

#[test]
fn each_event_goes_to_exactly_one_of_eight_receivers() {
    let _loud = loud();
    let count = 10_000;
    let script = Script::new().connected().then("send in bursts", move |peer| {
        let mut bytes = Vec::new();
        for i in 0..count {
            bytes.extend(Frame::text(format!(r#"42["e",{i}]"#)).encode());
            if i % 7 == 0 || i % 100 == 99 {
                peer.raw(&bytes)?;
                bytes.clear();
            }
            if i % 500 == 0 {
                peer.pause(ms(1))?;
            }
        }
        peer.raw(&bytes)
    });
    let (client, _server) = connected(script.text("41").until_closed());
    let receivers: Vec<_> = (0..8)
        .map(|receiver| {
            start(&client, move |client| {
                let mut events = Vec::new();
                loop {
                    // Half of them give up all the time, and come back.
                    let timeout = if receiver % 2 == 0 { PATIENT } else { limit(1) };
                    match client.receive(timeout) {
                        Ok(event) => events
                            .push(event.args()[1..].trim_end_matches(']').parse::<u64>().unwrap()),
                        Err(Status::Timeout) => {}
                        Err(status) => return (events, status),
                    }
                }
            })
        })
        .collect();
    let mut all = Vec::new();
    for receiver in receivers {
        let (events, status) = receiver.back();
        assert_eq!(status, Status::Disconnected);
        assert!(events.is_sorted(), "each sees its events in order");
        all.extend(events);
    }
    all.sort_unstable();
    assert!(all.iter().copied().eq(0..count), "{} events of {count}", all.len());
}

#[test]
fn one_event_wakes_one_of_many() {
    let script = Script::new().connected();
    let script = (0..3).fold(script, |script, i| script.until_told().text(format!("42[{i}]")));
    let (client, server) = connected(script.until_told().text("41").until_closed());
    let got = Arc::new(AtomicU64::new(0));
    let receivers: Vec<_> = (0..6)
        .map(|_| {
            let got = Arc::clone(&got);
            start(&client, move |client| {
                let outcome = client.receive(Timeout::Forever).map(drop);
                got.fetch_add(u64::from(outcome.is_ok()), Ordering::SeqCst);
                outcome
            })
        })
        .collect();
    std::thread::sleep(ms(50));
    for i in 1..=3 {
        server.tell();
        wait_until("one is back", || got.load(Ordering::SeqCst) == i);
    }
    server.tell();
    let ended =
        receivers.into_iter().filter_map(|receiver| receiver.back().err()).collect::<Vec<_>>();
    assert_eq!(ended, [Status::Disconnected; 3]);
}

#[test]
fn interrupts_lose_no_events() {
    let _loud = loud();
    let count = 5_000;
    let script = Script::new().connected().flood(count, |i| Frame::text(format!(r#"42["e",{i}]"#)));
    let (client, _server) = connected(script.until_closed());
    let done = Arc::new(AtomicBool::new(false));
    let interrupting = {
        let done = Arc::clone(&done);
        start(&client, move |client| {
            while !done.load(Ordering::Relaxed) {
                client.interrupt();
                std::thread::yield_now();
            }
        })
    };
    let mut next = 0;
    while next < count {
        match client.receive(PATIENT) {
            Ok(event) => {
                assert_eq!(event.args(), format!("[{next}]"));
                next += 1;
            }
            Err(status) => assert_eq!(status, Status::Interrupted),
        }
    }
    done.store(true, Ordering::Relaxed);
    interrupting.back();
}

/// Whatever comes of it is right.
fn ignore<T>(_outcome: Result<T, Status>) {}

#[test]
fn everything_at_once_ends() {
    let _loud = loud();
    let echo = || {
        let script = Script::new().connected().text(r#"427["q"]"#);
        script.flood(20, |i| Frame::text(format!(r#"42["e",{i}]"#))).until_closed()
    };
    let server = Scripted::start_with(Listen::default(), (0..2_000).map(|_| echo()));
    let client = client_with(&[("offline", "buffer"), ("receive_limit", "500")]);
    let done = Arc::new(AtomicBool::new(false));
    let url = server.url();
    let calls: Vec<Call> = vec![
        Box::new({
            let url = url.clone();
            move |client| ignore(client.connect(Some(&url), limit(50)))
        }),
        Box::new(move |client| ignore(client.connect(Some(&url), limit(1)))),
        Box::new(|client| ignore(client.disconnect(limit(20)))),
        Box::new(|client| ignore(client.emit("e", Some("[1]"), &[], limit(5)))),
        Box::new(|client| ignore(client.call("c", None, &[], limit(3)))),
        Box::new(|client| ignore(client.receive(limit(5)))),
        Box::new(|client| ignore(client.receive(limit(1)))),
        Box::new(|client| ignore(client.flush(limit(5)))),
        Box::new(|client| client.interrupt()),
        Box::new(|client| drop((client.stats(), client.sid(), client.error_json()))),
    ];
    let running: Vec<_> = calls
        .into_iter()
        .map(|call| {
            let done = Arc::clone(&done);
            start(&client, move |client| {
                while !done.load(Ordering::Relaxed) {
                    call(client);
                    std::thread::sleep(ms(1));
                }
            })
        })
        .collect();
    std::thread::sleep(ms(1500));
    done.store(true, Ordering::Relaxed);
    for running in running {
        running.back();
    }
    let _ = client.disconnect(PATIENT);
    // An interrupt that nobody took is for the next who waits.
    let _ = client.connect(Some("http://127.0.0.1:9"), PATIENT);
    let failure = failure(&client);
    assert_ne!(failure["name"], "SIO_E_INTERNAL", "{failure}");
    assert_eq!(stat(&client, "calls_waiting"), 0);
    assert_usable(&client);
}

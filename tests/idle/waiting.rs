//! Nothing spins: a client that waits, in any state, uses no processor time.

#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::time::Duration;

use sio::session::State;

use crate::clients::*;
use crate::common::scripted::{Answer, Engine, Gate, Plan, Script};
use crate::support::*;

/// The processor time that each thread of clients in this process has used.
fn used() -> HashMap<String, Duration> {
    let mut all = HashMap::new();
    for entry in std::fs::read_dir("/proc/self/task").expect("there is /proc").flatten() {
        let path = entry.path();
        let name = std::fs::read_to_string(path.join("comm")).unwrap_or_default();
        // The first number is the time on the processor, in nanoseconds.
        let stat = std::fs::read_to_string(path.join("schedstat")).unwrap_or_default();
        let nanos = stat.split(' ').next().and_then(|nanos| nanos.parse().ok());
        if let (true, Some(nanos)) = (name.trim() == "sio", nanos) {
            all.insert(path.display().to_string(), Duration::from_nanos(nanos));
        }
    }
    all
}

/// While these wait their threads do nothing.
#[test]
fn clients_that_wait_use_no_processor_time() {
    // Nobody else's clients are at work.
    let _loud = loud();
    let before = used();
    let idle = Engine::start(Plan::polling_only());
    let by_polling = polling(&[]);
    join(&by_polling, &idle);

    let (_by_websocket, _upgraded) = upgraded(Plan::default());

    let stuck = Engine::start(Plan::polling_only());
    let posting = polling(&[("request_timeout_ms", "60000")]);
    join(&posting, &stuck);
    stuck.answer_post(Answer::ok("ok").when(&Gate::new()));
    emit(&posting, "a", "[]");

    let paused_server = Engine::start(Plan::polling_only());
    let paused = polling(&[("receive_limit", "10")]);
    join(&paused, &paused_server);
    paused_server.answer_poll(Answer::ok(["42[\"e\"]"; 100].join("\x1e")));

    let mut down = Engine::start(Plan::polling_only());
    let waiting = reconnecting(&[
        ("transports", "polling"),
        ("reconnect_min_ms", "60000"),
        ("reconnect_max_ms", "60000"),
    ]);
    join(&waiting, &down);
    down.down();
    wait_for_state(&waiting, State::Reconnecting);

    let silent = Engine::start(Plan::default().hook(|_| Some(Answer::silence())));
    let connecting = polling(&[("request_timeout_ms", "60000")]);
    let url = silent.url();
    let _connecting = start(&connecting, move |client| client.connect(Some(&url), PATIENT));

    let unanswered =
        Engine::start(Plan::default().upgrade(|| Script::new().switch().until_closed()));
    let probing = upgrading(&[("request_timeout_ms", "60000")]);
    join(&probing, &unanswered);

    std::thread::sleep(ms(500));
    let begin = used();
    std::thread::sleep(ms(2000));
    let end = used();
    let mut threads = 0;
    for (thread, used) in &end {
        let Some(at_begin) = begin.get(thread).filter(|_| !before.contains_key(thread)) else {
            continue;
        };
        threads += 1;
        let spent = *used - *at_begin;
        // The one that probes polls ten times a second until its five seconds are over.
        assert!(spent < ms(40), "{spent:?} within two seconds of waiting");
    }
    assert!(threads >= 7, "{threads} threads");
    let busy: Duration = end
        .iter()
        .filter_map(|(thread, used)| begin.get(thread).map(|at_begin| *used - *at_begin))
        .filter(|spent| *spent > ms(5))
        .sum();
    assert!(busy < ms(80), "{busy:?} in all");
}

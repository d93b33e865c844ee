//! Free and disconnect in every stage of polling, the upgrade and reconnection: at once, and for
//! good.

#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::Instant;

use sio::client::Client;
use sio::error::Status;
use sio::session::State;

use crate::clients::*;
use crate::common::scripted::{Answer, Engine, Exchange, Gate, HttpRequest, Plan, Script};
use crate::support::*;

/// A moment at which a client is ended.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    /// The handshake is not answered.
    Handshake,
    /// Half of its head has come.
    HalfHandshake,
    /// The POST with CONNECT is not answered.
    Connect,
    /// The poll for the acknowledgement waits.
    Namespace,
    /// Nothing is going on but the poll.
    Poll,
    /// Half of a poll's body has come.
    HalfPoll,
    /// A POST is not answered.
    Post,
    /// The websocket of the probe does not open.
    ProbeOpening,
    /// It is open, and the probe not answered.
    Probe,
    /// It is answered, and the poll does not come back.
    Probed,
    /// The poll is back, and the POST in flight is not answered.
    Switching,
    /// It has been upgraded.
    Upgraded,
    /// The connection is lost, and the next attempt far away.
    Waiting,
    /// The next attempt's handshake is not answered.
    Attempt,
}

const STAGES: [Stage; 14] = [
    Stage::Handshake,
    Stage::HalfHandshake,
    Stage::Connect,
    Stage::Namespace,
    Stage::Poll,
    Stage::HalfPoll,
    Stage::Post,
    Stage::ProbeOpening,
    Stage::Probe,
    Stage::Probed,
    Stage::Switching,
    Stage::Upgraded,
    Stage::Waiting,
    Stage::Attempt,
];

impl Stage {
    fn is_connecting(self) -> bool {
        matches!(self, Stage::Handshake | Stage::HalfHandshake | Stage::Connect | Stage::Namespace)
    }

    fn is_reconnecting(self) -> bool {
        matches!(self, Stage::Waiting | Stage::Attempt)
    }

    fn plan(self) -> Plan {
        let held = Gate::new();
        let is_handshake = |request: &HttpRequest| request.query("sid").is_none();
        let plan = Plan::default();
        match self {
            Stage::Handshake => plan.hook(|_| Some(Answer::silence())),
            Stage::HalfHandshake => {
                plan.hook(|_| Some(Answer::raw("HTTP/1.1 200 O").then_silence()))
            }
            Stage::Connect => plan.hook(|request| (request.method == "POST").then(Answer::silence)),
            Stage::Namespace => plan.namespace(&held),
            Stage::Poll | Stage::HalfPoll | Stage::Post => Plan::polling_only(),
            Stage::ProbeOpening => plan.hook(|request| request.is_upgrade().then(Answer::silence)),
            Stage::Probe => plan.upgrade(|| Script::new().switch().until_closed()),
            Stage::Probed | Stage::Switching => plan.upgrade(|| {
                Script::new().switch().expect_text("2probe").text("3probe").until_closed()
            }),
            Stage::Upgraded | Stage::Waiting => plan,
            Stage::Attempt => plan.hook(move |request| {
                (is_handshake(request) && request.number > 0).then(Answer::silence)
            }),
        }
    }

    /// A client at that stage, and the thread that connects if it still does.
    fn reach(self) -> (Arc<Client>, Engine, Option<Running<Result<(), Status>>>) {
        let engine = Engine::start(self.plan());
        let delay = if self == Stage::Waiting { "60000" } else { "1" };
        let client = reconnecting(&[("reconnect_min_ms", delay), ("reconnect_max_ms", delay)]);
        let url = engine.url();
        let connecting = start(&client, move |client| client.connect(Some(&url), PATIENT));
        if self.is_connecting() {
            let requests = match self {
                Stage::Handshake | Stage::HalfHandshake => 1,
                _ => 3,
            };
            engine.http().wait_for("the stage", |all| (all.len() >= requests).then_some(()));
            std::thread::sleep(ms(50));
            assert_eq!(client.state(), State::Connecting, "{self:?}");
            return (client, engine, Some(connecting));
        }
        assert_eq!(connecting.back(), Ok(()), "{self:?}: {}", client.error());
        let upgrade = |what: &str| {
            engine
                .http()
                .wait_for(what, |all| all.iter().any(|one| one.request.is_upgrade()).then_some(()));
        };
        match self {
            Stage::Poll => engine.wait_for_poll(),
            Stage::HalfPoll => {
                engine.wait_for_poll();
                engine
                    .answer_poll(Answer::ok("42[\"a\"]\x1e42[\"b\"]").held_from(80, &Gate::new()));
                std::thread::sleep(ms(50));
            }
            Stage::Post => {
                engine.answer_post(Answer::silence());
                emit(&client, "a", "[]");
                engine.wait_for_text("42[\"a\"]");
            }
            Stage::ProbeOpening => upgrade("a probe"),
            Stage::Probe | Stage::Probed => {
                engine.http().wait_for_script(0, |record| record.texts() == ["2probe"]);
                std::thread::sleep(ms(20));
            }
            Stage::Switching => {
                engine.answer_post(Answer::silence());
                emit(&client, "a", "[]");
                engine.http().wait_for_script(0, |record| record.texts() == ["2probe"]);
                engine.answer_poll(Answer::ok("6"));
                std::thread::sleep(ms(50));
            }
            Stage::Upgraded => wait_for_websocket(&client, &engine),
            Stage::Waiting | Stage::Attempt => {
                let before = engine.http().exchanges().len();
                // Between two requests nothing is lost with a connection.
                engine.forget();
                engine.http().cut();
                wait_for_state(&client, State::Reconnecting);
                if self == Stage::Attempt {
                    engine.http().wait_for("an attempt", |all| {
                        let is_new = |one: &Exchange| one.request.query("sid").is_none();
                        all[before..].iter().any(is_new).then_some(())
                    });
                }
            }
            _ => unreachable!("told above"),
        }
        let expected = if self.is_reconnecting() { State::Reconnecting } else { State::Connected };
        assert_eq!(client.state(), expected, "{self:?}: {}", client.error());
        (client, engine, None)
    }
}

#[test]
fn close_ends_everything_at_once_and_for_good() {
    let _quiet = quiet();
    let mut engines = Vec::new();
    for stage in STAGES {
        let (client, engine, connecting) = stage.reach();
        let receiving = block(&client, |client| client.receive(PATIENT).map(drop));
        let calling = start(&client, |client| client.call("c", None, &[], PATIENT).map(drop));
        std::thread::sleep(ms(20));
        let descriptors = descriptors();
        let since = Instant::now();
        within(END, || client.close());
        assert_eq!(receiving.back_within(since, END), Err(Status::Disconnected), "{stage:?}");
        assert_eq!(calling.back_within(since, END), Err(Status::Disconnected), "{stage:?}");
        if let Some(connecting) = connecting {
            assert_eq!(connecting.back_within(since, END), Err(Status::Disconnected), "{stage:?}");
        }
        assert!(self::descriptors() < descriptors, "{stage:?}: its descriptors are closed");
        engine.http().wait_for_ends();
        let http = engine.http();
        engines.push((stage, http.connections(), http.exchanges().len(), engine));
    }
    // Nobody comes back later, though the delays are a millisecond.
    std::thread::sleep(ms(2000));
    for (stage, connections, requests, engine) in engines {
        let http = engine.http();
        assert_eq!(
            (http.connections(), http.exchanges().len()),
            (connections, requests),
            "{stage:?}"
        );
    }
}

#[test]
fn disconnect_ends_everything_for_good() {
    let _quiet = quiet();
    let mut engines = Vec::new();
    for stage in STAGES {
        let (client, engine, connecting) = stage.reach();
        let since = Instant::now();
        let outcome = client.disconnect(limit(300));
        if stage.is_connecting() || stage.is_reconnecting() {
            assert_eq!(outcome, Ok(()), "{stage:?}: {}", client.error());
            assert_elapsed(since, ms(0), END);
        } else if matches!(stage, Stage::Poll | Stage::HalfPoll | Stage::Upgraded) {
            assert_eq!(outcome, Ok(()), "{stage:?}: {}", client.error());
            assert_elapsed(since, ms(0), ms(300));
        } else {
            // What is not answered cannot be confirmed; a probe without an answer does not matter.
            assert!(matches!(outcome, Ok(()) | Err(Status::Timeout)), "{stage:?}: {outcome:?}");
            assert_elapsed(since, ms(0), ms(350));
        }
        if let Some(connecting) = connecting {
            assert_eq!(connecting.back_within(since, END), Err(Status::Disconnected), "{stage:?}");
        }
        assert_eq!(client.state(), State::Closed, "{stage:?}");
        assert_eq!((client.sid(), client.transport()), (String::new(), ""));
        // Parting may go on for a second in the background.
        engine.http().wait_for_ends();
        let http = engine.http();
        engines.push((stage, http.connections(), http.exchanges().len(), engine, client));
    }
    std::thread::sleep(ms(2000));
    for (stage, connections, requests, engine, _client) in engines {
        let http = engine.http();
        assert_eq!(
            (http.connections(), http.exchanges().len()),
            (connections, requests),
            "{stage:?}"
        );
    }
}

#[test]
fn interrupting_a_connect_leaves_no_connection() {
    let _quiet = quiet();
    for stage in STAGES.into_iter().filter(|stage| stage.is_connecting()) {
        let (client, engine, connecting) = stage.reach();
        let since = Instant::now();
        client.interrupt();
        let connecting = connecting.expect("it still connects");
        assert_eq!(connecting.back_within(since, END), Err(Status::Interrupted), "{stage:?}");
        assert_eq!(client.state(), State::Closed);
        engine.http().wait_for_ends();
        assert_silent(&engine, ms(300));
        assert_polls_again(&client);
    }
}

#[track_caller]
fn assert_polls_again(client: &Client) {
    assert_eq!(client.set("transports", Some("polling")), Ok(()));
    assert_polls(client);
}

#[test]
fn whatever_the_stage_the_client_can_be_used_again() {
    for stage in STAGES {
        let (client, _engine, _connecting) = stage.reach();
        // Whether all was confirmed is not the matter here.
        let _ = client.disconnect(AT_ONCE);
        assert_eq!(client.state(), State::Closed, "{stage:?}");
        assert_polls_again(&client);
    }
}

#[test]
fn a_client_freed_in_any_stage_leaves_no_thread_behind() {
    for stage in STAGES {
        let (client, engine, connecting) = stage.reach();
        client.close();
        drop(connecting);
        drop(client);
        engine.http().wait_for_ends();
    }
    let of_client = |entry: std::io::Result<std::fs::DirEntry>| {
        let name = std::fs::read_to_string(entry.ok()?.path().join("comm")).ok()?;
        name.starts_with("sio").then_some(())
    };
    let threads = std::fs::read_dir("/proc/self/task").expect("there is /proc");
    let before = threads.filter_map(of_client).count();
    // Other tests have clients too, but not for ever.
    assert!(before < 60, "{before} threads of clients");
}

/// How many descriptors this process has open.
fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("there is /proc").count()
}

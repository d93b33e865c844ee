//! Servers that fall silent at each step of a connection attempt: the program's time, its
//! disconnect, its interrupt and its free end the attempt, and so do the options' limits.

#![forbid(unsafe_code)]

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sio::client::Client;
use sio::error::Status;
use sio::session::State;

use crate::common::scripted::{Blackhole, Frame, Script, Scripted};
use crate::support::*;

/// How long after its limit a connect may return.
const LATE: Duration = ms(50);

/// Where a server falls silent.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    /// TCP is neither accepted nor refused.
    Tcp,
    /// The system accepts, the server does not.
    Accept,
    /// Nothing is said and nothing read.
    Request,
    /// The head of the answer is cut off.
    HalfHead,
    /// Interim answers come, and no other.
    Interim,
    /// An error's head has come, and not all of its body.
    HalfBody,
    /// The WebSocket is open.
    Open,
    /// The frame of the handshake is cut off.
    HalfOpen,
    /// The namespace is not acknowledged.
    Namespace,
    /// The same, and the server pings without end.
    Pinging,
    /// The same, and another namespace is acknowledged.
    Foreign,
}

const STAGES: [Stage; 11] = [
    Stage::Tcp,
    Stage::Accept,
    Stage::Request,
    Stage::HalfHead,
    Stage::Interim,
    Stage::HalfBody,
    Stage::Open,
    Stage::HalfOpen,
    Stage::Namespace,
    Stage::Pinging,
    Stage::Foreign,
];

impl Stage {
    fn phase(self) -> &'static str {
        match self {
            Stage::Tcp => "connect",
            Stage::Accept | Stage::Request | Stage::HalfHead | Stage::Interim => "handshake",
            Stage::HalfBody => "http",
            Stage::Open | Stage::HalfOpen => "handshake",
            Stage::Namespace | Stage::Pinging | Stage::Foreign => "namespace",
        }
    }

    /// What the text of a timeout says of the step.
    fn says(self) -> &'static str {
        match self {
            Stage::Tcp => "TCP connection",
            Stage::Accept | Stage::Request | Stage::HalfHead | Stage::Interim => {
                "WebSocket handshake"
            }
            Stage::HalfBody => "404",
            Stage::Open | Stage::HalfOpen => "Engine.IO handshake",
            Stage::Namespace | Stage::Pinging | Stage::Foreign => "namespace \"/\"",
        }
    }

    /// Whether an HTTP request is under way.
    fn is_request(self) -> bool {
        matches!(self, Stage::Accept | Stage::Request | Stage::HalfHead | Stage::Interim)
    }

    fn start(self) -> Silent {
        let script = Script::new();
        let script = match self {
            Stage::Tcp => return Silent::Blackhole(Blackhole::start()),
            Stage::Accept => {
                return Silent::Listener(TcpListener::bind("127.0.0.1:0").expect("a port"));
            }
            Stage::Request => script.stall(),
            Stage::HalfHead => {
                script.request().raw("HTTP/1.1 101 Switching Protocols\r\nUpgrade: webso")
            }
            Stage::Interim => script.request().then("answer 102 without end", |peer| {
                loop {
                    peer.raw(b"HTTP/1.1 102 Processing\r\n\r\n")?;
                    peer.pause(ms(20))?;
                }
            }),
            Stage::HalfBody => {
                script.request().raw("HTTP/1.1 404 Not Found\r\nContent-Length: 100\r\n\r\nIt is n")
            }
            Stage::Open => script.websocket(),
            Stage::HalfOpen => script.websocket().raw(&Frame::text("0{}").encode()[..3]),
            Stage::Namespace => script.websocket().open(),
            Stage::Pinging => script.websocket().open().then("ping without end", |peer| {
                loop {
                    peer.text("2")?;
                    peer.frame(&Frame::ping("you"))?;
                    peer.pause(ms(20))?;
                }
            }),
            Stage::Foreign => script.websocket().open().text(r#"40/other,{"sid":"a"}"#),
        };
        Silent::Scripted(Scripted::start(script.ignoring_pings().ignoring_close().until_closed()))
    }
}

enum Silent {
    Blackhole(Blackhole),
    Listener(TcpListener),
    Scripted(Scripted),
}

impl Silent {
    fn url(&self) -> String {
        match self {
            Silent::Blackhole(blackhole) => blackhole.url(),
            Silent::Listener(listener) => {
                format!("http://{}", listener.local_addr().expect("an address"))
            }
            Silent::Scripted(server) => server.url(),
        }
    }

    /// The connection has ended, where that can be seen.
    fn assert_left(&self, stage: Stage, since: Instant) {
        // Who does not read does not learn of the end.
        if matches!(stage, Stage::Request | Stage::Interim | Stage::Pinging) {
            return;
        }
        if let Silent::Scripted(server) = self {
            wait_for_end(server);
            assert_elapsed(since, ms(0), END * 2);
        }
    }
}

#[test]
fn connect_is_back_at_its_limit_and_names_the_step() {
    let _quiet = quiet();
    let begun: Vec<_> = STAGES
        .map(|stage| {
            let (client, silent) = (client(), stage.start());
            let url = silent.url();
            let connecting = start(&client, move |client| {
                let begun = Instant::now();
                let status = client.connect(Some(&url), limit(1000)).unwrap_err();
                (status, (begun, Instant::now()), failure(client))
            });
            (stage, client, silent, connecting)
        })
        .into();
    for (stage, client, _silent, connecting) in begun {
        let (status, (from, to), failure) = connecting.back();
        assert_eq!(status, Status::Timeout, "{stage:?}: {failure}");
        assert_time(from, to, ms(1000), ms(1000) + LATE);
        assert_eq!(client.state(), State::Closed, "{stage:?}");
        assert_usable(&client);
        let text = failure["text"].as_str().unwrap();
        assert!(text.contains("1000 ms"), "{stage:?}: {text}");
        if stage == Stage::HalfBody {
            continue;
        }
        assert_eq!(failure["phase"], stage.phase(), "{stage:?}");
        assert!(text.contains(stage.says()), "{stage:?}: {text}");
    }
}

#[test]
fn a_timeout_while_a_refusal_is_read_tells_of_the_refusal() {
    let silent = Stage::HalfBody.start();
    let client = client();
    let status = client.connect(Some(&silent.url()), limit(300)).unwrap_err();
    assert!(matches!(status, Status::Timeout | Status::Unreachable));
    let failure = failure(&client);
    assert_eq!(failure["http_status"], 404, "{failure}");
    assert_eq!(failure["phase"], "http", "{failure}");
}

#[test]
fn a_name_that_cannot_be_looked_up_ends_within_the_limit_and_names_the_step() {
    let _quiet = quiet();
    let client = client();
    let begun = Instant::now();
    let url = "http://no-such-host.invalid:5000";
    let status = client.connect(Some(url), limit(1000)).unwrap_err();
    // The system may know at once that there is no such name, or ask in vain.
    assert!(matches!(status, Status::Unreachable | Status::Timeout), "{status:?}");
    assert_elapsed(begun, ms(0), ms(1000) + LATE);
    assert_eq!(failure(&client)["phase"], "resolve");
    assert_says(&client, "no-such-host.invalid");
    assert_usable(&client);
}

/// A client that connects in vain, at its stage, and the thread that waits.
type Connecting = (Stage, Arc<Client>, Silent, Running<Result<(), Status>>);

fn connecting() -> Vec<Connecting> {
    let all = STAGES.map(|stage| {
        let (client, silent) = (client(), stage.start());
        let url = silent.url();
        let connecting = start(&client, move |client| client.connect(Some(&url), PATIENT));
        (stage, client, silent, connecting)
    });
    std::thread::sleep(ms(200));
    for (stage, client, ..) in &all {
        assert_eq!(client.state(), State::Connecting, "{stage:?}");
    }
    all.into()
}

#[test]
fn disconnect_ends_connect_at_each_stage() {
    let _quiet = quiet();
    for (stage, client, silent, connecting) in connecting() {
        let since = Instant::now();
        assert_eq!(within(END, || client.disconnect(PATIENT)), Ok(()), "{stage:?}");
        assert_eq!(connecting.back_within(since, END), Err(Status::Disconnected), "{stage:?}");
        assert_eq!(client.state(), State::Closed);
        assert_says(&client, "disconnected while");
        silent.assert_left(stage, since);
        assert_usable(&client);
    }
}

#[test]
fn interrupt_ends_connect_at_each_stage_and_leaves_no_connection() {
    let _quiet = quiet();
    for (stage, client, silent, connecting) in connecting() {
        let since = Instant::now();
        client.interrupt();
        assert_eq!(connecting.back_within(since, END), Err(Status::Interrupted), "{stage:?}");
        assert_eq!(client.state(), State::Closed);
        silent.assert_left(stage, since);
        assert_usable(&client);
    }
}

#[test]
fn close_ends_connect_at_each_stage() {
    let _quiet = quiet();
    for (stage, client, silent, connecting) in connecting() {
        let since = Instant::now();
        within(END, || client.close());
        assert_eq!(connecting.back_within(since, END), Err(Status::Disconnected), "{stage:?}");
        silent.assert_left(stage, since);
    }
}

#[test]
fn attempt_timeout_ms_ends_the_attempt_at_each_stage() {
    let _quiet = quiet();
    let begun: Vec<_> = STAGES
        .map(|stage| {
            let client = client_with(&[("attempt_timeout_ms", "400")]);
            let silent = stage.start();
            let url = silent.url();
            let connecting = start(&client, move |client| {
                let begun = Instant::now();
                (client.connect(Some(&url), PATIENT), begun, Instant::now())
            });
            (stage, client, silent, connecting)
        })
        .into();
    for (stage, client, silent, connecting) in begun {
        let (outcome, from, to) = connecting.back();
        assert_eq!(outcome, Err(Status::Timeout), "{stage:?}");
        assert_time(from, to, ms(400), ms(400) + LATE);
        if stage != Stage::HalfBody {
            assert_says(&client, stage.says());
            assert_says(&client, "\"attempt_timeout_ms\" (400 ms)");
            assert_eq!(failure(&client)["phase"], stage.phase(), "{stage:?}");
        }
        silent.assert_left(stage, Instant::now());
    }
}

#[test]
fn request_timeout_ms_ends_the_http_request_and_nothing_later() {
    let _quiet = quiet();
    let options = [("request_timeout_ms", "300"), ("attempt_timeout_ms", "600")];
    let begun: Vec<_> = STAGES
        .map(|stage| {
            let (client, silent) = (client_with(&options), stage.start());
            let url = silent.url();
            let connecting = start(&client, move |client| {
                let begun = Instant::now();
                (client.connect(Some(&url), PATIENT), begun, Instant::now())
            });
            (stage, client, silent, connecting)
        })
        .into();
    for (stage, client, _silent, connecting) in begun {
        let (outcome, from, to) = connecting.back();
        let is_request = stage.is_request() || stage == Stage::HalfBody;
        let (name, millis) = if is_request { options[0] } else { options[1] };
        let expected = ms(millis.parse().unwrap());
        assert_eq!(outcome, Err(Status::Timeout), "{stage:?}");
        assert_time(from, to, expected, expected + LATE);
        if stage != Stage::HalfBody {
            assert_says(&client, name);
            assert_eq!(failure(&client)["phase"], stage.phase(), "{stage:?}");
        }
    }
}

#[test]
fn a_connect_given_up_as_the_websocket_opens_leaves_no_connection() {
    let _quiet = quiet();
    for round in 0..100 {
        let script = Script::new().request().until_told().switch().ignoring_close();
        let server = Scripted::start(script.until_closed());
        let client = client();
        let url = server.url();
        let connecting = start(&client, move |client| client.connect(Some(&url), PATIENT));
        server.wait_for(PATIENCE, |record| record.request.is_some());
        server.tell();
        std::thread::sleep(Duration::from_micros(round % 20 * 10));
        assert_eq!(client.disconnect(PATIENT), Ok(()));
        assert_eq!(connecting.back(), Err(Status::Disconnected));
        // Also while the client stays as it is.
        server.wait_for(ms(500), |record| record.end.is_some());
    }
}

#[test]
fn a_connect_with_no_time_tries_nothing() {
    let server = Scripted::start(Script::new().connected().until_closed());
    let client = client();
    let outcome = within(WAKE, || client.connect(Some(&server.url()), AT_ONCE));
    assert_eq!(outcome, Err(Status::Timeout));
    assert_eq!(client.state(), State::New);
    assert_eq!(stat(&client, "attempts"), 0);
    assert!(server.record().request.is_none());
}

#[test]
fn a_connect_while_another_is_under_way_is_refused_and_does_not_disturb_it() {
    let server =
        Scripted::start(Script::new().websocket().open().until_told().namespace().until_closed());
    let client = client();
    let url = server.url();
    let first = block(&client, {
        let url = url.clone();
        move |client| client.connect(Some(&url), PATIENT)
    });
    assert_eq!(client.connect(Some(&url), PATIENT), Err(Status::State));
    assert_eq!(client.connect(Some("http://127.0.0.1:1"), PATIENT), Err(Status::State));
    server.tell();
    assert_eq!(first.back(), Ok(()));
    assert_eq!(client.connect(Some(&url), PATIENT), Err(Status::State));
    assert_eq!(client.disconnect(PATIENT), Ok(()));
}

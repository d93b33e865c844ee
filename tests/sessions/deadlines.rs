//! Every wait of an attempt by polling ends at its time: connect's own, the attempt's, the request's.

#![forbid(unsafe_code)]

use std::time::{Duration, Instant};

use sio::error::Status;
use sio::session::State;

use crate::clients::*;
use crate::common::scripted::{Answer, Engine, Gate, Plan, open};
use crate::support::*;

/// Where a polling server falls silent while a client connects.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Stage {
    /// The handshake is not answered.
    Handshake,
    /// Half of its head has come.
    HalfHead,
    /// Half of its body has come.
    HalfBody,
    /// Interim answers come, and no other.
    Interim,
    /// The POST with CONNECT is not answered, and no acknowledgement comes.
    Connect,
    /// CONNECT is taken and not acknowledged.
    Namespace,
    /// The same, and the server pings.
    Pinging,
}

const STAGES: [Stage; 7] = [
    Stage::Handshake,
    Stage::HalfHead,
    Stage::HalfBody,
    Stage::Interim,
    Stage::Connect,
    Stage::Namespace,
    Stage::Pinging,
];

impl Stage {
    fn plan(self) -> Plan {
        let held = Gate::new();
        match self {
            Stage::Handshake => Plan::default().hook(|_| Some(Answer::silence())),
            Stage::HalfHead => Plan::default()
                .hook(|_| Some(Answer::raw("HTTP/1.1 200 OK\r\nConte").then_silence())),
            Stage::HalfBody => Plan::default().hook(|_| {
                let body = format!("0{}", open(0, &[], 25_000, 20_000, None));
                Some(Answer::ok(body).cut_short(5).then_silence())
            }),
            Stage::Interim => Plan::default().hook(|_| {
                let interim = "HTTP/1.1 102 Processing\r\n\r\n".repeat(100);
                Some(Answer::raw(interim).dripped(27, ms(20)).then_silence())
            }),
            Stage::Connect => Plan::default()
                .namespace(&held)
                .hook(|request| (request.method == "POST").then(Answer::silence)),
            Stage::Namespace => Plan::default().namespace(&held),
            Stage::Pinging => Plan::default().namespace(&held).hook(|request| {
                let is_poll = request.method == "GET" && request.query("sid").is_some();
                is_poll.then(|| Answer::ok("2").after(ms(30)))
            }),
        }
    }

    fn phase(self) -> &'static str {
        match self {
            Stage::Handshake | Stage::HalfHead | Stage::HalfBody | Stage::Interim => "http",
            Stage::Connect | Stage::Namespace | Stage::Pinging => "namespace",
        }
    }
}

const LATE: Duration = ms(60);

/// Connects in vain at each stage at the same time, and gives what came of it to `check`.
fn at_each_stage(
    options: &'static [(&'static str, &'static str)],
    timeout: Duration,
    check: impl Fn(Stage, (Instant, Instant), serde_json::Value),
) {
    let _quiet = quiet();
    let begun: Vec<_> = STAGES
        .map(|stage| {
            let (client, engine) = (polling(options), Engine::start(stage.plan()));
            let url = engine.url();
            let connecting = start(&client, move |client| {
                let begun = Instant::now();
                let status = client
                    .connect(Some(&url), sio::sleepers::Timeout::Limit(timeout))
                    .expect_err("nobody answers");
                (status, (begun, Instant::now()), failure(client))
            });
            (stage, client, engine, connecting)
        })
        .into();
    for (stage, client, engine, connecting) in begun {
        let (status, times, failure) = connecting.back();
        assert_eq!(status, Status::Timeout, "{stage:?}: {failure}");
        assert_eq!(client.state(), State::Closed, "{stage:?}");
        check(stage, times, failure);
        engine.http().wait_for_ends();
        assert_silent(&engine, ms(50));
        assert_polls(&client);
    }
}

#[test]
fn connect_is_back_at_its_limit_and_names_the_step() {
    at_each_stage(&[], ms(700), |stage, (from, to), failure| {
        assert_time(from, to, ms(700), ms(700) + LATE);
        assert_eq!(failure["phase"], stage.phase(), "{stage:?}: {failure}");
        assert!(failure["text"].as_str().unwrap().contains("700 ms"), "{stage:?}: {failure}");
    });
}

#[test]
fn an_attempt_is_over_at_its_limit() {
    const OPTIONS: &[(&str, &str)] = &[("attempt_timeout_ms", "500")];
    at_each_stage(OPTIONS, PATIENCE, |stage, (from, to), failure| {
        assert_time(from, to, ms(500), ms(500) + LATE);
        assert_eq!(failure["phase"], stage.phase(), "{stage:?}: {failure}");
        let text = failure["text"].as_str().unwrap();
        assert!(text.contains("attempt_timeout_ms"), "{stage:?}: {failure}");
    });
}

#[test]
fn a_request_is_over_at_its_limit_and_the_rest_at_the_attempts() {
    const OPTIONS: &[(&str, &str)] =
        &[("request_timeout_ms", "300"), ("attempt_timeout_ms", "600")];
    at_each_stage(OPTIONS, PATIENCE, |stage, (from, to), failure| {
        let text = failure["text"].as_str().unwrap();
        match stage {
            Stage::Namespace | Stage::Pinging => {
                assert_time(from, to, ms(600), ms(600) + LATE);
                assert!(text.contains("attempt_timeout_ms"), "{stage:?}: {failure}");
            }
            _ => {
                assert_time(from, to, ms(300), ms(300) + LATE);
                assert!(text.contains("request_timeout_ms"), "{stage:?}: {failure}");
            }
        }
    });
}

#[test]
fn only_connect_goes_out_before_the_acknowledgement() {
    let gate = Gate::new();
    for transports in ["polling", "polling,websocket"] {
        let gate = if transports == "polling" { gate.clone() } else { Gate::new() };
        let engine = Engine::start(Plan::default().namespace(&gate));
        let client = polling(&[("offline", "buffer"), ("transports", transports)]);
        let url = engine.url();
        let connecting = start(&client, move |client| client.connect(Some(&url), PATIENT));
        engine.wait_for_text("40");
        for i in 0..20 {
            emit(&client, "e", &format!("[{i}]"));
        }
        std::thread::sleep(ms(100));
        assert_eq!(engine.texts(), ["40"]);
        gate.open();
        assert_eq!(connecting.back(), Ok(()));
        engine.wait_for_text("42[\"e\",19]");
        let texts: Vec<String> = engine.texts().into_iter().filter(|text| text != "5").collect();
        let expected: Vec<String> = (0..20).map(|i| format!("42[\"e\",{i}]")).collect();
        assert_eq!(texts[1..], expected);
    }
}

#[test]
fn a_pause_is_no_silence_of_the_server() {
    let _quiet = quiet();
    let options = [("receive_limit", "1000")];
    let plan = Plan::default().open(|n| open(n, &[], 300, 200, None));
    let (client, engine) = polled_with(&options, plan);
    let events: Vec<String> =
        (0..20).map(|i| format!("42[\"e\",{i},\"{}\"]", "x".repeat(900))).collect();
    engine.answer_poll(Answer::ok(events.join("\x1e")));
    wait_until("it is paused", || stat(&client, "receive_queued") >= 1);
    std::thread::sleep(ms(1200));
    assert_eq!(client.state(), State::Connected, "{}", client.error());
    for i in 0..20 {
        assert_event(&client, "e", &format!("[{i},\"{}\"]", "x".repeat(900)));
    }
    engine.send("42[\"on\"]");
    assert_event(&client, "on", "[]");
}

#[test]
fn while_answers_pile_up_nothing_more_is_read() {
    let gate = Gate::new();
    let (client, engine) = polled_with(&[("send_limit", "10000")], Plan::polling_only());
    engine.wait_for_poll();
    engine.answer_post(Answer::ok("ok").when(&gate));
    emit(&client, "touched", "[]");
    engine.wait_for_text("42[\"touched\"]");
    // Each is answered at once, and none of the answers gets out.
    let args = format!("[\"{}\"]", "x".repeat(5_000));
    let answering = start(&client, move |client| {
        let mut answered = 0;
        while let Ok(message) = client.receive(limit(1500)) {
            assert_eq!(message.ack(Some(&args), &[]), Ok(()));
            answered += 1;
        }
        answered
    });
    for i in 0..20 {
        engine.send(&format!("42{i}[\"q\"]"));
        std::thread::sleep(ms(20));
    }
    std::thread::sleep(ms(200));
    let queued = stat(&client, "send_queued_bytes");
    assert!((10_000..40_000).contains(&queued), "{queued} bytes of answers");
    gate.open();
    engine.wait_for("all answers", |all| (all.len() == 22).then_some(()));
    assert_eq!(answering.back(), 20);
}

//! Polling as it should be: what the requests look like, and that everything gets through.

#![forbid(unsafe_code)]

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use sio::error::Status;
use sio::session::State;

use crate::clients::*;
use crate::common::scripted::{Answer, Engine, Gate, HttpServer, Packet, Plan, open};
use crate::support::*;

#[test]
fn the_requests_are_what_the_protocol_says() {
    let (client, engine) = polled(Plan::polling_only());
    assert_eq!((client.transport(), client.sid().as_str()), ("polling", "socket-0"));
    emit(&client, "a", "[1]");
    engine.wait_for_text(r#"42["a",1]"#);
    engine.send(r#"42["b"]"#);
    assert_event(&client, "b", "[]");
    engine.wait_for_poll();
    let all = engine.http().exchanges();
    let mut times = HashSet::new();
    for (i, exchange) in all.iter().enumerate() {
        let request = &exchange.request;
        assert!(request.target().starts_with("/socket.io/?EIO=4&transport=polling"), "{request:?}");
        assert_eq!(request.query("sid"), (i > 0).then_some("engine-0"));
        assert!(times.insert(request.query("t").expect("a t").to_owned()), "t must change");
        let host = format!("127.0.0.1:{}", engine.http().port());
        assert_eq!(request.header("Host"), Some(host.as_str()));
        let kind = request.header("Content-Type").map(str::to_ascii_lowercase);
        match request.method.as_str() {
            "GET" => {
                assert_eq!(request.body, b"");
                assert_eq!(request.header("Accept"), Some("*/*"));
            }
            _ => assert_eq!(kind.as_deref(), Some("text/plain;charset=utf-8")),
        }
    }
    let posts = engine.posts();
    assert_eq!(
        posts.iter().map(|one| one.request.text()).collect::<Vec<_>>(),
        ["40", r#"42["a",1]"#]
    );
}

#[test]
fn the_sid_is_percent_encoded_in_each_request() {
    let encoded = |target: &str| {
        let sid = target.split("sid=").nth(1).unwrap_or_default();
        sid.split('&').next().unwrap_or_default().to_owned()
    };
    let server = HttpServer::start(move |request| {
        match (request.method.as_str(), encoded(request.target()).as_str()) {
            ("GET", "") => Answer::ok(
                r#"0{"sid":"a b&c=/?#\u00e9","upgrades":[],"pingInterval":9000,"pingTimeout":9000}"#,
            ),
            ("GET", _) if request.number <= 2 => Answer::ok(r#"40{"sid":"s"}"#).after(ms(50)),
            ("GET", _) => Answer::silence(),
            _ => Answer::ok("ok"),
        }
    });
    let client = polling(&[]);
    assert_eq!(client.connect(Some(&server.url()), PATIENT), Ok(()), "{}", client.error());
    let all = server.exchanges();
    assert!(all.len() >= 3, "{}", server.summary());
    for one in &all[1..] {
        let sid = encoded(one.request.target()).to_ascii_uppercase();
        assert!(sid == "A%20B%26C%3D%2F%3F%23%C3%A9".to_ascii_uppercase(), "{sid}");
    }
}

#[test]
fn the_query_of_the_url_goes_on_every_request_byte_for_byte() {
    let engine = Engine::start(Plan::polling_only());
    let client = polling(&[("path", "deep/er")]);
    let query = "room=a%20b&x=%c3%A4&&empty=&sid2=[1]";
    let url = format!("{}?{query}", engine.url());
    assert_eq!(client.connect(Some(&url), PATIENT), Ok(()), "{}", client.error());
    emit(&client, "a", "[]");
    engine.wait_for_text(r#"42["a"]"#);
    for exchange in engine.http().exchanges() {
        let target = exchange.request.target();
        assert!(target.starts_with("/deep/er/?EIO=4&transport=polling"), "{target}");
        assert!(target.contains(&format!("&{query}")), "{target}");
    }
}

#[test]
fn text_and_binary_go_both_ways_in_order() {
    let (client, engine) = polled(Plan::polling_only());
    let args = r#"[1,{"_placeholder":true,"num":0},{"x":{"_placeholder":true,"num":1}}]"#;
    for i in 0..3 {
        emit(&client, "text", &format!("[{i},\"é\"]"));
        let outcome = client.emit("mixed", Some(args), &[b"\x00\x1e\xff", b""], PATIENT);
        assert_eq!(outcome, Ok(()), "{}", client.error());
    }
    emit(&client, "last", "[]");
    engine.wait_for_text(r#"42["last"]"#);
    let came: Vec<Packet> = engine.came().into_iter().map(|came| came.packet).collect();
    let mut expected = vec![Packet::Text("40".into())];
    for i in 0..3 {
        expected.push(Packet::Text(format!("42[\"text\",{i},\"é\"]")));
        let mixed = &args[1..];
        expected.push(Packet::Text(format!("452-[\"mixed\",{mixed}")));
        expected.push(Packet::Binary(b"\x00\x1e\xff".to_vec()));
        expected.push(Packet::Binary(Vec::new()));
    }
    expected.push(Packet::Text(r#"42["last"]"#.into()));
    assert_eq!(came, expected);

    for length in [0, 1, 2, 3, 4, 100, 20_000, 100_000] {
        let bytes: Vec<u8> = (0..length).map(|i| (i * 7) as u8).collect();
        let text = r#"451-["b",{"_placeholder":true,"num":0}]"#;
        engine.send_packets([
            Packet::Text(r#"42["before"]"#.into()),
            Packet::Text(text.into()),
            Packet::Binary(bytes.clone()),
            Packet::Text(r#"42["behind"]"#.into()),
        ]);
        assert_event(&client, "before", "[]");
        let message = client.receive(PATIENT).unwrap_or_else(|status| panic!("{status:?}"));
        assert_eq!(message.buffer(0), Some(&bytes[..]), "{length}");
        assert_event(&client, "behind", "[]");
    }
}

#[test]
fn binary_without_padding_is_taken_too() {
    let (client, engine) = polled(Plan::polling_only());
    let placeholder = r#"{"_placeholder":true,"num":0}"#;
    for (base64, bytes) in
        [("AQ", &b"\x01"[..]), ("AQ==", b"\x01"), ("AQI", b"\x01\x02"), ("", b"")]
    {
        engine.answer_poll(Answer::ok(format!("451-[\"b\",{placeholder}]\x1eb{base64}")));
        let message = client.receive(PATIENT).unwrap_or_else(|_| panic!("{}", client.error()));
        assert_eq!(message.buffer(0), Some(bytes), "{base64}");
    }
}

#[test]
fn a_packet_may_be_spread_over_polls() {
    let (client, engine) = polled(Plan::polling_only());
    let placeholder = |n| format!(r#"{{"_placeholder":true,"num":{n}}}"#);
    engine.answer_poll(Answer::ok(format!("452-[\"b\",{},{}]", placeholder(0), placeholder(1))));
    engine.answer_poll(Answer::ok("6"));
    engine.answer_poll(Answer::ok("bAA=="));
    engine.answer_poll(Answer::ok("2"));
    engine.answer_poll(Answer::ok("bAAA=\x1e42[\"c\"]"));
    let message = client.receive(PATIENT).unwrap_or_else(|_| panic!("{}", client.error()));
    assert_eq!((message.buffer(0), message.buffer(1)), (Some(&b"\0"[..]), Some(&b"\0\0"[..])));
    assert_event(&client, "c", "[]");
}

#[test]
fn many_packets_in_one_poll_come_out_in_order() {
    let _loud = loud();
    let (client, engine) = polled(Plan::polling_only());
    let count = 50_000;
    let packets: Vec<String> = (0..count).map(|i| format!("42[\"e\",{i}]")).collect();
    engine.answer_poll(Answer::ok(packets.join("\x1e")));
    for i in 0..count {
        let message = client.receive(PATIENT).unwrap_or_else(|_| panic!("{}", client.error()));
        assert_eq!(message.args(), format!("[{i}]"));
    }
    assert_eq!(receive_fails(&client, AT_ONCE), Status::Timeout);
}

#[test]
fn what_is_emitted_goes_in_bodies_of_16_packets_at_most() {
    let _loud = loud();
    for limit in [None, Some(1_000_000), Some(400)] {
        let plan = Plan::default().open(move |n| open(n, &[], 25_000, 20_000, limit));
        let (client, engine) = polled(plan);
        let count = 1000;
        for i in 0..count {
            emit(&client, "e", &format!("[{i},\"{}\"]", "x".repeat(i % 50)));
        }
        assert_eq!(client.flush(PATIENT), Ok(()), "{}", client.error());
        engine.wait_for("all arrive", |all| (all.len() == count + 1).then_some(()));
        let texts = engine.texts();
        for i in 0..count {
            assert!(texts[i + 1].starts_with(&format!("42[\"e\",{i},")), "{}", texts[i + 1]);
        }
        let posts = engine.posts();
        let largest = posts.iter().map(|one| one.request.body.len()).max().unwrap_or(0) as u64;
        assert!(limit.is_none_or(|limit| largest < limit), "{largest} of {limit:?}");
        // Full bodies, where there is no other limit.
        if limit != Some(400) {
            assert!(posts.len() < 2 * count / 16, "{} POSTs", posts.len());
        }
    }
}

#[test]
fn an_attachment_that_does_not_fit_goes_in_the_next_body() {
    let plan = Plan::default().open(|n| open(n, &[], 25_000, 20_000, Some(1000)));
    let (client, engine) = polled(plan);
    let names: Vec<String> =
        (0..20).map(|n| format!(r#"{{"_placeholder":true,"num":{n}}}"#)).collect();
    let (args, buffer) = (format!("[{}]", names.join(",")), [7; 600]);
    let outcome = client.emit("b", Some(&args), &[&buffer[..]; 20], PATIENT);
    assert_eq!(outcome, Ok(()), "{}", client.error());
    emit(&client, "behind", "[]");
    engine.wait_for_text(r#"42["behind"]"#);
    let came = engine.came();
    assert_eq!(came.len(), 1 + 1 + 20 + 1);
    assert!(came[2..22].iter().all(|one| one.packet == Packet::Binary(buffer.to_vec())));
    assert!(engine.posts().iter().all(|one| one.request.body.len() < 1000));
}

#[test]
fn a_packet_over_the_limit_is_refused_by_its_encoded_size() {
    let plan = || Plan::default().open(|n| open(n, &[], 25_000, 20_000, Some(1000)));
    // That the limit is that of bodies cannot be switched off.
    for options in [&[][..], &[("enforce_max_payload", "0")]] {
        let (client, engine) = polled_with(options, plan());
        let args = r#"[{"_placeholder":true,"num":0}]"#;
        // 1 + 4 * 249 = 997 letters, and 1001.
        let fits = client.emit("b", Some(args), &[&[1; 747]], PATIENT);
        assert_eq!(fits, Ok(()), "{}", client.error());
        let large = client.emit("b", Some(args), &[&[1; 748]], PATIENT);
        assert_eq!(large, Err(Status::TooLarge));
        assert_says(&client, "1000");
        let text = |len: usize| format!("[\"{}\"]", "x".repeat(len - r#"42["e",""]"#.len()));
        assert_eq!(client.emit("e", Some(&text(1000)), &[], PATIENT), Err(Status::TooLarge));
        assert_eq!(client.emit("e", Some(&text(999)), &[], PATIENT), Ok(()));
        engine.wait_for("they arrive", |all| (all.len() == 4).then_some(()));
    }
}

#[test]
fn pings_are_answered_at_once_by_post() {
    let _quiet = quiet();
    let (client, engine) = polled(Plan::polling_only());
    engine.wait_for_poll();
    for i in 1..=3 {
        let since = Instant::now();
        engine.send("2");
        let pongs = |all: &[crate::common::scripted::Came]| {
            let pongs: Vec<_> = all.iter().filter(|one| one.packet.text() == Some("3")).collect();
            (pongs.len() == i).then(|| pongs[i - 1].at)
        };
        let at = engine.wait_for("a pong", pongs);
        assert_time(since, at, ms(0), ms(50));
    }
    assert_eq!(client.state(), State::Connected);
}

#[test]
fn noops_and_pongs_that_nobody_asked_for_are_ignored() {
    let (client, engine) = polled(Plan::polling_only());
    engine.answer_poll(Answer::ok("6"));
    engine.answer_poll(Answer::ok("6\x1e6"));
    engine.answer_poll(Answer::ok("3\x1e3probe\x1e6\x1e42[\"a\"]\x1e6"));
    assert_event(&client, "a", "[]");
    assert_eq!(client.state(), State::Connected);
}

#[test]
fn a_poll_may_wait_longer_than_other_requests() {
    let (client, engine) = polled_with(&[("request_timeout_ms", "200")], Plan::polling_only());
    engine.wait_for_poll();
    std::thread::sleep(ms(600));
    assert_eq!(client.state(), State::Connected, "{}", client.error());
    assert_eq!(engine.polls().iter().filter(|one| one.answered.is_none()).count(), 1);
    engine.send(r#"42["a"]"#);
    assert_event(&client, "a", "[]");
}

#[test]
fn a_poll_that_brings_nothing_in_time_is_a_dead_connection() {
    let _quiet = quiet();
    let (client, engine) = polled(Plan::default().open(|n| open(n, &[], 300, 200, None)));
    engine.wait_for_poll();
    let since = Instant::now();
    assert_eq!(receive_fails(&client, PATIENT), Status::Disconnected);
    assert_elapsed(since, ms(400), ms(550));
    assert_says(&client, "500 ms");
}

#[test]
fn each_byte_of_a_poll_is_a_sign_of_life() {
    let (client, engine) = polled(Plan::default().open(|n| open(n, &[], 300, 200, None)));
    let body = format!("42[\"a\",\"{}\"]", "x".repeat(20));
    engine.answer_poll(Answer::ok(body.clone()).dripped(4, ms(40)));
    assert_event(&client, "a", &format!("[\"{}\"]", "x".repeat(20)));
    assert_eq!(client.state(), State::Connected);
}

#[test]
fn a_post_without_an_answer_ends_the_connection() {
    let _quiet = quiet();
    let (client, engine) = polled_with(&[("request_timeout_ms", "300")], Plan::polling_only());
    engine.answer_post(Answer::silence());
    let since = Instant::now();
    emit(&client, "a", "[]");
    assert_eq!(receive_fails(&client, PATIENT), Status::Disconnected);
    assert_elapsed(since, ms(300), ms(400));
    assert_says(&client, "request_timeout_ms");
    // It had gone out, and so it is not sent again.
    assert_eq!(engine.texts(), ["40", r#"42["a"]"#]);
    assert_polls(&client);
}

#[test]
fn posts_go_out_while_a_poll_waits_and_the_other_way_round() {
    let _quiet = quiet();
    let gate = Gate::new();
    let (client, engine) = polled(Plan::polling_only());
    engine.wait_for_poll();
    engine.answer_post(Answer::ok("ok").when(&gate));
    emit(&client, "a", "[]");
    engine.wait_for_text(r#"42["a"]"#);
    // Neither waits for the other.
    let since = Instant::now();
    for i in 0..10 {
        engine.send(&format!("42[\"e\",{i}]"));
        assert_event(&client, "e", &format!("[{i}]"));
    }
    assert_elapsed(since, ms(0), ms(500));
    emit(&client, "b", "[]");
    std::thread::sleep(ms(50));
    assert_eq!(engine.texts().len(), 2, "one POST at a time");
    gate.open();
    engine.wait_for_text(r#"42["b"]"#);
}

#[test]
fn everything_at_once_keeps_its_order() {
    let _loud = loud();
    let (client, engine) = polled(answering());
    let count = 3000;
    let seen = Arc::new(AtomicUsize::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for i in 0..count {
                emit(&client, "e", &format!("[{i}]"));
            }
        });
        scope.spawn(|| {
            for i in 0..100 {
                assert_eq!(call(&client, "c", &format!("[{i}]")), format!("[{i}]"));
            }
        });
        scope.spawn(|| {
            for i in 0..count {
                engine.send(&format!("42[\"s\",{i}]"));
                if i % 100 == 0 {
                    std::thread::sleep(ms(1));
                }
            }
        });
        for i in 0..count {
            let message = client.receive(PATIENT).unwrap_or_else(|_| panic!("{}", client.error()));
            assert_eq!(message.args(), format!("[{i}]"));
            seen.fetch_add(1, Ordering::Relaxed);
        }
    });
    let numbered = |text: &String| text.starts_with("42[\"e\"");
    engine.wait_for("all arrive", |all| (all.len() >= count + 101).then_some(()));
    let texts: Vec<String> = engine.texts().into_iter().filter(numbered).collect();
    let expected: Vec<String> = (0..count).map(|i| format!("42[\"e\",{i}]")).collect();
    assert_eq!(texts, expected);
}

#[test]
fn flush_is_back_when_the_post_has_been_handed_over() {
    let _quiet = quiet();
    let gate = Gate::new();
    let (client, engine) = polled(Plan::polling_only());
    assert_eq!(client.flush(PATIENT), Ok(()));
    engine.answer_post(Answer::ok("ok").when(&gate));
    emit(&client, "a", "[]");
    assert_eq!(within(ms(500), || client.flush(PATIENT)), Ok(()));
    // What waits for its turn has not been handed over.
    emit(&client, "b", "[]");
    assert_eq!(client.flush(limit(100)), Err(Status::Timeout));
    gate.open();
    assert_eq!(client.flush(PATIENT), Ok(()));
    engine.wait_for_text(r#"42["b"]"#);
}

#[test]
fn a_paused_client_does_not_poll() {
    let (client, engine) = polled_with(&[("receive_limit", "1000")], Plan::polling_only());
    let packets: Vec<String> =
        (0..200).map(|i| format!("42[\"e\",{i},\"{}\"]", "x".repeat(1000))).collect();
    engine.answer_poll(Answer::ok(packets.join("\x1e")));
    wait_until("it is paused", || stat(&client, "receive_queued") >= 1);
    std::thread::sleep(ms(200));
    let polls = engine.polls();
    assert!(polls.iter().all(|one| one.answered.is_some()), "no poll waits for more");
    assert!(stat(&client, "receive_queued_bytes_max") < 3000);
    engine.send(r#"42["behind"]"#);
    for i in 0..200 {
        assert_event(&client, "e", &format!("[{i},\"{}\"]", "x".repeat(1000)));
    }
    assert_event(&client, "behind", "[]");
}

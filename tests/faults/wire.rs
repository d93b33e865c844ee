//! The bytes that we send: frames, packets, and that a packet and its attachments are one unit.

#![forbid(unsafe_code)]

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;
use sio::client::Client;
use sio::error::Status;

use crate::common::scripted::{Frame, Received, Script, Scripted, opcode};
use crate::support::*;

const P0: &str = r#"{"_placeholder":true,"num":0}"#;
const P1: &str = r#"{"_placeholder":true,"num":1}"#;

/// What the server got while this was done.
fn sent(action: impl FnOnce(&Client)) -> Vec<Received> {
    let (client, server) = connected(Script::new().connected().until_closed());
    action(&client);
    assert_eq!(client.disconnect(PATIENT), Ok(()), "{}", client.error());
    server.finish().frames
}

/// The texts between the request for the namespace and the DISCONNECT.
fn sent_texts(action: impl FnOnce(&Client)) -> Vec<String> {
    let mut texts: Vec<_> = sent(action).iter().filter_map(Received::text).collect();
    assert_eq!(texts.remove(0), "40");
    assert_eq!(texts.pop().as_deref(), Some("41"));
    texts
}

#[test]
fn events_as_text() {
    let emits: [(&str, Option<&str>, &str); 12] = [
        ("a", None, r#"42["a"]"#),
        ("a", Some("[]"), r#"42["a"]"#),
        ("a", Some(" [ ] "), r#"42["a"]"#),
        ("a", Some("[1]"), r#"42["a",1]"#),
        ("", Some("[null]"), r#"42["",null]"#),
        ("n\u{e9} \u{1f600}", None, "42[\"n\u{e9} \u{1f600}\"]"),
        ("q\"\\/\n\0", None, r#"42["q\"\\/\n\u0000"]"#),
        ("n", Some("[1.10e+05,-0,1E400,0.1000]"), r#"42["n",1.10e+05,-0,1E400,0.1000]"#),
        ("t", Some(r#"["\u0041\/","\ud800"]"#), r#"42["t","\u0041\/","\ud800"]"#),
        ("o", Some(r#"[{"b":1,"a":2,"b":3}]"#), r#"42["o",{"b":1,"a":2,"b":3}]"#),
        (
            "p",
            Some(r#"[{"_placeholder":true,"num":7}]"#),
            r#"42["p",{"_placeholder":true,"num":7}]"#,
        ),
        ("s", Some("\n[1 , 2]\t"), "42[\"s\",1 , 2]"),
    ];
    let texts = sent_texts(|client| {
        for (name, args, _) in emits {
            assert_eq!(client.emit(name, args, &[], PATIENT), Ok(()), "{}", client.error());
        }
    });
    for (text, (.., expected)) in texts.iter().zip(emits) {
        // The name and the arguments may be written in more than one way; here is the shortest.
        assert_eq!(text, expected);
    }
    assert_eq!(texts.len(), emits.len());
}

#[test]
fn what_is_refused_leaves_no_trace() {
    let texts = sent_texts(|client| {
        let invalid = Err(Status::Invalid);
        let reserved = [
            "connect",
            "connect_error",
            "disconnect",
            "disconnecting",
            "newListener",
            "removeListener",
        ];
        for name in reserved {
            assert_eq!(client.emit(name, None, &[], PATIENT), invalid);
            assert_says(client, name);
        }
        for args in ["", "{}", "1", "[1", "[1]]", "[NaN]", "[01]", "null", "[1],[2]"] {
            assert_eq!(client.emit("a", Some(args), &[], PATIENT), invalid, "{args}");
            assert_says(client, "args");
            assert_eq!(client.call("a", Some(args), &[], PATIENT).map(drop), invalid);
        }
        let one: &[&[u8]] = &[b"one"];
        let wrong = [
            "[]",
            "[{\"_placeholder\":true}]",
            "[{\"_placeholder\":true,\"num\":1}]",
            "[{\"_placeholder\":true,\"num\":0},{\"_placeholder\":true,\"num\":0}]",
            "[{\"_placeholder\":true,\"num\":0.0}]",
            "[{\"_placeholder\":true,\"num\":\"0\"}]",
        ];
        for args in wrong {
            assert_eq!(client.emit("a", Some(args), one, PATIENT), invalid, "{args}");
        }
        assert_eq!(client.emit("a", None, one, PATIENT), invalid);
    });
    assert_eq!(texts, [""; 0]);
}

#[test]
fn calls_and_their_ids() {
    let answers: Script = (0..3).fold(Script::new().connected(), |script, id| {
        let binary = if id == 2 { "1-" } else { "" };
        let kind = if id == 2 { 5 } else { 2 };
        let script = script.expect_start(&format!("4{kind}{binary}{id}[\"c\""));
        let script = if id == 2 { script.expect_binary("b") } else { script };
        script.text(format!("43{id}[]"))
    });
    let (client, server) = connected(answers.until_closed());
    let call = |args, buffers: &[&[u8]]| client.call("c", args, buffers, PATIENT).map(drop);
    assert_eq!(call(None, &[]), Ok(()));
    assert_eq!(call(Some("[1]"), &[]), Ok(()));
    let args = format!("[{P0}]");
    assert_eq!(call(Some(&args), &[b"b"]), Ok(()));
    assert_eq!(client.disconnect(PATIENT), Ok(()));
    let texts = server.finish().texts();
    assert_eq!(texts[1..4], [r#"420["c"]"#, r#"421["c",1]"#, &format!(r#"451-2["c",{P0}]"#)]);
}

#[test]
fn buffers_follow_in_their_own_order() {
    let frames = sent(|client| {
        let args = format!(r#"[ {P1} , {{"x":{P0}}} ]"#);
        assert_eq!(client.emit("b", Some(&args), &[b"zero", b""], PATIENT), Ok(()));
        let form = r#"[{"more":1,"num":0,"_placeh\u006flder":true}]"#;
        assert_eq!(client.emit("b", Some(form), &[b"one"], PATIENT), Ok(()));
    });
    let data: Vec<_> = frames.iter().filter(|frame| frame.is_data()).collect();
    assert_eq!(data[1].text().unwrap(), format!(r#"452-["b", {P1} , {{"x":{P0}}} ]"#));
    assert_eq!((data[2].binary(), data[3].binary()), (Some(&b"zero"[..]), Some(&b""[..])));
    assert_eq!(data[4].text().unwrap(), r#"451-["b",{"more":1,"num":0,"_placeh\u006flder":true}]"#);
    assert_eq!(data[5].binary(), Some(&b"one"[..]));
}

#[test]
fn answers_with_and_without_buffers() {
    let script =
        (0..3).fold(Script::new().connected(), |script, id| script.text(format!("42{id}[\"q\"]")));
    let (client, server) = connected(script.until_closed());
    let args = format!("[{P0},2]");
    let answers: [(Option<&str>, &[&[u8]]); 3] =
        [(None, &[]), (Some(" [1] "), &[]), (Some(&args), &[b"b"])];
    for (args, buffers) in answers {
        let event = client.receive(PATIENT).unwrap_or_else(|status| panic!("{status:?}"));
        assert_eq!(event.ack(args, buffers), Ok(()), "{}", client.error());
    }
    assert_eq!(client.disconnect(PATIENT), Ok(()));
    let record = server.finish();
    let expected = ["430[]".to_owned(), "431[1]".to_owned(), format!("461-2[{P0},2]")];
    assert_eq!(record.texts()[1..4], expected);
    assert_eq!(record.frames.iter().find_map(Received::binary), Some(&b"b"[..]));
}

#[test]
fn everything_bears_the_namespace() {
    let server = Scripted::start(
        Script::new()
            .websocket()
            .open()
            .expect_text("40/admin,")
            .text(r#"40/admin,{"sid":"s"}"#)
            .text(r#"42/admin,7["q"]"#)
            .expect_text(r#"42/admin,["a",1]"#)
            .expect_text(r#"42/admin,0["c"]"#)
            .text("43/admin,0[]")
            .expect_text(&format!(r#"451-/admin,["b",{P0}]"#))
            .expect_binary("b")
            .expect_text("43/admin,7[]")
            .expect_text("41/admin,")
            .until_closed(),
    );
    let client = client_with(&[("namespace", "/admin")]);
    connect(&client, &server);
    let event = client.receive(PATIENT).unwrap_or_else(|status| panic!("{status:?}"));
    assert_eq!(client.emit("a", Some("[1]"), &[], PATIENT), Ok(()));
    assert!(client.call("c", None, &[], PATIENT).is_ok());
    let args = format!("[{P0}]");
    assert_eq!(client.emit("b", Some(&args), &[b"b"], PATIENT), Ok(()));
    drop(event);
    assert_eq!(client.disconnect(PATIENT), Ok(()));
    server.finish();
}

#[test]
fn frames_are_whole_and_masked_with_changing_keys() {
    let frames = sent(|client| {
        for size in [0, 1, 100, 113, 125, 126, 1000, 65_524, 65_535, 65_536, 300_000] {
            let args = format!("[\"{}\"]", "x".repeat(size));
            assert_eq!(client.emit("e", Some(&args), &[], PATIENT), Ok(()));
            let args = format!("[{P0}]");
            assert_eq!(client.emit("b", Some(&args), &[&vec![0; size]], PATIENT), Ok(()));
        }
    });
    let mut keys: Vec<_> = frames.iter().map(|frame| frame.key.expect("it is masked")).collect();
    assert!(frames.iter().all(|frame| frame.fin && frame.rsv == 0));
    let count = keys.len();
    keys.sort_unstable();
    keys.dedup();
    assert!(keys.len() + 1 >= count, "keys are used again");
    assert!(!keys.contains(&[0; 4]));
    let sizes: Vec<usize> = frames.iter().filter_map(|frame| Some(frame.binary()?.len())).collect();
    assert_eq!(sizes, [0, 1, 100, 113, 125, 126, 1000, 65_524, 65_535, 65_536, 300_000]);
}

/// A small generator of numbers; its quality is of no interest.
fn random(state: &mut u32) -> usize {
    *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
    (*state >> 8) as usize
}

/// The frame that a thread's packet has as its attachment with this number.
fn attachment(thread: usize, number: usize, index: usize, size: usize) -> Vec<u8> {
    (0..size).map(|at| (at ^ (thread * 31) ^ (number * 7) ^ index) as u8).collect()
}

fn emit_many(client: &Client, thread: usize, count: usize) {
    let mut state = thread as u32 + 1;
    for number in 0..count {
        let buffers: Vec<Vec<u8>> = (0..random(&mut state) % 4)
            .map(|index| {
                let size = random(&mut state) % if number % 20 == 0 { 40_000 } else { 600 };
                attachment(thread, number, index, size)
            })
            .collect();
        let placeholders: String = (0..buffers.len())
            .map(|index| format!(r#",{{"_placeholder":true,"num":{index}}}"#))
            .collect();
        let args = format!("[{thread},{number}{placeholders}]");
        let buffers: Vec<&[u8]> = buffers.iter().map(Vec::as_slice).collect();
        assert_eq!(client.emit("m", Some(&args), &buffers, PATIENT), Ok(()), "{}", client.error());
    }
}

#[test]
fn packets_of_many_threads_are_whole_and_in_the_order_of_each() {
    let _loud = loud();
    let (threads, count) = (8, 200);
    let pinging = |peer: &mut crate::common::scripted::Peer| {
        // Answers to these come between packets, and never within one.
        while peer.text("2").is_ok() && peer.frame(&Frame::ping("you")).is_ok() {
            if peer.pause(ms(1)).is_err() {
                break;
            }
        }
        Ok(())
    };
    let script = Script::new().connected().read_aside().then("ping all the time", pinging);
    let (client, server) = connected_with(&[("send_limit", "300000")], script);
    let emitting: Vec<_> = (0..threads)
        .map(|thread| start(&client, move |client| emit_many(client, thread, count)))
        .collect();
    for emitting in emitting {
        emitting.back();
    }
    assert_eq!(client.disconnect(PATIENT), Ok(()), "{}", client.error());
    let record = wait_for_end(&server);
    let mut next: HashMap<usize, usize> = HashMap::new();
    let mut frames = record.frames.iter();
    let (mut pongs, mut packets) = (0, 0);
    while let Some(frame) = frames.next() {
        let text = frame.text().unwrap_or_default();
        let Some(packet) = text.strip_prefix("42").or_else(|| text.strip_prefix("45")) else {
            pongs += usize::from(text == "3" || frame.opcode == opcode::PONG);
            assert!(frame.binary().is_none(), "an attachment without its packet");
            continue;
        };
        packets += 1;
        let json = packet.split_once('-').map_or(packet, |(_, json)| json);
        let event: Vec<Value> = serde_json::from_str(json).expect("it is JSON");
        let (thread, number) = (event[1].as_u64().unwrap(), event[2].as_u64().unwrap());
        let (thread, number) = (thread as usize, number as usize);
        assert_eq!(std::mem::replace(next.entry(thread).or_default(), number + 1), number);
        for index in 0..event.len() - 3 {
            let bytes = frames.next().and_then(Received::binary).expect("it follows at once");
            assert!(bytes == attachment(thread, number, index, bytes.len()));
        }
    }
    assert_eq!(packets, threads * count);
    assert!(pongs > 0);
}

#[test]
fn calls_of_many_threads_get_their_own_answers() {
    let _loud = loud();
    let script = Script::new().connected().then("answer each", |peer| {
        for _ in 0..800 {
            let text = peer.next_data()?.text().unwrap_or_default();
            let (id, json) = text[2..].split_at(text.find('[').unwrap_or(2) - 2);
            let event: Vec<Value> =
                serde_json::from_str(json).map_err(|error| error.to_string())?;
            peer.text(&format!("43{id}[{}]", event[1]))?;
        }
        Ok(())
    });
    let (client, server) = connected(script.until_closed());
    let call_many = |thread: usize| {
        move |client: &Client| {
            for number in 0..100 {
                let what = format!("[{}]", thread * 1000 + number);
                let reply = client.call("c", Some(&what), &[], PATIENT);
                assert_eq!(reply.map(|reply| reply.args().to_owned()), Ok(what));
            }
        }
    };
    let calling: Vec<_> = (0..8).map(|thread| start(&client, call_many(thread))).collect();
    for calling in calling {
        calling.back();
    }
    assert_eq!(stat(&client, "late_acks"), 0);
    assert_eq!(client.disconnect(PATIENT), Ok(()));
    server.finish();
}

#[test]
fn what_one_thread_sends_keeps_its_order_emit_call_and_answer_alike() {
    let script = Script::new().connected().text("420[\"q\"]").text("421[\"q\"]");
    let (client, server) = connected(script.until_closed());
    let event = |client: &Client| client.receive(PATIENT).unwrap_or_else(|s| panic!("{s:?}"));
    let (first, second) = (event(&client), event(&client));
    let mut expected = Vec::new();
    for i in 0..50 {
        assert_eq!(client.emit("e", Some(&format!("[{i}]")), &[], PATIENT), Ok(()));
        expected.push(format!("42[\"e\",{i}]"));
    }
    assert_eq!(first.ack(None, &[]), Ok(()));
    expected.push("430[]".into());
    let calling = Arc::clone(&client);
    let calling = start(&calling, |client| call_fails(client, "c", PATIENT));
    wait_until("it is sent", || stat(&client, "calls_waiting") == 1);
    expected.push("420[\"c\"]".into());
    assert_eq!(client.emit("f", None, &[], PATIENT), Ok(()));
    expected.push("42[\"f\"]".into());
    drop(second);
    expected.push("431[]".into());
    assert_eq!(client.disconnect(PATIENT), Ok(()));
    assert_eq!(calling.back(), Status::Disconnected);
    assert_eq!(server.finish().texts()[1..=expected.len()], expected);
}

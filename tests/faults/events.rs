//! Events and answers that are odd and right: each comes out as it was sent and changes no state.

#![forbid(unsafe_code)]

use sio::error::Status;
use sio::session::State;

use crate::common::scripted::{Frame, Script, Scripted};
use crate::support::*;

/// Up to the request for the namespace.
fn asked() -> Script {
    Script::new().websocket().open().expect_text("40")
}

#[test]
fn events_before_the_acknowledgement_come_out_after_it_and_in_order() {
    let server = Scripted::start(
        asked()
            .text(r#"42["early",1]"#)
            .text(r#"451-["early",{"_placeholder":true,"num":0}]"#)
            .binary("two")
            .text(r#"427["early",3]"#)
            .until_told()
            .frames([
                Frame::text(r#"42["early",4]"#),
                Frame::text(r#"40{"sid":"b"}"#),
                Frame::text(r#"42["late",5]"#),
            ])
            .expect_text("437[\"yes\"]")
            .until_closed(),
    );
    let client = client();
    let url = server.url();
    let connecting = start(&client, move |client| client.connect(Some(&url), PATIENT));
    wait_until("early events wait", || stat(&client, "receive_queued") == 3);
    assert_eq!(client.state(), State::Connecting);
    assert_eq!(receive_fails(&client, AT_ONCE), Status::Timeout);
    let receiving =
        block(&client, |client| client.receive(PATIENT).map(|event| event.args().to_owned()));
    server.tell();
    assert_eq!(connecting.back(), Ok(()));
    assert_eq!(receiving.back(), Ok("[1]".to_owned()));
    let two = client.receive(PATIENT).unwrap_or_else(|status| panic!("{status:?}"));
    assert_eq!(two.buffer(0), Some(&b"two"[..]));
    let three = client.receive(PATIENT).unwrap_or_else(|status| panic!("{status:?}"));
    assert!(three.wants_ack());
    assert_eq!(three.ack(Some("[\"yes\"]"), &[]), Ok(()));
    assert_event(&client, "early", "[4]");
    assert_event(&client, "late", "[5]");
    assert_eq!(client.disconnect(PATIENT), Ok(()));
    server.finish();
}

#[test]
fn events_before_an_acknowledgement_that_never_comes_are_dropped_and_counted() {
    let server = Scripted::start(
        asked().text(r#"42["early",1]"#).text(r#"420["early",2]"#).text(r#"44"no""#).until_closed(),
    );
    let client = client();
    assert_eq!(client.connect(Some(&server.url()), PATIENT), Err(Status::Refused));
    assert_eq!(receive_fails(&client, AT_ONCE), Status::Disconnected);
    assert_eq!(stat(&client, "dropped_received"), 2);
    assert_usable(&client);
    assert_eq!(server.finish().texts(), ["40"]);
}

#[test]
fn names_are_data() {
    let names = [
        "disconnect",
        "connect",
        "connect_error",
        "disconnecting",
        "newListener",
        "removeListener",
        "error",
        "ping",
        "__disconnect_final",
        "*",
        "",
        "message",
        "__proto__",
        "sio:connected",
    ];
    let frames = names.map(|name| Frame::text(format!("42[{}]", serde_json::json!(name))));
    let (client, server) = connected(Script::new().connected().frames(frames).until_closed());
    for name in names {
        assert_event(&client, name, "[]");
        assert_eq!((client.state(), client.sid().as_str()), (State::Connected, "socket-sid"));
    }
    assert_eq!(client.disconnect(PATIENT), Ok(()));
    server.finish();
}

#[test]
fn numbers_are_names() {
    let numbers = ["7", "-0", "0", "-1.5e+3", "12345678901234567890123"];
    let frames = numbers.map(|number| Frame::text(format!("42[{number},1]")));
    let (client, _server) = connected(Script::new().connected().frames(frames).until_closed());
    for number in numbers {
        assert_event(&client, number, "[1]");
    }
}

#[test]
fn lone_surrogates_and_nuls() {
    let events = [
        (r#"42["a\ud800b","\udc00"]"#, "a\u{fffd}b", r#"["\udc00"]"#),
        (
            r#"42["\udc00\ud83d\ude00\ud83d",{"\ud800":1}]"#,
            "\u{fffd}\u{1f600}\u{fffd}",
            r#"[{"\ud800":1}]"#,
        ),
        (r#"42["a\u0000b","c\u0000d"]"#, "a\0b", r#"["c\u0000d"]"#),
        (r#"42["\u0000"]"#, "\0", "[]"),
        (r#"42["\u00e9\/\"\\\b\f\n\r\t"]"#, "\u{e9}/\"\\\u{8}\u{c}\n\r\t", "[]"),
    ];
    let frames = events.map(|(text, ..)| Frame::text(text));
    let (client, _server) = connected(Script::new().connected().frames(frames).until_closed());
    for (text, name, args) in events {
        let message = client.receive(PATIENT).unwrap_or_else(|status| panic!("{status:?}"));
        assert_eq!(message.event_bytes(), name.as_bytes(), "{text}");
        // As it stands on the wire: a JSON library may not even read it.
        assert_eq!(message.args(), args, "{text}");
    }
}

#[test]
fn arguments_come_byte_for_byte() {
    let arguments = [
        "",
        ",1",
        ",1.10e+05,-0,1E400,123456789012345678901234567890,0.1000",
        ",\"\\u0041\\/\",\"\u{1f600}\"",
        ",{\"b\":1,\"a\":2,\"b\":3}",
        ", [ 1 ,\t2\r\n] , { } ",
        ",{\"_placeholder\":true,\"num\":9}",
        ",\"offset-1701-0\"",
        ",null,true,false",
    ];
    let frames = arguments.map(|args| Frame::text(format!("42[\"e\"{args}]")));
    let (client, _server) = connected(Script::new().connected().frames(frames).until_closed());
    for args in arguments {
        let message = client.receive(PATIENT).unwrap_or_else(|status| panic!("{status:?}"));
        assert_eq!(message.args(), format!("[{}]", args.trim_start_matches(',')));
        assert_eq!(message.buffer_count(), 0);
    }
}

#[test]
fn white_space_around_everything() {
    let texts = ["42 [ \"a\" , 1 ] ", "42\t[\"a\",1]\r\n", "42[\n\"a\"\n,\n1\n]", "42/, [\"a\",1]"];
    let frames = texts.map(Frame::text);
    let (client, _server) = connected(Script::new().connected().frames(frames).until_closed());
    for _ in texts {
        assert_event(&client, "a", "[1]");
    }
}

#[test]
fn an_offset_is_delivered_with_every_event_for_ever() {
    let frames = (0..100).map(|i| Frame::text(format!(r#"42["e",{i},"offset{i}"]"#)));
    let (client, _server) = connected(Script::new().connected().frames(frames).until_closed());
    for i in 0..100 {
        assert_event(&client, "e", &format!(r#"[{i},"offset{i}"]"#));
    }
}

#[test]
fn events_are_answered_under_whatever_id_they_have() {
    let ids = ["0", "1", "18446744073709551615", "007"];
    let frames = ids.map(|id| Frame::text(format!("42{id}[\"q\"]")));
    let (client, server) = connected(Script::new().connected().frames(frames).until_closed());
    for id in 0..4 {
        let message = client.receive(PATIENT).unwrap_or_else(|status| panic!("{status:?}"));
        assert!(message.wants_ack());
        assert_eq!(message.ack(Some(&format!("[{id}]")), &[]), Ok(()));
        assert!(!message.wants_ack());
        assert_eq!(message.ack(None, &[]), Err(Status::State));
    }
    assert_eq!(client.disconnect(PATIENT), Ok(()));
    let texts = server.finish().texts();
    assert_eq!(texts[1..5], ["430[0]", "431[1]", "4318446744073709551615[2]", "437[3]"]);
}

#[test]
fn an_event_freed_unanswered_is_answered_with_nothing_unless_that_is_turned_off() {
    for (option, expected) in [("1", &["40", "430[]", "41"][..]), ("0", &["40", "41"])] {
        let script = Script::new().connected().text("420[\"q\"]").until_closed();
        let (client, server) = connected_with(&[("ack_unanswered", option)], script);
        drop(client.receive(PATIENT));
        assert_eq!(client.disconnect(PATIENT), Ok(()));
        assert_eq!(server.finish().texts(), expected);
    }
}

#[test]
fn an_answer_to_an_event_of_an_old_session_is_refused() {
    let (client, first) =
        connected(Script::new().connected().text("420[\"q\"]").until_told().text("41"));
    let message = client.receive(PATIENT).unwrap_or_else(|status| panic!("{status:?}"));
    assert!(message.wants_ack());
    first.tell();
    assert_eq!(receive_fails(&client, PATIENT), Status::Disconnected);
    assert!(!message.wants_ack());
    assert_eq!(message.ack(None, &[]), Err(Status::Disconnected));
    let second = Scripted::start(Script::new().connected().until_closed());
    connect(&client, &second);
    assert!(!message.wants_ack());
    assert_eq!(message.ack(Some("[1]"), &[]), Err(Status::Disconnected));
    drop(message);
    assert_eq!(client.disconnect(PATIENT), Ok(()));
    assert_eq!(second.finish().texts(), ["40", "41"]);
}

#[test]
fn answers_that_nobody_waits_for_are_counted_and_dropped() {
    let (client, server) = connected(
        Script::new()
            .connected()
            .text("430[\"nobody has asked yet\"]")
            .text("4318446744073709551615[]")
            .expect_text("420[\"first\"]")
            .text("430[\"answer\"]")
            .text("430[\"again\"]")
            .text("431[\"not asked yet\"]")
            .expect_text("421[\"second\"]")
            .until_told()
            .text("431[\"too late\"]")
            .expect_text("422[\"third\"]")
            .text("432[3]")
            .until_closed(),
    );
    wait_until("two are counted", || stat(&client, "late_acks") == 2);
    let first = client.call("first", None, &[], PATIENT);
    assert_message(&first.unwrap_or_else(|status| panic!("{status:?}")), "", "[\"answer\"]");
    wait_until("four are counted", || stat(&client, "late_acks") == 4);
    assert_eq!(call_fails(&client, "second", limit(50)), Status::Timeout);
    assert_eq!(stat(&client, "calls_waiting"), 0);
    server.tell();
    let third = client.call("third", None, &[], PATIENT);
    assert_message(&third.unwrap_or_else(|status| panic!("{status:?}")), "", "[3]");
    assert_eq!(stat(&client, "late_acks"), 5);
    assert_eq!(client.state(), State::Connected);
    assert_eq!(client.disconnect(PATIENT), Ok(()));
    server.finish();
}

#[test]
fn answers_come_in_any_order_and_ids_go_on_in_the_next_session() {
    let (client, server) = connected(
        Script::new()
            .connected()
            .read(3)
            .until_told()
            .frames([2, 0, 1].map(|id| Frame::text(format!("43{id}[\"answer to\",{id}]"))))
            .until_closed(),
    );
    let calls: Vec<_> = (0..3)
        .map(|id| {
            let calling = start(&client, move |client| {
                client.call("c", None, &[], PATIENT).map(|reply| reply.args().to_owned())
            });
            wait_until("it is sent", || stat(&client, "calls_waiting") == id + 1);
            calling
        })
        .collect();
    server.tell();
    for (id, calling) in calls.into_iter().enumerate() {
        assert_eq!(calling.back(), Ok(format!("[\"answer to\",{id}]")));
    }
    assert_eq!(client.disconnect(PATIENT), Ok(()));
    let second = Scripted::start(
        Script::new().connected().expect_text("423[\"d\"]").text("433[]").until_closed(),
    );
    connect(&client, &second);
    assert!(client.call("d", None, &[], PATIENT).is_ok());
    assert_eq!(client.disconnect(PATIENT), Ok(()));
    second.finish();
}

#[test]
fn pings_are_echoed_and_unasked_pongs_ignored() {
    let (client, server) = connected(
        Script::new()
            .connected()
            .frames([Frame::text("3"), Frame::text("3probe"), Frame::pong("x"), Frame::text("6")])
            .text("2")
            .expect_text("3")
            .text("2probe")
            .expect_text("3probe")
            .text("5")
            .text("6")
            .text(r#"42["a"]"#)
            .until_closed(),
    );
    assert_event(&client, "a", "[]");
    assert_eq!(client.disconnect(PATIENT), Ok(()));
    server.finish();
}

#[test]
fn packets_of_other_namespaces_are_consumed_and_counted() {
    let foreign = [
        Frame::text(r#"42/other,["x"]"#),
        Frame::text(r#"42/other,0["x"]"#),
        Frame::text(r#"40/other,{"sid":"z"}"#),
        Frame::text(r#"44/other,{"message":"no"}"#),
        Frame::text("41/other"),
        Frame::text("41/other,"),
        Frame::text("43/other,0[]"),
    ];
    let with_attachments = [
        Frame::text(r#"452-/other,["x",{"_placeholder":true,"num":0}]"#),
        Frame::binary("1"),
        Frame::text("2"),
        Frame::binary(vec![0; 100_000]),
        Frame::text(r#"461-/other,0[]"#),
        Frame::binary("3"),
    ];
    let own = Frame::text(r#"42["own"]"#);
    let frames = foreign.into_iter().chain(with_attachments).chain([own]);
    let (client, server) = connected(Script::new().connected().frames(frames).until_closed());
    assert_event(&client, "own", "[]");
    assert_eq!(stat(&client, "foreign_packets"), 9);
    assert_eq!(client.state(), State::Connected);
    assert_eq!(client.disconnect(PATIENT), Ok(()));
    assert_eq!(server.finish().texts(), ["40", "3", "41"]);
}

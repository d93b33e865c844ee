//! Packets with attachments that are odd and right.

#![forbid(unsafe_code)]

use sio::json::Kind;
use sio::message::Message;

use crate::common::scripted::{Frame, Script, fragments, opcode};
use crate::support::*;

/// The event that a server makes of these frames.
fn event(frames: impl IntoIterator<Item = Frame>) -> Box<Message> {
    let (client, _server) = connected(Script::new().connected().frames(frames).until_closed());
    client.receive(PATIENT).unwrap_or_else(|status| panic!("{status:?}: {}", client.error()))
}

fn buffer(message: &Message, pointer: &str) -> Option<Vec<u8>> {
    let (kind, value) = message.find(pointer)?;
    (kind == Kind::Buffer).then(|| value.to_vec())
}

#[test]
fn a_buffer_is_named_several_times_or_never() {
    let one = r#"{"_placeholder":true,"num":1}"#;
    let header =
        format!(r#"453-["a",{one},[{one},{{"b":{one}}}],{{"_placeholder":true,"num":0}}]"#);
    let message = event([
        Frame::text(header),
        Frame::binary("zero"),
        Frame::binary("one"),
        Frame::binary("two"),
    ]);
    assert_eq!(message.buffer_count(), 3);
    for pointer in ["/0", "/1/0", "/1/1/b"] {
        assert_eq!(buffer(&message, pointer).as_deref(), Some(&b"one"[..]), "{pointer}");
    }
    assert_eq!(buffer(&message, "/2").as_deref(), Some(&b"zero"[..]));
    assert_eq!(message.buffer(2), Some(&b"two"[..]));
    assert_eq!(message.buffer(3), None);
}

#[test]
fn no_placeholder_at_all() {
    let message = event([Frame::text(r#"452-["a"]"#), Frame::binary("0"), Frame::binary("1")]);
    assert_eq!((message.args(), message.buffer_count()), ("[]", 2));
    assert_eq!(message.buffer(1), Some(&b"1"[..]));
}

#[test]
fn placeholders_as_other_libraries_may_write_them() {
    let forms = [
        r#"{"num":0,"_placeholder":true}"#,
        r#"{ "_placeholder" : true , "num" : 0 }"#,
        "{\n\t\"num\":\r0,\n\"_placeholder\":true}",
        r#"{"_pl\u0061ceholder":true,"n\u0075m":0}"#,
        r#"{"more":{"num":5},"_placeholder":true,"list":[1,{}],"num":0}"#,
        r#"{"_placeholder":false,"num":7,"num":0,"_placeholder":true}"#,
        r#"{"inner":{"_placeholder":true,"num":0},"_placeholder":true,"num":0}"#,
    ];
    for form in forms {
        let message =
            event([Frame::text(format!(r#"451-["a",{{"x":[{form}]}}]"#)), Frame::binary("b")]);
        assert_eq!(buffer(&message, "/0/x/0").as_deref(), Some(&b"b"[..]), "{form}");
    }
}

#[test]
fn what_only_looks_like_a_placeholder_is_data() {
    let data = [
        r#"{"_placeholder":false,"num":9}"#,
        r#"{"_placeholder":1,"num":9}"#,
        r#"{"_placeholder":"true","num":9}"#,
        r#"{"_placeholder":null}"#,
        r#"{"num":9}"#,
        r#"{"_Placeholder":true,"num":9}"#,
        r#"["_placeholder",true,"num",9]"#,
        r#"{"_placeholder":{"_placeholder":false},"num":9}"#,
        r#""{\"_placeholder\":true,\"num\":9}""#,
    ];
    for value in data {
        let message = event([Frame::text(format!(r#"451-["a",{value}]"#)), Frame::binary("b")]);
        assert_eq!(message.args(), format!("[{value}]"));
        assert_ne!(message.find("/0").map(|(kind, _)| kind), Some(Kind::Buffer), "{value}");
    }
    let plain = event([Frame::text(r#"42["a",{"_placeholder":true,"num":0}]"#)]);
    assert_eq!(plain.find("/0").map(|(kind, _)| kind), Some(Kind::Object));
}

#[test]
fn a_binary_packet_without_attachments_is_complete_at_once() {
    let (client, server) = connected(
        Script::new()
            .connected()
            .text(r#"450-["a",1]"#)
            .text(r#"450-7["q"]"#)
            .expect_text("437[]")
            .expect_text("420[\"c\"]")
            .text("460-0[2]")
            .text(r#"42["b"]"#)
            .until_closed(),
    );
    assert_event(&client, "a", "[1]");
    assert_event(&client, "q", "[]");
    let reply = client.call("c", None, &[], PATIENT);
    assert_message(&reply.unwrap_or_else(|status| panic!("{status:?}")), "", "[2]");
    assert_event(&client, "b", "[]");
    assert_eq!(client.disconnect(PATIENT), Ok(()));
    server.finish();
}

#[test]
fn heartbeats_come_amid_attachments() {
    let amid = [
        Frame::text("2"),
        Frame::text("6"),
        Frame::ping("now"),
        Frame::pong("unasked"),
        Frame::text("3"),
        Frame::text("2probe"),
    ];
    let mut frames = vec![Frame::text(r#"453-9["a"]"#)];
    for part in ["0", "1", "2"] {
        frames.extend(amid.clone());
        frames.push(Frame::binary(part));
    }
    let (client, _server) = connected(Script::new().connected().frames(frames).until_closed());
    let message = client.receive(PATIENT).unwrap_or_else(|status| panic!("{status:?}"));
    let buffers: Vec<_> = (0..3).filter_map(|index| message.buffer(index)).collect();
    assert_eq!(buffers, [b"0", b"1", b"2"]);
    assert!(message.wants_ack());
}

#[test]
fn an_answer_with_buffers() {
    let (client, server) = connected(
        Script::new()
            .connected()
            .expect_text(r#"451-0["c",{"_placeholder":true,"num":0}]"#)
            .expect_binary("question")
            .text(r#"462-0[{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]"#)
            .binary("zero")
            .text("2")
            .binary(vec![7; 50_000])
            .until_closed(),
    );
    let args = r#"[{"_placeholder":true,"num":0}]"#;
    let reply = client
        .call("c", Some(args), &[b"question"], PATIENT)
        .unwrap_or_else(|status| panic!("{status:?}"));
    assert_eq!(reply.kind(), sio::message::MessageKind::Reply);
    assert_eq!(buffer(&reply, "/1").as_deref(), Some(&b"zero"[..]));
    assert_eq!(buffer(&reply, "/0"), Some(vec![7; 50_000]));
    assert_eq!(client.disconnect(PATIENT), Ok(()));
    server.finish();
}

#[test]
fn an_answer_with_buffers_that_nobody_waits_for() {
    let (client, _server) = connected(
        Script::new()
            .connected()
            .text("462-5[]")
            .binary("0")
            .binary(vec![1; 20_000])
            .text(r#"42["a"]"#)
            .until_closed(),
    );
    assert_event(&client, "a", "[]");
    assert_eq!(stat(&client, "late_acks"), 1);
}

#[test]
fn a_call_that_ends_amid_the_attachments_of_its_answer() {
    let (client, server) = connected(
        Script::new()
            .connected()
            .expect_text("420[\"c\"]")
            .text("462-0[]")
            .binary("0")
            .until_told()
            .binary("1")
            .text(r#"42["a"]"#)
            .until_closed(),
    );
    assert_eq!(call_fails(&client, "c", limit(100)), sio::error::Status::Timeout);
    server.tell();
    assert_event(&client, "a", "[]");
    assert_eq!(stat(&client, "late_acks"), 1);
}

#[test]
fn small_buffers_lie_as_memory_should() {
    let mut frames = vec![Frame::text(r#"4540-["a",1]"#)];
    frames.extend((0..40usize).map(|len| Frame::binary(vec![len as u8; len])));
    let message = event(frames);
    for index in 0..40 {
        let buffer = message.buffer(index).expect("it is there");
        assert_eq!(buffer, vec![index as u8; index]);
        assert!(buffer.is_empty() || buffer.as_ptr().addr() % 16 == 0, "buffer {index}");
    }
}

#[test]
fn a_header_that_is_large_or_in_fragments() {
    let padding = "x".repeat(20_000);
    for text in [r#"451-["name",1,2]"#.to_owned(), format!(r#"451-["name","{padding}"]"#)] {
        let (first, second) = text.as_bytes().split_at(7);
        let mut frames = fragments(opcode::TEXT, &[first, second]);
        frames.push(Frame::binary("buffer"));
        let whole = [Frame::text(text.clone()), Frame::binary("buffer")];
        for frames in [frames, whole.into()] {
            let message = event(frames);
            assert_message(&message, "name", &format!("[{}", &text[r#"451-["name","#.len()..]));
            assert_eq!(message.buffer(0), Some(&b"buffer"[..]));
        }
    }
}

#[test]
fn text_binary_and_mixed_events_of_all_sizes_keep_their_order() {
    let sizes = [0, 1, 100, 5_000, 16_383, 16_384, 40_000, 70_000, 200_000];
    let mut frames = Vec::new();
    for size in sizes {
        frames.push(Frame::text(format!(r#"42["t",{size},"{}"]"#, "x".repeat(size))));
        frames.push(Frame::text(format!(r#"452-["b",{size},"{}"]"#, "y".repeat(size / 2))));
        frames.push(Frame::binary(vec![1; size]));
        frames.push(Frame::binary(vec![2; sizes[8] - size]));
        frames.push(Frame::text(r#"42["s"]"#));
    }
    let (client, _server) = connected(Script::new().connected().frames(frames).until_closed());
    for size in sizes {
        assert_event(&client, "t", &format!(r#"[{size},"{}"]"#, "x".repeat(size)));
        let message = client.receive(PATIENT).unwrap_or_else(|status| panic!("{status:?}"));
        assert_message(&message, "b", &format!(r#"[{size},"{}"]"#, "y".repeat(size / 2)));
        assert_eq!(message.buffer(0), Some(&vec![1; size][..]));
        assert_eq!(message.buffer(1), Some(&vec![2; sizes[8] - size][..]));
        assert_event(&client, "s", "[]");
    }
}

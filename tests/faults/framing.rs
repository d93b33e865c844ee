//! WebSocket frames that break the rules of RFC 6455, and odd ones that keep them.

#![forbid(unsafe_code)]

use crate::common::scripted::{Frame, Script, fragments, opcode};
use crate::malformed::each_ends_the_connection;
use crate::support::*;

#[test]
fn reserved_bits_kinds_and_masks() {
    let event = || Frame::text(r#"42["a"]"#);
    each_ends_the_connection(&[
        (vec![event().rsv(4)], "a reserved bit"),
        (vec![event().rsv(2)], "a reserved bit"),
        (vec![Frame::ping("").rsv(1)], "a reserved bit"),
        (vec![event().masked([1, 2, 3, 4])], "a masked WebSocket frame"),
        (vec![Frame::ping("x").masked([0; 4])], "a masked WebSocket frame"),
        (vec![Frame::new(3, "a")], "the unknown kind 3"),
        (vec![Frame::new(7, "")], "the unknown kind 7"),
        (vec![Frame::new(11, "")], "the unknown kind 11"),
        (vec![Frame::new(15, "a")], "the unknown kind 15"),
    ]);
}

#[test]
fn control_frames_that_are_too_long_or_in_fragments() {
    each_ends_the_connection(&[
        (vec![Frame::ping("").not_final()], "control frame in fragments"),
        (vec![Frame::close(1000, "").not_final()], "control frame in fragments"),
        (vec![Frame::ping(vec![b'x'; 126])], "control frame of more than 125 bytes"),
        (vec![Frame::pong(vec![b'x'; 70_000])], "control frame of more than 125 bytes"),
        (vec![Frame::close(1000, &"x".repeat(124))], "control frame of more than 125 bytes"),
    ]);
}

#[test]
fn close_frames_that_may_not_be() {
    each_ends_the_connection(&[
        (vec![Frame::new(opcode::CLOSE, [3])], "a payload of one byte"),
        (vec![Frame::close(0, "")], "the code 0,"),
        (vec![Frame::close(999, "")], "the code 999,"),
        (vec![Frame::close(1004, "")], "the code 1004,"),
        (vec![Frame::close(1005, "")], "the code 1005,"),
        (vec![Frame::close(1006, "gone")], "the code 1006,"),
        (vec![Frame::close(1015, "")], "the code 1015,"),
        (vec![Frame::close(2999, "")], "the code 2999,"),
        (vec![Frame::close(5000, "")], "the code 5000,"),
        (vec![Frame::new(opcode::CLOSE, b"\x03\xe8\xff\xfe")], "reason is not UTF-8"),
    ]);
}

#[test]
fn fragments_out_of_order() {
    let parts: [&[u8]; 2] = [b"42[\"", b"a\"]"];
    let first = fragments(opcode::TEXT, &parts).remove(0);
    let last = fragments(opcode::TEXT, &parts).remove(1);
    each_ends_the_connection(&[
        (vec![last.clone()], "no message was begun"),
        (vec![Frame::new(opcode::CONTINUATION, "").not_final()], "no message was begun"),
        (vec![first.clone(), Frame::text(r#"42["b"]"#)], "amid the fragments of another"),
        (vec![first.clone(), Frame::binary("b")], "amid the fragments of another"),
        (vec![first.clone(), first.clone()], "amid the fragments of another"),
        (vec![first, Frame::ping(""), Frame::text("2")], "amid the fragments of another"),
    ]);
}

#[test]
fn lengths_written_with_more_bytes_than_they_need() {
    let wrong: [(&[u8], &str); 4] = [
        (&[0x81, 126, 0, 7], "takes more bytes than it needs"),
        (&[0x82, 126, 0, 125], "takes more bytes than it needs"),
        (&[0x81, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff], "takes more bytes than it needs"),
        (&[0x81, 127, 0x80, 0, 0, 0, 0, 0, 0, 1], "topmost bit"),
    ];
    for (header, says) in wrong {
        let (client, server) =
            prompted(ready().text(r#"42["a"]"#).raw(header).text("2").until_closed());
        assert_event(&client, "a", "[]");
        assert_ended(&client, says);
        assert_eq!(server.finish().close_code(), Some(1002));
        assert_usable(&client);
    }
}

#[test]
fn text_in_fragments_that_is_not_utf8() {
    let half: [&[u8]; 2] = [b"42[\"\xc3", b"\"]"];
    each_ends_the_connection(&[
        (fragments(opcode::TEXT, &half), "not UTF-8 at byte"),
        (fragments(opcode::TEXT, &[b"42[\"a\"]", b"", b"\xff"]), "not UTF-8 at byte"),
    ]);
}

#[test]
fn the_close_code_says_what_was_wrong() {
    let cases = [
        (Frame::text("x"), 1002),
        (Frame::text("2").rsv(4), 1002),
        (Frame::new(opcode::TEXT, b"42[\"\xff\"]"), 1007),
        (Frame::new(opcode::CLOSE, b"\x03\xe8\xff"), 1007),
        (Frame::text(format!(r#"42["{}"]"#, "x".repeat(1000))), 1009),
    ];
    for (frame, code) in cases {
        let script = ready().frame(frame.clone()).until_closed();
        let (client, server) = prompted_with(&[("max_message_bytes", "1000")], script);
        assert_ended(&client, "broke the protocol");
        assert_eq!(server.finish().close_code(), Some(code), "{frame:?}");
    }
}

#[test]
fn an_event_in_many_fragments_with_pings_amid() {
    let text = "42[\"n\u{e4}me\",\"\u{1f600}\"]";
    let parts: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
    let mut frames = Vec::new();
    for (i, frame) in fragments(opcode::TEXT, &parts).into_iter().enumerate() {
        frames.push(frame);
        frames.push(Frame::ping(format!("{i}")));
        frames.push(Frame::pong("unasked"));
    }
    // After the last fragment.
    frames.push(Frame::text(r#"42["next"]"#));
    let (client, server) = connected(Script::new().connected().frames(frames).until_closed());
    assert_event(&client, "n\u{e4}me", "[\"\u{1f600}\"]");
    assert_event(&client, "next", "[]");
    assert_eq!(client.disconnect(PATIENT), Ok(()));
    let mut pongs = server.finish().frames.into_iter().filter(|frame| frame.opcode == opcode::PONG);
    let last = pongs.next_back().expect("pings are answered");
    assert_eq!(last.payload, format!("{}", parts.len() - 1).into_bytes());
}

#[test]
fn engine_packets_in_fragments() {
    let frames = [
        fragments(opcode::TEXT, &[b"", b"2", b""]),
        fragments(opcode::TEXT, &[b"6", b""]),
        fragments(opcode::TEXT, &[b"3", b"probe"]),
        fragments(opcode::TEXT, &[b"4", b"2[\"a\"]"]),
        fragments(opcode::TEXT, &[b"", b"", b"42[\"b\"]"]),
    ];
    let script = Script::new().connected().frames(frames.into_iter().flatten());
    let (client, server) = connected(script.expect_text("3").until_closed());
    assert_event(&client, "a", "[]");
    assert_event(&client, "b", "[]");
    assert_eq!(client.disconnect(PATIENT), Ok(()));
    server.finish();
}

#[test]
fn a_close_in_fragments_of_the_engine_is_an_end_like_any() {
    let frames = fragments(opcode::TEXT, &[b"1", b""]);
    let (client, _server) = prompted(ready().text(r#"42["a"]"#).frames(frames).until_closed());
    assert_event(&client, "a", "[]");
    assert_ended(&client, "closed the Engine.IO session");
}

#[test]
fn attachments_in_fragments_and_of_any_size() {
    let header =
        Frame::text(r#"454-["a",{"_placeholder":true,"num":3},{"_placeholder":true,"num":0}]"#);
    let large: Vec<u8> = (0..100_000u32).map(|i| (i % 251) as u8).collect();
    let mut frames = vec![header];
    frames.extend(fragments(opcode::BINARY, &[b"on", b"", b"e"]));
    frames.push(Frame::binary(""));
    frames.push(Frame::binary(large.clone()));
    frames.extend(fragments(opcode::BINARY, &[&large[..20_000], &large[20_000..], b""]));
    let bytes: Vec<u8> = frames.iter().flat_map(Frame::encode).collect();
    let at_once = Script::new().connected().raw(bytes.clone());
    let in_pieces = Script::new().connected().drip(bytes, 1777, std::time::Duration::ZERO);
    for script in [at_once, in_pieces] {
        let (client, _server) = connected(script.until_closed());
        let message = client.receive(PATIENT).unwrap_or_else(|status| panic!("{status:?}"));
        assert_eq!(message.name(), "a");
        let buffers: Vec<&[u8]> = (0..4).filter_map(|i| message.buffer(i)).collect();
        let expected: [&[u8]; 4] = [b"one", b"", &large, &large];
        assert!(buffers == expected);
        assert_eq!(client.disconnect(PATIENT), Ok(()));
    }
}

#[test]
fn a_session_that_comes_byte_by_byte() {
    let frames = [
        Frame::text(r#"42["a",{"b":[1,2.5e1,"\u00e9"]}]"#),
        Frame::text(r#"451-["c",{"_placeholder":true,"num":0}]"#),
        Frame::binary([0, 1, 2, 255]),
        Frame::text("2"),
        Frame::text(format!(r#"42["d","{}"]"#, "x".repeat(300))),
    ];
    let bytes: Vec<u8> = frames.iter().flat_map(Frame::encode).collect();
    let script = Script::new().connected().drip(bytes, 1, std::time::Duration::ZERO);
    let (client, server) = connected(script.expect_text("3").until_closed());
    assert_event(&client, "a", r#"[{"b":[1,25.0,"é"]}]"#);
    let message = client.receive(PATIENT).unwrap_or_else(|status| panic!("{status:?}"));
    assert_eq!((message.name(), message.buffer(0)), ("c", Some(&[0, 1, 2, 255][..])));
    assert_event(&client, "d", &format!("[\"{}\"]", "x".repeat(300)));
    assert_eq!(client.disconnect(PATIENT), Ok(()));
    server.finish();
}

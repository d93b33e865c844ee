//! How large what comes may be, and that nothing costs more memory than it has bytes.

#![forbid(unsafe_code)]

use sio::error::Status;

use crate::common::scripted::{Frame, Script, fragments, opcode};
use crate::support::*;

const MIB: usize = 1 << 20;

/// A plain event whose Socket.IO text has so many bytes.
fn event(len: usize) -> Frame {
    let frame = r#"2["e",""]"#.len();
    Frame::text(format!(r#"42["e","{}"]"#, "x".repeat(len - frame)))
}

/// The header of an event whose Socket.IO text has so many bytes, with attachments to come.
fn header(len: usize, attachments: usize) -> Frame {
    let text = format!(r#"5{attachments}-["b",""]"#);
    Frame::text(format!(r#"45{attachments}-["b","{}"]"#, "x".repeat(len - text.len())))
}

/// Of these frames nothing is taken, because they are too large together.
#[track_caller]
fn too_large(options: &[(&str, &str)], frames: Vec<Frame>, says: &str) {
    let script = ready().text(r#"42["a"]"#).frames(frames).until_closed();
    let (client, server) = prompted_with(options, script);
    assert_event(&client, "a", "[]");
    assert_ended(&client, says);
    let _ = wait_for_end(&server);
    assert_usable(&client);
}

#[test]
fn a_message_of_max_message_bytes_is_taken_and_one_byte_more_is_not() {
    for max in [1_000, 20_000] {
        let limit = max.to_string();
        let options = [("max_message_bytes", limit.as_str())];
        let script = Script::new().connected().frame(event(max)).text("2").until_closed();
        let (client, _server) = connected_with(&options, script);
        let message = client.receive(PATIENT).unwrap_or_else(|status| panic!("{status:?}"));
        assert_eq!(message.args().len(), max - r#"2["e",]"#.len() + 2);
        too_large(&options, vec![event(max + 1)], &format!("max_message_bytes is {max}"));
        let text = event(max + 1);
        let encoded = text.encode();
        let payload = &encoded[encoded.len() - max - 2..];
        let (one, two) = payload.split_at(max / 2);
        too_large(&options, fragments(opcode::TEXT, &[one, two]), "max_message_bytes");
    }
}

#[test]
fn a_packet_with_its_attachments_is_taken_up_to_max_message_bytes() {
    let options = [("max_message_bytes", "50000")];
    let frames = |last: usize| {
        vec![
            header(1000, 3),
            Frame::binary(""),
            Frame::binary(vec![0; 30_000]),
            Frame::binary(vec![1; last]),
        ]
    };
    let script = Script::new().connected().frames(frames(19_000)).until_closed();
    let (client, _server) = connected_with(&options, script);
    let message = client.receive(PATIENT).unwrap_or_else(|s| panic!("{s:?}: {}", client.error()));
    assert_eq!(message.buffer_count(), 3);
    too_large(&options, frames(19_001), "max_message_bytes");
    // Whatever the namespace is.
    let foreign = Frame::text("452-/other,[\"x\"]");
    let frames = vec![foreign, Frame::binary(vec![0; 30_000]), Frame::binary(vec![0; 30_000])];
    too_large(&options, frames, "max_message_bytes");
}

#[test]
fn as_many_attachments_as_max_attachments_are_taken() {
    for (option, count) in [(None, 1024), (Some("3"), 3), (Some("5000"), 5000)] {
        let options: Vec<_> = option.map(|max| ("max_attachments", max)).into_iter().collect();
        let mut frames = vec![Frame::text(format!("45{count}-[\"b\"]"))];
        frames.extend((0..count).map(|i: usize| Frame::binary(i.to_be_bytes())));
        let script = Script::new().connected().frames(frames).until_closed();
        let (client, _server) = connected_with(&options, script);
        let message = client.receive(PATIENT).unwrap_or_else(|status| panic!("{status:?}"));
        assert_eq!(message.buffer_count(), count);
        assert_eq!(message.buffer(count - 1), Some(&(count - 1).to_be_bytes()[..]));
        let more = Frame::text(format!("45{}-[\"b\"]", count + 1));
        too_large(&options, vec![more], "\"max_attachments\"");
    }
}

#[test]
fn nothing_is_allocated_for_what_is_only_announced() {
    let _loud = loud();
    let options = [("max_message_bytes", "4294967295"), ("max_attachments", "1048576")];
    let announcing = [
        vec![Frame::text("42[\"e\"").announcing(4_000_000_000)],
        vec![Frame::text("42[").not_final(), Frame::new(0, "").announcing(4_000_000_000)],
        vec![Frame::text("451048576-[\"b\"]"), Frame::binary("x").announcing(4_000_000_000)],
        vec![Frame::text("451048576-[\"b\"]")],
    ];
    for frames in announcing {
        let script = Script::new().connected().text(r#"42["a"]"#).frames(frames).until_told();
        let (client, server) = connected_with(&options, script);
        assert_event(&client, "a", "[]");
        let (resident, size) = (Memory::begin(), status("VmSize:"));
        assert_eq!(receive_fails(&client, limit(100)), Status::Timeout);
        assert!(resident.growth() < 4 * MIB, "{}", resident.growth());
        // A thread's own heap reserves 64 MiB.
        assert!(status("VmSize:").saturating_sub(size) < 500 * MIB);
        server.tell();
        assert_eq!(receive_fails(&client, PATIENT), Status::Disconnected);
    }
}

#[test]
fn what_is_announced_beyond_the_limit_is_refused_at_once() {
    let _loud = loud();
    for announced in [104_857_602, 1 << 40, u64::MAX >> 1] {
        let memory = Memory::begin();
        let frame = Frame::text("42[\"e\"").announcing(announced);
        too_large(&[], vec![frame.clone()], "max_message_bytes is 104857600");
        let binary = Frame::binary("x").announcing(announced);
        too_large(&[], vec![Frame::text("451-[\"b\"]"), binary], "max_message_bytes");
        assert!(memory.growth() < 8 * MIB, "{}", memory.growth());
    }
}

#[test]
fn a_thousand_levels_are_taken_and_a_million_cost_memory_in_proportion() {
    let _loud = loud();
    let nested = |levels: usize, open: &str, close: &str| {
        format!("[{}{}]", open.repeat(levels), close.repeat(levels))
    };
    for levels in [1_000, 1_000_000] {
        for (open, close) in [("[", "]"), ("{\"\":", "}")] {
            let inner = if open == "[" { "" } else { "0" };
            let args = format!("[{}{inner}{}]", open.repeat(levels), close.repeat(levels));
            let text = format!("42[\"deep\",{}", &args[1..]);
            let binary = format!("450-[\"deep\",{}", &args[1..]);
            let size = text.len();
            let script = Script::new().connected().text(text).text(binary).until_closed();
            let memory = Memory::begin();
            let (client, _server) = connected(script);
            for _ in 0..2 {
                let message = client.receive(PATIENT).unwrap_or_else(|status| panic!("{status:?}"));
                assert!(message.args() == args, "{levels} levels");
                assert!(message.find("/0/0/0/0/0").is_some() || open != "[");
                assert_eq!(message.find("/1"), None);
            }
            // The server holds each text, its frame and the kernel's copy.
            assert!(memory.growth() < 30 * size + 4 * MIB, "{} of {size}", memory.growth());
            assert_eq!(client.disconnect(PATIENT), Ok(()));
        }
    }
    let unclosed = [
        nested(1_000_000, "[", ""),
        nested(1_000_000, "{\"a\":", ""),
        nested(500_000, "[{\"a\":", "]"),
    ];
    for args in unclosed {
        let script = ready().text(format!("42[\"deep\",{}", &args[1..]));
        let (client, _server) = prompted(script.until_closed());
        assert_ended(&client, "EVENT");
    }
}

#[test]
fn a_number_of_a_hundred_million_digits() {
    let _loud = loud();
    let digits = 100_000_000;
    let script = Script::new().connected().then("send the number", move |peer| {
        let payload = [b"42[\"n\",".as_slice(), &vec![b'7'; digits], b"]"].concat();
        peer.frame(&Frame::new(opcode::TEXT, payload))
    });
    let (client, _server) = connected(script.text(r#"42["next"]"#).until_closed());
    let message = client.receive(PATIENT).unwrap_or_else(|s| panic!("{s:?}: {}", client.error()));
    assert_eq!((message.name(), message.args().len()), ("n", digits + 2));
    let (kind, value) = message.find("/0").expect("it is there");
    assert_eq!((kind, value.len()), (sio::json::Kind::Number, digits));
    assert_event(&client, "next", "[]");
}

#[test]
fn a_large_message_is_held_about_once() {
    let _loud = loud();
    let size = 64 * MIB;
    let script =
        Script::new().connected().text("42[\"a\"]").until_told().then("send", move |peer| {
            // In pieces, so that the server's own memory stays small.
            let text = Frame::text("42[\"n\",\"").announcing(size as u64 + 10);
            peer.raw(&text.encode())?;
            let piece = vec![b'x'; MIB];
            (0..size / MIB).try_for_each(|_| peer.raw(&piece))?;
            peer.raw(b"\"]")
        });
    let (client, server) = connected(script.until_closed());
    assert_event(&client, "a", "[]");
    let memory = Memory::begin();
    server.tell();
    let message = client.receive(PATIENT).unwrap_or_else(|s| panic!("{s:?}: {}", client.error()));
    assert_eq!(message.args().len(), size + 4);
    // The block grows by doubling, and is copied when the system cannot extend it in place.
    assert!(memory.growth() < 5 * size / 2, "{} MiB", memory.growth() / MIB);
}

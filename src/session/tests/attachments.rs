//! Packets with attachments: assembly, limits, and what may come between.

use super::*;

const P0: &str = r#"{"_placeholder":true,"num":0}"#;
const P1: &str = r#"{"_placeholder":true,"num":1}"#;

#[test]
fn attachments_are_put_together_whatever_their_size() {
    let large = vec![7; 100_000];
    let mut rig = Rig::connected();
    for round in 0..3 {
        assert_eq!(rig.text(&format!("453-[\"b\",[{P1},{P0},{round}]]")), Got::Nothing);
        assert_eq!(rig.binary(b"small"), Got::Nothing);
        assert_eq!(rig.own_binary(&large), Got::Nothing);
        let args = format!("[[{P1},{P0},{round}]]");
        assert_eq!(rig.binary(b""), binary_event("b", &args, &[b"small", &large, b""]));
    }
    assert_eq!(rig.session.counters.packets_received, 4);
}

#[test]
fn a_large_text_becomes_the_block_itself() {
    let mut rig = Rig::connected();
    let words = "w".repeat(40_000);
    assert_eq!(rig.own_text(&format!("452-[\"b\",\"{words}\",{P0}]")), Got::Nothing);
    assert_eq!(rig.binary(b"one"), Got::Nothing);
    let args = format!("[\"{words}\",{P0}]");
    assert_eq!(rig.binary(b"two"), binary_event("b", &args, &[b"one", b"two"]));
}

#[test]
fn a_block_may_be_taken_away() {
    let mut rig = Rig::connected();
    for _ in 0..2 {
        rig.text(&format!("451-[\"b\",{P0}]"));
        let input = Input::Binary(Attachment::Here(b"bytes"));
        let Event::Message { parcel: Parcel::Assembled { block, parts, .. }, .. } =
            rig.session.handle(input, rig.now)
        else {
            panic!("no message");
        };
        let block = std::mem::take(block);
        let [Part::Within { start, len }] = std::mem::take(parts)[..] else { panic!("no part") };
        assert_eq!(&block[start..start + len], b"bytes");
    }
}

#[test]
fn blocks_are_used_again() {
    let mut rig = Rig::connected();
    let mut places = Vec::new();
    for _ in 0..3 {
        rig.text(&format!("452-[\"b\",{P0}]"));
        rig.binary(&[1; 500]);
        let input = Input::Binary(Attachment::Here(&[2; 5_000]));
        let Event::Message { parcel: Parcel::Assembled { block, parts, .. }, .. } =
            rig.session.handle(input, rig.now)
        else {
            panic!("no message");
        };
        places.push((block.as_ptr(), parts.as_ptr()));
        parts.clear();
    }
    assert_eq!(places[1], places[2]);
}

#[test]
fn binary_packets_without_attachments_are_complete_at_once() {
    let mut rig = Rig::connected();
    assert_eq!(rig.text("450-[\"b\",1]"), event("b", "[1]"));
    let id = rig.session.begin_call(5);
    assert_eq!(rig.text(&format!("460-{id}[1]")), reply(5, "[1]", &[]));
    assert_eq!(rig.text("450-/b,[\"b\",1]"), Got::Nothing);
    assert_eq!(rig.text("42[\"next\"]"), event("next", "[]"));
}

#[test]
fn heartbeats_may_come_amid_attachments() {
    let mut rig = Rig::connected();
    rig.text(&format!("452-7[\"b\",{P0}]"));
    rig.text("2");
    rig.binary(b"1");
    rig.text("6");
    rig.text("3");
    rig.input(Input::WebSocketPing(b"p"));
    rig.input(Input::WebSocketPong(b"p"));
    let Got::Message { id: Some(7), content } = rig.binary(b"2") else { panic!("no message") };
    assert_eq!(content.buffers, [b"1", b"2"]);
    let pongs = [Transmit::EnginePong(String::new()), Transmit::WebSocketPong(b"p".to_vec())];
    assert_eq!(rig.sent(), pongs);
}

#[test]
fn another_packet_amid_attachments_is_a_parse_error() {
    for text in ["42[\"a\"]", "41", "430[]", "42/b,[\"a\"]", "451-[\"b\"]"] {
        let mut rig = Rig::connected();
        rig.text("453-[\"b\"]");
        rig.binary(b"1");
        assert_eq!(rig.text(text), Got::Nothing);
        rig.ended_by_parse_error("in the middle of another one, of which 1 of 3 attachments");
    }
    let mut rig = Rig::connected();
    rig.text("451-/b,[\"b\"]");
    rig.text("42[\"a\"]");
    rig.ended_by_parse_error("in the middle of another one");
}

#[test]
fn binary_that_nobody_announced_is_a_parse_error() {
    let mut rig = Rig::connected();
    rig.binary(b"x");
    rig.ended_by_parse_error("a binary message that no packet announced");
    let mut rig = Rig::connected();
    rig.text("451-[\"b\"]");
    rig.binary(b"x");
    rig.binary(b"y");
    rig.ended_by_parse_error("a binary message that no packet announced");
}

#[test]
fn more_than_max_attachments_is_a_parse_error() {
    let limits = Settings { max_attachments: 2, ..settings() };
    let mut rig = Rig::connected_with(limits.clone());
    rig.text("452-[\"b\"]");
    rig.binary(b"");
    assert_eq!(rig.binary(b""), binary_event("b", "[]", &[b"", b""]));
    rig.text("453-[\"b\"]");
    rig.ended_by_flaw("3 attachments, and \"max_attachments\" is 2", 1009);
    let mut rig = Rig::connected_with(limits);
    rig.text("469999999999-0[]");
    rig.ended_by_flaw("max_attachments", 1009);
}

#[test]
fn more_than_max_message_bytes_with_attachments_is_a_parse_error() {
    let text = "452-[\"b\"]";
    for (extra, whole) in [(0, true), (1, false)] {
        // The type byte of Engine.IO is no part of the packet.
        let max_message_bytes = text.len() - 1 + 20;
        let mut rig = Rig::connected_with(Settings { max_message_bytes, ..settings() });
        rig.text(text);
        assert_eq!(rig.binary(&[0; 10]), Got::Nothing);
        let got = rig.own_binary(&vec![0; 10 + extra]);
        assert_eq!(got != Got::Nothing, whole);
        if !whole {
            rig.ended_by_flaw("\"max_message_bytes\" (28)", 1009);
        }
    }
    let mut rig = Rig::connected_with(Settings { max_message_bytes: 5, ..settings() });
    rig.text(text);
    rig.ended_by_flaw("\"max_message_bytes\" (5)", 1009);
    // The bytes of packets that are thrown away count too.
    let mut rig = Rig::connected_with(Settings { max_message_bytes: 50, ..settings() });
    rig.text("452-/b,[\"b\"]");
    rig.binary(&[0; 30]);
    rig.binary(&[0; 30]);
    rig.ended_by_flaw("\"max_message_bytes\" (50)", 1009);
}

#[test]
fn nothing_is_allocated_from_an_announced_count() {
    let huge = Settings { max_attachments: usize::MAX, ..settings() };
    let mut rig = Rig::connected_with(huge);
    rig.text(&format!("45{}-[\"b\"]", u32::MAX));
    assert_eq!(rig.binary(b"1"), Got::Nothing);
    assert_eq!(rig.session.state(), State::Connected);
}

#[test]
fn thirty_seconds_without_a_byte_of_an_attachment_are_a_parse_error() {
    let mut rig = Rig::connected();
    rig.text("453-[\"b\"]");
    assert_eq!(rig.session.deadline(), Some(rig.now + ms(30_000)));
    rig.pass(ms(29_999));
    rig.binary(b"1");
    assert_eq!(rig.session.deadline(), Some(rig.now + ms(30_000)));
    rig.pass(ms(29_999));
    // Bytes of a frame that is not yet whole count.
    rig.session.touch(rig.now);
    rig.pass(ms(29_999));
    assert_eq!(rig.session.state(), State::Connected);
    rig.pass(ms(1));
    rig.ended_by_parse_error("nothing came for 30 s of a packet's attachments: 1 of 3");
}

#[test]
fn heartbeats_keep_no_attachment_alive() {
    for control in 0..4 {
        let mut rig = Rig::connected();
        rig.text("451-[\"b\"]");
        let end = rig.now + ms(30_000);
        for _ in 0..2 {
            rig.pass(ms(10_000));
            match control {
                0 => drop(rig.text("2")),
                1 => drop(rig.text("6")),
                2 => {
                    rig.session.touch(rig.now);
                    rig.input(Input::WebSocketPing(b""));
                }
                _ => {
                    rig.session.touch(rig.now);
                    rig.input(Input::WebSocketPong(b""));
                }
            }
            assert_eq!(rig.session.deadline(), Some(end));
        }
        rig.pass(ms(10_000));
        rig.ended_by_parse_error("30 s");
    }
}

#[test]
fn a_pause_stops_the_clock_of_attachments() {
    let mut rig = Rig::connected();
    rig.text("451-[\"b\"]");
    rig.pass(ms(10_000));
    rig.session.pause(rig.now);
    assert_eq!(rig.session.deadline(), None);
    rig.pass(ms(100_000));
    rig.session.resume(rig.now);
    assert_eq!(rig.session.deadline(), Some(rig.now + ms(20_000)));
    rig.pass(ms(19_999));
    assert_eq!(rig.binary(b"x"), binary_event("b", "[]", &[b"x"]));
    assert_eq!(rig.session.deadline(), Some(rig.now + ms(SILENCE_MS)));
}

#[test]
fn a_new_connection_knows_nothing_of_half_a_packet() {
    let mut rig = Rig::connected();
    rig.text("452-[\"b\"]");
    rig.binary(b"1");
    rig.input(Input::Eof);
    rig.actions();
    rig.session.connect(settings(), false, rig.now);
    rig.input(Input::Open);
    rig.text(OPEN);
    rig.text("40{\"sid\":\"second\"}");
    assert_eq!(rig.text("42[\"a\"]"), event("a", "[]"));
    rig.text("451-[\"c\"]");
    assert_eq!(rig.binary(b"2"), binary_event("c", "[]", &[b"2"]));
}

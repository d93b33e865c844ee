//! Tests of the queue while its connection lasts.
use super::*;
use crate::packet::socket::OutKind;
use crate::transport::frame::frame_len;
use crate::transport::polling::Post;

pub(super) fn outbox() -> Outbox {
    Outbox::new([7; 32])
}

pub(super) fn event(id: Option<u64>) -> Outgoing<'static> {
    let kind = OutKind::Event { quoted_name: b"\"n\"" };
    Outgoing { kind, id, args: "[1]", args_empty: false, attachments: 0 }
}

pub(super) fn push(outbox: &mut Outbox, role: Role, connected: bool) {
    let id = match role {
        Role::Call(id) => Some(id),
        _ => None,
    };
    outbox.push(&event(id), "/", &[], role, connected);
}

/// What the frames say when they are unmasked, one text each.
pub(super) fn unmasked(mut bytes: &[u8]) -> Vec<String> {
    let mut texts = Vec::new();
    while let [_, len, rest @ ..] = bytes {
        let len = usize::from(len & 0x7f);
        assert!(len < 126);
        let (key, payload) = rest.split_at(4);
        let plain = payload[..len].iter().enumerate().map(|(at, byte)| byte ^ key[at & 3]);
        texts.push(String::from_utf8(plain.collect()).unwrap());
        bytes = &payload[len..];
    }
    texts
}

#[test]
fn a_packet_is_framed_at_once_while_connected_and_waits_otherwise() {
    let mut outbox = outbox();
    push(&mut outbox, Role::Event, false);
    push(&mut outbox, Role::Event, true);
    assert!(outbox.has_waiting());
    assert!(outbox.is_written());
    assert!(outbox.take_as_caller().is_none());
    outbox.frame_waiting();
    outbox.frame_waiting();
    assert!(!outbox.has_waiting());
    let frames = outbox.take_as_caller().unwrap();
    assert_eq!(unmasked(&frames), ["42[\"n\",1]", "42[\"n\",1]"]);
}

#[test]
fn there_is_one_writer_at_a_time() {
    let mut outbox = outbox();
    push(&mut outbox, Role::Event, true);
    let frames = outbox.take_as_caller().unwrap();
    push(&mut outbox, Role::Event, true);
    assert!(outbox.take_as_caller().is_none());
    assert!(!outbox.leave_to_driver());
    let mut driver = Vec::new();
    assert!(!outbox.take_as_driver(&mut driver));
    let len = frames.len();
    // The caller is done, and what came meanwhile is left to the driver, which has to be told.
    assert!(outbox.caller_wrote(frames, len));
    assert!(outbox.take_as_driver(&mut driver));
    outbox.driver_wrote(driver.len(), true);
    assert!(outbox.is_written());
    assert!(outbox.is_empty());
}

#[test]
fn what_a_caller_could_not_write_goes_before_what_came_meanwhile() {
    let mut outbox = outbox();
    push(&mut outbox, Role::Call(3), true);
    let frames = outbox.take_as_caller().unwrap();
    let whole = frames.clone();
    push(&mut outbox, Role::Call(4), true);
    assert!(outbox.caller_wrote(frames, 5));
    let mut driver = Vec::new();
    assert!(outbox.take_as_driver(&mut driver));
    let mut stream = whole[..5].to_vec();
    stream.extend_from_slice(&driver);
    assert_eq!(unmasked(&stream), ["423[\"n\",1]", "424[\"n\",1]"]);
}

#[test]
fn the_cost_falls_when_a_packet_is_wholly_written_and_not_before() {
    let mut outbox = outbox();
    push(&mut outbox, Role::Event, true);
    let one = outbox.cost();
    assert_eq!(one, OVERHEAD + "2[\"n\",1]".len());
    push(&mut outbox, Role::Answer, true);
    assert_eq!(outbox.answers_cost(), one);
    let mut driver = Vec::new();
    assert!(outbox.take_as_driver(&mut driver));
    let frame = frame_len("42[\"n\",1]".len());
    outbox.driver_wrote(frame, false);
    assert_eq!(outbox.cost(), one);
    outbox.driver_wrote(frame - 1, false);
    assert_eq!(outbox.cost(), one);
    outbox.driver_wrote(1, true);
    assert_eq!((outbox.cost(), outbox.answers_cost()), (0, 0));
}

#[test]
fn one_packet_larger_than_the_limit_is_taken_when_nothing_else_waits() {
    let mut outbox = outbox();
    assert!(outbox.has_room(1_000_000, 10));
    push(&mut outbox, Role::Event, true);
    assert!(!outbox.has_room(1, 10));
    assert!(outbox.has_room(1, 10_000));
}

#[test]
fn a_flush_waits_for_what_was_queued_before_it_and_for_no_more() {
    let mut outbox = outbox();
    assert!(outbox.is_flushed(outbox.last_sequence()));
    push(&mut outbox, Role::Event, true);
    let flush = outbox.last_sequence();
    let frames = outbox.take_as_caller().unwrap();
    push(&mut outbox, Role::Event, true);
    assert!(!outbox.is_flushed(flush));
    let len = frames.len();
    outbox.caller_wrote(frames, len);
    assert!(outbox.is_flushed(flush));
    assert!(!outbox.is_flushed(outbox.last_sequence()));
}

#[test]
fn a_call_that_ended_is_taken_out_of_what_waits() {
    let mut outbox = outbox();
    push(&mut outbox, Role::Call(0), false);
    push(&mut outbox, Role::Call(1), false);
    assert!(outbox.cancel_call(0));
    assert!(!outbox.cancel_call(0));
    outbox.frame_waiting();
    let frames = outbox.take_as_caller().unwrap();
    assert_eq!(unmasked(&frames), ["421[\"n\",1]"]);
    // It is on its way.
    assert!(!outbox.cancel_call(1));
}

#[test]
fn a_call_that_ended_is_cut_out_of_the_frames_that_nobody_has_taken() {
    let mut outbox = outbox();
    push(&mut outbox, Role::Call(0), true);
    let frames = outbox.take_as_caller().unwrap();
    for id in 1..4 {
        push(&mut outbox, Role::Call(id), true);
    }
    // A control frame stands between, and is none of the program's packets.
    outbox.frame_text(b'3', b"");
    push(&mut outbox, Role::Call(4), true);
    assert!(!outbox.cancel_call(0));
    assert!(outbox.cancel_call(2));
    assert!(outbox.cancel_call(4));
    assert_eq!(outbox.len(), 3);
    let len = frames.len();
    outbox.caller_wrote(frames, len);
    let mut driver = Vec::new();
    assert!(outbox.take_as_driver(&mut driver));
    assert_eq!(unmasked(&driver), ["421[\"n\",1]", "423[\"n\",1]", "3"]);
    outbox.driver_wrote(driver.len(), true);
    assert!(outbox.is_written());
    assert_eq!((outbox.len(), outbox.cost()), (0, 0));
}

#[test]
fn a_driver_that_was_told_of_what_is_gone_is_told_again_of_the_next() {
    let mut outbox = outbox();
    push(&mut outbox, Role::Call(0), true);
    assert!(outbox.leave_to_driver());
    assert!(outbox.cancel_call(0));
    assert!(!outbox.take_as_driver(&mut Vec::new()));
    push(&mut outbox, Role::Event, true);
    assert!(!outbox.is_being_written());
    assert!(outbox.leave_to_driver());
}

#[test]
fn calls_that_are_not_framed_are_taken_out_together() {
    let mut outbox = outbox();
    for id in 0..2 {
        push(&mut outbox, Role::Call(id), false);
        push(&mut outbox, Role::Event, false);
    }
    outbox.frame_waiting();
    let cost = outbox.cost();
    assert_eq!(outbox.cancel_calls(), [1]);
    assert_eq!(outbox.len(), 3);
    assert!(outbox.cost() < cost);
}

#[test]
fn the_room_that_a_large_packet_made_is_given_back() {
    assert_eq!(emptied(Vec::with_capacity(8 << 20)).capacity(), 0);
    assert!(emptied(Vec::with_capacity(1 << 20)).capacity() > 0);
}

#[test]
fn above_a_mebibyte_on_the_way_packets_wait_unframed() {
    let mut outbox = outbox();
    let large = vec![0; 600 * 1024];
    let kind = OutKind::Event { quoted_name: b"\"n\"" };
    let args = r#"[{"_placeholder":true,"num":0}]"#;
    let outgoing = Outgoing { kind, id: None, args, args_empty: false, attachments: 1 };
    for _ in 0..3 {
        outbox.push(&outgoing, "/", &[&large], Role::Event, true);
    }
    assert!(outbox.has_waiting());
    assert_eq!(outbox.len(), 3);
    let mut driver = Vec::new();
    assert!(outbox.take_as_driver(&mut driver));
    assert!(!outbox.can_frame());
    outbox.driver_wrote(driver.len(), true);
    assert!(outbox.can_frame());
}

#[test]
fn what_a_caller_could_not_write_is_not_cut_and_goes_to_the_driver() {
    let mut outbox = outbox();
    push(&mut outbox, Role::Call(0), true);
    push(&mut outbox, Role::Call(1), true);
    let frames = outbox.take_as_caller().unwrap();
    push(&mut outbox, Role::Call(2), true);
    let whole = frames.clone();
    assert!(outbox.caller_wrote(frames, 3));
    assert!(outbox.is_being_written());
    assert!(outbox.take_as_caller().is_none());
    // A stream below may have sealed the second already.
    assert!(!outbox.cancel_call(1));
    assert!(outbox.cancel_call(2));
    let mut driver = Vec::new();
    assert!(outbox.take_as_driver(&mut driver));
    assert_eq!(driver, whole[3..]);
    outbox.driver_wrote(driver.len(), true);
    assert!(outbox.is_between_frames());
    assert!(outbox.is_empty());
}

fn with_buffers(outbox: &mut Outbox, buffers: &[&[u8]], role: Role) {
    let attachments = buffers.len();
    outbox.push(&Outgoing { attachments, ..event(None) }, "/", buffers, role, true);
}

fn posted(outbox: &mut Outbox, limit: u64) -> String {
    let mut post = Post::new(Some(limit));
    outbox.fill_post(&mut post);
    String::from_utf8(post.into_body()).unwrap()
}

#[test]
fn by_polling_packets_wait_for_a_post_and_leave_when_it_is_sent() {
    let mut outbox = outbox();
    outbox.begin(Transport::Polling);
    assert!(!outbox.can_frame());
    push(&mut outbox, Role::Event, true);
    with_buffers(&mut outbox, &[&[1, 2, 3, 4], &[]], Role::Answer);
    let (cost, sequence) = (outbox.cost(), outbox.last_sequence());
    assert!(outbox.take_as_caller().is_none());
    assert!(!outbox.leave_to_driver());
    assert_eq!(posted(&mut outbox, 1000), "42[\"n\",1]\x1e452-[\"n\",1]\x1ebAQIDBA==\x1eb");
    assert!(outbox.is_posting());
    assert!(!outbox.has_waiting());
    outbox.post_begun();
    assert_eq!((outbox.len(), outbox.cost()), (2, cost));
    assert!(!outbox.is_flushed(sequence - 1));
    outbox.post_sent();
    assert!(!outbox.is_posting());
    assert_eq!((outbox.len(), outbox.cost(), outbox.answers_cost()), (0, 0, 0));
    assert!(outbox.is_flushed(sequence));
}

#[test]
fn a_packet_that_does_not_fit_goes_on_at_the_start_of_the_next_post() {
    let mut outbox = outbox();
    outbox.begin(Transport::Polling);
    with_buffers(&mut outbox, &[&[1; 3], &[2; 3], &[3; 3]], Role::Call(0));
    push(&mut outbox, Role::Call(1), true);
    // The type of the message counts as well.
    assert_eq!(posted(&mut outbox, 26), "453-[\"n\",1]\x1ebAQEB\x1ebAgIC");
    assert!(outbox.has_waiting());
    // It is not taken out any more, and the one behind it is.
    assert!(!outbox.cancel_call(0));
    assert!(outbox.cancel_call(1));
    push(&mut outbox, Role::Event, true);
    outbox.post_sent();
    assert_eq!(outbox.len(), 2);
    assert_eq!(posted(&mut outbox, 1000), "bAwMD\x1e42[\"n\",1]");
    outbox.post_sent();
    assert!(outbox.is_empty());
}

#[test]
fn a_post_takes_sixteen_packets_of_what_waits() {
    let mut outbox = outbox();
    outbox.begin(Transport::Polling);
    for _ in 0..20 {
        push(&mut outbox, Role::Event, true);
    }
    assert_eq!(posted(&mut outbox, 1_000_000).split('\x1e').count(), 16);
    outbox.post_sent();
    assert_eq!(outbox.len(), 4);
}

#[test]
fn after_the_upgrade_the_rest_of_a_packet_goes_first() {
    let mut outbox = outbox();
    outbox.begin(Transport::Polling);
    with_buffers(&mut outbox, &[b"one", b"two"], Role::Event);
    push(&mut outbox, Role::Event, true);
    assert_eq!(posted(&mut outbox, 18), "452-[\"n\",1]\x1ebb25l");
    outbox.post_begun();
    outbox.post_sent();
    outbox.begin(Transport::WebSocket);
    push(&mut outbox, Role::Event, true);
    while outbox.has_waiting() {
        outbox.frame_waiting();
    }
    let frames = outbox.take_as_caller().unwrap();
    assert_eq!(unmasked(&frames), ["two", "42[\"n\",1]", "42[\"n\",1]"]);
    let len = frames.len();
    outbox.caller_wrote(frames, len);
    assert!(outbox.is_empty());
    // Now that nothing waits packets are framed at once.
    push(&mut outbox, Role::Event, true);
    assert!(!outbox.has_waiting());
}

#[test]
fn a_packet_is_posted_alone_so_that_its_size_can_be_checked_before() {
    let mut outbox = outbox();
    outbox.begin(Transport::Polling);
    push(&mut outbox, Role::Event, true);
    push(&mut outbox, Role::Call(5), true);
    let mut post = Post::new(None);
    assert!(outbox.post_waiting(&mut post));
    assert_eq!(outbox.drop_waiting().map(|packet| packet.role), Some(Role::Call(5)));
    assert!(!outbox.post_waiting(&mut post));
    assert_eq!(post.packets(), 1);
    assert!(outbox.take_loss());
}

#[test]
fn at_rest_the_buffers_of_a_burst_are_given_back_and_what_is_framed_stays() {
    let mut outbox = outbox();
    let fill = |outbox: &mut Outbox, count| {
        (0..count).for_each(|_| push(outbox, Role::Event, true));
    };
    let room = |outbox: &Outbox| outbox.stream.frames.capacity() + outbox.stream.marks.capacity();
    fill(&mut outbox, 1);
    let frames = outbox.take_as_caller().unwrap();
    fill(&mut outbox, 10_000);
    let count = frames.len();
    assert!(outbox.caller_wrote(frames, count));
    let mut taken = Vec::new();
    assert!(outbox.take_as_driver(&mut taken));
    let count = taken.len();
    outbox.driver_wrote(count, true);
    let mut taken = emptied(taken);
    fill(&mut outbox, 1);
    // The driver's buffer has gone back and forth.
    std::mem::swap(&mut outbox.stream.frames, &mut taken);
    outbox.stream.frames.extend_from_slice(&taken);
    assert!(room(&outbox) > 10_000);
    outbox.rest();
    assert!(room(&outbox) < 1024, "{}", room(&outbox));
    assert_eq!(unmasked(&outbox.take_as_caller().unwrap()), ["42[\"n\",1]"]);
}

//! Tests of what is lost, and what stays, when a connection ends.
use super::tests::{event, outbox, push, unmasked};
use super::*;
use crate::transport::frame::frame_len;
use crate::transport::polling::Post;

/// What the next connection sends, by WebSocket.
fn sent_next(outbox: &mut Outbox) -> Vec<String> {
    outbox.begin(Transport::WebSocket);
    while outbox.has_waiting() {
        outbox.frame_waiting();
    }
    let Some(frames) = outbox.take_as_caller() else { return Vec::new() };
    let texts = unmasked(&frames);
    let len = frames.len();
    outbox.caller_wrote(frames, len);
    assert!(outbox.is_empty());
    assert_eq!(outbox.answers_cost(), 0);
    texts
}

fn kept(kept_calls: &[u64]) -> Lost {
    Lost { kept_calls: kept_calls.to_vec(), ..Lost::default() }
}

/// The length of the frame of a call with an id of one digit.
const CALL: usize = 2 + 4 + "420[\"n\",1]".len();

#[test]
fn a_loss_tells_which_calls_were_not_sent_and_is_told_once() {
    let mut outbox = outbox();
    push(&mut outbox, Role::Call(0), true);
    let frames = outbox.take_as_caller().unwrap();
    push(&mut outbox, Role::Call(1), true);
    outbox.caller_wrote(frames, 1);
    push(&mut outbox, Role::Call(2), true);
    let lost = outbox.lose(1, Keep::Nothing);
    assert_eq!(lost, Lost { packets: 3, unsent_calls: vec![1, 2], ..Lost::default() });
    assert!(outbox.take_loss());
    assert!(!outbox.take_loss());
    assert!(outbox.is_empty());
    assert_eq!(outbox.cost(), 0);
}

#[test]
fn while_a_write_goes_on_its_packets_count_as_sent() {
    let mut outbox = outbox();
    push(&mut outbox, Role::Call(0), true);
    push(&mut outbox, Role::Event, true);
    let first = frame_len("420[\"n\",1]".len());
    let frames = outbox.take_as_caller().unwrap();
    push(&mut outbox, Role::Call(1), true);
    assert_eq!(
        outbox.lose(1, Keep::Nothing),
        Lost { packets: 1, unsent_calls: vec![1], ..Lost::default() }
    );
    assert!(outbox.take_loss());
    // It reports after the end: one of its two packets had gone out.
    assert_eq!(outbox.give_back(2, &[], frames.len()).packets, 0);
    assert_eq!(outbox.give_back(1, &frames[first..], first).packets, 1);
    assert!(outbox.take_loss());
    assert_eq!(outbox.give_back(1, &frames[first..], first).packets, 0);
}

#[test]
fn what_was_not_touched_stays_in_order_and_answers_do_not() {
    let mut outbox = outbox();
    for id in 0..3 {
        push(&mut outbox, Role::Call(id), true);
    }
    let frames = outbox.take_as_caller().unwrap();
    push(&mut outbox, Role::Answer, true);
    push(&mut outbox, Role::Call(3), true);
    // The first has left, of the second a byte has; the third is held for the driver.
    outbox.caller_wrote(frames, CALL + 1);
    push(&mut outbox, Role::Call(4), false);
    let lost = outbox.lose(1, Keep::Untouched);
    assert_eq!(lost, Lost { packets: 2, ..kept(&[2, 3, 4]) });
    assert!(outbox.take_loss());
    assert_eq!((outbox.len(), outbox.answers_cost()), (3, 0));
    assert!(!outbox.is_flushed(outbox.last_sequence()));
    assert_eq!(sent_next(&mut outbox), ["422[\"n\",1]", "423[\"n\",1]", "424[\"n\",1]"]);
}

#[test]
fn what_a_writer_holds_is_in_limbo_until_it_reports() {
    for busy in [true, false] {
        let mut outbox = outbox();
        for id in 0..4 {
            push(&mut outbox, Role::Call(id), true);
        }
        let mut out = Vec::new();
        assert!(outbox.take_as_driver(&mut out));
        if !busy {
            // It is between two writes, and nothing is with the system yet.
            outbox.driver_wrote(0, false);
        }
        push(&mut outbox, Role::Call(4), true);
        let cost = outbox.cost();
        assert_eq!(outbox.lose(7, Keep::Untouched), kept(&[0, 1, 2, 3, 4]));
        assert_eq!((outbox.len(), outbox.cost()), (5, cost));
        assert!(!outbox.is_flushed(1));
        // One has left, of another a byte has.
        let count = if busy { CALL + 1 } else { 0 };
        let lost = outbox.give_back(7, &out[count..], count);
        let expected = match busy {
            true => Lost { packets: 1, lost_calls: vec![0, 1], ..kept(&[2, 3]) },
            false => kept(&[0, 1, 2, 3]),
        };
        assert_eq!(lost, expected);
        assert_eq!(outbox.give_back(7, &out, 0), Lost::default());
        let first = if busy { 2 } else { 0 };
        let texts: Vec<String> = (first..5).map(|id| format!("42{id}[\"n\",1]")).collect();
        assert_eq!(sent_next(&mut outbox), texts);
    }
}

#[test]
fn what_comes_back_late_is_sent_once_all_the_same() {
    let mut outbox = outbox();
    push(&mut outbox, Role::Event, true);
    let frames = outbox.take_as_caller().unwrap();
    assert_eq!(outbox.lose(1, Keep::Untouched), kept(&[]));
    // A connection comes and goes, and the caller still has not reported.
    outbox.begin(Transport::WebSocket);
    push(&mut outbox, Role::Call(8), true);
    assert_eq!(outbox.lose(2, Keep::Untouched), kept(&[8]));
    assert_eq!(outbox.len(), 2);
    assert_eq!(outbox.give_back(1, &frames, 0), Lost::default());
    assert_eq!(sent_next(&mut outbox), ["42[\"n\",1]", "428[\"n\",1]"]);
}

#[test]
fn what_is_in_limbo_is_lost_if_nothing_stays_at_the_next_end() {
    let mut outbox = outbox();
    push(&mut outbox, Role::Call(0), true);
    push(&mut outbox, Role::Event, true);
    let frames = outbox.take_as_caller().unwrap();
    assert_eq!(outbox.lose(1, Keep::Untouched), kept(&[0]));
    assert_eq!(outbox.lose(2, Keep::Nothing), Lost::default());
    assert!(outbox.is_empty());
    let lost = outbox.give_back(1, &frames[CALL..], CALL);
    assert_eq!(lost, Lost { packets: 1, ..Lost::default() });
    assert_eq!(sent_next(&mut outbox), [""; 0]);
}

#[test]
fn a_writer_that_never_reports_is_waited_for_until_the_next_end() {
    let mut outbox = outbox();
    push(&mut outbox, Role::Event, true);
    outbox.take_as_caller().unwrap();
    assert_eq!(outbox.lose(1, Keep::Nothing).packets, 0);
    assert_eq!(outbox.lose(2, Keep::Nothing).packets, 1);
    assert_eq!(outbox.give_back(1, &[], 0), Lost::default());
}

#[test]
fn calls_that_ended_do_not_stay_wherever_their_packets_are() {
    let mut outbox = outbox();
    for id in 0..5 {
        push(&mut outbox, Role::Call(id), true);
    }
    let frames = outbox.take_as_caller().unwrap();
    push(&mut outbox, Role::Call(5), true);
    assert!(!outbox.cancel_call(3));
    assert_eq!(outbox.lose(1, Keep::Untouched), kept(&[0, 1, 2, 4, 5]));
    assert!(outbox.cancel_call(2));
    assert!(!outbox.cancel_call(2));
    assert!(outbox.cancel_call(5));
    assert_eq!(outbox.give_back(1, &frames, 0), kept(&[0, 1, 4]));
    assert!(outbox.cancel_call(1));
    assert_eq!(sent_next(&mut outbox), ["420[\"n\",1]", "424[\"n\",1]"]);
    assert!(!outbox.take_loss());
}

#[test]
fn all_calls_end_also_in_limbo() {
    let mut outbox = outbox();
    push(&mut outbox, Role::Call(0), true);
    push(&mut outbox, Role::Event, true);
    let frames = outbox.take_as_caller().unwrap();
    push(&mut outbox, Role::Call(1), true);
    assert_eq!(outbox.lose(1, Keep::Untouched), kept(&[0, 1]));
    assert_eq!(outbox.cancel_calls(), [1]);
    assert_eq!(outbox.give_back(1, &frames, 0), Lost::default());
    assert_eq!(sent_next(&mut outbox), ["42[\"n\",1]"]);
}

fn polling(packets: u64, limit: u64) -> (Outbox, Post) {
    let mut outbox = outbox();
    outbox.begin(Transport::Polling);
    for id in 0..packets {
        let outgoing = Outgoing { attachments: 2, ..event(Some(id)) };
        outbox.push(&outgoing, "/", &[b"one", b"two"], Role::Call(id), true);
    }
    let mut post = Post::new(Some(limit));
    outbox.fill_post(&mut post);
    (outbox, post)
}

#[test]
fn a_post_of_which_nothing_has_gone_comes_back() {
    let (mut outbox, post) = polling(8, 1000);
    // Five packets and the text of a sixth.
    assert_eq!(post.packets(), 16);
    assert!(!outbox.cancel_call(1));
    assert!(!outbox.cancel_call(5));
    assert!(outbox.cancel_call(6));
    assert_eq!(outbox.lose(1, Keep::Untouched), kept(&[0, 2, 3, 4, 7]));
    assert!(!outbox.is_posting());
    let texts = sent_next(&mut outbox);
    let heads: Vec<&str> = texts.iter().map(|text| &text[..text.len().min(5)]).collect();
    assert_eq!(heads[..5], ["452-0", "one", "two", "452-2", "one"]);
    assert_eq!(heads.len(), 15);
}

#[test]
fn a_post_of_which_a_byte_has_gone_is_lost() {
    let (mut outbox, _) = polling(8, 1000);
    outbox.post_begun();
    assert_eq!(outbox.lose(1, Keep::Untouched), Lost { packets: 6, ..kept(&[6, 7]) });
    assert_eq!(sent_next(&mut outbox).len(), 6);
    let (mut outbox, _) = polling(8, 1000);
    outbox.post_sent();
    // It has gone, but of the sixth only the text.
    let unsent_calls = vec![6, 7];
    assert_eq!(outbox.lose(1, Keep::Nothing), Lost { packets: 3, unsent_calls, ..Lost::default() });
    assert!(outbox.is_empty());
}

#[test]
fn a_packet_that_went_in_part_is_lost_with_the_next_post_and_after_the_upgrade() {
    let (mut outbox, _) = polling(1, 20);
    outbox.post_sent();
    assert!(outbox.has_waiting());
    let mut post = Post::new(Some(20));
    outbox.fill_post(&mut post);
    assert_eq!(outbox.lose(1, Keep::Untouched), Lost { packets: 1, ..Lost::default() });

    let (mut outbox, _) = polling(2, 20);
    outbox.post_sent();
    outbox.begin(Transport::WebSocket);
    outbox.frame_waiting();
    outbox.frame_waiting();
    assert_eq!(outbox.lose(1, Keep::Untouched), Lost { packets: 1, ..kept(&[1]) });
}

#[test]
fn what_stays_is_sent_to_the_namespace_as_it_is_then() {
    let mut outbox = outbox();
    push(&mut outbox, Role::Event, true);
    let frames = outbox.take_as_caller().unwrap();
    push(&mut outbox, Role::Call(1), true);
    assert_eq!(outbox.lose(1, Keep::Untouched), kept(&[1]));
    outbox.rename("/", "/a");
    outbox.push(&event(None), "/a", &[], Role::Event, false);
    outbox.rename("/a", "/bc");
    assert_eq!(outbox.give_back(1, &frames, 0), Lost::default());
    let texts = ["42/bc,[\"n\",1]", "42/bc,1[\"n\",1]", "42/bc,[\"n\",1]"];
    assert_eq!(outbox.cost(), 3 * OVERHEAD + texts.concat().len() - 3);
    assert_eq!(sent_next(&mut outbox), texts);
}

#[test]
fn what_comes_back_late_does_not_come_between_the_parts_of_another() {
    let mut outbox = outbox();
    push(&mut outbox, Role::Event, true);
    let frames = outbox.take_as_caller().unwrap();
    assert_eq!(outbox.lose(1, Keep::Untouched), kept(&[]));
    outbox.begin(Transport::Polling);
    outbox.push(&Outgoing { attachments: 1, ..event(None) }, "/", &[b"one"], Role::Event, true);
    let mut post = Post::new(Some(15));
    outbox.fill_post(&mut post);
    assert_eq!(post.into_body(), b"451-[\"n\",1]");
    assert_eq!(outbox.give_back(1, &frames, 0), Lost::default());
    outbox.post_sent();
    let mut post = Post::new(None);
    outbox.fill_post(&mut post);
    assert_eq!(post.into_body(), b"bb25l\x1e42[\"n\",1]");
    assert!(!outbox.is_flushed(1));
    outbox.post_sent();
    assert!(outbox.is_empty());
}

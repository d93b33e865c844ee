use super::*;
use crate::packet::socket;

fn push(inbox: &mut Inbox, text: &str) -> Pushed {
    let packet = socket::parse(text).unwrap();
    inbox.push(
        Parcel::Plain { packet: &packet, text: Text::Here(text.as_bytes()) },
        None,
        false,
        false,
    )
}

fn hold(inbox: &mut Inbox, text: &str) {
    let packet = socket::parse(text).unwrap();
    let early = Parcel::Plain { packet: &packet, text: Text::Here(text.as_bytes()) };
    inbox.push(early, None, true, false);
}

fn number(message: &Message) -> usize {
    message.args().trim_matches(['[', ']', ' ']).parse().unwrap()
}

#[test]
fn events_come_out_in_order_and_the_memory_stays_flat() {
    let mut inbox = Inbox::new(usize::MAX, Overflow::Pause);
    let (mut next_in, mut next_out) = (0, 0);
    for round in 0..2000 {
        for _ in 0..(round % 97) {
            push(&mut inbox, &format!("2[\"number\",{next_in}]"));
            next_in += 1;
        }
        for _ in 0..(round % 97) {
            assert_eq!(number(&inbox.pop().unwrap()), next_out);
            next_out += 1;
        }
        assert!(inbox.chunks.len() <= 2);
    }
    assert!(inbox.is_empty());
    assert_eq!(inbox.cost(), 0);
}

#[test]
fn one_event_may_exceed_the_limit_and_then_reading_pauses() {
    let mut inbox = Inbox::new(100, Overflow::Pause);
    assert!(!inbox.is_full());
    push(&mut inbox, &format!("2[\"n\",\"{}\"]", "x".repeat(500)));
    assert!(inbox.is_full());
    inbox.pop().unwrap();
    assert!(!inbox.is_full());
}

#[test]
fn reading_goes_on_when_half_of_the_limit_is_free() {
    let mut inbox = Inbox::new(4 * (OVERHEAD + 5), Overflow::Pause);
    for n in 0..4 {
        assert!(!inbox.is_full());
        push(&mut inbox, &format!("2[\"\",{n}]"));
    }
    assert!(inbox.is_full());
    inbox.pop().unwrap();
    assert!(inbox.is_full());
    inbox.pop().unwrap();
    assert!(!inbox.is_full());
}

#[test]
fn drop_newest_keeps_the_oldest_and_drop_oldest_the_newest() {
    let mut inbox = Inbox::new(2 * OVERHEAD, Overflow::DropNewest);
    let fates: Vec<_> = (0..4).map(|n| push(&mut inbox, &format!("2[\"n\",{n}]"))).collect();
    assert_eq!(fates[2..], [Pushed::Dropped, Pushed::Dropped]);
    assert_eq!(number(&inbox.pop().unwrap()), 0);

    let mut inbox = Inbox::new(2 * OVERHEAD, Overflow::DropOldest);
    for n in 0..4 {
        push(&mut inbox, &format!("2[\"n\",{n}]"));
    }
    assert_eq!(number(&inbox.pop().unwrap()), 2);
    assert_eq!(number(&inbox.pop().unwrap()), 3);
    assert!(inbox.pop().is_none());
}

#[test]
fn a_limit_of_zero_with_drop_newest_keeps_nothing() {
    let mut inbox = Inbox::new(0, Overflow::DropNewest);
    assert_eq!(push(&mut inbox, "2[\"n\",1]"), Pushed::Dropped);
    assert!(inbox.pop().is_none());
}

#[test]
fn what_is_held_back_is_not_handed_out_before_its_release() {
    let mut inbox = Inbox::new(usize::MAX, Overflow::Pause);
    push(&mut inbox, "2[\"n\",0]");
    hold(&mut inbox, "2[\"n\",1]");
    assert_eq!(number(&inbox.pop().unwrap()), 0);
    assert!(inbox.pop().is_none());
    inbox.release();
    assert_eq!(number(&inbox.pop().unwrap()), 1);
}

#[test]
fn dropping_what_is_held_back_keeps_the_rest() {
    let mut inbox = Inbox::new(usize::MAX, Overflow::Pause);
    push(&mut inbox, "2[\"n\",0]");
    hold(&mut inbox, "2[\"n\",1]");
    assert_eq!(inbox.drop_held(), 1);
    assert_eq!(number(&inbox.pop().unwrap()), 0);
    assert!(inbox.pop().is_none());
    assert_eq!(inbox.cost(), 0);
}

#[test]
fn a_state_message_keeps_its_place_among_events_and_wants_no_answer() {
    let mut inbox = Inbox::new(usize::MAX, Overflow::Pause);
    push(&mut inbox, "2[\"n\",0]");
    inbox.push_state(MessageKind::Disconnected, "[{\"final\":false}]");
    push(&mut inbox, "2[\"n\",1]");
    assert_eq!(inbox.len(), 3);
    assert_eq!(number(&inbox.pop().unwrap()), 0);
    let state = inbox.pop().unwrap();
    assert_eq!(state.kind(), MessageKind::Disconnected);
    assert_eq!((state.name(), state.args()), ("", "[{\"final\":false}]"));
    assert!(!state.wants_ack() && state.buffer_count() == 0);
    let event = inbox.pop().unwrap();
    assert_eq!((event.kind(), number(&event)), (MessageKind::Event, 1));
    assert_eq!((inbox.len(), inbox.cost()), (0, 0));
}

#[test]
fn a_state_message_is_not_held_back_and_goes_before_what_is() {
    let mut inbox = Inbox::new(usize::MAX, Overflow::Pause);
    push(&mut inbox, "2[\"n\",0]");
    hold(&mut inbox, "2[\"n\",1]");
    hold(&mut inbox, "2[\"n\",2]");
    inbox.push_state(MessageKind::Connected, "[1]");
    inbox.push_state(MessageKind::Connected, "[2]");
    assert_eq!(number(&inbox.pop().unwrap()), 0);
    assert_eq!(inbox.pop().unwrap().args(), "[1]");
    assert!(!inbox.is_empty());
    inbox.release();
    assert_eq!(inbox.pop().unwrap().args(), "[2]");
    assert_eq!(number(&inbox.pop().unwrap()), 1);
    assert_eq!(number(&inbox.pop().unwrap()), 2);
    assert!(inbox.is_empty() && inbox.cost() == 0);
}

#[test]
fn what_is_held_back_can_be_dropped_behind_a_state_message() {
    let mut inbox = Inbox::new(usize::MAX, Overflow::Pause);
    push(&mut inbox, "2[\"n\",0]");
    hold(&mut inbox, "2[\"n\",1]");
    inbox.push_state(MessageKind::Disconnected, "[5]");
    assert_eq!(inbox.drop_held(), 1);
    push(&mut inbox, "2[\"n\",2]");
    assert_eq!(number(&inbox.pop().unwrap()), 0);
    assert_eq!(number(&inbox.pop().unwrap()), 5);
    assert_eq!(number(&inbox.pop().unwrap()), 2);
    assert_eq!(inbox.cost(), 0);
}

#[test]
fn a_state_message_is_taken_without_room_and_counts() {
    for overflow in [Overflow::Pause, Overflow::DropOldest, Overflow::DropNewest] {
        let mut inbox = Inbox::new(2 * OVERHEAD, overflow);
        for n in 0..2 {
            push(&mut inbox, &format!("2[\"n\",{n}]"));
        }
        let before = inbox.cost();
        inbox.push_state(MessageKind::Connected, "[9]");
        assert_eq!(inbox.cost(), before + "\0[9]\0".len() + OVERHEAD);
        assert_eq!(inbox.cost_max(), inbox.cost());
        assert_eq!(inbox.is_full(), overflow == Overflow::Pause);
        assert_eq!(inbox.len(), 3, "{overflow:?}: no event went");
    }
    let mut inbox = Inbox::new(0, Overflow::DropNewest);
    inbox.push_state(MessageKind::Connected, "[1]");
    assert_eq!(push(&mut inbox, "2[\"n\",2]"), Pushed::Dropped);
    assert_eq!(number(&inbox.pop().unwrap()), 1);
}

#[test]
fn drop_oldest_drops_events_and_never_a_state_message() {
    let mut inbox = Inbox::new(4 * OVERHEAD, Overflow::DropOldest);
    inbox.push_state(MessageKind::Connected, "[100]");
    for n in 0..10 {
        push(&mut inbox, &format!("2[\"n\",{n}]"));
        if n == 5 {
            inbox.push_state(MessageKind::Disconnected, "[105]");
        }
    }
    let mut taken = Vec::new();
    while let Some(message) = inbox.pop() {
        taken.push(number(&message));
    }
    assert_eq!(taken, [100, 105, 8, 9]);
    // With state messages alone there is nothing to drop, and the event is taken all the same.
    for n in 0..8 {
        inbox.push_state(MessageKind::Connected, &format!("[{n}]"));
    }
    assert_eq!(push(&mut inbox, "2[\"n\",8]"), Pushed::Queued { dropped: 0 });
    assert_eq!(push(&mut inbox, "2[\"n\",9]"), Pushed::Queued { dropped: 1 });
    assert_eq!(inbox.len(), 9);
}

#[test]
fn clearing_counts_events_alone() {
    let mut inbox = Inbox::new(usize::MAX, Overflow::Pause);
    push(&mut inbox, "2[\"n\",0]");
    inbox.push_state(MessageKind::Disconnected, "[]");
    hold(&mut inbox, "2[\"n\",1]");
    assert_eq!(inbox.clear(), 2);
    assert!(inbox.pop().is_none());
    assert_eq!(inbox.cost(), 0);
}

/// Random events of every size and state messages, held back, released, dropped and taken, against
/// a plain list.
#[test]
fn whatever_comes_and_goes_the_queue_is_what_a_plain_list_would_be() {
    let mut random = 1u64;
    let mut below = move |n: u64| {
        // Knuth's generator; the upper bits are the better ones.
        random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (random >> 33) % n
    };
    for _ in 0..200 {
        let overflow =
            [Overflow::Pause, Overflow::DropOldest, Overflow::DropNewest][below(3) as usize];
        let limit = [600, 5_000, 100_000, usize::MAX][below(4) as usize];
        let mut inbox = Inbox::new(limit, overflow);
        // What waits: its number, whether it is an event, and what it costs.
        let mut list: Vec<(usize, bool, usize)> = Vec::new();
        let mut held = 0;
        for n in 0..300 {
            let cost: usize = list.iter().map(|(_, _, cost)| cost).sum();
            assert_eq!((inbox.cost(), inbox.len()), (cost, list.len()));
            match below(10) {
                0..5 => {
                    let hold = below(4) == 0 && (held > 0 || below(5) == 0);
                    if held > 0 && !hold {
                        continue;
                    }
                    let blanks = [0, 10, 3_000, OWN_BLOCK][below(4) as usize];
                    let text = format!("2[\"n\",{n}{}]", " ".repeat(blanks));
                    let packet = socket::parse(&text).unwrap();
                    let parcel =
                        Parcel::Plain { packet: &packet, text: Text::Here(text.as_bytes()) };
                    let mut fate = Pushed::Queued { dropped: 0 };
                    if cost >= limit {
                        match overflow {
                            Overflow::Pause if !hold => (),
                            Overflow::Pause | Overflow::DropNewest => fate = Pushed::Dropped,
                            Overflow::DropOldest => {
                                let (mut dropped, mut left) = (0, cost);
                                while left >= limit
                                    && let Some(at) = list.iter().position(|(_, event, _)| *event)
                                {
                                    held = held.min(list.len() - at - 1);
                                    left -= list.remove(at).2;
                                    dropped += 1;
                                }
                                fate = Pushed::Queued { dropped };
                            }
                        }
                    }
                    assert_eq!(inbox.push(parcel, None, hold, false), fate);
                    if fate != Pushed::Dropped {
                        let size =
                            inbox.cost() - list.iter().map(|(_, _, cost)| cost).sum::<usize>();
                        list.push((n, true, size));
                        held += usize::from(hold);
                    }
                }
                5 => {
                    let args = format!("[{n}]");
                    inbox.push_state(MessageKind::Connected, &args);
                    list.insert(list.len() - held, (n, false, args.len() + 2 + OVERHEAD));
                }
                6 => {
                    inbox.release();
                    held = 0;
                }
                7 => {
                    assert_eq!(inbox.drop_held(), held as u64);
                    list.truncate(list.len() - held);
                    held = 0;
                }
                _ if list.len() == held => assert!(inbox.is_empty() && inbox.pop().is_none()),
                _ => {
                    let (n, event, _) = list.remove(0);
                    let message = inbox.pop().unwrap();
                    assert_eq!(number(&message), n);
                    assert_eq!(message.kind() == MessageKind::Event, event);
                }
            }
        }
    }
}

#[test]
fn at_rest_an_empty_queue_keeps_little_and_one_that_is_not_keeps_all() {
    let mut inbox = Inbox::new(usize::MAX, Overflow::Pause);
    let room = |inbox: &Inbox| -> usize {
        inbox.chunks.iter().map(|chunk| chunk.bytes.capacity()).sum::<usize>()
            + inbox.entries.capacity() * size_of::<Entry>()
    };
    push(&mut inbox, "2[\"number\",0]");
    assert!(room(&inbox) < 1024, "{}", room(&inbox));
    for n in 1..10_000 {
        push(&mut inbox, &format!("2[\"number\",{n}]"));
    }
    inbox.rest();
    for n in 0..10_000 {
        assert_eq!(number(&inbox.pop().unwrap()), n);
    }
    assert!(room(&inbox) > CHUNK);
    inbox.rest();
    assert!(room(&inbox) < 2048, "{}", room(&inbox));
    push(&mut inbox, "2[\"number\",7]");
    assert_eq!(number(&inbox.pop().unwrap()), 7);
}

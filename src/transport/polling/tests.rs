//! Tests of the bodies of polls and of POSTs: every rule, every way to split a body.
use super::*;
use ::base64::Engine as _;
use ::base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use proptest::collection::vec;
use proptest::prelude::*;

/// A packet as it came out.
#[derive(Clone, Debug, PartialEq)]
enum Seen {
    Text(Vec<u8>),
    Binary(Vec<u8>),
}

const LIMIT: usize = 1_000_000;

fn drain(decoder: &mut BodyDecoder, seen: &mut Vec<Seen>) -> Result<(), BodyError> {
    let mut frames = Vec::new();
    let outcome = loop {
        match decoder.next() {
            Ok(Some(frame)) => frames.push(frame),
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    // Ranges stay valid while more is cut, also when that fails.
    let payload = |payload: &Payload| match payload {
        Payload::Here(range) => {
            assert!(range.len() < LARGE, "large payloads have a block of their own");
            decoder.bytes()[range.clone()].to_vec()
        }
        Payload::Own(block) => block.clone(),
    };
    for frame in &frames {
        seen.push(match frame {
            Frame::Text(text) => {
                if let Payload::Own(block) = text {
                    assert!(block.capacity() > block.len(), "a text has room for a NUL");
                }
                Seen::Text(payload(text))
            }
            Frame::Binary(bytes) => Seen::Binary(payload(bytes)),
            other => panic!("{other:?} is no packet of a poll"),
        });
    }
    outcome
}

/// Reads a body in pieces of the given sizes, over and over.
fn decode_with(limit: usize, body: &[u8], sizes: &[usize]) -> (Vec<Seen>, Option<BodyError>) {
    let mut decoder = BodyDecoder::new(limit);
    let (mut seen, mut rest, mut sizes) = (Vec::new(), body, sizes.iter().cycle());
    while !rest.is_empty() {
        let size = sizes.next().copied().unwrap_or(usize::MAX).clamp(1, rest.len());
        let (piece, behind) = rest.split_at(size);
        decoder.feed(piece);
        rest = behind;
        if let Err(error) = drain(&mut decoder, &mut seen) {
            decoder.feed(rest);
            decoder.end();
            assert_eq!(decoder.next(), Ok(None), "nothing comes behind an error");
            return (seen, Some(error));
        }
    }
    decoder.end();
    let error = drain(&mut decoder, &mut seen).err();
    assert_eq!(decoder.next(), Ok(None));
    (seen, error)
}

fn decode(body: &[u8]) -> (Vec<Seen>, Option<BodyError>) {
    let whole = decode_with(LIMIT, body, &[usize::MAX]);
    assert_eq!(whole, decode_with(LIMIT, body, &[1]), "byte by byte");
    whole
}

fn text(text: &str) -> Seen {
    Seen::Text(text.as_bytes().to_vec())
}

fn fault(packet: u64, fault: Fault) -> Option<BodyError> {
    Some(BodyError { packet, fault })
}

#[test]
fn packets_are_cut_at_their_separators_and_binary_ones_are_decoded() {
    // The example of the protocol document, with an attachment of no byte behind it.
    let (seen, error) = decode(b"4hello\x1e2\x1e4world\x1ebAQIDBA==\x1eb");
    assert_eq!(error, None);
    let binary = |bytes: &[u8]| Seen::Binary(bytes.to_vec());
    assert_eq!(
        seen,
        [text("4hello"), text("2"), text("4world"), binary(&[1, 2, 3, 4]), binary(&[])]
    );
}

#[test]
fn a_packet_comes_out_as_soon_as_its_separator_is_there() {
    let mut decoder = BodyDecoder::new(LIMIT);
    decoder.feed(b"4a\x1e4");
    assert_eq!(decoder.next(), Ok(Some(Frame::Text(Payload::Here(0..2)))));
    assert_eq!(decoder.next(), Ok(None));
    decoder.feed(b"b");
    assert_eq!(decoder.next(), Ok(None));
    decoder.end();
    assert_eq!(decoder.next(), Ok(Some(Frame::Text(Payload::Here(0..2)))));
    assert_eq!(decoder.bytes(), b"4b");
    assert_eq!(decoder.next(), Ok(None));
}

#[test]
fn an_empty_packet_is_an_error_wherever_it_is() {
    assert_eq!(decode(b""), (vec![], fault(1, Fault::Empty)));
    assert_eq!(decode(b"\x1e4a"), (vec![], fault(1, Fault::Empty)));
    assert_eq!(decode(b"4a\x1e\x1e4b"), (vec![text("4a")], fault(2, Fault::Empty)));
    assert_eq!(decode(b"4a\x1e"), (vec![text("4a")], fault(2, Fault::Empty)));
    // Also behind a large packet.
    let large = [vec![b'4'; LARGE], vec![SEPARATOR]].concat();
    assert_eq!(decode(&large).1, fault(2, Fault::Empty));
}

#[test]
fn text_has_to_be_utf_8() {
    assert_eq!(decode("4é😀".as_bytes()), (vec![text("4é😀")], None));
    assert_eq!(decode(b"4a\x1e4b\xff"), (vec![text("4a")], fault(2, Fault::Utf8(2))));
    // A character does not go on in the next packet.
    assert_eq!(decode(b"4\xc3\x1e\xa9").1, fault(1, Fault::Utf8(1)));
    let mut large = vec![b'4'; 3 * LARGE];
    large[2 * LARGE] = 0xff;
    assert_eq!(decode(&large).1, fault(1, Fault::Utf8(2 * LARGE)));
}

#[test]
fn padding_may_be_left_out_and_everything_else_has_to_be_base64() {
    for (encoded, plain) in
        [("YQ==", "a"), ("YQ=", "a"), ("YQ", "a"), ("YWI", "ab"), ("YWI=", "ab")]
    {
        let body = format!("b{encoded}\x1e4x");
        let (seen, error) = decode(body.as_bytes());
        assert_eq!((seen.first(), error), (Some(&Seen::Binary(plain.into())), None), "{encoded}");
    }
    let bad = [
        ("!", 1),
        ("Y", 1),
        ("YQ==YQ==", 3),
        ("YQ==Y", 3),
        ("Y===", 2),
        ("====", 1),
        ("YQ=a", 3),
        // The last bits of "YR" stand for nothing, and are not 0.
        ("YR", 2),
        ("YR==", 3),
        ("YWJjYW\n=", 7),
        ("YWJjY_Jj", 6),
        ("YWJj YWJj", 5),
    ];
    for (encoded, at) in bad {
        assert_eq!(
            decode(format!("b{encoded}").as_bytes()).1,
            fault(1, Fault::Base64(at)),
            "{encoded}"
        );
    }
}

#[test]
fn base64_is_checked_in_a_large_packet_as_in_a_small_one() {
    let plain: Vec<u8> = (0..100_000u32).map(|n| (n * 7) as u8).collect();
    let encoded = STANDARD.encode(&plain);
    let body = |encoded: &str| format!("4a\x1eb{encoded}\x1e4z").into_bytes();
    let whole = vec![text("4a"), Seen::Binary(plain.clone()), text("4z")];
    assert_eq!(decode(&body(&encoded)), (whole.clone(), None));
    assert_eq!(decode(&body(encoded.trim_end_matches('='))), (whole, None));
    assert_eq!(
        decode(&body(&format!("{encoded}AAAA"))).1,
        fault(2, Fault::Base64(encoded.find('=').unwrap() + 1))
    );
    let mut broken = encoded.into_bytes();
    broken[70_001] = b'-';
    let broken = String::from_utf8(broken).unwrap();
    assert_eq!(decode(&body(&broken)).1, fault(2, Fault::Base64(70_002)));
}

#[test]
fn the_limit_counts_what_a_packet_carries() {
    let at = |limit, body: &[u8]| {
        let whole = decode_with(limit, body, &[usize::MAX]).1;
        assert_eq!(whole.is_some(), decode_with(limit, body, &[1]).1.is_some());
        whole.map(|error| error.fault)
    };
    // The type of a text does not count, and neither does base64.
    assert_eq!(at(5, b"412345\x1e412345"), None);
    assert_eq!(at(5, b"4123456"), Some(Fault::TooLarge { size: 6, limit: 5 }));
    assert_eq!(at(5, b"bAAAAAAA="), None);
    assert_eq!(at(5, b"bAAAAAAAA"), Some(Fault::TooLarge { size: 6, limit: 5 }));
    let limit = 100_000;
    let text = |len: usize| [&b"4"[..], &vec![b'x'; len]].concat();
    assert_eq!(at(limit, &text(limit)), None);
    assert!(matches!(at(limit, &text(limit + 1)), Some(Fault::TooLarge { .. })));
    let binary = |len: usize| format!("b{}", STANDARD_NO_PAD.encode(vec![1; len])).into_bytes();
    assert_eq!(at(limit, &binary(limit)), None);
    for over in 1..4 {
        assert!(matches!(at(limit, &binary(limit + over)), Some(Fault::TooLarge { .. })));
    }
}

#[test]
fn a_packet_over_the_limit_is_refused_before_it_has_come_as_a_whole() {
    for first in [b'4', BINARY] {
        let mut decoder = BodyDecoder::new(50_000);
        decoder.feed(&[first]);
        let mut fed = 0;
        let error = loop {
            match decoder.next() {
                Ok(frame) => assert_eq!(frame, None),
                Err(error) => break error,
            }
            decoder.feed(&[b'A'; 1000]);
            fed += 1000;
            assert!(fed < 70_000, "no more is kept than the limit");
        };
        assert!(error.to_string().contains("max_message_bytes is 50000"), "{error}");
    }
}

#[test]
fn what_was_cut_is_dropped_as_more_is_fed() {
    let mut decoder = BodyDecoder::new(LIMIT);
    let piece = [&[b'4'; 999][..], &[SEPARATOR]].concat().repeat(60);
    let mut seen = Vec::new();
    for _ in 0..100 {
        decoder.feed(&piece);
        drain(&mut decoder, &mut seen).unwrap();
    }
    assert_eq!(seen.len(), 6000);
    assert!(decoder.buffer.capacity() <= 4 * piece.len());
}

#[test]
fn an_error_says_which_packet_and_where() {
    let text = |body: &[u8]| decode(body).1.unwrap().to_string();
    assert_eq!(text(b""), "packet 1 in the body of a poll is empty");
    assert_eq!(text(b"2\x1e4\xff"), "packet 2 in the body of a poll is not UTF-8 at byte 1");
    assert_eq!(text(b"bA*"), "packet 1 in the body of a poll is binary, but not base64 at byte 2");
}

#[test]
fn a_post_joins_packets_with_separators() {
    let mut post = Post::new(None);
    assert!(post.is_empty());
    post.push_text(b'3', b"");
    post.push_text(b'4', b"51-[\"x\"]");
    post.push_binary(&[1, 2, 3, 4]);
    post.push_binary(&[]);
    assert_eq!(post.packets(), 4);
    assert_eq!(post.into_body(), b"3\x1e451-[\"x\"]\x1ebAQIDBA==\x1eb");
}

#[test]
fn a_post_takes_sixteen_packets() {
    let mut post = Post::new(Some(1_000_000));
    while post.has_room(Post::text_len(1)) {
        post.push_text(b'4', b"2");
    }
    assert_eq!(post.packets(), 16);
}

#[test]
fn a_post_stays_below_the_limit_of_the_server_and_takes_a_larger_packet_alone() {
    let filled = |limit: Option<u64>, len: usize| {
        let mut post = Post::new(limit);
        while post.has_room(Post::binary_len(len)) {
            post.push_binary(&vec![7; len]);
        }
        post.into_body().len()
    };
    // Of five bytes each, with a separator between them.
    assert_eq!(Post::binary_len(3), 5);
    assert_eq!(filled(Some(17), 3), 11);
    assert_eq!(filled(Some(18), 3), 17);
    assert_eq!(filled(Some(5), 3), 5);
    assert_eq!(filled(Some(1), 3), 5);
    let third = LARGEST_BODY / 4;
    assert_eq!(filled(None, third), 2 * Post::binary_len(third) + 1);
    assert_eq!(filled(None, 4 * third), Post::binary_len(4 * third));
}

#[test]
fn the_length_of_a_packet_is_known_before() {
    for len in 0..50 {
        let bytes = vec![0xa5; len];
        let mut post = Post::new(None);
        post.push_binary(&bytes);
        assert_eq!(post.into_body().len(), Post::binary_len(len));
        let mut post = Post::new(None);
        post.push_text(b'4', &bytes);
        assert_eq!(post.into_body().len(), Post::text_len(len));
    }
}

#[test]
fn a_separator_is_found_wherever_it_is() {
    for len in 0..100 {
        let mut bytes = vec![b'x'; len];
        assert_eq!(find_separator(&bytes), None);
        for at in (0..len).rev() {
            bytes[at] = SEPARATOR;
            assert_eq!(find_separator(&bytes), Some(at));
        }
    }
}

fn packet() -> impl Strategy<Value = Seen> {
    let len = prop_oneof![8 => 0..60usize, 1 => LARGE - 3..LARGE + 3, 1 => 11_000..13_000usize, 1 => 0..70_000usize];
    (any::<bool>(), len, any::<u8>()).prop_map(|(binary, len, seed)| match binary {
        true => {
            Seen::Binary((0..len).map(|n| (n as u8).wrapping_mul(13).wrapping_add(seed)).collect())
        }
        false => Seen::Text(format!("4{}", "é".repeat(len / 2)).into_bytes()),
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() })]

    #[test]
    fn every_split_of_what_a_post_joins_gives_the_same_packets(
        packets in vec(packet(), 1..12),
        sizes in vec(prop_oneof![1..20usize, 1..70_000usize], 1..8),
        padded in any::<bool>(),
    ) {
        let encoded: Vec<Vec<u8>> = packets.iter().map(|packet| match packet {
            Seen::Text(text) => text.clone(),
            Seen::Binary(bytes) if padded => {
                let mut post = Post::new(None);
                post.push_binary(bytes);
                post.into_body()
            }
            Seen::Binary(bytes) => format!("b{}", STANDARD_NO_PAD.encode(bytes)).into_bytes(),
        }).collect();
        let body = encoded.join(&SEPARATOR);
        let (seen, error) = decode_with(LIMIT, &body, &sizes);
        prop_assert_eq!(error, None);
        prop_assert!(seen == packets);
    }

    #[test]
    fn no_body_makes_a_difference_by_its_split(
        packets in vec((any::<bool>(), "[a-zA-Z0-9+/=*é]{0,12}", 0..3usize), 0..6),
        sizes in vec(1..6usize, 1..6),
    ) {
        let body: Vec<String> = packets.iter().map(|(binary, text, large)| {
            let sign = if *binary { "b" } else { "" };
            format!("{sign}{}{text}", "abcd".repeat(large / 2 * LARGE / 4))
        }).collect();
        let body = body.join("\x1e");
        prop_assert_eq!(
            decode_with(LIMIT, body.as_bytes(), &sizes),
            decode_with(LIMIT, body.as_bytes(), &[usize::MAX])
        );
    }

    #[test]
    fn any_bytes_end_in_packets_or_in_one_error(body in vec(any::<u8>(), 0..200), size in 1..50usize) {
        let (seen, error) = decode_with(30, &body, &[size]);
        prop_assert!(!seen.is_empty() || error.is_some());
    }
}

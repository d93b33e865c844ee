//! Tests of the decoder: every rule of frames, every way to split a stream.
use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

/// A frame as it came out, with its payload.
#[derive(Clone, Debug, PartialEq)]
enum Seen {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<u16>, String),
}

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        len @ 0..=125 => bytes.push(len as u8),
        len @ 126..=65535 => {
            bytes.push(126);
            bytes.extend((len as u16).to_be_bytes());
        }
        len => {
            bytes.push(127);
            bytes.extend((len as u64).to_be_bytes());
        }
    }
    bytes.extend(payload);
    bytes
}

fn drain(decoder: &mut Decoder, seen: &mut Vec<Seen>) -> Result<(), FrameError> {
    while let Some(frame) = decoder.next()? {
        let payload = |payload: &Payload| match payload {
            Payload::Here(range) => {
                assert!(range.len() < LARGE, "large payloads have a block of their own");
                decoder.bytes()[range.clone()].to_vec()
            }
            Payload::Own(block) => block.clone(),
        };
        seen.push(match &frame {
            Frame::Text(text) => {
                if let Payload::Own(block) = text {
                    assert!(block.capacity() > block.len(), "a text has room for a NUL");
                }
                Seen::Text(payload(text))
            }
            Frame::Binary(bytes) => Seen::Binary(payload(bytes)),
            Frame::Ping(range) => Seen::Ping(decoder.bytes()[range.clone()].to_vec()),
            Frame::Pong(range) => Seen::Pong(decoder.bytes()[range.clone()].to_vec()),
            Frame::Close(code, reason) => Seen::Close(*code, reason.clone()),
        });
    }
    Ok(())
}

/// Reads `bytes` in pieces of the given sizes, over and over, as a socket would give them.
fn read(
    decoder: &mut Decoder,
    mut bytes: &[u8],
    sizes: &[usize],
    seen: &mut Vec<Seen>,
) -> Result<(), FrameError> {
    let mut sizes = sizes.iter().cycle();
    while !bytes.is_empty() {
        let size = sizes.next().copied().unwrap_or(usize::MAX).max(1);
        let space = decoder.space();
        assert!(!space.is_empty());
        let n = space.len().min(size).min(bytes.len());
        space[..n].copy_from_slice(&bytes[..n]);
        decoder.advance(n);
        bytes = &bytes[n..];
        drain(decoder, seen)?;
    }
    Ok(())
}

fn decode(bytes: &[u8], sizes: &[usize]) -> (Vec<Seen>, Option<FrameError>) {
    let mut decoder = Decoder::new(LIMIT);
    let mut seen = Vec::new();
    let error = read(&mut decoder, bytes, sizes, &mut seen).err();
    (seen, error)
}

/// The stream is refused for this reason, however it is split.
#[track_caller]
fn refused(bytes: &[u8], expected: FrameError) {
    for sizes in [&[usize::MAX][..], &[1], &[2], &[3], &[1, 4]] {
        assert_eq!(decode(bytes, sizes), (vec![], Some(expected.clone())), "{sizes:?}");
    }
}

const LIMIT: usize = 1_000_000;

#[test]
fn messages_and_control_frames_come_out_as_they_were_sent() {
    let stream = [
        frame(0x81, b"2probe"),
        frame(0x82, &[0, 255]),
        frame(0x89, b"are you there"),
        frame(0x8a, b""),
        frame(0x81, b""),
        frame(0x88, b"\x03\xe8bye"),
    ]
    .concat();
    let expected = vec![
        Seen::Text(b"2probe".to_vec()),
        Seen::Binary(vec![0, 255]),
        Seen::Ping(b"are you there".to_vec()),
        Seen::Pong(vec![]),
        Seen::Text(vec![]),
        Seen::Close(Some(1000), "bye".to_owned()),
    ];
    for split in 1..stream.len() {
        assert_eq!(decode(&stream, &[split, usize::MAX]), (expected.clone(), None));
    }
    assert_eq!(decode(&stream, &[1]), (expected, None));
}

#[test]
fn every_length_is_read_right_around_the_borders_of_the_forms_and_of_large_frames() {
    for len in [0, 1, 124, 125, 126, 127, 128, 16_383, 16_384, 16_385, 65_535, 65_536, 70_000] {
        let payload = vec![b'x'; len];
        let stream = [frame(0x81, &payload), frame(0x82, &payload), frame(0x81, b"end")].concat();
        let expected = vec![
            Seen::Text(payload.clone()),
            Seen::Binary(payload.clone()),
            Seen::Text(b"end".to_vec()),
        ];
        for sizes in [&[usize::MAX][..], &[1, 10_000], &[4096], &[7, 65_536]] {
            let result = decode(&stream, sizes);
            assert!(result == (expected.clone(), None), "{len} bytes, reads of {sizes:?}");
        }
    }
}

#[test]
fn reserved_bits_are_refused() {
    for bit in [0x10, 0x20, 0x40] {
        refused(&frame(0x81 | bit, b"a"), FrameError::ReservedBits);
        refused(&frame(0x89 | bit, b""), FrameError::ReservedBits);
    }
}

#[test]
fn an_http_answer_instead_of_a_frame_is_called_that() {
    refused(b"HTTP/1.1 400 Bad Request\r\n\r\n", FrameError::Http);
}

#[test]
fn masked_frames_are_refused() {
    refused(&[0x81, 0x81, 1, 2, 3, 4, b'a' ^ 1], FrameError::Masked);
    refused(&[0x89, 0x80, 1, 2, 3, 4], FrameError::Masked);
}

#[test]
fn kinds_of_frames_that_are_not_defined_are_refused() {
    for opcode in (0x3..=0x7).chain(0xb..=0xf) {
        refused(&frame(0x80 | opcode, b""), FrameError::UnknownOpCode(opcode));
    }
}

#[test]
fn control_frames_in_fragments_or_too_long_are_refused() {
    for opcode in [0x8, 0x9, 0xa] {
        refused(&frame(opcode, b""), FrameError::FragmentedControl);
        refused(&frame(0x80 | opcode, &[0; 126]), FrameError::LongControl);
        refused(&[0x80 | opcode, 127, 0, 0, 0, 0, 0, 1, 0, 0], FrameError::LongControl);
    }
    let longest = [b'p'; 125];
    assert_eq!(decode(&frame(0x89, &longest), &[50]), (vec![Seen::Ping(longest.to_vec())], None));
}

#[test]
fn a_violation_is_seen_before_the_rest_of_the_header_has_come() {
    for bytes in [[0xc2, 127], [0x82, 0xff], [0x83, 126], [0x09, 0], [0x89, 126]] {
        assert!(decode(&bytes, &[1]).1.is_some(), "{bytes:?}");
    }
}

#[test]
fn a_continuation_of_nothing_is_refused() {
    refused(&frame(0x80, b"a"), FrameError::NothingToContinue);
    refused(&frame(0x00, b"a"), FrameError::NothingToContinue);
    let (seen, error) = decode(&[frame(0x81, b"a"), frame(0x80, b"b")].concat(), &[1]);
    assert_eq!((seen.len(), error), (1, Some(FrameError::NothingToContinue)));
}

#[test]
fn a_new_message_amid_fragments_is_refused() {
    for second in [0x81, 0x01, 0x82, 0x02] {
        refused(&[frame(0x01, b"a"), frame(second, b"b")].concat(), FrameError::NotContinued);
    }
    let large = vec![b'a'; 20_000];
    let stream = [frame(0x02, &large), frame(0x82, &large)].concat();
    assert_eq!(decode(&stream, &[5000]), (vec![], Some(FrameError::NotContinued)));
}

#[test]
fn lengths_in_a_longer_form_than_needed_are_refused() {
    refused(&[0x81, 126, 0, 125], FrameError::LongLength);
    refused(&[0x81, 126, 0, 0], FrameError::LongLength);
    refused(&[0x81, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff], FrameError::LongLength);
    refused(&[0x81, 127, 0, 0, 0, 0, 0, 0, 0, 5], FrameError::LongLength);
}

#[test]
fn a_length_with_the_topmost_bit_is_refused() {
    refused(&[0x82, 127, 0x80, 0, 0, 0, 0, 0, 0, 0], FrameError::NegativeLength);
    refused(&[0x82, 127, 0xff, 255, 255, 255, 255, 255, 255, 255], FrameError::NegativeLength);
}

#[test]
fn a_message_over_the_limit_is_refused_by_its_header_alone() {
    let header = |len: u64| [&[0x82, 127][..], &len.to_be_bytes()].concat();
    let too_large = |size| FrameError::TooLarge { size, limit: LIMIT };
    refused(&header(LIMIT as u64 + 1), too_large(LIMIT as u64 + 1));
    refused(&header(u64::MAX >> 1), too_large(u64::MAX >> 1));
    assert_eq!(decode(&header(LIMIT as u64), &[3]), (vec![], None));

    let mut decoder = Decoder::new(10);
    let mut seen = Vec::new();
    // The first byte of a text is the Engine.IO type, which does not count.
    let result = read(&mut decoder, &frame(0x81, b"40123456789"), &[1], &mut seen);
    assert_eq!((result, seen.len()), (Ok(()), 1));
    let result = read(&mut decoder, &[0x81, 12], &[2], &mut seen);
    assert_eq!(result, Err(FrameError::TooLarge { size: 11, limit: 10 }));
}

#[test]
fn fragments_over_the_limit_in_sum_are_refused_by_the_header_of_the_last() {
    let half = vec![0; LIMIT / 2];
    let mut stream = [frame(0x02, &half), frame(0x00, &half)].concat();
    stream.extend([0x80, 1]);
    let expected = FrameError::TooLarge { size: LIMIT as u64 + 1, limit: LIMIT };
    assert_eq!(decode(&stream, &[usize::MAX]), (vec![], Some(expected)));
}

#[test]
fn no_memory_is_made_for_what_is_only_announced() {
    let mut decoder = Decoder::new(usize::MAX);
    decoder.extend(&[0x82, 127, 0, 0, 0x10, 0, 0, 0, 0, 0, 1, 2, 3]);
    assert_eq!(decoder.next(), Ok(None));
    assert!(decoder.space().len() <= AHEAD + 3);
    let Stage::Body(body) = &decoder.stage else { panic!("a large frame is under way") };
    let gathered = &body.gathered;
    assert!(gathered.block.capacity() <= 2 * AHEAD);
}

#[test]
fn a_large_frame_is_read_into_its_block_and_the_block_never_reaches_past_it() {
    let mut decoder = Decoder::new(usize::MAX);
    let size = 5 * AHEAD;
    decoder.extend(&[&[0x81, 127][..], &(size as u64).to_be_bytes(), b"ab"].concat());
    assert_eq!(decoder.next(), Ok(None));
    let mut came = 2;
    while came < size {
        let space = decoder.space();
        assert!(!space.is_empty() && space.len() <= size - came);
        space.fill(b'x');
        let n = space.len();
        decoder.advance(n);
        came += n;
    }
    // What follows the frame goes into the buffer, also before the frame was fetched.
    decoder.extend(&frame(0x81, b"next"));
    let Ok(Some(Frame::Text(Payload::Own(block)))) = decoder.next() else { panic!("the frame") };
    assert_eq!((block.len(), &block[..3]), (size, &b"abx"[..]));
    assert_eq!(block.capacity(), size + 1);
    let Ok(Some(Frame::Text(Payload::Here(range)))) = decoder.next() else { panic!("the next") };
    assert_eq!(&decoder.bytes()[range], b"next");
}

#[test]
fn text_that_is_not_utf8_is_refused_at_its_first_bad_byte() {
    for (bad, at) in [
        (&b"abc\xff"[..], 3),
        (b"\xc3", 0),
        (b"a\xe2\x82", 1),
        (b"\xed\xa0\x80", 0),
        (b"\xc0\xaf", 0),
        (b"\xf4\x90\x80\x80", 0),
    ] {
        refused(&frame(0x81, bad), FrameError::Utf8(at));
        refused(&[frame(0x01, b""), frame(0x80, bad)].concat(), FrameError::Utf8(at));
        assert_eq!(decode(&frame(0x82, bad), &[1]), (vec![Seen::Binary(bad.to_vec())], None));
    }
    let mut large = vec![b'a'; 40_000];
    large[39_999] = 0xc3;
    assert_eq!(decode(&frame(0x81, &large), &[999]).1, Some(FrameError::Utf8(39_999)));
}

#[test]
fn a_character_may_be_split_between_reads_and_between_fragments() {
    let text = "grüße, 世界 🎉".as_bytes();
    let expected = vec![Seen::Text(text.to_vec())];
    let whole = frame(0x81, text);
    for split in 1..whole.len() {
        assert_eq!(decode(&whole, &[split, usize::MAX]), (expected.clone(), None));
    }
    for split in 0..=text.len() {
        let stream = [frame(0x01, &text[..split]), frame(0x80, &text[split..])].concat();
        assert_eq!(decode(&stream, &[1]), (expected.clone(), None));
    }
}

#[test]
fn control_frames_may_come_between_fragments() {
    let large = vec![b'l'; 30_000];
    let stream = [
        frame(0x01, b"a"),
        frame(0x89, b"1"),
        frame(0x00, b""),
        frame(0x00, &large),
        frame(0x8a, b"2"),
        frame(0x00, b"b"),
        frame(0x89, b"3"),
        frame(0x80, &large),
        frame(0x82, b"after"),
    ]
    .concat();
    let text = [b"a", &large[..], b"b", &large[..]].concat();
    let expected = vec![
        Seen::Ping(b"1".to_vec()),
        Seen::Pong(b"2".to_vec()),
        Seen::Ping(b"3".to_vec()),
        Seen::Text(text),
        Seen::Binary(b"after".to_vec()),
    ];
    for sizes in [&[1][..], &[usize::MAX], &[5000, 3]] {
        let result = decode(&stream, sizes);
        assert!(result == (expected.clone(), None), "{sizes:?}");
    }
}

#[test]
fn close_frames_are_taken_apart_and_bad_ones_refused() {
    for (payload, code, reason) in [
        (&b""[..], None, ""),
        (b"\x03\xe8", Some(1000), ""),
        (b"\x03\xe9going", Some(1001), "going"),
        (b"\x03\xf6b\xc3\xa4d", Some(1014), "bäd"),
        (b"\x0b\xb8", Some(3000), ""),
        (b"\x13\x87", Some(4999), ""),
    ] {
        let expected = vec![Seen::Close(code, reason.to_owned())];
        assert_eq!(decode(&frame(0x88, payload), &[1]), (expected, None));
    }
    refused(&frame(0x88, b"\x03"), FrameError::HalfCloseCode);
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535] {
        let payload = u16::to_be_bytes(code);
        refused(&frame(0x88, &payload), FrameError::BadCloseCode(code));
    }
    refused(&frame(0x88, b"\x03\xe8a\xff"), FrameError::CloseReasonUtf8);
}

#[test]
fn nothing_comes_out_after_a_close_or_an_error_and_nothing_is_kept() {
    for ending in [frame(0x88, b""), vec![0xff, 0xff]] {
        let mut decoder = Decoder::new(LIMIT);
        decoder.extend(&[ending, frame(0x81, b"late")].concat());
        assert!(!matches!(decoder.next(), Ok(None)));
        assert_eq!(decoder.next(), Ok(None));
        let stream = frame(0x81, b"later").repeat(100_000);
        let mut seen = Vec::new();
        assert_eq!(read(&mut decoder, &stream, &[usize::MAX], &mut seen), Ok(()));
        assert!(seen.is_empty());
        assert_eq!(decoder.buffer.len(), FIRST_BUFFER);
    }
    // Also when the buffer was full at that moment.
    let mut decoder = Decoder::new(LIMIT);
    decoder.extend(&[0xff; FIRST_BUFFER]);
    assert!(decoder.next().is_err());
    for _ in 0..10 {
        assert_eq!((decoder.space().len(), decoder.buffer.len()), (FIRST_BUFFER, FIRST_BUFFER));
        decoder.advance(FIRST_BUFFER);
    }
}

#[test]
fn the_buffer_grows_only_to_its_limit_and_only_when_reads_fill_it() {
    let mut decoder = Decoder::new(LIMIT);
    let stream = frame(0x82, &[7; 1000]).repeat(1000);
    let mut seen = Vec::new();
    let small = frame(0x82, &[7; 100]).repeat(10_000);
    read(&mut decoder, &small, &[400], &mut seen).unwrap();
    assert_eq!(decoder.buffer.len(), FIRST_BUFFER);
    read(&mut decoder, &stream, &[usize::MAX], &mut seen).unwrap();
    assert_eq!(decoder.buffer.len(), SMALL_FRAMES_BUFFER);
    assert_eq!(seen.len(), 11_000);
    let stream = frame(0x82, &[7; 20_000]).repeat(100);
    read(&mut decoder, &stream, &[usize::MAX], &mut seen).unwrap();
    assert_eq!(decoder.buffer.len(), LARGEST_BUFFER);
    assert_eq!(seen.len(), 11_100);
}

#[test]
fn a_connection_at_rest_gives_its_buffer_back_unless_a_frame_is_under_way() {
    let mut decoder = Decoder::new(LIMIT);
    let stream = frame(0x82, &[7; 1000]).repeat(1000);
    let mut seen = Vec::new();
    read(&mut decoder, &stream, &[usize::MAX], &mut seen).unwrap();
    let (begun, end) = stream[..1004].split_at(500);
    read(&mut decoder, begun, &[usize::MAX], &mut seen).unwrap();
    decoder.rest();
    assert_eq!(decoder.buffer.len(), SMALL_FRAMES_BUFFER);
    read(&mut decoder, end, &[usize::MAX], &mut seen).unwrap();
    decoder.rest();
    assert_eq!(decoder.buffer.len(), FIRST_BUFFER);
    read(&mut decoder, &stream, &[usize::MAX], &mut seen).unwrap();
    assert_eq!(seen.len(), 2001);
}

#[test]
fn a_tail_of_any_size_can_be_taken_in() {
    let stream = frame(0x82, &[7; 1000]).repeat(300);
    let mut decoder = Decoder::new(LIMIT);
    let mut seen = Vec::new();
    decoder.extend(&stream[..200_000]);
    drain(&mut decoder, &mut seen).unwrap();
    decoder.extend(&stream[200_000..]);
    drain(&mut decoder, &mut seen).unwrap();
    assert_eq!(seen, vec![Seen::Binary(vec![7; 1000]); 300]);
}

/// One thing that a server sends, with the sizes of its fragments.
fn message() -> impl Strategy<Value = (Seen, Vec<usize>)> {
    let size = prop_oneof![
        8 => 0..200usize,
        2 => 0..3000usize,
        1 => prop_oneof![Just(16_383usize), Just(16_384), Just(65_535), Just(65_536)],
        1 => 16_000..90_000usize,
    ];
    let text = "[a-zä€🎉]{0,60}".prop_map(String::into_bytes);
    let fragments = prop_oneof![2 => Just(vec![]), 1 => vec(0..40_000usize, 1..5)];
    let content = prop_oneof![
        3 => text.prop_map(Seen::Text),
        2 => size.clone().prop_map(|n| Seen::Text(vec![b't'; n])),
        3 => size.prop_map(|n| Seen::Binary((0..n).map(|i| (i * 13) as u8).collect())),
        1 => vec(any::<u8>(), 0..126).prop_map(Seen::Ping),
        1 => vec(any::<u8>(), 0..126).prop_map(Seen::Pong),
    ];
    (content, fragments)
}

fn encode(message: &Seen, fragments: &[usize], out: &mut Vec<u8>) {
    let (opcode, payload) = match message {
        Seen::Text(payload) => (0x1, payload),
        Seen::Binary(payload) => (0x2, payload),
        Seen::Ping(payload) => return out.extend(frame(0x89, payload)),
        Seen::Pong(payload) => return out.extend(frame(0x8a, payload)),
        Seen::Close(..) => return,
    };
    let mut rest = &payload[..];
    let mut opcode = opcode;
    for size in fragments {
        let (fragment, after) = rest.split_at(rest.len().min(*size));
        out.extend(frame(opcode, fragment));
        (rest, opcode) = (after, 0);
    }
    out.extend(frame(0x80 | opcode, rest));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_split_of_a_valid_stream_yields_the_same_messages(
        messages in vec(message(), 0..12),
        sizes in vec(prop_oneof![1..20usize, 1..100_000usize], 1..8),
    ) {
        let mut stream = Vec::new();
        for (content, fragments) in &messages {
            encode(content, fragments, &mut stream);
        }
        let expected: Vec<Seen> = messages.into_iter().map(|(content, _)| content).collect();
        let (seen, error) = decode(&stream, &sizes);
        prop_assert!(error.is_none(), "{error:?}");
        prop_assert!(seen == expected);
    }

    #[test]
    fn arbitrary_bytes_never_panic_and_mean_the_same_however_they_are_split(
        bytes in vec(any::<u8>(), 0..600),
        sizes in vec(1..50usize, 1..8),
    ) {
        prop_assert_eq!(decode(&bytes, &sizes), decode(&bytes, &[usize::MAX]));
    }

    #[test]
    fn nearly_valid_bytes_never_panic_and_mean_the_same_however_they_are_split(
        messages in vec(message(), 0..5),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        sizes in vec(1..9000usize, 1..8),
    ) {
        let mut stream = Vec::new();
        for (content, fragments) in &messages {
            encode(content, fragments, &mut stream);
        }
        if !stream.is_empty() {
            for (index, byte) in changes {
                let index = index.index(stream.len().min(300));
                stream[index] = byte;
            }
        }
        let one = decode(&stream, &sizes);
        let other = decode(&stream, &[usize::MAX]);
        prop_assert!(one == other);
    }
}

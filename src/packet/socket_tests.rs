//! What a malformed packet is told to be, and the blocks that packets become. The packets in order
//! are in `tests/packet_vectors.rs`.

use super::*;

fn error(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

/// The name and the arguments of a block, after a look at the NULs behind them.
fn parts(block: &[u8], layout: BlockLayout) -> (&[u8], &[u8]) {
    let BlockLayout { name_start, name_len, args_start, args_len } = layout;
    assert_eq!(block[name_start + name_len], 0);
    assert_eq!(block[args_start + args_len], 0);
    (&block[name_start..name_start + name_len], &block[args_start..args_start + args_len])
}

/// Both ways to make a block, which must agree.
fn block(text: &str) -> (String, String) {
    let packet = parse(text).unwrap();
    let mut copied = b"before".to_vec();
    let layout = packet.write_block(text, &mut copied);
    assert!(copied.starts_with(b"before") && layout.name_start == 6);
    assert_eq!(copied.len(), layout.args_start + layout.args_len + 1);
    let (name, args) = parts(&copied, layout);

    let (moved, layout) = packet.into_block(text.as_bytes().to_vec());
    assert_eq!((name, args), parts(&moved, layout), "{text}");

    let framed = format!("4{text}");
    let (moved, layout) = parse_from(&framed, 1).unwrap().into_block(framed.into_bytes());
    assert_eq!((name, args), parts(&moved, layout), "{text}");

    let string = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (string(name), string(args))
}

#[test]
fn an_event_becomes_its_name_and_its_arguments_byte_for_byte() {
    for (text, name, args) in [
        (r#"2["a"]"#, "a", "[]"),
        (r#"2["a",1]"#, "a", "[1]"),
        (r#"2[""]"#, "", "[]"),
        (r#"2["",""]"#, "", r#"[""]"#),
        (
            r#"27["hello world", {"b" : 1.50} , "\u00e9\ud800" ]"#,
            "hello world",
            r#"[ {"b" : 1.50} , "\u00e9\ud800" ]"#,
        ),
        ("2[ \"a\" , 1 ] \n", "a", "[ 1 ]"),
        (r#"2["a" ]"#, "a", "[]"),
        (r#"2[12,"x"]"#, "12", r#"["x"]"#),
        (r#"2[-1.5e3]"#, "-1.5e3", "[]"),
        (r#"2[ 7 , 8 ]"#, "7", "[ 8 ]"),
        (r#"2["a\"b\\\n","x"]"#, "a\"b\\\n", r#"["x"]"#),
        (r#"2["\ud83d\ude00"]"#, "😀", "[]"),
        (r#"2["\ud800",1]"#, "\u{fffd}", "[1]"),
        (r#"2["x\u0000y",1]"#, "x\0y", "[1]"),
        (r#"2["é€😀","é€😀"]"#, "é€😀", r#"["é€😀"]"#),
        (r#"2/admin?a=b,3["a",1]"#, "a", "[1]"),
        (
            r#"51-/admin,3["a",{"_placeholder":true,"num":0}]"#,
            "a",
            r#"[{"_placeholder":true,"num":0}]"#,
        ),
    ] {
        assert_eq!(block(text), (name.to_string(), args.to_string()), "{text}");
    }
}

#[test]
fn an_answer_becomes_its_arguments_under_an_empty_name() {
    for (text, args) in [
        ("31[]", "[]"),
        (r#"31 [ "a" , 1 ] "#, r#"[ "a" , 1 ]"#),
        (r#"3/admin,12["x"]"#, r#"["x"]"#),
        (r#"60-1["x"]"#, r#"["x"]"#),
    ] {
        assert_eq!(block(text), (String::new(), args.to_string()), "{text}");
    }
}

#[test]
fn a_malformed_packet_is_an_error_that_says_what_and_where() {
    for (text, expected) in [
        ("", "a Socket.IO packet is empty"),
        ("7", "unknown Socket.IO packet type at byte 0: '7'"),
        ("x", "unknown Socket.IO packet type at byte 0: 'x'"),
        (" 2[\"a\"]", "unknown Socket.IO packet type at byte 0: ' '"),
        ("é", "unknown Socket.IO packet type at byte 0: 'é'"),
        ("2", "malformed Socket.IO packet EVENT: the text ends too early at byte 1"),
        ("2/admin", "malformed Socket.IO packet EVENT: the text ends too early at byte 7"),
        ("2/admin,", "malformed Socket.IO packet EVENT: the text ends too early at byte 8"),
        ("212", "malformed Socket.IO packet EVENT: the text ends too early at byte 3"),
        ("2[]", "malformed Socket.IO packet EVENT: an event without a name at byte 2"),
        ("2[ ]", "malformed Socket.IO packet EVENT: an event without a name at byte 3"),
        ("2{}", "malformed Socket.IO packet EVENT: expected an array at byte 1"),
        ("2\"a\"", "malformed Socket.IO packet EVENT: expected an array at byte 1"),
        ("2null", "malformed Socket.IO packet EVENT: expected an array at byte 1"),
        ("2-1[\"a\"]", "malformed Socket.IO packet EVENT: expected an array at byte 1"),
        ("2NaN", "malformed Socket.IO packet EVENT: NaN is not JSON at byte 1"),
        ("2[NaN]", "malformed Socket.IO packet EVENT: NaN is not JSON at byte 2"),
        (r#"2["a",NaN]"#, "malformed Socket.IO packet EVENT: NaN is not JSON at byte 6"),
        (
            r#"2["a",-Infinity]"#,
            "malformed Socket.IO packet EVENT: -Infinity is not JSON at byte 6",
        ),
        (
            "2[null]",
            "malformed Socket.IO packet EVENT: an event's name is neither string nor number at byte 2",
        ),
        (
            "2[[\"a\"]]",
            "malformed Socket.IO packet EVENT: an event's name is neither string nor number at byte 2",
        ),
        (
            "2[{}]",
            "malformed Socket.IO packet EVENT: an event's name is neither string nor number at byte 2",
        ),
        (
            "2[true,1]",
            "malformed Socket.IO packet EVENT: an event's name is neither string nor number at byte 2",
        ),
        (r#"2["a""#, "malformed Socket.IO packet EVENT: the text ends inside an array at byte 5"),
        (r#"2["a"#, "malformed Socket.IO packet EVENT: the text ends inside a string at byte 4"),
        (r#"2["a" 1]"#, "malformed Socket.IO packet EVENT: expected ',' or ']' at byte 6"),
        (r#"2["a",]"#, "malformed Socket.IO packet EVENT: expected a value at byte 6"),
        (r#"2["a"}"#, "malformed Socket.IO packet EVENT: expected ',' or ']' at byte 5"),
        (
            r#"2["a"]]"#,
            "malformed Socket.IO packet EVENT: unexpected text after the JSON value at byte 6",
        ),
        (
            r#"2["a",01]"#,
            "malformed Socket.IO packet EVENT: a number begins with a needless zero at byte 7",
        ),
        (
            "2[01]",
            "malformed Socket.IO packet EVENT: a number begins with a needless zero at byte 3",
        ),
        (
            "218446744073709551616[\"a\"]",
            "malformed Socket.IO packet: the id is too large at byte 1",
        ),
        (
            "2/a,99999999999999999999999[\"a\"]",
            "malformed Socket.IO packet: the id is too large at byte 4",
        ),
        (
            "3[1]",
            "malformed Socket.IO packet ACK: expected the id of the event that is answered at byte 1",
        ),
        (
            "3",
            "malformed Socket.IO packet ACK: expected the id of the event that is answered at byte 1",
        ),
        ("31", "malformed Socket.IO packet ACK: the text ends too early at byte 2"),
        ("31{}", "malformed Socket.IO packet ACK: expected an array at byte 2"),
        ("31\"x\"", "malformed Socket.IO packet ACK: expected an array at byte 2"),
        ("31[", "malformed Socket.IO packet ACK: the text ends too early at byte 3"),
        ("0[]", "malformed Socket.IO packet CONNECT: expected an object at byte 1"),
        ("0null", "malformed Socket.IO packet CONNECT: expected an object at byte 1"),
        ("0\"x\"", "malformed Socket.IO packet CONNECT: expected an object at byte 1"),
        ("0/a,{", "malformed Socket.IO packet CONNECT: the text ends too early at byte 5"),
        ("1x", "malformed Socket.IO packet DISCONNECT: expected a value at byte 1"),
        (
            "1{}{}",
            "malformed Socket.IO packet DISCONNECT: unexpected text after the JSON value at byte 3",
        ),
        (
            "4[]",
            "malformed Socket.IO packet CONNECT_ERROR: expected an object or a string at byte 1",
        ),
        (
            "4null",
            "malformed Socket.IO packet CONNECT_ERROR: expected an object or a string at byte 1",
        ),
        (
            "4-1",
            "malformed Socket.IO packet CONNECT_ERROR: expected an object or a string at byte 1",
        ),
        (
            "5[\"a\"]",
            "malformed Socket.IO packet: expected the count of attachments and '-' at byte 1",
        ),
        ("5", "malformed Socket.IO packet: expected the count of attachments and '-' at byte 1"),
        ("51", "malformed Socket.IO packet: expected the count of attachments and '-' at byte 1"),
        (
            "51[\"a\"]",
            "malformed Socket.IO packet: expected the count of attachments and '-' at byte 1",
        ),
        (
            "5-[\"a\"]",
            "malformed Socket.IO packet: expected the count of attachments and '-' at byte 1",
        ),
        (
            "5-1-[\"a\"]",
            "malformed Socket.IO packet: expected the count of attachments and '-' at byte 1",
        ),
        (
            "51.5-[\"a\"]",
            "malformed Socket.IO packet: expected the count of attachments and '-' at byte 1",
        ),
        (
            "599999999999999999999-[\"a\"]",
            "malformed Socket.IO packet: the count of attachments is too large at byte 1",
        ),
        (
            "61-[]",
            "malformed Socket.IO packet BINARY_ACK: expected the id of the event that is answered at byte 3",
        ),
        (
            r#"51-["a",{"_placeholder":true,"num":1}]"#,
            "malformed Socket.IO packet BINARY_EVENT: a placeholder whose num is not below the number of buffers ends at byte 36",
        ),
        (
            r#"61-7[{"_placeholder":true,"num":"0"}]"#,
            "malformed Socket.IO packet BINARY_ACK: a placeholder whose num is no plain integer ends at byte 35",
        ),
        (
            r#"51-["a",{"_placeholder":true}]"#,
            "malformed Socket.IO packet BINARY_EVENT: a placeholder without num ends at byte 28",
        ),
    ] {
        assert_eq!(error(text), expected, "{text}");
        let framed = format!("4{text}");
        assert_eq!(parse_from(&framed, 1).unwrap_err().to_string(), expected, "{text}");
    }
}

#[test]
fn a_start_behind_the_end_is_an_empty_packet() {
    assert_eq!(parse_from("4", 1).unwrap_err().to_string(), "a Socket.IO packet is empty");
    assert_eq!(parse_from("4", 9).unwrap_err().to_string(), "a Socket.IO packet is empty");
}

#[test]
fn a_packet_of_millions_of_brackets_or_digits_is_read_in_one_pass() {
    let depth = 1_000_000;
    let deep = format!("2[\"a\",{}{}]", "[".repeat(depth), "]".repeat(depth));
    assert!(parse(&deep).is_ok());
    assert!(parse(&deep[..deep.len() - 1]).is_err());
    let digits = "1".repeat(depth);
    assert!(parse(&format!("2[\"a\",{digits}]")).is_ok());
    assert!(parse(&format!("2[{digits}]")).is_ok());
    assert!(parse(&format!("2{digits}[\"a\"]")).is_err());
    assert!(parse(&format!("5{digits}-[\"a\"]")).is_err());
    assert!(parse(&format!("2/{digits},[\"a\"]")).is_ok());
    let escapes = "\\u0041".repeat(depth);
    let text = format!("2[\"{escapes}\",\"{escapes}\"]");
    assert_eq!(block(&text).0.len(), depth);
    let placeholders = r#",{"_placeholder":true,"num":0}"#.repeat(100_000);
    assert!(parse(&format!("51-[\"a\"{placeholders}]")).is_ok());
}

//! What is JSON and what is not, byte by byte; finding, stepping, quoting.

use super::*;

fn error(text: &str) -> String {
    check(text.as_bytes()).unwrap_err().to_string()
}

fn found<'a>(json: &'a str, pointer: &str) -> Option<(Kind, &'a str)> {
    find(json.as_bytes(), pointer).map(|(kind, value)| (kind, std::str::from_utf8(value).unwrap()))
}

/// The steps through a text as (name, value), from beginning to end.
fn steps(json: &str) -> Vec<(Option<&str>, &str)> {
    let text = |bytes| std::str::from_utf8(bytes).unwrap();
    let mut cursor = json.as_bytes();
    let mut steps = Vec::new();
    while let Some(step) = next(cursor) {
        steps.push((step.key.map(text), text(step.value)));
        cursor = &cursor[step.rest..];
    }
    steps
}

fn quoted(text: &str) -> String {
    let mut out = String::new();
    quote(text, &mut out);
    out
}

#[test]
fn every_form_of_value_is_json() {
    for text in [
        "null",
        "true",
        "false",
        "0",
        "-0",
        "7",
        "-12",
        "10",
        "1234567890123456789012345678901234567890",
        "0.5",
        "-0.0",
        "1e5",
        "1E+5",
        "1.25e-300",
        "1e999999",
        "0e0",
        r#""""#,
        r#""a""#,
        r#""1234567""#,
        r#""12345678""#,
        r#""123456789012345678901234567890123456789012345678901234567890""#,
        r#""\"\\\/\b\f\n\r\t\u0000\uD83D\ude00""#,
        r#""\ud800""#,
        r#""\udc00\ud800""#,
        "\"\u{7f}\u{80}\u{10ffff}\"",
        "[]",
        "[ ]",
        "{}",
        "{ }",
        "[[],{}]",
        "[1,2 , 3]",
        r#"{"a":1}"#,
        r#"{"a" : [ { } ] , "b":null}"#,
        r#"{"":"","":""}"#,
        " \t\r\n[ \t\r\n1 \t\r\n] \t\r\n",
    ] {
        assert_eq!(check(text.as_bytes()), Ok(()), "{text}");
    }
}

#[test]
fn an_error_says_what_is_wrong_and_at_which_byte() {
    for (text, expected) in [
        ("", "expected a value but the text is empty at byte 0"),
        ("  ", "the text ends too early at byte 2"),
        ("NaN", "NaN is not JSON at byte 0"),
        (r#"[1,NaN]"#, "NaN is not JSON at byte 3"),
        (r#"{"a":Infinity}"#, "Infinity is not JSON at byte 5"),
        ("[-Infinity]", "-Infinity is not JSON at byte 1"),
        ("[undefined]", "undefined is not JSON at byte 1"),
        ("[None]", "None is not JSON (null is) at byte 1"),
        ("[True]", "True is not JSON (true is) at byte 1"),
        ("nul", "the text ends too early at byte 3"),
        ("nulL", "expected a value at byte 0"),
        ("nullx", "unexpected text after the JSON value at byte 4"),
        ("[1 2]", "expected ',' or ']' at byte 3"),
        ("[1,]", "expected a value at byte 3"),
        ("[,1]", "expected a value at byte 1"),
        ("[1", "the text ends inside an array at byte 2"),
        ("[", "the text ends too early at byte 1"),
        ("[1}", "expected ',' or ']' at byte 2"),
        (r#"{"a":1]"#, "expected ',' or '}' at byte 6"),
        (r#"{"a":1"#, "the text ends inside an object at byte 6"),
        (r#"{"a":1,}"#, "expected a member's name in double quotes at byte 7"),
        ("{a:1}", "expected a member's name in double quotes at byte 1"),
        ("{1:1}", "expected a member's name in double quotes at byte 1"),
        (r#"{"a"}"#, "expected ':' after a member's name at byte 4"),
        (r#"{"a" 1}"#, "expected ':' after a member's name at byte 5"),
        (r#"{"a":}"#, "expected a value at byte 5"),
        ("]", "expected a value at byte 0"),
        ("[1]]", "unexpected text after the JSON value at byte 3"),
        ("01", "a number begins with a needless zero at byte 1"),
        ("[-01]", "a number begins with a needless zero at byte 3"),
        ("-", "the text ends too early at byte 1"),
        ("-x", "expected a digit at byte 1"),
        ("+1", "expected a value at byte 0"),
        (".5", "expected a value at byte 0"),
        ("1.", "the text ends too early at byte 2"),
        ("[1.]", "expected a digit at byte 3"),
        ("[1e]", "expected a digit at byte 3"),
        ("[1e+]", "expected a digit at byte 4"),
        ("[1.5.5]", "expected ',' or ']' at byte 4"),
        ("0x10", "unexpected text after the JSON value at byte 1"),
        (r#""abc"#, "the text ends inside a string at byte 4"),
        (r#""abc\"#, "the text ends too early at byte 5"),
        (r#""abc\u00"#, "the text ends too early at byte 8"),
        (r#""\x41""#, "unknown escape in a string at byte 2"),
        (r#""\u00g0""#, "expected four hexadecimal digits after \\u at byte 5"),
        ("\"a\nb\"", "a control character in a string must be escaped at byte 2"),
        ("\"\0\"", "a control character in a string must be escaped at byte 1"),
        ("['a']", "expected a string in double quotes, not in single ones, at byte 1"),
        ("[1]\0", "unexpected text after the JSON value at byte 3"),
        ("\u{feff}[]", "expected a value at byte 0"),
        ("[1]\u{a0}", "unexpected text after the JSON value at byte 3"),
        ("[\u{b}1]", "expected a value at byte 1"),
        ("// x\n[]", "expected a value at byte 0"),
    ] {
        assert_eq!(error(text), expected, "{text:?}");
    }
}

#[test]
fn a_special_byte_is_found_at_every_place_of_a_string_of_any_length() {
    for len in 0..100 {
        let plain = format!("\"{}\"", "é".repeat(len / 2) + &"x".repeat(len % 2));
        assert_eq!(check(plain.as_bytes()), Ok(()));
        for place in 0..len {
            let mut text = format!("\"{}\"", "x".repeat(len)).into_bytes();
            for control in [0, 1, 0x1f] {
                text[place + 1] = control;
                assert_eq!(check(&text).unwrap_err().offset, place + 1);
            }
            for plain in [0x20, 0x21, 0x23, 0x5b, 0x5d, 0x7f] {
                text[place + 1] = plain;
                assert_eq!(check(&text), Ok(()));
            }
            text[place + 1] = b'"';
            assert_eq!(check(&text).unwrap_err().offset, place + 2);
            text[place + 1] = b'\\';
            // What follows is an x, or the quote, which then does not end the string.
            assert_eq!(
                check(&text).unwrap_err().offset,
                if place + 1 < len { place + 2 } else { len + 2 }
            );
        }
    }
}

#[test]
fn the_beginning_of_a_json_text_is_an_error_exactly_at_its_end() {
    for text in [
        r#"[null,true,false,"a\u00e9\n",{"a":{"b":[]},"c":{}},-1.5e+10]"#,
        r#"{"a long name":"a string that is longer than two loads of eight bytes","x":[[[]]]}"#,
    ] {
        assert_eq!(check(text.as_bytes()), Ok(()));
        for end in 0..text.len() {
            assert_eq!(check(&text.as_bytes()[..end]).unwrap_err().offset, end, "{text} to {end}");
        }
    }
}

#[test]
fn nesting_of_any_depth_is_checked_without_recursion() {
    for depth in [1, 62, 63, 64, 65, 126, 127, 128, 1000, 1_000_000] {
        let arrays = "[".repeat(depth) + &"]".repeat(depth);
        assert_eq!(check(arrays.as_bytes()), Ok(()));
        assert_eq!(check(&arrays.as_bytes()[..2 * depth - 1]).unwrap_err().offset, 2 * depth - 1);
        let objects = "{\"a\":".repeat(depth) + "[]" + &"}".repeat(depth);
        assert_eq!(check(objects.as_bytes()), Ok(()));
        let mixed = "[{\"a\":".repeat(depth) + "1" + &"}]".repeat(depth);
        assert_eq!(check(mixed.as_bytes()), Ok(()));
        let wrong = "[{\"a\":".repeat(depth) + "1" + &"]}".repeat(depth);
        assert_eq!(check(wrong.as_bytes()).unwrap_err().offset, 6 * depth + 1);
        assert!(find(arrays.as_bytes(), &"/0".repeat(depth - 1)).is_some());
        assert!(find(arrays.as_bytes(), &"/0".repeat(depth)).is_none());
    }
}

#[test]
fn an_array_is_told_apart_and_trimmed() {
    let array = |text: &str| check_array(text.as_bytes());
    assert_eq!(array("[]"), Ok(Array { start: 0, end: 2, empty: true }));
    assert_eq!(array(" [ \n ] "), Ok(Array { start: 1, end: 6, empty: true }));
    assert_eq!(array(" [1] "), Ok(Array { start: 1, end: 4, empty: false }));
    assert_eq!(array("[[]]"), Ok(Array { start: 0, end: 4, empty: false }));
    assert_eq!(array(r#" {"a":1}"#).unwrap_err().to_string(), "expected an array at byte 1");
    assert_eq!(array("1").unwrap_err().to_string(), "expected an array at byte 0");
    assert_eq!(array("[1").unwrap_err().offset, 2);
    assert_eq!(array("[1] x").unwrap_err().offset, 4);
    assert_eq!(array("").unwrap_err().offset, 0);
}

#[test]
fn find_follows_rfc_6901() {
    // The example of its section 5.
    let json = r#"{
        "foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, "e^f": 3, "g|h": 4, "i\\j": 5,
        "k\"l": 6, " ": 7, "m~n": 8
    }"#;
    assert_eq!(found(json, ""), Some((Kind::Object, json)));
    assert_eq!(found(json, "/foo"), Some((Kind::Array, r#"["bar", "baz"]"#)));
    assert_eq!(found(json, "/foo/0"), Some((Kind::String, "\"bar\"")));
    for (pointer, value) in [
        ("/", "0"),
        ("/a~1b", "1"),
        ("/c%d", "2"),
        ("/e^f", "3"),
        ("/g|h", "4"),
        ("/i\\j", "5"),
        ("/k\"l", "6"),
        ("/ ", "7"),
        ("/m~0n", "8"),
    ] {
        assert_eq!(found(json, pointer), Some((Kind::Number, value)), "{pointer}");
    }
    assert_eq!(found(r#"{"~1":1}"#, "/~01"), Some((Kind::Number, "1")));
}

#[test]
fn find_tells_every_kind() {
    let json = r#" [null, false, true, -1.5, "x", [1], {"a":2}] rest"#;
    for (pointer, kind, value) in [
        ("/0", Kind::Null, "null"),
        ("/1", Kind::False, "false"),
        ("/2", Kind::True, "true"),
        ("/3", Kind::Number, "-1.5"),
        ("/4", Kind::String, "\"x\""),
        ("/5", Kind::Array, "[1]"),
        ("/6", Kind::Object, r#"{"a":2}"#),
        ("/6/a", Kind::Number, "2"),
    ] {
        assert_eq!(found(json, pointer), Some((kind, value)));
    }
}

#[test]
fn find_finds_nothing_where_nothing_is() {
    let json = r#"[1,{"a":[],"b":{}},"text"]"#;
    for pointer in [
        "/3",
        "/-",
        "/01",
        "/+1",
        "/00",
        "/ 1",
        "/1x",
        "/",
        "/18446744073709551616",
        "/1/c",
        "/1/a/0",
        "/1/b/",
        "/0/0",
        "/2/0",
        "0",
        "x",
        "/1/a~",
        "/~2",
        "/1/~",
        "/~",
        "//",
    ] {
        assert_eq!(found(json, pointer), None, "{pointer}");
    }
    for broken in ["", " ", "[1,,2]", "[1", "[}", "{\"a\" 1}", "nul", "[nope,2]"] {
        assert_eq!(found(broken, "/1"), None, "{broken}");
    }
    assert_eq!(found("[1", "/0"), Some((Kind::Number, "1")), "what follows is not read");
    assert_eq!(found("[1,[2", "/1"), None);
}

#[test]
fn find_compares_names_with_their_escapes_resolved() {
    let json = r#"{"\u0061b":1,"\ud83d\ude00":2,"\n":3,"\ud800":4,"a":5,"a":6,"é":7}"#;
    for (pointer, value) in
        [("/ab", "1"), ("/😀", "2"), ("/\n", "3"), ("/\u{fffd}", "4"), ("/a", "5"), ("/é", "7")]
    {
        assert_eq!(found(json, pointer), Some((Kind::Number, value)), "{pointer}");
    }
    assert_eq!(found(json, "/abc"), None);
    assert_eq!(found(json, "/\\u0061b"), None);
}

#[test]
fn next_steps_through_arrays_and_objects() {
    assert_eq!(steps("[]"), []);
    assert_eq!(steps("[ ]"), []);
    assert_eq!(steps("{ }"), []);
    assert_eq!(steps("1"), []);
    assert_eq!(steps(""), []);
    assert_eq!(steps("\"a\""), []);
    assert_eq!(
        steps(r#"[ 1 ,"a" , ["b"],{"c":1}, null ] , 5]"#),
        [(None, "1"), (None, "\"a\""), (None, "[\"b\"]"), (None, r#"{"c":1}"#), (None, "null")]
    );
    assert_eq!(
        steps(r#"{ "a" : 1 ,"b\n":"x" , "c":{"d":[]} } "e":5"#),
        [(Some("\"a\""), "1"), (Some("\"b\\n\""), "\"x\""), (Some("\"c\""), r#"{"d":[]}"#)]
    );
    assert_eq!(steps(r#"[["a"],"b"]"#), [(None, "[\"a\"]"), (None, "\"b\"")]);
}

#[test]
fn next_ends_where_there_is_no_json() {
    assert_eq!(steps("[1,]"), [(None, "1")]);
    assert_eq!(steps("[1 2]"), []);
    assert_eq!(steps("[1,2}"), [(None, "1")]);
    assert_eq!(steps("[1,\"a\":2]"), [(None, "1")]);
    assert_eq!(steps(r#"{"a":1,2}"#), [(Some("\"a\""), "1")]);
    assert_eq!(steps(r#"{"a" 1}"#), []);
    assert_eq!(steps("[nope]"), []);
    assert_eq!(steps("[1"), []);
}

#[test]
fn a_beginning_of_the_text_is_answered_only_if_more_text_would_not_change_it() {
    let json = r#"{"a":[1,22],"b":"x\n","c":12} rest"#;
    let bytes = json.as_bytes();
    for end in 0..=json.len() {
        let part = &bytes[..end];
        for pointer in ["", "/a", "/a/1", "/b", "/c", "/d", "/a/7", "/b/0"] {
            match find_prefix(part, pointer) {
                Ok(answer) => assert_eq!(answer, find(bytes, pointer), "{pointer} in {end}"),
                Err(Short) => assert!(end < json.len(), "{pointer}"),
            }
        }
        match next_prefix(part) {
            Ok(answer) => assert_eq!(answer, next(bytes)),
            Err(Short) => assert!(end < 12),
        }
        match unquote_prefix(&part[end.min(16)..]) {
            Ok(answer) => assert_eq!(answer.unwrap(), "x\n"),
            Err(Short) => assert!(end < 21),
        }
    }
    assert_eq!(find_prefix(b"[1, x", "/0"), Ok(Some((Kind::Number, &b"1"[..]))));
    assert_eq!(find_prefix(b"12", ""), Err(Short));
    assert_eq!(find_prefix(b"[1,x", "/1"), Ok(None));
    assert_eq!(find_prefix(b"[1,t", "/1"), Err(Short));
    assert_eq!(next_prefix(b"]"), Ok(None));
    assert_eq!(next_prefix(b"["), Err(Short));
    assert_eq!(next_prefix(b"[12"), Err(Short));
    assert_eq!(next_prefix(b",\"a\""), Err(Short));
    assert_eq!(unquote_prefix(b"1"), Ok(None));
    assert_eq!(unquote_prefix(b"\"\\x"), Ok(None));
}

#[test]
fn quote_escapes_only_what_must_be() {
    assert_eq!(quoted(""), "\"\"");
    assert_eq!(quoted("hello é 😀 / '"), "\"hello é 😀 / '\"");
    assert_eq!(quoted("a\"b\\c"), r#""a\"b\\c""#);
    assert_eq!(quoted("\n\r\t\u{8}\u{c}\0\u{1f}\u{7f}"), "\"\\n\\r\\t\\b\\f\\u0000\\u001f\u{7f}\"");
}

#[test]
fn unquote_resolves_escapes_and_replaces_lone_surrogates() {
    for (value, text) in [
        (r#""""#, ""),
        (r#""a" rest"#, "a"),
        (r#""\"\\\/\b\f\n\r\t""#, "\"\\/\u{8}\u{c}\n\r\t"),
        (r#""x\u0000y""#, "x\0y"),
        (r#""\u00E9\u20ac""#, "é€"),
        (r#""\ud83d\ude00!""#, "😀!"),
        (r#""\uD83D""#, "\u{fffd}"),
        (r#""\ude00\ud83d""#, "\u{fffd}\u{fffd}"),
        (r#""\ud83d\ud83d\ude00""#, "\u{fffd}😀"),
        (r#""\ud83dx\ude00""#, "\u{fffd}x\u{fffd}"),
        (r#""\ud83d\n""#, "\u{fffd}\n"),
        (r#""\ud83d\u0041""#, "\u{fffd}A"),
        (r#""\udbff\udfff\uffff""#, "\u{10ffff}\u{ffff}"),
    ] {
        assert_eq!(unquote(value.as_bytes()).as_deref(), Some(text), "{value}");
    }
    for value in ["", "a", " \"a\"", "\"a", "\"\\x\"", "[\"a\"]", "'a'", "\"\n\""] {
        assert_eq!(unquote(value.as_bytes()), None, "{value}");
    }
    assert_eq!(unquote(b"\"\xff\""), None, "text that is not UTF-8 is none");
}

#[test]
fn a_placeholder_has_a_mark_and_a_plain_number() {
    for (object, number) in [
        (r#"{"_placeholder":true,"num":0}"#, Some(0)),
        (r#"{ "num" : 12 , "x":[{}], "_placeholder" : true } rest"#, Some(12)),
        (r#"{"\u005fplaceholder":true,"n\u0075m":7}"#, Some(7)),
        (r#"{"_placeholder":false,"_placeholder":true,"num":1,"num":2}"#, Some(2)),
        (r#"{"_placeholder":true,"num":18446744073709551615}"#, Some(u64::MAX)),
        (r#"{"_placeholder":true,"num":18446744073709551616}"#, None),
        (r#"{"_placeholder":true,"_placeholder":null,"num":1}"#, None),
        (r#"{"_placeholder":1,"num":1}"#, None),
        (r#"{"_placeholder":"true","num":1}"#, None),
        (r#"{"_placeholder":true}"#, None),
        (r#"{"num":1}"#, None),
        (r#"{"_placeholder":true,"num":1.0}"#, None),
        (r#"{"_placeholder":true,"num":-0}"#, None),
        (r#"{"_placeholder":true,"num":1e0}"#, None),
        (r#"{"_placeholder":true,"num":"1"}"#, None),
        (r#"{"x":{"_placeholder":true,"num":1}}"#, None),
        (r#"[{"_placeholder":true,"num":1}]"#, None),
        ("{}", None),
        ("", None),
        ("1", None),
    ] {
        assert_eq!(placeholder_number(object.as_bytes()), number, "{object}");
    }
}

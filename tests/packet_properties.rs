//! What holds for any JSON text and any packet, compared with `serde_json` where it has an
//! opinion.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::Value;
use sio::json::{self, Kind, Short};
use sio::packet::socket::{Name, OutKind, Outgoing, Packet, parse, parse_from};
use sio::packet::{engine, placeholder};

/// JSON text with white space, escapes and numbers of every form, not as a serializer would
/// write it.
fn json_text() -> impl Strategy<Value = String> {
    let number = "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,4})?([eE][+-]?[0-9]{1,2})?";
    let leaf = prop_oneof![
        Just("null".to_string()),
        Just("true".to_string()),
        Just("false".to_string()),
        number,
        string_text(),
        Just(r#"{"_placeholder":true,"num":0}"#.to_string()),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        prop_oneof![
            (vec(inner.clone(), 0..6), space()).prop_map(|(values, space)| format!(
                "[{space}{}{space}]",
                values.join(&format!("{space},"))
            )),
            (vec((string_text(), inner), 0..6), space()).prop_map(|(members, space)| {
                let members: Vec<_> = members
                    .iter()
                    .map(|(name, value)| format!("{space}{name}{space}:{value}"))
                    .collect();
                format!("{{{}{space}}}", members.join(","))
            }),
        ]
    })
}

fn space() -> impl Strategy<Value = String> {
    prop_oneof![4 => Just(String::new()), 1 => "[ \t\r\n]{0,3}"]
}

/// A JSON string, short or long, with escapes and with text of any length in UTF-8.
fn string_text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "[ !#-\\[\\]-~]{1,20}",
        1 => "[\u{80}-\u{10ffff}]{1,4}",
        1 => r#"\\["\\/bfnrt]"#,
        1 => "\\\\u[0-9a-fA-C][0-9a-fA-F]{3}",
        1 => Just("\\ud83d\\uDE00".to_string()),
    ];
    vec(piece, 0..5).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

/// Text with a few bytes cut out, doubled, or put in: nearly JSON.
fn mutated(text: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    let byte = prop_oneof![
        prop::sample::select(br#"[]{},:"\ntfaluse0123456789.-+eE _'"#.to_vec()),
        0..=0x7fu8
    ];
    let change = (any::<prop::sample::Index>(), 0..3usize, vec(byte, 0..3));
    (text, vec(change, 0..4)).prop_map(|(text, changes)| {
        let mut bytes = text.into_bytes();
        for (place, cut, put) in changes {
            let start = place.index(bytes.len() + 1);
            let end = (start + cut).min(bytes.len());
            bytes.splice(start..end, put);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// Whether serde_json takes the text; `None` if it has a limit here that JSON has not.
fn serde_accepts(text: &str) -> Option<bool> {
    match serde_json::from_str::<Value>(text) {
        Ok(_) => Some(true),
        Err(error) => {
            let error = error.to_string();
            let own =
                ["out of range", "recursion limit", "surrogate", "unexpected end of hex escape"];
            if own.iter().any(|limit| error.contains(limit)) { None } else { Some(false) }
        }
    }
}

/// JSON Pointers that lead to every value inside `value`, and some that lead nowhere.
fn pointers(value: &Value, pointer: &str, out: &mut Vec<String>) {
    out.push(pointer.to_string());
    for nowhere in ["", "0", "-", "00", "01", "x~0", "~2"] {
        out.push(format!("{pointer}/{nowhere}"));
    }
    match value {
        Value::Array(elements) => {
            for (index, element) in elements.iter().enumerate() {
                pointers(element, &format!("{pointer}/{index}"), out);
            }
            out.push(format!("{pointer}/{}", elements.len()));
        }
        Value::Object(members) => {
            for (name, member) in members {
                let name = name.replace('~', "~0").replace('/', "~1");
                pointers(member, &format!("{pointer}/{name}"), out);
            }
        }
        _ => {}
    }
}

fn kind(value: &Value) -> Kind {
    match value {
        Value::Null => Kind::Null,
        Value::Bool(false) => Kind::False,
        Value::Bool(true) => Kind::True,
        Value::Number(_) => Kind::Number,
        Value::String(_) => Kind::String,
        Value::Array(_) => Kind::Array,
        Value::Object(_) => Kind::Object,
    }
}

/// JSON with names of which no two are the same, for which alone both know one answer.
fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 48, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::from),
            btree_map("[a-c/~\"\\\\\u{1f}é😀]{0,3}", inner, 0..5)
                .prop_map(|members| members.into_iter().collect()),
        ]
    })
}

/// Walks through a value by `next` alone and builds what it saw.
fn walk(text: &[u8]) -> Value {
    match json::find(text, "") {
        Some((Kind::Array, value)) => {
            let mut elements = Vec::new();
            let mut cursor = value;
            while let Some(step) = json::next(cursor) {
                assert_eq!(step.key, None);
                elements.push(walk(step.value));
                cursor = &cursor[step.rest..];
            }
            assert_eq!(cursor.first(), Some(if elements.is_empty() { &b'[' } else { &b']' }));
            Value::from(elements)
        }
        Some((Kind::Object, value)) => {
            let mut members = serde_json::Map::new();
            let mut cursor = value;
            while let Some(step) = json::next(cursor) {
                members.insert(json::unquote(step.key.unwrap()).unwrap(), walk(step.value));
                cursor = &cursor[step.rest..];
            }
            assert_eq!(cursor.first(), Some(if members.is_empty() { &b'{' } else { &b'}' }));
            Value::from(members)
        }
        Some((Kind::String, value)) => Value::from(json::unquote(value).unwrap()),
        Some((_, value)) => serde_json::from_slice(value).unwrap(),
        None => panic!("no JSON: {text:?}"),
    }
}

/// Name and arguments of a block; each must be ended by NUL.
fn parts(packet: &Packet, text: &str) -> (Vec<u8>, Vec<u8>) {
    let mut block = Vec::new();
    let layout = packet.write_block(text, &mut block);
    let (name, args) = (layout.name_start + layout.name_len, layout.args_start + layout.args_len);
    assert_eq!((block[name], block[args]), (0, 0));
    (block[layout.name_start..name].to_vec(), block[layout.args_start..args].to_vec())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn generated_json_is_json(text in json_text()) {
        prop_assert_eq!(json::check(text.as_bytes()), Ok(()));
    }

    #[test]
    fn what_is_json_is_what_serde_json_takes(text in mutated(json_text())) {
        let checked = json::check(text.as_bytes());
        if let Some(accepted) = serde_accepts(&text) {
            prop_assert_eq!(checked.is_ok(), accepted, "{:?}", checked);
        }
        if let Err(error) = checked {
            prop_assert!(error.offset <= text.len());
        }
    }

    #[test]
    fn a_part_of_json_goes_wrong_at_its_end(text in json_text(), end in any::<prop::sample::Index>()) {
        let end = end.index(text.len());
        match json::check(&text.as_bytes()[..end]) {
            // A number, of which the rest was cut off.
            Ok(()) => prop_assert!(json::find(text.as_bytes(), "").unwrap().0 == Kind::Number),
            Err(error) => prop_assert_eq!(error.offset, end),
        }
    }

    #[test]
    fn no_bytes_make_anything_panic(bytes in vec(any::<u8>(), 0..64), pointer in any::<String>()) {
        let _ = json::check(&bytes);
        let _ = json::check_array(&bytes);
        let _ = json::find(&bytes, &pointer);
        let _ = json::find(&bytes, "/0/a");
        let _ = json::next(&bytes);
        let _ = json::unquote(&bytes);
        let _ = json::placeholder_number(&bytes);
    }

    #[test]
    fn no_text_makes_anything_panic(text in mutated(json_text()), pointer in "(/[a-z0-9~]{0,2}){0,3}") {
        let bytes = text.as_bytes();
        let _ = json::find(bytes, &pointer);
        let _ = json::unquote(bytes);
        let _ = json::placeholder_number(bytes);
        let _ = placeholder::check_incoming(&text, 1);
        let _ = placeholder::check_outgoing(&text, 1);
        let _ = engine::parse_handshake(&text);
        let mut cursor = bytes;
        while let Some(step) = json::next(cursor) {
            prop_assert!(step.rest > 0);
            prop_assert!(json::check(step.value).is_ok());
            cursor = &cursor[step.rest..];
        }
    }

    #[test]
    fn no_packet_makes_anything_panic(
        head in "[0-7]?([0-9]{0,3}-)?(/[a-z?=]{0,4},?)?[0-9]{0,22}",
        text in mutated(json_text()),
        any in any::<String>(),
    ) {
        for text in [head.clone() + &text, head + &any, any, text] {
            let _ = engine::parse(&text);
            let Ok(packet) = parse(&text) else { continue };
            let at = |range: std::ops::Range<usize>| text.get(range).is_some();
            prop_assert!(at(packet.namespace.clone()) && at(packet.data.clone()));
            if !packet.data.is_empty() {
                prop_assert!(json::check(&text.as_bytes()[packet.data.clone()]).is_ok());
            }
            let (name, args) = parts(&packet, &text);
            prop_assert!(std::str::from_utf8(&name).is_ok());
            if packet.name != Name::None {
                let args = json::check_array(&args).unwrap();
                prop_assert_eq!(args.empty, packet.args.is_none());
            }
            let framed = format!("4{text}");
            let moved = parse_from(&framed, 1).unwrap();
            prop_assert_eq!((moved.kind, moved.id), (packet.kind, packet.id));
            if !moved.data.is_empty() {
                let (block, layout) = moved.into_block(framed.into_bytes());
                let name_end = layout.name_start + layout.name_len;
                let args_end = layout.args_start + layout.args_len;
                prop_assert_eq!(&block[layout.name_start..name_end], &name[..]);
                prop_assert_eq!(&block[layout.args_start..args_end], &args[..]);
                prop_assert_eq!((block[name_end], block[args_end]), (0, 0));
            }
        }
    }

    #[test]
    fn find_agrees_with_serde_json(value in json_value(), pretty in any::<bool>()) {
        let text = if pretty { format!("{value:#}") } else { value.to_string() };
        let mut all = Vec::new();
        pointers(&value, "", &mut all);
        for pointer in all {
            let found = json::find(text.as_bytes(), &pointer);
            match value.pointer(&pointer) {
                Some(expected) => {
                    let (found, span) = found.unwrap();
                    prop_assert_eq!(found, kind(expected), "{}", pointer);
                    prop_assert_eq!(&serde_json::from_slice::<Value>(span).unwrap(), expected);
                }
                None => prop_assert_eq!(found, None, "{}", pointer),
            }
        }
    }

    #[test]
    fn next_sees_all_that_there_is(value in json_value(), pretty in any::<bool>()) {
        let text = if pretty { format!("{value:#}") } else { value.to_string() };
        prop_assert_eq!(walk(text.as_bytes()), value);
    }

    #[test]
    fn a_part_of_the_text_gives_the_answer_of_all_or_asks_for_more(
        value in json_value(), end in any::<prop::sample::Index>(), pointer in "(/[a-c0-2]){0,2}",
    ) {
        let text = value.to_string();
        let part = &text.as_bytes()[..end.index(text.len() + 1)];
        match json::find_prefix(part, &pointer) {
            Ok(found) => prop_assert_eq!(found, json::find(text.as_bytes(), &pointer)),
            Err(Short) => prop_assert!(part.len() < text.len() || pointer.is_empty()),
        }
        match json::next_prefix(part) {
            Ok(step) => prop_assert_eq!(step, json::next(text.as_bytes())),
            Err(Short) => prop_assert!(part.len() < text.len()),
        }
        match json::unquote_prefix(part) {
            Ok(unquoted) => prop_assert_eq!(unquoted, json::unquote(text.as_bytes())),
            Err(Short) => prop_assert!(part.len() < text.len()),
        }
    }

    #[test]
    fn quote_and_unquote_agree_with_serde_json(text in any::<String>(), json in string_text()) {
        let mut quoted = String::new();
        json::quote(&text, &mut quoted);
        prop_assert_eq!(&serde_json::from_str::<String>(&quoted).unwrap(), &text);
        prop_assert_eq!(&quoted, &serde_json::to_string(&text).unwrap());
        prop_assert_eq!(json::unquote(quoted.as_bytes()), Some(text));
        if let Ok(expected) = serde_json::from_str::<String>(&json) {
            prop_assert_eq!(json::unquote(json.as_bytes()), Some(expected));
        }
    }

    #[test]
    fn what_is_written_is_read(
        name in any::<String>(),
        args in vec(json_text(), 0..4),
        id in any::<Option<u64>>(),
        namespace in "/|/[a-z]{1,8}",
        answer in any::<bool>(),
    ) {
        let args = format!("[{}]", args.join(","));
        let array = json::check_array(args.as_bytes()).unwrap();
        let mut quoted_name = String::new();
        json::quote(&name, &mut quoted_name);
        let kind = if answer { OutKind::Ack } else { OutKind::Event { quoted_name: quoted_name.as_bytes() } };
        let id = if answer { id.or(Some(0)) } else { id };
        let outgoing =
            Outgoing { kind, id, args: &args, args_empty: array.empty, attachments: 0 };
        let mut text = Vec::new();
        outgoing.write(&namespace, &mut text);
        prop_assert_eq!(text.len(), outgoing.len(&namespace));
        let text = String::from_utf8(text).unwrap();
        let packet = parse(&text).unwrap();
        prop_assert_eq!(packet.id, id);
        prop_assert_eq!(&text[packet.namespace.clone()], namespace.trim_end_matches("/").to_string());
        let (read_name, read_args) = parts(&packet, &text);
        prop_assert_eq!(String::from_utf8(read_name).unwrap(), if answer { "" } else { &name });
        prop_assert_eq!(String::from_utf8(read_args).unwrap(), args);
    }
}

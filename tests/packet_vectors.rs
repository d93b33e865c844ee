//! Socket.IO packets as they are on the wire, in both directions. The packets of the protocol
//! document, version 5, are among them. What is no packet, and the text that says so, is tested
//! beside the parser.

use sio::json;
use sio::packet::placeholder;
use sio::packet::socket::{
    Kind, Name, OutKind, Outgoing, parse, parse_from, write_connect, write_disconnect,
};

/// What a packet says, its ranges replaced by the text that they span.
#[derive(Debug, PartialEq)]
struct Read<'a> {
    kind: Kind,
    attachments: usize,
    namespace: &'a str,
    id: Option<u64>,
    data: &'a str,
    /// As it is written: with quotes only if there are escapes.
    name: Option<&'a str>,
    /// What follows the comma behind the name.
    args: Option<&'a str>,
}

impl<'a> Read<'a> {
    fn new(kind: Kind, data: &'a str) -> Self {
        Read { kind, attachments: 0, namespace: "", id: None, data, name: None, args: None }
    }

    fn event(data: &'a str, name: &'a str, args: impl Into<Option<&'a str>>) -> Self {
        Read { name: Some(name), args: args.into(), ..Read::new(Kind::Event, data) }
    }

    fn ack(id: u64, data: &'a str) -> Self {
        Read { id: Some(id), ..Read::new(Kind::Ack, data) }
    }

    fn namespace(self, namespace: &'a str) -> Self {
        Read { namespace, ..self }
    }

    fn id(self, id: u64) -> Self {
        Read { id: Some(id), ..self }
    }

    fn binary(self, attachments: usize) -> Self {
        let kind = match self.kind {
            Kind::Event => Kind::BinaryEvent,
            _ => Kind::BinaryAck,
        };
        Read { kind, attachments, ..self }
    }
}

fn read(text: &str, start: usize) -> Read<'_> {
    let packet = if start == 0 { parse(text) } else { parse_from(text, start) };
    let packet = packet.unwrap_or_else(|error| panic!("{text}: {error}"));
    Read {
        kind: packet.kind,
        attachments: packet.attachments,
        namespace: &text[packet.namespace],
        id: packet.id,
        data: &text[packet.data.clone()],
        name: match packet.name {
            Name::None => None,
            Name::Plain(range) => {
                assert!(text[..range.start].ends_with('"') && text[range.end..].starts_with('"'));
                Some(&text[range])
            }
            Name::Escaped(range) | Name::Number(range) => Some(&text[range]),
        },
        args: packet.args.map(|comma| {
            assert_eq!(&text[comma..comma + 1], ",");
            &text[comma + 1..packet.data.end]
        }),
    }
}

#[test]
fn incoming_packets_are_read() {
    let max = u64::MAX;
    let one = r#"{"_placeholder":true,"num":0}"#;
    let binary_event = format!(r#"["baz",{one}]"#);
    let binary_ack = format!("[{one}]");
    let nested = r#"["up",[{"a":{"num":1,"_placeholder":true}}],{"_placeholder":true,"num":0}]"#;
    for (text, expected) in [
        // CONNECT
        ("0".into(), Read::new(Kind::Connect, "")),
        (r#"0{"sid":"oSO0"}"#.into(), Read::new(Kind::Connect, r#"{"sid":"oSO0"}"#)),
        (r#"0/,{"sid":"x"}"#.into(), Read::new(Kind::Connect, r#"{"sid":"x"}"#)),
        (r#"0/?a=b,{}"#.into(), Read::new(Kind::Connect, "{}")),
        ("0/admin,".into(), Read::new(Kind::Connect, "").namespace("/admin")),
        ("0/admin".into(), Read::new(Kind::Connect, "").namespace("/admin")),
        ("0/admin?token=1".into(), Read::new(Kind::Connect, "").namespace("/admin")),
        (
            r#"0/admin?token=1&x=/,{"sid":"wZX3"}"#.into(),
            Read::new(Kind::Connect, r#"{"sid":"wZX3"}"#).namespace("/admin"),
        ),
        ("0 \t\r\n".into(), Read::new(Kind::Connect, "")),
        ("0 {\"a\" : 1} ".into(), Read::new(Kind::Connect, "{\"a\" : 1}")),
        ("05{}".into(), Read::new(Kind::Connect, "{}").id(5)),
        // DISCONNECT
        ("1".into(), Read::new(Kind::Disconnect, "")),
        ("1/admin,".into(), Read::new(Kind::Disconnect, "").namespace("/admin")),
        (r#"1"bye""#.into(), Read::new(Kind::Disconnect, "\"bye\"")),
        ("1{}".into(), Read::new(Kind::Disconnect, "{}")),
        ("1-1.5".into(), Read::new(Kind::Disconnect, "-1.5")),
        ("115.5".into(), Read::new(Kind::Disconnect, "15.5")),
        ("1/a,null".into(), Read::new(Kind::Disconnect, "null").namespace("/a")),
        // EVENT
        (r#"2["foo"]"#.into(), Read::event(r#"["foo"]"#, "foo", None)),
        (r#"2["foo","bar",1]"#.into(), Read::event(r#"["foo","bar",1]"#, "foo", "\"bar\",1]")),
        (r#"2/admin,["bar"]"#.into(), Read::event(r#"["bar"]"#, "bar", None).namespace("/admin")),
        (r#"212["foo"]"#.into(), Read::event(r#"["foo"]"#, "foo", None).id(12)),
        (r#"2/a/b?x=[,0["é"]"#.into(), Read::event(r#"["é"]"#, "é", None).namespace("/a/b").id(0)),
        (format!(r#"2{max}["x"]"#), Read::event(r#"["x"]"#, "x", None).id(max)),
        (r#"20007["x"]"#.into(), Read::event(r#"["x"]"#, "x", None).id(7)),
        ("2 [ \"x\" , 1 ]\r\n".into(), Read::event("[ \"x\" , 1 ]", "x", " 1 ]")),
        (r#"2[""]"#.into(), Read::event(r#"[""]"#, "", None)),
        (r#"2["a\n"]"#.into(), Read::event(r#"["a\n"]"#, r#""a\n""#, None)),
        ("2[12]".into(), Read::event("[12]", "12", None)),
        ("2[-1.5e+3,[]]".into(), Read::event("[-1.5e+3,[]]", "-1.5e+3", "[]]")),
        (r#"2["connect",1]"#.into(), Read::event(r#"["connect",1]"#, "connect", "1]")),
        (r#"2["disconnect"]"#.into(), Read::event(r#"["disconnect"]"#, "disconnect", None)),
        (r#"2["*"]"#.into(), Read::event(r#"["*"]"#, "*", None)),
        (
            // Not binary, so no placeholder.
            r#"2["x",{"_placeholder":true,"num":-7}]"#.into(),
            Read::event(
                r#"["x",{"_placeholder":true,"num":-7}]"#,
                "x",
                r#"{"_placeholder":true,"num":-7}]"#,
            ),
        ),
        // ACK
        ("3456[]".into(), Read::ack(456, "[]")),
        (r#"30["x"]"#.into(), Read::ack(0, r#"["x"]"#)),
        (format!("3{max}[]"), Read::ack(max, "[]")),
        (r#"3/admin,456[{}]"#.into(), Read::ack(456, "[{}]").namespace("/admin")),
        ("31 [ null ] ".into(), Read::ack(1, "[ null ]")),
        // CONNECT_ERROR
        ("4".into(), Read::new(Kind::ConnectError, "")),
        (r#"4"Not authorized""#.into(), Read::new(Kind::ConnectError, r#""Not authorized""#)),
        (
            r#"4{"message":"Not authorized","data":{"code":1}}"#.into(),
            Read::new(Kind::ConnectError, r#"{"message":"Not authorized","data":{"code":1}}"#),
        ),
        ("4/admin,{}".into(), Read::new(Kind::ConnectError, "{}").namespace("/admin")),
        // BINARY_EVENT
        (
            format!("51-{binary_event}"),
            Read::event(&binary_event, "baz", &binary_event[7..]).binary(1),
        ),
        (
            format!("51-/admin,{binary_event}"),
            Read::event(&binary_event, "baz", &binary_event[7..]).binary(1).namespace("/admin"),
        ),
        (
            format!("51-/admin,456{binary_event}"),
            Read::event(&binary_event, "baz", &binary_event[7..])
                .binary(1)
                .namespace("/admin")
                .id(456),
        ),
        (format!("52-{nested}"), Read::event(nested, "up", &nested[6..]).binary(2)),
        (r#"50-["x"]"#.into(), Read::event(r#"["x"]"#, "x", None).binary(0)),
        (r#"53-["x",1]"#.into(), Read::event(r#"["x",1]"#, "x", "1]").binary(3)),
        // BINARY_ACK
        (
            format!("61-/admin,456{binary_ack}"),
            Read::ack(456, &binary_ack).binary(1).namespace("/admin"),
        ),
        (format!("61-0{binary_ack}"), Read::ack(0, &binary_ack).binary(1)),
        ("60-7[]".into(), Read::ack(7, "[]").binary(0)),
    ] {
        assert_eq!(read(&text, 0), expected, "{text}");
        let framed = format!("4{text}");
        assert_eq!(read(&framed, 1), expected, "{framed}");
    }
}

/// The text of an event or, without a name, of an answer.
fn written(
    namespace: &str,
    name: Option<&str>,
    id: Option<u64>,
    args: &str,
    count: usize,
) -> String {
    let array = json::check_array(args.as_bytes()).unwrap();
    if count > 0 {
        placeholder::check_outgoing(args, count).unwrap();
    }
    let mut quoted = String::new();
    let kind = match name {
        Some(name) => {
            json::quote(name, &mut quoted);
            OutKind::Event { quoted_name: quoted.as_bytes() }
        }
        None => OutKind::Ack,
    };
    let args = &args[array.start..array.end];
    let packet = Outgoing { kind, id, args, args_empty: array.empty, attachments: count };
    let mut out = b"4".to_vec();
    packet.write(namespace, &mut out);
    assert_eq!(out.len(), 1 + packet.len(namespace));
    String::from_utf8(out).unwrap().split_off(1)
}

#[test]
fn outgoing_packets_are_written() {
    let max = u64::MAX;
    let (one, ten) = (r#"[{"_placeholder":true,"num":0}]"#, 10);
    let numbers = (0..ten).map(|num| format!(r#"{{"num":{num},"_placeholder":true}}"#));
    let many = format!("[{}]", numbers.collect::<Vec<_>>().join(","));
    for (namespace, name, id, args, count, text) in [
        ("/", Some("foo"), None, "[]", 0, r#"2["foo"]"#.to_string()),
        ("/", Some("foo"), None, " [ ] ", 0, r#"2["foo"]"#.into()),
        ("/", Some("foo"), None, " [1, \"a\" ] ", 0, r#"2["foo",1, "a" ]"#.into()),
        ("/", Some(""), None, "[null]", 0, r#"2["",null]"#.into()),
        ("/", Some("a\"\n😀"), Some(0), "[[]]", 0, r#"20["a\"\n😀",[]]"#.into()),
        ("", Some("x"), Some(max), "[1.50]", 0, format!(r#"2{max}["x",1.50]"#)),
        ("/admin", Some("x"), Some(10), "[]", 0, r#"2/admin,10["x"]"#.into()),
        ("/admin?a=b", Some("x"), None, "[]", 0, r#"2/admin?a=b,["x"]"#.into()),
        ("/", Some("x"), None, one, 1, format!(r#"51-["x",{}"#, &one[1..])),
        ("/a", Some("x"), Some(99), &many, ten, format!(r#"510-/a,99["x",{}"#, &many[1..])),
        ("/", None, Some(0), "[]", 0, "30[]".into()),
        ("/", None, Some(max), " [ 1 ] ", 0, format!("3{max}[ 1 ]")),
        ("/admin", None, Some(100), "[]", 0, "3/admin,100[]".into()),
        ("/admin", None, Some(9), one, 1, format!("61-/admin,9{one}")),
    ] {
        assert_eq!(written(namespace, name, id, args, count), text);
        assert!(parse(&text).is_ok(), "{text}");
    }
}

#[test]
fn connect_and_disconnect_are_written() {
    let connect = |namespace, auth| {
        let mut out = Vec::new();
        write_connect(namespace, auth, &mut out);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(connect("/", None), "0");
    assert_eq!(connect("", Some("{\"token\":\"x\"}")), "0{\"token\":\"x\"}");
    assert_eq!(connect("/admin", None), "0/admin,");
    assert_eq!(connect("/admin?q=1", Some("{}")), "0/admin?q=1,{}");

    let disconnect = |namespace| {
        let mut out = Vec::new();
        write_disconnect(namespace, &mut out);
        String::from_utf8(out).unwrap()
    };
    assert_eq!(disconnect("/"), "1");
    assert_eq!(disconnect("/admin"), "1/admin,");
}

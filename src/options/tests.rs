use super::*;
use crate::url;

fn set(name: &str, value: &str) -> Result<String, Failure> {
    let mut options = Options::new();
    let before = options.clone();
    let result = options.set(name, Some(value));
    if result.is_err() {
        assert!(options == before, "{name}={value} was refused and changed something");
    }
    result.map(|()| options.value(name))
}

#[track_caller]
fn taken(name: &str, value: &str) {
    assert_eq!(set(name, value).as_deref(), Ok(value), "{name}");
}

#[track_caller]
fn refused(name: &str, value: &str, status: Status) -> String {
    let failure = set(name, value).unwrap_err();
    assert_eq!(failure.status, status, "{name}={value}: {}", failure.text);
    assert!(failure.text.contains(&format!("\"{name}\"")), "{}", failure.text);
    failure.text
}

#[test]
fn the_table_has_every_option_once_with_the_default_that_is_in_force() {
    let options = Options::new();
    assert_eq!(TABLE.len(), 30);
    for (index, info) in TABLE.iter().enumerate() {
        assert_eq!(options.value(info.name), info.default, "{}", info.name);
        assert!(TABLE[..index].iter().all(|other| other.name != info.name));
        let word = |c: char| c.is_ascii_lowercase() || c == '_';
        assert!(info.name.chars().all(word), "{}", info.name);
    }
}

#[test]
fn null_restores_the_default() {
    for (name, value) in [
        ("url", "http://localhost:5000"),
        ("namespace", "/admin"),
        ("path", "/my/io/"),
        ("auth", "{\"token\":\"abc\"}"),
        ("transports", "websocket"),
        ("transports", "websocket,polling"),
        ("attempt_timeout_ms", "1"),
        ("request_timeout_ms", "86400000"),
        ("offline", "buffer"),
        ("send_limit", "1"),
        ("receive_limit", "0"),
        ("receive_overflow", "drop_newest"),
        ("max_message_bytes", "1"),
        ("max_attachments", "1"),
        ("enforce_max_payload", "0"),
        ("ack_unanswered", "0"),
        ("retry_connect", "1"),
        ("reconnection", "0"),
        ("reconnect_attempts", "1000000000"),
        ("reconnect_min_ms", "86400000"),
        ("reconnect_max_ms", "1"),
        ("reconnect_jitter", "0"),
        ("retry_refused", "1"),
        ("tls_verify", "0"),
        ("tls_ca_file", "/etc/ca.pem"),
        ("tls_cert_file", "cert.pem"),
        ("tls_key_file", "\u{fc} key.pem"),
        ("cookies", "0"),
        ("report_state", "1"),
        ("report_attempts", "1"),
    ] {
        let mut options = Options::new();
        options.set(name, Some(value)).unwrap();
        assert_eq!(options.value(name), value);
        options.set(name, None).unwrap();
        assert!(options == Options::new(), "{name}");
    }
}

#[test]
fn an_unknown_name_is_unsupported_and_a_near_one_is_pointed_to() {
    let mut options = Options::new();
    for value in [None, Some("1")] {
        let failure = options.set("no_such", value).unwrap_err();
        assert_eq!(failure.status, Status::Unsupported);
        assert_eq!(failure.text, "this version of the library has no option \"no_such\"");
    }
    for near in ["Send-Limit", "SEND_LIMIT", " send_limit"] {
        let failure = options.set(near, Some("1")).unwrap_err();
        assert!(failure.text.ends_with("; there is \"send_limit\""), "{}", failure.text);
    }
    assert_eq!(options.value("no_such"), "");
}

#[test]
fn numbers_are_digits_within_the_range() {
    for name in ["attempt_timeout_ms", "request_timeout_ms", "reconnect_min_ms", "reconnect_max_ms"]
    {
        taken(name, "1");
        taken(name, "86400000");
        for bad in ["0", "86400001"] {
            refused(name, bad, Status::Invalid);
        }
    }
    for name in ["send_limit", "receive_limit"] {
        taken(name, "1");
        taken(name, &BYTES_MAX.to_string());
        refused(name, &(BYTES_MAX + 1).to_string(), Status::Invalid);
    }
    for (name, most, beyond) in
        [("reconnect_attempts", "1000000000", "1000000001"), ("reconnect_jitter", "100", "101")]
    {
        taken(name, "0");
        taken(name, most);
        refused(name, beyond, Status::Invalid);
    }
    taken("receive_limit", "0");
    taken("max_message_bytes", &MESSAGE_MAX.to_string());
    taken("max_attachments", "1048576");
    refused("max_message_bytes", &(MESSAGE_MAX + 1).to_string(), Status::Invalid);
    refused("max_attachments", "1048577", Status::Invalid);
    for name in ["send_limit", "max_message_bytes", "max_attachments"] {
        refused(name, "0", Status::Invalid);
    }
    for bad in [
        "",
        " 1",
        "1 ",
        "+1",
        "-1",
        "01",
        "00",
        "1.0",
        "1e3",
        "0x10",
        "1_000",
        "1k",
        "\u{661}",
        "18446744073709551616",
        "99999999999999999999999999",
        "-9223372036854775808",
        "null",
    ] {
        for name in [
            "attempt_timeout_ms",
            "send_limit",
            "receive_limit",
            "max_attachments",
            "reconnect_attempts",
            "reconnect_jitter",
        ] {
            refused(name, bad, Status::Invalid);
        }
    }
    assert_eq!(
        refused("attempt_timeout_ms", "abc", Status::Invalid),
        "option \"attempt_timeout_ms\": \"abc\" does not fit; it must be a whole number of \
         milliseconds from 1 to 86400000, in digits alone"
    );
}

#[test]
fn a_number_may_be_given_as_one() {
    let mut options = Options::new();
    options.set_int("send_limit", 4096).unwrap();
    assert_eq!(options.send_limit, 4096);
    assert_eq!(options.set_int("send_limit", -1).unwrap_err().status, Status::Invalid);
    assert_eq!(options.set_int("send_limit", i64::MIN).unwrap_err().status, Status::Invalid);
    assert_eq!(options.set_int("ack_unanswered", 2).unwrap_err().status, Status::Invalid);
    assert_eq!(options.set_int("namespace", 2).unwrap_err().status, Status::Invalid);
}

#[test]
fn on_and_off_are_1_and_0() {
    for name in [
        "retry_connect",
        "reconnection",
        "retry_refused",
        "enforce_max_payload",
        "ack_unanswered",
        "tls_verify",
        "cookies",
        "report_state",
        "report_attempts",
    ] {
        taken(name, "0");
        taken(name, "1");
        for bad in ["", "true", "on", "yes", "2", "00", "01", " 1", "-0"] {
            let text = refused(name, bad, Status::Invalid);
            assert!(text.ends_with("it must be 0 or 1"), "{text}");
        }
    }
}

#[test]
fn words_are_those_of_the_table() {
    for (name, words) in [
        ("offline", ["wait", "buffer", "fail"]),
        ("receive_overflow", ["pause", "drop_oldest", "drop_newest"]),
    ] {
        for word in words {
            taken(name, word);
        }
        for bad in ["", "Wait", "PAUSE", " wait", "wait,fail", "0", "drop-oldest"] {
            let text = refused(name, bad, Status::Invalid);
            assert!(words.iter().all(|word| text.contains(&format!("\"{word}\""))), "{text}");
        }
    }
}

#[test]
fn the_proxy_is_missing_and_cannot_be_set() {
    for value in ["0", "", "environment", "http://proxy:3128"] {
        let text = refused("proxy", value, Status::Unsupported);
        assert!(text.contains("missing from this version"), "{text}");
    }
    assert_eq!(Options::new().set("proxy", None).unwrap_err().status, Status::Unsupported);
    assert_eq!(Options::new().value("proxy"), "");
}

#[test]
fn transports_are_one_or_both_in_the_order_in_which_they_are_tried() {
    use Transport::{Polling, WebSocket};
    assert_eq!(Options::new().transports, [Polling, WebSocket]);
    for (list, meaning) in [
        ("polling", &[Polling][..]),
        ("websocket", &[WebSocket]),
        ("polling,websocket", &[Polling, WebSocket]),
        ("websocket,polling", &[WebSocket, Polling]),
    ] {
        taken("transports", list);
        let mut options = Options::new();
        options.set("transports", Some(list)).unwrap();
        assert_eq!(options.transports, meaning, "{list}");
    }
    for bad in [
        "",
        ",",
        "websocket,",
        ",websocket",
        "websocket, polling",
        "WebSocket",
        "websocket,websocket",
        "polling,websocket,polling",
        "webtransport",
        "polling websocket",
    ] {
        let text = refused("transports", bad, Status::Invalid);
        assert!(text.contains("\"polling\", \"websocket\", or both"), "{text}");
    }
}

#[test]
fn the_name_of_a_file_is_kept_as_given_and_the_file_not_read() {
    for name in ["tls_ca_file", "tls_cert_file", "tls_key_file"] {
        taken(name, "no such file.pem");
        taken(name, "../\u{fc}/x");
        let text = refused(name, "", Status::Invalid);
        assert!(text.contains("empty"), "{text}");
    }
    let mut options = Options::new();
    options.set("tls_verify", Some("0")).unwrap();
    options.set("tls_cert_file", Some("a")).unwrap();
    options.set("tls_key_file", Some("b")).unwrap();
    let (cert_file, key_file) = (Some("a".into()), Some("b".into()));
    assert_eq!(options.tls, TlsOptions { verify: false, ca_file: None, cert_file, key_file });
    // One of them back at its default leaves the others.
    options.set("tls_cert_file", None).unwrap();
    assert_eq!(options.tls.key_file.as_deref(), Some("b"));
    assert!(!options.tls.verify);
}

#[test]
fn the_longest_delay_may_be_set_below_the_first() {
    let mut options = Options::new();
    options.set("reconnect_min_ms", Some("9000")).unwrap();
    options.set("reconnect_max_ms", Some("10")).unwrap();
    options.check().unwrap();
    assert_eq!(options.reconnect_min, Duration::from_secs(9));
    assert_eq!(options.reconnect_max, Duration::from_millis(10));
}

#[test]
fn urls_of_all_four_schemes_are_taken() {
    for (good, secure) in [
        ("http://localhost:5000", false),
        ("ws://localhost", false),
        ("http://[::1]:5000/", false),
        ("http://user:pass@localhost/?a=b", false),
        ("https://localhost", true),
        ("wss://localhost:5000", true),
        ("HTTPS://user:pass@localhost", true),
    ] {
        taken("url", good);
        let mut options = Options::new();
        options.set("url", Some(good)).unwrap();
        assert_eq!(options.url.unwrap().meaning.secure, secure, "{good}");
    }
    for bad in ["", "localhost", "ftp://localhost", "http://", "http://h/chat", "http://h:0"] {
        refused("url", bad, Status::Invalid);
    }
}

#[test]
fn what_is_in_force_is_what_was_set() {
    let mut options = Options::new();
    assert!(!options.report_state);
    options.set("report_state", Some("1")).unwrap();
    options.set("ack_unanswered", Some("0")).unwrap();
    assert!(options.report_state && !options.ack_unanswered);
    assert_eq!(options.send_limit, Options::new().send_limit);
}

#[test]
fn an_error_text_never_shows_a_credential() {
    for bad in [
        "http://me:hush@h/chat",
        "http://me:hu/sh@h/chat",
        "http://me:hush#@h:0",
        "http://h/chat?token=hush",
        "http://me:hush?x@h/chat",
        "http://h/chat?mail=a@hush",
        "me:hush@host",
        "hush@h?x=hush@y",
        "gopher://me:hush@h?hush",
    ] {
        let text = refused("url", bad, Status::Invalid);
        assert!(!text.contains("hu"), "{text}");
    }
    assert!(
        refused("url", "ftp://me:hush@h:1/?q", Status::Invalid).contains("\"ftp://...@h:1/?...\"")
    );
    for bad in ["hush", "{\"token\":\"hush\"", "{\"hush\":NaN}", "\"hush\" x"] {
        let text = refused("auth", bad, Status::Invalid);
        assert!(!text.contains("hush") && text.contains("at byte"), "{text}");
    }
    let text = refused("namespace", "/a,b?token=hush", Status::Invalid);
    assert!(!text.contains("hush"), "{text}");
    let failure = Options::new().set_header(Some("X"), Some("hush\r\n")).unwrap_err();
    assert!(!failure.text.contains("hush"), "{}", failure.text);
    let mut options = Options::new();
    options.set("url", Some("http://me:hush@h")).unwrap();
    assert!(!format!("{options:?}").contains("hush"));
}

#[test]
fn a_namespace_starts_with_a_slash_and_has_no_comma_and_no_control() {
    for good in ["/", "/admin", "/a/b", "/?token=x", "/admin?a=b", "/\u{fc}", "/a b", "//"] {
        taken("namespace", good);
    }
    assert_eq!(set("namespace", "").as_deref(), Ok("/"));
    for (bad, fault) in [
        ("admin", "start"),
        ("?a=b", "start"),
        (" /", "start"),
        ("/a,b", "comma"),
        ("/a?b=c,d", "comma"),
        ("/a\nb", "control"),
        ("/a\u{7f}", "control"),
        ("/a\u{85}", "control"),
    ] {
        let text = refused("namespace", bad, Status::Invalid);
        assert!(text.contains(fault), "{text}");
        assert!(!text.contains('\n'));
    }
}

#[test]
fn auth_is_one_json_value_and_by_the_protocol_an_object() {
    for good in ["{}", " {\"a\":[1,2.50]} ", "null", "\"text\"", "[1]", "5"] {
        taken("auth", good);
    }
    for bad in ["", " ", "{", "{}{}", "{a:1}", "nul"] {
        refused("auth", bad, Status::Invalid);
    }
    let mut options = Options::new();
    for (value, is_object) in [(None, true), (Some(" \n{}"), true), (Some("[{}]"), false)] {
        options.set("auth", value).unwrap();
        assert_eq!(options.auth_is_object(), is_object);
    }
}

#[test]
fn a_path_is_kept_as_given_and_sent_with_its_slashes() {
    let mut options = Options::new();
    assert_eq!(options.path.meaning, url::check_path(&options.path.given).unwrap());
    for good in ["my/io", "/my/io/"] {
        options.set("path", Some(good)).unwrap();
        assert_eq!(options.value("path"), good);
        assert_eq!(options.path.meaning, "/my/io/");
    }
    for bad in ["a?b", "a#b", "a\nb"] {
        refused("path", bad, Status::Invalid);
    }
}

#[test]
fn a_long_value_is_cut_in_the_text() {
    let long = "\u{fc}".repeat(1000);
    let text = refused("offline", &long, Status::Invalid);
    assert!(text.contains(&format!("\"{}...\"", "\u{fc}".repeat(60))), "{text}");
    assert!(text.len() < 300);
    assert!(refused("offline", "a\nb", Status::Invalid).contains("\"a\\nb\""));
}

#[test]
fn headers_replace_each_other_whatever_their_case() {
    let mut options = Options::new();
    options.set_header(Some("X-One"), Some("1")).unwrap();
    options.set_header(Some("X-Two"), Some("2")).unwrap();
    options.set_header(Some("x-one"), Some("3")).unwrap();
    assert_eq!(options.headers, [("x-one".into(), "3".into()), ("X-Two".into(), "2".into())]);
    options.set_header(Some("X-ONE"), None).unwrap();
    options.set_header(Some("X-None"), None).unwrap();
    assert_eq!(options.headers, [("X-Two".into(), "2".into())]);
    for (name, value) in [("", "x"), ("a b", "x"), ("Host", "x"), ("Upgrade", "x"), ("X", "a\n")] {
        let failure = options.set_header(Some(name), Some(value)).unwrap_err();
        assert_eq!(failure.status, Status::Invalid, "{}", failure.text);
    }
    assert_eq!(options.headers.len(), 1);
    options.set_header(None, None).unwrap();
    assert!(options.headers.is_empty());
}

#[test]
fn a_receive_limit_of_0_needs_a_policy_that_drops() {
    let mut options = Options::new();
    options.check().unwrap();
    options.set("receive_limit", Some("0")).unwrap();
    let failure = options.check().unwrap_err();
    assert_eq!(failure.status, Status::Invalid);
    assert!(failure.text.contains("drop_newest"));
    options.set("receive_overflow", Some("drop_newest")).unwrap();
    options.check().unwrap();
}

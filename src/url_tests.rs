use super::*;

#[track_caller]
fn refused(url: &str, part_of_text: &str) {
    let error = parse(url).unwrap_err();
    assert!(error.what.contains(part_of_text), "{url}: {error}");
}

#[test]
fn the_four_schemes_are_taken_in_any_case_with_their_ports() {
    for (text, scheme, secure, port) in [
        ("http://a", "http", false, 80),
        ("https://a", "https", true, 443),
        ("ws://a", "ws", false, 80),
        ("wss://a", "wss", true, 443),
        ("HTTP://a:1", "http", false, 1),
        ("WsS://a:65535", "wss", true, 65535),
    ] {
        let url = parse(text).unwrap();
        assert_eq!((url.scheme, url.secure, url.port), (scheme, secure, port), "{text}");
        assert_eq!((url.host.as_str(), &url.userinfo, &url.query), ("a", &None, &None));
    }
}

#[test]
fn hosts_are_names_and_addresses_with_and_without_port() {
    for (text, host, header) in [
        ("http://localhost:5000", "localhost", "localhost:5000"),
        ("http://localhost:80", "localhost", "localhost"),
        ("http://localhost/", "localhost", "localhost"),
        ("https://a.example:80/", "a.example", "a.example:80"),
        ("https://a.example:443/", "a.example", "a.example"),
        ("http://a_b-c.example.:00080", "a_b-c.example.", "a_b-c.example."),
        ("ws://127.0.0.1:3000", "127.0.0.1", "127.0.0.1:3000"),
        ("ws://[::1]:5000", "::1", "[::1]:5000"),
        ("ws://[2001:DB8::1]", "2001:DB8::1", "[2001:DB8::1]"),
        ("ws://[::ffff:1.2.3.4]:80", "::ffff:1.2.3.4", "[::ffff:1.2.3.4]"),
        ("ws://[fe80::1%25eth0]:9", "fe80::1%eth0", "[fe80::1]:9"),
        ("ws://[fe80::1%eth0]", "fe80::1%eth0", "[fe80::1]"),
    ] {
        let url = parse(text).unwrap();
        assert_eq!((url.host.as_str(), url.host_header().as_str()), (host, header), "{text}");
    }
}

#[test]
fn other_schemes_and_missing_ones_are_refused() {
    for text in ["", "localhost", "localhost:5000", "//localhost", "http:/localhost", "http:"] {
        refused(text, "has no scheme");
    }
    for text in ["ftp://a", "httpx://a", "://a", "unix:///run/x", "javascript://a"] {
        refused(text, "http, https, ws or wss");
    }
}

#[test]
fn a_host_that_is_missing_or_malformed_is_refused() {
    for text in ["http://", "http:///", "http://:80", "http://?a=b", "http://u:p@", "http://@"] {
        refused(text, "no host");
    }
    for text in ["http://a,b", "http://a\\b", "http://a%41", "http://a\"", "http://*"] {
        refused(text, "has a character other than");
    }
    refused("http://bücher.example", "xn--");
    refused("http://[::1", "without \"]\"");
    for text in ["http://[]", "http://[localhost]", "http://[1.2.3.4]", "http://[::g]:80"] {
        refused(text, "no IPv6 address");
    }
    for text in ["http://[fe80::1%]", "http://[fe80::1%25]", "http://[fe80::1%a%b]"] {
        refused(text, "zone");
    }
    refused("http://[::1]x", "after \"]\"");
    refused("http://::1", "no host");
    refused("http://fe80::1", "written in [ ]");
}

#[test]
fn a_port_that_is_0_or_no_number_is_refused() {
    for port in ["", "0", "000", "65536", "99999999999999999999", "x", "8a", "+80", "-1", "８０"]
    {
        for host in ["a", "[::1]"] {
            refused(&format!("http://{host}:{port}"), "no number from 1 to 65535");
        }
    }
}

#[test]
fn a_path_is_refused_with_a_text_that_points_to_the_two_options() {
    for text in ["http://a/chat", "http://a:80//", "http://a/socket.io/?x", "http://a/."] {
        refused(text, "option `namespace`");
        refused(text, "option `path`");
    }
}

#[test]
fn a_fragment_is_refused() {
    for text in ["http://a#", "http://a/#x", "http://a?q=1#x", "http://u:p#w@a"] {
        refused(text, "fragment");
    }
}

#[test]
fn control_characters_and_spaces_are_refused_anywhere() {
    for c in ['\0', '\t', '\r', '\n', '\u{1b}', '\u{7f}', '\u{85}', ' '] {
        for text in [format!("{c}http://a"), format!("http://a{c}"), format!("http://a/?q={c}")] {
            let error = parse(&text).unwrap_err();
            assert!(error.what.contains("at byte"), "{error}");
        }
    }
}

#[test]
fn the_query_is_kept_byte_for_byte_and_goes_on_the_target() {
    let long = "x".repeat(5000);
    for query in ["token=a%20b&c", "a=b=c", "?", "/a/b@c:d", "q={\"a\":[1]}", "ä", "%zz", &long] {
        for text in [format!("http://a?{query}"), format!("http://a/?{query}")] {
            let url = parse(&text).unwrap();
            assert_eq!(url.query.as_deref(), Some(query));
            assert_eq!(
                url.request_target("/socket.io/", Transport::WebSocket, "", 7),
                format!("/socket.io/?EIO=4&transport=websocket&{query}")
            );
        }
    }
    let url = parse("http://a/?").unwrap();
    assert_eq!(url.query, None);
    let target = url.request_target("/x/", Transport::Polling, "", 255);
    assert_eq!(target, "/x/?EIO=4&transport=polling&t=ff");
}

#[test]
fn the_session_id_is_percent_encoded_and_by_polling_each_target_is_another() {
    let url = parse("http://a?q=1").unwrap();
    let target = |moment| url.request_target("/x/", Transport::Polling, "a b&/ä-._~9", moment);
    let expected = "/x/?EIO=4&transport=polling&t=1&sid=a%20b%26%2F%C3%A4-._~9&q=1";
    assert_eq!(target(1), expected);
    assert_ne!(target(1), target(2));
}

#[test]
fn user_and_password_are_decoded() {
    for (text, user, password) in [
        ("http://u:p@a", "u", "p"),
        ("http://u@a", "u", ""),
        ("http://:p@a", "", "p"),
        ("http://u:p:q@a", "u", "p:q"),
        ("http://u%40x:p%3A%2F%25@a:5", "u@x", "p:/%"),
        ("http://%c3%a4:%E2%82%AC@a", "ä", "€"),
        // A bare "@" is taken too, as browsers do: the last one counts.
        ("http://u@x:p@y@a", "u@x", "p@y"),
    ] {
        let url = parse(text).unwrap();
        assert_eq!(url.userinfo, Some((user.to_owned(), password.to_owned())), "{text}");
        assert_eq!(url.host, "a");
    }
    assert_eq!(parse("http://@a").unwrap().userinfo, None);
    assert_eq!(parse("http://:@a").unwrap().userinfo, None);
    refused("http://u%3Ax:p@a", "colon");
    refused("http://u%0d:p@a", "control character");
    refused("http://u:p%00@a", "control character");
    for text in ["http://u%:p@a", "http://u:%4@a", "http://u:%zz@a", "http://u:%é@a"] {
        refused(text, "%25");
    }
    refused("http://u:%ff@a", "not UTF-8");
}

#[test]
fn no_text_shows_a_password() {
    for text in [
        "http://user:hush@host:0",
        "http://user:hush/x@host",
        "http://user:hush",
        "http://user:hush@host/chat",
        "http://user:hush%@host",
        "user:hush@host",
        "user:hush://host",
        "http://user:hush@ho,st",
        "http://user:hush@host/?q#",
    ] {
        let error = parse(text).unwrap_err();
        assert!(!error.what.contains("hush"), "{error}");
    }
    let url = parse("ws://user:hush@host:5000/?token=hush").unwrap();
    assert_eq!(url.origin(), "ws://host:5000");
    assert!(!format!("{url:?}").contains("hush"));
}

#[test]
fn a_path_gets_its_slashes_and_is_encoded_once() {
    for (path, expected) in [
        ("/socket.io/", "/socket.io/"),
        ("socket.io", "/socket.io/"),
        ("/socket.io", "/socket.io/"),
        ("socket.io/", "/socket.io/"),
        ("", "/"),
        ("/", "/"),
        ("//", "/"),
        ("//a//b//", "/a//b/"),
        ("a b/ä", "/a%20b/%C3%A4/"),
        ("a%20b", "/a%20b/"),
        ("100%", "/100%25/"),
        ("%4/%zz", "/%254/%25zz/"),
        ("a\"<>\\^`{|}[]", "/a%22%3C%3E%5C%5E%60%7B%7C%7D%5B%5D/"),
        ("-._~!$&'()*+,;=:@", "/-._~!$&'()*+,;=:@/"),
    ] {
        assert_eq!(check_path(path).as_deref(), Ok(expected), "{path}");
    }
    for bad in ["a?b", "a#b", "?", "#", "a\0", "a\r\n", "\u{7f}", "\u{9f}"] {
        assert!(check_path(bad).is_err(), "{bad:?}");
    }
    assert_eq!(check_path("a?").unwrap_err().what, "the path has a \"?\" (write %3F) at byte 1");
}

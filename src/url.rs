//! The server's address as the program writes it, and the option `path`.
//!
//! Owns the rules of both texts, and how they become the target of a request and the Host
//! header. Refuses to know requests, names and addresses of the network, and all other options.

#![forbid(unsafe_code)]

use std::fmt;
use std::net::Ipv6Addr;

/// A server's address, taken apart.
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    /// The scheme as the program wrote it, in small letters: "http", "https", "ws" or "wss".
    pub scheme: &'static str,
    /// Whether TLS is asked for: https and wss.
    pub secure: bool,
    /// The name or address, without brackets.
    pub host: String,
    /// The port, 80 or 443 if none was written.
    pub port: u16,
    /// User and password, decoded; the user holds no colon, neither holds control characters.
    pub userinfo: Option<(String, String)>,
    /// What stands behind the "?", byte for byte; never empty.
    pub query: Option<String>,
}

/// Why a URL or a path is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UrlError {
    /// What is wrong and what would be right. Never holds a password.
    pub what: String,
}

/// Takes a server's URL apart.
///
/// # Errors
///
/// The text says what is wrong; it is no URL of a server, or has a part that does not belong
/// into one.
pub fn parse(text: &str) -> Result<Url, UrlError> {
    if let Some((at, c)) = text.char_indices().find(|(_, c)| c.is_control() || *c == ' ') {
        return fail(format!("the URL has {} at byte {at}", describe(c)));
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return fail("the URL has no scheme; write it like http://localhost:5000");
    };
    let Some((scheme, secure)) =
        SCHEMES.into_iter().find(|(known, _)| known.eq_ignore_ascii_case(scheme))
    else {
        return fail("the scheme of the URL is not http, https, ws or wss");
    };
    if rest.contains('#') {
        return fail(
            "the URL has a fragment (\"#\"), which means nothing to a server; in a query it is \
             written %23",
        );
    }
    let (rest, query) = match rest.split_once('?') {
        Some((rest, query)) => (rest, Some(query).filter(|query| !query.is_empty())),
        None => (rest, None),
    };
    let (authority, path) = match rest.find('/') {
        Some(slash) => rest.split_at(slash),
        None => (rest, ""),
    };
    if !matches!(path, "" | "/") {
        return fail(
            "the URL has a path; a namespace such as \"/admin\" is set by the option \
             `namespace`, and where on the server Socket.IO is found by the option `path`",
        );
    }
    let (userinfo, host_and_port) = match authority.rsplit_once('@') {
        Some((userinfo, rest)) => (parse_userinfo(userinfo)?, rest),
        None => (None, authority),
    };
    let (host, port) = split_port(host_and_port)?;
    let port = match port {
        Some(port) => parse_port(port)?,
        None => default_port(secure),
    };
    let query = query.map(str::to_owned);
    Ok(Url { scheme, secure, host, port, userinfo, query })
}

/// Brings the option `path` into the form in which it is sent: one slash before and one behind
/// it, and percent-encoded where that is needed. What is percent-encoded already stays.
///
/// # Errors
///
/// The path has a "?", a "#" or a control character.
pub fn check_path(path: &str) -> Result<String, UrlError> {
    if let Some((at, c)) = path.char_indices().find(|(_, c)| c.is_control() || "?#".contains(*c)) {
        return fail(format!("the path has {} at byte {at}", describe(c)));
    }
    let inner = path.trim_matches('/');
    if inner.is_empty() {
        return Ok("/".to_owned());
    }
    let mut out = String::with_capacity(inner.len() + 2);
    out.push('/');
    let bytes = inner.as_bytes();
    for (index, &byte) in bytes.iter().enumerate() {
        let encoded = byte == b'%' && percent_byte(&bytes[index..]).is_some();
        if encoded || is_path_byte(byte) {
            out.push(char::from(byte));
        } else {
            push_percent(byte, &mut out);
        }
    }
    out.push('/');
    Ok(out)
}

impl Url {
    /// What the Host header says: the port only if it is not the one of the scheme.
    pub fn host_header(&self) -> String {
        let host = match self.host.split_once('%') {
            // A zone means something on this machine only (RFC 6874, section 4).
            Some((address, _zone)) => format!("[{address}]"),
            None if self.host.contains(':') => format!("[{}]", self.host),
            None => self.host.clone(),
        };
        if self.port == default_port(self.secure) { host } else { format!("{host}:{}", self.port) }
    }

    /// Scheme, host and port, for texts: without password and query.
    pub fn origin(&self) -> String {
        format!("{}://{}", self.scheme, self.host_header())
    }

    /// The target of a request. `path` is one that [`check_path()`] gave.
    pub fn request_target(&self, path: &str, transport: &str) -> String {
        let mut target = format!("{path}?EIO=4&transport={transport}");
        if let Some(query) = &self.query {
            target.push('&');
            target.push_str(query);
        }
        target
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Passwords and tokens must not get into a log by way of a debug text.
        f.debug_tuple("Url").field(&self.origin()).finish()
    }
}

impl fmt::Display for UrlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for UrlError {}

fn fail<T>(what: impl Into<String>) -> Result<T, UrlError> {
    Err(UrlError { what: what.into() })
}

fn describe(c: char) -> String {
    match c {
        ' ' => "a space (write %20)".to_owned(),
        '?' | '#' => format!("a \"{c}\" (write %{:02X})", u32::from(c)),
        _ => format!("the control character U+{:04X}", u32::from(c)),
    }
}

fn default_port(secure: bool) -> u16 {
    if secure { 443 } else { 80 }
}

/// The host and the text of the port, if a colon announces one.
fn split_port(text: &str) -> Result<(String, Option<&str>), UrlError> {
    let (host, rest) = match text.strip_prefix('[') {
        Some(inner) => {
            let Some((address, rest)) = inner.split_once(']') else {
                return fail("the URL has a \"[\" without \"]\"");
            };
            (parse_bracketed(address)?, rest)
        }
        None => {
            let (host, rest) = text.split_at(text.find(':').unwrap_or(text.len()));
            (parse_host(host)?, rest)
        }
    };
    match rest.strip_prefix(':') {
        Some(port) if port.contains(':') => fail(
            "the URL has more than one \":\" after the host; an IPv6 address is written in [ ]",
        ),
        Some(port) => Ok((host, Some(port))),
        None if rest.is_empty() => Ok((host, None)),
        None => fail("the URL has something other than \":\" and a port after \"]\""),
    }
}

fn parse_host(host: &str) -> Result<String, UrlError> {
    if host.is_empty() {
        return fail("the URL has no host");
    }
    if !host.is_ascii() {
        return fail("the host in the URL is not ASCII; write the name in its xn-- form");
    }
    if !host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)) {
        return fail(
            "the host in the URL has a character other than letters, digits, \"-\", \".\" and \
             \"_\"",
        );
    }
    Ok(host.to_owned())
}

/// An IPv6 address, with or without a zone, which a URL writes as "%25eth0" or plainly "%eth0".
fn parse_bracketed(text: &str) -> Result<String, UrlError> {
    let (address, zone) = match text.split_once('%') {
        Some((address, zone)) => (address, Some(zone.strip_prefix("25").unwrap_or(zone))),
        None => (text, None),
    };
    if address.parse::<Ipv6Addr>().is_err() {
        return fail("what stands in [ ] in the URL is no IPv6 address");
    }
    let Some(zone) = zone else { return Ok(address.to_owned()) };
    let is_zone_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    if zone.is_empty() || !zone.bytes().all(is_zone_byte) {
        return fail("the IPv6 address in the URL has a zone that names no interface");
    }
    Ok(format!("{address}%{zone}"))
}

fn parse_port(text: &str) -> Result<u16, UrlError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse::<u16>() {
        // A sign would be taken by the number parser.
        Ok(port) if digits && port != 0 => Ok(port),
        _ => fail("the port in the URL is no number from 1 to 65535"),
    }
}

/// User and password; None if both are empty.
fn parse_userinfo(text: &str) -> Result<Option<(String, String)>, UrlError> {
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    let (user, password) = (percent_decode(user)?, percent_decode(password)?);
    if user.contains(':') {
        return fail("the user in the URL has a colon, which basic authentication cannot carry");
    }
    if user.chars().chain(password.chars()).any(char::is_control) {
        return fail("user or password in the URL has a control character");
    }
    Ok(Some((user, password)).filter(|(user, password)| !user.is_empty() || !password.is_empty()))
}

fn percent_decode(text: &str) -> Result<String, UrlError> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [byte, after @ ..] = rest {
        if *byte != b'%' {
            out.push(*byte);
            rest = after;
            continue;
        }
        let Some(byte) = percent_byte(rest) else {
            return fail("user or password in the URL has a \"%\" that is not written %25");
        };
        out.push(byte);
        rest = &rest[3..];
    }
    String::from_utf8(out)
        .map_err(|_| UrlError { what: "user or password in the URL is not UTF-8".to_owned() })
}

/// The byte that "%" and two hexadecimal digits at the start of the text stand for.
fn percent_byte(text: &[u8]) -> Option<u8> {
    let [b'%', high, low, ..] = text else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16).map(|digit| digit as u8);
    Some(digit(*high)? << 4 | digit(*low)?)
}

fn push_percent(byte: u8, out: &mut String) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    out.push('%');
    out.push(char::from(DIGITS[usize::from(byte >> 4)]));
    out.push(char::from(DIGITS[usize::from(byte & 0xf)]));
}

/// What a path may hold as it is (RFC 3986, section 3.3).
fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/".contains(&byte)
}

const SCHEMES: [(&str, bool); 4] = [("http", false), ("https", true), ("ws", false), ("wss", true)];

#[cfg(test)]
mod tests {
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
        for text in ["http://", "http:///", "http://:80", "http://?a=b", "http://u:p@", "http://@"]
        {
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
        for port in
            ["", "0", "000", "65536", "99999999999999999999", "x", "8a", "+80", "-1", "８０"]
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
            for text in [format!("{c}http://a"), format!("http://a{c}"), format!("http://a/?q={c}")]
            {
                let error = parse(&text).unwrap_err();
                assert!(error.what.contains("at byte"), "{error}");
            }
        }
    }

    #[test]
    fn the_query_is_kept_byte_for_byte_and_goes_on_the_target() {
        let long = "x".repeat(5000);
        for query in ["token=a%20b&c", "a=b=c", "?", "/a/b@c:d", "q={\"a\":[1]}", "ä", "%zz", &long]
        {
            for text in [format!("http://a?{query}"), format!("http://a/?{query}")] {
                let url = parse(&text).unwrap();
                assert_eq!(url.query.as_deref(), Some(query));
                assert_eq!(
                    url.request_target("/socket.io/", "websocket"),
                    format!("/socket.io/?EIO=4&transport=websocket&{query}")
                );
            }
        }
        let url = parse("http://a/?").unwrap();
        assert_eq!(url.query, None);
        assert_eq!(url.request_target("/x/", "polling"), "/x/?EIO=4&transport=polling");
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
        assert_eq!(
            check_path("a?").unwrap_err().what,
            "the path has a \"?\" (write %3F) at byte 1"
        );
    }
}

//! The server's address as the program writes it, and the option `path`.
//!
//! Owns the rules of both texts, and how they become the target of a request and the Host
//! header. Refuses to know requests, names and addresses of the network, and all other options.

#![forbid(unsafe_code)]

use std::fmt;
use std::net::Ipv6Addr;

use crate::transport::Transport;

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

    /// The target of a request. `path` is one that [`check_path()`] gave, `sid` the Engine.IO
    /// session's id, empty before there is one. By polling each `moment` makes another target, so
    /// that nothing on the way answers from memory.
    pub fn request_target(
        &self,
        path: &str,
        transport: Transport,
        sid: &str,
        moment: u64,
    ) -> String {
        let mut target = format!("{path}?EIO=4&transport={}", transport.name());
        if transport == Transport::Polling {
            target.push_str(&format!("&t={moment:x}"));
        }
        if !sid.is_empty() {
            target.push_str("&sid=");
            for byte in sid.bytes() {
                match byte {
                    b'-' | b'.' | b'_' | b'~' => target.push(char::from(byte)),
                    _ if byte.is_ascii_alphanumeric() => target.push(char::from(byte)),
                    _ => push_percent(byte, &mut target),
                }
            }
        }
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
#[path = "url_tests.rs"]
mod tests;

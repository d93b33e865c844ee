//! The headers that a program adds to its requests.
//!
//! Owns the rules of their names and values, and the Authorization that a URL implies. Refuses
//! to know which requests they go on.

#![forbid(unsafe_code)]

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Why a header is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderError {
    /// What is wrong and what would be right. Never holds the value.
    pub what: String,
}

/// Checks a header that the program wants on its requests.
///
/// # Errors
///
/// The name is no token or belongs to the connection itself, or the value has a control
/// character.
pub fn check_header(name: &str, value: &str) -> Result<(), HeaderError> {
    if name.is_empty() {
        return fail("the name of the header is empty");
    }
    if let Some((at, c)) = name.char_indices().find(|(_, c)| !is_token(*c)) {
        return fail(format!("the name of the header has {} at byte {at}", describe(c)));
    }
    if FORBIDDEN.iter().any(|forbidden| forbidden.eq_ignore_ascii_case(name))
        || starts_with_ignoring_case(name, "Sec-WebSocket-")
    {
        return fail(format!("the header {name} belongs to the connection and cannot be set"));
    }
    if let Some((at, c)) = value.char_indices().find(|(_, c)| c.is_control() && *c != '\t') {
        return fail(format!("the value of the header {name} has {} at byte {at}", describe(c)));
    }
    Ok(())
}

/// The value of an Authorization header for a user and a password (RFC 7617).
pub fn basic_authorization(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for HeaderError {}

fn fail(what: impl Into<String>) -> Result<(), HeaderError> {
    Err(HeaderError { what: what.into() })
}

/// The characters of a token (RFC 9110, section 5.6.2).
fn is_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c)
}

fn starts_with_ignoring_case(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

fn describe(c: char) -> String {
    match c {
        '\r' => "a carriage return".to_owned(),
        '\n' => "a line feed".to_owned(),
        ' ' => "a space".to_owned(),
        c if c.is_control() => format!("the control character U+{:04X}", u32::from(c)),
        c => format!("\"{c}\""),
    }
}

/// Headers by which a request would change its own meaning, beside all of Sec-WebSocket-*.
const FORBIDDEN: [&str; 5] =
    ["Host", "Content-Length", "Transfer-Encoding", "Upgrade", "Connection"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_headers_are_taken() {
        for (name, value) in [
            ("Authorization", "Bearer abc"),
            ("Cookie", "a=b; c=d"),
            ("X-Empty", ""),
            ("x-tab", "a\tb"),
            ("X-City", "Montréal"),
            ("!#$%&'*+-.^_`|~09azAZ", "every character of a token"),
            ("Sec-Fetch-Mode", "websocket"),
            ("Hostname", "near a forbidden one"),
        ] {
            assert_eq!(check_header(name, value), Ok(()), "{name}");
        }
    }

    #[test]
    fn line_ends_and_nul_are_refused_in_name_and_value() {
        for bad in ["\r", "\n", "\0", "\u{7f}", "\u{1}"] {
            let error = check_header("X", &format!("ab{bad}c")).unwrap_err();
            assert!(error.what.ends_with("at byte 2"), "{error}");
            assert!(check_header(&format!("X{bad}"), "v").is_err());
        }
    }

    #[test]
    fn names_that_are_no_tokens_are_refused() {
        for bad in ["", " ", "a b", "a:", "ä", "(", "\"", "/", "[", "a\t"] {
            assert!(check_header(bad, "v").is_err(), "{bad:?}");
        }
    }

    #[test]
    fn headers_of_the_connection_are_refused_in_any_case() {
        for bad in [
            "Host",
            "host",
            "CONTENT-LENGTH",
            "upgrade",
            "Connection",
            "transfer-encoding",
            "Sec-WebSocket-Key",
            "sec-websocket-protocol",
            "SEC-WEBSOCKET-EXTENSIONS",
            "Sec-WebSocket-",
        ] {
            let error = check_header(bad, "v").unwrap_err();
            assert!(error.what.contains("belongs to the connection"), "{error}");
        }
    }

    #[test]
    fn an_error_never_holds_the_value() {
        let error = check_header("X-Secret", "hush\n").unwrap_err();
        assert!(!error.what.contains("hush"), "{error}");
    }

    #[test]
    fn basic_authorization_is_base64_of_user_and_password() {
        for (user, password, expected) in [
            ("Aladdin", "open sesame", "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
            ("", "", "Basic Og=="),
            ("a", "", "Basic YTo="),
            ("a", "b", "Basic YTpi"),
            ("ä", "£?>", "Basic w6Q6wqM/Pg=="),
        ] {
            assert_eq!(basic_authorization(user, password), expected);
        }
    }
}

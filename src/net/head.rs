//! The head of an HTTP answer, as far as both transports read it in the same way.
//!
//! Owns where a head ends, how long it may be, and what to say about bytes that are no head.
//! Refuses to know what was asked, and what a head means.

#![forbid(unsafe_code)]

use tungstenite::http::HeaderMap;

/// The longest head that is taken.
pub const HEAD_LIMIT: usize = 64 * 1024;

/// What to say of a head that is longer than [`HEAD_LIMIT`].
pub const TOO_LONG: &str = "the head of the answer is longer than 64 KiB";

/// What to say of a connection that ends before the first byte of an answer. So do Node servers
/// part from a path that is not theirs.
pub const NO_ANSWER: &str = "the connection was closed without an answer (is a Socket.IO server \
                             there, at the path of the option `path`?)";

/// What to say of a connection that ends within a head.
pub const CUT_SHORT: &str = "the connection was closed within the head of the answer";

/// Whether the bytes so far may be the start of an HTTP answer. A server of another kind may
/// greet and then wait for us, so that a head would never be complete.
pub fn looks_like_http(bytes: &[u8]) -> bool {
    bytes.iter().zip(b"HTTP/1.").all(|(byte, expected)| byte == expected)
}

/// What to say of bytes that do not [look like HTTP](looks_like_http).
pub fn not_http(bytes: &[u8]) -> String {
    // The kind and the version with which every TLS record begins.
    if bytes.starts_with(&[0x15, 0x03]) {
        return "the server speaks TLS there; try https or wss".to_owned();
    }
    let start = &bytes[..bytes.len().min(32)];
    format!("the answer is not HTTP: \"{}\"", start.escape_ascii())
}

/// One past the empty line that ends the head. Lines may end without a carriage return.
/// `searched` is 0 at first, and then what an earlier call left there.
pub fn end_of_head(bytes: &[u8], searched: &mut usize) -> Option<usize> {
    let mut from = *searched;
    while let Some(found) = bytes[from..].iter().position(|byte| *byte == b'\n') {
        let line_end = from + found;
        let after = match &bytes[line_end + 1..] {
            [b'\n', ..] => Some(line_end + 2),
            [b'\r', b'\n', ..] => Some(line_end + 3),
            [] | [b'\r'] => {
                *searched = line_end;
                return None;
            }
            _ => None,
        };
        if after.is_some() {
            return after;
        }
        from = line_end + 1;
    }
    *searched = bytes.len();
    None
}

/// The members of a header that is a list, over all its lines, without white space.
pub fn list<'a>(headers: &'a HeaderMap, name: &str) -> impl Iterator<Item = &'a [u8]> {
    headers
        .get_all(name)
        .into_iter()
        .flat_map(|value| value.as_bytes().split(|byte| *byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|member| !member.is_empty())
}

/// Whether a header that is a list has a member, in any case of its letters.
pub fn has_token(headers: &HeaderMap, name: &str, token: &str) -> bool {
    list(headers, name).any(|member| member.eq_ignore_ascii_case(token.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_head_is_found_however_it_is_split() {
        for (text, end) in [
            ("HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody", Some(25)),
            ("HTTP/1.1 200 OK\nA: b\n\nbody", Some(22)),
            ("HTTP/1.1 200 OK\r\n\r\n\r\n", Some(19)),
            ("HTTP/1.1 200 OK\r\nA: b\r\n\r", None),
            ("HTTP/1.1 200 OK\n\n", Some(17)),
            ("", None),
        ] {
            let bytes = text.as_bytes();
            assert_eq!(end_of_head(bytes, &mut 0), end, "{text:?}");
            let mut searched = 0;
            let found = (0..=bytes.len()).find_map(|n| end_of_head(&bytes[..n], &mut searched));
            assert_eq!(found, end, "{text:?}");
        }
    }

    #[test]
    fn a_list_may_stand_in_several_lines() {
        let mut headers = HeaderMap::new();
        headers.append("connection", "keep-alive ,\tUpgrade".parse().unwrap());
        headers.append("connection", ", close,".parse().unwrap());
        let members: Vec<_> = list(&headers, "connection").collect();
        assert_eq!(members, [&b"keep-alive"[..], b"Upgrade", b"close"]);
        assert!(has_token(&headers, "Connection", "upgrade"));
        assert!(!has_token(&headers, "connection", "keep"));
        assert!(!has_token(&headers, "other", "close"));
    }
}

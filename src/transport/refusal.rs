//! An HTTP answer that is no success.
//!
//! Owns the reading of its body, as far as it is worth showing, and the failure that it amounts
//! to. Refuses to know what was asked, and the socket.

#![forbid(unsafe_code)]

use crate::error::{Failure, Phase, Status};
use crate::net::head::list;
use tungstenite::http::{HeaderMap, StatusCode};

/// An answer with a status that is no success, whose body is being read.
#[derive(Debug)]
pub struct Refusal {
    origin: String,
    asked: &'static str,
    why: String,
    status: StatusCode,
    location: Option<String>,
    body: Vec<u8>,
    framing: Framing,
}

/// Where the body ends (RFC 9112, section 6).
#[derive(Debug)]
enum Framing {
    /// After so many more bytes.
    Length(u64),
    /// Where its chunks say.
    Chunked(Chunked),
    /// With the connection.
    UntilEnd,
    /// It has ended.
    Complete,
}

/// What the next byte of a chunked body belongs to.
#[derive(Debug)]
enum Chunked {
    /// The size of a chunk, of which so much has come.
    Size(u64),
    /// The rest of the line with the size.
    Extension(u64),
    /// The data of a chunk, so many bytes more.
    Data(u64),
    /// The end of the line behind the data.
    DataEnd,
}

impl Refusal {
    /// The answer with this status and these headers. For texts: `origin` names the server,
    /// `asked` says what it refuses ("the WebSocket", "the GET"), and `why` why a redirect is
    /// not followed.
    pub fn new(
        origin: &str,
        asked: &'static str,
        why: &str,
        status: StatusCode,
        headers: &HeaderMap,
    ) -> Self {
        let (origin, why) = (origin.to_owned(), why.to_owned());
        let location = headers.get("location").map(|value| shown_location(value.as_bytes()));
        let framing = framing(status, headers);
        Refusal { origin, asked, why, status, location, body: Vec::new(), framing }
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// Takes in more of the body. `Some` when it is complete, or enough of it is there.
    pub fn receive(&mut self, bytes: &[u8]) -> Option<Failure> {
        self.take(bytes);
        let enough = self.body.len() >= BODY_LIMIT;
        (enough || matches!(self.framing, Framing::Complete)).then(|| self.failure())
    }

    /// What the answer amounts to, by what is known now.
    pub fn failure(&self) -> Failure {
        let body = String::from_utf8_lossy(&self.body);
        let shown: String = body.chars().take(SHOWN_CHARACTERS).collect();
        let message = engine_message(&body);
        let reason = self.status.canonical_reason().map_or(String::new(), |r| format!(" {r}"));
        let mut text = format!(
            "{} refused {} with HTTP status {}{reason}",
            self.origin,
            self.asked,
            self.status.as_u16()
        );
        let said = message.as_deref().unwrap_or(shown.trim());
        if !said.is_empty() {
            text.push_str(": ");
            text.extend(said.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200));
        }
        text.push_str(&self.advice());
        let mut failure = Failure::new(Status::Unreachable, text).in_phase(Phase::Http);
        failure.details.http_status = Some(self.status.as_u16());
        failure.details.http_body = Some(shown).filter(|body| !body.is_empty());
        failure.details.message = message.map(|text| serde_json::Value::from(text).to_string());
        failure
    }

    /// What the reader of the text may do about it.
    fn advice(&self) -> String {
        match (self.status.as_u16(), &self.location) {
            (300..=399, Some(location)) => format!(" (it redirects to {location}; {})", self.why),
            (404, _) => " (is a Socket.IO server there, at the path of the option `path`?)".into(),
            (401 | 403, _) => " (are the credentials right?)".into(),
            (200..=299, _) => " (what answers there is no Socket.IO server)".into(),
            _ => String::new(),
        }
    }

    fn take(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && self.body.len() < BODY_LIMIT {
            let wanted = match &mut self.framing {
                Framing::UntilEnd => u64::MAX,
                Framing::Complete => return,
                Framing::Length(left) | Framing::Chunked(Chunked::Data(left)) => *left,
                Framing::Chunked(chunked) => {
                    match chunked.after(bytes[0]) {
                        Some(next) => *chunked = next,
                        None => self.framing = Framing::Complete,
                    }
                    bytes = &bytes[1..];
                    continue;
                }
            };
            let room = bytes.len().min(BODY_LIMIT - self.body.len());
            let n = room.min(usize::try_from(wanted).unwrap_or(usize::MAX));
            self.body.extend_from_slice(&bytes[..n]);
            bytes = &bytes[n..];
            let left = wanted - n as u64;
            match &mut self.framing {
                Framing::Length(_) if left == 0 => self.framing = Framing::Complete,
                Framing::Chunked(chunked) if left == 0 => *chunked = Chunked::DataEnd,
                Framing::Length(missing) | Framing::Chunked(Chunked::Data(missing)) => {
                    *missing = left;
                }
                _ => {}
            }
        }
    }
}

impl Chunked {
    /// Where a byte that is not data leads; None at the end of the body. What is no chunked body
    /// ends it too: the answer is an error anyway, and its body only a help to the reader.
    fn after(&self, byte: u8) -> Option<Chunked> {
        match (self, byte) {
            (Chunked::Size(0) | Chunked::Extension(0), b'\n') => None,
            (Chunked::Size(size) | Chunked::Extension(size), b'\n') => Some(Chunked::Data(*size)),
            (Chunked::Extension(size), _) | (Chunked::Size(size), b';' | b'\r' | b' ' | b'\t') => {
                Some(Chunked::Extension(*size))
            }
            (Chunked::Size(size), digit) => {
                let digit = char::from(digit).to_digit(16)?;
                let room_for_digit = size >> 60 == 0;
                room_for_digit.then_some(Chunked::Size(size << 4 | u64::from(digit)))
            }
            (Chunked::Data(_) | Chunked::DataEnd, b'\n') => Some(Chunked::Size(0)),
            (Chunked::Data(_) | Chunked::DataEnd, _) => Some(Chunked::DataEnd),
        }
    }
}

fn framing(status: StatusCode, headers: &HeaderMap) -> Framing {
    let is_coded = list(headers, "content-encoding").any(|c| !c.eq_ignore_ascii_case(b"identity"));
    // A body that nobody can read is not worth waiting for.
    if is_coded || matches!(status.as_u16(), 204 | 304) {
        return Framing::Complete;
    }
    let last = |name| list(headers, name).last();
    if last("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case(b"chunked")) {
        return Framing::Chunked(Chunked::Size(0));
    }
    let length = last("content-length").and_then(|value| std::str::from_utf8(value).ok());
    match length.and_then(|value| value.parse::<u64>().ok()) {
        Some(0) => Framing::Complete,
        Some(length) => Framing::Length(length),
        None => Framing::UntilEnd,
    }
}

/// Where an answer redirects to, without what may be secret: a query can hold a token, and an
/// address a password.
fn shown_location(location: &[u8]) -> String {
    let location = String::from_utf8_lossy(location);
    let location = location.split(['?', '#']).next().unwrap_or_default();
    let shown = match location.split_once("//") {
        Some((scheme, rest)) => {
            let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            let host = host.rsplit('@').next().unwrap_or_default();
            format!("{scheme}//{host}{path}")
        }
        None => location.to_owned(),
    };
    shown.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect()
}

/// The message in a body as Engine.IO servers send it: `{"code":3,"message":"Bad request"}`.
fn engine_message(body: &str) -> Option<String> {
    let json: serde_json::Value = serde_json::from_str(body).ok()?;
    json.get("code")?;
    Some(json.get("message")?.as_str()?.to_owned())
}

/// No more of a body is read: it is what the shown characters can take at most.
const BODY_LIMIT: usize = 4 * SHOWN_CHARACTERS;
const SHOWN_CHARACTERS: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, headers: &[(&str, &str)]) -> Refusal {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name = tungstenite::http::HeaderName::from_bytes(name.as_bytes()).unwrap();
            map.append(name, value.parse().unwrap());
        }
        let status = StatusCode::from_u16(status).unwrap();
        Refusal::new("http://a", "the WebSocket", "nobody follows", status, &map)
    }

    /// The body that a refusal shows when its bytes come in pieces of one size; also whether it
    /// was complete before the connection ended.
    fn body(headers: &[(&str, &str)], bytes: &[u8], size: usize) -> (String, bool) {
        let mut refusal = refusal(500, headers);
        for piece in bytes.chunks(size) {
            if let Some(failure) = refusal.receive(piece) {
                return (failure.details.http_body.unwrap_or_default(), true);
            }
        }
        (refusal.failure().details.http_body.unwrap_or_default(), false)
    }

    #[test]
    fn a_body_ends_by_its_length_by_its_chunks_or_with_the_connection() {
        let chunked = &[("Transfer-Encoding", "gzip, Chunked")][..];
        for size in 1..40 {
            let by_length = body(&[("Content-Length", " 5 ")], b"hello, ignored", size);
            assert_eq!(by_length, ("hello".into(), true));
            let chunks = b"3\r\nhel\r\n02;name=value\r\nlo\r\n0\r\n\r\n";
            assert_eq!(body(chunked, chunks, size), ("hello".into(), true));
            assert_eq!(body(&[], b"hello", size), ("hello".into(), false));
            assert_eq!(body(&[("Content-Length", "9")], b"hello", size), ("hello".into(), false));
            assert_eq!(body(&[("Content-Length", "x")], b"hello", size), ("hello".into(), false));
        }
        assert_eq!(body(chunked, b"A\nhello worl\n0\n\n", 3), ("hello worl".into(), true));
        assert_eq!(body(chunked, b"3\r\nhel\r\nzz\r\n", 3), ("hel".into(), true));
        assert_eq!(body(chunked, b"ffffffffffffffffff\r\nhello", 3), (String::new(), true));
        let both = [chunked[0], ("Content-Length", "2")];
        assert_eq!(body(&both, b"3\r\nhel\r\n0\r\n\r\n", 9), ("hel".into(), true));
    }

    #[test]
    fn an_answer_without_a_body_is_complete_at_once() {
        assert!(refusal(204, &[]).receive(b"").is_some());
        let coded = refusal(500, &[("Content-Encoding", "gzip")]).receive(b"\x1f\x8b").unwrap();
        assert_eq!(coded.details.http_body, None);
        assert!(refusal(304, &[("Content-Length", "7")]).receive(b"").is_some());
        assert!(refusal(500, &[("Content-Length", "0")]).receive(b"").is_some());
        assert!(refusal(500, &[("Content-Length", "1")]).receive(b"").is_none());
        assert!(refusal(500, &[]).receive(b"").is_none());
    }

    #[test]
    fn no_more_of_a_body_is_read_than_is_shown() {
        let mut refusal = refusal(500, &[]);
        let failure = refusal.receive("ä".repeat(10_000).as_bytes()).unwrap();
        assert_eq!(refusal.body.len(), BODY_LIMIT);
        let shown = failure.details.http_body.unwrap();
        assert_eq!(shown, "ä".repeat(SHOWN_CHARACTERS));
        assert!(failure.text.chars().count() < 300);
        assert_eq!(body(&[], &[0xff; 3], 9).0, "\u{fffd}\u{fffd}\u{fffd}");
    }

    #[test]
    fn the_failure_says_what_the_server_said_and_what_to_do() {
        let mut bad_request = refusal(400, &[]);
        bad_request.receive(b"{\"code\":3,\"message\":\"Bad \\\"request\\\"\"}");
        let failure = bad_request.failure();
        assert_eq!(failure.status, Status::Unreachable);
        assert_eq!(failure.details.phase, Some(Phase::Http));
        assert_eq!(failure.details.http_status, Some(400));
        assert_eq!(failure.details.message.as_deref(), Some(r#""Bad \"request\"""#));
        assert_eq!(
            failure.text,
            "http://a refused the WebSocket with HTTP status 400 Bad Request: Bad \"request\""
        );
        for (status, headers, part_of_text) in [
            (302, &[("Location", "https://b/")][..], "redirects to https://b/; nobody follows)"),
            (301, &[("Location", "//u:secret@b:1/c@d?t=secret")], "redirects to //b:1/c@d; nobody"),
            (307, &[("Location", "/d#e")], "redirects to /d; nobody"),
            (404, &[], "option `path`"),
            (401, &[], "credentials"),
            (403, &[], "credentials"),
            (200, &[], "no Socket.IO server"),
            (599, &[], "HTTP status 599"),
        ] {
            let failure = refusal(status, headers).failure();
            assert!(failure.text.contains(part_of_text), "{}", failure.text);
            assert_eq!((failure.details.http_body, failure.details.message), (None, None));
        }
    }

    #[test]
    fn json_of_another_kind_is_only_a_body() {
        for body in ["\"too old\"", "{\"message\":\"x\"}", "{\"code\":1,\"message\":2}", "[1]"] {
            let mut refusal = refusal(400, &[]);
            refusal.receive(body.as_bytes());
            let failure = refusal.failure();
            assert_eq!(failure.details.message, None);
            assert_eq!(failure.details.http_body.as_deref(), Some(body));
        }
    }

    #[test]
    fn line_ends_of_a_body_do_not_break_the_line_of_the_text() {
        let mut refusal = refusal(500, &[]);
        refusal.receive(b"one\r\ntwo\x1b[31m\n");
        assert!(!refusal.failure().text.contains(char::is_control));
    }
}

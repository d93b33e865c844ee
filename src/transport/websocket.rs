//! The opening handshake of a WebSocket (RFC 6455, section 4), over memory.
//!
//! Owns the request, and the check of what the server answers. Refuses to know the socket: it is
//! given bytes, and keeps none that belong to the frames behind the head.

#![forbid(unsafe_code)]

use super::refusal::Refusal;
use crate::error::{Failure, Phase, Status};
use crate::net::head::{
    CUT_SHORT, HEAD_LIMIT, NO_ANSWER, TOO_LONG, end_of_head, has_token, looks_like_http, not_http,
};
use crate::net::server::Server;
use tungstenite::handshake::client::{Response, generate_key};
use tungstenite::handshake::derive_accept_key;
use tungstenite::handshake::machine::TryParse;
use tungstenite::http::HeaderMap;

/// One opening handshake. Send [`request()`](Self::request), then give what the server says to
/// [`receive()`](Self::receive) until it is open or has failed.
#[derive(Debug)]
pub struct Opening {
    request: Vec<u8>,
    origin: String,
    key: String,
    answer: Answer,
    headers: Option<HeaderMap>,
}

#[derive(Debug)]
enum Answer {
    /// The head, as much of it as has come; its end was looked for up to `searched`.
    Head { bytes: Vec<u8>, searched: usize },
    /// The server does not open; its reasons are read.
    Refused(Refusal),
}

impl Opening {
    /// A handshake with a server. `target` is what [`crate::url::Url::request_target()`] gave.
    ///
    /// # Errors
    ///
    /// [`Status::Invalid`] if a header cannot be sent.
    pub fn new(server: &Server, target: &str) -> Result<Self, Failure> {
        let key = generate_key();
        let mut request = format!("GET {target} HTTP/1.1\r\n");
        server.write_common(target, &mut request)?;
        for part in [
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n",
            "Sec-WebSocket-Key: ",
            &key,
            "\r\n\r\n",
        ] {
            request.push_str(part);
        }
        let answer = Answer::Head { bytes: Vec::new(), searched: 0 };
        let (request, origin) = (request.into_bytes(), server.url.origin());
        Ok(Opening { request, origin, key, answer, headers: None })
    }

    /// The bytes to send.
    pub fn request(&self) -> &[u8] {
        &self.request
    }

    /// Takes in what the server sent. `Some` when the WebSocket is open: the bytes behind the
    /// head, which belong to the first frames.
    ///
    /// # Errors
    ///
    /// [`Status::Unreachable`] if the server refuses by HTTP; [`Status::Protocol`] if what it says
    /// is no answer to the handshake.
    pub fn receive(&mut self, bytes: &[u8]) -> Result<Option<Vec<u8>>, Failure> {
        let (head, searched) = match &mut self.answer {
            Answer::Head { bytes: head, searched } => (head, searched),
            Answer::Refused(refusal) => {
                return match refusal.receive(bytes) {
                    Some(failure) => Err(failure),
                    None => Ok(None),
                };
            }
        };
        head.extend_from_slice(bytes);
        loop {
            if !looks_like_http(head) {
                return Err(protocol(&self.origin, &not_http(head)));
            }
            let Some(end) = end_of_head(head, searched) else {
                return if head.len() > HEAD_LIMIT {
                    Err(protocol(&self.origin, TOO_LONG))
                } else {
                    Ok(None)
                };
            };
            if end > HEAD_LIMIT {
                return Err(protocol(&self.origin, TOO_LONG));
            }
            let tail = head.split_off(end);
            let response = match parse_head(head) {
                Ok(response) => response,
                Err(what) => return Err(protocol(&self.origin, &what)),
            };
            match response.status().as_u16() {
                101 => {
                    let verified = verify(response.headers(), &self.key);
                    self.headers = Some(response.into_parts().0.headers);
                    return match verified {
                        Ok(()) => Ok(Some(tail)),
                        Err(what) => Err(protocol(&self.origin, &what)),
                    };
                }
                // An answer that says that another will follow.
                100..=199 => (*head, *searched) = (tail, 0),
                _ => {
                    let (head, why) = (response.into_parts().0, "a WebSocket does not follow");
                    let asked = "the WebSocket";
                    let mut refusal =
                        Refusal::new(&self.origin, asked, why, head.status, &head.headers);
                    self.headers = Some(head.headers);
                    let failure = refusal.receive(&tail);
                    self.answer = Answer::Refused(refusal);
                    return failure.map_or(Ok(None), Err);
                }
            }
        }
    }

    /// What the end of the input means; also what is known when the time runs out.
    pub fn end(&mut self) -> Failure {
        match &self.answer {
            Answer::Refused(refusal) => refusal.failure(),
            Answer::Head { bytes, .. } if bytes.is_empty() => protocol(&self.origin, NO_ANSWER),
            Answer::Head { .. } => protocol(&self.origin, CUT_SHORT),
        }
    }

    /// The headers of the answer, once its head has come, be it an agreement or a refusal: the
    /// cookies that it sets are the server's to keep. Given once.
    pub fn take_headers(&mut self) -> Option<HeaderMap> {
        self.headers.take()
    }

    /// The HTTP status with which the server refuses, once it is known.
    pub fn refused(&self) -> Option<u16> {
        match &self.answer {
            Answer::Refused(refusal) => Some(refusal.status()),
            Answer::Head { .. } => None,
        }
    }
}

fn protocol(origin: &str, what: &str) -> Failure {
    let text = format!("the WebSocket handshake with {origin} failed: {what}");
    Failure::new(Status::Protocol, text).in_phase(Phase::Handshake)
}

/// Parses a whole head.
fn parse_head(head: &mut [u8]) -> Result<Response, String> {
    // The parser takes no HTTP/1.0, which is how some servers for development refuse. The two
    // versions do not differ in how a head is written.
    let is_1_0 = head.starts_with(b"HTTP/1.0");
    if is_1_0 {
        head[7] = b'1';
    }
    match Response::try_parse(head) {
        Ok(Some((_, response))) if is_1_0 && response.status().as_u16() == 101 => {
            Err("the server agrees by HTTP/1.0, which knows no WebSocket".to_owned())
        }
        Ok(Some((_, response))) => Ok(response),
        Ok(None) => Err("the head of the answer is not complete".to_owned()),
        Err(error) => Err(format!("the answer is not HTTP: {error}")),
    }
}

/// Whether the server agreed, to this very request (RFC 6455, section 4.1).
fn verify(headers: &HeaderMap, key: &str) -> Result<(), String> {
    if !has_token(headers, "upgrade", "websocket") {
        return Err("the answer has no \"Upgrade: websocket\"".to_owned());
    }
    if !has_token(headers, "connection", "upgrade") {
        return Err("the answer has no \"Connection: Upgrade\"".to_owned());
    }
    let accept = derive_accept_key(key.as_bytes());
    match headers.get("sec-websocket-accept") {
        None => return Err("the answer has no Sec-WebSocket-Accept".to_owned()),
        Some(value) if value.as_bytes().trim_ascii() != accept.as_bytes() => {
            return Err("Sec-WebSocket-Accept in the answer belongs to another request".to_owned());
        }
        Some(_) => {}
    }
    for name in ["sec-websocket-extensions", "sec-websocket-protocol"] {
        if headers.get_all(name).iter().any(|value| !value.as_bytes().trim_ascii().is_empty()) {
            return Err(format!("the answer has a {name}, which was not asked for"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::cookies::Jar;
    use crate::net::dial::Place;
    use crate::transport::Transport;
    use crate::url;
    use proptest::prelude::*;

    fn server(url: &str, headers: &[(&str, &str)]) -> Server {
        let url = url::parse(url).unwrap();
        let place = Place { host: url.host.clone(), port: url.port, tls: None };
        let own = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Server { url, place, headers: headers.iter().map(own).collect(), jar: Some(Jar::new()) }
    }

    fn opening() -> Opening {
        let server = server("ws://localhost:5000", &[]);
        let target = server.url.request_target("/socket.io/", Transport::WebSocket, "", 0);
        Opening::new(&server, &target).unwrap()
    }

    /// What a server answers to this request when it agrees.
    fn agreement(opening: &Opening) -> String {
        let accept = derive_accept_key(opening.key.as_bytes());
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        )
    }

    #[track_caller]
    fn fails(answer: impl Fn(&Opening) -> String, part_of_text: &str) {
        let mut opening = opening();
        let answer = answer(&opening);
        let failure = opening.receive(answer.as_bytes()).unwrap_err();
        assert_eq!(failure.status, Status::Protocol, "{}", failure.text);
        assert_eq!(failure.details.phase, Some(Phase::Handshake));
        assert!(failure.text.contains(part_of_text), "{}", failure.text);
        assert!(failure.text.contains("ws://localhost:5000"), "{}", failure.text);
    }

    #[test]
    fn the_request_is_the_one_of_the_protocol() {
        let headers = [("X-One", "1"), ("x-two", "ä")];
        let server = server("http://user:pass@example.org:81/?a=b", &headers);
        let target = server.url.request_target("/socket.io/", Transport::WebSocket, "", 0);
        let opening = Opening::new(&server, &target).unwrap();
        assert_eq!(opening.key.len(), 24);
        assert_eq!(
            std::str::from_utf8(opening.request()).unwrap(),
            format!(
                "GET /socket.io/?EIO=4&transport=websocket&a=b HTTP/1.1\r\nHost: example.org:81\r\n\
                 X-One: 1\r\nx-two: ä\r\nAuthorization: Basic dXNlcjpwYXNz\r\n\
                 Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                 Sec-WebSocket-Key: {}\r\n\r\n",
                opening.key
            )
        );
        let other = Opening::new(&server, &target).unwrap();
        assert_ne!(other.key, opening.key);
    }

    #[test]
    fn a_header_that_cannot_be_sent_is_invalid() {
        let failure = Opening::new(&server("http://a", &[("X", "a\r\nY: b")]), "/").unwrap_err();
        assert_eq!(failure.status, Status::Invalid);
    }

    #[test]
    fn the_cookies_of_an_agreement_and_of_a_refusal_can_be_kept() {
        for refused in [false, true] {
            let server = server("ws://localhost:5000", &[]);
            let mut opening = Opening::new(&server, "/socket.io/").unwrap();
            assert_eq!(opening.take_headers(), None);
            let start = if refused {
                "HTTP/1.1 500 E\r\n".to_owned()
            } else {
                agreement(&opening).trim_end().to_owned() + "\r\n"
            };
            let answer = start + "Set-Cookie: sticky=1; Path=/\r\n\r\n";
            let outcome = opening.receive(answer.as_bytes()).unwrap();
            assert_eq!(outcome.is_none(), refused);
            server.keep_cookies("/socket.io/", &opening.take_headers().unwrap());
            assert_eq!(opening.take_headers(), None);
            let again = Opening::new(&server, "/socket.io/").unwrap();
            let request = std::str::from_utf8(again.request()).unwrap();
            assert!(request.contains("\r\nCookie: sticky=1\r\n"), "{request}");
        }
    }

    #[test]
    fn an_agreement_opens_also_byte_by_byte_and_the_tail_is_kept() {
        for size in [1, 2, 7, usize::MAX] {
            let mut opening = opening();
            let mut bytes = agreement(&opening).into_bytes();
            let head = bytes.len();
            bytes.extend(b"\x81\x02hi\r\n\r\n");
            let mut given = 0;
            let tail = loop {
                let end = given + size.min(bytes.len() - given);
                let result = opening.receive(&bytes[given..end]).unwrap();
                given = end;
                match result {
                    Some(tail) => break tail,
                    None => assert!(given < head),
                }
            };
            assert!(given >= head);
            assert_eq!([&tail, &bytes[given..]].concat(), bytes[head..]);
        }
    }

    #[test]
    fn an_agreement_is_taken_in_other_forms_that_http_allows() {
        let accept = |opening: &Opening| derive_accept_key(opening.key.as_bytes());
        let forms: [fn(String) -> String; 4] = [
            |accept| {
                format!(
                    "HTTP/1.1 101\r\nupgrade:WebSocket\r\nCONNECTION:  keep-alive, upgrade \r\n\
                     sec-websocket-accept:{accept}\r\nSec-WebSocket-Extensions:\r\n\r\n"
                )
            },
            |accept| {
                format!(
                    "HTTP/1.1 101 Web Socket Protocol Handshake\nUpgrade: websocket\n\
                     Connection: Keep-Alive\nConnection: Upgrade\nSec-WebSocket-Accept: {accept}\n\n"
                )
            },
            |accept| {
                format!(
                    "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n\
                     HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                     Sec-WebSocket-Accept: {accept}\r\n\r\n"
                )
            },
            |accept| {
                format!(
                    "HTTP/1.1 101 S\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\nX: \u{e4}\r\n\
                     Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\
                     \r\n\r\n"
                )
            },
        ];
        for form in forms {
            let mut opening = opening();
            let answer = form(accept(&opening));
            assert_eq!(opening.receive(answer.as_bytes()), Ok(Some(vec![])), "{answer}");
        }
    }

    #[test]
    fn an_agreement_to_something_else_is_a_violation() {
        fails(|o| agreement(o).replace("Upgrade: websocket", "Upgrade: h2c"), "Upgrade: websocket");
        fails(|o| agreement(o).replace("Upgrade: websocket\r\n", ""), "Upgrade: websocket");
        fails(|o| agreement(o).replace(": Upgrade", ": close"), "Connection: Upgrade");
        fails(|o| agreement(o).replace("-Accept: ", "-Accept: A"), "belongs to another request");
        fails(|o| agreement(o).replace("-Accept:", "-Other:"), "has no Sec-WebSocket-Accept");
        fails(|o| agreement(o).replace("HTTP/1.1", "HTTP/1.0"), "HTTP/1.0");
        let added = "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n";
        fails(|o| agreement(o).replace("\r\n\r\n", added), "not asked for");
        let added = "\r\nSec-WebSocket-Protocol: chat\r\n\r\n";
        fails(|o| agreement(o).replace("\r\n\r\n", added), "not asked for");
    }

    #[test]
    fn what_is_not_http_is_seen_at_its_first_bytes() {
        fails(|_| "220 mail.example ESMTP\r\n".into(), "not HTTP: \"220 mail");
        fails(|_| "SSH-2.0-OpenSSH_9\r\n".into(), "not HTTP");
        fails(|_| "HTTP/2 200\r\n".into(), "not HTTP");
        fails(|_| "\u{15}\u{3}\u{1}\0\u{2}".into(), "TLS");
        fails(|_| "\0".into(), "not HTTP: \"\\x00\"");
        fails(|_| "HTTP/1.1 abc\r\n\r\n".into(), "not HTTP");
        fails(|_| "HTTP/1.7 101\r\n\r\n".into(), "not HTTP");
        fails(|_| format!("HTTP/1.1 101 S\r\n{}\r\n", "a: b\r\n".repeat(200)), "not HTTP");
    }

    #[test]
    fn a_head_is_limited_to_64_kib() {
        let filler = |n: usize| format!("HTTP/1.1 101 S\r\nX: {}\r\n\r\n", "x".repeat(n));
        let mut fits = opening();
        let failure = fits.receive(filler(HEAD_LIMIT - 23).as_bytes()).unwrap_err();
        assert!(failure.text.contains("no \"Upgrade"), "{}", failure.text);
        fails(|_| filler(HEAD_LIMIT - 22), "64 KiB");
        fails(|_| format!("HTTP/1.1 101 S\r\nX: {}", "x".repeat(HEAD_LIMIT)), "64 KiB");
        // What stands behind the head does not count.
        let mut opening = opening();
        let answer = agreement(&opening) + &"x".repeat(2 * HEAD_LIMIT);
        let tail = opening.receive(answer.as_bytes()).unwrap().unwrap();
        assert_eq!(tail.len(), 2 * HEAD_LIMIT);
    }

    #[test]
    fn the_end_of_the_input_says_where_it_came() {
        let failure = opening().end();
        assert_eq!(failure.status, Status::Protocol);
        assert!(failure.text.contains("without an answer"), "{}", failure.text);
        let mut opening = opening();
        assert_eq!(opening.receive(b"HTTP/1.1 101 S\r\nUpg"), Ok(None));
        assert!(opening.end().text.contains("within the head"));
    }

    #[test]
    fn a_refusal_waits_for_its_body_and_says_so() {
        let mut opening = opening();
        assert_eq!(opening.refused(), None);
        let head = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 36\r\n\r\n{\"code\":0,";
        assert_eq!(opening.receive(head), Ok(None));
        assert_eq!(opening.refused(), Some(400));
        let failure = opening.receive(b"\"message\":\"Unknown thing\"}").unwrap_err();
        assert_eq!(failure.status, Status::Unreachable);
        assert_eq!(failure.details.http_status, Some(400));
        assert_eq!(failure.details.message.as_deref(), Some("\"Unknown thing\""));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

        #[test]
        fn any_answer_means_the_same_however_it_is_split(
            answer in prop_oneof![
                "(HTTP/1\\.[01] [1-5][0-9][0-9]( [a-z]*)?\r?\n)?([a-zA-Z-]{1,9}: ?[ -~]{0,20}\r?\n){0,5}\r?\n.{0,20}",
                "HTTP/1.1 500 E\r\nTransfer-Encoding: chunked\r\n\r\n[0-9a-f;\r\n]{0,40}",
                ".{0,40}",
            ],
            sizes in proptest::collection::vec(1..30usize, 1..5),
        ) {
            let outcome = |sizes: &[usize]| {
                let mut opening = opening();
                let (mut rest, mut sizes) = (answer.as_bytes(), sizes.iter().cycle());
                while let (false, Some(size)) = (rest.is_empty(), sizes.next()) {
                    let (piece, after) = rest.split_at(rest.len().min(*size));
                    match opening.receive(piece) {
                        Ok(None) => rest = after,
                        Ok(Some(tail)) => return Ok([&tail[..], after].concat()),
                        Err(failure) => return Err(failure),
                    }
                }
                Err(opening.end())
            };
            let (one, whole) = (outcome(&sizes), outcome(&[usize::MAX]));
            // The text may quote the start of what is not HTTP, as much of it as had come.
            let status = |result: &Result<Vec<u8>, Failure>| match result {
                Ok(tail) => Ok(tail.clone()),
                Err(failure) => Err((failure.status, failure.details.clone())),
            };
            prop_assert_eq!(status(&one), status(&whole));
        }
    }
}

//! Requests with their bodies, and what became of them.

#![forbid(unsafe_code)]

use std::time::Instant;

use super::super::wire::{Request, take_request};

/// A request as it came, with its body.
#[derive(Clone, Debug)]
pub struct HttpRequest {
    pub method: String,
    /// Line and headers.
    pub head: Request,
    pub body: Vec<u8>,
    /// The number of the connection, in the order in which they came, from 0.
    pub connection: usize,
    /// The number of the request, from 0.
    pub number: usize,
}

impl HttpRequest {
    /// Path and query.
    pub fn target(&self) -> &str {
        self.head.target()
    }

    /// The value of a parameter of the query, as it stands there.
    pub fn query(&self, name: &str) -> Option<&str> {
        let (_, query) = self.target().split_once('?')?;
        let pairs = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        pairs.into_iter().find(|(key, _)| *key == name).map(|(_, value)| value)
    }

    /// The first value of a header; its name in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.header(name)
    }

    /// The body as text, with what is not UTF-8 replaced.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Whether a websocket is to be opened.
    pub fn is_upgrade(&self) -> bool {
        self.header("Upgrade").is_some_and(|value| value.eq_ignore_ascii_case("websocket"))
    }

    /// When its head was there.
    pub fn at(&self) -> Instant {
        self.head.at
    }
}

/// A request and what became of it.
#[derive(Clone, Debug)]
pub struct Exchange {
    pub request: HttpRequest,
    /// Just before the last byte of the answer was written: the client cannot have had it earlier.
    pub answered: Option<Instant>,
    /// When the client ended the connection before all was answered.
    pub left: Option<Instant>,
}

/// Takes a request with its body, if it is there as a whole.
pub(super) fn take_whole(buffer: &mut Vec<u8>, connection: usize) -> Option<HttpRequest> {
    let mut rest = buffer.clone();
    let head = take_request(&mut rest)?;
    let chunked =
        head.header("Transfer-Encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"));
    let body = if chunked {
        take_chunks(&mut rest)?
    } else {
        let length = head.header("Content-Length").and_then(|length| length.parse().ok());
        let length: usize = length.unwrap_or(0);
        if rest.len() < length {
            return None;
        }
        rest.drain(..length).collect()
    };
    *buffer = rest;
    let method = head.line.split(' ').next().unwrap_or_default().to_owned();
    Some(HttpRequest { method, head, body, connection, number: 0 })
}

fn take_chunks(rest: &mut Vec<u8>) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n")?;
        let line = String::from_utf8_lossy(&rest[..end]).into_owned();
        let length = usize::from_str_radix(line.split(';').next()?.trim(), 16).ok()?;
        let chunk = rest.get(end + 2..end + 2 + length)?.to_vec();
        rest.get(end + 2 + length..end + 4 + length)?;
        rest.drain(..end + 4 + length);
        if length == 0 {
            return Some(body);
        }
        body.extend(chunk);
    }
}

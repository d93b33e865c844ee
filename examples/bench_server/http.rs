//! Requests cut from a connection, and responses.

use std::borrow::Cow;
use std::io::{Read, Result};

use crate::wire::Wire;

/// So much is read at once to begin with, and the more, the longer a request is.
const READ: usize = 16 * 1024;

/// The requests of one connection, one after another.
#[derive(Default)]
pub struct Requests {
    buffer: Vec<u8>,
    /// The request that was given out last.
    taken: usize,
    end: usize,
}

pub struct Request<'a> {
    pub head: Cow<'a, str>,
    pub body: &'a [u8],
}

impl Requests {
    /// None when the client has closed the connection.
    pub fn next(&mut self, wire: &mut Wire) -> Result<Option<Request<'_>>> {
        self.buffer.copy_within(self.taken..self.end, 0);
        self.end -= self.taken;
        self.taken = 0;
        let head = loop {
            match self.buffer[..self.end].windows(4).position(|four| four == b"\r\n\r\n") {
                Some(at) => break at + 4,
                None if !self.read(wire)? => return Ok(None),
                None => {}
            }
        };
        let length = content_length(&String::from_utf8_lossy(&self.buffer[..head]));
        while self.end < head + length {
            if !self.read(wire)? {
                return Ok(None);
            }
        }
        self.taken = head + length;
        let head_text = String::from_utf8_lossy(&self.buffer[..head]);
        Ok(Some(Request { head: head_text, body: &self.buffer[head..head + length] }))
    }

    fn read(&mut self, wire: &mut Wire) -> Result<bool> {
        if self.buffer.len() == self.end {
            self.buffer.resize((self.buffer.len() * 2).max(READ), 0);
        }
        let count = wire.read(&mut self.buffer[self.end..])?;
        self.end += count;
        Ok(count > 0)
    }
}

impl Request<'_> {
    pub fn is_websocket(&self) -> bool {
        self.head.lines().next().is_some_and(|line| line.contains("transport=websocket"))
    }

    pub fn is_get(&self) -> bool {
        self.head.starts_with("GET")
    }
}

/// The session that a request is for: none, if it opens one.
pub fn sid(head: &str) -> Option<&str> {
    let target = head.split(' ').nth(1)?;
    target.split(['?', '&']).find_map(|member| member.strip_prefix("sid="))
}

pub fn header<'a>(head: &'a str, wanted: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case(wanted).then(|| value.trim())
    })
}

fn content_length(head: &str) -> usize {
    header(head, "content-length").and_then(|value| value.parse().ok()).unwrap_or(0)
}

/// What goes before a body of that length.
pub fn response_head(status: &str, length: usize) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=UTF-8\r\n\
         Content-Length: {length}\r\n\r\n"
    )
    .into_bytes()
}

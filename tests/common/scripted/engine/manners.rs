//! What an Engine.IO client must not do, whatever the server does.
//!
//! Owns: the rules. They hold for all that was recorded, so a test that has nothing to do with them
//! checks them too.

#![forbid(unsafe_code)]

use std::collections::HashMap;

use super::super::http::{Exchange, HttpRequest};
use super::sessions::Came;

/// So many packets in one POST are taken by python servers.
const MOST_PACKETS: usize = 16;

/// The `maxPayload` of servers that announce one, in bytes; one packet must be smaller, and so must
/// a body.
const MAX_PAYLOAD: usize = 1_000_000;

/// What was wrong first, if anything was.
pub(super) fn complaint(exchanges: &[Exchange], came: &[Came]) -> Option<String> {
    let mut by_session: HashMap<&str, Vec<&Exchange>> = HashMap::new();
    for exchange in exchanges {
        if let Some(sid) = exchange.request.query("sid") {
            by_session.entry(sid).or_default().push(exchange);
        }
    }
    for (sid, all) in by_session {
        let of = |method: &'static str| {
            all.iter()
                .copied()
                .filter(move |one| one.request.method == method && !one.request.is_upgrade())
        };
        if let Some(text) = overlap(of("GET")).or_else(|| overlap(of("POST"))) {
            return Some(format!("session {sid}: {text}"));
        }
        if let Some(text) = of("POST").find_map(|one| bad_post(&one.request)) {
            return Some(format!("session {sid}: {text}"));
        }
        let number = sid.rsplit('-').next().and_then(|number| number.parse::<usize>().ok());
        let upgraded =
            came.iter().find(|one| Some(one.session) == number && one.packet.text() == Some("5"));
        if let Some(upgraded) = upgraded {
            let late =
                |one: &&Exchange| one.request.at() > upgraded.at && !one.request.is_upgrade();
            if let Some(late) = all.iter().copied().find(late) {
                let line = &late.request.head.line;
                return Some(format!("session {sid}: {line} after the upgrade"));
            }
        }
    }
    None
}

/// One at a time: the next one comes when the one before has been answered.
fn overlap<'a>(all: impl Iterator<Item = &'a Exchange>) -> Option<String> {
    let mut before: Option<&Exchange> = None;
    for one in all {
        if let Some(before) = before {
            let over = before.answered.or(before.left);
            if over.is_none_or(|over| over > one.request.at()) {
                let (a, b) = (before.request.number, one.request.number);
                return Some(format!("requests {a} and {b} at the same time"));
            }
        }
        before = Some(one);
    }
    None
}

fn bad_post(request: &HttpRequest) -> Option<String> {
    let packets = request.body.split(|&byte| byte == 0x1e).count();
    let (number, size) = (request.number, request.body.len());
    if packets > MOST_PACKETS {
        return Some(format!("request {number} has {packets} packets"));
    }
    if size >= MAX_PAYLOAD {
        return Some(format!("request {number} has {size} bytes"));
    }
    if size == 0 {
        return Some(format!("request {number} is empty"));
    }
    let kind = request.header("Content-Type").unwrap_or_default();
    if !kind.to_ascii_lowercase().starts_with("text/plain") {
        return Some(format!("request {number} is of the type {kind:?}"));
    }
    None
}

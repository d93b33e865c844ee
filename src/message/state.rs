//! What a state message tells: its arguments, as the program reads them.
//!
//! Owns the names of their members, which `sio.h` promises. Refuses to know when there is something
//! to tell.

#![forbid(unsafe_code)]

use std::time::Duration;

use crate::json;
use crate::session::Reason;

/// The arguments of [`MessageKind::Connected`](super::MessageKind::Connected): the session id of
/// the namespace, and how many attempts it took since the last connection, or the connect.
pub fn connected(sid: &str, attempts: u64) -> String {
    let mut args = String::from("[{\"sid\":");
    json::quote(sid, &mut args);
    args += &format!(",\"recovered\":false,\"attempts\":{attempts}}}]");
    args
}

/// The arguments of [`MessageKind::Disconnected`](super::MessageKind::Disconnected): why the
/// connection ended, the text of the failure, and the time until the next attempt; without one
/// the end is final.
pub fn disconnected(reason: Reason, text: &str, next: Option<Duration>) -> String {
    let mut args = String::from("[{\"reason\":");
    json::quote(reason.name(), &mut args);
    args += &format!(",\"final\":{},\"text\":", next.is_none());
    json::quote(text, &mut args);
    match next {
        Some(delay) => args += &format!(",\"next_ms\":{}}}]", delay.as_millis()),
        None => args += ",\"next_ms\":null}]",
    }
    args
}

/// The arguments of [`MessageKind::Attempt`](super::MessageKind::Attempt): the number of the attempt
/// since the last connection, or the connect, counted from 1.
pub fn attempt(number: u32) -> String {
    format!("[{{\"attempt\":{number}}}]")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn parsed(args: &str) -> Value {
        json::check(args.as_bytes()).unwrap();
        serde_json::from_str(args).unwrap()
    }

    #[test]
    fn a_connection_tells_sid_recovery_and_attempts() {
        let told = parsed(&connected("a\"b\u{1}", 3));
        assert_eq!(told, json!([{"sid": "a\"b\u{1}", "recovered": false, "attempts": 3}]));
    }

    #[test]
    fn an_end_tells_its_reason_its_text_and_what_follows() {
        let told = parsed(&disconnected(
            Reason::PingTimeout,
            "no \"byte\"\n",
            Some(Duration::from_micros(1_234_567)),
        ));
        assert_eq!(
            told,
            json!([{
                "reason": "ping timeout", "final": false, "text": "no \"byte\"\n", "next_ms": 1234
            }])
        );
        let told = parsed(&disconnected(Reason::ClientDisconnect, "", None));
        assert_eq!(
            told,
            json!([{
                "reason": "io client disconnect", "final": true, "text": "", "next_ms": null
            }])
        );
    }
}

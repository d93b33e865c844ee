//! What can go wrong, as a status for programs and as a [`Failure`] for the reader of a log.
//!
//! Owns the statuses of the C interface and the text and details of a failure. Refuses to know
//! how failures come about: each layer has its own error type, and folds it into a [`Failure`]
//! in one `From` at the foot of its own module.

#![forbid(unsafe_code)]

use std::fmt::{self, Write};

/// Why an operation did not succeed. The numbers are those of `sio_status` in `sio.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i32)]
pub enum Status {
    /// The time allowed ran out; with a timeout of 0: not ready yet.
    Timeout = -1,
    /// An interrupt ended the wait.
    Interrupted = -2,
    /// The connection that this needed is not there, or was lost before the answer came.
    Disconnected = -3,
    /// An argument is not what the function takes.
    Invalid = -4,
    /// Not allowed now.
    State = -5,
    /// The server could not be reached.
    Unreachable = -6,
    /// The TLS handshake failed.
    Tls = -7,
    /// The server refused the namespace.
    Refused = -8,
    /// The server broke the Engine.IO or Socket.IO protocol.
    Protocol = -9,
    /// A message is larger than a limit.
    TooLarge = -10,
    /// The operating system refused a thread, a descriptor or a socket.
    System = -11,
    /// Not available in this version or on this platform.
    Unsupported = -12,
    /// A defect in the library.
    Internal = -13,
    /// The receive queue is full and reading is paused.
    Full = -14,
}

impl Status {
    /// Every status, in the order of their numbers from -1 downwards.
    pub const ALL: [Status; 14] = [
        Status::Timeout,
        Status::Interrupted,
        Status::Disconnected,
        Status::Invalid,
        Status::State,
        Status::Unreachable,
        Status::Tls,
        Status::Refused,
        Status::Protocol,
        Status::TooLarge,
        Status::System,
        Status::Unsupported,
        Status::Internal,
        Status::Full,
    ];

    /// The name of the C constant, such as "SIO_E_TIMEOUT".
    pub fn name(self) -> &'static str {
        match self {
            Status::Timeout => "SIO_E_TIMEOUT",
            Status::Interrupted => "SIO_E_INTERRUPTED",
            Status::Disconnected => "SIO_E_DISCONNECTED",
            Status::Invalid => "SIO_E_INVALID",
            Status::State => "SIO_E_STATE",
            Status::Unreachable => "SIO_E_UNREACHABLE",
            Status::Tls => "SIO_E_TLS",
            Status::Refused => "SIO_E_REFUSED",
            Status::Protocol => "SIO_E_PROTOCOL",
            Status::TooLarge => "SIO_E_TOO_LARGE",
            Status::System => "SIO_E_SYSTEM",
            Status::Unsupported => "SIO_E_UNSUPPORTED",
            Status::Internal => "SIO_E_INTERNAL",
            Status::Full => "SIO_E_FULL",
        }
    }

    /// A short English text, such as "the time allowed ran out".
    pub fn text(self) -> &'static str {
        match self {
            Status::Timeout => "the time allowed ran out",
            Status::Interrupted => "the wait was interrupted",
            Status::Disconnected => "the connection is not there or was lost",
            Status::Invalid => "an argument is not valid",
            Status::State => "not allowed in this state",
            Status::Unreachable => "the server could not be reached",
            Status::Tls => "the TLS handshake failed or the certificate is not trusted",
            Status::Refused => "the server refused the namespace",
            Status::Protocol => "the server broke the protocol",
            Status::TooLarge => "the message is larger than a limit",
            Status::System => "the operating system refused a resource",
            Status::Unsupported => "not available in this version or on this platform",
            Status::Internal => "a defect in the library",
            Status::Full => "the receive queue is full and reading is paused",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// The step of a connection's life in which something failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// The program's function that goes before an attempt.
    Prepare,
    /// Looking up the server's name.
    Resolve,
    /// Connecting by TCP.
    Connect,
    /// The TLS handshake.
    Tls,
    /// An HTTP request and its answer.
    Http,
    /// The WebSocket or Engine.IO handshake.
    Handshake,
    /// Moving from polling to WebSocket.
    Upgrade,
    /// Waiting for the namespace to be acknowledged.
    Namespace,
    /// The session that was established.
    Session,
}

impl Phase {
    /// The word that stands in the error's JSON.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Prepare => "prepare",
            Phase::Resolve => "resolve",
            Phase::Connect => "connect",
            Phase::Tls => "tls",
            Phase::Http => "http",
            Phase::Handshake => "handshake",
            Phase::Upgrade => "upgrade",
            Phase::Namespace => "namespace",
            Phase::Session => "session",
        }
    }
}

/// Facts about a failure beside its text; those that are not known stay out of the JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    /// The step that failed.
    pub phase: Option<Phase>,
    /// The connection attempt, counted from 1.
    pub attempt: Option<u32>,
    /// For a call: whether a byte of it had been handed to the system.
    pub sent: Option<bool>,
    /// The status of the HTTP answer.
    pub http_status: Option<u16>,
    /// The body of the HTTP answer, its first 1024 characters.
    pub http_body: Option<String>,
    /// The code of the WebSocket close frame.
    pub close_code: Option<u16>,
    /// The system's error number.
    pub os_error: Option<i32>,
    /// What the server said when it refused, as JSON text.
    pub message: Option<String>,
    /// The data that came with a refusal, as JSON text.
    pub data: Option<String>,
}

/// One failure: the status a call returns, a text for a log, and what else is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What the call returns.
    pub status: Status,
    /// What was attempted, on what, what happened, and what to do.
    pub text: String,
    /// What else is known.
    pub details: Box<Details>,
}

impl Failure {
    /// A failure without details.
    pub fn new(status: Status, text: impl Into<String>) -> Self {
        Failure { status, text: text.into(), details: Box::default() }
    }

    /// An outcome rather than a fault: the time ran out, or an interrupt came, where nothing else ended by
    /// it. It has no text, and is not noted as the last failure.
    pub fn outcome(status: Status) -> Self {
        Failure::new(status, "")
    }

    /// Whether it is one.
    pub fn is_outcome(&self) -> bool {
        self.text.is_empty()
    }

    /// The same failure, known to belong to one step; a step already noted stays.
    pub fn in_phase(mut self, phase: Phase) -> Self {
        self.details.phase.get_or_insert(phase);
        self
    }

    /// The same failure of a packet that was not sent. A call is told so.
    pub fn unsent(mut self, call: bool) -> Self {
        if call && self.status == Status::Disconnected {
            self.details.sent.get_or_insert(false);
        }
        self
    }

    /// The JSON object that `sio_client_error_json()` gives.
    pub fn to_json(&self) -> String {
        let details = &self.details;
        let mut out = String::with_capacity(128 + self.text.len());
        let _ = write!(
            out,
            "{{\"status\":{},\"name\":\"{}\",\"text\":{}",
            self.status as i32,
            self.status.name(),
            quoted(&self.text)
        );
        let mut member = |name: &str, value: String| {
            let _ = write!(out, ",\"{name}\":{value}");
        };
        if let Some(phase) = details.phase {
            member("phase", quoted(phase.name()));
        }
        if let Some(attempt) = details.attempt {
            member("attempt", attempt.to_string());
        }
        if let Some(sent) = details.sent {
            member("sent", sent.to_string());
        }
        if let Some(status) = details.http_status {
            member("http_status", status.to_string());
        }
        if let Some(body) = &details.http_body {
            member("http_body", quoted(body));
        }
        if let Some(code) = details.close_code {
            member("close_code", code.to_string());
        }
        if let Some(code) = details.os_error {
            member("os_error", code.to_string());
        }
        if let Some(message) = &details.message {
            member("message", message.clone());
        }
        if let Some(data) = &details.data {
            member("data", data.clone());
        }
        out.push('}');
        out
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_count_down_from_minus_one() {
        for (index, status) in Status::ALL.into_iter().enumerate() {
            assert_eq!(status as i32, -1 - index as i32);
            assert!(status.name().starts_with("SIO_E_"));
        }
    }

    #[test]
    fn the_json_of_a_failure_holds_what_is_known_and_nothing_else() {
        let mut failure = Failure::new(Status::Refused, "no \"entry\"").in_phase(Phase::Namespace);
        failure.details.message = Some("\"no\"".into());
        failure.details.data = Some("{\"a\":[1]}".into());
        let json: serde_json::Value = serde_json::from_str(&failure.to_json()).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "status": -8, "name": "SIO_E_REFUSED", "text": "no \"entry\"",
                "phase": "namespace", "message": "no", "data": {"a": [1]}
            })
        );
    }
}

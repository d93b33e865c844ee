//! The options of a client, by name, and the headers of its requests.
//!
//! Owns the table of all options, the form and range of each value, and the values as the types
//! that the other modules use. Refuses to know when a value is read and what it does.
//!
//! Values are taken strictly. A number is written in decimal digits alone: no sign, white space,
//! leading zero or unit. A word is written as in the table, in lower case. A list has commas and
//! nothing else between its words. What cannot work is refused, never stored and ignored.

#![forbid(unsafe_code)]

mod given;
mod table;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

use crate::error::{Failure, Status};
use crate::net::headers::check_header;
use crate::net::tls::TlsOptions;
use crate::transport::Transport;
use crate::url::Url;
use given::{Given, missing, shown, unknown};

use table::{ATTEMPTS_MAX, COUNT_MAX, JITTER_MAX, MESSAGE_MAX};
pub use table::{Availability, BYTES_MAX, Key, OptionInfo, TABLE};

/// What emit and call do while the client is connecting or reconnecting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offline {
    /// They wait for the connection, up to their deadline.
    Wait,
    /// They queue for the next session.
    Buffer,
    /// They fail at once.
    Fail,
}

/// What happens to an event for which the receive queue has no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overflow {
    /// The socket is not read until there is room.
    Pause,
    /// The oldest events that wait make room.
    DropOldest,
    /// The new event is dropped.
    DropNewest,
}

/// A text as the program gave it, and what it was found to mean.
#[derive(Clone, PartialEq, Eq)]
pub struct Checked<T> {
    /// What the option's value is when asked for.
    pub given: String,
    /// What is used.
    pub meaning: T,
}

/// The value of every option that works, and the headers.
#[derive(Clone, PartialEq, Eq)]
pub struct Options {
    /// The server.
    pub url: Option<Checked<Url>>,
    /// The namespace: starts with "/", and may carry a "?query".
    pub namespace: String,
    /// The path of the Engine.IO endpoint; its meaning is what [`Url::request_target`] takes.
    pub path: Checked<String>,
    /// The data that goes with the namespace's CONNECT: one JSON value.
    pub auth: Option<String>,
    /// The transports in the order in which they are tried; never empty, and none twice.
    pub transports: Vec<Transport>,
    /// How long one attempt may take, from name lookup to namespace.
    pub attempt_timeout: Duration,
    /// How long each HTTP request but the long poll may take.
    pub request_timeout: Duration,
    /// Whether a connect goes on after an attempt that failed.
    pub retry_connect: bool,
    /// Whether a lost connection is made again.
    pub reconnection: bool,
    /// How many attempts are made at that before it is given up; 0 for no limit.
    pub reconnect_attempts: u64,
    /// The delay before the first of them.
    pub reconnect_min: Duration,
    /// The longest delay; it holds also where the first one's is longer.
    pub reconnect_max: Duration,
    /// By how much a delay may differ from what is due, in percent.
    pub reconnect_jitter: u32,
    /// Whether the server's refusal of an attempt is followed by another.
    pub retry_refused: bool,
    /// What emit and call do without a connection.
    pub offline: Offline,
    /// How many bytes may be queued for sending.
    pub send_limit: usize,
    /// An event is queued while fewer bytes than this wait.
    pub receive_limit: usize,
    /// What happens to an event without room.
    pub receive_overflow: Overflow,
    /// The largest packet with its attachments that is accepted.
    pub max_message_bytes: usize,
    /// The largest number of attachments that is accepted.
    pub max_attachments: usize,
    /// Whether the server's maxPayload is kept to by websocket.
    pub enforce_max_payload: bool,
    /// Whether an event that is freed unanswered is answered with `[]`.
    pub ack_unanswered: bool,
    /// Whom an https or wss server has to be, and who we are to it.
    pub tls: TlsOptions,
    /// Whether the cookies that the server sets are kept and sent.
    pub cookies: bool,
    /// Whether connections and their ends are reported as messages.
    pub report_state: bool,
    /// Whether each attempt waits for the program's word, for which a message asks.
    pub report_attempts: bool,
    /// The headers of every request, in the order in which they were first set.
    pub headers: Vec<(String, String)>,
}

impl Options {
    /// Every option at its default, and no headers.
    pub fn new() -> Self {
        Options {
            url: None,
            namespace: "/".into(),
            path: Checked { given: "socket.io".into(), meaning: "/socket.io/".into() },
            auth: None,
            transports: vec![Transport::Polling, Transport::WebSocket],
            attempt_timeout: Duration::from_millis(20_000),
            request_timeout: Duration::from_millis(5_000),
            retry_connect: false,
            reconnection: true,
            reconnect_attempts: 0,
            reconnect_min: Duration::from_millis(1_000),
            reconnect_max: Duration::from_millis(5_000),
            reconnect_jitter: 50,
            retry_refused: false,
            offline: Offline::Wait,
            send_limit: 67_108_864,
            receive_limit: 67_108_864,
            receive_overflow: Overflow::Pause,
            max_message_bytes: 104_857_600,
            max_attachments: 1024,
            enforce_max_payload: true,
            ack_unanswered: true,
            tls: TlsOptions::default(),
            cookies: true,
            report_state: false,
            report_attempts: false,
            headers: Vec::new(),
        }
    }

    /// Sets the option `name` from text; `None` restores its default.
    ///
    /// [`Status::Unsupported`] if there is no such option, or if what it asks for is missing from
    /// this version; [`Status::Invalid`] if the value does not fit it. Nothing has changed then.
    pub fn set(&mut self, name: &str, value: Option<&str>) -> Result<(), Failure> {
        let info = OptionInfo::find(name).ok_or_else(|| unknown(name))?;
        match (info.availability, value) {
            (Availability::Works(key), None) => {
                self.restore(key);
                Ok(())
            }
            (Availability::Works(key), Some(value)) => self.assign(key, &Given { info, value }),
            (Availability::Missing, _) => Err(missing(info)),
        }
    }

    /// Sets the option `name` from a number, as [`set`](Options::set) does from its digits.
    pub fn set_int(&mut self, name: &str, value: i64) -> Result<(), Failure> {
        self.set(name, Some(&value.to_string()))
    }

    /// The option's value as text; empty if it has none or does not exist.
    pub fn value(&self, name: &str) -> String {
        let Some(info) = OptionInfo::find(name) else { return String::new() };
        let Availability::Works(key) = info.availability else { return info.default.to_owned() };
        match key {
            Key::Url => self.url.as_ref().map(|url| url.given.clone()).unwrap_or_default(),
            Key::Namespace => self.namespace.clone(),
            Key::Path => self.path.given.clone(),
            Key::Auth => self.auth.clone().unwrap_or_default(),
            Key::Transports => {
                let names: Vec<&str> = self.transports.iter().map(|one| one.name()).collect();
                names.join(",")
            }
            Key::AttemptTimeout => self.attempt_timeout.as_millis().to_string(),
            Key::RequestTimeout => self.request_timeout.as_millis().to_string(),
            Key::RetryConnect => digit(self.retry_connect),
            Key::Reconnection => digit(self.reconnection),
            Key::ReconnectAttempts => self.reconnect_attempts.to_string(),
            Key::ReconnectMin => self.reconnect_min.as_millis().to_string(),
            Key::ReconnectMax => self.reconnect_max.as_millis().to_string(),
            Key::ReconnectJitter => self.reconnect_jitter.to_string(),
            Key::RetryRefused => digit(self.retry_refused),
            Key::Offline => self.offline.word().to_owned(),
            Key::SendLimit => self.send_limit.to_string(),
            Key::ReceiveLimit => self.receive_limit.to_string(),
            Key::ReceiveOverflow => self.receive_overflow.word().to_owned(),
            Key::MaxMessageBytes => self.max_message_bytes.to_string(),
            Key::MaxAttachments => self.max_attachments.to_string(),
            Key::EnforceMaxPayload => digit(self.enforce_max_payload),
            Key::AckUnanswered => digit(self.ack_unanswered),
            Key::TlsVerify => digit(self.tls.verify),
            Key::TlsCaFile => self.tls.ca_file.clone().unwrap_or_default(),
            Key::TlsCertFile => self.tls.cert_file.clone().unwrap_or_default(),
            Key::TlsKeyFile => self.tls.key_file.clone().unwrap_or_default(),
            Key::Cookies => digit(self.cookies),
            Key::ReportState => digit(self.report_state),
            Key::ReportAttempts => digit(self.report_attempts),
        }
    }

    /// Sets a header in place of an earlier one whose name differs at most in letter case. A
    /// `None` value removes it, a `None` name removes all.
    pub fn set_header(&mut self, name: Option<&str>, value: Option<&str>) -> Result<(), Failure> {
        let Some(name) = name else {
            self.headers.clear();
            return Ok(());
        };
        // The value can be a credential: it is not in the text.
        check_header(name, value.unwrap_or_default()).map_err(|error| {
            Failure::new(Status::Invalid, format!("header {}: {error}", shown(name)))
        })?;
        let earlier = self.headers.iter().position(|(other, _)| other.eq_ignore_ascii_case(name));
        match (earlier, value) {
            (Some(index), Some(value)) => self.headers[index] = (name.into(), value.into()),
            (None, Some(value)) => self.headers.push((name.into(), value.into())),
            (Some(index), None) => drop(self.headers.remove(index)),
            (None, None) => {}
        }
        Ok(())
    }

    /// Whether the values fit each other, which can only be told once all are set: to be asked
    /// before a connection is made.
    pub fn check(&self) -> Result<(), Failure> {
        if self.receive_limit == 0 && self.receive_overflow == Overflow::Pause {
            return Err(Failure::new(
                Status::Invalid,
                "option \"receive_limit\": 0 leaves no room for any event, so with \
                 \"receive_overflow\" at \"pause\" nothing would ever be read; set that to \
                 \"drop_newest\" to do without events",
            ));
        }
        Ok(())
    }

    /// Whether `auth` is what the protocol wants it to be: nothing, or an object.
    pub fn auth_is_object(&self) -> bool {
        self.auth.as_ref().is_none_or(|json| json.trim_start().starts_with('{'))
    }

    fn restore(&mut self, key: Key) {
        let defaults = Options::new();
        match key {
            Key::Url => self.url = defaults.url,
            Key::Namespace => self.namespace = defaults.namespace,
            Key::Path => self.path = defaults.path,
            Key::Auth => self.auth = defaults.auth,
            Key::Transports => self.transports = defaults.transports,
            Key::AttemptTimeout => self.attempt_timeout = defaults.attempt_timeout,
            Key::RequestTimeout => self.request_timeout = defaults.request_timeout,
            Key::RetryConnect => self.retry_connect = defaults.retry_connect,
            Key::Reconnection => self.reconnection = defaults.reconnection,
            Key::ReconnectAttempts => self.reconnect_attempts = defaults.reconnect_attempts,
            Key::ReconnectMin => self.reconnect_min = defaults.reconnect_min,
            Key::ReconnectMax => self.reconnect_max = defaults.reconnect_max,
            Key::ReconnectJitter => self.reconnect_jitter = defaults.reconnect_jitter,
            Key::RetryRefused => self.retry_refused = defaults.retry_refused,
            Key::Offline => self.offline = defaults.offline,
            Key::SendLimit => self.send_limit = defaults.send_limit,
            Key::ReceiveLimit => self.receive_limit = defaults.receive_limit,
            Key::ReceiveOverflow => self.receive_overflow = defaults.receive_overflow,
            Key::MaxMessageBytes => self.max_message_bytes = defaults.max_message_bytes,
            Key::MaxAttachments => self.max_attachments = defaults.max_attachments,
            Key::EnforceMaxPayload => self.enforce_max_payload = defaults.enforce_max_payload,
            Key::AckUnanswered => self.ack_unanswered = defaults.ack_unanswered,
            Key::TlsVerify => self.tls.verify = defaults.tls.verify,
            Key::TlsCaFile => self.tls.ca_file = defaults.tls.ca_file,
            Key::TlsCertFile => self.tls.cert_file = defaults.tls.cert_file,
            Key::TlsKeyFile => self.tls.key_file = defaults.tls.key_file,
            Key::Cookies => self.cookies = defaults.cookies,
            Key::ReportState => self.report_state = defaults.report_state,
            Key::ReportAttempts => self.report_attempts = defaults.report_attempts,
        }
    }

    fn assign(&mut self, key: Key, given: &Given<'_>) -> Result<(), Failure> {
        match key {
            Key::Url => self.url = Some(given.url()?),
            Key::Namespace => self.namespace = given.namespace()?,
            Key::Path => self.path = given.path()?,
            Key::Auth => self.auth = Some(given.json()?),
            Key::Transports => self.transports = given.transports()?,
            Key::AttemptTimeout => self.attempt_timeout = given.time()?,
            Key::RequestTimeout => self.request_timeout = given.time()?,
            Key::RetryConnect => self.retry_connect = given.flag()?,
            Key::Reconnection => self.reconnection = given.flag()?,
            Key::ReconnectAttempts => {
                self.reconnect_attempts = given.number(0, ATTEMPTS_MAX, "attempts")? as u64;
            }
            Key::ReconnectMin => self.reconnect_min = given.time()?,
            Key::ReconnectMax => self.reconnect_max = given.time()?,
            Key::ReconnectJitter => {
                self.reconnect_jitter = given.number(0, JITTER_MAX, "percent")? as u32;
            }
            Key::RetryRefused => self.retry_refused = given.flag()?,
            Key::Offline => self.offline = given.word(&Offline::WORDS)?,
            Key::SendLimit => self.send_limit = given.number(1, BYTES_MAX, "bytes")?,
            Key::ReceiveLimit => self.receive_limit = given.number(0, BYTES_MAX, "bytes")?,
            Key::ReceiveOverflow => self.receive_overflow = given.word(&Overflow::WORDS)?,
            Key::MaxMessageBytes => {
                self.max_message_bytes = given.number(1, MESSAGE_MAX, "bytes")?;
            }
            Key::MaxAttachments => {
                self.max_attachments = given.number(1, COUNT_MAX, "attachments")?;
            }
            Key::EnforceMaxPayload => self.enforce_max_payload = given.flag()?,
            Key::AckUnanswered => self.ack_unanswered = given.flag()?,
            Key::TlsVerify => self.tls.verify = given.flag()?,
            Key::TlsCaFile => self.tls.ca_file = Some(given.file()?),
            Key::TlsCertFile => self.tls.cert_file = Some(given.file()?),
            Key::TlsKeyFile => self.tls.key_file = Some(given.file()?),
            Key::Cookies => self.cookies = given.flag()?,
            Key::ReportState => self.report_state = given.flag()?,
            Key::ReportAttempts => self.report_attempts = given.flag()?,
        }
        Ok(())
    }
}

impl Default for Options {
    fn default() -> Self {
        Options::new()
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // URL, auth and headers can hold secrets, which must not get into a log this way.
        f.debug_struct("Options").finish_non_exhaustive()
    }
}

/// Words and what they mean, in the order in which an error text names them.
type Words<T> = [(&'static str, T); 3];

impl Offline {
    const WORDS: Words<Offline> =
        [("wait", Offline::Wait), ("buffer", Offline::Buffer), ("fail", Offline::Fail)];

    /// The word that stands for it.
    pub fn word(self) -> &'static str {
        match self {
            Offline::Wait => "wait",
            Offline::Buffer => "buffer",
            Offline::Fail => "fail",
        }
    }
}

impl Overflow {
    const WORDS: Words<Overflow> = [
        ("pause", Overflow::Pause),
        ("drop_oldest", Overflow::DropOldest),
        ("drop_newest", Overflow::DropNewest),
    ];

    /// The word that stands for it.
    pub fn word(self) -> &'static str {
        match self {
            Overflow::Pause => "pause",
            Overflow::DropOldest => "drop_oldest",
            Overflow::DropNewest => "drop_newest",
        }
    }
}

fn digit(on: bool) -> String {
    u8::from(on).to_string()
}

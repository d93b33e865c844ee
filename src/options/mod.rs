//! The options of a client, by name, and the headers of its requests.
//!
//! Owns the table of all options, the form and range of each value, and the values as the types
//! that the other modules use. Refuses to know when a value is read and what it does.
//!
//! Values are taken strictly. A number is written in decimal digits alone: no sign, white space,
//! leading zero or unit. A word is written as in the table, in lower case. A list has commas and
//! nothing else between its words. What cannot work is refused, never stored and ignored.

#![forbid(unsafe_code)]

mod table;
#[cfg(test)]
mod tests;

use std::fmt::{self, Display};
use std::time::Duration;

use crate::error::{Failure, Status};
use crate::json;
use crate::net::headers::check_header;
use crate::url::{self, Url};

pub use table::{Availability, BYTES_MAX, Key, OptionInfo, TABLE};
use table::{COUNT_MAX, MESSAGE_MAX, MILLISECONDS_MAX};

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
    /// How long one attempt may take, from name lookup to namespace.
    pub attempt_timeout: Duration,
    /// How long each HTTP request but the long poll may take.
    pub request_timeout: Duration,
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
            attempt_timeout: Duration::from_millis(20_000),
            request_timeout: Duration::from_millis(5_000),
            offline: Offline::Wait,
            send_limit: 67_108_864,
            receive_limit: 67_108_864,
            receive_overflow: Overflow::Pause,
            max_message_bytes: 104_857_600,
            max_attachments: 1024,
            enforce_max_payload: true,
            ack_unanswered: true,
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
            (Availability::Fixed, None) => Ok(()),
            (Availability::Fixed, Some(value)) => match (Given { info, value }).flag()? {
                false => Ok(()),
                true => Err(missing(info, "it can only be 0")),
            },
            (Availability::Missing, _) => Err(missing(info, "it cannot be set")),
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
            Key::Transports => info.default.to_owned(),
            Key::AttemptTimeout => self.attempt_timeout.as_millis().to_string(),
            Key::RequestTimeout => self.request_timeout.as_millis().to_string(),
            Key::Offline => self.offline.word().to_owned(),
            Key::SendLimit => self.send_limit.to_string(),
            Key::ReceiveLimit => self.receive_limit.to_string(),
            Key::ReceiveOverflow => self.receive_overflow.word().to_owned(),
            Key::MaxMessageBytes => self.max_message_bytes.to_string(),
            Key::MaxAttachments => self.max_attachments.to_string(),
            Key::EnforceMaxPayload => u8::from(self.enforce_max_payload).to_string(),
            Key::AckUnanswered => u8::from(self.ack_unanswered).to_string(),
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

    /// What a connection that begins now goes by for as long as it lasts.
    pub fn in_force(&self) -> InForce {
        InForce {
            offline: self.offline,
            send_limit: self.send_limit,
            receive_limit: self.receive_limit,
            receive_overflow: self.receive_overflow,
            ack_unanswered: self.ack_unanswered,
        }
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
            Key::Transports => {}
            Key::AttemptTimeout => self.attempt_timeout = defaults.attempt_timeout,
            Key::RequestTimeout => self.request_timeout = defaults.request_timeout,
            Key::Offline => self.offline = defaults.offline,
            Key::SendLimit => self.send_limit = defaults.send_limit,
            Key::ReceiveLimit => self.receive_limit = defaults.receive_limit,
            Key::ReceiveOverflow => self.receive_overflow = defaults.receive_overflow,
            Key::MaxMessageBytes => self.max_message_bytes = defaults.max_message_bytes,
            Key::MaxAttachments => self.max_attachments = defaults.max_attachments,
            Key::EnforceMaxPayload => self.enforce_max_payload = defaults.enforce_max_payload,
            Key::AckUnanswered => self.ack_unanswered = defaults.ack_unanswered,
        }
    }

    fn assign(&mut self, key: Key, given: &Given<'_>) -> Result<(), Failure> {
        match key {
            Key::Url => self.url = Some(given.url()?),
            Key::Namespace => self.namespace = given.namespace()?,
            Key::Path => self.path = given.path()?,
            Key::Auth => self.auth = Some(given.json()?),
            Key::Transports => given.transports()?,
            Key::AttemptTimeout => self.attempt_timeout = given.time()?,
            Key::RequestTimeout => self.request_timeout = given.time()?,
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
        }
        Ok(())
    }
}

/// The options that matter all through a connection, as they were when it began.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InForce {
    /// See [`Options::offline`].
    pub offline: Offline,
    /// See [`Options::send_limit`].
    pub send_limit: usize,
    /// See [`Options::receive_limit`].
    pub receive_limit: usize,
    /// See [`Options::receive_overflow`].
    pub receive_overflow: Overflow,
    /// See [`Options::ack_unanswered`].
    pub ack_unanswered: bool,
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

/// A value that the program gave for one option, not yet known to fit it.
struct Given<'a> {
    info: &'static OptionInfo,
    value: &'a str,
}

impl Given<'_> {
    fn url(&self) -> Result<Checked<Url>, Failure> {
        let meaning = url::parse(self.value).map_err(|error| {
            self.fault(format_args!("{}: {error}", shown(&without_secrets(self.value))))
        })?;
        if meaning.secure {
            return Err(missing(
                self.info,
                "an https or wss URL cannot be connected to; use http or ws",
            ));
        }
        Ok(Checked { given: self.value.to_owned(), meaning })
    }

    /// The name's rules are in the section "Sending and receiving data" of the Socket.IO
    /// protocol: a comma ends it, and in a URL it starts with a slash.
    fn namespace(&self) -> Result<String, Failure> {
        let fault = match self.value {
            "" => return Ok("/".into()),
            text if !text.starts_with('/') => "does not start with \"/\"",
            text if text.contains(',') => "has a comma",
            text if text.contains(char::is_control) => "has a control character",
            text => return Ok(text.to_owned()),
        };
        // What follows "?" can be a token.
        let name = self.value.split('?').next().unwrap_or_default();
        let hidden = if name.len() < self.value.len() { "?..." } else { "" };
        Err(self.fault(format_args!(
            "{} {fault}; a namespace is like \"/\" or \"/admin\", without commas and control \
             characters",
            shown(&format!("{name}{hidden}"))
        )))
    }

    fn path(&self) -> Result<Checked<String>, Failure> {
        match url::check_path(self.value) {
            Ok(meaning) => Ok(Checked { given: self.value.to_owned(), meaning }),
            Err(error) => Err(self.fault(format_args!("{}: {error}", shown(self.value)))),
        }
    }

    fn json(&self) -> Result<String, Failure> {
        match json::check(self.value.as_bytes()) {
            Ok(()) => Ok(self.value.to_owned()),
            // The value is a secret.
            Err(error) => Err(self.fault(format_args!(
                "the value is not JSON: {error}; by the protocol it is an object, such as \
                 {{\"token\":\"...\"}}"
            ))),
        }
    }

    fn transports(&self) -> Result<(), Failure> {
        let names: Vec<&str> = self.value.split(',').collect();
        let known = names.iter().all(|name| matches!(*name, "polling" | "websocket"));
        let twice = names.len() > 1 && names.first() == names.last();
        if !known || twice || names.len() > 2 {
            return Err(self.wrong("\"websocket\""));
        }
        if names.contains(&"polling") {
            return Err(missing(self.info, "\"polling\" cannot be used; set \"websocket\""));
        }
        Ok(())
    }

    fn time(&self) -> Result<Duration, Failure> {
        self.number(1, MILLISECONDS_MAX, "milliseconds").map(|ms| Duration::from_millis(ms as u64))
    }

    fn number(&self, least: usize, most: usize, unit: &str) -> Result<usize, Failure> {
        let plain = self.value.bytes().all(|b| b.is_ascii_digit())
            && (self.value.len() == 1 || !self.value.starts_with('0'));
        match self.value.parse() {
            Ok(number) if plain && (least..=most).contains(&number) => Ok(number),
            _ => Err(self.wrong(&format!(
                "a whole number of {unit} from {least} to {most}, in digits alone"
            ))),
        }
    }

    fn flag(&self) -> Result<bool, Failure> {
        match self.value {
            "0" => Ok(false),
            "1" => Ok(true),
            _ => Err(self.wrong("0 or 1")),
        }
    }

    fn word<T: Copy>(&self, words: &Words<T>) -> Result<T, Failure> {
        let [(first, _), (second, _), (third, _)] = words;
        match words.iter().find(|(word, _)| *word == self.value) {
            Some((_, meaning)) => Ok(*meaning),
            None => Err(self.wrong(&format!("\"{first}\", \"{second}\" or \"{third}\""))),
        }
    }

    fn wrong(&self, right: &str) -> Failure {
        self.fault(format_args!("{} does not fit; it must be {right}", shown(self.value)))
    }

    fn fault(&self, what: impl Display) -> Failure {
        Failure::new(Status::Invalid, format!("option \"{}\": {what}", self.info.name))
    }
}

fn unknown(name: &str) -> Failure {
    let close = name.trim().to_lowercase().replace(['-', ' '], "_");
    let hint = match OptionInfo::find(&close) {
        Some(info) => format!("; there is \"{}\"", info.name),
        None => String::new(),
    };
    let name = shown(name);
    Failure::new(
        Status::Unsupported,
        format!("this version of the library has no option {name}{hint}"),
    )
}

fn missing(info: &OptionInfo, consequence: &str) -> Failure {
    Failure::new(
        Status::Unsupported,
        format!(
            "option \"{}\": {} missing from this version of the library: {consequence}",
            info.name, info.feature
        ),
    )
}

/// A value as it stands in an error text: quoted, in one line, and not too long to read.
fn shown(value: &str) -> String {
    let mut out = String::from("\"");
    for (count, c) in value.chars().enumerate() {
        if count == SHOWN {
            out.push_str("...");
            break;
        }
        if c.is_control() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out.push('"');
    out
}

/// A URL that may be malformed, without what can be a credential in it: user and password, and
/// the query. Hides too much rather than too little.
fn without_secrets(url: &str) -> String {
    let (scheme, rest) = match url.find("://") {
        Some(at) => url.split_at(at + 3),
        None => ("", url),
    };
    let (hidden, rest) = match rest.rsplit_once('@') {
        // A password with a raw "?" looks like a query with an "@": neither side can be shown.
        Some((before, _)) if before.contains('?') => return format!("{scheme}..."),
        Some((_, after)) => ("...@", after),
        None => ("", rest),
    };
    match rest.split_once('?') {
        Some((before, _)) => format!("{scheme}{hidden}{before}?..."),
        None => format!("{scheme}{hidden}{rest}"),
    }
}

/// How many characters of a value an error text shows.
const SHOWN: usize = 60;

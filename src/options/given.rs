//! What a program gave for one option, and whether it fits.
//!
//! Owns the forms of values (numbers, words, lists, URLs) and the texts that say what is wrong with
//! one, which never show a secret. Refuses to know where a value goes.

#![forbid(unsafe_code)]

use std::fmt::Display;
use std::time::Duration;

use super::table::{MILLISECONDS_MAX, OptionInfo};
use super::{Checked, Words};
use crate::error::{Failure, Status};
use crate::json;
use crate::transport::Transport;
use crate::url::{self, Url};

/// A value that the program gave for one option, not yet known to fit it.
pub(super) struct Given<'a> {
    pub(super) info: &'static OptionInfo,
    pub(super) value: &'a str,
}

impl Given<'_> {
    pub(super) fn url(&self) -> Result<Checked<Url>, Failure> {
        let meaning = url::parse(self.value).map_err(|error| {
            self.fault(format_args!("{}: {error}", shown(&without_secrets(self.value))))
        })?;
        Ok(Checked { given: self.value.to_owned(), meaning })
    }

    /// The name's rules are in the section "Sending and receiving data" of the Socket.IO
    /// protocol: a comma ends it, and in a URL it starts with a slash.
    pub(super) fn namespace(&self) -> Result<String, Failure> {
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

    pub(super) fn path(&self) -> Result<Checked<String>, Failure> {
        match url::check_path(self.value) {
            Ok(meaning) => Ok(Checked { given: self.value.to_owned(), meaning }),
            Err(error) => Err(self.fault(format_args!("{}: {error}", shown(self.value)))),
        }
    }

    pub(super) fn json(&self) -> Result<String, Failure> {
        match json::check(self.value.as_bytes()) {
            Ok(()) => Ok(self.value.to_owned()),
            // The value is a secret.
            Err(error) => Err(self.fault(format_args!(
                "the value is not JSON: {error}; by the protocol it is an object, such as \
                 {{\"token\":\"...\"}}"
            ))),
        }
    }

    /// The transports in the order in which they are tried.
    pub(super) fn transports(&self) -> Result<Vec<Transport>, Failure> {
        const ALL: [Transport; 2] = [Transport::Polling, Transport::WebSocket];
        let mut transports = Vec::new();
        for name in self.value.split(',') {
            match ALL.into_iter().find(|transport| transport.name() == name) {
                Some(transport) if !transports.contains(&transport) => transports.push(transport),
                _ => {
                    return Err(self.wrong(
                        "\"polling\", \"websocket\", or both with a comma between them, the one \
                         that is tried first in front",
                    ));
                }
            }
        }
        Ok(transports)
    }

    /// The name of a file. Whether it can be read is seen by the attempt that needs it, so that it
    /// can be made, or made anew, in the meantime.
    pub(super) fn file(&self) -> Result<String, Failure> {
        match self.value {
            "" => Err(self.fault("the name is empty; NULL restores the default")),
            name => Ok(name.to_owned()),
        }
    }

    pub(super) fn time(&self) -> Result<Duration, Failure> {
        self.number(1, MILLISECONDS_MAX, "milliseconds").map(|ms| Duration::from_millis(ms as u64))
    }

    pub(super) fn number(&self, least: usize, most: usize, unit: &str) -> Result<usize, Failure> {
        let plain = self.value.bytes().all(|b| b.is_ascii_digit())
            && (self.value.len() == 1 || !self.value.starts_with('0'));
        match self.value.parse() {
            Ok(number) if plain && (least..=most).contains(&number) => Ok(number),
            _ => Err(self.wrong(&format!(
                "a whole number of {unit} from {least} to {most}, in digits alone"
            ))),
        }
    }

    pub(super) fn flag(&self) -> Result<bool, Failure> {
        match self.value {
            "0" => Ok(false),
            "1" => Ok(true),
            _ => Err(self.wrong("0 or 1")),
        }
    }

    pub(super) fn word<T: Copy>(&self, words: &Words<T>) -> Result<T, Failure> {
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

pub(super) fn unknown(name: &str) -> Failure {
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

pub(super) fn missing(info: &OptionInfo) -> Failure {
    Failure::new(
        Status::Unsupported,
        format!(
            "option \"{}\": {} missing from this version of the library: it cannot be set",
            info.name, info.feature
        ),
    )
}

/// A value as it stands in an error text: quoted, in one line, and not too long to read.
pub(super) fn shown(value: &str) -> String {
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

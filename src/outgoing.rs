//! What a program wants to send, checked before anything is locked.
//!
//! Owns the checks of event names, arguments and buffers, and the texts that say what is wrong
//! with them. Refuses to know whether and when it can be sent.

#![forbid(unsafe_code)]

use crate::core::Sending;
use crate::error::{Failure, Status};
use crate::json;
use crate::packet::placeholder;
use crate::packet::socket::{OutKind, Outgoing};

/// An event or an answer that may be sent.
pub struct Checked<'a> {
    name: Name,
    id: Option<u64>,
    args: &'a str,
    args_empty: bool,
    buffers: &'a [&'a [u8]],
}

impl<'a> Checked<'a> {
    /// An event.
    pub fn event(
        name: &str,
        args: Option<&'a str>,
        buffers: &'a [&'a [u8]],
    ) -> Result<Self, Failure> {
        if placeholder::name_is_reserved(name) {
            return Err(Failure::new(
                Status::Invalid,
                format!("event \"{name}\": this name is reserved by Socket.IO; choose another"),
            ));
        }
        let name = Name::of(name);
        let (args, args_empty) = check_args(args, buffers)?;
        Ok(Checked { name, id: None, args, args_empty, buffers })
    }

    /// The answer to the event that came with this id.
    pub fn answer(
        args: Option<&'a str>,
        buffers: &'a [&'a [u8]],
        id: u64,
    ) -> Result<Self, Failure> {
        let (args, args_empty) = check_args(args, buffers)?;
        Ok(Checked { name: Name::None, id: Some(id), args, args_empty, buffers })
    }

    /// The same, copied, for what has to wait.
    pub fn keep(&self) -> Kept {
        let name = match &self.name {
            Name::None => Vec::new(),
            Name::Short { quoted, len } => quoted[..*len].to_vec(),
            Name::Quoted(quoted) => quoted.as_bytes().to_vec(),
        };
        Kept {
            name,
            args: self.args.to_owned(),
            args_empty: self.args_empty,
            buffers: self.buffers.iter().map(|buffer| buffer.to_vec()).collect(),
        }
    }

    /// The same in the form that the monitor takes.
    pub fn sending(&self) -> Sending<'_> {
        let kind = match &self.name {
            Name::None => OutKind::Ack,
            Name::Short { quoted, len } => OutKind::Event { quoted_name: &quoted[..*len] },
            Name::Quoted(quoted) => OutKind::Event { quoted_name: quoted.as_bytes() },
        };
        Sending {
            outgoing: Outgoing {
                kind,
                id: self.id,
                args: self.args,
                args_empty: self.args_empty,
                attachments: self.buffers.len(),
            },
            buffers: self.buffers,
        }
    }
}

/// An event that was checked, and waits.
pub struct Kept {
    /// As a JSON string.
    name: Vec<u8>,
    args: String,
    args_empty: bool,
    buffers: Vec<Vec<u8>>,
}

impl Kept {
    /// Hands it out in the form that the monitor takes.
    pub fn with_sending<R>(&self, action: impl FnOnce(Sending<'_>) -> R) -> R {
        let buffers: Vec<&[u8]> = self.buffers.iter().map(Vec::as_slice).collect();
        action(Sending {
            outgoing: Outgoing {
                kind: OutKind::Event { quoted_name: &self.name },
                id: None,
                args: &self.args,
                args_empty: self.args_empty,
                attachments: buffers.len(),
            },
            buffers: &buffers,
        })
    }
}

/// An event's name as a JSON string.
enum Name {
    /// None: an answer has no name.
    None,
    /// One that is short and needs no escapes, as nearly all: kept without an allocation.
    Short { quoted: [u8; SHORT + 2], len: usize },
    /// Any other.
    Quoted(String),
}

impl Name {
    #[inline]
    fn of(name: &str) -> Self {
        let bytes = name.as_bytes();
        let plain = bytes.iter().all(|byte| *byte >= b' ' && *byte != b'"' && *byte != b'\\');
        if plain && bytes.len() <= SHORT {
            let mut quoted = [b'"'; SHORT + 2];
            quoted[1..=bytes.len()].copy_from_slice(bytes);
            return Name::Short { quoted, len: bytes.len() + 2 };
        }
        let mut quoted = String::with_capacity(name.len() + 2);
        json::quote(name, &mut quoted);
        Name::Quoted(quoted)
    }
}

/// The longest name that is kept without an allocation.
const SHORT: usize = 38;

/// The array without the white space around it, and whether it is empty.
fn check_args<'a>(args: Option<&'a str>, buffers: &[&[u8]]) -> Result<(&'a str, bool), Failure> {
    let text = args.unwrap_or("[]");
    let invalid = |error: json::JsonError| {
        Failure::new(Status::Invalid, format!("args must be a JSON array: {error}"))
    };
    let array = json::check_array(text.as_bytes()).map_err(invalid)?;
    if !buffers.is_empty() {
        placeholder::check_outgoing(text, buffers.len()).map_err(|error| {
            Failure::new(
                Status::Invalid,
                format!("args and buffers do not belong together: {error}"),
            )
        })?;
    }
    Ok((&text[array.start..array.end], array.empty))
}

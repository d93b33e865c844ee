//! The placeholders that stand in JSON where byte buffers belong, and the names that events may
//! not have.
//!
//! Owns what makes an object a placeholder: its member `_placeholder` is true. Its `num` says
//! which buffer belongs there. Refuses to know the buffers.

#![forbid(unsafe_code)]

use std::ops::Range;

use crate::json::{self, JsonError, Kind, Watch};

/// Checks arguments that go out with buffers: each placeholder has a plain integer as `num`, and
/// each buffer is named exactly once. The order does not matter.
pub fn check_outgoing(args: &str, buffers: usize) -> Result<(), JsonError> {
    let text = args.as_bytes();
    let mut placeholders = Placeholders::new(buffers, Named::Once(Seen::new(buffers)));
    let (_, end) = json::value(text, json::skip_space(text, 0), &mut placeholders)?;
    json::only_space_follows(text, end)?;
    if placeholders.found < buffers {
        return Err(JsonError {
            offset: end - 1,
            what: "no placeholder has named one of the buffers when the arguments end",
        });
    }
    Ok(())
}

/// Checks the JSON of a packet that came: each placeholder has a plain integer below
/// `attachments` as `num`. A buffer may be named several times or never.
pub fn check_incoming(data: &str, attachments: usize) -> Result<(), JsonError> {
    let text = data.as_bytes();
    let mut watch = incoming(attachments);
    let (_, end) = json::value(text, json::skip_space(text, 0), &mut watch)?;
    json::only_space_follows(text, end)
}

/// Whether an event may not have this name, because every Socket.IO library gives it a meaning of
/// its own.
pub fn name_is_reserved(name: &str) -> bool {
    matches!(
        name,
        "connect"
            | "connect_error"
            | "disconnect"
            | "disconnecting"
            | "newListener"
            | "removeListener"
    )
}

/// What [`check_incoming`] does, for a pass over the JSON that is made anyway.
pub(super) fn incoming(attachments: usize) -> impl Watch {
    Placeholders::new(attachments, Named::AnyTimes)
}

/// Watches the objects of a JSON text.
struct Placeholders {
    buffers: usize,
    named: Named,
    /// How many placeholders were found.
    found: usize,
    /// How many objects are open.
    depth: usize,
    /// The innermost open object that has one of the two members.
    candidate: Option<Candidate>,
    /// Those around it, the innermost last. Apart, because placeholders rarely hold placeholders,
    /// and the list of nothing needs no memory.
    around: Vec<Candidate>,
    /// What the value that comes next is for.
    next: Next,
}

/// How often a buffer may be named.
enum Named {
    AnyTimes,
    Once(Seen),
}

#[derive(Clone, Copy, PartialEq)]
enum Next {
    Other,
    Mark,
    Number,
}

/// An object that may turn out to be a placeholder. Of members with the same name the last one
/// counts, as for every JSON library of a server.
struct Candidate {
    depth: usize,
    marked: bool,
    number: Number,
}

#[derive(Clone, Copy)]
enum Number {
    Missing,
    Plain(u64),
    Other,
}

impl Placeholders {
    fn new(buffers: usize, named: Named) -> Self {
        Placeholders {
            buffers,
            named,
            found: 0,
            depth: 0,
            candidate: None,
            around: Vec::new(),
            next: Next::Other,
        }
    }

    /// Notes the value of one of the two members.
    fn note(&mut self, kind: Kind, text: &[u8]) {
        let depth = self.depth;
        if self.candidate.as_ref().is_some_and(|candidate| candidate.depth != depth) {
            self.around.extend(self.candidate.take());
        }
        let candidate = self.candidate.get_or_insert(Candidate {
            depth,
            marked: false,
            number: Number::Missing,
        });
        if self.next == Next::Mark {
            candidate.marked = kind == Kind::True;
        } else {
            candidate.number = match json::plain_integer(text) {
                Some(number) => Number::Plain(number),
                None if kind == Kind::Number && text.iter().all(u8::is_ascii_digit) => {
                    Number::Plain(u64::MAX)
                }
                None => Number::Other,
            };
        }
        self.next = Next::Other;
    }

    fn judge(&mut self, number: Number, offset: usize) -> Result<(), JsonError> {
        let fail = |what| Err(JsonError { offset, what });
        let number = match number {
            Number::Plain(number) => number,
            Number::Missing => return fail("a placeholder without num ends"),
            Number::Other => return fail("a placeholder whose num is no plain integer ends"),
        };
        let index = match usize::try_from(number) {
            Ok(index) if index < self.buffers => index,
            _ => return fail("a placeholder whose num is not below the number of buffers ends"),
        };
        if let Named::Once(seen) = &mut self.named
            && !seen.insert(index)
        {
            return fail("a second placeholder for the same buffer ends");
        }
        self.found += 1;
        Ok(())
    }
}

impl Watch for Placeholders {
    #[inline]
    fn name(&mut self, text: &[u8], inside: Range<usize>, escaped: bool) {
        let inside = &text[inside];
        self.next = if json::equals(inside, escaped, b"_placeholder") {
            Next::Mark
        } else if json::equals(inside, escaped, b"num") {
            Next::Number
        } else {
            Next::Other
        };
    }

    #[inline]
    fn scalar(&mut self, kind: Kind, text: &[u8], all: Range<usize>) {
        if self.next != Next::Other {
            self.note(kind, &text[all]);
        }
    }

    #[inline]
    fn open(&mut self, kind: Kind) {
        if self.next != Next::Other {
            self.note(kind, b"");
        }
        if kind == Kind::Object {
            self.depth += 1;
        }
    }

    #[inline]
    fn close_object(&mut self, offset: usize) -> Result<(), JsonError> {
        let depth = self.depth;
        self.depth -= 1;
        if let Some(candidate) = self.candidate.take_if(|candidate| candidate.depth == depth) {
            self.candidate = self.around.pop();
            if candidate.marked {
                return self.judge(candidate.number, offset);
            }
        }
        Ok(())
    }
}

/// A set of numbers below a limit; up to 64 of them need no memory of their own.
enum Seen {
    Few(u64),
    Many(Vec<u64>),
}

impl Seen {
    fn new(limit: usize) -> Self {
        if limit <= 64 { Seen::Few(0) } else { Seen::Many(vec![0; limit.div_ceil(64)]) }
    }

    /// Tells whether the number was new.
    fn insert(&mut self, number: usize) -> bool {
        let word = match self {
            Seen::Few(word) => word,
            Seen::Many(words) => &mut words[number / 64],
        };
        let bit = 1 << (number % 64);
        let new = *word & bit == 0;
        *word |= bit;
        new
    }
}

#[cfg(test)]
#[path = "placeholder_tests.rs"]
mod tests;

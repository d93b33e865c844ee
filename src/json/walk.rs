//! The one pass over a JSON value: where it ends, or what is wrong with it.
//!
//! Owns the grammar outside strings and the memory of which brackets are open. Refuses to know
//! what the values are for: who wants to see them go by gives a [`Watch`].

#![forbid(unsafe_code)]

use std::ops::Range;

use super::{JsonError, Kind, string};

/// Sees the parts of a value go by while it is checked. All methods do nothing by default, and
/// with `()` the pass is compiled as if they were not there: so they get ranges of the text and cut
/// them out themselves, since a cut is checked even if nobody looks at it.
pub(crate) trait Watch {
    /// The name of a member; `inside` is what stands between its quotes.
    #[inline(always)]
    fn name(&mut self, text: &[u8], inside: Range<usize>, escaped: bool) {
        let _ = (text, inside, escaped);
    }

    /// A value that is neither array nor object; `all` of it.
    #[inline(always)]
    fn scalar(&mut self, kind: Kind, text: &[u8], all: Range<usize>) {
        let _ = (kind, text, all);
    }

    /// An array or an object begins.
    #[inline(always)]
    fn open(&mut self, kind: Kind) {
        let _ = kind;
    }

    /// The innermost open object ends; `offset` is that of its `}`.
    #[inline(always)]
    fn close_object(&mut self, offset: usize) -> Result<(), JsonError> {
        let _ = offset;
        Ok(())
    }
}

impl Watch for () {}

/// Checks the value that begins at `at`, where no white space may stand. Returns what it is and
/// the offset just behind it.
#[inline]
pub(crate) fn value<W: Watch>(
    text: &[u8],
    at: usize,
    watch: &mut W,
) -> Result<(Kind, usize), JsonError> {
    let (kind, end) = match byte(text, at) {
        b'[' => return Ok((Kind::Array, inside(text, at, Open::nothing(), watch)?)),
        b'{' => return Ok((Kind::Object, inside(text, at, Open::nothing(), watch)?)),
        b'"' => (Kind::String, string::scan(text, at + 1)?.end),
        b'-' | b'0'..=b'9' => (Kind::Number, number(text, at)?),
        _ => literal(text, at)?,
    };
    watch.scalar(kind, text, at..end);
    Ok((kind, end))
}

/// Checks the rest of an array from just behind one of its commas. Returns the offset just behind
/// its `]`.
#[inline]
pub(crate) fn elements<W: Watch>(
    text: &[u8],
    at: usize,
    watch: &mut W,
) -> Result<usize, JsonError> {
    inside(text, at, Open::one_array(), watch)
}

/// The offset of the first byte from `at` on that is no JSON white space.
#[inline(always)]
pub(crate) fn skip_space(text: &[u8], at: usize) -> usize {
    match text.get(at) {
        // All white space of JSON is at or below the blank, all else that may stand outside
        // strings is above it.
        Some(&byte) if byte <= b' ' => skip_more_space(text, at),
        _ => at,
    }
}

/// Checks the number that begins at `at` with a digit or a minus. Returns the offset just behind
/// it.
#[inline(always)]
pub(crate) fn number(text: &[u8], at: usize) -> Result<usize, JsonError> {
    let start = at + usize::from(byte(text, at) == b'-');
    let end = digits(text, start);
    // Most numbers are whole, and most of the others have a point.
    match byte(text, end) {
        b'.' | b'e' | b'E' => any_number(text, at),
        _ if end > start && (end == start + 1 || byte(text, start) != b'0') => Ok(end),
        _ => any_number(text, at),
    }
}

#[inline(never)]
fn any_number(text: &[u8], start: usize) -> Result<usize, JsonError> {
    let mut at = start;
    if byte(text, at) == b'-' {
        at += 1;
    }
    match byte(text, at) {
        b'1'..=b'9' => at = digits(text, at + 1),
        b'0' => {
            at += 1;
            if byte(text, at).is_ascii_digit() {
                return Err(fail(text, at, "a number begins with a needless zero"));
            }
        }
        _ if text[start..].starts_with(b"-Infinity") => {
            return Err(fail(text, start, "-Infinity is not JSON"));
        }
        _ => return Err(fail(text, at, "expected a digit")),
    }
    if byte(text, at) == b'.' {
        at = digits_needed(text, at + 1)?;
    }
    if byte(text, at) | 0x20 == b'e' {
        at += 1;
        if matches!(byte(text, at), b'+' | b'-') {
            at += 1;
        }
        at = digits_needed(text, at)?;
    }
    Ok(at)
}

/// The number that `text` writes as digits alone, without sign, point, exponent or needless
/// zeros; `None` also if it does not fit.
pub(crate) fn plain_integer(text: &[u8]) -> Option<u64> {
    if text.is_empty() || (text[0] == b'0' && text.len() > 1) {
        return None;
    }
    text.iter().try_fold(0u64, |number, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number.checked_mul(10)?.checked_add(digit.into())
    })
}

/// Checks from the beginning of a value to the bracket that closes the outermost one of `open`,
/// or if nothing is open, the one that the value itself opens. Returns the offset behind it.
#[inline]
fn inside<W: Watch>(
    text: &[u8],
    mut at: usize,
    mut open: Open,
    watch: &mut W,
) -> Result<usize, JsonError> {
    let mut far = Far::default();
    loop {
        let first;
        (at, first) = peek(text, at);
        match first {
            b'"' => {
                let end = string::scan(text, at + 1)?.end;
                watch.scalar(Kind::String, text, at..end);
                at = end;
            }
            b'-' | b'0'..=b'9' => {
                let end = number(text, at)?;
                watch.scalar(Kind::Number, text, at..end);
                at = end;
            }
            b'[' => {
                watch.open(Kind::Array);
                open.push(false, &mut far);
                let next;
                (at, next) = peek(text, at + 1);
                if next != b']' {
                    continue;
                }
            }
            b'{' => {
                watch.open(Kind::Object);
                open.push(true, &mut far);
                let next;
                (at, next) = peek(text, at + 1);
                if next != b'}' {
                    at = name(text, at, next, watch)?;
                    continue;
                }
            }
            _ => {
                let (kind, end) = literal(text, at)?;
                watch.scalar(kind, text, at..end);
                at = end;
            }
        }
        // A value has ended, or an empty bracket is about to close.
        loop {
            let next;
            (at, next) = peek(text, at);
            if next == b',' {
                at += 1;
                if open.in_object() {
                    let quote;
                    (at, quote) = peek(text, at);
                    at = name(text, at, quote, watch)?;
                }
                break;
            }
            if next != open.closing() {
                return Err(unclosed(text, at, open.in_object()));
            }
            if open.in_object() {
                watch.close_object(at)?;
            }
            at += 1;
            if open.pop(&mut far) {
                return Ok(at);
            }
        }
    }
}

/// Checks a member's name, whose first byte is `quote`, and the colon. Returns the offset just
/// behind the colon.
#[inline(always)]
fn name<W: Watch>(text: &[u8], at: usize, quote: u8, watch: &mut W) -> Result<usize, JsonError> {
    if quote != b'"' {
        return Err(fail(text, at, "expected a member's name in double quotes"));
    }
    let scanned = string::scan(text, at + 1)?;
    watch.name(text, at + 1..scanned.end - 1, scanned.escaped);
    let (at, colon) = peek(text, scanned.end);
    if colon != b':' {
        return Err(fail(text, at, "expected ':' after a member's name"));
    }
    Ok(at + 1)
}

#[inline(always)]
fn literal(text: &[u8], at: usize) -> Result<(Kind, usize), JsonError> {
    // A comparison of four bytes is one instruction; of any other number it is a call.
    match text.get(at..).and_then(|rest| rest.first_chunk::<4>()) {
        Some(b"true") => Ok((Kind::True, at + 4)),
        Some(b"null") => Ok((Kind::Null, at + 4)),
        Some(b"fals") if byte(text, at + 4) == b'e' => Ok((Kind::False, at + 5)),
        _ => Err(no_value(text, at)),
    }
}

/// The byte at `at`, or 0 behind the end: 0 is nowhere allowed outside strings, so that the end
/// needs no question of its own before something is wrong.
#[inline(always)]
pub(super) fn byte(text: &[u8], at: usize) -> u8 {
    text.get(at).copied().unwrap_or(0)
}

/// The offset of the first byte from `at` on that is no digit.
#[inline(always)]
fn digits(text: &[u8], at: usize) -> usize {
    match text.get(at..).and_then(|rest| rest.first_chunk::<8>()).map(others_than_digits) {
        Some(marks @ 1..) => at + (marks.trailing_zeros() / 8) as usize,
        _ => many_digits(text, at),
    }
}

/// The same for numbers that are long, or near the end of the text.
#[inline(never)]
fn many_digits(text: &[u8], mut at: usize) -> usize {
    while byte(text, at).is_ascii_digit() {
        at += 1;
    }
    at
}

/// Marks with its highest bit the first byte that is no digit; the marks above the lowest one mean
/// nothing.
#[inline(always)]
fn others_than_digits(chunk: &[u8; 8]) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    // The digits become 0 to 9, and adding leaves those alone below the highest bit.
    let word = u64::from_le_bytes(*chunk) ^ (ONES * 0x30);
    (word | word.wrapping_add(ONES * (0x80 - 10))) & (ONES * 0x80)
}

#[inline(always)]
fn digits_needed(text: &[u8], at: usize) -> Result<usize, JsonError> {
    match digits(text, at) {
        end if end == at => Err(fail(text, at, "expected a digit")),
        end => Ok(end),
    }
}

/// [`skip_space`] and the byte there, or 0 behind the end.
#[inline(always)]
fn peek(text: &[u8], at: usize) -> (usize, u8) {
    match text.get(at) {
        Some(&byte) if byte > b' ' => (at, byte),
        _ => {
            let at = skip_more_space(text, at);
            (at, byte(text, at))
        }
    }
}

#[inline(never)]
fn skip_more_space(text: &[u8], mut at: usize) -> usize {
    while matches!(byte(text, at), b' ' | b'\t' | b'\n' | b'\r') {
        at += 1;
    }
    at
}

/// Which brackets are open, one bit each: 1 for an object. The innermost is the lowest bit of
/// `near`, whose highest set bit only marks where it ends; what does not fit goes to [`Far`]. The
/// two are apart so that this one can stay in a register.
#[derive(Clone, Copy)]
struct Open {
    near: u64,
}

/// The brackets around those of [`Open`], 63 in each word.
#[derive(Default)]
struct Far {
    words: Vec<u64>,
}

impl Open {
    #[inline(always)]
    fn nothing() -> Self {
        Open { near: 1 }
    }

    #[inline(always)]
    fn one_array() -> Self {
        Open { near: 0b10 }
    }

    #[inline(always)]
    fn push(&mut self, object: bool, far: &mut Far) {
        if self.near >> 63 == 1 {
            far.push(self.near);
            self.near = 1;
        }
        self.near = self.near << 1 | u64::from(object);
    }

    #[inline(always)]
    fn in_object(self) -> bool {
        self.near & 1 == 1
    }

    #[inline(always)]
    fn closing(self) -> u8 {
        // The two brackets differ in one bit.
        b']' | (self.near as u8 & 1) << 5
    }

    /// Closes the innermost bracket and tells whether it was the last.
    #[inline(always)]
    fn pop(&mut self, far: &mut Far) -> bool {
        self.near >>= 1;
        if self.near == 1 {
            match far.pop() {
                Some(near) => self.near = near,
                None => return true,
            }
        }
        false
    }
}

impl Far {
    #[cold]
    #[inline(never)]
    fn push(&mut self, word: u64) {
        self.words.push(word);
    }

    #[inline(always)]
    fn pop(&mut self) -> Option<u64> {
        self.words.pop()
    }
}

/// The error at `at`, which behind the end says so instead.
#[cold]
#[inline(never)]
pub(super) fn fail(text: &[u8], at: usize, what: &'static str) -> JsonError {
    if at < text.len() {
        return JsonError { offset: at, what };
    }
    let what = if text.is_empty() {
        "expected a value but the text is empty"
    } else {
        "the text ends too early"
    };
    JsonError { offset: text.len(), what }
}

#[cold]
#[inline(never)]
fn unclosed(text: &[u8], at: usize, object: bool) -> JsonError {
    match (at < text.len(), object) {
        (true, true) => JsonError { offset: at, what: "expected ',' or '}'" },
        (true, false) => JsonError { offset: at, what: "expected ',' or ']'" },
        (false, true) => JsonError { offset: text.len(), what: "the text ends inside an object" },
        (false, false) => JsonError { offset: text.len(), what: "the text ends inside an array" },
    }
}

/// The error where a value should begin; names what other languages write there.
#[cold]
#[inline(never)]
fn no_value(text: &[u8], at: usize) -> JsonError {
    const OTHERS: [(&str, &str); 8] = [
        ("NaN", "NaN is not JSON"),
        ("nan", "nan is not JSON"),
        ("Infinity", "Infinity is not JSON"),
        ("undefined", "undefined is not JSON"),
        ("None", "None is not JSON (null is)"),
        ("True", "True is not JSON (true is)"),
        ("False", "False is not JSON (false is)"),
        ("'", "expected a string in double quotes, not in single ones,"),
    ];
    let rest = text.get(at..).unwrap_or_default();
    for (word, what) in OTHERS {
        if rest.starts_with(word.as_bytes()) {
            return fail(text, at, what);
        }
    }
    for word in ["true", "false", "null"] {
        if !rest.is_empty() && word.as_bytes().starts_with(rest) {
            return fail(text, text.len(), "the text ends too early");
        }
    }
    fail(text, at, "expected a value")
}

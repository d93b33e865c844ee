//! JSON strings: where they end, what they say, and how a text is written as one.
//!
//! Owns quotes and escapes. Refuses to know whether a string is a name or a value.

#![forbid(unsafe_code)]

use super::walk::{byte, fail};
use super::{JsonError, Short};

/// What was learnt of a string while looking for its end.
#[derive(Clone, Copy)]
pub(crate) struct Scanned {
    /// The offset just behind the closing quote.
    pub(crate) end: usize,
    /// Whether there is a backslash in it.
    pub(crate) escaped: bool,
}

/// Checks a string from just behind its opening quote.
#[inline(always)]
pub(crate) fn scan(text: &[u8], mut at: usize) -> Result<Scanned, JsonError> {
    // Most strings are names and words, whose end is within the first two loads.
    for _ in 0..2 {
        let Some(chunk) = text.get(at..).and_then(|rest| rest.first_chunk::<8>()) else { break };
        match specials(chunk) {
            0 => at += 8,
            hits => {
                at += (hits.trailing_zeros() / 8) as usize;
                if byte(text, at) == b'"' {
                    return Ok(Scanned { end: at + 1, escaped: false });
                }
                break;
            }
        }
    }
    scan_on(text, at)
}

/// Appends `text` as a JSON string, quotes included. Escaped is only what must be: quotes,
/// backslashes and control characters.
pub fn quote(text: &str, out: &mut String) {
    out.reserve(text.len() + 2);
    out.push('"');
    let bytes = text.as_bytes();
    let mut from = 0;
    loop {
        let at = special(bytes, from);
        // Specials are ASCII, so the text is cut between characters.
        out.push_str(&text[from..at]);
        let Some(&byte) = bytes.get(at) else { break };
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            0x08 => out.push_str("\\b"),
            0x0c => out.push_str("\\f"),
            _ => {
                const HEX: [char; 16] = [
                    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
                ];
                out.push_str("\\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 15)]);
            }
        }
        from = at + 1;
    }
    out.push('"');
}

/// The text of the JSON string that starts at the first byte of `value`, whatever follows it.
/// A surrogate without its partner becomes U+FFFD. `None` if it is no string or not UTF-8.
pub fn unquote(value: &[u8]) -> Option<String> {
    unquote_prefix(value).ok().flatten()
}

/// [`unquote`] with a part of the text.
pub fn unquote_prefix(value: &[u8]) -> Result<Option<String>, Short> {
    match value.first() {
        None => return Err(Short),
        Some(b'"') => {}
        Some(_) => return Ok(None),
    }
    match scan(value, 1) {
        Ok(scanned) => Ok(unescape(&value[1..scanned.end - 1])),
        Err(error) if error.offset >= value.len() => Err(Short),
        Err(_) => Ok(None),
    }
}

/// What the inside of a scanned string says. `None` if it is not UTF-8.
pub(crate) fn unescape(inside: &[u8]) -> Option<String> {
    // No escape is shorter than what it stands for.
    let mut out = String::with_capacity(inside.len());
    for piece in (Pieces { rest: inside }) {
        match piece {
            Piece::Run(run) => out.push_str(std::str::from_utf8(run).ok()?),
            Piece::Char(char) => out.push(char),
        }
    }
    Some(out)
}

/// Whether the inside of a scanned string says `wanted`.
#[inline]
pub(crate) fn equals(inside: &[u8], escaped: bool, wanted: &[u8]) -> bool {
    if escaped { equals_escaped(inside, wanted) } else { inside == wanted }
}

fn equals_escaped(inside: &[u8], mut wanted: &[u8]) -> bool {
    for piece in (Pieces { rest: inside }) {
        let mut buffer = [0; 4];
        let piece = match piece {
            Piece::Run(run) => run,
            Piece::Char(char) => char.encode_utf8(&mut buffer).as_bytes(),
        };
        match wanted.strip_prefix(piece) {
            Some(rest) => wanted = rest,
            None => return false,
        }
    }
    wanted.is_empty()
}

/// The inside of a scanned string, cut at its escapes.
struct Pieces<'a> {
    rest: &'a [u8],
}

enum Piece<'a> {
    Run(&'a [u8]),
    Char(char),
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        let rest = self.rest;
        if *rest.first()? != b'\\' {
            let end = special(rest, 1);
            self.rest = &rest[end..];
            return Some(Piece::Run(&rest[..end]));
        }
        let (char, len) = match byte(rest, 1) {
            b'b' => ('\u{8}', 2),
            b'f' => ('\u{c}', 2),
            b'n' => ('\n', 2),
            b'r' => ('\r', 2),
            b't' => ('\t', 2),
            b'u' => code_point(rest),
            other => (char::from(other), 2),
        };
        self.rest = rest.get(len..).unwrap_or_default();
        Some(Piece::Char(char))
    }
}

/// The character that the `\uXXXX` at the start of `text`, or a pair of them, stands for, and how
/// many bytes it takes.
fn code_point(text: &[u8]) -> (char, usize) {
    let unit = |from: usize| text.get(from..from + 4).and_then(hex);
    let Some(first) = unit(2) else { return (char::REPLACEMENT_CHARACTER, 6) };
    if let Some(char) = char::from_u32(first) {
        return (char, 6);
    }
    if first < 0xdc00
        && text.get(6..8) == Some(b"\\u")
        && let Some(second @ 0xdc00..=0xdfff) = unit(8)
        && let Some(char) = char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00))
    {
        return (char, 12);
    }
    (char::REPLACEMENT_CHARACTER, 6)
}

fn hex(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |number, byte| Some(number << 4 | char::from(*byte).to_digit(16)?))
}

/// The rest of [`scan`], for strings that are long, escaped, or near the end of the text.
#[inline(never)]
fn scan_on(text: &[u8], mut at: usize) -> Result<Scanned, JsonError> {
    let mut escaped = false;
    loop {
        match text.get(at) {
            Some(b'"') => return Ok(Scanned { end: at + 1, escaped }),
            Some(b'\\') => {
                escaped = true;
                at = escape(text, at)?;
            }
            Some(0x20..) => at = special(text, at + 1),
            Some(_) => {
                return Err(fail(text, at, "a control character in a string must be escaped"));
            }
            None => {
                return Err(JsonError {
                    offset: text.len(),
                    what: "the text ends inside a string",
                });
            }
        }
    }
}

/// Checks the escape at `at`. Returns the offset just behind it.
#[inline(always)]
fn escape(text: &[u8], at: usize) -> Result<usize, JsonError> {
    match byte(text, at + 1) {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(at + 2),
        b'u' => match text.get(at + 2..).and_then(|rest| rest.first_chunk::<4>()) {
            Some(digits) if digits.iter().all(u8::is_ascii_hexdigit) => Ok(at + 6),
            _ => Err(bad_digits(text, at + 2)),
        },
        _ => Err(fail(text, at + 1, "unknown escape in a string")),
    }
}

#[cold]
#[inline(never)]
fn bad_digits(text: &[u8], mut at: usize) -> JsonError {
    while byte(text, at).is_ascii_hexdigit() {
        at += 1;
    }
    fail(text, at, "expected four hexadecimal digits after \\u")
}

/// The offset from `at` on of the first quote, backslash or control character, or the length.
fn special(text: &[u8], mut at: usize) -> usize {
    let mut rest = text.get(at..).unwrap_or_default();
    let mut plain = 0;
    while let Some(chunk) = rest.first_chunk::<8>() {
        match specials(chunk) {
            0 => {
                rest = &rest[8..];
                at += 8;
            }
            hits => return at + (hits.trailing_zeros() / 8) as usize,
        }
        plain += 1;
        if plain == 4 {
            // A long run. Whether there is a special byte at all is a question that compilers
            // answer 16 bytes at a time or more.
            let long = plain_run(rest);
            rest = &rest[long..];
            at += long;
        }
    }
    let offset = rest.iter().position(|&byte| byte < 0x20 || byte == b'"' || byte == b'\\');
    at + offset.unwrap_or(rest.len())
}

/// How many bytes at the start of `text`, in steps of 32, are for certain not special.
fn plain_run(text: &[u8]) -> usize {
    let (chunks, _) = text.as_chunks::<32>();
    let plain = chunks.iter().take_while(|chunk| {
        !chunk
            .iter()
            .fold(false, |any, &byte| any | (byte < 0x20) | (byte == b'"') | (byte == b'\\'))
    });
    32 * plain.count()
}

/// Marks with its highest bit the first byte that is a quote, a backslash or a control character;
/// the marks above the lowest one mean nothing.
#[inline(always)]
fn specials(chunk: &[u8; 8]) -> u64 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let word = u64::from_le_bytes(*chunk);
    // With bit 1 turned over, the quote (0x22) comes to stand just above the control characters,
    // and the blank and the exclamation mark behind it. Subtracting then borrows into the highest
    // bit of exactly those bytes; a borrow disturbs only bytes above the first that is found.
    let low = (word ^ (ONES * 0x02)).wrapping_sub(ONES * 0x21);
    let backslash = (word ^ (ONES * 0x5c)).wrapping_sub(ONES);
    (low | backslash) & !word & (ONES * 0x80)
}

//! Finding values in JSON text, and stepping through arrays and objects.
//!
//! Owns JSON Pointer (RFC 6901). Refuses to know what lies behind the value that was asked for:
//! it is not read, and may be anything.

#![forbid(unsafe_code)]

use std::borrow::Cow;

use super::walk::{byte, fail};
use super::{JsonError, Kind, Short, equals, plain_integer, scan, skip_space, value};

/// One element of an array or one member of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step<'a> {
    /// What the value is.
    pub kind: Kind,
    /// The member's name, a JSON string with its quotes; `None` in an array.
    pub key: Option<&'a [u8]>,
    /// The value.
    pub value: &'a [u8],
    /// Where the next step begins, counted from the beginning of this one: at the comma or the
    /// closing bracket behind the value.
    pub rest: usize,
}

/// Finds a value by its JSON Pointer: "" is the whole value at the beginning of `json`, "/0" the
/// first element of an array, "/1/user/name" a member further in.
///
/// `json` begins with one value; what follows it is not read. Names are compared with their
/// escapes resolved; of members with the same name the first is found. `None` if the value is not
/// there, if the pointer is malformed, or if what was read on the way is no JSON.
pub fn find<'a>(json: &'a [u8], pointer: &str) -> Option<(Kind, &'a [u8])> {
    locate(json, pointer).ok().flatten()
}

/// [`find`] with a part of the text.
pub fn find_prefix<'a>(json: &'a [u8], pointer: &str) -> Result<Option<(Kind, &'a [u8])>, Short> {
    match locate(json, pointer) {
        // More digits may follow.
        Ok(Some((Kind::Number, value))) if value.as_ptr_range().end == json.as_ptr_range().end => {
            Err(Short)
        }
        Ok(found) => Ok(found),
        Err(error) => short_or_nothing(error, json),
    }
}

/// The next element or member, `None` at the end or if there is no JSON.
///
/// `cursor` starts at the first byte of an array or an object, and for each further step at
/// [`Step::rest`] of the one before. No more has to be remembered: a step that begins at a comma
/// is in an object if a string and a colon follow, else in an array.
pub fn next(cursor: &[u8]) -> Option<Step<'_>> {
    step(cursor).ok().flatten()
}

/// [`next`] with a part of the text.
pub fn next_prefix(cursor: &[u8]) -> Result<Option<Step<'_>>, Short> {
    step(cursor).or_else(|error| short_or_nothing(error, cursor))
}

/// The `num` of the placeholder that `object` is: an object whose member `_placeholder` is true
/// and whose `num` is a plain integer. Of members with the same name the last one counts, as for
/// every server.
pub fn placeholder_number(object: &[u8]) -> Option<u64> {
    if object.first() != Some(&b'{') {
        return None;
    }
    let mut marked = false;
    let mut number = None;
    let mut cursor = object;
    while let Some(step) = next(cursor) {
        let key = step.key?;
        let inside = &key[1..key.len() - 1];
        let escaped = inside.contains(&b'\\');
        if equals(inside, escaped, b"_placeholder") {
            marked = step.kind == Kind::True;
        } else if equals(inside, escaped, b"num") {
            number = plain_integer(step.value);
        }
        cursor = &cursor[step.rest..];
    }
    if marked { number } else { None }
}

fn short_or_nothing<T>(error: JsonError, text: &[u8]) -> Result<Option<T>, Short> {
    if error.offset >= text.len() { Err(Short) } else { Ok(None) }
}

fn locate<'a>(json: &'a [u8], pointer: &str) -> Result<Option<(Kind, &'a [u8])>, JsonError> {
    let mut at = skip_space(json, 0);
    if !pointer.is_empty() {
        let Some(tokens) = pointer.strip_prefix('/') else { return Ok(None) };
        if !well_formed(tokens) {
            return Ok(None);
        }
        for token in tokens.split('/') {
            let found = match byte(json, at) {
                b'{' => member(json, at, &resolved(token))?,
                b'[' => match plain_integer(token.as_bytes()) {
                    Some(index) => element(json, at, index)?,
                    None => None,
                },
                // Whether it is another value or no JSON, it has no members.
                _ if at < json.len() => None,
                _ => return Err(fail(json, at, "expected a value")),
            };
            match found {
                Some(found) => at = found,
                None => return Ok(None),
            }
        }
    }
    let (kind, end) = value(json, at, &mut ())?;
    Ok(Some((kind, &json[at..end])))
}

/// Whether every tilde is followed by 0 or 1.
fn well_formed(tokens: &str) -> bool {
    let mut pieces = tokens.split('~');
    pieces.next();
    pieces.all(|piece| piece.starts_with(['0', '1']))
}

fn resolved(token: &str) -> Cow<'_, [u8]> {
    if !token.contains('~') {
        return Cow::Borrowed(token.as_bytes());
    }
    // In this order "~01" means "~1".
    Cow::Owned(token.replace("~1", "/").replace("~0", "~").into_bytes())
}

/// The offset of the value of the member `name` of the object at `at`.
fn member(json: &[u8], at: usize, name: &[u8]) -> Result<Option<usize>, JsonError> {
    let mut at = skip_space(json, at + 1);
    if byte(json, at) == b'}' {
        return Ok(None);
    }
    loop {
        let (key, begins) = key(json, at)?;
        let inside = &json[at + 1..key.end - 1];
        if equals(inside, key.escaped, name) {
            return Ok(Some(begins));
        }
        let (_, end) = value(json, begins, &mut ())?;
        match behind(json, end, b'}')? {
            Some(next) => at = next,
            None => return Ok(None),
        }
    }
}

/// The offset of element `index` of the array at `at`.
fn element(json: &[u8], at: usize, index: u64) -> Result<Option<usize>, JsonError> {
    let mut at = skip_space(json, at + 1);
    if byte(json, at) == b']' {
        return Ok(None);
    }
    for _ in 0..index {
        let (_, end) = value(json, at, &mut ())?;
        match behind(json, end, b']')? {
            Some(next) => at = next,
            None => return Ok(None),
        }
    }
    Ok(Some(at))
}

/// The name at `at`, and the offset of the value behind its colon.
fn key(json: &[u8], at: usize) -> Result<(super::string::Scanned, usize), JsonError> {
    if byte(json, at) != b'"' {
        return Err(fail(json, at, "expected a member's name in double quotes"));
    }
    let scanned = scan(json, at + 1)?;
    let colon = skip_space(json, scanned.end);
    if byte(json, colon) != b':' {
        return Err(fail(json, colon, "expected ':' after a member's name"));
    }
    Ok((scanned, skip_space(json, colon + 1)))
}

/// Behind a value: the offset of what follows the comma, `None` if the bracket closes.
fn behind(json: &[u8], end: usize, closing: u8) -> Result<Option<usize>, JsonError> {
    let at = skip_space(json, end);
    match byte(json, at) {
        b',' => Ok(Some(skip_space(json, at + 1))),
        found if found == closing => Ok(None),
        _ => Err(fail(json, at, "expected ',' or a closing bracket")),
    }
}

fn step(cursor: &[u8]) -> Result<Option<Step<'_>>, JsonError> {
    let start = skip_space(cursor, 0);
    let at = skip_space(cursor, start + 1);
    let first = byte(cursor, at);
    let (key_end, begins, closing) = match byte(cursor, start) {
        b'[' if first == b']' => return Ok(None),
        b'{' if first == b'}' => return Ok(None),
        b'[' => (None, at, b']'),
        b'{' => {
            let (key, begins) = key(cursor, at)?;
            (Some(key.end), begins, b'}')
        }
        b',' if first == b'"' => {
            let end = scan(cursor, at + 1)?.end;
            let colon = skip_space(cursor, end);
            match byte(cursor, colon) {
                b':' => (Some(end), skip_space(cursor, colon + 1), b'}'),
                _ => (None, at, b']'),
            }
        }
        b',' => (None, at, b']'),
        _ if start < cursor.len() => return Ok(None),
        _ => return Err(fail(cursor, start, "expected a value")),
    };
    let (kind, end) = value(cursor, begins, &mut ())?;
    behind(cursor, end, closing)?;
    let rest = skip_space(cursor, end);
    let key = key_end.map(|key_end| &cursor[at..key_end]);
    Ok(Some(Step { kind, key, value: &cursor[begins..end], rest }))
}

//! The arguments that are pointers, as C gives them.
//!
//! Owns one type for each kind of pointer, transparent, so that it is the plain pointer in the
//! header (`cbindgen.toml` says which), and the checks that lie between it and a Rust value.
//! Refuses to know the functions.
//!
//! A value of these types comes into being only as an argument of a function that C calls. The
//! header asks of the caller that such a pointer is NULL or valid until the function returns; each
//! unsafe block below relies on that.

use std::ffi::{c_char, c_int, c_void};
use std::ptr;
use std::slice;

use super::message::sio_message;
use super::support::{Outputs, invalid};
use crate::error::Failure;
use crate::json::Short;
use crate::message::Message;

/// Text that ends in NUL.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct Text(*const c_char);

impl Text {
    /// The text that has to be there.
    pub(super) fn required(&self, argument: &str) -> Result<&str, Failure> {
        self.optional(argument)?.ok_or_else(|| invalid(argument, "is NULL"))
    }

    /// The text, or none for NULL.
    pub(super) fn optional(&self, argument: &str) -> Result<Option<&str>, Failure> {
        let Some(bytes) = self.bytes() else { return Ok(None) };
        if bytes.is_ascii() {
            // SAFETY: ASCII is UTF-8. The check in std is several times dearer for short texts.
            return Ok(Some(unsafe { std::str::from_utf8_unchecked(bytes) }));
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Some(text)),
            Err(error) => {
                let what = format!("is not UTF-8 at byte {}", error.valid_up_to());
                Err(invalid(argument, &what))
            }
        }
    }

    /// The text for a function that can name no fault.
    pub(super) fn unchecked(&self) -> Option<&str> {
        self.optional("").ok().flatten()
    }

    /// Asks something of a text that may be much longer than what has to be read for the answer:
    /// `of_part` of a beginning, then of longer ones, and `of_all` once the end has been seen. The
    /// time taken is that of what was read, so that a program can walk through a long text with
    /// pointers into it.
    pub(super) fn ask<'a, T>(
        &'a self,
        of_part: impl Fn(&'a [u8]) -> Result<T, Short>,
        of_all: impl Fn(&'a [u8]) -> T,
    ) -> Option<T> {
        if self.0.is_null() {
            return None;
        }
        let mut seen = 0;
        let mut room = FIRST_PART;
        loop {
            // SAFETY: the text ends in NUL, and no byte up to `seen` is one.
            let bytes = unsafe {
                seen += libc::strnlen(self.0.add(seen), room - seen);
                slice::from_raw_parts(self.0.cast::<u8>(), seen)
            };
            if seen < room {
                return Some(of_all(bytes));
            }
            if let Ok(answer) = of_part(bytes) {
                return Some(answer);
            }
            room *= 2;
        }
    }

    fn bytes(&self) -> Option<&[u8]> {
        if self.0.is_null() {
            return None;
        }
        // SAFETY: the text ends in NUL and stays as it is until the function returns.
        Some(unsafe { std::ffi::CStr::from_ptr(self.0) }.to_bytes())
    }
}

/// How much of a text is looked at first.
const FIRST_PART: usize = 256;

/// A place within JSON text that is moved on.
#[repr(transparent)]
pub struct Cursor(*mut *const c_char);

impl Cursor {
    /// The text from there on.
    pub(super) fn text(&self) -> Text {
        if self.0.is_null() {
            return Text(ptr::null());
        }
        // SAFETY: a pointer that is not NULL is one to a pointer.
        Text(unsafe { *self.0 })
    }

    /// Moves on, by no more than the length of the text.
    pub(super) fn advance(&self, count: usize) {
        if !self.0.is_null() {
            // SAFETY: a pointer that is not NULL is one to a pointer, which is the program's to
            // change here. The sum stays within the text.
            unsafe { *self.0 = (*self.0).add(count) };
        }
    }
}

/// Bytes that the caller owns. `data` may be NULL if `len` is 0.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct sio_buffer {
    data: *const c_void,
    len: usize,
}

/// An array of byte buffers.
#[repr(transparent)]
pub struct Buffers(*const sio_buffer);

impl Buffers {
    /// Hands the buffers on as slices; `count` is the argument of that name.
    pub(super) fn with<T, E: From<Failure>>(
        &self,
        count: usize,
        body: impl FnOnce(&[&[u8]]) -> Result<T, E>,
    ) -> Result<T, E> {
        if count == 0 {
            return body(&[]);
        }
        if self.0.is_null() {
            return Err(invalid("buffers", &format!("is NULL, but `count` is {count}")).into());
        }
        if count > isize::MAX as usize / size_of::<sio_buffer>() {
            let what = format!("is {count}, which is more than any array can hold");
            return Err(invalid("count", &what).into());
        }
        // SAFETY: a pointer that is not NULL is one to `count` buffers.
        let given = unsafe { slice::from_raw_parts(self.0, count) };
        if count <= FEW {
            let mut few: [&[u8]; FEW] = [&[]; FEW];
            for (index, buffer) in given.iter().enumerate() {
                few[index] = buffer.bytes(index)?;
            }
            return body(&few[..count]);
        }
        let many: Result<Vec<&[u8]>, Failure> =
            given.iter().enumerate().map(|(index, buffer)| buffer.bytes(index)).collect();
        body(&many?)
    }
}

/// So many buffers are handed on without a list on the heap.
const FEW: usize = 8;

impl sio_buffer {
    fn bytes(&self, index: usize) -> Result<&[u8], Failure> {
        if self.len == 0 {
            return Ok(&[]);
        }
        let fault = |what: &str| invalid(&format!("buffers[{index}]"), what);
        if self.data.is_null() {
            return Err(fault(&format!("has no data: `data` is NULL, but `len` is {}", self.len)));
        }
        if self.len > isize::MAX as usize {
            let what = format!("has a `len` of {}, which is more than any memory", self.len);
            return Err(fault(&what));
        }
        // SAFETY: `data` is not NULL and points to `len` bytes.
        Ok(unsafe { slice::from_raw_parts(self.data.cast::<u8>(), self.len) })
    }
}

/// Memory for text that is copied out.
#[repr(transparent)]
pub struct Buf(*mut c_char);

impl Buf {
    /// The memory and its size; `size` is the argument of that name.
    pub(super) fn of(self, size: usize) -> Room {
        Room { buf: self.0, size: if self.0.is_null() { 0 } else { size } }
    }
}

/// [`Buf`] with its size.
pub(super) struct Room {
    buf: *mut c_char,
    size: usize,
}

impl Room {
    /// Copies what fits of the text, cut at a character, and a NUL; returns the whole length.
    pub(super) fn write(&self, text: &str) -> usize {
        if let Some(most) = self.size.checked_sub(1) {
            let end = text.floor_char_boundary(most);
            // SAFETY: `end` bytes and the NUL fit into the `size` bytes that are the program's at
            // `buf`, and the text is the library's.
            unsafe {
                ptr::copy_nonoverlapping(text.as_ptr(), self.buf.cast::<u8>(), end);
                *self.buf.add(end) = 0;
            }
        }
        text.len()
    }

    /// The same, but of text that does not fit nothing is copied.
    pub(super) fn write_whole(&self, text: &str) -> usize {
        if text.len() < self.size {
            self.write(text)
        } else {
            self.write("");
            text.len()
        }
    }
}

impl Outputs for Room {
    fn clear(&self) {
        self.write("");
    }
}

/// Where a length goes.
#[repr(transparent)]
pub struct OutLen(*mut usize);

impl OutLen {
    pub(super) fn set(&self, len: usize) {
        if !self.0.is_null() {
            // SAFETY: a pointer that is not NULL is one to a length.
            unsafe { *self.0 = len };
        }
    }
}

impl Outputs for OutLen {
    fn clear(&self) {
        self.set(0);
    }
}

/// Where a pointer into JSON text goes.
#[repr(transparent)]
pub struct OutText(*mut *const c_char);

impl OutText {
    pub(super) fn set(&self, text: &[u8]) {
        self.put(text.as_ptr().cast());
    }

    fn put(&self, text: *const c_char) {
        if !self.0.is_null() {
            // SAFETY: a pointer that is not NULL is one to a pointer.
            unsafe { *self.0 = text };
        }
    }
}

impl Outputs for OutText {
    fn clear(&self) {
        self.put(ptr::null());
    }
}

/// Where a pointer to bytes goes.
#[repr(transparent)]
pub struct OutBytes(*mut *const c_void);

impl OutBytes {
    pub(super) fn set(&self, bytes: &[u8]) {
        self.put(bytes.as_ptr().cast());
    }

    fn put(&self, bytes: *const c_void) {
        if !self.0.is_null() {
            // SAFETY: a pointer that is not NULL is one to a pointer.
            unsafe { *self.0 = bytes };
        }
    }
}

impl Outputs for OutBytes {
    fn clear(&self) {
        self.put(ptr::null());
    }
}

/// Where a new message goes.
#[repr(transparent)]
pub struct OutMessage(*mut *mut sio_message);

impl OutMessage {
    /// Fails for NULL.
    pub(super) fn required(&self, argument: &str) -> Result<(), Failure> {
        if self.0.is_null() { Err(invalid(argument, "is NULL")) } else { Ok(()) }
    }

    /// Gives the message to the program; if that does not want it, it is freed.
    pub(super) fn give(&self, message: Box<Message>) {
        if !self.0.is_null() {
            self.put(sio_message::new(message));
        }
    }

    fn put(&self, message: *mut sio_message) {
        if !self.0.is_null() {
            // SAFETY: a pointer that is not NULL is one to a pointer.
            unsafe { *self.0 = message };
        }
    }
}

impl Outputs for OutMessage {
    fn clear(&self) {
        self.put(ptr::null_mut());
    }
}

/// Where the outcome of a started operation goes.
#[derive(Clone, Copy)]
pub struct OutResult {
    tag: OutTag,
    status: OutStatus,
}

/// Where a tag goes.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct OutTag(*mut u64);

/// Where a status goes.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct OutStatus(*mut c_int);

impl OutTag {
    /// Both of them together.
    pub(super) fn and(self, status: OutStatus) -> OutResult {
        OutResult { tag: self, status }
    }
}

impl OutResult {
    /// Fails for NULL.
    pub(super) fn required(&self) -> Result<(), Failure> {
        match (self.tag.0.is_null(), self.status.0.is_null()) {
            (true, _) => Err(invalid("tag", "is NULL")),
            (_, true) => Err(invalid("status", "is NULL")),
            _ => Ok(()),
        }
    }

    pub(super) fn set(&self, tag: u64, status: c_int) {
        if !self.tag.0.is_null() {
            // SAFETY: a pointer that is not NULL is one to a tag.
            unsafe { *self.tag.0 = tag };
        }
        if !self.status.0.is_null() {
            // SAFETY: a pointer that is not NULL is one to a status.
            unsafe { *self.status.0 = status };
        }
    }
}

impl Outputs for OutResult {
    fn clear(&self) {
        self.set(0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> Text {
        assert_eq!(bytes.last(), Some(&0));
        Text(bytes.as_ptr().cast())
    }

    #[test]
    fn text_is_null_or_utf8_or_a_failure_that_names_argument_and_byte() {
        assert_eq!(text(b"caf\xc3\xa9\0").required("event").unwrap(), "caf\u{e9}");
        assert_eq!(Text(ptr::null()).optional("args").unwrap(), None);
        let failure = Text(ptr::null()).required("event").unwrap_err();
        assert_eq!(failure.text, "argument `event` is NULL");
        let failure = text(b"ab\xff\0").required("event").unwrap_err();
        assert_eq!(failure.text, "argument `event` is not UTF-8 at byte 2");
    }

    #[test]
    fn no_more_of_a_text_is_read_than_the_answer_needs() {
        let mut long = vec![b'x'; 100_000];
        long.push(0);
        for wanted in [0, 1, 255, 256, 257, 5000, 99_999, 100_000] {
            let asked = std::cell::RefCell::new(Vec::new());
            let part = |bytes: &[u8]| {
                asked.borrow_mut().push(bytes.len());
                if bytes.len() > wanted { Ok(bytes.len()) } else { Err(Short) }
            };
            let read = text(&long).ask(part, |bytes| bytes.len()).unwrap();
            assert!(read >= wanted && read <= (2 * wanted).max(FIRST_PART), "{wanted} {read}");
            assert!(asked.borrow().windows(2).all(|pair| pair[1] == 2 * pair[0]));
        }
        assert_eq!(text(b"\0").ask(|_| Err(Short), |bytes| bytes.len()), Some(0));
        assert_eq!(Text(ptr::null()).ask(|_| Ok(1), |_| 2), None);
    }

    #[test]
    fn text_is_cut_at_a_character() {
        let copied = |text: &str, size: usize| {
            let mut buf = [0x55u8; 16];
            let room = Buf(buf.as_mut_ptr().cast()).of(size);
            assert_eq!(room.write(text), text.len());
            assert!(buf[size..].iter().all(|&byte| byte == 0x55));
            let end = buf.iter().position(|&byte| byte == 0).unwrap_or(0);
            String::from_utf8(buf[..end].to_vec()).unwrap()
        };
        assert_eq!(copied("caf\u{e9}", 6), "caf\u{e9}");
        assert_eq!(copied("caf\u{e9}", 5), "caf");
        assert_eq!(copied("caf\u{e9}", 4), "caf");
        assert_eq!(copied("caf\u{e9}", 1), "");
        assert_eq!(copied("caf\u{e9}", 0), "");
        assert_eq!(Buf(ptr::null_mut()).of(5).write("abc"), 3);
    }

    #[test]
    fn text_that_must_be_whole_is_copied_whole_or_not() {
        let mut buf = [0x55u8; 4];
        let address = buf.as_mut_ptr();
        assert_eq!(Buf(address.cast()).of(4).write_whole("abcd"), 4);
        assert_eq!(buf, [0, 0x55, 0x55, 0x55]);
        assert_eq!(Buf(buf.as_mut_ptr().cast()).of(4).write_whole("abc"), 3);
        assert_eq!(buf, *b"abc\0");
    }

    #[test]
    fn buffers_are_checked_one_by_one() {
        let lens = |buffers: Buffers, count| {
            buffers.with(count, |slices| {
                Ok::<Vec<usize>, Failure>(slices.iter().map(|slice| slice.len()).collect())
            })
        };
        let wrong = |buffers: Buffers, count| lens(buffers, count).unwrap_err().text;
        assert!(lens(Buffers(ptr::null()), 0).unwrap().is_empty());
        assert_eq!(wrong(Buffers(ptr::null()), 2), "argument `buffers` is NULL, but `count` is 2");
        let bytes = [1u8, 2, 3];
        let buffer = |len| sio_buffer { data: bytes.as_ptr().cast(), len };
        let none = |len| sio_buffer { data: ptr::null(), len };
        let good: Vec<_> =
            (0..20).map(|n| if n % 4 == 3 { none(0) } else { buffer(n % 4) }).collect();
        for count in 1..20 {
            let expected: Vec<_> = (0..count).map(|n| if n % 4 == 3 { 0 } else { n % 4 }).collect();
            assert_eq!(lens(Buffers(good.as_ptr()), count).unwrap(), expected);
        }
        assert!(wrong(Buffers(good.as_ptr()), usize::MAX).contains("argument `count` is"));
        let bad = [buffer(3), none(7)];
        assert!(wrong(Buffers(bad.as_ptr()), 2).contains("argument `buffers[1]` has no data"));
        let bad = [buffer(usize::MAX)];
        assert!(wrong(Buffers(bad.as_ptr()), 1).contains("argument `buffers[0]` has a `len`"));
    }
}

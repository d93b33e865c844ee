//! Versions, and the statuses with their names and texts.
//!
//! Owns the constants of C for what other modules have as enums; tests hold the two together.

use std::ffi::{CString, c_char, c_int};
use std::sync::LazyLock;

use super::support::fence_value;
use crate::error::Status;

pub use sio_status::SIO_OK as OK;

/// What a function that returns `int` answers. Zero is success; every other
/// value is negative. A value never changes its meaning; new ones may be added,
/// so treat a value you do not know as a failure.
///
/// TIMEOUT and INTERRUPTED of emit, call, flush, receive and result are outcomes
/// rather than faults: they leave the text of sio_client_error() as it was. Every
/// other failure sets it.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum sio_status {
    /// Success.
    SIO_OK = 0,
    /// The time allowed ran out; with a timeout of 0: not ready yet.
    SIO_E_TIMEOUT = -1,
    /// sio_client_interrupt() ended the wait.
    SIO_E_INTERRUPTED = -2,
    /// The connection that this needed is not there, or was lost before the
    /// answer came. From sio_client_receive() it is for good; after any other
    /// call ask sio_client_state(). The text says why the connection ended.
    SIO_E_DISCONNECTED = -3,
    /// An argument is NULL, not UTF-8, not JSON, or out of range; the text names
    /// it, and for text the byte, counted from 0.
    SIO_E_INVALID = -4,
    /// Not allowed now: connecting twice, answering twice, waiting inside a
    /// callback, use after fork().
    SIO_E_STATE = -5,
    /// The server could not be reached: name lookup, TCP, or an HTTP status
    /// other than success. Also a prepare function that did not return 0.
    SIO_E_UNREACHABLE = -6,
    /// The TLS handshake failed, or the server's certificate is not trusted.
    SIO_E_TLS = -7,
    /// The server refused the namespace; sio_client_error_json() has what it sent.
    SIO_E_REFUSED = -8,
    /// The server broke the Engine.IO or Socket.IO protocol.
    SIO_E_PROTOCOL = -9,
    /// A message is larger than the server's limit, or than the
    /// "max_message_bytes" option.
    SIO_E_TOO_LARGE = -10,
    /// The operating system refused a thread, a descriptor or a socket.
    SIO_E_SYSTEM = -11,
    /// Not available: no such option in this version of the library, something
    /// that the option asks for and this version lacks, or no such thing on this
    /// platform.
    SIO_E_UNSUPPORTED = -12,
    /// A defect in the library; the client is disconnected. Please report it.
    SIO_E_INTERNAL = -13,
    /// The receive queue is full and reading is paused, so the answer could not
    /// arrive in time: receive what is waiting. See the "receive_overflow" option.
    SIO_E_FULL = -14,
}

/// The library's version, "1.2.3". Never NULL, never freed.
#[unsafe(no_mangle)]
pub extern "C" fn sio_version() -> *const c_char {
    fence_value((), (), c"".as_ptr(), |(), ()| TEXTS.version.as_ptr())
}

/// The library's version as a number, made like SIO_VERSION_NUMBER. A program
/// that compares the two learns whether the library it runs with is older than
/// the header it was built with.
#[unsafe(no_mangle)]
pub extern "C" fn sio_version_number() -> u32 {
    fence_value((), (), 0, |(), ()| VERSION_NUMBER)
}

/// The name of a status, such as "SIO_E_TIMEOUT", or "unknown". Never NULL, never
/// freed.
#[unsafe(no_mangle)]
pub extern "C" fn sio_status_name(status: c_int) -> *const c_char {
    fence_value((), (), c"".as_ptr(), |(), ()| TEXTS.of(status).0.as_ptr())
}

/// A short English text for a status, such as "the time allowed ran out".
/// Never NULL, never freed. sio_client_error() tells more about one failure.
#[unsafe(no_mangle)]
pub extern "C" fn sio_status_text(status: c_int) -> *const c_char {
    fence_value((), (), c"".as_ptr(), |(), ()| TEXTS.of(status).1.as_ptr())
}

const VERSION_NUMBER: u32 = number(env!("CARGO_PKG_VERSION_MAJOR")) << 16
    | number(env!("CARGO_PKG_VERSION_MINOR")) << 8
    | number(env!("CARGO_PKG_VERSION_PATCH"));

const fn number(digits: &str) -> u32 {
    match u32::from_str_radix(digits, 10) {
        Ok(number) if number < 256 => number,
        _ => panic!("each part of the version has to fit a byte"),
    }
}

/// The texts with the NUL that C wants.
struct Texts {
    version: CString,
    unknown: (CString, CString),
    ok: (CString, CString),
    /// In the order of the statuses.
    failures: Vec<(CString, CString)>,
}

static TEXTS: LazyLock<Texts> = LazyLock::new(|| Texts {
    version: c_text(env!("CARGO_PKG_VERSION")),
    unknown: (c_text("unknown"), c_text("a status that this version of the library has not")),
    ok: (c_text("SIO_OK"), c_text("success")),
    failures: Status::ALL.map(|status| (c_text(status.name()), c_text(status.text()))).into(),
});

impl Texts {
    fn of(&self, status: c_int) -> &(CString, CString) {
        if status == OK as c_int {
            return &self.ok;
        }
        let position = Status::ALL.iter().position(|&known| known as c_int == status);
        position.and_then(|index| self.failures.get(index)).unwrap_or(&self.unknown)
    }
}

fn c_text(text: &str) -> CString {
    // The texts are constants without a NUL; were there one, an empty text would do no harm.
    CString::new(text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use sio_status::*;

    #[test]
    fn the_statuses_of_c_are_those_of_the_crate() {
        let of_c = [
            SIO_E_TIMEOUT,
            SIO_E_INTERRUPTED,
            SIO_E_DISCONNECTED,
            SIO_E_INVALID,
            SIO_E_STATE,
            SIO_E_UNREACHABLE,
            SIO_E_TLS,
            SIO_E_REFUSED,
            SIO_E_PROTOCOL,
            SIO_E_TOO_LARGE,
            SIO_E_SYSTEM,
            SIO_E_UNSUPPORTED,
            SIO_E_INTERNAL,
            SIO_E_FULL,
        ];
        assert_eq!(of_c.len(), Status::ALL.len());
        for (of_c, status) in of_c.into_iter().zip(Status::ALL) {
            assert_eq!(of_c as c_int, status as c_int);
            assert_eq!(format!("{of_c:?}"), status.name());
            assert_eq!(TEXTS.of(of_c as c_int).0.to_str().unwrap(), status.name());
            assert_eq!(TEXTS.of(of_c as c_int).1.to_str().unwrap(), status.text());
        }
        assert_eq!(TEXTS.of(0).0.as_c_str(), c"SIO_OK");
        assert_eq!(TEXTS.of(1).0.as_c_str(), c"unknown");
        assert_eq!(TEXTS.of(c_int::MIN).0.as_c_str(), c"unknown");
    }
}

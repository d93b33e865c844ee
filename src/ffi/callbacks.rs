//! The functions that the program gives, as C gives them.
//!
//! Owns their types, and what lies between one of them and the Rust closure that the rest of the
//! library calls. Refuses to know when they are called.

use std::ffi::{c_char, c_int, c_void};
use std::marker::PhantomData;

use super::handle::{ClientPtr, sio_client};
use crate::log::{Level, Sink};
use crate::prepare;
use crate::ready;

/// What the program wants to get back with each call of its function; nothing here looks at it.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct User(*mut c_void);

/// Receives one line of the log. `line` is valid during the call only.
pub type sio_log_fn =
    Option<unsafe extern "C" fn(user: *mut c_void, level: c_int, line: *const c_char)>;

/// A function of the program's with what it gets.
pub(super) struct LogReceiver {
    function: unsafe extern "C" fn(*mut c_void, c_int, *const c_char),
    user: User,
    /// It is called by one thread at a time, not by several at once.
    one_at_a_time: PhantomData<*const ()>,
}

// SAFETY: the header says that the function is called on any thread, once at a time.
unsafe impl Send for LogReceiver {}

impl LogReceiver {
    /// None if the program gave no function.
    pub(super) fn new(function: sio_log_fn, user: User) -> Option<Self> {
        Some(LogReceiver { function: function?, user, one_at_a_time: PhantomData })
    }

    /// The same as the log takes it.
    pub(super) fn into_sink(self) -> Sink {
        Box::new(move |level, line| self.call(level, line))
    }

    fn call(&self, level: Level, line: &str) {
        let mut text = Vec::with_capacity(line.len() + 1);
        text.extend_from_slice(line.as_bytes());
        text.push(0);
        // SAFETY: `function` and `user` were given for this by the program, which keeps both valid
        // until the function is removed. The line ends in NUL.
        unsafe { (self.function)(self.user.0, level as c_int, text.as_ptr().cast()) };
    }
}

/// Called before a connection attempt. Returns 0 to go on.
pub type sio_prepare_fn =
    Option<unsafe extern "C" fn(user: *mut c_void, client: *mut sio_client) -> c_int>;

/// A function of the program's that goes before an attempt, with what it gets.
pub(super) struct PrepareCaller {
    function: unsafe extern "C" fn(*mut c_void, *mut sio_client) -> c_int,
    user: User,
    client: ClientPtr,
}

// SAFETY: the header says that the function is called on a thread of the library, once at a time.
unsafe impl Send for PrepareCaller {}

// SAFETY: the preparer, which is given it, calls it once at a time.
unsafe impl Sync for PrepareCaller {}

impl PrepareCaller {
    /// None if the program gave no function.
    pub(super) fn new(function: sio_prepare_fn, user: User, client: ClientPtr) -> Option<Self> {
        Some(PrepareCaller { function: function?, user, client })
    }

    /// The same as the client takes it.
    pub(super) fn into_function(self) -> prepare::Function {
        Box::new(move || self.call())
    }

    fn call(&self) -> c_int {
        // SAFETY: `function` and `user` were given for this by the program, which keeps both valid
        // until the function is removed. The client is the one that calls; its memory is there
        // until the function has returned, because whoever frees it waits for that.
        unsafe { (self.function)(self.user.0, self.client.as_given()) }
    }
}

/// Called when something is ready to be taken from the client.
pub type sio_wakeup_fn = Option<unsafe extern "C" fn(user: *mut c_void)>;

/// A function of the program's that wakes its event loop, with what it gets.
pub(super) struct WakeupCaller {
    function: unsafe extern "C" fn(*mut c_void),
    user: User,
}

// SAFETY: the header says that the function is called on any thread, once at a time.
unsafe impl Send for WakeupCaller {}

// SAFETY: `Ready`, which is given it, calls it once at a time.
unsafe impl Sync for WakeupCaller {}

impl WakeupCaller {
    /// None if the program gave no function.
    pub(super) fn new(function: sio_wakeup_fn, user: User) -> Option<Self> {
        Some(WakeupCaller { function: function?, user })
    }

    /// The same as the client takes it.
    pub(super) fn into_function(self) -> ready::Function {
        Box::new(move || self.call())
    }

    fn call(&self) {
        // SAFETY: `function` and `user` were given for this by the program, which keeps both valid
        // until the function is removed.
        unsafe { (self.function)(self.user.0) }
    }
}

//! The client as C holds it, and its end.
//!
//! Owns the memory behind `sio_client *`, the count of the calls that are inside, and the order of
//! things when it is freed. Refuses to know what the calls do.

use std::ops::Deref;

use super::support::{Object, Reporter};
use crate::callback;
use crate::client::Client;
use crate::error::{Failure, Status};
use crate::sys;
use crate::turnstile::{Inside, Turnstile};

/// A client: one connection to one namespace of one server.
pub struct sio_client {
    client: Client,
    calls: Turnstile,
}

impl sio_client {
    pub(super) fn new(client: Client) -> *mut sio_client {
        Box::into_raw(Box::new(sio_client { client, calls: Turnstile::new() }))
    }

    fn enter(&self) -> Entered<'_> {
        Entered { client: &self.client, _inside: self.calls.enter() }
    }
}

/// A client as an argument. What C gives is NULL, or a client that it has not begun to free.
#[repr(transparent)]
#[derive(Clone, Copy)]
pub struct ClientPtr(*mut sio_client);

/// The same for functions that change nothing.
#[repr(transparent)]
pub struct ClientRef(*const sio_client);

/// A call that is inside a client.
pub struct Entered<'a> {
    client: &'a Client,
    _inside: Inside<'a>,
}

impl Deref for Entered<'_> {
    type Target = Client;

    fn deref(&self) -> &Client {
        self.client
    }
}

impl Object for ClientPtr {
    type Inside = Client;
    type Entered<'a> = Entered<'a>;

    fn enter(&self) -> Option<Entered<'_>> {
        ClientRef(self.0).entered()
    }
}

impl Object for ClientRef {
    type Inside = Client;
    type Entered<'a> = Entered<'a>;

    fn enter(&self) -> Option<Entered<'_>> {
        self.entered()
    }
}

impl ClientRef {
    fn entered<'a>(&self) -> Option<Entered<'a>> {
        // SAFETY: a pointer that is not NULL is one that `sio_client::new` gave. Its memory goes
        // when all who have entered have left, and C begins no call after it has freed it.
        unsafe { self.0.as_ref() }.map(sio_client::enter)
    }
}

impl Reporter for Client {
    fn note(&self, failure: Failure) -> Status {
        self.fail(failure)
    }

    fn panicked(&self) {
        Client::panicked(self);
    }
}

impl ClientPtr {
    /// The pointer itself, for the program's functions that are told which client calls them.
    pub(super) fn as_given(self) -> *mut sio_client {
        self.0
    }

    /// Ends the client and gives back its memory.
    ///
    /// Inside a callback nothing that the callback itself holds up may be waited for: not the
    /// call, or the client's thread, that runs the callback, and not another callback that may be
    /// freeing the client of this one. Then another thread waits.
    pub(super) fn free(self) {
        let Some(ended) = Ended::new(self) else { return };
        let handle = ended.handle();
        if !handle.client.is_ours() {
            // Those who were inside exist in the parent process only.
            return ended.release();
        }
        if callback::inside() {
            let own = handle.client.is_calling_here();
            let silent = handle.client.set_log(None).is_ok();
            let idle = handle.client.set_prepare(None).is_ok();
            let quiet = handle.client.set_wakeup(None).is_ok();
            if own || !silent || !idle || !quiet {
                handle.client.begin_close();
                // Without a thread the memory stays, but nothing else does.
                let _ = sys::spawn_quiet("sio free", move || ended.finish());
                return;
            }
        }
        ended.finish();
    }
}

/// A client that is being freed, and owned by whoever does it.
struct Ended(*mut sio_client);

// SAFETY: the client is made to be used from all threads, and only one owns this.
unsafe impl Send for Ended {}

impl Ended {
    fn new(client: ClientPtr) -> Option<Self> {
        if client.0.is_null() { None } else { Some(Ended(client.0)) }
    }

    fn handle(&self) -> &sio_client {
        // SAFETY: the pointer came from `sio_client::new`, and C frees it once, so that the memory
        // is there until `release`.
        unsafe { &*self.0 }
    }

    fn finish(self) {
        let handle = self.handle();
        handle.client.close();
        handle.calls.wait_until_empty();
        // Last, so that the program hears what was lost; messages that live on log no more.
        let _ = handle.client.set_log(None);
        self.release();
    }

    fn release(self) {
        // SAFETY: the pointer came from `sio_client::new`, nobody is inside, and nobody will be.
        drop(unsafe { Box::from_raw(self.0) });
    }
}

//! The sending side of a socket, as callers and the driver share it.
//!
//! Owns non-blocking writes, which both may try; that only one does at a time is the outbox's
//! care. Refuses to know what the bytes mean.

#![forbid(unsafe_code)]

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::net::tcp::OwnedWriteHalf;

/// See the module's text.
#[derive(Clone, Debug)]
pub struct Wire(Arc<OwnedWriteHalf>);

impl Wire {
    /// The wire of a connected socket.
    pub fn new(half: OwnedWriteHalf) -> Self {
        Wire(Arc::new(half))
    }

    /// Hands as many bytes to the system as it takes without waiting. On Linux this is send()
    /// with MSG_NOSIGNAL: no SIGPIPE, in whatever program the library runs.
    pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = 0;
        while written < bytes.len() {
            match self.0.try_write(&bytes[written..]) {
                Ok(0) => break,
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
                Err(_) if written > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(written)
    }

    /// Whether more can be written; for the driver alone, which is woken when it can.
    pub fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.as_ref().as_ref().poll_write_ready(context)
    }

    /// Shuts down the sending side.
    pub fn shutdown(&self) {
        use std::os::fd::AsFd;
        // A socket that is gone already needs no shutting down.
        let _ = crate::sys::shutdown_write(self.0.as_ref().as_ref().as_fd());
    }
}

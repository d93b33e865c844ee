//! A connected stream of bytes to the server, as callers and the driver share it.
//!
//! Owns the socket and, over TLS, what turns bytes into records and back. Reads and writes never
//! wait; that only one writes at a time is the outbox's care. Refuses to know what the bytes mean.

#![forbid(unsafe_code)]

use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use crate::net::tls::channel::{Arrived, Channel};

/// A connected byte stream to the server: TCP, or TLS over it. Clones share the socket; any
/// thread may write, the driver alone reads and waits.
#[derive(Clone)]
pub struct Stream(Arc<Inner>);

struct Inner {
    /// The driver's alone, so that nobody ever waits for this lock.
    reader: Mutex<Reader>,
    writer: OwnedWriteHalf,
    /// Locked for as long as it takes to seal or open what is there, never across waiting.
    tls: Option<Box<Mutex<Channel>>>,
}

struct Reader {
    half: OwnedReadHalf,
    /// Records as they came; used over TLS only.
    arrived: Arrived,
}

impl Stream {
    /// A connected socket without TLS.
    pub fn plain(tcp: TcpStream) -> Self {
        Self::new(tcp, None)
    }

    /// A connected socket over which the TLS handshake is done.
    pub(super) fn tls(tcp: TcpStream, channel: Channel) -> Self {
        Self::new(tcp, Some(Box::new(Mutex::new(channel))))
    }

    fn new(tcp: TcpStream, tls: Option<Box<Mutex<Channel>>>) -> Self {
        let (half, writer) = tcp.into_split();
        let reader = Mutex::new(Reader { half, arrived: Arrived::default() });
        Stream(Arc::new(Inner { reader, writer, tls }))
    }

    /// Reads what is there, at most as much as `buf` (which is not empty) has room for; 0 is the
    /// end. Wakes the task of `context` when there is something. For the driver alone.
    ///
    /// A TLS connection that ends without saying so is an end too: many servers do that, and the
    /// framing above knows what is cut off.
    ///
    /// # Errors
    ///
    /// What the socket says; [`tls::failure_of`](super::tls::failure_of) tells what TLS says.
    pub fn poll_read(&self, context: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        // By this way and not by readiness and try_read(), the runtime knows after a short read
        // that nothing is left and saves the system call that would say so.
        self.read_by(buf, |half, space| {
            let mut space = ReadBuf::new(space);
            Pin::new(half).poll_read(context, &mut space).map_ok(|()| space.filled().len())
        })
    }

    /// As [`poll_read`](Self::poll_read), without a wake.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::WouldBlock`] if nothing is there, which can come without a system call.
    pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.read_by(buf, |half, space| match half.try_read(space) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Poll::Pending,
            read => Poll::Ready(read),
        });
        match read {
            Poll::Ready(read) => read,
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// Hands as many bytes to the system as it takes without waiting, also none, and says how
    /// many. On Linux this is send() with MSG_NOSIGNAL: no SIGPIPE, in whatever program the
    /// library runs.
    ///
    /// Over TLS a byte counts as written when all of its record is with the system: before that
    /// the server cannot have it. Hence bytes that were given and not reported have to be given
    /// again, by whoever writes next, or nothing may be written any more.
    ///
    /// # Errors
    ///
    /// Nothing was written, and nothing will be.
    pub fn try_write(&self, bytes: &[u8]) -> io::Result<usize> {
        match &self.0.tls {
            None => self.0.hand_over(bytes),
            Some(tls) => lock(tls)?.write(bytes, |records| self.0.hand_over(records)),
        }
    }

    /// Whether more can be written; for the driver alone, which is woken when it can.
    ///
    /// # Errors
    ///
    /// The runtime is ending.
    pub fn poll_writable(&self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.socket().poll_write_ready(context)
    }

    /// Ends the sending side. Over TLS the server is told first, as far as that goes without
    /// waiting and unless a record is half written: its rest would bring the server bytes that
    /// were reported as not written.
    pub fn shutdown(&self) {
        if let Some(Ok(mut channel)) = self.0.tls.as_deref().map(lock) {
            channel.close(|records| self.0.hand_over(records));
        }
        // A socket that is gone already needs no shutting down.
        let _ = crate::sys::shutdown_write(self.0.socket().as_fd());
    }

    /// The number of the socket. It stays open while a clone lives.
    pub fn descriptor(&self) -> RawFd {
        self.0.socket().as_raw_fd()
    }

    /// For a connection over which nothing is expected: ready when the server has closed it, or
    /// has sent something nonetheless. Nothing may be read from it after that.
    pub fn poll_unusable(&self, context: &mut Context<'_>) -> Poll<()> {
        // What is of TLS alone, such as a ticket for a later connection, is taken on the way.
        self.poll_read(context, &mut [0]).map(drop)
    }

    /// For a connection that is quiet: gives back what only a busy one needs. For the driver alone.
    pub fn rest(&self) {
        // After a panic the next read says so.
        if let Ok(mut reader) = self.0.reader.lock() {
            reader.arrived.rest();
        }
    }

    /// Whether bytes or the end have come of which the runtime may not have heard yet.
    pub fn has_news(&self) -> bool {
        crate::sys::is_readable(self.0.socket().as_fd())
    }

    /// The socket, for what tests want to know of it.
    #[cfg(test)]
    pub(super) fn socket(&self) -> &TcpStream {
        self.0.socket()
    }

    /// Reads with `take`, which reads from the socket.
    #[inline]
    fn read_by(
        &self,
        buf: &mut [u8],
        mut take: impl FnMut(&mut OwnedReadHalf, &mut [u8]) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let reader = &mut *lock(&self.0.reader)?;
        let Some(tls) = &self.0.tls else { return take(&mut reader.half, buf) };
        loop {
            let mut channel = lock(tls)?;
            let opened = channel.read(&mut reader.arrived, buf);
            channel.send_own(|records| self.0.hand_over(records));
            if let Some(count) = opened? {
                return Poll::Ready(Ok(count));
            }
            drop(channel);
            match take(&mut reader.half, reader.arrived.space()) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(count)) if count > 0 => reader.arrived.advance(count),
                Poll::Ready(end) => return Poll::Ready(lock(tls)?.ended(end)),
            }
        }
    }
}

impl fmt::Debug for Stream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.0.tls.is_some() { "TLS" } else { "TCP" };
        write!(f, "Stream({kind}, descriptor {})", self.descriptor())
    }
}

impl Inner {
    fn socket(&self) -> &TcpStream {
        self.writer.as_ref()
    }

    /// Writes to the socket.
    fn hand_over(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = 0;
        while written < bytes.len() {
            match self.socket().try_write(&bytes[written..]) {
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
}

/// Locks; a connection in whose midst a thread has panicked is one that failed.
fn lock<T>(mutex: &Mutex<T>) -> io::Result<MutexGuard<'_, T>> {
    mutex.lock().map_err(|_| io::Error::other("a defect in the library broke the connection"))
}

#[cfg(test)]
mod tests;

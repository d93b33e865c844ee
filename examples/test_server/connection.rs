//! One TCP connection, seen from the side.
//!
//! Owns: whether the socket takes what is written to it, and the way to cut it. socketioxide shows
//! neither to a handler: its channel says only whether it is full, and nothing closes an engine.

use std::io;
use std::net::Shutdown;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// What handlers may know and do about the socket below them.
#[derive(Debug)]
pub(crate) struct Connection {
    stalled: AtomicBool,
    /// Gone with the stream: a second descriptor of a socket keeps it open.
    handle: Mutex<Option<std::net::TcpStream>>,
}

impl Connection {
    /// Waits until all that was sent before has been taken by the socket, or `alive` says no.
    pub(crate) async fn drained(&self, alive: impl Fn() -> bool) {
        // The writer's task runs during the yield. It empties its channel, or stops at a socket that
        // takes no more.
        tokio::task::yield_now().await;
        while self.stalled.load(Ordering::Relaxed) && alive() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Ends the connection without a word of the protocols above.
    pub(crate) fn cut(&self) {
        if let Some(handle) = self.take() {
            // It fails only if the other side was faster.
            let _ = handle.shutdown(Shutdown::Both);
        }
    }

    fn take(&self) -> Option<std::net::TcpStream> {
        self.handle.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.connection.take();
    }
}

/// The stream that hyper and socketioxide use.
pub(crate) struct Watched {
    inner: TcpStream,
    connection: Arc<Connection>,
}

impl Watched {
    pub(crate) fn new(stream: TcpStream) -> io::Result<(Self, Arc<Connection>)> {
        let stream = stream.into_std()?;
        let handle = stream.try_clone()?;
        let handle = Mutex::new(Some(handle));
        let connection = Arc::new(Connection { stalled: AtomicBool::new(false), handle });
        let inner = TcpStream::from_std(stream)?;
        Ok((Watched { inner, connection: connection.clone() }, connection))
    }

    fn note<T>(&self, result: Poll<T>) -> Poll<T> {
        self.connection.stalled.store(result.is_pending(), Ordering::Relaxed);
        result
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl AsyncWrite for Watched {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write(cx, buf);
        self.note(result)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

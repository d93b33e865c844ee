//! A TLS connection after its handshake, as bytes to records and back.
//!
//! Owns the records on their way out and what is known of the bytes in them. Refuses to know the
//! socket: it is handed what came and a way to send.

#![forbid(unsafe_code)]

use std::io::{self, Read, Write};

use rustls::{ClientConnection, SupportedCipherSuite};

use super::words::{Peer, TlsError};

/// See the module's text.
pub(in crate::net) struct Channel {
    connection: ClientConnection,
    peer: Peer,
    /// Records that the system has not taken whole, from their first byte on.
    records: Vec<u8>,
    /// How many bytes of records there ever were, and how many of them the system has.
    made: u64,
    sent: u64,
    /// Bytes of the next write that are in a record already, and where that record ends.
    sealed: usize,
    sealed_until: u64,
    /// How many more records may be made with keys that cannot be changed.
    seals_left: u64,
    /// Whether the server has sent anything but its handshake.
    heard: bool,
    /// What came was no TLS.
    failed: Option<rustls::Error>,
}

/// Bytes from the socket that are not opened yet.
#[derive(Default)]
pub(in crate::net) struct Arrived {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
    /// A read has filled the room that there was for it.
    is_busy: bool,
}

impl Channel {
    /// Takes over a connection whose handshake is done.
    pub(super) fn new(connection: ClientConnection, peer: Peer) -> Self {
        let seals_left = match connection.negotiated_cipher_suite() {
            // What must go out unasked, such as the end, needs a few of them too.
            Some(SupportedCipherSuite::Tls12(suite)) => {
                suite.common.confidentiality_limit.saturating_sub(RESERVED_SEALS)
            }
            // TLS 1.3 changes its keys in time.
            _ => u64::MAX,
        };
        Channel {
            connection,
            peer,
            records: Vec::new(),
            made: 0,
            sent: 0,
            sealed: 0,
            sealed_until: 0,
            seals_left,
            heard: false,
            failed: None,
        }
    }

    /// Writes as much as `send` takes; see [`Stream::try_write`](crate::net::stream::Stream::try_write).
    pub(in crate::net) fn write(
        &mut self,
        bytes: &[u8],
        mut send: impl FnMut(&[u8]) -> io::Result<usize>,
    ) -> io::Result<usize> {
        let mut written = 0;
        loop {
            let step = self.send(&mut send);
            if self.sent >= self.sealed_until {
                written += std::mem::take(&mut self.sealed);
            }
            let rest = bytes.get(written..).unwrap_or_default();
            let step = match step {
                Ok(true) if rest.is_empty() => return Ok(written),
                Ok(true) => self.seal(rest),
                Ok(false) => return Ok(written),
                Err(error) => Err(error),
            };
            match step {
                Ok(()) => (),
                Err(_) if written > 0 => return Ok(written),
                Err(error) => return Err(error),
            }
        }
    }

    /// Opens what has arrived; None if that is too little for a single byte, 0 at the end.
    pub(in crate::net) fn read(
        &mut self,
        arrived: &mut Arrived,
        buf: &mut [u8],
    ) -> io::Result<Option<usize>> {
        let mut count = 0;
        while count < buf.len() {
            match self.connection.reader().read(&mut buf[count..]) {
                // The server has said that it is at its end.
                Ok(0) => return Ok(Some(count)),
                Ok(more) => {
                    self.heard = true;
                    count += more;
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => (),
                Err(error) => return Err(error),
            }
            if let (Some(error), 0) = (&self.failed, count) {
                return Err(TlsError::of(error, &self.peer).into());
            }
            if self.failed.is_some() || arrived.is_empty() {
                break;
            }
            // A few kilobytes at a time; all that was opened before has been taken.
            let taken = self.connection.read_tls(&mut arrived.unread())?;
            arrived.start += taken;
            self.failed = self.connection.process_new_packets().err();
            if taken == 0 && self.failed.is_none() {
                return Ok(Some(count));
            }
        }
        Ok((count > 0).then_some(count))
    }

    /// What an end of the socket means, orderly or not. A server that asked for a certificate
    /// and then ends without a word did not like what it got; few say so.
    pub(in crate::net) fn ended(&self, end: io::Result<usize>) -> io::Result<usize> {
        match end {
            Ok(_) if !self.heard && self.peer.asked() => Err(TlsError::refused(&self.peer).into()),
            Err(error) if !self.heard && self.peer.asked() && is_closed(&error) => {
                Err(TlsError::refused(&self.peer).into())
            }
            end => end,
        }
    }

    /// Sends what TLS wants to send by itself: alerts, new keys. What does not go now goes with
    /// the next bytes.
    pub(in crate::net) fn send_own(&mut self, send: impl FnMut(&[u8]) -> io::Result<usize>) {
        // A record that is half written ends with the bytes in it, and who writes those must
        // learn of it.
        if self.sealed == 0 && (self.connection.wants_write() || !self.records.is_empty()) {
            // A socket that fails says so to who reads or writes next.
            let _ = self.send(send);
        }
    }

    /// Says that nothing more will come.
    pub(in crate::net) fn close(&mut self, send: impl FnMut(&[u8]) -> io::Result<usize>) {
        if self.sealed == 0 {
            self.connection.send_close_notify();
            self.send_own(send);
        }
    }

    /// Puts the first of the bytes into a record.
    fn seal(&mut self, bytes: &[u8]) -> io::Result<()> {
        let start = self.records.len();
        let Some(left) = self.seals_left.checked_sub(1) else {
            return Err(TlsError::exhausted(&self.peer).into());
        };
        self.seals_left = left;
        let piece = &bytes[..bytes.len().min(MAX_RECORD)];
        self.sealed = self.connection.writer().write(piece)?;
        self.collect();
        // New keys may follow in a record of their own, so the length of the first counts.
        match self.records.get(start..) {
            Some([_, _, _, high, low, ..]) if self.sealed > 0 => {
                let length = HEADER + u64::from(u16::from_be_bytes([*high, *low]));
                self.sealed_until = self.made - (self.records.len() - start) as u64 + length;
                Ok(())
            }
            _ => Err(TlsError::exhausted(&self.peer).into()),
        }
    }

    /// Sends records; true if there is none left.
    fn send(&mut self, mut send: impl FnMut(&[u8]) -> io::Result<usize>) -> io::Result<bool> {
        self.collect();
        if self.records.is_empty() {
            return Ok(true);
        }
        let count = send(&self.records)?;
        self.sent += count as u64;
        self.records.drain(..count);
        Ok(self.records.is_empty())
    }

    /// Takes the records that TLS has made.
    fn collect(&mut self) {
        while self.connection.wants_write() {
            match self.connection.write_tls(&mut self.records) {
                Ok(count) => self.made += count as u64,
                // A vector takes everything.
                Err(_) => return,
            }
        }
    }
}

impl Arrived {
    /// Where the next bytes go.
    pub(in crate::net) fn space(&mut self) -> &mut [u8] {
        if self.is_empty() {
            (self.start, self.end) = (0, 0);
        } else if self.start > 0 {
            self.bytes.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        let space = if self.is_busy { SPACE } else { FIRST_SPACE };
        if self.bytes.len() < self.end + space {
            self.bytes.resize(self.end + space, 0);
        }
        &mut self.bytes[self.end..]
    }

    /// So many bytes have come into [`space`](Self::space).
    pub(in crate::net) fn advance(&mut self, count: usize) {
        self.end += count;
        self.is_busy |= self.end == self.bytes.len();
    }

    /// For a connection that is quiet: gives back what only a busy one needs.
    pub(in crate::net) fn rest(&mut self) {
        if self.is_empty() {
            self.is_busy = false;
            if self.bytes.len() > FIRST_SPACE {
                *self = Self::default();
            }
        }
    }

    fn is_empty(&self) -> bool {
        self.start == self.end
    }

    fn unread(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }
}

/// Whether the other side closed the connection without reading all that was sent.
pub(super) fn is_closed(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset
            | io::ErrorKind::BrokenPipe
            | io::ErrorKind::ConnectionAborted
    )
}

/// The most bytes that one record holds (RFC 8446, section 5.1), and the length of its header.
const MAX_RECORD: usize = 1 << 14;
const HEADER: u64 = 5;

/// Records for which keys that cannot be changed must last beside the bytes.
const RESERVED_SEALS: u64 = 64;

/// How much is read from the socket at once: two records, once a read has filled the room that an
/// idle connection has.
const FIRST_SPACE: usize = 2 * 1024;
const SPACE: usize = 2 * (MAX_RECORD + 256);

#[cfg(test)]
mod tests;

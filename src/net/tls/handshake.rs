//! The TLS handshake on a connected socket.
//!
//! Owns the exchange up to the point where both sides have keys. Refuses to know deadlines:
//! whoever drops the future has given up.

#![forbid(unsafe_code)]

use std::io::{self, Read, Write};
use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, InvalidMessage};
use tokio::net::TcpStream;

use super::channel::{Channel, is_closed};
use super::load::Credentials;
use super::words::{Peer, TlsError};
use crate::error::{Failure, Phase, Status};
use crate::net::stream::Stream;

/// Secures a connection to `host`; `target` names it in texts.
///
/// # Errors
///
/// [`Status::Tls`], with a text that says which check failed.
pub(in crate::net) async fn handshake(
    tcp: TcpStream,
    host: &str,
    target: String,
    credentials: &Credentials,
) -> Result<Stream, Failure> {
    let peer = Peer { target, identity: Arc::clone(&credentials.identity) };
    let name = ServerName::try_from(host.to_owned()).map_err(|_| {
        let text = format!("{host:?} is no name that a certificate could be for");
        Failure::new(Status::Tls, text).in_phase(Phase::Tls)
    })?;
    let mut connection = ClientConnection::new(Arc::clone(&credentials.config), name)
        .map_err(|error| failure(TlsError::of(&error, &peer), None))?;
    let mut socket = Socket { tcp: &tcp, heard: Vec::new() };
    while connection.is_handshaking() {
        step(&mut connection, &mut socket, &peer).await?;
    }
    flush(&mut connection, &mut socket).await.map_err(|error| lost(&peer, &socket, &error))?;
    Ok(Stream::tls(tcp, Channel::new(connection, peer)))
}

/// Sends what there is to send, and takes in what comes next.
async fn step(
    connection: &mut ClientConnection,
    socket: &mut Socket<'_>,
    peer: &Peer,
) -> Result<(), Failure> {
    let flushed = flush(connection, socket).await;
    loop {
        match connection.read_tls(socket) {
            // The server's last words tell more than that nothing can be sent any more.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => match flushed {
                Ok(()) => {
                    socket.tcp.readable().await.map_err(|error| lost(peer, socket, &error))?;
                }
                Err(error) => return Err(lost(peer, socket, &error)),
            },
            Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
            Err(error) => return Err(lost(peer, socket, &error)),
            Ok(0) => return Err(failure(TlsError::closed(peer, !socket.heard.is_empty()), None)),
            Ok(_) => break,
        }
    }
    let Err(error) = connection.process_new_packets() else { return Ok(()) };
    // The server is told why, if it listens.
    let _ = connection.write_tls(socket);
    Err(match error {
        // No kind of record has such a first byte.
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)
            if socket.heard.first().is_some_and(|first| !(20..=24).contains(first)) =>
        {
            failure(TlsError::not_tls(peer, &socket.heard), None)
        }
        error => failure(TlsError::of(&error, peer), None),
    })
}

async fn flush(connection: &mut ClientConnection, socket: &mut Socket<'_>) -> io::Result<()> {
    while connection.wants_write() {
        match connection.write_tls(socket) {
            Ok(_) => (),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                socket.tcp.writable().await?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => (),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The failure of a socket that ended in the handshake.
fn lost(peer: &Peer, socket: &Socket<'_>, error: &io::Error) -> Failure {
    if is_closed(error) {
        return failure(TlsError::closed(peer, !socket.heard.is_empty()), Some(error));
    }
    let text = format!("the connection to {} failed in the TLS handshake: {error}", peer.target);
    let mut failure = Failure::new(Status::Unreachable, text).in_phase(Phase::Tls);
    failure.details.os_error = error.raw_os_error();
    failure
}

fn failure(error: TlsError, cause: Option<&io::Error>) -> Failure {
    let mut failure = Failure::new(Status::Tls, error.to_string()).in_phase(Phase::Tls);
    failure.details.os_error = cause.and_then(io::Error::raw_os_error);
    failure
}

/// The socket as rustls sees it, which remembers what the server said first.
struct Socket<'a> {
    tcp: &'a TcpStream,
    heard: Vec<u8>,
}

impl Read for Socket<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.tcp.try_read(buf)?;
        let room = FIRST_WORDS.saturating_sub(self.heard.len());
        self.heard.extend_from_slice(&buf[..count.min(room)]);
        Ok(count)
    }
}

impl Write for Socket<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.tcp.try_write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// As much of the server's first words as tells HTTP from TLS.
const FIRST_WORDS: usize = 8;

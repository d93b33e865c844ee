//! How bytes are carried between a client that speaks TLS and a server that does not.
//!
//! Owns: one connection. It waits in `poll`, so that both directions go on in one thread and one
//! `ServerConnection` needs no lock.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsRawFd;

use rustls::ServerConnection;

use super::{Seen, Silent};

/// So much waits for the server before nothing more is read from the client.
const WAITING: usize = 256 * 1024;

/// Reads what it has to, and then does nothing until the client ends the connection or the front is
/// dropped.
pub(super) fn fall_silent(mut client: &TcpStream, silent: Silent) {
    if silent == Silent::AfterHello {
        let mut hello = [0; 16384];
        // The end of the client is looked for below.
        let _ = client.read(&mut hello);
    }
    while wait(&[(client, 0)]).is_some_and(|ready| ready[0] & (libc::POLLHUP | libc::POLLERR) == 0)
    {
    }
}

/// Carries until one side ends. The error is the TLS connection's.
pub(super) fn carry(
    mut client: TcpStream,
    mut tls: ServerConnection,
    server: u16,
    note: impl Fn(Box<dyn FnOnce(&mut Seen)>),
) -> Result<(), String> {
    let text = |error: std::io::Error| error.to_string();
    client.set_nonblocking(true).map_err(text)?;
    // The server behind is met when the handshake is done, as a real front does it.
    let mut behind: Option<TcpStream> = None;
    // What the client sent and the server has not taken.
    let mut up: Vec<u8> = Vec::new();
    let (mut client_ended, mut server_ended) = (false, false);
    let mut chunk = vec![0; 16384];
    loop {
        // What there is to say to the client.
        while tls.wants_write() {
            match tls.write_tls(&mut client) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => return Err(text(error)),
            }
        }
        if server_ended && !tls.wants_write() {
            // A client that has more to say would be reset; it is read to its end.
            let _ = client.shutdown(Shutdown::Write);
            return drain(&mut client, &mut tls, &note);
        }
        // What there is to say to the server.
        if let Some(server) = &mut behind {
            while !up.is_empty() {
                match server.write(&up) {
                    Ok(count) => drop(up.drain(..count)),
                    Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                    Err(_) => return Ok(()),
                }
            }
            if client_ended && up.is_empty() {
                let _ = server.shutdown(Shutdown::Write);
            }
        }
        let mut client_events = if tls.wants_write() { libc::POLLOUT } else { 0 };
        if !client_ended && up.len() < WAITING {
            client_events |= libc::POLLIN;
        }
        let mut streams = vec![(&client, client_events)];
        if let Some(server) = &behind {
            let mut events = if up.is_empty() { 0 } else { libc::POLLOUT };
            // The client's pace is the server's.
            if !server_ended && !tls.wants_write() {
                events |= libc::POLLIN;
            }
            streams.push((server, events));
        }
        let Some(ready) = wait(&streams) else { return Err("poll failed".to_owned()) };
        let readable = |i: usize| ready.get(i).is_some_and(|r| r & !libc::POLLOUT != 0);
        if readable(0) && !client_ended {
            match tls.read_tls(&mut client) {
                Ok(0) => client_ended = true,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) => return Err(text(error)),
            }
            let state = match tls.process_new_packets() {
                Ok(state) => state,
                Err(error) => {
                    // The alert that tells the client.
                    let _ = tls.write_tls(&mut client);
                    return Err(error.to_string());
                }
            };
            let had = up.len();
            up.resize(had + state.plaintext_bytes_to_read(), 0);
            if let Err(error) = tls.reader().read_exact(&mut up[had..]) {
                return Err(text(error));
            }
            if state.peer_has_closed() {
                client_ended = true;
                note(Box::new(|seen| seen.said_goodbye = true));
            }
            if !tls.is_handshaking() && behind.is_none() {
                let stream = TcpStream::connect(("127.0.0.1", server)).map_err(text)?;
                stream.set_nonblocking(true).map_err(text)?;
                let _ = stream.set_nodelay(true);
                behind = Some(stream);
                let name = tls.server_name().map(str::to_owned);
                let certificate = tls.peer_certificates().is_some();
                let protocol = tls.alpn_protocol().map(|name| String::from_utf8_lossy(name).into());
                note(Box::new(move |seen| {
                    (seen.name, seen.protocol) = (name, protocol);
                    (seen.complete, seen.client_certificate) = (true, certificate);
                }));
            }
            if client_ended && behind.is_none() {
                return Err("the client ended the connection in the handshake".to_owned());
            }
        }
        if readable(1) {
            match behind.as_mut().map(|server| server.read(&mut chunk)) {
                Some(Ok(count @ 1..)) => tls.writer().write_all(&chunk[..count]).map_err(text)?,
                Some(Err(error)) if error.kind() == ErrorKind::WouldBlock => {}
                _ => {
                    server_ended = true;
                    tls.send_close_notify();
                }
            }
        }
    }
}

/// Reads what the client still says, until it ends.
fn drain(
    client: &mut TcpStream,
    tls: &mut ServerConnection,
    note: &impl Fn(Box<dyn FnOnce(&mut Seen)>),
) -> Result<(), String> {
    let mut bytes = Vec::new();
    loop {
        wait(&[(client, libc::POLLIN)]);
        match tls.read_tls(client) {
            Ok(1..) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => continue,
            Ok(0) | Err(_) => return Ok(()),
        }
        let Ok(state) = tls.process_new_packets() else { return Ok(()) };
        // Nobody is there to take it.
        bytes.resize(state.plaintext_bytes_to_read(), 0);
        let _ = tls.reader().read_exact(&mut bytes);
        if state.peer_has_closed() {
            note(Box::new(|seen| seen.said_goodbye = true));
            return Ok(());
        }
    }
}

fn wait(streams: &[(&TcpStream, libc::c_short)]) -> Option<Vec<libc::c_short>> {
    let mut polled: Vec<libc::pollfd> = streams
        .iter()
        .map(|(stream, events)| libc::pollfd {
            fd: stream.as_raw_fd(),
            events: *events,
            revents: 0,
        })
        .collect();
    // SAFETY: the descriptors are open while they are borrowed, and the length is the vector's.
    let count = unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, 1000) };
    (count >= 0).then(|| polled.iter().map(|one| one.revents).collect())
}

//! Conversations by websocket, from the beginning or after an upgrade.

use std::io::{ErrorKind, Result, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tungstenite::handshake::derive_accept_key;

use crate::Port;
use crate::floods::{self, Encoding, Flood};
use crate::frames::{self, Frame, Frames};
use crate::http;
use crate::polling::Session;
use crate::talk::{Reply, Talk};
use crate::wire::Wire;

struct Connection {
    wire: Wire,
    frames: Frames,
    /// What is written when all that was read is taken in.
    out: Vec<u8>,
    ping: Duration,
    pinged: Instant,
}

/// Answers the request with this head, and then all that follows on the connection.
pub fn serve(head: &str, mut wire: Wire, port: &Port) -> Result<()> {
    let accept =
        derive_accept_key(http::header(head, "sec-websocket-key").unwrap_or("").as_bytes());
    let response = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    wire.set_read_timeout(port.ping)?;
    let mut out = response.into_bytes();
    let session = http::sid(head).map(|sid| port.sessions.find(sid));
    if session.is_none() {
        frames::put(&mut out, frames::TEXT, &port.open_packet(port.sessions.new_sid()));
    }
    wire.write_all(&out)?;
    out.clear();
    let pinged = Instant::now();
    let mut connection = Connection { wire, frames: Frames::new(), out, ping: port.ping, pinged };
    match session {
        None => connection.converse(Talk::default()),
        // A session that is not known, or over, has nothing to upgrade.
        Some(None) => Ok(()),
        Some(Some(session)) => connection.upgrade(&session, port),
    }
}

impl Connection {
    fn converse(&mut self, mut talk: Talk) -> Result<()> {
        loop {
            while let Some(frame) = self.frames.cut() {
                if !self.take(&frame, &mut talk)? {
                    self.wire.write_all(&self.out)?;
                    return self.wire.shutdown();
                }
            }
            self.write()?;
            if !self.read()? {
                return Ok(());
            }
        }
    }

    /// Takes in a frame. Whether the conversation goes on.
    fn take(&mut self, frame: &Frame, talk: &mut Talk) -> Result<bool> {
        let look = self.frames.look(frame);
        match frame.first {
            frames::CLOSE => {
                frames::put(&mut self.out, frames::CLOSE, look);
                return Ok(false);
            }
            frames::PING => frames::put(&mut self.out, frames::PONG, look),
            frames::TEXT if look == b"1" => return Ok(false),
            frames::TEXT => match talk.take(look) {
                Reply::Nothing => {}
                Reply::Packet(packet) => frames::put(&mut self.out, frames::TEXT, packet),
                Reply::Flood(flood) => self.flood(flood)?,
            },
            _ => {}
        }
        Ok(true)
    }

    /// Takes a session over from polling, if its client goes through with it.
    fn upgrade(&mut self, session: &Arc<Session>, port: &Port) -> Result<()> {
        let outcome = self.probe(session);
        if !matches!(outcome, Ok(true)) {
            session.stay();
            return outcome.map(drop);
        }
        let left = session.leave();
        port.sessions.remove(session);
        for packet in left.packets() {
            frames::put(&mut self.out, frames::TEXT, packet);
        }
        for flood in left.floods {
            self.flood(flood)?;
        }
        self.converse(left.talk)
    }

    /// Whether the client has probed the websocket and gone over to it.
    fn probe(&mut self, session: &Session) -> Result<bool> {
        loop {
            while let Some(frame) = self.frames.cut() {
                match (frame.first, self.frames.look(&frame)) {
                    (frames::TEXT, b"2probe") => {
                        frames::put(&mut self.out, frames::TEXT, b"3probe");
                        self.write()?;
                        session.begin_upgrade();
                    }
                    (frames::TEXT, b"5") => return Ok(true),
                    (frames::CLOSE, _) => return Ok(false),
                    _ => {}
                }
            }
            if !self.frames.read(&mut self.wire)? {
                return Ok(false);
            }
        }
    }

    fn flood(&mut self, flood: Flood) -> Result<()> {
        self.write()?;
        let burst = floods::burst(flood, Encoding::Websocket);
        let mut left = flood.count;
        while left > 0 {
            let now = left.min(burst.count);
            self.wire.write_all(&burst.bytes[..now * burst.each])?;
            left -= now;
        }
        Ok(())
    }

    /// Reads once, with a ping whenever one is due. Whether the connection goes on.
    fn read(&mut self) -> Result<bool> {
        loop {
            let outcome = self.frames.read(&mut self.wire);
            if self.pinged.elapsed() >= self.ping {
                frames::put(&mut self.out, frames::TEXT, b"2");
                self.write()?;
                self.pinged = Instant::now();
            }
            match outcome {
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                outcome => return outcome,
            }
        }
    }

    fn write(&mut self) -> Result<()> {
        if !self.out.is_empty() {
            self.wire.write_all(&self.out)?;
            self.out.clear();
        }
        Ok(())
    }
}

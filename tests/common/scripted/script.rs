//! The words of a script.
//!
//! Owns: the names of the steps and their order. `peer` owns what they do.

#![forbid(unsafe_code)]

use std::time::Duration;

use super::peer::{OPEN, Peer, StepResult};
use super::wire::{Frame, Received};

/// The steps of one connection.
#[derive(Default)]
pub struct Script {
    steps: Vec<Step>,
}

/// One step.
pub(super) struct Step {
    /// Its name in failures.
    pub(super) what: String,
    pub(super) action: Box<dyn FnOnce(&mut Peer) -> StepResult + Send>,
}

impl Script {
    pub fn new() -> Script {
        Script::default()
    }

    pub(super) fn into_steps(self) -> impl Iterator<Item = Step> {
        self.steps.into_iter()
    }

    /// Any step. `what` is its name in failures.
    pub fn then(
        mut self,
        what: impl Into<String>,
        action: impl FnOnce(&mut Peer) -> StepResult + Send + 'static,
    ) -> Script {
        self.steps.push(Step { what: what.into(), action: Box::new(action) });
        self
    }

    // ---- HTTP ----

    /// Reads the request, up to the end of its head.
    pub fn request(self) -> Script {
        self.then("read a request", Peer::read_request)
    }

    /// Answers the request as it should be.
    pub fn switch(self) -> Script {
        self.switch_and(Vec::new())
    }

    /// Answers the request as it should be, and sends more in the same write.
    pub fn switch_and(self, more: impl Into<Vec<u8>>) -> Script {
        let more = more.into();
        self.then("switch protocols", move |peer| {
            let head = peer.switching_protocols()?;
            peer.raw(&[head.as_bytes(), &more].concat())
        })
    }

    /// Answers the request with the answer to another key.
    pub fn switch_with_wrong_key(self) -> Script {
        self.then("switch protocols with a wrong key", |peer| {
            let head = peer.switching_protocols()?;
            peer.raw(head.replace("Accept: ", "Accept: A").as_bytes())
        })
    }

    /// Answers the request with a status such as "400 Bad Request", and a body with its length.
    pub fn respond(self, status: &str, headers: &[&str], body: &str) -> Script {
        let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
        let length = body.len();
        let answer =
            format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\n\r\n{body}");
        self.then(format!("respond {status}"), move |peer| peer.raw(answer.as_bytes()))
    }

    // ---- Engine.IO and Socket.IO as they should be ----

    /// The websocket is open: request and answer.
    pub fn websocket(self) -> Script {
        self.request().switch()
    }

    /// Sends the Engine.IO handshake with usual values.
    pub fn open(self) -> Script {
        self.open_with(OPEN)
    }

    /// Sends the Engine.IO handshake with this JSON.
    pub fn open_with(self, json: &str) -> Script {
        self.text(format!("0{json}"))
    }

    /// Waits for the CONNECT of the namespace "/" and acknowledges it.
    pub fn namespace(self) -> Script {
        self.expect_start("40").text(r#"40{"sid":"socket-sid"}"#)
    }

    /// All that goes before events.
    pub fn connected(self) -> Script {
        self.websocket().open().namespace()
    }

    // ---- sending ----

    pub fn text(self, text: impl Into<String>) -> Script {
        self.frame(Frame::text(text))
    }

    pub fn binary(self, bytes: impl Into<Vec<u8>>) -> Script {
        self.frame(Frame::binary(bytes))
    }

    pub fn frame(self, frame: Frame) -> Script {
        let what = format!("send {:.60}", format!("{frame:?}"));
        self.then(what, move |peer| peer.frame(&frame))
    }

    /// Sends frames in one write.
    pub fn frames(self, frames: impl IntoIterator<Item = Frame>) -> Script {
        let bytes: Vec<u8> = frames.into_iter().flat_map(|frame| frame.encode()).collect();
        self.raw(bytes)
    }

    pub fn raw(self, bytes: impl Into<Vec<u8>>) -> Script {
        let bytes = bytes.into();
        self.then(format!("send {} raw bytes", bytes.len()), move |peer| peer.raw(&bytes))
    }

    /// Sends bytes a few at a time, with a pause after each piece.
    pub fn drip(self, bytes: impl Into<Vec<u8>>, piece: usize, pause: Duration) -> Script {
        let bytes = bytes.into();
        self.then("drip", move |peer| {
            for piece in bytes.chunks(piece.max(1)) {
                peer.raw(piece)?;
                peer.pause(pause)?;
            }
            Ok(())
        })
    }

    /// Sends the frames for 0 to n - 1, as fast as they are taken.
    pub fn flood(self, n: u64, frame: impl Fn(u64) -> Frame + Send + 'static) -> Script {
        self.then(format!("flood with {n} frames"), move |peer| {
            flood(peer, n, &frame).map_err(|(i, error)| format!("at frame {i}: {error}"))
        })
    }

    /// Sends frames until the client takes no more.
    pub fn flood_until_closed(self, frame: impl Fn(u64) -> Frame + Send + 'static) -> Script {
        self.then("flood until closed", move |peer| {
            // The error is how the step ends.
            let _ = flood(peer, u64::MAX, &frame);
            Ok(())
        })
    }

    // ---- reading ----

    /// The next data that the client sends is this text.
    pub fn expect_text(self, text: &str) -> Script {
        let text = text.to_owned();
        self.expect(format!("expect {text:?}"), move |frame| frame.text().as_deref() == Some(&text))
    }

    /// The next data that the client sends is a text that begins so.
    pub fn expect_start(self, start: &str) -> Script {
        let start = start.to_owned();
        self.expect(format!("expect {start:?}..."), move |frame| {
            frame.text().is_some_and(|text| text.starts_with(&start))
        })
    }

    /// The next data that the client sends are these bytes.
    pub fn expect_binary(self, bytes: impl Into<Vec<u8>>) -> Script {
        let bytes = bytes.into();
        self.expect(format!("expect {} bytes", bytes.len()), move |frame| {
            frame.binary() == Some(&bytes)
        })
    }

    /// The next data that the client sends is as it should be.
    pub fn expect(
        self,
        what: impl Into<String>,
        right: impl FnOnce(&Received) -> bool + Send + 'static,
    ) -> Script {
        self.then(what, move |peer| {
            let frame = peer.next_data()?;
            let shown = frame.text().unwrap_or_else(|| format!("{frame:?}"));
            if right(&frame) { Ok(()) } else { Err(format!("the client sent {shown:.300}")) }
        })
    }

    /// Reads, and looks at, a number of frames that carry data.
    pub fn read(self, n: usize) -> Script {
        self.then(format!("read {n} frames"), move |peer| {
            (0..n).try_for_each(|_| peer.next_data().map(drop))
        })
    }

    /// Reads frames until this text comes; of any kind before it.
    pub fn read_to_text(self, text: &str) -> Script {
        let text = text.to_owned();
        self.then(format!("read up to {text:?}"), move |peer| {
            while peer.next_data()?.text().as_deref() != Some(&text) {}
            Ok(())
        })
    }

    /// From now on all that comes is read while the steps go on.
    pub fn read_aside(self) -> Script {
        self.then("read aside", |peer| {
            peer.read_aside();
            Ok(())
        })
    }

    /// Reads until the client ends the connection, and says nothing of its own.
    pub fn until_closed(self) -> Script {
        self.then("read until the client ends the connection", |peer| {
            peer.until_closed();
            Ok(())
        })
    }

    /// Reads, without a word, until the client ends the connection; what comes need not be frames.
    pub fn until_closed_quietly(self) -> Script {
        self.then("wait until the client ends the connection", |peer| {
            peer.ignore_until_closed();
            Ok(())
        })
    }

    // ---- manners ----

    /// WebSocket PINGs get no answer from now on.
    pub fn ignoring_pings(self) -> Script {
        self.then("ignore pings", |peer| {
            peer.answer_pings(false);
            Ok(())
        })
    }

    /// Close frames get no answer from now on.
    pub fn ignoring_close(self) -> Script {
        self.then("ignore close frames", |peer| {
            peer.answer_close(false);
            Ok(())
        })
    }

    // ---- time ----

    /// Neither sends nor reads for that time.
    pub fn pause(self, duration: Duration) -> Script {
        self.then(format!("pause for {duration:?}"), move |peer| peer.pause(duration))
    }

    /// Neither sends nor reads until the test calls `Scripted::tell`.
    pub fn until_told(self) -> Script {
        self.then("wait until told", Peer::until_told)
    }

    /// Neither sends nor reads until the test finishes or drops the server.
    pub fn stall(self) -> Script {
        self.then("stall", |peer| {
            peer.stall();
            Ok(())
        })
    }

    // ---- ends ----

    /// Ends our side of the connection; the client's can still be read.
    pub fn shutdown_write(self) -> Script {
        self.then("shut down", Peer::shutdown_write)
    }

    /// The last step: resets the connection.
    pub fn reset(self) -> Script {
        self.then("reset", Peer::reset)
    }
}

fn flood(peer: &mut Peer, n: u64, frame: &dyn Fn(u64) -> Frame) -> Result<(), (u64, String)> {
    let mut bytes = Vec::new();
    for i in 0..n {
        bytes.extend(frame(i).encode());
        if bytes.len() >= 65536 {
            peer.raw(&bytes).map_err(|error| (i, error))?;
            bytes.clear();
        }
    }
    peer.raw(&bytes).map_err(|error| (n, error))
}

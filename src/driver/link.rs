//! One WebSocket from its handshake to its end.
//!
//! Owns the bytes on their way in and out of the socket: the handshake, the decoder, and what is
//! framed but not yet written. Refuses to know what a packet means.

#![forbid(unsafe_code)]

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use super::intake::{Follows, Intake};
use crate::core::{Core, LinkPlan, Role};
use crate::error::Failure;
use crate::monitor::Shared;
use crate::net::stream::Stream;
use crate::net::tls;
use crate::outbox::{self, emptied};
use crate::session::{Input, Moment};
use crate::transport::frame::{Decoder, MaskKeys, OpCode, write_slice};
use crate::transport::websocket::Opening;

/// Where more has arrived than one read could take, receivers are woken once for so many bytes: on
/// one processor each wake is a switch to them and back.
const WAKE_EVERY: usize = 256 * 1024;

/// How long a socket that the session has parted from may take to read to its end.
const PARTING: Duration = Duration::from_secs(1);

/// What one read of the socket gave.
pub(super) enum Read {
    /// So many bytes, in the space that they were read into.
    Bytes(usize),
    /// Nothing new, but frames of an earlier read still wait to be taken in.
    Again,
    /// The server shut down its sending side.
    Eof,
    /// The socket failed.
    Failed(io::Error),
}

enum Stage {
    /// The handshake goes on; its answer is read in small pieces.
    Opening(Box<Opening>, Box<[u8; 4096]>),
    /// Frames flow.
    Open,
}

pub(super) struct Link {
    number: u64,
    /// Whether it is a probe, which nothing goes by yet but its own question.
    probe: bool,
    stage: Stage,
    stream: Stream,
    plan: Arc<LinkPlan>,
    target: String,
    decoder: Decoder,
    intake: Intake,
    /// The room that the last read had, and the bytes for which no receiver has been woken yet.
    room: usize,
    quiet: usize,
    /// What our close frame says if a frame was malformed.
    close_code: Option<u16>,
    /// On its way to the socket: what is written of it, and all of it.
    out: Vec<u8>,
    out_at: usize,
    /// Why nothing can be written any more. What has arrived is read before it is reported.
    broken: Option<io::Error>,
}

impl Link {
    /// Begins the handshake on a connected socket.
    pub(super) fn open(
        stream: Stream,
        plan: Arc<LinkPlan>,
        target: String,
        number: u64,
        probe: bool,
    ) -> Result<Self, Failure> {
        let opening = Opening::new(&plan.server, &target)?;
        Ok(Link {
            number,
            probe,
            out: opening.request().to_vec(),
            out_at: 0,
            stage: Stage::Opening(Box::new(opening), Box::new([0; 4096])),
            stream,
            decoder: Decoder::new(plan.max_message),
            plan,
            target,
            intake: Intake::new(),
            room: 0,
            quiet: 0,
            close_code: None,
            broken: None,
        })
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn shutdown(&self) {
        self.stream.shutdown();
    }

    /// Asks the server whether the session may move here (the section "Upgrade" of the Engine.IO
    /// protocol).
    pub(super) fn ask(&mut self) {
        write_slice(&mut self.out, OpCode::Text, b"2probe", key());
    }

    /// The session goes by it from now on.
    pub(super) fn take_over(&mut self, shared: &Shared) {
        self.probe = false;
        shared.keep_socket(self.stream.descriptor());
        let (stream, number) = (self.stream.clone(), self.number);
        let _ = shared.with(|core, _| core.opened(stream, number));
    }

    /// What it has taken to write and not written.
    pub(super) fn unwritten(&self) -> &[u8] {
        match self.stage {
            Stage::Open if !self.probe => &self.out[self.out_at..],
            _ => &[],
        }
    }

    /// For a connection that is quiet: gives back what only a busy one needs.
    pub(super) fn rest(&mut self) {
        outbox::rest(&mut self.out);
        self.stream.rest();
        if self.intake.is_empty() {
            self.intake.rest();
            self.decoder.rest();
        }
    }

    /// Takes what is framed, if all that was taken before is written.
    pub(super) fn fill(&mut self, core: &mut Core) {
        if !matches!(self.stage, Stage::Open) || self.probe {
            return;
        }
        if core.role(self.number) != Role::Main {
            return;
        }
        if self.out.is_empty() {
            core.take_frames(&mut self.out);
        } else {
            core.begin_write();
        }
    }

    /// Writes on; true if all is written and there may be more.
    pub(super) fn write(&mut self, shared: &Shared) -> bool {
        if self.out.is_empty() || self.broken.is_some() {
            return false;
        }
        let written = match self.stream.try_write(&self.out[self.out_at..]) {
            Ok(count) => count,
            Err(error) => {
                self.broken = Some(error);
                0
            }
        };
        self.out_at += written;
        let rest = &self.out[self.out_at..];
        let done = rest.is_empty();
        if matches!(self.stage, Stage::Open) && !self.probe {
            let (now, number) = (super::now(), self.number);
            let _ = shared.with(|core, effects| {
                core.driver_wrote(number, rest, written, now, effects);
            });
        }
        if done {
            self.out = emptied(std::mem::take(&mut self.out));
            self.out_at = 0;
        }
        done || self.broken.is_some()
    }

    pub(super) fn poll_writable(&mut self, context: &mut Context<'_>) -> bool {
        !self.out.is_empty()
            && self.broken.is_none()
            && self.stream.poll_writable(context).is_ready()
    }

    /// Reads once.
    pub(super) fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Read> {
        if !self.intake.is_empty() {
            return Poll::Ready(Read::Again);
        }
        let space = match &mut self.stage {
            Stage::Opening(_, space) => &mut space[..],
            Stage::Open => self.decoder.space(),
        };
        self.room = space.len();
        match self.stream.poll_read(context, space) {
            // Nothing more is there, so that the receivers are due.
            Poll::Pending if self.quiet > 0 => Poll::Ready(Read::Again),
            // The runtime says so too when it wants to do something else for a while.
            Poll::Pending if self.broken.is_some() => self.read_the_rest(),
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(0)) => Poll::Ready(Read::Eof),
            Poll::Ready(Ok(count)) => Poll::Ready(Read::Bytes(count)),
            Poll::Ready(Err(error)) => Poll::Ready(Read::Failed(error)),
        }
    }

    /// Whether nothing can be written any more: what has arrived is then read to its end, also
    /// while reading is paused, since nothing else will tell who waits.
    pub(super) fn is_broken(&self) -> bool {
        self.broken.is_some()
    }

    /// Reads what is left in a socket that cannot be written to; after that it has failed.
    fn read_the_rest(&mut self) -> Poll<Read> {
        let space = match &mut self.stage {
            Stage::Opening(_, space) => &mut space[..],
            Stage::Open => self.decoder.space(),
        };
        match (self.stream.try_read(space), self.broken.take()) {
            (Ok(0), _) => Poll::Ready(Read::Eof),
            (Ok(count), broken) => {
                self.broken = broken;
                Poll::Ready(Read::Bytes(count))
            }
            (Err(_), Some(error)) | (Err(error), None) => Poll::Ready(Read::Failed(error)),
        }
    }

    /// Takes in what a read gave.
    pub(super) fn take_in(&mut self, shared: &Shared, read: Read, now: Moment) {
        let number = self.number;
        // A client that cannot be entered any more is noticed at the driver's next turn.
        let single = |input: Input<'_>| {
            let _ = shared.with(|core, effects| core.input_of(number, input, now, effects));
        };
        match (read, &mut self.stage) {
            (Read::Bytes(count), Stage::Opening(opening, space)) => {
                let answer = opening.receive(&space[..count]);
                if let Some(headers) = opening.take_headers() {
                    self.plan.server.keep_cookies(&self.target, &headers);
                }
                match answer {
                    // A refusal whose body goes on: known, should the time run out meanwhile.
                    Ok(None) if opening.refused().is_some() => {
                        let refusal = opening.end();
                        let _ = shared.with(|core, _| core.note_refusal(number, refusal));
                    }
                    Ok(None) => (),
                    Err(failure) => single(Input::Failed(failure)),
                    Ok(Some(tail)) => {
                        self.stage = Stage::Open;
                        let (stream, probe) = (self.stream.clone(), self.probe);
                        let _ = shared.with(|core, effects| {
                            if !probe {
                                core.opened(stream, number);
                            }
                            core.input_of(number, Input::Open, now, effects);
                        });
                        self.decoder.extend(&tail);
                        self.cut();
                        self.deliver(shared, tail.len(), Follows::Unknown, now);
                    }
                }
            }
            (Read::Bytes(count), Stage::Open) => {
                self.decoder.advance(count);
                self.cut();
                // A read that fills its room leaves more behind, as a rule.
                let follows = match count == self.room && self.quiet + count < WAKE_EVERY {
                    true => Follows::More,
                    false => Follows::Unknown,
                };
                self.deliver(shared, count, follows, now);
            }
            (Read::Again, _) => self.deliver(shared, 0, Follows::Unknown, now),
            (Read::Eof, Stage::Opening(opening, _)) => {
                let failure = opening.end();
                single(Input::Failed(failure));
            }
            (Read::Eof, Stage::Open) => single(Input::Eof),
            (Read::Failed(error), stage) => {
                // By TLS 1.3 a server refuses our certificate only after the handshake.
                let opening = matches!(stage, Stage::Opening(..));
                match tls::failure_of(&error).filter(|_| opening) {
                    Some(failure) => single(Input::Failed(failure)),
                    None => {
                        let os_error = error.raw_os_error();
                        single(Input::Lost { text: error.to_string(), os_error });
                    }
                }
            }
        }
    }

    /// Parts from the socket: a close frame if no frame is half written, then the end of our
    /// side, and then whatever the server still sends, so that closing does not reset the
    /// connection and the server keeps what was on the way.
    pub(super) async fn part(self, code: Option<u16>) {
        if let (Some(code), true, Stage::Open) = (code, self.out.is_empty(), &self.stage) {
            let mut frame = Vec::new();
            let code = self.close_code.unwrap_or(code);
            write_slice(&mut frame, OpCode::Close, &code.to_be_bytes(), key());
            // A socket that takes no byte now gets none.
            let _ = self.stream.try_write(&frame);
        }
        self.stream.shutdown();
        let mut space = vec![0; 16 * 1024];
        let to_the_end = std::future::poll_fn(|context| {
            loop {
                match self.stream.poll_read(context, &mut space) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Ok(1..)) => (),
                    Poll::Ready(_) => return Poll::Ready(()),
                }
            }
        });
        let _ = tokio::time::timeout(PARTING, to_the_end).await;
    }

    /// Cuts the frames that have arrived whole.
    fn cut(&mut self) {
        loop {
            match self.decoder.next() {
                Ok(Some(frame)) => self.intake.push(frame),
                Ok(None) => return,
                Err(error) => {
                    self.close_code = Some(error.close_code());
                    return self.intake.push_malformed(error.to_string());
                }
            }
        }
    }

    /// Hands over what was cut.
    fn deliver(&mut self, shared: &Shared, count: usize, follows: Follows, now: Moment) {
        let follows = if self.broken.is_some() { Follows::Nothing } else { follows };
        self.quiet = if follows == Follows::More { self.quiet + count } else { 0 };
        let bytes = self.decoder.bytes();
        self.intake.deliver(shared, self.number, bytes, count, follows, now);
    }
}

fn key() -> [u8; 4] {
    MaskKeys::new(rand::random()).next()
}

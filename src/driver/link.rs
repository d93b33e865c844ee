//! One socket from its WebSocket handshake to its end.
//!
//! Owns the bytes on their way in and out of the socket: the handshake, the decoder, what is cut
//! but not yet taken in, and what is framed but not yet written. Refuses to know what a packet
//! means; it parses them, outside the lock, and hands them in.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;

use crate::core::{Core, DialPlan};
use crate::error::Failure;
use crate::monitor::{Effects, Shared};
use crate::net::wire::Wire;
use crate::outbox::emptied;
use crate::packet::socket::{self, Packet};
use crate::packet::{ParseError, engine};
use crate::session::{Attachment, Input, Moment, State, Text};
use crate::transport::frame::{Decoder, Frame, FrameError, MaskKeys, OpCode, Payload, write_slice};
use crate::transport::websocket::Opening;

/// Frames that are parsed before the lock is taken for them: few after the program had to take
/// something first, since what is parsed beyond that is parsed again, and then more and more.
const BATCH_MIN: usize = 8;
const BATCH_MAX: usize = 256;

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
    attempt: u64,
    stage: Stage,
    half: OwnedReadHalf,
    wire: Wire,
    decoder: Decoder,
    /// Cut and not yet taken in, because the program does not take what came before.
    frames: VecDeque<Frame>,
    malformed: Option<FrameError>,
    /// What our close frame says if a frame was malformed.
    close_code: Option<u16>,
    batch: usize,
    /// On its way to the socket: what is written of it, and all of it.
    out: Vec<u8>,
    out_at: usize,
    /// Why nothing can be written any more. What has arrived is read before it is reported.
    broken: Option<io::Error>,
}

impl Link {
    /// Begins the handshake on a connected socket.
    pub(super) fn open(stream: TcpStream, plan: &DialPlan, attempt: u64) -> Result<Self, Failure> {
        let opening = Opening::new(&plan.url, &plan.target, &plan.headers)?;
        let (half, write_half) = stream.into_split();
        Ok(Link {
            attempt,
            out: opening.request().to_vec(),
            out_at: 0,
            stage: Stage::Opening(Box::new(opening), Box::new([0; 4096])),
            half,
            wire: Wire::new(write_half),
            decoder: Decoder::new(plan.max_message),
            frames: VecDeque::new(),
            malformed: None,
            close_code: None,
            batch: BATCH_MAX,
            broken: None,
        })
    }

    pub(super) fn attempt(&self) -> u64 {
        self.attempt
    }

    pub(super) fn shutdown(&self) {
        self.wire.shutdown();
    }

    /// Takes what is framed, if all that was taken before is written.
    pub(super) fn fill(&mut self, core: &mut Core) {
        if matches!(self.stage, Stage::Open)
            && self.out.is_empty()
            && core.attempt() == self.attempt
        {
            core.take_frames(&mut self.out);
        } else if matches!(self.stage, Stage::Open) {
            core.begin_write();
        }
    }

    /// Writes on; true if all is written and there may be more.
    pub(super) fn write(&mut self, shared: &Shared) -> bool {
        if self.out.is_empty() || self.broken.is_some() {
            return false;
        }
        let written = match self.wire.try_write(&self.out[self.out_at..]) {
            Ok(count) => count,
            Err(error) => {
                self.broken = Some(error);
                0
            }
        };
        self.out_at += written;
        let done = self.out_at == self.out.len();
        if done {
            self.out = emptied(std::mem::take(&mut self.out));
            self.out_at = 0;
        }
        if matches!(self.stage, Stage::Open) {
            let (now, attempt) = (super::now(), self.attempt);
            let _ = shared.with(|core, effects| {
                core.driver_wrote(attempt, written, done, now, effects);
            });
        }
        done || self.broken.is_some()
    }

    pub(super) fn poll_writable(&mut self, context: &mut Context<'_>) -> bool {
        !self.out.is_empty() && self.broken.is_none() && self.wire.poll_writable(context).is_ready()
    }

    /// Reads once.
    pub(super) fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<Read> {
        if !self.frames.is_empty() || self.malformed.is_some() {
            return Poll::Ready(Read::Again);
        }
        let space = match &mut self.stage {
            Stage::Opening(_, space) => &mut space[..],
            Stage::Open => self.decoder.space(),
        };
        let mut space = ReadBuf::new(space);
        match Pin::new(&mut self.half).poll_read(context, &mut space) {
            // The runtime says so too when it wants to do something else for a while.
            Poll::Pending if self.broken.is_some() => self.read_the_rest(),
            Poll::Pending => Poll::Pending,
            Poll::Ready(Ok(())) if space.filled().is_empty() => Poll::Ready(Read::Eof),
            Poll::Ready(Ok(())) => Poll::Ready(Read::Bytes(space.filled().len())),
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
        match (self.half.try_read(space), self.broken.take()) {
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
        let attempt = self.attempt;
        // A client that cannot be entered any more is noticed at the driver's next turn.
        let single = |input: Input<'_>| {
            let _ = shared.with(|core, effects| core.input_of(attempt, input, now, effects));
        };
        match (read, &mut self.stage) {
            (Read::Bytes(count), Stage::Opening(opening, space)) => {
                match opening.receive(&space[..count]) {
                    // A refusal whose body goes on: known, should the time run out meanwhile.
                    Ok(None) if opening.refused().is_some() => {
                        let refusal = opening.end();
                        let _ = shared.with(|core, _| core.note_refusal(attempt, refusal));
                    }
                    Ok(None) => (),
                    Err(failure) => single(Input::Failed(failure)),
                    Ok(Some(tail)) => {
                        self.stage = Stage::Open;
                        let wire = self.wire.clone();
                        let _ = shared.with(|core, effects| {
                            if core.attempt() == attempt {
                                core.opened(wire, attempt);
                            }
                            core.input_of(attempt, Input::Open, now, effects);
                        });
                        self.decoder.extend(&tail);
                        self.cut();
                        self.deliver(shared, tail.len(), now);
                    }
                }
            }
            (Read::Bytes(count), Stage::Open) => {
                self.decoder.advance(count);
                self.cut();
                self.deliver(shared, count, now);
            }
            (Read::Again, _) => self.deliver(shared, 0, now),
            (Read::Eof, Stage::Opening(opening, _)) => {
                let failure = opening.end();
                single(Input::Failed(failure));
            }
            (Read::Eof, Stage::Open) => single(Input::Eof),
            (Read::Failed(error), _) => {
                let os_error = error.raw_os_error();
                single(Input::Lost { text: error.to_string(), os_error });
            }
        }
    }

    /// Parts from the socket: a close frame if no frame is half written, then the end of our
    /// side, and then whatever the server still sends, so that closing does not reset the
    /// connection and the server keeps what was on the way.
    pub(super) async fn part(mut self, code: Option<u16>) {
        if let (Some(code), true, Stage::Open) = (code, self.out.is_empty(), &self.stage) {
            let mut frame = Vec::new();
            let code = self.close_code.unwrap_or(code);
            let key = MaskKeys::new(rand::random()).next();
            write_slice(&mut frame, OpCode::Close, &code.to_be_bytes(), key);
            // A socket that takes no byte now gets none.
            let _ = self.wire.try_write(&frame);
        }
        self.wire.shutdown();
        let mut space = vec![0; 16 * 1024];
        let to_the_end = std::future::poll_fn(|context| {
            loop {
                let mut space = ReadBuf::new(&mut space);
                match Pin::new(&mut self.half).poll_read(context, &mut space) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Ok(())) if !space.filled().is_empty() => (),
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
                Ok(Some(frame)) => self.frames.push_back(frame),
                Ok(None) => return,
                Err(error) => {
                    self.close_code = Some(error.close_code());
                    self.malformed = Some(error);
                    return;
                }
            }
        }
    }

    /// Parses what was cut, then takes it in under one lock for each batch, until the program
    /// would have to take something first.
    fn deliver(&mut self, shared: &Shared, mut count: usize, now: Moment) {
        let attempt = self.attempt;
        let bytes = self.decoder.bytes();
        let (frames, malformed) = (&mut self.frames, &mut self.malformed);
        let (batch, broken) = (&mut self.batch, self.broken.is_some());
        loop {
            let parsed: Vec<Parsed<'_>> =
                frames.iter().take(*batch).map(|frame| parse(frame, bytes)).collect();
            let mut take_in = |core: &mut Core, effects: &mut Effects<'_>| {
                if core.attempt() != attempt {
                    frames.clear();
                    return false;
                }
                core.received(std::mem::take(&mut count), now);
                for parsed in &parsed {
                    // The queue holds one frame for each that was parsed.
                    let Some(frame) = frames.pop_front() else { break };
                    parsed.hand_in(frame, bytes, core, now, effects);
                    if core.state() == State::Closed {
                        frames.clear();
                        return false;
                    }
                    if core.must_pause() && !broken {
                        *batch = BATCH_MIN;
                        return false;
                    }
                }
                *batch = (*batch * 2).min(BATCH_MAX);
                if !frames.is_empty() {
                    return true;
                }
                if let Some(error) = malformed.take() {
                    core.input(Input::Malformed(error.to_string()), now, effects);
                }
                false
            };
            let go_on = shared.with(|core, effects| {
                let go_on = take_in(core, effects);
                // Once for all that a read brought: a thread that is woken for the first of many
                // only takes the processor, or the lock, from who brings the rest.
                if !go_on {
                    core.announce(effects);
                }
                go_on
            });
            if go_on != Ok(true) {
                return;
            }
        }
    }
}

/// A frame whose content has been looked at, without the lock.
enum Parsed<'a> {
    /// A Socket.IO packet; its text unless that is a block of its own.
    Packet(Packet, Option<&'a [u8]>),
    /// Another Engine.IO packet.
    Engine(engine::Packet<'a>),
    /// The same, in a block of its own.
    LateEngine,
    /// A text that is no packet.
    Malformed(String),
    /// Nothing to look at.
    Other,
}

fn parse<'a>(frame: &Frame, bytes: &'a [u8]) -> Parsed<'a> {
    let malformed = |error: ParseError| Parsed::Malformed(error.to_string());
    match frame {
        Frame::Text(Payload::Here(range)) => {
            // The decoder has checked that it is UTF-8, and a packet's parser needs no more.
            let text = &bytes[range.clone()];
            if text.first() == Some(&b'4') {
                return socket::parse_from(text, 1)
                    .map_or_else(malformed, |packet| Parsed::Packet(packet, Some(text)));
            }
            match std::str::from_utf8(text) {
                Ok(text) => engine::parse(text).map_or_else(malformed, Parsed::Engine),
                Err(error) => Parsed::Malformed(error.to_string()),
            }
        }
        Frame::Text(Payload::Own(text)) if text.first() == Some(&b'4') => {
            socket::parse_from(text, 1)
                .map_or_else(malformed, |packet| Parsed::Packet(packet, None))
        }
        // Assembled from fragments, or absurdly large: read when it is handed in.
        Frame::Text(Payload::Own(_)) => Parsed::LateEngine,
        _ => Parsed::Other,
    }
}

impl Parsed<'_> {
    #[inline]
    fn hand_in(
        &self,
        frame: Frame,
        bytes: &[u8],
        core: &mut Core,
        now: Moment,
        effects: &mut Effects<'_>,
    ) {
        if let (Parsed::LateEngine, Frame::Text(Payload::Own(text))) = (self, &frame) {
            let text = String::from_utf8_lossy(text);
            return match engine::parse(&text) {
                Ok(packet) => core.input(Input::Engine(packet), now, effects),
                Err(error) => core.input(Input::Malformed(error.to_string()), now, effects),
            };
        }
        let here = |range: Range<usize>| &bytes[range];
        let input = match (self, frame) {
            (Parsed::Packet(packet, Some(text)), _) => {
                Input::Packet { packet, text: Text::Here(text) }
            }
            (Parsed::Packet(packet, None), Frame::Text(Payload::Own(text))) => {
                Input::Packet { packet, text: Text::Own(text) }
            }
            (Parsed::Engine(packet), _) => Input::Engine(*packet),
            (Parsed::Malformed(text), _) => Input::Malformed(text.clone()),
            (_, Frame::Binary(Payload::Here(range))) => {
                Input::Binary(Attachment::Here(here(range)))
            }
            (_, Frame::Binary(Payload::Own(block))) => Input::Binary(Attachment::Own(block)),
            (_, Frame::Ping(range)) => Input::WebSocketPing(here(range)),
            (_, Frame::Pong(range)) => Input::WebSocketPong(here(range)),
            (_, Frame::Close(code, reason)) => Input::WebSocketClose(code, reason),
            // A text frame is always parsed.
            (_, Frame::Text(_)) => return,
        };
        core.input(input, now, effects);
    }
}

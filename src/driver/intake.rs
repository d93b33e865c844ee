//! What was cut from the bytes of a link, on its way into the monitor.
//!
//! Owns the frames that wait to be taken in, and their parsing outside the lock. Refuses to know
//! where they come from: a WebSocket and the body of a poll give the same.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::ops::Range;

use crate::core::{Core, Role};
use crate::monitor::{Effects, Shared};
use crate::packet::socket::{self, Packet};
use crate::packet::{ParseError, engine};
use crate::session::{Attachment, Input, Moment, State, Text};
use crate::transport::frame::{Frame, Payload};

/// Frames that are parsed before the lock is taken for them: few after the program had to take
/// something first, since what is parsed beyond that is parsed again, and then more and more.
const BATCH_MIN: usize = 8;
const BATCH_MAX: usize = 256;

/// What is known of the bytes behind those that a read brought.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Follows {
    /// More of them are there already, so that whoever receives can be woken for all of them at once.
    More,
    /// More may come.
    Unknown,
    /// The link is broken: what has come is taken in even if the program would have to take something
    /// first.
    Nothing,
}

/// Cut and not yet taken in, because the program does not take what came before.
pub(super) struct Intake {
    frames: VecDeque<Frame>,
    malformed: Option<String>,
    batch: usize,
}

impl Intake {
    pub(super) fn new() -> Self {
        Intake { frames: VecDeque::new(), malformed: None, batch: BATCH_MAX }
    }

    pub(super) fn push(&mut self, frame: Frame) {
        self.frames.push_back(frame);
    }

    /// For a connection that is quiet: gives back what only a busy one needs.
    pub(super) fn rest(&mut self) {
        self.frames.shrink_to(BATCH_MIN);
    }

    /// What follows cannot be read.
    pub(super) fn push_malformed(&mut self, what: String) {
        self.malformed.get_or_insert(what);
    }

    /// Whether all that was cut has been taken in.
    pub(super) fn is_empty(&self) -> bool {
        self.frames.is_empty() && self.malformed.is_none()
    }

    /// Parses what was cut, then takes it in under one lock for each batch, until the program
    /// would have to take something first. `bytes` is what the frames point into, `count` how many
    /// bytes the read brought.
    pub(super) fn deliver(
        &mut self,
        shared: &Shared,
        link: u64,
        bytes: &[u8],
        mut count: usize,
        follows: Follows,
        now: Moment,
    ) {
        let Intake { frames, malformed, batch } = self;
        loop {
            let parsed: Vec<Parsed<'_>> =
                frames.iter().take(*batch).map(|frame| parse(frame, bytes)).collect();
            let mut take_in = |core: &mut Core, effects: &mut Effects<'_>| {
                let mut role = core.role(link);
                if role != Role::Past {
                    core.received(role, std::mem::take(&mut count), now);
                }
                for parsed in &parsed {
                    if role == Role::Past {
                        break;
                    }
                    // The queue holds one frame for each that was parsed.
                    let Some(frame) = frames.pop_front() else { break };
                    parsed.hand_in(frame, bytes, core, role, now, effects);
                    if core.state() == State::Closed {
                        role = Role::Past;
                        break;
                    }
                    if core.must_pause() && follows != Follows::Nothing {
                        *batch = BATCH_MIN;
                        return false;
                    }
                    role = core.role(link);
                }
                if role == Role::Past {
                    frames.clear();
                    *malformed = None;
                    return false;
                }
                *batch = (*batch * 2).min(BATCH_MAX);
                if !frames.is_empty() {
                    return true;
                }
                if let Some(what) = malformed.take() {
                    hand_in(Input::Malformed(what), core, role, now, effects);
                }
                false
            };
            let go_on = shared.with(|core, effects| {
                let go_on = take_in(core, effects);
                // Once for all that is there: a thread that is woken for the first of many only
                // takes the processor, or the lock, from who brings the rest.
                if !go_on && (follows != Follows::More || core.must_announce(effects)) {
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

#[inline]
fn hand_in(input: Input<'_>, core: &mut Core, role: Role, now: Moment, effects: &mut Effects<'_>) {
    match role {
        Role::Main => core.input(input, now, effects),
        _ => core.probe_input(input, now, effects),
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
        role: Role,
        now: Moment,
        effects: &mut Effects<'_>,
    ) {
        if let (Parsed::LateEngine, Frame::Text(Payload::Own(text))) = (self, &frame) {
            let text = String::from_utf8_lossy(text);
            let input = match engine::parse(&text) {
                Ok(packet) => Input::Engine(packet),
                Err(error) => Input::Malformed(error.to_string()),
            };
            return hand_in(input, core, role, now, effects);
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
        hand_in(input, core, role, now, effects);
    }
}

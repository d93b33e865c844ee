//! The stream of frames of one WebSocket, and who writes it.
//!
//! Owns positions in that stream: what is framed, what a writer has taken, what is with the
//! system, and where each packet lies. Refuses to know what is in a frame.

#![forbid(unsafe_code)]

use std::collections::VecDeque;

use super::Role;
use crate::transport::Transport;

/// Framed bytes on the way to the socket above which packets wait unframed.
pub(super) const ON_THE_WAY: u64 = 1024 * 1024;

/// What a quiet connection keeps room for.
const BYTES_AT_REST: usize = 256;

/// Who moves framed bytes to the socket. There is one writer at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writer {
    /// Nobody, and nothing is framed.
    Nobody,
    /// A caller that found the connection quiet.
    Caller,
    /// The driver, which has been told.
    Driver,
}

/// A packet that is framed but not wholly written.
pub(super) struct Mark {
    pub(super) start: u64,
    pub(super) end: u64,
    pub(super) sequence: u64,
    pub(super) cost: usize,
    pub(super) role: Role,
}

/// What there was of a stream when its connection ended.
pub(super) struct Ended {
    /// With the system are the bytes before this position; those of a write that goes on may be.
    pub(super) written: u64,
    /// Whether a writer is inside the system call.
    pub(super) busy: bool,
    /// From this position on the bytes are in `here`; a writer has those before.
    pub(super) here_from: u64,
    pub(super) here: Vec<u8>,
    pub(super) marks: VecDeque<Mark>,
}

pub(super) struct Stream {
    /// Framed, not yet taken by the writer.
    pub(super) frames: Vec<u8>,
    /// An empty buffer to swap with `frames`.
    spare: Vec<u8>,
    /// Taken by a caller who could not write it. It is the driver's to write, before `frames`, and
    /// nothing may be cut out of it: the stream below may have sealed a part of it already.
    held: Vec<u8>,
    writer: Writer,
    /// A writer is inside the system call, and nobody knows yet how far it came.
    busy: bool,
    /// Positions in the stream of bytes of this connection: what a writer has taken, and what it
    /// has handed to the system.
    taken: u64,
    written: u64,
    pub(super) marks: VecDeque<Mark>,
    /// So many bytes may be on the way; none if packets do not travel in frames.
    room: u64,
}

impl Stream {
    /// The stream of a new connection.
    pub(super) fn new() -> Self {
        Stream {
            frames: Vec::new(),
            spare: Vec::new(),
            held: Vec::new(),
            writer: Writer::Nobody,
            busy: false,
            taken: 0,
            written: 0,
            marks: VecDeque::new(),
            room: ON_THE_WAY,
        }
    }

    /// From now on packets travel this way.
    pub(super) fn begin(&mut self, transport: Transport) {
        self.busy = false;
        self.room = match transport {
            Transport::WebSocket => ON_THE_WAY,
            Transport::Polling => 0,
        };
    }

    /// The position behind all that is framed.
    #[inline]
    pub(super) fn framed(&self) -> u64 {
        self.taken + self.frames.len() as u64
    }

    #[inline]
    pub(super) fn is_written(&self) -> bool {
        self.written == self.framed()
    }

    pub(super) fn is_between_frames(&self) -> bool {
        self.is_written() && !self.busy
    }

    #[inline]
    pub(super) fn can_frame(&self) -> bool {
        self.framed() - self.written < self.room
    }

    #[inline]
    pub(super) fn is_being_written(&self) -> bool {
        self.writer != Writer::Nobody
    }

    pub(super) fn take_as_caller(&mut self) -> Option<Vec<u8>> {
        if self.writer != Writer::Nobody || self.frames.is_empty() {
            return None;
        }
        // What an earlier caller could not write has made the driver the writer.
        debug_assert!(self.held.is_empty());
        self.writer = Writer::Caller;
        self.busy = true;
        self.taken = self.framed();
        Some(std::mem::replace(&mut self.frames, std::mem::take(&mut self.spare)))
    }

    #[inline]
    pub(super) fn leave_to_driver(&mut self) -> bool {
        if self.writer != Writer::Nobody || (self.frames.is_empty() && self.held.is_empty()) {
            return false;
        }
        self.writer = Writer::Driver;
        true
    }

    pub(super) fn take_as_driver(&mut self, empty: &mut Vec<u8>) -> bool {
        if self.writer == Writer::Caller {
            return false;
        }
        if self.frames.is_empty() && self.held.is_empty() {
            // What it was told of has been cut out since.
            self.writer = Writer::Nobody;
            return false;
        }
        debug_assert!(empty.is_empty(), "the driver has written all that it took before");
        self.writer = Writer::Driver;
        self.busy = true;
        self.taken = self.framed();
        if self.held.is_empty() {
            std::mem::swap(&mut self.frames, empty);
        } else {
            // Rare: the socket was full.
            *empty = std::mem::take(&mut self.held);
            empty.append(&mut self.frames);
        }
        true
    }

    pub(super) fn begin_write(&mut self) {
        self.busy = true;
    }

    /// A caller has handed `count` bytes of `taken` to the system; true if the driver has to be
    /// told of the rest. [`Stream::wrote`] comes before it.
    pub(super) fn caller_left(&mut self, mut taken: Vec<u8>, count: usize) -> bool {
        if count < taken.len() {
            taken.drain(..count);
            self.held = taken;
        } else {
            self.spare = emptied(taken);
        }
        self.writer = Writer::Nobody;
        self.leave_to_driver()
    }

    /// The driver has handed over some of what it took, and may have none left.
    /// [`Stream::wrote`] comes before it.
    pub(super) fn driver_left(&mut self, done: bool) {
        if done && self.writer == Writer::Driver && self.frames.is_empty() {
            self.writer = Writer::Nobody;
        }
    }

    /// So many more bytes are with the system. The packets that have left with them come out by
    /// [`Stream::left`].
    #[inline]
    pub(super) fn wrote(&mut self, count: usize) {
        self.busy = false;
        self.written += count as u64;
    }

    /// Takes out the oldest packet if all of it is with the system: what it counted and was.
    #[inline]
    pub(super) fn left(&mut self) -> Option<(usize, Role)> {
        let mark = self.marks.front().filter(|mark| mark.end <= self.written)?;
        let left = (mark.cost, mark.role);
        self.marks.pop_front();
        Some(left)
    }

    /// Cuts a call out of the frames that nobody has taken yet. One that was taken has ended where
    /// it is.
    pub(super) fn cancel(&mut self, id: u64) -> Option<Mark> {
        let role = Role::Call(id);
        let at = self.marks.iter().position(|mark| mark.role == role)?;
        let found = &mut self.marks[at];
        if found.start < self.taken {
            found.role = Role::Ended;
            return None;
        }
        let mark = self.marks.remove(at)?;
        let len = mark.end - mark.start;
        // Both are within the frames, since nobody has taken the first byte yet.
        let start = (mark.start - self.taken) as usize;
        self.frames.drain(start..start + len as usize);
        for later in self.marks.iter_mut().skip(at) {
            later.start -= len;
            later.end -= len;
        }
        Some(mark)
    }

    pub(super) fn rest(&mut self) {
        rest(&mut self.frames);
        rest(&mut self.spare);
        self.marks.shrink_to(super::PACKETS_AT_REST);
    }

    /// The connection is gone: what there was, and an empty stream.
    pub(super) fn end(&mut self) -> Ended {
        let Stream { mut held, frames, busy, taken, written, marks, .. } =
            std::mem::replace(self, Stream::new());
        let here_from = taken - held.len() as u64;
        let here = match held.is_empty() {
            true => frames,
            false => {
                held.extend_from_slice(&frames);
                held
            }
        };
        Ended { written, busy, here_from, here, marks }
    }
}

/// An empty buffer from one that is done with; its room is kept unless a large packet made it.
pub fn emptied(mut buffer: Vec<u8>) -> Vec<u8> {
    if buffer.capacity() > 2 * ON_THE_WAY as usize {
        return Vec::new();
    }
    buffer.clear();
    buffer
}

/// Gives back what a buffer of a quiet connection does not need.
pub fn rest(buffer: &mut Vec<u8>) {
    buffer.shrink_to(BYTES_AT_REST);
}

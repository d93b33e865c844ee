//! Packets with attachments, put together again.
//!
//! Owns the packet that is under way and its limits. Refuses to know what becomes of it, and never
//! makes room for what is only announced: what it holds has arrived.

#![forbid(unsafe_code)]

use std::time::Duration;

use super::seam::{Attachment, Part, Settings, Text};
use super::time::Moment;
use crate::packet::socket::{BlockLayout, Packet};

/// What a packet is for, once all of it is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Another namespace: it is consumed and thrown away.
    Foreign,
    /// An event, with the number under which an answer is wanted.
    Event(Option<u64>),
    /// The answer to the call with this number.
    Reply(u64),
}

/// Why a packet cannot be taken, and the close code that says so to the server.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Flaw {
    pub(super) text: String,
    pub(super) code: u16,
}

/// At most one packet at a time; its blocks are used again for the next.
#[derive(Debug)]
pub(super) struct Reassembly {
    stage: Stage,
    /// Name NUL arguments NUL, then the small attachments.
    pub(super) block: Vec<u8>,
    pub(super) layout: BlockLayout,
    pub(super) parts: Vec<Part>,
}

#[derive(Debug)]
enum Stage {
    Idle,
    Under {
        purpose: Purpose,
        announced: usize,
        arrived: usize,
        /// Bytes of the text and of the attachments so far.
        bytes: usize,
        /// When a byte last came that can be one of this packet.
        moved: Moment,
        /// The same before the last read, for when that brought no byte of this packet.
        moved_before: Moment,
    },
}

impl Reassembly {
    pub(super) fn new() -> Self {
        Reassembly { stage: Stage::Idle, block: Vec::new(), layout: NO_LAYOUT, parts: Vec::new() }
    }

    /// For a connection that is quiet: gives back what only a busy one needs.
    pub(super) fn rest(&mut self) {
        if self.is_idle() {
            self.block = Vec::new();
            self.parts = Vec::new();
        }
    }

    /// Whether no packet is under way.
    #[inline]
    pub(super) fn is_idle(&self) -> bool {
        matches!(self.stage, Stage::Idle)
    }

    /// Starts with a packet that has at least one attachment.
    pub(super) fn begin(
        &mut self,
        packet: &Packet,
        text: Text<'_>,
        purpose: Purpose,
        limits: &Settings,
        now: Moment,
    ) -> Result<(), Flaw> {
        if packet.attachments > limits.max_attachments {
            return Err(Flaw {
                text: format!(
                    "a packet with {} attachments, and \"max_attachments\" is {}",
                    packet.attachments, limits.max_attachments
                ),
                code: TOO_BIG,
            });
        }
        // An Engine.IO type in front is no part of the packet.
        let typed = text.as_bytes().first() == Some(&b'4');
        let bytes = text.as_bytes().len() - usize::from(typed);
        if bytes > limits.max_message_bytes {
            return Err(too_many_bytes(limits));
        }
        self.parts.clear();
        match text {
            _ if purpose == Purpose::Foreign => self.block.clear(),
            Text::Here(text) => {
                self.block.clear();
                self.block.shrink_to(SCRATCH);
                self.layout = packet.write_block(text, &mut self.block);
            }
            Text::Own(text) => (self.block, self.layout) = packet.into_block(text),
        }
        self.stage = Stage::Under {
            purpose,
            announced: packet.attachments,
            arrived: 0,
            bytes,
            moved: now,
            moved_before: now,
        };
        Ok(())
    }

    /// Adds the next attachment; the purpose if it was the last one.
    pub(super) fn add(
        &mut self,
        attachment: Attachment<'_>,
        limits: &Settings,
        now: Moment,
    ) -> Result<Option<Purpose>, Flaw> {
        let Stage::Under { purpose, announced, arrived, bytes, moved, moved_before } =
            &mut self.stage
        else {
            return Err(Flaw {
                text: "a binary message that no packet announced".into(),
                code: PROTOCOL_ERROR,
            });
        };
        *bytes = bytes.saturating_add(attachment.as_bytes().len());
        if *bytes > limits.max_message_bytes {
            return Err(too_many_bytes(limits));
        }
        (*moved, *moved_before) = (now, now);
        *arrived += 1;
        let complete = (arrived == announced).then_some(*purpose);
        if *purpose != Purpose::Foreign {
            self.keep(attachment);
        }
        if complete.is_some() {
            self.stage = Stage::Idle;
        }
        Ok(complete)
    }

    /// Gives up what is under way.
    pub(super) fn reset(&mut self) {
        *self = Reassembly::new();
    }

    /// Bytes arrived, which may be of an attachment.
    #[inline]
    pub(super) fn touch(&mut self, now: Moment) {
        if let Stage::Under { moved, moved_before, .. } = &mut self.stage {
            (*moved_before, *moved) = (*moved, now);
        }
    }

    /// What arrived last was a heartbeat or the like, which keeps no attachment alive.
    pub(super) fn untouch(&mut self) {
        if let Stage::Under { moved, moved_before, .. } = &mut self.stage {
            *moved = *moved_before;
        }
    }

    /// Nothing was read for so long, up to now, because reading was paused.
    pub(super) fn shift(&mut self, pause: Duration, now: Moment) {
        if let Stage::Under { moved, moved_before, .. } = &mut self.stage {
            *moved = (*moved + pause).min(now);
            *moved_before = (*moved_before + pause).min(now);
        }
    }

    /// When the wait for the rest of a packet ends.
    pub(super) fn deadline(&self) -> Option<Moment> {
        match &self.stage {
            Stage::Idle => None,
            Stage::Under { moved, .. } => Some(*moved + PATIENCE),
        }
    }

    /// How far the packet under way has come, for a text.
    pub(super) fn progress(&self) -> String {
        match &self.stage {
            Stage::Idle => String::new(),
            Stage::Under { announced, arrived, .. } => {
                format!("{arrived} of {announced} attachments had come")
            }
        }
    }

    fn keep(&mut self, attachment: Attachment<'_>) {
        let part = match attachment {
            Attachment::Here(bytes) => {
                let start = self.block.len().next_multiple_of(ALIGNMENT);
                self.block.resize(start, 0);
                self.block.extend_from_slice(bytes);
                Part::Within { start, len: bytes.len() }
            }
            Attachment::Own(bytes) => Part::Own(bytes),
        };
        self.parts.push(part);
    }
}

fn too_many_bytes(limits: &Settings) -> Flaw {
    Flaw {
        text: format!(
            "a packet that is larger, its attachments counted, than \"max_message_bytes\" ({})",
            limits.max_message_bytes
        ),
        code: TOO_BIG,
    }
}

/// Before the first packet.
const NO_LAYOUT: BlockLayout =
    BlockLayout { name_start: 0, name_len: 0, args_start: 0, args_len: 0 };

/// So long may nothing come of a packet whose attachments are awaited.
const PATIENCE: Duration = Duration::from_secs(30);

/// Each small attachment starts at a multiple of this, as programs expect of memory.
const ALIGNMENT: usize = 16;

/// More than this a block that nobody took away does not keep.
const SCRATCH: usize = 64 << 10;

/// The close code for what the protocol does not allow.
pub(super) const PROTOCOL_ERROR: u16 = 1002;

/// The close code for what is larger than we take.
const TOO_BIG: u16 = 1009;

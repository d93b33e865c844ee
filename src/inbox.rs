//! What has arrived and waits for the program: order, limits, and what is dropped.
//!
//! Owns the queue of events as one run of bytes cut into chunks, so that a queued event costs its
//! text and a small entry and no allocation. Refuses to know the wire: it is handed parcels whose
//! text is checked, and it lays them out as the message that the program will read.

#![forbid(unsafe_code)]

use std::collections::VecDeque;

use crate::message::{Message, MessageKind};
use crate::options::Overflow;
use crate::packet::socket::BlockLayout;
use crate::session::{Parcel, Part, Text};

mod results;
mod table;
#[cfg(test)]
mod tests;

pub use results::Finished;
use results::Results;

/// The name and arguments of one message, laid out as `name NUL args NUL`, with its buffers.
#[derive(Debug, Default)]
pub struct Block {
    /// The bytes that the layout and the parts point into.
    pub bytes: Vec<u8>,
    /// Where name and arguments stand.
    pub layout: BlockLayout,
    /// The byte buffers, in the order of their numbers; none in most messages.
    pub parts: Option<Box<[Part]>>,
}

/// What it takes to answer an event: the acknowledgement id and the connection it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnswerTo {
    /// The id that the server gave.
    pub id: u64,
    /// The number of the connection that the event came by.
    pub epoch: u64,
}

/// How an arriving event fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It waits for the program; so many older ones were dropped to make room.
    Queued {
        /// Events that "drop_oldest" gave up.
        dropped: u64,
    },
    /// It was dropped.
    Dropped,
}

/// Bytes in a chunk. An event that would fill more than half of one gets a block of its own.
const CHUNK: usize = 64 * 1024;

/// Bytes in the first chunk: enough for a client that is idle, of which a program may have
/// thousands. Each that is needed beside another is four times as large.
const FIRST_CHUNK: usize = 512;

const OWN_BLOCK: usize = CHUNK / 2;

/// Entries for which an empty queue keeps room.
const ENTRIES_KEPT: usize = 16 * 1024;
const ENTRIES_AT_REST: usize = 16;

/// What each queued event counts beside its bytes.
pub const OVERHEAD: usize = 128;

struct Chunk {
    bytes: Vec<u8>,
    read: usize,
}

struct Entry {
    /// Bytes of text and buffers in the chunk; 0 if the event has a block of its own.
    size: u32,
    name_len: u16,
    /// How many buffers there are among them, if nothing else is to be said of the event. Where they
    /// are stands behind those bytes: two allocations for each event would cost more than all else.
    within: u16,
    answer: Option<Box<AnswerTo>>,
    extra: Option<Box<Extra>>,
}

/// What only events with buffers, large ones, and state messages have.
enum Extra {
    /// Name, arguments and small buffers stand in the chunk, other buffers do not.
    InChunk { args_len: usize, parts: Vec<Part> },
    /// All stands in a block of its own.
    Own(Block),
    /// No event: what became of the connection. It has a block of its own, because it may go
    /// before events whose text stands in the chunk already.
    State(MessageKind, Block),
    /// The attempt with this ticket is due, and begins when the message is given back.
    Attempt(u64, Block),
}

impl Entry {
    /// Bytes that it takes in the chunk.
    fn in_chunk(&self) -> usize {
        self.size as usize + table::len(self.within)
    }

    /// Bytes of text and buffers.
    fn bytes(&self) -> usize {
        let outside = match self.extra.as_deref() {
            None => 0,
            Some(Extra::InChunk { parts, .. }) => parts.iter().map(Part::outside).sum(),
            Some(Extra::Own(block) | Extra::State(_, block) | Extra::Attempt(_, block)) => {
                block.len()
            }
        };
        self.size as usize + outside
    }

    fn is_event(&self) -> bool {
        !matches!(self.extra.as_deref(), Some(Extra::State(..) | Extra::Attempt(..)))
    }
}

/// The queue of events.
pub struct Inbox {
    chunks: VecDeque<Chunk>,
    entries: VecDeque<Entry>,
    /// Entries at the end that came before the namespace was acknowledged.
    held: usize,
    /// How started operations ended; their cost is part of the whole.
    results: Results,
    cost: usize,
    cost_max: usize,
    limit: usize,
    overflow: Overflow,
    /// The limit was reached, and the program has not yet taken enough for reading to be worth
    /// its while again.
    full: bool,
}

impl Inbox {
    /// An empty queue.
    pub fn new(limit: usize, overflow: Overflow) -> Self {
        Inbox {
            chunks: VecDeque::new(),
            entries: VecDeque::new(),
            held: 0,
            results: Results::default(),
            cost: 0,
            cost_max: 0,
            limit,
            overflow,
            full: false,
        }
    }

    /// Sets limit and policy for what comes from now on.
    pub fn configure(&mut self, limit: usize, overflow: Overflow) {
        self.limit = limit;
        self.overflow = overflow;
        self.full = false;
    }

    /// Whether nothing can be taken.
    pub fn is_empty(&self) -> bool {
        self.entries.len() == self.held
    }

    /// Events that wait, those held back included.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Bytes that wait, with the overhead of each event.
    pub fn cost(&self) -> usize {
        self.cost
    }

    /// The most that ever waited.
    pub fn cost_max(&self) -> usize {
        self.cost_max
    }

    /// Whether reading has to pause until the program takes something: from the moment that the
    /// limit is reached until half of it is free, so that a slow program does not start and stop
    /// the reading for each event.
    #[inline]
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// What is held back cannot be taken, so it never makes the queue full.
    #[inline]
    fn fill(&mut self) {
        self.full |= self.overflow == Overflow::Pause
            && self.cost >= self.limit
            && self.has_something_to_take();
    }

    #[inline]
    fn drain(&mut self) {
        self.full &= self.cost > self.limit / 2 && self.has_something_to_take();
    }

    #[inline]
    fn has_something_to_take(&self) -> bool {
        !self.is_empty() || !self.results.is_empty()
    }

    /// Takes in an event. With `hold` it is not handed out before [`Inbox::release`]. With
    /// `must_fit` an event for which there is no room is dropped whatever the policy.
    #[inline]
    pub fn push(
        &mut self,
        parcel: Parcel<'_>,
        answer: Option<AnswerTo>,
        hold: bool,
        must_fit: bool,
    ) -> Pushed {
        let mut dropped = 0;
        if self.cost >= self.limit {
            match self.overflow {
                Overflow::Pause if !hold && !must_fit => (),
                Overflow::Pause | Overflow::DropNewest => return Pushed::Dropped,
                Overflow::DropOldest => {
                    while self.cost >= self.limit && self.drop_front() {
                        dropped += 1;
                    }
                }
            }
        }
        let answer = answer.map(Box::new);
        let entry = match parcel {
            Parcel::Plain { packet, text: Text::Here(text) } if text.len() < OWN_BLOCK => {
                let chunk = self.chunk_with_room(text.len() + 16);
                let start = chunk.len();
                let layout = packet.write_block(text, chunk);
                let size = (chunk.len() - start) as u32;
                Entry { size, name_len: layout.name_len as u16, within: 0, answer, extra: None }
            }
            // A block that was made in place begins with what stood before the name.
            Parcel::Assembled { block, layout, parts }
                if block.len() < OWN_BLOCK && layout.name_start == 0 =>
            {
                let within = table::count(parts);
                let chunk = self.chunk_with_room(block.len() + table::len(within));
                chunk.extend_from_slice(block);
                let extra = match within {
                    0 => {
                        let parts = std::mem::take(parts);
                        Some(Box::new(Extra::InChunk { args_len: layout.args_len, parts }))
                    }
                    _ => {
                        table::write(chunk, layout.args_len, parts);
                        None
                    }
                };
                let (size, name_len) = (block.len() as u32, layout.name_len as u16);
                Entry { size, name_len, within, answer, extra }
            }
            large => {
                let extra = Some(Box::new(Extra::Own(Block::from_parcel(large))));
                Entry { size: 0, name_len: 0, within: 0, answer, extra }
            }
        };
        self.held += usize::from(hold);
        self.cost += entry.bytes() + OVERHEAD;
        self.entries.push_back(entry);
        self.cost_max = self.cost_max.max(self.cost);
        self.fill();
        Pushed::Queued { dropped }
    }

    /// Takes in a state message: a JSON array of what is told. It is always taken and never makes
    /// an event go; it stands behind the events that have come and before those that are held back.
    pub fn push_state(&mut self, kind: MessageKind, args: &str) {
        self.push_told(Extra::State(kind, Block::nameless(args)));
    }

    /// Takes in the message that an attempt is due, in the same way.
    pub fn push_attempt(&mut self, ticket: u64, args: &str) {
        self.push_told(Extra::Attempt(ticket, Block::nameless(args)));
    }

    fn push_told(&mut self, told: Extra) {
        let extra = Some(Box::new(told));
        let entry = Entry { size: 0, name_len: 0, within: 0, answer: None, extra };
        self.cost += entry.bytes() + OVERHEAD;
        self.entries.insert(self.entries.len() - self.held, entry);
        self.cost_max = self.cost_max.max(self.cost);
        self.fill();
    }

    /// Takes the oldest event or state message. The message is made here, in the thread that takes it: memory that
    /// one thread makes and another frees costs several times as much.
    #[inline]
    pub fn pop(&mut self) -> Option<Box<Message>> {
        if self.is_empty() {
            return None;
        }
        let entry = self.entries.pop_front()?;
        Some(self.unpack(entry))
    }

    /// Makes the message of an entry that was taken out, the oldest of those whose text is in a chunk.
    #[inline]
    fn unpack(&mut self, entry: Entry) -> Box<Message> {
        if self.entries.is_empty() && self.entries.capacity() > ENTRIES_KEPT {
            self.entries = VecDeque::new();
        }
        self.cost -= entry.bytes() + OVERHEAD;
        self.drain();
        let answer = entry.answer.map(|answer| *answer);
        let size = entry.size as usize;
        let name_len = usize::from(entry.name_len);
        let Some(extra) = entry.extra else {
            if entry.within > 0 {
                let (bytes, (args_len, parts)) =
                    self.consume(size, table::len(entry.within), table::read);
                let block = Block { bytes, layout: layout(name_len, args_len), parts: Some(parts) };
                return Message::event(block, answer);
            }
            let (bytes, ()) = self.consume(size, 0, |_| ());
            let block = Block { bytes, layout: layout(name_len, size - name_len - 2), parts: None };
            return Message::event(block, answer);
        };
        let block = match *extra {
            Extra::InChunk { args_len, parts } => {
                let (bytes, ()) = self.consume(size, 0, |_| ());
                Block { bytes, layout: layout(name_len, args_len), parts: Some(parts.into()) }
            }
            Extra::Own(block) => block,
            Extra::State(kind, block) => return Message::state(kind, block),
            Extra::Attempt(ticket, block) => return Message::attempt(ticket, block),
        };
        Message::event(block, answer)
    }

    /// Hands out from now on what was held back.
    pub fn release(&mut self) {
        self.held = 0;
        self.fill();
    }

    /// Drops what is held back and says how much that was.
    pub fn drop_held(&mut self) -> u64 {
        let dropped = self.held as u64;
        for entry in self.entries.drain(self.entries.len() - self.held..).rev() {
            self.cost -= entry.bytes() + OVERHEAD;
            if let (Some(chunk), size @ 1..) = (self.chunks.back_mut(), entry.in_chunk()) {
                chunk.bytes.truncate(chunk.bytes.len() - size);
                if chunk.bytes.len() == chunk.read && self.chunks.len() > 1 {
                    self.chunks.pop_back();
                }
            }
        }
        self.held = 0;
        dropped
    }

    /// Drops the messages of attempts: those are over, and nobody waits for the program any more.
    pub fn drop_attempts(&mut self) {
        let attempt = |entry: &Entry| matches!(entry.extra.as_deref(), Some(Extra::Attempt(..)));
        // It is the newest that can be taken, if there is one.
        while let Some(index) = self.entries.iter().rposition(attempt) {
            // What is held back stands behind it, and stays what it is.
            if let Some(entry) = self.entries.remove(index) {
                self.cost -= entry.bytes() + OVERHEAD;
            }
        }
        self.drain();
    }

    /// Drops all events and state messages, and says how many events that were.
    pub fn clear(&mut self) -> u64 {
        let dropped = self.entries.iter().filter(|entry| entry.is_event()).count();
        self.entries.clear();
        self.chunks.clear();
        self.held = 0;
        self.cost = self.results.cost();
        self.full = false;
        self.fill();
        dropped as u64
    }

    /// For a connection that is quiet: gives back what only a busy one needs.
    pub fn rest(&mut self) {
        if self.entries.is_empty() {
            self.entries.shrink_to(ENTRIES_AT_REST);
            self.chunks.retain(|chunk| chunk.bytes.capacity() <= FIRST_CHUNK);
        }
    }

    /// Drops the oldest event; state messages stay.
    fn drop_front(&mut self) -> bool {
        let Some(index) = self.entries.iter().position(Entry::is_event) else { return false };
        self.held = self.held.min(self.entries.len() - index - 1);
        let Some(entry) = self.entries.remove(index) else { return false };
        drop(self.unpack(entry));
        true
    }

    fn chunk_with_room(&mut self, bytes: usize) -> &mut Vec<u8> {
        let fits = self
            .chunks
            .back()
            .is_some_and(|chunk| chunk.bytes.len() + bytes <= chunk.bytes.capacity());
        if !fits {
            let last = self.chunks.back().map_or(0, |chunk| chunk.bytes.capacity());
            let size = (last * 4).clamp(FIRST_CHUNK, CHUNK).max(bytes);
            self.chunks.push_back(Chunk { bytes: Vec::with_capacity(size), read: 0 });
        }
        let last = self.chunks.len() - 1;
        &mut self.chunks[last].bytes
    }

    /// Copies the next `size` bytes out, reads the `behind` bytes that follow, and gives up a chunk
    /// that is used up.
    #[inline]
    fn consume<T>(
        &mut self,
        size: usize,
        behind: usize,
        read: impl FnOnce(&[u8]) -> T,
    ) -> (Vec<u8>, T) {
        loop {
            let last = self.chunks.len() == 1;
            let chunk = &mut self.chunks[0];
            if chunk.read == chunk.bytes.len() && !last {
                self.chunks.pop_front();
                continue;
            }
            let (text, rest) = chunk.bytes[chunk.read..].split_at(size);
            let taken = (text.to_vec(), read(&rest[..behind]));
            chunk.read += size + behind;
            if chunk.read == chunk.bytes.len() && last {
                chunk.bytes.clear();
                chunk.read = 0;
            }
            return taken;
        }
    }
}

impl Block {
    /// Lays out a parcel in a block of its own.
    pub fn from_parcel(parcel: Parcel<'_>) -> Self {
        match parcel {
            Parcel::Plain { packet, text: Text::Here(text) } => {
                let mut bytes = Vec::with_capacity(text.len() + 8);
                let layout = packet.write_block(text, &mut bytes);
                Block { bytes, layout, parts: None }
            }
            Parcel::Plain { packet, text: Text::Own(text) } => {
                let (bytes, layout) = packet.into_block(text);
                Block { bytes, layout, parts: None }
            }
            Parcel::Assembled { block, layout, parts } => {
                // A small block is the session's scratch: it is copied, so that the scratch
                // keeps its room. A large one is worth more than its allocation.
                let bytes =
                    if block.len() < OWN_BLOCK { block.clone() } else { std::mem::take(block) };
                Block { bytes, layout, parts: Some(std::mem::take(parts).into()) }
            }
        }
    }

    /// The byte buffers.
    pub fn buffers(&self) -> &[Part] {
        self.parts.as_deref().unwrap_or_default()
    }

    /// Without a name, for what the library tells by itself.
    fn nameless(args: &str) -> Self {
        let mut bytes = Vec::with_capacity(args.len() + 2);
        bytes.push(0);
        bytes.extend_from_slice(args.as_bytes());
        bytes.push(0);
        Block { bytes, layout: layout(0, args.len()), parts: None }
    }

    /// Bytes of text and buffers.
    pub fn len(&self) -> usize {
        self.bytes.len() + self.buffers().iter().map(Part::outside).sum::<usize>()
    }

    /// Whether there is nothing at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn layout(name_len: usize, args_len: usize) -> BlockLayout {
    BlockLayout { name_start: 0, name_len, args_start: name_len + 1, args_len }
}

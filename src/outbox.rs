//! What waits for the network: framed bytes, and behind them packets not yet framed.
//!
//! Owns order, limits and the count of what is lost, and who writes. A packet is framed straight
//! into the out buffer while about a mebibyte is on its way to the socket; what comes after that
//! waits as a packet, from where it can still be taken back. Refuses to know the protocol: it is
//! told what to frame and never why.

#![forbid(unsafe_code)]

use std::collections::VecDeque;

use crate::packet::socket::Outgoing;
use crate::transport::frame::{self, OpCode};
use crate::transport::mask::MaskKeys;

/// What each queued packet counts beside its bytes.
pub const OVERHEAD: usize = 128;

/// Framed bytes on the way to the socket above which packets wait unframed.
const ON_THE_WAY: usize = 1024 * 1024;

/// The Engine.IO packet type of a message, which goes before Socket.IO text.
const MESSAGE: u8 = b'4';

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

/// What a packet is to the one who waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// An event for which no answer is awaited.
    Event,
    /// An event whose acknowledgement has this id.
    Call(u64),
    /// The answer to an event of the server's.
    Answer,
}

/// A packet that is framed but not wholly written.
struct Mark {
    start: u64,
    end: u64,
    sequence: u64,
    cost: usize,
    role: Role,
}

/// A packet that is not yet framed.
pub struct Packet {
    /// Socket.IO text without the Engine.IO type.
    pub text: Vec<u8>,
    /// The byte buffers that follow it.
    pub buffers: Vec<Vec<u8>>,
    /// What it is.
    pub role: Role,
    sequence: u64,
}

impl Packet {
    fn cost(&self) -> usize {
        cost(self.text.len(), self.buffers.iter().map(Vec::len))
    }
}

/// What a packet counts against the limit.
pub fn cost(text: usize, buffers: impl Iterator<Item = usize>) -> usize {
    OVERHEAD + text + buffers.sum::<usize>()
}

/// Packets that were lost with a connection.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// How many packets of the program's there were.
    pub packets: u64,
    /// The calls among them of which no byte had been handed to the system.
    pub unsent_calls: Vec<u64>,
}

/// Packets that a writer was handing to the system when their connection ended.
struct Limbo {
    link: u64,
    written: u64,
    ends: Vec<u64>,
}

/// The queue towards the network.
pub struct Outbox {
    keys: MaskKeys,
    /// Framed, not yet taken by the writer.
    frames: Vec<u8>,
    /// An empty buffer to swap with `frames`.
    spare: Vec<u8>,
    writer: Writer,
    /// A writer is inside the system call, and nobody knows yet how far it came.
    busy: bool,
    /// Positions in the stream of bytes of this connection: what a writer has taken, and what it
    /// has handed to the system.
    taken: u64,
    written: u64,
    marks: VecDeque<Mark>,
    waiting: VecDeque<Packet>,
    sequence: u64,
    cost: usize,
    cost_max: usize,
    answers_cost: usize,
    lost_since_flush: bool,
    /// How often packets were lost.
    losses: u64,
    limbo: Option<Limbo>,
}

impl Outbox {
    /// An empty queue whose masking keys come from `seed`.
    pub fn new(seed: [u8; 32]) -> Self {
        Outbox {
            keys: MaskKeys::new(seed),
            frames: Vec::new(),
            spare: Vec::new(),
            writer: Writer::Nobody,
            busy: false,
            taken: 0,
            written: 0,
            marks: VecDeque::new(),
            waiting: VecDeque::new(),
            sequence: 0,
            cost: 0,
            cost_max: 0,
            answers_cost: 0,
            lost_since_flush: false,
            losses: 0,
            limbo: None,
        }
    }

    /// Packets of the program's that wait, framed or not.
    pub fn len(&self) -> usize {
        self.marks.len() + self.waiting.len()
    }

    /// Whether no packet of the program's waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes that wait, with the overhead of each packet.
    pub fn cost(&self) -> usize {
        self.cost
    }

    /// The most that ever waited.
    pub fn cost_max(&self) -> usize {
        self.cost_max
    }

    /// What the answers among them count.
    pub fn answers_cost(&self) -> usize {
        self.answers_cost
    }

    /// Whether a packet of this cost may be queued under `limit`. One larger than the limit is
    /// taken when nothing else waits.
    pub fn has_room(&self, cost: usize, limit: usize) -> bool {
        self.is_empty() || self.cost.saturating_add(cost) <= limit
    }

    /// Whether every byte that was framed has been handed to the system.
    pub fn is_written(&self) -> bool {
        self.written == self.framed()
    }

    /// Whether nothing that was framed is on its way, so that the stream ends between two frames.
    pub fn is_between_frames(&self) -> bool {
        self.is_written() && !self.busy
    }

    /// Whether packets wait that are not yet framed.
    pub fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether another frame may go on its way now.
    pub fn can_frame(&self) -> bool {
        self.framed() - self.written < ON_THE_WAY as u64
    }

    /// Queues a packet: framed at once if `connected` and nothing waits before it.
    pub fn push(
        &mut self,
        outgoing: &Outgoing<'_>,
        namespace: &str,
        buffers: &[&[u8]],
        role: Role,
        connected: bool,
    ) {
        let text_len = outgoing.len(namespace);
        let cost = cost(text_len, buffers.iter().map(|buffer| buffer.len()));
        self.sequence += 1;
        self.cost += cost;
        self.cost_max = self.cost_max.max(self.cost);
        if role == Role::Answer {
            self.answers_cost += cost;
        }
        if connected && self.waiting.is_empty() && self.can_frame() {
            let start = self.framed();
            frame::write_frame(
                &mut self.frames,
                OpCode::Text,
                text_len + 1,
                self.keys.next(),
                |out| {
                    out.push(MESSAGE);
                    outgoing.write(namespace, out);
                },
            );
            for buffer in buffers {
                frame::write_slice(&mut self.frames, OpCode::Binary, buffer, self.keys.next());
            }
            let (end, sequence) = (self.framed(), self.sequence);
            self.marks.push_back(Mark { start, end, sequence, cost, role });
        } else {
            let mut text = Vec::with_capacity(text_len);
            outgoing.write(namespace, &mut text);
            let buffers = buffers.iter().map(|buffer| buffer.to_vec()).collect();
            self.waiting.push_back(Packet { text, buffers, role, sequence: self.sequence });
        }
    }

    /// The oldest packet that is not yet framed.
    pub fn waiting(&self) -> Option<&Packet> {
        self.waiting.front()
    }

    /// Frames the oldest packet that waits.
    pub fn frame_waiting(&mut self) {
        let Some(packet) = self.waiting.pop_front() else { return };
        let start = self.framed();
        let len = packet.text.len() + 1;
        frame::write_frame(&mut self.frames, OpCode::Text, len, self.keys.next(), |out| {
            out.push(MESSAGE);
            out.extend_from_slice(&packet.text);
        });
        for buffer in &packet.buffers {
            frame::write_slice(&mut self.frames, OpCode::Binary, buffer, self.keys.next());
        }
        let (end, cost) = (self.framed(), packet.cost());
        let Packet { role, sequence, .. } = packet;
        self.marks.push_back(Mark { start, end, sequence, cost, role });
    }

    /// Takes the oldest packet that waits out of the queue for good.
    pub fn drop_waiting(&mut self) -> Option<Packet> {
        let packet = self.waiting.pop_front()?;
        self.forget(packet.cost(), packet.role);
        self.note_loss(1);
        Some(packet)
    }

    /// Takes a call that has ended out of the queue, unless a writer has taken it already.
    pub fn cancel_call(&mut self, id: u64) -> bool {
        let role = Role::Call(id);
        if let Some(at) = self.waiting.iter().position(|packet| packet.role == role) {
            if let Some(packet) = self.waiting.remove(at) {
                self.forget(packet.cost(), role);
            }
            return true;
        }
        let framed = |mark: &Mark| mark.role == role && mark.start >= self.taken;
        let Some(at) = self.marks.iter().position(framed) else { return false };
        let Some(mark) = self.marks.remove(at) else { return false };
        let len = mark.end - mark.start;
        // Both are within the frames, since nobody has taken the first byte yet.
        let start = (mark.start - self.taken) as usize;
        self.frames.drain(start..start + len as usize);
        for later in self.marks.iter_mut().skip(at) {
            later.start -= len;
            later.end -= len;
        }
        self.forget(mark.cost, role);
        true
    }

    /// Frames a control packet of Engine.IO, or Socket.IO text, as a text message.
    pub fn frame_text(&mut self, engine_type: u8, text: &[u8]) {
        frame::write_frame(
            &mut self.frames,
            OpCode::Text,
            text.len() + 1,
            self.keys.next(),
            |out| {
                out.push(engine_type);
                out.extend_from_slice(text);
            },
        );
    }

    /// Frames a control frame of WebSocket's.
    pub fn frame_control(&mut self, code: OpCode, payload: &[u8]) {
        frame::write_slice(&mut self.frames, code, payload, self.keys.next());
    }

    /// Whether somebody writes, who will see what is framed.
    pub fn is_being_written(&self) -> bool {
        self.writer != Writer::Nobody
    }

    /// Whether a caller may write by itself what it has just framed: nobody else writes. It then
    /// has to give the bytes back to [`Outbox::wrote`].
    pub fn take_as_caller(&mut self) -> Option<Vec<u8>> {
        if self.writer != Writer::Nobody || self.frames.is_empty() {
            return None;
        }
        self.writer = Writer::Caller;
        self.busy = true;
        self.taken += self.frames.len() as u64;
        Some(std::mem::replace(&mut self.frames, std::mem::take(&mut self.spare)))
    }

    /// Makes the driver the writer, unless somebody writes already; true if it has to be told.
    pub fn leave_to_driver(&mut self) -> bool {
        if self.writer != Writer::Nobody || self.frames.is_empty() {
            return false;
        }
        self.writer = Writer::Driver;
        true
    }

    /// The driver takes what is framed, if no caller is writing.
    pub fn take_as_driver(&mut self, empty: &mut Vec<u8>) -> bool {
        if self.writer == Writer::Caller {
            return false;
        }
        if self.frames.is_empty() {
            // What it was told of has been cut out since.
            self.writer = Writer::Nobody;
            return false;
        }
        self.writer = Writer::Driver;
        self.busy = true;
        self.taken += self.frames.len() as u64;
        std::mem::swap(&mut self.frames, empty);
        true
    }

    /// The driver goes on with what it took before.
    pub fn begin_write(&mut self) {
        self.busy = true;
    }

    /// A caller has handed `count` bytes of `taken` to the system. What is left is the driver's;
    /// true if it has to be told.
    pub fn caller_wrote(&mut self, mut taken: Vec<u8>, count: usize) -> bool {
        self.wrote(count);
        if count < taken.len() {
            // Rare: the socket is full. What was framed meanwhile goes behind the rest.
            taken.drain(..count);
            self.taken -= taken.len() as u64;
            taken.append(&mut self.frames);
            self.frames = taken;
        } else {
            self.spare = emptied(taken);
        }
        self.writer = Writer::Nobody;
        self.leave_to_driver()
    }

    /// The driver has handed `count` bytes to the system; `done` if it has none left over.
    pub fn driver_wrote(&mut self, count: usize, done: bool) {
        self.wrote(count);
        if done && self.writer == Writer::Driver && self.frames.is_empty() {
            self.writer = Writer::Nobody;
        }
    }

    /// Takes all calls out that are not framed yet, and says which those were, in order.
    pub fn cancel_calls(&mut self) -> Vec<u64> {
        let mut cancelled = Vec::new();
        let mut freed = 0;
        self.waiting.retain(|packet| {
            let Role::Call(id) = packet.role else { return true };
            cancelled.push(id);
            freed += packet.cost();
            false
        });
        self.cost -= freed;
        cancelled
    }

    /// The number of the packet queued last; see [`Outbox::is_flushed`].
    pub fn last_sequence(&self) -> u64 {
        self.sequence
    }

    /// Whether every packet up to this number has left the queue.
    pub fn is_flushed(&self, sequence: u64) -> bool {
        let oldest = match (self.marks.front(), self.waiting.front()) {
            (Some(mark), _) => mark.sequence,
            (None, Some(packet)) => packet.sequence,
            (None, None) => return true,
        };
        oldest > sequence
    }

    /// Whether a packet was lost since this was last asked.
    pub fn take_loss(&mut self) -> bool {
        std::mem::take(&mut self.lost_since_flush)
    }

    /// How often packets were lost so far.
    pub fn losses(&self) -> u64 {
        self.losses
    }

    /// The connection with this link is gone: gives up all that was not wholly written, and starts
    /// a new stream. What a writer is just handing to the system is settled when it reports.
    pub fn lose_all(&mut self, link: u64) -> Lost {
        let begun = self.begun();
        let unsettled = self.marks.iter().filter(|mark| self.busy && mark.start < begun);
        let ends: Vec<u64> = unsettled.map(|mark| mark.end).collect();
        let mut lost = Lost { packets: (self.len() - ends.len()) as u64, unsent_calls: Vec::new() };
        if self.busy {
            let limbo = Limbo { link, written: self.written, ends };
            // Whoever has not reported since an earlier end will hardly have written.
            lost.packets += self.limbo.replace(limbo).map_or(0, |limbo| limbo.ends.len() as u64);
        }
        let unwritten = self.marks.iter().filter(|mark| mark.start >= begun);
        let roles = unwritten.map(|mark| mark.role);
        for role in roles.chain(self.waiting.iter().map(|packet| packet.role)) {
            if let Role::Call(id) = role {
                lost.unsent_calls.push(id);
            }
        }
        self.note_loss(lost.packets);
        self.marks.clear();
        self.waiting.clear();
        self.frames = Vec::new();
        self.spare = Vec::new();
        self.writer = Writer::Nobody;
        self.busy = false;
        self.taken = 0;
        self.written = 0;
        self.cost = 0;
        self.answers_cost = 0;
        lost
    }

    /// The writer that was busy when its connection ended has handed over `count` bytes; how many
    /// packets that leaves lost.
    pub fn settle_limbo(&mut self, link: u64, count: usize) -> u64 {
        let Some(limbo) = self.limbo.take_if(|limbo| limbo.link == link) else { return 0 };
        let written = limbo.written + count as u64;
        let lost = limbo.ends.iter().filter(|end| **end > written).count() as u64;
        self.note_loss(lost);
        lost
    }

    fn note_loss(&mut self, packets: u64) {
        self.lost_since_flush |= packets > 0;
        self.losses += u64::from(packets > 0);
    }

    fn wrote(&mut self, count: usize) {
        self.busy = false;
        self.written += count as u64;
        while let Some(mark) = self.marks.front() {
            if mark.end > self.written {
                break;
            }
            let (cost, role) = (mark.cost, mark.role);
            self.marks.pop_front();
            self.forget(cost, role);
        }
    }

    /// The position up to which bytes are, or may be, with the system.
    fn begun(&self) -> u64 {
        if self.busy { self.taken } else { self.written }
    }

    fn framed(&self) -> u64 {
        self.taken + self.frames.len() as u64
    }

    fn forget(&mut self, cost: usize, role: Role) {
        self.cost -= cost;
        if role == Role::Answer {
            self.answers_cost -= cost;
        }
    }
}

/// An empty buffer from one that is done with; its room is kept unless a large packet made it.
pub fn emptied(mut buffer: Vec<u8>) -> Vec<u8> {
    if buffer.capacity() > 2 * ON_THE_WAY {
        return Vec::new();
    }
    buffer.clear();
    buffer
}

#[cfg(test)]
mod tests;

//! What waits for the network: packets that are encoded for the connection there is, and behind
//! them packets that are not.
//!
//! Owns order, limits and the count of what is lost. By WebSocket a packet is framed straight into
//! the out buffer while about a mebibyte is on its way to the socket (`stream`); by polling it goes
//! into the body of the next POST (`posting`). What comes after that waits as a packet (`waiting`),
//! from where it can still be taken back. What stays when a connection ends is said in `losing`.
//! Refuses to know the protocol: it is told what to send and never why.

#![forbid(unsafe_code)]

mod losing;
mod posting;
mod stream;
mod waiting;

use crate::packet::socket::Outgoing;
use crate::transport::Transport;
use crate::transport::frame::{self, OpCode};
use crate::transport::mask::MaskKeys;
use losing::Limbo;
use posting::Posting;
use stream::{Mark, Stream};
use waiting::Waiting;

pub use losing::{Keep, Lost};
pub use stream::{emptied, rest};
pub use waiting::Packet;

/// What each queued packet counts beside its bytes.
pub const OVERHEAD: usize = 128;

/// For how many packets a quiet connection keeps room.
const PACKETS_AT_REST: usize = 16;

/// The Engine.IO packet type of a message, which goes before Socket.IO text.
const MESSAGE: u8 = b'4';

/// What a packet is to the one who waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// An event for which no answer is awaited.
    Event,
    /// An event whose acknowledgement has this id.
    Call(u64),
    /// The answer to an event of the server's.
    Answer,
    /// A call that ended while its packet was on its way: it still goes out, or never does.
    Ended,
}

/// What a packet counts against the limit.
pub fn cost(text: usize, buffers: impl Iterator<Item = usize>) -> usize {
    OVERHEAD + text + buffers.sum::<usize>()
}

/// The queue towards the network.
pub struct Outbox {
    keys: MaskKeys,
    /// What is framed. Nothing while packets travel in POSTs.
    stream: Stream,
    posting: Posting,
    waiting: Waiting,
    /// The packet of which the first parts went by an earlier POST, once its rest is framed.
    gone_before: Option<u64>,
    limbos: Vec<Limbo>,
    sequence: u64,
    /// Of all packets that wait, in whatever form; each counts at least [`OVERHEAD`].
    cost: usize,
    cost_max: usize,
    answers_cost: usize,
    lost_since_flush: bool,
    /// How often packets were lost.
    losses: u64,
}

impl Outbox {
    /// An empty queue whose masking keys come from `seed`. Packets are framed for WebSocket until
    /// [`Outbox::begin`] says otherwise.
    pub fn new(seed: [u8; 32]) -> Self {
        Outbox {
            keys: MaskKeys::new(seed),
            stream: Stream::new(),
            posting: Posting::default(),
            waiting: Waiting::default(),
            gone_before: None,
            limbos: Vec::new(),
            sequence: 0,
            cost: 0,
            cost_max: 0,
            answers_cost: 0,
            lost_since_flush: false,
            losses: 0,
        }
    }

    /// A new connection, or the upgrade of one: from now on packets are encoded for this transport.
    /// Nothing is framed or being posted then; the rest of a packet of which parts have been
    /// posted goes first.
    pub fn begin(&mut self, transport: Transport) {
        debug_assert!(self.stream.is_written() && !self.is_posting());
        self.stream.begin(transport);
    }

    /// Packets of the program's that wait, encoded or not.
    pub fn len(&self) -> usize {
        let limbo: usize = self.limbos.iter().map(Limbo::len).sum();
        self.stream.marks.len() + self.posting.packets.len() + self.waiting.len() + limbo
    }

    /// Whether no packet of the program's waits.
    pub fn is_empty(&self) -> bool {
        self.cost == 0
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
        self.stream.is_written()
    }

    /// How much is framed that no writer has taken yet.
    pub fn framed_len(&self) -> usize {
        self.stream.frames.len()
    }

    /// Whether nothing that was framed is on its way, so that the stream ends between two frames.
    pub fn is_between_frames(&self) -> bool {
        self.stream.is_between_frames()
    }

    /// Whether packets wait that are not yet encoded, be it for the rest of one.
    pub fn has_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Whether another frame may go on its way now. Never while packets travel in POSTs.
    #[inline]
    pub fn can_frame(&self) -> bool {
        self.stream.can_frame()
    }

    /// Queues a packet: framed at once if `connected`, nothing waits before it, and packets travel
    /// in frames.
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
        self.count(cost, role);
        if connected && self.waiting.is_empty() && self.can_frame() {
            let start = self.stream.framed();
            frame::write_frame(
                &mut self.stream.frames,
                OpCode::Text,
                text_len + 1,
                self.keys.next(),
                |out| {
                    out.push(MESSAGE);
                    outgoing.write(namespace, out);
                },
            );
            for buffer in buffers {
                frame::write_slice(
                    &mut self.stream.frames,
                    OpCode::Binary,
                    buffer,
                    self.keys.next(),
                );
            }
            let (end, sequence) = (self.stream.framed(), self.sequence);
            self.stream.marks.push_back(Mark { start, end, sequence, cost, role });
        } else {
            let mut text = Vec::with_capacity(text_len);
            outgoing.write(namespace, &mut text);
            let buffers = buffers.iter().map(|buffer| buffer.to_vec()).collect();
            self.waiting.push(Packet::new(text, buffers, role, self.sequence));
        }
    }

    /// The oldest packet that is not yet encoded.
    pub fn waiting(&self) -> Option<&Packet> {
        self.waiting.front()
    }

    /// Frames the oldest packet that waits, or what has not gone of it by a POST.
    pub fn frame_waiting(&mut self) {
        let Some(packet) = self.waiting.pop() else { return };
        let start = self.stream.framed();
        if packet.gone == 0 {
            self.frame_text(MESSAGE, &packet.text);
        } else {
            self.gone_before = Some(packet.sequence);
        }
        let frames = &mut self.stream.frames;
        for buffer in packet.buffers_left() {
            frame::write_slice(frames, OpCode::Binary, buffer, self.keys.next());
        }
        let end = self.stream.framed();
        let Packet { role, sequence, cost, .. } = packet;
        self.stream.marks.push_back(Mark { start, end, sequence, cost, role });
    }

    /// Takes the oldest packet that waits out of the queue for good.
    pub fn drop_waiting(&mut self) -> Option<Packet> {
        let packet = self.waiting.pop()?;
        self.forget(packet.cost, packet.role);
        self.note_loss(1);
        Some(packet)
    }

    /// Takes a call that has ended out of the queue; true if that made room. What a writer has
    /// taken, and what is in the body of a POST, goes on, but does not stay for another connection.
    pub fn cancel_call(&mut self, id: u64) -> bool {
        let role = Role::Call(id);
        if let Some(packet) = self.waiting.cancel(id) {
            self.forget(packet.cost, role);
            return true;
        }
        if let Some(mark) = self.stream.cancel(id) {
            self.forget(mark.cost, role);
            return true;
        }
        if let Some(packet) = self.posting.packets.iter_mut().find(|packet| packet.role == role) {
            packet.role = Role::Ended;
            return false;
        }
        self.cancel_in_limbo(id)
    }

    /// The namespace has changed: what waits to be sent to `from` goes to `to`, both as they are
    /// given to [`Outbox::push`]. There is no connection at that time.
    pub fn rename(&mut self, from: &str, to: &str) {
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.iter_mut().for_each(|packet| self.rename_packet(packet, from, to));
        self.waiting = waiting;
        self.rename_in_limbo(from, to);
    }

    /// Frames a control packet of Engine.IO, or Socket.IO text, as a text message.
    pub fn frame_text(&mut self, engine_type: u8, text: &[u8]) {
        frame::write_frame(
            &mut self.stream.frames,
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
        frame::write_slice(&mut self.stream.frames, code, payload, self.keys.next());
    }

    /// For a connection that is quiet: gives back what only a busy one needs.
    pub fn rest(&mut self) {
        self.stream.rest();
        self.waiting.rest();
    }

    /// Whether somebody writes, who will see what is framed.
    pub fn is_being_written(&self) -> bool {
        self.stream.is_being_written()
    }

    /// Whether a caller may write by itself what it has just framed: nobody else writes. It then
    /// has to give the bytes to [`Outbox::caller_wrote`], or after an end what is left of them to
    /// [`Outbox::give_back`].
    pub fn take_as_caller(&mut self) -> Option<Vec<u8>> {
        self.stream.take_as_caller()
    }

    /// Makes the driver the writer, unless somebody writes already; true if it has to be told.
    pub fn leave_to_driver(&mut self) -> bool {
        self.stream.leave_to_driver()
    }

    /// The driver, which has written all that it took before, takes what is framed, if no caller
    /// is writing: first what a caller could not write.
    pub fn take_as_driver(&mut self, empty: &mut Vec<u8>) -> bool {
        self.stream.take_as_driver(empty)
    }

    /// The driver goes on with what it took before.
    pub fn begin_write(&mut self) {
        self.stream.begin_write();
    }

    /// A caller has handed `count` bytes of `taken` to the system. What is left is the driver's, as
    /// it is; true if it has to be told.
    pub fn caller_wrote(&mut self, taken: Vec<u8>, count: usize) -> bool {
        self.wrote(count);
        self.stream.caller_left(taken, count)
    }

    /// The driver has handed `count` bytes to the system; `done` if it has none left over.
    pub fn driver_wrote(&mut self, count: usize, done: bool) {
        self.wrote(count);
        self.stream.driver_left(done);
    }

    /// All calls have ended: takes those out that are not encoded yet, and says which those were,
    /// in order. The others go on, but do not stay for another connection.
    pub fn cancel_calls(&mut self) -> Vec<u64> {
        let mut cancelled = Vec::new();
        let mut freed = 0;
        self.waiting.retain(|packet| {
            let Role::Call(id) = packet.role else { return true };
            if packet.posted > 0 {
                packet.role = Role::Ended;
                return true;
            }
            cancelled.push(id);
            freed += packet.cost;
            false
        });
        self.cost -= freed;
        let framed = self.stream.marks.iter_mut().map(|mark| &mut mark.role);
        let posted = self.posting.packets.iter_mut().map(|packet| &mut packet.role);
        for role in framed.chain(posted).filter(|role| matches!(role, Role::Call(_))) {
            *role = Role::Ended;
        }
        self.cancel_all_in_limbo();
        cancelled
    }

    /// The number of the packet queued last; see [`Outbox::is_flushed`].
    pub fn last_sequence(&self) -> u64 {
        self.sequence
    }

    /// Whether every packet up to this number has left the queue.
    pub fn is_flushed(&self, sequence: u64) -> bool {
        let framed = self.stream.marks.front().map(|mark| mark.sequence);
        let posted = self.posting.packets.iter().map(|packet| packet.sequence).min();
        let in_limbo = self.limbos.iter().filter_map(Limbo::oldest).min();
        // Each is in order, but what a writer gives back late is older than what was sent since.
        let oldest = [framed, posted, self.waiting.oldest(), in_limbo].into_iter().flatten().min();
        oldest.is_none_or(|oldest| oldest > sequence)
    }

    /// Whether a packet was lost since this was last asked.
    pub fn take_loss(&mut self) -> bool {
        std::mem::take(&mut self.lost_since_flush)
    }

    /// How often packets were lost so far.
    pub fn losses(&self) -> u64 {
        self.losses
    }

    fn note_loss(&mut self, packets: u64) {
        self.lost_since_flush |= packets > 0;
        self.losses += u64::from(packets > 0);
    }

    #[inline]
    fn wrote(&mut self, count: usize) {
        self.stream.wrote(count);
        while let Some((cost, role)) = self.stream.left() {
            self.forget(cost, role);
        }
    }

    fn rename_packet(&mut self, packet: &mut Packet, from: &str, to: &str) {
        self.forget(packet.cost, packet.role);
        packet.rename(from, to);
        self.count(packet.cost, packet.role);
    }

    #[inline]
    fn count(&mut self, cost: usize, role: Role) {
        self.cost += cost;
        self.cost_max = self.cost_max.max(self.cost);
        if role == Role::Answer {
            self.answers_cost += cost;
        }
    }

    fn forget(&mut self, cost: usize, role: Role) {
        self.cost -= cost;
        if role == Role::Answer {
            self.answers_cost -= cost;
        }
    }
}

#[cfg(test)]
mod losing_tests;
#[cfg(test)]
mod model_tests;
#[cfg(test)]
mod tests;

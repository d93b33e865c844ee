//! From the outbox to the socket: what is framed next, and what follows when it is written.
//!
//! Owns the order between the session's own packets and the program's. Refuses to write: callers
//! and the driver do.

#![forbid(unsafe_code)]

use super::Core;
use crate::log::Level;
use crate::monitor::Effects;
use crate::outbox::{self, Role};
use crate::session::{Input, Moment, State, Transmit};
use crate::sleepers::Queue;
use crate::transport::frame::OpCode;

impl Core {
    /// Takes what is framed for the driver to write.
    pub fn take_frames(&mut self, empty: &mut Vec<u8>) -> bool {
        self.outbox.take_as_driver(empty)
    }

    /// The driver is about to write on.
    pub fn begin_write(&mut self) {
        self.outbox.begin_write();
    }

    /// The driver has handed bytes to the system.
    pub fn driver_wrote(
        &mut self,
        link: u64,
        count: usize,
        done: bool,
        now: Moment,
        fx: &mut Effects<'_>,
    ) {
        self.tally.bytes_sent += count as u64;
        if !self.is_current(link) {
            self.tally.dropped_sent += self.outbox.settle_limbo(link, count);
            return;
        }
        self.last_write = now;
        self.outbox.driver_wrote(count, done);
        self.made_room(fx);
    }

    /// A caller has handed bytes to the system, on the link with this number.
    pub fn caller_wrote(
        &mut self,
        link: u64,
        bytes: Vec<u8>,
        count: usize,
        now: Moment,
        fx: &mut Effects<'_>,
    ) {
        self.tally.bytes_sent += count as u64;
        if !self.is_current(link) {
            self.tally.dropped_sent += self.outbox.settle_limbo(link, count);
            return;
        }
        self.last_write = now;
        // What could not be framed while this was on its way is the driver's to frame.
        fx.kick |= !self.outbox.can_frame() || self.outbox.has_waiting();
        fx.kick |= self.outbox.caller_wrote(bytes, count);
        // Leaving is a chain of writes, each waiting for the one before it to be done.
        fx.kick |= self.seen == State::Closing;
        self.made_room(fx);
    }

    /// Whether what is written by this link still counts: after an end the outbox has forgotten
    /// what was on its way.
    fn is_current(&self, link: u64) -> bool {
        self.wire.as_ref().is_some_and(|(_, current)| *current == link)
    }

    /// Frames what waits: first what the session itself has to say, then the program's packets.
    pub(super) fn pump(&mut self, now: Moment, fx: &mut Effects<'_>) {
        if self.wire.is_none() {
            return;
        }
        loop {
            while self.outbox.can_frame() {
                let idle = !self.outbox.has_waiting();
                let Some(transmit) = self.session.transmit(idle) else { break };
                self.frame(transmit);
            }
            let flowing = matches!(self.seen, State::Connected | State::Closing);
            while flowing && self.outbox.can_frame() && self.outbox.has_waiting() {
                self.frame_waiting(fx);
            }
            let leaving = self.seen == State::Closing;
            if !leaving || self.outbox.has_waiting() || !self.outbox.is_written() {
                return;
            }
            self.input(Input::Drained, now, fx);
            let Some(transmit) = self.session.transmit(true) else { return };
            self.frame(transmit);
        }
    }

    pub(super) fn frame(&mut self, transmit: Transmit) {
        match transmit {
            Transmit::EnginePong(data) => self.outbox.frame_text(b'3', data.as_bytes()),
            Transmit::Connect(text) | Transmit::Disconnect(text) => {
                self.outbox.frame_text(b'4', &text)
            }
            Transmit::WebSocketPing(data) => self.outbox.frame_control(OpCode::Ping, &data),
            Transmit::WebSocketPong(data) => self.outbox.frame_control(OpCode::Pong, &data),
            Transmit::WebSocketClose(code) => {
                self.outbox.frame_control(OpCode::Close, &code.to_be_bytes())
            }
        }
    }

    /// Frames the oldest packet that waits, unless the server that is now connected would not
    /// take one of its size.
    pub(super) fn frame_waiting(&mut self, fx: &mut Effects<'_>) {
        let Some(packet) = self.outbox.waiting() else { return };
        let mut lens = packet.buffers.iter().map(Vec::len);
        let Err(failure) = self.session.check_size(packet.text.len(), &mut lens) else {
            return self.outbox.frame_waiting();
        };
        self.tally.dropped_sent += 1;
        fx.log(Level::Warn, || format!("a queued packet was dropped: {}", failure.text));
        if let Some(outbox::Packet { role: Role::Call(id), .. }) = self.outbox.drop_waiting()
            && let Some(call) = self.session.cancel_call(id)
        {
            call.end(Err(failure));
            self.sleepers.wake(&call.place, &mut fx.wakes);
        }
        self.made_room(fx);
    }

    pub(super) fn made_room(&mut self, fx: &mut Effects<'_>) {
        self.sleepers.wake_one(Queue::Room, &mut fx.wakes);
        let (outbox, wakes) = (&self.outbox, &mut fx.wakes);
        self.sleepers.wake_flushed(|sequence| outbox.is_flushed(sequence), wakes);
        if self.paused && !self.must_pause() {
            fx.kick = true;
        }
    }
}

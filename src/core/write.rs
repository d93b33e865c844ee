//! From the outbox to the link: what is framed or posted next, and what follows when it is sent.
//!
//! Owns the order between the session's own packets and the program's. Refuses to write: callers
//! and the driver do.

#![forbid(unsafe_code)]

use std::sync::Arc;

use super::{Core, Order, Role};
use crate::log::Level;
use crate::monitor::Effects;
use crate::outbox;
use crate::session::{Input, Moment, State, Transmit};
use crate::sleepers::Queue;
use crate::transport::Transport;
use crate::transport::frame::OpCode;
use crate::transport::polling::Post;

impl Core {
    /// Takes what is framed for the driver to write.
    pub fn take_frames(&mut self, empty: &mut Vec<u8>) -> bool {
        self.outbox.take_as_driver(empty)
    }

    /// The driver is about to write on.
    pub fn begin_write(&mut self) {
        self.outbox.begin_write();
    }

    /// The driver has handed bytes to the system, and `rest` is what it has left.
    pub fn driver_wrote(
        &mut self,
        link: u64,
        rest: &[u8],
        count: usize,
        now: Moment,
        fx: &mut Effects<'_>,
    ) {
        self.tally.bytes_sent += count as u64;
        if !self.is_current(link) {
            // The program ended the connection while the system was being handed them.
            return self.give_back(link, rest, count, fx);
        }
        self.last_write = now;
        self.outbox.driver_wrote(count, rest.is_empty());
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
            return self.give_back(link, bytes.get(count..).unwrap_or_default(), count, fx);
        }
        self.last_write = now;
        // What could not be framed while this was on its way is the driver's to frame.
        fx.kick |= !self.outbox.can_frame() || self.outbox.has_waiting();
        fx.kick |= self.outbox.caller_wrote(bytes, count);
        // Leaving is a chain of writes, each waiting for the one before it to be done.
        fx.kick |= self.seen == State::Closing;
        self.made_room(fx);
    }

    /// The writer of a link that has ended gives back what it did not write, behind `count` bytes
    /// that it did write since it last said so.
    pub fn give_back(&mut self, link: u64, rest: &[u8], count: usize, fx: &mut Effects<'_>) {
        let lost = self.outbox.give_back(link, rest, count);
        self.tally.dropped_sent += lost.packets;
        for id in lost.lost_calls {
            if let Some(call) = self.session.cancel_call(id) {
                let mut failure = self.end();
                failure.text = format!("the call ended without its answer: {}", failure.text);
                failure.details.sent = Some(true);
                self.end_call(&call, Err(failure), fx);
            }
        }
        self.made_room(fx);
        fx.kick |= self.outbox.has_waiting();
    }

    /// Whether what is written by this link still counts: after an end the outbox has forgotten
    /// what was on its way.
    fn is_current(&self, link: u64) -> bool {
        self.wire.as_ref().is_some_and(|(_, current)| *current == link)
    }

    /// The first byte of the POST that is under way was handed to the system.
    pub fn post_touched(&mut self, link: u64) {
        if self.role(link) == Role::Main {
            self.outbox.post_begun();
        }
    }

    /// All of it was.
    pub fn post_sent(&mut self, link: u64, count: usize, now: Moment, fx: &mut Effects<'_>) {
        self.tally.bytes_sent += count as u64;
        if self.role(link) == Role::Main {
            self.last_write = now;
            self.outbox.post_sent();
            self.made_room(fx);
        }
    }

    /// The next POST, if one may be made now and there is something to send: first what the session
    /// itself has to say, then the program's packets.
    pub(super) fn next_post(&mut self, now: Moment, fx: &mut Effects<'_>) -> Option<Order> {
        if !self.session.may_post() {
            return None;
        }
        let plan = Arc::clone(self.plan.as_ref()?);
        let mut post = Post::new(self.session.max_payload());
        loop {
            let idle = post.is_empty() && !self.outbox.has_waiting();
            match self.session.transmit(idle) {
                Some(Transmit::EnginePong(data)) => post.push_text(b'3', data.as_bytes()),
                Some(Transmit::Connect(text)) => post.push_text(b'4', &text),
                Some(Transmit::Disconnect(text)) => {
                    post.push_text(b'4', &text);
                    break;
                }
                Some(Transmit::EngineClose) => {
                    post.push_text(b'1', b"");
                    break;
                }
                // All others are of websocket's.
                Some(_) => (),
                None => {
                    let flowing = matches!(self.seen, State::Connected | State::Closing);
                    while flowing
                        && (self.drop_too_large(fx) || self.outbox.post_waiting(&mut post))
                    {
                    }
                    break;
                }
            }
        }
        if post.is_empty() {
            return None;
        }
        self.session.post_begun(now);
        let target = self.target(&plan, Transport::Polling, now);
        Some(Order::Post { target, body: post.into_body() })
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
            Transmit::EngineClose => self.outbox.frame_text(b'1', b""),
            Transmit::Upgrade => self.outbox.frame_text(b'5', b""),
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
        if !self.drop_too_large(fx) {
            self.outbox.frame_waiting();
        }
    }

    /// Drops the oldest packet that waits if the server that is now connected would not take it.
    fn drop_too_large(&mut self, fx: &mut Effects<'_>) -> bool {
        let Some(packet) = self.outbox.waiting() else { return false };
        let mut lens = packet.buffers.iter().map(Vec::len);
        let Err(failure) = self.session.check_size(packet.text.len(), &mut lens) else {
            return false;
        };
        self.tally.dropped_sent += 1;
        fx.log(Level::Warn, || format!("a queued packet was dropped: {}", failure.text));
        if let Some(outbox::Packet { role: outbox::Role::Call(id), .. }) =
            self.outbox.drop_waiting()
            && let Some(call) = self.session.cancel_call(id)
        {
            self.end_call(&call, Err(failure), fx);
        }
        self.made_room(fx);
        true
    }

    pub(super) fn made_room(&mut self, fx: &mut Effects<'_>) {
        self.sleepers.wake_front(Queue::Room, &mut fx.wakes);
        let (outbox, wakes) = (&self.outbox, &mut fx.wakes);
        self.sleepers.wake_flushed(|sequence| outbox.is_flushed(sequence), wakes);
        if self.paused && !self.must_pause() {
            fx.kick = true;
        }
    }
}

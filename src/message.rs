//! A message as the program holds it, and the answer that it may owe.
//!
//! Owns the block of text and bytes that was laid out when it was taken, so that it lives by
//! itself. Refuses to know how it came; for the answer it keeps the client's monitor, which says
//! whether the connection still stands.

#![forbid(unsafe_code)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::error::{Failure, Status};
use crate::inbox::{AnswerTo, Block};
use crate::json::{self, Kind};
use crate::monitor::{Denied, Shared};
use crate::outgoing::Checked;
use crate::session::Part;

/// What a message is. The numbers are those of `sio_message_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum MessageKind {
    /// An event that the server sent.
    Event = 0,
    /// The server's answer to a call.
    Reply = 1,
}

/// An event from the server, or the answer to a call.
pub struct Message {
    kind: MessageKind,
    block: Block,
    shared: Arc<Shared>,
    answer: Option<Answer>,
}

/// The answer that the server waits for.
struct Answer {
    to: AnswerTo,
    given: AtomicBool,
}

impl Message {
    /// The answer to a call of this client's.
    pub fn reply(block: Block, shared: &Arc<Shared>) -> Self {
        Message { kind: MessageKind::Reply, block, shared: Arc::clone(shared), answer: None }
    }

    /// An event, which may want an answer.
    pub fn event(block: Block, answer: Option<AnswerTo>, shared: &Arc<Shared>) -> Self {
        let answer = answer.map(|to| Answer { to, given: AtomicBool::new(false) });
        Message { kind: MessageKind::Event, block, shared: Arc::clone(shared), answer }
    }

    /// What it is.
    pub fn kind(&self) -> MessageKind {
        self.kind
    }

    /// The event's name without, and followed by, a NUL.
    pub fn event_bytes(&self) -> &[u8] {
        let layout = &self.block.layout;
        &self.block.bytes[layout.name_start..layout.name_start + layout.name_len]
    }

    /// The event's name; empty for a reply.
    pub fn name(&self) -> &str {
        // The text came as checked UTF-8; were it not, the name would be of no use anyway.
        std::str::from_utf8(self.event_bytes()).unwrap_or_default()
    }

    /// The arguments, a JSON array, without, and followed by, a NUL.
    pub fn args_bytes(&self) -> &[u8] {
        let layout = &self.block.layout;
        &self.block.bytes[layout.args_start..layout.args_start + layout.args_len]
    }

    /// The arguments, a JSON array.
    pub fn args(&self) -> &str {
        std::str::from_utf8(self.args_bytes()).unwrap_or_default()
    }

    /// How many buffers came with it.
    pub fn buffer_count(&self) -> usize {
        self.block.parts.len()
    }

    /// One buffer.
    pub fn buffer(&self, index: usize) -> Option<&[u8]> {
        Some(match self.block.parts.get(index)? {
            Part::Within { start, len } => &self.block.bytes[*start..start + len],
            Part::Own(bytes) => bytes,
        })
    }

    /// Finds a value in the arguments by its JSON Pointer; a placeholder is the buffer's bytes.
    pub fn find(&self, pointer: &str) -> Option<(Kind, &[u8])> {
        let (kind, value) = json::find(self.args_bytes(), pointer)?;
        if kind == Kind::Object && self.buffer_count() > 0 {
            if let Some(number) = json::placeholder_number(value) {
                let number = usize::try_from(number).ok()?;
                return Some((Kind::Buffer, self.buffer(number)?));
            }
        }
        Some((kind, value))
    }

    /// Whether the server waits for an answer that has not been given and can still be.
    pub fn wants_ack(&self) -> bool {
        self.answer.as_ref().is_some_and(|answer| {
            !answer.given.load(Ordering::Acquire)
                && self.shared.with(|core, _| core.can_answer(answer.to)) == Ok(true)
        })
    }

    /// Answers the event. `args` is a JSON array or nothing.
    pub fn ack(&self, args: Option<&str>, buffers: &[&[u8]]) -> Result<(), Status> {
        let Some(answer) = &self.answer else {
            let text = "not answered: the server wants no answer to this message";
            return Err(self.fail(Failure::new(Status::State, text)));
        };
        let checked = Checked::answer(args, buffers, answer.to.id);
        let checked = checked.map_err(|failure| self.fail(failure))?;
        if answer.given.swap(true, Ordering::AcqRel) {
            let text = "not answered: the event has had its answer";
            return Err(self.fail(Failure::new(Status::State, text)));
        }
        let sent = self.shared.with(|core, effects| {
            let sent = core.answer(&checked.sending(), answer.to, crate::driver::now, effects);
            sent.map_err(|failure| core.fail(failure))
        });
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(status)) => {
                // Too large an answer can be followed by one that is not.
                answer.given.store(false, Ordering::Release);
                Err(status)
            }
            Err(denied) => Err(denied.failure().status),
        }
    }

    /// Notes, on the client whose message this is, a failure that was found before the message
    /// was asked, such as a text that is not UTF-8.
    pub fn fail(&self, failure: Failure) -> Status {
        let status = failure.status;
        match self.shared.with(|core, _| core.fail(failure)) {
            Ok(status) => status,
            Err(Denied::Forked) => Denied::Forked.failure().status,
            Err(_) => status,
        }
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        let Some(answer) = &self.answer else { return };
        if answer.given.swap(true, Ordering::AcqRel) {
            return;
        }
        let Ok(checked) = Checked::answer(None, &[], answer.to.id) else { return };
        // Whatever stands in the way of the answer, the program has said that it does not care.
        let _ = self.shared.with(|core, effects| {
            if core.in_force.ack_unanswered && core.can_answer(answer.to) {
                let _ = core.answer(&checked.sending(), answer.to, crate::driver::now, effects);
            }
        });
    }
}

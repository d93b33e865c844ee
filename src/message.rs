//! A message as the program holds it, and the answer that it may owe.
//!
//! Owns the block of text and bytes that was laid out when it was taken, so that it lives by
//! itself. Refuses to know how it came; for the answer it keeps the client's monitor, which says
//! whether the connection still stands.

#![forbid(unsafe_code)]

pub mod state;

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
    /// The namespace is connected, for the first time or again.
    Connected = 2,
    /// The connection ended, or what followed its end.
    Disconnected = 3,
    /// An attempt is due, and begins when the message is answered or freed.
    Attempt = 4,
}

/// What a message wants of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    /// Nothing.
    Nothing,
    /// The answer to an event.
    Answer(AnswerTo),
    /// The word that the attempt with this ticket may begin.
    Word(u64),
}

/// An event from the server, the answer to a call, or what became of the connection.
pub struct Message {
    block: Block,
    kind: MessageKind,
    /// Whether the answer has been given.
    answered: AtomicBool,
    wanted: Wanted,
    /// The client whose message it is; none while it is not with the program yet.
    client: Option<Arc<Shared>>,
}

impl Message {
    /// The answer to a call.
    pub fn reply(block: Block) -> Box<Self> {
        Message::new(block, MessageKind::Reply, Wanted::Nothing)
    }

    /// An event, which may want an answer.
    #[inline]
    pub fn event(block: Block, answer: Option<AnswerTo>) -> Box<Self> {
        Message::new(block, MessageKind::Event, answer.map_or(Wanted::Nothing, Wanted::Answer))
    }

    /// What became of the connection; such a message wants no answer.
    pub fn state(kind: MessageKind, block: Block) -> Box<Self> {
        Message::new(block, kind, Wanted::Nothing)
    }

    /// The attempt with this ticket is due.
    pub fn attempt(ticket: u64, block: Block) -> Box<Self> {
        Message::new(block, MessageKind::Attempt, Wanted::Word(ticket))
    }

    /// The message goes to the program, which can answer it from now on.
    pub fn hand_to(&mut self, client: &Arc<Shared>) {
        self.client = Some(Arc::clone(client));
    }

    #[inline]
    fn new(block: Block, kind: MessageKind, wanted: Wanted) -> Box<Self> {
        Box::new(Message { block, kind, answered: AtomicBool::new(false), wanted, client: None })
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

    /// The event's name; empty for what is no event.
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

    /// Bytes of text and buffers.
    pub fn len(&self) -> usize {
        self.block.len()
    }

    /// Whether there are none of either.
    pub fn is_empty(&self) -> bool {
        self.block.is_empty()
    }

    /// How many buffers came with it.
    pub fn buffer_count(&self) -> usize {
        self.block.buffers().len()
    }

    /// One buffer.
    pub fn buffer(&self, index: usize) -> Option<&[u8]> {
        Some(match self.block.buffers().get(index)? {
            Part::Within { start, len } => &self.block.bytes[*start..start + len],
            Part::Own(bytes) => bytes,
        })
    }

    /// Finds a value in the arguments by its JSON Pointer; a placeholder is the buffer's bytes.
    pub fn find(&self, pointer: &str) -> Option<(Kind, &[u8])> {
        let (kind, value) = json::find(self.args_bytes(), pointer)?;
        if kind == Kind::Object
            && self.buffer_count() > 0
            && let Some(number) = json::placeholder_number(value)
        {
            let number = usize::try_from(number).ok()?;
            return Some((Kind::Buffer, self.buffer(number)?));
        }
        Some((kind, value))
    }

    /// Whether the server waits for an answer that has not been given and can still be, or an attempt
    /// for the word to begin.
    pub fn wants_ack(&self) -> bool {
        let Some(client) = &self.client else { return false };
        if self.answered.load(Ordering::Acquire) {
            return false;
        }
        match self.wanted {
            Wanted::Nothing => false,
            Wanted::Answer(to) => client.with(|core, _| core.can_answer(to)) == Ok(true),
            Wanted::Word(ticket) => client.with(|core, _| core.awaits_word(ticket)) == Ok(true),
        }
    }

    /// Answers the event, or has the attempt begin. `args` is a JSON array or nothing.
    pub fn ack(&self, args: Option<&str>, buffers: &[&[u8]]) -> Result<(), Status> {
        let id = match self.wanted {
            Wanted::Answer(to) => to.id,
            Wanted::Nothing | Wanted::Word(_) => 0,
        };
        let checked = Checked::answer(args, buffers, id).map_err(|failure| self.fail(failure))?;
        let (Wanted::Answer(_) | Wanted::Word(_), Some(client)) = (self.wanted, &self.client)
        else {
            let text = "not answered: the server wants no answer to this message";
            return Err(self.fail(Failure::new(Status::State, text)));
        };
        if self.answered.swap(true, Ordering::AcqRel) {
            let text = "not answered: the message has had its answer";
            return Err(self.fail(Failure::new(Status::State, text)));
        }
        let sent = client.with(|core, effects| {
            let sent = match self.wanted {
                Wanted::Word(ticket) => core.give_word(ticket, effects),
                Wanted::Answer(to) => {
                    core.answer(&checked.sending(), to, crate::driver::now, effects)
                }
                Wanted::Nothing => Ok(()),
            };
            sent.map_err(|failure| core.fail(failure))
        });
        match sent {
            Ok(Ok(())) => Ok(()),
            Ok(Err(status)) => {
                // Too large an answer can be followed by one that is not.
                self.answered.store(false, Ordering::Release);
                Err(status)
            }
            Err(denied) => Err(denied.failure().status),
        }
    }

    /// Notes, on the client whose message this is, a failure that was found before the message
    /// was asked, such as a text that is not UTF-8.
    pub fn fail(&self, failure: Failure) -> Status {
        let status = failure.status;
        match self.client.as_ref().map(|client| client.with(|core, _| core.fail(failure))) {
            Some(Err(Denied::Forked)) => Denied::Forked.failure().status,
            _ => status,
        }
    }

    /// Tells the client that a defect was met in a call of this message's.
    pub fn panicked(&self) {
        if let Some(client) = &self.client {
            let _ = client.with(|core, effects| core.defect(effects));
            client.wake_everybody();
        }
    }

    fn answer_with_nothing(&self, to: AnswerTo) {
        let Some(client) = &self.client else { return };
        let Ok(checked) = Checked::answer(None, &[], to.id) else { return };
        // Whatever stands in the way of the answer, the program has said that it does not care.
        let _ = client.with(|core, effects| {
            if core.in_force.ack_unanswered && core.can_answer(to) {
                let _ = core.answer(&checked.sending(), to, crate::driver::now, effects);
            }
        });
    }
}

impl Drop for Message {
    fn drop(&mut self) {
        if *self.answered.get_mut() {
            return;
        }
        match self.wanted {
            Wanted::Nothing => (),
            Wanted::Answer(to) => self.answer_with_nothing(to),
            Wanted::Word(ticket) => {
                if let Some(client) = &self.client {
                    // An attempt that is over needs no word.
                    let _ = client.with(|core, effects| core.give_word(ticket, effects).is_ok());
                }
            }
        }
    }
}

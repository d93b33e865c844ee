//! One request on its connection.
//!
//! Owns how it is written and its answer read, and what becomes of it when the connection breaks.
//! Refuses to know where the connection comes from and who uses it next.

use std::io;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use super::answer::{Answer, Input, Step};
use super::{ENOUGH, Progress, Stream};
use crate::error::{Failure, Phase, Status};
use crate::net::tls::failure_of;

/// A request on its connection.
pub(super) struct Open {
    stream: Stream,
    is_kept: bool,
    request: Vec<u8>,
    written: usize,
    received: usize,
    /// How much is read at a time.
    room: usize,
    /// Why nothing more can be written. The answer may have come nevertheless.
    broken: Option<io::Error>,
    input: Input,
    answer: Answer,
}

/// What a request on its connection comes to.
pub(super) enum Event {
    Progress(Progress),
    /// The connection was closed before a byte of the request was handed to the system.
    Stale,
    Complete(Option<Duration>),
    Redirect(String, Option<Duration>),
}

impl Open {
    /// On a new connection, or on one that was kept.
    pub(super) fn new(stream: Stream, is_kept: bool, request: Vec<u8>, answer: Answer) -> Self {
        let (broken, input) = (None, Input::default());
        let room = FIRST_READ;
        Open { stream, is_kept, request, written: 0, received: 0, room, broken, input, answer }
    }

    /// How many bytes have come since this was last asked.
    pub(super) fn take_received(&mut self) -> usize {
        std::mem::take(&mut self.received)
    }

    /// What is known of a refusal whose body is still being read.
    pub(super) fn refusal(&self) -> Option<Failure> {
        self.answer.refusal()
    }

    /// The connection if it is in order: all was sent, and nothing came but the answer.
    pub(super) fn into_stream(self) -> Option<Stream> {
        let in_order = self.is_sent() && self.broken.is_none() && self.input.rest().is_empty();
        in_order.then_some(self.stream)
    }

    /// For a connection that is quiet: gives back what only a busy one needs.
    pub(super) fn rest(&self) {
        self.stream.rest();
    }

    fn is_sent(&self) -> bool {
        self.written == self.request.len()
    }

    /// Gets on with it. What came of the body is in `data`; `touched` and `sent` say what was
    /// told of the request, on whichever connection.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        data: &mut Vec<u8>,
        touched: &mut bool,
        sent: &mut bool,
    ) -> Poll<Result<Event, Failure>> {
        while !self.is_sent() && self.broken.is_none() {
            match self.stream.try_write(&self.request[self.written..]) {
                Ok(count) => self.written += count,
                Err(_) if self.written == 0 && self.is_kept => {
                    return Poll::Ready(Ok(Event::Stale));
                }
                Err(error) => self.broken = Some(error),
            }
            if self.written > 0 && !std::mem::replace(touched, true) {
                return Poll::Ready(Ok(Event::Progress(Progress::Touched)));
            }
            if self.is_sent() || self.broken.is_some() {
                break;
            }
            match self.stream.poll_writable(cx) {
                Poll::Pending => break,
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => self.broken = Some(error),
            }
        }
        if self.is_sent() && !std::mem::replace(sent, true) {
            return Poll::Ready(Ok(Event::Progress(Progress::Sent)));
        }
        self.poll_answer(cx, data)
    }

    fn poll_answer(
        &mut self,
        cx: &mut Context<'_>,
        data: &mut Vec<u8>,
    ) -> Poll<Result<Event, Failure>> {
        loop {
            match self.answer.advance(&mut self.input, data)? {
                Step::Data => return Poll::Ready(Ok(Event::Progress(Progress::Data))),
                Step::More if data.len() > ENOUGH => return Poll::Pending,
                Step::More => {}
                // An answer of success to what was not all sent: it counts when it is.
                Step::Complete(_) if !self.is_sent() => {
                    return match self.broken.take() {
                        Some(error) => Poll::Ready(Err(self.lost(&error))),
                        None => Poll::Pending,
                    };
                }
                Step::Complete(keep) => return Poll::Ready(Ok(Event::Complete(keep))),
                Step::Redirect(target, keep) => {
                    return Poll::Ready(Ok(Event::Redirect(target, keep)));
                }
            }
            match ready!(self.poll_read(cx)) {
                Ok(0) => self.answer.end(),
                Ok(_) => {}
                Err(error) => {
                    let known = self.answer.refusal();
                    return Poll::Ready(Err(known.unwrap_or_else(|| self.lost(&error))));
                }
            }
        }
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.input.compact();
        let bytes = &mut self.input.bytes;
        let old = bytes.len();
        bytes.resize(old + self.room, 0);
        let mut read = self.stream.poll_read(cx, &mut bytes[old..]);
        if let Some(error) = self.broken.take() {
            // What has arrived is read before the failure of writing is told.
            read = match read {
                Poll::Pending => Poll::Ready(self.stream.try_read(&mut bytes[old..])),
                ready => ready,
            };
            match read {
                Poll::Ready(Ok(count)) if count > 0 => self.broken = Some(error),
                // The server's alert says why it does not take anything any more.
                Poll::Ready(Err(ref said)) if failure_of(said).is_some() => {}
                _ => read = Poll::Ready(Err(error)),
            }
        }
        let count = match read {
            Poll::Ready(Ok(count)) => count,
            _ => 0,
        };
        bytes.truncate(old + count);
        if count == self.room {
            self.room = (self.room * 4).min(READ);
        }
        self.received += count;
        read
    }

    fn lost(&self, error: &io::Error) -> Failure {
        if let Some(failure) = failure_of(error) {
            return failure;
        }
        let (method, origin) = self.answer.asked();
        let text = format!("the {} to {origin} failed: {error}", method.name());
        let mut failure = Failure::new(Status::Unreachable, text).in_phase(Phase::Http);
        failure.details.os_error = error.raw_os_error();
        failure
    }
}

/// How much is read at a time, in bytes: at first as much as an answer mostly is, because the room
/// for it is there as long as the answer to a poll is awaited; then one TLS record.
const FIRST_READ: usize = 1024;
pub(super) const READ: usize = 16 * 1024;

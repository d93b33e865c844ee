//! One polling link: its poll and its POST (the section "HTTP long-polling" of the Engine.IO
//! protocol).
//!
//! Owns the two requests that may be under way, and the body of the poll on its way into the
//! monitor. Refuses to decide when a request is made, and to know what a packet means.

#![forbid(unsafe_code)]

use std::sync::Arc;
use std::task::{Context, Poll};

use super::intake::{Follows, Intake};
use crate::core::LinkPlan;
use crate::error::Failure;
use crate::monitor::Shared;
use crate::net::http::{Exchange, Http, Progress};
use crate::session::{Input, Moment};
use crate::transport::frame::{Frame, Payload};
use crate::transport::polling::BodyDecoder;

/// What got on.
pub(super) enum Step {
    /// Bytes, or packets that came before, wait to be taken in.
    Again,
    /// The server refused a request, and its words are still being read.
    Refusal(Failure),
    /// The POST failed, and what the poll had brought by then was taken in.
    Failed(Failure),
    /// The poll.
    Get(Progress),
    /// The POST.
    Post(Progress),
}

pub(super) struct Polling {
    number: u64,
    http: Http,
    max_message: usize,
    get: Option<Exchange>,
    post: Option<(Exchange, usize)>,
    body: BodyDecoder,
    intake: Intake,
    /// Bytes of it that have come and of which the monitor does not know yet.
    heard: usize,
    /// The answer to the poll has come whole, and its packets are being taken in.
    complete: bool,
    only_noop: bool,
    /// Where the session's packets go, once it has an id.
    target: Option<String>,
    /// How the POST failed, and how many more steps of the poll go before that is told.
    failed: Option<(Failure, usize)>,
    /// Whether a refusal that is being read was told.
    refused: bool,
}

/// So much of a poll is read after the POST has failed: what had come by then, and not all that a
/// server sends for ever.
const LAST_STEPS: usize = 64;

impl Polling {
    /// Asks for the handshake.
    pub(super) fn open(plan: &Arc<LinkPlan>, target: String, number: u64) -> Self {
        let http = Http::new(Arc::clone(&plan.server));
        let get = Some(http.get(target));
        let max_message = plan.max_message;
        Polling {
            number,
            http,
            max_message,
            get,
            post: None,
            body: BodyDecoder::new(max_message),
            intake: Intake::new(),
            heard: 0,
            complete: false,
            only_noop: true,
            target: None,
            failed: None,
            refused: false,
        }
    }

    /// Begins the next poll.
    pub(super) fn poll_server(&mut self, target: String) {
        self.body = BodyDecoder::new(self.max_message);
        self.complete = false;
        self.only_noop = true;
        self.get = Some(self.http.get(target.clone()));
        self.target = Some(target);
    }

    pub(super) fn post(&mut self, target: String, body: Vec<u8>) {
        let len = body.len();
        self.post = Some((self.http.post(target, body), len));
    }

    /// For a connection that is quiet: gives back what only a busy one needs.
    pub(super) fn rest(&self) {
        self.http.rest();
        self.get.iter().for_each(Exchange::rest);
    }

    /// Gives both requests up. With `farewell` the server is told, if a connection is there that
    /// takes the words without a wait, and no POST whose packets may come behind them.
    pub(super) fn part(mut self, farewell: bool) {
        let farewell = farewell && self.post.is_none();
        self.get = None;
        if let (true, Some(target)) = (farewell, &self.target) {
            self.http.parting_shot(target, b"1");
        }
    }

    /// Goes on with what is under way; the answer to a poll only if it may be read.
    pub(super) fn poll(&mut self, context: &mut Context<'_>, read: bool) -> Poll<Step> {
        self.http.poll_idle(context);
        if let Some((post, _)) = &mut self.post
            && let Poll::Ready(progress) = post.poll(context, &mut self.http)
        {
            let Progress::Failed(failure) = progress else {
                return Poll::Ready(Step::Post(progress));
            };
            self.post = None;
            self.failed = Some((failure, LAST_STEPS));
        }
        if (read || self.failed.is_some())
            && let Poll::Ready(step) = self.poll_answer(context)
        {
            return Poll::Ready(step);
        }
        match self.failed.take() {
            Some((failure, _)) => Poll::Ready(Step::Failed(failure)),
            None => self.refusal().map_or(Poll::Pending, |refusal| {
                self.refused = true;
                Poll::Ready(Step::Refusal(refusal))
            }),
        }
    }

    /// Goes on with the poll. A POST that failed may have done so because of what the poll brings,
    /// such as the end of the namespace, so that goes first, also while reading is paused.
    fn poll_answer(&mut self, context: &mut Context<'_>) -> Poll<Step> {
        match &mut self.failed {
            Some((_, 0)) => return Poll::Pending,
            Some((_, steps)) => *steps -= 1,
            None => (),
        }
        if !self.intake.is_empty() || self.complete {
            return Poll::Ready(Step::Again);
        }
        match &mut self.get {
            Some(get) => {
                let polled = get.poll(context, &mut self.http);
                self.heard += get.take_received();
                match polled {
                    // Each byte is a sign of life, also of the head.
                    Poll::Pending if self.heard > 0 => Poll::Ready(Step::Again),
                    polled => polled.map(Step::Get),
                }
            }
            None => Poll::Pending,
        }
    }

    /// A refusal of which more may come, unless it was told.
    fn refusal(&self) -> Option<Failure> {
        if self.refused {
            return None;
        }
        let post = self.post.as_ref().map(|(post, _)| post);
        self.get.iter().chain(post).find_map(Exchange::refusal)
    }

    /// Takes in what got on.
    pub(super) fn take_in(&mut self, shared: &Shared, step: Step, now: Moment) {
        let number = self.number;
        // A client that cannot be entered any more is noticed at the driver's next turn.
        let single = |input: Input<'_>| {
            let _ = shared.with(|core, effects| core.input_of(number, input, now, effects));
        };
        match step {
            Step::Again => self.deliver(shared, now),
            Step::Refusal(refusal) => {
                let _ = shared.with(|core, _| core.note_refusal(number, refusal));
            }
            Step::Failed(failure) => single(Input::Failed(failure)),
            Step::Get(progress) => match progress {
                Progress::Phase(phase) => single(Input::Phase(phase)),
                Progress::Touched | Progress::Sent => (),
                Progress::Data => {
                    let Some(get) = &mut self.get else { return };
                    self.body.feed(get.data());
                    get.data().clear();
                    self.cut();
                    self.deliver(shared, now);
                }
                Progress::Done => {
                    self.get = None;
                    self.complete = true;
                    self.body.end();
                    self.cut();
                    self.deliver(shared, now);
                }
                Progress::Failed(failure) => {
                    self.get = None;
                    single(Input::Failed(failure));
                }
            },
            Step::Post(progress) => match progress {
                Progress::Phase(_) => (),
                Progress::Touched => {
                    let _ = shared.with(|core, _| core.post_touched(number));
                }
                Progress::Sent => {
                    let count = self.post.as_ref().map_or(0, |(_, len)| *len);
                    let _ = shared.with(|core, fx| core.post_sent(number, count, now, fx));
                }
                Progress::Data => {
                    if let Some((post, _)) = &mut self.post {
                        post.data().clear();
                    }
                }
                Progress::Done => {
                    self.post = None;
                    let _ = shared.with(|core, fx| core.posted(number, now, fx));
                }
                // Told by itself, when its turn has come.
                Progress::Failed(_) => (),
            },
        }
    }

    /// Cuts the packets that have arrived whole.
    fn cut(&mut self) {
        loop {
            match self.body.next() {
                Ok(Some(frame)) => {
                    self.only_noop &= self.is_noop(&frame);
                    self.intake.push(frame);
                }
                Ok(None) => return,
                Err(error) => return self.intake.push_malformed(error.to_string()),
            }
        }
    }

    fn is_noop(&self, frame: &Frame) -> bool {
        match frame {
            Frame::Text(Payload::Here(range)) => self.body.bytes().get(range.clone()) == Some(b"6"),
            _ => false,
        }
    }

    /// Takes in what was cut, and then the end of the answer.
    fn deliver(&mut self, shared: &Shared, now: Moment) {
        let count = std::mem::take(&mut self.heard);
        let follows = if self.failed.is_some() { Follows::Nothing } else { Follows::Unknown };
        let bytes = self.body.bytes();
        self.intake.deliver(shared, self.number, bytes, count, follows, now);
        if self.complete && self.intake.is_empty() {
            self.complete = false;
            let (number, only_noop) = (self.number, self.only_noop);
            let _ = shared.with(|core, effects| {
                core.input_of(number, Input::Polled { only_noop }, now, effects);
            });
        }
    }
}

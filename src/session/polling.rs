//! The two requests of a session by polling: the poll that waits for packets, and the POST that
//! carries ours.
//!
//! Owns when a poll follows another, that there is never more than one of each, and the limits of
//! both. Refuses to know what is in them, and how the session is left or moved to WebSocket: it
//! only asks these whether another may begin.

#![forbid(unsafe_code)]

use std::time::Duration;

use super::leaving::Leaving;
use super::reassembly::PROTOCOL_ERROR;
use super::seam::{Action, Reason, Transmit};
use super::texts::Loss;
use super::time::Moment;
use super::upgrade::Upgrade;
use super::{Session, Stage, Timer};
use crate::transport::Transport;

/// What is under way.
#[derive(Debug, Default)]
pub(super) struct Polling {
    poll: Poll,
    post: Post,
}

#[derive(Debug, Default)]
enum Poll {
    /// None is under way.
    #[default]
    Idle,
    /// The request of the handshake is, which has a limit once it is on its way.
    Handshake { ends: Option<Moment> },
    /// A poll is; a byte of its answer last came then, or it began then.
    UnderWay { heard: Moment },
    /// None is, and the next begins then.
    Paced { until: Moment },
    /// The server has closed the session: none begins any more.
    Over,
}

#[derive(Debug, Default)]
enum Post {
    /// None is under way, and nothing of ours is in the one that is being filled.
    #[default]
    Idle,
    /// None is under way; the one that is being filled holds something of ours.
    Filling,
    /// One is, and its limit is this.
    UnderWay { ends: Moment },
}

impl Polling {
    /// A session whose handshake is asked for.
    pub(super) fn greeting() -> Self {
        Polling { poll: Poll::Handshake { ends: None }, post: Post::Idle }
    }

    /// The limit of the request of the handshake.
    pub(super) fn limit_handshake(&mut self, end: Moment) {
        if let Poll::Handshake { ends } = &mut self.poll {
            *ends = Some(end);
        }
    }

    /// The timer that is due next.
    pub(super) fn due(&self) -> Option<(Moment, Timer)> {
        let poll = match self.poll {
            Poll::Handshake { ends: Some(ends) } => Some((ends, Timer::Request)),
            Poll::Paced { until } => Some((until, Timer::Pace)),
            Poll::Idle | Poll::Handshake { ends: None } | Poll::UnderWay { .. } | Poll::Over => {
                None
            }
        };
        let post = match self.post {
            Post::UnderWay { ends } => Some((ends, Timer::Post)),
            Post::Idle | Post::Filling => None,
        };
        poll.into_iter().chain(post).min_by_key(|(at, _)| *at)
    }

    /// A byte came.
    #[inline]
    pub(super) fn touch(&mut self, now: Moment) {
        if let Poll::UnderWay { heard } = &mut self.poll {
            *heard = now;
        }
    }

    /// Nothing was read for so long, up to now, because reading was paused.
    pub(super) fn shift(&mut self, pause: Duration, now: Moment) {
        if let Poll::UnderWay { heard } = &mut self.poll {
            *heard = (*heard + pause).min(now);
        }
    }

    /// Since when the poll that is under way has brought nothing.
    pub(super) fn silent_since(&self) -> Option<Moment> {
        match self.poll {
            Poll::UnderWay { heard } => Some(heard),
            _ => None,
        }
    }

    /// Whether no poll is under way and the next would bring what waits at the server.
    pub(super) fn is_poll_back(&self) -> bool {
        matches!(self.poll, Poll::Idle | Poll::Paced { .. })
    }

    /// The next poll begins when it is asked for, not by itself.
    pub(super) fn hold(&mut self) {
        if self.is_poll_back() {
            self.poll = Poll::Idle;
        }
    }

    /// No poll begins any more.
    pub(super) fn stop(&mut self) {
        self.poll = Poll::Over;
    }

    /// Whether the answer that brings the handshake has not ended.
    pub(super) fn is_greeting(&self) -> bool {
        matches!(self.poll, Poll::Handshake { .. })
    }

    fn is_posting(&self) -> bool {
        matches!(self.post, Post::UnderWay { .. })
    }
}

impl<C> Session<C> {
    /// Whether a POST may begin: there is a session by polling, none is under way, and the session
    /// is not just being moved to WebSocket.
    pub fn may_post(&self) -> bool {
        self.carrier == Some(Transport::Polling)
            && self.engine.silence.is_some()
            && !self.polling.is_posting()
            && !matches!(self.upgrade, Upgrade::Closing)
    }

    /// Whether a POST is under way.
    pub fn is_posting(&self) -> bool {
        self.polling.is_posting()
    }

    /// A POST begins, with what [`Session::transmit`] gave and what the program sends. It may take
    /// `request_timeout`, and ends with [`Input::Posted`](super::Input::Posted).
    pub fn post_begun(&mut self, now: Moment) {
        debug_assert!(self.may_post(), "a POST that may not be");
        self.polling.post = Post::UnderWay { ends: now + self.settings.request_timeout };
    }

    /// What of ours goes into the next POST.
    pub(super) fn transmit_by_post(&mut self, idle: bool) -> Option<Transmit> {
        if !self.may_post() {
            return None;
        }
        let empty = matches!(self.polling.post, Post::Idle);
        let next = match self.queue.front() {
            Some(_) => self.queue.pop_front()?,
            // Nothing is queued behind it but CLOSE, once it is answered.
            None if idle && empty => self.leaving_disconnect()?,
            None => return None,
        };
        self.leaving_transmits(&next);
        self.polling.post = Post::Filling;
        Some(next)
    }

    /// The answer to a poll has ended.
    pub(super) fn polled(&mut self, only_noop: bool, now: Moment) {
        match self.polling.poll {
            Poll::Handshake { .. } if self.engine.silence.is_none() => {
                let what = "an answer without an Engine.IO handshake";
                return self.malformed(what, PROTOCOL_ERROR, now);
            }
            Poll::Handshake { .. } | Poll::UnderWay { .. } => self.polling.poll = Poll::Idle,
            Poll::Idle | Poll::Paced { .. } | Poll::Over => return,
        }
        match self.upgrade {
            // A server that has just been asked to let its poll go answers each at once.
            Upgrade::Opening { .. } | Upgrade::Probing { .. } if only_noop => {
                self.polling.poll = Poll::Paced { until: now + PACE };
            }
            Upgrade::Draining => self.poll_is_back(),
            Upgrade::Closing => {}
            _ => self.start_poll(now),
        }
    }

    /// Begins the next poll if none is under way.
    pub(super) fn start_poll(&mut self, now: Moment) {
        if self.carrier == Some(Transport::Polling) && self.polling.is_poll_back() {
            self.polling.poll = Poll::UnderWay { heard: now };
            self.actions.push_back(Action::Poll);
        }
    }

    /// A POST was answered.
    pub(super) fn posted(&mut self, now: Moment) {
        if !self.polling.is_posting() {
            return;
        }
        self.polling.post = Post::Idle;
        // The server lives. Of what the poll is to bring, such as an attachment, nothing came.
        self.engine.touch(now);
        self.leaving_posted(now);
        self.switch_if_quiet();
    }

    /// The poll has brought nothing for as long as the server may be silent, whatever POSTs brought.
    pub(super) fn poll_ran_out(&mut self, now: Moment) {
        let what = format!(
            "a poll brought nothing for {} ms (the server's pingInterval and pingTimeout)",
            self.engine.silence.unwrap_or_default().as_millis()
        );
        self.lose(Loss::new(Reason::PingTimeout, what, Action::Hangup), now);
    }

    /// A POST was not answered in time.
    pub(super) fn post_ran_out(&mut self, now: Moment) {
        let limit = self.settings.request_timeout;
        match self.stage {
            Stage::Attempt(_) => self.attempt_ran_out("\"request_timeout_ms\"", limit, now),
            Stage::Leaving(Leaving::Disconnecting) => self.leaving_unanswered(),
            _ => self.lose(unanswered("a POST", limit), now),
        }
    }

    /// The request or the WebSocket handshake of an attempt took too long; or the rest of the
    /// answer that brought the handshake.
    pub(super) fn request_ran_out(&mut self, now: Moment) {
        let limit = self.settings.request_timeout;
        match self.stage {
            Stage::Attempt(_) => self.attempt_ran_out("\"request_timeout_ms\"", limit, now),
            _ => self.lose(unanswered("the request of the handshake", limit), now),
        }
    }
}

fn unanswered(what: &str, limit: Duration) -> Loss {
    let what =
        format!("{what} was not answered within \"request_timeout_ms\" ({} ms)", limit.as_millis());
    Loss::new(Reason::TransportError, what, Action::Hangup)
}

/// So long after a poll that brought only NOOP the next waits while a probe is under way.
const PACE: Duration = Duration::from_millis(100);

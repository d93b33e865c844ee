//! HTTP/1.1 requests, as far as long-polling needs them.
//!
//! Owns the connections of one session, the requests on them, and what an answer amounts to. No
//! request is ever made twice: a poll that is repeated loses what its first answer carried.
//! Refuses to know what bodies mean, and any deadline: who drops an exchange has given it up.

#![forbid(unsafe_code)]

mod answer;
mod coding;
mod open;
mod redirect;
#[cfg(test)]
mod scripted;

use super::dial::dial;
use super::server::Server;
use super::stream::Stream;
use crate::error::{Failure, Phase};
use crate::sys;
use answer::{Answer, Question};
use open::{Event, Open};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// The connections of one session; those that are idle are kept, two at the most.
#[derive(Debug)]
pub struct Http {
    server: Arc<Server>,
    idle: Vec<Idle>,
    answered: bool,
}

/// What an exchange has come to.
#[derive(Debug)]
pub enum Progress {
    /// A step begins: those of a new connection, then [`Phase::Http`] before the request.
    Phase(Phase),
    /// The first byte of the request was handed to the system. Said once.
    Touched,
    /// All of the request was. Said once.
    Sent,
    /// More of a successful answer's body has come: take it out of [`Exchange::data()`].
    Data,
    /// The whole answer has come, with a status of success.
    Done,
    /// It failed; nothing follows.
    Failed(Failure),
}

/// One request and its answer, redirects included.
pub struct Exchange {
    method: Method,
    target: String,
    body: Vec<u8>,
    state: State,
    redirects: u8,
    touched: bool,
    sent: bool,
    received: usize,
    data: Vec<u8>,
}

/// The two requests that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Get,
    Post,
}

#[derive(Debug)]
struct Idle {
    stream: Stream,
    since: Duration,
    limit: Duration,
}

enum State {
    /// To be made; on a kept connection only if that may be.
    Fresh { reuse: bool },
    /// A connection is being made.
    Dialing(Dialing),
    /// On a connection.
    Open(Box<Open>),
    /// Done, or failed.
    Over,
}

struct Dialing {
    dialing: Pin<Box<dyn Future<Output = Result<Stream, Failure>> + Send>>,
    phases: UnboundedReceiver<Phase>,
    outcome: Option<Result<Stream, Failure>>,
    request: Vec<u8>,
}

impl Http {
    /// No connection yet.
    pub fn new(server: Arc<Server>) -> Self {
        Http { server, idle: Vec::new(), answered: false }
    }

    /// A GET. `target` is path and query, as they go into the request.
    pub fn get(&self, target: String) -> Exchange {
        Exchange::new(Method::Get, target, Vec::new())
    }

    /// A POST of text.
    pub fn post(&self, target: String, body: Vec<u8>) -> Exchange {
        Exchange::new(Method::Post, target, body)
    }

    /// Drops the kept connections that the server has closed, or that are too old, and has the
    /// task woken when one of them is.
    pub fn poll_idle(&mut self, cx: &mut Context<'_>) {
        let now = now();
        self.idle.retain(|idle| idle.is_fresh(now) && idle.stream.poll_unusable(cx).is_pending());
    }

    /// For connections that are quiet: gives back what only busy ones need.
    pub fn rest(&self) {
        self.idle.iter().for_each(|idle| idle.stream.rest());
    }

    /// Makes a small POST on a kept connection, without waiting for anything, and then closes
    /// all of them. Whether it arrives nobody learns.
    pub fn parting_shot(&mut self, target: &str, body: &[u8]) {
        if let Some(stream) = self.take_idle(&mut Context::from_waker(Waker::noop()))
            && let Ok(request) = request(&self.server, Method::Post, target, body)
        {
            // A socket that takes no byte now gets none.
            let _ = stream.try_write(&request);
            stream.shutdown();
        }
        self.idle.clear();
    }

    /// The kept connection that was used last, if it can be used again.
    fn take_idle(&mut self, cx: &mut Context<'_>) -> Option<Stream> {
        let now = now();
        while let Some(idle) = self.idle.pop() {
            let Idle { stream, .. } = &idle;
            // A server may have closed it since the driver last waited.
            if idle.is_fresh(now) && stream.poll_unusable(cx).is_pending() && !stream.has_news() {
                return Some(idle.stream);
            }
        }
        None
    }

    fn keep(&mut self, stream: Stream, limit: Duration) {
        if self.idle.len() == KEPT {
            self.idle.remove(0);
        }
        self.idle.push(Idle { stream, since: now(), limit });
    }
}

impl Exchange {
    fn new(method: Method, target: String, body: Vec<u8>) -> Self {
        Exchange {
            method,
            target,
            body,
            state: State::Fresh { reuse: true },
            redirects: 0,
            touched: false,
            sent: false,
            received: 0,
            data: Vec::new(),
        }
    }

    /// Gets on with the exchange; to be called until it is pending. While more than 64 KiB wait
    /// in [`data()`](Self::data) nothing is read, and the task is not woken for it: call again
    /// when some of it was taken. Pending for ever once it is done or has failed.
    pub fn poll(&mut self, cx: &mut Context<'_>, http: &mut Http) -> Poll<Progress> {
        let progress = match ready!(self.step(cx, http)) {
            Ok(progress) => progress,
            Err(failure) => Progress::Failed(failure),
        };
        if let Progress::Done | Progress::Failed(_) = progress {
            self.state = State::Over;
        }
        Poll::Ready(progress)
    }

    /// The decoded bytes of the body that were not taken out yet.
    pub fn data(&mut self) -> &mut Vec<u8> {
        &mut self.data
    }

    /// How many bytes of the answer have come since this was last asked, its head included.
    pub fn take_received(&mut self) -> usize {
        std::mem::take(&mut self.received)
    }

    /// Whether a byte of the request was handed to the system.
    pub fn touched(&self) -> bool {
        self.touched
    }

    /// For a connection that is quiet: gives back what only a busy one needs.
    pub fn rest(&self) {
        if let State::Open(open) = &self.state {
            open.rest();
        }
    }

    /// What is known of a refusal whose body is still being read, should the time run out
    /// meanwhile.
    pub fn refusal(&self) -> Option<Failure> {
        match &self.state {
            State::Open(open) => open.refusal(),
            _ => None,
        }
    }

    fn step(&mut self, cx: &mut Context<'_>, http: &mut Http) -> Poll<Result<Progress, Failure>> {
        loop {
            let stream = match &mut self.state {
                State::Fresh { reuse } => {
                    let request = request(&http.server, self.method, &self.target, &self.body)?;
                    let kept = if *reuse { http.take_idle(cx) } else { None };
                    match kept {
                        Some(stream) => (stream, true, request),
                        None => {
                            self.state = State::Dialing(Dialing::new(&http.server, request));
                            continue;
                        }
                    }
                }
                State::Dialing(dialing) => match ready!(dialing.poll(cx)) {
                    Ok(stream) => (stream?, false, std::mem::take(&mut dialing.request)),
                    Err(phase) => return Poll::Ready(Ok(Progress::Phase(phase))),
                },
                State::Open(open) => {
                    let polled = open.poll(cx, &mut self.data, &mut self.touched, &mut self.sent);
                    self.received += open.take_received();
                    match ready!(polled)? {
                        Event::Progress(progress) => return Poll::Ready(Ok(progress)),
                        Event::Stale => self.state = State::Fresh { reuse: false },
                        Event::Complete(keep) => {
                            http.answered = true;
                            self.part(http, keep);
                            return Poll::Ready(Ok(Progress::Done));
                        }
                        Event::Redirect(target, keep) => {
                            self.part(http, keep);
                            self.target = target;
                            self.redirects += 1;
                        }
                    }
                    continue;
                }
                State::Over => return Poll::Pending,
            };
            self.open(http, stream);
            return Poll::Ready(Ok(Progress::Phase(Phase::Http)));
        }
    }

    fn open(&mut self, http: &Http, (stream, is_kept, request): (Stream, bool, Vec<u8>)) {
        let answer = Answer::new(Question {
            server: http.server.clone(),
            method: self.method,
            target: self.target.clone(),
            redirects: REDIRECTS - self.redirects,
            answered: http.answered,
        });
        self.state = State::Open(Box::new(Open::new(stream, is_kept, request, answer)));
    }

    /// Keeps the connection if it may be kept and is in order.
    fn part(&mut self, http: &mut Http, keep: Option<Duration>) {
        let state = std::mem::replace(&mut self.state, State::Fresh { reuse: true });
        let (State::Open(open), Some(limit)) = (state, keep) else { return };
        if let Some(stream) = open.into_stream() {
            http.keep(stream, limit);
        }
    }
}

impl Dialing {
    fn new(server: &Arc<Server>, request: Vec<u8>) -> Self {
        let (sender, phases) = unbounded_channel();
        let server = server.clone();
        let dialing = Box::pin(async move {
            // Nobody listens any more if the exchange has been given up.
            dial(&server.place, |phase| _ = sender.send(phase)).await
        });
        Dialing { dialing, phases, outcome: None, request }
    }

    /// Ready with the connection, or with the step that begins.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Result<Stream, Failure>, Phase>> {
        loop {
            if let Poll::Ready(Some(phase)) = self.phases.poll_recv(cx) {
                return Poll::Ready(Err(phase));
            }
            // What the dial came to is told after all its steps.
            if let Some(outcome) = self.outcome.take() {
                return Poll::Ready(Ok(outcome));
            }
            match self.dialing.as_mut().poll(cx) {
                Poll::Ready(outcome) => self.outcome = Some(outcome),
                Poll::Pending => break,
            }
        }
        match self.phases.poll_recv(cx) {
            Poll::Ready(Some(phase)) => Poll::Ready(Err(phase)),
            _ => Poll::Pending,
        }
    }
}

impl Idle {
    fn is_fresh(&self, now: Duration) -> bool {
        now.saturating_sub(self.since) < self.limit
    }
}

impl Method {
    fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Post => "POST",
        }
    }

    /// What a server refuses.
    fn asked(self) -> &'static str {
        match self {
            Method::Get => "the GET",
            Method::Post => "the POST",
        }
    }
}

/// A whole request. It is written here, so that path and query pass byte for byte.
fn request(server: &Server, method: Method, target: &str, body: &[u8]) -> Result<Vec<u8>, Failure> {
    let mut head = format!("{} {target} HTTP/1.1\r\n", method.name());
    match method {
        Method::Get => {
            server.write_common(target, &mut head)?;
            if !server.has("Accept") {
                head.push_str("Accept: */*\r\n");
            }
        }
        Method::Post => {
            server.write_but(&["Content-Type"], target, &mut head)?;
            let length = body.len();
            head.push_str("Content-Type: text/plain;charset=UTF-8\r\n");
            head.push_str(&format!("Content-Length: {length}\r\n"));
        }
    }
    head.push_str("\r\n");
    let mut request = head.into_bytes();
    request.extend_from_slice(body);
    Ok(request)
}

/// A clock that counts also while the system sleeps, as the server's does.
fn now() -> Duration {
    Duration::from_nanos(sys::boot_nanos())
}

/// How many connections are kept: one for polls, one for what is sent meanwhile.
const KEPT: usize = 2;

/// How many redirects are followed, one after another.
const REDIRECTS: u8 = 5;

/// While more than this waits to be taken, nothing is read.
const ENOUGH: usize = 64 * 1024;

#[cfg(test)]
mod kept_tests;
#[cfg(test)]
mod tests;

//! One answer, from its first byte to the end of its body, over memory.
//!
//! Owns the head, the framing and the coding of the body, redirects and refusals: what an answer
//! amounts to. Refuses to know the connection; it is given what was read, and the end.

#![forbid(unsafe_code)]

use super::coding::Decoder;
use super::redirect::{Redirect, redirect};
use super::{ENOUGH, Method};
use crate::error::{Failure, Phase, Status};
use crate::net::head::{
    CUT_SHORT, HEAD_LIMIT, NO_ANSWER, TOO_LONG, end_of_head, has_token, list, looks_like_http,
    not_http,
};
use crate::net::server::Server;
use crate::transport::refusal::Refusal;
use std::sync::Arc;
use std::time::Duration;
use ureq_proto::client::state::{RecvBody, RecvResponse};
use ureq_proto::client::{Call, RecvResponseResult, SendRequestResult};
use ureq_proto::http::{HeaderMap, Request, Response, Uri, Version};
use ureq_proto::{BodyMode, Error};

/// What was read of a connection and is not used up.
#[derive(Debug, Default)]
pub(super) struct Input {
    pub(super) bytes: Vec<u8>,
    used: usize,
}

impl Input {
    pub(super) fn rest(&self) -> &[u8] {
        &self.bytes[self.used..]
    }

    fn consume(&mut self, count: usize) {
        self.used += count;
        if self.used == self.bytes.len() {
            self.bytes.clear();
            self.used = 0;
        }
    }

    /// Forgets what is used up, so that more can be appended.
    pub(super) fn compact(&mut self) {
        self.bytes.drain(..self.used);
        self.used = 0;
    }
}

/// What is known after taking in what was there.
#[derive(Debug)]
pub(super) enum Step {
    /// More must be read.
    More,
    /// There is more of the body; ask again.
    Data,
    /// The answer is whole, with a status of success. For how long the connection may be kept,
    /// if it may.
    Complete(Option<Duration>),
    /// Another request is to be made, for this target; and how long the connection may be kept.
    Redirect(String, Option<Duration>),
}

/// What is asked, for texts and for the rules of redirects.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) server: Arc<Server>,
    pub(super) method: Method,
    pub(super) target: String,
    /// How many redirects may still be followed.
    pub(super) redirects: u8,
    /// Whether the server has answered such a request before.
    pub(super) answered: bool,
}

/// See the module's text.
pub(super) struct Answer {
    question: Question,
    stage: Stage,
    ended: bool,
}

enum Stage {
    /// The head; its end was looked for up to there.
    Head(usize),
    Body(Box<Body>),
    /// The body of a redirect, of which so many bytes have been thrown away.
    Skip(Box<Framed>, String, usize),
    Refused(Refusal),
    /// All is read. For how long the connection may be kept.
    Complete(Option<Duration>),
    Redirect(String, Option<Duration>),
}

/// A body without its framing.
struct Framed {
    call: Call<RecvBody>,
    keep: Option<Duration>,
}

struct Body {
    framed: Framed,
    decoder: Option<Decoder>,
    /// Without framing, and not decoded yet.
    coded: Vec<u8>,
}

impl Question {
    fn protocol(&self, what: &str) -> Failure {
        let text = format!("the {} to {} failed: {what}", self.method.name(), self.origin());
        Failure::new(Status::Protocol, text).in_phase(Phase::Http)
    }

    fn origin(&self) -> String {
        self.server.url.origin()
    }
}

impl Answer {
    pub(super) fn new(question: Question) -> Self {
        Answer { question, stage: Stage::Head(0), ended: false }
    }

    /// Takes in what was read, as far as `data` has room. To be called again, also without more
    /// input, until it says [`Step::More`], or what the answer amounts to.
    pub(super) fn advance(
        &mut self,
        input: &mut Input,
        data: &mut Vec<u8>,
    ) -> Result<Step, Failure> {
        loop {
            let next = match &mut self.stage {
                Stage::Head(searched) => {
                    let Some(end) = find_head(&self.question, input, searched)? else {
                        return self.more(CUT_SHORT, input);
                    };
                    let stage = read_head(&self.question, &input.rest()[..end])?;
                    input.consume(end);
                    stage
                }
                Stage::Body(body) => {
                    let before = data.len();
                    let whole = body
                        .advance(self.ended, input, data)
                        .map_err(|what| self.question.protocol(&what))?;
                    if whole {
                        self.stage = Stage::Complete(body.framed.keep);
                    }
                    return match (data.len() > before, whole) {
                        (true, _) => Ok(Step::Data),
                        (false, true) => continue,
                        // Full, so that what was read waits.
                        (false, false) if data.len() > ENOUGH => Ok(Step::More),
                        (false, false) => self.more(WITHIN_BODY, input),
                    };
                }
                Stage::Skip(framed, target, skipped) => {
                    let mut space = Vec::new();
                    let whole = framed
                        .advance(self.ended, input, &mut space)
                        .map_err(|what| self.question.protocol(&what))?;
                    *skipped += space.len();
                    let is_too_much = *skipped > SKIP_LIMIT || framed.ends_with_connection();
                    match whole {
                        true => Stage::Redirect(std::mem::take(target), framed.keep),
                        false if is_too_much => Stage::Redirect(std::mem::take(target), None),
                        false if !space.is_empty() => continue,
                        // What it says is known; the rest of its body would have said nothing.
                        false if self.ended => Stage::Redirect(std::mem::take(target), None),
                        false => return Ok(Step::More),
                    }
                }
                Stage::Refused(refusal) => {
                    let failure = refusal.receive(input.rest());
                    input.consume(input.rest().len());
                    return match failure {
                        Some(failure) => Err(failure),
                        None if self.ended => Err(refusal.failure()),
                        None => Ok(Step::More),
                    };
                }
                Stage::Complete(keep) => return Ok(Step::Complete(*keep)),
                Stage::Redirect(target, keep) => {
                    return Ok(Step::Redirect(std::mem::take(target), *keep));
                }
            };
            self.stage = next;
        }
    }

    /// The connection has ended: what [`advance()`](Self::advance) finds missing will not come.
    pub(super) fn end(&mut self) {
        self.ended = true;
    }

    /// What is known when the connection fails instead of ending: of a refusal, all that counts.
    pub(super) fn refusal(&self) -> Option<Failure> {
        match &self.stage {
            Stage::Refused(refusal) => Some(refusal.failure()),
            _ => None,
        }
    }

    /// What was asked, and of whom.
    pub(super) fn asked(&self) -> (Method, String) {
        (self.question.method, self.question.origin())
    }

    fn more(&self, missing: &str, input: &Input) -> Result<Step, Failure> {
        match (self.ended, &self.stage) {
            (false, _) => Ok(Step::More),
            (true, Stage::Head(_)) if input.rest().is_empty() => {
                Err(self.question.protocol(match self.question.answered {
                    true => "the connection was closed without an answer",
                    false => NO_ANSWER,
                }))
            }
            (true, _) => Err(self.question.protocol(missing)),
        }
    }
}

impl Framed {
    /// Moves what was read into `out`, without its framing, as far as there is room; true at the
    /// end of the body.
    fn advance(
        &mut self,
        ended: bool,
        input: &mut Input,
        out: &mut Vec<u8>,
    ) -> Result<bool, String> {
        loop {
            let is_over = match self.call.body_mode() {
                BodyMode::CloseDelimited => ended && input.rest().is_empty(),
                // A server may close the connection behind the last chunk, and leave away the
                // empty line that ends the trailers (RFC 9112, section 8).
                BodyMode::Chunked if ended && self.call.is_ended_chunked() => true,
                _ => self.call.can_proceed(),
            };
            if is_over {
                return Ok(true);
            }
            let space = input.rest().len().min(PIECE);
            if space == 0 || out.len() > ENOUGH {
                return Ok(false);
            }
            let old = out.len();
            out.resize(old + space, 0);
            let (used, written) = self
                .call
                .read(input.rest(), &mut out[old..])
                .map_err(|error| format!("the body of the answer is malformed: {error}"))?;
            out.truncate(old + written);
            input.consume(used);
            if used == 0 {
                return match input.rest().len() > LINE_LIMIT {
                    true => Err("the body of the answer is malformed: an endless line".to_owned()),
                    false => Ok(false),
                };
            }
        }
    }

    fn ends_with_connection(&self) -> bool {
        self.call.body_mode() == BodyMode::CloseDelimited
    }
}

impl Body {
    /// Moves what was read into `data`, decoded, as far as there is room; true at the end.
    fn advance(
        &mut self,
        ended: bool,
        input: &mut Input,
        data: &mut Vec<u8>,
    ) -> Result<bool, String> {
        let Some(decoder) = &mut self.decoder else {
            return self.framed.advance(ended, input, data);
        };
        let malformed = |error| format!("the body of the answer cannot be decoded: {error}");
        while data.len() <= ENOUGH {
            if !self.coded.is_empty() {
                let used = decoder.feed(&self.coded, data).map_err(malformed)?;
                self.coded.drain(..used);
            } else if self.framed.advance(ended, input, &mut self.coded)? {
                if self.coded.is_empty() {
                    decoder.finish(data).map_err(malformed)?;
                    return Ok(true);
                }
            } else if self.coded.is_empty() {
                return Ok(false);
            }
        }
        Ok(false)
    }
}

/// Where the head of the answer ends, once it has all come; those that say that another will
/// follow are passed over.
fn find_head(
    question: &Question,
    input: &mut Input,
    searched: &mut usize,
) -> Result<Option<usize>, Failure> {
    loop {
        let bytes = input.rest();
        if !looks_like_http(bytes) {
            return Err(question.protocol(&not_http(bytes)));
        }
        let end = end_of_head(bytes, searched);
        if end.unwrap_or(bytes.len()) > HEAD_LIMIT {
            return Err(question.protocol(TOO_LONG));
        }
        let Some(end) = end else { return Ok(None) };
        match &bytes[..end] {
            [_, _, _, _, _, _, _, _, b' ', b'1', b'0', b'1', ..] => {
                let what = "the server changes to another protocol, which was not asked for";
                return Err(question.protocol(what));
            }
            [_, _, _, _, _, _, _, _, b' ', b'1', tens, ones, ..]
                if tens.is_ascii_digit() && ones.is_ascii_digit() =>
            {
                input.consume(end);
                *searched = 0;
            }
            _ => return Ok(Some(end)),
        }
    }
}

/// What a whole head leads to. Never inlined, since the stack that it takes, with room for all
/// headers, would be that of each step.
#[inline(never)]
fn read_head(question: &Question, head: &[u8]) -> Result<Stage, Failure> {
    let fail = |error: Error| question.protocol(&format!("the answer is not HTTP: {error}"));
    let mut call = expecting().map_err(fail)?;
    let Some(response) = call.try_response(head, false).map_err(fail)?.1 else {
        return Err(question.protocol("the head of the answer is not complete"));
    };
    let headers = response.headers();
    question.server.keep_cookies(&question.target, headers);
    let keep = kept_for(&response);
    let framed = |call: Call<RecvResponse>| match call.proceed() {
        Some(RecvResponseResult::RecvBody(call)) => {
            let framed = Framed { call, keep };
            let keep = keep.filter(|_| !framed.ends_with_connection());
            Some(Box::new(Framed { keep, ..framed }))
        }
        _ => None,
    };
    if response.status().is_success() {
        if let Some(coding) = unknown_transfer_coding(headers) {
            return Err(question.protocol(&format!(
                "the answer has the Transfer-Encoding {coding}, which was not asked for"
            )));
        }
        let decoder = Decoder::of(headers).map_err(|coding| {
            question.protocol(&format!(
                "the answer has the Content-Encoding {coding}, which the library cannot decode"
            ))
        })?;
        return Ok(match framed(call) {
            Some(framed) => {
                Stage::Body(Box::new(Body { framed: *framed, decoder, coded: Vec::new() }))
            }
            None => Stage::Complete(keep),
        });
    }
    let location = headers.get("location").map(|value| value.as_bytes());
    let (url, status) = (&question.server.url, response.status());
    let why = match redirect(url, &question.target, question.method, status.as_u16(), location) {
        Some(Redirect::Follow(target)) if question.redirects > 0 => {
            return Ok(match framed(call) {
                Some(framed) => Stage::Skip(framed, target, 0),
                None => Stage::Redirect(target, keep),
            });
        }
        Some(Redirect::Follow(_)) => "after five redirects no further one is followed",
        Some(Redirect::Refuse(why)) => why,
        None => "it is not followed",
    };
    let asked = question.method.asked();
    Ok(Stage::Refused(Refusal::new(&question.origin(), asked, why, status, headers)))
}

/// The parser of an answer. What was asked does not matter to it, as long as it is no HEAD and
/// no CONNECT.
fn expecting() -> Result<Call<RecvResponse>, Error> {
    let mut request = Request::new(());
    *request.uri_mut() = Uri::from_static("http://server/");
    let mut call = Call::new(request)?.proceed();
    let mut space = [0; 256];
    while !call.can_proceed() {
        call.write(&mut space)?;
    }
    match call.proceed()? {
        Some(SendRequestResult::RecvResponse(call)) => Ok(call),
        _ => Err(Error::BodyNotAllowed),
    }
}

/// For how long the connection may be idle and then be used again; None if it may not. A server
/// that says how long it keeps it gets its next request well before that time is over.
fn kept_for(response: &Response<()>) -> Option<Duration> {
    let headers = response.headers();
    let is_ambiguous =
        headers.contains_key("transfer-encoding") && headers.contains_key("content-length");
    if response.version() != Version::HTTP_11
        || is_ambiguous
        || has_token(headers, "connection", "close")
    {
        return None;
    }
    let timeout = list(headers, "keep-alive").find_map(|parameter| {
        let (name, value) = std::str::from_utf8(parameter).ok()?.split_once('=')?;
        let is_timeout = name.trim().eq_ignore_ascii_case("timeout");
        is_timeout.then(|| value.trim().trim_matches('"').parse::<u32>().ok())?
    });
    Some(match timeout {
        Some(seconds) => Duration::from_secs(seconds.into()).saturating_sub(MARGIN),
        None => UNSAID,
    })
}

fn unknown_transfer_coding(headers: &HeaderMap) -> Option<String> {
    let known = |coding: &&[u8]| {
        coding.eq_ignore_ascii_case(b"chunked") || coding.eq_ignore_ascii_case(b"identity")
    };
    let unknown = list(headers, "transfer-encoding").find(|coding| !known(coding))?;
    Some(unknown.escape_ascii().to_string())
}

const WITHIN_BODY: &str = "the connection was closed within the body of the answer";

/// How much is moved at a time, in bytes, and how long a line of a chunked body may be.
const PIECE: usize = 16 * 1024;
const LINE_LIMIT: usize = 16 * 1024;

/// How much of a redirect's body is read so that its connection can be used again.
const SKIP_LIMIT: usize = 64 * 1024;

/// What is taken off the time for which a server says that it keeps a connection, and that time
/// if it says nothing: servers close idle connections after two seconds or more.
const MARGIN: Duration = Duration::from_secs(1);
const UNSAID: Duration = Duration::from_millis(1500);

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;

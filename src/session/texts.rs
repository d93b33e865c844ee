//! The texts of failures, for the reader of a log: what was attempted, on what, what happened,
//! what to do.
//!
//! Owns their words. Refuses to decide anything.

#![forbid(unsafe_code)]

use std::time::Duration;

use super::leaving::Leaving;
use super::seam::{Action, Left, Reason, State};
use super::{Session, Stage, Step};
use crate::error::{Details, Failure, Phase, Status};
use crate::transport::Transport;

/// The end of a link, not yet seen from the stage in which it happened.
pub(super) struct Loss {
    pub(super) reason: Reason,
    /// What happened; for a parse error: what came.
    pub(super) what: String,
    /// What is to be done with the link.
    pub(super) parting: Action,
    pub(super) details: Details,
}

impl Loss {
    pub(super) fn new(reason: Reason, what: impl Into<String>, parting: Action) -> Self {
        Loss { reason, what: what.into(), parting, details: Details::default() }
    }
}

impl<C> Session<C> {
    /// The failure of an operation whose time ran out now: names `limit`, the step under way, and
    /// how attempts before it failed. `name` says whose limit it is, such as "the timeout of
    /// connect".
    pub fn timeout(&self, name: &str, limit: Duration) -> Failure {
        let mut failure = self.ran_out(name, limit);
        if let Stage::Attempt(attempt) = &self.stage
            && let Some((transport, first)) = attempt.first()
        {
            failure = with_first(failure, transport, first);
        }
        if let Stage::Attempt(_) | Stage::Waiting { .. } = self.stage
            && let Some(last) = &self.ended
        {
            let before = match last.details.attempt {
                Some(number) => format!("attempt {number} had failed"),
                None => "the connection before had ended".into(),
            };
            failure.text.push_str(&format!("; {before}: {}", last.text));
        }
        failure
    }

    /// The same without what went before.
    pub(super) fn ran_out(&self, name: &str, limit: Duration) -> Failure {
        let mut failure = Failure::new(
            Status::Timeout,
            format!(
                "{} {} took longer than {name} ({} ms); it was {}",
                self.doing(),
                self.settings.target,
                limit.as_millis(),
                self.under_way()
            ),
        );
        failure.details.phase = self.phase();
        failure
    }

    /// What the session is about, as the beginning of a sentence.
    pub(super) fn doing(&self) -> &'static str {
        match self.state() {
            State::Closing => "disconnecting from",
            State::Reconnecting => "reconnecting to",
            _ => "connecting to",
        }
    }

    /// What is being done now, as "waiting for ...".
    pub(super) fn under_way(&self) -> String {
        match &self.stage {
            Stage::New | Stage::Closed => "not connected".into(),
            Stage::Waiting { .. } => {
                format!("waiting before attempt {}", self.rounds.begun.saturating_add(1))
            }
            Stage::Attempt(attempt) => match attempt.step {
                Step::Prepare => "waiting for the program's prepare function to return, or, with \
                                  \"report_attempts\", for the attempt's message to be freed"
                    .into(),
                Step::Resolve => "looking up the server's name: check the name, and that the \
                                  name servers answer"
                    .into(),
                Step::Connect => "waiting for the TCP connection: check host and port, and that \
                                  no firewall drops it"
                    .into(),
                Step::Tls => "waiting for the TLS handshake: TCP is connected, but what listens \
                              there did not finish it; it may not speak TLS"
                    .into(),
                Step::Request { .. } => "waiting for the answer to the first HTTP request: the \
                                         connection is there, but what listens there did not \
                                         answer"
                    .into(),
                Step::WebSocket { .. } => "waiting for the answer to the WebSocket handshake: TCP \
                                           is connected, but what listens there did not answer"
                    .into(),
                Step::Greeting => "waiting for the Engine.IO handshake: the WebSocket is open, \
                                   but what listens there may be no Socket.IO server"
                    .into(),
                Step::Namespace if self.polling.is_greeting() => {
                    "waiting for the end of the HTTP answer that brought the Engine.IO handshake"
                        .into()
                }
                Step::Namespace if self.is_posting() => format!(
                    "waiting for the answer to the POST with the request for the namespace \"{}\"",
                    self.shown_namespace()
                ),
                Step::Namespace => format!(
                    "waiting for the server to answer the request for the namespace \"{}\": its \
                     middleware may not have finished",
                    self.shown_namespace()
                ),
            },
            Stage::Connected => "connected".into(),
            Stage::Leaving(Leaving::Flushing | Leaving::Pinging) => {
                "sending what was emitted before".into()
            }
            Stage::Leaving(Leaving::Pinged { .. } | Leaving::Disconnecting) => {
                "waiting for the server to confirm that it has what was emitted before".into()
            }
            Stage::Leaving(_) => "waiting for the server to close its side".into(),
        }
    }
}

/// The phase of a step of an attempt.
pub(super) fn phase(step: Step) -> Phase {
    match step {
        Step::Prepare => Phase::Prepare,
        Step::Resolve => Phase::Resolve,
        Step::Connect => Phase::Connect,
        Step::Tls => Phase::Tls,
        Step::Request { .. } => Phase::Http,
        Step::WebSocket { .. } | Step::Greeting => Phase::Handshake,
        Step::Namespace => Phase::Namespace,
    }
}

/// A loss while connecting.
pub(super) fn attempt_lost(loss: &Loss, step: Step, target: &str, namespace: &str) -> Failure {
    let before = match step {
        Step::Prepare | Step::Resolve | Step::Connect => "before TCP was connected".into(),
        Step::Tls => "during the TLS handshake".into(),
        Step::Request { .. } => "before the Engine.IO handshake".into(),
        Step::WebSocket { .. } => "during the WebSocket handshake".into(),
        Step::Greeting => "before the Engine.IO handshake".into(),
        Step::Namespace => {
            format!("before the request for the namespace \"{namespace}\" was answered")
        }
    };
    let broken = loss.reason == Reason::ParseError;
    let status = match (broken, step.is_open()) {
        (true, _) => Status::Protocol,
        (false, true) => Status::Disconnected,
        (false, false) => Status::Unreachable,
    };
    let what = &loss.what;
    let text = match (broken, step) {
        (true, Step::Namespace) => {
            format!("connecting to {target} failed: the server broke the protocol {before}: {what}")
        }
        (true, _) => format!(
            "connecting to {target} failed: the server broke the protocol {before}: {what}; check \
             that this is a Socket.IO server of version 3 or later and that \"path\" is right"
        ),
        (false, Step::Namespace) => format!(
            "connecting to {target} failed: {what} {before}; a server does so when it cannot take \
             the request, for example if \"auth\" is no JSON object: see its log"
        ),
        (false, _) => format!("connecting to {target} failed: {what} {before}"),
    };
    // What breaks the protocol within the answer to the first request is its handshake.
    let phase = match step {
        Step::Request { .. } if broken => Phase::Handshake,
        step => phase(step),
    };
    failure(status, text, loss, phase)
}

/// The failure of an attempt by its first transport, when the next, `second`, failed too.
pub(super) fn with_second(first: Failure, second: Transport, failure: &Failure) -> Failure {
    let text = format!("{}; by {}: {}", first.text, second.name(), failure.text);
    Failure { text, ..first }
}

/// A failure that says more than the one of the first transport, which went before.
pub(super) fn with_first(mut failure: Failure, transport: Transport, first: &Failure) -> Failure {
    let before = format!("; by {}, before that: {}", transport.name(), first.text);
    failure.text.push_str(&before);
    failure
}

/// A loss while connected.
pub(super) fn lost(loss: &Loss, target: &str) -> Failure {
    let text = format!("the connection to {target} ended: {}", told(loss));
    failure(Status::Disconnected, text, loss, Phase::Session)
}

/// A loss while leaving, before the server confirmed anything.
pub(super) fn lost_while_leaving(loss: &Loss, target: &str) -> Failure {
    let text = format!(
        "the connection to {target} ended while disconnecting, before the server had confirmed \
         what was emitted: {}",
        told(loss)
    );
    failure(Status::Disconnected, text, loss, Phase::Session)
}

/// Leaving that went as it should, or nearly.
pub(super) fn left(target: &str, left: Option<Left>) -> Failure {
    let text = match left {
        Some(Left::Confirmed) => format!("the program disconnected from {target}"),
        _ => format!(
            "the program disconnected from {target}, and the server did not confirm what was \
             emitted before"
        ),
    };
    Failure::new(Status::Disconnected, text).in_phase(Phase::Session)
}

/// The refusal of an operation that came after the end.
pub(super) fn ended_before(ended: &Failure) -> Failure {
    Failure {
        status: Status::Disconnected,
        text: format!("not connected: {}", ended.text),
        details: ended.details.clone(),
    }
}

/// What a close frame says.
pub(super) fn websocket_closed(code: Option<u16>, words: &str) -> String {
    let mut text = String::from("the server closed the WebSocket");
    if let Some(code) = code {
        text.push_str(&format!(" with code {code}"));
        let meaning = match code {
            1001 => " (it goes away)",
            1009 => " (a message was too large for it)",
            1011 => " (it had an error)",
            _ => "",
        };
        text.push_str(meaning);
    }
    if !words.is_empty() {
        text.push_str(&format!(", saying: {}", shortened(words)));
    }
    text
}

/// A foreign text, short enough for a line of a log and without line breaks.
pub(super) fn shortened(text: &str) -> String {
    let mut short: String =
        text.chars().take(SHORT).map(|char| if char.is_control() { ' ' } else { char }).collect();
    if text.chars().nth(SHORT).is_some() {
        short.push_str("...");
    }
    short
}

fn told(loss: &Loss) -> String {
    match loss.reason {
        Reason::ParseError => format!("the server broke the protocol: {}", loss.what),
        _ => loss.what.clone(),
    }
}

fn failure(status: Status, text: String, loss: &Loss, phase: Phase) -> Failure {
    let details = Box::new(loss.details.clone());
    Failure { status, text, details }.in_phase(phase)
}

/// For the state New.
pub(super) const NEVER_CONNECTED: &str = "not connected: connect first";

/// For the state Closing.
pub(super) const LEAVING: &str = "not connected any more: the program is disconnecting";

/// So many characters of a foreign text stand in one of ours.
const SHORT: usize = 300;

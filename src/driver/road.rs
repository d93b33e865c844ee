//! A WebSocket from its dial on.
//!
//! Owns the step from a dial to a link. Refuses to know what either of them does.

#![forbid(unsafe_code)]

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::link::{Link, Read};
use crate::core::LinkPlan;
use crate::error::{Failure, Phase};
use crate::monitor::Shared;
use crate::net::dial::dial;
use crate::net::stream::Stream;
use crate::session::Input;

/// A WebSocket that is being made, or is there.
pub(super) enum Road {
    /// The connection is being made.
    Dialing(Dial),
    /// The handshake, and what follows.
    Open(Box<Link>),
}

/// A dial that goes on, and the steps that it reports.
pub(super) struct Dial {
    number: u64,
    probe: bool,
    plan: Arc<LinkPlan>,
    target: String,
    dialing: Pin<Box<dyn Future<Output = Result<Stream, Failure>> + Send>>,
    phases: UnboundedReceiver<Phase>,
}

/// What got on.
pub(super) enum Progress {
    /// The dial reached a step.
    Phase(Phase),
    /// The dial is over.
    Dialed(Result<Stream, Failure>),
    /// The socket gave something.
    Read(Read),
}

impl Road {
    /// Begins to make a connection for the link with this number.
    pub(super) fn dial(plan: Arc<LinkPlan>, target: String, number: u64, probe: bool) -> Self {
        let (sender, phases) = unbounded_channel();
        let server = Arc::clone(&plan.server);
        let dialing = Box::pin(async move {
            dial(&server.place, |phase| {
                // Nobody listens any more if the dial has been given up.
                let _ = sender.send(phase);
            })
            .await
        });
        Road::Dialing(Dial { number, probe, plan, target, dialing, phases })
    }

    /// Goes on; what has arrived is read only if it may be.
    pub(super) fn poll(&mut self, context: &mut Context<'_>, read: bool) -> Poll<Progress> {
        let dial = match self {
            Road::Dialing(dial) => dial,
            Road::Open(link) if read || link.is_broken() => {
                return link.poll_read(context).map(Progress::Read);
            }
            Road::Open(_) => return Poll::Pending,
        };
        if let Poll::Ready(Some(phase)) = dial.phases.poll_recv(context) {
            return Poll::Ready(Progress::Phase(phase));
        }
        if let Poll::Ready(outcome) = dial.dialing.as_mut().poll(context) {
            return Poll::Ready(Progress::Dialed(outcome));
        }
        // The dial may have reached a step just now.
        match dial.phases.poll_recv(context) {
            Poll::Ready(Some(phase)) => Poll::Ready(Progress::Phase(phase)),
            _ => Poll::Pending,
        }
    }

    /// Whether what waits to be written can go on.
    pub(super) fn poll_writable(&mut self, context: &mut Context<'_>) -> bool {
        match self {
            Road::Dialing(_) => false,
            Road::Open(link) => link.poll_writable(context),
        }
    }
}

/// Takes in what got on.
pub(super) fn advance(road: &mut Option<Road>, shared: &Shared, progress: Progress) {
    let now = super::now();
    let progress = match (progress, &mut *road) {
        (Progress::Read(read), Some(Road::Open(link))) => return link.take_in(shared, read, now),
        (progress, _) => progress,
    };
    match (progress, road.take()) {
        (Progress::Phase(phase), Some(Road::Dialing(dial))) => {
            let number = dial.number;
            *road = Some(Road::Dialing(dial));
            // The monitor's own refusals show at the next turn.
            let _ = shared
                .with(|core, effects| core.input_of(number, Input::Phase(phase), now, effects));
        }
        (Progress::Dialed(outcome), Some(Road::Dialing(dial))) => {
            let Dial { number, probe, plan, target, .. } = dial;
            let opened = outcome.and_then(|stream| {
                let socket = stream.descriptor();
                Ok((Link::open(stream, plan, target, number, probe)?, socket))
            });
            let input = match opened {
                Ok((link, socket)) => {
                    if !probe {
                        shared.keep_socket(socket);
                    }
                    *road = Some(Road::Open(Box::new(link)));
                    Input::Phase(Phase::Handshake)
                }
                Err(failure) => Input::Failed(failure),
            };
            let _ = shared.with(|core, effects| core.input_of(number, input, now, effects));
        }
        (_, other) => *road = other,
    }
}

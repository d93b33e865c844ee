//! What the driver is to do next: the border between a client's state and its thread.
//!
//! Owns the words for that, and what each action of the session's means in them. Refuses to do any of
//! it, and to decide when: the session says so.

#![forbid(unsafe_code)]

use std::sync::Arc;

use super::Core;
use crate::log::Level;
use crate::monitor::Effects;
use crate::net::server::Server;
use crate::session::{Action, Input, Moment};
use crate::transport::Transport;

/// What the links of one attempt are made with.
pub struct LinkPlan {
    /// The server, and what goes on each request to it.
    pub server: Arc<Server>,
    /// The path of the requests.
    pub path: String,
    /// The largest message that is taken.
    pub max_message: usize,
}

/// What the driver is to do, in order.
pub enum Order {
    /// Call the program's function that goes before the attempt with this ticket.
    Prepare(u64),
    /// Make a link to the server, in place of any other.
    Dial {
        /// Its number.
        link: u64,
        /// By which transport.
        transport: Transport,
        /// Path and query of its first request.
        target: String,
        /// What it is made with.
        plan: Arc<LinkPlan>,
    },
    /// Ask the server for packets.
    Poll {
        /// Path and query.
        target: String,
    },
    /// Send packets.
    Post {
        /// Path and query.
        target: String,
        /// The packets.
        body: Vec<u8>,
    },
    /// Open a WebSocket beside the polling link.
    Probe {
        /// Its number.
        link: u64,
        /// Path and query of its handshake.
        target: String,
        /// What it is made with.
        plan: Arc<LinkPlan>,
    },
    /// Send the probe's question on it.
    ProbePing,
    /// Close it.
    ProbeDrop,
    /// Hear it no more, and close it with the link.
    ProbeForget,
    /// It is the link from now on; polling is over.
    Switch,
    /// Shut down the sending side and read on.
    ShutdownWrite,
    /// Part from the link in the background.
    Farewell {
        /// The code of the close frame, if the stream is between two frames.
        code: Option<u16>,
    },
    /// Close the link, or end the dial, now.
    Hangup,
}

/// What the driver is to do next.
#[derive(Default)]
pub struct Plan {
    /// What the session asks for, in order.
    pub orders: Vec<Order>,
    /// Whether to read from the link.
    pub read: bool,
    /// When to ask again at the latest.
    pub deadline: Option<Moment>,
    /// The connection is quiet, or has just been made: what only a busy one needs can be given back.
    pub rest: bool,
    /// The client is being freed.
    pub stop: bool,
}

impl Core {
    /// The next turn of the driver: what is due is done, what waits is framed. `prepare` tells
    /// whether the program has a function that goes before each attempt.
    pub fn turn(&mut self, prepare: bool, now: Moment, fx: &mut Effects<'_>) -> Plan {
        if self.session.deadline().is_some_and(|deadline| deadline <= now) {
            match self.take_refusal() {
                Some(refusal) => self.input(Input::Failed(refusal), now, fx),
                None => self.session.expire(now),
            }
            self.settle(now, fx);
        }
        let mut plan = Plan { stop: self.freed, ..Plan::default() };
        self.run_started(now, fx);
        plan.orders.extend(self.take_word(prepare, now, fx));
        self.pump(now, fx);
        while let Some(action) = self.session.action() {
            plan.orders.extend(self.order(action, prepare, now, fx));
            self.pump(now, fx);
        }
        plan.orders.extend(self.next_post(now, fx));
        let pause = self.must_pause();
        if pause != self.paused {
            self.paused = pause;
            if pause {
                // Those who can make room may not have been woken yet.
                self.announce(fx);
                self.session.pause(now);
                fx.log(Level::Debug, || "reading is paused: the receive queue is full".into());
            } else {
                self.session.resume(now);
            }
        }
        plan.read = !pause;
        if std::mem::take(&mut self.at_rest) {
            plan.rest = true;
            self.inbox.rest();
            self.outbox.rest();
            self.session.rest();
            self.started.rest();
        }
        plan.deadline = self.session.deadline().into_iter().chain(self.started.alarm(now)).min();
        plan
    }

    /// What an action of the session's means for the driver.
    fn order(
        &mut self,
        action: Action,
        prepare: bool,
        now: Moment,
        fx: &mut Effects<'_>,
    ) -> Option<Order> {
        match action {
            Action::Prepare => self.prepare(prepare, now, fx),
            Action::Dial(transport) => {
                let plan = Arc::clone(self.plan.as_ref()?);
                self.main = self.next_link();
                self.probe = 0;
                self.refusal = None;
                self.outbox.begin(transport);
                let target = self.target(&plan, transport, now);
                Some(Order::Dial { link: self.main, transport, target, plan })
            }
            Action::Poll => {
                let plan = Arc::clone(self.plan.as_ref()?);
                Some(Order::Poll { target: self.target(&plan, Transport::Polling, now) })
            }
            Action::Probe => {
                let plan = Arc::clone(self.plan.as_ref()?);
                self.probe = self.next_link();
                let target = self.target(&plan, Transport::WebSocket, now);
                Some(Order::Probe { link: self.probe, target, plan })
            }
            Action::ProbePing => Some(Order::ProbePing),
            Action::ProbeDrop => {
                self.probe = 0;
                Some(Order::ProbeDrop)
            }
            Action::ProbeForget => {
                self.probe = 0;
                Some(Order::ProbeForget)
            }
            Action::Switch => {
                self.main = std::mem::take(&mut self.probe);
                self.outbox.begin(Transport::WebSocket);
                // Before anything that a caller may push from now on.
                while let Some(transmit) = self.session.transmit(false) {
                    self.frame(transmit);
                }
                Some(Order::Switch)
            }
            Action::ShutdownWrite => Some(Order::ShutdownWrite),
            Action::Farewell { code } => {
                self.forget_links();
                Some(Order::Farewell { code: self.ended_clean.then_some(code) })
            }
            Action::Hangup => {
                self.forget_links();
                Some(Order::Hangup)
            }
        }
    }

    fn next_link(&mut self) -> u64 {
        self.links += 1;
        self.links
    }

    pub(super) fn forget_links(&mut self) {
        self.main = 0;
        self.probe = 0;
    }
}

//! The beginning of an attempt: what it reads from the options, and the program's function before it.
//!
//! Owns the way from options to the session's settings and to what links are made with. Refuses to
//! know when an attempt is due: the session says so.

#![forbid(unsafe_code)]

use std::sync::Arc;

use super::{Core, LinkPlan, Order, Word};
use crate::error::{Failure, Phase, Status};
use crate::log::Level;
use crate::message::state;
use crate::monitor::Effects;
use crate::net::dial::Place;
use crate::net::server::Server;
use crate::net::tls::Trust;
use crate::session::{Input, Moment, Reconnection, Settings, State};
use crate::sleepers::Queue;
use crate::transport::Transport;
use crate::url::Url;

impl Core {
    /// Begins to connect with the options as they are; with `prepare` once the program's function
    /// has had its say on them.
    pub fn connect(
        &mut self,
        prepare: bool,
        now: Moment,
        fx: &mut Effects<'_>,
    ) -> Result<(), Failure> {
        let prepare = prepare || self.options.report_attempts;
        let settings = match prepare {
            // The program may still say where to go, and change all the rest. Until it has, what is
            // emitted goes by what is said now.
            true => {
                self.put_in_force();
                self.settings()
            }
            false => self.read_attempt(fx)?,
        };
        self.tally.dropped_received += self.inbox.clear();
        self.connection += 1;
        self.end_told = false;
        self.forget_attempt();
        self.forget_links();
        self.session.connect(settings, prepare, now);
        self.settle(now, fx);
        fx.kick = true;
        Ok(())
    }

    /// The URL, if an attempt can be begun with the options as they are.
    pub fn checked_url(&self) -> Result<Url, Failure> {
        self.options.check()?;
        match &self.options.url {
            Some(url) => Ok(url.meaning.clone()),
            None => Err(Failure::new(
                Status::Invalid,
                "there is no URL: give one to connect, or set the option \"url\"",
            )),
        }
    }

    /// An attempt is due. The program's word is waited for, if it has asked for that; then its
    /// function is called, if it has one.
    pub(super) fn prepare(
        &mut self,
        prepare: bool,
        now: Moment,
        fx: &mut Effects<'_>,
    ) -> Option<Order> {
        self.tickets += 1;
        self.wanted = Some(self.tickets);
        if !self.options.report_attempts {
            return self.call_function(prepare, now, fx);
        }
        self.word = Word::Awaited(self.tickets);
        let message = state::attempt(self.session.attempt_number());
        self.inbox.push_attempt(self.tickets, &message);
        self.sleepers.wake_one(Queue::Receive, &mut fx.wakes);
        None
    }

    /// Whether the attempt with this ticket waits for the program's word.
    pub fn awaits_word(&self, ticket: u64) -> bool {
        self.word == Word::Awaited(ticket)
    }

    /// The attempt with this ticket may begin.
    pub fn give_word(&mut self, ticket: u64, fx: &mut Effects<'_>) -> Result<(), Failure> {
        if !self.awaits_word(ticket) {
            let text = "not answered: the attempt that the message announced is over";
            return Err(Failure::new(Status::Disconnected, text));
        }
        self.word = Word::Given(ticket);
        fx.kick = true;
        Ok(())
    }

    /// Goes on with an attempt for which the word has been given.
    pub(super) fn take_word(
        &mut self,
        prepare: bool,
        now: Moment,
        fx: &mut Effects<'_>,
    ) -> Option<Order> {
        let Word::Given(_) = self.word else { return None };
        self.word = Word::NotAsked;
        self.call_function(prepare, now, fx)
    }

    /// What was waited for before the attempt is of no use any more.
    pub(super) fn forget_attempt(&mut self) {
        self.wanted = None;
        self.word = Word::NotAsked;
        self.refusal = None;
        self.inbox.drop_attempts();
    }

    fn call_function(&mut self, prepare: bool, now: Moment, fx: &mut Effects<'_>) -> Option<Order> {
        if !prepare {
            self.wanted = None;
            let read = self.read_attempt(fx).map(Box::new);
            self.input(Input::Prepared(read), now, fx);
            return None;
        }
        // It never runs twice at once: a call that goes on, for an attempt that has been given up,
        // is followed by one for this attempt.
        (!std::mem::replace(&mut self.preparing, true)).then_some(Order::Prepare(self.tickets))
    }

    /// The program's function has returned: none if it has been removed meanwhile, otherwise its
    /// number. Gives the ticket for which it has to be called next, if it has.
    pub fn prepared(
        &mut self,
        ticket: u64,
        outcome: Result<Option<i32>, Failure>,
        now: Moment,
        fx: &mut Effects<'_>,
    ) -> Option<u64> {
        if self.wanted != Some(ticket)
            && let Some(next) = self.next_prepare()
        {
            return Some(next);
        }
        self.preparing = false;
        if self.wanted != Some(ticket) {
            return None;
        }
        self.wanted = None;
        let read = match outcome {
            Ok(None | Some(0)) => self.read_attempt(fx).map(Box::new),
            Ok(Some(number)) => Err(not_prepared(number)),
            Err(failure) => Err(failure),
        };
        self.input(Input::Prepared(read), now, fx);
        fx.kick = true;
        None
    }

    /// The call of the program's function ended by a defect. Gives the ticket for which it has to be
    /// called next, if another connect waits for it already.
    pub fn prepare_failed(&mut self) -> Option<u64> {
        let next = self.next_prepare();
        self.preparing = next.is_some();
        next
    }

    /// The ticket for which the function is to be called at once: one that waits for the program's
    /// word comes later.
    fn next_prepare(&self) -> Option<u64> {
        self.wanted.filter(|_| self.word == Word::NotAsked)
    }

    /// Reads all that an attempt goes by, once.
    fn read_attempt(&mut self, fx: &mut Effects<'_>) -> Result<Settings, Failure> {
        let url = self.checked_url()?;
        let options = &self.options;
        if !options.auth_is_object() {
            fx.log(Level::Warn, || {
                "the option \"auth\" is no JSON object: python servers take it, Node servers close \
                 the connection without a word"
                    .into()
            });
        }
        if url.secure && !options.tls.verify {
            fx.log(Level::Warn, || {
                "the server's certificate is not verified, because the option \"tls_verify\" is 0: \
                 anyone on the way can read and change what is sent"
                    .into()
            });
        }
        let tls = url.secure.then(|| Arc::new(Trust::new(options.tls.clone())));
        let server = Server {
            place: Place { host: url.host.clone(), port: url.port, tls },
            url,
            headers: options.headers.clone(),
            jar: options.cookies.then(|| self.jar.clone()),
        };
        self.plan = Some(Arc::new(LinkPlan {
            server: Arc::new(server),
            path: options.path.meaning.clone(),
            max_message: options.max_message_bytes,
        }));
        self.put_in_force();
        self.wake_line(fx);
        self.sleepers.wake_all(Queue::Flush, &mut fx.wakes);
        let settings = self.settings();
        let before = self.session.namespace().to_owned();
        self.outbox.rename(&before, &settings.namespace);
        fx.log(Level::Info, || match self.session.state() {
            State::Reconnecting => format!("reconnecting to {}", settings.target),
            _ => format!("connecting to {}", settings.target),
        });
        Ok(settings)
    }

    /// From now on the options count as they are.
    fn put_in_force(&mut self) {
        self.in_force = self.options.clone();
        self.inbox.configure(self.in_force.receive_limit, self.in_force.receive_overflow);
    }

    fn settings(&self) -> Settings {
        let options = &self.options;
        let target = match &options.url {
            Some(url) => url.meaning.origin(),
            None => "the server".into(),
        };
        Settings {
            namespace: options.namespace.clone(),
            auth: options.auth.clone(),
            transports: options.transports.clone(),
            attempt_timeout: options.attempt_timeout,
            request_timeout: options.request_timeout,
            reconnection: Reconnection {
                enabled: options.reconnection,
                attempts: options.reconnect_attempts,
                min: options.reconnect_min,
                max: options.reconnect_max,
                jitter: options.reconnect_jitter,
            },
            retry_connect: options.retry_connect,
            retry_refused: options.retry_refused,
            max_message_bytes: options.max_message_bytes,
            max_attachments: options.max_attachments,
            enforce_max_payload: options.enforce_max_payload,
            target,
        }
    }

    /// Path and query of a request by this transport.
    pub(super) fn target(&mut self, plan: &LinkPlan, transport: Transport, now: Moment) -> String {
        // No two requests have the same, also if they are made in one moment.
        self.last_target = now.as_nanos().max(self.last_target + 1);
        let sid = self.session.engine_sid();
        plan.server.url.request_target(&plan.path, transport, sid, self.last_target)
    }
}

fn not_prepared(number: i32) -> Failure {
    let text = format!(
        "the program's prepare function returned {number}, so the attempt was not made; it has to \
         return 0 for the attempt to go on"
    );
    Failure::new(Status::Unreachable, text).in_phase(Phase::Prepare)
}

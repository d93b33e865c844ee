//! The session under a virtual clock: every conversation, fault and timer, without a socket.
//!
//! Owns the rig that plays driver and server. Refuses to look inside the session: all that is
//! tested can be seen from outside.

mod attachments;
mod calls;
mod connecting;
mod ending;
mod fallback;
mod heartbeat;
mod judge;
mod leaving;
mod leaving_by_polling;
mod namespaces;
mod polling;
mod preparing;
mod properties;
mod receiving;
mod reconnecting;
mod retrying;
mod upgrade;
mod upgrade_orders;

use std::time::Duration;

use super::*;
use crate::error::{Phase, Status};
use crate::packet::{engine, socket};
use crate::transport::Transport;

const POLLING: Transport = Transport::Polling;
const WEBSOCKET: Transport = Transport::WebSocket;

const TARGET: &str = "http://localhost:5000";

/// `pingInterval` and `pingTimeout` as servers have them by default.
const OPEN: &str = r#"0{"sid":"engine-sid","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
const SILENCE_MS: u64 = 45_000;

/// The same of a server that offers to go on by WebSocket.
const OPEN_UPGRADE: &str = r#"0{"sid":"engine-sid","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;

/// What came out of the session, with everything copied.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Got {
    Nothing,
    Message { id: Option<u64>, content: Content },
    Reply { call: u32, content: Content },
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Content {
    name: String,
    args: String,
    buffers: Vec<Vec<u8>>,
}

/// A driver, a server and a clock around one session.
struct Rig {
    session: Session<u32>,
    now: Moment,
}

/// WebSocket alone, and every loss is final: what most tests are about.
fn settings() -> Settings {
    Settings {
        transports: vec![WEBSOCKET],
        reconnection: Reconnection { enabled: false, ..Reconnection::default() },
        target: TARGET.into(),
        ..Settings::default()
    }
}

/// Polling first, then WebSocket, and every loss is final.
fn both() -> Settings {
    Settings { transports: vec![POLLING, WEBSOCKET], ..settings() }
}

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

impl Rig {
    /// A session that is not connected.
    fn new() -> Self {
        Rig::seeded(7)
    }

    fn seeded(seed: u64) -> Self {
        Rig { session: Session::new(seed), now: Moment::from_nanos(1_000_000_000) }
    }

    /// Connects to the main namespace.
    fn connect_to(&mut self, settings: Settings) {
        self.session.connect(settings, false, self.now);
        self.actions();
        self.input(Input::Open);
        self.text(OPEN);
        self.sent();
        self.text("40{\"sid\":\"socket-sid\"}");
        assert_eq!(self.session.state(), State::Connected);
    }

    /// One that is connected to the main namespace.
    fn connected() -> Self {
        Rig::connected_with(settings())
    }

    fn connected_with(settings: Settings) -> Self {
        let mut rig = Rig::asking(settings);
        let own = prefix(rig.session.namespace());
        rig.text(&format!("40{own}{{\"sid\":\"socket-sid\"}}"));
        assert_eq!(rig.session.state(), State::Connected);
        rig
    }

    /// One that has sent its request for the namespace.
    fn asking(settings: Settings) -> Self {
        let mut rig = Rig::greeting(settings);
        rig.text(OPEN);
        assert!(matches!(rig.sent()[..], [Transmit::Connect(_)]));
        rig
    }

    /// One whose WebSocket has just opened.
    fn greeting(settings: Settings) -> Self {
        let mut rig = Rig::dialing(settings);
        for phase in [Phase::Resolve, Phase::Connect, Phase::Handshake] {
            rig.input(Input::Phase(phase));
        }
        rig.input(Input::Open);
        assert_eq!(rig.session.state(), State::Connecting);
        rig
    }

    /// One that has been told to connect.
    fn dialing(settings: Settings) -> Self {
        let mut rig = Rig::new();
        let first = settings.transports[0];
        rig.session.connect(settings, false, rig.now);
        assert_eq!(rig.actions(), [Action::Dial(first)]);
        assert_eq!(rig.session.carrier(), Some(first));
        rig
    }

    /// One that has asked for a session by polling.
    fn requesting(settings: Settings) -> Self {
        let mut rig = Rig::dialing(settings);
        for phase in [Phase::Resolve, Phase::Connect, Phase::Http] {
            rig.input(Input::Phase(phase));
        }
        rig
    }

    /// One whose session by polling is there; its POST and its first poll are under way.
    fn posting(settings: Settings, open: &str) -> Self {
        let mut rig = Rig::requesting(settings);
        rig.text(open);
        assert!(matches!(rig.post()[..], [Transmit::Connect(_)]));
        rig.polled();
        assert_eq!(rig.actions(), [Action::Poll]);
        rig
    }

    /// One that is connected by polling, to a server that offers nothing else; a poll is under
    /// way.
    fn polling() -> Self {
        let mut rig = Rig::polling_with(both(), OPEN);
        assert_eq!(rig.actions(), [Action::Poll]);
        rig
    }

    /// One that is connected by polling and has begun a probe; a poll is under way.
    fn probing() -> Self {
        Rig::probing_with(both())
    }

    fn probing_with(settings: Settings) -> Self {
        let mut rig = Rig::polling_with(settings, OPEN_UPGRADE);
        assert_eq!(rig.actions(), [Action::Probe, Action::Poll]);
        rig
    }

    fn polling_with(settings: Settings, open: &str) -> Self {
        let mut rig = Rig::posting(settings, open);
        rig.input(Input::Posted);
        let own = prefix(rig.session.namespace());
        rig.body(&[&format!("40{own}{{\"sid\":\"socket-sid\"}}")]);
        assert_eq!(rig.session.state(), State::Connected);
        assert_eq!(rig.session.transport(), Some(POLLING));
        rig
    }

    /// What the program and the session put into a POST, which begins if that is anything.
    fn post(&mut self) -> Vec<Transmit> {
        let mut body = Vec::new();
        while self.session.may_post()
            && let Some(next) = self.session.transmit(true)
        {
            body.push(next);
        }
        if !body.is_empty() {
            self.session.post_begun(self.now);
        }
        body
    }

    /// The answer to a poll, with these texts.
    fn body(&mut self, texts: &[&str]) {
        for text in texts {
            self.text(text);
        }
        self.input(Input::Polled { only_noop: texts.iter().all(|text| *text == "6") });
    }

    /// The answer to a poll ends.
    fn polled(&mut self) {
        self.input(Input::Polled { only_noop: false });
    }

    /// What came on the WebSocket of the probe.
    fn probe(&mut self, text: &str) {
        self.session.touch(self.now);
        self.input(Input::Probe(engine::parse(text).unwrap()));
    }

    fn reports(&mut self) -> Vec<Report> {
        std::iter::from_fn(|| self.session.report()).collect()
    }

    fn input(&mut self, input: Input<'_>) -> Got {
        copied(self.session.handle(input, self.now))
    }

    /// A text message, read by itself.
    fn text(&mut self, text: &str) -> Got {
        self.session.touch(self.now);
        match engine::parse(text) {
            Ok(engine::Packet::Message(text)) => match socket::parse(text) {
                Ok(packet) => {
                    self.input(Input::Packet { packet: &packet, text: Text::Here(text.as_bytes()) })
                }
                Err(error) => self.input(Input::Malformed(error.to_string())),
            },
            Ok(packet) => self.input(Input::Engine(packet)),
            Err(error) => self.input(Input::Malformed(error.to_string())),
        }
    }

    /// A text message that the decoder read into a block of its own.
    fn own_text(&mut self, text: &str) -> Got {
        self.session.touch(self.now);
        let packet = socket::parse_from(text, 1).unwrap();
        self.input(Input::Packet { packet: &packet, text: Text::Own(text.into()) })
    }

    fn binary(&mut self, bytes: &[u8]) -> Got {
        self.session.touch(self.now);
        self.input(Input::Binary(Attachment::Here(bytes)))
    }

    fn own_binary(&mut self, bytes: &[u8]) -> Got {
        self.session.touch(self.now);
        self.input(Input::Binary(Attachment::Own(bytes.to_vec())))
    }

    /// Lets time pass as a driver does: timers that are due on the way fire at their moment.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(deadline) = self.session.deadline().filter(|deadline| *deadline <= end) {
            self.now = self.now.max(deadline);
            self.session.expire(self.now);
            assert!(self.session.deadline() > Some(self.now) || self.session.deadline().is_none());
        }
        self.now = end;
    }

    /// Everything that waits to be sent, the last packets of leaving included.
    fn sent(&mut self) -> Vec<Transmit> {
        std::iter::from_fn(|| self.session.transmit(true)).collect()
    }

    fn actions(&mut self) -> Vec<Action> {
        std::iter::from_fn(|| self.session.action()).collect()
    }

    /// Asserts that the session ended so just now, and gives the failure.
    #[track_caller]
    fn ended(&mut self, status: Status, reason: Option<Reason>, action: Action) -> Failure {
        assert_eq!(self.session.state(), State::Closed);
        assert_eq!(self.session.deadline(), None);
        assert_eq!(self.session.reason(), reason);
        assert_eq!(self.actions(), [action]);
        assert_eq!(self.sent(), []);
        assert_eq!((self.session.sid(), self.session.engine_sid()), ("", ""));
        assert_eq!((self.session.carrier(), self.session.transport()), (None, None));
        let failure = self.session.ended().unwrap().clone();
        assert_eq!(failure.status, status, "{}", failure.text);
        assert!(failure.details.phase.is_some());
        assert!(failure.text.contains(TARGET), "{}", failure.text);
        failure
    }

    /// Asserts that the session now waits for another attempt, and gives the failure and the delay.
    #[track_caller]
    fn waits(&mut self, state: State, action: Option<Action>) -> (Failure, Duration) {
        assert_eq!(self.session.state(), state);
        assert_eq!(self.actions(), Vec::from_iter(action));
        assert_eq!(self.sent(), []);
        assert_eq!((self.session.sid(), self.session.engine_sid()), ("", ""));
        assert_eq!((self.session.carrier(), self.session.transport()), (None, None));
        assert_eq!(self.session.deadline(), self.session.next_attempt());
        let delay = self.session.next_attempt().unwrap().saturating_sub(self.now);
        let Some(Report::Ended { failure, next, .. }) = self.reports().pop() else {
            panic!("nothing was reported");
        };
        assert_eq!(next, Some(delay));
        assert_eq!(self.session.ended(), Some(&failure));
        assert!(failure.text.contains(TARGET), "{}", failure.text);
        assert!(failure.details.phase.is_some());
        assert!(matches!(self.session.admit(), Admission::Wait));
        (failure, delay)
    }

    /// Asserts that a parse error ended the connection, for what is said to have come.
    #[track_caller]
    fn ended_by_parse_error(&mut self, what: &str) {
        self.ended_by_flaw(what, 1002);
    }

    #[track_caller]
    fn ended_by_flaw(&mut self, what: &str, code: u16) {
        let reason = Some(Reason::ParseError);
        let failure = self.ended(Status::Disconnected, reason, Action::Farewell { code });
        says(&failure, &["the server broke the protocol", what]);
        assert_eq!(failure.details.phase, Some(Phase::Session));
    }
}

/// Asserts that a failure's text has all these parts.
#[track_caller]
fn says(failure: &Failure, parts: &[&str]) {
    for part in parts {
        assert!(failure.text.contains(part), "{part:?} is not in {:?}", failure.text);
    }
}

/// How packets name a namespace, with the comma; nothing for the main one.
fn prefix(namespace: &str) -> String {
    match namespace.split('?').next() {
        None | Some("/") => String::new(),
        Some(name) => format!("{name},"),
    }
}

fn copied(event: Event<'_, u32>) -> Got {
    match event {
        Event::Nothing => Got::Nothing,
        Event::Message { id, parcel } => Got::Message { id, content: content(parcel) },
        Event::Reply { call, parcel } => Got::Reply { call, content: content(parcel) },
    }
}

fn content(parcel: Parcel<'_>) -> Content {
    let (block, layout, parts) = match parcel {
        Parcel::Plain { packet, text: Text::Here(text) } => {
            let mut block = Vec::new();
            let layout = packet.write_block(text, &mut block);
            (block, layout, Vec::new())
        }
        Parcel::Plain { packet, text: Text::Own(text) } => {
            let (block, layout) = packet.into_block(text);
            (block, layout, Vec::new())
        }
        Parcel::Assembled { block, layout, parts } => {
            (block.clone(), layout, std::mem::take(parts))
        }
    };
    let text = |start: usize, len: usize| {
        assert_eq!(block[start + len], 0);
        String::from_utf8(block[start..start + len].to_vec()).unwrap()
    };
    let buffers = parts
        .into_iter()
        .map(|part| match part {
            Part::Own(bytes) => bytes,
            Part::Within { start, len } => {
                assert_eq!(start % 16, 0);
                block[start..start + len].to_vec()
            }
        })
        .collect();
    Content {
        name: text(layout.name_start, layout.name_len),
        args: text(layout.args_start, layout.args_len),
        buffers,
    }
}

fn event(name: &str, args: &str) -> Got {
    binary_event(name, args, &[])
}

fn binary_event(name: &str, args: &str, buffers: &[&[u8]]) -> Got {
    let buffers = buffers.iter().map(|bytes| bytes.to_vec()).collect();
    Got::Message { id: None, content: Content { name: name.into(), args: args.into(), buffers } }
}

fn reply(call: u32, args: &str, buffers: &[&[u8]]) -> Got {
    let buffers = buffers.iter().map(|bytes| bytes.to_vec()).collect();
    Got::Reply { call, content: Content { name: String::new(), args: args.into(), buffers } }
}

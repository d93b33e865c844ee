//! The session under a virtual clock: every conversation, fault and timer, without a socket.
//!
//! Owns the rig that plays driver and server. Refuses to look inside the session: all that is
//! tested can be seen from outside.

mod attachments;
mod calls;
mod connecting;
mod ending;
mod heartbeat;
mod leaving;
mod namespaces;
mod properties;
mod receiving;

use std::time::Duration;

use super::*;
use crate::error::{Phase, Status};
use crate::packet::{engine, socket};

const TARGET: &str = "http://localhost:5000";

/// `pingInterval` and `pingTimeout` as servers have them by default.
const OPEN: &str = r#"0{"sid":"engine-sid","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#;
const SILENCE_MS: u64 = 45_000;

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

fn settings() -> Settings {
    Settings { target: TARGET.into(), ..Settings::default() }
}

fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

impl Rig {
    /// A session that is not connected.
    fn new() -> Self {
        Rig { session: Session::new(), now: Moment::from_nanos(1_000_000_000) }
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
        rig.session.connect(settings, rig.now);
        assert_eq!(rig.actions(), [Action::Dial]);
        rig
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
        let failure = self.session.ended().unwrap().clone();
        assert_eq!(failure.status, status, "{}", failure.text);
        assert!(failure.details.phase.is_some());
        assert!(failure.text.contains(TARGET), "{}", failure.text);
        failure
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

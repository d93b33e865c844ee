//! The Socket.IO side of a session: one namespace, its events and answers, its beginning and end.
//!
//! Owns what each packet type means in each stage. Refuses to know how packets are written, and
//! what the program makes of an event: no name of one has a meaning here.

#![forbid(unsafe_code)]

use std::borrow::Cow;

use super::engine::NORMAL;
use super::reassembly::{PROTOCOL_ERROR, Purpose};
use super::seam::{Action, Attachment, Event, Parcel, Reason, Report, Text};
use super::texts;
use super::time::Moment;
use super::{Session, Stage, Step};
use crate::error::{Failure, Phase, Status};
use crate::json;
use crate::packet::socket::{Kind, Packet};

impl<C> Session<C> {
    /// A Socket.IO packet. Nearly all are events while the namespace is connected, so these take
    /// the short way.
    #[inline]
    pub(super) fn socket_packet<'a>(
        &'a mut self,
        packet: &'a Packet,
        text: Text<'a>,
        now: Moment,
    ) -> Event<'a, C> {
        if packet.kind == Kind::Event
            && matches!(self.stage, Stage::Connected)
            && self.reassembly.is_idle()
            && self.is_own(packet, text.as_bytes())
        {
            self.counters.packets_received += 1;
            return Event::Message { id: packet.id, parcel: Parcel::Plain { packet, text } };
        }
        self.any_packet(packet, text, now)
    }

    /// An attachment.
    #[inline(never)]
    pub(super) fn attachment<'a>(
        &'a mut self,
        attachment: Attachment<'a>,
        now: Moment,
    ) -> Event<'a, C> {
        if self.carrier.is_none() {
            return Event::Nothing;
        }
        let purpose = match self.reassembly.add(attachment, &self.settings, now) {
            Ok(Some(purpose)) => purpose,
            Ok(None) => return Event::Nothing,
            Err(flaw) => {
                self.malformed(flaw.text, flaw.code, now);
                return Event::Nothing;
            }
        };
        let parcel = Parcel::Assembled {
            block: &mut self.reassembly.block,
            layout: self.reassembly.layout,
            parts: &mut self.reassembly.parts,
        };
        match purpose {
            Purpose::Foreign => Event::Nothing,
            Purpose::Event(id) => Event::Message { id, parcel },
            Purpose::Reply(id) => match self.acks.take(id) {
                Some(call) => Event::Reply { call, parcel },
                None => {
                    self.counters.late_acks += 1;
                    Event::Nothing
                }
            },
        }
    }

    #[inline(never)]
    fn any_packet<'a>(
        &'a mut self,
        packet: &'a Packet,
        text: Text<'a>,
        now: Moment,
    ) -> Event<'a, C> {
        match self.stage {
            _ if self.carrier.is_none() => return Event::Nothing,
            Stage::Attempt(ref attempt) if attempt.step != Step::Namespace => {
                let what = "a Socket.IO packet before the Engine.IO handshake";
                self.malformed(what, PROTOCOL_ERROR, now);
                return Event::Nothing;
            }
            _ => {}
        }
        self.counters.packets_received += 1;
        if !self.reassembly.is_idle() {
            let what = format!(
                "a Socket.IO packet in the middle of another one, of which {}",
                self.reassembly.progress()
            );
            self.malformed(what, PROTOCOL_ERROR, now);
            return Event::Nothing;
        }
        let own = self.is_own(packet, text.as_bytes());
        if !own {
            self.counters.foreign_packets += 1;
        }
        if packet.attachments > 0 {
            self.begin_reassembly(packet, text, own, now);
            return Event::Nothing;
        }
        if !own {
            return Event::Nothing;
        }
        match packet.kind {
            Kind::Event | Kind::BinaryEvent => {
                return Event::Message { id: packet.id, parcel: Parcel::Plain { packet, text } };
            }
            Kind::Ack | Kind::BinaryAck => match packet.id.and_then(|id| self.acks.take(id)) {
                Some(call) => {
                    return Event::Reply { call, parcel: Parcel::Plain { packet, text } };
                }
                None => self.counters.late_acks += 1,
            },
            Kind::Connect => self.namespace_connected(&data(packet, &text), now),
            Kind::Disconnect => self.namespace_disconnected(&data(packet, &text), now),
            Kind::ConnectError => self.namespace_refused(&data(packet, &text), now),
        }
        Event::Nothing
    }

    fn begin_reassembly(&mut self, packet: &Packet, text: Text<'_>, own: bool, now: Moment) {
        let purpose = match (own, packet.kind, packet.id) {
            (false, ..) => Purpose::Foreign,
            (true, Kind::BinaryAck, Some(id)) => Purpose::Reply(id),
            (true, _, id) => Purpose::Event(id),
        };
        if let Err(flaw) = self.reassembly.begin(packet, text, purpose, &self.settings, now) {
            self.malformed(flaw.text, flaw.code, now);
        }
    }

    fn namespace_connected(&mut self, data: &str, now: Moment) {
        let Stage::Attempt(attempt) = &self.stage else {
            return self.malformed("a second CONNECT for the namespace", PROTOCOL_ERROR, now);
        };
        let index = attempt.index;
        match string_at(data, "/sid") {
            Some(sid) if !sid.is_empty() => self.sid = sid,
            _ => {
                return self.malformed(
                    "a CONNECT without a \"sid\", so this is a Socket.IO 2 server; version 3 or \
                     later is needed",
                    PROTOCOL_ERROR,
                    now,
                );
            }
        }
        self.counters.connects += 1;
        self.stage = Stage::Connected;
        self.ended = None;
        self.reason = None;
        let attempts = self.rounds.connected(now);
        self.reports.push_back(Report::Connected { attempts });
        self.start_probe(index, now);
    }

    /// A CONNECT_ERROR. After the namespace was connected it means the same as a DISCONNECT.
    fn namespace_refused(&mut self, data: &str, now: Moment) {
        match self.stage {
            Stage::Attempt(_) => self.refuse(data, now),
            _ => self.namespace_disconnected(data, now),
        }
    }

    fn namespace_disconnected(&mut self, data: &str, now: Moment) {
        let words = Words::read(data);
        let what = format!(
            "the server at {} disconnected the namespace \"{}\"{}",
            self.settings.target,
            self.shown_namespace(),
            words.clause()
        );
        match &self.stage {
            Stage::Attempt(_) => return self.refuse(data, now),
            Stage::Leaving(stage) if stage.has_parted() => return,
            Stage::Leaving(_) => {
                self.left.get_or_insert(super::Left::Lost);
            }
            _ => {}
        }
        let mut failure = Failure::new(Status::Disconnected, what).in_phase(Phase::Session);
        failure.details.message = words.message;
        failure.details.data = words.data;
        self.close(failure, Reason::ServerDisconnect, Action::Farewell { code: NORMAL });
    }

    /// The server will not have us in the namespace.
    fn refuse(&mut self, data: &str, now: Moment) {
        let mut words = Words::read(data);
        let text = format!(
            "the server at {} refused the namespace \"{}\"{}",
            self.settings.target,
            self.shown_namespace(),
            words.clause()
        );
        let mut failure = Failure::new(Status::Refused, text).in_phase(Phase::Namespace);
        failure.details.message = Some(words.message.take().unwrap_or_else(|| "\"\"".into()));
        failure.details.data = words.data;
        self.attempt_failed(failure, Action::Farewell { code: NORMAL }, now);
    }

    /// Whether a packet is for our namespace.
    #[inline]
    fn is_own(&self, packet: &Packet, text: &[u8]) -> bool {
        match text.get(packet.namespace.clone()) {
            None | Some(b"" | b"/") => self.own.is_empty(),
            Some(namespace) => namespace == self.own.as_bytes(),
        }
    }
}

/// The JSON of a packet that is rare; empty if it has none.
fn data<'t>(packet: &Packet, text: &'t Text<'_>) -> Cow<'t, str> {
    let bytes = text.as_bytes().get(packet.data.clone()).unwrap_or_default();
    String::from_utf8_lossy(bytes)
}

/// A namespace as packets name it: without a query, empty for "/".
pub(super) fn without_query(namespace: &str) -> &str {
    match namespace.split('?').next() {
        None | Some("/") => "",
        Some(name) => name,
    }
}

/// What a server says when it ends something, as JSON texts.
struct Words {
    message: Option<String>,
    data: Option<String>,
}

impl Words {
    /// Servers write an object with "message" and "data", a string, other JSON, or nothing.
    fn read(json: &str) -> Words {
        let member = |pointer| {
            let (_, value) = json::find(json.as_bytes(), pointer)?;
            Some(String::from_utf8_lossy(value).into_owned())
        };
        match json::find(json.as_bytes(), "") {
            None => Words { message: None, data: None },
            Some((json::Kind::String, _)) => Words { message: member(""), data: None },
            Some((json::Kind::Object, _)) if member("/message").is_some() => {
                Words { message: member("/message"), data: member("/data") }
            }
            Some(_) => Words { message: None, data: member("") },
        }
    }

    /// The words as the end of a sentence.
    fn clause(&self) -> String {
        let Some(words) = self.message.as_ref().or(self.data.as_ref()) else {
            return " without saying why".into();
        };
        let words = json::unquote(words.as_bytes()).unwrap_or_else(|| words.clone());
        match words.as_str() {
            "" => " without saying why".into(),
            words => format!(": {}", texts::shortened(words)),
        }
    }
}

fn string_at(json: &str, pointer: &str) -> Option<String> {
    let (_, value) = json::find(json.as_bytes(), pointer)?;
    json::unquote(value)
}

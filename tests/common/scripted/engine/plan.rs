//! What a scripted Engine.IO server does otherwise than it should.

#![forbid(unsafe_code)]

use super::super::answer::{Answer, Head};
use super::super::bell::Gate;
use super::super::http::HttpRequest;
use super::super::script::Script;

type Hook = dyn Fn(&HttpRequest) -> Option<Answer> + Send + Sync;
type Open = dyn Fn(usize) -> String + Send + Sync;
type Reply = dyn Fn(&str) -> Vec<String> + Send + Sync;
type Handshake = dyn Fn(Head) -> Head + Send + Sync;
type Refuse = dyn Fn(usize) -> Option<String> + Send + Sync;
type Upgrade = dyn Fn(&HttpRequest) -> Option<Script> + Send + Sync;

/// What a server does otherwise than it should.
pub struct Plan {
    /// Asked first about each request.
    pub(super) hook: Box<Hook>,
    /// The JSON of the handshake of the session with that number.
    pub(super) open: Box<Open>,
    /// More headers for the answer with the handshake.
    pub(super) handshake: Box<Handshake>,
    /// What is sent because of a packet, beside the acknowledgement of the namespace.
    pub(super) reply: Box<Reply>,
    /// What the session with that number is told instead of being let in.
    pub(super) refuse: Box<Refuse>,
    /// Another script than the usual one for the websocket of an upgrade; the request was read.
    pub(super) upgrade: Box<Upgrade>,
    /// The namespace is acknowledged when this is open.
    pub(super) namespace: Gate,
    /// Once the probe has been seen polls are answered by a NOOP at once, and the probe when this is
    /// open.
    pub(super) probe: Gate,
    /// The websocket of an upgrade opens when this is open.
    pub(super) opening: Gate,
    pub(super) transports: &'static [&'static str],
    pub(super) impolite: bool,
}

impl Default for Plan {
    fn default() -> Plan {
        let [namespace, probe, opening] = [(); 3].map(|()| Gate::new());
        for gate in [&namespace, &probe, &opening] {
            gate.open();
        }
        Plan {
            hook: Box::new(|_| None),
            open: Box::new(|n| open(n, &["websocket"], 25_000, 20_000, Some(1_000_000))),
            handshake: Box::new(|head| head),
            reply: Box::new(|_| Vec::new()),
            refuse: Box::new(|_| None),
            upgrade: Box::new(|_| None),
            namespace,
            probe,
            opening,
            transports: &["polling", "websocket"],
            impolite: false,
        }
    }
}

/// The JSON of the handshake of that session, `sid` being what the server knows it by.
pub fn open(
    session: usize,
    upgrades: &[&str],
    interval: u64,
    timeout: u64,
    limit: Option<u64>,
) -> String {
    let limit = limit.map(|limit| format!(r#","maxPayload":{limit}"#)).unwrap_or_default();
    format!(
        r#"{{"sid":"engine-{session}","upgrades":{upgrades:?},"pingInterval":{interval},"pingTimeout":{timeout}{limit}}}"#
    )
}

impl Plan {
    /// A server that announces no upgrade.
    pub fn polling_only() -> Plan {
        Plan::default().open(|n| open(n, &[], 25_000, 20_000, Some(1_000_000)))
    }

    /// Asked first about each request; what it does not answer is answered as usual.
    pub fn hook(
        mut self,
        hook: impl Fn(&HttpRequest) -> Option<Answer> + Send + Sync + 'static,
    ) -> Plan {
        self.hook = Box::new(hook);
        self
    }

    /// The JSON of the handshake of the session with that number, from 0.
    pub fn open(mut self, open: impl Fn(usize) -> String + Send + Sync + 'static) -> Plan {
        self.open = Box::new(open);
        self
    }

    /// More headers for the answer with the handshake, by polling.
    pub fn on_handshake(mut self, add: impl Fn(Head) -> Head + Send + Sync + 'static) -> Plan {
        self.handshake = Box::new(add);
        self
    }

    /// What is sent because of a packet.
    pub fn reply(mut self, reply: impl Fn(&str) -> Vec<String> + Send + Sync + 'static) -> Plan {
        self.reply = Box::new(reply);
        self
    }

    /// What the session with that number, from 0, is told instead of being let in.
    pub fn refusing(
        mut self,
        refuse: impl Fn(usize) -> Option<String> + Send + Sync + 'static,
    ) -> Plan {
        self.refuse = Box::new(refuse);
        self
    }

    /// Another script than the usual one for the websocket of an upgrade, which begins with
    /// `Script::switch` or a refusal.
    pub fn upgrade(mut self, script: impl Fn() -> Script + Send + Sync + 'static) -> Plan {
        self.upgrade = Box::new(move |_| Some(script()));
        self
    }

    /// Namespaces are acknowledged when the gate is open.
    pub fn namespace(mut self, gate: &Gate) -> Plan {
        self.namespace = gate.clone();
        self
    }

    /// Probes are answered when the gate is open; polls are answered by NOOP at once meanwhile.
    pub fn probe(mut self, gate: &Gate) -> Plan {
        self.probe = gate.clone();
        self
    }

    /// The websocket of an upgrade opens when the gate is open; polls go on as usual until then.
    pub fn opening(mut self, gate: &Gate) -> Plan {
        self.opening = gate.clone();
        self
    }

    /// Only these transports, as a server that does not have the other.
    pub fn transports(mut self, transports: &'static [&'static str]) -> Plan {
        self.transports = transports;
        self
    }

    /// The manners of the client are not asserted, because this server makes no sense.
    pub fn whatever_the_client_does(mut self) -> Plan {
        self.impolite = true;
        self
    }
}

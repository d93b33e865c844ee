//! What is to be measured.

use std::collections::HashMap;
use std::time::Duration;

use native_tls::{Certificate, TlsConnector};
use rust_socketio::{Payload, TransportType};
use serde_json::{Value, json};

/// How long anything may take before it counts as lost.
pub const LONGEST: Duration = Duration::from_secs(60);

pub struct Order {
    pub cell: String,
    pub url: String,
    pub kind: String,
    pub transport: TransportType,
    pub bytes: usize,
    pub count: usize,
    pub open: usize,
    pub clients: usize,
    pub seconds: u64,
    pub tls: Option<TlsConnector>,
}

impl Order {
    pub fn from(mut arguments: impl Iterator<Item = String>) -> Order {
        let cell = arguments.next().unwrap_or_default();
        let given: HashMap<String, String> = arguments
            .filter_map(|pair| pair.split_once('=').map(|(key, value)| (key.into(), value.into())))
            .collect();
        let text = |key: &str| given.get(key).cloned().unwrap_or_default();
        let number = |key: &str| text(key).parse().unwrap_or(1);
        let transport = match text("transport").as_str() {
            "polling" => TransportType::Polling,
            "upgrade" => TransportType::WebsocketUpgrade,
            _ => TransportType::Websocket,
        };
        Order {
            cell,
            url: text("url"),
            kind: text("kind"),
            tls: tls(&text("ca"), text("verify") == "0", transport != TransportType::Websocket),
            transport,
            bytes: number("bytes"),
            count: number("count"),
            open: number("open"),
            clients: number("clients"),
            seconds: number("seconds") as u64,
        }
    }

    /// Why the crate cannot do it.
    pub fn impossible(&self, variant: &str) -> Option<&'static str> {
        let is_polling = self.transport == TransportType::Polling;
        match self.cell.as_str() {
            "call" if self.open > 1 => Some(
                "the ids of calls are drawn from 999: of many at a time some share one, and get \
                 another's answer or none",
            ),
            "recv" if self.kind == "binary" && !is_polling => {
                Some("a binary frame is cut at each byte 0x1e, and its event is lost")
            }
            "recv" if is_polling && variant == "async" => {
                Some("each piece read of an answer to a poll is taken for all of it")
            }
            _ => None,
        }
    }

    pub fn warm(&self) -> usize {
        self.count.div_ceil(10)
    }

    /// The arguments of the event that asks for others.
    pub fn flood(&self, events: usize) -> Payload {
        Payload::Text(vec![json!(events), json!(self.bytes), json!(self.kind)])
    }

    /// What each event brings, as those that the server sends.
    pub fn payload(&self) -> Payload {
        match self.kind.as_str() {
            "binary" => Payload::Binary((0..self.bytes).map(|at| at as u8).collect()),
            "string" => Payload::Text(self.padded(vec![json!({"id": 12345, "text": ""})], "text")),
            _ => {
                let record = json!({"id": 12345, "ok": true, "at": [1.5, -2, 30], "name": "ab"});
                let each = record.to_string().len() + 1;
                let records = (self.bytes.saturating_sub(length(&[])) / each).max(1);
                Payload::Text(self.padded(vec![record; records], "name"))
            }
        }
    }

    fn padded(&self, mut args: Vec<Value>, key: &str) -> Vec<Value> {
        let padding = "x".repeat(self.bytes.saturating_sub(length(&args)));
        if let Some(last) = args.last_mut() {
            let text = last[key].as_str().unwrap_or_default();
            last[key] = json!(format!("{text}{padding}"));
        }
        args
    }

    /// What looks at a payload as a program would.
    pub fn toucher(&self) -> impl Fn(&Payload) + Send + Sync + 'static {
        let expected = self.bytes;
        move |payload| {
            let is_whole = match payload {
                Payload::Binary(bytes) => bytes.len() == expected,
                Payload::Text(values) => values.first().is_some_and(|first| first["id"] == 12345),
                _ => false,
            };
            if !is_whole {
                fail(1, "an event without its payload");
            }
        }
    }
}

fn length(args: &[Value]) -> usize {
    json!(["tick"]).to_string().len()
        + args.iter().map(|arg| arg.to_string().len() + 1).sum::<usize>()
}

/// For polls, those before an upgrade too, there is always one: without it each client loads the
/// system's certificates, twice, for http too.
fn tls(ca: &str, is_unverified: bool, polls: bool) -> Option<TlsConnector> {
    if ca.is_empty() && !is_unverified && !polls {
        return None;
    }
    let mut builder = TlsConnector::builder();
    if !ca.is_empty() {
        let pem = std::fs::read(ca).expect("the file of the CA can be read");
        builder.add_root_certificate(Certificate::from_pem(&pem).expect("a certificate"));
    }
    builder.danger_accept_invalid_certs(is_unverified);
    Some(builder.build().expect("a connector"))
}

/// The number that a call was answered with: the arguments come as one value, an array.
pub fn answer(payload: &Payload) -> Option<u64> {
    match payload {
        Payload::Text(values) => values.first()?.get(0)?.as_u64(),
        _ => None,
    }
}

pub fn expect_counted(counted: Option<u64>, events: usize) {
    if counted != Some(events as u64) {
        fail(1, &format!("the server counted {counted:?} of {events} events"));
    }
}

pub fn fail(code: i32, text: &str) -> ! {
    eprintln!("rust_socketio: {text}");
    std::process::exit(code);
}

//! The packets of Socket.IO protocol 5 that go out.
//!
//! Owns the order of their parts. Refuses to check them: the JSON is checked where it came from.

#![forbid(unsafe_code)]

use super::socket::Kind;

/// An event or an answer that goes out.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// Which of the two, and the event's name.
    pub kind: OutKind<'a>,
    /// The number of the event that wants an answer, or of the one that is answered.
    pub id: Option<u64>,
    /// A JSON array that was checked, without white space around it.
    pub args: &'a str,
    /// Whether the array has no elements.
    pub args_empty: bool,
    /// How many attachments follow.
    pub attachments: usize,
}

/// What goes out.
#[derive(Clone, Copy, Debug)]
pub enum OutKind<'a> {
    /// An event.
    Event {
        /// The event's name, a JSON string with its quotes.
        quoted_name: &'a [u8],
    },
    /// The answer to an event.
    Ack,
}

impl Outgoing<'_> {
    /// How many bytes [`write`](Self::write) appends.
    pub fn len(&self, namespace: &str) -> usize {
        let counts = match self.attachments {
            0 => 0,
            attachments => decimal_len(attachments as u64) + 1,
        };
        let id = self.id.map_or(0, decimal_len);
        let payload = match self.kind {
            OutKind::Event { quoted_name } if self.args_empty => quoted_name.len() + 2,
            OutKind::Event { quoted_name } => quoted_name.len() + 1 + self.args.len(),
            OutKind::Ack => self.args.len(),
        };
        1 + counts + namespace_len(namespace) + id + payload
    }

    /// Never: a packet has at least its type.
    pub fn is_empty(&self) -> bool {
        false
    }

    /// Appends the text of the packet, without an Engine.IO type digit.
    pub fn write(&self, namespace: &str, out: &mut Vec<u8>) {
        let kind = match (self.kind, self.attachments) {
            (OutKind::Event { .. }, 0) => Kind::Event,
            (OutKind::Event { .. }, _) => Kind::BinaryEvent,
            (OutKind::Ack, 0) => Kind::Ack,
            (OutKind::Ack, _) => Kind::BinaryAck,
        };
        write_type(kind, out);
        if self.attachments > 0 {
            write_decimal(self.attachments as u64, out);
            out.push(b'-');
        }
        write_namespace(namespace, out);
        if let Some(id) = self.id {
            write_decimal(id, out);
        }
        match self.kind {
            OutKind::Event { quoted_name } => {
                out.push(b'[');
                out.extend_from_slice(quoted_name);
                if self.args_empty {
                    out.push(b']');
                } else {
                    out.push(b',');
                    // The bracket that opens the arguments is the one before the name.
                    out.extend_from_slice(self.args.as_bytes().get(1..).unwrap_or_default());
                }
            }
            OutKind::Ack => out.extend_from_slice(self.args.as_bytes()),
        }
    }
}

/// Appends a CONNECT packet; `auth` is JSON that was checked.
pub fn write_connect(namespace: &str, auth: Option<&str>, out: &mut Vec<u8>) {
    write_type(Kind::Connect, out);
    write_namespace(namespace, out);
    out.extend_from_slice(auth.unwrap_or_default().as_bytes());
}

/// Appends a DISCONNECT packet.
pub fn write_disconnect(namespace: &str, out: &mut Vec<u8>) {
    write_type(Kind::Disconnect, out);
    write_namespace(namespace, out);
}

fn write_type(kind: Kind, out: &mut Vec<u8>) {
    out.push(b'0' + kind as u8);
}

fn is_main(namespace: &str) -> bool {
    matches!(namespace, "" | "/")
}

fn namespace_len(namespace: &str) -> usize {
    if is_main(namespace) { 0 } else { namespace.len() + 1 }
}

fn write_namespace(namespace: &str, out: &mut Vec<u8>) {
    if !is_main(namespace) {
        out.extend_from_slice(namespace.as_bytes());
        out.push(b',');
    }
}

fn decimal_len(number: u64) -> usize {
    number.checked_ilog10().map_or(1, |log| log as usize + 1)
}

fn write_decimal(mut number: u64, out: &mut Vec<u8>) {
    // The largest number has 20 digits.
    let mut digits = [0; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[start..]);
}

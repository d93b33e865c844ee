//! What a client says in its Socket.IO packets, and what is answered. Only the first bytes of a packet
//! are read.

use std::io::Write;

use crate::floods::{Flood, Kind};

/// One client's conversation.
#[derive(Default)]
pub struct Talk {
    /// The events since the last `done`.
    counted: u64,
    answer: Vec<u8>,
}

pub enum Reply<'a> {
    Nothing,
    Packet(&'a [u8]),
    Flood(Flood),
}

impl Talk {
    /// Takes in a packet, of which no more than the beginning need be there.
    pub fn take(&mut self, packet: &[u8]) -> Reply<'_> {
        match packet {
            [b'4', b'2', event @ ..] => self.event(event),
            [b'4', b'5', rest @ ..] => {
                let digits = digits(rest);
                self.event(rest.get(digits + 1..).unwrap_or_default())
            }
            [b'4', b'0', ..] => Reply::Packet(br#"40{"sid":"bench"}"#),
            _ => Reply::Nothing,
        }
    }

    /// An event from its id on.
    fn event(&mut self, event: &[u8]) -> Reply<'_> {
        let (id, data) = event.split_at(digits(event));
        if data.starts_with(br#"["flood""#) {
            return Reply::Flood(flood(data));
        }
        let is_done = data.starts_with(br#"["done""#);
        self.counted += u64::from(!is_done);
        if id.is_empty() {
            return Reply::Nothing;
        }
        self.answer.clear();
        self.answer.extend_from_slice(b"43");
        self.answer.extend_from_slice(id);
        write!(self.answer, "[{}]", self.counted).expect("writing to memory does not fail");
        if is_done {
            self.counted = 0;
        }
        Reply::Packet(&self.answer)
    }
}

/// What is asked for: two numbers and a word, in any brackets.
fn flood(data: &[u8]) -> Flood {
    let data = String::from_utf8_lossy(data);
    let mut numbers = data
        .split(|char: char| !char.is_ascii_digit())
        .filter_map(|digits| digits.parse::<usize>().ok());
    let mut next = || numbers.next().unwrap_or(0);
    let (count, bytes) = (next(), next());
    let kind = match () {
        () if data.contains("\"binary\"") => Kind::Binary,
        () if data.contains("\"string\"") => Kind::String,
        () => Kind::Text,
    };
    Flood { count, bytes, kind }
}

fn digits(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

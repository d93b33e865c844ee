//! The block in which a program gets a packet: its name and its arguments, each ended by NUL.
//!
//! Owns how a packet's text becomes that block, copied or in place. Refuses to know where blocks
//! are kept.

#![forbid(unsafe_code)]

use std::ops::Range;

use super::socket::{Name, Packet};
use crate::json;

/// Where name and arguments stand in a block; behind each is a NUL that its length does not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlockLayout {
    /// The offset of the name.
    pub name_start: usize,
    /// The length of the name.
    pub name_len: usize,
    /// The offset of the arguments, a JSON array.
    pub args_start: usize,
    /// The length of the arguments.
    pub args_len: usize,
}

impl Packet {
    /// Appends name, NUL, arguments, NUL. `text` is the one that the packet was read from. An
    /// answer has an empty name.
    #[inline]
    pub fn write_block(
        &self,
        text: &(impl AsRef<[u8]> + ?Sized),
        block: &mut Vec<u8>,
    ) -> BlockLayout {
        let bytes = text.as_ref();
        block.reserve(self.data.len() + 4);
        let name_start = block.len();
        match &self.name {
            Name::None => {}
            Name::Plain(name) | Name::Number(name) => block.extend_from_slice(&bytes[name.clone()]),
            Name::Escaped(name) => block.extend_from_slice(unescaped(bytes, name).as_bytes()),
        }
        let name_len = block.len() - name_start;
        block.push(0);
        let args_start = block.len();
        match (&self.name, self.args) {
            (Name::None, _) => block.extend_from_slice(&bytes[self.data.clone()]),
            (_, Some(comma)) => {
                block.push(b'[');
                block.extend_from_slice(&bytes[comma + 1..self.data.end]);
            }
            (_, None) => block.extend_from_slice(b"[]"),
        }
        let args_len = block.len() - args_start;
        block.push(0);
        BlockLayout { name_start, name_len, args_start, args_len }
    }

    /// Turns the text that the packet was read from into its block, in place: the quote behind
    /// the name becomes its NUL, the comma the opening bracket. Only the last NUL may need room.
    pub fn into_block(&self, text: Vec<u8>) -> (Vec<u8>, BlockLayout) {
        let mut block = text;
        let name = match &self.name {
            Name::None => {
                // At least the type stands before the JSON; its place serves as the NUL.
                let start = self.data.start - 1;
                start..start
            }
            Name::Plain(name) => name.clone(),
            // The bracket before the number gives the place that its NUL needs.
            Name::Number(name) => {
                block.copy_within(name.clone(), name.start - 1);
                name.start - 1..name.end - 1
            }
            // What an escape stands for is never longer than it.
            Name::Escaped(name) => {
                let unescaped = unescaped(&block, name);
                let place = name.start..name.start + unescaped.len();
                block[place.clone()].copy_from_slice(unescaped.as_bytes());
                place
            }
        };
        block[name.end] = 0;
        let args_start = match (&self.name, self.args) {
            (Name::None, _) => self.data.start,
            (_, Some(comma)) => {
                block[comma] = b'[';
                comma
            }
            (_, None) => {
                block.truncate(name.end + 1);
                block.extend_from_slice(b"[]\0");
                let layout = BlockLayout {
                    name_start: name.start,
                    name_len: name.len(),
                    args_start: name.end + 1,
                    args_len: 2,
                };
                return (block, layout);
            }
        };
        block.truncate(self.data.end);
        block.push(0);
        let layout = BlockLayout {
            name_start: name.start,
            name_len: name.len(),
            args_start,
            args_len: self.data.end - args_start,
        };
        (block, layout)
    }
}

fn unescaped(bytes: &[u8], quoted: &Range<usize>) -> String {
    // The text was UTF-8 and is cut at its quotes, so that there is always a string.
    json::unescape(&bytes[quoted.start + 1..quoted.end - 1]).unwrap_or_default()
}

//! Where the buffers of one event stand, written as bytes behind it.
//!
//! Owns the form of that table. Refuses to know the queue that it stands in.

#![forbid(unsafe_code)]

use crate::session::Part;

/// Buffers of one event for which a table is kept in the chunk.
const MOST_WITHIN: usize = 256;

/// How many buffers there are, if all stand in the block and are few enough for a table of them; else
/// 0.
pub(super) fn count(parts: &[Part]) -> u16 {
    let all = parts.iter().all(|part| matches!(part, Part::Within { .. }));
    if all && parts.len() <= MOST_WITHIN { parts.len() as u16 } else { 0 }
}

/// Bytes of the table of so many buffers.
pub(super) fn len(within: u16) -> usize {
    if within == 0 { 0 } else { 4 + 8 * usize::from(within) }
}

/// Appends the length of the arguments, and where each buffer begins and how long it is. All of it is
/// within a chunk, so that four bytes are enough.
pub(super) fn write(chunk: &mut Vec<u8>, args_len: usize, parts: &[Part]) {
    let mut number = |number: usize| chunk.extend_from_slice(&(number as u32).to_le_bytes());
    number(args_len);
    for part in parts {
        if let Part::Within { start, len } = part {
            number(*start);
            number(*len);
        }
    }
}

/// What [`write`] has written.
pub(super) fn read(table: &[u8]) -> (usize, Box<[Part]>) {
    let (words, _) = table.as_chunks::<4>();
    let number = |word: &[u8; 4]| u32::from_le_bytes(*word) as usize;
    let args_len = words.first().map_or(0, number);
    let (places, _) = words.get(1..).unwrap_or_default().as_chunks::<2>();
    let part =
        |[start, len]: &[[u8; 4]; 2]| Part::Within { start: number(start), len: number(len) };
    (args_len, places.iter().map(part).collect())
}

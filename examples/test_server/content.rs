//! Content that the other side can check, and the sum by which it is checked.

use crate::json::Json;

/// Bytes of buffer `k` of event `i`.
pub(crate) fn bytes_of(i: u64, k: u64, length: usize) -> Vec<u8> {
    let start = i * 31 + k * 17;
    (start..start + length as u64).map(|value| value as u8).collect()
}

/// Text of event `i`: letters, in turn.
pub(crate) fn text_of(i: u64, length: usize) -> String {
    let start = i * 31;
    (start..start + length as u64).map(|value| (b'a' + (value % 26) as u8) as char).collect()
}

/// The arguments of the `i`th of the `mixed` events.
pub(crate) fn mixed_args(i: u64, largest: usize) -> Vec<Json> {
    let size = size_of(i, largest);
    let content = match i % 3 {
        0 => Json::Text(text_of(i, size)),
        1 => Json::Binary(bytes_of(i, 0, size)),
        _ => {
            let deep = Json::Binary(bytes_of(i, 1, size_of(i + 1, largest)));
            let deep = Json::Object(vec![("deep".to_owned(), deep)]);
            let parts = Json::Array(vec![Json::Binary(bytes_of(i, 0, size)), deep]);
            let text = Json::Text(text_of(i, 5));
            Json::Object(vec![("parts".to_owned(), parts), ("text".to_owned(), text)])
        }
    };
    vec![Json::from(i), content]
}

fn size_of(i: u64, largest: usize) -> usize {
    (i * 7919 % (largest as u64 + 1)) as usize
}

/// CRC-32 (IEEE), as zlib computes it, of bytes that follow those which gave `sum`.
pub(crate) fn crc32(bytes: &[u8], sum: u32) -> u32 {
    !bytes.iter().fold(!sum, |sum, &byte| TABLE[(sum as u8 ^ byte) as usize] ^ (sum >> 8))
}

const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut sum = byte as u32;
        let mut bit = 0;
        while bit < 8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ 0xedb8_8320 } else { sum >> 1 };
            bit += 1;
        }
        table[byte] = sum;
        byte += 1;
    }
    table
};

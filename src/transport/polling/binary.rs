//! Base64, as the binary packets of HTTP long-polling use it, decoded while it comes in.
//!
//! Owns the joining of pieces, and at which place a text is not base64. Refuses to know packets.

#![forbid(unsafe_code)]

use base64::Engine as _;
use base64::alphabet::STANDARD as ALPHABET;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};

/// Decodes one text, piece by piece. Its padding may be left out; bits that stand for nothing must
/// be 0.
///
/// An error tells the place in the text, which does not depend on where the pieces begin.
#[derive(Debug, Default)]
pub(super) struct Decoding {
    /// The beginning of the next four characters.
    begun: [u8; 4],
    begun_len: usize,
    /// So many characters came before those.
    read: usize,
    /// Where the padding is, if it has come: the text ends with it.
    padding: Option<usize>,
}

impl Decoding {
    /// Appends what the next characters stand for.
    #[inline]
    pub(super) fn decode(&mut self, mut text: &[u8], out: &mut Vec<u8>) -> Result<(), usize> {
        if self.begun_len > 0 {
            let missing = 4 - self.begun_len;
            let (head, rest) = text.split_at(missing.min(text.len()));
            self.begun[self.begun_len..][..head.len()].copy_from_slice(head);
            self.begun_len += head.len();
            if self.begun_len < 4 {
                return Ok(());
            }
            self.begun_len = 0;
            let quad = self.begun;
            self.decode_piece(&quad, out)?;
            text = rest;
        }
        let (quads, rest) = text.split_at(text.len() & !3);
        self.decode_piece(quads, out)?;
        self.begun[..rest.len()].copy_from_slice(rest);
        self.begun_len = rest.len();
        Ok(())
    }

    /// The text is complete: appends what its last characters stand for.
    #[inline]
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), usize> {
        let rest = self.begun;
        self.decode_piece(&rest[..self.begun_len], out)
    }

    /// Decodes whole groups of four characters, or the last, which may be shorter.
    #[inline]
    fn decode_piece(&mut self, piece: &[u8], out: &mut Vec<u8>) -> Result<(), usize> {
        if piece.is_empty() {
            return Ok(());
        }
        if let Some(at) = self.padding {
            return Err(at);
        }
        let start = out.len();
        out.resize(start + piece.len().div_ceil(4) * 3, 0);
        let Ok(len) = DECODER.decode_slice(piece, &mut out[start..]) else {
            return Err(self.read + first_fault(piece));
        };
        out.truncate(start + len);
        if piece.last() == Some(&PADDING) {
            self.padding = Some(self.read + first_fault(piece));
        }
        self.read += piece.len();
        Ok(())
    }
}

/// Appends bytes as base64 with padding.
pub(super) fn encode(bytes: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let written = STANDARD.encode_slice(bytes, &mut out[start..]);
    debug_assert_eq!(written, Ok(out.len() - start), "four characters for each three bytes");
}

/// The first character that cannot stand in the middle of a text, or else the last one.
fn first_fault(piece: &[u8]) -> usize {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    piece.iter().position(|byte| !plain(byte)).unwrap_or(piece.len() - 1)
}

/// Servers send padding; whoever leaves it out is understood as well.
const DECODER: GeneralPurpose = GeneralPurpose::new(
    &ALPHABET,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);
const PADDING: u8 = b'=';

//! What a Content-Encoding did to a body, undone as the bytes come.
//!
//! Owns the names of the codings and their decoders. Refuses to know where a body begins and
//! ends, and how much of it may be decoded before somebody takes it: it decodes a step at a time.

#![forbid(unsafe_code)]

use crate::net::head::list;
use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use std::io::{self, Write};
use tungstenite::http::HeaderMap;

/// Decodes one body.
#[derive(Debug)]
pub(super) struct Decoder(Kind);

#[derive(Debug)]
enum Kind {
    /// No byte has come.
    Fresh(Coding),
    Gzip(MultiGzDecoder<Vec<u8>>),
    Zlib(ZlibDecoder<Vec<u8>>),
    Raw(DeflateDecoder<Vec<u8>>),
}

#[derive(Clone, Copy, Debug)]
enum Coding {
    Gzip,
    Deflate,
}

impl Decoder {
    /// The decoder for a body with these headers; None if the body is as it is.
    ///
    /// # Errors
    ///
    /// The coding that is not known.
    pub(super) fn of(headers: &HeaderMap) -> Result<Option<Self>, String> {
        let is = |coding: &[u8], name: &str| coding.eq_ignore_ascii_case(name.as_bytes());
        let codings = list(headers, "content-encoding").filter(|coding| !is(coding, "identity"));
        let codings: Vec<&[u8]> = codings.collect();
        match codings[..] {
            [] => Ok(None),
            [one] if is(one, "gzip") || is(one, "x-gzip") => {
                Ok(Some(Decoder(Kind::Fresh(Coding::Gzip))))
            }
            [one] if is(one, "deflate") => Ok(Some(Decoder(Kind::Fresh(Coding::Deflate)))),
            _ => Err(codings.join(&b", "[..]).escape_ascii().to_string()),
        }
    }

    /// Decodes a part of the input, and says how much of it. One step gives no more than some
    /// tens of kilobytes.
    ///
    /// # Errors
    ///
    /// The input is not of the coding.
    pub(super) fn feed(&mut self, input: &[u8], out: &mut Vec<u8>) -> io::Result<usize> {
        let Some(first) = input.first() else { return Ok(0) };
        if let Kind::Fresh(coding) = self.0 {
            self.0 = Kind::of(coding, *first);
        }
        match &mut self.0 {
            Kind::Gzip(decoder) => step(decoder, input, out, MultiGzDecoder::get_mut),
            Kind::Zlib(decoder) => step(decoder, input, out, ZlibDecoder::get_mut),
            Kind::Raw(decoder) => step(decoder, input, out, DeflateDecoder::get_mut),
            Kind::Fresh(_) => Ok(0),
        }
    }

    /// What is left when all input has been fed. A body without a byte is complete.
    ///
    /// # Errors
    ///
    /// The input ended too early, or its checksum does not fit.
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> io::Result<()> {
        let finished = match &mut self.0 {
            Kind::Gzip(decoder) => (decoder.try_finish(), std::mem::take(decoder.get_mut())),
            Kind::Zlib(decoder) => (decoder.try_finish(), std::mem::take(decoder.get_mut())),
            Kind::Raw(decoder) => (decoder.try_finish(), std::mem::take(decoder.get_mut())),
            Kind::Fresh(_) => return Ok(()),
        };
        out.extend_from_slice(&finished.1);
        finished.0
    }
}

impl Kind {
    /// By the standard "deflate" is zlib's format (RFC 9110, section 8.4.1.2), which some servers
    /// leave away. Its first byte ends in an 8 (RFC 1950), with which deflate itself would begin a
    /// stored block that has bits where there should be none.
    ///
    /// Never inlined: a decoder comes into being on the stack, and the 43 KiB of that would be
    /// touched by every answer, and stay with each client's thread.
    #[inline(never)]
    fn of(coding: Coding, first: u8) -> Self {
        match (coding, first & 0x0f) {
            (Coding::Gzip, _) => Kind::Gzip(MultiGzDecoder::new(Vec::new())),
            (Coding::Deflate, 8) => Kind::Zlib(ZlibDecoder::new(Vec::new())),
            (Coding::Deflate, _) => Kind::Raw(DeflateDecoder::new(Vec::new())),
        }
    }
}

fn step<D: Write>(
    decoder: &mut D,
    input: &[u8],
    out: &mut Vec<u8>,
    decoded: impl Fn(&mut D) -> &mut Vec<u8>,
) -> io::Result<usize> {
    let count = decoder.write(input)?;
    decoder.flush()?;
    out.append(decoded(decoder));
    if count == 0 {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "bytes behind the end"));
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    fn decoder(coding: &str) -> Decoder {
        let mut headers = HeaderMap::new();
        headers.insert("content-encoding", coding.parse().unwrap());
        Decoder::of(&headers).unwrap().unwrap()
    }

    /// All that comes out, and the most that one step gave.
    fn decode(coding: &str, bytes: &[u8], piece: usize) -> io::Result<(Vec<u8>, usize)> {
        let (mut decoder, mut out, mut most) = (decoder(coding), Vec::new(), 0);
        for mut piece in bytes.chunks(piece) {
            while !piece.is_empty() {
                let before = out.len();
                piece = &piece[decoder.feed(piece, &mut out)?..];
                most = most.max(out.len() - before);
            }
        }
        decoder.finish(&mut out)?;
        Ok((out, most))
    }

    fn encoded(plain: &[u8]) -> [(&'static str, Vec<u8>); 4] {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
        let mut raw = DeflateEncoder::new(Vec::new(), Compression::best());
        for encoder in [&mut gzip as &mut dyn Write, &mut zlib, &mut raw] {
            encoder.write_all(plain).unwrap();
        }
        let gzip = gzip.finish().unwrap();
        [
            ("x-gzip", [&gzip[..], &gzip].concat()),
            ("GZIP", gzip),
            ("deflate", zlib.finish().unwrap()),
            ("identity, Deflate", raw.finish().unwrap()),
        ]
    }

    #[test]
    fn each_coding_is_undone_however_the_bytes_come() {
        let plain: Vec<u8> = (0..5000u32).flat_map(|n| n.to_string().into_bytes()).collect();
        for plain in [&plain[..], b"", b"x"] {
            for (coding, bytes) in encoded(plain) {
                for piece in [1, 2, 3, 1000, usize::MAX] {
                    let (decoded, _) = decode(coding, &bytes, piece).unwrap();
                    let times = if coding == "x-gzip" { 2 } else { 1 };
                    assert!(decoded == plain.repeat(times), "{coding} by {piece}");
                }
            }
        }
    }

    #[test]
    fn a_step_gives_little_however_much_is_packed() {
        let plain = vec![b'a'; 20_000_000];
        for (coding, bytes) in encoded(&plain) {
            let (decoded, most) = decode(coding, &bytes, usize::MAX).unwrap();
            assert_eq!(decoded.len() % plain.len(), 0);
            assert!(most <= 256 * 1024, "{coding}: {most}");
        }
    }

    #[test]
    fn what_is_cut_short_or_damaged_is_an_error() {
        let plain = b"hello, hello, hello, and so on, and on, and on, and on".repeat(9);
        for (coding, bytes) in encoded(&plain) {
            if coding == "x-gzip" {
                continue;
            }
            for end in 1..bytes.len() {
                assert!(decode(coding, &bytes[..end], 7).is_err(), "{coding} up to {end}");
            }
            if !coding.contains("identity") {
                let mut damaged = bytes.clone();
                let last = damaged.len() - 5;
                damaged[last] ^= 1;
                assert!(decode(coding, &damaged, 7).is_err(), "{coding}");
            }
            assert!(decode(coding, &[&bytes[..], b"more"].concat(), 7).is_err(), "{coding}");
            assert!(decode(coding, b"hello", 7).is_err(), "{coding}");
        }
    }

    #[test]
    fn a_body_without_a_byte_is_complete() {
        for coding in ["gzip", "deflate"] {
            assert!(decode(coding, b"", 1).unwrap().0.is_empty(), "{coding}");
        }
    }

    #[test]
    fn other_codings_are_named() {
        let of = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert("content-encoding", value.parse().unwrap());
            Decoder::of(&headers).map(|decoder| decoder.is_some())
        };
        assert_eq!(Decoder::of(&HeaderMap::new()).map(|decoder| decoder.is_some()), Ok(false));
        assert_eq!(of("identity"), Ok(false));
        assert_eq!(of(""), Ok(false));
        assert_eq!(of("br"), Err("br".to_owned()));
        assert_eq!(of("gzip, gzip"), Err("gzip, gzip".to_owned()));
    }
}

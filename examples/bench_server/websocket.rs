//! Conversations by websocket: an answer to each event that wants it, and floods.

use std::io::{Read, Write};
use std::net::TcpStream;

use tungstenite::handshake::derive_accept_key;

/// Answers the request with this head, and then all that follows on the stream.
pub fn serve(head: &str, mut stream: TcpStream) -> std::io::Result<()> {
    let key = head
        .lines()
        .find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "))
        .unwrap_or_default()
        .trim();
    let accept = derive_accept_key(key.as_bytes());
    stream.write_all(
        format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        )
        .as_bytes(),
    )?;
    let mut out = Vec::new();
    text(&mut out, r#"0{"sid":"bench","upgrades":[],"pingInterval":20000,"pingTimeout":20000}"#);
    stream.write_all(&out)?;
    let mut buffer = vec![0; 256 * 1024];
    let (mut start, mut end) = (0, 0);
    let mut events = 0u64;
    loop {
        if start > 0 {
            buffer.copy_within(start..end, 0);
            (start, end) = (0, end - start);
        }
        if end == buffer.len() {
            buffer.resize(buffer.len() * 2, 0);
        }
        let count = stream.read(&mut buffer[end..])?;
        if count == 0 {
            return Ok(());
        }
        end += count;
        out.clear();
        while let Some((opcode, payload, total)) = cut(&mut buffer[start..end]) {
            let body = &buffer[start..end][payload];
            match opcode {
                8 => return stream.shutdown(std::net::Shutdown::Both),
                9 => frame(&mut out, 0x8a, body),
                1 if body.starts_with(b"40") => text(&mut out, r#"40{"sid":"bench"}"#),
                1 if body.starts_with(b"42") => {
                    events += 1;
                    answer(&body[2..], events, &mut out, &mut stream)?;
                }
                _ => {}
            }
            start += total;
        }
        stream.write_all(&out)?;
    }
}

fn answer(
    body: &[u8],
    events: u64,
    out: &mut Vec<u8>,
    stream: &mut TcpStream,
) -> std::io::Result<()> {
    let digits = body.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits > 0 {
        let id = String::from_utf8_lossy(&body[..digits]);
        text(out, &format!("43{id}[{events}]"));
        return Ok(());
    }
    if !body.starts_with(b"[\"flood\"") {
        return Ok(());
    }
    let body = String::from_utf8_lossy(body);
    let mut numbers = body
        .split(|char: char| !char.is_ascii_digit())
        .filter_map(|digits| digits.parse::<usize>().ok());
    let mut next = || numbers.next().unwrap_or(0);
    let (count, bytes, dense) = (next(), next(), next() > 0);
    let burst = (256 * 1024 / (bytes + 4)).clamp(1, count.max(1));
    let mut block = Vec::new();
    for _ in 0..burst {
        text(&mut block, &event(bytes, dense));
    }
    let each = block.len() / burst;
    let mut left = count;
    while left > 0 {
        let now = left.min(burst);
        stream.write_all(&block[..now * each])?;
        left -= now;
    }
    Ok(())
}

/// An event of so many bytes.
fn event(bytes: usize, dense: bool) -> String {
    let (head, tail) = match dense {
        false => (r#"42["tick",{"id":12345,"text":""#, r#""}]"#),
        true => (r#"42["tick",{"id":12345,"ok":true,"text":""#, r#"","list":[1,2,3]}]"#),
    };
    let padding = bytes.saturating_sub(head.len() + tail.len());
    format!("{head}{}{tail}", "x".repeat(padding))
}

type Cut = (u8, std::ops::Range<usize>, usize);

/// Cuts a masked frame and unmasks what is looked at of it.
fn cut(bytes: &mut [u8]) -> Option<Cut> {
    let opcode = bytes.first()? & 15;
    let (mut at, len) = match bytes.get(1)? & 0x7f {
        126 => (4, u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?) as usize),
        127 => (10, u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?) as usize),
        len => (2, len as usize),
    };
    let key: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
    at += 4;
    let body = bytes.get_mut(at..at + len)?;
    for (index, byte) in body.iter_mut().take(64).enumerate() {
        *byte ^= key[index & 3];
    }
    Some((opcode, at..at + len, at + len))
}

fn text(out: &mut Vec<u8>, text: &str) {
    frame(out, 0x81, text.as_bytes());
}

fn frame(out: &mut Vec<u8>, first: u8, body: &[u8]) {
    out.push(first);
    match body.len() {
        len @ 0..126 => out.push(len as u8),
        len @ 126..65536 => {
            out.push(126);
            out.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            out.push(127);
            out.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(body);
}

//! A canned server for measuring clients: it does the least that a Socket.IO server can, so that the
//! client's share of the processor, and of the time, is what is seen.
//!
//! By websocket and by polling it answers every event that wants it with their count; by websocket it
//! also sends on the event `flood` [count, bytes, dense] so many events of so many bytes from a block
//! encoded beforehand: with a number and a text, or dense with many short tokens. It announces no
//! upgrade.
//! Prints `LISTENING <port>`; ends when its standard input does.

// The modules' items are for this program alone.
#![allow(unreachable_pub)]

mod polling;
mod websocket;

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use polling::Sessions;

fn main() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    println!("LISTENING {}", listener.local_addr().expect("a bound socket").port());
    let sessions = Arc::new(Sessions::default());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let sessions = Arc::clone(&sessions);
            std::thread::spawn(move || {
                let _ = serve(stream, &sessions);
            });
        }
    });
    let mut line = String::new();
    while std::io::stdin().read_line(&mut line).is_ok_and(|count| count > 0) {}
}

/// One connection: requests by polling, one after another, until one for a websocket comes.
fn serve(mut stream: TcpStream, sessions: &Sessions) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::new();
    loop {
        let Some(head_length) = read_until(&mut stream, &mut buffer, |bytes| {
            bytes.windows(4).position(|four| four == b"\r\n\r\n").map(|at| at + 4)
        })?
        else {
            return Ok(());
        };
        let head = String::from_utf8_lossy(&buffer[..head_length]).into_owned();
        if head.contains("transport=websocket") {
            return websocket::serve(&head, stream);
        }
        let length = polling::content_length(&head);
        let whole = |bytes: &[u8]| (bytes.len() >= head_length + length).then_some(());
        if read_until(&mut stream, &mut buffer, whole)?.is_none() {
            return Ok(());
        }
        let body = &buffer[head_length..head_length + length];
        sessions.answer(&head, body, &mut stream)?;
        buffer.drain(..head_length + length);
    }
}

/// Reads until the function finds what it looks for; none if the stream ends before.
fn read_until<T>(
    stream: &mut TcpStream,
    buffer: &mut Vec<u8>,
    find: impl Fn(&[u8]) -> Option<T>,
) -> std::io::Result<Option<T>> {
    let mut chunk = [0; 16 * 1024];
    loop {
        if let Some(found) = find(buffer) {
            return Ok(Some(found));
        }
        match stream.read(&mut chunk)? {
            0 => return Ok(None),
            count => buffer.extend_from_slice(&chunk[..count]),
        }
    }
}

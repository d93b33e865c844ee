//! Streams between real sockets, with and without TLS.

use std::future::poll_fn;
use std::io::{Read, Write};
use std::sync::Barrier;
use std::time::Duration;

use rustls::version::{TLS12, TLS13};
use tokio::time::timeout;

use super::*;
use crate::net::dial::{Place, dial};
use crate::net::tls::testing::{
    Authority, Scratch, Served, config, place, read, run, serve, serve_tcp, trusting,
};

/// The server's side of a connection.
trait Talk: Read + Write + Send {
    /// Closes as well-behaved servers do.
    fn end(&mut self);
    /// Changes keys, if there are any that can be changed.
    fn rekey(&mut self) {}
}

impl Talk for std::net::TcpStream {
    fn end(&mut self) {}
}

impl Talk for Served {
    fn end(&mut self) {
        self.conn.send_close_notify();
        let _ = self.conn.complete_io(&mut self.sock);
    }

    fn rekey(&mut self) {
        if self.conn.protocol_version() == Some(rustls::ProtocolVersion::TLSv1_3) {
            self.conn.refresh_traffic_keys().unwrap();
        }
    }
}

/// Runs a server and a client of each kind: TCP, TLS 1.2 and TLS 1.3.
fn on_each<T, F>(
    talk: impl FnOnce(&mut dyn Talk) -> T + Send + Clone + 'static,
    client: impl Fn(Stream) -> F,
    check: impl Fn(T),
) where
    T: Send + 'static,
    F: Future<Output = ()>,
{
    let authority = Authority::new("Ours");
    let file = Scratch::new(&authority.pem);
    let certificate = authority.issue(&["localhost"]);
    let plain = {
        let talk = talk.clone();
        let (address, server) = serve_tcp(move |mut tcp| talk(&mut tcp));
        (Place { host: "127.0.0.1".into(), port: address.port(), tls: None }, server)
    };
    let secured = [&TLS12, &TLS13].map(|version| {
        let talk = talk.clone();
        let config = config(&certificate, &[version]);
        let (address, server) = serve(config, move |mut served| talk(&mut served));
        (place("localhost", address, trusting(&file)), server)
    });
    for (place, server) in [plain].into_iter().chain(secured) {
        run(async {
            let stream = dial(&place, |_| {}).await.unwrap();
            timeout(Duration::from_secs(20), client(stream)).await.unwrap();
        });
        check(server.join().unwrap());
    }
}

/// Writes all, as the driver does.
async fn write_all(stream: &Stream, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let count = stream.try_write(bytes).unwrap();
        bytes = &bytes[count..];
        if !bytes.is_empty() {
            poll_fn(|context| stream.poll_writable(context)).await.unwrap();
        }
    }
}

fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index * 31 / 8) as u8).collect()
}

#[test]
fn what_is_written_arrives_and_what_arrives_is_read() {
    on_each(
        |peer| {
            let mut buf = [0; 4];
            peer.read_exact(&mut buf).unwrap();
            peer.write_all(&buf).unwrap();
            peer.end();
            // So that no answer is lost in a reset.
            peer.read_to_end(&mut Vec::new()).unwrap();
        },
        async |stream| {
            assert_eq!(stream.try_read(&mut [0; 9]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
            assert_eq!(stream.try_write(b"").unwrap(), 0);
            assert_eq!(stream.try_write(b"ping").unwrap(), 4);
            assert_eq!(read(&stream).await.unwrap(), b"ping");
            stream.shutdown();
            assert_eq!(read(&stream).await.unwrap(), b"");
            assert_eq!(read(&stream).await.unwrap(), b"", "an end stays an end");
        },
        |()| (),
    );
}

#[test]
fn a_full_socket_takes_nothing_and_loses_nothing() {
    const LENGTH: usize = 12 << 20;
    // The server begins to read when nothing goes any more.
    let gate = Arc::new(Barrier::new(2));
    let full = Arc::clone(&gate);
    on_each(
        move |peer| {
            let mut all = vec![0];
            peer.read_exact(&mut all).unwrap();
            gate.wait();
            // The end is said, not only reached.
            peer.read_to_end(&mut all).unwrap();
            all
        },
        async |stream| {
            let all = pattern(LENGTH);
            let mut at = 0;
            let mut was_full = false;
            // Pieces of odd lengths, as from callers and the driver in turn: what was not taken
            // is given again with more or fewer bytes behind it.
            for step in (0..).map(|step: usize| 1 + step * 7919 % 300_000) {
                let piece = &all[at..(at + step).max(at + 20_000).min(LENGTH)];
                let count = stream.try_write(piece).unwrap();
                at += count;
                if at == LENGTH {
                    break;
                }
                if count < piece.len() {
                    if count == 0 && !was_full {
                        was_full = true;
                        full.wait();
                    }
                    // While nobody reads, nothing will ever go.
                    if was_full {
                        poll_fn(|context| stream.poll_writable(context)).await.unwrap();
                    }
                }
            }
            assert!(was_full);
            stream.shutdown();
            // Tickets may lie there; a socket closed with unread input takes back what it sent.
            while !read(&stream).await.unwrap().is_empty() {}
        },
        |all| assert!(all == pattern(LENGTH)),
    );
}

#[test]
fn both_directions_flow_at_once_and_keys_change_meanwhile() {
    const LENGTH: usize = 4 << 20;
    on_each(
        |peer| {
            let mut buf = vec![0; 50_000];
            let mut left = LENGTH;
            while left > 0 {
                let count = peer.read(&mut buf).unwrap();
                peer.write_all(&buf[..count]).unwrap();
                left -= count;
                if left.is_multiple_of(5) {
                    peer.rekey();
                }
            }
            peer.read_to_end(&mut Vec::new()).unwrap();
        },
        async |stream| {
            let writer = stream.clone();
            let writing = std::thread::spawn(move || {
                let all = pattern(LENGTH);
                let mut rest = &all[..];
                while !rest.is_empty() {
                    match writer.try_write(&rest[..rest.len().min(777_777)]).unwrap() {
                        0 => std::thread::yield_now(),
                        count => rest = &rest[count..],
                    }
                }
            });
            let mut all = Vec::new();
            while all.len() < LENGTH {
                all.extend(read(&stream).await.unwrap());
            }
            assert!(all == pattern(LENGTH));
            writing.join().unwrap();
            stream.shutdown();
        },
        |()| (),
    );
}

#[test]
fn an_end_without_a_word_is_an_end() {
    on_each(
        |peer| {
            peer.write_all(b"half").unwrap();
            let _ = peer.read(&mut [0; 1]);
        },
        async |stream| {
            assert_eq!(read(&stream).await.unwrap(), b"half");
            assert_eq!(stream.try_write(b"x").unwrap(), 1);
            assert_eq!(read(&stream).await.unwrap(), b"");
        },
        |()| (),
    );
}

#[test]
fn a_quiet_connection_stays_usable_until_the_server_closes_it() {
    on_each(
        |peer| {
            let mut buf = [0; 1];
            peer.read_exact(&mut buf).unwrap();
            peer.write_all(&buf).unwrap();
            std::thread::sleep(Duration::from_millis(150));
        },
        async |stream| {
            write_all(&stream, b"a").await;
            assert_eq!(read(&stream).await.unwrap(), b"a");
            // A ticket for a later session may come now, and is nothing that a server says.
            let unusable = async || poll_fn(|context| stream.poll_unusable(context)).await;
            assert!(timeout(Duration::from_millis(50), unusable()).await.is_err());
            timeout(Duration::from_secs(5), unusable()).await.unwrap();
        },
        |()| (),
    );
}

#[test]
fn the_end_is_known_before_the_runtime_hears_of_it() {
    on_each(
        |peer| {
            let mut buf = [0; 1];
            peer.read_exact(&mut buf).unwrap();
            peer.write_all(&buf).unwrap();
            peer.read_exact(&mut buf).unwrap();
        },
        async |stream| {
            write_all(&stream, b"a").await;
            assert_eq!(read(&stream).await.unwrap(), b"a");
            let unusable = async || poll_fn(|context| stream.poll_unusable(context)).await;
            assert!(timeout(Duration::from_millis(50), unusable()).await.is_err());
            assert!(!stream.has_news());
            write_all(&stream, b"b").await;
            // The runtime does nothing meanwhile.
            std::thread::sleep(Duration::from_millis(100));
            assert!(stream.has_news());
        },
        |()| (),
    );
}

#[test]
fn a_connection_is_unusable_when_the_server_says_something_unasked() {
    on_each(
        |peer| {
            peer.write_all(b"HTTP/1.1 408 Request Timeout\r\n\r\n").unwrap();
            peer.read_to_end(&mut Vec::new()).unwrap();
        },
        async |stream| {
            poll_fn(|context| stream.poll_unusable(context)).await;
            stream.shutdown();
        },
        |()| (),
    );
}

#[test]
fn writing_to_a_connection_that_is_gone_fails_and_says_so() {
    on_each(
        // Closed with unread input, so that it is reset.
        |peer| {
            let _ = peer.read(&mut [0; 1]);
        },
        async |stream| {
            let mut outcome = Ok(0);
            while outcome.is_ok() {
                outcome = stream.try_write(&pattern(100_000));
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            assert!(stream.try_write(b"x").is_err());
        },
        |()| (),
    );
}

#[test]
fn what_is_shown_of_a_stream_is_its_kind() {
    on_each(
        |peer| drop(peer.read_to_end(&mut Vec::new())),
        async |stream| {
            let shown = format!("{stream:?}");
            assert!(shown.ends_with(&format!("descriptor {})", stream.descriptor())), "{shown}");
            stream.shutdown();
        },
        |()| (),
    );
}

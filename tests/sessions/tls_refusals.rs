//! TLS that comes to nothing because the two sides have nothing in common, and what is not asked of a
//! certificate. A failure of TLS is not followed by the other transport.

#![forbid(unsafe_code)]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sio::client::Client;
use sio::error::Status;
use sio::session::State;

use crate::clients::*;
use crate::common::scripted::{Answer, Engine, HttpServer, Plan};
use crate::common::tls::{Certificate, TlsFront};
use crate::support::*;

const TRANSPORTS: [&str; 4] = ["polling", "websocket", "polling,websocket", "websocket,polling"];

/// A server that says these bytes to whoever says hello, and counts those. It goes on to the end of
/// the process.
struct Curt {
    port: u16,
    hellos: Arc<AtomicUsize>,
}

impl Curt {
    fn saying(bytes: &[u8]) -> Curt {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (hellos, bytes) = (Arc::new(AtomicUsize::new(0)), bytes.to_vec());
        let counting = Arc::clone(&hellos);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut said = [0; 16384];
                let count = stream.read(&mut said).unwrap_or(0);
                // A handshake record, and in it the client's hello.
                assert!(count > 5 && said[0] == 22 && said[5] == 1, "no hello");
                counting.fetch_add(1, Ordering::SeqCst);
                // The client may go as soon as it has read it.
                let _ = stream.write_all(&bytes);
                while stream.read(&mut said).is_ok_and(|count| count > 0) {}
            }
        });
        Curt { port, hellos }
    }

    /// What ends a handshake.
    fn alert(description: u8) -> Curt {
        Curt::saying(&[21, 3, 3, 0, 2, 2, description])
    }

    /// The hello of a server that goes on with TLS 1.1.
    fn of_tls_1_1() -> Curt {
        let hello = [&[3, 2][..], &[7; 32], &[0], &[0, 0x2f], &[0]].concat();
        let length = hello.len() as u8;
        Curt::saying(&[&[22, 3, 2, 0, length + 4, 2, 0, 0, length], &hello[..]].concat())
    }

    fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    fn hellos(&self) -> usize {
        self.hellos.load(Ordering::SeqCst)
    }
}

#[track_caller]
fn assert_no_tls(client: &Client, url: &str, says: &str) {
    assert_eq!(client.connect(Some(url), PATIENT), Err(Status::Tls), "{}", client.error());
    let failure = failure(client);
    assert_eq!(failure["name"], "SIO_E_TLS", "{failure}");
    assert_eq!(failure["phase"], "tls", "{failure}");
    assert_says(client, says);
    assert_eq!(client.state(), State::Closed);
}

#[test]
fn a_server_without_a_version_in_common_is_told_and_not_asked_by_the_other_transport() {
    const PROTOCOL_VERSION: u8 = 70;
    for (server, says) in [
        (Curt::alert(PROTOCOL_VERSION), "does not speak TLS 1.2 or 1.3"),
        (Curt::of_tls_1_1(), "no version, cipher or signature of TLS in common"),
    ] {
        for (before, transports) in TRANSPORTS.into_iter().enumerate() {
            let client = fresh(&[("transports", transports)]);
            assert_no_tls(&client, &server.url(), says);
            assert_eq!(server.hellos(), before + 1, "{transports}");
        }
    }
}

#[test]
fn a_server_without_a_cipher_in_common_is_told_and_not_asked_by_the_other_transport() {
    const HANDSHAKE_FAILURE: u8 = 40;
    const INSUFFICIENT_SECURITY: u8 = 71;
    for alert in [HANDSHAKE_FAILURE, INSUFFICIENT_SECURITY] {
        let server = Curt::alert(alert);
        for (before, transports) in TRANSPORTS.into_iter().enumerate() {
            let client = fresh(&[("transports", transports)]);
            assert_no_tls(&client, &server.url(), "no cipher, key exchange or signature in common");
            assert_eq!(server.hellos(), before + 1, "{transports}");
        }
    }
}

/// Verification turned off says nothing of versions and ciphers.
#[test]
fn without_verification_there_has_to_be_something_in_common_all_the_same() {
    let server = Curt::of_tls_1_1();
    let client = fresh(&[("tls_verify", "0")]);
    assert_no_tls(&client, &server.url(), "in common");
}

#[test]
fn a_bad_certificate_is_met_once_in_whichever_order_the_transports_are() {
    let engine = Engine::usual();
    let front = TlsFront::start(engine.http().port(), Certificate::Expired);
    for (before, transports) in TRANSPORTS.into_iter().enumerate() {
        let client = fresh(&[("transports", transports)]);
        assert_eq!(client.set("tls_ca_file", Some(front.ca_file())), Ok(()));
        assert_no_tls(&client, &front.url(), "expired");
        assert_eq!(front.seen().len(), before + 1, "{transports}");
    }
    assert_eq!(engine.http().connections(), 0);
}

/// At a reconnection it is an attempt that failed, and the next one meets the server again.
#[test]
fn at_a_reconnection_it_is_tried_again_until_the_server_can_be_trusted() {
    let engine = Engine::usual();
    let good = TlsFront::start(engine.http().port(), Certificate::Good);
    let other = Curt::of_tls_1_1();
    let client = reconnecting(&[("transports", "websocket")]);
    assert_eq!(client.set("tls_ca_file", Some(good.ca_file())), Ok(()));
    assert_eq!(client.connect(Some(&good.url()), PATIENT), Ok(()), "{}", client.error());
    assert_eq!(client.set("url", Some(&other.url())), Ok(()));
    engine.http().cut();
    wait_until("two attempts", || other.hellos() >= 2);
    assert_eq!(client.state(), State::Reconnecting);
    assert_eq!(client.set("url", Some(&good.url())), Ok(()));
    wait_for_state(&client, State::Connected);
    emit(&client, "on", "[]");
    engine.wait_for_text("42[\"on\"]");
}

/// That would take a request to somebody else in every handshake. A certificate that names a place
/// where it could be asked is taken, and the place not visited.
#[test]
fn whether_a_certificate_was_revoked_is_not_asked() {
    let list = HttpServer::start(|_| Answer::status("404 Not Found", ""));
    let engine = Engine::usual();
    let front = TlsFront::start(engine.http().port(), Certificate::Revocable(list.port()));
    for transports in TRANSPORTS {
        let client = fresh(&[("transports", transports)]);
        assert_eq!(client.set("tls_ca_file", Some(front.ca_file())), Ok(()));
        let outcome = client.connect(Some(&front.url()), PATIENT);
        assert_eq!(outcome, Ok(()), "{transports}: {}", client.error());
        emit(&client, "a", "[]");
        assert_eq!(client.disconnect(PATIENT), Ok(()), "{}", client.error());
    }
    assert_eq!(engine.texts().iter().filter(|text| *text == "42[\"a\"]").count(), TRANSPORTS.len());
    assert_eq!(list.connections(), 0);
}

/// What is sent in secret to one server is not sent in the open, be it to the same one.
#[test]
fn a_redirect_that_leaves_tls_is_not_followed() {
    let engine = Engine::start(Plan::polling_only().hook(|request| {
        let port = request.header("X-Port").unwrap_or_default();
        let there = format!("Location: http://127.0.0.1:{port}{}", request.target());
        Some(Answer::head("307 Temporary Redirect").header(&there).body(""))
    }));
    let front = TlsFront::start(engine.http().port(), Certificate::Good);
    // Even to the port of the same number, which speaks TLS alone.
    for port in [engine.http().port(), front.port()] {
        let before = engine.http().exchanges().len();
        let client = fresh(&[("transports", "polling")]);
        assert_eq!(client.set("tls_ca_file", Some(front.ca_file())), Ok(()));
        assert_eq!(client.set_header(Some("X-Port"), Some(&port.to_string())), Ok(()));
        let outcome = client.connect(Some(&front.url()), PATIENT);
        assert_eq!(outcome, Err(Status::Unreachable), "{}", client.error());
        assert_says(&client, &format!("http://127.0.0.1:{port}"));
        assert_eq!(engine.http().exchanges().len(), before + 1, "{}", engine.http().summary());
    }
}

//! TLS on each transport: certificates good and bad, and servers that fall silent in the handshake.

#![forbid(unsafe_code)]

use std::sync::Arc;
use std::time::Instant;

use sio::client::Client;
use sio::error::Status;
use sio::session::State;

use crate::clients::*;
use crate::common::scripted::{Engine, HttpServer, ReservedPort, Script, Scripted};
use crate::common::tls::{Certificate, Silent, TlsFront};
use crate::support::*;

const TRANSPORTS: [&str; 3] = ["polling", "websocket", "polling,websocket"];

fn secured(front: &TlsFront, transports: &str) -> Arc<Client> {
    let client = fresh(&[("transports", transports), ("reconnection", "0")]);
    assert_eq!(client.set("tls_ca_file", Some(front.ca_file())), Ok(()), "{}", client.error());
    client
}

/// Both directions work, text, binary and calls; and leaving.
#[track_caller]
fn assert_works(client: &Client, engine: &Engine) {
    let args = r#"[{"_placeholder":true,"num":0}]"#;
    let bytes = vec![7; 100_000];
    assert_eq!(client.emit("b", Some(args), &[&bytes], PATIENT), Ok(()), "{}", client.error());
    for i in 0..200 {
        emit(client, "e", &format!("[{i},\"{}\"]", "x".repeat(500)));
    }
    engine.wait_for("all arrive", |all| {
        all.iter()
            .any(|one| one.packet.text().is_some_and(|t| t.starts_with("42[\"e\",199")))
            .then_some(())
    });
    let large = "y".repeat(300_000);
    for i in 0..3 {
        engine.send(&format!("42[\"s\",{i},\"{large}\"]"));
        assert_event(client, "s", &format!("[{i},\"{large}\"]"));
    }
    assert_eq!(call(client, "c", "[1]"), "[1]");
    assert_eq!(client.disconnect(PATIENT), Ok(()), "{}", client.error());
}

#[test]
fn a_good_certificate_is_good_on_each_transport() {
    let _loud = loud();
    for certificate in [Certificate::Good, Certificate::Tls12] {
        for transports in TRANSPORTS {
            let engine = Engine::start(answering());
            let front = TlsFront::start(engine.http().port(), certificate);
            for url in [front.named_url(), front.url()] {
                let client = secured(&front, transports);
                let outcome = client.connect(Some(&url), PATIENT);
                assert_eq!(outcome, Ok(()), "{transports}: {}", client.error());
                if transports == "polling,websocket" {
                    wait_until("the upgrade", || client.transport() == "websocket");
                }
                assert_works(&client, &engine);
                let before = engine.sessions();
                let seen = front.seen();
                assert!(seen.iter().all(|one| one.complete), "{seen:?}");
                let names: Vec<_> = seen.iter().filter_map(|one| one.name.as_deref()).collect();
                assert_eq!(!names.is_empty(), before > 0, "a name is told, an address is not");
            }
            if transports == "websocket" {
                // Whoever leaves says so in TLS too.
                front.wait_for(|seen| seen.iter().any(|one| one.said_goodbye));
            }
        }
    }
}

#[test]
fn wss_is_https() {
    let engine = Engine::usual();
    let front = TlsFront::start(engine.http().port(), Certificate::Good);
    let client = secured(&front, "polling,websocket");
    let url = front.url().replace("https", "wss");
    assert_eq!(client.connect(Some(&url), PATIENT), Ok(()), "{}", client.error());
}

#[test]
fn the_name_is_told_to_the_server_and_an_address_is_not() {
    let engine = Engine::usual();
    let front = TlsFront::start(engine.http().port(), Certificate::Good);
    let client = secured(&front, "websocket");
    assert_eq!(client.connect(Some(&front.named_url()), PATIENT), Ok(()), "{}", client.error());
    assert_eq!(front.seen()[0].name.as_deref(), Some("localhost"));
    let client = secured(&front, "websocket");
    assert_eq!(client.connect(Some(&front.url()), PATIENT), Ok(()), "{}", client.error());
    assert_eq!(front.seen()[1].name, None);
    for one in front.seen() {
        assert!(one.protocol.is_none_or(|protocol| protocol == "http/1.1"));
    }
}

#[test]
fn each_bad_certificate_is_refused_with_its_reason() {
    let engine = Engine::usual();
    let bad = [
        (Certificate::Expired, "expired", "2020"),
        (Certificate::NotYetValid, "valid", "2090"),
        (Certificate::WrongName, "localhost", "elsewhere.example"),
        (Certificate::SelfSigned, "tls_ca_file", ""),
    ];
    for (certificate, says, says_too) in bad {
        let front = TlsFront::start(engine.http().port(), certificate);
        for transports in TRANSPORTS {
            let client = secured(&front, transports);
            let outcome = client.connect(Some(&front.named_url()), PATIENT);
            assert_eq!(outcome, Err(Status::Tls), "{certificate:?}: {}", client.error());
            let failure = failure(&client);
            assert_eq!(failure["phase"], "tls", "{failure}");
            assert_says(&client, says);
            assert_says(&client, says_too);
            assert_eq!(client.state(), State::Closed);
            // The other transport would meet the same.
            let seen = front.seen();
            assert!(seen.iter().all(|one| !one.complete), "{seen:?}");
        }
        assert_eq!(front.seen().len(), TRANSPORTS.len(), "{certificate:?}");
    }
    assert_eq!(engine.http().connections(), 0, "nothing was sent to such a server");
}

#[test]
fn a_name_in_the_certificate_is_not_its_address() {
    let engine = Engine::usual();
    let front = TlsFront::start(engine.http().port(), Certificate::NameOnly);
    let client = secured(&front, "polling");
    assert_eq!(client.connect(Some(&front.url()), PATIENT), Err(Status::Tls));
    assert_says(&client, "127.0.0.1");
    assert_eq!(client.connect(Some(&front.named_url()), PATIENT), Ok(()), "{}", client.error());
}

#[test]
fn without_the_ca_file_the_systems_store_counts() {
    let engine = Engine::usual();
    let front = TlsFront::start(engine.http().port(), Certificate::Good);
    for transports in TRANSPORTS {
        let client = fresh(&[("transports", transports)]);
        let outcome = client.connect(Some(&front.named_url()), PATIENT);
        assert_eq!(outcome, Err(Status::Tls), "{}", client.error());
        assert_says(&client, "tls_ca_file");
    }
    assert_eq!(engine.http().connections(), 0);
}

#[test]
fn verification_can_be_turned_off_for_both_transports() {
    let engine = Engine::usual();
    for certificate in [Certificate::SelfSigned, Certificate::Expired, Certificate::WrongName] {
        let front = TlsFront::start(engine.http().port(), certificate);
        for transports in TRANSPORTS {
            let client = fresh(&[("transports", transports), ("tls_verify", "0")]);
            let outcome = client.connect(Some(&front.named_url()), PATIENT);
            assert_eq!(outcome, Ok(()), "{certificate:?}: {}", client.error());
            if transports == "polling,websocket" {
                wait_until("the upgrade", || client.transport() == "websocket");
            }
            assert_eq!(client.disconnect(PATIENT), Ok(()), "{}", client.error());
        }
    }
}

#[test]
fn turning_verification_off_is_logged_as_a_warning() {
    let engine = Engine::usual();
    let front = TlsFront::start(engine.http().port(), Certificate::SelfSigned);
    let lines: Arc<std::sync::Mutex<Vec<String>>> = Arc::default();
    let noting = Arc::clone(&lines);
    let client = fresh(&[("tls_verify", "0")]);
    let sink: sio::log::Sink =
        Box::new(move |_, line| noting.lock().unwrap().push(line.to_owned()));
    assert_eq!(client.set_log(Some((sio::log::Level::Warn, sink))), Ok(()));
    assert_eq!(client.connect(Some(&front.url()), PATIENT), Ok(()), "{}", client.error());
    let lines = lines.lock().unwrap();
    assert!(lines.iter().any(|line| line.contains("tls_verify")), "{lines:?}");
}

#[test]
fn a_server_that_demands_a_certificate_gets_ours() {
    let engine = Engine::usual();
    let front = TlsFront::start(engine.http().port(), Certificate::DemandsClient);
    let (certificate, key) = front.client_files();
    for transports in TRANSPORTS {
        let client = secured(&front, transports);
        assert_eq!(client.set("tls_cert_file", Some(certificate)), Ok(()));
        assert_eq!(client.set("tls_key_file", Some(key)), Ok(()));
        let outcome = client.connect(Some(&front.url()), PATIENT);
        assert_eq!(outcome, Ok(()), "{transports}: {}", client.error());
        // That of the upgrade may still be under way.
        let seen = front.seen();
        let mut complete = seen.iter().filter(|one| one.complete).peekable();
        assert!(complete.peek().is_some() && complete.all(|one| one.client_certificate));
        assert_eq!(client.disconnect(PATIENT), Ok(()), "{}", client.error());
    }
    for transports in TRANSPORTS {
        let client = secured(&front, transports);
        let outcome = client.connect(Some(&front.url()), PATIENT);
        assert_eq!(outcome, Err(Status::Tls), "{transports}: {}", client.error());
        assert_says(&client, "certificate");

        let (certificate, key) = front.stranger_files();
        let client = secured(&front, transports);
        assert_eq!(client.set("tls_cert_file", Some(certificate)), Ok(()));
        assert_eq!(client.set("tls_key_file", Some(key)), Ok(()));
        let outcome = client.connect(Some(&front.url()), PATIENT);
        assert_eq!(outcome, Err(Status::Tls), "{transports}: {}", client.error());
    }
}

#[test]
fn files_that_are_not_what_they_should_be_are_named() {
    let engine = Engine::usual();
    let front = TlsFront::start(engine.http().port(), Certificate::Good);
    let (certificate, key) = front.client_files();
    let missing = "/nonexistent/file.pem";
    let wrong: [&[(&str, &str)]; 6] = [
        &[("tls_ca_file", missing)],
        &[("tls_ca_file", key)],
        &[("tls_cert_file", certificate)],
        &[("tls_key_file", key)],
        &[("tls_cert_file", missing), ("tls_key_file", key)],
        &[("tls_cert_file", key), ("tls_key_file", certificate)],
    ];
    for options in wrong {
        let client = secured(&front, "polling,websocket");
        for (name, value) in options {
            assert_eq!(client.set(name, Some(value)), Ok(()), "it is read at the attempt");
        }
        let outcome = client.connect(Some(&front.url()), PATIENT);
        assert_eq!(outcome, Err(Status::Invalid), "{options:?}: {}", client.error());
        assert_says(&client, "tls_");
        assert_eq!(client.state(), State::Closed);
    }
    assert_eq!(engine.http().connections(), 0);
}

#[test]
fn a_server_that_speaks_no_tls_is_told() {
    let plain = HttpServer::start(|_| crate::common::scripted::Answer::ok("hello"));
    let ssh = Scripted::start(Script::new().raw("SSH-2.0-OpenSSH_9.6\r\n").until_closed_quietly());
    for port in [plain.port(), ssh.port()] {
        let client = upgrading(&[("attempt_timeout_ms", "2000")]);
        let url = format!("https://127.0.0.1:{port}");
        let outcome = client.connect(Some(&url), PATIENT);
        let silent = outcome == Err(Status::Timeout) && port == plain.port();
        assert!(outcome == Err(Status::Tls) || silent, "{outcome:?}: {}", client.error());
        assert_eq!(failure(&client)["phase"], "tls");
    }
    let port = ReservedPort::any().expect("a port");
    let client = upgrading(&[]);
    let url = format!("https://127.0.0.1:{}", port.number());
    assert_eq!(client.connect(Some(&url), PATIENT), Err(Status::Unreachable));
}

#[test]
fn a_tls_server_met_without_tls_is_told() {
    let engine = Engine::usual();
    let front = TlsFront::start(engine.http().port(), Certificate::Good);
    for transports in TRANSPORTS {
        let client = fresh(&[("transports", transports), ("reconnection", "0")]);
        let url = format!("http://127.0.0.1:{}", front.port());
        let status = client.connect(Some(&url), PATIENT).unwrap_err();
        assert!(matches!(status, Status::Protocol | Status::Unreachable), "{status:?}");
        assert_says(&client, "https");
    }
}

#[test]
fn silence_in_the_handshake_ends_with_the_time_and_is_given_up_at_once() {
    let _quiet = quiet();
    for silent in [Silent::AfterAccept, Silent::AfterHello] {
        let front = TlsFront::silent(silent);
        for transports in TRANSPORTS {
            let client = secured(&front, transports);
            let since = Instant::now();
            assert_eq!(client.connect(Some(&front.url()), limit(300)), Err(Status::Timeout));
            assert_elapsed(since, ms(300), ms(350));
            assert_eq!(failure(&client)["phase"], "tls", "{silent:?}");

            let client = secured(&front, transports);
            assert_eq!(client.set("attempt_timeout_ms", Some("300")), Ok(()));
            let since = Instant::now();
            assert_eq!(client.connect(Some(&front.url()), PATIENT), Err(Status::Timeout));
            assert_elapsed(since, ms(300), ms(350));

            for end in ["disconnect", "close", "interrupt"] {
                let client = secured(&front, transports);
                let url = front.url();
                let connecting = start(&client, move |client| client.connect(Some(&url), PATIENT));
                std::thread::sleep(ms(100));
                let since = Instant::now();
                let status = match end {
                    "disconnect" => {
                        assert_eq!(client.disconnect(PATIENT), Ok(()));
                        Status::Disconnected
                    }
                    "close" => {
                        client.close();
                        Status::Disconnected
                    }
                    _ => {
                        client.interrupt();
                        Status::Interrupted
                    }
                };
                assert_eq!(connecting.back_within(since, END), Err(status), "{end}");
            }
        }
    }
}

#[test]
fn reconnections_are_verified_too_and_may_use_other_files() {
    let engine = Engine::usual();
    let good = TlsFront::start(engine.http().port(), Certificate::Good);
    let other = TlsFront::start(engine.http().port(), Certificate::Good);
    let client = reconnecting(&[("transports", "polling")]);
    assert_eq!(client.set("tls_ca_file", Some(good.ca_file())), Ok(()));
    assert_eq!(client.connect(Some(&good.url()), PATIENT), Ok(()), "{}", client.error());
    // The next attempt meets a server of another authority.
    assert_eq!(client.set("url", Some(&other.url())), Ok(()));
    engine.forget();
    good.cut();
    other.wait_for(|seen| seen.len() >= 2);
    assert_eq!(client.state(), State::Reconnecting);
    assert!(other.seen().iter().all(|one| !one.complete));
    assert_eq!(client.set("tls_ca_file", Some(other.ca_file())), Ok(()));
    wait_for_state(&client, State::Connected);
    emit(&client, "a", "[]");
    engine.wait_for_text("42[\"a\"]");
}

#[test]
fn a_connection_cut_without_goodbye_is_a_loss() {
    for transports in TRANSPORTS {
        let engine = Engine::usual();
        let front = TlsFront::start(engine.http().port(), Certificate::Good);
        let client = secured(&front, transports);
        assert_eq!(client.connect(Some(&front.url()), PATIENT), Ok(()), "{}", client.error());
        if transports == "polling,websocket" {
            wait_until("the upgrade", || client.transport() == "websocket");
        } else if transports == "polling" {
            engine.wait_for_poll();
        }
        front.cut();
        assert_eq!(receive_fails(&client, PATIENT), Status::Disconnected);
        assert_eq!(client.state(), State::Closed);
    }
}

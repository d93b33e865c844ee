//! Dials to servers with every kind of certificate, and to servers that speak no TLS.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::{ServerConnection, StreamOwned};
use tokio::time::timeout;

use super::testing::*;
use super::*;
use crate::net::dial::{Place, dial};

/// Dials, says "ping" and reads the answer, which tells whether the server took us.
fn exchange(place: &Place) -> Result<Vec<u8>, Failure> {
    run(async {
        let stream = dial(place, |_| {}).await?;
        // Where the server has closed already, reading tells why.
        let _ = stream.try_write(b"ping");
        timeout(Duration::from_secs(5), read(&stream)).await.unwrap().map_err(|error| {
            failure_of(&error).unwrap_or_else(|| panic!("not an error of TLS: {error:?}"))
        })
    })
}

fn echo(mut served: Served) {
    let mut buf = [0; 4];
    if served.read_exact(&mut buf).is_ok() {
        served.write_all(&buf).unwrap();
        served.flush().unwrap();
    }
}

fn exchange_with(
    certificate: &Certificate,
    host: &str,
    options: TlsOptions,
) -> Result<(), Failure> {
    let (address, server) = serve(config(certificate, BOTH), echo);
    let outcome = exchange(&place(host, address, options));
    server.join().unwrap();
    outcome.map(|answer| assert_eq!(answer, b"ping"))
}

#[track_caller]
fn assert_fails(outcome: Result<(), Failure>, words: &[&str]) {
    let failure = outcome.unwrap_err();
    assert_eq!((failure.status, failure.details.phase), (Status::Tls, Some(Phase::Tls)));
    assert!(failure.text.starts_with("TLS with "), "{}", failure.text);
    for word in words {
        assert!(failure.text.contains(word), "{word:?} is not in {}", failure.text);
    }
}

#[test]
fn a_server_is_trusted_by_name_and_by_address_with_an_authority_of_ones_own() {
    let authority = Authority::new("Ours");
    let file = Scratch::new(&authority.pem);
    let certificate = authority.issue(&["localhost", "127.0.0.1"]);
    for host in ["localhost", "127.0.0.1"] {
        for versions in [&BOTH[..1], &BOTH[1..]] {
            let (address, server) = serve(config(&certificate, versions), echo);
            assert_eq!(exchange(&place(host, address, trusting(&file))).unwrap(), b"ping");
            server.join().unwrap();
        }
    }
}

#[test]
fn the_phase_of_tls_is_reported_as_it_begins_and_a_silent_server_stays_in_it() {
    let (address, server) = serve_tcp(|mut tcp| {
        let mut all = Vec::new();
        tcp.read_to_end(&mut all).unwrap();
        all
    });
    let place = place("127.0.0.1", address, TlsOptions { verify: false, ..TlsOptions::default() });
    let mut phases = Vec::new();
    run(async {
        let begun = Instant::now();
        let dialing = dial(&place, |phase| phases.push(phase));
        assert!(timeout(Duration::from_millis(200), dialing).await.is_err());
        assert!(begun.elapsed() < Duration::from_millis(400));
    });
    assert_eq!(phases, [Phase::Connect, Phase::Tls]);
    // Dropping has closed the connection, after a hello.
    assert_eq!(server.join().unwrap()[0], 22);
}

#[test]
fn an_expired_certificate_is_refused_with_its_date() {
    let authority = Authority::new("Ours");
    let file = Scratch::new(&authority.pem);
    let certificate = authority.issue_as(&["localhost"], |params| {
        params.not_before = date_time_ymd(2019, 3, 4);
        params.not_after = date_time_ymd(2020, 2, 29);
    });
    let outcome = exchange_with(&certificate, "localhost", trusting(&file));
    assert_fails(outcome, &["expired on 2020-02-29 00:00:00 UTC", "the clock here says 20"]);
}

#[test]
fn a_certificate_of_the_future_is_refused_with_its_date() {
    let authority = Authority::new("Ours");
    let file = Scratch::new(&authority.pem);
    let certificate = authority.issue_as(&["localhost"], |params| {
        params.not_before = date_time_ymd(2200, 1, 1);
        params.not_after = date_time_ymd(2201, 1, 1);
    });
    let outcome = exchange_with(&certificate, "localhost", trusting(&file));
    assert_fails(outcome, &["not valid before 2200-01-01 00:00:00 UTC"]);
}

#[test]
fn a_certificate_for_another_name_is_refused_with_the_names_it_has() {
    let authority = Authority::new("Ours");
    let file = Scratch::new(&authority.pem);
    let certificate = authority.issue(&["a.example", "*.b.example", "10.0.0.1"]);
    for host in ["localhost", "127.0.0.1"] {
        let words = [&format!("is not for {host}: "), "it is for a.example, *.b.example, 10.0.0.1"];
        assert_fails(exchange_with(&certificate, host, trusting(&file)), &words);
    }
    // A common name is no name, and an address in the place of a name is none either.
    let certificate = authority.issue_as(&[], |params| {
        params.distinguished_name.push(DnType::CommonName, "localhost");
    });
    assert_fails(exchange_with(&certificate, "localhost", trusting(&file)), &["has no names"]);
}

#[test]
fn an_unknown_authority_is_refused_by_its_name() {
    let (ours, theirs) = (Authority::new("Ours"), Authority::new("Their \"Authority\""));
    let file = Scratch::new(&ours.pem);
    let outcome = exchange_with(&theirs.issue(&["localhost"]), "localhost", trusting(&file));
    assert_fails(outcome, &[r#""Their \"Authority\"""#, "tls_ca_file", "tls_verify"]);
}

#[test]
fn a_chain_leads_over_certificates_that_the_server_sends() {
    let root = Authority::new("Root");
    let file = Scratch::new(&root.pem);
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "Between");
    let between = params.signed_by(&key, &root.issuer).unwrap();
    let authority = Authority {
        issuer: Issuer::new(params, key),
        pem: between.pem(),
        der: between.der().clone(),
    };
    let mut certificate = authority.issue(&["localhost"]);
    let outcome = exchange_with(&certificate, "localhost", trusting(&file));
    assert_fails(outcome, &["issued by \"Between\""]);
    certificate.chain.push(authority.der.clone());
    exchange_with(&certificate, "localhost", trusting(&file)).unwrap();
}

#[test]
fn a_self_signed_certificate_is_refused_unless_it_is_named() {
    let other = Scratch::new(&Authority::new("Ours").pem);
    let kinds = [
        IsCa::NoCa,
        IsCa::ExplicitNoCa,
        // As `openssl req -x509` makes them.
        IsCa::Ca(BasicConstraints::Unconstrained),
    ];
    for kind in kinds {
        let certificate = self_signed(&["localhost"], kind);
        let outcome = exchange_with(&certificate, "localhost", trusting(&other));
        assert_fails(outcome, &["self-signed", "tls_ca_file", "tls_verify"]);
        let file = Scratch::new(&certificate.pem);
        exchange_with(&certificate, "localhost", trusting(&file)).unwrap();
        let outcome = exchange_with(&certificate, "127.0.0.1", trusting(&file));
        assert_fails(outcome, &["is not for 127.0.0.1: it is for localhost"]);
    }
    let key = KeyPair::generate().unwrap();
    let mut params = params(&["localhost"]);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.not_after = date_time_ymd(2020, 1, 1);
    let made = params.self_signed(&key).unwrap();
    let file = Scratch::new(made.pem());
    let expired = Certificate { chain: vec![made.der().clone()], pem: made.pem(), key };
    assert_fails(exchange_with(&expired, "localhost", trusting(&file)), &["expired on 2020-01-01"]);
}

#[test]
fn the_systems_store_does_not_know_an_authority_of_a_test() {
    let certificate = Authority::new("Nobody's").issue(&["localhost"]);
    let (address, server) = serve(config(&certificate, BOTH), echo);
    let failure = exchange(&place("localhost", address, TlsOptions::default())).unwrap_err();
    assert_eq!(failure.status, Status::Tls);
    // Not every machine has a store.
    if !failure.text.starts_with("the system has no store") {
        assert!(failure.text.contains("Nobody's"), "{}", failure.text);
        server.join().unwrap();
    }
}

#[test]
fn without_verification_every_certificate_is_taken() {
    let options = TlsOptions { verify: false, ..TlsOptions::default() };
    assert!(
        !Trust::new(options.clone()).verifies() && Trust::new(TlsOptions::default()).verifies()
    );
    let expired = Authority::new("Nobody's").issue_as(&["a.example"], |params| {
        params.not_after = date_time_ymd(2020, 2, 29);
    });
    let own = self_signed(&[], IsCa::Ca(BasicConstraints::Unconstrained));
    for certificate in [expired, own] {
        for versions in [&BOTH[..1], &BOTH[1..]] {
            let (address, server) = serve(config(&certificate, versions), echo);
            assert!(exchange(&place("localhost", address, options.clone())).is_ok());
            server.join().unwrap();
        }
    }
}

#[test]
fn a_client_certificate_is_shown_to_a_server_that_wants_one() {
    let authority = Authority::new("Ours");
    let file = Scratch::new(&authority.pem);
    let certificate = authority.issue(&["localhost"]);
    let client = authority.issue(&["client"]);
    let (cert_file, key_file) =
        (Scratch::new(&client.pem), Scratch::new(client.key.serialize_pem()));
    let stranger = Authority::new("Theirs").issue(&["client"]);
    let (stranger_cert, stranger_key) =
        (Scratch::new(&stranger.pem), Scratch::new(stranger.key.serialize_pem()));
    for versions in [&BOTH[..1], &BOTH[1..]] {
        let exchange_with = |cert_file: Option<String>, key_file: Option<String>| {
            let demanding = config_with(&certificate, versions, Some(authority.demand(false)));
            let (address, server) = serve(demanding, echo);
            let options = TlsOptions { cert_file, key_file, ..trusting(&file) };
            let outcome = exchange(&place("localhost", address, options));
            server.join().unwrap();
            outcome.map(drop)
        };
        exchange_with(cert_file.path(), key_file.path()).unwrap();
        assert_fails(exchange_with(None, None), &["client certificate", "set tls_cert_file and"]);
        let outcome = exchange_with(stranger_cert.path(), stranger_key.path());
        assert_fails(outcome, &["client certificate", "does not take the one in tls_cert_file"]);
    }
}

#[test]
fn a_server_that_closes_for_want_of_a_client_certificate_is_understood() {
    let authority = Authority::new("Ours");
    let file = Scratch::new(&authority.pem);
    let certificate = authority.issue(&["localhost"]);
    // As servers on Node do, in both ways that closing can look like.
    for reads_before in [true, false] {
        let asking = config_with(&certificate, BOTH, Some(authority.demand(true)));
        let (address, server) = serve(asking, move |mut served| {
            while served.conn.is_handshaking() {
                served.conn.complete_io(&mut served.sock).unwrap();
            }
            if reads_before {
                let _ = served.read(&mut [0; 4]);
            }
        });
        let outcome = exchange(&place("localhost", address, trusting(&file))).map(drop);
        assert_fails(outcome, &["asked for a client certificate and then closed", "tls_key_file"]);
        server.join().unwrap();
    }
}

#[test]
fn a_second_connection_of_an_attempt_resumes_the_session_of_the_first() {
    let authority = Authority::new("Ours");
    let file = Scratch::new(&authority.pem);
    let config = Arc::new(config(&authority.issue(&["localhost"]), BOTH));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        [0, 1].map(|_| {
            let (tcp, _) = listener.accept().unwrap();
            let mut served =
                StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), tcp);
            let mut buf = [0; 4];
            served.read_exact(&mut buf).unwrap();
            served.write_all(&buf).unwrap();
            served.conn.handshake_kind().unwrap()
        })
    });
    let place = place("localhost", address, trusting(&file));
    assert!(exchange(&place).is_ok() && exchange(&place).is_ok());
    let kinds = server.join().unwrap();
    assert_eq!(kinds[1], rustls::HandshakeKind::Resumed);
}

#[test]
fn a_server_without_tls_is_told_from_one_that_fails() {
    let answers: [(&[u8], &str); 8] = [
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak TLS there but plain HTTP; try http:"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "does not speak TLS there; try http://"),
        (b"", "closed the connection as the handshake began"),
        (&[21, 3, 3, 0, 2, 2, 70], "does not speak TLS 1.2 or 1.3"),
        (&[21, 3, 3, 0, 2, 2, 40], "no cipher, key exchange or signature in common"),
        (&[21, 3, 3, 0, 2, 2, 112], "does not know the name"),
        (&[21, 3, 3, 0, 2, 2, 80], "ended it with the alert InternalError"),
        (&[22, 3, 3, 0, 4, 0xfe, 0, 0, 0], "broke the protocol"),
    ];
    for (answer, word) in answers {
        for reads in [true, false] {
            let (address, server) = serve_tcp(move |mut tcp| {
                if reads {
                    let mut hello = [0; 5];
                    tcp.read_exact(&mut hello).unwrap();
                    let length = u16::from_be_bytes([hello[3], hello[4]]);
                    tcp.read_exact(&mut vec![0; length.into()]).unwrap();
                }
                let _ = tcp.write_all(answer);
                let _ = tcp.shutdown(std::net::Shutdown::Write);
                let _ = tcp.read_to_end(&mut Vec::new());
            });
            let options = TlsOptions { verify: false, ..TlsOptions::default() };
            assert_fails(exchange(&place("localhost", address, options)).map(drop), &[word]);
            server.join().unwrap();
        }
    }
}

#[test]
fn a_file_that_is_not_what_it_should_be_is_invalid_before_anything_is_dialed() {
    let authority = Authority::new("Ours");
    let (cert, other) = (authority.issue(&["a"]), authority.issue(&["b"]));
    let authority = Scratch::new(&authority.pem);
    let empty = Scratch::new("");
    let broken = Scratch::new("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n");
    let odd = Scratch::new("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let locked =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let (locked, cert_file) = (Scratch::new(locked), Scratch::new(&cert.pem));
    let other_key = Scratch::new(other.key.serialize_pem());
    let missing = || Some("/nowhere/at all.pem".to_owned());
    let ca = |ca_file| TlsOptions { ca_file, ..TlsOptions::default() };
    let key = |cert_file, key_file| TlsOptions { cert_file, key_file, ..trusting(&authority) };
    let cases = [
        (ca(missing()), "tls_ca_file: \"/nowhere/at all.pem\" cannot be read: No such file"),
        (ca(Some("/".into())), "tls_ca_file: \"/\" cannot be read: "),
        (ca(Some("/dev/zero".into())), "is larger than 16 MiB"),
        (ca(empty.path()), "holds no certificate in PEM form"),
        (ca(other_key.path()), "holds no certificate in PEM form"),
        (ca(broken.path()), "is malformed"),
        (ca(odd.path()), "can be used"),
        (key(cert_file.path(), None), "tls_cert_file needs tls_key_file"),
        (key(None, cert_file.path()), "tls_key_file needs tls_cert_file"),
        (key(missing(), other_key.path()), "tls_cert_file: \"/nowhere/at all.pem\" cannot be"),
        (key(cert_file.path(), missing()), "tls_key_file: \"/nowhere/at all.pem\" cannot be"),
        (key(cert_file.path(), empty.path()), "holds no key in PEM form"),
        (key(cert_file.path(), cert_file.path()), "holds no key in PEM form"),
        (key(cert_file.path(), locked.path()), "is encrypted"),
        (key(cert_file.path(), other_key.path()), "does not hold the key of the first certificate"),
        (key(odd.path(), other_key.path()), "tls_cert_file: the first certificate in "),
    ];
    let nobody = SocketAddr::from(([127, 0, 0, 1], 1));
    for (options, words) in cases {
        let mut phases = Vec::new();
        let place = place("localhost", nobody, options);
        let failure = run(dial(&place, |phase| phases.push(phase))).unwrap_err();
        assert_eq!(failure.status, Status::Invalid, "{}", failure.text);
        assert!(failure.text.contains(words), "{words:?} is not in {}", failure.text);
        assert_eq!(failure.details.os_error.is_some(), words.contains("cannot be"));
        assert_eq!(phases, []);
    }
}

#[test]
fn certificate_and_key_may_stand_in_one_file() {
    let authority = Authority::new("Ours");
    let client = authority.issue(&["client"]);
    let both = Scratch::new(client.key.serialize_pem() + &client.pem);
    let file = Scratch::new(&authority.pem);
    let options = TlsOptions { cert_file: both.path(), key_file: both.path(), ..trusting(&file) };
    assert!(load::credentials(&options).unwrap().identity.has_certificate());
}

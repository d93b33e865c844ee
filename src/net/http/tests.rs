//! What a request comes to, on a connection of its own.

use super::open::READ;
use super::scripted::{
    OK, Scripted, TARGET, a_moment, always, finish, get, next, post, run, scripted,
};
use super::*;
use crate::error::Status;
use std::io::Read;
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

#[test]
fn a_get_and_a_post_go_out_byte_for_byte_with_all_headers() {
    let server = always(OK);
    let headers = [("X-One", "ä"), ("Content-Type", "text/x"), ("cookie", "a=b")];
    let mut http = server.http_at("http://user:pass@127.0.0.1", &headers);
    run(async {
        get(&mut http).await.unwrap();
        post(&mut http, b"4hello\x1e4\xff").await.unwrap();
    });
    let seen = server.seen();
    let common = |own: &str| {
        format!(
            "Host: 127.0.0.1:{}\r\nX-One: ä\r\n{own}Cookie: a=b\r\n\
             Authorization: Basic dXNlcjpwYXNz\r\n",
            server.port
        )
    };
    let own = common("Content-Type: text/x\r\n");
    assert_eq!(seen[0].head, format!("GET {TARGET} HTTP/1.1\r\n{own}Accept: */*\r\n\r\n"));
    let own = common("") + "Content-Type: text/plain;charset=UTF-8\r\nContent-Length: 9\r\n\r\n";
    assert_eq!(seen[1].head, format!("POST {TARGET} HTTP/1.1\r\n{own}"));
    assert_eq!(seen[1].body, b"4hello\x1e4\xff");
}

#[test]
fn the_programs_accept_replaces_ours_and_a_bad_header_is_invalid() {
    let server = always(OK);
    let mut http = server.http_at("http://127.0.0.1", &[("accept", "text/plain")]);
    run(get(&mut http)).unwrap();
    let head = &server.seen()[0].head;
    assert!(head.contains("accept: text/plain") && !head.contains("*/*"), "{head}");
    let mut http = server.http_at("http://127.0.0.1", &[("X", "a\nb")]);
    assert_eq!(run(get(&mut http)).unwrap_err().status, Status::Invalid);
}

#[test]
fn the_steps_of_an_exchange_come_in_order() {
    let server = always(OK);
    let mut http = server.http_at("http://localhost", &[]);
    run(async {
        let (steps, body) = finish(http.get(TARGET.to_owned()), &mut http).await;
        assert_eq!(steps, "resolve connect http touched sent");
        assert_eq!(body.unwrap(), b"ok");
        let exchange = http.post(TARGET.to_owned(), b"x".to_vec());
        assert!(!exchange.touched());
        assert_eq!(finish(exchange, &mut http).await.0, "http touched sent");
    });
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_large_request_is_sent_while_the_server_reads_slowly() {
    let server = scripted(|peer| {
        thread::sleep(Duration::from_millis(100));
        peer.request();
        peer.say(OK);
    });
    let mut http = server.http();
    let body: Vec<u8> = (0..8_000_000u32).map(|n| n as u8).collect();
    run(async {
        let exchange = http.post(TARGET.to_owned(), body.clone());
        let (steps, outcome) = finish(exchange, &mut http).await;
        assert_eq!(steps, "connect http touched sent");
        assert_eq!(outcome.unwrap(), b"ok");
    });
    assert!(server.seen()[0].body == body);
}

#[test]
fn a_refusal_that_comes_before_all_is_sent_is_heard() {
    let server = scripted(|peer| {
        let mut start = [0; 1000];
        peer.tcp.read_exact(&mut start).unwrap();
        peer.say("HTTP/1.1 413 Payload Too Large\r\nContent-Length: 4\r\n\r\nbig!");
        thread::sleep(Duration::from_millis(200));
    });
    let mut http = server.http();
    run(async {
        let exchange = http.post(TARGET.to_owned(), vec![b'x'; 50_000_000]);
        let (steps, outcome) = finish(exchange, &mut http).await;
        assert_eq!(steps, "connect http touched");
        let failure = outcome.unwrap_err();
        assert_eq!(failure.details.http_status, Some(413));
        assert_eq!(failure.details.http_body.as_deref(), Some("big!"));
    });
}

#[test]
fn a_success_before_all_is_sent_counts_when_it_is() {
    let server = scripted(|peer| {
        peer.say(OK);
        thread::sleep(Duration::from_millis(100));
        if peer.number == 0 {
            peer.request();
        }
    });
    let mut http = server.http();
    run(async {
        let exchange = http.post(TARGET.to_owned(), vec![b'x'; 20_000_000]);
        let (steps, outcome) = finish(exchange, &mut http).await;
        assert_eq!(
            (steps.as_str(), outcome.unwrap()),
            ("connect http touched sent", b"ok".to_vec())
        );
        while server.seen().is_empty() {
            a_moment().await;
        }
        assert_eq!(server.seen()[0].body.len(), 20_000_000);
        let exchange = http.post(TARGET.to_owned(), vec![b'x'; 20_000_000]);
        http.idle.clear();
        let failure = finish(exchange, &mut http).await.1.unwrap_err();
        assert_eq!(failure.status, Status::Unreachable);
        assert!(failure.details.os_error.is_some());
    });
}

#[test]
fn nothing_is_read_while_nobody_takes_the_body() {
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = sent.clone();
    let server = scripted(move |peer| {
        peer.request();
        peer.say("HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n");
        for _ in 0..5000 {
            peer.say(&"x".repeat(10_000));
            counted.fetch_add(10_000, Ordering::SeqCst);
        }
    });
    let mut http = server.http();
    run(async {
        let mut exchange = http.get(TARGET.to_owned());
        let limit = Duration::from_millis(300);
        while tokio::time::timeout(limit, next(&mut exchange, &mut http)).await.is_ok() {}
        assert!((ENOUGH..ENOUGH + 2 * READ).contains(&exchange.data().len()));
        // What the system's own buffers take, and no more.
        assert!(sent.load(Ordering::SeqCst) < 30_000_000);
        let taken = std::mem::take(exchange.data()).len();
        let (_, rest) = finish(exchange, &mut http).await;
        assert_eq!(taken + rest.unwrap().len(), 50_000_000);
    });
}

#[test]
fn redirects_are_followed_on_the_same_server() {
    let server = scripted(|peer| {
        while let Some(seen) = peer.request() {
            let path = seen.head.split_whitespace().nth(1).unwrap().to_owned();
            match path.strip_prefix("/hop/") {
                Some("0") => peer.say(OK),
                Some(hop) => {
                    let next: u8 = hop.parse::<u8>().unwrap() - 1;
                    peer.say(&format!(
                        "HTTP/1.1 307 R\r\nLocation: {next}\r\nSet-Cookie: hop={next}; Path=/\r\n\
                         Content-Length: 3\r\n\r\nhop"
                    ));
                }
                None => return,
            }
        }
    });
    let mut http = server.http();
    run(async {
        let exchange = http.post("/hop/5".to_owned(), b"body".to_vec());
        let (steps, outcome) = finish(exchange, &mut http).await;
        assert_eq!(steps, "connect http touched sent http http http http http");
        assert_eq!(outcome.unwrap(), b"ok");
        assert_eq!(server.connections(), 1);
        let seen = server.seen();
        assert!(seen.iter().all(|seen| seen.head.starts_with("POST") && seen.body == b"body"));
        assert!(seen[5].head.contains("Cookie: hop=0"), "{}", seen[5].head);
        let (_, outcome) = finish(http.get("/hop/6".to_owned()), &mut http).await;
        assert!(outcome.unwrap_err().text.contains("after five redirects"));
        assert_eq!(server.seen().len(), 6 + 6);
    });
}

#[test]
fn a_server_that_is_not_there_or_not_http_is_told() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let server = Scripted { port: closed, connections: Arc::default(), seen: Arc::default() };
    let failure = run(get(&mut server.http())).unwrap_err();
    assert_eq!(failure.status, Status::Unreachable);
    assert_eq!(failure.details.phase, Some(Phase::Connect));
    let server = scripted(|peer| {
        peer.say("220 mail.example ESMTP\r\n");
        peer.request();
    });
    let failure = run(get(&mut server.http())).unwrap_err();
    assert_eq!(failure.status, Status::Protocol);
    assert!(failure.text.contains("not HTTP"), "{}", failure.text);
}

#[test]
fn a_connection_that_breaks_is_a_failure_with_the_systems_reason() {
    let server = scripted(|peer| {
        // Closed with something unread, so that it is reset.
        let _ = peer.tcp.peek(&mut [0]);
        thread::sleep(Duration::from_millis(50));
    });
    let failure = run(get(&mut server.http())).unwrap_err();
    assert_eq!(failure.status, Status::Unreachable);
    assert_eq!(failure.details.phase, Some(Phase::Http));
    assert_eq!(failure.details.os_error, Some(libc::ECONNRESET));
}

#[test]
fn a_refusal_is_known_while_its_body_is_read() {
    let server = scripted(|peer| {
        peer.request();
        peer.say("HTTP/1.1 503 S\r\nContent-Length: 99\r\n\r\nwait");
        peer.request();
    });
    let mut http = server.http();
    run(async {
        let mut exchange = http.get(TARGET.to_owned());
        let limit = Duration::from_millis(200);
        while tokio::time::timeout(limit, next(&mut exchange, &mut http)).await.is_ok() {}
        assert_eq!(exchange.refusal().unwrap().details.http_status, Some(503));
    });
}

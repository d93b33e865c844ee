use super::scripted::{Scripted, Seen, always, scripted};
use super::*;
use crate::net::tls::testing::{Authority, Scratch, config, place, serve, trusting};
use crate::url;
use std::future::poll_fn;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

const TARGET: &str = "/socket.io/?EIO=4&transport=polling&a=b|c\"d";
const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let limited = async { tokio::time::timeout(Duration::from_secs(20), work).await };
    runtime.block_on(limited).expect("the exchange hangs")
}

async fn next(exchange: &mut Exchange, http: &mut Http) -> Progress {
    poll_fn(|cx| exchange.poll(cx, http)).await
}

/// What an exchange came to: its steps in short, and its body or how it failed.
async fn finish(mut exchange: Exchange, http: &mut Http) -> (String, Result<Vec<u8>, Failure>) {
    let (mut steps, mut body) = (Vec::new(), Vec::new());
    loop {
        match next(&mut exchange, http).await {
            Progress::Phase(phase) => steps.push(phase.name()),
            Progress::Touched => steps.push("touched"),
            Progress::Sent => steps.push("sent"),
            Progress::Data => {
                assert!(!exchange.data().is_empty());
                body.append(exchange.data());
            }
            Progress::Done => return (steps.join(" "), Ok(body)),
            Progress::Failed(failure) => return (steps.join(" "), Err(failure)),
        }
    }
}

async fn get(http: &mut Http) -> Result<Vec<u8>, Failure> {
    finish(http.get(TARGET.to_owned()), http).await.1
}

async fn post(http: &mut Http, body: &[u8]) -> Result<Vec<u8>, Failure> {
    finish(http.post(TARGET.to_owned(), body.to_vec()), http).await.1
}

/// Lets the runtime see what has arrived.
async fn a_moment() {
    tokio::time::sleep(Duration::from_millis(50)).await;
}

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
fn a_get_and_a_post_at_once_have_a_connection_each_and_both_are_kept() {
    let server = scripted(|peer| {
        while let Some(seen) = peer.request() {
            if seen.head.starts_with("GET") {
                thread::sleep(Duration::from_millis(50));
            }
            peer.say(OK);
        }
    });
    let mut http = server.http();
    run(async {
        for _ in 0..5 {
            let mut poll = http.get(TARGET.to_owned());
            while !matches!(next(&mut poll, &mut http).await, Progress::Sent) {}
            for _ in 0..3 {
                post(&mut http, b"x").await.unwrap();
            }
            assert_eq!(finish(poll, &mut http).await.1.unwrap(), b"ok");
        }
        assert_eq!(http.idle.len(), KEPT);
    });
    assert_eq!(server.connections(), 2);
}

#[test]
fn no_more_than_two_connections_are_kept() {
    let server = always(OK);
    let mut http = server.http();
    run(async {
        let mut exchanges: Vec<Exchange> = (0..4).map(|_| http.get(TARGET.to_owned())).collect();
        for exchange in &mut exchanges {
            while !matches!(next(exchange, &mut http).await, Progress::Sent) {}
        }
        for exchange in exchanges {
            finish(exchange, &mut http).await.1.unwrap();
        }
        assert_eq!((server.connections(), http.idle.len()), (4, KEPT));
    });
}

#[test]
fn a_connection_that_is_not_to_be_kept_is_not_used_again() {
    for answer in [
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
        "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nKeep-Alive: timeout=1\r\n\r\nok",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok and more",
    ] {
        let server = always(answer);
        let mut http = server.http();
        run(async {
            for _ in 0..3 {
                assert_eq!(get(&mut http).await.unwrap(), b"ok");
                a_moment().await;
            }
        });
        assert_eq!(server.connections(), 3, "{answer}");
    }
}

#[test]
fn a_kept_connection_is_used_only_as_long_as_it_may_be() {
    let server = always("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nKeep-Alive: timeout=2\r\n\r\nok");
    let mut http = server.http();
    run(async {
        get(&mut http).await.unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
        get(&mut http).await.unwrap();
        assert_eq!(server.connections(), 1);
        tokio::time::sleep(Duration::from_millis(1100)).await;
        get(&mut http).await.unwrap();
        assert_eq!(server.connections(), 2);
    });
}

#[test]
fn a_connection_that_the_server_closed_meanwhile_is_not_used_and_nothing_is_lost() {
    let server = scripted(|peer| {
        peer.request();
        peer.say(OK);
    });
    let mut http = server.http();
    run(async {
        for number in 0..5 {
            post(&mut http, number.to_string().as_bytes()).await.unwrap();
            a_moment().await;
        }
    });
    let bodies: Vec<Vec<u8>> = server.seen().into_iter().map(|seen| seen.body).collect();
    assert_eq!(bodies, [b"0", b"1", b"2", b"3", b"4"]);
    assert_eq!(server.connections(), 5);
}

#[test]
fn kept_connections_that_the_server_closes_or_speaks_on_are_dropped_at_once() {
    for unasked in ["", "HTTP/1.1 408 Request Timeout\r\n\r\n"] {
        let server = scripted(move |peer| {
            peer.request();
            peer.say(OK);
            thread::sleep(Duration::from_millis(100));
            peer.say(unasked);
            if !unasked.is_empty() {
                peer.request();
            }
        });
        let mut http = server.http();
        run(async {
            get(&mut http).await.unwrap();
            // The task is woken for it.
            poll_fn(|cx| {
                http.poll_idle(cx);
                if http.idle.is_empty() { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        });
    }
}

#[test]
fn no_request_is_made_twice() {
    // The second request on a connection gets no answer, or half a one.
    for half in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"] {
        let server = scripted(move |peer| {
            peer.request();
            peer.say(OK);
            peer.request();
            peer.say(half);
        });
        let mut http = server.http();
        run(async {
            get(&mut http).await.unwrap();
            for (seen, is_post) in [(2, true), (4, false)] {
                if !is_post {
                    get(&mut http).await.unwrap();
                }
                let outcome =
                    if is_post { post(&mut http, b"x").await } else { get(&mut http).await };
                let failure = outcome.unwrap_err();
                assert_eq!(failure.details.phase, Some(Phase::Http));
                assert!(!failure.text.contains("Socket.IO"), "{}", failure.text);
                assert_eq!(server.seen().len(), seen);
            }
        });
    }
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

#[test]
fn a_parting_shot_needs_a_kept_connection() {
    let server = scripted(|peer| {
        while peer.request().is_some_and(|_| {
            peer.say(OK);
            true
        }) {}
    });
    let mut http = server.http();
    run(async {
        http.parting_shot("/none", b"1");
        a_moment().await;
        assert_eq!(server.connections(), 0);
        get(&mut http).await.unwrap();
        http.parting_shot("/part", b"1");
        assert!(http.idle.is_empty());
        a_moment().await;
        let seen = server.seen();
        assert!(seen[1].head.starts_with("POST /part HTTP/1.1"), "{}", seen[1].head);
        assert_eq!((seen[1].connection, &seen[1].body[..]), (0, &b"1"[..]));
        assert_eq!(server.connections(), 1);
    });
}

#[test]
fn a_dropped_exchange_closes_its_connection() {
    let server = scripted(|peer| {
        peer.request();
        let at_end = peer.request().is_none();
        peer.seen.lock().unwrap().push(Seen {
            connection: peer.number,
            head: format!("ended: {at_end}"),
            body: Vec::new(),
        });
    });
    let mut http = server.http();
    run(async {
        let mut exchange = http.get(TARGET.to_owned());
        while !matches!(next(&mut exchange, &mut http).await, Progress::Sent) {}
        drop(exchange);
        a_moment().await;
        assert_eq!(server.seen()[1].head, "ended: true");
    });
}

#[test]
fn requests_over_tls_share_a_connection_and_break_with_what_tls_says() {
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let authority = Authority::new("requests");
        let config = config(&authority.issue(&["127.0.0.1"]), &[version]);
        let (address, served) = serve(config, |mut tls| {
            for body in ["one", "two"] {
                let mut request = Vec::new();
                let mut piece = [0; 4096];
                while !request.ends_with(body.as_bytes()) {
                    let count = tls.read(&mut piece).unwrap();
                    request.extend_from_slice(&piece[..count]);
                }
                tls.write_all(OK.as_bytes()).unwrap();
            }
            let _ = tls.read(&mut [0; 4096]);
            tls.get_mut().write_all(&[0x17, 3, 3, 0, 1, 0]).unwrap();
            let _ = tls.get_mut().read(&mut [0; 4096]);
        });
        let file = Scratch::new(&authority.pem);
        let url = url::parse(&format!("https://127.0.0.1:{}", address.port())).unwrap();
        let place = place("127.0.0.1", address, trusting(&file));
        let server = Server { url, place, headers: Vec::new(), jar: None };
        let mut http = Http::new(Arc::new(server));
        run(async {
            let (steps, body) =
                finish(http.post(TARGET.to_owned(), b"one".to_vec()), &mut http).await;
            assert_eq!(steps, "connect tls http touched sent");
            assert_eq!(body.unwrap(), b"ok");
            a_moment().await;
            http.poll_idle(&mut Context::from_waker(Waker::noop()));
            let (steps, body) =
                finish(http.post(TARGET.to_owned(), b"two".to_vec()), &mut http).await;
            assert_eq!((steps.as_str(), body.unwrap()), ("http touched sent", b"ok".to_vec()));
            let failure = get(&mut http).await.unwrap_err();
            assert_eq!((failure.status, failure.details.phase), (Status::Tls, Some(Phase::Tls)));
        });
        drop(http);
        served.join().unwrap();
    }
}

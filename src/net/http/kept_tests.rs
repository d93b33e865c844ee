//! Connections that are kept from one request to the next, and when they are not.

use super::scripted::{OK, Seen, TARGET, a_moment, always, finish, get, next, post, run, scripted};
use super::*;
use crate::error::Status;
use crate::net::tls::testing::{Authority, Scratch, config, place, serve, trusting};
use crate::url;
use std::future::poll_fn;
use std::io::{Read, Write};
use std::thread;

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

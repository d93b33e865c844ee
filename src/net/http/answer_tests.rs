use super::*;
use crate::net::cookies::Jar;
use crate::net::dial::Place;
use crate::url;
use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use std::io::Write;

fn question(method: Method) -> Question {
    let url = url::parse("http://a.example:5000").unwrap();
    let place = Place { host: url.host.clone(), port: url.port, tls: None };
    let server = Arc::new(Server { url, place, headers: Vec::new(), jar: Some(Jar::new()) });
    let target = "/socket.io/?EIO=4&transport=polling".to_owned();
    Question { server, method, target, redirects: 5, answered: false }
}

/// What an answer amounts to.
#[derive(Clone, Debug, PartialEq)]
enum Outcome {
    /// Its body, for how long the connection may be kept, and the bytes behind the answer.
    Complete(Vec<u8>, Option<u64>, Vec<u8>),
    Redirect(String, Option<u64>),
    Failed(Failure),
}

/// Gives an answer in pieces of these sizes, over and over, and then the end of the connection.
/// Whoever takes the body takes it all when it is too much.
fn receive_by(question: Question, bytes: &[u8], sizes: &[usize]) -> Outcome {
    let (mut answer, mut input) = (Answer::new(question), Input::default());
    let (mut data, mut body) = (Vec::new(), Vec::new());
    let (mut rest, mut sizes) = (bytes, sizes.iter().cycle());
    let millis = |keep: Option<Duration>| keep.map(|keep| keep.as_millis() as u64);
    let mut ended = false;
    loop {
        match answer.advance(&mut input, &mut data) {
            Ok(Step::Data) => assert!(!data.is_empty()),
            Ok(Step::More) if data.len() > ENOUGH => {
                assert!(data.len() < ENOUGH + 512 * 1024);
                body.append(&mut data);
            }
            Ok(Step::More) => {
                assert!(!ended, "asks for more than there is");
                let (piece, after) = rest.split_at(rest.len().min(*sizes.next().unwrap()));
                if piece.is_empty() {
                    answer.end();
                    ended = true;
                }
                input.compact();
                input.bytes.extend_from_slice(piece);
                rest = after;
            }
            Ok(Step::Complete(keep)) => {
                body.append(&mut data);
                return Outcome::Complete(body, millis(keep), [input.rest(), rest].concat());
            }
            Ok(Step::Redirect(target, keep)) => return Outcome::Redirect(target, millis(keep)),
            Err(failure) => return Outcome::Failed(failure),
        }
    }
}

fn receive(method: Method, bytes: &[u8]) -> Outcome {
    let whole = receive_by(question(method), bytes, &[usize::MAX]);
    for sizes in [&[1][..], &[2], &[7], &[13, 1]] {
        let split = receive_by(question(method), bytes, sizes);
        // How much of what is not HTTP is quoted depends on how much had come.
        match (&split, &whole) {
            (Outcome::Failed(split), Outcome::Failed(whole)) => assert_eq!(
                (split.status, &split.details),
                (whole.status, &whole.details),
                "{} {}",
                split.text,
                whole.text
            ),
            _ => assert_eq!(split, whole, "by {sizes:?}"),
        }
    }
    whole
}

fn get(bytes: &[u8]) -> Outcome {
    receive(Method::Get, bytes)
}

#[track_caller]
fn body(bytes: &[u8]) -> String {
    match get(bytes) {
        Outcome::Complete(body, ..) => String::from_utf8(body).unwrap(),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn kept(head: &str) -> Option<u64> {
    match get(format!("{head}\r\n\r\nok").as_bytes()) {
        Outcome::Complete(body, keep, behind) => {
            assert_eq!((&body[..], &behind[..]), (&b"ok"[..], &b""[..]));
            keep
        }
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn failure(method: Method, bytes: &[u8]) -> Failure {
    match receive(method, bytes) {
        Outcome::Failed(failure) => {
            assert_eq!(failure.details.phase, Some(Phase::Http), "{}", failure.text);
            assert!(failure.text.contains("http://a.example:5000"), "{}", failure.text);
            failure
        }
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn violates(bytes: &[u8], part_of_text: &str) {
    let failure = failure(Method::Get, bytes);
    assert_eq!(failure.status, Status::Protocol, "{}", failure.text);
    assert!(failure.text.starts_with("the GET to "), "{}", failure.text);
    assert!(failure.text.contains(part_of_text), "{}", failure.text);
}

#[test]
fn a_body_ends_by_its_length_by_its_chunks_or_with_the_connection() {
    assert_eq!(body(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"), "hello");
    assert_eq!(body(b"HTTP/1.1 201\ncontent-length:5\n\nhello"), "hello");
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
        3\r\nhel\r\n02;a=b\r\nlo\r\n0\r\nTrailer: x\r\n\r\n";
    assert_eq!(body(chunked), "hello");
    assert_eq!(body(b"HTTP/1.1 200 OK\r\n\r\nhello"), "hello");
    assert_eq!(body(b"HTTP/1.0 200 OK\r\n\r\nhello"), "hello");
    assert_eq!(body(b"HTTP/1.1 204 No Content\r\n\r\n"), "");
    assert_eq!(body(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), "");
    let cut = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n";
    assert_eq!(body(cut), "hello");
}

#[test]
fn what_stands_behind_an_answer_is_not_part_of_it() {
    for head in
        ["Content-Length: 2\r\n\r\nok", "Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"]
    {
        let answer = format!("HTTP/1.1 200 OK\r\n{head}HTTP/1.1 408 Request Timeout\r\n\r\n");
        match get(answer.as_bytes()) {
            Outcome::Complete(body, _, behind) => {
                assert_eq!(body, b"ok");
                assert!(behind.starts_with(b"HTTP/1.1 408"));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_body_that_is_cut_short_fails() {
    violates(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello", "within the body");
    violates(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n", "within the body");
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    for cut in ["", "3", "3\r\n", "3\r\nhe", "3\r\nhel", "3\r\nhel\r\n", "3\r\nhel\r\n0", "0\r"] {
        violates(format!("{chunked}{cut}").as_bytes(), "within the body");
    }
}

#[test]
fn a_body_with_bad_chunks_fails() {
    let long = "1".repeat(40_000);
    for bad in ["x\r\n", "3\r\nhello\r\n", "ffffffffffffffffff\r\n", "-1\r\n", &long] {
        let answer = format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{bad}");
        violates(answer.as_bytes(), "the body of the answer is malformed");
    }
}

#[test]
fn a_packed_body_is_unpacked() {
    let plain = b"4hello\x1e".repeat(100_000);
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    gzip.write_all(&plain).unwrap();
    let gzip = gzip.finish().unwrap();
    let head = "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n";
    let by_length =
        [format!("{head}Content-Length: {}\r\n\r\n", gzip.len()).as_bytes(), &gzip].concat();
    assert!(body(&by_length).as_bytes() == plain);
    let mut chunked = format!("{head}Transfer-Encoding: chunked\r\n\r\n").into_bytes();
    for chunk in gzip.chunks(99) {
        chunked.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
        chunked.extend(chunk);
        chunked.extend(b"\r\n");
    }
    chunked.extend(b"0\r\n\r\n");
    assert!(body(&chunked).as_bytes() == plain);
    let cut = format!("{head}Content-Length: {}\r\n\r\n", gzip.len() - 1).into_bytes();
    violates(&[&cut, &gzip[..gzip.len() - 1]].concat(), "cannot be decoded");
    violates(format!("{head}\r\nhello").as_bytes(), "cannot be decoded");
    assert_eq!(body(format!("{head}Content-Length: 0\r\n\r\n").as_bytes()), "");
}

#[test]
fn codings_that_are_not_known_fail() {
    violates(b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n\r\nx", "Content-Encoding br");
    let gzip = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n";
    violates(gzip, "Transfer-Encoding gzip");
}

#[test]
fn heads_that_say_that_another_follows_are_passed_over() {
    let answer = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n\
        HTTP/1.1 100\r\nX: y\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    assert_eq!(body(answer), "ok");
    let other = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
    violates(other, "another protocol");
}

#[test]
fn what_is_not_http_is_seen_at_its_first_bytes() {
    violates(b"220 mail.example ESMTP\r\n", "the answer is not HTTP: \"");
    violates(b"HTTP/2 200\r\n", "the answer is not HTTP");
    violates(b"HTTP/1.1 abc\r\n\r\n", "the answer is not HTTP");
    violates(b"HTTP/1.7 200\r\n\r\n", "the answer is not HTTP");
    violates(b"HTTP/1.1 1x0\r\n\r\n", "the answer is not HTTP");
    let headers = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(200));
    violates(headers.as_bytes(), "the answer is not HTTP");
    violates(b"HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\n", "content-length");
    let tls = receive_by(question(Method::Get), b"\x15\x03\x01\0\x02", &[usize::MAX]);
    assert!(matches!(tls, Outcome::Failed(failure) if failure.text.contains("try https or wss")));
}

#[test]
fn a_head_is_limited_to_64_kib() {
    let answer = |n| format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(n));
    let fits = |n| receive_by(question(Method::Get), answer(n).as_bytes(), &[4096]);
    assert!(matches!(fits(HEAD_LIMIT - 24), Outcome::Complete(..)));
    let too_long = |n| matches!(fits(n), Outcome::Failed(f) if f.text.contains("64 KiB"));
    assert!(too_long(HEAD_LIMIT - 23) && too_long(2 * HEAD_LIMIT));
    // What stands behind the head does not count.
    let long = "x".repeat(3 * HEAD_LIMIT);
    assert_eq!(body(format!("HTTP/1.1 200 OK\r\n\r\n{long}").as_bytes()), long);
}

#[test]
fn an_answer_that_does_not_come_says_so() {
    violates(b"", "closed without an answer (is a Socket.IO server there");
    violates(b"HTTP/1.1 200 OK\r\nConte", "closed within the head");
    let answered = Question { answered: true, ..question(Method::Post) };
    let Outcome::Failed(failure) = receive_by(answered, b"", &[1]) else { panic!() };
    assert_eq!(
        failure.text,
        "the POST to http://a.example:5000 failed: the connection was closed without an answer"
    );
}

#[test]
fn the_connection_is_kept_for_as_long_as_the_server_says() {
    let length = "Content-Length: 2";
    assert_eq!(kept(&format!("HTTP/1.1 200 OK\r\n{length}")), Some(1500));
    assert_eq!(kept(&format!("HTTP/1.1 200 OK\r\n{length}\r\nConnection: keep-alive")), Some(1500));
    let keep_alive = |value| kept(&format!("HTTP/1.1 200 OK\r\n{length}\r\nKeep-Alive: {value}"));
    assert_eq!(keep_alive("timeout=5"), Some(4000));
    assert_eq!(keep_alive("max=100, Timeout = \"61\""), Some(60_000));
    assert_eq!(keep_alive("timeout=1"), Some(0));
    assert_eq!(keep_alive("timeout=0"), Some(0));
    assert_eq!(keep_alive("timeout=-5, max=1"), Some(1500));
    assert_eq!(keep_alive("timeout=99999999999999999999"), Some(1500));
}

#[test]
fn a_connection_that_ends_or_may_be_out_of_step_is_not_kept() {
    let length = "Content-Length: 2";
    assert_eq!(kept(&format!("HTTP/1.1 200 OK\r\n{length}\r\nConnection: Foo, Close")), None);
    assert_eq!(kept(&format!("HTTP/1.0 200 OK\r\n{length}\r\nConnection: keep-alive")), None);
    assert_eq!(kept("HTTP/1.1 200 OK"), None);
    let both = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n\
        2\r\nok\r\n0\r\n\r\n";
    assert!(matches!(get(both.as_bytes()), Outcome::Complete(body, None, _) if body == b"ok"));
}

#[test]
fn a_redirect_is_told_when_its_body_is_over() {
    let to = |status: u16, rest: &str| {
        format!("HTTP/1.1 {status} R\r\nLocation: /x/?a=b\r\n{rest}").into_bytes()
    };
    let follows = |keep| Outcome::Redirect("/x/?a=b".to_owned(), keep);
    assert_eq!(get(&to(302, "Content-Length: 0\r\n\r\n")), follows(Some(1500)));
    assert_eq!(get(&to(307, "Content-Length: 5\r\n\r\nmoved")), follows(Some(1500)));
    let chunked = "Transfer-Encoding: chunked\r\nContent-Encoding: br\r\n\r\n2\r\nok\r\n0\r\n\r\n";
    assert_eq!(get(&to(301, chunked)), follows(Some(1500)));
    // A body without an end of its own, one that does not come, and one that is too long.
    assert_eq!(get(&to(303, "\r\nmoved")), follows(None));
    assert_eq!(get(&to(308, "Content-Length: 5\r\n\r\nmov")), follows(None));
    let long = format!("Content-Length: 999999\r\n\r\n{}", "x".repeat(999_999));
    assert_eq!(get(&to(308, &long)), follows(None));
    assert_eq!(receive(Method::Post, &to(308, "Content-Length: 0\r\n\r\n")), follows(Some(1500)));
}

#[test]
fn a_redirect_that_is_not_followed_says_where_it_points_and_why() {
    let answer = |status: u16, location: &str| {
        let body = "{\"code\":1,\"message\":\"moved\"}";
        let length = body.len();
        format!(
            "HTTP/1.1 {status} R\r\nLocation: {location}\r\nContent-Length: {length}\r\n\r\n{body}"
        )
    };
    for (method, status, location, part_of_text) in [
        (
            Method::Get,
            302,
            "https://b/x?token=secret",
            "it redirects to https://b/x; that is another",
        ),
        (Method::Get, 307, "http://a.example:5001/", "another port"),
        (Method::Get, 307, "https://a.example:5000/", "if TLS is wanted"),
        (Method::Post, 302, "/x?token=secret", "it redirects to /x; a POST does not follow it"),
        (Method::Get, 300, "/x", "it redirects to /x; it is not followed"),
    ] {
        let failure = failure(method, answer(status, location).as_bytes());
        assert_eq!(failure.status, Status::Unreachable);
        assert_eq!(failure.details.http_status, Some(status));
        assert_eq!(failure.details.message.as_deref(), Some("\"moved\""));
        assert!(failure.text.contains(part_of_text), "{}", failure.text);
        assert!(!failure.text.contains("secret"), "{}", failure.text);
    }
    let none_left = Question { redirects: 0, ..question(Method::Get) };
    let outcome = receive_by(none_left, answer(302, "/x").as_bytes(), &[5]);
    let Outcome::Failed(failure) = outcome else { panic!("{outcome:?}") };
    assert!(failure.text.contains("after five redirects"), "{}", failure.text);
}

#[test]
fn a_refusal_shows_its_body() {
    let refused = b"HTTP/1.1 400 Bad Request\r\nTransfer-Encoding: chunked\r\n\r\n\
        23\r\n{\"code\":1,\"message\":\"Session ID unk\r\n7\r\nnown\"} \r\n0\r\n\r\n";
    let failure = failure(Method::Post, refused);
    assert_eq!(failure.status, Status::Unreachable);
    assert_eq!(failure.details.http_status, Some(400));
    assert_eq!(failure.details.message.as_deref(), Some("\"Session ID unknown\""));
    assert_eq!(
        failure.text,
        "http://a.example:5000 refused the POST with HTTP status 400 Bad Request: \
         Session ID unknown"
    );
    // Its body may be endless, or end too early.
    for length in [3, 5, 999_999] {
        let refused = format!("HTTP/1.1 502 B\r\nContent-Length: {length}\r\n\r\nhello");
        let failure = self::failure(Method::Get, refused.as_bytes());
        assert_eq!(failure.details.http_status, Some(502));
        let shown = failure.details.http_body.unwrap();
        assert!(shown == "hello" || shown == "hel", "{shown}");
    }
    let endless = format!("HTTP/1.1 502 B\r\n\r\n{}", "x".repeat(100_000));
    let shown = self::failure(Method::Get, endless.as_bytes()).details.http_body.unwrap();
    assert_eq!(shown, "x".repeat(1024));
}

#[test]
fn the_cookies_of_every_answer_are_kept() {
    for status in ["200 OK", "302 Found\r\nLocation: /x", "400 Bad Request"] {
        let question = question(Method::Get);
        let server = question.server.clone();
        let answer = format!("HTTP/1.1 {status}\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\r\n");
        receive_by(question, answer.as_bytes(), &[3]);
        let mut head = String::new();
        server.write_common("/socket.io/", &mut head).unwrap();
        assert!(head.contains("\r\nCookie: a=1; b=2\r\n"), "{head}");
    }
}

#[test]
fn no_more_is_taken_in_than_somebody_takes() {
    let body = "x".repeat(ENOUGH * 3);
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    let mut input = Input { bytes: answer.into_bytes(), used: 0 };
    let (mut data, mut taken) = (Vec::new(), 0);
    let mut answer = Answer::new(question(Method::Get));
    loop {
        match answer.advance(&mut input, &mut data).unwrap() {
            Step::Data => {}
            Step::More => {
                assert!((ENOUGH..=ENOUGH + PIECE).contains(&data.len()), "{}", data.len());
                taken += data.len();
                data.clear();
            }
            Step::Complete(_) => break,
            Step::Redirect(..) => panic!(),
        }
    }
    assert_eq!(taken + data.len(), body.len());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_answer_means_the_same_however_it_is_split(
        answer in prop_oneof![
            "(HTTP/1\\.[01] [1-5][0-9][0-9]( [a-z]*)?\r?\n)?([a-zA-Z-]{1,9}: ?[ -~]{0,20}\r?\n){0,5}\r?\n.{0,20}",
            "HTTP/1.1 (200|500|302) E\r\nLocation: /x\r\nTransfer-Encoding: chunked\r\n\r\n[0-9a-f;\r\n]{0,40}",
            "HTTP/1.1 200 O\r\nTransfer-Encoding: chunked\r\n\r\n(3\r\nabc\r\n){0,5}(0\r\n)?(T: x\r\n){0,2}(\r\n)?.{0,5}",
            "HTTP/1.1 (200|302) O\r\nLocation: /x\r\n(Content-Length: [0-9]{1,2}\r\n)?\r\n[a-z]{0,40}",
            "(HTTP/1.1 10[0-3] C\r\n(X: y\r\n)?\r\n){0,3}HTTP/1.1 200 O\r\nContent-Length: 3\r\n\r\n.{0,9}",
            ".{0,40}",
        ],
        sizes in proptest::collection::vec(1..30usize, 1..5),
    ) {
        let split = receive_by(question(Method::Get), answer.as_bytes(), &sizes);
        let whole = receive_by(question(Method::Get), answer.as_bytes(), &[usize::MAX]);
        match (split, whole) {
            // The text may quote the start of what is not HTTP, as much of it as had come.
            (Outcome::Failed(split), Outcome::Failed(whole)) => {
                prop_assert_eq!(split.status, whole.status);
                prop_assert_eq!(split.details, whole.details);
            }
            (split, whole) => prop_assert_eq!(split, whole),
        }
    }
}

//! Headers and cookies: on each GET, each POST, the WebSocket handshake, and each reconnection.

#![forbid(unsafe_code)]

use sio::session::State;

use crate::clients::*;
use crate::common::scripted::{Answer, Engine, Gate, HttpRequest, Plan, open};
use crate::support::*;

/// Everything that was asked, with at least one of each kind among it.
#[track_caller]
fn requests_of_all_kinds(engine: &Engine) -> Vec<HttpRequest> {
    let requests: Vec<HttpRequest> =
        engine.http().exchanges().into_iter().map(|one| one.request).collect();
    let has = |what: &dyn Fn(&HttpRequest) -> bool| requests.iter().any(what);
    assert!(has(&|one| one.method == "POST"), "no POST");
    assert!(has(&|one| one.is_upgrade()), "no websocket");
    assert!(has(&|one| one.method == "GET" && one.query("sid").is_none()), "no handshake");
    assert!(
        has(&|one| one.method == "GET" && one.query("sid").is_some() && !one.is_upgrade()),
        "no poll"
    );
    requests
}

#[test]
fn headers_query_and_authorization_go_on_every_request() {
    let engine = Engine::usual();
    let client = reconnecting(&[]);
    for (name, value) in
        [("X-Trace", "one two"), ("User-Agent", "a test"), ("Accept-Language", "eo")]
    {
        assert_eq!(client.set_header(Some(name), Some(value)), Ok(()));
    }
    let url = format!("http://user:p%40ss@127.0.0.1:{}?room=1", engine.http().port());
    assert_eq!(client.connect(Some(&url), PATIENT), Ok(()), "{}", client.error());
    emit(&client, "a", "[]");
    wait_for_websocket(&client, &engine);
    engine.http().cut();
    wait_until("another session", || engine.sessions() == 2);
    wait_until("the upgrade", || client.transport() == "websocket");
    let requests = requests_of_all_kinds(&engine);
    assert!(requests.len() >= 8);
    for request in requests {
        assert_eq!(request.header("X-Trace"), Some("one two"), "{request:?}");
        assert_eq!(request.header("User-Agent"), Some("a test"));
        assert_eq!(request.header("Accept-Language"), Some("eo"));
        assert_eq!(request.header("Authorization"), Some("Basic dXNlcjpwQHNz"));
        assert_eq!(request.head.header_values("Host").len(), 1);
        assert_eq!(request.query("room"), Some("1"));
        assert_eq!(request.query("EIO"), Some("4"));
    }
}

#[test]
fn the_programs_authorization_goes_before_that_of_the_url() {
    let engine = Engine::usual();
    let client = upgrading(&[]);
    assert_eq!(client.set_header(Some("authorization"), Some("Bearer x")), Ok(()));
    let url = format!("http://user:pass@127.0.0.1:{}", engine.http().port());
    assert_eq!(client.connect(Some(&url), PATIENT), Ok(()));
    wait_for_websocket(&client, &engine);
    for request in requests_of_all_kinds(&engine) {
        assert_eq!(request.head.header_values("Authorization"), ["Bearer x"]);
    }
}

#[test]
fn headers_set_while_connected_count_from_the_next_attempt() {
    let engine = Engine::usual();
    let client = reconnecting(&[]);
    assert_eq!(client.set_header(Some("X-Token"), Some("first")), Ok(()));
    join(&client, &engine);
    wait_for_websocket(&client, &engine);
    assert_eq!(client.set_header(Some("X-Token"), Some("second")), Ok(()));
    assert_eq!(client.set("auth", Some(r#"{"n":2}"#)), Ok(()));
    let before = engine.http().exchanges().len();
    engine.http().cut();
    wait_until("another session", || engine.sessions() == 2);
    wait_for_state(&client, State::Connected);
    let exchanges = engine.http().exchanges();
    assert!(exchanges[..before].iter().all(|one| one.request.header("X-Token") == Some("first")));
    assert!(exchanges[before..].iter().all(|one| one.request.header("X-Token") == Some("second")));
    assert!(engine.texts().contains(&r#"40{"n":2}"#.to_owned()), "{:?}", engine.texts());
}

/// The handshake of session 0 with these cookies set by it.
fn setting(cookies: &'static [&'static str]) -> Plan {
    let engine_open = |n| open(n, &["websocket"], 25_000, 20_000, Some(1_000_000));
    Plan::default().open(engine_open).on_handshake(move |head| {
        cookies.iter().fold(head, |head, cookie| head.header(&format!("Set-Cookie: {cookie}")))
    })
}

#[test]
fn cookies_that_the_server_sets_come_back_on_every_request_of_the_session_and_later_ones() {
    let engine = Engine::start(setting(&["io=abc; Path=/; HttpOnly", "lb=\"7\"; path=/socket.io"]));
    let client = reconnecting(&[]);
    join(&client, &engine);
    emit(&client, "a", "[]");
    wait_for_websocket(&client, &engine);
    engine.http().cut();
    wait_until("another session", || engine.sessions() == 2);
    wait_until("the upgrade", || client.transport() == "websocket");
    for (i, request) in requests_of_all_kinds(&engine).iter().enumerate() {
        let mut cookies: Vec<&str> =
            request.header("Cookie").unwrap_or_default().split("; ").collect();
        cookies.sort_unstable();
        assert_eq!(request.head.header_values("Cookie").len(), usize::from(i > 0), "{request:?}");
        match i {
            0 => assert_eq!(cookies, [""]),
            _ => assert_eq!(cookies, ["io=abc", "lb=\"7\""], "{request:?}"),
        }
    }
}

#[test]
fn cookies_go_only_where_they_belong() {
    let (client, engine) = upgraded(setting(&[
        "here=1",
        "elsewhere=1; Path=/other",
        "foreign=1; Domain=example.org",
        "expired=1; Path=/; Expires=Thu, 01 Jan 1970 00:00:00 GMT",
        "old=1; Path=/; Max-Age=0",
        "young=1; Path=/; Max-Age=3600",
    ]));
    emit(&client, "a", "[]");
    engine.wait_for_text("42[\"a\"]");
    for request in &requests_of_all_kinds(&engine)[1..] {
        let mut cookies: Vec<&str> =
            request.header("Cookie").unwrap_or_default().split("; ").collect();
        cookies.sort_unstable();
        assert_eq!(cookies, ["here=1", "young=1"], "{request:?}");
    }
}

#[test]
fn a_cookie_of_a_post_or_a_poll_counts_too_and_the_latest_value() {
    let (client, engine) = polled(Plan::polling_only());
    let setting = |cookie: &str, body: &str| {
        Answer::head("200 OK").header(&format!("Set-Cookie: {cookie}; Path=/")).body(body)
    };
    engine.wait_for_poll();
    let polls = engine.polls().len();
    engine.answer_poll(setting("a=1", "6"));
    wait_until("the next poll", || engine.polls().len() > polls);
    engine.answer_post(setting("b=1", "ok"));
    emit(&client, "x", "[]");
    engine.wait_for_text("42[\"x\"]");
    std::thread::sleep(ms(50));
    engine.answer_post(setting("a=2", "ok"));
    emit(&client, "y", "[]");
    engine.wait_for_text("42[\"y\"]");
    std::thread::sleep(ms(50));
    emit(&client, "z", "[]");
    engine.wait_for_text("42[\"z\"]");
    let posts = engine.posts();
    let cookies = |i: usize| posts[i].request.header("Cookie").unwrap_or_default().to_owned();
    assert_eq!(cookies(1), "a=1");
    assert_eq!(cookies(2), "a=1; b=1");
    assert!(["a=2; b=1", "b=1; a=2"].contains(&cookies(3).as_str()), "{}", cookies(3));
}

#[test]
fn a_cookie_may_be_set_by_an_error_and_by_a_websocket() {
    let gate = Gate::new();
    let hooked = gate.clone();
    let plan = Plan::default().hook(move |request| {
        (request.query("transport") == Some("polling") && !hooked.is_open()).then(|| {
            Answer::head("503 Service Unavailable").header("Set-Cookie: try=again; Path=/").body("")
        })
    });
    let engine = Engine::start(plan);
    let client = upgrading(&[]);
    // Polling is refused, and the same jar is used for the websocket.
    join(&client, &engine);
    let exchanges = engine.http().exchanges();
    assert_eq!(exchanges[1].request.header("Cookie"), Some("try=again"));
}

#[test]
fn the_programs_cookies_are_merged_with_the_servers_and_go_first() {
    let engine = Engine::start(setting(&["io=server; Path=/", "mine=servers; Path=/"]));
    let client = upgrading(&[]);
    assert_eq!(client.set_header(Some("Cookie"), Some("mine=own; more=1")), Ok(()));
    join(&client, &engine);
    emit(&client, "a", "[]");
    wait_for_websocket(&client, &engine);
    for (i, request) in requests_of_all_kinds(&engine).iter().enumerate() {
        let expected = if i == 0 { "mine=own; more=1" } else { "mine=own; more=1; io=server" };
        assert_eq!(request.head.header_values("Cookie"), [expected]);
    }
}

#[test]
fn cookies_can_be_turned_off() {
    let engine = Engine::start(setting(&["io=server; Path=/"]));
    let client = upgrading(&[("cookies", "0")]);
    assert_eq!(client.set_header(Some("Cookie"), Some("mine=own")), Ok(()));
    join(&client, &engine);
    emit(&client, "a", "[]");
    wait_for_websocket(&client, &engine);
    for request in requests_of_all_kinds(&engine) {
        assert_eq!(request.header("Cookie"), Some("mine=own"));
    }
}

#[test]
fn a_flood_of_cookies_is_bounded() {
    let (client, engine) = polled(Plan::polling_only());
    for round in 0..10 {
        let head = (0..100).fold(Answer::head("200 OK"), |head, i| {
            head.header(&format!("Set-Cookie: c{round}-{i}={}; Path=/", "x".repeat(100)))
        });
        engine.answer_post(head.body("ok"));
        emit(&client, "a", &format!("[{round}]"));
        engine.wait_for_text(&format!("42[\"a\",{round}]"));
    }
    std::thread::sleep(ms(50));
    emit(&client, "last", "[]");
    engine.wait_for_text("42[\"last\"]");
    let largest = engine
        .posts()
        .iter()
        .map(|one| one.request.header("Cookie").unwrap_or_default().len())
        .max();
    assert!(largest.unwrap_or(0) < 20_000, "{largest:?} bytes of cookies");
    assert_eq!(client.state(), State::Connected);
}

/// The jar is the client's, and knows whose each cookie is; a port does not set hosts apart.
#[test]
fn cookies_of_one_host_do_not_go_to_another() {
    let by_address = setting(&["io=address; Path=/", "foreign=1; Path=/; Domain=localhost"]);
    let by_name = setting(&["io=name; Path=/", "foreign=2; Path=/; Domain=127.0.0.1"]);
    let (first, second) = (Engine::start(by_address), Engine::start(by_name));
    let address = first.url();
    let name = format!("http://localhost:{}", second.http().port());
    let client = upgrading(&[]);
    // Both are met twice, by all kinds of requests.
    for round in 0..2 {
        for (engine, url, cookie) in [(&first, &address, "io=address"), (&second, &name, "io=name")]
        {
            let before = engine.http().exchanges().len();
            assert_eq!(client.connect(Some(url), PATIENT), Ok(()), "{}", client.error());
            emit(&client, "a", "[]");
            wait_until("the upgrade", || client.transport() == "websocket");
            assert_eq!(client.disconnect(PATIENT), Ok(()), "{}", client.error());
            requests_of_all_kinds(engine);
            for (i, one) in engine.http().exchanges()[before..].iter().enumerate() {
                let expected = if round == 0 && i == 0 { None } else { Some(cookie) };
                assert_eq!(one.request.header("Cookie"), expected, "{:?}", one.request.head);
            }
        }
    }
    // The first host's cookie goes to another port of it.
    let third = Engine::usual();
    join(&client, &third);
    let exchanges = third.http().exchanges();
    assert_eq!(exchanges[0].request.header("Cookie"), Some("io=address"));

    // A reconnection that leads to another host, too.
    let client = reconnecting(&[("transports", "polling")]);
    assert_eq!(client.connect(Some(&address), PATIENT), Ok(()), "{}", client.error());
    first.wait_for_poll();
    assert_eq!(client.set("url", Some(&name)), Ok(()));
    let before = (second.http().exchanges().len(), second.sessions());
    first.forget();
    first.http().cut();
    wait_until("the other server", || second.sessions() > before.1);
    wait_for_state(&client, State::Connected);
    second.wait_for_poll();
    for (i, one) in second.http().exchanges()[before.0..].iter().enumerate() {
        let expected = if i == 0 { None } else { Some("io=name") };
        assert_eq!(one.request.header("Cookie"), expected, "{:?}", one.request.head);
    }
}

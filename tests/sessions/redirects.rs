//! Redirects: followed within the same origin, for every request of polling.

#![forbid(unsafe_code)]

use sio::error::Status;
use sio::session::State;

use crate::clients::*;
use crate::common::scripted::{Answer, Engine, HttpServer, Plan};
use crate::support::*;

/// A server that sends requests below /socket.io/ on to the same below /moved/.
fn moved(status: &'static str) -> Plan {
    Plan::polling_only().hook(move |request| {
        let rest = request.target().strip_prefix("/socket.io/")?;
        let location = format!("Location: /moved/{rest}");
        Some(Answer::head(status).header(&location).body("moved"))
    })
}

#[test]
fn requests_are_sent_on_within_the_origin() {
    for status in ["307 Temporary Redirect", "308 Permanent Redirect"] {
        let (client, engine) = polled(moved(status));
        emit(&client, "a", "[1]");
        engine.wait_for_text("42[\"a\",1]");
        engine.send("42[\"b\"]");
        assert_event(&client, "b", "[]");
        assert_eq!(client.disconnect(PATIENT), Ok(()), "{}", client.error());
        let posts: Vec<String> = engine.posts().iter().map(|one| one.request.text()).collect();
        // Each came twice, and was taken once.
        assert_eq!(posts.iter().filter(|body| *body == "42[\"a\",1]").count(), 2);
        assert_eq!(engine.texts().iter().filter(|text| *text == "42[\"a\",1]").count(), 1);
    }
}

#[test]
fn a_get_may_be_sent_on_by_any_of_the_five() {
    for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"] {
        let plan = Plan::polling_only().hook(move |request| {
            let rest = request.target().strip_prefix("/socket.io/")?;
            (request.method == "GET").then(|| {
                let location = format!("Location: /moved/{rest}");
                Answer::head(status).header(&location).chunked("moved", 2)
            })
        });
        let (client, engine) = polled(plan);
        engine.send("42[\"b\"]");
        assert_event(&client, "b", "[]");
        assert_eq!(client.state(), State::Connected, "{status}");
    }
}

#[test]
fn an_absolute_location_of_the_same_origin_is_followed() {
    let plan = Plan::polling_only().hook(|request| {
        let rest = request.target().strip_prefix("/socket.io/")?;
        let host = request.header("Host")?.to_owned();
        let location = format!("Location: http://{host}/moved/{rest}");
        Some(Answer::head("307 Temporary Redirect").header(&location).body(""))
    });
    let (client, engine) = polled(plan);
    emit(&client, "a", "[]");
    engine.wait_for_text("42[\"a\"]");
}

#[test]
fn headers_go_along() {
    let engine = Engine::start(moved("307 Temporary Redirect"));
    let client = polling(&[]);
    assert_eq!(client.set_header(Some("X-Token"), Some("abc")), Ok(()));
    join(&client, &engine);
    emit(&client, "a", "[]");
    engine.wait_for_text("42[\"a\"]");
    for exchange in engine.http().exchanges() {
        assert_eq!(exchange.request.header("X-Token"), Some("abc"), "{:?}", exchange.request.head);
    }
}

#[test]
fn other_origins_are_not_followed() {
    let elsewhere = HttpServer::start(|_| Answer::ok("never"));
    let port = elsewhere.port();
    let targets = [
        format!("http://127.0.0.1:{port}/socket.io/?secret=1"),
        format!("http://localhost:{port}/socket.io/?secret=1"),
        format!("//127.0.0.1:{port}/socket.io/"),
        "https://127.0.0.1/socket.io/".to_owned(),
        "ftp://127.0.0.1/".to_owned(),
    ];
    for target in targets {
        let location = format!("Location: {target}");
        let server = HttpServer::start(move |_| {
            Answer::head("302 Found").header(&location).body("over there")
        });
        let client = polling(&[]);
        assert_eq!(client.connect(Some(&server.url()), PATIENT), Err(Status::Unreachable));
        let failure = failure(&client);
        assert_eq!(failure["http_status"], 302, "{failure}");
        let text = failure["text"].as_str().unwrap();
        assert!(!text.contains("secret"), "{text}");
        assert_eq!(server.exchanges().len(), 1);
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[test]
fn a_circle_ends() {
    let server = HttpServer::start(|request| {
        let location = format!("Location: /round/{}", request.number);
        Answer::head("302 Found").header(&location).body("")
    });
    let client = polling(&[]);
    assert_eq!(client.connect(Some(&server.url()), PATIENT), Err(Status::Unreachable));
    assert_eq!(failure(&client)["http_status"], 302);
    let times = server.exchanges().len();
    assert!((2..=11).contains(&times), "{times} requests");
}

#[test]
fn a_post_that_is_sent_on_to_a_get_is_not_followed() {
    for status in ["301 Moved Permanently", "302 Found", "303 See Other"] {
        let (client, engine) = polled(Plan::polling_only());
        engine.answer_post(Answer::head(status).header("Location: /elsewhere/").body(""));
        emit(&client, "a", "[]");
        assert_eq!(receive_fails(&client, PATIENT), Status::Disconnected);
        assert_eq!(failure(&client)["http_status"].to_string(), status[..3]);
        assert_eq!(engine.texts(), ["40", "42[\"a\"]"]);
    }
}

#[test]
fn a_redirect_without_a_location_is_an_error() {
    let server = HttpServer::start(|_| Answer::status("302 Found", ""));
    let client = polling(&[]);
    assert_eq!(client.connect(Some(&server.url()), PATIENT), Err(Status::Unreachable));
    assert_eq!(failure(&client)["http_status"], 302);
}

//! Connecting: what the program learns of the connection, and what the server learns of the
//! program.

#![forbid(unsafe_code)]

use serde_json::json;
use sio::error::Status;
use sio::json::Kind as Json;
use sio::session::State;

use crate::common::{Carriage, Kind, Options, Server};
use crate::harness::{
    LONG, call, carriage, client_with, connect, connect_to, eventually, failed, failure, first,
    good, join, ms, new_client, next, round_trip, server, stat,
};
use crate::turns;

with_each_server!(
    a_connection_has_an_id_a_transport_and_a_state,
    the_server_sees_headers_query_and_auth,
    the_programs_authorization_goes_before_that_of_the_url,
    the_latest_value_of_a_header_counts,
    a_path_of_its_own_is_found_and_a_wrong_one_is_told,
    ws_and_a_name_are_a_url_too,
    connecting_with_no_time_tries_nothing,
);

fn a_connection_has_an_id_a_transport_and_a_state(kind: Kind) {
    let client = new_client();
    assert_eq!(client.state(), State::New);
    assert_eq!((client.sid(), client.transport()), (String::new(), ""));

    good(&client, client.connect(Some(&server(kind).url()), LONG));
    let sid = client.sid();
    assert!(!sid.is_empty());
    if carriage() == Carriage::Upgrade {
        // Connect does not wait for the upgrade, which may be as fast.
        assert_ne!(client.transport(), "");
        eventually("the upgrade", || (client.transport() == "websocket").then_some(()));
    }
    let transport = if carriage() == Carriage::Polling { "polling" } else { "websocket" };
    assert_eq!(client.transport(), transport);
    assert_eq!(first(&call(&client, "transport", "[]")), transport);
    assert_eq!(client.state(), State::Connected);
    assert_eq!((stat(&client, "connects"), stat(&client, "attempts")), (1, 1));

    // The server's connect handler emits it, python's before they let the client in.
    let welcome = next(&client, "welcome");
    assert_eq!(welcome.find("/0/sid"), Some((Json::String, format!("\"{sid}\"").as_bytes())));

    assert_eq!(failed(client.connect(None, LONG)), Status::State);
    assert_eq!(failed(client.connect(Some("http://127.0.0.1:1"), LONG)), Status::State);
    assert_eq!(client.sid(), sid);
    round_trip(&client);

    good(&client, client.disconnect(LONG));
    assert_eq!(client.state(), State::Closed);
    assert_eq!((client.sid(), client.transport()), (String::new(), ""));
    good(&client, client.disconnect(LONG));
}

fn the_server_sees_headers_query_and_auth(kind: Kind) {
    let server = server(kind);
    let auth = r#"{"user":"Zoë","roles":["a","b"],"n":1}"#;
    let client = client_with(&[("auth", auth)]);
    for (name, value) in [("X-Trace", "one two"), ("User-Agent", "a test"), ("Cookie", "a=b; c=d")]
    {
        good(&client, client.set_header(Some(name), Some(value)));
    }
    let query = "room=1&who=a%20b&letter=%C3%A4";
    let url = format!("http://user:p%40ss@127.0.0.1:{}?{query}", server.port());
    join(&client, &url);

    let seen = first(&call(&client, "handshake", "[]"));
    assert_eq!(seen["auth"], crate::harness::json(auth));
    let headers = &seen["headers"];
    assert_eq!(headers["x-trace"], "one two");
    assert_eq!(headers["user-agent"], "a test");
    assert_eq!(headers["cookie"], "a=b; c=d");
    assert_eq!(headers["host"], format!("127.0.0.1:{}", server.port()));
    // user:p@ss
    assert_eq!(headers["authorization"], "Basic dXNlcjpwQHNz");
    let mut in_query = seen["query"].clone();
    let changing = in_query.as_object_mut().unwrap().remove("t").is_some();
    let expected = json!({
        "EIO": "4", "transport": first_transport(), "room": "1", "who": "a b", "letter": "ä"
    });
    assert_eq!(in_query, expected);
    assert_eq!(changing, carriage() != Carriage::WebSocket, "polls carry a changing t");
    let url = seen["url"].as_str().unwrap();
    assert!(
        url.starts_with(&format!("/socket.io/?EIO=4&transport={}", first_transport())),
        "{url}"
    );
    assert!(url.contains(&format!("&{query}")), "{url}");
}

fn the_programs_authorization_goes_before_that_of_the_url(kind: Kind) {
    let client = new_client();
    good(&client, client.set_header(Some("authorization"), Some("Bearer x")));
    join(&client, &format!("http://user:pass@127.0.0.1:{}", server(kind).port()));
    let seen = first(&call(&client, "handshake", "[]"));
    assert_eq!(seen["headers"]["authorization"], "Bearer x");
}

fn the_latest_value_of_a_header_counts(kind: Kind) {
    let client = new_client();
    let set = |name, value| good(&client, client.set_header(Some(name), value));
    set("X-One", Some("first"));
    set("x-one", Some("second"));
    set("X-Two", Some("there"));
    set("X-TWO", None);
    join(&client, &server(kind).url());
    let seen = first(&call(&client, "handshake", "[]"));
    assert_eq!(seen["headers"]["x-one"], "second");
    assert_eq!(seen["headers"]["x-two"], json!(null));

    // What is set while connected counts for the next connection.
    set("X-One", Some("third"));
    good(&client, client.disconnect(LONG));
    good(&client, client.connect(None, LONG));
    let seen = first(&call(&client, "handshake", "[]"));
    assert_eq!(seen["headers"]["x-one"], "third");
}

fn a_path_of_its_own_is_found_and_a_wrong_one_is_told(kind: Kind) {
    let path = Some("/deep/er/".to_owned());
    let server = Server::start(kind, Options { path, ..Options::default() });
    for path in ["deep/er", "/deep/er/"] {
        let client = connect_to(&server.url(), &[("path", path)]);
        let seen = first(&call(&client, "handshake", "[]"));
        let url = seen["url"].as_str().unwrap();
        assert!(url.starts_with("/deep/er/?EIO=4&transport="), "{url}");
    }

    let client = client_with(&[("request_timeout_ms", "1500")]);
    let status = failed(client.connect(Some(&server.url()), LONG));
    if kind == Kind::Node && carriage() == Carriage::WebSocket {
        // It says nothing, and closes after a second.
        assert_eq!(status, Status::Protocol, "{}", client.error());
    } else if kind == Kind::Node {
        // It says nothing at all.
        assert_eq!(status, Status::Timeout, "{}", client.error());
        assert_eq!(failure(&client)["phase"], "http");
    } else {
        assert_eq!(status, Status::Unreachable, "{}", client.error());
        assert_eq!(failure(&client)["http_status"], 404);
    }
    assert_eq!(client.state(), State::Closed);
    assert_eq!(failed(client.receive(LONG)), Status::Disconnected);
    good(&client, client.set("path", Some("/deep/er")));
    good(&client, client.connect(None, LONG));
    round_trip(&client);
}

fn ws_and_a_name_are_a_url_too(kind: Kind) {
    // The name may stand for ::1 as well, where nobody listens.
    let client = connect_to(&format!("ws://localhost:{}/", server(kind).port()), &[]);
    round_trip(&client);
}

fn connecting_with_no_time_tries_nothing(kind: Kind) {
    let client = new_client();
    assert_eq!(failed(client.connect(Some(&server(kind).url()), ms(0))), Status::Timeout);
    assert_eq!(stat(&client, "attempts"), 0);
    assert_eq!(client.state(), State::New);
    good(&client, client.connect(None, LONG));
}

/// The one of the handshake.
fn first_transport() -> &'static str {
    if carriage() == Carriage::WebSocket { "websocket" } else { "polling" }
}

#[test]
fn nobody_listens() {
    let _turn = turns::among_others();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let client = new_client();
    let url = format!("http://127.0.0.1:{port}");
    assert_eq!(failed(client.connect(Some(&url), LONG)), Status::Unreachable);
    let failure = failure(&client);
    assert_eq!(failure["phase"], "connect");
    assert_eq!(failure["os_error"], libc::ECONNREFUSED);
    assert!(failure["text"].as_str().unwrap().contains(&format!("127.0.0.1:{port}")));
}

#[test]
fn two_clients_of_one_process_do_not_meet() {
    let _turn = turns::among_others();
    let [one, other] = [Kind::Oxide, Kind::Node].map(connect);
    assert_ne!(one.sid(), other.sid());
    one.emit("to one", Some("[1]"), &[], LONG).unwrap();
    other.emit("to the other", Some("[2]"), &[], LONG).unwrap();
    assert_eq!(next(&one, "to one").args(), "[1]");
    assert_eq!(next(&other, "to the other").args(), "[2]");
    good(&one, one.disconnect(LONG));
    round_trip(&other);
    assert_eq!(failed(other.receive(ms(0))), Status::Timeout);
}

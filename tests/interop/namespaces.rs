//! Namespaces: being let in, being refused, and how that is told.

#![forbid(unsafe_code)]

use serde_json::json;
use sio::error::Status;
use sio::session::State;

use crate::common::Kind;
use crate::harness::{
    LONG, client_with, connect_to, emit, failed, failure, good, named, new_client, next,
    placeholder, round_trip, server, tally,
};

with_each_server!(
    a_namespace_of_its_own,
    the_query_of_a_namespace,
    a_refusal_has_the_servers_message_and_data,
    an_unknown_namespace_is_refused,
    the_right_token_opens,
    no_token_is_a_wrong_token,
    a_connection_may_name_itself_in_its_auth,
);

fn a_namespace_of_its_own(kind: Kind) {
    let client = connect_to(&server(kind).url(), &[("namespace", "/admin")]);
    let name = named(&client, "admin");
    let seen = tally(&client, &name);
    assert_eq!(seen["namespace"], "/admin");
    assert_eq!(seen["sid"], client.sid());

    // Events, binary and answers go by the same name.
    let args = format!("[{}]", placeholder(0));
    let reply = good(&client, client.call("hello", Some(&args), &[b"\x00\x01"], LONG));
    assert_eq!(reply.buffer(0), Some(&b"\x00\x01"[..]));
    assert_eq!(next(&client, "hello").buffer(0), Some(&b"\x00\x01"[..]));
    emit(&client, "ask", "[]");
    good(&client, next(&client, "question").ack(Some("[1]"), &[]));
    assert_eq!(next(&client, "answer").args(), "[1]");
}

fn the_query_of_a_namespace(kind: Kind) {
    let client = client_with(&[("namespace", "/admin?token=1")]);
    let connected = client.connect(Some(&server(kind).url()), LONG);
    if !kind.is_python() {
        // These take what follows the question mark for a part of the name.
        assert_eq!(failed(connected), Status::Refused);
        return;
    }
    good(&client, connected);
    next(&client, "welcome");
    round_trip(&client);
    good(&client, client.emit("hello", Some("[1]"), &[], LONG));
    assert_eq!(next(&client, "hello").args(), "[1]");
}

fn a_refusal_has_the_servers_message_and_data(kind: Kind) {
    let client = client_with(&[("namespace", "/refuse")]);
    assert_eq!(failed(client.connect(Some(&server(kind).url()), LONG)), Status::Refused);
    assert!(client.error().contains("not welcome"), "{}", client.error());
    let refusal = failure(&client);
    assert_eq!(refusal["name"], "SIO_E_REFUSED");
    assert_eq!(refusal["phase"], "namespace");
    assert_eq!(refusal["message"], "not welcome");
    // Socketioxide sends none.
    let data = if kind == Kind::Oxide { json!(null) } else { json!({"code": 403}) };
    assert_eq!(refusal["data"], data);

    assert_eq!(client.state(), State::Closed);
    assert_eq!(failed(client.receive(LONG)), Status::Disconnected);
    assert_eq!(failed(client.emit("hello", None, &[], LONG)), Status::Disconnected);
    // Another connect may be tried.
    good(&client, client.set("namespace", None));
    good(&client, client.connect(None, LONG));
    round_trip(&client);
}

fn an_unknown_namespace_is_refused(kind: Kind) {
    let client = client_with(&[("namespace", "/nowhere")]);
    assert_eq!(failed(client.connect(Some(&server(kind).url()), LONG)), Status::Refused);
    let message = if kind.is_python() { "Unable to connect" } else { "Invalid namespace" };
    assert_eq!(failure(&client)["message"], message);
    assert_eq!(failure(&client)["data"], json!(null));
}

fn the_right_token_opens(kind: Kind) {
    let options = [("namespace", "/auth"), ("auth", r#"{ "token" : "secret" }"#)];
    let client = connect_to(&server(kind).url(), &options);
    round_trip(&client);
}

fn no_token_is_a_wrong_token(kind: Kind) {
    for auth in [None, Some(r#"{"token":"public"}"#)] {
        let client = new_client();
        good(&client, client.set("namespace", Some("/auth")));
        good(&client, client.set("auth", auth));
        assert_eq!(failed(client.connect(Some(&server(kind).url()), LONG)), Status::Refused);
        assert_eq!(failure(&client)["message"], "bad token");
    }
}

fn a_connection_may_name_itself_in_its_auth(kind: Kind) {
    let name = crate::harness::unique("by auth");
    let auth = json!({ "name": name }).to_string();
    let client = connect_to(&server(kind).url(), &[("auth", &auth)]);
    assert_eq!(tally(&client, &name)["sid"], client.sid());
}

//! Servers that are called by an address of IPv6, or by a name of several addresses.

#![forbid(unsafe_code)]

use std::net::{Ipv6Addr, SocketAddr, TcpListener};

use sio::error::Status;
use sio::session::State;

use crate::clients::*;
use crate::common::scripted::{Listen, Script, Scripted};
use crate::support::*;

fn script() -> Script {
    Script::new().connected().expect_text("42[\"a\"]").text("42[\"b\"]").until_closed()
}

#[test]
fn an_address_of_ipv6_in_brackets_is_connected_to_and_told_as_the_host() {
    let address = SocketAddr::from((Ipv6Addr::LOCALHOST, 0));
    let client = fresh(&[("transports", "websocket")]);
    if TcpListener::bind(address).is_err() {
        // This machine has no such address; the client says so in its own way.
        let outcome = client.connect(Some("http://[::1]:9"), PATIENT);
        assert_eq!(outcome, Err(Status::Unreachable));
        assert_eq!(failure(&client)["phase"], "connect");
        assert_says(&client, "[::1]:9");
        return;
    }
    let server = Scripted::start_with(Listen { address, ..Listen::default() }, [script()]);
    let host = format!("[::1]:{}", server.port());
    let outcome = client.connect(Some(&format!("http://{host}")), PATIENT);
    assert_eq!(outcome, Ok(()), "{}", client.error());
    emit(&client, "a", "[]");
    assert_event(&client, "b", "[]");
    assert_eq!(client.disconnect(PATIENT), Ok(()), "{}", client.error());
    let request = server.finish().request.expect("a request");
    assert_eq!(request.header("Host"), Some(host.as_str()));
}

/// The system may put ::1 first, where nobody listens.
#[test]
fn localhost_is_found_by_whichever_address_listens() {
    let server = Scripted::start(script());
    let client = fresh(&[("transports", "websocket")]);
    let host = format!("localhost:{}", server.port());
    let outcome = client.connect(Some(&format!("http://{host}")), PATIENT);
    assert_eq!(outcome, Ok(()), "{}", client.error());
    assert_eq!(client.state(), State::Connected);
    emit(&client, "a", "[]");
    assert_event(&client, "b", "[]");
    assert_eq!(client.disconnect(PATIENT), Ok(()), "{}", client.error());
    let request = server.finish().request.expect("a request");
    assert_eq!(request.header("Host"), Some(host.as_str()));
}

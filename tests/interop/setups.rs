//! Servers that are set up otherwise than usual: without one of the transports, without the upgrade,
//! behind a balancer with sticky sessions.

#![forbid(unsafe_code)]

use std::thread;
use std::time::Duration;

use sio::session::State;

use crate::common::{Carriage, Kind, Options, Server};
use crate::harness::{
    LONG, call, client_with, connect_to, eventually, first, good, join, named, next, round_trip,
    stat, tally,
};

with_each_server!(upgrade:
    a_server_without_websocket_is_used_by_polling,
    a_server_without_polling_is_used_by_websocket,
    websocket_first_falls_back_to_polling,
    a_server_that_announces_no_upgrade_is_not_probed,
);

// Sticky sessions mean something by each transport.
mod sticky {
    use super::{each_request_brings_the_cookie_back, reconnections_bring_new_cookies_back};

    with_each_server!(each_request_brings_the_cookie_back, reconnections_bring_new_cookies_back,);
}

fn a_server_without_websocket_is_used_by_polling(kind: Kind) {
    // All of them announce an upgrade all the same, so that a probe fails.
    let server = Server::start(kind, Options { transports: Some("polling"), ..Options::default() });
    let client = client_with(&[("reconnection", "1"), ("reconnect_min_ms", "50")]);
    join(&client, &server.url());
    thread::sleep(Duration::from_millis(300));
    assert_eq!(first(&call(&client, "transport", "[]")), "polling");
    assert_eq!((client.transport(), client.state()), ("polling", State::Connected));
    assert_eq!(call(&client, "add", "[2,3]").args(), "[5]");
    good(&client, client.disconnect(LONG));
}

fn a_server_without_polling_is_used_by_websocket(kind: Kind) {
    let options = Options { transports: Some("websocket"), ..Options::default() };
    let server = Server::start(kind, options);
    let client = connect_to(&server.url(), &[]);
    assert_eq!(client.transport(), "websocket");
    assert_eq!(stat(&client, "attempts"), 1);
    round_trip(&client);
}

fn websocket_first_falls_back_to_polling(kind: Kind) {
    let server = Server::start(kind, Options { transports: Some("polling"), ..Options::default() });
    let client =
        client_with(&[("transports", "websocket,polling"), ("request_timeout_ms", "1500")]);
    join(&client, &server.url());
    assert_eq!(client.transport(), "polling");
    round_trip(&client);
    thread::sleep(Duration::from_millis(200));
    assert_eq!(client.transport(), "polling");
}

fn a_server_that_announces_no_upgrade_is_not_probed(kind: Kind) {
    // Socketioxide announces it always.
    if kind == Kind::Oxide {
        return;
    }
    let server = Server::start(kind, Options { no_upgrades: true, ..Options::default() });
    let client = connect_to(&server.url(), &[]);
    thread::sleep(Duration::from_millis(300));
    round_trip(&client);
    assert_eq!(client.transport(), "polling");
}

fn sticky(kind: Kind) -> Server {
    Server::start(kind, Options { cookie: Some("route".to_owned()), ..Options::default() })
}

fn each_request_brings_the_cookie_back(kind: Kind) {
    let server = sticky(kind);
    let client = connect_to(&server.url(), &[]);
    if crate::harness::carriage() == Carriage::Upgrade {
        eventually("the upgrade", || (client.transport() == "websocket").then_some(()));
    }
    let name = named(&client, "sticky");
    for i in 0..100 {
        crate::harness::emit(&client, "count", &format!("[{i}]"));
    }
    let seen = eventually("all arrive", || {
        Some(tally(&client, &name)).filter(|tally| tally["count"] == 100)
    });
    assert_eq!(seen["in_order"], true);
    good(&client, client.disconnect(LONG));

    // Without cookies the session is not found again, except by one connection alone.
    if crate::harness::carriage() != Carriage::WebSocket {
        let client = client_with(&[("cookies", "0"), ("transports", "polling")]);
        assert!(client.connect(Some(&server.url()), LONG).is_err());
    }
}

fn reconnections_bring_new_cookies_back(kind: Kind) {
    let server = sticky(kind);
    let options = [("reconnection", "1"), ("reconnect_min_ms", "50"), ("reconnect_max_ms", "50")];
    let client = client_with(&options);
    join(&client, &server.url());
    for round in 2..=4 {
        crate::harness::emit(&client, "drop", "[]");
        eventually("the reconnection", || (stat(&client, "connects") == round).then_some(()));
        next(&client, "welcome");
        round_trip(&client);
    }
    good(&client, client.disconnect(LONG));
}

//! Polling, the upgrade, and reconnection, against scripted servers that do what no real one does:
//! the whole client, with real sockets and threads.
//!
//! Every `Engine` asserts as it ends that the client kept to the rules for clients: one GET and one
//! POST at a time, small POSTs, nothing by polling after the upgrade.

// What a test is set up with is told by a tuple; a name for each would say less.
#![allow(clippy::type_complexity)]
// A module for a test binary has no public interface.
#![allow(missing_docs)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../faults/support.rs"]
#[allow(dead_code)]
mod support;

mod clients;

mod addresses;
mod attempts;
mod bodies;
mod carried;
mod deadlines;
mod defects;
mod ends;
mod fallback;
mod handshakes;
mod headers;
mod keep_alive;
mod leaving;
mod loss;
mod offline;
mod overflow;
mod polling;
mod prepare;
mod probes;
mod reconnection;
mod redirects;
mod refusals;
mod reports;
mod sending;
mod started;
mod states;
mod tls;
mod tls_refusals;
mod upgrade;

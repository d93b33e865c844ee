//! What no real server does: silence at every step, broken packets, floods, and ends at the worst
//! moment. Each test drives the whole client, with real sockets and threads, against a server that
//! follows a script.
//!
//! The times that are asserted are those that are promised to programs. Tests that measure time
//! hold `support::quiet`, so that none of those runs beside them which need the whole machine.

// A module for a test binary has no public interface.
#![allow(missing_docs)]

#[path = "../common/mod.rs"]
mod common;

mod attachments;
mod dead_ends;
mod events;
mod floods;
mod framing;
mod handshake;
mod leaving;
mod loss;
mod malformed;
mod namespace;
mod offline;
mod overflow;
mod polling;
mod preparing;
mod refusals;
mod sending;
mod silence;
mod size_limits;
mod support;
mod waiting;
mod wire;

//! Nothing spins: clients that wait use no processor time, whatever they wait for.
//!
//! A process of its own, because the threads of all its clients are looked at: tests of this binary
//! hold `support::loud`, so that one runs at a time.

// What a test is set up with is told by a tuple; a name for each would say less.
#![allow(clippy::type_complexity)]
// A module for a test binary has no public interface.
#![allow(missing_docs)]

#[path = "../common/mod.rs"]
mod common;
#[path = "../faults/support.rs"]
#[allow(dead_code)]
mod support;

#[path = "../sessions/clients.rs"]
#[allow(dead_code)]
mod clients;

mod stages;
mod waiting;

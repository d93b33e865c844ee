//! The client against real servers: every feature with each of the four.
//!
//! What the servers do is told in `tests/servers/README.md`. A test says what a user would notice,
//! and waits only for what it can see happen, up to a deadline. Names of tests end in the server's and
//! the transport's: `calls::node::websocket::a_call_brings_the_servers_answer`.

#![forbid(unsafe_op_in_unsafe_fn)]
// What the modules share is public to each other; there is nobody else.
#![allow(unreachable_pub)]

#[path = "../common/mod.rs"]
mod common;

/// Makes tests out of each function, which is given the server's kind: one for each server and each
/// way in which packets are carried. In front may stand
///
/// - `alone`: while it runs no other test does, for it measures times;
/// - `websocket`: only by websocket, because it is about frames, or puts some in;
/// - `upgrade`: only with the upgrade, because it is about that.
macro_rules! with_each_server {
    (alone websocket: $($test:ident),* $(,)?) => {
        with_each_server!(@kinds alone [websocket WebSocket] $($test)*);
    };
    (websocket: $($test:ident),* $(,)?) => {
        with_each_server!(@kinds among_others [websocket WebSocket] $($test)*);
    };
    (alone: $($test:ident),* $(,)?) => {
        with_each_server!(@kinds alone
            [polling Polling websocket WebSocket upgrade Upgrade] $($test)*);
    };
    ($($test:ident),* $(,)?) => {
        with_each_server!(@kinds among_others
            [polling Polling websocket WebSocket upgrade Upgrade] $($test)*);
    };
    (upgrade: $($test:ident),* $(,)?) => {
        with_each_server!(@kinds among_others [upgrade Upgrade] $($test)*);
    };
    (@kinds $turn:ident $by:tt $($test:ident)*) => {
        mod oxide { with_each_server!(@by Oxide $turn $by [$($test)*]); }
        mod node { with_each_server!(@by Node $turn $by [$($test)*]); }
        mod python_asyncio { with_each_server!(@by PythonAsyncio $turn $by [$($test)*]); }
        mod python_threaded { with_each_server!(@by PythonThreaded $turn $by [$($test)*]); }
    };
    (@by $kind:ident $turn:ident [$($by:ident $carriage:ident)*] $tests:tt) => {
        $( mod $by { with_each_server!(@tests $kind $turn $carriage $tests); } )*
    };
    (@tests $kind:ident $turn:ident $carriage:ident [$($test:ident)*]) => {
        $(
            #[test]
            fn $test() {
                let _turn = crate::turns::$turn();
                let test = || super::super::$test(crate::common::Kind::$kind);
                crate::harness::carried(crate::common::Carriage::$carriage, test);
            }
        )*
    };
}

mod again;
mod asks;
mod binary;
mod calls;
mod connect;
mod content;
mod ends;
mod epoll;
mod events;
mod harness;
mod heartbeat;
mod leaving;
mod limits;
mod namespaces;
mod process;
mod queues;
mod readiness;
mod relay;
mod restarts;
mod secure;
mod setups;
mod traffic;
mod turns;
mod upgrades;

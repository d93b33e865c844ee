//! The client against real servers: every feature with each of the four.
//!
//! What the servers do is told in `tests/servers/README.md`. A test says what a user would notice,
//! and waits only for what it can see happen, up to a deadline. Names of tests end in the server's:
//! `calls::node::a_call_brings_the_servers_answer`.

#![forbid(unsafe_op_in_unsafe_fn)]
// What the modules share is public to each other; there is nobody else.
#![allow(unreachable_pub)]

#[path = "../common/mod.rs"]
mod common;

/// Makes one test for each server out of each function, which is given the server's kind. `alone`
/// in front: while it runs no other test does, for it measures times.
macro_rules! with_each_server {
    (alone: $($test:ident),* $(,)?) => { with_each_server!(@kinds alone $($test)*); };
    ($($test:ident),* $(,)?) => { with_each_server!(@kinds among_others $($test)*); };
    (@kinds $turn:ident $($test:ident)*) => {
        mod oxide { with_each_server!(@tests Oxide $turn $($test)*); }
        mod node { with_each_server!(@tests Node $turn $($test)*); }
        mod python_asyncio { with_each_server!(@tests PythonAsyncio $turn $($test)*); }
        mod python_threaded { with_each_server!(@tests PythonThreaded $turn $($test)*); }
    };
    (@tests $kind:ident $turn:ident $($test:ident)*) => {
        $(
            #[test]
            fn $test() {
                let _turn = crate::turns::$turn();
                super::$test(crate::common::Kind::$kind);
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
mod events;
mod harness;
mod heartbeat;
mod leaving;
mod limits;
mod namespaces;
mod process;
mod queues;
mod relay;
mod traffic;
mod turns;

//! Models of what threads do to each other: the real sources of the modules that order threads, with
//! locks, atomic numbers and parking that try the orders in which threads may go, and the values that
//! a weakly ordered memory may show them.
//!
//! The sources take all that from `crate::sync`, which here is the module `sync` of the models. What
//! they belong to, the client with its lock, needs sockets and a runtime, so that [`desk`] and
//! [`waiting`] have small copies of how the monitor enters and leaves its lock, and waits.
//!
//! A model is run for every order with at most so many changes of thread at a point where the thread
//! could have gone on; what blocks does not count. Where all threads wait for each other the model
//! fails, so that a wake-up that is lost is found without a clock.

// The models use a part of the modules, and nothing is public beyond this crate.
#![allow(dead_code, unreachable_pub)]
// Each names its tests by a file that is empty here.
#![allow(clippy::duplicate_mod)]
#![forbid(unsafe_op_in_unsafe_fn)]

#[path = "../../src/callback.rs"]
mod callback;
#[path = "../../src/gate.rs"]
mod gate;
#[path = "../../src/ready.rs"]
mod ready;
#[path = "../../src/sleepers.rs"]
mod sleepers;
#[path = "../../src/turnstile.rs"]
mod turnstile;

mod sync;
mod sys;

mod descriptor;
mod desk;
mod doors;
mod interrupting;
mod waiting;
mod wakeup;

use sio::error;

/// Tries all orders with at most so many changes of thread where none is needed.
fn all_orders(changes: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(changes);
    builder.max_branches = 20_000;
    builder.check(model);
}

/// Waits for the end of threads.
fn join<const N: usize>(threads: [loom::thread::JoinHandle<()>; N]) {
    threads.into_iter().for_each(|thread| thread.join().unwrap());
}

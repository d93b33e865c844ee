//! Gate and turnstile: what is waited for is over when the wait is, and nothing is touched after.

use std::sync::Arc;

use loom::cell::UnsafeCell;
use loom::thread;

use crate::gate::Gate;
use crate::turnstile::Turnstile;
use crate::{all_orders, join};

/// What only one side may use at a time; the model fails if both could.
#[derive(Default)]
pub struct Exclusive(UnsafeCell<u32>);

// SAFETY: loom runs one thread at a time, and checks each access against all others.
unsafe impl Send for Exclusive {}
// SAFETY: the same.
unsafe impl Sync for Exclusive {}

impl Exclusive {
    /// Uses it, among others who do.
    pub fn read(&self) -> u32 {
        // SAFETY: loom fails the model where somebody may be writing.
        self.0.with(|value| unsafe { *value })
    }

    /// Uses it alone.
    pub fn write(&self) {
        // SAFETY: loom fails the model where anybody else may be using it.
        self.0.with_mut(|value| unsafe { *value += 1 });
    }
}

#[derive(Default)]
struct Object {
    turnstile: Turnstile,
    memory: Exclusive,
}

#[test]
fn freeing_waits_for_the_last_call() {
    all_orders(3, || {
        let object = Box::into_raw(Box::<Object>::default());
        // SAFETY: it is freed below, once the threads that use it have ended.
        let shared: &'static Object = unsafe { &*object };
        let calls = [0, 1].map(|_| {
            // It is inside before the wait begins: that none begins later is the program's promise.
            let inside = shared.turnstile.enter();
            thread::spawn(move || {
                shared.memory.read();
                drop(inside);
            })
        });
        shared.turnstile.wait_until_empty();
        shared.memory.write();
        join(calls);
        // SAFETY: nobody else has it any more.
        drop(unsafe { Box::from_raw(object) });
    });
}

#[test]
fn one_visit_at_a_time_and_its_end_is_waited_for() {
    all_orders(4, || {
        let gate = Arc::new(Gate::new());
        let memory = Arc::new(Exclusive::default());
        let visitors = [0, 1].map(|_| {
            let (gate, memory) = (Arc::clone(&gate), Arc::clone(&memory));
            thread::spawn(move || {
                let Some(_pass) = gate.try_enter() else { return };
                memory.write();
            })
        });
        if let Some(visit) = gate.visit() {
            assert!(gate.wait_for_end(visit));
        }
        join(visitors);
        assert!((1..=2).contains(&memory.read()));
    });
}

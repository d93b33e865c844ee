//! The wakeup function: called when there is something new to take, never with a lock held, and never
//! after it has been removed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use loom::sync::Notify;
use loom::thread;

use crate::desk::Desk;
use crate::doors::Exclusive;
use crate::ready::Function;
use crate::{all_orders, join};

/// Counts calls, and rings for the program's loop. What it counts orders nothing.
#[derive(Default)]
struct Calls {
    made: AtomicU32,
    bell: Notify,
}

impl Calls {
    /// A function that only wakes the loop. It may enter the client: no lock is held.
    fn ringing(self: &Arc<Self>, desk: &Arc<Desk>) -> Function {
        let (calls, desk) = (Arc::clone(self), Arc::clone(desk));
        Box::new(move || {
            let told = desk.with(|core| core.begin_call());
            assert!(told, "a second call before both were said to be empty");
            calls.made.fetch_add(1, Ordering::Relaxed);
            calls.bell.notify();
        })
    }

    fn made(&self) -> u32 {
        self.made.load(Ordering::Relaxed)
    }
}

#[test]
fn a_program_that_takes_all_at_each_call_misses_nothing() {
    all_orders(2, || {
        let desk = Desk::new();
        let calls = Arc::new(Calls::default());
        desk.set_wakeup(Some(calls.ringing(&desk)));
        let producers = [0, 1].map(|which| {
            let desk = desk.clone();
            thread::spawn(move || if which == 0 { desk.push_event() } else { desk.push_result() })
        });
        let (mut taken, mut heard) = (0, 0);
        while taken < 2 {
            // The bell may end a wait for nothing.
            while calls.made() == heard {
                calls.bell.wait();
            }
            heard = calls.made();
            taken += desk.drain();
        }
        join(producers);
        desk.set_wakeup(None);
    });
}

#[test]
fn without_a_word_that_there_is_nothing_it_is_called_once() {
    all_orders(3, || {
        let desk = Desk::new();
        let calls = Arc::new(Calls::default());
        desk.set_wakeup(Some(calls.ringing(&desk)));
        let producers = [0, 1].map(|_| {
            let desk = desk.clone();
            thread::spawn(move || {
                desk.push_event();
                assert!(desk.receive());
            })
        });
        desk.push_event();
        join(producers);
        assert_eq!(calls.made(), 1);
        desk.set_wakeup(None);
    });
}

#[test]
fn one_that_takes_all_by_itself_leaves_nothing() {
    all_orders(2, || {
        let desk = Desk::new();
        let taken = Arc::new(AtomicU32::new(0));
        desk.set_wakeup(Some({
            let (desk, taken) = (Arc::downgrade(&desk), taken.clone());
            Box::new(move || {
                let now = desk.upgrade().map_or(0, |desk| desk.drain());
                taken.fetch_add(now, Ordering::Relaxed);
            })
        }));
        let producers = [0, 1].map(|_| {
            let desk = desk.clone();
            thread::spawn(move || desk.push_event())
        });
        desk.push_result();
        join(producers);
        assert_eq!(taken.load(Ordering::Relaxed), 3);
        assert!(!desk.receive() && !desk.result());
    });
}

/// Uses what the program gives it, as long as it is called.
fn using(memory: &Arc<Exclusive>) -> Function {
    let memory = Arc::clone(memory);
    Box::new(move || _ = memory.read())
}

#[test]
fn once_it_is_removed_it_runs_no_more() {
    all_orders(3, || {
        let desk = Desk::new();
        let memory = Arc::new(Exclusive::default());
        desk.set_wakeup(Some(using(&memory)));
        let producers = [0, 1].map(|_| {
            let desk = desk.clone();
            thread::spawn(move || {
                desk.push_event();
                desk.drain();
            })
        });
        desk.set_wakeup(None);
        // The program gives back what the function used.
        memory.write();
        join(producers);
        desk.push_event();
    });
}

#[test]
fn freeing_waits_for_a_call_that_runs() {
    all_orders(3, || {
        let desk = Desk::new();
        let memory = Arc::new(Exclusive::default());
        desk.set_wakeup(Some(using(&memory)));
        let producer = {
            let desk = desk.clone();
            thread::spawn(move || desk.push_event())
        };
        desk.ready.remove();
        desk.ready.wait_until_idle();
        memory.write();
        producer.join().unwrap();
    });
}

#[test]
fn it_may_remove_itself() {
    all_orders(3, || {
        let desk = Desk::new();
        let made = Arc::new(AtomicU32::new(0));
        desk.set_wakeup(Some({
            let (desk, made) = (Arc::downgrade(&desk), made.clone());
            Box::new(move || {
                made.fetch_add(1, Ordering::Relaxed);
                if let Some(desk) = desk.upgrade() {
                    desk.set_wakeup(None);
                    desk.drain();
                }
            })
        }));
        let producer = {
            let desk = desk.clone();
            thread::spawn(move || desk.push_event())
        };
        desk.push_event();
        producer.join().unwrap();
        desk.push_event();
        assert_eq!(made.load(Ordering::Relaxed), 1);
    });
}

#[test]
fn of_two_threads_that_set_it_one_is_the_last() {
    all_orders(3, || {
        let desk = Desk::new();
        let made = Arc::new(AtomicU32::new(0));
        let removing = {
            let desk = desk.clone();
            thread::spawn(move || desk.set_wakeup(None))
        };
        desk.set_wakeup(Some({
            let made = made.clone();
            Box::new(move || _ = made.fetch_add(1, Ordering::Relaxed))
        }));
        removing.join().unwrap();
        desk.push_event();
        // It is still set, and called; or it was removed, and given back.
        let set = Arc::strong_count(&made) == 2;
        assert_eq!(made.load(Ordering::Relaxed), u32::from(set));
        desk.set_wakeup(None);
    });
}

#[test]
fn one_in_place_of_another_is_called_for_its_own_events() {
    all_orders(3, || {
        let desk = Desk::new();
        desk.set_wakeup(Some(Box::new(|| ())));
        let producer = {
            let desk = desk.clone();
            thread::spawn(move || desk.push_event())
        };
        let calls = Arc::new(Calls::default());
        desk.set_wakeup(Some(calls.ringing(&desk)));
        producer.join().unwrap();
        // Either there was something when it was set, or it came later.
        assert_eq!(calls.made(), 1);
        desk.set_wakeup(None);
    });
}

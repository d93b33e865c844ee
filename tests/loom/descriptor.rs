//! The descriptor: readable exactly while there is something to take, and the last of what comes is
//! never missed.

use loom::thread;

use crate::desk::Desk;
use crate::{all_orders, join};

#[test]
fn a_program_that_polls_and_takes_all_misses_nothing_and_is_never_woken_for_nothing() {
    all_orders(3, || {
        let desk = Desk::new();
        let pipe = desk.watch();
        let producers = [0, 1].map(|which| {
            let desk = desk.clone();
            thread::spawn(move || if which == 0 { desk.push_event() } else { desk.push_result() })
        });
        let mut taken = 0;
        while taken < 2 {
            pipe.wait_until_readable();
            let now = desk.drain();
            assert!(now > 0, "woken for nothing");
            taken += now;
        }
        join(producers);
        assert!(!pipe.is_readable());
    });
}

#[test]
fn it_is_right_when_all_are_quiet_however_many_take() {
    all_orders(3, || {
        let desk = Desk::new();
        let pipe = desk.watch();
        let threads = [0, 1].map(|_| {
            let desk = desk.clone();
            thread::spawn(move || {
                desk.push_event();
                desk.receive();
            })
        });
        desk.push_event();
        join(threads);
        desk.check(&pipe);
        assert!(desk.receive());
        desk.check(&pipe);
    });
}

#[test]
fn it_is_right_after_each_call_of_a_program_with_one_thread() {
    all_orders(3, || {
        let desk = Desk::new();
        let pipe = desk.watch();
        let producer = {
            let desk = desk.clone();
            thread::spawn(move || desk.push_event())
        };
        // Whoever has just found something, and nothing then, polls and finds nothing.
        if desk.receive() {
            assert!(!desk.receive());
            assert!(!pipe.is_readable());
        }
        producer.join().unwrap();
        desk.check(&pipe);
    });
}

#[test]
fn the_end_is_shown_until_it_has_been_told() {
    all_orders(3, || {
        let desk = Desk::new();
        let pipe = desk.watch();
        let ending = {
            let desk = desk.clone();
            thread::spawn(move || {
                desk.push_event();
                desk.end();
            })
        };
        let mut told = 0;
        while told < 2 {
            pipe.wait_until_readable();
            told += desk.drain();
        }
        ending.join().unwrap();
        assert!(!pipe.is_readable());
        assert!(!desk.receive());
    });
}

#[test]
fn whoever_asks_for_it_late_misses_nothing() {
    all_orders(3, || {
        let desk = Desk::new();
        let producer = {
            let desk = desk.clone();
            thread::spawn(move || desk.push_event())
        };
        let other = {
            let desk = desk.clone();
            thread::spawn(move || desk.watch().wait_until_readable())
        };
        let pipe = desk.watch();
        pipe.wait_until_readable();
        other.join().unwrap();
        producer.join().unwrap();
        desk.check(&pipe);
    });
}

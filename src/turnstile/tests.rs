use super::*;
use std::sync::mpsc;
use std::time::{Duration, Instant};

#[test]
fn an_empty_one_is_not_waited_for() {
    let turnstile = Turnstile::new();
    drop(turnstile.enter());
    turnstile.wait_until_empty();
}

#[test]
fn the_wait_ends_when_the_last_call_leaves() {
    let turnstile = &Turnstile::new();
    let first = turnstile.enter();
    thread::scope(|s| {
        let (entered, is_entered) = mpsc::channel();
        s.spawn(move || {
            let _second = turnstile.enter();
            entered.send(()).unwrap();
            thread::sleep(Duration::from_millis(50));
        });
        is_entered.recv().unwrap();
        drop(first);
        // A token that somebody left for this thread ends no wait.
        thread::current().unpark();
        let begin = Instant::now();
        turnstile.wait_until_empty();
        assert!(begin.elapsed() >= Duration::from_millis(20));
    });
}

#[test]
fn nothing_is_touched_after_the_wait() {
    for _ in 0..300 {
        let turnstile = Box::new(Turnstile::new());
        let shared = &*turnstile;
        let (entered, are_entered) = mpsc::channel();
        thread::scope(|s| {
            for _ in 0..3 {
                let entered = entered.clone();
                s.spawn(move || {
                    let _inside = shared.enter();
                    entered.send(()).unwrap();
                    thread::yield_now();
                });
            }
            (0..3).for_each(|_| are_entered.recv().unwrap());
            shared.wait_until_empty();
            assert_eq!(shared.state.load(Ordering::Relaxed), CLOSING);
        });
    }
}

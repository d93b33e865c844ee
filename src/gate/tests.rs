use super::*;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

#[test]
fn only_one_is_inside() {
    let gate = Gate::new();
    let pass = gate.try_enter().unwrap();
    assert!(gate.try_enter().is_none());
    thread::scope(|s| {
        s.spawn(|| assert!(gate.try_enter().is_none()));
    });
    drop(pass);
    assert!(gate.visit().is_none());
    assert!(gate.try_enter().is_some());
}

#[test]
fn nobody_waits_for_itself() {
    let gate = Gate::new();
    let _pass = gate.try_enter().unwrap();
    assert!(!gate.wait_for_end(gate.visit().unwrap()));
}

#[test]
fn a_wait_ends_with_its_visit_also_if_the_next_has_begun() {
    let gate = &Gate::new();
    let (waiting, is_waiting) = mpsc::channel();
    thread::scope(|s| {
        let pass = gate.try_enter().unwrap();
        let visit = pass.visit();
        assert_eq!(gate.visit(), Some(visit));
        let waiter = s.spawn(move || {
            waiting.send(()).unwrap();
            assert!(gate.wait_for_end(visit));
        });
        is_waiting.recv().unwrap();
        thread::sleep(Duration::from_millis(20));
        assert!(!waiter.is_finished());
        drop(pass);
        let _next = gate.try_enter().unwrap();
        waiter.join().unwrap();
    });
}

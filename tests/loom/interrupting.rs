//! Interrupts: one reaches those who are blocked, or stays for the next who would be, and is used up
//! then.

use std::sync::Arc;

use loom::thread;

use crate::all_orders;
use crate::sleepers::{Queue, Timeout};
use crate::sync::OnceLock;
use crate::sync::atomic::{Ordering, fence};
use crate::sys::Signal;
use crate::waiting::{Monitor, Stop};

/// The client with its doorbell, which is there from the moment that anybody may wait.
#[derive(Default)]
struct Client {
    monitor: Monitor,
    signal: OnceLock<Signal>,
}

impl Client {
    /// As in `src/monitor.rs`.
    fn interrupt(&self) {
        self.monitor.interrupt.swap(true, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        if let Some(signal) = self.signal.get() {
            signal.raise();
        }
    }

    /// The part of starting the driver by which it can be interrupted.
    fn open_doorbell(&self) -> &Signal {
        let signal = self.signal.get_or_init(|| Signal::new().unwrap());
        fence(Ordering::SeqCst);
        signal
    }

    /// The driver: it hears its doorbell so many times.
    fn drive(&self, rings: u32) {
        let signal = self.open_doorbell();
        for _ in 0..rings {
            signal.pipe().wait_until_readable();
            signal.clear();
            self.monitor.deliver_interrupt();
        }
    }

    fn is_kept(&self) -> bool {
        self.monitor.interrupt.load(Ordering::SeqCst)
    }
}

#[test]
fn who_is_blocked_or_about_to_be_is_interrupted() {
    all_orders(3, || {
        let client = Arc::new(Client::default());
        client.open_doorbell();
        let receiver = {
            let client = client.clone();
            thread::spawn(move || client.monitor.receive(Timeout::Forever))
        };
        let driver = {
            let client = client.clone();
            thread::spawn(move || client.drive(1))
        };
        client.interrupt();
        assert_eq!(receiver.join().unwrap(), Err(Stop::Interrupted));
        driver.join().unwrap();
        // It is used up.
        assert!(!client.is_kept());
    });
}

#[test]
fn one_that_comes_as_the_first_waiter_makes_the_doorbell_is_not_missed() {
    all_orders(4, || {
        let client = Arc::new(Client::default());
        let receiver = {
            let client = client.clone();
            thread::spawn(move || {
                client.open_doorbell();
                let driver = {
                    let client = client.clone();
                    thread::spawn(move || client.drive(1))
                };
                let outcome = client.monitor.receive(Timeout::Forever);
                // The driver ends also where the interrupt found no doorbell.
                client.open_doorbell().raise();
                driver.join().unwrap();
                outcome
            })
        };
        client.interrupt();
        assert_eq!(receiver.join().unwrap(), Err(Stop::Interrupted));
    });
}

#[test]
fn it_reaches_somebody_or_is_kept_and_takes_no_event_along() {
    all_orders(2, || {
        let client = Arc::new(Client::default());
        client.open_doorbell();
        let receivers = [0, 1].map(|_| {
            let client = client.clone();
            thread::spawn(move || client.monitor.receive(Timeout::Forever))
        });
        let driver = {
            let client = client.clone();
            thread::spawn(move || client.drive(1))
        };
        client.interrupt();
        client.monitor.arrive(2);
        let outcomes = receivers.map(|thread| thread.join().unwrap());
        driver.join().unwrap();
        let interrupted = outcomes.iter().filter(|outcome| outcome.is_err()).count();
        assert_eq!(interrupted == 0, client.is_kept());
        assert_eq!(client.monitor.enter().events as usize, interrupted);
    });
}

#[test]
fn all_who_are_blocked_are_interrupted_whatever_wakes_them_meanwhile() {
    all_orders(1, || {
        let client = Arc::new(Client::default());
        let threads = [Queue::Receive, Queue::Link].map(|queue| {
            let client = client.clone();
            thread::spawn(move || client.monitor.wait(queue, Timeout::Forever, |_| None::<()>))
        });
        while client.monitor.enter().blocked < 2 {
            thread::yield_now();
        }
        let waking = {
            let client = client.clone();
            // A change of state that brings nothing to any of them.
            thread::spawn(move || {
                client.monitor.with(|core, wakes| {
                    core.sleepers.wake_all(Queue::Receive, wakes);
                    core.sleepers.wake_all(Queue::Link, wakes);
                });
            })
        };
        client.interrupt();
        client.monitor.deliver_interrupt();
        let outcomes = threads.map(|thread| thread.join().unwrap());
        assert_eq!(outcomes, [Err(Stop::Interrupted); 2]);
        waking.join().unwrap();
        assert!(!client.is_kept());
    });
}

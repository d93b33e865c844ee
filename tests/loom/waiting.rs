//! Waiting in the monitor: a wake is never lost, and a deadline takes nothing away from anybody.

use std::sync::Arc;
use std::time::Duration;

use loom::sync::{Mutex, MutexGuard};
use loom::thread;

use crate::all_orders;
use crate::sleepers::{Place, Queue, Sleepers, Timeout};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::pass_time;

/// What the lock guards: events, and a call whose answer may come.
#[derive(Default)]
pub struct Core {
    pub sleepers: Sleepers,
    pub events: u32,
    /// The call that the server may answer.
    pub call: Option<Arc<Call>>,
    /// Answers that came too late.
    pub late: u32,
    /// How many threads have entered a queue so far.
    pub blocked: u32,
}

pub struct Call {
    place: Arc<Place>,
    answer: Mutex<Option<u32>>,
}

/// What stands for the client where it is about waiting: a copy of the loop in `src/monitor.rs`, without
/// what starts the driver.
#[derive(Default)]
pub struct Monitor {
    core: Mutex<Core>,
    pub interrupt: AtomicBool,
}

/// Why a wait ended without what was waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    TimedOut,
    Interrupted,
}

impl Monitor {
    pub fn enter(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap()
    }

    pub fn with<R>(&self, action: impl FnOnce(&mut Core, &mut Vec<Arc<Place>>) -> R) -> R {
        let mut core = self.enter();
        let mut wakes = Vec::new();
        let result = action(&mut core, &mut wakes);
        drop(core);
        wakes.iter().for_each(|place| place.ring());
        result
    }

    pub fn wait<R>(
        &self,
        queue: Queue,
        timeout: Timeout,
        mut attempt: impl FnMut(&mut Core) -> Option<R>,
    ) -> Result<R, Stop> {
        let mut place: Option<Arc<Place>> = None;
        let mut deadline = None;
        loop {
            let mut core = self.enter();
            let mut wakes = Vec::new();
            let interrupted = place.as_ref().is_some_and(|place| place.is_interrupted());
            let outcome = if interrupted {
                Some(Err(Stop::Interrupted))
            } else if let Some(result) = attempt(&mut core) {
                Some(Ok(result))
            } else if place.as_ref().is_some_and(|place| place.is_at_its_last_try()) {
                Some(Err(Stop::Interrupted))
            } else if deadline.get_or_insert_with(|| timeout.deadline()).has_passed() {
                Some(Err(Stop::TimedOut))
            } else if self.take_interrupt(place.is_some(), &mut core, &mut wakes) {
                Some(Err(Stop::Interrupted))
            } else {
                None
            };
            if let Some(outcome) = outcome {
                if let Some(place) = &place {
                    core.sleepers.leave(queue, place);
                }
                if core.events > 0 {
                    core.sleepers.wake_one(queue, &mut wakes);
                }
                drop(core);
                wakes.iter().for_each(|place| place.ring());
                return outcome;
            }
            core.blocked += u32::from(place.is_none());
            let place = place.get_or_insert_with(Place::new);
            core.sleepers.enter(queue, place);
            drop(core);
            wakes.iter().for_each(|place| place.ring());
            place.sleep(*deadline.get_or_insert_with(|| timeout.deadline()));
        }
    }

    fn take_interrupt(&self, slept: bool, core: &mut Core, wakes: &mut Vec<Arc<Place>>) -> bool {
        self.interrupt.swap(false, Ordering::SeqCst)
            && (!core.sleepers.interrupt_everybody(wakes) || slept)
    }

    /// As the driver does when it has heard its doorbell.
    pub fn deliver_interrupt(&self) {
        if !self.interrupt.load(Ordering::SeqCst) {
            return;
        }
        self.with(|core, wakes| {
            if core.sleepers.interrupt_everybody(wakes) {
                self.interrupt.store(false, Ordering::SeqCst);
            }
        });
    }

    pub fn receive(&self, timeout: Timeout) -> Result<(), Stop> {
        self.wait(Queue::Receive, timeout, |core| {
            core.events = core.events.checked_sub(1)?;
            Some(())
        })
    }

    /// Events that come in one read.
    pub fn arrive(&self, count: usize) {
        self.with(|core, wakes| {
            core.events += count as u32;
            core.sleepers.wake_some(Queue::Receive, count, wakes);
        });
    }

    /// The part of a call that follows its sending.
    fn call(&self, timeout: Timeout) -> Result<u32, Stop> {
        let call = Arc::new(Call { place: Place::new(), answer: Mutex::new(None) });
        let deadline = timeout.deadline();
        self.with(|core, _| {
            core.call = Some(call.clone());
            core.sleepers.enter(Queue::Call, &call.place);
        });
        call.place.sleep_after_a_moment(deadline);
        if let Some(answer) = call.answer.lock().unwrap().take() {
            self.with(|core, _| core.sleepers.leave(Queue::Call, &call.place));
            return Ok(answer);
        }
        self.with(|core, _| {
            core.sleepers.leave(Queue::Call, &call.place);
            if let Some(answer) = call.answer.lock().unwrap().take() {
                return Ok(answer);
            }
            core.call = None;
            match call.place.is_interrupted() {
                true => Err(Stop::Interrupted),
                false => Err(Stop::TimedOut),
            }
        })
    }

    /// The server's answer to the call comes.
    fn answer(&self, answer: u32) {
        self.with(|core, wakes| match core.call.take() {
            Some(call) => {
                *call.answer.lock().unwrap() = Some(answer);
                core.sleepers.wake(&call.place, wakes);
            }
            None => core.late += 1,
        });
    }
}

/// A limit of ten milliseconds.
const SHORT: Timeout = Timeout::Limit(Duration::from_millis(10));

#[test]
fn each_event_wakes_a_receiver_and_one_takes_it() {
    all_orders(3, || {
        let monitor = Arc::new(Monitor::default());
        let receivers = [0, 1].map(|_| {
            let monitor = monitor.clone();
            thread::spawn(move || monitor.receive(Timeout::Forever))
        });
        monitor.arrive(1);
        monitor.arrive(1);
        assert_eq!(receivers.map(|thread| thread.join().unwrap()), [Ok(()); 2]);
        assert_eq!(monitor.enter().events, 0);
    });
}

#[test]
fn two_events_of_one_read_wake_two() {
    all_orders(3, || {
        let monitor = Arc::new(Monitor::default());
        let receivers = [0, 1].map(|_| {
            let monitor = monitor.clone();
            thread::spawn(move || monitor.receive(Timeout::Forever))
        });
        monitor.arrive(2);
        assert_eq!(receivers.map(|thread| thread.join().unwrap()), [Ok(()); 2]);
    });
}

#[test]
fn who_leaves_at_its_deadline_takes_no_wake_along() {
    all_orders(2, || {
        let monitor = Arc::new(Monitor::default());
        let hasty = {
            let monitor = monitor.clone();
            thread::spawn(move || monitor.receive(SHORT))
        };
        let patient = {
            let monitor = monitor.clone();
            thread::spawn(move || monitor.receive(Timeout::Forever))
        };
        let clock = thread::spawn(|| pass_time(10));
        monitor.arrive(1);
        clock.join().unwrap();
        // Whichever of the two it is for: the other ends by its deadline, or by a second event.
        if hasty.join().unwrap().is_ok() {
            monitor.arrive(1);
        }
        assert_eq!(patient.join().unwrap(), Ok(()));
    });
}

#[test]
fn a_call_has_its_answer_or_its_deadline_and_never_both() {
    all_orders(4, || {
        let monitor = Arc::new(Monitor::default());
        let caller = {
            let monitor = monitor.clone();
            thread::spawn(move || monitor.call(SHORT))
        };
        let clock = thread::spawn(|| pass_time(10));
        monitor.answer(7);
        clock.join().unwrap();
        let outcome = caller.join().unwrap();
        let late = monitor.enter().late;
        match outcome {
            Ok(answer) => assert_eq!((answer, late), (7, 0)),
            // Here the answer may also have come before the call.
            Err(stop) => assert_eq!((stop, late), (Stop::TimedOut, 1)),
        }
    });
}

#[test]
fn an_answer_wakes_its_call() {
    all_orders(4, || {
        let monitor = Arc::new(Monitor::default());
        let caller = {
            let monitor = monitor.clone();
            thread::spawn(move || monitor.call(Timeout::Forever))
        };
        while monitor.with(|core, _| core.call.is_none()) {
            thread::yield_now();
        }
        monitor.answer(7);
        assert_eq!(caller.join().unwrap(), Ok(7));
    });
}

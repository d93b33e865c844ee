//! Who waits, for what, and until when.
//!
//! Owns a parking place for each waiting thread. The place says whether its thread has been woken
//! or interrupted; the park token of the thread is only the doorbell. A thread keeps its place in
//! the queue until it leaves by itself, so that whoever came first goes first. Refuses to know why
//! anybody waits: the queues are names, and what a wake means is found out by trying again.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::time::Duration;

use crate::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use crate::sync::thread::{self, Thread};
use crate::sync::{Arc, Instant};

/// How long a call may wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timeout {
    /// At most so long; zero for not at all.
    Limit(Duration),
    /// Without limit.
    Forever,
}

impl Timeout {
    /// The timeout that C gives in milliseconds: -1 is [`Timeout::Forever`], other negative values
    /// are none.
    pub fn from_millis(millis: i32) -> Option<Self> {
        match millis {
            -1 => Some(Timeout::Forever),
            0.. => Some(Timeout::Limit(Duration::from_millis(millis as u64))),
            _ => None,
        }
    }

    /// Whether it allows no waiting at all.
    pub fn is_zero(self) -> bool {
        self == Timeout::Limit(Duration::ZERO)
    }

    /// The deadline of a call that begins now.
    pub fn deadline(self) -> Deadline {
        match self {
            // A limit past the clock's range is no limit.
            Timeout::Limit(limit) => Deadline(Instant::now().checked_add(limit)),
            Timeout::Forever => Deadline(None),
        }
    }
}

/// The one moment at which a call ends, on the monotonic clock; none for no limit.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// Whether it has passed.
    pub fn has_passed(self) -> bool {
        self.0.is_some_and(|deadline| deadline <= Instant::now())
    }
}

/// What a thread can wait for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub enum Queue {
    /// An event to take, or the end.
    Receive,
    /// Room to send, or a connection to send by.
    Room,
    /// A change of the connection's state.
    Link,
    /// Packets that leave the queue.
    Flush,
    /// The answer to a call.
    Call,
    /// The result of a started operation.
    Result,
}

const QUEUES: usize = 6;

/// How long a thread offers the processor to others before it sleeps. It is over long before any
/// deadline that can be told from it.
const MOMENT: Duration = Duration::from_micros(50);

const WAITING: u8 = 0;
const WOKEN: u8 = 1;
const INTERRUPTED: u8 = 2;
const LAST_TRY: u8 = 3;

/// The parking place of one waiting thread, or of an operation that was started: for that one
/// nobody sleeps, and being woken means that the driver tries it again.
#[derive(Debug)]
pub struct Place {
    state: AtomicU8,
    /// It stands in a queue.
    queued: AtomicBool,
    /// In the queue Flush: the number of the packet that has to leave.
    sequence: AtomicU64,
    thread: Option<Thread>,
}

impl Place {
    /// A place for the thread that calls.
    pub fn new() -> Arc<Self> {
        Place::of(Some(thread::current()))
    }

    /// A place for an operation that was started.
    pub fn for_started() -> Arc<Self> {
        Place::of(None)
    }

    fn of(thread: Option<Thread>) -> Arc<Self> {
        Arc::new(Place {
            state: AtomicU8::new(WAITING),
            queued: AtomicBool::new(false),
            sequence: AtomicU64::new(0),
            thread,
        })
    }

    /// Whether it is that of an operation that was started, which the driver tries again.
    pub fn is_started(&self) -> bool {
        self.thread.is_none()
    }

    /// Whether it has been woken since it entered its queue.
    pub fn is_woken(&self) -> bool {
        self.state.load(Ordering::Acquire) == WOKEN
    }

    /// Says which packet a flush waits for.
    pub fn await_packet(&self, sequence: u64) {
        self.sequence.store(sequence, Ordering::Relaxed);
    }

    /// Whether an interrupt ended the wait.
    pub fn is_interrupted(&self) -> bool {
        self.state.load(Ordering::Acquire) == INTERRUPTED
    }

    /// Whether an interrupt came after it had been woken: if that was for nothing, the wait has ended.
    pub fn is_at_its_last_try(&self) -> bool {
        self.state.load(Ordering::Acquire) == LAST_TRY
    }

    /// Sleeps until the place is woken or interrupted, or the deadline passes.
    pub fn sleep(&self, deadline: Deadline) {
        while self.state.load(Ordering::Acquire) == WAITING {
            match deadline.0 {
                None => thread::park(),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return;
                    }
                    thread::park_timeout(left);
                }
            }
        }
    }

    /// The same for what is likely to come within microseconds, such as an answer from nearby: the
    /// processor is offered to others for a moment before the thread sleeps, since sleeping and
    /// being woken take longer than many an answer.
    pub fn sleep_after_a_moment(&self, deadline: Deadline) {
        let begun = Instant::now();
        while self.state.load(Ordering::Acquire) == WAITING && begun.elapsed() < MOMENT {
            thread::yield_now();
        }
        self.sleep(deadline);
    }

    /// Rings the doorbell of its thread; to be called without the lock.
    pub fn ring(&self) {
        if let Some(thread) = &self.thread {
            thread.unpark();
        }
    }

    fn settle(&self, state: u8) -> bool {
        self.change(WAITING, state)
    }

    fn change(&self, from: u8, to: u8) -> bool {
        self.state.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

/// Everybody who waits.
#[derive(Debug, Default)]
pub struct Sleepers {
    queues: [VecDeque<Arc<Place>>; QUEUES],
    /// An operation that was started has been woken in the queue Link or Flush.
    watcher_woken: bool,
}

impl Sleepers {
    /// Whether nobody is in the queue but, perhaps, the one at its head whose place this is.
    pub fn is_next(&self, queue: Queue, place: Option<&Arc<Place>>) -> bool {
        match (self.queues[queue as usize].front(), place) {
            (None, _) => true,
            (Some(front), Some(place)) => Arc::ptr_eq(front, place),
            (Some(_), None) => false,
        }
    }

    /// Enters the queue at its end, or waits again at the place held in it.
    pub fn enter(&mut self, queue: Queue, place: &Arc<Place>) {
        place.state.store(WAITING, Ordering::Release);
        if !place.queued.swap(true, Ordering::Relaxed) {
            self.queues[queue as usize].push_back(Arc::clone(place));
        }
    }

    /// Leaves the queue.
    pub fn leave(&mut self, queue: Queue, place: &Arc<Place>) {
        if !place.queued.swap(false, Ordering::Relaxed) {
            return;
        }
        let queue = &mut self.queues[queue as usize];
        if let Some(at) = queue.iter().position(|other| Arc::ptr_eq(other, place)) {
            queue.remove(at);
        }
    }

    /// Wakes the one at the head of the queue, where nobody else could go on anyway. One that is
    /// awake already passes the wake on when it leaves.
    pub fn wake_front(&mut self, queue: Queue, woken: &mut Vec<Arc<Place>>) {
        let front = self.queues[queue as usize].front();
        woken.extend(front.filter(|place| place.settle(WOKEN)).cloned());
    }

    /// Whether a started operation has been woken in the queue Link or Flush since this was asked
    /// last.
    pub fn take_watcher_woken(&mut self) -> bool {
        std::mem::take(&mut self.watcher_woken)
    }

    /// Has all started operations leave, whatever they wait for.
    pub fn forget_started(&mut self) {
        for queue in &mut self.queues {
            queue.retain(|place| !place.is_started());
        }
    }

    /// Wakes the first who still sleeps; the place is rung after unlocking.
    #[inline]
    pub fn wake_one(&mut self, queue: Queue, woken: &mut Vec<Arc<Place>>) {
        if self.queues[queue as usize].is_empty() {
            return;
        }
        if let Some(place) = self.queues[queue as usize].iter().find(|place| place.settle(WOKEN)) {
            woken.push(Arc::clone(place));
        }
    }

    /// Wakes as many of those who still sleep.
    pub fn wake_some(&mut self, queue: Queue, count: usize, woken: &mut Vec<Arc<Place>>) {
        let asleep = self.queues[queue as usize].iter().filter(|place| place.settle(WOKEN));
        woken.extend(asleep.take(count).cloned());
    }

    /// Wakes everybody in one queue.
    pub fn wake_all(&mut self, queue: Queue, woken: &mut Vec<Arc<Place>>) {
        let before = woken.len();
        let asleep = self.queues[queue as usize].iter().filter(|place| place.settle(WOKEN));
        woken.extend(asleep.cloned());
        self.note_watchers(queue, &woken[before..]);
    }

    /// Wakes all threads in one queue; started operations sleep on.
    pub fn wake_threads(&mut self, queue: Queue, woken: &mut Vec<Arc<Place>>) {
        let threads = self.queues[queue as usize].iter().filter(|place| !place.is_started());
        woken.extend(threads.filter(|place| place.settle(WOKEN)).cloned());
    }

    fn note_watchers(&mut self, queue: Queue, woken: &[Arc<Place>]) {
        let watched = matches!(queue, Queue::Link | Queue::Flush);
        self.watcher_woken |= watched && woken.iter().any(|place| place.is_started());
    }

    /// Wakes those whose packet has left the queue.
    pub fn wake_flushed(&mut self, has_left: impl Fn(u64) -> bool, woken: &mut Vec<Arc<Place>>) {
        let before = woken.len();
        let done = self.queues[Queue::Flush as usize].iter().filter(|place| {
            has_left(place.sequence.load(Ordering::Relaxed)) && place.settle(WOKEN)
        });
        woken.extend(done.cloned());
        self.note_watchers(Queue::Flush, &woken[before..]);
    }

    /// Wakes one known sleeper.
    pub fn wake(&mut self, place: &Arc<Place>, woken: &mut Vec<Arc<Place>>) {
        if place.settle(WOKEN) {
            woken.push(Arc::clone(place));
        }
    }

    /// Wakes everybody, whatever for.
    pub fn wake_everybody(&mut self, woken: &mut Vec<Arc<Place>>) {
        let asleep = self.queues.iter().flatten().filter(|place| place.settle(WOKEN));
        woken.extend(asleep.cloned());
    }

    /// Interrupts everybody who is blocked; false if nobody was. That includes who has been woken
    /// and has not looked yet, where nothing is lost by it: there may be nothing for it, and then
    /// it would sleep on. What a link or an answer brought is never taken back. Operations that
    /// were started block nobody, and go on.
    pub fn interrupt_everybody(&mut self, woken: &mut Vec<Arc<Place>>) -> bool {
        let before = woken.len();
        for queue in [Queue::Receive, Queue::Room, Queue::Flush, Queue::Result] {
            let blocked = self.queues[queue as usize].iter().filter(|place| !place.is_started());
            woken.extend(blocked.filter(|place| !place.is_interrupted()).cloned());
        }
        let asleep = [Queue::Link, Queue::Call].into_iter();
        let asleep = asleep.flat_map(|queue| &self.queues[queue as usize]);
        let asleep = asleep.filter(|place| !place.is_started());
        woken.extend(asleep.filter(|place| place.settle(INTERRUPTED)).cloned());
        for place in &woken[before..] {
            place.state.store(INTERRUPTED, Ordering::Release);
        }
        let reached = woken.len() > before;
        if reached {
            // Whoever waits for the link and has been woken may find that it was for nothing. If
            // nobody else was blocked, it finds the interrupt by itself then.
            let links = self.queues[Queue::Link as usize].iter();
            let links = links.filter(|place| !place.is_started());
            links.for_each(|place| _ = place.change(WOKEN, LAST_TRY));
        }
        reached
    }
}

#[cfg(test)]
mod tests;

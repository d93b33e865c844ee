//! The calls that wait for an acknowledgement, each under its number.
//!
//! Owns the numbers, which count up for the client's life and are never used twice, and what the
//! caller left under each. Refuses to know what that is, or when a call ends.

#![forbid(unsafe_code)]

use std::collections::{BTreeMap, VecDeque};

/// Numbered places for calls. Beginning and answering one is a step into a deque.
#[derive(Debug)]
pub(super) struct Acks<C> {
    /// The number of the first slot.
    base: u64,
    slots: VecDeque<Option<C>>,
    /// How many slots are taken.
    taken: usize,
    /// Calls that wait long while many later ones come and go. They live here, so that one of
    /// them does not keep a slot for each later one.
    stragglers: BTreeMap<u64, C>,
}

impl<C> Acks<C> {
    pub(super) fn new() -> Self {
        Acks { base: 0, slots: VecDeque::new(), taken: 0, stragglers: BTreeMap::new() }
    }

    /// Takes a call in and gives it the next number.
    pub(super) fn begin(&mut self, call: C) -> u64 {
        if self.slots.len() >= SPARSE_FROM && self.taken < self.slots.len() / 4 {
            self.move_stragglers();
        }
        let id = self.next();
        self.slots.push_back(Some(call));
        self.taken += 1;
        id
    }

    /// The number that the next call gets.
    pub(super) fn next(&self) -> u64 {
        self.base + self.slots.len() as u64
    }

    /// Takes a call out; `None` if none waits under this number.
    pub(super) fn take(&mut self, id: u64) -> Option<C> {
        let Some(index) = id.checked_sub(self.base) else {
            return self.stragglers.remove(&id);
        };
        let call = self.slots.get_mut(usize::try_from(index).ok()?)?.take()?;
        self.taken -= 1;
        self.drop_empty_front();
        Some(call)
    }

    /// Takes out all that wait, in the order of their numbers.
    pub(super) fn drain(&mut self) -> impl Iterator<Item = (u64, C)> + use<C> {
        let stragglers = std::mem::take(&mut self.stragglers);
        let slots = std::mem::take(&mut self.slots);
        let base = self.base;
        self.base += slots.len() as u64;
        self.taken = 0;
        let slots = (base..).zip(slots).filter_map(|(id, slot)| Some((id, slot?)));
        stragglers.into_iter().chain(slots)
    }

    /// The same, without those whose numbers are `kept`, which is ascending; they wait on.
    pub(super) fn drain_but(&mut self, kept: &[u64]) -> impl Iterator<Item = (u64, C)> + use<C> {
        let mut ended = Vec::new();
        for (id, call) in self.drain() {
            match kept.binary_search(&id) {
                Ok(_) => _ = self.stragglers.insert(id, call),
                Err(_) => ended.push((id, call)),
            }
        }
        ended.into_iter()
    }

    /// How many calls wait.
    pub(super) fn waiting(&self) -> usize {
        self.taken + self.stragglers.len()
    }

    fn drop_empty_front(&mut self) {
        while let Some(None) = self.slots.front() {
            self.slots.pop_front();
            self.base += 1;
        }
    }

    /// Moves what waits in the older half of the slots aside. At most a quarter of the slots is
    /// taken then, so this costs each call a constant share.
    fn move_stragglers(&mut self) {
        for _ in 0..self.slots.len() / 2 {
            if let Some(Some(call)) = self.slots.pop_front() {
                self.stragglers.insert(self.base, call);
                self.taken -= 1;
            }
            self.base += 1;
        }
        self.drop_empty_front();
    }
}

/// Below so many slots it does not matter how many of them are empty.
const SPARSE_FROM: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_start_at_zero_and_are_never_used_twice() {
        let mut acks = Acks::new();
        assert_eq!(acks.begin('a'), 0);
        assert_eq!(acks.begin('b'), 1);
        assert_eq!(acks.take(0), Some('a'));
        assert_eq!(acks.take(0), None);
        assert_eq!(acks.take(1), Some('b'));
        assert_eq!(acks.begin('c'), 2);
        assert_eq!(acks.drain().collect::<Vec<_>>(), [(2, 'c')]);
        assert_eq!(acks.begin('d'), 3);
        assert_eq!(acks.take(2), None);
        assert_eq!(acks.take(u64::MAX), None);
        assert_eq!(acks.waiting(), 1);
    }

    #[test]
    fn answers_come_in_any_order() {
        let mut acks = Acks::new();
        let ids: Vec<u64> = (0..100).map(|call| acks.begin(call)).collect();
        for id in ids.iter().rev() {
            assert_eq!(acks.take(*id), Some(*id as i32));
        }
        assert_eq!(acks.waiting(), 0);
        assert!(acks.slots.is_empty());
    }

    #[test]
    fn calls_that_wait_for_ever_keep_no_slots_for_later_ones() {
        let mut acks = Acks::new();
        let forever: Vec<u64> = (0..3).map(|_| acks.begin(0)).collect();
        for call in 1..100_000 {
            let id = acks.begin(call);
            assert_eq!(acks.take(id), Some(call));
        }
        assert!(acks.slots.len() <= SPARSE_FROM);
        assert_eq!(acks.waiting(), 3);
        assert_eq!(acks.take(forever[1]), Some(0));
        assert_eq!(acks.take(forever[1]), None);
        let last = acks.begin(7);
        let left: Vec<_> = acks.drain().collect();
        assert_eq!(left, [(forever[0], 0), (forever[2], 0), (last, 7)]);
        assert_eq!(acks.waiting(), 0);
    }
}

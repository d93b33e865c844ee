//! Packets of the program's that wait and are not encoded yet.
//!
//! Owns their order, which is that in which they were queued, and which parts of the first one have
//! gone. Refuses to know what they count, and the wire.

#![forbid(unsafe_code)]

use std::collections::VecDeque;

use super::{OVERHEAD, Role};

/// A packet that is not yet encoded.
pub struct Packet {
    /// Socket.IO text without the Engine.IO type.
    pub text: Vec<u8>,
    /// The byte buffers that follow it.
    pub buffers: Vec<Vec<u8>>,
    /// What it is.
    pub role: Role,
    pub(super) sequence: u64,
    pub(super) cost: usize,
    /// So many of its parts, the text and each buffer, have been handed to the system by earlier
    /// POSTs; their content has been given up.
    pub(super) gone: usize,
    /// So many parts have gone or are in the POST under way.
    pub(super) posted: usize,
}

impl Packet {
    pub(super) fn new(text: Vec<u8>, buffers: Vec<Vec<u8>>, role: Role, sequence: u64) -> Self {
        let cost = super::cost(text.len(), buffers.iter().map(Vec::len));
        Packet { text, buffers, role, sequence, cost, gone: 0, posted: 0 }
    }

    /// How many parts it has.
    pub(super) fn parts(&self) -> usize {
        1 + self.buffers.len()
    }

    /// The buffers that have not gone.
    pub(super) fn buffers_left(&self) -> &[Vec<u8>] {
        &self.buffers[self.gone.saturating_sub(1)..]
    }

    /// What was posted is with the system: its content is needed no more.
    pub(super) fn give_up_posted(&mut self) {
        self.gone = self.posted;
        if self.gone > 0 {
            self.text = Vec::new();
        }
        let buffers = self.gone.saturating_sub(1);
        self.buffers[..buffers].iter_mut().for_each(|buffer| *buffer = Vec::new());
    }

    /// Writes another namespace into it; its cost follows.
    pub(super) fn rename(&mut self, from: &str, to: &str) {
        let Some(place) = namespace_place(&self.text, from) else { return };
        let named = !matches!(to, "" | "/");
        let name = to.bytes().chain([b',']).filter(|_| named);
        self.text.splice(place, name);
        self.cost = OVERHEAD + self.text.len() + self.buffers.iter().map(Vec::len).sum::<usize>();
    }
}

/// Where a packet has its namespace, with the comma behind it. None if that is another one.
fn namespace_place(text: &[u8], namespace: &str) -> Option<std::ops::Range<usize>> {
    let binary = matches!(text.first()?, b'5' | b'6');
    let start = if binary { text.iter().position(|byte| *byte == b'-')? + 1 } else { 1 };
    let behind = text.get(start..)?;
    if matches!(namespace, "" | "/") {
        return (behind.first() != Some(&b'/')).then_some(start..start);
    }
    let ours = behind.strip_prefix(namespace.as_bytes())?.first() == Some(&b',');
    ours.then_some(start..start + namespace.len() + 1)
}

/// The packets that wait, the oldest first.
#[derive(Default)]
pub(super) struct Waiting(VecDeque<Packet>);

impl Waiting {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn front(&self) -> Option<&Packet> {
        self.0.front()
    }

    pub(super) fn front_mut(&mut self) -> Option<&mut Packet> {
        self.0.front_mut()
    }

    pub(super) fn push(&mut self, packet: Packet) {
        self.0.push_back(packet);
    }

    pub(super) fn pop(&mut self) -> Option<Packet> {
        self.0.pop_front()
    }

    /// Puts packets back, given in order, to where they were queued; but not in between the parts
    /// of one, which the server expects to follow each other.
    pub(super) fn put_back(&mut self, packets: Vec<Packet>) {
        // Nearly always all of them belong to the front.
        for packet in packets.into_iter().rev() {
            let first = usize::from(self.0.front().is_some_and(|front| front.posted > 0));
            let older = |other: &Packet| other.sequence < packet.sequence;
            let at = first + self.0.iter().skip(first).take_while(|other| older(other)).count();
            self.0.insert(at, packet);
        }
    }

    /// The number of the oldest.
    #[inline]
    pub(super) fn oldest(&self) -> Option<u64> {
        // One that was put back behind the parts of another may be older than that one.
        let mut numbers = self.0.iter().take(2).map(|packet| packet.sequence);
        let first = numbers.next()?;
        Some(numbers.next().map_or(first, |second| first.min(second)))
    }

    /// Takes a call out, unless parts of it are being posted: it then has ended where it is.
    pub(super) fn cancel(&mut self, id: u64) -> Option<Packet> {
        let at = self.0.iter().position(|packet| packet.role == Role::Call(id))?;
        if self.0[at].posted > 0 {
            self.0[at].role = Role::Ended;
            return None;
        }
        self.0.remove(at)
    }

    /// Takes all out that `stays` does not want.
    pub(super) fn retain(&mut self, stays: impl FnMut(&mut Packet) -> bool) {
        self.0.retain_mut(stays);
    }

    /// Gives back what a quiet connection does not need.
    pub(super) fn rest(&mut self) {
        self.0.shrink_to(super::PACKETS_AT_REST);
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Packet> {
        self.0.iter_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn renamed(text: &str, from: &str, to: &str) -> String {
        let mut packet = Packet::new(text.into(), vec![vec![0; 7]], Role::Event, 1);
        packet.rename(from, to);
        assert_eq!(packet.cost, OVERHEAD + packet.text.len() + 7);
        String::from_utf8(packet.text).unwrap()
    }

    #[test]
    fn a_namespace_is_rewritten_in_every_form_of_packet() {
        assert_eq!(renamed("2[\"n\"]", "/", "/a"), "2/a,[\"n\"]");
        assert_eq!(renamed("2[\"n\"]", "", "/a?b=c"), "2/a?b=c,[\"n\"]");
        assert_eq!(renamed("2/a,7[\"n\"]", "/a", "/b/c"), "2/b/c,7[\"n\"]");
        assert_eq!(renamed("2/a,7[\"n\"]", "/a", "/"), "27[\"n\"]");
        assert_eq!(renamed("51-[\"n\",{}]", "/", "/a"), "51-/a,[\"n\",{}]");
        assert_eq!(renamed("512-/a,3[\"-,\"]", "/a", ""), "512-3[\"-,\"]");
        // Other namespaces are left alone.
        assert_eq!(renamed("2/ab,[\"n\"]", "/a", "/b"), "2/ab,[\"n\"]");
        assert_eq!(renamed("2/a,[\"n\"]", "/", "/b"), "2/a,[\"n\"]");
    }
}

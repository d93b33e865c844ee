//! What becomes of packets when their connection ends.
//!
//! Owns who may stay for the next connection: events and calls of which no byte was handed to the
//! system. Where nobody knows that yet, since a writer holds the bytes, packets are in limbo until
//! it reports. Refuses to know why a connection ended.

#![forbid(unsafe_code)]

use super::posting::{Posting, Stage};
use super::stream::{Ended, Mark};
use super::waiting::Packet;
use super::{Outbox, Role};
use crate::transport::frame;

/// What stays when a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Nothing.
    Nothing,
    /// Events and calls of which no byte was handed to the system.
    Untouched,
}

/// What the end of a connection means for the packets that waited.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Lost {
    /// How many packets of the program's were lost.
    pub packets: u64,
    /// The calls that are lost and of which no byte had been handed to the system; ascending.
    pub unsent_calls: Vec<u64>,
    /// The calls that stay, or of which it is not known yet; ascending.
    pub kept_calls: Vec<u64>,
    /// The calls of which it was not known, and which may have gone out; ascending.
    pub lost_calls: Vec<u64>,
}

/// Packets of which a writer held the bytes when their connection ended.
pub(super) struct Limbo {
    link: u64,
    keep: Keep,
    /// What was with the system then.
    written: u64,
    packets: Vec<(Mark, Fate)>,
    /// The namespace that is written in them, and the one that has to be.
    renamed: Option<(String, String)>,
}

/// What becomes of a packet of which it turns out that no byte was handed to the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It stays. It counts as waiting until then.
    Stay,
    /// It is not wanted any more.
    Drop,
    /// It is lost.
    Lose,
}

impl Limbo {
    /// The number of the oldest packet that might still be sent or be lost.
    pub(super) fn oldest(&self) -> Option<u64> {
        let wanted = self.packets.iter().find(|(_, fate)| *fate != Fate::Drop);
        wanted.filter(|_| self.keep == Keep::Untouched).map(|(mark, _)| mark.sequence)
    }

    /// How many count as waiting.
    pub(super) fn len(&self) -> usize {
        self.staying().count()
    }

    fn staying(&self) -> impl Iterator<Item = &Mark> {
        self.packets.iter().filter(|(_, fate)| *fate == Fate::Stay).map(|(mark, _)| mark)
    }

    /// The packets that `wanted` does not want stay no more. What they counted.
    fn reject(&mut self, fate: Fate, wanted: impl Fn(Role) -> bool) -> usize {
        let mut freed = 0;
        for (mark, old) in &mut self.packets {
            if *old == Fate::Stay && !wanted(mark.role) {
                *old = fate;
                freed += mark.cost;
            }
        }
        freed
    }
}

impl Outbox {
    /// The connection with this link is gone: gives up what may not stay.
    ///
    /// If a writer, be it a caller or the driver, still has bytes that it took and did not report
    /// as written, it hands them to [`Outbox::give_back`], be they few or none.
    pub fn lose(&mut self, link: u64, keep: Keep) -> Lost {
        let mut lost = Lost::default();
        self.settle_earlier(keep, &mut lost);
        let mut stay = self.lose_frames(link, keep, &mut lost);
        self.lose_waiting(keep, &mut stay, &mut lost);
        self.waiting.put_back(stay);
        self.gone_before = None;
        lost.unsent_calls.sort_unstable();
        lost.kept_calls.sort_unstable();
        self.note_loss(lost.packets);
        lost
    }

    /// A writer that still had bytes when its connection ended has handed over `count` more of
    /// them, and gives back the `rest` that follows. What it held when nothing stays may be left
    /// out.
    pub fn give_back(&mut self, link: u64, rest: &[u8], count: usize) -> Lost {
        let mut lost = Lost::default();
        let Some(at) = self.limbos.iter().position(|limbo| limbo.link == link) else {
            return lost;
        };
        let Limbo { written, packets, renamed, .. } = self.limbos.remove(at);
        let reached = written + count as u64;
        let mut stay = Vec::new();
        for (mark, fate) in packets {
            let left = mark.end <= reached;
            if fate != Fate::Stay {
                let dropped = fate == Fate::Drop && mark.start >= reached;
                lost.packets += u64::from(!left && !dropped);
                continue;
            }
            if let Some(mut packet) = take_back(&mark, rest, reached) {
                if let Role::Call(id) = mark.role {
                    lost.kept_calls.push(id);
                }
                if let Some((from, to)) = &renamed {
                    self.rename_packet(&mut packet, from, to);
                }
                stay.push(packet);
                continue;
            }
            self.forget(mark.cost, mark.role);
            lost.packets += u64::from(!left);
            if let Role::Call(id) = mark.role {
                lost.lost_calls.push(id);
            }
        }
        self.waiting.put_back(stay);
        self.note_loss(lost.packets);
        lost
    }

    /// A call has ended whose packet is in limbo; true if that is so.
    pub(super) fn cancel_in_limbo(&mut self, id: u64) -> bool {
        let mut freed = 0;
        for limbo in &mut self.limbos {
            freed += limbo.reject(Fate::Drop, |role| role != Role::Call(id));
        }
        self.cost -= freed;
        freed > 0
    }

    /// All calls have ended.
    pub(super) fn cancel_all_in_limbo(&mut self) {
        for limbo in &mut self.limbos {
            self.cost -= limbo.reject(Fate::Drop, |role| !matches!(role, Role::Call(_)));
        }
    }

    /// The namespace has changed also for what will be given back.
    pub(super) fn rename_in_limbo(&mut self, from: &str, to: &str) {
        for limbo in &mut self.limbos {
            let (_, now) = limbo.renamed.get_or_insert_with(|| (from.into(), from.into()));
            if now == from {
                *now = to.into();
            }
        }
    }

    /// What came into limbo with an earlier connection and is there still.
    fn settle_earlier(&mut self, keep: Keep, lost: &mut Lost) {
        self.limbos.retain(|limbo| {
            let waited_for = limbo.keep == Keep::Untouched;
            if !waited_for {
                // Whoever has not reported since an earlier end will hardly have written.
                let given_up = limbo.packets.iter().filter(|(_, fate)| *fate == Fate::Lose);
                lost.packets += given_up.count() as u64;
            }
            waited_for
        });
        for limbo in &mut self.limbos {
            match keep {
                Keep::Nothing => {
                    limbo.keep = Keep::Nothing;
                    self.cost -= limbo.reject(Fate::Lose, |_| false);
                }
                Keep::Untouched => {
                    let roles = limbo.staying().map(|mark| mark.role);
                    lost.kept_calls.extend(roles.filter_map(Role::call));
                }
            }
        }
    }

    /// What was framed: the packets among it that stay.
    fn lose_frames(&mut self, link: u64, keep: Keep, lost: &mut Lost) -> Vec<Packet> {
        let Ended { written, busy, here_from, here, marks } = self.stream.end();
        let mut stay = Vec::new();
        let mut limbo = Vec::new();
        for mark in marks {
            let touched = mark.start < written || self.gone_before == Some(mark.sequence);
            // A writer has its bytes, or at least the first of them.
            let away = written < here_from && mark.start < here_from;
            let wanted = keep == Keep::Untouched && mark.role.may_stay();
            if away && (busy || (wanted && !touched)) {
                let fate = match mark.role {
                    Role::Ended if !touched => Fate::Drop,
                    _ if wanted && !touched => Fate::Stay,
                    _ => Fate::Lose,
                };
                match fate {
                    Fate::Stay => lost.kept_calls.extend(mark.role.call()),
                    Fate::Drop | Fate::Lose => self.forget(mark.cost, mark.role),
                }
                limbo.push((mark, fate));
                continue;
            }
            if wanted
                && !touched
                && let Some(packet) = take_back(&mark, &here, here_from)
            {
                lost.kept_calls.extend(mark.role.call());
                stay.push(packet);
                continue;
            }
            self.forget(mark.cost, mark.role);
            if touched {
                lost.packets += 1;
            } else {
                lost.count_unsent(mark.role);
            }
        }
        if !limbo.is_empty() {
            let packets = limbo;
            self.limbos.push(Limbo { link, keep, written, packets, renamed: None });
        }
        stay
    }

    /// What was not framed: what stays of it stays where it is, or comes to `stay` if it was in
    /// the body of a POST.
    fn lose_waiting(&mut self, keep: Keep, stay: &mut Vec<Packet>, lost: &mut Lost) {
        let Posting { stage, packets } = std::mem::take(&mut self.posting);
        let mut answers = 0;
        let mut freed = 0;
        let mut stays = |packet: &mut Packet, begun: bool| {
            let wanted = keep == Keep::Untouched && packet.role.may_stay();
            let touched = begun || packet.gone > 0;
            if wanted && !touched {
                packet.posted = 0;
                lost.kept_calls.extend(packet.role.call());
                return true;
            }
            freed += packet.cost;
            if packet.role == Role::Answer {
                answers += packet.cost;
            }
            if touched {
                lost.packets += 1;
            } else {
                lost.count_unsent(packet.role);
            }
            false
        };
        for mut packet in packets {
            if stays(&mut packet, stage == Stage::Begun) {
                stay.push(packet);
            }
        }
        self.waiting.retain(|packet| stays(packet, false));
        self.cost -= freed;
        self.answers_cost -= answers;
    }
}

impl Lost {
    /// Counts a packet of which no byte was handed to the system.
    fn count_unsent(&mut self, role: Role) {
        // Of a call that has ended nobody waits for anything.
        self.packets += u64::from(role != Role::Ended);
        self.unsent_calls.extend(role.call());
    }
}

impl Role {
    /// Whether a packet may stay when the connection for which it was queued ends: an answer
    /// belongs to one connection.
    fn may_stay(self) -> bool {
        matches!(self, Role::Event | Role::Call(_))
    }

    fn call(self) -> Option<u64> {
        match self {
            Role::Call(id) => Some(id),
            _ => None,
        }
    }
}

/// The packet whose frames lie in `bytes`, which begin at the position `from` of the stream; if
/// they lie there as a whole.
fn take_back(mark: &Mark, bytes: &[u8], from: u64) -> Option<Packet> {
    let start = usize::try_from(mark.start.checked_sub(from)?).ok()?;
    let end = usize::try_from(mark.end.checked_sub(from)?).ok()?;
    let (mut text, mut rest) = frame::take_back(bytes.get(start..end)?)?;
    // The type of Engine.IO.
    text.drain(..1);
    let mut buffers = Vec::new();
    while !rest.is_empty() {
        let (buffer, behind) = frame::take_back(rest)?;
        buffers.push(buffer);
        rest = behind;
    }
    Some(Packet::new(text, buffers, mark.role, mark.sequence))
}

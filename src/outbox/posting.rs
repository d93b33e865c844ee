//! Packets on their way in the body of a POST.
//!
//! Owns which packets and parts are in the POST under way, and what becomes of them as it is
//! sent. Refuses to know requests.

#![forbid(unsafe_code)]

use super::waiting::Packet;
use super::{MESSAGE, Outbox};
use crate::transport::polling::Post;

/// The POST under way, as far as it concerns packets of the program's. There is one at a time.
#[derive(Default)]
pub(super) struct Posting {
    pub(super) stage: Stage,
    /// Those of which the last part is in it. The first of those that wait may be in it in part.
    pub(super) packets: Vec<Packet>,
}

/// How far it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stage {
    /// No packet of the program's is in a POST.
    #[default]
    Idle,
    /// Packets are in one of which nothing is with the system.
    Filled,
    /// A byte of it may be with the system.
    Begun,
}

impl Outbox {
    /// Moves packets that wait into the body of a POST, as far as they fit.
    ///
    /// A packet's text and buffers follow each other; of one for which the body has no more room,
    /// the rest is the first of the next.
    pub fn fill_post(&mut self, post: &mut Post) {
        while self.post_waiting(post) {}
    }

    /// Moves the oldest packet that waits into the body of a POST; false if none waits, or not
    /// all of it fits.
    pub fn post_waiting(&mut self, post: &mut Post) -> bool {
        debug_assert!(self.posting.stage != Stage::Begun, "one POST at a time");
        let Some(packet) = self.waiting.front_mut() else { return false };
        while packet.posted < packet.parts() {
            if packet.posted == 0 {
                if !post.has_room(Post::text_len(packet.text.len())) {
                    return false;
                }
                post.push_text(MESSAGE, &packet.text);
            } else {
                let buffer = &packet.buffers[packet.posted - 1];
                if !post.has_room(Post::binary_len(buffer.len())) {
                    return false;
                }
                post.push_binary(buffer);
            }
            packet.posted += 1;
            self.posting.stage = Stage::Filled;
        }
        self.posting.packets.extend(self.waiting.pop());
        true
    }

    /// The first byte of the POST was handed to the system: its packets are touched, and their
    /// content is given up.
    pub fn post_begun(&mut self) {
        if self.posting.stage != Stage::Filled {
            return;
        }
        self.posting.stage = Stage::Begun;
        self.posting.packets.iter_mut().for_each(Packet::give_up_posted);
        if let Some(partial) = self.waiting.front_mut() {
            partial.give_up_posted();
        }
    }

    /// All of the POST was handed to the system: packets whose last part it held have left.
    pub fn post_sent(&mut self) {
        self.post_begun();
        self.posting.stage = Stage::Idle;
        while let Some(packet) = self.posting.packets.pop() {
            self.forget(packet.cost, packet.role);
        }
    }

    /// Whether packets of the program's are in a POST that has not been sent as a whole.
    pub fn is_posting(&self) -> bool {
        self.posting.stage != Stage::Idle
    }
}

//! What follows an end: another attempt and when, or none.
//!
//! Owns the count of attempts and the delays between them. Refuses to know how an attempt goes,
//! and what a clock or a source of chance is: it is told the time and was given a seed.

#![forbid(unsafe_code)]

use std::time::Duration;

use super::seam::{Reason, Reconnection};
use super::time::Moment;
use super::{Session, Stage};
use crate::error::{Failure, Status};

/// How often it has been tried, and how long the next wait is.
#[derive(Debug)]
pub(super) struct Rounds {
    /// Whether the namespace was connected since connect.
    pub(super) established: bool,
    /// Attempts begun since the last connection, or since connect.
    pub(super) begun: u64,
    /// Waits since the delays began anew.
    waits: u32,
    /// When the namespace was connected last.
    since: Moment,
    /// The state of the generator: SplitMix64.
    chance: u64,
}

impl Rounds {
    pub(super) fn new(seed: u64) -> Self {
        let since = Moment::default();
        Rounds { established: false, begun: 0, waits: 0, since, chance: seed }
    }

    /// The program connects.
    pub(super) fn begin(&mut self) {
        (self.established, self.begun, self.waits) = (false, 0, 0);
    }

    /// The namespace is connected; how many attempts it took.
    pub(super) fn connected(&mut self, now: Moment) -> u64 {
        self.established = true;
        self.since = now;
        std::mem::take(&mut self.begun)
    }

    /// Whether the connection that there is, or was, has lasted by now.
    pub(super) fn has_lasted(&self, now: Moment) -> bool {
        now.saturating_sub(self.since) >= LASTING
    }

    /// A connection is lost.
    fn lost(&mut self, now: Moment) {
        if self.has_lasted(now) {
            self.waits = 0;
        }
    }

    /// The delay before the next attempt; each call counts as a wait.
    fn delay(&mut self, limits: &Reconnection) -> Duration {
        let whole = self.waits.min(LAST_DOUBLING);
        let delay = limits.min.saturating_mul(1 << whole).min(limits.max);
        self.waits = self.waits.saturating_add(1);
        let jitter = limits.jitter.min(100);
        let shortest = delay / 100 * (100 - jitter);
        let longest = (delay / 100).saturating_mul(100 + jitter).min(limits.max);
        let room = longest.saturating_sub(shortest);
        let share = room.mul_f64(self.fraction());
        shortest.saturating_add(share).min(longest).max(SHORTEST)
    }

    /// A number from 0 to 1.
    fn fraction(&mut self) -> f64 {
        self.chance = self.chance.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.chance;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        // 53 bits are what a number of this type holds exactly.
        (mixed >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// What follows an end.
pub(super) enum Next {
    /// Another attempt after this delay.
    Attempt(Duration),
    /// None; the words, if any, go behind the text of the failure.
    Nothing(&'static str),
}

impl<C> Session<C> {
    /// Decides what follows when a connection, or an attempt, ended with this failure, not by the
    /// program's will and not by a word of the server's that is final.
    pub(super) fn next(&mut self, failure: &Failure, now: Moment) -> Next {
        let limits = self.settings.reconnection;
        let established = self.rounds.established;
        match self.stage {
            Stage::Connected if limits.enabled => {
                self.rounds.lost(now);
                return Next::Attempt(self.rounds.delay(&limits));
            }
            Stage::Attempt(_) if established && !limits.enabled => return Next::Nothing(""),
            Stage::Attempt(_) if established || self.settings.retry_connect => {}
            _ => return Next::Nothing(""),
        }
        match failure.status {
            Status::Invalid | Status::Unsupported => return Next::Nothing(""),
            Status::Refused if !self.settings.retry_refused => return Next::Nothing(REFUSED),
            _ => {}
        }
        let first = u64::from(!established);
        if limits.attempts > 0 && self.rounds.begun >= limits.attempts.saturating_add(first) {
            return Next::Nothing(USED_UP);
        }
        Next::Attempt(self.rounds.delay(&limits))
    }

    /// The reason that the program is told when an attempt fails.
    pub(super) fn reason_of_attempt(failure: &Failure) -> Reason {
        match failure.status {
            Status::Refused => Reason::ServerDisconnect,
            _ => Reason::TransportError,
        }
    }

    /// The number of the attempt that is made or was made last, counted from 1.
    pub fn attempt_number(&self) -> u32 {
        u32::try_from(self.rounds.begun).unwrap_or(u32::MAX).max(1)
    }
}

const REFUSED: &str = "; it is not tried again, since \"retry_refused\" is 0";

const USED_UP: &str = "; that was the last attempt that \"reconnect_attempts\" allows";

/// After a connection that lasted so long the delays begin anew.
const LASTING: Duration = Duration::from_secs(5);

/// No delay is shorter, so that attempts that fail at once do not keep a processor busy.
const SHORTEST: Duration = Duration::from_millis(1);

/// More doublings than any delay has room for.
const LAST_DOUBLING: u32 = 31;

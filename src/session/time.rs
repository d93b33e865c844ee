//! A point on the clock that the session is told.
//!
//! Owns the arithmetic of moments. Refuses to know what a clock is: a moment comes from the
//! driver, which reads the system's, or from a test, which makes it up.

#![forbid(unsafe_code)]

use std::ops::Add;
use std::time::Duration;

/// A moment in nanoseconds since an origin that the driver chose. Only differences mean anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Moment(u64);

impl Moment {
    /// The moment that lies so many nanoseconds after the origin.
    pub const fn from_nanos(nanos: u64) -> Self {
        Moment(nanos)
    }

    /// Nanoseconds since the origin.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time from `earlier` to this moment; zero if `earlier` is in truth the later one.
    pub const fn saturating_sub(self, earlier: Moment) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Moment {
    type Output = Moment;

    /// The moment so much later, or the last one there is (584 years after the origin).
    fn add(self, time: Duration) -> Moment {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        Moment(self.0.saturating_add(nanos))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_add_and_subtract_without_overflow() {
        let start = Moment::from_nanos(5);
        let later = start + Duration::from_millis(1);
        assert_eq!(later.as_nanos(), 1_000_005);
        assert_eq!(later.saturating_sub(start), Duration::from_millis(1));
        assert_eq!(start.saturating_sub(later), Duration::ZERO);
        assert_eq!((start + Duration::MAX).as_nanos(), u64::MAX);
        assert_eq!(later + Duration::MAX, start + Duration::MAX);
    }
}

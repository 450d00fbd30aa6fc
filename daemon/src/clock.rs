//! The one place that reads the time. Everything else is given a [`Clock`] or an instant.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};

/// Where instants come from: the system, or a test's hand.
#[derive(Debug, Clone, Default)]
pub struct Clock(Source);

#[derive(Debug, Clone, Default)]
enum Source {
    #[default]
    System,
    Fake(Arc<Mutex<DateTime<Utc>>>),
}

/// A moment of the monotonic clock, for measuring how long something took and for deadlines.
/// It never goes back and says nothing about the time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stopwatch(Instant);

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that stands at `at` until it is moved with [`Clock::advance`]. Clones share its hand.
    pub fn fake(at: DateTime<Utc>) -> Self {
        Self(Source::Fake(Arc::new(Mutex::new(at))))
    }

    /// What time it is.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that asks the system"
    )]
    pub fn now(&self) -> DateTime<Utc> {
        match &self.0 {
            Source::System => Utc::now(),
            Source::Fake(hand) => *hand.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Moves a fake clock on by `by`, or back if `by` is negative. A system clock stays as it is.
    pub fn advance(&self, by: TimeDelta) {
        if let Source::Fake(hand) = &self.0 {
            *hand.lock().unwrap_or_else(PoisonError::into_inner) += by;
        }
    }
}

impl Stopwatch {
    /// Starts now.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that asks the system"
    )]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// How long ago it was started.
    pub fn elapsed(self) -> Duration {
        Self::start().0.saturating_duration_since(self.0)
    }

    /// The same moment as the standard library's type, for timers that ask for one.
    pub fn instant(self) -> Instant {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clones_of_a_fake_clock_share_one_hand() {
        let clock = Clock::fake(DateTime::UNIX_EPOCH);
        let other = clock.clone();
        clock.advance(TimeDelta::seconds(90));
        assert_eq!(other.now().timestamp(), 90);
    }
}

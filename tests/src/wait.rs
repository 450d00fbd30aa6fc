//! Waiting for conditions, never for time.

use std::future::Future;
use std::time::Duration;

use daemon::clock::Stopwatch;
use tokio::time::Interval;

/// How long a condition may take before the test fails: far above what any of them takes on a loaded
/// machine with two cores, so that reaching it means broken, not slow.
pub const PATIENCE: Duration = Duration::from_mins(1);

/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Looks until `look` gives something, and gives that.
///
/// # Panics
/// When [`PATIENCE`] is over; the message names `what`.
pub async fn until<T, F>(what: &str, look: impl FnMut() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    match until_or(look).await {
        Some(found) => found,
        None => panic!("waited {PATIENCE:?} for {what}"),
    }
}

/// Looks until `look` gives something; `None` when [`PATIENCE`] is over.
pub async fn until_or<T, F>(mut look: impl FnMut() -> F) -> Option<T>
where
    F: Future<Output = Option<T>>,
{
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    let looking = async {
        loop {
            ticks.tick().await;
            if let Some(found) = look().await {
                return found;
            }
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.ok()
}

/// Looks at a condition, for loops that have more to do than look: `while looks.again().await { .. }`.
#[derive(Debug)]
pub struct Looks {
    ticks: Interval,
    since: Stopwatch,
    limit: Duration,
}

impl Looks {
    /// The first look is at once; there is none after `limit`.
    pub fn within(limit: Duration) -> Self {
        Self {
            ticks: tokio::time::interval(LOOK_EVERY),
            since: Stopwatch::start(),
            limit,
        }
    }

    /// When the next look is due: true, or false when the time is over.
    pub async fn again(&mut self) -> bool {
        self.ticks.tick().await;
        self.since.elapsed() < self.limit
    }
}

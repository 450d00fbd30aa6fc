//! Whether the database is there: one opinion for the whole daemon, so that nobody waits to find out.
//!
//! The breaker opens when a writer gave up, or when the probe got no answer; from then on callers are served
//! without the database, at once. It closes when the probe gets an answer: the probe is what other breakers
//! call half-open, on a connection of its own and not at a caller's expense.

mod probe;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::{DateTime, Utc};
use tokio::sync::{Notify, watch};

use crate::clock::Clock;

pub use probe::Probe;

/// The daemon's opinion of its database. Cheap to clone; clones share it.
#[derive(Debug, Clone)]
pub struct Breaker(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// What the hot path reads: one relaxed load.
    open: AtomicBool,
    since: watch::Sender<Option<DateTime<Utc>>>,
    doubt: Notify,
    clock: Clock,
}

impl Breaker {
    /// The database is taken to be there until somebody finds otherwise.
    pub fn closed(clock: Clock) -> Self {
        Self(Arc::new(Shared {
            open: AtomicBool::new(false),
            since: watch::Sender::new(None),
            doubt: Notify::new(),
            clock,
        }))
    }

    /// Whether the database is away.
    pub fn is_open(&self) -> bool {
        self.0.open.load(Ordering::Relaxed)
    }

    /// Since when the database is away; `None` while it is there.
    pub fn since(&self) -> Option<DateTime<Utc>> {
        *self.0.since.borrow()
    }

    /// Somebody got no answer: the database is away until the probe, which looks at once, finds otherwise.
    pub fn open(&self) {
        self.set(true);
        self.0.doubt.notify_one();
    }

    /// The database has not been heard of since `since`, which was before this run began.
    pub fn open_since(&self, since: DateTime<Utc>) {
        self.put(Some(since));
        self.0.doubt.notify_one();
    }

    /// Changes with the opinion.
    pub fn watch(&self) -> watch::Receiver<Option<DateTime<Utc>>> {
        self.0.since.subscribe()
    }

    /// Waits until the database is away. Cancel-safe.
    pub async fn opened(&self) {
        self.until(Option::is_some).await;
    }

    /// Waits until the database is there. Cancel-safe.
    pub async fn is_closed(&self) {
        self.until(Option::is_none).await;
    }

    async fn until(&self, wanted: impl FnMut(&Option<DateTime<Utc>>) -> bool) {
        let mut since = self.0.since.subscribe();
        // The sender is borrowed, so it is there.
        let _ = since.wait_for(wanted).await;
    }

    fn set(&self, open: bool) {
        self.put(open.then(|| self.0.clock.now()));
    }

    fn put(&self, away: Option<DateTime<Utc>>) {
        let open = away.is_some();
        let changed = self.0.since.send_if_modified(|since| {
            let changes = since.is_some() != open;
            if changes {
                *since = away;
                self.0.open.store(open, Ordering::Relaxed);
            }
            changes
        });
        if !changed {
            return;
        }
        metrics::gauge!("pitboss_database_up").set(if open { 0.0 } else { 1.0 });
        if open {
            tracing::error!("the database is away: serving without it");
        } else {
            tracing::info!("the database is back");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;

    #[tokio::test]
    async fn says_since_when_and_wakes_who_waits() {
        let clock = Clock::fake(DateTime::UNIX_EPOCH);
        let breaker = Breaker::closed(clock.clone());
        breaker.is_closed().await;
        assert!(!breaker.is_open() && breaker.since().is_none());
        let waiting = tokio::spawn({
            let breaker = breaker.clone();
            async move { breaker.opened().await }
        });
        clock.advance(TimeDelta::seconds(5));
        breaker.open();
        waiting.await.unwrap();
        clock.advance(TimeDelta::seconds(5));
        breaker.open();
        let since = DateTime::UNIX_EPOCH + TimeDelta::seconds(5);
        assert_eq!(breaker.since(), Some(since));
        assert!(breaker.is_open());
        breaker.set(false);
        assert_eq!(breaker.since(), None);
    }
}

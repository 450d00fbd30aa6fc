//! Retention: weeks of the events ledger that are older than was asked for are dropped, the oldest first, each with its
//! audit row. Unless it was asked for nothing is. Rollups of a month ago are merged from minutes into hours, always.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::runner::{Round, Work};
use crate::clock::Stopwatch;
use crate::store::leases::{Deposed, Lease};
use crate::store::retention::{self, Dropped, Need, NotDropped, Oldest};
use crate::store::{Store, StoreError, TransactionError, TxFuture, fold, hours};

/// Why a week was not dropped. Nothing of it happened.
#[derive(Debug, thiserror::Error)]
enum RetentionError {
    /// It could not be locked, or the database failed.
    #[error(transparent)]
    NotDropped(#[from] NotDropped),
    /// Another daemon leads retention now.
    #[error(transparent)]
    Deposed(#[from] Deposed),
}

impl From<StoreError> for RetentionError {
    fn from(error: StoreError) -> Self {
        Self::NotDropped(NotDropped::Store(error))
    }
}

impl TransactionError for RetentionError {
    fn store_error(&self) -> Option<&StoreError> {
        match self {
            Self::NotDropped(NotDropped::Store(error)) => Some(error),
            // To try again at once would hold up the fold each time; the next run does.
            Self::NotDropped(NotDropped::InUse) | Self::Deposed(_) => None,
        }
    }
}

/// Retention as a worker.
#[derive(Debug)]
pub struct Retention {
    store: Store,
    /// For how long events are kept; `None`: for ever.
    keep: Option<TimeDelta>,
}

impl Retention {
    /// Keeps events for `keep`, or for ever.
    pub fn new(store: Store, keep: Option<Duration>) -> Self {
        Self {
            store,
            keep: keep.and_then(|keep| TimeDelta::from_std(keep).ok()),
        }
    }

    /// Drops what is past retention as of `now`, or of the database's clock; says what was done and what was not.
    async fn drop_all(
        &self,
        lease: &Lease,
        keep: TimeDelta,
        now: Option<DateTime<Utc>>,
    ) -> Result<String, RetentionError> {
        let mut told = Vec::new();
        let why_not_more = loop {
            let oldest = self
                .store
                .run_led_tx("retention", lease, |tx| {
                    TxFuture::new(async move {
                        let now = match now {
                            Some(now) => now,
                            None => fold::now(tx).await?,
                        };
                        Ok::<_, RetentionError>(retention::drop_oldest(tx, now - keep).await?)
                    })
                })
                .await;
            match oldest {
                Ok(Oldest::Dropped(dropped)) => {
                    note(&dropped);
                    told.push(format!(
                        "dropped {} events received before {}",
                        dropped.events, dropped.kept_since
                    ));
                }
                Ok(Oldest::Needed(need)) => break still_needed(need),
                Ok(Oldest::Young(ends)) => break not_before(ends, keep),
                Err(RetentionError::NotDropped(error @ NotDropped::InUse)) => {
                    break format!("{error}: what is past retention goes later");
                }
                Err(error) => return Err(error),
            }
        };
        told.push(why_not_more);
        Ok(told.join("; "))
    }
}

/// 5 s of merging in a run: a month's backlog is work of many runs, and each is to end well before a daemon that stops
/// would have to cut it off.
const MERGE_FOR: Duration = Duration::from_secs(5);

impl Retention {
    /// Merges rollups, the oldest hours first, some experiments a transaction; returns how many hours were worked
    /// on, and whether there may be more to merge.
    async fn merge(&self, lease: &Lease) -> Result<(usize, bool), RetentionError> {
        let started = Stopwatch::start();
        let (mut merged, mut newest) = (0, None);
        while started.elapsed() < MERGE_FOR {
            let hour = self
                .store
                .run_led_tx("rollups", lease, |tx| {
                    TxFuture::new(async move {
                        let now = fold::now(tx).await?;
                        Ok::<_, RetentionError>(hours::merge_oldest(tx, now, hours::AT_ONCE).await?)
                    })
                })
                .await?;
            if hour.is_none() {
                return Ok((merged, false));
            }
            merged += usize::from(hour != newest);
            newest = hour;
        }
        Ok((merged, true))
    }
}

fn not_before(ends: Option<DateTime<Utc>>, keep: TimeDelta) -> String {
    let next =
        ends.map(|ends| format!(": what was received before {ends} goes at {}", ends + keep));
    format!("nothing more is past retention{}", next.unwrap_or_default())
}

fn still_needed(need: Need) -> String {
    match need {
        Need::OpenWindow {
            experiment,
            exposed_at,
        } => format!(
            "a window of experiment {experiment} has been open since {exposed_at}: its events are kept"
        ),
        Need::Waiting { received_at } => {
            format!("an item that was received at {received_at} waits for the fold")
        }
    }
}

fn note(dropped: &Dropped) {
    let Dropped {
        table,
        kept_since,
        events,
        experiments,
    } = dropped;
    let experiments = experiments.len();
    metrics::counter!("pitboss_events_dropped_total").increment(*events);
    tracing::info!(target: "pitboss::worker", table, %kept_since, events, experiments, "week of events dropped by retention");
}

impl Work for Retention {
    async fn run(
        &mut self,
        lease: &Lease,
    ) -> Result<Round, Box<dyn std::error::Error + Send + Sync>> {
        let detail = match self.keep {
            Some(keep) => self.drop_all(lease, keep, None).await?,
            None => "events are kept for ever".to_owned(),
        };
        let (merged, again) = self.merge(lease).await?;
        Ok(Round {
            detail: format!("{detail}; {merged} hours of rollups merged"),
            again,
        })
    }
}

#[cfg(test)]
mod tests;

//! The reward fold: what was acknowledged becomes ledger and state, exactly once.
//!
//! A round is one transaction. It takes a batch out of the queues (assignment counts, landed items), moves
//! it into the ledgers, closes windows that are over, and adds the sum of it all to the state. Whatever kills
//! it, either everything of a round happened or nothing did. Two folds at once do the work twice as fast and
//! no unit twice: queues are taken with `skip locked`, units are locked before they are read, and what slips
//! through fails on a primary key.

mod attribution;
mod closing;
mod gains;
mod landing;
mod specs;

use std::collections::BTreeSet;

use bandit::experiment::ExperimentId;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

pub use attribution::{Attribution, attribute};
pub use gains::Gains;
pub use specs::RewardSpecs;

use crate::store::fold as rows;
use crate::store::leases::{self, Deposed, Lease};
use crate::store::{Store, StoreError, TransactionError, TxFuture, state};

/// Rows of each kind that one round takes. Larger ones gain nothing (LIMITS 2) and hold locks for longer.
pub const BATCH: i64 = 10_000;

/// What a round did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Folded {
    /// Assignments counted into the state.
    pub assigned: u64,
    /// Events that are new in the ledger.
    pub events: u64,
    /// Items that came again under a known id.
    pub repeats: u64,
    /// Late exposures that started a window.
    pub exposed: u64,
    /// Windows closed.
    pub closed: u64,
    /// A queue was longer than the batch: another round is worth while.
    pub more: bool,
    /// Experiments whose state changed.
    pub touched: BTreeSet<ExperimentId>,
}

impl Folded {
    /// Whether nothing was there to do.
    pub fn is_idle(&self) -> bool {
        self.assigned + self.events + self.repeats + self.exposed + self.closed == 0
    }

    /// Adds the next round of the same run.
    pub fn add(&mut self, next: Self) {
        let Self {
            assigned,
            events,
            repeats,
            exposed,
            closed,
            more,
            touched,
        } = next;
        self.assigned += assigned;
        self.events += events;
        self.repeats += repeats;
        self.exposed += exposed;
        self.closed += closed;
        self.more = more;
        self.touched.extend(touched);
    }
}

/// Why a round was given up. Nothing of it happened.
#[derive(Debug, thiserror::Error)]
pub enum FoldError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another daemon leads the fold now.
    #[error("another daemon leads the fold now")]
    Deposed,
    /// Another fold has moved the same events; the next round sees them.
    #[error("another fold has moved the same events")]
    Raced,
}

impl TransactionError for FoldError {
    fn store_error(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error) => Some(error),
            Self::Deposed | Self::Raced => None,
        }
    }
}

/// One round under `lease`, committed.
pub async fn led_round(
    store: &Store,
    specs: &mut RewardSpecs,
    lease: &Lease,
) -> Result<Folded, FoldError> {
    let mut connection = store.pool.acquire().await.map_err(StoreError::from)?;
    specs.refresh(&mut connection).await?;
    drop(connection);
    let specs = &*specs;
    store
        .run_tx("fold", |tx| {
            TxFuture::new(async move {
                let now = rows::now(tx).await?;
                let folded = round(tx, specs, BATCH, now).await?;
                leases::confirm(tx, lease)
                    .await?
                    .map_err(|Deposed| FoldError::Deposed)?;
                Ok(folded)
            })
        })
        .await
}

/// One round inside `tx`, with windows judged as of `now`, the database's clock.
///
/// An experiment that was started after `specs` were read keeps its events in the ledger and its windows
/// open until the next round.
pub async fn round(
    tx: &mut PgConnection,
    specs: &RewardSpecs,
    batch: i64,
    now: DateTime<Utc>,
) -> Result<Folded, FoldError> {
    let mut gains = Gains::default();
    let mut folded = Folded::default();

    let counted = rows::take_counts(tx, batch).await?;
    folded.assigned = counted.state.values().map(|gain| gain.assigned).sum();
    let counts_left = counted.rows >= batch;
    gains.add_counted(counted);

    let landed = rows::take_landed(tx, batch).await?;
    let landing_left = landed.len() as i64 >= batch;
    let horizon = horizon(&landed, landing_left, now);
    landing::fold(tx, specs, landed, now, &mut gains, &mut folded).await?;

    let closed = closing::close(tx, specs, horizon, now, batch, &mut gains).await?;
    folded.closed = closed;
    folded.more = counts_left || landing_left || closed as i64 >= batch;

    state::add(tx, &gains.state).await?;
    state::add_minutes(tx, &gains.minutes).await?;
    folded.touched = gains.experiments();
    Ok(folded)
}

/// Until when windows may be closed: now, unless events that were received earlier still wait in the landing
/// table. An event that came in time must not find its window closed because the fold was behind.
fn horizon(landed: &[rows::Landed], landing_left: bool, now: DateTime<Utc>) -> DateTime<Utc> {
    if !landing_left {
        return now;
    }
    landed
        .iter()
        .map(|item| item.received_at)
        .min()
        .map_or(now, |oldest| oldest.min(now))
}

impl std::fmt::Display for Folded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.is_idle() {
            return f.write_str("nothing to fold");
        }
        write!(
            f,
            "counted {} assignments, folded {} events ({} repeats), started {} and closed {} windows",
            self.assigned, self.events, self.repeats, self.exposed, self.closed
        )
    }
}

/// Counts what a run did.
pub fn count(folded: &Folded) {
    metrics::counter!("pitboss_fold_assignments").increment(folded.assigned);
    metrics::counter!("pitboss_fold_events").increment(folded.events);
    metrics::counter!("pitboss_fold_repeats").increment(folded.repeats);
    metrics::counter!("pitboss_fold_windows_closed").increment(folded.closed);
}

#[cfg(test)]
mod tests;

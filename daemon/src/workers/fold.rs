//! The reward fold: what was acknowledged becomes ledger and state, exactly once.
//!
//! A round is one transaction. It takes a batch out of the queues (assignment counts, landed items), moves
//! it into the ledgers, closes windows that are over, and adds the sum of it all to the state. Whatever kills
//! it, either everything of a round happened or nothing did. Rounds go in turn: of two folds at once, one waits.
//!
//! Most events are no part of a reward, or of units that nobody waits for. They go from table to table inside the
//! database; only those that may change an outcome come here to be judged.

mod attribution;
mod closing;
mod gains;
mod guarded;
mod known;
mod landing;
mod openings;
mod specs;

use std::collections::{BTreeMap, BTreeSet};

use bandit::experiment::ExperimentId;
use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use sqlx::PgConnection;

pub use attribution::{Attribution, attribute, reward_events};
pub use gains::Gains;
pub use guarded::Guarded;
pub use known::Known;
pub use specs::RewardSpecs;

use crate::store::fold as rows;
use crate::store::leases::{Deposed, Lease};
use crate::store::{Store, StoreError, TransactionError, TxFuture, events, guards, state, weeks};

/// Rows of each kind that one round takes: a tenth to half a second of work. Larger ones gained nothing.
pub const BATCH: i64 = 20_000;

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
    /// What the next round knows, once this one is committed.
    pub known: Known,
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
            known,
        } = next;
        self.assigned += assigned;
        self.events += events;
        self.repeats += repeats;
        self.exposed += exposed;
        self.closed += closed;
        self.more = more;
        self.touched.extend(touched);
        self.known = known;
    }
}

/// Why a round was given up. Nothing of it happened.
#[derive(Debug, thiserror::Error)]
pub enum FoldError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another daemon leads the fold now.
    #[error(transparent)]
    Deposed(#[from] Deposed),
}

impl TransactionError for FoldError {
    fn store_error(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error) => Some(error),
            Self::Deposed(_) => None,
        }
    }
}

/// One round under `lease`, committed.
pub async fn led_round(
    store: &Store,
    specs: &RewardSpecs,
    known: &Known,
    lease: &Lease,
) -> Result<Folded, FoldError> {
    store
        .run_led_tx("fold", lease, |tx| {
            TxFuture::new(async move {
                rows::take_turn(tx).await?;
                let now = rows::clock(tx).await?;
                in_turn(tx, specs, known, BATCH, now).await
            })
        })
        .await
}

/// One round inside `tx`, as of `now`.
pub async fn round(
    tx: &mut PgConnection,
    specs: &RewardSpecs,
    known: &Known,
    batch: i64,
    now: DateTime<Utc>,
) -> Result<Folded, FoldError> {
    rows::take_turn(tx).await?;
    in_turn(tx, specs, known, batch, now).await
}

/// The same where the turn has been taken. `now` was read within it, so that rounds which follow each other never go back:
/// a minute that guardrails judge by is complete once another has begun.
async fn in_turn(
    tx: &mut PgConnection,
    specs: &RewardSpecs,
    known: &Known,
    batch: i64,
    now: DateTime<Utc>,
) -> Result<Folded, FoldError> {
    let guarded = specs.guarded();
    let mut gains = Gains::default();
    let mut folded = Folded {
        known: known.clone(),
        ..Folded::default()
    };

    let counted = rows::take_counts(tx, known.counts.from(now), batch).await?;
    folded.known.counts.looked(now, following(counted.until));
    folded.assigned = counted.state.values().map(|gain| gain.assigned).sum();
    let counts_left = counted.rows >= batch;
    gains.add_counted(counted);

    // Until when windows may be closed: now, unless events that were received earlier still wait. An event that came in
    // time must not find its window closed because the fold was behind.
    let mut horizon = now;
    let mut landing_left = false;
    let mut learned = BTreeMap::new();
    let head = rows::head(tx, known.landing.from(now), batch).await?;
    let until = head.as_ref().map(|head| head.until);
    folded.known.landing.looked(now, following(until));
    if let Some(head) = head {
        landing_left = head.rows >= batch;
        if landing_left {
            horizon = head.received_since.min(now);
        }
        specs.read(tx, head.experiments.iter().copied()).await?;
        let rewards = specs.events(&head.experiments);
        weeks::make_ready(tx, now).await?;
        let wanted = guarded.events(&head.experiments);
        let mut taken = rows::take_landed(tx, &head, &rewards, &wanted, now).await?;
        learned = std::mem::take(&mut taken.guarded);
        landing::fold(tx, specs, taken, now, &mut gains, &mut folded).await?;
    }

    let due = closing::Due {
        horizon,
        now,
        batch,
    };
    let openings = &mut folded.known.openings;
    let closed = closing::close(tx, specs, openings, due, &mut gains).await?;
    folded.closed = closed;
    folded.more = counts_left || landing_left || closed as i64 >= batch;

    events::add_counts(tx, &gains.events).await?;
    state::add(tx, &gains.state).await?;
    state::add_minutes(tx, &gains.minutes).await?;
    let minute = now.duration_trunc(TimeDelta::minutes(1)).unwrap_or(now);
    guards::add(tx, minute, guarded.learned(learned, &gains)).await?;
    folded.touched = gains.experiments();
    state::count_folds(tx, &folded.touched).await?;
    Ok(folded)
}

/// The number below which nothing is left, where all up to `last` was taken.
fn following(last: Option<i64>) -> Option<i64> {
    last.map(|last| last.saturating_add(1))
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

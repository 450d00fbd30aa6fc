//! How large the database is, for whoever watches: every daemon looks by itself, so that none shows what another saw.

use std::time::Duration;

use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::store::Store;
use crate::store::sizes::{Sizes, sizes};

/// 1 min: tables grow by megabytes in that time.
const LOOK_EVERY: Duration = Duration::from_mins(1);

/// Looks until `stop`.
pub async fn watch(store: Store, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        // Both are cancel-safe.
        tokio::select! {
            () = stop.cancelled() => return,
            _ = ticks.tick() => {}
        }
        // A look that is dropped has no effect.
        tokio::select! {
            () = stop.cancelled() => return,
            seen = sizes(&store) => match seen {
                Ok(sizes) => publish(&sizes),
                Err(error) => tracing::debug!(%error, "sizes of the tables unknown"),
            }
        }
    }
}

fn publish(sizes: &Sizes) {
    for (table, bytes) in &sizes.tables {
        metrics::gauge!("pitboss_database_bytes", "table" => *table).set(*bytes as f64);
    }
    let since = sizes.kept_since.map_or(0.0, |at| at.timestamp() as f64);
    metrics::gauge!("pitboss_ledger_kept_since_timestamp_seconds").set(since);
}

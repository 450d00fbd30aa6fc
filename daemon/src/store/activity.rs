//! Which experiments are busy, from the minute rollups: an index range per experiment, whatever their size.

use bandit::experiment::ExperimentId;

use super::{Store, StoreError};

/// Experiments for which anything was counted in this minute or the two before it: long enough for a rate
/// over the last minute to have faded to nothing before an experiment falls silent.
pub async fn busy(store: &Store) -> Result<Vec<ExperimentId>, StoreError> {
    let rows: Vec<(i32,)> = sqlx::query_as(
        "select e.id from experiments e
         where e.state not in ('draft', 'archived') and exists (
             select from experiment_minutes m
             where m.experiment_id = e.id
               and m.minute >= date_trunc('minute', now()) - interval '2 minutes')",
    )
    .fetch_all(&store.pool)
    .await?;
    Ok(rows.into_iter().map(|(id,)| ExperimentId(id)).collect())
}

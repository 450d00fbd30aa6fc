//! Which experiments are busy, from the minute rollups: an index range per experiment, whatever their size.

use std::collections::HashMap;

use bandit::experiment::ExperimentId;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::state::MINUTE_ASSIGNED;
use super::{Store, StoreError, sql};

/// Experiments for which anything was counted in this minute or the two before it: long enough for a rate
/// over the last minute to have faded to nothing before an experiment falls silent.
pub async fn busy(store: &Store) -> Result<Vec<ExperimentId>, StoreError> {
    let mut session = store.session().await?;
    let rows: Vec<(i32,)> = sql::query_as(
        "select e.id from experiments e
         where e.state not in ('draft', 'archived') and exists (
             select from experiment_minutes m
             where m.experiment_id = e.id
               and m.minute >= date_trunc('minute', now()) - interval '2 minutes')",
    )
    .fetch_all(&mut *session)
    .await?;
    Ok(rows.into_iter().map(|(id,)| ExperimentId(id)).collect())
}

/// New assignments of each experiment since `from`, to the minute; experiments without any are absent.
pub async fn assigned_since(
    connection: &mut PgConnection,
    from: DateTime<Utc>,
) -> Result<HashMap<ExperimentId, u64>, StoreError> {
    let rows: Vec<(i32, i64)> = sql::query_as(
        "select e.id, m.assigned
         from experiments e
         cross join lateral (
             select sum(count)::int8 as assigned from experiment_minutes
             where experiment_id = e.id and minute >= $1 and event = $2
         ) m
         where m.assigned is not null",
    )
    .bind(from)
    .bind(MINUTE_ASSIGNED)
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(id, assigned)| (ExperimentId(id), assigned.cast_unsigned()))
        .collect())
}

//! How far the ramps are: the traffic that each ramping experiment serves.

use std::collections::BTreeMap;

use bandit::experiment::{ExperimentId, Share};
use bandit::schedule::Ramp;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{StoreError, sql};

/// The ramps of those among `experiments` that have one.
pub async fn of(
    connection: &mut PgConnection,
    experiments: &[ExperimentId],
) -> Result<BTreeMap<ExperimentId, Ramp>, StoreError> {
    let rows: Vec<(i32, f64, DateTime<Utc>, i64)> = sql::query_as(
        "select experiment_id, traffic, since, exposed_before
         from experiment_ramps where experiment_id = any($1)",
    )
    .bind(experiments.iter().map(|id| id.0).collect::<Vec<i32>>())
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|(id, traffic, since, exposed_before)| {
            let traffic = Share::new(traffic).map_err(|error| {
                StoreError::unreadable(format!("ramp of experiment {id}"), error)
            })?;
            let ramp = Ramp {
                traffic,
                since,
                exposed_before: exposed_before.cast_unsigned(),
            };
            Ok((ExperimentId(id), ramp))
        })
        .collect()
}

/// Writes how far a ramp is; `None` ends it.
pub async fn put(
    tx: &mut PgConnection,
    experiment: ExperimentId,
    ramp: Option<Ramp>,
) -> Result<(), StoreError> {
    let Some(ramp) = ramp else {
        sql::query("delete from experiment_ramps where experiment_id = $1")
            .bind(experiment.0)
            .execute(tx)
            .await?;
        return Ok(());
    };
    sql::query(
        "insert into experiment_ramps (experiment_id, traffic, since, exposed_before)
         values ($1, $2, $3, $4)
         on conflict (experiment_id) do update set
             traffic = excluded.traffic, since = excluded.since, exposed_before = excluded.exposed_before",
    )
    .bind(experiment.0)
    .bind(ramp.traffic.get())
    .bind(ramp.since)
    .bind(ramp.exposed_before.cast_signed())
    .execute(tx)
    .await?;
    Ok(())
}

/// Units of each of `experiments` that were ever exposed, over all lanes and arms, as far as they are folded.
pub async fn exposed(
    connection: &mut PgConnection,
    experiments: &[ExperimentId],
) -> Result<BTreeMap<ExperimentId, u64>, StoreError> {
    let rows: Vec<(i32, i64)> = sql::query_as(
        "select experiment_id, sum(exposed)::int8 from experiment_bandit_state
         where experiment_id = any($1) group by experiment_id",
    )
    .bind(experiments.iter().map(|id| id.0).collect::<Vec<i32>>())
    .fetch_all(connection)
    .await?;
    let counts = rows.into_iter();
    Ok(counts
        .map(|(id, exposed)| (ExperimentId(id), exposed.cast_unsigned()))
        .collect())
}

//! The names and numbers of lanes. A number is given at a name's first sight and kept for ever.

use std::collections::HashMap;

use bandit::experiment::{ExperimentId, InvalidName, LaneId, LaneName};
use bandit::lanes::LaneNumbers;
use bandit::spec::model::ExperimentSpec;
use sqlx::PgConnection;

use super::{StoreError, sql};

/// The lane numbers of each of `experiments` that has any.
pub async fn numbers(
    connection: &mut PgConnection,
    experiments: &[i32],
) -> Result<HashMap<i32, LaneNumbers>, StoreError> {
    let rows: Vec<(i32, i16, String)> = sql::query_as(
        "select experiment_id, lane, name from experiment_lanes where experiment_id = any($1)",
    )
    .bind(experiments)
    .fetch_all(connection)
    .await?;
    let mut given: HashMap<i32, Vec<(LaneName, LaneId)>> = HashMap::new();
    for (experiment, lane, name) in rows {
        let name = name.parse().map_err(|error: InvalidName| {
            StoreError::unreadable(format!("lane {lane} of experiment {experiment}"), error)
        })?;
        let lanes = given.entry(experiment).or_default();
        lanes.push((name, LaneId(lane.cast_unsigned())));
    }
    Ok(given
        .into_iter()
        .map(|(experiment, lanes)| (experiment, LaneNumbers::new(lanes)))
        .collect())
}

/// Gives the lanes of a spec that is put in force their numbers, and notes which lanes are in force.
pub async fn put(
    tx: &mut PgConnection,
    experiment: ExperimentId,
    spec: &ExperimentSpec,
) -> Result<LaneNumbers, StoreError> {
    let known = numbers(&mut *tx, &[experiment.0]).await?;
    let numbers = known
        .get(&experiment.0)
        .cloned()
        .unwrap_or_default()
        .with(spec);
    let (ids, names): (Vec<i16>, Vec<String>) = numbers
        .lanes_of(spec)
        .into_iter()
        .map(|lane| (lane.id.0.cast_signed(), lane.name.to_string()))
        .unzip();
    sql::query(
        "insert into experiment_lanes (experiment_id, lane, name)
         select $1, * from unnest($2::int2[], $3::text[])
         on conflict (experiment_id, lane) do nothing",
    )
    .bind(experiment.0)
    .bind(&ids)
    .bind(names)
    .execute(&mut *tx)
    .await?;
    sql::query("update experiments set lanes = $2 where id = $1")
        .bind(experiment.0)
        .bind(ids)
        .execute(tx)
        .await?;
    Ok(numbers)
}

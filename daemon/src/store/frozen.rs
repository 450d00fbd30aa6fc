//! Units that were shown another arm while the database was away than the one on record.

use bandit::experiment::{ArmId, ExperimentId};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::assignments::Place;
use super::{StoreError, sql};

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conflict {
    /// Whose, and where.
    pub place: Place,
    /// The arm that was answered.
    pub shown: ArmId,
    /// The arm that was committed first.
    pub recorded: ArmId,
    /// When it was answered.
    pub at: DateTime<Utc>,
}

/// Keeps them, each unit once however often it is said.
pub async fn keep(connection: &mut PgConnection, conflicts: &[Conflict]) -> Result<(), StoreError> {
    let arms = |arm: fn(&Conflict) -> ArmId| -> Vec<i16> {
        let numbers = conflicts.iter().map(|it| arm(it).0.cast_signed());
        numbers.collect()
    };
    let places = conflicts.iter().map(|it| &it.place);
    sql::query(
        "insert into experiment_frozen_conflicts (experiment_id, unit_key, shown, recorded, at)
         select * from unnest($1::int4[], $2::bytea[], $3::int2[], $4::int2[], $5::timestamptz[])
         on conflict do nothing",
    )
    .bind(places.clone().map(|it| it.0.0).collect::<Vec<i32>>())
    .bind(places.map(|it| &it.1.0[..]).collect::<Vec<&[u8]>>())
    .bind(arms(|it| it.shown))
    .bind(arms(|it| it.recorded))
    .bind(conflicts.iter().map(|it| it.at).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

/// How many units of an experiment there are.
pub async fn count(
    connection: &mut PgConnection,
    experiment: ExperimentId,
) -> Result<u64, StoreError> {
    let count: i64 = sql::query_scalar(
        "select count(*) from experiment_frozen_conflicts where experiment_id = $1",
    )
    .bind(experiment.0)
    .fetch_one(connection)
    .await?;
    Ok(count.cast_unsigned())
}

//! What guardrails judge by: guarded events by the minute in which the fold learned of them.

use std::collections::BTreeMap;

use bandit::experiment::{ArmId, ExperimentId};
use bandit::guardrail::{DistinctSketch, Malformed, QuantileSketch};
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

use super::{StoreError, fold, sql};

/// Three days: the longest window that a guardrail may have, thrice.
pub const KEPT: TimeDelta = TimeDelta::days(3);

/// An hour: an event that a unit sends later is not held against its arm. A unit counts once among those that met their
/// arm, so what it goes on to send for weeks must not count again and again.
pub const FOLLOWED: TimeDelta = TimeDelta::hours(1);

/// Whose figures, ordered as the table's key without its minute.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct GuardKey {
    /// The experiment.
    pub experiment: ExperimentId,
    /// The arm.
    pub arm: ArmId,
    /// The event, or [`MINUTE_EXPOSED`](super::state::MINUTE_EXPOSED).
    pub event: String,
}

/// What became known of an event.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Measured {
    /// How often it came.
    pub count: i64,
    /// The sum of its values.
    pub sum: f64,
    /// The sum of their squares.
    pub sum_sq: f64,
    /// The units that sent it within [`FOLLOWED`] after they met their arm; empty where nobody asks.
    pub units: DistinctSketch,
    /// Its values; empty where nobody asks.
    pub values: QuantileSketch,
}

impl Measured {
    /// Adds what became known later, or elsewhere.
    pub fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.sum_sq += other.sum_sq;
        self.units.merge(&other.units);
        self.values.merge(&other.values);
    }
}

/// A guarded event that the fold is to measure.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wanted {
    /// The experiment.
    pub experiment: ExperimentId,
    /// The event.
    pub event: String,
    /// Which units sent it.
    pub units: bool,
    /// How its values are spread.
    pub values: bool,
}

#[derive(sqlx::FromRow)]
struct MinuteRow {
    experiment_id: i32,
    minute: DateTime<Utc>,
    arm: i16,
    event: String,
    count: i64,
    sum: f64,
    sum_sq: f64,
    units: Vec<u8>,
    sketch: Vec<u8>,
}

impl MinuteRow {
    fn read(self) -> Result<(DateTime<Utc>, GuardKey, Measured), StoreError> {
        let what = format!("guarded event of experiment {}", self.experiment_id);
        let unreadable = |error: Malformed| StoreError::unreadable(what.clone(), error);
        let values = match self.sketch.as_slice() {
            [] => QuantileSketch::default(),
            bytes => QuantileSketch::from_bytes(bytes).map_err(unreadable)?,
        };
        let measured = Measured {
            count: self.count,
            sum: self.sum,
            sum_sq: self.sum_sq,
            units: DistinctSketch::from_bytes(&self.units).map_err(unreadable)?,
            values,
        };
        let key = GuardKey {
            experiment: ExperimentId(self.experiment_id),
            arm: ArmId(self.arm.cast_unsigned()),
            event: self.event,
        };
        Ok((self.minute, key, measured))
    }
}

/// Adds what a fold learned in `minute`. Within the fold's turn: nobody else writes here.
pub async fn add(
    tx: &mut PgConnection,
    minute: DateTime<Utc>,
    mut gains: BTreeMap<GuardKey, Measured>,
) -> Result<(), StoreError> {
    if gains.is_empty() {
        return Ok(());
    }
    let experiments: Vec<i32> = gains.keys().map(|key| key.experiment.0).collect();
    let before: Vec<MinuteRow> = sql::query_as(
        "select * from experiment_guard_minutes where minute = $1 and experiment_id = any ($2)",
    )
    .bind(minute)
    .bind(&experiments)
    .fetch_all(&mut *tx)
    .await?;
    for row in before {
        let (_, key, measured) = row.read()?;
        if let Some(gain) = gains.get_mut(&key) {
            gain.add(&measured);
        }
    }
    let bytes = |sketch: &QuantileSketch| match sketch.count() {
        0 => Vec::new(),
        _ => sketch.to_bytes(),
    };
    sql::query(
        "insert into experiment_guard_minutes
             (minute, experiment_id, arm, event, count, sum, sum_sq, units, sketch)
         select $1, * from unnest($2::int4[], $3::int2[], $4::text[], $5::int8[], $6::float8[], $7::float8[],
             $8::bytea[], $9::bytea[])
         on conflict (experiment_id, minute, arm, event) do update set
             count = excluded.count, sum = excluded.sum, sum_sq = excluded.sum_sq,
             units = excluded.units, sketch = excluded.sketch",
    )
    .bind(minute)
    .bind(experiments)
    .bind(gains.keys().map(|key| key.arm.0.cast_signed()).collect::<Vec<i16>>())
    .bind(gains.keys().map(|key| key.event.as_str()).collect::<Vec<&str>>())
    .bind(gains.values().map(|it| it.count).collect::<Vec<i64>>())
    .bind(gains.values().map(|it| it.sum).collect::<Vec<f64>>())
    .bind(gains.values().map(|it| it.sum_sq).collect::<Vec<f64>>())
    .bind(gains.values().map(|it| it.units.to_bytes()).collect::<Vec<Vec<u8>>>())
    .bind(gains.values().map(|it| bytes(&it.values)).collect::<Vec<Vec<u8>>>())
    .execute(tx)
    .await?;
    Ok(())
}

/// Waits for the fold that is at work, and tells the database's clock after it: whatever the fold learned before this
/// instant can be read. Keeps no lock beyond the transaction.
pub async fn settled(tx: &mut PgConnection) -> Result<DateTime<Utc>, StoreError> {
    sql::query("select from experiment_fold_turn for share")
        .execute(&mut *tx)
        .await?;
    fold::clock(tx).await
}

/// What became known of one experiment's guarded events since `since`, oldest first.
pub async fn minutes(
    connection: &mut PgConnection,
    experiment: ExperimentId,
    since: DateTime<Utc>,
) -> Result<Vec<(DateTime<Utc>, GuardKey, Measured)>, StoreError> {
    let rows: Vec<MinuteRow> = sql::query_as(
        "select * from experiment_guard_minutes where experiment_id = $1 and minute >= $2
         order by minute, arm, event",
    )
    .bind(experiment.0)
    .bind(since)
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(MinuteRow::read).collect()
}

/// Forgets what is too old to be judged.
pub async fn forget(
    connection: &mut PgConnection,
    experiments: &[ExperimentId],
    now: DateTime<Utc>,
) -> Result<u64, StoreError> {
    let done = sql::query(
        "delete from experiment_guard_minutes where experiment_id = any ($1) and minute < $2",
    )
    .bind(experiments.iter().map(|id| id.0).collect::<Vec<i32>>())
    .bind(now - KEPT)
    .execute(connection)
    .await?;
    Ok(done.rows_affected())
}

//! Sufficient statistics per lane, arm and version, and the minute rollups. State = fold(ledger): only the
//! fold adds to them, in the transaction that moves the ledger.

use std::collections::{BTreeMap, BTreeSet};

use bandit::experiment::{ArmId, ExperimentId, LaneId, Version};
use bandit::posterior::ArmStats;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{StoreError, sql};

/// Which row of the state. Ordered as its primary key: writers go in this order and cannot deadlock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct StateKey {
    /// The experiment.
    pub experiment: ExperimentId,
    /// The lane.
    pub lane: LaneId,
    /// The arm.
    pub arm: ArmId,
    /// The policy version under which its units were drawn.
    pub version: Version,
}

/// Which row of the minute rollups, ordered as its primary key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MinuteKey {
    /// The experiment.
    pub experiment: ExperimentId,
    /// The minute's first instant.
    pub minute: DateTime<Utc>,
    /// The lane.
    pub lane: LaneId,
    /// The arm.
    pub arm: ArmId,
    /// The event's name, or one of the `$` names below.
    pub event: String,
}

/// The rollup's name for new assignments.
pub const MINUTE_ASSIGNED: &str = "$assigned";
/// The rollup's name for new exposures.
pub const MINUTE_EXPOSED: &str = "$exposed";
/// The rollup's name for closed windows; its values are rewards in `0..=1`.
pub const MINUTE_REWARD: &str = "$reward";

/// What a minute gains.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct MinuteSums {
    /// How many.
    pub count: i64,
    /// The sum of their values.
    pub sum: f64,
    /// The sum of their values' squares.
    pub sum_sq: f64,
}

/// Adds to the state, creating rows that are not there.
pub async fn add(
    tx: &mut PgConnection,
    gains: &BTreeMap<StateKey, ArmStats>,
) -> Result<(), StoreError> {
    if gains.is_empty() {
        return Ok(());
    }
    let column = |pick: fn(&ArmStats) -> i64| gains.values().map(pick).collect::<Vec<i64>>();
    sql::query(
        "insert into experiment_bandit_state as s (experiment_id, lane, arm, version,
             assigned, exposed, resolved, reward_sum_micro, reward_sq_sum_micro,
             early, early_sum_micro, early_sq_sum_micro)
         select * from unnest($1::int4[], $2::int2[], $3::int2[], $4::int4[],
             $5::int8[], $6::int8[], $7::int8[], $8::int8[], $9::int8[],
             $10::int8[], $11::int8[], $12::int8[])
         on conflict (experiment_id, lane, arm, version) do update set
             assigned = s.assigned + excluded.assigned,
             exposed = s.exposed + excluded.exposed,
             resolved = s.resolved + excluded.resolved,
             reward_sum_micro = s.reward_sum_micro + excluded.reward_sum_micro,
             reward_sq_sum_micro = s.reward_sq_sum_micro + excluded.reward_sq_sum_micro,
             early = s.early + excluded.early,
             early_sum_micro = s.early_sum_micro + excluded.early_sum_micro,
             early_sq_sum_micro = s.early_sq_sum_micro + excluded.early_sq_sum_micro",
    )
    .bind(gains.keys().map(|k| k.experiment.0).collect::<Vec<i32>>())
    .bind(gains.keys().map(|k| k.lane.0 as i16).collect::<Vec<i16>>())
    .bind(gains.keys().map(|k| k.arm.0 as i16).collect::<Vec<i16>>())
    .bind(
        gains
            .keys()
            .map(|k| k.version.0 as i32)
            .collect::<Vec<i32>>(),
    )
    .bind(column(|s| s.assigned as i64))
    .bind(column(|s| s.exposed as i64))
    .bind(column(|s| s.resolved as i64))
    .bind(column(|s| s.reward_sum_micro))
    .bind(column(|s| s.reward_sq_sum_micro))
    .bind(column(|s| s.early))
    .bind(column(|s| s.early_sum_micro))
    .bind(column(|s| s.early_sq_sum_micro))
    .execute(tx)
    .await?;
    Ok(())
}

/// Counts a fold of each of `experiments`.
pub async fn count_folds(
    tx: &mut PgConnection,
    experiments: &BTreeSet<ExperimentId>,
) -> Result<(), StoreError> {
    if experiments.is_empty() {
        return Ok(());
    }
    sql::query(
        "insert into experiment_folds as f (experiment_id, folds) select id, 1 from unnest($1::int4[]) as g (id)
         on conflict (experiment_id) do update set folds = f.folds + 1",
    )
    .bind(experiments.iter().map(|id| id.0).collect::<Vec<i32>>())
    .execute(tx)
    .await?;
    Ok(())
}

/// How often each experiment has been folded.
pub async fn folds(
    connection: &mut PgConnection,
) -> Result<BTreeMap<ExperimentId, i64>, StoreError> {
    let rows: Vec<(i32, i64)> = sql::query_as("select experiment_id, folds from experiment_folds")
        .fetch_all(connection)
        .await?;
    Ok(rows
        .into_iter()
        .map(|(id, folds)| (ExperimentId(id), folds))
        .collect())
}

/// Adds to the minute rollups, creating rows that are not there.
pub async fn add_minutes(
    tx: &mut PgConnection,
    gains: &BTreeMap<MinuteKey, MinuteSums>,
) -> Result<(), StoreError> {
    if gains.is_empty() {
        return Ok(());
    }
    sql::query(
        "insert into experiment_minutes as m (experiment_id, minute, lane, arm, event,
             count, sum, sum_sq)
         select * from unnest($1::int4[], $2::timestamptz[], $3::int2[], $4::int2[], $5::text[],
             $6::int8[], $7::float8[], $8::float8[])
         on conflict (experiment_id, minute, lane, arm, event) do update set
             count = m.count + excluded.count,
             sum = m.sum + excluded.sum,
             sum_sq = m.sum_sq + excluded.sum_sq",
    )
    .bind(gains.keys().map(|k| k.experiment.0).collect::<Vec<i32>>())
    .bind(
        gains
            .keys()
            .map(|k| k.minute)
            .collect::<Vec<DateTime<Utc>>>(),
    )
    .bind(gains.keys().map(|k| k.lane.0 as i16).collect::<Vec<i16>>())
    .bind(gains.keys().map(|k| k.arm.0 as i16).collect::<Vec<i16>>())
    .bind(
        gains
            .keys()
            .map(|k| k.event.as_str())
            .collect::<Vec<&str>>(),
    )
    .bind(gains.values().map(|s| s.count).collect::<Vec<i64>>())
    .bind(gains.values().map(|s| s.sum).collect::<Vec<f64>>())
    .bind(gains.values().map(|s| s.sum_sq).collect::<Vec<f64>>())
    .execute(tx)
    .await?;
    Ok(())
}

/// One arm of one lane, summed over versions.
#[derive(Debug, Clone, Copy, PartialEq, sqlx::FromRow)]
struct SumRow {
    experiment_id: i32,
    lane: i16,
    arm: i16,
    #[sqlx(flatten)]
    counts: Counts,
}

/// The counting columns of the state.
#[derive(Debug, Clone, Copy, PartialEq, sqlx::FromRow)]
pub(super) struct Counts {
    assigned: i64,
    exposed: i64,
    resolved: i64,
    reward_sum_micro: i64,
    reward_sq_sum_micro: i64,
    early: i64,
    early_sum_micro: i64,
    early_sq_sum_micro: i64,
}

impl From<Counts> for ArmStats {
    fn from(counts: Counts) -> Self {
        Self {
            assigned: counts.assigned as u64,
            exposed: counts.exposed as u64,
            resolved: counts.resolved as u64,
            reward_sum_micro: counts.reward_sum_micro,
            reward_sq_sum_micro: counts.reward_sq_sum_micro,
            early: counts.early,
            early_sum_micro: counts.early_sum_micro,
            early_sq_sum_micro: counts.early_sq_sum_micro,
        }
    }
}

/// The statistics of one lane's arms, summed over versions.
pub type LaneStats = BTreeMap<ArmId, ArmStats>;

/// The statistics of the lanes of `experiments`, summed over versions.
pub async fn sums(
    connection: &mut PgConnection,
    experiments: &[ExperimentId],
) -> Result<BTreeMap<(ExperimentId, LaneId), LaneStats>, StoreError> {
    let rows: Vec<SumRow> = sql::query_as(
        "select experiment_id, lane, arm, sum(assigned)::int8 as assigned,
             sum(exposed)::int8 as exposed, sum(resolved)::int8 as resolved,
             sum(reward_sum_micro)::int8 as reward_sum_micro,
             sum(reward_sq_sum_micro)::int8 as reward_sq_sum_micro,
             sum(early)::int8 as early, sum(early_sum_micro)::int8 as early_sum_micro,
             sum(early_sq_sum_micro)::int8 as early_sq_sum_micro
         from experiment_bandit_state where experiment_id = any ($1)
         group by experiment_id, lane, arm",
    )
    .bind(experiments.iter().map(|id| id.0).collect::<Vec<i32>>())
    .fetch_all(connection)
    .await?;
    let mut all: BTreeMap<(ExperimentId, LaneId), LaneStats> = BTreeMap::new();
    for row in rows {
        let lane = (ExperimentId(row.experiment_id), LaneId(row.lane as u16));
        all.entry(lane)
            .or_default()
            .insert(ArmId(row.arm as u16), row.counts.into());
    }
    Ok(all)
}

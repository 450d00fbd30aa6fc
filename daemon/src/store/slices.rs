//! What a lane learned, cut into slices of time: what a memory that forgets is made of.

use std::collections::BTreeMap;

use bandit::experiment::{ArmId, ExperimentId, LaneId, Millis};
use bandit::posterior::{ArmStats, Moments};
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

use super::versions::running_for;
use super::{StoreError, sql};
use bandit::memory::Slice;

/// Which slices.
#[derive(Debug, Clone, Copy)]
pub struct Cut {
    /// The experiment.
    pub experiment: ExperimentId,
    /// The lane.
    pub lane: LaneId,
    /// The youngest unit that can have matured was drawn then; ages count back from here.
    pub youngest: DateTime<Utc>,
    /// Versions that ended earlier than this are left out.
    pub age: Millis,
    /// Versions that were published within one such length are put together.
    pub length: Millis,
}

#[derive(sqlx::FromRow)]
struct SliceRow {
    arm: i16,
    began: DateTime<Utc>,
    ended: Option<DateTime<Utc>>,
    resolved: i64,
    reward_sum_micro: i64,
    reward_sq_sum_micro: i64,
}

/// The slices of a lane by arm, oldest first.
///
/// Versions are put together by the clock and not by their age, so a slice stays the same while it ages. Reads the
/// lane's versions and state rows once; its caller keeps what it read.
pub async fn slices(
    connection: &mut PgConnection,
    cut: Cut,
) -> Result<BTreeMap<ArmId, Vec<Slice>>, StoreError> {
    let oldest = TimeDelta::try_milliseconds(i64::try_from(cut.age.0).unwrap_or(i64::MAX))
        .and_then(|age| cut.youngest.checked_sub_signed(age))
        .unwrap_or(DateTime::UNIX_EPOCH);
    let rows: Vec<SliceRow> = sql::query_as(
        "with published as (
             select version, published_at as began,
                 lead(published_at) over (order by version) as ended
             from experiment_policy_versions where experiment_id = $1 and lane = $2
         )
         select s.arm, min(p.began) as began,
             case when bool_and(p.ended is not null) then max(p.ended) end as ended,
             sum(s.resolved)::int8 as resolved, sum(s.reward_sum_micro)::int8 as reward_sum_micro,
             sum(s.reward_sq_sum_micro)::int8 as reward_sq_sum_micro
         from published p
         join experiment_bandit_state s
             on s.experiment_id = $1 and s.lane = $2 and s.version = p.version
         where p.ended is null or p.ended > $3
         group by s.arm, floor(date_part('epoch', p.began) / $4)
         order by s.arm, 2",
    )
    .bind(cut.experiment.0)
    .bind(cut.lane.0 as i16)
    .bind(oldest)
    .bind((cut.length.0 as f64 / 1e3).max(1e-3))
    .fetch_all(connection)
    .await?;
    let mut by_arm: BTreeMap<ArmId, Vec<Slice>> = BTreeMap::new();
    for row in rows {
        let age = |at: DateTime<Utc>| running_for(at, cut.youngest);
        let stats = ArmStats {
            resolved: row.resolved as u64,
            reward_sum_micro: row.reward_sum_micro,
            reward_sq_sum_micro: row.reward_sq_sum_micro,
            ..ArmStats::default()
        };
        by_arm
            .entry(ArmId(row.arm as u16))
            .or_default()
            .push(Slice {
                oldest: age(row.began),
                newest: row.ended.map_or(Millis(0), age),
                moments: Moments::from(&stats),
            });
    }
    Ok(by_arm)
}

//! How old units in flight are, and how long outcomes took to become known: what credit corrected for delay is
//! estimated from.

use std::collections::BTreeMap;

use bandit::credit::delay::CLASSES;
use bandit::credit::{Ages, Delays};
use bandit::experiment::{ArmId, ExperimentId, LaneId, Millis};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{StoreError, sql};

/// Entries of the ledger that are looked at for delays, at most, newest first, so that a busy experiment does not hold up the publisher. An
/// experiment that has more of them while windows are open has closed ones enough to learn from, and no use for this.
const MOST_ENTRIES: i64 = 200_000;

/// The class of an age or delay as `bandit::credit::delay::class_of` has it; `$1` seconds old, `$2` until the close.
macro_rules! class_of {
    ($age:literal, $closes_after:literal, $classes:literal) => {
        concat!(
            "case when ",
            $age,
            " >= ",
            $closes_after,
            " then ",
            $classes,
            " else least(floor(sqrt(greatest(",
            $age,
            ", 0) / ",
            $closes_after,
            ") * ",
            $classes,
            ")::int4, ",
            $classes,
            " - 1) end"
        )
    };
}

/// Units in flight of one experiment, by lane, arm and age at `now`.
///
/// One scan of the open assignments; its caller keeps what it read.
pub async fn ages(
    connection: &mut PgConnection,
    experiment: ExperimentId,
    closes_after: Millis,
    now: DateTime<Utc>,
) -> Result<BTreeMap<(LaneId, ArmId), Ages>, StoreError> {
    let rows: Vec<(i16, i16, i32, i64)> = sql::query_as(concat!(
        "select lane, arm, ",
        class_of!("age", "$3", "$4"),
        " as class, count(*)
         from (
             select lane, arm, date_part('epoch', $2 - exposed_at) as age
             from experiment_assignments where experiment_id = $1 and open
         ) a group by 1, 2, 3"
    ))
    .bind(experiment.0)
    .bind(now)
    .bind(seconds(closes_after))
    .bind(CLASSES as i32)
    .fetch_all(connection)
    .await?;
    let mut all: BTreeMap<(LaneId, ArmId), Ages> = BTreeMap::new();
    for (lane, arm, class, units) in rows {
        let ages = all
            .entry((LaneId(lane as u16), ArmId(arm as u16)))
            .or_default();
        if let Some(count) = ages.0.get_mut(class as usize) {
            *count += units as u64;
        }
    }
    Ok(all)
}

/// Whose delays, and of when.
#[derive(Debug, Clone, Copy)]
pub struct Cohort {
    /// The experiment.
    pub experiment: ExperimentId,
    /// From exposure to close.
    pub closes_after: Millis,
    /// The outcome of a unit without events, in millionths.
    pub default_micro: i32,
    /// Units that were exposed in the time from here ...
    pub since: DateTime<Utc>,
    /// ... to here, and have been closed.
    pub until: DateTime<Utc>,
}

/// When the outcomes of a cohort's units became known, by arm, all lanes together.
///
/// Known is when the fold wrote it, not when the event says it happened: that is what can be known of a unit at its
/// age. What only the close found out, such as events from before the exposure was told, is left out.
pub async fn delays(
    connection: &mut PgConnection,
    cohort: Cohort,
) -> Result<BTreeMap<ArmId, Delays>, StoreError> {
    let rows: Vec<(i16, i32, i64, i64)> = sql::query_as(concat!(
        "with recent as materialized (
             select unit_key, entry, reward_micro, at from experiment_rewards
             where experiment_id = $1 and kind <> 2 and at >= $2
             order by at desc limit $7
         ), bound as (
             select case when count(*) < $7 then $2 else min(at) end as since from recent
         ), changes as (
             select unit_key, entry, at, reward_micro - coalesce(
                 lag(reward_micro) over (partition by unit_key order by entry), $4) as change
             from recent
         ), delayed as (
             select a.arm, c.entry, c.change, date_part('epoch', c.at - a.exposed_at) as delay
             from changes c
             join experiment_assignments a on a.experiment_id = $1 and a.unit_key = c.unit_key
             cross join bound
             where a.exposed_at >= bound.since and a.exposed_at <= $3 and not a.open
         )
         select arm, least(",
        class_of!("delay", "$5", "$6"),
        ", $6 - 1) as class, count(*) filter (where entry = 0), sum(change)::int8
         from delayed group by 1, 2"
    ))
    .bind(cohort.experiment.0)
    .bind(cohort.since)
    .bind(cohort.until)
    .bind(cohort.default_micro)
    .bind(seconds(cohort.closes_after))
    .bind(CLASSES as i32)
    .bind(MOST_ENTRIES)
    .fetch_all(connection)
    .await?;
    // Away from silence is a gain, whichever end silence is at.
    let sign = if cohort.default_micro == 0 { 1.0 } else { -1.0 };
    let mut by_arm: BTreeMap<ArmId, Delays> = BTreeMap::new();
    for (arm, class, arrived, change_micro) in rows {
        let delays = by_arm.entry(ArmId(arm as u16)).or_default();
        let class = (class as usize).min(CLASSES - 1);
        delays.arrived[class] += arrived as u64;
        delays.gained[class] += sign * change_micro as f64 / 1e6;
    }
    Ok(by_arm)
}

fn seconds(length: Millis) -> f64 {
    length.0 as f64 / 1e3
}

//! What each policy version of a lane saw of its arms, with the probabilities that it drew them with.

use std::collections::BTreeMap;

use bandit::experiment::{ArmId, ExperimentId, LaneId, Millis, Version};
use bandit::inference::{ArmPeriod, Period};
use bandit::posterior::ArmStats;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::versions::running_for;
use super::{StoreError, sql};

/// Whose periods.
#[derive(Debug, Clone, Copy)]
pub struct OfLane<'a> {
    /// The experiment.
    pub experiment: ExperimentId,
    /// The lane.
    pub lane: LaneId,
    /// The arms, in the order in which the periods shall list them; others are left out.
    pub arms: &'a [ArmId],
    /// When the experiment was started first.
    pub started_at: DateTime<Utc>,
    /// Now: the end of the newest period.
    pub at: DateTime<Utc>,
}

/// A lane's periods, oldest first.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LanePeriods {
    /// The policy version of each.
    pub versions: Vec<Version>,
    /// What it saw. Only counts that are folded into the state: all arms lag by the same moment.
    pub periods: Vec<Period>,
}

/// One version, and the state rows of the units drawn under it: one array element an arm, in no order.
#[derive(sqlx::FromRow)]
struct PeriodRow {
    version: i32,
    published_at: DateTime<Utc>,
    arms: Vec<i16>,
    allocation: Vec<f64>,
    seen: Vec<i16>,
    assigned: Vec<i64>,
    exposed: Vec<i64>,
    resolved: Vec<i64>,
    reward_sum_micro: Vec<i64>,
    reward_sq_sum_micro: Vec<i64>,
}

/// All periods of a lane, one a version. A row a version and not a row an arm: a lane that learns for a month has
/// some 40,000 versions.
pub async fn of_lane(
    connection: &mut PgConnection,
    of: OfLane<'_>,
) -> Result<LanePeriods, StoreError> {
    let rows: Vec<PeriodRow> = sql::query_as(
        "select v.version, v.published_at, v.arms, v.allocation,
             coalesce(s.seen, '{}') as seen, coalesce(s.assigned, '{}') as assigned,
             coalesce(s.exposed, '{}') as exposed, coalesce(s.resolved, '{}') as resolved,
             coalesce(s.reward_sum_micro, '{}') as reward_sum_micro,
             coalesce(s.reward_sq_sum_micro, '{}') as reward_sq_sum_micro
         from experiment_policy_versions v
         left join (
             select version, array_agg(arm) as seen, array_agg(assigned) as assigned,
                 array_agg(exposed) as exposed, array_agg(resolved) as resolved,
                 array_agg(reward_sum_micro) as reward_sum_micro,
                 array_agg(reward_sq_sum_micro) as reward_sq_sum_micro
             from experiment_bandit_state where experiment_id = $1 and lane = $2
             group by version
         ) s on s.version = v.version
         where v.experiment_id = $1 and v.lane = $2
         order by v.version",
    )
    .bind(of.experiment.0)
    .bind(of.lane.0 as i16)
    .fetch_all(connection)
    .await?;
    let ends: Vec<DateTime<Utc>> = rows
        .iter()
        .skip(1)
        .map(|row| row.published_at)
        .chain([of.at])
        .collect();
    let mut lane = LanePeriods::default();
    for (row, end) in rows.iter().zip(ends) {
        lane.versions.push(Version(row.version as u32));
        lane.periods.push(Period {
            from: since_start(of, row.published_at),
            until: since_start(of, end),
            arms: arms(of, row),
        });
    }
    Ok(lane)
}

fn since_start(of: OfLane<'_>, at: DateTime<Utc>) -> Millis {
    running_for(of.started_at, at)
}

fn arms(of: OfLane<'_>, row: &PeriodRow) -> Vec<ArmPeriod> {
    let propensities: BTreeMap<i16, f64> = row
        .arms
        .iter()
        .copied()
        .zip(row.allocation.iter().copied())
        .collect();
    of.arms
        .iter()
        .map(|arm| {
            let arm = arm.0 as i16;
            let propensity = propensities.get(&arm).copied().unwrap_or(0.0);
            ArmPeriod::new(propensity, &stats(row, arm))
        })
        .collect()
}

fn stats(row: &PeriodRow, arm: i16) -> ArmStats {
    let Some(at) = row.seen.iter().position(|seen| *seen == arm) else {
        return ArmStats::default();
    };
    ArmStats {
        assigned: row.assigned[at] as u64,
        exposed: row.exposed[at] as u64,
        resolved: row.resolved[at] as u64,
        reward_sum_micro: row.reward_sum_micro[at],
        reward_sq_sum_micro: row.reward_sq_sum_micro[at],
        ..ArmStats::default()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::store::{StoreError, TxFuture, state};
    use crate::workers::fixture::{CHECKOUT, Event, Fixture, hours};
    use crate::workers::publish;

    async fn publish(fixture: &Fixture, now: DateTime<Utc>) {
        let ids = &BTreeSet::from([fixture.id]);
        fixture
            .store()
            .run_tx("publish", |tx| {
                TxFuture::new(async move {
                    let published = publish::round(tx, ids, now).await;
                    published.map_err(|error| StoreError::unreadable("publication", error))
                })
            })
            .await
            .unwrap();
    }

    async fn periods(fixture: &Fixture, arms: &[ArmId], at: DateTime<Utc>) -> LanePeriods {
        let mut connection = fixture.store().pool.acquire().await.unwrap();
        let of = OfLane {
            experiment: fixture.id,
            lane: LaneId::MAIN,
            arms,
            started_at: fixture.start,
            at,
        };
        of_lane(&mut connection, of).await.unwrap()
    }

    #[tokio::test]
    async fn units_count_under_the_version_that_drew_them_though_they_resolve_later() {
        let fixture = Fixture::start(CHECKOUT).await;
        let early: Vec<u32> = (0..400).collect();
        fixture.assign_all(&early, fixture.start, true).await;
        let bought: Vec<Event> = (0..400)
            .filter(|unit| unit % 5 == 0)
            .map(|unit| Event {
                unit,
                name: "purchase",
                value: None,
                id: u128::from(unit),
                at: fixture.start + hours(1),
            })
            .collect();
        fixture.land(&bought).await;
        fixture.fold(fixture.start + hours(25)).await;
        let young: Vec<u32> = (400..500).collect();
        fixture
            .assign_all(&young, fixture.start + hours(25), true)
            .await;
        publish(&fixture, fixture.start + hours(26)).await;
        let late: Vec<u32> = (500..700).collect();
        fixture
            .assign_all(&late, fixture.start + hours(27), true)
            .await;
        fixture.fold(fixture.start + hours(51)).await;

        let arms: Vec<ArmId> = fixture.arms.iter().map(|arm| arm.id).collect();
        let end = fixture.start + hours(60);
        let lane = periods(&fixture, &arms, end).await;
        assert_eq!(lane.versions, [Version(1), Version(2)]);
        let [first, second] = &lane.periods[..] else {
            panic!("{lane:?}");
        };
        assert_eq!((first.from, first.until), (Millis(0), second.from));
        assert_eq!(second.until, Millis(60 * 3_600_000));
        for period in &lane.periods {
            let whole: f64 = period.arms.iter().map(|arm| arm.propensity).sum();
            assert!((whole - 1.0).abs() < 1e-12, "{period:?}");
        }
        assert!((first.arms[0].propensity - 0.5).abs() < 1e-15);
        assert!((second.arms[0].propensity - 0.5).abs() > 1e-6);
        assert_eq!(first.assigned(), first.resolved());
        assert_eq!((second.resolved(), second.assigned() > 100), (0, true));

        let mut connection = fixture.store().pool.acquire().await.unwrap();
        let sums = state::sums(&mut connection, &[fixture.id]).await.unwrap();
        let sums = &sums[&(fixture.id, LaneId::MAIN)];
        for (at, arm) in arms.iter().enumerate() {
            let seen = |pick: fn(&ArmPeriod) -> u64| -> u64 {
                lane.periods
                    .iter()
                    .map(|period| pick(&period.arms[at]))
                    .sum()
            };
            assert_eq!(seen(|arm| arm.assigned), sums[arm].assigned);
            assert_eq!(seen(|arm| arm.n), sums[arm].resolved);
        }

        let reversed: Vec<ArmId> = arms.iter().rev().copied().collect();
        let other = periods(&fixture, &reversed, end).await;
        assert_eq!(other.periods[0].arms[1], first.arms[0]);
    }

    #[tokio::test]
    async fn a_lane_that_was_never_published_has_no_periods() {
        let fixture = Fixture::start(CHECKOUT).await;
        let mut connection = fixture.store().pool.acquire().await.unwrap();
        let of = OfLane {
            experiment: fixture.id,
            lane: LaneId(9),
            arms: &[ArmId(0)],
            started_at: fixture.start,
            at: fixture.start,
        };
        let lane = of_lane(&mut connection, of).await.unwrap();
        assert_eq!(lane, LanePeriods::default());
    }
}

//! What screens and results are made of: counts that no other aggregate owns.

use std::collections::BTreeMap;

use bandit::assign::UnitKey;
use bandit::experiment::{ArmId, ExperimentId, LaneId, Millis, Version};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::events::{Repeats, Standing};
use super::{StoreError, sql};

/// Assignments that are stored and not yet counted into the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Uncounted {
    /// Assigned units.
    pub assigned: u64,
    /// Of these, exposed ones.
    pub exposed: u64,
}

/// The uncounted assignments of each of `experiments` that has some.
pub async fn uncounted(
    connection: &mut PgConnection,
    experiments: &[ExperimentId],
) -> Result<BTreeMap<ExperimentId, Uncounted>, StoreError> {
    let rows: Vec<(i32, i64, i64)> = sql::query_as(
        "select experiment_id, sum(assigned)::int8, sum(exposed)::int8
         from experiment_assigned_counts where experiment_id = any ($1) group by 1",
    )
    .bind(experiments.iter().map(|id| id.0).collect::<Vec<i32>>())
    .fetch_all(connection)
    .await?;
    let counts = |(id, assigned, exposed): (i32, i64, i64)| {
        let uncounted = Uncounted {
            assigned: assigned as u64,
            exposed: exposed as u64,
        };
        (ExperimentId(id), uncounted)
    };
    Ok(rows.into_iter().map(counts).collect())
}

/// New assignments a second over the last minute, of each of `experiments` that had some.
///
/// From the minute rollups: the present minute, and of the one before it the part that is less than a minute
/// ago, as if it had been even.
pub async fn decisions_per_sec(
    connection: &mut PgConnection,
    experiments: &[ExperimentId],
) -> Result<BTreeMap<ExperimentId, f64>, StoreError> {
    let rows: Vec<(i32, f64)> = sql::query_as(
        "select experiment_id, (sum(count * case when minute = this_minute then 1
                 else 1 - extract(epoch from now() - this_minute) / 60 end) / 60)::float8
         from experiment_minutes, date_trunc('minute', now(), 'UTC') as this_minute
         where experiment_id = any ($1) and event = '$assigned'
           and minute between this_minute - interval '1 minute' and this_minute
         group by 1",
    )
    .bind(experiments.iter().map(|id| id.0).collect::<Vec<i32>>())
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(id, per_sec)| (ExperimentId(id), per_sec))
        .collect())
}

/// The events ledger of one experiment, counted, with what retention dropped.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EventCounts {
    /// By name.
    pub by_name: BTreeMap<String, u64>,
    /// That came after their unit's window.
    pub late: u64,
    /// Whose unit had no exposure.
    pub no_exposure: u64,
    /// Over the cap of their unit.
    pub over_cap: u64,
    /// From before their unit's exposure.
    pub before_exposure: u64,
}

/// The counts of the events ledger of one experiment, as the fold keeps them.
pub async fn event_counts(
    connection: &mut PgConnection,
    experiment: ExperimentId,
) -> Result<EventCounts, StoreError> {
    let rows: Vec<(String, i16, i64)> = sql::query_as(
        "select event, outcome, sum(count)::int8 from (
             select event, outcome, count from experiment_event_counts where experiment_id = $1
             union all
             select event, outcome, count from experiment_events_dropped where experiment_id = $1
         ) counts group by 1, 2 having sum(count) > 0",
    )
    .bind(experiment.0)
    .fetch_all(connection)
    .await?;
    let mut counts = EventCounts::default();
    for (event, outcome, count) in rows {
        *counts.by_name.entry(event).or_default() += count as u64;
        match Standing::from_code(outcome) {
            Some(Standing::Late) => counts.late += count as u64,
            Some(Standing::NoExposure) => counts.no_exposure += count as u64,
            Some(Standing::OverCap) => counts.over_cap += count as u64,
            Some(Standing::Early) => counts.before_exposure += count as u64,
            Some(Standing::Counted | Standing::NotReward) | None => {}
        }
    }
    Ok(counts)
}

/// How many events came again under a known id.
pub async fn repeats(
    connection: &mut PgConnection,
    experiment: ExperimentId,
) -> Result<Repeats, StoreError> {
    let row: Option<(i64, i64)> = sql::query_as(
        "select duplicates, conflicts from experiment_event_repeats where experiment_id = $1",
    )
    .bind(experiment.0)
    .fetch_optional(connection)
    .await?;
    Ok(
        row.map_or_else(Repeats::default, |(duplicates, conflicts)| Repeats {
            duplicates,
            conflicts,
        }),
    )
}

/// Where the fold is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FoldHorizon {
    /// Everything received before this is folded.
    pub as_of: DateTime<Utc>,
    /// Received events of the experiment that are not folded yet.
    pub unfolded: u64,
}

/// Where the fold is for one experiment.
pub async fn fold_horizon(
    connection: &mut PgConnection,
    experiment: ExperimentId,
) -> Result<FoldHorizon, StoreError> {
    let (as_of, unfolded): (DateTime<Utc>, i64) = sql::query_as(
        "select coalesce(min(received_at), now()), count(*) filter (where kind = 0)
         from experiment_landing where experiment_id = $1",
    )
    .bind(experiment.0)
    .fetch_one(connection)
    .await?;
    Ok(FoldHorizon {
        as_of,
        unfolded: unfolded as u64,
    })
}

/// One unit's row of the assignments ledger, with the outcome that its window closed with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AssignmentRow {
    /// The lane.
    pub lane: LaneId,
    /// The arm.
    pub arm: ArmId,
    /// The policy version.
    pub version: Version,
    /// When.
    pub at: DateTime<Utc>,
    /// When its window began.
    pub exposed_at: Option<DateTime<Utc>>,
    /// Its final outcome, in millionths.
    pub final_micro: Option<i32>,
}

type FoundRow = (
    i16,
    i16,
    i32,
    DateTime<Utc>,
    Option<DateTime<Utc>>,
    Option<i32>,
);

/// What is stored about one unit.
pub async fn assignment(
    connection: &mut PgConnection,
    experiment: ExperimentId,
    unit: UnitKey,
) -> Result<Option<AssignmentRow>, StoreError> {
    let row: Option<FoundRow> = sql::query_as(
        "select a.lane, a.arm, a.version, a.at, a.exposed_at, r.reward_micro
         from experiment_assignments a
         left join experiment_rewards r
             on r.experiment_id = a.experiment_id and r.unit_key = a.unit_key and r.kind = 2
         where a.experiment_id = $1 and a.unit_key = $2",
    )
    .bind(experiment.0)
    .bind(unit.0)
    .fetch_optional(connection)
    .await?;
    Ok(row.map(
        |(lane, arm, version, at, exposed_at, final_micro)| AssignmentRow {
            lane: LaneId(lane as u16),
            arm: ArmId(arm as u16),
            version: Version(version as u32),
            at,
            exposed_at,
            final_micro,
        },
    ))
}

/// How the events of a reward arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Arrivals {
    /// All of units that were exposed.
    pub all: u64,
    /// Of these, inside their unit's window by their own time, and folded after it was closed.
    pub too_late: u64,
}

/// Counts the arrivals of some events of one experiment, of those that the ledger still has. Reads its late events and their assignments.
pub async fn arrivals(
    connection: &mut PgConnection,
    experiment: ExperimentId,
    events: &[&str],
    window: Millis,
) -> Result<Arrivals, StoreError> {
    let (all, too_late): (i64, i64) = sql::query_as(
        "select
             (select coalesce(sum(count), 0)::int8 from experiment_event_counts
              where experiment_id = $1 and event = any ($2) and outcome <> $4),
             (select count(*) from experiment_events e
              join experiment_assignments a using (experiment_id, unit_key)
              where e.experiment_id = $1 and e.event = any ($2) and e.outcome = 1
                and e.at <= a.exposed_at + $3 * interval '1 millisecond')",
    )
    .bind(experiment.0)
    .bind(events)
    .bind(window.0 as i64)
    .bind(Standing::NoExposure.code())
    .fetch_one(connection)
    .await?;
    Ok(Arrivals {
        all: all as u64,
        too_late: too_late as u64,
    })
}

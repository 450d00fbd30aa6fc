//! Closing attribution windows: units that sent nothing in bulk inside the database, the others one by one.

use bandit::assign::UnitKey;
use bandit::experiment::{ArmId, ExperimentId, LaneId, Version};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::units::{Drawn, Unit};
use super::{StoreError, sql, weeks};

/// Which windows of an experiment are due, and what a unit without events is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueWindow {
    /// The experiment.
    pub experiment: ExperimentId,
    /// Windows that began at or before this are over, grace included.
    pub exposed_until: DateTime<Utc>,
    /// The outcome of a unit without events, in millionths.
    pub default_micro: i32,
}

/// The beginning of the oldest open window of each experiment that has one: a look into the index for each of these.
pub async fn oldest_open(
    tx: &mut PgConnection,
) -> Result<Vec<(ExperimentId, DateTime<Utc>)>, StoreError> {
    let rows: Vec<(i32, DateTime<Utc>)> = sql::query_as(
        "with recursive oldest as (
             (select experiment_id, exposed_at from experiment_assignments where open
              order by experiment_id, exposed_at limit 1)
             union all
             select next.* from oldest cross join lateral (
                 select a.experiment_id, a.exposed_at from experiment_assignments a
                 where a.open and a.experiment_id > oldest.experiment_id
                 order by a.experiment_id, a.exposed_at limit 1
             ) next
         )
         select experiment_id, exposed_at from oldest",
    )
    .fetch_all(tx)
    .await?;
    Ok(with_ids(rows))
}

/// The same for `experiments` alone.
pub async fn oldest_open_of(
    tx: &mut PgConnection,
    experiments: &[ExperimentId],
) -> Result<Vec<(ExperimentId, DateTime<Utc>)>, StoreError> {
    let rows: Vec<(i32, DateTime<Utc>)> = sql::query_as(
        "select w.experiment_id, oldest.exposed_at from unnest($1::int4[]) as w (experiment_id)
         cross join lateral (
             select exposed_at from experiment_assignments a
             where a.experiment_id = w.experiment_id and a.open order by a.exposed_at limit 1
         ) oldest",
    )
    .bind(experiments.iter().map(|id| id.0).collect::<Vec<i32>>())
    .fetch_all(tx)
    .await?;
    Ok(with_ids(rows))
}

fn with_ids(rows: Vec<(i32, DateTime<Utc>)>) -> Vec<(ExperimentId, DateTime<Utc>)> {
    rows.into_iter()
        .map(|(id, at)| (ExperimentId(id), at))
        .collect()
}

/// Units without events, closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClosedInBulk {
    /// The experiment.
    pub experiment: ExperimentId,
    /// What they drew.
    pub drawn: Drawn,
    /// How many.
    pub units: u64,
    /// The outcome of each, in millionths.
    pub reward_micro: i32,
}

/// A unit with events of its reward, still open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueUnit {
    /// Which.
    pub unit: Unit,
    /// What it drew.
    pub drawn: Drawn,
    /// The beginning of its window.
    pub exposed_at: DateTime<Utc>,
}

/// What [`close_due`] found.
#[derive(Debug, Default)]
pub struct Due {
    /// Closed already.
    pub in_bulk: Vec<ClosedInBulk>,
    /// To be judged and then closed with [`close`].
    pub with_events: Vec<DueUnit>,
}

impl Due {
    /// How many units.
    pub fn units(&self) -> u64 {
        self.in_bulk.iter().map(|bulk| bulk.units).sum::<u64>() + self.with_events.len() as u64
    }
}

#[derive(sqlx::FromRow)]
struct DueRow {
    experiment_id: i32,
    lane: i16,
    arm: i16,
    version: i32,
    default_micro: i32,
    units: i64,
    unit_key: Option<[u8; 16]>,
    exposed_at: Option<DateTime<Utc>>,
}

/// Finds up to `limit` due units, closes those without events of their reward with their default outcome, as of `at`,
/// and returns the others. Folds go one after the other, so nobody else closes them meanwhile.
pub async fn close_due(
    tx: &mut PgConnection,
    windows: &[DueWindow],
    limit: i64,
    at: DateTime<Utc>,
) -> Result<Due, StoreError> {
    let rows: Vec<DueRow> = sql::query_as(
        "with due as materialized (
             select d.*, w.default_micro
             from unnest($1::int4[], $2::timestamptz[], $3::int4[])
                 as w (experiment_id, exposed_until, default_micro)
             cross join lateral (
                 select a.experiment_id, a.unit_key, a.lane, a.arm, a.version, a.exposed_at
                 from experiment_assignments a
                 where a.experiment_id = w.experiment_id and a.open
                   and a.exposed_at <= w.exposed_until
                 order by a.exposed_at limit $4
             ) d
             limit $4
         ), judged as materialized (
             select d.*, exists (
                 select from experiment_events e
                 where e.experiment_id = d.experiment_id and e.unit_key = d.unit_key and e.outcome <> 5
                   and e.received_at >= d.exposed_at - $6
             ) as has_events
             from due d
         ), closed as (
             update experiment_assignments a set open = false from judged j
             where not j.has_events
               and a.experiment_id = j.experiment_id and a.unit_key = j.unit_key
         ), entries as (
             insert into experiment_rewards
                 (experiment_id, unit_key, entry, kind, lane, arm, version, reward_micro, at)
             select experiment_id, unit_key, 0, 2, lane, arm, version, default_micro, $5
             from judged where not has_events
             order by experiment_id, unit_key
         )
         select experiment_id, lane, arm, version, default_micro, count(*) as units,
             null::bytea as unit_key, null::timestamptz as exposed_at
         from judged where not has_events group by 1, 2, 3, 4, 5
         union all
         select experiment_id, lane, arm, version, default_micro, 1, unit_key, exposed_at
         from judged where has_events",
    )
    .bind(windows.iter().map(|w| w.experiment.0).collect::<Vec<i32>>())
    .bind(
        windows
            .iter()
            .map(|w| w.exposed_until)
            .collect::<Vec<DateTime<Utc>>>(),
    )
    .bind(
        windows
            .iter()
            .map(|w| w.default_micro)
            .collect::<Vec<i32>>(),
    )
    .bind(limit)
    .bind(at)
    .bind(weeks::LOOKED_BACK.to_std().unwrap_or_default())
    .fetch_all(tx)
    .await?;
    let mut due = Due::default();
    for row in rows {
        let experiment = ExperimentId(row.experiment_id);
        let drawn = Drawn {
            lane: LaneId(row.lane as u16),
            arm: ArmId(row.arm as u16),
            version: Version(row.version as u32),
        };
        match (row.unit_key, row.exposed_at) {
            (Some(key), Some(exposed_at)) => due.with_events.push(DueUnit {
                unit: Unit {
                    experiment,
                    key: UnitKey(key),
                },
                drawn,
                exposed_at,
            }),
            _ => due.in_bulk.push(ClosedInBulk {
                experiment,
                drawn,
                units: row.units as u64,
                reward_micro: row.default_micro,
            }),
        }
    }
    Ok(due)
}

/// Closes units whose final entries are written in the same transaction.
pub async fn close(tx: &mut PgConnection, units: &[Unit]) -> Result<(), StoreError> {
    if units.is_empty() {
        return Ok(());
    }
    sql::query(
        "update experiment_assignments a set open = false
         from unnest($1::int4[], $2::bytea[]) as k (experiment_id, unit_key)
         where a.experiment_id = k.experiment_id and a.unit_key = k.unit_key",
    )
    .bind(units.iter().map(|u| u.experiment.0).collect::<Vec<i32>>())
    .bind(units.iter().map(|u| u.key.0).collect::<Vec<[u8; 16]>>())
    .execute(tx)
    .await?;
    Ok(())
}

//! The queues that the reward fold empties, thousands of rows at a time.

use std::collections::BTreeMap;

use bandit::experiment::ExperimentId;
use bandit::posterior::ArmStats;
use bandit::spec::model::ExperimentSpec;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;
use super::state::{MINUTE_ASSIGNED, MINUTE_EXPOSED, MinuteKey, MinuteSums, StateKey};
use super::units::{Drawn, Unit, drawn, unit};

/// An acknowledged item that left the landing table.
#[derive(Debug, Clone, PartialEq)]
pub struct Landed {
    /// Whose.
    pub unit: Unit,
    /// Unique in its experiment.
    pub event_id: Uuid,
    /// An exposure; otherwise an event.
    pub exposure: bool,
    /// The event's name.
    pub event: String,
    /// Its value.
    pub value: Option<f64>,
    /// Of its body.
    pub digest: i64,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// When it was received.
    pub received_at: DateTime<Utc>,
}

/// The database's clock, as of the transaction's beginning. Windows close by it.
pub async fn now(tx: &mut PgConnection) -> Result<DateTime<Utc>, StoreError> {
    Ok(sqlx::query_scalar("select now()").fetch_one(tx).await?)
}

/// The specs of started experiments that are not among `known`, or why one cannot be read. What a reward is
/// does not change after start.
pub async fn started_specs(
    tx: &mut PgConnection,
    known: &[ExperimentId],
) -> Result<Vec<(ExperimentId, Result<ExperimentSpec, serde_json::Error>)>, StoreError> {
    let rows: Vec<(i32, serde_json::Value)> = sqlx::query_as(
        "select e.id, r.spec from experiments e
         cross join lateral (
             select spec from experiment_revisions r
             where r.experiment_id = e.id order by r.revision desc limit 1
         ) r
         where e.started_at is not null and e.id <> all ($1)",
    )
    .bind(known.iter().map(|id| id.0).collect::<Vec<i32>>())
    .fetch_all(tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(id, spec)| (ExperimentId(id), serde_json::from_value(spec)))
        .collect())
}

/// The gains of counted assignments, and how many count rows they came from.
#[derive(Debug, Default)]
pub struct Counted {
    /// Rows taken.
    pub rows: i64,
    /// For the state.
    pub state: BTreeMap<StateKey, ArmStats>,
    /// For the rollups.
    pub minutes: BTreeMap<MinuteKey, MinuteSums>,
}

type CountRow = (i32, i16, i16, i32, DateTime<Utc>, i64, i64, i64);

/// Takes up to `limit` rows of assignment counts.
pub async fn take_counts(tx: &mut PgConnection, limit: i64) -> Result<Counted, StoreError> {
    let rows: Vec<CountRow> = sqlx::query_as(
        "with gone as (
             delete from experiment_assigned_counts where id = any (array(
                 select id from experiment_assigned_counts order by id limit $1
                 for update skip locked))
             returning experiment_id, lane, arm, version, assigned, exposed, at
         )
         select experiment_id, lane, arm, version, date_trunc('minute', at, 'UTC'),
             sum(assigned)::int8, sum(exposed)::int8, count(*)
         from gone group by 1, 2, 3, 4, 5",
    )
    .bind(limit)
    .fetch_all(tx)
    .await?;
    let mut counted = Counted::default();
    for (experiment, lane, arm, version, minute, assigned, exposed, rows) in rows {
        let Drawn { lane, arm, version } = drawn(lane, arm, version);
        let experiment = ExperimentId(experiment);
        counted.rows += rows;
        let gain = counted
            .state
            .entry(StateKey {
                experiment,
                lane,
                arm,
                version,
            })
            .or_default();
        gain.assigned += assigned as u64;
        gain.exposed += exposed as u64;
        for (event, count) in [(MINUTE_ASSIGNED, assigned), (MINUTE_EXPOSED, exposed)] {
            if count > 0 {
                let key = MinuteKey {
                    experiment,
                    minute,
                    lane,
                    arm,
                    event: event.to_owned(),
                };
                counted.minutes.entry(key).or_default().count += count;
            }
        }
    }
    Ok(counted)
}

#[derive(sqlx::FromRow)]
struct LandingRow {
    experiment_id: i32,
    event_id: Uuid,
    unit_key: [u8; 16],
    kind: i16,
    event: String,
    value: Option<f64>,
    digest: i64,
    at: DateTime<Utc>,
    received_at: DateTime<Utc>,
}

/// Takes up to `limit` acknowledged items, in the order of landing.
pub async fn take_landed(tx: &mut PgConnection, limit: i64) -> Result<Vec<Landed>, StoreError> {
    let rows: Vec<LandingRow> = sqlx::query_as(
        "with gone as (
             delete from experiment_landing where id = any (array(
                 select id from experiment_landing order by id limit $1 for update skip locked))
             returning *
         )
         select experiment_id, event_id, unit_key, kind, event, value, digest, at, received_at
         from gone order by id",
    )
    .bind(limit)
    .fetch_all(tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Landed {
            unit: unit(row.experiment_id, row.unit_key),
            event_id: row.event_id,
            exposure: row.kind == 1,
            event: row.event,
            value: row.value,
            digest: row.digest,
            at: row.at,
            received_at: row.received_at,
        })
        .collect())
}

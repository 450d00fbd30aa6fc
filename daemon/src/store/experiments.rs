//! Experiments as the world reads them: what changed since last time, and the rows of those that did.

use std::collections::HashMap;

use bandit::allocation::Allocation;
use bandit::experiment::{
    Arm, ArmId, ExperimentId, InvalidName, LaneId, Revision, RunState, Version,
};
use bandit::lanes::LaneNumbers;
use bandit::schedule::Ramp;
use bandit::spec::model::ExperimentSpec;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{Store, StoreError, lanes, ramps, sql};

/// What tells that an experiment changed: equal heads mean equal rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Which experiment.
    pub id: ExperimentId,
    /// The installation revision of its newest spec or state.
    pub revision: Revision,
    /// Its lanes and the newest policy version of each; a lane without one is absent.
    pub versions: Vec<(LaneId, Version)>,
    /// The holds on it, ascending: `pause`, `quarantine blue`.
    pub holds: Vec<String>,
}

/// Every experiment's head, as of one instant.
#[derive(Debug, Clone)]
pub struct Heads {
    /// The installation's revision at that instant.
    pub revision: Revision,
    /// In ascending id order.
    pub heads: Vec<Head>,
}

/// One experiment, complete.
#[derive(Debug)]
pub struct Stored {
    /// Its number.
    pub id: ExperimentId,
    /// Its state.
    pub state: RunState,
    /// The spec in force.
    pub spec: ExperimentSpec,
    /// When it was started first.
    pub started_at: Option<DateTime<Utc>>,
    /// How far its ramp is.
    pub ramp: Option<Ramp>,
    /// Its arms, ascending id, retired and quarantined ones included.
    pub arms: Vec<Arm>,
    /// The numbers of its lanes, also of those that are not in force.
    pub lane_numbers: LaneNumbers,
    /// The newest policy version of each lane in force that has one, in lane order.
    pub lanes: Vec<StoredLane>,
}

/// The newest policy version of a lane.
#[derive(Debug)]
pub struct StoredLane {
    /// The lane.
    pub id: LaneId,
    /// The version.
    pub version: Version,
    /// When it was published.
    pub published_at: DateTime<Utc>,
    /// Why the split is still even; `None` once burn-in is over.
    pub burn_in: Option<String>,
    /// The probabilities, by arm.
    pub allocation: Allocation,
}

type HeadRow = (i32, i64, Vec<i16>, Vec<i32>, Vec<String>);

/// The heads of all experiments. Archived ones are included: their callers still get control.
pub async fn heads(connection: &mut PgConnection) -> Result<Heads, StoreError> {
    let (revision,): (i64,) = sql::query_as("select revision from installation")
        .fetch_one(&mut *connection)
        .await?;
    let rows: Vec<HeadRow> = sql::query_as(
        "select e.id, e.revision, v.lanes, v.versions,
                array(select distinct h.kind || coalesce(' ' || a.name, '') from experiment_holds h
                      left join experiment_arms a using (experiment_id, arm)
                      where h.experiment_id = e.id and h.released_at is null order by 1)
         from experiments e
         cross join lateral (
             select coalesce(array_agg(l.lane order by l.lane), '{}') as lanes,
                    coalesce(array_agg(n.version order by l.lane), '{}') as versions
             from unnest(e.lanes) as l(lane)
             cross join lateral (
                 select version from experiment_policy_versions p
                 where p.experiment_id = e.id and p.lane = l.lane
                 order by version desc limit 1
             ) n
         ) v
         order by e.id",
    )
    .fetch_all(&mut *connection)
    .await?;
    let heads = rows.into_iter().map(head).collect();
    Ok(Heads {
        revision: Revision(revision.cast_unsigned()),
        heads,
    })
}

fn head((id, revision, lanes, versions, holds): HeadRow) -> Head {
    let versions = lanes
        .into_iter()
        .zip(versions)
        .map(|(lane, version)| {
            (
                LaneId(lane.cast_unsigned()),
                Version(version.cast_unsigned()),
            )
        })
        .collect();
    Head {
        id: ExperimentId(id),
        revision: Revision(revision.cast_unsigned()),
        versions,
        holds,
    }
}

#[derive(sqlx::FromRow)]
struct ExperimentRow {
    id: i32,
    run_state: serde_json::Value,
    started_at: Option<DateTime<Utc>>,
    spec: serde_json::Value,
}

#[derive(sqlx::FromRow)]
struct ArmRow {
    experiment_id: i32,
    arm: i16,
    name: String,
    control: bool,
    config: serde_json::Value,
    retired: bool,
    quarantined: bool,
}

#[derive(sqlx::FromRow)]
struct LaneRow {
    experiment_id: i32,
    lane: i16,
    version: i32,
    published_at: DateTime<Utc>,
    burn_in: Option<String>,
    arms: Vec<i16>,
    allocation: Vec<f64>,
}

/// The experiments with these numbers, in ascending id order. One that cannot be read does not hide the others.
pub async fn load(
    connection: &mut PgConnection,
    ids: &[ExperimentId],
) -> Result<Vec<Result<Stored, StoreError>>, StoreError> {
    let ramps = ramps::of(&mut *connection, ids).await?;
    let ids: Vec<i32> = ids.iter().map(|id| id.0).collect();
    let experiments: Vec<ExperimentRow> = sql::query_as(
        "select e.id, e.run_state, e.started_at, r.spec
         from experiments e
         cross join lateral (
             select spec from experiment_revisions r
             where r.experiment_id = e.id order by r.revision desc limit 1
         ) r
         where e.id = any($1)
         order by e.id",
    )
    .bind(&ids)
    .fetch_all(&mut *connection)
    .await?;
    let arms = arm_rows(&mut *connection, &ids).await?;
    let lanes = newest_versions(&mut *connection, &ids).await?;
    let mut numbers = lanes::numbers(connection, &ids).await?;
    let mut arms = grouped(arms, |row| row.experiment_id);
    let mut lanes = grouped(lanes, |row| row.experiment_id);
    Ok(experiments
        .into_iter()
        .map(|row| {
            let mine = arms.remove(&row.id).unwrap_or_default();
            let newest = lanes.remove(&row.id).unwrap_or_default();
            let numbers = numbers.remove(&row.id).unwrap_or_default();
            let ramp = ramps.get(&ExperimentId(row.id)).copied();
            stored(row, ramp, mine, numbers, newest)
        })
        .collect())
}

/// An experiment's arms, ascending id, retired and quarantined ones included.
pub async fn arms(connection: &mut PgConnection, id: ExperimentId) -> Result<Vec<Arm>, StoreError> {
    let rows = arm_rows(connection, &[id.0]).await?;
    rows.into_iter().map(arm).collect()
}

/// Whether an arm is quarantined its hold alone tells.
async fn arm_rows(connection: &mut PgConnection, ids: &[i32]) -> Result<Vec<ArmRow>, sqlx::Error> {
    sql::query_as(
        "select experiment_id, arm, name, control, config, retired,
                exists (select from experiment_holds h
                        where h.experiment_id = a.experiment_id and h.arm = a.arm
                          and h.kind = 'quarantine' and h.released_at is null) as quarantined
         from experiment_arms a where experiment_id = any($1) order by experiment_id, arm",
    )
    .bind(ids)
    .fetch_all(connection)
    .await
}

fn grouped<T>(rows: Vec<T>, id: impl Fn(&T) -> i32) -> HashMap<i32, Vec<T>> {
    let mut groups: HashMap<i32, Vec<T>> = HashMap::new();
    for row in rows {
        groups.entry(id(&row)).or_default().push(row);
    }
    groups
}

async fn newest_versions(
    connection: &mut PgConnection,
    ids: &[i32],
) -> Result<Vec<LaneRow>, sqlx::Error> {
    sql::query_as(
        "select e.id as experiment_id, p.lane, p.version, p.published_at, p.burn_in, p.arms, p.allocation
         from experiments e
         cross join lateral unnest(e.lanes) as l(lane)
         cross join lateral (
             select * from experiment_policy_versions p
             where p.experiment_id = e.id and p.lane = l.lane order by version desc limit 1
         ) p
         where e.id = any($1)
         order by e.id, p.lane",
    )
    .bind(ids)
    .fetch_all(connection)
    .await
}

fn stored(
    row: ExperimentRow,
    ramp: Option<Ramp>,
    arms: Vec<ArmRow>,
    lane_numbers: LaneNumbers,
    lanes: Vec<LaneRow>,
) -> Result<Stored, StoreError> {
    Ok(Stored {
        id: ExperimentId(row.id),
        state: document(row.id, "run_state", row.run_state)?,
        spec: document(row.id, "spec", row.spec)?,
        started_at: row.started_at,
        ramp,
        arms: arms.into_iter().map(arm).collect::<Result<_, _>>()?,
        lane_numbers,
        lanes: lanes.into_iter().map(lane).collect::<Result<_, _>>()?,
    })
}

fn document<T: serde::de::DeserializeOwned>(
    id: i32,
    what: &'static str,
    value: serde_json::Value,
) -> Result<T, StoreError> {
    serde_json::from_value(value).map_err(|error| unreadable(id, what, error))
}

fn unreadable(
    id: i32,
    what: &'static str,
    error: impl std::error::Error + Send + Sync + 'static,
) -> StoreError {
    StoreError::unreadable(format!("{what} of experiment {id}"), error)
}

fn arm(row: ArmRow) -> Result<Arm, StoreError> {
    let name = row
        .name
        .parse()
        .map_err(|error: InvalidName| unreadable(row.experiment_id, "arm name", error))?;
    Ok(Arm {
        id: ArmId(row.arm.cast_unsigned()),
        name,
        control: row.control,
        config: row.config,
        retired: row.retired,
        quarantined: row.quarantined,
    })
}

fn lane(row: LaneRow) -> Result<StoredLane, StoreError> {
    let probabilities = row
        .arms
        .iter()
        .map(|arm| ArmId(arm.cast_unsigned()))
        .zip(row.allocation)
        .collect();
    let allocation = Allocation::new(probabilities)
        .map_err(|error| unreadable(row.experiment_id, "allocation", error))?;
    Ok(StoredLane {
        id: LaneId(row.lane.cast_unsigned()),
        version: Version(row.version.cast_unsigned()),
        published_at: row.published_at,
        burn_in: row.burn_in,
        allocation,
    })
}

/// A view of the database at one instant, for as long as the transaction lives: heads and rows fit together.
pub async fn snapshot(
    store: &Store,
) -> Result<sqlx::Transaction<'static, sqlx::Postgres>, StoreError> {
    let mut transaction = store.begin().await?;
    sql::query("set transaction isolation level repeatable read read only")
        .execute(&mut *transaction)
        .await?;
    Ok(transaction)
}

//! The write side of experiments: their rows, the revisions of their specs, their arms.

use std::collections::HashMap;

use bandit::experiment::{Arm, ExperimentId, Revision, RunState};
use bandit::lanes::LaneNumbers;
use bandit::spec::model::{ArmSpec, ExperimentSpec};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use sqlx::types::Json;

use super::{StoreError, experiments, lanes, sql};

/// An experiment as a mutation finds it.
#[derive(Debug)]
pub struct Found {
    /// Its number.
    pub id: ExperimentId,
    /// Its state.
    pub state: RunState,
    /// The installation's revision of its newest spec or state.
    pub revision: Revision,
}

/// The experiment under `key`; any text may be asked for.
pub async fn find(tx: &mut PgConnection, key: &str) -> Result<Option<Found>, StoreError> {
    // PostgreSQL's texts cannot hold NUL, so no stored key has one.
    if key.contains('\0') {
        return Ok(None);
    }
    let row: Option<(i32, Json<RunState>, i64)> =
        sql::query_as("select id, run_state, revision from experiments where key = $1")
            .bind(key)
            .fetch_optional(tx)
            .await?;
    Ok(row.map(|(id, Json(state), revision)| Found {
        id: ExperimentId(id),
        state,
        revision: Revision(revision.cast_unsigned()),
    }))
}

/// The numbers of all experiments, ascending.
pub async fn ids(tx: &mut PgConnection) -> Result<Vec<ExperimentId>, StoreError> {
    let rows: Vec<(i32,)> = sql::query_as("select id from experiments order by id")
        .fetch_all(tx)
        .await?;
    Ok(rows.into_iter().map(|(id,)| ExperimentId(id)).collect())
}

/// Creates an experiment as a draft; its spec is written with [`put_spec`].
pub async fn create(
    tx: &mut PgConnection,
    key: &str,
    revision: Revision,
    at: DateTime<Utc>,
) -> Result<ExperimentId, StoreError> {
    let (id,): (i32,) = sql::query_as(
        "insert into experiments (key, state, run_state, revision, lanes, created_at)
         values ($1, $2, $3, $4, '{}', $5) returning id",
    )
    .bind(key)
    .bind(RunState::Draft.name())
    .bind(Json(RunState::Draft))
    .bind(revision.0.cast_signed())
    .bind(at)
    .fetch_one(tx)
    .await?;
    Ok(ExperimentId(id))
}

/// What an experiment has after a spec was put in force.
#[derive(Debug)]
pub struct Numbered {
    /// Its arms in ascending id order, retired and quarantined ones included.
    pub arms: Vec<Arm>,
    /// The numbers of its lanes.
    pub lanes: LaneNumbers,
}

/// Puts a spec in force under `revision` and brings the arms and the lanes in line with it.
pub async fn put_spec(
    tx: &mut PgConnection,
    id: ExperimentId,
    spec: &ExperimentSpec,
    revision: Revision,
    at: DateTime<Utc>,
) -> Result<Numbered, StoreError> {
    sql::query(
        "insert into experiment_revisions (experiment_id, revision, spec, created_at)
         values ($1, $2, $3, $4)",
    )
    .bind(id.0)
    .bind(revision.0.cast_signed())
    .bind(Json(spec))
    .bind(at)
    .execute(&mut *tx)
    .await?;
    touch(tx, id, revision).await?;
    Ok(Numbered {
        lanes: lanes::put(tx, id, spec).await?,
        arms: put_arms(tx, id, &spec.arms).await?,
    })
}

/// Puts an experiment into `state`. The first start is remembered for ever.
pub async fn put_state(
    tx: &mut PgConnection,
    id: ExperimentId,
    state: &RunState,
    revision: Revision,
) -> Result<(), StoreError> {
    let running_since = match state {
        RunState::Running { since } => Some(*since),
        RunState::Draft
        | RunState::Paused { .. }
        | RunState::Stopped { .. }
        | RunState::RolledBack { .. }
        | RunState::Archived { .. } => None,
    };
    sql::query(
        "update experiments set state = $2, run_state = $3, revision = $4,
             started_at = coalesce(started_at, $5)
         where id = $1",
    )
    .bind(id.0)
    .bind(state.name())
    .bind(Json(state))
    .bind(revision.0.cast_signed())
    .bind(running_since)
    .execute(tx)
    .await?;
    Ok(())
}

/// Gives an experiment a new revision for a change that is neither in its spec nor in its state.
pub async fn touch(
    tx: &mut PgConnection,
    id: ExperimentId,
    revision: Revision,
) -> Result<(), StoreError> {
    sql::query("update experiments set revision = $2 where id = $1")
        .bind(id.0)
        .bind(revision.0.cast_signed())
        .execute(tx)
        .await?;
    Ok(())
}

/// An arm that is declared again gets its old number; one that is no longer declared is retired.
async fn put_arms(
    tx: &mut PgConnection,
    id: ExperimentId,
    declared: &[ArmSpec],
) -> Result<Vec<Arm>, StoreError> {
    let stored: Vec<(i16, String)> =
        sql::query_as("select arm, name from experiment_arms where experiment_id = $1")
            .bind(id.0)
            .fetch_all(&mut *tx)
            .await?;
    let numbers: HashMap<String, i16> = stored
        .iter()
        .map(|(arm, name)| (name.clone(), *arm))
        .collect();
    let mut next = stored.iter().map(|(arm, _)| arm + 1).max().unwrap_or(0);
    sql::query("update experiment_arms set retired = true where experiment_id = $1")
        .bind(id.0)
        .execute(&mut *tx)
        .await?;
    for arm in declared {
        let number = numbers.get(arm.name.as_str()).copied().unwrap_or_else(|| {
            next += 1;
            next - 1
        });
        put_arm(tx, id, number, arm).await?;
    }
    experiments::arms(tx, id).await
}

async fn put_arm(
    tx: &mut PgConnection,
    id: ExperimentId,
    number: i16,
    arm: &ArmSpec,
) -> Result<(), StoreError> {
    sql::query(
        "insert into experiment_arms (experiment_id, arm, name, control, config, retired)
         values ($1, $2, $3, $4, $5, false)
         on conflict (experiment_id, arm) do update set
             control = excluded.control, config = excluded.config, retired = false",
    )
    .bind(id.0)
    .bind(number)
    .bind(arm.name.as_str())
    .bind(arm.control)
    .bind(&arm.config)
    .execute(tx)
    .await?;
    Ok(())
}

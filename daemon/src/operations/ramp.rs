//! The ramp's memory, written with whatever starts an experiment or changes its spec.

use bandit::experiment::ExperimentId;
use bandit::schedule::Ramp;
use bandit::spec::model::ExperimentSpec;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::current::Present;
use crate::store::experiments::{self, Stored};
use crate::store::{StoreError, ramps};

/// An experiment that starts takes the first step of its ramp.
pub(super) async fn begin(
    tx: &mut PgConnection,
    id: ExperimentId,
    spec: &ExperimentSpec,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let ramp = Ramp::begin(spec, at, exposed(tx, id).await?);
    ramps::put(tx, id, ramp).await
}

/// One that has started goes on from the traffic that it serves.
pub(super) async fn carry_on(
    tx: &mut PgConnection,
    present: &Present,
    spec: &ExperimentSpec,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let exposed = exposed(tx, present.id).await?;
    let Present { id, current, .. } = present;
    let ramp = Ramp::carried_on(current.ramp, &current.spec, spec, at, exposed);
    ramps::put(tx, *id, ramp).await
}

/// Units that were ever exposed.
pub(super) async fn exposed(tx: &mut PgConnection, id: ExperimentId) -> Result<u64, StoreError> {
    let exposed = ramps::exposed(tx, &[id]).await?;
    Ok(exposed.get(&id).copied().unwrap_or(0))
}

/// An experiment that is there, complete.
pub(super) async fn stored(tx: &mut PgConnection, id: ExperimentId) -> Result<Stored, StoreError> {
    let missing = || StoreError::unreadable(format!("experiment {id}"), "it has no spec");
    let mut loaded = experiments::load(tx, &[id]).await?;
    loaded.pop().unwrap_or_else(|| Err(missing()))
}

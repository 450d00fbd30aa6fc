//! Units and what they drew: the side of the assignments ledger that rewards are concerned with.

use std::collections::HashMap;

use bandit::assign::UnitKey;
use bandit::experiment::{ArmId, ExperimentId, LaneId, Version};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{StoreError, sql};

/// One unit of one experiment, ordered as the assignments' primary key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Unit {
    /// The experiment.
    pub experiment: ExperimentId,
    /// The unit's key.
    pub key: UnitKey,
}

/// What a unit drew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drawn {
    /// The lane.
    pub lane: LaneId,
    /// The arm.
    pub arm: ArmId,
    /// The policy version.
    pub version: Version,
}

/// A stored assignment, as far as its reward is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assigned {
    /// What it drew.
    pub drawn: Drawn,
    /// Exposed, and its window has not been closed.
    pub open: bool,
    /// Start of its window.
    pub exposed_at: Option<DateTime<Utc>>,
}

type AssignedRow = (i32, [u8; 16], i16, i16, i32, bool, Option<DateTime<Utc>>);

/// Reads the assignments of `units`.
pub async fn assigned(
    tx: &mut PgConnection,
    units: &[Unit],
) -> Result<HashMap<Unit, Assigned>, StoreError> {
    if units.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<AssignedRow> = sql::query_as(
        "select a.experiment_id, a.unit_key, a.lane, a.arm, a.version, a.open, a.exposed_at
         from unnest($1::int4[], $2::bytea[]) as k (experiment_id, unit_key)
         join experiment_assignments a using (experiment_id, unit_key)",
    )
    .bind(experiments(units))
    .bind(keys(units))
    .fetch_all(tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(experiment, key, lane, arm, version, open, exposed_at)| {
            let assigned = Assigned {
                drawn: drawn(lane, arm, version),
                open,
                exposed_at,
            };
            (unit(experiment, key), assigned)
        })
        .collect())
}

/// Starts the windows of units that were never exposed.
pub async fn expose(
    tx: &mut PgConnection,
    exposures: &[(Unit, DateTime<Utc>)],
) -> Result<(), StoreError> {
    if exposures.is_empty() {
        return Ok(());
    }
    sql::query(
        "update experiment_assignments a set exposed_at = k.at, open = true
         from unnest($1::int4[], $2::bytea[], $3::timestamptz[]) as k (experiment_id, unit_key, at)
         where a.experiment_id = k.experiment_id and a.unit_key = k.unit_key
           and a.exposed_at is null",
    )
    .bind(
        exposures
            .iter()
            .map(|(u, _)| u.experiment.0)
            .collect::<Vec<i32>>(),
    )
    .bind(
        exposures
            .iter()
            .map(|(u, _)| u.key.0)
            .collect::<Vec<[u8; 16]>>(),
    )
    .bind(
        exposures
            .iter()
            .map(|(_, at)| *at)
            .collect::<Vec<DateTime<Utc>>>(),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// A column of the units' experiments, to bind.
pub(super) fn experiments(units: &[Unit]) -> Vec<i32> {
    units.iter().map(|unit| unit.experiment.0).collect()
}

/// A column of the units' keys, to bind.
pub(super) fn keys(units: &[Unit]) -> Vec<[u8; 16]> {
    units.iter().map(|unit| unit.key.0).collect()
}

pub(super) fn unit(experiment: i32, key: [u8; 16]) -> Unit {
    Unit {
        experiment: ExperimentId(experiment),
        key: UnitKey(key),
    }
}

pub(super) fn drawn(lane: i16, arm: i16, version: i32) -> Drawn {
    Drawn {
        lane: LaneId(lane as u16),
        arm: ArmId(arm as u16),
        version: Version(version as u32),
    }
}

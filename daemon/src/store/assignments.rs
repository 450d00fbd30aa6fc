//! The assignments ledger, as the data path writes and reads it: many units in one statement.

use std::collections::HashMap;

use bandit::assign::{Stored, UnitKey};
use bandit::experiment::{ArmId, ExperimentId, LaneId, Version};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{StoreError, sql};
use crate::sticky::Recorded;

/// A unit in an experiment: the key of the ledger.
pub type Place = (ExperimentId, UnitKey);

/// A draw that is to be recorded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Draw {
    /// Whose, and where.
    pub place: Place,
    /// What was drawn.
    pub stored: Stored,
    /// Whether the unit meets its arm now.
    pub expose: bool,
    /// When.
    pub at: DateTime<Utc>,
}

/// Records the draws of units that have no record yet, and counts them, in one statement: the count has one
/// effect however often the statement is tried. Gives the places that were recorded by this call.
///
/// `draws` must be in ascending order of place, each once: two writers then wait for each other in one
/// order and never deadlock.
pub async fn record(
    connection: &mut PgConnection,
    draws: &[Draw],
) -> Result<Vec<Place>, StoreError> {
    let columns = Columns::of(draws);
    let rows: Vec<(i32, Vec<u8>)> = sql::query_as(
        "with fresh as (
             insert into experiment_assignments
                 (experiment_id, unit_key, lane, arm, version, open, at, exposed_at)
             select experiment_id, unit_key, lane, arm, version, open, at, case when open then at end
             from unnest($1::int4[], $2::bytea[], $3::int2[], $4::int2[], $5::int4[], $6::bool[], $7::timestamptz[])
                 as drawn(experiment_id, unit_key, lane, arm, version, open, at)
             on conflict do nothing
             returning experiment_id, unit_key, lane, arm, version, open, at
         ), counted as (
             insert into experiment_assigned_counts
                 (experiment_id, lane, arm, version, assigned, exposed, at)
             select experiment_id, lane, arm, version, count(*), count(*) filter (where open), max(at)
             from fresh group by experiment_id, lane, arm, version
         )
         select experiment_id, unit_key from fresh",
    )
    .bind(columns.experiments)
    .bind(columns.units)
    .bind(columns.lanes)
    .bind(columns.arms)
    .bind(columns.versions)
    .bind(columns.exposed)
    .bind(columns.at)
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|(experiment, unit)| place(experiment, &unit))
        .collect()
}

/// The draws, column by column, as `unnest` takes them.
struct Columns<'a> {
    experiments: Vec<i32>,
    units: Vec<&'a [u8]>,
    lanes: Vec<i16>,
    arms: Vec<i16>,
    versions: Vec<i32>,
    exposed: Vec<bool>,
    at: Vec<DateTime<Utc>>,
}

impl<'a> Columns<'a> {
    fn of(draws: &'a [Draw]) -> Self {
        Self {
            experiments: draws.iter().map(|draw| draw.place.0.0).collect(),
            units: draws.iter().map(|draw| &draw.place.1.0[..]).collect(),
            lanes: draws
                .iter()
                .map(|draw| draw.stored.lane.0.cast_signed())
                .collect(),
            arms: draws
                .iter()
                .map(|draw| draw.stored.arm.0.cast_signed())
                .collect(),
            versions: draws
                .iter()
                .map(|draw| draw.stored.version.0.cast_signed())
                .collect(),
            exposed: draws.iter().map(|draw| draw.expose).collect(),
            at: draws.iter().map(|draw| draw.at).collect(),
        }
    }
}

#[derive(sqlx::FromRow)]
struct RecordedRow {
    experiment_id: i32,
    unit_key: Vec<u8>,
    lane: i16,
    arm: i16,
    version: i32,
    exposed: bool,
    propensity: Option<f64>,
}

/// What is recorded at `places`; a place without a record is absent.
pub async fn find(
    connection: &mut PgConnection,
    places: &[Place],
) -> Result<HashMap<Place, Recorded>, StoreError> {
    let experiments: Vec<i32> = places.iter().map(|place| place.0.0).collect();
    let units: Vec<&[u8]> = places.iter().map(|place| &place.1.0[..]).collect();
    let rows: Vec<RecordedRow> = sql::query_as(
        "select a.experiment_id, a.unit_key, a.lane, a.arm, a.version, a.exposed_at is not null as exposed,
                p.allocation[array_position(p.arms, a.arm)] as propensity
         from unnest($1::int4[], $2::bytea[]) as wanted(experiment_id, unit_key)
         join experiment_assignments a using (experiment_id, unit_key)
         left join experiment_policy_versions p
             on p.experiment_id = a.experiment_id and p.lane = a.lane and p.version = a.version",
    )
    .bind(experiments)
    .bind(units)
    .fetch_all(connection)
    .await?;
    rows.iter().map(recorded).collect()
}

fn recorded(row: &RecordedRow) -> Result<(Place, Recorded), StoreError> {
    let place = place(row.experiment_id, &row.unit_key)?;
    let propensity = row.propensity.ok_or_else(|| {
        StoreError::unreadable(
            format!("assignment of {} in experiment {}", place.1, place.0),
            "its policy version does not have its arm",
        )
    })?;
    let stored = Stored {
        lane: LaneId(row.lane.cast_unsigned()),
        arm: ArmId(row.arm.cast_unsigned()),
        version: Version(row.version.cast_unsigned()),
    };
    let recorded = Recorded {
        stored,
        propensity,
        exposed: row.exposed,
    };
    Ok((place, recorded))
}

fn place(experiment: i32, unit: &[u8]) -> Result<Place, StoreError> {
    let key = <[u8; 16]>::try_from(unit).map_err(|error| {
        StoreError::unreadable(format!("a unit key of experiment {experiment}"), error)
    })?;
    Ok((ExperimentId(experiment), UnitKey(key)))
}

//! The landing table, as the data path fills it: acknowledged events that the fold has not taken yet.

use bandit::assign::UnitKey;
use bandit::experiment::ExperimentId;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::StoreError;

/// An event or exposure on its way to the ledger.
#[derive(Debug, Clone, PartialEq)]
pub struct Landed {
    /// Where.
    pub experiment: ExperimentId,
    /// One id, one effect.
    pub event_id: Uuid,
    /// Who.
    pub unit: UnitKey,
    /// Event or exposure.
    pub kind: LandedKind,
    /// What happened; empty for an exposure.
    pub event: String,
    /// How much; finite.
    pub value: Option<f64>,
    /// Of the body: the same id with another digest is a conflict.
    pub digest: u64,
    /// When it happened, as far as we believe it.
    pub at: DateTime<Utc>,
    /// When it came.
    pub received_at: DateTime<Utc>,
}

/// What has landed. The numbers are those of the column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i16)]
pub enum LandedKind {
    /// Something a service tracked.
    Event = 0,
    /// A unit that was assigned with `expose: false` has met its arm.
    Exposure = 1,
}

/// Lands all `rows`. Landing a row twice is harmless: the ledger takes each id once.
pub async fn land(connection: &mut PgConnection, rows: &[&Landed]) -> Result<(), StoreError> {
    let columns = Columns::of(rows);
    sqlx::query(
        "insert into experiment_landing
             (experiment_id, event_id, unit_key, kind, event, value, digest, at, received_at)
         select * from unnest($1::int4[], $2::uuid[], $3::bytea[], $4::int2[], $5::text[],
                              $6::float8[], $7::int8[], $8::timestamptz[], $9::timestamptz[])",
    )
    .bind(columns.experiments)
    .bind(columns.ids)
    .bind(columns.units)
    .bind(columns.kinds)
    .bind(columns.events)
    .bind(columns.values)
    .bind(columns.digests)
    .bind(columns.at)
    .bind(columns.received_at)
    .execute(connection)
    .await?;
    Ok(())
}

/// The rows, column by column, as `unnest` takes them.
struct Columns<'a> {
    experiments: Vec<i32>,
    ids: Vec<Uuid>,
    units: Vec<&'a [u8]>,
    kinds: Vec<i16>,
    events: Vec<&'a str>,
    values: Vec<Option<f64>>,
    digests: Vec<i64>,
    at: Vec<DateTime<Utc>>,
    received_at: Vec<DateTime<Utc>>,
}

impl<'a> Columns<'a> {
    fn of(rows: &[&'a Landed]) -> Self {
        Self {
            experiments: rows.iter().map(|row| row.experiment.0).collect(),
            ids: rows.iter().map(|row| row.event_id).collect(),
            units: rows.iter().map(|row| &row.unit.0[..]).collect(),
            kinds: rows.iter().map(|row| row.kind as i16).collect(),
            events: rows.iter().map(|row| row.event.as_str()).collect(),
            values: rows.iter().map(|row| row.value).collect(),
            digests: rows.iter().map(|row| row.digest.cast_signed()).collect(),
            at: rows.iter().map(|row| row.at).collect(),
            received_at: rows.iter().map(|row| row.received_at).collect(),
        }
    }
}

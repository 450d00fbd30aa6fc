//! The events ledger: what happened, each event once, and where it stands towards its unit's outcome.

use std::collections::{BTreeMap, HashMap};

use bandit::experiment::ExperimentId;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::fold::Landed;
use super::units::{self, Unit};
use super::{StoreError, sql};

/// Where an event stands towards its unit's outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It was looked at.
    Counted,
    /// It came after the window, or after the window was closed.
    Late,
    /// Its unit had not met an arm when it was folded.
    NoExposure,
    /// Its unit had sent as many as are looked at.
    OverCap,
    /// It happened before the exposure, so the arm did not cause it.
    Early,
    /// It is no part of the reward, and kept for guardrails and for reading. The index by unit leaves these out:
    /// nothing ever looks for them by unit.
    NotReward,
}

impl Standing {
    /// As stored.
    pub fn code(self) -> i16 {
        match self {
            Self::Counted => 0,
            Self::Late => 1,
            Self::NoExposure => 2,
            Self::OverCap => 3,
            Self::Early => 4,
            Self::NotReward => 5,
        }
    }

    /// From what is stored; `None` if this build does not know it.
    pub fn from_code(code: i16) -> Option<Self> {
        [
            Self::Counted,
            Self::Late,
            Self::NoExposure,
            Self::OverCap,
            Self::Early,
            Self::NotReward,
        ]
        .into_iter()
        .find(|standing| standing.code() == code)
    }
}

/// An event of the ledger, as far as rewards are concerned.
#[derive(Debug, Clone, PartialEq)]
pub struct LedgerEvent {
    /// Unique in its experiment.
    pub event_id: Uuid,
    /// Its name.
    pub event: String,
    /// Its value.
    pub value: Option<f64>,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// When it was received, as far as the ledger believes it: tells the week that it is in.
    pub received_at: DateTime<Utc>,
    /// Its recorded standing.
    pub standing: Standing,
}

#[derive(sqlx::FromRow)]
struct EventRow {
    experiment_id: i32,
    unit_key: [u8; 16],
    event_id: Uuid,
    event: String,
    value: Option<f64>,
    at: DateTime<Utc>,
    received_at: DateTime<Utc>,
    outcome: i16,
}

/// What the ledger has about units and their rewards, each since the instant before which nothing counts for it.
pub async fn events_of(
    connection: &mut PgConnection,
    units: &[(Unit, DateTime<Utc>)],
) -> Result<HashMap<Unit, Vec<LedgerEvent>>, StoreError> {
    if units.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<EventRow> = sql::query_as(
        // Lateral and not to be pulled up: each unit is looked up in its own weeks, and never a week read for all.
        "select e.*
         from unnest($1::int4[], $2::bytea[], $3::timestamptz[]) as k (experiment_id, unit_key, since)
         cross join lateral (
             select experiment_id, unit_key, event_id, event, value, at, received_at, outcome
             from experiment_events e
             where e.experiment_id = k.experiment_id and e.unit_key = k.unit_key and e.outcome <> 5
               and e.received_at >= k.since
             offset 0
         ) e",
    )
    .bind(units.iter().map(|(u, _)| u.experiment.0).collect::<Vec<i32>>())
    .bind(units.iter().map(|(u, _)| u.key.0).collect::<Vec<[u8; 16]>>())
    .bind(
        units
            .iter()
            .map(|(_, since)| *since)
            .collect::<Vec<DateTime<Utc>>>(),
    )
    .fetch_all(connection)
    .await?;
    let mut by_unit: HashMap<Unit, Vec<LedgerEvent>> = HashMap::new();
    for row in rows {
        let standing = Standing::from_code(row.outcome).ok_or_else(|| {
            StoreError::unreadable(
                format!("outcome {} of event {}", row.outcome, row.event_id),
                "not a standing that this build knows",
            )
        })?;
        by_unit
            .entry(units::unit(row.experiment_id, row.unit_key))
            .or_default()
            .push(LedgerEvent {
                event_id: row.event_id,
                event: row.event,
                value: row.value,
                at: row.at,
                received_at: row.received_at,
                standing,
            });
    }
    Ok(by_unit)
}

/// Appends new events to the ledger, in key order.
pub async fn append_events(
    tx: &mut PgConnection,
    events: &[(&Landed, Standing)],
) -> Result<(), StoreError> {
    if events.is_empty() {
        return Ok(());
    }
    let landed = || events.iter().map(|(landed, _)| *landed);
    sql::query(
        "insert into experiment_events (experiment_id, event_id, unit_key, event, value,
             digest, at, received_at, outcome)
         select * from unnest($1::int4[], $2::uuid[], $3::bytea[], $4::text[], $5::float8[],
             $6::int8[], $7::timestamptz[], $8::timestamptz[], $9::int2[])
         order by 1, 2",
    )
    .bind(landed().map(|e| e.unit.experiment.0).collect::<Vec<i32>>())
    .bind(landed().map(|e| e.event_id).collect::<Vec<Uuid>>())
    .bind(landed().map(|e| e.unit.key.0).collect::<Vec<[u8; 16]>>())
    .bind(landed().map(|e| e.event.as_str()).collect::<Vec<&str>>())
    .bind(landed().map(|e| e.value).collect::<Vec<Option<f64>>>())
    .bind(landed().map(|e| e.digest).collect::<Vec<i64>>())
    .bind(landed().map(|e| e.at).collect::<Vec<DateTime<Utc>>>())
    .bind(
        landed()
            .map(|e| e.received_at)
            .collect::<Vec<DateTime<Utc>>>(),
    )
    .bind(
        events
            .iter()
            .map(|(_, standing)| standing.code())
            .collect::<Vec<i16>>(),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// An event that stands elsewhere now.
#[derive(Debug, Clone, PartialEq)]
pub struct Restood {
    /// The experiment.
    pub experiment: ExperimentId,
    /// The event, as it stood.
    pub event: LedgerEvent,
    /// Where it stands now.
    pub standing: Standing,
}

/// Records new standings of events that are in the ledger.
pub async fn restand(tx: &mut PgConnection, changed: &[Restood]) -> Result<(), StoreError> {
    if changed.is_empty() {
        return Ok(());
    }
    sql::query(
        "update experiment_events e set outcome = k.outcome
         from unnest($1::int4[], $2::uuid[], $3::int2[], $4::timestamptz[])
             as k (experiment_id, event_id, outcome, received_at)
         where e.experiment_id = k.experiment_id and e.event_id = k.event_id
           and e.received_at = k.received_at",
    )
    .bind(
        changed
            .iter()
            .map(|it| it.experiment.0)
            .collect::<Vec<i32>>(),
    )
    .bind(
        changed
            .iter()
            .map(|it| it.event.event_id)
            .collect::<Vec<Uuid>>(),
    )
    .bind(
        changed
            .iter()
            .map(|it| it.standing.code())
            .collect::<Vec<i16>>(),
    )
    .bind(
        changed
            .iter()
            .map(|it| it.event.received_at)
            .collect::<Vec<DateTime<Utc>>>(),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Which rows of the ledger are counted together, ordered as the counts' primary key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CountKey {
    /// The experiment.
    pub experiment: ExperimentId,
    /// The event's name.
    pub event: String,
    /// The code of its standing.
    pub standing: i16,
    /// The first instant of the week of its receipt.
    pub week: DateTime<Utc>,
}

/// Adds to the counts of the ledger.
pub async fn add_counts(
    tx: &mut PgConnection,
    counts: &BTreeMap<CountKey, i64>,
) -> Result<(), StoreError> {
    if counts.is_empty() {
        return Ok(());
    }
    sql::query(
        "insert into experiment_event_counts as c (experiment_id, event, outcome, week, count)
         select * from unnest($1::int4[], $2::text[], $3::int2[], $4::timestamptz[], $5::int8[])
         on conflict (experiment_id, event, outcome, week) do update set count = c.count + excluded.count",
    )
    .bind(counts.keys().map(|key| key.experiment.0).collect::<Vec<i32>>())
    .bind(counts.keys().map(|key| key.event.as_str()).collect::<Vec<&str>>())
    .bind(counts.keys().map(|key| key.standing).collect::<Vec<i16>>())
    .bind(counts.keys().map(|key| key.week).collect::<Vec<DateTime<Utc>>>())
    .bind(counts.values().copied().collect::<Vec<i64>>())
    .execute(tx)
    .await?;
    Ok(())
}

/// What came again under a known id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Repeats {
    /// With the same body.
    pub duplicates: i64,
    /// With another body.
    pub conflicts: i64,
}

/// Adds to the counts of repeats.
pub async fn add_repeats(
    tx: &mut PgConnection,
    repeats: &BTreeMap<ExperimentId, Repeats>,
) -> Result<(), StoreError> {
    if repeats.is_empty() {
        return Ok(());
    }
    sql::query(
        "insert into experiment_event_repeats as r (experiment_id, duplicates, conflicts)
         select * from unnest($1::int4[], $2::int8[], $3::int8[])
         on conflict (experiment_id) do update set
             duplicates = r.duplicates + excluded.duplicates,
             conflicts = r.conflicts + excluded.conflicts",
    )
    .bind(repeats.keys().map(|id| id.0).collect::<Vec<i32>>())
    .bind(repeats.values().map(|r| r.duplicates).collect::<Vec<i64>>())
    .bind(repeats.values().map(|r| r.conflicts).collect::<Vec<i64>>())
    .execute(tx)
    .await?;
    Ok(())
}

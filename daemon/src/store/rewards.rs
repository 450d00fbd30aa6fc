//! The rewards ledger: one entry per change of a unit's outcome, append-only.

use std::collections::HashMap;

use bandit::experiment::ExperimentId;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::units::{Drawn, Unit};
use super::{StoreError, sql};

/// What an entry says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// The outcome so far went up.
    SoFar,
    /// The outcome so far went down: revoked.
    Revoked,
    /// The window closed: final.
    Closed,
}

impl EntryKind {
    /// As stored.
    pub fn code(self) -> i16 {
        match self {
            Self::SoFar => 0,
            Self::Revoked => 1,
            Self::Closed => 2,
        }
    }

    /// From what is stored; `None` if this build does not know it.
    pub fn from_code(code: i16) -> Option<Self> {
        [Self::SoFar, Self::Revoked, Self::Closed]
            .into_iter()
            .find(|kind| kind.code() == code)
    }
}

/// One entry of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Whose.
    pub unit: Unit,
    /// Its place among the unit's entries, from 0.
    pub entry: i16,
    /// What it says.
    pub kind: EntryKind,
    /// Where the unit was drawn.
    pub drawn: Drawn,
    /// The unit's outcome from here on, in millionths.
    pub reward_micro: i32,
}

/// The newest entry of a unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Newest {
    /// Its place, from 0.
    pub entry: i16,
    /// The outcome it records, in millionths.
    pub reward_micro: i32,
}

/// The newest entry of each of `units` that has one.
pub async fn newest(
    tx: &mut PgConnection,
    units: &[Unit],
) -> Result<HashMap<Unit, Newest>, StoreError> {
    if units.is_empty() {
        return Ok(HashMap::new());
    }
    let rows: Vec<(i32, [u8; 16], i16, i32)> = sql::query_as(
        "select distinct on (r.experiment_id, r.unit_key)
             r.experiment_id, r.unit_key, r.entry, r.reward_micro
         from unnest($1::int4[], $2::bytea[]) as k (experiment_id, unit_key)
         join experiment_rewards r using (experiment_id, unit_key)
         order by r.experiment_id, r.unit_key, r.entry desc",
    )
    .bind(units.iter().map(|u| u.experiment.0).collect::<Vec<i32>>())
    .bind(units.iter().map(|u| u.key.0).collect::<Vec<[u8; 16]>>())
    .fetch_all(tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(experiment, key, entry, reward_micro)| {
            let unit = Unit {
                experiment: ExperimentId(experiment),
                key: bandit::assign::UnitKey(key),
            };
            (
                unit,
                Newest {
                    entry,
                    reward_micro,
                },
            )
        })
        .collect())
}

/// Appends entries made at `at`. A unit that another fold has written meanwhile is a unique violation,
/// and the transaction must be given up.
pub async fn append(
    tx: &mut PgConnection,
    entries: &[Entry],
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    if entries.is_empty() {
        return Ok(());
    }
    sql::query(
        "insert into experiment_rewards
             (experiment_id, unit_key, entry, kind, lane, arm, version, reward_micro, at)
         select *, $9 from unnest($1::int4[], $2::bytea[], $3::int2[], $4::int2[],
             $5::int2[], $6::int2[], $7::int4[], $8::int4[])",
    )
    .bind(
        entries
            .iter()
            .map(|e| e.unit.experiment.0)
            .collect::<Vec<i32>>(),
    )
    .bind(
        entries
            .iter()
            .map(|e| e.unit.key.0)
            .collect::<Vec<[u8; 16]>>(),
    )
    .bind(entries.iter().map(|e| e.entry).collect::<Vec<i16>>())
    .bind(entries.iter().map(|e| e.kind.code()).collect::<Vec<i16>>())
    .bind(
        entries
            .iter()
            .map(|e| e.drawn.lane.0 as i16)
            .collect::<Vec<i16>>(),
    )
    .bind(
        entries
            .iter()
            .map(|e| e.drawn.arm.0 as i16)
            .collect::<Vec<i16>>(),
    )
    .bind(
        entries
            .iter()
            .map(|e| e.drawn.version.0 as i32)
            .collect::<Vec<i32>>(),
    )
    .bind(entries.iter().map(|e| e.reward_micro).collect::<Vec<i32>>())
    .bind(at)
    .execute(tx)
    .await?;
    Ok(())
}

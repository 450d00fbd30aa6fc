//! What was recommended for each experiment, and what it was based on.

use std::collections::BTreeMap;

use bandit::decision::Decision;
use bandit::experiment::{ArmId, ExperimentId};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{StoreError, sql};

/// A decision as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// The instant from which the row speaks.
    pub decided_at: DateTime<Utc>,
    /// When this was first recommended.
    pub since: DateTime<Utc>,
    /// The newest look.
    pub looked_at: DateTime<Utc>,
    /// What it found.
    pub decision: Decision,
}

/// A decision in a line, for lists.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// `ship`, `iterate`, `kill`, `kill_arm` or `keep_running`.
    pub decision: String,
    /// The arm it is about.
    pub arm: Option<ArmId>,
    /// When this was first recommended.
    pub since: DateTime<Utc>,
    /// The newest look.
    pub looked_at: DateTime<Utc>,
    /// In a sentence.
    pub sentence: String,
    /// What is to be known about its rule.
    pub caution: Option<String>,
}

type RecordedRow = (
    DateTime<Utc>,
    DateTime<Utc>,
    DateTime<Utc>,
    sqlx::types::Json<serde_json::Value>,
);

/// The newest decision on an experiment.
pub async fn newest(
    connection: &mut PgConnection,
    experiment: ExperimentId,
) -> Result<Option<Recorded>, StoreError> {
    let row: Option<RecordedRow> = sql::query_as(
        "select decided_at, since, looked_at, evidence from experiment_decisions
         where experiment_id = $1 order by decided_at desc limit 1",
    )
    .bind(experiment.0)
    .fetch_optional(connection)
    .await?;
    row.map(|(decided_at, since, looked_at, evidence)| {
        let decision = serde_json::from_value(evidence.0).map_err(|error| {
            StoreError::unreadable(format!("decision on experiment {experiment}"), error)
        })?;
        Ok(Recorded {
            decided_at,
            since,
            looked_at,
            decision,
        })
    })
    .transpose()
}

type LineRow = (
    i32,
    String,
    Option<i16>,
    DateTime<Utc>,
    DateTime<Utc>,
    String,
    Option<String>,
);

/// The newest decision on each of `experiments` that has one.
pub async fn lines(
    connection: &mut PgConnection,
    experiments: &[ExperimentId],
) -> Result<BTreeMap<ExperimentId, Line>, StoreError> {
    let rows: Vec<LineRow> = sql::query_as(
        "select e.id, d.decision, d.arm, d.since, d.looked_at,
             coalesce(d.evidence ->> 'sentence', ''), d.evidence ->> 'caution'
         from unnest($1::int4[]) as e (id)
         cross join lateral (
             select * from experiment_decisions
             where experiment_id = e.id order by decided_at desc limit 1) d",
    )
    .bind(experiments.iter().map(|id| id.0).collect::<Vec<i32>>())
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(line).collect())
}

/// The changes of the decision on an experiment, newest first, at most `limit`.
pub async fn changes(
    connection: &mut PgConnection,
    experiment: ExperimentId,
    limit: i64,
) -> Result<Vec<Line>, StoreError> {
    let rows: Vec<LineRow> = sql::query_as(
        "select experiment_id, decision, arm, since, looked_at,
             coalesce(evidence ->> 'sentence', ''), evidence ->> 'caution'
         from experiment_decisions
         where experiment_id = $1 and since = decided_at
         order by decided_at desc limit $2",
    )
    .bind(experiment.0)
    .bind(limit)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| line(row).1).collect())
}

fn line(
    (experiment, decision, arm, since, looked_at, sentence, caution): LineRow,
) -> (ExperimentId, Line) {
    let line = Line {
        decision,
        arm: arm.map(|arm| ArmId(arm as u16)),
        since,
        looked_at,
        sentence,
        caution,
    };
    (ExperimentId(experiment), line)
}

/// Notes that the row that speaks from `decided_at` on was carried out.
pub async fn mark_acted(
    tx: &mut PgConnection,
    experiment: ExperimentId,
    decided_at: DateTime<Utc>,
) -> Result<(), StoreError> {
    sql::query(
        "update experiment_decisions set acted = true where experiment_id = $1 and decided_at = $2",
    )
    .bind(experiment.0)
    .bind(decided_at)
    .execute(tx)
    .await?;
    Ok(())
}

/// Writes a row, or renews the one that began at the same instant.
pub async fn put(
    tx: &mut PgConnection,
    experiment: ExperimentId,
    recorded: &Recorded,
) -> Result<(), StoreError> {
    let Recorded {
        decided_at,
        since,
        looked_at,
        decision,
    } = recorded;
    let evidence = serde_json::to_value(decision).map_err(|error| {
        StoreError::unreadable(format!("decision on experiment {experiment}"), error)
    })?;
    sql::query(
        "insert into experiment_decisions
             (experiment_id, decided_at, since, looked_at, decision, arm, acted, evidence)
         values ($1, $2, $3, $4, $5, $6, false, $7)
         on conflict (experiment_id, decided_at) do update set
             looked_at = excluded.looked_at, evidence = excluded.evidence",
    )
    .bind(experiment.0)
    .bind(decided_at)
    .bind(since)
    .bind(looked_at)
    .bind(decision.choice.word())
    .bind(decision.choice.arm().map(|arm| arm.0 as i16))
    .bind(sqlx::types::Json(evidence))
    .execute(tx)
    .await?;
    Ok(())
}

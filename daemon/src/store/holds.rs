//! Holds: marks of runtime actions that `apply` will not undo.

use bandit::experiment::ExperimentId;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{StoreError, sql};

/// A hold that has not been released.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Hold {
    /// The runtime action that left it: pause, rollback, stop.
    pub kind: String,
    /// Why.
    pub reason: String,
    /// Who.
    pub placed_by: String,
}

impl std::fmt::Display for Hold {
    /// `paused by ana (uid 1000): latency`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let done = match self.kind.as_str() {
            "pause" => "paused",
            "rollback" => "rolled back",
            "stop" => "stopped",
            other => other,
        };
        write!(f, "{done} by {}: {}", self.placed_by, self.reason)
    }
}

/// Places a hold at `at`.
pub async fn place(
    tx: &mut PgConnection,
    experiment: ExperimentId,
    hold: &Hold,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    sql::query(
        "insert into experiment_holds (experiment_id, kind, reason, placed_by, placed_at)
         values ($1, $2, $3, $4, $5)",
    )
    .bind(experiment.0)
    .bind(&hold.kind)
    .bind(&hold.reason)
    .bind(&hold.placed_by)
    .bind(at)
    .execute(tx)
    .await?;
    Ok(())
}

/// Releases every hold on an experiment; says how many there were.
pub async fn release(
    tx: &mut PgConnection,
    experiment: ExperimentId,
    at: DateTime<Utc>,
) -> Result<u64, StoreError> {
    let done = sql::query(
        "update experiment_holds set released_at = $2
         where experiment_id = $1 and released_at is null",
    )
    .bind(experiment.0)
    .bind(at)
    .execute(tx)
    .await?;
    Ok(done.rows_affected())
}

/// Whether anything about an experiment is held.
pub async fn any(tx: &mut PgConnection, experiment: ExperimentId) -> Result<bool, StoreError> {
    let held: bool = sql::query_scalar(
        "select exists (select from experiment_holds where experiment_id = $1 and released_at is null)",
    )
    .bind(experiment.0)
    .fetch_one(tx)
    .await?;
    Ok(held)
}

/// The holds on every experiment that has any, oldest first.
pub async fn active(
    connection: &mut PgConnection,
) -> Result<Vec<(ExperimentId, Hold)>, StoreError> {
    let rows: Vec<(i32, String, String, String)> = sql::query_as(
        "select experiment_id, kind, reason, placed_by from experiment_holds
         where released_at is null order by experiment_id, placed_at",
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(experiment, kind, reason, placed_by)| {
            let hold = Hold {
                kind,
                reason,
                placed_by,
            };
            (ExperimentId(experiment), hold)
        })
        .collect())
}

//! Holds: marks of runtime actions that `apply` will not undo.

use bandit::experiment::{Arm, ArmId, ExperimentId};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::{StoreError, sql};

/// The kind of a hold on an arm. The hold is the quarantine: it is in force until it is released.
pub const QUARANTINE: &str = "quarantine";

/// A hold that has not been released.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// The runtime action that left it: pause, rollback, stop, quarantine.
    pub kind: String,
    /// The arm that a quarantine holds; `None` for a hold of the experiment's state.
    pub arm: Option<ArmId>,
    /// Why.
    pub reason: String,
    /// Who.
    pub placed_by: String,
}

impl Hold {
    /// With the arm's name: `blue quarantined by ana (uid 1000): errors`.
    pub fn in_words(&self, arms: &[Arm]) -> String {
        let Some(id) = self.arm else {
            return self.to_string();
        };
        match arms.iter().find(|arm| arm.id == id) {
            Some(arm) => format!("{} {self}", arm.name),
            None => format!("arm {id} {self}"),
        }
    }
}

impl std::fmt::Display for Hold {
    /// `paused by ana (uid 1000): latency`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let done = match self.kind.as_str() {
            "pause" => "paused",
            "rollback" => "rolled back",
            "stop" => "stopped",
            QUARANTINE => "quarantined",
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
        "insert into experiment_holds (experiment_id, kind, arm, reason, placed_by, placed_at)
         values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(experiment.0)
    .bind(&hold.kind)
    .bind(hold.arm.map(|arm| arm.0.cast_signed()))
    .bind(&hold.reason)
    .bind(&hold.placed_by)
    .bind(at)
    .execute(tx)
    .await?;
    Ok(())
}

/// Which holds of an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Those of its state: what paused, stopped or rolled it back.
    State,
    /// The quarantine of one arm.
    Arm(ArmId),
    /// All.
    All,
}

/// Releases holds on an experiment; returns them, oldest first.
pub async fn release(
    tx: &mut PgConnection,
    experiment: ExperimentId,
    which: Which,
    at: DateTime<Utc>,
) -> Result<Vec<Hold>, StoreError> {
    let arm = match which {
        Which::Arm(arm) => Some(arm.0.cast_signed()),
        Which::State | Which::All => None,
    };
    let rows: Vec<HoldRow> = sql::query_as(
        "with released as (
             update experiment_holds set released_at = $2
             where experiment_id = $1 and released_at is null
               and ($3 or arm is not distinct from $4)
             returning experiment_id, kind, arm, reason, placed_by, placed_at
         )
         select experiment_id, kind, arm, reason, placed_by from released
         order by placed_at, arm nulls first",
    )
    .bind(experiment.0)
    .bind(at)
    .bind(which == Which::All)
    .bind(arm)
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(|row| hold(row).1).collect())
}

type HoldRow = (i32, String, Option<i16>, String, String);

fn hold((experiment, kind, arm, reason, placed_by): HoldRow) -> (ExperimentId, Hold) {
    let hold = Hold {
        kind,
        arm: arm.map(|arm| ArmId(arm.cast_unsigned())),
        reason,
        placed_by,
    };
    (ExperimentId(experiment), hold)
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

/// The holds on the state of an experiment, oldest first: what paused, stopped or rolled it back.
pub async fn of_state(
    connection: &mut PgConnection,
    experiment: ExperimentId,
) -> Result<Vec<Hold>, StoreError> {
    let rows: Vec<HoldRow> = sql::query_as(
        "select experiment_id, kind, arm, reason, placed_by from experiment_holds
         where experiment_id = $1 and arm is null and released_at is null order by placed_at",
    )
    .bind(experiment.0)
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(|row| hold(row).1).collect())
}

/// Whether a quarantine that `placed_by` put on an arm was ever released.
pub async fn was_released(
    connection: &mut PgConnection,
    experiment: ExperimentId,
    arm: ArmId,
    placed_by: &str,
) -> Result<bool, StoreError> {
    let released: bool = sql::query_scalar(
        "select exists (select from experiment_holds
             where experiment_id = $1 and arm = $2 and placed_by = $3 and released_at is not null)",
    )
    .bind(experiment.0)
    .bind(arm.0.cast_signed())
    .bind(placed_by)
    .fetch_one(connection)
    .await?;
    Ok(released)
}

/// The holds on every experiment that has any, oldest first.
pub async fn active(
    connection: &mut PgConnection,
) -> Result<Vec<(ExperimentId, Hold)>, StoreError> {
    let rows: Vec<HoldRow> = sql::query_as(
        "select experiment_id, kind, arm, reason, placed_by from experiment_holds
         where released_at is null order by experiment_id, placed_at, arm nulls first",
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(hold).collect())
}

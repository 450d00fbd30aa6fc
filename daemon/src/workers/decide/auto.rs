//! Whether a decision acts by itself now, by what the database says.

use bandit::decision::{Acts, Choice, Circumstances, Decision, acts};
use bandit::spec::model::DecisionSpec;
use sqlx::PgConnection;

use crate::operations::DECISION_ACTOR;
use crate::store::{StoreError, holds};
use crate::world::Live;

/// Judges the newest decision on an experiment.
pub async fn judge(
    connection: &mut PgConnection,
    live: &Live,
    spec: &DecisionSpec,
    decision: &Decision,
) -> Result<Acts, StoreError> {
    let held = holds::of_state(connection, live.id).await?;
    let held = held.first().map(ToString::to_string);
    let opened_again = match decision.choice {
        Choice::KillArm { arm } => {
            holds::was_released(connection, live.id, arm, DECISION_ACTOR).await?
        }
        _ => false,
    };
    let now = Circumstances {
        state: &live.serving.state,
        held: held.as_deref(),
        opened_again,
    };
    Ok(acts(decision, spec, &now))
}

//! What is done to one arm: quarantine, release, ship. Inside the caller's transaction, so that whoever decides on it
//! (a person, a guardrail, the decision engine) commits it together with why.

mod change;
mod judge;

use bandit::experiment::{ArmId, ExperimentId, Revision};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::failure::Failure;
use super::ramp::stored;
use crate::store::experiments::Stored;
use crate::store::holds::{self, Hold, Which};
use crate::store::mutations::Mutation;
use crate::store::revisions::{self, Found};
use crate::store::versions::{self, publish_all_lanes};

pub(super) use change::ArmChange;

/// Places `hold`, a quarantine, and publishes every lane without the arm. Nothing happens to an arm that is held already;
/// says whether anything did.
///
/// [`Failure::Refused`] comes before anything is written.
pub(super) async fn quarantine(
    tx: &mut PgConnection,
    found: &Found,
    arm: ArmId,
    hold: &Hold,
    mutation: &Mutation,
) -> Result<bool, Failure> {
    let stored = stored(tx, found.id).await?;
    judge::quarantine(&stored, arm)?;
    if stored.arms.iter().any(|it| it.id == arm && it.quarantined) {
        return Ok(false);
    }
    let hold = Hold {
        kind: holds::QUARANTINE.to_owned(),
        arm: Some(arm),
        ..hold.clone()
    };
    holds::place(tx, found.id, &hold, mutation.now).await?;
    let reason = format!("quarantined {}", name(&stored, arm));
    republish(tx, found.id, mutation.next(), &reason, mutation.now).await?;
    Ok(true)
}

/// Releases the quarantine of `arm`, or every hold on the experiment, and publishes every lane with the arms that are
/// open again. Returns what was released; the state stays what it is.
pub(super) async fn release(
    tx: &mut PgConnection,
    found: &Found,
    arm: Option<ArmId>,
    mutation: &Mutation,
) -> Result<Vec<Hold>, Failure> {
    let stored = stored(tx, found.id).await?;
    let which = arm.map_or(Which::All, Which::Arm);
    let released = holds::release(tx, found.id, which, mutation.now).await?;
    let opened: Vec<String> = released
        .iter()
        .filter_map(|hold| Some(name(&stored, hold.arm?)))
        .collect();
    if opened.is_empty() || found.state.is_over() {
        revisions::touch(tx, found.id, mutation.next()).await?;
        return Ok(released);
    }
    let reason = format!("released {}", opened.join(", "));
    republish(tx, found.id, mutation.next(), &reason, mutation.now).await?;
    Ok(released)
}

/// Stops the experiment with `arm` for everyone, and leaves `hold`, a stop.
///
/// [`Failure::Refused`] comes before anything is written.
pub(super) async fn ship(
    tx: &mut PgConnection,
    found: &Found,
    arm: ArmId,
    hold: &Hold,
    mutation: &Mutation,
) -> Result<(), Failure> {
    let stored = stored(tx, found.id).await?;
    judge::ship(&stored, arm)?;
    let Hold {
        placed_by, reason, ..
    } = hold;
    let state = found.state.shipped(arm, mutation.now, placed_by, reason);
    let state = state.map_err(|illegal| judge::illegal(&stored, &illegal))?;
    revisions::put_state(tx, found.id, &state, mutation.next()).await?;
    let hold = Hold {
        kind: "stop".to_owned(),
        arm: None,
        ..hold.clone()
    };
    holds::place(tx, found.id, &hold, mutation.now).await?;
    Ok(())
}

/// Publishes every lane under `revision` for the arms that are open now, so that nobody new is drawn from the split
/// before.
pub(super) async fn republish(
    tx: &mut PgConnection,
    experiment: ExperimentId,
    revision: Revision,
    reason: &str,
    at: DateTime<Utc>,
) -> Result<(), Failure> {
    revisions::touch(tx, experiment, revision).await?;
    let stored = stored(tx, experiment).await?;
    let change = versions::Change {
        experiment,
        revision,
        spec: &stored.spec,
        arms: &stored.arms,
        lanes: &stored.lane_numbers,
        started_at: stored.started_at.unwrap_or(at),
        reason,
        at,
    };
    publish_all_lanes(tx, &change).await?;
    Ok(())
}

fn name(stored: &Stored, id: ArmId) -> String {
    let arm = stored.arms.iter().find(|arm| arm.id == id);
    arm.map_or_else(|| id.to_string(), |arm| arm.name.to_string())
}

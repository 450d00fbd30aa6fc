//! Why a unit has its arm: recomputed from the version it drew under, with the code that serves.

use bandit::assign::{Stored, UnitKey, draw, honour, trace};
use protocol::experiments::{ExplainStep, Explanation, StoredAssignment};
use sqlx::PgConnection;

use super::{Reading, ReadingError};
use crate::publication::serving_at;
use crate::store::results::{self, AssignmentRow};
use crate::store::versions;
use crate::world::Live;

pub(super) async fn explain(
    reading: &Reading,
    live: &Live,
    unit: &str,
) -> Result<Explanation, ReadingError> {
    let mut connection = reading.store.session().await?;
    let (key, stored) = find(reading, &mut connection, live, unit).await?;
    let Some(stored) = stored else {
        return Ok(never_assigned(live, key));
    };
    let what = || format!("unit {key} of experiment {}", live.serving.key);
    let version = versions::get(&mut connection, live.id, stored.lane, stored.version)
        .await?
        .ok_or_else(|| ReadingError::Inconsistent {
            what: what(),
            why: format!("lane {} has no version {}", stored.lane, stored.version),
        })?;
    let spec = versions::spec_at(&mut connection, live.id, version.revision).await?;
    let serving =
        serving_at(&spec, &live.serving.arms, &live.lane_numbers, &version).map_err(|why| {
            ReadingError::Inconsistent {
                what: what(),
                why: why.to_string(),
            }
        })?;
    let drawn = draw(&serving, &key);
    let (_, steps) = trace(&serving, &key, None);
    let name = |id| {
        live.serving
            .arm(id)
            .map_or_else(|| format!("arm {id}"), |arm| arm.name.to_string())
    };
    let agrees = drawn.arm == stored.arm && drawn.lane == stored.lane && drawn.in_traffic;
    Ok(Explanation {
        experiment: live.serving.key.to_string(),
        unit_key: key.to_string(),
        recomputed_arm: Some(name(drawn.arm)),
        agrees: Some(agrees),
        steps: steps
            .into_iter()
            .map(step)
            .chain([now_step(live, &stored)])
            .collect(),
        stored: Some(StoredAssignment {
            lane: live.lane_name(stored.lane).into_owned(),
            arm: name(stored.arm),
            version: stored.version.0,
            propensity: version.allocation.get(stored.arm),
            at: stored.at,
            exposed_at: stored.exposed_at,
            reward: stored.final_micro.map(|micro| f64::from(micro) / 1e6),
        }),
    })
}

/// The unit under its id; if that was never assigned and is a key in hex, the unit under that key.
async fn find(
    reading: &Reading,
    connection: &mut PgConnection,
    live: &Live,
    unit: &str,
) -> Result<(UnitKey, Option<AssignmentRow>), ReadingError> {
    let derived = UnitKey::derive(&reading.unit_secret, unit);
    let stored = results::assignment(connection, live.id, derived).await?;
    if stored.is_none()
        && let Ok(key) = unit.parse::<UnitKey>()
        && let Some(found) = results::assignment(connection, live.id, key).await?
    {
        return Ok((key, Some(found)));
    }
    Ok((derived, stored))
}

fn never_assigned(live: &Live, key: UnitKey) -> Explanation {
    let (_, steps) = trace(&live.serving, &key, None);
    let drawn = draw(&live.serving, &key);
    Explanation {
        experiment: live.serving.key.to_string(),
        unit_key: key.to_string(),
        stored: None,
        recomputed_arm: live.serving.arm(drawn.arm).map(|arm| arm.name.to_string()),
        agrees: None,
        steps: steps.into_iter().map(step).collect(),
    }
}

/// What the unit is served in the present state.
fn now_step(live: &Live, stored: &AssignmentRow) -> ExplainStep {
    let stored = Stored {
        lane: stored.lane,
        arm: stored.arm,
        version: stored.version,
    };
    let honoured = honour(&live.serving, stored);
    let arm = live.serving.arm(honoured.arm);
    let held = match live.serving.arm(stored.arm) {
        Some(own) if own.quarantined => format!(", and {} is quarantined", own.name),
        _ => String::new(),
    };
    ExplainStep {
        step: "now".to_owned(),
        detail: format!("the experiment is {}{held}", live.serving.state.name()),
        outcome: format!(
            "gets {} ({})",
            arm.map_or_else(|| honoured.arm.to_string(), |arm| arm.name.to_string()),
            honoured.reason
        ),
    }
}

fn step(step: bandit::assign::TraceStep) -> ExplainStep {
    ExplainStep {
        step: step.step.to_owned(),
        detail: step.detail,
        outcome: step.outcome,
    }
}

//! A lane's evidence, from the periods of its policy versions.

use bandit::experiment::ArmId;
use bandit::inference::evidence::{self, Evidence};
use bandit::inference::srm::ChiSquare;
use bandit::lanes::Lane;
use bandit::spec::model::OutcomeSpec;
use protocol::evidence::{ArmEvidence, Contrast, LaneEvidence};
use sqlx::PgConnection;

use super::beliefs::in_file_order;
use super::{Reading, ReadingError};
use crate::store::periods::{self, OfLane};
use crate::world::Live;

/// The evidence of a lane; `None` before its first version.
pub(super) async fn of_lane(
    reading: &Reading,
    connection: &mut PgConnection,
    live: &Live,
    lane: &Lane,
) -> Result<Option<LaneEvidence>, ReadingError> {
    let arms: Vec<(ArmId, String)> = in_file_order(live)
        .into_iter()
        .map(|arm| (arm.id, arm.name.to_string()))
        .collect();
    let ids: Vec<ArmId> = arms.iter().map(|(id, _)| *id).collect();
    let Some(started_at) = live.started_at else {
        return Ok(None);
    };
    let of = OfLane {
        experiment: live.id,
        lane: lane.id,
        arms: &ids,
        started_at,
        at: reading.clock.now(),
    };
    let periods = periods::of_lane(connection, of).await?.periods;
    if periods.is_empty() {
        return Ok(None);
    }
    let control = in_file_order(live)
        .iter()
        .position(|arm| arm.control)
        .unwrap_or(0);
    let first_guess = first_guess(live);
    // grows with arms and versions: other calls shall not wait for it
    let found =
        tokio::task::spawn_blocking(move || evidence::evidence(&periods, control, first_guess));
    let found = found.await.map_err(|_| ReadingError::Inconsistent {
        what: format!("the evidence of experiment {}", live.serving.key),
        why: "its computation ended early".to_owned(),
    })?;
    let names = arms.into_iter().map(|(_, name)| name);
    Ok(Some(lane_evidence(lane.name.to_string(), names, &found)))
}

/// What a mean reward is thought to be before there is one: rates are low, and scaled rewards are anywhere.
fn first_guess(live: &Live) -> f64 {
    match live.spec.reward.outcome {
        OutcomeSpec::Binary { .. } => 0.0,
        OutcomeSpec::Scaled { .. } => 0.5,
    }
}

fn lane_evidence(
    lane: String,
    names: impl Iterator<Item = String>,
    found: &Evidence,
) -> LaneEvidence {
    let p_value = |test: &ChiSquare| (test.df > 0).then_some(test.p_value);
    let arms = names
        .zip(&found.arms)
        .zip(&found.drift.arms)
        .map(|((arm, own), drift)| ArmEvidence {
            arm,
            estimate: own.estimate.map(|estimate| estimate.value),
            standard_error: own.estimate.map(|estimate| estimate.standard_error),
            low: own.sequence.map(|sequence| sequence.low),
            high: own.sequence.map(|sequence| sequence.high),
            against_control: own.contrast.map(|contrast| Contrast {
                difference: contrast.estimate.value,
                standard_error: contrast.estimate.standard_error,
                low: contrast.sequence.low,
                high: contrast.sequence.high,
                p_value: contrast.p_value,
            }),
            drift_p: drift.as_ref().and_then(p_value),
        });
    LaneEvidence {
        lane,
        srm_p: found.mismatch.p_value,
        srm_sequential_p: found.mismatch_at_any_look.p_value,
        drift_p: p_value(&found.drift.interaction),
        arms: arms.collect(),
    }
}

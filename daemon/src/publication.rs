//! One lane's next allocation from its statistics. Applying a file, publishing what was learned and
//! verifying what was published all come here.

use std::collections::BTreeMap;

use bandit::allocation::Allocation;
use bandit::assign::{InvalidServing, Serving, ServingLane};
use bandit::experiment::{Arm, ArmId, Millis, RunState};
use bandit::lanes::{Lane, LaneNumbers};
use bandit::policy::{self, ArmView, Evidence, PolicyError, Publication};
use bandit::posterior::ArmStats;
use bandit::spec::model::ExperimentSpec;

use crate::store::state::LaneStats;
use crate::store::versions::PolicyVersion;

/// What is known of the arms of a lane.
pub type LaneEvidence = BTreeMap<ArmId, Evidence>;

/// What a lane's policy knows, from the lane's counts. Everything that allocates, forecasts or explains an
/// allocation gets its evidence here.
pub fn evidence_from(stats: &LaneStats) -> LaneEvidence {
    stats
        .iter()
        .map(|(arm, stats)| (*arm, Evidence::from(*stats)))
        .collect()
}

/// The next publication of `lane`, for the open ones among `arms`, which come by ascending number.
///
/// The holdback is an even split whatever was learned. `running_for` is the time since the start.
pub fn next_publication(
    spec: &ExperimentSpec,
    arms: &[Arm],
    lane: &Lane,
    evidence: &LaneEvidence,
    running_for: Millis,
) -> Result<Publication, PolicyError> {
    let views = open_arms(spec, arms, evidence);
    if !lane.learns {
        let open: Vec<ArmId> = views.iter().map(|view| view.id).collect();
        return Ok(Publication {
            allocation: Allocation::even(&open)?,
            burn_in: None,
        });
    }
    policy::allocate(&lane.policy, &views, running_for, |id| name_of(arms, id))
}

/// The open arms as a policy sees them, by ascending number.
pub fn open_arms(spec: &ExperimentSpec, arms: &[Arm], evidence: &LaneEvidence) -> Vec<ArmView> {
    arms.iter()
        .filter(|arm| arm.is_open())
        .map(|arm| {
            let Evidence { stats, learned } = evidence.get(&arm.id).copied().unwrap_or_default();
            ArmView {
                id: arm.id,
                control: arm.control,
                weight: weight_of(spec, arm),
                stats,
                learned,
            }
        })
        .collect()
}

/// The declared weight; 1 for an arm that the spec does not name.
fn weight_of(spec: &ExperimentSpec, arm: &Arm) -> f64 {
    spec.arms
        .iter()
        .find(|declared| declared.name == arm.name)
        .map_or(1.0, |declared| declared.weight)
}

fn name_of(arms: &[Arm], id: ArmId) -> String {
    arms.iter()
        .find(|arm| arm.id == id)
        .map_or_else(|| id.to_string(), |arm| arm.name.to_string())
}

/// What a policy version records of an arm: all that an allocation depends on.
pub fn recorded(evidence: &Evidence) -> Evidence {
    let Evidence { stats, learned } = *evidence;
    Evidence {
        stats: ArmStats {
            exposed: stats.exposed,
            resolved: stats.resolved,
            reward_sum_micro: stats.reward_sum_micro,
            ..ArmStats::default()
        },
        learned,
    }
}

/// What was served under `version`: the spec of its revision, with the arms that were open then.
///
/// Only the lane of the version is as it was; the others stand in with an even split, for the lane draw.
pub fn serving_at(
    spec: &ExperimentSpec,
    arms: &[Arm],
    numbers: &LaneNumbers,
    version: &PolicyVersion,
) -> Result<Serving, InvalidServing> {
    let arms: Vec<Arm> = arms
        .iter()
        .map(|arm| Arm {
            retired: !version.allocation.arms().any(|open| open == arm.id),
            quarantined: false,
            ..arm.clone()
        })
        .collect();
    let lanes = numbers
        .lanes_of(spec)
        .into_iter()
        .map(|lane| ServingLane {
            id: lane.id,
            name: lane.name,
            share: lane.share,
            version: version.version,
            allocation: version.allocation.clone(),
        })
        .collect();
    Serving::new(
        spec.key.clone(),
        RunState::Running {
            since: version.published_at,
        },
        arms,
        spec.targeting.clone(),
        spec.traffic,
        lanes,
        spec.salt.clone(),
    )
}

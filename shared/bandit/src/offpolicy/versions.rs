//! What another policy would have earned on an experiment's own log, from the counts of its policy versions.
//!
//! Within a version the propensities are the same for every unit, so counts, sums and sums of squares per arm say all
//! that the units would (STATS 0, decision 1).

use super::estimate::{Evaluation, RewardRange};
use super::evaluator::{Evaluator, Segment, Settings};
use super::outcome::Outcomes;
use super::row::InvalidRow;
use crate::posterior::{ArmStats, MICRO};

/// One policy version of a lane and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct LoggedVersion {
    /// The probability with which each arm was drawn; 0 for a closed one.
    pub propensities: Vec<f64>,
    /// The counts of the units that drew under it, one per arm.
    pub stats: Vec<ArmStats>,
    /// The policy in question at that time, one probability per arm.
    pub target: Vec<f64>,
}

/// Evaluate on the resolved units of these versions, in the order in which they were published.
pub fn what_if(versions: &[LoggedVersion]) -> Result<Evaluation, InvalidRow> {
    let resolved = |version: &LoggedVersion| -> u64 {
        let arms = version.stats.iter();
        arms.map(|arm| arm.resolved).sum()
    };
    let lived = versions.iter().filter(|version| resolved(version) > 0);
    let lived: Vec<&LoggedVersion> = lived.collect();
    let settings = Settings {
        rewards: Some(RewardRange::UNIT),
        planned_rows: lived.iter().map(|version| resolved(version)).sum(),
        tuning: Settings::TUNING,
        outcomes: Outcomes::LeaveOneOut,
    };
    let segment = |version: &&LoggedVersion| Segment {
        cell: 0,
        target: version.target.clone(),
        least_propensity: version.propensities.clone(),
    };
    let mut evaluator = Evaluator::new(settings, lived.iter().map(segment).collect());
    for (number, version) in lived.iter().enumerate() {
        for (arm, stats) in version.stats.iter().enumerate() {
            if stats.resolved == 0 {
                continue;
            }
            let squares = stats.reward_sq_sum_micro as f64 / MICRO as f64;
            let counts = (stats.resolved, stats.reward_sum(), squares);
            evaluator.add_many(number, arm, version.propensities[arm], counts)?;
        }
        evaluator.close_batch();
    }
    Ok(evaluator.finish())
}

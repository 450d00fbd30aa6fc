//! Burn-in: an even split until there is enough to learn from.

use super::ArmView;
use crate::experiment::{ArmId, Millis};
use crate::posterior::ArmStats;
use crate::spec::model::BurnIn;

/// What is missing, in words; `None` when time, exposures and rewards have all been reached. Of the arms, the one
/// that is furthest behind is named.
pub(super) fn unmet(
    burn_in: BurnIn,
    arms: &[ArmView],
    running_for: Millis,
    name: impl Fn(ArmId) -> String,
) -> Option<String> {
    let BurnIn {
        for_,
        exposures_per_arm,
        rewards_per_arm,
    } = burn_in;
    let behind = |needed: u64, what: &str, count: fn(&ArmStats) -> u64| {
        let last = arms.iter().min_by_key(|arm| count(&arm.stats))?;
        let has = count(&last.stats);
        (has < needed).then(|| format!("{has} of {needed} {what} on {}", name(last.id)))
    };
    let missing: Vec<String> = [
        (running_for < for_).then(|| format!("{} of {for_}", whole_seconds(running_for))),
        behind(exposures_per_arm, "exposures", |stats| stats.exposed),
        behind(rewards_per_arm, "rewards", |stats| stats.resolved),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!missing.is_empty()).then(|| format!("burn-in: {}", missing.join(", ")))
}

fn whole_seconds(length: Millis) -> Millis {
    Millis(length.0 - length.0 % 1_000)
}

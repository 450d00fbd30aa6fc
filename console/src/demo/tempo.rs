//! The example's hours become seconds, so that an operator sees learning while the coffee is warm.

use bandit::experiment::Millis;
use bandit::spec::model::{BurnIn, DeclaredState, ExperimentSpec, PolicySpec};

/// How long events count: long enough for delays to be seen, short enough for a first version within ten
/// seconds.
const WINDOW: Millis = Millis(4_000);

/// How long late arrivals are waited for.
const GRACE: Millis = Millis(1_000);

/// An even split until every arm has some outcomes; the example's figures where they are lower.
const BURN_IN: BurnIn = BurnIn {
    for_: Millis(8_000),
    exposures_per_arm: 60,
    rewards_per_arm: 60,
};

/// A version a second at most.
const PUBLISH_EVERY: Millis = Millis(1_000);

/// A week: the first recommendation comes within a minute or two.
const MIN_RUNTIME: Millis = Millis(35_000);

/// As short as a guardrail's window may be, and looked at every few seconds.
const GUARD_WINDOW: Millis = Millis(60_000);
const GUARD_CADENCE: Millis = Millis(5_000);

/// The same experiment in seconds, and running.
pub(super) fn hurried(mut spec: ExperimentSpec) -> ExperimentSpec {
    spec.state = Some(DeclaredState::Running);
    spec.reward.window = spec.reward.window.min(WINDOW);
    spec.reward.grace = spec.reward.grace.min(GRACE);
    hurry(&mut spec.policy);
    for lane in &mut spec.lanes {
        hurry(&mut lane.policy);
    }
    for guardrail in &mut spec.guardrails {
        guardrail.window = guardrail.window.min(GUARD_WINDOW);
        guardrail.cadence = guardrail.cadence.min(GUARD_CADENCE);
    }
    if let Some(decision) = &mut spec.decision {
        decision.min_runtime = decision.min_runtime.min(MIN_RUNTIME);
    }
    spec
}

fn hurry(policy: &mut PolicySpec) {
    let declared = policy.burn_in;
    policy.burn_in = BurnIn {
        for_: declared.for_.min(BURN_IN.for_),
        exposures_per_arm: declared.exposures_per_arm.min(BURN_IN.exposures_per_arm),
        rewards_per_arm: declared.rewards_per_arm.min(BURN_IN.rewards_per_arm),
    };
    policy.publish_every = policy.publish_every.min(PUBLISH_EVERY);
}

#[cfg(test)]
mod tests {
    use super::super::example;
    use super::*;

    #[test]
    fn a_unit_resolves_within_seconds_and_the_experiment_runs() {
        for spec in example::experiments().unwrap() {
            assert_eq!(spec.state, Some(DeclaredState::Running), "{}", spec.key);
            assert!(spec.reward.closes_after() <= Millis(5_000), "{}", spec.key);
            assert!(spec.policy.publish_every <= PUBLISH_EVERY, "{}", spec.key);
            let runtime = spec.decision.map(|decision| decision.min_runtime);
            assert!(runtime <= Some(MIN_RUNTIME), "{}", spec.key);
            assert!(spec.policy.burn_in.for_ <= BURN_IN.for_, "{}", spec.key);
        }
    }
}

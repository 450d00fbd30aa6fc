//! The learning lane's split before and after, for new units.

use crate::experiment::{ArmName, Millis};
use crate::plan::effects::Effects;
use crate::plan::numbers::{count, percent};
use crate::plan::{Current, arms, forecast};
use crate::spec::model::{ExperimentSpec, PolicySpec};

/// Whether the allocation may come out differently.
fn allocates_differently(before: &ExperimentSpec, after: &ExperimentSpec) -> bool {
    let shape = |policy: &PolicySpec| PolicySpec {
        publish_every: Millis(0),
        ..policy.clone()
    };
    let weights = |spec: &ExperimentSpec| {
        let mut weights: Vec<(ArmName, f64)> = spec
            .arms
            .iter()
            .map(|arm| (arm.name.clone(), arm.weight))
            .collect();
        weights.sort_by(|one, other| one.0.cmp(&other.0));
        weights
    };
    shape(&before.policy) != shape(&after.policy) || weights(before) != weights(after)
}

/// The least change of an arm's share that is worth a line: the one that publishes a version.
const WORTH_SAYING: f64 = 0.005;

/// What new units draw after a change, where that may differ.
pub(super) fn of_change(effects: &mut Effects, current: &Current, wanted: &ExperimentSpec) {
    if !allocates_differently(&current.spec, wanted) {
        return;
    }
    let Some(forecast) = forecast::of_change(current, wanted) else {
        return;
    };
    let mut moved: Vec<String> = Vec::new();
    for (arm, share) in &forecast.shares {
        let before = current.shares.get(arm).copied().unwrap_or(0.0);
        if (share - before).abs() >= WORTH_SAYING {
            moved.push(format!(
                "{arm} gets {} instead of {}",
                percent(*share),
                percent(before)
            ));
        }
    }
    for arm in arms::added(&wanted.arms, &current.spec.arms) {
        let before = current.shares.get(&arm.name).copied().unwrap_or(0.0);
        if before >= WORTH_SAYING {
            moved.push(format!(
                "{} gets none instead of {}",
                arm.name,
                percent(before)
            ));
        }
    }
    if moved.is_empty() {
        effects.say("new units: the split stays as it is now");
    } else {
        effects.say(format!("new units: {}", moved.join(", ")));
    }
    let Some(why) = forecast.burn_in else {
        return;
    };
    if is_even(current) {
        effects.say(format!("the split is even meanwhile: {why}"));
    } else {
        effects.warn(format!(
            "the split is even again, and learns anew after its {why}"
        ));
    }
}

fn is_even(current: &Current) -> bool {
    let even = 1.0 / current.shares.len().max(1) as f64;
    current
        .shares
        .values()
        .all(|share| (share - even).abs() < WORTH_SAYING)
}

/// What new units of a new experiment draw.
pub(super) fn of_new(effects: &mut Effects, spec: &ExperimentSpec) {
    let Some(forecast) = forecast::of_new(spec) else {
        return;
    };
    let shares: Vec<String> = forecast
        .shares
        .iter()
        .map(|(arm, share)| format!("{arm} {}", percent(*share)))
        .collect();
    let learning = match forecast.burn_in {
        Some(_) => {
            let burn_in = spec.policy.burn_in;
            format!(
                ", until {}, {} exposures and {} rewards per arm are reached",
                burn_in.for_,
                count(burn_in.exposures_per_arm),
                count(burn_in.rewards_per_arm)
            )
        }
        None => String::new(),
    };
    effects.say(format!("new units: {}{learning}", shares.join(", ")));
}

//! What new units of each learning lane draw, before and after.

use std::collections::BTreeMap;

use crate::experiment::{ArmName, Millis};
use crate::plan::effects::Effects;
use crate::plan::forecast::{self, Forecast};
use crate::plan::numbers::{count, percent};
use crate::plan::quarantine::Quarantines;
use crate::plan::{Current, arms, lanes};
use crate::spec::model::{ExperimentSpec, LaneSpec, PolicySpec};

/// The least change of an arm's share that is worth a line: the one that publishes a version.
const WORTH_SAYING: f64 = 0.005;

/// What new units of a new experiment draw.
pub(super) fn of_new(effects: &mut Effects, spec: &ExperimentSpec) {
    let splits: Vec<(LaneSpec, String)> = spec
        .learning_lanes()
        .into_iter()
        .filter_map(|lane| {
            let split = in_words(&forecast::of_new(spec, &lane)?, &lane.policy);
            Some((lane, split))
        })
        .collect();
    let Some((_, first)) = splits.first() else {
        return;
    };
    if splits.iter().all(|(_, split)| split == first) {
        let of_lane = if splits.len() > 1 {
            " of every lane"
        } else {
            ""
        };
        effects.say(format!("new units{of_lane}: {first}"));
        return;
    }
    for (lane, split) in &splits {
        effects.say(format!("new units{}: {split}", of(spec, lane)));
    }
}

/// What new units draw after a change, where that may differ.
pub(super) fn of_change(
    effects: &mut Effects,
    current: &Current,
    wanted: &ExperimentSpec,
    quarantines: &Quarantines,
) {
    let opens = !quarantines.released.is_empty();
    for lane in wanted.learning_lanes() {
        let closed = |arm: &ArmName| quarantines.kept.contains_key(arm);
        let Some(forecast) = forecast::of_change(current, wanted, &lane, closed) else {
            continue;
        };
        match lanes::find(&current.spec, &lane.name) {
            None => effects.say(format!(
                "new units{}: {}",
                of(wanted, &lane),
                in_words(&forecast, &lane.policy)
            )),
            Some(before) if opens || allocates_differently(current, &before, wanted, &lane) => {
                of_changed(effects, current, wanted, &lane, &forecast);
            }
            Some(_) => {}
        }
    }
}

/// Whether a lane's allocation may come out differently.
fn allocates_differently(
    current: &Current,
    before: &LaneSpec,
    wanted: &ExperimentSpec,
    after: &LaneSpec,
) -> bool {
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
    shape(&before.policy) != shape(&after.policy) || weights(&current.spec) != weights(wanted)
}

fn of_changed(
    effects: &mut Effects,
    current: &Current,
    wanted: &ExperimentSpec,
    lane: &LaneSpec,
    forecast: &Forecast,
) {
    let nothing = BTreeMap::new();
    let shares = current
        .lanes
        .get(&lane.name)
        .map_or(&nothing, |now| &now.shares);
    let mut moved: Vec<String> = Vec::new();
    for (arm, share) in &forecast.shares {
        let before = shares.get(arm).copied().unwrap_or(0.0);
        if (share - before).abs() >= WORTH_SAYING {
            moved.push(format!(
                "{arm} gets {} instead of {}",
                percent(*share),
                percent(before)
            ));
        }
    }
    for arm in arms::added(&wanted.arms, &current.spec.arms) {
        let before = shares.get(&arm.name).copied().unwrap_or(0.0);
        if before >= WORTH_SAYING {
            moved.push(format!(
                "{} gets none instead of {}",
                arm.name,
                percent(before)
            ));
        }
    }
    let of_lane = of(wanted, lane);
    if moved.is_empty() {
        effects.say(format!("new units{of_lane}: the split stays as it is now"));
    } else {
        effects.say(format!("new units{of_lane}: {}", moved.join(", ")));
    }
    let Some(why) = &forecast.burn_in else {
        return;
    };
    if is_even(shares) {
        effects.say(format!("the split{of_lane} is even meanwhile: {why}"));
    } else {
        effects.warn(format!(
            "the split{of_lane} is even again, and learns anew after its {why}"
        ));
    }
}

/// Which units or which split, where there are several lanes.
fn of(spec: &ExperimentSpec, lane: &LaneSpec) -> String {
    if spec.lanes.is_empty() {
        return String::new();
    }
    format!(" of lane \"{}\"", lane.name)
}

fn is_even(shares: &BTreeMap<ArmName, f64>) -> bool {
    let even = 1.0 / shares.len().max(1) as f64;
    shares
        .values()
        .all(|share| (share - even).abs() < WORTH_SAYING)
}

/// A whole split, and until when it stays even.
fn in_words(forecast: &Forecast, policy: &PolicySpec) -> String {
    let shares: Vec<String> = forecast
        .shares
        .iter()
        .map(|(arm, share)| format!("{arm} {}", percent(*share)))
        .collect();
    let learning = match forecast.burn_in {
        Some(_) => {
            let burn_in = policy.burn_in;
            format!(
                ", until {}, {} exposures and {} rewards per arm are reached",
                burn_in.for_,
                count(burn_in.exposures_per_arm),
                count(burn_in.rewards_per_arm)
            )
        }
        None => String::new(),
    };
    format!("{}{learning}", shares.join(", "))
}

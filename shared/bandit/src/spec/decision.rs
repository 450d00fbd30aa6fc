//! `decision`: when to recommend an end, and what may happen by itself.

use crate::spec::defaults;
use crate::spec::model::{AutoDecision, DecisionPreset, DecisionSpec};
use crate::spec::reader::Reader;
use crate::spec::slot::Slot;

/// The keys of a decision section.
pub(super) const KEYS: &[&str] = &[
    "preset",
    "min_runtime",
    "min_samples",
    "max_runtime",
    "min_effect",
    "auto",
];

pub(super) const PRESETS: &[(&str, DecisionPreset)] = &[
    ("standard", DecisionPreset::Standard),
    ("strict", DecisionPreset::Strict),
    ("fail_fast", DecisionPreset::FailFast),
];

pub(super) const AUTO: &[(&str, AutoDecision)] = &[
    ("ship", AutoDecision::Ship),
    ("kill", AutoDecision::Kill),
    ("kill_arm", AutoDecision::KillArm),
];

/// Reads `decision`: the word of a preset, or a section.
pub(super) fn read(experiment: &Reader<'_>) -> Option<DecisionSpec> {
    let slot = experiment.slot("decision")?;
    if slot.value().is_str() {
        return slot.choice(PRESETS).map(defaults::decision);
    }
    let table = slot.table("write decision = \"standard\", or a section [experiment.decision]")?;
    table.only(KEYS);
    let preset = table
        .slot("preset")
        .map_or(Some(DecisionPreset::default()), |slot| slot.choice(PRESETS))?;
    let mut decision = defaults::decision(preset);
    if let Some(least) = table.slot("min_runtime").and_then(|slot| slot.duration()) {
        decision.min_runtime = least;
    }
    if let Some(least) = table.slot("min_samples").and_then(|slot| slot.whole()) {
        decision.min_samples = least;
    }
    if let Some(least) = table.slot("min_effect").and_then(|slot| slot.share()) {
        decision.min_effect = least;
    }
    decision.max_runtime = table.slot("max_runtime").and_then(|slot| slot.duration());
    decision.auto = table.slot("auto").map_or(vec![], |slot| read_auto(&slot));
    check_runtimes(&table, &decision);
    Some(decision)
}

fn read_auto(slot: &Slot<'_>) -> Vec<AutoDecision> {
    let mut auto: Vec<AutoDecision> = slot
        .one_or_more()
        .iter()
        .filter_map(|item| item.choice(AUTO))
        .collect();
    auto.sort_unstable();
    auto.dedup();
    auto
}

fn check_runtimes(table: &Reader<'_>, decision: &DecisionSpec) {
    if let Some(most) = decision.max_runtime
        && most <= decision.min_runtime
    {
        table.problem(
            format!(
                "has max_runtime = {most}, not above min_runtime = {}",
                decision.min_runtime
            ),
            "raise max_runtime, or lower min_runtime",
        );
    }
}

//! Lanes that come, go and change their share. Nobody who is in moves with them: a unit keeps its lane and its arm.

use crate::experiment::LaneName;
use crate::plan::effects::Effects;
use crate::plan::numbers::units;
use crate::plan::{Current, lanes};
use crate::spec::model::ExperimentSpec;

pub(super) fn of_change(effects: &mut Effects, current: &Current, wanted: &ExperimentSpec) {
    for lane in lanes::added(wanted, &current.spec) {
        effects.warn(format!(
            "lane \"{}\" is removed: {} that are in keep their arm, and it learns nothing more from new ones",
            lane.name,
            units(assigned(current, &lane.name))
        ));
    }
    for lane in lanes::added(&current.spec, wanted) {
        let share = lane.share;
        let name = &lane.name;
        effects.say(match assigned(current, name) {
            0 => format!("lane \"{name}\" is new: {share} of the new units outside the holdback"),
            before => format!(
                "lane \"{name}\" returns with what {} have taught it: {share} of the new units outside the holdback",
                units(before)
            ),
        });
    }
    shares(effects, &current.spec, wanted);
}

fn shares(effects: &mut Effects, before: &ExperimentSpec, after: &ExperimentSpec) {
    let moved: Vec<String> = after
        .learning_lanes()
        .into_iter()
        .filter_map(|lane| {
            let was = lanes::find(before, &lane.name)?;
            let moves = was.share != lane.share;
            moves.then(|| format!("{} {} -> {}", lane.name, was.share, lane.share))
        })
        .collect();
    if !moved.is_empty() {
        effects.say(format!(
            "lane shares: {}: units that are in keep their lane and arm",
            moved.join(", ")
        ));
    }
}

fn assigned(current: &Current, lane: &LaneName) -> u64 {
    let now = current.lanes.get(lane);
    now.map_or(0, |now| {
        now.evidence.values().map(|arm| arm.stats.assigned).sum()
    })
}

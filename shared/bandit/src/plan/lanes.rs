//! The learning lanes of two specs, compared by name: their order in the file is no change.

use crate::experiment::LaneName;
use crate::plan::fields::{self, Fields, words};
use crate::spec::model::{ExperimentSpec, LaneSpec};

/// Adds what differs between the learning lanes, where either spec declares them.
pub(super) fn compare(fields: &mut Fields, from: &ExperimentSpec, to: &ExperimentSpec) {
    if from.lanes.is_empty() && to.lanes.is_empty() {
        return;
    }
    for before in from.learning_lanes() {
        match find(to, &before.name) {
            Some(after) => compare_lane(fields, &before, &after),
            None => fields.push(path(&before), &before.describe(), "removed"),
        }
    }
    for after in added(from, to) {
        fields.push(path(&after), words::NONE, &after.describe());
    }
}

/// What its fields are called.
pub(super) fn path(lane: &LaneSpec) -> String {
    format!("lane \"{}\"", lane.name)
}

fn compare_lane(fields: &mut Fields, from: &LaneSpec, to: &LaneSpec) {
    let LaneSpec {
        name: _,
        share,
        policy,
    } = from;
    fields.text(format!("{}.share", path(from)), share, &to.share);
    fields.within(&path(from), |inner| {
        fields::sections::policy(inner, policy, &to.policy);
    });
}

/// The learning lane of this name.
pub(super) fn find(spec: &ExperimentSpec, name: &LaneName) -> Option<LaneSpec> {
    spec.learning_lanes()
        .into_iter()
        .find(|lane| lane.name == *name)
}

/// The learning lanes of `to` that `from` does not have.
pub(super) fn added(from: &ExperimentSpec, to: &ExperimentSpec) -> Vec<LaneSpec> {
    let mut lanes = to.learning_lanes();
    lanes.retain(|lane| find(from, &lane.name).is_none());
    lanes
}

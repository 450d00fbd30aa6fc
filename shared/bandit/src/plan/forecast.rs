//! What new units would draw, from the very function that publishes.

use std::collections::BTreeMap;

use crate::experiment::{ArmId, ArmName, Millis};
use crate::plan::{Current, LaneNow};
use crate::policy::{ArmView, Evidence, allocate};
use crate::spec::model::{ArmSpec, ExperimentSpec, LaneSpec};

/// The split that would be published.
pub(super) struct Forecast {
    /// Each open arm's probability, in the order of the file.
    pub shares: Vec<(ArmName, f64)>,
    /// Why the split is still even, if it is.
    pub burn_in: Option<String>,
}

/// A learning lane's split under the new spec, with what it has learnt so far, among the arms that are not `closed`.
pub(super) fn of_change(
    current: &Current,
    wanted: &ExperimentSpec,
    lane: &LaneSpec,
    closed: impl Fn(&ArmName) -> bool,
) -> Option<Forecast> {
    let ids: BTreeMap<&ArmName, ArmId> =
        current.arms.iter().map(|arm| (&arm.name, arm.id)).collect();
    let next = ids.values().map(|id| id.0 + 1).max().unwrap_or(0);
    let nothing = LaneNow::default();
    let now = current.lanes.get(&lane.name).unwrap_or(&nothing);
    let open = wanted.arms.iter().filter(|arm| !closed(&arm.name));
    let (open, evidence) = (open.collect::<Vec<_>>(), &now.evidence);
    predict(&open, lane, &ids, next, evidence, current.running_for)
}

/// The split that a learning lane of a new experiment starts with.
pub(super) fn of_new(spec: &ExperimentSpec, lane: &LaneSpec) -> Option<Forecast> {
    let (open, nothing) = (spec.arms.iter().collect::<Vec<_>>(), BTreeMap::new());
    predict(&open, lane, &BTreeMap::new(), 0, &nothing, Millis(0))
}

fn predict(
    open: &[&ArmSpec],
    lane: &LaneSpec,
    ids: &BTreeMap<&ArmName, ArmId>,
    mut next: u16,
    evidence: &BTreeMap<ArmName, Evidence>,
    running_for: Millis,
) -> Option<Forecast> {
    let mut names: BTreeMap<ArmId, &ArmName> = BTreeMap::new();
    let mut views = Vec::new();
    for arm in open {
        let id = ids.get(&arm.name).copied().unwrap_or_else(|| {
            next += 1;
            ArmId(next - 1)
        });
        names.insert(id, &arm.name);
        let Evidence { stats, learned } = evidence.get(&arm.name).copied().unwrap_or_default();
        views.push(ArmView {
            id,
            control: arm.control,
            weight: arm.weight,
            stats,
            learned,
        });
    }
    views.sort_by_key(|view| view.id);
    let name = |id: ArmId| names.get(&id).map_or_else(String::new, ToString::to_string);
    let published = allocate(&lane.policy, &views, running_for, name).ok()?;
    let id_of: BTreeMap<&ArmName, ArmId> = names.iter().map(|(id, name)| (*name, *id)).collect();
    Some(Forecast {
        shares: open
            .iter()
            .filter_map(|arm| {
                let id = id_of.get(&arm.name)?;
                Some((arm.name.clone(), published.allocation.get(*id)))
            })
            .collect(),
        burn_in: published.burn_in,
    })
}

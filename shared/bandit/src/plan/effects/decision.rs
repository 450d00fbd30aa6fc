//! What a decision may do by itself.

use crate::plan::Current;
use crate::plan::effects::Effects;
use crate::plan::numbers::control;
use crate::spec::model::{AutoDecision, ExperimentSpec};

/// Where the new file lets other decisions act than the old one.
pub(super) fn of_change(effects: &mut Effects, current: &Current, wanted: &ExperimentSpec) {
    let auto = |spec: &ExperimentSpec| {
        let decision = spec.decision.as_ref();
        decision.map_or_else(Vec::new, |decision| decision.auto.clone())
    };
    if auto(&current.spec) != auto(wanted) {
        acting(effects, wanted);
    }
}

/// Of every decision that the file lets act.
pub(super) fn acting(effects: &mut Effects, spec: &ExperimentSpec) {
    for auto in spec.decision.iter().flat_map(|decision| &decision.auto) {
        effects.warn(match auto {
            AutoDecision::Ship => {
                "decision.auto: the winner is shipped without asking: it stops for good, and everyone gets that arm; on overwhelming evidence even before min_runtime"
                    .to_owned()
            }
            AutoDecision::Kill => format!(
                "decision.auto: a decision to kill stops it without asking, for good: callers get {} from then on",
                control(spec)
            ),
            AutoDecision::KillArm => {
                "decision.auto: an arm that is worse than control is quarantined without asking".to_owned()
            }
        });
    }
}

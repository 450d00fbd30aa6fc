//! Quarantined arms: which stay closed, which are opened again, and what their units get.

use crate::experiment::ArmName;
use crate::plan::Current;
use crate::plan::effects::{Effects, assigned};
use crate::plan::numbers::{control, units};
use crate::plan::quarantine::Quarantines;
use crate::spec::model::{ExperimentSpec, OnQuarantine};

/// Arms that stay closed, and arms that are opened.
pub(super) fn shown(effects: &mut Effects, quarantines: &Quarantines) {
    for (arm, hold) in &quarantines.kept {
        effects.warn(format!(
            "arm \"{arm}\" stays closed to new units, and apply does not undo that ({hold})"
        ));
    }
    for (arm, hold) in &quarantines.released {
        effects.warn(format!(
            "releases a hold: new units may draw arm \"{arm}\" again ({hold})"
        ));
    }
}

/// Whether units of arms that are opened get another arm than before.
pub(super) fn given_back(
    effects: &mut Effects,
    current: &Current,
    wanted: &ExperimentSpec,
    quarantines: &Quarantines,
) -> bool {
    if current.spec.on_quarantine == OnQuarantine::Keep {
        return false;
    }
    for arm in quarantines.released.keys() {
        effects.warn(format!(
            "{} on arm \"{arm}\" get it back instead of {}",
            units(assigned(current, arm)),
            control(wanted)
        ));
    }
    !quarantines.released.is_empty()
}

/// Whether units of arms that stay closed get another arm than before.
pub(super) fn answered_differently(
    effects: &mut Effects,
    current: &Current,
    wanted: &ExperimentSpec,
    quarantines: &Quarantines,
) -> bool {
    if current.spec.on_quarantine == wanted.on_quarantine {
        return false;
    }
    for arm in quarantines.kept.keys() {
        effects.warn(format!(
            "{} on arm \"{arm}\", which is quarantined, get {} from now on",
            units(assigned(current, arm)),
            answer(wanted, arm)
        ));
    }
    !quarantines.kept.is_empty()
}

fn answer(wanted: &ExperimentSpec, arm: &ArmName) -> String {
    match wanted.on_quarantine {
        OnQuarantine::Control => control(wanted),
        OnQuarantine::Keep => format!("\"{arm}\""),
    }
}

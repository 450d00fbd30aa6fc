//! The quarantines of a declared experiment: kept, or released where the options say so.

use std::collections::BTreeMap;

use crate::experiment::{ArmName, Verb};
use crate::plan::{Current, Options};
use crate::spec::model::ExperimentSpec;

/// The quarantines of the arms that a file declares, each in words.
#[derive(Debug, Default)]
pub(super) struct Quarantines {
    /// Of arms that stay closed.
    pub kept: BTreeMap<ArmName, String>,
    /// Of arms that new units may draw again.
    pub released: BTreeMap<ArmName, String>,
}

/// What becomes of them. An arm that is removed keeps its quarantine for the day on which it returns; in an experiment
/// that is over nobody draws, so that there is nothing to say.
pub(super) fn of_declared(
    current: &Current,
    wanted: &ExperimentSpec,
    verb: Option<Verb>,
    options: Options,
) -> Quarantines {
    if current.state.is_over() || verb == Some(Verb::Stop) {
        return Quarantines::default();
    }
    let declared = |name: &ArmName| wanted.arms.iter().any(|arm| arm.name == *name);
    let found = current
        .quarantines
        .iter()
        .filter(|(name, _)| declared(name))
        .map(|(name, hold)| (name.clone(), hold.clone()))
        .collect();
    if options.release_holds {
        return Quarantines {
            released: found,
            ..Quarantines::default()
        };
    }
    Quarantines {
        kept: found,
        ..Quarantines::default()
    }
}

impl Quarantines {
    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty() && self.released.is_empty()
    }

    /// Why the file cannot be applied while they are kept: everyone may need the control.
    pub(super) fn refusal(&self, wanted: &ExperimentSpec) -> Option<String> {
        let control = &wanted.control().name;
        let hold = self.kept.get(control)?;
        Some(format!(
            "experiment \"{}\": the file makes \"{control}\" its control, and it is held ({hold}): release the hold first, or name another control",
            wanted.key
        ))
    }
}

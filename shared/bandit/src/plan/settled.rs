//! What may no longer change: reward, salt and control once started, everything once over.

use crate::experiment::RunState;
use crate::plan::{Current, FieldChange};
use crate::spec::model::ExperimentSpec;

/// Why these changes cannot be applied, each with its way out.
pub(super) fn refusals(
    current: &Current,
    wanted: &ExperimentSpec,
    fields: &[FieldChange],
) -> Vec<String> {
    let key = &wanted.key;
    if fields.is_empty() || !current.state.has_started() {
        return Vec::new();
    }
    if matches!(
        current.state,
        RunState::Stopped { .. } | RunState::Archived { .. }
    ) {
        return vec![format!(
            "experiment \"{key}\" is {} and the file changes {}: restore the section or remove it, and try new ideas under another key",
            current.state.name(),
            paths(fields.iter())
        )];
    }
    let mut refusals = Vec::new();
    let rewards = || {
        fields
            .iter()
            .filter(|field| field.path.starts_with("reward"))
    };
    if rewards().next().is_some() {
        refusals.push(format!(
            "experiment \"{key}\" has started and the file changes {}: outcomes of both kinds would be mixed; restore it, or create a new experiment under another key",
            paths(rewards())
        ));
    }
    if current.spec.salt != wanted.salt {
        refusals.push(format!(
            "experiment \"{key}\" has started and the file changes salt: new units would be drawn anew; restore salt = \"{}\", or create a new experiment under another key",
            current.spec.salt
        ));
    }
    refusals.extend(control_refusal(current, wanted));
    refusals
}

fn control_refusal(current: &Current, wanted: &ExperimentSpec) -> Option<String> {
    let (before, after) = (current.spec.control(), wanted.control());
    if before.name == after.name {
        return None;
    }
    Some(format!(
        "experiment \"{}\" has started and the file makes \"{}\" its control instead of \"{}\": every comparison rests on it; restore it, or create a new experiment under another key",
        wanted.key, after.name, before.name
    ))
}

fn paths<'a>(fields: impl Iterator<Item = &'a FieldChange>) -> String {
    let paths: Vec<&str> = fields.map(|field| field.path.as_str()).collect();
    paths.join(", ")
}

//! The arms of two specs, compared by name: their order in the file is no change.

use crate::plan::fields::{Fields, words};
use crate::spec::model::ArmSpec;

/// Adds what differs between the arms.
pub(super) fn compare(fields: &mut Fields, from: &[ArmSpec], to: &[ArmSpec]) {
    for before in from {
        match to.iter().find(|after| after.name == before.name) {
            Some(after) => compare_arm(fields, before, after),
            None => fields.push(path(before), "open", "removed"),
        }
    }
    for after in added(from, to) {
        fields.push(
            path(after),
            words::NONE,
            &format!("added, config {}", after.config),
        );
    }
}

fn path(arm: &ArmSpec) -> String {
    format!("arm \"{}\"", arm.name)
}

fn compare_arm(fields: &mut Fields, from: &ArmSpec, to: &ArmSpec) {
    let ArmSpec {
        name: _,
        control,
        config,
        weight,
    } = from;
    fields.text(format!("{}.control", path(from)), control, &to.control);
    fields.text(format!("{}.weight", path(from)), weight, &to.weight);
    if !words::same_json(config, &to.config) {
        fields.push(
            format!("{}.config", path(from)),
            &config.to_string(),
            &to.config.to_string(),
        );
    }
}

/// The arms of `to` that `from` does not have.
pub(super) fn added<'a>(from: &'a [ArmSpec], to: &'a [ArmSpec]) -> Vec<&'a ArmSpec> {
    to.iter()
        .filter(|after| !from.iter().any(|before| before.name == after.name))
        .collect()
}

/// The arms that both have, with another configuration.
pub(super) fn reconfigured<'a>(from: &'a [ArmSpec], to: &'a [ArmSpec]) -> Vec<&'a ArmSpec> {
    to.iter()
        .filter(|after| {
            from.iter().any(|before| {
                before.name == after.name && !words::same_json(&before.config, &after.config)
            })
        })
        .collect()
}

//! A fixed split: the declared weights, for ever.

use super::ArmView;
use crate::allocation::project;
use crate::experiment::Share;
use crate::spec::model::PolicySpec;

/// The declared weights, made to sum to 1. They stay as declared where they keep the floor and the cap, and are moved
/// as little as possible where they do not: an additive floor would turn a declared 90:10 into something else.
pub(super) fn weights(policy: &PolicySpec, arms: &[ArmView]) -> Vec<f64> {
    let declared: Vec<f64> = arms.iter().map(|arm| arm.weight).collect();
    let cap = policy.max_weight.unwrap_or(Share::ALL);
    project(&declared, policy.floor, cap)
}

//! A fixed split: the declared weights, for ever.

use super::ArmView;
use crate::allocation::Limits;

/// The declared weights, made to sum to 1. They stay as declared where they keep the floor and the cap, and are moved
/// as little as possible where they do not: an additive floor would turn a declared 90:10 into something else.
pub(super) fn shares(arms: &[ArmView], limits: &Limits) -> Vec<f64> {
    let declared: Vec<f64> = arms.iter().map(|arm| arm.weight).collect();
    limits.project(&declared)
}

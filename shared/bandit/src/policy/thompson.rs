//! Thompson sampling as probability matching: each arm gets the probability with which a posterior draw would pick it.
//!
//! A batch of draws under frozen posteriors is the same policy as these weights (STATS 1.1), but the weights are
//! exact, need no random numbers, and are the propensities.

use super::ArmView;
use crate::allocation::with_floor;
use crate::posterior::{BetaPosterior, Posterior};
use crate::probability::{QuadratureError, best_arm};
use crate::spec::model::PolicySpec;

/// P(best), mixed with the floor and cut at the cap.
pub(super) fn weights(policy: &PolicySpec, arms: &[ArmView]) -> Result<Vec<f64>, QuadratureError> {
    let posteriors: Vec<Posterior> = arms
        .iter()
        .map(|arm| BetaPosterior::from_moments(policy.prior, &arm.learned).into())
        .collect();
    let best = best_arm(&posteriors)?;
    Ok(with_floor(&best.p_best, policy.floor, policy.max_weight))
}

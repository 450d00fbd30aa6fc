//! Thompson sampling as probability matching: each arm gets the probability with which a posterior draw would pick it.
//!
//! A batch of draws under frozen posteriors is the same policy as these weights (STATS 1.1), but the weights are
//! exact, need no random numbers, and are the propensities.

use crate::posterior::Posterior;
use crate::probability::{QuadratureError, best_arm};

/// P(best).
pub(super) fn weights(posteriors: &[Posterior]) -> Result<Vec<f64>, QuadratureError> {
    Ok(best_arm(posteriors)?.p_best)
}

//! Top-two Thompson sampling: a part of the traffic goes to the best arm's strongest rival.
//!
//! Thompson sampling stops trying what is probably worse and so takes long to prove it; this finds the best arm
//! sooner, at a price in reward (Russo 2016, 2020).

use crate::experiment::Share;
use crate::posterior::Posterior;
use crate::probability::{QuadratureError, best_arm};

/// The probability of playing each arm: the first choice with probability `first`, else the first that a new draw
/// makes best and that is not the first choice.
///
/// `p_i = psi_i (first + (1 - first) sum_{j != i} psi_j / (1 - psi_j))` with `psi` the probability of being best
/// (STATS 1.3): exact, without a single draw. Of two arms the other one is always the rival, so `first = 1/2` is an
/// even split whatever was learned.
pub(super) fn weights(posteriors: &[Posterior], first: Share) -> Result<Vec<f64>, QuadratureError> {
    let best = best_arm(posteriors)?.p_best;
    let mut weights: Vec<f64> = best.iter().map(|psi| first.get() * psi).collect();
    for (leader, psi) in best.iter().enumerate() {
        for (rival, share) in rivals(posteriors, &best, leader)? {
            weights[rival] += (1.0 - first.get()) * psi * share;
        }
    }
    Ok(weights)
}

/// The probability that each other arm is the second choice where `leader` is the first.
///
/// What is missing to certainty is summed up, not subtracted from 1: near certainty the difference is only rounding.
/// Where nothing at all is missing, the second choice is the best of the others, which is what it tends to.
fn rivals(
    posteriors: &[Posterior],
    best: &[f64],
    leader: usize,
) -> Result<Vec<(usize, f64)>, QuadratureError> {
    let others = |of: &[f64]| -> Vec<(usize, f64)> {
        let of = of.iter().copied().enumerate();
        of.filter(|(arm, _)| *arm != leader).collect()
    };
    let mut chances = others(best);
    let mut rest: f64 = chances.iter().map(|(_, psi)| psi).sum();
    if rest <= 0.0 && !chances.is_empty() {
        let without: Vec<Posterior> = chances.iter().map(|(arm, _)| posteriors[*arm]).collect();
        for (chance, psi) in chances.iter_mut().zip(best_arm(&without)?.p_best) {
            chance.1 = psi;
        }
        rest = 1.0;
    }
    for (_, chance) in &mut chances {
        *chance /= rest;
    }
    Ok(chances)
}

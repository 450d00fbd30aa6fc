//! Which posterior an arm's rewards give.

use super::{BetaPosterior, Moments, NormalInverseGamma, Posterior};
use crate::spec::model::BetaPrior;

/// The model of the rewards of one lane: all its arms have the same, so that they can be compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Family {
    /// Rewards are 0 or 1; or in `0..=1`, where it is the fractional Beta: not a posterior, but a conservative one
    /// (STATS 1.2).
    Beta(BetaPrior),
    /// Rewards are real numbers with unknown mean and variance: Student-t posteriors from the weak
    /// normal-inverse-gamma prior of the arms' pooled rewards (STATS 1.2).
    Normal,
}

impl Family {
    /// The posterior of each arm, in the order of `arms`.
    pub fn posteriors(&self, arms: &[Moments]) -> Vec<Posterior> {
        match self {
            Self::Beta(prior) => {
                let of_arm = |arm: &Moments| BetaPosterior::from_moments(*prior, arm).into();
                arms.iter().map(of_arm).collect()
            }
            Self::Normal => {
                let prior = NormalInverseGamma::weak(arms.iter().copied().sum());
                let of_arm = |arm: &Moments| prior.update(*arm).marginal().into();
                arms.iter().map(of_arm).collect()
            }
        }
    }
}

//! The Beta posterior of a rate.

use serde::{Deserialize, Serialize};

use super::{ArmStats, MICRO, Moments};
use crate::probability::density::{Curve as _, Density as _};
use crate::probability::logit_beta::{LogitBeta, logistic};
use crate::probability::{quantile, tail};
use crate::spec::model::BetaPrior;

/// A Beta posterior over an arm's mean reward.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BetaPosterior {
    /// Prior successes and rewards; finite, above 0.
    pub alpha: f64,
    /// Prior failures and what was missing to full rewards; finite, above 0.
    pub beta: f64,
}

impl BetaPosterior {
    /// The posterior after these moments, whose counts may be fractions (STATS 1.1, 5.2, 10); 0 where they are negative.
    pub fn from_moments(prior: BetaPrior, moments: &Moments) -> Self {
        Self {
            alpha: prior.alpha + moments.sum.max(0.0),
            beta: prior.beta + (moments.n - moments.sum).max(0.0),
        }
    }

    /// `alpha = a0 + S`, `beta = b0 + N - S` over `N` resolved units with rewards that sum to `S` (STATS 1.1).
    ///
    /// Scaled rewards make it the fractional Beta (STATS 1.2): not a posterior, but a conservative one, because a
    /// reward in `0..=1` varies at most as much as a coin with the same mean.
    pub fn from_stats(prior: BetaPrior, stats: &ArmStats) -> Self {
        let missing_micro =
            i128::from(stats.resolved) * i128::from(MICRO) - i128::from(stats.reward_sum_micro);
        Self {
            alpha: prior.alpha + stats.reward_sum().max(0.0),
            beta: prior.beta + (missing_micro as f64 / MICRO as f64).max(0.0),
        }
    }

    pub(crate) fn is_valid(&self) -> bool {
        LogitBeta::new(self.alpha, self.beta).is_some()
    }

    /// The expected mean reward, in `0..=1`.
    pub fn mean(&self) -> f64 {
        self.alpha / (self.alpha + self.beta)
    }

    /// The standard deviation.
    pub fn sd(&self) -> f64 {
        let mean = self.mean();
        (mean * (1.0 - mean) / (self.alpha + self.beta + 1.0)).sqrt()
    }

    /// The equal-tailed credible interval that holds `level` (in `0..1`) of the posterior, by Beta quantiles.
    ///
    /// Not `mean ± 1.96 sd`, which leaves `0..=1` and is too short at small counts (STATS 0). Relative error below
    /// 1e-11. `NaN` where alpha or beta is not finite and above 0.
    pub fn interval(&self, level: f64) -> (f64, f64) {
        let tail = (1.0 - level) / 2.0;
        let Some(density) = LogitBeta::new(self.alpha, self.beta) else {
            return (f64::NAN, f64::NAN);
        };
        let low = quantile::lower_tail_point(&density, tail);
        let high = -quantile::lower_tail_point(&density.mirrored(), tail);
        (logistic(low), logistic(high))
    }

    /// The density of the posterior at `x`; 0 outside `0..=1` and at its ends.
    pub fn density(&self, x: f64) -> f64 {
        let inside = x > 0.0 && x < 1.0;
        match LogitBeta::new(self.alpha, self.beta) {
            Some(density) if inside => density.at(x.ln() - (-x).ln_1p()) / (x * (1.0 - x)),
            _ => 0.0,
        }
    }

    /// `ln P(theta > x)`: 0 below the rates, minus infinity above them, `NaN` where the parameters are no
    /// posterior's.
    pub fn ln_upper_tail(&self, x: f64) -> f64 {
        match LogitBeta::new(self.alpha, self.beta) {
            None => f64::NAN,
            Some(_) if x <= 0.0 => 0.0,
            Some(_) if x >= 1.0 => f64::NEG_INFINITY,
            Some(density) => tail::ln_above(&density, x.ln() - (-x).ln_1p()),
        }
    }

    /// The logarithm of `P(theta > x)` over the density of `logit(theta)` at `x`, for `x` in `0..1`: a difference of
    /// two logarithms that may both be far below zero, without computing them.
    pub(crate) fn ln_mills(&self, x: f64) -> f64 {
        LogitBeta::new(self.alpha, self.beta).map_or(f64::NAN, |density| {
            tail::ln_mills(&density, x.ln() - (-x).ln_1p())
        })
    }
}

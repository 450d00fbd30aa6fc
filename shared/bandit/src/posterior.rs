//! What a lane believes about an arm: counts that add up exactly, and the Beta posterior derived from them.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

use crate::probability::density::LogitBeta;
use crate::probability::quantile;
use crate::spec::model::BetaPrior;

/// Rewards are stored in whole millionths, so that every sum is exact in any order.
pub const MICRO: i64 = 1_000_000;

/// Sufficient statistics of one arm; of one lane and policy version as stored, of any number of them when added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ArmStats {
    /// Units assigned.
    pub assigned: u64,
    /// Units exposed.
    pub exposed: u64,
    /// Units whose attribution window has closed; each has one reward in `0..=1`.
    pub resolved: u64,
    /// Sum of the resolved units' rewards, in millionths.
    pub reward_sum_micro: i64,
    /// Sum of the resolved units' squared rewards, each rounded to millionths.
    pub reward_sq_sum_micro: i64,
}

impl ArmStats {
    /// One resolved unit with this reward, in millionths in `0..=1_000_000`.
    pub fn of_reward(reward_micro: i32) -> Self {
        Self {
            resolved: 1,
            reward_sum_micro: i64::from(reward_micro),
            reward_sq_sum_micro: squared_micro(reward_micro),
            ..Self::default()
        }
    }

    /// Units exposed whose window is still open.
    pub fn pending(&self) -> u64 {
        self.exposed.saturating_sub(self.resolved)
    }

    /// The sum of the resolved rewards, each in `0..=1`.
    pub fn reward_sum(&self) -> f64 {
        self.reward_sum_micro as f64 / MICRO as f64
    }

    /// The sum of the resolved rewards' squares.
    pub fn reward_sq_sum(&self) -> f64 {
        self.reward_sq_sum_micro as f64 / MICRO as f64
    }

    /// The mean of the resolved rewards, in `0..=1`; `None` before the first.
    pub fn reward_mean(&self) -> Option<f64> {
        (self.resolved > 0).then(|| self.reward_sum() / self.resolved as f64)
    }
}

/// The square of a reward in millionths, rounded half up to millionths.
pub fn squared_micro(reward_micro: i32) -> i64 {
    (i64::from(reward_micro) * i64::from(reward_micro) + MICRO / 2) / MICRO
}

impl AddAssign for ArmStats {
    fn add_assign(&mut self, other: Self) {
        let Self {
            assigned,
            exposed,
            resolved,
            reward_sum_micro,
            reward_sq_sum_micro,
        } = other;
        self.assigned += assigned;
        self.exposed += exposed;
        self.resolved += resolved;
        self.reward_sum_micro += reward_sum_micro;
        self.reward_sq_sum_micro += reward_sq_sum_micro;
    }
}

impl std::iter::Sum for ArmStats {
    fn sum<I: Iterator<Item = Self>>(stats: I) -> Self {
        stats.fold(Self::default(), |mut sum, next| {
            sum += next;
            sum
        })
    }
}

/// The rewards of one arm as three sums; fractions where units count in part.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Moments {
    /// Units, at least 0.
    pub n: f64,
    /// Sum of their rewards, each in `0..=1`.
    pub sum: f64,
    /// Sum of their squared rewards.
    pub sum_sq: f64,
}

impl From<&ArmStats> for Moments {
    fn from(stats: &ArmStats) -> Self {
        Self {
            n: stats.resolved as f64,
            sum: stats.reward_sum(),
            sum_sq: stats.reward_sq_sum_micro as f64 / MICRO as f64,
        }
    }
}

/// A Beta posterior over an arm's mean reward.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct BetaPosterior {
    /// Prior successes and rewards; finite, above 0.
    pub alpha: f64,
    /// Prior failures and what was missing to full rewards; finite, above 0.
    pub beta: f64,
}

impl BetaPosterior {
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

    /// The same from sums that may be fractions.
    pub fn from_moments(prior: BetaPrior, moments: &Moments) -> Self {
        Self {
            alpha: prior.alpha + moments.sum.max(0.0),
            beta: prior.beta + (moments.n - moments.sum).max(0.0),
        }
    }

    /// The expected mean reward, in `0..=1`.
    pub fn mean(&self) -> f64 {
        self.alpha / (self.alpha + self.beta)
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
}

fn logistic(t: f64) -> f64 {
    1.0 / (1.0 + (-t).exp())
}

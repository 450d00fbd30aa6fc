//! What policies learn from: counts and sums as real numbers, after credit and memory have weighed them.

use std::iter::Sum;
use std::ops::{Add, AddAssign, Mul};

use serde::{Deserialize, Serialize};

use super::ArmStats;

/// Weighted sums over an arm's rewards. Weights need not be whole: pending units and old periods count in part.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Moments {
    /// How many rewards, at least 0.
    pub n: f64,
    /// Their sum.
    pub sum: f64,
    /// The sum of their squares.
    pub sum_sq: f64,
}

impl Moments {
    /// `n` rewards with this mean and this sum of squared distances from it.
    pub fn around(n: f64, mean: f64, squared_distances: f64) -> Self {
        Self {
            n,
            sum: n * mean,
            sum_sq: squared_distances + n * mean * mean,
        }
    }

    /// The mean; `None` before the first reward.
    pub fn mean(&self) -> Option<f64> {
        (self.n > 0.0).then(|| self.sum / self.n)
    }

    /// The sum of squared distances from the mean, at least 0: `sum_sq - sum²/n`.
    ///
    /// Rewards are in `0..=1` and their squares are stored to a millionth, so the subtraction costs less than the
    /// storing: its error is 1e-16 of `sum_sq`. It may come out below 0 by that, and is 0 then.
    pub fn squared_distances(&self) -> f64 {
        let Some(mean) = self.mean() else { return 0.0 };
        (self.sum_sq - mean * self.sum).max(0.0)
    }

    /// The variance of the rewards, with `n` below the line; `None` before the first.
    pub fn variance(&self) -> Option<f64> {
        (self.n > 0.0).then(|| self.squared_distances() / self.n)
    }

    /// The unbiased variance, with `n - 1` below the line; `None` for a count of at most 1.
    pub fn sample_variance(&self) -> Option<f64> {
        (self.n > 1.0).then(|| self.squared_distances() / (self.n - 1.0))
    }
}

impl From<&ArmStats> for Moments {
    /// The resolved units.
    fn from(stats: &ArmStats) -> Self {
        Self {
            n: stats.resolved as f64,
            sum: stats.reward_sum(),
            sum_sq: stats.reward_sq_sum(),
        }
    }
}

impl Add for Moments {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            n: self.n + other.n,
            sum: self.sum + other.sum,
            sum_sq: self.sum_sq + other.sum_sq,
        }
    }
}

impl AddAssign for Moments {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Moments {
    fn sum<I: Iterator<Item = Self>>(moments: I) -> Self {
        moments.fold(Self::default(), Add::add)
    }
}

/// Every reward counts `weight` times.
impl Mul<f64> for Moments {
    type Output = Self;

    fn mul(self, weight: f64) -> Self {
        Self {
            n: self.n * weight,
            sum: self.sum * weight,
            sum_sq: self.sum_sq * weight,
        }
    }
}

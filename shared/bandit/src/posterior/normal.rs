//! The normal posterior of a mean whose standard error is known.

use serde::{Deserialize, Serialize};

use crate::probability::line::Line;
use crate::probability::{quantile, tail};

/// A normal posterior over an arm's mean reward.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct NormalPosterior {
    /// The expected mean reward; finite.
    pub mean: f64,
    /// The standard deviation of the belief, not of the rewards; finite, above 0.
    pub sd: f64,
}

impl NormalPosterior {
    pub(crate) fn is_valid(&self) -> bool {
        self.mean.is_finite() && self.sd.is_finite() && self.sd > 0.0
    }

    /// The equal-tailed interval that holds `level` (in `0..1`) of the posterior; `NaN` where it is none.
    pub fn interval(&self, level: f64) -> (f64, f64) {
        if !self.is_valid() {
            return (f64::NAN, f64::NAN);
        }
        let below = quantile::lower_tail_point(&Line::standard_normal(), (1.0 - level) / 2.0);
        (self.mean + self.sd * below, self.mean - self.sd * below)
    }

    /// The density at `x`.
    pub fn density(&self, x: f64) -> f64 {
        if !self.is_valid() {
            return 0.0;
        }
        tail::density_at(&Line::standard_normal(), (x - self.mean) / self.sd) / self.sd
    }

    /// `ln P(theta > x)`; `NaN` where the parameters are no posterior's.
    pub fn ln_upper_tail(&self, x: f64) -> f64 {
        if !self.is_valid() {
            return f64::NAN;
        }
        tail::ln_above(&Line::standard_normal(), (x - self.mean) / self.sd)
    }
}

//! The Student-t posterior of a mean whose standard error is estimated.

use serde::{Deserialize, Serialize};

use crate::probability::line::Line;
use crate::probability::{quantile, tail};

/// A Student-t posterior over an arm's mean reward.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StudentTPosterior {
    /// Degrees of freedom; finite, at least 1. An expectation takes more than 1.
    pub df: f64,
    /// Where it is centred; finite.
    pub location: f64,
    /// How wide it is; finite, above 0. The standard deviation is `scale sqrt(df / (df - 2))`.
    pub scale: f64,
}

impl StudentTPosterior {
    /// The belief in a mean after `n` observations with this mean and standard deviation (with `n - 1` below the
    /// line), from the flat prior `1/sigma²`: Student-t with `n - 1` degrees of freedom and the scale
    /// `sd / sqrt(n)` (Gelman et al., Bayesian Data Analysis, 3.2). `None` for `n` below 2 or `sd` not above 0.
    pub fn of_sample(mean: f64, sd: f64, n: f64) -> Option<Self> {
        let posterior = Self {
            df: n - 1.0,
            location: mean,
            scale: sd / n.sqrt(),
        };
        posterior.is_valid().then_some(posterior)
    }

    pub(crate) fn is_valid(&self) -> bool {
        let Self {
            df,
            location,
            scale,
        } = *self;
        df.is_finite() && df >= 1.0 && location.is_finite() && scale.is_finite() && scale > 0.0
    }

    /// The expected mean reward; `NaN` for at most one degree of freedom, where there is none.
    pub fn mean(&self) -> f64 {
        if self.df > 1.0 {
            self.location
        } else {
            f64::NAN
        }
    }

    /// The standard deviation; infinite for at most two degrees of freedom, where there is none.
    pub fn sd(&self) -> f64 {
        if self.df > 2.0 {
            self.scale * (self.df / (self.df - 2.0)).sqrt()
        } else {
            f64::INFINITY
        }
    }

    /// The equal-tailed interval that holds `level` (in `0..1`) of the posterior; `NaN` where it is none.
    pub fn interval(&self, level: f64) -> (f64, f64) {
        if !self.is_valid() {
            return (f64::NAN, f64::NAN);
        }
        let below = quantile::lower_tail_point(&Line::standard_t(self.df), (1.0 - level) / 2.0);
        (
            self.location + self.scale * below,
            self.location - self.scale * below,
        )
    }

    /// The density at `x`.
    pub fn density(&self, x: f64) -> f64 {
        if !self.is_valid() {
            return 0.0;
        }
        let z = (x - self.location) / self.scale;
        tail::density_at(&Line::standard_t(self.df), z) / self.scale
    }

    /// `ln P(theta > x)`; `NaN` where the parameters are no posterior's.
    pub fn ln_upper_tail(&self, x: f64) -> f64 {
        if !self.is_valid() {
            return f64::NAN;
        }
        let z = (x - self.location) / self.scale;
        tail::ln_above(&Line::standard_t(self.df), z)
    }
}

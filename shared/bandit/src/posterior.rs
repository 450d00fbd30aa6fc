//! What a lane believes about an arm: counts that add up exactly, and the posterior derived from them.

mod beta;
mod family;
mod moments;
mod normal;
mod normal_inverse_gamma;
mod stats;
mod student_t;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use beta::BetaPosterior;
pub use family::Family;
pub use moments::Moments;
pub use normal::NormalPosterior;
pub use normal_inverse_gamma::NormalInverseGamma;
pub use stats::{ArmStats, MICRO, squared_micro};
pub use student_t::StudentTPosterior;

/// The posterior of an arm's mean reward.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Posterior {
    /// Of a rate, in `0..=1`.
    Beta(BetaPosterior),
    /// Of a mean whose standard error is known.
    Normal(NormalPosterior),
    /// Of a mean whose standard error is estimated.
    StudentT(StudentTPosterior),
}

impl Posterior {
    /// The expected mean reward; `NaN` for a Student-t with at most one degree of freedom, which has none.
    pub fn mean(&self) -> f64 {
        match self {
            Self::Beta(it) => it.mean(),
            Self::Normal(it) => it.mean,
            Self::StudentT(it) => it.mean(),
        }
    }

    /// The standard deviation; infinite or `NaN` for a Student-t with at most two degrees of freedom, which has none.
    pub fn sd(&self) -> f64 {
        match self {
            Self::Beta(it) => it.sd(),
            Self::Normal(it) => it.sd,
            Self::StudentT(it) => it.sd(),
        }
    }

    /// The equal-tailed credible interval that holds `level` (in `0..1`) of the posterior, by its quantiles; `NaN`
    /// where its parameters are no posterior's.
    pub fn interval(&self, level: f64) -> (f64, f64) {
        match self {
            Self::Beta(it) => it.interval(level),
            Self::Normal(it) => it.interval(level),
            Self::StudentT(it) => it.interval(level),
        }
    }

    /// The density at `x`; 0 where there is none.
    pub fn density(&self, x: f64) -> f64 {
        match self {
            Self::Beta(it) => it.density(x),
            Self::Normal(it) => it.density(x),
            Self::StudentT(it) => it.density(x),
        }
    }

    /// Whether its parameters are those of a posterior.
    pub(crate) fn is_valid(&self) -> bool {
        match self {
            Self::Beta(it) => it.is_valid(),
            Self::Normal(it) => it.is_valid(),
            Self::StudentT(it) => it.is_valid(),
        }
    }

    /// `P(theta > x)`, with a relative error below 1e-11 also where it is tiny.
    pub fn upper_tail(&self, x: f64) -> f64 {
        self.ln_upper_tail(x).exp()
    }

    /// `ln P(theta > x)`: it does not underflow, whatever the counts.
    pub fn ln_upper_tail(&self, x: f64) -> f64 {
        match self {
            Self::Beta(it) => it.ln_upper_tail(x),
            Self::Normal(it) => it.ln_upper_tail(x),
            Self::StudentT(it) => it.ln_upper_tail(x),
        }
    }
}

impl From<BetaPosterior> for Posterior {
    fn from(posterior: BetaPosterior) -> Self {
        Self::Beta(posterior)
    }
}

impl From<NormalPosterior> for Posterior {
    fn from(posterior: NormalPosterior) -> Self {
        Self::Normal(posterior)
    }
}

impl From<StudentTPosterior> for Posterior {
    fn from(posterior: StudentTPosterior) -> Self {
        Self::StudentT(posterior)
    }
}

impl fmt::Display for Posterior {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Beta(BetaPosterior { alpha, beta }) => write!(f, "Beta({alpha}, {beta})"),
            Self::Normal(NormalPosterior { mean, sd }) => write!(f, "Normal({mean}, {sd})"),
            Self::StudentT(StudentTPosterior {
                df,
                location,
                scale,
            }) => write!(f, "Student-t({df}, {location}, {scale})"),
        }
    }
}

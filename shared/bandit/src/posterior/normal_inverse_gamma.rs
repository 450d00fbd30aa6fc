//! The conjugate prior of normal rewards with unknown mean and variance.

use serde::{Deserialize, Serialize};

use super::{Moments, StudentTPosterior};

/// One reward that nobody saw, uniform on `0..=1`: its mean and its variance.
const UNSEEN: Moments = Moments {
    n: 1.0,
    sum: 0.5,
    sum_sq: 1.0 / 3.0,
};

/// `sigma² ~ InverseGamma(shape, rate)`, `mu | sigma² ~ Normal(mean, sigma² / count)`: prior and posterior alike
/// (STATS 1.2; Murphy 2007, section 3; Gelman et al., Bayesian Data Analysis, 3.3).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct NormalInverseGamma {
    /// `m`: where the mean is expected.
    pub mean: f64,
    /// `kappa`: how many rewards that expectation is worth, above 0.
    pub count: f64,
    /// `a`: half the degrees of freedom, above 0.
    pub shape: f64,
    /// `b`: the variance is expected around `rate / shape`; above 0.
    pub rate: f64,
}

impl NormalInverseGamma {
    /// The weak prior for arms whose rewards, all together, have these moments (STATS 1.2): `m0` the pooled mean,
    /// `kappa0 = 1`, `a0 = 1`, `b0` the pooled variance. It is worth one reward per arm.
    ///
    /// One uniform reward that nobody saw is pooled with them. Without data that gives `m0 = 1/2` and `b0 = 1/12`.
    /// With rewards that are all alike it keeps the variance above 0, where the plain formula would be certain of
    /// an arm after two equal rewards and could not be computed. With `n` rewards it moves both by a part in `n`,
    /// and there is no count at which one rule gives way to another and the shares would jump.
    pub fn weak(pooled: Moments) -> Self {
        let pooled = pooled + UNSEEN;
        Self {
            mean: pooled.sum / pooled.n,
            count: 1.0,
            shape: 1.0,
            rate: pooled.squared_distances() / pooled.n,
        }
    }

    /// What is believed after these rewards.
    #[must_use]
    pub fn update(&self, seen: Moments) -> Self {
        let Self {
            mean: m0,
            count: kappa0,
            shape: a0,
            rate: b0,
        } = *self;
        let Some(mean) = seen.mean() else {
            return *self;
        };
        let count = kappa0 + seen.n;
        let apart = mean - m0;
        Self {
            mean: (kappa0 * m0 + seen.sum) / count,
            count,
            shape: a0 + seen.n / 2.0,
            rate: b0
                + seen.squared_distances() / 2.0
                + kappa0 * seen.n * apart * apart / (2.0 * count),
        }
    }

    /// The marginal of the mean: Student-t with `2a` degrees of freedom, around `m`, with the scale
    /// `sqrt(b / (a kappa))`.
    pub fn marginal(&self) -> StudentTPosterior {
        StudentTPosterior {
            df: 2.0 * self.shape,
            location: self.mean,
            scale: (self.rate / (self.shape * self.count)).sqrt(),
        }
    }
}

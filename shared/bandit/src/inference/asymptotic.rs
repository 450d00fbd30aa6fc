//! Confidence sequences for estimates that are normal in large samples: valid at every look (STATS 5.4).
//!
//! Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and asymptotic confidence
//! sequences" (2021): the two-sided normal mixture with the estimated variance. Under adaptive allocation the
//! estimate and its error are those of [`super::aipw`].

use super::estimate::{Estimate, Interval};
use super::mixture::{normal_bound, normal_ln_evidence, tuned_scale};

/// The sample size at which the sequences are tightest, if nothing else is known: where experiments of a few percent
/// usually come to a decision.
pub const TUNED_FOR: f64 = 5000.0;

/// A weighted mean of scores, seen as a walk: `value` is `sum h Γ / sum h`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Walk {
    /// Where it is.
    pub value: f64,
    /// `sum h`: the trials, if they all count the same.
    pub weight: f64,
    /// The variance of `sum h Γ`, added up over trials: the walk's own time.
    pub variance: f64,
    /// What one trial usually adds to it, with an even split: says at which variance the sequence is tightest.
    pub typical_variance: f64,
}

impl Walk {
    /// The walk of a mean of `samples` values with this standard error.
    pub fn of_mean(estimate: Estimate, samples: f64) -> Self {
        let of_one = estimate.standard_error * estimate.standard_error * samples;
        Self {
            value: estimate.value,
            weight: samples,
            variance: of_one * samples,
            typical_variance: of_one,
        }
    }

    /// The interval that holds the truth at all looks with a probability of `1 - alpha`, tightest after
    /// `tuned_for` trials.
    ///
    /// The boundary runs on the variance and not on the number of trials, because a trial under a small propensity
    /// adds more of it. Everything where there is none: without variation nothing is known of the size of an error.
    pub fn sequence(&self, alpha: f64, tuned_for: f64) -> Interval {
        let Some(scale) = self.scale(alpha, tuned_for) else {
            return Interval {
                low: f64::NEG_INFINITY,
                high: f64::INFINITY,
            };
        };
        let radius = normal_bound(self.variance, alpha, scale) / self.weight;
        Interval::around(self.value, radius)
    }

    /// The sequential p-value of "the truth is 0" at this look: the least over all looks is valid at any of them.
    ///
    /// `alpha` is the level that the sequence is tuned for.
    pub fn p_value(&self, alpha: f64, tuned_for: f64) -> f64 {
        let Some(scale) = self.scale(alpha, tuned_for) else {
            return 1.0;
        };
        let evidence = normal_ln_evidence(self.value * self.weight, self.variance, scale);
        (-evidence).exp().min(1.0)
    }

    fn scale(&self, alpha: f64, tuned_for: f64) -> Option<f64> {
        let moves = self.variance > 0.0 && self.typical_variance > 0.0 && self.weight > 0.0;
        moves.then(|| tuned_scale(tuned_for * self.typical_variance, alpha))
    }
}

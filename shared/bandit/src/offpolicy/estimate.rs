//! What an evaluation says: a value, its standard error, its intervals, and the weights behind it.

use super::gate::{Gate, Level};
use super::sums::TermMoments;
use crate::posterior::BetaPosterior;

/// Every interval holds with this probability.
pub(super) const LEVEL: f64 = 0.95;

/// The normal quantile of 0.975.
pub(super) const Z: f64 = 1.959_963_984_540_054;

/// Where every reward is known to lie.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RewardRange {
    /// The least reward.
    pub min: f64,
    /// The greatest, above `min`.
    pub max: f64,
}

impl RewardRange {
    /// `0..=1`: conversions, and scaled rewards of ours.
    pub const UNIT: Self = Self { min: 0.0, max: 1.0 };

    /// The 95 % interval of the mean of `n` rewards that sum to `sum`, each in this range: Clopper and Pearson 1934.
    ///
    /// Exact for rewards of two values; for others conservative, because none of the same mean varies more.
    pub(super) fn exact_interval(self, n: f64, sum: f64) -> (f64, f64) {
        let width = self.max - self.min;
        let gained = ((sum - n * self.min) / width).clamp(0.0, n);
        let quantiles = |alpha: f64, beta: f64| BetaPosterior { alpha, beta }.interval(LEVEL);
        let low = if gained > 0.0 {
            quantiles(gained, n - gained + 1.0).0
        } else {
            0.0
        };
        let high = if gained < n {
            quantiles(gained + 1.0, n - gained).1
        } else {
            1.0
        };
        (self.min + width * low, self.min + width * high)
    }
}

/// An estimated mean reward.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The estimate, in units of the reward.
    pub value: f64,
    /// Its standard error; `None` where the rows do not tell it.
    pub standard_error: Option<f64>,
    /// `value ± 1.96 standard errors`: right for many effective rewards, too short for few.
    pub normal: Option<(f64, f64)>,
    /// The 95 % interval that holds at any sample size, inside the range of the rewards; `None` for an estimator that
    /// has none, or if that range is not known.
    pub interval: Option<(f64, f64)>,
}

impl Estimate {
    /// Of a mean with a standard error.
    pub(super) fn new(value: f64, standard_error: f64, interval: Option<(f64, f64)>) -> Self {
        let half = Z * standard_error;
        Self {
            value,
            standard_error: Some(standard_error),
            normal: Some((value - half, value + half)),
            interval,
        }
    }

    /// Of rewards as they came, each counted once.
    pub(super) fn of_rewards(rewards: TermMoments, range: Option<RewardRange>) -> Self {
        let interval = range
            .filter(|_| rewards.n > 0.0)
            .map(|range| range.exact_interval(rewards.n, rewards.sum));
        Self::new(rewards.mean(), rewards.standard_error(), interval)
    }

    /// Of a model's prediction: its error is the model's, which the rows do not tell.
    pub(super) fn of_model(value: f64) -> Self {
        Self {
            value,
            standard_error: None,
            normal: None,
            interval: None,
        }
    }
}

/// How the importance weights `w = target / propensity` are spread.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weights {
    /// Their mean; 1 up to chance if the propensities are right.
    pub mean: f64,
    /// Their standard deviation.
    pub sd: f64,
    /// The greatest of them.
    pub max: f64,
    /// `(sum w)^2 / sum w^2`: so many rows of equal weight would tell as much.
    pub effective_rows: f64,
    /// `(sum w r)^2 / sum (w r)^2`: on so many equal rewards the estimate rests.
    pub effective_rewards: f64,
    /// The part of all weight that the heaviest row has, in `0..=1`.
    pub greatest_share: f64,
    /// The probability that the policy gives to arms which the log never tried, in `0..=1`.
    pub unsupported: f64,
}

/// A policy's value by every estimator, and whether the log can tell it at all.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluation {
    /// Rows looked at.
    pub rows: u64,
    /// The mean reward of the log itself.
    pub logged: Estimate,
    /// Inverse propensity weighting: `mean(w r)` (STATS 9.2).
    pub ips: Estimate,
    /// The same with weights cut at the tuning, as a sensitivity.
    pub ips_clipped: Estimate,
    /// Self-normalised: `sum(w r) / sum(w)` (Swaminathan and Joachims 2015), with the delta-method standard error.
    pub snips: Estimate,
    /// Direct method: the outcome model's prediction.
    pub dm: Estimate,
    /// Doubly robust: the prediction, corrected by the weighted residuals (Dudík, Langford and Li 2011).
    pub dr: Estimate,
    /// Doubly robust with self-normalised weights.
    pub sndr: Estimate,
    /// Doubly robust, by the model alone where the weight is above the tuning (Wang, Agarwal and Dudík 2017).
    pub switch_dr: Estimate,
    /// Doubly robust with shrunk weights `t w / (w^2 + t)` for tuning `t` (Su et al. 2020).
    pub dr_shrunk: Estimate,
    /// What the policy earns more than the log did, by the doubly robust estimate.
    pub difference: Estimate,
    /// The importance weights.
    pub weights: Weights,
    /// What was checked before anyone should trust the values (STATS 9.5).
    pub gates: Vec<Gate>,
}

impl Evaluation {
    /// The worst that the gates say.
    pub fn level(&self) -> Level {
        self.gates
            .iter()
            .map(Gate::level)
            .max()
            .unwrap_or(Level::Pass)
    }

    /// Whether the policy is proven to earn more or less than the log did: the interval of the difference leaves 0 out
    /// and no gate refuses.
    pub fn is_proven_other(&self) -> bool {
        let apart = |(low, high): (f64, f64)| low > 0.0 || high < 0.0;
        self.level() != Level::Refuse && self.difference.interval.is_some_and(apart)
    }
}

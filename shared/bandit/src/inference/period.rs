//! What one policy version saw of each arm, with the probabilities it drew them with.

use serde::{Deserialize, Serialize};

use crate::experiment::Millis;
use crate::posterior::ArmStats;

/// What one policy version of a lane saw of its arms.
///
/// Units count under the version that drew them, whenever they resolve, so the propensities are exact for all of
/// them. A list of periods is in the order of time and lists the same arms in the same order in each of them.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Period {
    /// When the version was published, since the start of the experiment.
    pub from: Millis,
    /// When the next one was published or, for the newest, when the counts were read.
    pub until: Millis,
    /// The arms, in one order for all periods.
    pub arms: Vec<ArmPeriod>,
}

/// What one policy version saw of one arm.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct ArmPeriod {
    /// The probability with which it was drawn, in `0..=1`; 0 for an arm that was closed.
    pub propensity: f64,
    /// Units assigned.
    pub assigned: u64,
    /// Of these, those that have resolved: they have a reward.
    pub n: u64,
    /// The sum of their rewards, each in `0..=1`.
    pub sum: f64,
    /// The sum of their squared rewards.
    pub sum_sq: f64,
}

impl Period {
    /// Resolved units of all arms.
    pub fn resolved(&self) -> u64 {
        self.arms.iter().map(|arm| arm.n).sum()
    }

    /// Assigned units of all arms.
    pub fn assigned(&self) -> u64 {
        self.arms.iter().map(|arm| arm.assigned).sum()
    }
}

impl ArmPeriod {
    /// The counts of one arm under a version that drew it with this probability.
    pub fn new(propensity: f64, stats: &ArmStats) -> Self {
        Self {
            propensity,
            assigned: stats.assigned,
            n: stats.resolved,
            sum: stats.reward_sum(),
            sum_sq: stats.reward_sq_sum(),
        }
    }

    /// The mean reward, in `0..=1`; `None` before the first.
    pub fn mean(&self) -> Option<f64> {
        (self.n > 0).then(|| self.sum / self.n as f64)
    }

    /// The unbiased variance of the rewards; `None` below two of them.
    pub fn variance(&self) -> Option<f64> {
        let n = self.n as f64;
        // rewards are in 0..=1, so at 1e7 units this loses 1e-9 of a variance at most
        (self.n > 1).then(|| ((self.sum_sq - self.sum * self.sum / n) / (n - 1.0)).max(0.0))
    }
}

/// How many arms the periods list: 0 without periods, and never more than the shortest lists.
pub fn arm_count(periods: &[Period]) -> usize {
    periods
        .iter()
        .map(|period| period.arms.len())
        .min()
        .unwrap_or(0)
}

/// Several periods as one: counts are added, propensities averaged over the periods' assigned units (or evenly where
/// nobody was assigned). `None` without periods.
///
/// The averages are no longer the probabilities that anybody was drawn with: for propensity-weighted estimates use
/// the periods themselves.
pub fn merge(periods: &[Period]) -> Option<Period> {
    let (first, last) = (periods.first()?, periods.last()?);
    let assigned: u64 = periods.iter().map(Period::assigned).sum();
    let weight = |period: &Period| {
        if assigned > 0 {
            period.assigned() as f64 / assigned as f64
        } else {
            1.0 / periods.len() as f64
        }
    };
    let arms = (0..arm_count(periods))
        .map(|arm| {
            let mut merged = ArmPeriod::default();
            for period in periods {
                let ArmPeriod {
                    propensity,
                    assigned,
                    n,
                    sum,
                    sum_sq,
                } = period.arms[arm];
                merged.propensity += weight(period) * propensity;
                merged.assigned += assigned;
                merged.n += n;
                merged.sum += sum;
                merged.sum_sq += sum_sq;
            }
            merged
        })
        .collect();
    Some(Period {
        from: first.from,
        until: last.until,
        arms,
    })
}

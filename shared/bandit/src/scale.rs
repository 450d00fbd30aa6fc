//! Scaled rewards in the values that they were made of, as people say them.

use serde::{Deserialize, Serialize};

use crate::spec::model::{Direction, OutcomeSpec, RewardSpec};

/// Between which values a scaled reward lies: inside, every reward is in `0..=1`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Scale {
    /// The value that counts as 0.
    pub at_zero: f64,
    /// The value that counts as 1; below the other where less is better.
    pub at_one: f64,
}

impl Scale {
    /// That of a reward; `None` for rates of success, which are said in percent.
    pub fn of(reward: &RewardSpec) -> Option<Self> {
        let OutcomeSpec::Scaled { min, max, .. } = reward.outcome else {
            return None;
        };
        let (at_zero, at_one) = match reward.direction {
            Direction::Increase => (min, max),
            Direction::Decrease => (max, min),
        };
        Some(Self { at_zero, at_one })
    }

    /// The value behind a mean reward.
    pub fn value(self, reward: f64) -> f64 {
        self.at_zero + self.difference(reward)
    }

    /// The difference of values behind a difference of rewards: below 0 for a better one where less is better.
    pub fn difference(self, reward: f64) -> f64 {
        reward * (self.at_one - self.at_zero)
    }

    /// The greatest difference there can be; at least 0.
    pub fn span(self) -> f64 {
        (self.at_one - self.at_zero).abs()
    }

    /// Whether a greater reward is a lesser value.
    pub fn falls(self) -> bool {
        self.at_one < self.at_zero
    }

    /// How many decimals values are said with: as many as tell a three-hundredth of the scale apart.
    pub fn digits(self) -> usize {
        (2.5 - self.span().log10()).ceil().clamp(0.0, 9.0) as usize
    }
}

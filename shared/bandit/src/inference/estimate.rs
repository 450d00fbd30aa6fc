//! A number with what is known about how far it may be off.

use serde::{Deserialize, Serialize};

/// An estimate and its standard error.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The estimate.
    pub value: f64,
    /// Its standard error; 0 where the data show no variation.
    pub standard_error: f64,
}

/// From `low` to `high`, both included.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

impl Interval {
    /// Everything that a reward can be.
    pub const REWARDS: Self = Self {
        low: 0.0,
        high: 1.0,
    };

    /// So far around a value.
    pub fn around(value: f64, radius: f64) -> Self {
        Self {
            low: value - radius,
            high: value + radius,
        }
    }

    /// Whether it holds `value`.
    pub fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }

    /// What both hold. Where they share nothing, both ends are the middle between them: the data contradict the
    /// assumption behind the intervals, such as a mean that stays.
    #[must_use]
    pub fn intersect(&self, other: &Self) -> Self {
        let low = self.low.max(other.low);
        let high = self.high.min(other.high);
        if low <= high {
            return Self { low, high };
        }
        let middle = f64::midpoint(low, high);
        Self {
            low: middle,
            high: middle,
        }
    }
}

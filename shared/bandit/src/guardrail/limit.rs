//! A limit on the share of bad ones, and what was counted in a window.

/// The greatest share of bad ones that is still good, in `0..1`.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Limit(f64);

/// A share that cannot be a limit.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("{0} is no limit for a share of bad ones: it must be above 0 and below 1")]
pub struct InvalidLimit(f64);

impl Limit {
    /// A limit on a rate of failures, such as 0.01.
    pub fn new(rate: f64) -> Result<Self, InvalidLimit> {
        if rate > 0.0 && rate < 1.0 {
            return Ok(Self(rate));
        }
        Err(InvalidLimit(rate))
    }

    /// The limit on the share of requests slower than a bound, which says that the quantile `q` (0.95 for p95) is below
    /// the bound: the quantile is above it exactly where more than `1 - q` of all requests are (STATS 7.1). No estimate
    /// of the quantile is needed, no assumption on the latencies, and shards add up.
    pub fn slower_than_quantile(q: f64) -> Result<Self, InvalidLimit> {
        Self::new(1.0 - q)
    }

    /// The share.
    pub fn rate(self) -> f64 {
        self.0
    }
}

/// What was counted: `bad` of `total`. Real numbers, because failures that come together count as fewer.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Window {
    /// All of them, at least 0.
    pub total: f64,
    /// The bad ones among them, in `0..=total`.
    pub bad: f64,
}

impl Window {
    /// Whole counts. More bad ones than there are in total, as when two counters are read one after the other, count
    /// as all of them.
    pub fn new(total: u64, bad: u64) -> Self {
        Self {
            total: total as f64,
            bad: bad.min(total) as f64,
        }
    }

    /// The same evidence where failures come in clusters of about `effect` (at least 1), such as one outage that is
    /// many errors: both counts divided by the design effect (STATS 7.2).
    #[must_use]
    pub fn with_design_effect(self, effect: f64) -> Self {
        Self {
            total: self.total / effect.max(1.0),
            bad: self.bad / effect.max(1.0),
        }
    }

    /// The share of bad ones; `None` for an empty window.
    pub fn rate(self) -> Option<f64> {
        (self.total > 0.0).then(|| self.bad / self.total)
    }
}

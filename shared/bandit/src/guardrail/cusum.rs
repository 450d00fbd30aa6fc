//! The sequential test that guardrails use: an e-CUSUM on bad ones among all (STATS 7.2).

use std::f64::consts::LN_10;

use serde::{Deserialize, Serialize};

use super::{Limit, Window};

/// The rate that the test is made to find, as a multiple of the limit.
const ALTERNATIVE: f64 = 1.5;

/// The alternative of a limit above two thirds lies halfway to certainty instead.
const FARTHEST: f64 = 0.5;

/// `ln 10⁴`: at the limit itself a false alarm takes at least 10⁴ windows on average, 35 days of 5-minute windows;
/// below the limit far longer.
pub const ALARM: f64 = 4.0 * LN_10;

/// `ln 100`: evidence worth a warning.
pub const EVIDENCE_TO_WARN: f64 = 2.0 * LN_10;

/// Bad ones that are expected at the limit before there is a verdict.
pub const MIN_EXPECTED: f64 = 5.0;

/// Consecutive windows without any evidence that clear an alarm.
pub const QUIET_WINDOWS: u32 = 3;

/// Where a guardrail stands. `(0, 0, 0, false)` at the start and after a reset; stored between windows.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Cusum {
    /// `M`: the logarithm of the evidence against the limit since the best moment to begin; at least 0.
    pub evidence: f64,
    /// How many were counted since the start or the last reset.
    pub seen: f64,
    /// Consecutive windows that ended without evidence.
    pub quiet: u32,
    /// Whether an alarm stands that has not been cleared.
    pub alarmed: bool,
}

/// What is known of a limit after a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Too little was counted to say anything.
    Insufficient,
    /// Nothing speaks against the limit being kept.
    Pass,
    /// More than [`EVIDENCE_TO_WARN`] speaks against it.
    Warn,
    /// More than [`ALARM`] did, and it has not been quiet since.
    Fail,
}

impl Cusum {
    /// `M <- max(M, 0) + l` with `l = x ln(q/p0) + (n-x) ln((1-q)/(1-p0))` and `q = 1.5 p0` (Page 1954; an e-detector
    /// by Shin, Ramdas and Rinaldo 2023, because `e^l` is an e-value for every rate up to `p0`).
    ///
    /// An alarm stands until [`QUIET_WINDOWS`] windows in a row end with `M` at 0. An empty window is no quiet one.
    #[must_use]
    pub fn after(self, limit: Limit, window: Window) -> Self {
        let Window { total, bad } = window;
        if total <= 0.0 {
            return self;
        }
        let evidence = (self.evidence + ln_ratio(limit, total, bad)).max(0.0);
        let quiet = if evidence > 0.0 { 0 } else { self.quiet + 1 };
        let seen = self.seen + total;
        let rings = evidence > ALARM && is_enough(limit, seen);
        Self {
            evidence,
            seen,
            quiet,
            alarmed: rings || (self.alarmed && quiet < QUIET_WINDOWS),
        }
    }

    /// The verdict.
    pub fn state(&self, limit: Limit) -> State {
        if self.alarmed {
            State::Fail
        } else if !is_enough(limit, self.seen) {
            State::Insufficient
        } else if self.evidence > EVIDENCE_TO_WARN {
            State::Warn
        } else {
            State::Pass
        }
    }
}

/// Whether at least [`MIN_EXPECTED`] bad ones are expected at the limit.
fn is_enough(limit: Limit, seen: f64) -> bool {
    seen * limit.rate() >= MIN_EXPECTED
}

fn ln_ratio(limit: Limit, total: f64, bad: f64) -> f64 {
    let p0 = limit.rate();
    let q = (ALTERNATIVE * p0).min(p0 + FARTHEST * (1.0 - p0));
    let good = (total - bad).max(0.0);
    bad * (q / p0).ln() + good * ((p0 - q) / (1.0 - p0)).ln_1p()
}

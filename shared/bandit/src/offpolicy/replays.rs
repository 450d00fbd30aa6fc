//! Several replays of one log with other draws, taken together.

use super::estimate::{Estimate, RewardRange};
use super::replay::Replayed;

/// Fewer matched rows than this tell nothing (STATS 9.5).
const LEAST_MATCHED: f64 = 100.0;

/// What the runs came to on average.
#[derive(Debug, Clone, PartialEq)]
pub struct Replays {
    /// How many runs.
    pub runs: usize,
    /// Rows looked at by each.
    pub rows: u64,
    /// Rows left after thinning to uniform, a run.
    pub thinned: f64,
    /// Matched rows, a run.
    pub matched: f64,
    /// Allocations published, a run.
    pub versions: f64,
    /// The mean reward of all matched rows. Its error and interval are those of one run: the runs share their rows, so more of
    /// them average the draws and not the rewards.
    pub value: Estimate,
    /// The least and the greatest value of a run.
    pub spread: (f64, f64),
    /// The last allocation of a policy that learns, averaged over the runs.
    pub allocation: Option<Vec<f64>>,
}

impl Replays {
    /// Of at least one run. `rewards` is where they can lie; without it only the normal interval is given.
    pub fn of(runs: &[Replayed], rewards: Option<RewardRange>) -> Self {
        let count = runs.len().max(1) as f64;
        let mean = |of: &dyn Fn(&Replayed) -> f64| runs.iter().map(of).sum::<f64>() / count;
        let matched = mean(&|run| run.matched as f64);
        let sum = mean(&|run| run.reward_sum);
        let values = || {
            let lived = runs.iter().filter(|run| run.matched > 0);
            lived.map(|run| run.value.value)
        };
        let error = mean(&|run| run.value.standard_error.unwrap_or(0.0));
        let value = if matched > 0.0 {
            let interval = rewards.map(|range| range.exact_interval(matched, sum));
            Estimate::new(sum / matched, error, interval)
        } else {
            Estimate::of_model(0.0)
        };
        Self {
            runs: runs.len(),
            rows: runs.first().map_or(0, |run| run.rows),
            thinned: mean(&|run| run.thinned as f64),
            matched,
            versions: mean(&|run| run.versions as f64),
            value,
            spread: (
                values().fold(f64::INFINITY, f64::min),
                values().fold(f64::NEG_INFINITY, f64::max),
            ),
            allocation: allocation(runs),
        }
    }

    /// Whether too few rows matched for the value to be used.
    pub fn is_refused(&self) -> bool {
        self.matched < LEAST_MATCHED
    }
}

fn allocation(runs: &[Replayed]) -> Option<Vec<f64>> {
    let mut sums = runs.first()?.allocation.clone()?;
    for run in &runs[1..] {
        let shares = run.allocation.as_ref()?;
        for (sum, share) in sums.iter_mut().zip(shares) {
            *sum += share;
        }
    }
    let count = runs.len() as f64;
    Some(sums.into_iter().map(|sum| sum / count).collect())
}

//! The first look at a log: how many rows each arm has in each cell, how rare it was, and what rewards there are.

use super::estimate::{Estimate, RewardRange};
use super::evaluator::Segment;
use super::row::Row;
use super::sums::TermMoments;
use super::target::Target;

/// What one arm has in one cell.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Seen {
    rows: u64,
    least_propensity: f64,
}

const NOTHING: Seen = Seen {
    rows: 0,
    least_propensity: f64::INFINITY,
};

/// Counts and limits of a log; grows with its cells and arms, not with its rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Survey {
    cells: Vec<Vec<Seen>>,
    rows: u64,
    least_reward: f64,
    greatest_reward: f64,
    least_propensity: f64,
    greatest_propensity: f64,
    rewards: TermMoments,
}

impl Default for Survey {
    fn default() -> Self {
        Self {
            cells: Vec::new(),
            rows: 0,
            least_reward: f64::INFINITY,
            greatest_reward: f64::NEG_INFINITY,
            least_propensity: f64::INFINITY,
            greatest_propensity: 0.0,
            rewards: TermMoments::default(),
        }
    }
}

impl Survey {
    /// Take one row in.
    pub fn add(&mut self, row: &Row) {
        if self.cells.len() <= row.cell() {
            self.cells.resize(row.cell() + 1, Vec::new());
        }
        let arms = &mut self.cells[row.cell()];
        if arms.len() <= row.arm() {
            arms.resize(row.arm() + 1, NOTHING);
        }
        let seen = &mut arms[row.arm()];
        seen.rows += 1;
        seen.least_propensity = seen.least_propensity.min(row.propensity());
        self.rows += 1;
        self.least_reward = self.least_reward.min(row.reward());
        self.greatest_reward = self.greatest_reward.max(row.reward());
        self.least_propensity = self.least_propensity.min(row.propensity());
        self.greatest_propensity = self.greatest_propensity.max(row.propensity());
        self.rewards += TermMoments {
            n: 1.0,
            sum: row.reward(),
            squares: row.reward() * row.reward(),
        };
    }

    /// The mean reward of the log; `rewards` is where they can lie.
    pub fn logged(&self, rewards: Option<RewardRange>) -> Estimate {
        Estimate::of_rewards(self.rewards, rewards)
    }

    /// How many rows there are.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// How many arms, counted to the greatest number.
    pub fn arms(&self) -> usize {
        self.cells.iter().map(Vec::len).max().unwrap_or(0)
    }

    /// How many cells, counted to the greatest number.
    pub fn cells(&self) -> usize {
        self.cells.len()
    }

    /// The least propensity of all rows; infinite without any.
    pub fn least_propensity(&self) -> f64 {
        self.least_propensity
    }

    /// Whether every row has the same propensity, as uniform logging gives.
    pub fn is_uniform(&self) -> bool {
        self.greatest_propensity - self.least_propensity <= 1e-9 * self.greatest_propensity
    }

    /// `0..=1` if every reward lies there, otherwise unknown: what was seen says nothing about what could have been.
    pub fn reward_range(&self) -> Option<RewardRange> {
        let unit = self.least_reward >= 0.0 && self.greatest_reward <= 1.0;
        unit.then_some(RewardRange::UNIT)
    }

    /// The evaluator's segments for a policy: one per cell, with the least propensity that each arm has in the log.
    pub fn segments(&self, target: &Target) -> Vec<Segment> {
        let segment = |cell: usize| {
            let seen = &self.cells[cell];
            let probabilities = target.probabilities(cell).to_vec();
            let least = |arm: usize| match seen.get(arm) {
                Some(seen) if seen.rows > 0 => seen.least_propensity,
                _ => 0.0,
            };
            Segment {
                cell,
                least_propensity: (0..probabilities.len()).map(least).collect(),
                target: probabilities,
            }
        };
        (0..self.cells.len()).map(segment).collect()
    }
}

//! Counts that add up exactly: what is stored of an arm, and what everything else is derived from.

use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

/// Rewards are stored in whole millionths, so that every sum is exact in any order.
pub const MICRO: i64 = 1_000_000;

/// Sufficient statistics of one arm; of one lane and policy version as stored, of any number of them when added up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ArmStats {
    /// Units assigned.
    pub assigned: u64,
    /// Units exposed.
    pub exposed: u64,
    /// Units whose attribution window has closed; each has one reward in `0..=1`.
    pub resolved: u64,
    /// Sum of the resolved units' rewards, in millionths.
    pub reward_sum_micro: i64,
    /// Sum of the resolved units' squared rewards, each rounded to millionths.
    pub reward_sq_sum_micro: i64,
    /// Units in flight whose events have spoken: their window is open, and their outcome so far is another than that
    /// of a unit without events. Signed, as the next two, because a fold takes away what closes or is revoked.
    #[serde(default)]
    pub early: i64,
    /// Sum of the early units' outcomes so far, in millionths.
    #[serde(default)]
    pub early_sum_micro: i64,
    /// Sum of the early units' squared outcomes so far, each rounded to millionths.
    #[serde(default)]
    pub early_sq_sum_micro: i64,
}

impl ArmStats {
    /// One resolved unit with this reward, in millionths in `0..=1_000_000`.
    pub fn of_reward(reward_micro: i32) -> Self {
        Self {
            resolved: 1,
            reward_sum_micro: i64::from(reward_micro),
            reward_sq_sum_micro: squared_micro(reward_micro),
            ..Self::default()
        }
    }

    /// A unit in flight whose outcome so far went from `before` to `after`, in millionths, where one without events
    /// has `default_micro`. A unit that closes goes back to the default first: it is in flight no more.
    pub fn of_early_change(default_micro: i32, before: i32, after: i32) -> Self {
        let mut change = Self::default();
        for (outcome, sign) in [(before, -1), (after, 1)] {
            if outcome != default_micro {
                change.early += sign;
                change.early_sum_micro += sign * i64::from(outcome);
                change.early_sq_sum_micro += sign * squared_micro(outcome);
            }
        }
        change
    }

    /// Units exposed whose window is still open.
    pub fn pending(&self) -> u64 {
        self.exposed.saturating_sub(self.resolved)
    }

    /// The sum of the resolved rewards, each in `0..=1`.
    pub fn reward_sum(&self) -> f64 {
        self.reward_sum_micro as f64 / MICRO as f64
    }

    /// The sum of the resolved rewards' squares.
    pub fn reward_sq_sum(&self) -> f64 {
        self.reward_sq_sum_micro as f64 / MICRO as f64
    }

    /// The mean of the resolved rewards, in `0..=1`; `None` before the first.
    pub fn reward_mean(&self) -> Option<f64> {
        (self.resolved > 0).then(|| self.reward_sum() / self.resolved as f64)
    }
}

/// The square of a reward in millionths, rounded half up to millionths.
pub fn squared_micro(reward_micro: i32) -> i64 {
    (i64::from(reward_micro) * i64::from(reward_micro) + MICRO / 2) / MICRO
}

impl AddAssign for ArmStats {
    fn add_assign(&mut self, other: Self) {
        let Self {
            assigned,
            exposed,
            resolved,
            reward_sum_micro,
            reward_sq_sum_micro,
            early,
            early_sum_micro,
            early_sq_sum_micro,
        } = other;
        self.assigned += assigned;
        self.exposed += exposed;
        self.resolved += resolved;
        self.reward_sum_micro += reward_sum_micro;
        self.reward_sq_sum_micro += reward_sq_sum_micro;
        self.early += early;
        self.early_sum_micro += early_sum_micro;
        self.early_sq_sum_micro += early_sq_sum_micro;
    }
}

impl std::iter::Sum for ArmStats {
    fn sum<I: Iterator<Item = Self>>(stats: I) -> Self {
        stats.fold(Self::default(), |mut sum, next| {
            sum += next;
            sum
        })
    }
}

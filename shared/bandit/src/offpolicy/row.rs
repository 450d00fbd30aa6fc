//! One row of a log: a unit that drew an arm with a known probability, and what came of it.

/// A unit's arm, propensity and reward.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row {
    cell: usize,
    arm: usize,
    reward: f64,
    propensity: f64,
}

/// Why a row cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum InvalidRow {
    /// The propensity is not a probability above 0.
    #[error("the propensity {0} is not above 0 and at most 1")]
    Propensity(f64),
    /// The reward is not a number.
    #[error("the reward {0} is not a finite number")]
    Reward(f64),
    /// The reward is outside the range that was declared.
    #[error("the reward {0} is outside the declared range")]
    OutOfRange(f64),
    /// The arm or the cell is not one of the declared ones.
    #[error("arm {arm} in cell {cell} is not among those that were declared")]
    Unknown {
        /// The cell's number.
        cell: usize,
        /// The arm's number.
        arm: usize,
    },
    /// The propensity is below the least that was declared for the arm.
    #[error(
        "the propensity {propensity} is below {floor}, the least that was declared for the arm"
    )]
    BelowFloor {
        /// The row's.
        propensity: f64,
        /// The declared least.
        floor: f64,
    },
}

impl Row {
    /// A row of `arm`, which was drawn with `propensity` in `0..=1` (above 0) in `cell` and earned `reward`.
    ///
    /// Arms and cells count from 0. A cell is a position or segment within which an arm's mean is taken to be the same;
    /// a log without any has cell 0 only.
    pub fn new(cell: usize, arm: usize, reward: f64, propensity: f64) -> Result<Self, InvalidRow> {
        if !(propensity > 0.0 && propensity <= 1.0) {
            return Err(InvalidRow::Propensity(propensity));
        }
        if !reward.is_finite() {
            return Err(InvalidRow::Reward(reward));
        }
        Ok(Self {
            cell,
            arm,
            reward,
            propensity,
        })
    }

    /// The cell's number.
    pub fn cell(&self) -> usize {
        self.cell
    }

    /// The arm's number.
    pub fn arm(&self) -> usize {
        self.arm
    }

    /// What the unit earned.
    pub fn reward(&self) -> f64 {
        self.reward
    }

    /// The probability with which the arm was drawn, above 0 and at most 1.
    pub fn propensity(&self) -> f64 {
        self.propensity
    }
}

//! The policy in question: one probability per arm in every cell.

/// Six digits in a file leave this much room; a real mistake is greater.
const SUM_TOLERANCE: f64 = 1e-6;

/// A policy that does not learn: a probability per arm, the same or another in each cell.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    cells: Vec<Vec<f64>>,
}

/// Why a list of probabilities is not a policy.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum InvalidTarget {
    /// There is no arm.
    #[error("a policy needs at least one arm")]
    Empty,
    /// A number that is not a probability.
    #[error("{0} is not a probability in 0..=1")]
    NotAProbability(f64),
    /// The probabilities do not make a whole.
    #[error("the probabilities sum to {0}, not to 1")]
    NotAWhole(f64),
}

impl Target {
    /// The same probabilities, one per arm in `0..=1` that sum to 1, in each of `cells` cells.
    pub fn same(cells: usize, probabilities: &[f64]) -> Result<Self, InvalidTarget> {
        Self::per_cell(vec![probabilities.to_vec(); cells.max(1)])
    }

    /// One list of probabilities per cell, each as for [`Target::same`].
    pub fn per_cell(cells: Vec<Vec<f64>>) -> Result<Self, InvalidTarget> {
        for probabilities in &cells {
            let sum: f64 = probabilities.iter().sum();
            if probabilities.is_empty() {
                return Err(InvalidTarget::Empty);
            }
            if let Some(p) = probabilities.iter().find(|p| !(0.0..=1.0).contains(*p)) {
                return Err(InvalidTarget::NotAProbability(*p));
            }
            if (sum - 1.0).abs() > SUM_TOLERANCE {
                return Err(InvalidTarget::NotAWhole(sum));
            }
        }
        Ok(Self { cells })
    }

    /// The probability of each arm in `cell`.
    pub fn probabilities(&self, cell: usize) -> &[f64] {
        &self.cells[cell.min(self.cells.len() - 1)]
    }

    /// How many cells were declared.
    pub fn cells(&self) -> usize {
        self.cells.len()
    }
}

//! Outcome models: what an arm is expected to earn in a cell, for the direct and the doubly robust estimators.

use super::evaluator::Segment;
use super::sums::Term;

/// Rows of the overall mean that every arm's mean is shrunk by: `(S + 10 m) / (n + 10)` (STATS 9.4).
const SHRINKAGE: f64 = 10.0;

/// Where the predictions come from.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcomes {
    /// Each arm's mean in the cell, shrunk to the mean of all rows. The row that is corrected is left out of its own
    /// prediction: cross-fitting with as many folds as rows, in which no row's order or number plays a part.
    LeaveOneOut,
    /// Predictions made elsewhere, per cell and arm.
    Given(Vec<Vec<f64>>),
}

/// Rows and rewards per cell and arm, and of all together.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Counts {
    cells: Vec<Vec<(f64, f64)>>,
    rows: f64,
    sum: f64,
}

impl Counts {
    /// `rows` more rows of an arm, whose rewards sum to `sum`.
    pub(super) fn add(&mut self, cell: usize, arm: usize, rows: f64, sum: f64) {
        if self.cells.len() <= cell {
            self.cells.resize(cell + 1, Vec::new());
        }
        let arms = &mut self.cells[cell];
        if arms.len() <= arm {
            arms.resize(arm + 1, (0.0, 0.0));
        }
        arms[arm].0 += rows;
        arms[arm].1 += sum;
        self.rows += rows;
        self.sum += sum;
    }

    fn of(&self, cell: usize, arm: usize) -> (f64, f64) {
        let arms = self.cells.get(cell);
        arms.and_then(|arms| arms.get(arm))
            .copied()
            .unwrap_or_default()
    }
}

/// A prediction as a function of the reward of the row that is left out: `at - slope r`.
#[derive(Debug, Clone, Copy)]
struct Prediction {
    at: f64,
    slope: f64,
}

/// A model for one pass: which predictions, and whether they leave the row out.
#[derive(Debug, Clone, Copy)]
pub(super) enum Model<'a> {
    /// Shrunk means of these counts, each without the row it is used for, which is one of them.
    LeaveOneOut(&'a Counts),
    /// Shrunk means of rows that came before.
    Past(&'a Counts),
    /// Predictions made elsewhere.
    Given(&'a [Vec<f64>]),
}

/// The two parts of the doubly robust term for the rows of one arm.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parts {
    /// What the model expects of the policy: `sum pi(a) q(a)`.
    pub policy: Term,
    /// The weighted residual: `w (r - q(A))`.
    pub residual: Term,
    /// The prediction for the arm itself, with every row.
    pub arm: f64,
}

impl Parts {
    /// The doubly robust term.
    pub(super) fn whole(self) -> Term {
        let Self {
            policy, residual, ..
        } = self;
        Term {
            constant: policy.constant + residual.constant,
            w: policy.w + residual.w,
            r: policy.r + residual.r,
            wr: policy.wr + residual.wr,
        }
    }
}

impl Model<'_> {
    /// The parts for each arm of a segment.
    pub(super) fn parts(self, segment: &Segment) -> Vec<Parts> {
        let arms = 0..segment.target.len();
        let others: Vec<Prediction> = arms
            .clone()
            .map(|arm| self.of_other(segment.cell, arm))
            .collect();
        let of_policy = |part: fn(&Prediction) -> f64| -> f64 {
            let pairs = segment.target.iter().zip(&others);
            pairs.map(|(target, other)| target * part(other)).sum()
        };
        let (at, slope) = (of_policy(|p| p.at), of_policy(|p| p.slope));
        arms.map(|arm| {
            let (target, other) = (segment.target[arm], others[arm]);
            let own = self.of_own(segment.cell, arm);
            Parts {
                policy: Term {
                    constant: at + target * (own.at - other.at),
                    r: -(slope + target * (own.slope - other.slope)),
                    ..Term::default()
                },
                residual: Term {
                    w: -own.at,
                    wr: 1.0 + own.slope,
                    ..Term::default()
                },
                arm: self.with_every_row(segment.cell, arm),
            }
        })
        .collect()
    }

    /// The prediction for an arm that the row did not draw.
    fn of_other(self, cell: usize, arm: usize) -> Prediction {
        match self {
            Self::LeaveOneOut(counts) => {
                let (rows, sum) = counts.of(cell, arm);
                let left = (counts.rows - 1.0).max(1.0);
                let weight = rows + SHRINKAGE;
                Prediction {
                    at: (sum + SHRINKAGE * counts.sum / left) / weight,
                    slope: SHRINKAGE / left / weight,
                }
            }
            Self::Past(_) | Self::Given(_) => self.fixed(cell, arm),
        }
    }

    /// The prediction for the arm that the row drew.
    fn of_own(self, cell: usize, arm: usize) -> Prediction {
        match self {
            Self::LeaveOneOut(counts) => {
                let (rows, sum) = counts.of(cell, arm);
                let left = (counts.rows - 1.0).max(1.0);
                let weight = (rows - 1.0).max(0.0) + SHRINKAGE;
                Prediction {
                    at: (sum + SHRINKAGE * counts.sum / left) / weight,
                    slope: (1.0 + SHRINKAGE / left) / weight,
                }
            }
            Self::Past(_) | Self::Given(_) => self.fixed(cell, arm),
        }
    }

    fn fixed(self, cell: usize, arm: usize) -> Prediction {
        Prediction {
            at: self.with_every_row(cell, arm),
            slope: 0.0,
        }
    }

    fn with_every_row(self, cell: usize, arm: usize) -> f64 {
        match self {
            Self::LeaveOneOut(counts) | Self::Past(counts) => {
                let (rows, sum) = counts.of(cell, arm);
                let overall = counts.sum / counts.rows.max(1.0);
                (sum + SHRINKAGE * overall) / (rows + SHRINKAGE)
            }
            Self::Given(predictions) => predictions
                .get(cell)
                .and_then(|arms| arms.get(arm))
                .copied()
                .unwrap_or(0.0),
        }
    }
}

//! Quadratic forms in a covariance that may have no inverse.

/// A symmetric, positive semidefinite matrix, row by row.
#[derive(Debug, Clone)]
pub(crate) struct Covariance {
    size: usize,
    cells: Vec<f64>,
}

/// `d' V⁻ d`, and the rank of `V`: under the null hypothesis a chi-square variable with so many degrees of freedom.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct QuadraticForm {
    pub(crate) value: f64,
    pub(crate) rank: usize,
}

/// A pivot below this part of the greatest variance is rounding: a covariance of counts loses about its size times
/// 1e-16, and a probability that matters is above 1e-9.
const RANK_TOLERANCE: f64 = 1e-11;

impl Covariance {
    /// All zeros.
    pub(crate) fn zero(size: usize) -> Self {
        Self {
            size,
            cells: vec![0.0; size * size],
        }
    }

    /// Adds `scale (diag w - w w' / sum w)`: what one draw with these weights varies by, or what is left of weighted
    /// observations when their common level is free.
    pub(crate) fn add_draw(&mut self, scale: f64, weights: &[f64]) {
        let total: f64 = weights.iter().sum();
        if total <= 0.0 {
            return;
        }
        for (i, wi) in weights.iter().enumerate() {
            for (j, wj) in weights.iter().enumerate() {
                let own = if i == j { *wi } else { 0.0 };
                self.cells[i * self.size + j] += scale * (own - wi * wj / total);
            }
        }
    }

    /// `d' V⁻ d` by a Cholesky factorisation with pivots, which leaves out what the matrix does not span. Any
    /// generalised inverse gives the same value for a `d` that it does span.
    pub(crate) fn quadratic_form(mut self, d: &[f64]) -> QuadraticForm {
        let n = self.size;
        let mut rest = d.to_vec();
        let mut open: Vec<usize> = (0..n).collect();
        let greatest = (0..n).map(|i| self.cells[i * n + i]).fold(0.0, f64::max);
        let mut form = QuadraticForm {
            value: 0.0,
            rank: 0,
        };
        while let Some(at) = (0..open.len()).max_by(|a, b| {
            let pivot = |at: &usize| self.cells[open[*at] * n + open[*at]];
            pivot(a).total_cmp(&pivot(b))
        }) {
            let p = open.swap_remove(at);
            let pivot = self.cells[p * n + p];
            if pivot <= greatest * RANK_TOLERANCE {
                break;
            }
            form.value += rest[p] * rest[p] / pivot;
            form.rank += 1;
            for &i in &open {
                let factor = self.cells[i * n + p] / pivot;
                rest[i] -= factor * rest[p];
                for &j in &open {
                    self.cells[i * n + j] -= factor * self.cells[p * n + j];
                }
            }
        }
        form
    }
}

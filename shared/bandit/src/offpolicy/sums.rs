//! Sums over the rows of one arm from which every estimator follows.

use std::ops::AddAssign;

/// Sums of `w^i r^j` for `i, j` up to 2, over rows with importance weight `w` and reward `r`.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Sums {
    pub n: f64,
    pub w: f64,
    pub ww: f64,
    pub r: f64,
    pub wr: f64,
    pub wwr: f64,
    pub rr: f64,
    pub wrr: f64,
    pub wwrr: f64,
}

impl Sums {
    /// `n` rows of the same weight, whose rewards sum to `r` and their squares to `rr`.
    pub(super) fn of(w: f64, n: f64, r: f64, rr: f64) -> Self {
        Self {
            n,
            w: n * w,
            ww: n * w * w,
            r,
            wr: w * r,
            wwr: w * w * r,
            rr,
            wrr: w * rr,
            wwrr: w * w * rr,
        }
    }
}

impl AddAssign for Sums {
    fn add_assign(&mut self, other: Self) {
        let Self {
            n,
            w,
            ww,
            r,
            wr,
            wwr,
            rr,
            wrr,
            wwrr,
        } = other;
        self.n += n;
        self.w += w;
        self.ww += ww;
        self.r += r;
        self.wr += wr;
        self.wwr += wwr;
        self.rr += rr;
        self.wrr += wrr;
        self.wwrr += wwrr;
    }
}

/// A term of an estimator as a function of a row: `constant + w W + r R + wr W R` for weight `W` and reward `R`.
///
/// Every estimator here is a mean of such terms with coefficients that depend on the arm alone, also with a
/// leave-one-out outcome model, because a shrunk mean without a row is linear in that row's reward.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Term {
    pub constant: f64,
    pub w: f64,
    pub r: f64,
    pub wr: f64,
}

impl Term {
    /// The terms of the rows behind `sums`, added up.
    pub(super) fn sum(self, sums: &Sums) -> f64 {
        self.constant * sums.n + self.w * sums.w + self.r * sums.r + self.wr * sums.wr
    }

    /// Their squares, added up.
    pub(super) fn sum_of_squares(self, sums: &Sums) -> f64 {
        let Self {
            constant: a,
            w: b,
            r: c,
            wr: d,
        } = self;
        let squares = a * a * sums.n + b * b * sums.ww + c * c * sums.rr + d * d * sums.wwrr;
        let products = a * b * sums.w
            + a * c * sums.r
            + (a * d + b * c) * sums.wr
            + b * d * sums.wwr
            + c * d * sums.wrr;
        squares + 2.0 * products
    }
}

/// How many terms there are, their sum, and the sum of their squares.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct TermMoments {
    pub n: f64,
    pub sum: f64,
    pub squares: f64,
}

impl TermMoments {
    /// Of pairs of a term and the sums it is taken over.
    pub(super) fn of<'a>(parts: impl Iterator<Item = (Term, &'a Sums)>) -> Self {
        parts.fold(Self::default(), |total, (term, sums)| Self {
            n: total.n + sums.n,
            sum: total.sum + term.sum(sums),
            squares: total.squares + term.sum_of_squares(sums),
        })
    }

    /// The mean; 0 of none.
    pub(super) fn mean(self) -> f64 {
        self.sum / self.n.max(1.0)
    }

    /// The standard error of the mean: `sd / sqrt(n)` with `n - 1` degrees of freedom.
    pub(super) fn standard_error(self) -> f64 {
        let spread = (self.squares - self.sum * self.mean()).max(0.0);
        (spread / (self.n - 1.0).max(1.0) / self.n.max(1.0)).sqrt()
    }
}

impl AddAssign for TermMoments {
    fn add_assign(&mut self, other: Self) {
        let Self { n, sum, squares } = other;
        self.n += n;
        self.sum += sum;
        self.squares += squares;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_give_the_moments_of_the_terms_themselves() {
        let rows = [(0.5, 1.0), (2.0, 0.25), (7.0, 0.0), (1.5, 0.75)];
        let term = Term {
            constant: 0.3,
            w: -0.2,
            r: 0.7,
            wr: 1.1,
        };
        let mut sums = Sums::default();
        let (mut sum, mut squares) = (0.0, 0.0);
        for (w, r) in rows {
            sums += Sums::of(w, 1.0, r, r * r);
            let value = 0.3 - 0.2 * w + 0.7 * r + 1.1 * w * r;
            sum += value;
            squares += value * value;
        }
        assert!((term.sum(&sums) - sum).abs() < 1e-14);
        assert!((term.sum_of_squares(&sums) - squares).abs() < 1e-13);
    }
}

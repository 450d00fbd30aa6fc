//! An interval that holds at any sample size: predictable plug-in empirical Bernstein (STATS 5.4).
//!
//! Waudby-Smith and Ramdas 2024, "Estimating means of bounded random variables by betting", theorem 2, with the bets of
//! their fixed-sample form, on terms that come in batches: the bet and the centre are settled before a batch is
//! looked at, so only the batch's sums are needed and its order does not matter. The terms may depend on the past as those
//! of an adaptive log do. Unlike the normal interval it does not shrink when the rare reward with the great weight
//! has not come yet: what could have come (the bound of the terms) is part of it.

use super::estimate::{LEVEL, RewardRange};
use super::sums::TermMoments;

/// No bet above half the stake: the choice of the paper's authors.
const GREATEST_BET: f64 = 0.5;

/// A running two-sided bound on the mean of terms whose conditional means all lie in a known range.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bernstein {
    /// Where the mean can be.
    range: RewardRange,
    /// How many terms are expected: the bets are best for that many and valid for any number.
    planned: f64,
    seen: f64,
    sum: f64,
    /// Squared deviations from the centres that were settled before.
    squares: f64,
    low: Side,
    high: Side,
}

/// The wealth of one side's bets.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Side {
    won: f64,
    staked: f64,
}

impl Side {
    /// `sign` is 1 for a bound from below and -1 from above; `reach` is how far a term can fall short of the centre.
    fn bet(&mut self, sign: f64, reach: f64, wish: f64, batch: &Batch) {
        let stake = (wish * reach).min(GREATEST_BET);
        let bet = stake / reach;
        let price = (-(-stake).ln_1p() - stake) / (reach * reach);
        self.won += sign * bet * batch.sum - price * batch.squares;
        self.staked += bet * batch.n;
    }

    fn bound(self, sign: f64) -> Option<f64> {
        (self.staked > 0.0).then(|| sign * (self.won - log_odds()) / self.staked)
    }
}

struct Batch {
    n: f64,
    sum: f64,
    squares: f64,
}

/// `ln(2 / 0.05)`: half of what may go wrong on each side.
fn log_odds() -> f64 {
    (2.0 / (1.0 - LEVEL)).ln()
}

impl Bernstein {
    /// For about `planned` terms whose mean is in `range`.
    pub(super) fn new(range: RewardRange, planned: f64) -> Self {
        Self {
            range,
            planned: planned.max(1.0),
            seen: 0.0,
            sum: 0.0,
            squares: 0.0,
            low: Side::default(),
            high: Side::default(),
        }
    }

    /// Take in a batch of terms, of which it was known beforehand that each is in `least..=greatest`.
    pub(super) fn batch(&mut self, terms: TermMoments, least: f64, greatest: f64) {
        let RewardRange { min, max } = self.range;
        let centre = (self.sum / self.seen.max(1.0)).clamp(min, max);
        let prior = (max - min) * (max - min) / 4.0;
        let variance = (prior + self.squares) / (self.seen + 1.0);
        let wish = (2.0 * log_odds() / (variance * self.planned)).sqrt();
        let squares = terms.squares - 2.0 * centre * terms.sum + centre * centre * terms.n;
        let batch = Batch {
            n: terms.n,
            sum: terms.sum,
            squares: squares.max(0.0),
        };
        self.low.bet(1.0, max - least.min(min), wish, &batch);
        self.high.bet(-1.0, greatest.max(max) - min, wish, &batch);
        self.seen += batch.n;
        self.sum += batch.sum;
        self.squares += batch.squares;
    }

    /// The interval, inside the range of the mean and around `estimate`, which is made of the same terms with other weights.
    pub(super) fn interval(&self, estimate: f64) -> (f64, f64) {
        let RewardRange { min, max } = self.range;
        let inside = estimate.clamp(min, max);
        let low = self.low.bound(1.0).unwrap_or(min).clamp(min, max);
        let high = self.high.bound(-1.0).unwrap_or(max).clamp(min, max);
        (low.min(inside), high.max(inside))
    }
}

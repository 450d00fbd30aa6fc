//! A confidence sequence for the mean of terms that come one by one, each at least 0: the predictable plug-in
//! empirical-Bernstein bound (STATS 5.4; Waudby-Smith and Ramdas 2024).
//!
//! For weighted rewards `w Y` of a log, whose weights have no small bound. From period counts, [`super::bounded`] is
//! tighter.

/// The greatest bet: at 1 a single term below its prediction could lose everything.
const GREATEST_BET: f64 = 0.5;

/// A lower bound that grows with its terms.
#[derive(Debug, Clone, PartialEq)]
pub struct LowerBound {
    rarity: f64,
    count: f64,
    sum: f64,
    /// `sum (φ - m)²`, with a quarter to start from.
    spread: f64,
    bets: f64,
    won: f64,
    paid: f64,
}

impl LowerBound {
    /// A bound that is above the mean ever with a probability of at most `alpha`.
    pub fn new(alpha: f64) -> Self {
        Self {
            rarity: -alpha.ln(),
            count: 0.0,
            sum: 0.0,
            spread: 0.25,
            bets: 0.0,
            won: 0.0,
            paid: 0.0,
        }
    }

    /// One more term, at least 0. Its mean given all earlier ones must be the mean that is bounded.
    ///
    /// Terms may be above 1; the prediction is cut there, or the bound does not hold.
    pub fn push(&mut self, term: f64) {
        let t = self.count + 1.0;
        let variance = self.spread / t;
        let bet = (2.0 * self.rarity / (variance * t * t.ln_1p()))
            .sqrt()
            .min(GREATEST_BET);
        let predicted = if self.count > 0.0 {
            (self.sum / self.count).min(1.0)
        } else {
            0.0
        };
        self.bets += bet;
        self.won += bet * term;
        self.paid += (term - predicted).powi(2) * (-(-bet).ln_1p() - bet);
        self.count = t;
        self.sum += term;
        let mean = ((0.5 + self.sum) / (t + 1.0)).min(1.0);
        self.spread += (term - mean).powi(2);
    }

    /// The bound now; 0 before the first term. The greatest over all terms so far is a bound too.
    pub fn get(&self) -> f64 {
        if self.count <= 0.0 {
            return 0.0;
        }
        ((self.won - self.rarity - self.paid) / self.bets).max(0.0)
    }
}

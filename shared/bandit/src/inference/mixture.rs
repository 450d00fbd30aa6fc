//! Boundaries that a martingale crosses ever with a probability of at most alpha: mixtures over all bets at once.
//!
//! Howard, Ramdas, `McAuliffe` and Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence sequences", Annals
//! of Statistics 49 (2021). A sum `S` with intrinsic time `V` (a variance added up) stays below `bound(V)` for ever.

use super::gamma::{ln_gamma, lower};
use crate::probability::logit_beta::stirling_rest;

/// A bracket that has been halved so often is a point: doubles have 53 bits.
const HALVINGS: usize = 200;

/// The mixing scale that makes a boundary tight at intrinsic time `v` (ibid., section 3.5): above 0 for `alpha` in
/// `0..1`.
pub fn tuned_scale(v: f64, alpha: f64) -> f64 {
    let rarity = -2.0 * alpha.ln();
    v / (rarity + rarity.ln_1p())
}

/// The two-sided normal mixture: `|S|` for sums that are sub-Gaussian with variance `V` (ibid., equation 14).
pub fn normal_bound(v: f64, alpha: f64, scale: f64) -> f64 {
    let total = v + scale;
    (total * ((total / scale).ln() - 2.0 * alpha.ln())).sqrt()
}

/// The logarithm of the two-sided normal mixture, an e-value of `|S| = s` (ibid., proposition 5).
pub fn normal_ln_evidence(s: f64, v: f64, scale: f64) -> f64 {
    let total = v + scale;
    0.5 * (scale / total).ln() + s * s / (2.0 * total)
}

/// The gamma-exponential mixture for sums that are sub-exponential with a scale, one-sided: what empirical
/// Bernstein arguments give for bounded variables (ibid., proposition 9 and theorem 4).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GammaExponential {
    /// The mixing scale over the squared range.
    shape: f64,
    /// How far one term can fall below its mean.
    range: f64,
    /// The logarithm of the mixture's normaliser.
    ln_normaliser: f64,
}

impl GammaExponential {
    /// For terms that fall below their predictions by at most `range`, tight at intrinsic time `v` for `alpha`.
    pub fn tuned(v: f64, alpha: f64, range: f64) -> Self {
        let shape = tuned_scale(v, 2.0 * alpha) / (range * range);
        Self {
            shape,
            range,
            ln_normaliser: -excess(shape) - lower(shape, shape).ln(),
        }
    }

    /// The logarithm of the mixture: an e-value of a sum `s` at intrinsic time `v`.
    ///
    /// The paper's form has terms of the size of `v` that cancel; here they are one function of `u = s / a`.
    pub fn ln_evidence(&self, s: f64, v: f64) -> f64 {
        let a = v / (self.range * self.range) + self.shape;
        let u = s / self.range / a;
        if u <= -1.0 {
            return f64::NEG_INFINITY;
        }
        self.ln_normaliser + excess(a) + a * (u - u.ln_1p()) + lower(a, a * (1.0 + u)).ln()
    }

    /// What the sum stays below at intrinsic time `v`, with a probability of ever crossing of at most `alpha`.
    pub fn bound(&self, v: f64, alpha: f64) -> f64 {
        let wanted = -alpha.ln();
        let start = normal_bound(v, alpha, self.shape * self.range * self.range);
        root(start, |s| self.ln_evidence(s, v) - wanted)
    }
}

/// `ln Γ(a) - a ln a + a`.
fn excess(a: f64) -> f64 {
    -0.5 * (a / (2.0 * std::f64::consts::PI)).ln() + stirling_rest(a)
}

/// The beta-binomial mixture for sums whose terms are in `-g..=h`, both sides (ibid., proposition 7).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BetaBinomial {
    g: f64,
    h: f64,
    shape: f64,
}

impl BetaBinomial {
    /// Tight at intrinsic time `v` for `alpha`.
    pub fn tuned(v: f64, alpha: f64, g: f64, h: f64) -> Self {
        // the variance of one term is not mixed over; a thousandth keeps the shape above 0 at short times
        let shape = (tuned_scale(v, alpha) - g * h).max(1e-3 * g * h);
        Self { g, h, shape }
    }

    /// The logarithm of the mixture: an e-value of a sum `s` at intrinsic time `v`.
    pub fn ln_evidence(&self, s: f64, v: f64) -> f64 {
        let Self { g, h, shape } = *self;
        let (per_g, per_h) = (g * (g + h), h * (g + h));
        let likelihood = v / (g * h) * (g + h).ln()
            - (v + h * s) / per_h * g.ln()
            - (v - g * s) / per_g * h.ln();
        let ln_beta = |a: f64, b: f64| ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b);
        likelihood + ln_beta((shape + v - g * s) / per_g, (shape + v + h * s) / per_h)
            - ln_beta(shape / per_g, shape / per_h)
    }

    /// What the sum stays below at intrinsic time `v`; the greatest possible sum `v / g` where no sum is rare enough.
    pub fn bound(&self, v: f64, alpha: f64) -> f64 {
        let (wanted, most) = (-alpha.ln(), v / self.g);
        if self.ln_evidence(most, v) <= wanted {
            return most;
        }
        bisect(0.0, most, |s| self.ln_evidence(s, v) - wanted)
    }
}

/// The least `s` above 0 from which the increasing `f` is above 0; `start` is a guess.
fn root(start: f64, f: impl Fn(f64) -> f64) -> f64 {
    let mut high = start.max(f64::MIN_POSITIVE);
    while f(high) < 0.0 && high.is_finite() {
        high *= 2.0;
    }
    bisect(0.0, high, f)
}

/// The crossing between `low`, where `f` is below 0, and `high`, where it is not; the end that is safe to claim.
pub(crate) fn bisect(mut low: f64, mut high: f64, f: impl Fn(f64) -> f64) -> f64 {
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high || high - low <= 1e-13 * high.abs() {
            break;
        }
        if f(middle) < 0.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

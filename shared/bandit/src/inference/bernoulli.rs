//! The confidence sequence of one stream of yes and no: exact at every look.

use super::estimate::Interval;
use super::mixture::{BetaBinomial, bisect};

/// The interval that holds the rate at all looks with a probability of `1 - alpha`, after `successes` of `trials`,
/// tightest after `tuned_for` trials (Howard et al. 2021, proposition 7, inverted).
///
/// Each trial's outcome may decide whether there is another one, but not what its rate is: under an allocation that
/// learns it holds for an arm's own trials as long as the rate stays, and a trend breaks it (see [`super::bounded`]).
pub fn confidence_sequence(
    successes: u64,
    trials: u64,
    alpha: f64,
    tuned_for: f64,
    tuned_alpha: f64,
) -> Interval {
    if trials == 0 {
        return Interval::REWARDS;
    }
    let (n, s) = (trials as f64, successes as f64);
    let rate = s / n;
    let surprise = |p: f64| {
        let variance = p * (1.0 - p);
        let mixture = BetaBinomial::tuned(tuned_for * variance, tuned_alpha, p, 1.0 - p);
        mixture.ln_evidence(s - n * p, n * variance) + alpha.ln()
    };
    let edge = 1e-12;
    let low = if successes == 0 {
        0.0
    } else {
        1.0 - bisect(1.0 - rate, 1.0 - edge, |q| surprise(1.0 - q))
    };
    let high = if successes == trials {
        1.0
    } else {
        bisect(rate, 1.0 - edge, surprise)
    };
    Interval { low, high }
}

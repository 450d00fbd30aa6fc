//! Whether a rate has been over its limit since the start, all windows together (STATS 7.3).
//!
//! It is valid at any look, but slow to find a change: days of good history must be undone first. It answers "has this
//! launch been worse from the beginning" and does not replace [`super::Cusum`].

use super::{Limit, Window};
use crate::posterior::BetaPosterior;

/// Jeffreys' prior for a rate.
const JEFFREYS: BetaPosterior = BetaPosterior {
    alpha: 0.5,
    beta: 0.5,
};

/// The posterior probability that the rate is over the limit, from Jeffreys' prior.
pub fn p_over(limit: Limit, counted: Window) -> f64 {
    after(JEFFREYS, counted).ln_upper_tail(limit.rate()).exp()
}

/// The logarithm of the one-sided mixture e-value against "the rate is at most the limit": the average likelihood ratio
/// over the prior's rates above the limit. `P(it ever exceeds ln(1/a)) <= a`.
///
/// Written with logarithms of Beta functions it is a difference of large numbers and of a posterior tail that
/// underflows on healthy traffic; floored at a tiny number, that tail makes the evidence explode. Both tails and both
/// likelihoods meet in the ratio of two Mills ratios on the logit scale, `E = (f/P)(prior) / (f/P)(posterior)` at the
/// limit, which stays in range.
pub fn ln_e_value(prior: BetaPosterior, limit: Limit, counted: Window) -> f64 {
    after(prior, counted).ln_mills(limit.rate()) - prior.ln_mills(limit.rate())
}

fn after(prior: BetaPosterior, counted: Window) -> BetaPosterior {
    BetaPosterior {
        alpha: prior.alpha + counted.bad,
        beta: prior.beta + (counted.total - counted.bad).max(0.0),
    }
}

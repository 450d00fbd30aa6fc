//! UCB1-tuned: UCB1 with the arm's own variance (Auer, Cesa-Bianchi, Fischer 2002, section 4).

use super::index::{Index, Seen};

/// `mean + sqrt(ln t / n * min(1/4, V))` with `V = variance + sqrt(2 ln t / n)`: rewards that vary less than a fair
/// coin need less exploration.
pub(super) struct Ucb1Tuned;

impl Index for Ucb1Tuned {
    fn bound(&self, seen: Seen, ln_t: f64) -> f64 {
        /// The variance of a fair coin: the greatest that rewards in `0..=1` can have.
        const GREATEST: f64 = 0.25;
        let variance = seen.variance + (2.0 * ln_t / seen.n).sqrt();
        seen.mean + (ln_t / seen.n * variance.min(GREATEST)).sqrt()
    }
}

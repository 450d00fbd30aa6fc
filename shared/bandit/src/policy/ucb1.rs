//! UCB1: the mean and what chance may have taken from it (Auer, Cesa-Bianchi, Fischer 2002, figure 1).

use super::index::{Index, Seen};

/// `mean + sqrt(2 ln t / n)`.
pub(super) struct Ucb1;

impl Index for Ucb1 {
    fn bound(&self, seen: Seen, ln_t: f64) -> f64 {
        seen.mean + (2.0 * ln_t / seen.n).sqrt()
    }
}

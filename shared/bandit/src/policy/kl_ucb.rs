//! KL-UCB: the greatest mean that the arm's rewards do not rule out (Garivier and Cappé 2011, with c = 0).

use super::index::{Index, Seen};

/// `max { q : n kl(mean, q) <= ln t }`. Tighter than UCB1 wherever means are far from one half, as conversion rates
/// are: its regret reaches the Lai-Robbins bound for rewards of 0 and 1, and its bound holds for all in `0..=1`.
pub(super) struct KlUcb;

/// Halving `0..=1` so often ends at the spacing of floating-point numbers near 1.
const HALVINGS: u32 = 54;

/// Far above the rounding of a divergence and far below any difference that matters.
const MARGIN: f64 = 1e-9;

impl Index for KlUcb {
    fn bound(&self, seen: Seen, ln_t: f64) -> f64 {
        let most = ln_t / seen.n;
        let (mut low, mut high) = (seen.mean, 1.0);
        for _ in 0..HALVINGS {
            let middle = f64::midpoint(low, high);
            if divergence(seen.mean, middle) <= most {
                low = middle;
            } else {
                high = middle;
            }
        }
        low
    }

    /// The divergence rises above the mean, so one look at `bar` tells on which side of it the bound is.
    fn is_below(&self, seen: Seen, ln_t: f64, bar: f64) -> bool {
        let most = ln_t / seen.n;
        seen.mean < bar && divergence(seen.mean, bar) > most * (1.0 + MARGIN) + MARGIN
    }
}

/// The Kullback-Leibler divergence of coins with means `p` and `q`, with `0 ln 0 = 0`; infinite where `q` rules out
/// what `p` allows.
fn divergence(p: f64, q: f64) -> f64 {
    let part = |p: f64, q: f64| if p > 0.0 { p * (p / q).ln() } else { 0.0 };
    part(p, q) + part(1.0 - p, 1.0 - q)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::index::rolled_out;
    use crate::posterior::Moments;

    fn bound(n: f64, mean: f64, t: f64) -> f64 {
        let seen = Seen {
            n,
            mean,
            variance: 0.0,
        };
        KlUcb.bound(seen, f64::ln(t))
    }

    /// `kl(0, q) = -ln(1 - q)`, so the bound is `1 - t^(-1/n)`; and nothing is above 1.
    #[test]
    fn agrees_with_the_closed_forms() {
        for (n, t) in [(1.0, 10.0), (7.5, 300.0), (1e6, 4e6)] {
            let want = -(-f64::ln(t) / n).exp_m1();
            assert!((bound(n, 0.0, t) - want).abs() < 1e-15, "{n} of {t}");
            assert!((bound(n, 1.0, t) - 1.0).abs() < f64::EPSILON);
        }
    }

    #[test]
    fn solves_its_own_equation_between_mean_and_one() {
        for (n, mean, t) in [
            (10.0, 0.3, 40.0),
            (2_000.0, 0.05, 9_000.0),
            (3.0, 0.9, 40.0),
        ] {
            let q = bound(n, mean, t);
            assert!(q > mean && q <= 1.0);
            assert!((n * divergence(mean, q) - f64::ln(t)).abs() < 1e-8, "{q}");
        }
    }

    /// To half the digits: the divergence is flat around the mean.
    #[test]
    fn without_experience_of_other_units_it_is_the_mean() {
        assert!((bound(50.0, 0.2, 1.0) - 0.2).abs() < 1e-7);
    }

    /// Rolling arms forward gives the same bits with and without the short cut.
    #[test]
    fn the_short_cut_changes_no_weight() {
        struct Exact;
        impl Index for Exact {
            fn bound(&self, seen: Seen, ln_t: f64) -> f64 {
                KlUcb.bound(seen, ln_t)
            }
        }
        let arm = |n: f64, sum: f64| Moments {
            n,
            sum,
            sum_sq: sum,
        };
        for arms in [
            vec![arm(400.0, 20.0), arm(400.0, 20.0), arm(90.0, 9.0)],
            vec![arm(0.0, 0.0), arm(12.5, 12.5), arm(700.0, 0.0)],
        ] {
            assert_eq!(rolled_out(&arms, &KlUcb), rolled_out(&arms, &Exact));
        }
    }

    #[test]
    fn the_short_cut_never_rules_out_a_bound_that_is_there() {
        for (n, mean, t) in [(10.0, 0.3, 40.0), (900.0, 0.0, 1e4), (5.0, 1.0, 9.0)] {
            let seen = Seen {
                n,
                mean,
                variance: 0.0,
            };
            let exact = KlUcb.bound(seen, f64::ln(t));
            assert!(!KlUcb.is_below(seen, f64::ln(t), exact));
            let above = exact + 0.01 * (1.0 - exact);
            assert_eq!(KlUcb.is_below(seen, f64::ln(t), above), exact < 1.0);
        }
    }
}

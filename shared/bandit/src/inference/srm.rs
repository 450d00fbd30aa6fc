//! Sample-ratio mismatch: whether the arms got the units that their probabilities promised (STATS 7.5).
//!
//! Count assigned units, before any filtering: an arm that loses units on the way to its exposure shows here too
//! only if its assignments are lost with them.

use serde::{Deserialize, Serialize};

use super::gamma::chi_square_tail;
use super::period::{Period, arm_count};
use super::quadratic::Covariance;
use crate::probability::logit_beta::stirling_rest;

/// A mismatch is declared below this (STATS 7.5): a healthy experiment that is looked at once crosses it in one of a
/// thousand.
pub const ALARM: f64 = 0.001;

/// How many units the sequential test's guess of the shares is worth before any is seen (STATS 7.5).
pub const CAUTION: f64 = 2000.0;

/// How many units the Dirichlet prior of the fixed-split test is worth (Lindon & Malek's default).
pub const CONCENTRATION: f64 = 10_000.0;

/// A chi-square test of the counts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ChiSquare {
    /// The statistic; infinite where an arm got units that had no chance of any.
    pub statistic: f64,
    /// Degrees of freedom; 0 where there is nothing to compare.
    pub df: usize,
    /// The probability of a statistic as great or greater, if all is well: valid at one look.
    pub p_value: f64,
}

/// A sequential test of the counts: valid at every look.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sequential {
    /// The logarithm of the evidence against the promised probabilities, now.
    pub ln_evidence: f64,
    /// The least of 1 and the inverse of the greatest evidence so far.
    pub p_value: f64,
}

/// Pearson's test of a fixed split: `sum (O - E)² / E` with `k - 1` degrees of freedom.
///
/// Arms of no weight are left out with their units, and do not count as degrees of freedom (gbstats
/// skips them in the sum but counts them).
pub fn fixed_split(assigned: &[u64], weights: &[f64]) -> ChiSquare {
    let arms: Vec<(f64, f64)> = assigned
        .iter()
        .zip(weights)
        .filter(|(_, weight)| **weight > 0.0)
        .map(|(assigned, weight)| (*assigned as f64, *weight))
        .collect();
    let units: f64 = arms.iter().map(|(assigned, _)| assigned).sum();
    let weight: f64 = arms.iter().map(|(_, weight)| weight).sum();
    if units <= 0.0 {
        return nothing_to_compare();
    }
    let statistic = arms
        .iter()
        .map(|(observed, share)| {
            let expected = units * share / weight;
            (observed - expected).powi(2) / expected
        })
        .sum();
    chi_square(statistic, arms.len() - 1)
}

/// The test for shares that changed: `(O - E)' V⁻ (O - E)`, with expected counts and covariance added up over periods.
///
/// Comparing with the summed expected counts by Pearson's formula is conservative: it rejects 4.0 % where 5 % are
/// nominal. A unit on an arm that was closed when it was drawn is a mismatch whatever the rest says.
pub fn changing_split(periods: &[Period]) -> ChiSquare {
    let arms = arm_count(periods);
    let mut excess = vec![0.0; arms];
    let mut covariance = Covariance::zero(arms);
    for period in periods {
        let units = period.assigned() as f64;
        let propensities: Vec<f64> = (0..arms).map(|arm| period.arms[arm].propensity).collect();
        for arm in 0..arms {
            let assigned = period.arms[arm].assigned as f64;
            if assigned > 0.0 && propensities[arm] <= 0.0 {
                return ChiSquare {
                    statistic: f64::INFINITY,
                    df: arms - 1,
                    p_value: 0.0,
                };
            }
            excess[arm] += assigned - units * propensities[arm];
        }
        covariance.add_draw(units, &propensities);
    }
    let form = covariance.quadratic_form(&excess);
    chi_square(form.value, form.rank)
}

/// The sequential test for shares that changed: a bet on the mismatch seen in earlier periods.
///
/// `ln E += sum n ln(alt / p)` with `alt` proportional to `p (c + O) / (c + E)`, where `O` and `E` are earlier
/// periods' observed and expected counts. The expectation of each period's factor is 1 for any probabilities that
/// were fixed before its draws, so `P(E ever above 1/a) <= a` (Ville). `caution` is `c`, above 0.
pub fn sequential(periods: &[Period], caution: f64) -> Sequential {
    let arms = arm_count(periods);
    let mut observed = vec![0.0; arms];
    let mut expected = vec![0.0; arms];
    let (mut ln_evidence, mut greatest) = (0.0, 0.0_f64);
    for period in periods {
        let bet: Vec<f64> = (0..arms)
            .map(|arm| {
                period.arms[arm].propensity * (caution + observed[arm]) / (caution + expected[arm])
            })
            .collect();
        let total: f64 = bet.iter().sum();
        let units = period.assigned() as f64;
        for arm in 0..arms {
            let seen = &period.arms[arm];
            if seen.assigned > 0 {
                let factor = bet[arm] / total / seen.propensity;
                // an arm that was closed has units: nothing explains that, and 0 / 0 must not
                let factor = if seen.propensity > 0.0 {
                    factor
                } else {
                    f64::INFINITY
                };
                ln_evidence += seen.assigned as f64 * factor.ln();
            }
            observed[arm] += seen.assigned as f64;
            expected[arm] += units * seen.propensity;
        }
        greatest = greatest.max(ln_evidence);
    }
    Sequential {
        ln_evidence,
        p_value: (-greatest).exp(),
    }
}

/// The sequential test of a fixed split by Lindon & Malek (2020): the Bayes factor of a Dirichlet-multinomial model
/// against the promised shares, after each batch of counts.
///
/// `weights` are above 0, in any scale; `concentration` is the prior's worth in units.
pub fn sequential_fixed_split(
    batches: &[Vec<u64>],
    weights: &[f64],
    concentration: f64,
) -> Vec<Sequential> {
    let total: f64 = weights.iter().sum();
    let shares: Vec<f64> = weights.iter().map(|weight| weight / total).collect();
    let mut alpha: Vec<f64> = shares.iter().map(|share| concentration * share).collect();
    let (mut ln_evidence, mut greatest) = (0.0, 0.0_f64);
    batches
        .iter()
        .map(|batch| {
            let counts: Vec<f64> = batch.iter().map(|count| *count as f64).collect();
            ln_evidence += ln_bayes_factor(&counts, &alpha, &shares);
            greatest = greatest.max(ln_evidence);
            for (alpha, count) in alpha.iter_mut().zip(&counts) {
                *alpha += count;
            }
            Sequential {
                ln_evidence,
                p_value: (-greatest).exp(),
            }
        })
        .collect()
}

/// Of one batch; the multinomial coefficients of both models cancel.
///
/// `ln Γ(α + n) - ln Γ(α)` is `n ln(α + n) - n + (α - 1/2) ln(1 + n / α)` and what Stirling leaves over: so written,
/// with the `n` of arms and total cancelled by hand, a million units lose no digits.
fn ln_bayes_factor(counts: &[f64], alpha: &[f64], shares: &[f64]) -> f64 {
    let part = |alpha: f64, count: f64| {
        (alpha - 0.5) * (count / alpha).ln_1p() + stirling_rest(alpha + count)
            - stirling_rest(alpha)
    };
    let (units, worth): (f64, f64) = (counts.iter().sum(), alpha.iter().sum());
    let arms: f64 = counts
        .iter()
        .zip(alpha)
        .zip(shares)
        .map(|((count, alpha), share)| {
            let odds = (alpha + count) / ((worth + units) * share);
            count * odds.ln() + part(*alpha, *count)
        })
        .sum();
    arms - part(worth, units)
}

fn chi_square(statistic: f64, df: usize) -> ChiSquare {
    ChiSquare {
        statistic,
        df,
        p_value: chi_square_tail(statistic, df),
    }
}

fn nothing_to_compare() -> ChiSquare {
    chi_square(0.0, 0)
}

//! Means that a trend cannot bend: each period counts by its units, not by how many of them an arm got (STATS 5.2).
//!
//! Two equal arms, 10 % on a day with an even split and 5 % on a day split 90/10: over pooled counts the first arm
//! has 6.8 % and the second 9.2 %. Post-stratified by period both have the same.

use super::estimate::Estimate;
use super::period::{ArmPeriod, Period, arm_count, merge};
use crate::posterior::BetaPosterior;
use crate::spec::model::BetaPrior;

/// Two rewards are the least that have a variance.
pub const LEAST: u64 = 2;

/// Adjacent periods put together until every open arm has `least` resolved units in each.
///
/// Only periods with the same open arms are put together. What is left over at the end of such a run joins the
/// group before it; a run that never gets there is one group, and arms with fewer than [`LEAST`] sit it out.
/// Grouping looks at counts and never at rewards.
pub fn thick(periods: &[Period], least: u64) -> Vec<Period> {
    periods
        .chunk_by(|a, b| open_arms(a).eq(open_arms(b)))
        .flat_map(|run| groups(run, least))
        .filter_map(merge)
        .collect()
}

/// `arm`'s mean reward over the periods in which it has at least [`LEAST`], each weighted by all its resolved units:
/// `sum (N_b / N) ȳ_b`, variance `sum (N_b / N)² s²_b / n_b`. In `0..=1`; `None` where there is no such period.
///
/// Give it [`thick`] periods, or the thin ones are left out.
pub fn mean(periods: &[Period], arm: usize) -> Option<Estimate> {
    let counted = || {
        periods.iter().filter_map(|period| {
            let own = period.arms.get(arm).filter(|own| own.n >= LEAST)?;
            Some((
                period.resolved() as f64,
                own.mean()?,
                own.variance()? / own.n as f64,
            ))
        })
    };
    let units: f64 = counted().map(|(units, ..)| units).sum();
    (units > 0.0).then(|| Estimate {
        value: counted()
            .map(|(n, mean, _)| n / units * mean)
            .sum::<f64>()
            .clamp(0.0, 1.0),
        standard_error: counted()
            .map(|(n, _, variance)| (n / units).powi(2) * variance)
            .sum::<f64>()
            .sqrt(),
    })
}

/// A Beta posterior that a trend cannot bend: of the period-weighted mean, worth as many units as its variance says.
///
/// `n_eff = mean (1 - mean) / variance - 1`, at most the arm's units. The pooled counts serve where nothing can be
/// bent, because the arm's propensity never changed, and where the mean is 0 or 1 and has no variance.
pub fn beta_posterior(periods: &[Period], arm: usize, prior: BetaPrior) -> BetaPosterior {
    let pooled = pooled(periods, arm);
    let units = pooled.n as f64;
    let estimate = (!kept_its_propensity(periods, arm))
        .then(|| mean(&thick(periods, LEAST), arm))
        .flatten()
        .filter(|mean| mean.standard_error > 0.0);
    let (mean, worth) = match estimate {
        Some(Estimate {
            value,
            standard_error,
        }) => {
            let worth = value * (1.0 - value) / (standard_error * standard_error) - 1.0;
            (value, worth.clamp(0.0, units))
        }
        None => (pooled.mean().unwrap_or(0.0).clamp(0.0, 1.0), units),
    };
    BetaPosterior {
        alpha: prior.alpha + mean * worth,
        beta: prior.beta + (1.0 - mean) * worth,
    }
}

/// All periods of one arm; its propensity is meaningless.
pub(crate) fn pooled(periods: &[Period], arm: usize) -> ArmPeriod {
    let mut pooled = ArmPeriod::default();
    for own in periods.iter().filter_map(|period| period.arms.get(arm)) {
        pooled.assigned += own.assigned;
        pooled.n += own.n;
        pooled.sum += own.sum;
        pooled.sum_sq += own.sum_sq;
    }
    pooled
}

/// Over the periods with resolved units.
fn kept_its_propensity(periods: &[Period], arm: usize) -> bool {
    let mut propensities = periods
        .iter()
        .filter(|period| period.resolved() > 0)
        .filter_map(|period| period.arms.get(arm))
        .map(|own| own.propensity.to_bits());
    let first = propensities.next();
    propensities.all(|propensity| Some(propensity) == first)
}

fn open_arms(period: &Period) -> impl Iterator<Item = usize> + '_ {
    let arms = period.arms.iter().enumerate();
    arms.filter(|(_, arm)| arm.propensity > 0.0)
        .map(|(at, _)| at)
}

/// The run cut where every open arm has `least`, the rest with the last piece.
fn groups(run: &[Period], least: u64) -> Vec<&[Period]> {
    let mut counts = vec![0; arm_count(run)];
    let (mut start, mut cuts) = (0, Vec::new());
    for (at, period) in run.iter().enumerate() {
        for (count, arm) in counts.iter_mut().zip(&period.arms) {
            *count += arm.n;
        }
        if open_arms(period).all(|arm| counts[arm] >= least) {
            cuts.push((start, at + 1));
            start = at + 1;
            counts.fill(0);
        }
    }
    match cuts.last_mut() {
        Some((_, end)) => *end = run.len(),
        None => cuts.push((0, run.len())),
    }
    cuts.into_iter().map(|(from, to)| &run[from..to]).collect()
}

//! What one writes in an afternoon: Thompson sampling by drawing from every posterior for every unit.

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use rand_distr::{Beta, Distribution as _};

/// The successes of `units` units, which learn `looks` times a day.
pub(crate) fn thompson(
    rates: &[f64],
    looks: u64,
    units_per_day: u64,
    units: u64,
    seed: u64,
) -> anyhow::Result<u64> {
    let mut generator = StdRng::seed_from_u64(seed);
    let mut counts = vec![(1.0, 1.0); rates.len()];
    let mut posteriors = learned(&counts)?;
    let batch = (units_per_day / looks).max(1);
    let mut successes = 0;
    for unit in 1..=units {
        let mut best = (0, -1.0);
        for (arm, posterior) in posteriors.iter().enumerate() {
            let draw = posterior.sample(&mut generator);
            if draw > best.1 {
                best = (arm, draw);
            }
        }
        if generator.random_bool(rates[best.0]) {
            counts[best.0].0 += 1.0;
            successes += 1;
        } else {
            counts[best.0].1 += 1.0;
        }
        if unit % batch == 0 {
            posteriors = learned(&counts)?;
        }
    }
    Ok(successes)
}

fn learned(counts: &[(f64, f64)]) -> anyhow::Result<Vec<Beta<f64>>> {
    counts
        .iter()
        .map(|&(alpha, beta)| Ok(Beta::new(alpha, beta)?))
        .collect()
}

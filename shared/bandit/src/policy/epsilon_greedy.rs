//! Epsilon-greedy: the arm with the greatest mean, and a share of exploration spread evenly.

use crate::allocation::Limits;
use crate::experiment::Share;
use crate::posterior::Moments;

/// `epsilon / k`, and the rest to the arm with the greatest mean, evenly where several tie (STATS 1.4).
///
/// An arm without rewards counts as greatest: one that starts at 0 would never be tried. The floors are part of the
/// exploration and do not come on top of it: epsilon is raised to `k` floors where it is less.
pub(super) fn shares(arms: &[Moments], epsilon: Share, decays: bool, limits: &Limits) -> Vec<f64> {
    let k = arms.len() as f64;
    let least = (k * limits.lowest_floor()).min(1.0);
    let epsilon = if decays {
        decayed(epsilon, arms)
    } else {
        epsilon.get()
    };
    let epsilon = epsilon.max(least);
    let greatest = greatest(arms);
    let count = greatest.iter().filter(|is| **is).count() as f64;
    let shares: Vec<f64> = greatest
        .into_iter()
        .map(|is| epsilon / k + if is { (1.0 - epsilon) / count } else { 0.0 })
        .collect();
    limits.project(&shares)
}

/// `min(1, c / t^(1/3))` with `t` rewards per arm (STATS 1.4). The rate with known gaps, `1/t` (Auer, Cesa-Bianchi,
/// Fischer 2002, theorem 3), needs a number that nobody has; the cube root does without.
fn decayed(epsilon: Share, arms: &[Moments]) -> f64 {
    /// The rewards per arm at which a declared epsilon holds: it makes `c = 10 epsilon`.
    const DECLARED_AT: f64 = 1_000.0;
    let rewards: f64 = arms.iter().map(|arm| arm.n).sum();
    let per_arm = rewards / arms.len() as f64;
    (epsilon.get() * (DECLARED_AT / per_arm).cbrt()).min(1.0)
}

fn greatest(arms: &[Moments]) -> Vec<bool> {
    let means: Vec<f64> = arms
        .iter()
        .map(|arm| arm.mean().unwrap_or(f64::INFINITY))
        .collect();
    let most = means.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    means.into_iter().map(|mean| mean >= most).collect()
}

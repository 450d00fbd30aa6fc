//! Confidence sequences for rewards in `0..=1` that need no large sample: exact at every look, under any allocation
//! with known propensities, from period counts alone (STATS 5.4).
//!
//! The scores `Γ = m + 1{drawn} (Y - m) / e` of an arm have its mean reward as their conditional mean, and fall below
//! `m` by at most `m / e`. Predicting each score by its own `m`, clipped so that this is at most a range `c` fixed
//! beforehand, `exp(λ sum (Γ - mean) - ψ(λ) sum (Γ - m)²)` never gains in expectation for any `λ` below `1 / c`
//! (Fan, Grama and Liu 2015; Waudby-Smith and Ramdas 2024), and the gamma-exponential mixture bets on all of them.
//! Over plain weighted rewards `1{drawn} Y / e` a score has the advantage that high rates cost no more than low ones.
//!
//! The interval is for the average of the arm's mean reward over the units so far, so it survives trends. Units are
//! taken in the order of their versions: `m` knows earlier versions' rewards, some of which resolve later.

use super::estimate::Interval;
use super::mixture::GammaExponential;
use super::period::Period;

/// The intrinsic time at which the bounds are tightest: some 20,000 units at a rate of 5 %, evenly split.
const TUNED_FOR: f64 = 2000.0;

/// The interval that holds `arm`'s mean reward at all looks with a probability of `1 - alpha`, from the periods in
/// which it was open. All of `0..=1` without resolved units.
///
/// `floor` is the least propensity that an open arm of the lane can have, fixed beforehand and above 0.
pub fn mean(periods: &[Period], arm: usize, alpha: f64, floor: f64) -> Interval {
    let side = alpha / 2.0;
    let interval = Interval {
        low: lower_bound(periods, arm, side, floor, |reward| reward),
        high: 1.0 - lower_bound(periods, arm, side, floor, |reward| 1.0 - reward),
    };
    // counts that the propensities all but exclude make the ends cross: a mismatch, see srm
    interval.intersect(&Interval::REWARDS)
}

/// The interval that holds `arm`'s mean reward minus `control`'s at all looks with a probability of `1 - alpha`: half
/// of it is spent on each arm.
pub fn contrast(
    periods: &[Period],
    (arm, control): (usize, usize),
    alpha: f64,
    floor: f64,
) -> Interval {
    let a = mean(periods, arm, alpha / 2.0, floor);
    let c = mean(periods, control, alpha / 2.0, floor);
    Interval {
        low: a.low - c.high,
        high: a.high - c.low,
    }
}

/// The greater of two bounds with half of `alpha` each: the narrow range suits an arm that is drawn more often than
/// it is rewarded, the wide one takes any propensity down to the floor.
fn lower_bound(
    periods: &[Period],
    arm: usize,
    alpha: f64,
    floor: f64,
    side: impl Fn(f64) -> f64,
) -> f64 {
    let wide = (1.0 / floor).max(1.0);
    [1.0, wide]
        .into_iter()
        .map(|range| {
            let scores = Scores::new(periods, arm, range, &side);
            if scores.trials <= 0.0 {
                return 0.0;
            }
            let mixture = GammaExponential::tuned(TUNED_FOR, alpha / 2.0, range);
            let bound = mixture.bound(scores.variance, alpha / 2.0);
            (scores.sum - bound) / scores.trials
        })
        .fold(0.0, f64::max)
        .min(1.0)
}

/// An arm's scores, added up.
struct Scores {
    trials: f64,
    sum: f64,
    variance: f64,
}

impl Scores {
    /// Of `side(Y)`, which is the reward or what it lacks to 1, with predictions that keep every score within `range`
    /// below them.
    fn new(periods: &[Period], arm: usize, range: f64, side: impl Fn(f64) -> f64) -> Self {
        let mut scores = Self {
            trials: 0.0,
            sum: 0.0,
            variance: 0.0,
        };
        let (mut seen, mut seen_sum) = (0.0_f64, 0.0_f64);
        for period in periods {
            let Some(own) = period.arms.get(arm) else {
                continue;
            };
            let (n, e, trials) = (own.n as f64, own.propensity, period.resolved() as f64);
            if e <= 0.0 {
                continue;
            }
            let mean = own.mean().map_or(0.0, &side);
            let guess = if seen > 0.0 { seen_sum / seen } else { 0.0 };
            let guess = guess.clamp(0.0, (range * e).min(1.0));
            // sum (Y - guess)² about the arm's own mean, so that it is the same for a reward and its complement
            let within = own.sum_sq - own.sum * own.mean().unwrap_or(0.0);
            let off = mean - guess;
            scores.trials += trials;
            scores.sum += trials * guess + n * off / e;
            scores.variance += (within.max(0.0) + n * off * off) / (e * e);
            seen += n;
            seen_sum += n * mean;
        }
        scores
    }
}

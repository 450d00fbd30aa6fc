//! How long until the leading arm could be shipped, if it stays as far ahead as it is.

use super::{ArmEvidence, Look, Versus};
use crate::experiment::Millis;
use crate::spec::model::DecisionPreset;

const DAY_MS: f64 = 24.0 * 60.0 * 60.0 * 1_000.0;

/// A year: further away is not in sight, and the estimate is worth nothing.
const IN_SIGHT: f64 = 365.0;

/// Days until the end of the cycle in which the leading treatment would have enough evidence; `None` if it does not
/// lead, if nothing arrives, or if it takes more than a year.
///
/// Evidence grows with the outcomes: at `z` standard errors now, `(needed / z)²` times as many are needed.
pub(super) fn days_left(look: &Look) -> Option<f64> {
    let evidence = look.evidence;
    let (arm, versus) = evidence.leading_treatment()?;
    let control = evidence.control()?;
    let now = evidence.resolved() as f64;
    if evidence.resolved_per_day <= 0.0 || now <= 0.0 {
        return None;
    }
    let times = if look.rules.preset == DecisionPreset::Strict {
        times_for_sequence(versus)?
    } else {
        times_for_posterior(arm, control, look.rules.p_ship.enter)?
    };
    let fewest = arm.resolved.min(control.resolved) as f64;
    let for_samples = now * look.rules.min_samples as f64 / fewest.max(1.0);
    let more = (now * times).max(for_samples) - now;
    let days = (more / evidence.resolved_per_day).max(0.0);
    let days = until_cycle_ends(look, days);
    (days <= IN_SIGHT).then_some(days)
}

/// The half-width of a confidence sequence shrinks about as the root of the outcomes.
fn times_for_sequence(versus: &Versus) -> Option<f64> {
    let lift = versus.lift?;
    (lift.estimate > 0.0).then(|| ((lift.estimate - lift.low) / lift.estimate).powi(2))
}

fn times_for_posterior(arm: &ArmEvidence, control: &ArmEvidence, p: f64) -> Option<f64> {
    let ahead = arm.mean - control.mean;
    let error = arm.sd.hypot(control.sd);
    (ahead > 0.0).then(|| (normal_quantile(p) * error / ahead).powi(2))
}

/// The end of the first whole cycle that is at least `days` away.
fn until_cycle_ends(look: &Look, days: f64) -> f64 {
    let matured = look.evidence.matured_for.0 as f64 / DAY_MS;
    let least = look.rules.min_runtime.0 as f64 / DAY_MS;
    let then = (matured + days).max(least);
    if look.rules.cycle == Millis(0) {
        return then - matured;
    }
    let cycle = look.rules.cycle.0 as f64 / DAY_MS;
    // The end that has just been looked at was not enough.
    let next = (matured / cycle).floor() + 1.0;
    (then / cycle).ceil().max(next) * cycle - matured
}

/// The standard normal quantile of `p` in `0.5..1`, within 4.5e-4 (Abramowitz and Stegun 26.2.23): days are rounded
/// more coarsely than that.
fn normal_quantile(p: f64) -> f64 {
    let t = (-2.0 * (1.0 - p).ln()).sqrt();
    let above = 2.515_517 + t * (0.802_853 + t * 0.010_328);
    let below = 1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308));
    t - above / below
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (p, z) in [(0.95, 1.644_854), (0.99, 2.326_348), (0.999, 3.090_232)] {
            let got = normal_quantile(p);
            assert!((got - z).abs() < 4.5e-4, "{p}: {got} for {z}");
        }
    }
}

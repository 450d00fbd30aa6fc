//! The mass of one arm above a point, with its relative accuracy however small it is.

use super::density::{Curve, Density};
use super::gauss::RULE;
use super::panels::{Panel, panels_above};

/// `ln P(t' > t)`. It is computed from the side of the mode on which `t` is, as a part of the density at `t`, so that
/// nothing underflows.
pub(crate) fn ln_above<D: Density>(arm: &D, t: f64) -> f64 {
    if t.is_nan() {
        return f64::NAN;
    }
    if t < arm.mode() {
        return (-ln_beyond(&arm.mirrored(), -t).exp()).ln_1p();
    }
    ln_beyond(arm, t)
}

/// The density at `t`; 0 at the ends of the axis.
pub(crate) fn density_at<C: Curve>(arm: &C, t: f64) -> f64 {
    if t.is_finite() { arm.at(t) } else { 0.0 }
}

/// `ln (P(t' > t) / f(t))`, the logarithm of the Mills ratio. Both may be far below what a float can hold.
pub(crate) fn ln_mills<D: Density>(arm: &D, t: f64) -> f64 {
    if t < arm.mode() {
        return ln_above(arm, t) - arm.ln_at(t);
    }
    let unit = arm.ln_at(t);
    let panels = panels_above(arm, t);
    let parts = panels.iter().map(|panel| part_of(arm, *panel, unit));
    parts.sum::<f64>().ln()
}

/// [`ln_above`] for a `t` that is not left of the mode.
fn ln_beyond<D: Density>(arm: &D, t: f64) -> f64 {
    // at the end of the axis, or so far out that the logarithm of the density overflows
    if !t.is_finite() || !arm.ln_at(t).is_finite() {
        return f64::NEG_INFINITY;
    }
    arm.ln_at(t) + ln_mills(arm, t)
}

/// The panel's mass, divided by a density whose logarithm is `unit`.
fn part_of<C: Curve>(arm: &C, panel: Panel, unit: f64) -> f64 {
    let (middle, half) = (panel.middle(), panel.half_width());
    let sum: f64 = RULE
        .nodes
        .iter()
        .zip(&RULE.weights)
        .map(|(node, weight)| weight * (arm.ln_at(middle + half * node) - unit).exp())
        .sum();
    half * sum
}

//! The mass of one arm above a point, with its relative accuracy however small it is.

use super::density::Density;
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
pub(crate) fn density_at<D: Density>(arm: &D, t: f64) -> f64 {
    if t.is_finite() { arm.at(t) } else { 0.0 }
}

/// The same for a `t` that is not left of the mode.
fn ln_beyond<D: Density>(arm: &D, t: f64) -> f64 {
    if t == f64::INFINITY {
        return f64::NEG_INFINITY;
    }
    let here = arm.ln_at(t);
    if here == f64::NEG_INFINITY {
        return here;
    }
    let panels = panels_above(arm, t);
    let parts: f64 = panels.iter().map(|panel| part_of(arm, *panel, here)).sum();
    here + parts.ln()
}

/// The panel's mass, divided by a density whose logarithm is `unit`.
fn part_of<D: Density>(arm: &D, panel: Panel, unit: f64) -> f64 {
    let (middle, half) = (panel.middle(), panel.half_width());
    let sum: f64 = RULE
        .nodes
        .iter()
        .zip(&RULE.weights)
        .map(|(node, weight)| weight * (arm.ln_at(middle + half * node) - unit).exp())
        .sum();
    half * sum
}

//! Quantiles of one arm, with the panels that the integrals use.

use super::density::Curve;
use super::gauss::RULE;
use super::panels::{Panel, own_panels};

/// Newton doubles the right digits and bisection adds one bit: even without a single Newton step, a panel is cut
/// to the last bit by then.
const MOST_STEPS: usize = 60;

/// The `t` below which `arm` has this `mass`, in `0..1`. Masses above one half lose relative accuracy in the upper
/// tail: mirror the arm and ask for the rest.
pub(crate) fn lower_tail_point<C: Curve>(arm: &C, mass: f64) -> f64 {
    let mut before = 0.0;
    let panels = own_panels(arm);
    for panel in &panels {
        let here = mass_of(arm, *panel);
        if before + here >= mass {
            return point_in(arm, *panel, mass - before);
        }
        before += here;
    }
    panels.last().map_or(f64::NAN, |last| last.to)
}

/// The point of the panel up to which it holds `mass`: Newton's method, or bisection where that would leave the
/// bracket.
fn point_in<C: Curve>(arm: &C, panel: Panel, mass: f64) -> f64 {
    let Panel { mut from, mut to } = panel;
    let mut t = panel.middle();
    for _ in 0..MOST_STEPS {
        let over = mass_of(
            arm,
            Panel {
                from: panel.from,
                to: t,
            },
        ) - mass;
        if over > 0.0 {
            to = t;
        } else {
            from = t;
        }
        let newton = t - over / arm.at(t);
        let next = if newton > from && newton < to {
            newton
        } else {
            f64::midpoint(from, to)
        };
        if (next - t).abs() <= 1e-15 * t.abs().max(arm.scale_near(t)) {
            return next;
        }
        t = next;
    }
    t
}

fn mass_of<C: Curve>(arm: &C, panel: Panel) -> f64 {
    let (middle, half) = (panel.middle(), panel.half_width());
    let sum: f64 = RULE
        .nodes
        .iter()
        .zip(&RULE.weights)
        .map(|(node, weight)| weight * arm.at(middle + half * node))
        .sum();
    half * sum
}

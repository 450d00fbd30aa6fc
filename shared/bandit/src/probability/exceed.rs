//! The probability that one arm is exceeded by some other, where the arms may be shifted or scaled.

use super::density::Curve;
use super::gauss::{NODES, RULE, Samples};
use super::panels::{Panel, halved, panels_in};
use super::{QuadratureError, worse};

/// How far the integral may move when all panels are cut in two. Seen are 1e-14.
const TOLERANCE: f64 = 1e-12;

/// `∫ f (1 - Π F_j) dt`: the probability that some of `others` exceeds `base` (STATS 2.5).
///
/// The right ends of `others` must be on the axis; what of `base` is not on it cannot be exceeded, or is exceeded by
/// nothing. All terms are positive, so that small probabilities keep their relative accuracy. It is computed twice,
/// the second time with twice the panels, and there is no answer where the two differ.
pub(super) fn some_above<C: Curve>(base: C, others: &[C]) -> Result<f64, QuadratureError> {
    let arms: Vec<C> = [base].into_iter().chain(others.iter().copied()).collect();
    let Some(panels) = panels_of(&arms) else {
        return Ok(0.0);
    };
    let finer = halved(&panels);
    let first = integral(&arms, &panels);
    let second = integral(&arms, &finer);
    if (first - second).abs() <= TOLERANCE {
        return Ok(second.min(1.0));
    }
    let third = integral(&arms, &halved(&finer));
    let off = (second - third).abs();
    if off <= TOLERANCE {
        return Ok(third.min(1.0));
    }
    Err(QuadratureError::NotConverged(worse(off, 0.0)))
}

/// From the left end of the base, below which it has no mass, to the greatest right end of the others, above which
/// nothing exceeds it. `None` where that is nothing.
fn panels_of<C: Curve>(arms: &[C]) -> Option<Vec<Panel>> {
    let points: Vec<Vec<f64>> = arms.iter().map(C::breakpoints).collect();
    let reaches: Vec<Panel> = points
        .iter()
        .map(|points| Panel::new(points[0], points[points.len() - 1]))
        .collect();
    let end = reaches[1..]
        .iter()
        .map(|it| it.to)
        .fold(f64::NEG_INFINITY, f64::max);
    // where the base begins right of the others' right ends it is below them with a probability of 1e-17
    let window = Panel::new(reaches[0].from, end);
    (window.from < window.to).then(|| panels_in(window, arms, &points, &reaches))
}

/// Panel by panel from the right, so that the others' tails are sums from their own ends.
fn integral<C: Curve>(arms: &[C], panels: &[Panel]) -> f64 {
    let mut above = vec![0.0; arms.len() - 1];
    let mut sum = 0.0;
    for panel in panels.iter().rev() {
        let (middle, half) = (panel.middle(), panel.half_width());
        let density = |arm: &C| RULE.nodes.map(|node| arm.at(middle + half * node));
        let mut ln_none_above = [0.0; NODES];
        for (arm, above) in arms[1..].iter().zip(&mut above) {
            let density = density(arm);
            let mass = half * dot(&density, &RULE.weights);
            for (ln_none_above, up_to) in ln_none_above.iter_mut().zip(&RULE.up_to) {
                let tail = *above + (mass - half * dot(up_to, &density)).max(0.0);
                *ln_none_above += (-tail.min(1.0)).ln_1p();
            }
            *above += mass;
        }
        let base = density(&arms[0]);
        for node in 0..NODES {
            sum += half * RULE.weights[node] * base[node] * -ln_none_above[node].exp_m1();
        }
    }
    sum
}

fn dot(a: &Samples, b: &Samples) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

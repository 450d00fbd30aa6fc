//! The Beta density on the logit scale, in the saddle-point form that never subtracts large numbers (STATS 2.3).

use super::density::{Curve, Density, LEVELS, LeftOut};
use super::panels::{FAR, Panel};

/// Greatest parameter that is taken. From 1e12 the rounding of a peak's position begins to fail the checks of the
/// integrals; beyond this it is as wide as the peak.
const GREATEST: f64 = 1e18;

/// Least parameter that is taken: from 1e-6 down the left tail grows too long for the checks of the integrals.
const LEAST: f64 = 1e-9;

/// 20 are enough near the mode. Far out the distance to the next end is a small part of the first guess.
const MOST_HALVINGS: usize = 60;

/// `x^alpha (1-x)^beta / B(alpha, beta)` at `x = logistic(t)`: the density of `t` where `x` is Beta distributed.
///
/// It is smooth, log-concave and unimodal for all parameters, also below 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct LogitBeta {
    /// alpha + beta
    count: f64,
    /// alpha / (alpha + beta)
    p: f64,
    /// beta / (alpha + beta)
    q: f64,
    /// Where the density is greatest: ln(alpha / beta).
    mode: f64,
    /// The width of the peak: sqrt((alpha + beta) / (alpha beta)).
    scale: f64,
    ln_peak: f64,
}

/// A side of the mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

impl LogitBeta {
    /// `None` where a parameter is not finite and above 0, within the range of this arithmetic.
    pub(crate) fn new(alpha: f64, beta: f64) -> Option<Self> {
        let usable = |value: f64| (LEAST..=GREATEST).contains(&value);
        if !usable(alpha) || !usable(beta) {
            return None;
        }
        let count = alpha + beta;
        let ln_peak = 0.5 * (alpha / count * beta / std::f64::consts::TAU).ln()
            + stirling_rest(count)
            - stirling_rest(alpha)
            - stirling_rest(beta);
        Some(Self {
            count,
            p: alpha / count,
            q: beta / count,
            mode: (alpha / beta).ln(),
            scale: (count / (alpha * beta)).sqrt(),
            ln_peak,
        })
    }

    /// How far the log density at `mode + u` is below its peak: `(alpha + beta) KL(p || x)`, at least 0.
    fn drop(&self, u: f64) -> f64 {
        self.count * divergence(self.p, self.q, u)
    }

    /// Where, on this side of `mode + from`, the log density is `level` further below its peak: to 1e-6 of the
    /// distance, which is plenty for the end of a panel. `from` is 0 or on that side.
    fn falls_by(&self, level: f64, from: f64, side: Side) -> f64 {
        let sign = match side {
            Side::Left => -1.0,
            Side::Right => 1.0,
        };
        let start = self.drop(from);
        let falls = |step: f64| self.drop(from + sign * step) - start;
        let mut far = self.scale * (2.0 * level).sqrt();
        while falls(far) < level {
            far *= 1.6;
        }
        let mut near = 0.0;
        for _ in 0..MOST_HALVINGS {
            let middle = f64::midpoint(near, far);
            if falls(middle) < level {
                near = middle;
            } else {
                far = middle;
            }
            if far - near < 1e-6 * far {
                break;
            }
        }
        self.mode + from + sign * far
    }
}

impl Curve for LogitBeta {
    fn ln_at(&self, t: f64) -> f64 {
        self.ln_peak - self.drop(t - self.mode)
    }

    fn scale_near(&self, _: f64) -> f64 {
        self.scale
    }

    /// The mode and the points where the log density has fallen by each level.
    fn breakpoints(&self) -> Vec<f64> {
        let to = |side| move |&level: &f64| self.falls_by(level, 0.0, side);
        let left = LEVELS.iter().rev().map(to(Side::Left));
        let right = LEVELS.iter().map(to(Side::Right));
        left.chain([self.mode]).chain(right).collect()
    }

    /// The density bends out to where `beta e^t` is 1e-17.
    fn bend(&self) -> f64 {
        FAR + self.count.max(1.0).ln()
    }
}

impl Density for LogitBeta {
    fn mode(&self) -> f64 {
        self.mode
    }

    fn edges_above(&self, t: f64) -> Vec<f64> {
        let from = t - self.mode;
        let right = LEVELS
            .iter()
            .map(|&it| self.falls_by(it, from, Side::Right));
        [t].into_iter().chain(right).collect()
    }

    fn mirrored(&self) -> Self {
        Self {
            p: self.q,
            q: self.p,
            mode: -self.mode,
            ..*self
        }
    }

    fn mean(&self) -> f64 {
        self.p
    }

    /// `x (1 - x)`, without overflow or cancellation on either side.
    fn slope(t: f64) -> f64 {
        let small = (-t.abs()).exp();
        small / ((1.0 + small) * (1.0 + small))
    }

    /// Written so that nothing cancels.
    fn distance_below(start: f64, t: f64) -> f64 {
        logistic(start) * -(t - start).exp_m1() / (1.0 + t.exp())
    }

    /// From the greatest of the left ends to the greatest of the right ends: below it the arm with that left end
    /// has no mass, and every product of CDFs is 0.
    fn window(reaches: &[Panel]) -> (Panel, Vec<f64>) {
        let start = reaches.iter().map(|it| it.from).fold(f64::MIN, f64::max);
        let end = reaches.iter().map(|it| it.to).fold(f64::MIN, f64::max);
        let ends = reaches.iter().map(|it| it.to).collect();
        (Panel::new(start, end), ends)
    }

    /// Nothing: rewards are bounded.
    fn left_out_above(&self, _: f64) -> LeftOut {
        LeftOut::default()
    }
}

/// `1 / (1 + e^-t)`
pub(crate) fn logistic(t: f64) -> f64 {
    1.0 / (1.0 + (-t).exp())
}

/// `KL(p || x)` for `x = logistic(logit(p) + u)`, that is `ln(1 + p (e^u - 1)) - p u`, with `q = 1 - p`.
fn divergence(p: f64, q: f64, u: f64) -> f64 {
    // Below 0.03 the closed form cancels; the series' next term is 1e-15 of the first there.
    if u.abs() < 0.03 {
        return divergence_near_zero(p, q, u);
    }
    if p <= q {
        // e^600 is near the end of the range; beyond it the logarithm is a straight line
        if u < 600.0 {
            (p * u.exp_m1()).ln_1p() - p * u
        } else {
            u + p.ln() - p * u
        }
    } else if u > -600.0 {
        (q * (-u).exp_m1()).ln_1p() + q * u
    } else {
        -u + q.ln() + q * u
    }
}

/// The same as a series in the cumulants of a Bernoulli variable, up to the eighth.
fn divergence_near_zero(p: f64, q: f64, u: f64) -> f64 {
    let v = p * q;
    let d = q - p;
    let k3 = d;
    let k4 = 1.0 - 6.0 * v;
    let k5 = d * (1.0 - 12.0 * v);
    let k6 = 1.0 - v * (30.0 - 120.0 * v);
    let k7 = d * (1.0 - v * (60.0 - 360.0 * v));
    let k8 = 1.0 - v * (126.0 - v * (1680.0 - 5040.0 * v));
    let tail = k5 / 120.0 + u * (k6 / 720.0 + u * (k7 / 5040.0 + u * k8 / 40320.0));
    v * u * u * (0.5 + u * (k3 / 6.0 + u * (k4 / 24.0 + u * tail)))
}

/// `ln Γ(z) - (z - 1/2) ln z + z - ln(2π)/2`: what Stirling's formula leaves over; absolute error below 1e-15.
pub(crate) fn stirling_rest(z: f64) -> f64 {
    let mut z = z;
    let mut rest = 0.0;
    while z < 10.0 {
        rest += (z + 0.5) * (1.0 / z).ln_1p() - 1.0;
        z += 1.0;
    }
    let r = 1.0 / (z * z);
    let series = 1.0 / 12.0
        - r * (1.0 / 360.0
            - r * (1.0 / 1260.0
                - r * (1.0 / 1680.0 - r * (1.0 / 1188.0 - r * (691.0 / 360_360.0)))));
    rest + series / z
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_closed_forms() {
        // Beta(1,1): x is uniform, so the density of t is x(1-x)
        let flat = LogitBeta::new(1.0, 1.0).unwrap();
        // Beta(2,3): 12 x (1-x)^2
        let skew = LogitBeta::new(2.0, 3.0).unwrap();
        for t in [-30.0, -2.0, -0.02, 0.0, 0.01, 1.0, 5.0, 30.0_f64] {
            let x = 1.0 / (1.0 + (-t).exp());
            let y = 1.0 / (1.0 + t.exp());
            for (got, want) in [(flat.at(t), x * y), (skew.at(t), 12.0 * x * x * y * y * y)] {
                assert!((got / want - 1.0).abs() < 1e-13, "{got} is not {want}");
            }
        }
    }

    #[test]
    fn the_two_forms_of_the_divergence_meet() {
        for p in [0.5, 0.1, 1e-3, 1e-6, 0.9, 1.0 - 1e-6_f64] {
            let q = 1.0 - p;
            for u in [0.03, -0.03] {
                let series = divergence_near_zero(p, q, u);
                let closed = divergence(p, q, u);
                assert!((series / closed - 1.0).abs() < 1e-11, "{p} {u}");
            }
        }
    }

    #[test]
    fn falls_by_finds_both_sides() {
        for (alpha, beta) in [(0.5, 0.5), (1.0, 1e7), (45.0, 955.0), (1e-3, 5.0)] {
            let density = LogitBeta::new(alpha, beta).unwrap();
            for side in [Side::Left, Side::Right] {
                let t = density.falls_by(42.0, 0.0, side);
                let fall = (density.at(density.mode) / density.at(t)).ln();
                assert!(
                    (fall - 42.0).abs() < 0.01,
                    "{alpha} {beta} {side:?}: {fall}"
                );
            }
        }
    }
}

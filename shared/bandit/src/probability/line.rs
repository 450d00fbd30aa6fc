//! Normal and Student-t densities on the axis of the rewards themselves (STATS 2.4).

use std::f64::consts::TAU;

use super::density::{Curve, Density, LEFT_OUT, LEVELS, LeftOut};
use super::logit_beta::stirling_rest;
use super::panels::Panel;

/// The panels of a Student-t density grow by this factor where it has become a power law: its nearest singularities
/// are at `±i sqrt(df)` scales, so that 16 nodes are exact to the last bit.
const GROWTH: f64 = 1.5;

/// Panels of half a scale up to here, in scales.
const CORE: f64 = 6.0;

/// A panel may hold a fall of the log density by this much where it falls like an exponential.
const STEEPEST: f64 = 6.0;

/// Far more than any tail takes: with 1 degree of freedom they are 92.
const MOST_PANELS: usize = 1000;

/// A normal or Student-t density.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Line {
    center: f64,
    scale: f64,
    shape: Shape,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Shape {
    Normal,
    StudentT {
        df: f64,
        /// The logarithm of the standard density at 0.
        ln_peak: f64,
    },
}

impl Line {
    /// Mean 0 and standard deviation 1.
    pub(crate) fn standard_normal() -> Self {
        Self {
            center: 0.0,
            scale: 1.0,
            shape: Shape::Normal,
        }
    }

    /// Around 0 with scale 1; `df` is finite and at least 1.
    ///
    /// The ratio of Gamma functions is taken in the form that never subtracts large numbers, so that there is no
    /// number of degrees of freedom from which a normal density is as good.
    pub(crate) fn standard_t(df: f64) -> Self {
        let half = df / 2.0;
        let ln_ratio =
            half * (0.5 / half).ln_1p() - 0.5 + stirling_rest(half + 0.5) - stirling_rest(half);
        Self {
            center: 0.0,
            scale: 1.0,
            shape: Shape::StudentT {
                df,
                ln_peak: ln_ratio - 0.5 * TAU.ln(),
            },
        }
    }

    /// The same shape elsewhere and of another width.
    pub(super) fn moved(self, center: f64, scale: f64) -> Self {
        Self {
            center,
            scale,
            ..self
        }
    }

    /// The logarithm of the standard density.
    fn ln_standard(&self, z: f64) -> f64 {
        match self.shape {
            Shape::Normal => -0.5 * (z * z + TAU.ln()),
            Shape::StudentT { df, ln_peak } => ln_peak - (df / 2.0 + 0.5) * (z * z / df).ln_1p(),
        }
    }

    /// The ends of panels from `z`, which is at least 0, upwards, in scales.
    fn standard_edges(&self, z: f64) -> Vec<f64> {
        match self.shape {
            Shape::Normal => {
                let beyond = |level: &f64| (z * z + 2.0 * level).sqrt();
                [z].into_iter().chain(LEVELS.iter().map(beyond)).collect()
            }
            Shape::StudentT { df, .. } => self.t_edges(df, z),
        }
    }

    fn t_edges(&self, df: f64, z: f64) -> Vec<f64> {
        // P(T > z) <= f(z) (df + z²) / (df z): the derivative of the right side is -f(z) (1 + 1/z²)
        let ln_tail = |z: f64| self.ln_standard(z) + (z / df + 1.0 / z).ln();
        let whole = if z > 1.0 { ln_tail(z) } else { 0.0 };
        let enough = whole + LEFT_OUT.ln();
        let mut edges = vec![z];
        let mut at = z;
        while edges.len() < MOST_PANELS && (at < 1.0 || ln_tail(at) > enough) {
            let fall = (df + 1.0) * at / (df + at * at);
            let smooth = if at < CORE { 0.5 } else { (GROWTH - 1.0) * at };
            at += smooth.min(STEEPEST / fall);
            edges.push(at);
        }
        edges
    }
}

impl Curve for Line {
    fn ln_at(&self, t: f64) -> f64 {
        self.ln_standard((t - self.center) / self.scale) - self.scale.ln()
    }

    fn scale_near(&self, t: f64) -> f64 {
        match self.shape {
            Shape::Normal => self.scale,
            Shape::StudentT { .. } => self.scale.max((t - self.center).abs() / 3.0),
        }
    }

    fn breakpoints(&self) -> Vec<f64> {
        let right = self.standard_edges(0.0);
        let left = right.iter().skip(1).rev().map(|z| -z);
        left.chain(right.iter().copied())
            .map(|z| self.center + self.scale * z)
            .collect()
    }

    fn bend(&self) -> f64 {
        0.0
    }
}

impl Density for Line {
    fn mode(&self) -> f64 {
        self.center
    }

    fn edges_above(&self, t: f64) -> Vec<f64> {
        let z = (t - self.center) / self.scale;
        let edges = self.standard_edges(z);
        edges.iter().map(|z| self.center + self.scale * z).collect()
    }

    fn mirrored(&self) -> Self {
        Self {
            center: -self.center,
            ..*self
        }
    }

    fn mean(&self) -> f64 {
        self.center
    }

    fn slope(_: f64) -> f64 {
        1.0
    }

    fn distance_below(start: f64, t: f64) -> f64 {
        start - t
    }

    /// Everything: a tail's mass may be nothing where its part of the expected loss is not.
    fn window(reaches: &[Panel]) -> (Panel, Vec<f64>) {
        let start = reaches.iter().map(|it| it.from).fold(f64::MAX, f64::min);
        let end = reaches.iter().map(|it| it.to).fold(f64::MIN, f64::max);
        (Panel::new(start, end), vec![end; reaches.len()])
    }

    /// A Student-t density is a power law out there; of a normal one there is nothing.
    fn left_out_above(&self, end: f64) -> LeftOut {
        let Shape::StudentT { df, .. } = self.shape else {
            return LeftOut::default();
        };
        let z = (end - self.center) / self.scale;
        // P(T > z) = f(z) (df + z²) / (df z) but for a part 1/z², and E[T; T > z] = f(z) (df + z²) / (df - 1)
        let part = self.ln_standard(z).exp() * (df + z * z);
        LeftOut {
            mass: part / (df * z),
            distance: self.scale * part / ((df - 1.0) * df),
        }
    }
}

//! Where to integrate: panels that are fine where an arm's density is narrow, and nowhere else.

use super::density::{Curve, Density};

/// Breakpoints closer than this part of the narrowest scale around add panels and no accuracy.
const CLOSEST: f64 = 0.35;

/// The densities' nearest singularities are at `±iπ`, also where the scale is large (parameters below 1). Panels of
/// this width keep the error of the masses at 3e-13 for any counts; with 4 it is 1e-11.
pub(super) const WIDEST: f64 = 3.0;

/// Beyond `±40` `dx/dt` is below 1e-17. A density bends further out by the logarithm of its counts: where
/// `beta e^t` is 1e-17. Beyond that it is an exponential, which the breakpoints follow, and panels may be wide.
pub(super) const FAR: f64 = 40.0;

/// A stretch of the logit scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Panel {
    pub(super) from: f64,
    pub(super) to: f64,
}

impl Panel {
    pub(super) fn new(from: f64, to: f64) -> Self {
        Self { from, to }
    }

    pub(super) fn middle(&self) -> f64 {
        f64::midpoint(self.from, self.to)
    }

    pub(super) fn half_width(&self) -> f64 {
        (self.to - self.from) / 2.0
    }
}

/// All panels of one set of arms.
pub(super) struct Panels {
    /// Over the window in which the maximum can lie.
    pub(super) window: Vec<Panel>,
    /// Per arm, over its part below the window; empty if there is none.
    pub(super) below: Vec<Vec<Panel>>,
    /// Per arm, the point beyond which it has no mass.
    pub(super) ends: Vec<f64>,
}

impl Panels {
    pub(super) fn new<D: Density>(arms: &[D]) -> Self {
        let points: Vec<Vec<f64>> = arms.iter().map(D::breakpoints).collect();
        let reaches: Vec<Panel> = points.iter().map(|points| reach_of(points)).collect();
        let (window, ends) = D::window(&reaches);
        let bend = bend_of(arms);
        let below = points
            .iter()
            .map(|points| between(&edges_below(points, window.from), bend));
        Self {
            below: below.collect(),
            window: panels_in(window, arms, &points, &reaches),
            ends,
        }
    }

    /// The same stretches with twice the panels.
    pub(super) fn halved(&self) -> Self {
        Self {
            window: halved(&self.window),
            below: self.below.iter().map(|panels| halved(panels)).collect(),
            ends: self.ends.clone(),
        }
    }
}

/// The panels of one arm alone, from end to end.
pub(super) fn own_panels<C: Curve>(arm: &C) -> Vec<Panel> {
    between(&arm.breakpoints(), arm.bend())
}

/// The panels of one arm alone, from `t` (not left of its mode) as far as it matters for the mass above `t`.
pub(super) fn panels_above<D: Density>(arm: &D, t: f64) -> Vec<Panel> {
    between(&arm.edges_above(t), arm.bend())
}

fn reach_of(points: &[f64]) -> Panel {
    Panel::new(points[0], points[points.len() - 1])
}

/// An arm's breakpoints below the window, and the start of the window; empty if there are none.
fn edges_below(points: &[f64], start: f64) -> Vec<f64> {
    let mut edges: Vec<f64> = points.iter().copied().filter(|&it| it < start).collect();
    if !edges.is_empty() {
        edges.push(start);
    }
    edges
}

/// The panels of a window, fine enough for all arms with these breakpoints and reaches.
pub(super) fn panels_in<C: Curve>(
    window: Panel,
    arms: &[C],
    points: &[Vec<f64>],
    reaches: &[Panel],
) -> Vec<Panel> {
    between(&window_edges(arms, points, reaches, window), bend_of(arms))
}

/// The panels cut in two.
pub(super) fn halved(panels: &[Panel]) -> Vec<Panel> {
    panels.iter().flat_map(halves_of).collect()
}

fn bend_of<C: Curve>(arms: &[C]) -> f64 {
    arms.iter().map(C::bend).fold(0.0, f64::max)
}

/// All arms' breakpoints inside the window, its ends, and none too close to the one before.
fn window_edges<C: Curve>(
    arms: &[C],
    points: &[Vec<f64>],
    reaches: &[Panel],
    window: Panel,
) -> Vec<f64> {
    let mut inside: Vec<f64> = points
        .iter()
        .flatten()
        .copied()
        .filter(|&point| point > window.from && point < window.to)
        .collect();
    inside.sort_by(f64::total_cmp);
    let mut edges = vec![window.from];
    for point in inside {
        let narrowest = arms
            .iter()
            .zip(reaches)
            .filter(|(_, reach)| (reach.from..=reach.to).contains(&point))
            .map(|(arm, _)| arm.scale_near(point))
            .fold(f64::INFINITY, f64::min);
        if point - edges[edges.len() - 1] > CLOSEST * narrowest {
            edges.push(point);
        }
    }
    edges.push(window.to);
    edges
}

/// The panels between consecutive edges, cut where they are too wide within `±bend`.
fn between(edges: &[f64], bend: f64) -> Vec<Panel> {
    let whole = consecutive(edges);
    whole.iter().flat_map(|panel| cut(*panel, bend)).collect()
}

/// Cuts the part within `±bend` into equal pieces of at most `WIDEST`.
fn cut(panel: Panel, bend: f64) -> Vec<Panel> {
    let from = panel.from.clamp(-bend, bend);
    let to = panel.to.clamp(-bend, bend);
    if panel.to - panel.from <= WIDEST || to <= from {
        return vec![panel];
    }
    let pieces = ((to - from) / WIDEST).ceil() as u32;
    let inner = (0..=pieces).map(|i| from + (to - from) * (f64::from(i) / f64::from(pieces)));
    let mut edges: Vec<f64> = [panel.from]
        .into_iter()
        .chain(inner)
        .chain([panel.to])
        .collect();
    edges.dedup();
    consecutive(&edges)
}

fn consecutive(edges: &[f64]) -> Vec<Panel> {
    let pairs = edges.windows(2);
    pairs.map(|pair| Panel::new(pair[0], pair[1])).collect()
}

fn halves_of(panel: &Panel) -> [Panel; 2] {
    let middle = panel.middle();
    [Panel::new(panel.from, middle), Panel::new(middle, panel.to)]
}

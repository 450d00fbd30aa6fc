//! Where to integrate: panels that are fine where an arm's density is narrow, and nowhere else.

use super::density::{LogitBeta, Side};

/// How far below its peak an arm's log density is at the ends of its panels: about 1.5, 3, 4.5, 6.5 and 9.2 standard
/// deviations for a normal density. Beyond the last there is a mass below 1e-17.
const LEVELS: [f64; 5] = [1.125, 4.5, 10.125, 21.125, 42.0];

/// Breakpoints closer than this part of the narrowest scale around add panels and no accuracy.
const CLOSEST: f64 = 0.35;

/// The densities' nearest singularities are at `±iπ`, also where the scale is large (parameters below 1); panels of
/// this width keep them outside an ellipse on which 16 nodes are good to 1e-17.
const WIDEST: f64 = 4.0;

/// Beyond `±40` the densities are exponentials and `dx/dt` is below 1e-17: no limit to the width is needed there.
const CURVED: f64 = 40.0;

/// A stretch of the logit scale.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Panel {
    pub(super) from: f64,
    pub(super) to: f64,
}

impl Panel {
    pub(super) fn middle(&self) -> f64 {
        f64::midpoint(self.from, self.to)
    }

    pub(super) fn half_width(&self) -> f64 {
        (self.to - self.from) / 2.0
    }
}

/// All panels of one set of arms.
pub(super) struct Panels {
    /// Over the window in which the maximum can lie: from the greatest of the arms' left ends to the greatest of
    /// their right ends. Below it the arm with that left end has no mass, and every product of CDFs is 0.
    pub(super) window: Vec<Panel>,
    /// Per arm, over its part below the window; empty if there is none.
    pub(super) below: Vec<Vec<Panel>>,
    /// Per arm, the point beyond which it has no mass.
    pub(super) ends: Vec<f64>,
}

impl Panels {
    pub(super) fn new(arms: &[LogitBeta]) -> Self {
        let points: Vec<Vec<f64>> = arms.iter().map(breakpoints).collect();
        let reach: Vec<Panel> = points.iter().map(|points| reach_of(points)).collect();
        let start = reach.iter().map(|it| it.from).fold(f64::MIN, f64::max);
        let end = reach.iter().map(|it| it.to).fold(f64::MIN, f64::max);
        let below = points.iter().map(|points| {
            let kept = points.iter().copied().filter(|&point| point < start);
            let mut edges: Vec<f64> = kept.collect();
            if !edges.is_empty() {
                edges.push(start);
            }
            between(&edges)
        });
        Self {
            window: between(&window_edges(
                arms,
                &points,
                &reach,
                Panel {
                    from: start,
                    to: end,
                },
            )),
            below: below.collect(),
            ends: reach.iter().map(|it| it.to).collect(),
        }
    }

    /// The same stretches with twice the panels.
    pub(super) fn halved(&self) -> Self {
        let halves = |panels: &Vec<Panel>| panels.iter().flat_map(halves_of).collect();
        Self {
            window: halves(&self.window),
            below: self.below.iter().map(halves).collect(),
            ends: self.ends.clone(),
        }
    }
}

/// The panels of one arm alone, from end to end.
pub(super) fn own_panels(arm: &LogitBeta) -> Vec<Panel> {
    between(&breakpoints(arm))
}

/// The mode and the points where the log density has fallen by each level, ascending.
fn breakpoints(arm: &LogitBeta) -> Vec<f64> {
    let left = LEVELS.iter().rev().map(|&it| arm.falls_by(it, Side::Left));
    let right = LEVELS.iter().map(|&it| arm.falls_by(it, Side::Right));
    left.chain([arm.mode]).chain(right).collect()
}

fn reach_of(points: &[f64]) -> Panel {
    Panel {
        from: points[0],
        to: points[points.len() - 1],
    }
}

/// All arms' breakpoints inside the window, its ends, and none too close to the one before.
fn window_edges(
    arms: &[LogitBeta],
    points: &[Vec<f64>],
    reach: &[Panel],
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
            .zip(reach)
            .filter(|(_, reach)| (reach.from..=reach.to).contains(&point))
            .map(|(arm, _)| arm.scale)
            .fold(f64::INFINITY, f64::min);
        if point - edges[edges.len() - 1] > CLOSEST * narrowest {
            edges.push(point);
        }
    }
    edges.push(window.to);
    edges
}

/// The panels between consecutive edges, cut where they are too wide.
fn between(edges: &[f64]) -> Vec<Panel> {
    edges
        .windows(2)
        .flat_map(|pair| {
            cut(Panel {
                from: pair[0],
                to: pair[1],
            })
        })
        .collect()
}

/// Cuts the part within `±CURVED` into equal pieces of at most `WIDEST`.
fn cut(panel: Panel) -> Vec<Panel> {
    let from = panel.from.clamp(-CURVED, CURVED);
    let to = panel.to.clamp(-CURVED, CURVED);
    if panel.to - panel.from <= WIDEST || to - from <= 0.0 {
        return vec![panel];
    }
    let pieces = ((to - from) / WIDEST).ceil();
    let inner = (0..=pieces as u32).map(|i| from + (to - from) * (f64::from(i) / pieces));
    let mut edges: Vec<f64> = [panel.from]
        .into_iter()
        .chain(inner)
        .chain([panel.to])
        .collect();
    edges.dedup();
    edges
        .windows(2)
        .map(|pair| Panel {
            from: pair[0],
            to: pair[1],
        })
        .collect()
}

fn halves_of(panel: &Panel) -> [Panel; 2] {
    let middle = panel.middle();
    [
        Panel {
            from: panel.from,
            to: middle,
        },
        Panel {
            from: middle,
            to: panel.to,
        },
    ]
}

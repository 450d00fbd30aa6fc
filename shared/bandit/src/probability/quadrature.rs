//! The integrals themselves: densities at the nodes, CDFs by spectral integration of them, and sums of products.

use super::density::{Curve, Density};
use super::gauss::{NODES, RULE, Samples};
use super::panels::{Panel, Panels};

/// What comes out, per arm; not yet checked.
pub(super) struct Integrals {
    pub(super) p_best: Vec<f64>,
    pub(super) expected_loss: Vec<f64>,
    /// The whole mass of the arm's density: 1 if all went well.
    pub(super) mass: Vec<f64>,
}

/// An arm's density at the nodes of one panel, and the mass around it.
#[derive(Clone)]
struct Cell {
    density: Samples,
    /// In the panel.
    mass: f64,
    /// Right of the panel, summed from the right end so that it keeps its relative accuracy there.
    right: f64,
}

/// An arm's CDF and survival function at the nodes of one panel, each computed from its own side of the mode.
#[derive(Clone)]
struct Tails {
    below: Samples,
    above: Samples,
}

/// Integrates over the window panel by panel, and adds what lies below it.
pub(super) fn integrate<D: Density>(arms: &[D], panels: &Panels) -> Integrals {
    let cells = sample(arms, panels);
    let (mut left, mut expected_loss) = below_window(arms, panels);
    let mass = (0..arms.len())
        .map(|arm| {
            left[arm]
                + cells
                    .first()
                    .map_or(0.0, |row| row[arm].mass + row[arm].right)
        })
        .collect();
    let mut p_best = vec![0.0; arms.len()];
    let mut tails = vec![
        Tails {
            below: [0.0; NODES],
            above: [0.0; NODES]
        };
        arms.len()
    ];
    let mut products = Products::new(arms.len());
    for (panel, row) in panels.window.iter().zip(&cells) {
        for (i, arm) in arms.iter().enumerate() {
            tails[i] = tails_of(arm, *panel, &row[i], left[i], panels.ends[i]);
            left[i] += row[i].mass;
        }
        for node in 0..NODES {
            products.at(&tails, node);
            let t = panel.middle() + panel.half_width() * RULE.nodes[node];
            let dt = panel.half_width() * RULE.weights[node];
            let dx = dt * D::slope(t);
            for i in 0..arms.len() {
                p_best[i] += dt * row[i].density[node] * products.all_others_below(i);
                expected_loss[i] += dx * tails[i].below[node] * products.some_other_above(i);
            }
        }
    }
    add_above_window(arms, panels, &mut expected_loss);
    Integrals {
        p_best,
        expected_loss,
        mass,
    }
}

/// Per panel of the window and per arm.
fn sample<D: Density>(arms: &[D], panels: &Panels) -> Vec<Vec<Cell>> {
    let mut cells: Vec<Vec<Cell>> = panels
        .window
        .iter()
        .map(|panel| {
            arms.iter()
                .zip(&panels.ends)
                .map(|(arm, end)| cell_of(arm, *panel, *end))
                .collect()
        })
        .collect();
    let end = panels.window.last().map_or(0.0, |last| last.to);
    let mut right: Vec<f64> = arms
        .iter()
        .map(|arm| arm.left_out_above(end).mass)
        .collect();
    for row in cells.iter_mut().rev() {
        for (cell, right) in row.iter_mut().zip(&mut right) {
            cell.right = *right;
            *right += cell.mass;
        }
    }
    cells
}

fn cell_of<C: Curve>(arm: &C, panel: Panel, end: f64) -> Cell {
    let mut density = [0.0; NODES];
    if panel.from < end {
        let (middle, half) = (panel.middle(), panel.half_width());
        density = RULE.nodes.map(|node| arm.at(middle + half * node));
    }
    Cell {
        mass: panel.half_width() * dot(&density, &RULE.weights),
        density,
        right: 0.0,
    }
}

/// The mass of each arm below the window, and the loss there: `∫_{x < x_L} F_i dx = E[(x_L - theta_i)^+]`, because
/// below the window some other arm is better for certain.
fn below_window<D: Density>(arms: &[D], panels: &Panels) -> (Vec<f64>, Vec<f64>) {
    let start = panels.window.first().map_or(0.0, |first| first.from);
    let one = |(arm, panels): (&D, &Vec<Panel>)| {
        let left_out = arm.mirrored().left_out_above(-start);
        let (mut mass, mut loss) = (left_out.mass, left_out.distance);
        for panel in panels {
            for (node, weight) in RULE.nodes.iter().zip(&RULE.weights) {
                let t = panel.middle() + panel.half_width() * node;
                let density = panel.half_width() * weight * arm.at(t);
                mass += density;
                loss += density * D::distance_below(start, t);
            }
        }
        (mass, loss)
    };
    arms.iter().zip(&panels.below).map(one).unzip()
}

/// What an arm loses where another one is above the window: `Σ_{j≠i} E[(theta_j - x_R)^+]`, because there every CDF
/// is 1 but for [`super::density::LEFT_OUT`].
fn add_above_window<D: Density>(arms: &[D], panels: &Panels, expected_loss: &mut [f64]) {
    let end = panels.window.last().map_or(0.0, |last| last.to);
    for (j, arm) in arms.iter().enumerate() {
        let loss = arm.left_out_above(end).distance;
        for (i, expected_loss) in expected_loss.iter_mut().enumerate() {
            if i != j {
                *expected_loss += loss;
            }
        }
    }
}

/// Left of the mode the CDF is the sum from the left and the rest is 1 minus it; right of it the other way round.
fn tails_of<D: Density>(arm: &D, panel: Panel, cell: &Cell, left: f64, end: f64) -> Tails {
    if panel.from >= end {
        return Tails {
            below: [1.0; NODES],
            above: [0.0; NODES],
        };
    }
    let (middle, half) = (panel.middle(), panel.half_width());
    let mut tails = Tails {
        below: [0.0; NODES],
        above: [0.0; NODES],
    };
    for (r, row) in RULE.up_to.iter().enumerate() {
        let inside = half * dot(row, &cell.density);
        if middle + half * RULE.nodes[r] < arm.mode() {
            tails.below[r] = (left + inside).max(0.0);
            tails.above[r] = 1.0 - tails.below[r];
        } else {
            tails.above[r] = cell.right + (cell.mass - inside).max(0.0);
            tails.below[r] = 1.0 - tails.above[r];
        }
    }
    tails
}

fn dot(a: &Samples, b: &Samples) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// At one node: for each arm, the product of all other arms' CDFs, from running products from both ends.
struct Products {
    from_left: Vec<f64>,
    from_right: Vec<f64>,
    ln_from_left: Vec<f64>,
    ln_from_right: Vec<f64>,
}

impl Products {
    fn new(arms: usize) -> Self {
        Self {
            from_left: vec![1.0; arms + 1],
            from_right: vec![1.0; arms + 1],
            ln_from_left: vec![0.0; arms + 1],
            ln_from_right: vec![0.0; arms + 1],
        }
    }

    fn at(&mut self, tails: &[Tails], node: usize) {
        for (i, tail) in tails.iter().enumerate() {
            let ln_below = (-tail.above[node]).ln_1p();
            self.from_left[i + 1] = self.from_left[i] * tail.below[node];
            self.ln_from_left[i + 1] = self.ln_from_left[i] + ln_below;
            // kept here until the way back
            self.ln_from_right[i] = ln_below;
        }
        for (i, tail) in tails.iter().enumerate().rev() {
            self.from_right[i] = self.from_right[i + 1] * tail.below[node];
            self.ln_from_right[i] += self.ln_from_right[i + 1];
        }
    }

    /// `Π_{j≠i} F_j`
    fn all_others_below(&self, i: usize) -> f64 {
        self.from_left[i] * self.from_right[i + 1]
    }

    /// `1 - Π_{j≠i} F_j`, by logarithms of `1 - (1 - F_j)`, so that it keeps its relative accuracy near 0.
    fn some_other_above(&self, i: usize) -> f64 {
        -(self.ln_from_left[i] + self.ln_from_right[i + 1]).exp_m1()
    }
}

//! Posterior densities as ridges: one band per arm on a common axis, drawn from the Beta's parameters.
//!
//! A ridge needs no colour and no legend, and survives eight arms. Each is scaled to its own peak: the width
//! shows how much is known, the place shows what.

use protocol::experiments::ArmRow;

use crate::theme::glyphs::Glyphs;
use crate::units::Units;

/// The common axis of all ridges of an experiment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Axis {
    low: f64,
    high: f64,
}

impl Axis {
    /// Four standard deviations around every mean: wide enough for all mass one can see.
    pub(super) fn of(arms: &[&ArmRow]) -> Self {
        let (mut low, mut high) = (1.0f64, 0.0f64);
        for arm in arms {
            let (mean, deviation) = moments(arm.alpha, arm.beta);
            low = low.min(mean - 4.0 * deviation);
            high = high.max(mean + 4.0 * deviation);
        }
        let (low, high) = (low.clamp(0.0, 1.0), high.clamp(0.0, 1.0));
        if high - low < 1e-6 {
            return Self {
                low: (low - 5e-7).max(0.0),
                high: (low + 5e-7).min(1.0),
            };
        }
        Self { low, high }
    }

    /// The value at a fraction of the width.
    fn at(self, fraction: f64) -> f64 {
        self.low + fraction * (self.high - self.low)
    }

    /// Round values with their labels, `width` columns for all; labels do not touch.
    pub(super) fn labels(self, width: usize, units: Units) -> String {
        let (from, to) = (units.number(self.low), units.number(self.high));
        let step = round_step((to - from).abs() / (width as f64 / 9.0).max(2.0));
        let digits = ((-step.log10()).ceil().max(0.0)) as usize;
        let mut line = vec![' '; width];
        let mut free_from = 0;
        // a reward that grows as its value falls has the lesser values on the right
        let onward = if from <= to { 1.0 } else { -1.0 };
        let mut tick = onward * (onward * from / step).ceil();
        while (to - tick * step) * onward >= 0.0 {
            let value = tick * step;
            let label = format!("{value:.digits$}{}", units.sign());
            let place = (value - from) / (to - from) * (width as f64 - 1.0);
            let start = (place.round() as usize).saturating_sub(label.len() / 2);
            if start >= free_from && start + label.len() <= width {
                for (at, c) in label.chars().enumerate() {
                    line[start + at] = c;
                }
                free_from = start + label.len() + 2;
            }
            tick += onward;
        }
        line.into_iter().collect()
    }
}

/// 1, 2 or 5 times a power of ten, not below `least`.
fn round_step(least: f64) -> f64 {
    let power = 10f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|factor| factor * power)
        .find(|step| *step >= least)
        .unwrap_or(10.0 * power)
}

/// Mean and standard deviation of a Beta.
fn moments(alpha: f64, beta: f64) -> (f64, f64) {
    let n = alpha + beta;
    let variance = alpha * beta / (n * n * (n + 1.0));
    (alpha / n, variance.sqrt())
}

/// The density at the middle of `columns` columns, as fractions of its peak among them.
///
/// The logarithm without its constant is enough, so no gamma function is needed.
fn heights(arm: &ArmRow, axis: Axis, columns: usize) -> Vec<f64> {
    let logs: Vec<f64> = (0..columns)
        .map(|column| {
            let x = axis.at((column as f64 + 0.5) / columns as f64);
            (arm.alpha - 1.0) * x.ln() + (arm.beta - 1.0) * (1.0 - x).ln()
        })
        .collect();
    let peak = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    logs.iter().map(|log| (log - peak).exp()).collect()
}

/// A ridge of `width` columns and two lines, the upper one first.
pub(super) fn ridge(arm: &ArmRow, axis: Axis, width: usize, glyphs: &Glyphs) -> [String; 2] {
    if glyphs.braille {
        return braille(arm, axis, width);
    }
    let levels = glyphs.steps.len() - 1;
    let heights = heights(arm, axis, width);
    let line = |below: usize| {
        heights
            .iter()
            .map(|height| {
                let steps = level(*height, 2 * levels);
                glyphs.steps[steps.saturating_sub(below).min(levels)]
            })
            .collect()
    };
    [line(levels), line(0)]
}

/// Steps of `of` that a height fills; what is there at all fills one.
fn level(height: f64, of: usize) -> usize {
    if height < 0.01 {
        return 0;
    }
    ((height * of as f64).round() as usize).clamp(1, of)
}

/// Dots of a braille cell from the bottom up, left and right.
const LEFT: [u32; 4] = [0x40, 0x04, 0x02, 0x01];
const RIGHT: [u32; 4] = [0x80, 0x20, 0x10, 0x08];

fn braille(arm: &ArmRow, axis: Axis, width: usize) -> [String; 2] {
    let heights = heights(arm, axis, 2 * width);
    let line = |below: usize| {
        heights
            .chunks_exact(2)
            .map(|pair| {
                let dots = |height: f64, column: &[u32; 4]| -> u32 {
                    let filled = level(height, 8).saturating_sub(below).min(4);
                    column[..filled].iter().sum()
                };
                let bits = dots(pair[0], &LEFT) + dots(pair[1], &RIGHT);
                match bits {
                    0 => ' ',
                    _ => char::from_u32(0x2800 + bits).unwrap_or(' '),
                }
            })
            .collect()
    };
    [line(4), line(0)]
}

#[cfg(test)]
mod tests {
    use protocol::experiments::RewardScale;

    use super::*;

    #[test]
    fn the_axis_is_written_in_the_units_of_the_reward() {
        let axis = Axis {
            low: 0.05,
            high: 0.95,
        };
        let labels = |scale: Option<(f64, f64)>| {
            let scale = scale.map(|(at_zero, at_one)| RewardScale { at_zero, at_one });
            axis.labels(60, Units::of(scale))
                .split_whitespace()
                .map(str::to_owned)
                .collect::<Vec<String>>()
        };
        assert_eq!(labels(None), ["20%", "40%", "60%", "80%"]);
        assert_eq!(labels(Some((1.0, 5.0))), ["2", "3", "4"]);
        assert_eq!(labels(Some((2000.0, 0.0))), ["1500", "1000", "500"]);
    }
}

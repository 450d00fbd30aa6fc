//! What the integrals need to know of a posterior's density, whatever its family.

use super::panels::Panel;

/// How far below its peak a log-concave log density is at the ends of its panels: about 1.5, 3, 4.5, 6.5 and 9.2
/// standard deviations for a normal density. Beyond the last there is a mass below 1e-17.
pub(super) const LEVELS: [f64; 5] = [1.125, 4.5, 10.125, 21.125, 42.0];

/// What is left out at either end of a density without bounds.
pub(super) const LEFT_OUT: f64 = 1e-17;

/// A density on an axis, and how finely it has to be looked at.
pub(crate) trait Curve: Copy {
    /// The logarithm of the density at `t`.
    fn ln_at(&self, t: f64) -> f64;

    /// The density at `t`.
    fn at(&self, t: f64) -> f64 {
        self.ln_at(t).exp()
    }

    /// How finely the density has to be looked at near `t`.
    fn scale_near(&self, t: f64) -> f64;

    /// Panel ends, ascending, fine enough for the density alone; they leave out [`LEFT_OUT`] at either end.
    fn breakpoints(&self) -> Vec<f64>;

    /// Within this distance of 0 no panel may be wider than [`super::panels::WIDEST`]; 0 where the breakpoints say
    /// it all.
    fn bend(&self) -> f64;
}

/// The unimodal density of a whole posterior on the axis of its family, on which all densities of one integral lie.
pub(crate) trait Density: Curve {
    /// Where the density is greatest.
    fn mode(&self) -> f64;

    /// Panel ends from `t`, which is not left of the mode, upwards, that leave out a part [`LEFT_OUT`] of the mass
    /// above `t`.
    fn edges_above(&self, t: f64) -> Vec<f64>;

    /// The density of `-t`.
    fn mirrored(&self) -> Self;

    /// The expectation of the reward.
    fn mean(&self) -> f64;

    /// `dx/dt`: how fast the reward `x` moves along the axis.
    fn slope(t: f64) -> f64;

    /// `x(start) - x(t)`, for `t` below `start`.
    fn distance_below(start: f64, t: f64) -> f64;

    /// The stretch in which the maximum can lie, from the stretches of the single arms, and for each arm the point
    /// beyond which its density is taken as 0.
    fn window(reaches: &[Panel]) -> (Panel, Vec<f64>);

    /// What is right of `end`, which is right of all breakpoints; mirror the arm for what is left of them.
    fn left_out_above(&self, end: f64) -> LeftOut;
}

/// What the panels of an arm leave out at one end. Its mass is nothing, but with a heavy tail it is far away.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct LeftOut {
    pub(super) mass: f64,
    /// `E[(x - x(end))^+]`
    pub(super) distance: f64,
}

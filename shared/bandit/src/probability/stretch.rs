//! A Beta density seen through a rate that is shifted or scaled, on the logit scale of the rate it is compared with.

use super::density::Curve;
use super::logit_beta::LogitBeta;

/// Where the rate of a Beta lies as a function of the axis' `x = logistic(t)`.
///
/// Each form is affine, and on all of the axis; so no integrand has a kink, and no singularity is nearer to the real
/// axis than `±iπ`, where those of the plain densities are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Lies {
    /// At `(1 - rest) x`: the part of the density above `1 - rest` is not on the axis.
    FromBelow {
        /// In `0..1`.
        rest: f64,
    },
    /// At `rest + (1 - rest) x`: the part of the density below `rest` is not on the axis.
    FromAbove {
        /// In `0..1`.
        rest: f64,
    },
}

/// A Beta density on such an axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Stretched {
    pub(super) beta: LogitBeta,
    pub(super) lies: Lies,
}

impl Stretched {
    /// The rate itself.
    pub(super) fn plain(beta: LogitBeta) -> Self {
        Self {
            beta,
            lies: Lies::FromBelow { rest: 0.0 },
        }
    }

    /// The logit of the rate at `t`, and the logarithm of how fast it moves there.
    fn own(&self, t: f64) -> (f64, f64) {
        match self.lies {
            Lies::FromBelow { rest } => shrunk(rest, t),
            Lies::FromAbove { rest } => {
                let (u, ln_slope) = shrunk(rest, -t);
                (-u, ln_slope)
            }
        }
    }

    /// Where on the axis the logit of the rate is `u`; infinite where it is not on the axis.
    fn axis(&self, u: f64) -> f64 {
        match self.lies {
            Lies::FromBelow { rest } => grown(rest, u),
            Lies::FromAbove { rest } => -grown(rest, -u),
        }
    }
}

/// The logit of `(1 - rest) logistic(t)` and the logarithm of its derivative.
fn shrunk(rest: f64, t: f64) -> (f64, f64) {
    if rest == 0.0 {
        return (t, 0.0);
    }
    let ln_c = (-rest).ln_1p();
    if t < 0.0 {
        let over = (rest * t.exp()).ln_1p();
        (ln_c + t - over, -over)
    } else {
        let under = ((-t).exp() + rest).ln();
        (ln_c - under, -t - under)
    }
}

/// The `t` at which the logit of `(1 - rest) logistic(t)` is `u`; infinite for rates above `1 - rest`.
fn grown(rest: f64, u: f64) -> f64 {
    let part = rest / (1.0 - rest) * u.exp();
    if rest == 0.0 {
        u
    } else if part < 1.0 {
        u - (-rest).ln_1p() - (-part).ln_1p()
    } else {
        f64::INFINITY
    }
}

impl Curve for Stretched {
    fn ln_at(&self, t: f64) -> f64 {
        let (u, ln_slope) = self.own(t);
        self.beta.ln_at(u) + ln_slope
    }

    fn scale_near(&self, t: f64) -> f64 {
        let (u, ln_slope) = self.own(t);
        self.beta.scale_near(u) / ln_slope.exp()
    }

    fn breakpoints(&self) -> Vec<f64> {
        let own = self.beta.breakpoints();
        own.iter().map(|u| self.axis(*u)).collect()
    }

    fn bend(&self) -> f64 {
        self.beta.bend()
    }
}

//! How much better one arm is than another: lifts, regions of practical equivalence, and what is left to gain.

use super::arms::Arms;
use super::exceed::some_above;
use super::logit_beta::LogitBeta;
use super::stretch::{Lies, Stretched};
use super::{QuadratureError, best_arm};
use crate::posterior::{NormalPosterior, Posterior, StudentTPosterior};

/// Differences that do not matter (STATS 6.2).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Equivalence {
    /// `|theta_1 - theta_0|` below this, in reward; above 0 and for rates below 1.
    Absolute(f64),
    /// `|theta_1 / theta_0 - 1|` below this; in `0..1`.
    Relative(f64),
}

/// `P(theta_treatment > (1 + lift) theta_control)`, for a `lift` above -1 (STATS 2.5).
///
/// For means that may be negative this is what is computed, and `theta_treatment / theta_control - 1` is not the
/// same where the control's mean is below 0.
pub fn p_lift_greater(
    treatment: Posterior,
    control: Posterior,
    lift: f64,
) -> Result<f64, QuadratureError> {
    if !lift.is_finite() || lift <= -1.0 {
        return Err(QuadratureError::Lift(lift));
    }
    match Arms::new(&[treatment, control])? {
        Arms::Rates(arms) if lift >= 0.0 => {
            let rest = lift / (1.0 + lift);
            some_above(scaled(arms[1], rest), &[Stretched::plain(arms[0])])
        }
        // the control exceeds the treatment divided by 1 + lift
        Arms::Rates(arms) => some_above(scaled(arms[0], -lift), &[Stretched::plain(arms[1])])
            .map(|below| 1.0 - below),
        Arms::Means { .. } => {
            let raised = moved(control, 0.0, 1.0 + lift);
            best_arm(&[treatment, raised]).map(|best| best.p_best[0])
        }
    }
}

/// The probability that the difference between both arms does not matter, with an absolute error below 1e-11
/// (STATS 2.5, 6.2).
pub fn p_equivalent(
    treatment: Posterior,
    control: Posterior,
    region: Equivalence,
) -> Result<f64, QuadratureError> {
    match region {
        Equivalence::Relative(part) => {
            if !(part > 0.0 && part < 1.0) {
                return Err(QuadratureError::Region(part));
            }
            let above_lower = p_lift_greater(treatment, control, -part)?;
            let above_upper = p_lift_greater(treatment, control, part)?;
            Ok((above_lower - above_upper).max(0.0))
        }
        Equivalence::Absolute(by) => {
            if !(by > 0.0 && by.is_finite()) {
                return Err(QuadratureError::Region(by));
            }
            let better = p_greater_by(treatment, control, by)?;
            let worse = p_greater_by(control, treatment, by)?;
            Ok((1.0 - better - worse).max(0.0))
        }
    }
}

/// `P(theta_a > theta_b + by)`, for a `by` above 0.
fn p_greater_by(a: Posterior, b: Posterior, by: f64) -> Result<f64, QuadratureError> {
    match Arms::new(&[a, b])? {
        Arms::Rates(_) if by >= 1.0 => Ok(0.0),
        Arms::Rates(arms) => {
            let raised = Stretched {
                beta: arms[0],
                lies: Lies::FromAbove { rest: by },
            };
            some_above(scaled(arms[1], by), &[raised])
        }
        Arms::Means { .. } => best_arm(&[a, moved(b, by, 1.0)]).map(|best| best.p_best[0]),
    }
}

/// The arm with the greatest posterior mean, the first of equals; 0 for no arms.
pub fn leader(posteriors: &[Posterior]) -> usize {
    let mut leader = 0;
    for (i, posterior) in posteriors.iter().enumerate() {
        if posterior.mean() > posteriors[leader].mean() {
            leader = i;
        }
    }
    leader
}

/// `P(V > v)` for the value remaining `V = (max_j theta_j - theta_leader) / theta_leader` (Scott 2010; STATS 6.3): the
/// probability that some arm is better than the leader by more than the part `v`, which is at least 0.
pub fn p_value_remaining_greater(
    posteriors: &[Posterior],
    leader: usize,
    v: f64,
) -> Result<f64, QuadratureError> {
    if !v.is_finite() || v < 0.0 {
        return Err(QuadratureError::Lift(v));
    }
    let Some(leading) = posteriors.get(leader) else {
        return Err(QuadratureError::NoSuchArm(leader));
    };
    let mut raised = posteriors.to_vec();
    raised[leader] = match leading {
        Posterior::Beta(_) => *leading,
        mean => moved(*mean, 0.0, 1.0 + v),
    };
    match Arms::new(&raised)? {
        Arms::Rates(arms) => {
            let base = scaled(arms[leader], v / (1.0 + v));
            let others = without(leader, arms.into_iter().map(Stretched::plain));
            some_above(base, &others)
        }
        Arms::Means { arms, .. } => {
            let base = arms[leader];
            some_above(base, &without(leader, arms.into_iter()))
        }
    }
}

/// The `level` quantile (in `0..1`, such as 0.95) of the value remaining: 0 where `P(V > 0)` is at most `1 - level`,
/// infinite beyond [`GREATEST_VALUE`], as where the leader's mean may be 0 or less.
pub fn value_remaining(
    posteriors: &[Posterior],
    leader: usize,
    level: f64,
) -> Result<f64, QuadratureError> {
    let rest = 1.0 - level;
    let over = |v: f64| -> Result<f64, QuadratureError> {
        let p = p_value_remaining_greater(posteriors, leader, v)?;
        Ok((p / rest).ln().max(FAR_BELOW))
    };
    let at_zero = over(0.0)?;
    if at_zero <= 0.0 {
        return Ok(0.0);
    }
    let (mut low, mut high) = ((0.0, at_zero), (FIRST_VALUE, over(FIRST_VALUE)?));
    while high.1 > 0.0 {
        if high.0 > GREATEST_VALUE {
            return Ok(f64::INFINITY);
        }
        low = high;
        high = (high.0 * 4.0, over(high.0 * 4.0)?);
    }
    root(low, high, over)
}

/// The first guess at an upper end of the value remaining: the 1 % below which the rule of its source stops.
const FIRST_VALUE: f64 = 0.01;

/// A value remaining beyond this many times the leader's own says that the leader's may be nothing.
pub const GREATEST_VALUE: f64 = 1e9;

/// Stands for the logarithm of a probability of 0.
const FAR_BELOW: f64 = -700.0;

/// Bisection alone is through after this many steps; the secant takes about 8.
const MOST_STEPS: usize = 200;

/// Where the falling function is 0, between a point where it is above and one where it is not: the secant in the
/// Illinois variant, which halves the value of an end that stays (Dowell and Jarratt 1971).
fn root(
    mut low: (f64, f64),
    mut high: (f64, f64),
    f: impl Fn(f64) -> Result<f64, QuadratureError>,
) -> Result<f64, QuadratureError> {
    let mut stayed = 0;
    for _ in 0..MOST_STEPS {
        if high.0 - low.0 <= 1e-14 * high.0 || high.1 == 0.0 {
            break;
        }
        let secant = low.0 + (high.0 - low.0) * (low.1 / (low.1 - high.1));
        let inside = secant > low.0 && secant < high.0;
        let at = if inside {
            secant
        } else {
            f64::midpoint(low.0, high.0)
        };
        let value = f(at)?;
        if (at - low.0).abs().min((high.0 - at).abs()) <= 1e-15 * at || value.abs() < 1e-14 {
            return Ok(at);
        }
        if value > 0.0 {
            low = (at, value);
            high.1 *= if stayed > 0 { 0.5 } else { 1.0 };
            stayed = 1;
        } else {
            high = (at, value);
            low.1 *= if stayed < 0 { 0.5 } else { 1.0 };
            stayed = -1;
        }
    }
    Ok(high.0)
}

fn without<T>(leader: usize, arms: impl Iterator<Item = T>) -> Vec<T> {
    arms.enumerate()
        .filter(|(i, _)| *i != leader)
        .map(|(_, arm)| arm)
        .collect()
}

/// A rate where the axis is the rate divided by `1 - rest`.
fn scaled(beta: LogitBeta, rest: f64) -> Stretched {
    Stretched {
        beta,
        lies: Lies::FromBelow { rest },
    }
}

/// The posterior of `factor theta + by`; rates stay as they are.
fn moved(posterior: Posterior, by: f64, factor: f64) -> Posterior {
    match posterior {
        Posterior::Beta(_) => posterior,
        Posterior::Normal(NormalPosterior { mean, sd }) => NormalPosterior {
            mean: mean * factor + by,
            sd: sd * factor,
        }
        .into(),
        Posterior::StudentT(StudentTPosterior {
            df,
            location,
            scale,
        }) => StudentTPosterior {
            df,
            location: location * factor + by,
            scale: scale * factor,
        }
        .into(),
    }
}

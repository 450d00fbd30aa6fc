//! Which arm is best, and what choosing another would cost: by deterministic quadrature, never by sampling.
//!
//! The integrals of Beta posteriors are over `t = logit(x)`, where every density is smooth and log-concave (STATS
//! 2.3), those of normal and Student-t posteriors over the rewards themselves (STATS 2.4), with Gauss-Legendre panels
//! that follow every arm's own scale. The same input gives the same bits, and every answer has passed three checks
//! that a wrong one would fail.

mod arms;
pub(crate) mod density;
mod exceed;
mod gauss;
mod lift;
pub(crate) mod line;
pub(crate) mod logit_beta;
mod panels;
mod quadrature;
pub(crate) mod quantile;
mod stretch;
pub(crate) mod tail;

use crate::experiment::ARMS;
use crate::posterior::Posterior;
use arms::Arms;
use density::Density;
use panels::Panels;

pub use lift::{
    Equivalence, GREATEST_VALUE, leader, p_equivalent, p_lift_greater, p_value_remaining_greater,
    value_remaining,
};
use quadrature::Integrals;

/// How far the checked identities may be off: four orders of magnitude above the rounding that is seen, and four
/// below what a share on a screen shows.
const TOLERANCE: f64 = 1e-10;

/// For each arm, in the order asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct BestArm {
    /// The probability that the arm has the greatest mean reward; they sum to 1 within 1e-10.
    pub p_best: Vec<f64>,
    /// `E[max_j theta_j - theta_i]`: what choosing the arm now would lose against the best, in reward; at least 0.
    pub expected_loss: Vec<f64>,
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum QuadratureError {
    /// Too few or too many arms.
    #[error("asked which of {0} arms is best; it can be told for 1 to 64")]
    ArmCount(usize),
    /// A posterior whose parameters are none.
    #[error(
        "{0} is no posterior that can be compared: all its numbers must be finite, a deviation and a scale above 0, degrees of freedom at least 1, those of a Beta between 1e-9 and 1e18"
    )]
    Posterior(Posterior),
    /// A Student-t posterior without an expectation, and so without an expected loss.
    #[error(
        "{0} has no expectation: it takes more than 1 degree of freedom, that is at least 3 observations"
    )]
    NoExpectation(Posterior),
    /// Rates and means of unbounded rewards.
    #[error("{0} and {1} cannot be compared: either all posteriors are Betas, or none")]
    Mixed(Posterior, Posterior),
    /// A relative difference that nothing can have.
    #[error(
        "a lift of {0} cannot be asked for: it must be a number above -1, and for the value remaining at least 0"
    )]
    Lift(f64),
    /// A region of practical equivalence without an inside.
    #[error(
        "{0} is no region of equivalence: it must be above 0, and below 1 where it is relative"
    )]
    Region(f64),
    /// An arm that is not among those given.
    #[error("there is no arm number {0} to compare with")]
    NoSuchArm(usize),
    /// The checks failed twice, so whatever was computed is not returned.
    #[error(
        "the integrals over the posteriors are off by {0:e}, also with twice the panels; keep the allocation in force and report the counts"
    )]
    NotConverged(f64),
}

/// The probability of being best and the expected loss of 1 to 64 arms.
///
/// `P_i = ∫ f_i Π_{j≠i} F_j` and `EL_i = ∫ F_i (1 - Π_{j≠i} F_j) dx` (STATS 2.1, 2.3): sums of positive terms, so that
/// tiny losses keep their relative accuracy. Measured by `cargo run -p bandit --example worst_error`.
pub fn best_arm(posteriors: &[Posterior]) -> Result<BestArm, QuadratureError> {
    if posteriors.is_empty() || posteriors.len() > *ARMS.end() {
        return Err(QuadratureError::ArmCount(posteriors.len()));
    }
    let arms = Arms::new(posteriors)?;
    if posteriors.len() == 1 {
        return Ok(BestArm {
            p_best: vec![1.0],
            expected_loss: vec![0.0],
        });
    }
    match arms {
        Arms::Rates(arms) => best_of(&arms),
        Arms::Means { arms, unit } => {
            let mut best = best_of(&arms)?;
            for loss in &mut best.expected_loss {
                *loss *= unit;
            }
            Ok(best)
        }
    }
}

/// The probability that the mean reward of `a` is greater than that of `b`.
pub fn p_greater(a: impl Into<Posterior>, b: impl Into<Posterior>) -> Result<f64, QuadratureError> {
    best_arm(&[a.into(), b.into()]).map(|best| best.p_best[0])
}

/// For each arm the probability that its mean reward is less than the reference's; `None` for the reference itself.
pub fn p_less_than_reference(
    posteriors: &[Posterior],
    reference: usize,
) -> Result<Vec<Option<f64>>, QuadratureError> {
    let Some(&yardstick) = posteriors.get(reference) else {
        return Err(QuadratureError::NoSuchArm(reference));
    };
    let less = |(i, arm): (usize, &Posterior)| {
        let other = i != reference;
        other.then(|| p_greater(yardstick, *arm)).transpose()
    };
    posteriors.iter().enumerate().map(less).collect()
}

fn best_of<D: Density>(arms: &[D]) -> Result<BestArm, QuadratureError> {
    let panels = Panels::new(arms);
    checked(arms, &panels)
        .or_else(|_| checked(arms, &panels.halved()))
        .map_err(QuadratureError::NotConverged)
}

/// The integrals, or how far their checks are off.
fn checked<D: Density>(arms: &[D], panels: &Panels) -> Result<BestArm, f64> {
    let integrals = quadrature::integrate(arms, panels);
    let off = worst_check(arms, &integrals);
    // this way round a NaN fails
    if off <= TOLERANCE {
        return Ok(BestArm {
            p_best: integrals.p_best,
            expected_loss: integrals.expected_loss,
        });
    }
    Err(off)
}

/// How far off the worst of three identities is: the probabilities sum to 1, every density has mass 1, and
/// `EL_i + E[theta_i]` is `E[max]`, the same for every arm.
fn worst_check<D: Density>(arms: &[D], integrals: &Integrals) -> f64 {
    let off_sum = (integrals.p_best.iter().sum::<f64>() - 1.0).abs();
    let off_mass = integrals.mass.iter().map(|mass| (mass - 1.0).abs());
    let expected_max: Vec<f64> = arms
        .iter()
        .zip(&integrals.expected_loss)
        .map(|(arm, loss)| arm.mean() + loss)
        .collect();
    // losses of rates are below 1; those of means may be many times the unit
    let size = 1.0 + integrals.expected_loss.iter().copied().fold(0.0, f64::max);
    let off_max = expected_max
        .iter()
        .map(|max| (max - expected_max[0]).abs() / size);
    off_mass.chain(off_max).fold(off_sum, worse)
}

/// The greater of both, and NaN if either is: `f64::max` would drop it.
fn worse(a: f64, b: f64) -> f64 {
    if a.is_nan() || a > b { a } else { b }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::posterior::{BetaPosterior, StudentTPosterior};

    fn beta(alpha: f64, beta: f64) -> Posterior {
        BetaPosterior { alpha, beta }.into()
    }

    fn student_t(df: f64, location: f64, scale: f64) -> Posterior {
        StudentTPosterior {
            df,
            location,
            scale,
        }
        .into()
    }

    #[test]
    fn refuses_what_is_no_posterior() {
        for bad in [
            beta(0.0, 1.0),
            beta(1.0, -1.0),
            beta(f64::NAN, 1.0),
            beta(1.0, f64::INFINITY),
            student_t(f64::INFINITY, 0.0, 1.0),
            student_t(0.5, 0.0, 1.0),
            student_t(3.0, f64::NAN, 1.0),
            student_t(3.0, 0.0, 0.0),
        ] {
            assert!(
                matches!(best_arm(&[bad]), Err(QuadratureError::Posterior(_))),
                "{bad}"
            );
        }
        assert_eq!(best_arm(&[]), Err(QuadratureError::ArmCount(0)));
        assert_eq!(
            best_arm(&[beta(1.0, 1.0); 65]),
            Err(QuadratureError::ArmCount(65))
        );
    }

    #[test]
    fn refuses_rates_among_means_and_means_without_expectation() {
        let (rate, mean) = (beta(1.0, 1.0), student_t(3.0, 0.5, 0.1));
        assert_eq!(
            best_arm(&[mean, rate]),
            Err(QuadratureError::Mixed(mean, rate))
        );
        let cauchy = student_t(1.0, 0.5, 0.1);
        assert_eq!(
            best_arm(&[mean, cauchy]),
            Err(QuadratureError::NoExpectation(cauchy))
        );
    }

    #[test]
    fn one_arm_is_best_and_loses_nothing() {
        let only = best_arm(&[beta(3.0, 4.0)]).unwrap();
        assert_eq!((only.p_best, only.expected_loss), (vec![1.0], vec![0.0]));
    }

    #[test]
    fn a_wrong_mass_is_an_error_and_not_an_answer() {
        let Ok(Arms::Rates(arms)) = Arms::new(&[beta(2.0, 3.0), beta(3.0, 3.0)]) else {
            panic!("two Betas are rates");
        };
        let panels = Panels::new(&arms);
        let mut integrals = quadrature::integrate(&arms, &panels);
        assert!(worst_check(&arms, &integrals) < 1e-13);
        integrals.mass[1] = f64::NAN;
        assert!(worst_check(&arms, &integrals).is_nan());
        integrals.mass[1] = 1.0 + 1e-9;
        assert!(worst_check(&arms, &integrals) > TOLERANCE);
    }
}

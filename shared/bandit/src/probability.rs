//! Which arm is best, and what choosing another would cost: by deterministic quadrature, never by sampling.
//!
//! All integrals are over `t = logit(x)`, where every Beta density is smooth and log-concave, with Gauss-Legendre
//! panels that follow every arm's own scale (STATS 2.3). The same input gives the same bits, and every answer has
//! passed three checks that a wrong one would fail.

pub(crate) mod density;
mod gauss;
mod panels;
mod quadrature;
pub(crate) mod quantile;

use crate::experiment::ARMS;
use crate::posterior::BetaPosterior;
use density::LogitBeta;
use panels::Panels;
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
    /// A posterior with a parameter that is not finite and above 0.
    #[error("Beta({alpha}, {beta}) is not a posterior: both numbers must be finite and above 0")]
    Posterior {
        /// Its alpha.
        alpha: f64,
        /// Its beta.
        beta: f64,
    },
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
pub fn best_arm(posteriors: &[BetaPosterior]) -> Result<BestArm, QuadratureError> {
    if posteriors.is_empty() || posteriors.len() > *ARMS.end() {
        return Err(QuadratureError::ArmCount(posteriors.len()));
    }
    let arms = densities(posteriors)?;
    if arms.len() == 1 {
        return Ok(BestArm {
            p_best: vec![1.0],
            expected_loss: vec![0.0],
        });
    }
    let panels = Panels::new(&arms);
    checked(&arms, &panels)
        .or_else(|_| checked(&arms, &panels.halved()))
        .map_err(QuadratureError::NotConverged)
}

/// The probability that the mean reward of `a` is greater than that of `b`.
pub fn p_greater(a: BetaPosterior, b: BetaPosterior) -> Result<f64, QuadratureError> {
    best_arm(&[a, b]).map(|best| best.p_best[0])
}

fn densities(posteriors: &[BetaPosterior]) -> Result<Vec<LogitBeta>, QuadratureError> {
    posteriors
        .iter()
        .map(|&BetaPosterior { alpha, beta }| {
            LogitBeta::new(alpha, beta).ok_or(QuadratureError::Posterior { alpha, beta })
        })
        .collect()
}

/// The integrals, or how far their checks are off.
fn checked(arms: &[LogitBeta], panels: &Panels) -> Result<BestArm, f64> {
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
fn worst_check(arms: &[LogitBeta], integrals: &Integrals) -> f64 {
    let off_sum = (integrals.p_best.iter().sum::<f64>() - 1.0).abs();
    let off_mass = integrals.mass.iter().map(|mass| (mass - 1.0).abs());
    let expected_max: Vec<f64> = arms
        .iter()
        .zip(&integrals.expected_loss)
        .map(|(arm, loss)| arm.mean() + loss)
        .collect();
    let off_max = expected_max.iter().map(|max| (max - expected_max[0]).abs());
    off_mass.chain(off_max).fold(off_sum, worse)
}

/// The greater of both, and NaN if either is: `f64::max` would drop it.
fn worse(a: f64, b: f64) -> f64 {
    if a.is_nan() || a > b { a } else { b }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn beta(alpha: f64, beta: f64) -> BetaPosterior {
        BetaPosterior { alpha, beta }
    }

    #[test]
    fn refuses_what_is_no_posterior() {
        for bad in [
            beta(0.0, 1.0),
            beta(1.0, -1.0),
            beta(f64::NAN, 1.0),
            beta(1.0, f64::INFINITY),
        ] {
            assert!(matches!(
                best_arm(&[bad, beta(1.0, 1.0)]),
                Err(QuadratureError::Posterior { .. })
            ));
        }
        assert_eq!(best_arm(&[]), Err(QuadratureError::ArmCount(0)));
        assert_eq!(
            best_arm(&[beta(1.0, 1.0); 65]),
            Err(QuadratureError::ArmCount(65))
        );
    }

    #[test]
    fn one_arm_is_best_and_loses_nothing() {
        let only = best_arm(&[beta(3.0, 4.0)]).unwrap();
        assert_eq!((only.p_best, only.expected_loss), (vec![1.0], vec![0.0]));
    }

    #[test]
    fn a_wrong_mass_is_an_error_and_not_an_answer() {
        let arms = densities(&[beta(2.0, 3.0), beta(3.0, 3.0)]).unwrap();
        let panels = Panels::new(&arms);
        let mut integrals = quadrature::integrate(&arms, &panels);
        assert!(worst_check(&arms, &integrals) < 1e-13);
        integrals.mass[1] = f64::NAN;
        assert!(worst_check(&arms, &integrals).is_nan());
        integrals.mass[1] = 1.0 + 1e-9;
        assert!(worst_check(&arms, &integrals) > TOLERANCE);
    }
}

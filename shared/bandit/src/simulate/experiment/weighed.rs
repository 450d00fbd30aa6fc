//! The figures that a decision compares, from the periods of a run: period-weighted posteriors (STATS 5.2) and lifts
//! with confidence sequences (STATS 5.3, 5.4).

use crate::decision::{ArmEvidence, LiftInterval, Rules, Versus};
use crate::experiment::{Arm, ArmId};
use crate::inference::aipw::{Aipw, Weighting};
use crate::inference::{Period, asymptotic, weighted};
use crate::posterior::{BetaPosterior, Posterior};
use crate::probability::{
    Equivalence, QuadratureError, best_arm, leader, p_equivalent, p_greater, p_lift_greater,
    value_remaining,
};
use crate::spec::model::BetaPrior;

/// The arms' figures, in their order, and the 95th percentile of the value remaining.
pub(super) struct Weighed {
    pub(super) arms: Vec<ArmEvidence>,
    pub(super) value_remaining: Option<f64>,
}

pub(super) fn weigh(
    rules: &Rules,
    arms: &[Arm],
    periods: &[Period],
    prior: BetaPrior,
    at_floor: impl Fn(ArmId) -> bool,
) -> Result<Weighed, QuadratureError> {
    let betas: Vec<BetaPosterior> = (0..arms.len())
        .map(|arm| weighted::beta_posterior(periods, arm, prior))
        .collect();
    let posteriors: Vec<Posterior> = betas.iter().copied().map(Posterior::from).collect();
    let best = best_arm(&posteriors)?;
    let leader = leader(&posteriors);
    let control = arms.iter().position(|arm| arm.control).unwrap_or(0);
    let aipw = Aipw::new(periods, Weighting::Uniform, 0.0);
    let mut figures = Vec::with_capacity(arms.len());
    for (at, arm) in arms.iter().enumerate() {
        let (resolved, reward_sum) = counts(periods, at);
        let versus = if at == control {
            None
        } else {
            let lift = lift(rules, &aipw, at, control);
            Some(versus(rules, posteriors[at], posteriors[control], lift)?)
        };
        let p_below_leader = if at == leader {
            0.0
        } else {
            p_greater(posteriors[leader], posteriors[at])?
        };
        figures.push(ArmEvidence {
            arm: arm.id,
            name: arm.name.to_string(),
            control: arm.control,
            at_floor: at_floor(arm.id),
            resolved,
            reward_sum,
            mean: posteriors[at].mean(),
            sd: sd(betas[at]),
            p_best: best.p_best[at],
            expected_loss: best.expected_loss[at],
            p_below_leader,
            versus,
        });
    }
    let remaining = value_remaining(&posteriors, leader, 0.95).ok();
    Ok(Weighed {
        arms: figures,
        value_remaining: remaining.filter(|remaining| remaining.is_finite()),
    })
}

/// Resolved units, and the sum of their rewards.
fn counts(periods: &[Period], arm: usize) -> (u64, f64) {
    periods
        .iter()
        .map(|period| &period.arms[arm])
        .fold((0, 0.0), |(n, sum), own| (n + own.n, sum + own.sum))
}

fn sd(posterior: BetaPosterior) -> f64 {
    let mean = posterior.mean();
    (mean * (1.0 - mean) / (posterior.alpha + posterior.beta + 1.0)).sqrt()
}

fn versus(
    rules: &Rules,
    own: Posterior,
    control: Posterior,
    lift: Option<LiftInterval>,
) -> Result<Versus, QuadratureError> {
    Ok(Versus {
        p_better: p_greater(own, control)?,
        p_worthwhile: p_lift_greater(own, control, rules.min_effect)?,
        p_same: p_equivalent(own, control, Equivalence::Relative(rules.same_within))?,
        lift,
    })
}

fn lift(rules: &Rules, aipw: &Aipw, arm: usize, control: usize) -> Option<LiftInterval> {
    let estimate = aipw.contrast(arm, control)?;
    let walk = aipw.contrast_walk(arm, control)?;
    let sequence = walk.sequence(rules.lift_alpha, asymptotic::TUNED_FOR);
    (sequence.low.is_finite() && sequence.high.is_finite()).then_some(LiftInterval {
        estimate: estimate.value,
        low: sequence.low,
        high: sequence.high,
    })
}

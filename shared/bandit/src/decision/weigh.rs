//! Evidence from the periods of an experiment: posteriors that a trend cannot bend, and lifts that hold at any look.

use super::adjusted::Adjusted;
use super::{ArmEvidence, LiftInterval, Rules, Versus};
use crate::experiment::ArmId;
use crate::inference::aipw::{Aipw, Weighting};
use crate::inference::{Period, asymptotic};
use crate::posterior::{Family, Moments, Posterior};
use crate::probability::{
    Equivalence, QuadratureError, best_arm, leader, p_equivalent, p_greater, p_lift_greater,
    value_remaining,
};

/// The quantile of the value remaining that is looked at (Scott 2010).
const REMAINING: f64 = 0.95;

/// An open arm, and where the periods list it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeighedArm {
    /// Its number.
    pub arm: ArmId,
    /// Its name.
    pub name: String,
    /// Whether it is the control.
    pub control: bool,
    /// Whether the policy gives it no more than its least share.
    pub at_floor: bool,
    /// Its position in [`Period::arms`].
    pub position: usize,
}

/// What the periods say.
#[derive(Debug, Clone, PartialEq)]
pub struct Weighed {
    /// The arms, in the order asked for.
    pub arms: Vec<ArmEvidence>,
    /// The 95th percentile of what the best arm has over the leader, relative to the leader; `None` if it is beyond
    /// what can be told.
    pub value_remaining: Option<f64>,
}

/// Compares the open arms over the resolved units of `periods`, which are in the order of time.
///
/// Posteriors are those of the least-squares fit within periods, in the model of rewards that the policy has; lifts are those of [`Aipw`] with an asymptotic
/// confidence sequence at [`Rules::lift_alpha`].
pub fn weigh(
    rules: &Rules,
    arms: &[WeighedArm],
    periods: &[Period],
    family: Family,
) -> Result<Weighed, QuadratureError> {
    let positions: Vec<usize> = arms.iter().map(|arm| arm.position).collect();
    let beliefs = Beliefs::new(periods, &positions);
    let known: Vec<Moments> = (0..arms.len()).map(|arm| beliefs.of(arm)).collect();
    let posteriors = family.posteriors(&known);
    let pair = |a, b| -> [Posterior; 2] {
        let known = family.posteriors(&beliefs.pair(a, b));
        [known[0], known[1]]
    };
    let best = best_arm(&posteriors)?;
    let leader = leader(&posteriors);
    let control = arms.iter().position(|arm| arm.control);
    let aipw = Aipw::new(periods, Weighting::Uniform, 0.0);
    let mut weighed = Vec::with_capacity(arms.len());
    for (at, arm) in arms.iter().enumerate() {
        let versus = match control.filter(|control| *control != at) {
            Some(control) => {
                let lift = lift(rules, &aipw, arm.position, positions[control]);
                Some(versus(rules, pair(at, control), lift)?)
            }
            None => None,
        };
        let p_below_leader = if leader == at {
            0.0
        } else {
            let [leader, own] = pair(leader, at);
            p_greater(leader, own)?
        };
        let seen = beliefs.pooled(at);
        weighed.push(ArmEvidence {
            arm: arm.arm,
            name: arm.name.clone(),
            control: arm.control,
            at_floor: arm.at_floor,
            resolved: seen.n as u64,
            reward_sum: seen.sum,
            mean: posteriors[at].mean(),
            // Rewards are in 0..=1: an arm without outcomes is not less known than that.
            sd: posteriors[at].sd().min(1.0),
            p_best: best.p_best[at],
            expected_loss: best.expected_loss[at],
            p_below_leader,
            versus,
        });
    }
    Ok(Weighed {
        arms: weighed,
        value_remaining: Some(value_remaining(&posteriors, leader, REMAINING)?)
            .filter(|value| value.is_finite()),
    })
}

/// What is believed of the arms: adjusted for periods, or the plain counts where nothing connects the arms.
struct Beliefs<'a> {
    adjusted: Option<Adjusted>,
    /// Each arm's place in `adjusted`. An arm that has just been opened has no outcome and no place: the others stay
    /// adjusted without it, or a trend would bend them until its first window closes.
    places: Vec<Option<usize>>,
    periods: &'a [Period],
    positions: &'a [usize],
}

impl<'a> Beliefs<'a> {
    fn new(periods: &'a [Period], positions: &'a [usize]) -> Self {
        let has_outcomes = |position: usize| {
            let arms = periods
                .iter()
                .filter_map(|period| period.arms.get(position));
            arms.map(|own| own.n).any(|n| n > 0)
        };
        let mut known = Vec::with_capacity(positions.len());
        let places = positions
            .iter()
            .map(|&position| {
                has_outcomes(position).then(|| {
                    known.push(position);
                    known.len() - 1
                })
            })
            .collect();
        Self {
            adjusted: Adjusted::new(periods, &known),
            places,
            periods,
            positions,
        }
    }

    fn of(&self, arm: usize) -> Moments {
        match (&self.adjusted, self.places[arm]) {
            (Some(adjusted), Some(place)) => adjusted.moments(place),
            _ => self.pooled(arm),
        }
    }

    fn pair(&self, a: usize, b: usize) -> [Moments; 2] {
        match (&self.adjusted, self.places[a], self.places[b]) {
            (Some(adjusted), Some(a), Some(b)) => adjusted.pair(a, b),
            _ => [self.of(a), self.of(b)],
        }
    }

    /// Resolved units, and their rewards.
    fn pooled(&self, arm: usize) -> Moments {
        let of_arm = self
            .periods
            .iter()
            .filter_map(|period| period.arms.get(self.positions[arm]));
        of_arm
            .map(|own| Moments {
                n: own.n as f64,
                sum: own.sum,
                sum_sq: own.sum_sq,
            })
            .sum()
    }
}

fn versus(
    rules: &Rules,
    [own, control]: [Posterior; 2],
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
    // Without variation the sequence is everything there is, which is nothing to show.
    (sequence.low.is_finite() && sequence.high.is_finite()).then_some(LiftInterval {
        estimate: estimate.value,
        low: sequence.low,
        high: sequence.high,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inference::ArmPeriod;
    use crate::spec::defaults;
    use crate::spec::model::DecisionPreset;

    fn period(arms: &[(f64, u64, f64)]) -> Period {
        let arms = arms.iter().map(|&(propensity, n, sum)| ArmPeriod {
            propensity,
            assigned: n,
            n,
            sum,
            sum_sq: sum,
        });
        Period {
            arms: arms.collect(),
            ..Period::default()
        }
    }

    #[test]
    fn an_arm_without_outcomes_bends_no_other() {
        // STATS 5.2: equal arms on a good day with an even split and a bad one with 90/10; the third has just come.
        let days = [
            period(&[(0.5, 500, 50.0), (0.5, 500, 50.0), (0.0, 0, 0.0)]),
            period(&[(0.9, 900, 45.0), (0.1, 100, 5.0), (0.0, 0, 0.0)]),
            period(&[(0.4, 0, 0.0), (0.3, 0, 0.0), (0.3, 0, 0.0)]),
        ];
        let arms: Vec<WeighedArm> = (0..3)
            .map(|position| WeighedArm {
                arm: ArmId(position as u16),
                name: position.to_string(),
                control: position == 0,
                at_floor: false,
                position,
            })
            .collect();
        let rules = Rules::new(&defaults::decision(DecisionPreset::Standard), 3);
        let weighed = weigh(&rules, &arms, &days, Family::Beta(defaults::PRIOR)).unwrap();
        let better = |arm: usize| weighed.arms[arm].versus.unwrap().p_better;
        assert!((better(1) - 0.5).abs() < 0.02, "{}", better(1));
        assert!((weighed.arms[2].mean - 0.5).abs() < 1e-12);
    }

    #[test]
    fn scaled_rewards_are_as_sure_as_they_vary_little() {
        // 0.5 and 0.52, each give or take 0.05: Welch's t is 6.3, and a coin's variance would make it 0.6.
        let arm = |mean: f64| ArmPeriod {
            propensity: 0.5,
            assigned: 500,
            n: 500,
            sum: 500.0 * mean,
            sum_sq: 500.0 * (mean * mean + 0.0025),
        };
        let days = [Period {
            arms: vec![arm(0.5), arm(0.52)],
            ..Period::default()
        }];
        let arms = [0, 1].map(|position| WeighedArm {
            arm: ArmId(position as u16),
            name: position.to_string(),
            control: position == 0,
            at_floor: false,
            position,
        });
        let rules = Rules::new(&defaults::decision(DecisionPreset::Standard), 2);
        let better = |family| {
            let weighed = weigh(&rules, &arms, &days, family).unwrap();
            weighed.arms[1].versus.unwrap().p_better
        };
        assert!(
            better(Family::Normal) > 1.0 - 1e-8,
            "{}",
            better(Family::Normal)
        );
        let coins = better(Family::Beta(defaults::PRIOR));
        assert!((0.7..0.8).contains(&coins), "{coins}");
    }
}

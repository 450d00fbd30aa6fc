//! A bandit problem as papers pose it: steps, arms with known rates, feedback after every batch, and the regret.
//!
//! No windows, lanes or burn-in of its own, so that a policy can be held against published and independent figures
//! (STATS 12). `cargo run --release -p bandit --example regret` prints the comparison.

use crate::experiment::{ArmId, Millis};
use crate::policy::{self, ArmView, PolicyError};
use crate::posterior::{ArmStats, Moments};
use crate::simulate::stale::{self, Stale};
use crate::simulate::{ArmsInPlay, Generator};
use crate::spec::model::{BurnIn, PolicyKind, PolicySpec, PosteriorKind};

/// A policy, arms, and for how long.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// What allocates. A floor or a burn-in of its own takes part; papers have none.
    pub policy: PolicySpec,
    /// What is true.
    pub arms: ProblemArms,
    /// How many units draw, one a step.
    pub steps: u64,
    /// Rewards become known, and the policy is asked again, after every so many steps; at least 1.
    pub batch: u64,
    /// After how many steps the regret is read, ascending.
    pub checkpoints: Vec<u64>,
}

/// The arms of a problem; rewards are 0 or 1.
#[derive(Debug, Clone, PartialEq)]
pub enum ProblemArms {
    /// Rates in `0..=1` that stay.
    Fixed(Vec<f64>),
    /// Arms that are replaced by new ones (Chapelle and Li 2011, the experiment of Table 1).
    Replaced {
        /// How many there are at any time.
        count: usize,
        /// The probability, at every step, that one of them is replaced and what was learned about it forgotten.
        probability: f64,
        /// Alpha and beta of the Beta distribution that rates are drawn from.
        rates: (f64, f64),
    },
}

impl Problem {
    /// The pseudo-regret `sum (best rate - rate of the arm drawn)` after each checkpoint's steps, in one run.
    ///
    /// Units draw from the allocation by a uniform number: the law of a batch of Thompson draws under frozen
    /// posteriors (STATS 1.1).
    pub fn regret(&self, seed: u64, run: u64) -> Result<Vec<f64>, PolicyError> {
        let mut generator = Generator::new(seed, run, 0);
        let mut arms = ArmsInPlay::new(&self.arms, &mut generator);
        let mut stale = Stale::unknown();
        let mut regret = 0.0;
        let mut read = Vec::with_capacity(self.checkpoints.len());
        for step in 1..=self.steps {
            if arms.replace(&self.arms, &mut generator) {
                stale = Stale::unknown();
            }
            let uniform = generator.uniform();
            let arm = loop {
                if let Some(arm) = stale.draw(uniform) {
                    break arm;
                }
                stale = Stale::fresh(self.allocation(arms.known(), step - 1)?);
            };
            regret += arms.pull(arm, &mut generator);
            if step % self.batch == 0 {
                stale.move_by(self.moves(&arms));
                arms.learn();
            }
            if self.checkpoints.get(read.len()) == Some(&step) {
                read.push(regret);
            }
        }
        Ok(read)
    }

    /// The most by which any probability of the allocation moves when the arms learn what waits; infinite where that
    /// is not known.
    fn moves(&self, arms: &ArmsInPlay) -> f64 {
        let none = BurnIn {
            for_: Millis(0),
            exposures_per_arm: 0,
            rewards_per_arm: 0,
        };
        let policy = &self.policy;
        // Floors only shrink what moves. Caps and the end of a burn-in need not.
        let is_p_best = policy.kind == PolicyKind::Thompson
            && policy.posterior == PosteriorKind::Beta
            && policy.max_weight.is_none()
            && policy.burn_in == none;
        if !is_p_best {
            return f64::INFINITY;
        }
        let of_arm = |(known, waiting)| stale::distance(policy.prior, known, waiting);
        arms.known().iter().zip(arms.waiting()).map(of_arm).sum()
    }

    /// Each arm's probability, in the arms' order.
    fn allocation(&self, known: &[ArmStats], step: u64) -> Result<Vec<f64>, PolicyError> {
        let views: Vec<ArmView> = known
            .iter()
            .enumerate()
            .map(|(arm, &stats)| ArmView {
                id: ArmId(arm as u16),
                control: arm == 0,
                weight: 1.0,
                stats,
                learned: Moments::from(&stats),
            })
            .collect();
        let published =
            policy::allocate(&self.policy, &views, Millis(step), |arm| arm.to_string())?;
        Ok(published.allocation.iter().map(|(_, p)| p).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::Share;
    use crate::spec::defaults;

    #[test]
    fn a_draw_that_skips_the_computation_is_the_draw_from_the_allocation_in_force() {
        let mut policy = defaults::policy(PolicyKind::Thompson);
        policy.floor = Share::NONE;
        policy.burn_in = BurnIn {
            for_: Millis(0),
            exposures_per_arm: 0,
            rewards_per_arm: 0,
        };
        let replaced = ProblemArms::Replaced {
            count: 4,
            probability: 0.002,
            rates: (4.0, 4.0),
        };
        for (arms, batch) in [
            (ProblemArms::Fixed(vec![0.9, 0.8]), 1),
            (ProblemArms::Fixed(vec![0.06, 0.02, 0.04]), 1),
            (replaced, 3),
        ] {
            let skips = Problem {
                policy: policy.clone(),
                arms,
                steps: 2_000,
                batch,
                checkpoints: (1..=20).map(|part| part * 100).collect(),
            };
            // A cap that nothing reaches changes no probability, and with a cap nothing is skipped.
            let mut computes = skips.clone();
            computes.policy.max_weight = Some(Share::ALL);
            assert_eq!(skips.regret(3, 7).unwrap(), computes.regret(3, 7).unwrap());
        }
    }
}

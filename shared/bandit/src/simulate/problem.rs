//! A bandit problem as papers pose it: steps, arms with known rates, feedback after every batch, and the regret.
//!
//! No windows, lanes or burn-in of its own, so that a policy can be held against published and independent figures
//! (STATS 12). `cargo run --release -p bandit --example regret` prints the comparison.

use crate::experiment::{ArmId, Millis};
use crate::policy::{self, ArmView, PolicyError};
use crate::posterior::{ArmStats, MICRO, Moments};
use crate::simulate::Generator;
use crate::spec::model::PolicySpec;

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

/// The state of one run.
struct State {
    rates: Vec<f64>,
    best: f64,
    known: Vec<ArmStats>,
    waiting: Vec<ArmStats>,
}

impl Problem {
    /// The pseudo-regret `sum (best rate - rate of the arm drawn)` after each checkpoint's steps, in one run.
    ///
    /// Units draw from the allocation by a uniform number: the law of a batch of Thompson draws under frozen
    /// posteriors (STATS 1.1).
    pub fn regret(&self, seed: u64, run: u64) -> Result<Vec<f64>, PolicyError> {
        let mut generator = Generator::new(seed, run, 0);
        let mut state = State::new(&self.arms, &mut generator);
        let mut allocation = self.allocation(&state, 0)?;
        let mut regret = 0.0;
        let mut read = Vec::with_capacity(self.checkpoints.len());
        for step in 1..=self.steps {
            if state.replace(&self.arms, &mut generator) {
                allocation = self.allocation(&state, step)?;
            }
            let arm = pick(&allocation, generator.uniform());
            state.pull(arm, &mut generator);
            regret += state.best - state.rates[arm];
            if step % self.batch == 0 {
                state.learn();
                allocation = self.allocation(&state, step)?;
            }
            if self.checkpoints.get(read.len()) == Some(&step) {
                read.push(regret);
            }
        }
        Ok(read)
    }

    /// Each arm's probability, in the arms' order.
    fn allocation(&self, state: &State, step: u64) -> Result<Vec<f64>, PolicyError> {
        let views: Vec<ArmView> = state
            .known
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

impl State {
    fn new(arms: &ProblemArms, generator: &mut Generator) -> Self {
        let rates: Vec<f64> = match arms {
            ProblemArms::Fixed(rates) => rates.clone(),
            ProblemArms::Replaced {
                count,
                rates: (alpha, beta),
                ..
            } => (0..*count).map(|_| generator.beta(*alpha, *beta)).collect(),
        };
        Self {
            best: best(&rates),
            known: vec![ArmStats::default(); rates.len()],
            waiting: vec![ArmStats::default(); rates.len()],
            rates,
        }
    }

    /// Replaces an arm, if this is the step for it.
    fn replace(&mut self, arms: &ProblemArms, generator: &mut Generator) -> bool {
        let ProblemArms::Replaced {
            count,
            probability,
            rates: (alpha, beta),
        } = arms
        else {
            return false;
        };
        if !generator.happens(*probability) {
            return false;
        }
        let arm = generator.below(*count);
        self.rates[arm] = generator.beta(*alpha, *beta);
        self.best = best(&self.rates);
        self.known[arm] = ArmStats::default();
        self.waiting[arm] = ArmStats::default();
        true
    }

    fn pull(&mut self, arm: usize, generator: &mut Generator) {
        let reward = i32::from(generator.happens(self.rates[arm])) * MICRO as i32;
        self.waiting[arm] += ArmStats {
            assigned: 1,
            exposed: 1,
            ..ArmStats::of_reward(reward)
        };
    }

    fn learn(&mut self) {
        for (known, waiting) in self.known.iter_mut().zip(&mut self.waiting) {
            *known += std::mem::take(waiting);
        }
    }
}

fn best(rates: &[f64]) -> f64 {
    rates.iter().copied().fold(0.0, f64::max)
}

/// The first arm whose cumulated probability exceeds `uniform`; the last with any where rounding leaves a gap.
fn pick(allocation: &[f64], uniform: f64) -> usize {
    let mut cumulated = 0.0;
    let found = allocation.iter().position(|probability| {
        cumulated += probability;
        uniform < cumulated
    });
    found
        .or_else(|| {
            allocation
                .iter()
                .rposition(|&probability| probability > 0.0)
        })
        .expect("the probabilities of an allocation sum to 1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_of_rounding_falls_to_the_last_arm_that_can_be_drawn() {
        assert_eq!(pick(&[0.25, 0.75], 0.25), 1);
        assert_eq!(pick(&[0.25, 0.75], 0.249), 0);
        assert_eq!(pick(&[0.3, 0.7 - 1e-13, 0.0], 1.0 - 1e-16), 1);
    }
}

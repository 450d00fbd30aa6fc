//! The arms of a bandit problem while it is played: what is true of them, what is known, and what is on its way.

use crate::posterior::{ArmStats, MICRO};
use crate::simulate::{Generator, ProblemArms};

/// The arms at one step of one run.
#[derive(Debug, Clone, PartialEq)]
pub struct ArmsInPlay {
    rates: Vec<f64>,
    best: f64,
    known: Vec<ArmStats>,
    waiting: Vec<ArmStats>,
}

impl ArmsInPlay {
    /// Before the first step: nothing is known.
    pub fn new(arms: &ProblemArms, generator: &mut Generator) -> Self {
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

    /// What has been learned about each arm, in their order.
    pub fn known(&self) -> &[ArmStats] {
        &self.known
    }

    /// What [`ArmsInPlay::learn`] will add to it.
    pub fn waiting(&self) -> &[ArmStats] {
        &self.waiting
    }

    /// Replaces an arm and forgets it, if this is the step for it; says whether it was.
    pub fn replace(&mut self, arms: &ProblemArms, generator: &mut Generator) -> bool {
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

    /// A unit draws this arm. Gives the best arm's rate less this one's.
    pub fn pull(&mut self, arm: usize, generator: &mut Generator) -> f64 {
        let reward = i32::from(generator.happens(self.rates[arm])) * MICRO as i32;
        self.waiting[arm] += ArmStats {
            assigned: 1,
            exposed: 1,
            ..ArmStats::of_reward(reward)
        };
        self.best - self.rates[arm]
    }

    /// The rewards that were on their way are known.
    pub fn learn(&mut self) {
        for (known, waiting) in self.known.iter_mut().zip(&mut self.waiting) {
            *known += std::mem::take(waiting);
        }
    }
}

fn best(rates: &[f64]) -> f64 {
    rates.iter().copied().fold(0.0, f64::max)
}

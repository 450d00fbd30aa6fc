//! Draws from an allocation that is out of date, where they are the draws from the one in force.
//!
//! Computing the probabilities of ten arms takes 0.3 ms, and a paper asks for them after each of a million rewards. But
//! one reward hardly moves a posterior of thousands, and most uniform numbers are further from the border between two
//! arms than the border can have moved. Those draw the same arm without the computation, so a run keeps its bits.

use crate::posterior::{ArmStats, BetaPosterior};
use crate::spec::model::BetaPrior;

/// What the quadrature and the sums of probabilities may be off by, with a wide margin: it is good to 1e-11.
const SLACK: f64 = 1e-9;

/// An allocation as it was, and how far it can have moved.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Stale {
    allocation: Vec<f64>,
    moved: f64,
}

impl Stale {
    /// One that has to be computed before anything is drawn.
    pub(super) fn unknown() -> Self {
        Self {
            allocation: Vec::new(),
            moved: f64::INFINITY,
        }
    }

    /// In force now.
    pub(super) fn fresh(allocation: Vec<f64>) -> Self {
        let moved = 0.0;
        Self { allocation, moved }
    }

    /// What is known has changed, so that no event's probability moved by more than this.
    pub(super) fn move_by(&mut self, at_most: f64) {
        self.moved += at_most;
    }

    /// The arm that this number draws; `None` where only the allocation in force can tell.
    pub(super) fn draw(&self, uniform: f64) -> Option<usize> {
        if self.moved <= 0.0 {
            return Some(pick(&self.allocation, uniform));
        }
        let last = self.allocation.len().checked_sub(1)?;
        let room = self.moved + SLACK;
        let mut upto = 0.0;
        self.allocation.iter().enumerate().find_map(|(arm, share)| {
            // the outer borders are 0 and 1 whatever moves
            let from = if arm == 0 { 0.0 } else { upto + room };
            upto += share;
            let to = if arm == last { 1.0 } else { upto - room };
            (from..to).contains(&uniform).then_some(arm)
        })
    }
}

/// The most by which these rewards of 0 or 1 change the probability of any event about the Beta posterior of an arm,
/// and so of the event that some arm is best: the total variation distance.
///
/// A success multiplies the density of Beta(a, b) by `x / mean`, so the distance is `E|x / mean - 1| / 2`, at most half
/// the coefficient of variation, `sqrt(b / (a (a + b + 1))) / 2`; a failure is its mirror image. Distances add, and
/// each success makes the next one count less.
pub(super) fn distance(prior: BetaPrior, known: &ArmStats, added: &ArmStats) -> f64 {
    let one_more = |of: f64, other: f64| 0.5 * (other / (of * (of + other + 1.0))).sqrt();
    let BetaPosterior { alpha, beta } = BetaPosterior::from_stats(prior, known);
    let successes = added.reward_sum();
    let failures = added.resolved as f64 - successes;
    successes * one_more(alpha, beta) + failures * one_more(beta, alpha + successes)
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
    use crate::posterior::{Family, MICRO, Moments};
    use crate::probability::best_arm;

    #[test]
    fn a_gap_of_rounding_falls_to_the_last_arm_that_can_be_drawn() {
        assert_eq!(pick(&[0.25, 0.75], 0.25), 1);
        assert_eq!(pick(&[0.25, 0.75], 0.249), 0);
        assert_eq!(pick(&[0.3, 0.7 - 1e-13, 0.0], 1.0 - 1e-16), 1);
    }

    #[test]
    fn near_a_border_only_the_allocation_in_force_can_tell() {
        let mut stale = Stale::fresh(vec![0.25, 0.5, 0.25]);
        assert_eq!(stale.draw(0.25), Some(1));
        stale.move_by(0.1);
        stale.move_by(0.1);
        let draws = [0.0, 0.04, 0.06, 0.44, 0.5, 0.54, 0.56, 0.94, 0.96].map(|at| stale.draw(at));
        let wanted = [
            Some(0),
            Some(0),
            None,
            None,
            Some(1),
            Some(1),
            None,
            None,
            Some(2),
        ];
        assert_eq!(draws, wanted);
        stale.move_by(f64::INFINITY);
        assert_eq!(stale.draw(0.5), None);
        assert_eq!(Stale::unknown().draw(0.5), None);
    }

    fn rewards(successes: u64, units: u64) -> ArmStats {
        ArmStats {
            assigned: units,
            exposed: units,
            resolved: units,
            reward_sum_micro: i64::try_from(successes).unwrap() * MICRO,
            ..ArmStats::default()
        }
    }

    fn p_best(arms: &[ArmStats], prior: BetaPrior) -> Vec<f64> {
        let moments: Vec<Moments> = arms.iter().map(Moments::from).collect();
        best_arm(&Family::Beta(prior).posteriors(&moments))
            .unwrap()
            .p_best
    }

    #[test]
    fn no_probability_moves_by_more_than_the_distance() {
        let prior = BetaPrior {
            alpha: 1.0,
            beta: 1.0,
        };
        let other = rewards(60, 100);
        let mut closest = 0.0_f64;
        for (successes, units) in [(0, 0), (3, 3), (0, 5), (55, 100), (590, 1_000)] {
            for (more, of) in [(1, 1), (0, 1), (2, 5), (10, 10), (0, 10)] {
                let (known, added) = (rewards(successes, units), rewards(more, of));
                let most = distance(prior, &known, &added);
                let mut later = known;
                later += added;
                let [before, after] = [known, later].map(|arm| p_best(&[arm, other], prior)[0]);
                let moved = (after - before).abs();
                assert!(moved <= most, "{known:?} {added:?}: {moved} above {most}");
                closest = closest.max(moved / most);
            }
        }
        assert!(
            closest > 0.5,
            "a bound that far off saves nothing: {closest}"
        );
    }
}

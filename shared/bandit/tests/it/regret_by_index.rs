//! The index policies as papers and the reference play them: the arm with the greatest bound, certainly.
//!
//! What is published is another law, weights that the policy is rolled forward for (`policy/index.rs`), so its regret
//! is not the reference's. The bounds are the same ones: [`bandit::policy::indices`].

use bandit::policy::indices;
use bandit::posterior::Moments;
use bandit::simulate::{Generator, Problem, ProblemArms};

/// The pseudo-regret after each checkpoint's steps in one run, as [`Problem::regret`] has it, where each unit draws
/// the arm with the greatest index. Among equals it draws evenly, also among the arms without rewards; within a batch
/// the indices stay, and so does the arm.
///
/// `None` for a policy without an index and for arms that are replaced.
pub(crate) fn regret_by_index(problem: &Problem, seed: u64, run: u64) -> Option<Vec<f64>> {
    let ProblemArms::Fixed(rates) = &problem.arms else {
        return None;
    };
    let best = rates.iter().copied().fold(0.0, f64::max);
    let mut generator = Generator::new(seed, run, 0);
    let mut known = vec![Moments::default(); rates.len()];
    let mut waiting = known.clone();
    let mut greatest = greatest(&indices(&problem.policy.kind, &known)?);
    let mut regret = 0.0;
    let mut read = Vec::with_capacity(problem.checkpoints.len());
    for step in 1..=problem.steps {
        let arm = greatest[generator.below(greatest.len())];
        let reward = f64::from(generator.happens(rates[arm]));
        waiting[arm] += Moments {
            n: 1.0,
            sum: reward,
            sum_sq: reward,
        };
        regret += best - rates[arm];
        if step % problem.batch == 0 {
            for (known, waiting) in known.iter_mut().zip(&mut waiting) {
                *known += std::mem::take(waiting);
            }
            greatest = self::greatest(&indices(&problem.policy.kind, &known)?);
        }
        if problem.checkpoints.get(read.len()) == Some(&step) {
            read.push(regret);
        }
    }
    Some(read)
}

/// The places of the greatest.
fn greatest(indices: &[f64]) -> Vec<usize> {
    let bar = indices.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (0..indices.len())
        .filter(|&arm| indices[arm] >= bar)
        .collect()
}

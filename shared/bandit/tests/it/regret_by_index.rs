//! The index policies as papers and the reference play them: the arm with the greatest bound, certainly.
//!
//! What is published is another law, weights that the policy is rolled forward for (`policy/index.rs`), so its regret
//! is not the reference's. The bounds are the same ones: [`bandit::policy::indices`].

use bandit::policy::indices;
use bandit::posterior::Moments;
use bandit::simulate::{ArmsInPlay, Generator, Problem};

/// The pseudo-regret after each checkpoint's steps in one run, as [`Problem::regret`] has it, where each unit draws
/// the arm with the greatest index. Among equals it draws evenly, also among the arms without rewards; within a batch
/// the indices stay, and so does the arm, until an arm is replaced.
///
/// `None` for a policy without an index.
pub(crate) fn regret_by_index(problem: &Problem, seed: u64, run: u64) -> Option<Vec<f64>> {
    let mut generator = Generator::new(seed, run, 0);
    let mut arms = ArmsInPlay::new(&problem.arms, &mut generator);
    let mut greatest = greatest(problem, &arms, 0)?;
    let mut regret = 0.0;
    let mut read = Vec::with_capacity(problem.checkpoints.len());
    for step in 1..=problem.steps {
        if arms.replace(&problem.arms, &mut generator) {
            greatest = self::greatest(problem, &arms, step - 1)?;
        }
        let arm = greatest[generator.below(greatest.len())];
        regret += arms.pull(arm, &mut generator);
        if step % problem.batch == 0 {
            arms.learn();
            greatest = self::greatest(problem, &arms, step)?;
        }
        if problem.checkpoints.get(read.len()) == Some(&step) {
            read.push(regret);
        }
    }
    Some(read)
}

/// The places of the arms with the greatest index after `steps`.
///
/// The reference's clock counts every step, ours the units that are known. So what an arm that is gone was drawn for
/// stands beside the arms, as units of an arm that cannot be drawn.
fn greatest(problem: &Problem, arms: &ArmsInPlay, steps: u64) -> Option<Vec<usize>> {
    let mut known: Vec<Moments> = arms.known().iter().map(Moments::from).collect();
    let count = known.len();
    let unknown = steps as f64 - known.iter().map(|arm| arm.n).sum::<f64>();
    known.push(Moments {
        n: unknown,
        ..Moments::default()
    });
    let indices = indices(&problem.policy.kind, &known)?;
    let indices = &indices[..count];
    let bar = indices.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    Some((0..count).filter(|&arm| indices[arm] >= bar).collect())
}

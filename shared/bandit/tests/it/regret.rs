//! Regret against other people's simulators (STATS 12): the instances that take seconds. All of them:
//! `cargo run --release -p bandit --example regret`.

use bandit::simulate::{Mean, Problem};

use crate::regret_by_index::regret_by_index;
use crate::regret_reference::{Reference, z};

/// Our mean over `runs` runs is within three standard errors of the reference, at every checkpoint up to `until`.
fn agrees(instance: &str, policy: &str, runs: u64, until: u64) {
    for (step, off) in distances(instance, policy, runs, until, published) {
        assert!(off.abs() < 3.0, "{policy} after {step} steps: z {off}");
    }
}

/// The same of the bounds that an index policy ranks the arms by.
fn indices_agree(instance: &str, policy: &str, runs: u64, until: u64) {
    for (step, off) in distances(instance, policy, runs, until, by_index) {
        assert!(off.abs() < 3.0, "{policy} after {step} steps: z {off}");
    }
}

/// The regret of the published weights is at most three standard errors above that of the reference.
fn loses_no_more(instance: &str, policy: &str, runs: u64, until: u64) {
    for (step, off) in distances(instance, policy, runs, until, published) {
        assert!(off < 3.0, "{policy} loses more after {step} steps: z {off}");
    }
}

fn published(problem: &Problem, run: u64) -> Vec<f64> {
    problem.regret(12, run).unwrap()
}

fn by_index(problem: &Problem, run: u64) -> Vec<f64> {
    regret_by_index(problem, 12, run).unwrap()
}

/// How many standard errors our mean is above the reference, after how many steps.
fn distances(
    instance: &str,
    policy: &str,
    runs: u64,
    until: u64,
    regret: fn(&Problem, u64) -> Vec<f64>,
) -> Vec<(u64, f64)> {
    let reference = Reference::read();
    let instances = &mut reference.instances.iter();
    let instance = instances.find(|it| it.name == instance).unwrap();
    let policies = &mut instance.policies.iter();
    let measured = policies.find(|it| it.policy == policy).unwrap();
    let problem = instance.problem(measured, until).unwrap();
    let regret: Vec<Vec<f64>> = (0..runs).map(|run| regret(&problem, run)).collect();
    let off = |at: usize| {
        let ours: Mean = regret.iter().map(|of_run| of_run[at]).collect();
        z(ours, measured.at(at))
    };
    let steps = problem.checkpoints.iter().copied();
    steps
        .enumerate()
        .map(|(at, step)| (step, off(at)))
        .collect()
}

#[test]
fn thompson_sampling_has_the_regret_of_the_reference() {
    agrees("garivier-cappe two arms", "ts", 30, 1_000);
    agrees("ab conversion 4 arms, batch 2000", "ts", 60, 50_000);
    agrees("chapelle-li fig1 K=10 eps=0.1", "ts", 10, 10_000);
}

/// Chapelle and Li's experiment with delays: 10 arms, one of them replaced at a thousandth of the steps.
#[test]
fn thompson_sampling_keeps_up_with_arms_that_are_replaced() {
    agrees("chapelle-li table 1 delta=1", "ts", 4, 1_000);
    agrees("chapelle-li table 1 delta=10", "ts", 10, 1_000);
    agrees("chapelle-li table 1 delta=100", "ts", 10, 10_000);
    agrees("chapelle-li table 1 delta=316", "ts", 20, 10_000);
    agrees("chapelle-li table 1 delta=1000", "ts", 30, 10_000);
    agrees("chapelle-li table 1 delta=1000", "ts_prior_4_4", 30, 10_000);
}

/// What was drawn for an arm that is gone stays in the reference's clock, and so in this one.
#[test]
fn the_indices_of_ucb1_keep_up_with_arms_that_are_replaced() {
    for delta in [1, 3, 10, 32, 100, 316, 1_000] {
        let instance = format!("chapelle-li table 1 delta={delta}");
        indices_agree(&instance, "ucb1", 30, 10_000);
    }
}

#[test]
fn an_even_split_has_the_regret_of_the_reference() {
    agrees("ab conversion 4 arms", "uniform", 40, 10_000);
}

#[test]
fn epsilon_greedy_has_the_regret_of_the_reference() {
    agrees("garivier-cappe two arms", "eps_0.1", 200, 5_000);
    agrees("ab conversion 4 arms, batch 2000", "eps_0.1", 100, 50_000);
}

/// z from -1.64 to 2.19 in 300 runs over all of these and Auer's ten-armed instances.
#[test]
fn the_indices_of_ucb1_have_the_regret_of_the_reference() {
    indices_agree("garivier-cappe two arms", "ucb1", 200, 5_000);
    let ten_arms = "garivier-cappe/kaufmann ten arms low rate";
    indices_agree(ten_arms, "ucb1", 60, 5_000);
    indices_agree("auer d2", "ucb1", 100, 10_000);
    indices_agree("auer d3", "ucb1", 100, 10_000);
    indices_agree("ab conversion 4 arms", "ucb1", 60, 10_000);
}

/// z from -0.98 to 1.37 in 300 runs.
#[test]
fn the_indices_of_ucb1_tuned_have_the_regret_of_the_reference() {
    indices_agree("garivier-cappe two arms", "ucb1_tuned", 200, 5_000);
    let ten_arms = "garivier-cappe/kaufmann ten arms low rate";
    indices_agree(ten_arms, "ucb1_tuned", 60, 5_000);
    indices_agree("auer d2", "ucb1_tuned", 100, 10_000);
    indices_agree("auer d3", "ucb1_tuned", 100, 10_000);
}

/// z 1.02, 1.63 and 2.20 after 100, 1,000 and 5,000 steps in 1,500 runs with two arms, 1.57 and 0.69 in 4,000 runs of
/// 1,000 steps; -0.11 with ten arms.
#[test]
fn the_indices_of_kl_ucb_have_the_regret_of_the_reference() {
    indices_agree("garivier-cappe two arms", "kl_ucb", 300, 1_000);
    let ten_arms = "garivier-cappe/kaufmann ten arms low rate";
    indices_agree(ten_arms, "kl_ucb", 30, 1_000);
    indices_agree("auer d3", "kl_ucb", 60, 1_000);
}

/// z 0.24 and 0.86 for UCB1, -0.74 and 0.98 for KL-UCB.
#[test]
fn an_index_policy_that_repeats_one_arm_for_a_batch_has_the_regret_of_the_reference() {
    let batches = "ab conversion 4 arms, batch 2000";
    indices_agree(batches, "ucb1", 300, 50_000);
    indices_agree(batches, "kl_ucb", 300, 50_000);
}

/// The ruling on index policies: their bounds are held to the reference on either side, above; the weights that are
/// published are another law, which may lose less and must not lose more. In 500 runs UCB1 loses 302 and not 309,
/// KL-UCB 146 and not 169.
#[test]
fn the_weights_of_an_index_policy_lose_no_more_than_its_indices_in_batches() {
    let batches = "ab conversion 4 arms, batch 2000";
    loses_no_more(batches, "ucb1", 30, 50_000);
    loses_no_more(batches, "kl_ucb", 30, 50_000);
}

//! Regret against other people's simulators (STATS 12): the instances that take seconds. All of them:
//! `cargo run --release -p bandit --example regret`.

use bandit::simulate::Mean;

use crate::regret_reference::{Reference, z};

/// Our mean over `runs` runs is within three standard errors of the reference, at every checkpoint up to `until`.
fn agrees(instance: &str, policy: &str, runs: u64, until: u64) {
    let reference = Reference::read();
    let instance = reference
        .instances
        .iter()
        .find(|it| it.name == instance)
        .unwrap();
    let measured = instance
        .policies
        .iter()
        .find(|it| it.policy == policy)
        .unwrap();
    let problem = instance.problem(measured, until).unwrap();
    let regret: Vec<Vec<f64>> = (0..runs)
        .map(|run| problem.regret(12, run).unwrap())
        .collect();
    for (at, step) in problem.checkpoints.iter().enumerate() {
        let ours: Mean = regret.iter().map(|of_run| of_run[at]).collect();
        let theirs = measured.at(at);
        let off = z(ours, theirs);
        assert!(
            off.abs() < 3.0,
            "{policy} after {step} steps: {ours:?}, not {theirs:?}"
        );
    }
}

#[test]
fn thompson_sampling_has_the_regret_of_the_reference() {
    agrees("garivier-cappe two arms", "ts", 30, 1_000);
    agrees("ab conversion 4 arms, batch 2000", "ts", 60, 50_000);
    agrees("chapelle-li fig1 K=10 eps=0.1", "ts", 10, 10_000);
}

#[test]
fn thompson_sampling_keeps_up_with_arms_that_are_replaced() {
    agrees("chapelle-li table 1 delta=1000", "ts", 30, 10_000);
    agrees("chapelle-li table 1 delta=1000", "ts_prior_4_4", 30, 10_000);
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

//! Allocations against those of other bandit libraries; origin and licence of the numbers in `tests/data/README.md`.

use std::iter::zip;

use bandit::experiment::{ArmId, Millis};
use bandit::policy::{ArmView, allocate, indices};
use bandit::posterior::{ArmStats, BetaPosterior, Moments, NormalPosterior, Posterior};
use bandit::probability::best_arm;
use bandit::spec::defaults;
use bandit::spec::model::{BurnIn, PolicyKind, PolicySpec};
use serde::Deserialize;

use crate::common::share;

/// Errors of a relative frequency are normal to far beyond what is looked at here; four of them in a row of some 100
/// figures happen once in 150 such rows.
const STANDARD_ERRORS: f64 = 4.0;

#[derive(Deserialize)]
struct Mabwiser {
    draws: f64,
    histories: Vec<History>,
}

#[derive(Deserialize)]
struct History {
    name: String,
    /// What the rewards were divided by, to bring them into `0..=1`.
    scale: f64,
    n: Vec<f64>,
    sum: Vec<f64>,
    sum_sq: Vec<f64>,
    ucb1: Vec<Bounds>,
    epsilon_greedy: Vec<Greedy>,
    thompson: Option<Betas>,
}

#[derive(Deserialize)]
struct Bounds {
    alpha: f64,
    expectations: Vec<f64>,
}

#[derive(Deserialize)]
struct Greedy {
    epsilon: f64,
    means: Vec<f64>,
    frequency: Vec<f64>,
}

#[derive(Deserialize)]
struct Betas {
    alpha: Vec<f64>,
    beta: Vec<f64>,
    frequency: Vec<f64>,
}

impl History {
    fn learned(&self) -> Vec<Moments> {
        zip(&self.n, zip(&self.sum, &self.sum_sq))
            .map(|(&n, (&sum, &sum_sq))| Moments { n, sum, sum_sq })
            .collect()
    }
}

#[derive(Deserialize)]
struct Gbstats {
    draws: f64,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    top_two: bool,
    inverse: bool,
    floor: f64,
    posterior_mean: Vec<f64>,
    posterior_sd: Vec<f64>,
    weights: Vec<f64>,
    exact: Vec<f64>,
}

fn mabwiser() -> Mabwiser {
    serde_json::from_str(include_str!("../../../../tests/data/c_mabwiser.json")).unwrap()
}

fn gbstats() -> Gbstats {
    serde_json::from_str(include_str!(
        "../../../../tests/data/b_gbstats_bandits.json"
    ))
    .unwrap()
}

/// This policy without floor and burn-in.
fn bare(kind: PolicyKind) -> PolicySpec {
    PolicySpec {
        floor: share(0.0),
        burn_in: BurnIn {
            for_: Millis(0),
            exposures_per_arm: 0,
            rewards_per_arm: 0,
        },
        ..defaults::policy(kind)
    }
}

fn shares(kind: PolicyKind, learned: &[Moments]) -> Vec<f64> {
    let arms: Vec<ArmView> = learned
        .iter()
        .zip(0..)
        .map(|(learned, id)| ArmView {
            id: ArmId(id),
            control: id == 0,
            weight: 1.0,
            stats: ArmStats::default(),
            learned: *learned,
        })
        .collect();
    let published = allocate(&bare(kind), &arms, Millis(0), |id| id.to_string()).unwrap();
    published.allocation.iter().map(|(_, p)| p).collect()
}

/// How many standard errors of `draws` draws the worst of `observed` is from `p`. An observed 0 or 1 has no spread of
/// its own, so that of the expected share is taken.
fn worst_errors(observed: &[f64], p: &[f64], draws: f64) -> f64 {
    let apart = |(observed, p): (&f64, &f64)| {
        let se = (p * (1.0 - p) / draws).sqrt();
        // a half of a draw: frequencies are whole draws
        ((observed - p).abs() - 0.5 / draws).max(0.0) / se.max(0.5 / draws)
    };
    observed.iter().zip(p).map(apart).fold(0.0, f64::max)
}

/// mabwiser's `alpha` multiplies the bonus; ours is 1. Its rewards may lie outside `0..=1`, so bonuses are compared.
/// Worst difference measured: 9e-16.
#[test]
fn ucb1_bounds_are_mabwisers_to_the_last_digits() {
    let mut worst: f64 = 0.0;
    for of in mabwiser().histories {
        let learned = of.learned();
        let bounds = indices(&PolicyKind::Ucb1, &learned).unwrap();
        for case in &of.ucb1 {
            for ((arm, bound), theirs) in zip(zip(&learned, &bounds), &case.expectations) {
                let Some(mean) = arm.mean() else {
                    // theirs is 0 and so the arm is never tried; ours is tried first
                    assert_eq!((*theirs, *bound), (0.0, f64::INFINITY));
                    continue;
                };
                let bonus = theirs - mean * of.scale;
                worst = worst.max((bonus - case.alpha * (bound - mean)).abs());
            }
        }
    }
    assert!(worst < 1e-12, "worst {worst:e}");
    println!("ucb1: worst difference {worst:e}");
}

/// Worst of 20,000 draws each: 2.2 standard errors.
#[test]
fn epsilon_greedy_shares_are_mabwisers_frequencies() {
    let oracle = mabwiser();
    let mut worst: f64 = 0.0;
    for of in &oracle.histories {
        let learned = of.learned();
        if learned.iter().any(|arm| arm.n <= 0.0) {
            continue;
        }
        for case in &of.epsilon_greedy {
            for (arm, theirs) in zip(&learned, &case.means) {
                let mean = arm.mean().unwrap() * of.scale;
                assert!((mean - theirs).abs() < 1e-12, "{mean} is not {theirs}");
            }
            let kind = PolicyKind::EpsilonGreedy {
                epsilon: share(case.epsilon),
                decay: false,
            };
            let errors = worst_errors(&case.frequency, &shares(kind, &learned), oracle.draws);
            assert!(errors < STANDARD_ERRORS, "{}: {errors}", of.name);
            worst = worst.max(errors);
        }
    }
    println!("epsilon-greedy: worst {worst:.2} standard errors");
}

/// mabwiser takes the mean of an arm without rewards to be 0 and never tries it unless it explores.
#[test]
fn an_arm_without_rewards_is_tried_where_mabwiser_never_does() {
    let oracle = mabwiser();
    let mut histories = oracle.histories.iter();
    let of = histories.find(|of| of.name == "unpulled_arm").unwrap();
    let learned = of.learned();
    let untried = learned.iter().position(|arm| arm.n <= 0.0).unwrap();
    let mut greedy = of.epsilon_greedy.iter();
    let greedy = greedy.find(|case| case.epsilon == 0.0).unwrap();
    assert_eq!(greedy.frequency[untried], 0.0);
    let kind = PolicyKind::EpsilonGreedy {
        epsilon: share(0.0),
        decay: false,
    };
    assert_eq!(shares(kind, &learned)[untried], 1.0);
    for kind in [PolicyKind::Ucb1, PolicyKind::Ucb1Tuned, PolicyKind::KlUcb] {
        let got = shares(kind.clone(), &learned)[untried];
        assert!(got > 0.1, "{kind:?}: {got}");
    }
}

/// Worst of 20,000 draws each: 1.4 standard errors.
#[test]
fn thompson_shares_are_mabwisers_frequencies() {
    let oracle = mabwiser();
    let mut worst: f64 = 0.0;
    for of in &oracle.histories {
        let Some(theirs) = &of.thompson else {
            continue;
        };
        let learned = of.learned();
        for (arm, (&alpha, &beta)) in zip(&learned, zip(&theirs.alpha, &theirs.beta)) {
            let ours = BetaPosterior::from_moments(defaults::PRIOR, arm);
            assert_eq!(ours, BetaPosterior { alpha, beta });
        }
        let exact = shares(PolicyKind::Thompson, &learned);
        let errors = worst_errors(&theirs.frequency, &exact, oracle.draws);
        assert!(errors < STANDARD_ERRORS, "{}: {errors}", of.name);
        worst = worst.max(errors);
    }
    println!("thompson: worst {worst:.2} standard errors");
}

fn normals(case: &Case) -> Vec<Posterior> {
    // where less is better they look for the least mean: the greatest of the flipped ones
    let sign = if case.inverse { -1.0 } else { 1.0 };
    zip(&case.posterior_mean, &case.posterior_sd)
        .map(|(mean, &sd)| {
            let mean = sign * mean;
            NormalPosterior { mean, sd }.into()
        })
        .collect()
}

/// gbstats draws 10,000 times; ours is exact. Worst: 1.8 standard errors, and 1e-14 from the exact values for the same
/// normal posteriors. Its `top_two` is another policy, half of P(first or second), and so is not compared.
#[test]
fn normal_weights_are_gbstats_within_its_sampling_error() {
    let oracle = gbstats();
    let (mut worst, mut off, mut compared): (f64, f64, u32) = (0.0, 0.0, 0);
    for case in &oracle.cases {
        let best = best_arm(&normals(case)).unwrap().p_best;
        for (ours, exact) in zip(&best, &case.exact) {
            off = off.max((ours - exact).abs());
        }
        if case.top_two {
            continue;
        }
        let arms = best.len() as f64;
        let (floor, spread) = if case.floor * arms < 1.0 {
            (case.floor, 1.0 - case.floor * arms)
        } else {
            (1.0 / arms, 0.0)
        };
        if spread > 0.0 {
            let theirs: Vec<f64> = case.weights.iter().map(|w| (w - floor) / spread).collect();
            let errors = worst_errors(&theirs, &best, oracle.draws);
            assert!(errors < STANDARD_ERRORS, "{}: {errors}", case.name);
            worst = worst.max(errors);
        } else {
            assert!(case.weights.iter().all(|w| (w - floor).abs() < 1e-12));
        }
        compared += 1;
    }
    assert_eq!(compared, 24);
    assert!(off < 1e-11, "off by {off:e}");
    println!("normals: worst {worst:.2} standard errors, off by {off:e}");
}

/// gbstats gives the arm with 0 of 500 conversions half of the traffic against 8 of 500: its variance is 0, and so
/// its precision is set to 0 and the prior takes over. Exactly, it is best with probability 0.0019 (STATS 1.2).
#[test]
fn an_arm_that_never_converts_gets_the_floor_and_not_half_as_in_gbstats() {
    let oracle = gbstats();
    let mut cases = oracle.cases.iter();
    let case = cases
        .find(|case| case.name == "zero conversions one arm")
        .unwrap();
    assert!(case.weights[0] > 0.5);
    let learned = [0.0, 8.0].map(|sum| Moments {
        n: 500.0,
        sum,
        sum_sq: sum,
    });
    let exact = shares(PolicyKind::Thompson, &learned)[0];
    assert!((exact - 0.0019).abs() < 5e-5, "{exact}");
    // the same rewards taken as real numbers: no variance of its own either, and no half
    let scaled = bandit::posterior::Family::Normal.posteriors(&learned);
    let student_t = best_arm(&scaled).unwrap().p_best[0];
    assert!(student_t < 0.005, "{student_t}");
}

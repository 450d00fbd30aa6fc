//! What the policies publish, and when.

use bandit::allocation::Allocation;
use bandit::experiment::{ArmId, Millis, Share};
use bandit::policy::{ArmView, PolicyError, Publication, allocate, should_publish};
use bandit::posterior::{ArmStats, BetaPosterior, Moments, Posterior};
use bandit::probability::best_arm;
use bandit::spec::model::{BetaPrior, BurnIn, PolicyKind, PolicySpec};
use proptest::prelude::*;

use crate::common::{same_cases, share};

fn policy(kind: PolicyKind) -> PolicySpec {
    PolicySpec {
        kind,
        floor: share(0.01),
        max_weight: None,
        prior: BetaPrior {
            alpha: 1.0,
            beta: 1.0,
        },
        burn_in: BurnIn {
            for_: Millis(0),
            exposures_per_arm: 0,
            rewards_per_arm: 0,
        },
        publish_every: Millis(1_000),
        memory: None,
    }
}

/// Arms 0, 1, 2, ... with these successes of these trials, and 9 more units assigned and exposed.
fn arms(counts: &[(u64, u64)]) -> Vec<ArmView> {
    counts
        .iter()
        .zip(0..)
        .map(|(&(successes, trials), id)| {
            let stats = ArmStats {
                assigned: trials + 9,
                exposed: trials + 9,
                resolved: trials,
                reward_sum_micro: successes as i64 * 1_000_000,
                reward_sq_sum_micro: successes as i64 * 1_000_000,
                ..ArmStats::default()
            };
            ArmView {
                id: ArmId(id),
                control: id == 0,
                weight: 1.0,
                learned: Moments::from(&stats),
                stats,
            }
        })
        .collect()
}

fn publish(policy: &PolicySpec, arms: &[ArmView], running_for: Millis) -> Publication {
    allocate(policy, arms, running_for, |id| format!("arm-{id}")).unwrap()
}

fn shares(publication: &Publication) -> Vec<f64> {
    publication.allocation.iter().map(|(_, p)| p).collect()
}

#[test]
fn thompson_gives_each_arm_its_probability_of_being_best_above_the_floor() {
    let arms = arms(&[(44, 998), (84, 998), (70, 1000)]);
    let got = publish(&policy(PolicyKind::Thompson), &arms, Millis(0));
    let posteriors = [(45.0, 955.0), (85.0, 915.0), (71.0, 931.0)]
        .map(|(alpha, beta)| Posterior::Beta(BetaPosterior { alpha, beta }));
    let best = best_arm(&posteriors).unwrap();
    for (got, p_best) in shares(&got).iter().zip(best.p_best) {
        assert!((got - (0.01 + 0.97 * p_best)).abs() < 1e-12);
    }
    assert!(got.active && got.burn_in.is_none());
    assert!(got.allocation.get(ArmId(1)) > 0.85);
}

#[test]
fn a_capped_thompson_arm_takes_no_more_than_its_cap() {
    let capped = PolicySpec {
        max_weight: Some(share(0.6)),
        ..policy(PolicyKind::Thompson)
    };
    let got = shares(&publish(
        &capped,
        &arms(&[(10, 1000), (90, 1000), (10, 1000)]),
        Millis(0),
    ));
    assert!(
        (got[1] - 0.6).abs() < 1e-12 && (got[0] - 0.2).abs() < 1e-6,
        "{got:?}"
    );
}

#[test]
fn without_counts_the_split_is_even() {
    let got = shares(&publish(
        &policy(PolicyKind::Thompson),
        &arms(&[(0, 0); 4]),
        Millis(0),
    ));
    assert!(got.iter().all(|p| (p - 0.25).abs() < 1e-12), "{got:?}");
}

#[test]
fn burn_in_keeps_the_split_even_and_says_what_is_missing() {
    let mut policy = policy(PolicyKind::Thompson);
    policy.burn_in = BurnIn {
        for_: Millis(3_600_000),
        exposures_per_arm: 100,
        rewards_per_arm: 50,
    };
    let few = arms(&[(5, 200), (3, 12)]);
    let enough = arms(&[(5, 200), (30, 200)]);
    for (arms, running_for, want) in [
        (
            &few,
            600_500,
            Some("burn-in: 10m of 1h, 21 of 100 exposures on arm-1, 12 of 50 rewards on arm-1"),
        ),
        (
            &few,
            3_600_000,
            Some("burn-in: 21 of 100 exposures on arm-1, 12 of 50 rewards on arm-1"),
        ),
        (&enough, 3_599_999, Some("burn-in: 59m 59s of 1h")),
        (&enough, 3_600_000, None),
    ] {
        let got = publish(&policy, arms, Millis(running_for));
        assert_eq!(got.burn_in.as_deref(), want);
        assert_eq!(shares(&got) == [0.5, 0.5], want.is_some());
    }
}

#[test]
fn fixed_serves_the_declared_weights_from_the_start() {
    let mut arms = arms(&[(0, 0), (9, 9)]);
    arms[0].weight = 9.0;
    let mut policy = policy(PolicyKind::Fixed);
    policy.burn_in.rewards_per_arm = 100;
    let got = publish(&policy, &arms, Millis(0));
    assert_eq!(shares(&got), [0.9, 0.1]);
    assert!(got.active && got.burn_in.is_none());
    arms[1].weight = 0.0;
    let got = shares(&publish(&policy, &arms, Millis(0)));
    assert!((got[1] - 0.01).abs() < 1e-12, "{got:?}");
}

#[test]
fn policies_without_an_engine_split_evenly_and_say_so() {
    for kind in [
        PolicyKind::Ucb1,
        PolicyKind::EpsilonGreedy {
            epsilon: share(0.1),
        },
        PolicyKind::TopTwoThompson { beta: share(0.5) },
    ] {
        let got = publish(&policy(kind), &arms(&[(0, 100), (90, 100)]), Millis(0));
        assert_eq!((shares(&got), got.active), (vec![0.5, 0.5], false));
    }
}

#[test]
fn one_open_arm_takes_everything_and_none_is_an_error() {
    for kind in [PolicyKind::Thompson, PolicyKind::Fixed] {
        let mut policy = policy(kind);
        policy.max_weight = Some(share(0.6));
        assert_eq!(
            shares(&publish(&policy, &arms(&[(1, 2)]), Millis(0))),
            [1.0]
        );
        let none = allocate(&policy, &[], Millis(0), |id| id.to_string());
        assert!(matches!(none, Err(PolicyError::Arms(_))));
    }
}

#[test]
fn publishes_big_moves_at_once_and_small_ones_at_last() {
    let split = |p: f64| Allocation::new(vec![(ArmId(0), p), (ArmId(1), 1.0 - p)]).unwrap();
    let every = Millis(1_000);
    for (next, since_last, want) in [
        (0.51, 999, false),
        (0.51, 1_000, true),
        (0.5049, 1_000, false),
        (0.5049, 59_999, false),
        (0.5049, 60_000, true),
        (0.5, 600_000, false),
    ] {
        let got = should_publish(&split(0.5), &split(next), Millis(since_last), every);
        assert_eq!(got, want, "{next} after {since_last}");
    }
    let other_arms = Allocation::new(vec![(ArmId(0), 0.5), (ArmId(2), 0.5)]).unwrap();
    assert!(should_publish(&split(0.5), &other_arms, every, every));
}

proptest! {
    #![proptest_config(same_cases())]

    #[test]
    fn every_arm_of_a_learning_lane_keeps_its_floor(
        counts in prop::collection::vec((0..500_u64, 0..5_000_u64), 2..=12),
        floor in 0.0..1.0_f64,
        cap in prop::option::of(0.0..=1.0_f64),
    ) {
        let counts: Vec<_> = counts.into_iter().map(|(s, more)| (s, s + more)).collect();
        let k = counts.len() as f64;
        let mut policy = policy(PolicyKind::Thompson);
        policy.floor = Share::new(floor / k).unwrap();
        policy.max_weight = cap.map(share);
        let got = shares(&publish(&policy, &arms(&counts), Millis(0)));
        prop_assert!((got.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        prop_assert!(got.iter().all(|p| *p >= policy.floor.get() - 1e-15));
        if let Some(cap) = cap.filter(|cap| cap * k > 1.0) {
            prop_assert!(got.iter().all(|p| *p <= cap + 1e-12));
        }
    }
}

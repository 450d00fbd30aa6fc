//! What the policies publish, and when.

use bandit::allocation::Allocation;
use bandit::experiment::{ArmId, Millis, Share};
use bandit::policy::{ArmView, PolicyError, Publication, allocate, should_publish};
use bandit::posterior::{ArmStats, BetaPosterior, Moments, Posterior};
use bandit::probability::best_arm;
use bandit::spec::model::{BetaPrior, BurnIn, PolicyKind, PolicySpec, PosteriorKind};
use proptest::prelude::*;

use crate::common::{same_cases, share};

fn policy(kind: PolicyKind) -> PolicySpec {
    PolicySpec {
        kind,
        floor: share(0.01),
        control_floor: None,
        max_weight: None,
        posterior: PosteriorKind::Beta,
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

/// The same without a floor.
fn bare(kind: PolicyKind) -> PolicySpec {
    PolicySpec {
        floor: share(0.0),
        ..policy(kind)
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
    assert!(got.burn_in.is_none());
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
    assert!(got.burn_in.is_none());
    arms[1].weight = 0.0;
    let got = shares(&publish(&policy, &arms, Millis(0)));
    assert!((got[1] - 0.01).abs() < 1e-12, "{got:?}");
}

#[test]
fn top_two_plays_the_first_choice_with_beta_and_else_its_rivals() {
    let kind = PolicyKind::TopTwoThompson { beta: share(0.6) };
    let arms = arms(&[(20, 200), (24, 200), (15, 200)]);
    let got = shares(&publish(&policy(kind), &arms, Millis(0)));
    let psi = shares(&publish(&bare(PolicyKind::Thompson), &arms, Millis(0)));
    for (i, got) in got.iter().enumerate() {
        let others = (0..3).filter(|j| *j != i);
        let second: f64 = others.map(|j| psi[j] / (1.0 - psi[j])).sum();
        let want = psi[i] * (0.6 + 0.4 * second);
        assert!((got - (0.01 + 0.97 * want)).abs() < 1e-10, "{got}");
    }
}

/// P(best) of the last two arms is 0 in floating point: 1 - P(best) of the first says nothing of them.
#[test]
fn top_two_shares_the_second_choice_though_the_first_is_certain() {
    let kind = PolicyKind::TopTwoThompson { beta: share(0.5) };
    let counts = [(90_000, 100_000), (10_000, 100_000), (10_000, 100_000)];
    let got = shares(&publish(&bare(kind), &arms(&counts), Millis(0)));
    for (got, want) in got.iter().zip([0.5, 0.25, 0.25]) {
        assert!((got - want).abs() < 1e-12, "{got} is not {want}");
    }
}

#[test]
fn epsilon_greedy_explores_evenly_and_floors_are_a_part_of_it() {
    let greedy = |epsilon: f64, decay: bool, floor: f64, counts: &[(u64, u64)]| {
        let epsilon = share(epsilon);
        let policy = PolicySpec {
            floor: share(floor),
            ..policy(PolicyKind::EpsilonGreedy { epsilon, decay })
        };
        shares(&publish(&policy, &arms(counts), Millis(0)))
    };
    let check = |got: Vec<f64>, want: &[f64]| {
        for (got, want) in got.iter().zip(want) {
            assert!((got - want).abs() < 1e-12, "{got} is not {want}");
        }
    };
    let uneven = [(5, 100), (9, 100), (9, 100), (1, 100)];
    check(greedy(0.2, false, 0.01, &uneven), &[0.05, 0.45, 0.45, 0.05]);
    check(greedy(0.2, false, 0.10, &uneven), &[0.1, 0.4, 0.4, 0.1]);
    check(greedy(0.0, false, 0.0, &[(5, 5), (0, 0)]), &[0.0, 1.0]);
    // 10 % at 1,000 rewards per arm, twice that at an eighth of them, half at eight times, all at the start
    for (rewards, epsilon) in [(1_000, 0.1), (125, 0.2), (8_000, 0.05), (1, 1.0)] {
        let got = greedy(0.1, true, 0.0, &[(0, rewards), (rewards, rewards)]);
        check(got, &[epsilon / 2.0, 1.0 - epsilon / 2.0]);
    }
    check(
        greedy(0.1, true, 0.05, &[(0, 800_000), (800_000, 800_000)]),
        &[0.05, 0.95],
    );
}

#[test]
fn index_policies_share_the_coming_units_by_their_bounds() {
    for kind in [PolicyKind::Ucb1, PolicyKind::Ucb1Tuned, PolicyKind::KlUcb] {
        let of = |counts: &[(u64, u64)]| {
            shares(&publish(&policy(kind.clone()), &arms(counts), Millis(0)))
        };
        let better = of(&[(40, 400), (80, 400)]);
        assert!(better[1] > 0.5 && better[0] >= 0.01, "{kind:?}: {better:?}");
        let rarer = of(&[(40, 400), (4, 40)]);
        assert!(rarer[1] > 0.5, "{kind:?} explores: {rarer:?}");
        let untried = of(&[(40, 400), (0, 0)]);
        assert!(untried[1] > 0.5, "{kind:?} tries: {untried:?}");
        let settled = of(&[(10_000, 100_000), (30_000, 100_000)]);
        assert!(settled[0] < 0.011, "{kind:?} exploits: {settled:?}");
    }
}

/// A reward that scatters a tenth of what a coin does tells the arms apart a hundred times sooner.
#[test]
fn scaled_rewards_are_told_apart_by_their_own_variance() {
    let scaled = |mean: f64| Moments::around(100.0, mean, 100.0 * 0.05 * 0.05);
    let mut arms = arms(&[(0, 0), (0, 0)]);
    arms[0].learned = scaled(0.50);
    arms[1].learned = scaled(0.53);
    let mut policy = bare(PolicyKind::Thompson);
    let of_beta = shares(&publish(&policy, &arms, Millis(0)))[1];
    policy.posterior = PosteriorKind::StudentT;
    let of_student_t = shares(&publish(&policy, &arms, Millis(0)))[1];
    assert!(
        of_beta < 0.7 && of_student_t > 0.99,
        "{of_beta}, {of_student_t}"
    );
}

#[test]
fn the_control_keeps_a_floor_of_its_own_also_in_burn_in() {
    let mut policy = PolicySpec {
        control_floor: Some(share(0.4)),
        ..policy(PolicyKind::Thompson)
    };
    let arms = arms(&[(0, 500), (400, 500), (0, 500)]);
    let learned = shares(&publish(&policy, &arms, Millis(0)));
    for (got, want) in learned.iter().zip([0.4, 0.59, 0.01]) {
        assert!((got - want).abs() < 1e-9, "{learned:?}");
    }
    policy.burn_in.rewards_per_arm = 501;
    let burning_in = publish(&policy, &arms, Millis(0));
    assert!(burning_in.burn_in.is_some());
    for (got, want) in shares(&burning_in).iter().zip([0.4, 0.3, 0.3]) {
        assert!((got - want).abs() < 1e-12, "{burning_in:?}");
    }
}

#[test]
fn policies_stored_before_a_key_was_there_still_load() {
    let stored = r#"{"kind": {"kind": "epsilon_greedy", "epsilon": 0.2}, "floor": 0.01, "max_weight": null,
        "prior": {"alpha": 1.0, "beta": 1.0}, "publish_every": "5s",
        "burn_in": {"for_": "1h", "exposures_per_arm": 100, "rewards_per_arm": 100}}"#;
    let policy: PolicySpec = serde_json::from_str(stored).unwrap();
    let (epsilon, decay) = (share(0.2), false);
    assert_eq!(policy.kind, PolicyKind::EpsilonGreedy { epsilon, decay });
    assert_eq!(
        (policy.control_floor, policy.posterior),
        (None, PosteriorKind::Beta)
    );
}

#[test]
fn one_open_arm_takes_everything_and_none_is_an_error() {
    for kind in [
        PolicyKind::Thompson,
        PolicyKind::TopTwoThompson { beta: share(0.5) },
        PolicyKind::EpsilonGreedy {
            epsilon: share(0.1),
            decay: true,
        },
        PolicyKind::KlUcb,
        PolicyKind::Fixed,
    ] {
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

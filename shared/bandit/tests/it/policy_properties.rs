//! What every policy promises, for any counts.

use bandit::assign::draw;
use bandit::experiment::{ArmId, Millis, Share};
use bandit::policy::{ArmView, allocate};
use bandit::posterior::{ArmStats, Moments};
use bandit::spec::defaults;
use bandit::spec::model::{BurnIn, PolicyKind, PolicySpec, PosteriorKind};
use proptest::prelude::*;

use crate::common::{same_cases, serving, share, unit};

const LEARNING: usize = 7;

/// Every learning policy by its number.
fn kind(number: usize) -> PolicyKind {
    let epsilon = share(0.1);
    match number {
        0 => PolicyKind::Thompson,
        1 => PolicyKind::TopTwoThompson { beta: share(0.5) },
        2 => PolicyKind::EpsilonGreedy {
            epsilon,
            decay: false,
        },
        3 => PolicyKind::EpsilonGreedy {
            epsilon,
            decay: true,
        },
        4 => PolicyKind::Ucb1,
        5 => PolicyKind::Ucb1Tuned,
        _ => PolicyKind::KlUcb,
    }
}

/// Learns from the start, with the house's floor where it is possible.
fn policy(kind: PolicyKind, arms: usize) -> PolicySpec {
    PolicySpec {
        floor: share(0.3_f64.min(0.01 * arms as f64) / arms as f64),
        burn_in: BurnIn {
            for_: Millis(0),
            exposures_per_arm: 0,
            rewards_per_arm: 0,
        },
        ..defaults::policy(kind)
    }
}

fn shares(policy: &PolicySpec, learned: &[Moments]) -> Vec<f64> {
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
    let published = allocate(policy, &arms, Millis(0), |id| id.to_string()).unwrap();
    published.allocation.iter().map(|(_, p)| p).collect()
}

/// So many units of which this part succeeded.
fn coins(n: f64, rate: f64) -> Moments {
    let sum = (n * rate).floor();
    Moments {
        n,
        sum,
        sum_sq: sum,
    }
}

/// Counts of an arm: none, whole or fractions, coins or scaled rewards.
fn arm() -> impl Strategy<Value = Moments> {
    let n = prop_oneof![
        1 => Just(0.0),
        4 => (0..400_u32).prop_map(f64::from),
        2 => 0.0..1e4_f64,
        1 => 0.0..1e7_f64,
    ];
    let rate = prop_oneof![1 => Just(0.0), 1 => Just(1.0), 8 => 0.0..1.0_f64];
    (n, rate, 0.0..=1.0_f64).prop_map(|(n, rate, spread)| {
        let sum = n * rate;
        // between no spread at all and that of coins
        let sum_sq = sum * (rate + spread * (1.0 - rate));
        Moments { n, sum, sum_sq }
    })
}

fn learned() -> impl Strategy<Value = Vec<Moments>> {
    prop::collection::vec(arm(), 2..=8)
}

/// Up to the rounding of a sum of 64 probabilities.
const ROUNDING: f64 = 1e-12;

/// Where only the order of summing differs; quadrature is good to 1e-13.
const REORDERED: f64 = 1e-9;

proptest! {
    #![proptest_config(same_cases())]

    #[test]
    fn shares_sum_to_one_within_floor_and_cap(
        learned in learned(), number in 0..LEARNING,
        cap in prop::option::of(0.0..=1.0_f64), control in prop::option::of(0.0..0.6_f64),
    ) {
        let k = learned.len() as f64;
        let mut policy = policy(kind(number), learned.len());
        policy.control_floor = control.map(|floor| share(floor.max(policy.floor.get())));
        let highest = policy.control_floor.unwrap_or(policy.floor).get();
        policy.max_weight = cap.map(|cap| share(cap.max(highest).max(1.01 / k).min(1.0)));
        let got = shares(&policy, &learned);
        prop_assert!((got.iter().sum::<f64>() - 1.0).abs() < ROUNDING);
        prop_assert!(got.iter().all(|p| *p >= policy.floor.get() - ROUNDING), "{got:?}");
        prop_assert!(got[0] >= highest - ROUNDING, "{got:?}");
        let most = policy.max_weight.map_or(1.0, Share::get);
        prop_assert!(got.iter().all(|p| *p <= most + ROUNDING), "{got:?}");
    }

    /// In what order the arms are declared changes nothing but the order of the shares.
    #[test]
    fn a_permutation_of_the_arms_permutes_the_shares(
        (learned, order) in learned().prop_flat_map(|learned| {
            let order: Vec<usize> = (0..learned.len()).collect();
            (Just(learned), Just(order).prop_shuffle())
        }),
        number in 0..LEARNING, student_t in any::<bool>(),
    ) {
        let mut policy = policy(kind(number), learned.len());
        if student_t {
            policy.posterior = PosteriorKind::StudentT;
        }
        let permuted: Vec<Moments> = order.iter().map(|&at| learned[at]).collect();
        let (one, other) = (shares(&policy, &learned), shares(&policy, &permuted));
        for (place, &at) in order.iter().enumerate() {
            prop_assert!((other[place] - one[at]).abs() < REORDERED, "{one:?} and {other:?}");
        }
    }

    #[test]
    fn one_success_more_never_lowers_an_arms_share(
        counts in prop::collection::vec((1..2_000_u32, 0.0..1.0_f64), 2..=5),
    ) {
        let mut learned: Vec<Moments> =
            counts.iter().map(|&(n, rate)| coins(f64::from(n), rate)).collect();
        let policy = policy(PolicyKind::Thompson, learned.len());
        let before = shares(&policy, &learned)[0];
        learned[0].sum += 1.0;
        learned[0].sum_sq += 1.0;
        let after = shares(&policy, &learned)[0];
        prop_assert!(after >= before - ROUNDING, "{before} then {after}");
    }

    /// Arms with the same counts have the same share, to the last bit but for the order of summing.
    #[test]
    fn equal_arms_share_equally(arm in arm(), k in 2..=6_usize, number in 0..LEARNING) {
        let got = shares(&policy(kind(number), k), &vec![arm; k]);
        for p in got {
            prop_assert!((p - 1.0 / k as f64).abs() < REORDERED);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..same_cases() })]

    /// The logged propensity is the long-run frequency of the draw.
    #[test]
    fn units_draw_arms_as_often_as_the_allocation_says(
        learned in learned(), number in 0..LEARNING,
    ) {
        const UNITS: usize = 20_000;
        let allocation = shares(&policy(kind(number), learned.len()), &learned);
        let serving = serving(&allocation);
        let mut drawn = vec![0.0; allocation.len()];
        for number in 0..UNITS {
            let arm = draw(&serving, &unit(number)).arm;
            drawn[usize::from(arm.0)] += 1.0;
        }
        for (count, p) in drawn.iter().zip(&allocation) {
            let se = (p * (1.0 - p) / UNITS as f64).sqrt();
            let apart = (count / UNITS as f64 - p).abs();
            prop_assert!(apart <= 4.5 * se + 1.0 / UNITS as f64, "{count} at {p}");
        }
    }
}

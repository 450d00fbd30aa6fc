//! The draws are uniform, independent of each other, and stay put when traffic rises.

use crate::common::{same_cases, serving, serving_with, share, unit};
use bandit::assign::{Drawn, Serving, draw};
use bandit::experiment::{ArmId, LaneId};
use proptest::prelude::*;

/// The 1 - 1e-6 quantiles of chi-square, by degrees of freedom 1..=9 and 99: keys are fixed, so these either
/// always hold or never do.
const CHI_SQUARE: [(usize, f64); 6] = [
    (1, 23.93),
    (2, 27.63),
    (3, 30.66),
    (4, 33.38),
    (9, 44.81),
    (99, 179.9),
];

fn draws(serving: &Serving, units: usize) -> Vec<Drawn> {
    (0..units)
        .map(|number| draw(serving, &unit(number)))
        .collect()
}

#[track_caller]
fn check_shares(observed: &[usize], expected: &[f64]) {
    let total: usize = observed.iter().sum();
    let statistic: f64 = observed
        .iter()
        .zip(expected)
        .map(|(&count, share)| {
            let want = share * total as f64;
            (count as f64 - want).powi(2) / want
        })
        .sum();
    let freedom = observed.len() - 1;
    let (_, limit) = CHI_SQUARE
        .iter()
        .find(|(degrees, _)| *degrees == freedom)
        .expect("the table has this many degrees of freedom");
    assert!(
        statistic < *limit,
        "chi-square {statistic:.1} over {limit} for {observed:?}"
    );
}

fn counts_of(draws: &[Drawn], arms: usize) -> Vec<usize> {
    (0..arms)
        .map(|arm| {
            draws
                .iter()
                .filter(|it| it.arm == ArmId(arm as u16))
                .count()
        })
        .collect()
}

#[test]
fn buckets_are_uniform() {
    let drawn = draws(&serving(&[0.5, 0.5]), 100_000);
    for bucket_of in [
        (|it| it.traffic_bucket) as fn(&Drawn) -> f64,
        |it| it.lane_bucket,
        |it| it.arm_bucket,
    ] {
        let mut cells = [0; 100];
        for it in &drawn {
            cells[(bucket_of(it) * 100.0) as usize] += 1;
        }
        check_shares(&cells, &[0.01; 100]);
    }
}

#[test]
fn observed_shares_agree_with_the_propensities() {
    for allocation in [
        vec![0.5, 0.5],
        vec![0.9, 0.1],
        vec![0.01, 0.98, 0.01],
        vec![0.05, 0.1, 0.15, 0.3, 0.4],
    ] {
        let drawn = draws(&serving(&allocation), 100_000);
        check_shares(&counts_of(&drawn, allocation.len()), &allocation);
        for it in &drawn {
            assert_eq!(
                it.propensity.to_bits(),
                allocation[usize::from(it.arm.0)].to_bits()
            );
        }
    }
}

#[test]
fn arms_of_the_lanes_are_drawn_by_their_own_lane() {
    let drawn = draws(&serving_with(&[0.9, 0.1], 1.0, 0.25), 100_000);
    let (held_back, main): (Vec<Drawn>, Vec<Drawn>) =
        drawn.iter().partition(|it| it.lane == LaneId::HOLDBACK);
    check_shares(&[held_back.len(), main.len()], &[0.25, 0.75]);
    check_shares(&counts_of(&held_back, 2), &[0.5, 0.5]);
    check_shares(&counts_of(&main, 2), &[0.9, 0.1]);
}

#[test]
fn the_share_of_units_in_traffic_does_not_tell_their_arms() {
    let drawn = draws(&serving_with(&[0.3, 0.7], 0.2, 0.0), 100_000);
    let inside: Vec<Drawn> = drawn.into_iter().filter(|it| it.in_traffic).collect();
    check_shares(&[inside.len(), 100_000 - inside.len()], &[0.2, 0.8]);
    check_shares(&counts_of(&inside, 2), &[0.3, 0.7]);
}

#[test]
fn every_order_of_three_arms_is_as_frequent_as_any_other() {
    let third = 1.0 / 3.0;
    let drawn = draws(&serving(&[third, third, third]), 60_000);
    for place in 0..3 {
        let mut counts = [0; 3];
        for it in &drawn {
            counts[usize::from(it.order()[place].0)] += 1;
        }
        check_shares(&counts, &[third; 3]);
    }
}

#[test]
fn a_change_of_the_allocation_moves_few_units() {
    let before = draws(&serving(&[0.25, 0.25, 0.25, 0.25]), 20_000);
    let after = draws(&serving(&[0.28, 0.24, 0.24, 0.24]), 20_000);
    let moved = before
        .iter()
        .zip(&after)
        .filter(|(before, after)| before.arm != after.arm)
        .count();
    // 3 % must move; the walk through the arms moves less than twice that on average
    assert!((400..1_400).contains(&moved), "{moved} of 20000 moved");
}

#[test]
fn other_salts_draw_independently() {
    let here = draws(&serving(&[0.5, 0.5]), 20_000);
    let mut cells = [0; 4];
    let other = {
        let it = serving(&[0.5, 0.5]);
        Serving::new(
            it.key,
            it.state,
            it.arms,
            it.targeting,
            it.traffic,
            it.lanes,
            "x".to_owned(),
        )
        .unwrap()
    };
    for (here, there) in here.iter().zip(draws(&other, 20_000)) {
        cells[usize::from(here.arm.0 * 2 + there.arm.0)] += 1;
    }
    check_shares(&cells, &[0.25; 4]);
}

proptest! {
    #![proptest_config(same_cases())]

    #[test]
    fn raising_traffic_moves_nobody_out_or_to_another_arm(
        number in 0_usize..1_000_000,
        low in 0.0..=1.0_f64,
        more in 0.0..=1.0_f64,
    ) {
        let high = low + (1.0 - low) * more;
        let mut serving = serving_with(&[0.2, 0.3, 0.5], low, 0.1);
        let before = draw(&serving, &unit(number));
        serving.traffic = share(high);
        let after = draw(&serving, &unit(number));
        prop_assert!(!before.in_traffic || after.in_traffic);
        prop_assert_eq!((before.lane, before.arm), (after.lane, after.arm));
    }

    #[test]
    fn an_arm_without_probability_is_never_drawn(number in 0_usize..1_000_000) {
        prop_assert_eq!(draw(&serving(&[0.0, 1.0, 0.0]), &unit(number)).arm, ArmId(1));
    }

    #[test]
    fn the_order_holds_every_open_arm_once(number in 0_usize..1_000_000, arms in 1_usize..=64) {
        let drawn = draw(&serving(&vec![1.0 / arms as f64; arms]), &unit(number));
        let mut order = drawn.order().to_vec();
        order.sort_unstable();
        prop_assert_eq!(order, (0..arms as u16).map(ArmId).collect::<Vec<_>>());
    }
}

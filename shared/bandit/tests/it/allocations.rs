//! Floors, caps and sums hold for any weights.

use bandit::allocation::Limits;
use bandit::experiment::Share;
use proptest::prelude::*;

use crate::common::same_cases;

fn weights() -> impl Strategy<Value = Vec<f64>> {
    let any_scale = prop_oneof![
        Just(0.0),
        (0.0..1.0_f64),
        (-40.0..0.0_f64).prop_map(|exponent| 10_f64.powf(exponent)),
    ];
    prop::collection::vec(any_scale, 2..=64)
}

/// A floor below and a cap above the even split of `arms`.
fn limits(arms: usize, floor: f64, cap: f64) -> (Share, Share) {
    let even = 1.0 / arms as f64;
    let low = floor * even * 0.999;
    let high = even + (1.0 - even) * cap.max(1e-6);
    (Share::new(low).unwrap(), Share::new(high).unwrap())
}

const ROUNDING: f64 = 1e-13;

proptest! {
    #![proptest_config(same_cases())]

    #[test]
    fn sums_to_one_and_keeps_floor_and_cap(
        weights in weights(), floor in 0.0..=1.0_f64, cap in 0.0..=1.0_f64,
    ) {
        let (floor, cap) = limits(weights.len(), floor, cap);
        let uncapped = Limits::alike(weights.len(), floor, None);
        let capped = Limits::alike(weights.len(), floor, Some(cap));
        for (max_weight, got) in [
            (1.0, uncapped.mix(&weights)),
            (cap.get(), capped.mix(&weights)),
            (cap.get(), capped.project(&weights)),
        ] {
            let sum: f64 = got.iter().sum();
            prop_assert!((sum - 1.0).abs() < ROUNDING, "{got:?} sums to {sum}");
            for p in &got {
                prop_assert!(*p >= floor.get() - ROUNDING && *p <= max_weight + ROUNDING, "{got:?}");
            }
        }
    }

    #[test]
    fn keeps_the_order_of_the_weights(
        weights in weights(), floor in 0.0..=1.0_f64, cap in 0.0..=1.0_f64,
    ) {
        let (floor, cap) = limits(weights.len(), floor, cap);
        let got = Limits::alike(weights.len(), floor, Some(cap)).mix(&weights);
        for (i, j) in (0..weights.len()).flat_map(|i| (0..weights.len()).map(move |j| (i, j))) {
            prop_assert!(weights[i] < weights[j] || got[i] >= got[j] - ROUNDING);
        }
    }

    #[test]
    fn scaling_the_weights_changes_nothing(weights in weights(), exponent in -3..3_i32) {
        let floor = Share::new(0.5 / weights.len() as f64).unwrap();
        // a power of two, so that the division is exact
        let scaled: Vec<f64> = weights.iter().map(|weight| weight * 2_f64.powi(exponent)).collect();
        let limits = Limits::alike(weights.len(), floor, None);
        prop_assert_eq!(limits.mix(&weights), limits.mix(&scaled));
    }

    #[test]
    fn arms_with_floors_of_their_own_keep_them(
        weights in weights(), parts in prop::collection::vec(0.0..1.0_f64, 64), cap in 0.5..=1.0_f64,
    ) {
        let even = 1.0 / weights.len() as f64;
        let floors: Vec<Share> = parts
            .iter()
            .take(weights.len())
            .map(|part| Share::new(part * even).unwrap())
            .collect();
        let limits = Limits::new(&floors, Some(Share::new(cap.max(even * 1.01)).unwrap()));
        for got in [limits.mix(&weights), limits.project(&weights)] {
            prop_assert!((got.iter().sum::<f64>() - 1.0).abs() < ROUNDING, "{got:?}");
            for (p, floor) in got.iter().zip(&floors) {
                prop_assert!(*p >= floor.get() - ROUNDING && *p <= cap.max(even * 1.01) + ROUNDING);
            }
        }
    }

    #[test]
    fn no_allocation_that_keeps_the_limits_is_nearer_than_the_projection(
        weights in prop::collection::vec(0.0..1.0_f64, 5),
        other in prop::collection::vec(0.0..1.0_f64, 5),
        floor in 0.0..0.19_f64, cap in 0.25..=1.0_f64,
    ) {
        let limits = Limits::alike(5, Share::new(floor).unwrap(), Some(Share::new(cap).unwrap()));
        let (sum, point) = (weights.iter().sum::<f64>(), limits.project(&weights));
        prop_assume!(sum > 0.0);
        let distance = |to: &[f64]| -> f64 {
            weights.iter().zip(to).map(|(w, p)| (w / sum - p).powi(2)).sum()
        };
        prop_assert!(distance(&point) <= distance(&limits.mix(&other)) + ROUNDING);
    }
}

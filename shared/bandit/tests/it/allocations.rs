//! Floors, caps and sums hold for any weights.

use bandit::allocation::{project, with_floor};
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
        for (max_weight, got) in [
            (1.0, with_floor(&weights, floor, None)),
            (cap.get(), with_floor(&weights, floor, Some(cap))),
            (cap.get(), project(&weights, floor, cap)),
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
        let got = with_floor(&weights, floor, Some(cap));
        for (i, j) in (0..weights.len()).flat_map(|i| (0..weights.len()).map(move |j| (i, j))) {
            prop_assert!(weights[i] < weights[j] || got[i] >= got[j] - ROUNDING);
        }
    }

    #[test]
    fn scaling_the_weights_changes_nothing(weights in weights(), exponent in -3..3_i32) {
        let floor = Share::new(0.5 / weights.len() as f64).unwrap();
        // a power of two, so that the division is exact
        let scaled: Vec<f64> = weights.iter().map(|weight| weight * 2_f64.powi(exponent)).collect();
        prop_assert_eq!(with_floor(&weights, floor, None), with_floor(&scaled, floor, None));
    }
}

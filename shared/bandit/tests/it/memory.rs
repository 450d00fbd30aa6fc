//! What is remembered of the past.

use bandit::experiment::Millis;
use bandit::memory::{Slice, forgotten_after, remembered, weight};
use bandit::posterior::Moments;
use bandit::spec::model::Memory;
use proptest::prelude::*;

use crate::common::same_cases;

const DAY: u64 = 86_400_000;

fn days(count: u64) -> Millis {
    Millis(count * DAY)
}

#[test]
fn a_window_remembers_what_lies_inside_it() {
    let window = Memory::Window(days(14));
    assert_eq!(weight(window, days(14), days(3)), 1.0);
    assert_eq!(weight(window, days(20), days(14)), 0.0);
    assert_eq!(
        weight(window, days(16), days(12)),
        0.5,
        "half of it lies inside"
    );
    assert_eq!(weight(window, days(0), days(0)), 1.0);
    assert_eq!(forgotten_after(window), days(14));
}

#[test]
fn a_half_life_halves() {
    let half_life = Memory::HalfLife(days(7));
    for (age, want) in [(0, 1.0), (7, 0.5), (14, 0.25), (70, 2.0_f64.powi(-10))] {
        let got = weight(half_life, days(age), days(age));
        assert!((got - want).abs() < 1e-15, "{age} days: {got}");
    }
    // Over a span it is the mean: the integral of 2^(-t) from 0 to 1 is 1 / (2 ln 2).
    let got = weight(half_life, days(7), days(0));
    assert!((got - 0.5 / std::f64::consts::LN_2).abs() < 1e-15, "{got}");
    assert!(
        weight(
            half_life,
            forgotten_after(half_life),
            forgotten_after(half_life)
        ) < 1e-9
    );
}

/// STATS 10: with `n` units a batch and a factor of `g` a batch, `n / (1 - g)` are remembered in the end.
#[test]
fn a_half_life_settles_at_its_equilibrium() {
    let each = Moments {
        n: 100.0,
        sum: 10.0,
        sum_sq: 10.0,
    };
    let slices: Vec<Slice> = (0..400)
        .map(|age| Slice {
            oldest: days(age),
            newest: days(age),
            moments: each,
        })
        .collect();
    let got = remembered(Memory::HalfLife(days(5)), &slices);
    let want = 100.0 / (1.0 - 2.0_f64.powf(-0.2));
    assert!(
        (got.n - want).abs() < 1e-9 && (got.sum - want / 10.0).abs() < 1e-9,
        "{got:?}"
    );
}

fn any_memory() -> impl Strategy<Value = Memory> {
    (1..90 * DAY, any::<bool>()).prop_map(|(length, window)| {
        if window {
            Memory::Window(Millis(length))
        } else {
            Memory::HalfLife(Millis(length))
        }
    })
}

proptest! {
    #![proptest_config(same_cases())]

    #[test]
    fn a_weight_is_a_share_and_the_older_is_never_remembered_better(
        memory in any_memory(),
        newest in 0..100 * DAY,
        span in 0..10 * DAY,
        later in 0..10 * DAY,
    ) {
        let one = weight(memory, Millis(newest + span), Millis(newest));
        let older = weight(memory, Millis(newest + span + later), Millis(newest + later));
        prop_assert!((0.0..=1.0).contains(&one) && older <= one + 1e-15);
    }

    #[test]
    fn cutting_a_span_in_two_changes_nothing(
        memory in any_memory(),
        newest in 0..50 * DAY,
        first in 1..10 * DAY,
        second in 1..10 * DAY,
    ) {
        let (young, old) = (Millis(newest + first), Millis(newest + first + second));
        let whole = weight(memory, old, Millis(newest)) * (first + second) as f64;
        let parts = weight(memory, young, Millis(newest)) * first as f64
            + weight(memory, old, young) * second as f64;
        prop_assert!((whole - parts).abs() <= 1e-9 * (first + second) as f64);
    }
}

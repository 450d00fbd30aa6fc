//! Floors and caps: every open arm keeps enough traffic to be learned about, and none takes more than it may.

use crate::experiment::Share;

/// The allocation of a learning policy: `f + (1 - k f) w` for normalised `weights`, and then no arm above `max_weight`.
///
/// The additive floor (STATS 1.6) keeps the order of the weights, is linear in them, and never ends below `floor`
/// as clipping and renormalising does. What a capped arm gives up is spread evenly over the others. A floor of
/// `1/k` and more, a cap of `1/k` and less, and weights that are not a finite, non-negative, non-zero list all give
/// the even split. The result sums to 1 within a few roundings; an empty list gives an empty list.
pub fn with_floor(weights: &[f64], floor: Share, max_weight: Option<Share>) -> Vec<f64> {
    let arms = weights.len() as f64;
    let Some(whole) = normalised(weights).filter(|_| arms * floor.get() < 1.0) else {
        return even(weights.len());
    };
    let spread = 1.0 - arms * floor.get();
    let mixed: Vec<f64> = whole
        .iter()
        .map(|weight| floor.get() + spread * weight)
        .collect();
    match max_weight {
        Some(cap) => project(&mixed, floor, cap),
        None => mixed,
    }
}

/// The nearest allocation to `weights` (after normalising) with every arm in `floor..=cap`: weights that keep both
/// limits stay as they are.
///
/// This is the Euclidean projection on `{floor <= p <= cap, sum p = 1}` (STATS 1.6, water-filling): the same amount is
/// added to every arm, and each is then clamped. Limits that no allocation can keep give the even split.
pub fn project(weights: &[f64], floor: Share, cap: Share) -> Vec<f64> {
    let arms = weights.len() as f64;
    let (low, high) = (floor.get(), cap.get());
    let possible = arms * low < 1.0 && arms * high > 1.0;
    let Some(whole) = normalised(weights).filter(|_| possible) else {
        return even(weights.len());
    };
    if whole.iter().all(|weight| (low..=high).contains(weight)) {
        return whole;
    }
    let shift = water_level(&whole, low, high);
    whole
        .iter()
        .map(|weight| (weight + shift).clamp(low, high))
        .collect()
}

/// The amount that, added to every weight before clamping to `low..=high`, makes the sum 1.
///
/// The clamped sum rises with the amount and bends only where a weight meets a limit, so it is a straight line
/// between the two bends around the crossing. (Counting the free weights there instead is wrong by one whenever
/// rounding puts a weight on the other side of its limit.)
fn water_level(weights: &[f64], low: f64, high: f64) -> f64 {
    let mut bends: Vec<f64> = weights
        .iter()
        .flat_map(|weight| [low - weight, high - weight])
        .collect();
    bends.sort_by(f64::total_cmp);
    let filled = |shift: f64| -> f64 {
        weights
            .iter()
            .map(|weight| (weight + shift).clamp(low, high))
            .sum()
    };
    let after = bends
        .partition_point(|&bend| filled(bend) <= 1.0)
        .clamp(1, bends.len() - 1);
    let (from, to) = (bends[after - 1], bends[after]);
    let (below, above) = (filled(from), filled(to));
    from + (to - from) * ((1.0 - below) / (above - below))
}

fn normalised(weights: &[f64]) -> Option<Vec<f64>> {
    let sum: f64 = weights.iter().sum();
    let usable = weights.iter().all(|&weight| weight >= 0.0) && sum > 0.0 && sum.is_finite();
    usable.then(|| weights.iter().map(|weight| weight / sum).collect())
}

fn even(arms: usize) -> Vec<f64> {
    vec![1.0 / arms as f64; arms]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(value: f64) -> Share {
        Share::new(value).unwrap()
    }

    fn check(got: &[f64], want: &[f64]) {
        assert_eq!(got.len(), want.len());
        for (got, want) in got.iter().zip(want) {
            assert!((got - want).abs() < 1e-15, "{got} is not {want}");
        }
    }

    #[test]
    fn floor_is_added_not_clipped() {
        check(
            &with_floor(&[1.0, 0.0, 0.0], share(0.1), None),
            &[0.8, 0.1, 0.1],
        );
        check(&with_floor(&[3.0, 1.0], share(0.0), None), &[0.75, 0.25]);
    }

    #[test]
    fn impossible_limits_and_useless_weights_give_the_even_split() {
        check(&with_floor(&[1.0, 0.0], share(0.5), None), &[0.5, 0.5]);
        check(&with_floor(&[1.0, 0.0], share(0.9), None), &[0.5, 0.5]);
        check(
            &with_floor(&[1.0, 0.0], share(0.1), Some(share(0.3))),
            &[0.5, 0.5],
        );
        check(&with_floor(&[0.0, 0.0], share(0.1), None), &[0.5, 0.5]);
        check(&with_floor(&[f64::NAN, 1.0], share(0.1), None), &[0.5, 0.5]);
        assert!(with_floor(&[], share(0.1), None).is_empty());
    }

    #[test]
    fn what_a_capped_arm_gives_up_goes_to_the_others_evenly() {
        check(
            &with_floor(&[1.0, 0.0, 0.0], share(0.1), Some(share(0.6))),
            &[0.6, 0.2, 0.2],
        );
        // the second arm meets the cap only because of what the first gave up
        check(
            &project(&[0.7, 0.29, 0.01], share(0.0), share(0.4)),
            &[0.4, 0.4, 0.2],
        );
    }

    #[test]
    fn projection_leaves_what_keeps_the_limits_and_lifts_what_does_not() {
        check(&project(&[0.9, 0.1], share(0.01), Share::ALL), &[0.9, 0.1]);
        check(
            &project(&[1.0, 0.0], share(0.05), Share::ALL),
            &[0.95, 0.05],
        );
        check(
            &project(&[0.8, 0.19, 0.01], share(0.05), Share::ALL),
            &[0.78, 0.17, 0.05],
        );
    }
}

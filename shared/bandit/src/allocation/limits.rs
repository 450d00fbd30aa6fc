//! Floors and caps: every open arm keeps enough traffic to be learned about, and none takes more than it may.

use crate::experiment::Share;

/// What the probabilities of the open arms must keep: one floor per arm, one cap for all.
///
/// Limits that no allocation can keep without being the even split, or at all, are not kept: [`Limits::mix`] and
/// [`Limits::project`] then give the even split, as they do for weights that are not a finite, non-negative, non-zero
/// list. What they give sums to 1 within a few roundings.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    floors: Vec<f64>,
    cap: f64,
    possible: bool,
}

impl Limits {
    /// A floor for each arm in its order, and the most that any arm may have.
    pub fn new(floors: &[Share], cap: Option<Share>) -> Self {
        let floors: Vec<f64> = floors.iter().map(|floor| floor.get()).collect();
        let cap = cap.unwrap_or(Share::ALL).get();
        let highest = floors.iter().copied().fold(0.0, f64::max);
        let possible =
            floors.iter().sum::<f64>() < 1.0 && highest <= cap && floors.len() as f64 * cap > 1.0;
        Self {
            floors,
            cap,
            possible,
        }
    }

    /// The same floor for each of `arms` arms.
    pub fn alike(arms: usize, floor: Share, cap: Option<Share>) -> Self {
        Self::new(&vec![floor; arms], cap)
    }

    /// What the floors take together.
    pub fn taken(&self) -> f64 {
        self.floors.iter().sum()
    }

    /// The floor that every arm has; 0 without arms.
    pub fn lowest_floor(&self) -> f64 {
        self.floors.iter().copied().reduce(f64::min).unwrap_or(0.0)
    }

    /// The allocation of a learning policy: `f_i + (1 - sum f) w_i` for normalised `weights`, and then no arm above the
    /// cap.
    ///
    /// The additive floor (STATS 1.6) is linear in the weights, keeps the order of arms with the same floor, and never
    /// ends below a floor as clipping and renormalising does. What a capped arm gives up is spread evenly over the
    /// others.
    pub fn mix(&self, weights: &[f64]) -> Vec<f64> {
        let Some(whole) = normalised(weights).filter(|_| self.possible) else {
            return even(weights.len());
        };
        let spread = 1.0 - self.taken();
        let mixed: Vec<f64> = whole
            .iter()
            .zip(&self.floors)
            .map(|(weight, floor)| floor + spread * weight)
            .collect();
        if self.cap < 1.0 {
            self.project(&mixed)
        } else {
            mixed
        }
    }

    /// The nearest allocation to `weights` (after normalising) that keeps the limits: weights that keep them stay as
    /// they are.
    ///
    /// This is the Euclidean projection on `{f_i <= p_i <= cap, sum p = 1}` (STATS 1.6, water-filling): the same amount
    /// is added to every arm, and each is then clamped.
    pub fn project(&self, weights: &[f64]) -> Vec<f64> {
        let Some(whole) = normalised(weights).filter(|_| self.possible) else {
            return even(weights.len());
        };
        let kept = |(weight, floor): (&f64, &f64)| (*floor..=self.cap).contains(weight);
        if whole.iter().zip(&self.floors).all(kept) {
            return whole;
        }
        let shift = self.water_level(&whole);
        self.filled(&whole, shift).collect()
    }

    /// The weights with the same amount added to each, inside the limits.
    fn filled<'a>(&'a self, weights: &'a [f64], shift: f64) -> impl Iterator<Item = f64> + 'a {
        weights
            .iter()
            .zip(&self.floors)
            .map(move |(weight, floor)| (weight + shift).clamp(*floor, self.cap))
    }

    /// The amount that, added to every weight before clamping, makes the sum 1.
    ///
    /// The clamped sum rises with the amount and bends only where a weight meets a limit, so it is a straight line
    /// between the two bends around the crossing. (Counting the free weights there instead is wrong by one whenever
    /// rounding puts a weight on the other side of its limit.)
    fn water_level(&self, weights: &[f64]) -> f64 {
        let mut bends: Vec<f64> = weights
            .iter()
            .zip(&self.floors)
            .flat_map(|(weight, floor)| [floor - weight, self.cap - weight])
            .collect();
        bends.sort_by(f64::total_cmp);
        let filled = |shift: f64| -> f64 { self.filled(weights, shift).sum() };
        let after = bends
            .partition_point(|&bend| filled(bend) <= 1.0)
            .clamp(1, bends.len() - 1);
        let (from, to) = (bends[after - 1], bends[after]);
        let (below, above) = (filled(from), filled(to));
        from + (to - from) * ((1.0 - below) / (above - below))
    }
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

    fn limits(floors: &[f64], cap: f64) -> Limits {
        let floors: Vec<Share> = floors.iter().map(|floor| share(*floor)).collect();
        Limits::new(&floors, Some(share(cap)))
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
            &limits(&[0.1; 3], 1.0).mix(&[1.0, 0.0, 0.0]),
            &[0.8, 0.1, 0.1],
        );
        check(&limits(&[0.0; 2], 1.0).mix(&[3.0, 1.0]), &[0.75, 0.25]);
    }

    #[test]
    fn one_arm_may_have_a_floor_of_its_own() {
        let limits = limits(&[0.4, 0.1, 0.1], 1.0);
        check(&limits.mix(&[0.0, 1.0, 0.0]), &[0.4, 0.5, 0.1]);
        check(&limits.project(&[0.0, 1.0, 0.0]), &[0.4, 0.5, 0.1]);
        let third = 1.0 / 3.0;
        check(&limits.project(&[third; 3]), &[0.4, 0.3, 0.3]);
    }

    #[test]
    fn impossible_limits_and_useless_weights_give_the_even_split() {
        for (floors, cap, weights) in [
            ([0.5, 0.5], 1.0, [1.0, 0.0]),
            ([0.9, 0.9], 1.0, [1.0, 0.0]),
            ([0.1, 0.1], 0.3, [1.0, 0.0]),
            ([0.7, 0.0], 0.6, [1.0, 0.0]),
            ([0.1, 0.1], 1.0, [0.0, 0.0]),
            ([0.1, 0.1], 1.0, [f64::NAN, 1.0]),
            ([0.1, 0.1], 1.0, [f64::INFINITY, 1.0]),
        ] {
            let limits = limits(&floors, cap);
            check(&limits.mix(&weights), &[0.5, 0.5]);
            check(&limits.project(&weights), &[0.5, 0.5]);
        }
        assert!(limits(&[], 1.0).mix(&[]).is_empty());
    }

    #[test]
    fn what_a_capped_arm_gives_up_goes_to_the_others_evenly() {
        check(
            &limits(&[0.1; 3], 0.6).mix(&[1.0, 0.0, 0.0]),
            &[0.6, 0.2, 0.2],
        );
        // the second arm meets the cap only because of what the first gave up
        check(
            &limits(&[0.0; 3], 0.4).project(&[0.7, 0.29, 0.01]),
            &[0.4, 0.4, 0.2],
        );
    }

    #[test]
    fn projection_leaves_what_keeps_the_limits_and_lifts_what_does_not() {
        check(&limits(&[0.01; 2], 1.0).project(&[0.9, 0.1]), &[0.9, 0.1]);
        check(&limits(&[0.05; 2], 1.0).project(&[1.0, 0.0]), &[0.95, 0.05]);
        check(
            &limits(&[0.05; 3], 1.0).project(&[0.8, 0.19, 0.01]),
            &[0.78, 0.17, 0.05],
        );
    }
}

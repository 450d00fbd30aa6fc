//! What the units of each lane earned, and which lane earned more.

use crate::inference::Interval;
use crate::posterior::{ArmStats, MICRO, NormalPosterior};

/// The level of an interval, and of all differences together.
pub const LEVEL: f64 = 0.95;

/// The reward of a lane's resolved units, all arms together: what its policy earned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Earned {
    /// Resolved units, above 0.
    pub resolved: u64,
    /// Their mean reward, in `0..=1`.
    pub mean: f64,
    /// The variance of their rewards, in `0..=0.25`.
    pub variance: f64,
}

/// How much more one lane earned a unit than another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// Which lane earned more: its place in the list.
    pub ahead: usize,
    /// Which earned less.
    pub behind: usize,
    /// By how much, in reward a unit; at least 0.
    pub by: f64,
    /// Where the difference may lie.
    pub interval: Interval,
}

impl Earned {
    /// `None` before the first unit has resolved.
    pub fn of(stats: &ArmStats) -> Option<Self> {
        let mean = stats.reward_mean()?;
        let mean_of_squares =
            stats.reward_sq_sum_micro as f64 / MICRO as f64 / stats.resolved as f64;
        Some(Self {
            resolved: stats.resolved,
            mean,
            variance: (mean_of_squares - mean * mean).clamp(0.0, 0.25),
        })
    }

    /// The score interval of the mean, which for rewards of 0 and 1 is that of Wilson (1927): it does not collapse
    /// where no unit, or every unit, was a success. It holds for one look at a time that the data did not choose.
    pub fn interval(&self, level: f64) -> Interval {
        let (_, z) = NormalPosterior { mean: 0.0, sd: 1.0 }.interval(level);
        let n = self.resolved as f64;
        let weight = z * z / n;
        let middle = (self.mean + weight / 2.0) / (1.0 + weight);
        let radius = z * (self.variance / n + weight / (4.0 * n)).sqrt() / (1.0 + weight);
        Interval::around(middle, radius).intersect(&Interval::REWARDS)
    }
}

/// The lane that earned most a unit against every other, best first; empty for fewer than two.
///
/// The lanes draw different units, so their intervals combine as independent ones (Newcombe 1998, method 10). The
/// leader is chosen by looking, so the level is that of all pairs together (Bonferroni).
pub fn differences(lanes: &[Earned]) -> Vec<Difference> {
    let mut order: Vec<usize> = (0..lanes.len()).collect();
    order.sort_by(|a, b| lanes[*b].mean.total_cmp(&lanes[*a].mean));
    let Some((&ahead, others)) = order.split_first() else {
        return Vec::new();
    };
    let pairs = lanes.len() * lanes.len().saturating_sub(1) / 2;
    let level = 1.0 - (1.0 - LEVEL) / pairs.max(1) as f64;
    let best = &lanes[ahead];
    others
        .iter()
        .map(|&behind| {
            let other = &lanes[behind];
            let (one, two) = (best.interval(level), other.interval(level));
            let by = best.mean - other.mean;
            let below = (best.mean - one.low).hypot(two.high - other.mean);
            let above = (one.high - best.mean).hypot(other.mean - two.low);
            Difference {
                ahead,
                behind,
                by,
                interval: Interval {
                    low: by - below,
                    high: by + above,
                },
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binary(successes: i64, resolved: u64) -> Earned {
        Earned::of(&ArmStats {
            resolved,
            reward_sum_micro: successes * MICRO,
            reward_sq_sum_micro: successes * MICRO,
            ..ArmStats::default()
        })
        .expect("some have resolved")
    }

    fn close(found: Interval, low: f64, high: f64) {
        // The papers print four decimals.
        let off = (found.low - low).abs().max((found.high - high).abs());
        assert!(off < 5.1e-5, "{found:?} and not {low} to {high}");
    }

    #[test]
    fn one_lane_has_the_interval_of_wilson() {
        // Newcombe (1998a), table I, method 3.
        close(binary(81, 263).interval(LEVEL), 0.2553, 0.3662);
        close(binary(15, 148).interval(LEVEL), 0.0624, 0.1605);
        close(binary(0, 20).interval(LEVEL), 0.0, 0.1611);
        close(binary(1, 29).interval(LEVEL), 0.0061, 0.1718);
    }

    #[test]
    fn two_lanes_have_the_difference_of_newcombe() {
        // Newcombe (1998b), table II, method 10.
        let found = differences(&[binary(48, 80), binary(56, 70)]);
        assert_eq!((found.len(), found[0].ahead, found[0].behind), (1, 1, 0));
        close(found[0].interval, 0.0524, 0.3339);
        close(
            differences(&[binary(9, 10), binary(3, 10)])[0].interval,
            0.1705,
            0.8090,
        );
    }

    #[test]
    fn of_three_lanes_each_difference_is_wider_than_alone() {
        let lanes = [binary(30, 300), binary(60, 300), binary(45, 300)];
        let found = differences(&lanes);
        let places: Vec<(usize, usize)> = found.iter().map(|it| (it.ahead, it.behind)).collect();
        assert_eq!(places, [(1, 2), (1, 0)]);
        let alone = differences(&lanes[..2])[0].interval;
        assert!(found[1].interval.low < alone.low && alone.high < found[1].interval.high);
    }

    #[test]
    fn scaled_rewards_vary_less_than_a_coin_and_are_known_better() {
        let scaled = Earned::of(&ArmStats {
            resolved: 400,
            reward_sum_micro: 200 * MICRO,
            reward_sq_sum_micro: 110 * MICRO,
            ..ArmStats::default()
        });
        let scaled = scaled.expect("some have resolved");
        assert!((scaled.variance - 0.025).abs() < 1e-12);
        let (narrow, wide) = (scaled.interval(LEVEL), binary(200, 400).interval(LEVEL));
        assert!(wide.low < narrow.low && narrow.high < wide.high);
        assert_eq!(Earned::of(&ArmStats::default()), None);
        assert!(differences(&[]).is_empty());
    }
}

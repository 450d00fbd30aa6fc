//! What is true in a simulation: every arm's mean reward, and how single rewards scatter around it.

use crate::posterior::MICRO;
use crate::simulate::Generator;
use crate::spec::model::{Direction, OutcomeSpec, RewardSpec};

/// The truth about the arms of an experiment, in their order.
///
/// Means are kept as rewards are: in `0..=1`, more is better. [`Truth::unit`] turns differences back into the
/// reward's own units.
#[derive(Debug, Clone, PartialEq)]
pub struct Truth {
    arms: Vec<ArmTruth>,
    /// What a reward of 0 is in the reward's own units.
    zero: f64,
    /// What a reward of 1 is more; below 0 where less is better.
    slope: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct ArmTruth {
    mean: f64,
    scatter: Scatter,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Scatter {
    /// 1 with the probability of the mean, else 0.
    Coin,
    /// Always the mean.
    None,
    /// A Beta distribution with the mean: bounded like the reward, so that clipping takes nothing away from it.
    Beta { alpha: f64, beta: f64 },
}

/// Why declared means cannot be simulated.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum InvalidTruth {
    /// A rate that is none.
    #[error(
        "{rate} is not a rate: give the share of units that succeed, from 0 to 1, such as 0.05"
    )]
    Rate {
        /// Of which arm, by its place.
        arm: usize,
        /// The number.
        rate: f64,
    },
    /// A mean that no unit can have on average.
    #[error(
        "{mean} is not between {min} and {max}, the least and the greatest value that the reward counts"
    )]
    Mean {
        /// Of which arm, by its place.
        arm: usize,
        /// The number.
        mean: f64,
        /// The reward's least value.
        min: f64,
        /// The reward's greatest value.
        max: f64,
    },
    /// A scaled reward without a spread.
    #[error("a scaled reward needs the standard deviation of a unit's value")]
    NoSpread,
    /// A binary reward with one.
    #[error("a binary reward has no standard deviation of its own: the rates say all")]
    Spread,
    /// More spread than values between the limits can have.
    #[error(
        "a standard deviation of {sd} is not possible around a mean of {mean} within the reward's limits; it is below {most:.3}"
    )]
    TooWide {
        /// Of which arm, by its place.
        arm: usize,
        /// The standard deviation.
        sd: f64,
        /// The arm's mean.
        mean: f64,
        /// What the standard deviation must stay below.
        most: f64,
    },
}

impl Truth {
    /// The arms' `means`: rates of success in `0..=1` for a binary reward; for a scaled one, means of a unit's value
    /// in the reward's own units, with the standard deviation `sd` of a unit's value.
    pub fn new(reward: &RewardSpec, means: &[f64], sd: Option<f64>) -> Result<Self, InvalidTruth> {
        let arms = means.iter().enumerate();
        let (arms, min, max): (Result<Vec<ArmTruth>, InvalidTruth>, f64, f64) = match reward.outcome
        {
            OutcomeSpec::Binary { .. } => {
                if sd.is_some() {
                    return Err(InvalidTruth::Spread);
                }
                let coin = |(arm, &rate)| ArmTruth::coin(arm, rate);
                (arms.map(coin).collect(), 0.0, 1.0)
            }
            OutcomeSpec::Scaled { min, max, .. } => {
                let sd = sd.ok_or(InvalidTruth::NoSpread)?;
                let value = |(arm, &mean)| ArmTruth::value(arm, mean, sd, min, max);
                (arms.map(value).collect(), min, max)
            }
        };
        let mut arms = arms?;
        let (zero, slope) = match reward.direction {
            Direction::Increase => (min, max - min),
            Direction::Decrease => {
                arms.iter_mut().for_each(ArmTruth::flip);
                (max, min - max)
            }
        };
        Ok(Self { arms, zero, slope })
    }

    /// How many arms there are.
    pub fn arms(&self) -> usize {
        self.arms.len()
    }

    /// The mean reward of an arm, by its place, in `0..=1`.
    pub fn mean(&self, arm: usize) -> f64 {
        self.arms[arm].mean
    }

    /// The mean reward of the best arm, in `0..=1`; 0 without arms.
    pub fn best(&self) -> f64 {
        self.arms.iter().map(|arm| arm.mean).fold(0.0, f64::max)
    }

    /// Whether no arm is better than this one.
    pub fn is_best(&self, arm: usize) -> bool {
        self.mean(arm) >= self.best()
    }

    /// Whether all arms are alike, so that every winner is a false alarm.
    pub fn is_even(&self) -> bool {
        (0..self.arms()).all(|arm| self.is_best(arm))
    }

    /// How much of the reward's own units a difference of 1 is: 1 for binary rewards, `max - min` for scaled ones.
    pub fn unit(&self) -> f64 {
        self.slope.abs()
    }

    /// What so many units with this sum of rewards are worth, in the reward's own units: successes, or the sum of
    /// their values.
    pub fn value(&self, units: f64, reward_sum: f64) -> f64 {
        units * self.zero + reward_sum * self.slope
    }

    /// The reward of one unit of an arm, in millionths in `0..=1_000_000`.
    pub fn draw(&self, arm: usize, generator: &mut Generator) -> i32 {
        let ArmTruth { mean, scatter } = self.arms[arm];
        let reward = match scatter {
            Scatter::Coin => f64::from(u8::from(generator.happens(mean))),
            Scatter::None => mean,
            Scatter::Beta { alpha, beta } => generator.beta(alpha, beta),
        };
        (reward * MICRO as f64).round() as i32
    }
}

impl ArmTruth {
    fn coin(arm: usize, rate: f64) -> Result<Self, InvalidTruth> {
        if !(0.0..=1.0).contains(&rate) {
            return Err(InvalidTruth::Rate { arm, rate });
        }
        Ok(Self {
            mean: rate,
            scatter: Scatter::Coin,
        })
    }

    /// A Beta distribution on `min..max` with this mean and standard deviation: with the mean `m` and the variance `v`
    /// scaled to `0..1`, `alpha + beta = m (1 - m) / v - 1` and `alpha = m (alpha + beta)`.
    fn value(arm: usize, mean: f64, sd: f64, min: f64, max: f64) -> Result<Self, InvalidTruth> {
        if !(min..=max).contains(&mean) {
            return Err(InvalidTruth::Mean {
                arm,
                mean,
                min,
                max,
            });
        }
        let scaled = (mean - min) / (max - min);
        let spread = sd / (max - min);
        if spread == 0.0 {
            return Ok(Self {
                mean: scaled,
                scatter: Scatter::None,
            });
        }
        let most = scaled * (1.0 - scaled);
        let size = most / (spread * spread) - 1.0;
        if !(spread > 0.0 && size > 0.0) {
            let most = most.sqrt() * (max - min);
            return Err(InvalidTruth::TooWide {
                arm,
                sd,
                mean,
                most,
            });
        }
        Ok(Self {
            mean: scaled,
            scatter: Scatter::Beta {
                alpha: scaled * size,
                beta: (1.0 - scaled) * size,
            },
        })
    }

    /// Less is better: the reward is what is missing to 1.
    fn flip(&mut self) {
        self.mean = 1.0 - self.mean;
        if let Scatter::Beta { alpha, beta } = self.scatter {
            self.scatter = Scatter::Beta {
                alpha: beta,
                beta: alpha,
            };
        }
    }
}

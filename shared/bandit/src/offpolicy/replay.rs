//! Replay: run a policy over a log and keep the rows on which it draws the logged arm (STATS 9.1).
//!
//! Li, Chu, Langford and Wang 2011, algorithms 2 and 3. On a log of uniform draws the kept rows are a stream that the
//! policy could have produced itself, so a policy that learns may learn from them and their mean reward is its value.
//! A log that is not uniform is first thinned to one that is: a row stays with probability `least propensity / propensity`.

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::estimate::{Estimate, RewardRange};
use super::row::{InvalidRow, Row};
use super::sums::TermMoments;
use super::target::Target;
use crate::allocation::Allocation;
use crate::experiment::{ArmId, Millis, Share};
use crate::policy::{ArmView, PolicyError, allocate};
use crate::posterior::{ArmStats, MICRO, Moments, squared_micro};
use crate::spec::defaults;
use crate::spec::model::{BurnIn, PolicyKind, PolicySpec};

/// Two draws a row: whether it stays, and which arm the policy would show.
const THIN: u64 = 0x9e37_79b9_7f4a_7c15;

/// 2^-53: the spacing of the 53-bit draws.
const SPACING: f64 = 1.0 / 9_007_199_254_740_992.0;

/// A policy on its way through a log.
#[derive(Debug, Clone, PartialEq)]
pub struct Replay {
    player: Player,
    least_propensity: f64,
    seed: u64,
    replayed: Replayed,
    rewards: TermMoments,
}

#[derive(Debug, Clone, PartialEq)]
enum Player {
    Still(Target),
    Learning(Learner),
}

#[derive(Debug, Clone, PartialEq)]
struct Learner {
    policy: PolicySpec,
    stats: Vec<ArmStats>,
    allocation: Allocation,
    publish_every: u64,
    unpublished: u64,
}

/// What a replay came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Replayed {
    /// Rows looked at.
    pub rows: u64,
    /// Rows left after thinning to uniform; all of a uniform log.
    pub thinned: u64,
    /// Rows on which the policy drew the logged arm.
    pub matched: u64,
    /// Their rewards, added up.
    pub reward_sum: f64,
    /// Allocations published on the way, the first included; 1 for a policy that does not learn.
    pub versions: u64,
    /// The last allocation of a policy that learns, by arm.
    pub allocation: Option<Vec<f64>>,
    /// The mean reward of the matched rows; 0 of none.
    pub value: Estimate,
}

impl Replay {
    /// A policy that does not learn, over a log whose least propensity this is.
    pub fn still(target: Target, least_propensity: f64, seed: u64) -> Self {
        Self::new(Player::Still(target), least_propensity, seed)
    }

    /// A policy that learns, over `arms` arms, with a new allocation after every `publish_every` matched rows.
    ///
    /// Floor, prior and cap are those of `policy`; a burn-in would be counted in rows that never came.
    pub fn learning(
        policy: PolicySpec,
        arms: usize,
        publish_every: u64,
        least_propensity: f64,
        seed: u64,
    ) -> Result<Self, PolicyError> {
        let policy = PolicySpec {
            burn_in: BurnIn {
                for_: Millis(0),
                exposures_per_arm: 0,
                rewards_per_arm: 0,
            },
            ..policy
        };
        let ids: Vec<ArmId> = (0..arms).map(|arm| ArmId(arm as u16)).collect();
        let learner = Learner {
            policy,
            stats: vec![ArmStats::default(); arms],
            allocation: Allocation::even(&ids)?,
            publish_every: publish_every.max(1),
            unpublished: 0,
        };
        Ok(Self::new(Player::Learning(learner), least_propensity, seed))
    }

    fn new(player: Player, least_propensity: f64, seed: u64) -> Self {
        Self {
            player,
            least_propensity,
            seed,
            replayed: Replayed {
                rows: 0,
                thinned: 0,
                matched: 0,
                reward_sum: 0.0,
                versions: 1,
                allocation: None,
                value: Estimate::of_model(0.0),
            },
            rewards: TermMoments::default(),
        }
    }

    /// The policy of which only the kind is known: the usual prior, and the usual floor where it leaves half of the traffic
    /// to the policy (STATS 1.6), less where there are more than 50 arms.
    pub fn usual(kind: PolicyKind, arms: usize) -> PolicySpec {
        let policy = defaults::policy(kind);
        let half = Share::new(0.5 / arms.max(1) as f64).expect("half of a part is a share");
        PolicySpec {
            floor: if policy.floor > half {
                half
            } else {
                policy.floor
            },
            ..policy
        }
    }

    /// Take one row in; whether it matched.
    pub fn add(&mut self, row: &Row) -> Result<bool, ReplayError> {
        let number = self.replayed.rows;
        self.replayed.rows += 1;
        if draw(number, self.seed ^ THIN) * row.propensity() >= self.least_propensity {
            return Ok(false);
        }
        self.replayed.thinned += 1;
        let at = draw(number, self.seed);
        let matched = match &self.player {
            Player::Still(target) => pick(target.probabilities(row.cell()).iter().copied(), at),
            Player::Learning(learner) => pick(learner.allocation.iter().map(|(_, p)| p), at),
        } == row.arm();
        if !matched {
            return Ok(false);
        }
        self.replayed.matched += 1;
        self.replayed.reward_sum += row.reward();
        self.rewards += TermMoments {
            n: 1.0,
            sum: row.reward(),
            squares: row.reward() * row.reward(),
        };
        if let Player::Learning(learner) = &mut self.player
            && learner.learn(row)?
        {
            self.replayed.versions += 1;
        }
        Ok(true)
    }

    /// What it came to. `rewards` is where they can lie; without it only the normal interval is given.
    pub fn finish(mut self, rewards: Option<RewardRange>) -> Replayed {
        if self.replayed.matched > 0 {
            self.replayed.value = Estimate::of_rewards(self.rewards, rewards);
        }
        if let Player::Learning(learner) = self.player {
            let last = learner.allocation.iter().map(|(_, p)| p);
            self.replayed.allocation = Some(last.collect());
        }
        self.replayed
    }
}

/// Why a replay cannot go on.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ReplayError {
    /// The row cannot be used.
    #[error(transparent)]
    Row(#[from] InvalidRow),
    /// The policy cannot publish.
    #[error("the policy cannot go on")]
    Policy(#[from] PolicyError),
}

impl Learner {
    /// Learn one reward; whether a new allocation was published.
    fn learn(&mut self, row: &Row) -> Result<bool, ReplayError> {
        let reward = row.reward();
        if !(0.0..=1.0).contains(&reward) {
            return Err(InvalidRow::OutOfRange(reward).into());
        }
        let micro = (reward * MICRO as f64).round() as i32;
        self.stats[row.arm()] += ArmStats {
            assigned: 1,
            exposed: 1,
            resolved: 1,
            reward_sum_micro: i64::from(micro),
            reward_sq_sum_micro: squared_micro(micro),
            ..ArmStats::default()
        };
        self.unpublished += 1;
        if self.unpublished < self.publish_every {
            return Ok(false);
        }
        self.unpublished = 0;
        let arms = self.stats.iter().enumerate();
        let views: Vec<ArmView> = arms
            .map(|(arm, stats)| ArmView {
                id: ArmId(arm as u16),
                control: arm == 0,
                weight: 1.0,
                stats: *stats,
                learned: Moments::from(stats),
            })
            .collect();
        let published = allocate(&self.policy, &views, Millis(0), |arm| arm.to_string())?;
        self.allocation = published.allocation;
        Ok(true)
    }
}

/// The row's draw in `0..1`.
fn draw(row: u64, seed: u64) -> f64 {
    (xxh3_64_with_seed(&row.to_le_bytes(), seed) >> 11) as f64 * SPACING
}

/// The first arm whose cumulated probability exceeds the draw; the last with any where rounding leaves a gap.
fn pick(probabilities: impl Iterator<Item = f64>, at: f64) -> usize {
    let mut cumulated = 0.0;
    let mut last = 0;
    for (arm, probability) in probabilities.enumerate() {
        cumulated += probability;
        if at < cumulated {
            return arm;
        }
        if probability > 0.0 {
            last = arm;
        }
    }
    last
}

//! Whether the demo keeps what it promises: the checkout's better arm is found while somebody watches.
//!
//! The daemon's own policy and reward rules, fed by the demo's own visitors, one second at a time.

use bandit::experiment::{ArmId, ArmName, Millis};
use bandit::policy::{ArmView, allocate};
use bandit::posterior::{ArmStats, Moments};
use bandit::reward::{UnitEvent, outcome};
use bandit::spec::model::ExperimentSpec;
use chrono::{DateTime, TimeDelta};
use rand::RngExt as _;

use super::example;
use super::journey::journey;
use super::service::Service;
use super::visitor::{Purpose, rng};

/// New units a second: a quarter of the visitors come back, a twentieth is held back.
const NEW_PER_SEC: f64 = 70.0 * 0.75 * 0.95;

/// From exposure to the reward in the state: window, grace and a round of the fold.
const RESOLVES_AFTER_SECS: u64 = 6;

struct Lane {
    spec: ExperimentSpec,
    arms: Vec<(ArmName, f64)>,
    stats: Vec<ArmStats>,
    shares: Vec<f64>,
}

impl Lane {
    fn new() -> Self {
        let experiments = example::experiments().unwrap();
        let spec = experiments
            .into_iter()
            .find(|spec| spec.key.as_str() == Service::Checkout.key())
            .unwrap();
        let truth = Service::Checkout.truth_of(&spec);
        let arms: Vec<_> = truth.into_iter().collect();
        let (stats, shares) = (vec![ArmStats::default(); 2], vec![0.5; 2]);
        Self {
            spec,
            arms,
            stats,
            shares,
        }
    }

    /// The units of one second: `(arm, reward)` each.
    fn visits(&self, seed: u64, second: u64) -> Vec<(usize, ArmStats)> {
        let count = NEW_PER_SEC as u64;
        (second * count..(second + 1) * count)
            .map(|number| {
                let mut rng = rng(seed, Service::Checkout, number, Purpose::What);
                let arm = usize::from(rng.random::<f64>() >= self.shares[0]);
                let steps = journey(&self.spec.reward, self.arms[arm].1, &mut rng);
                let events: Vec<UnitEvent<'_>> = steps
                    .iter()
                    .zip(1..)
                    .map(|(step, event_id)| UnitEvent {
                        event: &step.event,
                        value: step.value,
                        at: DateTime::UNIX_EPOCH + TimeDelta::from_std(step.after).unwrap(),
                        event_id,
                    })
                    .collect();
                let judged = outcome(&self.spec.reward, DateTime::UNIX_EPOCH, &events);
                (arm, ArmStats::of_reward(judged.reward_micro))
            })
            .collect()
    }

    fn publish(&mut self, second: u64) {
        let views: Vec<ArmView> = self
            .stats
            .iter()
            .zip(0..)
            .map(|(stats, id)| ArmView {
                id: ArmId(id),
                control: id == 0,
                weight: 1.0,
                stats: ArmStats {
                    assigned: stats.resolved,
                    exposed: stats.resolved,
                    ..*stats
                },
                learned: Moments::from(stats),
            })
            .collect();
        let running_for = Millis(second * 1_000);
        let published = allocate(&self.spec.policy, &views, running_for, |id| id.to_string());
        self.shares = published
            .unwrap()
            .allocation
            .iter()
            .map(|(_, p)| p)
            .collect();
    }

    /// The better arm's share of new units after each second.
    fn run(mut self, seed: u64, seconds: u64) -> Vec<f64> {
        let better = self
            .arms
            .iter()
            .position(|(_, truth)| *truth > 0.05)
            .unwrap();
        let mut visits = Vec::new();
        let mut shares = Vec::new();
        for second in 0..seconds {
            visits.push(self.visits(seed, second));
            if let Some(resolved) = second.checked_sub(RESOLVES_AFTER_SECS) {
                for (arm, reward) in &visits[resolved as usize] {
                    self.stats[*arm] += *reward;
                }
            }
            self.publish(second);
            shares.push(self.shares[better]);
        }
        shares
    }
}

#[test]
fn the_better_button_has_most_new_units_within_three_minutes_whatever_the_seed() {
    let late: Vec<u64> = (1..=30)
        .filter(|seed| Lane::new().run(*seed, 180).last() <= Some(&0.8))
        .collect();
    assert!(late.is_empty(), "seeds {late:?}");
}

#[test]
fn most_watchers_see_it_within_a_minute() {
    let seen = (1..=30)
        .filter(|seed| Lane::new().run(*seed, 60).iter().any(|share| *share > 0.8))
        .count();
    assert!(seen >= 27, "{seen} of 30");
}

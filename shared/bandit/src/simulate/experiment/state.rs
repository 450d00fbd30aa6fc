//! One run as it goes: who waits for an outcome, what every lane has learned, and what is due next.

use std::collections::VecDeque;

use chrono::DateTime;

use super::{LaneRun, Run, Simulation, SimulationError, position, regret_of};
use crate::allocation::Allocation;
use crate::assign::{Serving, ServingLane, UnitKey, draw};
use crate::experiment::{Arm, ArmId, Millis, RunState, Version};
use crate::lanes::Lane;
use crate::policy::{self, ArmView, Publication};
use crate::posterior::{ArmStats, Moments};
use crate::simulate::Generator;
use crate::spec::model::ExperimentSpec;
use crate::targeting::Targeting;

/// The streams of a run: unit keys and rewards do not shift one another.
const UNITS: u64 = 0;
const REWARDS: u64 = 1;

/// A run under way.
pub(super) struct State<'a> {
    of: &'a Simulation<'a>,
    serving: Serving,
    lanes: Vec<LaneState>,
    pending: VecDeque<Pending>,
    units: Generator,
    rewards: Generator,
    next_look: u64,
    next_point: u32,
}

struct LaneState {
    stats: Vec<ArmStats>,
    next: Publication,
    /// Whether rewards have resolved since `next` was computed.
    stale: bool,
    published_at: Millis,
    run: LaneRun,
}

/// A unit whose window is open. All windows are of one length, so they close in the order in which they opened.
struct Pending {
    closes: Millis,
    lane: usize,
    arm: usize,
    reward_micro: i32,
}

impl<'a> State<'a> {
    pub(super) fn new(of: &'a Simulation<'a>, number: u64) -> Result<Self, SimulationError> {
        let mut lanes = Vec::with_capacity(of.lanes.len());
        let mut served = Vec::with_capacity(of.lanes.len());
        for lane in &of.lanes {
            let stats = vec![ArmStats::default(); of.arms.len()];
            let next = publication(of.spec, &of.arms, lane, &stats, Millis(0))?;
            served.push(ServingLane {
                id: lane.id,
                name: lane.name.clone(),
                share: lane.share,
                version: Version(1),
                allocation: next.allocation.clone(),
            });
            lanes.push(LaneState {
                stats,
                next,
                stale: false,
                published_at: Millis(0),
                run: LaneRun {
                    units: vec![0; of.arms.len()],
                    versions: 1,
                    ..LaneRun::default()
                },
            });
        }
        Ok(Self {
            of,
            serving: serving(of, served)?,
            lanes,
            pending: VecDeque::new(),
            units: Generator::new(of.seed, number, UNITS),
            rewards: Generator::new(of.seed, number, REWARDS),
            next_look: 1,
            next_point: 0,
        })
    }

    /// Does what is due up to `now`, in the order in which it is due.
    pub(super) fn advance(&mut self, now: Millis) -> Result<(), SimulationError> {
        loop {
            let look = Millis(self.of.publish_every().0.saturating_mul(self.next_look));
            let point = self.of.point(self.next_point);
            let points_left = self.next_point <= self.of.scenario.points;
            if points_left && point <= now && point < look {
                self.resolve(point);
                self.read();
                self.next_point += 1;
            } else if look <= now {
                self.resolve(look);
                self.publish(look)?;
                self.next_look += 1;
            } else {
                return Ok(());
            }
        }
    }

    /// A unit comes, draws, and waits for its outcome.
    pub(super) fn arrive(&mut self, at: Millis) {
        let key = u128::from(self.units.bits()) << 64 | u128::from(self.units.bits());
        let drawn = draw(&self.serving, &UnitKey(key.to_be_bytes()));
        if !drawn.in_traffic {
            return;
        }
        let arm = usize::from(drawn.arm.0);
        let lane = position(&self.of.lanes, drawn.lane);
        let reward_micro = self.of.truth.draw(arm, &mut self.rewards);
        let state = &mut self.lanes[lane];
        state.stats[arm].assigned += 1;
        state.stats[arm].exposed += 1;
        state.run.units[arm] += 1;
        state.run.reward_micro += i64::from(reward_micro);
        let reward = &self.of.spec.reward;
        self.pending.push_back(Pending {
            closes: Millis(at.0 + reward.window.0 + reward.grace.0),
            lane,
            arm,
            reward_micro,
        });
    }

    pub(super) fn into_run(self) -> Run {
        Run {
            lanes: self.lanes.into_iter().map(|lane| lane.run).collect(),
        }
    }

    /// Windows that have closed by `now` count.
    fn resolve(&mut self, now: Millis) {
        while let Some(unit) = self.pending.pop_front_if(|unit| unit.closes <= now) {
            let lane = &mut self.lanes[unit.lane];
            lane.stats[unit.arm] += ArmStats::of_reward(unit.reward_micro);
            lane.stale = true;
        }
    }

    /// Every lane's next version, where it is worth one.
    fn publish(&mut self, now: Millis) -> Result<(), SimulationError> {
        let Self {
            of, lanes, serving, ..
        } = self;
        let learning = of.lanes.iter().zip(lanes).zip(&mut serving.lanes);
        for ((lane, state), served) in learning.filter(|((lane, _), _)| lane.learns) {
            // burn-in ends by exposures and time as well
            if state.stale || state.next.burn_in.is_some() {
                state.next = publication(of.spec, &of.arms, lane, &state.stats, now)?;
                state.stale = false;
            }
            let since = Millis(now.0 - state.published_at.0);
            let every = lane.policy.publish_every;
            let next = &state.next.allocation;
            if policy::should_publish(&served.allocation, next, since, every) {
                served.allocation = next.clone();
                served.version = Version(served.version.0 + 1);
                state.published_at = now;
                state.run.versions += 1;
            }
        }
        Ok(())
    }

    /// The allocation in force and the regret so far.
    fn read(&mut self) {
        for (state, served) in self.lanes.iter_mut().zip(&self.serving.lanes) {
            let arms = self.of.arms.iter();
            let shares = arms.map(|arm| served.allocation.get(arm.id)).collect();
            state.run.shares.push(shares);
            let regret = regret_of(self.of.truth, &state.run.units);
            state.run.regret.push(regret);
        }
    }
}

/// The next publication of a lane, as the daemon computes it.
fn publication(
    spec: &ExperimentSpec,
    arms: &[Arm],
    lane: &Lane,
    stats: &[ArmStats],
    running_for: Millis,
) -> Result<Publication, SimulationError> {
    if !lane.learns {
        let open: Vec<ArmId> = arms.iter().map(|arm| arm.id).collect();
        return Ok(Publication {
            allocation: Allocation::even(&open).map_err(policy::PolicyError::from)?,
            burn_in: None,
        });
    }
    let declared = arms.iter().zip(&spec.arms).zip(stats);
    let views: Vec<ArmView> = declared
        .map(|((arm, declared), &stats)| ArmView {
            id: arm.id,
            control: arm.control,
            weight: declared.weight,
            stats,
            learned: Moments::from(&stats),
        })
        .collect();
    let name = |id: ArmId| id.to_string();
    Ok(policy::allocate(&lane.policy, &views, running_for, name)?)
}

fn serving(of: &Simulation<'_>, lanes: Vec<ServingLane>) -> Result<Serving, SimulationError> {
    Ok(Serving::new(
        of.spec.key.clone(),
        RunState::Running {
            since: DateTime::UNIX_EPOCH,
        },
        of.arms.clone(),
        Targeting::default(),
        of.spec.traffic,
        lanes,
        of.spec.salt.clone(),
    )?)
}

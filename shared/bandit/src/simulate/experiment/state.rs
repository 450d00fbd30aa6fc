//! One run as it goes: who waits for an outcome, what every lane has learned, and what is due next.

use std::collections::VecDeque;

use chrono::DateTime;

use super::ending::Watch;
use super::{LaneRun, Run, Simulation, SimulationError, position, regret_of};
use crate::allocation::Allocation;
use crate::assign::{Serving, ServingLane, UnitKey, draw};
use crate::experiment::{Arm, ArmId, Millis, RunState, Version};
use crate::inference::{ArmPeriod, Period};
use crate::lanes::Lane;
use crate::policy::{self, ArmView, Publication};
use crate::posterior::{ArmStats, Moments};
use crate::simulate::Generator;
use crate::spec::model::ExperimentSpec;
use crate::targeting::Targeting;

/// A share within this factor of the floor is the floor.
const NEAR_FLOOR: f64 = 1.5;

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
    watch: Watch,
}

struct LaneState {
    stats: Vec<ArmStats>,
    versions: Vec<Counts>,
    next: Publication,
    /// Whether rewards have resolved since `next` was computed.
    stale: bool,
    run: LaneRun,
}

/// What a policy version drew, by the arms' places.
struct Counts {
    from: Millis,
    allocation: Allocation,
    stats: Vec<ArmStats>,
}

/// A unit whose window is open. All windows are of one length, so they close in the order in which they opened.
struct Pending {
    closes: Millis,
    lane: usize,
    version: usize,
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
                versions: vec![Counts::new(Millis(0), &next.allocation, &of.arms)],
                stats,
                next,
                stale: false,
                run: LaneRun {
                    units: vec![0; of.arms.len()],
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
            watch: Watch::new(of),
        })
    }

    /// Does what is due up to `now`, in the order in which it is due.
    pub(super) fn advance(&mut self, now: Millis) -> Result<(), SimulationError> {
        loop {
            let look = Millis(self.of.publish_every().0.saturating_mul(self.next_look));
            let point = self.of.point(self.next_point);
            let points_left = self.next_point <= self.of.scenario.points;
            if points_left && point <= now && point < look && point <= self.watch.due() {
                self.resolve(point);
                self.read();
                self.next_point += 1;
            } else if self.watch.due() <= now && self.watch.due() < look {
                self.decide()?;
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
        let version = state.versions.len() - 1;
        let came = ArmStats {
            assigned: 1,
            exposed: 1,
            ..ArmStats::default()
        };
        state.stats[arm] += came;
        state.versions[version].stats[arm] += came;
        state.run.units[arm] += 1;
        state.run.reward_micro += i64::from(reward_micro);
        let reward = &self.of.spec.reward;
        self.pending.push_back(Pending {
            closes: Millis(at.0 + reward.window.0 + reward.grace.0),
            lane,
            version,
            arm,
            reward_micro,
        });
    }

    pub(super) fn into_run(self) -> Run {
        let ended = self.watch.ended();
        let lanes = self.lanes.into_iter().map(|lane| LaneRun {
            versions: lane.versions.len() as u32,
            ..lane.run
        });
        Run {
            lanes: lanes.collect(),
            ended,
        }
    }

    /// What every version of every lane has seen by `now`, in the order of time.
    fn periods(&self, now: Millis) -> Vec<Period> {
        let mut all: Vec<Period> = self
            .lanes
            .iter()
            .flat_map(|lane| lane.periods(now))
            .collect();
        all.sort_by_key(|period| period.from);
        all
    }

    /// Windows that have closed by `now` count.
    fn resolve(&mut self, now: Millis) {
        while let Some(unit) = self.pending.pop_front_if(|unit| unit.closes <= now) {
            let lane = &mut self.lanes[unit.lane];
            let outcome = ArmStats::of_reward(unit.reward_micro);
            lane.stats[unit.arm] += outcome;
            lane.versions[unit.version].stats[unit.arm] += outcome;
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
            let since = Millis(now.0 - state.newest().from.0);
            let every = lane.policy.publish_every;
            let next = &state.next.allocation;
            if policy::should_publish(&served.allocation, next, since, every) {
                served.allocation = next.clone();
                served.version = Version(served.version.0 + 1);
                state.versions.push(Counts::new(now, next, &of.arms));
            }
        }
        Ok(())
    }

    /// Whether the experiment should end, by what has resolved when the look is due.
    fn decide(&mut self) -> Result<(), SimulationError> {
        let now = self.watch.due();
        self.resolve(now);
        let periods = self.periods(now);
        let lanes = || {
            let lanes = self.of.lanes.iter().zip(&self.serving.lanes);
            lanes.filter(|(lane, _)| lane.learns)
        };
        let at_floor = |arm: ArmId| {
            lanes().all(|(lane, served)| {
                served.allocation.get(arm) <= lane.policy.floor.get() * NEAR_FLOOR
            })
        };
        self.watch.look(self.of, now, &periods, at_floor)
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

impl LaneState {
    fn newest(&self) -> &Counts {
        self.versions
            .last()
            .expect("a lane starts with a version and loses none")
    }

    fn periods(&self, now: Millis) -> impl Iterator<Item = Period> {
        let ends = self.versions.iter().skip(1).map(|next| next.from);
        let versions = self.versions.iter().zip(ends.chain([now]));
        versions.map(|(version, until)| version.period(until))
    }
}

impl Counts {
    fn new(from: Millis, allocation: &Allocation, arms: &[Arm]) -> Self {
        Self {
            from,
            allocation: allocation.clone(),
            stats: vec![ArmStats::default(); arms.len()],
        }
    }

    fn period(&self, until: Millis) -> Period {
        let arms = self.stats.iter().zip(0..);
        let counted =
            |(stats, arm): (&ArmStats, u16)| ArmPeriod::new(self.allocation.get(ArmId(arm)), stats);
        Period {
            from: self.from,
            until,
            arms: arms.map(counted).collect(),
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

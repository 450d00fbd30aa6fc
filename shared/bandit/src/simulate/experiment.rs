//! A whole experiment as its file declares it: traffic, lanes, windows, burn-in and publications, on a known truth.

mod ending;
mod state;

use crate::assign::InvalidServing;
use crate::decision::{Choice, Rules};
use crate::experiment::{Arm, ArmId, LaneId, Millis};
use crate::lanes::{Lane, LaneNumbers};
use crate::policy::PolicyError;
use crate::simulate::Truth;
use crate::spec::defaults;
use crate::spec::model::{DecisionPreset, DecisionSpec, ExperimentSpec};
use state::State;

/// One day, in milliseconds.
const DAY: u64 = 86_400_000;

/// How much traffic comes, for how long, and how closely it is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scenario {
    /// Eligible units a day, evenly spaced; `traffic` and the lanes take their shares of them. At least 1.
    pub units_per_day: u64,
    /// How many days the experiment runs; at least 1.
    pub days: u32,
    /// How often the policies are asked; the experiment's own `publish_every` where that is longer. At least 1 ms.
    pub publish_every: Millis,
    /// At how many evenly spaced moments the allocation and the regret are read; the start comes before them.
    pub points: u32,
}

/// An experiment, the truth about its arms and a scenario: ready to be run any number of times.
#[derive(Debug, Clone)]
pub struct Simulation<'a> {
    spec: &'a ExperimentSpec,
    truth: &'a Truth,
    scenario: Scenario,
    arms: Vec<Arm>,
    lanes: Vec<Lane>,
    decision: DecisionSpec,
    seed: u64,
}

/// Why an experiment cannot be simulated.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SimulationError {
    /// Another number of means than of arms.
    #[error("the truth is about {truth} arms, and the experiment has {arms}")]
    Arms {
        /// How many the truth is about.
        truth: usize,
        /// How many the experiment has.
        arms: usize,
    },
    /// Nothing would happen.
    #[error("nothing happens without units, days or an interval between versions")]
    Empty,
    /// The arms cannot be served.
    #[error("the experiment cannot be served")]
    Serving(#[from] InvalidServing),
    /// The policy found no allocation.
    #[error("the policy found no allocation")]
    Policy(#[from] PolicyError),
}

/// What happened in one run.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Lane by lane, in the order of [`Simulation::lanes`].
    pub lanes: Vec<LaneRun>,
    /// How it would have ended.
    pub ended: Ended,
}

/// What the decision rules recommended in a run, which went on to its last day whatever that was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ended {
    /// The first recommendation to ship, stop or try something else, and when, since the start.
    pub end: Option<(Choice, Millis)>,
    /// The first arm that was to be closed, and when.
    pub closed: Option<(ArmId, Millis)>,
}

/// What happened in one lane of one run. Arms are in the order of the file, points as [`Simulation::points`] says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LaneRun {
    /// Units that each arm got.
    pub units: Vec<u64>,
    /// What they were rewarded with, in millionths of a reward, pending units included.
    pub reward_micro: i64,
    /// Policy versions published.
    pub versions: u32,
    /// Each arm's probability, point by point.
    pub shares: Vec<Vec<f64>>,
    /// The pseudo-regret so far, in rewards, point by point.
    pub regret: Vec<f64>,
}

impl<'a> Simulation<'a> {
    /// `truth` is about the arms of `spec`, in their order.
    pub fn new(
        spec: &'a ExperimentSpec,
        truth: &'a Truth,
        scenario: Scenario,
        seed: u64,
    ) -> Result<Self, SimulationError> {
        if truth.arms() != spec.arms.len() {
            return Err(SimulationError::Arms {
                truth: truth.arms(),
                arms: spec.arms.len(),
            });
        }
        if scenario.units_per_day == 0 || scenario.days == 0 || scenario.publish_every.0 == 0 {
            return Err(SimulationError::Empty);
        }
        let numbered = spec.arms.iter().zip(0..);
        let arms = numbered.map(|(arm, number)| Arm {
            id: ArmId(number),
            name: arm.name.clone(),
            control: arm.control,
            config: serde_json::Value::Null,
            retired: false,
            quarantined: false,
        });
        Ok(Self {
            spec,
            truth,
            scenario,
            arms: arms.collect(),
            lanes: LaneNumbers::default().lanes_of(spec),
            decision: decision_of(spec),
            seed,
        })
    }

    /// Run `number` of this simulation: the same number gives the same run, whatever was run before.
    pub fn run(&self, number: u64) -> Result<Run, SimulationError> {
        let mut state = State::new(self, number)?;
        for unit in 0..self.units() {
            let at = Millis(self.arrival(unit));
            state.advance(at)?;
            state.arrive(at);
        }
        state.advance(self.end())?;
        Ok(state.into_run())
    }

    /// The lanes, in the order of the lane draw.
    pub fn lanes(&self) -> &[Lane] {
        &self.lanes
    }

    /// What is true.
    pub fn truth(&self) -> &Truth {
        self.truth
    }

    /// When the allocation and the regret are read, as time since the start: 0, and [`Scenario::points`] more.
    pub fn points(&self) -> Vec<Millis> {
        (0..=self.scenario.points)
            .map(|at| self.point(at))
            .collect()
    }

    /// Eligible units in all.
    pub fn units(&self) -> u64 {
        self.scenario
            .units_per_day
            .saturating_mul(u64::from(self.scenario.days))
    }

    /// When the experiment ends: what its file declares, or the standard rules.
    pub fn decision(&self) -> &DecisionSpec {
        &self.decision
    }

    /// How often its decision rules are asked.
    pub fn looks_every(&self) -> Millis {
        ending::looks_every(&Rules::new(&self.decision, self.arms.len()))
    }

    /// How often the policies are asked.
    pub fn publish_every(&self) -> Millis {
        let learning = self.lanes.iter().filter(|lane| lane.learns);
        let soonest = learning.map(|lane| lane.policy.publish_every).min();
        self.scenario.publish_every.max(soonest.unwrap_or_default())
    }

    fn end(&self) -> Millis {
        Millis(u64::from(self.scenario.days) * DAY)
    }

    /// In wide numbers: the product of a year's units and a day's milliseconds passes 2^64.
    fn arrival(&self, unit: u64) -> u64 {
        (u128::from(unit) * u128::from(DAY) / u128::from(self.scenario.units_per_day)) as u64
    }

    fn point(&self, at: u32) -> Millis {
        let points = u64::from(self.scenario.points.max(1));
        Millis(self.end().0 * u64::from(at) / points)
    }
}

impl Run {
    /// The pseudo-regret at the end, in rewards, all lanes together.
    pub fn regret(&self, truth: &Truth) -> f64 {
        self.lanes.iter().map(|lane| lane.final_regret(truth)).sum()
    }
}

impl LaneRun {
    /// Units of all arms.
    pub fn participants(&self) -> u64 {
        self.units.iter().sum()
    }

    /// The pseudo-regret at the end, in rewards: what always drawing the best arm would have earned more, on average.
    pub fn final_regret(&self, truth: &Truth) -> f64 {
        regret_of(truth, &self.units)
    }

    /// What its units earn on average, in rewards.
    pub fn expected_reward(&self, truth: &Truth) -> f64 {
        let earned = self.units.iter().enumerate();
        earned
            .map(|(arm, &units)| truth.mean(arm) * units as f64)
            .sum()
    }
}

/// The rules of a file that has none are the standard ones.
fn decision_of(spec: &ExperimentSpec) -> DecisionSpec {
    let declared = spec.decision.clone();
    declared.unwrap_or_else(|| defaults::decision(DecisionPreset::Standard))
}

/// From counts, and not unit by unit: no rounding piles up.
fn regret_of(truth: &Truth, units: &[u64]) -> f64 {
    let best = truth.best();
    let lost = units.iter().enumerate();
    lost.map(|(arm, &units)| (best - truth.mean(arm)) * units as f64)
        .sum()
}

/// Which lane of a simulation has this number.
fn position(lanes: &[Lane], id: LaneId) -> usize {
    lanes
        .iter()
        .position(|lane| lane.id == id)
        .expect("units draw one of the lanes that are served")
}

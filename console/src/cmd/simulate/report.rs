//! What `pitboss simulate` answers, in the reward's own units; `--json` prints it. Nothing in it depends on the machine.

use bandit::experiment::Millis;
use bandit::simulate::{Endings, Figures, LaneSummary, Mean, Simulation, Summary, Truth};
use bandit::spec::model::{Credit, ExperimentSpec};
use serde::Serialize;

use super::arguments::Asked;
use super::fitted::Fitted;
use crate::cli::SimulateArgs;

/// Milliseconds of a day.
const DAY: f64 = 86_400_000.0;

/// The whole answer.
#[derive(Debug, Serialize)]
pub(super) struct Report<'a> {
    pub(super) file: String,
    pub(super) experiment: String,
    pub(super) policy: String,
    /// What counts, in words.
    pub(super) reward_is: String,
    pub(super) units_per_day: u64,
    pub(super) days: u32,
    pub(super) runs: u64,
    pub(super) seed: u64,
    /// How often the policy was asked, and how often the file asks it.
    pub(super) publish_every: Millis,
    pub(super) publish_every_of_file: Millis,
    /// What the file declares and a simulation leaves out.
    pub(super) not_simulated: Vec<&'static str>,
    /// Where the rates are from that were not typed; null if all were.
    pub(super) fitted: Option<&'a Fitted>,
    pub(super) arms: Vec<ArmReport>,
    #[serde(flatten)]
    pub(super) total: Outcome,
    pub(super) lanes: Vec<LaneReport>,
    pub(super) decision: DecisionReport,
}

/// How the runs would have ended by the decision rules. The shares of `ship`, `kill`, `iterate` and `keep_running` sum
/// to 1.
#[derive(Debug, Serialize)]
pub(super) struct DecisionReport {
    pub(super) preset: String,
    /// Whether the file says so, or has no decision of its own.
    pub(super) declared: bool,
    pub(super) looked_at_every: Millis,
    pub(super) ship: Vec<ArmEnding>,
    pub(super) kill: Ending,
    pub(super) iterate: Ending,
    pub(super) keep_running: Figure,
    /// The first arm that was to be closed, in any run.
    pub(super) close: Vec<ArmEnding>,
    /// The share of the runs that ship one of the best arms; null where there is no better arm than control.
    pub(super) power: Option<Figure>,
    /// The share of the runs that ship an arm that is no better than control.
    pub(super) false_ships: Figure,
}

/// An end about one arm.
#[derive(Debug, Serialize)]
pub(super) struct ArmEnding {
    pub(super) arm: String,
    #[serde(flatten)]
    pub(super) ending: Ending,
}

/// In which share of the runs, and after how many days; null where it did not happen.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Ending {
    pub(super) runs: Figure,
    pub(super) days: Option<Figure>,
}

/// An arm and what is true of it.
#[derive(Debug, Serialize)]
pub(super) struct ArmReport {
    pub(super) arm: String,
    pub(super) control: bool,
    /// Its rate, or its mean in the reward's own units.
    pub(super) rate: f64,
    /// The resolved units that it is fitted to; null if it was typed.
    pub(super) resolved: Option<u64>,
    pub(super) best: bool,
}

/// Units, what they earned, and what they would have earned otherwise.
#[derive(Debug, Serialize)]
pub(super) struct Outcome {
    pub(super) participants: Figure,
    pub(super) regret: Figure,
    pub(super) regret_of_even_split: Figure,
    pub(super) reward: Figure,
    pub(super) reward_of_even_split: f64,
    pub(super) reward_of_best_arm: f64,
}

/// One lane.
#[derive(Debug, Serialize)]
pub(super) struct LaneReport {
    pub(super) lane: String,
    pub(super) learns: bool,
    /// Of the participants.
    pub(super) share: f64,
    pub(super) versions: Figure,
    #[serde(flatten)]
    pub(super) outcome: Outcome,
    /// The probability of drawing one of the best arms when the time is over.
    pub(super) share_on_best_at_end: Figure,
    /// Arm by arm: its part of the lane's units.
    pub(super) units: Vec<Figure>,
    pub(super) over_time: Vec<Point>,
}

/// A moment of a lane.
#[derive(Debug, Serialize)]
pub(super) struct Point {
    /// Days since the start.
    pub(super) day: f64,
    /// Arm by arm: the probability of drawing it.
    pub(super) shares: Vec<Figure>,
    /// So far.
    pub(super) regret: Figure,
}

/// A mean over the runs and its standard error; null with a single run.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Figure {
    pub(super) mean: f64,
    pub(super) se: Option<f64>,
}

impl<'a> Report<'a> {
    pub(super) fn new(
        asked: &'a Asked,
        args: &SimulateArgs,
        simulation: &Simulation<'_>,
        summary: &Summary,
    ) -> Self {
        let Asked {
            file,
            spec,
            means,
            fitted,
            truth,
            scenario,
        } = asked;
        let arms = spec.arms.iter().zip(means).enumerate();
        let lanes = simulation.lanes().iter().zip(&summary.lanes);
        let decision = DecisionReport::new(asked, simulation, &summary.endings);
        Self {
            decision,
            file: file.clone(),
            experiment: spec.key.to_string(),
            policy: spec.describe_policies(),
            reward_is: spec.reward.describe(),
            units_per_day: scenario.units_per_day,
            days: scenario.days,
            runs: summary.runs,
            seed: args.seed,
            publish_every: simulation.publish_every(),
            publish_every_of_file: spec.policy.publish_every,
            not_simulated: not_simulated(spec),
            fitted: fitted.as_ref(),
            arms: arms
                .map(|(at, (arm, mean))| ArmReport {
                    arm: arm.name.to_string(),
                    control: arm.control,
                    rate: mean.get(),
                    resolved: mean.resolved(),
                    best: truth.is_best(at),
                })
                .collect(),
            total: Outcome::new(truth, &summary.total),
            lanes: lanes
                .map(|(lane, summary)| LaneReport {
                    lane: lane.name.to_string(),
                    learns: lane.learns,
                    share: lane.share.get(),
                    versions: Figure::of(summary.versions),
                    outcome: Outcome::new(truth, &summary.figures),
                    share_on_best_at_end: Figure::of(summary.best_share),
                    units: each(&summary.unit_share),
                    over_time: over_time(truth, &simulation.points(), summary),
                })
                .collect(),
        }
    }
}

/// Credit and memory change what an allocation learns from, schedules and guardrails when there is one.
fn not_simulated(spec: &ExperimentSpec) -> Vec<&'static str> {
    let of_lanes = spec.lanes.iter().map(|lane| &lane.policy);
    let mut policies = of_lanes.chain(spec.lanes.is_empty().then_some(&spec.policy));
    let forgets = policies.any(|policy| policy.memory.is_some());
    let left_out = [
        (
            spec.reward.credit != Credit::Matured,
            "credit before the window has closed",
        ),
        (forgets, "memory"),
        (spec.schedule.is_some(), "schedule"),
        (!spec.guardrails.is_empty(), "guardrails"),
    ];
    let declared = left_out.into_iter().filter(|(declared, _)| *declared);
    declared.map(|(_, what)| what).collect()
}

impl DecisionReport {
    fn new(asked: &Asked, simulation: &Simulation<'_>, endings: &Endings) -> Self {
        let Asked { spec, truth, .. } = asked;
        let by_arm = |outcomes: &[bandit::simulate::Outcome]| -> Vec<ArmEnding> {
            let arms = spec.arms.iter().zip(outcomes);
            arms.filter(|(arm, _)| !arm.control)
                .map(|(arm, outcome)| ArmEnding {
                    arm: arm.name.to_string(),
                    ending: Ending::of(outcome),
                })
                .collect()
        };
        let control = spec.arms.iter().position(|arm| arm.control).unwrap_or(0);
        let better = |arm: usize| truth.mean(arm) > truth.mean(control);
        let runs = endings.keep_running.share.count();
        let shipped = |counts: &dyn Fn(usize) -> bool| {
            let arms = endings.ship.iter().enumerate();
            let counted = arms.filter(|(arm, _)| counts(*arm));
            Figure::share(counted.map(|(_, outcome)| outcome.share.mean()).sum(), runs)
        };
        Self {
            preset: simulation.decision().preset.word().to_owned(),
            declared: spec.decision.is_some(),
            looked_at_every: simulation.looks_every(),
            ship: by_arm(&endings.ship),
            kill: Ending::of(&endings.kill),
            iterate: Ending::of(&endings.iterate),
            keep_running: Figure::of(endings.keep_running.share),
            close: by_arm(&endings.close),
            power: (!truth.is_best(control)).then(|| shipped(&|arm| truth.is_best(arm))),
            false_ships: shipped(&|arm| !better(arm)),
        }
    }
}

impl Ending {
    fn of(outcome: &bandit::simulate::Outcome) -> Self {
        Self {
            runs: Figure::of(outcome.share),
            days: (outcome.days.count() > 0).then(|| Figure::of(outcome.days)),
        }
    }
}

impl Outcome {
    fn new(truth: &Truth, figures: &Figures) -> Self {
        let units = figures.participants.mean();
        let best = units * truth.best();
        let earned = |reward: f64| truth.value(units, reward);
        Self {
            participants: Figure::of(figures.participants),
            regret: Figure::of(figures.regret).times(truth.unit()),
            regret_of_even_split: Figure::of(figures.even_regret).times(truth.unit()),
            reward: Figure {
                mean: earned(figures.reward.mean()),
                se: figures.reward.se().map(|se| se * truth.unit()),
            },
            reward_of_even_split: earned(best - figures.even_regret.mean()),
            reward_of_best_arm: earned(best),
        }
    }
}

impl Figure {
    fn of(mean: Mean) -> Self {
        Self {
            mean: mean.mean(),
            se: mean.se(),
        }
    }

    /// Of runs in which one of several things happened that exclude one another.
    fn share(mean: f64, runs: u64) -> Self {
        let n = runs as f64;
        Self {
            mean,
            se: (runs > 1).then(|| (mean * (1.0 - mean).max(0.0) / (n - 1.0)).sqrt()),
        }
    }

    fn times(self, factor: f64) -> Self {
        Self {
            mean: self.mean * factor,
            se: self.se.map(|se| se * factor),
        }
    }
}

fn over_time(truth: &Truth, points: &[Millis], summary: &LaneSummary) -> Vec<Point> {
    let read = summary.shares.iter().zip(&summary.regret_at).zip(points);
    read.map(|((shares, regret), at)| Point {
        day: at.0 as f64 / DAY,
        shares: each(shares),
        regret: Figure::of(*regret).times(truth.unit()),
    })
    .collect()
}

fn each(means: &[Mean]) -> Vec<Figure> {
    means.iter().copied().map(Figure::of).collect()
}

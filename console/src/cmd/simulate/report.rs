//! What `pitboss simulate` answers, in the reward's own units; `--json` prints it. Nothing in it depends on the machine.

use bandit::experiment::Millis;
use bandit::simulate::{Figures, LaneSummary, Mean, Simulation, Summary, Truth};
use serde::Serialize;

use super::arguments::Asked;
use crate::cli::SimulateArgs;

/// Milliseconds of a day.
const DAY: f64 = 86_400_000.0;

/// The whole answer.
#[derive(Debug, Serialize)]
pub(super) struct Report {
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
    pub(super) arms: Vec<ArmReport>,
    #[serde(flatten)]
    pub(super) total: Outcome,
    pub(super) lanes: Vec<LaneReport>,
}

/// An arm and what is true of it.
#[derive(Debug, Serialize)]
pub(super) struct ArmReport {
    pub(super) arm: String,
    pub(super) control: bool,
    /// Its rate, or its mean in the reward's own units.
    pub(super) rate: f64,
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

impl Report {
    pub(super) fn new(
        asked: &Asked,
        args: &SimulateArgs,
        simulation: &Simulation<'_>,
        summary: &Summary,
    ) -> Self {
        let Asked {
            file,
            spec,
            means,
            truth,
            scenario,
        } = asked;
        let arms = spec.arms.iter().zip(means).enumerate();
        let lanes = simulation.lanes().iter().zip(&summary.lanes);
        Self {
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
            arms: arms
                .map(|(at, (arm, &rate))| ArmReport {
                    arm: arm.name.to_string(),
                    control: arm.control,
                    rate,
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

//! Many runs in a few figures, each with its standard error.

use crate::experiment::LaneId;
use crate::simulate::{LaneRun, Run, Simulation, Truth};

/// A mean over runs and how far it may be from the mean over infinitely many.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mean {
    /// The mean.
    pub mean: f64,
    /// Its standard error `sd / sqrt(runs)`; `None` with fewer than two runs.
    pub se: Option<f64>,
}

/// What all runs together say. Rewards and regret are in rewards of `0..=1`; [`Truth::unit`] makes them the reward's own.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// How many runs.
    pub runs: u64,
    /// Units that took part, all lanes together.
    pub participants: Mean,
    /// Pseudo-regret of all lanes together.
    pub regret: Mean,
    /// What the same units would have lost under an even split.
    pub even_regret: Mean,
    /// What the units earn on average.
    pub reward: Mean,
    /// Lane by lane, in the order of [`Simulation::lanes`].
    pub lanes: Vec<LaneSummary>,
}

/// What all runs together say about one lane. Arms are in the order of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct LaneSummary {
    /// Which lane.
    pub id: LaneId,
    /// Its units.
    pub participants: Mean,
    /// Its pseudo-regret.
    pub regret: Mean,
    /// What its units would have lost under an even split.
    pub even_regret: Mean,
    /// What its units earn on average.
    pub reward: Mean,
    /// Policy versions published.
    pub versions: Mean,
    /// The probability of drawing one of the best arms at the end.
    pub best_share: Mean,
    /// Each arm's part of the lane's units, in `0..=1`.
    pub unit_share: Vec<Mean>,
    /// Each arm's probability, point by point: the mean over the runs.
    pub shares: Vec<Vec<f64>>,
    /// The regret so far, point by point.
    pub regret_at: Vec<Mean>,
}

impl Mean {
    /// Of these values, one a run, in the order of the runs (Welford's recurrence).
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let (mut count, mut mean, mut squares) = (0_u64, 0.0, 0.0);
        for value in values {
            count += 1;
            let before = value - mean;
            mean += before / count as f64;
            squares += before * (value - mean);
        }
        let n = count as f64;
        Self {
            mean,
            se: (count > 1).then(|| (squares / (n - 1.0) / n).sqrt()),
        }
    }
}

impl Summary {
    /// Of these runs, which are in the order of their numbers: then the figures do not depend on who ran them.
    pub fn new(simulation: &Simulation<'_>, runs: &[Run]) -> Self {
        let truth = simulation.truth();
        let total = |figure: &dyn Fn(&LaneRun) -> f64| {
            Mean::of(runs.iter().map(|run| run.lanes.iter().map(figure).sum()))
        };
        let lanes = simulation.lanes().iter().enumerate();
        Self {
            runs: runs.len() as u64,
            participants: total(&|lane| lane.participants() as f64),
            regret: total(&|lane| lane.final_regret(truth)),
            even_regret: total(&|lane| even_regret(truth, lane.participants())),
            reward: total(&|lane| lane.expected_reward(truth)),
            lanes: lanes
                .map(|(at, lane)| {
                    let of_lane: Vec<&LaneRun> = runs.iter().map(|run| &run.lanes[at]).collect();
                    LaneSummary::new(lane.id, truth, &of_lane)
                })
                .collect(),
        }
    }
}

impl LaneSummary {
    fn new(id: LaneId, truth: &Truth, runs: &[&LaneRun]) -> Self {
        let over = |figure: &dyn Fn(&LaneRun) -> f64| Mean::of(runs.iter().map(|run| figure(run)));
        let points = runs.first().map_or(0, |run| run.shares.len());
        let mean_share = |point: usize, arm: usize| over(&|run| run.shares[point][arm]).mean;
        Self {
            id,
            participants: over(&|lane| lane.participants() as f64),
            regret: over(&|lane| lane.final_regret(truth)),
            even_regret: over(&|lane| even_regret(truth, lane.participants())),
            reward: over(&|lane| lane.expected_reward(truth)),
            versions: over(&|lane| f64::from(lane.versions)),
            best_share: over(&|lane| best_share(truth, lane)),
            unit_share: (0..truth.arms())
                .map(|arm| over(&|lane| unit_share(lane, arm)))
                .collect(),
            shares: (0..points)
                .map(|point| {
                    (0..truth.arms())
                        .map(|arm| mean_share(point, arm))
                        .collect()
                })
                .collect(),
            regret_at: (0..points)
                .map(|point| over(&|lane| lane.regret[point]))
                .collect(),
        }
    }
}

/// What so many units lose on average when every arm is as likely.
fn even_regret(truth: &Truth, participants: u64) -> f64 {
    let arms = truth.arms() as f64;
    let mean: f64 = (0..truth.arms()).map(|arm| truth.mean(arm)).sum::<f64>() / arms;
    participants as f64 * (truth.best() - mean)
}

fn best_share(truth: &Truth, lane: &LaneRun) -> f64 {
    let last = lane.shares.last().into_iter().flatten().enumerate();
    last.filter(|(arm, _)| truth.is_best(*arm))
        .map(|(_, share)| share)
        .sum()
}

/// An arm's part of the units; 0 in a lane that got none.
fn unit_share(lane: &LaneRun, arm: usize) -> f64 {
    lane.units[arm] as f64 / lane.participants().max(1) as f64
}

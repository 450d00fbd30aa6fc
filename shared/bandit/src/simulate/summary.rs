//! Many runs in a few figures, each with its standard error. Runs are added one by one, so a million of them takes
//! no more room than one.

use crate::experiment::LaneId;
use crate::simulate::{Endings, LaneRun, Run, Simulation, Truth};

/// A mean over runs and how far it may be from the mean over infinitely many.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Mean {
    count: u64,
    value: f64,
    squares: f64,
}

/// What all runs so far say. Rewards and regret are in rewards of `0..=1`; [`Truth::unit`] makes them the reward's own.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// How many runs.
    pub runs: u64,
    /// All lanes together.
    pub total: Figures,
    /// Lane by lane, in the order of [`Simulation::lanes`].
    pub lanes: Vec<LaneSummary>,
    /// How they would have ended.
    pub endings: Endings,
}

/// Units, what they lost and what they earned.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Figures {
    /// Units that took part.
    pub participants: Mean,
    /// Their pseudo-regret: what always drawing the best arm would have earned more, on average.
    pub regret: Mean,
    /// What the same units would have lost under an even split.
    pub even_regret: Mean,
    /// What the units earn on average.
    pub reward: Mean,
}

/// What all runs so far say about one lane. Arms are in the order of the file.
#[derive(Debug, Clone, PartialEq)]
pub struct LaneSummary {
    /// Which lane.
    pub id: LaneId,
    /// Its units, regret and reward.
    pub figures: Figures,
    /// Policy versions published.
    pub versions: Mean,
    /// The probability of drawing one of the best arms at the end.
    pub best_share: Mean,
    /// Each arm's part of the lane's units, in `0..=1`.
    pub unit_share: Vec<Mean>,
    /// Each arm's probability, point by point as [`Simulation::points`] says.
    pub shares: Vec<Vec<Mean>>,
    /// The regret so far, point by point.
    pub regret_at: Vec<Mean>,
}

impl Mean {
    /// Of known figures: a mean and the standard deviation of so many values.
    pub fn known(count: u64, mean: f64, sd: f64) -> Self {
        Self {
            count,
            value: mean,
            squares: sd * sd * count.saturating_sub(1) as f64,
        }
    }

    /// One value more (Welford's recurrence). The order matters to the last bits.
    pub fn add(&mut self, value: f64) {
        self.count += 1;
        let before = value - self.value;
        self.value += before / self.count as f64;
        self.squares += before * (value - self.value);
    }

    /// How many values.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The mean; 0 without values.
    pub fn mean(&self) -> f64 {
        self.value
    }

    /// The standard error of the mean, `sd / sqrt(count)`; `None` with fewer than two values.
    pub fn se(&self) -> Option<f64> {
        let n = self.count as f64;
        (self.count > 1).then(|| (self.squares / (n - 1.0) / n).sqrt())
    }
}

impl FromIterator<f64> for Mean {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut mean = Self::default();
        values.into_iter().for_each(|value| mean.add(value));
        mean
    }
}

impl Summary {
    /// Of no run yet.
    pub fn new(simulation: &Simulation<'_>) -> Self {
        let arms = simulation.truth().arms();
        let points = simulation.points().len();
        let lanes = simulation.lanes().iter().map(|lane| LaneSummary {
            id: lane.id,
            figures: Figures::default(),
            versions: Mean::default(),
            best_share: Mean::default(),
            unit_share: vec![Mean::default(); arms],
            shares: vec![vec![Mean::default(); arms]; points],
            regret_at: vec![Mean::default(); points],
        });
        Self {
            runs: 0,
            total: Figures::default(),
            lanes: lanes.collect(),
            endings: Endings::new(arms),
        }
    }

    /// One run of the simulation more. Runs come in the order of their numbers: then the figures do not depend, to
    /// the last bit, on who ran them.
    pub fn add(&mut self, truth: &Truth, run: &Run) {
        self.runs += 1;
        self.total.add(truth, &run.lanes);
        self.endings.add(run.ended);
        for (lane, run) in self.lanes.iter_mut().zip(&run.lanes) {
            lane.add(truth, run);
        }
    }
}

impl Figures {
    fn add(&mut self, truth: &Truth, lanes: &[LaneRun]) {
        let sum = |figure: &dyn Fn(&LaneRun) -> f64| lanes.iter().map(figure).sum();
        let participants = lanes.iter().map(LaneRun::participants).sum();
        self.participants.add(participants as f64);
        self.regret.add(sum(&|lane| lane.final_regret(truth)));
        self.even_regret.add(even_regret(truth, participants));
        self.reward.add(sum(&|lane| lane.expected_reward(truth)));
    }
}

impl LaneSummary {
    fn add(&mut self, truth: &Truth, run: &LaneRun) {
        self.figures.add(truth, std::slice::from_ref(run));
        self.versions.add(f64::from(run.versions));
        self.best_share.add(best_share(truth, run));
        for (arm, share) in self.unit_share.iter_mut().enumerate() {
            share.add(unit_share(run, arm));
        }
        for (means, shares) in self.shares.iter_mut().zip(&run.shares) {
            add_each(means, shares);
        }
        add_each(&mut self.regret_at, &run.regret);
    }
}

fn add_each(means: &mut [Mean], values: &[f64]) {
    for (mean, value) in means.iter_mut().zip(values) {
        mean.add(*value);
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

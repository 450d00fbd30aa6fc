//! Rates as a running daemon has seen them: each arm's mean over its resolved units, all lanes together.

use std::mem::discriminant;
use std::path::Path;

use bandit::spec;
use bandit::spec::model::{Direction, ExperimentSpec, RewardSpec};
use chrono::{DateTime, Utc};
use protocol::experiments::Results;
use protocol::refusal::{Code, Refusal};
use serde::Serialize;

use crate::cmd::{Daemon, Failure, one_thread};

/// What a daemon says of an experiment.
pub(super) struct Seen {
    pub(super) results: Results,
    /// What its rewards are.
    pub(super) reward: RewardSpec,
}

/// Where the rates that were not typed are from.
#[derive(Debug, Serialize)]
pub(super) struct Fitted {
    pub(super) experiment: String,
    pub(super) as_of: DateTime<Utc>,
    /// The resolved units of the arms whose rates are fitted.
    pub(super) resolved: u64,
}

/// An arm's mean over its resolved units.
#[derive(Debug, Clone, Copy)]
pub(super) struct Observed {
    /// The rate of success, or the mean in the reward's own units.
    pub(super) mean: f64,
    /// Of so many units.
    pub(super) resolved: u64,
}

/// Ask the daemon at `socket` for the experiment `key`.
pub(super) fn ask(socket: &Path, key: &str) -> Result<Seen, Failure> {
    one_thread()?.block_on(async {
        let daemon = Daemon::connect(socket).await?;
        let asked = || (Daemon::patience(), key.to_owned());
        let (context, key) = asked();
        let results = daemon.client.results(context, key).await??;
        let (context, key) = asked();
        let detail = daemon.client.detail(context, key).await??;
        let mut read = spec::parse("the daemon", &detail.spec_toml);
        let spec = read.as_mut().ok().and_then(|read| read.experiments.pop());
        let Some(ExperimentSpec { reward, .. }) = spec else {
            let message = format!(
                "--fit: what the reward of {} is cannot be read from this daemon; console and daemon should be of \
                 one version",
                results.experiment
            );
            return Err(Refusal::new(Code::Version, message).into());
        };
        Ok(Seen { results, reward })
    })
}

impl Seen {
    /// Refuses rates of something else than what `spec` counts.
    pub(super) fn check(&self, spec: &ExperimentSpec) -> Result<(), Failure> {
        let (ours, theirs) = (&spec.reward, &self.reward);
        if ours.direction == theirs.direction
            && discriminant(&ours.outcome) == discriminant(&theirs.outcome)
        {
            return Ok(());
        }
        Err(Failure::Usage(format!(
            "--fit: the reward of {} in the daemon is {}, in the file that of {} is {}; give the rates with --rates",
            self.results.experiment,
            theirs.describe(),
            spec.key,
            ours.describe()
        )))
    }

    /// What the arm's units earned, the holdback's and a removed lane's too: the truth about an arm does not depend on
    /// who drew it.
    pub(super) fn of(&self, arm: &str) -> Result<Observed, Failure> {
        let lanes = self.results.lanes.iter();
        let rows = lanes.flat_map(|lane| lane.arms.iter().filter(|row| row.name == arm));
        let (resolved, sum) = rows.fold((0, 0.0), |(resolved, sum), row| {
            (resolved + row.resolved, sum + row.reward_sum)
        });
        if resolved == 0 {
            return Err(Failure::Usage(format!(
                "--fit: {arm} has no resolved units in {}; give its rate with --rates {arm}=RATE",
                self.results.experiment
            )));
        }
        let mean = self.in_own_units(sum / resolved as f64);
        Ok(Observed { mean, resolved })
    }

    /// On the wire a reward is in `0..=1` and more is better.
    fn in_own_units(&self, reward: f64) -> f64 {
        match (self.results.scale, self.reward.direction) {
            (Some(scale), _) => {
                let (zero, one) = (scale.at_zero, scale.at_one);
                // Rounding must not lead out of the scale.
                (zero + reward * (one - zero)).clamp(zero.min(one), zero.max(one))
            }
            (None, Direction::Increase) => reward,
            (None, Direction::Decrease) => 1.0 - reward,
        }
    }
}

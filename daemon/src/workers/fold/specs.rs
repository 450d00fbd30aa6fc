//! The reward specs that the fold judges by, read once per experiment.

use std::collections::BTreeMap;

use bandit::experiment::ExperimentId;
use bandit::reward;
use bandit::spec::model::RewardSpec;
use sqlx::PgConnection;

use crate::store::{StoreError, fold as rows};

/// What a reward is, per started experiment. It is settled at start, so what is here stays true.
#[derive(Debug, Default)]
pub struct RewardSpecs(BTreeMap<ExperimentId, Settled>);

/// A settled reward.
#[derive(Debug, Clone, PartialEq)]
pub struct Settled {
    /// The spec.
    pub spec: RewardSpec,
    /// The outcome of a unit without events, in millionths.
    pub default_micro: i32,
}

impl Settled {
    fn new(spec: RewardSpec) -> Self {
        let default_micro = reward::of_silence(&spec);
        Self {
            spec,
            default_micro,
        }
    }
}

impl RewardSpecs {
    /// Reads the specs of experiments that were started since the last time. One that this build cannot
    /// read is skipped: its events are kept, its windows stay open, and the other experiments go on.
    pub async fn refresh(&mut self, connection: &mut PgConnection) -> Result<(), StoreError> {
        let known: Vec<ExperimentId> = self.0.keys().copied().collect();
        for (id, spec) in rows::started_specs(connection, &known).await? {
            match spec {
                Ok(spec) => {
                    self.0.insert(id, Settled::new(spec.reward));
                }
                Err(error) => {
                    tracing::error!(target: "pitboss::worker", experiment = %id, %error, "spec unreadable: its rewards wait");
                }
            }
        }
        Ok(())
    }

    /// The reward of one experiment.
    pub fn get(&self, id: ExperimentId) -> Option<&Settled> {
        self.0.get(&id)
    }

    /// All of them, by id.
    pub fn iter(&self) -> impl Iterator<Item = (ExperimentId, &Settled)> {
        self.0.iter().map(|(id, settled)| (*id, settled))
    }
}

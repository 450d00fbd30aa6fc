//! The reward specs that the fold judges by, read once per experiment, when something of it is folded.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bandit::experiment::ExperimentId;
use bandit::reward;
use bandit::spec::model::RewardSpec;
use sqlx::PgConnection;

use super::Guarded;
use super::attribution::reward_events;

use crate::store::StoreError;
use crate::store::fold::{self as rows, RewardEvents};

/// What a reward is, per started experiment. It is settled at start, so what is here stays true. And which events are
/// guarded, which is not: whoever folds keeps that up to date.
#[derive(Debug, Default)]
pub struct RewardSpecs {
    settled: Mutex<BTreeMap<ExperimentId, Arc<Settled>>>,
    guarded: Mutex<Arc<Guarded>>,
}

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
    /// Reads those of `wanted` that are not known yet and have been started. One that this build cannot read is
    /// skipped: its events are kept, its windows stay open, and the other experiments go on.
    pub async fn read(
        &self,
        connection: &mut PgConnection,
        wanted: impl IntoIterator<Item = ExperimentId>,
    ) -> Result<(), StoreError> {
        let unknown: Vec<ExperimentId> = {
            let known = self.lock();
            let unknown = wanted.into_iter().filter(|id| !known.contains_key(id));
            unknown.collect()
        };
        if unknown.is_empty() {
            return Ok(());
        }
        for (id, spec) in rows::started_specs(connection, &unknown).await? {
            match spec {
                Ok(spec) => {
                    self.lock().insert(id, Arc::new(Settled::new(spec.reward)));
                }
                Err(error) => {
                    tracing::error!(target: "pitboss::worker", experiment = %id, %error, "spec unreadable: its rewards wait");
                }
            }
        }
        Ok(())
    }

    /// From now on these events are guarded.
    pub fn guard(&self, guarded: Guarded) {
        *self.guarded.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(guarded);
    }

    pub(super) fn guarded(&self) -> Arc<Guarded> {
        let guarded = self.guarded.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&guarded)
    }

    /// The reward of one experiment.
    pub fn get(&self, id: ExperimentId) -> Option<Arc<Settled>> {
        self.lock().get(&id).cloned()
    }

    /// The names of the events that are rewards of `ids`, as far as they are known.
    pub fn events(&self, ids: &[ExperimentId]) -> RewardEvents {
        let known = self.lock();
        let mut events = RewardEvents::default();
        for id in ids {
            let Some(settled) = known.get(id) else {
                continue;
            };
            events.known.push(*id);
            let names = reward_events(&settled.spec);
            events
                .names
                .extend(names.into_iter().map(|name| (*id, name.to_owned())));
        }
        events
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<ExperimentId, Arc<Settled>>> {
        self.settled.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! The schedule worker: starts, ramps, stops and archives by the calendar, each through the way of every mutation.
//!
//! A run compares instants in memory by the database's clock; what is due is judged again under the lock. A daemon that
//! was away finds on its return what has become due meanwhile, and two leaders have one effect.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bandit::experiment::ExperimentId;
use bandit::schedule::{Action, Next, Obstacle, look};
use chrono::{DateTime, Utc};
use protocol::refusal::{Code, Refusal};

use super::runner::{Round, Work};
use crate::operations::{Errand, Operations, store_refusal};
use crate::store::leases::Lease;
use crate::store::{Store, StoreError, fold, ramps};
use crate::world::{Live, WorldHandle};

/// The schedule worker.
#[derive(Debug)]
pub struct Schedules {
    store: Store,
    world: WorldHandle,
    operations: Operations,
    /// Whose ramp has been waiting for its samples for too long, as it was told last.
    late: BTreeSet<ExperimentId>,
}

/// What a run did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Kept {
    /// Experiments with a schedule that is not over.
    pub scheduled: usize,
    /// What was done, in words.
    pub done: Vec<String>,
    /// Ramps that have been waiting for samples for too long.
    pub late: usize,
}

impl Schedules {
    /// A worker that acts through `operations`.
    pub fn new(store: Store, world: WorldHandle, operations: Operations) -> Self {
        Self {
            store,
            world,
            operations,
            late: BTreeSet::new(),
        }
    }

    /// One run, as of `at`, or of the database's clock.
    pub async fn run_at(&mut self, at: Option<DateTime<Utc>>) -> Result<Kept, Refusal> {
        let scheduled = self.scheduled();
        let mut kept = Kept {
            scheduled: scheduled.len(),
            ..Kept::default()
        };
        let ripe = self.ripe(scheduled, at).await;
        let (now, ripe) = ripe.map_err(|error| store_refusal(&error))?;
        let mut late = BTreeSet::new();
        for (live, exposed) in ripe {
            let standing = live.standing(exposed);
            match look(&standing, now) {
                Next::Due(action) => kept
                    .done
                    .extend(self.keep(&live, exposed, action, at).await?),
                Next::Waits(Obstacle::Samples {
                    have,
                    need,
                    late: true,
                }) => {
                    late.insert(live.id);
                    if !self.late.contains(&live.id) {
                        report_late_ramp(&live, have, need);
                    }
                }
                Next::Waits(_) | Next::At(_) | Next::Nothing => {}
            }
        }
        kept.late = late.len();
        self.late = late;
        Ok(kept)
    }

    /// Experiments for which something may be due some day.
    fn scheduled(&self) -> Vec<Arc<Live>> {
        let world = self.world.load();
        let scheduled = world.experiments.values();
        scheduled
            .filter(|live| {
                live.spec.schedule.is_some()
                    && look(&live.standing(0), DateTime::<Utc>::MIN_UTC) != Next::Nothing
            })
            .cloned()
            .collect()
    }

    /// Those whose time has come, with the units that were ever exposed, and as of when.
    async fn ripe(
        &self,
        scheduled: Vec<Arc<Live>>,
        at: Option<DateTime<Utc>>,
    ) -> Result<(DateTime<Utc>, Vec<(Arc<Live>, u64)>), StoreError> {
        if scheduled.is_empty() {
            return Ok((DateTime::<Utc>::MIN_UTC, Vec::new()));
        }
        let mut connection = self.store.session().await?;
        let now = match at {
            Some(at) => at,
            None => fold::now(&mut connection).await?,
        };
        // Only then does it matter how many were exposed.
        let is_ripe =
            |live: &Arc<Live>| matches!(look(&live.standing(u64::MAX), now), Next::Due(_));
        let ripe: Vec<Arc<Live>> = scheduled.into_iter().filter(is_ripe).collect();
        let ids: Vec<ExperimentId> = ripe.iter().map(|live| live.id).collect();
        let exposed = if ids.is_empty() {
            BTreeMap::new()
        } else {
            ramps::exposed(&mut connection, &ids).await?
        };
        let counted = ripe.into_iter().map(|live| {
            let exposed = exposed.get(&live.id).copied().unwrap_or(0);
            (live, exposed)
        });
        Ok((now, counted.collect()))
    }

    /// Does it. One experiment that cannot be changed does not keep the others waiting.
    async fn keep(
        &self,
        live: &Live,
        exposed: u64,
        action: Action,
        at: Option<DateTime<Utc>>,
    ) -> Result<Option<String>, Refusal> {
        let errand = Errand::new(&live.standing(exposed), action);
        match self.operations.keep_schedule(errand, at).await {
            Ok(done) => Ok(done.map(|done| done.outcome)),
            Err(refusal) if refusal.code == Code::Unavailable => Err(refusal),
            Err(refusal) => {
                let experiment = live.serving.key.as_str();
                tracing::error!(target: "pitboss::worker", experiment, %refusal, "schedule not kept");
                Ok(None)
            }
        }
    }
}

/// A ramp that has been waiting for its samples for longer than three times its hold: too few users come, or their
/// exposures do not arrive.
fn report_late_ramp(live: &Live, have: u64, need: u64) {
    let experiment = live.serving.key.as_str();
    tracing::warn!(target: "pitboss::worker", experiment, have, need, "ramp waits for samples");
}

impl Work for Schedules {
    async fn run(&mut self, _: &Lease) -> Result<Round, Box<dyn std::error::Error + Send + Sync>> {
        let Kept {
            scheduled,
            done,
            late,
        } = self.run_at(None).await?;
        let mut said = done.clone();
        if done.is_empty() {
            said.push(format!(
                "{scheduled} experiments with a schedule, nothing due"
            ));
        }
        if late > 0 {
            said.push(format!("{late} ramps wait for samples for too long"));
        }
        Ok(Round {
            // What follows from what was done may be due already.
            again: !done.is_empty(),
            detail: said.join("; "),
        })
    }
}

#[cfg(test)]
mod tests;

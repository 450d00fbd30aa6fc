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
use crate::alerts::lifecycle::Severity;
use crate::operations::{Errand, Operations, store_refusal};
use crate::store::alerts::{self, Report};
use crate::store::leases::Lease;
use crate::store::{Store, StoreError, TxFuture, fold, ramps};
use crate::world::{Live, WorldHandle};

/// What its alerts are of.
const ROLE: &str = "schedule";

/// The schedule worker.
#[derive(Debug)]
pub struct Schedules {
    store: Store,
    world: WorldHandle,
    operations: Operations,
    /// Whose ramp has been waiting for its samples for too long, as it was told last; `None` before the first run of
    /// a term.
    late: Option<BTreeSet<ExperimentId>>,
    /// In which it led last.
    term: Option<i64>,
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
            late: None,
            term: None,
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
        let mut late = BTreeMap::new();
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
                    let of = live.id;
                    late.insert(of, Late { live, have, need });
                }
                Next::Waits(_) | Next::At(_) | Next::Nothing => {}
            }
        }
        kept.late = late.len();
        let told = self.tell(&late, at).await;
        told.map_err(|error| store_refusal(&error))?;
        Ok(kept)
    }

    /// Reports the ramps that have become late since the run before, and that others no longer are. The first run cannot
    /// know what the leader before it has told.
    async fn tell(
        &mut self,
        late: &BTreeMap<ExperimentId, Late>,
        at: Option<DateTime<Utc>>,
    ) -> Result<(), StoreError> {
        let now_late: BTreeSet<ExperimentId> = late.keys().copied().collect();
        if self.late.as_ref() == Some(&now_late) {
            return Ok(());
        }
        let alert = self.store.run_tx("ramp alerts", |tx| {
            TxFuture::new(async move {
                let now = match at {
                    Some(at) => at,
                    None => fold::now(tx).await?,
                };
                for late in late.values() {
                    alerts::report(tx, &late.report(now)).await?;
                }
                let is_late =
                    |key: &str| late.values().any(|it| it.live.serving.key.as_str() == key);
                for key in alerts::open_of(tx, ROLE).await? {
                    if !is_late(&key) {
                        alerts::resolve(tx, &format!("{ROLE}/{key}"), now).await?;
                    }
                }
                Ok::<_, StoreError>(())
            })
        });
        alert.await?;
        self.late = Some(now_late);
        Ok(())
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
#[derive(Debug, Clone)]
struct Late {
    live: Arc<Live>,
    have: u64,
    need: u64,
}

impl Late {
    fn report(&self, at: DateTime<Utc>) -> Report<'static> {
        let Self { live, have, need } = self;
        let key = live.serving.key.to_string();
        let traffic = live.serving.traffic;
        Report {
            identity: format!("{ROLE}/{key}"),
            experiment: Some(live.id),
            source: ROLE,
            arm: None,
            severity: Severity::Warning,
            summary: format!(
                "the ramp of {key} stays at {traffic}: {have} of {need} units were exposed there, long after its hold"
            ),
            detail: serde_json::json!({ "traffic": traffic, "exposed": have, "min_samples": need }),
            at,
            pending: false,
            key: Some(key),
        }
    }
}

impl Work for Schedules {
    async fn run(
        &mut self,
        lease: &Lease,
    ) -> Result<Round, Box<dyn std::error::Error + Send + Sync>> {
        if self.term.replace(lease.term) != Some(lease.term) {
            self.late = None;
        }
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

//! The publisher: changed state becomes a new policy version of a learning lane.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use bandit::experiment::{ExperimentId, LaneId, Millis, RunState, Version};
use bandit::lanes::Lane;
use bandit::policy::{self, Evidence};
use bandit::spec::model::{Credit, ExperimentSpec};
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use tokio::sync::Notify;

use super::runner::{Round, Work};
use crate::learning::{self, Learner, Readings};
use crate::publication::{LaneEvidence, next_publication};
use crate::store::experiments::{self, Stored};
use crate::store::leases::{Deposed, Lease};
use crate::store::state::{self, LaneStats};
use crate::store::versions::{self, PolicyVersion, PublishError};
use crate::store::{Store, StoreError, TransactionError, TxFuture, fold};
use crate::world::{Live, WorldHandle};

/// Every 15th round looks for what another daemon has folded, which marks nothing here, and at what changes though
/// nothing comes.
const SWEEP_EVERY: u64 = 15;

/// A ten-thousandth: what changes because time passes is not worth a version below this, or an experiment that nobody
/// visits would publish one a minute for ever. It adds up until it is.
const AGED: f64 = 1e-4;

/// Experiments whose state changed since their lanes were last looked at. Clones share one set.
#[derive(Debug, Clone, Default)]
pub struct Dirty {
    ids: Arc<Mutex<BTreeSet<ExperimentId>>>,
    wake: Arc<Notify>,
}

impl Dirty {
    /// Marks experiments and wakes the publisher.
    pub fn mark(&self, ids: &BTreeSet<ExperimentId>) {
        if ids.is_empty() {
            return;
        }
        self.put_back(ids);
        self.wake.notify_one();
    }

    pub(super) fn wake(&self) -> Arc<Notify> {
        Arc::clone(&self.wake)
    }

    fn put_back(&self, ids: &BTreeSet<ExperimentId>) {
        self.ids
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(ids);
    }

    fn take(&self) -> BTreeSet<ExperimentId> {
        std::mem::take(&mut *self.ids.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What became of the experiments that were looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Published {
    /// New versions.
    pub versions: Vec<(ExperimentId, LaneId, Version)>,
    /// Moved, but not far enough or too soon: to be looked at again.
    pub waiting: BTreeSet<ExperimentId>,
}

/// Why a round was given up. Nothing of it happened.
#[derive(Debug, thiserror::Error)]
pub enum PublisherError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another daemon leads the publisher now.
    #[error(transparent)]
    Deposed(#[from] Deposed),
}

impl TransactionError for PublisherError {
    fn store_error(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error) => Some(error),
            Self::Deposed(_) => None,
        }
    }
}

/// The publisher as a worker.
#[derive(Debug)]
pub struct Publisher {
    store: Store,
    world: WorldHandle,
    dirty: Dirty,
    readings: Readings,
    rounds: u64,
    looked: Looked,
}

/// What was looked at in this term, so that thousands of experiments without traffic are not looked at again and again.
#[derive(Debug, Default)]
struct Looked {
    term: i64,
    /// How often each experiment had been folded.
    folded: BTreeMap<ExperimentId, i64>,
    /// Lanes whose burn-in was over by the clock, and since when.
    burnt_in: BTreeMap<(ExperimentId, LaneId), DateTime<Utc>>,
}

impl Publisher {
    /// A publisher that looks at what is marked in `dirty`.
    pub fn new(store: Store, world: WorldHandle, dirty: Dirty) -> Self {
        Self {
            store,
            world,
            dirty,
            readings: Readings::default(),
            rounds: 0,
            looked: Looked::default(),
        }
    }

    /// Marked ones, those whose burn-in ends by the clock, and now and then those that another daemon has folded or
    /// that change with time.
    async fn candidates(&mut self, term: i64) -> Result<BTreeSet<ExperimentId>, StoreError> {
        if self.looked.term != term {
            self.looked = Looked {
                term,
                ..Looked::default()
            };
        }
        let sweep = self.rounds.is_multiple_of(SWEEP_EVERY);
        self.rounds += 1;
        let mut connection = self.store.session().await?;
        let now = fold::now(&mut connection).await?;
        let mut ids = BTreeSet::new();
        if sweep {
            let folded = state::folds(&mut connection).await?;
            let known = &self.looked.folded;
            let new = folded
                .iter()
                .filter(|(id, folds)| known.get(id) != Some(folds));
            ids.extend(new.map(|(id, _)| *id));
            self.looked.folded = folded;
        }
        for live in self.world.load().experiments.values() {
            if live.is_running()
                && (self.looked.burnt_in(live, now)
                    || sweep && live.lanes.iter().any(|lane| ages(&live.spec, lane)))
            {
                ids.insert(live.id);
            }
        }
        ids.extend(self.dirty.take());
        Ok(ids)
    }
}

impl Looked {
    /// Whether a burn-in has ended by the clock since the last look. What else it waits for is folded.
    fn burnt_in(&mut self, live: &Live, now: DateTime<Utc>) -> bool {
        let mut ended = false;
        let Some(started_at) = live.started_at else {
            return false;
        };
        let burning_in = live.published.iter().filter(|lane| lane.burn_in.is_some());
        for burning_in in burning_in {
            let lane = live.lanes.iter().find(|lane| lane.id == burning_in.lane);
            let ends = lane.map(|lane| started_at + lane.policy.burn_in.for_.to_chrono());
            if let Some(at) = ends.filter(|at| *at <= now) {
                ended |= self.burnt_in.insert((live.id, burning_in.lane), at) != Some(at);
            }
        }
        ended
    }
}

impl Work for Publisher {
    async fn run(
        &mut self,
        lease: &Lease,
    ) -> Result<Round, Box<dyn std::error::Error + Send + Sync>> {
        let ids = self.candidates(lease.term).await?;
        let published = match led_round(&self.store, &ids, lease, &self.readings).await {
            Ok(published) => published,
            Err(error) => {
                self.dirty.put_back(&ids);
                return Err(error.into());
            }
        };
        self.dirty.put_back(&published.waiting);
        if !published.versions.is_empty() {
            self.world.refresh().await;
        }
        metrics::counter!("pitboss_policy_versions").increment(published.versions.len() as u64);
        Ok(Round {
            detail: format!(
                "looked at {}, published {}",
                ids.len(),
                published.versions.len()
            ),
            again: false,
        })
    }
}

/// One round under `lease`, committed.
pub async fn led_round(
    store: &Store,
    ids: &BTreeSet<ExperimentId>,
    lease: &Lease,
    readings: &Readings,
) -> Result<Published, PublisherError> {
    if ids.is_empty() {
        return Ok(Published::default());
    }
    store
        .run_led_tx("publish", lease, |tx| {
            TxFuture::new(async move {
                let now = fold::now(tx).await?;
                round_with(tx, ids, now, readings).await
            })
        })
        .await
}

/// One round inside `tx`, as of `now`, with everything read anew.
pub async fn round(
    tx: &mut PgConnection,
    ids: &BTreeSet<ExperimentId>,
    now: DateTime<Utc>,
) -> Result<Published, PublisherError> {
    round_with(tx, ids, now, &Readings::default()).await
}

/// One round inside `tx`, as of `now`, with what was read a moment ago.
///
/// The newest versions are read first. Every change of a spec gives its lanes new versions, so a change that
/// commits after that makes the insert find its number taken, and nothing is published from an old spec.
pub async fn round_with(
    tx: &mut PgConnection,
    ids: &BTreeSet<ExperimentId>,
    now: DateTime<Utc>,
    readings: &Readings,
) -> Result<Published, PublisherError> {
    let ids: Vec<ExperimentId> = ids.iter().copied().collect();
    let mut newest = newest_of(tx, &ids).await?;
    let stored = experiments::load(tx, &ids).await?;
    let learned = state::sums(tx, &ids).await?;
    let mut published = Published::default();
    for experiment in stored {
        let experiment = match experiment {
            Ok(experiment) => experiment,
            Err(error) => {
                tracing::error!(target: "pitboss::worker", %error, "experiment unreadable: not published");
                continue;
            }
        };
        for lane in experiment.lane_numbers.lanes_of(&experiment.spec) {
            // A lane that a change has just added: its first version is the change's own.
            let Some(current) = newest.remove(&(experiment.id, lane.id)) else {
                continue;
            };
            let nothing = LaneStats::new();
            let stats = learned.get(&(experiment.id, lane.id));
            let learner = Learner {
                experiment: experiment.id,
                lane: lane.id,
                reward: &experiment.spec.reward,
                memory: lane.policy.memory.filter(|_| lane.learns),
            };
            let stats = stats.unwrap_or(&nothing);
            let known = learning::evidence(tx, learner, stats, now, readings).await?;
            match next_version(&experiment, &lane, &current, &known, now) {
                Ok(Next::Settled) => {}
                Ok(Next::Waiting) => {
                    published.waiting.insert(experiment.id);
                }
                Ok(Next::Publish(version)) => {
                    if versions::insert(tx, &version).await? {
                        let number = (experiment.id, lane.id, version.version);
                        published.versions.push(number);
                    } else {
                        published.waiting.insert(experiment.id);
                    }
                }
                Err(error) => {
                    tracing::error!(target: "pitboss::worker", %error, source = ?std::error::Error::source(&error), "allocation not published");
                }
            }
        }
    }
    Ok(published)
}

async fn newest_of(
    tx: &mut PgConnection,
    ids: &[ExperimentId],
) -> Result<BTreeMap<(ExperimentId, LaneId), PolicyVersion>, StoreError> {
    let mut newest = BTreeMap::new();
    for version in versions::newest(tx, ids).await? {
        match version {
            Ok(version) => {
                newest.insert((version.experiment, version.lane), version);
            }
            Err(error) => {
                tracing::error!(target: "pitboss::worker", %error, "version unreadable: not published");
            }
        }
    }
    Ok(newest)
}

/// What to do about a lane.
#[derive(Debug, Clone, PartialEq)]
enum Next {
    /// It is as it should be.
    Settled,
    /// It moved, but not far enough or too soon.
    Waiting,
    /// This is new.
    Publish(Box<PolicyVersion>),
}

fn next_version(
    experiment: &Stored,
    lane: &Lane,
    current: &PolicyVersion,
    known: &LaneEvidence,
    now: DateTime<Utc>,
) -> Result<Next, PublishError> {
    let (true, RunState::Running { .. }, Some(started_at)) =
        (lane.learns, &experiment.state, experiment.started_at)
    else {
        return Ok(Next::Settled);
    };
    let running_for = versions::running_for(started_at, now);
    let next = next_publication(&experiment.spec, &experiment.arms, lane, known, running_for)
        .map_err(|source| PublishError::Policy {
            experiment: experiment.id,
            lane: lane.id,
            source,
        })?;
    let burn_in_ended = current.burn_in.is_some() && next.burn_in.is_none();
    let moved = if ages(&experiment.spec, lane) {
        current.allocation.distance(&next.allocation) > AGED
            || current.allocation.arms().ne(next.allocation.arms())
    } else {
        current.allocation != next.allocation
    };
    if !burn_in_ended && !moved {
        return Ok(Next::Settled);
    }
    let since_last =
        Millis(u64::try_from((now - current.published_at).num_milliseconds()).unwrap_or(0));
    let every = lane.policy.publish_every;
    let due = policy::should_publish(&current.allocation, &next.allocation, since_last, every);
    let due = due || (burn_in_ended && since_last >= every);
    if !due {
        return Ok(Next::Waiting);
    }
    let evidence = versions::evidence_of(&next.allocation, known);
    Ok(Next::Publish(Box::new(PolicyVersion {
        experiment: experiment.id,
        lane: lane.id,
        version: Version(current.version.0 + 1),
        revision: current.revision,
        published_at: now,
        reason: reason(current, burn_in_ended, &evidence),
        allocation: next.allocation,
        evidence,
        edition: policy::EDITION,
        running_for,
        burn_in: next.burn_in,
    })))
}

/// Whether what the lane knows changes though nothing comes.
fn ages(spec: &ExperimentSpec, lane: &Lane) -> bool {
    spec.reward.credit == Credit::Corrected || lane.policy.memory.is_some()
}

fn reason(current: &PolicyVersion, burn_in_ended: bool, evidence: &[Evidence]) -> String {
    if burn_in_ended {
        return "burn-in over".to_owned();
    }
    let resolved =
        |evidence: &[Evidence]| -> u64 { evidence.iter().map(|known| known.stats.resolved).sum() };
    let more = resolved(evidence).saturating_sub(resolved(&current.evidence));
    let in_flight = |evidence: &[Evidence]| -> f64 {
        let counted = |known: &Evidence| known.learned.n - known.stats.resolved as f64;
        evidence.iter().map(counted).sum()
    };
    let what = match more {
        0 if in_flight(evidence) > 0.0 => "units in flight".to_owned(),
        0 => "the passing of time".to_owned(),
        more => format!("{more} more rewards"),
    };
    format!("{}{what}", versions::LEARNED)
}

#[cfg(test)]
mod tests;

//! The decision worker: looks at running experiments that declare when to end, and records what it would do.
//!
//! It recommends. Where the file lets a decision act, it asks the operations to, which look again under their lock.
//!
//! Cadence: a round every few seconds compares instants in memory. An experiment is looked at when its rules say that
//! another look can tell something new (an hour for weekly cycles, the same part of shorter ones, every 100 outcomes
//! for `fail_fast`) and outcomes have arrived since the last one, or its longest runtime is over.

pub mod auto;
pub(super) mod evidence;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use bandit::decision::{Decision, Memory, Rules, decide, may_act};
use bandit::experiment::{ExperimentId, Millis, RunState};
use bandit::probability::QuadratureError;
use bandit::spec::model::DecisionSpec;
use chrono::{DateTime, TimeDelta, Utc};
use protocol::refusal::{Code, Refusal};
use sqlx::PgConnection;

use super::runner::{Round, Work};
use crate::operations::Operations;
use crate::store::decisions::{self, Recorded};
use crate::store::leases::{Deposed, Lease};
use crate::store::versions::running_for;
use crate::store::{Store, StoreError, TransactionError, TxFuture, alerts, fold, state};
use crate::world::{Live, WorldHandle};

/// An hour: a row of history at most that often while nothing changes, however short the cycle is.
const ROW_EVERY: Millis = Millis(60 * 60 * 1_000);

/// Looks of one run: seconds of work at 2 to 6 ms each, so that a stop does not wait for them, and a run is far from
/// being given up, when a daemon that has just begun to lead owes thousands of experiments a look.
const LOOKS: usize = 500;

/// Why a look was given up. Nothing of it happened.
#[derive(Debug, thiserror::Error)]
pub enum DecideError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The arms could not be compared.
    #[error("the arms cannot be compared")]
    Quadrature(#[from] QuadratureError),
    /// The comparison ended without an answer.
    #[error("the comparison of the arms ended early")]
    Ended,
    /// Another daemon leads the decisions now.
    #[error(transparent)]
    Deposed(#[from] Deposed),
}

impl TransactionError for DecideError {
    fn store_error(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error) => Some(error),
            Self::Quadrature(_) | Self::Ended | Self::Deposed(_) => None,
        }
    }
}

/// The decision worker.
#[derive(Debug)]
pub struct Decider {
    store: Store,
    world: WorldHandle,
    operations: Operations,
    looked: BTreeMap<ExperimentId, Looked>,
    looks_of_a_run: usize,
}

/// What a look found.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Whether the decision is another one than before.
    pub changed: bool,
    /// The decision as it is stored.
    pub recorded: Recorded,
}

/// A look at an experiment.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Looked {
    at: DateTime<Utc>,
    /// Outcomes of all lanes and arms.
    resolved: u64,
}

/// An experiment whose time has come.
struct Due {
    live: Arc<Live>,
    rules: Rules,
    looked: Looked,
}

impl Decider {
    /// A worker that has not looked yet.
    pub fn new(store: Store, world: WorldHandle, operations: Operations) -> Self {
        Self {
            store,
            world,
            operations,
            looked: BTreeMap::new(),
            looks_of_a_run: LOOKS,
        }
    }

    /// Running experiments with a decision section and its rules.
    fn candidates(&self) -> Vec<(Arc<Live>, Rules)> {
        let world = self.world.load();
        world
            .experiments
            .values()
            .filter(|live| live.is_running() && live.started_at.is_some())
            .filter_map(|live| Some((Arc::clone(live), rules(live, live.spec.decision.as_ref()?))))
            .collect()
    }

    /// Those of them whose time has come, as of now.
    async fn due(&self, candidates: Vec<(Arc<Live>, Rules)>) -> Result<Vec<Due>, StoreError> {
        if candidates.is_empty() {
            return Ok(Vec::new());
        }
        let mut connection = self.store.session().await?;
        let now = fold::now(&mut connection).await?;
        let maybe: Vec<(Arc<Live>, Rules)> = candidates
            .into_iter()
            .filter(|(live, rules)| {
                let looked = self.looked.get(&live.id);
                looked.is_none_or(|looked| rules.look_due(since(looked.at, now), u64::MAX))
            })
            .collect();
        let ids: Vec<ExperimentId> = maybe.iter().map(|(live, _)| live.id).collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut resolved: BTreeMap<ExperimentId, u64> = BTreeMap::new();
        for ((id, _), arms) in state::sums(&mut connection, &ids).await? {
            let of_lane: u64 = arms.values().map(|stats| stats.resolved).sum();
            *resolved.entry(id).or_default() += of_lane;
        }
        let due = maybe.into_iter().map(|(live, rules)| Due {
            looked: Looked {
                at: now,
                resolved: resolved.get(&live.id).copied().unwrap_or_default(),
            },
            live,
            rules,
        });
        Ok(due.filter(|due| self.tells_something_new(due)).collect())
    }

    /// Without new outcomes only the end of the longest runtime does.
    fn tells_something_new(&self, due: &Due) -> bool {
        let Some(before) = self.looked.get(&due.live.id) else {
            return true;
        };
        let new = due.looked.resolved.saturating_sub(before.resolved);
        let running_for = started_for(&due.live, due.looked.at);
        let over = due
            .rules
            .max_runtime
            .is_some_and(|most| running_for >= most);
        let elapsed = since(before.at, due.looked.at);
        let ended = over && elapsed >= due.rules.look_every();
        ended || (new > 0 && due.rules.look_due(elapsed, new))
    }
}

impl Decider {
    /// Ends the alerts of what was done without asking, once nothing is left of it: an experiment that was stopped is
    /// archived, an arm that was closed is open again.
    async fn settle(&self, lease: &Lease) -> Result<(), DecideError> {
        let world = &self.world.load();
        let stands = |key: &str| {
            let Some(live) = world.get(key) else {
                return true;
            };
            match live.serving.state {
                RunState::Stopped { .. } => true,
                RunState::Draft | RunState::Archived { .. } => false,
                RunState::Running { .. }
                | RunState::Paused { .. }
                | RunState::RolledBack { .. } => {
                    live.serving.arms.iter().any(|arm| arm.quarantined)
                }
            }
        };
        let settled = self.store.run_led_tx("decision alerts", lease, |tx| {
            TxFuture::new(async move {
                let now = fold::now(tx).await?;
                for key in alerts::open_of(tx, "decision").await? {
                    if !stands(&key) {
                        alerts::resolve(tx, &format!("decision/{key}"), now).await?;
                    }
                }
                Ok::<_, DecideError>(())
            })
        });
        settled.await
    }

    /// Does what a look has found, where the file lets it; says what was done. One experiment that cannot be changed
    /// does not keep the others waiting.
    async fn act(&self, live: &Arc<Live>, recorded: &Recorded) -> Result<Option<String>, Refusal> {
        let spec = live.spec.decision.as_ref();
        if !spec.is_some_and(|spec| may_act(spec, recorded.decision.choice)) {
            return Ok(None);
        }
        let acted = self.operations.act_on_decision(live, recorded, None).await;
        match acted {
            Ok(done) => Ok(done.map(|done| done.outcome)),
            Err(refusal) if refusal.code == Code::Unavailable => Err(refusal),
            Err(refusal) => {
                let experiment = live.serving.key.as_str();
                tracing::error!(target: "pitboss::worker", experiment, %refusal, "decision not carried out");
                Ok(None)
            }
        }
    }
}

impl Work for Decider {
    async fn run(
        &mut self,
        lease: &Lease,
    ) -> Result<Round, Box<dyn std::error::Error + Send + Sync>> {
        let candidates = self.candidates();
        let running: BTreeSet<ExperimentId> = candidates.iter().map(|(live, _)| live.id).collect();
        self.looked.retain(|id, _| running.contains(id));
        let (mut looks, mut changes, mut acted) = (0_usize, 0_usize, Vec::new());
        let mut due = self.due(candidates).await?;
        let again = due.len() > self.looks_of_a_run;
        due.truncate(self.looks_of_a_run);
        for due in due {
            match led_look(&self.store, &due.live, &due.rules, lease).await {
                Ok(found) => {
                    looks += 1;
                    changes += usize::from(found.changed);
                    acted.extend(self.act(&due.live, &found.recorded).await?);
                }
                // One experiment that cannot be judged does not keep the others waiting.
                Err(error @ (DecideError::Quadrature(_) | DecideError::Ended)) => {
                    let experiment = due.live.serving.key.as_str();
                    tracing::error!(target: "pitboss::worker", experiment, %error, "not judged");
                }
                Err(error) => return Err(error.into()),
            }
            self.looked.insert(due.live.id, due.looked);
        }
        metrics::counter!("pitboss_decision_looks_total").increment(looks as u64);
        self.settle(lease).await?;
        let looked = format!("of {} looked at {looks}, {changes} changed", running.len());
        acted.push(looked);
        Ok(Round {
            detail: acted.join("; "),
            again,
        })
    }
}

/// One look under `lease`, committed.
pub async fn led_look(
    store: &Store,
    live: &Live,
    rules: &Rules,
    lease: &Lease,
) -> Result<Found, DecideError> {
    store
        .run_led_tx("decide", lease, |tx| {
            TxFuture::new(async move {
                let now = fold::now(tx).await?;
                look(tx, live, rules, now).await
            })
        })
        .await
}

/// One look inside `tx`, as of `now`. A second one at the same instant finds the first and changes nothing.
pub async fn look(
    tx: &mut PgConnection,
    live: &Live,
    rules: &Rules,
    now: DateTime<Utc>,
) -> Result<Found, DecideError> {
    let before = match decisions::newest(tx, live.id).await {
        Ok(before) => before,
        // Of another build: the look goes on without its memory, and writes a row that can be read.
        Err(error @ StoreError::Unreadable { .. }) => {
            tracing::warn!(target: "pitboss::worker", %error, "the decision before is not remembered");
            None
        }
        Err(error) => return Err(error.into()),
    };
    if let Some(recorded) = before.clone().filter(|before| before.looked_at >= now) {
        let changed = false;
        return Ok(Found { changed, recorded });
    }
    let evidence = evidence::gather(tx, live, rules, now).await?;
    let memory = before
        .as_ref()
        .map_or_else(Memory::default, |it| it.decision.memory.clone());
    let decision = decide(rules, &evidence, &memory);
    let changed = before
        .as_ref()
        .is_none_or(|before| before.decision.choice != decision.choice);
    let recorded = row(before, decision, rules, now);
    decisions::put(tx, live.id, &recorded).await?;
    Ok(Found { changed, recorded })
}

/// A change begins a row, and so does a day; other looks renew the row there is.
fn row(
    before: Option<Recorded>,
    decision: Decision,
    rules: &Rules,
    now: DateTime<Utc>,
) -> Recorded {
    let standing = before.filter(|before| before.decision.choice == decision.choice);
    let every = rules.day().max(ROW_EVERY);
    let (decided_at, since) = match standing {
        Some(before) if self::since(before.decided_at, now) < every => {
            (before.decided_at, before.since)
        }
        Some(before) => (now, before.since),
        None => (now, now),
    };
    Recorded {
        decided_at,
        since,
        looked_at: now,
        decision,
    }
}

/// The rules of an experiment, for the arms that are open now.
pub fn rules(live: &Live, spec: &DecisionSpec) -> Rules {
    let open = live.serving.arms.iter().filter(|arm| arm.is_open());
    Rules::new(spec, open.count())
}

fn started_for(live: &Live, now: DateTime<Utc>) -> Millis {
    live.started_at
        .map_or(Millis(0), |started| running_for(started, now))
}

fn since(then: DateTime<Utc>, now: DateTime<Utc>) -> Millis {
    let between: TimeDelta = now - then;
    Millis(u64::try_from(between.num_milliseconds()).unwrap_or(0))
}

#[cfg(test)]
mod tests;

//! Background work: the fold that turns what was acknowledged into state, the publisher that turns state into
//! policy versions, the decisions that say when to end an experiment, the schedules, and the retention of events.
//!
//! Each worker is a reconciler: no input, idempotent, woken by event and by timer, one round at a time.
//! Each leads its role by a lease, so that of several daemons one does the work; the others stand by.

pub mod decide;
#[cfg(test)]
pub(crate) mod fixture;
pub mod fold;
pub mod guard;
pub mod publish;
pub mod retention;
pub mod runner;
pub mod schedules;
pub mod sizes;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::operations::Operations;
use crate::store::leases::Lease;
use crate::store::{Store, fold as rows};
use crate::world::WorldHandle;

use decide::Decider;
use fold::{FoldError, Guarded, Known, RewardSpecs};
use guard::Guard;
use publish::{Dirty, Publisher};
use retention::Retention;
use runner::{LastRun, Outcome, Round, Runner};
use schedules::Schedules;

/// 1 s: the fold's promise (DESIGN 5), and cheap: an idle round is four indexed look-ups.
const FOLD_EVERY: Duration = Duration::from_secs(1);

/// 1 s: as the fold; a round looks only at experiments that changed.
const PUBLISH_EVERY: Duration = Duration::from_secs(1);

/// 5 s: a round compares instants in memory; how often an experiment is looked at is its rules' business.
const DECIDE_EVERY: Duration = Duration::from_secs(5);

/// 1 s: what is due is done within that; a run without anything due compares instants in memory.
const SCHEDULE_EVERY: Duration = Duration::from_secs(1);

/// 5 s: a round compares instants in memory; how often a guardrail is judged is its own business.
const GUARD_EVERY: Duration = Duration::from_secs(5);

/// 1 h: what retention drops are weeks.
const RETAIN_EVERY: Duration = Duration::from_hours(1);

/// Rounds of the fold in one run, at most: 400,000 rows of each kind, half a minute on a machine that is busy
/// with other things. Then the run is reported and the next one begins at once.
const ROUNDS_PER_RUN: usize = 20;

/// The background workers of one daemon.
#[derive(Debug)]
pub struct Workers {
    reports: Reports,
    tasks: Vec<JoinHandle<()>>,
    operations: Operations,
}

/// How the workers' newest runs went, for as long as anyone asks.
#[derive(Debug, Clone)]
pub struct Reports {
    fold: watch::Receiver<LastRun>,
    publish: watch::Receiver<LastRun>,
    decide: watch::Receiver<LastRun>,
    schedules: watch::Receiver<LastRun>,
    guard: watch::Receiver<LastRun>,
    retention: watch::Receiver<LastRun>,
    others: Vec<(&'static str, watch::Receiver<LastRun>)>,
}

impl Workers {
    /// Starts them. They end, each after the run it is in, when `stop` is cancelled. `holder` names this run
    /// of this daemon in the leases; no other run may have the same. What they do to experiments they do through
    /// `operations`.
    pub fn start(
        store: &Store,
        world: &WorldHandle,
        operations: Operations,
        clock: &Clock,
        holder: &str,
        event_retention: Option<Duration>,
        stop: &CancellationToken,
    ) -> Self {
        let dirty = Dirty::default();
        let runner = |role, every, wake| Runner {
            role,
            holder: holder.to_owned(),
            every,
            wake,
            clock: clock.clone(),
            store: store.clone(),
        };
        let (fold_report, fold) = watch::channel(LastRun::default());
        let (publish_report, publish) = watch::channel(LastRun::default());
        let (decide_report, decide) = watch::channel(LastRun::default());
        let (schedules_report, schedules) = watch::channel(LastRun::default());
        let (guard_report, guard) = watch::channel(LastRun::default());
        let (retention_report, retention) = watch::channel(LastRun::default());
        // Nothing wakes the fold: a second's events folded at once cost less than each by itself.
        let folding = runner("fold", FOLD_EVERY, Arc::default()).run(
            Folding {
                store: store.clone(),
                world: world.clone(),
                specs: RewardSpecs::default(),
                known: Known::default(),
                term: None,
                dirty: dirty.clone(),
            },
            fold_report,
            stop.clone(),
        );
        let publishing = runner("publish", PUBLISH_EVERY, dirty.wake()).run(
            Publisher::new(store.clone(), world.clone(), dirty),
            publish_report,
            stop.clone(),
        );
        let deciding = runner("decisions", DECIDE_EVERY, Arc::default()).run(
            Decider::new(store.clone(), world.clone(), operations.clone()),
            decide_report,
            stop.clone(),
        );
        let scheduling = runner("schedules", SCHEDULE_EVERY, Arc::default()).run(
            Schedules::new(store.clone(), world.clone(), operations.clone()),
            schedules_report,
            stop.clone(),
        );
        let guarding = runner("guardrails", GUARD_EVERY, Arc::default()).run(
            Guard::new(store.clone(), world.clone(), operations.clone()),
            guard_report,
            stop.clone(),
        );
        let retaining = runner("retention", RETAIN_EVERY, Arc::default()).run(
            Retention::new(store.clone(), event_retention),
            retention_report,
            stop.clone(),
        );
        Self {
            reports: Reports {
                fold,
                publish,
                decide,
                schedules,
                guard,
                retention,
                others: Vec::new(),
            },
            tasks: vec![
                tokio::spawn(folding),
                tokio::spawn(publishing),
                tokio::spawn(deciding),
                tokio::spawn(scheduling),
                tokio::spawn(guarding),
                tokio::spawn(retaining),
            ],
            operations,
        }
    }

    /// How each worker's newest run went.
    pub fn reports(&self) -> Reports {
        self.reports.clone()
    }

    /// Waits until all have ended, which they do after their token is cancelled, and what they have begun with them.
    pub async fn join(self) {
        for task in self.tasks {
            if let Err(error) = task.await {
                tracing::error!(target: "pitboss::worker", %error, "worker ended abnormally");
            }
        }
        self.operations.drained().await;
    }
}

impl Reports {
    /// These, and those of another worker.
    #[must_use]
    pub fn with(mut self, role: &'static str, report: watch::Receiver<LastRun>) -> Self {
        self.others.push((role, report));
        self
    }

    /// By role.
    pub fn newest(&self) -> Vec<(&'static str, LastRun)> {
        let mut runs = vec![
            ("fold", newest(&self.fold)),
            ("publish", newest(&self.publish)),
            ("decisions", newest(&self.decide)),
            ("schedules", newest(&self.schedules)),
            ("guardrails", newest(&self.guard)),
            ("retention", newest(&self.retention)),
        ];
        runs.extend(self.others.iter().map(|(role, run)| (*role, newest(run))));
        runs
    }
}

/// The newest report, and after it that the worker is gone, if it is: a panic must not look like a quiet night.
fn newest(reports: &watch::Receiver<LastRun>) -> LastRun {
    let last = reports.borrow().clone();
    if reports.has_changed().is_ok() {
        return last;
    }
    LastRun {
        outcome: Outcome::Failed("the worker has ended; restart the daemon".to_owned()),
        ..last
    }
}

/// The fold as a worker.
struct Folding {
    store: Store,
    world: WorldHandle,
    specs: RewardSpecs,
    known: Known,
    /// In which it led last.
    term: Option<i64>,
    dirty: Dirty,
}

impl Folding {
    async fn round(&mut self, lease: &Lease) -> Result<fold::Folded, FoldError> {
        let folded = fold::led_round(&self.store, &self.specs, &self.known, lease).await;
        if folded.is_err()
            && let Ok(mut session) = self.store.session().await
            && let Ok(now) = rows::now(&mut session).await
        {
            self.known.failed(now);
        }
        folded
    }
}

impl runner::Work for Folding {
    async fn run(
        &mut self,
        lease: &Lease,
    ) -> Result<Round, Box<dyn std::error::Error + Send + Sync>> {
        if self.term.replace(lease.term) != Some(lease.term) {
            self.known.doubt();
        }
        self.specs.guard(Guarded::of(&self.world.load()));
        let mut total = fold::Folded::default();
        for _ in 0..ROUNDS_PER_RUN {
            let folded = self.round(lease).await?;
            self.known.clone_from(&folded.known);
            self.dirty.mark(&folded.touched);
            total.add(folded);
            if !total.more {
                break;
            }
        }
        fold::count(&total);
        Ok(Round {
            detail: total.to_string(),
            again: total.more,
        })
    }
}

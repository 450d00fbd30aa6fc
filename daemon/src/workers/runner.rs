//! The loop of a background worker: wake, lead, work, report. While it works its lease is renewed beside it; when
//! that fails, the work is dropped before another daemon can have begun it.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::{Notify, watch};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::clock::{Clock, Stopwatch};
use crate::store::leases::{Lease, RENEW_EVERY, TRUST};
use crate::store::{Store, StoreError};

/// 60 s: ten times what the largest batches take. A run that is silent for longer hangs on a dead
/// connection; it is dropped, its transaction with it, and the next one takes another connection.
const RUN_LIMIT: Duration = Duration::from_mins(1);

/// 30 s: a role that runs once an hour need not fail for an hour because of a moment.
const AFTER_A_FAILURE: Duration = Duration::from_secs(30);

/// 2 s for giving the lease back: it expires by itself if the database does not answer.
const RELEASE_LIMIT: Duration = Duration::from_secs(2);

/// How a worker's newest run went.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LastRun {
    /// When it ended; `None` before the first.
    pub at: Option<DateTime<Utc>>,
    /// How.
    pub outcome: Outcome,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Outcome {
    /// There was none yet.
    #[default]
    NotYet,
    /// Another daemon leads the role.
    Standby,
    /// Done, and what, in words.
    Done(String),
    /// Nothing of it happened, and why.
    Failed(String),
}

impl LastRun {
    /// Whether the worker is well.
    pub fn is_well(&self) -> bool {
        !matches!(self.outcome, Outcome::Failed(_))
    }

    /// In words.
    pub fn detail(&self) -> &str {
        match &self.outcome {
            Outcome::NotYet => "has not run yet",
            Outcome::Standby => "stands by: another daemon leads",
            Outcome::Done(detail) | Outcome::Failed(detail) => detail,
        }
    }
}

/// What a run did.
#[derive(Debug, Clone, PartialEq)]
pub struct Round {
    /// In words.
    pub detail: String,
    /// Run again at once.
    pub again: bool,
}

/// Work that needs the lease of its role.
pub trait Work: Send {
    /// Does what there is to do now. Has no effect without `lease`.
    fn run(
        &mut self,
        lease: &Lease,
    ) -> impl Future<Output = Result<Round, Box<dyn std::error::Error + Send + Sync>>> + Send;
}

/// Why work was dropped half-way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum LeaseLost {
    #[error("another daemon has taken over")]
    Taken,
    #[error("the lease could not be renewed in time; the database is away or slow")]
    NotRenewed,
}

/// One worker's loop.
#[derive(Debug)]
pub struct Runner {
    /// The role that is led.
    pub role: &'static str,
    /// Which run of which daemon this is.
    pub holder: String,
    /// How often it runs without being woken.
    pub every: Duration,
    /// Wakes it earlier. Wakes while it runs are kept, as one.
    pub wake: Arc<Notify>,
    /// For reports.
    pub clock: Clock,
    /// For the lease.
    pub store: Store,
}

impl Runner {
    /// Runs `work` again and again until `stop`; a run that has begun is finished first.
    pub async fn run(
        self,
        mut work: impl Work,
        report: watch::Sender<LastRun>,
        stop: CancellationToken,
    ) {
        let mut ticks = tokio::time::interval(self.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut led = None;
        loop {
            // Both are cancel-safe: neither loses what it has not returned.
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = self.wake.notified() => {}
                _ = ticks.tick() => {}
            }
            while self.once(&mut work, &mut led, &report).await {
                if stop.is_cancelled() {
                    break;
                }
            }
            if !report.borrow().is_well() {
                ticks.reset_after(self.every.min(AFTER_A_FAILURE));
            }
        }
        if let Some(lease) = led {
            self.release(&lease).await;
        }
    }

    async fn release(&self, lease: &Lease) {
        let released = tokio::time::timeout(RELEASE_LIMIT, self.store.release_lease(lease)).await;
        if !matches!(released, Ok(Ok(()))) {
            let role = self.role;
            tracing::debug!(target: "pitboss::worker", role, "lease not released: it expires");
        }
    }

    /// One run, reported; says whether to run again at once.
    async fn once(
        &self,
        work: &mut impl Work,
        led: &mut Option<Lease>,
        report: &watch::Sender<LastRun>,
    ) -> bool {
        let started = Stopwatch::start();
        let result = tokio::time::timeout(RUN_LIMIT, self.lead(work, led)).await;
        metrics::histogram!("pitboss_worker_run_seconds", "role" => self.role)
            .record(started.elapsed().as_secs_f64());
        let (outcome, again) = match result {
            Ok(Ok(Some(round))) => (Outcome::Done(round.detail), round.again),
            Ok(Ok(None)) => (Outcome::Standby, false),
            Ok(Err(error)) => (Outcome::Failed(chain(error.as_ref())), false),
            Err(_) => (
                Outcome::Failed(format!("gave up after {} s", RUN_LIMIT.as_secs())),
                false,
            ),
        };
        self.note(report, &outcome);
        report.send_replace(LastRun {
            at: Some(self.clock.now()),
            outcome,
        });
        again
    }

    async fn lead(
        &self,
        work: &mut impl Work,
        led: &mut Option<Lease>,
    ) -> Result<Option<Round>, Box<dyn std::error::Error + Send + Sync>> {
        let asked = Stopwatch::start();
        let lease = self
            .store
            .take_lease(self.role, &self.holder)
            .await
            .map_err(Box::<StoreError>::from)?;
        led.clone_from(&lease);
        let Some(lease) = lease else {
            return Ok(None);
        };
        // Work that is dropped takes its transaction with it. A renewal that is dropped has happened or not.
        tokio::select! {
            biased;
            round = work.run(&lease) => round.map(Some),
            lost = self.keep(&lease, asked) => Err(lost.into()),
        }
    }

    /// Renews the lease again and again; ends when it is lost. `asked` runs since it was asked for.
    async fn keep(&self, lease: &Lease, mut asked: Stopwatch) -> LeaseLost {
        loop {
            tokio::time::sleep(RENEW_EVERY).await;
            let asking = Stopwatch::start();
            let left = TRUST.saturating_sub(asked.elapsed());
            let renewal = self.store.take_lease(lease.role, &lease.holder);
            match tokio::time::timeout(left, renewal).await {
                Ok(Ok(Some(renewed))) if renewed.term == lease.term => asked = asking,
                Ok(Ok(_)) => return LeaseLost::Taken,
                // Tried again until the trust is used up.
                Ok(Err(_)) => {}
                Err(_) => return LeaseLost::NotRenewed,
            }
        }
    }

    /// Logs the first failure of a row and its end; each failure is counted.
    fn note(&self, report: &watch::Sender<LastRun>, outcome: &Outcome) {
        let was_well = report.borrow().is_well();
        let role = self.role;
        match outcome {
            Outcome::Failed(why) => {
                metrics::counter!("pitboss_worker_failures", "role" => role).increment(1);
                if was_well {
                    tracing::warn!(target: "pitboss::worker", role, why, "worker fails");
                }
            }
            Outcome::Done(detail) if !was_well => {
                tracing::info!(target: "pitboss::worker", role, detail, "worker is well again");
            }
            Outcome::NotYet | Outcome::Standby | Outcome::Done(_) => {}
        }
    }
}

/// An error with its sources, once, where it is handled.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests;

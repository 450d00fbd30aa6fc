//! The guardrail worker: judges every limit of every experiment that serves traffic, and acts on those that break.
//!
//! A look costs the same whatever the traffic was: it reads what the fold has summed up by the minute. What it finds is
//! written at once; where something is to be done, the verdicts are part of the very transaction that does it.
//!
//! What two leaders do at once has one effect: whoever comes second finds in the memory that it has been done.

mod counts;
mod figures;
mod look;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bandit::decision::{Evidence, Rules};
use bandit::experiment::{ExperimentId, Millis, RunState};
use bandit::guardrail::{Act, Subject};
use bandit::spec::defaults;
use bandit::spec::model::{DecisionPreset, GuardrailCheck};
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

use super::decide::{self, DecideError, evidence};
use super::runner::{Round, Work};
use crate::clock::Stopwatch;
use crate::operations::{Guarding, Operations};
use crate::store::alerts::{self, Report};
use crate::store::experiments::Stored;
use crate::store::guardrails::{Memory, Place};
use crate::store::leases::Lease;
use crate::store::state::{self, LaneStats};
use crate::store::versions::running_for;
use crate::store::{Store, StoreError, TxFuture, experiments, fold, guardrails, guards};
use crate::world::{Live, WorldHandle};

pub use look::{Due, Judged};

use look::Look;

/// 5 minutes: comparisons read every policy version of an experiment, and change by the hour.
const COMPARE_EVERY: TimeDelta = TimeDelta::minutes(5);

/// 20 s: a run is far from being given up, and a stop does not wait for long, when a daemon that has just begun to lead owes
/// thousands of experiments a look.
const RUN_FOR: Duration = Duration::from_secs(20);

/// 90 days: verdicts that led to nothing are of no use any more.
const VERDICTS_KEPT: TimeDelta = TimeDelta::days(90);

/// An hour: what is forgotten is three days old.
const FORGET_EVERY: Duration = Duration::from_hours(1);

/// The guardrail worker.
#[derive(Debug)]
pub struct Guard {
    store: Store,
    world: WorldHandle,
    operations: Operations,
    looked: BTreeMap<ExperimentId, DateTime<Utc>>,
    compared: BTreeMap<ExperimentId, DateTime<Utc>>,
    forgot: Option<Stopwatch>,
}

impl Guard {
    /// A worker that has not looked yet.
    pub fn new(store: Store, world: WorldHandle, operations: Operations) -> Self {
        Self {
            store,
            world,
            operations,
            looked: BTreeMap::new(),
            compared: BTreeMap::new(),
            forgot: None,
        }
    }

    /// Experiments with guardrails that serve traffic.
    fn candidates(&self) -> Vec<Arc<Live>> {
        let world = self.world.load();
        let serving = world.experiments.values().filter(|live| {
            let state = &live.serving.state;
            let serves = matches!(state, RunState::Running { .. } | RunState::Paused { .. });
            serves && !live.spec.guardrails.is_empty() && live.started_at.is_some()
        });
        serving.cloned().collect()
    }

    fn is_due(&self, live: &Live, now: DateTime<Utc>) -> bool {
        let cadences = live.spec.guardrails.iter().map(|it| it.cadence);
        let every = cadences.min().unwrap_or(defaults::GUARDRAIL_CADENCE);
        let looked = self.looked.get(&live.id);
        looked.is_none_or(|at| now - at >= every.to_chrono())
    }

    /// Whether its comparisons are due.
    fn compares(&self, live: &Live, now: DateTime<Utc>) -> bool {
        let compares = live.spec.guardrails.iter().any(|it| {
            matches!(
                it.check,
                GuardrailCheck::RewardDrop { .. } | GuardrailCheck::Srm { .. }
            )
        });
        let compared = self.compared.get(&live.id);
        compares && compared.is_none_or(|at| now - at >= COMPARE_EVERY)
    }

    /// Looks at one experiment, and does what is due.
    async fn look(
        &mut self,
        live: &Arc<Live>,
        now: DateTime<Utc>,
        lease: &Lease,
    ) -> Result<Option<Act>, Box<dyn std::error::Error + Send + Sync>> {
        let compare = self.compares(live, now);
        let judged = self
            .store
            .run_led_tx("guardrails", lease, |tx| {
                TxFuture::new(async move {
                    let judged = judge(tx, live, compare, now).await?;
                    if let Some(judged) = &judged
                        && judged.due.is_none()
                    {
                        let key = live.serving.key.as_str();
                        write(tx, live.id, judged).await?;
                        tell(tx, live.id, key, judged).await?;
                    }
                    Ok::<_, DecideError>(judged)
                })
            })
            .await?;
        if compare {
            self.compared.insert(live.id, now);
        }
        let Some(judged) = judged else {
            return Ok(None);
        };
        let Some(due) = judged.due.clone() else {
            return Ok(None);
        };
        tracing::warn!(
            target: "pitboss::guardrail",
            experiment = %live.serving.key,
            guardrail = due.guardrail,
            act = ?due.act,
            why = due.why,
            "guardrail breached"
        );
        let guarding = Guarding::new(live.serving.key.as_str(), live.id, judged, due.clone());
        self.operations.guard(guarding).await?;
        Ok(Some(due.act))
    }

    /// Experiments that have ended since they were judged.
    async fn end_ended(&self, lease: &Lease) -> Result<(), DecideError> {
        let mut session = self.store.session().await?;
        let ended = guardrails::ended(&mut session).await?;
        drop(session);
        for experiment in ended {
            let ended = self
                .store
                .run_led_tx("guardrails", lease, |tx| {
                    TxFuture::new(async move { Ok::<_, DecideError>(end(tx, experiment).await?) })
                })
                .await;
            match ended {
                Err(error @ (DecideError::Deposed(_) | DecideError::Ended)) => return Err(error),
                Err(error) => {
                    tracing::error!(target: "pitboss::guardrail", %experiment, %error, "guardrails of an experiment that ended stay open");
                }
                Ok(()) => {}
            }
        }
        Ok(())
    }

    /// Of all experiments: also of those that are not guarded any more.
    async fn forget(&mut self) -> Result<(), StoreError> {
        if self
            .forgot
            .as_ref()
            .is_some_and(|at| at.elapsed() < FORGET_EVERY)
        {
            return Ok(());
        }
        let world = self.world.load();
        let ids: Vec<ExperimentId> = world.experiments.values().map(|live| live.id).collect();
        let mut session = self.store.session().await?;
        let now = fold::now(&mut session).await?;
        guards::forget(&mut session, &ids, now).await?;
        guardrails::drop_verdicts(&mut session, &ids, now - VERDICTS_KEPT).await?;
        session.keep().await?;
        self.forgot = Some(Stopwatch::start());
        Ok(())
    }
}

impl Work for Guard {
    async fn run(
        &mut self,
        lease: &Lease,
    ) -> Result<Round, Box<dyn std::error::Error + Send + Sync>> {
        self.end_ended(lease).await?;
        self.forget().await?;
        let candidates = self.candidates();
        if candidates.is_empty() {
            return Ok(Round {
                detail: "no guardrail to judge".to_owned(),
                again: false,
            });
        }
        let now = self
            .store
            .run_tx("guardrails' clock", |tx| TxFuture::new(guards::settled(tx)))
            .await?;
        let mut due: Vec<Arc<Live>> = candidates
            .into_iter()
            .filter(|live| self.is_due(live, now))
            .collect();
        // Who has waited longest comes first, so that nobody waits for ever.
        due.sort_by_key(|live| self.looked.get(&live.id).copied());
        let started = Stopwatch::start();
        let mut more = false;
        let mut acted = 0;
        let mut failed = BTreeSet::new();
        for live in &due {
            if started.elapsed() > RUN_FOR {
                more = true;
                break;
            }
            match self.look(live, now, lease).await {
                Ok(None) => {
                    self.looked.insert(live.id, now);
                }
                // Looked at again at once: what was done may not be all that is due.
                Ok(Some(_)) => acted += 1,
                Err(error) => {
                    tracing::error!(target: "pitboss::guardrail", experiment = %live.serving.key, %error, "guardrails not judged");
                    // Not before its next time: one that cannot be judged must not keep the others waiting.
                    self.looked.insert(live.id, now);
                    failed.insert(live.serving.key.to_string());
                }
            }
        }
        metrics::counter!("pitboss_guardrail_looks_total").increment(due.len() as u64);
        if !failed.is_empty() {
            let names: Vec<&str> = failed.iter().map(String::as_str).collect();
            return Err(format!("guardrails of {} not judged", names.join(", ")).into());
        }
        Ok(Round {
            detail: format!("judged {} experiments, acted on {acted}", due.len()),
            again: more || acted > 0,
        })
    }
}

/// What the guardrails of an experiment say, as of `now`. Writes nothing. `None`: it is gone, or another look was later.
pub async fn judge(
    tx: &mut PgConnection,
    live: &Live,
    compare: bool,
    now: DateTime<Utc>,
) -> Result<Option<Judged>, DecideError> {
    let Some(stored) = experiments::load(tx, &[live.id]).await?.pop().transpose()? else {
        return Ok(None);
    };
    let Some(started_at) = stored.started_at else {
        return Ok(None);
    };
    let before = guardrails::memories(tx, live.id).await?;
    if before.values().any(|memory| memory.said.at > now) {
        return Ok(None);
    }
    let learned = guards::minutes(tx, live.id, since(&stored, &before, now)).await?;
    let mut stats = LaneStats::new();
    let checks = || stored.spec.guardrails.iter().map(|it| &it.check);
    let concentrates = checks().any(|it| matches!(it, GuardrailCheck::Concentration { .. }));
    // It grows with the versions of the experiment: read only for who asks.
    if compare || concentrates {
        for (_, arms) in state::sums(tx, &[live.id]).await? {
            for (arm, of_lane) in arms {
                *stats.entry(arm).or_default() += of_lane;
            }
        }
    }
    let evidence = if compare {
        let anew_at = before.values().filter_map(|memory| memory.anew_at).max();
        let from = anew_at.map_or(Millis(0), |at| running_for(started_at, at));
        Some(compared(tx, live, now, from).await?)
    } else {
        None
    };
    let overrides = guardrails::overrides(tx, live.id).await?;
    let look = Look {
        stored: &stored,
        started_at,
        now,
        learned: &learned,
        stats: &stats,
        evidence: evidence.as_ref(),
        before: &before,
        overrides: &overrides,
    };
    Ok(Some(look.judge()))
}

/// Since when minutes are read: a whole window and the present one, and what has not been looked at yet. An arm that is
/// closed waits with its windows, and nobody asks for them.
fn since(stored: &Stored, before: &BTreeMap<Place, Memory>, now: DateTime<Utc>) -> DateTime<Utc> {
    let windows = stored.spec.guardrails.iter().map(|it| it.window);
    let window = windows.max().unwrap_or(Millis(0)).to_chrono() * 2;
    let is_judged = |subject: &Subject| match subject {
        Subject::Experiment => true,
        Subject::Arm(id) => stored.arms.iter().any(|arm| arm.id == *id && arm.is_open()),
    };
    let judged = before.iter().filter(|((_, subject), _)| is_judged(subject));
    let watches = judged.flat_map(|(_, memory)| &memory.watches);
    watches
        .map(|watch| watch.until)
        .fold(now - window, DateTime::min)
}

/// The comparisons that decisions are made from, under the file's rules or the usual ones. Only of what began after `from`
/// since the start: what a person took back before is not held against an arm again.
async fn compared(
    tx: &mut PgConnection,
    live: &Live,
    now: DateTime<Utc>,
    from: Millis,
) -> Result<Evidence, DecideError> {
    let usual = defaults::decision(DecisionPreset::Standard);
    let spec = live.spec.decision.as_ref().unwrap_or(&usual);
    let rules: Rules = decide::rules(live, spec);
    evidence::gather_from(tx, live, &rules, now, from).await
}

/// Writes what was judged.
pub async fn write(
    tx: &mut PgConnection,
    experiment: ExperimentId,
    judged: &Judged,
) -> Result<(), StoreError> {
    let action = |place: &_| judged.alerted.contains(place).then_some("alert");
    guardrails::put(tx, experiment, &judged.memories, action).await?;
    let declared: BTreeSet<&str> = judged
        .memories
        .keys()
        .map(|(name, _)| name.as_str())
        .collect();
    let declared: Vec<&str> = declared.into_iter().collect();
    guardrails::forget_others(tx, experiment, &declared).await?;
    for guardrail in &judged.armed_again {
        guardrails::end_override(tx, experiment, guardrail, judged.now).await?;
    }
    Ok(())
}

/// Reports what is wrong, and ends the alerts of what is over.
pub async fn tell(
    tx: &mut PgConnection,
    experiment: ExperimentId,
    key: &str,
    judged: &Judged,
) -> Result<(), StoreError> {
    for identity in &judged.over {
        alerts::resolve(tx, identity, judged.now).await?;
    }
    for wrong in &judged.wrong {
        let report = Report {
            identity: wrong.identity.clone(),
            experiment: Some(experiment),
            key: Some(key.to_owned()),
            source: &wrong.guardrail,
            arm: wrong.arm.clone(),
            severity: wrong.severity,
            summary: format!(
                "{key}: guardrail {}: {}",
                wrong.guardrail, wrong.said.sentence
            ),
            detail: serde_json::to_value(&wrong.said).unwrap_or_default(),
            at: judged.now,
            pending: false,
        };
        alerts::report(tx, &report).await?;
    }
    Ok(())
}

/// Ends what guardrails said of an experiment that has ended: nobody gets its arms any more.
async fn end(tx: &mut PgConnection, experiment: ExperimentId) -> Result<(), StoreError> {
    let Some(stored) = experiments::load(tx, &[experiment])
        .await?
        .pop()
        .transpose()?
    else {
        return Ok(());
    };
    let now = guards::settled(tx).await?;
    for ((guardrail, subject), memory) in guardrails::memories(tx, experiment).await? {
        if memory.run.is_breached() {
            let key = stored.spec.key.as_str();
            let identity = look::identity(key, &guardrail, subject, &stored.arms);
            alerts::resolve(tx, &identity, now).await?;
        }
    }
    guardrails::forget_others(tx, experiment, &[]).await
}

#[cfg(test)]
mod tests;

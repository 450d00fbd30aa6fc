//! A decision that acts by itself, where the file lets it: looked at again under the lock and done in the transaction
//! that keeps the look, so that nothing acts on what was true a moment ago.

use std::sync::Arc;

use bandit::decision::{Acts, Choice};
use bandit::experiment::Verb;
use chrono::{DateTime, Utc};
use protocol::control::Done;
use protocol::refusal::Refusal;
use sqlx::PgConnection;

use super::failure::Failure;
use super::mutate::{Change, Judgement, Request, digest};
use super::{Caller, Operations, arms, machine, ramp};
use crate::alerts::lifecycle::Severity;
use crate::store::alerts::{self, Report};
use crate::store::decisions::{self, Recorded};
use crate::store::holds::{self, Hold};
use crate::store::mutations::Mutation;
use crate::store::revisions;
use crate::workers::decide::{auto, look, rules};
use crate::world::Live;

/// In the audit log.
const ROLE: &str = "decision";

/// Who it is there, and on the holds that it leaves.
pub const DECISION_ACTOR: &str = "pitbossd (decision)";

/// A decision as a mutation.
struct Decided {
    live: Arc<Live>,
    choice: Choice,
    /// As of when; `None`: of the lock's instant.
    at: Option<DateTime<Utc>>,
    request: Request,
}

impl Operations {
    /// Looks at an experiment again and does what `recorded` says, if that is what it finds and the file lets it;
    /// `None` if not. A second time has no second effect. `at`: as of when, where that is not now.
    pub async fn act_on_decision(
        &self,
        live: &Arc<Live>,
        recorded: &Recorded,
        at: Option<DateTime<Utc>>,
    ) -> Result<Option<Done>, Refusal> {
        self.unless_away()?;
        let key = live.serving.key.as_str();
        let choice = recorded.decision.choice;
        let which = format!("{:?} since {}", choice.arm(), recorded.since);
        let request = Request {
            id: machine::request_id(ROLE, key, choice.word(), &which),
            caller: Caller::machine(ROLE),
            action: action(choice),
            target: key.to_owned(),
            reason: recorded.decision.sentence.clone(),
            digest: digest(&(ROLE, key, choice.word(), &which)),
        };
        let decided = Decided {
            live: Arc::clone(live),
            choice,
            at,
            request,
        };
        self.mutate(decided).await
    }
}

/// The word of the operation that it is.
fn action(choice: Choice) -> &'static str {
    match choice {
        Choice::Ship { .. } => "ship",
        Choice::KillArm { .. } => "quarantine",
        Choice::Kill => Verb::Stop.as_str(),
        Choice::KeepRunning | Choice::Iterate => "decision",
    }
}

impl Decided {
    /// The look under the lock; `None` unless it says the same and nothing is in the way.
    async fn look_again(
        &self,
        tx: &mut PgConnection,
        now: DateTime<Utc>,
    ) -> Result<Option<(revisions::Found, Recorded)>, Failure> {
        let Some(found) = revisions::find(tx, self.live.serving.key.as_str()).await? else {
            return Ok(None);
        };
        let stored = ramp::stored(tx, found.id).await?;
        let live = self.live.as_of(stored)?;
        let Some(spec) = live.spec.decision.as_ref().filter(|_| live.is_running()) else {
            return Ok(None);
        };
        look(tx, &live, &rules(&live, spec), now).await?;
        let Some(recorded) = decisions::newest(tx, live.id).await? else {
            return Ok(None);
        };
        let acts = auto::judge(tx, &live, spec, &recorded.decision).await?;
        let same = recorded.decision.choice == self.choice;
        Ok((same && acts == Acts::Now).then_some((found, recorded)))
    }

    /// Somebody should know that it was done without asking; it lasts until the decision worker finds it settled.
    fn report(&self, recorded: &Recorded, at: DateTime<Utc>) -> Report<'static> {
        let key = self.live.serving.key.to_string();
        let arm = self.choice.arm().and_then(|arm| self.live.serving.arm(arm));
        let Recorded {
            decided_at,
            decision,
            ..
        } = recorded;
        Report {
            identity: format!("{ROLE}/{key}"),
            experiment: Some(self.live.id),
            source: ROLE,
            arm: arm.map(|arm| arm.name.to_string()),
            severity: Severity::Warning,
            summary: format!("{key}: done without asking: {}", decision.sentence),
            detail: serde_json::json!({ "decision": self.choice, "decided_at": decided_at }),
            at,
            pending: false,
            key: Some(key),
        }
    }

    /// Writes what a person would have written; `false`: there was nothing left to do.
    async fn act(
        &self,
        tx: &mut PgConnection,
        found: &revisions::Found,
        (mutation, now): (&Mutation, DateTime<Utc>),
    ) -> Result<bool, Failure> {
        let Request { caller, reason, .. } = &self.request;
        let hold = Hold {
            kind: Verb::Stop.as_str().to_owned(),
            arm: None,
            reason: reason.clone(),
            placed_by: caller.actor.clone(),
        };
        match self.choice {
            Choice::KillArm { arm } => {
                return arms::quarantine(tx, found, arm, &hold, mutation).await;
            }
            Choice::Ship { arm } => arms::ship(tx, found, arm, &hold, mutation).await?,
            Choice::Kill => {
                let state = found.state.after(Verb::Stop, now, &caller.actor, reason);
                let state = state.map_err(|_| Failure::Illegal {
                    experiment: found.id,
                    verb: Verb::Stop,
                })?;
                revisions::put_state(tx, found.id, &state, mutation.next()).await?;
                holds::place(tx, found.id, &hold, now).await?;
            }
            Choice::KeepRunning | Choice::Iterate => return Ok(false),
        }
        Ok(true)
    }
}

impl Change for Decided {
    type Answer = Option<Done>;

    fn request(&self) -> &Request {
        &self.request
    }

    async fn carry_out<'a>(
        &'a self,
        tx: &'a mut PgConnection,
        mutation: &'a Mutation,
    ) -> Result<Judgement<Option<Done>>, Failure> {
        let now = self.at.unwrap_or(mutation.now);
        let Some((found, recorded)) = self.look_again(tx, now).await? else {
            return Ok(Judgement::Nothing(None));
        };
        if !self.act(tx, &found, (mutation, now)).await? {
            return Ok(Judgement::Nothing(None));
        }
        decisions::mark_acted(tx, found.id, recorded.decided_at).await?;
        let report = self.report(&recorded, now);
        // One that is open is of an earlier deed: people are told of this one too.
        alerts::resolve(tx, &report.identity, now).await?;
        alerts::report(tx, &report).await?;
        let key = self.live.serving.key.as_str();
        let after = revisions::find(tx, key).await?;
        let state = after.map_or("", |after| after.state.name());
        let sentence = &recorded.decision.sentence;
        Ok(Judgement::Done {
            detail: serde_json::json!({
                "from": found.state.name(),
                "to": state,
                "decision": self.choice,
                "decided_at": recorded.decided_at,
            }),
            answer: Some(Done {
                key: key.to_owned(),
                state: state.to_owned(),
                revision: mutation.next().0,
                outcome: format!("{key} is {state} (was {}): {sentence}", found.state.name()),
                repeated: false,
            }),
        })
    }
}

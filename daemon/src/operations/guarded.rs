//! What a guardrail does: verdicts, state, hold and audit row in one transaction, once.

use bandit::experiment::{ExperimentId, Verb};
use bandit::guardrail::Act;
use protocol::control::Done;
use protocol::refusal::Refusal;
use sqlx::PgConnection;

use super::failure::Failure;
use super::machine::request_id;
use super::mutate::{Change, Judgement, Request, digest};
use super::{Caller, Operations, arms, found};
use crate::store::guardrails::{self, Place};
use crate::store::holds::{self, Hold};
use crate::store::mutations::Mutation;
use crate::store::revisions::{self, Found};
use crate::workers::guard::{self, Due, Judged};

/// What was done.
struct Deed {
    word: &'static str,
    /// The experiment's state after it.
    state: &'static str,
}

/// What a guardrail has judged, and what it is to do.
pub(crate) struct Guarding {
    key: String,
    experiment: ExperimentId,
    judged: Judged,
    due: Due,
    request: Request,
}

impl Guarding {
    /// The same breach gives the same request, whoever finds it.
    pub(crate) fn new(key: &str, experiment: ExperimentId, judged: Judged, due: Due) -> Self {
        let which = format!("{:?} {}", due.act, due.breached_at.timestamp_micros());
        Self {
            request: Request {
                id: request_id("guardrail", key, &due.guardrail, &which),
                caller: Caller::machine(&format!("guardrail {}", due.guardrail)),
                action: due.act.action().word(),
                target: key.to_owned(),
                reason: due.why.clone(),
                digest: digest(&which),
            },
            key: key.to_owned(),
            experiment,
            judged,
            due,
        }
    }

    /// Does it, if it can still be done; says what was done.
    async fn act(
        &self,
        tx: &mut PgConnection,
        found: &Found,
        mutation: &Mutation,
    ) -> Result<Option<Deed>, Failure> {
        let verb = match self.due.act {
            Act::Quarantine(arm) => {
                let hold = self.hold("quarantine", Some(arm));
                return match arms::quarantine(tx, found, arm, &hold, mutation).await {
                    Ok(true) => Ok(Some(Deed {
                        word: "quarantine",
                        state: found.state.name(),
                    })),
                    // Closed, stopped or rolled back meanwhile: nobody gets the arm any more.
                    Ok(false) | Err(Failure::Refused(_)) => Ok(None),
                    Err(failure) => Err(failure),
                };
            }
            Act::Pause => Verb::Pause,
            Act::Rollback => Verb::Rollback,
        };
        let Request { caller, reason, .. } = &self.request;
        let next = found.state.after(verb, mutation.now, &caller.actor, reason);
        // Somebody was faster, with this or with something worse.
        let Ok(next) = next else { return Ok(None) };
        revisions::put_state(tx, found.id, &next, mutation.next()).await?;
        holds::place(tx, found.id, &self.hold(verb.as_str(), None), mutation.now).await?;
        Ok(Some(Deed {
            word: verb.as_str(),
            state: next.name(),
        }))
    }

    fn hold(&self, kind: &str, arm: Option<bandit::experiment::ArmId>) -> Hold {
        Hold {
            kind: kind.to_owned(),
            arm,
            reason: self.request.reason.clone(),
            placed_by: self.request.caller.actor.clone(),
        }
    }

    /// Whether it is not to be done any more: this very breach has been acted on, or a person has changed the experiment's
    /// state or overridden the guardrail since it was judged. The next look judges anew.
    async fn is_over(&self, tx: &mut PgConnection, found: &Found) -> Result<bool, Failure> {
        let given = guardrails::overrides(tx, self.experiment).await?;
        let overridden = given.get(&self.due.guardrail);
        if found.state != self.judged.state
            || overridden.is_some_and(|it| it.at > self.judged.now && it.holds(false, it.at))
        {
            return Ok(true);
        }
        let now = guardrails::memories(tx, self.experiment).await?;
        let later = now.values().any(|memory| memory.said.at > self.judged.now);
        let acted = self.due.by.iter().any(|subject| {
            let place: Place = (self.due.guardrail.clone(), *subject);
            now.get(&place).is_some_and(|memory| {
                memory.run.acted.is_some() && memory.run.breached_at == Some(self.due.breached_at)
            })
        });
        Ok(later || acted)
    }

    /// The verdicts, and of the subjects in breach that they have acted.
    async fn write(
        &self,
        tx: &mut PgConnection,
        done: Option<&'static str>,
        mutation: &Mutation,
    ) -> Result<(), Failure> {
        let mut judged = self.judged.clone();
        for subject in &self.due.by {
            let place = (self.due.guardrail.clone(), *subject);
            judged.mark(&place, self.due.act.action(), mutation.now);
        }
        let action = |place: &Place| {
            let (guardrail, subject) = place;
            let is_it = *guardrail == self.due.guardrail && self.due.by.contains(subject);
            let alerted = self.judged.alerted.contains(place);
            done.filter(|_| is_it).or(alerted.then_some("alert"))
        };
        guardrails::put(tx, self.experiment, &judged.memories, action).await?;
        for guardrail in &judged.armed_again {
            guardrails::end_override(tx, self.experiment, guardrail, mutation.now).await?;
        }
        Ok(())
    }
}

impl Change for Guarding {
    type Answer = Done;

    fn request(&self) -> &Request {
        &self.request
    }

    async fn carry_out<'a>(
        &'a self,
        tx: &'a mut PgConnection,
        mutation: &'a Mutation,
    ) -> Result<Judgement<Done>, Failure> {
        let found = found(tx, &self.key).await?;
        let before = found.state.name();
        let answer = |state: &str, outcome: String, revision| Done {
            key: self.key.clone(),
            state: state.to_owned(),
            revision,
            outcome,
            repeated: false,
        };
        if self.is_over(tx, &found).await? {
            let outcome = "it has been acted on, or changed, since it was judged".to_owned();
            return Ok(Judgement::Nothing(answer(before, outcome, mutation.base.0)));
        }
        let done = self.act(tx, &found, mutation).await?;
        self.write(tx, done.as_ref().map(|done| done.word), mutation)
            .await?;
        guard::tell(tx, self.experiment, &self.key, &self.judged).await?;
        match done {
            None => {
                let outcome = format!("{} is {before} already", self.key);
                Ok(Judgement::Nothing(answer(before, outcome, mutation.base.0)))
            }
            Some(done) => Ok(Judgement::Done {
                answer: answer(
                    done.state,
                    format!("{}: {}", done.word, self.due.why),
                    mutation.next().0,
                ),
                detail: serde_json::json!({
                    "from": before,
                    "to": done.state,
                    "act": done.word,
                    "guardrail": self.due.guardrail,
                    "breached_at": self.due.breached_at,
                    "verdicts": self.judged.memories.iter()
                        .filter(|((guardrail, _), _)| *guardrail == self.due.guardrail)
                        .map(|(_, memory)| &memory.said).collect::<Vec<_>>(),
                }),
            }),
        }
    }
}

impl Operations {
    /// Carries out what a guardrail has decided.
    pub(crate) async fn guard(&self, guarding: Guarding) -> Result<Done, Refusal> {
        self.mutate(guarding).await
    }
}

//! The verbs: start, pause, resume, stop, roll back, archive one experiment.

use bandit::experiment::{RunState, Verb};
use protocol::control::{Done, VerbRequest};
use protocol::refusal::{Code, Refusal};
use sqlx::PgConnection;

use super::failure::Failure;
use super::mutate::{Answer, Change, Judgement, Request, digest};
use super::{Caller, found, ramp, reason};
use crate::store::holds::{self, Hold, Which};
use crate::store::mutations::Mutation;
use crate::store::revisions::{self, Found};

/// A verb on one experiment.
pub(super) struct StateChange {
    verb: Verb,
    key: String,
    expect_revision: Option<u64>,
    request: Request,
}

impl StateChange {
    pub(super) fn new(verb: Verb, asked: VerbRequest, caller: Caller) -> Result<Self, Refusal> {
        let reason = reason::checked(&asked.reason)?;
        let digest = digest(&(verb, &asked.key, &reason, asked.expect_revision));
        Ok(Self {
            verb,
            expect_revision: asked.expect_revision,
            request: Request {
                id: asked.request_id,
                caller,
                action: verb.as_str(),
                target: super::target(&asked.key),
                reason,
                digest,
            },
            key: asked.key,
        })
    }

    /// The state after it, if it may be.
    fn judge(&self, found: &Found, mutation: &Mutation) -> Result<RunState, Refusal> {
        as_seen(&self.key, found, self.expect_revision)?;
        let Request { caller, reason, .. } = &self.request;
        found
            .state
            .after(self.verb, mutation.now, &caller.actor, reason)
            .map_err(|illegal| Refusal::new(Code::IllegalState, format!("{}: {illegal}", self.key)))
    }

    /// What an operator did by hand is held against `apply`, until an operator takes it back by hand. A resume opens no
    /// quarantined arm: what was wrong with it may still be.
    async fn put_holds(
        &self,
        tx: &mut PgConnection,
        found: &Found,
        mutation: &Mutation,
    ) -> Result<(), Failure> {
        match self.verb {
            Verb::Pause | Verb::Stop | Verb::Rollback => {
                let hold = Hold {
                    kind: self.verb.as_str().to_owned(),
                    arm: None,
                    reason: self.request.reason.clone(),
                    placed_by: self.request.caller.actor.clone(),
                };
                holds::place(tx, found.id, &hold, mutation.now).await?;
            }
            Verb::Resume => {
                holds::release(tx, found.id, Which::State, mutation.now).await?;
            }
            Verb::Archive => {
                holds::release(tx, found.id, Which::All, mutation.now).await?;
            }
            Verb::Start => {}
        }
        Ok(())
    }
}

impl Change for StateChange {
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
        let next = self.judge(&found, mutation)?;
        let revision = mutation.next();
        revisions::put_state(tx, found.id, &next, revision).await?;
        self.put_holds(tx, &found, mutation).await?;
        if self.verb == Verb::Start {
            let stored = ramp::stored(tx, found.id).await?;
            ramp::begin(tx, found.id, &stored.spec, mutation.now).await?;
        }
        let (before, now) = (found.state.name(), next.name());
        Ok(Judgement::Done {
            answer: Done {
                key: self.key.clone(),
                state: now.to_owned(),
                revision: revision.0,
                outcome: format!("{} is {now} (was {before})", self.key),
                repeated: false,
            },
            detail: serde_json::json!({ "from": before, "to": now }),
        })
    }
}

/// What the caller looked at is what is changed.
pub(super) fn as_seen(key: &str, found: &Found, seen: Option<u64>) -> Result<(), Refusal> {
    match seen {
        Some(seen) if seen != found.revision.0 => {
            let message = format!(
                "{key} was changed since you looked: it is at revision {}, you saw {seen}; look again",
                found.revision
            );
            Err(Refusal::new(Code::Stale, message))
        }
        _ => Ok(()),
    }
}

impl Answer for Done {
    fn repeated(self) -> Self {
        Self {
            repeated: true,
            ..self
        }
    }
}

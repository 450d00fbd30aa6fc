//! A person's word that a guardrail shall not act, or shall again.

use bandit::guardrail::Override;
use chrono::TimeDelta;
use protocol::control::Done;
use protocol::guardrails::OverrideRequest;
use protocol::refusal::{Code, Refusal};
use sqlx::PgConnection;

use super::failure::Failure;
use super::mutate::{Change, Judgement, Request, digest};
use super::{Caller, Operations, found, reason};
use crate::store::mutations::Mutation;
use crate::store::{experiments, guardrails};

/// 30 days: an override that is meant for ever is a guardrail to be removed from the file.
const LONGEST_MS: u64 = 30 * 86_400_000;

/// An override, or its end.
struct Overriding {
    asked: OverrideRequest,
    request: Request,
}

impl Overriding {
    fn new(asked: OverrideRequest, caller: Caller) -> Result<Self, Refusal> {
        let reason = reason::checked(&asked.reason)?;
        if asked
            .for_ms
            .is_some_and(|length| length == 0 || length > LONGEST_MS)
        {
            let message = "an override holds for at most 30 days; to be without the guardrail, take it out of the file";
            return Err(Refusal::new(Code::Invalid, message));
        }
        let digest = digest(&(
            &asked.key,
            &asked.guardrail,
            asked.for_ms,
            asked.rearm,
            &reason,
        ));
        Ok(Self {
            request: Request {
                id: asked.request_id,
                caller,
                action: if asked.rearm { "rearm" } else { "override" },
                target: super::target(&asked.key),
                reason,
                digest,
            },
            asked,
        })
    }
}

impl Change for Overriding {
    type Answer = Done;

    fn request(&self) -> &Request {
        &self.request
    }

    async fn carry_out<'a>(
        &'a self,
        tx: &'a mut PgConnection,
        mutation: &'a Mutation,
    ) -> Result<Judgement<Done>, Failure> {
        let Self { asked, request } = self;
        let found = found(tx, &asked.key).await?;
        let stored = experiments::load(tx, &[found.id])
            .await?
            .pop()
            .transpose()?;
        let declared: Vec<String> = stored
            .map(|stored| {
                stored
                    .spec
                    .guardrails
                    .into_iter()
                    .map(|it| it.name)
                    .collect()
            })
            .unwrap_or_default();
        if !declared.contains(&asked.guardrail) {
            let message = format!(
                "{} has no guardrail \"{}\"; it has: {}",
                asked.key,
                asked.guardrail,
                declared.join(", ")
            );
            return Err(Refusal::new(Code::Invalid, message).into());
        }
        let memories = guardrails::memories(tx, found.id).await?;
        let mut mine = memories
            .iter()
            .filter(|((name, _), _)| *name == asked.guardrail);
        let of_breach = mine.any(|(_, memory)| memory.run.is_breached());
        let outcome = if asked.rearm {
            guardrails::end_override(tx, found.id, &asked.guardrail, mutation.now).await?;
            format!("guardrail {} of {} is armed", asked.guardrail, asked.key)
        } else {
            if !of_breach && asked.for_ms.is_none() {
                let message = format!(
                    "guardrail {} is not in breach, so there is no condition that could clear; say for how long",
                    asked.guardrail
                );
                return Err(Refusal::new(Code::IllegalState, message).into());
            }
            let length = asked
                .for_ms
                .map(|length| TimeDelta::milliseconds(length as i64));
            let given = Override {
                until: length.map(|length| mutation.now + length),
                by: request.caller.actor.clone(),
                why: request.reason.clone(),
                at: mutation.now,
            };
            guardrails::put_override(tx, found.id, &asked.guardrail, &given).await?;
            let until = match given.until {
                Some(until) => format!("until {}", until.format("%F %TZ")),
                None => "until it clears".to_owned(),
            };
            format!(
                "guardrail {} of {} does not act {until}",
                asked.guardrail, asked.key
            )
        };
        Ok(Judgement::Done {
            answer: Done {
                key: asked.key.clone(),
                state: found.state.name().to_owned(),
                revision: mutation.next().0,
                outcome,
                repeated: false,
            },
            detail: serde_json::json!({ "guardrail": asked.guardrail, "for_ms": asked.for_ms }),
        })
    }
}

impl Operations {
    /// Keeps a guardrail from acting for a while, or arms it again.
    pub async fn override_guardrail(
        &self,
        request: OverrideRequest,
        caller: Caller,
    ) -> Result<Done, Refusal> {
        self.unless_away()?;
        self.mutate(Overriding::new(request, caller)?).await
    }
}

//! The way of every mutation: lock, look for an earlier answer, judge and write, audit, commit, refresh.

use protocol::refusal::{Code, Refusal};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use uuid::Uuid;

use super::failure::Failure;
use super::{Caller, Operations};
use crate::store::audit::{self, ChainHead, NewEntry};
use crate::store::mutations::Mutation;
use crate::store::{StoreError, TxFuture};

/// What a mutation is and who asked for it, as the audit log keeps it.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) id: Uuid,
    pub(super) caller: Caller,
    pub(super) action: &'static str,
    pub(super) target: String,
    pub(super) reason: String,
    /// Hash of all that was asked for: an id that comes back with something else is a mistake.
    pub(super) digest: String,
}

/// One kind of mutation.
pub(super) trait Change: Send + Sync + 'static {
    /// What the caller is told.
    type Answer: Answer;

    fn request(&self) -> &Request;

    /// Whether it changes what is served: only then is there a new revision, and a plan that was made before is stale.
    fn is_of_the_world(&self) -> bool {
        true
    }

    /// Judges first and writes only then: a refusal is committed together with its audit row.
    fn carry_out<'a>(
        &'a self,
        tx: &'a mut PgConnection,
        mutation: &'a Mutation,
    ) -> impl Future<Output = Result<Judgement<Self::Answer>, Failure>> + Send + 'a;
}

/// An answer that may have to be given again.
pub(super) trait Answer: Serialize + DeserializeOwned + Send + 'static {
    /// The same answer, marked as given before.
    fn repeated(self) -> Self;
}

/// What came of a mutation.
pub(super) enum Judgement<A> {
    /// It was written; the audit log is to keep `detail`.
    Done {
        answer: A,
        detail: serde_json::Value,
    },
    /// There was nothing to do: no revision, no audit row.
    Nothing(A),
    /// It is not to be done.
    Refused(Refusal),
}

/// An audit row's body, as it is written.
#[derive(Serialize)]
struct Body<'a, A> {
    request: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<&'a A>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'a Refusal>,
    #[serde(skip_serializing_if = "serde_json::Value::is_null")]
    detail: serde_json::Value,
}

/// What is read of an earlier body.
#[derive(Deserialize)]
struct Earlier {
    request: String,
    #[serde(default)]
    answer: serde_json::Value,
    #[serde(default)]
    refusal: Option<Refusal>,
}

struct Outcome<A> {
    answer: Result<A, Refusal>,
    audited: Option<ChainHead>,
}

impl Operations {
    /// Carries out `change`, detached from the caller.
    pub(super) async fn mutate<C: Change>(&self, change: C) -> Result<C::Answer, Refusal> {
        let operations = self.clone();
        let work = self
            .running
            .spawn(async move { operations.mutate_here(&change).await });
        work.await.unwrap_or_else(|error| {
            tracing::error!(%error, "mutation ended without an answer");
            let message =
                "the daemon failed while it carried this out; the application log says more";
            Err(Refusal::new(Code::Internal, message))
        })
    }

    async fn mutate_here<C: Change>(&self, change: &C) -> Result<C::Answer, Refusal> {
        // Idempotent by its request id, so a commit that may have happened is simply tried again.
        let outcome = self
            .store
            .run_idempotent_tx("mutation", |tx| TxFuture::new(in_transaction(tx, change)))
            .await;
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(failure) => {
                count(change.request().action, "failed");
                return Err(failure.into());
            }
        };
        if let Some(head) = outcome.audited {
            log(change.request(), &outcome.answer, head);
            self.world.refresh().await;
        }
        outcome.answer
    }
}

async fn in_transaction<C: Change>(
    tx: &mut PgConnection,
    change: &C,
) -> Result<Outcome<C::Answer>, Failure> {
    let mutation = Mutation::begin(tx).await?;
    let request = change.request();
    if let Some(body) = audit::body_of_request(tx, request.id).await? {
        return Ok(Outcome {
            answer: first_answer(request, &body)?,
            audited: None,
        });
    }
    let judgement = match change.carry_out(tx, &mutation).await {
        Err(Failure::Refused(refusal)) => Judgement::Refused(refusal),
        otherwise => otherwise?,
    };
    let (body, answer) = match judgement {
        Judgement::Nothing(answer) => {
            return Ok(Outcome {
                answer: Ok(answer),
                audited: None,
            });
        }
        Judgement::Done { answer, detail } => (body(request, Ok(&answer), detail)?, Ok(answer)),
        Judgement::Refused(refusal) => {
            let detail = serde_json::Value::Null;
            (
                body::<C::Answer>(request, Err(&refusal), detail)?,
                Err(refusal),
            )
        }
    };
    let (result, revision) = match &answer {
        Ok(_) if change.is_of_the_world() => ("ok", mutation.next()),
        Ok(_) => ("ok", mutation.base),
        Err(_) => ("refused", mutation.base),
    };
    let entry = NewEntry {
        actor: &request.caller.actor,
        via: &request.caller.via,
        action: request.action,
        target: &request.target,
        result,
        revision,
        reason: &request.reason,
        request_id: request.id,
        body: &body,
    };
    let head = audit::append(tx, mutation, &entry).await?;
    Ok(Outcome {
        answer,
        audited: Some(head),
    })
}

fn body<A: Answer>(
    request: &Request,
    answer: Result<&A, &Refusal>,
    detail: serde_json::Value,
) -> Result<String, StoreError> {
    let body = Body {
        request: &request.digest,
        answer: answer.ok(),
        refusal: answer.err(),
        detail,
    };
    serde_json::to_string(&body).map_err(|error| StoreError::unreadable("audit body", error))
}

/// What the same request was told before.
fn first_answer<A: Answer>(
    request: &Request,
    body: &str,
) -> Result<Result<A, Refusal>, StoreError> {
    let unreadable =
        |error| StoreError::unreadable(format!("audit body of request {}", request.id), error);
    let earlier: Earlier = serde_json::from_str(body).map_err(unreadable)?;
    if earlier.request != request.digest {
        let message = "this request id was used for another request; make a new one";
        return Ok(Err(Refusal::new(Code::Invalid, message)));
    }
    if let Some(refusal) = earlier.refusal {
        return Ok(Err(refusal));
    }
    let answer: A = serde_json::from_value(earlier.answer).map_err(unreadable)?;
    Ok(Ok(answer.repeated()))
}

/// The log keeps the chain's head outside the database: a tail that is cut off there shows here.
fn log<A>(request: &Request, answer: &Result<A, Refusal>, head: ChainHead) {
    let result = if answer.is_ok() { "ok" } else { "refused" };
    count(request.action, result);
    tracing::info!(
        actor = %request.caller.actor,
        via = %request.caller.via,
        action = request.action,
        target = %request.target,
        result,
        request = %request.id,
        audit_seq = head.seq,
        audit_head = %head.hex(),
        "mutation"
    );
}

fn count(action: &'static str, result: &'static str) {
    metrics::counter!("pitboss_mutations_total", "action" => action, "result" => result)
        .increment(1);
}

/// A hash over everything a request asks for.
pub(super) fn digest(asked: &impl Serialize) -> String {
    let json = serde_json::to_vec(asked).expect("requests are plain data with text keys");
    blake3::hash(&json).to_hex().to_string()
}

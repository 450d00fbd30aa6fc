//! Plans: judged against the installation as it is, and carried out if it still is.

mod wire;
mod writer;

use std::collections::BTreeMap;

use bandit::experiment::{ExperimentKey, Revision};
use bandit::plan::{Change as Planned, ChangeKind, Options, Plan, diff};
use bandit::spec::{SpecFile, parse};
use protocol::plans::{Applied, ApplyRequest, PlanReply, PlanRequest};
use protocol::refusal::{Code, Refusal};
use sqlx::PgConnection;

use super::current::{self, Present};
use super::failure::Failure;
use super::mutate::{Answer, Change, Judgement, Request, digest};
use super::{Caller, reason};
use crate::store::mutations::{self, Mutation};
use crate::store::{Store, TxFuture};
use writer::Writer;

/// What a file would change now.
pub(super) async fn plan(store: &Store, request: &PlanRequest) -> Result<PlanReply, Refusal> {
    let wanted = read(request)?;
    let (base, plan) = store
        .run_tx("plan", |tx| TxFuture::new(compare(tx, request, &wanted)))
        .await?;
    Ok(wire::reply(base, plan))
}

async fn compare(
    tx: &mut PgConnection,
    request: &PlanRequest,
    wanted: &SpecFile,
) -> Result<(Revision, Plan), Failure> {
    // One instant for the revision and for what is compared, or the plan could carry a newer revision
    // than the state it was made from.
    mutations::read_one_instant(tx).await?;
    let (base, now) = mutations::revision(tx).await?;
    let present = current::load(tx, now).await?;
    let plan = plan_for(&present, wanted, request);
    Ok((base, plan))
}

fn plan_for(
    present: &BTreeMap<ExperimentKey, Present>,
    wanted: &SpecFile,
    request: &PlanRequest,
) -> Plan {
    let current: Vec<_> = present.values().map(|it| it.current.clone()).collect();
    let options = Options {
        prune: request.prune,
        release_holds: request.release_holds,
    };
    diff(&current, &wanted.experiments, options)
}

fn read(request: &PlanRequest) -> Result<SpecFile, Refusal> {
    parse(&request.file, &request.text).map_err(wire::problems)
}

/// A plan to be carried out.
pub(super) struct Apply {
    plan: PlanRequest,
    wanted: SpecFile,
    base_revision: u64,
    request: Request,
}

impl Apply {
    pub(super) fn new(asked: ApplyRequest, caller: Caller) -> Result<Self, Refusal> {
        let reason = reason::checked(&asked.reason)?;
        let wanted = read(&asked.plan)?;
        Ok(Self {
            request: Request {
                id: asked.request_id,
                caller,
                action: "apply",
                target: super::target(&asked.plan.file),
                digest: digest(&(&asked.plan, asked.base_revision, &reason)),
                reason,
            },
            wanted,
            base_revision: asked.base_revision,
            plan: asked.plan,
        })
    }

    fn stale(&self, base: Revision) -> Option<Refusal> {
        if base.0 == self.base_revision {
            return None;
        }
        let message = format!(
            "the plan was made for revision {} and the installation is at {base}; plan again",
            self.base_revision
        );
        Some(Refusal::new(Code::Stale, message))
    }

    fn write<'a>(&'a self, mutation: &'a Mutation) -> Writer<'a> {
        Writer {
            revision: mutation.next(),
            at: mutation.now,
            by: &self.request.caller.actor,
            why: &self.request.reason,
            release_holds: self.plan.release_holds,
        }
    }

    fn answer(&self, plan: &Plan, revision: Revision) -> Applied {
        let altered: Vec<&Planned> = plan.changes.iter().filter(|it| it.alters()).collect();
        let count = |kind| altered.iter().filter(|it| it.kind == kind).count();
        Applied {
            revision: revision.0,
            changed: altered.iter().map(|it| it.key.to_string()).collect(),
            outcome: format!(
                "applied {}: {} added, {} changed, {} stopped",
                self.request.target,
                count(ChangeKind::Add),
                count(ChangeKind::Change),
                count(ChangeKind::Stop),
            ),
            repeated: false,
        }
    }
}

impl Change for Apply {
    type Answer = Applied;

    fn request(&self) -> &Request {
        &self.request
    }

    async fn carry_out<'a>(
        &'a self,
        tx: &'a mut PgConnection,
        mutation: &'a Mutation,
    ) -> Result<Judgement<Applied>, Failure> {
        if let Some(stale) = self.stale(mutation.base) {
            return Ok(Judgement::Refused(stale));
        }
        let present = current::load(tx, mutation.now).await?;
        let plan = plan_for(&present, &self.wanted, &self.plan);
        if !plan.refused.is_empty() {
            return Ok(Judgement::Refused(wire::refused(&plan)));
        }
        if plan.is_empty() {
            return Ok(Judgement::Nothing(Applied {
                revision: mutation.base.0,
                changed: Vec::new(),
                outcome: format!("{} changes nothing", self.request.target),
                repeated: false,
            }));
        }
        let writer = self.write(mutation);
        for change in plan.changes.iter().filter(|change| change.alters()) {
            writer.put(tx, change, present.get(&change.key)).await?;
        }
        Ok(Judgement::Done {
            answer: self.answer(&plan, mutation.next()),
            detail: wire::detail(&plan, &self.plan),
        })
    }
}

impl Answer for Applied {
    fn repeated(self) -> Self {
        Self {
            repeated: true,
            ..self
        }
    }
}

//! Everything that changes experiments: plan, apply and the verbs, for whichever front end asks.
//!
//! A mutation is one transaction under the installation's lock: judge, write, audit, commit. It runs
//! detached from whoever asked, so that a caller who hangs up cannot cut it in half, and it is answered
//! after the world has been read again, so that the daemon that was asked obeys at once.
//!
//! Refusals that were judged under the lock leave an audit row too, without a new revision: who tried
//! what, and why not, is part of the story. A request that was malformed leaves none.

mod apply;
mod current;
mod failure;
mod mutate;
mod reason;
#[cfg(test)]
mod tests;
mod verb;

use bandit::experiment::Verb;
use protocol::control::{Done, VerbRequest};
use protocol::plans::{Applied, ApplyRequest, PlanReply, PlanRequest};
use protocol::refusal::Refusal;
use tokio_util::task::TaskTracker;

use crate::store::Store;
use crate::world::WorldHandle;

pub use failure::store_refusal;

/// Who asks for a change, and through what; for the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Who, as far as it is proven: `ana (uid 1000)`.
    pub actor: String,
    /// Through what: the front end, or the client's build.
    pub via: String,
}

/// The operations on experiments. Cheap to clone; clones share the running mutations.
#[derive(Debug, Clone)]
pub struct Operations {
    store: Store,
    world: WorldHandle,
    running: TaskTracker,
}

impl Operations {
    /// Operations on `store`, whose effects are to be seen in `world` at once.
    pub fn new(store: Store, world: WorldHandle) -> Self {
        Self {
            store,
            world,
            running: TaskTracker::new(),
        }
    }

    /// What a file would change. Changes nothing.
    pub async fn plan(&self, request: &PlanRequest) -> Result<PlanReply, Refusal> {
        apply::plan(&self.store, request).await
    }

    /// Carries out a plan, if the revision it was made for still stands.
    pub async fn apply(&self, request: ApplyRequest, caller: Caller) -> Result<Applied, Refusal> {
        let apply = apply::Apply::new(request, caller)?;
        self.mutate(apply).await
    }

    /// Changes the state of one experiment.
    pub async fn act(
        &self,
        verb: Verb,
        request: VerbRequest,
        caller: Caller,
    ) -> Result<Done, Refusal> {
        let change = verb::StateChange::new(verb, request, caller)?;
        self.mutate(change).await
    }

    /// Waits until every mutation that was begun has ended.
    pub async fn drained(&self) {
        self.running.close();
        self.running.wait().await;
    }
}

/// A key as it is put into the audit log: what callers send is cut to what a key can be.
fn target(key: &str) -> String {
    key.chars()
        .filter(|c| !c.is_control())
        .take(bandit::experiment::MAX_NAME_LEN)
        .collect()
}

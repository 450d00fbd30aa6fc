//! Everything that changes experiments: plan, apply and the verbs, for whichever front end asks.
//!
//! A mutation is one transaction under the installation's lock: judge, write, audit, commit. It runs
//! detached from whoever asked, so that a caller who hangs up cannot cut it in half, and it is answered
//! after the world has been read again, so that the daemon that was asked obeys at once.
//!
//! Refusals that were judged under the lock leave an audit row too, without a new revision: who tried
//! what, and why not, is part of the story. A request that was malformed leaves none.

mod alerts;
mod apply;
mod arms;
mod current;
mod decision;
mod emergency;
mod failure;
mod guarded;
mod machine;
mod mutate;
mod overrides;
mod ramp;
mod reason;
mod schedule;
#[cfg(test)]
mod tests;
mod verb;

use bandit::experiment::Verb;
use protocol::control::{ArmRequest, Done, ReleaseRequest, VerbRequest};
use protocol::plans::{Applied, ApplyRequest, PlanReply, PlanRequest};
use protocol::refusal::{Code, Refusal};
use sqlx::PgConnection;
use tokio_util::task::TaskTracker;

use crate::store::Store;
use crate::store::revisions::{self, Found};
use crate::world::WorldHandle;

use failure::Failure;

pub use decision::DECISION_ACTOR;
pub use emergency::KillSwitch;
pub use failure::store_refusal;
pub(crate) use guarded::Guarding;
pub use schedule::Errand;

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
    kill_switch: Option<KillSwitch>,
}

impl Operations {
    /// Operations on `store`, whose effects are to be seen in `world` at once.
    pub fn new(store: Store, world: WorldHandle) -> Self {
        Self {
            store,
            world,
            running: TaskTracker::new(),
            kill_switch: None,
        }
    }

    /// The same, and while the database is away: rollbacks act here at once, and everything else is refused
    /// without a wait.
    #[must_use]
    pub fn with_kill_switch(self, kill_switch: KillSwitch) -> Self {
        Self {
            kill_switch: Some(kill_switch),
            ..self
        }
    }

    /// What a file would change. Changes nothing.
    pub async fn plan(&self, request: &PlanRequest) -> Result<PlanReply, Refusal> {
        self.unless_away()?;
        apply::plan(&self.store, request).await
    }

    /// Carries out a plan, if the revision it was made for still stands.
    pub async fn apply(&self, request: ApplyRequest, caller: Caller) -> Result<Applied, Refusal> {
        self.unless_away()?;
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
        let change = verb::StateChange::new(verb, request.clone(), caller.clone())?;
        if verb == Verb::Rollback
            && let Some(kill_switch) = &self.kill_switch
        {
            return self.roll_back(kill_switch, change, request, caller).await;
        }
        self.unless_away()?;
        self.mutate(change).await
    }

    /// Closes an arm to new units, until it is released.
    pub async fn quarantine(&self, request: ArmRequest, caller: Caller) -> Result<Done, Refusal> {
        let change = arms::ArmChange::quarantine(request, caller)?;
        self.unless_away()?;
        self.mutate(change).await
    }

    /// Releases the quarantine of an arm, or every hold on an experiment.
    pub async fn release(&self, request: ReleaseRequest, caller: Caller) -> Result<Done, Refusal> {
        let change = arms::ArmChange::release(request, caller)?;
        self.unless_away()?;
        self.mutate(change).await
    }

    /// Stops an experiment with one arm for everyone.
    pub async fn ship(&self, request: ArmRequest, caller: Caller) -> Result<Done, Refusal> {
        let change = arms::ArmChange::ship(request, caller)?;
        self.unless_away()?;
        self.mutate(change).await
    }

    /// In the database if it is there, else here: nobody waits with this to find out.
    async fn roll_back(
        &self,
        kill_switch: &KillSwitch,
        change: verb::StateChange,
        request: VerbRequest,
        caller: Caller,
    ) -> Result<Done, Refusal> {
        if !kill_switch.is_needed() {
            // Both ways may be gone: the mutation runs on, and its repetition has no second effect.
            let settled = tokio::select! {
                biased;
                settled = self.mutate(change) => Some(settled),
                () = kill_switch.needed() => None,
            };
            match settled {
                Some(Err(refusal)) if refusal.code == Code::Unavailable => {}
                Some(settled) => return settled,
                None => {}
            }
        }
        kill_switch.pull(&self.world, request, caller)
    }

    fn unless_away(&self) -> Result<(), Refusal> {
        let away = self.kill_switch.as_ref().is_some_and(KillSwitch::is_needed);
        if !away {
            return Ok(());
        }
        let message = "the database is away: nothing can be changed until it is back, but for `rollback`, which acts on this daemon at once";
        Err(Refusal::new(Code::Unavailable, message))
    }

    /// Waits until every mutation that was begun has ended.
    pub async fn drained(&self) {
        self.running.close();
        self.running.wait().await;
    }
}

/// The experiment under `key`, as the mutation finds it.
async fn found(tx: &mut PgConnection, key: &str) -> Result<Found, Failure> {
    let found = revisions::find(tx, key).await?;
    found.ok_or_else(|| {
        let message = format!("there is no experiment `{}`", target(key));
        Refusal::new(Code::NotFound, message).into()
    })
}

/// A key as it is put into the audit log: what callers send is cut to what a key can be.
fn target(key: &str) -> String {
    key.chars()
        .filter(|c| !c.is_control())
        .take(bandit::experiment::MAX_NAME_LEN)
        .collect()
}

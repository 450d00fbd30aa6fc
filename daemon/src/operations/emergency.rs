//! The kill switch: a rollback while the database is away.
//!
//! It acts on this daemon at once, is kept on its disk, and is carried out like any other rollback, with its
//! audit row and hold, when the database is back.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bandit::experiment::Verb;
use chrono::{DateTime, Utc};
use protocol::control::{Done, VerbRequest};
use protocol::refusal::{Code, Refusal};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::verb::StateChange;
use super::{Caller, Operations, reason, target};
use crate::breaker::Breaker;
use crate::clock::Clock;
use crate::durable::{Directory, Disk, replace, sealed};
use crate::world::WorldHandle;

/// What the file is called.
const NAME: &str = "rollbacks.pending";

/// What it is, and the number of the format.
const MARK: &str = "pitboss-rollbacks 1";

/// After a try that failed although the database seemed to be back.
const PAUSE: Duration = Duration::from_secs(1);

/// Rollbacks that act on this daemon and are not in the database yet. Cheap to clone; clones share them.
#[derive(Debug, Clone)]
pub struct KillSwitch(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    directory: Disk,
    breaker: Breaker,
    clock: Clock,
    pending: Mutex<Vec<Pending>>,
    waiting: watch::Sender<usize>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Pending {
    key: String,
    reason: String,
    request_id: Uuid,
    expect_revision: Option<u64>,
    actor: String,
    via: String,
    at: DateTime<Utc>,
}

impl KillSwitch {
    /// The rollbacks that an earlier run left in the directory `path`, in force in `world` from now on.
    pub fn open(
        path: &Path,
        world: &WorldHandle,
        breaker: Breaker,
        clock: Clock,
    ) -> io::Result<Self> {
        let directory = Disk::open(path)?;
        let pending = left_behind(&directory)?;
        for it in &pending {
            if let Err(refusal) = put_in_force(it, world) {
                // Settled like the others when the database is back.
                tracing::warn!(experiment = it.key, %refusal, "earlier rollback not in force");
            }
        }
        Ok(Self(Arc::new(Shared {
            directory,
            breaker,
            clock,
            waiting: watch::Sender::new(pending.len()),
            pending: Mutex::new(pending),
        })))
    }

    /// Whether the database is away.
    pub(super) fn is_needed(&self) -> bool {
        self.0.breaker.is_open()
    }

    /// Waits until it is.
    pub(super) async fn needed(&self) {
        self.0.breaker.opened().await;
    }

    /// Rolls back on this daemon.
    pub(super) fn pull(
        &self,
        world: &WorldHandle,
        asked: VerbRequest,
        caller: Caller,
    ) -> Result<Done, Refusal> {
        let pending = Pending {
            reason: reason::checked(&asked.reason)?,
            key: asked.key,
            request_id: asked.request_id,
            expect_revision: asked.expect_revision,
            actor: caller.actor,
            via: caller.via,
            at: self.0.clock.now(),
        };
        let mut all = self.pending();
        if all.iter().any(|it| it.request_id == pending.request_id) {
            return Ok(done(
                &pending,
                world,
                "it acts on this daemon already",
                true,
            ));
        }
        as_seen(&pending, world)?;
        put_in_force(&pending, world)?;
        all.push(pending.clone());
        let kept = self.keep(&all);
        drop(all);
        tracing::warn!(
            experiment = pending.key,
            actor = pending.actor,
            reason = pending.reason,
            "rolled back on this daemon; the database is away"
        );
        let note = match kept {
            Ok(()) => "on this daemon; the database is away, and learns of it when it is back",
            Err(error) => {
                tracing::error!(%error, "rollback not kept on the disk");
                "on this daemon, until it is restarted: its disk refuses; the database is away, and learns of it when it is back"
            }
        };
        Ok(done(&pending, world, note, false))
    }

    /// Tells the database of every rollback, whenever it is back. Runs until `stop`.
    pub async fn settle(self, operations: Operations, stop: CancellationToken) {
        let settling = async {
            let mut waiting = self.0.waiting.subscribe();
            loop {
                // The sender is ours, so it is there.
                let _ = waiting.wait_for(|count| *count > 0).await;
                self.0.breaker.is_closed().await;
                let next = self.pending().first().cloned();
                if let Some(next) = next
                    && !self.carry_out(&operations, next).await
                {
                    tokio::time::sleep(PAUSE).await;
                }
            }
        };
        stop.run_until_cancelled(settling).await;
    }

    /// Carries one out in the database; whether that is settled now.
    async fn carry_out(&self, operations: &Operations, pending: Pending) -> bool {
        match in_database(operations, &pending).await {
            Ok(done) => {
                tracing::info!(
                    experiment = pending.key,
                    outcome = done.outcome,
                    "rollback is in the database"
                );
            }
            Err(refusal) if matches!(refusal.code, Code::Unavailable | Code::Internal) => {
                tracing::warn!(experiment = pending.key, %refusal, "rollback not in the database yet");
                return false;
            }
            // Somebody stopped it or rolled it back through another daemon, which the audit log tells.
            Err(refusal) => {
                tracing::warn!(experiment = pending.key, %refusal, "rollback refused: the database's state holds");
            }
        }
        self.forget(pending.request_id);
        operations.world.obey_database(&pending.key);
        operations.world.refresh().await;
        true
    }

    fn forget(&self, request_id: Uuid) {
        let mut all = self.pending();
        all.retain(|it| it.request_id != request_id);
        if let Err(error) = self.keep(&all) {
            // Carried out again by the next run, which finds it done.
            tracing::warn!(%error, "settled rollback not removed from the disk");
        }
    }

    fn keep(&self, pending: &[Pending]) -> io::Result<()> {
        self.0.waiting.send_replace(pending.len());
        replace(&self.0.directory, NAME, &sealed::seal(MARK, &pending))
    }

    fn pending(&self) -> MutexGuard<'_, Vec<Pending>> {
        self.0
            .pending
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// One that is damaged is kept aside under another name: what it said is for a person to find out.
fn left_behind(directory: &Disk) -> io::Result<Vec<Pending>> {
    let file = match directory.read(NAME) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    sealed::open(MARK, &file).or_else(|error| {
        tracing::error!(%error, "pending rollbacks unreadable: kept as {NAME}.damaged");
        directory.rename(NAME, &format!("{NAME}.damaged"))?;
        Ok(Vec::new())
    })
}

/// What the operator looked at is what is rolled back.
fn as_seen(pending: &Pending, world: &WorldHandle) -> Result<(), Refusal> {
    let present = world.load();
    let revision = present.get(&pending.key).map(|live| live.revision.0);
    match (pending.expect_revision, revision) {
        (Some(seen), Some(now)) if seen != now => {
            let key = &pending.key;
            let message = format!(
                "{key} was changed since you looked: it is at revision {now}, you saw {seen}; look again"
            );
            Err(Refusal::new(Code::Stale, message))
        }
        _ => Ok(()),
    }
}

fn put_in_force(pending: &Pending, world: &WorldHandle) -> Result<(), Refusal> {
    let present = world.load();
    let Some(live) = present.get(&pending.key) else {
        let message = format!("there is no experiment `{}`", target(&pending.key));
        return Err(Refusal::new(Code::NotFound, message));
    };
    let Pending {
        at, actor, reason, ..
    } = pending;
    let state = live.serving.state.after(Verb::Rollback, *at, actor, reason);
    let state = state.map_err(|illegal| {
        Refusal::new(Code::IllegalState, format!("{}: {illegal}", pending.key))
    })?;
    world.insist(&live.serving.key, state);
    Ok(())
}

fn done(pending: &Pending, world: &WorldHandle, note: &str, repeated: bool) -> Done {
    Done {
        key: pending.key.clone(),
        state: "rolled_back".to_owned(),
        revision: world.load().revision.0,
        outcome: format!("{} is rolled_back {note}", pending.key),
        repeated,
    }
}

/// The same request as the operator's: if that one got through after all, this one is its repetition.
async fn in_database(operations: &Operations, pending: &Pending) -> Result<Done, Refusal> {
    let Pending {
        key,
        reason,
        request_id,
        expect_revision,
        actor,
        via,
        at: _,
    } = pending.clone();
    let caller = Caller { actor, via };
    let asked = VerbRequest {
        key,
        reason,
        request_id,
        expect_revision,
    };
    let change = StateChange::new(Verb::Rollback, asked.clone(), caller.clone())?;
    match operations.mutate(change).await {
        // It acts already, whatever else has changed: what the operator saw no longer matters.
        Err(refusal) if refusal.code == Code::Stale => {
            let again = VerbRequest {
                request_id: Uuid::now_v7(),
                expect_revision: None,
                ..asked
            };
            let change = StateChange::new(Verb::Rollback, again, caller)?;
            operations.mutate(change).await
        }
        settled => settled,
    }
}

#[cfg(test)]
mod tests;

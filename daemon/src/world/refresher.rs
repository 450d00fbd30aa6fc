//! The one writer of the world: reads what changed, keeps what did not.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bandit::experiment::ExperimentId;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::local::Publication;
use super::{Live, World};
use crate::ingest::Meters;
use crate::store::experiments::{self, Head, Heads, Stored};
use crate::store::{Store, StoreError};

/// 1 s at most: every daemon must serve a change within 2 s of its commit, and the read is three indexed look-ups.
const POLL: Duration = Duration::from_secs(1);

/// And 0.75 s at least. Daemons that were started together, or that all found the database back at one instant, would
/// otherwise ask it at the same moment for as long as they run.
const SOONEST: Duration = Duration::from_millis(750);

/// 5 s: a read takes milliseconds; a connection that is silent for longer is dead, and the next poll takes
/// another one.
const READ_LIMIT: Duration = Duration::from_secs(5);

/// Reads the world again and again. Run it with [`Refresher::run`].
#[derive(Debug)]
pub struct Refresher {
    store: Store,
    published: Arc<Publication>,
    asked: mpsc::Receiver<oneshot::Sender<()>>,
    failing: bool,
    /// Experiments that could not be read, as of which head: told once, tried again when it changes.
    unreadable: HashMap<ExperimentId, Head>,
}

impl Refresher {
    pub(super) fn new(
        store: Store,
        published: Arc<Publication>,
        asked: mpsc::Receiver<oneshot::Sender<()>>,
    ) -> Self {
        Self {
            store,
            published,
            asked,
            failing: false,
            unreadable: HashMap::new(),
        }
    }

    /// Keeps the world fresh until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut poll = std::pin::pin!(tokio::time::sleep(Duration::ZERO));
        loop {
            let mut waiting = Vec::new();
            // Every arm is cancel-safe: a cancelled `recv_many` has taken nothing.
            tokio::select! {
                () = stop.cancelled() => return,
                taken = self.asked.recv_many(&mut waiting, super::WAITING_REQUESTS) => {
                    if taken == 0 {
                        return;
                    }
                }
                () = &mut poll => poll.as_mut().reset(Instant::now() + pause()),
            }
            let result = tokio::time::timeout(READ_LIMIT, self.refresh()).await;
            self.report(result.ok());
            for caller in waiting {
                // Who no longer waits does not need to know.
                let _ = caller.send(());
            }
        }
    }

    /// Reads what changed and publishes the new world, if anything did.
    pub(super) async fn refresh(&mut self) -> Result<(), StoreError> {
        let mut view = experiments::snapshot(&self.store).await?;
        let Heads { revision, heads } = experiments::heads(&mut view).await?;
        let present = self.published.current.load_full();
        let mut kept: HashMap<ExperimentId, Arc<Live>> = present
            .experiments
            .values()
            .map(|live| (live.id, Arc::clone(live)))
            .collect();
        let changed: HashMap<ExperimentId, Head> = heads
            .into_iter()
            .filter(|head| self.unreadable.get(&head.id) != Some(head))
            .filter(|head| {
                let live = kept.get(&head.id);
                live.is_none_or(|live| !live.is_as_of(head) || !self.published.stands(live))
            })
            .map(|head| (head.id, head))
            .collect();
        if changed.is_empty() && revision == present.revision {
            return Ok(());
        }
        self.unreadable.retain(|id, _| !changed.contains_key(id));
        self.unreadable
            .extend(load(&mut view, changed, &mut kept).await?);
        let experiments = kept
            .into_values()
            .map(|live| (live.serving.key.clone(), live))
            .collect();
        self.published.publish(World {
            revision,
            experiments,
        });
        Ok(())
    }

    /// Logs the first failure of a row and its end. `None`: the read took too long.
    fn report(&mut self, result: Option<Result<(), StoreError>>) {
        let failed = !matches!(result, Some(Ok(())));
        if failed == self.failing {
            return;
        }
        self.failing = failed;
        match result {
            Some(Ok(())) => tracing::info!("world is fresh again"),
            Some(Err(error)) => {
                let source = std::error::Error::source(&error).map(ToString::to_string);
                tracing::warn!(%error, source, "world is stale");
            }
            None => tracing::warn!(limit = ?READ_LIMIT, "world is stale: the read took too long"),
        }
    }
}

/// From one poll to the next.
fn pause() -> Duration {
    rand::random_range(SOONEST..=POLL)
}

/// Reads the experiments behind `changed` into `kept`. One that cannot be read is left as it was, loudly,
/// and given back.
async fn load(
    view: &mut sqlx::PgConnection,
    mut changed: HashMap<ExperimentId, Head>,
    kept: &mut HashMap<ExperimentId, Arc<Live>>,
) -> Result<HashMap<ExperimentId, Head>, StoreError> {
    if changed.is_empty() {
        return Ok(changed);
    }
    let ids: Vec<ExperimentId> = changed.keys().copied().collect();
    for stored in experiments::load(view, &ids).await? {
        let live = stored.and_then(|stored| {
            let meters = meters_for(&stored, kept);
            let head = changed.get(&stored.id).cloned();
            head.map(|head| Live::new(stored, head, meters)).transpose()
        });
        match live {
            Ok(None) => {}
            Ok(Some(live)) => {
                changed.remove(&live.id);
                kept.insert(live.id, Arc::new(live));
            }
            Err(error) => {
                let source = std::error::Error::source(&error).map(ToString::to_string);
                tracing::error!(%error, source, "experiment unreadable");
            }
        }
    }
    Ok(changed)
}

/// The counters it had, or new ones under its own name while there is room for names.
fn meters_for(stored: &Stored, kept: &HashMap<ExperimentId, Arc<Live>>) -> Meters {
    if let Some(live) = kept.get(&stored.id) {
        return live.meters.clone();
    }
    if kept.len() < Meters::MAX_LABELLED {
        return Meters::new(stored.spec.key.as_str());
    }
    Meters::new(Meters::OTHERS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn daemons_that_poll_together_drift_apart() {
        let polls: Vec<Duration> = (0..100).map(|_| pause()).collect();
        assert!(polls.iter().all(|it| (SOONEST..=POLL).contains(it)));
        let distinct: std::collections::BTreeSet<&Duration> = polls.iter().collect();
        assert!(distinct.len() > 50, "{distinct:?}");
    }
}

//! The world: everything that serving needs, in memory, as one immutable snapshot.
//!
//! One task writes it ([`Refresher`]); everyone else takes an `Arc` and never waits. It is read again
//! every second, and at once when somebody who has just changed something asks ([`WorldHandle::refresh`]).
//! An experiment that did not change keeps its `Arc`.

mod live;
mod local;
mod refresher;
mod saver;
pub mod snapshot;

use std::collections::HashMap;
use std::sync::Arc;

use bandit::experiment::{ExperimentKey, Revision, RunState};
use tokio::sync::{mpsc, oneshot, watch};

use crate::store::{Store, StoreError};

pub use live::{Live, Published};
pub use refresher::Refresher;
pub use saver::{Saver, saved};

use local::Publication;

/// Requests to read again that may wait: they are answered together, so more than a few means a stuck
/// database, and then waiting to ask is the same as waiting for the answer.
const WAITING_REQUESTS: usize = 64;

/// All experiments as of one revision.
#[derive(Debug, Default)]
pub struct World {
    /// The installation's revision.
    pub revision: Revision,
    /// By key, archived ones included.
    pub experiments: HashMap<ExperimentKey, Arc<Live>>,
}

impl World {
    /// The experiment under `key`; any text may be asked for.
    pub fn get(&self, key: &str) -> Option<&Arc<Live>> {
        self.experiments.get(key)
    }

    /// Every experiment, in key order.
    pub fn in_key_order(&self) -> Vec<&Arc<Live>> {
        let mut all: Vec<_> = self.experiments.values().collect();
        all.sort_unstable_by(|a, b| a.serving.key.cmp(&b.serving.key));
        all
    }
}

/// A way to the present world. Cheap to clone.
#[derive(Debug, Clone)]
pub struct WorldHandle {
    published: Arc<Publication>,
    requests: mpsc::Sender<oneshot::Sender<()>>,
}

impl WorldHandle {
    /// Reads the world for the first time. The second part must be run, by one task, for as long as the
    /// handle is used.
    pub async fn open(store: Store) -> Result<(Self, Refresher), StoreError> {
        let (handle, mut refresher) = Self::resume(store, World::default());
        refresher.refresh().await?;
        Ok((handle, refresher))
    }

    /// Begins with a world that was read earlier, and reads when the database lets it. The second part must
    /// be run, as that of [`WorldHandle::open`].
    pub fn resume(store: Store, world: World) -> (Self, Refresher) {
        let published = Arc::new(Publication::of(world));
        let (requests, asked) = mpsc::channel(WAITING_REQUESTS);
        let refresher = Refresher::new(store, Arc::clone(&published), asked);
        let handle = Self {
            published,
            requests,
        };
        (handle, refresher)
    }

    /// The present world.
    pub fn load(&self) -> Arc<World> {
        self.published.current.load_full()
    }

    /// The present world, for as long as one request looks at it: cheaper than [`WorldHandle::load`],
    /// but not to be held across an `.await`.
    pub fn peek(&self) -> arc_swap::Guard<Arc<World>> {
        self.published.current.load()
    }

    /// Reads the world again. Returns after a read that began after this call, or when the refresher is
    /// gone. A read that fails is logged and made up for by the next one.
    pub async fn refresh(&self) {
        let (done, read) = oneshot::channel();
        if self.requests.send(done).await.is_ok() {
            let _ = read.await;
        }
    }

    /// Counts changes of the world; wakes who waits for one.
    pub fn changed(&self) -> watch::Receiver<u64> {
        self.published.changed()
    }

    /// Serves an experiment that takes traffic in `state` from now on, whatever the database says.
    pub fn insist(&self, key: &ExperimentKey, state: RunState) {
        self.published.insist(key, state);
    }

    /// Takes that back: the next read decides.
    pub fn obey_database(&self, key: &str) {
        self.published.obey_database(key);
    }
}

//! States that this daemon serves whatever it reads: rollbacks that the database has not heard of yet.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arc_swap::ArcSwap;
use bandit::experiment::{ExperimentKey, RunState};
use tokio::sync::watch;

use super::{Live, World};

/// The present world, and the one way to put another in its place: whoever publishes holds the lock, so that
/// a world that was read a moment ago cannot undo what was insisted on since.
#[derive(Debug)]
pub(super) struct Publication {
    pub(super) current: ArcSwap<World>,
    insisted: Mutex<HashMap<ExperimentKey, RunState>>,
    count: watch::Sender<u64>,
}

impl Publication {
    pub(super) fn of(world: World) -> Self {
        Self {
            current: ArcSwap::from_pointee(world),
            insisted: Mutex::default(),
            count: watch::Sender::new(0),
        }
    }

    /// Publishes a world that was read.
    pub(super) fn publish(&self, world: World) {
        let insisted = self.insisted();
        self.put(world, &insisted);
    }

    /// Serves `key` in `state` from now on.
    pub(super) fn insist(&self, key: &ExperimentKey, state: RunState) {
        let mut insisted = self.insisted();
        insisted.insert(key.clone(), state);
        let present = self.current.load_full();
        let world = World {
            revision: present.revision,
            experiments: present.experiments.clone(),
        };
        self.put(world, &insisted);
    }

    /// Serves `key` as the database says from the next read on.
    pub(super) fn obey_database(&self, key: &str) {
        self.insisted()
            .retain(|insisted, _| insisted.as_str() != key);
    }

    /// Whether the state of `live` is the database's, or one that is still insisted on.
    pub(super) fn stands(&self, live: &Live) -> bool {
        !live.local || self.insisted().contains_key(&live.serving.key)
    }

    pub(super) fn changed(&self) -> watch::Receiver<u64> {
        self.count.subscribe()
    }

    fn put(&self, mut world: World, insisted: &HashMap<ExperimentKey, RunState>) {
        for (key, state) in insisted {
            let Some(live) = world.experiments.get_mut(key) else {
                continue;
            };
            // What the database has stopped or rolled back itself is not served any more than this.
            let served = matches!(
                live.serving.state,
                RunState::Running { .. } | RunState::Paused { .. }
            );
            if !served {
                continue;
            }
            match live.in_state(state.clone()) {
                Ok(there) => *live = Arc::new(there),
                Err(error) => {
                    tracing::error!(%error, "experiment not in the state that was insisted on");
                }
            }
        }
        self.current.store(Arc::new(world));
        self.count.send_modify(|count| *count += 1);
    }

    fn insisted(&self) -> MutexGuard<'_, HashMap<ExperimentKey, RunState>> {
        self.insisted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

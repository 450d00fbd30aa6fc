//! The task that notices changes: of the world at once, of figures once a second.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use bandit::experiment::{ExperimentId, ExperimentKey};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use super::Feed;
use crate::breaker::Breaker;
use crate::store::{Store, activity};
use crate::world::{World, WorldHandle};

/// 1 s: figures change with every request; an operator reads a few numbers a second, and each round
/// costs one look-up per experiment.
const FIGURES: Duration = Duration::from_secs(1);

/// Feeds the feed. Run it with [`Feeder::run`], once.
#[derive(Debug)]
pub struct Feeder {
    feed: Feed,
    world: WorldHandle,
    store: Store,
    breaker: Breaker,
    seen: Arc<World>,
    busy: HashSet<ExperimentId>,
}

impl Feeder {
    /// Starts from the present world.
    pub fn new(feed: Feed, world: WorldHandle, store: Store, breaker: Breaker) -> Self {
        let seen = world.load();
        Self {
            feed,
            world,
            store,
            breaker,
            seen,
            busy: HashSet::new(),
        }
    }

    /// Feeds until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut world_changed = self.world.changed();
        let mut away = self.breaker.watch();
        let mut ticks = tokio::time::interval(FIGURES);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            // All arms are cancel-safe: waiting takes nothing away.
            tokio::select! {
                () = stop.cancelled() => return,
                changed = world_changed.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    self.world_changed();
                }
                // Its sender lives as long as this.
                _ = away.changed() => self.all_changed(),
                _ = ticks.tick() => self.figures_moved().await,
            }
        }
    }

    fn world_changed(&mut self) {
        let now = self.world.load();
        self.feed.changed(differences(&self.seen, &now));
        self.seen = now;
    }

    /// The database went away or came back: what every experiment's row says of its age is not true any more.
    fn all_changed(&self) {
        self.feed.changed(self.seen.experiments.keys().cloned());
    }

    /// Says that busy experiments moved, and those that were busy a second ago once more. Nobody watches:
    /// nobody asks, and whoever comes later begins with a snapshot or finds its cursor behind.
    async fn figures_moved(&mut self) {
        if !self.feed.is_watched() || self.breaker.is_open() {
            return;
        }
        let busy: HashSet<ExperimentId> = match activity::busy(&self.store).await {
            Ok(ids) => ids.into_iter().collect(),
            Err(error) => {
                // The world's refresher reports an absent database; saying it twice a second helps nobody.
                tracing::debug!(%error, "busy experiments unknown");
                return;
            }
        };
        let moved = self.keys_of(busy.union(&self.busy));
        self.feed.changed(moved);
        self.busy = busy;
    }

    fn keys_of<'a>(&self, ids: impl Iterator<Item = &'a ExperimentId>) -> Vec<ExperimentKey> {
        let ids: HashSet<&ExperimentId> = ids.collect();
        self.world
            .load()
            .experiments
            .values()
            .filter(|live| ids.contains(&live.id))
            .map(|live| live.serving.key.clone())
            .collect()
    }
}

/// Experiments that came, went, or are not the very same; the world keeps the `Arc` of those that are.
fn differences(before: &World, after: &World) -> Vec<ExperimentKey> {
    let came_or_changed = after.experiments.iter().filter(|(key, live)| {
        !before
            .experiments
            .get(*key)
            .is_some_and(|old| Arc::ptr_eq(old, live))
    });
    let gone = before
        .experiments
        .keys()
        .filter(|key| !after.experiments.contains_key(*key));
    came_or_changed
        .map(|(key, _)| key)
        .chain(gone)
        .cloned()
        .collect()
}

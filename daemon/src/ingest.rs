//! What services send: assigns, exposures and events. Everything that is acknowledged here is in the database or,
//! while that is away, on the daemon's own disk.

mod assign;
mod backlog;
mod draws;
mod group;
mod landing;
mod lookups;
mod meters;
mod outage;
mod track;

use std::sync::Arc;

use bandit::assign::UnitKey;
use metrics::Histogram;
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::sticky::Sticky;
use crate::store::Store;
use crate::world::WorldHandle;
use draws::Draws;
use group::{Group, Sizes};
use landing::Landing;
use lookups::Lookups;

pub use assign::Assigned;
pub use backlog::Backlog;
pub use group::NotDone;
pub use meters::Meters;
pub use outage::{Outage, Standing};
pub use track::{Durability, Event, Exposure};

/// Two writers are right for two cores and more only add latency; batches of 100 to 1,000 take nearly all
/// there is (LIMITS section 2). The queue is a second of what two writers do.
const DRAWS: Sizes = Sizes {
    writers: 2,
    batch_rows: 1_000,
    queue_rows: 50_000,
};

/// Look-ups are short; one connection reads 27,000 keys a second even one by one.
const LOOKUPS: Sizes = Sizes {
    writers: 1,
    batch_rows: 1_000,
    queue_rows: 20_000,
};

/// As for draws; a batch holds two of the largest requests.
const LANDING: Sizes = Sizes {
    writers: 2,
    batch_rows: 2_000,
    queue_rows: 100_000,
};

/// Connections that the writers keep for themselves: the pool must have more.
pub const CONNECTIONS: usize = DRAWS.writers + LOOKUPS.writers + LANDING.writers;

/// The data path.
pub struct Ingest {
    world: WorldHandle,
    clock: Clock,
    unit_secret: [u8; 32],
    sticky: Arc<Sticky>,
    draws: Group<Draws>,
    lookups: Group<Lookups>,
    landing: Group<Landing>,
    outage: Outage,
    backlog: Arc<Backlog>,
    durations: Histogram,
}

/// The writers behind an [`Ingest`]. Dropping it stops them where they are; [`Writers::finish`] does not.
#[derive(Debug)]
#[must_use = "without its writers nothing that is handed in is written"]
pub struct Writers(JoinSet<()>);

impl Ingest {
    /// Starts the data path. `unit_secret` keys the unit keys; `outage` is where to go without a database.
    pub fn start(
        store: &Store,
        world: WorldHandle,
        clock: Clock,
        unit_secret: [u8; 32],
        sticky: Arc<Sticky>,
        outage: Outage,
    ) -> (Arc<Self>, Writers) {
        let mut tasks = JoinSet::new();
        let breaker = &outage.breaker;
        let draws = Draws::new(Arc::clone(&sticky));
        let lookups = Lookups::new(Arc::clone(&sticky));
        let ingest = Self {
            world,
            clock,
            unit_secret,
            draws: Group::start(draws, store, DRAWS, breaker, &mut tasks),
            lookups: Group::start(lookups, store, LOOKUPS, breaker, &mut tasks),
            landing: Group::start(Landing, store, LANDING, breaker, &mut tasks),
            backlog: Arc::default(),
            sticky,
            outage,
            durations: metrics::histogram!("pitboss_decision_duration_seconds"),
        };
        (Arc::new(ingest), Writers(tasks))
    }

    /// The world that is served.
    pub fn world(&self) -> &WorldHandle {
        &self.world
    }

    /// How much may land; without limit until somebody watches it.
    pub fn backlog(&self) -> Arc<Backlog> {
        Arc::clone(&self.backlog)
    }

    /// The key of a unit: the raw id goes no further than this.
    pub fn unit_key(&self, unit_id: &str) -> UnitKey {
        UnitKey::derive(&self.unit_secret, unit_id)
    }
}

impl Writers {
    /// Waits until everything that was handed in is written. Drop the [`Ingest`] and who uses it first.
    pub async fn finish(mut self) {
        while let Some(ended) = self.0.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "group writer died");
            }
        }
    }
}

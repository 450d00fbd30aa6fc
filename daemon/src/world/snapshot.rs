//! The world as a file: what a daemon serves from that starts while its database is away.

use std::collections::HashMap;
use std::sync::Arc;

use bandit::allocation::Allocation;
use bandit::experiment::{Arm, ExperimentId, LaneId, LaneName, Revision, RunState, Version};
use bandit::lanes::LaneNumbers;
use bandit::schedule::Ramp;
use bandit::spec::model::ExperimentSpec;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Live, World};
use crate::durable::sealed::{self, Unsealed};
use crate::ingest::Meters;
use crate::store::experiments::{Head, Stored, StoredLane};
use crate::store::{StoreError, migrations};

/// What it is, and the number of the format.
const MARK: &str = "pitboss-world 1";

/// A world that was read back.
#[derive(Debug)]
pub struct Saved {
    /// The world.
    pub world: World,
    /// The fingerprint of the unit secret that its units were keyed with.
    pub secret: [u8; 16],
    /// When it was written.
    pub written_at: DateTime<Utc>,
}

/// A snapshot that cannot be served from.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// It is damaged, or something else.
    #[error(transparent)]
    Unsealed(#[from] Unsealed),
    /// It is of a schema that this build does not have.
    #[error("it was written for schema {found}, and this pitbossd has {known}")]
    Schema {
        /// The snapshot's.
        found: i64,
        /// This build's.
        known: i64,
    },
    /// One of its experiments cannot be served.
    #[error("one of its experiments cannot be served")]
    Experiment(#[source] StoreError),
}

#[derive(Serialize, Deserialize)]
struct Body {
    schema: i64,
    secret: [u8; 16],
    written_at: DateTime<Utc>,
    revision: Revision,
    experiments: Vec<SavedExperiment>,
}

#[derive(Serialize, Deserialize)]
struct SavedExperiment {
    id: ExperimentId,
    revision: Revision,
    versions: Vec<(LaneId, Version)>,
    holds: Vec<String>,
    state: RunState,
    spec: ExperimentSpec,
    started_at: Option<DateTime<Utc>>,
    ramp: Option<Ramp>,
    arms: Vec<Arm>,
    lane_numbers: Vec<(LaneName, LaneId)>,
    lanes: Vec<SavedLane>,
    /// Whether its state was this daemon's own.
    #[serde(default)]
    local: bool,
}

#[derive(Serialize, Deserialize)]
struct SavedLane {
    lane: LaneId,
    version: Version,
    at: DateTime<Utc>,
    burn_in: Option<String>,
    allocation: Allocation,
}

/// The file's content. `secret` is the fingerprint of the unit secret.
pub fn write(world: &World, secret: [u8; 16], written_at: DateTime<Utc>) -> Vec<u8> {
    let body = Body {
        schema: migrations::newest(),
        secret,
        written_at,
        revision: world.revision,
        experiments: world
            .in_key_order()
            .into_iter()
            .map(|it| saved(it))
            .collect(),
    };
    sealed::seal(MARK, &body)
}

fn saved(live: &Live) -> SavedExperiment {
    let (stored, head) = live.stored();
    let Stored {
        id,
        state,
        spec,
        started_at,
        ramp,
        arms,
        lane_numbers,
        lanes,
    } = stored;
    let Head {
        id: _,
        revision,
        versions,
        holds,
    } = head;
    SavedExperiment {
        id,
        revision,
        versions,
        holds,
        state,
        spec,
        started_at,
        ramp,
        arms,
        lane_numbers: lane_numbers
            .iter()
            .map(|(name, id)| (name.clone(), id))
            .collect(),
        lanes: lanes
            .into_iter()
            .map(|lane| SavedLane {
                lane: lane.id,
                version: lane.version,
                at: lane.published_at,
                burn_in: lane.burn_in,
                allocation: lane.allocation,
            })
            .collect(),
        local: live.local,
    }
}

/// The world in a file's content.
pub fn read(file: &[u8]) -> Result<Saved, SnapshotError> {
    let body: Body = sealed::open(MARK, file)?;
    let (found, known) = (body.schema, migrations::newest());
    if found != known {
        return Err(SnapshotError::Schema { found, known });
    }
    let mut experiments = HashMap::with_capacity(body.experiments.len());
    for saved in body.experiments {
        let labelled = experiments.len() < Meters::MAX_LABELLED;
        let live = live(saved, labelled).map_err(SnapshotError::Experiment)?;
        experiments.insert(live.serving.key.clone(), Arc::new(live));
    }
    Ok(Saved {
        world: World {
            revision: body.revision,
            experiments,
        },
        secret: body.secret,
        written_at: body.written_at,
    })
}

fn live(saved: SavedExperiment, labelled: bool) -> Result<Live, StoreError> {
    let meters = Meters::new(if labelled {
        saved.spec.key.as_str()
    } else {
        Meters::OTHERS
    });
    let head = Head {
        id: saved.id,
        revision: saved.revision,
        versions: saved.versions,
        holds: saved.holds,
    };
    let stored = Stored {
        id: saved.id,
        state: saved.state,
        spec: saved.spec,
        started_at: saved.started_at,
        ramp: saved.ramp,
        arms: saved.arms,
        lane_numbers: LaneNumbers::new(saved.lane_numbers),
        lanes: saved
            .lanes
            .into_iter()
            .map(|lane| StoredLane {
                id: lane.lane,
                version: lane.version,
                published_at: lane.at,
                burn_in: lane.burn_in,
                allocation: lane.allocation,
            })
            .collect(),
    };
    let mut live = Live::new(stored, head, meters)?;
    live.local = saved.local;
    Ok(live)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workers::fixture::{CHECKOUT, Fixture};
    use crate::world::WorldHandle;

    #[tokio::test]
    async fn a_world_comes_back_as_it_was() {
        let fixture = Fixture::start(CHECKOUT).await;
        let (handle, _refresher) = WorldHandle::open(fixture.store().clone()).await.unwrap();
        let world = handle.load();
        let at = DateTime::UNIX_EPOCH;
        let file = write(&world, [7; 16], at);
        let back = read(&file).unwrap();
        assert_eq!((back.secret, back.written_at), ([7; 16], at));
        assert_eq!(back.world.revision, world.revision);
        assert!(!world.experiments.is_empty());
        for (key, live) in &world.experiments {
            let again = &back.world.experiments[key];
            assert_eq!(again.serving, live.serving);
            assert_eq!(again.spec, live.spec);
            assert_eq!(again.published, live.published);
            assert_eq!(again.stored().1, live.stored().1);
        }
        assert_eq!(write(&back.world, [7; 16], at), file);
    }
}

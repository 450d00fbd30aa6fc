//! One experiment of the world.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use bandit::allocation::Allocation;
use bandit::assign::{Serving, ServingLane};
use bandit::experiment::{Arm, ArmId, ExperimentId, LaneId, Revision, RunState, Version};
use bandit::lanes::{Lane, LaneNumbers};
use bandit::schedule::{Ramp, Standing, served_traffic};
use bandit::spec::model::ExperimentSpec;
use chrono::{DateTime, Utc};
use serde_json::value::{RawValue, to_raw_value};

use crate::ingest::Meters;
use crate::store::StoreError;
use crate::store::experiments::{Head, Stored, StoredLane};

/// An experiment, ready to serve.
#[derive(Debug)]
pub struct Live {
    /// Its number.
    pub id: ExperimentId,
    /// The revision of its newest spec or state.
    pub revision: Revision,
    /// What one assign needs.
    pub serving: Serving,
    /// What each arm means to its service, as the JSON that every answer carries: written once, not once an answer.
    configs: Vec<(ArmId, Box<RawValue>)>,
    /// The spec in force.
    pub spec: Arc<ExperimentSpec>,
    /// When it was started first.
    pub started_at: Option<DateTime<Utc>>,
    /// How far its ramp is; [`Live::serving`] has its traffic.
    pub ramp: Option<Ramp>,
    /// The holds on it: `pause`, `quarantine blue`.
    pub holds: Vec<String>,
    /// The numbers of its lanes, also of those that are not in force.
    pub lane_numbers: LaneNumbers,
    /// The lanes in force, in the order of the lane draw.
    pub lanes: Vec<Lane>,
    /// The newest policy version of each lane in force, in lane order.
    pub published: Vec<Published>,
    /// What its traffic counts into.
    pub meters: Meters,
    /// Whether its state is this daemon's own, and not the database's.
    pub(super) local: bool,
    head: Head,
}

/// When and how a lane's newest policy version came about; its allocation is in [`Live::serving`].
#[derive(Debug, Clone, PartialEq)]
pub struct Published {
    /// The lane.
    pub lane: LaneId,
    /// The version.
    pub version: Version,
    /// When.
    pub at: DateTime<Utc>,
    /// Why the split is still even; `None` once burn-in is over.
    pub burn_in: Option<String>,
}

impl Live {
    /// Puts together what was stored. A running experiment must have a version in every lane.
    pub(super) fn new(stored: Stored, head: Head, meters: Meters) -> Result<Self, StoreError> {
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
        let published = lanes
            .iter()
            .map(|lane| Published {
                lane: lane.id,
                version: lane.version,
                at: lane.published_at,
                burn_in: lane.burn_in.clone(),
            })
            .collect();
        let declared = lane_numbers.lanes_of(&spec);
        let lanes = serving_lanes(&declared, &state, &arms, lanes);
        let configs = arms
            .iter()
            .map(|arm| Ok((arm.id, to_raw_value(&arm.config)?)))
            .collect::<Result<_, serde_json::Error>>()
            .map_err(|error| StoreError::unreadable(format!("experiment {id}"), error))?;
        let serving = Serving::new(
            spec.key.clone(),
            state,
            arms,
            spec.targeting.clone(),
            served_traffic(&spec, ramp),
            lanes,
            spec.salt.clone(),
        )
        .map_err(|error| StoreError::unreadable(format!("experiment {id}"), error))?
        .with_on_quarantine(spec.on_quarantine);
        let Head {
            revision, holds, ..
        } = head.clone();
        Ok(Self {
            id,
            revision,
            serving,
            configs,
            spec: Arc::new(spec),
            started_at,
            ramp,
            holds,
            lane_numbers,
            lanes: declared,
            published,
            meters,
            local: false,
            head,
        })
    }

    /// What it was put together from.
    pub(super) fn stored(&self) -> (Stored, Head) {
        let allocated = |lane: &Published| {
            let serving = self.serving.lane(lane.lane)?;
            Some(StoredLane {
                id: lane.lane,
                version: lane.version,
                published_at: lane.at,
                burn_in: lane.burn_in.clone(),
                allocation: serving.allocation.clone(),
            })
        };
        let stored = Stored {
            id: self.id,
            state: self.serving.state.clone(),
            spec: ExperimentSpec::clone(&self.spec),
            started_at: self.started_at,
            ramp: self.ramp,
            arms: self.serving.arms.clone(),
            lane_numbers: self.lane_numbers.clone(),
            lanes: self.published.iter().filter_map(allocated).collect(),
        };
        (stored, self.head.clone())
    }

    /// The same experiment as a transaction finds it.
    pub fn as_of(&self, stored: Stored) -> Result<Self, StoreError> {
        Self::new(stored, self.head.clone(), self.meters.clone())
    }

    /// The same experiment in a state that the database does not know.
    pub(super) fn in_state(&self, state: RunState) -> Result<Self, StoreError> {
        let (mut stored, head) = self.stored();
        stored.state = state;
        let live = Self::new(stored, head, self.meters.clone())?;
        Ok(Self {
            local: true,
            ..live
        })
    }

    /// Whether nothing about it has changed since `head` was read.
    pub(super) fn is_as_of(&self, head: &Head) -> bool {
        self.head == *head
    }

    /// It as its schedule looks at it; `exposed`: units that were ever exposed.
    pub fn standing(&self, exposed: u64) -> Standing<'_> {
        Standing {
            spec: &self.spec,
            state: &self.serving.state,
            started_at: self.started_at,
            ramp: self.ramp,
            exposed,
            held: !self.holds.is_empty(),
        }
    }

    /// What `arm` means to its service, as JSON; `null` for an arm that is not one of its.
    pub fn config(&self, arm: ArmId) -> &RawValue {
        let of_arm = self.configs.iter().find(|(id, _)| *id == arm);
        of_arm.map_or(RawValue::NULL, |(_, config)| config)
    }

    /// Whether new units are assigned.
    pub fn is_running(&self) -> bool {
        matches!(self.serving.state, RunState::Running { .. })
    }

    /// Why the split of `lane` is still even; `None` once burn-in is over, or everything is.
    pub fn burn_in(&self, lane: LaneId) -> Option<&str> {
        if self.serving.state.is_over() {
            return None;
        }
        let published = self.published.iter().find(|it| it.lane == lane)?;
        published.burn_in.as_deref()
    }

    /// The name of a lane, in force or not; its number where a newer daemon gave it one that was not read yet.
    pub fn lane_name(&self, lane: LaneId) -> Cow<'_, str> {
        let name = self.lane_numbers.name(lane);
        name.map_or_else(|| lane.to_string().into(), |name| name.as_str().into())
    }

    /// The lanes that learn, in the order of the lane draw; at least one.
    pub fn learning_lanes(&self) -> impl Iterator<Item = &Lane> {
        self.lanes.iter().filter(|lane| lane.learns)
    }

    /// The learning lane that a screen with room for one shows: the one with the largest share.
    pub fn leading_lane(&self) -> &Lane {
        let leading = self.spec.leading_lane().name;
        self.lanes
            .iter()
            .find(|lane| lane.name == leading)
            .expect("every lane of the spec has a number")
    }
}

/// The declared lanes with their newest versions, in the order of the lane draw. A draft that was never
/// published shows an even split as version 0: nobody is assigned by it.
fn serving_lanes(
    declared: &[Lane],
    state: &RunState,
    arms: &[Arm],
    stored: Vec<StoredLane>,
) -> Vec<ServingLane> {
    let open: Vec<ArmId> = arms
        .iter()
        .filter(|arm| arm.is_open())
        .map(|arm| arm.id)
        .collect();
    let mut stored: HashMap<LaneId, StoredLane> =
        stored.into_iter().map(|lane| (lane.id, lane)).collect();
    let mut serving = Vec::new();
    for declared in declared {
        let (version, allocation) = match stored.remove(&declared.id) {
            Some(lane) => (lane.version, lane.allocation),
            None if state.has_started() => continue,
            None => match Allocation::even(&open) {
                Ok(even) => (Version(0), even),
                Err(_) => continue,
            },
        };
        serving.push(ServingLane {
            id: declared.id,
            name: declared.name.clone(),
            share: declared.share,
            version,
            allocation,
        });
    }
    serving
}

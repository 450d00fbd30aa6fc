//! What one assignment needs, built once per change and then only read.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use crate::allocation::Allocation;
use crate::experiment::{
    ARMS, Arm, ArmId, ExperimentKey, LaneId, LaneName, RunState, Share, Version,
};
use crate::spec::model::OnQuarantine;
use crate::targeting::Targeting;

/// Rounding of the lanes' shares (`1 - holdback` is rounded once) stays far below this.
const SHARE_TOLERANCE: f64 = 1e-9;

/// An experiment as it is served: its state, its arms and every lane's policy version in force.
#[derive(Debug, Clone, PartialEq)]
pub struct Serving {
    /// Its public name.
    pub key: ExperimentKey,
    /// Where it is in its life.
    pub state: RunState,
    /// All arms by ascending number, retired and quarantined ones included.
    pub arms: Vec<Arm>,
    /// What the units of a quarantined arm get; their arm unless [`Serving::with_on_quarantine`] says otherwise.
    pub on_quarantine: OnQuarantine,
    /// Who is eligible.
    pub targeting: Targeting,
    /// The share of eligible units that take part.
    pub traffic: Share,
    /// The lanes in the order of the lane draw; at least one, their shares sum to 1.
    pub lanes: Vec<ServingLane>,
    /// What the draws hash with.
    pub salt: String,
    seeds: Seeds,
}

/// A lane as it is served.
#[derive(Debug, Clone, PartialEq)]
pub struct ServingLane {
    /// Its number.
    pub id: LaneId,
    /// Its name.
    pub name: LaneName,
    /// Its share of the participants.
    pub share: Share,
    /// The policy version in force.
    pub version: Version,
    /// What that version allocates.
    pub allocation: Allocation,
}

/// The seeds of the draws. Separate seeds make them independent: raising `traffic` moves nobody between arms.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Seeds {
    pub(super) traffic: u64,
    pub(super) lane: u64,
    pub(super) arm: u64,
    /// Each arm's, in the order of [`Serving::arms`]: what a unit hashes with to put the arms into its own order.
    order: Vec<u64>,
}

/// Why an experiment cannot be served as stored.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum InvalidServing {
    /// Too few or too many arms.
    #[error("experiment {key} has {count} open arms; it needs at least 1 and at most 64")]
    ArmCount {
        /// Which experiment.
        key: ExperimentKey,
        /// How many open arms.
        count: usize,
    },
    /// The arms are not listed by ascending number.
    #[error("the arms of experiment {0} are not listed once each by ascending number")]
    ArmOrder(ExperimentKey),
    /// There is not exactly one open control.
    #[error("experiment {0} does not have exactly one open control arm")]
    Control(ExperimentKey),
    /// The arm that was chosen for everyone does not exist.
    #[error("experiment {key} was stopped with arm {arm} for everyone, which it does not have")]
    Shipped {
        /// Which experiment.
        key: ExperimentKey,
        /// Which arm.
        arm: ArmId,
    },
    /// The lanes' shares do not make a whole.
    #[error("the lanes of experiment {key} have shares that sum to {sum}, not to 1")]
    LaneShares {
        /// Which experiment.
        key: ExperimentKey,
        /// What they sum to; 0 without lanes.
        sum: f64,
    },
    /// A lane would serve an arm that is not open.
    #[error(
        "lane {lane} of experiment {key} allocates arm {arm}, which is not one of its open arms"
    )]
    ClosedArm {
        /// Which experiment.
        key: ExperimentKey,
        /// Which lane.
        lane: LaneId,
        /// Which arm.
        arm: ArmId,
    },
}

impl Serving {
    /// Puts together what is served and precomputes the seeds: `xxh3_64(salt + "/traffic")` and likewise `/lane`
    /// and `/arm`, and per arm `xxh3_64(name, seed = the arm seed)`.
    pub fn new(
        key: ExperimentKey,
        state: RunState,
        arms: Vec<Arm>,
        targeting: Targeting,
        traffic: Share,
        lanes: Vec<ServingLane>,
        salt: String,
    ) -> Result<Self, InvalidServing> {
        let seeds = Seeds::new(&salt, &arms);
        let serving = Self {
            key,
            state,
            arms,
            on_quarantine: OnQuarantine::default(),
            targeting,
            traffic,
            lanes,
            salt,
            seeds,
        };
        serving.check_arms()?;
        serving.check_lanes(Arm::is_open)?;
        Ok(serving)
    }

    /// The same with another answer to the units of quarantined arms.
    #[must_use]
    pub fn with_on_quarantine(self, on_quarantine: OnQuarantine) -> Self {
        Self {
            on_quarantine,
            ..self
        }
    }

    /// The same experiment with the traffic and the lanes of an earlier moment, to draw a unit again as it was drawn
    /// then. Arms that have been retired or quarantined since may be drawn; the state is as it is now, and [`super::draw`] does not
    /// look at it.
    pub fn replayed(
        &self,
        traffic: Share,
        lanes: Vec<ServingLane>,
    ) -> Result<Self, InvalidServing> {
        let then = Self {
            traffic,
            lanes,
            ..self.clone()
        };
        then.check_lanes(|_| true)?;
        Ok(then)
    }

    /// The arm with this number, open or not.
    pub fn arm(&self, id: ArmId) -> Option<&Arm> {
        self.position(id).map(|at| &self.arms[at])
    }

    /// The one open control.
    pub fn control(&self) -> &Arm {
        self.arms
            .iter()
            .find(|arm| arm.control && arm.is_open())
            .expect("the constructor has seen exactly one open control")
    }

    /// The lane with this number.
    pub fn lane(&self, id: LaneId) -> Option<&ServingLane> {
        self.lanes.iter().find(|lane| lane.id == id)
    }

    pub(super) fn seeds(&self) -> &Seeds {
        &self.seeds
    }

    /// The seed with which a unit hashes this arm into its own order of arms.
    pub(super) fn order_seed(&self, id: ArmId) -> u64 {
        self.position(id).map_or(0, |at| self.seeds.order[at])
    }

    fn position(&self, id: ArmId) -> Option<usize> {
        self.arms.binary_search_by_key(&id, |arm| arm.id).ok()
    }

    fn check_arms(&self) -> Result<(), InvalidServing> {
        let open = self.arms.iter().filter(|arm| arm.is_open());
        let count = open.clone().count();
        if count == 0 || count > *ARMS.end() {
            let key = self.key.clone();
            return Err(InvalidServing::ArmCount { key, count });
        }
        if self.arms.windows(2).any(|pair| pair[0].id >= pair[1].id) {
            return Err(InvalidServing::ArmOrder(self.key.clone()));
        }
        if open.filter(|arm| arm.control).count() != 1 {
            return Err(InvalidServing::Control(self.key.clone()));
        }
        if let RunState::Stopped {
            shipped: Some(arm), ..
        } = self.state
            && self.arm(arm).is_none()
        {
            let key = self.key.clone();
            return Err(InvalidServing::Shipped { key, arm });
        }
        Ok(())
    }

    fn check_lanes(&self, may_be_drawn: impl Fn(&Arm) -> bool) -> Result<(), InvalidServing> {
        let sum: f64 = self.lanes.iter().map(|lane| lane.share.get()).sum();
        if (sum - 1.0).abs() > SHARE_TOLERANCE {
            let key = self.key.clone();
            return Err(InvalidServing::LaneShares { key, sum });
        }
        for lane in &self.lanes {
            let is_known = |id: &ArmId| self.arm(*id).is_some_and(&may_be_drawn);
            if let Some(arm) = lane.allocation.arms().find(|id| !is_known(id)) {
                return Err(InvalidServing::ClosedArm {
                    key: self.key.clone(),
                    lane: lane.id,
                    arm,
                });
            }
        }
        Ok(())
    }
}

impl Seeds {
    fn new(salt: &str, arms: &[Arm]) -> Self {
        let of = |draw: &str| xxh3_64(format!("{salt}/{draw}").as_bytes());
        let arm = of("arm");
        Self {
            traffic: of("traffic"),
            lane: of("lane"),
            arm,
            order: arms
                .iter()
                .map(|it| xxh3_64_with_seed(it.name.as_str().as_bytes(), arm))
                .collect(),
        }
    }
}

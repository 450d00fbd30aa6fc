//! Assignment: unit -> state -> eligible? -> traffic -> lane -> arm, as a pure function of what is served and the unit.
//!
//! The propensity in a [`Decision`] is the probability with which its arm was drawn, given the lane: the one
//! number every estimator later divides by.

mod decide;
mod draw;
mod serving;
mod trace;
mod unit;

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::experiment::{ArmId, LaneId, RunState, Version};
use crate::spec::model::OnQuarantine;

pub use decide::decide;
pub use draw::{Drawn, draw};
pub use serving::{InvalidServing, Serving, ServingLane};
pub use trace::{TraceStep, trace};
pub use unit::{InvalidUnitKey, UnitKey};

/// Why a caller got its arm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Drawn now, by hash.
    #[serde(rename = "split")]
    Assigned,
    /// Drawn earlier and kept.
    Sticky,
    /// The attributes do not match the targeting.
    NotEligible,
    /// Eligible, but outside the share of units that take part.
    OutOfTraffic,
    /// Draft, paused, stopped, rolled back or archived: control.
    NotRunning,
    /// The experiment is over and one arm was chosen for everyone.
    Shipped,
    /// The unit's arm is no longer declared: control.
    ArmRetired,
    /// The unit's arm is quarantined, and the experiment says `on_quarantine = "control"`: control.
    ArmQuarantined,
    /// On the allow list of testers; never counted.
    Override,
    /// From the cache, while the database is away.
    Stale,
    /// Unknown unit while the database is away: control.
    Outage,
    /// Drawn by the last allocation while the database is away; recorded when it is back, unless another record
    /// is there first.
    Frozen,
}

impl Reason {
    /// The word in answers and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Assigned => "split",
            Self::Sticky => "sticky",
            Self::NotEligible => "not_eligible",
            Self::OutOfTraffic => "out_of_traffic",
            Self::NotRunning => "not_running",
            Self::Shipped => "shipped",
            Self::ArmRetired => "arm_retired",
            Self::ArmQuarantined => "arm_quarantined",
            Self::Override => "override",
            Self::Stale => "stale",
            Self::Outage => "outage",
            Self::Frozen => "frozen",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a unit without a stored assignment gets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Decision {
    /// A draw, to be recorded before it is answered.
    Draw {
        /// The lane it fell into.
        lane: LaneId,
        /// The arm it drew.
        arm: ArmId,
        /// The policy version of the lane that it was drawn under.
        version: Version,
        /// The probability of that arm under that version, in `0..=1`; above 0 for an arm that was drawn.
        propensity: f64,
    },
    /// Control, not recorded.
    Control {
        /// Why.
        reason: Reason,
    },
    /// The arm that was chosen for everyone, not recorded.
    Shipped {
        /// Which.
        arm: ArmId,
    },
}

/// A recorded assignment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// The lane it fell into.
    pub lane: LaneId,
    /// The arm it drew.
    pub arm: ArmId,
    /// The policy version that it was drawn under.
    pub version: Version,
}

/// What a unit with a recorded assignment gets now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Honoured {
    /// The arm to serve.
    pub arm: ArmId,
    /// Why: `Sticky` for its own arm.
    pub reason: Reason,
}

/// What a unit with a recorded assignment gets in the present state: its own arm while running or paused, whatever
/// has become of targeting, traffic and lanes since, unless its arm is quarantined and the experiment gives its units
/// control meanwhile; control or the shipped arm after that.
pub fn honour(serving: &Serving, stored: Stored) -> Honoured {
    let control = |reason| Honoured {
        arm: serving.control().id,
        reason,
    };
    match serving.state {
        RunState::Running { .. } | RunState::Paused { .. } => match serving.arm(stored.arm) {
            Some(arm) if !arm.retired => {
                if arm.quarantined && serving.on_quarantine == OnQuarantine::Control {
                    return control(Reason::ArmQuarantined);
                }
                Honoured {
                    arm: arm.id,
                    reason: Reason::Sticky,
                }
            }
            _ => control(Reason::ArmRetired),
        },
        RunState::Stopped {
            shipped: Some(arm), ..
        } => Honoured {
            arm,
            reason: Reason::Shipped,
        },
        RunState::Draft
        | RunState::Stopped { shipped: None, .. }
        | RunState::RolledBack { .. }
        | RunState::Archived { .. } => control(Reason::NotRunning),
    }
}

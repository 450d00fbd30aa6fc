//! The decision for a unit that comes for the first time.

use super::{Decision, Drawn, Reason, Serving, UnitKey, draw};
use crate::experiment::RunState;
use crate::spec::model::Attributes;

/// Decides for a unit that has no recorded assignment. Allocates nothing.
pub fn decide(serving: &Serving, unit: &UnitKey, attributes: &Attributes) -> Decision {
    if let Some(settled) = settled_by_state(serving) {
        return settled;
    }
    if !serving.targeting.matches(attributes) {
        return Decision::Control {
            reason: Reason::NotEligible,
        };
    }
    decide_by(&draw(serving, unit))
}

/// What the state alone decides for every new unit; `None` while running.
pub(super) fn settled_by_state(serving: &Serving) -> Option<Decision> {
    match serving.state {
        RunState::Running { .. } => None,
        RunState::Stopped {
            shipped: Some(arm), ..
        } => Some(Decision::Shipped { arm }),
        RunState::Draft
        | RunState::Paused { .. }
        | RunState::Stopped { shipped: None, .. }
        | RunState::RolledBack { .. }
        | RunState::Archived { .. } => Some(Decision::Control {
            reason: Reason::NotRunning,
        }),
    }
}

/// What the draw decides for an eligible unit of a running experiment.
pub(super) fn decide_by(drawn: &Drawn) -> Decision {
    if !drawn.in_traffic {
        return Decision::Control {
            reason: Reason::OutOfTraffic,
        };
    }
    Decision::Draw {
        lane: drawn.lane,
        arm: drawn.arm,
        version: drawn.version,
        propensity: drawn.propensity,
    }
}

//! From a unit's events to its outcome: the ledger's rows in the words of the core, and back.

use bandit::reward::{self, EventVerdict, UnitEvent};
use bandit::spec::model::RewardSpec;
use chrono::{DateTime, Utc};

use crate::store::events::{LedgerEvent, Standing};

/// What a unit's events make of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribution {
    /// Its outcome so far, in millionths.
    pub reward_micro: i32,
    /// Where each event stands, in the order given.
    pub standings: Vec<Standing>,
}

/// Judges all events of a unit whose window began at `exposed_at`. Their order does not matter.
pub fn attribute(
    spec: &RewardSpec,
    exposed_at: DateTime<Utc>,
    events: &[LedgerEvent],
) -> Attribution {
    let unit_events: Vec<UnitEvent<'_>> = events
        .iter()
        .map(|event| UnitEvent {
            event: &event.event,
            value: event.value,
            at: event.at,
            event_id: event.event_id.as_u128(),
        })
        .collect();
    let judged = reward::outcome(spec, exposed_at, &unit_events);
    Attribution {
        reward_micro: judged.reward_micro,
        standings: judged.verdicts.into_iter().map(standing).collect(),
    }
}

/// An event that is no part of the reward is looked at and kept for guardrails and for reading.
fn standing(verdict: EventVerdict) -> Standing {
    match verdict {
        EventVerdict::Counted | EventVerdict::NotReward => Standing::Counted,
        EventVerdict::Late => Standing::Late,
        EventVerdict::Early => Standing::Early,
        EventVerdict::OverCap => Standing::OverCap,
    }
}

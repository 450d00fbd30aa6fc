//! From a unit's events to its outcome: the ledger's rows in the words of the core, and back.

use bandit::experiment::ExperimentId;
use bandit::reward::{self, EventVerdict, UnitEvent};
use bandit::spec::model::RewardSpec;
use chrono::{DateTime, Utc};

use crate::store::events::{LedgerEvent, Restood, Standing};

/// What a unit's events make of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribution {
    /// Its outcome so far, in millionths.
    pub reward_micro: i32,
    /// Where each event stands, in the order given.
    pub standings: Vec<Standing>,
}

/// The names of the events that an outcome is made of, those that take it back included. Others are no part of it.
pub fn reward_events(spec: &RewardSpec) -> Vec<&str> {
    let mut names = spec.events();
    names.extend(spec.negative.iter().map(String::as_str));
    names
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

/// Those of a unit's events that stand elsewhere now.
pub(super) fn elsewhere(
    experiment: ExperimentId,
    events: &[LedgerEvent],
    standings: &[Standing],
) -> impl Iterator<Item = Restood> {
    let moved = events.iter().zip(standings);
    moved
        .filter(|(event, standing)| event.standing != **standing)
        .map(move |(event, standing)| Restood {
            experiment,
            event: event.clone(),
            standing: *standing,
        })
}

fn standing(verdict: EventVerdict) -> Standing {
    match verdict {
        EventVerdict::Counted => Standing::Counted,
        EventVerdict::NotReward => Standing::NotReward,
        EventVerdict::Late => Standing::Late,
        EventVerdict::Early => Standing::Early,
        EventVerdict::OverCap => Standing::OverCap,
    }
}

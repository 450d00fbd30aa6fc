//! Every unit's outcome is judged again from its events, and its ledger rows are checked against each other.

use bandit::assign::UnitKey;
use bandit::reward::{self, EXPOSURE_SLACK, MOST_AHEAD};
use bandit::spec::model::RewardSpec;
use chrono::{DateTime, Utc};

use super::report::Differences;
use crate::store::events::{LedgerEvent, Standing};
use crate::store::rewards::EntryKind;
use crate::store::units::Assigned;
use crate::store::verification::UnitLedger;
use crate::store::weeks::LOOKED_BACK;
use crate::workers::fold::attribute;

/// The checks of one experiment's units.
pub(super) struct UnitCheck<'a> {
    spec: &'a RewardSpec,
    /// The outcome of a unit without events, in millionths.
    pub(super) default_micro: i32,
    /// Since when there are events; `None`: since ever.
    kept_since: Option<DateTime<Utc>>,
}

impl<'a> UnitCheck<'a> {
    pub(super) fn new(spec: &'a RewardSpec, kept_since: Option<DateTime<Utc>>) -> Self {
        Self {
            spec,
            default_micro: reward::of_silence(spec),
            kept_since,
        }
    }

    pub(super) fn check(&self, unit: UnitKey, ledger: &UnitLedger, differences: &mut Differences) {
        let exposed_at = ledger.assigned.and_then(|assigned| assigned.exposed_at);
        let (Some(assigned), Some(exposed_at)) = (ledger.assigned, exposed_at) else {
            check_unexposed(unit, ledger, differences);
            return;
        };
        self.check_entries(unit, &assigned, ledger, differences);
        if self.has_its_events(exposed_at) {
            self.check_outcome(unit, &assigned, exposed_at, ledger, differences);
        }
    }

    /// Whether all that can count for a unit is in the ledger. Of one that was exposed before there are events, its
    /// entries are what is known.
    fn has_its_events(&self, exposed_at: DateTime<Utc>) -> bool {
        self.kept_since
            .is_none_or(|since| exposed_at - (EXPOSURE_SLACK + MOST_AHEAD) >= since)
    }

    /// The entries are numbered, of the unit's draw, say what they are, and the last one closes a closed window.
    fn check_entries(
        &self,
        unit: UnitKey,
        assigned: &Assigned,
        ledger: &UnitLedger,
        differences: &mut Differences,
    ) {
        let mut before = self.default_micro;
        let last = ledger.entries.len().saturating_sub(1);
        for (at, entry) in ledger.entries.iter().enumerate() {
            let expected = if at == last && !assigned.open {
                EntryKind::Closed
            } else if entry.reward_micro < before {
                EntryKind::Revoked
            } else {
                EntryKind::SoFar
            };
            let fits = usize::try_from(entry.entry) == Ok(at)
                && entry.kind == Some(expected)
                && entry.drawn == assigned.drawn
                && (expected == EntryKind::Closed || entry.reward_micro != before);
            if !fits {
                differences.add(
                    format!("reward entry {at} of unit {unit}"),
                    format!("{entry:?}"),
                    format!("{expected:?} of {:?} after {before}", assigned.drawn),
                );
            }
            before = entry.reward_micro;
        }
        if !assigned.open && ledger.entries.is_empty() {
            differences.add(
                format!("reward of unit {unit}"),
                "no final entry",
                "one: its window is closed",
            );
        }
    }

    /// The newest entry is what the events make of the unit, and every event stands where it should.
    fn check_outcome(
        &self,
        unit: UnitKey,
        assigned: &Assigned,
        exposed_at: DateTime<Utc>,
        ledger: &UnitLedger,
        differences: &mut Differences,
    ) {
        let judged: Vec<LedgerEvent> = ledger
            .events
            .iter()
            .filter(|event| was_judged(event, assigned))
            .cloned()
            .collect();
        let again = attribute(self.spec, exposed_at, &judged);
        let stored = ledger
            .entries
            .last()
            .map_or(self.default_micro, |entry| entry.reward_micro);
        if stored != again.reward_micro {
            differences.add(
                format!("reward of unit {unit}"),
                format!("{stored} millionths"),
                format!("{} millionths", again.reward_micro),
            );
        }
        for (event, standing) in judged.iter().zip(again.standings) {
            // An older release called what is no part of a reward counted.
            let by_its_name_then =
                event.standing == Standing::Counted && standing == Standing::NotReward;
            // Too long before the exposure to be looked at again.
            let left_alone = event.standing == Standing::NoExposure
                && event.received_at < exposed_at - LOOKED_BACK
                && standing == Standing::Early;
            if event.standing != standing && !by_its_name_then && !left_alone {
                differences.add(
                    format!("standing of event {} of unit {unit}", event.event_id),
                    format!("{:?}", event.standing),
                    format!("{standing:?}"),
                );
            }
        }
    }
}

/// Whether the fold has looked at an event for its unit's outcome. Not at one that was folded before the unit
/// was exposed, until something else brings the unit up; nor at one that was folded after its window was closed.
fn was_judged(event: &LedgerEvent, assigned: &Assigned) -> bool {
    match event.standing {
        Standing::NoExposure => !assigned.open,
        Standing::Late => assigned.open,
        Standing::Counted | Standing::OverCap | Standing::Early | Standing::NotReward => true,
    }
}

fn check_unexposed(unit: UnitKey, ledger: &UnitLedger, differences: &mut Differences) {
    if ledger.assigned.is_some_and(|assigned| assigned.open) {
        differences.add(
            format!("assignment of unit {unit}"),
            "an open window",
            "none: it was never exposed",
        );
    }
    for entry in &ledger.entries {
        differences.add(
            format!("reward entry {} of unit {unit}", entry.entry),
            format!("{entry:?}"),
            "none: the unit was never exposed",
        );
    }
    for event in &ledger.events {
        if event.standing != Standing::NoExposure {
            differences.add(
                format!("standing of event {} of unit {unit}", event.event_id),
                format!("{:?}", event.standing),
                format!("{:?}", Standing::NoExposure),
            );
        }
    }
}

//! Landed items become events of the ledger, windows that start, and outcomes so far.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::attribution::{attribute, elsewhere};
use super::gains::Arm;
use super::{FoldError, Folded, Gains, RewardSpecs};
use crate::store::events::{self as ledger, CountKey, LedgerEvent, Restood, Standing};
use crate::store::fold::{Landed, Taken};
use crate::store::rewards::{self, Entry, EntryKind, Newest};
use crate::store::units::{self, Assigned, Unit};
use crate::store::weeks::{LOOKED_BACK, week_of};

/// Entries of a unit before its last one. A unit whose outcome went up and down more often than this is a
/// machine; its final outcome still gets its entry.
const MOST_ENTRIES: i16 = i16::MAX - 1;

/// Moves what was `taken` into the ledgers.
pub(super) async fn fold(
    tx: &mut PgConnection,
    specs: &RewardSpecs,
    taken: Taken,
    now: DateTime<Utc>,
    gains: &mut Gains,
    folded: &mut Folded,
) -> Result<(), FoldError> {
    let Taken {
        settled,
        repeats,
        to_judge,
        mut assigned,
        guarded: _,
    } = taken;
    let (exposures, fresh): (Vec<Landed>, Vec<Landed>) =
        to_judge.into_iter().partition(|item| item.exposure);
    folded.events = fresh.len() as u64;
    for settled in settled {
        folded.events += settled.sums.count as u64;
        gains.settled(settled);
    }
    ledger::add_repeats(tx, &repeats).await?;
    folded.repeats = repeats
        .values()
        .map(|r| (r.duplicates + r.conflicts) as u64)
        .sum();

    assigned.extend(units::assigned(tx, &units_of(&exposures)).await?);
    let started = start_windows(&exposures, &mut assigned);
    units::expose(tx, &started).await?;
    folded.exposed = started.len() as u64;

    let of_fresh = fresh.iter().map(|event| event.unit);
    let of_started = started.iter().map(|(unit, _)| *unit);
    let mut open: Vec<Unit> = of_fresh.chain(of_started).collect();
    open.retain(|unit| specs.get(unit.experiment).is_some());
    open.sort_unstable();
    open.dedup();
    let exposed_at = |unit: &Unit| Some((*unit, assigned.get(unit)?.exposed_at?));
    let since: Vec<(Unit, DateTime<Utc>)> = open
        .iter()
        .filter_map(exposed_at)
        .map(|(unit, at)| (unit, at - LOOKED_BACK))
        .collect();
    let earlier = ledger::events_of(tx, &since).await?;
    let newest = rewards::newest(tx, &open).await?;

    let verdict = judge(specs, &fresh, &assigned, earlier, &newest);
    let moved: Vec<(&Landed, Standing)> = fresh.iter().zip(verdict.standings).collect();
    ledger::append_events(tx, &moved).await?;
    let entries: Vec<Entry> = verdict.changes.iter().map(|change| change.entry).collect();
    rewards::append(tx, &entries, now).await?;
    ledger::restand(tx, &verdict.restood).await?;
    gains.restood(&verdict.restood);

    for (unit, at) in &started {
        if let Some(of) = assigned.get(unit) {
            gains.exposed(arm(*unit, of), *at);
        }
    }
    for Change {
        entry,
        default_micro,
        before,
    } in &verdict.changes
    {
        let arm = Arm {
            experiment: entry.unit.experiment,
            drawn: entry.drawn,
        };
        gains.early(arm, *default_micro, *before, entry.reward_micro);
    }
    for (event, standing) in moved {
        let key = CountKey {
            experiment: event.unit.experiment,
            event: event.event.clone(),
            standing: standing.code(),
            week: week_of(event.received_at),
        };
        gains.counted(key, 1);
        if let Some(of) = assigned.get(&event.unit) {
            gains.event(arm(event.unit, of), &event.event, event.value, event.at);
        }
    }
    Ok(())
}

fn arm(unit: Unit, of: &Assigned) -> Arm {
    Arm {
        experiment: unit.experiment,
        drawn: of.drawn,
    }
}

/// Each unit once.
fn units_of(exposures: &[Landed]) -> Vec<Unit> {
    let mut units: Vec<Unit> = exposures.iter().map(|item| item.unit).collect();
    units.sort_unstable();
    units.dedup();
    units
}

/// Opens the windows of units that were assigned and never exposed, at their earliest exposure. One that was
/// exposed before, or never assigned, stays as it is.
fn start_windows(
    exposures: &[Landed],
    assigned: &mut HashMap<Unit, Assigned>,
) -> Vec<(Unit, DateTime<Utc>)> {
    let mut earliest: BTreeMap<Unit, DateTime<Utc>> = BTreeMap::new();
    for exposure in exposures {
        let at = earliest.entry(exposure.unit).or_insert(exposure.at);
        *at = exposure.at.min(*at);
    }
    earliest.retain(|unit, at| match assigned.get_mut(unit) {
        Some(of) if of.exposed_at.is_none() => {
            of.exposed_at = Some(*at);
            of.open = true;
            true
        }
        _ => false,
    });
    earliest.into_iter().collect()
}

/// What a batch means for its units.
struct Verdict {
    /// Of the fresh events, in their order.
    standings: Vec<Standing>,
    /// Outcomes that changed.
    changes: Vec<Change>,
    /// Older events that stand elsewhere now.
    restood: Vec<Restood>,
}

/// An outcome that changed.
struct Change {
    /// What the ledger says from here on.
    entry: Entry,
    /// What it is for a unit without events, in millionths.
    default_micro: i32,
    /// What it was, in millionths.
    before: i32,
}

fn judge(
    specs: &RewardSpecs,
    fresh: &[Landed],
    assigned: &HashMap<Unit, Assigned>,
    mut ledger: HashMap<Unit, Vec<LedgerEvent>>,
    newest: &HashMap<Unit, Newest>,
) -> Verdict {
    // Where the reward is not known: as if the unit had not met its arm, until its window closes.
    let mut standings = vec![Standing::NoExposure; fresh.len()];
    let mut positions: BTreeMap<Unit, Vec<usize>> = BTreeMap::new();
    for (at, event) in fresh.iter().enumerate() {
        positions.entry(event.unit).or_default().push(at);
    }
    for unit in ledger.keys() {
        // Exposed just now: its earlier events count from here on, even if it sent no new one.
        positions.entry(*unit).or_default();
    }
    let mut changes = Vec::new();
    let mut restood = Vec::new();
    for (unit, fresh_at) in positions {
        let (Some(of), Some(settled)) = (assigned.get(&unit), specs.get(unit.experiment)) else {
            continue;
        };
        let (true, Some(exposed_at)) = (of.open, of.exposed_at) else {
            continue;
        };
        let mut events = ledger.remove(&unit).unwrap_or_default();
        let older = events.len();
        events.extend(fresh_at.iter().map(|at| in_ledger(&fresh[*at])));
        let attribution = attribute(&settled.spec, exposed_at, &events);
        let of_older = &attribution.standings[..older];
        restood.extend(elsewhere(unit.experiment, &events[..older], of_older));
        for (at, standing) in fresh_at.iter().zip(&attribution.standings[older..]) {
            standings[*at] = *standing;
        }
        changes.extend(changed_outcome(
            unit,
            of,
            newest.get(&unit).copied(),
            settled.default_micro,
            attribution.reward_micro,
        ));
    }
    Verdict {
        standings,
        changes,
        restood,
    }
}

fn in_ledger(landed: &Landed) -> LedgerEvent {
    LedgerEvent {
        event_id: landed.event_id,
        event: landed.event.clone(),
        value: landed.value,
        at: landed.at,
        received_at: landed.received_at,
        standing: Standing::NoExposure,
    }
}

/// What a changed outcome needs written down.
fn changed_outcome(
    unit: Unit,
    of: &Assigned,
    newest: Option<Newest>,
    default_micro: i32,
    reward_micro: i32,
) -> Option<Change> {
    let before = newest.map_or(default_micro, |entry| entry.reward_micro);
    let entry = newest.map_or(0, |entry| entry.entry + 1);
    if before == reward_micro || entry >= MOST_ENTRIES {
        return None;
    }
    let kind = if reward_micro < before {
        EntryKind::Revoked
    } else {
        EntryKind::SoFar
    };
    Some(Change {
        entry: Entry {
            unit,
            entry,
            kind,
            drawn: of.drawn,
            reward_micro,
        },
        default_micro,
        before,
    })
}

//! Windows that are over give each unit its final outcome: the default where nothing came.

use std::collections::HashMap;

use bandit::experiment::ExperimentId;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::attribution::{attribute, elsewhere};
use super::gains::Arm;
use super::openings::Openings;
use super::specs::Settled;
use super::{FoldError, Gains, RewardSpecs};
use crate::store::events::{self, Restood};
use crate::store::rewards::{self, Entry, EntryKind};
use crate::store::units::Unit;
use crate::store::weeks::LOOKED_BACK;
use crate::store::windows::{self, DueUnit, DueWindow};

/// What may be closed, and how much of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Due {
    /// Windows that were over then.
    pub(super) horizon: DateTime<Utc>,
    /// When they are closed.
    pub(super) now: DateTime<Utc>,
    /// How many at most.
    pub(super) batch: i64,
}

/// Closes windows; returns how many.
pub(super) async fn close(
    tx: &mut PgConnection,
    specs: &RewardSpecs,
    openings: &mut Openings,
    due: Due,
    gains: &mut Gains,
) -> Result<u64, FoldError> {
    openings.refresh(tx, gains, due.now).await?;
    specs.read(tx, openings.iter().map(|(id, _)| id)).await?;
    let over: Vec<DueWindow> = openings
        .iter()
        .filter_map(|(id, oldest)| {
            let window = over_at(id, &*specs.get(id)?, due.horizon)?;
            (oldest <= window.exposed_until).then_some(window)
        })
        .collect();
    if over.is_empty() {
        return Ok(0);
    }
    let found = windows::close_due(tx, &over, due.batch, due.now).await?;
    for bulk in &found.in_bulk {
        let arm = Arm {
            experiment: bulk.experiment,
            drawn: bulk.drawn,
        };
        gains.resolved(arm, bulk.reward_micro, bulk.units, due.now);
    }
    close_with_events(tx, specs, &found.with_events, due.now, gains).await?;
    let looked_at: Vec<ExperimentId> = over.iter().map(|window| window.experiment).collect();
    openings.reread(tx, &looked_at).await?;
    Ok(found.units())
}

/// `None` where no window can be over: it reaches back before 1970.
fn over_at(id: ExperimentId, settled: &Settled, horizon: DateTime<Utc>) -> Option<DueWindow> {
    let exposed_until = horizon
        .checked_sub_signed(settled.spec.closes_after().to_chrono())
        .filter(|at| *at > DateTime::UNIX_EPOCH)?;
    Some(DueWindow {
        experiment: id,
        exposed_until,
        default_micro: settled.default_micro,
    })
}

async fn close_with_events(
    tx: &mut PgConnection,
    specs: &RewardSpecs,
    due: &[DueUnit],
    now: DateTime<Utc>,
    gains: &mut Gains,
) -> Result<(), FoldError> {
    let mut units: Vec<Unit> = due.iter().map(|due| due.unit).collect();
    units.sort_unstable();
    let since: Vec<(Unit, DateTime<Utc>)> = due
        .iter()
        .map(|due| (due.unit, due.exposed_at - LOOKED_BACK))
        .collect();
    let ledger = events::events_of(tx, &since).await?;
    let newest = rewards::newest(tx, &units).await?;
    let by_unit: HashMap<Unit, &DueUnit> = due.iter().map(|due| (due.unit, due)).collect();
    let mut entries = Vec::with_capacity(units.len());
    let mut restood: Vec<Restood> = Vec::new();
    for unit in &units {
        let (Some(due), Some(settled)) = (by_unit.get(unit), specs.get(unit.experiment)) else {
            continue;
        };
        let events = ledger.get(unit).map_or(&[][..], Vec::as_slice);
        let attribution = attribute(&settled.spec, due.exposed_at, events);
        restood.extend(elsewhere(unit.experiment, events, &attribution.standings));
        entries.push(Entry {
            unit: *unit,
            entry: newest.get(unit).map_or(0, |newest| newest.entry + 1),
            kind: EntryKind::Closed,
            drawn: due.drawn,
            reward_micro: attribution.reward_micro,
        });
        let arm = Arm {
            experiment: unit.experiment,
            drawn: due.drawn,
        };
        let default = settled.default_micro;
        let so_far = newest
            .get(unit)
            .map_or(default, |newest| newest.reward_micro);
        gains.early(arm, default, so_far, default);
        gains.resolved(arm, attribution.reward_micro, 1, now);
    }
    rewards::append(tx, &entries, now).await?;
    events::restand(tx, &restood).await?;
    gains.restood(&restood);
    windows::close(tx, &units).await?;
    Ok(())
}

//! Windows that are over give each unit its final outcome: the default where nothing came.

use std::collections::HashMap;

use bandit::experiment::ExperimentId;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::attribution::attribute;
use super::gains::Arm;
use super::specs::Settled;
use super::{FoldError, Gains, RewardSpecs};
use crate::store::events::{self, Standing};
use crate::store::rewards::{self, Entry, EntryKind};
use crate::store::units::Unit;
use crate::store::windows::{self, DueUnit, DueWindow};

/// Closes up to `batch` windows that were over at `horizon`, as of `now`; returns how many.
pub(super) async fn close(
    tx: &mut PgConnection,
    specs: &RewardSpecs,
    horizon: DateTime<Utc>,
    now: DateTime<Utc>,
    batch: i64,
    gains: &mut Gains,
) -> Result<u64, FoldError> {
    let over: Vec<DueWindow> = specs
        .iter()
        .filter_map(|(id, settled)| over_at(id, settled, horizon))
        .collect();
    let due = windows::close_due(tx, &over, batch, now).await?;
    for bulk in &due.in_bulk {
        let arm = Arm {
            experiment: bulk.experiment,
            drawn: bulk.drawn,
        };
        gains.resolved(arm, bulk.reward_micro, bulk.units, now);
    }
    close_with_events(tx, specs, &due.with_events, now, gains).await?;
    Ok(due.units())
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
    let ledger = events::events_of(tx, &units).await?;
    let newest = rewards::newest(tx, &units).await?;
    let by_unit: HashMap<Unit, &DueUnit> = due.iter().map(|due| (due.unit, due)).collect();
    let mut entries = Vec::with_capacity(units.len());
    let mut restood: Vec<(ExperimentId, Uuid, Standing)> = Vec::new();
    for unit in &units {
        let (Some(due), Some(settled)) = (by_unit.get(unit), specs.get(unit.experiment)) else {
            continue;
        };
        let events = ledger.get(unit).map_or(&[][..], Vec::as_slice);
        let attribution = attribute(&settled.spec, due.exposed_at, events);
        for (event, standing) in events.iter().zip(&attribution.standings) {
            if event.standing != *standing {
                restood.push((unit.experiment, event.event_id, *standing));
            }
        }
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
    windows::close(tx, &units).await?;
    Ok(())
}

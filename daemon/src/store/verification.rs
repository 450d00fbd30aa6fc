//! The ledgers, page by page in unit order, as `pitbossd verify` reads them inside one snapshot.

use std::collections::BTreeMap;

use bandit::assign::UnitKey;
use bandit::experiment::{Arm, ExperimentId};
use bandit::lanes::LaneNumbers;
use bandit::posterior::ArmStats;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::events::{LedgerEvent, Standing};
use super::rewards::EntryKind;
use super::state::{self, StateKey};
use super::units::{Assigned, Drawn, drawn};
use super::{StoreError, experiments, sql};

/// An experiment that may have ledgers.
#[derive(Debug)]
pub struct Subject {
    /// Its number.
    pub id: ExperimentId,
    /// Its key.
    pub key: String,
    /// Its arms, ascending number, retired ones included.
    pub arms: Vec<Arm>,
    /// The numbers of its lanes, also of those that are not in force.
    pub lanes: LaneNumbers,
    /// What counts as its reward.
    pub spec: bandit::spec::model::ExperimentSpec,
}

/// Every started experiment, by number, or why one cannot be read.
pub async fn subjects(
    view: &mut PgConnection,
) -> Result<Vec<(ExperimentId, Result<Subject, StoreError>)>, StoreError> {
    let ids: Vec<i32> =
        sql::query_scalar("select id from experiments where started_at is not null order by id")
            .fetch_all(&mut *view)
            .await?;
    let ids: Vec<ExperimentId> = ids.into_iter().map(ExperimentId).collect();
    let mut subjects = Vec::with_capacity(ids.len());
    for id in ids {
        for stored in experiments::load(view, &[id]).await? {
            let subject = stored.map(|stored| Subject {
                id,
                key: stored.spec.key.to_string(),
                arms: stored.arms,
                lanes: stored.lane_numbers,
                spec: stored.spec,
            });
            subjects.push((id, subject));
        }
    }
    Ok(subjects)
}

/// An entry of the rewards ledger as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredEntry {
    /// Its place.
    pub entry: i16,
    /// What it says; `None` if this build does not know it.
    pub kind: Option<EntryKind>,
    /// Where it says that the unit was drawn.
    pub drawn: Drawn,
    /// The outcome, in millionths.
    pub reward_micro: i32,
}

/// All that the ledgers have about one unit.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UnitLedger {
    /// Its assignment; `None` for a unit that only sent events.
    pub assigned: Option<Assigned>,
    /// Its events, but for those that are no part of the reward: [`super::sweep`] has them.
    pub events: Vec<LedgerEvent>,
    /// Its entries, in their order.
    pub entries: Vec<StoredEntry>,
}

/// The units of one page, in key order; all rows of a unit are in one page.
pub type Page = BTreeMap<UnitKey, UnitLedger>;

type AssignmentRow = ([u8; 16], i16, i16, i32, bool, Option<DateTime<Utc>>);
type EntryRow = ([u8; 16], i16, i16, i16, i16, i32, i32);
type EventRow = (
    [u8; 16],
    Uuid,
    String,
    Option<f64>,
    DateTime<Utc>,
    DateTime<Utc>,
    i16,
);

/// How much is read at once.
#[derive(Debug, Clone, Copy)]
pub struct PageSize {
    /// Assignments a page.
    pub units: i64,
    /// Events a page that are part of a reward; those of one unit are never apart.
    pub events: i64,
}

/// Beyond every unit key.
const NO_END: [u8; 17] = [0xff; 17];

/// The units after `after` as far as the page goes; empty after the end. A page ends with the unit that fills it
/// with assignments or with events, so that events of units that were never assigned fill pages too.
///
/// The second part is where to go on, `None` at the end.
pub async fn page(
    view: &mut PgConnection,
    experiment: ExperimentId,
    after: Option<UnitKey>,
    size: PageSize,
) -> Result<(Page, Option<UnitKey>), StoreError> {
    let after: Vec<u8> = after.map_or_else(Vec::new, |key| key.0.to_vec());
    let rows: Vec<AssignmentRow> = sql::query_as(
        "select unit_key, lane, arm, version, open, exposed_at from experiment_assignments
         where experiment_id = $1 and unit_key > $2 order by unit_key limit $3",
    )
    .bind(experiment.0)
    .bind(&after)
    .bind(size.units)
    .fetch_all(&mut *view)
    .await?;
    let full = rows
        .last()
        .filter(|_| rows.len() as i64 == size.units)
        .map(|row| row.0);
    let crowded = crowded_at(view, experiment, &after, size.events).await?;
    let until = full.into_iter().chain(crowded).min();
    let mut units = Page::new();
    for (key, lane, arm, version, open, exposed_at) in rows {
        if until.is_some_and(|until| key > until) {
            break;
        }
        units.entry(UnitKey(key)).or_default().assigned = Some(Assigned {
            drawn: drawn(lane, arm, version),
            open,
            exposed_at,
        });
    }
    let end = until.map_or(NO_END.to_vec(), |key| key.to_vec());
    add_events(view, experiment, (&after, &end), &mut units).await?;
    add_entries(view, experiment, (&after, &end), &mut units).await?;
    Ok((units, until.map(UnitKey)))
}

/// The unit with the page's last event, if there are more than that.
async fn crowded_at(
    view: &mut PgConnection,
    experiment: ExperimentId,
    after: &[u8],
    events: i64,
) -> Result<Option<[u8; 16]>, StoreError> {
    Ok(sql::query_scalar(
        "select unit_key from experiment_events
         where experiment_id = $1 and unit_key > $2 and outcome <> 5
         order by unit_key offset $3 limit 1",
    )
    .bind(experiment.0)
    .bind(after)
    .bind(events)
    .fetch_optional(view)
    .await?)
}

async fn add_events(
    view: &mut PgConnection,
    experiment: ExperimentId,
    (after, until): (&[u8], &[u8]),
    units: &mut Page,
) -> Result<(), StoreError> {
    let rows: Vec<EventRow> = sql::query_as(
        "select unit_key, event_id, event, value, at, received_at, outcome from experiment_events
         where experiment_id = $1 and unit_key > $2 and unit_key <= $3
           and outcome <> 5",
    )
    .bind(experiment.0)
    .bind(after)
    .bind(until)
    .fetch_all(view)
    .await?;
    for (key, event_id, event, value, at, received_at, outcome) in rows {
        let standing = Standing::from_code(outcome).ok_or_else(|| {
            StoreError::unreadable(
                format!("outcome {outcome} of event {event_id}"),
                "not a standing that this build knows",
            )
        })?;
        units
            .entry(UnitKey(key))
            .or_default()
            .events
            .push(LedgerEvent {
                event_id,
                event,
                value,
                at,
                received_at,
                standing,
            });
    }
    Ok(())
}

async fn add_entries(
    view: &mut PgConnection,
    experiment: ExperimentId,
    (after, until): (&[u8], &[u8]),
    units: &mut Page,
) -> Result<(), StoreError> {
    let rows: Vec<EntryRow> = sql::query_as(
        "select unit_key, entry, kind, lane, arm, version, reward_micro from experiment_rewards
         where experiment_id = $1 and unit_key > $2 and unit_key <= $3
         order by unit_key, entry",
    )
    .bind(experiment.0)
    .bind(after)
    .bind(until)
    .fetch_all(view)
    .await?;
    for (key, entry, kind, lane, arm, version, reward_micro) in rows {
        units
            .entry(UnitKey(key))
            .or_default()
            .entries
            .push(StoredEntry {
                entry,
                kind: EntryKind::from_code(kind),
                drawn: drawn(lane, arm, version),
                reward_micro,
            });
    }
    Ok(())
}

#[derive(sqlx::FromRow)]
struct StateRow {
    lane: i16,
    arm: i16,
    version: i32,
    #[sqlx(flatten)]
    counts: state::Counts,
}

/// The state of one experiment with the assignments that are not counted into it yet, and how many those are.
pub async fn state(
    view: &mut PgConnection,
    experiment: ExperimentId,
) -> Result<(BTreeMap<StateKey, ArmStats>, u64), StoreError> {
    let rows: Vec<StateRow> = sql::query_as(
        "select lane, arm, version, assigned, exposed, resolved, reward_sum_micro, reward_sq_sum_micro,
             early, early_sum_micro, early_sq_sum_micro
         from experiment_bandit_state where experiment_id = $1",
    )
    .bind(experiment.0)
    .fetch_all(&mut *view)
    .await?;
    let mut state: BTreeMap<StateKey, ArmStats> = BTreeMap::new();
    for row in rows {
        let key = state_key(experiment, drawn(row.lane, row.arm, row.version));
        *state.entry(key).or_default() += row.counts.into();
    }
    let rows: Vec<(i16, i16, i32, i64, i64)> = sql::query_as(
        "select lane, arm, version, sum(assigned)::int8, sum(exposed)::int8
         from experiment_assigned_counts where experiment_id = $1 group by 1, 2, 3",
    )
    .bind(experiment.0)
    .fetch_all(view)
    .await?;
    let mut uncounted = 0;
    for (lane, arm, version, assigned, exposed) in rows {
        uncounted += assigned as u64;
        let stats = state
            .entry(state_key(experiment, drawn(lane, arm, version)))
            .or_default();
        stats.assigned += assigned as u64;
        stats.exposed += exposed as u64;
    }
    Ok((state, uncounted))
}

/// The state's row of what a unit drew.
pub fn state_key(experiment: ExperimentId, drawn: Drawn) -> StateKey {
    StateKey {
        experiment,
        lane: drawn.lane,
        arm: drawn.arm,
        version: drawn.version,
    }
}

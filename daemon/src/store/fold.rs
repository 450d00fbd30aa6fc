//! The queues that the reward fold empties, thousands of rows at a time.

use std::collections::{BTreeMap, HashMap};

use bandit::experiment::{ArmId, ExperimentId, LaneId};
use bandit::posterior::ArmStats;
use bandit::reward::MOST_AHEAD;
use bandit::spec::model::ExperimentSpec;
use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::events::{Repeats, Standing};
use super::guards::{FOLLOWED, GuardKey, Measured, Wanted};
use super::state::{MINUTE_ASSIGNED, MINUTE_EXPOSED, MinuteKey, MinuteSums, StateKey};
use super::units::{Assigned, Drawn, Unit, drawn, unit};
use super::{StoreError, sql, weeks};

/// An item that left the landing table and has to be judged: an exposure, or a new event of a unit whose window is open.
#[derive(Debug, Clone, PartialEq)]
pub struct Landed {
    /// Whose.
    pub unit: Unit,
    /// Unique in its experiment.
    pub event_id: Uuid,
    /// An exposure; otherwise an event.
    pub exposure: bool,
    /// The event's name.
    pub event: String,
    /// Its value.
    pub value: Option<f64>,
    /// Of its body.
    pub digest: i64,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// When it was received, as far as the ledger believes it.
    pub received_at: DateTime<Utc>,
}

/// Waits for the turn and keeps it until the transaction ends: folds go one after the other, so that none has to lock
/// the units that it reads, which would write each of their rows. A fold whose daemon hangs for 5 s between two
/// statements is ended by the database and gives the turn back.
pub async fn take_turn(tx: &mut PgConnection) -> Result<(), StoreError> {
    // Both in one round trip: without arguments a query may be several statements.
    sqlx::raw_sql(TAKE_TURN).execute(tx).await?;
    Ok(())
}

/// 5 s: between two statements of a round lie milliseconds of work; a daemon that was stopped for longer must not hold up
/// the one that leads after it. No sequential scans: what a queue held when it was vacuumed last says nothing of what it
/// holds now, and a round that reads all of it to take its head falls behind for good.
const TAKE_TURN: &str = "set local idle_in_transaction_session_timeout = '5s'; \
                         set local enable_seqscan = off; \
                         select from experiment_fold_turn for update";

/// The database's clock, as of the transaction's beginning.
pub async fn now(tx: &mut PgConnection) -> Result<DateTime<Utc>, StoreError> {
    Ok(sql::query_scalar("select now()").fetch_one(tx).await?)
}

/// The database's clock at this moment.
pub async fn clock(tx: &mut PgConnection) -> Result<DateTime<Utc>, StoreError> {
    Ok(sql::query_scalar("select clock_timestamp()")
        .fetch_one(tx)
        .await?)
}

/// The specs of those of `wanted` that were started, or why one cannot be read. What a reward is does not change
/// after start.
pub async fn started_specs(
    tx: &mut PgConnection,
    wanted: &[ExperimentId],
) -> Result<Vec<(ExperimentId, Result<ExperimentSpec, serde_json::Error>)>, StoreError> {
    let rows: Vec<(i32, serde_json::Value)> = sql::query_as(
        "select e.id, r.spec from experiments e
         cross join lateral (
             select spec from experiment_revisions r
             where r.experiment_id = e.id order by r.revision desc limit 1
         ) r
         where e.started_at is not null and e.id = any ($1)",
    )
    .bind(wanted.iter().map(|id| id.0).collect::<Vec<i32>>())
    .fetch_all(tx)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(id, spec)| (ExperimentId(id), serde_json::from_value(spec)))
        .collect())
}

/// The gains of counted assignments, and how many count rows they came from.
#[derive(Debug, Default)]
pub struct Counted {
    /// Rows taken.
    pub rows: i64,
    /// The last of them.
    pub until: Option<i64>,
    /// For the state.
    pub state: BTreeMap<StateKey, ArmStats>,
    /// For the rollups.
    pub minutes: BTreeMap<MinuteKey, MinuteSums>,
}

type CountRow = (i32, i16, i16, i32, DateTime<Utc>, i64, i64, i64, i64);

/// Takes up to `limit` rows of assignment counts, the first ones at or after `from`.
pub async fn take_counts(
    tx: &mut PgConnection,
    from: i64,
    limit: i64,
) -> Result<Counted, StoreError> {
    let rows: Vec<CountRow> = sql::query_as(
        "with gone as (
             delete from experiment_assigned_counts where id = any (array(
                 select id from experiment_assigned_counts where id >= $1 order by id limit $2))
             returning id, experiment_id, lane, arm, version, assigned, exposed, at
         )
         select experiment_id, lane, arm, version, date_trunc('minute', at, 'UTC'),
             sum(assigned)::int8, sum(exposed)::int8, count(*), max(id)
         from gone group by 1, 2, 3, 4, 5",
    )
    .bind(from)
    .bind(limit)
    .fetch_all(tx)
    .await?;
    let mut counted = Counted::default();
    for (experiment, lane, arm, version, minute, assigned, exposed, rows, until) in rows {
        let Drawn { lane, arm, version } = drawn(lane, arm, version);
        let experiment = ExperimentId(experiment);
        counted.rows += rows;
        counted.until = counted.until.max(Some(until));
        let gain = counted
            .state
            .entry(StateKey {
                experiment,
                lane,
                arm,
                version,
            })
            .or_default();
        gain.assigned += assigned as u64;
        gain.exposed += exposed as u64;
        for (event, count) in [(MINUTE_ASSIGNED, assigned), (MINUTE_EXPOSED, exposed)] {
            if count > 0 {
                let key = MinuteKey {
                    experiment,
                    minute,
                    lane,
                    arm,
                    event: event.to_owned(),
                };
                counted.minutes.entry(key).or_default().count += count;
            }
        }
    }
    Ok(counted)
}

/// The beginning of the landing table.
#[derive(Debug, Clone, PartialEq)]
pub struct Head {
    /// The first row of it.
    pub first: i64,
    /// The last row of it.
    pub until: i64,
    /// How many rows it has.
    pub rows: i64,
    /// When the first of them was received.
    pub received_since: DateTime<Utc>,
    /// Whose they are.
    pub experiments: Vec<ExperimentId>,
}

/// The first `limit` acknowledged items at or after `from`, in the order of landing; `None` if there are none.
pub async fn head(
    tx: &mut PgConnection,
    from: i64,
    limit: i64,
) -> Result<Option<Head>, StoreError> {
    let row: HeadRow = sql::query_as(HEAD)
        .bind(from)
        .bind(limit)
        .fetch_one(tx)
        .await?;
    let (Some((first, until)), rows, Some(received_since), Some(experiments)) =
        (row.0.zip(row.1), row.2, row.3, row.4)
    else {
        return Ok(None);
    };
    Ok(Some(Head {
        first,
        until,
        rows,
        received_since,
        experiments: experiments.into_iter().map(ExperimentId).collect(),
    }))
}

type HeadRow = (
    Option<i64>,
    Option<i64>,
    i64,
    Option<DateTime<Utc>>,
    Option<Vec<i32>>,
);

const HEAD: &str =
    "select min(id), max(id), count(*), min(received_at), array_agg(distinct experiment_id)
     from (
         select id, received_at, experiment_id from experiment_landing
         where id >= $1 order by id limit $2
     ) l";

/// What the head of the landing table held.
#[derive(Debug, Default)]
pub struct Taken {
    /// New events that nobody has to judge: they are in the ledger.
    pub settled: Vec<Settled>,
    /// What came again under a known id.
    pub repeats: BTreeMap<ExperimentId, Repeats>,
    /// What is to be judged and put into the ledger.
    pub to_judge: Vec<Landed>,
    /// What the units of the events among these drew.
    pub assigned: HashMap<Unit, Assigned>,
    /// What became known of guarded events.
    pub guarded: BTreeMap<GuardKey, Measured>,
}

/// New events of one minute that nobody had to judge.
#[derive(Debug, Clone, PartialEq)]
pub struct Settled {
    /// The experiment.
    pub experiment: ExperimentId,
    /// What their units drew; `None`: those have no assignment.
    pub drawn: Option<(LaneId, ArmId)>,
    /// Their name.
    pub event: String,
    /// Where they stand.
    pub standing: Standing,
    /// When they happened.
    pub minute: DateTime<Utc>,
    /// The week of the ledger that they are in.
    pub week: DateTime<Utc>,
    /// How many, the sum of their values and of their squares.
    pub sums: MinuteSums,
}

/// Which events are a reward's, for experiments whose reward is known.
#[derive(Debug, Default)]
pub struct RewardEvents {
    /// Those experiments.
    pub known: Vec<ExperimentId>,
    /// Each name of an event that is a reward's.
    pub names: Vec<(ExperimentId, String)>,
}

#[derive(sqlx::FromRow)]
struct TakenRow {
    kind: i16,
    experiment_id: i32,
    lane: Option<i16>,
    arm: Option<i16>,
    version: Option<i32>,
    exposed_at: Option<DateTime<Utc>>,
    event: Option<String>,
    outcome: Option<i16>,
    at: Option<DateTime<Utc>>,
    count: i64,
    sum: f64,
    sum_sq: f64,
    conflicts: i64,
    event_id: Option<Uuid>,
    unit_key: Option<[u8; 16]>,
    value: Option<f64>,
    digest: Option<i64>,
    received_at: Option<DateTime<Utc>>,
    values_seen: Option<Vec<f64>>,
    units_seen: Option<Vec<i64>>,
}

const SUMS: i16 = 0;
const REPEATS: i16 = 1;
const EXPOSURE: i16 = 2;
const GUARDED: i16 = 4;

/// See [`take_landed`].
const TAKE_LANDED: &str = "with gone as materialized (
         delete from experiment_landing where id between $9 and $1 returning *
     ), table_of_oldest as materialized (
         select starts from experiment_event_weeks where starts <= $5 and $5 < ends
     ), seen as materialized (
         select g.*, e.digest as known, a.lane, a.arm, a.version, a.exposed_at,
             row_number() over same as nth, first_value(g.digest) over same as first_digest,
             case when a.exposed_at is null then 2
                  when g.experiment_id = any ($2) and not (g.experiment_id, g.event) in (
                      select * from unnest($3::int4[], $4::text[])) then 5
                  when not a.open then 1 end::int2 as outcome
         from (
             select id, experiment_id, event_id, unit_key, event, value, digest, least(at, $8) as at,
                 least(greatest(received_at, $5), $6) as received_at,
                 least((select starts from table_of_oldest),
                     case when get_byte(uuid_send(event_id), 6) >> 4 = 7 and received_at <= $6
                          then received_at - interval '168 hours' else $7 end) as known_since
             from gone where kind = 0 order by experiment_id, unit_key
         ) g
         left join lateral (
             select lane, arm, version, open, exposed_at from experiment_assignments a
             where a.experiment_id = g.experiment_id and a.unit_key = g.unit_key limit 1
         ) a on true
         left join lateral (
             select digest from experiment_events e
             where e.experiment_id = g.experiment_id and e.event_id = g.event_id
               and e.received_at >= g.known_since limit 1
         ) e on true
         window same as (partition by g.experiment_id, g.event_id order by g.id)
     ), moved as (
         insert into experiment_events (experiment_id, event_id, unit_key, event, value,
             digest, at, received_at, outcome)
         select experiment_id, event_id, unit_key, event, value, digest, at, received_at, outcome
         from seen where known is null and nth = 1 and outcome is not null
     )
     select 0::int2 as kind, experiment_id, lane, arm, null::int4 as version,
         null::timestamptz as exposed_at, event, outcome, date_trunc('minute', at, 'UTC') as at,
         count(*) as count, coalesce(sum(value), 0) as sum, coalesce(sum(value * value), 0) as sum_sq,
         0::int8 as conflicts, null::uuid as event_id, null::bytea as unit_key,
         null::float8 as value, null::int8 as digest, date_trunc('week', received_at, 'UTC') as received_at,
         null::float8[] as values_seen, null::int8[] as units_seen
     from seen where known is null and nth = 1 and outcome is not null
     group by 2, 3, 4, 7, 8, 9, 18
     union all
     select 1::int2, experiment_id, null, null, null, null, null, null, null, count(*), 0, 0,
         count(*) filter (where digest <> coalesce(known, first_digest)),
         null, null, null, null, null, null, null
     from seen where known is not null or nth > 1 group by 2
     union all
     select 2::int2, experiment_id, null, null, null, null, event, null, at, 1, 0, 0, 0,
         event_id, unit_key, value, digest, received_at, null, null
     from gone where kind = 1
     union all
     select 3::int2, experiment_id, lane, arm, version, exposed_at, event, null, at, 1, 0, 0, 0,
         event_id, unit_key, value, digest, received_at, null, null
     from seen where known is null and nth = 1 and outcome is null
     union all
     select 4::int2, s.experiment_id, null, s.arm, null, null, s.event, null, null, count(*),
         coalesce(sum(s.value), 0), coalesce(sum(s.value * s.value), 0), 0, null, null, null, null, null,
         array_agg(s.value) filter (where w.wants_values and s.value is not null),
         array_agg(distinct ('x' || encode(substr(s.unit_key, 1, 8), 'hex'))::bit(64)::int8) filter (
             where w.wants_units and (s.at <= s.exposed_at + $12 or x.unit_key is not null))
     from seen s
     join unnest($10::int4[], $11::text[], $13::bool[], $14::bool[]) as w (experiment_id, event, wants_units, wants_values)
         using (experiment_id, event)
     left join (select distinct experiment_id, unit_key from gone where kind = 1) x
         on s.exposed_at is null and x.experiment_id = s.experiment_id and x.unit_key = s.unit_key
     where s.known is null and s.nth = 1 and s.arm is not null
     group by s.experiment_id, s.arm, s.event";

/// Takes the rows of the landing table's `head`, and moves into the ledger those events that need no judgement: whose
/// unit has no open window, or that are no part of a reward. They never leave the database. Judging every event outside
/// of it cost twice as much.
///
/// Look-ups are lateral with a limit, so that the planner has no choice but the index: it knows nothing about the number
/// of rows that a `delete` returns, and one plan that reads the ledger from end to end stops the fold.
///
/// An id of a caller's is looked for in the weeks that it is kept for. One of ours (`UUIDv7`) has the same time of receipt
/// whenever it comes again, so it can be nowhere but in the week of that time, or where a wrong clock has put it. Either
/// way the whole table that the row goes to is looked at, so its key is never found to be taken: also the first table,
/// which has all weeks up to the one in which the ledger got weeks.
///
/// Of guarded events it also says how their values are spread and which units sent them soon after they met their arm,
/// an exposure that lands together with the event included.
pub async fn take_landed(
    tx: &mut PgConnection,
    head: &Head,
    rewards: &RewardEvents,
    guarded: &[&Wanted],
    now: DateTime<Utc>,
) -> Result<Taken, StoreError> {
    let oldest = now - weeks::OLDEST;
    let newest = now + weeks::AHEAD;
    let ids_since = head.received_since.clamp(oldest, now) - weeks::IDS_KEPT;
    let rows: Vec<TakenRow> = sql::query_as(TAKE_LANDED)
        .bind(head.until)
        .bind(rewards.known.iter().map(|id| id.0).collect::<Vec<i32>>())
        .bind(
            rewards
                .names
                .iter()
                .map(|(id, _)| id.0)
                .collect::<Vec<i32>>(),
        )
        .bind(
            rewards
                .names
                .iter()
                .map(|(_, name)| name.as_str())
                .collect::<Vec<&str>>(),
        )
        .bind(oldest)
        .bind(newest)
        .bind(ids_since)
        .bind(newest + MOST_AHEAD)
        .bind(head.first)
        .bind(
            guarded
                .iter()
                .map(|it| it.experiment.0)
                .collect::<Vec<i32>>(),
        )
        .bind(
            guarded
                .iter()
                .map(|it| it.event.as_str())
                .collect::<Vec<&str>>(),
        )
        .bind(FOLLOWED)
        .bind(guarded.iter().map(|it| it.units).collect::<Vec<bool>>())
        .bind(guarded.iter().map(|it| it.values).collect::<Vec<bool>>())
        .fetch_all(tx)
        .await?;
    let mut taken = Taken::default();
    for row in rows {
        taken.add(row)?;
    }
    Ok(taken)
}

impl Taken {
    fn add(&mut self, row: TakenRow) -> Result<(), StoreError> {
        let experiment = ExperimentId(row.experiment_id);
        match row.kind {
            SUMS => self.settled.push(row.settled()?),
            GUARDED => {
                let (key, measured) = row.guarded()?;
                self.guarded.insert(key, measured);
            }
            REPEATS => {
                let repeats = self.repeats.entry(experiment).or_default();
                repeats.conflicts += row.conflicts;
                repeats.duplicates += row.count - row.conflicts;
            }
            _ => {
                let landed = row.landed()?;
                if let (false, Some(assigned)) = (landed.exposure, row.assigned()) {
                    self.assigned.insert(landed.unit, assigned);
                }
                self.to_judge.push(landed);
            }
        }
        Ok(())
    }
}

impl TakenRow {
    fn settled(self) -> Result<Settled, StoreError> {
        let missing = || StoreError::unreadable("landed events", "a column is missing");
        Ok(Settled {
            experiment: ExperimentId(self.experiment_id),
            drawn: self
                .lane
                .zip(self.arm)
                .map(|(lane, arm)| (LaneId(lane as u16), ArmId(arm as u16))),
            event: self.event.ok_or_else(missing)?,
            standing: self
                .outcome
                .and_then(Standing::from_code)
                .ok_or_else(missing)?,
            minute: self.at.ok_or_else(missing)?,
            week: self.received_at.ok_or_else(missing)?,
            sums: MinuteSums {
                count: self.count,
                sum: self.sum,
                sum_sq: self.sum_sq,
            },
        })
    }

    fn guarded(self) -> Result<(GuardKey, Measured), StoreError> {
        let missing = || StoreError::unreadable("guarded events", "a column is missing");
        let mut measured = Measured {
            count: self.count,
            sum: self.sum,
            sum_sq: self.sum_sq,
            ..Measured::default()
        };
        for value in self.values_seen.unwrap_or_default() {
            measured.values.add(value);
        }
        for hash in self.units_seen.unwrap_or_default() {
            measured.units.add(hash.cast_unsigned());
        }
        let key = GuardKey {
            experiment: ExperimentId(self.experiment_id),
            arm: ArmId(self.arm.ok_or_else(missing)? as u16),
            event: self.event.ok_or_else(missing)?,
        };
        Ok((key, measured))
    }

    fn landed(&self) -> Result<Landed, StoreError> {
        let missing = || StoreError::unreadable("a landed item", "a column is missing");
        Ok(Landed {
            unit: unit(self.experiment_id, self.unit_key.ok_or_else(missing)?),
            event_id: self.event_id.ok_or_else(missing)?,
            exposure: self.kind == EXPOSURE,
            event: self.event.clone().ok_or_else(missing)?,
            value: self.value,
            digest: self.digest.ok_or_else(missing)?,
            at: self.at.ok_or_else(missing)?,
            received_at: self.received_at.ok_or_else(missing)?,
        })
    }

    /// Only units whose window is open are to be judged.
    fn assigned(&self) -> Option<Assigned> {
        Some(Assigned {
            drawn: drawn(self.lane?, self.arm?, self.version?),
            open: true,
            exposed_at: Some(self.exposed_at?),
        })
    }
}

//! Dropping the oldest week of the events ledger, all of it or nothing.

use std::collections::BTreeMap;

use bandit::experiment::ExperimentId;
use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use sqlx::PgConnection;
use uuid::Uuid;

use super::audit::{self, NewEntry};
use super::front::BEGINNING;
use super::mutations::Mutation;
use super::weeks::{IDS_KEPT, LOOKED_BACK, OLDEST};
use super::{StoreError, fold, sql, windows};

/// 45 days: no week may be dropped that a caller's id may still be looked for in, or that an item may still go to, and
/// weeks go as a whole.
pub const LEAST: TimeDelta = TimeDelta::days(45);
const _: () = assert!(LEAST.num_days() > IDS_KEPT.num_days() + OLDEST.num_days() + 7);

/// 200 ms: a reader of the ledger keeps its week from being dropped; whoever wants to fold then waits behind us, and
/// no longer than this. Autovacuum gives way to a lock only after `deadlock_timeout`, 1 s by default: what is locked may
/// not be what it works on, which is the newest weeks.
const LOCK_TIMEOUT: &str = "set local lock_timeout = '200ms'";

/// What became of the oldest week.
#[derive(Debug, Clone, PartialEq)]
pub enum Oldest {
    /// It is not old enough; it ends then, if there is one.
    Young(Option<DateTime<Utc>>),
    /// It is old enough, and still needed.
    Needed(Need),
    /// It is gone, once this is committed.
    Dropped(Dropped),
}

/// Why a week is still needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// A window is open that events of it could count in.
    OpenWindow {
        /// Whose.
        experiment: ExperimentId,
        /// Since when.
        exposed_at: DateTime<Utc>,
    },
    /// An item waits for the fold that was received then.
    Waiting {
        /// When.
        received_at: DateTime<Utc>,
    },
}

/// Why the oldest week was left where it is. The transaction is to be rolled back.
#[derive(Debug, thiserror::Error)]
pub enum NotDropped {
    /// Somebody has been reading the ledger, such as `pitbossd verify` or a backup.
    #[error("somebody reads the events ledger")]
    InUse,
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A week that is gone, as the audit log keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Dropped {
    /// Its table.
    pub table: String,
    /// The ledger has events received from here on.
    pub kept_since: DateTime<Utc>,
    /// How many events it had.
    pub events: u64,
    /// Of each experiment, by its number.
    pub experiments: BTreeMap<i32, i64>,
}

/// Of the audit rows.
const ACTION: &str = "retention";

/// The same: what the action is on.
const TARGET: &str = "events";

#[derive(Serialize)]
struct Body<'a> {
    detail: &'a Dropped,
}

/// Drops the oldest week if all of it was received before `until`.
///
/// It takes the fold's turn, so that nothing is being counted, and then locks the ledger and the week against everybody,
/// not the other weeks: dropping takes milliseconds. To detach the week first, concurrently, would lock less and could
/// not be one transaction with what is written about it.
pub async fn drop_oldest(
    tx: &mut PgConnection,
    until: DateTime<Utc>,
) -> Result<Oldest, NotDropped> {
    fold::take_turn(tx).await?;
    let (table, kept_since) = match oldest_week(tx).await? {
        Some((table, ends)) if ends <= until => (table, ends),
        young => return Ok(Oldest::Young(young.map(|(_, ends)| ends))),
    };
    if let Some(need) = needed(tx, kept_since).await? {
        return Ok(Oldest::Needed(need));
    }
    let experiments = count(tx, kept_since).await?;
    let dropped = Dropped {
        table,
        kept_since,
        events: experiments.values().sum::<i64>().cast_unsigned(),
        experiments,
    };
    record(tx, &dropped).await?;
    drop_table(tx, &dropped.table).await?;
    Ok(Oldest::Dropped(dropped))
}

/// The table of the oldest week, and when that ends: the next to go.
///
/// Of a ledger that is older than its weeks it is all that was there before them.
pub async fn oldest_week(
    connection: &mut PgConnection,
) -> Result<Option<(String, DateTime<Utc>)>, StoreError> {
    Ok(
        sql::query_as("select name, ends from experiment_event_weeks order by ends limit 1")
            .fetch_optional(connection)
            .await?,
    )
}

/// What still needs events that were received before `until`.
async fn needed(tx: &mut PgConnection, until: DateTime<Utc>) -> Result<Option<Need>, StoreError> {
    let open = windows::oldest_open(tx).await?;
    let open = open.into_iter().min_by_key(|(_, exposed_at)| *exposed_at);
    if let Some((experiment, exposed_at)) = open.filter(|(_, at)| *at - LOOKED_BACK < until) {
        return Ok(Some(Need::OpenWindow {
            experiment,
            exposed_at,
        }));
    }
    let first = fold::head(tx, BEGINNING, 1)
        .await?
        .map(|head| head.received_since);
    Ok(first
        .filter(|at| *at < until)
        .map(|received_at| Need::Waiting { received_at }))
}

/// Moves the counts of what was received before `until`; returns their sums by experiment.
async fn count(
    tx: &mut PgConnection,
    until: DateTime<Utc>,
) -> Result<BTreeMap<i32, i64>, StoreError> {
    let sums: Vec<(i32, i64)> = sql::query_as(
        "with gone as (
             delete from experiment_event_counts where week < $1
             returning experiment_id, event, outcome, count
         ), sums as (
             select experiment_id, event, outcome, sum(count)::int8 as count from gone
             group by 1, 2, 3 having sum(count) <> 0
         ), kept as (
             insert into experiment_events_dropped as d (experiment_id, event, outcome, count, kept_since)
             select experiment_id, event, outcome, count, $1 from sums
             on conflict (experiment_id, event, outcome) do update set
                 count = d.count + excluded.count, kept_since = excluded.kept_since
         )
         select experiment_id, sum(count)::int8 from sums group by 1",
    )
    .bind(until)
    .fetch_all(tx)
    .await?;
    Ok(sums.into_iter().collect())
}

/// An operator's decision, carried out by nobody: it changes no revision, so that no plan becomes stale.
async fn record(tx: &mut PgConnection, dropped: &Dropped) -> Result<(), StoreError> {
    let mutation = Mutation::begin(tx).await?;
    let body = serde_json::to_string(&Body { detail: dropped })
        .map_err(|error| StoreError::unreadable("week", error))?;
    let entry = NewEntry {
        actor: "pitbossd",
        via: "worker",
        action: ACTION,
        target: TARGET,
        result: "ok",
        revision: mutation.base,
        reason: "past event_retention",
        request_id: Uuid::now_v7(),
        body: &body,
    };
    audit::append(tx, mutation, &entry).await?;
    Ok(())
}

async fn drop_table(tx: &mut PgConnection, table: &str) -> Result<(), NotDropped> {
    let statements = format!(
        "{LOCK_TIMEOUT}; lock table only experiment_events in access exclusive mode; drop table {table}"
    );
    // The name is from the catalog, quoted as it has to be.
    let dropped = sqlx::raw_sql(sqlx::AssertSqlSafe(statements))
        .execute(tx)
        .await;
    match dropped.map_err(StoreError::from) {
        Ok(_) => Ok(()),
        Err(StoreError::Contended(_)) => Err(NotDropped::InUse),
        Err(error) => Err(error.into()),
    }
}

/// What an experiment's events ledger no longer has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Gone {
    /// Events.
    pub events: i64,
    /// What was received from here on is there; `None`: everything.
    pub kept_since: Option<DateTime<Utc>>,
    /// The same two as the audit log has them.
    pub audited: (i64, Option<DateTime<Utc>>),
}

/// By their target, which there is an index for: verify asks once an experiment, and of the audit log of years.
const AUDITED: &str =
    "select coalesce(sum((weeks.detail #>> array['experiments', $1])::int8), 0)::int8,
         max((weeks.detail ->> 'kept_since')::timestamptz)
     from (
         select body::jsonb -> 'detail' as detail from experiment_audit_logs
         where action = $2 and target = $3
     ) weeks
     where weeks.detail -> 'experiments' ? $1";

/// Nothing, for most.
pub async fn gone(
    connection: &mut PgConnection,
    experiment: ExperimentId,
) -> Result<Gone, StoreError> {
    let (events, kept_since) = sql::query_as(
        "select coalesce(sum(count), 0)::int8, max(kept_since)
         from experiment_events_dropped where experiment_id = $1",
    )
    .bind(experiment.0)
    .fetch_one(&mut *connection)
    .await?;
    let audited = sql::query_as(AUDITED)
        .bind(experiment.0.to_string())
        .bind(ACTION)
        .bind(TARGET)
        .fetch_one(connection)
        .await?;
    Ok(Gone {
        events,
        kept_since,
        audited,
    })
}

/// Since when the ledger as a whole is kept; `None` if nothing of it was ever dropped.
pub async fn kept_since(
    connection: &mut PgConnection,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    Ok(
        sql::query_scalar("select max(kept_since) from experiment_events_dropped")
            .fetch_one(connection)
            .await?,
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_the_audit_log_has_of_retention_is_found_by_an_index() {
        let database = crate::testing::database().await;
        let mut connection = database.store.pool.acquire().await.unwrap();
        // With an empty table every plan is cheap: what is asked is which there are.
        sqlx::raw_sql("set enable_seqscan = off")
            .execute(&mut *connection)
            .await
            .unwrap();
        let plan: Vec<String> =
            sqlx::query_scalar(sqlx::AssertSqlSafe(format!("explain {AUDITED}")))
                .bind("1")
                .bind(ACTION)
                .bind(TARGET)
                .fetch_all(&mut *connection)
                .await
                .unwrap();
        let plan = plan.join("\n");
        assert!(plan.contains("experiment_audit_logs_by_target"), "{plan}");
    }
}

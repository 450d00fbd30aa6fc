//! The weeks of the events ledger: each is a table of its own, by when its events were received.
//!
//! Clocks of daemons may be wrong, and a spool may be found again after a month. So that the fold never meets a time
//! that has no table, the ledger does not take `received_at` at its word beyond [`OLDEST`] and [`AHEAD`]; when an event
//! happened, which is what rewards are judged by, stays what it was.

use bandit::reward::{EXPOSURE_SLACK, MOST_AHEAD};
use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

use super::{StoreError, sql};

/// 30 days: for so long an id of a caller's is known. The same id again after that counts anew. Longer than any queue
/// holds what it retries; each week of it costs every event of a caller's id another look into an index.
pub const IDS_KEPT: TimeDelta = TimeDelta::days(30);

/// 7 days: an item that was received earlier is kept as received then. Longer than any outage that a spool is made for.
pub const OLDEST: TimeDelta = TimeDelta::days(7);

/// 1 day: an item that was received later, by a clock that is wrong, is kept as received then.
pub const AHEAD: TimeDelta = TimeDelta::days(1);

/// 2 days, one more than [`AHEAD`]: weeks are made so long before they begin.
const READY: TimeDelta = TimeDelta::days(2);

/// 7 days: a unit's events that were received longer before its exposure are left alone. Those that can count came at
/// most [`EXPOSURE_SLACK`] and [`MOST_AHEAD`] before it: no event is from later than that after its receipt. The others of
/// the last week are looked at so that where they stand does not depend on whether they or the exposure was folded first.
pub const LOOKED_BACK: TimeDelta = TimeDelta::days(7);
const _: () =
    assert!(LOOKED_BACK.num_seconds() > EXPOSURE_SLACK.num_seconds() + MOST_AHEAD.num_seconds());

/// The first instant of the week that `at` is in: Monday, UTC.
pub fn week_of(at: DateTime<Utc>) -> DateTime<Utc> {
    const DAY: i64 = 24 * 60 * 60;
    let day = at.timestamp().div_euclid(DAY);
    // 1970 began on a Thursday.
    let monday = day - (day + 3).rem_euclid(7);
    DateTime::from_timestamp(monday * DAY, 0).unwrap_or(at)
}

/// Makes the tables that a fold at `now` can need, if they are not there.
///
/// A new table is attached under a lock that readers and writers of the ledger do not feel. What is there is read every
/// time: half a millisecond of a round's hundreds, and no memory that a round which is rolled back makes wrong.
pub async fn make_ready(tx: &mut PgConnection, now: DateTime<Utc>) -> Result<(), StoreError> {
    let last = week_of(now + READY);
    let mut weeks = vec![week_of(now - OLDEST)];
    while let Some(next) = weeks.last().filter(|week| **week < last) {
        weeks.push(*next + TimeDelta::weeks(1));
    }
    let missing: Vec<DateTime<Utc>> = sql::query_scalar(
        "select week from unnest($1::timestamptz[]) as week
         where not exists (
             select from experiment_event_weeks where starts <= week and week < ends)
         order by week",
    )
    .bind(weeks)
    .fetch_all(&mut *tx)
    .await?;
    for week in missing {
        make(tx, week).await?;
    }
    Ok(())
}

/// A week of rows that nobody changes for long: they are frozen soon after they are written, a million at a time, and
/// not all at once in years.
async fn make(tx: &mut PgConnection, week: DateTime<Utc>) -> Result<(), StoreError> {
    let name = week.format("experiment_events_%Y_%m_%d");
    let (from, until) = (week.to_rfc3339(), (week + TimeDelta::weeks(1)).to_rfc3339());
    let statements = format!(
        "create table {name} (
             like experiment_events including comments,
             primary key (experiment_id, event_id)
         ) with (
             autovacuum_freeze_min_age = 0,
             autovacuum_vacuum_insert_scale_factor = 0,
             autovacuum_vacuum_insert_threshold = 1000000
         );
         alter table experiment_events attach partition {name} for values from ('{from}') to ('{until}')"
    );
    // Made of nothing but an instant.
    sqlx::raw_sql(sqlx::AssertSqlSafe(statements))
        .execute(tx)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_week_begins_on_monday_in_utc() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        for (instant, monday) in [
            ("2026-11-30T00:00:00Z", "2026-11-30T00:00:00Z"),
            ("2026-11-29T23:59:59.999999Z", "2026-11-23T00:00:00Z"),
            ("2021-01-01T12:00:00Z", "2020-12-28T00:00:00Z"),
            ("1970-01-01T00:00:00Z", "1969-12-29T00:00:00Z"),
            ("1969-12-28T23:59:59Z", "1969-12-22T00:00:00Z"),
        ] {
            assert_eq!(week_of(at(instant)), at(monday), "{instant}");
        }
    }
}

//! Old minutes of the rollups become hours: a sixtieth of the rows, and the same sums.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;

use super::{StoreError, sql};

/// 30 days: screens and rates look at the last hours, and whoever looks further back looks at days.
pub const MINUTES_KEPT: TimeDelta = TimeDelta::days(30);

/// 100 experiments a transaction: with a hundred rows a minute each they are 600,000 rows. A statement may
/// take 30 s, and one that takes longer is undone and would be tried again for ever.
pub const AT_ONCE: i64 = 100;

/// Merges the next experiments of an hour, `at_once` of them: of the oldest that is old enough at `now` and was not
/// merged. Says which hour, `None` if there is none.
///
/// Minutes that the fold adds meanwhile stay minutes, or are added after the merge: both add to the same sums.
pub async fn merge_oldest(
    tx: &mut PgConnection,
    now: DateTime<Utc>,
    at_once: i64,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    let progress = sql::query_as("select until, hour, merged_to from experiment_minutes_merged")
        .fetch_one(&mut *tx)
        .await?;
    let Some((hour, after)) = next(tx, progress).await? else {
        return Ok(None);
    };
    if hour + HOUR > now - MINUTES_KEPT {
        return Ok(None);
    }
    let range: Vec<i32> =
        sql::query_scalar("select id from experiments where id > $1 order by id limit $2")
            .bind(after)
            .bind(at_once)
            .fetch_all(&mut *tx)
            .await?;
    let last = range.last().copied().unwrap_or(after);
    merge(tx, hour, (after, last)).await?;
    let complete = (range.len() as i64) < at_once;
    sql::query("update experiment_minutes_merged set until = $1, hour = $2, merged_to = $3")
        .bind(if complete { hour + HOUR } else { hour })
        .bind(hour)
        .bind(last)
        .execute(tx)
        .await?;
    Ok(Some(hour))
}

/// The hour to go on with, and after which experiment.
async fn next(
    tx: &mut PgConnection,
    (until, hour, merged_to): (DateTime<Utc>, Option<DateTime<Utc>>, i32),
) -> Result<Option<(DateTime<Utc>, i32)>, StoreError> {
    // An older daemon knows of no ranges and moves `until` alone: what was begun is behind it then.
    if let Some(hour) = hour.filter(|hour| *hour >= until) {
        return Ok(Some((hour, merged_to)));
    }
    let oldest: Option<DateTime<Utc>> = sql::query_scalar(
        "select greatest($1, date_trunc('hour', oldest, 'UTC')) from (
             select min(m.minute) as oldest from experiments e
             cross join lateral (
                 select minute from experiment_minutes m
                 where m.experiment_id = e.id and m.minute >= $1
                 order by minute limit 1
             ) m
         ) o
         where oldest is not null",
    )
    .bind(until)
    .fetch_optional(tx)
    .await?;
    Ok(oldest.map(|hour| (hour, 0)))
}

/// Merges an hour of the experiments after the first up to the second.
async fn merge(
    tx: &mut PgConnection,
    hour: DateTime<Utc>,
    (after, last): (i32, i32),
) -> Result<(), StoreError> {
    sql::query(
        "with gone as (
             delete from experiment_minutes m using experiments e
             where e.id > $3 and e.id <= $4
                 and m.experiment_id = e.id and m.minute > $1 and m.minute < $2 and m.sketch is null
             returning m.experiment_id, m.lane, m.arm, m.event, m.count, m.sum, m.sum_sq
         )
         insert into experiment_minutes as m (experiment_id, minute, lane, arm, event, count, sum, sum_sq)
         select experiment_id, $1, lane, arm, event, sum(count)::int8, sum(sum), sum(sum_sq)
         from gone group by experiment_id, lane, arm, event order by 1, 3, 4, 5
         on conflict (experiment_id, minute, lane, arm, event) do update set
             count = m.count + excluded.count,
             sum = m.sum + excluded.sum,
             sum_sq = m.sum_sq + excluded.sum_sq",
    )
    .bind(hour)
    .bind(hour + HOUR)
    .bind(after)
    .bind(last)
    .execute(tx)
    .await?;
    Ok(())
}

const HOUR: TimeDelta = TimeDelta::hours(1);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workers::fixture::{CHECKOUT, Event, Fixture, hours};

    async fn sums(fixture: &Fixture) -> Vec<String> {
        sqlx::query_scalar(
            "select t::text from (
                 select experiment_id, lane, arm, event, date_trunc('hour', minute, 'UTC'), sum(count), sum(sum), sum(sum_sq)
                 from experiment_minutes group by 1, 2, 3, 4, 5 order by 1, 2, 3, 4, 5) t",
        )
        .fetch_all(&fixture.store().pool)
        .await
        .unwrap()
    }

    async fn rows(fixture: &Fixture) -> (i64, i64) {
        sqlx::query_as(
            "select count(*), count(*) filter (where minute <> date_trunc('hour', minute, 'UTC'))
             from experiment_minutes",
        )
        .fetch_one(&fixture.store().pool)
        .await
        .unwrap()
    }

    /// Merges all that is old enough at `now`; the hours.
    async fn merge(fixture: &Fixture, now: DateTime<Utc>) -> Vec<DateTime<Utc>> {
        let mut merged = Vec::new();
        let mut connection = fixture.store().pool.acquire().await.unwrap();
        while let Some(hour) = merge_oldest(&mut connection, now, AT_ONCE).await.unwrap() {
            merged.push(hour);
        }
        merged
    }

    #[tokio::test]
    async fn minutes_of_a_month_ago_become_hours_and_no_sum_changes() {
        let fixture = Fixture::start(CHECKOUT).await;
        let start = fixture.start;
        let units: Vec<u32> = (0..20).collect();
        fixture.assign_all(&units, start, true).await;
        // One value at each of 900 minutes: whole numbers, whose sums are exact in any order.
        let views: Vec<Event> = (0..900)
            .map(|n: u32| Event {
                unit: n % 20,
                name: "view",
                value: Some(f64::from(n)),
                id: u128::from(n),
                at: start + TimeDelta::minutes(i64::from(n)),
            })
            .collect();
        fixture.land(&views).await;
        fixture.fold(start + hours(16)).await;
        let (before, (_, of_minutes)) = (sums(&fixture).await, rows(&fixture).await);
        assert!(of_minutes > 800);

        let now = start + MINUTES_KEPT + hours(10);
        let merged = merge(&fixture, now - hours(10)).await;
        assert!(merged.is_empty(), "nothing is old enough: {merged:?}");
        let merged = merge(&fixture, now).await;
        let first_ten: Vec<_> = (0..10).map(|hour| start + hours(hour)).collect();
        assert_eq!(merged, first_ten);
        assert_eq!(sums(&fixture).await, before);
        let (_, left) = rows(&fixture).await;
        assert!(left < of_minutes / 2, "{left} of {of_minutes}");

        // What is folded late for an hour that was merged stays in its minute, and the rest goes on.
        fixture
            .land(&[Event {
                id: 5_000,
                ..views[61].clone()
            }])
            .await;
        fixture.fold(start + hours(16)).await;
        let with_late = sums(&fixture).await;
        assert_ne!(with_late, before);
        let rest = merge(&fixture, now + hours(10)).await;
        assert_eq!(rest.first(), Some(&(start + hours(10))));
        assert_eq!(sums(&fixture).await, with_late);
        assert_eq!(rows(&fixture).await.1, 1);
    }

    /// The experiments that have minutes, and whether the hour counts as merged.
    async fn standing(fixture: &Fixture) -> (Vec<i32>, bool) {
        sqlx::query_as(
            "select array(select distinct experiment_id from experiment_minutes
                 where minute <> date_trunc('hour', minute, 'UTC') order by 1), until > hour
             from experiment_minutes_merged",
        )
        .fetch_one(&fixture.store().pool)
        .await
        .unwrap()
    }

    #[tokio::test]
    async fn an_hour_of_many_experiments_is_merged_some_of_them_at_a_time() {
        let fixture = Fixture::start(CHECKOUT).await;
        let start = fixture.start;
        sqlx::raw_sql(
            "insert into experiments (key, state, run_state, revision, lanes)
             select 'more-' || n, state, run_state, revision, lanes from experiments, generate_series(1, 4) n",
        )
        .execute(&fixture.store().pool)
        .await
        .unwrap();
        let ids: Vec<i32> = sqlx::query_scalar("select id from experiments order by id")
            .fetch_all(&fixture.store().pool)
            .await
            .unwrap();
        sqlx::query(
            "insert into experiment_minutes (experiment_id, minute, lane, arm, event, count, sum, sum_sq)
             select id, $1 + n * interval '1 minute', 1, 0, 'view', 1, n, n * n
             from experiments, generate_series(1, 59) n",
        )
        .bind(start)
        .execute(&fixture.store().pool)
        .await
        .unwrap();
        let before = sums(&fixture).await;
        let now = start + MINUTES_KEPT + hours(1);
        let mut connection = fixture.store().pool.acquire().await.unwrap();
        for (left, complete) in [(&ids[2..], false), (&ids[4..], false), (&ids[5..], true)] {
            let hour = merge_oldest(&mut connection, now, 2).await.unwrap();
            assert_eq!(hour, Some(start));
            assert_eq!(standing(&fixture).await, (left.to_vec(), complete));
            assert_eq!(sums(&fixture).await, before);
        }
        assert_eq!(merge_oldest(&mut connection, now, 2).await.unwrap(), None);
    }
}

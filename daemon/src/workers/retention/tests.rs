//! Retention against a real database: exactly the weeks that are past it go, and everything still adds up.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Deposed, Retention, RetentionError};
use crate::store::leases::Lease;
use crate::store::results::{self, EventCounts};
use crate::store::retention::LEAST;
use crate::store::{audit, sweep};
use crate::verify::{Report, unwatched, verify};
use crate::workers::fixture::{CHECKOUT, Event, Fixture, hours, unit};

const WEEK: TimeDelta = TimeDelta::weeks(1);

/// Weeks of history.
const WEEKS: i32 = 12;

/// Events of each week.
const A_WEEK: u64 = 5 + 3 + 2;

/// Twelve weeks, in each of them ten units with events of several standings, all windows closed.
async fn with_history() -> Fixture {
    let monday = "2100-01-04T00:00:00Z".parse().unwrap();
    let fixture = Fixture::start_at(CHECKOUT, monday).await;
    for week in 0..WEEKS {
        let at = monday + WEEK * week + hours(30);
        let first = u32::try_from(week).unwrap() * 100;
        let units: Vec<u32> = (first..first + 10).collect();
        fixture.assign_all(&units, at, true).await;
        let event = |unit: u32, name, after| Event {
            unit,
            name,
            value: None,
            id: u128::from(unit) * 100 + after as u128,
            at: at + hours(after),
        };
        let mut events: Vec<Event> = (first..first + 5)
            .map(|unit| event(unit, "purchase", 1))
            .collect();
        events.extend((first + 5..first + 8).map(|unit| event(unit, "page_view", 2)));
        events.extend((first + 3..first + 5).map(|unit| event(unit, "refund", 3)));
        fixture.land(&events).await;
        fixture.fold(at + hours(4)).await;
        fixture.fold(at + hours(26)).await;
    }
    fixture
}

/// The end of that history.
fn end(fixture: &Fixture) -> DateTime<Utc> {
    fixture.start + WEEK * WEEKS
}

async fn lease(fixture: &Fixture, holder: &str) -> Option<Lease> {
    let taken = fixture.store().take_lease("retention", holder).await;
    taken.unwrap()
}

/// A run at `now` that keeps the least; what it says.
async fn run(fixture: &Fixture, now: DateTime<Utc>) -> Result<String, RetentionError> {
    let lease = lease(fixture, "this").await.expect("nobody else leads");
    Retention::new(fixture.store().clone(), None)
        .drop_all(&lease, LEAST, Some(now))
        .await
}

/// The ends of the weeks that there are.
async fn weeks(fixture: &Fixture) -> Vec<DateTime<Utc>> {
    sqlx::query_scalar("select ends from experiment_event_weeks order by ends")
        .fetch_all(&fixture.store().pool)
        .await
        .unwrap()
}

async fn counts(fixture: &Fixture) -> EventCounts {
    let mut connection = fixture.store().pool.acquire().await.unwrap();
    results::event_counts(&mut connection, fixture.id)
        .await
        .unwrap()
}

async fn verified(fixture: &Fixture) -> Report {
    verify(fixture.store(), &mut unwatched).await.unwrap()
}

#[tokio::test]
async fn the_weeks_that_are_past_retention_go_and_everything_still_adds_up() {
    let fixture = with_history().await;
    let (all, before) = (weeks(&fixture).await, counts(&fixture).await);
    let mut gone = 0;
    for days in [0, 1, 6, 7, 8, 20] {
        let now = end(&fixture) + TimeDelta::days(days);
        let said = run(&fixture, now).await.unwrap();
        let expected: Vec<_> = all
            .iter()
            .copied()
            .filter(|ends| *ends > now - LEAST)
            .collect();
        assert_eq!(weeks(&fixture).await, expected, "day {days}");
        let next = format!(
            "what was received before {} goes at {}",
            expected[0],
            expected[0] + LEAST
        );
        assert!(said.ends_with(&next), "{said}");
        // The first table and the week before the first had none.
        gone = (all.len() - expected.len()).saturating_sub(2) as u64 * A_WEEK;
        let report = verified(&fixture).await;
        assert!(report.is_clean(), "{report}");
        let one = &report.experiments[0];
        assert_eq!(one.dropped.cast_unsigned(), gone, "day {days}");
        assert_eq!(one.events + gone, A_WEEK * 12);
        assert_eq!(counts(&fixture).await, before);
    }
    assert!(gone > 0);
    let text = verified(&fixture).await.to_string();
    assert!(
        text.contains("events were dropped by retention, ledger kept since 2100-"),
        "{text}"
    );
    // The fold goes on, for an id of what is gone too.
    let now = end(&fixture) + TimeDelta::days(20);
    fixture.assign(5_000, now, true).await;
    let again = Event {
        unit: 5_000,
        name: "purchase",
        value: None,
        id: 1,
        at: now,
    };
    fixture.land(&[again]).await;
    assert_eq!(fixture.fold(now).await.events, 1);
    assert!(verified(&fixture).await.is_clean());
}

#[tokio::test]
async fn each_week_that_goes_is_in_the_audit_log() {
    let fixture = with_history().await;
    let there = weeks(&fixture).await.len();
    let said = run(&fixture, end(&fixture)).await.unwrap();
    assert!(said.contains("dropped 10 events"), "{said}");
    let dropped = there - weeks(&fixture).await.len();
    let rows: Vec<(String, String, i64)> = sqlx::query_as(
        "select actor, action, (body::jsonb #>> '{detail,events}')::int8 from experiment_audit_logs",
    )
    .fetch_all(&fixture.store().pool)
    .await
    .unwrap();
    assert_eq!(rows.len(), dropped);
    assert!(
        rows.iter()
            .all(|(actor, action, _)| actor == "pitbossd" && action == "retention")
    );
    let events: i64 = rows.iter().map(|row| row.2).sum();
    let report = verified(&fixture).await;
    assert_eq!(events, report.experiments[0].dropped);
    let check = audit::verify(fixture.store()).await.unwrap();
    assert_eq!(check.fault, None);
}

#[tokio::test]
async fn tampering_after_a_drop_is_found() {
    let fixture = with_history().await;
    run(&fixture, end(&fixture)).await.unwrap();
    assert!(verified(&fixture).await.is_clean());
    for tampering in [
        "update experiment_events_dropped set count = count - 1 where event = 'purchase'",
        "update experiment_events_dropped set kept_since = kept_since + interval '7 days'",
        "delete from experiment_events_dropped",
        "update experiment_event_counts set count = count - 1 where event = 'page_view'",
        "delete from experiment_events where event = 'purchase'",
        "update experiment_rewards set reward_micro = 0 where kind = 2",
        "delete from experiment_rewards where unit_key in (select unit_key from experiment_assignments order by at limit 1)",
    ] {
        let tables = [
            "experiment_events_dropped",
            "experiment_event_counts",
            "experiment_events",
            "experiment_rewards",
        ];
        for table in tables {
            statement(
                &fixture,
                format!("create table kept_{table} as select * from {table}"),
            )
            .await;
        }
        assert!(
            fixture.execute(tampering).await > 0,
            "no effect: {tampering}"
        );
        assert!(
            !verified(&fixture).await.is_clean(),
            "not found: {tampering}"
        );
        for table in tables {
            statement(&fixture, format!("truncate {table}")).await;
            statement(
                &fixture,
                format!("insert into {table} select * from kept_{table}"),
            )
            .await;
            statement(&fixture, format!("drop table kept_{table}")).await;
        }
    }
    let report = verified(&fixture).await;
    assert!(report.is_clean(), "{report}");
}

async fn statement(fixture: &Fixture, sql: String) {
    sqlx::query(sqlx::AssertSqlSafe(sql))
        .execute(&fixture.store().pool)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_week_is_kept_while_a_window_is_open_that_it_may_count_in() {
    let fixture = with_history().await;
    let unit = unit(2 * 100);
    sqlx::query("update experiment_assignments set open = true where unit_key = $1")
        .bind(unit.0)
        .execute(&fixture.store().pool)
        .await
        .unwrap();
    let said = run(&fixture, end(&fixture)).await.unwrap();
    assert!(
        said.contains("a window of experiment 1 has been open since 2100-01-19"),
        "{said}"
    );
    assert!(weeks(&fixture).await.contains(&(fixture.start + WEEK * 2)));
    fixture
        .execute("update experiment_assignments set open = false")
        .await;
    run(&fixture, end(&fixture)).await.unwrap();
    assert!(!weeks(&fixture).await.contains(&(fixture.start + WEEK * 2)));
}

#[tokio::test]
async fn a_reader_of_the_ledger_is_not_disturbed_and_what_is_past_retention_goes_later() {
    let fixture = with_history().await;
    let all = weeks(&fixture).await;
    let mut reader = fixture.store().pool.begin().await.unwrap();
    sweep::hold(&mut reader).await.unwrap();
    let said = run(&fixture, end(&fixture)).await.unwrap();
    assert!(said.contains("somebody reads the events ledger"), "{said}");
    assert_eq!(weeks(&fixture).await, all);
    let parts = sweep::parts(&mut reader).await.unwrap();
    assert_eq!(parts.len(), all.len());
    reader.rollback().await.unwrap();
    run(&fixture, end(&fixture)).await.unwrap();
    assert!(weeks(&fixture).await.len() < all.len());
    assert!(verified(&fixture).await.is_clean());
}

#[tokio::test]
async fn weeks_go_while_autovacuum_works_on_another() {
    let fixture = with_history().await;
    let all = weeks(&fixture).await;
    let newest: String =
        sqlx::query_scalar("select name from experiment_event_weeks order by ends desc limit 1")
            .fetch_one(&fixture.store().pool)
            .await
            .unwrap();
    // The lock that it holds, for as long as it freezes a million rows.
    let mut vacuum = fixture.store().pool.begin().await.unwrap();
    sqlx::query(sqlx::AssertSqlSafe(format!(
        "lock table {newest} in share update exclusive mode"
    )))
    .execute(&mut *vacuum)
    .await
    .unwrap();
    let said = run(&fixture, end(&fixture)).await.unwrap();
    assert!(said.contains("dropped 10 events"), "{said}");
    assert!(weeks(&fixture).await.len() < all.len());
    vacuum.rollback().await.unwrap();
}

#[tokio::test]
async fn of_two_leaders_the_deposed_one_drops_nothing() {
    let fixture = with_history().await;
    let all = weeks(&fixture).await;
    let old = lease(&fixture, "old").await.unwrap();
    assert_eq!(lease(&fixture, "new").await, None);
    fixture.store().release_lease(&old).await.unwrap();
    let new = lease(&fixture, "new").await.unwrap();
    let retention = Retention::new(fixture.store().clone(), Some(Duration::from_hours(24 * 45)));
    let now = Some(end(&fixture));
    let refused = retention.drop_all(&old, LEAST, now).await;
    assert!(
        matches!(refused, Err(RetentionError::Deposed(Deposed))),
        "{refused:?}"
    );
    assert_eq!(weeks(&fixture).await, all);
    retention.drop_all(&new, LEAST, now).await.unwrap();
    let left = weeks(&fixture).await;
    assert!(left.len() < all.len());
    // Led work is idempotent.
    retention.drop_all(&new, LEAST, now).await.unwrap();
    assert_eq!(weeks(&fixture).await, left);
    assert!(verified(&fixture).await.is_clean());
}

#[tokio::test]
async fn nothing_is_dropped_that_nobody_asked_to_drop() {
    use crate::workers::runner::Work;
    let fixture = with_history().await;
    let all = weeks(&fixture).await;
    let lease = lease(&fixture, "this").await.unwrap();
    let mut retention = Retention::new(fixture.store().clone(), None);
    let round = retention.run(&lease).await.unwrap();
    assert!(
        round.detail.starts_with("events are kept for ever; "),
        "{}",
        round.detail
    );
    assert_eq!(weeks(&fixture).await, all);
}

//! The ledger's weeks: an id has one effect on whichever side of midnight on Sunday it comes, and no clock stops the fold.

use bandit::experiment::ExperimentId;
use chrono::{DateTime, TimeDelta, Utc};
use uuid::{NoContext, Timestamp, Uuid};

use super::{assert_verified, purchase, standings};
use crate::store::landing::{Landed, LandedKind};
use crate::store::weeks::{AHEAD, IDS_KEPT, OLDEST, week_of};
use crate::workers::fixture::{CHECKOUT, Fixture, hours, unit};

/// A Monday long after the weeks that any real ledger has had before it had weeks.
async fn on_a_monday() -> Fixture {
    let monday = "2100-01-04T00:00:00Z".parse().unwrap();
    assert_eq!(week_of(monday), monday);
    Fixture::start_at(CHECKOUT, monday).await
}

/// What a purchase of unit 1 lands as, received at any time.
fn landed(experiment: ExperimentId, id: Uuid, received_at: DateTime<Utc>) -> Landed {
    Landed {
        experiment,
        event_id: id,
        unit: unit(1),
        kind: LandedKind::Event,
        event: "purchase".to_owned(),
        value: None,
        digest: 1,
        at: received_at,
        received_at,
    }
}

/// Events that are new and those that are not.
async fn folded(fixture: &Fixture, rows: &[Landed], now: DateTime<Utc>) -> (u64, u64) {
    fixture.land_rows(rows).await;
    let folded = fixture.fold(now).await;
    (folded.events, folded.repeats)
}

/// The first instants of the weeks that have a table, but for the first table.
async fn weeks(fixture: &Fixture) -> Vec<DateTime<Utc>> {
    sqlx::query_scalar(
        "select starts from experiment_event_weeks where starts > '-infinity' order by starts",
    )
    .fetch_all(&fixture.store().pool)
    .await
    .unwrap()
}

async fn received(fixture: &Fixture) -> Vec<DateTime<Utc>> {
    sqlx::query_scalar("select received_at from experiment_events order by received_at")
        .fetch_all(&fixture.store().pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn an_id_that_comes_again_in_the_next_week_has_no_second_effect() {
    let fixture = on_a_monday().await;
    let midnight = fixture.start + TimeDelta::weeks(1);
    fixture.assign(1, midnight - hours(3), true).await;
    let (before, after) = (midnight - hours(1), midnight + hours(1));
    fixture
        .land(&[purchase(1, 7, before), purchase(1, 8, before)])
        .await;
    assert_eq!(fixture.fold(before).await.events, 2);
    // Once more each, a new one on both sides of midnight at once, and one that only the new week has.
    fixture
        .land(&[
            purchase(1, 7, after),
            purchase(1, 9, before),
            purchase(1, 9, after),
            purchase(1, 8, after),
            purchase(1, 10, after),
        ])
        .await;
    let again = fixture.fold(after).await;
    assert_eq!((again.events, again.repeats), (2, 3));
    assert_eq!(standings(&fixture, 1).await, [0; 4]);
    assert_eq!(
        weeks(&fixture).await[..2],
        [fixture.start - TimeDelta::weeks(1), fixture.start]
    );
    assert_verified(&fixture).await;
    fixture.fold(midnight + hours(30)).await;
    assert_verified(&fixture).await;
}

#[tokio::test]
async fn a_callers_id_is_known_for_as_long_as_is_said_and_then_counts_anew() {
    let fixture = on_a_monday().await;
    let id = Uuid::from_u128(7);
    for (later, expected) in [
        (TimeDelta::zero(), (1, 0)),
        (TimeDelta::days(6), (0, 1)),
        (TimeDelta::days(8), (0, 1)),
        (IDS_KEPT - hours(1), (0, 1)),
        (IDS_KEPT + TimeDelta::days(7), (1, 0)),
        (IDS_KEPT + IDS_KEPT, (0, 1)),
    ] {
        let at = fixture.start + later;
        let rows = [landed(fixture.id, id, at)];
        assert_eq!(folded(&fixture, &rows, at).await, expected, "{later}");
        assert_verified(&fixture).await;
    }
}

/// What a replay of the spool may write twice, long after it was received.
#[tokio::test]
async fn an_id_of_ours_that_is_replayed_twice_has_one_effect_however_late() {
    let fixture = on_a_monday().await;
    let ours = |at: DateTime<Utc>| {
        Uuid::new_v7(Timestamp::from_unix(
            NoContext,
            at.timestamp().cast_unsigned(),
            0,
        ))
    };
    for (row, received_at) in [
        fixture.start,
        // Clocks that are years behind, and hours and days ahead.
        DateTime::UNIX_EPOCH + hours(1),
        fixture.start + hours(20),
        fixture.start + TimeDelta::days(6),
    ]
    .into_iter()
    .enumerate()
    {
        let rows = [landed(fixture.id, ours(received_at), received_at)];
        for days in [0, 1, 40, 100] {
            let now = fixture.start + TimeDelta::days(days);
            let expected = if days == 0 { (1, 0) } else { (0, 1) };
            assert_eq!(
                folded(&fixture, &rows, now).await,
                expected,
                "{row}, day {days}"
            );
        }
    }
    assert_verified(&fixture).await;
}

#[tokio::test]
async fn a_clock_that_is_wrong_does_not_stop_the_fold() {
    let fixture = on_a_monday().await;
    let now = fixture.start + hours(40);
    fixture.assign(1, now - hours(1), true).await;
    let strays = [
        DateTime::UNIX_EPOCH,
        now - TimeDelta::days(45),
        now - OLDEST - hours(1),
        now - OLDEST,
        now,
        now + AHEAD,
        now + AHEAD + hours(1),
        now + TimeDelta::days(20_000),
    ];
    let rows: Vec<Landed> = strays
        .iter()
        .enumerate()
        .map(|(n, at)| landed(fixture.id, Uuid::from_u128(n as u128), *at))
        .collect();
    assert_eq!(folded(&fixture, &rows, now).await, (8, 0));
    let received = received(&fixture).await;
    assert_eq!(received.first(), Some(&(now - OLDEST)));
    assert_eq!(received.last(), Some(&(now + AHEAD)));
    assert_verified(&fixture).await;
    // A caller tries them all again where the clock is right, and once more in the week after.
    for now in [now + hours(1), now + TimeDelta::days(7)] {
        let again: Vec<Landed> = rows
            .iter()
            .map(|row| Landed {
                at: now,
                received_at: now,
                ..row.clone()
            })
            .collect();
        assert_eq!(folded(&fixture, &again, now).await, (0, 8));
    }
    assert_verified(&fixture).await;
    let made = weeks(&fixture).await;
    assert_eq!(made.len(), 3, "{made:?}");
}

#[tokio::test]
async fn weeks_are_made_when_they_are_needed_and_two_days_before() {
    let fixture = on_a_monday().await;
    let monday = fixture.start;
    let event = |n: u128, at| landed(fixture.id, Uuid::from_u128(n), at);
    let week = TimeDelta::weeks(1);
    let after_months = monday + week * 12 + hours(7);
    for (n, now, made) in [
        (1, monday, 2),
        (2, monday + TimeDelta::days(5) - hours(1), 2),
        (3, monday + TimeDelta::days(5), 3),
        (4, monday + week, 3),
        // Nobody folded for months: no table for weeks in which nothing can be kept any more.
        (5, after_months, 5),
    ] {
        assert_eq!(folded(&fixture, &[event(n, now)], now).await, (1, 0));
        assert_eq!(weeks(&fixture).await.len(), made, "at {now}");
    }
    assert_verified(&fixture).await;
}
